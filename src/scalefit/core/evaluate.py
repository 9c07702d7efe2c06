"""The objective of one lane: value, gradient and curvature at a point of the real line's coordinates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from scalefit.core.data import Array
from scalefit.core.formula import stage
from scalefit.core.law import Law

__all__ = ["MANY", "Lane", "Local", "Problem", "local", "natural", "staged", "with_jacobian"]

# Above this many coefficients sums and solves are loops, not unrolled: compilation would grow with their cube.
MANY = 12


class Problem(NamedTuple):
    """What is compiled for: the law, and the objective but for its width (see `Objective`). Hashable, static."""

    law: Law
    rho: Callable[..., Any]
    space: str
    secant: float


class Lane(NamedTuple):
    """The rows one lane sees: features of its inputs, log y or y, weights, and the objective's width now."""

    features: tuple
    target: Array
    weight: Array
    width: Array


class Local(NamedTuple):
    """Objective at a point: value, gradient (p,), curvature (p, p) (empty where not wanted)."""

    value: Array
    gradient: Array
    curvature: Array


def natural(law: Law, u):
    """Coordinates on the real line (p,) -> coefficients in natural units, in the law's order."""
    return [c.support.from_real(u[k]) for k, c in enumerate(law.coefs)]


def staged(problem: Problem, x):
    """(features of the inputs `x`, function of features and coordinates that predicts in the residuals' space)."""
    prepare, predict = stage(problem.law.fn, x, problem.law.names)

    def prediction(features, u):
        out = predict(*features, *natural(problem.law, u))
        return jnp.log(out) if problem.space == "log" else out

    return prepare, prediction


def local(problem: Problem, prediction, u, lane: Lane, curvature: bool) -> Local:
    """Value and gradient; and, if asked, the curvature J' diag(w rho'') J (Gauss-Newton)."""
    rho = lambda r: problem.rho(r, lane.width)  # noqa: E731
    residual = lambda v: prediction(lane.features, v) - lane.target  # noqa: E731
    if problem.law.whole:
        # Rows without a loss only carry the schedule: whatever the law says there, it does not count.
        every, residual = residual, lambda v: jnp.where(lane.weight > 0, every(v), 0.0)
    if not curvature:
        value, gradient = jax.value_and_grad(lambda v: jnp.sum(lane.weight * rho(residual(v))))(u)
        return Local(value, gradient, jnp.zeros((0, 0), u.dtype))
    r, jacobian = with_jacobian(residual, u)
    slope = lambda r: jax.jvp(rho, (r,), (jnp.ones_like(r),))[1]  # noqa: E731
    first, second = jax.jvp(slope, (r,), (jnp.ones_like(r),))
    second = jnp.maximum(second, problem.secant * first / jnp.where(r == 0, 1.0, r))
    pull, bend = lane.weight * first, lane.weight * second
    rows, p = list(jacobian), len(jacobian)
    if p > MANY:
        curved = (jacobian * bend) @ jacobian.T
        return Local(jnp.sum(lane.weight * rho(r)), jacobian @ pull, curved)
    pairs = [(i, j) for i in range(p) for j in range(i, p)]
    value, *sums = _sums(
        [lane.weight * rho(r), *(row * pull for row in rows), *(rows[i] * bend * rows[j] for i, j in pairs)]
    )
    entry = dict(zip(pairs, sums[p:], strict=True))
    curved = [[entry[min(i, j), max(i, j)] for j in range(p)] for i in range(p)]
    return Local(value, jnp.stack(sums[:p]), jnp.array(curved))


def _sums(terms):
    """The sum of every term over the rows, in one pass: twice as fast as a matrix product of this shape."""
    zero = jnp.zeros((), terms[0].dtype)
    add = lambda a, b: tuple(x + y for x, y in zip(a, b, strict=True))  # noqa: E731
    return jax.lax.reduce(tuple(terms), (zero,) * len(terms), add, (0,))


def with_jacobian(f, u):
    """f(u) and its Jacobian, one row per coordinate (p, n), by forward differentiation."""
    value, push = jax.linearize(f, u)
    return value, jax.vmap(push)(jnp.eye(len(u), dtype=u.dtype))
