"""Doubt: how often intervals hold what is known because the runs were simulated."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from scipy.special import stdtrit

from scalefit import laws
from scalefit.bench.records import Case, Task
from scalefit.bench.scores import RELATIVE
from scalefit.bench.sources import SIMULATED
from scalefit.core.law import Law
from scalefit.decisions.optimal import optimal
from scalefit.frames import columns_frame, frame
from scalefit.laws.simulate import usual

__all__ = ["TASKS"]

# Simulated tables of a case.
STUDIES = 50
SD = 0.01  # of the log of the loss
SHARED = 0.8  # correlation of errors within a group
# The share of Student's t (3) errors that lie within one quartile of zero is that of a normal distribution.
HEAVY = 0.6744897501960817 / stdtrit(3, 0.75)
NOISE = ("gaussian", "heavy", "heteroscedastic", "clustered")
# Model sizes of a grid with this many rows; the other rows are token counts per size.
SIZES = {10: 5, 30: 6, 100: 10}
LAWS = {"chinchilla": ("alpha", "beta"), "power_floor": ("alpha",), "rectified_ft": ("beta",)}


def _design(law: Law, rows: int) -> tuple[dict[str, np.ndarray], np.ndarray, list[dict[str, float]]]:
    """Inputs, which rows share errors, and the inputs 10 and 100 times beyond the largest run."""
    if law.name != "chinchilla":
        (name,) = law.inputs
        lo, hi = law.domain[name].typical
        x = np.geomspace(lo, hi / 30, rows)
        return {name: x}, np.arange(rows) // 5, [{name: x[-1] * more} for more in (10, 100)]
    sizes = SIZES[rows]
    each = -(-rows // sizes)
    N = np.repeat(np.geomspace(1e7, 1e9, sizes), each)[:rows]
    D = N * np.tile(np.geomspace(5, 100, each), sizes)[:rows]
    best = [np.sqrt(6 * np.max(N * D) * more / 120) for more in (10, 100)]
    far = [{"N": n, "D": 20 * n} for n in best]
    return {"N": N, "D": D}, np.repeat(np.arange(sizes), each)[:rows], far


def _place(size: np.ndarray) -> np.ndarray:
    logs = np.log(size)
    return (logs - logs.min()) / np.ptp(logs)


def _errors(noise: str, group: np.ndarray, place: np.ndarray, key: int) -> np.ndarray:
    chance, n = np.random.default_rng(key), len(place)
    if noise == "heavy":
        return SD * HEAVY * chance.standard_t(3, n)
    if noise == "heteroscedastic":
        return 2 * SD * 0.25**place * chance.standard_normal(n)
    if noise == "clustered":
        shared = chance.standard_normal(group.max() + 1)[group]
        return SD * (np.sqrt(SHARED) * shared + np.sqrt(1 - SHARED) * chance.standard_normal(n))
    return SD * chance.standard_normal(n)


def _best_size(C: float, fit: Any, level: float | None) -> Any:
    """The compute-optimal N at a budget, with its interval."""
    found = optimal(fit, C, level=level, model_error=False)
    return found.loc[0, ["N", "N_lo", "N_hi"]].to_numpy(float) if level else found.loc[0, "N"]


def _true_size(truth: dict[str, float], C: float) -> float:
    a, b = truth["alpha"], truth["beta"]
    return float((a * truth["A"] / (b * truth["B"])) ** (1 / (a + b)) * (C / 6) ** (b / (a + b)))


def simulated(name: str, noise: str) -> Iterator[Case]:
    """50 tables of 10, 30 and 100 rows: exponents, the curve beyond the runs, the best size."""
    law = laws.get(name)
    truth = usual(law)
    for rows in SIZES:
        x, group, far = _design(law, rows)
        place = _place(np.prod(list(x.values()), axis=0))
        curve = np.asarray(law(truth, x), float)
        asked = [{"quantity": coef, "y": truth[coef]} for coef in LAWS[name]]
        asked += [{"quantity": "curve", **at, "y": float(law(truth, at))} for at in far]
        sizes = {}
        if name == "chinchilla":
            C = 10 * float(np.max(6 * x["N"] * x["D"]))
            sizes["best N"] = partial(_best_size, C)
            asked.append({"quantity": "best N", "y": _true_size(truth, C)})
        parts = [x | {"y": curve * np.exp(_errors(noise, group, place, key))} for key in range(STUDIES)]
        train = {column: np.concatenate([part[column] for part in parts]) for column in parts[0]}
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
