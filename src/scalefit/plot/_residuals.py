"""How far each run lies from the fitted law, in percent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scalefit.arguments import number
from scalefit.plot.axes import (
    COLORS,
    QUIET,
    axes,
    caption,
    dress,
    label,
    log_axis,
    plain_axis,
    span_is_wide,
    styled,
)
from scalefit.plot.checks import check_fit, input_of
from scalefit.runs import tables
from scalefit.words import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from scalefit.fits.ensemble import Ensemble
    from scalefit.fits.fit import Fit

__all__ = ["Residuals", "data", "draw", "residuals"]

PREDICTION = "prediction"


class Residuals(NamedTuple):
    """What `draw` needs: one entry per run, and the words. names: of the places 0, 1, ... where these are
    labels."""

    x: np.ndarray
    percent: np.ndarray
    names: tuple[str, ...]
    x_label: str
    y_label: str
    title: str


def residuals(
    fit: Fit | Ensemble,
    against: str | Sequence[Any] | None = None,
    ax: Axes | None = None,
    *,
    runs: Any = None,
    title: bool | str = True,
) -> Axes:
    """How far each run lies above the law, in percent of the prediction, against anything.

    What is left over where it should be chance: a trend against an input is a law of another shape, one
    against a column that the law does not see is a further cause. Rows of weight zero are left out.

    Args:
        fit: a fit, or an ensemble.
        against: an input or its column; "prediction", which is also meant where left out; a column of `runs`,
            labels too; or one value per fitted row.
        ax: the axes to draw on, new ones unless given.
        runs: the table that was fitted, for columns that the law does not take.
        title: False for none, or a text of one's own.

    Returns:
        The axes.

    Raises:
        ValueError: where `against` is no input and no column of `runs`, or not as long as the fitted rows.
        TypeError: for what is no fit.
        ImportError: where matplotlib is missing.

    Example:
        >>> sf.plot.residuals(fit, against="N").get_ylabel()
        'measured loss above prediction (%)'
        >>> sf.plot.residuals(fit, "recipe", runs=runs).get_xlabel()
        'recipe'
    """
    return draw(data(fit, against, runs), axes(ax), title=title)


def data(fit: Fit | Ensemble, against: str | Sequence[Any] | None = None, runs: Any = None) -> Residuals:
    """The arrays of the plot."""
    check_fit(fit)
    rows = fit.data.weight > 0
    predicted = fit.fitted()[rows]
    percent = 100 * (fit.data.y[rows] - predicted) / np.abs(predicted)
    y = label(fit, "y")
    words = f"measured {y} above prediction (%)", caption(fit)
    if against is None or (isinstance(against, str) and against == PREDICTION):
        return Residuals(predicted, percent, (), f"predicted {y}", *words)
    values, name = _column(fit, against, runs)
    values = values[rows]
    numbers = [number(cell) for cell in values.tolist()]
    if all(cell is not None and np.isfinite(cell) for cell in numbers):
        return Residuals(np.array(numbers, float), percent, (), name, *words)
    # By first appearance, as labels are counted elsewhere.
    names = list(dict.fromkeys(map(str, values.tolist())))
    places = np.array([names.index(str(cell)) for cell in values.tolist()], float)
    return Residuals(places, percent, tuple(names), name, *words)


@styled
def draw(data: Residuals, ax: Axes, *, title: bool | str, legend: bool) -> None:
    """One point per run, around a line at zero; labels side by side, their runs spread a little."""
    ax.axhline(0, color=QUIET, linewidth=1)
    x = data.x
    if data.names:
        # Evenly, so that the same picture is drawn each time.
        turn = np.array([np.sum(x[:k] == x[k]) for k in range(len(x))])
        many = np.array([np.sum(x == each) for each in x])
        x = x + 0.5 * ((turn + 0.5) / many - 0.5)
        ax.set_xticks(range(len(data.names)), data.names)
        if sum(map(len, data.names)) > 30:
            ax.tick_params(axis="x", rotation=30)
    elif span_is_wide(x):
        log_axis(ax.xaxis, float(x.min()), float(x.max()))
    else:
        plain_axis(ax.xaxis)
    ax.plot(x, data.percent, "o", color=COLORS[0], markeredgecolor="white")
    plain_axis(ax.yaxis)
    dress(ax, data.x_label, data.y_label, data.title, title, legend)


def _column(fit: Fit | Ensemble, against: Any, runs: Any) -> tuple[np.ndarray, str]:
    """One value per fitted row, and its label."""
    n = len(fit.data)
    if not isinstance(against, str):
        values = np.asarray(against)
        if values.shape != (n,):
            raise ValueError(
                f"against must be an input, {PREDICTION!r}, a column of runs= or one value for each of "
                f"the {n} fitted rows, got {short(against)}"
            )
        return values, str(getattr(against, "name", None) or "")
    try:
        own = input_of(fit, against)
    except ValueError as error:
        if runs is None:
            raise ValueError(f"{error}; for another column give the table too, runs=...") from None
        table = tables.columns_of(runs)
        name = tables.find(table, against, "against")
        values = np.asarray(table[name])
        if len(values) != n:
            raise ValueError(
                f"runs has {len(values)} rows, but {n} were fitted; give the fitted table"
            ) from None
        return values, str(name)
    if own in fit.law.labels and fit.law.domain[own].labels:
        words = np.asarray(fit.law.domain[own].labels, object)
        return words[fit.data.x[own].astype(int)], label(fit, own)
    return fit.data.x[own], label(fit, own)
