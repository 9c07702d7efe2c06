"""What to train with a budget: the best size and tokens under any law of N and D, and the budget that a loss needs.

sf.optimal(fit, C=[1e21, 1e23], level=0.9)
sf.optimal(fit, loss=2.1)
sf.isoloss(fit, loss=2.1, N=[1e9, 2e9, 4e9])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from scalefit import laws, reach, tables
from scalefit.core.compiled import compiled
from scalefit.core.law import Law
from scalefit.flops import Architecture, Cost, six_nd
from scalefit.frames import frame
from scalefit.result import Fit

__all__ = ["Course", "budgets", "closed", "course", "ends", "isoloss", "optimal", "positive"]

# Sizes tried along a budget before the best one is sharpened; enough for a step of a factor 1.4 over 20 decades.
PLACES = 129
# Halvings that take a bracket to the last digits.
HALVINGS = 60
# Budgets between which the one for a loss is looked for, FLOPs.
LEAST, MOST = 1e6, 1e45
# Inputs that are no FLOPs may be in any unit.
TINY = 1e-45
# The largest log N looked at.
LARGEST = float(np.log(MOST))
# Coefficients drawn from a first-order covariance where the fit holds no draws.
NORMAL_DRAWS = 400
# Laws whose optimum under a cost of 6 N D is known in closed form: an outer power does not move it.
CLOSED = tuple(laws.get(name).fn for name in ("chinchilla", "skaling"))


@dataclass(frozen=True)
class _Study:
    """A law with the inputs beside N and D held, coefficients (draws + 1, p) of which the first row is the estimate."""

    law: Law
    cost: Cost
    values: np.ndarray
    at: Mapping[str, float]
    limits: Mapping[str, tuple[float, float]]
    sizes: np.ndarray | None

    @property
    def coefs(self) -> dict[str, np.ndarray]:
        return dict(zip(self.law.names, self.values.T[..., None], strict=True))

    def loss(self, N: Any, D: Any, rows: slice = slice(None)) -> np.ndarray:
        """Losses; the first axis of N and D runs over coefficients."""
        N, D = np.broadcast_arrays(N, D)
        held = {name: np.full(N.shape, value) for name, value in self.at.items()}
        named = {
            name: v[rows].reshape(-1, *[1] * (N.ndim - 1))
            for name, v in zip(self.law.names, self.values.T, strict=True)
        }
        with np.errstate(all="ignore"):
            return np.asarray(self.law(named, {"N": N, "D": D, **held}), float)

    def ends(self, C: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Least and greatest log N (...) that the budget and the limits allow; the first above the second where nothing is."""
        lo, hi = (np.full(C.shape, np.log(end)) for end in self.limits["N"])
        # Tokens fall as the size grows: the limits of D are limits of N.
        return np.maximum(lo, self._size(C, self.limits["D"][1])), np.minimum(
            hi, self._size(C, self.limits["D"][0])
        )

    def _size(self, C: np.ndarray, D: float) -> np.ndarray:
        """log N at which C pays for exactly D tokens."""
        lo, hi = np.zeros(C.shape), np.full(C.shape, LARGEST)
        for _ in range(HALVINGS):
            middle = (lo + hi) / 2
            more = np.asarray(self.cost.tokens(np.exp(middle), C)) > D
            lo, hi = np.where(more, middle, lo), np.where(more, hi, middle)
        return (lo + hi) / 2


def optimal(fit: Fit | Law, C: Any = None, flops: Cost = six_nd, level: float | None = None, *, loss: Any = None,
            at: Mapping[str, float] | None = None, choices: Mapping[str, Sequence[float]] | None = None,
            menu: Sequence[float | Architecture] | None = None, limits: Mapping[str, tuple[float, float]] | None = None,
            coefs: str | Mapping[str, float] | None = None, key: int = 0):  # fmt: skip
    """The size and tokens with the lowest loss for each budget, or the smallest budget for each loss.

    fit: of any law with inputs N and D; or a Law, with `coefs` as a dict or the label of a published set. C: budgets
    in FLOPs; or loss: losses to reach. flops: what a run costs, see `sf.flops` (`lifetime(tokens)` for tokens to be served). at:
    values of the law's other inputs, e.g. {"U": 1e11} unique tokens. choices: other inputs to choose from, the best of
    which is taken, e.g. {"P_w": [4, 8, 16]}. menu: sizes, or architectures (counted as `flops.counting` says, in total where it says nothing), to
    choose from. limits: least and greatest
    N or D, e.g. {"D": (0, 2e12)} where no more data can be had, or fit in before a deadline.

    A frame with a row per budget or loss: C, N, D, ratio (D / N), loss; what was chosen; with `level` the ends of an
    interval for each, `N_lo` and so on, from the fit's draws (every draw's own optimum), or from normal draws of its
    covariance, widened by Student's t, where it has none; distance, decades outside the runs; caution, codes of what
    speaks against the row (see `Fit.cautions`), with "at-limit" where a limit decides and "floor" where no budget
    reaches the loss: C, N and D are infinite there.
    A budget above what the limits can use is not spent in full.
    Raises ValueError for a law without N and D, for budgets that buy nothing within the limits, and for an empty menu.
    """
    if (C is None) == (loss is None):
        raise ValueError("give budgets, C=[...], or losses, loss=[...], one of the two")
    law = fit.law if isinstance(fit, Fit) else fit
    _check_law(law)
    goal = positive("C" if loss is None else "loss", C if loss is None else loss)
    cases = [
        _study(
            fit,
            flops,
            {**(at or {}), **dict(zip(choices or {}, chosen, strict=True))},
            limits,
            menu,
            coefs,
            level,
            key,
        )
        for chosen in product(*(_some(name, values) for name, values in (choices or {}).items()))
    ]
    found = [(_of_budget if loss is None else _of_loss)(case, goal) for case in cases]
    # The best choice of every draw, by its loss, or by its budget.
    rank = np.stack([part.loss if loss is None else part.C for part in found])
    best = np.argmin(np.where(np.isnan(rank), np.inf, rank), axis=0)
    answer = _Best(
        *(np.take_along_axis(np.stack(parts), best[None], axis=0)[0] for parts in zip(*found, strict=True))
    )
    uncertain = [name for name in _Best._fields[:5] if name != ("C" if loss is None else "loss")]
    lines = []
    for k in range(len(goal)):
        case = cases[best[0, k]]
        line = {name: float(getattr(answer, name)[0, k]) for name in _Best._fields[:5]}
        line |= {name: case.at[name] for name in choices or {}}
        if isinstance(fit, Fit) and level is not None:
            for name in uncertain:
                line[f"{name}_lo"], line[f"{name}_hi"] = _interval(fit, getattr(answer, name)[1:, k], level)
        lines.append(line | _doubt(fit, case, line, bool(answer.edge[0, k])))
    return frame(lines)


def isoloss(fit: Fit | Law, loss: float, N: Any, flops: Cost = six_nd, *, at: Mapping[str, float] | None = None,
            coefs: str | Mapping[str, float] | None = None):  # fmt: skip
    """Tokens that sizes N need to reach one loss, and what they cost beside the best size.

    A frame: N, D, ratio, C, penalty (C over the least C that reaches the loss). All but N are infinite for sizes too small
    to reach it with any number of tokens. Other arguments as in `optimal`.
    """
    law = fit.law if isinstance(fit, Fit) else fit
    _check_law(law)
    N, loss = positive("N", N), float(positive("loss", loss)[0])
    study = _study(fit, flops, dict(at or {}), None, None, coefs, None, 0)
    lo, hi = np.zeros_like(N), np.full_like(N, np.log(MOST))
    enough = study.loss(N[None], np.exp(hi)[None], slice(1))[0] < loss
    for _ in range(2 * HALVINGS):
        middle = (lo + hi) / 2
        above = study.loss(N[None], np.exp(middle)[None], slice(1))[0] > loss
        lo, hi = np.where(above, middle, lo), np.where(above, hi, middle)
    D = np.where(enough, np.exp((lo + hi) / 2), np.inf)
    C = np.asarray(flops(N, D), float)
    least = _of_loss(study, np.array([loss])).C[0, 0]
    return frame(
        {"N": n, "D": d, "ratio": d / n, "C": c, "penalty": c / least if np.isfinite(c) else np.inf}
        for n, d, c in zip(N, D, C, strict=True)
    )


class _Best(NamedTuple):
    """Optima, each (draws + 1, budgets); edge: whether a limit decides."""

    C: np.ndarray
    N: np.ndarray
    D: np.ndarray
    ratio: np.ndarray
    loss: np.ndarray
    edge: np.ndarray


def _best(study: _Study, C: np.ndarray) -> _Best:
    """The best size for every budget (draws + 1, budgets); NaN where a budget pays for no run."""
    lo, hi = study.ends(C)
    # More than the largest size and all tokens cost is not spent.
    lo = np.minimum(lo, hi)
    least, most = study.limits["D"]
    if study.sizes is not None:
        tried = np.broadcast_to(study.sizes, (*C.shape, len(study.sizes)))
        tokens = np.minimum(study.cost.tokens(tried, C[..., None]), most)
        losses = np.where(tokens >= least, study.loss(tried, tokens), np.inf)
        N = study.sizes[np.argmin(losses, axis=-1)]
        N = np.where(np.isfinite(losses).any(axis=-1), N, np.nan)
    elif study.law.fn in CLOSED and study.cost is six_nd:
        N = np.exp(np.clip(np.log(closed(study.coefs, C)), lo, hi))
    else:
        places = lo[..., None] + (hi - lo)[..., None] * np.linspace(0, 1, PLACES)
        losses = study.loss(
            np.exp(places), np.asarray(study.cost.tokens(np.exp(places), C[..., None]), float)
        )
        best = np.argmin(np.where(np.isfinite(losses), losses, np.inf), axis=-1)[..., None]
        below, above = (
            np.take_along_axis(places, np.clip(best + k, 0, PLACES - 1), axis=-1)[..., 0] for k in (-1, 1)
        )
        with jax.enable_x64(True):
            N = np.exp(
                np.asarray(_stationary(study.law, study.cost, study.values, dict(study.at), C, below, above))
            )
    D, n = np.minimum(study.cost.tokens(N, C), most), np.log(N)
    N = np.where((study.limits["N"][0] * (1 - 1e-9) <= N) & (least * (1 - 1e-9) <= D), N, np.nan)
    near = (n - lo < 1e-6) | (hi - n < 1e-6)
    return _Best(C, N, D, D / N, study.loss(N, D), near & (study.sizes is None))


def _of_budget(study: _Study, C: np.ndarray) -> _Best:
    found = _best(study, np.broadcast_to(C, (len(study.values), len(C))))
    if np.isnan(found.N[0]).any():
        short = C[np.isnan(found.N[0])][0]
        raise ValueError(
            f"C = {short:.3g} FLOPs pay for no run within the limits or on the menu; raise C or loosen them"
        )
    return found


def _of_loss(study: _Study, target: np.ndarray) -> _Best:
    """The best loss falls as the budget grows, so the budget for a loss is found by halving."""
    shape = len(study.values), len(target)
    lo, hi = np.full(shape, np.log(LEAST)), np.full(shape, np.log(MOST))
    # A budget that pays for no run is too small, and its loss not known.
    short = lambda C: ~(_best(study, C).loss <= target)  # noqa: E731
    never = short(np.exp(hi))
    for _ in range(HALVINGS):
        middle = (lo + hi) / 2
        above = short(np.exp(middle))
        lo, hi = np.where(above, middle, lo), np.where(above, hi, middle)
    found = _best(study, np.exp(hi))
    C, N, D = (np.where(never, np.inf, part) for part in found[:3])
    return _Best(
        C, N, D, np.where(never, np.nan, found.ratio), np.broadcast_to(target, shape), found.edge & ~never
    )


@dataclass(frozen=True)
class Course:
    """The best loss of a recipe by budget, for its estimate and every draw: laws of N and D, or of one input."""

    fit: Fit | Law
    study: _Study

    @property
    def n(self) -> int:
        """The estimate and how many draws."""
        return len(self.study.values)

    def loss(self, C: np.ndarray) -> np.ndarray:
        """Losses (draws + 1, budgets)."""
        C = np.broadcast_to(C, (self.n, len(C)))
        return _best(self.study, C).loss if self._two else self._one(C)

    def budget(self, loss: np.ndarray) -> np.ndarray:
        """Budgets (draws + 1, losses) that reach each loss; infinite where none does."""
        if self._two:
            return _of_loss(self.study, loss).C
        lo, hi = (np.full((self.n, len(loss)), np.log(end)) for end in (TINY, MOST))
        never = ~(self._one(np.exp(hi)) <= loss)
        for _ in range(2 * HALVINGS):
            middle = (lo + hi) / 2
            above = self._one(np.exp(middle)) > loss
            lo, hi = np.where(above, middle, lo), np.where(above, hi, middle)
        return np.where(never, np.inf, np.exp(hi))

    def distance(self, C: float) -> float:
        """Decades of the optimum for this budget from the runs."""
        assert isinstance(self.fit, Fit)
        x = {name: np.array([value]) for name, value in self.study.at.items()}
        if self._two:
            found = _best(self.study, np.full((self.n, 1), C))
            x |= {"N": found.N[0], "D": found.D[0]}
        else:
            x[self.study.law.inputs[0]] = np.array([C])
        return float(reach.distance(self.fit, x)[0])

    @property
    def _two(self) -> bool:
        return len(self.study.law.inputs) > 1

    def _one(self, C: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.asarray(self.study.law(self.study.coefs, {self.study.law.inputs[0]: C}), float)


def course(
    fit: Fit | Law, flops: Cost, at: Mapping[str, float] | None, coefs, level: float | None, key: int
) -> Course:
    """A recipe by budget; draws only where a level is asked for."""
    law = fit.law if isinstance(fit, Fit) else fit
    if not (isinstance(law, Law) and len(law.inputs) == 1 and not law.labels):
        _check_law(law)
    return Course(fit, _study(fit, flops, dict(at or {}), None, None, coefs, level, key))


def budgets(fit: Fit, flops: Cost) -> tuple[np.ndarray, np.ndarray]:
    """The runs' budgets (n,), or their one input, and their losses."""
    rows, x = fit.data.counted, fit.data.x
    C = flops(x["N"], x["D"]) if "D" in x else next(iter(x.values()))
    return np.asarray(C, float)[rows], fit.data.y[rows]


@compiled("law", "cost")
def _stationary(law: Law, cost: Cost, values, at, C, lo, hi):
    """log N between lo and hi where the loss along the budget stops falling, (draws, budgets)."""
    named = dict(zip(law.names, values.T[..., None], strict=True))

    def loss(n):
        N = jnp.exp(n)
        held = {name: jnp.full_like(n, value) for name, value in at.items()}
        return law(named, {"N": N, "D": cost.tokens(N, C), **held})

    def halve(_, ends):
        lo, hi = ends
        middle = (lo + hi) / 2
        slope = jax.jvp(loss, (middle,), (jnp.ones_like(middle),))[1]
        return jnp.where(slope < 0, middle, lo), jnp.where(slope < 0, hi, middle)

    shape = jnp.broadcast_shapes(lo.shape, (values.shape[0], 1), jnp.shape(C))
    lo, hi = jax.lax.fori_loop(0, HALVINGS, halve, (jnp.broadcast_to(lo, shape), jnp.broadcast_to(hi, shape)))
    return (lo + hi) / 2


def closed(c: Mapping[str, np.ndarray], C: np.ndarray) -> np.ndarray:
    """N* = G (C / 6)^(beta / (alpha + beta)) with G = (alpha A / (beta B))^(1 / (alpha + beta)) (Hoffmann et al. 2022, eq. 4)."""
    alpha, beta = c["alpha"], c["beta"]
    with np.errstate(all="ignore"):
        log_G = (np.log(alpha * c["A"]) - np.log(beta * c["B"])) / (alpha + beta)
        return np.exp(log_G + beta / (alpha + beta) * np.log(C / 6))


def _study(fit, flops, at, limits, menu, coefs, level, key) -> _Study:
    law = fit.law if isinstance(fit, Fit) else fit
    others = [name for name in law.inputs if name not in ("N", "D")] if len(law.inputs) > 1 else []
    for name in others:
        if name not in at:
            raise ValueError(
                f"{law.name!r} also takes {name}; say its value with at={{{name!r}: ...}} or choices=..."
            )
    for name in at:
        if name not in others:
            raise ValueError(
                f"{law.name!r} has no input {name!r} beside N and D; it has {', '.join(others) or 'none'}"
            )
    if isinstance(fit, Fit):
        point = np.array([fit.coefs[name] for name in law.names])
    else:
        if level is not None:
            raise ValueError("a law with given coefficients has no interval; fit it to runs for one")
        point = np.array([_given(law, coefs)[name] for name in law.names])
    values = point[None] if level is None else np.concatenate([point[None], _draws(fit, level, key)])
    wanted = {"N": (1.0, np.inf), "D": (1.0, np.inf)}
    for name, ends in (limits or {}).items():
        if name not in wanted:
            raise ValueError(f"limits are of N and D, got {name!r}")
        lo, hi = ends
        if not (lo < hi and hi > 0):
            raise ValueError(
                f"limits of {name} must be (least, greatest) with least below greatest, got {tables.short(ends)}"
            )
        wanted[name] = max(float(lo), 1.0), float(hi)
    return _Study(law, flops, values, at, wanted, _sizes(menu, flops, wanted["N"]))


def _sizes(menu, flops: Cost, ends) -> np.ndarray | None:
    if menu is None:
        return None
    sizes = np.array(
        sorted(m.count(flops.counting or "total") if isinstance(m, Architecture) else float(m) for m in menu)
    )
    sizes = sizes[(sizes >= ends[0]) & (sizes <= ends[1])]
    if not len(sizes):
        raise ValueError("the menu holds no size within the limits of N")
    return sizes


def _draws(fit: Fit, level: float, key: int) -> np.ndarray:
    """Coefficients (draws, p): those of the fit, or normal ones to first order."""
    if fit.resampled is not None:
        u = fit.resampled.u
    else:
        known = np.where(np.isfinite(fit.covariance), fit.covariance, 0.0)
        wider = fit._student(level)
        root = np.linalg.svd(known)
        z = np.random.default_rng(key).standard_normal((NORMAL_DRAWS, len(fit.u)))
        u = fit.u + min(wider, 1e3) * (z * np.sqrt(root[1])) @ root[2]
    return np.stack([c.support.from_real(v, xp=np) for c, v in zip(fit.law.coefs, u.T, strict=True)], axis=1)


def _interval(fit: Fit, values: np.ndarray, level: float) -> tuple[float, float]:
    """Quantiles of the draws; open where a first-order interval knows nothing."""
    if fit.resampled is None and not np.isfinite(fit._student(level)):
        return 0.0, np.inf
    # A ratio of two infinite numbers may be anything.
    return ends(values, level, (0.0, np.inf))


def ends(values: np.ndarray, level: float, unknown: tuple[float, float]) -> tuple[float, float]:
    """Quantiles of draws; those that are NaN may lie at either end."""
    sides = (np.where(np.isnan(values), end, values) for end in unknown)
    shares = (1 - level) / 2, (1 + level) / 2
    lo, hi = (float(np.quantile(v, q, method="inverted_cdf")) for v, q in zip(sides, shares, strict=True))
    return lo, hi


def _doubt(fit, study: _Study, answer: Mapping[str, float], edge: bool) -> dict[str, Any]:
    """Distance and cautions of one answer."""
    if np.isinf(answer["C"]):
        return {"distance": np.inf, "caution": "floor"} if isinstance(fit, Fit) else {"caution": "floor"}
    limit = ["at-limit"] if edge else []
    if not isinstance(fit, Fit):
        return {"caution": ", ".join(limit)}
    x = {name: np.array([float(v)]) for name, v in {**study.at, "N": answer["N"], "D": answer["D"]}.items()}
    far = float(reach.distance(fit, x)[0])
    codes = reach.codes(reach.flagged(fit, x), 1)
    return {"distance": far, "caution": ", ".join([*limit, *filter(None, codes)])}


def _given(law: Law, coefs) -> Mapping[str, float]:
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
    return coefs


def _check_law(law: Law) -> None:
    if not isinstance(law, Law):
        raise TypeError(f"optimal needs a fit or a law, got {tables.short(law)}")
    if not {"N", "D"} <= set(law.inputs) or law.whole or law.labels:
        raise ValueError(f"{law.name!r} is no law of N and D alone; it takes {', '.join(law.inputs)}")


def positive(name: str, values: Any) -> np.ndarray:
    """One or more positive numbers as an array; ValueError otherwise."""
    array = np.atleast_1d(np.asarray(values, float))
    if array.ndim != 1 or not len(array) or not np.all((array > 0) & np.isfinite(array)):
        raise ValueError(f"{name} must be one or more positive numbers, got {tables.short(values)}")
    return array


def _some(name: str, values: Sequence[float]) -> Sequence[float]:
    if isinstance(values, str) or not len(values):
        raise ValueError(f"choices of {name} must be a list of values to choose from")
    return values
