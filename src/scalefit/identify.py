"""Which coefficients these runs do not determine, what is known all the same, and where predictions go too far.

A law's coefficients may be known badly one by one while the curve they draw together is known well; a table of
standard errors hides that. The sentences here say it with numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scalefit.core.linear import linearise
from scalefit.core.support import Support
from scalefit.draws import stretch

if TYPE_CHECKING:
    from scalefit.result import Caution, Fit

__all__ = ["basis", "extrapolation_words", "limits", "trade_offs"]

LEVEL, Z = 0.9, 1.6448536269514722
LOOSE = np.log(1.5)  # half of an interval on a log scale: known to no better than a factor 1.5
TOGETHER = 0.9  # correlations from here on are a trade-off of two
SHARE = 0.95  # of a coefficient's variance, explained by several others: a trade-off of more than two
FACTOR = 10.0  # how far beyond the largest inputs the curve is looked at
WARNING, SERIOUS = 1.0, 2.0  # decades beyond the runs
LEVERAGE = 100.0
GRID = 400


class _Loose(NamedTuple):
    """A coefficient known badly alone: its partners' numbers, and how well it is known, in words."""

    k: int
    partners: tuple[int, ...]
    words: str


def basis(fit: Fit) -> str:
    """What the errors and intervals come from, in words; failed refits are counted."""
    if fit.draws is None:
        return "first order"
    failed = int(np.sum(fit.draws.failed))
    alone = fit.draws.method in ("jackknife", "posterior")
    kind = fit.draws.method if alone else f"{fit.draws.method} bootstrap"
    return (
        f"{kind}, {len(fit.draws)} {'refits' if kind == 'jackknife' else 'draws'}, {failed or 'none'} failed"
    )


def limits(fit: Fit, name: str) -> tuple[float, float]:
    """A coefficient's 90 % interval; without finite ends where nothing determines it."""
    with np.errstate(over="ignore", invalid="ignore"):
        return fit.interval(name, LEVEL)


def trade_offs(fit: Fit) -> tuple[str, ...]:
    """Sentences on what these runs leave open: coefficients that move together, floors that may be zero.

    A coefficient counts as known badly where its 90 % interval spans a factor of 1.5 to either side, or half its
    value for one that may be negative; the first sentence names those of them that others make up for. None where
    all is determined, or where there are no more rows than coefficients.
    """
    if len(fit.data.counted) <= len(fit.u):
        return ()
    floors = dict(_floors(fit))
    correlation = _correlation(fit)
    found = (_loose(fit, k, correlation) for k, name in enumerate(fit.law.names) if name not in floors)
    loose = [one for one in found if one]
    known = _curve(fit) if loose or floors else ""
    sentences = [*([_together(fit, loose)] if loose else []), *floors.values()]
    # How well the curve is known all the same is said once.
    return tuple(f"{words}{f'; {known}' if known and k == 0 else ''}." for k, words in enumerate(sentences))


def extrapolation_words(fit: Fit, x: Mapping[str, Any]) -> tuple[Caution, ...]:
    """Cautions about predictions at inputs `x`: far outside the runs, little determined, or past a turn of the law.

    More than one decade beyond the runs in an input, or in the product of all, is a warning, more than two serious.
    So is a curve whose variance is more than 100 times that at a usual run; and a law that turns (falls, then rises)
    only beyond the runs, because no run has shown the turn.
    """
    from scalefit.result import Caution

    if fit.law.whole:
        return ()
    columns = np.broadcast_arrays(*(np.atleast_1d(fit._column(x, name)) for name in fit.law.inputs))
    asked = {name: column.reshape(-1) for name, column in zip(fit.law.inputs, columns, strict=True)}
    found = []
    far = _decades(fit, asked)
    if far:
        name = max(far, key=lambda name: float(np.max(far[name])))
        worst, rows = float(np.max(far[name])), max(int(np.sum(d > WARNING)) for d in far.values())
        if worst > WARNING:
            found.append(Caution("extrapolation", "serious" if worst > SERIOUS else "warning",
                                 f"{_rows(rows, len(columns[0].reshape(-1)))} more than a decade outside the runs, the farthest {worst:.1f} "
                                 f"decades in {name}; intervals hold there only if the law does, which no run shows"))  # fmt: skip
    leverage = _leverage(fit, asked)
    if np.max(leverage, initial=0) > LEVERAGE:
        found.append(Caution("leverage", "warning",
                             f"the runs hardly determine the curve at {_at(fit, asked, int(np.argmax(leverage)))}: its variance is "
                             f"{np.max(leverage):.3g} times that at a usual run; add runs nearer to it"))  # fmt: skip
    for name in far:
        turn = _turn(fit, asked, name) if name in asked else None
        if turn is not None:
            found.append(Caution("turning-point", "warning",
                                 f"the law turns at {name} = {turn:.3g}, outside the runs, on the way to the inputs asked for: "
                                 "no run has shown that turn, so do not rely on what lies past it"))  # fmt: skip
    return tuple(found)


def _loose(fit: Fit, k: int, correlation: np.ndarray) -> _Loose | None:
    coef = fit.law.coefs[k]
    lo, hi = limits(fit, coef.name)
    words = _alone(coef.support, fit.coefs[coef.name], lo, hi)
    partners = _partners(correlation, k)
    return _Loose(k, partners, words) if words and partners else None


def _alone(support: Support, value: float, lo: float, hi: float) -> str:
    """How well a coefficient is known by itself; empty where that is well."""
    below, above = np.isfinite(support.lo), np.isfinite(support.hi)
    if below and above:
        return (
            f"is only known to lie between {lo:.3g} and {hi:.3g}"
            if hi - lo > 0.5 * (support.hi - support.lo)
            else ""
        )
    if not (below or above):
        half = (hi - lo) / 2
        return f"is known to ±{half:.2g}" if half >= 0.5 * abs(value) else ""
    edge = support.lo if below else support.hi
    near, far = sorted((abs(lo - edge), abs(hi - edge)))
    half = np.log(far / near) / 2 if near > 0 and np.isfinite(far) else np.inf
    if half < LOOSE:
        return ""
    return (
        f"is known to a factor {_two(np.exp(half))}"
        if half < np.log(1000)
        else "is not even known to a factor 1000"
    )


def _partners(correlation: np.ndarray, k: int) -> tuple[int, ...]:
    """What makes up for coefficient k: those that move with it, or else the several that together explain it."""
    others = np.array([j for j in range(len(correlation)) if j != k and np.any(correlation[j])], int)
    if not len(others):
        return ()
    along = np.abs(correlation[k, others])
    if np.max(along) >= TOGETHER:
        return (int(others[np.argmax(along)]),)
    weights = np.linalg.lstsq(correlation[np.ix_(others, others)], correlation[others, k], rcond=1e-10)[0]
    if weights @ correlation[others, k] < SHARE:
        return ()
    return tuple(int(j) for j in others[np.abs(weights) > 0.3 * np.max(np.abs(weights))])


def _together(fit: Fit, loose: list[_Loose]) -> str:
    groups: list[set[int]] = []
    for found in loose:
        group = {found.k, *found.partners}
        for other in [g for g in groups if g & group]:
            groups.remove(other)
            group |= other
        groups.append(group)
    first, *others = (_listed([fit.law.names[k] for k in sorted(group)]) for group in sorted(groups, key=min))
    rest = "".join(f", and so do {names}" for names in others)
    alone = [f"{fit.law.names[one.k]} alone {one.words}" for one in loose]
    alone[1:] = [words.replace("alone is known", "alone") for words in alone[1:]]
    return f"{first} move together{rest}: {_listed(alone)}"


def _curve(fit: Fit) -> str:
    """How well the curve is known in the middle of the runs and beyond the largest."""
    if fit.law.whole:
        return ""
    middle, beyond = _places(fit)
    x = {name: np.array([middle[name], beyond[name]]) for name in fit.law.inputs}
    words = [_precision(fit, *ends) for ends in _band(fit, x)]
    if not words[0]:
        return ""
    what = "the curve" if fit.law.predicts == "" else f"the {fit.law.predicts}"
    here = f"{what} in the middle of the runs ({_at(fit, x, 0)}) is known to {words[0]}"
    if not words[1] or middle == beyond:
        return here
    return f"{here}, at ten times the largest ({_at(fit, x, 1)}) to {words[1]} if the law holds"


def _places(fit: Fit) -> tuple[dict[str, float], dict[str, float]]:
    """The middle of the runs, and ten times the largest inputs; what has no arbitrary unit stays in the middle."""
    middle, beyond = {}, {}
    for name in fit.law.inputs:
        values, known = fit.data.x[name][fit.data.counted], fit.law.domain.get(name)
        if name in fit.law.labels:
            kinds, counts = np.unique(values, return_counts=True)
            middle[name] = beyond[name] = float(kinds[np.argmax(counts)])
            continue
        positive = bool(np.all(values > 0))
        middle[name] = float(np.exp(np.median(np.log(values))) if positive else np.median(values))
        scales = (
            positive
            and np.ptp(values) > 0
            and (known is None or (known.scales and known.allowed == "positive"))
        )
        beyond[name] = FACTOR * float(np.max(values)) if scales else middle[name]
    return middle, beyond


def _band(fit: Fit, x: Mapping[str, np.ndarray]) -> list[tuple[float, float, float]]:
    """Estimate and 90 % limits of the curve at each place."""
    mean = np.asarray(fit.law(fit.coefs, x), float)
    if fit.resampled is not None:
        lo, hi = np.quantile(
            fit._drawn(fit.resampled.u, x, mean.shape), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0
        )
        return list(zip(mean, lo, hi, strict=True))
    jacobian = linearise(fit.law, fit.objective, fit.u, x, np.ones(mean.shape)).jacobian
    n, p = len(fit.data.counted), len(fit.u)
    half = Z * stretch(n, p, LEVEL) / np.sqrt(n / (n - p)) * np.sqrt(_variance(jacobian, fit.covariance))
    if fit.objective.space == "log":
        with np.errstate(over="ignore"):
            return list(zip(mean, mean * np.exp(-half), mean * np.exp(half), strict=True))
    return list(zip(mean, mean - half, mean + half, strict=True))


def _precision(fit: Fit, mean: float, lo: float, hi: float) -> str:
    """Half the interval in words: a share of the value, a factor where that is large, the plain size for shares."""
    if not (np.isfinite(mean) and np.isfinite(lo) and np.isfinite(hi)):
        return ""
    if fit.law.predicts in ("accuracy", "change") or mean <= 0:
        return f"±{(hi - lo) / 2:.2g}"
    if lo > 0 and hi / lo > 1.5**2:
        factor = np.sqrt(hi / lo)
        return f"a factor {_two(factor)}" if factor < 1000 else "no factor below 1000"
    return f"{_two(100 * (hi - lo) / 2 / mean)} %"


def _floors(fit: Fit) -> Iterator[tuple[str, str]]:
    """Name and words of each positive constant added to the rest of the law that these runs do not tell from zero."""
    if fit.law.whole:
        return
    with np.errstate(over="ignore", invalid="ignore"):
        errors = fit.stderr()
    for coef in fit.law.coefs:
        if coef.support.lo != 0 or np.isfinite(coef.support.hi):
            continue
        value, (lo, _), error = fit.coefs[coef.name], limits(fit, coef.name), errors[coef.name]
        first_order = fit.resampled is None
        low = lo <= 0.1 * value or (first_order and value < Z * error)
        if not low or not _is_floor(fit, coef.name):
            continue
        near = ""
        if first_order and value > 1e-3 * error:
            near = f"it is {_two(value / error)} standard errors from it, and "
        profile = f'the interval of sf.profile(fit, "{coef.name}")'
        trust = (
            f"errors to first order mean little there, so take {profile}"
            if first_order
            else f"see also {profile}"
        )
        yield (
            coef.name,
            f"{coef.name} may as well be zero: {near}its 90 % interval reaches down to {lo:.2g} ({trust})",
        )


def _is_floor(fit: Fit, name: str) -> bool:
    """Whether one unit more of this coefficient is one unit more of the output, in all rows that know it."""
    x = {label: values[fit.data.counted] for label, values in fit.data.x.items()}
    base = np.asarray(fit.law(fit.coefs, x), float)
    step = 0.1 * float(np.median(np.abs(base)))
    more = np.asarray(fit.law({**fit.coefs, name: fit.coefs[name] + step}, x), float) - base
    return bool(np.any(more) and np.all((np.abs(more) < 1e-9 * step) | (np.abs(more / step - 1) < 1e-6)))


def _correlation(fit: Fit) -> np.ndarray:
    """Correlations on the real line, zero for coefficients without a finite error."""
    table = fit.covariance if fit.resampled is None else np.atleast_2d(np.cov(fit.resampled.u.T))
    spread = np.sqrt(np.diag(table))
    known = np.isfinite(spread) & (spread > 0)
    out = np.zeros(table.shape)
    out[np.ix_(known, known)] = table[np.ix_(known, known)] / np.outer(spread[known], spread[known])
    return np.nan_to_num(out)


def _decades(fit: Fit, asked: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Decades outside the runs, per positive input and in the product of all."""
    positive = [
        n for n in asked if n not in fit.law.labels and np.all(fit.data.x[n] > 0) and np.all(asked[n] > 0)
    ]
    here = {n: np.log10(fit.data.x[n][fit.data.counted]) for n in positive}
    there = {n: np.log10(asked[n]) for n in positive}
    if len(positive) > 1:
        product = " x ".join(positive)
        here[product], there[product] = sum(here.values()), sum(there.values())
    return {n: np.maximum(np.maximum(there[n] - here[n].max(), here[n].min() - there[n]), 0.0) for n in here}


def _leverage(fit: Fit, asked: Mapping[str, np.ndarray]) -> np.ndarray:
    """Variance of the curve in multiples of that at a usual run."""
    n = len(next(iter(asked.values())))
    there = linearise(fit.law, fit.objective, fit.u, asked, np.ones(n)).jacobian
    here = linearise(fit.law, fit.objective, fit.u, fit.data.x, fit.data.y).take(fit.data.counted).jacobian
    usual = float(np.mean(_variance(here, fit.covariance)))
    return np.nan_to_num(_variance(there, fit.covariance) / max(usual, 1e-300))


def _turn(fit: Fit, asked: Mapping[str, np.ndarray], name: str) -> float | None:
    """Where the law, monotone in `name` over the runs, turns on the way to the farthest value asked; None if nowhere.

    The other inputs are held at that row's values.
    """
    runs = fit.data.x[name][fit.data.counted]
    lo, hi = float(runs.min()), float(runs.max())
    far = int(np.argmax(np.maximum(asked[name] / hi, lo / asked[name])))
    end = float(asked[name][far])
    if lo <= end <= hi or lo == hi:
        return None
    inside = np.geomspace(lo, hi, GRID)
    outside = np.geomspace(hi if end > hi else lo, end, GRID)
    held = {n: np.full(GRID, values[far]) for n, values in asked.items()}
    along = [np.asarray(fit.law(fit.coefs, {**held, name: grid}), float) for grid in (inside, outside)]
    small = 1e-9 * float(np.nanmax(np.abs(along[0])))
    ways = [np.sign(np.where(np.abs(d) < small, 0.0, d)) for d in map(np.diff, along)]
    before = {w for w in ways[0] if w}
    if len(before) != 1:
        return None
    way = before.pop() * (1 if end > hi else -1)
    turned = np.flatnonzero(ways[1] == -way)
    return float(outside[turned[0]]) if len(turned) else None


def _variance(jacobian: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    finite = np.where(np.isfinite(covariance), covariance, 0.0)
    return np.maximum(np.einsum("pn,pq,qn->n", jacobian, finite, jacobian), 0.0)


def _at(fit: Fit, x: Mapping[str, np.ndarray], row: int) -> str:
    known = fit.law.domain
    words = []
    for name in fit.law.inputs:
        value = float(x[name][row])
        labels = known[name].labels if name in known and name in fit.law.labels else ()
        words.append(
            f"{name} = {labels[int(value)] if labels else f'{value:.3g}'.replace('e+', 'e').replace('e0', 'e')}"
        )
    return ", ".join(words)


def _rows(few: int, n: int) -> str:
    if n == 1:
        return "this prediction lies"
    return f"{few} of {n} predictions lie" if few > 1 else f"1 of {n} predictions lies"


def _two(value: float) -> str:
    """Two significant digits, without an exponent."""
    return f"{float(f'{value:.2g}'):g}"


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
