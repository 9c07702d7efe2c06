"""Two recipes: where one overtakes the other, and what one saves. For many see `sf.decide`.

    sf.crossover(a, b)
    sf.multiplier(a, b, loss=[2.5, 2.3])

A recipe is a fit, or a law with coefficients. Laws of N and D are taken at their optimum for the budget
(`sf.optimal`), laws of one input at that input. Draws of two fits are paired by their number, so bootstraps
of the same rows with the same key cancel what they share. Runs that both recipes made at equal inputs are
paired in `multiplier`: what they share cancels better still.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scalefit.arguments import positive
from scalefit.core.law import Law
from scalefit.decisions.allocation import budgets_for, distance, losses
from scalefit.decisions.pairing import pair
from scalefit.decisions.recipe import Recipe, compared, one_counting
from scalefit.fits.ensemble import Ensemble
from scalefit.fits.fit import Fit
from scalefit.fits.joint import ends
from scalefit.flops import Cost, six_nd
from scalefit.frames import Frame, frame
from scalefit.words import short

__all__ = ["crossover", "multiplier"]

# Budgets per decade at which the order of two recipes is looked at.
PER_DECADE = 20


def crossover(
    a: Fit | Ensemble | Law,
    b: Fit | Ensemble | Law,
    between: tuple[float, float] = (1e15, 1e28),
    flops: Cost = six_nd,
    level: float | None = None,
    *,
    at: Mapping[str, float] | None = None,
    coefs: tuple[Any, Any] = (None, None),
    key: int = 0,
    model_error: bool = True,
) -> Frame:
    """Budgets at which two recipes have the same loss.

    Args:
        a: the first recipe, a fit or a Law with coefficients. Laws of N and D are taken at their optimum for
            the budget, laws of one input at that input.
        b: the second recipe.
        between: the range of budgets (of the input, for laws of one) looked at.
        flops: what a run costs, as in `sf.optimal`.
        level: of the intervals, between 0 and 1; left out, there are none.
        at: other inputs, as in `sf.optimal`.
        coefs: of a and b, where they are laws: dicts or labels of published sets.
        key: seed of the normal draws.
        model_error: whether intervals allow for the laws' own errors; False takes the laws as right.

    Returns:
        A frame, one row per crossing, ascending: C, loss, better_below and better_above ("a" or "b"). With
        `level` also share, that of draws which cross the same way, and C_lo, C_hi, the interval of the
        nearest such crossing; open at the end of the range where too many draws do not cross, or where a fit
        without spare rows and without a bootstrap has none to tell. Of fits also distance: decades of the
        optimum there from the runs, the farther fit's.

        No row where one recipe is better throughout: `sf.decide` says how surely.

    Raises:
        ValueError: for a range that is none or in which no budget pays for runs of both, for laws of other
            inputs, a level that is none or asked of a Law, and recipes or a cost that count parameters
            differently.
        TypeError: for what is no fit, law or cost.

    Example:
        >>> steep, flat = ({"E": 1.0, "A": A, "alpha": a} for A, a in ((100.0, 0.5), (1.0, 0.25)))
        >>> found = sf.crossover(sf.laws.power_floor, sf.laws.power_floor, (1, 1e12), coefs=(steep, flat))
        >>> found["better_above"].tolist(), found["C"].map("{:.2g}".format).tolist()  # 100 x^-1/2 = x^-1/4
        (['a'], ['1e+08'])
    """
    one_counting({"a": a, "b": b}, flops)
    given = positive("between", between)
    if len(given) != 2 or not given[0] < given[1]:
        raise ValueError(f"between must be (least, greatest), got {short(between)}")
    lo, hi = np.log(given)
    places = np.linspace(lo, hi, max(3, int(np.ceil((hi - lo) / np.log(10) * PER_DECADE)) + 1))
    recipes = [
        compared(fit, flops, at, c, level, key + k, model_error)
        for k, (fit, c) in enumerate(zip((a, b), coefs, strict=True))
    ]
    n = min(len(one) for one in recipes)
    one, two = (losses(recipe, np.exp(places))[:n] for recipe in recipes)
    if not np.any(np.isfinite(one[0] - two[0])):
        raise ValueError(f"no budget between {given[0]:.3g} and {given[1]:.3g} pays for runs of both recipes")
    crossings = [_crossings(places, row) for row in one - two]
    lines = []
    for log_C, a_first in crossings[0]:
        loss = float(np.interp(log_C, places, one[0]))
        names = ("a", "b") if a_first else ("b", "a")
        line: dict[str, Any] = {
            "C": float(np.exp(log_C)),
            "loss": loss,
            "better_below": names[0],
            "better_above": names[1],
        }
        if level is not None:
            same = [[c for c, first in drawn if first == a_first] for drawn in crossings[1:]]
            near = np.array([min(own, key=lambda c: abs(c - log_C)) if own else np.nan for own in same])
            if not all(recipe.joint.known for recipe in recipes):
                near = np.full_like(near, np.nan)
            line["share"] = float(np.mean(~np.isnan(near)))
            # A draw that never crosses may do so on either side of the range.
            line["C_lo"], line["C_hi"] = np.exp(ends(near, level, (lo, hi)))
        lines.append(line | _distance(recipes, (line["C"], line["C"])))
    drawn = ["share", "C_lo", "C_hi"] if level is not None else []
    far = list(_distance(recipes, (np.inf, np.inf)))
    return frame(lines).reindex(columns=["C", "loss", "better_below", "better_above", *drawn, *far])


def multiplier(
    a: Fit | Ensemble | Law,
    b: Fit | Ensemble | Law,
    loss: Any = None,
    C: Any = None,
    flops: Cost = six_nd,
    level: float | None = None,
    *,
    at: Mapping[str, float] | None = None,
    coefs: tuple[Any, Any] = (None, None),
    key: int = 0,
    model_error: bool = True,
) -> Frame:
    """How much less compute recipe a needs than b for the same loss: above 1 where a is better.

    Where at least three runs of both fits, and half of those of the smaller one, were made at equal inputs
    (within 10 %; replicates are averaged), or else three sizes or more at three budgets in common (those that
    the laws put lowest count), the multiplier is that of the pairs,

        log m_i = log(L_b,i / L_a,i) / s_i,    s_i = -d log L* / d log C at C_i, the mean of both laws,

    losses at inputs that differ a little being brought together by the laws. Few pairs have one multiplier in
    common: the mean of the log m_i, weighted by s_i^2 as their errors ask. From three pairs more than the law
    has coefficients these may differ: their differences are fitted to the gaps, to first order, and taken at
    the optimum for the budget. The interval is Student's t of what is left of the gaps, to which the doubt of
    the slopes is added, and beyond few pairs that of a trend (`pairing` has the formulas). What recipes share
    at one input (data, seed, schedule) cancels; the laws' own errors enter through the slope and the shape
    alone.

    Args:
        a: the first recipe, a fit or a Law with coefficients, as in `crossover`.
        b: the one it is compared with.
        loss: losses to compare at.
        C: in place of losses, budgets of b, whose losses are compared at.
        flops: what a run costs, as in `sf.optimal`.
        level: of the intervals, between 0 and 1; left out, there are none.
        at: other inputs, as in `sf.optimal`.
        coefs: of a and b, where they are laws: dicts or labels of published sets.
        key: seed of the normal draws.
        model_error: whether intervals allow for the laws' own errors; False takes the laws as right.

    Returns:
        A frame, one row per loss: loss; C_b, by the law of b; multiplier; C_a = C_b / multiplier; paired, the
        number of pairs, 0 where the multiplier is that of the two laws; with `level` multiplier_lo and
        multiplier_hi, without pairs over draws paired by their number. A multiplier is infinite where b never
        reaches the loss, 0 where a never does, and NaN where neither does. Of fits also distance, as in
        `crossover`, infinite where a loss is not reached.

    Raises:
        ValueError: neither or both of loss and C, budgets or losses that are not positive, and recipes or a
            cost that count parameters differently.
        TypeError: for what is no fit, law or cost.

    Example:
        >>> steep, flat = ({"E": 1.0, "A": A, "alpha": 0.5} for A in (1.0, 2.0))
        >>> found = sf.multiplier(sf.laws.power_floor, sf.laws.power_floor, loss=1.01, coefs=(steep, flat))
        >>> round(float(found["multiplier"][0]), 6)  # (0.01 / 2)^-2 over (0.01 / 1)^-2
        4.0
    """
    one_counting({"a": a, "b": b}, flops)
    if (loss is None) == (C is None):
        raise ValueError("give losses, loss=[...], or budgets of b, C=[...], one of the two")
    recipes = [
        compared(fit, flops, at, c, level, key + k, model_error)
        for k, (fit, c) in enumerate(zip((a, b), coefs, strict=True))
    ]
    if loss is None:
        C = positive("C", C)
        loss = losses(recipes[1], C)[0]
        if not np.all(loss > 0):
            raise ValueError(
                f"b has no positive loss at C = {C[~(loss > 0)][0]:.3g}; give budgets within its reach"
            )
    loss = positive("loss", loss)
    n = min(len(one) for one in recipes)
    one, two = (budgets_for(recipe, loss)[:n] for recipe in recipes)
    with np.errstate(invalid="ignore"):
        ratio = two / one
    pairs, known = pair(recipes, flops, level), all(recipe.joint.known for recipe in recipes)
    lines = []
    for k, goal in enumerate(loss):
        C_a, C_b, value = float(one[0, k]), float(two[0, k]), float(ratio[0, k])
        n_pairs, interval = 0, (0.0, np.inf)
        if pairs is not None and 0 < value < np.inf:
            n_pairs = len(pairs)
            value, interval = pairs.at(float(np.sqrt(C_a) * np.sqrt(C_b)), value, level)
            C_a = C_b / value
        elif level is not None:
            interval = ends(ratio[1:, k], level, known=known)
        line: dict[str, Any] = {
            "loss": float(goal),
            "C_a": C_a,
            "C_b": C_b,
            "multiplier": value,
            "paired": n_pairs,
        }
        if level is not None:
            line["multiplier_lo"], line["multiplier_hi"] = interval
        lines.append(line | _distance(recipes, (C_a, C_b)))
    return frame(lines)


def _distance(recipes: Sequence[Recipe], C: tuple[float, float]) -> dict[str, float]:
    """Decades of the farther recipe's optimum from its runs, where both are fits."""
    if not all(isinstance(recipe.fit, Fit | Ensemble) for recipe in recipes):
        return {}
    return {"distance": max(distance(recipe, c) for recipe, c in zip(recipes, C, strict=True))}


def _crossings(places: np.ndarray, gap: np.ndarray) -> list[tuple[float, bool]]:
    """Where gap changes sign, by straight lines between places,
    and whether it is negative (a better) before."""
    # A place where both are equal is crossed between its neighbours.
    places, gap = places[gap != 0], gap[gap != 0]
    where = np.flatnonzero(np.sign(gap[1:]) * np.sign(gap[:-1]) < 0)
    share = gap[where] / (gap[where] - gap[where + 1])
    return [
        (float(p), bool(gap[k] < 0))
        for p, k in zip(places[where] + share * np.diff(places)[where], where, strict=True)
    ]
