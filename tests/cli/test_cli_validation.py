import json

import numpy as np
import pandas as pd
import pytest
from lines import refusal, write

import scalefit as sf
from scalefit.cli import main

# Three of six public losses by compute that a run at 1e23 FLOPs was planned from.
FEW = {"flops": np.array([1e18, 1e19, 1e20]), "loss": np.array([3.522, 3.154, 2.848])}


@pytest.fixture
def few(tmp_path) -> str:
    return str(write(tmp_path / "few.csv", FEW))


def test_extrapolate_prints_what_the_function_returns(few, tmp_path, capsys):
    saved = str(tmp_path / "ahead.json")
    assert (
        main(["extrapolate", few, "--input", "C=flops", "--at", "C=1e21,1e22", "--save", saved, "--json"])
        == 0
    )
    rows = json.loads(capsys.readouterr().out)
    wanted = sf.extrapolate(FEW).predict({"C": [1e21, 1e22]}, level=0.9, kind="run")
    for name in ("C", "mean", "lo", "hi"):
        assert [row[name] for row in rows] == pytest.approx(wanted[name].tolist(), rel=1e-12)
    assert main(["predict", saved, "--C", "1e21", "1e22", "--kind", "run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == rows
    assert main(["extrapolate", few, "--at", "C=1e22"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Usable with care")
    assert "[warning] few-runs" in said
    assert "C = column 'flops', y = column 'loss'" in said
    assert "90% interval of one new run; it allows for the law's own error" in said
    assert "NAME=COLUMN" in refusal(capsys, ["extrapolate", few, "--input", "flops"])


def test_compare_prints_what_the_function_returns(runs, capsys):
    ask = ["compare", runs, "--law", "chinchilla", "skaling", "--input", "N=size", "--input", "D=seen"]
    assert main([*ask, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["n_coefs"] for row in rows if row["law"] in ("chinchilla", "skaling")]
    assert main(ask) == 0
    said = capsys.readouterr().out
    assert "Backtest by" in said
    assert "N = column 'size', D = column 'seen', y = column 'loss'" in said


def test_isoflop_prints_what_the_function_returns(tmp_path, capsys):
    C = np.repeat([1e18, 1e19, 1e20], 7)
    N = 0.1 * C**0.5 * np.tile(np.geomspace(1 / 8, 8, 7), 3)
    even = {"E": 1.8, "A": 480.0, "B": 2000.0, "alpha": 0.35, "beta": 0.35}
    made = sf.simulate(sf.laws.chinchilla, even, {"N": N, "D": C / 6 / N}, noise=0.001)
    table = {"N": N, "D": C / 6 / N, "loss": made["y"], "flops": C}
    path = str(write(tmp_path / "sweep.csv", table))
    assert main(["isoflop", path, "--budget", "flops", "--C", "1e22", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    wanted = sf.isoflop(path, budget="flops").predict(1e22)
    assert [row[name] for name in wanted] == pytest.approx(wanted.iloc[0].tolist(), rel=1e-12)
    assert main(["isoflop", path, "--budget", "flops"]) == 0
    assert "parabola" in capsys.readouterr().out


def test_decide_prints_what_the_function_returns(tmp_path, capsys):
    table = {
        "flops": np.tile(np.geomspace(1e18, 1e20, 5), 2),
        "loss": np.concatenate(
            [9 * np.geomspace(1e18, 1e20, 5) ** -0.025, 9.05 * np.geomspace(1e18, 1e20, 5) ** -0.025]
        ),
        "recipe": ["a"] * 5 + ["b"] * 5,
    }
    path = str(tmp_path / "recipes.csv")
    pd.DataFrame(table).to_csv(path, index=False)
    assert main(["decide", path, "--C", "1e22"]) == 0
    assert "recipe = column 'recipe'" in capsys.readouterr().out.splitlines()[-1]
    assert main(["decide", path, "--C", "1e22", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["recipe"] for row in rows] == sf.decide(path, 1e22)["recipe"].tolist()
