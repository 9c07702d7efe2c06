"""Laws side by side: how far each was off on held-out runs, and what the criteria say."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scalefit.plot.axes import COLORS, QUIET, axes, dress, log_axis, styled, text_size
from scalefit.plot.checks import check_kind
from scalefit.validation.backtest import Backtest
from scalefit.validation.compare import Comparison

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Compared", "Row", "compare", "data", "draw"]


class Row(NamedTuple):
    """One law: its score, the rms error of each window, its weight, AICc above the best, and coverage."""

    law: str
    baseline: bool
    score: float
    windows: np.ndarray
    weight: float
    aicc: float
    coverage: float


class Compared(NamedTuple):
    """What `draw` needs: laws and baselines, the best first, and the words."""

    rows: tuple[Row, ...]
    x_label: str
    title: str


def compare(
    found: Comparison, ax: Axes | None = None, *, title: bool | str = True, legend: bool = True
) -> Axes:
    """Laws by how well they foretold larger runs, the best on top, with weight and criterion beside.

    The large mark is the score (the geometric mean over windows), the small ones are the windows; baselines
    are grey.

    Args:
        found: what `sf.compare` returned.
        ax: matplotlib axes to draw on; new ones where left out.
        title: False for none, or a text of one's own.
        legend: False for no columns of numbers.

    Returns:
        The axes.

    Raises:
        TypeError: for what `sf.compare` did not return.
        ImportError: where matplotlib is missing.

    Example:
        >>> both = sf.compare("chinchilla", runs, by="flops")
        >>> len(sf.plot.compare(both).get_yticks())  # the law and two baselines
        3
    """
    return draw(data(found), axes(ax), title=title, legend=legend)


def data(found: Comparison) -> Compared:
    """The arrays of the plot."""
    check_kind(found, Comparison, "sf.compare(...)")
    back = found.backtest
    percent = back.space == "log"
    table = found.table().set_index("law")
    rows = []
    for line in back.table().to_dict("records"):
        law = line["law"]
        mine = back.columns["law"] == law
        windows = [
            _size(back, back.columns["error"][mine & (back.columns["cut"] == cut)]) for cut in back.cuts
        ]
        own = table.loc[law] if law in table.index else {}
        rows.append(
            Row(
                str(law),
                law in back.baselines,
                100 * float(np.expm1(line["score"])) if percent else float(line["score"]),
                np.array(windows),
                float(own.get("weight", np.nan)),
                float(own.get("dAICc", np.nan)),
                float(line["coverage"]),
            )
        )
    unit = " (%)" if percent else ""
    return Compared(
        tuple(rows),
        f"error on held-out runs{unit}",
        f"laws fitted to the smaller runs, by {back.by}, in {len(back.cuts)} windows",
    )


@styled
def draw(data: Compared, ax: Axes, *, title: bool | str, legend: bool) -> None:
    """One line per law from its best to its worst window; weight, AICc and coverage as text beside."""
    from matplotlib.transforms import offset_copy

    text = text_size(ax)
    known = [value for row in data.rows for value in (row.score, *row.windows) if 0 < value < np.inf]
    lo, hi = (min(known), max(known)) if known else (1.0, 10.0)
    places = np.arange(len(data.rows))[::-1]
    for row, at in zip(data.rows, places, strict=True):
        color = QUIET if row.baseline else COLORS[0]
        seen = row.windows[np.isfinite(row.windows)]
        if len(seen):
            ax.hlines(at, seen.min(), seen.max(), color=color, alpha=0.35, linewidth=0.12 * text)
        ax.plot(
            seen, np.full(len(seen), at), "|", color=color, markersize=0.8 * text, markeredgewidth=0.1 * text
        )
        ax.plot([row.score], [at], "o", color=color, markeredgecolor="white", markersize=0.75 * text)
    log_axis(ax.xaxis, lo, hi)
    ax.set_xlim(lo / 1.25, hi * 1.25)
    ax.set_ylim(-0.6, len(data.rows) - 0.1)
    dress(ax, data.x_label, "", data.title, title, False)
    ax.set_yticks(places, [row.law for row in data.rows])
    ax.tick_params(axis="y", length=0)
    ax.grid(False, axis="y")
    if not legend:
        return
    for k, head in enumerate(("weight", "dAICc", "held")):
        # At a distance in points, whatever width the layout leaves.
        place = offset_copy(
            ax.get_yaxis_transform(), ax.get_figure(root=True), (0.8 + 3.6 * k) * text, 0, "points"
        )
        ax.text(
            1.0, len(data.rows) - 0.4, head, transform=place, fontsize=0.85 * text, color=QUIET, va="center"
        )
        for row, at in zip(data.rows, places, strict=True):
            value = (row.weight, row.aicc, row.coverage)[k]
            words = "" if np.isnan(value) else (f"{value:.2f}", f"{value:.1f}", f"{value:.0%}")[k]
            ax.text(1.0, at, words, transform=place, fontsize=0.85 * text, va="center")


def _size(back: Backtest, error: np.ndarray) -> float:
    """The rms error of a window, in percent where errors are of log y."""
    rms = float(np.sqrt(np.mean(error**2))) if len(error) else np.nan
    return 100 * float(np.expm1(rms)) if back.space == "log" else rms
