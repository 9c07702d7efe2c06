"""What becomes of every record of a log: which run it belongs to, whether it counts, and if not, why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from scalefit.runs import tables
from scalefit.runs.binding import ALIASES
from scalefit.runs.logs.formats import Raw

__all__ = ["MERGED", "NAMES", "REASONS", "Part", "absent", "clean"]

# Names that are recognised for each column of the table, the first that a log has; a name written exactly like this
# comes before one with another case or punctuation, and a training loss before one of other data.
NAMES: Mapping[str, tuple[str, ...]] = {
    "step": ("step", "global_step", "train/global_step", "trainer/global_step", "iteration", "iter", "steps", "_step"),
    "tokens": (*ALIASES["D"], "tokens_seen", "num_input_tokens_seen", "train/num_input_tokens_seen", "consumed_tokens",
               "total_tokens", "train/tokens"),
    "loss": ("loss", "train/loss", "train_loss", "training_loss", "loss/train", "train_loss_step", "train_loss_epoch",
             "lm_loss", *(name for name in ALIASES["y"] if len(name) > 1)),
    "lr": (*(name for name in ALIASES["eta"] if name != "eta"), "train/learning_rate", "train/lr"),
    "run": (*ALIASES["curve"], "run_name", "run_uuid"),
}  # fmt: skip
# Lightning names rates after the optimiser, "lr-AdamW".
RATES = "lr-"
# Counts of updates whose first is 0: Lightning's, in its own files and where it logs elsewhere.
FROM_ZERO = ("lightning", "trainer/global_step")
REASONS: Mapping[str, str] = {
    "superseded": "a later part of the run, resumed from an earlier step, wrote these steps again",
    "repeated": "a later row stands at the same step",
    "NaN": "the loss is NaN",
    "infinite": "the loss is infinite",
    "no loss": "no loss, and no row of their step that has one",
    "no step": "no step",
    "not whole": "the step is no whole number of at least 0",
    "no number": "step, tokens, loss or learning rate is no number",
}
# Rows that are not left out but have filled gaps of another row of their step.
MERGED = "merged"


class Part(NamedTuple):
    """A log's records, cleaned; arrays of all n of them, in the order of the file.

    at: "step" or "tokens", what orders the rows. cells: that, loss, and lr and tokens where known, as float64.
    others: the log's other columns. run: labels. reason: one of `REASONS`, MERGED, or "" where the row counts.
    columns: name in the table -> name in the log. from_zero: whether 1 was added to the steps.
    """

    at: str
    cells: dict[str, np.ndarray]
    others: dict[str, np.ndarray]
    run: np.ndarray
    reason: np.ndarray
    columns: dict[str, str]
    from_zero: bool
    notes: tuple[str, ...]


def clean(
    raw: Raw, kind: str, label: str, asked: Mapping[str, str | None], by: Sequence[str], counted_from: int | None
) -> Part:  # fmt: skip
    """Decide on every record. Arguments as in `read_log`; label: the run's name where the log has none."""
    notes = list(raw.notes)
    columns = _columns(raw.columns, asked, notes)
    at = "step" if "step" in columns else "tokens"
    if not by and raw.run is None and (guess := _guess(raw.columns, "run", notes)):
        by = [guess]
    run = _labels(raw, label, by)
    from_zero = (
        at == "step"
        and (bool({kind, columns["step"]} & set(FROM_ZERO)) if counted_from is None else counted_from == 0)
    )  # fmt: skip
    reason = np.full(len(raw), "", object)
    cells, without = {}, {}
    for name, column in columns.items():
        cells[name], without[name], bad = _numbers(raw.columns[column])
        _leave(reason, bad, "no number")
    _leave(reason, without[at], "no step")
    _leave(
        reason, ~(np.isfinite(cells[at]) & (cells[at] >= 0) & (np.floor(cells[at]) == cells[at])), "not whole"
    )
    cells[at] = cells[at] + from_zero
    others = _others(raw, columns, by, cells)
    filled = [column for name, column in {**cells, **others}.items() if name not in (at, "loss")]
    for rows in _runs_of(run, raw.session, reason, notes):
        told, rest = rows[~without["loss"][rows]], rows[without["loss"][rows]]
        label = run[rows[0]]
        begins = _begins(cells[at][told], raw.session if raw.session is None else raw.session[told])
        part, limit, said = _parts(cells[at][told], begins, at, label)
        again = cells[at][told] >= limit[part]
        rest_again = _again(cells[at][rest], rest, told, part, limit, raw.session)
        notes += said
        if raw.session is None:
            notes += _other_runs(raw, (*by, *columns.values()), told, part, again, label, by)
        reason[told[again]] = reason[rest[rest_again]] = "superseded"
        told, rest = told[~again], rest[~rest_again]
        reason[told[_repeated(cells[at][told])]] = "repeated"
        told = told[reason[told] == ""]
        target = _rows_at(cells[at][told], told, cells[at][rest])
        reason[rest] = np.where(target < 0, "no loss", MERGED)
        _fill(filled, rest[target >= 0], target[target >= 0])
    _leave(reason, np.isnan(cells["loss"]), "NaN")
    _leave(reason, np.isinf(cells["loss"]), "infinite")
    return Part(at, cells, others, run, reason, columns, from_zero, tuple(notes))


def _columns(there: Mapping[str, Any], asked: Mapping[str, str | None], notes: list[str]) -> dict[str, str]:
    """Which column of the log is which of the table."""
    found = {}
    for name, column in asked.items():
        chosen = tables.find(there, column, name) if column is not None else _guess(there, name, notes)
        if chosen is not None:
            found[name] = chosen
    missing = "loss" if "loss" not in found else "step" if not {"step", "tokens"} & set(found) else None
    if missing:
        raise ValueError(f"no column has a usual name for the {missing} (there are {tables.listed(there)}); say which with "
                         f'{missing}="..."')  # fmt: skip
    return found


def _guess(columns: Mapping[str, Any], name: str, notes: list[str]) -> str | None:
    """The first usual name that is there, exactly or else in plain letters; others are mentioned."""
    found = [column for alias in NAMES[name] for column in columns if column == alias]
    found += [column for alias in NAMES[name] for column in columns if _plain(column) == _plain(alias)]
    found += [column for column in columns if name == "lr" and column.startswith(RATES)]
    found = list(dict.fromkeys(found))
    if len(found) > 1 and name != "step":
        also = ", ".join(map(repr, found[1:]))
        notes.append(f'{name} is column {found[0]!r}; there is also {also}: choose with {name}="..."')
    return found[0] if found else None


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name.lower()))


def _labels(raw: Raw, label: str, by: Sequence[str]) -> np.ndarray:
    """The run of each row, from columns, from what the format says, or the file's own."""
    if by:
        cells = [raw.columns[tables.find(raw.columns, name, "run")].tolist() for name in by]
        return np.array(["/".join(map(str, row)) for row in zip(*cells, strict=True)], object)
    own = [None] * len(raw) if raw.run is None else raw.run.tolist()
    return np.array([label if name is None else str(name) for name in own], object)


def _others(
    raw: Raw, columns: Mapping[str, str], by: Sequence[str], cells: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """The log's other columns, as numbers where they are; a name that the table uses itself is marked."""
    taken, out = {"run", "reason", *cells}, {}
    for name, column in raw.columns.items():
        if name not in (*columns.values(), *by):
            values, _, bad = _numbers(column)
            out[f"{name} in the log" if name in taken else name] = (
                column.astype(object) if bad.any() else values
            )
    return out


def _runs_of(
    run: np.ndarray, session: np.ndarray | None, reason: np.ndarray, notes: list[str]
) -> list[np.ndarray]:
    """The rows of each run that may count; sessions of one that wrote at the same time become runs of their own."""
    found = []
    for rows in _by_label(run, np.flatnonzero(reason == "")):
        parts = [] if session is None else _by_label(session, rows)
        if any(a[-1] > b[0] for a, b in pairwise(parts)):
            notes.append(
                f"{len(parts)} processes wrote {run[rows[0]]!r} at the same time: each is a run of its own"
            )
            for part in parts:
                run[part] = f"{run[part[0]]} {session[part[0]]}"  # type: ignore[index]
            found += parts
        else:
            found.append(rows)
    return found


def _by_label(labels: np.ndarray, rows: np.ndarray) -> list[np.ndarray]:
    """These rows by label, in order of first appearance."""
    found: dict[Any, list[int]] = {}
    for row, label in zip(rows.tolist(), labels[rows].tolist(), strict=True):
        found.setdefault(label, []).append(row)
    return [np.array(part) for part in found.values()]


def _begins(at: np.ndarray, session: np.ndarray | None) -> np.ndarray | None:
    """Where the parts of a run begin: at each new session, or else where the step falls; None for rows in no order."""
    if not len(at):
        return np.zeros(0, int)
    change = np.diff(at) < 0
    if session is not None:
        change |= session[1:] != session[:-1]
    elif np.count_nonzero(change) > (len(at) - 1) / 3:
        return None
    return np.flatnonzero(np.concatenate([[True], change]))


def _parts(
    at: np.ndarray, begins: np.ndarray | None, name: str, label: str
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """For each row its part of the run, for each part the step from which on later ones wrote it again, and notes."""
    if begins is None:
        said = [f"the rows of {label!r} are in no order of {name}s and were sorted"]
        return np.zeros(len(at), int), np.array([np.inf]), said
    if not len(begins):
        return np.zeros(0, int), np.zeros(0), []
    part = np.searchsorted(begins, np.arange(len(at)), side="right") - 1
    least = np.minimum.reduceat(at, begins)
    limit = np.append(np.minimum.accumulate(least[::-1])[::-1][1:], np.inf)
    if len(begins) == 1:
        return part, limit, []
    firsts = ", ".join([f"{at[k]:g}" for k in begins[1:4]] + ["..."] * (len(begins) > 4))
    times = "once" if len(begins) == 2 else f"{len(begins) - 1} times"
    return part, limit, [f"{label!r} was resumed {times}, at {name} {firsts}"]


def _again(
    at: np.ndarray, rest: np.ndarray, told: np.ndarray, part: np.ndarray, limit: np.ndarray, session: Any
) -> np.ndarray:
    """Which rows without a loss belong to a part whose step was written again.

    A row belongs with the row with a loss that follows it, or with the one before if that is of its session.
    """
    if not len(told):
        return np.zeros(len(rest), bool)
    following = np.searchsorted(told, rest)
    near = np.minimum(following, len(told) - 1)
    if session is not None:
        before = np.maximum(following - 1, 0)
        near = np.where(session[told[before]] == session[rest], before, near)
    return at >= limit[part[near]]


def _repeated(at: np.ndarray) -> np.ndarray:
    """All but the last row of each step."""
    _, last = np.unique(at[::-1], return_index=True)
    out = np.ones(len(at), bool)
    out[len(at) - 1 - last] = False
    return out


def _other_runs(
    raw: Raw,
    used: Sequence[str],
    told: np.ndarray,
    part: np.ndarray,
    again: np.ndarray,
    label: str,
    by: Sequence[str],
) -> Iterator[str]:
    """A note for each part of which nothing is left; ValueError where a text column tells it from what comes after."""
    for k in range(part.max(initial=-1)):
        earlier, later = told[part == k], told[part > k]
        if not again[part == k].all():
            continue
        for name, column in raw.columns.items():
            if name not in used and column.dtype.kind not in "biuf" and _tells_apart(column, earlier, later):
                say = repr([*by, name]) if by else repr(name)
                raise ValueError(
                    f"column {name!r} tells runs apart that are {label!r} otherwise; say so with run={say}"
                )
        yield (f"all rows of one part of {label!r} were written again: if these are two runs, say with run= which "
               "column tells them apart")  # fmt: skip


def _tells_apart(column: np.ndarray, earlier: np.ndarray, later: np.ndarray) -> bool:
    """Whether a column has one text in the earlier rows that no later row has."""
    texts = set(column[earlier].tolist())
    return len(texts) == 1 and isinstance(column[earlier[0]], str) and not texts & set(column[later].tolist())


def _rows_at(at: np.ndarray, rows: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The row with each wanted step, -1 where there is none."""
    where = dict(zip(at.tolist(), rows.tolist(), strict=True))
    return np.array([where.get(value, -1) for value in wanted.tolist()], int)


def _fill(columns: Sequence[np.ndarray], source: np.ndarray, into: np.ndarray) -> None:
    """Gaps in some rows filled from others, the last of them first."""
    for cells in columns:
        for a, b in zip(source[::-1].tolist(), into[::-1].tolist(), strict=True):
            if absent(cells[b]):
                cells[b] = cells[a]


def _leave(reason: np.ndarray, rows: np.ndarray, why: str) -> None:
    reason[(reason == "") & rows] = why


def _numbers(column: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A column as float64, the rows without a value, and the rows whose value is no number.

    In an array of numbers NaN is no value; among objects it is a NaN that was written, and None is no value.
    """
    if column.dtype.kind in "biuf":
        values = column.astype(float)
        return values, np.isnan(values), np.zeros(len(values), bool)
    cells = column.tolist()
    without = np.array([cell is None for cell in cells], bool)
    values, bad = np.full(len(cells), np.nan), np.zeros(len(cells), bool)
    for row in np.flatnonzero(~without).tolist():
        try:
            values[row] = float(cells[row])
        except (TypeError, ValueError):
            bad[row] = True
    return values, without, bad


def absent(cell: Any) -> bool:
    """Whether a cell of the table has no value."""
    return cell is None or (isinstance(cell, float) and cell != cell)
