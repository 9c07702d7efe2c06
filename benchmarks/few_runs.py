"""Priors for forecasts from three to six runs, learnt from public sweeps of loss by compute, and how they do.

    python benchmarks/few_runs.py                   # the shipped priors: error and coverage, into few_runs.md
    python benchmarks/few_runs.py --learn           # learn them anew, and for each family without it (30 minutes)

A case is the three, four, five or six smallest budgets of a sweep, foretelling its largest. Families count alike.
Priors minimise the mean over families of the log of the mean interval score (90 %, a new run, log loss), with a
mild pull to where the search begins, since families are few.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from multiprocessing import Pool
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import stdtr

from scalefit.validation import few_runs
from scalefit.validation.few_runs import PRIOR, Prior, decline, told

HERE = Path(__file__).parent
DATA = Path(os.environ.get("SCALEFIT_DATA", ""))
# logit phi: mean, log sd; log alpha: mean, log sd; log kappa, log shape, log scale; and their pull.
BEGIN = np.array([0.4, -0.36, -1.9, -0.7, -1.2, 0.4, -5.3])
PULL = np.array([0.5, 0.5, 0.4, 0.5, 1.5, 1.0, 1.0])
COARSE = 21
# By how much kappa is more than what is learnt: another family bends otherwise than those in view, and with
# this factor the priors hold 85 to 90 % of families they have not seen (82 to 88 without).
WIDER = 3.0


class Case(NamedTuple):
    """The smallest budgets of a sweep and the largest one."""

    family: str
    x: np.ndarray
    y: np.ndarray
    at: float
    loss: float


def best(runs: pd.DataFrame, budget: str, loss: str) -> tuple[np.ndarray, np.ndarray]:
    """The lowest loss of each budget."""
    lowest = runs.dropna(subset=[loss]).groupby(budget)[loss].min()
    return lowest.index.to_numpy(float), lowest.to_numpy(float)


def frontier(runs: pd.DataFrame, loss: str) -> tuple[np.ndarray, np.ndarray]:
    """The lowest loss of each half decade of compute, where it stands."""
    half = np.floor(2 * np.log10(runs["flops"]))
    lowest = runs.loc[runs.groupby(half)[loss].idxmin()]
    return lowest["flops"].to_numpy(float), lowest[loss].to_numpy(float)


def sweeps() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """(family, budgets, losses) of every sweep over compute in the shared tables."""
    runs = pd.read_csv(DATA / "porian_isoflop" / "isoflop_points.csv")
    for _, own in runs.groupby(["dataset", "hparams", "warmup", "decay", "param_count", "eval"]):
        yield "porian", *best(own, "flops", "loss")
    runs = pd.read_csv(DATA / "isoflops" / "runs.csv")
    for _, own in runs[runs["is_outlier_by_repo"] == 0].groupby(
        ["source", "dataset", "model", "condition"], dropna=False
    ):
        yield "isoflops", *best(own, "flops_budget", "loss")
    runs = pd.read_csv(DATA / "gadre_overtraining" / "runs.csv")
    for loss in ("loss_openlm", "loss_c4_val", "loss_paloma_redpajama"):
        for _, own in runs.groupby(["train_set", "chinchilla_multiplier"]):
            yield "gadre", *best(own, "flops", loss)
    runs = pd.read_csv(DATA / "olmo_ladder" / "final.csv").astype({"n_params": float})
    runs["flops"] = 6 * runs["n_params"] * runs["n_tokens"]
    for loss in ("loss_c4", "loss_pile", "loss_wikitext103"):
        for _, own in runs.groupby("chinchilla_multiple"):
            yield "olmo", *best(own, "flops", loss)
    yield "kyo", *frontier(pd.read_csv(DATA / "kyo_chinchilla_runs" / "runs.csv"), "loss")
    runs = pd.read_csv(DATA / "loss_to_loss" / "sweep.csv.gz")
    for loss in ("loss_own_val", "loss_val_c4"):
        for _, own in runs.groupby("train_set"):
            yield "loss_to_loss", *best(own, "isoflop_budget", loss)
    runs = pd.read_csv(DATA / "steplaw" / "dense.csv").astype({"n_params_no_embed": float})
    runs["flops"] = 6 * runs["n_params_no_embed"] * runs["n_tokens"]
    for _, own in runs.groupby("n_params_no_embed"):
        yield "steplaw", *best(own, "flops", "smooth_train_loss")
    for _, own in pd.read_csv(DATA / "gemstones" / "losses.csv").groupby("eval_set"):
        yield "gemstones", *frontier(own, "loss")


def cases() -> list[Case]:
    found = []
    for family, x, y in sweeps():
        order = np.argsort(x)
        for n in (3, 4, 5, 6):
            if len(x) > n:
                first, last = order[:n], order[-1]
                found.append(Case(family, x[first], y[first], float(x[last]), float(y[last])))
    return found


def quantiles(case: Case, prior: Prior, shares: np.ndarray) -> np.ndarray:
    """Log losses of a new run at the largest budget, by bisection; `few_runs.limit` for several at once."""
    seen, ahead = told(case.x, case.y, prior), np.log10(case.at / np.max(case.x))
    centre = seen.middle + decline(seen.places, np.array([ahead]))[:, 0]
    spread = np.sqrt(seen.rate / seen.shape * (1 + prior.kappa * ahead + seen.worth))
    lo, hi = (
        np.full(len(shares), end) for end in (np.min(centre - 99 * spread), np.max(centre + 99 * spread))
    )
    for _ in range(40):
        middle = (lo + hi) / 2
        below = stdtr(2 * seen.shape, (middle[:, None] - centre) / spread) @ seen.share < shares
        lo, hi = np.where(below, middle, lo), np.where(below, hi, middle)
    return (lo + hi) / 2


def as_prior(p: np.ndarray) -> Prior:
    return Prior((p[0], np.exp(p[1])), (p[2], np.exp(p[3])), *np.exp(p[4:]))


def shipped(p: list[float]) -> Prior:
    """What is learnt, with a wider walk."""
    prior = as_prior(np.array(p))
    return prior._replace(kappa=WIDER * prior.kappa)


def goal(p: np.ndarray, part: list[Case]) -> float:
    prior, by_family = as_prior(p), {}
    for case in part:
        lo, hi = quantiles(case, prior, np.array([0.05, 0.95]))
        y = np.log(case.loss)
        by_family.setdefault(case.family, []).append(hi - lo + 20 * max(lo - y, 0) + 20 * max(y - hi, 0))
    pull = 0.02 * np.sum(((p - BEGIN) / PULL) ** 2) / np.sqrt(len(by_family))
    return float(np.mean([np.log(np.mean(scores)) for scores in by_family.values()]) + pull)


def learnt(without: str | None) -> tuple[str | None, list[float]]:
    few_runs.CELLS = COARSE
    part = [case for case in cases() if case.family != without]
    simplex = np.vstack([BEGIN, BEGIN + 0.3 * np.eye(len(BEGIN))])
    options = {"maxfev": 140, "xatol": 0.02, "fatol": 0.002, "initial_simplex": simplex}
    return without, minimize(goal, BEGIN, (part,), "Nelder-Mead", options=options).x.tolist()


def scored(part: list[Case], prior: Prior) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for case in part:
        lo, middle, hi = quantiles(case, prior, np.array([0.05, 0.5, 0.95]))
        y, last = np.log(case.loss), np.log(case.y[np.argmax(case.x)])
        rows.append(
            {
                "family": case.family,
                "runs": len(case.x),
                "error": abs(middle - y),
                "last": abs(last - y),
                "inside": lo <= y <= hi,
                "half": (hi - lo) / 2,
                "decades": np.log10(case.at / np.max(case.x)),
            }
        )
    return pd.DataFrame(rows)


def lines(table: pd.DataFrame, by: str) -> Iterator[str]:
    yield f"| {by} | cases | decades ahead | median error | last value's | inside 90 % | half-width |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for name, own in table.groupby(by, sort=False):
        middle = own[["decades", "error", "last", "half"]].median()
        yield (
            f"| {name} | {len(own)} | {middle['decades']:.1f} | {middle['error']:.2%} | {middle['last']:.1%} | "
            f"{own['inside'].mean():.0%} | {middle['half']:.2%} |"
        )


def page(left_out: pd.DataFrame | None, shipped: pd.DataFrame) -> str:
    said = ["# Three to six runs", "", f"Priors: {PRIOR}.", ""]
    for title, table in (("With priors learnt without the family judged", left_out), ("As shipped", shipped)):
        if table is None:
            continue
        alike = table.groupby(["runs", "family"])["inside"].mean().groupby("runs").mean()
        said += [f"## {title}", "", *lines(table, "runs"), "", *lines(table, "family"), ""]
        said += [
            "Inside, families alike: " + ", ".join(f"{n} runs {v:.0%}" for n, v in alike.items()) + ".",
            "",
        ]
    return "\n".join(said)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--learn", action="store_true")
    options = parser.parse_args()
    every, kept = cases(), HERE / "few_runs.json"
    if options.learn:
        families = list(dict.fromkeys(case.family for case in every))
        with Pool(os.cpu_count()) as pool:
            found = pool.map(learnt, [None, *families], chunksize=1)
        kept.write_text(json.dumps({str(name): p for name, p in found}, indent=1) + "\n")
    found = json.loads(kept.read_text()) if kept.exists() else {}
    priors = {name: shipped(p) for name, p in found.items()}
    print("PRIOR =", priors.pop("None", None))
    parts = [scored([case for case in every if case.family == name], p) for name, p in priors.items()]
    text = page(pd.concat(parts) if parts else None, scored(every, PRIOR))
    (HERE / "few_runs.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
