"""May a recipe replace the baseline? One verdict from one pair of small runs up.

    sf.gate(runs, recipe="muon", baseline="adamw", C=1e22)

The gap of a pair, log L_baseline - log L_recipe at one budget, follows the model of `sf.decide` for two
recipes, but the spread of gaps is no longer free: it and the noise of a single gap have priors, and so one
pair has an answer too. What the gap at the target saves in compute is read off the baseline's loss, a power
with a floor known from its runs and the prior of `few_runs`,

    L(C) = L_0 (phi + (1 - phi) (C / C_0)^-alpha),    L(m C) = exp(-gap) L(C),

m being the multiplier. `PRIOR` states how gaps are spread, scatter and drift; the drift is learnt from nine
public tables of recipes run at several budgets (benchmarks/gate.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit, softmax

from scalefit.arguments import check_key, check_level, one_positive
from scalefit.decisions.decide import LAW, N_DRAWS, N_VALUES, columns, foretold, ladder
from scalefit.fits.draws import normal_points
from scalefit.fits.joint import ends
from scalefit.fits.pictured import Pictured
from scalefit.flops import Cost
from scalefit.frames import Frame, frame
from scalefit.runs import tables
from scalefit.runs.binding import usual
from scalefit.validation.few_runs import TWICE, Prior, Told, prior_of, told
from scalefit.words import aligned, listed, plain, short, taken

__all__ = ["Gate", "gaps", "gate", "likely"]

# Mean and standard deviation of the log of the spread of gaps; of log v, log memory, log noise, c and log
# drift, as `decide.USUAL` has them, but noise of one gap in log loss. v and drift are learnt by
# `benchmarks/gate.py learn`. Spread and noise are not: recipes that are gated lie closer than those of public
# tables, at about 1 %, to within a factor of 5, and runs that differ by their seed alone are about 0.1 %
# apart, their gaps 0.15 %, to within a factor of 2.
PRIOR = ((-4.6, 1.5), (-2.18, 1.34), (1.5, 1.0), (-6.5, 0.6), (0.0, 0.1), (-2.97, 1.51))
# Runs of one recipe at sizes and tokens closer than this, in logs, repeat each other.
SAME = 0.02


class Seen(NamedTuple):
    """For each set of values of the prior: its probability and the gap expected at the target (..., values),
    the standard deviation of that gap, and the noise of one that is measured (values,)."""

    share: np.ndarray
    centre: np.ndarray
    sd: np.ndarray
    noise: np.ndarray


class Likely(NamedTuple):
    """Draws of the gap and of the log multiplier at a budget (draws,), and by name what share of the prior's
    variance the runs leave."""

    gap: np.ndarray
    log_m: np.ndarray
    left: dict[str, float]


@dataclass(frozen=True, eq=False)
class Gate(Pictured):
    """Whether a recipe may replace a baseline, by `sf.gate`.

    Attributes:
        verdict: "promote" where the interval lies above 1, "hold" where it lies below, else "unclear".
        multiplier: how much less compute the recipe needs at the target for the baseline's loss there, the
            median; lo, hi: its interval.
        chance: the probability that the recipe's loss is the lower at the target.
        C: the target, in the unit of the budgets.
        pairs: a frame, one row per budget that both ran: C, baseline and recipe (losses), gap (of log loss,
            above 0 where the recipe is better).
        baseline_runs: a frame of the baseline's losses that tell its slope: C, loss.
        prior: what is left of the prior's variance, from 0, all told by the runs, to 1, all prior: "noise"
            and "drift" of gaps, "exponent" and "floor" of the baseline's loss.
        recipe, baseline: their labels. by: the column of budgets, "" for FLOPs of N and D. level: of the
            interval. key: of the draws. columns: which column was taken for what.
    """

    verdict: str
    multiplier: float
    lo: float
    hi: float
    chance: float
    C: float
    pairs: Frame
    baseline_runs: Frame
    prior: dict[str, float]
    recipe: str
    baseline: str
    by: str
    level: float
    key: int
    columns: dict[str, str]

    def __repr__(self) -> str:
        n, far = len(self.pairs), float(np.log10(self.C / self.pairs["C"].max()))
        head = f"{self.verdict}: {self.recipe} against {self.baseline} at {plain(self.C)}, from {n} pair"
        below = float(np.log10(self.pairs["C"].min() / self.C))
        head += ("s" if n > 1 else "") + (f", {far:.1f} decades beyond the largest" if far > 0.05 else "")
        head += f", {below:.1f} decades below the smallest" if below > 0.05 else ""
        interval = f"{self.lo:.3g} to {self.hi:.3g} at {self.level:.0%}"
        rows = [("C", self.baseline, self.recipe, "gap")]
        rows += [
            (plain(C), f"{baseline:.4f}", f"{recipe:.4f}", f"{gap:+.2%}")
            for C, baseline, recipe, gap in self.pairs.to_numpy()
        ]
        left = listed([f"{share:.0%} of the {name}" for name, share in self.prior.items()])
        return "\n".join(
            [
                head,
                f"compute multiplier {self.multiplier:.3g} ({interval}); "
                f"better with probability {self.chance:.1%}",
                *aligned(rows),
                f"still prior: {left}",
                taken(self.columns),
            ]
        )


def gate(
    runs: Any,
    recipe: str,
    baseline: str,
    C: float | None = None,
    flops: Cost | None = None,
    level: float = 0.9,
    *,
    column: str = "recipe",
    by: str | None = None,
    y: str | None = None,
    key: int = 0,
) -> Gate:
    """Whether a recipe may replace the baseline at budget C: promote, hold or unclear.

    Budgets that both ran (within 10 %) are pairs; one is enough. What few pairs do not say, how noisy a gap
    is and how gaps drift with compute, comes from priors learnt on public runs, and the answer says how much
    of it is prior. "Promote" and "hold" mean that at this level the interval of the multiplier lies above or
    below 1.

    Args:
        runs: a table of runs of both; rows of other recipes are not looked at. Runs of one recipe at equal N
            and D, seeds for example, are averaged; of several sizes at one budget the lowest counts.
        recipe: the label of the recipe that is to replace the baseline.
        baseline: the label of what is in use.
        C: the budget decided for, in FLOPs or in the unit of `by`; left out, the largest that the baseline
            ran.
        flops: what a run costs, as in `sf.optimal`.
        level: of the interval, between 0 and 1.
        column: the column that names each row's recipe.
        by: the column of budgets, as in `sf.decide`.
        y: the column of losses, as there.
        key: seed of the draws.

    Returns:
        A `Gate`: verdict, multiplier with its interval, chance, pairs, and what is still prior.

    Raises:
        ValueError: for a recipe that the table does not have or that is the baseline, for two that share no
            budget, and for a budget or level that is none.

    Example:
        >>> tried = {"recipe": ["adamw", "muon"] * 2, "C": [1e18, 1e18, 1e19, 1e19]}
        >>> tried["loss"] = [3.40, 3.35, 3.10, 3.055]
        >>> found = sf.gate(tried, recipe="muon", baseline="adamw")
        >>> found.verdict, found.lo > 1
        ('promote', True)
    """
    level, key = check_level(level), check_key(key)
    table = tables.columns_of(runs)
    names, budget, loss, used = columns(table, flops, column, by, y)
    known = {str(name): rows for name, rows in names.items()}
    for role, label in (("recipe", recipe), ("baseline", baseline)):
        if str(label) not in known:
            raise ValueError(
                f"{role}: column {column!r} has no {short(label)}; it has {listed(list(known)[:8])}"
            )
    if str(recipe) == str(baseline):
        raise ValueError(f"recipe and baseline are both {short(recipe)}; name two")
    parts = [_one_per_setting(table, known[str(label)], budget, loss) for label in (baseline, recipe)]
    scales, losses = ladder(*zip(*parts, strict=True))
    if not len(scales):
        raise ValueError(
            f"{baseline} and {recipe} have no budget in common (within 10 %); run one pair at the same budget"
        )
    target = float(np.max(parts[0][0])) if C is None else one_positive("C", C)
    pairs = frame(
        [
            {"C": c, "baseline": b, "recipe": a, "gap": float(np.log(b / a))}
            for c, b, a in zip(scales, *losses, strict=True)
        ]
    )
    own, own_loss = ladder([parts[0][0]], [parts[0][1]])
    lower = own_loss[0] <= np.minimum.accumulate(own_loss[0])
    tells = frame([{"C": c, "loss": v} for c, v in zip(own[lower], own_loss[0][lower], strict=True)])
    found = likely(pairs, tells, target, used.get("by"), key)
    lo, hi = (float(np.exp(v)) for v in ends(found.log_m, level, (-np.inf, np.inf)))
    verdict = "promote" if lo > 1 else "hold" if hi < 1 else "unclear"
    return Gate(
        verdict,
        float(np.exp(np.median(found.log_m))),
        lo,
        hi,
        float(np.mean(found.gap > 0)),
        target,
        pairs,
        tells,
        found.left,
        str(recipe),
        str(baseline),
        used.get("by", ""),
        level,
        key,
        used,
    )


def gaps(C: np.ndarray, gap: np.ndarray, target: float, prior: Sequence[tuple[float, float]] = PRIOR) -> Seen:
    """What gaps (..., pairs) at budgets C, ascending, and the prior say of the gap at the target."""
    z = normal_points(N_VALUES, len(prior))
    spread, *logs = (mean + sd * z[:, k] for k, (mean, sd) in enumerate(prior))
    # `foretold` counts in units of the spread.
    logs[2] = logs[2] - spread
    size = np.exp(spread)
    seen = foretold(np.log(np.append(C, target) / C[-1]), logs)
    square = np.einsum("hij,...i,...j->...h", seen.inverse, gap, gap) / size**2
    share = softmax(-seen.log_det / 2 - len(C) * spread - square / 2, axis=-1)
    return Seen(
        share, gap @ seen.weights.T, size * np.sqrt(np.maximum(seen.variance, 0.0)), size * seen.noise
    )


def likely(pairs: Frame, baseline_runs: Frame, C: float, by: str | None, key: int) -> Likely:
    """What pairs and the prior say of a budget."""
    random = np.random.default_rng(key)
    seen = gaps(pairs["C"].to_numpy(), pairs["gap"].to_numpy(), C)
    which = random.choice(len(seen.share), N_DRAWS, p=seen.share)
    draws = seen.centre[which] + seen.sd[which] * random.standard_normal(N_DRAWS)
    scaled = next((name for name in TWICE if by is not None and usual({by: ()}, name, LAW)), "C")
    prior = prior_of(scaled)
    curve = told(baseline_runs["C"].to_numpy(), baseline_runs["loss"].to_numpy(), prior)
    cell = random.choice(len(curve.share), N_DRAWS, p=curve.share)
    phi, alpha = expit(curve.places[0, cell]), np.exp(curve.places[1, cell])
    falling = (1 - phi) * (C / baseline_runs["C"].max()) ** -alpha
    with np.errstate(divide="ignore", over="ignore"):
        log_m = -np.log(np.maximum((np.exp(-draws) * (phi + falling) - phi) / falling, 0.0)) / alpha
    return Likely(draws, log_m, _left(seen.share, curve, prior))


def _left(share: np.ndarray, curve: Told, prior: Prior) -> dict[str, float]:
    """What is left of the variance of the prior, by name."""

    z = normal_points(N_VALUES, len(PRIOR))

    def variance(weight: np.ndarray, values: np.ndarray) -> float:
        return float(weight @ (values - weight @ values) ** 2)

    return {
        "noise": min(variance(share, z[:, 3]), 1.0),
        "drift": min(variance(share, z[:, 1]), 1.0),
        "exponent": min(variance(curve.share, curve.places[1]) / prior.alpha[1] ** 2, 1.0),
        "floor": min(variance(curve.share, curve.places[0]) / prior.phi[1] ** 2, 1.0),
    }


def _one_per_setting(
    table: Any, rows: np.ndarray, budget: np.ndarray, loss: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Budgets and losses of one recipe, runs at equal N and D averaged."""
    places = [
        np.log(tables.numbers(table[found[0]], f"column {found[0]!r} ({name})", "positive"))[rows]
        for name in ("N", "D")
        if len(found := usual(table, name, LAW)) == 1
    ]
    if len(places) < 2:
        return budget[rows], loss[rows]
    cells = np.unique(np.round(np.stack(places, axis=1) / SAME), axis=0, return_inverse=True)[1].ravel()
    counts = np.bincount(cells)
    return np.bincount(cells, budget[rows]) / counts, np.bincount(cells, loss[rows]) / counts
