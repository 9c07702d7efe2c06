"""Which of many recipes wins at a larger scale, and how surely.

    sf.decide(runs, C=1e23, recipe="mixture", by="flops")       # a table: several recipes, the same budgets
    sf.decide({"cosine": a, "wsd": b}, C=1e23)                  # fits

From runs, the curve common to all recipes drops out: only gaps to the mean over recipes, in log loss, are
looked at. With t = log C from the largest budget,

    gap_r(t) = exp(c t) (u_r + v int_0^t s_r),   measured with noise,

where u_r is the recipe's lead, and its rate s_r forgets itself within 1 / lambda of t, so that trends are
followed a short way beyond the runs, farther only where the runs kept to theirs. c, v, lambda and the noise
are shared by the recipes: the runs weigh a fixed set of values about those that serve on public tables
(`USUAL`). So order changes as far as gaps were seen to move, and with few runs the answer is the ranking at
the largest budget, with the doubt that such rankings deserve. Measured beside that ranking and laws in
benchmarks/decisions.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from scalefit import laws
from scalefit.arguments import check_key, check_level, one_positive
from scalefit.core.law import Law
from scalefit.decisions.allocation import distance, losses
from scalefit.decisions.recipe import budgets, compared, one_counting
from scalefit.fits.draws import normal_points
from scalefit.fits.ensemble import Ensemble
from scalefit.fits.fit import Fit
from scalefit.fits.joint import ends
from scalefit.flops import Cost, six_nd
from scalefit.frames import Frame, frame
from scalefit.runs import tables
from scalefit.runs.binding import guess, usual
from scalefit.words import short

__all__ = ["columns", "decide", "foretold", "gaps_at", "ladder"]

# Its inputs and output are what columns are told by.
LAW = laws.get("chinchilla")

# Mean and standard deviation of log v, log lambda, log noise, c, and log drift: v, c and drift per factor e
# of compute; v, noise and drift over the spread of the recipes. Drift is what gaps move beyond the last
# budget without a trend in the runs. Rates that are remembered for longer win where trends last and lose more
# where they do not. Of 36 sets of values these gain most, no table counting for more than a point, with
# nearly any one table left out (`benchmarks/decisions.py left_out`).
USUAL = ((-2.5, 1.2), (1.5, 1.0), (-3.0, 1.0), (0.05, 0.15), (-3.0, 1.0))
# Values weighed, and draws of what the gaps may be.
N_VALUES, N_DRAWS = 1024, 4000
# Budgets this close to the first of theirs are one.
NEAR = 1.1
# Variances below this are rounding.
TINY = 1e-24


class Foretold(NamedTuple):
    """By set of values, in units of the spread of the recipes: the inverse of the covariance of gaps as
    measured, its log determinant, the weights of these gaps in the one expected at the target, the variance
    of that, and the noise."""

    inverse: np.ndarray
    log_det: np.ndarray
    weights: np.ndarray
    variance: np.ndarray
    noise: np.ndarray


def decide(
    recipes: Any,
    C: float,
    flops: Cost | None = None,
    level: float = 0.9,
    *,
    recipe: str = "recipe",
    by: str | None = None,
    y: str | None = None,
    at: Mapping[str, float] | None = None,
    key: int = 0,
    model_error: bool = True,
) -> Frame:
    """Which recipe has the lowest loss at budget C (at this input, for laws of one), and how surely.

    From runs, gaps between recipes are followed to C; the module says how gaps are foretold. From fits, each
    recipe's law is asked too. On public tables orders told by laws were often worse than `small`, those by
    gaps as good or a little better: where the two probabilities differ, believe `by_gaps`.

    Args:
        recipes: a table of runs, or a dict name -> fit. Several runs of a recipe at one budget (within 10 %)
            count by their lowest loss, budgets that not all recipes ran do not count.
        C: the budget at which recipes are compared, in FLOPs or in the unit of `by`.
        flops: what a run costs, as in `sf.optimal`.
        level: of the intervals, between 0 and 1.
        recipe: the column of the table that names each row's recipe.
        by: the column that holds its budget or whatever is scaled; left out, `flops(N, D)` of columns with
            usual names for N and D, or the one with a usual name for C.
        y: the column of its loss; left out, the one with a usual name for it.
        at: for fits, values of the laws' other inputs, as in `sf.optimal`.
        key: seed of the draws.
        model_error: for fits, whether lo, hi and probability allow for the laws' own errors; False takes the
            laws as right.

    Returns:
        A frame, the best first.

        From runs: recipe; gap, its log loss at C less the mean over the recipes (0.01: 1 % above), with lo
        and hi; probability that it wins; distance, decades outside the common budgets; small, its rank there:
        the baseline of ranking at one small scale; scales, how many budgets count. Its attrs["columns"] says
        which column was taken for what.

        From fits, by by_gaps where there is one: recipe; loss at C with lo and hi, by the law; probability,
        the share of draws in which it wins, with the laws' own error of the usual size added (see
        `sf.widen`), NaN where a fit has neither spare rows nor a bootstrap; by_gaps, the probability from the
        runs alone, as above; distance, decades from its runs; small, as above (by_gaps and small are NaN
        where the fits share no budget); caution, the codes of the fit's warnings.

    Raises:
        ValueError: for fewer than two recipes, for runs that share no budget, and for a budget or level that
            is none.
        TypeError: where some recipes are fits and others are not.

    Example:
        >>> told = sf.decide(runs, C=1e22, recipe="recipe", by="flops")
        >>> sorted(told["recipe"]), round(float(told["probability"].sum()), 6), told["scales"].tolist()
        (['a', 'b'], 1.0, [4, 4])
    """
    C = one_positive("C", C)
    level, key = check_level(level), check_key(key)
    if isinstance(recipes, Mapping) and (
        not recipes or any(isinstance(fit, Fit | Ensemble | Law) for fit in recipes.values())
    ):
        for name, fit in recipes.items():
            if not isinstance(fit, Fit | Ensemble):
                raise TypeError(f"decide needs fits of all recipes; {name!r} is {short(fit)}")
        if len(recipes) < 2:
            raise ValueError(
                "decide compares at least two recipes: give a dict name -> fit, or a table of runs"
            )
        one_counting(recipes, flops)
        return _by_laws(recipes, C, flops, level, at, key, model_error)
    one_counting({}, flops)
    names, budget, loss, used = columns(tables.columns_of(recipes), flops, recipe, by, y)
    scales, losses = ladder(
        [budget[rows] for rows in names.values()], [loss[rows] for rows in names.values()]
    )
    if not len(scales):
        raise ValueError(
            "the recipes have no budget in common (within 10 %); run them at the same budgets, "
            "or fit a law to each "
            "and give the fits"
        )
    centre, draws = gaps_at(scales, losses, C, key)
    wins = _wins(draws)
    far = max(0.0, float(np.log10(C / scales[-1])), float(np.log10(scales[0] / C)))
    lines = []
    for k, name in enumerate(names):
        lo, hi = ends(draws[:, k], level, (-np.inf, np.inf))
        lines.append(
            {
                "recipe": name,
                "gap": float(centre[k]),
                "lo": lo,
                "hi": hi,
                "probability": float(wins[k]),
                "distance": far,
                "small": float(_ranks(losses)[k]),
                "scales": len(scales),
            }
        )
    found = frame(sorted(lines, key=lambda line: line["gap"]))
    found.attrs["columns"] = used
    return found


def ladder(budgets: Sequence[np.ndarray], losses: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The budgets that all recipes ran (scales,), ascending,
    and each recipe's lowest loss there (recipes, scales)."""
    C, columns = [], []
    left = np.unique(np.concatenate(budgets))
    while len(left):
        near = left <= left[0] * NEAR
        first, last = left[0], left[near][-1]
        rows = [(first <= own) & (own <= last) for own in budgets]
        if all(np.any(own) for own in rows):
            C.append(np.sqrt(first * last))
            columns.append([np.min(y[own]) for y, own in zip(losses, rows, strict=True)])
        left = left[~near]
    return np.array(C), np.array(columns, float).reshape(len(C), len(losses)).T


def gaps_at(
    C: np.ndarray,
    loss: np.ndarray,
    target: float,
    key: int = 0,
    n_draws: int = N_DRAWS,
    usual: Sequence[tuple[float, float]] = USUAL,
) -> tuple[np.ndarray, np.ndarray]:
    """Gaps of log loss at the target budget:
    expected (recipes,), and draws (n_draws, recipes), of one new run of each.

    C: budgets (scales,), ascending; loss (recipes, scales), positive. Gaps are to the mean over the recipes.
    """
    z = normal_points(N_VALUES, len(usual))
    told = foretold(
        np.log(np.append(C, target) / C[-1]), [m + sd * z[:, k] for k, (m, sd) in enumerate(usual)]
    )
    inverse, weights, variance = told.inverse, told.weights, told.variance + told.noise**2
    n, scales = loss.shape
    gap = np.log(loss) - np.mean(np.log(loss), axis=0)
    # The spread of the u_r is unknown: integrated out with a flat prior on its logarithm,
    # which leaves Student's t.
    freedom = (n - 1) * scales
    squares = np.maximum(np.einsum("hij,ri,rj->h", inverse, gap, gap), TINY)
    log_weight = -(n - 1) / 2 * told.log_det - freedom / 2 * np.log(squares)
    weight = np.exp(log_weight - np.max(log_weight))
    weight /= np.sum(weight)
    expected = weights @ gap.T
    rng = np.random.default_rng(key)
    which = rng.choice(N_VALUES, n_draws, p=weight)
    size = np.sqrt(squares * np.maximum(variance, 0.0))[which] / np.sqrt(rng.chisquare(freedom, n_draws))
    return weight @ expected, expected[which] + size[:, None] * rng.standard_normal((n_draws, n))


def foretold(t: np.ndarray, logs: Sequence[np.ndarray]) -> Foretold:
    """What gaps measured at t[:-1] say of that at t[-1], for each set of values: log v, log memory, log
    noise, c and log drift, each (values,)."""
    v, memory, noise, drift = (np.exp(logs[k])[:, None, None] for k in (0, 1, 2, 4))
    scales = len(t) - 1
    spread = np.exp(logs[3][:, None] * t)
    covariance = spread[:, :, None] * spread[:, None, :] * (1 + v**2 * _wandered(t, memory))
    known = covariance[:, :scales, :scales] + noise**2 * np.eye(scales)
    inverse = np.linalg.inv(known)
    weights = np.einsum("hij,hj->hi", inverse, covariance[:, :scales, -1])
    variance = covariance[:, -1, -1] - np.einsum("hi,hi->h", weights, covariance[:, :scales, -1])
    variance += (spread[:, -1] * drift[:, 0, 0] * max(t[-1], 0.0)) ** 2
    return Foretold(inverse, np.linalg.slogdet(known)[1], weights, variance, noise[:, 0, 0])


def _wandered(t: np.ndarray, memory: np.ndarray) -> np.ndarray:
    """Covariance (values, t, t) of int_0^t s, with s stationary of variance 1
    and covariance exp(-memory |t - t'|)."""
    a, b = np.abs(t)[:, None], np.abs(t)
    same = np.sign(t)[:, None] * np.sign(t) >= 0

    def fade(x):
        return np.exp(-memory * x)

    beside = 2 * memory * np.minimum(a, b) - 1 + fade(a) + fade(b) - fade(np.abs(a - b))
    return np.where(same, beside, -(1 - fade(a)) * (1 - fade(b))) / memory**2


def columns(
    table: Any, flops: Cost | None, recipe: str, by: str | None, y: str | None
) -> tuple[dict[Any, np.ndarray], np.ndarray, np.ndarray, dict[str, str]]:
    """Rows of every recipe, all budgets, all losses, and what columns these are: "recipe", "by" or "N" and
    "D", and "y"."""
    y = guess(table, "y", LAW, []) if y is None else tables.find(table, y, "y")
    loss = tables.numbers(table[y], f"column {y!r} (y)", "positive", output=True)
    labels = tables.labels(table, recipe, "recipe", len(loss))
    names = {name: labels == name for name in dict.fromkeys(labels.tolist())}
    if len(names) < 2:
        raise ValueError(f"it takes at least two recipes: column {recipe!r} names {len(names)}")

    def positive(name: str, role: str) -> np.ndarray:
        column = table[tables.find(table, name, role)]
        values = tables.numbers(column, f"column {name!r} ({role})", "positive")
        tables.same_length(f"column {name!r}", len(values), len(loss))
        return values

    sizes, tokens, budgets = (usual(table, name, LAW) for name in ("N", "D", "C"))
    used = {"recipe": recipe}
    if by is None and len(sizes) == len(tokens) == 1:
        used |= {"N": sizes[0], "D": tokens[0]}
        budget = np.asarray((flops or six_nd)(positive(sizes[0], "N"), positive(tokens[0], "D")), float)
    elif by is None and len(budgets) != 1:
        raise ValueError(
            "which column holds the budget is not clear; name it with by=, or give columns N and D, or C"
        )
    else:
        by = budgets[0] if by is None else by
        budget, used["by"] = positive(by, "by"), by
    return names, budget, loss, used | {"y": y}


def _by_laws(
    fits: Mapping[str, Fit | Ensemble],
    C: float,
    flops: Cost | None,
    level: float,
    at: Mapping[str, float] | None,
    key: int,
    model_error: bool,
) -> Any:
    cases = [
        compared(fit, flops, at, None, level, key + k, model_error) for k, fit in enumerate(fits.values())
    ]
    n = min(map(len, cases))
    table = np.stack([losses(case, np.array([C]))[:n, 0] for case in cases], axis=1)
    runs = [budgets(fit, flops) for fit in fits.values()]
    scales, measured = ladder(*zip(*runs, strict=True))
    small = by_gaps = np.full(len(fits), np.nan)
    if len(scales):
        small = _ranks(measured)
    if len(scales) and np.all(measured > 0):
        by_gaps = _wins(gaps_at(scales, measured, C, key)[1])
    wins = _wins(np.where(np.isnan(table[1:]), np.inf, table[1:]))
    if not all(case.joint.known for case in cases):
        wins = np.full(len(fits), np.nan)
    lines = []
    for k, (name, fit) in enumerate(fits.items()):
        lo, hi = cases[k].interval(table[1:, k], level)
        far = distance(cases[k].estimate, C)
        lines.append(
            {
                "recipe": name,
                "loss": float(table[0, k]),
                "lo": lo,
                "hi": hi,
                "probability": float(wins[k]),
                "by_gaps": float(by_gaps[k]),
                "distance": far,
                "small": float(small[k]),
                "caution": ", ".join(fit.status.cautions),
            }
        )
    # By what is to be believed; the laws break ties, and decide where the fits share no budget.
    return frame(sorted(lines, key=lambda line: (-np.nan_to_num(line["by_gaps"]), line["loss"])))


def _wins(table: np.ndarray) -> np.ndarray:
    """Share of rows (draws, recipes) in which each recipe is the least."""
    return np.bincount(np.argmin(table, axis=1), minlength=table.shape[1]) / len(table)


def _ranks(losses: np.ndarray) -> np.ndarray:
    """Each recipe's rank at the last scale of (recipes, scales)."""
    return np.argsort(np.argsort(losses[:, -1])) + 1.0
