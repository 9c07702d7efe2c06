"""Runs that two recipes made at equal inputs, and what their gaps say of the compute that one saves.

This is behind `sf.multiplier`.

With g_i = log L_b - log L_a of pair i, at compute C_i, and the slope of the best loss s_i = -d log L* / d log
C there,

    log m_i = g_i / s_i

is the compute, in logs, that b needs beyond a. s is the mean of both laws'. Few pairs have one log m in
common, the least-squares fit of g_i = s_i log m, for gaps have errors alike. Pairs at equal inputs, at least
three more than the law has coefficients u, tell by how much these differ,

    g_i = sum_k d log L(x_i) / du_k Delta_k,    log m(C) = sum_k d log L(x*) / du_k Delta_k / s(C),

(of what the laws leave of g and log m, which first order serves better), x* being the optimum for C (where
the derivative of the best loss is that of the loss). So recipes may differ in any coefficient, as two fits
may, but what the pairs share is gone from the errors. The half-width is the root of the sum of squares of

    t_{n-k} sd(what is left of g) times the leverage of the answer, 1 / sqrt(sum_i s_i^2) for few pairs;
    delta log m: slopes being off by a factor exp(delta) at this level, by the draws of both fits, at most
    `MOST`, for between its runs a law's slope is that of the losses measured; and, beyond few pairs only, a
    trend that they cannot show, and z log m (s_i / s - 1), for they do not say whether a recipe saves the
    same share of compute at another scale or lowers loss by the same share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri, stdtrit

from scalefit.decisions.allocation import best, losses
from scalefit.decisions.decide import ladder
from scalefit.decisions.recipe import Recipe, point
from scalefit.fits.fit import Fit
from scalefit.fits.joint import ends
from scalefit.flops import Cost

__all__ = ["Pairs", "pair"]

# Inputs of two runs that differ by less than this, in logs, are equal, and so are budgets.
NEAR = float(np.log(1.1))
# Pairs from which their scatter is told, and so many more than coefficients from which those may differ.
FEWEST = 3
# Sizes at a budget, of each recipe, that are compared: those the laws put lowest.
SIZES = 3
# Half the width over which slopes are taken, in log C, and derivatives, in coefficients on the real line.
STEP, SMALL = 0.05, 1e-4
# By how much the slope between measured losses may be off at most, in logs: over a decade or more only its
# changes from one budget to the next matter, which move a mean of 1 / s by a few percent; over less, errors
# of the losses do.
MOST, SHORT, DECADE = 0.25, float(np.log(2)), float(np.log(10))


@dataclass(frozen=True)
class Pairs:
    """Pairs of runs (n,): log C; gap, log L_b - log L_a, and what the laws say of it; slope, -d log L* / d
    log C; factor, by how much slopes may be off at the level asked for, in logs; shape, d log L / du (n,
    coefficients), None where there are too few pairs for it.
    """

    recipes: tuple[Recipe, Recipe]
    log_C: np.ndarray
    gap: np.ndarray
    said: np.ndarray
    slope: np.ndarray
    factor: float
    shape: np.ndarray | None

    def __len__(self) -> int:
        return len(self.gap)

    def at(self, C: float, laws: float, level: float | None) -> tuple[float, tuple[float, float]]:
        """The multiplier near a budget, where that of the laws is known, and its interval, open without a
        level."""
        slope = float(np.mean([part[0, 0] for part in _slopes(self.recipes, np.array([C]))]))
        if self.shape is None:
            design, place = self.slope[:, None], np.ones(1)
        else:
            design, place = self.shape, _derivatives(*self.recipes, _optimum(self.recipes[1], C))[0] / slope
        inverse = np.linalg.pinv(design)
        # To first order in what the laws leave, not in what they differ by.
        already, gap = (0.0, self.gap) if self.shape is None else (np.log(laws), self.gap - self.said)
        value = float(already + place @ (inverse @ gap))
        if not (slope > 0 and np.isfinite(value)):
            return np.nan, (0.0, np.inf)
        if level is None:
            return float(np.exp(value)), (0.0, np.inf)
        spare = len(self) - design.shape[1]
        left = gap - design @ (inverse @ gap)
        # The variance of the answer in that of one gap, and what few pairs do not say of other budgets.
        known, unsaid = float(np.sum((place @ inverse) ** 2)), 0.0
        log_C = np.log(C)
        beyond = max(self.log_C.min() - log_C, log_C - self.log_C.max(), 0.0)
        if self.shape is None and beyond:
            weight = self.slope**2 / np.sum(self.slope**2)
            spread = np.sum((self.slope * (self.log_C - weight @ self.log_C)) ** 2)
            known += beyond**2 / spread if beyond**2 < 1e6 * spread else np.inf
            nearest = self.slope[np.argmin(np.abs(self.log_C - log_C))]
            unsaid = ndtri((1 + level) / 2) * value * (nearest / slope - 1)
        error = np.sqrt(left @ left / spare * known) if np.any(left) else 0.0
        half = np.sqrt(
            (stdtrit(spare, (1 + level) / 2) * error) ** 2 + (self.factor * value) ** 2 + unsaid**2
        )
        return float(np.exp(value)), (float(np.exp(value - half)), float(np.exp(value + half)))


class _Met(NamedTuple):
    """Pairs (n,): log C, gap of log losses, and the inputs they share, where they do."""

    log_C: np.ndarray
    gap: np.ndarray
    x: dict[str, np.ndarray] | None


def pair(recipes: Sequence[Recipe], flops: Cost, level: float | None) -> Pairs | None:
    """Pairs of the runs of two fits (a, b); None where too few were made at equal inputs, or loss does not
    fall with compute."""
    a, b = (recipe.fit for recipe in recipes)
    if not (isinstance(a, Fit) and isinstance(b, Fit)):
        return None
    fits = a, b
    spent = [_log_C(fit, recipe, flops) for fit, recipe in zip(fits, recipes, strict=True)]
    met = _at_inputs(a, b, spent) or _at_budgets(fits, recipes, spent)
    if met is None:
        return None
    C = np.exp(met.log_C)
    slopes = _slopes(recipes, C)
    slope = np.mean([part[0] for part in slopes], axis=0)
    if not np.all(slope > 0):
        return None
    # Of one fit, where the other has no rows to spare.
    sure = [
        part for part, recipe in zip(slopes, recipes, strict=True) if level is not None and recipe.joint.known
    ]
    factor = most = MOST if np.ptp(met.log_C) >= DECADE - NEAR else SHORT
    if sure and level is not None:
        n = min(map(len, sure))
        drawn = np.mean([np.mean(part[1:n] / part[0], axis=1) for part in sure], axis=0)
        lo, hi = ends(drawn, level, (0.0, np.inf))
        factor = min(max(np.log(hi), -np.log(lo)), most) if lo > 0 else most
    both = recipes[0], recipes[1]
    enough = met.x is not None and len(C) >= len(b.u) + FEWEST
    shape = _derivatives(*both, met.x) if met.x is not None and enough else None
    said = np.zeros(len(C))
    if met.x is not None:
        said = _log_loss(b, met.x) - _log_loss(a, met.x)
    return Pairs(both, met.log_C, met.gap, said, slope, float(factor), shape)


def _derivatives(a: Recipe, b: Recipe, x: Mapping[str, np.ndarray]) -> np.ndarray:
    """d log L / du (n, coefficients) of the law half way between both fits; of b's, where laws differ."""
    assert isinstance(a.fit, Fit)
    assert isinstance(b.fit, Fit)
    law = b.fit.law
    u = (a.fit.u + b.fit.u) / 2 if a.fit.law == law else b.fit.u
    columns = []
    for k in range(len(u)):
        step = SMALL * np.eye(len(u))[k]
        sides = [
            {c.name: c.support.from_real(v, xp=np) for c, v in zip(law.coefs, at, strict=True)}
            for at in (u + step, u - step)
        ]
        with np.errstate(all="ignore"):
            up, down = (np.log(np.asarray(law(coefs, x), float)) for coefs in sides)
        columns.append((up - down) / (2 * SMALL))
    return np.stack(np.broadcast_arrays(*columns), axis=1)


def _optimum(recipe: Recipe, C: float) -> dict[str, np.ndarray]:
    """The law's inputs at its optimum for a budget."""
    assert isinstance(recipe.fit, Fit)
    names = recipe.fit.law.inputs
    if not recipe.of_sizes:
        return {names[0]: np.array([C])}
    found = best(recipe.estimate, np.full((1, 1), C))
    x = point(recipe, found.N[0], found.D[0])
    return {name: x[name] for name in names}


def _slopes(recipes: Sequence[Recipe], C: np.ndarray) -> list[np.ndarray]:
    """-d log L* / d log C of each law, for the estimate and every draw (draws + 1, budgets)."""
    with np.errstate(all="ignore"):
        return [
            np.log(losses(one, C * np.exp(-STEP)) / losses(one, C * np.exp(STEP))) / (2 * STEP)
            for one in recipes
        ]


def _at_inputs(a: Fit, b: Fit, log_C: Sequence[np.ndarray]) -> _Met | None:
    """Cells of equal inputs that hold at least half of either recipe's; replicates count by their mean."""
    if set(a.law.inputs) != set(b.law.inputs):
        return None
    x = [{name: fit.data.x[name][fit.data.counted] for name in a.law.inputs} for fit in (a, b)]
    placed = [_place(np.concatenate([part[name] for part in x])) for name in a.law.inputs]
    places = np.split(np.stack(placed, axis=1), [len(x[0][a.law.inputs[0]])])
    cells = _cells(places[0])
    cell = [_nearest(cells, place) for place in places]
    common = np.intersect1d(cell[0], cell[1])
    common = common[common >= 0]
    if len(common) < max(FEWEST, min(len(cells), len(_cells(places[1]))) / 2):
        return None
    off = [_unlike(fit, [a, b]) for fit in (a, b)]
    gap = np.array([np.mean(off[1][cell[1] == k]) - np.mean(off[0][cell[0] == k]) for k in common])
    if not np.all(np.isfinite(gap)):
        return None
    # One row of each cell: its inputs are equal.
    first = [np.flatnonzero(cell[0] == k)[0] for k in common]
    shared = {name: values[first] for name, values in x[0].items()}
    return _Met(np.array([np.mean(log_C[0][cell[0] == k]) for k in common]), gap, shared)


def _at_budgets(fits: Sequence[Fit], recipes: Sequence[Recipe], log_C: Sequence[np.ndarray]) -> _Met | None:
    """The three sizes near the optimum at budgets where both recipes ran three or more: at least half of
    either's budgets."""
    if not all({"N", "D"} <= set(fit.law.inputs) for fit in fits):
        return None
    loss = [fit.data.y[fit.data.counted] for fit in fits]
    scales, _ = ladder([np.exp(own) for own in log_C], loss)
    rows = [[np.flatnonzero(np.abs(own - np.log(c)) < NEAR / 2) for own in log_C] for c in scales]
    rows = [pair for pair in rows if min(map(len, pair)) >= SIZES]
    fewest = min(len(_cells(own[:, None])) for own in log_C)
    if len(rows) < max(FEWEST, fewest / 2):
        return None
    # Near the optimum by what the law says: the lowest of several measured losses is a lucky one, and luckier
    # where more of them are near. Each recipe's own law brings its sizes to its optimum.
    left, at = [], []
    for fit, own, y, mine in zip(fits, log_C, loss, zip(*rows, strict=True), strict=True):
        r = _unlike(fit, [fit])
        near = [part[np.argsort((np.log(y) - r)[part])[:SIZES]] for part in mine]
        at.append(np.array([np.mean(own[part]) for part in near]))
        left.append([np.mean(r[part]) for part in near])
    C = np.mean(at, axis=0)
    gap = np.diff(
        [np.log(losses(one, np.exp(C))[0]) + r for one, r in zip(recipes, left, strict=True)], axis=0
    )[0]
    return _Met(C, gap, None) if np.all(np.isfinite(gap)) else None


def _unlike(fit: Fit, fits: Sequence[Fit]) -> np.ndarray:
    """Log losses of a fit's runs less what these laws say on average: inputs that differ a little then count
    as equal."""
    x = {name: values[fit.data.counted] for name, values in fit.data.x.items()}
    return np.log(fit.data.y[fit.data.counted]) - np.mean([_log_loss(each, x) for each in fits], axis=0)


def _log_loss(fit: Fit, x: Mapping[str, np.ndarray]) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.log(np.asarray(fit.law(fit.coefs, x), float))


def _log_C(fit: Fit, recipe: Recipe, flops: Cost) -> np.ndarray:
    """Log FLOPs of every run, or of its one input."""
    x = {name: values[fit.data.counted] for name, values in fit.data.x.items()}
    if {"N", "D"} <= set(x):
        held = {name: values for name, values in x.items() if name not in ("N", "D")}
        return np.log(flops(x["N"], x["D"], {**recipe.at, **held}))
    return np.log(x["C"] if "C" in x else next(iter(x.values())))


def _place(values: np.ndarray) -> np.ndarray:
    """Where an input lies: runs within 1 of each other are equal."""
    return np.log(values) / NEAR if np.all(values > 0) else values / (0.01 * np.ptp(values) or 1.0)


def _cells(places: np.ndarray) -> np.ndarray:
    """The first row of every set of equal inputs."""
    cells: list[np.ndarray] = []
    left = places
    while len(left):
        cells.append(left[0])
        left = left[np.max(np.abs(left - left[0]), axis=1) > 1]
    return np.array(cells)


def _nearest(cells: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The cell of every row, -1 for none."""
    off = np.array([np.max(np.abs(cells - place), axis=1) for place in places])
    return np.where(np.min(off, axis=1) <= 1, np.argmin(off, axis=1), -1)
