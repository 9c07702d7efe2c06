"""Forecasts that are written before the run: what a file holds, and that it cannot be changed unseen."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

import scalefit as sf
from scalefit.decisions.preregistration import registered

AT = {"N": 2e9, "D": 4e10}
TRUTH = {"E": 1.8, "A": 480.0, "B": 2000.0, "alpha": 0.35, "beta": 0.37}


@pytest.fixture(scope="module")
def runs() -> dict[str, np.ndarray]:
    N, D = (g.ravel() for g in np.meshgrid(np.geomspace(1e7, 1e9, 5), np.geomspace(1e9, 1e10, 4)))
    made = sf.simulate(sf.laws.chinchilla, TRUTH, {"N": N, "D": D}, noise=0.003, key=3)
    return {"n_params": N, "n_tokens": D, "val_loss": made["y"]}


@pytest.fixture(scope="module")
def fit(runs) -> sf.Fit:
    return sf.fit("chinchilla", runs)


@pytest.fixture(scope="module")
def curve() -> dict[str, np.ndarray]:
    step = np.arange(50.0, 3001, 50)
    error = 0.002 * np.random.default_rng(1).standard_normal(len(step))
    return {"step": step, "loss": (2 + 5 * step**-0.4) * np.exp(error)}


def test_the_file_holds_what_predict_says(fit, tmp_path):
    kept = sf.preregister(fit, tmp_path / "big.json", AT, assumptions="same tokenizer", date="2026-01-02")
    saved = json.loads((tmp_path / "big.json").read_text(), parse_constant=pytest.fail)
    (run,) = saved["runs"]
    for level in (0.5, 0.8, 0.9, 0.95):
        told = fit.predict(AT, level, "run").iloc[0]
        assert run["intervals"][str(level)] == [told["lo"], told["hi"]]
        assert run["mean"] == told["mean"]
    assert run["inputs"] == AT
    assert run["distance"] == told["distance"]
    assert saved["target"] == "val_loss"
    assert (saved["interval_of"], saved["model_error"], saved["space"]) == ("run", True, "log")
    (law,) = saved["laws"]
    assert law["law"] == "chinchilla"
    assert law["coefs"] == fit.coefs
    assert law["objective"] == {"kind": "huber", "space": "log", "delta": 1e-3}
    assert law["data"] == fit.data.hash()
    assert set(saved["versions"]) == {"scalefit-jax", "jax", "numpy"}
    assert saved["assumptions"] == "same tokenizer"
    assert saved["date"] == "2026-01-02T00:00:00Z"
    assert kept.content == saved == registered(tmp_path / "big.json").content


def test_the_median_lies_between_the_half_interval(fit, tmp_path):
    kept = sf.preregister(fit, tmp_path / "big.json", AT)
    told = kept.predictive()["big"]
    lo, hi = told.intervals[0.5]
    assert lo < told.median < hi
    # Both ends of an interval lie where its level says.
    for level, (low, high) in told.intervals.items():
        assert told.pit(low) == pytest.approx((1 - level) / 2)
        assert told.pit(high) == pytest.approx((1 + level) / 2)


def test_a_forecast_is_never_overwritten(fit, tmp_path):
    path = tmp_path / "big.json"
    sf.preregister(fit, path, AT)
    before = path.read_bytes()
    with pytest.raises(
        FileExistsError, match=r"^there is a file 'big.json' already, and forecasts are never"
    ):
        sf.preregister(fit, path, {"N": 1e9, "D": 1e10})
    assert path.read_bytes() == before


def test_two_writers_at_once_leave_one_whole_file(fit, tmp_path, monkeypatch):
    """The second looked before the first wrote: creation itself is exclusive."""
    from importlib import import_module

    module = import_module("scalefit.decisions.preregistration")
    path, free = tmp_path / "big.json", module._free
    first = []

    def late(where):
        free(where)
        if not first:
            first.append(True)
            where.write_text("{}")

    monkeypatch.setattr(module, "_free", late)
    with pytest.raises(FileExistsError, match="never overwritten"):
        sf.preregister(fit, path, AT)
    assert path.read_text() == "{}"


def test_several_runs_from_a_frame(fit, tmp_path):
    import pandas as pd

    table = pd.DataFrame({"n_params": [1e9, 2e9], "n_tokens": [2e10, 4e10], "note": ["a", "b"]})
    kept = sf.preregister(fit, tmp_path / "two.json", table, name=["small", "large"])
    assert kept.frame["name"].tolist() == ["small", "large"]
    assert kept.frame["n_params"].tolist() == [1e9, 2e9]
    np.testing.assert_array_equal(kept.frame["mean"], fit.predict(table))
    assert kept.name == "two"
    assert sf.preregister(fit, tmp_path / "more.json", table).frame["name"].tolist() == ["more 1", "more 2"]


def test_an_ensemble_keeps_every_law(runs, tmp_path):
    several = sf.compare(["chinchilla", "skaling"], runs, n_cuts=2).ensemble()
    kept = sf.preregister(several, tmp_path / "big.json", AT)
    told = several.predict(AT, 0.9, "run").iloc[0]
    (run,) = kept.content["runs"]
    assert run["intervals"]["0.9"] == [told["lo"], told["hi"]]
    weights = {each["law"]: each["weight"] for each in kept.content["laws"]}
    assert weights == {label: w for label, (_, w) in several.members.items()}
    assert kept.content["source"] == "ensemble"


def test_a_running_curve(curve, tmp_path):
    told = sf.forecast(curve, steps=6000, kind="run")
    kept = sf.preregister(told, tmp_path / "run.json", name="w64")
    (run,) = kept.content["runs"]
    assert run["name"] == "w64"
    assert run["inputs"] == {"step": 6000}
    assert run["intervals"]["0.9"] == pytest.approx([told.lo, told.hi], rel=1e-12)
    assert kept.content["interval_of"] == "run"
    assert "one logged loss" in kept.content["allows"]
    assert run["distance"] == pytest.approx(np.log10(2))
    # The fingerprint is of the losses seen: one other loss, another fingerprint.
    (law,) = kept.content["laws"]
    assert re.fullmatch("[0-9a-f]{16}", law["data"])
    other = sf.forecast(curve | {"loss": curve["loss"] * np.r_[np.ones(59), 1.001]}, steps=6000, kind="run")
    assert other.data != law["data"]


def test_what_a_curve_cannot_be_asked(curve, tmp_path):
    early = sf.forecast({"step": [1, 2], "loss": [5.0, 4.0]}, steps=100)
    with pytest.raises(ValueError, match="foretells nothing yet"):
        sf.preregister(early, tmp_path / "early.json")
    with pytest.raises(ValueError, match="at belongs to fits"):
        sf.preregister(sf.forecast(curve, steps=6000), tmp_path / "run.json", AT)


@pytest.mark.parametrize(
    ("path", "options", "error", "said"),
    [
        ("big.txt", {}, ValueError, "path must end in .json"),
        ("big.settled.json", {}, ValueError, "path must end in .json"),
        ("no/folder/big.json", {}, FileNotFoundError, "there is no folder"),
        ("big.json", {"at": None}, ValueError, 'at={"N": ..., "D": ...}'),
        ("big.json", {"at": {"N": [], "D": []}}, ValueError, "no rows"),
        ("big.json", {"name": ["a", "b"]}, ValueError, "1 planned run needs"),
        ("big.json", {"name": 3}, TypeError, "name must be text"),
        ("big.json", {"assumptions": 3}, TypeError, "assumptions must be text"),
        ("big.json", {"date": "tomorrow"}, ValueError, "date must be like"),
        ("big.json", {"date": 3}, ValueError, "date must be like"),
    ],
)
def test_refused_in_one_sentence_and_nothing_written(fit, tmp_path, path, options, error, said):
    with pytest.raises(error) as refused:
        sf.preregister(fit, tmp_path / path, **({"at": AT} | options))
    assert said in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_an_open_interval_is_no_forecast(tmp_path):
    """A line through accuracies that falls below zero, fitted on logs, has no finite interval there."""
    x = np.geomspace(1, 100, 12)
    fit = sf.fit("log_linear", {"x": x, "y": 1 - 0.15 * np.log(x)}, objective=sf.huber(1e-2, "log"))
    with pytest.raises(ValueError, match="no finite interval"):
        sf.preregister(fit, tmp_path / "far.json", {"x": 1e6})
    assert not (tmp_path / "far.json").exists()


def test_dates_are_utc(fit, tmp_path):
    east = datetime(2026, 3, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    assert sf.preregister(fit, tmp_path / "a.json", AT, date=east).date == "2026-02-28T23:30:00Z"
    before = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    kept = sf.preregister(fit, tmp_path / "b.json", AT)
    assert before <= kept.date <= datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize("part", ["mean", "date", "assumptions", "sha256"])
def test_an_edit_is_seen(fit, tmp_path, part):
    path = tmp_path / "big.json"
    sf.preregister(fit, path, AT, date="2026-01-02", assumptions="none")
    saved = json.loads(path.read_text())
    if part == "mean":
        saved["runs"][0]["mean"] *= 1.0001
    else:
        saved[part] = "2026-01-03T00:00:00Z"
    path.write_text(json.dumps(saved))
    with pytest.raises(ValueError, match=r"'big.json' does not match its own fingerprint"):
        sf.settle(path, 2.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no strict JSON"),
        ('{"kind": NaN}', "no strict JSON"),
        ("[1, 2]", "holds no forecast"),
        ('{"kind": "ensemble"}', "holds no forecast"),
        ('{"kind": "scalefit forecast", "format": 99}', "has format 99"),
        ("[" * 100_000, "no strict JSON"),
    ],
)
def test_damaged_files_are_one_sentence(tmp_path, text, said):
    path = tmp_path / "big.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"'big\.json'") as refused:
        sf.settle(path, 2.0)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_of_bytes_is_one_sentence(tmp_path):
    (tmp_path / "big.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="no strict JSON"):
        sf.settle(tmp_path / "big.json", 2.0)


def test_the_answer_comes_first_and_html_is_escaped(fit, tmp_path):
    kept = sf.preregister(fit, tmp_path / "big.json", AT, name="<b>70B</b>", assumptions="a < b")
    first = repr(kept).splitlines()[0]
    lo, hi = kept.content["runs"][0]["intervals"]["0.9"]
    assert f"90% interval {lo:.4g} to {hi:.4g}" in first
    assert "<b>70B" not in kept._repr_html_()
    assert "a &lt; b" in kept._repr_html_()
    assert kept.sha256[:16] in repr(kept)
