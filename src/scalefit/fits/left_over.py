"""What a fit leaves over, and tests of whether it is alike in some rows: F tests that allow for the fit.

Residuals are brought to one scale, wild ones are drawn in, and everything that the law's coefficients or a
smooth trend in the inputs could still take up is taken out. What is left is compared with its spread, so a
test's level holds for heavy tails, changing errors and few rows alike (`benchmarks/false_alarms.md`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import fdtrc, ndtr

from scalefit.core.linear import orthonormal

__all__ = ["Left", "Levels", "Test", "between", "explained", "following", "left_over", "levels", "trends"]

# Degrees of freedom that a test must leave, and pairs of neighbours that it needs.
SPARE, PAIRS = 5, 12
# A trend in the inputs is taken out where it leaves this many.
ENOUGH = 12
# Residuals beyond this many usual ones count as that many.
MOST = 3.0
# A direction less of which is left than this share has been taken out.
GONE = 1e-3
# The share of a column that must be its own.
OWN = 0.1


class Left(NamedTuple):
    """Residuals (n,) on one scale with what can be explained taken out; positive above the curve.

    basis: orthonormal columns (n, m) that were taken out. weight: what a residual was multiplied by, its
    mean square 1. spare: degrees of freedom left. smooth: orthonormal columns that hold what is smooth in the
    inputs, taken out or not.
    """

    error: np.ndarray
    basis: np.ndarray
    weight: np.ndarray
    spare: int
    smooth: np.ndarray

    @property
    def square(self) -> float:
        """The sum of squares."""
        return float(self.error @ self.error)


class Levels(NamedTuple):
    """A column's distinct values, ascending; by row their places; how often each stands, and where first."""

    values: np.ndarray
    place: np.ndarray
    counts: np.ndarray
    first: np.ndarray

    def ranks(self) -> np.ndarray:
        """Middle ranks from -1 to 1; 0 where there is no number."""
        known = len(self.counts) - int(np.isnan(self.values[-1]))
        below = np.cumsum(self.counts) - self.counts / 2
        rank = 2 * below / max(float(np.sum(self.counts[:known])), 1.0) - 1
        rank[known:] = 0.0
        return rank[self.place]


class Test(NamedTuple):
    """A test's chance level, the size of what was found, and how strong it is.

    size: standard deviation of what rows share, in the units of the residuals. share: of the variance that is
    left over; for neighbours, their correlation.
    """

    p: float
    size: float
    share: float


def left_over(
    residual: np.ndarray, design: np.ndarray, logs: Sequence[np.ndarray], n_coefs: int
) -> Left | None:
    """The residuals (n,) of a fit with Jacobian `design` (n, p), free of that and of trends in `logs`.

    None where they leave too little freedom, or are zero.
    """
    n = len(residual)
    # As many residuals as there are coefficients may be zero by the fit's own doing.
    kept = np.sort(np.abs(residual))[-max(n - n_coefs, 1) :]
    usual = 1.4826 * float(np.median(kept))
    if n - n_coefs < SPARE or not (usual > 0 and np.isfinite(usual)):
        return None
    logs = [(v - v.mean()) / v.std() for v in logs if np.ptp(v) > 1e-9]
    weight = _weight(np.abs(residual) / usual, np.sum(logs, axis=0)) if logs and n >= 20 else np.ones(n)
    shapes = [*logs, *(a * b for k, a in enumerate(logs) for b in logs[k:])]
    smooth = _orthonormal([np.ones(n), *shapes], weight)
    spared = shapes if n - n_coefs - 1 - len(shapes) >= ENOUGH else []
    basis = _orthonormal([np.ones(n), *spared, *design.T], weight)
    scaled = residual * weight
    usual = 1.4826 * float(np.median(np.sort(np.abs(scaled))[-max(n - n_coefs, 1) :]))
    drawn = np.clip(scaled, -MOST * usual, MOST * usual)
    # Not by a product of matrices, which many threads would share.
    error = drawn - np.einsum("nk,k->n", basis, np.einsum("nk,n->k", basis, drawn))
    spare = n - basis.shape[1]
    if spare < SPARE or not error @ error > 1e-20 * (drawn @ drawn):
        return None
    return Left(error, basis, weight, spare, smooth)


def _orthonormal(columns: Sequence[np.ndarray], weight: np.ndarray) -> np.ndarray:
    table = np.column_stack(columns) * weight[:, None]
    table = table[:, np.all(np.isfinite(table), axis=0)]
    table = table / np.maximum(np.linalg.norm(table, axis=0), 1e-300)
    basis, size = orthonormal(table)
    own = size > 1e-7
    # A column that others make up would take out a direction of no meaning.
    return basis if own.all() else orthonormal(table[:, own])[0]


def _weight(size: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Factors that bring errors of these sizes to one scale, where that follows `place` beyond chance."""
    place = place - place.mean()
    spread = float(place @ place)
    log = np.log(np.maximum(size, 0.05))
    slope = float(place @ log) / max(spread, 1e-300)
    rest = log - log.mean() - slope * place
    error = np.sqrt(float(rest @ rest) / max(len(log) - 2, 1) / max(spread, 1e-300))
    if abs(slope) < 2.5 * error:
        return np.ones(len(log))
    weight = np.exp(-np.clip(slope * place, -5, 5))
    return weight / np.sqrt(np.mean(weight**2))


def between(left: Left, part: Levels) -> Test | None:
    """Whether rows of one level are alike: the F test of a constant for every level.

    Exact for normal errors, however the levels go with the coefficients: with Z the levels' columns and M the
    projection that was done, Z'MZ = diag - B B' has a small inverse.
    """
    basis, weight = left.basis, left.weight
    order = np.argsort(part.place, kind="stable")
    begins = np.cumsum(part.counts) - part.counts
    table = np.column_stack([basis, left.error, weight]) * weight[:, None]
    sums = np.add.reduceat(table[order], begins, axis=0)
    taken, total, count = sums[:, :-2], sums[:, -2], sums[:, -1]
    values, directions = np.linalg.eigh(np.eye(basis.shape[1]) - taken.T @ (taken / count[:, None]))
    open_ = values > GONE
    pull = (directions.T @ (taken.T @ (total / count)))[open_]
    part_of = float(total @ (total / count) + np.sum(pull**2 / values[open_]))
    rank = len(count) - int(np.sum(~open_))
    if rank < 1 or left.spare - rank < SPARE:
        return None
    per_level = max((float(np.sum(count)) - float(np.sum(taken**2))) / rank, 1e-12)
    rest = max(left.square - part_of, 1e-300) / (left.spare - rank)
    shared = max(part_of / rank - rest, 0.0) / per_level
    p = float(fdtrc(rank, left.spare - rank, part_of / rank / rest))
    return Test(p, float(np.sqrt(shared)), shared / (shared + rest))


def trends(left: Left, ranks: np.ndarray) -> list[Test | None]:
    """Whether what is left over follows each of these columns' ranks (c, n), straight or bent."""
    shapes = np.concatenate([ranks, ranks**2 - np.mean(ranks**2, axis=1, keepdims=True)]) * left.weight
    own = shapes - (shapes @ left.basis) @ left.basis.T
    # What the inputs say already is the law's matter, not the column's.
    said = np.sum((shapes @ left.smooth) ** 2, axis=1)
    size = np.sum(shapes**2, axis=1)
    return explained(left, own, (size - said < OWN * size) | (np.sum(own**2, axis=1) < OWN * size))


def explained(left: Left, own: np.ndarray, gone: np.ndarray) -> list[Test | None]:
    """How much of what is left over pairs of shapes explain: rows k and c + k of `own` (2 c, n),
    from which what was taken out of the residuals is taken out as well; gone: of which nothing is left."""
    c = len(own) // 2
    size, pull = np.sum(own**2, axis=1), own @ left.error
    (a, d), (u, v), b = (size[:c], size[c:]), (pull[:c], pull[c:]), np.sum(own[:c] * own[c:], axis=1)
    free = a * d - b**2
    whole = left.square
    out: list[Test | None] = []
    for k in range(c):
        if gone[k] or gone[c + k] or free[k] <= 1e-6 * a[k] * d[k] or left.spare - 2 < SPARE:
            out.append(None)
            continue
        part = float((d[k] * u[k] ** 2 - 2 * b[k] * u[k] * v[k] + a[k] * v[k] ** 2) / free[k])
        rest = max(whole - part, 1e-300) / (left.spare - 2)
        p = float(fdtrc(2, left.spare - 2, part / 2 / rest))
        out.append(Test(p, float(np.sqrt(part / len(left.error))), part / whole))
    return out


def following(left: Left, order: np.ndarray, joined: np.ndarray) -> Test | None:
    """Whether rows are like the row before them, in this order; joined: (n - 1,) which pairs count."""
    a, b = order[:-1][joined], order[1:][joined]
    if len(a) < PAIRS:
        return None
    variance = left.square / left.spare
    # The projection makes neighbours unlike each other by itself.
    excess = float(left.error[a] @ left.error[b])
    excess += variance * float(np.einsum("ij,ij", left.basis[a], left.basis[b]))
    z = excess / (variance * np.sqrt(len(a)))
    return Test(float(ndtr(-z)), float(np.sqrt(variance)), excess / (variance * len(a)))


def levels(values: np.ndarray) -> Levels:
    """Numbers as the places of their distinct values; no number is a value too, the last."""
    values, first, place, count = np.unique(
        values, return_index=True, return_inverse=True, return_counts=True
    )
    return Levels(values, place.reshape(-1), count, first)
