"""The learning rates that `sf.best_schedule` found."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scalefit.curves.best_schedule import BestSchedule as Found
from scalefit.plot.axes import COLORS, axes, dress, plain_axis, styled
from scalefit.plot.checks import check_kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Rates", "best_schedule", "data", "draw"]


class Rates(NamedTuple):
    """What `draw` needs: steps, the rate of each, and words."""

    step: np.ndarray
    rate: np.ndarray
    x_label: str
    y_label: str
    title: str


def best_schedule(
    found: Found, ax: Axes | None = None, *, title: bool | str = True, legend: bool = True
) -> Axes:
    """What `sf.best_schedule` found: its rates, and in the title what the usual schedules lose by.

    Args:
        found: what `sf.best_schedule` returned.
        ax: the axes to draw on, new ones unless given.
        title: False for none, or a text of one's own.
        legend: there is none; taken for the sake of the other pictures.

    Returns:
        The axes.

    Raises:
        TypeError: for what `sf.best_schedule` did not return.
        ImportError: where matplotlib is missing.

    Example:
        >>> coefs = {"L0": 2.7, "A": 0.6, "alpha": 0.45, "C": 0.7, "lam": 0.998}
        >>> found = sf.best_schedule(sf.laws.lr_annealing, 2000, 3e-4, 3e-5, warmup=100, coefs=coefs)
        >>> sf.plot.best_schedule(found).get_xlabel()
        'step'
    """
    return draw(data(found), axes(ax), title=title, legend=legend)


def data(found: Found) -> Rates:
    """The arrays of the plot."""
    check_kind(found, Found, "sf.best_schedule(fit, ...)")
    table = found.comparison
    behind = [
        f"{name} +{100 * (loss / found.loss - 1):.2g} %"
        for name, loss in zip(table["schedule"][1:4], table["loss"][1:4], strict=True)
    ]
    return Rates(
        np.arange(1, len(found.rates) + 1),
        np.asarray(found.rates),
        "step",
        "learning rate",
        f"loss {found.loss:.4g} at the end\n{'; '.join(behind)}",
    )


@styled
def draw(data: Rates, ax: Axes, *, title: bool | str, legend: bool) -> None:
    """The rates, from zero up."""
    ax.fill_between(data.step, data.rate, color=COLORS[0], alpha=0.13, linewidth=0)
    ax.plot(data.step, data.rate, color=COLORS[0])
    plain_axis(ax.xaxis)
    plain_axis(ax.yaxis)
    ax.set_xlim(0, data.step[-1])
    ax.set_ylim(0, 1.05 * float(np.max(data.rate)))
    # A factor above the axis would stand in the title.
    ax.yaxis.set_major_formatter("{x:g}")
    dress(ax, data.x_label, data.y_label, data.title, title, legend)
