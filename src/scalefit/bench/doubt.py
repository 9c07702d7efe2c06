"""Doubt: how often intervals hold what is known because the runs were simulated."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from scalefit import laws
from scalefit.bench.records import Case, Task
from scalefit.bench.scores import RELATIVE
from scalefit.bench.simulated import NOISE, design, simulate
from scalefit.bench.sources import SIMULATED
from scalefit.decisions.optimal import optimal
from scalefit.frames import columns_frame, frame
from scalefit.laws.simulate import usual

__all__ = ["TASKS"]

# Simulated tables of a case.
STUDIES = 50
ROWS = (10, 30, 100)
LAWS = {"chinchilla": ("alpha", "beta"), "power_floor": ("alpha",), "rectified_ft": ("beta",)}


def _best_size(C: float, fit: Any, level: float | None, model_error: bool) -> Any:
    """The compute-optimal N at a budget, with its interval."""
    found = optimal(fit, C, level=level, model_error=model_error)
    return found.loc[0, ["N", "N_lo", "N_hi"]].to_numpy(float) if level else found.loc[0, "N"]


def _true_size(truth: dict[str, float], C: float) -> float:
    a, b = truth["alpha"], truth["beta"]
    return float((a * truth["A"] / (b * truth["B"])) ** (1 / (a + b)) * (C / 6) ** (b / (a + b)))


def simulated(name: str, noise: str) -> Iterator[Case]:
    """50 tables of 10, 30 and 100 rows: exponents, the curve beyond the runs, the best size."""
    law = laws.get(name)
    truth = usual(law)
    for rows in ROWS:
        known = design(law, rows)
        asked = [{"quantity": coef, "y": truth[coef]} for coef in LAWS[name]]
        far = [{name: float(x[-1]) for name, x in at.items()} for at in known.far]
        asked += [{"quantity": "curve", **at, "y": float(law(truth, at))} for at in far]
        sizes = {}
        if known.compute:
            sizes["best N"] = partial(_best_size, known.compute)
            asked.append({"quantity": "best N", "y": _true_size(truth, known.compute)})
        parts = [simulate(known, noise, key) for key in range(STUDIES)]
        train = {name: np.concatenate([part[name] for part in parts]) for name in (*law.inputs, "y")}
        train["study"] = np.repeat(np.arange(STUDIES), rows)
        test = frame({"study": study, **row} for study in range(STUDIES) for row in asked)
        yield Case(
            f"{rows} rows", columns_frame(train), test, law.inputs, law=law, label="study", quantities=sizes
        )


METHODS = (
    "sf.fit",
    "sf.fit, law as right",
    "sf.sandwich",
    "sf.bootstrap, pairs",
    "sf.bootstrap, residual",
    "sf.bootstrap, wild",
    "sf.bootstrap, bayesian",
    "lmfit",
)
TASKS = tuple(
    Task(
        f"doubt/{name}_{noise}" if noise != "gaussian" else f"doubt/{name}",
        SIMULATED,
        f"{noise} errors of 1 %; exponents, the curve 10 and 100 times on, the best size",
        partial(simulated, name, noise),
        RELATIVE,
        METHODS,
        asks="quantities",
        why="errors are normal, where least squares is the most efficient; sf.fit gives outliers less weight"
        if noise == "gaussian"
        else "",
        quick=1,
    )
    for name in LAWS
    for noise in NOISE
)
