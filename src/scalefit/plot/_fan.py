"""A forecast beyond the runs, at several levels, with the runs that were held out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scalefit.arguments import check_choice, check_level, one_positive
from scalefit.fits.windows import size_of_runs
from scalefit.plot.axes import (
    COLORS,
    QUIET,
    axes,
    caption,
    dress,
    label,
    log_axis,
    named,
    plain_axis,
    span_is_wide,
    styled,
    text_size,
)
from scalefit.plot.checks import check_fit
from scalefit.runs import tables
from scalefit.words import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from scalefit.fits.ensemble import Ensemble
    from scalefit.fits.fit import Fit

__all__ = ["Fan", "data", "draw", "fan"]

POINTS = 120
LEVELS = (0.5, 0.8, 0.95)
# Without held-out runs the fan reaches this many times the largest run.
BEYOND = 10.0
ROOM = 0.6


class Fan(NamedTuple):
    """What `draw` needs: fitted runs, held-out ones, the forecast at each level, widest last, and the words.

    line: whether the forecast is a curve at places x, or single intervals at the held-out runs. lo, hi:
    (levels, places). inside: of a curve's places, those among the runs.
    """

    runs_x: np.ndarray
    runs_y: np.ndarray
    out_x: np.ndarray
    out_y: np.ndarray
    x: np.ndarray
    mean: np.ndarray
    lo: np.ndarray
    hi: np.ndarray
    inside: np.ndarray
    levels: tuple[float, ...]
    line: bool
    held: int
    x_label: str
    y_label: str
    title: str


def fan(
    fit: Fit | Ensemble,
    held_out: Any = None,
    ax: Axes | None = None,
    *,
    levels: Sequence[float] = LEVELS,
    until: float | None = None,
    kind: str = "run",
    model_error: bool = True,
    title: bool | str = True,
    legend: bool = True,
) -> Axes:
    """The forecast beyond the runs as a fan of intervals, with the larger runs that were held out.

    Laws of one input are drawn as a curve over it. Laws of more are shown by their intervals at the held-out
    runs, over what says how large a run is (6 N D for N and D). The title counts how many held-out runs the
    widest interval holds.

    Args:
        fit: a fit or an ensemble.
        held_out: a table of runs that were not fitted, columns as in the fitted table; where left out, rows
            of weight zero, if there are any.
        ax: matplotlib axes to draw on; new ones where left out.
        levels: of the intervals.
        until: where a curve ends; the largest held-out run, or ten times the largest run, where left out.
        kind: "run" for intervals of one new run, "mean" for the curve's, as in `fit.predict`.
        model_error: whether intervals allow for the law's own error, as there.
        title: False for none, or a text of one's own.
        legend: False for none.

    Returns:
        The axes.

    Raises:
        ValueError: for a law of several inputs without held-out runs, or one of whole curves or labels, a
            table without loss, and levels or a kind that are none.
        KeyError: for a table that lacks an input.
        TypeError: for what is no fit.
        ImportError: where matplotlib is missing.

    Example:
        >>> ahead = sf.extrapolate(runs, "chinchilla", by="flops")
        >>> larger = {"N": [2e10], "D": [4e11], "loss": [2.14]}
        >>> sf.plot.fan(ahead, larger).get_xlabel()
        '6 N D (FLOP)'
    """
    return draw(data(fit, held_out, levels, until, kind, model_error), axes(ax), title=title, legend=legend)


def data(
    fit: Fit | Ensemble,
    held_out: Any = None,
    levels: Sequence[float] = LEVELS,
    until: float | None = None,
    kind: str = "run",
    model_error: bool = True,
) -> Fan:
    """The arrays of the plot."""
    check_fit(fit)
    kind = check_choice(kind, "kind", ("mean", "run"))
    if not isinstance(levels, list | tuple | np.ndarray) or not len(levels):
        raise ValueError(f"levels must be a list of levels between 0 and 1, got {short(levels)}")
    known = tuple(sorted(check_level(level) for level in levels))
    if fit.law.whole or fit.law.labels:
        raise ValueError(
            f"law {fit.law.name!r} is one of curves or labels, and has no fan; see sf.plot.curve"
        )
    counted = fit.data.weight > 0
    x_out, y_out = _held_out(fit, held_out, counted)
    by, size = size_of_runs(fit.law, fit.data.x, dict(fit.columns))
    out_x = size_of_runs(fit.law, x_out, dict(fit.columns))[1] if len(y_out) else np.zeros(0)
    runs_x = size[counted]
    line = len(fit.law.inputs) == 1
    if line:
        (name,) = fit.law.inputs
        runs_x, out_x = fit.data.x[name][counted], x_out[name]
        largest = float(np.max(np.append(runs_x, out_x))) * (1.2 if len(out_x) else BEYOND)
        end = largest if until is None else one_positive("until", until)
        if not 0 < runs_x.min() < end:
            raise ValueError(
                f"until must lie beyond the smallest run's {name} = {runs_x.min():.6g}, got {end:.6g}"
            )
        places = {name: np.geomspace(runs_x.min(), end, POINTS)}
        x = places[name]
    else:
        if not len(out_x):
            raise ValueError(
                f"law {fit.law.name!r} has {len(fit.law.inputs)} inputs, and its fan is drawn at held-out "
                "runs; give them, held_out=..., or see sf.plot.curve"
            )
        order = np.argsort(out_x)
        x_out, y_out, out_x = {n: v[order] for n, v in x_out.items()}, y_out[order], out_x[order]
        places, x = x_out, out_x
    bands = [fit.predict(places, level, kind, model_error) for level in known]
    inside = x <= runs_x.max()
    held = 0
    if len(y_out):
        widest = fit.predict(x_out, known[-1], kind, model_error)
        held = int(np.sum((widest["lo"].to_numpy() <= y_out) & (y_out <= widest["hi"].to_numpy())))
    title = caption(fit) if hasattr(fit, "u") else f"{len(fit.members)} laws by weight"
    if len(y_out):
        runs = "run" if len(y_out) == 1 else "runs"
        title += f"\n{held} of {len(y_out)} held-out {runs} inside {known[-1]:.0%} intervals"
    return Fan(
        runs_x,
        fit.data.y[counted],
        out_x,
        y_out,
        x,
        bands[0]["mean"].to_numpy(float),
        np.array([band["lo"].to_numpy(float) for band in bands]),
        np.array([band["hi"].to_numpy(float) for band in bands]),
        inside,
        known,
        line,
        held,
        label(fit, fit.law.inputs[0]) if line else _size_label(by),
        label(fit, "y"),
        title,
    )


@styled
def draw(data: Fan, ax: Axes, *, title: bool | str, legend: bool) -> None:
    """Nested bands about the law, or nested bars at single runs; fitted runs filled, held-out ones open."""
    text = text_size(ax)
    for k in reversed(range(len(data.levels))):
        strength = 0.42 - 0.28 * k / max(len(data.levels) - 1, 1)
        name = f"{100 * data.levels[k]:g} %"
        if data.line:
            ax.fill_between(
                data.x, data.lo[k], data.hi[k], color=COLORS[0], alpha=strength, linewidth=0, label=name
            )
        else:
            ax.vlines(
                data.x,
                data.lo[k],
                data.hi[k],
                color=COLORS[0],
                alpha=strength,
                linewidth=0.6 * text,
                label=name,
            )
    if data.line:
        ax.plot(data.x, data.mean, "--", color=COLORS[0])
        ax.plot(data.x, np.where(data.inside, data.mean, np.nan), color=COLORS[0], label="the law")
    else:
        ax.plot(
            data.x,
            data.mean,
            "_",
            color=COLORS[0],
            markersize=0.9 * text,
            markeredgewidth=0.12 * text,
            label="the law",
        )
    ax.plot(data.runs_x, data.runs_y, "o", color=QUIET, markeredgecolor="white", label="fitted runs")
    if len(data.out_x):
        ax.plot(
            data.out_x,
            data.out_y,
            "o",
            color="white",
            markeredgecolor=COLORS[1],
            markeredgewidth=0.14 * text,
            label="held out",
            zorder=4,
        )
    x = np.concatenate([data.runs_x, data.x])
    log_axis(ax.xaxis, float(x.min()), float(x.max())) if x.min() > 0 else plain_axis(ax.xaxis)
    y = np.concatenate([data.runs_y, data.out_y, data.mean])
    ends = np.concatenate([data.lo.ravel(), data.hi.ravel()])
    ends = ends[np.isfinite(ends)]
    room = np.ptp(y) or 1.0
    # An interval that opens does not flatten what is to be seen.
    lo = max(float(np.min(np.append(ends, y))), float(y.min() - ROOM * room)) - 0.04 * room
    hi = min(float(np.max(np.append(ends, y))), float(y.max() + ROOM * room)) + 0.04 * room
    if span_is_wide(y) and lo > 0:
        log_axis(ax.yaxis, float(y.min()), float(y.max()))
    else:
        plain_axis(ax.yaxis)
        ax.set_ylim(lo, hi)
    dress(ax, data.x_label, data.y_label, data.title, title, legend)


def _held_out(
    fit: Fit | Ensemble, runs: Any, counted: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Inputs and output of the runs that were not fitted."""
    if runs is None:
        return {name: fit.data.x[name][~counted] for name in fit.law.inputs}, fit.data.y[~counted]
    table = tables.columns_of(runs)
    first = next(iter(fit.members.values()))[0]
    x = {name: np.atleast_1d(np.asarray(v, float)) for name, v in first.inputs_of(table).items()}
    y = fit.columns.get("y", fit.law.predicts)
    own = tables.find(table, y if y in table else fit.law.predicts, "y")
    measured = tables.numbers(table[own], f"column {own!r} (y)", "a number")
    for name, values in x.items():
        tables.same_length(f"held_out: column {name!r}", len(values), len(measured), f"column {own!r}")
    return x, measured


def _size_label(by: str) -> str:
    return "6 N D (FLOP)" if by.replace(" ", "") in ("6ND", "N*D") else named(by, {}, by)
