"""Sweeps of sizes at several budgets, before anything is fitted:
what a column of budgets counts, and runs off the others' curve.

    sweep = read(runs, inputs, y, budget)
    off, scale = off_surface(n, loss, budgets)

Every answer counts budgets as C = 6 N D in FLOPs, whatever the column's unit. Losses of neighbouring budgets
have nearly one shape over log N, so a run is judged by

    log L = u_g + v_g t + (p + p' z + p'' z^2) t^2 + (q + q' z) t^3 + (s + s' z) t^4,

t = log N from about the minimum and z = log C standardised: a line of its own for every budget g, the bend
shared by all. A few sizes then say which run is odd, where a parabola of their own would bend to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
from scipy.special import stdtrit

from scalefit import laws
from scalefit.core.data import Data
from scalefit.fits.status import Caution
from scalefit.runs import tables
from scalefit.runs.binding import OUTPUTS, bind, guess, usual
from scalefit.words import row_words

__all__ = ["RunsByBudget", "budgets", "columns", "off_surface", "outliers"]

LAW = laws.get("chinchilla")
# 6 N D of one budget differ by less than this factor from one run to the next.
TOGETHER = 1.15
# A factor between a column and 6 N D is constant where nine rows in ten lie this close to the median.
CONSTANT = np.log(1.1)
MOSTLY = 0.9
# A run this far from that factor did not spend its budget.
OTHER = np.log(1.25)
# Runs of one budget whose 6 N D differ by more than this factor have no budget in common.
APART = 10.0
# FLOPs in one unit of a column of budgets.
UNITS = {
    8.64e19: "PF-days",
    3.6e18: "PF-hours",
    8.64e16: "TF-days",
    8.64e22: "EF-days",
    1e6: "millions of FLOPs",
    1e9: "GFLOPs",
    1e12: "TFLOPs",
    1e15: "PFLOPs",
    1e18: "EFLOPs",
    1e21: "ZFLOPs",
    1e24: "YFLOPs",
}
# Fewer FLOPs than this train nothing: the column is in another unit.
FEWEST = 1e10
# A run is off the surface where chance puts one run in 1 / RARE so far, and by no less than this in log loss,
# and this share of how far above the minimum it lies: there the surface's own terms miss a wide sweep.
RARE, LEAST_OFF, MISSED = 2e-6, 2e-3, 0.04
# Tukey's constant: 95 % as efficient as least squares where errors are normal.
TUKEY = 4.685
# Sizes in every budget from which each has a slope of its own.
OWN_SLOPE = 6
# No training repeats its loss more closely than this: closer residuals are a surface through few rows.
STEADY = 3e-4
# Share of a budget's rows that the start leaves aside.
TRIMMED = 0.3
# Subsets of rows that the surface is begun from, and how often each is refitted.
SUBSETS, STEPS = 100, 6
# Numbers that one round over the subsets may hold; budgets judged together.
HELD, MOST_BUDGETS = 10**7, 16


@dataclass(frozen=True)
class RunsByBudget:
    """Checked runs by budget, ascending.

    groups: C = 6 N D in FLOPs and the rows of each. unit: FLOPs (6 N D) in one unit of the column, NaN where
    it only says which rows belong together. apart: rows whose 6 N D is not that of their budget. cautions and
    notes: what was found and guessed. columns: where N, D and loss ("y") came from.
    """

    data: Data
    groups: tuple[tuple[float, np.ndarray], ...]
    unit: float = 1.0
    apart: tuple[int, ...] = ()
    cautions: tuple[Caution, ...] = ()
    notes: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def table(self) -> dict[str, np.ndarray]:
        """N, D and loss, for a law."""
        return {**self.data.x, "loss": self.data.y}


def columns(
    runs: Any,
    inputs: Mapping[str, str] | None,
    y: str | None,
    budget: str | None = None,
    group: str | None = None,
    enough: int | None = 2,
) -> tuple[Data, tuple[str, ...], str | None, Mapping[str, str]]:
    """N, D and loss, checked; what was guessed; the column of budgets; and those of N, D and loss ("y").

    Without tokens D = C / (6 N).
    """
    objective = OUTPUTS["loss"].objective
    table = tables.columns_of(runs)
    if not isinstance(inputs, Mapping | None) or "D" in (inputs or {}) or usual(table, "D", LAW):
        data, notes, used = _checked(table, inputs, y, group, objective, enough)
        return data, notes, budget, used
    named = [budget] if budget is not None else usual(table, "C", LAW)
    if len(named) != 1:
        # Refused as any table without tokens is.
        data, notes, used = _checked(table, inputs, y, group, objective, enough)
        return data, notes, budget, used
    C = _budget(table, named[0])
    if np.max(C) < FEWEST:
        raise ValueError(
            f"column {named[0]!r} (budget) is at most {np.max(C):.3g}, "
            "and no column of tokens says in which unit; "
            'give FLOPs (one PF-day is 8.64e19), or tokens with inputs={"D": "..."}'
        )
    known = dict(inputs or {})
    said: list[str] = []
    size = tables.find(table, known["N"], "N") if "N" in known else guess(table, "N", LAW, said)
    N = tables.numbers(table[size], f"column {size!r} (input N)", "positive")
    tables.same_length(f"column {named[0]!r}", len(C), len(N), f"column {size!r}")
    loss = tables.find(table, y, "y") if y is not None else guess(table, "y", LAW, said)
    with np.errstate(over="ignore"):  # what overflows is refused as infinite
        own = {"N": N, "D": C / (6 * N), "loss": table[loss]}
    if group is not None:
        own["group"] = table[tables.find(table, group, "group")]
    data, _, _ = _checked(own, None, "loss", group and "group", objective, enough)
    found = f"no column of tokens: D = C / (6 N), with C from column {named[0]!r} in FLOPs"
    return data, (*said, found), named[0], {"N": size, "y": loss}


def budgets(
    runs: Any, inputs: Mapping[str, str] | None, y: str | None, budget: str | None, group: str | None = None
) -> RunsByBudget:
    """The runs by budget; ValueError for a column of budgets that is none."""
    data, notes, budget, used = columns(runs, inputs, y, budget, group)
    with np.errstate(over="ignore"):  # units that make 6 N D infinite leave its logarithm finite
        C = 6 * data.x["N"] * data.x["D"]
    if not np.all(np.isfinite(C)):
        raise ValueError("6 N D is more than a number can hold; check the units of N, D and the budget")
    log_C = np.log(C)
    small = [name for name in ("N", "D") if np.max(data.x[name]) < 1000]
    odd = tuple(
        Caution(
            "odd-units",
            "warning",
            f"{name} is at most {np.max(data.x[name]):.4g}, which looks like millions or billions; "
            "C = 6 N D is in FLOPs only where both are counts",
        )
        for name in small
    )
    if budget is None:
        order = np.argsort(log_C)
        parts = np.split(order, np.flatnonzero(np.diff(log_C[order]) > np.log(TOGETHER)) + 1)
        return RunsByBudget(data, _groups(log_C, parts), cautions=odd, notes=notes, columns=used)
    values = _budget(tables.columns_of(runs), budget)
    tables.same_length(f"column {budget!r} (budget)", len(values), len(data), "the runs")
    parts = [np.flatnonzero(values == c) for c in np.unique(values)]
    unit, apart, found = _unit(budget, values, log_C, parts)
    rows = np.setdiff1d(np.arange(len(data)), apart)
    parts = [kept for part in parts if len(kept := np.intersect1d(part, rows))]
    return RunsByBudget(data, _groups(log_C, parts), unit, tuple(apart.tolist()), (*odd, *found), notes, used)


def _checked(
    table, inputs, y, group, objective, enough: int | None = 2
) -> tuple[Data, tuple[str, ...], Mapping[str, str]]:
    data, used, notes = bind(LAW, table, inputs, y, group, None, objective, enough)
    return data, notes, used


def _budget(table, budget: str) -> np.ndarray:
    column = tables.find(table, budget, "budget")
    return tables.numbers(table[column], f"column {budget!r} (budget)", "positive")


def _groups(log_C: np.ndarray, parts: Sequence[np.ndarray]) -> tuple[tuple[float, np.ndarray], ...]:
    found = [(float(np.exp(np.mean(log_C[rows]))), rows) for rows in parts]
    return tuple(sorted(found, key=lambda group: group[0]))


def _unit(
    name: str, values: np.ndarray, log_C: np.ndarray, parts: Sequence[np.ndarray]
) -> tuple[float, np.ndarray, tuple[Caution, ...]]:
    """6 N D over the column, NaN where that is no constant; rows that differ from it;
    and what to say of it."""
    none = np.array([], int)
    if np.mean(np.abs(values - log_C / np.log(10)) < CONSTANT / np.log(10)) >= MOSTLY:
        far = np.flatnonzero(np.abs(values * np.log(10) - log_C) >= OTHER)
        text = f"column {name!r} holds log10 of 6 N D; C here is 6 N D in FLOPs"
        return (
            1.0,
            far,
            (Caution("budget-units", "info", text), *_differs(name, far, log_C, values * np.log(10))),
        )
    ratio = log_C - np.log(values)
    middle = float(np.median(ratio))
    if np.mean(np.abs(ratio - middle) < CONSTANT) >= MOSTLY:
        unit, far = float(np.exp(middle)), np.flatnonzero(np.abs(ratio - middle) >= OTHER)
        if unit < 0.01:
            raise ValueError(
                f"column {name!r} (budget) is {1 / unit:.3g} times 6 N D: N or D is no "
                "count (is it in millions or billions?); "
                "give parameters and tokens as counts"
            )
        return unit, far, (*_said(name, unit), *_differs(name, far, log_C, np.log(values) + middle))
    widest = max(parts, key=lambda rows: np.ptp(log_C[rows]))
    if np.median([np.ptp(log_C[rows]) for rows in parts]) > np.log(APART):
        lo, hi = np.exp(log_C[widest].min()), np.exp(log_C[widest].max())
        raise ValueError(
            f"column {name!r} (budget) is no budget: at {values[widest[0]]:.4g} runs "
            f"spend from {lo:.3g} to {hi:.3g} FLOPs of "
            "6 N D; name the column that holds it, "
            "or leave budget out to have runs of equal 6 N D put together"
        )
    lo, hi = np.exp(-ratio.max()), np.exp(-ratio.min())
    text = (
        f"column {name!r} is {lo:.3g} to {hi:.3g} times 6 N D, "
        "no constant factor: it only says which runs are of one budget, and C here "
        "is 6 N D in FLOPs at each minimum"
    )
    return np.nan, none, (Caution("budget-units", "warning", text),)


def _said(name: str, unit: float) -> tuple[Caution, ...]:
    """A constant factor, in words."""
    if abs(unit - 1) < 0.01:
        return ()
    known = next((word for flops, word in UNITS.items() if abs(np.log(unit / flops)) < CONSTANT), None)
    factor = f"{1 / unit:.3g} times 6 N D" if unit < 1e3 else f"6 N D / {unit:.3g}"
    every = f"column {name!r} is {factor} in every run; C here is 6 N D in FLOPs"
    if known:
        text = f"column {name!r} is in {known} ({factor}); C here is 6 N D in FLOPs"
    elif unit < 1e3:
        text = f"{every}: divide budgets of that column by {1 / unit:.3g}"
    else:
        text = f"{every}: multiply budgets of that column by {unit:.3g}"
    return (Caution("budget-units", "info", text),)


def _differs(name: str, far: np.ndarray, log_C: np.ndarray, log_budget: np.ndarray) -> tuple[Caution, ...]:
    if not len(far):
        return ()
    worst = far[np.argmax(np.abs(log_C - log_budget)[far])]
    decades = (log_C - log_budget)[worst] / np.log(10)
    times = f"{10**decades:.3g}" if abs(decades) < 300 else f"10^{decades:.0f}"
    text = (
        f"in {row_words(far)} 6 N D is not the budget that column {name!r} says (row {worst}: {times} "
        "times it), so they are set apart; check N, D and whether those runs ended early"
    )
    return (Caution("off-budget", "warning", text),)


def off_surface(
    n: np.ndarray, loss: np.ndarray, log_C: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float, int]:
    """Log losses less the smooth surface of the module's formula; the same in standard errors;
    the runs' scatter; spare rows.

    n: log N; loss: in logs; log_C: of each row's budget, equal within one. A bad run does not pull the
    surface (least trimmed squares, then Tukey's biweight), and its standard error is that of a new run. All
    zero where there are too few rows to tell.
    """
    if not len(n):
        return np.zeros(0), np.zeros(0), 0.0, 0
    design = _surface(n, loss, log_C)
    spare = len(n) - design.shape[1]
    if spare < 2:
        return np.zeros(len(n)), np.zeros(len(n)), 0.0, 0
    r = _trimmed(design, loss, log_C)
    scale = _scale(r, spare)
    weight = np.ones(len(n))
    for round_ in range(50):
        weight = np.maximum(1 - (r / (TUKEY * scale)) ** 2, 0.0) ** 2
        root = np.sqrt(weight)
        before, r = r, loss - design @ np.linalg.lstsq(root[:, None] * design, root * loss, rcond=None)[0]
        # The scale of the start is a rough one; settled, it stays.
        if round_ < 10:
            scale = _scale(r, spare)
        if np.max(np.abs(r - before)) < 1e-3 * scale:
            break
    spread = np.linalg.pinv(design.T @ (weight[:, None] * design))
    lever = np.einsum("ij,jk,ik->i", design, spread, design)
    return r, r / (scale * np.sqrt(1 + lever)), scale, spare


def outliers(
    n: np.ndarray, loss: np.ndarray, log_C: np.ndarray, alike: float = 1.0
) -> tuple[np.ndarray, np.ndarray, float, int]:
    """Which rows lie far off the surface, how far every row does, the runs' scatter and spare rows;
    arguments as in `off_surface`.

    Far is beyond what Student's t gives one run in 500,000, and beyond what the surface itself may miss where
    losses are high. Many budgets are judged in parts, those of fewer than three runs not at all. alike: how
    many rows err together, as those of a curve do.
    """
    places, counts = np.unique(log_C, return_counts=True)
    places = places[counts > 2]
    off, far, found = np.zeros(len(n)), np.zeros(len(n), bool), []
    for part in np.array_split(places, -(-len(places) // MOST_BUDGETS) or 1):
        rows = np.flatnonzero(np.isin(log_C, part))
        r, errors, scale, spare = off_surface(n[rows], loss[rows], log_C[rows])
        if not spare:
            continue
        least = np.array([np.min(loss[log_C == c]) for c in log_C[rows]])
        own = LEAST_OFF + MISSED * np.maximum(loss[rows] - np.maximum(r, 0.0) - least, 0.0)
        far[rows] = (np.abs(errors) > stdtrit(max(spare / alike, 1.0), 1 - RARE / 2)) & (np.abs(r) > own)
        off[rows] = r
        found.append((scale, spare))
    if not found:
        return np.flatnonzero(far), off, 0.0, 0
    scales, spares = zip(*found, strict=True)
    return np.flatnonzero(far), off, float(np.median(scales)), sum(spares)


def _surface(n: np.ndarray, loss: np.ndarray, log_C: np.ndarray) -> np.ndarray:
    """The surface's terms for every row (rows, terms), orthonormal; each only
    where there are enough rows to tell."""
    places, g = np.unique(log_C, return_inverse=True)
    counts = np.bincount(g)
    t = n - _lowest(n, loss, places, g)[g]
    z = ((places - places.mean()) / (places.std() or 1.0))[g]
    level = (g[:, None] == np.arange(len(places))).astype(float)
    bend = (
        [t**2, t**3, t**4]
        if len(places) < 3
        else [t**2, t**2 * z, t**3, t**4, t**2 * z**2, t**3 * z, t**4 * z]
    )
    if np.min(counts) >= OWN_SLOPE:
        slopes = list((level * t[:, None]).T)
    else:
        slopes = [t, t * z, t * z**2][: min(3, len(places))]
    spare = len(n) - len(places) - len(slopes)
    terms = np.stack([*level.T, *slopes, *bend[: max(1, spare // 3)]], axis=1)
    return np.linalg.qr(terms / np.maximum(np.linalg.norm(terms, axis=0), 1e-300))[0]


def _lowest(n, loss, places, g) -> np.ndarray:
    """About where each budget has its minimum:
    the middle one of its three lowest losses, on a straight line of medians of slopes."""
    at = np.array([np.median(n[g == k][np.argsort(loss[g == k])[:3]]) for k in range(len(places))])
    slopes = [(at[j] - at[i]) / (places[j] - places[i]) for i, j in combinations(range(len(places)), 2)]
    line = (np.median(slopes) if slopes else 0.0) * places
    return line + np.median(at - line)


def _trimmed(design: np.ndarray, y: np.ndarray, log_C: np.ndarray) -> np.ndarray:
    """Residuals of the least sum of squares over the closest rows of each budget:
    chance subsets, each refitted to those.

    Rousseeuw and Van Driessen 1999, within budgets, so that none is given up as a whole; the key is fixed.
    """
    m, p = design.shape
    parts = [np.flatnonzero(log_C == c) for c in np.unique(log_C)]
    kept = [len(rows) - max(1, int(TRIMMED * len(rows))) if len(rows) > 2 else len(rows) for rows in parts]
    chance = np.random.default_rng(0)
    subsets = min(SUBSETS, max(10, HELD // (m * p)))
    chosen = np.argsort(chance.random((subsets, m)), axis=1)[:, : p + 1]
    tiny = 1e-9 * np.eye(p)
    for _ in range(STEPS):
        part, v = design[chosen], y[chosen]
        gram = np.einsum("sij,sik->sjk", part, part) + tiny
        beta = np.linalg.solve(gram, np.einsum("sij,si->sj", part, v)[..., None])[..., 0]
        off = np.abs(y - beta @ design.T)
        near = (rows[np.argsort(off[:, rows], axis=1)[:, :k]] for rows, k in zip(parts, kept, strict=True))
        chosen = np.concatenate(list(near), axis=1)
    best = np.argmin(np.sum(np.take_along_axis(off**2, chosen, axis=1), axis=1))
    return y - design @ beta[best]


def _scale(r: np.ndarray, spare: int) -> float:
    """Standard deviation by the median;
    as many residuals as there are coefficients are next to nothing by the fit's own doing."""
    return max(1.4826 * float(np.median(np.sort(np.abs(r))[-spare:])), STEADY)
