"""How well a law describes the runs it was fitted to: information criteria and the share of variance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from scalefit.core.objective import Objective
from scalefit.fits.record import Record

__all__ = ["Criteria", "criteria", "log_likelihood", "rsquared"]


class Criteria(NamedTuple):
    """Akaike's criterion, the same corrected for few rows, and Schwarz's; smaller is better."""

    aic: float
    aicc: float
    bic: float


def criteria(record: Record) -> Criteria:
    """AIC = 2 k - 2 l, AICc = AIC + 2 k (k + 1) / (n - k - 1) and BIC = k log n - 2 l.

    k: the coefficients and the scale of the errors; l: the log-likelihood of the density whose negative
    logarithm the objective is, at its best scale. They compare laws under one objective on the same rows.
    """
    n, k = len(record.data.counted), len(record.law.coefs) + 1
    deviance = -2 * log_likelihood(record.objective, n, record.value)
    aic = deviance + 2 * k
    corrected = aic + 2 * k * (k + 1) / (n - k - 1) if n > k + 1 else np.inf
    return Criteria(aic, corrected, deviance + k * np.log(n))


def rsquared(record: Record) -> float:
    """1 - sum w e^2 / sum w (y - mean)^2, of log y where errors are of log y; NaN where all y are alike.

    How far the runs spread decides it as much as the law does: one that misses all by 3 % has 0.99 over a
    wide sweep.
    """
    rows = record.data.counted
    weight, y = record.data.weight[rows], record.data.y[rows]
    y = np.log(y) if record.log else y
    total = np.sum(weight * (y - np.average(y, weights=weight)) ** 2)
    return float(1 - np.sum(weight * record.residuals()[rows] ** 2) / total) if total > 0 else float("nan")


def log_likelihood(objective: Objective, n: int, value: float) -> float:
    """max over s of -V / s - n log Z(s), V the summed objective of n rows:
    by search over log s, refined again and again."""
    value = max(value, 1e-280)
    if np.isinf(objective.width):
        return -n / 2 * (np.log(2 * np.pi * value / n) + 1)
    if objective.width == 0:
        return -n * (np.log(2 * value / n) + 1)

    def at(log_s: float) -> float:
        return -value / np.exp(log_s) - n * _log_z(objective, np.exp(log_s))

    centre, reach = np.log(value / n), 4.0
    for _ in range(6):
        tried = centre + reach * np.linspace(-1, 1, 41)
        found = np.array([at(log_s) for log_s in tried])
        centre, reach = tried[np.argmax(found)], reach / 10
    return float(np.max(found))


def _log_z(objective: Objective, s: float) -> float:
    """log of the integral of exp(-rho(r) / s) over r, by the trapezoid rule over |r| in geometric steps."""
    size = max(np.sqrt(s), s / objective.width)
    r = size * np.geomspace(1e-8, 400.0, 1201)
    left, right = (np.exp(-np.asarray(objective.rho(side, objective.width), float) / s) for side in (-r, r))
    density = left + right
    return float(np.log(2 * r[0] + np.sum((density[1:] + density[:-1]) / 2 * np.diff(r))))
