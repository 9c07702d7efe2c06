"""How little of a grid of runs `next_runs` needs: plans of a few percent of its cost beside the whole grid.

    SCALEFIT_DATA=... python benchmarks/plans.py [NAME ...]      writes plans.md

A public table is taken as the menu. Its runs of the largest tenth of budgets are what is foretold; every run at
most a quarter of the largest budget is a candidate, all of them together the full grid. A plan is made before
any run, from published coefficients; every forecast is what `sf.extrapolate` says of the runs chosen. Beside it
stand, for as much money: runs drawn at random; a ladder (the largest run that half of the money pays for, then
each time the largest that costs at most two thirds of the one before); and, for more money, every run that could
have been bought by itself: more than any choice of runs can see. That `sf.extrapolate` draws laws of N and D towards
usual ranges was chosen on `CHOSEN_ON`; hindcasts of the other tables were looked at before it was settled.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from hindcasts import Case, best, budget
from hindcasts import cases as all_cases

import scalefit as sf

SHARES = (0.01, 0.05, 0.10)
LAW = "chinchilla"
DRAWS = 7
RESULTS = Path(__file__).with_suffix(".md")
CHOSEN_ON = ("gadre", "gemstones")
# Sweeps of N and D that leave runs on either side of a quarter of their largest budget.
WORDS = """A plan of a few percent seldom foretells as well as the whole grid. What helped is the forecast, not the choice of runs:
one plain fit of `chinchilla` to plans of 1, 5 and 10 % missed the runs of `gadre` by 12 to 21, 3.5 to 6.5 and 2.7 to 9.4 %, those of
`gemstones` by 8, 5 and 2.5 %. Other plans were tried and dropped, none being better on most tables: usual ranges in place of
the vague prior, a walk of the law's own error about the target in the variance (of 0.5 to 27 % per decade), the error of a least-squares
fit under that walk, and a least number of runs. The tables judged were looked at in these trials, so they are no fresh ones for plans.
At 5 and 10 % of fine grids runs drawn at random do as well as a plan or better, as the law is off at the far settings a plan likes;
where they leave too few runs, a plan or a ladder gives a forecast and they do not."""
TABLES = ("gadre", "misfitting", "steplaw", "loss_to_loss", "porian", "xlstm", "chinchilla")


def cases() -> Iterator[Case]:
    yield from (case for case in all_cases() if case.name.split()[0] in TABLES)
    losses = sf.datasets.fetch("gemstones")
    for name, runs in losses.groupby("eval_set"):
        # Checkpoints of shapes of nearly one size count as one setting.
        inputs = {"N": "n_params", "D": "n_tokens"}
        yield Case(
            f"gemstones {name}",
            best(runs, list(inputs.values()), "loss"),
            inputs,
            "loss",
            budget(runs, inputs),
        )


def error(runs: pd.DataFrame, case: Case, target: pd.DataFrame) -> float | None:
    """Root mean square of log loss at the targets; None where there is no forecast."""
    try:
        ahead = sf.extrapolate(runs, inputs=case.inputs, y=case.y)
    except ValueError:
        return None
    x = {name: target[column].to_numpy(float) for name, column in case.inputs.items()}
    told = np.asarray(ahead.predict(x))
    return float(np.sqrt(np.mean((np.log(told) - np.log(target[case.y].to_numpy())) ** 2)))


def planned(case: Case, menu: pd.DataFrame, price: np.ndarray, money: float, goals: list) -> np.ndarray:
    """Rows of the plan."""
    table = {name: menu[column].to_numpy() for name, column in case.inputs.items()}
    try:
        plan = sf.next_runs(LAW, table | {"cost": price}, money, goals, cost="cost")
    except ValueError:
        return np.zeros(0, int)
    return plan.runs["row"].to_numpy(int)


def ladder(price: np.ndarray, money: float) -> np.ndarray:
    """The largest run that half of the money pays for, then each time the largest of at most two thirds."""
    chosen: list[int] = []
    most = money / 2
    for k in np.argsort(-price):
        if price[k] <= min(most, money):
            chosen.append(int(k))
            money, most = money - price[k], price[k] / 1.5
    return np.array(chosen, int)


def drawn(price: np.ndarray, money: float, key: int) -> np.ndarray:
    """Runs in an order drawn at random, as many as the money pays for."""
    order = np.random.default_rng(key).permutation(len(price))
    return order[np.cumsum(price[order]) <= money]


def line(case: Case) -> list[str]:
    """A table's row."""
    size = case.size.loc[case.runs.index]
    known = size <= size.max() / 4
    menu, price = case.runs[known], size[known].to_numpy(float)
    target = case.runs[(size >= size.max() / 10**0.5) & ~known]
    goals = [{n: float(row[c]) for n, c in case.inputs.items()} for _, row in target.iterrows()]

    def told(rows: np.ndarray) -> float | None:
        return error(menu.iloc[rows], case, target)

    cells = [case.name, f"{len(menu)}", f"{len(target)}", shown(told(np.arange(len(menu))))]
    for share in SHARES:
        money = share * price.sum()
        plan = planned(case, menu, price, money, goals)
        each = [told(drawn(price, money, key)) for key in range(DRAWS)]
        found = [one for one in each if one is not None]
        alone = np.flatnonzero(price <= money)
        cells += [
            f"{shown(told(plan))} ({len(plan)})",
            # Draws that are too few runs for a forecast would flatter the others.
            shown(float(np.median(found)) if len(found) > DRAWS / 2 else None),
            shown(told(ladder(price, money))),
            f"{shown(told(alone))} ({price[alone].sum() / money:.1f})",
        ]
    return cells


def shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"


def page(chosen: list[list[str]], judged: list[list[str]]) -> str:
    head = ["table", "candidates", "foretold", "whole grid"]
    ways = ("plan (runs)", "random", "ladder", "all bought singly (cost over budget)")
    head += [f"{share:.0%}: {way}" for share in SHARES for way in ways]

    def table(lines: list[list[str]]) -> list[str]:
        return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *lines)]

    return "\n".join(
        [
            "# Plans of a few percent of a grid",
            "",
            "Written by `benchmarks/plans.py`, which says the rule. Root mean square error of log loss at the runs",
            "foretold; a dash where the runs are too few for a forecast.",
            "",
            *WORDS.splitlines(),
            "",
            "## Tables that the forecast was chosen on",
            "",
            *table(chosen),
            "",
            "## Other tables",
            "",
            *table(judged),
            "",
        ]
    )


def main(names: list[str]) -> None:
    warnings.simplefilter("ignore")
    chosen: list[list[str]] = []
    judged: list[list[str]] = []
    for case in (case for case in cases() if not names or case.name.split()[0] in names):
        cells = line(case)
        (chosen if case.name.split()[0] in CHOSEN_ON else judged).append(cells)
        print(" | ".join(cells), flush=True)
    if not names:
        RESULTS.write_text(page(chosen, judged))


if __name__ == "__main__":
    main(sys.argv[1:])
