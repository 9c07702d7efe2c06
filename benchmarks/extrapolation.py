"""Which procedure foretells the end of a learning curve best: the default, single laws, and the default less one rule.

    SCALEFIT_DATA=... python benchmarks/extrapolation.py [--only NAME ...] [--json FILE] [--markdown FILE]

176 curves: 47 of Alabdulmohsin et al. (arXiv:2209.06640) with their own split, and 129 training curves collected by
Choshen et al. (arXiv:2410.11840; those of 24 points or more), first half against second. A curve's score is the root
mean square error of log loss on the rows held out. Beside them 13 sweeps over size and data, of which the largest
compute is held out. Named rows are computed anew and put into the JSON file's.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

import scalefit as sf
from scalefit.validation.extrapolate import default_laws, recent

HERE = Path(__file__).parent
# At most this many rows of a curve are fitted, evenly spaced by index; all held-out rows count.
MOST = 64
# The authors of M4 held its upper end here.
E_0 = 0.999
BOUNDED = sf.laws.alabdulmohsin_m4.fix(e_0=E_0)
SINGLE = {"M1 (power)": sf.laws.power, "M2 (power_floor)": sf.laws.power_floor, "M3": sf.laws.alabdulmohsin_m3,
          "M4 from 0.999": BOUNDED, "M4": sf.laws.alabdulmohsin_m4, "BNSL": sf.laws.bnsl}  # fmt: skip
TWO = default_laws(("x",))
# How the laws of one procedure are combined: by weight, the mean of all, the first.
HOW = ("", ", all laws alike", ", heaviest law alone")


class Curve(NamedTuple):
    """One curve: the rows to fit and those held out, as columns x and y."""

    source: str
    family: str
    name: str
    train: Mapping[str, np.ndarray]
    test: Mapping[str, np.ndarray]


def thin(table: pd.DataFrame) -> pd.DataFrame:
    return table.iloc[np.unique(np.linspace(0, len(table) - 1, min(MOST, len(table))).round().astype(int))]


def curves(data: Path) -> list[Curve]:
    def made(source, family, name, train, test, x, y):
        columns = [
            {"x": part[x].to_numpy(float), "y": part[y].to_numpy(float)} for part in (thin(train), test)
        ]
        return Curve(source, family, name, *columns)

    found = []
    table = pd.read_csv(data / "alabdulmohsin_curves" / "curves.csv.gz")
    for (domain, task, model), rows in table.groupby(["domain", "task", "model"]):
        family = {"BB": "BIG-Bench", "NMT": "translation"}.get(domain, "birds" if "bird" in task else "cifar")
        train, test = (rows[rows.split == split] for split in ("train", "test"))
        found.append(made("alabdulmohsin", family, f"{task} {model}", train, test, "n_seen", "loss"))
    table = pd.read_csv(data / "colpret_curves" / "curves.csv.gz").sort_values(["curve", "n_tokens"])
    table = table[(table.n_tokens > 0) & (table.loss > 0)]
    for curve, rows in table.groupby("curve"):
        if len(rows) >= 24:
            half = np.arange(len(rows)) / len(rows) < 0.5
            family = group_of(str(curve))
            found.append(made("colpret", family, str(curve), rows[half], rows[~half], "n_tokens", "loss"))
    return found


def group_of(curve: str) -> str:
    """The family of a training curve, from its name; families of one or two curves together."""
    known = {"GPT2": "GPT-2, repeated data", "GPT-3": "GPT-3", "c4_original": "open_lm", "rpj": "open_lm",
             "rw_original": "open_lm", "OLMo": "OLMo", "OPT": "OPT", "pile-t5": "T5", "pythia": "Pythia"}  # fmt: skip
    return next((family for start, family in known.items() if curve.startswith(start)), "other")


def score(predicted: np.ndarray, curve: Curve) -> float:
    with np.errstate(all="ignore"):
        error = np.log(predicted / curve.test["y"])
    return float(np.sqrt(np.mean(np.where(np.isfinite(error), error, np.inf) ** 2)))


def single(law: sf.Law, objective: sf.Objective, recency: float, chosen: list[Curve]) -> list[float]:
    """One law fitted to every curve, all in one call; rows weighted by recency, or alike where that is infinite."""
    # A law between fixed bounds has no say where the loss lies above them.
    able = [k for k, curve in enumerate(chosen) if law is not BOUNDED or np.max(curve.train["y"]) < E_0]
    parts = []
    for k in able:
        x = chosen[k].train["x"]
        weight = recent(x, np.ones(len(x)), recency * len(law.coefs))
        parts.append(pd.DataFrame({"curve": k, "x": x, "y": chosen[k].train["y"], "weight": weight}))
    fits = sf.fit_groups(law, pd.concat(parts), "curve", {law.inputs[0]: "x"}, "y", objective, "weight")
    found = {k: score(fits[k].predict({law.inputs[0]: chosen[k].test["x"]}), chosen[k]) for k in able}
    return [found.get(k, np.nan) for k in range(len(chosen))]


def averaged(chosen: list[Curve], **options) -> dict[str, list[float]]:
    """The default procedure with options; also with equal weights, and with the heaviest law alone."""
    rows = pd.concat([pd.DataFrame(curve.train).assign(curve=k) for k, curve in enumerate(chosen)])
    scores: dict[str, list[float]] = {how: [] for how in HOW}
    for found, curve in zip(
        sf.extrapolate_groups(rows, "curve", inputs={"x": "x"}, y="y", **options).values(),
        chosen,
        strict=True,
    ):
        heaviest = max(found.weights, key=lambda label: found.weights[label])
        alike = dict.fromkeys(found.fits, 1 / len(found.fits))
        for how, weights in zip(scores, (found.weights, alike, {heaviest: 1.0}), strict=True):
            scores[how].append(score(sf.Ensemble(found.fits, weights).predict(curve.test), curve))
    return scores


def coverage(chosen: list[Curve]) -> dict[str, list[float]]:
    """Share of at most 25 held-out rows per curve inside the default's 90 % interval for a new run."""
    rows = pd.concat([pd.DataFrame(curve.train).assign(curve=k) for k, curve in enumerate(chosen)])
    shares: dict[str, list[float]] = {"as it comes": [], "without the laws' own error": []}
    for found, curve in zip(
        sf.extrapolate_groups(rows, "curve", inputs={"x": "x"}, y="y").values(), chosen, strict=True
    ):
        plain = {label: replace(fit, model_error=None) for label, fit in found.fits.items()}
        some = np.unique(np.linspace(0, len(curve.test["y"]) - 1, 25).round().astype(int))
        y = curve.test["y"][some]
        for how, fits in zip(shares, (found.fits, plain), strict=True):
            table = sf.Ensemble(fits, found.weights).predict({"x": curve.test["x"][some]}, 0.9, kind="run")
            shares[how].append(float(np.mean((table.lo <= y) & (y <= table.hi))))
    return shares


def sweeps(data: Path) -> dict[str, pd.DataFrame]:
    """Tables of N, D and loss, cleaned as their sources say."""
    runs = pd.read_csv(data / "chinchilla_epoch" / "runs.csv")
    found = {"chinchilla_epoch": runs[runs.used_in_replication == 1]}
    found["kyo_chinchilla_runs"] = pd.read_csv(data / "kyo_chinchilla_runs" / "runs.csv")
    runs = pd.read_csv(data / "isoflops" / "runs.csv")
    for (source, _, _, condition), rows in runs[runs.is_outlier_by_repo == 0].groupby(
        ["source", "dataset", "model", "condition"]
    ):
        if len(rows) >= 30:
            found[f"isoflops {source} {condition}"] = rows
    runs = pd.read_csv(data / "loss_to_loss" / "sweep.csv.gz")
    for name, rows in runs.assign(loss=runs.loss_own_val).dropna(subset="loss").groupby("train_set"):
        found[f"loss_to_loss {name}"] = rows
    runs = pd.read_csv(data / "gadre_overtraining" / "runs.csv")
    for name, rows in runs.assign(loss=runs.loss_c4_val).dropna(subset="loss").groupby("train_set"):
        found[f"gadre {name}"] = rows
    return {
        name: rows.rename(columns={"n_params": "N", "n_tokens": "D"})[["N", "D", "loss"]]
        for name, rows in found.items()
    }


def of_size_and_data(data: Path) -> dict[str, dict[str, float]]:
    """Sweep -> procedure -> error on the last decade of compute, or the last factor 3 where less than 25 runs are left."""
    train, test = [], {}
    for name, rows in sweeps(data).items():
        compute = rows.N * rows.D
        near = compute <= compute.max() / 10
        near = near if near.sum() >= 25 else compute <= compute.max() / 3
        if near.sum() >= 20 and (~near).sum() >= 2:
            train.append(rows[near].assign(sweep=name))
            test[name] = rows[~near]
    known = pd.concat(train)
    found: dict[str, dict[str, float]] = {name: {} for name in test}
    for recency in (3.0, 5.0, 8.0, np.inf):
        ahead = sf.extrapolate_groups(known, "sweep", recency=recency)
        for name, rows in test.items():
            x, y = {"N": rows.N.to_numpy(), "D": rows.D.to_numpy()}, rows.loss.to_numpy()
            each = {f"default, recency {recency:g}": ahead[name]}
            if np.isinf(recency):
                each |= {law: sf.Ensemble(ahead[name].fits, {law: 1.0}) for law in ahead[name].fits}
            for what, one in each.items():
                found[name][what] = float(np.sqrt(np.mean(np.log(one.predict(x) / y) ** 2)))
    return found


def procedures() -> dict[str, Callable[[list[Curve]], Mapping[str, list[float]] | list[float]]]:
    rows: dict[str, Callable] = {"default": averaged}
    for recency in (3.0, 8.0, np.inf):
        rows[f"default, recency {recency:g}"] = partial(averaged, recency=recency)
    wide = sf.huber(1e-2)
    rows["default and M1"] = partial(averaged, laws={"M1": sf.laws.power, **TWO}, objective=wide)
    rows["default and rectified_ft"] = partial(
        averaged, laws={**TWO, "rectified_ft": sf.laws.rectified_ft.rename(D_F="x")}, objective=wide
    )
    rows["default, Huber 1e-3"] = partial(averaged, objective=sf.huber(1e-3))
    rows["default, squares"] = partial(averaged, objective=sf.square())
    for name, law in SINGLE.items():
        rows[f"{name}, squares"] = partial(single, law, sf.square(), np.inf)
        rows[f"{name}, Huber 1e-3"] = partial(single, law, sf.huber(1e-3), np.inf)
        if len(law.coefs) <= 3:
            rows[f"{name}, Huber 1e-2, recency 5"] = partial(single, law, wide, 5.0)
    return rows


def report(kept: Mapping, chosen: list[Curve]) -> str:
    """Tables: every procedure by source; the default against each single law by family; what was chosen where."""
    table = {name: np.array(column) for name, column in kept["scores"].items()}
    source, family = (np.array([getattr(c, name) for c in chosen]) for name in ("source", "family"))
    sources = list(dict.fromkeys(source))
    lines = ["Root mean square error of log loss on the rows held out: mean (median) over curves. No figure: some prediction is "
             "not finite, or the law has no say (M4 from 0.999 on losses above that).", "",
             *_head("procedure", *(f"{s}, {np.sum(source == s)} curves" for s in sources))]  # fmt: skip
    for name, column in table.items():
        cells = [
            f"{_cell(np.mean(column[source == s]))} ({_cell(np.median(column[source == s]))})"
            for s in sources
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", "By family: mean, and in brackets on how many curves the default is better. Each single law with the objective, "
              "of squares and Huber 1e-3, that suits it best on these very curves.", "",
              *_head("family", "curves", "default", *SINGLE)]  # fmt: skip
    groups = [(f, source[family == f][0], family == f) for f in dict.fromkeys(family)]
    for name, s, rows in [*groups, *((f"all of {s}", s, source == s) for s in sources)]:
        mine, cells = table["default"][rows], []
        for law in SINGLE:
            both = [table[f"{law}, {how}"] for how in ("squares", "Huber 1e-3")]
            best = min(both, key=lambda column: np.nan_to_num(np.mean(column[source == s]), nan=np.inf))[rows]
            won = np.sum(mine < best)
            cells.append(f"{_cell(np.mean(best))} ({won})" if np.all(~np.isnan(best)) else "")
        lines.append(f"| {name} | {np.sum(rows)} | {_cell(np.mean(mine))} | {' | '.join(cells)} |")
    lines += ["", "How much more each single law errs than the default: mean over curves, plus or minus its standard error.", "",
              *_head("law", *sources)]  # fmt: skip
    for law in SINGLE:
        for how in ("squares", "Huber 1e-3"):
            more = table[f"{law}, {how}"] - table["default"]
            each = [more[source == s] for s in sources]
            cells = [f"{np.mean(d):+.4f} ± {np.std(d, ddof=1) / len(d) ** 0.5:.4f}" if np.all(np.isfinite(d)) else ""
                     for d in each]  # fmt: skip
            lines.append(f"| {law}, {how} | {' | '.join(cells)} |")
    lines += ["", "Recency chosen on one set of curves (the smallest mean) and used on the other:", ""]
    tried = {
        "3": "default, recency 3",
        "5": "default",
        "8": "default, recency 8",
        "all rows alike": "default, recency inf",
    }
    for here, there in (sources, sources[::-1]):
        best = min(tried, key=lambda each: np.mean(table[tried[each]][source == here]))
        lines.append(
            f"- {here} chooses {best}, which has {_cell(np.mean(table[tried[best]][source == there]))} on {there}."
        )
    lines += [
        "",
        "Share of held-out rows inside the default's 90 % interval for a new run, mean over curves:",
        "",
    ]
    for how, shares in kept["coverage"].items():
        each = ", ".join(f"{np.mean(np.array(shares)[source == s]):.0%} on {s}" for s in sources)
        lines.append(f"- {how}: {each}.")
    sweeps = kept["size and data"]
    names = list(next(iter(sweeps.values())))
    lines += [
        "",
        "Size and data: error on the largest runs, for laws and constants that were not chosen here.",
        "",
        *_head("sweep", *names),
    ]
    for name, row in sweeps.items():
        lines.append(f"| {name} | {' | '.join(_cell(row[what]) for what in names)} |")
    means = [np.array([row[what] for row in sweeps.values()]) for what in names]
    lines.append(f"| mean | {' | '.join(_cell(np.mean(each)) for each in means)} |")
    lines.append(f"| geometric mean | {' | '.join(_cell(np.exp(np.mean(np.log(each)))) for each in means)} |")
    return "\n".join([*lines, ""])


def _head(first: str, *others: str) -> list[str]:
    return [f"| {first} | {' | '.join(others)} |", "| --- |" + " ---: |" * len(others)]


def _cell(value: float) -> str:
    return f"{value:.4f}" if np.isfinite(value) else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only", nargs="*", help="these rows only (a dash for none), the others from the JSON file"
    )
    parser.add_argument("--json", type=Path, default=HERE / "extrapolation.json")
    parser.add_argument("--markdown", type=Path, default=HERE / "extrapolation.md")
    asked = parser.parse_args()
    if not os.environ.get("SCALEFIT_DATA"):
        sys.exit("set SCALEFIT_DATA to the folder with the public runs")
    data = Path(os.environ["SCALEFIT_DATA"])
    chosen = curves(data)
    kept = _known(json.loads(asked.json.read_text())) if asked.only else {"scores": {}}
    old, kept["scores"] = kept["scores"], {}

    def done(name: str, began: float) -> None:
        print(f"{name} ({time.perf_counter() - began:.0f} s)", flush=True)

    for name, procedure in procedures().items():
        began = time.perf_counter()
        if asked.only and name not in asked.only:
            kept["scores"] |= {name + how: old[name + how] for how in HOW if name + how in old}
            continue
        scores = procedure(chosen)
        columns = scores if isinstance(scores, Mapping) else {"": scores}
        kept["scores"] |= {name + how: column for how, column in columns.items()}
        done(name, began)
    for name, study in (
        ("coverage", partial(coverage, chosen)),
        ("size and data", partial(of_size_and_data, data)),
    ):
        began = time.perf_counter()
        if not asked.only or name in asked.only:
            kept[name] = study()
            done(name, began)
    asked.json.write_text(json.dumps(_plain({"curves": [c[:3] for c in chosen], **kept})))
    asked.markdown.write_text(report(kept, chosen))


def _known(kept):
    """As read back: a score that JSON could not hold is infinite."""
    scores = {name: [np.inf if v is None else v for v in column] for name, column in kept["scores"].items()}
    return {**kept, "scores": scores}


def _plain(value):
    """Without infinities and NaN, which JSON does not know: null."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


if __name__ == "__main__":
    main()
