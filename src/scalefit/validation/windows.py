"""Laws side by side on one table: their checked columns, and what is held out, window by window."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scalefit.arguments import by_name
from scalefit.core.data import Data
from scalefit.core.law import Law
from scalefit.core.objective import Objective
from scalefit.fits.fit import Fit
from scalefit.fits.fitting import record
from scalefit.fits.open_ends import hold_open_ends
from scalefit.fits.windows import FOLDS, counts_of, cuts_of, larger, merged, refitting, size_of_runs
from scalefit.runs import tables
from scalefit.runs.binding import bind, law_of, objective_of

__all__ = [
    "Laws",
    "Problem",
    "Windows",
    "TooFew",
    "by_label",
    "problems_of",
    "rank",
    "shares_in",
    "sizes_of",
    "windows_of",
]

# What a window must hold: distinct sizes, and rows per coefficient of the largest law.
SIZES, PER_COEF = 3, 2

Laws = str | Law | Sequence[str | Law] | Mapping[str, str | Law]


def rank(score: float) -> tuple[bool, float]:
    """What tables are sorted by: scores that differ by rounding alone keep their order, and none is last."""
    return bool(np.isnan(score)), float(f"{score:.9g}")


@dataclass(frozen=True)
class Problem:
    """One law with its checked columns."""

    law: Law
    data: Data
    objective: Objective
    columns: Mapping[str, str]
    notes: tuple[str, ...]

    def fits(self, weights: Sequence[np.ndarray], key: int) -> list[Fit]:
        """One fit for each row of weights;
        rows of weight zero stay in the block, so that all share one program."""
        return self.fitting(weights, key)()

    def fitting(
        self, weights: Sequence[np.ndarray], key: int, executor: Executor | None = None
    ) -> Callable[[], list[Fit]]:
        """The fits, begun in the executor's workers where there is one; the call gives them."""
        found = refitting(self.law, [self.data], self.objective, weights, executor=executor)

        def answer() -> list[Fit]:
            fits = []
            for used, each in zip(weights, found(), strict=True):
                data = replace(self.data, weight=used)
                law, own, said = hold_open_ends(self.law, data, self.objective, each)
                fits.append(record(law, data, self.objective, own, self.columns, self.notes, key, None, said))
            return fits

        return answer


@dataclass(frozen=True, eq=False)
class Windows:
    """What is held out and foretold, window by window; all other rows are fitted.

    by: what parts the rows; cuts: its values up to which runs are fitted, ascending, or the folds' numbers.
    size: of each row, None for folds. held: (windows, rows); distance: the same, decades beyond the cut.
    """

    by: str
    cuts: tuple[float, ...]
    size: np.ndarray | None
    held: np.ndarray
    distance: np.ndarray

    def last_point(self, k: int, problem: Problem) -> np.ndarray:
        """The mean output (of logarithms where errors are) of the largest runs fitted in window k, or of a
        fold's all, for every row."""
        y, used = problem.data.y, ~self.held[k] & (problem.data.weight > 0)
        if self.size is not None:
            used &= self.size == np.max(self.size[used])
        middle = np.exp(np.mean(np.log(y[used]))) if problem.objective.space == "log" else np.mean(y[used])
        return np.full(len(y), middle)


class TooFew(ValueError):
    """Rows or sizes that leave nothing to hold out."""


def by_label(given: Laws) -> dict[str, Law]:
    """Label -> law."""
    if isinstance(given, Mapping):
        pairs = [(str(label), law_of(law)) for label, law in given.items()]
    else:
        several = [given] if isinstance(given, str | Law) or not isinstance(given, Iterable) else list(given)
        pairs = [(law.name, law) for law in map(law_of, several)]
    if not pairs:
        raise ValueError("laws is empty; name at least one")
    named = dict(pairs)
    if len(named) < len(pairs):
        labels = [label for label, _ in pairs]
        twice = next(label for label in labels if labels.count(label) > 1)
        raise ValueError(
            f"two laws are called {twice!r}; give them labels, as in {{'one': law, 'other': law}}"
        )
    return named


def problems_of(
    named: Mapping[str, Law], table, y, inputs, group, objective, weight, enough: int | None = None
) -> dict[str, Problem]:
    """Each law, fit for a backtest, with its columns: one output and one objective for all.

    enough: rows it takes, one per coefficient if not said.
    """
    for label, law in named.items():
        if law.whole or law.by is not None or law.labels:
            why = "looks at whole curves" if law.whole else "has coefficients per label"
            raise ValueError(
                f"law {label!r} {why}, and a backtest holds out single rows by size; "
                "split such runs by hand, "
                "with weight zero for the rows held out"
            )
    inputs = by_name("inputs", inputs)
    for name in inputs:
        if not any(name in law.inputs for law in named.values()):
            known = ", ".join(dict.fromkeys(n for law in named.values() for n in law.inputs))
            raise ValueError(f"no law has an input {name!r}; their inputs are {known}")
    problems = {}
    for label, law in named.items():
        own = {name: column for name, column in inputs.items() if name in law.inputs}
        goal = objective_of(law, objective)
        data, columns, notes = bind(law, table, own, y, group, weight, goal, enough)
        problems[label] = Problem(law, data, goal, columns, notes)
    (one, first), *others = problems.items()
    for label, other in others:
        if other.objective != first.objective:
            raise ValueError(
                f"{one!r} is fitted with {first.objective} and {label!r} with {other.objective}; "
                "say which for both, e.g. objective=sf.huber(1e-3)"
            )
        if other.columns["y"] != first.columns["y"]:
            raise ValueError(
                f"{one!r} predicts column {first.columns['y']!r} and {label!r} {other.columns['y']!r}; "
                'say which for both with y="..."'
            )
    return problems


def sizes_of(problems: Mapping[str, Problem], table: Any, by: str | None) -> tuple[str, np.ndarray | None]:
    """The label and values of what says which runs are small; no values for mixtures, which have no size."""
    first = next(iter(problems.values()))
    if by is not None:
        column = tables.find(table, by, "by")
        values = tables.numbers(table[column], f"column {by!r} (by)", "positive")
        tables.same_length(f"column {by!r}", len(values), len(first.data), f"column {first.columns['y']!r}")
        # The column of an input is read as that input is: a loss is larger where it is less.
        for problem in problems.values():
            for name in problem.law.inputs:
                if problem.columns.get(name) == column:
                    label, size = larger(problem.law, name, str(by), values)
                    return label, merged(size)
        return str(by), merged(values)
    if all(shares_in(p.law) and not counts_of(p.law, p.data.x) for p in problems.values()):
        return FOLDS, None
    known = dict(size_of_runs(p.law, p.data.x, p.columns) for p in problems.values())
    label = "6 N D" if "6 N D" in known else next(iter(known))
    if len(known) > 1 and label != "6 N D":
        raise ValueError(
            'what makes a run large is not clear from these laws; say which column with by="..."'
        )
    if not np.all(known[label] > 0):
        raise ValueError(
            f"{label!r} is not positive in row {np.argmin(known[label] > 0)} (counting from 0), so sizes "
            'have no ratio; leave such rows out, or say another column with by="..."'
        )
    return label, merged(known[label])


def shares_in(law: Law) -> tuple[str, ...]:
    """The inputs that are shares of a mixture."""
    return tuple(name for name in law.inputs if name in law.domain and law.domain[name].each)


def windows_of(
    by: str, size: np.ndarray | None, problems: Mapping[str, Problem], n_cuts: int, key: int
) -> Windows:
    """Windows that grow, up to values of `by`, with enough rows and sizes for the largest law and one size
    left; of mixtures folds, equal ones in one."""
    first = next(iter(problems.values()))
    label, law = max(((label, p.law) for label, p in problems.items()), key=lambda pair: len(pair[1].coefs))
    if size is None:
        return _folds(by, first, n_cuts, key, label, len(law.coefs))
    least = PER_COEF * len(law.coefs)
    counted = size[first.data.counted]
    sizes = np.unique(counted)
    if len(sizes) <= SIZES:
        raise TooFew(
            f"{by!r} has only {len(sizes)} distinct value{'s' * (len(sizes) > 1)}; a backtest needs at least "
            f"{SIZES + 1}, {SIZES} to fit and one to predict"
        )
    cuts = cuts_of(counted, n_cuts, least, SIZES)
    if not cuts:
        raise TooFew(
            f"only {np.sum(counted < sizes[-1])} rows lie below the largest {by!r}, and {label!r} needs "
            f"{least} to fit its {len(law.coefs)} coefficients; add runs or use a smaller law"
        )
    beyond = np.array(cuts)[:, None]
    return Windows(by, cuts, size, size > beyond, np.log10(size / beyond))


def _folds(by: str, problem: Problem, n_folds: int, key: int, label: str, n_coefs: int) -> Windows:
    """Each mixture held out once; `label` is the law of the most coefficients."""
    shares = np.stack([problem.data.x[name] for name in shares_in(problem.law)])
    distinct, place = np.unique(shares, axis=1, return_inverse=True)
    count = distinct.shape[1]
    if n_folds < 2:
        raise ValueError("one fold leaves no mixture to fit; say n_cuts=2 or more")
    if count <= n_folds:
        raise ValueError(
            f"{count} distinct mixture{'s' * (count > 1)} cannot be parted into {n_folds} folds; add runs, "
            "or ask for fewer with n_cuts="
        )
    fold = np.random.default_rng(key).permutation(np.arange(count) % n_folds)[place.reshape(-1)]
    held = fold == np.arange(n_folds)[:, None]
    fitted = int(np.min(np.count_nonzero(~held & (problem.data.weight > 0), axis=1)))
    if fitted <= n_coefs:
        raise ValueError(
            f"{fitted} rows outside a fold cannot determine the {n_coefs} coefficients of {label!r}; "
            "add runs or use a smaller law"
        )
    return Windows(by, tuple(map(float, range(1, n_folds + 1))), None, held, np.zeros(held.shape))
