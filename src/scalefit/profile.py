"""Profiles: the best objective as one coefficient is held at value after value, and the interval it gives.

No draw is made and no normal distribution is assumed for the coefficient: a floor that may as well be zero shows
as a profile that stays flat down to zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from scalefit.core.linear import Linear, bend, linearise
from scalefit.core.search import pad, search_all
from scalefit.core.solve import Rows
from scalefit.result import Fit

__all__ = ["Profile", "profile"]


@dataclass(frozen=True, eq=False)
class Profile:
    """One coefficient's profile.

    values: where it was held, ascending, natural units; objective: the best objective there; coefs: the others'
    best values, one array each. rise: the increase of the objective that an interval of this level allows.
    lo, hi: the interval; minus or plus infinity, or the support's end, where the profile never rises that far.
    """

    fit: Fit
    name: str
    level: float
    values: np.ndarray
    objective: np.ndarray
    coefs: dict[str, np.ndarray]
    rise: float
    lo: float
    hi: float

    def __repr__(self) -> str:
        return (f"Profile of {self.name}: {self.fit.coefs[self.name]:.5g}, {self.level:.0%} interval "
                f"{self.lo:.5g} to {self.hi:.5g}")  # fmt: skip


def profile(fit: Fit, name: str, level: float = 0.9, values=None, n_values: int = 41) -> Profile:
    """Hold `name` at n_values values (or at `values`), fit the other coefficients anew at each, from several starts.

    Without `values` the range is widened until the objective has risen enough on both sides, or 30 standard
    errors out. The interval holds the values whose objective rises by less than what chance allows: t^2 / 2 times
    the mean square of rho' over the mean of rho'' (for squares the usual F interval).
    Raises ValueError where there is nothing to fit beside `name`, or no more rows than coefficients.
    """
    fit.law._require((name,))
    if len(fit.law.coefs) == 1:
        raise ValueError(f"{name} is the only coefficient: its profile is the objective itself")
    rows = fit.data.counted
    spare = len(rows) - len(fit.law.coefs)
    if spare < 1:
        raise ValueError("a profile needs more rows than coefficients")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    coef = fit.law.coefs[fit.law.names.index(name)]
    linear = linearise(fit.law, fit.objective, fit.u, fit.data.x, fit.data.y).take(rows)
    rise = _rise(fit, linear, level)
    if values is None:
        u = _range(fit, name, rise, n_values)
        held = np.asarray(coef.support.from_real(u, xp=np), float)
    else:
        held = np.sort(np.asarray(values, float))
    best, others = _held(fit, name, held)
    lo, hi = _crossings(
        coef.support.to_real(held), best - fit.value, rise, float(coef.support.to_real(fit.coefs[name]))
    )
    ends = [float(coef.support.from_real(end, xp=np)) for end in (lo, hi)]
    return Profile(fit, name, level, held, best, others, rise, *ends)


def _rise(fit: Fit, linear: Linear, level: float) -> float:
    weight = fit.data.weight[fit.data.counted]
    n, p = len(weight), len(fit.u)
    curvature = np.mean(weight * bend(fit.objective, linear))
    spread = np.mean((weight * linear.slope) ** 2) * n / (n - p)
    return float(stdtrit(n - p, (1 + level) / 2) ** 2 / 2 * spread / curvature)


def _range(fit: Fit, name: str, rise: float, n_values: int) -> np.ndarray:
    """Coordinates from below the lower limit to above the upper one, the fit's own among them."""
    k = fit.law.names.index(name)
    centre, step = fit.u[k], max(np.sqrt(fit.covariance[k, k]), 1e-6)
    step = min(step, 5.0)
    support = fit.law.coefs[k].support
    reach = []
    for sign in (-1, 1):
        tried = centre + sign * step * np.array([1.0, 2.0, 4.0, 8.0, 16.0, 30.0])
        best, _ = _held(fit, name, np.asarray(support.from_real(tried, xp=np)))
        enough = np.flatnonzero(best - fit.value > 1.5 * rise)
        reach.append(tried[enough[0]] if len(enough) else tried[-1])
    half = n_values // 2
    return np.concatenate(
        [np.linspace(reach[0], centre, half + 1), np.linspace(centre, reach[1], n_values - half)[1:]]
    )


def _held(fit: Fit, name: str, held: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The best objective, and the other coefficients, with `name` held at each value: one group per value."""
    law = fit.law.given(name)
    data = fit.data if law.whole else fit.data.take(fit.data.counted)
    one = pad([{**data.x, name: np.zeros(len(data)), "y": data.y, "weight": data.weight}], law)
    every = lambda a: np.repeat(a, len(held), axis=0)  # noqa: E731
    x = (*map(every, one.x[:-1]), np.broadcast_to(held[:, None], (len(held), one.y.shape[1])))
    rows = Rows(x, every(one.y), every(one.weight))
    warm = np.array([c.support.to_real(fit.coefs[c.name]) for c in law.coefs])
    founds = search_all(law, rows, fit.objective, warm=warm)
    best = np.array([found.ends.value[found.best] for found in founds])
    u = np.stack([found.ends.u[found.best] for found in founds])
    with np.errstate(over="ignore"):  # held far out, the others may run to infinity
        values = [np.asarray(c.support.from_real(v, xp=np)) for c, v in zip(law.coefs, u.T, strict=True)]
    return best, dict(zip(law.names, values, strict=True))


def _crossings(u: np.ndarray, rise: np.ndarray, allowed: float, centre: float) -> tuple[float, float]:
    """Where the profile crosses `allowed`, farthest out on either side, between neighbours in a straight line."""
    inside = np.flatnonzero(rise <= allowed)
    if not len(inside):
        return centre, centre
    first, last = inside[0], inside[-1]
    cross = lambda a, b: u[a] + (u[b] - u[a]) * (allowed - rise[a]) / (rise[b] - rise[a])  # noqa: E731
    lo = -np.inf if first == 0 else cross(first, first - 1)
    hi = np.inf if last == len(u) - 1 else cross(last, last + 1)
    return lo, hi
