"""The usual size of a law's own error (tau of `sf.widen`), learnt from runs that were really held out.

    SCALEFIT_DATA=... python benchmarks/model_error.py [--family ...] [--jsonl FILE] [--markdown FILE]

Cases are those of the suite's foresight tasks, in nine families: larger budgets, larger models, the second half of a
curve, unseen schedules. How often the intervals of `sf.fit` hold what was held out, by task and by distance, the suite
says itself (`scalefit bench run 'foresight/*' --method sf.fit --method "sf.fit, law as right"`). Here the usual tau is
learnt so that widened 90 % intervals hold 90 % of the runs of the other eight families, and tested on the ninth ("left
out"); each case moves it by its own backtests inside its training rows and by how alike its neighbouring residuals are,
or not ("without own evidence"). Rows are weighted so that all cases of a family, and all families, count alike.
Finished cases are kept in the file given with --jsonl, one line each: a run that was stopped goes on from there.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.interpolate import CubicSpline
from scipy.special import ndtri
from sldbench import make, parabola_brier, real

import scalefit as sf
from scalefit import bench
from scalefit.bench.methods import parts
from scalefit.bench.splits import spaced
from scalefit.fits.model_error import GRID, TAU, agreement, departure, evidence, posterior, windows

LEVEL, N_CUTS = 0.9, 4
Z = float(ndtri((1 + LEVEL) / 2))
# At most so many rows of a curve are asked for, evenly spaced.
ASKED = 24
COARSE = slice(None, None, 5)
BINS = ((-1.0, 0.0), (0.0, 0.3), (0.3, 0.6), (0.6, 1.0), (1.0, 1.5), (1.5, np.inf))
# Tasks of each family, and the laws its cases are fitted by where it is not the task's own.
HUBER = sf.huber(1e-3)
PARABOLA = make(parabola_brier, a=real("a", -2.0, 0.0), b=real("b", 0.0, 0.5), c=real("c", 0.0))
CURVES = (sf.laws.power_floor, sf.laws.alabdulmohsin_m3, sf.laws.bnsl)
FAMILIES: dict[str, tuple[tuple[str, ...], tuple[sf.Law, ...]]] = {
    "porian": (("porian",), ()),
    "isoflops": (("isoflops",), ()),
    "loss_to_loss": (("loss_to_loss", "loss_by_loss"), ()),
    "gadre_overtraining": (("gadre",), ()),
    "olmo_ladder": (("olmo_losses", "olmo_accuracy"), ()),
    "sldbench": (
        ("sldbench_parallel", "sldbench_vocab", "sldbench_data_constrained", "sldbench_u_shape"),
        (),
    ),
    "alabdulmohsin": (("alabdulmohsin",), (*CURVES, sf.laws.alabdulmohsin_m4.fix(e_0=0.999))),
    "colpret": (("colpret",), CURVES),
    "mpl_curves": (("unseen_schedules",), (sf.laws.lr_annealing, sf.laws.multi_power)),
}


@dataclass(frozen=True, eq=False)
class Case:
    """A case of the suite, one law, and one part of it where it is fitted in parts."""

    family: str
    name: str
    law: sf.Law
    train: pd.DataFrame
    test: pd.DataFrame
    objective: sf.Objective
    by: str | None
    n_starts: int | None


def cases(family: str) -> Iterator[Case]:
    """Every case of a family; of colpret every third curve; unseen schedules one by one."""
    names, laws = FAMILIES[family]
    for task in bench.tasks([f"foresight/{name}" for name in names]):
        for case in list(task.cases())[:: 3 if family == "colpret" else 1]:
            for law in laws or (case.law or PARABOLA,):
                label = "curve" if law.whole else case.label
                for k, (train, test) in enumerate(parts(replace(case, label=label))):
                    yield Case(
                        family,
                        f"{task.name}, {case.name}, {law.name}, {k}",
                        law,
                        case.train if law.whole else train,
                        spaced(test, ASKED) if not law.whole and (laws or case.by == "N_v") else test,
                        case.objective or HUBER,
                        case.by,
                        case.n_starts,
                    )


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
    parser.add_argument("--markdown", type=Path, help="write the tables to this file")
    arguments = parser.parse_args()
    lines = []
    if arguments.jsonl and arguments.jsonl.exists():
        lines = [json.loads(text) for text in arguments.jsonl.read_text().splitlines()]
    done = {(line["family"], line["case"]) for line in lines}
    for family in arguments.family:
        groups: dict[tuple, list[Case]] = {}
        for case in cases(family):
            if (case.family, case.name) not in done:
                groups.setdefault((case.law, case.objective), []).append(case)
        for own in groups.values():
            begin = time.perf_counter()
            for case, fit, seen in fitted(own):
                lines.append(record(case, fit, seen))
                if arguments.jsonl:
                    with arguments.jsonl.open("a") as file:
                        file.write(json.dumps(lines[-1]) + "\n")
            print(
                f"{family}: {len(own)} cases of {own[0].law.name}, {time.perf_counter() - begin:.0f} s",
                flush=True,
            )
    lines = [line for line in lines if line["family"] in arguments.family]
    found = summary(lines)
    print(markdown(found))
    if arguments.markdown:
        arguments.markdown.write_text("# The usual size of a law's own error\n\n" + markdown(found))


if __name__ == "__main__":
    main()
