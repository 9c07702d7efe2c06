"""Tables as users have them: found columns, checked one by one,
each refusal a sentence that says where and what to do."""

from __future__ import annotations

import re
import warnings as python_warnings
from collections.abc import Hashable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from scalefit.arguments import missing, number
from scalefit.core.data import Others, codes
from scalefit.core.law import ALLOWED
from scalefit.files import Written, number_in
from scalefit.frames import columns, to_frame
from scalefit.words import row_words, short

__all__ = [
    "amounts",
    "array",
    "find",
    "labels",
    "listed",
    "looked_at",
    "notes_of",
    "numbers",
    "others",
    "row_names",
    "rows_of",
    "same_length",
    "shaped",
    "columns_of",
    "weights",
]

# A table of more rows is looked at in blocks of neighbours, one of more columns in the first.
MOST_ROWS, BLOCK, MOST_COLUMNS = 20_000, 200, 100
# Labels of a column with more than these are runs' own names, and not kept.
MOST_LABELS = 1000

# What numpy's kinds of array that are no numbers hold.
KINDS = {"b": "true/false values", "c": "complex numbers", "m": "time spans", "M": "dates"}


def columns_of(runs: Any):
    """Something with named columns: a mapping of sequences or a frame."""
    if isinstance(runs, str | Path):
        if Path(runs).is_dir():
            raise ValueError(f"{str(runs)!r} is a directory; give the path of one table in it")
        runs = columns(runs)
    if isinstance(runs, Mapping):
        if runs and all(isinstance(record, Mapping) for record in runs.values()):
            raise TypeError(
                f"runs holds a record by name ({short(next(iter(runs)))}, ...), and a table is wanted: give "
                'pandas.DataFrame.from_dict(runs, orient="index")'
            )
        return runs
    table = to_frame(runs)
    if hasattr(table, "iloc") and hasattr(table, "columns"):
        twice = [str(name) for name in table.columns[table.columns.duplicated()]]
        if twice:
            raise ValueError(f"the table has more than one column {twice[0]!r}; rename or drop one")
        return table
    raise TypeError(
        f"runs must be a frame, a dict of columns or a path to a table, not {type(runs).__name__}; "
        + (
            "make columns of its records with pandas.json_normalize(runs)"
            if isinstance(runs, list) and runs and all(isinstance(record, Mapping) for record in runs)
            else 'wrap it, e.g. pandas.DataFrame(runs, columns=["N", "D", "loss"])'
        )
    )


def notes_of(table: Any) -> tuple[str, ...]:
    """What was decided when a table was read from its file."""
    return tuple(getattr(table, "attrs", {}).get("notes", ()))


def rows_of(table: Any, rows: Any, n: int) -> dict[Any, np.ndarray]:
    """These rows of a table of n, without columns that are no cell for each."""
    found = {}
    for name in table:
        try:
            column = np.asarray(table[name])
        except ValueError:  # lists of several lengths
            continue
        if column.shape == (n,):
            found[name] = column[rows]
    return found


def find(table, name: Any, role: str) -> Any:
    """The name itself, where the table has such a column."""
    if not isinstance(name, Hashable):
        raise TypeError(
            f"{role} must be the name of a column, not {type(name).__name__}; put the numbers into the table"
        )
    if name in table:
        return name
    near = get_close_matches(str(name), [str(column) for column in table], n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"choose one of {listed(table)}"
    raise ValueError(f"the table has no column {short(name)} (for {role}); {hint}")


def listed(table) -> str:
    """The names of the first columns, for an error."""
    names = [" ".join(str(column).split()) for column in table]
    names = [name if len(name) <= 40 else f"{name[:37]}..." for name in names]
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "") or "no columns"


def numbers(
    column: Any, what: str, allowed: str = "a number", output: bool = False, gaps: bool = False
) -> np.ndarray:
    """A column as float64; ValueError naming the first bad rows and what to do. gaps:
    NaN may stand for no value."""

    def where(rows: Any) -> str:
        return row_words(rows, row_names(column))

    if np.ma.is_masked(column):
        rows = where(np.flatnonzero(np.ma.getmaskarray(column)))
        raise ValueError(f"{what} is masked in {rows}; fill it in or drop such rows")
    raw = array(column, what)
    if raw.ndim != 1:
        shape = "a single value" if raw.ndim == 0 else f"an array of shape {raw.shape}"
        raise ValueError(f"{what} is {shape}; give one number per row")
    if raw.dtype.kind in KINDS:
        raise ValueError(f"{what} holds {KINDS[raw.dtype.kind]}; give one real number per row")
    if raw.dtype.kind in "iuf":
        values = raw.astype(float)
    else:
        # From the column itself: numpy makes text of every entry of a list if one of them is.
        cells = np.asarray(column, object).tolist()
        found = [number(cell) for cell in cells]
        bad = [row for row, value in enumerate(found) if value is None]
        if bad:
            # A word below a column of numbers, such as a total, makes texts of all of them:
            # it alone is to blame.
            bad = [row for row in bad if not (isinstance(cells[row], str) and number_in(cells[row]))] or bad
            cell = cells[bad[0]]
            raise ValueError(
                f"{what} has {short(cell)} in {where(bad)}, which is not a number; {_remedy(cell)}"
            )
        values = np.array(found, float)
    if np.any(np.isnan(values)) and not gaps:
        raise ValueError(
            f"{what} has no value (NaN) in {where(np.flatnonzero(np.isnan(values)))}; fill it in or drop "
            f"such rows, e.g. with runs.dropna({_subset(what)}), "
            f"in polars runs.drop_nulls({_subset(what, '')})"
        )
    if np.any(np.isinf(values)):
        raise ValueError(
            f"{what} is infinite in {where(np.flatnonzero(np.isinf(values)))} "
            f"({'a diverged run' if output else 'an overflow'}?); correct or drop such rows"
        )
    least, most = ALLOWED[allowed]
    outside = np.flatnonzero((values < least) | (values > most))
    if len(outside) and allowed != "positive":
        raise ValueError(
            f"{what} is {values[outside[0]]:g} in {where(outside)}; it must be {allowed}, so correct or "
            "drop such rows"
        )
    if len(outside):
        signs = " or ".join(["zero"] * bool(np.any(values == 0)) + ["negative"] * bool(np.any(values < 0)))
        wrapped = (
            " (an integer overflow? compute it in float)"
            if raw.dtype.kind == "i" and np.any(values < 0)
            else ""
        )
        remedy = (
            'correct or drop such rows, or fit linear residuals with objective=sf.huber(1e-3, "linear")'
            if output
            else "it must be positive, so correct or drop such rows"
        )
        raise ValueError(f"{what} is {signs} in {where(outside)}{wrapped}; {remedy}")
    return values


def _subset(what: str, keyword: str = "subset=") -> str:
    """The column that is looked at, as `dropna` is told it: others may be empty in every row."""
    named = re.match(r"column ('.*'|\".*\")(?: \(|$)", what)
    return f"{keyword}[{named[1]}]" if named else ""


def array(column: Any, what: str) -> np.ndarray:
    """A column as numpy reads it; ValueError where its entries are lists of several lengths."""
    with python_warnings.catch_warnings():
        python_warnings.simplefilter("error")
        try:
            return np.asarray(column)
        except (ValueError, TypeError, Warning) as error:
            raise ValueError(
                f"{what} cannot be read as an array (are its entries ragged?); give one number per row"
            ) from error


def _remedy(cell: Any) -> str:
    """What to do about a cell that is no number."""
    value = number_in(cell) if isinstance(cell, str) else None
    if value is not None and np.isfinite(value) and not _is_float(cell):
        return f"write it as {value:g}"
    if value is None and isinstance(cell, str):
        return 'correct or drop such rows, e.g. with pandas.to_numeric(..., errors="coerce") and dropna'
    return "correct it, e.g. with pandas.to_numeric" if isinstance(cell, str) else "correct or drop such rows"


def _is_float(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def row_names(column: Any) -> Sequence[Any] | None:
    """The names of a column's rows, where they have others than their numbers."""
    index = getattr(column, "index", None)
    if index is None or callable(index) or not hasattr(index, "tolist"):
        return None
    names = index.tolist()
    return None if names == list(range(len(names))) else names


def amounts(column: Any) -> list[Written]:
    """The texts of a column that write out amounts, such as "53.3M"."""
    values = np.asarray(column)
    return [cell for cell in values if isinstance(cell, Written)] if values.dtype == object else []


def shaped(values: Any, what: str, allowed: str = "a number") -> np.ndarray:
    """Numbers of any shape, a single one too, checked like a column."""
    try:
        shape = np.shape(values)
    except ValueError as error:
        raise ValueError(f"{what} has entries of several lengths; give one number per row") from error
    return numbers([values] if shape == () else np.ravel(np.asarray(values)), what, allowed).reshape(shape)


def weights(table, weight, n: int) -> np.ndarray:
    """One number per row from a column's name, from numbers, or from nothing (all one)."""
    if weight is None:
        return np.ones(n)
    named = isinstance(weight, str)
    what = f"column {weight!r} (weight)" if named else "weight"
    column = table[find(table, weight, "weight")] if named else weight
    values = numbers(column, what)
    same_length(what, len(values), n)
    if np.any(values < 0):
        rows = row_words(np.flatnonzero(values < 0), row_names(column))
        raise ValueError(f"{what} is negative in {rows}; weights must be zero or positive")
    if not np.any(values > 0):
        raise ValueError(f"{what} is zero in every row; at least some rows must count")
    return values


def labels(table, name: str, role: str, n: int) -> np.ndarray:
    """A column that says which rows belong together; every row must say so."""
    column, what = table[find(table, name, role)], f"column {name!r} ({role})"
    values = array(column, what)
    if values.ndim != 1:
        raise ValueError(f"{what} is not a plain column; give one label per row")
    same_length(what, len(values), n)
    # Text and whole numbers cannot be missing, and a long log has a million.
    known = values.dtype.kind in "iuUS"
    blank = np.array([] if known else [missing(label) for label in values.tolist()], bool)
    if np.any(blank):
        raise ValueError(
            f"{what} has no label in {row_words(np.flatnonzero(blank), row_names(column))}; "
            "label or drop such rows"
        )
    return values


def others(table: Any, used: Iterable[Any], n: int) -> Others | None:
    """The columns of a table of n rows that are not used, numbers as they are and labels by their places.

    A column that holds no plain numbers or labels, or is of another length, says nothing about rows and is
    left out. Of many rows only some are looked at (blocks of neighbours, spread evenly), of many columns the
    first: what a table hides shows there too, and a large one must not cost more than its fit.
    """
    used = set(used)
    names = [name for name in table if name not in used]
    if not names:
        return None
    rows = looked_at(n)
    columns: dict[str, np.ndarray] = {}
    labelled: dict[str, tuple[Any, ...]] = {}
    for name in names[:MOST_COLUMNS]:
        values = _plain(table[name], n, rows)
        if values is None:
            continue
        if values.dtype.kind in "fiub":
            columns[str(name)] = values.astype(float)
            continue
        try:
            known = tuple(label for label in dict.fromkeys(values.tolist()) if label is not None)
        except TypeError:  # cells that are lists or the like
            continue
        places = codes(values, known) if known else np.full(len(values), -1.0)
        columns[str(name)] = np.where(places < 0, np.nan, places)
        labelled[str(name)] = tuple(str(label)[:40] for label in known) if len(known) <= MOST_LABELS else ()
    return Others(columns, labelled, rows, max(len(names) - MOST_COLUMNS, 0))


def looked_at(n: int) -> np.ndarray | None:
    """Which of n rows are looked at, ascending; None for all."""
    if n <= MOST_ROWS:
        return None
    begins = np.linspace(0, n - BLOCK, MOST_ROWS // BLOCK).astype(int)
    return np.unique(begins[:, None] + np.arange(BLOCK))


def _plain(column: Any, n: int, rows: np.ndarray | None) -> np.ndarray | None:
    """A column as an array of numbers or labels, dates as numbers; None for anything else."""
    try:
        with python_warnings.catch_warnings():
            python_warnings.simplefilter("ignore")
            values = np.asarray(column)
    except (ValueError, TypeError):
        return None
    if values.ndim != 1 or len(values) != n:
        return None
    values = values if rows is None else values[rows]
    if values.dtype.kind in "mM":
        gone = np.isnat(values)
        return np.where(gone, np.nan, values.astype("int64").astype(float))
    if values.dtype.kind == "O":
        values = values.copy()
        values[[missing(cell) for cell in values.tolist()]] = None
    return values if values.dtype.kind in "fiubOUST" else None


def same_length(what: str, n: int, expected: int, other: str = "the data") -> None:
    """ValueError where two columns differ in length."""
    if n != expected:
        raise ValueError(f"{what} has {n} rows and {other} {expected}; give columns of equal length")
