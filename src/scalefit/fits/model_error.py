"""How far the true curve may lie from the law: what intervals leave out that hold "if the law is right".

The law is refitted to the smaller runs and foretells the larger ones;
how far it misses them says how far to trust it beyond all runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np
from scipy.special import expit, logit, logsumexp, softmax

from scalefit.core.linear import linearise
from scalefit.fits.draws import variance
from scalefit.fits.noise import residual_scatter
from scalefit.fits.record import Record, estimate
from scalefit.fits.windows import cuts_of, larger, merged, refitting, size_of_runs
from scalefit.runs import tables
from scalefit.words import short

__all__ = [
    "GRID",
    "SCALE",
    "TAU",
    "agreement",
    "ModelError",
    "departure",
    "evidence",
    "learn",
    "likelihood",
    "model_error_of",
    "posterior",
    "residual_size",
    "sizes",
    "windows",
]

# These four are set so that 90 % intervals hold 85 to 95 % of runs that were really held out, families of
# data counted alike and none under 80 (benchmarks/model_error.py), and 92 to 99 % where the law is right
# (doubt/* of the suite).
# The tau of laws that are only nearly right, and the standard deviation of its log10: a factor of 1.26.
TAU, SCALE = 1.0, 0.1
# How probable it is beforehand that the law is right, as far as intervals can tell.
RIGHT = 0.5
# The correlation of neighbouring runs' residuals about a law that is only nearly right.
ALIKE = 0.2
# tau = 0.01, the least of them, stands for none. No law is taken to be off by more than ten times what is
# usual: beyond that a window has failed, and says nothing about how the law errs.
GRID = np.linspace(-2.0, 1.0, 301)
# The prediction at the runs near a point is an average over so many of them, by distance to minus this power:
# smooth where the nearest run changes.
NEAR, POWER = 8, 8
# Runs with another label are farther than any decade.
LABEL = 100.0
# Spreads beyond this (in log y or y) say nothing about the law.
WIDEST = 1e3
# The error, on the scale of residuals, of a prediction that is none: of log loss, a factor e.
IMPOSSIBLE = 1.0
# A window holds at least this share of the rows, and two rows more than there are coefficients.
SHARE, SPARE = 0.2, 2
N_CUTS = 4


@dataclass(frozen=True)
class ModelError:
    """The true curve leaves the law like a random walk whose time is the change that the law predicts.

    At a point whose prediction differs by Delta from that at the nearest run, the curve's error has variance
    tau^2 s Delta, with s the size of the runs' residuals; that of a new run has tau^2 s (s + Delta), beside
    its noise. Delta and s are of log y, or of y, as the fit's errors are.

    tau^2 is its mean, given two kinds of evidence, over a law that is right (tau = 0, probability 0.5
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

    def widened(
        self,
        record: Record,
        x: Mapping[str, np.ndarray],
        centre: np.ndarray,
        lo: np.ndarray,
        hi: np.ndarray,
        level: float,
        kind: str,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Limits (n,) about `centre` at inputs x (n,), in log y or y,
        with the law's own error added in squares."""
        own = self.tau * NormalDist().inv_cdf((1 + level) / 2) * departure(record, x, centre, kind)
        return centre - np.hypot(np.minimum(lo - centre, 0), own), centre + np.hypot(
            np.maximum(hi - centre, 0), own
        )


def departure(record: Record, x: Mapping[str, np.ndarray], centre: np.ndarray, kind: str) -> np.ndarray:
    """The standard deviation (n,) of the law's own error at tau = 1:
    sqrt(s Delta), for a new run sqrt(s (s + Delta))."""
    rows = record.data.counted
    runs = {name: column[rows] for name, column in record.data.x.items()}
    tree = record.once("nearest", lambda: _tree(_places(record, runs, runs)))
    at_runs = record.fitted()[rows]
    near = _beside(tree, np.log(at_runs) if record.log else at_runs, _places(record, runs, x))
    change = np.abs(centre - near)
    s = residual_size(record)
    return np.sqrt(s * (change + (s if kind == "run" else 0.0)))


def _tree(places: np.ndarray) -> Any:
    """What finds the nearest of these places; scipy.spatial takes a tenth of a second to import."""
    from scipy.spatial import cKDTree

    return cKDTree(places)


def _beside(tree: Any, values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Values (n,) known at the tree's points, at the points nearest to these places: an average that changes
    smoothly from the one to the other (Franke and Nielson 1980)."""
    k = min(NEAR + 1, tree.n)
    if k == 1:
        return np.full(len(places), values[0])
    far, near = tree.query(places, k=k)
    far = np.maximum(far, 1e-9)
    share = far[:, :1] / far
    # None for the last, so that nothing jumps where it is another.
    weight = share[:, :-1] ** POWER - share[:, -1:] ** POWER
    # All at one distance: alike.
    weight = np.where(np.sum(weight, axis=1, keepdims=True) > 1e-12, weight, 1.0)
    return np.sum(weight * values[near[:, :-1]], axis=1) / np.sum(weight, axis=1)


def departure_after(record: Record, new: Mapping[str, np.ndarray], x: Mapping[str, np.ndarray]) -> np.ndarray:
    """`departure` of the curve at places x (n,) once further runs are made at `new`, at tau = 1."""
    here = {
        name: np.concatenate([column[record.data.counted], new[name]])
        for name, column in record.data.x.items()
    }
    runs = {name: column[record.data.counted] for name, column in record.data.x.items()}
    with np.errstate(all="ignore"):
        at, there = (np.asarray(record.law(record.coefs, where), float) for where in (x, here))
        at, there = (np.log(at), np.log(there)) if record.log else (at, there)
    near = _beside(_tree(_places(record, runs, here)), there, _places(record, runs, x))
    return np.sqrt(residual_size(record) * np.abs(at - near))


def _places(record: Record, runs: Mapping[str, np.ndarray], x: Mapping[str, np.ndarray]) -> np.ndarray:
    """Rows (n, inputs) whose distances say how near runs are:
    decades, or shares of the range where logs are none."""
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
    """s: nine in ten residuals lie within 1.645 s, as of a normal law,
    so that a few wild runs do not count."""
    return residual_scatter(record, 0.9)


def model_error_of(record: Record) -> ModelError:
    """The law's own error, learnt at the first call and kept with the record."""
    return record.once("model_error", lambda: learn(record))


def learn(record: Record, by: str | Sequence[float] | None = None, n_cuts: int = N_CUTS) -> ModelError:
    """How far the law errs by backtests inside its runs;
    without windows, as laws do that are only nearly right."""
    try:
        label, size, cuts = windows(record, by, n_cuts)
    except ValueError:
        # Shares of a mixture, say, make no run larger than another: then no backtest by size.
        if by is None:
            return ModelError(TAU)
        raise
    return ModelError(posterior(evidence(record, size, cuts), agreement(record)), label, cuts)


def windows(
    record: Record, by: str | Sequence[float] | None = None, n_cuts: int = N_CUTS
) -> tuple[str, np.ndarray, tuple[float, ...]]:
    """What says which runs are small, in words and per row, and where the windows end."""
    label, size = sizes(record, by)
    counted = record.data.counted
    return (
        label,
        size,
        cuts_of(size[counted], n_cuts, max(len(record.law.coefs) + SPARE, SHARE * len(counted))),
    )


def sizes(record: Record, by: str | Sequence[float] | None = None) -> tuple[str, np.ndarray]:
    """What says which runs are small, in words and per row:
    an input, numbers, or what `size_of_runs` finds."""
    law, x = record.law, record.data.x
    if by is None:
        label, size = size_of_runs(law, x, record.columns)
    elif isinstance(by, str):
        name = next((n for n in law.inputs if by in (n, record.columns.get(n))), None)
        if name is None or name in law.labels:
            raise ValueError(
                f"by must be an input of {law.name!r} ({', '.join(law.inputs)}) or one number per row, "
                f"got {short(by)}"
            )
        label, size = larger(law, name, by, x[name])
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
    found = refitting(record.law, [data], record.objective, weights, record.u)()
    lines = []
    for u, used in zip(found.u, weights, strict=True):
        held = np.flatnonzero((used == 0) & (data.weight > 0))
        lines.append(likelihood(*_missed(record, u, used, held), data.weight[held]))
    return np.array(lines)


def _missed(
    record: Record, u: np.ndarray, used: np.ndarray, held: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Held-out rows: errors, standard deviations of a new run if the law is right,
    and of the law's own error."""
    data = replace(record.data, weight=used)
    _, coefs, spread_u, value, _ = estimate(record.law, data, record.objective, u)
    past = record.changed(coefs=coefs, data=data, covariance=spread_u, value=value, draws=None)
    linear = linearise(past.law, past.objective, past.u, past.data.x, past.data.y).take(held)
    y = past.data.y[held]
    centre = linear.residual + (np.log(y) if past.log else y)
    spread = np.sqrt(variance(linear.jacobian, past.covariance) + residual_size(past) ** 2)
    x = {name: column[held] for name, column in past.data.x.items()}
    return linear.residual, spread, departure(past, x, centre, "run")


def likelihood(
    error: np.ndarray, spread: np.ndarray, unit: np.ndarray, weight: np.ndarray | None = None
) -> np.ndarray:
    """Log-likelihood of each tau of the grid from one window: the mean over its rows, by their weight, of
    log N(error; 0, spread^2 + tau^2 unit^2).

    The mean and not the sum, because the errors of one window share one fit and one law. Where a law
    foretells nothing (the log of a negative loss) the error counts as `IMPOSSIBLE`.
    """
    error = np.where(np.isfinite(error), error, IMPOSSIBLE)
    spread, unit = (np.where(np.isfinite(part), part, WIDEST) for part in (spread, unit))
    variance = (
        np.minimum(spread, WIDEST)[:, None] ** 2 + (10.0**GRID * np.minimum(unit, WIDEST)[:, None]) ** 2
    )
    variance = np.maximum(variance, 1e-30)
    each = -np.log(variance) / 2 - error[:, None] ** 2 / variance / 2
    return np.average(each, axis=0, weights=weight)


def agreement(record: Record) -> float:
    """Log ratio of how probable the residuals are if neighbours' are correlated by 0.2, and if none are.

    r sum(e_i e_j) / mean(e^2) - m r^2 / 2, r = 0.2, over the m pairs of a run and the one nearest to it. What
    a law cannot follow it misses alike at runs that lie close together; their own errors differ. A residual
    counts as no more than the size below which nine in ten lie, and a run by its weight. Pairs within a group
    tell nothing: their errors are shared.
    """
    rows = record.data.counted
    runs = {name: column[rows] for name, column in record.data.x.items()}
    places = _places(record, runs, runs)
    if len(rows) < 2 or not places.shape[1]:
        return 0.0
    residual = record.residuals()[rows]
    weight = record.data.weight[rows] / np.mean(record.data.weight[rows])
    # As many as lie below it weigh nine tenths.
    order = np.argsort(np.abs(residual))
    share = np.cumsum(weight[order]) - weight[order]
    most = np.interp(0.9, share / max(share[-1], 1e-300), np.abs(residual)[order])
    residual = np.clip(residual, -most, most)
    # Among equal places a run need not be the first of its own neighbours.
    _, near = _tree(places).query(places, k=2)
    own = np.arange(len(rows))
    other = np.where(near[:, 0] == own, near[:, 1], near[:, 0])
    first, second = np.unique(np.sort(np.stack([own, other]), axis=0), axis=1)
    if record.data.group is not None:
        group = record.data.group[rows]
        apart = group[first] != group[second]
        first, second = first[apart], second[apart]
    size = np.average(residual**2, weights=weight)
    if not 0 < size < np.inf:
        return 0.0
    pair = np.sqrt(weight[first] * weight[second])
    return float(
        ALIKE * np.sum(pair * residual[first] * residual[second]) / size - np.sum(pair) * ALIKE**2 / 2
    )


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
