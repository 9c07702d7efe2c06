"""Measured runs and the fitted law against one input, one line per level of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scalefit.arguments import check_level, number, one_positive
from scalefit.fits.extrapolation import shares_of
from scalefit.plot.axes import (
    COLORS,
    DIM,
    MARKERS,
    axes,
    caption,
    color_bar,
    dress,
    label,
    log_axis,
    plain_axis,
    ramp,
    short,
    span_is_wide,
    styled,
    text_size,
)
from scalefit.plot.checks import check_fit, input_of
from scalefit.words import short as given

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from scalefit.fits.ensemble import Ensemble
    from scalefit.fits.fit import Fit

__all__ = ["Curve", "Line", "curve", "data", "draw"]

# Up to so many levels each have a line and a place in the legend; of more, a few lines and a bar of colours.
MOST_LEVELS, LINES = 7, 5
# Those few levels stand at even shares of the runs, none at the very ends, which may be single runs.
INNER = (0.04, 0.96)
POINTS = 200
# How far the law is drawn past the smallest run, and past the largest unless told: of counts as factors,
# of other inputs (a loss, bits, sparsity) this share of what the runs span.
BEFORE, BEYOND, MARGIN = 1.3, 4.0, 0.05
# Values of an input that differ by less than this share are one level.
ALIKE = 0.02
# How far a band may reach beyond runs and lines, in shares of what these span.
ROOM = 0.25
# More rows than this on a line are drawn small.
DENSE = 60


class Line(NamedTuple):
    """The runs of one line, the law there and its band; `inside` marks what lies among them.

    runs_at: the runs' own values of the input that colours tell apart.
    """

    level: float | None
    name: str
    runs_x: np.ndarray
    runs_y: np.ndarray
    runs_at: np.ndarray
    x: np.ndarray
    y: np.ndarray
    lo: np.ndarray
    hi: np.ndarray
    inside: np.ndarray


class Curve(NamedTuple):
    """What `draw` needs: the lines, lowest level first, what colours mean, and the words.

    color: the input whose levels the lines are; continuous: whether every run has the colour of its own value
    (then runs lie between lines), in place of that of its line. ordered: whether levels are numbers.
    """

    lines: tuple[Line, ...]
    color: str | None
    continuous: bool
    ordered: bool
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
    hue: str | None = None,
    until: float | None = None,
    level: float | None = 0.9,
    model_error: bool = True,
    title: bool | str = True,
    legend: bool = True,
) -> Axes:
    """Measured runs and the fitted law with its band against one input.

    One line per level of another input, with the runs of that level on it; of more than seven levels five are
    drawn, and every run has the colour of its own value. Where the law has further inputs that differ from
    run to run, each line holds them at their median and runs are moved there along the law, as much above or
    below it as they were; the title says so. A share of a mixture varies with the other domains in
    proportion. The law is dashed and paler where no run was measured. A law of whole curves (schedules) is
    drawn through every measured curve, over its steps.

    Args:
        fit: a fit or an ensemble.
        x: the input on the horizontal axis, the first if not given; on a log axis where it is a count.
        color: the input by whose levels lines are told apart; labels first, then the first of the others,
            if not given.
        ax: matplotlib axes to draw on; new ones where left out.
        hue: another word for `color`.
        until: where the law ends, in x's unit; where left out four times the largest run for counts, just
            beyond the runs for inputs that are none, such as the loss of a link.
        level: of the band about each line; None for no band. Among the runs it is drawn as wide as midway
            between two of them; at a run itself `fit.predict` is surer.
        model_error: whether the band allows for the law's own error, as in `fit.predict`.
        title: False for none, or a text of one's own.
        legend: False for none.

    Returns:
        The axes.

    Raises:
        ValueError: for inputs the law does not have or that cannot be an axis, and a level that is none.
        TypeError: for what is no fit.
        ImportError: where matplotlib is missing.

    Example:
        >>> sf.plot.curve(fit, x="N", color="D").get_xlabel()
        'N (parameters)'
    """
    if color is not None and hue is not None:
        raise ValueError("color and hue are one thing; give one of them")
    found = data(fit, x, color or hue, until, level, model_error)
    return draw(found, axes(ax), title=title, legend=legend)


def data(
    fit: Fit | Ensemble,
    x: str | None = None,
    color: str | None = None,
    until: float | None = None,
    level: float | None = 0.9,
    model_error: bool = True,
) -> Curve:
    """The arrays of the plot."""
    check_fit(fit)
    level = None if level is None else check_level(level)
    if fit.law.whole:
        return _whole(fit, x, color)
    x, color = _chosen(fit, x, color)
    counted = fit.data.weight > 0
    rows = {name: values[counted] for name, values in fit.data.x.items()}
    y, own = fit.data.y[counted], fit.fitted()[counted]
    grid = _grid(fit, x, rows[x], until)
    words = (label(fit, x), label(fit, "y"), label(fit, color) if color else "")
    levels: Sequence[float | None] = [None]
    nearest, continuous = np.zeros(len(y), int), False
    if color is not None:
        levels, nearest, continuous = _levels(rows[color], color in fit.law.labels)
    lines, moved = [], False
    places: dict[str, list[float]] = {}
    for k, at in enumerate(levels):
        mine = nearest == k
        part = {name: values[mine] for name, values in rows.items()}
        at_level: dict[str, float] = {} if at is None or color is None else {color: at}
        held = _held(fit, part, x, at_level)
        # Runs keep the value that their colour tells.
        mark = {color: rows[color][mine]} if continuous and color else at_level
        there = np.asarray(fit.law(fit.coefs, _along(fit, held, {x: part[x], **mark})), float)
        shown = y[mine] * there / own[mine] if fit.log else y[mine] + there - own[mine]
        # Where nothing moves a run, it is drawn as measured, to the last digit.
        shown = np.where(np.abs(there - own[mine]) > 1e-12 * np.abs(own[mine]), shown, y[mine])
        far = np.abs(there - own[mine]) > 1e-3 * np.abs(own[mine])
        moved |= bool(np.any(far))
        places |= {
            n: [*places.get(n, []), v] for n, v in held.items() if n not in (x, color) and _differs(part[n])
        }
        lines.append(_line(fit, x, color, grid, part, shown, held, at, level, model_error))
    title = caption(fit)
    if level is not None and not any(np.any(np.isfinite(line.lo) & np.isfinite(line.hi)) for line in lines):
        title += f"\nno band: the {level:.0%} interval is open"
    if moved:
        title += f"\nruns moved along the law to {_places(fit, places) or 'the level of their line'}"
    ordered = color is None or color not in fit.law.labels
    return Curve(tuple(lines), color, continuous, ordered, *words, title)


@styled
def draw(data: Curve, ax: Axes, *, title: bool | str, legend: bool) -> None:
    """Points, the law solid among them and dashed beyond; a legend ordered as the lines, or a bar."""
    if data.continuous:
        values = np.concatenate([line.runs_at for line in data.lines])
        marks = tuple(line.level for line in data.lines if line.level is not None)
        paint = color_bar(ax, values, data.color_label, marks, legend)
        colors = [paint(line.level) for line in data.lines]
    elif len(data.lines) == 1:
        colors = [COLORS[0]]
    elif data.ordered or len(data.lines) > len(COLORS):
        colors = list(ramp(len(data.lines)))
    else:
        colors = list(COLORS[: len(data.lines)])
    order = sorted(range(len(data.lines)), key=lambda k: -data.lines[k].y[-1])
    for k in order:
        line, rgba = data.lines[k], colors[k]
        known = np.isfinite(line.lo) & np.isfinite(line.hi)
        for part, strength in ((line.inside, 0.17), (np.ones(len(line.x), bool), 0.07)):
            # The inner part reaches to where the dashes begin.
            seen = known & part
            ax.fill_between(line.x, line.lo, line.hi, where=seen, color=rgba, alpha=strength, linewidth=0)
        outside = np.where(line.inside & np.roll(line.inside, 1) & np.roll(line.inside, -1), np.nan, line.y)
        ax.plot(line.x, outside, "--", color=rgba, linewidth=1.0, alpha=DIM)
        ax.plot(line.x, np.where(line.inside, line.y, np.nan), "-", color=rgba)
    text = text_size(ax)
    for k in order:
        line = data.lines[k]
        many = len(line.runs_x) > DENSE
        # Shapes tell apart what colours cannot in print.
        shape = MARKERS[k % len(MARKERS)] if not data.ordered else "o"
        if data.continuous:
            ax.scatter(
                line.runs_x,
                line.runs_y,
                c=paint(line.runs_at),
                s=(0.4 * text) ** 2,
                zorder=3,
                edgecolor="white",
                linewidth=0.04 * text,
            )
        elif many:
            ax.plot(
                line.runs_x,
                line.runs_y,
                "o",
                color=colors[k],
                markersize=0.2 * text,
                alpha=0.35,
                markeredgewidth=0,
            )
            ax.plot([], [], color=colors[k], label=line.name)
        else:
            ax.plot(
                line.runs_x,
                line.runs_y,
                shape,
                color=colors[k],
                label=line.name,
                markeredgecolor="white",
                clip_on=False,
                zorder=3,
            )
    _scales(data, ax)
    shown = legend and data.color is not None and not data.continuous
    dress(ax, data.x_label, data.y_label, data.title, title, shown, data.color_label, beside=True)


def _chosen(fit: Fit | Ensemble, x: str | None, color: str | None) -> tuple[str, str | None]:
    """The inputs of the axis and of the colours."""
    shares = shares_of(fit.law)
    mixed = shares if len(shares) > 1 else []
    labels = fit.law.labels
    x = next(n for n in fit.law.inputs if n not in labels) if x is None else input_of(fit, x)
    if x in labels:
        raise ValueError(f"{x!r} is a label, which has no axis; colour by it, color={x!r}")
    color = None if color is None else input_of(fit, color)
    if color == x:
        raise ValueError(f"x and color are both {x!r}; give color another input, or leave it out")
    if x in mixed and color in mixed:
        raise ValueError(
            f"x and color are both shares of one mixture; colour by another input, or see "
            f"sf.plot.mixture (x={x!r}, color={color!r})"
        )
    others = [n for n in (*labels, *fit.law.inputs) if n != x and n not in mixed]
    return x, color or next(iter(others), None)


def _line(
    fit: Fit | Ensemble,
    x: str,
    color: str | None,
    grid: np.ndarray,
    rows: dict[str, np.ndarray],
    shown: np.ndarray,
    held: Mapping[str, float],
    at: float | None,
    level: float | None,
    model_error: bool,
) -> Line:
    """These rows, and the law along the axis with all else held."""
    places = _along(fit, held, {x: grid})
    middle = np.asarray(fit.law(fit.coefs, places), float)
    lo = hi = np.full(len(grid), np.nan)
    if level is not None:
        words = {
            name: np.asarray(fit.law.domain[name].labels, object)[values.astype(int)]
            if name in fit.law.labels
            else values
            for name, values in places.items()
        }
        band = fit.predict(words, level, model_error=model_error)
        lo, hi = (band[end].to_numpy() for end in ("lo", "hi"))
    inside = (grid >= rows[x].min()) & (grid <= rows[x].max())
    if level is not None and model_error:
        unit = middle if fit.log else 1.0
        lo, hi = (middle + unit * _between((limits - middle) / unit, inside) for limits in (lo, hi))
    known = color is not None and color in fit.law.labels and at is not None
    name = "" if at is None else short(at)
    if known and color is not None and at is not None:
        name = str(fit.law.domain[color].labels[int(at)])
    runs_at = rows[color] if color else np.full(len(shown), np.nan)
    return Line(at, name, rows[x], shown, runs_at, grid, middle, lo, hi, inside)


def _between(away: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """How far limits lie from the law, made as much among the runs as midway between two, and never less
    farther out.

    What the law may be off by is least at each run: a band that says so is a chain of beads, and the eye
    takes the law for known at the runs and unknown between them.
    """
    size = np.where(np.isfinite(away), np.abs(away), 0.0)
    rise = np.diff(size, prepend=0.0, append=0.0)
    # Of the places where it is most those on the least concave line above them.
    hull: list[int] = []
    for k in np.flatnonzero(inside & (rise[:-1] > 0) & (rise[1:] < 0)).tolist():
        while len(hull) > 1 and np.interp(hull[-1], (hull[-2], k), size[[hull[-2], k]]) >= size[hull[-1]]:
            hull.pop()
        hull.append(k)
    if hull:
        size = np.maximum(size, np.interp(np.arange(len(size)), hull, size[hull]))
    if inside.any():
        first, last = np.flatnonzero(inside)[[0, -1]]
        size[last:] = np.maximum.accumulate(size[last:])
        size[first::-1] = np.maximum.accumulate(size[first::-1])
    return np.sign(away) * np.where(np.isfinite(away), size, np.inf)


def _held(
    fit: Fit | Ensemble, rows: Mapping[str, np.ndarray], x: str, at: Mapping[str, float]
) -> dict[str, float]:
    """Where a line holds the inputs other than x: at its level, else at the median of its runs; shares of a
    mixture sum to one."""
    middle = {name: float(np.median(values)) for name, values in rows.items()}
    for name in fit.law.labels:
        found, often = np.unique(rows[name], return_counts=True)
        middle[name] = float(found[np.argmax(often)])
    mixed = shares_of(fit.law)
    if len(mixed) > 1:
        total = sum(float(np.mean(rows[name])) for name in mixed)
        middle |= {name: float(np.mean(rows[name])) / total for name in mixed}
    return {**middle, **at}


def _along(
    fit: Fit | Ensemble, held: Mapping[str, float], chosen: Mapping[str, np.ndarray | float]
) -> dict[str, np.ndarray]:
    """All inputs where some have these values and the rest is held; other shares of a mixture keep their
    proportions and fill up to one."""
    n = max(np.size(values) for values in chosen.values())
    out = {
        name: np.broadcast_to(np.asarray(chosen.get(name, held[name]), float), (n,))
        for name in fit.law.inputs
    }
    mixed = shares_of(fit.law)
    moved = [name for name in mixed if name in chosen]
    if len(mixed) > 1 and moved:
        (one,) = moved
        rest = (1 - out[one]) / max(1 - held[one], 1e-12)
        out |= {name: held[name] * rest for name in mixed if name != one}
    return out


def _places(fit: Fit | Ensemble, held: Mapping[str, list[float]]) -> str:
    """The values at which further inputs are held, in words."""
    mixed = shares_of(fit.law)
    texts = []
    for name, values in held.items():
        if name in fit.law.labels or (name in mixed and len(mixed) > 1):
            continue
        same = not _differs(np.array(values))
        column = fit.columns.get(name, name)
        texts.append(f"{column} = {short(values[0])}" if same else f"the median {column} of their line")
    if len(mixed) > 1 and any(name in held for name in mixed):
        texts.append("the mean mixture of the others")
    return ", ".join(texts)


def _differs(values: np.ndarray) -> bool:
    return bool(np.ptp(values) > 1e-6 * np.max(np.abs(values)))


def _count_like(fit: Fit | Ensemble, name: str) -> bool:
    """Whether an input may grow by factors, as counts do; a loss, bits or a share may not."""
    known = fit.law.domain.get(name)
    return known is None or known.scales or "(count)" in known.unit or "FLOP" in known.unit


def _grid(fit: Fit | Ensemble, x: str, values: np.ndarray, until: float | None) -> np.ndarray:
    lo, hi = float(values.min()), float(values.max())
    if until is not None:
        end = one_positive("until", until) if lo > 0 else number(until)
        if end is None or not end > lo:
            raise ValueError(f"until must lie beyond the smallest run's {x} = {lo:.6g}, got {given(until)}")
    if lo > 0 and _count_like(fit, x):
        return np.geomspace(lo / BEFORE, until or hi * BEYOND, POINTS)
    room = MARGIN * (hi - lo)
    allowed = fit.law.domain[x].allowed if x in fit.law.domain else "a number"
    least = {"positive": lo / 2, "not negative": 0.0, "a number": -np.inf}.get(allowed, 0.0)
    most = {"between 0 and 1": 1.0, "at least 0 and below 1": 1 - 1e-6}.get(allowed, np.inf)
    if allowed != "between 0 and 1" and span_is_wide(values):
        return np.geomspace(lo / BEFORE, until or min(hi * BEFORE, most), POINTS)
    return np.linspace(max(lo - room, least), until or min(hi + room, most), POINTS)


def _levels(values: np.ndarray, labels: bool) -> tuple[list[float], np.ndarray, bool]:
    """The levels of an input, or a few of many spread over them; which each row is nearest to; and whether
    rows lie between them."""
    distinct, inverse = np.unique(values, return_inverse=True)
    if labels:
        return distinct.tolist(), inverse, False
    to = np.log if distinct[0] > 0 else np.asarray
    size = 1.0 if distinct[0] > 0 else float(np.ptp(distinct)) or 1.0
    # Neighbours a few tenths of a percent apart are one level, as rounded token counts are.
    group = np.cumsum(np.append(0, np.diff(to(distinct)) > ALIKE * size))
    if group[-1] < MOST_LEVELS:
        levels = [float(np.median(values[group[inverse] == k])) for k in range(group[-1] + 1)]
        return levels, group[inverse], False
    few = np.unique(np.quantile(values, np.linspace(*INNER, LINES), method="nearest"))
    return few.tolist(), np.abs(to(values)[:, None] - to(few)).argmin(axis=1), True


def _whole(fit: Fit | Ensemble, x: str | None, color: str | None) -> Curve:
    """Every measured curve over its steps, with the law's curve under its own rates."""
    by = next(n for n in fit.law.inputs if n in fit.law.domain and fit.law.domain[n].allowed == "a curve")
    step = fit.law.inputs[0]
    x = step if x is None else input_of(fit, x)
    color = by if color is None else input_of(fit, color)
    if x != step or color != by:
        raise ValueError(
            f"law {fit.law.name!r} looks at whole curves, drawn over {step!r} and told apart by {by!r}; "
            "leave x and color out"
        )
    counted, fitted = fit.data.weight > 0, fit.fitted()
    codes = fit.data.x[by]
    names = fit.law.domain[by].labels
    lines = []
    for code in np.unique(codes[counted]):
        mine = codes == code
        own = mine & counted
        at, none = fit.data.x[step][mine], np.full(np.sum(mine), np.nan)
        own_names = np.unique(fit.data.group[mine]) if fit.data.group is not None else np.array([])
        name = (
            str(names[int(code)])
            if int(code) < len(names)
            else str(own_names[0])
            if len(own_names) == 1
            else f"curve {int(code) + 1}"
        )
        lines.append(
            Line(
                float(code),
                name,
                fit.data.x[step][own],
                fit.data.y[own],
                codes[own],
                at,
                fitted[mine],
                none,
                none,
                at >= fit.data.x[step][own].min(),
            )
        )
    words = (label(fit, step), label(fit, "y"), str(fit.columns.get(by, by)))
    # The curves' own names are known where they are groups of the fit.
    return Curve(tuple(lines), by if len(lines) > 1 else None, False, False, *words, caption(fit))


def _scales(data: Curve, ax: Axes) -> None:
    """Log axes where they serve, and limits that runs and lines set: a band that opens does not flatten
    them."""
    x = np.concatenate([line.x for line in data.lines])
    steps = np.diff(data.lines[0].x)
    if x.min() > 0 and steps[-1] > 1.5 * steps[0]:
        log_axis(ax.xaxis, x.min(), x.max())
    else:
        plain_axis(ax.xaxis)
    ax.set_xlim(x.min(), x.max())
    y = np.concatenate([part for line in data.lines for part in (line.y, line.runs_y)])
    ends = [end for line in data.lines for end in (line.lo, line.hi)]
    band = np.concatenate([*ends, y])
    y, band = y[np.isfinite(y)], band[np.isfinite(band)]
    wide = span_is_wide(y)
    to, back = (np.log, np.exp) if wide else (np.asarray, np.asarray)
    if wide:
        log_axis(ax.yaxis, y.min(), y.max())
        band = band[band > 0]
    else:
        plain_axis(ax.yaxis)
    lo, hi = to(y.min()), to(y.max())
    room = (hi - lo) or abs(hi) or 1.0
    below = max(to(band.min()), lo - ROOM * room) - 0.04 * room
    above = min(to(band.max()), hi + ROOM * room) + 0.04 * room
    ax.set_ylim(float(back(below)), float(back(above)))
