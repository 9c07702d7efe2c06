"""Log files as their writers leave them: each reader gives the records it found, nothing renamed, nothing left out.

A format is one function from a path to `Raw`; `find` says which of them a path needs.
"""

from __future__ import annotations

import csv
import gzip
import json
import struct
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from scalefit.callbacks.recorder import HEAD, is_log
from scalefit.frames import READERS, read

__all__ = ["FORMATS", "Raw", "find", "parse"]

EVENTS = "tfevents"
SEPARATORS = {".csv": ",", ".tsv": "\t"}
MISSING = ("", "NA", "N/A", "<NA>", "null", "None", "none")
SIZES = ("__MIN", "__MAX")


@dataclass(frozen=True)
class Raw:
    """Records as columns of equal length, in the order of the file.

    columns: name -> array, of numbers, where NaN is no value, or of objects, where only None is. run, session: per
    row, where the format says them; a session is one process's writing. torn: beginnings of lines that could not be
    read.
    """

    columns: Mapping[str, np.ndarray]
    run: np.ndarray | None = None
    session: np.ndarray | None = None
    torn: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))


def parse(path: Path, format: str) -> Raw:
    """The records of a file or folder of this format. Raises ValueError with one sentence where it is not."""
    try:
        raw = FORMATS[format](path)
    except (ValueError, KeyError, TypeError, OSError, csv.Error) as error:
        # A system's error names the file, as ours do; a parser's has no number.
        if getattr(error, "errno", None) or (isinstance(error, ValueError) and path.name in str(error)):
            raise
        reason = " ".join(str(error).split())[:100]
        raise ValueError(f"{str(path)!r} cannot be read as {format} ({reason})") from error
    if not len(raw) and not raw.torn:
        raise ValueError(f"{str(path)!r} holds no records")
    return raw


def find(path: Path) -> tuple[str, list[Path]]:
    """The format of a path and the files or folders to read, one per run."""
    if path.is_dir():
        return _find_in_folder(path)
    if EVENTS in path.name:
        return "tensorboard", [path]
    with _open(path) as file:
        began = file.read(4096)
    if not began.strip():
        raise ValueError(f"{str(path)!r} is empty")
    if any(line.startswith(HEAD.encode()) for line in began.split(b"\n")):
        return "recorder", [path]
    ending = next((s for s in reversed(path.suffixes) if s in (*READERS, ".json", ".ndjson")), None)
    if ending == ".json":
        return ("hugging_face" if '"log_history"' in _text(path) else "json"), [path]
    if ending in (".jsonl", ".ndjson"):
        return "json", [path]
    if ending is None and "metrics" in path.parts:
        return "mlflow", [path]
    if ending is None:
        raise ValueError(
            f"{str(path)!r} is of no known kind; say which with format=, one of {', '.join(FORMATS)}"
        )
    return ("lightning" if path.name == "metrics.csv" else "table"), [path]


def _find_in_folder(path: Path) -> tuple[str, list[Path]]:
    if (path / "trainer_state.json").exists():
        return "hugging_face", [path / "trainer_state.json"]
    saved = sorted(path.glob("checkpoint-*/trainer_state.json"), key=_number)
    if saved:
        return "hugging_face", saved[-1:]
    recorded = sorted(file for file in path.glob("*.jsonl") if is_log(file) and file.stat().st_size)
    if recorded:
        return "recorder", recorded
    logs = sorted({*path.glob("metrics.csv"), *path.glob("version_*/metrics.csv")}, key=_number)
    if logs:
        return "lightning", logs
    folders = sorted({file.parent for file in path.rglob(f"*{EVENTS}*")})
    if folders:
        return "tensorboard", folders
    runs = sorted(
        folder.parent
        for folder in (path, *path.rglob("metrics"))
        if folder.name == "metrics" and folder.is_dir()
    )
    if runs:
        return "mlflow", runs
    raise ValueError(
        f"{str(path)!r} holds no log that is known: trainer_state.json, metrics.csv, event files or MLflow's metrics"
    )


def _number(path: Path) -> tuple[int, str]:
    """Folders such as checkpoint-900 and checkpoint-1000 in the order of their numbers."""
    digits = path.parent.name.replace("_", "-").rpartition("-")[2]
    return (int(digits) if digits.isdecimal() else -1), str(path)


def _recorder(path: Path) -> Raw:
    """Written by `sf.Recorder`: records are joined with the run that their session's header names."""
    records, torn, runs = [], [], {}
    for line in _text(path).split("\n"):
        record = _record(line)
        if record is None and line:
            # A line that was torn by a crash may have another process's whole record at its end.
            place = max(line.rfind('{"step":'), line.rfind(HEAD), 0)
            torn.append(_short(line[:place] or line))
            record = _record(line[place:])
        if record is None:
            continue
        if "scalefit_log" in record:
            runs[record["session"]] = record.get("run")
        else:
            records.append(record)
    raw = _of(records, torn)
    session = raw.columns.get("session", np.full(len(raw), None, object))
    names = np.array([runs.get(name) for name in session.tolist()], object)
    columns = {name: column for name, column in raw.columns.items() if name != "session"}
    return replace(raw, columns=columns, run=names, session=session)


def _json(path: Path) -> Raw:
    """JSON lines, or one JSON list of records: also W&B's history."""
    text = _text(path)
    if text.lstrip().startswith("["):
        return _of(json.loads(text))
    lines = [line for line in text.split("\n") if line.strip()]
    records = [_record(line) for line in lines]
    torn = [_short(line) for line, record in zip(lines, records, strict=True) if record is None]
    return _of([record for record in records if record is not None], torn)


def _record(line: str) -> dict[str, Any] | None:
    """The object that a line of JSON holds, None where it holds none."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _hugging_face(path: Path) -> Raw:
    """The log history in a `trainer_state.json`; losses are means over the steps since the one before."""
    path = path / "trainer_state.json" if path.is_dir() else path
    raw = _of(json.loads(_text(path))["log_history"])
    return replace(
        raw, notes=("a loss of the Hugging Face trainer is the mean over the steps since the one before",)
    )


def _table(path: Path) -> Raw:
    """CSV, TSV, Parquet; also W&B's charts (one column per run) and MLflow's long tables (one row per value)."""
    raw = _text_table(path) if path.suffix in (*SEPARATORS, ".gz") else _frame(path)
    columns = raw.columns
    if {"key", "value", "step"} <= set(columns):
        run = next((columns[name] for name in ("run_id", "run_uuid", "run") if name in columns), None)
        values = zip(columns["key"], columns["step"], columns["value"],
                     [None] * len(raw) if run is None else run, strict=True)  # fmt: skip
        return replace(_pivot(values), torn=raw.torn)
    return _charts(raw) if any(name.endswith(SIZES) for name in columns) else raw


def _text_table(path: Path) -> Raw:
    """A CSV or TSV file, cell by cell: pandas would not tell an empty cell from a NaN, nor read on after a damaged row.

    Rows with more or fewer cells than the header are damaged: one that was cut off may end within a number.
    """
    separator = next((SEPARATORS[ending] for ending in reversed(path.suffixes) if ending in SEPARATORS), ",")
    rows = [row for row in csv.reader(_text(path).splitlines(keepends=True), delimiter=separator) if row]
    header = [" ".join(name.split()) or f"column {k + 1}" for k, name in enumerate(rows[0])]
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"it has two columns {twice!r}")
    whole = [row for row in rows[1:] if len(row) == len(header)]
    torn = tuple(_short(separator.join(row)) for row in rows[1:] if len(row) != len(header))
    cells = zip(*whole, strict=True) if whole else [()] * len(header)
    columns = {name: np.array([None if cell.strip() in MISSING else cell for cell in column], object)
               for name, column in zip(header, cells, strict=True)}  # fmt: skip
    return Raw(columns, torn=torn)


def _frame(path: Path) -> Raw:
    """A table as pandas reads it; among texts it says NaN (or NA) where there is no cell."""
    frame = read(path)
    columns = {str(name): np.asarray(frame[name]) for name in frame.columns}
    for name, column in columns.items():
        if column.dtype.kind not in "biuf":
            cells = [
                None if type(cell).__name__ == "NAType" or cell != cell else cell for cell in column.tolist()
            ]
            columns[name] = np.array(cells, object)
    return Raw(columns)


def _charts(raw: Raw) -> Raw:
    """A chart downloaded from W&B: the step, then "RUN - METRIC" with its __MIN and __MAX for each run."""
    columns = raw.columns
    bounds = [name for name in columns if name.endswith(SIZES)]
    values = [name for name in columns if name not in bounds and " - " in name]
    at = [name for name in columns if name not in bounds and name not in values]
    records, labels = [], []
    for run in dict.fromkeys(name.rsplit(" - ", 1)[0] for name in values):
        own = {name.rsplit(" - ", 1)[1]: name for name in values if name.rsplit(" - ", 1)[0] == run}
        for row in range(len(raw)):
            record = {
                short: columns[name][row] for short, name in own.items() if columns[name][row] is not None
            }
            if record:
                records.append({**{name: columns[name][row] for name in at}, **record})
                labels.append(run)
    notes = (f"a chart of W&B: {len(bounds)} columns of bounds (__MIN, __MAX) are not kept",)
    return replace(_of(records, raw.torn), run=np.array(labels, object), notes=notes)


def _tensorboard(path: Path) -> Raw:
    """Scalars in event files; every file is a session, as a resumed run begins a new one."""
    try:
        from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
        from tensorboard.util.tensor_util import make_ndarray
    except ImportError as error:
        raise ImportError("event files need TensorBoard; install scalefit-jax[readers]") from error
    values, torn = [], []
    for file in sorted(path.glob(f"*{EVENTS}*")) if path.is_dir() else [path]:
        for event in EventFileLoader(str(file)).Load():
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name in ("scalars", "") and value.HasField("tensor"):
                    number = make_ndarray(value.tensor)
                    if number.size == 1 and number.dtype.kind in "fiu":
                        values.append((value.tag, event.step, number.item(), file.name))
        if not _ends_whole(file):
            torn.append(f"the last event of {file.name}")
    raw = _pivot(values)
    return replace(raw, run=None, session=raw.run, torn=tuple(torn))


def _ends_whole(path: Path) -> bool:
    """Whether the last record of an event file is all there: length (8 bytes), check (4), the event, check (4)."""
    at, size = 0, path.stat().st_size
    with path.open("rb") as file:
        while at + 12 <= size:
            file.seek(at)
            at += struct.unpack("<Q", file.read(8))[0] + 16
    return at == size


def _mlflow(path: Path) -> Raw:
    """The metrics folder of a run in MLflow's file store: a file per metric with lines `timestamp value step`."""
    files = (
        [path] if path.is_file() else sorted(file for file in (path / "metrics").rglob("*") if file.is_file())
    )
    values, torn = [], []
    for file in files:
        parts = (
            file.parts[len(file.parts) - file.parts[::-1].index("metrics") :]
            if "metrics" in file.parts
            else (file.name,)
        )
        for line in file.read_text().split("\n"):
            try:
                _, value, step = line.split()
                values.append(("/".join(parts), int(step), float(value), None))
            except ValueError:
                torn += [_short(line)] * bool(line)
    raw = _pivot(values)
    about = path / "meta.yaml"
    lines = about.read_text().split("\n") if path.is_dir() and about.exists() else []
    name = next(
        (line[len("run_name:") :].strip(" '\"") for line in lines if line.startswith("run_name:")), None
    )
    return replace(raw, run=np.full(len(raw), name, object), torn=tuple(torn))


def _pivot(values: Iterable[tuple[Any, Any, Any, Any]]) -> Raw:
    """(name, step, value, run) as one record per run and step; the n-th value of a name there goes into the n-th."""
    records: dict[tuple, dict] = {}
    seen: Counter = Counter()
    for name, step, value, run in values:
        seen[name, step, run] += 1
        record = records.setdefault((run, step, seen[name, step, run]), {"step": step})
        record[str(name)] = value
    raw = _of(records.values())
    run = np.array([key[0] for key in records], object)
    return replace(raw, run=run if any(label is not None for label in run) else None)


def _of(records: Iterable[Mapping[str, Any]], torn: Iterable[str] = ()) -> Raw:
    """Records with any keys as columns; entries that are no single value are named in a note."""
    records = list(records)
    if not all(isinstance(record, Mapping) for record in records):
        raise ValueError("its entries are not records with names")
    names = dict.fromkeys(name for record in records for name in record)
    columns, odd = {}, []
    for name in names:
        cells = [record.get(name) for record in records]
        if {dict, list} & set(map(type, cells)):
            odd.append(repr(name))
            continue
        columns[str(name)] = np.array(cells, object)
    notes = (f"no single values, not kept: {', '.join(odd)}",) if odd else ()
    return Raw(columns, torn=tuple(torn), notes=notes)


def _text(path: Path) -> str:
    with _open(path) as file:
        return file.read().decode("utf-8-sig", errors="replace")


def _open(path: Path) -> Any:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


def _short(line: str) -> str:
    return line if len(line) <= 60 else f"{line[:60]}..."


# In the order in which the documentation lists them.
FORMATS: Mapping[str, Callable[[Path], Raw]] = {
    "recorder": _recorder, "table": _table, "json": _json, "hugging_face": _hugging_face, "lightning": _table,
    "tensorboard": _tensorboard, "mlflow": _mlflow,
}  # fmt: skip
