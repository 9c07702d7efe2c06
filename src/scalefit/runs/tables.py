"""Tables as users have them: found columns, checked one by one, each refusal a sentence that says where and what to do."""

from __future__ import annotations

import warnings as python_warnings
from collections.abc import Hashable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from scalefit.arguments import missing, number
from scalefit.core.law import ALLOWED
from scalefit.frames import read, to_frame
from scalefit.words import row_words, short

__all__ = ["find", "labels", "listed", "numbers", "same_length", "shaped", "columns_of", "weights"]

# What numpy's kinds of array that are no numbers hold.
KINDS = {"b": "true/false values", "c": "complex numbers", "m": "time spans", "M": "dates"}


def columns_of(runs: Any):
    """Something with named columns: a mapping of sequences or a frame."""
    if isinstance(runs, str | Path):
        runs = _read(Path(runs))
    if isinstance(runs, Mapping):
        return runs
    if hasattr(runs, "__dataframe__") or hasattr(runs, "columns"):
        table = to_frame(runs)
        twice = [str(name) for name in table.columns[table.columns.duplicated()]]
        if twice:
            raise ValueError(f"the table has more than one column {twice[0]!r}; rename or drop one")
        return table
    raise TypeError(f"runs must be a frame, a dict of columns or a path to a table, not {type(runs).__name__}; "
                    'wrap it, e.g. pandas.DataFrame(runs, columns=["N", "D", "loss"])')  # fmt: skip


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
    raise ValueError(f"the table has no column {name!r} (for {role}); {hint}")


def listed(table) -> str:
    """The names of the first columns, for an error."""
    names = [str(column) for column in table]
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "") or "no columns"


def numbers(
    column: Any, what: str, allowed: str = "a number", output: bool = False, gaps: bool = False
) -> np.ndarray:
    """A column as float64; ValueError naming the first bad rows and what to do. gaps: NaN may stand for no value."""
    if np.ma.is_masked(column):
        rows = row_words(np.flatnonzero(np.ma.getmaskarray(column)))
        raise ValueError(f"{what} is masked in {rows}; fill it in or drop such rows")
    with python_warnings.catch_warnings():
        python_warnings.simplefilter("error")
        try:
            raw = np.asarray(column)
        except (ValueError, TypeError, Warning) as error:
            raise ValueError(
                f"{what} cannot be read as an array (are its entries ragged?); give one number per row"
            ) from error
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
            raise ValueError(f"{what} has {short(cells[bad[0]])} in {row_words(bad)}, which is not a number; "
                             "correct it, e.g. with pandas.to_numeric")  # fmt: skip
        values = np.array(found, float)
    if np.any(np.isnan(values)) and not gaps:
        raise ValueError(f"{what} has no value (NaN) in {row_words(np.flatnonzero(np.isnan(values)))}; fill it in or drop "
                         "such rows, e.g. with runs.dropna()")  # fmt: skip
    if np.any(np.isinf(values)):
        raise ValueError(f"{what} is infinite in {row_words(np.flatnonzero(np.isinf(values)))} "
                         f"({'a diverged run' if output else 'an overflow'}?); correct or drop such rows")  # fmt: skip
    least, most = ALLOWED[allowed]
    outside = np.flatnonzero((values < least) | (values > most))
    if len(outside) and allowed != "positive":
        raise ValueError(f"{what} is {values[outside[0]]:g} in {row_words(outside)}; it must be {allowed}, so correct or "
                         "drop such rows")  # fmt: skip
    if len(outside):
        signs = " or ".join(["zero"] * bool(np.any(values == 0)) + ["negative"] * bool(np.any(values < 0)))
        wrapped = (
            " (an integer overflow? compute it in float)"
            if raw.dtype.kind == "i" and np.any(values < 0)
            else ""
        )
        remedy = ('correct or drop such rows, or fit linear residuals with objective=sf.huber(1e-3, "linear")' if output
                  else "it must be positive, so correct or drop such rows")  # fmt: skip
        raise ValueError(f"{what} is {signs} in {row_words(outside)}{wrapped}; {remedy}")
    return values


def shaped(values: Any, what: str, allowed: str = "a number") -> np.ndarray:
    """Numbers of any shape, a single one too, checked like a column."""
    shape = np.shape(values)
    return numbers([values] if shape == () else np.ravel(np.asarray(values)), what, allowed).reshape(shape)


def weights(table, weight, n: int) -> np.ndarray:
    """One number per row from a column's name, from numbers, or from nothing (all one)."""
    if weight is None:
        return np.ones(n)
    named = isinstance(weight, str)
    what = f"column {weight!r} (weight)" if named else "weight"
    values = numbers(table[find(table, weight, "weight")] if named else weight, what)
    same_length(what, len(values), n)
    if np.any(values < 0):
        raise ValueError(
            f"{what} is negative in {row_words(np.flatnonzero(values < 0))}; weights must be zero or positive"
        )
    if not np.any(values > 0):
        raise ValueError(f"{what} is zero in every row; at least some rows must count")
    return values


def labels(table, name: str, role: str, n: int) -> np.ndarray:
    """A column that says which rows belong together; every row must say so."""
    values = np.asarray(table[find(table, name, role)])
    what = f"column {name!r} ({role})"
    if values.ndim != 1:
        raise ValueError(f"{what} is not a plain column; give one label per row")
    same_length(what, len(values), n)
    # Text and whole numbers cannot be missing, and a long log has a million.
    known = values.dtype.kind in "iuUS"
    blank = np.array([] if known else [missing(label) for label in values.tolist()], bool)
    if np.any(blank):
        raise ValueError(
            f"{what} has no label in {row_words(np.flatnonzero(blank))}; label or drop such rows"
        )
    return values


def same_length(what: str, n: int, expected: int, other: str = "the data") -> None:
    """ValueError where two columns differ in length."""
    if n != expected:
        raise ValueError(f"{what} has {n} rows and {other} {expected}; give columns of equal length")


def _read(path: Path):
    if path.is_dir():
        raise ValueError(f"{str(path)!r} is a directory; give the path of one table in it")
    try:
        return read(path)
    except Exception as error:
        # Errors that name the file are ours; the rest are a parser's.
        if path.name in str(error):
            raise
        reason = str(error).strip().rpartition(". ")[2][:100]
        raise ValueError(f"{path.name!r} cannot be read as a table ({reason}); check the file") from error
