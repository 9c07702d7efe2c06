"""Which runs to make next: those that shrink the interval at the target most for their cost.

sf.next_runs(fit, candidates, budget=1e21, target={"N": 7e10, "D": 1.4e12})
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from scalefit.arguments import by_name, check_level, one_positive
from scalefit.core.linear import Linear, bend, linearise
from scalefit.decisions.optimal import optimal
from scalefit.decisions.recipe import check_value, cost_of, one_counting
from scalefit.fits.ensemble import check_fit
from scalefit.fits.fit import Fit
from scalefit.fits.model_error import departure_after, model_error_of
from scalefit.flops import Cost
from scalefit.frames import Frame, frame
from scalefit.runs import tables

__all__ = ["Plan", "next_runs"]

# What is taken as known of a coefficient without any run: its logarithm to within this, a factor of 20.
VAGUE = 3.0
# A run that lowers the variance at the target by a smaller share than this is not worth its trouble.
WORTH = 0.01


@dataclass(frozen=True, eq=False)
class Plan:
    """Runs to make next, in the order of their worth.

    runs: a frame: row in the table of candidates, inputs, cost, and width, the relative half-width of the
    interval for the curve at the target once this run and those above it are made. before, after: that width
    without and with all of them; spent: their cost. Widths are to first order, at the noise of the fit's
    runs; they allow for the law's own error unless that was not wanted.
    """

    runs: Frame
    before: float
    after: float
    spent: float
    level: float

    def __repr__(self) -> str:
        gain = (
            f"{len(self.runs)} runs for {self.spent:.3g} FLOPs narrow the {self.level:.0%} interval "
            "at the target"
        )
        return f"{gain} from +-{self.before:.2%} to +-{self.after:.2%}\n{self.runs.to_string(index=False)}"


def next_runs(
    fit: Fit,
    candidates: Any,
    budget: float,
    target: Mapping[str, float],
    flops: Cost | None = None,
    *,
    cost: str | None = None,
    level: float = 0.9,
    model_error: bool = True,
) -> Plan:
    """The candidates, each made at most once, that narrow the interval at the target most within a budget.

    The variance of the log prediction is g' M^-1 g, with M = sum of J J' / tau^2 over runs and candidates (J
    the law's Jacobian, g that at the target, tau^2 the noise as the objective sees it) and a vague prior.
    Candidates are added by variance saved per FLOP, and by variance saved; the better plan is then improved
    by exchanges. A run that lowers the variance by less than 1 % is left out; a plan may be empty.

    Like all optimal designs it trusts the law: it likes few, far settings, so keep some runs between them to
    see misfit.

    Args:
        fit: of the runs made so far.
        candidates: a table with the law's inputs under their names, or under those of the fitted table.
        budget: what all new runs may cost together, in FLOPs or in the unit of `cost`.
        target: the law's inputs where the loss is to be known, or {"C": ...}, the optimum for that budget
            under this fit.
        flops: what a run costs, as in `sf.optimal`.
        cost: the column with what each candidate costs; `flops(N, D)` unless given.
        level: of the interval at the target, between 0 and 1.
        model_error: whether the interval's width allows for the law's own error, which new runs nearer to the
            target make smaller; False takes the law as right. The choice of runs is the same.

    Returns:
        A `Plan`: the runs in the order of their worth, and the interval's width before and after.

    Raises:
        ValueError: where the budget pays for no candidate, where what a candidate costs is not clear, and for
            candidates or targets that the law cannot take.
        TypeError: for what is no fit.

    Example:
        >>> candidates = {"N": [1e9, 2e9, 4e9], "D": [2e10, 1e10, 1e11]}
        >>> plan = sf.next_runs(fit, candidates, budget=3e20, target={"N": 5e9, "D": 1e11})
        >>> plan.spent <= 3e20, plan.after < plan.before
        (True, True)
    """
    check_fit(fit, "next_runs")
    budget = one_positive("budget", budget)
    check_level(level)
    one_counting({"the fit": fit}, flops)
    table = tables.columns_of(candidates)
    # By the law's names, or by those of the fitted table.
    named = {name: name if name in table else fit.columns.get(name, name) for name in fit.law.inputs}
    x = {
        name: tables.numbers(
            table[tables.find(table, named[name] if named[name] in table else name, f"input {name}")],
            f"column {named[name]!r}",
            fit.law.domain[name].allowed if name in fit.law.domain else "a number",
        )
        for name in fit.law.inputs
    }
    rows_given = len(next(iter(x.values())))
    for name, column in x.items():
        tables.same_length(f"column {name!r}", len(column), rows_given, f"column {fit.law.inputs[0]!r}")
    if not rows_given:
        raise ValueError("the table of candidates has no rows")
    if cost is not None:
        price = tables.numbers(table[tables.find(table, cost, "cost")], f"column {cost!r} (cost)", "positive")
    elif {"N", "D"} <= set(x):
        price = np.asarray(cost_of(fit.law, flops)(x["N"], x["D"], x), float)
    else:
        raise ValueError("what a candidate costs is not clear from N and D; name its column with cost=")
    if not np.any(price <= budget):
        raise ValueError(
            f"the cheapest candidate costs {np.min(price):.3g}, more than the budget of {budget:.3g}"
        )
    goal = _target(fit, target, flops)
    rows = linearise(fit.law, fit.objective, fit.u, fit.data.x, fit.data.y).take(fit.data.counted)
    tau = _noise(fit, rows)
    known = (
        np.eye(len(fit.u)) / VAGUE**2
        + (rows.jacobian * fit.data.weight[fit.data.counted]) @ rows.jacobian.T / tau**2
    )
    news = linearise(fit.law, fit.objective, fit.u, x, np.ones(len(price))).jacobian.T / tau
    g = linearise(fit.law, fit.objective, fit.u, goal, np.ones(1)).jacobian[:, 0]

    def variance(chosen: list[int]) -> float:
        return float(g @ np.linalg.solve(known + news[chosen].T @ news[chosen], g))

    plans = [_greedy(known, news, g, price, budget, per_cost) for per_cost in (True, False)]
    chosen = _exchanged(min(plans, key=variance), known, news, g, price, budget)
    z = NormalDist().inv_cdf((1 + level) / 2)
    log = fit.objective.space == "log"
    unit = 1.0 if log else abs(float(np.asarray(fit.law(fit.coefs, goal)).reshape(-1)[0]))
    own = model_error_of(fit).tau if model_error else 0.0

    def width(runs: list[int]) -> float:
        # New runs nearer to the target leave the law less room to be off there.
        off = (
            own * departure_after(fit, {name: column[runs] for name, column in x.items()}, goal)
            if own
            else 0.0
        )
        return float(z * np.hypot(np.sqrt(variance(runs)), off) / unit)

    ordered: list[int] = []
    while len(ordered) < len(chosen):
        ordered.append(min((k for k in chosen if k not in ordered), key=lambda k: variance([*ordered, k])))
    lines = [
        {
            "row": k,
            **{n: float(v[k]) for n, v in x.items()},
            "cost": float(price[k]),
            "width": width(ordered[: i + 1]),
        }
        for i, k in enumerate(ordered)
    ]
    # Columns also where no run is worth its trouble.
    made = frame(lines).reindex(columns=["row", *x, "cost", "width"])
    return Plan(made, width([]), width(chosen), float(np.sum(price[chosen])), level)


def _target(fit: Fit, target: Mapping[str, float], flops: Cost | None) -> dict[str, np.ndarray]:
    target = by_name("target", target)
    if set(target) == {"C"} and "C" not in fit.law.inputs:
        best = optimal(fit, C=target["C"], flops=flops).iloc[0]
        target = {"N": best["N"], "D": best["D"]}
    missing = [name for name in fit.law.inputs if name not in target]
    if missing:
        raise ValueError(f"target lacks {', '.join(missing)}; give {', '.join(fit.law.inputs)}, or C alone")
    for name in target:
        if name not in fit.law.inputs:
            raise ValueError(
                f"target: {fit.law.name!r} has no input {name!r}; it takes {', '.join(fit.law.inputs)}"
            )
        check_value(fit.law, name, target[name])
    return {name: np.array([float(target[name])]) for name in fit.law.inputs}


def _noise(fit: Fit, rows: Linear) -> float:
    """The standard deviation of an error that tells as much about the
    coefficients as one of these runs does."""
    weight = fit.data.weight[fit.data.counted]
    curvature = np.average(bend(fit.objective, rows), weights=weight)
    spare = len(weight) / max(len(weight) - len(fit.u), 1)
    return float(np.sqrt(spare * np.average(rows.slope**2, weights=weight)) / max(curvature, 1e-300)) or 1e-12


def _saved(known: np.ndarray, news: np.ndarray, g: np.ndarray) -> tuple[float, np.ndarray]:
    """The variance at the target, and by how much each candidate lowers it.

    (M + j j')^-1 = M^-1 - M^-1 j j' M^-1 / (1 + j' M^-1 j).
    """
    inverse = np.linalg.inv(known)
    toward = news @ inverse
    return float(g @ inverse @ g), (toward @ g) ** 2 / (1 + np.sum(toward * news, axis=1))


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
        known = known + np.outer(news[best], news[best])


def _exchanged(
    chosen: list[int], known: np.ndarray, news: np.ndarray, g: np.ndarray, price: np.ndarray, budget: float
) -> list[int]:
    """One for one, or one more where the budget allows, as long as the variance falls."""
    for _ in range(3 * len(chosen)):
        spare = budget - np.sum(price[chosen])
        now = _saved(known + news[chosen].T @ news[chosen], news, g)[0]
        best = now * (1 - WORTH), chosen
        for out in (None, *chosen):
            kept = [k for k in chosen if k != out]
            variance, saved = _saved(known + news[kept].T @ news[kept], news, g)
            affordable = price <= spare + (0 if out is None else price[out])
            affordable[chosen] = False
            k = int(np.argmax(np.where(affordable, saved, -np.inf)))
            if affordable[k] and variance - saved[k] < best[0]:
                best = variance - saved[k], [*kept, k]
        if best[1] is chosen:
            break
        chosen = best[1]
    return chosen
