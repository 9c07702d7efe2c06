"""Joint draws of all that a fit leaves open: its coefficients, and what the law itself may be off by.

Every interval of every answer made from a fit is a quantile, by `ends`, of its own quantity over these draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scalefit.arguments import check_key, check_level, number
from scalefit.core.law import Law
from scalefit.fits.ensemble import Ensemble
from scalefit.fits.fit import Fit
from scalefit.fits.record import natural
from scalefit.words import short

__all__ = ["Joint", "ends", "joint"]

# Draws where the fit holds none.
N_DRAWS = 400
# A first-order covariance is widened by Student's t, but not beyond this.
WIDEST = 1e3

Departure = Callable[[Mapping[str, Any]], np.ndarray]


@dataclass(frozen=True, eq=False)
class Joint:
    """Draws of a law's coefficients, values (draws + 1, p) in natural units, the estimate first.

    departure: what the law is off by in each draw, (draws + 1, ...) in log y where `log` and in y elsewhere, at inputs
    whose first axis runs over the draws; none for the estimate, and None where the law is taken as right. known: whether
    the draws say anything; those of a fit without spare rows do not.
    """

    law: Law
    values: np.ndarray
    departure: Departure | None = None
    log: bool = True
    known: bool = True

    def __len__(self) -> int:
        return len(self.values)

    def predict(self, x: Mapping[str, Any]) -> np.ndarray:
        """The curve (draws + 1, ...) at inputs whose first axis runs over the draws, or has length one."""
        dimensions = max(np.ndim(v) for v in x.values())
        coefs = {
            name: v.reshape(-1, *[1] * (dimensions - 1))
            for name, v in zip(self.law.names, self.values.T, strict=True)
        }
        with np.errstate(all="ignore"):
            curve = np.asarray(self.law(coefs, {name: x[name] for name in self.law.inputs}), float)
            if self.departure is None:
                return curve
            off = self.departure(x)
            return curve * np.exp(off) if self.log else curve + off

    def rows(self, begin: int, end: int) -> Joint:
        """Some of the draws, with their own departures."""
        departure = self.departure

        def some(x: Mapping[str, Any]) -> np.ndarray:
            assert departure is not None
            return departure(x)[begin:end]

        return replace(self, values=self.values[begin:end], departure=None if departure is None else some)

    @property
    def estimate(self) -> Joint:
        """The estimate alone."""
        return replace(self, values=self.values[:1], departure=None)


def joint(fit: Fit | Ensemble | Law, coefs: Any = None, level: float | None = None, key: int = 0,
          model_error: bool = True) -> Joint:  # fmt: skip
    """The draws of a fit; the estimate alone where no level is asked for, or for a law with given coefficients.

    The coefficients' draws are those of the fit, or normal ones of its first-order covariance, widened by Student's t. Of
    an ensemble each law has its share of the draws.
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
    if isinstance(fit, Fit):
        own = _one_law(fit, None, level, key, model_error)
        return replace(own, values=np.concatenate([estimate, own.values]))
    parts = {label: _one_law(member, round(weight * N_DRAWS), level, key + k, model_error)
             for k, (label, (member, weight)) in enumerate(fit.members.items())}  # fmt: skip
    rows = np.cumsum([1, *(len(part) for part in parts.values())])
    values = np.tile(estimate, (rows[-1], 1))
    place = {name: k for k, name in enumerate(fit.law.names)}
    for (label, part), begin, end in zip(parts.items(), rows, rows[1:], strict=False):
        for name, column in zip(part.law.names, part.values.T, strict=True):
            values[begin:end, place[f"{name}[{label}]"]] = column
        for other in fit.weights:
            values[begin:end, place[f"weight[{other}]"]] = float(other == label)
    return Joint(fit.law, values, None, fit.log, all(part.known for part in parts.values()))


def _one_law(fit: Fit, n: int | None, level: float, key: int, model_error: bool) -> Joint:
    """Draws of one fit without the estimate, n of them or as many as it has."""
    known = fit.resampled is not None or bool(np.isfinite(fit.student(level)))
    if fit.resampled is not None:
        u = fit.resampled.u if n is None else fit.resampled.u[np.arange(n) % len(fit.resampled)]
    else:
        root = np.linalg.svd(np.where(np.isfinite(fit.covariance), fit.covariance, 0.0))
        z = np.random.default_rng(key).standard_normal((N_DRAWS if n is None else n, len(fit.u)))
        u = fit.u + min(fit.student(level), WIDEST) * (z * np.sqrt(root[1])) @ root[2]
    values = np.stack(list(natural(fit.law, u).values()), axis=1)
    return Joint(fit.law, values, None, fit.log, known)


def ends(
    values: np.ndarray, level: float, unknown: tuple[float, float] = (0.0, np.inf), known: bool = True
) -> tuple[float, float]:
    """Quantiles of draws (n,) of a quantity; those that are NaN may lie at either end, and all may where nothing is known."""
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
