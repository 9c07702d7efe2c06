"""Doubt: how often intervals hold what is known because the runs were simulated.

Each case is many studies: tables from a law's usual coefficients with one kind of noise. Asked are exponents
and the floor; the curve among the runs and at 10 and 100 times the largest compute (or input); new runs
there, at the smallest and at the largest run; the compute-optimal size at 10 times the largest compute.
Errors that are shared within groups are fitted with `group=`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from scalefit import laws
from scalefit.bench.records import Case, Task
from scalefit.bench.scores import RELATIVE
from scalefit.bench.simulated import NOISE, Design, design, errors, simulate
from scalefit.bench.sources import SIMULATED
from scalefit.decisions.optimal import optimal
from scalefit.frames import columns_frame, frame
from scalefit.laws.simulate import usual

__all__ = ["TASKS"]

# Simulated tables of a case.
STUDIES = 50
ROWS = (10, 30, 100, 240)
LAWS = ("chinchilla", "power_floor", "rectified_ft", "lr_annealing")
FAR = ("10x", "100x")


def _best_size(C: float, fit: Any, level: float | None, model_error: bool) -> Any:
    """The compute-optimal N at a budget, with its interval."""
    found = optimal(fit, C, level=level, model_error=model_error)
    return found.loc[0, ["N", "N_lo", "N_hi"]].to_numpy(float) if level else found.loc[0, "N"]


def _end(x: Mapping[str, np.ndarray], fit: Any, level: float | None, model_error: bool) -> Any:
    """The end of a whole curve, with its interval."""
    with np.errstate(all="ignore"):
        told = fit.predict(x, level, model_error=model_error) if level else fit.predict(x)
    return told.iloc[-1][["mean", "lo", "hi"]].to_numpy(float) if level else told[-1]


def _true_size(truth: dict[str, float], C: float) -> float:
    a, b = truth["alpha"], truth["beta"]
    return float((a * truth["A"] / (b * truth["B"])) ** (1 / (a + b)) * (C / 6) ** (b / (a + b)))


def simulated(name: str, noise: str) -> Iterator[Case]:
    """50 tables each of 10, 30, 100 and 240 rows: coefficients, the curve, new runs, the best size."""
    law = laws.get(name)
    truth = usual(law)
    for rows in ROWS:
        known = design(law, rows)
        coefs = [coef for coef in law.names if coef in ("alpha", "beta", "E")]
        asked = [{"quantity": coef, "y": truth[coef]} for coef in coefs]
        sizes = {}
        if law.whole:
            for name, x in zip(FAR, known.far, strict=True):
                sizes[f"end, {name}"] = partial(_end, x)
                asked.append({"quantity": f"end, {name}", "y": float(law(truth, x)[-1])})
        if known.compute:
            sizes["best N"] = partial(_best_size, known.compute)
            asked.append({"quantity": "best N", "y": _true_size(truth, known.compute)})
        parts = [simulate(known, noise, key) for key in range(STUDIES)]
        train = {name: np.concatenate([part[name] for part in parts]) for name in (*law.inputs, "y", "unit")}
        train["study"] = np.repeat(np.arange(STUDIES), rows)
        test = [{"study": key, **row} for key in range(STUDIES) for row in asked]
        test += [] if law.whole else [row for key in range(STUDIES) for row in _along(known, noise, key)]
        given = {"group": "unit"} if noise == "clustered" else {}
        options: dict[str, Any] = {"law": law, "label": "study", "quantities": sizes, "given": given}
        yield Case(f"{rows} rows", columns_frame(train), frame(test), law.inputs, **options)


def _along(known: Design, noise: str, key: int) -> Iterator[dict[str, Any]]:
    """The curve and new runs of one study, from the smallest run to 100 times the largest."""
    order = np.argsort(known.place)
    rows = {"smallest": order[0], "middle": order[len(order) // 2], "largest": order[-1]}
    at = {name: ({n: x[k] for n, x in known.x.items()}, known.place[k]) for name, k in rows.items()}
    at |= {name: ({n: x[-1] for n, x in far.items()}, 1.0) for name, far in zip(FAR, known.far, strict=True)}
    error = errors(noise, np.array([place for _, place in at.values()]), (1, key))
    for off, (name, (x, _)) in zip(error, at.items(), strict=True):
        y = float(known.law(known.truth, x))
        if name not in ("smallest", "largest"):
            yield {"study": key, "quantity": f"curve, {name}", **x, "y": y}
        if name != "middle" and noise != "clustered":
            yield {"study": key, "quantity": f"run, {name}", **x, "y": y * np.exp(off)}


def _methods(name: str, noise: str) -> tuple[str, ...]:
    """Whole curves by what takes seconds; another package where it has the law."""
    quick = ("sf.fit", "sf.fit, law as right", "sf.sandwich")
    if laws.get(name).whole:
        return quick
    ways = ("pairs", "cluster") if noise == "clustered" else ("pairs", "residual", "wild", "bayesian")
    resampled = (f"sf.bootstrap, {way}" for way in ways)
    return (*quick, "sf.profile", *resampled, *(("lmfit",) if name == "power_floor" else ()))


TASKS = tuple(
    Task(
        f"doubt/{name}_{noise}" if noise != "gaussian" else f"doubt/{name}",
        SIMULATED,
        f"{noise} errors of 1 %; coefficients, the curve and runs to 100 times the largest, the best size",
        partial(simulated, name, noise),
        RELATIVE,
        _methods(name, noise),
        asks="quantities",
        why="errors are normal, where least squares is the most efficient; sf.fit gives outliers less weight"
        if noise == "gaussian"
        else "",
        quick=1,
    )
    for name in LAWS
    for noise in NOISE
)
