"""Words for people, and for JSON: what was given, rows, lists, numbers, and lines of equal columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

__all__ = [
    "aligned",
    "jsonable",
    "listed",
    "plain",
    "quoted",
    "row_words",
    "short",
    "short_number",
    "taken",
    "two",
]


def short(value: Any) -> str:
    """What was given, short enough for one line of an error."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def row_words(rows: Sequence[int] | np.ndarray, labels: Any = None) -> str:
    """ "row 3 (counting from 0)", or "rows 3, 4, 5, 6, 7 and 9 more (counting from 0)".

    labels: by row, where the table has names for them: "row 3 (index 'run-17')".
    """
    shown = ", ".join(str(row) for row in rows[:5])
    more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    called = (
        "counting from 0" if labels is None else f"index {', '.join(short(labels[row]) for row in rows[:5])}"
    )
    return f"row{'s' if len(rows) > 1 else ''} {shown}{more} ({called})"


def listed(words: Sequence[str]) -> str:
    """ "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def quoted(text: Any) -> str:
    """A Python string in double quotes."""
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def taken(columns: Mapping[str, str]) -> str:
    """Which column was taken for what, asked for or guessed."""
    return ", ".join(f"{name} = column {column!r}" for name, column in columns.items())


def plain(value: float) -> str:
    """Three significant digits."""
    return f"{value:.3g}".replace("e+", "e").replace("e0", "e")


def short_number(value: float) -> str:
    """Three significant digits, nothing for NaN."""
    return "" if np.isnan(value) else f"{value:.3g}"


def two(value: float) -> str:
    """Two significant digits, without an exponent."""
    return f"{float(f'{value:.2g}'):g}"


def aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    """Rows of text as indented lines of equal columns, the first flush left."""
    rows = list(rows)
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return [
        "  "
        + "  ".join(
            f"{cell:<{w}}" if k == 0 else f"{cell:>{w}}"
            for k, (cell, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def jsonable(value: Any) -> Any:
    """The same in what strict JSON holds, which has no word for NaN and infinities: they are null."""
    if isinstance(value, Mapping):
        return {str(name): jsonable(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(part) for part in value]
    if hasattr(value, "item"):  # one number of numpy's
        value = value.item()
    return None if isinstance(value, float) and not abs(value) < float("inf") else value
