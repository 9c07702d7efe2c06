import json

import numpy as np
import pytest
from lines import CHINCHILLA, refusal, strict, write

import scalefit as sf
from scalefit.cli import main


def test_optimal_prints_what_the_function_returns(runs, tmp_path, capsys):
    saved = str(tmp_path / "fit.json")
    assert main(["fit", runs, *CHINCHILLA, "--save", saved]) == 0
    capsys.readouterr()
    ask = ["optimal", saved, "--C", "1e20", "1e21", "--limit", "D=0,1e11", "--serve", "1e10"]
    assert main([*ask, "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    fit = sf.load(saved)
    wanted = sf.optimal(
        fit, C=[1e20, 1e21], flops=sf.flops.lifetime(1e10), level=0.9, limits={"D": (0, 1e11)}
    )
    for name in ("N", "D", "loss", "N_lo", "D_hi"):
        assert [row[name] for row in rows] == pytest.approx(wanted[name].tolist(), rel=1e-12)
    assert "level must lie between 0 and 1" in refusal(
        capsys, ["optimal", saved, "--C", "1e20", "--level", "0"]
    )
    assert main([*ask, "--format", "csv"]) == 0
    assert capsys.readouterr().out.splitlines()[0].split(",") == list(wanted.columns)
    assert main([*ask, "--format", "markdown"]) == 0
    assert capsys.readouterr().out == sf.to_markdown(wanted) + "\n"


def test_optimal_of_a_published_law(capsys):
    assert main(["optimal", "chinchilla:besiroglu2024", "--C", "1e21", "--format", "csv"]) == 0
    head, row = capsys.readouterr().out.splitlines()
    found = dict(zip(head.split(","), row.split(","), strict=True))
    # laws.md section 8: Besiroglu et al. 2024 at 1e21 FLOPs.
    assert float(found["N"]) == pytest.approx(2.7785e9, rel=1e-4)
    assert float(found["loss"]) == pytest.approx(2.30553, rel=1e-4)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ([], "give budgets"),
        (["--C", "1e21", "--at", "U=1e9"], "no input 'U'"),
        (["--C", "1e21", "--at", "U"], "'U' is not NAME=NUMBER"),
        (["--C", "1e21", "--at", "U=1,2"], "U takes one number"),
        (["--C", "1e21", "--limit", "D=3"], "two numbers"),
        (["--C", "1e21", "--level", "0.9"], "has no interval"),
    ],
)
def test_optimal_refuses(capsys, change, said):
    assert said in refusal(capsys, ["optimal", "chinchilla:besiroglu2024", *change])


def test_plan(runs, tmp_path, capsys):
    saved = str(tmp_path / "fit.json")
    main(["fit", runs, *CHINCHILLA, "--save", saved])
    capsys.readouterr()
    N = np.array([1e9, 1e10, 4e10])
    candidates = write(tmp_path / "candidates.csv", {"N": N, "D": 20 * N})
    ask = ["plan", saved, candidates, "--budget", "1e24", "--target", "N=1e11,D=2e12"]
    assert main([*ask, "--format", "json"]) == 0
    wanted = sf.next_runs(sf.load(saved), candidates, 1e24, {"N": 1e11, "D": 2e12})
    assert [row["row"] for row in json.loads(capsys.readouterr().out)] == wanted.runs["row"].tolist()
    assert main(ask) == 0
    assert capsys.readouterr().out == f"{wanted}\n"
    assert "cheapest candidate" in refusal(capsys, [*ask[:4], "1e3", *ask[5:]])


@pytest.mark.parametrize("which", ["saved", "several"])
def test_optimal_allows_for_the_law_s_own_error(request, which, capsys):
    """Unless told otherwise; of a fit and of an ensemble."""
    path = request.getfixturevalue(which)
    fit = sf.load(path)
    widths = []
    for options, model_error in ((["--json"], True), (["--law-as-right", "--format", "json"], False)):
        main(["optimal", path, "--C", "1e24", *options])
        (row,) = strict(capsys.readouterr().out)
        (wanted,) = sf.optimal(fit, C=1e24, level=0.9, model_error=model_error).to_dict("records")
        assert row == wanted
        widths.append(row["loss_hi"] - row["loss_lo"])
    assert widths[1] < widths[0]


def test_a_loss_below_the_floor_needs_no_finite_budget(saved, capsys):
    main(["optimal", saved, "--loss", "1.0", "--law-as-right", "--json"])
    (row,) = strict(capsys.readouterr().out)
    # The floor of the law that made the runs is 1.8: no budget buys less, and JSON has no word for infinity.
    assert (row["C"], row["caution"]) == (None, "floor")


def test_a_plan_needs_one_law(several, runs, capsys):
    asked = ["plan", several, runs, "--budget", "1e24", "--target", "C=1e24"]
    assert "holds several laws" in refusal(capsys, asked)


def test_sweep(tmp_path, capsys):
    lr, N = (part.ravel() for part in np.meshgrid(np.geomspace(1e-4, 1e-2, 9), [1e8, 1e9]))
    table = {"size": N, "peak_lr": lr, "loss": 3 + 0.02 * np.log(lr / (2e-3 * (N / 1e8) ** -0.3)) ** 2}
    runs, optima, best = write(tmp_path / "runs.csv", table), tmp_path / "optima.csv", tmp_path / "best.csv"
    ask = ["sweep", runs, "--over", "lr", "--by", "N=size"]
    assert main([*ask, "--json", "--save", str(optima), "--save-best", str(best)]) == 0
    rows = strict(capsys.readouterr().out)
    found = sf.sweep(runs, ["lr"], ["N"], inputs={"N": "size"})
    assert [row["lr"] for row in rows] == pytest.approx(found.cells["lr"].tolist(), rel=1e-12)
    assert optima.read_text().splitlines()[0] == "N,lr,lr_weight"
    assert best.read_text().splitlines()[0] == "size,peak_lr,loss"
    assert main(ask) == 0
    assert capsys.readouterr().out == f"{found}\n"
    assert "no column has a usual name for batch" in refusal(capsys, ["sweep", runs, "--by", "size"])


@pytest.mark.parametrize(("ratio", "code"), [(0.97, 0), (1.03, 1), (1.0, 3)])
def test_gate_has_an_exit_code_for_every_verdict(ratio, code, tmp_path, capsys):
    C = [1e18, 1e19, 1e20]
    loss = 1.8 + 30 * (np.array(C) / 1e10) ** -0.15
    table = {"recipe": ["old"] * 3 + ["new"] * 3, "C": C * 2, "loss": [*loss, *(ratio * loss)]}
    rows = [",".join(map(str, row)) for row in zip(*table.values(), strict=True)]
    (tmp_path / "runs.csv").write_text("\n".join([",".join(table), *rows]))
    ask = ["gate", str(tmp_path / "runs.csv"), "--recipe", "new", "--baseline", "old"]
    drawn = tmp_path / "gap.png"
    assert main([*ask, "--C", "1e21", "--plot", str(drawn)]) == code
    said = capsys.readouterr().out
    found = sf.gate(table, recipe="new", baseline="old", C=1e21)
    assert said == f"{found}\n"
    assert drawn.stat().st_size > 0
    assert main([*ask, "--C", "1e21", "--json"]) == code
    told = strict(capsys.readouterr().out)
    assert (told["verdict"], told["lo"]) == (found.verdict, found.lo)
    assert [pair["C"] for pair in told["pairs"]] == C
    assert "has no 'newest'" in refusal(capsys, [*ask[:2], "--recipe", "newest", "--baseline", "old"])


def test_plan_before_any_run_for_two_targets(runs, tmp_path, capsys):
    menu = {"N": [1e8, 1e8, 1e9, 1e9, 3e8, 3e8], "D": [1e9, 1e10, 1e10, 1e11, 3e9, 3e10]}
    ask = ["plan", "chinchilla", write(tmp_path / "menu.csv", menu), "--budget", "1e21"]
    drawn = tmp_path / "plan.svg"
    assert main([*ask, "--target", "C=1e22", "--target", "N=7e9,D=1e11", "--plot", str(drawn)]) == 0
    wanted = sf.next_runs("chinchilla", menu, 1e21, [{"C": 1e22}, {"N": 7e9, "D": 1e11}])
    assert capsys.readouterr().out == f"{wanted}\n"
    assert drawn.stat().st_size > 0
