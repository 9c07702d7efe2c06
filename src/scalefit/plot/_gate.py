"""The gap between a recipe and its baseline over the budget, and what it is likely to be at the target."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scalefit.decisions.gate import Gate as Found
from scalefit.decisions.gate import likely
from scalefit.fits.joint import ends
from scalefit.plot.axes import COLORS, QUIET, axes, dress, log_axis, percent, plain_axis, short, styled
from scalefit.plot.checks import check_kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Gap", "data", "draw", "gate"]

PLACES = 25


class Gap(NamedTuple):
    """What `draw` needs: budgets, the middle of the gap there and its interval, the pairs as measured, the
    target, and words."""

    C: np.ndarray
    gap: np.ndarray
    lo: np.ndarray
    hi: np.ndarray
    measured_C: np.ndarray
    measured: np.ndarray
    target: float
    x_label: str
    y_label: str
    interval_label: str
    title: str


def gate(found: Found, ax: Axes | None = None, *, title: bool | str = True, legend: bool = True) -> Axes:
    """What `sf.gate` found: the gap of every pair, and between and beyond them what it is likely to be.

    Above zero the recipe is the better one. The band is of the gap itself, without the noise of single runs.

    Args:
        found: what `sf.gate` returned.
        ax: the axes to draw on, new ones unless given.
        title: False for none, or a text of one's own.
        legend: False for none.

    Returns:
        The axes.

    Raises:
        TypeError: for what `sf.gate` did not return.
        ImportError: where matplotlib is missing.

    Example:
        >>> tried = {"recipe": ["adamw", "muon"] * 2, "C": [1e18, 1e18, 1e19, 1e19]}
        >>> tried["loss"] = [3.40, 3.35, 3.10, 3.055]
        >>> sf.plot.gate(sf.gate(tried, recipe="muon", baseline="adamw", C=1e20)).get_xscale()
        'log'
    """
    return draw(data(found), axes(ax), title=title, legend=legend)


def data(found: Found) -> Gap:
    """The arrays of the plot."""
    check_kind(found, Found, "sf.gate(runs, ...)")
    measured = found.pairs["C"].to_numpy()
    lo, hi = min(measured.min(), found.C), max(measured.max(), found.C)
    C = np.geomspace(lo, hi, PLACES) if hi > lo else np.array([lo])
    drawn = [likely(found.pairs, found.baseline_runs, at, found.by, found.key).gap for at in C]
    limits = np.array([ends(gap, found.level) for gap in drawn])
    times = f"{found.multiplier:.3g} ({found.lo:.3g} to {found.hi:.3g})"
    return Gap(
        C,
        np.median(drawn, axis=1),
        limits[:, 0],
        limits[:, 1],
        measured,
        found.pairs["gap"].to_numpy(),
        found.C,
        found.by or "C (FLOPs)",
        f"loss of {found.recipe} below {found.baseline}",
        f"{found.level:.0%} interval",
        f"{found.verdict}: compute multiplier {times} at {short(found.C)}",
    )


@styled
def draw(data: Gap, ax: Axes, *, title: bool | str, legend: bool) -> None:
    """The band with its middle, the pairs as points, the interval at the target as a bar."""
    ax.axhline(0.0, color=QUIET, linewidth=1)
    ax.fill_between(data.C, data.lo, data.hi, color=COLORS[0], alpha=0.15, linewidth=0)
    ax.plot(data.C, data.gap, color=COLORS[0])
    ax.plot(
        data.measured_C, data.measured, "o", color="black", markeredgecolor="white", label="pairs of runs"
    )
    at = int(np.argmin(np.abs(np.log(data.C / data.target))))
    middle = data.gap[at]
    ax.errorbar(
        [data.target],
        [middle],
        [[middle - data.lo[at]], [data.hi[at] - middle]],
        fmt="s",
        color=COLORS[1],
        capsize=4,
        label=f"target, {data.interval_label}",
    )
    edge = 1.3 if len(data.C) > 1 else 3.0
    log_axis(ax.xaxis, float(data.C[0]) / edge, float(data.C[-1]) * edge)
    ax.set_xlim(data.C[0] / edge, data.C[-1] * edge)
    plain_axis(ax.yaxis)
    percent(ax.yaxis)
    dress(ax, data.x_label, data.y_label, data.title, title, legend)
