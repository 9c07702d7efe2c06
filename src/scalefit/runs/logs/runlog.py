"""Reading training logs: the call, the table it returns, and the report of what became of every row."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from scalefit.arguments import texts
from scalefit.frames import Frame, columns_frame
from scalefit.runs import tables
from scalefit.runs.logs.clean import MERGED, REASONS, Part, absent, clean
from scalefit.runs.logs.formats import EVENTS, FORMATS, Raw, find, parse, wide
from scalefit.words import short

__all__ = ["Report", "RunLog", "read_log"]

UNITS = {
    "tokens": "training tokens seen",
    "loss": "taken as nats per token (natural logarithm)",
    "lr": "learning rate",
}
# The column of losses made of several.
EACH = "loss of each run"


@dataclass(frozen=True)
class Report:
    """What a log held and what became of it; `str()` says it in a few lines.

    rows = kept + merged (rows that only completed another row of their step) + the sum of left_out: reason,
    one of `scalefit.runs.logs.REASONS`, -> rows. torn: lines that are cut off or damaged, their beginnings.
    columns: name in the table -> name in the log; units: of each. runs: their names. notes: what had to be
    decided, in words; doubts: decisions that make another curve if they are wrong.
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
    doubts: tuple[str, ...] = ()

    @property
    def told(self) -> tuple[tuple[str, str, str], ...]:
        """Code, severity and text of each thing that whoever uses the table has to know."""
        found = []
        for reason, n in self.left_out.items():
            # Some rows have no loss by design, and losses that are not finite a forecast looks at itself.
            few = reason in ("no loss", "NaN", "infinite") or 10 * n < self.rows
            text = f"{n} of the log's {self.rows} rows are left out: {REASONS[reason]}"
            found.append(("left-out", "info" if few else "warning", text))
        if self.torn:
            lines = f"{len(self.torn)} line{'s' * (len(self.torn) > 1)}"
            found.append(
                ("damaged", "warning", f"{lines} of the log cut off or damaged, such as {self.torn[0]!r}")
            )
        found += (("log-doubt", "warning", doubt) for doubt in self.doubts)
        taken = [
            f"{name} from {self.columns[name]!r}"
            for name in ("step", "loss")
            if self.columns.get(name, name) != name
        ]
        if taken:
            unit = f" ({self.units['step']})" if self.columns.get("step") == "_step" else ""
            found.append(
                ("log-columns", "info", f"of the log's columns were taken {' and '.join(taken)}{unit}")
            )
        return (*found, *(("log-note", "info", note) for note in self.notes))

    def __str__(self) -> str:
        runs = f"run {self.runs[0]!r}" if len(self.runs) == 1 else f"{len(self.runs)} runs"
        lines = [f"{self.path} ({self.format}): {self.kept} of {self.rows} rows, {runs}"]
        lines += [f"  {name}: column {self.columns[name]!r}, {unit}" for name, unit in self.units.items()]
        lines += [f"  merged, {self.merged}: they completed another row of their step"] * bool(self.merged)
        lines += [f"  left out, {n}: {REASONS[reason]}" for reason, n in self.left_out.items()]
        lines += [f"  cut off or damaged: {text}" for text in self.torn[:3]]
        lines += [f"  and {len(self.torn) - 3} more such lines"] * (len(self.torn) > 3)
        return "\n".join([*lines, *(f"  {note}" for note in (*self.doubts, *self.notes))])


@dataclass(frozen=True)
class RunLog:
    """A log as a table of losses, and what is not in it.

    table: a frame with run, step (counted from 1), tokens and lr where the log has them, loss, and the log's
    other columns; sorted by run and step, each step of a run once, every loss finite. left_out: the rows that
    are not in it, with their `reason`, so that diverged steps can be looked at. report: counts and decisions;
    `str()` of it.
    """

    table: Frame
    left_out: Frame
    report: Report

    def __repr__(self) -> str:
        return str(self.report)


def read_log(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    format: str | None = None,
    *,
    loss: str | Sequence[str] | None = None,
    step: str | None = None,
    tokens: str | None = None,
    lr: str | None = None,
    run: str | Sequence[str] | None = None,
    counted_from: int | None = None,
) -> RunLog:
    """Training logs of any usual kind as one table of losses; nothing is left out without a reason.

    Understood are `sf.Recorder`'s logs, CSV and its like, Parquet, Excel, JSON and JSON lines (exports of
    W&B and MLflow too), the Hugging Face trainer's `trainer_state.json` or output folder, Lightning's
    `metrics.csv` or `lightning_logs`, folders of TensorBoard event files and of MLflow runs, the databases of
    MLflow and Trackio, the folder that W&B writes of offline runs, and what training scripts print. Parquet,
    Excel and event files need scalefit-jax[readers], W&B's own files its library.

    Losses are taken as they are, in nats per token if logged with natural logarithms. A log without steps is
    ordered by tokens. Where a run was resumed, the later part counts from its first step on; where the count
    begins again while the losses go on, it is counted on. A table whose rows are in no order is sorted, and
    of rows with one step the last counts. What was left out, damaged or decided is in the report, and above
    every forecast made from it.

    Args:
        path: a file, a folder, or several.
        format: one of `scalefit.runs.logs.FORMATS`; found from the path unless given.
        loss: the log's column of losses, or several columns, each a run of its own. Where a column is left
            out, it is the first of `scalefit.runs.logs.NAMES` that the log has, which the report states.
        step: the column that counts steps. A column of times ("timestamp") orders the rows instead, which are
            counted; so does "row", in the order of the log.
        tokens: the column of tokens seen.
        lr: the column of learning rates.
        run: the column, or columns, that tell runs apart.
        counted_from: the number of the first update in the log's count, 0 or 1; 0 for Lightning's files, else
            1. The table's steps are counted from 1.

    Returns:
        The log: `table` of losses, the rows `left_out` with their reason,
        and the `report` of counts and decisions.

    Raises:
        ValueError: with one sentence for what cannot be read, has no loss or neither steps nor tokens, holds
            steps that never move or losses that do not tell where a count that begins again goes on, or holds
            runs that no column in `run` tells apart.
        FileNotFoundError: where there is no such path.
        ImportError: where an extra is missing.

    Example:
        >>> log = sf.read_log("train.csv", loss="train/loss")
        >>> list(log.table)
        ['run', 'step', 'loss', 'lr']
    """
    if format is not None and format not in FORMATS:
        raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {format!r}")
    if counted_from not in (None, 0, 1):
        raise ValueError(f"counted_from must be 0 or 1, got {counted_from!r}")
    several = [path] if isinstance(path, str | os.PathLike) or not isinstance(path, Iterable) else list(path)
    if wrong := [one for one in several if not isinstance(one, str | os.PathLike)]:
        raise TypeError(f"path must name a file or a folder, or several, got {short(wrong[0])}")
    given = [Path(one) for one in several]
    if not given:
        raise ValueError("no path is given")
    if missing := [one for one in given if not one.exists()]:
        raise FileNotFoundError(f"there is no file {str(missing[0])!r}")
    found = [find(one) if format is None else (format, [one]) for one in given]
    sources = [(kind, file) for kind, files in found for file in files]
    by = [] if run is None else texts(run, "run")
    raws = _told_apart([parse(file, kind) for kind, file in sources], [kind for kind, _ in sources])
    if loss is not None and not isinstance(loss, str):
        columns = texts(loss, "loss")
        raws, loss = [_each(raw, columns) for raw in raws], EACH
    asked = {"step": step, "tokens": tokens, "loss": loss, "lr": lr}
    for name, column in asked.items():
        if column is not None:
            texts(column, name)
    parts = [
        clean(raw, kind, label, asked, by, counted_from)
        for raw, (kind, _), label in zip(raws, sources, _labels([file for _, file in sources]), strict=True)
    ]
    torn = tuple(text for raw in raws for text in raw.torn)
    kinds = " and ".join(dict.fromkeys(kind for kind, _ in sources))
    return _joined(parts, str(given[0]) if len(given) == 1 else f"{len(given)} paths", kinds, torn)


def _told_apart(raws: Sequence[Raw], kinds: Sequence[str]) -> list[Raw]:
    """Runs of MLflow and W&B that share a name are called after their files; elsewhere they are one run."""
    own = [
        set() if raw.run is None or kind not in ("mlflow", "wandb") else set(raw.run.tolist())
        for raw, kind in zip(raws, kinds, strict=True)
    ]
    twice = {name for name, n in Counter(name for names in own for name in names).items() if n > 1}
    return [
        replace(raw, run=None) if len(names) == 1 and names <= twice else raw
        for raw, names in zip(raws, own, strict=True)
    ]


def _each(raw: Raw, columns: Sequence[str]) -> Raw:
    """Several columns of losses as several runs."""
    names = [tables.find(raw.columns, name, "loss") for name in columns]
    return wide(raw, names, names, EACH)


def _joined(parts: Sequence[Part], path: str, kinds: str, torn: tuple[str, ...]) -> RunLog:
    """The table, what is not in it, and the report."""
    at = parts[0].at
    if any(part.at != at for part in parts):
        raise ValueError("some of the logs have steps and others only tokens; read them one by one")
    cells = [{"run": part.run, **part.cells, **part.others} for part in parts]
    names = dict.fromkeys(
        [
            "run",
            at,
            *(name for name in ("tokens", "loss", "lr") if any(name in part for part in cells)),
            *(name for part in cells for name in part),
        ]
    )
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
            f"{path} has no row with a {at.rstrip('s')} and a finite loss "
            f"(left out: {why or 'damaged lines'})"
        )
    rank = {name: k for k, name in enumerate(dict.fromkeys(columns["run"][kept].tolist()))}
    place = np.array([rank[name] for name in columns["run"][kept].tolist()])
    kept = kept[np.lexsort([columns[at][kept], place])]
    out = np.flatnonzero((reason != "") & (reason != MERGED))
    table = columns_frame({name: _whole(column[kept]) for name, column in columns.items()})
    left_out = columns_frame(
        {**{name: column[out] for name, column in columns.items()}, "reason": reason[out]}
    )
    report = Report(
        path,
        kinds,
        len(reason),
        len(kept),
        int(np.count_nonzero(reason == MERGED)),
        counts,
        torn,
        dict(_used(parts)),
        dict(_units(parts, kinds)),
        tuple(rank),
        tuple(_notes(parts, columns, kept)),
        tuple(dict.fromkeys(doubt for part in parts for doubt in part.doubts)),
    )
    # What is known of the table goes with it, also where rows of it are taken;
    # in lists, as Parquet can hold them.
    table.attrs["told"] = [list(one) for one in report.told]
    table.attrs["notes"] = [text for _, severity, text in report.told if severity != "info"]
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
