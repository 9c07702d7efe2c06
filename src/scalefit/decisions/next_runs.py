"""Which runs to make next: those that shrink the interval at the target most for their cost.

sf.next_runs(fit, candidates, budget=1e21, target={"N": 7e10, "D": 1.4e12})
sf.next_runs("chinchilla", candidates, budget=1e21, target=[{"C": 1e23}, {"C": 1e24}])  # before any run
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

from scalefit.arguments import by_name, check_level, one_positive
from scalefit.core.law import Law
from scalefit.core.linear import Linear, bend, linearise
from scalefit.decisions.optimal import optimal
from scalefit.decisions.recipe import check_value, cost_of, one_counting
from scalefit.fits.ensemble import check_fit
from scalefit.fits.fit import Fit
from scalefit.fits.model_error import departure_after, model_error_of
from scalefit.fits.pictured import Pictured
from scalefit.flops import Cost
from scalefit.frames import Frame, frame
from scalefit.runs import tables
from scalefit.runs.binding import law_of, objective_of, usual
from scalefit.validation.few_runs import PRIOR

__all__ = ["Plan", "next_runs"]

# What is taken as known of a coefficient without any run: its logarithm to within this, a factor of 20.
VAGUE = 3.0
# Before any run: the standard deviation of a run about its law, in log loss, as on public sweeps.
NOISE = PRIOR.scale
# A run that lowers the variance at the target by a smaller share than this is not worth its trouble.
WORTH = 0.01


@dataclass(frozen=True, eq=False)
class Plan(Pictured):
    """Runs to make next, in the order of their worth.

    runs: a frame: row in the table of candidates, inputs, cost, and width, the relative half-width of the
    interval for the curve at the target (of several targets the geometric mean) once this run and those above
    it are made. before, after: that width without and with all of them; spent: their cost; targets: a frame,
    one row per target: its inputs, before and after; unit: of costs, FLOPs or their column. Widths are to
    first order. From a fit they are at the noise of its runs and allow for the law's own error unless that
    was not wanted; before any run they take the law as right, at the noise of public sweeps.
    """

    runs: Frame
    before: float
    after: float
    spent: float
    level: float
    targets: Frame
    unit: str = "FLOPs"

    def __repr__(self) -> str:
        where = "the target" if len(self.targets) == 1 else f"{len(self.targets)} targets"
        change = f"from ±{self.before:.2%} to ±{self.after:.2%}"
        if self.before > 1:
            change = f"to ±{self.after:.2%}; without them next to nothing is known"
        gain = (
            f"{len(self.runs)} runs for {self.spent:.3g} {self.unit} narrow the {self.level:.0%} interval "
            f"at {where} {change}"
        )
        return f"{gain}\n{self.runs.to_string(index=False)}"


class Known(NamedTuple):
    """What is known before the new runs, for each of s places in coefficients: coordinates, their precision
    (s, k, k), and the noise of a run."""

    u: Sequence[np.ndarray]
    precision: np.ndarray
    noise: float


def next_runs(
    fit: Fit | Law | str,
    candidates: Any,
    budget: float,
    target: Mapping[str, float] | Sequence[Mapping[str, float]],
    flops: Cost | None = None,
    *,
    cost: str | None = None,
    level: float = 0.9,
    model_error: bool = True,
) -> Plan:
    """The candidates, each made at most once, that narrow the interval at the target most within a budget.

    The variance of the log prediction is g' M^-1 g, with M = sum of J J' / tau^2 over runs and candidates (J
    the law's Jacobian, g that at the target, tau^2 the noise as the objective sees it) and a vague prior; of
    several targets the geometric mean of the variances counts. Candidates are added by variance saved per
    FLOP, and by variance saved; the better plan is then improved by exchanges. A run that lowers the variance
    by less than 1 % is left out; a plan may be empty.

    Before any run give a law: its published sets of coefficients take the place of the estimate, the plan is
    the best for their geometric mean, and a run is taken to scatter as runs of public sweeps do.

    Like all optimal designs it trusts the law: it likes few, far settings, so keep some runs between them to
    see misfit.

    Args:
        fit: of the runs made so far; or a law, or its id, before there are any.
        candidates: a table with the law's inputs under their names, or under those of the fitted table.
        budget: what all new runs may cost together, in FLOPs or in the unit of `cost`.
        target: the law's inputs where the loss is to be known, or {"C": ...}, the optimum for that budget
            under this fit; a list of these for several targets, which count alike.
        flops: what a run costs, as in `sf.optimal`.
        cost: the column with what each candidate costs; `flops(N, D)` unless given.
        level: of the interval at the target, between 0 and 1.
        model_error: whether the interval's width allows for the law's own error, which new runs nearer to the
            target make smaller; False takes the law as right. The choice of runs is the same.

    Returns:
        A `Plan`: the runs in the order of their worth, and the interval's width before and after.

    Raises:
        ValueError: where the budget pays for no candidate, where what a candidate costs is not clear, for
            candidates or targets that the law cannot take, and for a law without published coefficients.
        TypeError: for what is neither a fit nor a law.

    Example:
        >>> candidates = {"N": [1e9, 2e9, 4e9], "D": [2e10, 1e10, 1e11]}
        >>> plan = sf.next_runs(fit, candidates, budget=3e20, target={"N": 5e9, "D": 1e11})
        >>> plan.spent <= 3e20, plan.after < plan.before
        (True, True)
    """
    if isinstance(fit, str | Law):
        fit = law_of(fit)
    else:
        check_fit(fit, "next_runs")
    law = fit if isinstance(fit, Law) else fit.law
    budget = one_positive("budget", budget)
    check_level(level)
    one_counting({"the fit": fit}, flops)
    x, price = _candidates(fit, candidates, flops, cost)
    if not np.any(price <= budget):
        raise ValueError(
            f"the cheapest candidate costs {np.min(price):.3g}, more than the budget of {budget:.3g}"
        )
    goals = [by_name("target", one) for one in (target if isinstance(target, list | tuple) else [target])]
    if not goals:
        raise ValueError("target is an empty list; say where the loss is to be known")
    objective = objective_of(law, None) if isinstance(fit, Law) else fit.objective
    before = _before(fit) if isinstance(fit, Law) else _after_runs(fit)
    coefs = [_named(law, u) for u in before.u]
    places = [[_target(fit, own, goal, flops) for goal in goals] for own in coefs]
    at = [{name: np.array([goal[name] for goal in own]) for name in law.inputs} for own in places]
    slopes = [linearise(law, objective, u, x, np.ones(len(price))).jacobian.T for u in before.u]
    news = np.stack(slopes) / before.noise
    g = np.stack(
        [
            linearise(law, objective, u, own, np.ones(len(goals))).jacobian
            for u, own in zip(before.u, at, strict=True)
        ]
    )

    def variances(chosen: list[int]) -> np.ndarray:
        return _variances(before.precision + _told(news, chosen), g)

    plans = [_greedy(before.precision, news, g, price, budget, per_cost) for per_cost in (True, False)]
    chosen = _exchanged(
        min(plans, key=lambda plan: _mean(variances(plan))), before.precision, news, g, price, budget
    )
    z = NormalDist().inv_cdf((1 + level) / 2)
    unit = np.ones((len(at), len(goals)))
    if objective.space != "log":
        unit = np.abs([np.asarray(law(own, there), float) for own, there in zip(coefs, at, strict=True)])
    own = model_error_of(fit).tau if model_error and isinstance(fit, Fit) else 0.0

    def widths(runs: list[int]) -> np.ndarray:
        # New runs nearer to the target leave the law less room to be off there.
        off = np.zeros(len(goals))
        if own and isinstance(fit, Fit):
            new = {name: column[runs] for name, column in x.items()}
            off = own * departure_after(fit, new, at[0])
        each = z * np.hypot(np.sqrt(variances(runs)), off) / unit
        return np.exp(np.mean(np.log(each), axis=0))

    ordered: list[int] = []
    while len(ordered) < len(chosen):
        ordered.append(
            min((k for k in chosen if k not in ordered), key=lambda k: _mean(variances([*ordered, k])))
        )
    lines = [
        {
            "row": k,
            **{n: float(v[k]) for n, v in x.items()},
            "cost": float(price[k]),
            "width": _mean(widths(ordered[: i + 1])),
        }
        for i, k in enumerate(ordered)
    ]
    # Columns also where no run is worth its trouble.
    made = frame(lines).reindex(columns=["row", *x, "cost", "width"])
    sides = widths([]), widths(chosen)
    told = [
        {**goal, "before": float(first), "after": float(last)}
        for goal, first, last in zip(goals, *sides, strict=True)
    ]
    return Plan(
        made,
        _mean(sides[0]),
        _mean(sides[1]),
        float(np.sum(price[chosen])),
        level,
        frame(told),
        cost or "FLOPs",
    )


def _candidates(
    fit: Fit | Law, candidates: Any, flops: Cost | None, cost: str | None
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The law's inputs of every candidate, and what each costs."""
    law = fit if isinstance(fit, Law) else fit.law
    table = tables.columns_of(candidates)

    def column(name: str) -> str:
        """By the law's name, or that of the fitted table, or a usual one."""
        known = usual(table, name, law) if isinstance(fit, Law) else [fit.columns.get(name, name)]
        return name if name in table or len(known) != 1 else known[0]

    named = {name: column(name) for name in law.inputs}
    x = {
        name: tables.numbers(
            table[tables.find(table, named[name] if named[name] in table else name, f"input {name}")],
            f"column {named[name]!r}",
            law.domain[name].allowed if name in law.domain else "a number",
        )
        for name in law.inputs
    }
    rows_given = len(next(iter(x.values())))
    for name, values in x.items():
        tables.same_length(f"column {name!r}", len(values), rows_given, f"column {law.inputs[0]!r}")
    if not rows_given:
        raise ValueError("the table of candidates has no rows")
    if cost is not None:
        return x, tables.numbers(
            table[tables.find(table, cost, "cost")], f"column {cost!r} (cost)", "positive"
        )
    if {"N", "D"} <= set(x):
        return x, np.asarray(cost_of(law, flops)(x["N"], x["D"], x), float)
    raise ValueError("what a candidate costs is not clear from N and D; name its column with cost=")


def _before(law: Law) -> Known:
    """Before any run: the published sets, each under the vague prior."""
    sets = {tuple(float(one[name]) for name in law.names) for one in law.published.values()}
    inside = [one for one in sorted(sets) if all(v in c.support for c, v in zip(law.coefs, one, strict=True))]
    if not inside:
        raise ValueError(
            f"law {law.name!r} has no published coefficients to plan from; fit it to a few cheap runs first "
            "and give the fit"
        )
    u = [np.array([c.support.to_real(v) for c, v in zip(law.coefs, one, strict=True)]) for one in inside]
    return Known(u, np.stack([np.eye(len(law.coefs)) / VAGUE**2] * len(u)), NOISE)


def _after_runs(fit: Fit) -> Known:
    """What the runs of a fit tell."""
    rows = linearise(fit.law, fit.objective, fit.u, fit.data.x, fit.data.y).take(fit.data.counted)
    tau = _noise(fit, rows)
    told = (rows.jacobian * fit.data.weight[fit.data.counted]) @ rows.jacobian.T / tau**2
    return Known([fit.u], (np.eye(len(fit.u)) / VAGUE**2 + told)[None], tau)


def _named(law: Law, u: np.ndarray) -> dict[str, float]:
    return {c.name: float(c.support.from_real(v, xp=np)) for c, v in zip(law.coefs, u, strict=True)}


def _target(
    fit: Fit | Law, coefs: Mapping[str, float], target: Mapping[str, float], flops: Cost | None
) -> dict[str, float]:
    law = fit if isinstance(fit, Law) else fit.law
    if set(target) == {"C"} and "C" not in law.inputs:
        best = optimal(fit, C=target["C"], flops=flops, coefs=coefs if isinstance(fit, Law) else None).iloc[0]
        target = {"N": best["N"], "D": best["D"]}
    missing = [name for name in law.inputs if name not in target]
    if missing:
        raise ValueError(f"target lacks {', '.join(missing)}; give {', '.join(law.inputs)}, or C alone")
    for name in target:
        if name not in law.inputs:
            raise ValueError(f"target: {law.name!r} has no input {name!r}; it takes {', '.join(law.inputs)}")
        check_value(law, name, target[name])
    return {name: float(target[name]) for name in law.inputs}


def _noise(fit: Fit, rows: Linear) -> float:
    """The standard deviation of an error that tells as much about the
    coefficients as one of these runs does."""
    weight = fit.data.weight[fit.data.counted]
    curvature = np.average(bend(fit.objective, rows), weights=weight)
    spare = len(weight) / max(len(weight) - len(fit.u), 1)
    return float(np.sqrt(spare * np.average(rows.slope**2, weights=weight)) / max(curvature, 1e-300)) or 1e-12


def _mean(values: np.ndarray) -> float:
    """The geometric mean."""
    return float(np.exp(np.mean(np.log(np.maximum(values, 1e-300)))))


def _told(news: np.ndarray, chosen: Sequence[int]) -> np.ndarray:
    """The precision (s, k, k) that these candidates add; news (s, n, k)."""
    return np.swapaxes(news[:, chosen], 1, 2) @ news[:, chosen]


def _variances(known: np.ndarray, g: np.ndarray) -> np.ndarray:
    """g' M^-1 g of every target (s, targets); g (s, k, targets)."""
    return np.sum(g * np.linalg.solve(known, g), axis=1)


def _saved(known: np.ndarray, news: np.ndarray, g: np.ndarray) -> tuple[float, np.ndarray]:
    """The variance at the targets, and by how much each candidate lowers it; geometric means.

    (M + j j')^-1 = M^-1 - M^-1 j j' M^-1 / (1 + j' M^-1 j).
    """
    variance = _variances(known, g)
    toward = news @ np.linalg.inv(known)
    less = (toward @ g) ** 2 / (1 + np.sum(toward * news, axis=2))[..., None]
    left = np.log(np.maximum(1 - less / variance[:, None], 1e-300))
    now = _mean(variance)
    return now, now * -np.expm1(np.mean(left, axis=(0, 2)))


def _greedy(
    known: np.ndarray, news: np.ndarray, g: np.ndarray, price: np.ndarray, budget: float, per_cost: bool
) -> list[int]:
    """Candidates one after the other, each the best of those that the rest of the budget pays for."""
    chosen: list[int] = []
    open_ = np.ones(len(price), bool)
    while True:
        variance, saved = _saved(known, news, g)
        open_ &= (price <= budget) & (saved > WORTH * variance)
        if not open_.any():
            return chosen
        best = int(np.argmax(np.where(open_, saved / (price if per_cost else 1.0), -np.inf)))
        chosen.append(best)
        open_[best], budget = False, budget - price[best]
        known = known + _told(news, [best])


def _exchanged(
    chosen: list[int], known: np.ndarray, news: np.ndarray, g: np.ndarray, price: np.ndarray, budget: float
) -> list[int]:
    """One for one, or one more where the budget allows, as long as the variance falls."""
    for _ in range(3 * len(chosen)):
        spare = budget - np.sum(price[chosen])
        now = _saved(known + _told(news, chosen), news, g)[0]
        best = now * (1 - WORTH), chosen
        for out in (None, *chosen):
            kept = [k for k in chosen if k != out]
            variance, saved = _saved(known + _told(news, kept), news, g)
            affordable = price <= spare + (0 if out is None else price[out])
            affordable[chosen] = False
            k = int(np.argmax(np.where(affordable, saved, -np.inf)))
            if affordable[k] and variance - saved[k] < best[0]:
                best = variance - saved[k], [*kept, k]
        if best[1] is chosen:
            break
        chosen = best[1]
    return chosen
