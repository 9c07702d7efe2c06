"""Where larger runs will end: several laws, fitted most closely to the largest runs,
averaged by how well they foretold.

    ahead = sf.extrapolate(runs, inputs={"D": "tokens"}, y="loss")
    ahead.predict({"D": 1e12}, level=0.9, kind="run")

On 176 public learning curves (`foresight/alabdulmohsin`, `colpret`) this errs less than any single law
fitted to all runs alike. The rules, each with rows there:

1. Few coefficients. Laws with more of them fit better, and now and then foretell absurdly.
2. Recency. No law holds over all scales, and what it gets wrong grows with the distance. A run weighs
   (size / largest)^g, with g as large as leaves five rows' worth per coefficient,
   so that noise does not take over.
3. A robust objective, as wide as the scatter between runs often is.
4. Averages of log predictions, with weights from a backtest by the same rules.
5. Of losses by N and D `chinchilla` is drawn towards usual ranges (`sf.shrink`): few runs leave two exponents
   and a floor open, and far ahead that decides. `skaling` is told by its runs alone, as ranges are wrong for
   some recipes; runs too few for a backtest have it drawn too.
6. Of up to 300 runs of N and D a third fit is averaged, `chinchilla` as `few_runs` tells it: the floor's
   share and the exponents are known beforehand, and runs far from the largest count less.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, Literal, NamedTuple

import numpy as np

from scalefit import laws
from scalefit.arguments import by_name, check_key, number, whole
from scalefit.core.data import Data
from scalefit.core.law import Law
from scalefit.core.objective import Objective, huber
from scalefit.core.search import Found
from scalefit.fits.ensemble import Ensemble, Foretold
from scalefit.fits.fit import Fit
from scalefit.fits.fitting import record
from scalefit.fits.model_error import TAU, ModelError
from scalefit.fits.noise import scatter
from scalefit.fits.open_ends import hold_open_ends
from scalefit.fits.record import natural
from scalefit.fits.shrinking import shrink
from scalefit.fits.windows import refitting
from scalefit.laws.inputs import ALIASES
from scalefit.runs import tables
from scalefit.runs.binding import is_perplexity, kind_of, refuse_units, tells_tokens
from scalefit.runs.binding import usual as usual_names
from scalefit.validation.choice import DERIVED, SHOWN, View, Way
from scalefit.validation.few_runs import FEWEST, MOST, MOST_ON_LINE, from_few, on_one_line
from scalefit.validation.windows import (
    Laws,
    Problem,
    TooFew,
    Windows,
    by_label,
    problems_of,
    sizes_of,
    windows_of,
)
from scalefit.words import listed, quoted, short

__all__ = ["default_laws", "extrapolate", "extrapolate_groups", "recent"]

# The fastest growth of a run's weight with its size.
STEEPEST = 4.0
OBJECTIVE = huber(1e-2)
# Inputs that stand for any single one.
ANY = ("x", "C")
# Rows for each coefficient that a law of accuracies or errors by size needs beside one with fewer.
SPARE = 4
# Log sizes within this are one.
SAME = 0.05
# The label of `chinchilla` with the priors of `few_runs`, and the most rows it is told by: its cost grows
# with their square.
PRIORS, MOST_ROWS = "chinchilla (priors)", 300
# The law by N and D that only its runs tell, where a backtest judges it.
FREE = "skaling"
# The law's own error of the fits by N and D, which differ by a part of it: their 90 % intervals then hold 86
# to 97 % of what was held out of each of six families of public sweeps (`foresight/*`).
APART = 0.5
# Inputs that have laws of their own.
SPECIAL = frozenset(("L", "D_F"))


def extrapolate(
    runs: Any,
    laws: Laws | None = None,
    by: str | None = None,
    y: str | None = None,
    inputs: Mapping[str, str] | None = None,
    *,
    n_cuts: int = 4,
    recency: float = 5.0,
    group: str | Literal[False] | None = None,
    objective: Objective | None = None,
    weight: str | Sequence[float] | None = None,
    key: int = 0,
) -> Ensemble:
    """What runs larger than these will reach: an average of laws; its repr says first whether to believe it.

    Rows that are to be held out must not be in `runs`, or have weight zero. Three to six runs of one input,
    or three to ten of N and D (more where all have one size, one number of tokens, or one ratio of the two),
    are told by a power with a floor, or by `chinchilla`, with priors from public sweeps of loss by compute
    (`few_runs`); the answer says how much of it is prior. Where laws are left out, three fits by N and D are
    averaged: `chinchilla` drawn towards usual ranges of its coefficients, `skaling`, and, of up to 300 runs,
    `chinchilla` with those priors. Of runs too few for a backtest all are drawn, and count alike.

    Args:
        runs: a table, as for `sf.fit`.
        laws: as in `sf.backtest`; where left out `default_laws` of losses by N and D or by one input, else
            those that `sf.suggest` names for the inputs.
        by: the column that says what is small, as in `sf.backtest`.
        y: the column of the output, as in `sf.fit`.
        inputs: what is scaled -> column, e.g. {"D": "tokens"} or {"N": "n_params", "D": "n_tokens", "U":
            "unique"}; any name will do for a single one. Where left out, columns with usual names for N and
            D, or for one of x, D, N, C; where there are none, those of the law that `sf.suggest` names first.
        n_cuts: at most so many windows of the backtest, as in `sf.backtest`; of mixtures, how many folds.
        recency: how many rows' worth per coefficient the weights leave (see `recent`); infinity for all rows
            alike.
        group: as in `sf.fit`.
        objective: for losses, where laws are left out, `sf.huber(1e-2)` on log y unless given.
        weight: as in `sf.fit`.
        key: seed of the fits.

    Returns:
        An `Ensemble`, its weights from a backtest by the same rules. Its intervals allow for the laws'
        own error: of the usual size, half of it for those of N and D, which differ by a part of it already,
        and of laws of a loss as their own runs tell it (see `sf.widen`).

    Raises:
        ValueError: as `sf.backtest` does, and for a recency that is not positive.
        KeyError: for an unknown law.

    Example:
        >>> ahead = sf.extrapolate(runs, "chinchilla", by="flops")
        >>> bool(ahead.predict({"N": 1e10, "D": 2e11}) < min(runs["loss"]))
        True
    """
    n_cuts, key = whole(n_cuts, "n_cuts", 1), check_key(key)
    table = tables.columns_of(runs)
    asked = _Asked(laws, y, inputs, objective)
    if laws is None and objective is None and (few := _few(table, asked, weight, key)):
        return few
    case = _case(table, asked.settled(table), by, n_cuts, group, weight, key)
    return _ensembles([case], n_cuts + 1, _positive(recency), key)[0]


def extrapolate_groups(
    runs: Any,
    groups: str,
    laws: Laws | None = None,
    by: str | None = None,
    y: str | None = None,
    inputs: Mapping[str, str] | None = None,
    *,
    n_cuts: int = 4,
    recency: float = 5.0,
    objective: Objective | None = None,
    weight: str | None = None,
    key: int = 0,
    executor: Executor | None = None,
) -> dict[Any, Ensemble]:
    """`extrapolate` for every value of a column by itself, e.g. many training curves, all in one call.

    Args:
        runs: a table of all groups.
        groups: the column whose values tell the groups apart.
        laws: as in `extrapolate`.
        by: as in `extrapolate`.
        y: as in `extrapolate`.
        inputs: as in `extrapolate`.
        n_cuts: as in `extrapolate`.
        recency: as in `extrapolate`.
        objective: as in `extrapolate`.
        weight: the column of weights.
        key: seed of the fits.
        executor: fits in its workers, as `sf.bootstrap` does, with the same result.

    Returns:
        A dict: value of the column -> the `Ensemble` of its rows, in the order of first appearance.

    Raises:
        ValueError: as `extrapolate` does; the sentence names the group.
        KeyError: for an unknown law.

    Example:
        >>> each = sf.extrapolate_groups(runs, "recipe", inputs={"C": "flops"})
        >>> sorted(each)
        ['a', 'b']
    """
    n_cuts, key = whole(n_cuts, "n_cuts", 1), check_key(key)
    table = tables.columns_of(runs)
    label = tables.find(table, groups, "groups")
    labels = tables.labels(table, label, "groups", len(table[label]))
    cases, few = {}, {}
    asked = _Asked(laws, y, inputs, objective)
    for value in dict.fromkeys(labels.tolist()):
        part = tables.rows_of(table, labels == value, len(labels))
        try:
            if laws is None and objective is None and (own := _few(part, asked, weight, key)):
                few[value] = own
            else:
                # What the first group is told by tells all.
                asked = asked.settled(part)
                cases[value] = _case(part, asked, by, n_cuts, None, weight, key)
        except ValueError as error:
            raise ValueError(f"group {value!r}: {error}") from None
    found = _ensembles(list(cases.values()), 0, _positive(recency), key, executor) if cases else []
    answers = few | dict(zip(cases, found, strict=True))
    return {value: answers[value] for value in dict.fromkeys(labels.tolist())}


class _Asked(NamedTuple):
    """Laws, output, inputs and objective, as given or as the columns say;
    ranged: fits are drawn towards usual ranges."""

    laws: Laws | None
    y: str | None
    inputs: Mapping[str, str] | None
    objective: Objective | None
    ranged: bool = False

    def settled(self, table: Mapping[str, Any]) -> _Asked:
        """The same with laws, which are chosen by the columns where none are given."""
        if self.laws is not None:
            return self
        inputs = by_name("inputs", self.inputs) or _guessed(table)
        said = _with_columns(inputs)
        own = len(inputs) > 1 or bool(SPECIAL & inputs.keys())
        # Laws of any one input, and those of compute, serve a single one whatever it is called.
        single = dict.fromkeys(ANY, *inputs.values()) if self.inputs and not own else {}
        view = View.of(table, self.y, said if own else single)
        if not inputs and view.curves:
            raise ValueError(
                f"rows are steps of training runs, by their column {view.curves[0]!r}: sf.forecast says "
                "where one ends, and sf.suggest(runs) the whole call; to scale along it say "
                f'inputs={{"S": {quoted(view.curves[0])}}}'
            )
        told = self.objective or (OBJECTIVE if view.predicts == "loss" else None)
        single_loss = len(inputs) == 1 and "L" not in inputs
        usual = view.predicts == "loss" and (set(inputs) == {"N", "D"} or single_loss)
        laws = default_laws(tuple(inputs)) if usual else {}
        if usual and (set(inputs) == {"N", "D"} or (self.inputs and not own)):
            both = set(inputs) == {"N", "D"}
            if both and view.rows <= MOST_ROWS:
                laws |= {PRIORS: laws["chinchilla"]}
            return _Asked(laws, self.y, said, told, both)
        found, reasons = view.ways()
        ways = [way for way in found if not way.law.labels]
        if self.inputs:
            ways = [way for way in map(partial(_named, inputs), ways) if way.scaled <= set(inputs)]
        else:
            # Nobody said what is scaled: laws of more than the one column that has a usual name for it.
            ways = [way for way in ways if way.law.inputs != ("x",) and set(said) <= set(way.columns)]
            ways = [way for way in ways if not usual or len(way.columns) > 1]
        if not ways:
            if usual:
                return _Asked(laws, self.y, said, told)
            raise ValueError(
                f"no usual law of {', '.join(inputs)} can be fitted here{_why(reasons, inputs)}; "
                "name some with laws=[...]"
                if inputs
                else f"what is scaled is not clear from the columns {tables.listed(table)}; "
                'say it with inputs={"D": "..."}'
                + "".join(
                    f', or {{"L": {quoted(c)}}} for the loss it is told from' for c in view.losses()[:1]
                )
            )
        if view.predicts != "loss" and not own:
            ways = [w for w in ways if len(w.problem.data) >= SPARE * len(w.law.coefs)] or ways[:1]
        first = ways[0].columns
        chosen = {way.law.name: way.law for way in ways if way.scaled == ways[0].scaled}
        chosen = dict(list(chosen.items())[:SHOWN]) | (laws if set(first) == set(inputs) else {})
        # What has one usual name is found, and said, as in a fit.
        given = {n: c for n, c in first.items() if n in inputs or not usual_names(table, n, ways[0].law)}
        return _Asked(chosen, view.y, given, told)


def _with_columns(inputs: Mapping[str, str]) -> dict[str, str]:
    """The inputs that a column holds: tokens may follow from sizes and budgets."""
    return {name: column for name, column in inputs.items() if column != DERIVED}


def _why(reasons: Mapping[str, str], inputs: Mapping[str, str]) -> str:
    """In brackets, why the first law of these inputs cannot be."""
    of = f" of {', '.join(inputs)}"
    return next((f" ({law.removesuffix(of)}: {why})" for law, why in reasons.items() if law.endswith(of)), "")


def _named(inputs: Mapping[str, str], way: Way) -> Way:
    """A law of any single input, or of compute, of the one that there is."""
    own = way.scaled & set(ANY)
    if len(inputs) != 1 or len(way.scaled) != 1 or not own or own <= inputs.keys():
        return way
    ((name, column),), (old,) = inputs.items(), own
    columns = {n: c for n, c in way.columns.items() if n != old} | {name: column}
    return replace(way, law=way.law.rename(**{old: name}), columns=columns)


def _few(table: Mapping[str, Any], asked: _Asked, weight, key: int) -> Ensemble | None:
    """The forecast from a few runs of one input, or of N and D; None for other tables."""
    y, inputs = asked.y, asked.inputs or _guessed(table)
    if y is None and not usual_names(table, "y", laws.power_floor):
        return None
    if kind_of(str(y)) not in (None, "loss") or is_perplexity(str(y)):
        return None
    if set(inputs) == {"N", "D"}:
        law = laws.get("chinchilla")
    elif len(inputs) == 1 and "L" not in inputs:
        (name,) = inputs
        law = laws.power_floor if name == "x" else laws.power_floor.rename(x=name)
    else:
        return None
    said = _with_columns(inputs)
    (problem,) = problems_of({law.name: law}, table, y, said, None, None, weight, enough=FEWEST).values()
    rows = problem.data.counted
    runs = np.stack([problem.data.x[name][rows] for name in law.inputs])
    most = MOST_ON_LINE if len(runs) == 2 and on_one_line(*runs) else MOST[len(runs)]
    if len(rows) > most or np.unique(runs, axis=1).shape[1] < FEWEST:
        return None
    size, loss = np.prod(runs, axis=0), problem.data.y[rows]
    columns = listed([repr(problem.columns[name]) for name in law.inputs])
    if np.ptp(np.log(size)) < SAME:
        raise ValueError(
            f"all runs are of one budget, the product of {columns}, so nothing says what a larger one "
            "brings; sf.isoflop finds the best size at it, and runs of other budgets allow a forecast"
        )
    if not loss[np.argmax(size)] < loss[np.argmin(size)]:
        raise ValueError(
            f"{problem.columns['y']!r} does not fall from the smallest to the largest {columns}, as the loss "
            "of larger runs does: check the last run, and that the column is a loss; for anything else "
            "name a law with laws=[...]"
        )
    fit = from_few(problem.fits([problem.data.weight], key)[0], key)
    return Ensemble({law.name: fit}, {law.name: 1.0})


def default_laws(inputs: tuple[str, ...]) -> dict[str, Law]:
    """The laws `extrapolate` averages: of N and D, or of one input of any name.

    One input: a power with a floor, and a power of 1/x + g, which flattens later. N and D: the sum of two
    powers with a floor, and the same with an outer power.
    """
    if set(inputs) == {"N", "D"}:
        return {name: laws.get(name) for name in ("chinchilla", "skaling")}
    (name,) = inputs
    both = laws.get("power_floor"), laws.get("alabdulmohsin_m3").predicting("loss")
    return {law.name: law if name == "x" else law.rename(x=name) for law in both}


def recent(size: np.ndarray, weight: np.ndarray, rows: float) -> np.ndarray:
    """weight (size / largest)^g, the g between 0 and 4 that leaves (sum w)^2 / sum w^2 at `rows`,
    or the nearest."""
    ratio = np.where(weight > 0, size, 0.0) / np.max(size[weight > 0])

    def at(g: float) -> np.ndarray:
        return weight * ratio**g

    def worth(g: float) -> float:
        return float(np.sum(at(g)) ** 2 / np.sum(at(g) ** 2))

    low, high = 0.0, STEEPEST
    if worth(high) >= rows:
        return at(high)
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if worth(middle) >= rows else (low, middle)
    return at(low)


@dataclass(frozen=True)
class _Case:
    """One table: each law with its checked columns, and what is held out, none where rows are too few for
    that; ranged: fits are drawn towards usual ranges."""

    problems: Mapping[str, Problem]
    ahead: Windows | None
    ranged: bool

    def settle(self, label: str, key: int) -> Callable[[Fit], Fit] | None:
        """What is done to fits of a law after their search."""
        if not self.ranged or (label == FREE and self.ahead is not None):
            return None
        return partial(from_few, key=key) if label == PRIORS else shrink

    @property
    def held(self) -> np.ndarray:
        """What is held out (windows, n)."""
        first = next(iter(self.problems.values()))
        return self.ahead.held if self.ahead else np.zeros((0, len(first.data)), bool)


def _case(table, asked: _Asked, by, n_cuts: int, group, weight, key: int) -> _Case:
    assert asked.laws is not None
    problems = problems_of(by_label(asked.laws), table, asked.y, asked.inputs, group, asked.objective, weight)
    label, size = sizes_of(problems, table, by)
    try:
        ahead = windows_of(label, size, problems, n_cuts, key)
    except TooFew:
        # Ranges make up for too few rows, not for runs of one size.
        if not asked.ranged or size is None or np.ptp(size) == 0:
            raise
        ahead = None
    return _Case(problems, ahead, asked.ranged)


def _ensembles(
    cases: Sequence[_Case], n_sets: int, recency: float, key: int, executor: Executor | None = None
) -> list[Ensemble]:
    """Every law fitted to every window of every case in one call, at least `n_sets` at once.

    A single table always asks for as many, so that all of one length share a program.
    """
    weights, begun = {}, {}
    for label in cases[0].problems:
        law, objective = cases[0].problems[label].law, cases[0].problems[label].objective
        rows = recency * len(law.coefs)
        data = [c.problems[label].data for c in cases]
        weights[label] = used = [
            [
                # Priors come with a walk, which counts distant runs less by itself.
                w
                if c.ahead is None or c.ahead.size is None or label == PRIORS
                else recent(c.ahead.size, w, rows)
                for w in (*np.where(c.held, 0.0, d.weight), d.weight)
            ]
            for c, d in zip(cases, data, strict=True)
        ]
        each = data if len(cases) == 1 else [d for d, own in zip(data, used, strict=True) for _ in own]
        every = [w for own in used for w in own]
        begun[label] = refitting(law, each, objective, every, least=n_sets, executor=executor)
    windows: list[dict[str, list[_Window]]] = [{} for _ in cases]
    for label, answer in begun.items():
        turn = iter(answer())
        for into, own, case in zip(windows, weights[label], cases, strict=True):
            problem = case.problems[label]
            settle = case.settle(label, key)
            into[label] = [_window(problem, w, next(turn), settle, key) for w in own]
    return [_ensemble(*pair) for pair in zip(cases, windows, strict=True)]


@dataclass(frozen=True)
class _Window:
    """One law fitted to one window: the law, with ends held that the window does not tell, the rows as they
    weigh, residuals of all of them, and what makes the fit."""

    law: Law
    data: Data
    residual: np.ndarray
    fit: Callable[[], Fit]


def _window(
    problem: Problem, weight: np.ndarray, found: Found, settle: Callable[[Fit], Fit] | None, key: int
) -> _Window:
    p, data = problem, replace(problem.data, weight=weight)
    law, found, said = hold_open_ends(p.law, data, p.objective, found)

    @cache
    def fit() -> Fit:
        one = record(law, data, p.objective, found, p.columns, p.notes, key, None, said)
        return settle(one) if settle else one

    u = fit().u if settle else found.ends.u[found.best]
    values = {name: v[0] for name, v in natural(law, u[None]).items()}
    with np.errstate(all="ignore"):
        residual = p.objective.residual(np.broadcast_to(law(values, data.x), data.y.shape), data.y)
    return _Window(law, data, residual, fit)


def _ensemble(case: _Case, windows: Mapping[str, Sequence[_Window]]) -> Ensemble:
    ground = None if case.ahead is None else _foretold(case, case.ahead, windows)
    fits = {label: each[-1].fit() for label, each in windows.items()}
    for fit in fits.values():
        # Links err far less than laws of sizes do: theirs is learnt from their own runs.
        if set(fit.law.inputs) - fit.law.settings.keys() != {"L"}:
            fit.kept["model_error"] = ModelError(APART if case.ranged else TAU)
    return Ensemble(fits, ground.weights() if ground else dict.fromkeys(fits, 1 / len(fits)), ground)


def _foretold(case: _Case, ahead: Windows, windows: Mapping[str, Sequence[_Window]]) -> Foretold:
    first = next(iter(case.problems.values()))
    out = ahead.held & (first.data.weight > 0)
    errors = {
        label: tuple(w.residual[rows] for w, rows in zip(each, out, strict=False))
        for label, each in windows.items()
    }
    last = tuple(
        first.objective.residual(ahead.last_point(k, first), first.data.y)[rows] for k, rows in enumerate(out)
    )
    noise = np.min(
        [
            [scatter(w.residual, w.data.weight, len(w.law.coefs)) for w in each[:-1]]
            for label, each in windows.items()
        ],
        axis=0,
    )
    distance = tuple(each[rows] for each, rows in zip(ahead.distance, out, strict=True))
    return Foretold(ahead.by, ahead.cuts, distance, errors, last, noise)


def _positive(recency: float) -> float:
    value = number(recency)
    if value is None or not value > 0:
        raise ValueError(f"recency must be a positive number of rows per coefficient, got {short(recency)}")
    return value


def _guessed(table: Mapping[str, Any]) -> dict[str, str]:
    """The columns with usual names for N and D together (`DERIVED` where D follows from N and C or D / N), or
    for the only one of x, D, N and C that is there; none where that is not clear."""
    found = {}
    for name in ("x", "D", "N", "C"):
        columns = usual_names(table, name, laws.power_floor)
        if len(columns) > 1:
            raise ValueError(
                f"columns {columns[0]!r} and {columns[1]!r} could each be {name}; "
                "say which with inputs={...}"
            )
        if columns:
            found[name] = columns[0]
    if {"N", "D"} <= set(found):
        return {name: found[name] for name in ("N", "D")}
    for name in ("N", "D", *(() if found else ("C",))):
        if name not in found:
            refuse_units(table, name, ALIASES[name])
    if "N" in found and tells_tokens(table):
        return {"N": found["N"], "D": DERIVED}
    return found if len(found) == 1 else {}
