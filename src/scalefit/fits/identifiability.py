"""Which coefficients these runs do not determine, and what is known all the same.

A law's coefficients may be known badly one by one while the curve they draw together is known well; a table
of standard errors hides that. The sentences here say it with numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from scalefit.core.linear import linearise
from scalefit.core.support import Support
from scalefit.fits.draws import stretch, variance
from scalefit.fits.noise import noise
from scalefit.fits.record import Record
from scalefit.words import listed, plain, two

__all__ = [
    "LEVEL",
    "at",
    "band",
    "basis",
    "limits",
    "open_floor",
    "places",
    "scatter",
    "trade_offs",
]

LEVEL, Z = 0.9, 1.6448536269514722
# The normal distribution's third quartile: the median size of an error of unit variance.
Q = 0.6744897501960817
TINY = 1e-9  # residuals below this are rounding
LOOSE = np.log(1.5)  # half of an interval on a log scale: known to no better than a factor 1.5
TOGETHER = 0.9  # correlations from here on are a trade-off of two
SHARE = 0.95  # of a coefficient's variance, explained by several others: a trade-off of more than two
FACTOR = 10.0  # how far beyond the largest inputs the curve is looked at


class _Loose(NamedTuple):
    """A coefficient known badly alone: its partners' numbers, and how well it is known, in words."""

    k: int
    partners: tuple[int, ...]
    words: str


def basis(record: Record) -> str:
    """What the errors and intervals come from, in words; failed refits are counted."""
    if record.draws is None:
        grouped = "" if record.data.group is None else ", whole groups left out (CR3)"
        return record.basis or f"first order{grouped}"
    failed, method = int(np.sum(record.draws.failed)) or "none", record.draws.method
    if method == "posterior":
        return f"posterior, {len(record.draws)} draws, {failed} diverged"
    if method == "jackknife":
        return f"jackknife, {len(record.draws)} refits, {failed} failed"
    if method == "priors":
        return f"runs and priors, {len(record.draws)} draws"
    return f"{method} bootstrap, {len(record.draws)} draws, {failed} failed"


def limits(record: Record, name: str) -> tuple[float, float]:
    """A coefficient's 90 % interval; without finite ends where nothing determines it."""
    with np.errstate(over="ignore", invalid="ignore"):
        return record.interval(name, LEVEL)


def trade_offs(record: Record) -> tuple[str, ...]:
    """Sentences on what these runs leave open: coefficients that move together, floors that may be zero.

    A coefficient counts as known badly where its 90 % interval spans a factor of 1.5 to either side, or half
    its value for one that may be negative; the first sentence names those of them that others make up for.
    None where all is determined, or where there are no more rows than coefficients.
    """
    if len(record.data.counted) <= len(record.u):
        return ()
    floors = dict(_floors(record))
    correlation = _correlation(record)
    found = (_loose(record, k, correlation) for k, name in enumerate(record.law.names) if name not in floors)
    loose = [one for one in found if one]
    known = _curve(record) if loose or floors else ""
    sentences = [*([_together(record, loose)] if loose else []), *floors.values()]
    # How well the curve is known all the same is said once.
    return tuple(f"{words}{f'; {known}' if known and k == 0 else ''}." for k, words in enumerate(sentences))


def scatter(record: Record) -> str:
    """How far single runs lie from the curve, and whether that changes with their size;
    empty where nothing is left over."""
    if len(record.data.counted) <= len(record.u):
        return ""
    errors = noise(record)
    usual = float(np.median(np.abs(errors.errors))) / Q
    if not usual > TINY:
        return ""
    log = record.objective.space == "log"

    def size(factor):
        return f"{two(100 * factor * usual)} %" if log else plain(factor * usual)

    small, large = (float(np.exp(-errors.gamma * (end - errors.centre))) for end in errors.ends)
    change = f", from {size(small)} at the smallest to {size(large)} at the largest" if errors.gamma else ""
    return f"Single runs scatter about the curve by {size(1.0)} (one standard deviation){change}."


def _loose(record: Record, k: int, correlation: np.ndarray) -> _Loose | None:
    coef = record.law.coefs[k]
    lo, hi = limits(record, coef.name)
    words = _alone(coef.support, record.coefs[coef.name], lo, hi)
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
        f"is known to a factor {two(np.exp(half))}"
        if half < np.log(1000)
        else "is not even known to a factor 1000"
    )


def _partners(correlation: np.ndarray, k: int) -> tuple[int, ...]:
    """What makes up for coefficient k: those that move with it,
    or else the several that together explain it."""
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


def _together(record: Record, loose: list[_Loose]) -> str:
    groups: list[set[int]] = []
    for found in loose:
        group = {found.k, *found.partners}
        for other in [g for g in groups if g & group]:
            groups.remove(other)
            group |= other
        groups.append(group)
    first, *others = (
        listed([record.law.names[k] for k in sorted(group)]) for group in sorted(groups, key=min)
    )
    rest = "".join(f", and so do {names}" for names in others)
    alike: dict[str, list[str]] = {}
    for one in loose:
        alike.setdefault(one.words, []).append(record.law.names[one.k])
    alone = [
        f"{listed(names)} alone {words if len(names) == 1 else f'are{words[2:]}'}"
        for words, names in alike.items()
    ]
    alone[1:] = [words.replace("alone is known", "alone") for words in alone[1:]]
    return f"{first} move together{rest}: {listed(alone)}"


def _curve(record: Record) -> str:
    """How well the curve is known in the middle of the runs and beyond the largest."""
    if record.law.whole:
        return ""
    middle, beyond = places(record)
    x = {name: np.array([middle[name], beyond[name]]) for name in record.law.inputs}
    words = [_precision(record, *ends) for ends in band(record, x)]
    if not words[0]:
        return ""
    what = "the curve" if record.law.predicts == "" else f"the {record.law.predicts}"
    here = f"{what} in the middle of the runs ({at(record, x, 0)}) is known to {words[0]}"
    if not words[1] or middle == beyond:
        return here
    return f"{here}, at ten times the largest ({at(record, x, 1)}) to {words[1]} if the law holds"


def places(record: Record) -> tuple[dict[str, float], dict[str, float]]:
    """The middle of the runs, and ten times the largest inputs;
    what has no arbitrary unit stays in the middle."""
    middle, beyond = {}, {}
    for name in record.law.inputs:
        values, known = record.data.x[name][record.data.counted], record.law.domain.get(name)
        if name in record.law.labels:
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


def band(record: Record, x: Mapping[str, np.ndarray]) -> list[tuple[float, float, float]]:
    """Estimate and 90 % limits of the curve at each place."""
    with np.errstate(all="ignore"):
        mean = np.asarray(record.law(record.coefs, x), float)
    if record.resampled is not None:
        lo, hi = np.quantile(
            record.at_draws(record.resampled.u, x), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0
        )
        return list(zip(mean, lo, hi, strict=True))
    jacobian = linearise(record.law, record.objective, record.u, x, np.ones(mean.shape)).jacobian
    n, p = len(record.data.counted), len(record.u)
    half = Z * stretch(n, p, LEVEL) / np.sqrt(n / (n - p)) * np.sqrt(variance(jacobian, record.covariance))
    if record.objective.space == "log":
        with np.errstate(over="ignore"):
            return list(zip(mean, mean * np.exp(-half), mean * np.exp(half), strict=True))
    return list(zip(mean, mean - half, mean + half, strict=True))


def _precision(record: Record, mean: float, lo: float, hi: float) -> str:
    """Half the interval in words: a share of the value, a factor where that is large,
    the plain size for shares."""
    if not (np.isfinite(mean) and np.isfinite(lo) and np.isfinite(hi)):
        return ""
    if record.law.predicts in ("accuracy", "change") or mean <= 0:
        return f"±{(hi - lo) / 2:.2g}"
    if lo > 0 and hi / lo > 1.5**2:
        factor = np.sqrt(hi / lo)
        return f"a factor {two(factor)}" if factor < 1000 else "no factor below 1000"
    return f"{two(100 * (hi - lo) / 2 / mean)} %"


def _floors(record: Record) -> Iterator[tuple[str, str]]:
    """Name and words of each positive constant added to the rest of the law
    that these runs do not tell from zero."""
    if record.law.whole:
        return
    with np.errstate(over="ignore", invalid="ignore"):
        errors = record.stderr()
    for coef in record.law.coefs:
        if coef.support.lo != 0 or np.isfinite(coef.support.hi):
            continue
        value, (lo, _), error = record.coefs[coef.name], limits(record, coef.name), errors[coef.name]
        first_order = record.resampled is None
        low = lo <= 0.1 * value or (first_order and value < Z * error)
        if not low or not _is_floor(record, coef.name):
            continue
        near = ""
        if first_order and value > 1e-3 * error:
            near = f"it is {two(value / error)} standard errors from it, and "
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


def _is_floor(record: Record, name: str) -> bool:
    """Whether one unit more of this coefficient is one unit more of the output, in all rows that know it."""
    x = {label: values[record.data.counted] for label, values in record.data.x.items()}
    with np.errstate(all="ignore"):
        base = np.asarray(record.law(record.coefs, x), float)
        step = 0.1 * float(np.median(np.abs(base)))
        more = np.asarray(record.law({**record.coefs, name: record.coefs[name] + step}, x), float) - base
        one = np.abs(more / step - 1) < 1e-6
    return bool(np.any(one) and np.all(one | (np.abs(more) < 1e-9 * step)))


def open_floor(record: Record) -> str:
    """In words, a floor that may be zero or that is known badly because something makes up for it;
    empty for none."""
    if record.law.whole or len(record.data.counted) <= len(record.u):
        return ""
    low = [name for name, _ in _floors(record)]
    if low:
        return f"{low[0]} may as well be zero"
    correlation = _correlation(record)
    for k, name in enumerate(record.law.names):
        loose = _loose(record, k, correlation) if record.law.coefs[k].support.lo == 0 else None
        if loose and _is_floor(record, name):
            return f"{name} and {listed([record.law.names[j] for j in loose.partners])} move together"
    return ""


def _correlation(record: Record) -> np.ndarray:
    """Correlations on the real line, zero for coefficients without a finite error."""
    table = record.covariance if record.resampled is None else np.atleast_2d(np.cov(record.resampled.u.T))
    spread = np.sqrt(np.diag(table))
    known = np.isfinite(spread) & (spread > 0)
    out = np.zeros(table.shape)
    out[np.ix_(known, known)] = table[np.ix_(known, known)] / np.outer(spread[known], spread[known])
    return np.nan_to_num(out)


def at(record: Record, x: Mapping[str, np.ndarray], row: int) -> str:
    """ "N = 1e9, D = 2e10": the inputs of one row."""
    known = record.law.domain
    words = []
    for name in record.law.inputs:
        value = float(x[name][row])
        labels = known[name].labels if name in known and name in record.law.labels else ()
        words.append(f"{name} = {labels[int(value)] if labels else plain(value)}")
    return ", ".join(words)
