"""Nasty calls and files, drawn by a seed: what `test_fuzz.py` tries a few of, and benchmarks/fuzz.py 100,000.

Each is an area: a function of a random generator, what is known (`World`) and an empty folder, that makes one
call and looks at its answer. `ended` says how: refused in one clear sentence, or answered soundly; what is
neither raises.
"""

from __future__ import annotations

import atexit
import contextlib
import gzip
import io
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
from sentences import REFUSALS, check_sentence
from test_arguments import ASKED, Given

import scalefit as sf
from scalefit.cli import main
from scalefit.frames import read
from scalefit.runs.logs import FORMATS

CELLS = (
    None, np.nan, np.inf, -np.inf, 0, -1, -0.0, 1e-320, 1e308, -1e308, "a", "", "1e9", "53.3M", "3,5", True,
    10**400, -(2**63), [], {}, 1j, b"1", np.float32(2.5), np.datetime64("2024-01-01"), pd.NA, pd.NaT,
    10**9, 0.5, 2, 2**64, "bananas", (1, 2), np.zeros((2, 2)), np.array([]), object, "\x00", "N",
)  # fmt: skip
NAMES = ("N", "D", "loss", "y", "run", "n_params", "a\nb", "<b>x</b>", "", "=1+1", "C", "$\\x_1$", "y\u0301")
# One call may take so many seconds of the processor, and so much memory (kilobytes) beyond what was taken.
SECONDS, MEMORY = 30, 1_500_000
Draw = np.random.Generator


def table(rng: Draw) -> Any:
    """Runs of a law with things wrong in them: cells, columns, scales, lengths, kinds of tables."""
    n = int(rng.choice([1, 2, 5, 6, 12, 24]))
    N = 10 ** rng.uniform(6, 10, n)
    x = {"N": N, "D": N * 10 ** rng.uniform(0, 3, n)}
    law = sf.laws.chinchilla
    y = law(law.published["hoffmann2022"], x) * np.exp(rng.choice([0, 1e-3, 0.1]) * rng.standard_normal(n))
    runs: dict[str, Any] = {**x, "loss": np.asarray(y)}
    for _ in range(int(rng.integers(0, 3))):
        name = str(rng.choice(list(runs)))
        if np.shape(runs[name]) != (n,):
            continue
        column = np.asarray(runs[name])
        what = int(rng.integers(0, 12))
        if what == 0:
            cells = column.astype(object).tolist()
            if cells:
                cells[int(rng.integers(len(cells)))] = CELLS[int(rng.integers(len(CELLS)))]
            runs[name] = cells
        elif what == 1:
            with np.errstate(all="ignore"):
                runs[name] = column.astype(float) * 10.0 ** rng.integers(-300, 300)
        elif what == 2:
            runs[name] = np.full(n, column[0])
        elif what == 3:
            runs[name] = column[: int(rng.integers(0, len(column) + 1))]
        elif what == 4:
            runs[str(NAMES[int(rng.integers(len(NAMES)))])] = runs.pop(name)
        elif what == 5:
            with np.errstate(all="ignore"):
                runs[name] = column.astype(rng.choice(["float32", "int64", "float16"]))
        elif what == 6:
            runs[name] = [str(cell) for cell in column.tolist()]
        elif what == 7:
            runs[name] = CELLS[int(rng.integers(len(CELLS)))]
        elif what == 8:
            runs[name] = -column
        elif what == 9:
            runs[name] = np.stack([column, column])
        elif what == 10:
            runs["weight"] = rng.choice([0.0, 1.0, 1e-300, 1e300, np.nan, -1.0], len(column))
        else:
            runs[name] = np.round(column.astype(float), -int(rng.integers(-3, 9)))
    if rng.random() < 0.4:
        try:
            return pd.DataFrame(runs, index=rng.permutation(n) if rng.random() < 0.3 else None)
        except (ValueError, TypeError):
            return runs
    return runs


def nothing_hidden(frame: pd.DataFrame) -> None:
    """Every row of numbers is whole, or says why not."""
    numbers = frame.select_dtypes("number")
    open_ = numbers.isna().any(axis=1)
    assert not open_.any() or (frame.loc[open_, "caution"] != "").all(), frame.to_string()


def fit_any(rng: Draw, known: World, folder: Path) -> None:
    try:
        runs = table(rng)
    except (ValueError, TypeError):  # two edits that numpy itself cannot make one after the other
        return
    options: dict[str, Any] = {"law": "chinchilla"}
    if (isinstance(runs, dict) and "weight" in runs) or (
        isinstance(runs, pd.DataFrame) and "weight" in runs.columns
    ):
        options["weight"] = "weight"
    if rng.random() < 0.1:
        options[str(rng.choice(["y", "group", "inputs", "n_starts"]))] = CELLS[int(rng.integers(len(CELLS)))]
    found = sf.fit(runs=runs, **options)
    assert found.summary()
    assert np.isfinite(found.value) or found.status.trust == "bad"
    assert all(np.isfinite(v) for v in found.coefs.values()) or found.status.trust == "bad"


def predict_any(rng: Draw, known: World, folder: Path) -> None:
    def column() -> Any:
        kind = int(rng.integers(0, 6))
        if kind == 0:
            return CELLS[int(rng.integers(len(CELLS)))]
        if kind == 1:
            return [CELLS[int(rng.integers(len(CELLS)))] for _ in range(int(rng.integers(0, 4)))]
        return 10 ** rng.uniform(*((6, 12) if kind < 5 else (-320, 308)), int(rng.integers(1, 4)))

    x: Any = {"N": column(), "D": column()}
    if rng.random() < 0.1:
        x = CELLS[int(rng.integers(len(CELLS)))]
    level = [None, 0.9, 0.5, 1e-9, 1 - 1e-12, CELLS[int(rng.integers(len(CELLS)))]][int(rng.integers(6))]
    kind = str(rng.choice(["mean", "run"]))
    found = known.fit.predict(x, level, kind)
    if level is None:
        assert not np.isnan(found).any()
        return
    nothing_hidden(found)
    inside = (found.lo <= found["mean"] * (1 + 1e-9)) & (found["mean"] <= found.hi * (1 + 1e-9))
    assert (inside | (found.caution != "")).all(), found.to_string()


def optimal_any(rng: Draw, known: World, folder: Path) -> None:
    options: dict[str, Any] = {"C": 10 ** rng.uniform(10, 30, int(rng.integers(1, 4)))}
    for name in ("C", "level", "limits", "menu", "at", "loss", "key"):
        if rng.random() < 0.15:
            options[name] = CELLS[int(rng.integers(len(CELLS)))]
    if rng.random() < 0.3:
        lo, hi = np.sort(10 ** rng.uniform(5, 13, 2))
        options["limits"] = {str(rng.choice(["N", "D"])): (lo, hi)}
    found = sf.optimal(known.fit, **options)
    nothing_hidden(found)


def isoflop_any(rng: Draw, known: World, folder: Path) -> None:
    budget = np.repeat(np.geomspace(1e18, 1e20, int(rng.integers(1, 5))), int(rng.integers(1, 8)))
    N = np.sqrt(budget / 120) * 10 ** rng.uniform(-0.7, 0.7, len(budget))
    x = {"N": N, "D": budget / 6 / N}
    law = sf.laws.chinchilla
    loss = np.asarray(law(law.published["hoffmann2022"], x)) * np.exp(0.003 * rng.standard_normal(len(N)))
    runs: dict[str, Any] = {**x, "C": budget, "loss": loss}
    for _ in range(int(rng.integers(0, 3))):
        name = str(rng.choice(list(runs)))
        if len(runs[name]) != len(N):
            continue
        kind = int(rng.integers(0, 4))
        if kind == 0:
            cells = list(runs[name])
            cells[int(rng.integers(len(cells)))] = CELLS[int(rng.integers(len(CELLS)))]
            runs[name] = cells
        elif kind == 1:
            runs[name] = np.asarray(runs[name])[: int(rng.integers(0, len(N) + 1))]
        elif kind == 2:
            runs[name] = [runs[name][0]] * len(N)
        else:
            runs.pop(name)
        if not runs:
            break
    options: dict[str, Any] = {"n_draws": 20}
    if rng.random() < 0.5:
        options["budget"] = "C"
    if rng.random() < 0.2:
        options["method"] = str(rng.choice(["parabola", "cubic", "akima", "spline"]))
    found = sf.isoflop(runs, **options)
    assert repr(found)


def load_any(rng: Draw, known: World, folder: Path) -> None:
    fit = known.fit
    fit.save(folder / "fit.json")
    text = (folder / "fit.json").read_text()
    kind, place = int(rng.integers(0, 4)), int(rng.integers(len(text)))
    if kind == 0:
        text = text[:place]
    elif kind == 1:
        text = text[:place] + chr(int(rng.integers(32, 126))) + text[place + 1 :]
    elif kind == 2:
        saved = json.loads(text)
        inside = saved
        while isinstance(inside, dict | list) and len(inside) and rng.random() < 0.8:
            parts = list(inside) if isinstance(inside, dict) else list(range(len(inside)))
            part = parts[int(rng.integers(len(parts)))]
            if not isinstance(inside[part], dict | list) or rng.random() < 0.3:
                inside[part] = [None, 0, -1.5, "x", [], {}, 1e308, True][int(rng.integers(8))]
                break
            inside = inside[part]
        text = json.dumps(saved)
    else:
        text = str(rng.choice(["[", "{", "null", "\ufeff", "NaN", '{"format":4}'])) * int(
            rng.integers(1, 2000)
        )
    (folder / "fit.json").write_text(text)
    try:
        again = sf.load(folder / "fit.json")
    except ValueError as refused:
        if not str(refused).startswith("'fit.json' cannot be loaded: "):
            raise AssertionError("the refusal does not name the file") from refused
        raise
    assert again.coefs == fit.coefs
    assert again.status == fit.status
    np.testing.assert_array_equal(again.covariance, fit.covariance)


def sweep_any(rng: Draw, known: World, folder: Path) -> None:
    N, lr = (grid.ravel() for grid in np.meshgrid([1e8, 1e9], np.geomspace(1e-4, 1e-2, 9)))
    runs: dict[str, Any] = {"N": N, "lr": lr, "loss": 3 + 0.02 * np.log(lr / 1e-3 * np.sqrt(N / 1e8)) ** 2}
    for _ in range(int(rng.integers(0, 3))):
        name = str(rng.choice(list(runs)))
        cells = np.asarray(runs[name]).tolist() if isinstance(runs[name], np.ndarray) else list(runs[name])
        kind = int(rng.integers(0, 3))
        if kind == 0 and cells:
            cells[int(rng.integers(len(cells)))] = CELLS[int(rng.integers(len(CELLS)))]
        elif kind == 1:
            cells = cells[: int(rng.integers(0, len(cells) + 1))]
        elif cells:
            cells = [cells[0]] * len(cells)
        runs[name] = cells
    options: dict[str, Any] = {"over": ["lr"], "by": ["N"], "n_draws": 20}
    for name in ("over", "by", "y", "level", "tolerance", "noise", "sequence_length", "n_draws", "key"):
        if rng.random() < 0.05:
            options[name] = CELLS[int(rng.integers(len(CELLS)))]
    found = sf.sweep(runs, **options)
    assert repr(found)
    told = found.cells[found.cells["used"]]
    assert (told["lr"] > 0).all()


# ------------------------------------------------------------------------------- calls of all that is public


class World:
    """What calls are made with, each part made when it is first asked for."""

    @cached_property
    def runs(self) -> dict[str, Any]:
        """24 runs of two recipes, four budgets by six sizes."""
        budget = np.repeat(np.geomspace(1e18, 1e20, 4), 6)
        N = np.sqrt(budget / 120) * np.tile(np.geomspace(0.2, 5, 6), 4)
        found = sf.simulate(sf.laws.chinchilla, None, {"N": N, "D": budget / 6 / N}, noise=0.003, key=1)
        labels = {"run": np.arange(24) % 6, "recipe": np.array(["a", "b"] * 12)}
        return {"N": found["N"], "D": found["D"], "loss": found["y"], **labels}

    @cached_property
    def fit(self) -> sf.Fit:
        return sf.fit("chinchilla", self.runs)

    @cached_property
    def groups(self) -> sf.Groups:
        return sf.fit_groups("kaplan_nd", self.runs, "recipe")

    @cached_property
    def folder(self) -> Path:
        """Files that are there: a table, a log, a saved fit."""
        folder = Path(tempfile.mkdtemp(prefix="scalefit-nasty-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        for name in ("runs.csv", "log.csv", "log.jsonl"):
            (folder / name).write_bytes(self.files[name])
        self.fit.save(folder / "fit.json")
        sf.preregister(self.fit, folder / "next.json", X, date="2026-01-01")
        (folder / "sweep.csv").write_text(pd.DataFrame(self.sweep).to_csv(index=False))
        (folder / "candidates.csv").write_text("N,D\n1e9,1e11\n2e9,2e11\n")
        return folder

    @cached_property
    def drawn(self) -> sf.Fit:
        return sf.bootstrap(self.fit, 20)

    @cached_property
    def rated(self) -> dict[str, Any]:
        return self.runs | {"accuracy": 0.25 + 0.7 / (1 + np.exp(4 * (self.runs["loss"] - 3)))}

    @cached_property
    def link(self) -> sf.Fit:
        return sf.fit("ladder", self.rated, {"L": "loss"}, "accuracy")

    @cached_property
    def curve_table(self) -> dict[str, Any]:
        """Curves of ten sizes, of which several win a budget."""
        N, D = (g.ravel() for g in np.meshgrid(np.geomspace(1e7, 1e10, 10), np.geomspace(1e8, 1e12, 30)))
        even = CHINCHILLA | {"alpha": 0.35, "beta": 0.35}
        return {"N": N, "D": D, "loss": sf.laws.chinchilla(even, {"N": N, "D": D}), "run": N}

    @cached_property
    def ensemble(self) -> sf.Ensemble:
        return sf.extrapolate(self.runs, ["chinchilla"], n_cuts=1)

    @cached_property
    def law(self) -> sf.Law:
        return sf.laws.lr_annealing

    @cached_property
    def coefs(self) -> dict[str, float]:
        return {"L0": 2.7, "A": 0.6, "alpha": 0.45, "C": 0.7, "lam": 0.998}

    @cached_property
    def log(self) -> dict[str, Any]:
        """Two running curves of 60 rows under two schedules."""
        rates = {"a": sf.schedule.cosine(600, 3e-4), "b": sf.schedule.wsd(600, 3e-4, cooldown=200)}
        step = np.arange(10, 601, 10)
        parts = []
        for k, rate in enumerate(rates.values()):
            x = {"step": np.arange(1.0, 601), "eta": rate, "curve": np.full(600, float(k))}
            parts.append(np.asarray(self.law(self.coefs, x))[step - 1])
        return {
            "step": np.tile(step, 2),
            "lr": np.concatenate([rate[step - 1] for rate in rates.values()]),
            "run": np.repeat(list(rates), len(step)),
            "loss": np.concatenate(parts),
        }

    @cached_property
    def curves(self) -> sf.Ensemble:
        return sf.fit_curves(self.log, ["lr_annealing"], {"curve": "run"})

    @cached_property
    def told(self) -> sf.Forecast:
        return sf.forecast({name: self.log[name][:30] for name in ("step", "loss")}, "cosine(600, 3e-4)")

    @cached_property
    def isoflop(self) -> sf.IsoFlop:
        return sf.isoflop(self.runs, n_draws=20)

    @cached_property
    def sweep(self) -> dict[str, Any]:
        N, lr = (grid.ravel() for grid in np.meshgrid([1e8, 1e9], np.geomspace(1e-4, 1e-2, 9)))
        return {"N": N, "lr": lr, "loss": 3 + 0.02 * np.log(lr / 1e-3 * np.sqrt(N / 1e8)) ** 2}

    @cached_property
    def swept(self) -> sf.Sweep:
        return sf.sweep(self.sweep, ["lr"], ["N"], n_draws=20)

    @cached_property
    def plan(self) -> sf.Plan:
        return sf.next_runs(self.fit, {"N": [1e9, 2e9], "D": [1e11, 2e11]}, 1e22, {"C": 1e23})

    @cached_property
    def gate(self) -> sf.Gate:
        return sf.gate(self.runs, "a", "b")

    @cached_property
    def compared(self) -> sf.Comparison:
        return sf.compare("chinchilla", self.runs, n_cuts=1)

    @cached_property
    def profile(self) -> sf.Profile:
        return sf.profile(self.fit, "E", n_values=5)

    @cached_property
    def files(self) -> dict[str, bytes]:
        """Tables and logs in each kind of file that is read."""
        table, log, made = pd.DataFrame(self.runs), pd.DataFrame(self.log), io.BytesIO()
        table.to_parquet(made)
        lines = "".join(f"step {k}: loss {4 - k / 99:.4f}, lr {3e-4:.1e}\n" for k in range(1, 60))
        history = [{"step": k, "loss": 4 - k / 99, "learning_rate": 3e-4} for k in range(1, 30)]
        out = {
            "runs.csv": table.to_csv(index=False).encode(),
            "runs.tsv": table.to_csv(index=False, sep="\t").encode(),
            "semicolons.csv": table.to_csv(index=False, sep=";", decimal=",").encode(),
            "runs.json": table.to_json(orient="records").encode(),
            "runs.jsonl": table.to_json(orient="records", lines=True).encode(),
            "runs.parquet": made.getvalue(),
            "log.csv": log.to_csv(index=False).encode(),
            "log.jsonl": log.to_json(orient="records", lines=True).encode(),
            "trainer_state.json": json.dumps({"log_history": history}).encode(),
            "log.txt": lines.encode(),
        }
        return out | {f"{name}.gz": gzip.compress(text) for name, text in list(out.items())[:1]}


def pick(rng: Draw, of: Any) -> Any:
    """One of these."""
    return of[int(rng.integers(len(of)))]


def edited(value: Any, rng: Draw) -> Any:
    """The same with something wrong in it, or something else altogether."""
    if rng.random() < 0.2:
        return pick(rng, CELLS)
    if isinstance(value, Mapping) and value:
        out, name, what = dict(value), pick(rng, list(value)), rng.integers(6)
        cells = out.pop(name)
        return out if what == 0 else out | {pick(rng, NAMES) if what == 1 else name: edited(cells, rng)}
    if isinstance(value, list | tuple | np.ndarray) and len(value):
        return _edited_cells(list(value), rng)
    if isinstance(value, str):
        return pick(
            rng,
            (
                *NAMES,
                value.upper(),
                value + " ",
                value * (1 if len(value) > 30 else 50),
                [value],
                {value: value},
            ),
        )
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e30:
        return pick(
            rng, (-value, 0, value * 10, value / 1000, value + 1, np.float32(value), str(value), [value])
        )
    return pick(rng, CELLS)


def _edited_cells(cells: list[Any], rng: Draw) -> Any:
    row, what = int(rng.integers(len(cells))), int(rng.integers(10))
    if what < 3:
        return [*cells[:row], edited(cells[row], rng) if what else pick(rng, CELLS), *cells[row + 1 :]]
    if what == 3:
        return cells[:row]
    if what == 4:
        return [*cells, *cells]
    if what == 5:
        return [cells[row]] * len(cells)
    if what == 6:
        return [str(cell) for cell in cells]
    numbers = all(isinstance(cell, int | float | np.number) for cell in cells)
    with np.errstate(all="ignore"):
        if numbers and what == 7:
            return np.array(cells, float) * 10.0 ** rng.integers(-300, 300)
        if numbers and what == 8:
            return np.array(cells, float).astype(pick(rng, ("float32", "float16", "int64", "uint8", "bool")))
    return [cells, cells] if what == 9 else cells[::-1]


def named(values: Any, usual: str) -> dict[str, Any]:
    """Arguments by name; what is no such mapping as one of them."""
    ours = isinstance(values, Mapping) and all(isinstance(name, str) for name in values)
    return dict(values) if ours else {usual: values}


def power(x, *, A, alpha):
    """A law of one's own."""
    return A * x**-alpha


def drawn(name: str, known: World, **given: Any) -> Any:
    """One picture."""
    return getattr(sf.plot, name)(**given)


def recorded(known: World, **values: Any) -> None:
    """One record, which is a line of JSON without bare NaN."""
    path = known.folder / "recorded.jsonl"
    warnings.simplefilter("ignore", RuntimeWarning)  # in which it says that a value is no number
    try:
        with sf.Recorder(path) as recorder:
            recorder.log(**values)
        for line in path.read_text().splitlines():
            json.loads(line, parse_constant=_refuse)
    finally:
        path.unlink(missing_ok=True)


X = {"N": [2e9], "D": [4e10]}
CHINCHILLA = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}


# Name -> the call (of what is known, and arguments) and arguments that work.
CALLS: dict[str, tuple[Callable[..., Any], Callable[[World], dict[str, Any]]]] = {
    "chain": (
        lambda w, **a: sf.chain(**a),
        lambda w: {"first": w.fit, "second": w.link, "runs": w.rated, "y": "accuracy"},
    ),
    "simulate.published": (
        lambda w, **a: sf.simulate(**a),
        lambda w: {"law": sf.laws.chinchilla, "coefs": CHINCHILLA, "x": X},
    ),
    "extrapolate_groups": (
        lambda w, **a: sf.extrapolate_groups(**a),
        lambda w: {"runs": w.runs, "groups": "recipe", "laws": ["kaplan_nd"], "n_cuts": 1},
    ),
    "envelope": (
        lambda w, **a: sf.envelope(**a),
        lambda w: {"runs": w.curve_table, "run": "run", "inputs": {"N": "N", "D": "D"}, "n_draws": 20},
    ),
    "three_ways": (
        lambda w, **a: sf.three_ways(**a),
        lambda w: {"runs": w.runs, "C": 1e22, "n_draws": 20, "level": 0.9},
    ),
    "condense": (lambda w, **a: sf.condense(**a), lambda w: {"runs": w.log, "rows": 20, "tolerance": 1e-5}),
    "fit_curves": (
        lambda w, **a: sf.fit_curves(**a),
        lambda w: {"runs": w.log, "laws": ["lr_annealing"], "inputs": {"curve": "run"}},
    ),
    "shrink": (
        lambda w, **a: sf.shrink(**a),
        lambda w: {"fit": next(iter(w.curves.fits.values())), "ranges": {"alpha": (0.3, 0.7)}},
    ),
    "forecast": (
        lambda w, **a: sf.forecast(**a),
        lambda w: {
            "history": {name: w.log[name][:30] for name in ("step", "loss")},
            "schedule": "cosine(600, 3e-4)",
            "level": 0.9,
        },
    ),
    "best_schedule": (
        lambda w, **a: sf.best_schedule(**a),
        lambda w: {"fit": w.law, "steps": 500, "peak": 3e-4, "warmup": 50, "coefs": w.coefs},
    ),
    "compare_schedules": (
        lambda w, **a: sf.compare_schedules(**a),
        lambda w: {"fit": w.law, "schedules": {"a": [3e-4] * 60, "b": [1e-4] * 50}, "coefs": w.coefs},
    ),
    "optimal_mixture": (
        lambda w, **a: sf.optimal_mixture(**a),
        lambda w: {
            "fits": sf.laws["regmix_linear"],
            "coefs": {"w_1": 2.0, "w_2": 4.0, "w_3": 3.0},
            "limits": {"h_1": (0.1, 0.9)},
        },
    ),
    "published_priors": (lambda w, **a: sf.published_priors(**a), lambda w: {"law": sf.laws.chinchilla}),
    "around.fit": (
        lambda w, values, **a: sf.fit("chinchilla", w.runs, starts=sf.around(values, **a)),
        lambda w: {"values": CHINCHILLA, "n_starts": 4, "factor": 2.0},
    ),
    "log_cosh": (lambda w, **a: sf.log_cosh(**a), lambda w: {"delta": 1e-3, "space": "log"}),
    "square": (lambda w, **a: sf.square(**a), lambda w: {"space": "log"}),
    "absolute": (lambda w, **a: sf.absolute(**a), lambda w: {"space": "log"}),
    "interval": (lambda w, **a: sf.interval(**a), lambda w: {"lo": 0.0, "hi": 1.0}),
    "Coef": (
        lambda w, **a: sf.Coef(**a),
        lambda w: {"name": "A", "support": sf.POSITIVE, "start": (1.0,), "typical": (0.1, 10.0)},
    ),
    "Law.fix": (
        lambda w, a: sf.laws.chinchilla.fix(**named(a, "E")),
        lambda w: {"a": {"E": 1.69, "A": 400.0}},
    ),
    "Law.tie": (lambda w, a: sf.laws.chinchilla.tie(**named(a, "beta")), lambda w: {"a": {"beta": "alpha"}}),
    "Law.rename": (lambda w, a: sf.laws.chinchilla.rename(**named(a, "E")), lambda w: {"a": {"E": "floor"}}),
    "Law.bound": (
        lambda w, a: sf.laws.chinchilla.bound(**named(a, "E")),
        lambda w: {"a": {"E": (0.5, 2.0), "alpha": (0.1, 0.9)}},
    ),
    "Law.shared": (
        lambda w, name, by: sf.laws.chinchilla.shared(name, by=by),
        lambda w: {"name": "alpha", "by": "recipe"},
    ),
    "Law.then": (
        lambda w, **a: sf.laws.chinchilla.then(**a),
        lambda w: {"link": sf.laws.log_sigmoid, "at": "L"},
    ),
    "Law.predicting": (lambda w, **a: sf.laws.chinchilla.predicting(**a), lambda w: {"what": "accuracy"}),
    "Law.given": (lambda w, name: sf.laws.chinchilla.given(name), lambda w: {"name": "alpha"}),
    "Law.sized": (
        lambda w, a: sf.laws["regmix_linear"].sized(**named(a, "domain")),
        lambda w: {"a": {"domain": 4}},
    ),
    "Law.instance": (lambda w, **a: sf.laws.get(**a), lambda w: {"name": "chinchilla"}),
    "laws.find": (lambda w, **a: sf.laws.find(**a), lambda w: {"inputs": "N,D", "family": "penalised"}),
    "Fit.predict.drawn": (
        lambda w, **a: w.drawn.predict(**a),
        lambda w: {"x": X, "level": 0.9, "kind": "run"},
    ),
    "Fit.interval.drawn": (
        lambda w, **a: w.drawn.interval(**a),
        lambda w: {"name": "E", "level": 0.9, "kind": "bca"},
    ),
    "Fit.correlation": (lambda w: w.drawn.correlation(), lambda w: {}),
    "Ensemble.predict": (
        lambda w, **a: w.ensemble.predict(**a),
        lambda w: {"x": X, "level": 0.9, "kind": "run"},
    ),
    "Ensemble.cautions": (lambda w, **a: w.ensemble.cautions(**a), lambda w: {"x": X}),
    "Ensemble.conf_int": (lambda w, **a: w.ensemble.conf_int(**a), lambda w: {"level": 0.9}),
    "IsoFlop.predict": (lambda w, **a: w.isoflop.predict(**a), lambda w: {"C": [1e21]}),
    "IsoFlop.interval": (lambda w, **a: w.isoflop.interval(**a), lambda w: {"name": "a", "level": 0.9}),
    "Forecast.chance": (lambda w, **a: w.told.chance(**a), lambda w: {"target": 2.8}),
    "Backtest.inflation": (lambda w, **a: w.compared.backtest.inflation(**a), lambda w: {"level": 0.5}),
    "Backtest.line": (lambda w, **a: w.compared.backtest.line(**a), lambda w: {"label": "chinchilla"}),
    "schedule.cosine": (
        lambda w, **a: sf.schedule.cosine(**a),
        lambda w: {"steps": 100, "peak": 3e-4, "end": 3e-5, "warmup": 10},
    ),
    "schedule.linear": (lambda w, **a: sf.schedule.linear(**a), lambda w: {"steps": 100, "peak": 3e-4}),
    "schedule.constant": (lambda w, **a: sf.schedule.constant(**a), lambda w: {"steps": 100, "peak": 3e-4}),
    "schedule.wsd": (
        lambda w, **a: sf.schedule.wsd(**a),
        lambda w: {"steps": 100, "peak": 3e-4, "cooldown": 20, "shape": "sqrt", "warmup": 5},
    ),
    "schedule.multi_step": (
        lambda w, **a: sf.schedule.multi_step(**a),
        lambda w: {"steps": 100, "peak": 3e-4, "end": 1e-5, "stages": "8-1-1"},
    ),
    "schedule.two_stage": (
        lambda w, **a: sf.schedule.two_stage(**a),
        lambda w: {"steps": 100, "peak": 3e-4, "end": 1e-5, "first": 30},
    ),
    "schedule.from_points": (
        lambda w, **a: sf.schedule.from_points(**a),
        lambda w: {"points": [(1, 1e-3), (50, 1e-4)], "steps": 100},
    ),
    "schedule.from_text": (
        lambda w, **a: sf.schedule.from_text(**a),
        lambda w: {"text": "wsd(100, 3e-4, cooldown=20)"},
    ),
    "schedule.from_array": (lambda w, **a: sf.schedule.from_array(**a), lambda w: {"lr": [1e-3, 1e-3, 1e-4]}),
    "schedule.re_warm": (
        lambda w, **a: sf.schedule.re_warm(**a),
        lambda w: {"before": [1e-3, 1e-4], "after": [1e-3, 1e-3, 1e-4], "warmup": 1},
    ),
    "schedule.warm_up": (
        lambda w, **a: sf.schedule.warm_up(**a),
        lambda w: {"lr": [1e-3, 1e-3, 1e-4], "steps": 2},
    ),
    "flops.lifetime": (lambda w, **a: sf.flops.lifetime(**a), lambda w: {"served": 1e12}),
    "flops.Architecture": (
        lambda w, **a: sf.flops.Architecture(**a),
        lambda w: {"layers": 12, "width": 768, "vocabulary": 50257, "heads": 12},
    ),
    "flops.Deadline": (
        lambda w, **a: sf.flops.Deadline(**a),
        lambda w: {"seconds": 1e6, "per_step": 0.1, "critical": 1e6, "batch": (1e3, 1e7)},
    ),
    "flops.by_shape": (lambda w, **a: sf.flops.by_shape(**a), lambda w: {"served": 1e9}),
    "datasets.load": (lambda w, **a: sf.datasets.load(**a), lambda w: {"name": "tiny_lm", "table": "runs"}),
    "datasets.about": (lambda w, **a: sf.datasets.about(**a), lambda w: {"name": "tiny_lm"}),
    "plot.curve": (
        lambda w, **a: sf.plot.curve(w.fit, **a),
        lambda w: {"x": "N", "color": "D", "until": 1e11, "level": 0.9},
    ),
    "plot.fan": (
        lambda w, **a: sf.plot.fan(w.drawn, **a),
        lambda w: {"held_out": w.runs, "levels": (0.5, 0.9), "until": 1e11},
    ),
    "plot.residuals": (
        lambda w, **a: sf.plot.residuals(w.fit, **a),
        lambda w: {"against": "N", "runs": w.runs},
    ),
    "plot.isoloss": (
        lambda w, **a: sf.plot.isoloss(w.fit, **a),
        lambda w: {"plan": {"N": 1e9, "D": 1e11}, "at": None},
    ),
    "plot.corner": (
        lambda w, **a: sf.plot.corner(w.drawn, **a),
        lambda w: {"coefs": ["E", "A"], "level": 0.9},
    ),
    "plot.draw": (lambda w, found: sf.plot.draw(found), lambda w: {"found": w.isoflop}),
    **{
        f"plot.{name}": (partial(drawn, name), made)
        for name, made in {
            "gate": lambda w: {"found": w.gate, "title": "a"},
            "sweep": lambda w: {"found": w.swept, "over": "lr"},
            "plan": lambda w: {"found": w.plan, "legend": True},
            "profile": lambda w: {"held": w.profile},
            "compare": lambda w: {"found": w.compared},
            "observed": lambda w: {"fit": w.fit, "color": "D"},
            "crossover": lambda w: {"recipes": {"a": w.fit, "b": w.fit}, "between": (1e18, 1e22)},
        }.items()
    },
    "laws.coverage": (
        lambda w, **a: sf.laws.coverage(**a),
        lambda w: {"n": [100, 100], "right": [3, 50], "k": [1, 10]},
    ),
    "laws.critical_batch": (
        lambda w, **a: sf.laws.critical_batch(**a),
        lambda w: {"coefs": {"a": 1.0, "b": 0.5, "c": 0.1}, "B_0": 256.0, "overhead": 0.2},
    ),
    "laws.loss_at_batch": (
        lambda w, **a: sf.laws.loss_at_batch(**a),
        lambda w: {"N": [1e8], "S": [1e4], "B": [1e5]},
    ),
    "laws.gradient_noise_scale": (
        lambda w, **a: sf.laws.gradient_noise_scale(**a),
        lambda w: {"small": [2.0, 2.1], "big": [1.0, 1.1], "B_small": 8.0, "B_big": 64.0},
    ),
    "laws.emergence": (
        lambda w, **a: sf.laws.emergence(**a),
        lambda w: {"N": [1e8, 1e9, 1e10, 1e11], "rate": [0.01, 0.1, 0.3, 0.5]},
    ),
    "laws.adaptive_batch": (
        lambda w, **a: sf.laws.adaptive_batch(**a),
        lambda w: {"noise_scale": [1e3, 1e4], "exchange": 100.0},
    ),
    "laws.coverage_tail": (
        lambda w, **a: sf.laws.coverage_tail(**a),
        lambda w: {"n": [100, 90], "right": [3, 50]},
    ),
    "laws.best_vocabulary": (
        lambda w, **a: sf.laws.best_vocabulary(**a),
        lambda w: {
            "coefs": dict(sf.laws.tao_vocab.published["tao2024"]),
            "N_nv": 2.87e9,
            "width": 3200,
            "C": 2.3e21,
        },
    ),
    "laws.best_pools": (
        lambda w, **a: sf.laws.best_pools(**a),
        lambda w: {
            "pools": [{"b": 0.2, "tau": 2.0}, {"b": 0.12, "tau": 2.0}],
            "sizes": [10, 10],
            "seen": [10, 1000],
            "a": 5.0,
            "d": 0.1,
        },
    ),
    "laws.best_update_ratio": (
        lambda w, **a: sf.laws.best_update_ratio(**a),
        lambda w: {"coefs": {"D_min": 1e5, "beta": 1.0, "a": 1.0}, "flops": 1e9, "data_cost": [1e9, 4e9]},
    ),
    "law": (
        lambda w, **a: sf.law(**a),
        lambda w: {"fn": power, "name": "own", "positive": ("A",), "predicts": "loss", "source": "mine"},
    ),
    "posterior": (
        lambda w, **a: sf.posterior(**a),
        lambda w: {"fit": w.fit, "n_draws": 4, "n_warmup": 4, "n_chains": 1},
    ),
    "Groups.get": (lambda w, label: w.groups.get(label), lambda w: {"label": "a"}),
    "read_log": (
        lambda w, **a: sf.read_log(**a),
        lambda w: {
            "path": str(w.folder / "log.csv"),
            "loss": "loss",
            "step": "step",
            "lr": "lr",
            "run": "run",
        },
    ),
    "load": (lambda w, **a: sf.load(**a), lambda w: {"path": str(w.folder / "fit.json")}),
    "fit.path": (
        lambda w, **a: sf.fit("chinchilla", **a),
        lambda w: {"runs": str(w.folder / "runs.csv"), "y": "loss"},
    ),
    "Recorder": (recorded, lambda w: {"step": 1, "loss": 2.5, "lr": 1e-3, "tokens": 10, "note": "a"}),
    "bench.tasks": (lambda w, **a: sf.bench.tasks(**a), lambda w: {"patterns": "foresight/*"}),
}
# Those of tests/test_arguments.py, which are given the fit, and what their arguments are made of.
ROWS = {one.name: one for one in ASKED if one.works is not None}


def call_any(name: str, rng: Draw, known: World, folder: Path) -> None:
    """One public function, with one or two of its arguments edited."""
    if name in ROWS:
        given = ROWS[name].works(Given(known.runs, known.fit, folder))  # type: ignore[misc]
    else:
        given = CALLS[name][1](known)
    if not given and name in ROWS:  # all its arguments may be left out
        given = {pick(rng, list(ROWS[name].wrong)): pick(rng, CELLS)}
    for _ in range(int(rng.integers(1, 3))):
        if given:
            which = pick(rng, list(given))
            given = given | {which: edited(given[which], rng)}
    found = ROWS[name].call(known.fit, **given) if name in ROWS else CALLS[name][0](known, **given)
    sound(found)


def sound(found: Any) -> None:
    """An answer that can be shown, and holds no number that is none without saying so."""
    assert repr(found)
    if isinstance(found, pd.DataFrame):
        if "caution" in found.columns:
            nothing_hidden(found)
    elif isinstance(found, sf.Fit):
        assert np.isfinite(found.value) or found.status.trust == "bad"
        assert all(np.isfinite(v) for v in found.coefs.values()) or found.status.trust == "bad"
    elif isinstance(found, float | np.ndarray) and np.asarray(found).dtype.kind == "f":
        assert not np.isnan(found).any()


# ----------------------------------------------------------------------------------------------------- files


def damaged(data: bytes, rng: Draw) -> bytes:
    """A file cut off, with bits turned, bytes put in, lines lost or twice, in another encoding, or packed."""
    what, at = int(rng.integers(12)), int(rng.integers(len(data) or 1))
    if what == 0:
        return data[:at]
    if what in (1, 2):
        out = bytearray(data)
        for place in rng.integers(len(data) or 1, size=int(rng.integers(1, 4))):
            if out:
                out[place] ^= 1 << int(rng.integers(8))
        return bytes(out)
    if what == 3:
        lines = data.splitlines(keepends=True)
        row = int(rng.integers(len(lines) or 1))
        return b"".join(
            lines[:row] + lines[row + 1 :] if rng.random() < 0.5 else lines[: row + 1] + lines[row:]
        )
    if what in (4, 5):
        put = pick(
            rng, (b",", b"\n", b'"', b"\x00", b"\xff\xfe", b"NaN", b"[" * 5000, b"1" * 400, b"{", b";", b"-")
        )
        return data[:at] + put + data[at + int(rng.integers(0, 3)) :]
    if what == 6:
        text = data.decode("latin-1")
        return text.encode(pick(rng, ("utf-16", "utf-8-sig", "utf-32", "utf-16-le")))
    if what == 7:
        return gzip.compress(data)[: int(rng.integers(20, 2000))]
    if what == 8:
        return pick(
            rng, (b"", b"\n", b"\x00" * 100, b"[" * 100_000, b"{}", b"null", b"[]", b"PAR1", b"\x1f\x8b")
        )
    if what == 9:
        return data.replace(b"loss", str(pick(rng, NAMES)).encode("utf-8", "replace"), 1)
    cell = pick(
        rng, (b"nan", b"inf", b"1e400", b"-1", b"", b"9" * 30, b"1,5", b"true", b"<b>", b"=1+1", b"null")
    )
    parts = data.split(pick(rng, (b",", b"\n", b":")))
    parts[int(rng.integers(len(parts)))] = cell
    return b",".join(parts)


def read_any(rng: Draw, known: World, folder: Path) -> None:
    """A table read, or a log: rows add up, every loss is finite."""
    name = pick(rng, list(known.files))
    data = known.files[name]
    for _ in range(int(rng.integers(0, 3))):
        data = damaged(data, rng)
    if rng.random() < 0.1:
        name = pick(
            rng, ("a.csv", "a.json", "a.jsonl", "a.parquet", "a.tsv", "a.csv.gz", "a.csv.xz", "a", "a.log")
        )
    path = folder / name
    path.write_bytes(data)
    try:
        if "log" not in name and rng.random() < 0.7:
            assert repr(read(path))
            return
        kind = pick(rng, list(FORMATS)) if rng.random() < 0.1 else None
        log = sf.read_log(path, kind)
        report = log.report
        assert report.rows == report.kept + report.merged + sum(report.left_out.values())
        assert np.isfinite(log.table["loss"].to_numpy(float)).all()
        assert str(report)
    finally:
        path.unlink()


WORDS = (
    "", "-1", "0", "nan", "inf", "1e400", "--", "--N", "--json", "a b", "<b>", "no.csv", "N=1", "N=", "=",
    "1,2", "C=1e23", "chinchilla", "N", "loss", "--level", "2", "é", "--help-me", "1" + 22 * "0", "bananas",
)  # fmt: skip
LINES = (
    "fit runs.csv --law chinchilla --json",
    "fit runs.csv --law chinchilla --N N --D D --y loss --save out.json",
    "show fit.json --json",
    "predict fit.json --N 7e10 1e11 --D 1.4e12 1e12 --json",
    "predict fit.json --N 7e10 --D 1.4e12 --level 0.5 --kind run",
    "optimal fit.json --C 1e23 1e24 --json",
    "optimal chinchilla:besiroglu2024 --C 1e21 --limit D=0,1e11",
    "isoflop runs.csv --C 1e22 --json",
    "gate runs.csv --recipe a --baseline b --json",
    "sweep sweep.csv --over lr --by N --json",
    "laws --inputs N,D",
    "laws chinchilla --json",
    "suggest runs.csv --no-backtest --json",
    "plan fit.json candidates.csv --budget 1e22 --target C=1e23 --json",
    "ledger . --json",
    "settle next.json --measured 2.31 --json",
)


def line_any(rng: Draw, known: World, folder: Path) -> None:
    """A command line with a word or two edited, or one of its files damaged: one line, or an answer."""
    words = str(pick(rng, LINES)).split()
    names = [path.name for path in sorted(known.folder.iterdir())]
    for name in names:
        data = (known.folder / name).read_bytes()
        (folder / name).write_bytes(damaged(data, rng) if name in words and rng.random() < 0.3 else data)
    for _ in range(int(rng.integers(0, 3))):
        at, what = int(rng.integers(1, len(words) + 1)), int(rng.integers(4))
        words[at : at + (what < 3)] = [] if what == 0 else [pick(rng, WORDS)]
    words = [str(folder / word) if word in (*names, "out.json", ".") else word for word in words]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(words)
        except SystemExit as stopped:  # argparse itself: options it does not know, or --help
            code = stopped.code
    if code == 2 and "usage:" in err.getvalue():
        raise ValueError("options that argparse refuses")
    assert code in (0, 1, 2, 3), code
    if code == 2:
        assert err.getvalue().count("\n") == 1, err.getvalue()
        raise ValueError(err.getvalue().strip())
    assert out.getvalue(), words
    if "--json" in words:
        json.loads(out.getvalue(), parse_constant=_refuse)


def _refuse(word: str) -> None:
    raise AssertionError(f"{word} is not JSON")


def law_any(rng: Draw, known: World, folder: Path) -> None:
    """A law of the registry, simulated at inputs that are nasty."""
    law = sf.laws[pick(rng, sf.laws.names())]
    options: dict[str, Any] = {"n": int(rng.integers(1, 12)), "noise": 0.01, "key": int(rng.integers(99))}
    coefs = pick(rng, [None, *law.published.values()])
    if coefs is not None and rng.random() < 0.5:
        coefs = edited(dict(coefs), rng)
    if rng.random() < 0.5:
        name = pick(rng, list(options))
        options = options | {name: edited(options[name], rng)}
    found = sf.simulate(law, coefs, **options)
    assert not np.isnan(found["y"]).any()
    x = {name: column for name, column in found.items() if name != "y"}
    found = sf.simulate(law, coefs, x if rng.random() < 0.3 else edited(x, rng), noise=0.0)
    assert not np.isnan(found["y"]).any()


AREAS: dict[str, Callable[[Draw, World, Path], None]] = {
    "tables fitted": fit_any,
    "predictions": predict_any,
    "optima": optimal_any,
    "budgets": isoflop_any,
    "saved fits": load_any,
    "sweeps": sweep_any,
    "files read": read_any,
    "command line": line_any,
    "laws": law_any,
}


def area_of(name: str) -> Callable[[Draw, World, Path], None]:
    """An area by its name, or the calls of one public function."""
    if name in AREAS:
        return AREAS[name]

    def calls(rng: Draw, known: World, folder: Path) -> None:
        call_any(name, rng, known, folder)

    return calls


class TooLong(BaseException):
    """Past the seconds that a call may take."""


def _too_long(number: int, frame: Any) -> None:
    raise TooLong


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    """Time and memory of a call; AssertionError beyond them."""
    before, handler = (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        signal.signal(signal.SIGPROF, _too_long),
    )
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, handler)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEMORY, "too much memory"


def ended(area: str, key: int, known: World, folder: Path) -> str:
    """Refused, or answered; what is neither raises. folder: empty, and left so."""
    inside, elsewhere = folder / "inside", folder / "elsewhere"
    for place in (inside, elsewhere):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
    came_from = Path.cwd()
    os.chdir(elsewhere)
    try:
        with warnings.catch_warnings(), _bounded():
            warnings.simplefilter("error", RuntimeWarning)
            warnings.simplefilter("ignore", sf.CautionWarning)
            area_of(area)(np.random.default_rng([crc32(area.encode()), key]), known, inside)
        how = "answered"
    except REFUSALS as refused:
        check_sentence(refused)
        how = "refused"
    finally:
        os.chdir(came_from)
        if "matplotlib.pyplot" in sys.modules:
            sys.modules["matplotlib.pyplot"].close("all")
    # What was written here was written under a name that was given without a folder.
    assert all(len(path.name) <= 60 for path in elsewhere.iterdir())
    return how
