"""The optimum of one cell of a hyperparameter sweep: bowls through the runs near the best one.

Near its best run the loss is a bowl in the logs t of what was swept,

    log L = q_0 + sum_j (g_j t_j + h_j s(t_j; k_j)) + sum_ij c_ij t_i t_j,
    s(t; k) = (e^(k t) - 1 - k t) / k^2.

With k = 0, s is t^2 / 2 and the bowl a parabola. But a learning rate too high costs more than one too low, so
the k_j, which say how much steeper one side is, are told by all cells together, and are 0 unless the runs
speak for more. Even so bowls have other shapes far out: a parabola through all runs misses the best rate of
the public sweep of Li et al. 2025 by a third. So a bowl is fitted to the runs whose loss it puts within a
window above its minimum, and the window is widened for as long as the optimum stays where it was (Lepski
1991), to within what noise may move it. What the next window would move it by counts as its own error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from scalefit.fits.joint import ends
from scalefit.words import plain

__all__ = ["FAR", "Cell", "answer", "settings_of", "shared_variance", "skew_of", "together", "with_bowls"]

# Settings and sizes closer than this, in logs, are one: files round them.
SAME = 0.02
# A run is set apart where its loss is this much above the best of its cell, or the best this much below all
# others, in log loss.
FAR = 0.25
# How far above its minimum, in log loss, the runs lie that a bowl is fitted to.
WINDOWS = (0.005, 0.01, 0.02, 0.04, 0.08, 0.16, FAR)
# A window this many times the runs' scatter tells more than which runs were lucky.
CLEAR = 5.0
# A wider window is taken while it moves the optimum by less than this many standard deviations.
STAYS = 1.0
# Tukey's constant, and the spare rows from which single runs can be told to be odd.
TUKEY, TELLING = 6.0, 4
# Reweightings after which odd runs are told, settled or not.
ROUNDS = 200
# A cell's scatter counts with that of the other cells as if they were this many spare rows of its own.
SHARED = 4.0
# No training repeats its loss more closely than this.
STEADY = 1e-4
# At 90 %, an interval reaches at least a quarter of a step between settings to either side.
FINEST = 0.25 / 1.645
# Draws without an optimum among the settings run that are still an answer.
LOST = 0.2
# How much steeper one side of a bowl may be, per e-fold; runs that tell it lie this near their best, in log
# loss, and speak for it where it lowers n log(left / n) by this much.
SKEWS = tuple(np.round(np.arange(-1.5, 1.51, 0.25), 2).tolist())
SHAPED, SPEAKS = 0.16, 10.0
# Cells that it is told by, where there are more.
TELLERS = 60
# Newton's steps to the optimum of a skew bowl, and e-folds from the middle beyond which there is none.
NEWTON, FURTHEST = 25, 12.0


class _Shape(NamedTuple):
    """full: whether a bowl has terms t_i t_j; skew: k_j of every hyperparameter."""

    full: bool
    skew: tuple[float, ...]


class _Bowl(NamedTuple):
    """One bowl through the runs of one window: its coefficients, their covariance at scatter one, what
    is left, spare rows, its optimum, and which runs it is fitted to."""

    window: float
    beta: np.ndarray
    spread: np.ndarray
    left: float
    spare: float
    at: np.ndarray
    near: np.ndarray
    shape: _Shape


class Cell(NamedTuple):
    """The runs of one cell that count: t (n, p) in logs from their middle, log losses; or why it has no
    answer. tried: by hyperparameter its settings, those of runs set apart too; lasting: without these."""

    rows: np.ndarray
    middle: np.ndarray
    t: np.ndarray
    loss: np.ndarray
    tried: tuple[np.ndarray, ...]
    lasting: tuple[np.ndarray, ...]
    why: str
    bowls: tuple[_Bowl, ...]


def together(logs: np.ndarray) -> np.ndarray:
    """Numbers 0, 1, ... of values by size, those that files round the same way being one."""
    order = np.argsort(logs, kind="stable")
    out = np.empty(len(logs), int)
    out[order] = np.concatenate([[0], np.cumsum(np.diff(logs[order]) > SAME)])
    return out


def settings_of(logs: np.ndarray) -> np.ndarray:
    """The settings run, ascending."""
    if not len(logs):
        return logs
    code = together(logs)
    return np.array([np.mean(logs[code == k]) for k in range(code.max() + 1)])


def _full(t: np.ndarray) -> bool:
    """Whether there are settings enough for terms t_i t_j, with two to spare."""
    p = t.shape[1]
    settings = len(np.unique(np.stack([together(column) for column in t.T], axis=1), axis=0))
    return p > 1 and settings >= 3 + 2 * p + p * (p - 1) // 2


def skew_of(cells: Sequence[Cell], p: int) -> tuple[float, ...]:
    """k of every hyperparameter, the same in all cells: with the least left of the runs about their bowls."""
    parts = []
    for cell in cells:
        near = cell.loss <= np.min(cell.loss, initial=np.inf) + SHAPED
        full = _full(cell.t[near]) if np.any(near) else False
        if not cell.why and np.count_nonzero(near) > 1 + 2 * p + full * p * (p - 1) // 2 + 1:
            parts.append((cell.t[near], cell.loss[near], full))

    parts = parts[:: -(-len(parts) // TELLERS) or 1]

    def left(skew: Sequence[float]) -> float:
        total = 0.0
        for t, loss, full in parts:
            design = _terms(t, _Shape(full, tuple(skew)))
            weight, r = _robust(design, loss)[2:0:-1]
            total += len(loss) * np.log(max(float(np.sum(weight * r**2) / np.sum(weight)), STEADY**2))
        return total

    found = [0.0] * p
    if not parts:
        return tuple(found)
    for _ in range(2):
        for j in range(p):
            tries = [(left([*found[:j], k, *found[j + 1 :]]), k) for k in SKEWS]
            best, k = min(tries)
            # Without a skew unless the runs speak for one.
            plain_one = next(value for value, k in tries if k == 0)
            found[j] = k if best < plain_one - SPEAKS else 0.0
    return tuple(found)


def with_bowls(cell: Cell, over: Sequence[str], skew: tuple[float, ...]) -> Cell:
    """The cell with its bowls, from the narrowest window up, or why there is none."""
    if cell.why:
        return cell
    full = _full(cell.t)
    bowls = _bowls(cell.t, cell.loss, _Shape(full, skew))
    if full and not bowls:
        bowls = _bowls(cell.t, cell.loss, _Shape(False, skew))
    edge = _edge(cell.middle, over, cell.tried, cell.lasting)
    why = "" if bowls else edge or "its loss has no minimum among the settings run"
    return cell._replace(why=why, bowls=tuple(bowls))


def _bowls(t: np.ndarray, loss: np.ndarray, shape: _Shape) -> list[_Bowl]:
    """The bowls of all windows that have a minimum, from the narrowest up."""
    design = _terms(t, shape)
    least = design.shape[1] + (1 if len(t) > design.shape[1] else 0)
    found: list[_Bowl] = []
    for window in WINDOWS:
        near = loss <= np.min(loss) + window
        for _ in range(8):
            # Runs are chosen by where the bowl puts them, or those with a lucky loss would be.
            if np.count_nonzero(near) < least:
                break
            beta = _robust(design[near], loss[near])[0]
            at = _optimum(beta[None], shape)[0][0]
            if np.any(np.isnan(at)):
                break
            within = design @ beta <= float((_terms(at[None], shape) @ beta)[0]) + window
            if np.array_equal(within, near) or np.count_nonzero(within) < least:
                break
            near = within
        if np.count_nonzero(near) < least or any(np.array_equal(near, bowl.near) for bowl in found):
            continue
        part = design[near]
        if np.linalg.matrix_rank(part / np.linalg.norm(part, axis=0).clip(1e-12)) < part.shape[1]:
            continue
        beta, r, weight = _robust(part, loss[near])
        at = _optimum(beta[None], shape)[0][0]
        if np.any(np.isnan(at)):
            continue
        spread = np.linalg.inv(part.T @ (weight[:, None] * part))
        spare = max(float(np.sum(weight)) - part.shape[1], 0.0)
        left = float(np.sum(weight * r**2))
        found.append(_Bowl(window, beta, spread, left, spare, at, near, shape))
    return found


def _terms(t: np.ndarray, shape: _Shape) -> np.ndarray:
    """1, t_j, s(t_j; k_j) and, of a full bowl, t_i t_j for every row (n, terms)."""
    p = t.shape[1]
    # A setting some hundred e-folds off is far up the bowl, and its square still a number.
    rises = [
        x**2 / 2 if k == 0 else (np.expm1(np.minimum(k * x, 300.0)) - k * x) / k**2
        for x, k in zip(t.T, shape.skew, strict=True)
    ]
    terms = [np.ones(len(t)), *t.T, *rises]
    if shape.full:
        terms += [t[:, i] * t[:, j] for i in range(p) for j in range(i + 1, p)]
    return np.stack(terms, axis=1)


def _optimum(beta: np.ndarray, shape: _Shape) -> tuple[np.ndarray, np.ndarray]:
    """Where bowls with coefficients (m, terms) have their minimum (m, p), NaN where they have none, and the
    second derivatives H (m, p, p) there."""
    m, p = len(beta), len(shape.skew)
    skew, h = np.array(shape.skew), beta[:, 1 + p : 1 + 2 * p]
    mixed = np.zeros((m, p, p))
    if shape.full:
        pairs = [(i, j) for i in range(p) for j in range(i + 1, p)]
        for k, (i, j) in enumerate(pairs):
            mixed[:, i, j] = mixed[:, j, i] = beta[:, 1 + 2 * p + k]
    at, H = np.zeros((m, p)), mixed.copy()
    bowl = np.ones(m, bool)
    # Newton's steps, no longer than an e-fold where the bowl is skew; a parabola takes one.
    for _ in range(NEWTON if np.any(skew) else 1):
        bend, slope = (
            np.exp(skew * at),
            np.where(skew == 0, at, np.expm1(skew * at) / np.where(skew, skew, 1)),
        )
        H = mixed.copy()
        H[:, range(p), range(p)] = h * bend
        bowl = np.linalg.eigvalsh(H)[:, 0] > 0
        solid = np.where(bowl[:, None, None], H, np.eye(p))
        gradient = beta[:, 1 : 1 + p] + h * slope + np.einsum("mij,mj->mi", mixed, at)
        step = -np.linalg.solve(solid, gradient[..., None])[..., 0]
        if np.any(skew):
            step = np.clip(step, -1.0, 1.0)
        at = np.clip(at + np.where(bowl[:, None], step, 0.0), -FURTHEST, FURTHEST)
    if np.any(skew):
        bowl &= np.max(np.abs(step), axis=1) < 1e-6
    return np.where(bowl[:, None], at, np.nan), H


def _robust(design: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coefficients, residuals and weights by Tukey's biweight; plain least squares where rows are few."""
    weight, spare = np.ones(len(y)), len(y) - design.shape[1]
    for _ in range(ROUNDS):
        root = np.sqrt(weight)
        beta = np.linalg.lstsq(design * root[:, None], y * root, rcond=None)[0]
        r = y - design @ beta
        if spare < TELLING:
            return beta, r, weight
        scale = max(1.4826 * float(np.median(np.sort(np.abs(r))[-spare:])), STEADY)
        before, weight = weight, np.maximum(1 - (r / (TUKEY * scale)) ** 2, 0.0) ** 2
        spare_left = np.count_nonzero(weight) - design.shape[1]
        if spare_left < TELLING:
            return beta, r, before
        if np.max(np.abs(weight - before)) < 1e-4:
            return beta, r, weight
        # Half a step: whole ones can go round in a circle, and of few rows half ones too.
        weight = (weight + before) / 2
    return beta, r, weight


def shared_variance(cells: Sequence[Cell]) -> tuple[float, float]:
    """The variance of log losses about their bowls over all cells, and its spare rows."""
    first = [next((b for b in cell.bowls if b.spare >= 1 and _clear(b)), None) for cell in cells]
    told = [bowl for bowl in first if bowl is not None] or [
        cell.bowls[-1] for cell in cells if cell.bowls and cell.bowls[-1].spare >= 1
    ]
    spare = sum(bowl.spare for bowl in told)
    return (max(sum(bowl.left for bowl in told) / spare, STEADY**2), spare) if spare else (np.nan, 0.0)


def _clear(bowl: _Bowl) -> bool:
    return bowl.spare > 0 and bowl.window >= CLEAR * np.sqrt(bowl.left / bowl.spare)


def _variance(bowl: _Bowl, shared: tuple[float, float], noise: float | None) -> tuple[float, float]:
    """The variance of the cell's log losses and its degrees of freedom."""
    if noise is not None:
        return noise**2, np.inf
    prior = min(SHARED, shared[1])
    spare = bowl.spare + prior
    if spare <= 0:
        return np.nan, 0.0
    known = bowl.left + (prior * shared[0] if prior else 0.0)
    return max(known / spare, STEADY**2), spare


def answer(
    cell: Cell,
    over: Sequence[str],
    shared: tuple[float, float],
    noise: float | None,
    tolerance: float,
    level: float,
    n_draws: int,
    chance: np.random.Generator,
) -> dict[str, Any]:
    """The line of one cell: its optimum with interval and flat bottom, or why it has none."""
    line: dict[str, Any] = {}
    for name in over:
        line |= dict.fromkeys((name, *(f"{name}_{end}" for end in ("lo", "hi", "from", "to", "sd"))), np.nan)
    line |= {**dict.fromkeys(("loss", "loss_lo", "loss_hi", "noise"), np.nan), "rows": len(cell.rows)}
    line |= {"near": 0, "used": False, "why": cell.why}
    if cell.why:
        return line
    drawn = [_draws(bowl, cell, shared, noise, n_draws, chance) for bowl in cell.bowls]
    k = _chosen(cell, drawn)
    bowl, (places, losses, scatter) = cell.bowls[k], drawn[k]
    line["near"], line["noise"] = int(np.count_nonzero(bowl.near)), scatter
    line["why"] = why = _outside(cell, bowl, over) or _hidden(places, scatter)
    if why:
        return line
    H = _optimum(bowl.beta[None], bowl.shape)[1][0]
    height = float((_terms(bowl.at[None], bowl.shape) @ bowl.beta)[0])
    allowed = max(float(np.log1p(tolerance)), scatter)
    for j, name in enumerate(over):
        at, tried = bowl.at[j] + cell.middle[j], cell.tried[j]
        after = int(np.clip(np.searchsorted(tried, at), 1, len(tried) - 1))
        finest = FINEST * float(tried[after] - tried[after - 1])
        own = float(np.nanstd(places[:, j]))
        # What the next window would move it by is about what this one is off by.
        off = abs(cell.bowls[k + 1].at[j] - bowl.at[j]) if k + 1 < len(cell.bowls) else 0.0
        sd = max(float(np.hypot(own, off / 2)), finest)
        wide = places[:, j] + np.sqrt(max(sd**2 - own**2, 0.0)) * chance.standard_normal(n_draws)
        lo, hi = ends(wide + cell.middle[j], level, (float(tried[0]), float(tried[-1])))
        reach = np.sqrt(2 * allowed / H[j, j])
        flat = max(at - reach, float(tried[0])), min(at + reach, float(tried[-1]))
        found = (at, lo, hi, *flat)
        keys = (name, *(f"{name}_{end}" for end in ("lo", "hi", "from", "to")))
        line |= {where: float(np.exp(value)) for where, value in zip(keys, found, strict=True)}
        line[f"{name}_sd"] = sd
    line["loss"] = float(np.exp(height))
    line["loss_lo"], line["loss_hi"] = (float(np.exp(v)) for v in ends(losses, level, (-np.inf, np.inf)))
    return {**line, "used": True}


def _draws(
    bowl: _Bowl,
    cell: Cell,
    shared: tuple[float, float],
    noise: float | None,
    n: int,
    chance: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, float]:
    """Optima (n, p) from the middle and their log losses, NaN where they lie outside the settings run; the
    scatter."""
    variance, spare = _variance(bowl, shared, noise)
    if not np.isfinite(variance):
        # As many rows as coefficients in every cell: the steps between settings are all that is known.
        variance, spare = STEADY**2, np.inf
    size = np.sqrt(spare / chance.chisquare(spare, n)) if np.isfinite(spare) else np.ones(n)
    root = np.linalg.cholesky((bowl.spread + bowl.spread.T) / 2)
    z = chance.standard_normal((n, len(bowl.beta)))
    beta = bowl.beta + np.sqrt(variance) * size[:, None] * (z @ root.T)
    at, _ = _optimum(beta, bowl.shape)
    low = np.array([settings[0] for settings in cell.tried]) - cell.middle
    high = np.array([settings[-1] for settings in cell.tried]) - cell.middle
    with np.errstate(invalid="ignore"):
        inside = np.all((at >= low) & (at <= high), axis=1)
    at = np.where(inside[:, None], at, np.nan)
    return at, np.einsum("ij,ij->i", _terms(at, bowl.shape), beta), float(np.sqrt(variance))


def _chosen(cell: Cell, drawn: Sequence[tuple[np.ndarray, np.ndarray, float]]) -> int:
    """The widest window whose optimum is that of the narrower ones, within what noise moves these by."""
    clear = [
        k
        for k, (bowl, (places, _, _)) in enumerate(zip(cell.bowls, drawn, strict=True))
        if _clear(bowl) and np.mean(np.isnan(places[:, 0])) <= LOST / 2
    ]
    if not clear:
        return len(cell.bowls) - 1
    chosen = clear[0]
    lo = np.full(cell.t.shape[1], -np.inf)
    hi = -lo
    for k in clear:
        at, sd = cell.bowls[k].at, np.nanstd(drawn[k][0], axis=0)
        if np.any(at < lo) or np.any(at > hi):
            break
        lo, hi = np.maximum(lo, at - STAYS * sd), np.minimum(hi, at + STAYS * sd)
        chosen = k
    return chosen


def _outside(cell: Cell, bowl: _Bowl, over: Sequence[str]) -> str:
    """Why an optimum is none: at the edge of the settings run, or where no runs are."""
    at = bowl.at + cell.middle
    if edge := _edge(at, over, cell.tried, cell.lasting):
        return edge
    x = _terms(bowl.at[None], bowl.shape)[0]
    if x @ bowl.spread @ x > 1:
        return f"the optimum ({_place(over, at)}) lies where no runs are"
    return ""


def _edge(
    at: np.ndarray, over: Sequence[str], tried: Sequence[np.ndarray], lasting: Sequence[np.ndarray]
) -> str:
    """Which hyperparameter has its optimum at the edge of what was run, in words."""
    for k, name in enumerate(over):
        settings = lasting[k]
        first, last = np.exp(tried[k][0]), np.exp(tried[k][-1])
        if at[k] < (settings[0] + settings[1]) / 2:
            return (
                f"the optimum lies at the edge of the grid: {name} at its lowest, {plain(first)}; run lower"
            )
        if at[k] > (settings[-2] + settings[-1]) / 2:
            if len(tried[k]) and tried[k][-1] > settings[-1] + SAME:
                return (
                    f"the optimum lies at the edge of what trains: {name} at {plain(np.exp(settings[-1]))}, "
                    "all above it set apart; run settings between"
                )
            return (
                f"the optimum lies at the edge of the grid: {name} at its highest, {plain(last)}; run higher"
            )
    return ""


def _hidden(places: np.ndarray, scatter: float) -> str:
    lost = float(np.mean(np.isnan(places[:, 0])))
    if lost <= LOST:
        return ""
    return (
        f"noise of {scatter:.2%} moves the optimum out of the settings run in {lost:.0%} of draws; "
        "run more settings, or repeat some"
    )


def _place(over: Sequence[str], at: np.ndarray) -> str:
    return ", ".join(f"{name} {plain(float(np.exp(v)))}" for name, v in zip(over, at, strict=True))
