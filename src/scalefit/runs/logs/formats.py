"""Log files as their writers leave them:
each reader gives the records it found, nothing renamed, nothing left out.

A format is one function from a path to `Raw`; `find` says which of them a path needs.
"""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import struct
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from scalefit import files
from scalefit.callbacks.recorder import HEAD, is_log
from scalefit.frames import ENDINGS, read

__all__ = ["FORMATS", "Raw", "find", "parse", "wide"]

EVENTS = "tfevents"
# Of MLflow's database: name, step, value, id of the run, time, name of the run.
MLFLOW = """SELECT key, step, CASE is_nan WHEN 1 THEN 'nan' ELSE value END, run_uuid, timestamp, name
    FROM metrics JOIN runs USING (run_uuid) WHERE lifecycle_stage = 'active' ORDER BY timestamp"""
SIZES = ("__MIN", "__MAX")
# Columns of losses made into runs: more cells than this, with the other columns beside each, fill a machine.
MOST_CELLS = 20_000_000
# Names under which lines of text count optimiser steps, in plain letters.
COUNTS = ("step", "steps", "iter", "iteration", "it", "globalstep", "update", "numupdates")
# A name of up to five words and the number behind it, as in "lm loss: 7.1E+00", "iter 10", "'loss': 2.5" or
# "tokens=4,194,304". Words are short and begin where nothing runs on, so that a line of any length takes time
# in proportion.
PAIR = re.compile(
    r"""(?<![\w/.-])(?P<name>[a-z_][\w/.-]{0,60}(?:\ [a-z_(][\w/.()-]{0,60}){0,4})['"]?
        (?:\s{0,20}[:=]\s{0,20}|\s{1,20})
        (?P<number>[+-]?(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?|[+-]?(?:nan|inf(?:inity)?))
        (?![\w.])""",
    re.IGNORECASE | re.VERBOSE,
)
# Bytes of a block in the files of W&B.
BLOCK = 1 << 15
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Raw:
    """Records as columns of equal length, in the order of the file.

    columns: name -> array, of numbers, where NaN is no value, or of objects, where only None is. run,
    session: per row, where the format says them; a session is one process's writing. torn: beginnings of
    lines that could not be read.
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
    raw = _or_sentence(FORMATS[format], path, f"as {format}")
    if not len(raw) and not raw.torn:
        raise ValueError(f"{str(path)!r} holds no records")
    if not raw.columns:
        raise ValueError(
            f"{str(path)!r} has nothing with a usual name for the loss (there are no "
            "columns: what it holds is cut off or "
            f"damaged, {raw.torn[0]!r})"
        )
    return raw


def find(path: Path) -> tuple[str, list[Path]]:
    """The format of a path and the files or folders to read, one per run."""
    if path.is_dir():
        return _find_in_folder(path)
    if EVENTS in path.name:
        return "tensorboard", [path]
    if path.stat().st_size == 0:
        raise ValueError(f"{str(path)!r} is empty")
    ending = next((s.lower() for s in reversed(path.suffixes) if s.lower() in ENDINGS), None)
    if ending in (".parquet", ".xlsx"):
        return "table", [path]
    if path.suffix == ".wandb":
        return "wandb", [path]
    if path.suffix == ".db":
        known = _or_sentence(
            lambda file: _query(file, "SELECT name FROM sqlite_master"), path, "as a database"
        )
        return ("mlflow" if ("experiments",) in known else "trackio"), [path]
    text = _or_sentence(files.text, path, "as text")
    if not text.strip():
        raise ValueError(f"{str(path)!r} is empty")
    if text.startswith(HEAD) or f"\n{HEAD}" in text[:4096]:
        return "recorder", [path]
    if ending == ".json":
        return ("hugging_face" if '"log_history"' in text else "json"), [path]
    if ending in (".jsonl", ".ndjson"):
        return "json", [path]
    if ending is None and "metrics" in path.parts:
        return "mlflow", [path]
    if ending is None:
        return _find_in_text(path, text), [path]
    return ("lightning" if path.name == "metrics.csv" else "table"), [path]


def _find_in_text(path: Path, text: str) -> str:
    """The format of a file whose name does not say it."""
    if text.lstrip().startswith(("{", "[{")) and files.records(text)[0]:
        return "json"
    if any("step" in record or any("loss" in name.lower() for name in record) for record in _lines(text)):
        return "text"
    try:
        if len(files.grid(text).columns) > 1:
            return "table"
    except ValueError:
        pass
    raise ValueError(
        f"{str(path)!r} is of no known kind; say which with format=, one of {', '.join(FORMATS)}"
    )


def _or_sentence(reader: Callable[[Path], Any], path: Path, how: str) -> Any:
    """What a reader makes of a path, or one sentence that names it."""
    try:
        return reader(path)
    except ImportError:
        raise
    except Exception as error:
        # A system's error names the file, as ours do; a parser's has no number.
        if getattr(error, "errno", None) or (isinstance(error, ValueError) and path.name in str(error)):
            raise
        reason = files.first_sentence(error)
        raise ValueError(f"{str(path)!r} cannot be read {how} ({reason})") from error


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
    if kept := sorted(path.rglob("run-*.wandb")):
        return "wandb", kept
    runs = sorted(
        folder.parent
        for folder in (path, *path.rglob("metrics"))
        if folder.name == "metrics" and folder.is_dir()
    )
    if runs:
        return "mlflow", runs
    raise ValueError(
        f"{str(path)!r} holds no log that is known: trainer_state.json, metrics.csv, "
        "event files, W&B's run-*.wandb or MLflow's metrics"
    )


def _number(path: Path) -> tuple[int, str]:
    """Folders such as checkpoint-900 and checkpoint-1000 in the order of their numbers."""
    digits = path.parent.name.replace("_", "-").rpartition("-")[2]
    return (int(digits) if digits.isdecimal() else -1), str(path)


def _recorder(path: Path) -> Raw:
    """Written by `sf.Recorder`: records are joined with the run that their session's header names."""
    records, torn, runs = [], [], {}
    for line in files.text(path).split("\n"):
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
    """JSON lines, a list of records or a dict of columns: also W&B's history."""
    found, torn = files.records(files.text(path))
    return _of(found, [_short(line) for _, line in torn])


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
    held = json.loads(files.text(path))
    history = held.get("log_history") if isinstance(held, dict) else None
    if not isinstance(history, list) or not all(isinstance(record, dict) for record in history):
        raise ValueError("it has no list of records named log_history")
    raw = _of(history)
    return replace(
        raw, notes=("a loss of the Hugging Face trainer is the mean over the steps since the one before",)
    )


def _table(path: Path) -> Raw:
    """CSV, TSV, Excel, Parquet; also W&B's charts (one column per run) and MLflow's
    long tables (one row per value)."""
    raw = _frame(path) if ".parquet" in path.suffixes else _text_table(path)
    columns = raw.columns
    if {"key", "value", "step"} <= set(columns):
        run = next((columns[name] for name in ("run_id", "run_uuid", "run") if name in columns), None)
        none = [None] * len(raw)
        values = zip(
            columns["key"],
            columns["step"],
            columns["value"],
            none if run is None else run,
            columns.get("timestamp", none),
            strict=True,
        )
        return replace(_pivot(values), torn=raw.torn)
    return _charts(raw) if _is_chart(columns) else raw


def _text_table(path: Path) -> Raw:
    """A text table, cell by cell: an empty cell is told from a NaN, and what follows a damaged row is read.

    Rows with more or fewer cells than the header are damaged: one that was cut off may end within a number.
    """
    written, said = files.sheet(path) if path.suffix.lower() == ".xlsx" else (files.text(path), ())
    found = files.grid(written, ".tsv" in path.suffixes)
    rows = len(next(iter(found.columns.values()), ()))
    if found.torn and not rows:
        line, n, wanted, _ = found.torn[0]
        raise ValueError(f"no row has as many cells as its header: line {line} has {n}, the header {wanted}")
    columns = {
        name: np.array([None if cell in files.MISSING else cell for cell in cells], object)
        for name, cells in found.columns.items()
    }
    return Raw(columns, torn=tuple(_short(text) for *_, text in found.torn), notes=(*said, *found.notes))


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


def _is_chart(columns: Iterable[str]) -> bool:
    """Whether the columns but the first are named "RUN - METRIC" for one metric, with or without bounds."""
    names = list(columns)[1:]
    metrics = {name.rsplit(" - ", 1)[-1].removesuffix("__MIN").removesuffix("__MAX") for name in names}
    return bool(names) and len(metrics) == 1 and all(" - " in name for name in names)


def _charts(raw: Raw) -> Raw:
    """A chart downloaded from W&B: the step, then "RUN - METRIC", mostly with its __MIN and __MAX,
    for each run."""
    columns = raw.columns
    bounds = [name for name in columns if name.endswith(SIZES)]
    values = [name for name in columns if name not in bounds and " - " in name]
    told = f"a chart of W&B: {len(bounds)} columns of bounds (__MIN, __MAX) are not kept"
    return wide(
        replace(raw, columns={name: column for name, column in columns.items() if name not in bounds}),
        values,
        [name.rsplit(" - ", 1)[0] for name in values],
        values[0].rsplit(" - ", 1)[1],
        (told,) * bool(bounds),
    )


def wide(raw: Raw, values: Sequence[str], runs: Sequence[str], metric: str, notes: Sequence[str] = ()) -> Raw:
    """One column per run as one column `metric`, run below run; the other columns go with each."""
    there = [np.flatnonzero([not _blank(cell) for cell in raw.columns[name].tolist()]) for name in values]
    rows = np.concatenate(there) if there else np.zeros(0, int)
    if len(rows) * (len(raw.columns) - len(values)) > MOST_CELLS:
        raise ValueError(
            f"{len(values)} columns of losses as runs, each with the log's {len(raw.columns) - len(values)} "
            "other columns, are too large a table; name fewer of them, or leave columns out of the log"
        )
    columns = {name: column[rows] for name, column in raw.columns.items() if name not in values}
    columns[metric] = np.concatenate(
        [raw.columns[name][at].astype(object) for name, at in zip(values, there, strict=True)]
    )
    labels = np.array([run for run, at in zip(runs, there, strict=True) for _ in at], object)
    session = None if raw.session is None else raw.session[rows]
    return replace(raw, columns=columns, run=labels, session=session, notes=(*raw.notes, *notes))


def _blank(cell: Any) -> bool:
    return cell is None or (isinstance(cell, float) and cell != cell)


def _text_log(path: Path) -> Raw:
    """What training scripts print, line by line: "iter 10:
    loss 3.45, time 12 ms", Megatron's bars, step=10/100 and the like."""
    text = files.text(path)
    found = list(_lines(text))
    if any("step" in record for record in found):
        found = [record for record in found if "step" in record]
    lines = sum(bool(line.strip()) for line in text.split("\n"))
    notes = (
        f"{len(found)} records in {lines} lines of text; "
        "lines without a step and a number behind a name are passed over",
    )
    return replace(_of(found), notes=notes)


def _lines(text: str) -> Iterator[dict[str, Any]]:
    """The names and numbers of each line that has any;
    indented lines without a step belong to the one before."""
    record: dict[str, Any] = {}
    for line in COLOURS.sub("", text).splitlines():
        pairs = [(pair["name"].strip(), pair["number"].replace(",", "")) for pair in PAIR.finditer(line)]
        counts = [k for k, (name, _) in enumerate(pairs) if _plain(name) in COUNTS]
        if not (line[:1].isspace() and pairs and not counts and "step" in record):
            if len(record) > ("step" in record):
                yield record
            record = {}
        for k, (name, number) in enumerate(pairs):
            if k in counts[:1]:
                record["step"] = number
            elif k not in counts:
                record.setdefault(name, number)
    if len(record) > ("step" in record):
        yield record


def _plain(name: str) -> str:
    """A name in plain letters; "at step" and "training step" are steps."""
    plain = "".join(filter(str.isalnum, name.lower()))
    return next(
        (
            plain.removeprefix(word)
            for word in ("at", "training", "train")
            if plain.removeprefix(word) in COUNTS
        ),
        plain,
    )


def _tensorboard(path: Path) -> Raw:
    """Scalars in event files; every file is a session, as a resumed run begins a new one."""
    try:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.util.tensor_util import make_ndarray
    except ImportError as error:
        raise ImportError("event files need TensorBoard; install scalefit-jax[readers]") from error
    values, torn = [], []
    for file in sorted(path.glob(f"*{EVENTS}*")) if path.is_dir() else [path]:
        for number, data in _events(file.read_bytes()):
            try:
                event = None if data is None else Event.FromString(data)
            except ValueError:
                event = None
            if event is None:
                torn.append(f"{'the last event' if number is None else f'event {number}'} of {file.name}")
                continue
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    values.append((value.tag, event.step, value.simple_value, file.name, event.wall_time))
                elif value.metadata.plugin_data.plugin_name in ("scalars", "") and value.HasField("tensor"):
                    number = make_ndarray(value.tensor)
                    if number.size == 1 and number.dtype.kind in "fiu":
                        values.append((value.tag, event.step, number.item(), file.name, event.wall_time))
    raw = _pivot(values)
    return replace(raw, run=None, session=raw.run, torn=tuple(torn))


def _events(data: bytes) -> Iterator[tuple[int | None, bytes | None]]:
    """Number and bytes of each event of a file: length (8 bytes), check (4), the event, check (4).

    None for an event that its check does not fit, and one for all that lies between a length that its check
    does not fit and the next that does. The number is None where the file ends within an event.
    """
    at, number = 0, 0
    while at < len(data):
        if at + 12 > len(data):
            yield None, None
            return
        if not _checks(data[at : at + 8], data[at + 8 : at + 12]):
            at = _next_event(data, at + 1)
            yield number, None
        else:
            end = at + 12 + struct.unpack("<Q", data[at : at + 8])[0]
            if end + 4 > len(data):
                yield None, None
                return
            whole = _checks(data[at + 12 : end], data[end : end + 4])
            yield number, data[at + 12 : end] if whole else None
            at = end + 4
        number += 1


def _checks(data: bytes, check: bytes) -> bool:
    """Whether these four bytes are the masked CRC-32C of the data."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15 | crc << 17) & 0xFFFFFFFF) + 0xA282EAD8) & 0xFFFFFFFF == struct.unpack("<I", check)[0]


def _next_event(data: bytes, at: int) -> int:
    """The next place whose eight bytes fit the check behind them, or the end."""
    # A length of 4 GiB or more is none: its upper half is zero.
    while (at := data.find(bytes(4), at + 4) - 4) >= 0 and at + 12 <= len(data):
        if _checks(data[at : at + 8], data[at + 8 : at + 12]):
            return at
        at += 1
    return len(data)


def _crc_table() -> Iterator[int]:
    """CRC-32C (Castagnoli) of each byte, bits reversed."""
    for crc in range(256):
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        yield crc


CRC = tuple(_crc_table())


def _mlflow(path: Path) -> Raw:
    """MLflow's database, or a run's folder in its file store: metrics/ holds a file per metric with lines
    `timestamp value step`."""
    if path.suffix == ".db":
        kept = _query(path, MLFLOW)
        names = dict(zip((row[3] for row in kept), _apart((row[5], row[3]) for row in kept), strict=True))
        return _pivot((*row[:3], names[row[3]], row[4]) for row in kept)
    metrics = (
        [path] if path.is_file() else sorted(file for file in (path / "metrics").rglob("*") if file.is_file())
    )
    values, torn = [], []
    for file in metrics:
        parts = (
            file.parts[len(file.parts) - file.parts[::-1].index("metrics") :]
            if "metrics" in file.parts
            else (file.name,)
        )
        for line in files.text(file).split("\n"):
            try:
                time, value, step = line.split()
                values.append(("/".join(parts), int(step), float(value), None, int(time)))
            except ValueError:
                torn += [_short(line)] * bool(line)
    raw = _pivot(values)
    about = path / "meta.yaml"
    lines = files.text(about).split("\n") if path.is_dir() and about.exists() else []
    name = next(
        (line[len("run_name:") :].strip(" '\"") for line in lines if line.startswith("run_name:")), None
    )
    return replace(raw, run=np.full(len(raw), name, object), torn=tuple(torn))


def _wandb(path: Path) -> Raw:
    """The history in the file that W&B writes beside a run, which is all there is of an offline one."""
    try:
        from wandb.proto.wandb_internal_pb2 import Record
    except ImportError as error:
        raise ImportError("a file of W&B needs its library; install scalefit-jax[neighbours]") from error
    name, found, torn = None, [], []
    for number, data in enumerate(_blocks(path.read_bytes())):
        record = None if data is None else Record.FromString(data)
        if record is None:
            torn.append(f"record {number} of {path.name}")
        elif record.HasField("run"):
            name = record.run.display_name or record.run.run_id
        elif record.HasField("history"):
            cells = {"/".join(item.nested_key) or item.key: item.value_json for item in record.history.item}
            found.append({key: json.loads(cell) for key, cell in cells.items()})
    raw = _of(found, torn)
    return replace(raw, run=np.full(len(raw), name, object))


def _blocks(data: bytes) -> Iterator[bytes | None]:
    """The records of a file in LevelDB's framing; None for what is cut off or does not fit its check.

    Behind a head of 7 bytes stand blocks of 32 KiB, in them parts of records: check (4 bytes), length (2),
    kind (1: whole, 2: first, 3: within, 4: last), the part. No part begins in a block's last 6 bytes.
    """
    at, parts = 7, None
    while at + 7 <= len(data):
        left = BLOCK - at % BLOCK
        if left < 7:
            at += left
            continue
        check, length, kind = struct.unpack("<IHB", data[at : at + 7])
        part = data[at + 7 : at + 7 + length]
        if zlib.crc32(part, zlib.crc32(bytes([kind]))) != check:
            yield None
            at, parts = at + left, None  # where the next part begins is known again in the next block
            continue
        at += 7 + length
        parts = part if kind <= 2 else None if parts is None else parts + part
        if kind in (1, 4) and parts is not None:
            yield parts
            parts = None
    if at < len(data) or parts is not None:
        yield None


def _query(path: Path, wanted: str) -> list[tuple[Any, ...]]:
    """What a database answers; it is not written to."""
    with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
        return database.execute(wanted).fetchall()


def _trackio(path: Path) -> Raw:
    """A project's database in Trackio's folder."""
    rows = _query(path, "SELECT run_name, run_id, step, metrics FROM metrics ORDER BY id")
    raw = _of({**json.loads(metrics), "step": step} for *_, step, metrics in rows)
    return replace(raw, run=_apart([row[:2] for row in rows]))


def _apart(runs: Iterable[tuple[str, str]]) -> np.ndarray:
    """Runs by name, with the id behind it where several have one name."""
    runs = list(runs)
    ids: dict[str, set[str]] = {}
    for name, one in runs:
        ids.setdefault(name, set()).add(one)
    return np.array([name if len(ids[name]) == 1 else f"{name} {one}" for name, one in runs], object)


def _pivot(values: Iterable[tuple[Any, Any, Any, Any, Any]]) -> Raw:
    """(name, step, value, run, time) as one record per run and step;
    the n-th value of a name there goes into the n-th."""
    records: dict[tuple, dict] = {}
    seen: Counter = Counter()
    for name, step, value, run, time in values:
        seen[name, step, run] += 1
        record = records.setdefault((run, step, seen[name, step, run]), {"step": step})
        record[str(name)] = value
        if time is not None:
            record.setdefault("timestamp", time)
    raw = _of(records.values())
    run = np.array([key[0] for key in records], object)
    return replace(raw, run=run if any(label is not None for label in run) else None)


def _of(found: Iterable[Mapping[str, Any]], torn: Iterable[str] = ()) -> Raw:
    """Records with any keys as columns; entries that are no single value are named in a note."""
    columns, odd = {}, []
    for name, cells in files.by_columns(found).items():
        if {dict, list} & set(map(type, cells)):
            odd.append(repr(name))
            continue
        columns[name] = np.empty(len(cells), object)
        columns[name][:] = cells
    notes = (f"no single values, not kept: {', '.join(odd)}",) if odd else ()
    return Raw(columns, torn=tuple(torn), notes=notes)


def _short(line: str) -> str:
    return line if len(line) <= 60 else f"{line[:60]}..."


# In the order in which the documentation lists them.
FORMATS: Mapping[str, Callable[[Path], Raw]] = {
    "recorder": _recorder,
    "table": _table,
    "json": _json,
    "hugging_face": _hugging_face,
    "lightning": _table,
    "tensorboard": _tensorboard,
    "wandb": _wandb,
    "trackio": _trackio,
    "mlflow": _mlflow,
    "text": _text_log,
}
