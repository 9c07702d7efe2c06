"""Whole loss curves: long logs made short, and laws fitted to few curves without believing them too far.

both = sf.fit_curves(sf.condense(logs), weight="weight")
both.predict({"step": ..., "lr": ..., "run": ...})
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np

from scalefit import laws, schedule
from scalefit.arguments import by_name, whole
from scalefit.core.law import Law
from scalefit.core.objective import Objective
from scalefit.fits.ensemble import Ensemble
from scalefit.fits.fit import Fit
from scalefit.fits.fitting import fit
from scalefit.fits.shrinking import shrink
from scalefit.runs import tables
from scalefit.runs.binding import bind, law_of, objective_of
from scalefit.words import short

__all__ = ["CURVE_LAWS", "condense", "fit_curves"]

CURVE_LAWS = ("lr_annealing", "multi_power", "fsl")
# A block of steps is no longer than this share of the steps since the run began, or since its rate jumped.
SHARE = 0.05
# The first percents of a run lie far above the rest, where no law follows: this share of its steps is left
# out.
TRANSIENT = 0.05
# A change of the rate from one row to the next by more than this share of the highest is a jump.
JUMP = 0.01
# Rows of a stretch without a loss come closer to its end by this factor.
CLOSER = 0.8


def condense(
    runs: Any,
    inputs: Mapping[str, str] | None = None,
    y: str | None = None,
    *,
    rows: int = 200,
    tolerance: float = 1e-5,
) -> dict[str, np.ndarray]:
    """Curves with a row per step made short: a table of a few hundred rows per curve.

    In time linear in the steps. Losses become means over blocks, placed at the middle row of each: at most
    about `rows` blocks of equal length, shorter ones at the beginning and after the rate jumps (5 % of the
    steps since), where a mean would hide the curve's bend. Rows without a loss are added so that the rate, a
    straight line between rows as the laws read it, is nowhere further from the table's than `tolerance` times
    the highest rate of its curve.

    Args:
        runs: as for `sf.fit` with a curve law; rows without a loss hold NaN.
        inputs: columns of the inputs, as for `sf.fit`.
        y: the column of losses, as for `sf.fit`.
        rows: about how many blocks of equal length there are at most in a curve.
        tolerance: how far the rate between rows may lie off the table's, as a share of the curve's highest
            rate.

    Returns:
        A dict of columns of equal length. Other columns keep their value at the rows kept. `weight` says how
        many losses each is the mean of (0 where there is none); pass weight="weight" to `sf.fit`.

    Raises:
        ValueError: for a table no curve law could be fitted to, one that has a column "weight", and for
            `rows` or `tolerance` out of range.

    Example:
        >>> short = sf.condense(curves, rows=20)
        >>> list(short), int(short["weight"].sum()) == len(curves["loss"])
        (['step', 'lr', 'run', 'loss', 'weight'], True)
    """
    rows = whole(rows, "rows", 1)
    if not (isinstance(tolerance, Real) and 0 < tolerance < np.inf):
        raise ValueError(f"tolerance must be a positive number, got {short(tolerance)}")
    table, law = tables.columns_of(runs), laws.get("lr_annealing")
    if "weight" in table:
        raise ValueError("the table has a column 'weight', which condense makes; rename it")
    data, columns, _ = bind(law, table, inputs, y, None, None, objective_of(law, None), enough=1)
    curve = data.x["curve"]
    bounds = np.flatnonzero(np.append(True, curve[1:] != curve[:-1]))
    kept, losses, counts = [], [], []
    for begin, end in zip(bounds, np.append(bounds[1:], len(curve)), strict=True):
        step, eta, loss = (column[begin:end] for column in (data.x["step"], data.x["eta"], data.y))
        middle, mean, count = _blocks(step, eta, loss, rows)
        at = np.unique(np.concatenate([[0], middle, _refined(loss, eta), [len(step) - 1]])).astype(int)
        at = schedule.knots(step, eta, at, tolerance * max(np.max(eta), 1e-300))
        value, many = np.full(len(at), np.nan), np.zeros(len(at))
        place = np.searchsorted(at, middle)
        value[place], many[place] = mean, count
        kept.append(begin + at)
        losses.append(value)
        counts.append(many)
    index = np.concatenate(kept)
    taken = {str(name): np.asarray(table[name])[index] for name in table}
    return taken | {columns["y"]: np.concatenate(losses), "weight": np.concatenate(counts)}


def fit_curves(
    runs: Any,
    laws: Sequence[str | Law] = CURVE_LAWS,
    inputs: Mapping[str, str] | None = None,
    y: str | None = None,
    objective: Objective | None = None,
    weight: str | Sequence[float] | None = None,
    ranges: Mapping[str, Mapping[str, tuple[float, float]]] | None = None,
    key: int = 0,
) -> Ensemble:
    """Several curve laws fitted to loss curves, drawn towards usual ranges, averaged with equal weights.

    A few schedules tell neither how exactly a law responds to a falling rate nor which law is right, and both
    matter under another schedule or over a longer run: hence `shrink`, and hence several laws, averaged with
    equal weights (schedules left out one by one do not tell them apart: benchmarks/curves.md). The first
    twentieth of each curve is left out: a transient far above the rest that no law follows. On the curves
    of arXiv:2503.12811 unseen schedules are predicted with a sixth less error than by that paper's
    coefficients; the last losses of longer runs and of cooldowns come out 0.004 to 0.014 nats too low all the
    same.

    Args:
        runs: a table of curves, as for `sf.fit` with a curve law; long ones through `sf.condense` first.
        laws: the curve laws, by id or as Law.
        inputs: columns of the inputs, as for `sf.fit`.
        y: the column of losses, as for `sf.fit`.
        objective: as for `sf.fit`.
        weight: of every row, a column or numbers, as for `sf.fit`.
        ranges: law's name -> its `ranges` for `shrink`.
        key: seed, as for `sf.fit`.

    Returns:
        An `Ensemble` of the shrunken fits with equal weights.

    Raises:
        ValueError: for no law, `ranges` of none of the laws, and as `sf.fit` and `sf.shrink` do.
        KeyError: for an unknown law.

    Example:
        >>> sf.fit_curves(curves, laws=["lr_annealing"]).weights
        {'lr_annealing': 1.0}
    """
    several = (laws,) if isinstance(laws, str | Law) or not isinstance(laws, Iterable) else tuple(laws)
    chosen, ranges = [law_of(law) for law in several], by_name("ranges", ranges)
    if not chosen:
        raise ValueError("laws names no law; leave it out for " + ", ".join(CURVE_LAWS))
    names = [law.name for law in chosen]
    if stray := [name for name in ranges if name not in names]:
        raise ValueError(f"ranges: {short(stray[0])} is none of the laws, {tables.listed(names)}")
    fits: dict[str, Fit] = {}
    for law in chosen:
        late = _late(law, runs, inputs, y, objective, weight)
        found = fit(law, runs, inputs, y, objective=objective, weight=late, key=key)
        fits[found.law.name] = shrink(found, ranges.get(found.law.name))
    return Ensemble(fits, dict.fromkeys(fits, 1 / len(fits)))


def _late(law: Law, runs, inputs, y, objective, weight) -> Any:
    """The weights without the first percents of each curve."""
    if not {"step", "curve"} <= set(law.inputs):
        return weight
    data, _, _ = bind(law, runs, inputs, y, None, weight, objective_of(law, objective), enough=1)
    _, code = np.unique(data.x["curve"], return_inverse=True)
    end = np.zeros(int(code.max()) + 1)
    counted = data.counted
    np.maximum.at(end, code[counted], data.x["step"][counted])
    return np.where(data.x["step"] > TRANSIENT * end[code], data.weight, 0.0)


def _blocks(step: np.ndarray, eta: np.ndarray, loss: np.ndarray, rows: int) -> tuple[np.ndarray, ...]:
    """Middle row, mean and number of losses of each block."""
    seen = np.flatnonzero(~np.isnan(loss))
    if len(seen) <= rows:
        return seen, loss[seen], np.ones(len(seen))
    jumps = np.flatnonzero(np.abs(np.diff(eta)) > JUMP * np.max(eta)) + 1
    at, longest, first, origin, starts = step[seen], len(seen) / rows, 0, 0.0, []
    for jump in (*jumps, len(step)):
        stop = int(np.searchsorted(seen, jump))
        while first < stop:
            starts.append(first)
            gap = at[min(first + 1, len(at) - 1)] - at[first]
            length = min(longest, SHARE * (at[first] - origin) / gap if gap > 0 else 1.0)
            # Odd, so that the middle row lies in the middle.
            first = min(first + 2 * int(max(0.0, length - 1) / 2) + 1, stop)
        origin = step[jump - 1]
    begin = np.array(starts)
    count = np.diff(np.append(begin, len(seen)))
    return seen[begin + count // 2], np.add.reduceat(loss[seen], begin) / count, count.astype(float)


def _refined(loss: np.ndarray, eta: np.ndarray) -> np.ndarray:
    """Rows ever closer to the ends of long stretches without a loss, such as warm-ups:
    what changed last counts most."""
    seen = np.flatnonzero(~np.isnan(loss))
    ends = np.append(0, seen)
    usual = (seen[-1] - seen[0]) / (len(seen) - 1) if len(seen) > 1 else 1.0
    long = np.flatnonzero((np.diff(ends) > 2 * usual) & (np.diff(eta[ends]) != 0))
    more = [np.zeros(0)]
    for a, b in zip(ends[long], ends[long + 1], strict=True):
        powers = np.arange(1, 1 - np.log(b - a) / np.log(CLOSER))
        more.append(b - np.floor((b - a) * CLOSER**powers))
    return np.unique(np.concatenate(more)).astype(int)
