"""The best learning rate, batch size and other hyperparameters of every cell of a sweep.

sf.sweep(runs, over=["lr", "batch"], by=["N", "D"])

A cell holds the runs of one size and one number of tokens. Here a table is read and cut into cells, and the
answer put in words; what the optimum of a cell is, and how sure, is told by `bowls`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scalefit.arguments import by_name, check_key, check_level, missing, number, one_positive, whole
from scalefit.decisions import bowls
from scalefit.fits.pictured import Pictured
from scalefit.fits.status import Caution
from scalefit.frames import Frame, columns_frame, frame
from scalefit.runs import tables
from scalefit.runs.binding import ALIASES
from scalefit.runs.names import columns_named, same_name
from scalefit.words import aligned, listed, plain, row_words, short

__all__ = ["Sweep", "sweep"]
# Column names that are recognised, beside those of laws' inputs.
USUAL: Mapping[str, tuple[str, ...]] = {
    **ALIASES,
    "lr": ("lr", "learning_rate", "peak_lr", "max_lr", "base_lr", "peak_learning_rate"),
    "batch": ("batch", "batch_size", "global_batch_size", "batch_size_tokens", "batch_size_seqs", "bs"),
    "weight_decay": ("weight_decay", "wd"),
}
# A batch column whose largest value is below this counts sequences.
SEQUENCES = 10_000
SHOWN = 20
# Columns in which repeated runs differ by their nature.
REPEATS = ("seed", "run", "runid", "name", "id")


@dataclass(frozen=True, eq=False)
class Sweep(Pictured):
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
        runs: a frame, one row per run that counts: cell (its row in `cells`), what was swept, loss.
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
    runs: Frame = field(kw_only=True)

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
    if noise is not None and noise >= 10:
        raise ValueError(f"noise is the standard deviation of the log of a loss, 0.003 say, got {noise:g}")
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
    skew = bowls.skew_of(cells, len(over))
    cells = [bowls.with_bowls(cell, over, skew) for cell in cells]
    notes += [
        f"in all cells the loss rises faster {'above' if k > 0 else 'below'} the best {name} than on "
        f"the other side (k = {k:g})"
        for name, k in zip(over, skew, strict=True)
        if k
    ]
    shared = bowls.shared_variance(cells) if noise is None else (noise**2, np.inf)
    chance = np.random.default_rng(key)
    lines = [
        {**label, **bowls.answer(cell, over, shared, noise, tolerance, level, n_draws, chance)}
        for label, cell in zip(labels, cells, strict=True)
    ]
    counted = np.setdiff1d(np.arange(len(loss)), apart)
    best = [cell.rows[np.argmin(cell.loss)] for cell in cells if len(cell.rows)]
    return Sweep(
        over,
        by,
        frame(lines),
        _rows_of(table, best, len(loss)),
        tuple(apart.tolist()),
        level,
        tolerance,
        (*found, *_refusals(by, lines), *_mixed(table, parts, x, {*columns.values(), target}), *said),
        tuple(notes),
        runs=columns_frame(
            {"cell": of[counted]}
            | {word: np.exp(x[counted, k]) for k, word in enumerate(over)}
            | {"loss": np.exp(loss[counted])}
        ),
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
    found = columns_named(table, USUAL.get(word, ()))
    said = tables.listed([word])
    remedy = 'y="..."' if word == "y" else f'inputs={{"{said}": "..."}}'
    if len(found) > 1:
        raise ValueError(
            f"columns {' and '.join(map(repr, found))} could each be {word}; say which it is with {remedy}"
        )
    if not found:
        raise ValueError(
            f"no column has a usual name for {said} (there are {tables.listed(table)}); "
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
    raw = tables.array(column, what) if not np.ma.is_masked(column) else np.ma.filled(column, np.nan)
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
                code = bowls.together(np.log(values))
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


def _swept(over: Sequence[str], columns: Mapping[str, str], x: np.ndarray) -> None:
    for k, word in enumerate(over):
        if len(bowls.settings_of(x[:, k])) == 1:
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
        if len(rows) > 3 and loss[rows[1]] - loss[rows[0]] > bowls.FAR:
            below.append(int(rows[0]))
            rows = rows[1:]
        if len(rows):
            above += rows[loss[rows] > loss[rows[0]] + bowls.FAR].tolist()
    said = []
    if len(nothing):
        text = f"{row_words(nothing, names)} without a finite loss: set apart as diverged"
        said.append(Caution("no-value", "info", text))
    if above:
        text = (
            f"{row_words(sorted(above), names)} more than {np.expm1(bowls.FAR):.0%} above the best of "
            f"{'its' if len(above) == 1 else 'their'} cell: set apart as diverged or far from tuned"
        )
        said.append(Caution("far-above", "info", text))
    if below:
        text = (
            f"{row_words(sorted(below), names)} more than {np.expm1(bowls.FAR):.0%} below all others of the "
            "cell: set apart; check that it is the loss of such a run"
        )
        said.append(Caution("alone-below", "warning", text))
    return np.array(sorted([*nothing.tolist(), *above, *below]), int), tuple(said)


def _cell(
    rows: np.ndarray,
    all_rows: np.ndarray,
    x: np.ndarray,
    loss: np.ndarray,
    over: Sequence[str],
) -> bowls.Cell:
    """One cell, or why it has too few settings."""
    p = len(over)
    tried = tuple(bowls.settings_of(x[all_rows, k]) for k in range(p))
    lasting = tuple(bowls.settings_of(x[rows, k]) for k in range(p))
    if not len(rows):
        return bowls.Cell(rows, np.zeros(p), x[rows], loss[rows], tried, lasting, "no run has a loss", ())
    middle = x[rows[np.argmin(loss[rows])]]
    t, own = x[rows] - middle, loss[rows]
    for k, word in enumerate(over):
        if len(lasting[k]) < 3:
            many = len(lasting[k])
            trained = "" if many == len(tried[k]) else " that did not diverge"
            why = f"{word} has {many} setting{'s' * (many != 1)}{trained}, and a minimum needs 3"
            return bowls.Cell(rows, middle, t, own, tried, lasting, why, ())
    need, settings = 1 + 2 * p, len(np.unique(np.stack([bowls.together(c) for c in t.T], axis=1), axis=0))
    if settings < need:
        why = f"{settings} settings cannot tell a bowl in {listed(over)}, which needs {need}"
        return bowls.Cell(rows, middle, t, own, tried, lasting, why, ())
    return bowls.Cell(rows, middle, t, own, tried, lasting, "", ())


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
        codes = np.stack([bowls.together(column) for column in x[rows].T], axis=1)
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


def _rows_of(table: Any, rows: Sequence[int], n: int) -> Frame:
    """These rows of a table with all its columns and its index."""
    if hasattr(table, "iloc"):
        return table.iloc[list(rows)]
    return columns_frame(tables.rows_of(table, list(rows), n))
