"""The objective of one lane: value, gradient and curvature at a point of the real line's coordinates."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Literal

from scalefit.core.data import Array
from scalefit.core.formula import stage
from scalefit.core.law import Law

__all__ = ["MANY", "Lane", "Local", "Problem", "local", "multiplied", "natural", "staged", "with_jacobian"]

# Above this many coefficients sums and solves are loops, not unrolled:
# compilation would grow with their cube.
MANY = 12
# Coefficients of log(1 + f) = f - f^2/2 + s (f^2/2 + R(s^2)), s = f / (2 + f): FreeBSD's msun/src/e_log.c.
SERIES = (
    6.666666666666735130e-01,
    3.999999999940941908e-01,
    2.857142874366239149e-01,
    2.222219843214978396e-01,
    1.818357216161805012e-01,
    1.531383769920937332e-01,
    1.479819860511658591e-01,
)


class Problem(NamedTuple):
    """What is compiled for: the law, and the objective but for its width (see `Objective`).
    Hashable, static."""

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
    """(features of the inputs `x`, function of features and coordinates that
    predicts in the residuals' space)."""
    prepare, predict = stage(problem.law.fn, x, problem.law.names)

    def prediction(features, u):
        out = multiplied(predict, *features, *natural(problem.law, u))
        return log(out) if problem.space == "log" else out

    return prepare, prediction


def multiplied(predict, *values):
    """`predict(*values)` with a / exp(z) as a exp(-z):
    derivatives of a quotient would take two more exponentials."""
    closed = jax.make_jaxpr(predict)(*values)
    known = dict(zip(closed.jaxpr.constvars + closed.jaxpr.invars, [*closed.consts, *values], strict=True))

    def read(atom):
        return atom.val if isinstance(atom, Literal) else known[atom]

    exponents: dict[Any, Any] = {}
    for eqn in closed.jaxpr.eqns:
        operands, name = [read(atom) for atom in eqn.invars], eqn.primitive.name
        if name == "exp":
            exponents[eqn.outvars[0]] = operands[0]
        if name == "div" and not isinstance(eqn.invars[1], Literal) and eqn.invars[1] in exponents:
            outs = [operands[0] * jnp.exp(-exponents[eqn.invars[1]])]
        else:
            outs = eqn.primitive.bind(*operands, **eqn.primitive.get_bind_params(eqn.params))
            outs = outs if eqn.primitive.multiple_results else [outs]
        known |= dict(zip(eqn.outvars, outs, strict=True))
    return read(closed.jaxpr.outvars[0])


@jax.custom_jvp
def log(x):
    """The natural logarithm to the last digit, -inf below the smallest normal number.

    Written out because XLA's is not vectorised on CPUs: this takes a quarter of the time.
    """
    if x.dtype != jnp.float64:
        return jnp.log(x)
    bits = jax.lax.bitcast_convert_type(x, jnp.int64)
    power = (bits - np.float64(np.sqrt(0.5)).view(np.int64)) >> 52
    f = jax.lax.bitcast_convert_type(bits - (power << 52), jnp.float64) - 1
    s, half = f / (2 + f), f * f / 2
    rest = reduce(lambda total, c: s * s * (c + total), reversed(SERIES), jnp.zeros_like(s))
    inside = f - (half - s * (half + rest)) + power.astype(jnp.float64) * np.log(2)
    outside = jnp.where(x < 0, jnp.nan, jnp.where(x < 1, -jnp.inf, x))
    return jnp.where((x >= np.finfo(float).tiny) & (x < jnp.inf), inside, outside)


@log.defjvp
def _log_slope(primals, tangents):
    return log(*primals), tangents[0] * (1 / primals[0])


def local(problem: Problem, prediction, u, lane: Lane, curvature: bool) -> Local:
    """Value and gradient; and, if asked, the curvature J' diag(w rho'') J (Gauss-Newton)."""

    def rho(r):
        return problem.rho(r, lane.width)

    def residual(v):
        return prediction(lane.features, v) - lane.target

    if problem.law.whole:
        # Rows without a loss only carry the schedule: whatever the law says there, it does not count.
        every, residual = residual, lambda v: jnp.where(lane.weight > 0, every(v), 0.0)
    if not curvature:
        value, gradient = jax.value_and_grad(lambda v: jnp.sum(lane.weight * rho(residual(v))))(u)
        return Local(value, gradient, jnp.zeros((0, 0), u.dtype))
    p = len(u)
    r, rows = (with_jacobian if p > MANY else _one_by_one)(residual, u)

    def slope(r):
        return jax.jvp(rho, (r,), (jnp.ones_like(r),))[1]

    first, second = jax.jvp(slope, (r,), (jnp.ones_like(r),))
    second = jnp.maximum(second, problem.secant * first / jnp.where(r == 0, 1.0, r))
    pull, bend = lane.weight * first, lane.weight * second
    if p > MANY:
        return Local(jnp.sum(lane.weight * rho(r)), rows @ pull, (rows * bend) @ rows.T)
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

    def add(a, b):
        return tuple(x + y for x, y in zip(a, b, strict=True))

    return jax.lax.reduce(tuple(terms), (zero,) * len(terms), add, (0,))


def with_jacobian(f, u):
    """f(u) and its Jacobian, one row per coordinate (p, n), by forward differentiation."""
    value, push = jax.linearize(f, u)
    return value, jax.vmap(push)(jnp.eye(len(u), dtype=u.dtype))


def _one_by_one(f, u):
    """The same for an f that reads u[k] one by one:
    what does not depend on a coordinate drops out of its row."""
    each = list(u)
    along = [
        jax.jvp(lambda v, k=k: f([*each[:k], v, *each[k + 1 :]]), (each[k],), (jnp.ones_like(each[k]),))
        for k in range(len(each))
    ]
    return along[0][0], [row for _, row in along]
