"""Logs and tables as people have them: every kind that was once misread,
written here by a generator of its own.

The curve is 1.9 + 9 s^-0.5 throughout (invented), so that what a forecast must say is known.
"""

from __future__ import annotations

import gzip
import json
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import scalefit as sf
from scalefit import files, frames
from scalefit.cli import main
from scalefit.runs import tables


def curve(step: Any) -> Any:
    return 1.9 + 9 * np.asarray(step, float) ** -0.5


def written(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def rows(step: Any, loss: Any, header: str = "step,loss", form: str = "{:d},{:.6f}") -> str:
    return "\n".join([header, *(form.format(int(s), v) for s, v in zip(step, loss, strict=True))]) + "\n"


STEPS = np.arange(20, 2001, 20)


def noisy(step: Any, key: int = 0, noise: float = 0.002) -> np.ndarray:
    return curve(step) * np.exp(noise * np.random.default_rng(key).standard_normal(len(step)))


# --------------------------------------------------------------------------------------------------
# counts begun again


@pytest.mark.parametrize("first", [0, 20])
@pytest.mark.parametrize("times", [1, 3, 15])
def test_a_count_begun_again_goes_on_where_the_losses_do(tmp_path, first, times):
    """Steps to 2000, then from 0 or 20 again, once or every 1000 steps,
    as after resumptions that lost the count; tokens too."""
    every = np.arange(20, 2001 + 1000 * times, 20)
    shown = np.where(every <= 2000, every, (every - 2001) % 1000 + 1)
    shown = np.where((every > 2000) & (first == 0), shown - 20, shown)
    table = pd.DataFrame({"step": shown, "loss": noisy(every), "tokens": shown * 512})
    table.to_csv(tmp_path / "run.csv", index=False)
    log = sf.read_log(tmp_path / "run.csv")
    # Only the first count was not from 0:
    # the first row of the next stands at its last step and takes its place.
    last = every[-1] - 20 * (first == 0)
    assert log.table.step.max() == last
    assert log.report.kept == len(every) - (first == 0)
    assert len(log.report.doubts) == 1
    assert f"begin again at {first} after 2000 while its losses go on" in log.report.doubts[0]
    told = sf.forecast(tmp_path / "run.csv", steps=4 * last)
    doubt = next(w for w in told.warnings if w.code == "log-doubt")
    assert (told.step, doubt.severity) == (last, "warning")
    # Noise of 0.2 %, four times as far as seen.
    assert told.loss == pytest.approx(curve(4 * last), rel=0.01)


def test_tokens_begun_again_with_the_steps_are_counted_on(tmp_path):
    every = np.arange(20, 3001, 20)
    shown = np.where(every <= 2000, every, every - 2000)
    table = pd.DataFrame({"step": shown, "loss": noisy(every), "tokens": shown * 512, "n": every})
    for tokens in (shown, every):
        table.assign(tokens=tokens * 512).to_csv(tmp_path / "run.csv", index=False)
        log = sf.read_log(tmp_path / "run.csv")
        assert log.table.step.tolist() == every.tolist()
        assert log.table.tokens.tolist() == (512 * every).tolist()


def test_steps_within_epochs_are_counted_on(tmp_path):
    """20 epochs of 50 rows, from 0 and from 1;
    of 5 rows nothing tells, so that rows are refused, with a way that works."""
    every = np.arange(1000)
    for first in (0, 1):
        path = written(tmp_path / "run.csv", rows(every % 50 + first, noisy(1 + every, noise=0.003)))
        assert sf.read_log(path).table.step.tolist() == (every + first).tolist()
    path = written(tmp_path / "run.csv", rows(every % 5, noisy(1 + every)))
    with pytest.raises(ValueError, match=r"begin again at 0 .* do not tell .*step='row'"):
        sf.read_log(path)
    assert len(sf.read_log(path, step="row").table) == 1000


def test_a_count_begun_again_in_a_recorders_log(tmp_path):
    for begin in (0, 2000):
        with sf.Recorder(tmp_path / "run.jsonl") as recorder:
            for step in STEPS[:50]:
                recorder.log(step=int(step), loss=float(curve(begin + step)))
    log = sf.read_log(tmp_path / "run.jsonl")
    assert log.table.step.tolist() == [*STEPS[:50], *(1000 + STEPS[:50])]


def test_a_run_begun_anew_takes_the_place_of_the_first_and_every_forecast_says_so(tmp_path):
    losses = np.concatenate([noisy(STEPS, 1), noisy(STEPS[:60], 2)])
    path = written(tmp_path / "run.csv", rows(np.concatenate([STEPS, STEPS[:60]]), losses))
    log = sf.read_log(path)
    assert log.report.left_out == {"superseded": 100}
    for history in (path, log, log.table, log.table[log.table.step > 10]):
        told = sf.forecast(history, steps=4000)
        assert told.step == 1200
        assert [w.code for w in told.warnings][:2] == ["left-out", "log-doubt"]
        assert "100 of the log's 160 rows are left out" in repr(told)
        assert "if these are two runs, say with run=" in repr(told)


def test_losses_that_neither_go_on_nor_begin_anew_are_refused(tmp_path):
    """2.62 lies in the middle of the last losses, 2.10, and the first ones, 3.32 at step 40,
    by their logs."""
    losses = np.concatenate([curve(STEPS), np.full(30, 2.62)])
    path = written(tmp_path / "run.csv", rows(np.concatenate([STEPS, STEPS[:30]]), losses))
    with pytest.raises(
        ValueError, match=r"steps of 'run' fall from 2000 to 20, and the losses .*split the log there"
    ):
        sf.read_log(path)


# -------------------------------------------------------------------------------------------------------
# headers again


def appended(second: str, form: str) -> str:
    """Two parts, the second of which (from 1000 on) has this header; the rate is 0.001."""
    one = rows(STEPS[:50], curve(STEPS[:50]), "step,train_loss,lr", "{:d},{:.6f},0.001")
    return one + rows(STEPS[50:], curve(STEPS[50:]), second, form)


@pytest.mark.parametrize(
    ("second", "form"),
    [
        ("step,train_loss,lr", "{:d},{:.6f},0.001"),
        ("step,lr,train_loss", "{:d},0.001,{:.6f}"),
        ("lr,step,train_loss,grad_norm", "0.001,{:d},{:.6f},0.7"),
        ("step,train_loss", "{:d},{:.6f}"),
    ],
)
@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_a_header_again_begins_a_block_of_its_own(tmp_path, second, form, separator):
    text = appended(second, form).replace(",", separator)
    path = written(tmp_path / ("run.tsv" if separator == "\t" else "run.csv"), text)
    log = sf.read_log(path)
    assert log.table.step.tolist() == STEPS.tolist()
    np.testing.assert_allclose(log.table.loss, curve(STEPS), atol=1e-6)
    assert set(log.table.lr.dropna()) == {0.001}
    assert "a header stands again in line 52" in str(log.report)
    told = sf.forecast(path, steps=4000)
    assert "a header stands again in line 52" in repr(told)
    assert told.loss == pytest.approx(curve(4000), rel=1e-3)
    fit = sf.fit("power_floor", path, {"x": "step"}, "train_loss")
    assert fit.coefs == pytest.approx({"E": 1.9, "A": 9, "alpha": 0.5}, rel=1e-3)
    assert "a header stands again in line 52" in fit.summary()


def test_a_header_of_other_names_is_refused(tmp_path):
    path = written(tmp_path / "run.csv", appended("iteration,rate,lm loss", "{:d},0.001,{:.6f}"))
    for read in (sf.read_log, lambda path: sf.fit("power_floor", path, {"x": "step"}, "train_loss")):
        with pytest.raises(
            ValueError, match=r"run.csv' .*line 52 looks like a header of other columns .iteration, rate"
        ):
            read(path)


# -----------------------------------------------------------------------------------------------
# steps that never move


def test_steps_that_never_move_are_refused_with_a_way_out(tmp_path):
    """MLflow's file store with every value at step 0, and a CSV without times."""
    lines = "".join(f"{1_700_000_000_000 + 1000 * k} {v:.6f} 0\n" for k, v in enumerate(curve(STEPS)))
    folder = tmp_path / "mlruns" / "3" / "abc"
    written(folder / "metrics" / "train_loss", lines)
    written(folder / "meta.yaml", "run_name: stuck\n")
    with pytest.raises(
        ValueError, match=r"step of 'stuck' never moves: all 100 rows .* at 0; .*step='timestamp'"
    ):
        sf.forecast(folder, steps=5000)
    log = sf.read_log(folder, step="timestamp")
    assert log.table.step.tolist() == list(range(1, 101))
    np.testing.assert_allclose(log.table.loss, curve(STEPS), atol=1e-6)
    # 100 rows are 2000 steps: 400 rows are 8000.
    told = sf.forecast(folder, steps=400, step="timestamp")
    assert told.loss == pytest.approx(curve(8000), rel=1e-3)
    assert "rows with a loss are counted, in the order of column 'timestamp'" in repr(told)
    path = written(tmp_path / "run.csv", rows(np.full(100, 7), curve(STEPS)))
    with pytest.raises(ValueError, match=r"step of 'run' never moves.*step='row' \(--step row\)"):
        sf.read_log(path)
    assert sf.read_log(path, step="row").table.step.tolist() == list(range(1, 101))


def test_times_order_rows_also_as_dates(tmp_path):
    table = pd.DataFrame(
        {"time": pd.date_range("2026-03-01", periods=100, freq="37s").strftime("%Y-%m-%dT%H:%M:%S")}
    )
    table = table.assign(loss=curve(STEPS)).sample(frac=1, random_state=0)
    table.to_csv(tmp_path / "run.csv", index=False)
    with pytest.raises(ValueError, match=r"usual name for the step .*or count the rows with step='time'"):
        sf.read_log(tmp_path / "run.csv")
    log = sf.read_log(tmp_path / "run.csv", step="time")
    np.testing.assert_array_equal(log.table.loss, curve(STEPS))


def test_steps_that_count_epochs_are_said(tmp_path):
    path = written(tmp_path / "run.csv", rows(STEPS // 500, curve(STEPS)))
    log = sf.read_log(path)
    assert log.report.kept == 5
    assert "most rows of 'run' stand at the step of a later one" in log.report.doubts[0]


# --------------------------------------------------------------------------------------------
# rates against the losses

PLAN = sf.schedule.cosine(4000, 5e-4, 5e-5, warmup=200)


def trained(rates: np.ndarray) -> np.ndarray:
    """Losses by the annealing law under these rates, one per step, with coefficients of no published run."""
    values = {"L0": 2.4, "A": 0.8, "alpha": 0.5, "C": 0.35, "lam": 0.995}
    step = np.arange(1, len(rates) + 1.0)
    return np.asarray(
        sf.laws.lr_annealing(values, {"step": step, "eta": rates, "curve": np.zeros(len(rates))})
    )


def test_rates_of_zero_under_a_falling_loss_are_set_aside(tmp_path):
    """All rates zero, and a stretch of them (as a logger that rounds to three digits writes);
    the truth is the law's end."""
    step, losses = np.arange(20, 2401, 20), trained(PLAN)
    logged = losses[step - 1] * np.exp(0.002 * np.random.default_rng(3).standard_normal(len(step)))
    for lr in (np.zeros(len(step)), np.where(step < 900, 0.0, PLAN[step - 1])):
        log = pd.DataFrame({"step": step, "lr": lr, "loss": logged})
        log.to_csv(tmp_path / "run.csv", index=False)
        for history in (tmp_path / "run.csv", log, sf.read_log(tmp_path / "run.csv")):
            told = sf.forecast(history, PLAN)
            assert told.on_course
            assert "rates-set-aside" in [w.code for w in told.warnings]
            assert told.lo <= losses[-1] <= told.hi
            assert told.loss == pytest.approx(losses[-1], rel=0.01)


def test_rates_of_zero_under_a_loss_that_stands_are_believed():
    rates = np.concatenate([PLAN[:1200], np.zeros(2800)])
    step = np.arange(20, 2401, 20)
    loss = np.where(step > 1200, trained(PLAN)[1199], trained(PLAN)[step - 1])
    loss = loss * np.exp(1e-3 * np.random.default_rng(0).standard_normal(len(step)))
    told = sf.forecast({"step": step, "lr": rates[step - 1], "loss": loss}, PLAN)
    assert told.alarms[0].code == "rate-off-plan"
    assert "rates-set-aside" not in [w.code for w in told.warnings]


def test_no_loss_below_zero_is_forecast():
    """A straight line to zero in the log of the step: what lies below is cut off or not told, and said."""
    step = np.arange(20, 2001, 20)
    for end, code in ((1.0, None), (0.02, "below-zero")):
        loss = np.maximum(6 - (6 - end) * np.log(step) / np.log(2000), end)
        told = sf.forecast({"step": step, "loss": loss}, steps=200_000)
        assert (code is None) or code in [w.code for w in told.warnings]
        assert np.isnan(told.loss) or (told.loss > 0 and told.lo >= 0)
        assert np.all(told.draws >= 0)
        assert np.all(told.ahead.lo >= 0)


# -----------------------------------------------------------------------------------------------
# a path is read one way


def test_a_forecast_reads_a_path_as_read_log_does(tmp_path):
    with sf.Recorder(tmp_path / "own.jsonl") as recorder:
        for step in STEPS:
            recorder.log(step=int(step), loss=float(curve(step)), lr=1e-3)
    lightning = rows(STEPS - 1, curve(STEPS), "epoch,step,train_loss", "0,{:d},{:.6f}")
    written(tmp_path / "lightning" / "metrics.csv", lightning)
    history = [
        {"step": int(s), "loss": float(v), "epoch": s / 500} for s, v in zip(STEPS, curve(STEPS), strict=True)
    ]
    written(tmp_path / "out" / "checkpoint-2000" / "trainer_state.json", json.dumps({"log_history": history}))
    for path in (
        "own.jsonl",
        "lightning",
        "lightning/metrics.csv",
        "out",
        "out/checkpoint-2000/trainer_state.json",
    ):
        told = sf.forecast(tmp_path / path, steps=4000)
        log = sf.forecast(sf.read_log(tmp_path / path), steps=4000)
        assert (told.loss, told.lo, told.hi, told.warnings) == (log.loss, log.lo, log.hi, log.warnings), path
        assert told.step == 2000
        assert told.loss == pytest.approx(curve(4000), rel=1e-3)
        assert sf.forecast(str(tmp_path / path), steps=4000).loss == told.loss


def test_of_several_runs_the_names_and_the_option_are_said(tmp_path, capsys):
    table = pd.concat(
        [pd.DataFrame({"run": name, "step": STEPS, "loss": curve(STEPS) + k}) for k, name in enumerate("ab")]
    )
    table.to_csv(tmp_path / "runs.csv", index=False)
    for history in (tmp_path / "runs.csv", table, sf.read_log(tmp_path / "runs.csv")):
        with pytest.raises(
            ValueError, match=r"more than one run .'a', 'b'.; give one of them with run='a' .--run a."
        ):
            sf.forecast(history, steps=4000)
        assert sf.forecast(history, steps=4000, run="b").loss == pytest.approx(1 + curve(4000), rel=1e-3)
        with pytest.raises(ValueError, match=r"no run 'c'; it has 'a', 'b'"):
            sf.forecast(history, steps=4000, run="c")
    assert main(["forecast", str(tmp_path / "runs.csv"), "--steps", "4000"]) == 2
    assert "'a', 'b'" in (said := capsys.readouterr().err)
    assert "--run a" in said
    assert main(["forecast", str(tmp_path / "runs.csv"), "--steps", "4000", "--run", "a"]) == 0
    with pytest.raises(ValueError, match="no column 'run', so it has no run 'a'"):
        sf.forecast({"step": STEPS, "loss": curve(STEPS)}, steps=4000, run="a")


def test_the_command_line_says_what_the_log_lacks(tmp_path, capsys):
    text = rows(STEPS, curve(STEPS)).replace("\n400,", "\n400,7,", 1)
    path = written(tmp_path / "run.csv", text)
    assert main(["forecast", str(path), "--steps", "4000"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("[warning] damaged: 1 line of the log cut off or damaged, such as '400,7,")
    assert shown[-2].startswith("step 2000 of 4000")
    assert main(["forecast", str(path), "--steps", "4000", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["warnings"][0]["code"] == "damaged"
    stuck = written(tmp_path / "stuck.csv", rows(np.zeros(100), curve(STEPS)))
    assert main(["forecast", str(stuck), "--steps", "4000"]) == 2
    assert "--step row" in capsys.readouterr().err
    assert main(["forecast", str(stuck), "--steps", "200", "--step", "row"]) == 0


# ----------------------------------------------------------------------------------------------------
# names and shapes


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        (
            "_step,train/CrossEntropyLoss,throughput/total_tokens,optim/learning_rate_group0",
            "step loss tokens lr",
        ),
        ("step,train/CE loss,throughput/total tokens,optim/LR (group 0)", "step loss tokens lr"),
        ("_step,train/loss,throughput/total_tokens,optim/learning_rate", "step loss tokens lr"),
        ("iteration_step,lm_loss,consumed_tokens,lr", "step loss tokens lr"),
        ("global_step,loss_metrics/global_avg_loss,n_tokens,lr", "step loss tokens lr"),
        ("time/batch,loss/train/total,time/token,lr-DecoupledAdamW/group0", "step loss tokens lr"),
        ("trainer/global_step,reduced_train_loss,consumed_tokens,lr", "step loss tokens lr"),
        ("iteration,lm loss,consumed tokens,learning rate", "step loss tokens lr"),
    ],
    ids=["OLMo", "OLMo-core", "levanter", "nanotron", "torchtitan", "Composer", "NeMo", "Megatron"],
)
def test_columns_of_well_known_trainers(tmp_path, header, columns):
    text = rows(STEPS, curve(STEPS), header, "{0:d},{1:.6f},{0:d}000,0.001")
    log = sf.read_log(written(tmp_path / "run.csv", text), counted_from=1)
    assert dict(zip(columns.split(), header.split(","), strict=True)) == log.report.columns
    assert log.table.step.tolist() == STEPS.tolist()
    assert log.table.tokens.tolist() == (1000 * STEPS).tolist()


def test_decimal_commas_and_groups_of_digits(tmp_path):
    """A column with 3,5107 has decimal commas; 1,000,000 has groups;
    3,510 alone is told by what else the file has."""
    semicolons = rows(STEPS, curve(STEPS), "step;loss", "{:d};{:.4f}").replace(".", ",")
    log = sf.read_log(written(tmp_path / "a.csv", semicolons))
    np.testing.assert_allclose(log.table.loss, curve(STEPS), atol=1e-4)
    assert "the commas in 'loss' are read as decimal commas" in str(log.report)
    three = rows(STEPS, curve(STEPS), "step;loss", "{:d};{:.3f}").replace(".", ",")
    np.testing.assert_allclose(
        sf.read_log(written(tmp_path / "b.csv", three)).table.loss, curve(STEPS), atol=1e-3
    )
    grouped = rows(1000 * STEPS, curve(STEPS), "tokens,loss", '"{:,d}",{:.4f}')
    log = sf.read_log(written(tmp_path / "c.csv", grouped))
    assert log.table.tokens.tolist() == (1000 * STEPS).tolist()
    assert "as standing between groups of digits" in str(log.report)
    both = rows(1000 * STEPS, curve(STEPS), "tokens;loss", "{:,d};{:.3f}")
    assert sf.read_log(written(tmp_path / "d.csv", both)).table.tokens.tolist() == (1000 * STEPS).tolist()
    points = rows(1000 * STEPS, curve(STEPS), "tokens;loss", "{:,d};{:.4f}")
    points = points.replace(",", "_").replace(".", ",").replace("_", ".")
    table = frames.read(written(tmp_path / "f.csv", points + "\n9.000.000;2,5\n"))
    assert table.tokens.tolist() == [*(1000 * STEPS).tolist(), 9_000_000]
    np.testing.assert_allclose(table.loss, [*curve(STEPS), 2.5], atol=1e-4)
    assert "the points in 'tokens' are read as standing between groups of digits" in table.attrs["notes"]
    spread = frames.read(written(tmp_path / "h.csv", 'N,loss\n1e7,3.0\n,\n"1e8",2.5\n , \n'))
    assert spread.loss.tolist() == [3.0, 2.5]
    assert "2 empty rows passed over" in spread.attrs["notes"]
    even = frames.read(written(tmp_path / "i.csv", "N,loss\n1e7,3.0\n,\n1e8,2.5\n"))
    assert even.N.tolist() == [1e7, 1e8]
    assert "1 empty row passed over" in even.attrs["notes"]
    percent = frames.read(written(tmp_path / "g.csv", "flops,accuracy\n1e18,25.5%\n1e19,40%\n1e20,61.5%\n"))
    np.testing.assert_allclose([float(cell) for cell in percent.accuracy], [0.255, 0.4, 0.615])
    mixed = 'a;b\n"1,000,000";3,51\n'
    with pytest.raises(
        ValueError, match=r"between groups of digits in some .* before decimals in others; write numbers"
    ):
        frames.read(written(tmp_path / "e.csv", mixed))


def test_amounts_written_out_are_numbers_and_labels(tmp_path):
    sizes = {"31.5M": 31.5e6, "124M": 124e6, "350m": 350e6, "1.3B": 1.3e9, "2.7b": 2.7e9, "6.7B": 6.7e9}
    text = "model,loss\n" + "".join(f"{name},{1.8 + 300 * n**-0.3:.6f}\n" for name, n in sizes.items())
    path = written(tmp_path / "runs.csv", text)
    fit = sf.fit("power_floor", path, {"x": "model"}, "loss")
    assert fit.data.x["x"].tolist() == list(sizes.values())
    assert "'31.5M' in column 'model' is read as 3.15e+07" in fit.notes
    assert (
        sf.fit_groups(
            "power_floor",
            pd.concat([frames.read(path)] * 4).assign(x=np.arange(1, 25)),
            by="model",
            inputs={"x": "x"},
        ).keys()
        == sizes.keys()
    )
    # In memory a text is no number, and what is advised works.
    table = pd.DataFrame({"model": list(sizes), "loss": 3.0})
    with pytest.raises(ValueError, match=r"'31.5M' in rows 0, .*write it as 3.15e\+07"):
        sf.fit("power_floor", table, {"x": "model"}, "loss")


def sweep() -> pd.DataFrame:
    """Three budgets of six sizes, losses by 1.8 + 300 N^-0.32 + 500 D^-0.29 (invented)."""
    C = np.repeat([3e18, 3e19, 3e20], 6)
    N = np.sqrt(C / 120) * np.tile(np.geomspace(0.25, 4, 6), 3)
    return pd.DataFrame(
        {
            "parameters": N,
            "compute_budget": C,
            "final_loss": 1.8 + 300 * N**-0.32 + 500 * (C / 6 / N) ** -0.29,
        }
    )


def test_tokens_are_derived_from_size_and_budget(tmp_path):
    table = sweep()
    path = tmp_path / "runs.json"
    path.write_text(table.to_json(orient="records"))
    for runs in (path, table, table.rename(columns={"compute_budget": "C"})):
        fit = sf.fit("chinchilla", runs)
        assert fit.coefs == pytest.approx(
            {"E": 1.8, "A": 300, "B": 500, "alpha": 0.32, "beta": 0.29}, rel=1e-2
        )
        assert any(
            note.startswith("D = C") or note.startswith("D = compute_budget / (6 param") for note in fit.notes
        )
    found = sf.isoflop(path, budget="compute_budget", method="cubic")
    # beta / (alpha + beta)
    assert found.coefs["a"] == pytest.approx(0.29 / 0.61, abs=0.02)
    with pytest.raises(ValueError, match=r"compute_budget / .6 parameters. gives .*give the budget in FLOPs"):
        sf.fit("chinchilla", table.assign(compute_budget=table.compute_budget / 8.64e19))
    with pytest.raises(ValueError, match="usual name for D"):
        sf.fit("chinchilla", table.drop(columns="compute_budget"))


@pytest.mark.parametrize(
    "orient", ["records", "list", "columns", "split", "index", "nested", "lines", "pretty"]
)
def test_json_of_every_shape(tmp_path, orient):
    table = pd.DataFrame({"step": STEPS, "loss": curve(STEPS)})
    text = {
        "list": lambda: json.dumps({name: table[name].tolist() for name in table}),
        "nested": lambda: json.dumps({"about": "a run", "history": table.to_dict("records")}),
        "lines": lambda: table.to_json(orient="records", lines=True, double_precision=15),
        "pretty": lambda: "\n".join(json.dumps(row, indent=1) for row in table.to_dict("records")),
    }.get(orient, lambda: table.to_json(orient=orient, double_precision=15))()
    path = written(tmp_path / "run.json", text)
    log = sf.read_log(path)
    assert log.table.step.tolist() == STEPS.tolist()
    np.testing.assert_allclose(log.table.loss, curve(STEPS), rtol=1e-12)
    fit = sf.fit("power_floor", path, {"x": "step"})
    assert fit.coefs == pytest.approx({"E": 1.9, "A": 9, "alpha": 0.5}, rel=1e-6)


def test_json_of_runs_by_name_and_of_metrics_inside(tmp_path):
    runs = {name: {"step": [1, 2], "loss": [3.0 + k, 2.0]} for k, name in enumerate("ab")}
    assert sf.read_log(written(tmp_path / "runs.json", json.dumps(runs))).report.runs == ("a", "b")
    lists = {name: pd.DataFrame(part).to_dict("records") for name, part in runs.items()}
    assert sf.read_log(written(tmp_path / "lists.json", json.dumps(lists))).report.runs == ("a", "b")
    inside = "".join(
        f'{{"step": {s}, "train": {{"loss": {v}, "lr": 0.1}}}}\n' for s, v in ((1, 3.0), (2, 2.5))
    )
    assert sf.read_log(written(tmp_path / "in.jsonl", inside)).table.loss.tolist() == [3.0, 2.5]
    sizes = {"s": {"N": 1e8, "loss": 3.0}, "l": {"N": 1e9, "loss": 2.5}}
    table = frames.read(written(tmp_path / "sizes.json", json.dumps(sizes)))
    assert table.to_dict("list") == {"run": ["s", "l"], "N": [1e8, 1e9], "loss": [3.0, 2.5]}


def test_a_list_cut_off_gives_what_is_whole(tmp_path):
    whole = json.dumps([{"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.9}, {"step": 3, "loss": 2.8}])
    log = sf.read_log(written(tmp_path / "run.json", whole[:-12]))
    assert log.table.step.tolist() == [1, 2]
    assert len(log.report.torn) == 1
    with pytest.raises(ValueError, match=r"run.json' cannot be read as a table .line 1 holds no record"):
        tables.columns_of(tmp_path / "run.json")


# ---------------------------------------------------------------------------------------------------
# text and wide logs


def nano(step: int, loss: float) -> str:
    extra = (
        f"step {step}: train loss {loss - 0.01:.4f}, val loss {loss + 0.05:.4f}\n" if step % 500 == 0 else ""
    )
    return f"{extra}iter {step}: loss {loss:.4f}, time 210.55ms, mfu 31.20%\n"


def megatron(step: int, loss: float) -> str:
    return (
        f" [2026-02-03 04:05:{step % 60:02d}] iteration {step:8d}/   90000 | consumed "
        f"samples: {64 * step:12d} | elapsed time per "
        "iteration (ms): 611.2 | learning rate: 2.000000E-04 | global batch size:    64 | lm loss: "
        f"{loss:.6E} | loss scale: 1.0 | "
        "grad norm: 0.812 | number of skipped iterations:   0 | number of nan iterations:   0 |\n"
    )


def titan(step: int, loss: float) -> str:
    return (
        f"\x1b[32m[rank0]:2026-02-03 04:05:06,789 - root - INFO - step: {step:3d} "
        f" loss: {loss:8.4f}  grad_norm:  0.9  "
        "memory: 33.20GiB(41.9%)  tps: 9,876  mfu: 40.1%\x1b[39m\n"
    )


def olmo(step: int, loss: float) -> str:
    head = f"2026-02-03 INFO [step={step}/9000,epoch=0]\n    optim/total_grad_norm=1.2\n"
    return f"{head}    train/CrossEntropyLoss={loss:.4f}\n"


def bars(step: int, loss: float) -> str:
    tail = "lr 2.00e-04 | 301.20 ms | 48.3% bf16 MFU | 1741203 tok/s"
    return f"step {step:4d}/9000 | loss {loss:.6f} (+0.31z)| norm 0.42 (-0.7z)| {tail}\n"


@pytest.mark.parametrize("line", [nano, megatron, titan, olmo, bars], ids=lambda f: f.__name__)
@pytest.mark.parametrize("name", ["run.log", "slurm-12.out", "stdout"])
def test_what_scripts_print(tmp_path, line, name):
    text = "number of parameters: 123.6M\nloading data from /data/x, 3 files\n" + "".join(
        f"{line(int(s), v)}saved a checkpoint\n" for s, v in zip(STEPS, curve(STEPS), strict=True)
    )
    log = sf.read_log(written(tmp_path / name, text))
    assert log.report.format == "text"
    assert log.table.step.tolist() == STEPS.tolist()
    np.testing.assert_allclose(log.table.loss, curve(STEPS), atol=6e-5)
    if line in (megatron, bars):
        assert set(log.table.lr) == {2e-4}
    assert "lines without a step and a number behind a name are passed over" in str(log.report)
    assert sf.forecast(tmp_path / name, steps=4000).loss == pytest.approx(curve(4000), rel=5e-3)


def test_text_with_a_loss_that_is_nan_and_text_without_steps(tmp_path):
    text = "".join(f"iter {s}: loss {v}\n" for s, v in ((1, "3.1"), (2, "nan"), (3, "inf"), (4, "2.9")))
    assert sf.read_log(written(tmp_path / "a.log", text)).report.left_out == {"NaN": 1, "infinite": 1}
    text = "".join(f"{{'loss': {v:.3f}, 'learning_rate': 0.001, 'epoch': 0.1}}\n" for v in curve(STEPS))
    with pytest.raises(ValueError, match=r"usual name for the step .*step='row'"):
        sf.read_log(written(tmp_path / "b.log", text))
    assert len(sf.read_log(tmp_path / "b.log", step="row").table) == 100


def test_one_column_per_run(tmp_path):
    wide = pd.DataFrame(
        {
            "step": STEPS,
            "lr=1e-3": curve(STEPS),
            "lr=3e-3": np.where(STEPS > 1000, np.nan, curve(STEPS) + 0.1),
        }
    )
    wide.to_csv(tmp_path / "wide.csv", index=False)
    with pytest.raises(ValueError, match=r"where each column is a run, loss=\['lr=1e-3', 'lr=3e-3'\]"):
        sf.read_log(tmp_path / "wide.csv")
    log = sf.read_log(tmp_path / "wide.csv", loss=["lr=1e-3", "lr=3e-3"])
    assert log.report.runs == ("lr=1e-3", "lr=3e-3")
    assert log.table.groupby("run").size().tolist() == [100, 50]
    assert sf.forecast(tmp_path / "wide.csv", steps=4000, loss="lr=1e-3").loss == pytest.approx(
        curve(4000), rel=1e-3
    )
    wide.columns = ["Step", "one - train/loss", "two - train/loss"]
    wide.to_csv(tmp_path / "chart.csv", index=False)
    assert sf.read_log(tmp_path / "chart.csv").report.runs == ("one", "two")


# --------------------------------------------------------------------------------------------------
# encodings, damage


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_encodings_and_ends_of_lines(tmp_path, encoding, ends):
    text = rows(STEPS, curve(STEPS)).replace("\n", ends)
    path = written(tmp_path / "run.csv", text.encode(encoding))
    np.testing.assert_allclose(sf.read_log(path).table.loss, curve(STEPS), atol=1e-6)
    np.testing.assert_allclose(frames.read(path)["loss"], curve(STEPS), atol=1e-6)


def test_packed_files_whole_and_damaged(tmp_path):
    text = rows(STEPS, noisy(STEPS)).encode()
    packed = gzip.compress(text)
    whole = written(tmp_path / "run.csv.gz", packed)
    assert len(sf.read_log(whole).table) == len(frames.read(whole)) == 100
    damaged = {
        "cut": packed[:-90],
        "flipped": packed[:300] + bytes([packed[300] ^ 4]) + packed[301:],
        "plain": text,
    }
    for name, content in damaged.items():
        path = written(tmp_path / f"{name}.csv.gz", content)
        for read in (
            sf.read_log,
            lambda path: sf.fit("power_floor", path, {"x": "step"}),
            lambda p: sf.forecast(p, steps=9000),
        ):
            with pytest.raises(
                ValueError, match=f"{name}.csv.gz' cannot be read .*cut off or damaged"
            ) as error:
                read(path)
            assert "\n" not in str(error.value)


def test_a_packed_file_that_fills_memory_is_refused(tmp_path):
    bomb = written(tmp_path / "bomb.csv.gz", gzip.compress(b"step,loss\n" + b"1,2\n" * 18_000_000))
    for read in (sf.read_log, frames.read):
        with pytest.raises(ValueError, match=r"bomb.csv.gz' .*unpacks to more than 200 times its size"):
            read(bomb)


def test_parquet_that_fills_memory_is_refused(tmp_path):
    """Ten million times the same two numbers, in some ten thousand bytes."""
    pa = pytest.importorskip("pyarrow", reason="needs pyarrow: pip install scalefit-jax[readers]")
    parquet = pytest.importorskip("pyarrow.parquet")
    some = pa.table({"step": np.ones(1_000_000), "loss": np.ones(1_000_000)})
    path = tmp_path / "bomb.parquet"
    with parquet.ParquetWriter(path, some.schema) as writer:
        for _ in range(10):
            writer.write_table(some)
    assert path.stat().st_size < 1e5
    for read in (sf.read_log, frames.read):
        with pytest.raises(ValueError, match=r"bomb.parquet' .*unpacks to more than 200 times its size"):
            read(path)


def test_columns_of_losses_that_fill_memory_are_refused(tmp_path):
    names = [f"c{k}" for k in range(3000)]
    path = written(
        tmp_path / "wide.csv", "\n".join([",".join(["step", *names]), *([",".join("1" * 3001)] * 24)])
    )
    with pytest.raises(
        ValueError, match="1500 columns of losses as runs, each with the log's 1501 other columns"
    ):
        sf.read_log(path, loss=names[:1500], step="step")


def test_broken_parquet_is_one_sentence(tmp_path):
    pytest.importorskip("pyarrow", reason="needs pyarrow: pip install scalefit-jax[readers]")
    pd.DataFrame({"step": STEPS, "loss": curve(STEPS)}).to_parquet(tmp_path / "whole.parquet")
    content = (tmp_path / "whole.parquet").read_bytes()
    for name, part in {
        "cut": content[:-200],
        "none": b"loss",
        "middle": content[:9] + bytes(60) + content[69:],
    }.items():
        path = written(tmp_path / f"{name}.parquet", part)
        for read in (sf.read_log, lambda path: sf.fit("power_floor", path, {"x": "step"})):
            with pytest.raises(ValueError, match=f"{name}.parquet' cannot be read as a table") as error:
                read(path)
            assert "\n" not in str(error.value)
            assert ". " not in str(error.value)


def test_numbers_of_four_hundred_digits(tmp_path):
    many = "7" * 400
    for name, text in {
        "run.csv": f"step,loss\n{many},3.0\n2,2.9\n",
        "run.jsonl": f'{{"step": {many}, "loss": 3.0}}\n{{"step": 2, "loss": 2.9}}\n',
    }.items():
        log = sf.read_log(written(tmp_path / name, text))
        assert log.table.step.tolist() == [2]
        assert sum(log.report.left_out.values()) == 1
        with pytest.raises(ValueError, match=r"column 'step' .*(infinite|not a number).*") as error:
            sf.fit("power_floor", tmp_path / name, {"x": "step"})
        assert "in row 0 " in str(error.value)


def test_rows_longer_than_the_header_shift_nothing(tmp_path):
    """One number more in every row, and in one; blank cells at the end of rows are no numbers."""
    every = written(
        tmp_path / "every.csv", "x,loss\n" + "".join(f"{k},{k}e8,{3 - k / 20}\n" for k in range(1, 9))
    )
    with pytest.raises(
        ValueError, match=r"every.csv' .*line 2 has 3 cells and its header 2, and 7 more lines differ"
    ):
        sf.fit("power_floor", every)
    with pytest.raises(
        ValueError, match=r"every.csv' .*no row has as many cells as its header: line 2 has 3"
    ):
        sf.read_log(every)
    one = written(
        tmp_path / "one.csv",
        "x,loss\n" + "".join(f"{k}e8,{3 - k / 20}{',7' * (k == 5)}\n" for k in range(1, 9)),
    )
    with pytest.raises(ValueError, match=r"one.csv' .*line 6 has 3 cells and its header 2.; check the file"):
        sf.fit("power_floor", one)
    blank = written(tmp_path / "blank.csv", "step,loss\n1,3.0,\n2,2.5,\n")
    assert sf.read_log(blank).table.loss.tolist() == frames.read(blank)["loss"].tolist() == [3.0, 2.5]


def test_a_quotation_mark_never_closed_takes_one_row(tmp_path):
    text = rows(STEPS, curve(STEPS), "step,loss,note", "{:d},{:.6f},ok").replace("400,", '400,"', 1)
    log = sf.read_log(written(tmp_path / "run.csv", text))
    assert log.report.kept + sum(log.report.left_out.values()) + len(log.report.torn) == 100
    assert log.report.kept >= 99


@pytest.mark.parametrize("text", ["N,D,loss,loss\n1e8,1e9,3,4\n", "N,D,loss, loss\n1e8,1e9,3,4\n"])
def test_a_header_that_names_a_column_twice(tmp_path, text):
    path = written(tmp_path / "runs.csv", text)
    for read in (lambda p: sf.fit("chinchilla", p), sf.read_log):
        with pytest.raises(ValueError, match=r"runs.csv' .*two columns 'loss'; rename or remove one"):
            read(path)


def test_a_file_without_names(tmp_path):
    path = written(tmp_path / "run.csv", "1,3.0\n2,2.5\n")
    for read in (lambda p: sf.fit("power_floor", p), sf.read_log):
        with pytest.raises(ValueError, match=r"run.csv' .*first line has numbers and no names of columns"):
            read(path)
    commented = written(tmp_path / "saved.txt", "# a sweep\n# step loss\n1 3.0\n2 2.5\n")
    assert sf.read_log(commented).table.loss.tolist() == [3.0, 2.5]


def test_a_total_below_the_table_is_blamed_on_its_row(tmp_path):
    table = sweep().rename(columns={"parameters": "N"}).assign(D=1e9)
    text = table.to_csv(index=False) + "total,,,\n"
    path = written(tmp_path / "runs.csv", text)
    with pytest.raises(ValueError, match=r"column 'N' .* has 'total' in row 18 .*drop such rows"):
        sf.fit("chinchilla", path)
    # What is advised works.
    runs = frames.read(path)
    runs = runs.apply(pd.to_numeric, errors="coerce").dropna()
    assert sf.fit("chinchilla", runs).status.n_starts > 0
    log = written(tmp_path / "run.csv", rows(STEPS, curve(STEPS)) + "mean,2.5\n")
    assert sf.read_log(log).report.left_out == {"no number": 1}


def test_rows_go_by_the_tables_own_names():
    runs = pd.DataFrame({"x": [1e8, -1.0, 1e9, 1e10]}).assign(loss=[3.0, 2.8, 2.6, 2.5])
    named = runs.set_index(pd.Index(["a-1", "a-2", "b-1", "b-2"]))
    with pytest.raises(ValueError, match=r"negative in row 1 \(counting from 0\)"):
        sf.fit("power_floor", runs)
    with pytest.raises(ValueError, match=r"negative in row 1 \(index 'a-2'\)"):
        sf.fit("power_floor", named)
    with pytest.raises(ValueError, match=r"no value \(NaN\) in rows 0, 2 \(index 7, 9\)"):
        sf.fit("power_floor", runs.assign(x=[np.nan, 1.0, np.nan, 2.0]).set_index(pd.Index([7, 8, 9, 10])))


def test_warnings_name_rows_as_the_table_does():
    N = np.geomspace(1e7, 1e10, 30)
    loss = 1.8 + 300 * N**-0.32
    loss[[4, 20]] *= 1.2
    runs = pd.DataFrame({"x": N, "loss": loss}, index=pd.Index([f"run-{k}" for k in range(30)]))
    said = {w.code: w.text for w in sf.fit("power_floor", runs).warnings}
    assert "rows 4, 20 (index 'run-4', 'run-20') lie far off" in said["outliers"]
    # Rows without weight are not looked at, and do not move the others' names.
    said = {w.code: w.text for w in sf.fit("power_floor", runs, weight=[0.0, *[1.0] * 29]).warnings}
    assert "rows 4, 20 (index 'run-4', 'run-20') lie far off" in said["outliers"]
    said = {w.code: w.text for w in sf.fit("power_floor", runs.reset_index(drop=True)).warnings}
    assert "rows 4, 20 (counting from 0) lie far off" in said["outliers"]


# -------------------------------------------------------------------------------------------------------
# typed columns


def test_integers_above_64_bits_are_floats(tmp_path):
    flops = [4 * 10**18 * 3**k for k in range(9)]
    assert flops[-1] > 2**64
    text = "".join(f'{{"flops": {c}, "loss": {1.6 + 90 * c**-0.11:.8f}}}\n' for c in flops)
    lines = written(tmp_path / "runs.jsonl", text)
    table = written(
        tmp_path / "runs.csv", "flops,loss\n" + "".join(f"{c},{1.6 + 90 * c**-0.11:.8f}\n" for c in flops)
    )
    for path in (lines, table):
        fit = sf.fit("power_floor", path, {"x": "flops"}, "loss")
        np.testing.assert_array_equal(fit.data.x["x"], np.array(flops, float))
        assert fit.coefs["alpha"] == pytest.approx(0.11, rel=1e-3)


def test_no_column_is_typed_by_its_name_and_no_label_is_missing(tmp_path):
    records = [
        {
            "compute_time": 100 * k,
            "date": 3 * k,
            "modified_at": k,
            "loss": 2 + 9 / k,
            "decay": ["None", "null", "NA"][k % 3],
        }
        for k in range(1, 13)
    ]
    frame = pd.DataFrame(records)
    paths = [
        written(tmp_path / "runs.jsonl", "".join(json.dumps(record) + "\n" for record in records)),
        written(tmp_path / "runs.json", json.dumps(records)),
        written(tmp_path / "runs.csv", frame.to_csv(index=False)),
    ]
    for path in paths:
        table = frames.read(path)
        pd.testing.assert_frame_equal(
            table.assign(decay=table.decay.astype(str)), frame.assign(decay=frame.decay.astype(str))
        )
        assert sf.fit("power_floor", path, {"x": "compute_time"}, group="decay").coefs[
            "alpha"
        ] == pytest.approx(1, rel=1e-6)
    same = written(tmp_path / "same.csv", frame.assign(decay="None").to_csv(index=False))
    assert set(frames.read(same)["decay"]) == {"None"}


def test_tables_are_read_as_pandas_reads_them(data_dir):
    """Every public table: numbers to the last digit, texts but for the words
    that pandas takes for no value."""
    found = sorted(data_dir.glob("*/*.csv*"))
    assert len(found) > 40
    for path in found:
        ours, theirs = frames.read(path), pd.read_csv(path)
        assert list(ours.columns) == list(theirs.columns)
        for name in theirs:
            if theirs[name].dtype.kind in "biuf":
                np.testing.assert_allclose(
                    ours[name].to_numpy(float), theirs[name].to_numpy(float), rtol=1e-15
                )
            else:
                cells = zip(ours[name].tolist(), theirs[name].tolist(), strict=True)
                assert all(a == b or (b != b and a in (None, *files.MISSING)) for a, b in cells), (path, name)


# ---------------------------------------------------------------------------------------------------------
# large and odd


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_ten_thousand_columns(tmp_path, ending):
    """355 s once, by a frame grown column by column and names looked for one by one;
    2 s on two busy cores."""
    values = np.random.default_rng(0).random((20, 10_000))
    table = pd.DataFrame(values, columns=[f"layer_{k}/norm" for k in range(10_000)])
    table = pd.concat([pd.DataFrame({"step": range(1, 21), "loss": np.linspace(3, 2, 20)}), table], axis=1)
    path = tmp_path / f"run.{ending}"
    path.write_text(
        table.to_csv(index=False) if ending == "csv" else table.to_json(orient="records", lines=True)
    )
    began = time.perf_counter()
    log = sf.read_log(path)
    assert time.perf_counter() - began < 30
    assert log.table.shape == (20, 10_003)


def events(path: Path, values: list[tuple[int, float]]) -> Path:
    """An event file by TensorBoard's own writer."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(path))
    for step, value in values:
        writer.add_event(
            Event(
                step=step,
                wall_time=1e9 + step,
                summary=Summary(value=[Summary.Value(tag="loss", simple_value=value)]),
            )
        )
    writer.close()
    (file,) = path.glob("*tfevents*")
    return file


@pytest.mark.parametrize("part", ["length", "check of the length", "event", "check of the event"])
def test_one_flipped_bit_in_an_event_file_costs_one_event_and_is_said(tmp_path, part):
    pytest.importorskip("tensorboard", reason="needs TensorBoard: pip install scalefit-jax[readers]")
    file = events(tmp_path / "run", [(int(s), float(v)) for s, v in zip(STEPS, curve(STEPS), strict=True)])
    data, at, begins = bytearray(file.read_bytes()), 0, []
    while at < len(data):
        begins.append(at)
        at += struct.unpack("<Q", data[at : at + 8])[0] + 16
    # The first event says the file's version; the 40th after it is the loss at step 800.
    begin, end = begins[40], begins[41]
    place = {
        "length": begin + 1,
        "check of the length": begin + 9,
        "event": end - 7,
        "check of the event": end - 2,
    }[part]
    data[place] ^= 16
    file.write_bytes(bytes(data))
    log = sf.read_log(tmp_path / "run")
    assert log.table.step.tolist() == [int(s) for s in STEPS if s != 800]
    assert log.report.torn == (f"event 40 of {file.name}",)
    told = sf.forecast(tmp_path / "run", steps=4000)
    assert told.warnings[0].code == "damaged"
    assert f"event 40 of {file.name}" in told.warnings[0].text


def test_tensorboard_without_steps(tmp_path):
    pytest.importorskip("tensorboard", reason="needs TensorBoard: pip install scalefit-jax[readers]")
    events(tmp_path / "run", [(0, float(v)) for v in curve(STEPS)])
    with pytest.raises(ValueError, match=r"never moves: all 100 rows .*step='timestamp'"):
        sf.read_log(tmp_path / "run")


def test_long_lines_take_time_in_proportion(tmp_path):
    """A megabyte of one word, of words, of digits and of marks in a text log; a second on a busy core."""
    lines = [
        "a" * 10**6,
        "ab " * 350_000,
        "1," * 500_000,
        "loss: " * 160_000,
        "(" * 10**6,
        " " * 10**6,
        "loss 1" + "0" * 10**6,
    ]
    text = "".join(f"{line}\niter {k}: loss {3 - k / 10}\n" for k, line in enumerate(lines, 1))
    began = time.perf_counter()
    log = sf.read_log(written(tmp_path / "run.log", text))
    assert time.perf_counter() - began < 30
    assert log.table.step.tolist() == list(range(1, 8))


def test_markup_and_deep_json_are_data(tmp_path):
    deep = written(tmp_path / "deep.json", "[" * 100_000)
    with pytest.raises(ValueError, match="usual name for the loss"):
        sf.read_log(deep)
    with pytest.raises(ValueError, match=r"deep.json' cannot be read as a table .line 1 holds no record"):
        frames.read(deep)
    odd = written(tmp_path / "odd.csv", "step,loss,<b>=1+1</b>\n1,3.0,5\n2,2.5,6\n")
    assert sf.read_log(odd).table["<b>=1+1</b>"].tolist() == [5, 6]


def test_a_record_that_has_a_name_twice(tmp_path):
    text = '{"step": 1, "loss": 3.0}\n{"step": 2, "loss": 2.5, "loss": 2.9}\n{"step": 3, "loss": 2.4}\n'
    log = sf.read_log(written(tmp_path / "run.jsonl", text))
    assert log.table.step.tolist() == [1, 3]
    assert len(log.report.torn) == 1
    with pytest.raises(ValueError, match=r"line 2 holds no record"):
        frames.read(tmp_path / "run.jsonl")
    with pytest.raises(ValueError, match=r"a record has 'loss' twice"):
        frames.read(written(tmp_path / "run.json", '[{"loss": 2.5, "loss": 2.9}]'))


def test_a_restart_that_has_only_begun_is_no_error(tmp_path):
    """Two rows after a restart do not tell yet; `scalefit watch` must live through them."""
    path = written(
        tmp_path / "run.csv",
        rows(np.concatenate([STEPS, STEPS[:2]]), np.concatenate([curve(STEPS), curve(STEPS[:2])])),
    )
    told = sf.forecast(path, steps=4000)
    assert (told.step, [w.code for w in told.warnings][-1]) == (40, "too-early")


WORDS = [
    b"nan",
    b"",
    b'"',
    b"\n",
    b",",
    b";",
    b"\x00",
    b"\xff",
    b"1e999",
    b"9" * 400,
    b"{",
    b"]",
    b"null",
    b"step,loss\n",
    b"1,2\n",
    b"\t",
    b"None",
    b"#",
    b"\r",
    b"1,000",
    b"3,5",
    b"53M",
    b"iter 5: loss 2\n",
]


def mutated(content: bytes, chance: np.random.Generator) -> bytes:
    """A file with bits flipped, parts lost, doubled or put in, lines in another order."""
    out = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 3, 8])):
        place, kind = int(chance.integers(len(out) + 1)), chance.integers(6)
        if kind == 0 and place < len(out):
            out[place] ^= 1 << int(chance.integers(8))
        elif kind == 1:
            out[place:place] = WORDS[chance.integers(len(WORDS))]
        elif kind == 2:
            del out[place : place + int(chance.choice([1, 5, 50]))]
        elif kind == 3:
            del out[place:]
        elif kind == 4:
            out[place:place] = out[int(chance.integers(len(out) + 1)) :][:500]
        else:
            lines = bytes(out).split(b"\n")
            out = bytearray(b"\n".join(lines[k] for k in chance.permutation(len(lines))))
    return bytes(out)


@pytest.mark.parametrize("seed", range(4))
def test_damaged_files_are_read_or_refused_in_one_sentence(tmp_path, seed):
    """100 damaged files of ten kinds for each seed: whole accounts, or one sentence without a traceback."""
    chance, steps = np.random.default_rng(seed), STEPS[:30]
    table = pd.DataFrame({"step": steps, "loss": curve(steps), "lr": 1e-3, "note": "a b"})
    plain = table.to_csv(index=False).encode()
    whole = {
        "a.csv": plain,
        "a.tsv": table.to_csv(index=False, sep="\t").encode(),
        "s.csv": table.to_csv(index=False, sep=";", decimal=",").encode(),
        "u.csv": table.to_csv(index=False).encode("utf-16"),
        "z.csv.gz": gzip.compress(plain),
        "l.jsonl": table.to_json(orient="records", lines=True).encode(),
        "r.json": table.to_json(orient="records").encode(),
        "c.json": table.to_json().encode(),
        "t.log": "".join(map(nano, steps, curve(steps))).encode(),
        "trainer_state.json": json.dumps({"log_history": table.to_dict("records")}).encode(),
    }
    said = []
    for k in range(100):
        name = list(whole)[k % len(whole)]
        path = written(tmp_path / name, mutated(whole[name], chance))
        for read in (sf.read_log, frames.read):
            try:
                found = read(path)
            except ValueError as error:
                said.append(str(error))
                continue
            if isinstance(found, sf.RunLog):
                report = found.report
                assert report.rows == report.kept + report.merged + sum(report.left_out.values())
                assert np.isfinite(found.table.loss).all()
                assert not found.table.duplicated(
                    ["run", "step" if "step" in found.table else "tokens"]
                ).any()
    assert [text for text in said if "\n" in text or not 15 < len(text) < 450] == []
    assert len(said) < 150
