"""The best mixture: bars of shares with their intervals, or the loss over a triangle of three domains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scalefit.arguments import by_name, check_level
from scalefit.decisions.mixture import optimal_mixture
from scalefit.fits.extrapolation import shares_of
from scalefit.plot.axes import (
    COLORS,
    axes,
    caption,
    color_bar,
    dress,
    percent,
    short,
    styled,
    text_size,
)
from scalefit.plot.checks import check_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from scalefit.fits.fit import Fit
    from scalefit.frames import Frame

__all__ = ["Bars", "Triangle", "data", "draw", "mixture"]

STEPS = 60
# The share of the triangle up to whose loss colours change.
HIGHEST = 0.85
# Corners of the triangle, in the order of the domains.
CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(3) / 2]])
# A mixture's columns that are no domain.
OTHERS = ("loss", "distance", "caution")


class Bars(NamedTuple):
    """Shares (mixtures, domains) with their intervals, NaN where there are none, and the words."""

    domains: tuple[str, ...]
    shares: np.ndarray
    lo: np.ndarray
    hi: np.ndarray
    names: tuple[str, ...]
    title: str


class Triangle(NamedTuple):
    """The loss over all mixtures of three domains, the runs, and the best mixture.

    shares (places, 3) and loss (places,) at a lattice; runs (n, 3) and their losses; best (3,).
    """

    domains: tuple[str, ...]
    shares: np.ndarray
    loss: np.ndarray
    runs: np.ndarray
    runs_loss: np.ndarray
    best: np.ndarray
    best_loss: float
    loss_label: str
    title: str


def mixture(
    found: Frame | Fit,
    ax: Axes | None = None,
    *,
    at: Mapping[str, float] | None = None,
    level: float | None = 0.9,
    key: int = 0,
    title: bool | str = True,
    legend: bool = True,
) -> Axes:
    """The best mixture as bars with intervals, or the loss over the triangle of three domains.

    Args:
        found: what `sf.optimal_mixture` returned, for bars, one colour per row; or a fit of a law of shares,
            whose best mixture is looked for: of three domains a triangle with the runs as points, bars
            otherwise.
        ax: matplotlib axes to draw on; new ones where left out.
        at: of a fit, values of the law's other inputs; the largest run's where left out.
        level: of a fit's intervals; None for none.
        key: seed of a fit's draws.
        title: False for none, or a text of one's own.
        legend: False for no legend and no bar of colours.

    Returns:
        The axes.

    Raises:
        ValueError: for a fit of a law without shares, and as `sf.optimal_mixture` does.
        TypeError: for what is neither.
        ImportError: where matplotlib is missing.

    Example:
        >>> linear = {"w_1": 3.0, "w_2": 2.0, "w_3": 2.5}
        >>> best = sf.optimal_mixture(sf.laws.regmix_linear, coefs=linear, limits={"h_2": (0.0, 0.4)})
        >>> [tick.get_text() for tick in sf.plot.mixture(best).get_yticklabels()]
        ['h_1', 'h_2', 'h_3']
    """
    return draw(data(found, at, level, key), axes(ax), title=title, legend=legend)


def data(
    found: Any, at: Mapping[str, float] | None = None, level: float | None = 0.9, key: int = 0
) -> Bars | Triangle:
    """The arrays of the plot."""
    if hasattr(found, "law") and hasattr(found, "coefs"):
        return _of_fit(found, at, None if level is None else check_level(level), key)
    if at is not None:
        raise ValueError("at= is for a fit; a table of mixtures has its scales in its rows")
    check_frame(found, ("loss", "caution"), "sf.optimal_mixture(...), or a fit of a law of shares,")
    return _bars(found, f"loss {', '.join(f'{v:.4g}' for v in found['loss'])}")


@styled
def draw(data: Bars | Triangle, ax: Axes, *, title: bool | str, legend: bool) -> None:
    """Bars, or contours in a triangle."""
    if isinstance(data, Triangle):
        _draw_triangle(data, ax, title, legend)
    else:
        _draw_bars(data, ax, title, legend)


def _of_fit(fit: Any, at: Mapping[str, float] | None, level: float | None, key: int) -> Bars | Triangle:
    names = shares_of(fit.law)
    if len(names) < 2:
        raise ValueError(
            f"law {fit.law.name!r} has no shares of a mixture among its inputs, which are "
            f"{', '.join(fit.law.inputs)}; see sf.plot.curve"
        )
    counted = fit.data.weight > 0
    rows = {name: values[counted] for name, values in fit.data.x.items()}
    others = [name for name in fit.law.inputs if name not in names]
    held = {name: float(rows[name].max()) for name in others} | dict(by_name("at", at))
    best = optimal_mixture(fit, at=held, level=level, key=key)
    if not np.all(np.isfinite(best["loss"])):
        raise ValueError(
            f"the best mixture under this fit of {fit.law.name!r} has no finite loss; see fit.summary(), "
            'and hold a coefficient that the runs leave open, such as k of "ye_mixing": law.fix(k=1)'
        )
    note = ", ".join(f"{fit.columns.get(name, name)} = {short(value)}" for name, value in held.items())
    title = caption(fit) + (f"\nruns moved along the law to {note}" if note else "")
    domains = tuple(str(fit.columns.get(name, name)) for name in names)
    if len(names) != 3:
        return _bars(best, f"{title}\nbest: loss {best['loss'].iloc[0]:.4g}")
    lattice = (
        np.array([(i, j, STEPS - i - j) for i in range(STEPS + 1) for j in range(STEPS + 1 - i)]) / STEPS
    )
    x = {name: np.full(len(lattice), value) for name, value in held.items()}
    x |= dict(zip(names, lattice.T, strict=True))
    with np.errstate(all="ignore"):
        loss = np.asarray(fit.law(fit.coefs, x), float)
    shares = np.stack([rows[name] for name in names], axis=1)
    # Runs of other sizes are as far above or below the law here as they were there.
    with np.errstate(all="ignore"):
        here = {**rows, **{name: np.full(len(shares), value) for name, value in held.items()}}
        there, own = np.asarray(fit.law(fit.coefs, here), float), fit.fitted()[counted]
    y_here = fit.data.y[counted] * there / own if fit.log else fit.data.y[counted] + there - own
    y = str(fit.columns.get("y", fit.law.predicts))
    line = best.iloc[0]
    told = ", ".join(f"{100 * float(line[d]):.0f} % {d}" for d in domains)
    return Triangle(
        domains,
        lattice,
        loss,
        shares / shares.sum(axis=1, keepdims=True),
        y_here,
        np.array([float(line[domain]) for domain in domains]),
        float(line["loss"]),
        y,
        f"{title}\nbest: {told}",
    )


def _bars(table: Frame, title: str) -> Bars:
    names = list(table.columns)
    first = names.index("loss")
    domains = [
        name
        for name in names[first + 1 :]
        if name not in OTHERS and not (name.endswith(("_lo", "_hi")) and name[:-3] in names)
    ]
    lo, hi = (
        table[[f"{d}_{end}" for d in domains]].to_numpy(float)
        if f"{domains[0]}_{end}" in names
        else np.full((len(table), len(domains)), np.nan)
        for end in ("lo", "hi")
    )
    scales = names[:first]
    words = [
        ", ".join(f"{name} = {short(float(row[name]))}" for name in scales) for _, row in table.iterrows()
    ]
    return Bars(tuple(domains), table[domains].to_numpy(float), lo, hi, tuple(words), title)


def _draw_bars(data: Bars, ax: Axes, title: bool | str, legend: bool) -> None:
    text, n = text_size(ax), len(data.shares)
    places = np.arange(len(data.domains))
    thick = 0.8 / n
    for k, (shares, lo, hi, name) in enumerate(zip(data.shares, data.lo, data.hi, data.names, strict=True)):
        at = places + (k - (n - 1) / 2) * thick
        ax.barh(at, shares, 0.9 * thick, color=COLORS[k % len(COLORS)], alpha=0.85, label=name or None)
        known = np.isfinite(lo) & np.isfinite(hi)
        ax.hlines(at[known], lo[known], hi[known], color="black", linewidth=0.14 * text)
        for place, share, end in zip(
            at, shares, np.where(known, np.maximum(hi, shares), shares), strict=True
        ):
            ax.text(end + 0.01, place, f"{100 * share:.0f} %", va="center", fontsize=0.8 * text)
    ax.set_xlim(0, min(1.12, 1.15 * float(np.nanmax(np.append(data.hi, data.shares))) + 0.06))
    percent(ax.xaxis)
    dress(ax, "share of the training data", "", data.title, title, legend and any(data.names), beside=n > 3)
    ax.set_yticks(places, data.domains)
    ax.invert_yaxis()
    ax.tick_params(axis="y", length=0)
    ax.grid(False, axis="y")


def _draw_triangle(data: Triangle, ax: Axes, title: bool | str, legend: bool) -> None:
    text = text_size(ax)
    x, y = (data.shares @ CORNERS).T
    finite = np.isfinite(data.loss)
    # The highest losses are those of single domains: even shares of the triangle, not of the loss.
    levels = np.unique(np.quantile(data.loss[finite], np.linspace(0, 1, 9)))
    # Colours end below the corners, whose losses would leave all others one colour.
    scale = np.minimum(data.loss[finite], np.quantile(data.loss[finite], HIGHEST))
    paint = color_bar(ax, scale, data.loss_label, shown=legend)
    ax.tricontour(
        x[finite],
        y[finite],
        data.loss[finite],
        levels,
        colors=[paint(level) for level in levels],
        linewidths=0.12 * text,
    )
    outline = np.append(CORNERS, CORNERS[:1], axis=0)
    ax.plot(*outline.T, color="black", linewidth=0.1 * text)
    runs_x, runs_y = (data.runs @ CORNERS).T
    ax.scatter(
        runs_x,
        runs_y,
        (0.5 * text) ** 2,
        paint(data.runs_loss),
        edgecolor="white",
        linewidth=0.05 * text,
        zorder=3,
    )
    ax.plot(
        *(data.best @ CORNERS),
        "*",
        color=COLORS[1],
        markeredgecolor="black",
        markersize=1.4 * text,
        label=f"best: {data.best_loss:.4g}",
        zorder=5,
    )
    for corner, domain, place in zip(
        CORNERS, data.domains, (("left", "top"), ("right", "top"), ("center", "bottom")), strict=True
    ):
        shift = -0.03 if place[1] == "top" else 0.03
        ax.text(corner[0], corner[1] + shift, domain, ha=place[0], va=place[1], fontsize=0.9 * text)
    ax.set_aspect("equal")
    dress(ax, "", "", data.title, title, legend)
    ax.set_axis_off()
    ax.set_xlim(-0.05, 1.05)
    ax.set_ylim(-0.12, 0.98)
