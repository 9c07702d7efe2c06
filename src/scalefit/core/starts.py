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

__all__ = ["Screened", "around", "cells", "even", "linear", "screen"]

# Up to this many linear coefficients are solved for by unrolled arithmetic.
FEW_LINEAR = 6


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
    share = even(n_cells, q)
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
    share = even(n_starts, len(centre)) * 2 - 1
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
        solve = _few if len(names) <= FEW_LINEAR else _many
        solution, cost = solve(table, weight, positive)
        cost = jnp.where(jnp.isfinite(cost), jnp.maximum(cost, 0.0), jnp.inf)
        _, best = jax.lax.top_k(-cost, keep)
        take = lambda a: jnp.take_along_axis(a, best, axis=1)  # noqa: E731
        found = {name: take(part) for name, part in zip(names, solution, strict=True)}
        values = [found[c] if c in found else nonlinear[:, others.index(c)][best] for c in law.names]
        u = [c.support.to_real(_within(c, v), xp=jnp) for c, v in zip(law.coefs, values, strict=True)]
        scale = jnp.sqrt(take(cost) / jnp.sum(weight, axis=1)[:, None])
        return jnp.stack(u, axis=-1), scale

    return jax.vmap(one_group)(x, y, weight, nonlinear)


def _few(table, weight, positive: list[bool]):
    """Non-negative least squares of the last column on the others, for every (resample, cell), unrolled.

    Returns the solution, one (W, K) per column, and its cost. Negative ones are dropped and the rest solved
    again; dropped ones come back as 1 % of what they would be alone: a zero would be a dead term, whose exponent
    has no gradient.
    """
    L = len(positive)
    gram = {}
    for i in range(L + 1):
        for j in range(i, L + 1):
            gram[i, j] = gram[j, i] = weight @ (table[i] * table[j]).T
    one = jnp.ones_like(gram[L, L])
    kept = [one > 0] * L
    solution: list = [0 * one] * L
    for _ in range(L):
        solution = _gauss(gram, kept, L)
        kept = [k & ((s > 0) | (not p)) for k, s, p in zip(kept, solution, positive, strict=True)]
    least = [_least(gram[i, L], gram[i, i], gram[L, L]) for i in range(L)]
    solution = [jnp.maximum(jnp.where(k, s, 0.0), m) if p else s
                for k, s, m, p in zip(kept, solution, least, positive, strict=True)]  # fmt: skip
    cost = gram[L, L] + sum(
        solution[i] * (sum(gram[i, j] * solution[j] for j in range(L)) - 2 * gram[i, L]) for i in range(L)
    )
    return solution, cost


def _many(table, weight, positive: list[bool]):
    """The same as `_few` for many columns, by batched matrices: unrolling would take long to compile."""
    L, sign = len(positive), jnp.array(positive)
    columns = jnp.stack(jnp.broadcast_arrays(*table), axis=1)
    gram = jax.lax.map(lambda w: (columns * w) @ columns.mT, weight)
    square, right = gram[..., :L, :L], gram[..., :L, L]
    size = jnp.diagonal(square, axis1=-2, axis2=-1) + 1e-300
    kept, solution = jnp.ones(right.shape, bool), right
    for _ in range(5):
        both = kept[..., :, None] & kept[..., None, :]
        matrix = jnp.where(both, square, 0.0) + jnp.eye(L) * jnp.where(kept, 1e-13 * size, 1.0)[..., None]
        solution = jnp.linalg.solve(matrix, jnp.where(kept, right, 0.0)[..., None])[..., 0]
        kept = kept & ((solution > 0) | ~sign)
    least = _least(right, size, gram[..., L, L, None])
    solution = jnp.where(sign, jnp.maximum(jnp.where(kept, solution, 0.0), least), solution)
    full = jnp.concatenate([solution, -jnp.ones_like(solution[..., :1])], axis=-1)
    return list(jnp.moveaxis(solution, -1, 0)), jnp.einsum("wki,wkij,wkj->wk", full, gram, full)


def _least(product, square, target):
    """What a dropped coefficient gets: 1 % of its size alone, and never nothing."""
    square = jnp.maximum(square, 1e-300)
    return 0.01 * jnp.abs(product / square) + 1e-12 * jnp.sqrt(target / square)


def _gauss(gram, kept, L: int):
    """Gauss-Jordan on the kept unknowns, each entry an array over (resample, cell)."""
    a = [[jnp.where(kept[i] & kept[j], gram[i, j], 1.0 * (i == j)) for j in range(L)] for i in range(L)]
    b = [jnp.where(kept[i], gram[i, L], 0.0) for i in range(L)]
    for k in range(L):
        pivot = jnp.maximum(a[k][k], 1e-13 * gram[k, k] + 1e-300)
        row, right = [v / pivot for v in a[k]], b[k] / pivot
        for i in range(L):
            if i != k:
                factor = a[i][k]
                a[i] = [v - factor * r for v, r in zip(a[i], row, strict=True)]
                b[i] = b[i] - factor * right
        a[k], b[k] = row, right
    return b


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


def even(n: int, q: int) -> np.ndarray:
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
