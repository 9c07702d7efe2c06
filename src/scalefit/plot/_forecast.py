"""A running loss curve, where it will end, and its schedule below."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scalefit.curves.forecast import Forecast
from scalefit.plot.axes import (
    COLORS,
    QUIET,
    axes,
    below,
    dress,
    plain_axis,
    styled,
    text_size,
)
from scalefit.plot.checks import check_kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Ahead", "data", "draw", "forecast"]

# More losses than this are drawn as a line.
DENSE = 150
# How much above the last loss used the picture reaches, in falls since the first one used.
ROOM = 1.0


class Ahead(NamedTuple):
    """What `draw` needs: losses seen (used: what the forecast rests on), the curve ahead with its interval,
    the rates of all steps where known, and the words."""

    step: np.ndarray
    loss: np.ndarray
    used: np.ndarray
    x: np.ndarray
    middle: np.ndarray
    lo: np.ndarray
    hi: np.ndarray
    now: int
    steps: int
    rates: np.ndarray | None
    band: str
    title: str


def forecast(
    found: Forecast, ax: Axes | None = None, *, title: bool | str = True, legend: bool = True
) -> Axes:
    """The losses of a run so far, the curve to its end with the interval, and the learning rate below.

    Losses of the warm-up and the first transient, which the forecast does not use, are grey; the picture
    starts where they come near the others.

    Args:
        found: what `sf.forecast` returned.
        ax: matplotlib axes to draw on, which keep room for the rates below; new ones where left out.
        title: False for none, or a text of one's own.
        legend: False for none.

    Returns:
        The axes of the losses.

    Raises:
        TypeError: for what `sf.forecast` did not return.
        ValueError: where no loss has been seen.
        ImportError: where matplotlib is missing.

    Example:
        >>> cosine = sf.schedule.cosine(6000, 3e-4, 3e-5, warmup=200)
        >>> told = sf.forecast({"step": curves["step"][:30], "loss": curves["loss"][:30]}, cosine)
        >>> [part.get_ylabel() for part in sf.plot.forecast(told).figure.axes]
        ['loss', 'rate']
    """
    return draw(data(found), axes(ax), title=title, legend=legend)


def data(found: Forecast) -> Ahead:
    """The arrays of the plot."""
    check_kind(found, Forecast, "sf.forecast(...)")
    if not len(found.past.get("step", ())):
        raise ValueError("this forecast has seen no losses, so there is nothing to draw")
    ahead = found.ahead
    x, middle, lo, hi = (ahead[name].to_numpy(float) for name in ("step", "loss", "lo", "hi"))
    if np.isnan(found.loss):
        title = "diverged" if found.diverged else "no forecast yet"
    else:
        title = f"ends at {found.loss:.4g} ({found.level:.0%}: {found.lo:.4g} to {found.hi:.4g})"
    codes = [caution.code for caution in (*found.alarms, *found.warnings)]
    title = f"{found.law}: {title}" + (f"\n{', '.join(dict.fromkeys(codes))}" if codes else "")
    return Ahead(
        found.past["step"],
        found.past["loss"],
        found.past["used"],
        x,
        middle,
        lo,
        hi,
        found.step,
        found.steps,
        found.rates,
        f"{found.level:.0%} of {'single losses' if found.kind == 'run' else 'the curve'}",
        title,
    )


@styled
def draw(data: Ahead, ax: Axes, *, title: bool | str, legend: bool) -> None:
    """Losses above, rates below on the same steps; where the run stands is a thin line through both."""
    text = text_size(ax)
    mark = "." if len(data.step) > DENSE else "o"
    for part, color, name in ((~data.used, "0.7", "not used"), (data.used, COLORS[0], "losses")):
        if np.any(part):
            ax.plot(
                data.step[part],
                data.loss[part],
                mark,
                color=color,
                label=name,
                markeredgewidth=0,
                markersize=(0.25 if mark == "." else 0.4) * text,
            )
    ax.fill_between(data.x, data.lo, data.hi, color=COLORS[1], alpha=0.2, linewidth=0, label=data.band)
    ax.plot(data.x, data.middle, "--", color=COLORS[1], label="forecast")
    if len(data.x):
        ax.errorbar(
            [data.x[-1]],
            [data.middle[-1]],
            [[data.middle[-1] - data.lo[-1]], [data.hi[-1] - data.middle[-1]]],
            fmt="o",
            color=COLORS[1],
            capsize=0.3 * text,
            clip_on=False,
            zorder=5,
        )
    kept = data.loss[data.used] if np.any(data.used) else data.loss
    ends = np.concatenate([kept, data.lo, data.hi])
    ends = ends[np.isfinite(ends) & (ends > 0)]
    lo, hi = float(ends.min()), float(ends.max())
    room = (hi - lo) or 1.0
    # Of the first transient only what is near is shown; where it is, its line leaves the picture.
    ax.set_ylim(lo - 0.06 * room, hi + 0.35 * room)
    plain_axis(ax.yaxis)
    plain_axis(ax.xaxis)
    ax.set_xlim(0, 1.01 * data.steps)
    ax.axvline(data.now, color=QUIET, linewidth=0.08 * text, linestyle=":")
    rates = data.rates
    dress(ax, "step" if rates is None else "", "loss", data.title, title, legend)
    if rates is None:
        return
    strip = below(ax, 0.24)
    every = np.arange(1, len(rates) + 1)
    strip.plot(every, np.where(every <= data.now, rates, np.nan), color=COLORS[2])
    strip.plot(every, np.where(every > data.now, rates, np.nan), "--", color=COLORS[2])
    strip.axvline(data.now, color=QUIET, linewidth=0.08 * text, linestyle=":")
    plain_axis(strip.yaxis)
    strip.locator_params(axis="y", nbins=2)
    strip.set_ylim(bottom=0)
    strip.ticklabel_format(axis="y", scilimits=(-3, 4), useMathText=True)
    dress(strip, "step", "rate", "", False, False)
