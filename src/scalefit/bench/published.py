"""Published: numbers of papers, found again by fits to their own runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from scalefit import datasets, laws
from scalefit.bench.records import Case, Task
from scalefit.bench.scores import RELATIVE
from scalefit.bench.sources import SOURCES
from scalefit.bench.splits import grouped, named, starting
from scalefit.core.objective import huber, square
from scalefit.frames import Frame, frame

__all__ = ["TASKS"]


def _case(
    name: str, law: Any, table: Frame, published: Mapping[str, float], objective, **quantities: Any
) -> Case:
    asked = frame({"quantity": quantity, "y": value} for quantity, value in published.items())
    return Case(name, table, asked, law.inputs, law=law, objective=objective, quantities=quantities)


def chinchilla() -> Iterator[Case]:
    """Coefficients and objective of the replication of approach 3, on 240 and on all 245 points."""
    runs = named(datasets.fetch("chinchilla_epoch"), "loss")
    law, goal = laws.get("chinchilla"), huber(1e-3)
    known = {"objective": 0.00101827, "alpha": 0.34731, "beta": 0.36717, "E": 1.8172}
    yield _case("240 points", law, runs[runs.used_in_replication == 1], known, goal)
    yield _case("245 points", law, runs, {"objective": 0.00182601, "alpha": 0.34931, "beta": 0.45305}, goal)


def _off(at: Mapping[str, float], truth: float, fit: Any, level: float | None, model_error: bool) -> float:
    """Relative error of a prediction, in percent."""
    return 100 * float(abs(fit.predict({name: [value] for name, value in at.items()})[0] / truth - 1))


def gadre() -> Iterator[Case]:
    """Coefficients from five runs per corpus, and how far two large runs are missed on one."""
    runs = datasets.fetch("gadre_overtraining")
    runs = runs.assign(
        M=runs.n_tokens / runs.n_params, C=6.0 * runs.n_params * runs.n_tokens, y=runs.loss_c4_val
    )
    m, N, law = runs.chinchilla_multiplier, runs.n_params, laws.get("gadre_loss")
    fitted = ((m == 1) & (N < 1e9)) | ((m == 16) & (N < 2e7))
    for corpus, label in (("c4_original", "c4"), ("rpj", "redpajama"), ("rw_original", "refinedweb")):
        own, known, off = runs.train_set == corpus, dict(law.published[label]), {}
        known = {name: known[name] for name in ("E", "a", "b", "eta")}
        for what, value, large in (
            ("1.4B at M = 640, error in %", 0.7103, (N > 1e9) & (N < 3e9) & (m == 32)),
            ("6.9B at M = 20, error in %", 0.7321, N > 3e9),
        ):
            if label == "redpajama":
                row = runs[own & large].iloc[0]
                known[what], off[what] = value, partial(_off, {"C": row.C, "M": row.M}, row.y)
        yield _case(label, law, runs[own & fitted], known, square("linear"), **off)


def _spread(rows: Frame, fit: Any, level: float | None, model_error: bool) -> float:
    """Root mean square error of the log at these rows."""
    told = fit.predict({name: rows[name].to_numpy() for name in fit.law.inputs})
    return float(np.sqrt(np.mean(np.log(told / rows.y.to_numpy()) ** 2)))


def addition() -> Iterator[Case]:
    """The broken law of four-digit addition: errors at the 14 fitted points and the last three."""
    t = named(datasets.fetch("bnsl_addition"), "test_cross_entropy", x="dataset_size")
    train, test = t[t.split == "train"], t[t.split == "test"]
    errors = {"rms, fitted": partial(_spread, train), "rms, last three": partial(_spread, test)}
    known = {"rms, fitted": 0.0006, "rms, last three": 0.0109}
    yield _case("4 digits", laws.get("bnsl"), train, known, square("log"), **errors)


def fine_tuning() -> Iterator[Case]:
    """The rectified law on 48 curves of fine-tuning: root mean square error of the log of each."""
    curves = datasets.fetch("sft_rectified", "curves.csv").query("n_samples > 0")
    table = datasets.fetch("sft_rectified", "published_rmsd.csv")
    printed = {
        name: float(rows.rmsd_log_rectified.iloc[0]) for name, rows in grouped(table, ["task", "model"])
    }
    for name, rows in grouped(curves, ["task", "model"]):
        t = named(rows, "loss", D_F="n_samples")
        error = {"rms": partial(_spread, t)}
        yield _case(name, laws.get("rectified_ft"), t, {"rms": printed[name]}, square("log"), **error)


def _ranked(rows: Frame, fit: Any, level: float | None, model_error: bool) -> float:
    """Rank correlation in percent."""
    told = fit.predict({name: rows[name].to_numpy() for name in fit.law.inputs})
    return 100 * float(spearmanr(told, rows.y.to_numpy()).statistic)


def regmix() -> Iterator[Case]:
    """Ranks of mixtures told by a line through 512 small models, at three sizes."""
    tables = {
        name: datasets.fetch("regmix", f"{name}.csv")
        for name in ("train_1m", "test_1m", "test_60m", "test_1b")
    }
    shares = starting(tables["train_1m"], "weight_")
    law = laws.get("regmix_linear").sized(domain=len(shares))
    inputs = {f"h_{k}": name for k, name in enumerate(shares, 1)}
    known = {"test_1m": 90.1, "test_60m": 89.3, "test_1b": 88.0}
    rows = {name: named(table, "loss_pile_cc", **inputs) for name, table in tables.items()}
    ranks = {name: partial(_ranked, rows[name]) for name in known}
    yield _case("Pile-CC", law, rows["train_1m"], known, square("linear"), **ranks)


def _exponent(fit: Any, level: float | None, model_error: bool) -> tuple[float, float, float]:
    """a of N* ~ C^a: of an isoFLOP analysis, or b / (a + b) of the joint law, without an interval."""
    if "alpha" in fit.coefs:
        return fit.coefs["beta"] / (fit.coefs["alpha"] + fit.coefs["beta"]), np.nan, np.nan
    return fit.coefs["a"], *fit.interval("a", level)


def porian() -> Iterator[Case]:
    """Exponents of the best size by compute of 15 sweeps."""
    points = datasets.fetch("porian_isoflop", "isoflop_points.csv")
    told = datasets.fetch("porian_isoflop", "published_fits.csv")
    keys = ["dataset", "hparams", "warmup", "decay", "param_count", "eval"]
    known = {name: float(rows.n_exponent.iloc[0]) for name, rows in grouped(told, keys)}
    for name, rows in grouped(points, keys):
        asked = frame([{"quantity": "a", "y": known[name]}])
        table, law = named(rows, "loss"), laws.get("chinchilla")
        given = {"budget": "flops"}
        yield Case(name, table, asked, law.inputs, law=law, quantities={"a": _exponent}, given=given)


METHODS = ("sf.fit, law as right",)
ISOFLOP = ("sf.isoflop", "sf.isoflop, parabola", "sf.isoflop, cubic", "sf.fit, law as right")
TASKS = tuple(
    Task(
        f"published/{name}",
        SOURCES[source],
        "none: the paper's own numbers",
        cases,
        RELATIVE,
        ISOFLOP if name == "porian" else METHODS,
        asks="quantities",
        intervals=name == "porian",
    )
    for name, source, cases in (
        ("chinchilla", "chinchilla_epoch", chinchilla),
        ("gadre", "gadre_overtraining", gadre),
        ("addition", "bnsl_addition", addition),
        ("fine_tuning", "sft_rectified", fine_tuning),
        ("regmix", "regmix", regmix),
        ("porian", "porian_isoflop", porian),
    )
)
