"""A Bayesian refit: what the runs and prior ranges say together, drawn by NumPyro's NUTS (an extra).

The noise is fitted along with the law: its scale, how heavy its tails are and, if asked,
how it changes with size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from scipy.special import ndtri, stdtrit

from scalefit.arguments import check_choice, whole
from scalefit.core.compiled import compiled
from scalefit.core.data import Array
from scalefit.core.evaluate import Problem, staged, with_jacobian
from scalefit.core.law import Coef, Law
from scalefit.core.linear import linearise
from scalefit.core.search import pad, problem_of
from scalefit.core.support import POSITIVE, REAL
from scalefit.fits.fit import Fit
from scalefit.fits.noise import Posterior
from scalefit.fits.status import Caution
from scalefit.words import short

__all__ = ["NOISES", "Posterior", "posterior", "published_priors"]

NOISES = ("student", "normal")
# Published sets whose coefficients all agree to this share are one set, printed twice.
SAME = 0.02
# A default prior this many standard deviations from the fit was meant for other units or other runs.
FAR = 3.0


class Model(NamedTuple):
    """What is compiled for. Units are named because laws are equal without them. Hashable, static."""

    problem: Problem
    units: tuple
    noise: str


class Prior(NamedTuple):
    """Normal priors (p,) on the coordinates;
    where `relative`, on the log of coefficient over unit instead."""

    mean: Array
    sd: Array
    relative: Array


class Known(NamedTuple):
    """Rows (n,), centred logs of the inputs that scale the noise (k, n), typical values, priors,
    where chains begin.

    scale: the fit's residual scale; centre: the law's place and the noise's (p + m,); width:
    the noise's spread (m,).
    """

    x: tuple
    y: Array
    weight: Array
    logs: Array
    middle: dict
    prior: Prior
    scale: Array
    centre: Array
    width: Array


def posterior(
    fit: Fit,
    priors: Mapping[str, Any] | str | None = None,
    *,
    n_draws: int = 1000,
    n_warmup: int = 1000,
    n_chains: int = 2,
    key: int = 0,
    noise: str = "student",
    scale_by: str | Sequence[str] | None = None,
) -> Fit:
    """The fit again as a posterior, drawn by NumPyro's NUTS: its coefficients are at the draws' centre.

    Of the fit's objective only the space of its residuals (log or linear) is kept; in place of rho stands a
    noise model whose scale is fitted. A row of weight w has variance sigma^2 / w.

    Args:
        fit: whose law and rows are taken.
        priors: by name, a range (lo, hi) in natural units that holds 90 %, or "published"; or "published" for
            every coefficient in `published_priors`. Others get wide ones: twice their typical range, a factor
            e^3 either way about their unit, or next to nothing where the law declares neither.
        n_draws: how many draws each chain keeps.
        n_warmup: how many steps each chain takes before.
        n_chains: how many chains.
        key: seed; the same key gives the same draws.
        noise: "student", Student's t with fitted degrees of freedom, or "normal".
        scale_by: an input or several in whose logs log sigma is a straight line (small runs are often
            noisier).

    Returns:
        The fit again, with `draws` of n_chains chains of n_draws each; `fit.draws.noise` holds the draws of
        the noise model.

        Intervals, predictions and standard errors come from the draws; predictions of one new run
        (kind="run") add errors of this noise model, beyond the runs those of the nearest size. `ends` and the
        starts that agreed stay those of the fit. Chains that disagree (R-hat above 1.01), fewer than 100
        effective draws, divergences, and default priors far from the fit are added to `warnings`.

    Raises:
        ImportError: without NumPyro (`pip install "scalefit-jax[posterior]"`).
        ValueError: for priors or inputs that do not fit the law, and where there are no more rows than
            coefficients.

    Example:
        >>> bayes = sf.posterior(fit, priors={"E": (1.5, 2.2)}, n_draws=500, scale_by="N")  # doctest: +SKIP
        >>> bayes.draws.u.shape  # doctest: +SKIP
        (1000, 5)
    """
    sampler, diagnose = _numpyro()
    _check(fit, noise, n_draws, n_warmup, n_chains)
    law = fit.law
    names = () if scale_by is None else (scale_by,) if isinstance(scale_by, str) else tuple(scale_by)
    logs = _logs(fit, names)
    chosen = _chosen(law, priors)
    prior, middle, far = _priors(fit, chosen)
    known = _known(fit, logs, prior, chosen, middle, noise)
    model = Model(problem_of(law, fit.objective), tuple(c.unit for c in law.coefs), noise)
    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(key), n_chains)
        places, u, diverged = map(np.asarray, _chains(model, sampler, n_warmup, n_draws, known, keys))
    p = len(law.coefs)
    others = ("sigma", *(("freedom",) if noise == "student" else ()), *names)
    labels = (*law.names, *(f"noise {name}" for name in others))
    with np.errstate(divide="ignore", invalid="ignore"):
        r_hat, size = (dict(zip(labels, measure(places).tolist(), strict=True)) for measure in diagnose)
    flat = places.reshape(-1, len(labels))
    drawn = dict(zip(others, flat[:, p:].T, strict=True))
    drawn["sigma"] = np.exp(drawn["sigma"])
    if noise == "student":
        drawn["freedom"] = 1 + np.exp(drawn["freedom"])
    u, failed = u.reshape(-1, p), diverged.reshape(-1)
    draws = Posterior(
        u,
        failed,
        np.zeros((len(fit.data.counted), p)),
        "posterior",
        key,
        drawn,
        r_hat,
        size,
        {name: _span(fit, name) for name in names},
    )
    return _moved(fit, draws, flat[:, :p].mean(axis=0), middle, far)


def published_priors(law: Law) -> dict[str, tuple[float, float]]:
    """Ranges that should hold a further study's coefficient with 90 %, from the law's published sets.

    On the coordinate: mean -+ t sd sqrt(1 + 1/m) over m sets (Student's t with m - 1 degrees of freedom);
    sets that agree to 2 % throughout count once.

    Args:
        law: with at least three different published sets.

    Returns:
        A dict coefficient -> (lo, hi) in natural units. Coefficients that are the same in all sets are left
        out.

    Raises:
        ValueError: for fewer than three sets.

    Example:
        >>> lo, hi = sf.published_priors(sf.laws.chinchilla)["alpha"]
        >>> round(lo, 2), round(hi, 2)
        (0.27, 0.45)
    """
    if not isinstance(law, Law):
        raise TypeError(f"published_priors needs a law, such as sf.laws.chinchilla, got {short(law)}")
    sets: list[np.ndarray] = []
    for values in law.published.values():
        row = np.array([float(values[name]) for name in law.names])
        if not any(np.allclose(row, other, rtol=SAME, atol=0) for other in sets):
            sets.append(row)
    m = len(sets)
    if m < 3:
        raise ValueError(
            f"law {law.name!r} has {m} different published set{'s' * (m != 1)}, and a prior needs three; "
            "give ranges, e.g. priors={" + f'"{law.names[-1]}": (lo, hi)}}'
        )
    reach = stdtrit(m - 1, 0.95) * np.sqrt(1 + 1 / m)
    found = {}
    for coef, column in zip(law.coefs, np.transpose(sets), strict=True):
        if np.ptp(column) and all(value in coef.support for value in column):
            u = coef.support.to_real(column)
            middle, half = np.mean(u), reach * np.std(u, ddof=1)
            ends = (coef.support.inside(middle + sign * half) for sign in (-1, 1))
            lo, hi = sorted(ends)
            found[coef.name] = (lo, hi)
    return found


def _numpyro():
    """(the sampler, (R-hat, effective sample size)), or one sentence on how to get them."""
    try:
        from numpyro.diagnostics import effective_sample_size, split_gelman_rubin
        from numpyro.infer.hmc import hmc
    except ImportError as error:
        raise ImportError(
            'sf.posterior needs NumPyro, which is an extra: pip install "scalefit-jax[posterior]"'
        ) from error
    return hmc, (split_gelman_rubin, effective_sample_size)


def _check(fit: Fit, noise: str, n_draws: int, n_warmup: int, n_chains: int) -> None:
    if not isinstance(fit, Fit):
        raise TypeError(f"posterior needs a fit of one law, as sf.fit returns it, got {short(fit)}")
    check_choice(noise, "noise", NOISES)
    if fit.objective.name.startswith("asymmetric"):
        raise ValueError(
            "the asymmetric objective follows the lower edge of the runs, which no noise model here does; "
            "refit with sf.huber() first"
        )
    if len(fit.data.counted) <= len(fit.law.coefs):
        raise ValueError(
            "a posterior needs more rows than coefficients: nothing else says how noisy runs are"
        )
    for name, value, least in (("n_draws", n_draws, 4), ("n_warmup", n_warmup, 1), ("n_chains", n_chains, 1)):
        whole(value, name, least)


def _logs(fit: Fit, names: tuple[str, ...]) -> np.ndarray:
    """Logs of the inputs that scale the noise, centred over the rows that count; (k, n) of all rows."""
    logs = np.zeros((len(names), len(fit.data)))
    for k, name in enumerate(names):
        if name not in fit.law.inputs or name in fit.law.labels:
            raise ValueError(
                f"scale_by: law {fit.law.name!r} has no input {name!r} that is a number; its inputs are "
                f"{', '.join(fit.law.inputs)}"
            )
        column = fit.data.x[name]
        if not np.all(column > 0) or not np.ptp(column[fit.data.counted]):
            raise ValueError(f"scale_by: {name} must be positive in every row, and not the same in all")
        logs[k] = np.log(column) - _span(fit, name)[1]
    return logs


def _span(fit: Fit, name: str) -> tuple[float, float, float]:
    """Least, mean and greatest log of an input over the rows that count."""
    logs = np.log(fit.data.x[name][fit.data.counted])
    return float(np.min(logs)), float(np.mean(logs)), float(np.max(logs))


def _relative(coef: Coef) -> bool:
    """Whether chains move in log(coefficient / unit): an amplitude's log alone follows its exponent about."""
    return coef.unit is not None and coef.support == POSITIVE


def _offset(law: Law, place, middle: dict[str, Any], xp):
    """log(unit) per coefficient, 0 where `_relative` does not hold: coordinates are place + offset.

    Units are made of coefficients that have none themselves, so the map's Jacobian has determinant 1.
    """
    values = {c.name: c.support.from_real(place[k], xp=xp) for k, c in enumerate(law.coefs) if c.unit is None}
    sizes = (c.size(middle | values) if _relative(c) else 1.0 for c in law.coefs)
    return xp.stack([xp.log(xp.abs(xp.asarray(size, float))) for size in sizes])


def _priors(fit: Fit, chosen: Mapping[str, Any]) -> tuple[Prior, dict[str, Any], list[str]]:
    """Priors, the rows' geometric means by name, and sentences about default priors far from the fit."""
    law, rows = fit.law, fit.data.take(fit.data.counted)
    middle = {name: _middle(column) for name, column in {**rows.x, "y": rows.y}.items()}
    offset, sizes = _offset(law, fit.u, middle, np), middle | dict(fit.coefs)
    table, far = [], []
    for k, coef in enumerate(law.coefs):
        if coef.name in chosen:
            table.append((*_range(coef, chosen[coef.name]), False))
            continue
        mean, sd = _weak(coef, abs(float(coef.size(sizes))), fit.u[k])
        table.append((mean, sd, _relative(coef)))
        distance = abs(fit.u[k] - offset[k] - mean) / sd
        if distance > FAR and coef.unit is None:
            far.append(
                f"the default prior of {coef.name} is centred on {coef.support.from_real(mean, xp=np):.3g}, "
                f"{distance:.1f} of its standard deviations from the fit's "
                f"{fit.coefs[coef.name]:.3g}; give a "
                f'range that suits these runs: priors={{"{coef.name}": (lo, hi)}}'
            )
    columns = (np.array(column) for column in zip(*table, strict=True))
    return Prior(*columns), middle, far


def _middle(column: np.ndarray) -> float:
    """Geometric mean of the sizes, zeros aside."""
    sizes = np.abs(column[column != 0])
    return float(np.exp(np.mean(np.log(sizes)))) if len(sizes) else 1.0


def _chosen(law: Law, priors: Mapping[str, Any] | str | None) -> dict[str, tuple[float, float]]:
    """Ranges by name, "published" looked up."""
    if priors == "published":
        return published_priors(law)
    if not isinstance(priors, Mapping | None):
        raise TypeError(f'priors must be a dict of ranges by coefficient, or "published", got {priors!r}')
    chosen = dict(priors or {})
    law.require(chosen)
    for name, given in chosen.items():
        if isinstance(given, str) and given == "published":
            known = published_priors(law)
            if name not in known:
                raise ValueError(
                    f"priors: {name} is the same in all published sets of {law.name!r}; give (lo, hi)"
                )
            chosen[name] = known[name]
    return chosen


def _range(coef: Coef, given: Any) -> tuple[float, float]:
    """(mean, sd) on the coordinate of a range that holds 90 %."""
    try:
        lo, hi = map(float, given)
        sound = lo < hi and all(np.isfinite(end) and end in coef.support for end in (lo, hi))
    except (TypeError, ValueError):
        sound = False
    if not sound:
        raise ValueError(
            f"priors: {coef.name} needs a range (lo, hi) of finite numbers with lo < hi inside its support "
            f'({coef.support}), or "published"; got {given!r}'
        )
    a, b = sorted((coef.support.to_real(lo), coef.support.to_real(hi)))
    return (a + b) / 2, (b - a) / (2 * ndtri(0.95))


def _weak(coef: Coef, size: float, u: float) -> tuple[float, float]:
    """(mean, sd) of the default prior, on the coordinate or relative to the unit of this size;
    `u` is the fit's."""
    support, (lo, hi) = coef.support, coef.typical
    if _relative(coef):
        return 0.0, 3.0
    if coef.unit is not None and support == REAL:
        return 0.0, 3.0 * size
    if coef.unit is None and coef.typical != Coef.typical and lo in support and hi in support:
        a, b = sorted((support.to_real(lo), support.to_real(hi)))
        return (a + b) / 2, b - a
    if np.isfinite(support.hi - support.lo):
        return 0.0, 1.5  # nearly even over the interval
    return u, 10.0 * max(abs(u), 1.0)  # nothing declared


def _known(fit: Fit, logs, prior: Prior, chosen, middle: dict, noise: str) -> Known:
    """Rows as a padded block, and where chains begin:
    the fit, moved within three deviations of priors that were asked for."""
    law = fit.law
    seen = np.arange(len(fit.data)) if law.whole else fit.data.counted
    data = fit.data.take(seen)
    y = np.where(data.weight > 0, data.y, 1.0)
    rows = pad([{**data.x, "y": y, "weight": data.weight}], law)
    padded = np.zeros((len(logs), rows.y.shape[1]))
    padded[:, : len(seen)] = logs[:, seen]
    reach = np.where([name in chosen for name in law.names], FAR * prior.sd, np.inf)
    u = np.clip(fit.u, prior.mean - reach, prior.mean + reach)
    # An amplitude keeps its ratio to its unit where the exponent in the unit is moved.
    place = np.where(prior.relative, fit.u - _offset(law, fit.u, middle, np), u - _offset(law, u, middle, np))
    linear = linearise(law, fit.objective, fit.u, fit.data.x, fit.data.y).take(fit.data.counted)
    errors = np.sort(np.abs(linear.residual) * np.sqrt(fit.data.weight[fit.data.counted]))
    # As many residuals as there are coefficients are next to nothing by the fit's own doing: leave those out.
    scale = max(1.4826 * float(np.median(errors[len(law.coefs) :])), 1e-12)
    tails = [np.log(9.0)] if noise == "student" else []
    centre = np.concatenate([place, [np.log(scale)], tails, np.zeros(len(logs))])
    slopes = 1 / np.sqrt(4 + 2 * np.sum(padded**2, axis=1))
    width = np.concatenate([[(2 * len(errors)) ** -0.5], np.ones(len(tails)), slopes])
    middle = {name: np.float64(value) for name, value in middle.items()}
    return Known(
        tuple(column[0] for column in rows.x),
        rows.y[0],
        rows.weight[0],
        padded,
        middle,
        prior,
        np.float64(scale),
        centre,
        width,
    )


@compiled("model", "sampler", "n_warmup", "n_draws")
def _chains(model: Model, sampler, n_warmup: int, n_draws: int, known: Known, keys):
    """Chains side by side: places (n_chains, n_draws, p + m), coordinates (.., p),
    whether each draw diverged (..)."""
    law, p = model.problem.law, len(model.units)
    prepare, predict = staged(model.problem, known.x)
    features = prepare(*known.x)
    target = jnp.log(known.y) if model.problem.space == "log" else known.y
    counts = known.weight > 0
    weight = jnp.where(counts, known.weight, 1.0)

    def coordinates(place):
        return place + _offset(law, place, known.middle, jnp)

    def residual(place):
        error = predict(features, coordinates(place)) - target
        return jnp.where(counts, jnp.broadcast_to(error, target.shape), 0.0)

    def surprise(place):
        at = jnp.where(known.prior.relative, place, coordinates(place))
        return (at - known.prior.mean) / known.prior.sd

    root = _root(
        lambda place: jnp.concatenate([residual(place) * jnp.sqrt(weight) / known.scale, surprise(place)]),
        known.centre[:p],
    )

    def place_of(z):
        return known.centre + jnp.concatenate([root @ z[:p], known.width * z[p:]])

    def potential(z):
        place = place_of(z)
        log_sigma, rest = place[p], place[p + 1 :]
        tails, slopes = (rest[0], rest[1:]) if model.noise == "student" else (None, rest)
        # Half-normal on sigma, five times the fit's residual scale wide; normal(0, 0.5) on slopes.
        density = log_sigma - 0.5 * (jnp.exp(log_sigma) / (5 * known.scale)) ** 2 - 2 * jnp.sum(slopes**2)
        log_scale = log_sigma + slopes @ known.logs - 0.5 * jnp.log(weight)
        square = (residual(place[:p]) * jnp.exp(-log_scale)) ** 2
        if tails is None:
            each = -0.5 * square - log_scale
        else:
            # Gamma(2, 0.1) on the degrees of freedom above 1 (Juarez and Steel 2010).
            density += 2 * tails - 0.1 * jnp.exp(tails)
            nu = 1 + jnp.exp(tails)
            each = gammaln((nu + 1) / 2) - gammaln(nu / 2) - 0.5 * jnp.log(nu) - log_scale
            each -= (nu + 1) / 2 * jnp.log1p(square / nu)
        return 0.5 * jnp.sum(surprise(place[:p]) ** 2) - density - jnp.sum(jnp.where(counts, each, 0.0))

    def chain(key):
        begin, key = jax.random.split(key)
        z = 0.5 * jax.random.normal(begin, known.centre.shape)
        z = jnp.where(jnp.isfinite(potential(z)), z, 0.0)
        start, step = sampler(potential, algo="NUTS")
        state = start(z, n_warmup, dense_mass=True, target_accept_prob=0.9, rng_key=key)

        def one(state, _):
            state = step(state)
            return state, (state.z, state.diverging)

        # One loop for warm-up and draws: the step is by far the longest to compile.
        z, diverged = jax.lax.scan(one, state, None, n_warmup + n_draws)[1]
        place = jax.vmap(place_of)(z[n_warmup:])
        return place, jax.vmap(coordinates)(place[:, :p]), diverged[n_warmup:]

    return jax.vmap(chain)(keys)


def _root(errors, place):
    """A root (p, p) of the inverse of J J', J (p, n) the Jacobian of `errors`:
    the posterior's shape, to first order."""
    jacobian = jnp.nan_to_num(with_jacobian(errors, place)[1])
    size = jnp.linalg.norm(jacobian, axis=1, keepdims=True)
    strength, direction = jnp.linalg.eigh((jacobian / size) @ (jacobian / size).T)
    return direction / jnp.sqrt(jnp.maximum(strength, 1e-13)) / size


def _moved(fit: Fit, draws: Posterior, place: np.ndarray, middle: dict, far: list[str]) -> Fit:
    """The fit at the posterior's centre, with its draws, their covariance,
    and what went wrong while drawing."""
    law = fit.law
    u = place + _offset(law, place, middle, np)
    coefs = {c.name: c.support.inside(v) for c, v in zip(law.coefs, u, strict=True)}
    rows = fit.data.counted
    cost = linearise(law, fit.objective, u, fit.data.x, fit.data.y).take(rows).cost
    noise = ", ".join(f"{name} {np.median(values):.3g}" for name, values in draws.noise.items())
    said = f"posterior centre of {len(draws)} draws; noise (medians): {noise}"
    added = (*_cautions(draws), *(Caution("prior-far", "warning", text) for text in far))
    order = ("serious", "warning", "info")
    warnings = tuple(sorted((*fit.warnings, *added), key=lambda caution: order.index(caution.severity)))
    trust = max((fit.status.trust, "weak" if added else "good"), key=("good", "weak", "bad").index)
    status = replace(
        fit.status,
        trust=trust,
        cautions=tuple(dict.fromkeys((*fit.status.cautions, *(c.code for c in added)))),
    )
    return fit.changed(
        coefs=coefs,
        value=float(np.sum(fit.data.weight[rows] * cost)),
        draws=draws,
        status=status,
        covariance=np.cov(draws.u.T).reshape(len(u), len(u)),
        warnings=warnings,
        notes=(*fit.notes, said),
    )


def _cautions(draws: Posterior):
    """Chains that disagree, few effective draws, divergences: each with its number and a next step."""
    name = max(draws.r_hat, key=lambda n: np.nan_to_num(draws.r_hat[n], nan=np.inf))
    if not draws.r_hat[name] <= 1.01:
        yield Caution(
            "r-hat",
            "warning",
            f"the chains have not settled on {name}: R-hat is {draws.r_hat[name]:.3f}, above 1.01; "
            "raise n_warmup and n_draws, or give narrower priors",
        )
    name = min(draws.size, key=lambda n: np.nan_to_num(draws.size[n], nan=0.0))
    if not draws.size[name] >= 100:
        yield Caution(
            "few-effective-draws",
            "warning",
            f"the {len(draws)} draws of {name} are worth {draws.size[name]:.0f} "
            "independent ones, below 100; raise n_draws",
        )
    if draws.failed.any():
        yield Caution(
            "divergences",
            "warning",
            f"{np.count_nonzero(draws.failed)} of {len(draws)} draws diverged, so part of "
            "the posterior may be missing; give narrower priors, or fix a coefficient",
        )
