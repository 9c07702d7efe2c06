"""How good the decision tools are: exponents on public runs, bias of each approach,
the worth of a plan, choices of recipes.

    python benchmarks/decisions.py [exponents] [bias] [plan] [choice] [recipes]
    [left_out] [--studies 40] [--draws 200]

Each part named (all where none is) is computed anew and written to decisions.json; decisions.md shows every
part there is. `exponents`, `choice`, `recipes` and `left_out` read the public tables in the folder
SCALEFIT_DATA.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterator
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import recipes

import scalefit as sf
from scalefit.decisions.isoflop import METHODS
from scalefit.frames import read
from scalefit.uncertainty import checkpoints

HERE = Path(__file__).parent
LAW = sf.laws.get("chinchilla")
RECIPE = ["dataset", "hparams", "warmup", "decay", "param_count", "eval"]
NOISE = 0.003

# Surfaces of bias. Even, chinchilla and uneven (alpha / beta = 3) are those of Czech et al. 2026
# (arXiv:2603.22339), chinchilla with the unrounded coefficients; llama 3 is their fit to the digitised Llama
# 3 runs.
SURFACES = {
    "even": {"E": 1.69, "A": 400.0, "B": 400.0, "alpha": 0.31, "beta": 0.31},
    "chinchilla": dict(LAW.published["hoffmann2022"]),
    "llama 3": {"E": 0.6048, "A": 59.14, "B": 156.22, "alpha": 0.310, "beta": 0.314},
    "uneven": {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.465, "beta": 0.155},
}
# Five budgets, fifteen sizes within a factor of the centre, as there.
BUDGETS = np.geomspace(1e17, 1e21, 5)
WIDTHS = (4.0, 16.0)
# Centres of the sweep over the optimum, at the smallest and the largest budget.
CENTRES = {"centred": (1.0, 1.0), "2x too large": (2.0, 2.0), "drifting to 0.4x": (1.0, 0.4)}


def published() -> Iterator[dict[str, Any]]:
    """Public sweeps: name, runs, columns of N and D, of the loss and of the budget,
    and published exponents of N*."""
    folder = Path(os.environ["SCALEFIT_DATA"])
    points, fits = (
        read(folder / "porian_isoflop" / f"{name}.csv") for name in ("isoflop_points", "published_fits")
    )
    nd = {"N": "n_params", "D": "n_tokens"}
    for _, row in fits.iterrows():
        runs = points[(points[RECIPE] == row[RECIPE]).all(axis=1)]
        said = f"{row['n_exponent']:.3f} ({row['n_exponent_ci_low']:.3f} to {row['n_exponent_ci_high']:.3f})"
        yield {
            "name": "porian " + " ".join(row[RECIPE]),
            "runs": runs,
            "budget": "flops",
            "y": "loss",
            "inputs": nd,
            "published": said,
        }
    all_ = read(folder / "isoflops" / "runs.csv")
    said_of = {
        "llama_3": "0.47 (Llama 3: D* ~ C^0.53); 0.463 unweighted parabola on all rows, 0.503 joint (arXiv:2603.22339)",
        "massivetext": "0.49 parabola, 0.46 joint (Hoffmann et al. 2022)",
    }
    for (dataset, condition), runs in all_.groupby(["dataset", "condition"], dropna=False):
        name = f"isoflops {dataset}" + (f" {condition}" if isinstance(condition, str) else "")
        # The budgets of misfitting are those of single runs: found by 6 N D.
        budget = None if dataset == "fineweb_c4" else "flops_budget"
        parts = {"": runs[~runs["is_outlier_by_repo"].astype(bool)]}
        for which, kept in (parts | ({", all rows": runs} if dataset == "llama_3" else {})).items():
            yield {
                "name": name + which,
                "runs": kept,
                "budget": budget,
                "y": "loss",
                "inputs": nd,
                "published": said_of.get(dataset, "none"),
            }
    all_ = read(folder / "xlstm_isoflop" / "runs.csv")
    for arch, said in (("llama", "0.575"), ("mlstm", "0.547")):
        for context in (8192, 16384):
            runs = all_[(all_["arch"] == arch) & (all_["context_length"] == context)]
            yield {
                "name": f"xlstm {arch} context {context}",
                "runs": runs,
                "budget": None,
                "y": "val_loss",
                "inputs": nd,
                "published": said,
            }


def exponents(studies: int, draws: int, out: Path) -> Iterator[dict[str, Any]]:
    """Exponent of N* with 90 % interval by approach, beside the published one."""
    for sweep in published():
        line = {"name": sweep["name"], "rows": len(sweep["runs"]), "published": sweep["published"]}
        asked = sweep["runs"], sweep["inputs"], sweep["y"], sweep["budget"]
        table = sf.three_ways(*asked, n_draws=draws)
        try:
            points = sf.isoflop(*asked, n_draws=draws).points.query("used")
            slope = np.polyfit(np.log(points["C"]), np.log(points["N"]), 1)[0]
            line["2 parabola, unweighted"] = f"{slope:.3f}"
        except ValueError as error:
            line["2 parabola, unweighted"] = str(error)
        for _, row in table.iterrows():
            said = (
                row["note"]
                if np.isnan(row["a"])
                else f"{row['a']:.3f} ({row['a_lo']:.3f} to {row['a_hi']:.3f})"
            )
            line[row["approach"]] = said
        yield line


def bias(studies: int, draws: int, out: Path) -> Iterator[dict[str, Any]]:
    """Exponent and N* at 10 and 100 times the largest budget by approach, beside the truth."""
    for surface, coefs in SURFACES.items():
        far = BUDGETS[-1] * np.array([10.0, 100.0])
        a = coefs["beta"] / (coefs["alpha"] + coefs["beta"])
        truth = sf.optimal(LAW, C=far, coefs=coefs)["N"].to_numpy()
        for width in WIDTHS:
            for centre, ends in CENTRES.items():
                for noise, keys in ((0.0, range(1)), (NOISE, range(studies))):
                    found: dict[str, list] = {name: [] for name in (*METHODS, "joint law")}
                    for key in keys:
                        runs = _sweep(coefs, width, ends, noise, key)
                        for name in found:
                            found[name].append(_ends(name, runs, far, key))
                    for name, parts in found.items():
                        known = np.array([part for part in parts if part is not None])
                        line: dict[str, Any] = {
                            "surface": surface,
                            "width": width,
                            "centre": centre,
                            "noise": noise,
                            "method": name,
                            "studies": len(parts),
                            "refused": len(parts) - len(known),
                            "true a": a,
                        }
                        if len(known):
                            off = known[:, 1:] / truth
                            line |= {"a": float(known[:, 0].mean()), "a sd": float(known[:, 0].std())}
                            for k, times in enumerate(("10", "100")):
                                line[f"N {times}"] = float(np.median(off[:, k]))
                                line[f"spread {times}"] = float(np.exp(np.std(np.log(off[:, k]))))
                        yield line


def _sweep(coefs, width: float, ends: tuple[float, float], noise: float, key: int) -> dict[str, np.ndarray]:
    best = sf.optimal(LAW, C=BUDGETS, coefs=coefs)["N"].to_numpy()
    centre = best * np.geomspace(*ends, len(BUDGETS))
    N = (centre[:, None] * np.geomspace(1 / width, width, 15)).ravel()
    C = BUDGETS.repeat(15)
    return {**sf.simulate(LAW, coefs, {"N": N, "D": C / 6 / N}, noise=noise, key=key), "flops": C}


def _ends(name: str, runs, far: np.ndarray, key: int) -> tuple[float, ...] | None:
    if name == "joint law":
        fit = sf.fit(LAW, runs, key=key)
        return fit.coefs["beta"] / (fit.coefs["alpha"] + fit.coefs["beta"]), *sf.optimal(fit, C=far)["N"]
    try:
        found = sf.isoflop(runs, budget="flops", method=name, n_draws=50, key=key)
    except ValueError:
        return None
    return found.coefs["a"], *found.predict(far)["N"]


# Studies of next_runs: first runs, budget, target, and the truth.
BESIROGLU = dict(LAW.published["besiroglu2024"])
TARGET = {"N": np.array([7e10]), "D": np.array([1.4e12])}
NEAR = {"N": np.array([1e9]), "D": np.array([2e10])}
LONG = {"N": np.array([1e10]), "D": np.array([2e12])}
GRID = (np.geomspace(1e7, 3e8, 6), (5, 12, 30, 80))
RAY = (np.geomspace(1e7, 3e8, 24), (20,))
PLANS: dict[str, tuple] = {
    "24 runs in a grid, 1e20 FLOPs more": (GRID, 1e20, TARGET, BESIROGLU),
    "24 runs in a grid, 1e21 FLOPs more": (GRID, 1e21, TARGET, BESIROGLU),
    "24 runs at 20 tokens per parameter, 1e20 more": (RAY, 1e20, TARGET, BESIROGLU),
    "the same, target at 200 tokens per parameter": (RAY, 1e20, LONG, BESIROGLU),
    "24 runs in a grid, 1e20 more, target within a decade": (GRID, 1e20, NEAR, BESIROGLU),
    "24 runs in a grid, 1e20 more, uneven surface": (GRID, 1e20, TARGET, SURFACES["uneven"]),
}
SD = 0.005


def plan(studies: int, draws: int, out: Path) -> Iterator[dict[str, Any]]:
    """FLOPs of the usual grids that reach the plan's width at the target, over those of the plan.

    Every study is written down as it ends, so that a killed run goes on where it was.
    """
    file = out.with_suffix(".plan.jsonl")
    made = {
        (part["setting"], part["key"]): part["study"]
        for part in checkpoints.resume(file, {"what": "studies of next_runs"})
    }
    candidates = _cross(np.geomspace(1e7, 3e9, 8), (2, 5, 12, 30, 80, 200))
    for name, (first, budget, target, truth) in PLANS.items():
        ratios: dict[str, list[float]] = {usual: [] for usual in USUAL}
        widths, off = [], {"plan": [], **{usual: [] for usual in USUAL}}
        for key in range(studies):
            if (name, key) in made:
                study = made[name, key]
            else:
                study = _planned(_cross(*first), budget, target, truth, candidates, key)
                checkpoints.append(file, {"setting": name, "key": key, "study": study})
            if study is None:
                continue
            widths.append(study[0])
            for found, values in ((ratios, study[1]), (off, study[2])):
                for label, value in values.items():
                    found[label].append(value)
        line: dict[str, Any] = {"setting": name, "studies": studies, "empty": studies - len(widths)}
        line |= dict(
            zip(
                ("before", "after", "said before", "said after"),
                np.median(widths, axis=0).tolist(),
                strict=True,
            )
        )
        for usual, found in ratios.items():
            line[f"ratio {usual}"] = np.quantile(found, [0.5, 0.1, 0.9]).tolist()
            line[f"share above 2, {usual}"] = float(np.mean(np.array(found) >= 2))
            line[f"share below 1, {usual}"] = float(np.mean(np.array(found) < 1))
        line["error at equal cost"] = {k: float(np.sqrt(np.mean(np.square(v)))) for k, v in off.items()}
        yield line
    file.unlink()


def _planned(x, budget: float, target, truth, candidates, key: int) -> tuple | None:
    """One study: widths, FLOPs of the usual designs over the plan's, errors at equal cost;
    None where the plan is empty."""
    before = sf.fit(LAW, sf.simulate(LAW, truth, x, noise=SD, key=key), key=key)
    chosen = sf.next_runs(before, candidates, budget, {n: float(v[0]) for n, v in target.items()})
    if not len(chosen.runs):
        return None
    new = {n: chosen.runs[n].to_numpy() for n in ("N", "D")}
    after = _width(truth, target, x, new)
    ratio, designs = {}, {"plan": new}
    for usual, design in USUAL.items():
        width = lambda C, design=design: _width(truth, target, x, design(before, C))  # noqa: E731
        ratio[usual] = _same(width, after, chosen.spent) / chosen.spent
        designs[usual] = design(before, chosen.spent)
    off = {label: _error(truth, target, x, extra, 1000 + key) for label, extra in designs.items()}
    return (_width(truth, target, x), after, chosen.before, chosen.after), ratio, off


def _cross(N, ratios) -> dict[str, np.ndarray]:
    size = np.repeat(N, len(ratios))
    return {"N": size, "D": size * np.tile(np.array(ratios, float), len(N))}


def _line(fit: sf.Fit, spent: float) -> dict[str, np.ndarray]:
    """Eight compute-optimal runs under the first fit, budgets over a factor of 60."""
    C = np.geomspace(1, 60, 8)
    best = sf.optimal(fit, C=C * spent / C.sum())
    return {n: best[n].to_numpy() for n in ("N", "D")}


def _square(fit: sf.Fit, spent: float) -> dict[str, np.ndarray]:
    """Four sizes over a factor of 8 at 5, 20 and 80 tokens per parameter."""
    x = _cross(np.geomspace(1, 8, 4), (5, 20, 80))
    unit = np.sqrt(spent / np.sum(6 * x["N"] * x["D"]))
    return {n: v * unit for n, v in x.items()}


USUAL: dict[str, Callable] = {"optimal line": _line, "grid": _square}


def _slopes(c, x) -> np.ndarray:
    """Derivatives of log L by the coefficients' logarithms, (rows, 5)."""
    n, d = c["A"] * x["N"] ** -c["alpha"], c["B"] * x["D"] ** -c["beta"]
    parts = [np.full_like(n, c["E"]), n, d, -c["alpha"] * np.log(x["N"]) * n, -c["beta"] * np.log(x["D"]) * d]
    return np.stack(parts, axis=1) / (c["E"] + n + d)[:, None]


def _width(c, target, *designs) -> float:
    """Relative half-width of the first-order 90 % interval at the target,
    at the true coefficients and the true noise."""
    J = np.concatenate([_slopes(c, x) for x in designs]) / SD
    g = _slopes(c, target)[0]
    return float(1.645 * np.sqrt(g @ np.linalg.solve(J.T @ J + 1e-6 * np.eye(5), g)))


def _same(width: Callable[[float], float], goal: float, spent: float) -> float:
    """FLOPs at which a design is as narrow as the goal; at most a million times those spent."""
    lo, hi = np.log(spent) - np.log(1e3), np.log(spent) + np.log(1e6)
    for _ in range(30):
        middle = (lo + hi) / 2
        wide = width(float(np.exp(middle))) > goal
        lo, hi = (middle, hi) if wide else (lo, middle)
    return float(np.exp((lo + hi) / 2))


def _error(c, target, x, extra, key: int) -> float:
    """Error of the log loss at the target when the first runs and these are made and fitted."""
    both = {n: np.concatenate([x[n], extra[n]]) for n in ("N", "D")}
    fit = sf.fit(LAW, sf.simulate(LAW, c, both, noise=SD, key=key), key=key)
    return float(np.log(LAW(fit.coefs, target)[0] / LAW(c, target)[0]))


def choice(studies: int, draws: int, out: Path) -> Iterator[dict[str, Any]]:
    """Pairs of recipes in porian_isoflop: which has the lower loss at the largest budget,
    told from smaller budgets."""
    points = read(Path(os.environ["SCALEFIT_DATA"]) / "porian_isoflop" / "isoflop_points.csv")
    # Recipes whose losses and budgets are of one kind.
    groups = [
        own
        for _, own in points.groupby(["dataset", "param_count", "eval"])
        if own.groupby(RECIPE).ngroups > 1
    ]
    for kept in (6, 9):
        right: dict[str, list[bool]] = {"rank at the largest kept": []}
        share = []
        for own in groups:
            top = float(min(recipe["flops"].max() for _, recipe in own.groupby(RECIPE)))
            small = own[own["flops"] <= np.sort(own["flops"].unique())[kept - 1]]
            last = small.groupby(RECIPE)["flops"].max().min()
            share.append(small["flops"].sum() / own[own["flops"] == top]["flops"].sum())
            truth = own[own["flops"] == top].groupby(RECIPE)["loss"].min()
            rank = small[small["flops"] == last].groupby(RECIPE)["loss"].min()
            pairs = list(combinations(truth.index, 2))
            right["rank at the largest kept"] += [
                (rank[a] < rank[b]) == (truth[a] < truth[b]) for a, b in pairs
            ]
            for law in ("chinchilla", "power_floor", "monomial"):
                fits = {name: _recipe(law, runs) for name, runs in small.groupby(RECIPE)}
                for a, b in pairs:
                    found = sf.decide({"a": fits[a], "b": fits[b]}, C=top).set_index("recipe")
                    hit = (found.index[0] == "a") == (truth[a] < truth[b])
                    sure = found["probability"].max() >= 0.9
                    right.setdefault(law, []).append(hit)
                    right.setdefault(f"{law}, surer than 90 %", []).extend([hit] if sure else [])
                    if law == "power_floor":
                        right.setdefault("by_gaps", []).append(
                            (found.loc["a", "by_gaps"] > 0.5) == (truth[a] < truth[b])
                        )
        line = {"budgets kept": kept, "FLOPs over those at the target": float(np.mean(share))}
        yield line | {name: [int(np.sum(hits)), len(hits)] for name, hits in right.items()}


def _recipe(law: str, runs) -> sf.Fit:
    """A law of N and D through all runs, or one of compute through the lowest loss of every budget."""
    if law == "chinchilla":
        return sf.fit(law, runs, {"N": "n_params", "D": "n_tokens"}, "loss")
    best = runs.groupby("flops")["loss"].min()
    return sf.fit(law, {"x": best.index.to_numpy(), "y": best.to_numpy()})


def several(studies: int, draws: int, out: Path) -> Iterator[dict[str, Any]]:
    """Public tables with several recipes:
    which wins at the largest scale, told from smaller ones (see recipes.py)."""
    yield from recipes.study()


def left_out(studies: int, draws: int, out: Path) -> Iterator[dict[str, Any]]:
    """The values that `sf.decide` takes as usual, chosen without each set in turn."""
    yield from recipes.left_out()


PARTS: dict[str, Callable] = {
    "exponents": exponents,
    "bias": bias,
    "plan": plan,
    "choice": choice,
    "recipes": several,
    "left_out": left_out,
}


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    return ["| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *rows)]


def page(known: dict[str, Any]) -> str:
    """decisions.md."""
    text = [
        "# Decisions, measured",
        "",
        "Rerun with `python benchmarks/decisions.py [exponents] [bias] [plan] [choice] [recipes] [left_out]`.",
    ]
    if "exponents" in known:
        ways = ["2 parabola, unweighted", *(f"2 {m}" for m in METHODS), "3 joint law"]
        text += [
            "",
            "## Exponent of the optimal size",
            "",
            "N* ~ C^a, 90 % intervals; budgets from the table's column, for xlstm and fineweb_c4 from 6 N D. Rows that the "
            "collection marks as outliers are left out of isoflops. The joint law counts 6 N D.",
            "",
        ]
        rows = [
            [
                line["name"],
                str(line["rows"]),
                line["published"],
                *(line.get(way, "") for way in ways),
            ]
            for line in known["exponents"]
        ]
        text += _table(["sweep", "rows", "published", *ways], rows)
    for noise, words in ((0.0, "without noise"), (NOISE, f"with noise of {NOISE:.1%}")):
        if "bias" in known:
            text += [
                "",
                f"## Bias of the approaches, {words}",
                "",
                "Five budgets from 1e17 to 1e21, fifteen sizes within the width of the centre. Each cell: error of the exponent a; N* over "
                "the true one at 10 and at 100 times the largest budget"
                + (", medians over studies, with spread (a factor)." if noise else "."),
                "",
            ]
            rows = []
            lines = [line for line in known["bias"] if line["noise"] == noise]
            for first in lines[:: len(METHODS) + 1]:
                same = [
                    line for line in lines if all(line[k] == first[k] for k in ("surface", "width", "centre"))
                ]
                rows.append([first["surface"], f"{first['width']:g}x", first["centre"], *map(_cell, same)])
            text += _table(["surface", "width", "centre", *METHODS, "joint law"], rows)
    if "plan" in known:
        text += [
            "",
            "## What next_runs saves",
            "",
            f"Chinchilla's law, noise {SD:.1%}. Width: relative half-width of the 90 % interval at the target, at the true coefficients. Ratio: "
            "FLOPs that the usual runs need for the plan's width, over the plan's: median (10 % to 90 % of studies), never where a million times is not enough; share of at least 2. Optimal line: eight "
            "compute-optimal runs; grid: four sizes by three ratios; both anywhere in size. Error: root mean square of log loss at the "
            "target after a new fit, all spending what the plan spends.",
            "",
        ]
        rows = []
        for line in known["plan"]:
            ratio = [
                "{} ({} to {}); {:.0%}".format(*map(_times, line[f"ratio {u}"]), line[f"share above 2, {u}"])
                for u in USUAL
            ]
            error = ", ".join(f"{k} {v:.2%}" for k, v in line["error at equal cost"].items())
            rows.append(
                [
                    line["setting"],
                    f"{line['studies']} ({line['empty']})",
                    f"{line['before']:.2%} to {line['after']:.2%}",
                    f"{line['said after']:.2%}",
                    *ratio,
                    error,
                ]
            )
        text += _table(
            [
                "setting",
                "studies (empty plans)",
                "width",
                "promised",
                *(f"ratio, {u}" for u in USUAL),
                "error at equal cost",
            ],
            rows,
        )
    if "choice" in known:
        text += [
            "",
            "## Which recipe wins",
            "",
            "porian_isoflop: pairs of recipes whose losses and budgets are of one kind; the lower loss at the "
            "largest budget, told from the smaller budgets kept: right answers of all. chinchilla is fitted to all runs, power_floor and "
            "monomial to the lowest loss of every budget.",
            "",
        ]
        heads = [*known["choice"][0]]
        rows = [
            [f"{line[k]:.2g}" if k in heads[:2] else "{} of {}".format(*line[k]) for k in heads]
            for line in known["choice"]
        ]
        text += _table(heads, rows)
    if "recipes" in known:
        text += _recipes_page(known["recipes"])
    if "left_out" in known:
        text += [
            "",
            "### Values chosen without each set",
            "",
            "What `sf.decide` takes as usual was set with all of these tables in view. Here v, the memory and "
            "the noise (mean and standard deviation of their logarithms) are chosen from a grid by the other sets alone; the gain is on the set left out, in points. "
            "The second measure counts no more than a point per set.",
            "",
        ]
        rows = [
            [
                line["measure"],
                line["set"],
                "; ".join(f"{m:g} ({sd:g})" for m, sd in line["v, memory, noise"]),
                f"{100 * line['gain']:+.1f}",
                f"{100 * line['usual gain']:+.1f}",
            ]
            for line in known["left_out"]
        ]
        text += _table(
            ["chosen by", "without", "v; memory; noise", "gain there", "gain of the usual values"], rows
        )
        for measure in dict.fromkeys(line["measure"] for line in known["left_out"]):
            gains = np.array([line["gain"] for line in known["left_out"] if line["measure"] == measure])
            text += [
                "",
                f"By {measure}: {100 * gains.mean():+.2f} points on the sets left out (standard error {100 * gains.std(ddof=1) / np.sqrt(len(gains)):.2f}).",
            ]
    return "\n".join(text) + "\n"


def _recipes_page(lines: list[dict[str, Any]]) -> list[str]:
    base = "rank at the largest"
    text = [
        "",
        "## Which of many recipes wins",
        "",
        "Tables in which several recipes were run at several scales. Told from the first K scales of a ladder (K of at least 2, where there are 3 scales), which of each "
        "pair of recipes has the lower loss at the last. Share of pairs told right, mean over ladders (metrics, groups) and K. In brackets the gain over the ranking at "
        "the largest scale kept, in points, with its standard error from leaving out one recipe after the other. Laws that need more scales than are kept give "
        f"that ranking. At most {recipes.MOST} recipes a ladder.",
        "",
    ]
    ways = [way for way in recipes.WAYS if way != base]
    rows = []
    for line in lines:
        cells = [
            ""
            if way not in line["share"]
            else "{:.3f} ({:+.1f}, {:.1f})".format(line["share"][way], *(100 * v for v in line["gain"][way]))
            for way in ways
        ]
        rows.append(
            [line["set"], f"{line['recipes']}; {line['cases']}", f"{line['share'][base]:.3f}", *cells]
        )
    means = [
        [line["gain"][way][0] for line in lines if way in line["gain"] and line["cases"]] for way in ways
    ]
    rows.append(
        [
            "mean gain of the sets, points",
            "",
            "",
            *(f"{100 * np.mean(m):+.1f} (worst {100 * min(m):+.1f})" for m in means),
        ]
    )
    text += _table(["set", "recipes; cases", base, *ways], rows)
    text += [
        "",
        "What the choice costs: loss of the recipe chosen above the best one at the target, in %, mean over cases.",
        "",
    ]
    text += _table(
        ["set", base, *ways],
        [
            [
                line["set"],
                *(
                    f"{100 * line['regret'][way]:.2f}" if way in line["regret"] else ""
                    for way in (base, *ways)
                ),
            ]
            for line in lines
        ],
    )
    text += [
        "",
        "### By FLOPs spent",
        "",
        "Largest scale kept, and all scales kept, over the FLOPs of the target.",
        "",
    ]
    some = [way for way in recipes.WAYS if way != "power alone"]
    rows = [
        [
            line["set"],
            "{:g} to {:g}".format(*part["reach"]),
            f"{part['spent']:.2g}",
            str(part["pairs"]),
            *(f"{part['share'][way]:.3f}" for way in some),
            "{:+.1f} ({:.1f})".format(*(100 * v for v in part["gain"])),
        ]
        for line in lines
        for part in line["by reach"]
    ]
    text += _table(["set", "largest kept", "all kept", "pairs", *some, "gain of sf.decide, points"], rows)
    text += [
        "",
        "At equal cost: the gain of `sf.decide` over ranking at one scale that costs as much as all scales kept together (between scales by straight lines in log C).",
        "",
    ]
    equal = [line for line in lines if line["gain at equal cost"]]
    text += _table(
        ["set", "cases", "gain, points"],
        [
            [line["set"], str(line["gain at equal cost"][1]), f"{100 * line['gain at equal cost'][0]:+.1f}"]
            for line in equal
        ],
    )
    text += [
        "",
        "### Are the probabilities honest?",
        "",
        "Pairs by the probability that `sf.decide` gives to the likelier recipe: stated, share that won, pairs. All: sets counted alike.",
        "",
    ]
    ranges = [f"{lo:g} to {hi:g}" for lo, hi in pairwise(recipes.EDGES)]
    cell = lambda p, won, n: f"{p:.2f}: {won:.2f} ({n})" if n else ""  # noqa: E731
    rows = [[line["set"], *(cell(*part) for part in line["reliability"])] for line in lines]
    weights = np.array([[part[2] for part in line["reliability"]] for line in lines], float)
    weights /= weights.sum(axis=1, keepdims=True)
    both = np.array([[part[:2] for part in line["reliability"]] for line in lines], float)
    mean = np.nansum(both * weights[:, :, None], axis=0) / weights.sum(axis=0)[:, None]
    rows.append(["all", *(f"{p:.2f}: {won:.2f}" for p, won in mean)])
    text += _table(["set", *ranges], rows)
    why = [[name, why] for name, why in recipes.UNFIT.items()]
    return [*text, "", "### Tables that cannot serve", "", *_table(["table", "why"], why)]


def _times(ratio: float) -> str:
    return "never" if ratio > 9e5 else f"{ratio:.2g}"


def _cell(line: dict[str, Any]) -> str:
    if "a" not in line:
        return "refused"
    spread = [f" x/{line[f'spread {t}']:.2f}" if line["noise"] else "" for t in ("10", "100")]
    refused = f"; {line['refused']} of {line['studies']} refused" if line["refused"] else ""
    return f"{line['a'] - line['true a']:+.3f}; {line['N 10']:.2f}{spread[0]}; {line['N 100']:.2f}{spread[1]}{refused}"


def main() -> None:
    """Compute the parts asked for and write both files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", default=list(PARTS), help=", ".join(PARTS))
    parser.add_argument("--studies", type=int, default=40)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--out", type=Path, default=HERE / "decisions.json")
    asked = parser.parse_args()
    for name in asked.parts:
        lines = []
        for line in PARTS[name](asked.studies, asked.draws, asked.out):
            print(line, flush=True)
            lines.append(line)
            known = json.loads(asked.out.read_text()) if asked.out.exists() else {}
            # Lines not yet made anew stand as they were.
            known[name] = lines + known.get(name, [])[len(lines) :]
            asked.out.write_text(json.dumps(known, indent=1) + "\n")
            asked.out.with_suffix(".md").write_text(page(known))


if __name__ == "__main__":
    main()
