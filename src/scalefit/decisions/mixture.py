"""The best mixture of training domains, for one target or several, from laws of the loss by shares.

sf.optimal_mixture(fit, at={"N": 7e9, "D": 1e12}, level=0.9)
sf.optimal_mixture({"web": a, "code": b}, weights={"web": 1, "code": 2}, at={"s": 1e5})
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from scalefit.arguments import by_name, two_numbers
from scalefit.core.compiled import compiled
from scalefit.core.law import Law
from scalefit.decisions.recipe import check_value, one_counting
from scalefit.fits import extrapolation
from scalefit.fits.ensemble import Ensemble
from scalefit.fits.fit import Fit
from scalefit.fits.joint import Joint, ends, joint
from scalefit.frames import Frame, frame
from scalefit.words import short

__all__ = ["optimal_mixture"]

# Descents from the middle, from near each domain alone, and from this many mixtures drawn at random.
RANDOM_STARTS = 8
# Steps of a descent at most, and how many halvings find the factor that makes
# shares within limits sum to one.
STEPS, HALVINGS = 2000, 60
# A descent has ended where no mixture could be better by this share of the loss, were it convex.
ENDED = 1e-7
# Shares from which a descent begins are at least this, or a domain would be left out for good.
SMALL = 1e-3
# A share this little above its least is the least.
NONE = 1e-9
# A descent that could gain more than this share of the loss says nothing about where the best mixture is.
STUCK = 1e-3


class _Target(NamedTuple):
    """One loss: its law, coefficients (draws + 1, p), weight, inputs held,
    and for each domain the input that is its share."""

    law: Law
    values: np.ndarray
    weight: float
    held: Mapping[str, np.ndarray]
    shares: Mapping[str, str]
    joint: Joint


def optimal_mixture(
    fits: Fit | Law | Mapping[str, Fit | Law],
    *,
    weights: Mapping[str, float] | None = None,
    at: Mapping[str, Any] | None = None,
    level: float | None = None,
    limits: Mapping[str, tuple[float, float]] | None = None,
    coefs: Any = None,
    key: int = 0,
    model_error: bool = True,
) -> Frame:
    """Shares of the domains, summing to one, with the lowest loss, or weighted sum of several losses.

    Exponentiated gradient descent (the softmax form of mirror descent) in float64 from many starts; laws of
    mixtures are not convex in general, so the best end is an answer, not a proof.

    Args:
        fits: one of three, with Laws in place of fits where `coefs` are given:

            - a fit of a law of shares h_1, h_2, ... (`shukor_joint`, `ye_mixing`, `regmix_linear`, ...):
              domains are its share inputs, under the names of their columns;
            - for several targets, a dict target -> fit of such laws, all over the same domains;
            - a dict domain -> fit of a law of that domain's own share (`bimix`, `dcpt`, `fernandes_multi`):
              domains are the dict's names.
        weights: target -> weight of its loss in the sum, equal unless given.
        at: the law's other inputs, numbers or equally long lists.
        level: of the intervals, between 0 and 1; left out, there are none.
        limits: domain -> (least, greatest) share, e.g. what its tokens allow without repeats.
        coefs: of Laws; a dict target -> coefficients where there are several.
        key: seed of the draws and starts.
        model_error: whether intervals allow for the laws' own errors; False takes the laws as right.

    Returns:
        A frame with a row per entry of `at`: its values, loss (weighted), a column per domain; with `level`,
        `_lo` and `_hi` for each from paired draws of the fits, a draw without an optimum counting as any
        mixture; where there are fits, distance in decades from
        the runs (the farthest fit's; shares below 1 % count as 1 %); caution: the codes of `Fit.cautions`,
        and "not-converged" where a descent had not ended.

    Raises:
        ValueError: for laws without shares, targets over different domains, unknown names, fits that count
            parameters differently, and limits that no mixture meets.
        TypeError: for what is no fit or law.

    Example:
        >>> linear = {"w_1": 3.0, "w_2": 2.0, "w_3": 2.5}
        >>> limits = {"h_2": (0.0, 0.4)}
        >>> best = sf.optimal_mixture(sf.laws.regmix_linear, coefs=linear, limits=limits)
        >>> best[["h_1", "h_2", "h_3"]].round(2).values.tolist()
        [[0.0, 0.4, 0.6]]
    """
    at, weights, limits = by_name("at", at), by_name("weights", weights), by_name("limits", limits)
    several = isinstance(fits, Mapping)
    named: dict[str, Fit | Law] = dict(fits) if isinstance(fits, Mapping) else {"": fits}
    if not named:
        raise ValueError("optimal_mixture needs at least one fit")
    one_counting({f"the fit of {name!r}": fit for name, fit in named.items()})
    rows, table = _rows(at)
    targets = [
        _target(name, fit, _weight(weights, name, named), table, several, coefs, level, key + k, model_error)
        for k, (name, fit) in enumerate(named.items())
    ]
    for other in table:
        if not any(other in target.law.inputs for target in targets):
            raise ValueError(f"at: no law here has an input {other!r}")
    domains = _domains(targets)
    lo, hi = _limits(limits, domains)
    fitted = [
        (fit, target) for fit, target in zip(named.values(), targets, strict=True) if isinstance(fit, Fit)
    ]
    h, loss, gap = _answers(targets, domains, rows, lo, hi, key)
    # Coefficients so wide that a draw's loss is no number, or a cliff, leave its descent where it began.
    lost = ~(gap <= STUCK * np.abs(loss)) | ~np.isfinite(loss)
    lost[0] = False
    h[lost], loss[lost] = np.nan, np.nan
    loss = loss + sum(target.weight * _departure(target, domains, h[0], len(loss)) for target in targets)
    lines = []
    for k in range(rows):
        line: dict[str, Any] = {name: float(values[k]) for name, values in table.items()}
        answers = {"loss": loss[:, k], **{d: h[:, k, i] for i, d in enumerate(domains)}}
        line |= {name: float(values[0]) for name, values in answers.items()}
        if level is not None:
            for name, values in answers.items():
                unknown = (0.0, np.inf if name == "loss" else 1.0)
                each = [ends(values[1:], level, unknown, target.joint.known) for _, target in fitted]
                line[f"{name}_lo"], line[f"{name}_hi"] = min(e[0] for e in each), max(e[1] for e in each)
        codes = [] if gap[0, k] <= ENDED * abs(loss[0, k]) else ["not-converged"]
        if len(fitted) == len(named):
            doubts = [_doubt(fit, target, k, line) for fit, target in fitted]
            line["distance"] = max(far for far, _ in doubts)
            codes += [code for _, found in doubts for code in found]
        lines.append({**line, "caution": ", ".join(dict.fromkeys(codes))})
    return frame(lines)


def _rows(at: Mapping[str, Any]) -> tuple[int, dict[str, np.ndarray]]:
    """How many scales are asked for, and the inputs held at each."""
    arrays = {name: np.atleast_1d(np.asarray(values, float)) for name, values in at.items()}
    n = max((len(values) for values in arrays.values()), default=1)
    for name, values in arrays.items():
        if values.ndim != 1 or len(values) not in (1, n) or not np.all(np.isfinite(values)):
            raise ValueError(f"at: {name} must be a number or {n} of them, got {short(at[name])}")
    return n, {name: np.broadcast_to(values, n) for name, values in arrays.items()}


def _target(
    name: str,
    fit: Fit | Law,
    weight: float,
    table: Mapping[str, np.ndarray],
    several: bool,
    coefs: Any,
    level: float | None,
    key: int,
    model_error: bool,
) -> _Target:
    if isinstance(fit, Ensemble):
        first = next(iter(fit.members))
        raise TypeError(f"optimal_mixture takes the fit of one law; the heaviest here is .fits[{first!r}]")
    law = fit.law if isinstance(fit, Fit) else fit
    if not isinstance(law, Law):
        raise TypeError(f"optimal_mixture needs fits or laws, got {short(law)}")
    shares = extrapolation.shares_of(law)
    if not shares:
        raise ValueError(f"{law.name!r} has no shares among its inputs; it takes {', '.join(law.inputs)}")
    if len(shares) == 1 and not several:
        raise ValueError(
            f"{law.name!r} is a law of one domain's share; give a fit per domain, {{domain: fit, ...}}"
        )
    columns = fit.columns if isinstance(fit, Fit) else {}
    own = {name: shares[0]} if len(shares) == 1 else {columns.get(n, n): n for n in shares}
    others = [n for n in law.inputs if n not in shares]
    for missing in others:
        if missing not in table:
            raise ValueError(f"{law.name!r} also takes {missing}; say its value with at={{{missing!r}: ...}}")
        for value in table[missing]:
            check_value(law, missing, float(value))
    if several:
        coefs = by_name("coefs", coefs).get(name)
    draws = joint(fit, coefs, level, key, model_error)
    return _Target(law, draws.values, weight, {n: table[n] for n in others}, own, draws)


def _departure(target: _Target, domains: list[str], shares: np.ndarray, n: int) -> np.ndarray:
    """What the law itself is off by (n, rows) at these shares (rows, k), for the estimate and every draw."""
    x = {
        **target.held,
        **{
            name: np.maximum(shares[:, domains.index(d)], extrapolation.LITTLE)
            for d, name in target.shares.items()
        },
    }
    amplitude = target.joint.amplitude(x)
    if amplitude is None:
        return np.zeros((n, len(shares)))
    y = target.joint.estimate.curve({name: column[None] for name, column in x.items()})
    return (target.joint.off(np.broadcast_to(y, amplitude.shape), amplitude) - y)[:n]


def _weight(weights: Mapping[str, float], name: str, named: Mapping[str, Any]) -> float:
    for other, value in weights.items():
        if other not in named:
            raise ValueError(f"weights: there is no target {other!r}; there are {', '.join(named)}")
        if isinstance(value, str) or not 0 <= value < np.inf:
            raise ValueError(f"weights: {other} must be a number of at least 0, got {short(value)}")
    if weights and not sum(weights.values()) > 0:
        raise ValueError("weights are all zero; give some target a weight")
    return float(weights.get(name, 0.0 if weights else 1.0))


def _domains(targets: list[_Target]) -> list[str]:
    """The domains mixed: those all targets know, or, where each knows only its own share, one per target."""
    every = [list(target.shares) for target in targets]
    if all(len(own) == 1 for own in every):
        if len(every) < 2:
            raise ValueError("a mixture needs at least two domains; give a fit for each")
        return [own[0] for own in every]
    for own in every:
        if set(own) != set(every[0]):
            raise ValueError(
                f"the targets mix different domains: {', '.join(every[0])} and {', '.join(own)}; give their "
                "shares the same names"
            )
    return every[0]


def _limits(limits: Mapping[str, tuple[float, float]], domains: list[str]) -> tuple[np.ndarray, np.ndarray]:
    lo, hi = np.zeros(len(domains)), np.ones(len(domains))
    for name, pair in limits.items():
        if name not in domains:
            raise ValueError(f"limits: there is no domain {name!r}; there are {', '.join(domains)}")
        least, most = two_numbers(pair)
        if not 0 <= least <= most:
            raise ValueError(f"limits of {name} must be (least, greatest) share, got {short(pair)}")
        lo[domains.index(name)], hi[domains.index(name)] = least, min(most, 1.0)
    if lo.sum() > 1 or hi.sum() < 1:
        raise ValueError(
            f"no mixture is within the limits: the least shares sum to {lo.sum():.3g}, "
            f"the greatest to {hi.sum():.3g}"
        )
    return lo, hi


def _answers(
    targets: list[_Target], domains: list[str], rows: int, lo: np.ndarray, hi: np.ndarray, key: int
) -> tuple[np.ndarray, ...]:
    """Shares (draws + 1, rows, k), loss and gap (draws + 1, rows):
    the estimate's from all starts, draws' from near it."""
    n, k = min(len(target.values) for target in targets), len(domains)
    first = [target._replace(values=target.values[:1]) for target in targets]
    found = _minimised(first, domains, rows, np.tile(_starts(k, key), (rows, 1, 1)), lo, hi)
    if n == 1:
        return found
    begin = np.stack([np.maximum(found[0][0], SMALL), np.full((rows, k), 1 / k)], axis=1)
    rest = [target._replace(values=target.values[1:n]) for target in targets]
    pairs = zip(found, _minimised(rest, domains, rows, begin, lo, hi), strict=True)
    return tuple(np.concatenate(pair) for pair in pairs)


def _starts(k: int, key: int) -> np.ndarray:
    """Mixtures (starts, k) from which descents begin."""
    near = 0.2 / k + 0.8 * np.eye(k)
    drawn = np.random.default_rng(key).dirichlet(np.ones(k), RANDOM_STARTS)
    return np.maximum(np.concatenate([np.full((1, k), 1 / k), near, drawn]), SMALL)


def _minimised(
    targets: list[_Target], domains: list[str], rows: int, starts: np.ndarray, lo: np.ndarray, hi: np.ndarray
) -> tuple[np.ndarray, ...]:
    """The best end of all descents from starts (rows, starts, k):
    shares (draws, rows, k), loss and gap (draws, rows)."""
    parts = tuple(
        (target.law, tuple((n, domains.index(d)) for d, n in target.shares.items())) for target in targets
    )
    n, each = len(targets[0].values), starts.shape[1]

    # One lane per draw, row and start.
    def repeat(a):
        return np.repeat(a, each, axis=0)

    coefs = [
        {name: repeat(np.repeat(v, rows)) for name, v in zip(t.law.names, t.values.T, strict=True)}
        for t in targets
    ]
    held = [{name: repeat(np.tile(v, n)) for name, v in t.held.items()} for t in targets]
    weight = np.array([target.weight for target in targets])
    begin = np.tile(starts.reshape(rows * each, -1), (n, 1))
    limited = bool(np.any(lo > 0) or np.any(hi < 1))
    with jax.enable_x64(True):
        h, loss, gap = (np.asarray(a) for a in _descend(parts, limited, coefs, held, weight, begin, lo, hi))
    h, loss, gap = (a.reshape(n * rows, each, *a.shape[1:]) for a in (h, loss, gap))
    best = np.argmin(np.where(np.isfinite(loss), loss, np.inf), axis=1)

    def pick(a):
        return a[np.arange(len(a)), best].reshape(n, rows, *a.shape[2:])

    h = pick(h)
    # A share on its way to none ends wherever the descent does.
    return np.where(h < lo + NONE, lo, h), pick(loss), pick(gap)


@compiled("parts", "limited")
def _descend(parts, limited, coefs, held, weight, h, lo, hi):
    """Ends of descents (lanes, k), their loss and gap (lanes,), from h (lanes, k),
    with shares between lo and hi (k,)."""

    def loss(h):
        each = [
            law(c, {**x, **{name: h[..., i] for name, i in own}})
            for (law, own), c, x in zip(parts, coefs, held, strict=True)
        ]
        return sum(w * one for w, one in zip(weight, each, strict=True))

    def slopes(h):
        return jax.grad(lambda h: jnp.sum(loss(h)))(h)

    def inside(log_h):
        """Shares in these proportions that sum to one within the limits."""
        if not limited:
            return jax.nn.softmax(log_h, axis=-1)
        log_h = log_h - jnp.max(log_h, axis=-1, keepdims=True)

        def halve(_, bounds):
            least, greatest = bounds
            middle = (least + greatest) / 2
            over = jnp.sum(jnp.clip(jnp.exp(log_h + middle), lo, hi), -1, keepdims=True) > 1
            return jnp.where(over, least, middle), jnp.where(over, middle, greatest)

        ends = jnp.full((*log_h.shape[:-1], 1), -10.0), jnp.full((*log_h.shape[:-1], 1), 700.0)
        least, greatest = jax.lax.fori_loop(0, HALVINGS, halve, ends)
        return jnp.clip(jnp.exp(log_h + (least + greatest) / 2), lo, hi)

    def gap(h, g):
        """What the mixture could gain at most, were the loss a plane:
        the best mixture under g fills cheap domains first."""
        order = jnp.argsort(g, axis=-1)
        room = (hi - lo)[order]
        filled = jnp.clip(1 - jnp.sum(lo) - (jnp.cumsum(room, -1) - room), 0, room)
        cheap = jnp.take_along_axis(g, order, -1)
        return jnp.sum(g * (h - lo), -1) - jnp.sum(cheap * filled, -1)

    def step(state):
        k, log_h, now, g, size, open_ = state
        tried = log_h - size[:, None] * (g - jnp.min(g, -1, keepdims=True))
        tried_h = inside(tried)
        after = loss(tried_h)
        better = after < now
        log_h = jnp.where(better[:, None], jnp.log(jnp.maximum(tried_h, 1e-300)), log_h)
        new = inside(log_h)
        g = slopes(new)
        size = jnp.where(better, size * 1.5, size / 3)
        now = jnp.where(better, after, now)
        # It ends where nothing is left to gain, or no step is short enough to gain it.
        open_ = (gap(new, g) > ENDED / 1000 * jnp.abs(now)) & (size > 1e-12)
        return k + 1, log_h, now, g, size, open_

    begin = inside(jnp.log(h))
    g = slopes(begin)
    size = 0.1 / (jnp.max(g, -1) - jnp.min(g, -1) + 1e-12)
    state = 0, jnp.log(jnp.maximum(begin, 1e-300)), loss(begin), g, size, jnp.ones(len(h), bool)
    state = jax.lax.while_loop(lambda s: (s[0] < STEPS) & jnp.any(s[-1]), step, state)
    h = inside(state[1])
    return h, loss(h), gap(h, slopes(h))


def _doubt(fit: Fit, target: _Target, row: int, line: Mapping[str, Any]) -> tuple[float, list[str]]:
    """Decades of the answer from one fit's runs, and codes of what speaks against a prediction there."""
    x = {name: np.array([values[row]]) for name, values in target.held.items()}
    x |= {name: np.array([line[domain]]) for domain, name in target.shares.items()}
    x = {name: x[name] for name in fit.law.inputs}
    codes = extrapolation.codes(extrapolation.flagged(fit, x), 1)[0]
    return float(extrapolation.distance(fit, x)[0]), codes.split(", ") if codes else []
