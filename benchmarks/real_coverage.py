"""How often 90 % intervals for a new run hold runs that were really held out, before and after `sf.widen`.

    SCALEFIT_DATA=... python benchmarks/real_coverage.py [--family ...] [--jsonl FILE] [--json FILE] [--markdown FILE]

Nine families of data with a natural hold-out: larger budgets, larger models, the second half of a curve, unseen
schedules. Every case is fitted to its training rows as a user would, and asked for intervals of the held-out runs. Rows
are weighted so that all cases of a family, and all families, count alike.

The usual tau is learnt so that the widened intervals hold 90 % of the runs of the other eight families, and tested on
the ninth ("left out"); each case moves it by its own backtests inside its training rows and by how alike its
neighbouring residuals are, or not ("without own evidence"). Finished cases are kept in the
file given with --jsonl, one line each: a run that was stopped goes on from there.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.interpolate import CubicSpline
from scipy.special import ndtri

import scalefit as sf
from scalefit.fits.model_error import GRID, TAU, agreement, departure, evidence, posterior, windows

LEVEL, N_CUTS = 0.9, 4
Z = float(ndtri((1 + LEVEL) / 2))
# At most so many rows of a curve are fitted, and so many are asked for, evenly spaced.
FITTED, ASKED = 64, 24
COARSE = slice(None, None, 5)
BINS = ((-1.0, 0.0), (0.0, 0.3), (0.3, 0.6), (0.6, 1.0), (1.0, 1.5), (1.5, np.inf))
HUBER = sf.huber(1e-3)


@dataclass(frozen=True, eq=False)
class Case:
    """Runs to fit and runs to foretell, under the law's own names for inputs, and `y`."""

    family: str
    name: str
    law: sf.Law
    train: pd.DataFrame
    test: pd.DataFrame
    objective: sf.Objective = HUBER
    by: str | None = None
    n_starts: int | None = None


def spaced(table: pd.DataFrame, most: int) -> pd.DataFrame:
    """At most so many rows, evenly spaced by index, ends included."""
    if len(table) <= most:
        return table
    return table.iloc[np.unique(np.linspace(0, len(table) - 1, most).round().astype(int))]


def by_budget(
    family: str, name: str, law: sf.Law, table: pd.DataFrame, budget: str, shares: Sequence[float]
) -> Iterator[Case]:
    """Cases that fit the budgets up to a share of their range in the logarithm, and foretell those above."""
    place = np.log(table[budget].to_numpy(float))
    place = (place - place.min()) / np.ptp(place)
    seen = set()
    for share in shares:
        small = place <= share + 1e-6
        if (
            small.sum() < len(law.coefs) + 3
            or table[budget][small].nunique() < 3
            or small.sum() in seen
            or small.all()
        ):
            continue
        seen.add(small.sum())
        yield Case(family, f"{name}, up to {share:.2f}", law, table[small], table[~small])


def named(table: pd.DataFrame, y: str, N: str = "n_params", D: str = "n_tokens") -> pd.DataFrame:
    return table.rename(columns={N: "N", D: "D", y: "y"}).dropna(subset=["N", "D", "y"])


def porian(data: Path) -> Iterator[Case]:
    """Budgets of one training recipe: the lower third, half and two thirds of their range, and the larger ones."""
    points = pd.read_csv(data / "porian_isoflop" / "isoflop_points.csv")
    points = points[points.param_count != "attention"]
    for key, table in points.groupby(["dataset", "hparams", "warmup", "decay", "param_count"]):
        yield from by_budget(
            "porian", "/".join(key), sf.laws.chinchilla, named(table, "loss"), "flops", (1 / 3, 1 / 2, 2 / 3)
        )


def isoflops(data: Path) -> Iterator[Case]:
    """The same for the collection of IsoFLOP sweeps, outliers marked there left out."""
    runs = pd.read_csv(data / "isoflops" / "runs.csv").fillna({"condition": "", "model": "", "dataset": ""})
    for key, table in runs[runs.is_outlier_by_repo == 0].groupby(["source", "dataset", "model", "condition"]):
        yield from by_budget(
            "isoflops",
            "/".join(key),
            sf.laws.chinchilla,
            named(table, "loss"),
            "flops_budget",
            (1 / 3, 1 / 2, 2 / 3),
        )


def loss_to_loss(data: Path) -> Iterator[Case]:
    """Losses by N and D on six corpora, and one corpus's loss by another's: small budgets, then large ones."""
    sweep = pd.read_csv(data / "loss_to_loss" / "sweep.csv.gz")
    for corpus, table in sweep.groupby("train_set"):
        for loss in (name for name in sweep if name.startswith("loss_val_")):
            yield from by_budget(
                "loss_to_loss",
                f"{corpus}, {loss}",
                sf.laws.chinchilla,
                named(table, loss),
                "isoflop_budget",
                (1 / 2, 2 / 3),
            )
    corpora = sorted(sweep.train_set.unique())
    for first, second in ((a, b) for a in corpora for b in corpora if a != b):
        pairs = sweep[sweep.train_set == first].merge(
            sweep[sweep.train_set == second], on=["n_params", "isoflop_budget"], suffixes=("_0", "_1")
        )
        pairs = pairs.rename(columns={"loss_own_val_0": "L", "loss_own_val_1": "y"})
        yield from by_budget(
            "loss_to_loss",
            f"{first} to {second}",
            sf.laws.brandfonbrener_l2l,
            pairs,
            "isoflop_budget",
            (1 / 2,),
        )


def gadre_overtraining(data: Path) -> Iterator[Case]:
    """The published split (five runs), all small models, and the lower half of compute; eight losses, three corpora."""
    runs = pd.read_csv(data / "gadre_overtraining" / "runs.csv")
    small = runs.model.isin(["d=96_l=8_h=4", "d=512_l=8_h=4", "d=576_l=24_h=8", "d=1024_l=24_h=8"])
    tied = sf.laws.chinchilla.tie(beta="alpha")
    for corpus, table in runs.groupby("train_set"):
        for loss in (name for name in runs if name.startswith("loss_")):
            t = named(table, loss)
            m, few = t.chinchilla_multiplier, small[t.index]
            least = t.model == "d=96_l=8_h=4"
            first = (few & (m == 1)) | (least & (m == 16))
            name = f"{corpus}, {loss}"
            yield Case(
                "gadre_overtraining",
                f"{name}, published",
                tied,
                t[first],
                t[~first & (~few | (~least & (m > 1)))],
            )
            yield Case(
                "gadre_overtraining", f"{name}, small models", sf.laws.chinchilla, t[few & (m >= 1)], t[~few]
            )
            yield from by_budget("gadre_overtraining", name, sf.laws.chinchilla, t[m >= 1], "flops", (1 / 2,))


TASKS = ("hellaswag", "arc_challenge", "arc_easy", "piqa", "csqa", "socialiqa", "openbookqa", "mmlu_avg")


def olmo_ladder(data: Path) -> Iterator[Case]:
    """The 3B models from those up to 1.3B, and both from those up to 0.8B: losses, and accuracies by a chained law."""
    final = pd.read_csv(data / "olmo_ladder" / "final.csv")
    final = final[~final.run.str.contains("rerun")]
    chained = sf.laws.chinchilla.then(sf.laws.ladder.bound(a=(0, 1), b=(0, 1)))
    for most in (2e9, 1e9):
        few = final.n_params < most
        for y in (
            "loss_c4",
            "loss_pile",
            "loss_wikitext103",
            "loss_dolma_stack",
            *(f"bpb_{task}" for task in TASKS),
        ):
            yield Case(
                "olmo_ladder",
                f"{y}, below {most:.0e}",
                sf.laws.chinchilla,
                named(final[few], y),
                named(final[~few], y),
            )
    few = final.n_params < 2e9
    for task in TASKS:
        y = f"acc_{task}"
        yield Case(
            "olmo_ladder", y, chained, named(final[few], y), named(final[~few], y), sf.huber(1e-2, "linear")
        )


def sldbench(data: Path) -> Iterator[Case]:
    """The benchmark's own split: more streams, another vocabulary, more unique tokens, larger models."""

    def split(task, columns):
        runs = pd.read_csv(data / f"sldbench_{task}" / "runs.csv").rename(columns=columns)
        return runs, (runs.split == "train").to_numpy()

    runs, train = split("parallel", {"n_params": "N", "parallel_size": "P", "loss": "y"})
    for group in runs.group.unique():
        own = (runs.group == group).to_numpy()
        yield Case(
            "sldbench", f"parallel, {group}", sf.laws.parscale, runs[own & train], runs[own & ~train], by="P"
        )
    runs, train = split(
        "vocab", {"n_params_non_vocab": "N_nv", "n_characters": "D", "unigram_normalized_loss": "y"}
    )
    runs = runs.assign(N_nv=runs.N_nv / 1e6, D=runs.D / 1e9, N_v=runs.vocab_size * runs.embed_dim / 1e6)
    yield Case(
        "sldbench",
        "vocab",
        sf.laws.tao_vocab,
        runs[train],
        spaced(runs[~train], ASKED),
        sf.huber(1e-3, "linear"),
        "N_v",
    )
    runs, train = split(
        "data_constrained", {"n_params": "N", "n_tokens": "D", "n_unique_tokens": "U", "loss": "y"}
    )
    yield Case("sldbench", "data_constrained", sf.laws.muennighoff_repeat, runs[train], runs[~train])
    from sldbench import make, parabola_brier, real

    law = make(parabola_brier, a=real("a", -2.0, 0.0), b=real("b", 0.0, 0.5), c=real("c", 0.0))
    runs, train = split("u_shape", {"log10_flops_1e21": "x", "neg_brier_easy": "y"})
    for task in runs[runs.in_sldbench == 1].task.unique():
        own = ((runs.task == task) & (runs.in_sldbench == 1)).to_numpy()
        yield Case(
            "sldbench",
            f"u_shape, {task}",
            law,
            runs[own & train],
            runs[own & ~train],
            sf.huber(0.02, "linear"),
        )


def curve_laws() -> dict[str, sf.Law]:
    laws = {"power_floor": sf.laws.power_floor, "M3": sf.laws.alabdulmohsin_m3, "bnsl": sf.laws.bnsl}
    return laws | {"M4": sf.laws.alabdulmohsin_m4.fix(e_0=0.999)}


def halves(
    family: str, name: str, x: str, train: pd.DataFrame, test: pd.DataFrame, laws: Sequence[str]
) -> Iterator[Case]:
    for label in laws:
        law = curve_laws()[label]
        to = {x: law.inputs[0], "loss": "y"}
        yield Case(
            family,
            f"{name}, {label}",
            law,
            spaced(train.rename(columns=to), FITTED),
            spaced(test.rename(columns=to), ASKED),
        )


def alabdulmohsin(data: Path) -> Iterator[Case]:
    """47 curves over examples seen, with the benchmark's own split, under four laws."""
    curves = pd.read_csv(data / "alabdulmohsin_curves" / "curves.csv.gz")
    for key, table in curves.groupby(["domain", "task", "model"]):
        t = table.sort_values("n_seen")
        first = (t.split == "train").to_numpy()
        yield from halves(
            "alabdulmohsin",
            "/".join(map(str, key)),
            "n_seen",
            t[first],
            t[~first],
            ("power_floor", "M3", "M4", "bnsl"),
        )


def colpret(data: Path) -> Iterator[Case]:
    """The second half of every third curve with 24 points or more, from its first half, under three laws."""
    curves = pd.read_csv(data / "colpret_curves" / "curves.csv.gz").sort_values(["curve", "n_tokens"])
    curves = curves[(curves.n_tokens > 0) & (curves.loss > 0)]
    curves = curves[curves.groupby("curve").loss.transform("size") >= 24]
    for name in sorted(curves.curve.unique())[::3]:
        t = curves[curves.curve == name]
        yield from halves(
            "colpret",
            name,
            "n_tokens",
            t.iloc[: len(t) // 2],
            t.iloc[len(t) // 2 :],
            ("power_floor", "M3", "bnsl"),
        )


def mpl_curves(data: Path) -> Iterator[Case]:
    """Six unseen schedules from three, two model sizes, two laws of whole curves."""
    sys.path.insert(0, str(Path(__file__).parent / "published"))
    from loss_curves import curves

    to = {"schedule": "curve", "lr": "eta", "loss": "y"}
    for model in ("25m", "100m"):
        train, test = (curves(data, model, part).rename(columns=to) for part in ("train", "test"))
        for law in (sf.laws.lr_annealing, sf.laws.multi_power):
            for schedule in test.curve.unique():
                asked = test[test.curve == schedule]
                yield Case("mpl_curves", f"{model}, {law.name}, {schedule}", law, train, asked, n_starts=4)


FAMILIES: dict[str, Callable[[Path], Iterator[Case]]] = {
    f.__name__: f for f in (porian, isoflops, loss_to_loss, gadre_overtraining, olmo_ladder, sldbench, alabdulmohsin, colpret, mpl_curves)
}  # fmt: skip


# ---------------------------------------------------------------------------------------------------- one case


def fitted(cases: Sequence[Case]) -> Iterator[tuple[Case, sf.Fit, np.ndarray]]:
    """Cases of one law and objective, fitted in one call (whole curves once per table), with what backtests say."""
    law, objective = cases[0].law, cases[0].objective
    if law.whole:
        known: dict[int, tuple[sf.Fit, np.ndarray]] = {}
        for case in cases:
            if id(case.train) not in known:
                fit = sf.fit(law, case.train, y="y", objective=objective, n_starts=case.n_starts)
                known[id(case.train)] = fit, backtested(fit, case)
            yield case, *known[id(case.train)]
        return
    columns = [*law.inputs, "y"]
    runs = pd.concat([case.train[columns].assign(case=k) for k, case in enumerate(cases)])
    fits = sf.fit_groups(
        law, runs, "case", {n: n for n in law.inputs}, "y", objective, n_starts=cases[0].n_starts
    )
    for k, case in enumerate(cases):
        fit = fits[k]
        yield case, fit, backtested(fit, case)


def backtested(fit: sf.Fit, case: Case) -> np.ndarray:
    """Log-likelihoods (windows, grid of tau) of the case's own backtests."""
    _, size, cuts = windows(fit, case.by, N_CUTS)
    return evidence(fit, size, cuts)


def asked_rows(case: Case) -> np.ndarray:
    """Which rows of the test table are counted."""
    return spaced(
        pd.DataFrame({"k": np.flatnonzero(case.test.y.notna())}), ASKED if case.law.whole else 10**9
    ).k.to_numpy()


def short(values: np.ndarray) -> list[float | str]:
    """Five digits; infinities as words, which strict JSON can hold and numpy reads back."""
    return [float(f"{v:.5g}") if np.isfinite(v) else str(v) for v in np.asarray(values, float)]


def record(case: Case, fit: sf.Fit, seen: np.ndarray) -> dict:
    """Held-out runs about the prediction (in log y or y): interval, what was measured, and the law's own error at tau 1."""
    x = {name: case.test[name].to_numpy() for name in case.law.inputs}
    with np.errstate(all="ignore"):
        told = fit.predict(x, LEVEL, "run", model_error=False)
    keep = asked_rows(case)
    log = fit.objective.space == "log"
    with np.errstate(all="ignore"):
        mean, lo, hi = (np.asarray(told[name], float)[keep] for name in ("mean", "lo", "hi"))
        y = case.test.y.to_numpy(float)[keep]
        centre, lo, hi, y = (np.log(v) if log else v for v in (mean, lo, hi, y))
    flat = {name: np.asarray(fit.column(x, name), float)[keep] for name in case.law.inputs}
    return {"family": case.family, "case": case.name, "law": case.law.name, "rows": len(fit.data.counted), "windows": len(seen),
            "alike": round(agreement(fit), 4), "evidence": short(np.sum(seen, axis=0)[COARSE]),
            "lo": short(lo - centre), "hi": short(hi - centre),
            "error": short(y - centre), "own": short(departure(fit, flat, centre, "run")),
            "distance": short(np.asarray(told["distance"], float)[keep])}  # fmt: skip


# ---------------------------------------------------------------------------------------------------- all cases


def tau_of(line: dict, usual: np.ndarray) -> np.ndarray:
    """The case's tau for each usual value, from its own evidence."""
    if not line["windows"]:
        return usual
    here = CubicSpline(GRID[COARSE], np.array(line["evidence"], float))(GRID)[None]
    return np.array([posterior(here, line["alike"], value) for value in usual])


class Held:
    """The held-out rows of all cases as arrays."""

    def __init__(self, lines: Sequence[dict]):
        columns = {
            n: [np.array(line[n], float) for line in lines] for n in ("lo", "hi", "error", "own", "distance")
        }
        size = [len(part) for part in columns["error"]]
        self.lo, self.hi, self.error, self.own, self.distance = (
            np.concatenate(parts) for parts in columns.values()
        )
        self.case = np.repeat(np.arange(len(lines)), size)
        self.lines, self.families = lines, list(dict.fromkeys(line["family"] for line in lines))
        self.family = np.repeat([line["family"] for line in lines], size)
        cases = {f: sum(line["family"] == f for line in lines) for f in self.families}
        self.weight = np.concatenate(
            [np.full(n, 1 / n / cases[line["family"]]) for n, line in zip(size, lines, strict=True)]
        )

    def ends(self, tau: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Limits about the prediction with this tau for every case (0: as they are)."""
        own = Z * tau[self.case] * self.own
        return -np.hypot(np.minimum(self.lo, 0), own), np.hypot(np.maximum(self.hi, 0), own)

    def share(self, inside: np.ndarray, rows: np.ndarray) -> float:
        return float(np.average(inside[rows], weights=self.weight[rows])) if np.any(rows) else np.nan

    def by_family(self, inside: np.ndarray) -> dict[str, float]:
        return {f: self.share(inside, self.family == f) for f in self.families}


USUAL = np.geomspace(0.2, 3.0, 109)  # about 2.5 % apart


def learnt(held: Held, ladder: Sequence[np.ndarray], left_out: str | None) -> int:
    """The place in USUAL of the tau with which 90 % of the other families' runs are held."""
    found = []
    for tau in ladder:
        lo, hi = held.ends(tau)
        shares = held.by_family((lo <= held.error) & (held.error <= hi))
        found.append(np.mean([v for f, v in shares.items() if f != left_out]))
    return int(np.argmin(np.abs(np.array(found) - LEVEL)))


def summary(lines: Sequence[dict]) -> dict:
    """Coverage, widths and scores, before and after."""
    held = Held(lines)
    taus = np.stack([tau_of(line, USUAL) for line in lines], axis=1)
    alone = np.repeat(USUAL[:, None], len(lines), axis=1)
    out: dict = {"cases": len(lines), "rows": len(held.error), "families": {}, "distance": {}, "tau": {}}
    ways = {"before": np.zeros(len(lines))}
    for name, ladder in (("left out, without own evidence", alone), ("left out", taus)):
        places = {f: learnt(held, ladder, f) for f in held.families}
        ways[name] = np.array([ladder[places[line["family"]]][k] for k, line in enumerate(lines)])
        out["tau"][name] = {f: float(USUAL[k]) for f, k in places.items()}
    out["tau"]["all families"] = float(USUAL[learnt(held, taus, None)])
    ways["as shipped"] = np.array([tau_of(line, np.array([TAU]))[0] for line in lines])
    spare = np.array([line["family"] for line in lines])
    for name, tau in ways.items():
        lo, hi = held.ends(tau)
        inside = (lo <= held.error) & (held.error <= hi)
        half = np.minimum((hi - lo) / 2, 1e3)
        beyond = np.maximum(np.maximum(lo - held.error, held.error - hi), 0)
        shares = held.by_family(inside)
        out["families"][name] = {"all": float(np.mean(list(shares.values()))), **shares}
        out["distance"][name] = {words(b): held.share(inside, between(held.distance, b)) for b in BINS}
        out.setdefault("width", {})[name] = {
            f: float(np.median(half[held.family == f])) for f in held.families
        }
        # Interval score of Gneiting and Raftery 2007: width plus 2/alpha times what lies outside; geometric mean of cases.
        score = 2 * half + 2 / (1 - LEVEL) * beyond
        each = np.array([np.mean(score[held.case == k]) for k in range(len(lines))])
        out.setdefault("score", {})[name] = {
            f: float(np.exp(np.mean(np.log(each[spare == f])))) for f in held.families
        }
    size = np.minimum(np.abs(np.nan_to_num(held.error, nan=np.inf)), 1.0)
    out["error"] = {f: held.share(size, held.family == f) for f in held.families}
    out["cases_of"] = {f: int(np.sum(spare == f)) for f in held.families}
    return out


def between(distance: np.ndarray, bounds: tuple[float, float]) -> np.ndarray:
    return (distance > bounds[0]) & (distance <= bounds[1])


def words(bounds: tuple[float, float]) -> str:
    lo, hi = bounds
    return "inside" if hi == 0 else f"{lo:g}-{hi:g}" if np.isfinite(hi) else f">{lo:g}"


def markdown(found: dict) -> str:
    """The tables of `summary`."""
    ways = list(found["families"])
    head = f"| family | cases | mean error, % | {' | '.join(ways)} | tau of the others | half-width before, after | score before, after |"
    lines = [f"Share of held-out runs inside 90 % intervals: {found['rows']} runs, {found['cases']} cases.", "",
             head, "|" + " --- |" * head.count(" |"),]  # fmt: skip
    for f, n in found["cases_of"].items():
        shares = " | ".join(f"{100 * found['families'][way][f]:.0f} %" for way in ways)
        pair = [
            ", ".join(f"{found[what][way][f]:.3g}" for way in ("before", "as shipped"))
            for what in ("width", "score")
        ]
        error = f"{100 * found['error'][f]:.2f}"
        lines.append(
            f"| {f} | {n} | {error} | {shares} | {found['tau']['left out'][f]:.2f} | {pair[0]} | {pair[1]} |"
        )
    shares = " | ".join(f"{100 * found['families'][way]['all']:.0f} %" for way in ways)
    lines += [f"| all, families alike | {found['cases']} | | {shares} | {found['tau']['all families']:.2f} (all) | | |", "",
              f"| decades beyond the runs | {' | '.join(ways)} |", "|" + " --- |" * (len(ways) + 1)]  # fmt: skip
    for b in map(words, BINS):
        lines.append(
            f"| {b} | " + " | ".join(f"{100 * found['distance'][way][b]:.0f} %" for way in ways) + " |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="Coverage of intervals on runs that were really held out.")
    parser.add_argument("--family", nargs="+", choices=FAMILIES, default=[*FAMILIES])
    parser.add_argument("--jsonl", type=Path, help="keep finished cases here, and go on from there")
    parser.add_argument("--json", type=Path, help="write the summary to this file")
    parser.add_argument("--markdown", type=Path, help="write the tables to this file")
    arguments = parser.parse_args()
    folder = os.environ.get("SCALEFIT_DATA")
    if not folder:
        sys.exit("Set SCALEFIT_DATA to the folder that holds porian_isoflop, isoflops and the others.")
    lines = []
    if arguments.jsonl and arguments.jsonl.exists():
        lines = [json.loads(text) for text in arguments.jsonl.read_text().splitlines()]
    done = {(line["family"], line["case"]) for line in lines}
    for family in arguments.family:
        groups: dict[tuple, list[Case]] = {}
        for case in FAMILIES[family](Path(folder)):
            if (case.family, case.name) not in done:
                groups.setdefault((case.law, case.objective), []).append(case)
        for cases in groups.values():
            begin = time.perf_counter()
            for case, fit, seen in fitted(cases):
                lines.append(record(case, fit, seen))
                if arguments.jsonl:
                    with arguments.jsonl.open("a") as file:
                        file.write(json.dumps(lines[-1]) + "\n")
            print(
                f"{family}: {len(cases)} cases of {cases[0].law.name}, {time.perf_counter() - begin:.0f} s",
                flush=True,
            )
    lines = [line for line in lines if line["family"] in arguments.family]
    found = summary(lines)
    print(markdown(found))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")
    if arguments.markdown:
        arguments.markdown.write_text("# Coverage on real held-out runs\n\n" + markdown(found))


if __name__ == "__main__":
    main()
