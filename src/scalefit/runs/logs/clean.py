"""What becomes of every record of a log: which run it belongs to, whether it counts, and if not, why."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from scalefit.files import number_in
from scalefit.runs import tables
from scalefit.runs.binding import ALIASES
from scalefit.runs.logs.formats import Raw

__all__ = ["MERGED", "NAMES", "REASONS", "Part", "absent", "clean"]

# Names that are recognised for each column of the table, the first that a log has; a name written exactly
# like this comes before one with another case or punctuation, that before one with something in front
# ("optim/lr", "throughput/ total_tokens") or an optimiser's group behind it ("lr_group0"), and a training
# loss before one of other data.
NAMES: Mapping[str, tuple[str, ...]] = {
    "step": (
        "step",
        "global_step",
        "train/global_step",
        "trainer/global_step",
        "iteration",
        "iter",
        "steps",
        "iteration_step",
        "num_updates",
        "train_step",
        "training_step",
        "update",
        "batch_num",
        "time/batch",
        "_step",
    ),
    "tokens": (
        *ALIASES["D"],
        "tokens_seen",
        "num_input_tokens_seen",
        "train/num_input_tokens_seen",
        "consumed_tokens",
        "total_tokens",
        "train/tokens",
        "time/token",
        "train_tokens_seen",
    ),
    "loss": (
        "loss",
        "train/loss",
        "train_loss",
        "training_loss",
        "loss/train",
        "train_loss_step",
        "train_loss_epoch",
        "lm_loss",
        "train/CrossEntropyLoss",
        "train/ce_loss",
        "loss/train/total",
        "reduced_train_loss",
        "cross_entropy_loss",
        "cross_entropy",
        "ce_loss",
        "loss_metrics/global_avg_loss",
        "language_cross_entropy",
        "nll_loss",
        *(name for name in ALIASES["y"] if len(name) > 1),
    ),
    "lr": (*(name for name in ALIASES["eta"] if name != "eta"), "train/learning_rate", "train/lr"),
    "run": (*ALIASES["curve"], "run_name", "run_uuid"),
}
# What trainers put behind the name of a rate: the group of parameters.
GROUP = ("group0", "pg0", "pg1")
# What asks for rows to be counted as they stand in the log.
ROW = "row"
# Columns of times: they order rows and count nothing. In plain letters.
TIMES = (
    "timestamp",
    "time",
    "walltime",
    "datetime",
    "date",
    "createdat",
    "runtime",
    "relativetime",
    "relativetimeprocess",
)
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
# Fewer rows than this say nothing about how a run goes on.
FEW = 3
# So many rows are not taken for those of a run begun anew unless the losses say it.
MANY = 20
# Rows that are not left out but have filled gaps of another row of their step.
MERGED = "merged"


class Part(NamedTuple):
    """A log's records, cleaned; arrays of all n of them, in the order of the file.

    at: "step" or "tokens", what orders the rows. cells: that, loss, and lr and tokens where known, as
    float64. others: the log's other columns. run: labels. reason: one of `REASONS`, MERGED, or "" where the
    row counts. columns: name in the table -> name in the log. from_zero: whether 1 was added to the steps.
    doubts: notes on decisions that make another curve if they are wrong.
    """

    at: str
    cells: dict[str, np.ndarray]
    others: dict[str, np.ndarray]
    run: np.ndarray
    reason: np.ndarray
    columns: dict[str, str]
    from_zero: bool
    notes: tuple[str, ...]
    doubts: tuple[str, ...]


def clean(
    raw: Raw,
    kind: str,
    label: str,
    asked: Mapping[str, str | None],
    by: Sequence[str],
    counted_from: int | None,
) -> Part:
    """Decide on every record. Arguments as in `read_log`; label: the run's name where the log has none."""
    notes = list(raw.notes)
    by_row = asked["step"] == ROW and ROW not in raw.columns
    if by_row:
        raw = replace(raw, columns={**raw.columns, ROW: np.arange(1.0, len(raw) + 1)})
    columns = _columns(raw.columns, asked, notes)
    at = "step" if "step" in columns else "tokens"
    if not by and raw.run is None and (guess := _guess(raw.columns, "run", notes)):
        by = [guess]
    run = _labels(raw, label, by)
    from_zero = at == "step" and (
        bool({kind, columns["step"]} & set(FROM_ZERO)) if counted_from is None else counted_from == 0
    )
    reason = np.full(len(raw), "", object)
    cells, without = {}, {}
    doubts: list[str] = []
    by_time = by_row or (at == "step" and asked["step"] is not None and _plain(columns["step"]) in TIMES)
    for name, column in columns.items():
        read = _times if by_time and name == at else _numbers
        cells[name], without[name], bad = read(raw.columns[column])
        _leave(reason, bad, "no number")
    _leave(reason, without[at], "no step")
    if by_time:
        cells[at] = _ordered(cells[at], run, reason == "", without["loss"])
        order = "their order in the log" if by_row else f"the order of column {columns['step']!r}"
        doubts.append(
            f"rows with a loss are counted, in {order}; they are no optimiser steps, "
            "so the length of a run and its "
            "rates count rows, too"
        )
    _leave(
        reason, ~(np.isfinite(cells[at]) & (cells[at] >= 0) & (np.floor(cells[at]) == cells[at])), "not whole"
    )
    cells[at] = cells[at] + (from_zero and not by_time)
    others = _others(raw, columns, by, cells)
    filled = [column for name, column in {**cells, **others}.items() if name not in (at, "loss")]
    for rows in _runs_of(run, raw.session, reason, notes):
        told, rest = rows[~without["loss"][rows]], rows[without["loss"][rows]]
        label = run[rows[0]]
        if len(told) and not by_time:
            _moving(cells[at][told], cells["loss"][told], at, label, raw.columns)
        session = None if raw.session is None else raw.session[told]
        begins = _begins(cells[at][told], session)
        rest_part = _part_of(rest, told, begins, raw.session)
        if begins is not None and len(begins) > 1:
            shift, said = _shifts(cells[at][told], cells["loss"][told], begins, at, label)
            doubts += said
            for name in {at, "tokens"} & set(cells) if shift.any() else ():
                own = shift if name == at else _fallen(cells[name][told], begins, shift)
                cells[name][told] += np.repeat(own, np.diff([*begins, len(told)]))
                cells[name][rest] += own[rest_part]
            begins = _begins(cells[at][told], session)
            rest_part = _part_of(rest, told, begins, raw.session)
        part, limit, said = _parts(cells[at][told], begins, at, label)
        again = cells[at][told] >= limit[part]
        rest_again = cells[at][rest] >= limit[rest_part] if len(told) else np.zeros(len(rest), bool)
        notes += said
        if raw.session is None:
            doubts += _other_runs(raw, (*by, *columns.values()), told, part, again, label, by)
        reason[told[again]] = reason[rest[rest_again]] = "superseded"
        told, rest = told[~again], rest[~rest_again]
        reason[told[_repeated(cells[at][told])]] = "repeated"
        if 2 * np.count_nonzero(reason[told] == "repeated") > len(told):
            doubts.append(
                f"most rows of {label!r} stand at the {at.rstrip('s')} of a later one, and do not count"
            )
        told = told[reason[told] == ""]
        target = _rows_at(cells[at][told], told, cells[at][rest])
        reason[rest] = np.where(target < 0, "no loss", MERGED)
        _fill(filled, rest[target >= 0], target[target >= 0])
    _leave(reason, np.isnan(cells["loss"]), "NaN")
    _leave(reason, np.isinf(cells["loss"]), "infinite")
    return Part(at, cells, others, run, reason, columns, from_zero, tuple(notes), tuple(doubts))


def _columns(there: Mapping[str, Any], asked: Mapping[str, str | None], notes: list[str]) -> dict[str, str]:
    """Which column of the log is which of the table."""
    found = {}
    for name, column in asked.items():
        chosen = tables.find(there, column, name) if column is not None else _guess(there, name, notes)
        if chosen is not None:
            found[name] = chosen
    missing = "loss" if "loss" not in found else "step" if not {"step", "tokens"} & set(found) else None
    if missing:
        others = [
            name
            for name in there
            if name not in found.values() and len(name) <= 40 and not _numbers(there[name])[2].any()
        ]
        time = next((name for name in there if _plain(name) in TIMES), None)
        also = ""
        if missing == "loss" and len(others) > 1:
            more = ", ..." * (len(others) > 2)
            also = f", or, where each column is a run, loss=[{others[0]!r}, {others[1]!r}{more}]"
        elif missing == "step":
            also = f", or count the rows with step={time or ROW!r}"
        raise ValueError(
            f"no column has a usual name for the {missing} (there are "
            f"{tables.listed(there)}); say which with "
            f'{missing}="..."{also}'
        )
    return found


def _guess(columns: Mapping[str, Any], name: str, notes: list[str]) -> str | None:
    """The first usual name that is there, exactly, in plain letters, or behind another word;
    others are mentioned."""
    plain: dict[str, list[str]] = {}
    last: dict[str, list[str]] = {}
    for column in columns:
        plain.setdefault(_plain(column), []).append(column)
        last.setdefault(_last(column), []).append(column)
    found = [alias for alias in NAMES[name] if alias in columns]
    found += [column for alias in NAMES[name] for column in plain.get(_plain(alias), ())]
    found += [column for column in columns if name == "lr" and column.startswith(RATES)]
    if name != "run":
        behind = [column for alias in NAMES[name] if len(alias) > 1 for column in last.get(_plain(alias), ())]
        found += sorted(behind, key=lambda column: not column.lower().startswith("train"))
    found = list(dict.fromkeys(found))
    if len(found) > 1 and name != "step":
        also = ", ".join(map(repr, found[1:4])) + (f" and {len(found) - 4} more" if len(found) > 4 else "")
        notes.append(f'{name} is column {found[0]!r}; there is also {also}: choose with {name}="..."')
    return found[0] if found else None


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name.lower()))


def _last(name: str) -> str:
    """The last word of a name in plain letters, without the group of parameters behind a rate."""
    plain = _plain(name.rsplit("/", 1)[-1])
    return next((plain.removesuffix(group) for group in GROUP if plain.endswith(group)), plain)


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
    """The rows of each run that may count;
    sessions of one that wrote at the same time become runs of their own."""
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
    """Where the parts of a run begin: at each new session, or else where the step falls;
    None for rows in no order."""
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
    """For each row its part of the run, for each part the step from which on later ones wrote it again,
    and notes."""
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


def _part_of(rest: np.ndarray, told: np.ndarray, begins: np.ndarray | None, session: Any) -> np.ndarray:
    """The part of the run that each row without a loss belongs to.

    It is that of the row with a loss that follows it, or of the one before if that is of its session.
    """
    if begins is None or not len(told):
        return np.zeros(len(rest), int)
    following = np.searchsorted(told, rest)
    near = np.minimum(following, len(told) - 1)
    if session is not None:
        before = np.maximum(following - 1, 0)
        near = np.where(session[told[before]] == session[rest], before, near)
    return np.searchsorted(begins, near, side="right") - 1


def _moving(at: np.ndarray, loss: np.ndarray, name: str, label: str, columns: Mapping[str, Any]) -> None:
    """ValueError where different losses all stand at one step: the count says nothing."""
    if len(at) < FEW or np.ptp(at) or len(np.unique(loss[np.isfinite(loss)])) < FEW:
        return
    time = next((column for column in columns if _plain(column) in TIMES), None)
    order = "as they stand in the log" if time is None else "in the order of time"
    remedy = f"to count the rows {order} give step={time or ROW!r} (--step {time or ROW})"
    raise ValueError(
        f"the {name.rstrip('s')} of {label!r} never moves: all {len(at)} rows "
        f"with a loss stand at {at[0]:g}; {remedy}"
    )


def _shifts(
    at: np.ndarray, loss: np.ndarray, begins: np.ndarray, name: str, label: str
) -> tuple[np.ndarray, list[str]]:
    """For each part of a run what its steps lack because the count began anew, and what was concluded.

    A count that goes back to where it first began is either begun anew in a run that goes on, or that of a
    run begun anew. The losses tell: they go on from the last ones of the part before, or repeat the first
    ones.
    """
    ends = [*begins[1:], len(at)]
    shift, first, on, unsure = np.zeros(len(begins)), 0, [], 0
    remedy = f"split the log there, leave one part out, or count its rows with step={ROW!r} (--step {ROW})"
    for k in range(1, len(begins)):
        shift[k] = shift[k - 1]
        before, part = slice(begins[k - 1], begins[k]), slice(begins[k], ends[k])
        gap = float(np.median(np.diff(at[before]))) if begins[k] - begins[k - 1] > 1 else 0.0
        if at[begins[k]] > at[begins[first]] + gap:
            continue
        share = _begun_anew(at, loss, slice(begins[first], begins[k]), before, part)
        last = at[begins[k] - 1]
        if share is None:
            # A count that has begun again once while the losses went on does so again.
            # The first rows after a restart may be all that there is so far.
            unsure += 0 if shift[k] or len(at) - begins[k] < FEW else begins[k] - begins[first]
            share = 0.0 if shift[k] else 1.0
        if -1 <= share <= 1 / 3:
            # A count from 0 is at 0 where the next row would be; one that was not is where the last one is.
            shift[k] += last + (gap if at[begins[k]] == 0 == at[begins[first]] else 0.0)
            on.append(k)
        elif share < 0.5:
            raise ValueError(
                f"the {name}s of {label!r} fall from {last:g} to {at[begins[k]]:g}, "
                "and the losses there neither go on from "
                f"those before nor repeat the first ones; {remedy}"
            )
        elif share > 2:
            shift[k] = 0.0
        first = k
    if unsure > max(len(at) / 2, MANY):
        raise ValueError(
            f"the {name}s of {label!r} begin again at {at[begins[first]]:g} in row "
            f"{begins[first]} of its losses, which do not "
            f"tell whether the run goes on there; {remedy}"
        )
    if not on:
        return shift, []
    again = "" if len(on) == 1 else f", and so {len(on)} times"
    return shift, [
        f"the {name}s of {label!r} begin again at {at[begins[on[0]]]:g} after "
        f"{at[begins[on[0]] - 1]:g} while its losses go on"
        f"{again}: they are counted on"
    ]


def _begun_anew(
    at: np.ndarray, loss: np.ndarray, all_before: slice, before: slice, part: slice
) -> float | None:
    """Where the first losses of a part lie between the last before (0) and
    those at the same steps before (1).

    None where too few are known, or where the two do not differ by more than noise.
    """
    with np.errstate(all="ignore"):
        logs = np.log(loss)
    fine = np.isfinite(logs)
    earlier, ended, begun = (np.flatnonzero(fine[rows]) + rows.start for rows in (all_before, before, part))
    if len(earlier) < 2 * FEW or len(begun) < FEW:
        return None
    # A tenth of the rows: more tell better, and fewer move less.
    few = [max(FEW, min(len(rows) // 10, 20)) for rows in (ended, begun)]
    ended, begun = ended[-few[0] :], begun[: few[1]]
    order = earlier[np.argsort(at[earlier], kind="stable")]
    end, now, then = (
        float(np.median(v)) for v in (logs[ended], logs[begun], np.interp(at[begun], at[order], logs[order]))
    )
    change = np.diff(logs[earlier[len(earlier) // 2 :]])
    single = 1.4826 * float(np.median(np.abs(change - np.median(change)))) / np.sqrt(2)
    # Of a difference of two medians; where the two places are not ten times as far apart,
    # half-way is not told from either.
    error = 1.25 * single * np.sqrt(1 / few[0] + 1 / few[1])
    return (now - end) / (then - end) if then - end > max(10 * error, 0.002) else None


def _fallen(tokens: np.ndarray, begins: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """What the tokens of each part lack where they, too, begin again with the steps."""
    out = np.zeros(len(shift))
    for k in range(1, len(shift)):
        out[k] = out[k - 1]
        before, after = tokens[: begins[k]], tokens[begins[k] :]
        before, after = before[np.isfinite(before)], after[np.isfinite(after)]
        if shift[k] != shift[k - 1] and len(before) and len(after) and after[0] < before[-1]:
            out[k] += before[-1]
    return out


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
    """A note for each part of which nothing is left;
    ValueError where a text column tells it from what comes after."""
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
        yield (
            f"all rows of one part of {label!r} were written again: if these are two runs, "
            "say with run= which "
            "column tells them apart"
        )


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
    return _read(column, _number)


def _number(cell: Any) -> float | None:
    return number_in(cell) if isinstance(cell, str) else float(cell)


def _times(column: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same for times: numbers, or dates as ISO 8601 writes them, in seconds."""
    if column.dtype.kind in "biuf":
        return _numbers(column)

    def time(cell: Any) -> float:
        number = _number(cell)
        return datetime.fromisoformat(cell).timestamp() if number is None else number

    return _read(column, time)


def _read(
    column: np.ndarray, number: Callable[[Any], float | None]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    cells = column.tolist()
    without = np.array([cell is None for cell in cells], bool)
    values, bad = np.full(len(cells), np.nan), np.zeros(len(cells), bool)
    if number is _number:
        # All at once, where all are numbers.
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            values[~without] = np.array([cell for cell in cells if cell is not None], float)
            return values, without, bad
    for row in np.flatnonzero(~without).tolist():
        try:
            value = number(cells[row])
        except (TypeError, ValueError, OverflowError):
            value = None
        bad[row] = value is None
        values[row] = np.nan if value is None else value
    return values, without, bad


def _ordered(times: np.ndarray, run: np.ndarray, usable: np.ndarray, without: np.ndarray) -> np.ndarray:
    """Rows with a loss counted in the order of time, run by run;
    the others stand with the last one before them."""
    out = np.full(len(times), np.nan)
    for rows in _by_label(run, np.flatnonzero(usable)):
        told, rest = rows[~without[rows]], rows[without[rows]]
        order = told[np.argsort(times[told], kind="stable")]
        out[order] = np.arange(1.0, len(order) + 1)
        out[rest] = np.maximum(np.searchsorted(times[order], times[rest], side="right"), 1)
    return out


def absent(cell: Any) -> bool:
    """Whether a cell of the table has no value."""
    return cell is None or (isinstance(cell, float) and cell != cell)
