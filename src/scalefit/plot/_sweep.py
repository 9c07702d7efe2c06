"""The bowls of a hyperparameter sweep: the loss over its settings, cell by cell, with the optima."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scalefit.arguments import check_choice
from scalefit.decisions.hyperparameters import Sweep as Found
from scalefit.plot.axes import axes, dress, log_axis, plain_axis, ramp, short, styled
from scalefit.plot.checks import check_kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Bowl", "Bowls", "data", "draw", "sweep"]

# Cells drawn, where there are more: from the lowest loss to the highest.
SHOWN = 7
# Losses farther above a cell's least are out of the picture.
ABOVE = 0.06


class Bowl(NamedTuple):
    """One cell: its settings, the lowest loss at each, and the optimum (NaN without one) with its interval
    and its loss."""

    name: str
    setting: np.ndarray
    loss: np.ndarray
    at: tuple[float, float, float, float]


class Bowls(NamedTuple):
    """What `draw` needs: the bowls and words."""

    bowls: list[Bowl]
    x_label: str
    title: str


def sweep(
    found: Found,
    ax: Axes | None = None,
    *,
    over: str | None = None,
    title: bool | str = True,
    legend: bool = True,
) -> Axes:
    """What `sf.sweep` found: the loss over one hyperparameter for every cell, optima with intervals on top.

    Points are runs, of several with one setting the one of the lowest loss. At most seven cells are shown.

    Args:
        found: what `sf.sweep` returned.
        ax: the axes to draw on, new ones unless given.
        over: the hyperparameter, the first one swept unless given.
        title: False for none, or a text of one's own.
        legend: False for none.

    Returns:
        The axes.

    Raises:
        TypeError: for what `sf.sweep` did not return.
        ValueError: for what was not swept.
        ImportError: where matplotlib is missing.

    Example:
        >>> lr = np.geomspace(1e-4, 1e-2, 9)
        >>> found = sf.sweep({"lr": lr, "loss": 3.0 + 0.02 * np.log(lr / 1e-3) ** 2}, over=["lr"], by=[])
        >>> sf.plot.sweep(found).get_xlabel()
        'lr'
    """
    return draw(data(found, over), axes(ax), title=title, legend=legend)


def data(found: Found, over: str | None = None) -> Bowls:
    """The arrays of the plot."""
    check_kind(found, Found, "sf.sweep(runs, ...)")
    over = found.over[0] if over is None else check_choice(over, "over", found.over)
    bowls = []
    for k, line in enumerate(found.cells.to_dict("records")):
        own = found.runs[found.runs["cell"] == k].groupby(over)["loss"].min()
        if len(own):
            at = tuple(line[name] for name in (over, f"{over}_lo", f"{over}_hi", "loss"))
            name = ", ".join(
                f"{by} {short(line[by]) if isinstance(line[by], float) else line[by]}" for by in found.by
            )
            bowls.append(Bowl(name, own.index.to_numpy(float), own.to_numpy(float), at))
    bowls.sort(key=lambda bowl: bowl.loss.min())
    kept = np.unique(np.linspace(0, len(bowls) - 1, min(SHOWN, len(bowls))).round().astype(int))
    used = int(found.cells["used"].sum())
    title = f"{used} of {len(found.cells)} cells have an optimum, {found.level:.0%} intervals"
    return Bowls([bowls[k] for k in kept], over, title)


@styled
def draw(data: Bowls, ax: Axes, *, title: bool | str, legend: bool) -> None:
    """A thin line through the runs of each cell; its optimum is a diamond with a bar."""
    least = []
    for bowl, color in zip(data.bowls, ramp(len(data.bowls)), strict=True):
        near = bowl.loss <= bowl.loss.min() * (1 + ABOVE)
        ax.plot(
            bowl.setting, np.where(near, bowl.loss, np.nan), "o-", color=color, alpha=0.6, label=bowl.name
        )
        at, lo, hi, loss = bowl.at
        if np.isfinite(at):
            ax.hlines(loss, lo, hi, color=color, linewidth=3, zorder=4)
            ax.plot([at], [loss], "D", color=color, markeredgecolor="black", zorder=5)
        least += bowl.loss[near].tolist()
    every = np.concatenate([bowl.setting for bowl in data.bowls])
    log_axis(ax.xaxis, float(every.min()), float(every.max()))
    plain_axis(ax.yaxis)
    room = 0.05 * (float(np.ptp(least)) or 1.0)
    ax.set_ylim(min(least) - room, max(least) + room)
    shown = legend and any(bowl.name for bowl in data.bowls)
    dress(ax, data.x_label, "loss", data.title, title, shown, beside=True)
