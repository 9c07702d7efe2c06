"""From rows to the best end: pad, choose starts, descend them all, keep every end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from scalefit.core.blocks import descend, sample, summed
from scalefit.core.evaluate import Problem
from scalefit.core.form import form
from scalefit.core.law import Law
from scalefit.core.numeric import of_law
from scalefit.core.objective import SHARPEST, Objective
from scalefit.core.settings import precise
from scalefit.core.solve import Ends, Jobs, Rows, solve
from scalefit.core.starts import cells, linear, screen

__all__ = ["Found", "Searches", "pad", "pad_parts", "problem_of", "round_up", "search", "search_all"]

# Below this many rows every screened cell is descended: few rows make many basins, and little work.
FEW_ROWS = 100
# Where many sets are searched in one call, each has EACH_OF_MANY cells, descends from ENOUGH of them that lie
# apart, and from the others where those disagree. Where one coefficient is screened, CELLS are looked at and
# FEW are enough: of six times 1000 tables of 5 to 60 rows 99 % reach the best of 32 starts at two spacings.
ENOUGH, EACH_OF_MANY, FEW, CELLS = 8, 16, 3, 32
# There the others have so many evaluations, and the best of all goes on where it has not settled.
BRIEF = 150
AGREE = 1e-6
# Tables of more rows than MANY_ROWS are searched on SAMPLE of them, unless there are more than FEW_SETS at
# once; at most MOST_ENDS different ends whose objective there is within a factor NEAR of the best then
# descend on all rows.
MANY_ROWS, SAMPLE, FEW_SETS, MOST_ENDS, NEAR = 4096, 2048, 8, 6, 1.3
# An objective whose width is less than this share of the usual residual is one of sizes, and is descended as
# one: with a curvature of kinks alone, Newton's own steps end anywhere.
SHARP = 1e-4
# With more rows than this, cells are compared on half as many.
THIN_FROM = 1024
# Levenberg-Marquardt carries a Jacobian and a matrix per lane;
# beyond this many coefficients L-BFGS is cheaper.
MOST_FOR_LM = 80


class Found(NamedTuple):
    """Every end of one search (S lanes) and which was best;
    `how` it was made where not on all rows throughout."""

    ends: Ends
    best: int
    n_agree: int
    how: str = ""


@dataclass(frozen=True, eq=False)
class Searches(Sequence):
    """Searches of many sets, W of up to S lanes: a sequence of `Found`, or side by side as arrays.

    Lanes that were not needed have no evaluations, and an infinite value.
    """

    ends: Ends
    best: np.ndarray
    n_agree: np.ndarray
    how: str = ""

    def __len__(self) -> int:
        return len(self.best)

    def __getitem__(self, k: Any) -> Any:
        begun = self.ends.evaluations[k] > 0
        return Found(
            Ends(*(part[k][begun] for part in self.ends)), int(self.best[k]), int(self.n_agree[k]), self.how
        )

    @property
    def u(self) -> np.ndarray:
        """The best ends' coordinates (W, p)."""
        return self.ends.u[np.arange(len(self)), self.best]

    @property
    def converged(self) -> np.ndarray:
        """Whether the best ends settled (W,)."""
        return self.ends.converged[np.arange(len(self)), self.best]


def problem_of(law: Law, objective: Objective) -> Problem:
    """The part of a fit that is compiled for."""
    return Problem(law, objective.rho, objective.space, objective.secant)


def pad(tables: Sequence[Mapping[str, np.ndarray]], law: Law) -> Rows:
    """Groups of rows, each a mapping with the law's inputs, "y" and "weight", as one block of equal length.

    Lengths come in few sizes, so that data of similar size share a program;
    added rows repeat the group's last with weight zero.
    """
    ends = np.cumsum([len(table["y"]) for table in tables])
    columns = {
        name: np.concatenate([table[name] for table in tables]) for name in (*law.inputs, "y", "weight")
    }
    return pad_parts(columns, np.split(np.arange(ends[-1]), ends[:-1]), law)


def pad_parts(columns: Mapping[str, np.ndarray], parts: Sequence[np.ndarray], law: Law) -> Rows:
    """The same for groups that are these rows of one table."""
    size = np.array([len(part) for part in parts])[:, None]
    along = np.arange(round_up(int(size.max())))
    rows = np.concatenate(parts)[np.cumsum(size)[:, None] - size + np.minimum(along, size - 1)]
    weight = columns["weight"][rows] * (along < size)
    return Rows(tuple(columns[name][rows] for name in law.inputs), columns["y"][rows], weight)


def search(
    law: Law,
    rows: Rows,
    objective: Objective,
    starts: np.ndarray | None = None,
    method: str = "auto",
    n_starts: int | None = None,
) -> Found:
    """Descend from `starts` (coordinates (S, p)), or from the best screened cells, and report every end.

    A lane of whole curves is dear, and their many rows make few basins:
    where all but one of the first cells agree, the others are left.
    """
    enough = ENOUGH if law.whole and starts is None and n_starts is None else None
    return search_all(law, rows, objective, starts, method, n_starts, enough=enough)[0]


def search_all(
    law: Law,
    rows: Rows,
    objective: Objective,
    starts: np.ndarray | None = None,
    method: str = "auto",
    n_starts: int | None = None,
    warm: np.ndarray | None = None,
    enough: int | None = None,
) -> Searches:
    """`search` for every row of `rows.weight`: the resamples of one group, or one per group.

    warm: coordinates (p,) from which every row is descended too, before the screened cells. enough: a row
    whose first `enough` starts agree is done with; left out, all starts are descended where their number is
    given.
    """
    shared = form(law)
    if shared.free and shared.law.eased is not None:
        easier = shared.law.eased(*rows.x)
        starts, warm = (
            None if at is None else _moved(law, easier.law, easier.to, at) for at in (starts, warm)
        )
        there = search_all(easier.law, rows, objective, starts, method, n_starts, warm, enough)
        u = _moved(easier.law, law, easier.back, there.ends.u)
        return replace(there, ends=there.ends._replace(u=u))
    problem, n_sets, p = problem_of(law, objective), len(rows.weight), len(law.coefs)
    unit = _power_of_two(rows.weight)
    rows = rows._replace(weight=rows.weight / unit[:, None])
    # Beside a search on a sample, all rows are gone through a few times by each end that could be the best.
    if (
        rows.y.shape[1] > MANY_ROWS
        and n_sets <= FEW_SETS
        and len(rows.y) == 1
        and not law.whole
        and p <= MOST_FOR_LM
        and method != "lbfgs"
    ):
        found = _from_samples(law, rows, objective, starts, method, n_starts, warm, enough)
        if found is not None:
            return replace(found, ends=found.ends._replace(value=found.ends.value * unit[:, None]))
    alone = False
    if starts is None:
        many = n_starts is None and n_sets > 1
        alone = many and p - len(linear(law)) == 1
        nonlinear = cells(law, rows, CELLS if alone else None)
        n_rows = int(np.max(np.sum(rows.weight > 0, axis=1)))
        if many:
            n_starts, enough = EACH_OF_MANY, enough or (FEW if alone else ENOUGH)
        u, wide = screen(
            problem, _thinned(law, rows), nonlinear, n_starts or _n_starts(n_rows, nonlinear.shape)
        )
        if warm is not None:
            # The residuals there are about as wide as at the best cell; with many rows the fit is close
            # enough to begin with the final width.
            beside = wide[:, :1] if n_rows < FEW_ROWS else np.zeros((n_sets, 1))
            u = np.concatenate([np.broadcast_to(warm, (n_sets, 1, p)), u], axis=1)
            wide = np.concatenate([beside, wide], axis=1)
        if enough:
            # The best cells are neighbours: such as lie apart say more by agreeing.
            apart = np.arange(enough) * max(1, u.shape[1] // enough)
            apart = apart[apart < u.shape[1]]
            order = np.append(apart, np.delete(np.arange(u.shape[1]), apart))
            u, wide = u[:, order], wide[:, order]
    else:
        u = np.broadcast_to(starts, (n_sets, *starts.shape))
        wide = np.full(u.shape[:2], _residual_scale(problem, rows, starts))
    width, begin = _widths(objective, wide)
    if 0 < objective.width < SHARP * _usual(wide):
        # Far beyond the width the objective is its slope there times |r|: at a width that numbers can hold,
        # in proportion.
        problem, unit = problem._replace(secant=1.0), unit * (objective.width / width)
    nothing = _nothing(objective, rows, width)
    patience = 500 if starts is None else 5000
    first = ("lm" if p <= MOST_FOR_LM else "lbfgs") if method == "auto" else method

    def descend(sets, lanes: slice, method: str, patience: int) -> Ends:
        """These lanes of these sets (W', S')."""
        each = np.repeat(sets, u[0, lanes].shape[0])
        group = each if len(rows.y) > 1 else np.zeros_like(each)
        jobs = Jobs(u[sets, lanes].reshape(-1, p), begin[sets, lanes].reshape(-1), each, group)
        ends = solve(problem, rows, jobs, width, method=method, max_evaluations=patience)
        return Ends(*(part.reshape(len(sets), -1, *part.shape[1:]) for part in ends))

    every, some = np.arange(n_sets), slice(0, enough or u.shape[1])
    ends = descend(every, some, first, patience * (1 if first == "lm" else 5))
    if u.shape[1] > ends.value.shape[1]:
        found = _searches(ends, nothing)
        astray = 1 if law.whole and ends.value.shape[1] >= ENOUGH else 0
        open_ = np.flatnonzero((found.n_agree < ends.value.shape[1] - astray) | ~found.converged)
        rest = slice(some.stop, u.shape[1])
        ends = Ends(
            *(
                _beside(part, u.shape[1] - some.stop, fill)
                for part, fill in zip(ends, (np.nan, np.inf, np.inf, 0, False), strict=True)
            )
        )
        if len(open_):
            more = descend(open_, rest, first, (BRIEF if alone else patience) * (1 if first == "lm" else 5))
            for part, late in zip(ends, more, strict=True):
                part[open_, rest] = late
    if alone:
        found = _searches(ends, nothing)
        slow = np.flatnonzero(~found.converged)
        if len(slow):
            at = slow, found.best[slow]
            group = slow if len(rows.y) > 1 else np.zeros_like(slow)
            jobs = Jobs(ends.u[at], np.full(len(slow), width), slow, group)
            further = solve(problem, rows, jobs, width, method=first, max_evaluations=patience)
            further = further._replace(evaluations=further.evaluations + ends.evaluations[at])
            for part, late in zip(ends, further, strict=True):
                part[at] = late
    if method == "auto" and n_sets == 1 and not _searches(ends, nothing).converged[0]:
        # The best descent never settled: the other method tries the same starts, and the better end counts.
        other = descend(every, slice(None), "lbfgs" if first == "lm" else "lm", 5 * patience)
        better = other.value < ends.value
        spent = ends.evaluations + other.evaluations
        ends = Ends(
            *(
                np.where(better.reshape(*better.shape, *[1] * (a.ndim - 2)), b, a)
                for a, b in zip(ends, other, strict=True)
            )
        )._replace(evaluations=spent)
    return _searches(ends._replace(value=ends.value * unit[:, None]), nothing * unit)


def _moved(law: Law, other: Law, change: Callable[[np.ndarray], np.ndarray], u: np.ndarray) -> np.ndarray:
    """Coordinates (..., p) of one law as the other's, whose coefficients `change` makes of the first's."""
    with np.errstate(all="ignore"):  # ends of descents that went astray
        values = [c.support.from_real(u[..., k], xp=np) for k, c in enumerate(law.coefs)]
        changed = change(np.stack(values, axis=-1))
        return np.stack([c.support.to_real(changed[..., k]) for k, c in enumerate(other.coefs)], axis=-1)


def _from_samples(
    law: Law, rows: Rows, objective: Objective, starts, method: str, n_starts, warm, enough
) -> Searches | None:
    """Searches on a sample of the rows of each set, whose ends then descend on all;
    None where one does not settle."""
    problem = problem_of(law, objective)
    x, y = tuple(column[0] for column in rows.x), rows.y[0]
    each = []
    for weight in rows.weight:
        chosen = sample(x, y, weight, SAMPLE)
        chosen, counts = np.resize(chosen, SAMPLE), np.arange(SAMPLE) < len(chosen)
        small = Rows(
            tuple(column[None, chosen] for column in x), y[None, chosen], (weight[chosen] * counts)[None]
        )
        found = search_all(law, small, objective, starts, method, n_starts, warm, enough)
        total = np.sum(weight), np.sum(small.weight)
        ends = Ends(*(part[0].copy() for part in found.ends))
        ends = ends._replace(value=ends.value * (total[0] / total[1]))
        width = begin = objective.width if 0 < objective.width < np.inf else 1.0
        scale = np.min(ends.value) / (total[0] * (objective.width or 1.0))  # the mean size, if it is of sizes
        share = 1.0
        if objective.width == 0 or objective.width < SHARP * scale:
            width, begin = max(SHARPEST * scale, objective.width, 1e-15), scale
            share = objective.width / width if objective.width else 1.0
            problem = problem._replace(secant=1.0)
            ends = ends._replace(value=ends.value / share)
        at = summed(problem, x, y, weight)
        near = np.flatnonzero(ends.value <= np.min(ends.value) * NEAR + _nothing(objective, rows, width)[0])
        reached: dict[str, Any] = {}
        for k in near[np.argsort(ends.value[near], kind="stable")]:
            place = np.format_float_scientific(ends.value[k], 6)
            if place not in reached and len(reached) < MOST_ENDS:
                reached[place] = end = descend(at, ends.u[k], begin, width)
                if not end.converged:
                    return None
                ends.evaluations[k] += end.evaluations
            if place in reached:
                ends.u[k], ends.value[k], ends.gradient[k], _, ends.converged[k] = reached[place]
        each.append(ends._replace(value=ends.value * share))
    every = Ends(*(np.stack(parts) for parts in zip(*each, strict=True)))
    most = int(np.max(np.count_nonzero(rows.weight, axis=1)))
    how = f"searched on {SAMPLE:,} of {most:,} rows; the ends descended on all"
    return replace(_searches(every, _nothing(objective, rows, width) * share), how=how)


def _thinned(law: Law, rows: Rows) -> Rows:
    """Rows for the screen: a sample of one set's many."""
    if law.whole or rows.weight.shape[0] > 1 or rows.y.shape[1] <= THIN_FROM:
        return rows
    chosen = sample(tuple(x[0] for x in rows.x), rows.y[0], rows.weight[0], THIN_FROM // 2)
    return Rows(tuple(x[:, chosen] for x in rows.x), rows.y[:, chosen], rows.weight[:, chosen])


def _beside(part: np.ndarray, n: int, fill: Any) -> np.ndarray:
    """A copy (W, S + n, ...) whose last columns hold `fill`."""
    blank = np.full((len(part), n, *part.shape[2:]), fill, part.dtype)
    return np.concatenate([part, blank], axis=1)


def _searches(ends: Ends, nothing: np.ndarray) -> Searches:
    """Among ends equal to rounding the first start's wins:
    equal terms of a law may be exchanged in the others.

    nothing (W,): an objective that residuals of a rounding error's size have. A descent that ends where the
    objective is not finite has settled nowhere.
    """
    finite = np.isfinite(ends.value)
    ends = ends._replace(value=np.where(finite, ends.value, np.inf), converged=ends.converged & finite)
    least, nothing = np.min(ends.value, axis=1, keepdims=True), nothing[:, None]
    best = np.argmax(ends.value <= least * (1 + 1e-10) + nothing, axis=1)
    agree = finite & (ends.value <= least * (1 + AGREE) + nothing)
    return Searches(ends, best, np.sum(agree, axis=1))


def _power_of_two(weight: np.ndarray) -> np.ndarray:
    """(W,): a power of two near the mean of each row's positive weights,
    so that dividing by it rounds nothing."""
    mean = np.sum(weight, axis=1) / np.maximum(np.count_nonzero(weight, axis=1), 1)
    return 2.0 ** np.round(np.log2(np.where(mean > 0, mean, 1.0)))


def _nothing(objective: Objective, rows: Rows, width: float) -> np.ndarray:
    """The objective (W,) of residuals that are rounding errors:
    1e-14 in the logarithm, or of the outputs' usual size."""
    size = 1e-14
    if objective.space == "linear":
        counted = rows.weight if len(rows.weight) == len(rows.y) else np.ones_like(rows.y)
        size = size * float(np.median(np.abs(rows.y[counted > 0])))
    with precise():
        each = float(objective.rho(np.float64(size), np.float64(width)))
    return np.sum(rows.weight, axis=1) * each


def _n_starts(n: int, shape: tuple[int, ...]) -> int:
    """How many screened cells (of G, K, q) a single search descends."""
    _, n_cells, q = shape
    if q == 0:
        return 1
    return min(n_cells, 144 if n < FEW_ROWS else 8 if q <= 2 else 64)


def _widths(objective: Objective, wide: np.ndarray) -> tuple[float, np.ndarray]:
    """The width to end with, and one to begin with for every lane: residuals inside it, to start with."""
    if np.isinf(objective.width):
        return 1.0, np.ones_like(wide)
    usual = _usual(wide)
    sharp = objective.width == 0 or objective.width < SHARP * usual
    final = max(objective.width, SHARPEST * usual, 1e-15) if sharp else objective.width
    return final, np.clip(np.where(np.isfinite(wide), wide, usual), final, 1e3 if sharp else 1e6 * final)


def _usual(wide: np.ndarray) -> float:
    """The usual size of residuals at the starts; 1 where none is finite."""
    return float(np.median(wide[np.isfinite(wide)])) if np.isfinite(wide).any() else 1.0


def _residual_scale(problem: Problem, rows: Rows, starts: np.ndarray) -> float:
    """The residuals' root mean square at the first start; 1 where it has none."""
    law, shared = problem.law, form(problem.law)
    written = of_law(shared.law, ())
    with precise(), np.errstate(all="ignore"):
        natural = [c.support.from_real(v, xp=np) for c, v in zip(law.coefs, starts[0], strict=True)]
        if written is None:
            predicted = law(
                dict(zip(law.names, natural, strict=True)),
                dict(zip(law.inputs, (x[0] for x in rows.x), strict=True)),
            )
        else:
            predicted = written(*(x[0] for x in rows.x), *shared.values(natural))[0]
        y = rows.y[0]
        r = np.log(predicted) - np.log(y) if problem.space == "log" else predicted - y
        scale = float(np.sqrt(np.mean(np.square(r))))
    return scale if np.isfinite(scale) and scale > 0 else 1.0


def round_up(n: int) -> int:
    """Lengths come in few sizes: multiples of 16 up to 256, from there on at most an eighth more."""
    step = max(16, 2 ** (max(n - 1, 1).bit_length() - 4))
    return -(-n // step) * step
