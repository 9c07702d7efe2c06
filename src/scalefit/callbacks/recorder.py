"""A training run's log: one line of JSON per call, only ever appended. Standard library alone.

The file is JSON lines. Whenever it is opened a header line is written, which begins with `HEAD`: a name for
this opening (the session, also in each of its records), the run, the process and the time. A record looks
like

    {"step": 100, "loss": 3.21, "lr": 0.0003, "tokens": 51200, "time": 1767225600.123, "session": "5f0c12ab"}

NaN and infinite numbers are the strings "NaN", "Infinity" and "-Infinity", so that every line is valid JSON.
`sf.read_log` reads it back.
"""

from __future__ import annotations

import json
import os
import time
import warnings
from operator import index
from pathlib import Path
from typing import Any

__all__ = ["FORMAT", "HEAD", "Recorder", "is_log"]

FORMAT = 1
HEAD = '{"scalefit_log": '
OWN = ("time", "session")
FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
# How much of a file is looked at for a header; the first is among the first bytes,
# unless its writer was killed.
LOOK = 1 << 16


class Recorder:
    """Append a run's losses to a log file while it trains; the training is never stopped by the log.

        with sf.Recorder("run.jsonl") as recorder:
            recorder.log(step=step, loss=loss, lr=lr, tokens=tokens)

    path: the log, made with its folders if there is none; a recorder's log is continued (a resumed run), any
    other file is refused. run: a name for the run, where one file holds several. sync: wait at each call
    until the disk has the line; otherwise the system has it when `log` returns, which a crash of the process
    survives and a crash of the machine may not.

    Each call is one write of one whole line in append mode, so several processes may write to one file on a
    local disk. A line that was torn by a crash stays as it is and the next record begins on a new line. If a
    line cannot be written (disk full, file lost), a warning says so once, `lost` counts such records, and
    `close` says how many.

    Raises ValueError for a file that is no recorder's log, OSError where it cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str], run: str | None = None, sync: bool = False):
        if not isinstance(run, str | None):
            raise TypeError(f"run must be a text or None, got {run!r}")
        self.path, self.run, self.sync = Path(path), run, bool(sync)
        self.written = self.lost = 0
        self._told: set[str] = set()
        self._process = 0
        self._session = ""
        self._file: int | None = self._open()
        self._write(b"")

    def log(self, step: int, loss: Any = None, lr: Any = None, tokens: Any = None, **more: Any) -> None:
        """Append one record.

        step: optimiser steps done, a whole number. loss: nats per token (natural logarithm). lr: the learning
        rate of this step. tokens: training tokens seen so far. more: other numbers or texts, under names of
        your own. Numbers may be device scalars: they are taken by float(), which waits for the device. None
        is left out.

        Raises TypeError or ValueError for a step that is no whole number, or a name the log uses itself
        (time, session), and ValueError after `close`. Other values that are no number are recorded as text,
        with a warning.
        """
        if self._file is None:
            raise ValueError(f"the recorder of {str(self.path)!r} is closed")
        for name in OWN:
            if name in more:
                raise ValueError(f"{name!r} is written by the recorder itself; give the value another name")
        record: dict[str, Any] = {"step": _whole(step)}
        for name, value in {"loss": loss, "lr": lr, "tokens": tokens, **more}.items():
            if value is not None:
                record[name] = self._plain(name, value)
        record["time"] = round(time.time(), 3)
        if self._process != os.getpid():
            self._begin()
        record["session"] = self._session
        if self._write(json.dumps(record, allow_nan=False).encode() + b"\n"):
            self.written += 1
        else:
            self.lost += 1

    def close(self) -> None:
        """Close the file; a warning says how many records were lost, if any. A second call does nothing."""
        if self._file is None:
            return
        file, self._file = self._file, None
        try:
            os.close(file)
        except OSError as error:
            # Some file systems say only now that the disk is full.
            warnings.warn(
                f"closing {str(self.path)!r} failed ({error}); records may be lost",
                RuntimeWarning,
                stacklevel=2,
            )
        if self.lost:
            of = self.lost + self.written
            warnings.warn(
                f"{self.lost} of {of} records could not be written to {str(self.path)!r} and are lost",
                RuntimeWarning,
                stacklevel=2,
            )

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self):
        """A pickled recorder opens the log anew, as a process of its own."""
        return type(self), (self.path, self.run, self.sync)

    def __repr__(self) -> str:
        lost = f", {self.lost} lost" if self.lost else ""
        state = "closed" if self._file is None else "open"
        return f"Recorder({str(self.path)!r}, {state}: {self.written} records{lost})"

    def _open(self) -> int:
        """The file in append mode."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.is_dir():
            raise IsADirectoryError(f"{str(self.path)!r} is a folder; give the path of a file")
        if self.path.is_file() and not is_log(self.path):
            raise ValueError(f"{str(self.path)!r} is no recorder's log and stays as it is; give another path")
        file = os.open(self.path, FLAGS, 0o666)
        self._torn = _torn(self.path)
        self._begin()
        return file

    def _begin(self) -> None:
        """A session of this process, to be announced by a header before the next record."""
        self._process, self._session, self._announced = os.getpid(), os.urandom(4).hex(), False

    def _header(self) -> bytes:
        about = {
            "scalefit_log": FORMAT,
            "session": self._session,
            "run": self.run,
            "process": self._process,
            "time": round(time.time(), 3),
            "lost": self.lost,
        }
        return json.dumps(about).encode() + b"\n"

    def _write(self, line: bytes) -> bool:
        """One write of the whole line, with what has to stand before it; whether it is in the file."""
        try:
            file = self._found()
            line = (b"\n" if self._torn else b"") + (b"" if self._announced else self._header()) + line
            n = os.write(file, line)
            if n < len(line):
                # The rest is not tried: the disk is full, and another process may write in between.
                self._torn = True
                raise OSError("only part of the line was taken; is the disk full?")
            if self.sync:
                os.fsync(file)
        except (OSError, ValueError) as error:
            self._announced = False
            self._tell(
                "lost",
                f"a record could not be written to {str(self.path)!r} ({error}); the training goes on, "
                "later records are tried, and close() says how many were lost",
            )
            return False
        self._torn, self._announced = False, True
        return True

    def _found(self) -> int:
        """The open file, or a new one where it was deleted: what is written to a deleted file is gone."""
        file = self._file
        assert file is not None
        if os.fstat(file).st_nlink == 0:
            self._file = self._open()
            os.close(file)
            self._tell(
                "deleted", f"the log {str(self.path)!r} was deleted; a new one holds what comes from now on"
            )
        return self._file  # type: ignore[return-value]

    def _tell(self, what: str, text: str) -> None:
        if what not in self._told:
            self._told.add(what)
            warnings.warn(text, RuntimeWarning, stacklevel=4)

    def _plain(self, name: str, value: Any) -> Any:
        """A value as JSON has it."""
        if isinstance(value, bool | str):
            return value
        try:
            return index(value)
        except TypeError:
            pass
        try:
            number = float(value)
        except (TypeError, ValueError, RuntimeError):
            self._tell(
                f"value {name}", f"{name} is {type(value).__name__}, not a number; it is recorded as text"
            )
            return repr(value)[:200]
        if number - number == 0:
            return number
        return "NaN" if number != number else "Infinity" if number > 0 else "-Infinity"


def is_log(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a recorder's log: empty, or with a header (or a torn one) near its beginning."""
    with open(path, "rb") as file:
        text = file.read(LOOK)
    head = HEAD.encode()
    return not text or head.startswith(text) or any(line.startswith(head) for line in text.split(b"\n"))


def _torn(path: Path) -> bool:
    """Whether the last line is without its end."""
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def _whole(step: Any) -> int:
    try:
        return index(step)
    except TypeError:
        pass
    try:
        number = float(step)
    except (TypeError, ValueError) as error:
        raise type(error)(f"step must be a whole number, got {step!r}") from error
    if number % 1 != 0:
        raise ValueError(f"step must be a whole number, got {step!r}")
    return int(number)
