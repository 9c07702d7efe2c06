"""What tables of several tasks have in common: names of columns, and splits by size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from scalefit import laws
from scalefit.bench.records import Case
from scalefit.core.law import Law
from scalefit.frames import Frame

__all__ = ["by_budget", "grouped", "named", "spaced", "starting"]

# At most so many rows of a curve are fitted.
FITTED = 64


def spaced(table: Frame, most: int = FITTED) -> Frame:
    """At most so many rows, evenly spaced by index, ends included."""
    if len(table) <= most:
        return table
    return table.iloc[np.unique(np.linspace(0, len(table) - 1, most).round().astype(int))]


def named(table: Frame, y: str, **inputs: str) -> Frame:
    """Columns by the names of inputs, N and D unless said otherwise, and `y`; rows that have them all."""
    inputs = inputs or {"N": "n_params", "D": "n_tokens"}
    columns = {column: name for name, column in inputs.items()} | {y: "y"}
    return table.drop(columns="y", errors="ignore").rename(columns=columns).dropna(subset=[*inputs, "y"])


def by_budget(
    name: str, table: Frame, budget: str, shares: Sequence[float], law: Law | None = None, fewest: int = 3
) -> Iterator[Case]:
    """Cases that fit the budgets up to a share of their range in the logarithm, and foretell those above."""
    law = law or laws.get("chinchilla")
    if table[budget].nunique() < 2:
        return
    place = np.log(table[budget].to_numpy(float))
    place = (place - place.min()) / np.ptp(place)
    seen = set()
    for share in shares:
        small = place <= share + 1e-6
        enough = small.sum() >= len(law.coefs) + 3 and table[budget][small].nunique() >= fewest
        if enough and not small.all() and small.sum() not in seen:
            seen.add(small.sum())
            yield Case(f"{name}, up to {share:.2f}", table[small], table[~small], law.inputs, law=law)


def grouped(table: Frame, keys: str | list[str]) -> Iterator[tuple[str, Frame]]:
    """Name and rows of every group, named by its values."""
    for key, rows in table.groupby(keys, dropna=False):
        yield "/".join(map(str, key)) if isinstance(key, tuple) else str(key), rows


def starting(table: Frame, start: str) -> list[str]:
    """The columns whose names begin so."""
    return [str(name) for name in table if str(name).startswith(start)]
