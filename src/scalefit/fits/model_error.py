"""How far the true curve may lie from the law: what intervals leave out that hold "if the law is right"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from scalefit.fits.fit import Fit

__all__ = ["GRID", "TAU", "ModelError", "departure", "likelihood", "posterior", "residual_size"]

# The tau with which 90 % intervals hold 90 % of the held-out runs, families of data counted alike
# (benchmarks/real_coverage.py, which finds much the same with any one family left out).
TAU = 0.9
# Standard deviation of log10 tau between laws and data: a factor of 1.4.
SCALE = 0.15
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
    Delta and s are of log y, or of y, as the fit's errors are. cuts: values of `by` up to which runs were refitted to
    see how well the larger ones are predicted; tau is what those backtests say, drawn towards the usual 0.9.
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


def posterior(evidence: np.ndarray, usual: float = TAU) -> float:
    """The most probable tau, given log-likelihoods (windows, grid) of backtests and a log-normal prior about `usual`."""
    prior = -(((GRID - np.log10(usual)) / SCALE) ** 2) / 2
    return float(10.0 ** GRID[np.argmax(np.sum(evidence, axis=0) + prior)]) if len(evidence) else usual
