"""What to train with a budget: the best size and tokens under any law of N and D,
and the budget that a loss needs.

sf.optimal(fit, C=[1e21, 1e23], level=0.9)
sf.optimal(fit, loss=2.1)
sf.isoloss(fit, loss=2.1, N=[1e9, 2e9, 4e9])
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from scalefit.arguments import by_name, one_positive, positive
from scalefit.core.law import Law
from scalefit.decisions.allocation import Best, best, budget_for
from scalefit.decisions.recipe import HALVINGS, MOST, Recipe, check_law, halved, point, recipe_of
from scalefit.fits import extrapolation
from scalefit.fits.ensemble import Ensemble
from scalefit.fits.fit import Fit
from scalefit.flops import Architecture, Cost, Deadline
from scalefit.frames import Frame, frame

__all__ = ["isoloss", "optimal"]


def optimal(
    fit: Fit | Ensemble | Law,
    C: Any = None,
    flops: Cost | Deadline | None = None,
    level: float | None = None,
    *,
    loss: Any = None,
    at: Mapping[str, float] | None = None,
    choices: Mapping[Any, Sequence[Any]] | None = None,
    menu: Sequence[float | Architecture] | None = None,
    limits: Mapping[str, tuple[float, float]] | None = None,
    coefs: str | Mapping[str, float] | None = None,
    key: int = 0,
    model_error: bool = True,
) -> Frame:
    """The size and tokens with the lowest loss for each budget, or the smallest budget for each loss.

    Give either C or loss. A budget above what the limits can use is not spent in full.

    Args:
        fit: a fit of any law with inputs N and D (or C and M = D / N, with C = 6 N D), or a Law with `coefs`.
        C: budgets in FLOPs.
        flops: what a run costs, see `sf.flops`: `lifetime` where tokens are to be served, `by_shape` for the
            true cost of architectures, `distillation`, a `Deadline`. Left out, what the law declares: 6 N D,
            or what its active parameters cost where N counts more, as 6 N (1 - Sp) D for `abnar_moe`.
        level: of the intervals, between 0 and 1; left out, there are none.
        loss: losses to reach, in place of C.
        at: values of the law's other inputs, e.g. {"U": 1e11} unique tokens, and of those a cost takes.
        choices: other inputs to choose from, the best of all combinations, e.g. {"Sp": [0, 0.5, 0.75]};
            {("E_b", "M_b"): [(4, 3), (2, 1)]} for some only.
        menu: the only sizes there are, as counts or as `flops.Architecture`, whose width, layers and experts
            are also the law's.
        limits: (least, greatest) N or D, e.g. {"D": (0, 1e12)}.
        coefs: of a Law, as a dict or the label of a published set.
        key: seed of the normal draws.
        model_error: whether intervals allow for the law's own error; False takes the law as right.

    Returns:
        A frame with a row per budget or loss: C, N, D, ratio (D / N), loss; what was chosen, `menu` being the
        place on the menu, counted from 0; what the cost has to say (B and steps of a deadline); with `level`
        the ends of an interval for each, `N_lo` and so on; of a fit distance, decades outside the runs;
        caution, codes of what speaks against the row (see `Fit.cautions`), with "at-limit" where a limit
        decides, "unspent" where more tokens would make the loss worse, and "floor" where no budget reaches
        the loss within the limits: C, N and D are infinite there, ratio is NaN.

        Intervals come from the fit's draws (every draw's own optimum), or from normal draws of its
        covariance, widened by Student's t, where it has none; that of the loss then is `fit.predict`'s at the
        best size, as at a minimum the two are one to first order.

    Raises:
        ValueError: for a law without N and D, for budgets that buy nothing within the limits, for an empty
            menu, for coefs beside a fit, for a level that is none or asked of a Law, and for parameters
            counted one way in the fit and another in the cost.
        TypeError: for what is no fit, law or cost.

    Example:
        >>> best = sf.optimal(fit, C=[1e21, 1e23])
        >>> best.columns.tolist()
        ['C', 'N', 'D', 'ratio', 'loss', 'distance', 'caution']
        >>> sf.optimal(sf.laws.chinchilla, C=5.76e23, coefs="besiroglu2024")["ratio"].round(1).tolist()
        [18.4]
    """
    if (C is None) == (loss is None):
        raise ValueError("give budgets, C=[...], or losses, loss=[...], one of the two")
    check_law(fit.law if isinstance(fit, Fit | Ensemble) else fit)
    goal = positive("C" if loss is None else "loss", C if loss is None else loss)
    at, choices = by_name("at", at), by_name("choices", choices)
    for name in _names(choices):
        if name in at:
            raise ValueError(
                f"{name} is both held by at= and to be chosen by choices=; give it in one of them"
            )
    cases = [
        recipe_of(fit, flops, {**at, **chosen}, limits, menu, coefs, level, key, model_error)
        for chosen in _chosen(choices)
    ]
    found = [_answers(case, goal, loss is None) for case in cases]
    # The best choice of every draw, by its loss, or by its budget.
    rank = np.stack([part.loss if loss is None else part.C for part in found])
    first = np.argmin(np.where(np.isnan(rank), np.inf, rank), axis=0)
    answer = Best(
        *(np.take_along_axis(np.stack(parts), first[None], axis=0)[0] for parts in zip(*found, strict=True))
    )
    if np.isnan(answer.N[0]).any():
        short = goal[np.isnan(answer.N[0])][0]
        raise ValueError(
            f"C = {short:.3g} FLOPs pay for no run within the limits or on the menu; raise C or loosen them"
        )
    uncertain = [name for name in Best._fields[:5] if name != ("C" if loss is None else "loss")]
    lines = []
    for k in range(len(goal)):
        case, item = cases[first[0, k]], int(answer.item[0, k])
        line: dict[str, Any] = {name: float(getattr(answer, name)[0, k]) for name in Best._fields[:5]}
        line |= {name: float(case.at[name]) for name in _names(choices)}
        if case.menu is not None:
            line["menu"] = int(case.menu.places[item])
        line |= _details(case, line, item)
        if isinstance(fit, Fit | Ensemble) and level is not None:
            for name in uncertain:
                line[f"{name}_lo"], line[f"{name}_hi"] = (
                    _curve(fit, case, line, item, level, model_error)
                    if name == "loss" and all(each.resampled is None for each, _ in fit.members.values())
                    else cases[0].interval(getattr(answer, name)[1:, k], level)
                )
        edge = answer.edge[0, k] or line.get("B", 0.0) > _largest_batch(flops) * (1 - 1e-6)
        own = [code for code, so in (("at-limit", edge), ("unspent", answer.unspent[0, k])) if so]
        lines.append(line | _doubt(fit, case, line, item, own))
    return frame(lines)


def isoloss(
    fit: Fit | Ensemble | Law,
    loss: float,
    N: Any,
    flops: Cost | Deadline | None = None,
    level: float | None = None,
    *,
    at: Mapping[str, float] | None = None,
    coefs: str | Mapping[str, float] | None = None,
    key: int = 0,
    model_error: bool = True,
) -> Frame:
    """Tokens that sizes N need to reach one loss, and what they cost beside the best size.

    Args:
        fit: a fit of any law with inputs N and D, or a Law with `coefs`, as in `optimal`.
        loss: the one loss to reach.
        N: the sizes, numbers of parameters.
        flops: what a run costs, as in `optimal`.
        level: of the intervals, between 0 and 1; left out, there are none.
        at: values of the law's other inputs and of those a cost takes, as in `optimal`.
        coefs: of a Law, as a dict or the label of a published set.
        key: seed of the normal draws.
        model_error: whether intervals allow for the law's own error; False takes the law as right.

    Returns:
        A frame with a row per size: N, D, ratio (D / N), C, penalty (C over the least C that reaches the
        loss). All but N are infinite for sizes too small to reach it with any number of tokens; C and penalty
        alone for those that a deadline leaves no time. With `level` the ends of an interval for each; for a
        fit distance and caution, as in `optimal`.

    Raises:
        ValueError: for sizes or a loss that are not positive, and as `optimal` does.
        TypeError: for what is no fit, law or cost.

    Example:
        >>> sizes = sf.isoloss(fit, loss=2.5, N=[1e9, 2e9, 4e9])
        >>> bool(sizes["D"].is_monotonic_decreasing and (sizes["penalty"] >= 1).all())
        True
    """
    check_law(fit.law if isinstance(fit, Fit | Ensemble) else fit)
    N, loss = positive("N", N), one_positive("loss", loss)
    case = recipe_of(fit, flops, at, coefs=coefs, level=level, key=key, model_error=model_error)
    sizes = np.broadcast_to(N, (len(case), len(N)))
    D = _tokens(case, sizes, np.full(sizes.shape, loss))
    if case.joint.departures is not None:
        # Where the curve lies higher by its departure, the law must fall lower to reach the loss.
        off = case.departing(N, np.where(np.isfinite(D[0]), D[0], MOST)).amplitude
        one = case.joint.off(np.full(sizes.shape, 1.0 if case.joint.log else 0.0), off)
        D = _tokens(case, sizes, loss / one if case.joint.log else loss - one)
    enough = np.isfinite(D)
    C = np.where(enough, np.asarray(case.cost(sizes, np.where(enough, D, 1.0), case.at), float), np.inf)
    least = np.minimum(budget_for(case, np.array([loss])).C, C)
    penalty = np.where(np.isfinite(C), C / np.where(np.isfinite(least), least, 1.0), np.inf)
    answers = {"D": D, "ratio": D / sizes, "C": C, "penalty": penalty}
    lines = []
    for k, n in enumerate(N):
        line = {"N": float(n), **{name: float(values[0, k]) for name, values in answers.items()}}
        if isinstance(fit, Fit | Ensemble) and level is not None:
            for name, values in answers.items():
                line[f"{name}_lo"], line[f"{name}_hi"] = case.interval(values[1:, k], level)
        lines.append(line | (_doubt(fit, case, line, 0, []) if isinstance(fit, Fit | Ensemble) else {}))
    return frame(lines)


def _tokens(case: Recipe, sizes: np.ndarray, loss: np.ndarray) -> np.ndarray:
    """The fewest tokens (draws + 1, sizes) that reach these losses; infinite where none do."""
    # The loss may rise again with more.
    hi = np.log(case.useful(sizes, np.full(sizes.shape, MOST)))
    enough = case.loss(sizes, np.exp(hi)) < loss
    found = halved(lambda d: case.loss(sizes, np.exp(d)) > loss, np.zeros(sizes.shape), hi, 2 * HALVINGS)
    return np.where(enough, np.exp(found), np.inf)


def _answers(case: Recipe, goal: np.ndarray, by_budget: bool) -> Best:
    return best(case, np.broadcast_to(goal, (len(case), len(goal)))) if by_budget else budget_for(case, goal)


def _chosen(choices: Mapping[Any, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Every combination of the choices, as input -> value."""
    for names, values in choices.items():
        if isinstance(values, str | Mapping) or not hasattr(values, "__len__") or not len(values):
            raise ValueError(f"choices of {names} must be a list of values to choose from")
        if isinstance(names, tuple) and any(np.shape(value) != (len(names),) for value in values):
            raise ValueError(f"choices of {', '.join(names)} must each hold {len(names)} values")
    for picked in product(*choices.values()):
        chosen: dict[str, Any] = {}
        for names, value in zip(choices, picked, strict=True):
            chosen |= zip(names, value, strict=True) if isinstance(names, tuple) else [(names, value)]
        yield chosen


def _names(choices: Mapping[Any, Sequence[Any]]) -> list[str]:
    return [name for names in choices for name in (names if isinstance(names, tuple) else (names,))]


def _details(case: Recipe, line: Mapping[str, float], item: int) -> dict[str, float]:
    """What the cost has to say of the answer."""
    shape = line["N"] if case.menu is None else case.menu.items[item]
    return case.cost.details(shape, line["D"], case.at) if np.isfinite(line["C"]) else {}


def _largest_batch(cost: Cost | Deadline | None) -> float:
    return cost.batch[1] if isinstance(cost, Deadline) else np.inf


def _curve(
    fit: Fit | Ensemble, case: Recipe, line: Mapping[str, float], item: int, level: float, model_error: bool
) -> tuple[float, float]:
    """The curve's interval at the best size: at a minimum, to first order, that of the loss a budget buys."""
    x = point(case, np.array([line["N"]]), np.array([line["D"]]), item)
    told = fit.predict(x, level, "mean", model_error)
    return float(told["lo"].iloc[0]), float(told["hi"].iloc[0])


def _doubt(
    fit: Fit | Ensemble | Law, case: Recipe, answer: Mapping[str, float], item: int, own: list[str]
) -> dict[str, Any]:
    """Distance and cautions of one answer."""
    if np.isinf(answer["C"]):
        return (
            {"distance": np.inf, "caution": "floor"}
            if isinstance(fit, Fit | Ensemble)
            else {"caution": "floor"}
        )
    if not isinstance(fit, Fit | Ensemble):
        return {"caution": ", ".join(own)}
    x = point(case, np.array([answer["N"]]), np.array([answer["D"]]), item)
    codes = extrapolation.codes_at(fit, x)
    return {
        "distance": float(extrapolation.farthest(fit, x)[0]),
        "caution": ", ".join([*own, *filter(None, codes)]),
    }
