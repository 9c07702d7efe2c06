"""Types as a user meets them: mypy and pyright on scripts, and annotations without gaps."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import scalefit as sf

SOURCE = Path(__file__).parents[1] / "src"

RIGHT = """\
from typing import assert_type

import numpy as np
import pandas as pd

import scalefit as sf
from scalefit.laws import power_floor

runs: pd.DataFrame = sf.datasets.load("tiny_lm")
law: sf.Law = sf.laws.chinchilla
same: sf.Law = sf.laws["chinchilla"]
names: tuple[str, ...] = sf.laws.names()
mine = (sf.laws.chinchilla.fix(E=1.7) + power_floor.rename(x="S")).bound(alpha=(0, 1))
assert_type(mine, sf.Law)
inputs = {"N": "n_params", "D": "n_tokens"}
fit = sf.fit("chinchilla", runs, inputs=inputs, y="loss", objective=sf.huber(1e-3))
assert_type(fit, sf.Fit)
assert_type(sf.bootstrap(fit, 100), sf.Fit)
assert_type(fit.predict({"N": 1e9, "D": 1e10}), np.ndarray)
band: pd.DataFrame = fit.predict({"N": 1e9, "D": 1e10}, level=0.9)
plan: pd.DataFrame = sf.optimal(fit, C=[1e21], flops=sf.flops.lifetime(1e12), level=0.9)
low, high = fit.interval("alpha")
assert_type(low, float)
ensemble = sf.extrapolate(runs, by="flops")
assert_type(ensemble, sf.Ensemble)
assert_type(sf.bootstrap(ensemble), sf.Ensemble)
groups = sf.fit_groups("power_floor", runs, by="size")
assert_type(groups["small"], sf.Fit)
compared = sf.compare(["chinchilla", law], runs)
assert_type(compared, sf.Comparison)
scores: pd.DataFrame = compared.backtest.table()
rates = sf.schedule.cosine(1000, 3e-4)
end = sf.forecast("run.jsonl", rates)
assert_type(end, sf.Forecast)
sf.plot.curve(fit, x="N")
assert_type(sf.profile(fit, "E"), sf.Profile)
plan_of_runs: sf.Plan = sf.next_runs(fit, {"N": [1e10], "D": [1e12]}, 1e24, {"C": 1e25})
with sf.Recorder("run.jsonl") as recorder:
    recorder.log(step=1, loss=2.0)
for each in sf.laws:
    print(each.name, len(sf.laws))
"""

# Each line with the name that a checker must point at.
WRONG = {
    "sf.laws.chinchila": "chinchila",
    "sf.fitt": "fitt",
    "sf.plot.curv": "curv",
    "sf.flops.lifetimes": "lifetimes",
    "sf.schedule.cosin": "cosin",
    "sf.datasets.lode": "lode",
    "sf.callbacks.HugginFace": "HugginFace",
    "sf.laws.get(3)": '"str"',
    "sf.fit('chinchilla', 'runs.csv').sumary()": "sumary",
    "sf.fit('chinchilla', 'runs.csv', objectve=sf.huber())": "objectve",
    "sf.laws.chinchilla.fixx(E=1.0)": "fixx",
    "number: int = sf.optimal(sf.fit('chinchilla', 'runs.csv'), C=1e21)": "DataFrame",
}


@pytest.fixture(scope="module")
def scripts(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("scripts")
    (folder / "right.py").write_text(RIGHT)
    (folder / "wrong.py").write_text("\n".join(["import scalefit as sf", *WRONG]) + "\n")
    return folder


def said(scripts: Path, *command: str) -> dict[str, dict[int, str]]:
    """File -> line -> what the checker says of it, errors only."""
    done = subprocess.run(
        [sys.executable, "-m", *command, "right.py", "wrong.py"],
        cwd=scripts,
        capture_output=True,
        text=True,
        timeout=500,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    assert done.returncode == 1, done.stdout + done.stderr
    found: dict[str, dict[int, str]] = {}
    for file, line, text in re.findall(r"(\w+\.py):(\d+)(?::\d+)?[: -]+error: (.*)", done.stdout):
        found.setdefault(file, {})[int(line)] = text
    return found


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_a_checker_passes_what_is_right_and_points_at_what_is_not(checker, scripts):
    pytest.importorskip(checker)
    options = {
        "mypy": ["--strict", "--cache-dir", str(scripts / "cache")],
        "pyright": ["--pythonpath", sys.executable],
    }
    found = said(scripts, checker, *options[checker])
    assert set(found) == {"wrong.py"}, found
    assert list(found["wrong.py"]) == list(range(2, 2 + len(WRONG)))
    for name, text in zip(WRONG.values(), found["wrong.py"].values(), strict=True):
        assert name in text


def public() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every public function and method, by its name."""
    for name in sf.__all__:
        thing = getattr(sf, name)
        if isinstance(thing, ModuleType):
            inside = [n for n in thing.__all__ if not (name == "callbacks" and n != "Recorder")]
            parts = {f"{name}.{n}": getattr(thing, n) for n in inside}
        else:
            parts = {name: thing}
        for label, part in parts.items():
            if inspect.isclass(part):
                yield from methods(label, part)
            elif inspect.isfunction(part):
                yield label, part


def methods(label: str, kind: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    for base in kind.__mro__:
        if not base.__module__.startswith("scalefit"):
            continue
        for name, value in vars(base).items():
            plain = (
                getattr(value, "fget", None)
                or getattr(value, "func", None)
                or getattr(value, "__func__", value)
            )
            # What a dataclass writes itself has annotations of its fields.
            if inspect.isfunction(plain) and name[0] != "_" and "__create_fn__" not in plain.__qualname__:
                yield f"{label}.{name}", plain


def test_every_parameter_and_return_of_public_functions_is_annotated():
    functions = dict(public())
    assert {"fit", "Fit.predict", "optimal", "flops.lifetime", "laws.find", "schedule.cosine"} <= set(
        functions
    )
    gaps = []
    for label, function in functions.items():
        signature = inspect.signature(function)
        gaps += [
            f"{label}({name})"
            for name, p in signature.parameters.items()
            if p.annotation is p.empty and name != "self"
        ]
        gaps += [f"{label} ->"] if signature.return_annotation is signature.empty else []
    assert gaps == []
