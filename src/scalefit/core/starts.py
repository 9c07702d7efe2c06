"""Where descents begin: a screen of the non-linear coefficients, the linear ones solved for.

Given the rest, amplitudes and floors enter a law linearly: their best (non-negative) values are a small
least-squares problem. The screen covers the remaining coefficients with a low-discrepancy set of cells,
solves every cell for every resample with one matrix product, and keeps the best cells as starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import combinations_with_replacement, product
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from scalefit.core.blocks import side_by_side
from scalefit.core.compiled import compiled
from scalefit.core.evaluate import Problem
from scalefit.core.form import form
from scalefit.core.formula import linear_coefs, stage
from scalefit.core.halves import halved
from scalefit.core.law import Coef, Law
from scalefit.core.numeric import of_law
from scalefit.core.settings import precise
from scalefit.core.solve import Rows

__all__ = ["Screened", "around", "cells", "even", "linear", "screen"]

# Up to this many linear coefficients are solved for by unrolled arithmetic.
FEW_LINEAR = 6
# For more sets than this their products are worth making.
FEW_SETS = 2
# Cells x rows that are looked at together, and where there are few sets of weights (four times as many where
# there are many tables, as each call takes its time too).
BLOCK, SMALL = 250_000, 12_000
# Numbers of a feature of curves times cells.
CURVES = 32_768
# OpenBLAS shares a product of matrices among threads from this many multiplications on; cells of one product.
ALONE, TILE = 2**18, 48


class Screened(NamedTuple):
    """The best cells of each resample or group, best first:
    coordinates (W, K, p) and residual scale (W, K)."""

    u: np.ndarray
    scale: np.ndarray


def linear(law: Law) -> tuple[str, ...]:
    """The coefficients of `law` that the screen solves for."""
    shared = form(law)
    return tuple(law.names[k] for k in _linear(shared.law, shared.place))


@lru_cache(maxsize=512)
def _linear(law: Law, place: tuple[int, ...]) -> tuple[int, ...]:
    return linear_coefs(law.fn, law.inputs, law.names, place)


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
    """The `keep` best cells of every row of `rows.weight` (a resample, or a group),
    linear coefficients solved."""
    law, keep = problem.law, min(keep, nonlinear.shape[1])
    names = linear(law)
    weight = rows.weight.reshape(len(rows.y), -1, rows.weight.shape[1])
    gram = _gram(problem, names, rows, weight, nonlinear)
    positive = [law.coefs[law.names.index(name)].support.lo == 0 for name in names]
    total = np.sum(weight, axis=-1)
    # A few resamples at a time: what is worked out on the way stays in cache.
    step = max(1, BLOCK // 32 // nonlinear.shape[1])
    sets: list[tuple[Any, Any]] = [
        (g, slice(k, k + step)) for g in range(len(rows.y)) for k in range(0, weight.shape[1], step)
    ]
    if weight.shape[1] == 1:
        sets = [(slice(k, k + step), 0) for k in range(0, len(rows.y), step)]

    def best_of(some: tuple[Any, Any]) -> tuple[np.ndarray, np.ndarray]:
        g, k = some
        with np.errstate(all="ignore"):
            solution, cost = (_few if len(names) <= FEW_LINEAR else _many)(gram[g, k], positive)
            cost = np.where(np.isfinite(cost), np.maximum(cost, 0.0), np.inf)
            best = _least_first(cost, keep)
            taken = (np.take_along_axis(part, best, axis=-1) for part in solution)
            values = dict(zip(names, taken, strict=True))
            group = g if isinstance(g, int) else np.arange(len(rows.y))[g, None]
            others = (name for name in law.names if name not in names)
            values |= {name: nonlinear[group, best, q] for q, name in enumerate(others)}
            u = [c.support.to_real(_within(c, values[c.name])) for c in law.coefs]
            scale = np.sqrt(np.take_along_axis(cost, best, axis=-1) / total[g, k][..., None])
        return np.stack(u, axis=-1), scale

    return Screened(*map(np.concatenate, zip(*side_by_side(best_of, sets), strict=True)))


def _least_first(cost: np.ndarray, keep: int) -> np.ndarray:
    """Where the `keep` least costs of each row are, least first, and the earlier of equals."""
    if keep < cost.shape[-1] // 4:
        near = np.sort(np.argpartition(cost, keep - 1, axis=-1)[..., :keep], axis=-1)
        order = np.argsort(np.take_along_axis(cost, near, axis=-1), axis=-1, kind="stable")
        return np.take_along_axis(near, order, axis=-1)
    return np.argsort(cost, axis=-1, kind="stable")[..., :keep]


def _gram(problem: Problem, names: tuple[str, ...], rows: Rows, weight, nonlinear) -> np.ndarray:
    """Weighted products (G, W, pairs, K) of the law's columns at each cell, the last column being the output.

    Given the cell, the law is an offset and one column per linear coefficient; pairs as in `_pairs`. Summed
    block by block of groups or rows.
    """
    (n_groups, n_cells), n = nonlinear.shape[:2], rows.y.shape[1]
    pairs = _pairs(len(names))
    gram = np.zeros((n_groups, weight.shape[1], len(pairs), n_cells))
    # Few sets: all that is made on the way stays in cache. Many:
    # the products are what counts, and are made once.
    block = SMALL * (1 if n_groups == 1 else 4) if weight.shape[1] <= FEW_SETS else BLOCK
    # Whole curves cannot be cut.
    n_rows = n if problem.law.whole else max(1, min(n, block // n_cells))
    n_side = max(1, block // (n_cells * n_rows))

    def add(g: int) -> None:
        for r in range(0, n, n_rows):
            groups, part = slice(g, g + n_side), slice(r, r + n_rows)
            x, y, w = tuple(v[groups, part] for v in rows.x), rows.y[groups, part], weight[groups, :, part]
            # Log residuals are relative ones to first order:
            # divide by y and every column counts as a share of it.
            unit = y[:, None] if problem.space == "log" else 1.0
            with np.errstate(all="ignore"):
                offset, *columns = _columns(problem.law, names, x, nonlinear[groups])
                table = [_finite(column / unit) for column in (*columns, y[:, None] - offset)]
                if len(names) <= FEW_LINEAR and w.shape[1] > FEW_SETS:
                    products = np.empty((len(y), len(pairs), n_cells, y.shape[1]))
                    for k, (i, j) in enumerate(pairs):
                        np.multiply(table[i], table[j], out=products[:, k])
                    gram[groups] += _sums(w, products)
                    continue
                for k in range(w.shape[1]):
                    root = np.sqrt(w[:, k, None])
                    columns = [column * root for column in table]
                    for pair, (i, j) in enumerate(pairs):
                        gram[groups, k, pair] += np.einsum("...n,...n->...", columns[i], columns[j])

    side_by_side(add, range(0, n_groups, n_side))
    return gram


def _sums(weight: np.ndarray, products: np.ndarray) -> np.ndarray:
    """Products (G, pairs, K, n) summed over the rows with each set's weights (G, W, n): (G, W, pairs, K).

    In pieces too small for the linear algebra library to share among threads: its threads wait for each other
    at full speed, which on a busy machine takes many times longer than the work.
    """
    n_cells, n = products.shape[2:]
    out = np.empty((*weight.shape[:2], *products.shape[1:3]))
    n_sets = max(1, ALONE // (TILE * n))
    for k, c in product(range(0, weight.shape[1], n_sets), range(0, n_cells, TILE)):
        part = np.matmul(weight[:, None, k : k + n_sets], np.swapaxes(products[:, :, c : c + TILE], -1, -2))
        out[:, k : k + n_sets, :, c : c + TILE] = np.swapaxes(part, 1, 2)
    return out


def _finite(column: np.ndarray) -> np.ndarray:
    """The column with 1e150 where it is no number: such a cell is never the best."""
    if np.isfinite(np.sum(column)):
        return column
    return np.where(np.isfinite(column), column, 1e150)


def _pairs(n: int) -> list[tuple[int, int]]:
    """Which two of n + 1 columns, each pair once."""
    return list(combinations_with_replacement(range(n + 1), 2))


def _columns(law: Law, names: tuple[str, ...], x: tuple, nonlinear: np.ndarray) -> list[np.ndarray]:
    """The law at each cell as offset + sum of columns, one per linear coefficient:
    arrays that broadcast to (G, K, n)."""
    shared, others = form(law), [name for name in law.names if name not in names]
    solved = [k >= 0 and law.names[k] in names for k in shared.place]
    along = tuple(name for name, yes in zip(shared.law.names, solved, strict=True) if yes)
    natural = [0.0 if name in names else nonlinear[:, :, others.index(name), None] for name in law.names]
    found = _of_curves(shared.law, along, x, shared.values(natural), nonlinear.shape[1])
    if found is None:
        written = of_law(shared.law, along)
        if written is None:
            with precise():
                return list(map(np.asarray, _compiled_columns(law, names, x, nonlinear)))
        found = written(*(v[:, None, :] for v in x), *shared.values(natural))
    offset, *slopes = found
    each = dict.fromkeys(names, np.zeros(()))
    for name, slope in zip(along, slopes, strict=True):
        own = law.names[shared.place[shared.law.names.index(name)]]
        each[own] = each[own] + slope
    return [offset, *each.values()]


def _of_curves(law: Law, along: tuple[str, ...], x: tuple, values: list[Any], n_cells: int) -> Any:
    """The offset and slopes, each (G, K, n), of a law of whole curves; None where it does not come in halves.

    values: of its coefficients, numbers or (G, K, 1). A few cells at a time, so that they stay in cache.
    """
    late = halved(law, x)
    if late is None:
        return None
    law, features = late
    n_side = max(1, min(n_cells, CURVES // max(feature[0].size for feature in features)))
    written = of_law(law, along, n_side, tuple(0 if np.ndim(v) else None for v in values))
    if written is None:
        return None
    # Starts need no more than single precision, which takes half the time.
    written = written.single()
    features = tuple(f.astype(np.float32) if f.dtype == float else f for f in features)
    out = np.empty((1 + len(along), len(x[0]), n_cells, x[0].shape[1]))

    def fill(place: tuple[int, int]) -> None:
        group, first = place[0], min(place[1], n_cells - n_side)
        some = slice(first, first + n_side)
        with np.errstate(all="ignore"):
            given = [np.float32(v[group, some, 0] if np.ndim(v) else v) for v in values]
        for k, column in enumerate(written(*(feature[group] for feature in features), *given)):
            out[k, group, some] = column

    side_by_side(fill, [(g, k) for g in range(len(x[0])) for k in range(0, n_cells, n_side)])
    return out


@compiled("law", "names")
def _compiled_columns(law: Law, names: tuple[str, ...], x, nonlinear):
    prepare, predict = stage(law.fn, tuple(v[0] for v in x), law.names)
    others = [name for name in law.names if name not in names]

    def one_group(x, nonlinear):
        features = prepare(*x)

        def columns(values):
            given = dict(zip(others, values, strict=True))

            def at(hot):
                return predict(*features, *(given.get(c, 1.0 * (c == hot)) for c in law.names))

            offset = jnp.broadcast_to(at(None), x[0].shape)
            return [offset, *(jnp.broadcast_to(at(name), x[0].shape) - offset for name in names)]

        return jax.vmap(columns)(nonlinear)

    return jax.vmap(one_group)(x, nonlinear)


def _by_pair(gram: np.ndarray, n: int) -> dict[tuple[int, int], np.ndarray]:
    """(i, j) -> its products (..., K), either way round."""
    each = dict(zip(_pairs(n), np.moveaxis(gram, -2, 0), strict=True))
    return each | {(j, i): part for (i, j), part in each.items()}


def _few(products: np.ndarray, positive: list[bool]):
    """Non-negative least squares of the last column on the others, for every (resample, cell), unrolled.

    Returns the solution, one (..., K) per column, and its cost. Negative ones are dropped and the rest solved
    again; dropped ones come back as 1 % of what they would be alone:
    a zero would be a dead term, whose exponent has no gradient.
    """
    L, gram = len(positive), _by_pair(products, len(positive))
    solution, kept = _solved(gram, list(range(L)), L), np.full(gram[L, L].shape, 2**L - 1)
    for _ in range(L - 1):
        again = kept.copy()
        for i, (s, p) in enumerate(zip(solution, positive, strict=True)):
            if p:
                again &= np.where(s > 0, -1, ~(1 << i))
        changed = again != kept
        if not changed.any():
            break
        kept = again
        # Only where something was dropped is the rest solved again: alike for those that keep the same.
        for code in np.unique(kept[changed]):
            here = np.nonzero(changed & (kept == code))
            some = [i for i in range(L) if code >> i & 1]
            part = {(i, j): gram[i, j][here] for i in some for j in (*some, L) if j >= i}
            part |= {(j, i): each for (i, j), each in part.items()}
            for i, new in zip(some, _solved(part, some, L), strict=True):
                solution[i][here] = new
    least = [_least(gram[i, L], gram[i, i], gram[L, L]) for i in range(L)]
    # What was dropped, or is negative still, is less than the least.
    solution = [
        np.maximum(np.where(kept >> i & 1, s, 0.0), m) if p else s
        for i, (s, m, p) in enumerate(zip(solution, least, positive, strict=True))
    ]
    cost = gram[L, L] + sum(
        solution[i] * (sum(gram[i, j] * solution[j] for j in range(L)) - 2 * gram[i, L]) for i in range(L)
    )
    return solution, cost


def _many(products: np.ndarray, positive: list[bool]):
    """The same as `_few` for many columns, by batched matrices."""
    L, sign, each = len(positive), np.array(positive), _by_pair(products, len(positive))
    gram = np.stack([np.stack([each[i, j] for j in range(L + 1)], axis=-1) for i in range(L + 1)], axis=-1)
    gram = np.nan_to_num(gram, posinf=1e300)
    square, right = gram[..., :L, :L], gram[..., :L, L]
    size = np.diagonal(square, axis1=-2, axis2=-1) + 1e-300
    kept, solution = np.ones(right.shape, bool), right
    for _ in range(5):
        both = kept[..., :, None] & kept[..., None, :]
        matrix = np.where(both, square, 0.0) + np.eye(L) * np.where(kept, 1e-13 * size, 1.0)[..., None]
        solution = np.linalg.solve(matrix, np.where(kept, right, 0.0)[..., None])[..., 0]
        again = kept & ((solution > 0) | ~sign)
        if np.array_equal(again, kept):
            break
        kept = again
    least = _least(right, size, gram[..., L, L, None])
    solution = np.where(sign, np.maximum(np.where(kept, solution, 0.0), least), solution)
    full = np.concatenate([solution, -np.ones_like(solution[..., :1])], axis=-1)
    return list(np.moveaxis(solution, -1, 0)), np.einsum("...i,...ij,...j->...", full, gram, full)


def _least(product, square, target):
    """What a dropped coefficient gets: 1 % of its size alone, and never nothing."""
    square = np.maximum(square, 1e-300)
    return 0.01 * np.abs(product / square) + 1e-12 * np.sqrt(target / square)


def _solved(gram: dict[tuple[int, int], np.ndarray], some: list[int], L: int) -> list[np.ndarray]:
    """These unknowns, the others being nothing, by L D L' with a floor on pivots;
    each an array over (resample, cell)."""
    a, b = {(i, j): gram[i, j] for i in some for j in some if j <= i}, {i: gram[i, L] for i in some}
    pivots, below = {}, {}
    for at, k in enumerate(some):
        rest = some[at + 1 :]
        pivots[k] = np.maximum(a[k, k], 1e-13 * gram[k, k] + 1e-300)
        for i in rest:
            below[i, k] = a[i, k] / pivots[k]
        for i in rest:
            for j in rest:
                if j <= i:
                    a[i, j] = a[i, j] - below[i, k] * a[j, k]
            b[i] = b[i] - below[i, k] * b[k]
    for at, k in reversed(list(enumerate(some))):
        b[k] = b[k] / pivots[k]
        for i in some[at + 1 :]:
            b[k] -= below[i, k] * b[i]
    return [b[i] for i in some]


def _within(coef: Coef, value):
    """A value moved inside the support, by a part of its width where it has one."""
    lo, hi = coef.support.lo, coef.support.hi
    margin = 1e-3 * (hi - lo) if np.isfinite(hi - lo) else 0.0
    low = lo + margin if margin else (1e-30 if lo == 0 else lo)
    return np.clip(value, low, hi - margin)


def _spread(coef: Coef, share: np.ndarray) -> np.ndarray:
    """Quantiles of the coefficient's starts, interpolated between them on its own scale."""
    values = np.array(coef.starts, float)
    if coef.support.lo == 0 and np.isinf(coef.support.hi):
        return np.exp(np.interp(share, np.linspace(0, 1, len(values)), np.log(values)))
    return np.interp(share, np.linspace(0, 1, len(values)), values)


@lru_cache(maxsize=16)
def even(n: int, q: int) -> np.ndarray:
    """n points spread evenly over the unit cube: Roberts' generalised golden-ratio sequence."""
    ratio = 2.0
    for _ in range(60):
        ratio = (1 + ratio) ** (1 / (q + 1))
    points = (0.5 + np.arange(n)[:, None] * ratio ** -np.arange(1.0, q + 1)) % 1.0
    points.setflags(write=False)
    return points


def _middle(table: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Geometric mean of each row's entries that are seen (G, 1), zeros aside;
    of sizes where some are negative."""
    seen = seen & (table != 0)
    logs = np.log(np.where(seen, np.abs(table), 1.0))
    return np.exp(
        np.sum(logs * seen, axis=1, keepdims=True) / np.maximum(np.sum(seen, axis=1, keepdims=True), 1)
    )
