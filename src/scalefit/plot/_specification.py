"""An answer under every combination of choices, and below it which choices those are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scalefit.fits.status import HEADLINES
from scalefit.plot.axes import (
    COLORS,
    QUIET,
    axes,
    below,
    dress,
    log_axis,
    plain_axis,
    short,
    span_is_wide,
    styled,
    text_size,
)
from scalefit.plot.checks import check_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from scalefit.frames import Frame

__all__ = ["Choices", "data", "draw", "specification"]

# The columns of `sf.specification` that are choices, before those of further columns.
ALWAYS = ("space", "delta", "outliers", "smallest")
WORDS = {"space": "residuals of", "delta": "Huber width", "outliers": "outliers", "smallest": "smallest runs"}


class Choices(NamedTuple):
    """What `draw` needs: the answers in ascending order, whether each fit may be trusted, for every choice
    its options and which one each answer took, how many gave no answer, and the words."""

    values: np.ndarray
    trust: tuple[str, ...]
    options: tuple[tuple[str, tuple[str, ...], np.ndarray], ...]
    missing: int
    y_label: str
    title: str


def specification(
    table: Frame,
    value: str | None = None,
    ax: Axes | None = None,
    *,
    title: bool | str = True,
    legend: bool = True,
) -> Axes:
    """An answer under every combination of choices, ascending, above a table of dots that says which.

    A choice that matters has its dots on one side. Choices that have one option only are left out, as are
    combinations without the answer, which the title counts.

    Args:
        table: what `sf.specification` returned.
        value: the column of the answer: a coefficient, "N_opt", "D_opt", "ratio" or "loss"; the tokens per
            parameter, or the first coefficient, where left out.
        ax: matplotlib axes to draw on, which keep room for the dots below; new ones where left out.
        title: False for none, or a text of one's own.
        legend: False for none.

    Returns:
        The axes of the answers.

    Raises:
        ValueError: for a column that is no answer, or holds no value.
        TypeError: for what `sf.specification` did not return.
        ImportError: where matplotlib is missing.

    Example:
        >>> some = sf.specification(fit, deltas=[1e-3, 1e-2], spaces=["log"], smallest=[0, 0.25])
        >>> sf.plot.specification(some, "alpha").get_ylabel()
        'alpha'
    """
    return draw(data(table, value), axes(ax), title=title, legend=legend)


def data(table: Frame, value: str | None = None) -> Choices:
    """The arrays of the plot."""
    check_frame(table, (*ALWAYS, "rows", "trust"), "sf.specification(fit)")
    names = list(table.columns)
    heads = names[: names.index("rows")]
    answers = [name for name in names[names.index("trust") + 1 :] if name != "C"]
    chosen = value if value is not None else "ratio" if "ratio" in answers else answers[0]
    if chosen not in answers:
        raise ValueError(f"value must be one of {', '.join(answers)}, got {value!r}")
    known = table[np.isfinite(table[chosen].to_numpy(float))]
    if not len(known):
        raise ValueError(f"no combination gave a value of {chosen}; choose another column")
    known = known.sort_values(chosen, kind="stable")
    options = []
    for head in heads:
        found = list(dict.fromkeys(table[head].tolist()))
        if len(found) > 1:
            place = np.array([found.index(each) for each in known[head].tolist()])
            options.append((WORDS.get(head, head), tuple(_option(head, each) for each in found), place))
    missing = len(table) - len(known)
    title = f"{len(known)} ways to fit the same runs"
    if missing:
        title += f"; {missing} more gave no value"
    words = {"ratio": "tokens per parameter", "N_opt": "best N", "D_opt": "best D"}
    y = words.get(chosen, chosen)
    if chosen in (*words, "loss") and "C" in table:
        y += f"\nat {table['C'].iloc[0]:.3g} FLOP".replace("e+", "e")
    return Choices(known[chosen].to_numpy(float), tuple(known["trust"]), tuple(options), missing, y, title)


@styled
def draw(data: Choices, ax: Axes, *, title: bool | str, legend: bool) -> None:
    """Answers above by how far each fit may be trusted; the options taken below, on the same places."""
    text = text_size(ax)
    place = np.arange(len(data.values))
    colors = {"good": COLORS[0], "weak": COLORS[4], "bad": QUIET}
    size = float(np.clip(40 / len(place), 0.22, 0.6)) * text
    for trust, color in colors.items():
        mine = np.array([each == trust for each in data.trust])
        if np.any(mine):
            ax.plot(
                place[mine],
                data.values[mine],
                "o" if trust != "bad" else "x",
                color=color,
                markersize=size,
                label=HEADLINES[trust],
            )
    if span_is_wide(data.values):
        log_axis(ax.yaxis, float(data.values.min()), float(data.values.max()))
    else:
        plain_axis(ax.yaxis)
    ax.set_xlim(-1, len(place))
    dress(ax, "", data.y_label, data.title, title, legend)
    ax.tick_params(axis="x", length=0, labelbottom=False)
    ax.grid(False, axis="x")
    # Names of options and, above each block, that of the choice.
    rows = sum(len(options) + 1 for _, options, _ in data.options)
    if not rows:
        return
    table = below(ax, float(np.clip(0.05 * rows, 0.2, 0.62)))
    at, ticks, words = 0, [], []
    for head, options, taken in data.options:
        ticks.append(at)
        words.append(f"{head}:")
        for k, option in enumerate(options):
            at += 1
            mine = taken == k
            table.plot(
                place[mine],
                np.full(np.sum(mine), at),
                "|",
                color=COLORS[0],
                markersize=0.55 * text,
                markeredgewidth=max(0.09 * text, 0.3 * size),
            )
            ticks.append(at)
            words.append(option)
        at += 1
    table.set_ylim(at - 0.4, -0.6)
    table.set_yticks(ticks, words)
    for word in table.get_yticklabels():
        word.set_fontweight("bold" if word.get_text().endswith(":") else "normal")
    table.tick_params(axis="both", length=0, labelsize=0.8 * text, labelbottom=False)
    table.spines[:].set_visible(False)
    table.patch.set_alpha(0)


def _option(head: str, value: Any) -> str:
    if head == "smallest":
        return f"{value:.0%} left out" if value else "all kept"
    if head == "delta":
        return "squares" if np.isinf(value) else short(float(value))
    if head == "space":
        return "log y" if value == "log" else "y"
    return str(value)
