"""Logs of every kind, as their writers leave them, and every row accounted for."""

import gzip
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import scalefit as sf
from scalefit.runs.logs import NAMES, REASONS


def read(*arguments, **options) -> sf.RunLog:
    """A log whose report adds up and whose table keeps its promises."""
    log = sf.read_log(*arguments, **options)
    report, table = log.report, log.table
    assert report.rows == report.kept + report.merged + sum(report.left_out.values())
    assert (len(table), len(log.left_out)) == (report.kept, sum(report.left_out.values()))
    assert set(log.left_out.reason) == set(report.left_out) <= set(REASONS)
    assert np.isfinite(table.loss).all()
    at = "step" if "step" in table else "tokens"
    assert not table.duplicated(["run", at]).any()
    assert (table.groupby("run")[at].diff().dropna() > 0).all()
    return log


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


# ----------------------------------------------------------------------------------------------
# the recorder's logs


def test_what_the_recorder_wrote_comes_back(tmp_path):
    with sf.Recorder(tmp_path / "mine.jsonl") as recorder:
        for step in range(1, 6):
            recorder.log(step=step, loss=3 - step / 10, lr=1e-3, tokens=512 * step, grad_norm=step / 2)
        recorder.log(step=6, loss=float("nan"), lr=1e-3, tokens=3072)
        recorder.log(step=7, loss=float("inf"), lr=1e-3, tokens=3584)
        recorder.log(step=5, val_loss=2.5)
        recorder.log(step=4, note="no loss at a step that has one")
        recorder.log(step=100, val_loss=2.4)
    log = read(tmp_path / "mine.jsonl")
    assert log.report.format == "recorder"
    assert log.report.runs == ("mine",)
    assert log.table.step.tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_array_equal(log.table.loss, 3 - np.arange(1, 6) / 10)
    assert log.table.tokens.tolist() == [512, 1024, 1536, 2048, 2560]
    assert log.table.grad_norm.tolist() == [0.5, 1, 1.5, 2, 2.5]
    assert log.table.val_loss.tolist()[-1] == 2.5
    assert log.report.merged == 2
    assert dict(zip(log.left_out.step, log.left_out.reason, strict=True)) == {
        6: "NaN",
        7: "infinite",
        100: "no loss",
    }


def test_a_run_killed_and_resumed_many_times_is_one_curve(tmp_path):
    """Against a plain loop: of each step the last writing counts,
    and nothing after the step a later part began at."""
    draw = np.random.default_rng(0)
    path, truth, at, written = tmp_path / "run.jsonl", {}, 0, 0
    for part in range(12):
        at = int(draw.integers(max(at - 30, 0), at + 1))
        with sf.Recorder(path) as recorder:
            for _ in range(int(draw.integers(1, 40))):
                at, written = at + int(draw.integers(1, 3)), written + 1
                truth = {step: loss for step, loss in truth.items() if step < at} | {at: part + at / 1000}
                recorder.log(step=at, loss=truth[at])
    log = read(path)
    assert dict(zip(log.table.step, log.table.loss, strict=True)) == truth
    assert log.report.left_out == {"superseded": written - len(truth)}
    assert "resumed 11 times" in str(log.report)
    # The same rows in a CSV without sessions.
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    table = pd.DataFrame([row for row in rows if "step" in row])[["step", "loss"]]
    table.to_csv(tmp_path / "run.csv", index=False)
    again = read(tmp_path / "run.csv")
    pd.testing.assert_frame_equal(again.table[["step", "loss"]], log.table[["step", "loss"]])


def test_what_a_superseded_part_knew_does_not_complete_the_later_one(tmp_path):
    """Step 4 of the first part had a val_loss;
    the second has its own losses from step 3 on, evaluated after its end."""
    path = tmp_path / "run.jsonl"
    with sf.Recorder(path) as recorder:
        for step in range(1, 5):
            recorder.log(step=step, loss=1.0)
            recorder.log(step=step, val_loss=1.0)
    with sf.Recorder(path) as recorder:
        for step in range(3, 6):
            recorder.log(step=step, loss=2.0)
    with sf.Recorder(path) as recorder:
        recorder.log(step=5, val_loss=2.0)
    log = read(path)
    assert log.table.loss.tolist() == [1, 1, 2, 2, 2]
    np.testing.assert_array_equal(log.table.val_loss, [1, 1, np.nan, np.nan, 2])
    assert (log.report.left_out, log.report.merged) == ({"superseded": 4}, 3)


def test_processes_that_wrote_at_once_are_runs_of_their_own(tmp_path):
    with sf.Recorder(tmp_path / "run.jsonl") as one, sf.Recorder(tmp_path / "run.jsonl") as two:
        for step in range(1, 4):
            one.log(step=step, loss=1.0)
            two.log(step=step, loss=2.0)
    log = read(tmp_path / "run.jsonl")
    assert log.table.groupby("run").loss.unique().str[0].tolist() in ([1.0, 2.0], [2.0, 1.0])
    assert "2 processes wrote 'run' at the same time" in str(log.report)


def test_named_runs_in_one_file_are_kept_apart(tmp_path):
    for name in ("a", "b"):
        with sf.Recorder(tmp_path / "run.jsonl", run=name) as recorder:
            recorder.log(step=1, loss=1.0)
            recorder.log(step=2, loss=0.5)
    assert read(tmp_path / "run.jsonl").report.runs == ("a", "b")


def test_a_folder_of_logs(tmp_path):
    for name in ("a", "b"):
        with sf.Recorder(tmp_path / f"{name}.jsonl") as recorder:
            recorder.log(step=1, loss=1.0)
    write(tmp_path / "other.jsonl", '{"step": 1, "loss": 3}')
    assert read(tmp_path).report.runs == ("a", "b")


def test_torn_lines_are_said_and_take_nothing_with_them(tmp_path):
    path = tmp_path / "run.jsonl"
    with sf.Recorder(path) as recorder:
        for step in (1, 2, 3):
            recorder.log(step=step, loss=1.0)
    header, *records = path.read_text().splitlines()
    # One line torn with another process's record right behind it, one torn at the end.
    path.write_text("\n".join([header, records[0], records[1][:20] + records[1], records[2][:30]]))
    log = read(path)
    assert log.table.step.tolist() == [1, 2]
    assert log.report.torn == (records[1][:20], records[2][:30])
    assert "cut off or damaged" in str(log.report)


# -------------------------------------------------------------------------------------------
# files of other writers

# Lightning 2.6 (CSVLogger with LearningRateMonitor), log_every_n_steps=2, val_check_interval=5.
LIGHTNING = """epoch,lr-SGD,step,train_loss,val_loss
,0.00975,1,,
0,,1,0.525253415107727,
,0.009250000000000001,3,,
0,,3,3.647120714187622,
0,,4,,1.4371607303619385
,0.00875,5,,
0,,5,2.5765163898468018,
,0.007750000000000001,9,,
0,,9,0.9061574935913086,
0,,9,,1.2942659854888916
"""
# Transformers 5.23, logging_steps=2, eval_steps=5, three entries and the last.
TRAINER = {
    "global_step": 20,
    "log_history": [
        {
            "loss": 1.8105206489562988,
            "grad_norm": 2.1635854244232178,
            "learning_rate": 0.0025,
            "epoch": 0.2,
            "step": 2,
        },
        {
            "loss": 0.9010121822357178,
            "grad_norm": 3.4754700660705566,
            "learning_rate": 0.0075,
            "epoch": 0.4,
            "step": 4,
        },
        {"eval_loss": 1.281295895576477, "eval_runtime": 0.0033, "epoch": 0.5, "step": 5},
        {
            "train_runtime": 0.2311,
            "total_flos": 0.0,
            "train_loss": 1.2924217998981475,
            "epoch": 2.0,
            "step": 20,
        },
    ],
}


def test_lightning(tmp_path):
    """Its count begins at 0: the rate it logs at 1 is that of the second update, 1e-2 (1 - 1/40)."""
    write(tmp_path / "version_0" / "metrics.csv", LIGHTNING)
    for path in (tmp_path, tmp_path / "version_0", tmp_path / "version_0" / "metrics.csv"):
        log = read(path)
        assert log.report.format == "lightning"
        assert log.report.runs == ("version_0",)
        assert log.table.step.tolist() == [2, 4, 6, 10]
        assert log.table.lr.tolist() == pytest.approx([0.00975, 0.00925, 0.00875, 0.00775])
        assert log.table.val_loss.dropna().tolist() == [1.2942659854888916]
        assert log.report.left_out == {"no loss": 1}
        assert "'val_loss': choose with loss=" in str(log.report)
    assert read(tmp_path, loss="val_loss").table.step.tolist() == [5, 10]
    assert read(tmp_path, counted_from=1).table.step.tolist() == [1, 3, 5, 9]
    write(tmp_path / "version_10" / "metrics.csv", LIGHTNING)
    write(tmp_path / "version_2" / "metrics.csv", LIGHTNING)
    assert read(tmp_path).report.runs == ("version_0", "version_2", "version_10")


def test_hugging_face(tmp_path):
    path = write(tmp_path / "out" / "checkpoint-1000" / "trainer_state.json", json.dumps(TRAINER))
    write(tmp_path / "out" / "checkpoint-900" / "trainer_state.json", "{}")
    for given in (tmp_path / "out", path.parent, path):
        log = read(given)
        assert log.report.format == "hugging_face"
        assert log.report.runs == ("out",)
        assert log.table.step.tolist() == [2, 4]
        assert log.table.lr.tolist() == [0.0025, 0.0075]
        assert log.report.left_out == {"no loss": 2}
        assert "mean over the steps since the one before" in str(log.report)
    assert read(path, loss="eval_loss").table.loss.tolist() == [1.281295895576477]


def test_weights_and_biases(tmp_path):
    """Its history (run.history, run.scan_history) as CSV and JSON, and a chart's download,
    columns as it names them."""
    history = pd.DataFrame(
        {
            "_step": [0, 1, 2],
            "_runtime": [1.0, 2, 3],
            "train/loss": [3.0, np.nan, 2.5],
            "train/learning_rate": [1e-3, np.nan, 2e-3],
            "eval/loss": [np.nan, 2.9, np.nan],
            "train/global_step": [10, 10, 20],
        }
    )
    history.to_csv(tmp_path / "history.csv", index=False)
    rows = [{k: v for k, v in row.items() if v == v} for row in history.to_dict("records")]
    write(tmp_path / "history.jsonl", "\n".join(map(json.dumps, rows)))
    write(
        tmp_path / "history.json", json.dumps([{**row, "gradients": {"_type": "histogram"}} for row in rows])
    )
    for name in ("history.csv", "history.jsonl", "history.json"):
        log = read(tmp_path / name)
        assert log.table.step.tolist() == [10, 20], name
        assert log.table["eval/loss"].tolist()[0] == 2.9
        assert log.report.columns == {
            "step": "train/global_step",
            "loss": "train/loss",
            "lr": "train/learning_rate",
        }
    assert "no single values, not kept: 'gradients'" in str(log.report)
    history.drop(columns="train/global_step").to_csv(tmp_path / "steps.csv", index=False)
    assert "which need not be optimiser steps" in str(read(tmp_path / "steps.csv").report)
    write(
        tmp_path / "chart.csv",
        '"Step","a - train/loss","a - train/loss__MIN","a - train/loss__MAX","b - train/loss"\n'
        '"10","3","3","3",""\n"20","2.5","2.5","2.5","2.75"\n"30","","","","2.5"\n',
    )
    log = read(tmp_path / "chart.csv")
    assert log.table[["run", "step", "loss"]].to_numpy().tolist() == [
        ["a", 10, 3.0],
        ["a", 20, 2.5],
        ["b", 20, 2.75],
        ["b", 30, 2.5],
    ]


def test_mlflow(tmp_path):
    """Its file store: a file per metric, lines of milliseconds, value and step (MLflow 3);
    and its tables of metrics."""
    folder = tmp_path / "mlruns" / "7" / "fd37"
    write(folder / "meta.yaml", "artifact_uri: file:///x\nrun_id: fd37\nrun_name: good-run\n")
    write(
        folder / "metrics" / "train" / "loss",
        "1795286350948 2.9 1\n1795286350949 2.8 2\n1795286350952 nan 3\n17952",
    )
    write(folder / "metrics" / "lr", "1795286350948 0.001 1\n1795286350949 0.001 2\n")
    for path in (tmp_path / "mlruns", tmp_path / "mlruns" / "7", folder):
        log = read(path)
        assert log.report.runs == ("good-run",)
        assert log.table[["step", "loss", "lr"]].to_numpy().tolist() == [[1, 2.9, 0.001], [2, 2.8, 0.001]]
        assert log.report.left_out == {"NaN": 1}
        assert log.report.torn == ("17952",)
    assert read(folder / "metrics" / "train" / "loss", loss="train/loss").table.step.tolist() == [1, 2]
    long = pd.DataFrame(
        {
            "run_id": ["a", "a", "b", "b"],
            "key": ["loss", "lr", "loss", "loss"],
            "value": [3.0, 1e-3, 2.0, 1.5],
            "step": [1, 1, 1, 2],
            "timestamp": 0,
        }
    )
    long.to_csv(tmp_path / "metrics_export.csv", index=False)
    log = read(tmp_path / "metrics_export.csv")
    assert log.table[["run", "step", "loss"]].to_numpy().tolist() == [
        ["a", 1, 3.0],
        ["b", 1, 2.0],
        ["b", 2, 1.5],
    ]
    assert log.table.lr[0] == 1e-3


def events(folder: Path, suffix: str, values: list[tuple[int, str, float]]) -> Path:
    """An event file by TensorBoard's own writer."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(folder), filename_suffix=suffix)
    for step, tag, value in values:
        writer.add_event(
            Event(step=step, summary=Summary(value=[Summary.Value(tag=tag, simple_value=value)]))
        )
    writer.close()
    (path,) = folder.glob(f"*{suffix}")
    return path


def test_tensorboard(tmp_path):
    pytest.importorskip("tensorboard", reason="needs TensorBoard: pip install scalefit-jax[readers]")
    losses = [(step, "train/loss", 4 - step / 8) for step in range(1, 9)]
    rates = [(step, "train/learning_rate", 0.5) for step in range(1, 9)]
    events(tmp_path / "runs" / "a", ".1", losses + rates)
    resumed = events(tmp_path / "runs" / "a", ".2", [(step, "train/loss", step / 8) for step in range(6, 12)])
    events(tmp_path / "runs" / "b", ".1", [(1, "loss", 1.0), (2, "loss", float("nan"))])
    log = read(tmp_path / "runs" / "a")
    assert log.report.format == "tensorboard"
    assert log.table.step.tolist() == list(range(1, 12))
    assert log.table.loss.tolist() == [4 - s / 8 for s in range(1, 6)] + [s / 8 for s in range(6, 12)]
    assert log.table.lr.tolist()[:5] == [0.5] * 5
    assert log.report.left_out == {"superseded": 3}
    assert "lr is not known in 6 of 11 rows" in str(log.report)
    both = read(tmp_path / "runs")
    assert both.report.runs == ("a", "b")
    assert both.report.left_out == {"superseded": 3, "NaN": 1}
    resumed.write_bytes(resumed.read_bytes()[:-3])
    torn = read(tmp_path / "runs" / "a")
    assert torn.table.step.tolist() == list(range(1, 11))
    assert torn.report.torn == (f"the last event of {resumed.name}",)


def test_parquet(tmp_path):
    pytest.importorskip("pyarrow", reason="needs pyarrow: pip install scalefit-jax[readers]")
    pd.DataFrame({"step": [1, 2, 3], "loss": [3.0, None, 2.0]}).to_parquet(tmp_path / "run.parquet")
    log = read(tmp_path / "run.parquet")
    assert (log.table.step.tolist(), log.report.left_out) == ([1, 3], {"no loss": 1})


# -------------------------------------------------------------------------------------------------
# tables of losses


def test_an_empty_cell_is_no_nan(tmp_path):
    """pandas reads both as NaN; a diverged step must not be taken for one that was not logged."""
    text = "step,loss,lr\n1,3.0,0.1\n2,,0.1\n3,nan,0.1\n4,inf,0.1\n5,2.0,0.1\n"
    write(tmp_path / "run.csv", text)
    write(tmp_path / "run.tsv", text.replace(",", "\t"))
    (tmp_path / "zipped.csv.gz").write_bytes(gzip.compress(text.encode()))
    for name in ("run.csv", "run.tsv", "zipped.csv.gz"):
        log = read(tmp_path / name)
        assert log.report.left_out == {"NaN": 1, "infinite": 1, "no loss": 1}
        assert dict(zip(log.left_out.step, log.left_out.reason, strict=True)) == {
            2: "no loss",
            3: "NaN",
            4: "infinite",
        }


def test_bad_rows_are_left_out_with_their_reason(tmp_path):
    write(
        tmp_path / "run.csv",
        "step,loss\n1,3.0\nstep,loss\n,2.9\n2.5,2.8\n-1,2.7\ninf,2.7\n2,about 2\n3,2.5\n3,2.4\n",
    )
    log = read(tmp_path / "run.csv")
    assert log.table[["step", "loss"]].to_numpy().tolist() == [[1, 3.0], [3, 2.4]]
    assert log.report.left_out == {"repeated": 1, "no step": 1, "not whole": 3, "no number": 1}
    assert list(log.left_out.index) == list(range(6))
    assert "a header stands again in line 3" in str(log.report)


def test_damaged_rows_of_a_table_are_left_out(tmp_path):
    """Cut off at the end, and cut off in the middle, where a resumed run wrote on."""
    write(tmp_path / "run.csv", "step,loss,lr\n1,3.0,0.1\n2,2.2,2.9,0.1\n3,2.8,NA\n4,2.")
    log = read(tmp_path / "run.csv")
    assert log.table.step.tolist() == [1, 3]
    assert np.isnan(log.table.lr[1])
    assert log.report.torn == ("2,2.2,2.9,0.1", "4,2.")


def test_a_table_in_no_order_is_sorted(tmp_path):
    table = pd.DataFrame({"step": np.arange(1, 101), "loss": np.linspace(3, 2, 100)})
    for name, rows in {"down": table[::-1], "mixed": table.sample(frac=1, random_state=0)}.items():
        rows.to_csv(tmp_path / f"{name}.csv", index=False)
        log = read(tmp_path / f"{name}.csv")
        assert log.table.step.tolist() == list(range(1, 101))
        assert "in no order of steps and were sorted" in str(log.report)


def test_runs_that_no_column_tells_apart_are_refused(tmp_path):
    table = pd.DataFrame({"model": ["a"] * 3 + ["b"] * 3, "step": [1, 2, 3] * 2, "loss": [3.0, 2, 1] * 2})
    table.to_csv(tmp_path / "run.csv", index=False)
    with pytest.raises(
        ValueError, match="column 'model' tells runs apart that are 'run' otherwise; say so with run='model'"
    ):
        sf.read_log(tmp_path / "run.csv")
    assert read(tmp_path / "run.csv", run="model").report.runs == ("a", "b")
    table.assign(model="a").to_csv(tmp_path / "run.csv", index=False)
    log = read(tmp_path / "run.csv")
    assert log.report.left_out == {"superseded": 3}
    assert "if these are two runs, say with run=" in str(log.report)


def test_several_files_are_several_runs(tmp_path):
    for folder in ("a", "b"):
        write(tmp_path / folder / "log.csv", "iteration,Train Loss,tokens seen\n1,3.0,10\n2,2.5,20\n")
    log = read([tmp_path / "a" / "log.csv", tmp_path / "b" / "log.csv"])
    assert log.report.runs == ("a/log", "b/log")
    assert log.report.columns == {"step": "iteration", "tokens": "tokens seen", "loss": "Train Loss"}
    assert log.table.tokens.tolist() == [10, 20, 10, 20]


def test_every_name_is_recognised(tmp_path):
    for name, aliases in NAMES.items():
        for alias in aliases:
            there = {"step": [1, 2], "loss": [3.0, 2.0]}
            there.pop(name, None)
            path = tmp_path / "run.csv"
            pd.DataFrame({**there, alias.title(): ["a", "b"] if name == "run" else [5.0, 6.0]}).to_csv(
                path, index=False
            )
            log = read(path)
            assert log.table[name].tolist() == (["a", "b"] if name == "run" else [5.0, 6.0]), alias


def test_published_curves(data_dir):
    """Three public sets of curves: two complete, one of tokens without steps (187 curves by its README)."""
    for name, options in {
        "mpl_curves/curves.csv": {"run": ["model", "schedule"]},
        "gemstones/losses.csv": {"run": ["eval_set", "run"]},
    }.items():
        log = read(data_dir / name, **options)
        table = pd.read_csv(data_dir / name)
        assert log.report.left_out == {}
        label = table[options["run"][0]] + "/" + table[options["run"][1]]
        expected = table.assign(run=label).sort_values(["run", "step"])[["run", "step", "loss"]]
        found = log.table.sort_values(["run", "step"])[["run", "step", "loss"]]
        assert found.to_numpy().tolist() == expected.to_numpy().tolist()
    log = read(data_dir / "colpret_curves" / "curves.csv.gz")
    assert len(log.report.runs) == 187
    assert log.report.units.keys() == {"tokens", "loss"}


# ----------------------------------------------------------------------------------------------------------
# refusals


@pytest.mark.parametrize(
    ("name", "content", "options", "said"),
    [
        ("run.csv", "", {}, "'.*run.csv' is empty"),
        ("run.csv", "step,loss\n", {}, "holds no records"),
        ("run.csv", "step,loss,loss\n1,2,3\n", {}, "cannot be read as table .it has two columns 'loss'"),
        ("run.csv", "step,lr\n1,2\n", {}, 'no column has a usual name for the loss .*step, lr.*loss="..."'),
        ("run.csv", "epoch,loss\n1,2\n", {}, 'usual name for the step .*step="..."'),
        ("run.csv", "step,loss\n1,nan\n", {}, "no row with a step and a finite loss .*1 NaN"),
        (
            "run.csv",
            "step,loss\n1,2\n",
            {"loss": "los"},
            "no column 'los' .for loss.; did you mean 'loss'",
        ),
        ("run.csv", "step,loss\n1,2\n", {"run": "seed"}, "no column 'seed' .for run."),
        ("run.csv", "step,loss\n1,2\n", {"format": "excel"}, "format must be one of recorder, table"),
        ("run.csv", "step,loss\n1,2\n", {"counted_from": 2}, "counted_from must be 0 or 1"),
        ("run.json", "[1, 2]", {}, "run.json' cannot be read as json .its entries are not records"),
        ("run.json", '{"log_history": 3}', {}, "cannot be read as hugging_face"),
        ("run.jsonl", "no json\n", {}, "usual name for the loss .there are no columns"),
        ("run.txt", "hello", {}, "is of no known kind; say which with format="),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_sentence(tmp_path, name, content, options, said):
    with pytest.raises(ValueError, match=said) as error:
        sf.read_log(write(tmp_path / name, content), **options)
    assert "\n" not in str(error.value)


def test_missing_paths_and_empty_folders(tmp_path):
    for options in ({}, {"format": "table"}):
        with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path / "none.csv"))):
            sf.read_log(tmp_path / "none.csv", **options)
    with pytest.raises(ValueError, match="holds no log that is known"):
        sf.read_log(tmp_path)
    with pytest.raises(ValueError, match="no path is given"):
        sf.read_log([])
