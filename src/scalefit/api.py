"""The border: names, frames, dicts and paths become laws and checked arrays; everything below trusts them."""

from __future__ import annotations

import warnings as python_warnings
from collections.abc import Hashable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from operator import index
from pathlib import Path
from typing import Any

import numpy as np

from scalefit import diagnose, laws
from scalefit.core.data import Data
from scalefit.core.law import Law
from scalefit.core.linear import covariance, sharpen
from scalefit.core.objective import Objective, huber
from scalefit.core.search import pad, search, search_all
from scalefit.core.solve import DESCENTS
from scalefit.core.starts import around as spread_around
from scalefit.diagnose import row_words
from scalefit.fit import Fit, Status
from scalefit.frames import frame, read, to_frame

__all__ = ["ALIASES", "Groups", "around", "fit", "fit_groups"]

# Column names that are recognised when `inputs` or `y` leave them out (case and punctuation aside).
ALIASES: Mapping[str, tuple[str, ...]] = {
    "N": ("N", "n_params", "params", "parameters", "num_params", "model_size", "n_params_no_embed"),
    "D": ("D", "n_tokens", "tokens", "num_tokens", "train_tokens", "training_tokens"),
    "C": ("C", "flops", "compute", "train_flops", "training_flops"),
    "y": ("y", "loss", "L", "val_loss", "eval_loss", "test_loss", "final_loss", "validation_loss"),
}
OBJECTIVES = {"loss": huber(1e-3, "log")}
# What numpy's kinds of array that are no numbers hold.
KINDS = {"b": "true/false values", "c": "complex numbers", "m": "time spans", "M": "dates"}


def fit(law: str | Law, runs: Any, inputs: Mapping[str, str] | None = None, y: str | None = None,
        group: str | None = None, objective: Objective | None = None, weight: str | Sequence[float] | None = None,
        starts: Any = None, key: int = 0, *, method: str = "auto", n_starts: int | None = None) -> Fit:  # fmt: skip
    """Fit a law to a table of runs; the result says first whether it can be trusted.

    law: an id of `sf.laws`, or a Law. runs: a pandas frame (or anything with the dataframe interchange
    protocol), a dict of equal-length columns, or a path to a CSV, TSV, Parquet or JSON-lines file.
    inputs: the law's inputs -> column names, e.g. {"N": "n_params", "D": "n_tokens"}; y: the column the law
    predicts. Both may be left out where the names are in `sf.ALIASES`; the guess is stated in the summary.
    group: column that says which rows belong together (one training run, say); kept for resampling.
    objective: `sf.huber(1e-3)` on log loss unless given. weight: column or numbers, one per row, >= 0.
    starts: None (screened from the data), one dict of coefficients or a list of them (descended from exactly
    these), or `sf.around({...})`. method: "lm", "lbfgs" or "auto". n_starts: how many screened starts to descend.
    key: recorded with the fit; the search itself draws nothing at random.

    Raises ValueError with one sentence for data that cannot be fitted as they are. Nothing is dropped.
    """
    law = _law(law)
    objective = _objective(law, objective)
    data, columns, notes = _data(law, runs, inputs, y, group, weight, objective)
    _method(method)
    begin, n_starts, key = _starts(law, starts), _n_starts(n_starts), _whole(key, "key", 0)
    rows = pad([{**data.x, "y": data.y, "weight": data.weight}], law)
    found = search(law, rows, objective, begin, method, n_starts)
    return _record(law, data, objective, found, columns, notes, key)


class Around:
    """Starts spread around given coefficients; see `around`."""

    def __init__(self, values: Mapping[str, float], n_starts: int, factor: float):
        self.values, self.n_starts, self.factor = dict(values), n_starts, factor


def around(values: Mapping[str, float], n_starts: int = 64, factor: float = 10.0) -> Around:
    """For `fit(starts=...)`: `n_starts` starts around these coefficients, the first exactly there.

    Positive coefficients are spread by up to `factor` either way, real ones by up to half of `factor` times
    their size.
    """
    if not isinstance(values, Mapping):
        raise TypeError(f"around needs a dict of coefficients, not {type(values).__name__}")
    if not factor > 1:
        raise ValueError(f"around needs a factor above 1, got {factor}")
    return Around(values, _whole(n_starts, "n_starts", 1), float(factor))


class Groups(Mapping):
    """Many fits of one law, by group: a mapping from label to Fit; `table()` shows them side by side."""

    def __init__(self, law, objective, datas, founds, columns, notes, by, key):
        self._parts = dict(zip(datas, zip(datas.values(), founds, strict=True), strict=True))
        self._law, self._objective, self._columns, self._notes = law, objective, columns, notes
        self._by, self._key = tuple(by), key

    def __getitem__(self, label: Any) -> Fit:
        data, found = self._parts[label]
        return _record(self._law, data, self._objective, found, self._columns, self._notes, self._key)

    def __iter__(self):
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def table(self):
        """One row per group: labels, coefficients, objective, rows, starts that agreed, converged."""
        def record(label, data, found):
            labels = label if isinstance(label, tuple) else (label,)
            u = found.ends.u[found.best]
            values = {c.name: float(c.support.from_real(v, xp=np)) for c, v in zip(self._law.coefs, u, strict=True)}
            return {**dict(zip(self._by, labels, strict=True)), **values, "value": found.ends.value[found.best],
                    "n_rows": len(data), "n_agree": found.n_agree, "n_starts": len(found.ends.value),
                    "converged": bool(found.ends.converged[found.best])}  # fmt: skip

        return frame(record(label, *parts) for label, parts in self._parts.items())


def fit_groups(law: str | Law, runs: Any, by: str | Sequence[str], inputs: Mapping[str, str] | None = None,
               y: str | None = None, objective: Objective | None = None, weight: str | None = None,
               key: int = 0, *, method: str = "auto", n_starts: int | None = None) -> Groups:  # fmt: skip
    """One fit per group of rows, thousands in one compiled call.

    by: the column or columns whose values make a group. Returns a mapping from group label to `Fit`, with
    `.table()` for coefficients and statuses as a frame. Other arguments as in `fit`.
    """
    law = _law(law)
    objective = _objective(law, objective)
    by = (by,) if isinstance(by, str) else tuple(by)
    if not by:
        raise ValueError("by names no column; name one whose values make the groups, or use sf.fit")
    _method(method)
    table, n_starts, key = _table(runs), _n_starts(n_starts), _whole(key, "key", 0)
    for name in by:
        _find(table, name, "by")
    data, columns, notes = _data(law, table, inputs, y, None, weight, objective)
    labels = [_labels(table, name, "by", len(data)) for name in by]
    codes: dict[Any, list[int]] = {}
    for row, label in enumerate(zip(*(values.tolist() for values in labels), strict=True)):
        codes.setdefault(label if len(by) > 1 else label[0], []).append(row)
    datas = {label: Data({k: v[rows] for k, v in data.x.items()}, data.y[rows], data.weight[rows])
             for label, rows in codes.items()}  # fmt: skip
    rows = pad([{**d.x, "y": d.y, "weight": d.weight} for d in datas.values()], law)
    founds = search_all(law, rows, objective, None, method, n_starts)
    return Groups(law, objective, datas, founds, columns, notes, by, key)


def _record(law, data, objective, found, columns, notes, key) -> Fit:
    """A search's outcome as a Fit: last digits, covariance, what could be wrong."""
    u, linear = sharpen(law, data, objective, found.ends.u[found.best])
    coefs = {c.name: float(c.support.from_real(v, xp=np)) for c, v in zip(law.coefs, u, strict=True)}
    spread = covariance(objective, linear, data.weight)
    case = diagnose.Case(law, data, objective, u, coefs, linear, spread, found, columns)
    notices = diagnose.cautions(case)
    worst = {c.severity for c in notices}
    trust = "bad" if "serious" in worst else "weak" if "warning" in worst else "good"
    ends, codes = found.ends, tuple(dict.fromkeys(c.code for c in notices if c.severity != "info"))
    status = Status(trust, bool(ends.converged[found.best]), len(ends.value), found.n_agree,
                    float(ends.gradient[found.best]), int(np.sum(ends.evaluations)), codes)  # fmt: skip
    value = float(np.sum(data.weight * linear.cost))
    return Fit(law, coefs, data, objective, value, status, notices, spread, ends, None, columns, notes, key)


def _law(law: str | Law) -> Law:
    if isinstance(law, Law):
        return law
    if isinstance(law, str):
        return laws.get(law)
    raise TypeError("law must be an id of sf.laws or a Law; make one from a function with sf.law(fn)")


def _objective(law: Law, objective: Objective | None) -> Objective:
    if objective is None:
        return OBJECTIVES.get(law.predicts, OBJECTIVES["loss"])
    if not isinstance(objective, Objective):
        raise TypeError(f"objective must be made by a call such as sf.huber(1e-3) or sf.square(), got {_short(objective)}")
    return objective


def _method(method: str) -> None:
    if method not in ("auto", *DESCENTS):
        raise ValueError(f'method must be "auto", "lm" or "lbfgs", got {_short(method)}')


def _n_starts(n_starts: int | None) -> int | None:
    return None if n_starts is None else _whole(n_starts, "n_starts", 1)


def _whole(value: Any, name: str, least: int) -> int:
    try:
        number = index(value)
    except TypeError:
        number = least - 1
    if number < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {_short(value)}")
    return number


def _starts(law: Law, starts: Any) -> np.ndarray | None:
    """Given starts as coordinates (S, p)."""
    if starts is None:
        return None
    values = [starts.values] if isinstance(starts, Around) else [starts] if isinstance(starts, Mapping) else starts
    if not isinstance(values, Iterable) or isinstance(values, str):
        raise TypeError(f"starts must be a dict of coefficients, a list of them or sf.around({{...}}), got {_short(starts)}")
    values = list(values)
    if not values:
        raise ValueError("starts is empty; leave it out to have them chosen from the data")
    for k, start in enumerate(values):
        if not isinstance(start, Mapping):
            raise TypeError(f"start {k} is {_short(start)}; give a dict with {', '.join(law.names)}")
        wrong = [f"lacks {name}" for name in law.names if name not in start]
        wrong += [f"has {name!r}, which {law.name!r} does not" for name in start if name not in law.names]
        if wrong:
            raise ValueError(f"start {k} {wrong[0]}; give exactly {', '.join(law.names)}")
        for coef in law.coefs:
            value = _number(start[coef.name])
            if value is None or not (np.isfinite(value) and value in coef.support):
                raise ValueError(f"start {k} has {coef.name} = {_short(start[coef.name])}; it must be a finite number, "
                                 f"{coef.support}")  # fmt: skip
    if isinstance(starts, Around):
        return spread_around(law, starts.values, starts.n_starts, starts.factor)
    return np.array([[float(c.support.to_real(float(start[c.name]))) for c in law.coefs] for start in values])


def _data(law, runs, inputs, y, group, weight, objective) -> tuple[Data, dict[str, str], tuple[str, ...]]:
    """Checked float64 arrays, which column each came from, and what was guessed."""
    if not isinstance(inputs, Mapping | None):
        like = ", ".join(f'"{name}": "..."' for name in law.inputs)
        raise TypeError(f"inputs must map the law's inputs to column names, {{{like}}}, got {_short(inputs)}")
    table, inputs = _table(runs), dict(inputs or {})
    for name in inputs:
        if name not in law.inputs:
            raise ValueError(f"law {law.name!r} has no input {name!r}; its inputs are {', '.join(law.inputs)}")
    columns: dict[str, str] = {}
    notes: list[str] = []
    for name in (*law.inputs, "y"):
        asked = y if name == "y" else inputs.get(name)
        column = _find(table, asked, name) if asked is not None else _guess(table, name, law, notes)
        twin = next((other for other, used in columns.items() if used == column), None)
        if twin:
            raise ValueError(f"{twin} and {name} are both column {column!r}; give each its own")
        columns[name] = column
    x = {name: _numbers(table[columns[name]], f"column {columns[name]!r} (input {name})", positive=True)
         for name in law.inputs}  # fmt: skip
    target = _numbers(table[columns["y"]], f"column {columns['y']!r} (y)", positive=objective.space == "log", output=True)
    n = len(target)
    for name, values in x.items():
        _same_length(f"column {columns[name]!r}", len(values), n, f"column {columns['y']!r}")
    if n < 2:
        raise ValueError(f"the table has {'no rows' if n == 0 else 'one row'}; a fit needs several runs, one per row")
    weights = _weights(table, weight, n)
    counted = int(np.count_nonzero(weights))
    if counted < len(law.coefs):
        some = "" if counted == n else " with weight"
        raise ValueError(f"{counted} rows{some} cannot determine {len(law.coefs)} coefficients ({', '.join(law.names)}); add runs, or "
                         "hold some with law.fix(...) or law.tie(...)")  # fmt: skip
    labels = None if group is None else _labels(table, group, "group", n)
    return Data(x, target, weights, labels), columns, tuple(notes)


def _same_length(what: str, n: int, expected: int, other: str = "the data") -> None:
    if n != expected:
        raise ValueError(f"{what} has {n} rows and {other} {expected}; give columns of equal length")


def _labels(table, name: str, role: str, n: int) -> np.ndarray:
    """A column that says which rows belong together; every row must say so."""
    labels = np.asarray(table[_find(table, name, role)])
    what = f"column {name!r} ({role})"
    if labels.ndim != 1:
        raise ValueError(f"{what} is not a plain column; give one label per row")
    _same_length(what, len(labels), n)
    missing = np.array([_missing(label) for label in labels.tolist()], bool)
    if np.any(missing):
        raise ValueError(f"{what} has no label in {row_words(np.flatnonzero(missing))}; label or drop such rows")
    return labels


def _weights(table, weight, n: int) -> np.ndarray:
    if weight is None:
        return np.ones(n)
    named = isinstance(weight, str)
    what = f"column {weight!r} (weight)" if named else "weight"
    values = _numbers(table[_find(table, weight, "weight")] if named else weight, what)
    _same_length(what, len(values), n)
    if np.any(values < 0):
        raise ValueError(f"{what} is negative in {row_words(np.flatnonzero(values < 0))}; weights must be zero or positive")
    if not np.any(values > 0):
        raise ValueError(f"{what} is zero in every row; at least some rows must count")
    return values


def _table(runs: Any):
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


def _find(table, name: Any, role: str) -> Any:
    if not isinstance(name, Hashable):
        raise TypeError(f"{role} must be the name of a column, not {type(name).__name__}; put the numbers into the table")
    if name in table:
        return name
    near = get_close_matches(str(name), [str(column) for column in table], n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"choose one of {_listed(table)}"
    raise ValueError(f"the table has no column {name!r} (for {role}); {hint}")


def _guess(table, name: str, law: Law, notes: list[str]) -> str:
    """The one column whose name is a known alias of this input."""
    if name in table:
        return name
    aliases = {_plain(alias) for alias in ALIASES.get(name, (name,))}
    matches = [str(column) for column in table if _plain(column) in aliases]
    said = 'y="..."' if name == "y" else f'inputs={{"{name}": "..."}}'
    if not matches:
        raise ValueError(f"no column has a usual name for {name} (there are {_listed(table)}); say which it is with {said}")
    if len(matches) > 1:
        raise ValueError(f"columns {' and '.join(map(repr, matches))} could each be {name}; say which it is with {said}")
    notes.append(f"guessed {name} = column {matches[0]!r}")
    return matches[0]


def _listed(table) -> str:
    names = [str(column) for column in table]
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "") or "no columns"


def _plain(name: Any) -> str:
    text = str(name)
    return text if len(text) == 1 else "".join(filter(str.isalnum, text.lower()))


def _numbers(column: Any, what: str, positive: bool = False, output: bool = False) -> np.ndarray:
    """A column as float64; ValueError naming the first bad rows and what to do."""
    if np.ma.is_masked(column):
        rows = row_words(np.flatnonzero(np.ma.getmaskarray(column)))
        raise ValueError(f"{what} is masked in {rows}; fill it in or drop such rows")
    with python_warnings.catch_warnings():
        python_warnings.simplefilter("error")
        try:
            raw = np.asarray(column)
        except (ValueError, TypeError, Warning) as error:
            raise ValueError(f"{what} cannot be read as an array (are its entries ragged?); give one number per row") from error
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
        numbers = [_number(cell) for cell in cells]
        bad = [row for row, number in enumerate(numbers) if number is None]
        if bad:
            raise ValueError(f"{what} has {_short(cells[bad[0]])} in {row_words(bad)}, which is not a number; "
                             "correct it, e.g. with pandas.to_numeric")  # fmt: skip
        values = np.array(numbers, float)
    if np.any(np.isnan(values)):
        raise ValueError(f"{what} has no value (NaN) in {row_words(np.flatnonzero(np.isnan(values)))}; fill it in or drop "
                         "such rows, e.g. with runs.dropna()")  # fmt: skip
    if np.any(np.isinf(values)):
        raise ValueError(f"{what} is infinite in {row_words(np.flatnonzero(np.isinf(values)))} "
                         f"({'a diverged run' if output else 'an overflow'}?); correct or drop such rows")  # fmt: skip
    if positive and np.any(values <= 0):
        signs = " or ".join(["zero"] * bool(np.any(values == 0)) + ["negative"] * bool(np.any(values < 0)))
        wrapped = " (an integer overflow? compute it in float)" if raw.dtype.kind == "i" and np.any(values < 0) else ""
        remedy = ('correct or drop such rows, or fit linear residuals with objective=sf.huber(1e-3, "linear")' if output
                  else "it must be positive, so correct or drop such rows")  # fmt: skip
        raise ValueError(f"{what} is {signs} in {row_words(np.flatnonzero(values <= 0))}{wrapped}; {remedy}")
    return values


def _number(cell: Any) -> float | None:
    """One cell as a float: NaN where there is no value, None where it is not a number."""
    if _missing(cell):
        return np.nan
    if isinstance(cell, bool | np.bool_ | str | bytes | complex | np.complexfloating):
        return None
    try:
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        return None


def _missing(cell: Any) -> bool:
    return cell is None or type(cell).__name__ in ("NAType", "NaTType") or (isinstance(cell, float) and cell != cell)


def _short(value: Any) -> str:
    """What was given, short enough for one line of an error."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
