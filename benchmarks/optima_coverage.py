"""How often 90 % intervals of the best size, foretold from smaller budgets, hold the size measured at larger ones.

    SCALEFIT_DATA=... python benchmarks/optima_coverage.py [--markdown FILE]

Every sweep of `porian_isoflop`, `isoflops` and `xlstm_isoflop` (one recipe, one corpus) is fitted to the budgets up to a
third, a half and two thirds of their range in the logarithm, and asked for the optimum at the two largest budgets. There
the optimum is measured by a robust parabola through the log losses over log N, near the least of them; where it lies at the
edge of the sweep, or the parabola does not open upwards, nothing is measured. A foretold interval holds the measured size
if they meet within 1.645 standard errors of the measurement. "as right" takes the law as right, as all intervals did before
departures were drawn; the scale of a departure, `joint.LENGTH`, is tried at other values beside the one that is used.

"Left out": the scale under which the other two sets' measured optima are most probable, each as of a normal law with the
foretold interval and the measurement's error, and what share of the set left out the intervals hold with it.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

import scalefit as sf
from scalefit.fits import joint

LEVEL, Z = 0.9, 1.6448536269514722
SHARES = (1 / 3, 1 / 2, 2 / 3)
LENGTHS = (0.5, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0)
# 6 N D of one budget differ by less than this factor from one run to the next (xlstm's budgets are exact FLOP counts).
TOGETHER = 1.2
# Sizes this many e-folds about the best one are fitted by a parabola.
NEAR = np.log(6)


class Case(NamedTuple):
    """Runs to fit, and a larger budget (6 N D at its optimum) with the log of its best size and its standard error."""

    family: str
    name: str
    train: pd.DataFrame
    budget: float
    best: float
    error: float


def sweeps(data: Path) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Family, name and runs (N, D, y, budget) of each sweep."""
    points = pd.read_csv(data / "porian_isoflop" / "isoflop_points.csv")
    points = points[points.param_count != "attention"].rename(columns={"flops": "budget"})
    for key, table in points.groupby(["dataset", "hparams", "warmup", "decay", "param_count"]):
        yield "porian", "/".join(key), named(table, "loss")
    runs = pd.read_csv(data / "isoflops" / "runs.csv").fillna({"condition": "", "model": "", "dataset": ""})
    runs = runs[runs.is_outlier_by_repo == 0].rename(columns={"flops_budget": "budget"})
    for key, table in runs.groupby(["source", "dataset", "model", "condition"]):
        yield "isoflops", "/".join(key), named(table, "loss")
    runs = pd.read_csv(data / "xlstm_isoflop" / "runs.csv")
    for (arch, context), table in runs.groupby(["arch", "context_length"]):
        table = named(table, "val_loss")
        log_C = np.log(table.N * table.D).to_numpy()
        order = np.argsort(log_C)
        budget = np.empty(len(table))
        for rows in np.split(order, np.flatnonzero(np.diff(log_C[order]) > np.log(TOGETHER)) + 1):
            budget[rows] = 6 * np.exp(np.mean(log_C[rows]))
        yield "xlstm", f"{arch}/{context}", table.assign(budget=budget)


def named(table: pd.DataFrame, y: str) -> pd.DataFrame:
    """The columns under the law's names, as floats: 6 N D of whole numbers overflows."""
    table = table.rename(columns={"n_params": "N", "n_tokens": "D", y: "y"}).dropna(subset=["N", "D", "y"])
    return table.astype({"N": float, "D": float, "y": float})


def cases(data: Path) -> Iterator[Case]:
    """Every sweep cut at every share, for the two largest budgets whose optimum can be measured."""
    for family, name, runs in sweeps(data):
        budgets = np.sort(runs.budget.unique())
        place = (
            np.log(runs.budget / budgets[0]) / np.log(budgets[-1] / budgets[0])
            if len(budgets) > 1
            else runs.budget * 0
        )
        known = {budget: optimum(runs[runs.budget == budget]) for budget in budgets}
        seen = set()
        for share in SHARES:
            small = (place <= share + 1e-6).to_numpy()
            count = runs.budget[small].nunique()
            if small.sum() < 8 or count < 2 or small.sum() in seen or small.all():
                continue
            seen.add(small.sum())
            for budget in budgets[count:][-2:]:
                if (found := known[budget]) is not None:
                    yield Case(family, f"{name}, up to {share:.2f}", runs[small], *found)


def optimum(runs: pd.DataFrame) -> tuple[float, float, float] | None:
    """6 N D at the optimum, log of the best size, its standard error; None where the sweep does not show it."""
    n, loss = np.log(runs.N.to_numpy()), np.log(runs.y.to_numpy())
    near = np.abs(n - n[np.argmin(loss)]) < NEAR
    if near.sum() < 5:
        return None
    centre = np.mean(n[near])
    design = np.stack([np.ones(near.sum()), n[near] - centre, (n[near] - centre) ** 2], axis=1)
    weight = np.ones(near.sum())
    for _ in range(30):
        root = np.sqrt(weight)
        bowl = np.linalg.lstsq(design * root[:, None], loss[near] * root, rcond=None)[0]
        off = loss[near] - design @ bowl
        weight = 1 / np.maximum(1.0, np.abs(off) / (3 * np.median(np.abs(off)) + 1e-9))
    at = -bowl[1] / (2 * bowl[2])
    if bowl[2] <= 0 or not design[:, 1].min() + 0.1 < at < design[:, 1].max() - 0.1:
        return None
    noise = np.sum(weight * off**2) / max(len(off) - 3, 1)
    spread = noise * np.linalg.inv((design * weight[:, None]).T @ design)
    slope = np.array([0.0, -1 / (2 * bowl[2]), bowl[1] / (2 * bowl[2] ** 2)])
    order = np.argsort(n)
    log_C = np.interp(centre + at, n[order], np.log(6 * runs.N * runs.D).to_numpy()[order])
    return float(np.exp(log_C)), float(centre + at), float(np.sqrt(slope @ spread @ slope))


class Held(NamedTuple):
    """Whether the interval of the best size meets the measured one, its half-width in e-folds, log-likelihood of the measured one."""

    inside: bool
    half: float
    likelihood: float


def held(case: Case, fit: sf.Fit, model_error: bool) -> Held:
    """One interval beside what was measured."""
    told = sf.optimal(fit, C=[case.budget], level=LEVEL, model_error=model_error).iloc[0]
    with np.errstate(divide="ignore"):
        lo, middle, hi = np.log(told["N_lo"]), np.log(told["N"]), np.log(told["N_hi"])
    below, above = np.hypot(middle - lo, Z * case.error), np.hypot(hi - middle, Z * case.error)
    spread = (below + above) / 2 / Z
    likely = -np.log(spread) - (case.best - middle - (above - below) / 2) ** 2 / spread**2 / 2
    return Held(bool(middle - below <= case.best <= middle + above), float((hi - lo) / 2), float(likely))


def left_out(found: dict[str, dict[str, list[Held]]]) -> Iterator[str]:
    """Per set a line: the scale learnt from the others, and the share inside with it."""
    yield "| left out | length by the others | inside |"
    yield "| --- | ---: | ---: |"
    for family, ways in found.items():
        others = [each for name, each in found.items() if name != family]
        score = {
            way: sum(one.likelihood for each in others for one in each[way])
            for way in ways
            if way != "as right"
        }
        way = max(score, key=lambda way: score[way])
        yield f"| {family} | {way.split()[1]} | {np.mean([one.inside for one in ways[way]]):.0%} |"


def table(data: Path) -> list[str]:
    """Lines of the table in Markdown."""
    found: dict[str, dict[str, list[Held]]] = {}
    fits: dict[str, sf.Fit] = {}
    used = joint.LENGTH
    for case in cases(data):
        key = f"{case.family}, {case.name}"
        if key not in fits:
            fits[key] = sf.fit("chinchilla", case.train[["N", "D", "y"]], y="y")
        ways = found.setdefault(case.family, {})
        ways.setdefault("as right", []).append(held(case, fits[key], False))
        for length in (used, *(other for other in LENGTHS if other != used)):
            joint.LENGTH = length
            ways.setdefault(f"length {length:g}", []).append(held(case, fits[key], True))
        joint.LENGTH = used
    ways = [
        "as right",
        *sorted((way for way in next(iter(found.values())) if way != "as right"), key=lambda w: float(w[7:])),
    ]
    lines = [f"| sweeps | optima | {' | '.join(ways)} |", f"| --- | ---: |{' ---: |' * len(ways)}"]
    every = {way: [one for each in found.values() for one in each[way]] for way in ways}
    for family, each in {**found, "all": every}.items():
        cells = [
            f"{np.mean([one.inside for one in each[way]]):.0%} ({np.median([one.half for one in each[way]]):.2f})"
            for way in ways
        ]
        lines.append(f"| {family} | {len(each['as right'])} | {' | '.join(cells)} |")
    return [*lines, "", *left_out(found)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    text = "\n".join(
        [
            "# Coverage of 90 % intervals of the best size at larger budgets",
            "",
            "Share of measured optima inside, and the median half-width of the interval in e-folds of N. D and D / N follow N along",
            f"a budget, so their shares are the same. The length used is {joint.LENGTH:g} e-folds.",
            "",
            *table(Path(os.environ["SCALEFIT_DATA"])),
        ]
    )
    print(text)
    if options.markdown:
        options.markdown.write_text(text + "\n")


if __name__ == "__main__":
    main()
