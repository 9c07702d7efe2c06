"""What other programs keep on disk, written here by those programs themselves; a test skips where one is not
installed (extras readers and neighbours)."""

import sqlite3
import sys

import numpy as np
import pandas as pd
import pytest
from test_logs import read

import scalefit as sf

# The libraries warn of each other; what they write is what is tested.
pytestmark = pytest.mark.filterwarnings("ignore")
LOSSES = (3 - np.arange(1, 31) / 20).tolist()


@pytest.fixture
def workbook(tmp_path):
    """Two sheets with cells and an empty one; the second column holds what people type."""
    openpyxl = pytest.importorskip("openpyxl", reason="needs openpyxl: pip install scalefit-jax[readers]")
    book = openpyxl.Workbook()
    runs, notes = book.create_sheet("runs"), book.create_sheet("notes")
    for row in [("step", "tokens", "loss"), (), (1, "1.5M", 3.25), (2, "3M", None), (3, "4.5M", 2.125)]:
        runs.append(row)
    notes.append(["by hand"])
    book.save(tmp_path / "runs.xlsx")
    return tmp_path / "runs.xlsx"


def test_excel_as_a_log(workbook):
    log = read(workbook)
    assert log.table.loss.tolist() == [3.25, 2.125]
    assert log.table.tokens.tolist() == [1_500_000, 4_500_000]
    assert log.report.left_out == {"no loss": 1}
    assert "sheet 'runs' is read, the first of 2" in str(log.report)


def test_excel_as_a_table(workbook, tmp_path):
    """The same fit as of the same numbers in a CSV file."""
    x = 1000.0 * 2 ** np.arange(12)
    table = pd.DataFrame({"x": x, "loss": (2 + 40 / x**0.4).round(4)})
    table.to_csv(tmp_path / "same.csv", index=False)
    table.to_excel(tmp_path / "same.xlsx", index=False)
    fits = [sf.fit("power_floor", tmp_path / f"same.{ending}") for ending in ("csv", "xlsx")]
    assert fits[0].coefs == fits[1].coefs
    with pytest.raises(ValueError, match=r"column 'loss' .y. has no value"):
        sf.fit("power_floor", workbook, {"x": "tokens"})


def test_excel_without_its_reader(workbook, monkeypatch):
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(ImportError, match=r"^'runs\.xlsx': Excel needs openpyxl, .*\[readers\]\"$"):
        sf.fit("power_floor", workbook)


def test_a_damaged_workbook_is_one_sentence(tmp_path):
    pytest.importorskip("openpyxl", reason="needs openpyxl: pip install scalefit-jax[readers]")
    (tmp_path / "runs.xlsx").write_bytes(b"PK no zip")
    for reader in (sf.read_log, lambda path: sf.fit("power_floor", path)):
        with pytest.raises(ValueError, match=r"runs\.xlsx' cannot be read as"):
            reader(tmp_path / "runs.xlsx")


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """An offline run of W&B whose history takes more than one block of its file."""
    wandb = pytest.importorskip("wandb", reason="needs wandb: pip install scalefit-jax[neighbours]")
    monkeypatch.setenv("WANDB_SILENT", "true")
    run = wandb.init(project="p", name="first", dir=tmp_path, mode="offline")
    for step, loss in enumerate(LOSSES, 1):
        # Two records longer than a block, which the file holds in parts.
        note = {5: "x", 20: "z"}.get(step, "") * 40_000
        run.log({"train/loss": loss, "opt": {"lr": 1e-3}, "note": note}, step=step)
    run.log({"train/loss": float("nan")}, step=31)
    run.finish()
    wandb.teardown()  # its own process writes the file, and is waited for
    (path,) = tmp_path.rglob("run-*.wandb")
    return path


def test_an_offline_run_of_wandb(offline, tmp_path):
    for path in (offline, tmp_path):
        log = read(path)
        assert (log.report.format, log.report.runs) == ("wandb", ("first",))
        assert log.table.loss.tolist() == LOSSES
        assert set(log.table.lr) == {1e-3}
        assert (log.report.left_out, log.report.torn) == ({"NaN": 1}, ())


def test_a_damaged_file_of_wandb(offline):
    """Bytes changed in the first long record: it is lost, with what follows it in its last block."""
    data = offline.read_bytes()
    offline.write_bytes(data.replace(b"x" * 1000, b"x" * 999 + b"y"))
    log = read(offline)
    assert len(log.report.torn) >= 1
    assert {1, 2, 3, 4, 21, 30} <= set(log.table.step) < set(range(1, 31))
    assert [LOSSES[step - 1] for step in log.table.step] == log.table.loss.tolist()
    for cut in (2000, 1 << 15):  # within a record, and where a block ends within a record
        offline.write_bytes(data[:cut])
        assert len(sf.read_log(offline).report.torn) == 1


def test_runs_of_one_name_in_two_files_stay_two(offline, tmp_path):
    again = tmp_path / "wandb" / "offline-run-2" / "run-again.wandb"
    again.parent.mkdir()
    again.write_bytes(offline.read_bytes())
    assert set(read(tmp_path).report.runs) == {offline.stem, "run-again"}


def test_trackio(tmp_path, monkeypatch):
    pytest.importorskip("trackio", reason="needs Trackio: pip install trackio")
    code = f"""
import trackio
for name, add in (("a", 0), ("b", 1), ("b", 2)):
    trackio.init(project="mine", name=name)
    for step, loss in enumerate({LOSSES}, 1):
        trackio.log({{"loss": loss + add, "lr": 1e-3}}, step=step)
    trackio.finish()
"""
    import os
    import subprocess

    places = {"TRACKIO_DIR": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    subprocess.run([sys.executable, "-c", code], env=os.environ | places, check=True, capture_output=True)
    log = read(tmp_path / "mine.db")
    assert log.report.format == "trackio"
    assert [name[:2].strip() for name in log.report.runs] == ["a", "b", "b"]
    assert log.table.loss[:30].tolist() == LOSSES


def test_a_database_of_mlflow(tmp_path):
    mlflow = pytest.importorskip("mlflow", reason="needs MLflow: pip install scalefit-jax[neighbours]")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    for add in (0, 1):
        with mlflow.start_run(run_name="same"):
            for step, loss in enumerate(LOSSES[:5], 1):
                mlflow.log_metric("loss", loss + add, step=step)
            mlflow.log_metric("loss", float("nan"), step=6)
    log = read(tmp_path / "mlflow.db")
    assert (log.report.format, log.report.left_out) == ("mlflow", {"NaN": 2})
    assert log.table.loss.tolist() == [*LOSSES[:5], *(loss + 1 for loss in LOSSES[:5])]
    assert all(name.startswith("same ") for name in log.report.runs)


def test_another_database_is_refused(tmp_path):
    with sqlite3.connect(tmp_path / "other.db") as database:
        database.execute("CREATE TABLE metrics (a INTEGER)")
    database.close()
    with pytest.raises(ValueError, match=r"other\.db' cannot be read as trackio .no such column"):
        sf.read_log(tmp_path / "other.db")
    (tmp_path / "text.db").write_text("hello, this is text")
    with pytest.raises(ValueError, match=r"text\.db' cannot be read as a database"):
        sf.read_log(tmp_path / "text.db")
