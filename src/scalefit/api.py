"""The border: names, frames, dicts and paths become laws and checked arrays; everything below trusts them."""

from __future__ import annotations

import warnings as python_warnings
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
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
    if method not in ("auto", *DESCENTS):
        raise ValueError(f'method must be "auto", "lm" or "lbfgs", got {method!r}')
    begin = _starts(law, starts)
    rows = pad([{**data.x, "y": data.y, "weight": data.weight}], law)
    found = search(law, rows, objective, begin, method, n_starts)
    return _record(law, data, objective, found, columns, notes, int(key))


class Around:
    """Starts spread around given coefficients; see `around`."""

    def __init__(self, values: Mapping[str, float], n_starts: int, factor: float):
        self.values, self.n_starts, self.factor = dict(values), n_starts, factor


def around(values: Mapping[str, float], n_starts: int = 64, factor: float = 10.0) -> Around:
    """For `fit(starts=...)`: `n_starts` starts around these coefficients, the first exactly there.

    Positive coefficients are spread by up to `factor` either way, real ones by up to half of `factor` times
    their size.
    """
    if n_starts < 1 or factor <= 1:
        raise ValueError("around needs n_starts >= 1 and factor > 1")
    return Around(values, int(n_starts), float(factor))


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
    table = _table(runs)
    for name in by:
        _find(table, name, "by")
    data, columns, notes = _data(law, table, inputs, y, None, weight, objective)
    labels = [np.asarray(table[name]) for name in by]
    codes: dict[Any, list[int]] = {}
    for row, label in enumerate(zip(*(values.tolist() for values in labels), strict=True)):
        codes.setdefault(label if len(by) > 1 else label[0], []).append(row)
    datas = {label: Data({k: v[rows] for k, v in data.x.items()}, data.y[rows], data.weight[rows])
             for label, rows in codes.items()}  # fmt: skip
    rows = pad([{**d.x, "y": d.y, "weight": d.weight} for d in datas.values()], law)
    founds = search_all(law, rows, objective, None, method, n_starts)
    return Groups(law, objective, datas, founds, columns, notes, by, int(key))


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
        raise TypeError(f"objective must be made by sf.huber, sf.square, sf.absolute, ...; got {objective!r}")
    return objective


def _starts(law: Law, starts: Any) -> np.ndarray | None:
    """Given starts as coordinates (S, p)."""
    if starts is None:
        return None
    values = [starts.values] if isinstance(starts, Around) else [starts] if isinstance(starts, Mapping) else list(starts)
    if not values:
        raise ValueError("starts is empty; leave it out to have them chosen from the data")
    for k, start in enumerate(values):
        if set(start) != set(law.names):
            raise ValueError(f"start {k} names {', '.join(start)}; the law's coefficients are {', '.join(law.names)}")
        for coef in law.coefs:
            if not (np.isfinite(start[coef.name]) and start[coef.name] in coef.support):
                raise ValueError(f"start {k} has {coef.name} = {start[coef.name]}, which is not {coef.support}")
    if isinstance(starts, Around):
        return spread_around(law, starts.values, starts.n_starts, starts.factor)
    return np.array([[float(c.support.to_real(float(start[c.name]))) for c in law.coefs] for start in values])


def _data(law, runs, inputs, y, group, weight, objective) -> tuple[Data, dict[str, str], tuple[str, ...]]:
    """Checked float64 arrays, which column each came from, and what was guessed."""
    table, inputs = _table(runs), dict(inputs or {})
    for name in inputs:
        if name not in law.inputs:
            raise ValueError(f"law {law.name!r} has no input {name!r}; its inputs are {', '.join(law.inputs)}")
    columns, notes = {}, []
    for name in (*law.inputs, "y"):
        asked = y if name == "y" else inputs.get(name)
        columns[name] = _find(table, asked, name) if asked is not None else _guess(table, name, law, notes)
    x = {name: _numbers(table[columns[name]], columns[name], f"input {name}", positive=True) for name in law.inputs}
    target = _numbers(table[columns["y"]], columns["y"], "y", positive=objective.space == "log")
    n = len(target)
    for name, column in x.items():
        if len(column) != n:
            raise ValueError(f"column {columns[name]!r} has {len(column)} rows and column {columns['y']!r} has {n}; "
                             "give columns of equal length")  # fmt: skip
    if n < 2:
        raise ValueError(f"the table has {'no rows' if n == 0 else 'one row'}; a fit needs several runs")
    if n < len(law.coefs):
        raise ValueError(f"{n} rows cannot determine {len(law.coefs)} coefficients ({', '.join(law.names)}); add runs, or "
                         "hold some with law.fix(...) or law.tie(...)")  # fmt: skip
    labels = None
    if group is not None:
        labels = np.asarray(table[_find(table, group, "group")])
        if len(labels) != n:
            raise ValueError(f"group column {group!r} has {len(labels)} rows, the data have {n}")
    weights = _weights(table, weight, n)
    return Data(x, target, weights, labels), columns, tuple(notes)


def _weights(table, weight, n: int) -> np.ndarray:
    if weight is None:
        return np.ones(n)
    named = isinstance(weight, str)
    values = _numbers(table[_find(table, weight, "weight")] if named else weight, weight if named else "weight", "weight")
    if len(values) != n:
        raise ValueError(f"weight has {len(values)} entries, the data have {n} rows")
    if np.any(values < 0):
        raise ValueError(f"weight is negative in {_rows(values < 0)}; weights must be zero or positive")
    if not np.any(values > 0):
        raise ValueError("every weight is zero; at least some rows must count")
    return values


def _table(runs: Any):
    """Something with named columns: a mapping of sequences or a frame."""
    if isinstance(runs, str | Path):
        runs = read(runs)
    if isinstance(runs, Mapping):
        return runs
    if hasattr(runs, "__dataframe__") or hasattr(runs, "columns"):
        table = to_frame(runs)
        twice = [str(name) for name in table.columns[table.columns.duplicated()]]
        if twice:
            raise ValueError(f"the table has more than one column {twice[0]!r}; rename them")
        return table
    raise TypeError(f"runs must be a frame, a dict of columns or a path to a table, not {type(runs).__name__}")


def _find(table, name: str, role: str) -> str:
    if name in table:
        return name
    have = [str(column) for column in table]
    near = get_close_matches(str(name), have, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; it has {', '.join(have) or 'no columns'}"
    raise ValueError(f"the table has no column {name!r} (for {role}){hint}")


def _guess(table, name: str, law: Law, notes: list[str]) -> str:
    """The one column whose name is a known alias of this input."""
    if name in table:
        return name
    aliases = {_plain(alias) for alias in ALIASES.get(name, (name,))}
    matches = [str(column) for column in table if _plain(column) in aliases]
    said = 'y="..."' if name == "y" else f'inputs={{"{name}": "..."}}'
    if not matches:
        have = ", ".join(str(column) for column in table) or "no columns"
        raise ValueError(f"which column is {name}? none of {have} is a usual name for it; say {said}")
    if len(matches) > 1:
        raise ValueError(f"columns {' and '.join(map(repr, matches))} could both be {name}; say {said}")
    notes.append(f"guessed {name} = column {matches[0]!r}")
    return matches[0]


def _plain(name: Any) -> str:
    text = str(name)
    return text if len(text) == 1 else "".join(filter(str.isalnum, text.lower()))


def _numbers(column: Any, name: str, role: str, positive: bool = False) -> np.ndarray:
    """A column as float64; ValueError naming the first bad rows and what to do."""
    if np.ma.is_masked(column):
        raise ValueError(f"column {name!r} ({role}) has masked entries; remove those rows or fill them in")
    with python_warnings.catch_warnings():
        python_warnings.simplefilter("error")
        try:
            raw = np.asarray(column)
        except (ValueError, TypeError, Warning) as error:
            raise ValueError(f"column {name!r} ({role}) is ragged; give one number per row") from error
    if raw.ndim != 1:
        shape = "a single value" if raw.ndim == 0 else f"an array of shape {raw.shape}"
        raise ValueError(f"column {name!r} ({role}) is {shape}; give one number per row")
    if raw.dtype.kind == "b":
        raise ValueError(f"column {name!r} ({role}) holds true/false, not numbers")
    if raw.dtype.kind in "cmM":
        raise ValueError(f"column {name!r} ({role}) holds {raw.dtype} values, not real numbers; convert it first")
    if raw.dtype.kind in "OUS" or raw.dtype.kind not in "iuf":
        bad = [row for row, value in enumerate(raw.tolist()) if not _is_number(value)]
        if bad:
            raise ValueError(f"column {name!r} ({role}) has {raw.tolist()[bad[0]]!r} in row {bad[0]}"
                             f"{_others(bad)}, which is not a number; clean it, e.g. with pandas.to_numeric")  # fmt: skip
    values = np.array([np.nan if v is None else float(v) for v in raw.tolist()] if raw.dtype.kind == "O" else raw, float)
    if np.any(np.isnan(values)):
        raise ValueError(f"column {name!r} ({role}) has no value (NaN) in {_rows(np.isnan(values))}; drop those rows "
                         "yourself (runs.dropna) or fill them in")  # fmt: skip
    if np.any(np.isinf(values)):
        raise ValueError(f"column {name!r} ({role}) is infinite in {_rows(np.isinf(values))}; a diverged run? drop it yourself")
    if positive and np.any(values <= 0):
        wrapped = raw.dtype.kind == "i" and bool(np.any(values < 0))
        why = " (an integer overflow? compute it in float)" if wrapped else ""
        kind = "negative" if np.any(values < 0) else "zero"
        raise ValueError(f"column {name!r} ({role}) is {kind} in {_rows(values <= 0)}{why}; it must be positive")
    return values


def _is_number(value: Any) -> bool:
    if value is None or type(value).__name__ == "NAType":
        return True
    return not isinstance(value, bool | str | bytes | complex) and hasattr(value, "__float__")


def _rows(bad: np.ndarray) -> str:
    where = np.flatnonzero(bad).tolist()
    return f"row {where[0]}{_others(where)}"


def _others(rows: list[int]) -> str:
    return f" and {len(rows) - 1} more (counting from 0)" if len(rows) > 1 else " (counting from 0)"
