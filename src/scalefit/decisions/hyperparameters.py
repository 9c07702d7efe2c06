"""The best learning rate, batch size and other hyperparameters of every cell of a sweep.

sf.sweep(runs, over=["lr", "batch"], by=["N", "D"])

A cell holds the runs of one size and one number of tokens. Near its best run the loss is a bowl in the logs
t of what was swept,

    log L = q_0 + sum_j (g_j t_j + h_j s(t_j; k_j)) + sum_ij c_ij t_i t_j,
    s(t; k) = (e^(k t) - 1 - k t) / k^2.

With k = 0, s is t^2 / 2 and the bowl a parabola. But a learning rate too high costs more than one too low, so
the k_j, which say how much steeper one side is, are told by all cells together, and are 0 unless the runs
speak for more. Even so bowls have other shapes far out: a parabola through all runs misses the best rate of
the public sweep of Li et al. 2025 by a third. So a bowl is fitted to the runs whose loss it puts within a
window above its minimum, and the window is widened for as long as the optimum stays where it was (Lepski
1991), to within what noise may move it. What the next window would move it by counts as its own error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from scalefit.arguments import by_name, check_key, check_level, missing, number, one_positive, whole
from scalefit.fits.joint import ends
from scalefit.fits.status import Caution
from scalefit.frames import Frame, columns_frame, frame
from scalefit.runs import tables
from scalefit.runs.binding import ALIASES, same_name
from scalefit.words import aligned, listed, plain, row_words, short

__all__ = ["Sweep", "sweep"]

# Column names that are recognised, beside those of laws' inputs.
USUAL: Mapping[str, tuple[str, ...]] = {
    **ALIASES,
    "lr": ("lr", "learning_rate", "peak_lr", "max_lr", "base_lr", "peak_learning_rate"),
    "batch": ("batch", "batch_size", "global_batch_size", "batch_size_tokens", "batch_size_seqs", "bs"),
    "weight_decay": ("weight_decay", "wd"),
}
# Settings and sizes closer than this, in logs, are one: files round them.
SAME = 0.02
# A run is set apart where its loss is this much above the best of its cell, or the best this much below all
# others, in log loss.
FAR = 0.25
# How far above its minimum, in log loss, the runs lie that a bowl is fitted to.
WINDOWS = (0.005, 0.01, 0.02, 0.04, 0.08, 0.16, FAR)
# A window this many times the runs' scatter tells more than which runs were lucky.
CLEAR = 5.0
# A wider window is taken while it moves the optimum by less than this many standard deviations.
STAYS = 1.0
# Tukey's constant, and the spare rows from which single runs can be told to be odd.
TUKEY, TELLING = 6.0, 4
# A cell's scatter counts with that of the other cells as if they were this many spare rows of its own.
SHARED = 4.0
# No training repeats its loss more closely than this.
STEADY = 1e-4
# At 90 %, an interval reaches at least a quarter of a step between settings to either side.
FINEST = 0.25 / 1.645
# Draws without an optimum among the settings run that are still an answer.
LOST = 0.2
# A batch column whose largest value is below this counts sequences.
SEQUENCES = 10_000
SHOWN = 20
# Columns in which repeated runs differ by their nature.
REPEATS = ("seed", "run", "runid", "name", "id")
# How much steeper one side of a bowl may be, per e-fold; runs that tell it lie this near their best, in log
# loss, and speak for it where it lowers n log(left / n) by this much.
SKEWS = tuple(np.round(np.arange(-1.5, 1.51, 0.25), 2).tolist())
SHAPED, SPEAKS = 0.16, 10.0
# Cells that it is told by, where there are more.
TELLERS = 60
# Newton's steps to the optimum of a skew bowl, and e-folds from the middle beyond which there is none.
NEWTON, FURTHEST = 25, 12.0


@dataclass(frozen=True, eq=False)
class Sweep:
    """The optimum of every cell of a hyperparameter sweep, by `sf.sweep`.

    Attributes:
        over: what was swept, the names of its columns in `cells` and `optima`.
        by: what tells the cells apart.
        cells: a frame, one row per cell: the columns of `by`; for every hyperparameter its optimum, `_lo` and
            `_hi` of the interval, `_from` and `_to` of the flat bottom and `_sd` of the log; `loss` at the
            optimum with `_lo` and `_hi`; `noise`, the runs' scatter in log loss; `rows`, and `near`, the rows
            that the bowl was fitted to; `used`, and `why` not where it is not.
        best: the run with the lowest loss of every cell, with all columns of the table: what loss laws are
            fitted to.
        apart: rows that are set apart, which the warnings name.
        level: of the intervals.
        tolerance: of the flat bottom, as a share of the loss.
        warnings: cautions with the codes "no-value", "far-above", "alone-below", "edge", "too-few",
            "unclear", "mixed", "batch-units".
        notes: what was guessed.
    """

    over: tuple[str, ...]
    by: tuple[str, ...]
    cells: Frame
    best: Frame
    apart: tuple[int, ...]
    level: float
    tolerance: float
    warnings: tuple[Caution, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def optima(self) -> Frame:
        """The optima found as runs for `sf.fit`: the columns of `by`, C = 6 N D and M = D / N where N and D
        are among them, each hyperparameter and its weight, the inverse of the variance of its log.

        `sf.fit("steplaw", found.optima, y="lr", weight="lr_weight")` fits a law of the best rate.
        """
        used = self.cells[self.cells["used"]]
        columns: dict[str, Any] = {name: used[name].to_numpy() for name in self.by}
        if {"N", "D"} <= set(self.by):
            columns = {"C": 6 * columns["N"] * columns["D"], "M": columns["D"] / columns["N"]} | columns
        for name in self.over:
            columns[name] = used[name].to_numpy()
            weight = used[f"{name}_sd"].to_numpy() ** -2.0
            columns[f"{name}_weight"] = weight / np.mean(weight) if len(weight) else weight
        return columns_frame(columns)

    def __repr__(self) -> str:
        used = self.cells[self.cells["used"]]
        told = f" by {listed(self.by)}" if self.by else ""
        out = [f"Best {listed(self.over)}{told}: {len(used)} of {len(self.cells)} cells have an optimum"]
        if len(used):
            head = [*self.by, *(word for name in self.over for word in (name, f"{self.level:.0%}", "flat"))]
            rows = [[*head, "loss"]]
            for line in used.head(SHOWN).to_dict("records"):
                rows.append([_shown(line[name]) for name in self.by])
                for name in self.over:
                    rows[-1] += [
                        plain(line[name]),
                        f"{plain(line[f'{name}_lo'])} to {plain(line[f'{name}_hi'])}",
                        f"{plain(line[f'{name}_from'])} to {plain(line[f'{name}_to'])}",
                    ]
                rows[-1].append(f"{line['loss']:.4g}")
            out += aligned(rows)
            if len(used) > SHOWN:
                out.append(f"  and {len(used) - SHOWN} more in .cells")
            out.append(
                f"  flat: loss within {self.tolerance:.2%}, or the runs' scatter where that is more, of its "
                "least, with the others at their best"
            )
        refused = self.cells[~self.cells["used"]]
        for line in refused.head(SHOWN).to_dict("records"):
            out.append(f"  {_cell_words(self.by, line)} left out: {line['why']}")
        if len(refused) > SHOWN:
            out.append(f"  and {len(refused) - SHOWN} more left out: see .cells")
        return "\n".join([*out, *(f"  {note}" for note in (*self.warnings, *self.notes))])


class _Shape(NamedTuple):
    """full: whether a bowl has terms t_i t_j; skew: k_j of every hyperparameter."""

    full: bool
    skew: tuple[float, ...]


class _Bowl(NamedTuple):
    """One bowl through the runs of one window: its coefficients, their covariance at scatter one, what
    is left, spare rows, its optimum, and which runs it is fitted to."""

    window: float
    beta: np.ndarray
    spread: np.ndarray
    left: float
    spare: float
    at: np.ndarray
    near: np.ndarray
    shape: _Shape


class _Cell(NamedTuple):
    """The runs of one cell that count: t (n, p) in logs from their middle, log losses; or why it has no
    answer. tried: by hyperparameter its settings, those of runs set apart too; lasting: without these."""

    rows: np.ndarray
    middle: np.ndarray
    t: np.ndarray
    loss: np.ndarray
    tried: tuple[np.ndarray, ...]
    lasting: tuple[np.ndarray, ...]
    why: str
    bowls: tuple[_Bowl, ...]


def sweep(
    runs: Any,
    over: Sequence[str] = ("lr", "batch"),
    by: Sequence[str] = ("N", "D"),
    y: str | None = None,
    *,
    inputs: Mapping[str, str] | None = None,
    level: float = 0.9,
    tolerance: float = 0.0025,
    noise: float | None = None,
    sequence_length: float | None = None,
    n_draws: int = 1000,
    key: int = 0,
) -> Sweep:
    """The optimum of every cell of a hyperparameter sweep, with an interval and its flat bottom.

    Args:
        runs: a table with one run per row: what was swept, what tells the cells apart, and the loss. Runs
            without a loss, or far above their cell's best, are set apart and named.
        over: the hyperparameters swept, all of them positive numbers: names of columns, or the words "lr",
            "batch" and "weight_decay" where a column has a usual name for them.
        by: what tells the cells apart: names of columns, or the words "N", "D", "C". Numbers that differ by
            less than 2 % are one cell. An empty list takes all runs as one cell.
        y: the column of losses.
        inputs: columns by word, as in `sf.fit`: {"lr": "peak_lr", "N": "n_params_no_embed"}.
        level: of the intervals.
        tolerance: how far above its least the loss may be in the flat bottom, as a share of it.
        noise: standard deviation of the log of a loss; where left out it is told by how far runs lie off
            their bowls, cells with few runs leaning on the others.
        sequence_length: tokens in one sequence, where the batch is counted in sequences: the answer then
            counts it in tokens, as published laws do.
        n_draws: how many draws of every bowl the intervals are made of.
        key: of the draws.

    Returns:
        A `Sweep`. A cell has no optimum, and the result says why, where it has too few settings, where the
        optimum lies at the edge of what was run, or where noise hides it.

    Raises:
        ValueError: a column is missing or no numbers; nothing was swept; no cell holds any loss.

    Example:
        >>> import numpy as np
        >>> import scalefit as sf
        >>> N, lr = (x.ravel() for x in np.meshgrid([1e8, 1e9], np.geomspace(1e-4, 1e-2, 9)))
        >>> best = 0.02 * (N / 1e8) ** -0.5 / 10
        >>> runs = {"N": N, "lr": lr, "loss": 3.0 + 0.02 * np.log(lr / best) ** 2}
        >>> found = sf.sweep(runs, over=["lr"], by=["N"])
        >>> found.cells["lr"].round(5).tolist()
        [0.002, 0.00063]
    """
    over, by = _names("over", over), _names("by", by)
    if not over:
        raise ValueError('over is empty; name what was swept, e.g. over=["lr"]')
    twice = next((name for name in over if name in by or over.count(name) > 1), None)
    if twice:
        raise ValueError(f"{twice!r} is named twice in over and by; a hyperparameter tells no cells apart")
    level, key, n_draws = check_level(level), check_key(key), whole(n_draws, "n_draws", 2)
    tolerance = one_positive("tolerance", tolerance)
    noise = None if noise is None else one_positive("noise", noise)
    if sequence_length is not None:
        sequence_length = one_positive("sequence_length", sequence_length)
        if "batch" not in over:
            raise ValueError('sequence_length is for the batch, and over has no "batch"; leave it out')
    table = tables.columns_of(runs)
    notes = list(tables.notes_of(table))
    given = by_name("inputs", inputs)
    unknown = next((word for word in given if word not in (*over, *by)), None)
    if unknown is not None:
        raise ValueError(f"inputs names {short(unknown)}, which is neither in over nor in by")
    columns = {word: _column(table, word, given, notes) for word in (*over, *by)}
    _told_apart(columns)
    target = tables.find(table, y, "y") if y is not None else _column(table, "y", {}, notes)
    if target in columns.values():
        raise ValueError(f"column {target!r} is y and also in over or by; give each its own")
    loss = _losses(table[target], f"column {target!r} (y)")
    swept = []
    for word in over:
        values = tables.numbers(table[columns[word]], f"column {columns[word]!r} ({word})", "positive")
        tables.same_length(f"column {columns[word]!r}", len(values), len(loss), f"column {target!r}")
        swept.append(np.log(values))
    x = np.stack(swept, axis=1)
    said = list(_batch_units(over, x, sequence_length))
    if sequence_length is not None:
        x[:, over.index("batch")] += np.log(sequence_length)
        notes.append(f"batch = {sequence_length:g} x column {columns['batch']!r}, in tokens")
    labels, of = _cells(table, by, columns, len(loss))
    _swept(over, columns, x)
    names = tables.row_names(table[target])
    parts = [np.flatnonzero(of == k) for k in range(len(labels))]
    apart, found = _apart(loss, parts, names)
    if len(apart) == len(loss):
        raise ValueError(f"no run has a loss in column {target!r}; give the column of final losses with y=")
    cells = [_cell(rows[~np.isin(rows, apart)], rows, x, loss, over) for rows in parts]
    skew = _skew(cells, len(over))
    cells = [_with_bowls(cell, over, skew) for cell in cells]
    notes += [
        f"in all cells the loss rises faster {'above' if k > 0 else 'below'} the best {name} than on "
        f"the other side (k = {k:g})"
        for name, k in zip(over, skew, strict=True)
        if k
    ]
    shared = _shared(cells) if noise is None else (noise**2, np.inf)
    chance = np.random.default_rng(key)
    lines = [
        {**label, **_answer(cell, over, shared, noise, tolerance, level, n_draws, chance)}
        for label, cell in zip(labels, cells, strict=True)
    ]
    best = [cell.rows[np.argmin(cell.loss)] for cell in cells if len(cell.rows)]
    return Sweep(
        over,
        by,
        frame(lines),
        _rows_of(table, best),
        tuple(apart.tolist()),
        level,
        tolerance,
        (*found, *_refusals(by, lines), *_mixed(table, parts, x, {*columns.values(), target}), *said),
        tuple(notes),
    )


def _names(what: str, given: Any) -> tuple[str, ...]:
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"{what} must be a list of names of columns, got {short(given)}")
    return tuple(names)


def _column(table: Any, word: str, given: Mapping[str, str], notes: list[str]) -> str:
    """The column for a word: the one given, of this name, or with a usual name for it."""
    if word in given:
        return tables.find(table, given[word], word)
    if word in table:
        return word
    usual = {same_name(name) for name in USUAL.get(word, ())}
    found = [str(name) for name in table if same_name(name) in usual]
    remedy = 'y="..."' if word == "y" else f'inputs={{"{word}": "..."}}'
    if len(found) > 1:
        raise ValueError(
            f"columns {' and '.join(map(repr, found))} could each be {word}; say which it is with {remedy}"
        )
    if not found:
        raise ValueError(
            f"no column has a usual name for {word} (there are {tables.listed(table)}); "
            f"say which it is with {remedy}"
        )
    notes.append(f"guessed {word} = column {found[0]!r}")
    return found[0]


def _told_apart(columns: Mapping[str, str]) -> None:
    """ValueError where two words are one column."""
    for word, column in columns.items():
        twin = next((other for other, used in columns.items() if used == column and other != word), None)
        if twin:
            raise ValueError(f"{word} and {twin} are both column {column!r}; give each its own")


def _losses(column: Any, what: str) -> np.ndarray:
    """Log losses; NaN for runs that ended without one."""
    raw = np.asarray(column) if not np.ma.is_masked(column) else np.ma.filled(column, np.nan)
    if raw.dtype.kind == "f":
        cells: Any = np.where(np.isfinite(raw), raw, np.nan)
    elif raw.dtype.kind in "OUS" and raw.ndim == 1:
        found = [number(cell) for cell in np.asarray(column, object).tolist()]
        gone = [value is not None and not np.isfinite(value) for value in found]
        if not any(gone):
            cells = column
        else:
            cells = [np.nan if out else cell for out, cell in zip(gone, raw.tolist(), strict=True)]
    else:
        cells = column
    values = tables.numbers(cells, what, gaps=True)
    bad = np.flatnonzero(values <= 0)
    if len(bad):
        raise ValueError(
            f"{what} is {values[bad[0]]:g} in {row_words(bad, tables.row_names(column))}; a sweep compares "
            "losses, which are positive and better where they are less, so correct or drop such rows"
        )
    return np.log(values)


def _batch_units(over: Sequence[str], x: np.ndarray, sequence_length: float | None) -> tuple[Caution, ...]:
    if "batch" not in over or sequence_length is not None:
        return ()
    most = float(np.exp(x[:, over.index("batch")].max()))
    if most >= SEQUENCES:
        return ()
    text = (
        f"batch is at most {most:g}, so it counts sequences, and published laws of the batch count tokens; "
        "give sequence_length=..., the tokens in one sequence"
    )
    return (Caution("batch-units", "info", text),)


def _cells(
    table: Any, by: Sequence[str], columns: Mapping[str, str], n: int
) -> tuple[list[dict[str, Any]], np.ndarray]:
    """What each cell is called, in order, and the cell of every row."""
    codes, named = [], []
    for word in by:
        what = f"column {columns[word]!r} ({word})"
        found = tables.labels(table, columns[word], word, n)
        if word in ALIASES or found.dtype.kind in "iuf":
            values = tables.numbers(found, what, "positive" if word in ALIASES else "a number")
            if np.all(values > 0):
                code = _together(np.log(values))
            else:
                code = np.unique(values, return_inverse=True)[1]
            codes.append(code)
            named.append([float(np.median(values[code == k])) for k in range(code.max() + 1)])
        else:
            known = sorted(dict.fromkeys(found.tolist()), key=str)
            place = {label: k for k, label in enumerate(known)}
            codes.append(np.array([place[label] for label in found.tolist()], int))
            named.append(known)
    if not by:
        return [{}], np.zeros(n, int)
    cells, of = np.unique(np.stack(codes, axis=1), axis=0, return_inverse=True)
    labels = [
        {word: names[k] for word, names, k in zip(by, named, cell, strict=True)} for cell in cells.tolist()
    ]
    return labels, np.ravel(of)


def _together(logs: np.ndarray) -> np.ndarray:
    """Numbers 0, 1, ... of values by size, those that files round the same way being one."""
    order = np.argsort(logs, kind="stable")
    out = np.empty(len(logs), int)
    out[order] = np.concatenate([[0], np.cumsum(np.diff(logs[order]) > SAME)])
    return out


def _settings(logs: np.ndarray) -> np.ndarray:
    """The settings run, ascending."""
    if not len(logs):
        return logs
    code = _together(logs)
    return np.array([np.mean(logs[code == k]) for k in range(code.max() + 1)])


def _swept(over: Sequence[str], columns: Mapping[str, str], x: np.ndarray) -> None:
    for k, word in enumerate(over):
        if len(_settings(x[:, k])) == 1:
            rest = [name for name in over if name != word]
            raise ValueError(
                f"{word} (column {columns[word]!r}) has one value in all runs, so nothing was swept; "
                + (f"leave it out, over={rest}" if rest else "name a hyperparameter that was")
            )


def _apart(
    loss: np.ndarray, parts: Sequence[np.ndarray], names: Any
) -> tuple[np.ndarray, tuple[Caution, ...]]:
    """Rows without a loss, far above their cell's best, or alone far below all others; and what to say."""
    nothing = np.flatnonzero(np.isnan(loss))
    above: list[int] = []
    below: list[int] = []
    for part in parts:
        rows = part[~np.isnan(loss[part])]
        rows = rows[np.argsort(loss[rows], kind="stable")]
        if len(rows) > 3 and loss[rows[1]] - loss[rows[0]] > FAR:
            below.append(int(rows[0]))
            rows = rows[1:]
        if len(rows):
            above += rows[loss[rows] > loss[rows[0]] + FAR].tolist()
    said = []
    if len(nothing):
        text = f"{row_words(nothing, names)} without a finite loss: set apart as diverged"
        said.append(Caution("no-value", "info", text))
    if above:
        text = (
            f"{row_words(sorted(above), names)} more than {np.expm1(FAR):.0%} above the best of "
            f"{'its' if len(above) == 1 else 'their'} cell: set apart as diverged or far from tuned"
        )
        said.append(Caution("far-above", "info", text))
    if below:
        text = (
            f"{row_words(sorted(below), names)} more than {np.expm1(FAR):.0%} below all others of the cell: "
            "set apart; check that it is the loss of such a run"
        )
        said.append(Caution("alone-below", "warning", text))
    return np.array(sorted([*nothing.tolist(), *above, *below]), int), tuple(said)


def _cell(
    rows: np.ndarray,
    all_rows: np.ndarray,
    x: np.ndarray,
    loss: np.ndarray,
    over: Sequence[str],
) -> _Cell:
    """One cell, or why it has too few settings."""
    p = len(over)
    tried = tuple(_settings(x[all_rows, k]) for k in range(p))
    lasting = tuple(_settings(x[rows, k]) for k in range(p))
    if not len(rows):
        return _Cell(rows, np.zeros(p), x[rows], loss[rows], tried, lasting, "no run has a loss", ())
    middle = x[rows[np.argmin(loss[rows])]]
    t, own = x[rows] - middle, loss[rows]
    for k, word in enumerate(over):
        if len(lasting[k]) < 3:
            many = len(lasting[k])
            trained = "" if many == len(tried[k]) else " that did not diverge"
            why = f"{word} has {many} setting{'s' * (many != 1)}{trained}, and a minimum needs 3"
            return _Cell(rows, middle, t, own, tried, lasting, why, ())
    need, settings = 1 + 2 * p, len(np.unique(np.stack([_together(c) for c in t.T], axis=1), axis=0))
    if settings < need:
        why = f"{settings} settings cannot tell a bowl in {listed(over)}, which needs {need}"
        return _Cell(rows, middle, t, own, tried, lasting, why, ())
    return _Cell(rows, middle, t, own, tried, lasting, "", ())


def _full(t: np.ndarray) -> bool:
    """Whether there are settings enough for terms t_i t_j, with two to spare."""
    p = t.shape[1]
    settings = len(np.unique(np.stack([_together(column) for column in t.T], axis=1), axis=0))
    return p > 1 and settings >= 3 + 2 * p + p * (p - 1) // 2


def _skew(cells: Sequence[_Cell], p: int) -> tuple[float, ...]:
    """k of every hyperparameter, the same in all cells: with the least left of the runs about their bowls."""
    parts = []
    for cell in cells:
        near = cell.loss <= np.min(cell.loss, initial=np.inf) + SHAPED
        full = _full(cell.t[near]) if np.any(near) else False
        if not cell.why and np.count_nonzero(near) > 1 + 2 * p + full * p * (p - 1) // 2 + 1:
            parts.append((cell.t[near], cell.loss[near], full))

    parts = parts[:: -(-len(parts) // TELLERS) or 1]

    def left(skew: Sequence[float]) -> float:
        total = 0.0
        for t, loss, full in parts:
            design = _terms(t, _Shape(full, tuple(skew)))
            weight, r = _robust(design, loss)[2:0:-1]
            total += len(loss) * np.log(max(float(np.sum(weight * r**2) / np.sum(weight)), STEADY**2))
        return total

    found = [0.0] * p
    if not parts:
        return tuple(found)
    for _ in range(2):
        for j in range(p):
            tries = [(left([*found[:j], k, *found[j + 1 :]]), k) for k in SKEWS]
            best, k = min(tries)
            # Without a skew unless the runs speak for one.
            plain_one = next(value for value, k in tries if k == 0)
            found[j] = k if best < plain_one - SPEAKS else 0.0
    return tuple(found)


def _with_bowls(cell: _Cell, over: Sequence[str], skew: tuple[float, ...]) -> _Cell:
    """The cell with its bowls, from the narrowest window up, or why there is none."""
    if cell.why:
        return cell
    full = _full(cell.t)
    bowls = _bowls(cell.t, cell.loss, _Shape(full, skew))
    if full and not bowls:
        bowls = _bowls(cell.t, cell.loss, _Shape(False, skew))
    edge = _edge(cell.middle, over, cell.tried, cell.lasting)
    why = "" if bowls else edge or "its loss has no minimum among the settings run"
    return cell._replace(why=why, bowls=tuple(bowls))


def _bowls(t: np.ndarray, loss: np.ndarray, shape: _Shape) -> list[_Bowl]:
    """The bowls of all windows that have a minimum, from the narrowest up."""
    design = _terms(t, shape)
    least = design.shape[1] + (1 if len(t) > design.shape[1] else 0)
    found: list[_Bowl] = []
    for window in WINDOWS:
        near = loss <= np.min(loss) + window
        for _ in range(8):
            # Runs are chosen by where the bowl puts them, or those with a lucky loss would be.
            if np.count_nonzero(near) < least:
                break
            beta = _robust(design[near], loss[near])[0]
            at = _optimum(beta[None], shape)[0][0]
            if np.any(np.isnan(at)):
                break
            within = design @ beta <= float((_terms(at[None], shape) @ beta)[0]) + window
            if np.array_equal(within, near) or np.count_nonzero(within) < least:
                break
            near = within
        if np.count_nonzero(near) < least or any(np.array_equal(near, bowl.near) for bowl in found):
            continue
        part = design[near]
        if np.linalg.matrix_rank(part / np.linalg.norm(part, axis=0).clip(1e-12)) < part.shape[1]:
            continue
        beta, r, weight = _robust(part, loss[near])
        at = _optimum(beta[None], shape)[0][0]
        if np.any(np.isnan(at)):
            continue
        spread = np.linalg.inv(part.T @ (weight[:, None] * part))
        spare = max(float(np.sum(weight)) - part.shape[1], 0.0)
        left = float(np.sum(weight * r**2))
        found.append(_Bowl(window, beta, spread, left, spare, at, near, shape))
    return found


def _terms(t: np.ndarray, shape: _Shape) -> np.ndarray:
    """1, t_j, s(t_j; k_j) and, of a full bowl, t_i t_j for every row (n, terms)."""
    p = t.shape[1]
    # A setting some hundred e-folds off is far up the bowl, and its square still a number.
    rises = [
        x**2 / 2 if k == 0 else (np.expm1(np.minimum(k * x, 300.0)) - k * x) / k**2
        for x, k in zip(t.T, shape.skew, strict=True)
    ]
    terms = [np.ones(len(t)), *t.T, *rises]
    if shape.full:
        terms += [t[:, i] * t[:, j] for i in range(p) for j in range(i + 1, p)]
    return np.stack(terms, axis=1)


def _optimum(beta: np.ndarray, shape: _Shape) -> tuple[np.ndarray, np.ndarray]:
    """Where bowls with coefficients (m, terms) have their minimum (m, p), NaN where they have none, and the
    second derivatives H (m, p, p) there."""
    m, p = len(beta), len(shape.skew)
    skew, h = np.array(shape.skew), beta[:, 1 + p : 1 + 2 * p]
    mixed = np.zeros((m, p, p))
    if shape.full:
        pairs = [(i, j) for i in range(p) for j in range(i + 1, p)]
        for k, (i, j) in enumerate(pairs):
            mixed[:, i, j] = mixed[:, j, i] = beta[:, 1 + 2 * p + k]
    at, H = np.zeros((m, p)), mixed.copy()
    bowl = np.ones(m, bool)
    # Newton's steps, no longer than an e-fold where the bowl is skew; a parabola takes one.
    for _ in range(NEWTON if np.any(skew) else 1):
        bend, slope = (
            np.exp(skew * at),
            np.where(skew == 0, at, np.expm1(skew * at) / np.where(skew, skew, 1)),
        )
        H = mixed.copy()
        H[:, range(p), range(p)] = h * bend
        bowl = np.linalg.eigvalsh(H)[:, 0] > 0
        solid = np.where(bowl[:, None, None], H, np.eye(p))
        gradient = beta[:, 1 : 1 + p] + h * slope + np.einsum("mij,mj->mi", mixed, at)
        step = -np.linalg.solve(solid, gradient[..., None])[..., 0]
        if np.any(skew):
            step = np.clip(step, -1.0, 1.0)
        at = np.clip(at + np.where(bowl[:, None], step, 0.0), -FURTHEST, FURTHEST)
    if np.any(skew):
        bowl &= np.max(np.abs(step), axis=1) < 1e-6
    return np.where(bowl[:, None], at, np.nan), H


def _robust(design: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coefficients, residuals and weights by Tukey's biweight; plain least squares where rows are few."""
    weight, spare = np.ones(len(y)), len(y) - design.shape[1]
    while True:
        root = np.sqrt(weight)
        beta = np.linalg.lstsq(design * root[:, None], y * root, rcond=None)[0]
        r = y - design @ beta
        if spare < TELLING:
            return beta, r, weight
        scale = max(1.4826 * float(np.median(np.sort(np.abs(r))[-spare:])), STEADY)
        before, weight = weight, np.maximum(1 - (r / (TUKEY * scale)) ** 2, 0.0) ** 2
        spare_left = np.count_nonzero(weight) - design.shape[1]
        if spare_left < TELLING:
            return beta, r, before
        if np.max(np.abs(weight - before)) < 1e-4:
            return beta, r, weight
        # Half a step: whole ones can go round in a circle.
        weight = (weight + before) / 2


def _shared(cells: Sequence[_Cell]) -> tuple[float, float]:
    """The variance of log losses about their bowls over all cells, and its spare rows."""
    first = [next((b for b in cell.bowls if b.spare >= 1 and _clear(b)), None) for cell in cells]
    told = [bowl for bowl in first if bowl is not None] or [
        cell.bowls[-1] for cell in cells if cell.bowls and cell.bowls[-1].spare >= 1
    ]
    spare = sum(bowl.spare for bowl in told)
    return (max(sum(bowl.left for bowl in told) / spare, STEADY**2), spare) if spare else (np.nan, 0.0)


def _clear(bowl: _Bowl) -> bool:
    return bowl.spare > 0 and bowl.window >= CLEAR * np.sqrt(bowl.left / bowl.spare)


def _variance(bowl: _Bowl, shared: tuple[float, float], noise: float | None) -> tuple[float, float]:
    """The variance of the cell's log losses and its degrees of freedom."""
    if noise is not None:
        return noise**2, np.inf
    prior = min(SHARED, shared[1])
    spare = bowl.spare + prior
    if spare <= 0:
        return np.nan, 0.0
    known = bowl.left + (prior * shared[0] if prior else 0.0)
    return max(known / spare, STEADY**2), spare


def _answer(
    cell: _Cell,
    over: Sequence[str],
    shared: tuple[float, float],
    noise: float | None,
    tolerance: float,
    level: float,
    n_draws: int,
    chance: np.random.Generator,
) -> dict[str, Any]:
    """The line of one cell: its optimum with interval and flat bottom, or why it has none."""
    line: dict[str, Any] = {}
    for name in over:
        line |= dict.fromkeys((name, *(f"{name}_{end}" for end in ("lo", "hi", "from", "to", "sd"))), np.nan)
    line |= {**dict.fromkeys(("loss", "loss_lo", "loss_hi", "noise"), np.nan), "rows": len(cell.rows)}
    line |= {"near": 0, "used": False, "why": cell.why}
    if cell.why:
        return line
    drawn = [_draws(bowl, cell, shared, noise, n_draws, chance) for bowl in cell.bowls]
    k = _chosen(cell, drawn)
    bowl, (places, losses, scatter) = cell.bowls[k], drawn[k]
    line["near"], line["noise"] = int(np.count_nonzero(bowl.near)), scatter
    line["why"] = why = _outside(cell, bowl, over) or _hidden(places, scatter)
    if why:
        return line
    H = _optimum(bowl.beta[None], bowl.shape)[1][0]
    height = float((_terms(bowl.at[None], bowl.shape) @ bowl.beta)[0])
    allowed = max(float(np.log1p(tolerance)), scatter)
    for j, name in enumerate(over):
        at, tried = bowl.at[j] + cell.middle[j], cell.tried[j]
        after = int(np.clip(np.searchsorted(tried, at), 1, len(tried) - 1))
        finest = FINEST * float(tried[after] - tried[after - 1])
        own = float(np.nanstd(places[:, j]))
        # What the next window would move it by is about what this one is off by.
        off = abs(cell.bowls[k + 1].at[j] - bowl.at[j]) if k + 1 < len(cell.bowls) else 0.0
        sd = max(float(np.hypot(own, off / 2)), finest)
        wide = places[:, j] + np.sqrt(max(sd**2 - own**2, 0.0)) * chance.standard_normal(n_draws)
        lo, hi = ends(wide + cell.middle[j], level, (float(tried[0]), float(tried[-1])))
        reach = np.sqrt(2 * allowed / H[j, j])
        flat = max(at - reach, float(tried[0])), min(at + reach, float(tried[-1]))
        found = (at, lo, hi, *flat)
        keys = (name, *(f"{name}_{end}" for end in ("lo", "hi", "from", "to")))
        line |= {where: float(np.exp(value)) for where, value in zip(keys, found, strict=True)}
        line[f"{name}_sd"] = sd
    line["loss"] = float(np.exp(height))
    line["loss_lo"], line["loss_hi"] = (float(np.exp(v)) for v in ends(losses, level, (-np.inf, np.inf)))
    return {**line, "used": True}


def _draws(
    bowl: _Bowl,
    cell: _Cell,
    shared: tuple[float, float],
    noise: float | None,
    n: int,
    chance: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, float]:
    """Optima (n, p) from the middle and their log losses, NaN where they lie outside the settings run; the
    scatter."""
    variance, spare = _variance(bowl, shared, noise)
    if not np.isfinite(variance):
        # As many rows as coefficients in every cell: the steps between settings are all that is known.
        variance, spare = STEADY**2, np.inf
    size = np.sqrt(spare / chance.chisquare(spare, n)) if np.isfinite(spare) else np.ones(n)
    root = np.linalg.cholesky((bowl.spread + bowl.spread.T) / 2)
    z = chance.standard_normal((n, len(bowl.beta)))
    beta = bowl.beta + np.sqrt(variance) * size[:, None] * (z @ root.T)
    at, _ = _optimum(beta, bowl.shape)
    low = np.array([settings[0] for settings in cell.tried]) - cell.middle
    high = np.array([settings[-1] for settings in cell.tried]) - cell.middle
    with np.errstate(invalid="ignore"):
        inside = np.all((at >= low) & (at <= high), axis=1)
    at = np.where(inside[:, None], at, np.nan)
    return at, np.einsum("ij,ij->i", _terms(at, bowl.shape), beta), float(np.sqrt(variance))


def _chosen(cell: _Cell, drawn: Sequence[tuple[np.ndarray, np.ndarray, float]]) -> int:
    """The widest window whose optimum is that of the narrower ones, within what noise moves these by."""
    clear = [
        k
        for k, (bowl, (places, _, _)) in enumerate(zip(cell.bowls, drawn, strict=True))
        if _clear(bowl) and np.mean(np.isnan(places[:, 0])) <= LOST / 2
    ]
    if not clear:
        return len(cell.bowls) - 1
    chosen = clear[0]
    lo = np.full(cell.t.shape[1], -np.inf)
    hi = -lo
    for k in clear:
        at, sd = cell.bowls[k].at, np.nanstd(drawn[k][0], axis=0)
        if np.any(at < lo) or np.any(at > hi):
            break
        lo, hi = np.maximum(lo, at - STAYS * sd), np.minimum(hi, at + STAYS * sd)
        chosen = k
    return chosen


def _outside(cell: _Cell, bowl: _Bowl, over: Sequence[str]) -> str:
    """Why an optimum is none: at the edge of the settings run, or where no runs are."""
    at = bowl.at + cell.middle
    if edge := _edge(at, over, cell.tried, cell.lasting):
        return edge
    x = _terms(bowl.at[None], bowl.shape)[0]
    if x @ bowl.spread @ x > 1:
        return f"the optimum ({_place(over, at)}) lies where no runs are"
    return ""


def _edge(
    at: np.ndarray, over: Sequence[str], tried: Sequence[np.ndarray], lasting: Sequence[np.ndarray]
) -> str:
    """Which hyperparameter has its optimum at the edge of what was run, in words."""
    for k, name in enumerate(over):
        settings = lasting[k]
        first, last = np.exp(tried[k][0]), np.exp(tried[k][-1])
        if at[k] < (settings[0] + settings[1]) / 2:
            return (
                f"the optimum lies at the edge of the grid: {name} at its lowest, {plain(first)}; run lower"
            )
        if at[k] > (settings[-2] + settings[-1]) / 2:
            if len(tried[k]) and tried[k][-1] > settings[-1] + SAME:
                return (
                    f"the optimum lies at the edge of what trains: {name} at {plain(np.exp(settings[-1]))}, "
                    "all above it set apart; run settings between"
                )
            return (
                f"the optimum lies at the edge of the grid: {name} at its highest, {plain(last)}; run higher"
            )
    return ""


def _hidden(places: np.ndarray, scatter: float) -> str:
    lost = float(np.mean(np.isnan(places[:, 0])))
    if lost <= LOST:
        return ""
    return (
        f"noise of {scatter:.2%} moves the optimum out of the settings run in {lost:.0%} of draws; "
        "run more settings, or repeat some"
    )


def _place(over: Sequence[str], at: np.ndarray) -> str:
    return ", ".join(f"{name} {plain(float(np.exp(v)))}" for name, v in zip(over, at, strict=True))


def _refusals(by: Sequence[str], lines: Sequence[Mapping[str, Any]]) -> tuple[Caution, ...]:
    """Cells without an optimum, by kind of reason."""
    kinds: dict[str, list[str]] = {}
    for line in lines:
        why = line["why"]
        if why:
            few = "needs" in why or "no run has" in why
            code = "edge" if "edge" in why else "too-few" if few else "unclear"
            kinds.setdefault(code, []).append(_cell_words(by, line))
    words = {
        "edge": "optimum at the edge of the grid",
        "too-few": "too few settings",
        "unclear": "no clear optimum",
    }
    return tuple(
        Caution(
            code, "warning", f"{words[code]} in {len(named)} of {len(lines)} cells: {'; '.join(named[:5])}"
        )
        for code, named in kinds.items()
    )


def _mixed(table: Any, parts: Sequence[np.ndarray], x: np.ndarray, known: set[str]) -> tuple[Caution, ...]:
    """Columns in which runs of one cell and equal settings differ, unless they only count or measure."""
    groups = []
    for rows in parts:
        codes = np.stack([_together(column) for column in x[rows].T], axis=1)
        of = np.ravel(np.unique(codes, axis=0, return_inverse=True)[1])
        groups += [rows[of == k] for k in range(of.max() + 1) if np.count_nonzero(of == k) > 1]
    if not groups:
        return ()
    found = []
    for name in table:
        values = np.asarray(table[name])
        if str(name) in known or same_name(name) in REPEATS or values.ndim != 1:
            continue
        try:
            kinds = np.unique(values.astype(str))
        except (TypeError, ValueError):
            continue
        differ = any(len(set(values[rows].tolist())) > 1 for rows in groups)
        # A measured column hardly ever repeats.
        if differ and len(kinds) <= len(values) / 4:
            found.append(repr(str(name)))
    if not found:
        return ()
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    text = (
        f"runs of one cell and equal settings differ in column{'s' * (len(found) > 1)} "
        f"{', '.join(found[:3])}{more}, which counts as noise here; name what matters in over or by"
    )
    return (Caution("mixed", "warning", text),)


def _cell_words(by: Sequence[str], line: Mapping[Any, Any]) -> str:
    return ", ".join(f"{name} = {_shown(line[name])}" for name in by) or "the only cell"


def _shown(value: Any) -> str:
    found = number(value)
    return str(value) if found is None or missing(value) else plain(found)


def _rows_of(table: Any, rows: Sequence[int]) -> Frame:
    """These rows of a table with all its columns and its index."""
    if hasattr(table, "iloc"):
        return table.iloc[list(rows)]
    return columns_frame({name: np.asarray(table[name])[list(rows)] for name in table})
