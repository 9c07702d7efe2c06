"""Every public function with every wrong kind of each of its arguments:
one clear sentence, never a traceback from inside."""

from __future__ import annotations

import atexit
import inspect
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

import numpy as np
import pytest
from sentences import REFUSALS, check_sentence

import scalefit as sf

LEVELS = ("0.9", 1.5, 0, 1, -0.1, True, float("nan"), [0.9], {}, np.array([0.1, 0.9]))
COUNTS = ("10", 1e9, -1, 2.5, True, float("nan"), None, [3], 10**12)
KEYS = ("0", -1, 0.5, None, True, [1], {})
POSITIVES = ("1e20", 0, -1.0, float("nan"), float("inf"), True, [], {}, None, [[1.0]])
NAMES = (3, 1.5, "no such column", [], {}, b"N", True)
LAWS = (3, None, [], "no_such_law", {}, True, 1.5)
RUNS = (None, 3, "no/such/file.csv", [], {}, "", True, [[1, 2]])
FITS = (None, 3, "chinchilla", {}, [], np.zeros(3))
MAPPINGS = (3, "N", [1], True)
INPUTS = (
    {},
    {"N": [1e9]},
    {"N": "a", "D": "b"},
    3,
    None,
    "N",
    [],
    {"N": [-1.0], "D": [1e10]},
    {"N": [None], "D": [1e10]},
    {"N": [np.nan], "D": [1e10]},
    {"N": [1e9, 2e9], "D": [1e10, 2e10, 3e10]},
)
KINDS = ("bananas", 3, True, [], {}, "")

BUDGET = np.repeat(np.geomspace(1e18, 1e20, 4), 6)
SIZES = {"N": np.sqrt(BUDGET / 120) * np.tile(np.geomspace(0.2, 5, 6), 4)}
SIZES["D"] = BUDGET / 6 / SIZES["N"]


@pytest.fixture(scope="module")
def runs() -> dict[str, Any]:
    table = sf.simulate(sf.laws.chinchilla, None, SIZES, noise=0.003, key=1)
    return {
        "N": table["N"],
        "D": table["D"],
        "loss": table["y"],
        "run": np.arange(24) % 6,
        "recipe": np.array(["a", "b"] * 12),
    }


@pytest.fixture(scope="module")
def fit(runs) -> sf.Fit:
    return sf.fit("chinchilla", runs)


@pytest.fixture(scope="module")
def curve_fit() -> sf.Fit:
    return sf.fit(
        "power_floor",
        sf.simulate(sf.laws.power_floor, None, {"x": np.geomspace(1e3, 1e6, 20)}, key=2),
        n_starts=4,
    )


class Asked(NamedTuple):
    """A call that works, and for each argument what must be refused."""

    name: str
    call: Callable[..., Any]
    works: Callable[[Any], dict[str, Any]]
    wrong: dict[str, tuple[Any, ...]]


X = {"N": [2e9], "D": [4e10]}


FOLDER = mkdtemp(prefix="scalefit-arguments-")
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)


def fresh(name: str) -> Path:
    """A file that is not there yet, in a folder of its own."""
    return Path(mkdtemp(dir=FOLDER)) / name


def kept_forecast(fit: sf.Fit) -> Path:
    """A forecast kept in a folder of its own."""
    return sf.preregister(fit, fresh("new.json"), X).path


ASKED = (
    Asked(
        "fit",
        lambda f, **a: sf.fit(**a),
        lambda g: {"law": "chinchilla", "runs": g.runs},
        {
            "law": LAWS,
            "runs": RUNS,
            "inputs": MAPPINGS,
            "y": NAMES,
            "group": NAMES,
            "weight": ("no", -1.0, {}, [1.0], "run2"),
            "objective": ("huber", 3, True),
            "starts": (3, [], "E", [{"E": 1.0}]),
            "key": KEYS,
            "method": KINDS,
            "n_starts": (*(v for v in COUNTS if v is not None), 0),
            "counting": KINDS[:-1],
        },
    ),
    Asked(
        "fit_groups",
        lambda f, **a: sf.fit_groups(**a),
        lambda g: {"law": "chinchilla", "runs": g.runs, "by": "recipe"},
        {
            "law": LAWS,
            "runs": RUNS,
            "by": (*NAMES[:3], [], True),
            "key": KEYS,
            "method": KINDS,
            "inputs": MAPPINGS,
            "y": NAMES,
        },
    ),
    Asked(
        "around",
        lambda f, **a: sf.around(**a),
        lambda g: {"values": {"E": 1.0}},
        {
            "values": (3, None, [1], "E"),
            "n_starts": (*COUNTS, 0),
            "factor": ("10", 1, 0, -1, float("nan"), None),
        },
    ),
    Asked(
        "predict",
        lambda f, **a: f.predict(**a),
        lambda g: {"x": X, "level": 0.9},
        {"x": INPUTS, "level": tuple(v for v in LEVELS), "kind": KINDS},
    ),
    Asked("cautions", lambda f, **a: f.cautions(**a), lambda g: {"x": X}, {"x": INPUTS}),
    Asked(
        "interval",
        lambda f, **a: f.interval(**a),
        lambda g: {"name": "E"},
        {"name": ("Z", 3, None, [], True), "level": LEVELS, "kind": KINDS},
    ),
    Asked("conf_int", lambda f, **a: f.conf_int(**a), lambda g: {}, {"level": LEVELS, "kind": KINDS}),
    Asked(
        "bootstrap",
        lambda f, **a: sf.bootstrap(**a),
        lambda g: {"fit": g.fit, "n_draws": 3},
        {
            "fit": FITS,
            "n_draws": (*COUNTS, 0, 1),
            "key": KEYS,
            "method": KINDS,
            "n_starts": tuple(v for v in COUNTS if v is not None),
        },
    ),
    Asked("jackknife", lambda f, **a: sf.jackknife(**a), lambda g: {"fit": g.fit}, {"fit": FITS}),
    Asked("sandwich", lambda f, **a: sf.sandwich(**a), lambda g: {"fit": g.fit}, {"fit": FITS}),
    Asked(
        "widen",
        lambda f, **a: sf.widen(**a),
        lambda g: {"fit": g.fit, "n_cuts": 0},
        {"fit": FITS, "by": ("no", 3, [], [1.0], {}), "n_cuts": COUNTS},
    ),
    Asked("noise", lambda f, **a: sf.noise(**a), lambda g: {"fit": g.fit}, {"fit": FITS}),
    Asked(
        "profile",
        lambda f, **a: sf.profile(**a),
        lambda g: {"fit": g.fit, "name": "E", "n_values": 5},
        {
            "fit": FITS,
            "name": ("Z", 3, None, []),
            "level": LEVELS,
            "n_values": (*COUNTS, 0, 1, 2),
            "values": ("E", [], [float("nan")], [-1.0, 1.0], 3, [[1.0]]),
        },
    ),
    Asked(
        "backtest",
        lambda f, **a: sf.backtest(**a),
        lambda g: {"laws": "chinchilla", "runs": g.runs, "n_cuts": 1},
        {
            "laws": LAWS,
            "runs": RUNS,
            "by": NAMES,
            "level": LEVELS,
            "n_cuts": (*COUNTS, 0),
            "n_draws": COUNTS,
            "key": KEYS,
            "inputs": MAPPINGS,
            "y": NAMES,
            "group": NAMES,
            "objective": ("huber", 3),
        },
    ),
    Asked(
        "compare",
        lambda f, **a: sf.compare(**a),
        lambda g: {"laws": "chinchilla", "runs": g.runs, "n_cuts": 1},
        {"laws": LAWS, "runs": RUNS, "by": NAMES, "level": LEVELS, "n_cuts": (*COUNTS, 0), "key": KEYS},
    ),
    Asked(
        "extrapolate",
        lambda f, **a: sf.extrapolate(**a),
        lambda g: {"runs": g.runs, "laws": "chinchilla", "n_cuts": 1},
        {
            "laws": tuple(v for v in LAWS if v is not None),
            "runs": RUNS,
            "by": NAMES,
            "n_cuts": (*COUNTS, 0),
            "key": KEYS,
            "recency": ("5", 0, -1, float("nan"), None, True, [5]),
            "inputs": MAPPINGS,
        },
    ),
    Asked(
        "optimal",
        lambda f, **a: sf.optimal(**a),
        lambda g: {"fit": g.fit, "C": [1e21]},
        {
            "fit": FITS,
            "C": POSITIVES,
            "level": LEVELS,
            "at": MAPPINGS,
            "choices": MAPPINGS,
            "menu": (3, "a", [], {}, [0], [-1e9]),
            "limits": (3, "N", {"N": 3}, {"N": (2, 1)}, {"Z": (1, 2)}, {"N": ("a", "b")}),
            "flops": (3, "six", {}),
            "key": KEYS,
        },
    ),
    Asked(
        "isoloss",
        lambda f, **a: sf.isoloss(**a),
        lambda g: {"fit": g.fit, "loss": 2.5, "N": [1e9]},
        {
            "fit": FITS,
            "loss": (*POSITIVES, [1.0, 2.0]),
            "N": POSITIVES,
            "level": LEVELS,
            "at": MAPPINGS,
            "key": KEYS,
        },
    ),
    Asked(
        "crossover",
        lambda f, **a: sf.crossover(**a),
        lambda g: {"a": g.fit, "b": g.fit},
        {
            "a": FITS,
            "b": FITS,
            "between": (3, "a", (2, 1), (0, 1), (1,), [], None),
            "level": LEVELS,
            "at": MAPPINGS,
        },
    ),
    Asked(
        "multiplier",
        lambda f, **a: sf.multiplier(**a),
        lambda g: {"a": g.fit, "b": g.fit, "C": [1e20]},
        {"a": FITS, "b": FITS, "C": POSITIVES, "level": LEVELS, "at": MAPPINGS},
    ),
    Asked(
        "decide",
        lambda f, **a: sf.decide(**a),
        lambda g: {"recipes": g.runs, "C": 1e21},
        {
            "recipes": (*RUNS, {"a": 3}, {"a": None, "b": None}),
            "C": (*POSITIVES, [1e20, 1e21]),
            "level": tuple(v for v in LEVELS),
            "recipe": NAMES,
            "by": NAMES,
            "y": NAMES,
            "key": KEYS,
        },
    ),
    Asked(
        "gate",
        lambda f, **a: sf.gate(**a),
        lambda g: {"runs": g.runs, "recipe": "a", "baseline": "b"},
        {
            "runs": RUNS,
            "recipe": (*NAMES, "b"),
            "baseline": NAMES,
            "C": POSITIVES,
            "level": LEVELS,
            "column": NAMES,
            "by": NAMES,
            "y": NAMES,
            "key": KEYS,
        },
    ),
    Asked(
        "next_runs",
        lambda f, **a: sf.next_runs(**a),
        lambda g: {
            "fit": g.fit,
            "candidates": {"N": [1e9], "D": [1e11]},
            "budget": 1e22,
            "target": {"C": 1e23},
        },
        {
            # A law is asked before any run.
            "fit": tuple(v for v in FITS if not isinstance(v, str)),
            "candidates": RUNS,
            "budget": (*POSITIVES, [1.0, 2.0]),
            "target": (3, "C", [], None, {}, {"Z": 1}, {"C": -1}),
            "cost": NAMES,
            "level": tuple(v for v in LEVELS),
        },
    ),
    Asked(
        "isoflop",
        lambda f, **a: sf.isoflop(**a),
        lambda g: {"runs": g.runs},
        {
            "runs": RUNS,
            "budget": NAMES,
            "method": KINDS,
            "level": LEVELS,
            "n_draws": (*COUNTS, 0, 1),
            "key": KEYS,
            "noise": ("a", -1.0, float("nan"), True, []),
        },
    ),
    Asked(
        "sweep",
        lambda f, **a: sf.sweep(**a),
        lambda g: {"runs": g.runs, "over": ["N"], "by": ["recipe"]},
        {
            "runs": RUNS,
            "over": (3, None, [], {}, ["no such column"], [3], True, ["recipe"], ["N", "N"]),
            "by": (3, None, {}, ["no such column"], [3], True, ["N"]),
            "y": (*NAMES, "N"),
            "inputs": (*MAPPINGS, {"lr": "N"}, {"N": "no"}),
            "level": LEVELS,
            "tolerance": POSITIVES,
            "noise": POSITIVES,
            "sequence_length": (*POSITIVES, 2048),
            "n_draws": (*COUNTS, 0, 1),
            "key": KEYS,
        },
    ),
    Asked(
        "simulate",
        lambda f, **a: sf.simulate(**a),
        lambda g: {"law": sf.laws.chinchilla},
        {
            "law": (3, None, {}, []),
            "coefs": (3, "no", {"E": 1.0}, []),
            "x": (3, {"N": [1e9]}, "a", {"N": [-1.0], "D": [1.0]}),
            "n": (*COUNTS, 0),
            "noise": ("a", -1.0, float("nan"), None, True),
            "key": KEYS,
        },
    ),
    Asked(
        "specification",
        lambda f, **a: sf.specification(**a),
        lambda g: {
            "fit": g.fit,
            "deltas": [1e-3],
            "spaces": ["log"],
            "drop_outliers": [0],
            "smallest": [0.0],
        },
        {
            "fit": FITS,
            "deltas": (3, [], ["a"], [-1.0], "x"),
            "spaces": (3, [], ["bananas"], "x"),
            "drop_outliers": (3, ["a"], [-1], [2.5]),
            "smallest": (3, ["a"], [-0.1], [1.0]),
            "target": ("a", -1.0, float("nan"), []),
        },
    ),
    Asked(
        "report",
        lambda f, **a: sf.report(**a),
        lambda g: {"answer": g.fit, "path": g.folder / "report.html", "refits": False},
        {
            "answer": FITS,
            "path": (3, None, [], {}, True, "no/such/folder/report.html"),
            "target": (
                3,
                "C",
                [1],
                True,
                {},
                {"C": -1},
                {"C": "a"},
                {"U": 1.0},
                {"N": 1e9},
                {"N": None, "D": 1e9},
            ),
            "level": LEVELS,
            "flops": (3, "six", {}),
            "at": MAPPINGS,
            "key": KEYS,
        },
    ),
    Asked(
        "preregister",
        lambda f, **a: sf.preregister(path=fresh("new.json"), **a),
        lambda g: {"answer": g.fit, "at": X},
        {
            "answer": FITS,
            "at": INPUTS,
            "name": (3, [], {}, ["a", "b"], [3], True),
            "assumptions": (3, None, [], {}),
            "date": ("soon", 3, [], {}, True, 20260101),
        },
    ),
    Asked(
        "preregister_path",
        lambda f, **a: sf.preregister(f, at=X, **a),
        lambda g: {"path": fresh("new.json")},
        {"path": (3, None, [], {}, True, "", "a.txt", "a.settled.json", "no/folder/a.json")},
    ),
    Asked(
        "settle",
        lambda f, **a: sf.settle(**a),
        lambda g: {"path": kept_forecast(g.fit), "measured": 2.3},
        {
            "path": (3, None, [], {}, True, "", "no/file.json"),
            "measured": (
                "2.3",
                None,
                [],
                {},
                [1.0, 2.0],
                {"new": "a"},
                {"old": 2.3},
                -1.0,
                float("nan"),
                True,
            ),
            "date": ("soon", 3, [], {}, True, "1999-01-01"),
        },
    ),
    Asked(
        "ledger",
        lambda f, **a: sf.ledger(**a),
        lambda g: {"folder": kept_forecast(g.fit).parent},
        {"folder": (3, None, [], {}, True, "", "no/folder"), "level": (*LEVELS, 0.7, None)},
    ),
    Asked(
        "suggest",
        lambda f, **a: sf.suggest(**a),
        lambda g: {"runs": g.runs, "backtest": False},
        {
            "runs": (*RUNS, {"N": [1e9, 2e9], "D": [1e10, 2e10]}, {"loss": []}, {"loss": [2.0, 3.0]}),
            "y": (*NAMES, "recipe"),
            "inputs": (*MAPPINGS, {"N": "no such column"}, {"N": 3}, {"N": []}, {"N": "recipe"}),
            "backtest": ("yes", 1, None, []),
            "key": KEYS,
        },
    ),
    Asked("condense", lambda f, **a: sf.condense(**a), None, {}),
    Asked(
        "huber",
        lambda f, **a: sf.huber(**a),
        lambda g: {},
        {"delta": ("a", 0, -1, float("nan"), None, True, []), "space": KINDS},
    ),
    Asked(
        "asymmetric",
        lambda f, **a: sf.asymmetric(**a),
        lambda g: {},
        {"share": ("a", 0, 1, -1, float("nan"), None, []), "delta": ("a", 0, -1), "space": KINDS},
    ),
    Asked("load", lambda f, **a: sf.load(**a), None, {}),
    Asked(
        "to_markdown",
        lambda f, **a: sf.to_markdown(**a),
        lambda g: {"table": g.fit.conf_int()},
        {"table": (3, None, [], {})},
    ),
    Asked(
        "to_latex",
        lambda f, **a: sf.to_latex(**a),
        lambda g: {"table": g.fit.conf_int()},
        {"table": (3, None, [], {})},
    ),
)


class Given(NamedTuple):
    runs: dict[str, Any]
    fit: sf.Fit
    folder: Path


def cases() -> Iterator[Any]:
    for asked in ASKED:
        if asked.works is None:
            continue
        for argument, values in asked.wrong.items():
            for value in values:
                yield pytest.param(asked, argument, value, id=f"{asked.name}-{argument}-{str(value)[:20]}")


# None stands for "left out" where that is the argument's default.
def left_out(asked: Asked, argument: str, value: Any) -> bool:
    known = getattr(sf, asked.name, None) or getattr(sf.Fit, asked.name, None)
    if value is not None or known is None:
        return False
    parameter = inspect.signature(known).parameters.get(argument)
    return parameter is not None and parameter.default is None


@pytest.mark.parametrize(("asked", "argument", "value"), list(cases()))
def test_refused_in_one_sentence(asked, argument, value, runs, fit, tmp_path):
    if left_out(asked, argument, value):
        pytest.skip("None is this argument left out")
    given = asked.works(Given(runs, fit, tmp_path)) | {argument: value}
    with pytest.raises(REFUSALS) as refused:
        asked.call(fit, **given)
    check_sentence(refused.value)


@pytest.mark.parametrize("asked", [a for a in ASKED if a.works], ids=lambda a: a.name)
def test_the_call_itself_works(asked, runs, fit, tmp_path):
    asked.call(fit, **asked.works(Given(runs, fit, tmp_path)))
