"""Fits drawn towards the usual ranges of their coefficients, as far as their rows leave them open.

sf.shrink(sf.fit("chinchilla", runs))
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from operator import itemgetter
from typing import Any

import numpy as np

from scalefit.arguments import by_name, two_numbers
from scalefit.core.law import Law
from scalefit.core.linear import Linear, linearise
from scalefit.core.support import POSITIVE
from scalefit.fits.fit import Fit
from scalefit.fits.status import Caution, verdict

__all__ = ["SETTLED_BY_RANGES", "SHRUNKEN", "ranges_of", "shrink"]

# What the covariance of such a fit comes from.
SHRUNKEN = "curvature, with ranges"

# Standard deviations between the ends of a range that holds 90 %.
RANGE = 2 * 1.6448536269514722
# The run that usual ranges of the laws over curves are for (arXiv:2503.12811: 24,000 steps, peak 3e-4).
USUAL_STEPS, USUAL_RATE = 24_000.0, 3e-4
# Beyond so many standard deviations a usual range was meant for other units or other runs.
FAR = 3.0
# Ranges that raise the scatter of residuals by more than PULLED are said to, and those that raise it to more
# than MOST times what it is without them contradict the rows: they are taken as twice as wide, and again.
PULLED, MOST, DOUBLINGS = 0.1, 2.0, 10
# What a range settles that the curves alone leave open.
SETTLED_BY_RANGES = ("at-bound", "not-identified", "starts-disagree", "not-converged", "implausible")
# Descents end when the next step promises less than this of the log of a posterior density.
SETTLED, MOST_STEPS = 1e-9, 300


def shrink(fit: Fit, ranges: Mapping[str, tuple[float, float]] | None = None) -> Fit:
    """The fit drawn towards the usual ranges of its coefficients, as far as its rows leave them open.

    Rows of one curve err together: where a law is off, it is off along the whole curve. So a curve, however
    many rows it has, counts as one observation here (a group by its weight, where the fit has groups and no
    curves; a row by its weight, where neither). Minimises

        n/2 log V(u) + 1/2 sum_k ((u_k - m_k) / s_k)^2

    over the coordinates u, with V the mean over the n curves of their mean objective (its scale fitted along)
    and a normal of mean m and standard deviation s for every coefficient, 90 % of which is its range: the
    posterior's mode. Ranges that would more than double the scatter of residuals contradict the rows: they
    are taken as twice as wide until they do not.

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
    mean, precision = ranges_of(law, ranges)
    mean = mean + _moved(fit, mean, set(ranges))
    share, n = _shares(fit)
    free = linearise(law, fit.objective, fit.u, fit.data.x, fit.data.y).take(counted)
    for wider in range(DOUBLINGS + 1):
        _, u, linear, curvature, settled = _best(fit, share, n, mean, precision / 4**wider)
        scatter = np.sqrt(np.sum(share * linear.cost) / max(np.sum(share * free.cost), 1e-300))
        if scatter <= MOST:
            break
    coefs = {c.name: c.support.inside(v) for c, v in zip(law.coefs, u, strict=True)}
    value = float(np.sum(fit.data.weight[counted] * linear.cost))
    # A curve counts as one observation below, so what its rows share does no harm.
    over = (*SETTLED_BY_RANGES, "shared-errors") if law.whole else SETTLED_BY_RANGES
    said = [c for c in fit.warnings if c.code not in over] + _far(law, u, mean, precision)
    said += _pulled(fit, u, precision, scatter, wider)
    if not settled:
        said.append(Caution("not-converged", "serious", f"shrinking did not settle in {MOST_STEPS} steps"))
    trust, concerns = verdict(said)
    status = replace(fit.status, trust=trust, converged=settled, cautions=concerns)
    what = "curves" if law.whole else "groups" if fit.data.group is not None else "rows"
    note = f"drawn towards usual ranges; {n:.3g} {what} count as one observation each"
    drawn = fit.changed(
        coefs=coefs,
        value=value,
        covariance=np.linalg.pinv(curvature, hermitian=True),
        draws=None,
        status=status,
        warnings=tuple(said),
        notes=(*fit.notes, note),
        basis=SHRUNKEN,
    )
    drawn.kept["ranges"] = dict(ranges)
    return drawn


def ranges_of(law: Law, given: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Middles of the ranges on the real line, and their precisions: 0 for those without; (p,) each."""
    law.require(given)
    mean, precision = np.zeros(len(law.coefs)), np.zeros(len(law.coefs))
    for k, coef in enumerate(law.coefs):
        found = given.get(coef.name, coef.typical)
        if found is None:
            continue
        lo, hi = two_numbers(found)
        if not (lo < hi and lo in coef.support and hi in coef.support):
            raise ValueError(f"ranges: {coef.name} has ({lo:g}, {hi:g}); give (lo, hi), both {coef.support}")
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


def _shares(fit: Fit) -> tuple[np.ndarray, float]:
    """How much each counted row counts, and the sum: one for every curve; groups, or rows by themselves, as
    they weigh, in all the number that their weights leave, (sum w)^2 / sum w^2."""
    law, counted = fit.law, fit.data.counted
    weight = fit.data.weight[counted]
    label = next((name for name in law.labels if law.domain[name].allowed == "a curve"), None)
    group = np.arange(len(fit.data)) if fit.data.group is None else fit.data.group
    group = group if label is None else fit.data.x[label]
    _, code = np.unique(group[counted], return_inverse=True)
    total = np.bincount(code, weight)
    n = float(np.sum(total) ** 2 / np.sum(total**2)) if label is None else float(len(total))
    each = total / np.sum(total) * n if label is None else np.ones(len(total))
    return weight * (each / total)[code], n


def _best(fit: Fit, share: np.ndarray, n: float, mean: np.ndarray, precision: np.ndarray):
    """The lowest end of descents from the fit, from near the ranges, and from between."""
    near = np.clip(fit.u, mean - 2 / np.sqrt(precision + 1e-12), mean + 2 / np.sqrt(precision + 1e-12))
    starts = [np.where(precision > 0, start, fit.u) for start in (fit.u, near, (near + mean) / 2)]
    # A fit within its ranges is near them already.
    apart = [starts[0], *starts[1 + np.array_equal(starts[0], starts[1]) :]]
    return min((_descend(fit, start, share, n, mean, precision) for start in apart), key=itemgetter(0))


def _descend(fit: Fit, u: np.ndarray, share: np.ndarray, n: float, mean: np.ndarray, precision: np.ndarray):
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


def _pulled(fit: Fit, u: np.ndarray, precision: np.ndarray, scatter: float, wider: int) -> list[Caution]:
    """What ranges cost the fit, and which coefficient they move most."""
    if scatter < 1 + PULLED and not wider:
        return []
    k = int(np.argmax(np.abs(u - fit.u) * np.sqrt(precision)))
    coef, drawn = fit.law.coefs[k], fit.law.coefs[k].support.inside(u[k])
    return [
        Caution(
            "pulled",
            "info",
            f"usual ranges raise the scatter of residuals by {scatter - 1:.0%}"
            + (f" though taken as {2**wider} times as wide" if wider else "")
            + f"; most moved is {coef.name}, from {fit.coefs[coef.name]:.3g} to {drawn:.3g}; where the rows "
            f'know better, ranges={{"{coef.name}": None}}',
        )
    ]
