"""`scalefit predict --register`, `forecast --register`, `settle` and `ledger`."""

from __future__ import annotations

import numpy as np
import pytest
from lines import refusal, strict, write

import scalefit as sf
from scalefit.cli import main


@pytest.fixture
def kept(saved, tmp_path, capsys):
    """A forecast kept from the command line."""
    folder = tmp_path / "forecasts"
    folder.mkdir()
    path = folder / "big.json"
    asked = ["predict", saved, "--N", "1e11", "--D", "2e12", "--register", str(path)]
    assert main([*asked, "--name", "big run", "--assumptions", "same tokenizer"]) == 0
    assert "kept in big.json" in capsys.readouterr().out
    return path


def test_predict_registers_what_python_does(kept, saved, tmp_path):
    mine = sf.preregister(sf.load(saved), tmp_path / "mine.json", {"N": 1e11, "D": 2e12})
    written = strict(kept.read_text())
    assert written["runs"][0]["intervals"] == mine.content["runs"][0]["intervals"]
    assert written["runs"][0]["name"] == "big run"
    assert written["assumptions"] == "same tokenizer"


def test_settle_and_ledger(kept, capsys):
    value = strict(kept.read_text())["runs"][0]["mean"]
    assert main(["settle", str(kept), "--measured", repr(value)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("big run: measured")
    assert "inside the 50% interval" in out
    assert main(["settle", str(kept), "--measured", f"big run={value!r}", "--json"]) == 0
    told = strict(capsys.readouterr().out)
    assert told["scores"][0]["inside"] == {"0.5": True, "0.8": True, "0.9": True, "0.95": True}
    assert told["open"] == []
    assert main(["ledger", str(kept.parent)]) == 0
    assert capsys.readouterr().out.startswith("1 of 1 settled forecasts inside their 90% interval")
    assert main(["ledger", str(kept.parent), "--json", "--level", "0.5"]) == 0
    book = strict(capsys.readouterr().out)
    assert (book["settled"], book["level"], book["left_out"]) == (1, 0.5, {})
    assert book["forecasts"][0]["measured"] == value
    assert [line["level"] for line in book["calibration"]] == [0.5, 0.8, 0.9, 0.95]


def test_an_open_forecast_is_null_in_json(kept, capsys):
    assert main(["ledger", str(kept.parent), "--json"]) == 0
    (row,) = strict(capsys.readouterr().out)["forecasts"]
    assert row["measured"] is None
    assert row["inside"] is None


def test_a_running_curve_registers(tmp_path, capsys):
    step = np.arange(10.0, 601, 10)
    log = write(tmp_path / "log.csv", {"step": step, "loss": 2 + 5 * step**-0.4})
    path = tmp_path / "run.json"
    assert main(["forecast", log, "--steps", "1200", "--register", str(path), "--json"]) == 0
    told = strict(capsys.readouterr().out)
    assert told == strict(path.read_text())
    assert (told["source"], told["interval_of"]) == ("curve", "run")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--level", "0.5"], "--register keeps the intervals of one new run"),
        (["--law-as-right"], "leave out --level"),
        (["--kind", "mean"], "leave out --level"),
        (["--format", "csv"], "--register answers with text or --json"),
    ],
)
def test_register_says_what_does_not_go_with_it(saved, tmp_path, capsys, words, said):
    path = tmp_path / "new.json"
    asked = ["predict", saved, "--N", "1e11", "--D", "2e12", "--register", str(path), *words]
    assert said in refusal(capsys, asked)
    assert not path.exists()


def test_refusals(kept, saved, tmp_path, capsys):
    again = ["predict", saved, "--N", "1e11", "--D", "2e12", "--register", str(kept)]
    assert "never overwritten" in refusal(capsys, again)
    assert "takes numbers" in refusal(capsys, ["settle", str(kept), "--measured", "two"])
    assert "numbers alone" in refusal(capsys, ["settle", str(kept), "--measured", "2", "a=2"])
    assert "twice" in refusal(capsys, ["settle", str(kept), "--measured", "a=2", "a=3"])
    assert "plans no run" in refusal(capsys, ["settle", str(kept), "--measured", "a=2"])
    assert "there is no folder" in refusal(capsys, ["ledger", str(tmp_path / "none")])
    assert "level must be one of" in refusal(capsys, ["ledger", str(tmp_path), "--level", "0.7"])
