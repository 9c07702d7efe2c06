"""Levenberg-Marquardt: Newton's method on the objective's own curvature, damped until it descends.

A descent is three pure functions of one lane: `begin`, `propose` a step, `learn` from its outcome.
It knows nothing of laws or data, only the value, gradient and curvature at a point.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from scalefit.core.data import Array
from scalefit.core.evaluate import MANY, Local

__all__ = ["Memory", "begin", "learn", "propose", "solve_positive"]

NEEDS_CURVATURE = True


class Memory(NamedTuple):
    """Marquardt's damping and the largest curvature seen along each coordinate."""

    damping: Array
    scale: Array


def begin(p: int, dtype) -> Memory:
    """A small damping: starts are usually good, and a rejected step costs one evaluation."""
    return Memory(jnp.asarray(1e-3, dtype), jnp.zeros(p, dtype))


def propose(memory: Memory, here: Local):
    """The damped Newton step and the decrease it promises."""
    scale = jnp.where(memory.scale > 0, memory.scale, 1.0)
    damped = here.curvature + jnp.diag(memory.damping * scale)
    step = -solve_positive(damped, here.gradient)
    promise = -(here.gradient @ step) - (step @ here.curvature @ step) / 2
    return step, promise


def learn(memory: Memory, here: Local, step, promise, there: Local, accepted) -> Memory:
    """Trust the model more after a step that kept its promise, less after one that was refused."""
    ratio = jnp.where(jnp.isfinite(here.value), (here.value - there.value) / promise, 1.0)
    after = jnp.where(ratio > 0.75, 0.3, jnp.where(ratio > 0.25, 1.0, 2.0))
    damping = memory.damping * jnp.where(accepted, jnp.where(jnp.isnan(after), 1.0, after), 3.0)
    scale = jnp.where(accepted, jnp.maximum(memory.scale, jnp.diagonal(there.curvature)), memory.scale)
    return Memory(jnp.clip(damping, 1e-12, 1e20), scale)


def solve_positive(matrix, right):
    """Solve matrix @ s = right for a small symmetric positive matrix: Gauss-Jordan with a floor on pivots.

    Unrolled over the matrix's size, so that it vectorises over lanes (batched LAPACK calls do not),
    up to `MANY`.
    """
    p = matrix.shape[0]
    floor = 1e-14 * jnp.diagonal(matrix) + 1e-300
    both = jnp.concatenate([matrix, right[:, None]], axis=1)

    def eliminate(k, both):
        row = both[k] / jnp.maximum(both[k, k], floor[k])
        return (both - both[:, k, None] * row).at[k].set(row)

    if p > MANY:
        return jax.lax.fori_loop(0, p, eliminate, both)[:, p]
    for k in range(p):
        both = eliminate(k, both)
    return both[:, p]
