"""What refits of resampled runs say: intervals, standard errors, correlations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

__all__ = ["KINDS", "Draws", "limits", "normal_points", "stretch", "student", "variance"]

KINDS = ("percentile", "bca", "corrected")


@dataclass(frozen=True, eq=False)
class Draws:
    """Refits of resampled runs.

    u: coordinates on the real line (n_draws, p). failed: draws (n_draws,) whose best descent did not settle,
    or that held fewer distinct settings than coefficients; they are counted and kept. influence: how far one
    unit of resampling (a row, or a group of rows) pulls the coordinates, to first order (units, p).
    """

    u: np.ndarray
    failed: np.ndarray
    influence: np.ndarray
    method: str
    key: int

    def __len__(self) -> int:
        return len(self.u)

    @property
    def units(self) -> int:
        """How many rows or groups were drawn from."""
        return len(self.influence)


def limits(
    values: np.ndarray,
    estimate: np.ndarray,
    influence: np.ndarray,
    p: int,
    level: float,
    kind: str = "percentile",
) -> tuple[np.ndarray, np.ndarray]:
    """Interval from draws (n_draws, ...) of a quantity with this estimate (...) and influence (units, ...).

    percentile: quantiles of the draws. bca: quantiles shifted for bias and for a spread that changes with the
    quantity (Efron 1987). corrected: quantiles about the estimate, widened as Student's t and the degrees of
    freedom spent on p coefficients require (`stretch`).
    """
    ends = np.array([(1 - level) / 2, (1 + level) / 2])
    if kind == "bca":
        return _bca(values, estimate, influence, ends)
    lo, hi = np.quantile(values, ends, axis=0)
    if kind == "corrected":
        wider = stretch(len(influence), p, level)
        lo, hi = estimate + wider * (lo - estimate), estimate + wider * (hi - estimate)
    return lo, hi


def stretch(units: int, p: int, level: float) -> float:
    """sqrt(m / (m - p)) t / z: residuals shrink by the coefficients fitted to them,
    and their scale is itself a guess.

    Infinite where there are no more units than coefficients: then nothing is known about the errors.
    """
    spare = units - p
    return float(np.sqrt(units / spare)) * student(spare, level) if spare > 0 else np.inf


def student(spare: int, level: float) -> float:
    """Student's t over the normal quantile, for intervals of this level; infinite without spare units."""
    # Of an interval of no width both are zero; their ratio then is that of the densities, to which it tends.
    end = (1 + max(level, 1e-6)) / 2
    return float(stdtrit(spare, end) / ndtri(end)) if spare > 0 else np.inf


def _bca(values, estimate, influence, ends):
    below = np.mean(values < estimate, axis=0) + np.mean(values == estimate, axis=0) / 2
    n = len(values)
    bias = ndtri(np.clip(below, 0.5 / n, 1 - 0.5 / n))
    # In units of the largest pull, so that powers neither overflow nor vanish;
    # without finite pulls there is no skew.
    pull = influence / np.maximum(np.max(np.abs(influence), axis=0, initial=0.0), 1e-300)
    skew = np.sum(pull**3, axis=0) / (6 * np.maximum(np.sum(pull**2, axis=0), 1e-300) ** 1.5)
    skew = np.where(np.isfinite(skew), skew, 0.0)
    ordered = np.sort(values, axis=0)
    out = []
    for end in ends:
        z = bias + ndtri(end)
        place = np.clip(ndtr(bias + z / (1 - skew * z)) * (n - 1), 0, n - 1)
        low = np.floor(place).astype(int)
        below, above = (
            np.take_along_axis(ordered, np.minimum(k, n - 1)[None], axis=0)[0] for k in (low, low + 1)
        )
        out.append(below + (place - low) * (above - below))
    return out[0], out[1]


def variance(jacobian: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Variance (n,) of the curve where it has this Jacobian (p, n); what nothing determines is left out."""
    finite = np.where(np.isfinite(covariance), covariance, 0.0)
    return np.maximum(np.einsum("pn,pq,qn->n", jacobian, finite, jacobian), 0.0)


@cache
def normal_points(n: int, dimensions: int) -> np.ndarray:
    """Points (n, dimensions) spread evenly over a standard normal law: multiples of powers of the root of
    x^(dimensions + 1) = x + 1."""
    root = 1.0
    for _ in range(60):
        root = (1 + root) ** (1 / (dimensions + 1))
    uniform = (0.5 + np.outer(np.arange(1, n + 1), root ** -np.arange(1.0, dimensions + 1))) % 1
    return ndtri(uniform)
