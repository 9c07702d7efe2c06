"""Errors of held-out runs by how far beyond the fitted ones they lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scalefit.plot.axes import COLORS, MARKERS, QUIET, axes, dress, log_axis, styled, text_size
from scalefit.plot.checks import check_kind
from scalefit.validation.backtest import BINS, Backtest

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Errors", "Tested", "backtest", "data", "draw"]


class Tested(NamedTuple):
    """One law: distances and sizes of its errors, their rms by distance, and the share its intervals held."""

    law: str
    baseline: bool
    distance: np.ndarray
    error: np.ndarray
    bin_distance: np.ndarray
    bin_rms: np.ndarray
    coverage: float


class Errors(NamedTuple):
    """What `draw` needs: the laws, the best first, and the words. percent: whether errors are of log y."""

    laws: tuple[Tested, ...]
    percent: bool
    x_label: str
    y_label: str
    title: str


def backtest(
    found: Backtest, ax: Axes | None = None, *, title: bool | str = True, legend: bool = True
) -> Axes:
    """How far predictions of held-out runs were off, by how many decades beyond the fitted runs they lay.

    A dot is one prediction, the line the root mean square of a law's errors by distance; baselines are grey.
    The legend says how many of a law's intervals held.

    Args:
        found: what `sf.backtest` returned, or the `.backtest` of what `sf.compare` did.
        ax: matplotlib axes to draw on; new ones where left out.
        title: False for none, or a text of one's own.
        legend: False for none.

    Returns:
        The axes.

    Raises:
        TypeError: for what `sf.backtest` did not return.
        ImportError: where matplotlib is missing.

    Example:
        >>> sf.plot.backtest(sf.backtest("chinchilla", runs, by="flops")).get_xlabel()
        'decades of flops beyond the fitted runs'
    """
    return draw(data(found), axes(ax), title=title, legend=legend)


def data(found: Backtest) -> Errors:
    """The arrays of the plot."""
    check_kind(found, Backtest, "sf.backtest(...)")
    percent = found.space == "log"
    laws = []
    for law in found.table()["law"]:
        mine = found.columns["law"] == law
        distance, error = found.columns["distance"][mine], np.abs(found.columns["error"][mine])
        # exp(e) - 1 of an error e of log y.
        error = 100 * np.expm1(error) if percent else error
        where, rms = [], []
        for lo, hi in BINS:
            here = ((distance > lo) | (lo == 0)) & (distance <= hi) & np.isfinite(error)
            if np.any(here):
                where.append(float(np.mean(distance[here])))
                rms.append(float(np.sqrt(np.mean(error[here] ** 2))))
        inside = found.columns["inside"][mine]
        coverage = float(np.mean(inside)) if len(inside) and np.all(np.isfinite(inside)) else np.nan
        laws.append(
            Tested(
                str(law), law in found.baselines, distance, error, np.array(where), np.array(rms), coverage
            )
        )
    cuts = f"{len(found.cuts)} window{'s' * (len(found.cuts) > 1)}"
    return Errors(
        tuple(laws),
        percent,
        f"decades of {found.by} beyond the fitted runs",
        "error of the prediction (%)" if percent else "error of the prediction",
        f"backtest in {cuts}; share of {found.level:.0%} intervals that held",
    )


@styled
def draw(data: Errors, ax: Axes, *, title: bool | str, legend: bool) -> None:
    """Dots behind, lines in front; errors on a log axis."""
    text = text_size(ax)
    turn = 0
    for k, law in enumerate(data.laws):
        color, shape = QUIET, "x" if law.law == "last point" else "+"
        if not law.baseline:
            color, shape = COLORS[turn % len(COLORS)], MARKERS[turn % len(MARKERS)]
            turn += 1
        held = "" if np.isnan(law.coverage) else f" ({law.coverage:.0%})"
        seen = law.error > 0
        ax.plot(
            law.distance[seen],
            law.error[seen],
            ".",
            color=color,
            alpha=0.25,
            markersize=0.4 * text,
            markeredgewidth=0,
        )
        ax.plot(
            law.bin_distance,
            law.bin_rms,
            linestyle="--" if law.baseline else "-",
            marker=shape,
            color=color,
            label=f"{law.law}{held}",
            zorder=3 + len(data.laws) - k,
        )
    errors = np.concatenate([law.error[np.isfinite(law.error) & (law.error > 0)] for law in data.laws])
    rms = np.concatenate([law.bin_rms for law in data.laws])
    # Errors that happen to be near zero do not stretch the axis.
    lo, hi = float(min(np.quantile(errors, 0.05), rms.min())), float(max(errors.max(), rms.max()))
    log_axis(ax.yaxis, lo, hi)
    ax.set_ylim(lo / 1.5, hi * 1.5)
    ax.set_xlim(left=0)
    dress(ax, data.x_label, data.y_label, data.title, title, legend, beside=True)
