"""How far a departure from a law reaches (`joint.LENGTH`): learnt from the optima of the suite's decisions/optima.

    SCALEFIT_DATA=... python benchmarks/optima_coverage.py        writes optima_coverage.md

The suite counts how often 90 % intervals of the best size hold the size measured at larger budgets, with the length that is used.
Here other lengths are tried. "Left out": the length under which the other two sets' measured optima are most probable, each as of a
normal law with the foretold interval, and what share of the set left out the intervals hold with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

import scalefit as sf
from scalefit.bench.decisions import optima
from scalefit.fits import joint

LEVEL, Z = 0.9, 1.6448536269514722
LENGTHS = (0.5, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0)


class Held(NamedTuple):
    """Whether the interval holds the size measured, its half-width in e-folds, the log-likelihood of that size."""

    inside: bool
    half: float
    likelihood: float


def held(ends: np.ndarray, truth: float) -> Held:
    """One interval beside what was measured."""
    lo, hi = np.log(ends[1:])
    spread, centre = (hi - lo) / 2 / Z, (lo + hi) / 2
    likely = -np.log(spread) - (np.log(truth) - centre) ** 2 / spread**2 / 2
    return Held(bool(lo <= np.log(truth) <= hi), float((hi - lo) / 2), float(likely))


def main() -> None:
    """Every length for every optimum, by set."""
    used, found = joint.LENGTH, {}
    for case in optima():
        fit = sf.fit("chinchilla", case.train[["N", "D", "y"]], y="y")
        ways = found.setdefault(case.name.split()[0], {})
        for name, truth in zip(case.test["quantity"], case.test["y"], strict=True):
            ways.setdefault("as right", []).append(held(case.quantities[name](fit, LEVEL, False), truth))
            for joint.LENGTH in LENGTHS:
                ends = case.quantities[name](fit, LEVEL, True)
                ways.setdefault(f"{joint.LENGTH:g}", []).append(held(ends, truth))
            joint.LENGTH = used
    ways = list(next(iter(found.values())))
    every = {way: [one for each in found.values() for one in each[way]] for way in ways}
    lines = [
        "# Lengths of a departure, and 90 % intervals of the best size at larger budgets",
        "",
        "`python benchmarks/optima_coverage.py`, on the optima of `decisions/optima`: share inside by length in e-folds, and the",
        f"median half-width in e-folds of N. The length used is {used:g}.",
        "",
        f"| sweeps | optima | {' | '.join(ways)} |",
        "| --- | ---: |" + " ---: |" * len(ways),
    ]
    for family, each in {**found, "all": every}.items():
        shares = (
            f"{np.mean([h.inside for h in each[w]]):.0%} ({np.median([h.half for h in each[w]]):.2f})"
            for w in ways
        )
        lines.append(f"| {family} | {len(each[ways[0]])} | {' | '.join(shares)} |")
    lines += ["", "| left out | length by the others | inside |", "| --- | ---: | ---: |"]
    for family, each in found.items():
        others = [one for name, one in found.items() if name != family]
        score = {way: sum(h.likelihood for one in others for h in one[way]) for way in ways[1:]}
        best = max(score, key=score.__getitem__)
        lines.append(f"| {family} | {best} | {np.mean([h.inside for h in each[best]]):.0%} |")
    text = "\n".join([*lines, ""])
    Path(__file__).with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
