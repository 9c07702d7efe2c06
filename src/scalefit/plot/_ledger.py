"""How often the intervals of kept forecasts held, by what they promised."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scalefit.decisions.ledger import Ledger as Kept
from scalefit.plot.axes import COLORS, QUIET, axes, dress, percent, plain_axis, styled
from scalefit.plot.checks import check_kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Calibration", "data", "draw", "ledger"]


class Calibration(NamedTuple):
    """What `draw` needs: levels promised, shares that held with their binomial intervals, and words."""

    level: np.ndarray
    share: np.ndarray
    lo: np.ndarray
    hi: np.ndarray
    x_label: str
    y_label: str
    title: str


def ledger(kept: Kept, ax: Axes | None = None, *, title: bool | str = True, legend: bool = True) -> Axes:
    """What `sf.ledger` counted: the share of measured runs inside their interval, by the interval's level.

    Below the diagonal intervals were too narrow, above it too wide; bars are 90 % binomial intervals, which
    take forecasts as independent.

    Args:
        kept: what `sf.ledger` returned.
        ax: the axes to draw on, new ones unless given.
        title: False for none, or a text of one's own.
        legend: False for none.

    Returns:
        The axes.

    Raises:
        TypeError: for what `sf.ledger` did not return.
        ValueError: where no forecast was settled.
        ImportError: where matplotlib is missing.

    Example:
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "run.json"
        >>> kept = sf.preregister(fit, path, {"N": 1e10, "D": 2e11})
        >>> told = sf.settle(kept.path, 2.2)
        >>> sf.plot.ledger(sf.ledger(path.parent)).get_xlabel()
        'level of the interval'
    """
    return draw(data(kept), axes(ax), title=title, legend=legend)


def data(kept: Kept) -> Calibration:
    """The arrays of the plot."""
    check_kind(kept, Kept, "sf.ledger(folder)")
    if not kept.settled:
        raise ValueError("no forecast of this ledger was settled yet; sf.settle(path, measured) settles one")
    table = kept.calibration
    level, share, lo, hi = (table[name].to_numpy(float) for name in ("level", "share", "lo", "hi"))
    n = kept.settled
    words = "level of the interval", "measured runs inside", f"{n} settled forecast{'s' * (n > 1)}"
    return Calibration(level, share, lo, hi, *words)


@styled
def draw(data: Calibration, ax: Axes, *, title: bool | str, legend: bool) -> None:
    """The diagonal, and a point with its bar for every level."""
    ax.plot([0, 1], [0, 1], color=QUIET, linestyle="--", linewidth=1, label="as promised")
    bars = np.stack([data.share - data.lo, data.hi - data.share])
    ax.errorbar(data.level, data.share, bars, fmt="o", color=COLORS[0], capsize=3, label="as it came")
    ax.set_xlim(0, 1.02)
    ax.set_ylim(0, 1.02)
    for axis in (ax.xaxis, ax.yaxis):
        plain_axis(axis)
        percent(axis)
    dress(ax, data.x_label, data.y_label, data.title, title, legend)
