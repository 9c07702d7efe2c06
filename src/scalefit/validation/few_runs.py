"""A forecast from a few runs: what they do not say comes from public sweeps.

    L(x) = L_0 (phi + (1 - phi) (x / x_0)^-alpha),                                       phi = E / L_0
    L(N, D) = L_0 (phi + (1 - phi) (s (N / N_0)^-alpha + (1 - s) (D / D_0)^-beta))

x_0, or N_0 and D_0, is the run of most compute and L_0 the law's loss there; of what lies above the floor
N leaves the share s. How phi and alpha are spread, how runs scatter and how a curve leaves the law is learnt
from public sweeps over compute (benchmarks/few_runs.py); logit s is standard normal. The log of a curve
leaves the law's like a random walk from that run, along N and along D, of variance kappa sigma^2 per decade,
so that the largest runs count most. A run of weight w has the error sigma^2 mean(w) / w. Given the other
coefficients the rest has a closed form: log L_0 is normal, sigma^2 inverse gamma.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.linalg import solve_triangular
from scipy.optimize import brentq
from scipy.special import expit, logsumexp, softmax, stdtr

from scalefit.core.law import Law
from scalefit.core.linear import linearise
from scalefit.fits.draws import normal_points
from scalefit.fits.fit import Fit
from scalefit.fits.model_error import TAU, ModelError, residual_size
from scalefit.fits.noise import Posterior
from scalefit.fits.shrinking import SETTLED_BY_RANGES
from scalefit.fits.status import Caution, verdict
from scalefit.validation.columns import one_line
from scalefit.words import listed, row_words

__all__ = [
    "FEWEST",
    "MOST",
    "PRIOR",
    "Prior",
    "MOST_ON_LINE",
    "from_few",
    "limit",
    "on_one_line",
    "prior_of",
    "told",
]

# Runs that a forecast is made of with priors, by how many inputs there are; where there are more, backtests
# judge laws. Runs that do not tell N from D may be more: far off their line backtests say nothing.
FEWEST, MOST, MOST_ON_LINE = 3, {1: 6, 2: 10}, 500
# The prior's standard deviations on either side, and the cells along each.
REACH, CELLS = 3.0, 41
# Of N and D: points of the sampling, its rounds, and the share of points that stay spread as the prior is.
POINTS, ROUNDS, SPREAD = 2048, 4, 0.25
# How much wider than the answer of the round before points are drawn.
WIDER = 1.3
# A run is odd where errors this much larger of it alone are so much likelier.
ODD_ERROR, ODD = 100.0, 1e4
# What is said of the plain fit that is true of the runs, whatever tells the coefficients.
OF_RUNS = (
    *("swapped-inputs", "odd-units", "mixed-units", "outliers"),
    *("hidden-groups", "repeated-inputs", "unused-column", "shared-errors"),
)
N_DRAWS = 1000


class Prior(NamedTuple):
    """What is known beforehand: mean and standard deviation of logit phi and of log alpha; kappa;
    sigma^2 is inverse gamma of this shape, about scale^2."""

    phi: tuple[float, float]
    alpha: tuple[float, float]
    kappa: float
    shape: float
    scale: float


# Losses by compute, learnt by benchmarks/few_runs.py from eight families of public sweeps; kappa is three
# times what is learnt.
PRIOR = Prior((0.653, 0.578), (-1.737, 0.341), 1.17, 1.63, 0.00496)
# Size and tokens grow as about the root of compute along the best runs: exponents are twice as large.
TWICE = ("N", "D")
# Of logit s: mean and standard deviation.
SHARE = (0.0, 1.0)


class Told(NamedTuple):
    """What runs say, for each cell of a grid over (logit phi, log alpha), or each point of (logit phi, log
    alpha, log beta, logit s).

    share: its probability; middle: of log L_0, with variance sigma^2 worth; sigma^2 is inverse gamma of
    `shape` and `rate`; evidence: log probability of the runs, but for a constant.
    """

    share: np.ndarray
    places: np.ndarray
    middle: np.ndarray
    worth: float
    shape: float
    rate: np.ndarray
    evidence: float


def prior_of(name: str) -> Prior:
    """The prior of losses by this input."""
    mean, sd = PRIOR.alpha
    return PRIOR._replace(alpha=(mean + np.log(2), sd)) if name in TWICE else PRIOR


def decline(places: np.ndarray, *decades: np.ndarray) -> np.ndarray:
    """log L - log L_0 (cells, k) at decades (k,) beyond the largest run along each input, by places
    (2 or 4, cells)."""
    phi, alpha = expit(places[0])[:, None], np.exp(places[1])[:, None]
    # Powers of ten by exp, which takes a third of their time.
    along = [-np.log(10) * each for each in decades]
    if len(along) == 1:
        return np.log(phi + (1 - phi) * np.exp(alpha * along[0]))
    beta, s = np.exp(places[2])[:, None], expit(places[3])[:, None]
    return np.log(phi + (1 - phi) * (s * np.exp(alpha * along[0]) + (1 - s) * np.exp(beta * along[1])))


def told(x: np.ndarray, y: np.ndarray, prior: Prior, w: np.ndarray | None = None) -> Told:
    """What runs (n,) of sizes x, losses y and weights w say."""
    z = np.linspace(-REACH, REACH, CELLS)
    grid = np.stack([axis.ravel() for axis in np.meshgrid(z, z, indexing="ij")])
    places = np.stack([mean + sd * own for (mean, sd), own in zip(prior[:2], grid, strict=True)])
    decades = [np.log10(x / np.max(x))]
    return _told(y, prior, _precision(prior, decades, w), decades, places, -np.sum(grid**2, axis=0) / 2)


def told_of_both(
    N: np.ndarray, D: np.ndarray, y: np.ndarray, prior: Prior, w: np.ndarray | None = None
) -> Told:
    """What runs (n,) of N parameters and D tokens, losses y and weights w say, by importance sampling: each
    round draws points about where the last one found the answer, and a share of them as the prior does."""
    largest = np.argmax(N * D)
    decades = [np.log10(N / N[largest]), np.log10(D / D[largest])]
    precision = _precision(prior, decades, w)
    middle, sd = (np.array(part) for part in zip(*_ranges(prior, both=True), strict=True))
    usual = near = (middle, np.diag(sd))
    z, spread = normal_points(POINTS, 4).T, int(SPREAD * POINTS)
    for _ in range(ROUNDS):
        places = np.concatenate([_at(usual, z[:, :spread]), _at(near, z[:, spread:])], axis=1)
        before = _log_density(usual, places)
        drawn = logsumexp([before + np.log(SPREAD), _log_density(near, places) + np.log1p(-SPREAD)], axis=0)
        seen = _told(y, prior, precision, decades, places, before - drawn)
        middle = places @ seen.share
        off = places - middle[:, None]
        near = (middle, np.linalg.cholesky(WIDER * (off * seen.share) @ off.T + 1e-6 * np.eye(4)))
    return seen


def _ranges(prior: Prior, both: bool) -> tuple[tuple[float, float], ...]:
    """Mean and standard deviation of each place beforehand."""
    return (prior.phi, prior.alpha, prior.alpha, SHARE) if both else (prior.phi, prior.alpha)


def _at(normal: tuple[np.ndarray, np.ndarray], z: np.ndarray) -> np.ndarray:
    """Points z (p, n) of a standard normal law, moved to this middle and root of a covariance."""
    middle, root = normal
    return middle[:, None] + root @ z


def _log_density(normal: tuple[np.ndarray, np.ndarray], places: np.ndarray) -> np.ndarray:
    middle, root = normal
    z = solve_triangular(root, places - middle[:, None], lower=True)
    return -np.sum(z**2, axis=0) / 2 - np.sum(np.log(np.diag(root)))


def _precision(prior: Prior, decades: Sequence[np.ndarray], w: np.ndarray | None) -> np.ndarray:
    """The inverse of the runs' covariance, in units of sigma^2: each run's own error, and the walks that
    begin at the largest."""
    walks = sum(
        np.where(np.multiply.outer(d, d) > 0, np.minimum.outer(np.abs(d), np.abs(d)), 0.0) for d in decades
    )
    own = np.ones(len(decades[0])) if w is None else np.mean(w) / w
    return np.linalg.inv(np.diag(own) + prior.kappa * walks)


def _told(
    y: np.ndarray,
    prior: Prior,
    weight: np.ndarray,
    decades: Sequence[np.ndarray],
    places: np.ndarray,
    before: np.ndarray,
) -> Told:
    """What runs (n,) say that lie so many decades from the largest along each input, given their precision
    and the log probabilities of the places beforehand."""
    off = np.log(y) - decline(places, *decades)
    middle = off @ np.sum(weight, axis=0) / np.sum(weight)
    rest = off - middle[:, None]
    rate = prior.shape * prior.scale**2 + np.sum((rest @ weight) * rest, axis=1) / 2
    shape = prior.shape + (len(y) - 1) / 2
    like = before - shape * np.log(rate)
    evidence = logsumexp(like) + (np.linalg.slogdet(weight)[1] - np.log(np.sum(weight))) / 2
    return Told(softmax(like), places, middle, float(1 / np.sum(weight)), shape, rate, float(evidence))


def limit(x: np.ndarray, y: np.ndarray, prior: Prior, at: float, share: float) -> float:
    """The loss that a new run of size `at` has or stays below with this probability."""
    seen, ahead = told(x, y, prior), np.log10(at / np.max(x))
    centre = seen.middle + decline(seen.places, np.array([ahead]))[:, 0]
    spread = np.sqrt(seen.rate / seen.shape * (1 + prior.kappa * ahead + seen.worth))

    def above(v: float) -> float:
        return float(seen.share @ stdtr(2 * seen.shape, (v - centre) / spread)) - share

    far = 1e3 * np.max(spread)
    return float(np.exp(brentq(above, np.min(centre) - far, np.max(centre) + far)))


def from_few(fit: Fit, key: int) -> Fit:
    """The fit of a power with a floor, or of the sum of two, moved to the middle of what its runs and the
    prior say, with draws of that; its law's own error is the prior's walk."""
    rows, both = fit.data.counted, len(fit.law.inputs) == 2
    prior, y = prior_of(fit.law.inputs[0]), fit.data.y[rows]
    x = [fit.data.x[name][rows] for name in fit.law.inputs]
    weight = fit.data.weight[rows]

    def seen_with(w: np.ndarray) -> Told:
        return told_of_both(x[0], x[1], y, prior, w) if both else told(x[0], y, prior, w)

    seen = seen_with(weight)
    random = np.random.default_rng(key)
    cell = random.choice(len(seen.share), N_DRAWS, p=seen.share)
    places = seen.places[:, cell]
    if not both:
        # Anywhere in its cell, or draws would stand on a grid.
        steps = 2 * REACH / (CELLS - 1) * np.array([[prior.phi[1]], [prior.alpha[1]]])
        places = places + steps * random.uniform(-0.5, 0.5, places.shape)
    variance = seen.rate[cell] / random.gamma(seen.shape, size=N_DRAWS)
    top = seen.middle[cell] + np.sqrt(variance * seen.worth) * random.standard_normal(N_DRAWS)
    largest = dict(zip(fit.law.inputs, np.transpose(x)[np.argmax(np.prod(x, axis=0))], strict=True))
    u = _coordinates(fit.law, places, top, largest)
    centre = _coordinates(fit.law, np.mean(places, axis=1), float(np.mean(top)), largest)
    sigma = np.sqrt(variance)
    draws = Posterior(
        u.T,
        np.zeros(N_DRAWS, bool),
        np.zeros((len(rows), len(u))),
        "priors",
        key,
        {"sigma": sigma},
        {},
        {},
        {},
    )
    cost = linearise(fit.law, fit.objective, centre, fit.data.x, fit.data.y).take(rows).cost
    line = both and on_one_line(*x)
    if line or len(rows) <= MOST[len(x)]:
        said = [_said(fit.law.inputs, len(rows), places, prior, line)]
        said += [caution for caution in fit.warnings if caution.code in OF_RUNS]
    else:
        said = [caution for caution in fit.warnings if caution.code not in SETTLED_BY_RANGES]
    if len(rows) <= MOST[len(x)] and "outliers" not in [caution.code for caution in said]:
        apart = weight * np.where(np.eye(len(rows), dtype=bool), ODD_ERROR**-2, 1.0)
        gain = np.array([seen_with(w).evidence for w in apart]) - seen.evidence
        if np.max(gain) > np.log(ODD):
            said.append(_odd_run(row_words(rows[[np.argmax(gain)]], fit.data.names)))
    trust, codes = verdict(said)
    moved = fit.changed(
        coefs={c.name: c.support.inside(v) for c, v in zip(fit.law.coefs, centre, strict=True)},
        value=float(np.sum(fit.data.weight[rows] * cost)),
        draws=draws,
        covariance=np.cov(u),
        warnings=tuple(said),
        notes=(*fit.notes, "drawn towards what public sweeps of loss by compute say"),
        status=replace(fit.status, trust=trust, cautions=codes),
    )
    moved.kept["model_error"] = _walk(moved, prior, float(np.median(sigma)), largest)
    return moved


def _coordinates(
    law: Law, places: np.ndarray, top: np.ndarray | float, largest: Mapping[str, float]
) -> np.ndarray:
    """The coefficients on the real line, of places, log L_0 and the largest run's inputs."""
    phi, alpha, L_0 = expit(places[0]), np.exp(places[1]), np.exp(top)
    first, *second = largest.values()
    s = expit(places[3]) if second else 1.0
    values = {"E": phi * L_0, "A": s * (1 - phi) * L_0 * first**alpha, "alpha": alpha}
    if second:
        beta = np.exp(places[2])
        values |= {"B": (1 - s) * (1 - phi) * L_0 * second[0] ** beta, "beta": beta}
    return np.stack([c.support.to_real(values[c.name], xp=np) for c in law.coefs])


def _walk(fit: Fit, prior: Prior, sigma: float, largest: Mapping[str, float]) -> ModelError:
    """The prior's walk as the fit's own error of a law: tau^2 s Delta = kappa sigma^2 a decade ahead."""
    decade = 10 ** (1 / len(largest))
    at = {name: np.array([here, decade * here]) for name, here in largest.items()}
    now, ahead = np.log(fit.law(fit.coefs, at))
    s = residual_size(fit)
    return ModelError(float(sigma * np.sqrt(prior.kappa / (s * (now - ahead)))) if s > 0 else TAU)


def on_one_line(N: np.ndarray, D: np.ndarray) -> bool:
    """Whether runs do not tell N from D: one of them never changes, or both do together."""
    return bool(np.ptp(N) == 0 or np.ptp(D) == 0 or one_line(N, D))


def _said(inputs: Sequence[str], n: int, places: np.ndarray, prior: Prior, line: bool) -> Caution:
    """How much of the answer is prior: what is left of its variance."""
    both = len(inputs) == 2
    left = [
        min(float(np.var(own)) / sd**2, 1.0)
        for own, (_, sd) in zip(places, _ranges(prior, both), strict=True)
    ]
    parts = [f"{share:.0%} in the exponent of {name}" for name, share in zip(inputs, left[1:], strict=False)]
    parts.append(f"{left[0]:.0%} in the floor")
    return Caution(
        "few-runs",
        "warning",
        f"{n} runs do not tell {'five' if both else 'three'} coefficients, so this rests on public sweeps of "
        f"loss by compute too: what is left of their variance is {listed(parts)}; "
        f"add runs {'that vary N and D apart' if line else 'of other sizes'}",
    )


def _odd_run(row: str) -> Caution:
    return Caution(
        "outliers",
        "warning",
        f"{row} lies far off what the other runs say, and widens every interval; check that run, and leave "
        "it out if it failed",
    )
