import json

import numpy as np
import pytest
from lines import CHINCHILLA, TRUTH, refusal, write

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
        (["--delta", "-1"], "delta must be one or more positive numbers"),
        (["stray"], "no option 'stray'"),
        (["--save", "/no/such/folder/fit.json"], "No such file or directory"),
        (["--plot", "fit.nonsense"], "nonsense"),
    ],
)
def test_a_request_that_cannot_be_carried_out(runs, capsys, change, said):
    assert said in refusal(capsys, ["fit", runs, *CHINCHILLA, *change])


def test_a_file_that_cannot_be_read(tmp_path, capsys):
    assert "there is no file" in refusal(capsys, ["fit", str(tmp_path / "none.csv"), *CHINCHILLA])
    assert "No such file" in refusal(capsys, ["show", str(tmp_path / "none.json")])
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
