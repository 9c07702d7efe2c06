from lines import refusal, strict

import scalefit as sf
from scalefit.cli import main


def test_laws_lists_every_law(capsys):
    assert main(["laws"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["id", "family", "inputs", "source"]
    assert sorted(row.split()[0] for row in rows) == sorted(sf.laws.names())
    assert main(["laws", "--inputs", "N,D"]) == 0
    listed = {row.split()[0] for row in capsys.readouterr().out.splitlines()[1:]}
    assert listed == {law.name for law in sf.laws.find({"N", "D"})}
    assert main(["laws", "chinchilla"]) == 0
    assert sf.laws.chinchilla.formula in capsys.readouterr().out
    assert "families" in refusal(capsys, ["laws", "--family", "nonsense"])


def test_laws_as_json(capsys):
    assert main(["laws", "--inputs", "N,D", "--json"]) == 0
    rows = strict(capsys.readouterr().out)
    assert {row["name"] for row in rows} == {law.name for law in sf.laws.find({"N", "D"})}
    assert main(["laws", "chinchilla", "--json"]) == 0
    (row,) = strict(capsys.readouterr().out)
    assert row["formula"] == sf.laws.chinchilla.formula


def test_suggest_prints_calls_that_run(runs, capsys):
    asked = ["suggest", runs, "--input", "N=size", "--input", "D=seen", "--no-backtest"]
    assert main(asked) == 0
    assert capsys.readouterr().out.startswith("1. chinchilla: uses size and seen; 20 rows")
    assert main([*asked, "--json"]) == 0
    told = strict(capsys.readouterr().out)
    assert told["y"] == "loss"
    assert told["laws"][0]["score"] is None
    assert eval(told["laws"][0]["call"], {"sf": sf}).law.name == "chinchilla"


def test_suggest_refuses_in_one_line(runs, capsys):
    assert "is not NAME=COLUMN" in refusal(capsys, ["suggest", runs, "--input", "N"])
    assert "has no column 'no'" in refusal(capsys, ["suggest", runs, "--y", "no"])
    assert "no law in usual use" in refusal(capsys, ["suggest", runs])
