"""Predicted against measured, run by run."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scalefit.plot.axes import (
    COLORS,
    QUIET,
    axes,
    caption,
    color_bar,
    dress,
    label,
    log_axis,
    plain_axis,
    span_is_wide,
    styled,
    text_size,
)
from scalefit.plot.checks import check_fit, input_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from scalefit.fits.ensemble import Ensemble
    from scalefit.fits.fit import Fit

__all__ = ["Observed", "data", "draw", "observed"]


class Observed(NamedTuple):
    """What `draw` needs: one entry per run, the input that colours it where one does, and the words."""

    measured: np.ndarray
    predicted: np.ndarray
    at: np.ndarray | None
    x_label: str
    y_label: str
    color_label: str
    title: str


def observed(
    fit: Fit | Ensemble,
    ax: Axes | None = None,
    *,
    color: str | None = None,
    title: bool | str = True,
    legend: bool = True,
) -> Axes:
    """What the law predicts for every run against what was measured; on the line both are equal.

    Rows of weight zero are left out.

    Args:
        fit: a fit or an ensemble, of any law.
        ax: matplotlib axes to draw on; new ones where left out.
        color: an input that says the runs' colours; none unless given.
        title: False for none, or a text of one's own.
        legend: False for no bar of colours.

    Returns:
        The axes.

    Raises:
        ValueError: for an input the law does not have, or one that is a label.
        TypeError: for what is no fit.
        ImportError: where matplotlib is missing.

    Example:
        >>> sf.plot.observed(fit, color="D").get_ylabel()
        'predicted loss'
    """
    return draw(data(fit, color), axes(ax), title=title, legend=legend)


def data(fit: Fit | Ensemble, color: str | None = None) -> Observed:
    """The arrays of the plot."""
    check_fit(fit)
    rows = fit.data.weight > 0
    at, name = None, ""
    if color is not None:
        color = input_of(fit, color)
        if color in fit.law.labels:
            raise ValueError(f"{color!r} is a label, which has no scale of colours; see sf.plot.curve")
        at, name = fit.data.x[color][rows], label(fit, color)
    y = label(fit, "y")
    return Observed(
        fit.data.y[rows], fit.fitted()[rows], at, f"measured {y}", f"predicted {y}", name, caption(fit)
    )


@styled
def draw(data: Observed, ax: Axes, *, title: bool | str, legend: bool) -> None:
    """One point per run about the line on which both are equal, both axes alike."""
    both = np.concatenate([data.measured, data.predicted])
    both = both[np.isfinite(both)]
    lo, hi = float(both.min()), float(both.max())
    if span_is_wide(both):
        ends = lo / (hi / lo) ** 0.04, hi * (hi / lo) ** 0.04
        log_axis(ax.xaxis, lo, hi)
        log_axis(ax.yaxis, lo, hi)
    else:
        room = 0.04 * ((hi - lo) or abs(hi) or 1.0)
        ends = lo - room, hi + room
        plain_axis(ax.xaxis)
        plain_axis(ax.yaxis)
    ax.plot(ends, ends, color=QUIET, linewidth=1.0, zorder=1)
    size = (0.45 * text_size(ax)) ** 2
    paint: dict = {"color": COLORS[0]}
    if data.at is not None:
        paint = {"c": color_bar(ax, data.at, data.color_label, shown=legend)(data.at)}
    ax.scatter(data.measured, data.predicted, s=size, edgecolor="white", linewidth=0.5, zorder=3, **paint)
    ax.set_xlim(ends)
    ax.set_ylim(ends)
    dress(ax, data.x_label, data.y_label, data.title, title, False)
