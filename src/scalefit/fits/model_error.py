"""How far the true curve may lie from the law: what intervals leave out that hold "if the law is right".

The law is refitted to the smaller runs and foretells the larger ones; how far it misses them says how far to trust it
beyond all runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from scipy.spatial import cKDTree

from scalefit.core.linear import linearise
from scalefit.fits.draws import variance
from scalefit.fits.noise import residual_scatter
from scalefit.fits.record import Record, estimate
from scalefit.fits.windows import cuts_of, merged, refits, size_of_runs
from scalefit.runs import tables
from scalefit.words import short

__all__ = [
    "GRID",
    "SCALE",
    "TAU",
    "ModelError",
    "departure",
    "evidence",
    "learn",
    "likelihood",
    "model_error_of",
    "posterior",
    "residual_size",
    "sizes",
]

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
LEVEL = 0.9
# A window holds at least this share of the rows, and two rows more than there are coefficients.
SHARE, SPARE = 0.2, 2
N_CUTS = 4


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

    def widened(self, record: Record, x: Mapping[str, np.ndarray], centre: np.ndarray, lo: np.ndarray, hi: np.ndarray,
                level: float, kind: str) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        """Limits (n,) about `centre` at inputs x (n,), in log y or y, with the law's own error added in squares."""
        own = self.tau * NormalDist().inv_cdf((1 + level) / 2) * departure(record, x, centre, kind)
        return centre - np.hypot(np.minimum(lo - centre, 0), own), centre + np.hypot(
            np.maximum(hi - centre, 0), own
        )


def departure(record: Record, x: Mapping[str, np.ndarray], centre: np.ndarray, kind: str) -> np.ndarray:
    """The standard deviation (n,) of the law's own error at tau = 1: sqrt(s Delta), for a new run sqrt(s (s + Delta))."""
    rows = record.data.counted
    runs = {name: column[rows] for name, column in record.data.x.items()}
    tree = record.once("nearest", lambda: cKDTree(_places(record, runs, runs)))
    _, nearest = tree.query(_places(record, runs, x))
    at_runs = record.fitted()[rows]
    change = np.abs(centre - (np.log(at_runs) if record.objective.space == "log" else at_runs)[nearest])
    s = residual_size(record)
    return np.sqrt(s * (change + (s if kind == "run" else 0.0)))


def departure_after(record: Record, new: Mapping[str, np.ndarray], x: Mapping[str, np.ndarray]) -> float:
    """`departure` of the curve at one place x once further runs are made at `new`, at tau = 1."""
    here = {
        name: np.concatenate([column[record.data.counted], new[name]])
        for name, column in record.data.x.items()
    }
    runs = {name: column[record.data.counted] for name, column in record.data.x.items()}
    _, nearest = cKDTree(_places(record, runs, here)).query(_places(record, runs, x))
    with np.errstate(all="ignore"):
        at, there = (np.asarray(record.law(record.coefs, where), float) for where in (x, here))
        change = np.abs(np.log(at) - np.log(there[nearest]) if record.log else at - there[nearest])
    return float(np.sqrt(residual_size(record) * change[0]))


def _places(record: Record, runs: Mapping[str, np.ndarray], x: Mapping[str, np.ndarray]) -> np.ndarray:
    """Rows (n, inputs) whose distances say how near runs are: decades, or shares of the range where logs are none."""
    columns = []
    for name in record.law.inputs:
        known = record.law.domain.get(name)
        if known is not None and known.allowed == "a curve":
            continue
        if name in record.law.labels:
            columns.append(LABEL * x[name])
        elif np.all(runs[name] > 0):
            with np.errstate(divide="ignore"):
                columns.append(np.maximum(np.log10(x[name]), -300.0))
        else:
            columns.append((x[name] - runs[name].min()) / max(np.ptp(runs[name]), 1e-300))
    return np.stack(columns, axis=1)


def residual_size(record: Record) -> float:
    """s: nine in ten residuals lie within 1.645 s, as of a normal law, so that a few wild runs do not count."""
    return residual_scatter(record, 0.9)


def model_error_of(record: Record) -> ModelError:
    """The law's own error, learnt at the first call and kept with the record."""
    return record.once("model_error", lambda: learn(record))


def learn(record: Record, by: str | Sequence[float] | None = None, n_cuts: int = N_CUTS) -> ModelError:
    """How far the law errs by backtests inside its runs; without windows, as most laws do on most data."""
    label, size = sizes(record, by)
    n = len(record.data.counted)
    cuts = cuts_of(size[record.data.counted], n_cuts, max(len(record.law.coefs) + SPARE, SHARE * n))
    return ModelError(posterior(evidence(record, size, cuts)), label, cuts)


def sizes(record: Record, by: str | Sequence[float] | None = None) -> tuple[str, np.ndarray]:
    """What says which runs are small, in words and per row: an input, numbers, or what `size_of_runs` finds."""
    law, x = record.law, record.data.x
    if by is None:
        label, size = size_of_runs(law, x, record.columns)
    elif isinstance(by, str):
        name = next((n for n in law.inputs if by in (n, record.columns.get(n))), None)
        if name is None or name in law.labels:
            raise ValueError(f"by must be an input of {law.name!r} ({', '.join(law.inputs)}) or one number per row, "
                             f"got {short(by)}")  # fmt: skip
        label, size = by, x[name]
    else:
        label, size = "the sizes given", tables.numbers(by, "by", "a number")
        tables.same_length("by", len(size), len(record.data), "the fitted table")
    return label, merged(size) if np.all(size > 0) else size


def evidence(record: Record, size: np.ndarray, cuts: Sequence[float]) -> np.ndarray:
    """Log-likelihoods (windows, grid of tau) of the errors of predictions beyond each cut."""
    if not len(cuts):
        return np.zeros((0, len(GRID)))
    data = record.data
    weights = [np.where(size <= cut, data.weight, 0.0) for cut in cuts]
    found = refits(record.law, [data], record.objective, weights, record.u)
    lines = []
    for u, used in zip(found.u, weights, strict=True):
        held = np.flatnonzero((used == 0) & (data.weight > 0))
        lines.append(likelihood(*_missed(record, u, used, held)))
    return np.array(lines)


def _missed(
    record: Record, u: np.ndarray, used: np.ndarray, held: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Held-out rows: errors, standard deviations of a new run if the law is right, and of the law's own error."""
    data = replace(record.data, weight=used)
    _, coefs, spread_u, value, _ = estimate(record.law, data, record.objective, u)
    past = record.changed(coefs=coefs, data=data, covariance=spread_u, value=value, draws=None)
    linear = linearise(past.law, past.objective, past.u, past.data.x, past.data.y).take(held)
    y = past.data.y[held]
    centre = linear.residual + (np.log(y) if past.log else y)
    spread = past.student(LEVEL) * np.sqrt(
        variance(linear.jacobian, past.covariance) + residual_size(past) ** 2
    )
    x = {name: column[held] for name, column in past.data.x.items()}
    return linear.residual, spread, departure(past, x, centre, "run")


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
