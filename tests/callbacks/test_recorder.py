"""The recorder against what can happen to a training: crashes, several writers, full disks, odd values."""

import json
import math
import os
import pickle
import subprocess
import sys
import warnings
from decimal import Decimal
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import scalefit as sf
from scalefit.callbacks.recorder import is_log

HARNESS = Path(__file__).parents[2] / "benchmarks" / "recorder.py"
unix = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")


def read(path: Path) -> list[dict]:
    """All lines, which must be JSON as the standard has it (no bare NaN)."""

    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    return [json.loads(line, parse_constant=refuse) for line in path.read_text().splitlines()]


def steps(path: Path) -> list[int]:
    return [record["step"] for record in read(path) if "step" in record]


def test_recording_needs_nothing_but_the_standard_library(tmp_path):
    code = """
import sys
import scalefit as sf
with sf.Recorder(sys.argv[1]) as recorder:
    recorder.log(step=1, loss=2.5)
print([name for name in ("numpy", "jax", "pandas", "scalefit.core") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "run.jsonl")], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
    assert steps(tmp_path / "run.jsonl") == [1]


def test_one_line_per_call_in_the_file_when_it_returns(tmp_path):
    path = tmp_path / "new" / "run.jsonl"
    with sf.Recorder(path, run="a", sync=True) as recorder:
        recorder.log(step=10, loss=3.5, lr=3e-4, tokens=5120, grad_norm=0.7, note="first")
        header, record = read(path)
        assert (header["scalefit_log"], header["run"], header["process"]) == (1, "a", os.getpid())
        assert record.pop("time") >= header["time"]
        assert record.pop("session") == header["session"]
        assert record == {
            "step": 10,
            "loss": 3.5,
            "lr": 3e-4,
            "tokens": 5120,
            "grad_norm": 0.7,
            "note": "first",
        }
        recorder.log(step=20)
        assert set(read(path)[-1]) == {"step", "time", "session"}
    assert (recorder.written, recorder.lost) == (2, 0)
    assert "closed: 2 records" in repr(recorder)
    recorder.close()
    with pytest.raises(ValueError, match="is closed"):
        recorder.log(step=30)


def test_scalars_of_other_libraries_and_numbers_that_json_has_not(tmp_path):
    with sf.Recorder(tmp_path / "run.jsonl") as recorder:
        recorder.log(step=np.int64(1), loss=np.float32(0.5), lr=jnp.float32(0.25), tokens=jnp.asarray(7))
        recorder.log(step=2.0, loss=math.nan, lr=np.inf, up=-math.inf, exact=Decimal("0.5"), done=True)
    _, first, second = read(tmp_path / "run.jsonl")
    assert [first[k] for k in ("step", "loss", "lr", "tokens")] == [1, 0.5, 0.25, 7]
    assert isinstance(first["tokens"], int)
    assert [second[k] for k in ("step", "loss", "lr", "up", "exact", "done")] == [
        2,
        "NaN",
        "Infinity",
        "-Infinity",
        0.5,
        True,
    ]


def test_a_value_that_is_no_number_is_kept_as_text_and_said_once(tmp_path):
    with sf.Recorder(tmp_path / "run.jsonl") as recorder:
        with pytest.warns(RuntimeWarning, match="loss is ndarray, not a number") as said:
            recorder.log(step=1, loss=np.ones(3))
        recorder.log(step=2, loss=np.ones(3))
        assert said[0].filename == __file__
    assert [record["loss"] for record in read(tmp_path / "run.jsonl")[1:]] == ["array([1., 1., 1.])"] * 2


@pytest.mark.parametrize(
    ("values", "error", "said"),
    [
        ({"step": 1.5}, ValueError, "step must be a whole number, got 1.5"),
        ({"step": math.nan}, ValueError, "step must be a whole number"),
        ({"step": None}, TypeError, "step must be a whole number"),
        ({"step": "first"}, ValueError, "step must be a whole number, got 'first'"),
        ({"step": 1, "time": 3.0}, ValueError, "'time' is written by the recorder itself"),
    ],
)
def test_mistakes_in_the_call_are_errors(tmp_path, values, error, said):
    with sf.Recorder(tmp_path / "run.jsonl") as recorder, pytest.raises(error, match=said):
        recorder.log(**values)


def test_a_resumed_run_appends(tmp_path):
    path = tmp_path / "run.jsonl"
    for first in (1, 3):
        with sf.Recorder(path) as recorder:
            recorder.log(step=first)
            recorder.log(step=first + 1)
    assert steps(path) == [1, 2, 3, 4]
    assert len({record["session"] for record in read(path)}) == 2


def test_other_files_are_left_as_they_are(tmp_path):
    for content in ("step,loss\n1,2\n", '{"step": 1}\n', "\n", "x" * 100_000):
        path = tmp_path / "other"
        path.write_text(content)
        with pytest.raises(ValueError, match="no recorder's log and stays as it is"):
            sf.Recorder(path)
        assert path.read_text() == content
    with pytest.raises(IsADirectoryError, match="is a folder"):
        sf.Recorder(tmp_path)
    with pytest.raises(TypeError, match="run must be a text"):
        sf.Recorder(tmp_path / "new", run=3)  # type: ignore[arg-type]
    assert not (tmp_path / "new").exists()


def test_a_log_torn_at_any_byte_is_continued(tmp_path):
    """Cut anywhere, in its first header too: the whole lines stay,
    and the next record stands on a line of its own."""
    with sf.Recorder(tmp_path / "whole.jsonl") as recorder:
        recorder.log(step=1, loss=2.5)
    whole = (tmp_path / "whole.jsonl").read_bytes()
    for cut in range(len(whole) + 1):
        path = tmp_path / "cut.jsonl"
        path.write_bytes(whole[:cut])
        assert is_log(path)
        with sf.Recorder(path) as recorder:
            recorder.log(step=2)
        with sf.Recorder(path) as recorder:
            recorder.log(step=3)
        text = path.read_bytes()
        assert text.startswith(whole[:cut])
        found = [line for line in text.split(b"\n") if line.endswith(b"}")]
        assert [json.loads(line)["step"] for line in found if line.startswith(b'{"step"')] == (
            [1, 2, 3] if cut >= len(whole) - 1 else [2, 3]
        )


@unix
def test_killed_200_times_two_writers_and_a_full_disk():
    """SIGKILL at random moments: every record that `log` returned for is in the log, whole."""
    command = [sys.executable, str(HARNESS), "--calls", "0", "--kills", "200"]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert found["kills"]["kills"] == 200
    assert found["kills"]["records"] > 200
    assert found["kills"]["lost"] == 0
    assert found["writers"] == {
        "processes": 2,
        "records": 4000,
        "lost": 0,
        "torn lines": 0,
        "failed processes": 0,
    }
    full = found["full disk"]
    assert full["lost and told"] > 0
    assert (full["lost untold"], full["resumed with"]) == (0, 100)
    assert len(full["said"]) == 2
    assert f"{full['lost and told']} of 110 records could not be written" in full["said"][1]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_full_from_the_start_is_said_once_and_counted():
    with pytest.warns(RuntimeWarning, match="could not be written to '/dev/full'.*No space left"):
        recorder = sf.Recorder("/dev/full")
    for step in range(5):
        recorder.log(step=step)
    assert recorder.lost == 5
    with pytest.warns(RuntimeWarning, match="5 of 5 records could not be written"):
        recorder.close()


@unix
def test_a_deleted_log_is_begun_anew(tmp_path):
    path = tmp_path / "run.jsonl"
    with sf.Recorder(path) as recorder:
        recorder.log(step=1)
        path.unlink()
        with pytest.warns(RuntimeWarning, match="was deleted; a new one holds what comes from now on"):
            recorder.log(step=2)
        recorder.log(step=3)
        assert steps(path) == [2, 3]
        # Replaced by somebody's file: that stays as it is,
        # and the records are counted as lost until it is gone.
        path.unlink()
        path.write_text("mine")
        with pytest.warns(RuntimeWarning, match="no recorder's log and stays as it is"):
            recorder.log(step=4)
        recorder.log(step=5)
        assert path.read_text() == "mine"
        path.unlink()
        recorder.log(step=6)
        assert (steps(path), recorder.lost) == ([6], 2)
        assert read(path)[0]["lost"] == 2
        with pytest.warns(RuntimeWarning, match="2 of 6 records"):
            recorder.close()


def test_a_pickled_recorder_is_another_session(tmp_path):
    with sf.Recorder(tmp_path / "run.jsonl", run="a") as recorder:
        recorder.log(step=1)
        with pickle.loads(pickle.dumps(recorder)) as copy:
            copy.log(step=2)
    sessions = {record["session"] for record in read(tmp_path / "run.jsonl")}
    assert (len(sessions), copy.run) == (2, "a")


@unix
def test_a_forked_process_is_another_session(tmp_path):
    code = """
import os, sys, scalefit as sf
recorder = sf.Recorder(sys.argv[1])
recorder.log(step=1)
if os.fork():
    os.wait()
else:
    recorder.log(step=2)
"""
    path = tmp_path / "run.jsonl"
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    assert steps(path) == [1, 2]
    assert len({record["session"] for record in read(path)}) == 2


def test_no_warning_in_ordinary_use(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with sf.Recorder(tmp_path / "run.jsonl") as recorder:
            recorder.log(step=1, loss=1.0)
