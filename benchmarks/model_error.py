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
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pandas as pd
from scipy.interpolate import CubicSpline
from scipy.special import ndtri

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
BINS = (-1.0, 0.0, 0.3, 0.6, 1.0, 1.5, np.inf)
USUAL = np.geomspace(0.2, 3.0, 109)  # about 2.5 % apart
# Tasks of each family, and the laws its cases are fitted by where it is not the task's own.
HUBER = sf.huber(1e-3)
REALS = {
    name: sf.Coef(name, sf.REAL, start)
    for name, start in (("a", (-2.0, 0.0)), ("b", (0.0, 0.5)), ("c", (0.0,)))
}
PARABOLA = sf.law(
    lambda x, *, a, b, c: -1 / (1 + jnp.exp(-a + b * x + c * x * x)), "parabola_brier", coefs=REALS
)
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
                for k, (_, train, test) in enumerate(parts(replace(case, label=label))):
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


def held(lines: Sequence[dict]) -> pd.DataFrame:
    """The held-out rows of all cases; weights by which cases of a family count alike."""
    columns = ("lo", "hi", "error", "own", "distance")
    parts = [pd.DataFrame({name: np.array(line[name], float) for name in columns}) for line in lines]
    cases = Counter(line["family"] for line in lines)
    return pd.concat(
        [part.assign(case=k, family=line["family"], weight=1 / len(part) / cases[line["family"]])
         for k, (line, part) in enumerate(zip(lines, parts, strict=True))], ignore_index=True)  # fmt: skip


def inside(rows: pd.DataFrame, tau: np.ndarray) -> pd.Series:
    """Which runs lie in their interval with this tau for every case (0: the law taken as right)."""
    own = Z * tau[rows["case"]] * rows["own"]
    reach = -np.hypot(np.minimum(rows["lo"], 0), own), np.hypot(np.maximum(rows["hi"], 0), own)
    return (reach[0] <= rows["error"]) & (rows["error"] <= reach[1])


def shares(rows: pd.DataFrame, values: pd.Series, by: pd.Series) -> pd.Series:
    """Means in percent, weighted, by family or distance."""
    return 100 * (values * rows["weight"]).groupby(by, sort=False).sum() / rows["weight"].groupby(by).sum()


def page(lines: Sequence[dict]) -> str:
    """Shares of runs inside their interval, before and after, by family and by distance."""
    rows, families = held(lines), list(dict.fromkeys(line["family"] for line in lines))
    taus = np.stack([tau_of(line, USUAL) for line in lines], axis=1)
    alone = np.repeat(USUAL[:, None], len(lines), axis=1)

    def learnt(ladder: np.ndarray, left_out: str | None) -> int:
        """The place in USUAL of the tau with which 90 % of the other families' runs are held."""
        found = [shares(rows, inside(rows, tau), rows["family"]) for tau in ladder]
        return int(
            np.argmin(
                [abs(each.drop(left_out or [], errors="ignore").mean() - 100 * LEVEL) for each in found]
            )
        )

    places = {
        ladder: {f: learnt(each, f) for f in families} for ladder, each in (("alone", alone), ("own", taus))
    }
    ways = {
        "before": np.zeros(len(lines)),
        "as shipped": np.array([tau_of(line, np.array([TAU]))[0] for line in lines]),
    }
    for name, key, ladder in (("left out, without own evidence", "alone", alone), ("left out", "own", taus)):
        ways[name] = np.array([ladder[places[key][line["family"]]][k] for k, line in enumerate(lines)])
    size = np.minimum(np.abs(rows["error"].fillna(np.inf)), 1.0)
    table = pd.DataFrame({
        "cases": Counter(line["family"] for line in lines),
        "mean error": shares(rows, size, rows["family"]),
        **{name: shares(rows, inside(rows, tau), rows["family"]) for name, tau in ways.items()},
        "tau of the others": {f: USUAL[places["own"][f]] for f in families},
    })  # fmt: skip
    table.loc["all, families alike"] = table.mean()
    table.loc["all, families alike", ["cases", "tau of the others"]] = len(lines), USUAL[learnt(taus, None)]
    decades = pd.cut(rows["distance"], BINS).astype(str).rename("decades beyond the runs")
    far = pd.DataFrame({name: shares(rows, inside(rows, tau), decades) for name, tau in ways.items()})
    told = f"Percent of held-out runs inside 90 % intervals: {len(rows)} runs, {len(lines)} cases."
    each = (
        sf.to_markdown(one.rename_axis(head).reset_index().round(2))
        for one, head in ((table, "family"), (far, "decades"))
    )
    return "\n\n".join(["# The usual size of a law's own error", told, *each, ""])


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
            for case, fit, seen in fitted(own):
                lines.append(record(case, fit, seen))
                if arguments.jsonl:
                    with arguments.jsonl.open("a") as file:
                        file.write(json.dumps(lines[-1]) + "\n")
            print(f"{family}: {len(own)} cases of {own[0].law.name}", flush=True)
    text = page([line for line in lines if line["family"] in arguments.family])
    print(text)
    if arguments.markdown:
        arguments.markdown.write_text(text)


if __name__ == "__main__":
    main()
