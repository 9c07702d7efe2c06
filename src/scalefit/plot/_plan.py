"""What every run of a plan buys: the interval at the target over the FLOPs spent."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scalefit.decisions.next_runs import Plan as Found
from scalefit.plot.axes import COLORS, QUIET, axes, dress, log_axis, percent, short, styled, text_size
from scalefit.plot.checks import check_kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Widths", "data", "draw", "plan"]

# The first runs have their inputs written beside them, for as long as each narrows by this factor.
APART = 1.35


class Widths(NamedTuple):
    """What `draw` needs: FLOPs spent with every run and those before it, the half-width then, the half-width
    without any, and words."""

    spent: np.ndarray
    width: np.ndarray
    before: float
    names: list[str]
    x_label: str
    y_label: str
    title: str


def plan(found: Found, ax: Axes | None = None, *, title: bool | str = True, legend: bool = True) -> Axes:
    """What `sf.next_runs` found: how the interval at the target narrows with every run of the plan.

    Args:
        found: what `sf.next_runs` returned.
        ax: the axes to draw on, new ones unless given.
        title: False for none, or a text of one's own.
        legend: False for none.

    Returns:
        The axes.

    Raises:
        TypeError: for what `sf.next_runs` did not return.
        ValueError: for an empty plan.
        ImportError: where matplotlib is missing.

    Example:
        >>> candidates = {"N": [1e9, 2e9, 4e9], "D": [2e10, 1e10, 1e11]}
        >>> found = sf.next_runs(fit, candidates, budget=3e20, target={"N": 5e9, "D": 1e11})
        >>> sf.plot.plan(found).get_xscale()
        'log'
    """
    return draw(data(found), axes(ax), title=title, legend=legend)


def data(found: Found) -> Widths:
    """The arrays of the plot."""
    check_kind(found, Found, "sf.next_runs(fit, ...)")
    if not len(found.runs):
        raise ValueError("the plan is empty: no candidate is worth its cost, so there is nothing to draw")
    runs = found.runs
    inputs = [name for name in runs.columns if name not in ("row", "cost", "width")]
    names = [", ".join(f"{name} {short(line[name])}" for name in inputs) for line in runs.to_dict("records")]
    where = "the target" if len(found.targets) == 1 else f"{len(found.targets)} targets"
    return Widths(
        np.cumsum(runs["cost"].to_numpy(float)),
        runs["width"].to_numpy(float),
        found.before,
        names,
        f"spent on new runs ({found.unit})",
        f"half-width at {where} ({found.level:.0%})",
        f"{len(runs)} runs: ±{found.before:.2%} to ±{found.after:.2%}"
        if found.before <= 1
        else f"{len(runs)} runs, before any other: to ±{found.after:.2%}",
    )


@styled
def draw(data: Widths, ax: Axes, *, title: bool | str, legend: bool) -> None:
    """A step down for every run; the first ones are named."""
    if data.before <= 1:
        ax.axhline(data.before, color=QUIET, linestyle="--", linewidth=1, label="without new runs")
    ax.plot(data.spent, data.width, color=COLORS[0], drawstyle="steps-post")
    ax.plot(data.spent, data.width, "o", color=COLORS[0], markeredgecolor="white", label="after this run")
    text = text_size(ax)
    last = np.inf
    for spent, width, name in zip(data.spent, data.width, data.names, strict=True):
        if width > last / APART:
            break
        last = width
        ax.annotate(
            name, (spent, width), (0.5 * text, 0.3 * text), textcoords="offset points", fontsize=0.8 * text
        )
    log_axis(ax.xaxis, float(data.spent[0]) / 1.3, float(data.spent[-1]) * 1.3)
    top = max(float(np.max(data.width)), data.before if data.before <= 1 else 0.0)
    log_axis(ax.yaxis, float(np.min(data.width)) / 1.1, 1.2 * top)
    percent(ax.yaxis)
    ax.set_xlim(data.spent[0] / 1.3, data.spent[-1] * 2)
    ax.set_ylim(float(np.min(data.width)) / 1.15, 1.4 * top)
    dress(ax, data.x_label, data.y_label, data.title, title, legend)
