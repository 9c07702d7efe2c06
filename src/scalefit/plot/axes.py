"""What every picture needs: axes to draw on, one style fitted to their width, and names of quantities.

The style is a sheet of matplotlib settings that holds while a picture is drawn (`styled`); the user's own
settings are as before. Sizes follow the width of the axes: legible in one column of a paper and on a slide.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any

import numpy as np

from scalefit.fits.status import HEADLINES
from scalefit.words import short as given

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

    from scalefit.decisions.isoflop import IsoFlop
    from scalefit.fits.ensemble import Ensemble
    from scalefit.fits.fit import Fit

__all__ = [
    "COLORS",
    "DIM",
    "MARKERS",
    "NARROW",
    "QUIET",
    "axes",
    "below",
    "caption",
    "color_bar",
    "dress",
    "label",
    "log_axis",
    "named",
    "offscreen",
    "percent",
    "plain_axis",
    "power",
    "ramp",
    "short",
    "span_is_wide",
    "styled",
    "text_size",
    "width",
]

SIZE = (7.0, 4.5)  # inches
SUFFIXES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
# Okabe and Ito's colours, told apart by every kind of colour-blind reader, and shapes that say the same.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A5C00")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
# What stands back: baselines, limits, measured references.
QUIET = "0.45"
# What was not measured is drawn this faintly.
DIM = 0.55
# Axes narrower than this, in inches, have their legend below.
NARROW = 3.6


def axes(ax: Axes | None, size: tuple[float, float] = SIZE) -> Axes:
    """`ax`, or the axes of a new figure."""
    from matplotlib import pyplot
    from matplotlib.axes import Axes

    if ax is None:
        return pyplot.subplots(figsize=size, layout="constrained")[1]
    if not isinstance(ax, Axes):
        raise TypeError(f"ax must be matplotlib axes, got {given(ax)}; leave it out for new ones")
    return ax


def offscreen() -> Figure:
    """A figure that only goes to a file: it needs no screen, and no window keeps it."""
    from matplotlib.figure import Figure

    return Figure(figsize=SIZE, layout="constrained")


def width(ax: Axes) -> float:
    """The width of the axes in inches, before any layout."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    return float(ax.get_position(original=True).width * figure.get_figwidth())


def text_size(ax: Axes) -> float:
    """Points: 7 in one column of a paper (3.3 inches wide), 10 alone on a page (7), 16 on a slide (13.3)."""
    return float(np.clip(3.7 + 1.2 * width(ax), 6.5, 16.0))


def sheet(ax: Axes) -> Any:
    """The style sheet for axes of this width."""
    text = text_size(ax)
    return {
        "font.size": text,
        "axes.titlesize": text,
        "axes.labelsize": text,
        "xtick.labelsize": 0.9 * text,
        "ytick.labelsize": 0.9 * text,
        "legend.fontsize": 0.88 * text,
        "legend.title_fontsize": 0.88 * text,
        "legend.frameon": False,
        "legend.handlelength": 1.6,
        "legend.labelspacing": 0.35,
        "legend.columnspacing": 1.2,
        "lines.linewidth": 0.17 * text,
        "lines.markersize": 0.5 * text,
        "lines.markeredgewidth": 0.05 * text,
        "patch.linewidth": 0.08 * text,
        "axes.linewidth": 0.08 * text,
        "grid.linewidth": 0.07 * text,
        "grid.color": "0.9",
        "axes.axisbelow": True,
    }


def styled(draw: Callable[..., None]) -> Callable[..., Axes]:
    """A function that draws on axes, under the style sheet; the axes come back."""

    @wraps(draw)
    def drawn(data: Any, ax: Axes, *, title: bool | str = True, legend: bool = True) -> Axes:
        from matplotlib import rc_context

        with rc_context(sheet(ax)):
            draw(data, ax, title=title, legend=legend)
        return ax

    return drawn


def dress(
    ax: Axes,
    x_label: str,
    y_label: str,
    title: str,
    show_title: bool | str = True,
    show_legend: bool = True,
    legend_title: str = "",
    handles: Any = None,
    beside: bool = False,
) -> None:
    """Labels, grid, title and legend, where they are wanted. beside: the legend stands outside the axes."""
    from matplotlib import rcParams
    from matplotlib.transforms import offset_copy

    if not isinstance(show_title, bool | str):
        raise TypeError(f"title must be a text, or False for none, got {given(show_title)}")
    if not isinstance(show_legend, bool):
        raise TypeError(f"legend must be True or False, got {given(show_legend)}")
    text = rcParams["font.size"]
    ax.set_xlabel(x_label, fontsize=text)
    ax.set_ylabel(y_label, fontsize=text)
    ax.tick_params(labelsize=0.9 * text, width=0.08 * text, length=0.35 * text, which="major")
    ax.tick_params(width=0.06 * text, length=0.2 * text, which="minor")
    for axis in (ax.xaxis, ax.yaxis):
        axis.get_offset_text().set_fontsize(0.9 * text)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(True, which="major", color="0.9", linewidth=0.07 * text)
    head = title if show_title is True else show_title
    if head:
        # Where a user's own `ax.set_title` takes its place.
        ax.set_title(head, fontsize=text, wrap=True)
    found, names = (handles, [h.get_label() for h in handles]) if handles else ax.get_legend_handles_labels()
    if not show_legend or not found:
        return
    if not beside:
        ax.legend(
            found,
            names,
            title=legend_title or None,
            loc="best",
            frameon=True,
            framealpha=0.85,
            edgecolor="none",
        )
    elif width(ax) < NARROW:
        below = offset_copy(ax.transAxes, ax.get_figure(root=True), 0, -3.4 * text, units="points")
        columns = 2 if max(map(len, names)) > 14 else min(4, len(names))
        ax.legend(
            found,
            names,
            title=legend_title or None,
            loc="upper center",
            bbox_to_anchor=(0.5, 0.0),
            bbox_transform=below,
            ncols=columns,
            borderaxespad=0.0,
        )
    else:
        ax.legend(found, names, title=legend_title or None, loc="center left", bbox_to_anchor=(1.0, 0.5))


def below(ax: Axes, share: float) -> Axes:
    """Further axes under these, over the same x, for which they give up this share of their height."""
    spec = ax.get_subplotspec()
    figure = ax.get_figure(root=False)
    assert figure is not None
    ax.tick_params(labelbottom=False)
    if spec is None:
        # Axes that stand in no grid keep their place, and what is below hangs from them.
        return ax.inset_axes((0.0, -share / (1 - share), 1.0, 0.92 * share / (1 - share)), sharex=ax)
    inner = spec.subgridspec(2, 1, height_ratios=(1 - share, share), hspace=0.06)
    ax.set_subplotspec(inner[0])
    return figure.add_subplot(inner[1], sharex=ax)


def log_axis(axis: Axis, lo: float, hi: float) -> None:
    """A logarithmic axis whose few ticks read 10M, 1B where those are usual, powers of ten elsewhere."""
    from matplotlib.ticker import FuncFormatter, LogFormatterMathtext, LogLocator, MaxNLocator, NullFormatter

    owner = axis.axes
    owner.set_xscale("log") if axis is owner.xaxis else owner.set_yscale("log")
    decades = np.log10(hi / lo)
    if decades < 0.7:
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    else:
        subs = (1.0,) if decades > 2.2 else (1.0, 3.0) if decades > 1.5 else (1.0, 2.0, 5.0)
        axis.set_major_locator(LogLocator(subs=subs, numticks=7))
    axis.set_minor_formatter(NullFormatter())
    usual = lo >= 1e-3 and hi < 1e15
    plain = FuncFormatter(lambda value, _: short(value))
    axis.set_major_formatter(plain if usual or decades <= 2.2 else LogFormatterMathtext())


def plain_axis(axis: Axis) -> None:
    """A linear axis with at most six ticks."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))


def percent(axis: Axis) -> None:
    """Ticks of shares in percent."""
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))


def ramp(n: int) -> np.ndarray:
    """n colours for ordered levels; the palest end of the map would vanish on white."""
    from matplotlib import colormaps

    return colormaps["viridis"](np.linspace(0, 0.88, n))


def color_bar(
    ax: Axes, values: np.ndarray, name: str, marks: tuple[float, ...] = (), shown: bool = True
) -> Callable[..., Any]:
    """Colours for the values of a quantity, and, where wanted, a bar beside the axes that says which; marks:
    drawn on it."""
    from matplotlib import rcParams
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, LogNorm, Normalize

    lo, hi = float(np.min(values)), float(np.max(values))
    hi = hi if hi > lo else lo + 1.0
    wide = span_is_wide(values)
    colors = ScalarMappable(LogNorm(lo, hi) if wide else Normalize(lo, hi), ListedColormap(ramp(256)))
    if not shown:
        return colors.to_rgba
    place = ax.inset_axes((1.02, 0.0, 0.035, 1.0))
    place.set_label("<colorbar>")
    figure = ax.get_figure(root=True)
    assert figure is not None
    bar = figure.colorbar(colors, cax=place)
    bar.outline.set_visible(False)
    log_axis(place.yaxis, lo, hi) if wide else plain_axis(place.yaxis)
    bar.set_label(name, fontsize=0.88 * rcParams["font.size"])
    place.tick_params(labelsize=0.88 * rcParams["font.size"])
    for mark in marks:
        place.axhline(mark, color="white", linewidth=1.0)
    return colors.to_rgba


def label(fit: Fit | Ensemble, name: str) -> str:
    """The user's own column of an input, or of "y", with the unit that the law states."""
    column = str(fit.columns.get(name, fit.law.predicts if name == "y" else name))
    return named(column, fit.law.units, name)


def named(column: str, units: Mapping[str, str], name: str) -> str:
    """A column with its unit, "n_params (parameters)"; the unit is said once."""
    head, bracket, *_ = (*re.split(r"[()]", units.get(name, "")), "")
    inner = bracket.split(",")[0]
    unit = inner if inner not in ("", "count", "ratio") else re.split("[,:]", head)[0].strip()
    unit = unit.replace("share of domain i in", "share of")
    # Another column than the law's own may hold losses in any unit, and a label has none.
    unknown = unit in ("what is scaled", "label", "") or (unit == "nats per token" and column != name)
    return column if unknown or column.replace("_", " ").lower() in unit.lower() else f"{column} ({unit})"


def caption(fit: Fit | Ensemble) -> str:
    """The law, and under it whether to trust the fit unless it is good."""
    trust = fit.status.trust
    return fit.law.name if trust == "good" else f"{fit.law.name}\n{HEADLINES[trust]}: see fit.summary()"


def power(found: IsoFlop) -> str:
    """The power of compute that an `IsoFlop` found, with its interval, and what speaks against it."""
    lo, hi = found.interval("a")
    known = f"{lo:.3f} to {hi:.3f}" if np.isfinite(lo) and np.isfinite(hi) else "not determined"
    codes = ", ".join(dict.fromkeys(caution.code for caution in found.warnings))
    text = f"N* ~ C^{found.coefs['a']:.3f} ({found.level:.0%}: {known})"
    return f"{text}\n{codes}: see print(result)" if codes else text


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
