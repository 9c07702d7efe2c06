"""L-BFGS with backtracking: the literature's method.

Same three functions as `lm`; it needs no curvature, so an evaluation costs one reverse sweep however many
coefficients there are.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from scalefit.core.data import Array
from scalefit.core.evaluate import Local

__all__ = ["Memory", "begin", "learn", "propose"]

NEEDS_CURVATURE = False
PAIRS = 10


class Memory(NamedTuple):
    """The last steps and gradient changes (newest last), and the length of the next step."""

    steps: Array
    changes: Array
    length: Array


def begin(p: int, dtype) -> Memory:
    """Nothing remembered; the first direction is the gradient's."""
    empty = jnp.zeros((PAIRS, p), dtype)
    return Memory(empty, empty, jnp.asarray(1.0, dtype))


def propose(memory: Memory, here: Local):
    """A step along -H gradient, H by the two-loop recursion (Nocedal & Wright, algorithm 7.4)."""
    curvatures = jnp.sum(memory.steps * memory.changes, axis=1)
    rho = jnp.where(curvatures > 0, 1 / curvatures, 0.0)

    def newest_first(q, pair):
        s, y, r = pair
        a = r * (s @ q)
        return q - a * y, a

    def oldest_first(z, pair):
        s, y, r, a = pair
        return z + s * (a - r * (y @ z)), None

    q, a = jax.lax.scan(newest_first, here.gradient, (memory.steps, memory.changes, rho), reverse=True)
    z, _ = jax.lax.scan(oldest_first, q, (memory.steps, memory.changes, rho, a))
    slope = here.gradient @ z
    return -memory.length * z, memory.length * slope * (1 - memory.length / 2)


def learn(memory: Memory, here: Local, step, promise, there: Local, accepted) -> Memory:
    """Remember an accepted pair of positive curvature; shorten a refused step by interpolation."""
    change = there.gradient - here.gradient
    positive = step @ change > 1e-12 * jnp.linalg.norm(step) * jnp.linalg.norm(change)
    keep = accepted & jnp.isfinite(here.value) & positive
    steps = jnp.where(keep, jnp.concatenate([memory.steps[1:], step[None]]), memory.steps)
    changes = jnp.where(keep, jnp.concatenate([memory.changes[1:], change[None]]), memory.changes)
    slope = -(here.gradient @ step)
    parabola = slope / (2 * (there.value - here.value + slope))
    shrink = jnp.where(jnp.isfinite(parabola), jnp.clip(parabola, 0.1, 0.5), 0.1)
    return memory._replace(
        steps=steps, changes=changes, length=jnp.where(accepted, 1.0, memory.length * shrink)
    )
