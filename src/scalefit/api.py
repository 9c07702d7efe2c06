"""The border: names, frames, dicts and paths become laws and checked arrays; everything below trusts them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from operator import index
from typing import Any, NamedTuple

import numpy as np

from scalefit import diagnose, laws, tables
from scalefit.core.data import Data, codes
from scalefit.core.law import Input, Law
from scalefit.core.linear import clustered, covariance, linearise, sharpen
from scalefit.core.objective import Objective, huber
from scalefit.core.search import pad, search, search_all
from scalefit.core.solve import DESCENTS, Ends
from scalefit.core.starts import around as spread_around
from scalefit.flops import check_counting
from scalefit.frames import frame
from scalefit.laws.inputs import ALIASES as INPUT_ALIASES
from scalefit.result import Fit, Status

__all__ = ["ALIASES", "Groups", "around", "chain", "fit", "fit_groups"]

# Column names that are recognised when `inputs` or `y` leave them out (case and punctuation aside).
ALIASES: Mapping[str, tuple[str, ...]] = {
    **INPUT_ALIASES,
    "y": ("y", "loss", "L", "val_loss", "eval_loss", "test_loss", "final_loss", "validation_loss"),
}


# Words in the name of N's column that say which parameters it counts.
NAMED = {"non-embedding": ("nonemb", "noemb", "withoutemb"), "active": ("active",), "total": ("total",)}


class Output(NamedTuple):
    """What a law predicts: the objective it is fitted with unless another is given, usual names of its column."""

    objective: Objective
    aliases: tuple[str, ...]


OUTPUTS = {
    "loss": Output(huber(1e-3, "log"), ALIASES["y"]),
    "error": Output(huber(1e-2, "log"), ("y", "error", "err", "error_rate")),
    "accuracy": Output(huber(1e-2, "linear"), ("y", "accuracy", "acc", "score", "success", "pass_rate")),
    "count": Output(huber(1e-2, "log"), ("y",)),
    "rate": Output(huber(1e-2, "log"), ("y", "lr", "learning_rate", "peak_lr")),
    "change": Output(huber(1e-3, "linear"), ("y",)),
}


def fit(law: str | Law, runs: Any, inputs: Mapping[str, str] | None = None, y: str | None = None,
        group: str | None = None, objective: Objective | None = None, weight: str | Sequence[float] | None = None,
        starts: Any = None, key: int = 0, *, method: str = "auto", n_starts: int | None = None,
        counting: str | None = None) -> Fit:  # fmt: skip
    """Fit a law to a table of runs; the result says first whether it can be trusted.

    law: an id of `sf.laws`, or a Law. runs: a pandas frame (or anything with the dataframe interchange
    protocol), a dict of equal-length columns, or a path to a CSV, TSV, Parquet or JSON-lines file.
    inputs: the law's inputs -> column names, e.g. {"N": "n_params", "D": "n_tokens"}; y: the column the law
    predicts. Both may be left out where the names are in `sf.ALIASES`; the guess is stated in the summary.
    group: column that says which rows belong together (one training run, say); kept for resampling.
    objective: `sf.huber(1e-3)` on log loss unless given. weight: column or numbers, one per row, >= 0.
    starts: None (screened from the data), one dict of coefficients or a list of them (descended from exactly
    these), or `sf.around({...})`. method: "lm", "lbfgs" or "auto". n_starts: how many screened starts to descend.
    key: recorded with the fit; the search itself draws nothing at random. counting: which parameters N counts,
    "total", "non-embedding" or "active"; where left out, what the column's name says ("n_params_no_embed"), or unknown. Costs and
    recipes that count otherwise are then refused.

    Raises ValueError with one sentence for data that cannot be fitted as they are. Nothing is dropped.
    """
    runs = tables.columns_of(runs)
    law = _labelled(_law(law), runs)
    objective = _objective(law, objective)
    data, columns, notes = _data(law, runs, inputs, y, group, weight, objective)
    _method(method)
    begin, n_starts, key = _starts(law, starts), _n_starts(n_starts), _whole(key, "key", 0)
    rows = pad([_columns(law, data)], law)
    counting, notes = _counting(counting, columns, notes)
    found = search(law, rows, objective, begin, method, n_starts)
    notes = (*notes, found.how) if found.how else notes
    return _record(law, data, objective, found, columns, notes, key, counting)


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

    def __init__(self, law, objective, datas, founds, columns, notes, by, key, counting=None):
        self._parts = dict(zip(datas, zip(datas.values(), founds, strict=True), strict=True))
        self._law, self._objective, self._columns, self._notes = law, objective, columns, notes
        self._by, self._key, self._counting = tuple(by), key, counting

    def __getitem__(self, label: Any) -> Fit:
        data, found = self._parts[label]
        return _record(self._law, data, self._objective, found, self._columns, self._notes, self._key, self._counting)  # fmt: skip

    def __iter__(self):
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def table(self):
        """One row per group: labels, coefficients, objective, rows, starts that agreed, converged."""

        def record(label, data, found):
            labels = label if isinstance(label, tuple) else (label,)
            u = found.ends.u[found.best]
            values = {c.name: c.support.inside(v) for c, v in zip(self._law.coefs, u, strict=True)}
            return {**dict(zip(self._by, labels, strict=True)), **values, "value": found.ends.value[found.best],
                    "n_rows": len(data), "n_agree": found.n_agree, "n_starts": len(found.ends.value),
                    "converged": bool(found.ends.converged[found.best])}  # fmt: skip

        return frame(record(label, *parts) for label, parts in self._parts.items())


def fit_groups(law: str | Law, runs: Any, by: str | Sequence[str], inputs: Mapping[str, str] | None = None,
               y: str | None = None, objective: Objective | None = None, weight: str | None = None,
               key: int = 0, *, method: str = "auto", n_starts: int | None = None,
               counting: str | None = None) -> Groups:  # fmt: skip
    """One fit per group of rows, thousands in one compiled call.

    by: the column or columns whose values make a group. Returns a mapping from group label to `Fit`, with
    `.table()` for coefficients and statuses as a frame. Other arguments as in `fit`.
    """
    law = _labelled(_law(law), tables.columns_of(runs))
    objective = _objective(law, objective)
    by = (by,) if isinstance(by, str) else tuple(by)
    if not by:
        raise ValueError("by names no column; name one whose values make the groups, or use sf.fit")
    _method(method)
    table, n_starts, key = tables.columns_of(runs), _n_starts(n_starts), _whole(key, "key", 0)
    for name in by:
        tables.find(table, name, "by")
    data, columns, notes = _data(law, table, inputs, y, None, weight, objective)
    labels = [tables.labels(table, name, "by", len(data)) for name in by]
    found_rows: dict[Any, list[int]] = {}
    for row, label in enumerate(zip(*(values.tolist() for values in labels), strict=True)):
        found_rows.setdefault(label if len(by) > 1 else label[0], []).append(row)
    datas = {label: data.take(np.array(rows)) for label, rows in found_rows.items()}
    for label, part in datas.items():
        if not np.any(part.weight):
            raise ValueError(
                f"weight is zero in every row of group {label!r}; drop the group or let some rows count"
            )
    rows = pad([_columns(law, part) for part in datas.values()], law)
    counting, notes = _counting(counting, columns, notes)
    founds = search_all(law, rows, objective, None, method, n_starts)
    return Groups(law, objective, datas, founds, columns, notes, by, key, counting)


def chain(
    first: Fit, second: Fit, runs: Any, inputs: Mapping[str, str] | None = None, y: str | None = None
) -> Fit:
    """Two fits in sequence, a law of the loss and a link from that loss to `y`, as one fit of the composed law.

    first: a fit of a loss; second: a fit of a link, made with measured losses. runs: a table with the first law's
    inputs and `y`, against which the residuals of the chain are stated. The covariance holds both steps' (taken as
    independent), so intervals of predictions carry the doubt of the first step on.
    Raises ValueError where both laws use a coefficient's name; rename one before fitting.
    """
    law = first.law.then(second.law, second.law.inputs[0])
    data, columns, notes = _data(law, runs, inputs, y, None, None, second.objective, enough=1)
    p = len(first.law.coefs)
    spread = np.zeros((len(law.coefs),) * 2)
    spread[:p, :p], spread[p:, p:] = first.covariance, second.covariance
    u = np.concatenate([first.u, second.u])
    linear = linearise(law, second.objective, u, data.x, data.y).take(data.counted)
    value = float(np.sum(data.weight[data.counted] * linear.cost))
    ends = Ends(u[None], np.array([value]), np.zeros(1), np.zeros(1, int), np.ones(1, bool))
    trust = max((first.status.trust, second.status.trust), key=("good", "weak", "bad").index)
    steps = (first.status, second.status)
    status = Status(trust, all(s.converged for s in steps), min(s.n_starts for s in steps),
                    min(s.n_agree for s in steps), max(s.gradient for s in steps), sum(s.evaluations for s in steps),
                    tuple(dict.fromkeys(c for s in steps for c in s.cautions)))  # fmt: skip
    warnings = tuple(
        replace(c, text=f"{fit.law.name}: {c.text}") for fit in (first, second) for c in fit.warnings
    )
    coefs = {**first.coefs, **second.coefs}
    return Fit(
        law, coefs, data, second.objective, value, status, warnings, spread, ends, None, columns, notes,
        counting=first.counting,
    )  # fmt: skip


def _record(law, data, objective, found, columns, notes, key, counting=None) -> Fit:
    """A search's outcome as a Fit: last digits, covariance, what could be wrong."""
    u, linear = sharpen(law, _seen(law, data), objective, found.ends.u[found.best])
    coefs = {c.name: c.support.inside(v) for c, v in zip(law.coefs, u, strict=True)}
    counted = data.take(data.counted)
    spread = (
        covariance(objective, linear, counted.weight)
        if counted.group is None
        else clustered(objective, linear, counted.weight, counted.group)
    )
    case = diagnose.Case(law, counted, objective, u, coefs, linear, spread, found, columns, data.counted)
    notices = diagnose.cautions(case)
    worst = {c.severity for c in notices}
    trust = "bad" if "serious" in worst else "weak" if "warning" in worst else "good"
    ends, concerns = found.ends, tuple(dict.fromkeys(c.code for c in notices if c.severity != "info"))
    counting = counting or _counting(None, columns, ())[0]
    status = Status(trust, bool(ends.converged[found.best]), len(ends.value), found.n_agree,
                    float(ends.gradient[found.best]), int(np.sum(ends.evaluations)), concerns)  # fmt: skip
    value = float(np.sum(counted.weight * linear.cost))
    return Fit(law, coefs, data, objective, value, status, notices, spread, ends, None, columns, notes, key,
               counting=counting)  # fmt: skip


def _counting(
    counting: str | None, columns: Mapping[str, str], notes: tuple[str, ...]
) -> tuple[str | None, tuple[str, ...]]:
    """The counting stated, or the one that the name of N's column says; and the notes with it."""
    name = _plain(columns.get("N", ""))
    said = next((kind for kind, words in NAMED.items() if any(word in name for word in words)), None)
    counting = check_counting(counting) or said
    return counting, notes if counting is None else (*notes, f"N counts {counting} parameters")


def _seen(law: Law, data: Data) -> Data:
    """The rows the engine sees: those with some weight, or all where the law looks at whole curves."""
    return data if law.whole else data.take(data.counted)


def _columns(law: Law, data: Data) -> dict[str, np.ndarray]:
    seen = _seen(law, data)
    return {**seen.x, "y": seen.y, "weight": seen.weight}


def _labelled(law: Law, table: Any) -> Law:
    """A law with coefficients per label, its labels read off the table."""
    if law.by is None:
        return law
    found = tables.labels(
        table, law.by, "shared(by=...)", len(table[tables.find(table, law.by, "shared(by=...)")])
    )
    return law.labelled(tuple(sorted(dict.fromkeys(found.tolist()), key=str)))


def _law(law: str | Law) -> Law:
    if isinstance(law, Law):
        return law
    if isinstance(law, str):
        return laws.get(law)
    raise TypeError("law must be an id of sf.laws or a Law; make one from a function with sf.law(fn)")


def _objective(law: Law, objective: Objective | None) -> Objective:
    if objective is None:
        return OUTPUTS[law.predicts].objective
    if not isinstance(objective, Objective):
        raise TypeError(
            f"objective must be made by a call such as sf.huber(1e-3) or sf.square(), got {tables.short(objective)}"
        )
    return objective


def _method(method: str) -> None:
    if method not in ("auto", *DESCENTS):
        raise ValueError(f'method must be "auto", "lm" or "lbfgs", got {tables.short(method)}')


def _n_starts(n_starts: int | None) -> int | None:
    return None if n_starts is None else _whole(n_starts, "n_starts", 1)


def _whole(value: Any, name: str, least: int) -> int:
    try:
        number = index(value)
    except TypeError:
        number = least - 1
    if number < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {tables.short(value)}")
    return number


def _starts(law: Law, starts: Any) -> np.ndarray | None:
    """Given starts as coordinates (S, p)."""
    if starts is None:
        return None
    values = (
        [starts.values] if isinstance(starts, Around) else [starts] if isinstance(starts, Mapping) else starts
    )
    if not isinstance(values, Iterable) or isinstance(values, str):
        raise TypeError(
            f"starts must be a dict of coefficients, a list of them or sf.around({{...}}), got {tables.short(starts)}"
        )
    values = list(values)
    if not values:
        raise ValueError("starts is empty; leave it out to have them chosen from the data")
    for k, start in enumerate(values):
        if not isinstance(start, Mapping):
            raise TypeError(f"start {k} is {tables.short(start)}; give a dict with {', '.join(law.names)}")
        wrong = [f"lacks {name}" for name in law.names if name not in start]
        wrong += [f"has {name!r}, which {law.name!r} does not" for name in start if name not in law.names]
        if wrong:
            raise ValueError(f"start {k} {wrong[0]}; give exactly {', '.join(law.names)}")
        for coef in law.coefs:
            value = tables.number(start[coef.name])
            if value is None or not (np.isfinite(value) and value in coef.support):
                raise ValueError(f"start {k} has {coef.name} = {tables.short(start[coef.name])}; it must be a finite number, "
                                 f"{coef.support}")  # fmt: skip
    if isinstance(starts, Around):
        return spread_around(law, starts.values, starts.n_starts, starts.factor)
    return np.array([[float(c.support.to_real(float(start[c.name]))) for c in law.coefs] for start in values])


def _data(
    law, runs, inputs, y, group, weight, objective, enough: int | None = None
) -> tuple[Data, dict[str, str], tuple[str, ...]]:
    """Checked float64 arrays (at least `enough` rows, one per coefficient if not said), columns, and what was guessed."""
    if not isinstance(inputs, Mapping | None):
        like = ", ".join(f'"{name}": "..."' for name in law.inputs)
        raise TypeError(
            f"inputs must map the law's inputs to column names, {{{like}}}, got {tables.short(inputs)}"
        )
    table, inputs = tables.columns_of(runs), dict(inputs or {})
    for name in inputs:
        if name not in law.inputs:
            raise ValueError(
                f"law {law.name!r} has no input {name!r}; its inputs are {', '.join(law.inputs)}"
            )
    columns: dict[str, str] = {}
    notes: list[str] = []
    for name in (*law.inputs, "y"):
        asked = y if name == "y" else inputs.get(name)
        column = tables.find(table, asked, name) if asked is not None else _guess(table, name, law, notes)
        twin = next((other for other, used in columns.items() if used == column), None)
        if twin:
            raise ValueError(f"{twin} and {name} are both column {column!r}; give each its own")
        columns[name] = column
    x = {name: _input(table[columns[name]], f"column {columns[name]!r} (input {name})", law.domain.get(name))
         for name in law.inputs}  # fmt: skip
    allowed = "positive" if objective.space == "log" else "a number"
    target = tables.numbers(
        table[columns["y"]], f"column {columns['y']!r} (y)", allowed, output=True, gaps=law.whole
    )
    n = len(target)
    for name, values in x.items():
        tables.same_length(f"column {columns[name]!r}", len(values), n, f"column {columns['y']!r}")
    law.check_order(x)
    enough = len(law.coefs) if enough is None else enough
    if n < 2:
        raise ValueError(
            f"the table has {'no rows' if n == 0 else 'one row'}; a fit needs several runs, one per row"
        )
    weights = tables.weights(table, weight, n)
    gaps = np.isnan(target)
    if np.any(gaps):
        weights = np.where(gaps, 0.0, weights)
        notes.append(f"{np.count_nonzero(gaps)} rows without {columns['y']!r} only tell the schedule")
    counted = int(np.count_nonzero(weights))
    if counted < enough:
        some = "" if counted == n else " with weight"
        raise ValueError(f"{counted} rows{some} cannot determine {len(law.coefs)} coefficients ({', '.join(law.names)}); add runs, or "
                         "hold some with law.fix(...) or law.tie(...)")  # fmt: skip
    labels = None if group is None else tables.labels(table, group, "group", n)
    return Data(x, target, weights, labels), columns, tuple(notes)


def _input(column: Any, what: str, known: Input | None) -> np.ndarray:
    """A column as the numbers a law takes: checked values, or the places of labels."""
    if known is not None and known.allowed in ("a label", "a curve"):
        return codes(tables.labels({what: column}, what, "label", len(column)), known.labels)
    return tables.numbers(column, what, known.allowed if known else "a number")


def _guess(table, name: str, law: Law, notes: list[str]) -> str:
    """The one column whose name is a known alias of this input."""
    if name in table:
        return name
    known = law.domain.get(name)
    usual = (
        OUTPUTS[law.predicts].aliases if name == "y" else known.aliases if known else ALIASES.get(name, ())
    )
    aliases = {_plain(alias) for alias in (name, *usual)}
    matches = [str(column) for column in table if _plain(column) in aliases]
    said = 'y="..."' if name == "y" else f'inputs={{"{name}": "..."}}'
    if not matches:
        raise ValueError(
            f"no column has a usual name for {name} (there are {tables.listed(table)}); say which it is with {said}"
        )
    if len(matches) > 1:
        raise ValueError(
            f"columns {' and '.join(map(repr, matches))} could each be {name}; say which it is with {said}"
        )
    notes.append(f"guessed {name} = column {matches[0]!r}")
    return matches[0]


def _plain(name: Any) -> str:
    text = str(name)
    return text if len(text) == 1 else "".join(filter(str.isalnum, text.lower()))
