"""Profiles: the best objective as one coefficient is held at value after value, and the interval it gives.

No draw is made and no normal distribution is assumed for the coefficient: a floor that may as well be zero
shows as a profile that stays flat down to zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from scalefit.arguments import check_level, whole
from scalefit.core.compose import Substituted
from scalefit.core.linear import bend, linearise
from scalefit.core.search import pad, search_all
from scalefit.core.solve import Rows
from scalefit.fits.ensemble import check_fit
from scalefit.fits.fit import Fit
from scalefit.fits.pictured import Pictured
from scalefit.runs import tables
from scalefit.words import short

__all__ = ["Profile", "profile"]

OUTWARD = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)  # standard errors from the fit
ROUNDS = 3  # each narrows the place of an end to a seventh
MARGIN = 1.3  # how far past the ends the profile is shown


@dataclass(frozen=True, eq=False)
class Profile(Pictured):
    """One coefficient's profile.

    values: where it was held, ascending, natural units; objective: the best objective there; coefs: the
    others' best values, one array each. rise: the increase of the objective that an interval of this level
    allows. lo, hi: the interval; minus or plus infinity, or the support's end, where the profile never rises
    that far.
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
        return (
            f"Profile of {self.name}: {self.fit.coefs[self.name]:.5g}, {self.level:.0%} interval "
            f"{self.lo:.5g} to {self.hi:.5g}"
        )


def profile(fit: Fit, name: str, level: float = 0.9, values: Any = None, n_values: int = 41) -> Profile:
    """Hold `name` at value after value, fit the other coefficients anew at each.

    The interval holds the values whose objective rises by less than what chance allows: t^2 / 2 times the
    variance of the coefficient in `fit.covariance` times the objective's curvature in it, others fitted anew;
    so where the profile is a parabola it is the first-order interval (for squares the usual F interval), and
    errors count as shared within groups where that covariance counts them so. Its ends are searched for, up
    to 30 standard errors out, to better than 1 % of its width, whatever `values` are shown; left out, these
    are spread evenly in the coordinate of the descents, or in natural units from the end of the coefficient's
    support towards which the interval is open.

    Args:
        fit: a fit.
        name: of a coefficient.
        level: of the interval, between 0 and 1.
        values: those to hold it at. Left out, they are chosen, the estimate among them.
        n_values: how many are chosen.

    Returns:
        The Profile: values, objective at each, the interval (lo, hi) and `plot()`.

    Raises:
        ValueError: where there is nothing to fit beside `name`,
            no more rows (or groups) than coefficients, or for a posterior.

    Example:
        >>> alpha = sf.profile(fit, "alpha", n_values=11)
        >>> alpha.lo < fit.coefs["alpha"] < alpha.hi
        True
    """
    check_fit(fit, "profile")
    fixed = dict(fit.law.fn.to) if isinstance(fit.law.fn, Substituted) else {}
    if isinstance(name, str) and isinstance(fixed.get(name), float):
        raise ValueError(
            f"{name} is held at {fixed[name]:.4g} in this fit, so it has no profile; to free it, fit again "
            "from starts of your own, e.g. starts=dict(fit.coefs)"
        )
    fit.law.require((name,))
    level, n_values = check_level(level), whole(n_values, "n_values", 3)
    if len(fit.law.coefs) == 1:
        raise ValueError(f"{name} is the only coefficient: its profile is the objective itself")
    if not np.isfinite(fit.student(0.5)):
        raise ValueError("a profile needs more rows than coefficients, and more groups where there are any")
    if fit.draws is not None and fit.draws.method == "posterior":
        raise ValueError(
            "a posterior's centre is not where the objective is least; profile the fit that it was made from"
        )
    coef = fit.law.coefs[fit.law.names.index(name)]
    rise = _rise(fit, name, level)
    if values is not None:
        held = np.unique(tables.numbers(values, "values"))
        if not len(held) or not all(value in coef.support for value in held):
            raise ValueError(
                f"values must be one or more values of {name}, {coef.support}, got {short(values)}"
            )
    # Values that are asked for say what is shown, not where the interval ends.
    lo, hi = _ends(fit, name, rise)
    if values is None:
        held = np.sort(_grid(fit, name, lo, hi, n_values))
    best, others = _held(fit, name, held)
    # The coordinate of a negative coefficient runs the other way.
    ends = sorted(float(coef.support.from_real(end, xp=np)) for end in (lo, hi))
    return Profile(fit, name, level, held, best, others, rise, *ends)


def _rise(fit: Fit, name: str, level: float) -> float:
    """t^2 / 2 times variance times curvature;
    of the usual direction where the coefficient has no effect at the fit."""
    k, rows = fit.law.names.index(name), fit.data.counted
    linear = linearise(fit.law, fit.objective, fit.u, fit.data.x, fit.data.y).take(rows)
    weight, curved = fit.data.weight[rows], bend(fit.objective, linear)
    t2 = (fit.student(level) * ndtri((1 + level) / 2)) ** 2
    root = linear.jacobian * np.sqrt(weight * curved)
    size = np.linalg.norm(root, axis=1)
    scaled = (root / np.maximum(size, 1e-300)[:, None]).T
    # Coefficients without any effect here (a floor that has shrunk to nothing) are as good as held.
    others = scaled[:, np.isfinite(np.diag(fit.covariance)) & (np.arange(len(size)) != k)]
    left = scaled[:, k] - others @ np.linalg.lstsq(others, scaled[:, k], rcond=1e-12)[0]
    with np.errstate(invalid="ignore", over="ignore"):
        own = fit.covariance[k, k] * size[k] ** 2 * (left @ left)
    if np.isfinite(own) and own > 0:
        return float(t2 / 2 * own)
    n, p = len(rows), len(fit.u)
    return float(t2 / 2 * np.mean((weight * linear.slope) ** 2) * n / (n - p) / np.mean(weight * curved))


def _ends(fit: Fit, name: str, allowed: float) -> tuple[float, float]:
    """Coordinates where the profile crosses `allowed`, farthest out on either side;
    infinite where it does not."""
    k = fit.law.names.index(name)
    support, centre = fit.law.coefs[k].support, fit.u[k]
    step = np.clip(np.nan_to_num(np.sqrt(fit.covariance[k, k]), posinf=5.0), 1e-6, 5.0)

    def rises(u: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):  # far out on the line lies what no number holds
            best, _ = _held(fit, name, np.asarray(support.from_real(u.reshape(-1), xp=np), float))
        return np.nan_to_num(best - fit.value, nan=np.inf).reshape(u.shape)

    # Outward from the fit, one line per side;
    # then six places between the neighbours that the crossing lies between.
    u = centre + step * np.outer([-1.0, 1.0], [0.0, *OUTWARD])
    rise = np.concatenate([np.zeros((2, 1)), rises(u[:, 1:])], axis=1)
    sides = np.arange(2)
    for _ in range(ROUNDS):
        last, near, far = _bracket(rise, allowed)
        if np.all(last):
            break
        place = np.linspace(0, 1, 8)[:, None]
        ends = rise[sides, near], rise[sides, far]
        u = (u[sides, near] + place * (u[sides, far] - u[sides, near])).T
        rise = np.concatenate([ends[0][:, None], rises(u[:, 1:-1]), ends[1][:, None]], axis=1)
    last, near, far = _bracket(rise, allowed)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (allowed - rise[sides, near]) / (rise[sides, far] - rise[sides, near])
    cross = u[sides, near] + np.nan_to_num(share) * (u[sides, far] - u[sides, near])
    lo, hi = np.where(last, [-np.inf, np.inf], cross)
    return float(lo), float(hi)


def _bracket(rise: np.ndarray, allowed: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per line: whether its last place is inside, the last place inside, and the one after it."""
    n = rise.shape[1]
    near = n - 1 - np.argmax((rise <= allowed)[:, ::-1], axis=1)
    near = np.where(np.any(rise <= allowed, axis=1), near, 0)
    return near == n - 1, near, np.minimum(near + 1, n - 1)


def _grid(fit: Fit, name: str, lo: float, hi: float, n_values: int) -> np.ndarray:
    """Values to hold, ascending, the fit's own among them:
    past both ends, evenly where the interval is open."""
    k = fit.law.names.index(name)
    support, centre = fit.law.coefs[k].support, fit.u[k]
    own = fit.coefs[name]
    if np.isfinite(hi) and not np.isfinite(lo) and np.isfinite(support.lo):
        top = support.lo + MARGIN * (float(support.from_real(hi, xp=np)) - support.lo)
        if support.hi > top:
            return np.sort(
                np.append(support.lo + (top - support.lo) * np.linspace(1e-3, 1, n_values - 1), own)
            )
    step = np.clip(np.nan_to_num(np.sqrt(fit.covariance[k, k]), posinf=5.0), 1e-6, 5.0) * OUTWARD[-1]
    begin, end = (
        centre + MARGIN * (u - centre) if np.isfinite(u) else centre + sign * step
        for u, sign in ((min(lo, centre), -1), (max(hi, centre), 1))
    )
    half = n_values // 2
    u = np.concatenate([np.linspace(begin, centre, half + 1)[:-1], np.linspace(centre, end, n_values - half)])
    values = np.asarray(support.from_real(u, xp=np), float)
    values[half] = own
    return values


def _held(fit: Fit, name: str, held: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The best objective, and the other coefficients, with `name` held at each value: one group per value."""
    law = fit.law.given(name)
    data = fit.data if law.whole else fit.data.take(fit.data.counted)
    one = pad([{**data.x, name: np.zeros(len(data)), "y": data.y, "weight": data.weight}], law)

    def every(a):
        return np.repeat(a, len(held), axis=0)

    x = (*map(every, one.x[:-1]), np.broadcast_to(held[:, None], (len(held), one.y.shape[1])))
    rows = Rows(x, every(one.y), every(one.weight))
    warm = np.array([c.support.to_real(fit.coefs[c.name]) for c in law.coefs])
    founds = search_all(law, rows, fit.objective, warm=warm)
    best = np.array([found.ends.value[found.best] for found in founds])
    u = np.stack([found.ends.u[found.best] for found in founds])
    with np.errstate(over="ignore"):  # held far out, the others may run to infinity
        values = [np.asarray(c.support.from_real(v, xp=np)) for c, v in zip(law.coefs, u.T, strict=True)]
    return best, dict(zip(law.names, values, strict=True))
