"""Parallel streams, quantised training and mixtures of experts: the papers' fits beside ours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from rows import Row

import scalefit as sf
from scalefit.laws import formats

COLUMNS = {"N": "n_params_no_embed", "D": "n_tokens"}


def parallel_streams(data: Path) -> list[Row]:
    """arXiv:2505.10475: all 24 losses per corpus; and SLDBench's split, fitted on P up to 4, scored on P = 8."""
    runs = pd.read_csv(data / "sldbench_parallel" / "runs.csv")
    columns = {"N": "n_params", "P": "parallel_size"}
    law, rows, held_out = sf.laws.parscale, [], []
    for group, label, R2 in (("stack", "code", 0.9978), ("pile", "general", 0.9987)):
        here = runs[runs.group == group]
        fit, paper = sf.fit(law, here, columns), law.published[label]
        rows += [Row(f"{label}: {name}", paper[name], fit.coefs[name]) for name in law.names]
        rows.append(Row(f"{label}: R2", R2, _r2(here.loss, fit.predict(fit.data.x))))
        objective = _cost(law(paper, fit.data.x), here.loss)
        rows.append(
            Row(f"{label}: objective", objective, fit.value, "published: at the coefficients printed")
        )
        test = here[here.split == "test"]
        early = sf.fit(law, here[here.split == "train"], columns)
        held_out.append((test.loss, early.predict({k: test[v].to_numpy() for k, v in columns.items()})))
    y, predicted = (np.concatenate(parts) for parts in zip(*held_out, strict=True))
    rows.append(
        Row("SLDBench, R2 on P = 8 of both corpora", 0.9999, _r2(y, predicted), "same law, fitted on P <= 4")
    )
    return rows


def quantised_training(data: Path) -> list[Row]:
    """arXiv:2502.05003 (QuEST): one worth per format, over all 104 runs; squared log residuals reproduce the paper.

    The paper does not say how formats were pooled or how wide its Huber function is: of 18 readings (six subsets of
    rows, three widths) this is the one that matches, so it shows that the fit can be reproduced, not more.
    """
    runs = _quest(data)
    labels = ["16", *sorted(set(runs.label) - {"16"})]
    runs["format"] = [labels.index(label) for label in runs.label]
    law = sf.laws.frantar_eff.sized(format=len(labels) - 1)
    squares = sf.huber(1.0, "log")
    fit = sf.fit(law, runs, COLUMNS, objective=squares)
    paper = {"E": 0.0014, "A": 8.134, "B": 86.41, "alpha": 0.06273, "beta": 0.2413}
    worth = {"1": 0.0205, "2": 0.152, "3": 0.433, "4": 0.692, "8": 1.016, "w4": 0.840}
    eff = {label: f"eff_{labels.index(label)}" for label in worth}
    rows = [Row(name, value, fit.coefs[name], "104 runs, 16 formats; the reading of 18 that matches" if name != "E" else "not identified: near zero")
            for name, value in paper.items()]  # fmt: skip
    rows += [Row(f"eff({label})", value, fit.coefs[eff[label]]) for label, value in worth.items()]
    # The formats whose worth was not printed are taken at ours.
    printed = {**fit.coefs, **paper, **{eff[label]: value for label, value in worth.items()}}
    at_paper = _cost(law(printed, fit.data.x), runs.loss, 1.0)
    rows.append(
        Row(
            "objective (half the sum of squares)",
            at_paper,
            fit.value,
            "published: other formats at our worth",
        )
    )
    robust = sf.fit(law, runs, COLUMNS)
    rows.append(Row("beta with Huber 1e-3", 0.2413, robust.coefs["beta"],
                    f"A {robust.coefs['A']:.4g}, alpha {robust.coefs['alpha']:.4g}, B {robust.coefs['B']:.4g}"))  # fmt: skip
    return rows


def capacity_of_formats(data: Path) -> list[Row]:
    """arXiv:2506.01863: worth of a format from its error on Gaussian numbers, against one free worth per format.

    The paper's runs are not public; these are QuEST's with weights and activations of the same 1 to 16 bits.
    """
    runs = _quest(data)
    runs = runs[runs.label.isin(["16", "1", "2", "3", "4", "8"])]
    runs = runs.assign(
        bits=runs.label.astype(float), a=runs.label.astype(float), kv=16.0,
        gmse=[0.0 if label == "16" else formats.uniform(int(label)) for label in runs.label],
        format=[("16", "1", "2", "3", "4", "8").index(label) for label in runs.label],
    )  # fmt: skip
    saturation = sf.laws.kumar_precision.fix(g_kv=0.5, n_w=0.0, n_a=0.0, n_kv=0.0).tie(g_a="g_w")
    tried = (
        ("one worth per format", 1.9e-3, sf.laws.frantar_eff.sized(format=5), {}),
        ("capacity from the Gaussian error", 2.1e-3, sf.laws.panferov_capacity, {}),
        ("1 - exp(-bits/g)", 4.5e-3, saturation, {"P_w": "bits", "P_a": "a", "P_kv": "kv"}),
    )
    rows = []
    for what, published, law, more in tried:
        fit = sf.fit(law, runs, {**COLUMNS, **more}, objective=sf.huber(1.0, "log"))
        rms = np.sqrt(2 * fit.value / len(runs))
        rows.append(
            Row(
                f"fit error, {what}",
                published,
                float(rms),
                "other runs than the paper's; ours: r.m.s. of logs",
            )
        )
    return rows


def routed_models(data: Path) -> list[Row]:
    """Finished SPM runs of arXiv:2502.18969, best learning rate per size and expert count; no published fit."""
    runs = pd.read_csv(data / "misfitting" / "moe.csv")
    dense = pd.read_csv(data / "misfitting" / "final.csv")
    size = dense.groupby(dense.model.str.removeprefix("misfitting_")).n_params_no_embed.first()
    runs = runs[(runs.finished == 1) & (runs.router == "spm")].assign(
        N=lambda t: t.model.map(size), loss=lambda t: np.log(t.c4_ppl)
    )
    best = runs.loc[runs.groupby(["N", "n_experts"]).loss.idxmin()]
    # 14 points at about 20 tokens per parameter do not determine saturation: it is taken from the paper.
    law = sf.laws.clark_routed.fix(E_s=1.847, E_m=314.478, c=0.0)
    fit = sf.fit(law, best, {"N": "N", "E_x": "n_experts"})
    free = sf.fit("clark_routed", best, {"N": "N", "E_x": "n_experts"})
    return [
        Row("size exponent a (c = 0)", "none", fit.coefs["a"],
            "tokens grow with N here; -0.082 in arXiv:2202.01169, S-BASE, 130e9 tokens"),
        Row("expert exponent b (c = 0)", "none", fit.coefs["b"],
            "-0.108 there: experts hardly help in runs this short"),
        Row("trust in a free fit of six coefficients", "none", free.status.trust, "c, b and E_m trade off"),
    ]  # fmt: skip


def experts_and_tokens(data: Path) -> list[Row]:
    """Step Law's mixtures of experts (arXiv:2503.04715): best run per model and token count; no published fit."""
    runs = pd.read_csv(data / "steplaw" / "moe.csv").rename(columns={"smooth_train_loss": "loss"})
    best = runs.loc[runs.groupby(["n_params_active", "n_tokens"]).loss.idxmin()]
    best = best.assign(E_x=best.n_experts / best.top_k)
    columns = {"N": "n_params_active", "D": "n_tokens"}
    plain = sf.fit("chinchilla", best, columns)
    # Four models of one total size: active size and experts move together, so one of the two must be left out.
    law = sf.laws.joint_moe.fix(E_s=1.847, E_m=314.478, g=0.0, z=0.0, omega=0.0, alpha=0.2)
    routed = sf.fit(law, best, {**columns, "E_x": "E_x"})
    return [
        Row("data exponent, chinchilla in active parameters", "none", plain.coefs["beta"], _scatter(plain)),
        Row("data exponent, joint_moe with delta alone", "none", routed.coefs["beta"], _scatter(routed)),
    ]


def _quest(data: Path) -> pd.DataFrame:
    runs = pd.read_csv(data / "quest_quantization" / "runs.csv")
    return runs.assign(
        label=[_format(*row) for row in zip(runs.w_bits, runs.a_bits, runs.w_quant, strict=True)]
    )


def _format(w_bits: int, a_bits: int, quantiser: str) -> str:
    """Bits of weights and activations, or of weights alone; formats without the Hadamard transform apart."""
    if quantiser == "NoQuantizer":
        return "16"
    if "FP4" in quantiser or "FourEight" in quantiser:
        return "FP4" if "FP4" in quantiser else "4:8"
    bits = f"{w_bits}" if a_bits == w_bits else f"w{w_bits}"
    return bits if "Hadamard" in quantiser else f"plain {bits}"


def _cost(predicted, y, width: float = 1e-3) -> float:
    r = np.abs(np.log(predicted) - np.log(np.asarray(y)))
    return float(np.sum(np.where(r <= width, r**2 / 2, width * (r - width / 2))))


def _r2(y, predicted) -> float:
    return float(1 - np.mean((np.asarray(y) - predicted) ** 2) / np.var(np.asarray(y)))


def _scatter(fit: sf.Fit) -> str:
    worst = np.max(np.abs(np.log(fit.predict(fit.data.x) / fit.data.y)))
    return f"16 points, largest error {100 * worst:.2g} %, R2 {_r2(fit.data.y, fit.predict(fit.data.x)):.5f}"


ROWS = (parallel_streams, quantised_training, capacity_of_formats, routed_models, experts_and_tokens)
