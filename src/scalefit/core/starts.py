"""Where descents begin: a screen of the non-linear coefficients, the linear ones solved for.

Given the rest, amplitudes and floors enter a law linearly: their best (non-negative) values are a small
least-squares problem. The screen covers the remaining coefficients with a low-discrepancy set of cells,
solves every cell for every resample with one matrix product, and keeps the best cells as starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from scalefit.core.compiled import compiled
from scalefit.core.evaluate import Problem
from scalefit.core.formula import linear_coefs, stage
from scalefit.core.law import Coef, Law
from scalefit.core.solve import Rows

__all__ = ["Screened", "around", "cells", "linear", "screen"]


class Screened(NamedTuple):
    """The best cells of each resample or group, best first: coordinates (W, K, p) and residual scale (W, K)."""

    u: np.ndarray
    scale: np.ndarray


@lru_cache
def linear(law: Law) -> tuple[str, ...]:
    """The coefficients of `law` that the screen solves for."""
    return linear_coefs(law.fn, law.inputs, law.names)


def cells(law: Law, rows: Rows, n_cells: int | None = None) -> np.ndarray:
    """Values (G, K, q) of the q non-linear coefficients, spread evenly over their `starts`, in natural units.

    A coefficient's `unit` is the size it should have at the middle of the group's rows (geometric means), so
    that the spread does not depend on units.
    """
    chosen = [coef for coef in law.coefs if coef.name not in linear(law)]
    q, n_groups = len(chosen), len(rows.y)
    n_cells = n_cells or int(np.clip(12**q, 1 if q == 0 else 64, 1024))
    share = _even(n_cells, q)
    values = {coef.name: _spread(coef, share[:, k])[None] for k, coef in enumerate(chosen)}
    seen = rows.weight > 0 if len(rows.weight) == n_groups else np.ones_like(rows.y, bool)
    middle = {name: _middle(column, seen) for name, column in zip(law.inputs, rows.x, strict=True)}
    middle["y"] = _middle(rows.y, seen)
    # A unit may be made of other coefficients, but only of those that have none themselves.
    columns = [values[c.name] * c.size(middle | values) for c in chosen]
    shape = (n_groups, n_cells)
    return np.stack([np.broadcast_to(c, shape) for c in columns], axis=2) if chosen else np.zeros((*shape, 0))


def around(law: Law, values: Mapping[str, float], n_starts: int = 64, factor: float = 10.0) -> np.ndarray:
    """Coordinates (n_starts, p) around given coefficients, the first of them exactly there.

    Positive coefficients are spread by up to `factor` either way, bounded ones over their interval, real ones
    by up to `factor` times their size either way.
    """
    centre = np.array([values[c.name] for c in law.coefs], float)
    share = _even(n_starts, len(centre)) * 2 - 1
    share[0] = 0.0
    u = np.empty_like(share)
    for k, (coef, value) in enumerate(zip(law.coefs, centre, strict=True)):
        if np.isinf(coef.support.lo) and np.isinf(coef.support.hi):
            reach = np.sign(share[:, k]) * (factor ** np.abs(share[:, k]) - 1)
            u[:, k] = value + reach * (abs(value) or 1.0) * 0.5
        else:
            u[:, k] = coef.support.to_real(value) + share[:, k] * np.log(factor)
    return u


def screen(problem: Problem, rows: Rows, nonlinear: np.ndarray, keep: int) -> Screened:
    """The `keep` best cells of every row of `rows.weight` (a resample, or a group), linear coefficients solved."""
    n_groups, keep = len(rows.y), min(keep, nonlinear.shape[1])
    weight = rows.weight.reshape(n_groups, -1, rows.weight.shape[1])
    with jax.enable_x64(True):
        u, scale = _screen(problem, linear(problem.law), keep, rows.x, rows.y, weight, nonlinear)
        return Screened(np.asarray(u).reshape(-1, keep, u.shape[-1]), np.asarray(scale).reshape(-1, keep))


@compiled("problem", "names", "keep")
def _screen(problem: Problem, names: tuple[str, ...], keep: int, x, y, weight, nonlinear):
    law = problem.law
    prepare, predict = stage(law.fn, tuple(v[0] for v in x), law.names)
    others = [name for name in law.names if name not in names]
    positive = [law.coefs[law.names.index(name)].support.lo == 0 for name in names]

    def one_group(x, y, weight, nonlinear):
        features = prepare(*x)

        def columns(values):
            """The law at this cell as offset + sum of columns, one per linear coefficient."""
            given = dict(zip(others, values, strict=True))
            at = lambda hot: predict(*features, *(given.get(c, 1.0 * (c == hot)) for c in law.names))  # noqa: E731
            offset = jnp.broadcast_to(at(None), y.shape)
            return [jnp.broadcast_to(at(name), y.shape) - offset for name in names] + [y - offset]

        # Log residuals are relative ones to first order: divide by y and every column counts as a share of it.
        unit = y if problem.space == "log" else jnp.ones_like(y)
        table = [column / unit for column in jax.vmap(columns)(nonlinear)]
        table = [jnp.where(jnp.isfinite(column), column, 1e150) for column in table]
        gram = _gram(jnp.stack(jnp.broadcast_arrays(*table)), weight)
        solution = _least_squares(gram, jnp.array(positive, bool))
        full = jnp.concatenate([solution, -jnp.ones_like(gram[:1, 0])])
        cost = jnp.sum(full * jnp.sum(gram * full, axis=1), axis=0)
        cost = jnp.where(jnp.isfinite(cost), jnp.maximum(cost, 0.0), jnp.inf)
        _, best = jax.lax.top_k(-cost, keep)
        take = lambda a: jnp.take_along_axis(a, best, axis=1)  # noqa: E731
        found = {name: take(part) for name, part in zip(names, solution, strict=True)}
        values = [found[c] if c in found else nonlinear[:, others.index(c)][best] for c in law.names]
        u = [c.support.to_real(_within(c, v), xp=jnp) for c, v in zip(law.coefs, values, strict=True)]
        scale = jnp.sqrt(take(cost) / jnp.sum(weight, axis=1)[:, None])
        return jnp.stack(u, axis=-1), scale

    return jax.vmap(one_group)(x, y, weight, nonlinear)


def _gram(table, weight):
    """Products of all pairs of columns (L, K, n), weighted and summed over rows: (L, L, W, K), by one matrix product."""
    L = len(table)
    if len(weight) == 1:
        return jnp.einsum("ikn,jkn->ijk", table * weight[0], table)[:, :, None]
    first, second = np.triu_indices(L)
    sums = jnp.einsum("wn,pkn->pwk", weight, table[first] * table[second])
    place = np.zeros((L, L), int)
    place[first, second] = place[second, first] = np.arange(len(first))
    return sums[place]


def _least_squares(gram, positive):
    """Solve the normal equations of every (resample, cell); drop negative unknowns and solve again.

    The last row and column of `gram` (L + 1, L + 1, W, K) belong to the target. Dropped coefficients come back as
    1 % of what they would be alone: a zero would be a dead term, whose exponent has no gradient.
    """
    L = len(positive)
    positive, square, right = positive[:, None, None], gram[:L, :L], gram[:L, L]
    size = jnp.maximum(jnp.stack([square[i, i] for i in range(L)]) if L else right, 1e-300)
    least = 0.01 * jnp.abs(right / size) + 1e-12 * jnp.sqrt(gram[L, L] / size)
    kept, solution = jnp.ones(right.shape, bool), jnp.zeros_like(right)
    for _ in range(min(L, 6)):
        reduced = jnp.where(kept[:, None] & kept[None], square, jnp.eye(L)[:, :, None, None])
        solution = _gauss(reduced, jnp.where(kept, right, 0.0), 1e-13 * size + 1e-300)
        kept = kept & ((solution > 0) | ~positive)
    return jnp.where(positive, jnp.maximum(jnp.where(kept, solution, 0.0), least), solution)


def _gauss(matrix, right, floor):
    """Gauss-Jordan over the first two axes (all others are batches), with a floor on pivots."""
    both = jnp.concatenate([matrix, right[:, None]], axis=1)
    for k in range(len(matrix)):
        row = both[k] / jnp.maximum(both[k, k], floor[k])
        both = (both - both[:, k, None] * row).at[k].set(row)
    return both[:, -1]


def _within(coef: Coef, value):
    """A value moved inside the support, by a part of its width where it has one."""
    lo, hi = coef.support.lo, coef.support.hi
    margin = 1e-3 * (hi - lo) if np.isfinite(hi - lo) else 0.0
    low = lo + margin if margin else (1e-30 if lo == 0 else lo)
    return jnp.clip(value, low, hi - margin)


def _spread(coef: Coef, share: np.ndarray) -> np.ndarray:
    """Quantiles of the coefficient's starts, interpolated between them on its own scale."""
    values = np.array(coef.starts, float)
    if coef.support.lo == 0 and np.isinf(coef.support.hi):
        return np.exp(np.interp(share, np.linspace(0, 1, len(values)), np.log(values)))
    return np.interp(share, np.linspace(0, 1, len(values)), values)


def _even(n: int, q: int) -> np.ndarray:
    """n points spread evenly over the unit cube: Roberts' generalised golden-ratio sequence."""
    ratio = 2.0
    for _ in range(60):
        ratio = (1 + ratio) ** (1 / (q + 1))
    return (0.5 + np.arange(n)[:, None] * ratio ** -np.arange(1.0, q + 1)) % 1.0


def _middle(table: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Geometric mean of each row's entries that are seen (G, 1), zeros aside; of sizes where some are negative."""
    seen = seen & (table != 0)
    logs = np.log(np.where(seen, np.abs(table), 1.0))
    return np.exp(
        np.sum(logs * seen, axis=1, keepdims=True) / np.maximum(np.sum(seen, axis=1, keepdims=True), 1)
    )
