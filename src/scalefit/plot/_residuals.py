"""How far each run lies from the fitted law, in percent."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scalefit.plot.axes import axes, caption, label, span_is_wide

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from scalefit.fits.ensemble import Ensemble
    from scalefit.fits.fit import Fit

__all__ = ["Residuals", "data", "draw", "residuals"]


class Residuals(NamedTuple):
    """What `draw` needs: one entry per run, and the words."""

    x: np.ndarray
    percent: np.ndarray
    x_label: str
    y_label: str
    title: str


def residuals(fit: Fit | Ensemble, against: str | None = None, ax: Axes | None = None) -> Axes:
    """How far each run lies above the law, in percent of the prediction, against the prediction or an input.

    Rows of weight zero are left out.

    Args:
        fit: a fit, or an ensemble.
        against: the input to draw against; the prediction unless given.
        ax: the axes to draw on, new ones unless given.

    Returns:
        The axes.

    Raises:
        ValueError: where `against` is no input of the law.

    Example:
        >>> sf.plot.residuals(fit, against="N").get_ylabel()
        'measured loss above prediction (%)'
    """
    return draw(data(fit, against), axes(ax))


def data(fit: Fit | Ensemble, against: str | None = None) -> Residuals:
    """The arrays of the plot."""
    if against is not None and against not in fit.law.inputs:
        raise ValueError(f"law {fit.law.name!r} has no input {against!r}; it has {', '.join(fit.law.inputs)}")
    rows = fit.data.weight > 0
    predicted = fit.fitted()[rows]
    percent = 100 * (fit.data.y[rows] - predicted) / np.abs(predicted)
    x = fit.data.x[against][rows] if against else predicted
    name = label(fit, against) if against else f"predicted {label(fit, 'y')}"
    return Residuals(x, percent, name, f"measured {label(fit, 'y')} above prediction (%)", caption(fit))


def draw(data: Residuals, ax: Axes) -> Axes:
    """One point per run, around a line at zero."""
    ax.axhline(0, color="0.4", linewidth=1)
    ax.plot(
        data.x, data.percent, "o", color="#31688e", markersize=5, markeredgecolor="white", markeredgewidth=0.5
    )
    if span_is_wide(data.x):
        ax.set_xscale("log")
    ax.set_xlabel(data.x_label)
    ax.set_ylabel(data.y_label)
    ax.set_title(data.title, fontsize="medium", wrap=True)
    ax.grid(alpha=0.25)
    return ax
