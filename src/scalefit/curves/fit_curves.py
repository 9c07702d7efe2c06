"""Whole loss curves: long logs made short, and laws fitted to few curves without believing them too far.

both = sf.fit_curves(sf.condense(logs), weight="weight")
both.predict({"step": ..., "lr": ..., "run": ...})
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np

from scalefit import laws, schedule
from scalefit.arguments import by_name, two_numbers, whole
from scalefit.core.law import Law
from scalefit.core.linear import Linear, linearise
from scalefit.core.objective import Objective
from scalefit.core.support import POSITIVE
from scalefit.fits.ensemble import Ensemble
from scalefit.fits.fit import Fit
from scalefit.fits.fitting import fit
from scalefit.fits.status import Caution
from scalefit.runs import tables
from scalefit.runs.binding import bind, law_of, objective_of
from scalefit.words import short

__all__ = ["CURVE_LAWS", "condense", "fit_curves", "shrink"]

CURVE_LAWS = ("lr_annealing", "multi_power", "fsl")
# A block of steps is no longer than this share of the steps since the run began, or since its rate jumped.
SHARE = 0.05
# A change of the rate from one row to the next by more than this share of the highest is a jump.
JUMP = 0.01
# Rows of a stretch without a loss come closer to its end by this factor.
CLOSER = 0.8
# Standard deviations between the ends of a range that holds 90 %.
RANGE = 2 * 1.6448536269514722
# The run that usual ranges of the laws over curves are for (arXiv:2503.12811: 24,000 steps, peak 3e-4).
USUAL_STEPS, USUAL_RATE = 24_000.0, 3e-4
# Beyond so many standard deviations a usual range was meant for other units or other runs.
FAR = 3.0
# What a range settles that the curves alone leave open.
SETTLED_BY_RANGES = ("at-bound", "not-identified", "starts-disagree", "not-converged", "implausible")
# Descents end when the next step promises less than this of the log of a posterior density.
SETTLED, MOST_STEPS = 1e-9, 300


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


def shrink(fit: Fit, ranges: Mapping[str, tuple[float, float]] | None = None) -> Fit:
    """The fit drawn towards the usual ranges of its coefficients, as far as its curves leave them open.

    Rows of one curve err together: where a law is off, it is off along the whole curve. So a curve, however
    many rows it has, counts as one observation here (a group, where the fit has groups and no curves; a row,
    where neither). Minimises

        n/2 log V(u) + 1/2 sum_k ((u_k - m_k) / s_k)^2

    over the coordinates u, with V the mean over the n curves of their mean objective (its scale fitted along)
    and a normal of mean m and standard deviation s for every coefficient, 90 % of which is its range: the
    posterior's mode.

    Args:
        fit: of one law, as `sf.fit` returns it.
        ranges: coefficient -> (lo, hi) in natural units, in place of the law's own `typical` ones; None for
            no range. The usual ranges of laws over curves are for a peak rate of 3e-4 and 24,000 steps, and
            are moved by the coefficients' units to these runs'.

    Returns:
        Another fit, whose `covariance` is the inverse curvature there and whose `value` is the objective
        summed as before. Coefficients further than 3 s from their range's middle are warned of.

    Raises:
        ValueError: for ranges outside the support or of coefficients the law has not, and for what is no fit
            of one law.

    Example:
        >>> sf.shrink(curve_fit).basis
        'curvature, with ranges'
    """
    if not isinstance(fit, Fit):
        raise ValueError(f"shrink takes a fit of one law, as sf.fit returns it, not {type(fit).__name__}")
    law, counted, ranges = fit.law, fit.data.counted, by_name("ranges", ranges)
    mean, precision = _ranges(law, ranges)
    mean = mean + _moved(fit, mean, set(ranges))
    share, n = _shares(fit)
    best = None
    near = np.clip(fit.u, mean - 2 / np.sqrt(precision + 1e-12), mean + 2 / np.sqrt(precision + 1e-12))
    for start in (fit.u, near, (near + mean) / 2):
        found = _descend(fit, np.where(precision > 0, start, fit.u), share, n, mean, precision)
        if best is None or found[0] < best[0]:
            best = found
    assert best is not None
    _, u, linear, curvature, settled = best
    coefs = {c.name: c.support.inside(v) for c, v in zip(law.coefs, u, strict=True)}
    value = float(np.sum(fit.data.weight[counted] * linear.cost))
    # A curve counts as one observation below, so what its rows share does no harm.
    over = (*SETTLED_BY_RANGES, "shared-errors") if law.whole else SETTLED_BY_RANGES
    said = [c for c in fit.warnings if c.code not in over] + _far(law, u, mean, precision)
    if not settled:
        said.append(Caution("not-converged", "serious", f"shrinking did not settle in {MOST_STEPS} steps"))
    worst = {c.severity for c in said}
    trust = "bad" if "serious" in worst else "weak" if "warning" in worst else "good"
    concerns = tuple(dict.fromkeys(c.code for c in said if c.severity != "info"))
    status = replace(fit.status, trust=trust, converged=settled, cautions=concerns)
    what = "curves" if law.whole else "groups" if fit.data.group is not None else "rows"
    note = f"drawn towards usual ranges; {n} {what} count as one observation each"
    return fit.changed(
        coefs=coefs,
        value=value,
        covariance=np.linalg.pinv(curvature, hermitian=True),
        draws=None,
        status=status,
        warnings=tuple(said),
        notes=(*fit.notes, note),
        basis="curvature, with ranges",
    )


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
    equal weights (schedules left out one by one do not tell them apart: benchmarks/curves.md). On the curves
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
        found = fit(law, runs, inputs, y, objective=objective, weight=weight, key=key)
        fits[found.law.name] = shrink(found, ranges.get(found.law.name))
    return Ensemble(fits, dict.fromkeys(fits, 1 / len(fits)))


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


def _ranges(law: Law, given: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Middles of the ranges on the real line, and their precisions: 0 for those without; (p,) each."""
    law.require(given)
    mean, precision = np.zeros(len(law.coefs)), np.zeros(len(law.coefs))
    for k, coef in enumerate(law.coefs):
        found = given.get(coef.name, coef.typical)
        if found is None:
            continue
        lo, hi = two_numbers(found)
        if not (lo < hi and lo in coef.support and hi in coef.support):
            raise ValueError(f"ranges: {coef.name} has {short(found)}; give (lo, hi), both {coef.support}")
        ends = sorted(float(coef.support.to_real(end)) for end in (lo, hi))
        mean[k], precision[k] = sum(ends) / 2, (RANGE / (ends[1] - ends[0])) ** 2
    return mean, precision


def _moved(fit: Fit, mean: np.ndarray, given: set[str]) -> np.ndarray:
    """By how much the middles of the usual ranges of a law of rates move for these runs,
    on the real line (p,).

    Usual ranges are those of runs of `USUAL_STEPS` steps at `USUAL_RATE`;
    a coefficient's unit says what it is at another length and rate.
    """
    law, moved = fit.law, np.zeros(len(mean))
    if not {"step", "eta"} <= set(law.inputs):
        return moved
    with np.errstate(over="ignore"):
        usual = {
            c.name: c.support.from_real(np.float64(m), xp=np) for c, m in zip(law.coefs, mean, strict=True)
        }
    usual |= {name: 1.0 for name in law.inputs if name not in law.labels} | {"y": 1.0}
    here = {"step": float(np.max(fit.data.x["step"])), "eta": float(np.max(fit.data.x["eta"]))}
    if not here["eta"] > 0:
        raise ValueError(
            f"the learning rate (column {fit.columns.get('eta', 'eta')!r}) is zero in every row, so nothing "
            "is learnt from it; give the rates of the schedule, or a law of the steps alone"
        )
    there = {"step": USUAL_STEPS, "eta": USUAL_RATE}
    for k, coef in enumerate(law.coefs):
        if coef.unit is not None and coef.support == POSITIVE and coef.name not in given:
            with np.errstate(all="ignore"):
                moved[k] = np.log(coef.size(usual | here) / coef.size(usual | there))
    if not np.isfinite(moved).all():
        raise ValueError(
            "ranges: these coefficients are beyond what numbers can hold; give ranges nearer to 1"
        )
    return moved


def _shares(fit: Fit) -> tuple[np.ndarray, int]:
    """What part of its curve's weight each counted row has, and the number of curves."""
    law, counted = fit.law, fit.data.counted
    label = next((name for name in law.labels if law.domain[name].allowed == "a curve"), None)
    group = np.arange(len(fit.data)) if fit.data.group is None else fit.data.group
    group = fit.data.x[label] if label else group
    _, code = np.unique(group[counted], return_inverse=True)
    weight = fit.data.weight[counted]
    return weight / np.bincount(code, weight)[code], int(code.max()) + 1


def _descend(fit: Fit, u: np.ndarray, share: np.ndarray, n: int, mean: np.ndarray, precision: np.ndarray):
    """Goal, coordinates, linearisation, curvature and whether it settled:
    damped Newton steps, rows beyond the width reweighted."""

    def at(u: np.ndarray) -> tuple[float, Linear]:
        with np.errstate(all="ignore"):
            linear = linearise(fit.law, fit.objective, u, fit.data.x, fit.data.y).take(fit.data.counted)
            size = float(np.sum(share * linear.cost))
            goal = n / 2 * np.log(size / n + 1e-300) + np.sum(precision * (u - mean) ** 2) / 2
        return (goal if np.all(np.isfinite(linear.jacobian)) and np.isfinite(goal) else np.inf), linear

    goal, here = at(u)
    damping, settled, curvature = 1e-3, False, np.eye(len(u))
    for _ in range(MOST_STEPS if np.isfinite(goal) else 0):
        scale = n / (2 * float(np.sum(share * here.cost)) + 1e-300)
        r = np.where(here.residual == 0, 1.0, here.residual)
        bend = np.where(here.residual == 0, here.bend, here.slope / r)
        gradient = scale * here.jacobian @ (share * here.slope) + precision * (u - mean)
        curvature = scale * (here.jacobian * (share * bend)) @ here.jacobian.T + np.diag(precision)
        step = -np.linalg.lstsq(curvature + damping * np.diag(np.diag(curvature)), gradient, rcond=1e-14)[0]
        step *= min(1.0, 2 / max(np.max(np.abs(step)), 1e-300))
        if -gradient @ step < SETTLED or damping > 1e12:
            settled = True
            break
        tried, there = at(u + step)
        if tried < goal:
            u, goal, here, damping = u + step, tried, there, damping / 5
        else:
            damping *= 8
    return goal, u, here, curvature, settled


def _far(law: Law, u: np.ndarray, mean: np.ndarray, precision: np.ndarray) -> list[Caution]:
    """Warnings of coefficients that end far from their ranges."""
    away = np.abs(u - mean) * np.sqrt(precision)
    return [
        Caution(
            "far-from-range",
            "warning",
            f"{c.name} = {c.support.inside(v):.3g} is {d:.1f} standard deviations from the middle "
            f'of its range; give one that suits these runs: ranges={{"{c.name}": (lo, hi)}}',
        )
        for c, v, d in zip(law.coefs, u, away, strict=True)
        if d > FAR
    ]
