"""What every plot needs: axes to draw on, and names of quantities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from scalefit.fits.ensemble import Ensemble
    from scalefit.fits.fit import Fit

__all__ = ["axes", "caption", "label", "offscreen", "short", "span_is_wide"]

SIZE = (7.0, 4.5)  # inches
SUFFIXES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))


def axes(ax: Axes | None) -> Axes:
    """`ax`, or the axes of a new figure."""
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.subplots(figsize=SIZE, layout="constrained")[1]


def offscreen() -> Figure:
    """A figure that only goes to a file: it needs no screen, and no window keeps it."""
    from matplotlib.figure import Figure

    return Figure(figsize=SIZE, layout="constrained")


def label(fit: Fit | Ensemble, name: str) -> str:
    """An input, or "y", with its unit where the law states one."""
    symbol = fit.law.predicts if name == "y" else name
    unit = fit.law.units.get(name)
    return f"{symbol}: {unit}" if unit else symbol


def caption(fit: Fit | Ensemble) -> str:
    """The law, and under it the status unless that is good."""
    return fit.law.name if fit.status.trust == "good" else f"{fit.law.name}\n{fit.status}"


def short(value: float) -> str:
    """Three digits, counts from a thousand to a quadrillion with k, M, B or T."""
    value = float(f"{value:.3g}")
    for size, suffix in SUFFIXES:
        if size <= value < 1e15:
            return f"{value / size:g}{suffix}"
    return f"{value:g}".replace("e+", "e")


def span_is_wide(values: np.ndarray) -> bool:
    """Whether these are positive and span a factor of ten: then a log axis serves them better."""
    return bool(np.all(values > 0) and values.max() > 10 * values.min())
