"""From loss to error and accuracy, and from one loss to another.

arXiv:2403.08540 (errors of over-trained models), arXiv:2411.12925 (loss to loss), arXiv:2412.04403 (task ladder),
arXiv:2212.07143 (contrastive models), arXiv:2405.10938 (observational laws).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from rows import Row

import scalefit as sf

LINEAR = sf.square("linear")


def gadre_overtraining(data: Path) -> list[Row]:
    """Error law on six small runs per corpus; the two large runs predicted through the loss law."""
    runs = pd.read_csv(data / "gadre_overtraining" / "runs.csv")
    runs = runs.rename(columns={"n_params": "N", "n_tokens": "D", "loss_c4_val": "L", "err_avg_17": "error"})
    small = ["d=96_l=8_h=4", "d=512_l=8_h=4", "d=576_l=24_h=8", "d=1024_l=24_h=8"]
    rows = []
    for corpus, label in (("c4_original", "gadre2024_c4"), ("rpj", "gadre2024_redpajama"),
                          ("rw_original", "gadre2024_refinedweb")):  # fmt: skip
        table = runs[runs["train_set"] == corpus]
        m = table["chinchilla_multiplier"]
        first = (table["model"].isin(small) & (m == 1)) | ((table["model"] == small[0]) & (m == 16))
        second = first | ((table["model"] == "open_lm_1b") & (m == 1))
        loss = sf.fit(sf.laws.chinchilla.tie(beta="alpha"), table[first], y="L", objective=LINEAR)
        error = sf.fit("gadre_error", table[second], inputs={"L": "L"}, y="error", objective=LINEAR)
        published = sf.laws.gadre_error.published[label]
        rows += [Row(f"{corpus}: {name}", published[name], float(f"{error.coefs[name]:.4g}"), "as printed, four digits")
                 for name in published]  # fmt: skip
        if corpus == "rpj":
            far = table[(table["model"] == "open_lm_7b") | ((table["model"] == "open_lm_1b") & (m == 32))]
            chain = sf.chain(loss, error, table, inputs={"N": "N", "D": "D"}, y="error")
            off = 100 * np.abs(chain.predict({"N": far["N"], "D": far["D"]}) / far["error"] - 1)
            for model, figure, ours in zip(
                ("1.4B at 640 tokens per parameter", "6.9B at 20"), (3.6, 0.05), off, strict=True
            ):
                rows.append(Row(f"17-task error of {model}, relative error in %", figure, round(ours, 2),
                                "loss law (5 runs) and error law (6 runs) in sequence"))  # fmt: skip
    return rows


def loss_to_loss(data: Path) -> list[Row]:
    """The 276 fits of both loss laws against the released ones, on the released objective; exponents between losses."""
    folder = data / "loss_to_loss"
    sweep, published = pd.read_csv(folder / "sweep.csv.gz"), pd.read_csv(folder / "published_fits.csv")
    names = [*published["loss_name"].unique()]
    long = sweep.melt(["train_set", "n_params", "n_tokens"], names, "loss_name", "y").dropna()
    long = long.rename(columns={"n_params": "N", "n_tokens": "D"})
    keys, rows = ["train_set", "loss_name"], []
    for kaplan, law in enumerate(("chinchilla", "kaplan_nd_floor")):
        ours = sf.fit_groups(law, long, by=keys, y="y", objective=sf.huber(1e-3)).table()
        released = published[published["is_kaplan_form"] == kaplan].rename(
            columns={"a": "A", "b": "B", "e": "E"}
        )
        scores = []
        for table in (released, ours):
            each = long.merge(table, on=keys)
            y, at = each["y"].to_numpy(), sf.laws[law](each, each)
            each = each.assign(cost=_huber(np.log(at / y)), off=(at - y) ** 2)
            part = each.groupby(keys)
            scores.append((part["cost"].mean(), 1 - part["off"].mean() / part["y"].var(ddof=0)))
        better = int((scores[1][0] <= scores[0][0] * (1 + 1e-9)).sum())
        rows += [
            Row(f"{law}: fits of {len(ours)} at or below the released objective", "-", better,
                f"the released coefficients on the same rows; lowest ratio {(scores[1][0] / scores[0][0]).min():.3f}"),
            Row(f"{law}: median R2", float(released["r_squared"].median()), float(scores[1][1].median()), "in linear loss"),
        ]  # fmt: skip
    floors = published[(published["is_kaplan_form"] == 1) & (published["loss_name"] == "loss_own_val")]
    floors = floors.set_index("train_set")["e"]
    corpora = {
        "web": "fineweb-100b",
        "educational web": "fineweb-edu-100b",
        "code": "starcoder",
        "proofs": "proof-pile-2",
    }
    for first, second, kappa, K in (("web", "educational web", 0.99937, 0.98577), ("web", "code", 1.0904, 0.62303),
                                    ("web", "proofs", 1.0654, 0.5961), ("proofs", "web", 0.93729, 1.6238)):  # fmt: skip
        ends = [sweep[sweep["train_set"] == corpora[name]] for name in (first, second)]
        pairs = ends[0].merge(ends[1], on=["n_params", "isoflop_budget"], suffixes=("_0", "_1"))
        x, y = (pairs[f"loss_own_val_{k}"] - floors[corpora[name]] for k, name in enumerate((first, second)))
        fit = sf.fit("monomial", {"x": x, "y": y}, objective=sf.square())
        remark = f"{len(pairs)} pairs of equal size and compute; least squares in log reducible losses"
        rows += [Row(f"{first} to {second}: kappa", kappa, round(fit.coefs["p"], 5), remark),
                 Row(f"{first} to {second}: K", K, round(fit.coefs["k"], 5), remark)]  # fmt: skip
    return rows


def _huber(r: np.ndarray, delta: float = 1e-3) -> np.ndarray:
    size = np.abs(r)
    return np.where(size <= delta, r**2 / 2, delta * (size - delta / 2))


TASKS = ("hellaswag", "arc_challenge", "arc_easy", "piqa", "csqa", "socialiqa", "openbookqa", "mmlu_avg")


def openclip(data: Path) -> list[Row]:
    """Exponents of zero-shot error in compute: the best run of each of 5 bins of log compute, a line in logs."""
    runs = pd.read_csv(data / "openclip" / "zeroshot.csv.gz")
    rows = []
    for what, name, column, open_data, closed in (
        ("ImageNet", "imagenet1k", "acc1", -0.11, -0.16),
        ("MS-COCO retrieval", "mscoco_captions", "image_retrieval_recall_at_5", -0.08, -0.05),
    ):
        table = runs[runs["downstream_dataset"] == name]
        ours = table["upstream_dataset"] != "CLIP-WIT"
        x, y = np.log10(table["gmacs_total"][ours].to_numpy()), 1 - table[column][ours].to_numpy()
        edges = np.linspace(x.min(), x.max() + 0.1, 6)
        middle, bins = (edges[1:] + edges[:-1]) / 2, np.digitize(x, edges) - 1
        best = {"x": 10**middle, "y": [y[bins == k].min() for k in range(5)]}
        fit = sf.fit("monomial", best, objective=sf.square())
        rows.append(
            Row(
                f"{what}, LAION data: exponent", open_data, round(fit.coefs["p"], 3), "best of each of 5 bins"
            )
        )
        closed_runs = {"x": table["gmacs_total"][~ours], "y": 1 - table[column][~ours]}
        fit = sf.fit("monomial", closed_runs, objective=sf.square())
        rows.append(
            Row(f"{what}, CLIP data: exponent", closed, round(fit.coefs["p"], 3), "the three released models")
        )
    return rows


def observational(data: Path) -> list[Row]:
    """Principal capabilities of public models, and arithmetic tasks from them beyond the compute fitted on."""
    models = pd.read_csv(data / "obs_scaling" / "models.csv")
    benchmarks = [f"score_{name}" for name in ("mmlu", "arc_c", "hellaswag", "winograd", "truthfulqa", "gsm8k",
                                               "xwinograd", "humaneval")]  # fmt: skip
    scores = models[benchmarks].to_numpy(float)
    known = scores[~np.isnan(scores).any(axis=1)]
    share = np.linalg.svd(known - known.mean(axis=0), compute_uv=False) ** 2
    share = 100 * np.cumsum(share) / np.sum(share)
    rows = [
        Row(
            "variance of 8 benchmarks in 1 component, %",
            80.0,
            round(share[0], 1),
            f"{len(known)} complete models, centred",
        ),
        Row("in 3 components, %", 97.0, round(share[2], 1)),
    ]
    # Capabilities without the tasks predicted; gaps at the benchmark's mean.
    rest = scores[:, [k for k, name in enumerate(benchmarks) if name != "score_gsm8k"]]
    rest = np.where(np.isnan(rest), np.nanmean(rest, axis=0), rest)
    rest = rest - rest.mean(axis=0)
    first = np.linalg.svd(rest, full_matrices=False)[2][:3]
    part = rest @ (first * np.sign(first.sum(axis=1, keepdims=True))).T
    part = part / part.std(axis=0)
    flops = models["flops_1e21"].to_numpy()
    ours, alone = [], []
    for task in ("3ds", "3da", "2dm", "2da"):
        y = models[f"score_arithmetic_{task}_2_acc"].to_numpy()
        seen = np.isfinite(y) & np.isfinite(flops)
        train, test = seen & (flops <= 84), seen & (flops > 84)
        S = [{f"S_{k + 1}": part[rows_, k] for k in range(3)} for rows_ in (train, test)]
        fit = sf.fit(sf.laws.observational.fix(h=1.0), {**S[0], "y": y[train]}, y="y", objective=LINEAR)
        ours.append(np.mean((fit.predict(S[1]) - y[test]) ** 2))
        fit = sf.fit(
            sf.laws.owen_sigmoid.fix(b=0.0),
            {"C": 1e21 * flops[train], "y": y[train]},
            y="y",
            objective=LINEAR,
        )
        alone.append(np.mean((fit.predict({"C": 1e21 * flops[test]}) - y[test]) ** 2))
    rows.append(Row("4 arithmetic tasks above 8.4e22 FLOP: mean squared error", "lower from capabilities than from compute",
                    f"{np.mean(ours):.4f} against {np.mean(alone):.4f}", "3 components, height held at 1, fitted up to 8.4e22 FLOP; with a free height the fits are not identified"))  # fmt: skip
    return rows


ROWS = (gadre_overtraining, loss_to_loss, openclip, observational)
