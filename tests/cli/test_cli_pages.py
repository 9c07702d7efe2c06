import json

import pytest
from lines import CHINCHILLA, refusal, strict

import scalefit as sf
from scalefit.cli import main


def page(path):
    """What the page's script works with."""
    text = path.read_text(encoding="utf-8")
    return json.loads(text.split('<script type="application/json" id="data">')[1].split("</script>")[0])


def test_report_writes_what_the_function_writes(runs, saved, tmp_path, capsys):
    out, own = tmp_path / "page.html", tmp_path / "own.html"
    kept = str(tmp_path / "kept.json")
    ask = ["report", runs, *CHINCHILLA, "--target", "C=1e23", "--level", "0.8", "--quick"]
    assert main([*ask, "--out", str(out), "--save", kept]) == 0
    said = capsys.readouterr().out
    assert str(out) in said
    assert "in place of" not in said
    sf.report(sf.load(kept), own, {"C": 1e23}, 0.8, refits=False)
    # A saved fit does not hold the names of rows, which are numbers here.
    assert page(out) == page(own)
    assert main(["report", saved, "--target", "N=1e11,D=2e12", "--out", str(out), "--quick"]) == 0
    assert "in place of the one that was there" in capsys.readouterr().out
    assert page(out)["grid"]["target"] == pytest.approx(6 * 1e11 * 2e12)


def test_report_as_json(several, tmp_path, capsys):
    out = str(tmp_path / "page.html")
    assert main(["report", several, "--quick", "--json", "--law-as-right", "--out", out]) == 0
    told = strict(capsys.readouterr().out)
    assert told["page"] == out
    assert told["replaced"] is False
    assert told["trust"] == sf.load(several).status.trust


def test_report_of_a_table_averages_laws(runs, tmp_path, capsys):
    out = tmp_path / "page.html"
    assert main(["report", runs, "--N", "size", "--D", "seen", "--quick", "--out", str(out)]) in (0, 1)
    ahead = sf.extrapolate(runs, inputs={"N": "size", "D": "seen"})
    grid = page(out)["grid"]["columns"]
    assert grid["N"] == pytest.approx(sf.optimal(ahead, grid["C"])["N"].tolist(), rel=1e-9)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--target", "C"], "is not NAME=NUMBER"),
        (["--target", "U=1e9"], "has no input 'U'"),
        (["--level", "0"], "level must lie between 0 and 1"),
        (["--out", "no/such/page.html"], "there is no folder"),
        (["--N", "size"], "is a saved fit"),
    ],
)
def test_report_refuses(saved, capsys, monkeypatch, tmp_path, change, said):
    monkeypatch.chdir(tmp_path)
    assert said in refusal(capsys, ["report", saved, "--quick", *change])


def test_predict_gives_the_believable_interval(saved, capsys):
    """Forecasting a loss from the command line: with the law's own error unless told otherwise."""
    ask = ["predict", saved, "--N", "7e10", "--D", "1.4e12", "--format", "json"]
    assert main(ask) == 0
    (told,) = json.loads(capsys.readouterr().out)
    wanted = sf.load(saved).predict({"N": [7e10], "D": [1.4e12]}, level=0.9).iloc[0]
    assert (told["lo"], told["hi"], told["model_error"]) == (wanted["lo"], wanted["hi"], True)
