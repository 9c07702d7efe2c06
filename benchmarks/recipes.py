"""Public tables in which several recipes were run at several scales: which recipe wins at the largest, told from smaller ones.

Tables become ladders: one loss per recipe and scale, as the suite's `decisions/*` read them (`scalefit.bench.decisions`), where `sf.decide` and laws of
one recipe are scored. `python benchmarks/decisions.py recipes` adds laws that share coefficients between recipes, what a choice costs, the gain
at equal cost, and whether probabilities are honest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

import scalefit as sf
from scalefit.bench import decisions as suite
from scalefit.decisions.decide import USUAL, gaps_at

__all__ = ["EDGES", "SETS", "UNFIT", "WAYS", "Ladder", "ladders", "left_out", "study"]

# Why the others cannot serve.
UNFIT = {
    "olmo_ladder": "one recipe only, at many sizes",
    "regmix": "two scales share mixtures (1M, 60M), so there is one small scale: every method is the ranking at it; the mixtures at 1B are others",
    "gemstones": "every shape is one size; nothing is run again at a larger one",
    "colpret_curves": "the curves' losses are on different data and tokenisers",
    "pythia_evals, xlstm_isoflop": "two recipes: one pair",
    "openclip": "three recipes at three scales, sets of images apart",
    "sldbench_vocab": "losses relative to a unigram model are negative: no law of the others applies to them",
}


@dataclass(frozen=True, eq=False)
class Ladder:
    """Losses (recipes, scales) at budgets C (scales), ascending; the last scale is the target."""

    set: str
    name: str
    recipes: tuple[str, ...]
    C: np.ndarray
    loss: np.ndarray


SETS = {each.__name__: each for each in suite.SETS}


def ladders(sets=tuple(SETS)) -> Iterator[Ladder]:
    """Every ladder of these sets."""
    for name in sets:
        for label, recipes, C, loss in SETS[name]():
            yield Ladder(name, label, tuple(recipes), C, loss)


# Ways to foretell the order at the target. Laws that need more scales than there are give the ranking at the largest.
WAYS = (
    "rank at the largest",
    "mean of the last two",
    "power alone",
    "power_floor alone",
    "power_floor, alpha shared",
    "power_floor, alpha and E shared",
    "sf.extrapolate",
    "sf.decide",
)
# Stated probabilities of the likelier recipe, for the table of reliability.
EDGES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
MOST = suite.MOST


@dataclass(frozen=True, eq=False)
class _Case:
    """A ladder looked at up to its scale K: scores by way (recipes,), pairs, whether the first of each wins, and its probability."""

    ladder: Ladder
    K: int
    scores: dict[str, np.ndarray]
    pairs: tuple[np.ndarray, np.ndarray]
    first: np.ndarray
    probability: np.ndarray

    @property
    def reach(self) -> float:
        return float(self.ladder.C[self.K - 1] / self.ladder.C[-1])

    @property
    def spent(self) -> float:
        return float(np.sum(self.ladder.C[: self.K]) / self.ladder.C[-1])

    def right(self, way: str) -> np.ndarray:
        return _right(self.pairs, self.first, self.scores[way])


def _pairs(one: Ladder) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Pairs of recipes that differ at the target, and whether the first is the better."""
    i, j = np.triu_indices(len(one.loss), 1)
    truth = one.loss[:, -1]
    told = truth[i] != truth[j]
    return (i[told], j[told]), (truth[i] < truth[j])[told]


def _right(pairs: tuple[np.ndarray, np.ndarray], first: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Of each pair: 1 where the order is right, 1/2 for a tie."""
    i, j = pairs
    return np.where(score[i] == score[j], 0.5, (score[i] < score[j]) == first)


def study() -> Iterator[dict[str, Any]]:
    """A line per set: shares of pairs told right by way, by reach of the largest budget kept, and reliability of probabilities."""
    found = [_thinned(one) for one in ladders()]
    laws = _laws(found)
    cases: dict[str, list[_Case]] = {}
    for k, one in enumerate(found):
        for K in range(1, len(one.C)):
            cases.setdefault(one.set, []).append(
                _case(one, K, {way: known[k, K] for way, known in laws.items() if (k, K) in known})
            )
    for name, own in cases.items():
        many = [case for case in own if case.K > 1]
        line: dict[str, Any] = {"set": name, "ladders": len({id(case.ladder) for case in own}),
                                "recipes": len(_recipes(own)), "cases": len(many)}  # fmt: skip
        line["share"] = {
            way: _share(many or own, way) for way in WAYS if any(way in case.scores for case in own)
        }
        line["gain"] = {way: _gain(many or own, way) for way in line["share"]}
        line["regret"] = {way: _regret(many or own, way) for way in line["share"]}
        line["gain at equal cost"] = _at_equal_cost(own)
        line["by reach"] = [
            {"reach": [lo, hi], "spent": float(np.mean([c.spent for c in part])), "cases": len(part), "pairs": sum(len(c.first) for c in part),
             "share": {way: _share(part, way) for way in WAYS if all(way in case.scores for case in part)}, "gain": _gain(part, "sf.decide")}
            for lo, hi in ((0.0, 0.01), (0.01, 0.03), (0.03, 0.1), (0.1, 0.3), (0.3, 1.0))
            if (part := [case for case in own if lo < case.reach <= hi and (case.K > 1 or not many)])
        ]  # fmt: skip
        line["reliability"] = _reliability(many or own)
        yield line


def _case(one: Ladder, K: int, scores: dict[str, np.ndarray]) -> _Case:
    log, t = np.log(one.loss[:, :K]), np.log(one.C)
    centre, draws = gaps_at(one.C[:K], one.loss[:, :K], one.C[-1])
    rank = {
        "rank at the largest": log[:, -1],
        "mean of the last two": log[:, -2:].mean(axis=1),
        "sf.decide": centre,
    }
    if K > 1:
        height = np.polyfit(t[:K] - t[-1], log.T, 1)[1]
        rank["power alone"] = height
    for way in WAYS[2:]:
        if way not in scores and way not in rank:
            rank[way] = log[:, -1]
    pairs, first = _pairs(one)
    below = np.array([np.mean(draws[:, a] < draws[:, b]) for a, b in zip(*pairs, strict=True)])
    return _Case(one, K, rank | scores, pairs, first, below)


def _thinned(one: Ladder) -> Ladder:
    if len(one.recipes) <= MOST:
        return one
    kept = np.sort(np.random.default_rng(0).choice(len(one.recipes), MOST, replace=False))
    return Ladder(one.set, one.name, tuple(one.recipes[k] for k in kept), one.C, one.loss[kept])


def _laws(found: list[Ladder]) -> dict[str, dict[tuple[int, int], np.ndarray]]:
    """Predictions at the target by way, then by ladder and scales kept, of the laws that have enough scales."""
    out: dict[str, dict[tuple[int, int], np.ndarray]] = {way: {} for way in WAYS[3:7]}
    rows: dict[str, list[tuple[str, np.ndarray, np.ndarray]]] = {
        "power_floor alone": [],
        "sf.extrapolate": [],
    }
    for k, one in enumerate(found):
        for K in range(2, len(one.C)):
            x, y = one.C[:K] / one.C[K - 1], one.loss[:, :K]
            out["power_floor, alpha shared"][k, K] = _shared(x, y, one.C[-1] / one.C[K - 1], np.zeros(1))
            out["power_floor, alpha and E shared"][k, K] = _shared(
                x, y, one.C[-1] / one.C[K - 1], np.min(y) * np.linspace(0, 0.98, 50)
            )
            for way, least in (("power_floor alone", 4), ("sf.extrapolate", 7)):
                if least <= K:
                    rows[way] += [(f"{k} {K} {r}", x, y[r]) for r in range(len(y))]

    def gathered(predict) -> dict[tuple[int, int], np.ndarray]:
        lists: dict[tuple[int, int], list[float]] = {}
        for label, value in predict:
            k, K, _ = map(int, label.split())
            lists.setdefault((k, K), []).append(value)
        return {place: np.array(values) for place, values in lists.items()}

    def table(parts):
        return {"g": np.repeat([g for g, *_ in parts], [len(y) for *_, y in parts]),
                "x": np.concatenate([x for _, x, _ in parts]), "y": np.concatenate([y for *_, y in parts])}  # fmt: skip

    def far(label: str) -> np.ndarray:
        k, K, _ = map(int, label.split())
        return found[k].C[-1:] / found[k].C[K - 1]

    alone = sf.fit_groups("power_floor", table(rows["power_floor alone"]), by="g")
    out["power_floor alone"] = gathered(
        (g, float(np.asarray(fit.law(fit.coefs, {"x": far(g)})).ravel()[0])) for g, fit in alone.items()
    )
    ahead = sf.extrapolate_groups(table(rows["sf.extrapolate"]), "g", inputs={"x": "x"}, y="y", by="x")
    out["sf.extrapolate"] = gathered(
        (g, float(np.asarray(each.predict({"x": far(g)})).ravel()[0])) for g, each in ahead.items()
    )
    return out


def _shared(x: np.ndarray, y: np.ndarray, far: float, floors: np.ndarray) -> np.ndarray:
    """E + A_r x^-alpha with one alpha, and one of these E for all, or E_r where only 0 is given; least relative squares over a grid.

    On two ladders within 0.5 % of what `law.shared("alpha", by="recipe")` predicts, which compiles anew for every number of recipes.
    """
    best = (np.inf, y[:, -1])
    own = len(floors) == 1
    for alpha in np.geomspace(0.01, 2, 80):
        p, end = x**-alpha, far**-alpha
        for E in floors:
            w = 1 / y**2
            if own:
                s, sp, spp = w.sum(1), (w * p).sum(1), (w * p * p).sum(1)
                A = (s * (w * p * y).sum(1) - sp * (w * y).sum(1)) / (s * spp - sp**2)
                A = np.clip(A, 0, (w * p * y).sum(1) / spp)
                floor = ((w * y).sum(1) - A * sp) / s
            else:
                A, floor = np.maximum((w * p * (y - E)).sum(1) / (w * p * p).sum(1), 0), np.full(len(y), E)
            error = float(np.sum(((floor[:, None] + A[:, None] * p) / y - 1) ** 2))
            if error < best[0]:
                best = error, floor + A * end
    return best[1]


def _recipes(cases: list[_Case]) -> list[str]:
    return sorted({name for case in cases for name in case.ladder.recipes})


def _share(cases: list[_Case], way: str) -> float:
    """Share of pairs told right, every case counted alike."""
    return float(np.mean([np.mean(case.right(way)) for case in cases if len(case.first)]))


def _regret(cases: list[_Case], way: str) -> float:
    """How far the loss of the recipe chosen lies above the best at the target, mean of log losses."""
    ends = [(np.log(case.ladder.loss[:, -1]), int(np.argmin(case.scores[way]))) for case in cases]
    return float(np.mean([end[chosen] - np.min(end) for end, chosen in ends]))


def left_out() -> Iterator[dict[str, Any]]:
    """Per set: the `USUAL` values that gain most on the other sets, by two measures, and what they gain on this one."""
    found = [one for one in map(_thinned, ladders()) if len(one.C) > 2]
    sets = list(dict.fromkeys(one.set for one in found))
    grid = [((v, 1.2), memory, (noise, 1.0), *USUAL[3:]) for v in (-3.5, -2.5, -1.5)
            for memory in ((-0.5, 0.3), (-0.5, 1.0), (0.5, 0.3), (0.5, 1.0), (1.5, 0.3), (1.5, 1.0)) for noise in (-3.0, -2.5)]  # fmt: skip
    gains = np.array(
        [[_plain_gain([one for one in found if one.set == name], usual) for name in sets] for usual in grid]
    )
    # The second measure takes no more than a point from any set, so that none is lost for another's sake.
    for measure, worth in (
        ("mean gain", gains),
        ("mean gain, at most 1 point from each", np.minimum(gains, 0.01)),
    ):
        for k, name in enumerate(sets):
            best = int(np.argmax(np.mean(np.delete(worth, k, axis=1), axis=1)))
            yield {"measure": measure, "set": name, "v, memory, noise": [list(part) for part in grid[best][:3]], "gain": float(gains[best, k]),
                   "usual gain": float(gains[grid.index(USUAL), k])}  # fmt: skip


def _plain_gain(found: list[Ladder], usual) -> float:
    """Share of pairs that `gaps_at` tells right less that of the ranking, ladders and scales alike."""
    out = []
    for one in found:
        pairs, first = _pairs(one)
        for K in range(2, len(one.C)):
            centre, _ = gaps_at(one.C[:K], one.loss[:, :K], one.C[-1], n_draws=1, usual=usual)
            out.append(
                np.mean(_right(pairs, first, centre)) - np.mean(_right(pairs, first, one.loss[:, K - 1]))
            )
    return float(np.mean(out))


def _gain(cases: list[_Case], way: str) -> list[float]:
    """Share told right less that of the ranking, and its standard error by leaving out one recipe after the other."""
    differences = [
        (case, case.right(way) - case.right("rank at the largest")) for case in cases if len(case.first)
    ]
    whole = float(np.mean([np.mean(d) for _, d in differences]))
    names = _recipes(cases)
    left = []
    for name in names:
        parts = []
        for case, d in differences:
            i, j = case.pairs
            out = np.array([recipe == name for recipe in case.ladder.recipes])
            kept = d[~(out[i] | out[j])]
            parts += [np.mean(kept)] if len(kept) else []
        left += [np.mean(parts)] if parts else []
    n = len(left)
    return [
        whole,
        float(np.sqrt((n - 1) / n * np.sum((np.array(left) - np.mean(left)) ** 2)))
        if n > 2
        else float("nan"),
    ]


def _at_equal_cost(cases: list[_Case]) -> list[float] | None:
    """Share by `sf.decide` less that of the ranking at one scale that costs as much as all scales kept; mean and cases.

    The ranking's share is read between scales by straight lines in log C; at the target it is 1.
    """
    gains = []
    for case in cases:
        if case.K == 1 or case.spent >= 1:
            continue
        same = sorted((c for c in cases if c.ladder is case.ladder), key=lambda c: c.K)
        known = [float(np.mean(c.right("rank at the largest"))) for c in same] + [1.0]
        usual = np.interp(np.log(case.spent), np.log([*(c.reach for c in same), 1.0]), known)
        gains.append(float(np.mean(case.right("sf.decide")) - usual))
    return [float(np.mean(gains)), len(gains)] if gains else None


def _reliability(cases: list[_Case]) -> list[list[float]]:
    """Stated probability of the likelier, share of pairs in which it won, and pairs, by range of the first."""
    p = np.concatenate([case.probability for case in cases])
    won = np.concatenate([case.first for case in cases])
    p, won = np.where(p >= 0.5, p, 1 - p), np.where(p >= 0.5, won, ~won)
    out = []
    for lo, hi in pairwise(EDGES):
        rows = (p >= lo) & ((p < hi) | (hi == 1.0))
        out.append(
            [float(p[rows].mean()), float(won[rows].mean()), int(rows.sum())]
            if rows.any()
            else [np.nan, np.nan, 0]
        )
    return out
