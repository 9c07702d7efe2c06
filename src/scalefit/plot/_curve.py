"""Measured runs and the fitted law against one input, one line per level of another."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scalefit.plot.axes import axes, caption, label, short, span_is_wide

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from scalefit.fits.ensemble import Ensemble
    from scalefit.fits.fit import Fit

__all__ = ["Curve", "Line", "curve", "data", "draw"]

MOST_LEVELS = 7
POINTS = 200
# How far the law is drawn past the smallest run, and past the largest unless told.
BEFORE, BEYOND = 1.3, 4.0


class Line(NamedTuple):
    """The runs nearest to one level, the law there and its band; `inside` marks what lies among them."""

    level: float | None
    runs_x: np.ndarray
    runs_y: np.ndarray
    x: np.ndarray
    y: np.ndarray
    lo: np.ndarray
    hi: np.ndarray
    inside: np.ndarray


class Curve(NamedTuple):
    """What `draw` needs: the lines, lowest level first, and the words."""

    lines: tuple[Line, ...]
    color: str | None
    x_label: str
    y_label: str
    color_label: str
    title: str


def curve(
    fit: Fit | Ensemble,
    x: str | None = None,
    color: str | None = None,
    ax: Axes | None = None,
    *,
    until: float | None = None,
    level: float | None = 0.9,
    model_error: bool = True,
) -> Axes:
    """Measured runs and the fitted law with its band against one input.

    One line per level of input `color`; of many levels a few are drawn, each with the runs nearest to it.
    Further inputs are held at their median. The law is dashed where no run was measured.

    Args:
        fit: a fit or an ensemble.
        x: the input on the horizontal axis, the first if not given; on a log axis where it is positive.
        color: the input by whose levels lines are told apart, the first of the others if not given.
        ax: matplotlib axes to draw on; new ones where left out.
        until: where the law ends, in x's unit; four times the largest run where left out.
        level: of the band about each line; None for no band.
        model_error: whether the band allows for the law's own error, as in `fit.predict`.

    Returns:
        The axes.

    Raises:
        ValueError: for inputs the law does not have.
    """
    return draw(data(fit, x, color, until, level, model_error), axes(ax))


def data(
    fit: Fit | Ensemble,
    x: str | None = None,
    color: str | None = None,
    until: float | None = None,
    level: float | None = 0.9,
    model_error: bool = True,
) -> Curve:
    """The arrays of the plot."""
    x = _input(fit, x or fit.law.inputs[0])
    others = [name for name in fit.law.inputs if name != x]
    if color is not None and _input(fit, color) == x:
        raise ValueError(f"x and color are both {x!r}; give color another input, or leave it out")
    color = color or (others[0] if others else None)
    rows = {name: values[fit.data.weight > 0] for name, values in fit.data.x.items()}
    y = fit.data.y[fit.data.weight > 0]
    grid = _grid(rows[x], until)
    if color is None:
        lines = [_line(fit, x, grid, rows, y, {}, level, model_error)]
    else:
        levels, nearest = _levels(rows[color])
        parts = [{name: values[nearest == k] for name, values in rows.items()} for k in range(len(levels))]
        lines = [
            _line(fit, x, grid, part, y[nearest == k], {color: at}, level, model_error)
            for k, (at, part) in enumerate(zip(levels, parts, strict=True))
        ]
    words = (label(fit, x), label(fit, "y"), label(fit, color) if color else "", caption(fit))
    return Curve(tuple(lines), color, *words)


def draw(data: Curve, ax: Axes) -> Axes:
    """Points, the law solid among them and dashed beyond; a legend beside the axes, ordered as the lines."""
    from matplotlib import colormaps

    # Ordered levels get ordered colours; the palest end of the map would vanish on white.
    colors = colormaps["viridis"](np.linspace(0, 0.88, len(data.lines)))
    pairs = sorted(zip(data.lines, colors, strict=True), key=lambda pair: -pair[0].y[-1])
    for line, rgba in pairs:
        name = "" if line.level is None else short(line.level)
        known = np.isfinite(line.lo) & np.isfinite(line.hi)
        ax.fill_between(line.x[known], line.lo[known], line.hi[known], color=rgba, alpha=0.15, linewidth=0)
        ax.plot(line.x, line.y, "--", color=rgba, linewidth=1, alpha=0.8)
        ax.plot(line.x, np.where(line.inside, line.y, np.nan), color=rgba, linewidth=1.8)
        ax.plot(
            line.runs_x,
            line.runs_y,
            "o",
            color=rgba,
            markersize=5,
            markeredgecolor="white",
            markeredgewidth=0.5,
            label=name,
        )
    if data.lines[0].x[0] > 0:
        ax.set_xscale("log")
    if span_is_wide(np.concatenate([line.y for line in data.lines])):
        ax.set_yscale("log")
    ax.set_xlabel(data.x_label)
    ax.set_ylabel(data.y_label)
    ax.set_title(data.title, fontsize="medium", wrap=True)
    ax.grid(alpha=0.25)
    if data.color:
        ax.legend(
            title=data.color_label,
            loc="center left",
            bbox_to_anchor=(1.0, 0.5),
            frameon=False,
            fontsize="small",
            title_fontsize="small",
        )
    return ax


def _input(fit: Fit | Ensemble, name: str) -> str:
    if name not in fit.law.inputs:
        raise ValueError(f"law {fit.law.name!r} has no input {name!r}; it has {', '.join(fit.law.inputs)}")
    return name


def _line(
    fit: Fit | Ensemble,
    x: str,
    grid: np.ndarray,
    rows: dict[str, np.ndarray],
    y: np.ndarray,
    at: dict[str, float],
    level: float | None,
    model_error: bool,
) -> Line:
    """These rows, and the law with input `at` at its level and all others at their median."""
    held = {name: np.full(POINTS, at.get(name, np.median(values))) for name, values in rows.items()} | {
        x: grid
    }
    inside = (grid >= rows[x].min()) & (grid <= rows[x].max())
    middle = np.asarray(fit.law(fit.coefs, held), float)
    lo = hi = np.full(POINTS, np.nan)
    # A curve of whole runs is no line over one input: its band would cost a run for each place.
    if level is not None and not fit.law.whole:
        band = fit.predict(held, level, model_error=model_error)
        lo, hi = (band[end].to_numpy() for end in ("lo", "hi"))
    return Line(next(iter(at.values()), None), rows[x], y, grid, middle, lo, hi, inside)


def _grid(values: np.ndarray, until: float | None) -> np.ndarray:
    lo, hi = values.min(), values.max()
    return (
        np.geomspace(lo / BEFORE, until or hi * BEYOND, POINTS)
        if lo > 0
        else np.linspace(lo, until or hi, POINTS)
    )


def _levels(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The values of an input, or a few of many evenly spread over them, and which each row is nearest to."""
    levels = np.unique(values)
    if len(levels) > MOST_LEVELS:
        levels = np.unique(np.quantile(values, np.linspace(0, 1, MOST_LEVELS), method="nearest"))
    place = np.log if levels[0] > 0 else np.asarray
    return levels, np.abs(place(values)[:, None] - place(levels)).argmin(axis=1)
