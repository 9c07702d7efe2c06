"""The scores of the tasks, and what every case is measured by besides: intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scalefit.bench.records import Case, Score, Told

__all__ = [
    "BINS",
    "DIGITS",
    "LOG_RMS",
    "PAIRS",
    "POINTS",
    "R2",
    "RELATIVE",
    "RMS",
    "SECONDS",
    "by_distance",
    "by_quantity",
    "intervals",
]


def _error(told: Told) -> np.ndarray:
    """Errors of the logarithm where all values are positive; infinite without an answer."""
    with np.errstate(all="ignore"):
        error = np.log(told.mean / told.y) if told.log else told.mean - told.y
    return np.where(np.isfinite(error), error, np.inf)


def _rms(case: Case, told: Told) -> float:
    return float(np.sqrt(np.mean(_error(told) ** 2)))


def _linear_rms(case: Case, told: Told) -> float:
    error = told.mean - told.y
    return float(np.sqrt(np.mean(np.where(np.isfinite(error), error, np.inf) ** 2)))


def _points(case: Case, told: Told) -> float:
    return float(100 * np.mean(np.abs(told.mean - told.y)))


def _r2(case: Case, told: Told) -> float:
    return float(1 - np.mean((told.mean - told.y) ** 2) / np.var(told.y))


def _relative(case: Case, told: Told) -> float:
    return float(np.mean(np.abs(told.mean / told.y - 1)))


def _digits(case: Case, told: Told) -> float:
    """The least number of matching digits over all quantities (log relative error), 15 at most."""
    return float(np.min(np.minimum(15.0, -np.log10(np.abs(told.mean / told.y - 1) + 1e-16))))


def _pairs(case: Case, told: Told) -> float:
    """Of all pairs of rows that differ, the share whose order is told; a tie counts one half."""
    i, j = np.triu_indices(len(told.y), 1)
    differ = told.y[i] != told.y[j]
    i, j = i[differ], j[differ]
    first = told.y[i] < told.y[j]
    right = (told.mean[i] < told.mean[j]) == first
    return float(np.mean(np.where(told.mean[i] == told.mean[j], 0.5, right)))


def _seconds(case: Case, told: Told) -> float:
    return told.seconds


LOG_RMS = Score("rms error of the log", _rms)
RMS = Score("rms error", _linear_rms)
POINTS = Score("mean error in percentage points", _points)
R2 = Score("R2", _r2, lower_is_better=False)
RELATIVE = Score("mean relative error", _relative)
DIGITS = Score("matching digits", _digits, lower_is_better=False)
PAIRS = Score("share of pairs in the right order", _pairs, lower_is_better=False)
SECONDS = Score("seconds, compiled", _seconds)


def intervals(told: Told, level: float) -> tuple[float | None, float | None, float | None]:
    """Share of rows inside, median half-width, and mean interval score (Gneiting and Raftery 2007).

    Widths are of the logarithm where all values are positive. None where no interval was given.
    """
    if np.any(np.isnan(told.lo) | np.isnan(told.hi)):
        return None, None, None
    inside = float(np.mean((told.lo <= told.y) & (told.y <= told.hi)))
    lo, hi, y = told.lo, told.hi, told.y
    if told.log:
        with np.errstate(all="ignore"):
            lo, hi, y = np.log(np.maximum(lo, 0)), np.log(np.maximum(hi, 0)), np.log(y)
    width = hi - lo
    beyond = np.maximum(np.maximum(lo - y, y - hi), 0)
    return inside, float(np.median(width) / 2), float(np.mean(width + 2 / (1 - level) * beyond))


# Decades beyond the training rows.
BINS = {"among the runs": 0.0, "to 0.3": 0.3, "to 0.6": 0.6, "to 1": 1.0, "to 1.5": 1.5, "farther": np.inf}


def by_distance(case: Case, told: Told) -> dict[str, list[int]]:
    """Rows inside their interval, and all rows, by how many decades they lie outside the training rows."""
    place = np.searchsorted(list(BINS.values()), _decades(case), side="left")
    return _counted(told, dict(enumerate(BINS)), place)


def by_quantity(case: Case, told: Told) -> dict[str, list[int]]:
    """The same by what is asked."""
    what = case.test["quantity"][case.test[case.y].notna()].to_numpy()
    return _counted(told, {name: name for name in dict.fromkeys(what)}, what)


def _counted(told: Told, parts: Mapping[Any, str], part: np.ndarray) -> dict[str, list[int]]:
    inside = (told.lo <= told.y) & (told.y <= told.hi)
    found = {name: [int(np.sum(inside & (part == k))), int(np.sum(part == k))] for k, name in parts.items()}
    return {name: counts for name, counts in found.items() if counts[1]}


def _decades(case: Case) -> np.ndarray:
    """Decades outside the training rows (n,), in the input, or the product of all, that is farthest out."""
    test = case.test[case.test[case.y].notna()]
    names = [
        name
        for name in case.inputs
        if all(rows[name].dtype.kind in "iuf" and np.all(rows[name] > 0) for rows in (case.train, test))
    ]
    # Of whole curves the steps alone: their rates say nothing about how far a row lies.
    names = names[:1] if case.law is not None and case.law.whole else names
    far = np.zeros(len(test))
    logs = [[np.log10(rows[name].to_numpy(float)) for name in names] for rows in (case.train, test)]
    for seen, asked in zip(*(([*each, sum(each)] if each else []) for each in logs), strict=True):
        far = np.max([far, np.min(seen) - asked, asked - np.max(seen)], axis=0)
    # Rows of a grid are not outside it for a rounding.
    return np.where(far < 1e-9, 0.0, far)
