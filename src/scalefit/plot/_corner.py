"""Draws of the coefficients, each by itself and in pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scalefit.arguments import check_level, texts
from scalefit.fits.fit import Fit
from scalefit.fits.record import natural
from scalefit.plot.axes import COLORS, axes, caption, plain_axis, span_is_wide, styled, text_size
from scalefit.plot.checks import check_kind
from scalefit.words import plain, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Corner", "corner", "data", "draw"]

SIZE = (7.0, 7.0)
BINS = 30
# Draws beyond these shares of a coefficient's are outside its panel, or a single one sets the scale.
SHOWN = (0.01, 0.99)


class Corner(NamedTuple):
    """What `draw` needs: the draws (n, k), the estimate and interval of each, and the words.

    log: whether the coefficient spans decades, and is shown by its log10.
    """

    draws: np.ndarray
    estimate: np.ndarray
    interval: np.ndarray
    log: tuple[bool, ...]
    names: tuple[str, ...]
    title: str


def corner(
    fit: Fit,
    coefs: Sequence[str] | None = None,
    ax: Axes | None = None,
    *,
    level: float = 0.9,
    title: bool | str = True,
) -> Axes:
    """The draws of a bootstrap or a posterior: a histogram of every coefficient, a cloud of every pair.

    Slanted clouds are coefficients that the runs do not tell apart. Lines are the fit, shades the interval.
    A coefficient whose draws span decades is shown by its log10; draws among the outermost percent on either
    side lie outside the panels.

    Args:
        fit: a fit with draws, as `sf.bootstrap` and `sf.posterior` return it.
        coefs: the names of some coefficients; all unless given.
        ax: matplotlib axes whose place the panels take; new ones where left out.
        level: of the shaded intervals.
        title: False for none, or a text of one's own.

    Returns:
        The axes, within which the panels are insets.

    Raises:
        ValueError: for a fit without draws, names that are no coefficients, and a level that is none.
        TypeError: for what is no fit.
        ImportError: where matplotlib is missing.

    Example:
        >>> len(sf.plot.corner(sf.bootstrap(fit, 50), ["alpha", "beta"]).child_axes)
        3
    """
    return draw(data(fit, coefs, level), axes(ax, SIZE), title=title)


def data(fit: Fit, coefs: Sequence[str] | None = None, level: float = 0.9) -> Corner:
    """The arrays of the plot."""
    check_kind(fit, Fit, "sf.bootstrap(fit) or sf.posterior(fit)")
    level = check_level(level)
    if fit.resampled is None:
        raise ValueError("this fit has no draws; make some with sf.bootstrap(fit), or sf.posterior(fit)")
    names = fit.law.names if coefs is None else texts(coefs, "coefs")
    for name in names:
        if name not in fit.law.names:
            raise ValueError(
                f"{fit.law.name!r} has no coefficient {short(name)}; it has {', '.join(fit.law.names)}"
            )
    if not names:
        raise ValueError(f"give the names of some coefficients; there are {', '.join(fit.law.names)}")
    drawn = natural(fit.law, fit.resampled.u)
    table = np.stack([drawn[name] for name in names], axis=1)
    log = tuple(span_is_wide(np.quantile(column, SHOWN)) for column in table.T)
    ends = np.array([fit.interval(name, level) for name in names])
    estimate = np.array([fit.coefs[name] for name in names])
    for k in np.flatnonzero(log):
        with np.errstate(divide="ignore"):
            table[:, k], ends[k], estimate[k] = (
                np.log10(table[:, k]),
                np.log10(ends[k]),
                np.log10(estimate[k]),
            )
    shown = tuple(f"log10 {name}" if wide else name for name, wide in zip(names, log, strict=True))
    return Corner(
        table, estimate, ends, log, shown, f"{caption(fit)}\n{len(table)} draws, {level:.0%} intervals"
    )


@styled
def draw(data: Corner, ax: Axes, *, title: bool | str, legend: bool) -> None:
    """Panels as insets: histograms on the diagonal, clouds below it."""
    text, k = text_size(ax), len(data.names)
    # Panels of one coefficient of many are small, and so is what is written there.
    text = max(5.0, text * (1.0 if k <= 3 else 0.8))
    ax.set_axis_off()
    head = data.title if title is True else title
    if head:
        ax.text(1.0, 1.0, head, transform=ax.transAxes, ha="right", va="top", fontsize=text)
    gap, side = 0.012, 1.0 / k
    figure = ax.get_figure(root=True)
    assert figure is not None
    tall = ax.get_position(original=True).height * figure.get_figheight()
    limits = [_limits(data, i) for i in range(k)]
    for i in range(k):
        for j in range(i + 1):
            panel = ax.inset_axes((j * side + gap, 1 - (i + 1) * side + gap, side - 2 * gap, side - 2 * gap))
            panel.set_xlim(limits[j])
            lo, hi = data.interval[j]
            panel.axvspan(
                max(lo, limits[j][0]), min(hi, limits[j][1]), color=COLORS[0], alpha=0.12, linewidth=0
            )
            panel.axvline(data.estimate[j], color=COLORS[1], linewidth=0.1 * text)
            if i == j:
                panel.hist(data.draws[:, j], bins=BINS, range=limits[j], color=COLORS[0], alpha=0.75)
                panel.set_yticks([])
                panel.spines[["left", "top", "right"]].set_visible(False)
                panel.set_title(_told(data, j), fontsize=0.85 * text, pad=2) if k <= 3 else None
            else:
                panel.set_ylim(limits[i])
                panel.axhline(data.estimate[i], color=COLORS[1], linewidth=0.1 * text)
                panel.plot(
                    data.draws[:, j],
                    data.draws[:, i],
                    ".",
                    color=COLORS[0],
                    markersize=0.22 * text,
                    alpha=float(np.clip(150 / len(data.draws), 0.12, 0.8)),
                    markeredgewidth=0,
                )
                plain_axis(panel.yaxis)
                panel.spines[["top", "right"]].set_visible(False)
            plain_axis(panel.xaxis)
            panel.locator_params(axis="x", nbins=3)
            if i != j:
                panel.locator_params(axis="y", nbins=3)
            panel.tick_params(
                labelsize=0.8 * text, length=0.25 * text, labelbottom=i == k - 1, labelleft=i != j and j == 0
            )
            panel.tick_params(axis="x", rotation=45 if k > 3 else 0)
            if i == k - 1:
                panel.set_xlabel(data.names[j], fontsize=text)
                # All on one line, however long the numbers above them.
                panel.xaxis.set_label_coords(0.5, -(4.2 if k > 3 else 2.2) * text / 72 / (tall * side))
            if j == 0 and i > 0:
                panel.set_ylabel(data.names[i], fontsize=text)


def _limits(data: Corner, k: int) -> tuple[float, float]:
    column = data.draws[:, k]
    lo, hi = np.quantile(column[np.isfinite(column)], SHOWN)
    room = 0.05 * (hi - lo) or 0.05 * abs(hi) or 1.0
    return float(lo - room), float(hi + room)


def _told(data: Corner, k: int) -> str:
    ends = np.append(data.estimate[k], data.interval[k])
    value, lo, hi = 10**ends if data.log[k] else ends
    return f"{plain(value)} ({plain(lo)} to {plain(hi)})"
