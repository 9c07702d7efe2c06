import json
import os
import subprocess
import sys

import numpy as np
import pytest

import scalefit as sf
from scalefit.cli import main

TRUTH = {"E": 1.8, "A": 480.0, "B": 2000.0, "alpha": 0.35, "beta": 0.37}


def write(path, columns):
    names = list(columns)
    rows = zip(*columns.values(), strict=True)
    path.write_text("\n".join([",".join(names), *(",".join(repr(float(v)) for v in row) for row in rows)]))
    return str(path)


@pytest.fixture
def runs(tmp_path):
    """A table made by known coefficients, without noise."""
    N, D = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e7, 1e10, 5), np.geomspace(1e9, 1e11, 4)))
    return write(
        tmp_path / "runs.csv", {"size": N, "seen": D, "loss": sf.laws.chinchilla(TRUTH, {"N": N, "D": D})}
    )


CHINCHILLA = ["--law", "chinchilla", "--N", "size", "--D=seen"]


def refusal(capsys, arguments):
    """The one line a refused request prints."""
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("scalefit: ")
    assert err.count("\n") == 1
    return err


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


@pytest.mark.parametrize("arguments", [[], ["fit"], ["fit", "runs.csv"], ["laws", "--N", "x"], ["nonsense"]])
def test_misuse_is_argparse_s_business(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage: scalefit" in capsys.readouterr().err


def python(code, **environment):
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={k: v for k, v in os.environ.items() if not k.startswith("JAX_")} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.split()


def test_help_imports_nothing_heavy():
    code = """
import sys
from scalefit.cli import main
try:
    main(["fit", "--help"])
except SystemExit:
    print("\\n", *({"jax", "numpy", "pandas", "matplotlib"} & set(sys.modules)), "only")
"""
    assert python(code)[-1:] == ["only"]
    assert python(code)[-2] not in ("jax", "numpy", "pandas", "matplotlib")


def test_compiled_programs_are_kept(runs, tmp_path):
    code = f"import sys; from scalefit.cli import main; sys.argv = {['scalefit', 'fit', runs, *CHINCHILLA]!r}; main()"
    python(code, SCALEFIT_CACHE="off", XDG_CACHE_HOME=str(tmp_path / "unused"))
    assert not (tmp_path / "unused").exists()
    python(code, SCALEFIT_CACHE=str(tmp_path / "kept"))
    assert any((tmp_path / "kept").iterdir())


def test_a_caller_keeps_its_jax_settings(runs, capsys):
    import jax

    before = jax.config.jax_compilation_cache_dir
    assert main(["fit", runs, *CHINCHILLA]) == 0
    assert jax.config.jax_compilation_cache_dir == before
    assert "JAX_COMPILATION_CACHE_DIR" not in os.environ or before


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


COSINE = "cosine(4000, 1e-3, 1e-4, warmup=200)"


@pytest.fixture
def growing(tmp_path):
    """A log of a run made by the annealing law, and a function that lets it run on to a step."""
    rates = sf.schedule.cosine(4000, 1e-3, 1e-4, warmup=200)
    coefs = {"L0": 2.0, "A": 0.5, "alpha": 0.5, "C": 0.3, "lam": 0.995}
    step = np.arange(1, 4001.0)
    loss = np.asarray(sf.laws.lr_annealing(coefs, {"step": step, "eta": rates, "curve": np.zeros(4000)}))
    loss *= np.exp(0.002 * np.random.default_rng(0).standard_normal(4000))
    path, written = tmp_path / "run.jsonl", [0]

    def run_on(upto):
        with sf.Recorder(path) as log:
            for at in range(written[0] + 25, upto + 1, 25):
                log.log(step=at, loss=loss[at - 1], lr=rates[at - 1])
        written[0] = upto

    return str(path), run_on


def test_forecast_prints_what_the_function_returns(growing, tmp_path, capsys):
    path, run_on = growing
    run_on(2000)
    assert main(["forecast", path, "--schedule", COSINE]) == 0
    wanted = sf.forecast(sf.read_log(path), sf.schedule.cosine(4000, 1e-3, 1e-4, warmup=200))
    assert capsys.readouterr().out == f"{wanted}\n"
    table = write(tmp_path / "rates.csv", {"step": [1, 200, 4000], "lr": [5e-6, 1e-3, 1e-3]})
    assert main(["forecast", path, "--schedule", table, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [alarm["code"] for alarm in told["alarms"]] == ["rate-off-plan"]
    assert told["steps"] == 4000
    assert main(["forecast", path, "--steps", "4000"]) == 0
    assert "power_floor" in capsys.readouterr().out


def test_watch_follows_a_log_to_its_end(growing, capsys, monkeypatch):
    path, run_on = growing
    ends = iter([100, 1000, 1000, 4000])
    monkeypatch.setattr("time.sleep", lambda seconds: run_on(next(ends)))
    assert main(["watch", path, "--schedule", COSINE]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"waiting for losses in {path}"
    assert [line.split("step ")[1].split()[0] for line in lines[1:]] == ["100", "1000", "4000"]
    assert "no forecast yet" in lines[1]
    assert "end " in lines[2]
    assert lines[3].startswith("[####################] 100%")


def test_watch_sees_a_divergence_that_adds_no_losses(growing, capsys, monkeypatch):
    path, run_on = growing
    run_on(1000)
    looks = iter([lambda: [log.log(step=at, loss=float("nan")) for at in range(1025, 1200, 25)], None])

    def meanwhile(seconds):
        nonlocal log
        step = next(looks)
        if step is None:
            raise KeyboardInterrupt
        with sf.Recorder(path) as log:
            step()

    log = None
    monkeypatch.setattr("time.sleep", meanwhile)
    assert main(["watch", path, "--schedule", COSINE]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("]")[0] + "]" for line in lines[1:2]] == ["[serious]"]
    assert "diverged" in lines[1]
    assert lines[2].endswith("diverged")


def test_watch_refuses_a_pause_below_0(growing, capsys):
    assert main(["watch", growing[0], "--schedule", COSINE, "--every", "-1"]) == 2
    assert "--every must be a number of seconds" in capsys.readouterr().err


def test_watch_stops_quietly(growing, capsys, monkeypatch):
    path, run_on = growing
    run_on(1000)

    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupt)
    assert main(["watch", path, "--schedule", COSINE]) == 0


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("none.csv", "there is no file 'none.csv'"),
        ("cosin(10)", "cosin"),
        ("cosine(10)", "peak"),
        ("cosine(1000, 1e-3)", "past the end"),
    ],
)
def test_a_schedule_that_cannot_be_read(growing, capsys, spec, said):
    path, run_on = growing
    run_on(2000)
    assert said in refusal(capsys, ["forecast", path, "--schedule", spec])
