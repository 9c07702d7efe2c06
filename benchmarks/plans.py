"""How little of a grid of runs `next_runs` needs: plans of a few percent of its cost beside the whole grid.

    SCALEFIT_DATA=... python benchmarks/plans.py        writes plans.md

A public table is taken as the menu. Its runs of the largest tenth of budgets are what is foretold; every run at
most a quarter of the largest budget is a candidate, all of them together the full grid. The first half of a
budget is planned before any run, from published coefficients, the rest by the fit of these; every prediction
is of `sf.fit("chinchilla")`. Beside it stand runs drawn at random for as much.
"""

from __future__ import annotations

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
DRAWS = 20
RESULTS = Path(__file__).with_suffix(".md")
TABLES = ("gadre", "misfitting", "steplaw")
WORDS = """Written by `benchmarks/plans.py`, which says the rule. Root mean square error of log loss at the runs foretold.

A plan of a few percent does not foretell as well as the whole grid on any of these tables. Most of a grid's cost is
in its largest runs, so a plan of 1 % sees runs of a thirtieth of the compute and less, and `next_runs` trusts the
law: it goes to far settings, where the law that was fitted is off by more than the noise. On `gemstones` random
runs do better than its plans for that reason."""


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


def error(runs: pd.DataFrame, case: Case, target: pd.DataFrame) -> float:
    """Root mean square of log loss at the targets."""
    fit = sf.fit(LAW, runs, inputs=case.inputs, y=case.y)
    told = np.asarray(fit.law(fit.coefs, {n: target[c].to_numpy(float) for n, c in case.inputs.items()}))
    return float(np.sqrt(np.mean((np.log(told) - np.log(target[case.y].to_numpy())) ** 2)))


def planned(case: Case, menu: pd.DataFrame, price: pd.Series, budget_: float, goals: list) -> pd.DataFrame:
    """The runs of a plan in two halves."""
    table = {name: menu[column].to_numpy() for name, column in case.inputs.items()}
    table["cost"] = price.to_numpy()
    first = sf.next_runs(LAW, table, budget_ / 2, goals, cost="cost")
    chosen = first.runs["row"].tolist()
    if len(chosen) > 6:
        fit = sf.fit(LAW, menu.iloc[chosen], inputs=case.inputs, y=case.y)
        rest = np.setdiff1d(np.arange(len(menu)), chosen)
        left = {name: values[rest] for name, values in table.items()}
        if left["cost"].min() <= budget_ - first.spent:
            more = sf.next_runs(fit, left, budget_ - first.spent, goals, cost="cost", model_error=False)
            chosen += rest[more.runs["row"].to_numpy(int)].tolist()
    return menu.iloc[chosen]


def main() -> None:
    warnings.simplefilter("ignore")
    lines = []
    for case in cases():
        size = case.size.loc[case.runs.index]
        target = case.runs[size >= size.max() / 10**0.5]
        known = size <= size.max() / 4
        menu, price = case.runs[known], size[known]
        target = target[~target.index.isin(menu.index)]
        goals = [
            {name: float(row[column]) for name, column in case.inputs.items()} for _, row in target.iterrows()
        ]
        full = error(menu, case, target)
        line = [case.name, f"{len(menu)}", f"{len(target)}", f"{full:.2%}"]
        for share in SHARES:
            money = share * price.sum()
            try:
                runs = planned(case, menu, price, money, goals)
                told = error(runs, case, target)
                line.append(f"{told:.2%} ({len(runs)})")
            except ValueError as reason:
                line.append(f"none: {reason}"[:60])
            random, found = np.random.default_rng(0), []
            for _ in range(DRAWS):
                order = random.permutation(len(menu))
                taken = order[np.cumsum(price.to_numpy()[order]) <= money]
                if len(taken) > 6:
                    found.append(error(menu.iloc[taken], case, target))
            line.append(f"{np.median(found):.2%}" if found else "-")
        lines.append(line)
        print(line, flush=True)
    head = ["table", "candidates", "foretold", "whole grid"]
    head += [word for share in SHARES for word in (f"plan of {share:.0%} (runs)", "random for as much")]
    rows = [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *lines)]
    RESULTS.write_text("\n".join(["# Plans of a few percent of a grid", "", WORDS, "", *rows, ""]))


if __name__ == "__main__":
    main()
