"""Reading training logs: the call, the table it returns, and the report of what became of every row."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scalefit.frames import Frame, frame
from scalefit.runs.logs.clean import MERGED, REASONS, Part, absent, clean
from scalefit.runs.logs.formats import EVENTS, FORMATS, find, parse

__all__ = ["Report", "RunLog", "read_log"]

UNITS = {
    "tokens": "training tokens seen",
    "loss": "taken as nats per token (natural logarithm)",
    "lr": "learning rate",
}


@dataclass(frozen=True)
class Report:
    """What a log held and what became of it; `str()` says it in a few lines.

    rows = kept + merged (rows that only completed another row of their step) + the sum of left_out: reason, one of
    `scalefit.runs.logs.REASONS`, -> rows. torn: lines that are cut off or damaged, their beginnings. columns: name in the
    table -> name in the log; units: of each. runs: their names. notes: what had to be decided, in words.
    """

    path: str
    format: str
    rows: int
    kept: int
    merged: int
    left_out: Mapping[str, int]
    torn: tuple[str, ...]
    columns: Mapping[str, str]
    units: Mapping[str, str]
    runs: tuple[str, ...]
    notes: tuple[str, ...]

    def __str__(self) -> str:
        runs = f"run {self.runs[0]!r}" if len(self.runs) == 1 else f"{len(self.runs)} runs"
        lines = [f"{self.path} ({self.format}): {self.kept} of {self.rows} rows, {runs}"]
        lines += [f"  {name}: column {self.columns[name]!r}, {unit}" for name, unit in self.units.items()]
        lines += [f"  merged, {self.merged}: they completed another row of their step"] * bool(self.merged)
        lines += [f"  left out, {n}: {REASONS[reason]}" for reason, n in self.left_out.items()]
        lines += [f"  cut off or damaged: {text}" for text in self.torn[:3]]
        lines += [f"  and {len(self.torn) - 3} more such lines"] * (len(self.torn) > 3)
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])


@dataclass(frozen=True)
class RunLog:
    """A log as a table of losses, and what is not in it.

    table: a frame with run, step (counted from 1), tokens and lr where the log has them, loss, and the log's other
    columns; sorted by run and step, each step of a run once, every loss finite. left_out: the rows that are not in
    it, with their `reason`, so that diverged steps can be looked at. report: counts and decisions; `str()` of it.
    """

    table: Frame
    left_out: Frame
    report: Report

    def __repr__(self) -> str:
        return str(self.report)


def read_log(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], format: str | None = None, *,
    loss: str | None = None, step: str | None = None, tokens: str | None = None, lr: str | None = None,
    run: str | Sequence[str] | None = None, counted_from: int | None = None,
) -> RunLog:  # fmt: skip
    """Read training logs of any usual kind into one table of losses; nothing is left out without a reason.

    path: a file, a folder, or several. Understood are `sf.Recorder`'s logs, CSV, TSV, Parquet, JSON and JSON lines
    (exports of W&B and MLflow too), the Hugging Face trainer's `trainer_state.json` or output folder, Lightning's
    `metrics.csv` or `lightning_logs`, folders of TensorBoard event files and of MLflow runs. Parquet and event files
    need scalefit-jax[readers]. format: one of `scalefit.runs.logs.FORMATS`; found from the path unless given.
    loss, step, tokens, lr: the log's columns; where left out, the first of `scalefit.runs.logs.NAMES` that it has, which
    the report states. run: the column, or columns, that tell runs apart. counted_from: the number of the first
    update in the log's count, 0 or 1; 0 for Lightning's files, else 1. The table's steps are counted from 1.

    Losses are taken as they are, in nats per token if logged with natural logarithms. A log without steps is ordered
    by tokens. Where a run was resumed, the later part counts from its first step on; a table whose rows are in no
    order is sorted, and of rows with one step the last counts.

    Raises ValueError with one sentence for what cannot be read, has no loss or neither steps nor tokens, or holds
    runs that no column in `run` tells apart; FileNotFoundError; ImportError where an extra is missing.
    """
    if format is not None and format not in FORMATS:
        raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {format!r}")
    if counted_from not in (None, 0, 1):
        raise ValueError(f"counted_from must be 0 or 1, got {counted_from!r}")
    given = [Path(path)] if isinstance(path, str | os.PathLike) else [Path(one) for one in path]
    if not given:
        raise ValueError("no path is given")
    if missing := [one for one in given if not one.exists()]:
        raise FileNotFoundError(f"there is no file {str(missing[0])!r}")
    found = [find(one) if format is None else (format, [one]) for one in given]
    sources = [(kind, file) for kind, files in found for file in files]
    asked = {"step": step, "tokens": tokens, "loss": loss, "lr": lr}
    by = [run] if isinstance(run, str) else list(run or ())
    raws = [parse(file, kind) for kind, file in sources]
    parts = [
        clean(raw, kind, label, asked, by, counted_from)
        for raw, (kind, _), label in zip(raws, sources, _labels([file for _, file in sources]), strict=True)
    ]
    torn = tuple(text for raw in raws for text in raw.torn)
    kinds = " and ".join(dict.fromkeys(kind for kind, _ in sources))
    return _joined(parts, str(given[0]) if len(given) == 1 else f"{len(given)} paths", kinds, torn)


def _joined(parts: Sequence[Part], path: str, kinds: str, torn: tuple[str, ...]) -> RunLog:
    """The table, what is not in it, and the report."""
    at = parts[0].at
    if any(part.at != at for part in parts):
        raise ValueError("some of the logs have steps and others only tokens; read them one by one")
    cells = [{"run": part.run, **part.cells, **part.others} for part in parts]
    names = dict.fromkeys(["run", at, *(name for name in ("tokens", "loss", "lr") if any(name in part for part in cells)),
                           *(name for part in cells for name in part)])  # fmt: skip
    columns = {
        name: np.concatenate([part.get(name, np.full(len(part["run"]), np.nan)) for part in cells])
        for name in names
    }
    reason = np.concatenate([part.reason for part in parts])
    counts = {name: n for name in REASONS if (n := int(np.count_nonzero(reason == name)))}
    kept = np.flatnonzero(reason == "")
    if not len(kept):
        why = ", ".join(f"{n} {name}" for name, n in counts.items())
        raise ValueError(
            f"{path} has no row with a {at.rstrip('s')} and a finite loss (left out: {why or 'damaged lines'})"
        )
    rank = {name: k for k, name in enumerate(dict.fromkeys(columns["run"][kept].tolist()))}
    place = np.array([rank[name] for name in columns["run"][kept].tolist()])
    kept = kept[np.lexsort([columns[at][kept], place])]
    out = np.flatnonzero((reason != "") & (reason != MERGED))
    table = frame(()).assign(**{name: _whole(column[kept]) for name, column in columns.items()})
    left_out = frame(()).assign(**{name: column[out] for name, column in columns.items()}, reason=reason[out])
    report = Report(path, kinds, len(reason), len(kept), int(np.count_nonzero(reason == MERGED)), counts, torn,
                    dict(_used(parts)), dict(_units(parts, kinds)), tuple(rank), tuple(_notes(parts, columns, kept)))  # fmt: skip
    return RunLog(table, left_out, report)


def _used(parts: Sequence[Part]) -> Iterator[tuple[str, str]]:
    for name in ("step", "tokens", "loss", "lr"):
        used = dict.fromkeys(part.columns[name] for part in parts if name in part.columns)
        if used:
            yield name, " or ".join(used)


def _units(parts: Sequence[Part], kinds: str) -> Iterator[tuple[str, str]]:
    for name, column in _used(parts):
        if name != "step":
            yield name, UNITS[name]
        elif column == "_step":
            yield name, "calls of W&B's log, which need not be optimiser steps"
        else:
            from_zero = any(part.from_zero for part in parts)
            events = (
                " as logged (Lightning counts from 0: say counted_from=0)" if "tensorboard" in kinds else ""
            )
            yield name, f"optimiser steps{', 1 added as the log counts from 0' if from_zero else events}"


def _notes(parts: Sequence[Part], columns: Mapping[str, np.ndarray], kept: np.ndarray) -> Iterator[str]:
    yield from dict.fromkeys(note for part in parts for note in part.notes)
    for name in ("tokens", "lr"):
        gaps = sum(map(absent, columns[name][kept].tolist())) if name in columns else 0
        if gaps:
            yield f"{name} is not known in {gaps} of {len(kept)} rows"


def _whole(cells: np.ndarray) -> np.ndarray:
    """Counts as whole numbers."""
    if cells.dtype.kind == "f" and np.all(np.abs(cells) < 2**53) and np.all(cells % 1 == 0):
        return cells.astype(np.int64)
    return cells


def _labels(files: Sequence[Path]) -> list[str]:
    """A name for each file's run: its own, or its folder's where all files of its kind are called alike."""
    names = []
    for file in files:
        own, folder = file.name.split(".")[0], file.resolve().parent
        if folder.name.startswith("checkpoint-"):
            folder = folder.parent
        names.append(folder.name if own in ("trainer_state", "metrics") or EVENTS in file.name else own)
    if len(set(names)) < len(names):
        names = [f"{file.resolve().parent.name}/{name}" for file, name in zip(files, names, strict=True)]
    return [name if names.count(name) == 1 else f"{name} {k + 1}" for k, name in enumerate(names)]
