"""Loss against compute for many training curves, and their lower envelope."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scalefit.decisions.isoflop import IsoFlop
from scalefit.laws.inputs import C as COMPUTE
from scalefit.laws.inputs import N as SIZE
from scalefit.plot.axes import (
    COLORS,
    axes,
    color_bar,
    dress,
    log_axis,
    named,
    plain_axis,
    power,
    styled,
)
from scalefit.plot.checks import check_kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Envelope", "Run", "data", "draw", "envelope"]


class Run(NamedTuple):
    """One training curve, by compute; apart: whether it was set apart."""

    N: float
    C: np.ndarray
    loss: np.ndarray
    apart: bool


class Envelope(NamedTuple):
    """What `draw` needs: the curves, the budgets and lowest losses that count, and the words."""

    curves: tuple[Run, ...]
    C: np.ndarray
    loss: np.ndarray
    x_label: str
    y_label: str
    color_label: str
    title: str


def envelope(
    found: IsoFlop, ax: Axes | None = None, *, title: bool | str = True, legend: bool = True
) -> Axes:
    """Training curves as loss against compute, coloured by size, and the envelope that approach 1 fits.

    Curves that were set apart are dashed in red.

    Args:
        found: what `sf.envelope` returned.
        ax: matplotlib axes to draw on; new ones where left out.
        title: False for none, or a text of one's own.
        legend: False for no legend and no bar of colours.

    Returns:
        The axes.

    Raises:
        TypeError: for what `sf.envelope` did not return.
        ValueError: for a result of `sf.isoflop`, whose picture is `sf.plot.isoflop`.
        ImportError: where matplotlib is missing.

    Example:
        >>> sizes, tokens = np.geomspace(1e7, 1e10, 12), np.geomspace(1e8, 1e12, 40)
        >>> N, D = (grid.ravel() for grid in np.meshgrid(sizes, tokens, indexing="ij"))
        >>> curves = sf.simulate(sf.laws.chinchilla, None, {"N": N, "D": D}, noise=0.0) | {"run": N}
        >>> sf.plot.envelope(sf.envelope(curves, "run", n_draws=20)).get_xlabel()
        'C (FLOP)'
    """
    return draw(data(found), axes(ax), title=title, legend=legend)


def data(found: IsoFlop) -> Envelope:
    """The arrays of the plot."""
    check_kind(found, IsoFlop, "sf.envelope(runs, ...)")
    if found.method != "envelope":
        raise ValueError(f"this is a sweep by {found.method}; see sf.plot.isoflop")
    runs, curves = found.runs, []
    for label in dict.fromkeys(runs["curve"].tolist()):
        mine = np.flatnonzero(runs["curve"] == label)
        mine = mine[np.argsort(runs["C"][mine])]
        curves.append(
            Run(float(runs["N"][mine[0]]), runs["C"][mine], runs["loss"][mine], bool(runs["apart"][mine[0]]))
        )
    used = found.points[found.points["used"]]
    title = f"envelope: {power(found)}"
    return Envelope(
        tuple(curves),
        used["C"].to_numpy(float),
        used["loss"].to_numpy(float),
        named("C", {"C": COMPUTE.unit}, "C"),
        str(found.columns.get("y", "loss")),
        named(str(found.columns.get("N", "N")), {"N": SIZE.unit}, "N"),
        title,
    )


@styled
def draw(data: Envelope, ax: Axes, *, title: bool | str, legend: bool) -> None:
    """Curves by the colour of their size, the envelope on top of them."""
    paint = color_bar(ax, np.array([run.N for run in data.curves]), data.color_label, shown=legend)
    for run in data.curves:
        style = {"color": COLORS[1], "linestyle": "--"} if run.apart else {"color": paint(run.N)}
        ax.plot(run.C, run.loss, linewidth=0.9, alpha=0.8, **style)
    # Where smallest or largest sizes win, the line is broken.
    step = np.diff(np.log(data.C), append=np.nan)
    gap = step > 1.5 * np.nanmedian(step)
    ax.plot(data.C, np.where(gap, np.nan, data.loss), color="black", label="envelope")
    if any(run.apart for run in data.curves):
        ax.plot([], [], "--", color=COLORS[1], label="set apart")
    compute = np.concatenate([run.C for run in data.curves])
    losses = np.concatenate([run.loss for run in data.curves])
    log_axis(ax.xaxis, float(compute.min()), float(compute.max()))
    if losses.min() > 0 and losses.max() > 3 * losses.min():
        log_axis(ax.yaxis, float(losses.min()), float(losses.max()))
    else:
        plain_axis(ax.yaxis)
    dress(ax, data.x_label, data.y_label, data.title, title, legend)
