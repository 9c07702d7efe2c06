"""The last steps of a descent over many rows: the objective is summed block by block, on all cores.

A search over many rows is made on a sample of them (`sample`); where it ends is close to where all rows end,
and from there a few Newton steps on all rows remain. A block is small enough to stay in cache, and of one
size for tables of any length, so that one program serves them all. Blocks are summed in their order: results
do not depend on threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from scalefit.core.compiled import compiled
from scalefit.core.evaluate import Lane, Local, Problem, local, staged
from scalefit.core.form import form
from scalefit.core.settings import precise

__all__ = ["End", "descend", "sample", "side_by_side", "summed"]

# Rows of one block.
BLOCK = 8192
# A descent that has not settled after this many evaluations is left to the search over all rows.
MOST = 200
# As in `solve`; while the width narrows, each stage ends nearer to its own best, since the last stages, where
# few rows have any curvature, are slow: there less is asked for.
LOOSE, TIGHT, LEAST, FLAT, NARROWER = 1e-9, 1e-13, 2e-12, 1e-7, 0.05


class End(NamedTuple):
    """Where a descent over all rows ended: as in `Ends`, for one lane."""

    u: np.ndarray
    value: float
    gradient: float
    evaluations: int
    converged: bool


def sample(x: tuple[np.ndarray, ...], y: np.ndarray, weight: np.ndarray, size: int) -> np.ndarray:
    """About `size` of the rows (n,) with some weight, in order:
    drawn evenly, and the ends of every column."""
    counted = np.flatnonzero(weight)
    if len(counted) <= size:
        return counted
    # Always the same rows of a table: a fit draws nothing by chance that a user would have to name.
    drawn = np.random.default_rng(0).choice(
        len(counted), size - 2 * (len(x) + 1), replace=False, shuffle=False
    )
    ends = [end for column in (*x, y) for end in (np.argmin(column[counted]), np.argmax(column[counted]))]
    return counted[np.unique(np.append(drawn, ends))]


def summed(
    problem: Problem, x: tuple[np.ndarray, ...], y: np.ndarray, weight: np.ndarray
) -> Callable[..., Local]:
    """The objective of all rows: a function of coordinates (p,) of the problem's law and a width."""
    shared = form(problem.law)
    inner, along, own = problem._replace(law=shared.law), shared.along(), shared.own()
    n = len(y)
    parts = [slice(k, min(k + BLOCK, n)) for k in range(0, n, BLOCK)]

    def padded(column: np.ndarray, part: slice, fill: Any = None) -> np.ndarray:
        block = np.asarray(column[part], float)
        if len(block) == BLOCK:
            return block
        return np.append(block, np.full(BLOCK - len(block), block[-1] if fill is None else fill))

    def prepared(part: slice) -> tuple[Any, ...]:
        block = tuple(padded(column, part) for column in x), padded(y, part)
        with precise():
            return *_features(inner, *block), jnp.asarray(padded(weight, part, 0.0))

    blocks = side_by_side(prepared, parts)
    with precise():
        features, target, weights = blocks[0]
        some = features, target, weights, np.zeros(len(along)), 0.0
        program = _block.ready(inner, *some)  # type: ignore[attr-defined]

    def at(u: np.ndarray, width: float) -> Local:
        full = shared.coordinates(u)

        def one(block: tuple[Any, ...]) -> Local:
            with precise():
                return Local(*map(np.asarray, program(*block, full, width)))

        value, gradient, curvature = (
            np.sum(parts, axis=0) for parts in zip(*side_by_side(one, blocks), strict=True)
        )
        gradient, curvature = along.T @ gradient, along.T @ curvature @ along
        return Local(value, gradient[own], curvature[np.ix_(own, own)])

    return at


def side_by_side(work: Callable[[Any], Any], parts: Sequence[Any]) -> list[Any]:
    """`work` done for every part, by all cores, in order."""
    if not len(parts):
        return []
    first = work(parts[0])
    if len(parts) < 4:
        return [first, *map(work, parts[1:])]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return [first, *pool.map(work, parts[1:])]


@compiled("problem")
def _features(problem: Problem, x, y):
    prepare, _ = staged(problem, x)
    return prepare(*x), jnp.log(y) if problem.space == "log" else y


@compiled("problem")
def _block(problem: Problem, features, target, weight, u, width) -> Local:
    like = tuple(jax.ShapeDtypeStruct(target.shape, target.dtype) for _ in problem.law.inputs)
    _, prediction = staged(problem, like)
    return local(problem, prediction, u, Lane(features, target, weight, width), True)


def descend(at: Callable[..., Local], u: np.ndarray, begin: float, width: float) -> End:
    """Levenberg-Marquardt from `u`, as in `lm` and `solve`, narrowing the width from `begin` to `width`."""
    now, evaluations, damping, refused, settled = max(begin, width), 1, 1e-3, 0, False
    tight = LEAST if begin > width else TIGHT
    here = at(u, now)
    scale = np.diagonal(here.curvature).copy()
    step = np.zeros(len(u))
    while evaluations < MOST and np.isfinite(here.value) and np.all(np.isfinite(here.gradient)):
        root = np.sqrt(np.where(scale > 0, scale, 1.0))
        # Scaled to a unit diagonal, so that coefficients of any size are solved for alike.
        damped = here.curvature / np.outer(root, root) + damping * np.eye(len(u))
        step = -np.linalg.lstsq(damped, here.gradient / root, rcond=1e-15)[0] / root
        promise = -(here.gradient @ step) - step @ here.curvature @ step / 2
        quiet = abs(promise) <= (LOOSE if now > width else tight) * here.value
        if quiet or refused > 40:
            if now <= width:
                settled = True
                break
            now, refused = max(now * NARROWER, width), 0
            here = at(u, now)
            evaluations += 1
            continue
        there = at(u + step, now)
        evaluations += 1
        if there.value <= here.value and np.all(np.isfinite(there.gradient)):
            ratio = (here.value - there.value) / promise
            u, here, refused = u + step, there, 0
            damping *= 0.3 if ratio > 0.75 else 1.0 if ratio > 0.25 else 2.0
            scale = np.maximum(scale, np.diagonal(here.curvature))
        else:
            damping, refused = damping * 3.0, refused + 1
        damping = min(max(damping, 1e-12), 1e20)
    gradient = float(np.max(np.abs(here.gradient), initial=0.0) / (here.value + 1e-300))
    if settled and refused == 0 and tight == TIGHT and np.all(np.abs(step) < 0.01 * (1 + np.abs(u))):
        u = u + step  # too small to be seen in the objective, but it still sharpens the coefficients
    return End(u, float(here.value), gradient, evaluations, now <= width and (settled or gradient < FLAT))
