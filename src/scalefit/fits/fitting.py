"""The border: names, frames, dicts and paths become laws and checked arrays; everything below trusts them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from scalefit.arguments import check_choice, check_key, number, whole
from scalefit.core.compose import Substituted
from scalefit.core.data import Data, codes
from scalefit.core.law import Law
from scalefit.core.linear import linearise
from scalefit.core.objective import Objective
from scalefit.core.search import Found, Searches, pad, pad_parts, search
from scalefit.core.solve import DESCENTS, Ends
from scalefit.core.starts import around as spread_around
from scalefit.fits import checks, hidden, magnitudes
from scalefit.fits.ensemble import check_fit
from scalefit.fits.fit import Fit
from scalefit.fits.open_ends import hold_open_ends
from scalefit.fits.record import estimate, first_order
from scalefit.fits.status import Caution, Status, verdict, worst
from scalefit.fits.workers import searching
from scalefit.frames import Frame, columns_frame
from scalefit.runs import tables
from scalefit.runs.binding import bind, counting_of, labelled, law_of, objective_of, searched
from scalefit.words import short

__all__ = ["Groups", "around", "chain", "fit", "fit_groups", "record"]


def fit(
    law: str | Law,
    runs: Any,
    inputs: Mapping[str, str] | None = None,
    y: str | None = None,
    group: str | Literal[False] | None = None,
    objective: Objective | None = None,
    weight: str | Sequence[float] | None = None,
    starts: Any = None,
    key: int = 0,
    *,
    method: str = "auto",
    n_starts: int | None = None,
    counting: str | None = None,
) -> Fit:
    """Fit a law to a table of runs; the result says first whether it can be trusted.

    Nothing is dropped: data that cannot be fitted as they are, are refused with one sentence. The search
    itself draws nothing at random.

    Args:
        law: an id of `sf.laws`, or a Law.
        runs: a frame of pandas, polars (lazy, too), pyarrow or modin, a dict of equal-length
            columns, or a path to a CSV, TSV, Parquet, Excel or JSON-lines file.
        inputs: the law's inputs -> column names, e.g. {"N": "n_params", "D": "n_tokens"}. May be left out
            where the names are in `sf.ALIASES`; the guess is stated in the summary.
        y: the column the law predicts; may be left out likewise.
        group: column that says which rows belong together and share errors (one training run, say): intervals
            and resamples then take a group as one observation. Left out, rows count as independent unless
            their residuals say otherwise, which is then a warning; False where they are independent.
        objective: what is minimised; the usual one for what the law predicts unless given, `sf.huber(1e-3)`
            on log loss for a loss.
        weight: column or numbers, one per row, >= 0.
        starts: None (screened from the data), one dict of coefficients or a list of them (descended from
            exactly these), or `sf.around({...})`.
        key: recorded with the fit.
        method: "lm", "lbfgs" or "auto".
        n_starts: how many screened starts to descend.
        counting: which parameters N counts, "total", "non-embedding" or "active"; where left out, what the
            column's name says ("n_params_no_embed"), or unknown. Costs and recipes that count otherwise are
            then refused.

    Returns:
        The fit: coefficients, covariance, status and warnings; printed, its summary.

    Raises:
        ValueError: with one sentence, for data that cannot be fitted as they are or an unknown option.
        TypeError: for a law, runs or objective of another kind.

    Example:
        >>> sf.fit("chinchilla", runs, inputs={"N": "N", "D": "D"}, y="loss").status.converged
        True
    """
    runs = tables.columns_of(runs)
    law = labelled(law_of(law), runs)
    objective = objective_of(law, objective)
    data, columns, notes = bind(law, runs, inputs, y, group, weight, objective)
    check_choice(method, "method", ("auto", *DESCENTS))
    begin, n_starts, key = (
        _starts(law, starts),
        None if n_starts is None else whole(n_starts, "n_starts", 1),
        check_key(key),
    )
    rows = pad([searched(law, data)], law)
    counting, notes = counting_of(counting, columns, notes)
    found = search(law, rows, objective, begin, method, n_starts)
    said: tuple[Caution, ...] = ()
    if begin is None:
        law, found, said = hold_open_ends(law, data, objective, found, method, n_starts)
    notes = (*notes, found.how) if found.how else notes
    return record(law, data, objective, found, columns, notes, key, counting, said)


class Around:
    """Starts spread around given coefficients; see `around`."""

    def __init__(self, values: Mapping[str, float], n_starts: int, factor: float):
        self.values, self.n_starts, self.factor = dict(values), n_starts, factor


def around(values: Mapping[str, float], n_starts: int = 64, factor: float = 10.0) -> Around:
    """Starts spread around known coefficients, for `fit(starts=...)`.

    The first start is exactly at `values`. Positive coefficients are spread by up to `factor` either way,
    real ones by up to half of `factor` times their size.

    Args:
        values: coefficient -> value, for every coefficient of the law.
        n_starts: how many starts, the first among them.
        factor: how far they spread, above 1.

    Returns:
        The starts, for `sf.fit(..., starts=...)`.

    Raises:
        TypeError: where `values` is no dict.
        ValueError: for a factor of 1 or less, or a number of starts that is not whole and at least 1.

    Example:
        >>> sf.around(fit.coefs, n_starts=8).n_starts
        8
    """
    if not isinstance(values, Mapping):
        raise TypeError(f"around needs a dict of coefficients, not {type(values).__name__}")
    by = number(factor)
    if by is None or not 1 < by < np.inf:
        raise ValueError(f"around needs a factor above 1, got {short(factor)}")
    return Around(values, whole(n_starts, "n_starts", 1), by)


class Groups(Mapping):
    """Many fits of one law, by group: a mapping from label to Fit; `table()` shows them side by side."""

    def __init__(
        self,
        law: Law,
        objective: Objective,
        data: Data,
        parts: Mapping[Any, np.ndarray],
        founds: Searches,
        held: Mapping[Any, tuple[Law, Found, tuple[Caution, ...]]],
        columns: Mapping[str, str],
        notes: tuple[str, ...],
        by: Sequence[str],
        key: int,
        counting: str | None = None,
    ):
        self._data, self._rows, self._founds = data, dict(parts), founds
        self._place = {label: k for k, label in enumerate(self._rows)}
        # Groups whose law has ends held, with what is said of it.
        self._held = dict(held)
        self._law, self._objective, self._columns, self._notes = law, objective, columns, notes
        self._by, self._key, self._counting = tuple(by), key, counting

    def __getitem__(self, label: Any) -> Fit:
        if not isinstance(label, Hashable) or label not in self._rows:
            raise KeyError(f"there is no group {short(label)}; there are {tables.listed(self._rows)}")
        data, place = self._data.take(self._rows[label]), self._place[label]
        law, found, said = self._held.get(label) or (self._law, self._founds[place], ())
        return record(
            law, data, self._objective, found, self._columns, self._notes, self._key, self._counting, said
        )

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        few = f"{self._law.name!r} by {' and '.join(map(repr, self._by))}, {len(self)} groups"
        return f"{few}\n{self.table().to_string(index=False, max_rows=20)}"

    def table(self) -> Frame:
        """One row per group: labels, coefficients, objective, rows, starts that agreed, converged."""
        found, every = self._founds, np.arange(len(self))
        labels = [label if len(self._by) > 1 else (label,) for label in self]
        columns: dict[str, Any] = dict(zip(self._by, zip(*labels, strict=True), strict=True))
        for c, along in zip(self._law.coefs, found.u.T, strict=True):
            columns[c.name] = [c.support.inside(v) for v in along]
        columns |= {
            "value": found.ends.value[every, found.best],
            "n_rows": [len(rows) for rows in self._rows.values()],
            "n_agree": found.n_agree.copy(),
            "n_starts": np.count_nonzero(found.ends.evaluations, axis=1),
            "converged": found.converged,
        }
        for label, (law, own, _) in self._held.items():
            place, u = self._place[label], own.ends.u[own.best]
            values = {c.name: c.support.inside(v) for c, v in zip(law.coefs, u, strict=True)}
            row = {
                **dict(law.fn.to),
                **values,
                "value": own.ends.value[own.best],
                "n_agree": own.n_agree,
                "n_starts": len(own.ends.value),
                "converged": own.ends.converged[own.best],
            }
            for name, value in row.items():
                columns[name][place] = value
        return columns_frame(columns)


def fit_groups(
    law: str | Law,
    runs: Any,
    by: str | Sequence[str],
    inputs: Mapping[str, str] | None = None,
    y: str | None = None,
    objective: Objective | None = None,
    weight: str | None = None,
    key: int = 0,
    *,
    method: str = "auto",
    n_starts: int | None = None,
    counting: str | None = None,
    executor: Executor | None = None,
) -> Groups:
    """One fit per group of rows, thousands in one compiled call.

    Args:
        law: as in `fit`.
        runs: as in `fit`.
        by: the column or columns whose values make a group.
        inputs: as in `fit`.
        y: as in `fit`.
        objective: as in `fit`.
        weight: as in `fit`.
        key: as in `fit`.
        method: as in `fit`.
        n_starts: as in `fit`.
        counting: as in `fit`.
        executor: fits in its workers, as `sf.bootstrap` does, with the same result.

    Returns:
        A mapping from group label to `Fit`, with `.table()` for coefficients and statuses as a frame.

    Raises:
        ValueError: as in `fit`, naming the group; and for a column that is not there.

    Example:
        >>> each = sf.fit_groups("chinchilla", runs, by="recipe")
        >>> list(each), len(each["a"].data.y)
        (['a', 'b'], 12)
    """
    law = labelled(law_of(law), tables.columns_of(runs))
    objective = objective_of(law, objective)
    by = (by,) if isinstance(by, str) or not isinstance(by, Iterable) else tuple(by)
    if not by:
        raise ValueError("by names no column; name one whose values make the groups, or use sf.fit")
    check_choice(method, "method", ("auto", *DESCENTS))
    table, n_starts, key = (
        tables.columns_of(runs),
        None if n_starts is None else whole(n_starts, "n_starts", 1),
        check_key(key),
    )
    for name in by:
        tables.find(table, name, "by")
    data, columns, notes = bind(law, table, inputs, y, None, weight, objective)
    labels = [tables.labels(table, name, "by", len(data)) for name in by]
    places = np.stack([codes(values) for values in labels])
    _, first, place = np.unique(places, axis=1, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.argsort(order)[place.reshape(-1)]
    heads = zip(*(values[first[order]].tolist() for values in labels), strict=True)
    names = [head if len(by) > 1 else head[0] for head in heads]
    for label, some in zip(names, np.bincount(place, data.weight > 0), strict=True):
        if not some:
            raise ValueError(
                f"weight is zero in every row of group {label!r}; drop the group or let some rows count"
            )

    def parts(rows: np.ndarray) -> list[np.ndarray]:
        """These rows, by group."""
        rows = rows[np.argsort(place[rows], kind="stable")]
        return np.split(rows, np.searchsorted(place[rows], np.arange(1, len(names))))

    every = np.arange(len(data))
    seen = every if law.whole else data.counted
    rows = pad_parts({**data.x, "y": data.y, "weight": data.weight}, parts(seen), law)
    counting, notes = counting_of(counting, columns, notes)
    founds = searching(executor, law, rows, objective, method=method, n_starts=n_starts)()
    each = dict(zip(names, parts(every), strict=True))
    held = {}
    for label, found in zip(each, founds, strict=True) if any(c.end for c in law.coefs) else ():
        other = hold_open_ends(law, data.take(each[label]), objective, found, method, n_starts)
        if other[0] is not law:
            held[label] = other
    return Groups(law, objective, data, each, founds, held, columns, notes, by, key, counting)


def chain(
    first: Fit, second: Fit, runs: Any, inputs: Mapping[str, str] | None = None, y: str | None = None
) -> Fit:
    """A law of the loss and a link from that loss to `y`, fitted in sequence, as one fit.

    The covariance holds both steps' (taken as independent),
    so intervals of predictions carry the doubt of the first step on.

    Args:
        first: a fit of a loss.
        second: a fit of a link of one input, made with measured losses.
        runs: a table with the first law's inputs and `y`, against which the
            residuals of the chain are stated.
        inputs: as in `fit`, of the first law.
        y: the column that the link predicts.

    Returns:
        The Fit of the composed law.

    Raises:
        ValueError: where both laws use a coefficient's name (rename one before fitting),
            or the second is no link.

    Example:
        >>> table = runs | {"accuracy": 0.25 + 0.7 / (1 + np.exp(4 * (runs["loss"] - 3)))}
        >>> second = sf.fit("ladder", table, {"L": "loss"}, "accuracy")
        >>> both = sf.chain(fit, second, table, y="accuracy")
        >>> bool(both.predict({"N": 2e9, "D": 4e10}) > both.predict({"N": 1e9, "D": 2e10}))  # larger, better
        True
    """
    for fit in (first, second):
        check_fit(fit, "sf.chain")
    law = first.law.then(second.law, second.law.inputs[0])
    data, columns, notes = bind(law, runs, inputs, y, None, None, second.objective, enough=1)
    p = len(first.law.coefs)
    spread = np.zeros((len(law.coefs),) * 2)
    spread[:p, :p], spread[p:, p:] = first.covariance, second.covariance
    u = np.concatenate([first.u, second.u])
    linear = linearise(law, second.objective, u, data.x, data.y).take(data.counted)
    value = float(np.sum(data.weight[data.counted] * linear.cost))
    ends = Ends(u[None], np.array([value]), np.zeros(1), np.zeros(1, int), np.ones(1, bool))
    trust = worst((first.status.trust, second.status.trust))
    steps = (first.status, second.status)
    status = Status(
        trust,
        all(s.converged for s in steps),
        min(s.n_starts for s in steps),
        min(s.n_agree for s in steps),
        max(s.gradient for s in steps),
        sum(s.evaluations for s in steps),
        tuple(dict.fromkeys(c for s in steps for c in s.cautions)),
    )
    warnings = tuple(
        replace(c, text=f"{fit.law.name}: {c.text}") for fit in (first, second) for c in fit.warnings
    )
    coefs = {**first.coefs, **second.coefs}
    return Fit(
        law,
        coefs,
        data,
        second.objective,
        value,
        status,
        warnings,
        spread,
        ends,
        None,
        columns,
        notes,
        counting=first.counting,
    )


def record(
    law: Law,
    data: Data,
    objective: Objective,
    found: Found,
    columns: Mapping[str, str],
    notes: tuple[str, ...] = (),
    key: int = 0,
    counting: str | None = None,
    said: tuple[Caution, ...] = (),
) -> Fit:
    """A search's outcome as a Fit: last digits, covariance, what could be wrong beside what is `said`.

    Rows that are found to err alike are its groups, unless it has groups or is told that there are none.
    """
    end = estimate(law, data, objective, found.ends.u[found.best])
    case = checks.Case(
        law,
        data.take(data.counted),
        objective,
        end.u,
        end.coefs,
        end.linear,
        end.covariance,
        found,
        columns,
        data.counted,
    )
    looked = hidden.alike(case, data)
    if looked.group is not None:
        data = replace(data, group=looked.group)
        counted = data.take(data.counted)
        end = end._replace(covariance=first_order(objective, end.linear, counted))
        case = replace(case, data=counted, covariance=end.covariance)
    notices = checks.cautions(case, magnitudes.CHECKS, (*said, *looked.cautions))
    trust, concerns = verdict(notices)
    # Ends that are held stand beside the coefficients that were found.
    ends_held = any(caution.code == "open-end" for caution in said)
    held: dict[str, Any] = dict(law.fn.to) if ends_held and isinstance(law.fn, Substituted) else {}
    ends = found.ends
    counting = counting or counting_of(None, columns, ())[0]
    status = Status(
        trust,
        bool(ends.converged[found.best]),
        len(ends.value),
        found.n_agree,
        float(ends.gradient[found.best]),
        int(np.sum(ends.evaluations)),
        concerns,
    )
    return Fit(
        law,
        held | end.coefs,
        data,
        objective,
        end.value,
        status,
        notices,
        end.covariance,
        ends,
        None,
        columns,
        notes,
        key,
        counting=counting,
    )


def _starts(law: Law, starts: Any) -> np.ndarray | None:
    """Given starts as coordinates (S, p)."""
    if starts is None:
        return None
    values = (
        [starts.values] if isinstance(starts, Around) else [starts] if isinstance(starts, Mapping) else starts
    )
    if not isinstance(values, Iterable) or isinstance(values, str):
        raise TypeError(
            "starts must be a dict of coefficients, "
            f"a list of them or sf.around({{...}}), got {short(starts)}"
        )
    values = list(values)
    if not values:
        raise ValueError("starts is empty; leave it out to have them chosen from the data")
    for k, start in enumerate(values):
        if not isinstance(start, Mapping):
            raise TypeError(f"start {k} is {short(start)}; give a dict with {', '.join(law.names)}")
        wrong = [f"lacks {name}" for name in law.names if name not in start]
        wrong += [f"has {name!r}, which {law.name!r} does not" for name in start if name not in law.names]
        if wrong:
            raise ValueError(f"start {k} {wrong[0]}; give exactly {', '.join(law.names)}")
        for coef in law.coefs:
            value = number(start[coef.name])
            if value is None or not (np.isfinite(value) and value in coef.support):
                raise ValueError(
                    f"start {k} has {coef.name} = {short(start[coef.name])}; it must be a finite number, "
                    f"{coef.support}"
                )
    if isinstance(starts, Around):
        return spread_around(law, starts.values, starts.n_starts, starts.factor)
    return np.array([[float(c.support.to_real(float(start[c.name]))) for c in law.coefs] for start in values])
