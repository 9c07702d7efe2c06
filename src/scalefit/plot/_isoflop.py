"""Loss over size at every budget, the curve through each valley, and its minimum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scalefit.decisions.isoflop import LEAST, IsoFlop, through
from scalefit.laws.inputs import C as COMPUTE
from scalefit.laws.inputs import N as SIZE
from scalefit.plot.axes import (
    COLORS,
    DIM,
    QUIET,
    axes,
    dress,
    log_axis,
    named,
    plain_axis,
    power,
    ramp,
    short,
    span_is_wide,
    styled,
    text_size,
)
from scalefit.plot.checks import check_kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Valley", "Valleys", "data", "draw", "isoflop"]

POINTS = 200
# Budgets that each have a place in the legend.
MOST_NAMED = 10


class Valley(NamedTuple):
    """One budget: the runs that count, those set apart, the curve through the former, and its minimum.

    vertex: N and loss at the minimum, NaN where the budget is left out; why: then the reason.
    """

    C: float
    N: np.ndarray
    loss: np.ndarray
    odd_N: np.ndarray
    odd_loss: np.ndarray
    x: np.ndarray
    y: np.ndarray
    vertex: tuple[float, float]
    why: str


class Valleys(NamedTuple):
    """What `draw` needs: the budgets, ascending, and the words."""

    valleys: tuple[Valley, ...]
    x_label: str
    y_label: str
    color_label: str
    title: str


def isoflop(found: IsoFlop, ax: Axes | None = None, *, title: bool | str = True, legend: bool = True) -> Axes:
    """The valleys of an isoFLOP sweep: runs, the curve through each budget's, and the minima.

    Minima are diamonds, joined by a line; runs that were set apart are crosses, and a budget that gave no
    minimum has a dashed, paler curve.

    Args:
        found: what `sf.isoflop` returned.
        ax: matplotlib axes to draw on; new ones where left out.
        title: False for none, or a text of one's own.
        legend: False for none.

    Returns:
        The axes.

    Raises:
        TypeError: for what `sf.isoflop` did not return.
        ValueError: for an envelope, whose picture is `sf.plot.envelope`.
        ImportError: where matplotlib is missing.

    Example:
        >>> sf.plot.isoflop(sf.isoflop(runs, budget="flops")).get_xscale()
        'log'
    """
    return draw(data(found), axes(ax), title=title, legend=legend)


def data(found: IsoFlop) -> Valleys:
    """The arrays of the plot."""
    check_kind(found, IsoFlop, "sf.isoflop(runs, ...)")
    if found.method == "envelope":
        raise ValueError("this is an envelope of curves; see sf.plot.envelope")
    runs, valleys = found.runs, []
    for k, point in enumerate(found.points.to_dict("records")):
        mine, odd = (runs["budget"] == k) & ~runs["apart"], (runs["budget"] == k) & runs["apart"]
        N, loss = runs["N"][mine], runs["loss"][mine]
        x = y = np.full(0, np.nan)
        if len(np.unique(N)) >= LEAST[found.method]:
            x = np.geomspace(N.min(), N.max(), POINTS)
            y = np.exp(through(np.log(N), np.log(loss)[:, None], np.log(x), found.method)[:, 0])
        vertex = float(point["N"]), float(point["loss"])
        valleys.append(
            Valley(
                float(point["C"]),
                N,
                loss,
                runs["N"][odd],
                runs["loss"][odd],
                x,
                y,
                vertex,
                str(point["why"]),
            )
        )
    title = f"{found.method}: {power(found)}"
    # Rows whose own 6 N D is not their budget's stand in no valley.
    nowhere = len(set(found.apart) - set(runs["row"][runs["apart"]].tolist()))
    if nowhere:
        title += f"\n{nowhere} run{'s' * (nowhere > 1)} of no budget left out"
    size = named(str(found.columns.get("N", "N")), {"N": SIZE.unit}, "N")
    return Valleys(
        tuple(valleys), size, str(found.columns.get("y", "loss")), named("C", {"C": COMPUTE.unit}, "C"), title
    )


@styled
def draw(data: Valleys, ax: Axes, *, title: bool | str, legend: bool) -> None:
    """The valleys in the order of their budgets' colours; minima as diamonds on one line."""
    text = text_size(ax)
    many = len(data.valleys) > MOST_NAMED
    for valley, rgba in zip(data.valleys, ramp(len(data.valleys)), strict=True):
        style: dict[str, Any] = {"linestyle": "--", "alpha": DIM} if valley.why else {}
        ax.plot(valley.x, valley.y, color=rgba, linewidth=0.12 * text, **style)
        name = "_" if many else f"{valley.C:.2g}".replace("e+", "e")
        ax.plot(
            valley.N,
            valley.loss,
            "o",
            color=rgba,
            markeredgecolor="white",
            label=name,
            markersize=0.42 * text,
        )
        ax.plot(
            valley.odd_N,
            valley.odd_loss,
            "x",
            color=COLORS[1],
            markersize=0.6 * text,
            markeredgewidth=0.15 * text,
            zorder=4,
        )
    vertices = np.array([valley.vertex for valley in data.valleys if not valley.why])
    ax.plot(
        vertices[:, 0],
        vertices[:, 1],
        "D-",
        color=QUIET,
        markerfacecolor="black",
        markeredgecolor="white",
        linewidth=0.1 * text,
        markersize=0.55 * text,
        zorder=5,
        label="minimum",
    )
    if any(len(valley.odd_N) for valley in data.valleys):
        ax.plot(
            [],
            [],
            "x",
            color=COLORS[1],
            markersize=0.6 * text,
            markeredgewidth=0.15 * text,
            label="set apart",
        )
    if any(valley.why for valley in data.valleys):
        ax.plot([], [], "--", color=QUIET, alpha=DIM, label="no minimum inside")
    if many:
        ends = [short(data.valleys[k].C) for k in (0, -1)]
        ax.plot([], [], "o", color=QUIET, label=f"{len(data.valleys)} budgets,\n{ends[0]} to {ends[1]}")
    sizes = np.concatenate([np.append(valley.N, valley.odd_N) for valley in data.valleys])
    losses = np.concatenate([np.append(valley.loss, valley.odd_loss) for valley in data.valleys])
    log_axis(ax.xaxis, float(sizes.min()), float(sizes.max()))
    if span_is_wide(losses):
        log_axis(ax.yaxis, float(losses.min()), float(losses.max()))
    else:
        plain_axis(ax.yaxis)
    dress(ax, data.x_label, data.y_label, data.title, title, legend, data.color_label, beside=True)
