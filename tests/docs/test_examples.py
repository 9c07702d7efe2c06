"""examples/train_with_forecast.py at toy size: it trains, and the forecast shortens,
stops or fails the run."""

import importlib.util
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import scalefit as sf

SCRIPT = Path(__file__).parents[2] / "examples" / "train_with_forecast.py"
# Loss after 400 steps of the whole plan, run once by hand: 2.26. What the target asks is less.
STEPS, TARGET = 400, 2.45


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("train_with_forecast", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    before = set(sys.modules), list(sys.path)
    spec.loader.exec_module(module)
    yield module
    for name in {"corpus", "model", "train"} - before[0]:
        del sys.modules[name]
    sys.path[:] = before[1]


@pytest.fixture(scope="module")
def trained(script, tmp_path_factory):
    """The log and the answer of one toy run, and JAX's settings before and after."""
    path, before = tmp_path_factory.mktemp("run") / "run.jsonl", dict(jax.config.values)
    options = f"--steps {STEPS} --width 16 --look 80 --target {TARGET} --log".split()
    return path, script.main([*options, str(path)]), before == dict(jax.config.values)


def test_the_cooldown_begins_when_it_suffices(trained):
    path, (step, loss, why), untouched = trained
    assert why.startswith("cool down now")
    assert STEPS // 5 < step < STEPS
    assert loss <= TARGET
    table = sf.read_log(path).table
    assert table["step"].tolist() == list(range(10, step + 1, 10))
    assert table["lr"].iloc[-1] == 0
    assert untouched


def test_a_run_that_cannot_get_there_stops(script, trained, tmp_path):
    early = tmp_path / "early.jsonl"
    early.write_text("".join(trained[0].read_text().splitlines(keepends=True)[:17]))
    rates, why = script.decide(early, sf.schedule.wsd(STEPS, script.PEAK, cooldown=80, warmup=40), 80, 1.0)
    assert len(rates) == 160
    assert why.startswith("stop")


def test_a_run_off_course_raises(script, trained):
    """The run cooled down early; against the plan it began with, its rates are wrong."""
    plan = sf.schedule.wsd(STEPS, script.PEAK, cooldown=10, warmup=40)
    with pytest.raises(RuntimeError, match="rate logged at step"):
        script.decide(trained[0], plan, 10, TARGET)


def test_too_early_to_say(script, tmp_path):
    with sf.Recorder(tmp_path / "run.jsonl") as recorder:
        recorder.log(step=10, loss=5.0)
    plan = sf.schedule.wsd(STEPS, script.PEAK, cooldown=80, warmup=40)
    rates, why = script.decide(tmp_path / "run.jsonl", plan, 80, TARGET)
    np.testing.assert_array_equal(rates, plan)
    assert why == "too early to say"
