"""A ledger of hindcasts: the largest runs of public tables, foretold from the smaller ones and settled.

    SCALEFIT_DATA=... python benchmarks/hindcasts.py [FOLDER]

One rule for all: `sf.extrapolate` with its defaults on every run of a smaller budget (of a shorter length, for
curves), kept by `sf.preregister`, settled by `sf.settle`. The target is the run of the largest budget; among
several of one budget the one of the lowest loss, which is what a plan would aim at. Where settings were swept
at equal sizes, the best run of each cell is taken, before the target is set apart. Writes hindcasts.md.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import scalefit as sf

ND = {"N": "n_params", "D": "n_tokens"}
RESULTS = Path(__file__).with_name("hindcasts.md")


class Case(NamedTuple):
    """One hindcast: its runs, what is scaled, the output, and how large each run is."""

    name: str
    runs: pd.DataFrame
    inputs: dict[str, str]
    y: str
    size: pd.Series


def best(runs: pd.DataFrame, by: list[str], y: str) -> pd.DataFrame:
    """The run of the lowest loss of every cell."""
    return runs.loc[runs.groupby(by)[y].idxmin()]


def budget(runs: pd.DataFrame, inputs: dict[str, str]) -> pd.Series:
    return 6.0 * runs[inputs["N"]] * runs[inputs["D"]]


def cases() -> Iterator[Case]:
    fetch: Callable[..., pd.DataFrame] = sf.datasets.fetch
    runs = fetch("chinchilla_epoch")
    runs = runs[runs["used_in_replication"] == 1]
    yield Case("chinchilla", runs, ND, "loss", budget(runs, ND))
    gadre = fetch("gadre_overtraining")
    for corpus, runs in gadre.groupby("train_set"):
        yield Case(f"gadre {corpus}", runs, ND, "loss_c4_val", budget(runs, ND))
    sweep = fetch("loss_to_loss", "sweep.csv.gz")
    for corpus, runs in sweep.groupby("train_set"):
        runs = runs.dropna(subset=["loss_own_val"])
        yield Case(f"loss_to_loss {corpus}", runs, ND, "loss_own_val", runs["isoflop_budget"])
    runs = fetch("olmo_ladder", "final.csv").dropna(subset=["loss_c4"])
    yield Case("olmo_ladder", runs, ND, "loss_c4", budget(runs, ND))
    runs = best(fetch("misfitting", "final.csv"), ["n_params", "n_tokens"], "loss")
    yield Case("misfitting", runs, ND, "loss", budget(runs, ND))
    inputs = {"N": "n_params_no_embed", "D": "n_tokens"}
    runs = best(fetch("steplaw", "dense.csv"), list(inputs.values()), "smooth_train_loss")
    yield Case("steplaw", runs, inputs, "smooth_train_loss", budget(runs, inputs))
    runs = fetch("quest_quantization")
    runs = runs[(runs["w_bits"] == 16) & (runs["a_bits"] == 16)]
    yield Case("quest 16 bits", runs, inputs, "loss", budget(runs, inputs))
    porian = fetch("porian_isoflop", "isoflop_points.csv")
    tuned = porian[porian["hparams"] == "tuned"]
    for corpus, runs in tuned.groupby("dataset"):
        runs = best(runs, ["n_params", "n_tokens"], "loss")
        yield Case(f"porian {corpus}", runs, ND, "loss", runs["flops"])
    xlstm = fetch("xlstm_isoflop").dropna(subset=["val_loss"])
    for arch, runs in xlstm.groupby("arch"):
        runs = best(runs, ["n_params", "n_tokens"], "val_loss")
        yield Case(f"xlstm {arch}", runs, ND, "val_loss", budget(runs, ND))
    curves = fetch("alabdulmohsin_curves")
    for (task, model), runs in curves[curves["domain"] == "NMT"].groupby(["task", "model"]):
        yield Case(f"{task} {model}", runs, {"D": "n_seen"}, "loss", runs["n_seen"])


def parts(case: Case) -> tuple[pd.DataFrame, pd.Series]:
    """The runs known before, and the one foretold."""
    # Budgets that differ by rounding, or by how a nominal one was met, are one.
    largest = (
        case.size >= 0.8 * case.size.max()
        if "D" in case.inputs and "N" in case.inputs
        else (case.size == case.size.max())
    )
    known = case.runs[case.size < 0.5 * case.size.max()] if len(case.inputs) == 1 else case.runs[~largest]
    target = case.runs[largest]
    return known, target.loc[target[case.y].idxmin()]


def main(folder: Path) -> None:
    warnings.simplefilter("ignore")
    lines = []
    for case in cases():
        known, target = parts(case)
        path = folder / f"{case.name.replace(' ', '_').replace('/', '_')}.json"
        try:
            ahead = sf.extrapolate(known, inputs=case.inputs, y=case.y)
            at = {name: float(target[column]) for name, column in case.inputs.items()}
            # From few runs the answer is a law of compute.
            at |= {"C": 6 * at["N"] * at["D"]} if {"N", "D"} <= set(at) else {}
            kept = sf.preregister(
                ahead, path, at, name=case.name, assumptions=f"{len(known)} smaller runs of the same recipe"
            )
        except ValueError as error:
            lines.append(f"- {case.name}: no forecast ({error})")
            print(lines[-1], flush=True)
            continue
        told = sf.settle(kept.path, float(target[case.y]))
        print(told.scores[0], flush=True)
    book = sf.ledger(folder)
    print(book)
    RESULTS.write_text(page(book, lines))


def page(book: Any, refused: list[str]) -> str:
    """The ledger as Markdown."""
    table = book.frame.assign(error=[f"{e:+.2f} %" for e in book.frame["error"]])
    shown = table[["name", "mean", "lo", "hi", "measured", "inside", "error", "pit", "distance"]]
    quarter = np.histogram(book.frame["pit"], np.linspace(0, 1, 5))[0]
    median = book.frame["error"].abs().median()
    return "\n".join(
        [
            "# Hindcasts",
            "",
            "Written by `benchmarks/hindcasts.py`, which says the rule. The largest run of each table is foretold",
            "by `sf.extrapolate` from smaller runs alone, kept by `sf.preregister`, and settled. These are",
            "hindcasts: the runs were known to whoever wrote scalefit, and its constants (recency, the width of",
            "the objective, how far laws err) were chosen with these families of data in view, so the shares",
            "below flatter. Several rows come from one table, so they are not independent either. The run foretold",
            "is the best of the largest budget, while the law is of all runs, so forecasts lie a little high.",
            "",
            f"{repr(book).splitlines()[0]}; median error {median:.2f} %.",
            "",
            sf.to_markdown(book.calibration),
            "",
            "Of a forecast that is right, a quarter of the runs lies in each quarter of its distribution;",
            f"here, from the lowest quarter up: {', '.join(map(str, quarter))}.",
            "",
            sf.to_markdown(shown),
            "",
            *refused,
            *([""] if refused else []),
        ]
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(Path(folder))
