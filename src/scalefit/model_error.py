"""How far the true curve may lie from the law: what intervals leave out that hold "if the law is right"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import expit, logit, logsumexp, softmax

if TYPE_CHECKING:
    from scalefit.result import Fit

__all__ = ["GRID", "TAU", "ModelError", "agreement", "departure", "likelihood", "posterior", "residual_size"]

# These four are set so that 90 % intervals hold 85 to 95 % of runs that were really held out, families of
# data counted alike and none under 80 (benchmarks/real_coverage.py), and 92 to 98 % where the law is right
# (clean_coverage.py).
# The tau of laws that are only nearly right, and the standard deviation of its log10: a factor of 1.26.
TAU, SCALE = 1.0, 0.1
# How probable it is beforehand that the law is right, as far as intervals can tell.
RIGHT = 0.65
# The correlation of neighbouring runs' residuals about a law that is only nearly right.
ALIKE = 0.2
# tau = 0.01, the least of them, stands for none.
GRID = np.linspace(-2.0, 2.0, 401)
# Runs with another label are farther than any decade.
LABEL = 100.0
# Spreads beyond this (in log y or y) say nothing about the law.
WIDEST = 1e3
# The error, on the scale of residuals, of a prediction that is none: of log loss, a factor e.
IMPOSSIBLE = 1.0


@dataclass(frozen=True)
class ModelError:
    """The true curve leaves the law like a random walk whose time is the change that the law predicts.

    At a point whose prediction differs by Delta from that at the nearest run, the curve's error has variance
    tau^2 s Delta, with s the size of the runs' residuals; that of a new run has tau^2 s (s + Delta), beside its noise.
    Delta and s are of log y, or of y, as the fit's errors are.

    tau^2 is its mean, given two kinds of evidence, over a law that is right (tau = 0, probability 0.65
    beforehand) and one that is nearly right (log10 tau normal about 0, standard deviation 0.1). First,
    backtests: the law is refitted to the runs up to each of `cuts`, values of `by`, and each window's errors
    of the larger runs have the likelihood of a normal law whose variance is that of a right law's predictions
    plus tau^2 s (s + Delta), a mean over the window's rows. Second, residuals of neighbouring runs:
    independent if the law is right, correlated by 0.2 if it is nearly right (see `agreement`). Without
    backtests tau is 1.
    """

    tau: float
    by: str = ""
    cuts: tuple[float, ...] = ()

    def widened(self, fit: Fit, x: Mapping[str, np.ndarray], centre: np.ndarray, lo: np.ndarray, hi: np.ndarray,
                level: float, kind: str) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        """Limits (n,) about `centre` at inputs x (n,), in log y or y, with the law's own error added in squares."""
        own = self.tau * NormalDist().inv_cdf((1 + level) / 2) * departure(fit, x, centre, kind)
        return centre - np.hypot(np.minimum(lo - centre, 0), own), centre + np.hypot(
            np.maximum(hi - centre, 0), own
        )


def departure(fit: Fit, x: Mapping[str, np.ndarray], centre: np.ndarray, kind: str) -> np.ndarray:
    """The standard deviation (n,) of the law's own error at tau = 1: sqrt(s Delta), for a new run sqrt(s (s + Delta))."""
    rows = fit.data.counted
    runs = {name: column[rows] for name, column in fit.data.x.items()}
    _, nearest = cKDTree(_places(fit, runs, runs)).query(_places(fit, runs, x))
    at_runs = fit.fitted()[rows]
    change = np.abs(centre - (np.log(at_runs) if fit.objective.space == "log" else at_runs)[nearest])
    s = residual_size(fit)
    return np.sqrt(s * (change + (s if kind == "run" else 0.0)))


def _places(fit: Fit, runs: Mapping[str, np.ndarray], x: Mapping[str, np.ndarray]) -> np.ndarray:
    """Rows (n, inputs) whose distances say how near runs are: decades, or shares of the range where logs are none."""
    columns = []
    for name in fit.law.inputs:
        known = fit.law.domain.get(name)
        if known is not None and known.allowed == "a curve":
            continue
        if name in fit.law.labels:
            columns.append(LABEL * x[name])
        elif np.all(runs[name] > 0):
            with np.errstate(divide="ignore"):
                columns.append(np.maximum(np.log10(x[name]), -300.0))
        else:
            columns.append((x[name] - runs[name].min()) / max(np.ptp(runs[name]), 1e-300))
    return np.stack(columns, axis=1)


def residual_size(fit: Fit) -> float:
    """s: nine in ten residuals lie within 1.645 s, as of a normal law, so that a few wild runs do not count; scaled
    up by the freedom that was fitted away."""
    r = np.abs(fit.residuals()[fit.data.counted])
    n, p = len(r), len(fit.law.coefs)
    return float(np.quantile(r, 0.9) / NormalDist().inv_cdf(0.95) * np.sqrt(n / max(n - p, 1)))


def likelihood(error: np.ndarray, spread: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Log-likelihood of each tau of the grid from one window: the mean over its rows of log N(error; 0, spread^2 + tau^2 unit^2).

    The mean and not the sum, because the errors of one window share one fit and one law. Where a law foretells nothing (the log of a
    negative loss) the error counts as `IMPOSSIBLE`.
    """
    error = np.where(np.isfinite(error), error, IMPOSSIBLE)
    spread, unit = (np.where(np.isfinite(part), part, WIDEST) for part in (spread, unit))
    variance = (
        np.minimum(spread, WIDEST)[:, None] ** 2 + (10.0**GRID * np.minimum(unit, WIDEST)[:, None]) ** 2
    )
    variance = np.maximum(variance, 1e-30)
    return np.mean(-np.log(variance) / 2 - error[:, None] ** 2 / variance / 2, axis=0)


def agreement(fit: Fit) -> float:
    """Log ratio of how probable the residuals are if neighbours' are correlated by 0.2, and if none are.

    r sum(e_i e_j) / mean(e^2) - m r^2 / 2, r = 0.2, over the m pairs of a run and the one nearest to it. What
    a law cannot follow it misses alike at runs that lie close together; their own errors differ. A residual
    counts as no more than the size below which nine in ten lie. Pairs within a group tell nothing: their
    errors are shared.
    """
    rows = fit.data.counted
    runs = {name: column[rows] for name, column in fit.data.x.items()}
    places = _places(fit, runs, runs)
    if len(rows) < 2 or not places.shape[1]:
        return 0.0
    residual = fit.residuals()[rows]
    most = np.quantile(np.abs(residual), 0.9)
    residual = np.clip(residual, -most, most)
    # Among equal places a run need not be the first of its own neighbours.
    _, near = cKDTree(places).query(places, k=2)
    own = np.arange(len(rows))
    other = np.where(near[:, 0] == own, near[:, 1], near[:, 0])
    first, second = np.unique(np.sort(np.stack([own, other]), axis=0), axis=1)
    if fit.data.group is not None:
        group = fit.data.group[rows]
        apart = group[first] != group[second]
        first, second = first[apart], second[apart]
    size = np.mean(residual**2)
    if not 0 < size < np.inf:
        return 0.0
    return float(ALIKE * np.sum(residual[first] * residual[second]) / size - len(first) * ALIKE**2 / 2)


def posterior(evidence: np.ndarray, alike: float = 0.0, usual: float = TAU) -> float:
    """tau, the root of its mean square, from backtests and from neighbours' residuals.

    evidence: log-likelihoods (windows, grid) of the backtests. alike: the log ratio of `agreement`. usual:
    the tau of laws that are only nearly right, and the answer where there is no window.
    """
    if not len(evidence):
        return usual
    seen = np.sum(evidence, axis=0)
    prior = -(((GRID - np.log10(usual)) / SCALE) ** 2) / 2
    share = softmax(seen + prior)
    nearly = logsumexp(seen + prior) - logsumexp(prior) + alike
    wrong = expit(nearly - seen[0] - logit(RIGHT))
    return float(np.sqrt(wrong * np.sum(share * 10.0 ** (2 * GRID))))
