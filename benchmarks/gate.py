"""`sf.gate` on public tables and on simulated recipes: how often its verdict is wrong, and what its interval holds.

    python benchmarks/gate.py learn        the values of the prior, learnt on all tables and without each
    python benchmarks/gate.py              the tables of gate.md

Pairs of recipes come from the ladders of the suite (scalefit.bench.decisions), tables over compute only; each is told from its smallest
one, two or three budgets and held against the gap measured at its largest. A table is judged with the prior
learnt without it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp, ndtr

import scalefit as sf
from scalefit.bench import decisions
from scalefit.decisions.gate import PRIOR, gaps

# By samples, not by compute.
OTHERS = ("sft_rectified", "alabdulmohsin_curves")
# Recipes there differ by their learning rate, whose best value moves with scale: no recipe that one would gate.
SWEPT = ("misfitting", "steplaw")
SETS = {each.__name__: each for each in decisions.SETS}
TABLES = tuple(name for name in SETS if name not in OTHERS + SWEPT)
FEW = 3
# Pairs of a table, drawn with a fixed key: to learn from, and to judge.
LEARN, JUDGE = 60, 400
LEVEL = 0.9
LEARNT = Path(__file__).with_suffix(".json")
# Where the search for learnt values starts: log v and log drift, each with the log of its spread.
START = (-2.0, np.log(0.8), -2.5, np.log(1.2))


class Told(NamedTuple):
    """Pairs told from their first budgets (pairs,): log density of the gap measured at the largest, share of
    the prediction below it, the chance that the first is better, that gap, and the last one seen."""

    density: np.ndarray
    below: np.ndarray
    chance: np.ndarray
    truth: np.ndarray
    last: np.ndarray


def prior(values) -> tuple[tuple[float, float], ...]:
    """The prior with these values for what is learnt."""
    v, v_sd, drift, drift_sd = values
    return (PRIOR[0], (v, np.exp(v_sd)), *PRIOR[2:5], (drift, np.exp(drift_sd)))


def pairs(name: str, most: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Budgets, and gaps (pairs, budgets), of pairs of recipes of a table, spread over its ladders."""
    random, found = np.random.default_rng(0), {}
    for _, _, C, loss in map(decisions.thinned, SETS[name]()):
        i, j = np.triu_indices(len(loss), 1)
        gap = np.log(loss[j] / loss[i])
        found.setdefault(tuple(C), []).extend(gap[gap[:, -1] != 0])
    places = [(C, k) for C, own in found.items() for k in range(len(own))]
    kept = [places[k] for k in random.permutation(len(places))[:most]]
    return [
        (np.array(C), np.array([own[k] for c, k in kept if c == C]))
        for C, own in found.items()
        if any(c == C for c, _ in kept)
    ]


def told(C: np.ndarray, gap: np.ndarray, K: int, values) -> Told:
    """What the first K gaps of pairs say of the last."""
    seen = gaps(C[:K], gap[:, :K], C[-1], values)
    off, sd = gap[:, -1:] - seen.centre, np.hypot(seen.sd, seen.noise)
    log_share = np.log(np.maximum(seen.share, 1e-300))
    density = logsumexp(log_share - (off / sd) ** 2 / 2 - np.log(sd * np.sqrt(2 * np.pi)), axis=1)
    chance = np.sum(seen.share * ndtr(seen.centre / np.maximum(seen.sd, 1e-12)), axis=1)
    return Told(density, np.sum(seen.share * ndtr(off / sd), axis=1), chance, gap[:, -1], gap[:, K - 1])


def table_told(table: list, K: int, values) -> Told | None:
    """The same of all pairs of a table that have more budgets."""
    parts = [told(C, gap, K, values) for C, gap in table if len(C) > K]
    return Told(*map(np.concatenate, zip(*parts, strict=True))) if parts else None


def score(values, tables: dict[str, list]) -> float:
    """Mean log density, tables and numbers of pairs seen counted alike."""
    found = [
        [np.mean(one.density) for K in range(1, FEW + 1) if (one := table_told(own, K, prior(values)))]
        for own in tables.values()
    ]
    return float(np.mean([np.mean(one) for one in found]))


def learn() -> dict[str, list[float]]:
    """Values learnt on all tables, and without each."""
    tables = {name: pairs(name, LEARN) for name in TABLES}
    out = {}
    for left in (None, *TABLES):
        kept = {name: own for name, own in tables.items() if name != left}
        # Values far from the start are doubted a little, so that none runs off where tables say nothing.
        end = minimize(
            lambda q, kept=kept: 0.002 * np.sum((q - START) ** 2) - score(q, kept),
            np.array(START),
            method="Powell",
            options={"maxfev": 70, "xtol": 0.05, "ftol": 1e-3},
        )
        out[left or "all"] = [round(float(value), 3) for value in end.x]
        print(left or "all", out[left or "all"], flush=True)
    return out


def judged() -> Iterator[dict[str, Any]]:
    """A line per table and number of pairs: verdicts, what they got wrong, and coverage."""
    learnt = json.loads(LEARNT.read_text())
    for name in TABLES + SWEPT:
        own = pairs(name, JUDGE)
        for K in range(1, FEW + 1):
            found = table_told(own, K, prior(learnt.get(name, learnt["all"])))
            if found is None:
                continue
            _, below, chance, truth, last = found
            edge = (1 + LEVEL) / 2
            clear = np.maximum(chance, 1 - chance) > edge
            wrong = (chance > 0.5) != (truth > 0)
            yield {
                "table": name,
                "pairs seen": K,
                "cases": len(truth),
                "unclear": float(np.mean(~clear)),
                "wrong verdicts": float(np.mean(wrong[clear])) if clear.any() else np.nan,
                "wrong by the last pair": float(np.mean((last > 0) != (truth > 0))),
                "held": float(np.mean(np.abs(2 * below - 1) < LEVEL)),
            }


def simulated(own: float, n: int, C: float | None, studies: int = 200) -> dict[str, float]:
    """Recipes that save or waste 1 to 5 % of compute: budgets of a decade each, 0.3 % of luck that both share."""
    C_run = np.array([1e18, 1e19, 1e20])[-n:]
    gains = (1.01, 1.02, 1.03, 1.05, 1 / 1.01, 1 / 1.02, 1 / 1.03, 1 / 1.05)
    held, half, verdicts = [], [], []
    for key in range(studies):
        random, gain = np.random.default_rng(1000 + key), gains[key % 8]
        luck = 0.003 * random.standard_normal(n)
        loss = [
            (1.8 + 30 * (k * C_run / 1e10) ** -0.15) * np.exp(luck + own * random.standard_normal(n))
            for k in (gain, 1.0)
        ]
        table = {"recipe": np.repeat(["new", "old"], n), "C": np.tile(C_run, 2), "loss": np.concatenate(loss)}
        found = sf.gate(table, recipe="new", baseline="old", C=C)
        held.append(found.lo <= gain <= found.hi)
        half.append((found.hi - found.lo) / 2)
        verdicts.append((found.verdict == "unclear", found.verdict == ("hold" if gain > 1 else "promote")))
    unclear, wrong = np.mean(verdicts, axis=0)
    return {"held": float(np.mean(held)), "half": float(np.median(half)), "unclear": unclear, "wrong": wrong}


def main() -> None:
    if sys.argv[1:] == ["learn"]:
        LEARNT.write_text(json.dumps(learn(), indent=1) + "\n")
        return
    print("| table | pairs seen | cases | unclear | wrong verdicts | wrong by the last pair | held |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    lines = list(judged())
    for line in lines:
        shown = (f"{v:.1%}" if isinstance(v, float) else str(v) for v in line.values())
        print("|", " | ".join(shown).replace("nan%", "-"), "|")
    for K in range(1, FEW + 1):
        own = [line for line in lines if line["pairs seen"] == K and line["table"] in TABLES]
        means = [np.nanmean([line[name] for line in own]) for name in list(own[0])[3:]]
        print(f"| the first {len(TABLES)} alike | {K} | |", " | ".join(f"{v:.1%}" for v in means), "|")
    print("\n| own noise | pairs | target | held | half-width | unclear | wrong |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for own in (0.0005, 0.001, 0.0015, 0.002):
        for n in (1, 2, 3):
            for C in (1e20, 1e21):
                r = simulated(own, n, C)
                print(f"| {own:.2%} | {n} | {C:.0e} | {r['held']:.0%} | {r['half']:.1%} | "
                      f"{r['unclear']:.0%} | {r['wrong']:.1%} |")  # fmt: skip


if __name__ == "__main__":
    main()
