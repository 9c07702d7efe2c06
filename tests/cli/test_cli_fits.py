import json

import numpy as np
import pytest
from lines import CHINCHILLA, TRUTH, refusal, strict, write

import scalefit as sf
from scalefit.cli import main


def test_fit_prints_the_summary_and_saves(runs, tmp_path, capsys):
    saved, picture = tmp_path / "fit.json", tmp_path / "fit.png"
    assert main(["fit", runs, *CHINCHILLA, "--y", "loss", "--save", str(saved), "--plot", str(picture)]) == 0
    out = capsys.readouterr().out
    fit = sf.load(saved)
    assert out == fit.summary() + "\n"
    assert fit.coefs == pytest.approx(TRUTH, rel=1e-4)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert main(["show", str(saved)]) == 0
    assert capsys.readouterr().out == out


def test_json_output(runs, capsys):
    assert main(["fit", runs, *CHINCHILLA, "--objective", "square", "--space", "linear", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["coefs"] == pytest.approx(TRUTH, rel=1e-4)
    assert record["objective"] == str(sf.square("linear"))
    assert record["columns"] == {"N": "size", "D": "seen", "y": "loss"}
    assert record["trust"] == "good"
    assert set(record["stderr"]) == set(TRUTH)


def test_options_reach_the_objective(runs, capsys):
    assert main(["fit", runs, *CHINCHILLA, "--delta", "0.01", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["objective"] == str(sf.huber(0.01))


def test_a_bad_fit_is_printed_and_exits_with_1(tmp_path, capsys):
    table = write(tmp_path / "flat.csv", {"x": np.geomspace(1, 1e4, 12), "loss": np.full(12, 2.0)})
    assert main(["fit", table, "--law", "power_floor", "--x", "x"]) == 1
    assert capsys.readouterr().out.startswith("Do not trust this fit")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--law", "chinchila"], "did you mean chinchilla"),
        (["--M", "size"], "no option '--M'; the inputs of law 'chinchilla' are --N, --D"),
        (["--N"], "--N needs the name of a column"),
        (["--N", "sizes"], "no column 'sizes'"),
        (["--y", "seen"], "D and y are both column 'seen'"),
        (["--objective", "square", "--delta", "0.1"], "--delta belongs to huber and log_cosh"),
        (["--delta", "-1"], "delta must be a positive number"),
        (["stray"], "no option 'stray'"),
        (["--save", "/no/such/folder/fit.json"], "No such file or directory"),
        (["--plot", "fit.nonsense"], "nonsense"),
    ],
)
def test_a_request_that_cannot_be_carried_out(runs, capsys, change, said):
    assert said in refusal(capsys, ["fit", runs, *CHINCHILLA, *change])


def test_a_file_that_cannot_be_read(tmp_path, capsys):
    assert "there is no file" in refusal(capsys, ["fit", str(tmp_path / "none.csv"), *CHINCHILLA])
    assert "there is no file" in refusal(capsys, ["show", str(tmp_path / "none.json")])
    (tmp_path / "text.json").write_text("not json")
    refusal(capsys, ["show", str(tmp_path / "text.json")])


def test_a_bad_row_is_named(tmp_path, capsys):
    table = write(tmp_path / "runs.csv", {"x": [1, 2, 3, 4], "loss": [3, 2, -1, 1]})
    assert "row 2" in refusal(capsys, ["fit", table, "--law", "power"])


def test_tables_as_markdown_and_latex():
    from pandas import DataFrame

    table = DataFrame(
        {"recipe": ["a_b|c"], "N": [1.5e9], "N_lo": [1e9], "N_hi": [2e9], "share": [0.25], "loss_lo": [1.0]}
    )
    assert sf.to_markdown(table).splitlines() == [
        "| recipe | N | share | loss_lo |",
        "| --- | ---: | ---: | ---: |",
        "| a_b\\|c | 1.5e9 (1e9 to 2e9) | 0.25 | 1 |",
    ]
    cells = sf.to_latex(table).splitlines()
    assert cells[2] == r"recipe & $N$ & share & loss\_lo \\"
    assert cells[4].startswith(
        r"a\_b|c & $1.5 \times 10^{9}\ [1 \times 10^{9}, 2 \times 10^{9}]$ & $0.25$ & $1$"
    )
    assert r"[1 \times 10^{9}, \infty]" in sf.to_latex(table.assign(N_hi=np.inf))
    assert sf.to_markdown(table[:0]).splitlines()[0] == "| recipe | N | share | loss_lo |"


def test_an_ensemble_is_shown(several, capsys):
    code = main(["show", several])
    ensemble = sf.load(several)
    assert capsys.readouterr().out == ensemble.summary() + "\n"
    assert main(["show", several, "--json"]) == code == (0 if ensemble.status.ok else 1)
    record = strict(capsys.readouterr().out)
    assert {line["law"]: line["weight"] for line in record["laws"]} == {"chinchilla": 0.75, "skaling": 0.25}
    assert {line["score"] for line in record["laws"]} == {None}  # nothing was foretold: NaN
    assert record["coefs"] == ensemble.coefs


def test_json_has_no_infinities(tmp_path, capsys):
    """A loss that never changes leaves the exponent open: its error is infinite."""
    table = write(tmp_path / "flat.csv", {"x": np.geomspace(1, 1e4, 12), "loss": np.full(12, 2.0)})
    main(["fit", table, "--law", "power_floor", "--x", "x", "--json", "--save", str(tmp_path / "flat.json")])
    record = strict(capsys.readouterr().out)
    errors = sf.load(tmp_path / "flat.json").stderr()
    assert np.isinf(errors["alpha"])
    assert record["stderr"] == {name: v if np.isfinite(v) else None for name, v in errors.items()}


FAR = {"N": [1e11, 4e11], "D": [1e12, 8e12]}
ASKED = ["--N", "1e11", "4e11", "--D", "1e12", "8e12"]


@pytest.mark.parametrize("which", ["saved", "several"])
def test_predict_prints_what_the_fit_predicts(request, which, capsys):
    path = request.getfixturevalue(which)
    fit = sf.load(path)
    main(["predict", path, *ASKED, "--json"])
    rows = strict(capsys.readouterr().out)
    wanted = fit.predict(FAR, level=0.9)
    assert list(rows[0]) == list(wanted.columns)
    for name in ("N", "D", "mean", "lo", "hi", "distance"):
        assert [row[name] for row in rows] == wanted[name].tolist()
    assert [row["model_error"] for row in rows] == [True, True]
    main(["predict", path, *ASKED, "--json", "--level", "0.5", "--kind", "run", "--law-as-right"])
    rows = strict(capsys.readouterr().out)
    narrow = fit.predict(FAR, level=0.5, kind="run", model_error=False)
    assert [(row["lo"], row["hi"]) for row in rows] == list(zip(narrow["lo"], narrow["hi"], strict=True))
    assert [row["model_error"] for row in rows] == [False, False]


def test_predict_says_what_the_interval_holds(saved, capsys):
    fit = sf.load(saved)
    assert main(["predict", saved, *ASKED]) == 0
    table, _, words = capsys.readouterr().out.partition("\n\n")
    assert table == fit.predict(FAR, level=0.9).to_string(index=False)
    head, *cautions = words.splitlines()
    assert head == "90% interval of the curve; it allows for the law's own error"
    assert cautions == [str(caution) for caution in fit.cautions(FAR)]
    assert any("extrapolation" in line for line in cautions)
    assert main(["predict", saved, *ASKED, "--law-as-right", "--kind", "run", "--level", "0.5"]) == 0
    assert "50% interval of one new run; it takes the law as right" in capsys.readouterr().out


def test_predict_takes_column_names_and_one_value_for_all_rows(saved, capsys):
    assert main(["predict", saved, "--size", "1e11", "4e11", "--D=1e12", "--json"]) == 0
    rows = strict(capsys.readouterr().out)
    wanted = sf.load(saved).predict({"N": [1e11, 4e11], "D": 1e12}, level=0.9)
    assert [(row["D"], row["mean"]) for row in rows] == [(1e12, mean) for mean in wanted["mean"]]


def test_predict_takes_labels(tmp_path, capsys):
    columns = {"x": np.tile(np.geomspace(1e1, 1e5, 8), 2)}
    columns["loss"] = 1 + np.repeat([5.0, 9.0], 8) * columns["x"] ** -0.3
    columns["corpus"] = np.repeat(["c4", "pile"], 8)
    fit = sf.fit(sf.laws.power_floor.shared("alpha", by="corpus"), columns, {"x": "x"}, "loss")
    path = str(tmp_path / "labels.json")
    fit.save(path)
    main(["predict", path, "--x", "100", "--corpus", "c4", "pile", "--json"])
    rows = strict(capsys.readouterr().out)
    assert [row["corpus"] for row in rows] == ["c4", "pile"]
    # The laws the table was made by, at x = 100.
    assert [row["mean"] for row in rows] == pytest.approx([1 + 5 * 100**-0.3, 1 + 9 * 100**-0.3], rel=1e-4)
    said = refusal(capsys, ["predict", path, "--x", "100", "--corpus", "mine"])
    assert "corpus must be one of c4, pile" in said


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ([], "--N, --D missing: law 'chinchilla' needs a value for each input"),
        (["--N", "1e9"], "--D missing"),
        (["--N", "1e9", "--D"], "--D needs a value; the fit comes first"),
        (["--N", "1e9", "--D", "much"], "--D takes numbers, got 'much'"),
        (["--N", "1e9", "2e9", "--D", "1", "2", "3"], "--N has 2 values where others have 3"),
        (
            ["--N", "1", "--D", "1", "--M", "20"],
            "no option '--M'; the inputs of law 'chinchilla' are --N, --D",
        ),
        (["--N", "1e9", "--D", "1e9", "--size", "1e9"], "N is given twice"),
        (["--N", "1e9", "--D", "1e9", "--level", "90"], "level must lie between 0 and 1"),
    ],
)
def test_a_prediction_that_cannot_be_made(saved, capsys, asked, said):
    assert said in refusal(capsys, ["predict", saved, *asked])


def test_an_answer_from_a_bad_fit_exits_with_1(tmp_path, capsys):
    table = write(tmp_path / "flat.csv", {"x": np.geomspace(1, 1e4, 12), "loss": np.full(12, 2.0)})
    bad = str(tmp_path / "bad.json")
    assert main(["fit", table, "--law", "power_floor", "--x", "x", "--save", bad]) == 1
    capsys.readouterr()
    assert main(["predict", bad, "--x", "1e5", "--json"]) == 1
    assert capsys.readouterr().err.startswith("scalefit: the fit behind this answer: Do not trust this fit")


def test_what_is_said_for_python_is_said_for_a_shell(tmp_path, capsys):
    """Keywords that are options of the verb, and no advice that only Python can follow."""
    table = write(
        tmp_path / "runs.csv", {"size": [1e6, 2e6], "seen": [1e8, 2e8], "loss": [3.0, float("nan")]}
    )
    ask = ["fit", table, "--law", "chinchilla", "--N", "size"]
    assert refusal(capsys, ask).endswith("say which it is with --D COLUMN\n")
    assert refusal(capsys, [*ask, "--D", "seen"]).endswith("fill it in or drop such rows\n")
    assert refusal(capsys, ["isoflop", table]).endswith("say which it is with --N COLUMN\n")
    assert "--input" in refusal(capsys, ["extrapolate", table, "--y", "seen"])
    assert refusal(capsys, ["show", "none.json"]) == "scalefit: there is no file 'none.json'\n"


def test_pictures_of_a_saved_fit(saved, tmp_path, capsys):
    for k, words in enumerate(
        (["show", saved], ["predict", saved, "--N", "1e9", "--D", "1e10"], ["optimal", saved, "--C", "1e21"])
    ):
        picture = tmp_path / f"{k}.png"
        assert main([*words, "--plot", str(picture)]) == 0
        assert picture.stat().st_size > 10_000
    capsys.readouterr()
    said = refusal(capsys, ["optimal", "chinchilla:besiroglu2024", "--C", "1e21", "--plot", "x.png"])
    assert "give a saved fit" in said
