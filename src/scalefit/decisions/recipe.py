"""A recipe: a law of sizes and tokens (or of one input), what runs cost, its other inputs held, limits,
a menu, and draws.

Everything here is arrays whose first axis runs over the draws, the estimate first:
budgets (draws + 1, n). `allocation` finds the answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scalefit.arguments import by_name, number, two_numbers
from scalefit.core.law import ALLOWED, Law
from scalefit.fits.checks import COUNTS
from scalefit.fits.ensemble import Ensemble
from scalefit.fits.fit import Fit
from scalefit.fits.joint import Joint, ends, joint
from scalefit.flops import Architecture, Cost, Deadline, agreed, per_token, six_nd
from scalefit.words import short

__all__ = [
    "Menu",
    "halved",
    "budgets",
    "check_law",
    "compared",
    "point",
    "Recipe",
    "check_value",
    "cost_of",
    "one_counting",
    "recipe_of",
]

# Halvings that take a bracket to the last digits.
HALVINGS = 60
# Half the width, in logs, over which the loss is seen to rise or fall:
# its error is the square of this, and rounding's 1e-10.
STEP = 1e-4
# What rounding may pretend is a rise over such a width.
ROUNDING = 1e-12
# The largest budget looked at, FLOPs, and the largest log N.
MOST = 1e45
LARGEST = float(np.log(MOST))
# What an architecture says of an input, by the usual names of that input's column.
SHAPE = {"width": "width", "n_layers": "layers", "n_experts": "experts", "sparsity": "sparsity"}


@dataclass(frozen=True)
class Menu:
    """What there is to choose from: sizes N (m,), inputs x that each item's shape gives (m,),
    what the cost takes it for."""

    N: np.ndarray
    x: Mapping[str, np.ndarray]
    items: tuple[Any, ...]
    places: np.ndarray


@dataclass(frozen=True)
class Recipe:
    """A law of sizes and tokens (or of one input) with its other inputs held, joint draws of it,
    and what runs cost."""

    fit: Fit | Ensemble | Law
    joint: Joint
    cost: Cost | Deadline
    at: Mapping[str, float]
    limits: Mapping[str, tuple[float, float]]
    menu: Menu | None
    # How large departures of the law are, (draws + 1, n), and log N and log D of the estimate (n,) about
    # which they are tilted, for the n budgets, losses or sizes asked about.
    amplitude: np.ndarray | None = None
    about: tuple[np.ndarray, np.ndarray] | None = None

    def __len__(self) -> int:
        """The estimate and how many draws."""
        return len(self.joint)

    @property
    def law(self) -> Law:
        """The law."""
        return self.joint.law

    @property
    def of_sizes(self) -> bool:
        """Whether sizes and tokens are to be chosen; otherwise the law is one of a single input."""
        return len(self.law.inputs) > 1

    @property
    def of_six(self) -> bool:
        """Whether a run costs 6 N D."""
        return isinstance(self.cost, Cost) and replace(self.cost, counting=None) == six_nd

    @property
    def estimate(self) -> Recipe:
        """The same without draws."""
        return replace(self, joint=self.joint.estimate, amplitude=None, about=None)

    def departing(self, N: np.ndarray, D: np.ndarray, item: np.ndarray | int = 0) -> Recipe:
        """The same with the law's departures, as large as they are at the
        estimate's sizes and tokens (n,)."""
        if self.joint.departures is None:
            return self
        amplitude = self.joint.amplitude(point(self, N, D, item))
        with np.errstate(all="ignore"):
            return replace(self, amplitude=amplitude, about=(np.log(N), np.log(D)))

    def loss(self, N: Any, D: Any, x: Mapping[str, Any] | None = None) -> np.ndarray:
        """Losses; the first axis of N and D runs over the draws. x: inputs beside those held."""
        N, D = np.broadcast_arrays(N, D)
        held = {**{name: v for name, v in self.at.items() if name in self.law.inputs}, **(x or {})}
        held = {name: np.broadcast_to(np.asarray(value, float), N.shape) for name, value in held.items()}
        with np.errstate(all="ignore"):
            y = self.joint.curve({"C": 6 * N * D, "M": D / N, **held, "N": N, "D": D})
            if self.amplitude is None or self.about is None:
                return y
            n, d = (
                np.log(v) - at.reshape(-1, *[1] * (np.ndim(y) - 2))
                for v, at in zip((N, D), self.about, strict=True)
            )
            return self.joint.tilted(y, self.amplitude, n, d)

    def of_input(self, x: np.ndarray) -> np.ndarray:
        """Losses (draws + 1, n) of a law of one input."""
        return self.joint.off(self.joint.curve({self.law.inputs[0]: x}), self.amplitude)

    def interval(
        self, values: np.ndarray, level: float, unknown: tuple[float, float] = (0.0, np.inf)
    ) -> tuple[float, float]:
        """Quantiles of a quantity's draws (n,); see `joint.ends`."""
        return ends(values, level, unknown, self.joint.known)

    def tokens(self, N: Any, C: np.ndarray, x: Mapping[str, Any] | None = None) -> np.ndarray:
        """Tokens that C pays for at N, or at an architecture; x: inputs beside those held."""
        with np.errstate(all="ignore"):
            return np.asarray(self.cost.tokens(N, C, {**self.at, **(x or {})}), float)

    def along(self, n: np.ndarray, C: np.ndarray) -> np.ndarray:
        """Losses at log N = n when all of C is spent."""
        with np.errstate(over="ignore"):
            N = np.exp(n)
        return self.loss(N, self.tokens(N, C))

    def ends(self, C: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Least and greatest log N (...) that the budget and the limits allow;
        the first above the second where nothing is."""
        lo, hi = (np.full(C.shape, np.log(end)) for end in self.limits["N"])
        least, most = self.limits["D"]
        # Tokens fall as the size grows: the limits of D are limits of N.
        if np.isfinite(most):
            lo = np.maximum(lo, self._size(C, most))
        return lo, np.minimum(hi, self._size(C, least))

    def useful(self, N: np.ndarray, D: np.ndarray, x: Mapping[str, Any] | None = None) -> np.ndarray:
        """D, or the fewer tokens of least loss where more make it worse (in coarse number formats,
        for example)."""

        def beside(D: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return self.loss(N, D * np.exp(STEP), x), self.loss(N, D * np.exp(-STEP), x)

        more, less = beside(D)
        over = more > less * (1 + ROUNDING)
        if not np.any(over):
            return D

        def falling(d: np.ndarray) -> np.ndarray:
            more, less = beside(np.exp(d))
            return ~(more > less)

        found = halved(falling, np.full(D.shape, np.log(self.limits["D"][0])), np.log(np.where(over, D, 1.0)))
        return np.where(over, np.exp(found), D)

    def _size(self, C: np.ndarray, D: float) -> np.ndarray:
        """log N at which C pays for exactly D tokens."""
        if self.of_six:
            with np.errstate(divide="ignore"):
                return np.clip(np.log(C / 6) - np.log(D), 0.0, LARGEST)
        return halved(lambda n: self.tokens(np.exp(n), C) > D, np.zeros(C.shape), np.full(C.shape, LARGEST))


def halved(
    before: Callable[[np.ndarray], np.ndarray], lo: np.ndarray, hi: np.ndarray, n: int = HALVINGS
) -> np.ndarray:
    """Where `before` turns from true to false between lo and hi, element by element, by halving n times."""
    for _ in range(n):
        middle = (lo + hi) / 2
        early = before(middle)
        lo, hi = np.where(early, middle, lo), np.where(early, hi, middle)
    return (lo + hi) / 2


def recipe_of(
    fit: Fit | Ensemble | Law,
    cost: Cost | Deadline | None,
    at: Mapping[str, float] | None,
    limits: Any = None,
    menu: Any = None,
    coefs: Any = None,
    level: float | None = None,
    key: int = 0,
    model_error: bool = True,
) -> Recipe:
    """What was asked, checked; one sentence as ValueError for what cannot be."""
    law = fit if isinstance(fit, Law) else fit.law
    if law.predicts == "accuracy":
        raise ValueError(
            f"{law.name!r} predicts an accuracy, of which more is better, and here the least is looked for; "
            "give the fit of the loss: where accuracy follows the loss, the best size is the same"
        )
    at = by_name("at", at)
    if cost in (None, six_nd) and not isinstance(fit, Law):
        _check_counts(fit)
    # Asked for by type first: a law's own cost counts as the law does.
    one_counting({"the fit": fit}, cost)
    cost = cost_of(law, cost)
    counting = one_counting({"the fit": fit}, cost)
    wanted = _limits(by_name("limits", limits))
    items = None if menu is None else _menu(menu, law, cost, counting, wanted["N"], at)
    sizes = ("C", "M") if set(law.inputs) == {"C", "M"} else ("N", "D")
    others = [name for name in law.inputs if name not in sizes] if len(law.inputs) > 1 else []
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
    return Recipe(fit, joint(fit, coefs, level, key, model_error), cost, at, wanted, items)


def _check_counts(fit: Fit | Ensemble) -> None:
    """ValueError where a cost in FLOPs would be taken of millions or billions."""
    for name in ("N", "D"):
        most = np.max(fit.data.x[name]) if name in fit.data.x else np.inf
        if most < COUNTS:
            column = fit.columns.get(name, name)
            raise ValueError(
                f"{name} reaches {most:.3g} in these runs, which is millions or billions, and a budget in "
                f"FLOPs is 6 N D of counts: fit again with counts, such as runs[{column!r}] * 1e9, or give "
                "flops= a cost in the runs' units"
            )


def check_value(law: Law, name: str, value: Any) -> None:
    """ValueError for a value that the input cannot have."""
    what = law.domain[name].allowed if name in law.domain else "a number"
    (lo, hi), found = ALLOWED[what], number(value)
    if found is None or not (np.isfinite(found) and lo <= found <= hi):
        raise ValueError(f"{name} must be {what}, got {short(value)}")


def cost_of(law: Law, cost: Cost | Deadline | None = None) -> Cost | Deadline:
    """The cost given, or else the law's own: 6 N D unless it declares another."""
    if cost is not None:
        return cost
    return six_nd if law.flops is None else per_token(law.flops, f"that of {law.name}", law.counting)


def one_counting(fits: Mapping[str, Fit | Ensemble | Law], cost: Cost | Deadline | None = None) -> str | None:
    """How fits (name -> fit) and a cost count parameters, None where nothing says it.

    What a fit was told, or its column's name says, goes before what its law declares.

    Raises ValueError where two differ, TypeError for a cost that is none.
    """
    if not isinstance(cost, Cost | Deadline | None):
        raise TypeError(
            f"flops must be a cost, e.g. sf.flops.lifetime(1e12) or sf.flops.per_token(lambda N: 6 * N), "
            f"got {short(cost)}"
        )
    said = {name: _counting(fit) for name, fit in fits.items()}
    return agreed(said if cost is None else {**said, "the cost": cost.counting})


def _counting(fit: Fit | Ensemble | Law) -> str | None:
    if isinstance(fit, Fit | Ensemble):
        return fit.counting or fit.law.counting
    return fit.counting if isinstance(fit, Law) else None


def _limits(limits: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    wanted = {"N": (1.0, np.inf), "D": (1.0, np.inf)}
    for name, pair in limits.items():
        if name not in wanted:
            raise ValueError(f"limits are of N and D, got {name!r}")
        lo, hi = two_numbers(pair)
        if not (lo < hi and hi > 0):
            raise ValueError(
                f"limits of {name} must be (least, greatest) with least below greatest, got {short(pair)}"
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
        raise ValueError(f"menu must be a list of one size or more, got {short(menu)}")
    shapes = [item for item in menu if isinstance(item, Architecture)]
    for item in menu:
        if not isinstance(item, Architecture) and not 0 < (number(item) or 0) < np.inf:
            raise ValueError(f"a menu holds sizes and flops.Architecture, got {short(item)}")
    if shapes and counting is None:
        raise ValueError(
            "the menu holds architectures, "
            "and neither the fit nor the cost says which parameters N counts; say it "
            'with sf.fit(..., counting="total"), or a cost\'s .counted("total")'
        )
    sizes = np.array([m.count(str(counting)) if isinstance(m, Architecture) else float(m) for m in menu])
    places = np.flatnonzero((sizes >= limits[0]) & (sizes <= limits[1]))
    if not len(places):
        raise ValueError("the menu holds no size within the limits of N")
    x = {}
    if len(shapes) == len(menu):
        x = {
            name: np.array([float(getattr(shapes[k], said)) for k in places])
            for name, said in ((name, _said(law, name)) for name in law.inputs)
            if said and name not in at
        }
    return Menu(
        sizes[places], x, tuple(menu[k] if cost.shapes else sizes[k] for k in places.tolist()), places
    )


def _said(law: Law, name: str) -> str | None:
    """The property of an architecture that an input is, by its name or the usual names of its column."""
    known = (name, *law.domain[name].aliases) if name in law.domain else (name,)
    return next((SHAPE[alias] for alias in known if alias in SHAPE), None)


def budgets(fit: Fit | Ensemble, flops: Cost | Deadline | None) -> tuple[np.ndarray, np.ndarray]:
    """The runs' budgets (n,), or their one input, and their losses."""
    rows, x, cost = fit.data.counted, fit.data.x, cost_of(fit.law, flops)
    C = cost(x["N"], x["D"], x) if "D" in x else x["C"] if "C" in x else next(iter(x.values()))
    return np.asarray(C, float)[rows], fit.data.y[rows]


def point(recipe: Recipe, N: np.ndarray, D: np.ndarray, item: np.ndarray | int = 0) -> dict[str, np.ndarray]:
    """The inputs of the fitted law, C and M among them, at sizes and tokens (n,),
    each on an item of the menu."""
    read = {} if recipe.menu is None else {name: column[item] for name, column in recipe.menu.x.items()}
    held = {name: np.broadcast_to(value, N.shape) for name, value in {**recipe.at, **read}.items()}
    return {"C": 6 * N * D, "M": D / N, **held, "N": N, "D": D}


def check_law(law: Law) -> None:
    """TypeError or ValueError unless it is a law of sizes and tokens, one row a run."""
    if not isinstance(law, Law):
        raise TypeError(f"a fit or a law is needed, got {short(law)}")
    if not ({"N", "D"} <= set(law.inputs) or set(law.inputs) == {"C", "M"}) or law.whole or law.labels:
        raise ValueError(f"{law.name!r} is no law of N and D alone; it takes {', '.join(law.inputs)}")


def compared(
    fit: Fit | Ensemble | Law,
    cost: Cost | Deadline | None,
    at: Mapping[str, float] | None,
    coefs: Any,
    level: float | None,
    key: int,
    model_error: bool = True,
) -> Recipe:
    """A recipe to be compared by budget: of a law of sizes and tokens, or of one input;
    draws only where a level is asked for."""
    law = fit.law if isinstance(fit, Fit | Ensemble) else fit
    if not (isinstance(law, Law) and len(law.inputs) == 1 and not law.labels):
        check_law(law)
    return recipe_of(fit, cost, at, coefs=coefs, level=level, key=key, model_error=model_error)
