"""Loss curves under nine learning-rate schedules (Luo et al. 2025, arXiv:2503.12811): fit three, predict six."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from rows import Row

import scalefit as sf

PEAK, WARMUP = 3e-4, 2160
# Published means over the six unseen schedules: R2, mean absolute error, RMSE, mean relative error.
PUBLISHED = {"25m": (0.9988, 0.00376, 0.00465, 0.00110), "100m": (0.9983, 0.00435, 0.00592, 0.00142)}
# The annealing law with lam = 0.999 as fitted elsewhere (scipy) to the same three schedules.
REFIT = {"25m": ({"L0": 3.0680, "A": 0.4913, "alpha": 0.5715, "C": 0.3977}, 0.0072),
         "100m": ({"L0": 2.6934, "A": 0.5533, "alpha": 0.5245, "C": 0.4754}, 0.0059)}  # fmt: skip
COLUMNS = {"step": "step", "eta": "lr", "curve": "schedule"}


def stated(schedule: str) -> pd.DataFrame:
    """The rows that state the schedule where the log says too little: warm-up, and where the rate bends or jumps."""
    step = np.linspace(0, WARMUP, 28)
    knots = {float(s): PEAK * s / WARMUP for s in step}
    kind, *numbers = schedule.split("_")
    if kind == "wsdcon":
        knots |= {7999.0: PEAK, 8000.0: int(numbers[0]) * 1e-5}
    if kind in ("wsd", "wsdld"):
        knots |= {20000.0: PEAK}
    return pd.DataFrame({"schedule": schedule, "step": knots.keys(), "lr": knots.values(), "loss": np.nan})


@cache
def curves(data: Path, model: str, split: str) -> pd.DataFrame:
    """The logged rows of one model and split, with the rows that state the schedules."""
    runs = pd.read_csv(data / "mpl_curves" / "curves.csv")
    runs = runs[(runs.model == model) & (runs.split == split)]
    runs = pd.concat([runs, *map(stated, runs.schedule.unique())])
    runs = runs.sort_values(["schedule", "step", "loss"], kind="stable", na_position="last")
    return runs.drop_duplicates(["schedule", "step"])[["schedule", "step", "lr", "loss"]].reset_index(
        drop=True
    )


def scores(predicted: np.ndarray, table: pd.DataFrame) -> tuple[float, ...]:
    """R2, mean absolute error, RMSE and mean relative error: of every schedule, then averaged over schedules."""
    found = []
    for _, rows in table.assign(error=predicted - table.loss).dropna(subset="loss").groupby("schedule"):
        spread = np.sum((rows.loss - rows.loss.mean()) ** 2)
        found.append((1 - np.sum(rows.error**2) / spread, rows.error.abs().mean(),
                      np.sqrt(np.mean(rows.error**2)), np.mean(rows.error.abs() / rows.loss)))  # fmt: skip
    return tuple(float(v) for v in np.mean(found, axis=0))


def _words(values: tuple[float, ...]) -> str:
    return f"R2 {values[0]:.4f}, MAE {values[1]:.5f}, RMSE {values[2]:.5f}, relative {values[3]:.5f}"


def _coefs(values) -> str:
    return ", ".join(f"{name} {value:.5g}" for name, value in values.items())


def multi_power_as_published(data: Path) -> list[Row]:
    found = []
    for model, published in PUBLISHED.items():
        table = curves(data, model, "test")
        x = {name: table[column].to_numpy() for name, column in COLUMNS.items()}
        x["curve"] = pd.factorize(x["curve"])[0]
        law = sf.laws.multi_power
        found.append(Row(f"{model}, multi-power law with the published coefficients, six unseen schedules",
                         _words(published), _words(scores(law(law.published[f"luo2025_{model}"], x), table))))  # fmt: skip
    return found


def _fitted(
    data: Path, law: sf.Law, model: str, prepared=lambda table: table
) -> tuple[sf.Fit, tuple[float, ...]]:
    fit = sf.fit(law, prepared(curves(data, model, "train")), COLUMNS, "loss", n_starts=8)
    test = prepared(curves(data, model, "test"))
    return fit, scores(fit.predict(test), test)


def _warm_up_counted(table: pd.DataFrame) -> pd.DataFrame:
    """A fall by next to nothing first, so that the warm-up is a rise like any later one."""
    first = table[table.step == 0].assign(lr=1e-20)
    table = pd.concat([first, table.assign(step=table.step.where(table.step > 0, 1e-6))])
    return table.sort_values(["schedule", "step"], kind="stable").reset_index(drop=True)


def multi_power_refitted(data: Path) -> list[Row]:
    found = []
    for model, published in PUBLISHED.items():
        fit, ours = _fitted(data, sf.laws.multi_power, model)
        found.append(Row(f"{model}, multi-power law fitted to three schedules, six unseen ones", _words(published),
                         _words(ours), f"{_coefs(fit.coefs)}; {fit.status}"))  # fmt: skip
    return found


def annealing(data: Path) -> list[Row]:
    found = []
    for model, (coefs, rmse) in REFIT.items():
        held = sf.laws.lr_annealing.fix(lam=0.999)
        fit, ours = _fitted(data, held, model, _warm_up_counted)
        found.append(Row(f"{model}, annealing law with lam 0.999 fitted to three schedules, six unseen ones",
                         f"{_coefs(coefs)}; RMSE {rmse}", f"{_coefs(fit.coefs)}; {_words(ours)}",
                         f"the warm-up counted as a rise, as in the reference; {fit.status}"))  # fmt: skip
        fit, ours = _fitted(data, held, model)
        found.append(Row(f"{model}, the same with the warm-up left out of the momentum", "", _words(ours),
                         f"{_coefs(fit.coefs)}; {fit.status}"))  # fmt: skip
        fit, ours = _fitted(data, sf.laws.lr_annealing, model)
        found.append(Row(f"{model}, annealing law with lam fitted too, six unseen schedules", "", _words(ours),
                         f"{_coefs(fit.coefs)}; {fit.status}"))  # fmt: skip
    return found


def functional(data: Path) -> list[Row]:
    found = []
    for model in REFIT:
        fit, ours = _fitted(data, sf.laws.fsl, model)
        found.append(Row(f"{model}, functional law fitted to three schedules, six unseen ones", "", _words(ours),
                         f"{_coefs(fit.coefs)}; {fit.status}"))  # fmt: skip
    return found


ROWS = (multi_power_as_published, multi_power_refitted, annealing, functional)
