"""Sums of powers on published runs: size and data, over-training, width and depth, context length."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from rows import Row

import scalefit as sf

SIZES = {"N": "n_params", "D": "n_tokens"}


def words(coefs, *names: str) -> str:
    return " ".join(f"{name} {coefs[name]:.4g}" for name in names or coefs)


def kyo_chinchilla_runs(data: Path) -> list[Row]:
    runs = pd.read_csv(data / "kyo_chinchilla_runs" / "runs.csv")
    printed = {"E": 1.700, "A": 184.7, "B": 1633.0, "alpha": 0.2890, "beta": 0.3558}
    fit = sf.fit("chinchilla", runs, SIZES, "loss")
    x = {"N": runs.n_params, "D": runs.n_tokens}
    theirs = fit.objective.residual(sf.laws.chinchilla(printed, x), runs.loss.to_numpy())
    value = float(np.sum(np.where(np.abs(theirs) < 1e-3, theirs**2 / 2, 1e-3 * (np.abs(theirs) - 5e-4))))
    return [
        Row("objective at the repository's coefficients and at ours", value, fit.value, words(fit.coefs)),
        Row(
            "alpha",
            0.2890,
            fit.coefs["alpha"],
            "the repository's coefficients are no minimum of this objective",
        ),
        Row("beta", 0.3558, fit.coefs["beta"]),
    ]


def gemstones(data: Path) -> list[Row]:
    runs = pd.read_csv(data / "gemstones" / "losses.csv")
    inputs = {"w": "width", "d": "depth", **SIZES}
    rows = []
    for corpus, table in runs.groupby("eval_set"):
        two = sf.fit("chinchilla", table, SIZES, "loss", objective=sf.huber(1e-4))
        four = sf.fit("gemstones_shape", table, inputs, "loss", objective=sf.huber(1e-4))
        rows += [
            Row(f"{corpus}: objective by size and data", "2.07602e-4 on training loss", two.value,
                f"the paper's training losses are not released; {len(table)} evaluations here; {words(two.coefs)}"),
            Row(f"{corpus}: objective with width and depth", "1.11878e-4 on training loss", four.value, words(four.coefs)),
            Row(f"{corpus}: ratio of the two", 1.11878 / 2.07602, four.value / two.value, "another loss on more checkpoints: not the same quantity"),
        ]  # fmt: skip
    return rows


def isoflops(data: Path) -> list[Row]:
    runs = pd.read_csv(data / "isoflops" / "runs.csv")
    runs = runs[(runs.source == "ml_scalefit") & (runs.flops_budget < 1e21)]
    runs = runs.assign(N=runs.n_params / 1e6, D=runs.n_tokens / 1e9)
    fit = sf.fit("chinchilla", runs, {"N": "N", "D": "D"}, "loss", objective=sf.square("linear"))
    spread = np.sum((runs.loss - runs.loss.mean()) ** 2)
    rows = [
        Row(name, value, fit.coefs[name], f"{len(runs)} points below 1e21 FLOP; the published fit has 217")
        for name, value in (("E", 1.9051), ("A", 4.0005), ("B", 1.0509), ("alpha", 0.3511), ("beta", 0.4587))
    ]
    return [*rows, Row("R2", 0.99604, float(1 - fit.value / spread))]


def llama2_context(data: Path) -> list[Row]:
    points = pd.read_csv(data / "llama2_context" / "points.csv")
    rows = []
    for size, table in points.groupby("n_params_b"):
        fit = sf.fit("power_floor", table, {"x": "context_length"}, "loss")
        spread = float(np.sqrt(np.mean(np.log(fit.predict({"x": table.context_length}) / table.loss) ** 2)))
        rows.append(
            Row(
                f"{size}B: root mean square of the log residuals",
                "no figures given",
                spread,
                words(fit.coefs),
            )
        )
    return rows


ROWS = (kyo_chinchilla_runs, gemstones, isoflops, llama2_context)
