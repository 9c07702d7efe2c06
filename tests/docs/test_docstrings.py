"""Every public function says in its docstring what it takes, gives and raises,
and its example runs as it stands."""

from __future__ import annotations

import doctest
import inspect
from importlib import import_module
from pkgutil import walk_packages

import numpy as np
import pytest
from matplotlib import pyplot

import scalefit as sf

SECTIONS = ["Args:", "Returns:", "Raises:", "Example:"]
FUNCTIONS = [name for name in sf.__all__ if inspect.isfunction(getattr(sf, name))]
# What curves of a small model look like; the peak rate and the warm-up are those of the schedules below.
CURVE = {"L0": 2.7, "A": 0.6, "alpha": 0.45, "C": 0.7, "lam": 0.998}
STEPS, PEAK, WARMUP = 6000, 3e-4, 200


def examples() -> dict[str, doctest.DocTest]:
    """Full name -> example, of whatever has one."""
    finder = doctest.DocTestFinder()
    modules = [m.name for m in walk_packages(sf.__path__, "scalefit.") if not m.name.endswith("__main__")]
    found = [test for name in modules for test in finder.find(import_module(name), name)]
    return {test.name: test for test in found if test.examples}


EXAMPLES = examples()
# Chains of a sampler.
TOO_SLOW = {"scalefit.uncertainty.posterior.posterior"}


def sweep() -> dict[str, np.ndarray]:
    """An isoFLOP sweep, 4 budgets x 6 sizes about 20 tokens per parameter; recipes only in name."""
    C = np.repeat(np.geomspace(1e18, 1e20, 4), 6)
    N = np.sqrt(C / 120) * np.tile(np.geomspace(0.2, 5, 6), 4)
    D = C / (6 * N)
    law = sf.laws.chinchilla
    made = sf.simulate(law, law.published["besiroglu2024"], {"N": N, "D": D}, noise=0.003, key=0)
    recipe = np.tile(["a", "b"], 12)
    return {"N": N, "D": D, "loss": made["y"], "flops": C, "recipe": recipe, "run": np.arange(24)}


def three_curves() -> dict[str, np.ndarray]:
    """Three schedules, 60 rows each, with 0.1 % of noise."""
    rates = {
        "cosine": sf.schedule.cosine(STEPS, PEAK, PEAK / 10, warmup=WARMUP),
        "wsd": sf.schedule.wsd(STEPS, PEAK, cooldown=1200, warmup=WARMUP),
        "two-stage": sf.schedule.two_stage(STEPS, PEAK, PEAK / 3, first=3000, warmup=WARMUP),
    }
    random, every = np.random.default_rng(0), np.arange(1.0, STEPS + 1)
    at = np.arange(100, STEPS + 1, 100) - 1
    parts = []
    for name, rate in rates.items():
        x = {"step": every, "eta": rate, "curve": np.zeros(STEPS)}
        loss = np.asarray(sf.laws.lr_annealing(CURVE, x))[at] * np.exp(0.001 * random.standard_normal(60))
        parts.append({"step": every[at], "lr": rate[at], "run": np.full(60, name), "loss": loss})
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


@pytest.fixture(scope="module")
def names() -> dict[str, object]:
    """What examples may use without making it."""
    runs, curves = sweep(), three_curves()
    fit, curve_fit = sf.fit("chinchilla", runs), sf.fit("lr_annealing", curves)
    return {"sf": sf, "np": np, "runs": runs, "fit": fit, "curves": curves, "curve_fit": curve_fit}


def lacking(name: str) -> list[str]:
    """Sections that the docstring lacks, in their order; all where they are out of order."""
    lines = inspect.getdoc(getattr(sf, name)).splitlines()
    found = [line for line in lines if line in SECTIONS]
    return SECTIONS if found != sorted(found, key=SECTIONS.index) else [s for s in SECTIONS if s not in found]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_sections(name):
    assert lacking(name) == []
    first, *rest = inspect.getdoc(getattr(sf, name)).splitlines()
    assert first.endswith(".")
    assert rest[0] == ""


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_parameter_is_named(name):
    lines = inspect.getdoc(getattr(sf, name)).splitlines()
    body = lines[lines.index("Args:") + 1 : lines.index("Returns:")]
    told = [line.split(":")[0].strip() for line in body if line.startswith("    ") and line[4] != " "]
    assert told == list(inspect.signature(getattr(sf, name)).parameters)


def test_every_function_has_an_example():
    lacking = {name for name in FUNCTIONS if f"{getattr(sf, name).__module__}.{name}" not in EXAMPLES}
    assert not lacking


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_runs(name, names, tmp_path, monkeypatch):
    """Of functions and methods in every module, public or not; where a trainer has left train.csv."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.csv").write_text("step,train/loss,lr\n10,3.2,0.001\n20,3.0,0.001\n")
    example = EXAMPLES[name]
    run = [one for one in example.examples if doctest.SKIP not in one.options]
    assert run or name in TOO_SLOW
    example.globs = dict(names)
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    failed = runner.run(example, out=said.append).failed
    pyplot.close("all")
    assert failed == 0, "".join(said)
