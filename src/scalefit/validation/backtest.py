"""How well laws foretell larger runs: fit on small ones, predict the large ones, and count.

    sf.backtest(["chinchilla", "skaling"], runs, by="flops").table()

Every prediction is kept, with its error and whether its interval held.
`sf.compare` puts criteria on all runs beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from scalefit import laws
from scalefit.arguments import check_choice, check_key, check_level, whole
from scalefit.core.data import Data
from scalefit.core.objective import Objective
from scalefit.fits.ensemble import Foretold, rms, score
from scalefit.fits.fit import Fit
from scalefit.fits.noise import residual_scatter
from scalefit.fits.pictured import Pictured
from scalefit.fits.progress import steps
from scalefit.fits.windows import FOLDS
from scalefit.frames import Frame, frame
from scalefit.runs import tables
from scalefit.uncertainty.bootstrap import bootstrap
from scalefit.validation.windows import (
    Laws,
    Problem,
    Windows,
    by_label,
    problems_of,
    rank,
    sizes_of,
    windows_of,
)
from scalefit.words import aligned, short_number

__all__ = ["Backtest", "backtest", "windows"]

# Decades beyond the cut by which errors are told apart.
BINS = ((0.0, 0.5), (0.5, 1.0), (1.0, 2.0), (2.0, np.inf))
# So many rows give a distance a factor of its own in `inflation`.
ENOUGH = 20
# What stays as it was: the largest run so far; of mixtures the mean of those fitted.
LAST, MEAN = "last point", "mean of the others"


@dataclass(frozen=True, eq=False)
class Backtest(Pictured):
    """Predictions of larger runs by laws that were fitted to smaller ones.

    by: what says which runs are small; cuts: its values up to which runs were fitted, ascending. laws,
    baselines: labels. columns: one entry per law, cut and held-out row, as arrays (see `rows`). fits: (label,
    cut) -> Fit. space: "log" where errors are of log y, "linear" where of y; level: of the intervals.
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
    def rows(self) -> Frame:
        """A frame with one row per law, cut and held-out run.

        row: its number in the user's table; distance: decades of `by` beyond the cut; error: log(predicted) -
        log(measured), or predicted - measured; lo, hi: interval for one new run; inside: 1 or 0 (NaN for a
        baseline without interval); trust: that of the fit.
        """
        rows = zip(*self.columns.values(), strict=True)
        return frame(dict(zip(self.columns, row, strict=True)) for row in rows)

    def table(self) -> Frame:
        """One row per law as a frame, the best first.

        score: the geometric mean over windows of sqrt(mean square error + s^2), s the runs' own scatter;
        median and rms of |error|, over all predictions and by decades beyond the cut; coverage: share of runs
        inside their interval; not_trusted: share of fits whose status is "bad".
        """
        return frame(self._lines())

    def weights(self) -> dict[str, float]:
        """Label -> weight of the law in an ensemble (see `Foretold.weights`); baselines get none."""
        return self.foretold.weights()

    def inflation(self, level: float | None = None) -> Frame:
        """Factors by which intervals for new runs must be widened to hold this share of these held-out runs.

        level: the share wanted, that of the backtest unless given; the factors multiply the half-widths of
        intervals at the backtest's level. A frame with one row per law and distance: factor, the ceil((n + 1)
        level)-th smallest |measured - middle| / half-width of n predictions (in log y where errors are; split
        conformal, infinite where n is too small); rows: n. Distances with fewer than 20 predictions take the
        factor of all of the law's predictions together. Runs in one window share a fit, so the promise of
        conformal prediction holds only roughly.
        """
        level = check_level(self.level if level is None else level)
        lines = []
        for label in (*self.laws, *(b for b in self.baselines if b not in (LAST, MEAN))):
            mine = self.columns["law"] == label
            need, distance = self._need[mine], self.columns["distance"][mine]
            for lo, hi in BINS:
                here = need[_between(distance, lo, hi)]
                enough = len(here) >= ENOUGH
                lines.append(
                    {
                        "law": label,
                        "beyond": lo,
                        "to": hi,
                        "rows": len(here),
                        "own": enough,
                        "factor": _conformal(here if enough else need, level),
                    }
                )
        return frame(lines)

    def __repr__(self) -> str:
        cuts = ", ".join(f"{cut:.3g}" for cut in self.cuts)
        how = f"{len(self.cuts)} {FOLDS}" if self.by == FOLDS else f"by {self.by}, cuts at {cuts}"
        return "\n".join(
            [
                f"Backtest {how}; {_errors_of(self.space)}; {self.level:.0%} intervals of new runs",
                *aligned(self._short()),
            ]
        )

    def _short(self) -> Iterator[list[str]]:
        """The table's main columns as text, the best law first."""
        bins = [(lo, hi) for lo, hi in BINS if np.any(_between(self.columns["distance"], lo, hi))]
        bins = [] if self.by == FOLDS else bins
        yield [
            "",
            "predictions",
            "score",
            "median",
            "rms",
            *(f"rms {_span(*b)} decades" for b in bins),
            "coverage",
            "not trusted",
        ]
        for line in self._lines():
            name = f"{line['law']} (baseline)" if line["baseline"] else line["law"]
            errors = [line["score"], line["median"], line["rms"], *(line[f"rms {_span(*b)}"] for b in bins)]
            yield [
                name,
                str(line["predictions"]),
                *map(short_number, errors),
                _share(line["coverage"]),
                _share(line["not_trusted"]),
            ]

    def _lines(self) -> list[dict[str, Any]]:
        """The table, the best law first."""
        return sorted(map(self.line, (*self.laws, *self.baselines)), key=lambda line: rank(line["score"]))

    def line(self, label: str) -> dict[str, Any]:
        """One law's or baseline's row of the table."""
        check_choice(label, "label", (*self.laws, *self.baselines))
        mine = self.columns["law"] == label
        error, distance = np.abs(self.columns["error"][mine]), self.columns["distance"][mine]
        line = {
            "law": label,
            "baseline": label in self.baselines,
            "windows": len(self.cuts),
            "predictions": len(error),
            "score": self._score(label),
            "median": float(np.median(error)),
            "rms": rms(error),
        }
        for lo, hi in BINS:
            here = error[_between(distance, lo, hi)]
            line[f"median {_span(lo, hi)}"] = float(np.median(here)) if len(here) else np.nan
            line[f"rms {_span(lo, hi)}"] = rms(here)
        bad = [self.fits[label, cut].status.trust == "bad" for cut in self.cuts if (label, cut) in self.fits]
        line["coverage"] = float(np.mean(self.columns["inside"][mine]))
        line["not_trusted"] = float(np.mean(bad)) if bad else np.nan
        return line

    @cached_property
    def foretold(self) -> Foretold:
        """Errors by law and window."""
        noise = np.array(
            [min(residual_scatter(self.fits[label, cut]) for label in self.laws) for cut in self.cuts]
        )
        errors = {label: self._split("error", label) for label in self.laws}
        last = MEAN if self.by == FOLDS else LAST
        return Foretold(
            self.by, self.cuts, self._split("distance", last), errors, self._split("error", last), noise
        )

    def _score(self, label: str) -> float:
        return score(self._split("error", label), self.foretold.noise)

    def _split(self, name: str, label: str) -> tuple[np.ndarray, ...]:
        """A column of one law by window."""
        mine, cut = self.columns["law"] == label, self.columns["cut"]
        return tuple(self.columns[name][mine & (cut == each)] for each in self.cuts)

    @cached_property
    def _need(self) -> np.ndarray:
        """How much wider about its middle each interval must be to end at the measured run;
        0 for an infinite one."""
        to = np.log if self.space == "log" else np.asarray
        with np.errstate(divide="ignore", invalid="ignore"):
            measured, lo, hi = (to(self.columns[name]) for name in ("measured", "lo", "hi"))
            need = np.abs(measured - (lo + hi) / 2) / ((hi - lo) / 2)
            return np.where(np.isfinite(lo) & np.isfinite(hi), np.nan_to_num(need, nan=np.inf), 0.0)


def backtest(
    laws: Laws,
    runs: Any,
    by: str | None = None,
    y: str | None = None,
    inputs: Mapping[str, str] | None = None,
    *,
    level: float = 0.9,
    n_cuts: int = 4,
    group: str | Literal[False] | None = None,
    objective: Objective | None = None,
    weight: str | Sequence[float] | None = None,
    n_draws: int = 0,
    key: int = 0,
    executor: Executor | None = None,
) -> Backtest:
    """Fit each law to the small runs, predict every larger one, for windows that grow.

    Two baselines are beside the laws: "last point", the loss of the largest run so far, unchanged, and "power
    of ...", a power of `by` alone. Rows of one group may lie on both sides of a cut.

    Mixtures have no size: laws of shares are held against folds, each mixture held out once, beside the mean
    of the others.

    Args:
        laws: one id of `sf.laws` or Law, several, or a dict label -> law.
        runs: a table, as for `sf.fit`.
        by: the column that says what is small; where left out 6 N D, or the one input of laws with one; of
            laws of shares alone folds.
        y: the column of the output, as in `sf.fit`.
        inputs: columns of the inputs of all laws together, each takes its own.
        level: of the intervals, each for one new run: from first-order covariances, or from n_draws bootstrap
            refits.
        n_cuts: at most so many windows, ending at values of `by` that split its range evenly in the
            logarithm; the first holds at least three scales and twice as many rows as the largest law has
            coefficients, every window leaves out at least the largest scale, and all laws see the same rows.
            Of mixtures, how many folds.
        group: as in `sf.fit`.
        objective: as in `sf.fit`.
        weight: as in `sf.fit`; rows of weight zero are neither fitted nor predicted.
        n_draws: how many bootstrap refits of every fit; 0 for first-order covariances.
        key: seed of the fits and draws.
        executor: fits in its workers, as `sf.bootstrap` does, with the same result.

    Returns:
        A `Backtest`: every prediction with its error and whether its interval held; `.table()` has a row per
        law.

    Raises:
        ValueError: for laws of whole curves or of labels, two laws under one label, laws fitted with
            different objectives unless one is given, too few scales or rows, and for data that `sf.fit`
            refuses.
        KeyError: for an unknown law.

    Example:
        >>> back = sf.backtest("chinchilla", runs, by="flops")
        >>> back.laws, back.baselines
        (('chinchilla',), ('power of flops', 'last point'))
    """
    return windows(
        laws, runs, by, y, inputs, level, n_cuts, group, objective, weight, n_draws, key, executor
    )[0]


def windows(laws_, runs, by, y, inputs, level, n_cuts, group, objective, weight, n_draws, key, executor=None):
    """The backtest and, by label, each law with its checked columns; arguments as in `backtest`."""
    level, n_cuts = check_level(level), whole(n_cuts, "n_cuts", 1)
    n_draws, key = whole(n_draws, "n_draws", 0), check_key(key)
    named, table = by_label(laws_), tables.columns_of(runs)
    problems = problems_of(named, table, y, inputs, group, objective, weight)
    first = next(iter(problems.values()))
    by, size = sizes_of(problems, table, by)
    power, last = f"power of {by}", MEAN if size is None else LAST
    taken = next((label for label in (last, power) if label in problems), None)
    if taken:
        raise ValueError(
            f"{taken!r} is the name of a baseline; give that law another label, as in {{'mine': law}}"
        )
    ahead = windows_of(by, size, problems, n_cuts, key)
    alone = {}
    if size is not None:
        data = Data({"x": size}, first.data.y, first.data.weight, first.data.group)
        columns = {"x": by, "y": first.columns["y"]}
        alone = {power: Problem(laws.get("monomial"), data, first.objective, columns, ())}
    fits: dict[tuple[str, float], Fit] = {}
    parts: list[dict[str, np.ndarray]] = []
    # Laws have their rows' weights in common.
    weights = [np.where(held, 0.0, first.data.weight) for held in ahead.held]
    every = {**problems, **alone}
    begun = {label: problem.fitting(weights, key, executor) for label, problem in every.items()}
    for label, answer in steps(list(begun.items()), "backtest by law"):
        problem = every[label]
        for k, fit in enumerate(answer()):
            fit = bootstrap(fit, n_draws, key, executor=executor) if n_draws else fit
            fits[label, ahead.cuts[k]] = fit
            # Predicted at all rows, so that every window asks for as many.
            # Whether the law as such holds is what is asked here.
            with np.errstate(divide="ignore"):
                found = fit.predict(problem.data.x, level, "run", model_error=False)
            out = {name: np.asarray(found[name], float) for name in ("mean", "lo", "hi")}
            parts.append(_part(label, ahead, k, problem, out, fit.status.trust))
    for k in range(len(ahead.cuts)):
        parts.append(_part(last, ahead, k, first, {"mean": ahead.last_point(k, first)}, ""))
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Backtest(
        by, ahead.cuts, tuple(problems), (*alone, last), columns, fits, first.objective.space, level
    ), problems


def _part(label: str, ahead: Windows, k: int, problem: Problem, out, trust: str) -> dict[str, np.ndarray]:
    """The held-out rows of one window under one law, as columns."""
    data = problem.data
    row = np.flatnonzero(ahead.held[k] & (data.weight > 0))
    n, measured, predicted = len(row), data.y[row], out["mean"][row]
    lo, hi = (out[end][row] if end in out else np.full(n, np.nan) for end in ("lo", "hi"))
    inside = np.where(np.isnan(lo), np.nan, (lo <= measured) & (measured <= hi))
    with np.errstate(divide="ignore", invalid="ignore"):
        error = problem.objective.residual(predicted, measured)
    return {
        "law": np.array([label] * n, object),
        "cut": np.full(n, ahead.cuts[k]),
        "row": row,
        "distance": ahead.distance[k, row],
        "predicted": predicted,
        "measured": measured,
        "error": error,
        "lo": lo,
        "hi": hi,
        "inside": inside,
        "trust": np.array([trust] * n, object),
    }


def _conformal(need: np.ndarray, level: float) -> float:
    """The ceil((n + 1) level)-th smallest; infinite where there are too few."""
    rank = int(np.ceil((len(need) + 1) * level - 1e-9))
    return float(np.sort(need)[rank - 1]) if rank <= len(need) else np.inf


def _between(distance: np.ndarray, lo: float, hi: float) -> np.ndarray:
    return ((distance > lo) | (lo == 0)) & (distance <= hi)


def _span(lo: float, hi: float) -> str:
    return f"{lo:g}-{hi:g}" if np.isfinite(hi) else f">{lo:g}"


def _errors_of(space: str) -> str:
    return "errors of log y" if space == "log" else "errors of y"


def _share(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.0%}"
