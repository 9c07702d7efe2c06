"""Columns of a table looked at: numbers or labels, what is foretold, shares of a mixture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scalefit.arguments import number
from scalefit.runs import tables
from scalefit.runs.binding import KINDS, OUTPUTS, is_perplexity, kind_of, said_of_perplexity
from scalefit.runs.names import same_name
from scalefit.words import listed

__all__ = [
    "explains",
    "is_count",
    "one_line",
    "predicted",
    "shares_of",
    "target_of",
    "values_of",
]

# Of a mixture's shares: how far their sum may lie off one.
SUM = 0.02
# Correlation of log N and log D beyond which they are one input.
ALIKE = 0.9995
# The largest over the least of what counts as a size.
SPAN = 3.0


def target_of(
    table: Any, y: str | None, numeric: Mapping[str, np.ndarray], notes: list[str]
) -> tuple[str, str]:
    """The column to foretell and what it is."""
    if y is not None:
        tables.find(table, y, "y")
        if str(y) not in numeric:
            tables.numbers(table[y], f"column {y!r} (y)", "a number", output=True)
        return str(y), predicted(str(y), numeric, notes)
    kinds = {kind_of(c): c for c in numeric}
    if len(numeric) == 2 and "loss" in kinds and (other := kinds.get("error", kinds.get("accuracy"))):
        notes.append(f"guessed y = column {other!r}, by its loss")
        return other, predicted(other, numeric, notes)
    for kind in ("loss", "error", "accuracy"):
        usual = [c for alias in OUTPUTS[kind].aliases for c in numeric if same_name(c) == same_name(alias)]
        usual = list(dict.fromkeys(usual))
        if usual:
            rest = [c for c in numeric if c not in usual and kind_of(c) == kind]
            if len(usual) > 1 or rest:
                other = listed([repr(c) for c in (*usual[1:], *rest)][:3])
                notes.append(f"foretold is {usual[0]!r}; it could be {other} too, said with y=")
            return usual[0], predicted(usual[0], numeric, notes)
    named = {kind: [c for c in numeric if kind_of(c) == kind] for kind in KINDS}
    for columns in named.values():
        if len(columns) > 1:
            some = listed([repr(c) for c in columns[:3]])
            more = f" or {len(columns) - 3} more" if len(columns) > 3 else ""
            raise ValueError(f'what is foretold could be {some}{more}; say which with y="{columns[0]}"')
        if columns:
            notes.append(f"guessed y = column {columns[0]!r}")
            return columns[0], predicted(columns[0], numeric, notes)
    if odd := next(filter(is_perplexity, map(str, table)), None):
        raise ValueError(said_of_perplexity(odd))
    texts = [c for c in map(str, table) if c not in numeric and kind_of(c)]
    if texts:
        # What it holds in place of numbers is said of the column itself.
        tables.numbers(table[texts[0]], f"column {texts[0]!r} (y)", output=True)
    raise ValueError(
        "no column of numbers is named like a loss, an error or an accuracy (there are "
        f'{tables.listed(table)}); say what is foretold with y="..."'
    )


def predicted(y: str, numeric: Mapping[str, np.ndarray], notes: list[str]) -> str:
    """What a column is, by its name; a loss where the name does not say."""
    values = numeric.get(y, np.ones(1))
    kind = kind_of(y)
    finite = values[np.isfinite(values)]
    if len(finite) < len(values):
        gaps = len(values) - len(finite)
        raise ValueError(
            f"column {y!r} (y) has no finite value in {gaps} of {len(values)} rows; leave such rows out"
        )
    if kind == "loss" and len(finite) and np.min(finite) <= 0:
        raise ValueError(
            f"column {y!r} (y) is zero or negative in {np.sum(finite <= 0)} rows, which no loss is; "
            "give losses, or say another column with y="
        )
    if kind is None:
        if is_perplexity(y):
            raise ValueError(said_of_perplexity(y))
        notes.append(f"column {y!r} is taken for a loss; name it like an error or an accuracy if it is one")
        return "loss"
    return kind


def values_of(column: Any) -> np.ndarray | None:
    """A column as numbers (NaN where there is none), as labels, or None where it is neither."""
    values = np.asarray(column)
    if values.ndim != 1:
        return None
    if values.dtype.kind in "iuf":
        return values.astype(float)
    if values.dtype.kind in "US":
        return values
    if values.dtype.kind == "b":
        return values.astype(str)
    cells = values.tolist()
    found = [number(cell) for cell in cells]
    if all(each is not None for each in found):
        return np.array(found, float)
    return np.array([str(cell) for cell in cells]) if any(isinstance(cell, str) for cell in cells) else None


def shares_of(numeric: Mapping[str, np.ndarray], y: str) -> tuple[str, ...]:
    """The columns in [0, 1] that sum to one in every row: those of one prefix (weight_, h_, ...), or all."""
    each = [c for c, v in numeric.items() if c != y and len(v) and np.all((v >= 0) & (v <= 1))]
    by_prefix: dict[str, list[str]] = {}
    for column in each:
        if "_" in column:
            by_prefix.setdefault(column.partition("_")[0], []).append(column)
    for columns in (*by_prefix.values(), [c for c in each if not kind_of(c)]):
        total = np.sum([numeric[c] for c in columns], axis=0)
        if (
            len(columns) > 1
            and np.all(np.abs(total - 1) < SUM)
            and any(np.ptp(numeric[c]) > 0 for c in columns)
        ):
            return tuple(columns)
    return ()


def explains(column: np.ndarray, labels: np.ndarray) -> bool:
    """Whether a number that repeats says which label a row has."""
    values, place = np.unique(column, return_inverse=True)
    if len(values) > len(column) / 2 and len(values) > len(np.unique(labels)):
        return False
    pairs = np.unique(np.stack([place, np.unique(labels, return_inverse=True)[1]]), axis=1)
    return pairs.shape[1] == len(values)


def is_count(values: np.ndarray) -> bool:
    """Whether numbers are sizes over which something scales: positive, the largest some times the least."""
    return bool(
        np.all(values > 0) and np.all(np.isfinite(values)) and np.max(values) >= SPAN * np.min(values)
    )


def one_line(N: np.ndarray, D: np.ndarray) -> bool:
    """Whether N and D move together in every run."""
    x, z = np.log(N), np.log(D)
    if np.ptp(x) == 0 or np.ptp(z) == 0:
        return False
    return bool(np.corrcoef(x, z)[0, 1] > ALIKE)
