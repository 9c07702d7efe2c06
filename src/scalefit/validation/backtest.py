"""How well laws foretell larger runs: fit on small ones, predict the large ones, and count.

    sf.backtest(["chinchilla", "skaling"], runs, by="flops").table()

Every prediction is kept, with its error and whether its interval held. `sf.compare` puts criteria on all runs beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from scalefit import laws
from scalefit.core.data import Data
from scalefit.core.law import Law
from scalefit.core.objective import Objective
from scalefit.core.search import pad, search
from scalefit.fits import fitting
from scalefit.fits.fit import Fit
from scalefit.frames import frame
from scalefit.runs import tables
from scalefit.uncertainty.bootstrap import bootstrap

__all__ = ["Backtest", "backtest", "refit", "scale", "windows"]

# Decades beyond the cut by which errors are told apart.
BINS = ((0.0, 0.5), (0.5, 1.0), (1.0, 2.0), (2.0, np.inf))
# So many rows give a distance a factor of its own in `inflation`.
ENOUGH = 20
# What a window must hold: distinct scales, and rows per coefficient of the largest law.
SCALES, PER_COEF = 3, 2
# Screened starts per refit: the same for every window, so that all run in one compiled program.
N_STARTS = 64
# Sizes nearer than this in log are one size.
TIE = 1e-6
LAST = "last point"

Laws = str | Law | Sequence[str | Law] | Mapping[str, str | Law]


@dataclass(frozen=True, eq=False)
class Backtest:
    """Predictions of larger runs by laws that were fitted to smaller ones.

    by: what says which runs are small; cuts: its values up to which runs were fitted, ascending. laws, baselines:
    labels. columns: one entry per law, cut and held-out row, as arrays (see `rows`). fits: (label, cut) -> Fit.
    space: "log" where errors are of log y, "linear" where of y; level: of the intervals.
    """

    by: str
    cuts: tuple[float, ...]
    laws: tuple[str, ...]
    baselines: tuple[str, ...]
    columns: Mapping[str, np.ndarray]
    fits: Mapping[tuple[str, float], Fit]
    space: str
    level: float

    @property
    def rows(self):
        """A frame with one row per law, cut and held-out run.

        row: its number in the user's table; distance: decades of `by` beyond the cut; error: log(predicted) -
        log(measured), or predicted - measured; lo, hi: interval for one new run; inside: 1 or 0 (NaN for a baseline
        without interval); trust: that of the fit.
        """
        rows = zip(*self.columns.values(), strict=True)
        return frame(dict(zip(self.columns, row, strict=True)) for row in rows)

    def table(self):
        """One row per law as a frame, the best first.

        score: the geometric mean over windows of sqrt(mean square error + s^2), s the runs' own scatter; median and
        rms of |error|, over all predictions and by decades beyond the cut; coverage: share of runs inside their
        interval; not_trusted: share of fits whose status is "bad".
        """
        return frame(self._lines())

    def weights(self) -> dict[str, float]:
        """Label -> weight of the law in an ensemble, w ~ product over windows of 1 / sqrt(mse + s^2); sums to one.

        mse: the law's mean square error in the window; s: the smallest scatter of any law's residuals there, so that
        luck below the runs' own scatter counts for nothing. It is a softmax of -n/2 log(mse), the log-likelihood of n
        normal errors at their best scale, with n the number of windows and not of rows, because errors inside a
        window share one fit; each window has a scale of its own, as errors grow with the distance. Baselines get none.
        """
        score = np.log([self._score(label) for label in self.laws])
        share = np.exp(-len(self.cuts) * (score - np.min(score)))
        return dict(zip(self.laws, (share / np.sum(share)).tolist(), strict=True))

    def inflation(self, level: float | None = None):
        """Factors by which intervals for new runs must be widened to hold this share of these held-out runs.

        level: the share wanted, that of the backtest unless given; the factors multiply the half-widths of intervals
        at the backtest's level. A frame with one row per law and distance: factor, the ceil((n + 1) level)-th
        smallest |measured - middle| / half-width of n predictions (in log y where errors are; split conformal, infinite
        where n is too small); rows: n.
        Distances with fewer than 20 predictions take the factor of all of the law's predictions together.
        Runs in one window share a fit, so the promise of conformal prediction holds only roughly.
        """
        level = checked_level(self.level if level is None else level)
        lines = []
        for label in (*self.laws, *(b for b in self.baselines if b != LAST)):
            mine = self.columns["law"] == label
            need, distance = self._need[mine], self.columns["distance"][mine]
            for lo, hi in BINS:
                here = need[_between(distance, lo, hi)]
                enough = len(here) >= ENOUGH
                lines.append({"law": label, "beyond": lo, "to": hi, "rows": len(here), "own": enough,
                              "factor": _conformal(here if enough else need, level)})  # fmt: skip
        return frame(lines)

    def __repr__(self) -> str:
        cuts = ", ".join(f"{cut:.3g}" for cut in self.cuts)
        return "\n".join([f"Backtest by {self.by}, cuts at {cuts}; {_errors_of(self.space)}; "
                          f"{self.level:.0%} intervals of new runs", *aligned(self._short())])  # fmt: skip

    def _short(self) -> Iterator[list[str]]:
        """The table's main columns as text, the best law first."""
        bins = [(lo, hi) for lo, hi in BINS if np.any(_between(self.columns["distance"], lo, hi))]
        yield ["", "predictions", "score", "median", "rms", *(f"rms {_span(*b)} decades" for b in bins), "coverage",
               "not trusted"]  # fmt: skip
        for line in self._lines():
            name = f"{line['law']} (baseline)" if line["baseline"] else line["law"]
            errors = [line["score"], line["median"], line["rms"], *(line[f"rms {_span(*b)}"] for b in bins)]
            yield [name, str(line["predictions"]), *map(number, errors), _share(line["coverage"]),
                   _share(line["not_trusted"])]  # fmt: skip

    def _lines(self) -> list[dict[str, Any]]:
        """The table, the best law first."""
        return sorted(map(self._line, (*self.laws, *self.baselines)), key=lambda line: line["score"])

    def _line(self, label: str) -> dict[str, Any]:
        mine = self.columns["law"] == label
        error, distance = np.abs(self.columns["error"][mine]), self.columns["distance"][mine]
        line = {"law": label, "baseline": label in self.baselines, "windows": len(self.cuts), "predictions": len(error),
                "score": self._score(label), "median": float(np.median(error)), "rms": rms(error)}  # fmt: skip
        for lo, hi in BINS:
            here = error[_between(distance, lo, hi)]
            line[f"median {_span(lo, hi)}"] = float(np.median(here)) if len(here) else np.nan
            line[f"rms {_span(lo, hi)}"] = rms(here)
        bad = [self.fits[label, cut].status.trust == "bad" for cut in self.cuts if (label, cut) in self.fits]
        line["coverage"] = float(np.mean(self.columns["inside"][mine]))
        line["not_trusted"] = float(np.mean(bad)) if bad else np.nan
        return line

    def _score(self, label: str) -> float:
        """exp of the mean over windows of log sqrt(mse + s^2)."""
        mine = self.columns["law"] == label
        error, cut = self.columns["error"][mine], self.columns["cut"][mine]
        mse = np.array([np.mean(error[cut == each] ** 2) for each in self.cuts])
        # A law without a value somewhere comes last.
        square = np.where(np.isnan(mse), np.inf, np.maximum(mse + self._noise**2, 1e-300))
        return float(np.exp(np.mean(np.log(square)) / 2))

    @cached_property
    def _noise(self) -> np.ndarray:
        """The smallest scatter of residuals inside each window, over the laws."""
        return np.array([min(_scatter(self.fits[label, cut]) for label in self.laws) for cut in self.cuts])

    @cached_property
    def _need(self) -> np.ndarray:
        """How much wider about its middle each interval must be to end at the measured run; 0 for an infinite one."""
        to = np.log if self.space == "log" else np.asarray
        with np.errstate(divide="ignore", invalid="ignore"):
            measured, lo, hi = (to(self.columns[name]) for name in ("measured", "lo", "hi"))
            need = np.abs(measured - (lo + hi) / 2) / ((hi - lo) / 2)
            return np.where(np.isfinite(lo) & np.isfinite(hi), np.nan_to_num(need, nan=np.inf), 0.0)


def backtest(laws: Laws, runs: Any, by: str | None = None, y: str | None = None,
             inputs: Mapping[str, str] | None = None, *, level: float = 0.9, n_cuts: int = 4, group: str | None = None,
             objective: Objective | None = None, weight: str | Sequence[float] | None = None, n_draws: int = 0,
             key: int = 0) -> Backtest:  # fmt: skip
    """Fit each law to the small runs, predict every larger one, for windows that grow.

    laws: one id of `sf.laws` or Law, several, or a dict label -> law. by: the column that says what is small; where
    left out 6 N D, or the one input of laws with one. inputs: of all laws together, each takes its own.
    n_cuts: at most so many windows, ending at values of `by` that split its range evenly in the logarithm; the first
    holds at least three scales and twice as many rows as the largest law has coefficients, every window leaves out at
    least the largest scale, and all laws see the same rows. level: of the intervals, each for one new run: from
    first-order covariances, or from n_draws bootstrap refits. group, objective, weight as in `sf.fit`; rows of weight zero are
    neither fitted nor predicted. Rows of one group may lie on both sides of a cut.

    Two baselines are beside the laws: "last point", the loss of the largest run so far, unchanged, and "power of ...",
    a power of `by` alone.

    Raises ValueError for laws of whole curves or of labels, two laws under one label, laws fitted with different
    objectives unless one is given, too few scales or rows, and for data that `sf.fit` refuses.
    """
    return windows(laws, runs, by, y, inputs, level, n_cuts, group, objective, weight, n_draws, key)[0]


@dataclass(frozen=True)
class Problem:
    """One law with its checked columns."""

    law: Law
    data: Data
    objective: Objective
    columns: Mapping[str, str]
    notes: tuple[str, ...]

    def fit(self, weight: np.ndarray, key: int) -> Fit:
        return refit(
            self.law, replace(self.data, weight=weight), self.objective, self.columns, self.notes, key
        )


def refit(law: Law, data: Data, objective: Objective, columns: Mapping[str, str], notes: tuple[str, ...] = (),
          key: int = 0) -> Fit:  # fmt: skip
    """A fit of checked rows; those of weight zero stay in the block, so that every window shares one program."""
    rows = pad([{**data.x, "y": data.y, "weight": data.weight}], law)
    found = search(law, rows, objective, None, "auto", N_STARTS)
    return fitting._record(law, data, objective, found, columns, notes, key)


def scale(law: Law, x: Mapping[str, np.ndarray], columns: Mapping[str, str]) -> tuple[str, np.ndarray] | None:
    """What says how large a run is where nobody says so: 6 N D, C, or the only input; None where there is none."""
    if {"N", "D"} <= set(law.inputs):
        return "6 N D", 6 * x["N"] * x["D"]
    name = "C" if "C" in law.inputs else law.inputs[0] if len(law.inputs) == 1 else None
    return None if name is None else (str(columns.get(name, name)), x[name])


def windows(laws_, runs, by, y, inputs, level, n_cuts, group, objective, weight, n_draws, key):
    """The backtest and, by label, each law with its checked columns; arguments as in `backtest`."""
    level, n_cuts = checked_level(level), fitting._whole(n_cuts, "n_cuts", 1)
    n_draws, key = fitting._whole(n_draws, "n_draws", 0), fitting._whole(key, "key", 0)
    named, table = by_label(laws_), tables.columns_of(runs)
    problems = problems_of(named, table, y, inputs, group, objective, weight)
    first = next(iter(problems.values()))
    by, size = sizes_of(problems, table, by)
    power = f"power of {by}"
    taken = next((label for label in (LAST, power) if label in problems), None)
    if taken:
        raise ValueError(
            f"{taken!r} is the name of a baseline; give that law another label, as in {{'mine': law}}"
        )
    cuts = ends_of_windows(size, first.data, problems, by, n_cuts)
    alone = Problem(laws.get("monomial"), Data({"x": size}, first.data.y, first.data.weight, first.data.group),
                     first.objective, {"x": by, "y": first.columns["y"]}, ())  # fmt: skip
    fits: dict[tuple[str, float], Fit] = {}
    parts: list[dict[str, np.ndarray]] = []
    for label, problem in {**problems, power: alone}.items():
        for cut in cuts:
            used = np.where(size <= cut, problem.data.weight, 0.0)
            fits[label, cut] = fit = drawn(problem.fit(used, key), n_draws, key)
            # Predicted at all rows, so that every window asks for as many.
            found = intervals(fit, problem.data.x, level, "run")
            out = {name: np.asarray(found[name], float) for name in ("mean", "lo", "hi")}
            parts.append(_part(label, cut, size, problem, out, fit.status.trust))
    for cut in cuts:
        parts.append(_part(LAST, cut, size, first, {"mean": last_point(size, cut, first)}, ""))
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Backtest(
        by, cuts, tuple(problems), (power, LAST), columns, fits, first.objective.space, level
    ), problems


def _part(label: str, cut: float, size, problem: Problem, out, trust: str) -> dict[str, np.ndarray]:
    """The held-out rows of one window under one law, as columns."""
    data = problem.data
    row = np.flatnonzero((size > cut) & (data.weight > 0))
    n, measured, predicted = len(row), data.y[row], out["mean"][row]
    lo, hi = (out[end][row] if end in out else np.full(n, np.nan) for end in ("lo", "hi"))
    inside = np.where(np.isnan(lo), np.nan, (lo <= measured) & (measured <= hi))
    with np.errstate(divide="ignore", invalid="ignore"):
        error = problem.objective.residual(predicted, measured)
    return {"law": np.array([label] * n, object), "cut": np.full(n, cut), "row": row, "distance": np.log10(size[row] / cut),
            "predicted": predicted, "measured": measured, "error": error,
            "lo": lo, "hi": hi, "inside": inside, "trust": np.array([trust] * n, object)}  # fmt: skip


def last_point(size: np.ndarray, cut: float, problem: Problem) -> np.ndarray:
    """The mean output of the largest runs up to the cut (of their logarithms where errors are), for every row."""
    y, weight = problem.data.y, problem.data.weight
    used = (size <= cut) & (weight > 0)
    y = y[used & (size == np.max(size[used]))]
    return np.full(len(size), np.exp(np.mean(np.log(y))) if problem.objective.space == "log" else np.mean(y))


def intervals(fit: Fit, x, level: float, kind: str):
    """Predictions with intervals; a coefficient that has shrunk to exactly zero lies at minus infinity on its line."""
    with np.errstate(divide="ignore"):
        return fit.predict(x, level, kind)


def drawn(fit: Fit, n_draws: int, key: int) -> Fit:
    return bootstrap(fit, n_draws, key) if n_draws else fit


def by_label(given: Laws) -> dict[str, Law]:
    """Label -> law, each fit for a backtest."""
    if isinstance(given, Mapping):
        pairs = [(str(label), fitting._law(law)) for label, law in given.items()]
    else:
        several = [given] if isinstance(given, str | Law) else list(given)
        pairs = [(law.name, law) for law in map(fitting._law, several)]
    if not pairs:
        raise ValueError("laws is empty; name at least one")
    named = dict(pairs)
    if len(named) < len(pairs):
        labels = [label for label, _ in pairs]
        twice = next(label for label in labels if labels.count(label) > 1)
        raise ValueError(
            f"two laws are called {twice!r}; give them labels, as in {{'one': law, 'other': law}}"
        )
    for label, law in pairs:
        if law.whole or law.by is not None or law.labels:
            why = "looks at whole curves" if law.whole else "has coefficients per label"
            raise ValueError(f"law {label!r} {why}, and a backtest holds out single rows by size; split such runs by hand, "
                             "with weight zero for the rows held out")  # fmt: skip
    return named


def problems_of(named: Mapping[str, Law], table, y, inputs, group, objective, weight) -> dict[str, Problem]:
    """Each law with its columns: one output and one objective for all."""
    for name in inputs or {}:
        if not any(name in law.inputs for law in named.values()):
            known = ", ".join(dict.fromkeys(n for law in named.values() for n in law.inputs))
            raise ValueError(f"no law has an input {name!r}; their inputs are {known}")
    problems = {}
    for label, law in named.items():
        own = {name: column for name, column in (inputs or {}).items() if name in law.inputs}
        goal = fitting._objective(law, objective)
        data, columns, notes = fitting._data(law, table, own, y, group, weight, goal)
        problems[label] = Problem(law, data, goal, columns, notes)
    (one, first), *others = problems.items()
    for label, other in others:
        if other.objective != first.objective:
            raise ValueError(f"{one!r} is fitted with {first.objective} and {label!r} with {other.objective}; "
                             "say which for both, e.g. objective=sf.huber(1e-3)")  # fmt: skip
        if other.columns["y"] != first.columns["y"]:
            raise ValueError(f'{one!r} predicts column {first.columns["y"]!r} and {label!r} {other.columns["y"]!r}; '
                             'say which for both with y="..."')  # fmt: skip
    return problems


def sizes_of(problems: Mapping[str, Problem], table, by: str | None) -> tuple[str, np.ndarray]:
    """The label and values of what says which runs are small."""
    first = next(iter(problems.values()))
    if by is not None:
        column = tables.find(table, by, "by")
        values = tables.numbers(table[column], f"column {by!r} (by)", "positive")
        tables.same_length(f"column {by!r}", len(values), len(first.data), f"column {first.columns['y']!r}")
        return str(by), merged(values)
    sizes = [scale(p.law, p.data.x, p.columns) for p in problems.values()]
    known = {found[0]: found for found in sizes if found}
    if "6 N D" in known:
        return "6 N D", merged(known["6 N D"][1])
    if len(known) != 1 or None in sizes:
        raise ValueError(
            'what makes a run large is not clear from these laws; say which column with by="..."'
        )
    label, values = next(iter(known.values()))
    if not np.all(values > 0):
        raise ValueError(f"{label!r} is not positive in every row, so sizes have no ratio; say another column with "
                         'by="..."')  # fmt: skip
    return label, merged(values)


def merged(size: np.ndarray) -> np.ndarray:
    """Sizes that differ by rounding alone (6 N D of one budget) made one, the largest of them."""
    order = np.argsort(size)
    last = np.append(np.diff(np.log(size[order])) > TIE, True)
    out = np.empty_like(size)
    out[order] = size[order][last][np.cumsum(last) - last]
    return out


def ends_of_windows(
    size: np.ndarray, data: Data, problems: Mapping[str, Problem], by: str, n_cuts: int
) -> tuple[float, ...]:
    """Values of `by` to cut at: all that may be, or n_cuts spread evenly in the logarithm from the first share on."""
    size = np.sort(size[data.counted])
    scales = np.unique(size)
    if len(scales) <= SCALES:
        raise ValueError(f"{by!r} has only {len(scales)} distinct value{'s' * (len(scales) > 1)}; a backtest needs at least "
                         f"{SCALES + 1}, {SCALES} to fit and one to predict")  # fmt: skip
    label, largest = max(
        ((label, p.law) for label, p in problems.items()), key=lambda pair: len(pair[1].coefs)
    )
    least = PER_COEF * len(largest.coefs)
    usable = scales[SCALES - 1 : -1]
    usable = usable[np.searchsorted(size, usable, side="right") >= least]
    if not len(usable):
        raise ValueError(f"only {np.sum(size < scales[-1])} rows lie below the largest {by!r}, and {label!r} needs {least} "
                         f"to fit its {len(largest.coefs)} coefficients; add runs or use a smaller law")  # fmt: skip
    if len(usable) > n_cuts:
        begin = max(usable[0], scales[0] * (scales[-1] / scales[0]) ** (1 / (n_cuts + 1)))
        wanted = begin * (scales[-1] / begin) ** (np.arange(n_cuts) / n_cuts) * (1 + 1e-9)
        usable = usable[np.unique(np.searchsorted(usable, wanted, side="right") - 1)]
    return tuple(usable.tolist())


def _scatter(fit: Fit) -> float:
    """Typical residual of the fitted rows: median |r| / 0.6745, scaled up by the freedom that was fitted away."""
    r = np.abs(fit.residuals()[fit.data.counted])
    return float(np.median(r) / 0.6745 * np.sqrt(len(r) / max(len(r) - len(fit.law.coefs), 1)))


def _conformal(need: np.ndarray, level: float) -> float:
    """The ceil((n + 1) level)-th smallest; infinite where there are too few."""
    rank = int(np.ceil((len(need) + 1) * level - 1e-9))
    return float(np.sort(need)[rank - 1]) if rank <= len(need) else np.inf


def checked_level(level: float) -> float:
    if not (isinstance(level, float | int) and 0 < level < 1):
        raise ValueError(f"level must lie between 0 and 1, got {tables.short(level)}")
    return float(level)


def _between(distance: np.ndarray, lo: float, hi: float) -> np.ndarray:
    return ((distance > lo) | (lo == 0)) & (distance <= hi)


def rms(error: np.ndarray) -> float:
    return float(np.sqrt(np.mean(error**2))) if len(error) else np.nan


def _span(lo: float, hi: float) -> str:
    return f"{lo:g}-{hi:g}" if np.isfinite(hi) else f">{lo:g}"


def _errors_of(space: str) -> str:
    return "errors of log y" if space == "log" else "errors of y"


def number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.3g}"


def _share(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.0%}"


def aligned(rows) -> list[str]:
    """Rows of text as lines of equal columns, the first flush left."""
    rows = list(rows)
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return ["  " + "  ".join(f"{cell:<{w}}" if k == 0 else f"{cell:>{w}}"
                             for k, (cell, w) in enumerate(zip(row, widths, strict=True))).rstrip() for row in rows]  # fmt: skip
