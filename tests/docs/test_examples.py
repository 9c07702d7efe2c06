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


def example(name: str):
    """An example of examples/ as a module."""
    spec = importlib.util.spec_from_file_location(name, SCRIPT.parent / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.filterwarnings("default")
def test_a_torch_loop_is_recorded_and_foretold(tmp_path):
    """Stopped at 60 %, and trained to its end: there the loss lies in the interval of the curve."""
    pytest.importorskip("torch", reason="needs PyTorch: pip install torch")
    script = example("record_torch")
    told = script.main(["--steps", "1000", "--log", str(tmp_path / "part.jsonl")])
    assert told.step == 600
    script.train(tmp_path / "whole.jsonl", 1000, 1000)
    whole = sf.read_log(tmp_path / "whole.jsonl").table
    np.testing.assert_array_equal(whole["loss"][:120], sf.read_log(tmp_path / "part.jsonl").table["loss"])
    assert told.lo - 0.02 < whole["loss"][-20:].mean() < told.hi + 0.02


@pytest.mark.filterwarnings("default")
def test_keras_losses_are_those_of_the_steps_in_between(tmp_path, monkeypatch):
    """Their mean over an epoch is what Keras says of it."""
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras", reason="needs Keras: pip install scalefit-jax[neighbours]")
    record = example("record_keras").Record(tmp_path / "run.jsonl", every=4, tokens_per_step=8)
    x = np.random.default_rng(0).standard_normal((96, 3)).astype("float32")
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(0.05), loss="mse")
    known = model.fit(x, x[:, :1], batch_size=8, epochs=3, verbose=0, callbacks=[record]).history["loss"]
    table = sf.read_log(tmp_path / "run.jsonl").table
    assert table["step"].tolist() == [4, 8, 12, 16, 20, 24, 28, 32, 36]
    assert table["tokens"].tolist() == [8 * step for step in table["step"]]
    np.testing.assert_allclose(table["loss"].to_numpy().reshape(3, 3).mean(axis=1), known, rtol=1e-5)
    np.testing.assert_allclose(table["lr"], 0.05, rtol=1e-6)
