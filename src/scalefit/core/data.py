"""The rows a fit sees: float64 arrays, already checked at the border."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

__all__ = ["Array", "Data", "Others", "codes", "repeats"]

# Numpy outside a compiled function, JAX inside: the same records serve both.
Array = Any


@dataclass(frozen=True, eq=False)
class Others:
    """The table's columns that a fit does not use: numbers, and the places of labels, in some of its rows.

    rows: which rows of the data these are, ascending; None for all. labels: of each column that holds labels,
    by place; none where they are too many to be kept. left: how many columns were too many to be kept.
    """

    columns: Mapping[str, np.ndarray]
    labels: Mapping[str, tuple[Any, ...]]
    rows: np.ndarray | None = None
    left: int = 0

    def take(self, rows: np.ndarray, n: int) -> Others:
        """Only these of the n rows of the data."""
        if self.rows is None:
            return replace(self, columns={name: column[rows] for name, column in self.columns.items()})
        place = np.full(n, -1)
        place[self.rows] = np.arange(len(self.rows))
        place = place[rows]
        kept = place >= 0
        columns = {name: column[place[kept]] for name, column in self.columns.items()}
        return replace(self, columns=columns, rows=np.flatnonzero(kept))


@dataclass(frozen=True, eq=False)
class Data:
    """Runs as arrays: inputs `x` by name, measured `y`, `weight` and, if given, `group` labels; all (n,).

    names: what the rows are called in the user's table, where that is more than their numbers. others: the
    columns that the fit does not use, which only checks look at; they are not saved. independent: whether the
    caller says that no rows belong together.
    """

    x: Mapping[str, np.ndarray]
    y: np.ndarray
    weight: np.ndarray
    group: np.ndarray | None = None
    names: Sequence[Any] | None = None
    others: Others | None = None
    independent: bool = False

    def __len__(self) -> int:
        return len(self.y)

    @property
    def counted(self) -> np.ndarray:
        """The rows with some weight; the others are only looked at where a law needs them."""
        return np.flatnonzero(self.weight)

    def take(self, rows: np.ndarray) -> Data:
        """Only these rows."""
        group = None if self.group is None else self.group[rows]
        names = None if self.names is None else [self.names[row] for row in rows]
        others = None if self.others is None else self.others.take(rows, len(self))
        return Data(
            {name: v[rows] for name, v in self.x.items()},
            self.y[rows],
            self.weight[rows],
            group,
            names,
            others,
            self.independent,
        )

    def hash(self) -> str:
        """A fingerprint of the numbers, for saved fits."""
        digest = hashlib.sha256()
        for name in sorted(self.x):
            digest.update(name.encode() + np.ascontiguousarray(self.x[name], float).tobytes())
        digest.update(np.ascontiguousarray(self.y, float).tobytes())
        digest.update(np.ascontiguousarray(self.weight, float).tobytes())
        return digest.hexdigest()[:16]


def codes(values: Any, labels: Sequence[Any] = ()) -> np.ndarray:
    """Labels as numbers 0, 1, ... by their place in `labels`, or by first appearance;
    -1 for an unknown one."""
    column = np.asarray(values).reshape(-1)
    # Rows of one label mostly stand together: only where they change is the label looked up.
    plain = column.dtype.kind in "iuUS" and len(column) > 0
    begins = np.flatnonzero(np.append(True, column[1:] != column[:-1])) if plain else np.arange(len(column))
    heads = column[begins].tolist()
    place = {label: k for k, label in enumerate(labels or dict.fromkeys(heads))}
    found = np.array([place.get(value, -1) for value in heads], float)
    return np.repeat(found, np.diff(np.append(begins, len(column))))


def repeats(columns: Sequence[np.ndarray]) -> np.ndarray:
    """The rows that equal an earlier one in every column, ascending."""
    n = len(columns[0])
    mixed = np.zeros(n, np.uint64)
    for column in columns:
        # Equal numbers have equal bits once zeros have one sign; unequal ones seldom an equal mix.
        bits = (np.asarray(column, float) + 0.0).view(np.uint64)
        mixed = (mixed ^ bits) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    # Sorting numbers is much quicker than sorting their places, which are seldom needed.
    values = np.sort(mixed)
    if not np.any(values[1:] == values[:-1]):
        return np.zeros(0, int)
    order = np.argsort(mixed, kind="stable")
    alike = np.flatnonzero(mixed[order][1:] == mixed[order][:-1])
    # The few rows whose mix occurs again are compared in full.
    rows = np.unique(np.append(order[alike], order[alike + 1]))
    _, first = np.unique(np.stack([column[rows] for column in columns]), axis=1, return_index=True)
    again = np.ones(len(rows), bool)
    again[first] = False
    return rows[again]
