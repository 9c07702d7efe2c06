"""A curve law with a smooth departure and noise, as a normal distribution in closed form,
averaged over the rest by sampling.

Given a law's non-linear coefficients and the scales of departure and noise, losses, linear coefficients and
the curve ahead are jointly normal: `normal`. `sample` draws what they are given. numpy alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from scalefit.core.law import Law
from scalefit.core.starts import linear

__all__ = ["Normal", "Walk", "columns", "moments", "normal", "sample", "walk"]

# Importance sampling: rounds, draws in each, Student's degrees of freedom of the proposals.
ROUNDS, PER_ROUND, FREEDOM = 8, 150, 8.0
# How much faster the departure's slope changes than its level (variance ratio).
SLOPE = 4.0


def columns(law: Law, values: Mapping[str, np.ndarray], x: Mapping[str, np.ndarray]) -> np.ndarray:
    """What each linear coefficient adds to the curve for 1 of it, (draws, rows, linear),
    for `values` (draws,) of the others.

    In numpy, each draw as a curve of its own: no device is touched, and nothing compiles.
    """
    parts, n = linear(law), len(next(iter(x.values())))
    k = len(next(iter(values.values()))) if values else 1
    rows = [np.repeat(np.arange(k), n) if name == "curve" else np.tile(x[name], k) for name in law.inputs]
    each = {name: np.repeat(column, n) for name, column in values.items()}
    unit = [{part: 1.0 * (part == name) for part in parts} for name in parts]
    try:
        columns = [np.broadcast_to(law.fn(*rows, **each, **one), (k * n,)).reshape(k, n) for one in unit]
    except ValueError:
        # A law that sums over places in its past takes one value of a coefficient at a time.
        given = [x[name] for name in law.inputs]
        draws = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
        columns = [
            np.stack([np.broadcast_to(law.fn(*given, **draw, **one), (n,)) for draw in draws]) for one in unit
        ]
    return np.stack(columns, axis=2)


class Walk(NamedTuple):
    """Covariances of the departure of unit scale: between losses, of places with losses, at places."""

    seen: np.ndarray
    across: np.ndarray
    ahead: np.ndarray


def walk(at: np.ndarray, start: np.ndarray, places: np.ndarray) -> Walk:
    """Level and slope random walks in log step, from the first loss:
    min(u, v) + SLOPE min^2 (3 max - min) / 6."""

    def covariance(u, v):
        lo, hi = np.minimum(u, v), np.maximum(u, v)
        return lo + SLOPE * lo**2 * (3 * hi - lo) / 6

    u, v = np.log(at / start[0]), np.log(places / start[0])
    return Walk(covariance(u[:, None], u), covariance(v[:, None], u), covariance(v, v))


class Normal(NamedTuple):
    """For each draw of exponents and scales:
    log evidence (k,), the curve ahead, and the linear coefficients with their units."""

    evidence: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    coefs: np.ndarray
    variances: np.ndarray
    unit: np.ndarray


def normal(design, ahead, z, noise, walk, kernel: Walk, mean, sd, unit) -> Normal:
    """Regression on `design` (k, n, p) with normal coefficients, departure `walk` (k,) and noise (k, n),
    in closed form."""
    spread = design * sd**2
    covariance = walk[:, None, None] ** 2 * kernel.seen + spread @ np.swapaxes(design, 1, 2)
    each = np.arange(len(z))
    # For exponents that no run has, the first losses would have variances that leave the others no digits.
    largest = np.max(covariance[:, each, each], axis=1, keepdims=True)
    covariance[:, each, each] += noise**2 + 1e-11 + 1e-13 * largest
    across = walk[:, None, None] ** 2 * kernel.across + (ahead * sd**2) @ np.swapaxes(design, 1, 2)
    alone = walk[:, None] ** 2 * kernel.ahead + np.sum((ahead * sd) ** 2, axis=2)
    root = np.linalg.cholesky(covariance)
    white = np.linalg.inv(root)
    w = np.einsum("kij,kj->ki", white, z - design @ mean)
    pull, own = white @ np.swapaxes(across, 1, 2), white @ spread
    evidence = -0.5 * np.sum(w**2, axis=1) - np.sum(np.log(np.diagonal(root, axis1=1, axis2=2)), axis=1)
    return Normal(
        evidence,
        ahead @ mean + np.einsum("kij,ki->kj", pull, w),
        alone - np.sum(pull**2, axis=1),
        (mean + np.einsum("kij,ki->kj", own, w)) * unit,
        (sd**2 - np.sum(own**2, axis=1)) * unit**2,
        unit,
    )


def sample(answer, centre: np.ndarray, spread: np.ndarray, key: int) -> tuple[np.ndarray, np.ndarray, Normal]:
    """Draws of the exponents and scales (k, q) with weights (k,),
    from proposals that learn from round to round.

    The first round is the prior; each further one Student's t with the moments of the round before, whose
    weights are tempered until at least a fifth of its draws count.
    """
    random, q = np.random.default_rng(key), len(centre)
    middle, root = centre, np.diag(spread)
    kept = []
    for k in range(ROUNDS):
        z = random.standard_normal((PER_ROUND, q))
        if k:
            z /= np.sqrt(random.chisquare(FREEDOM, PER_ROUND) / FREEDOM)[:, None]
        theta = middle + z @ root.T
        found = answer(theta)
        size = np.sum(z**2, axis=1)
        proposal = (-(FREEDOM + q) / 2 * np.log1p(size / FREEDOM) if k else -size / 2) - np.sum(
            np.log(np.diagonal(root))
        )
        target = found.evidence - 0.5 * np.sum(((theta - centre) / spread) ** 2, axis=1)
        log_weight = np.where(np.isfinite(target), target - proposal, -np.inf)
        if k:
            kept.append((theta, log_weight, found))
        weight = _tempered(log_weight)
        middle = weight @ theta
        off = (theta - middle) * np.sqrt(weight)[:, None]
        root = 1.1 * np.linalg.cholesky(off.T @ off + 1e-6 * np.diag(spread**2))
    theta, log_weight = (np.concatenate([part[k] for part in kept]) for k in (0, 1))
    weight = np.exp(log_weight - log_weight.max())
    return (
        theta,
        weight / weight.sum(),
        Normal(*(np.concatenate(parts) for parts in zip(*(part[2] for part in kept), strict=True))),
    )


def _tempered(log_weight: np.ndarray) -> np.ndarray:
    heat = 1.0
    while True:
        weight = np.exp((log_weight - log_weight.max()) / heat)
        weight /= weight.sum()
        if heat > 1e6 or 1 / np.sum(weight**2) >= len(weight) / 5:
            return weight
        heat *= 1.3


def moments(values: np.ndarray, weight: np.ndarray, variance: Any = 0.0) -> tuple[float, float]:
    """Mean and standard deviation of values known to within a variance;
    those without weight may be infinite."""
    counted = weight > 0
    values, weight, variance = (
        values[counted],
        weight[counted],
        np.broadcast_to(variance, len(weight))[counted],
    )
    mean = float(weight @ values)
    return mean, float(np.sqrt(max(weight @ ((values - mean) ** 2 + variance), 0.0)))
