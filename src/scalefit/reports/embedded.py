"""The numbers that the page's script works with: budgets on a fine grid, and the runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from scalefit.reports.question import Question, sizes

__all__ = ["MOST_RUNS", "STEP", "grid", "runs"]

# Budgets per decade; between them the script interpolates in logarithms.
STEP = 12
# The grid ends this many decades beyond the target, and is at most so long.
BEYOND, MOST = 1.0, 240
# More runs than this are thinned on the page, which says so.
MOST_RUNS = 1500
COLUMNS = ("C", "N", "D", "ratio", "loss")


def grid(asked: Question) -> dict[str, Any]:
    """`sf.optimal` on budgets from the smallest run to beyond the target, the target among them."""
    known = sizes(asked)
    assert known is not None
    cost = asked.cost(*known)[asked.answer.data.counted]
    target = asked.target["C"] if asked.by_budget else float(asked.cost(*_size(asked)))
    low = np.log10(np.min(cost))
    high = np.log10(max(target, np.max(cost))) + BEYOND
    step = max(1 / STEP, (high - low) / MOST)
    # Whole decades are among them, and the target itself in place of a neighbour that is as good as it.
    logs = step * np.arange(np.floor(low / step + 1e-9), np.ceil(high / step - 1e-9) + 1)
    goal = np.log10(target)
    logs = np.sort([*logs[np.abs(logs - goal) > 1e-6], goal])
    budgets = 10.0**logs
    budgets[np.argmin(np.abs(logs - goal))] = target
    table = asked.best(budgets, asked.level)
    columns: dict[str, list[Any]] = {}
    for name in COLUMNS:
        for column in (name, f"{name}_lo", f"{name}_hi"):
            if column in table.columns:
                columns[column] = table[column].tolist()
    return {
        "target": target,
        "level": asked.level,
        "columns": columns | {"distance": table["distance"].tolist(), "caution": table["caution"].tolist()},
    }


def _size(asked: Question) -> tuple[float, float]:
    x = asked.target
    if {"N", "D"} <= set(x):
        return x["N"], x["D"]
    size = float(np.sqrt(x["C"] / 6 / x["M"]))
    return size, size * x["M"]


def runs(asked: Question) -> dict[str, Any]:
    """The runs by input, with what was measured and what the law says there."""
    answer = asked.answer
    data, fitted = answer.data, answer.fitted()
    every = np.arange(len(data))
    shown = every if len(data) <= MOST_RUNS else every[:: int(np.ceil(len(data) / MOST_RUNS))]
    names = data.names
    labels = [str(row if names is None else names[row]) for row in shown]
    x = {name: values[shown].tolist() for name, values in data.x.items() if name not in answer.law.labels}
    known = sizes(asked)
    if known is not None and "C" not in x and not asked.barred:
        x["C"] = asked.cost(*known)[shown].tolist()
    for name in answer.law.labels:
        words = answer.law.domain[name].labels if name in answer.law.domain else ()
        if words:
            labels = [
                f"{label}, {name} = {words[int(v)]}"
                for label, v in zip(labels, data.x[name][shown], strict=True)
            ]
    return {
        "labels": labels,
        "x": x,
        "y": data.y[shown].tolist(),
        "fitted": fitted[shown].tolist(),
        "weight": data.weight[shown].tolist(),
        "names": {name: _called(asked, name) for name in x},
        "output": asked.output,
        "total": len(data),
    }


def _called(asked: Question, name: str) -> str:
    """An input in the words of the user's column, with its unit."""
    column = asked.answer.columns.get(name, name)
    unit = asked.law.units.get(name) or ("FLOPs" if name == "C" else "")
    also = f" (column {column})" if column != name else ""
    return f"{name}{also}" + (f": {unit}" if unit else "")
