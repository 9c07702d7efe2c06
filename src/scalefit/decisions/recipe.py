"""What is asked of a law of sizes and tokens: its other inputs held, limits, a menu, and coefficients for every draw.

Everything here is arrays: coefficients (draws + 1, p) with the estimate first, budgets (draws + 1, n). `optimum` finds the
answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scalefit import laws
from scalefit.core.law import ALLOWED, Law
from scalefit.fits.fit import Fit
from scalefit.flops import Architecture, Cost, Deadline, agreed, six_nd
from scalefit.runs import tables

__all__ = [
    "Menu",
    "Study",
    "by_name",
    "check_level",
    "check_value",
    "drawn",
    "ends",
    "interval",
    "of_sizes",
    "one_counting",
    "one_positive",
    "positive",
    "study",
    "told",
    "two_numbers",
]

# Halvings that take a bracket to the last digits.
HALVINGS = 60
# Half the width, in logs, over which the loss is seen to rise or fall: its error is the square of this, and rounding's 1e-10.
STEP = 1e-4
# What rounding may pretend is a rise over such a width.
ROUNDING = 1e-12
# The largest budget looked at, FLOPs, and the largest log N.
MOST = 1e45
LARGEST = float(np.log(MOST))
# Coefficients drawn from a first-order covariance where the fit holds no draws.
NORMAL_DRAWS = 400
# What an architecture says of an input, by the usual names of that input's column.
SHAPE = {"width": "width", "n_layers": "layers", "n_experts": "experts", "sparsity": "sparsity"}


@dataclass(frozen=True)
class Menu:
    """What there is to choose from: sizes N (m,), inputs x that each item's shape gives (m,), what the cost takes it for."""

    N: np.ndarray
    x: Mapping[str, np.ndarray]
    items: tuple[Any, ...]
    places: np.ndarray


@dataclass(frozen=True)
class Study:
    """A law of N and D with its other inputs held, coefficients (draws + 1, p) of which the first row is the estimate."""

    law: Law
    cost: Cost | Deadline
    values: np.ndarray
    at: Mapping[str, float]
    limits: Mapping[str, tuple[float, float]]
    menu: Menu | None

    @property
    def coefs(self) -> dict[str, np.ndarray]:
        """Coefficients by name, (draws + 1, 1)."""
        return dict(zip(self.law.names, self.values.T[..., None], strict=True))

    def loss(self, N: Any, D: Any, x: Mapping[str, Any] | None = None, rows: slice = slice(None)):
        """Losses; the first axis of N and D runs over coefficients. x: inputs beside those held."""
        N, D = np.broadcast_arrays(N, D)
        held = {**{name: v for name, v in self.at.items() if name in self.law.inputs}, **(x or {})}
        held = {name: np.broadcast_to(np.asarray(value, float), N.shape) for name, value in held.items()}
        named = {
            name: v[rows].reshape(-1, *[1] * (N.ndim - 1))
            for name, v in zip(self.law.names, self.values.T, strict=True)
        }
        with np.errstate(all="ignore"):
            return np.asarray(self.law(named, {"N": N, "D": D, **held}), float)

    def tokens(self, N: Any, C: np.ndarray) -> np.ndarray:
        """Tokens that C pays for at N, or at an architecture."""
        with np.errstate(all="ignore"):
            return np.asarray(self.cost.tokens(N, C, self.at), float)

    def along(self, n: np.ndarray, C: np.ndarray) -> np.ndarray:
        """Losses at log N = n when all of C is spent."""
        with np.errstate(over="ignore"):
            N = np.exp(n)
        return self.loss(N, self.tokens(N, C))

    def ends(self, C: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Least and greatest log N (...) that the budget and the limits allow; the first above the second where nothing is."""
        lo, hi = (np.full(C.shape, np.log(end)) for end in self.limits["N"])
        least, most = self.limits["D"]
        # Tokens fall as the size grows: the limits of D are limits of N.
        if np.isfinite(most):
            lo = np.maximum(lo, self._size(C, most))
        return lo, np.minimum(hi, self._size(C, least))

    def useful(self, N: np.ndarray, D: np.ndarray, x: Mapping[str, Any] | None = None) -> np.ndarray:
        """D, or the fewer tokens of least loss where more make it worse (in coarse number formats, for example)."""

        def beside(D: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return self.loss(N, D * np.exp(STEP), x), self.loss(N, D * np.exp(-STEP), x)

        more, less = beside(D)
        over = more > less * (1 + ROUNDING)
        if not np.any(over):
            return D
        lo, hi = np.full(D.shape, np.log(self.limits["D"][0])), np.log(np.where(over, D, 1.0))
        for _ in range(HALVINGS):
            middle = (lo + hi) / 2
            more, less = beside(np.exp(middle))
            lo, hi = np.where(more > less, lo, middle), np.where(more > less, middle, hi)
        return np.where(over, np.exp((lo + hi) / 2), D)

    def _size(self, C: np.ndarray, D: float) -> np.ndarray:
        """log N at which C pays for exactly D tokens."""
        lo, hi = np.zeros(C.shape), np.full(C.shape, LARGEST)
        for _ in range(HALVINGS):
            middle = (lo + hi) / 2
            more = self.tokens(np.exp(middle), C) > D
            lo, hi = np.where(more, middle, lo), np.where(more, hi, middle)
        return (lo + hi) / 2


def study(fit: Fit | Law, cost: Cost | Deadline, at: Mapping[str, float] | None, limits=None, menu=None, coefs=None,
          level: float | None = None, key: int = 0) -> Study:  # fmt: skip
    """What was asked, checked; one sentence as ValueError for what cannot be."""
    law = of_sizes(fit.law if isinstance(fit, Fit) else fit)
    at = by_name("at", at)
    counting = one_counting({"the fit": fit}, cost)
    wanted = _limits(by_name("limits", limits))
    items = None if menu is None else _menu(menu, law, cost, counting, wanted["N"], at)
    others = [name for name in law.inputs if name not in ("N", "D")] if len(law.inputs) > 1 else []
    known = {*at, *(items.x if items else {})}
    for name in others:
        if name not in known:
            raise ValueError(
                f"{law.name!r} also takes {name}; say its value with at={{{name!r}: ...}} or choices=..."
            )
    for name in at:
        if name not in others and name not in cost.needs:
            raise ValueError(
                f"{law.name!r} has no input {name!r} beside N and D; it has {', '.join(others) or 'none'}"
            )
        check_value(law, name, at[name])
    return Study(law, cost, drawn(fit, coefs, level, key), at, wanted, items)


def by_name(what: str, given: Any) -> Mapping[str, Any]:
    """A mapping, empty for None; TypeError for anything else."""
    if not isinstance(given, Mapping | None):
        raise TypeError(f"{what} must be a dict by name, got {tables.short(given)}")
    return given or {}


def two_numbers(pair: Any) -> tuple[float, float]:
    """Both ends of a range, NaN where it is none."""
    ends = [tables.number(end) for end in pair] if np.shape(pair) == (2,) else []
    lo, hi = (end if end is not None else np.nan for end in ends or (None, None))
    return lo, hi


def check_value(law: Law, name: str, value: Any) -> None:
    """ValueError for a value that the input cannot have."""
    what = law.domain[name].allowed if name in law.domain else "a number"
    (lo, hi), number = ALLOWED[what], tables.number(value)
    if number is None or not (np.isfinite(number) and lo <= number <= hi):
        raise ValueError(f"{name} must be {what}, got {tables.short(value)}")


def one_counting(fits: Mapping[str, Fit | Law], cost: Cost | Deadline = six_nd) -> str | None:
    """How fits (name -> fit) and a cost count parameters, None where nothing says it.

    Raises ValueError where two differ, TypeError for a cost that is none.
    """
    if not isinstance(cost, Cost | Deadline):
        raise TypeError(f"flops must be a cost, e.g. sf.flops.lifetime(1e12) or sf.flops.per_token(lambda N: 6 * N), "
                        f"got {tables.short(cost)}")  # fmt: skip
    said = {name: fit.counting for name, fit in fits.items() if isinstance(fit, Fit)}
    return agreed({**said, "the cost": cost.counting})


def _limits(limits: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    wanted = {"N": (1.0, np.inf), "D": (1.0, np.inf)}
    for name, pair in limits.items():
        if name not in wanted:
            raise ValueError(f"limits are of N and D, got {name!r}")
        lo, hi = two_numbers(pair)
        if not (lo < hi and hi > 0):
            raise ValueError(
                f"limits of {name} must be (least, greatest) with least below greatest, got {tables.short(pair)}"
            )
        wanted[name] = max(lo, 1.0), hi
    return wanted


def _menu(
    menu: Sequence[Any],
    law: Law,
    cost: Cost | Deadline,
    counting: str | None,
    limits: tuple[float, float],
    at,
) -> Menu:
    if isinstance(menu, str | Mapping) or np.ndim(menu) != 1 or not len(menu):
        raise ValueError(f"menu must be a list of one size or more, got {tables.short(menu)}")
    shapes = [item for item in menu if isinstance(item, Architecture)]
    for item in menu:
        if not isinstance(item, Architecture) and not 0 < (tables.number(item) or 0) < np.inf:
            raise ValueError(f"a menu holds sizes and flops.Architecture, got {tables.short(item)}")
    if shapes and counting is None:
        raise ValueError("the menu holds architectures, and neither the fit nor the cost says which parameters N counts; say it "
                         'with sf.fit(..., counting="total"), or a cost\'s .counted("total")')  # fmt: skip
    sizes = np.array([m.count(str(counting)) if isinstance(m, Architecture) else float(m) for m in menu])
    places = np.flatnonzero((sizes >= limits[0]) & (sizes <= limits[1]))
    if not len(places):
        raise ValueError("the menu holds no size within the limits of N")
    x = {}
    if len(shapes) == len(menu):
        x = {name: np.array([float(getattr(shapes[k], said)) for k in places])
             for name, said in ((name, _said(law, name)) for name in law.inputs) if said and name not in at}  # fmt: skip
    return Menu(
        sizes[places], x, tuple(menu[k] if cost.shapes else sizes[k] for k in places.tolist()), places
    )


def _said(law: Law, name: str) -> str | None:
    """The property of an architecture that an input is, by its name or the usual names of its column."""
    known = (name, *law.domain[name].aliases) if name in law.domain else (name,)
    return next((SHAPE[alias] for alias in known if alias in SHAPE), None)


@dataclass(frozen=True)
class _BySize:
    """A law of compute and tokens per parameter, C = 6 N D and M = D / N, as one of N and D."""

    law: Law

    def __call__(self, *values, **coefs):
        """The law's prediction."""
        N, D = values
        x = {"C": 6 * N * D, "M": D / N}
        return self.law.fn(*(x[name] for name in self.law.inputs), **coefs)


def of_sizes(law: Law) -> Law:
    """The law itself, or, for one of C and M, the same as a law of N and D."""
    if isinstance(law, Law) and set(law.inputs) == {"C", "M"}:
        domain = laws.get("chinchilla").domain
        return replace(law, fn=_BySize(law), inputs=dict(domain), checks=(), recipe=None, resize=None)
    return law


def drawn(fit: Fit | Law, coefs: Any = None, level: float | None = None, key: int = 0) -> np.ndarray:
    """Coefficients (draws + 1, p), the estimate first; draws only where a level is asked for.

    The draws are those of the fit, or 400 normal ones of its first-order covariance, widened by Student's t.
    """
    if not isinstance(fit, Fit):
        if level is not None:
            raise ValueError(
                "a law with given coefficients has no interval; leave level out, or fit the law to runs"
            )
        known = _coefs(fit, coefs)
        return np.array([[known[name] for name in fit.names]])
    if coefs is not None:
        raise ValueError(
            "coefs are those of a law, and a fit has its own; leave them out, or give the law: fit.law"
        )
    point = np.array([[fit.coefs[name] for name in fit.law.names]])
    if level is None:
        return point
    check_level(level)
    if fit.resampled is not None:
        u = fit.resampled.u
    else:
        root = np.linalg.svd(np.where(np.isfinite(fit.covariance), fit.covariance, 0.0))
        z = np.random.default_rng(key).standard_normal((NORMAL_DRAWS, len(fit.u)))
        u = fit.u + min(fit._student(level), 1e3) * (z * np.sqrt(root[1])) @ root[2]
    # Draws of an open coefficient may be too large for a float; the law says what follows.
    with np.errstate(over="ignore"):
        own = [c.support.from_real(v, xp=np) for c, v in zip(fit.law.coefs, u.T, strict=True)]
    return np.concatenate([point, np.stack(own, axis=1)])


def _coefs(law: Law, coefs: Any) -> Mapping[str, float]:
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
        value = tables.number(coefs[coef.name])
        # A bound, E = 0 for example, is no place for a fit but a law like others.
        if value is None or not (np.isfinite(value) and coef.support.lo <= value <= coef.support.hi):
            raise ValueError(f"{coef.name} must be {coef.support}, got {tables.short(coefs[coef.name])}")
    return coefs


def check_level(level: Any) -> None:
    """ValueError unless a level is a probability."""
    if not 0 < (tables.number(level) or 0) < 1:
        raise ValueError(f"level must lie between 0 and 1, got {tables.short(level)}")


def interval(
    fit: Fit, values: np.ndarray, level: float, unknown: tuple[float, float] = (0.0, np.inf)
) -> tuple[float, float]:
    """Quantiles of the draws; open where a first-order interval knows nothing."""
    if not told(fit, level):
        return unknown
    # A ratio of two infinite numbers may be anything.
    return ends(values, level, unknown)


def told(fit: Fit | Law, level: float) -> bool:
    """Whether the draws say anything: normal ones of a fit without spare rows do not."""
    return not isinstance(fit, Fit) or fit.resampled is not None or bool(np.isfinite(fit._student(level)))


def ends(values: np.ndarray, level: float, unknown: tuple[float, float]) -> tuple[float, float]:
    """Quantiles of draws; those that are NaN may lie at either end."""
    sides = (np.where(np.isnan(values), end, values) for end in unknown)
    shares = (1 - level) / 2, (1 + level) / 2
    lo, hi = (float(np.quantile(v, q, method="inverted_cdf")) for v, q in zip(sides, shares, strict=True))
    return lo, hi


def positive(name: str, values: Any) -> np.ndarray:
    """One or more positive numbers as an array; ValueError otherwise."""
    try:
        array = np.atleast_1d(np.asarray(values, float))
    except (TypeError, ValueError):
        array = np.array([])
    if array.ndim != 1 or not len(array) or not np.all((array > 0) & np.isfinite(array)):
        raise ValueError(f"{name} must be one or more positive numbers, got {tables.short(values)}")
    return array


def one_positive(name: str, value: Any) -> float:
    """One positive number; ValueError otherwise."""
    array = positive(name, value)
    if len(array) != 1:
        raise ValueError(f"{name} must be one positive number, got {tables.short(value)}")
    return float(array[0])
