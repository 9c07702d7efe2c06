"""A forecast from three to six runs: what they do not say comes from public sweeps.

    L(x) = L_0 (phi + (1 - phi) (x / x_0)^-alpha),    phi = E / L_0

x_0 is the largest run's size and L_0 the law's loss there. How phi and alpha are spread, how runs scatter and
how a curve leaves the law is learnt from public sweeps over compute (benchmarks/few_runs.py). The log of a
curve leaves the law's like a random walk from x_0, of variance kappa sigma^2 per decade of x, so that the
largest runs count most. Given phi and alpha the rest has a closed form: log L_0 is normal, sigma^2 inverse
gamma.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, softmax, stdtr

from scalefit.core.law import Law
from scalefit.core.linear import linearise
from scalefit.fits.fit import Fit
from scalefit.fits.model_error import TAU, ModelError, residual_size
from scalefit.fits.noise import Posterior
from scalefit.fits.status import Caution, verdict

__all__ = ["FEWEST", "MOST", "PRIOR", "Prior", "from_few", "limit", "prior_of"]

# Sizes that a forecast is made of with priors; where there are more, backtests judge laws.
FEWEST, MOST = 3, 6
# The prior's standard deviations on either side, and the cells along each.
REACH, CELLS = 3.0, 41
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


class Told(NamedTuple):
    """What runs say, for each cell of a grid over (logit phi, log alpha).

    share: its probability; middle: of log L_0, with variance sigma^2 worth; sigma^2 is inverse gamma of
    `shape` and `rate`.
    """

    share: np.ndarray
    places: np.ndarray
    middle: np.ndarray
    worth: float
    shape: float
    rate: np.ndarray


def prior_of(name: str) -> Prior:
    """The prior of losses by this input."""
    mean, sd = PRIOR.alpha
    return PRIOR._replace(alpha=(mean + np.log(2), sd)) if name in TWICE else PRIOR


def decline(places: np.ndarray, decades: np.ndarray) -> np.ndarray:
    """log L(x) - log L_0 (cells, k) at decades (k,) beyond x_0, by logit phi and log alpha (2, cells)."""
    phi, alpha = expit(places[0])[:, None], np.exp(places[1])[:, None]
    return np.log(phi + (1 - phi) * 10 ** (-alpha * decades))


def told(x: np.ndarray, y: np.ndarray, prior: Prior) -> Told:
    """What runs (n,) of sizes x and losses y say."""
    z = np.linspace(-REACH, REACH, CELLS)
    grid = np.stack([axis.ravel() for axis in np.meshgrid(z, z, indexing="ij")])
    places = np.stack([mean + sd * own for (mean, sd), own in zip(prior[:2], grid, strict=True)])
    back = np.log10(np.max(x) / x)
    # In units of sigma^2: each run's own error, and the walk backwards from the largest.
    weight = np.linalg.inv(np.eye(len(x)) + prior.kappa * np.minimum(back[:, None], back))
    off = np.log(y) - decline(places, -back)
    middle = off @ np.sum(weight, axis=0) / np.sum(weight)
    rest = off - middle[:, None]
    rate = prior.shape * prior.scale**2 + np.sum((rest @ weight) * rest, axis=1) / 2
    shape = prior.shape + (len(x) - 1) / 2
    share = softmax(-np.sum(grid**2, axis=0) / 2 - shape * np.log(rate))
    return Told(share, places, middle, float(1 / np.sum(weight)), shape, rate)


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
    """The fit of a power with a floor moved to the middle of what its runs and the prior say,
    with draws of that; its law's own error is the prior's walk."""
    (name,), rows = fit.law.inputs, fit.data.counted
    prior, x, y = prior_of(name), fit.data.x[name][rows], fit.data.y[rows]
    seen, random = told(x, y, prior), np.random.default_rng(key)
    cell = random.choice(len(seen.share), N_DRAWS, p=seen.share)
    # Anywhere in its cell, or draws would stand on a grid.
    steps = 2 * REACH / (CELLS - 1) * np.array([[prior.phi[1]], [prior.alpha[1]]])
    places = seen.places[:, cell] + steps * random.uniform(-0.5, 0.5, (2, N_DRAWS))
    variance = seen.rate[cell] / random.gamma(seen.shape, size=N_DRAWS)
    top = seen.middle[cell] + np.sqrt(variance * seen.worth) * random.standard_normal(N_DRAWS)
    u = _coordinates(fit.law, places, top, np.max(x))
    centre = _coordinates(fit.law, np.mean(places, axis=1), float(np.mean(top)), np.max(x))
    sigma = np.sqrt(variance)
    draws = Posterior(
        u.T, np.zeros(N_DRAWS, bool), np.zeros((len(rows), 3)), "priors", key, {"sigma": sigma}, {}, {}, {}
    )
    cost = linearise(fit.law, fit.objective, centre, fit.data.x, fit.data.y).take(rows).cost
    said = _said(name, len(rows), places, prior)
    trust, codes = verdict([said])
    moved = fit.changed(
        coefs={c.name: c.support.inside(v) for c, v in zip(fit.law.coefs, centre, strict=True)},
        value=float(np.sum(fit.data.weight[rows] * cost)),
        draws=draws,
        covariance=np.cov(u),
        warnings=(said,),
        status=replace(fit.status, trust=trust, cautions=codes),
    )
    moved.kept["model_error"] = _walk(moved, prior, float(np.median(sigma)))
    return moved


def _coordinates(law: Law, places: np.ndarray, top: np.ndarray | float, x_0: float) -> np.ndarray:
    """E, A and alpha on the real line, of (logit phi, log alpha) and log L_0."""
    phi, alpha = expit(places[0]), np.exp(places[1])
    values = {"E": phi * np.exp(top), "A": (1 - phi) * np.exp(top) * x_0**alpha, "alpha": alpha}
    return np.stack([c.support.to_real(values[c.name], xp=np) for c in law.coefs])


def _walk(fit: Fit, prior: Prior, sigma: float) -> ModelError:
    """The prior's walk as the fit's own error of a law: tau^2 s Delta = kappa sigma^2 a decade ahead."""
    (name,) = fit.law.inputs
    x_0 = np.max(fit.data.x[name][fit.data.counted])
    now, ahead = np.log(fit.law(fit.coefs, {name: np.array([x_0, 10 * x_0])}))
    s = residual_size(fit)
    return ModelError(float(sigma * np.sqrt(prior.kappa / (s * (now - ahead)))) if s > 0 else TAU)


def _said(name: str, n: int, places: np.ndarray, prior: Prior) -> Caution:
    """How much of the answer is prior: what is left of its variance."""
    left = [min(float(np.var(own)) / sd**2, 1.0) for own, (_, sd) in zip(places, prior[:2], strict=True)]
    return Caution(
        "few-runs",
        "warning",
        f"{n} runs do not tell three coefficients, so this rests on public sweeps of loss by compute too: "
        f"of their variance {left[1]:.0%} is left in the exponent of {name} and {left[0]:.0%} in the floor; "
        "add runs of other sizes",
    )
