"""Joint draws of all that a fit leaves open: its coefficients, and what the law itself may be off by.

Every interval of every answer made from a fit is a quantile, by `ends`, of its own quantity over these draws.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from scalefit.arguments import check_key, check_level, number
from scalefit.core.law import Law
from scalefit.fits.ensemble import Ensemble
from scalefit.fits.fit import Fit
from scalefit.fits.model_error import departure, model_error_of
from scalefit.fits.record import natural
from scalefit.words import short

__all__ = ["Joint", "ends", "joint"]

# Draws where the fit holds none.
N_DRAWS = 400
# A first-order covariance is widened by Student's t, but not beyond this.
WIDEST = 1e3

# The slope of a departure is its size over so many e-folds of an input: set so that 90 % intervals hold
# optima that were measured at larger budgets than those fitted (benchmarks/optima_coverage.py).
LENGTH = 2.0


class Departures(NamedTuple):
    """What the law is off by near an answer, to first order and in units of its size there,
    for the estimate and every draw.

    size (draws + 1,) + slope (draws + 1, 2) . (log N - log N*, log D - log D*); size has variance 1, slopes 1
    / LENGTH^2, and the estimate has none. As a factor of the loss it is a power of N and D: the law's
    exponents are a bit off there.
    """

    size: np.ndarray
    slope: np.ndarray


@dataclass(frozen=True, eq=False)
class Joint:
    """Draws of a law's coefficients, values (draws + 1, p) in natural units, the estimate first.

    departures: what the law itself is off by in each draw, None where it is taken as right; their unit at a
    point is that of `ModelError`, see `amplitude`. parts: the fits behind the draws, with their first and
    last row. log: whether departures are of log y; known: whether the draws say anything, as those of a fit
    without spare rows do not.
    """

    law: Law
    values: np.ndarray
    departures: Departures | None = None
    parts: tuple[tuple[Fit, int, int], ...] = ()
    log: bool = True
    known: bool = True

    def __len__(self) -> int:
        return len(self.values)

    def curve(self, x: Mapping[str, Any]) -> np.ndarray:
        """The law (draws + 1, ...) at inputs whose first axis runs over the draws, or has length one."""
        shape = (-1, *[1] * (max(np.ndim(v) for v in x.values()) - 1))
        coefs = {name: v.reshape(shape) for name, v in zip(self.law.names, self.values.T, strict=True)}
        with np.errstate(all="ignore"):
            return np.asarray(self.law(coefs, {name: x[name] for name in self.law.inputs}), float)

    def amplitude(self, x: Mapping[str, np.ndarray]) -> np.ndarray | None:
        """The standard deviation (draws + 1, n) of departures at the estimate's places x (n,), none for the
        estimate or where there is no place."""
        if self.departures is None:
            return None
        out = np.zeros((len(self), len(next(iter(x.values())))))
        told = np.flatnonzero(np.all([np.isfinite(values) for values in x.values()], axis=0))
        for fit, begin, end in self.parts:
            own = {name: x[name][told] for name in fit.law.inputs}
            with np.errstate(all="ignore"):
                y = np.asarray(fit.law(fit.coefs, own), float)
                size = model_error_of(fit).tau * departure(fit, own, np.log(y) if fit.log else y, "mean")
            out[begin:end, told] = np.where(np.isfinite(size), size, 0.0)
        return out

    def off(self, y: np.ndarray, amplitude: np.ndarray | None) -> np.ndarray:
        """The curve's values y (draws + 1, n) with each draw's departure, of this amplitude."""
        if amplitude is None or self.departures is None:
            return y
        by = amplitude * self.departures.size[:, None]
        with np.errstate(all="ignore"):
            return y * np.exp(by) if self.log else y + by

    def walked(self, y: np.ndarray, amplitude: np.ndarray | None, key: int) -> np.ndarray:
        """The curve's values y (draws + 1, n) with departures of several
        answers as of one random walk (see `ModelError`).

        Answers as far from the runs share their departure;
        of two that are not, the farther one walks on from the nearer.
        """
        if amplitude is None:
            return y
        order = np.argsort(np.mean(amplitude, axis=0))
        variance = np.sort(amplitude, axis=1) ** 2
        steps = np.sqrt(np.diff(variance, axis=1, prepend=0.0))
        by = np.empty_like(amplitude)
        by[:, order] = np.cumsum(
            steps * np.random.default_rng([key, 2]).standard_normal(amplitude.shape), axis=1
        )
        with np.errstate(all="ignore"):
            return y * np.exp(by) if self.log else y + by

    def tilted(self, y: np.ndarray, amplitude: np.ndarray, n: np.ndarray, d: np.ndarray) -> np.ndarray:
        """The same without its size but with its slope, at (draws + 1, n,
        ...) places n and d e-folds from the answer."""
        assert self.departures is not None
        shape = (*amplitude.shape, *[1] * (np.ndim(y) - 2))
        slope_n, slope_d = (amplitude * self.departures.slope[:, [k]] for k in (0, 1))
        with np.errstate(all="ignore"):
            by = slope_n.reshape(shape) * n + slope_d.reshape(shape) * d
            return y * np.exp(by) if self.log else y + by

    @property
    def estimate(self) -> Joint:
        """The estimate alone."""
        return replace(self, values=self.values[:1], departures=None)


def joint(
    fit: Fit | Ensemble | Law,
    coefs: Any = None,
    level: float | None = None,
    key: int = 0,
    model_error: bool = True,
) -> Joint:
    """The draws of a fit; the estimate alone where no level is asked for,
    or for a law with given coefficients.

    The coefficients' draws are those of the fit, or normal ones of its first-order covariance, widened by
    Student's t. Of an ensemble each law has its share of the draws.
    """
    key = check_key(key)
    if not isinstance(fit, Fit | Ensemble | Law):
        raise TypeError(f"a fit or a law is needed, got {short(fit)}")
    if isinstance(fit, Law):
        if level is not None:
            raise ValueError(
                "a law with given coefficients has no interval; leave level out, or fit the law to runs"
            )
        known = _given(fit, coefs)
        return Joint(fit, np.array([[known[name] for name in fit.names]]))
    if coefs is not None:
        raise ValueError(
            "coefs are those of a law, and a fit has its own; leave them out, or give the law: fit.law"
        )
    estimate = np.array([[fit.coefs[name] for name in fit.law.names]])
    if level is None:
        return Joint(fit.law, estimate, log=fit.log)
    level = check_level(level)
    parts: list[tuple[Fit, int | None]] = [(fit, None)] if isinstance(fit, Fit) else []
    if isinstance(fit, Ensemble):
        parts = [(member, round(weight * N_DRAWS)) for member, weight in fit.members.values()]
    drawn = [_draws(member, n, level, key + k) for k, (member, n) in enumerate(parts)]
    rows = np.cumsum([1, *map(len, drawn)]).tolist()
    values = np.tile(estimate, (rows[-1], 1))
    place = {name: k for k, name in enumerate(fit.law.names)}
    for label, (member, _), own, begin, end in zip(fit.members, parts, drawn, rows, rows[1:], strict=False):
        for name, column in natural(member.law, own).items():
            values[begin:end, place[name if isinstance(fit, Fit) else f"{name}[{label}]"]] = column
        for other in fit.weights if isinstance(fit, Ensemble) else ():
            values[begin:end, place[f"weight[{other}]"]] = float(other == label)
    told = all(member.resampled is not None or np.isfinite(member.student(level)) for member, _ in parts)
    departures = None
    if model_error:
        z = np.random.default_rng([key, 1]).standard_normal((rows[-1], 3))
        z[0] = 0.0
        departures = Departures(z[:, 0], z[:, 1:] / LENGTH)
    owners = tuple(
        (member, begin, end) for (member, _), begin, end in zip(parts, rows, rows[1:], strict=False)
    )
    return Joint(fit.law, values, departures, owners, fit.log, told)


def _draws(fit: Fit, n: int | None, level: float, key: int) -> np.ndarray:
    """Draws (n, p) of one fit's coordinates, n of them or as many as it has."""
    if fit.resampled is not None:
        return fit.resampled.u if n is None else fit.resampled.u[np.arange(n) % len(fit.resampled)]
    root = np.linalg.svd(np.where(np.isfinite(fit.covariance), fit.covariance, 0.0))
    z = np.random.default_rng(key).standard_normal((N_DRAWS if n is None else n, len(fit.u)))
    return fit.u + min(fit.student(level), WIDEST) * (z * np.sqrt(root[1])) @ root[2]


def ends(
    values: np.ndarray, level: float, unknown: tuple[float, float] = (0.0, np.inf), known: bool = True
) -> tuple[float, float]:
    """Quantiles of draws (n,) of a quantity;
    those that are NaN may lie at either end, and all may where nothing is known."""
    if not known:
        return unknown
    sides = (np.where(np.isnan(values), end, values) for end in unknown)
    shares = (1 - level) / 2, (1 + level) / 2
    lo, hi = (float(np.quantile(v, q, method="inverted_cdf")) for v, q in zip(sides, shares, strict=True))
    return lo, hi


def _given(law: Law, coefs: Any) -> Mapping[str, float]:
    """Coefficients of a law: a dict, or those of a published set."""
    if isinstance(coefs, str):
        if coefs not in law.published:
            raise ValueError(
                f"{law.name!r} has no published set {coefs!r}; it has {', '.join(law.published) or 'none'}"
            )
        return law.published[coefs]
    if not isinstance(coefs, Mapping) or set(coefs) != set(law.names):
        raise ValueError(
            f"a law needs its coefficients: coefs={{{', '.join(law.names)}}} or the label of a published set"
        )
    for coef in law.coefs:
        value = number(coefs[coef.name])
        # A bound, E = 0 for example, is no place for a fit but a law like others.
        if value is None or not (np.isfinite(value) and coef.support.lo <= value <= coef.support.hi):
            raise ValueError(f"{coef.name} must be {coef.support}, got {short(coefs[coef.name])}")
    return coefs
