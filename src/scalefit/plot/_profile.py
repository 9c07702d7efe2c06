"""The objective as one coefficient is held at value after value, and the interval that follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scalefit.plot.axes import (
    COLORS,
    QUIET,
    axes,
    caption,
    dress,
    log_axis,
    plain_axis,
    short,
    span_is_wide,
    styled,
)
from scalefit.plot.checks import check_kind
from scalefit.uncertainty.profile import Profile as Held

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Profile", "data", "draw", "profile"]

# How much of a rising profile is shown, in allowed rises.
TOP = 3.0


class Profile(NamedTuple):
    """What `draw` needs: the rise at every value, the one allowed, the interval, the fit, and the words."""

    values: np.ndarray
    rise: np.ndarray
    allowed: float
    interval: tuple[float, float]
    value: float
    allowed_label: str
    interval_label: str
    x_label: str
    y_label: str
    title: str
    log: bool


def profile(held: Held, ax: Axes | None = None, *, title: bool | str = True, legend: bool = True) -> Axes:
    """What `sf.profile` found: the rise of the objective over the coefficient, and where it stays below the
    allowed one.

    A parabola says that the first-order interval will do; a line that stays low to the edge, that the runs do
    not tell the coefficient from the value there.

    Args:
        held: what `sf.profile` returned.
        ax: the axes to draw on, new ones unless given.
        title: False for none, or a text of one's own.
        legend: False for none.

    Returns:
        The axes.

    Raises:
        TypeError: for what `sf.profile` did not return.
        ImportError: where matplotlib is missing.

    Example:
        >>> sf.plot.profile(sf.profile(fit, "alpha")).get_ylabel()
        'rise of the objective'
    """
    return draw(data(held), axes(ax), title=title, legend=legend)


def data(held: Held) -> Profile:
    """The arrays of the plot, cut where the line is far above the allowed rise."""
    check_kind(held, Held, "sf.profile(fit, ...)")
    coef = held.fit.law.coefs[held.fit.law.names.index(held.name)]
    rise = held.objective - held.fit.value
    first, last = 0, len(rise) - 1
    centre = int(np.argmin(rise))
    above = np.flatnonzero(rise > TOP * held.rise)
    first = max([first, *above[above < centre][-1:]])
    last = min([last, *above[above > centre][:1]])
    level = f"{held.level:.3%}".rstrip("0%").rstrip(".") + " %"
    words = (
        f"allowed at {level}",
        f"{level} interval: {_between(held.lo, held.hi)}",
        f"{held.name}: {coef.meaning}" if coef.meaning else held.name,
        "rise of the objective",
        caption(held.fit),
    )
    # An interval that reaches the support's end is one in natural units:
    # a log axis has no place for that end.
    log = span_is_wide(held.values[first : last + 1]) and held.lo > coef.support.lo
    return Profile(
        held.values[first : last + 1],
        rise[first : last + 1],
        held.rise,
        (held.lo, held.hi),
        held.fit.coefs[held.name],
        *words,
        log,
    )


@styled
def draw(data: Profile, ax: Axes, *, title: bool | str, legend: bool) -> None:
    """The rise as a line, its limit as a horizontal one, the interval shaded, the fit as a point at zero."""
    lo, hi = (float(np.clip(end, data.values[0], data.values[-1])) for end in data.interval)
    ax.axvspan(lo, hi, color=COLORS[0], alpha=0.15, linewidth=0, label=data.interval_label)
    ax.axhline(data.allowed, color=QUIET, linewidth=1, linestyle="--", label=data.allowed_label)
    ax.plot(data.values, data.rise, color=COLORS[0])
    # A coefficient that has shrunk to nothing lies off a log axis: an arrow at its edge points there.
    place = float(np.clip(data.value, data.values[0], data.values[-1]))
    mark = "o" if place == data.value else "<" if place > data.value else ">"
    ax.plot(
        [place],
        [0.0],
        mark,
        clip_on=False,
        color=COLORS[0],
        markeredgecolor="white",
        label=f"the fit: {short(data.value)}",
    )
    if data.log:
        log_axis(ax.xaxis, float(data.values[0]), float(data.values[-1]))
    else:
        plain_axis(ax.xaxis)
    ax.set_xlim(data.values[0], data.values[-1])
    top = TOP * data.allowed
    ax.set_ylim(min(-0.06 * top, 1.2 * float(data.rise.min())), top)
    ax.ticklabel_format(axis="y", scilimits=(-3, 4), useMathText=True)
    dress(ax, data.x_label, data.y_label, data.title, title, legend)


def _between(lo: float, hi: float) -> str:
    if np.isfinite(lo) and np.isfinite(hi):
        return f"{short(lo)} to {short(hi)}"
    if np.isfinite(hi):
        return f"up to {short(hi)}"
    return f"from {short(lo)} up" if np.isfinite(lo) else "any value"
