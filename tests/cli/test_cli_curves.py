import json

import numpy as np
import pytest
from lines import refusal, strict, write

import scalefit as sf
from scalefit.cli import main

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


def test_no_forecast_yet_is_strict_json(growing, capsys):
    path, run_on = growing
    run_on(100)
    assert main(["forecast", path, "--schedule", COSINE, "--json"]) == 0
    told = strict(capsys.readouterr().out)
    assert (told["loss"], told["hi"]) == (None, None)
    assert [caution["code"] for caution in told["warnings"]] == ["too-early"]


def test_watch_keeps_a_page_that_loads_itself_again(growing, tmp_path, monkeypatch, capsys):
    path, run_on = growing
    run_on(1000)
    page, drawn = tmp_path / "run.html", tmp_path / "run.png"
    seen = []

    def look(seconds):
        seen.append(page.read_text())
        if len(seen) > 1:
            raise KeyboardInterrupt
        run_on(1500)

    monkeypatch.setattr("time.sleep", look)
    assert main(["watch", path, "--schedule", COSINE, "--every", "7", "--html", str(page)]) == 0
    assert '<meta http-equiv="refresh" content="7">' in seen[0]
    assert seen[0] != seen[1]
    assert "Where the run will end" in seen[1]
    assert main(["forecast", path, "--schedule", COSINE, "--plot", str(drawn)]) == 0
    assert drawn.stat().st_size > 0
