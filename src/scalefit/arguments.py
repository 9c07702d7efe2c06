"""One check for each kind of argument; a refusal is one sentence: what is wanted, and what was given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import index
from typing import Any

import numpy as np

from scalefit.files import Written
from scalefit.words import short

__all__ = [
    "by_name",
    "check_choice",
    "check_key",
    "check_level",
    "count",
    "flat",
    "number",
    "one_positive",
    "positive",
    "texts",
    "two_numbers",
    "whole",
]

# More of a thing than this is asked for by mistake: its numbers alone would fill a machine.
MOST = 10_000_000


def check_level(level: Any) -> float:
    """A probability strictly between 0 and 1; ValueError otherwise."""
    value = number(level)
    if value is None or not 0 < value < 1:
        raise ValueError(f"level must lie between 0 and 1, got {short(level)}")
    return value


def whole(value: Any, name: str, least: int, most: int = MOST) -> int:
    """A whole number of at least `least`, at most `most`; ValueError otherwise."""
    try:
        found = least - 1 if isinstance(value, bool | np.bool_) else index(value)
    except TypeError:
        found = least - 1
    if found < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {short(value)}")
    if found > most:
        raise ValueError(f"{name} must be at most {most}, got {short(value)}")
    return found


def count(value: Any, name: str, least: int) -> int:
    """A whole number of steps of any type, 2e4 too, from `least` to `MOST`; ValueError otherwise."""
    found = number(value)
    if found is None or not (least <= found < np.inf and found % 1 == 0):
        raise ValueError(f"{name} must be a whole number of at least {least}, got {short(value)}")
    return whole(int(found), name, least)


def check_key(key: Any) -> int:
    """The seed of everything random: a whole number of at least 0."""
    return whole(key, "key", 0, 2**63 - 1)


def texts(values: Any, name: str) -> tuple[str, ...]:
    """One text or several as a tuple; ValueError otherwise."""
    found = (values,) if isinstance(values, str) or not isinstance(values, Iterable) else tuple(values)
    if not all(isinstance(each, str) for each in found):
        raise ValueError(f"{name} must be one text or a list of texts, got {short(values)}")
    return found


def check_choice(value: Any, name: str, choices: Sequence[str]) -> str:
    """One of a few words; ValueError otherwise."""
    if not isinstance(value, str) or value not in choices:
        known = ", ".join(f'"{choice}"' for choice in choices)
        raise ValueError(f"{name} must be one of {known}, got {short(value)}")
    return value


def number(cell: Any) -> float | None:
    """One cell as a float: NaN where there is no value, None where it is not a number."""
    if missing(cell):
        return np.nan
    if isinstance(cell, bool | np.bool_ | str | bytes | complex | np.complexfloating):
        # Of texts only those that a file's reader has looked at: "53.3M" in a column of amounts.
        return float(cell) if isinstance(cell, Written) else None
    try:
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        return None


def missing(cell: Any) -> bool:
    """Whether a cell holds no value: None, NaN, NA or NaT."""
    return (
        cell is None
        or type(cell).__name__ in ("NAType", "NaTType")
        or (isinstance(cell, float) and cell != cell)
    )


def positive(name: str, values: Any, wanted: str = "one or more positive numbers") -> np.ndarray:
    """One or more positive finite numbers as an array; ValueError otherwise."""
    found = flat(values)
    if not found or any(v is None or not 0 < v < np.inf for v in found):
        raise ValueError(f"{name} must be {wanted}, got {short(values)}")
    return np.array(found, float)


def flat(values: Any) -> list[float | None]:
    """One number or a list of them as a list, as `number` reads each; empty for anything else."""
    if isinstance(values, str | bytes | Mapping) or values is None:
        return []
    try:
        return [number(cell) for cell in np.ravel(values).tolist()] if np.ndim(values) <= 1 else []
    except ValueError:  # lists of several lengths
        return []


def one_positive(name: str, value: Any) -> float:
    """One positive finite number; ValueError otherwise."""
    found = positive(name, value, "a positive number")
    if len(found) != 1:
        raise ValueError(f"{name} must be a positive number, got {short(value)}")
    return float(found[0])


def by_name(name: str, given: Any) -> Mapping[str, Any]:
    """A mapping, empty for None; TypeError for anything else."""
    if not isinstance(given, Mapping | None):
        raise TypeError(f"{name} must be a dict by name, got {short(given)}")
    return given or {}


def two_numbers(pair: Any) -> tuple[float, float]:
    """Both ends of a range, NaN where it is none."""
    ends = flat(pair)
    lo, hi = (end if end is not None else np.nan for end in (ends if len(ends) == 2 else (None, None)))
    return lo, hi
