"""What a learning-rate schedule amounts to at each logged step: functionals of whole curves, and no laws.

Rows are logged steps; those of one curve follow each other in rising order of `step`. Between two rows the
rate is linear in the step. The first row closes a stretch from step 0 at its own rate, as nothing is known of
what came before; rows without a loss state it, e.g. (step 0, rate 0), (end of the warm-up, peak). All sums
are over whole steps, not integrals: with a row at every step they are the definitions of the papers, and a
stretch between two rows counts as the steps in it. Two rows at one step are a jump of the rate right after
it.

Functions take numpy or JAX arrays and keep their precision.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from scalefit.core.formula import block
from scalefit.core.maths import cumsum, exp, expm1, log, maximum, minimum, sqrt, where

__all__ = ["TINY", "Past", "Run", "annealing", "linear_recurrence", "past", "read", "total"]

# Stretches this recent are looked at one by one;
# older ones in groups, each this much longer than the one before.
RECENT, GROWTH = 8, 1.25
# Gauss-Legendre places and shares within one stretch;
# for n steps they are drawn in to fit a sum instead of an integral.
NODES, SHARES = np.polynomial.legendre.leggauss(4)
# Stands for a rate or an area of zero, so that powers of it are finite.
TINY = 1e-30


class Run(NamedTuple):
    """Curves as stretches of steps, one per row and ending there; all (n,).

    inside: 0 where a curve begins, else 1. before, eta: the rate at the stretch's beginning and end. area:
    the sum of rates of all steps so far (S1). lost: how much the rate fell over the stretch, negative where
    it rose; fallen: the sum of these so far.
    """

    inside: Any
    steps: Any
    before: Any
    eta: Any
    area: Any
    lost: Any
    fallen: Any


class Past(NamedTuple):
    """For each row the places in its past where the rate changed; all (n, places).

    lost: by how much it fell. rate: what it fell to. since:
    the sum of rates from that step (included) to the row.
    """

    lost: Any
    rate: Any
    since: Any


@block(r"x_{{i}} = {0} x_{{i-1}} + {1}")
def linear_recurrence(a: Any, b: Any) -> Any:
    """x_i = a_i x_(i-1) + b_i with x_0 = b_0 along the first axis,
    in O(n) work and O(log n) vector operations.

    Two steps at a time are a recurrence of half the length, which gives every other x (a parallel scan).
    """
    return _scan(a, b)


def _scan(a: Any, b: Any) -> Any:
    n, half = len(b), len(b) // 2
    if n == 1:
        return b
    xp = b.__array_namespace__()
    odd = _scan(a[1::2] * a[: 2 * half : 2], a[1::2] * b[: 2 * half : 2] + b[1::2])
    even = xp.concat([b[:1], a[2::2] * odd[: n - half - 1] + b[2::2]])
    return xp.concat([xp.stack([even[:half], odd], axis=1).reshape(2 * half, *b.shape[1:]), even[half:]])


def read(step: Any, eta: Any, curve: Any, warmup: bool = True) -> Run:
    """Columns of logged steps as stretches. warmup=False:
    rises before the rate first falls are no negative loss of it."""
    step, eta, curve = (column.reshape(-1) for column in (step, eta, curve))
    previous = np.maximum(np.arange(len(step)) - 1, 0)
    inside = where(curve == curve[previous], step * 0 + 1, step * 0) * (np.arange(len(step)) > 0)
    steps = step - inside * step[previous]
    before = where(inside > 0, eta[previous], eta)
    # The rates of steps 1, ..., n of a stretch from e_0 to e_n: n e_0 + (e_n - e_0) (n + 1) / 2.
    rates = where(steps > 0, steps * before + (eta - before) * (steps + 1) / 2, 0)
    lost = before - eta
    if not warmup:
        lost = where((lost > 0) | (linear_recurrence(inside, maximum(lost, 0)) > 0), lost, 0)
    area, fallen = _totals(inside, rates, lost)
    return Run(inside, steps, before, eta, maximum(area, TINY), lost, fallen)


def _totals(inside: Any, *columns: Any) -> list[Any]:
    """Running sums that begin anew with every curve."""
    b = inside.__array_namespace__().stack(columns, axis=1)
    totals = linear_recurrence(inside[:, None] + 0 * b, b)
    return [totals[:, k] for k in range(len(columns))]


def annealing(run: Run, lam: Any) -> Any:
    """S2, the sum of m over all steps, where m_i = lam m_(i-1) + (eta_(i-1) - eta_i) and m = 0 at first."""
    n = maximum(run.steps, 1)
    # Over a stretch of n steps m decays by lam^n and gains (lost / n) (1 + lam + ... + lam^(n-1)).
    gained = run.lost / n * -expm1(n * log(lam)) / (1 - lam)
    m = _decaying(log(lam), cumsum(run.steps), cumsum(1 - run.inside), gained)
    # Summed over all steps, the recurrence itself says S2 = lam (S2 - m) + everything lost.
    return (run.fallen - lam * m) / (1 - lam)


def _decaying(decay: Any, at: Any, curve: Any, gained: Any) -> Any:
    """m_i, the sum over j <= i of one curve of exp(decay (at_i - at_j)) gained_j; all (n,), `decay` or one.

    Sums over ever twice as many rows, each of two over half of them: with the rows known, all that a level
    leaves to do is one exponential and one product.
    """
    xp, m, s = gained.__array_namespace__(), gained, 1
    while s < len(m):
        same = (curve[s:] == curve[:-s]) + 0.0
        passed = same * (at[s:] - at[:-s])
        kept = same * exp((decay[s:] if decay.ndim else decay) * passed)
        m, s = xp.concat([m[:s], m[s:] + kept * m[:-s]]), 2 * s
    return m


def past(run: Run) -> Past:
    """Where the rate changed before each row, in about 30 + 10 log(n / 8) places instead of all steps.

    Each of the last 8 stretches gives four places, by Gauss-Legendre's rule (a single step gives itself);
    older stretches are taken together in groups up to a quarter as long as they are old, one place at the
    centre of what was lost and one of what was gained.
    """
    xp, row = run.area.__array_namespace__(), np.arange(len(run.area))
    n, rise = maximum(run.steps, 1), run.eta - run.before
    start = run.area - where(run.steps > 0, run.steps * run.before + rise * (run.steps + 1) / 2, 0)
    at = [(n + 1 + node * sqrt(n**2 - 1)) / 2 for node in NODES.tolist()]
    rate = [maximum(run.before + rise * j / n, 0) for j in at]
    place = [start + (j - 1) * run.before + rise * (j - 1) * j / (2 * n) for j in at]

    def mean(values):
        return sum(share / 2 * v for share, v in zip(SHARES.tolist(), values, strict=True))

    # Of a group's rates the mean of the roots counts: responses go with powers below 1 of the rate.
    root, centre = mean([sqrt(r) for r in rate]), mean(place)
    falls, rises = maximum(run.lost, 0), maximum(-run.lost, 0)
    weighed = [weight * v for weight in (falls, rises) for v in (1, root, centre)]
    position, *sums = _totals(run.inside, run.inside, *weighed)

    def back(lag):
        return (row[:, None] - minimum(np.array(lag), position[:, None])).astype(int)

    recent = back(range(RECENT))
    parts = [
        (run.lost[recent] * (share / 2), r[recent], s[recent])
        for share, r, s in zip(SHARES.tolist(), rate, place, strict=True)
    ]
    bounds = [RECENT]
    while bounds[-1] < len(row):
        bounds.append(bounds[-1] + max(2, int(bounds[-1] * (GROWTH - 1))))
    older = back(bounds)
    near, far = older[:, :-1], older[:, 1:]
    for sign, totals in ((1, sums[:3]), (-1, sums[3:])):
        lost, roots, places = (total[near] - total[far] for total in totals)
        size = where(lost > 0, lost, 1)
        middle = minimum(maximum(places / size, run.area[far]), run.area[near])
        parts.append((sign * lost, where(lost > 0, (roots / size) ** 2, run.eta[near]), middle))
    lost, rate, place = (xp.concat(part, axis=1) for part in zip(*parts, strict=True))
    return Past(lost, maximum(rate, TINY), maximum(run.area[:, None] - place, 0))


def total(values: Any) -> Any:
    """The sum over places (n,) of values (n, places).

    For JAX a product with ones: a sum is fused with what it adds up, whose powers are then worked out one by
    one, which takes almost three times as long.
    """
    return values.sum(axis=1) if isinstance(values, np.ndarray) else values @ np.ones(values.shape[1])
