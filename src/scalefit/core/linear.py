"""A law at one point to first order: residuals, Jacobian, and what follows from them (errors,
last digits)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from scalefit.core.blocks import side_by_side
from scalefit.core.compiled import compiled
from scalefit.core.data import Data
from scalefit.core.evaluate import Problem, staged, with_jacobian
from scalefit.core.form import form
from scalefit.core.halves import halved
from scalefit.core.law import Law
from scalefit.core.numeric import ROWS, of_law, of_rho
from scalefit.core.objective import Objective
from scalefit.core.search import problem_of, round_up
from scalefit.core.settings import precise

__all__ = [
    "Linear",
    "bend",
    "clustered",
    "covariance",
    "influence",
    "interpolated",
    "jacobians",
    "leverage",
    "linearise",
    "orthonormal",
    "sharpen",
    "triangle",
]

# Directions weaker than this share of the strongest are rounding.
RANK = 1e-10
# Numbers (rows x columns) that are brought to a triangle at a time: OpenBLAS shares 9216 and more among
# threads.
SHORT = 8192


class Linear(NamedTuple):
    """At one point: residuals, rho and its first two derivatives there (n,), Jacobian (p,
    n) on the real line."""

    residual: np.ndarray
    cost: np.ndarray
    slope: np.ndarray
    bend: np.ndarray
    jacobian: np.ndarray

    def take(self, rows: np.ndarray) -> Linear:
        """Only these rows."""
        n = len(self.residual)
        every = len(rows) == n and np.array_equal(rows, np.arange(n))
        return self if every else Linear(*(part[..., rows] for part in self))


def jacobians(law: Law, objective: Objective, us: np.ndarray, x: Mapping[str, np.ndarray], y) -> np.ndarray:
    """The Jacobians (K, p, n) at several coordinates `us` (K, p), in one go where numpy can be asked."""
    shared = form(law).law
    if of_law(shared, shared.names) is None or of_rho(objective.rho) is None:
        return np.stack([linearise(law, objective, u, x, y).jacobian for u in us])
    k, n = len(us), len(y)
    every = {name: np.tile(column, k) for name, column in x.items()}
    found = linearise(law, objective, np.repeat(us, n, axis=0).T, every, np.tile(y, k))
    return np.moveaxis(found.jacobian.reshape(-1, k, n), 1, 0)


def linearise(law: Law, objective: Objective, u, x: Mapping[str, np.ndarray], y) -> Linear:
    """The law's residuals and their derivatives at coordinates `u` (p,), one column per row of the data.

    Where numpy can be asked, each row may have its own coordinates (p, n).
    """
    given = [np.atleast_1d(np.asarray(x[name], float)) for name in law.inputs]
    columns = [column.reshape(-1) for column in np.broadcast_arrays(*given, y)]
    u, width = np.asarray(u, float), min(objective.width or 1.0, 1e100)
    shared, rho = form(law), of_rho(objective.rho)
    late = halved(shared.law, [column[None] for column in columns[:-1]])
    inner, inputs = (shared.law, columns[:-1]) if late is None else (late[0], [part[0] for part in late[1]])
    written = of_law(inner, inner.names)
    if written is None or rho is None:
        n = columns[0].size
        padded = tuple(np.resize(column, round_up(n)) for column in columns)
        with precise():
            linear = _linearise(problem_of(law, objective), u, padded[:-1], padded[-1], width)
            linear = Linear(*(np.asarray(part)[..., :n] for part in linear))
    else:
        with np.errstate(all="ignore"):  # a step too far ends where no number is
            natural = [c.support.from_real(v, xp=np) for c, v in zip(law.coefs, u, strict=True)]
            slopes = [c.support.slope(v) for c, v in zip(law.coefs, natural, strict=True)]
        values = shared.values(natural)
        n = columns[0].size
        linear = Linear(*(np.empty(n) for _ in range(4)), np.zeros((len(u), n)))  # type: ignore[call-arg]

        def fill(begin: int) -> None:
            # Whole curves cannot be cut.
            part = slice(begin, begin + ROWS) if late is None else slice(None)
            at, target = [column[part] for column in inputs], columns[-1][part]
            here = [v[part] if np.ndim(v) else v for v in values]
            value, *along = written(*at, *here)
            with np.errstate(all="ignore"):
                scale = 1 / value if objective.space == "log" else 1.0
                residual = np.log(value) - np.log(target) if objective.space == "log" else value - target
                linear.residual[part] = residual
                for k, slope in zip(shared.place, along, strict=True):
                    if k >= 0:
                        own = slopes[k][part] if np.ndim(slopes[k]) else slopes[k]
                        linear.jacobian[k, part] += slope * own * scale
            linear.cost[part], linear.slope[part], linear.bend[part] = rho(residual, width)

        side_by_side(fill, range(0, n, ROWS if late is None else n))
    if objective.width == 0:
        r = linear.residual
        linear = linear._replace(cost=np.abs(r), slope=np.sign(r), bend=np.zeros_like(r))
    return linear


@compiled("problem")
def _linearise(problem: Problem, u, x, y, width) -> Linear:
    """The same, compiled, for laws that numpy cannot be asked about row by row."""
    prepare, prediction = staged(problem, x)
    features = prepare(*x)
    target = jnp.log(y) if problem.space == "log" else y
    r, jacobian = with_jacobian(lambda v: jnp.broadcast_to(prediction(features, v), y.shape) - target, u)

    def slope(r):
        return jax.jvp(lambda r: problem.rho(r, width), (r,), (jnp.ones_like(r),))[1]

    first, second = jax.jvp(slope, (r,), (jnp.ones_like(r),))
    return Linear(r, problem.rho(r, width), first, second, jacobian)


def covariance(objective: Objective, linear: Linear, weight: np.ndarray) -> np.ndarray:
    """Covariance of the coefficients on the real line, (p, p); infinite for those without any effect.

    For squares s^2 (J'WJ)^-1, the textbook's. For objectives with a width the sandwich H^-1 M H^-1 with
    M = J' diag(w slope)^2 J, which lets errors differ from row to row, and H = J' diag(w bend) J, the bend
    averaged over a bandwidth that holds enough rows (Powell 1991, as in quantile regression).
    """
    size, alive = _alive(linear, weight)
    out = np.diag(np.where(alive, 0.0, np.inf))
    if not alive.any():
        return out
    p, n = linear.jacobian.shape
    spare = n / max(n - p, 1)
    if np.isinf(objective.width):
        inverse = _inverse(linear.jacobian[alive] / size[alive, None] * np.sqrt(weight))
        tau2 = spare * np.mean(weight * linear.slope**2) / np.average(linear.bend, weights=weight) ** 2
        inner = tau2 * inverse / np.outer(size[alive], size[alive])
    else:
        pulls = influence(objective, linear, weight)[:, alive]
        inner = spare * pulls.T @ pulls
    out[np.ix_(alive, alive)] = inner
    return out


def influence(objective: Objective, linear: Linear, weight: np.ndarray) -> np.ndarray:
    """How far each row pulls the coordinates, (n, p): -H^-1 J' w slope to first order;
    0 for those without effect."""
    size, alive = _alive(linear, weight)
    out = np.zeros(linear.jacobian.shape[::-1])
    if alive.any():
        jacobian = linear.jacobian[alive] / size[alive, None]
        inverse = _inverse(jacobian * np.sqrt(weight * bend(objective, linear)))
        out[:, alive] = -((inverse @ (jacobian * (weight * linear.slope))) / size[alive, None]).T
    return out


def leverage(objective: Objective, linear: Linear, weight: np.ndarray) -> np.ndarray:
    """The share (n,) of each row in its own prediction: the diagonal of the hat matrix, below 1.

    Directions that the rows do not determine have no share in any prediction; what rounding leaves of them
    has none either.
    """
    size, alive = _alive(linear, weight)
    root = linear.jacobian[alive] / size[alive, None] * np.sqrt(weight * bend(objective, linear))
    _, s, vt = np.linalg.svd(triangle(root), full_matrices=False)
    known = s > RANK * max(s[0], 1e-300) if len(s) else np.zeros(0, bool)
    return np.clip(np.sum(((vt[known] / s[known, None]) @ root) ** 2, axis=0), 0.0, 0.99)


def _alive(linear: Linear, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sizes of the Jacobian's rows (p,), and which of them have any effect."""
    size = np.linalg.norm(linear.jacobian * np.sqrt(weight), axis=1)
    return size, size > 1e-12 * max(size.max(), 1e-300)


def bend(objective: Objective, linear: Linear) -> np.ndarray:
    """The curvature of rho per row; where it has a width, averaged over one that holds enough rows."""
    if np.isinf(objective.width):
        return linear.bend
    size, exact = np.abs(linear.residual), interpolated(objective, linear)
    if not exact.any():
        return linear.bend
    p, n = linear.jacobian.shape
    h = max(_bandwidth(size[~exact]), 1e-300)
    near = np.where(exact, 0.0, size <= h)
    share = max(np.sum(near), 1.0) / (n - np.sum(exact))
    # Few rows say how many errors lie near zero, but not where: the fewer, the more they share one curvature.
    own = n / (n + 10 * p)
    return (own * np.where(exact, share, near) + (1 - own) * share) * ((objective.width or 1.0) / h)


def interpolated(objective: Objective, linear: Linear) -> np.ndarray:
    """Which rows (n,) the curve passes through by the fit's own doing:
    as many as coefficients, the nearest ones.

    None where the width exceeds the residuals, so that the objective is a sum of squares near its end.
    Elsewhere it is one of sizes, whose best curve goes through p of the rows whatever their errors: these say
    nothing about errors.
    """
    p, n = linear.jacobian.shape
    size, exact = np.abs(linear.residual), np.zeros(n, bool)
    exact[_smallest(size, min(p, n - 1))] = True
    return exact & (_bandwidth(size[~exact]) > objective.width)


def _smallest(size: np.ndarray, k: int) -> np.ndarray:
    """Where the k smallest are, the earlier of equals."""
    if len(size) > ROWS and k > 0:
        near = np.flatnonzero(size <= np.partition(size, k - 1)[k - 1])
        return near[np.argsort(size[near], kind="stable")[:k]]
    return np.argsort(size, kind="stable")[:k]


def _bandwidth(size: np.ndarray) -> float:
    """The distance from zero within which enough of these residuals' sizes lie
    to tell the errors' density there."""
    return float(1.5 * np.median(size) / 0.6745 * len(size) ** -0.2)


def clustered(objective: Objective, linear: Linear, weight: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Covariance (p, p) where errors are shared within groups:
    the jackknife over groups, to first order (CR3).

    Leaving a group out moves the coordinates by (H - H_g)^-1 J_g' w slope: what the group's own pull on its
    fitted values has hidden comes back. Directions that only one group determines are left as that group has
    them.
    """
    size, alive = _alive(linear, weight)
    out = np.diag(np.where(alive, 0.0, np.inf))
    if not alive.any():
        return out
    jacobian = linear.jacobian[alive] / size[alive, None]
    root = jacobian * np.sqrt(weight * bend(objective, linear))
    _, s, vt = np.linalg.svd(triangle(root), full_matrices=False)
    white = vt.T / np.maximum(s, 1e-14 * max(s[0], 1e-300))
    labels, moves = np.unique(group), []
    for label in labels:
        rows = group == label
        held, pull = white.T @ root[:, rows], white.T @ (jacobian[:, rows] @ (weight * linear.slope)[rows])
        moves.append(
            white @ np.linalg.pinv(np.eye(len(held)) - held @ held.T, rcond=1e-3, hermitian=True) @ pull
        )
    moved = np.array(moves) / size[alive]
    out[np.ix_(alive, alive)] = moved.T @ moved * (len(labels) - 1) / len(labels)
    return out


def _inverse(root: np.ndarray) -> np.ndarray:
    """(root root')^-1 by the singular values of root (p, n);
    near-null directions come out huge, not infinite."""
    _, s, vt = np.linalg.svd(triangle(root), full_matrices=False)
    return (vt.T / np.maximum(s, 1e-14 * max(s[0], 1e-300)) ** 2) @ vt


def triangle(columns: np.ndarray) -> np.ndarray:
    """The triangle R of a QR of columns' transpose (p, n): R'R = columns columns', with its singular values.

    Where there are many rows, of the triangles of short blocks: they stay in cache, and LAPACK does not begin
    to share them among threads, which takes longer than the work.
    """
    (p, n), step = columns.shape, _step(len(columns))
    if n > 2 * step:
        columns = triangle(np.hstack([triangle(columns[:, k : k + step]).T for k in range(0, n, step)])).T
    return np.asarray(np.linalg.qr(columns.T, mode="r")) if columns.shape[1] > p else columns.T


def orthonormal(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Q of a QR of a table (n, p) and the sizes of R's diagonal; in pieces as in `triangle`, twice, since the
    first time leaves as many digits as the columns' condition does."""
    step = _step(table.shape[1])
    if len(table) <= step:
        basis, root = np.linalg.qr(table)
        return basis, np.abs(np.diagonal(root))
    size = np.ones(0)
    for _ in range(2):
        root = triangle(table.T)
        size = size if len(size) else np.abs(np.diagonal(root))
        inverse = np.linalg.pinv(root)
        table = np.concatenate([table[k : k + step] @ inverse for k in range(0, len(table), step)])
    return table, size


def _step(p: int) -> int:
    """Rows of p columns that are worked on at a time."""
    return max(SHORT // max(p, 1), 2 * p)


def sharpen(law: Law, data: Data, objective: Objective, u: np.ndarray) -> tuple[np.ndarray, Linear]:
    """A few undamped Newton steps by QR, kept while the objective does not rise: the last digits of a fit.

    Returns coordinates and the linearisation of the rows with some weight.

    The engine solves normal equations, which lose half the digits where coefficients are nearly degenerate.
    """
    rows = data.counted
    weight = data.weight[rows]

    def at(u):
        return linearise(law, objective, u, data.x, data.y).take(rows)

    here = at(u)
    for _ in range(5):
        step = _newton(here, weight)
        if step is None or np.max(np.abs(step) / (np.abs(u) + 1e-6)) < 1e-12:
            break
        there = at(u + step)
        before, after = (np.sum(weight * point.cost) for point in (here, there))
        if not after <= before * (1 + 1e-13):
            break
        u, here = u + step, there
    return u, here


def _newton(here: Linear, weight: np.ndarray) -> np.ndarray | None:
    """-(J'SJ)^-1 J' slope with S = diag(w bend), through a QR of the column-scaled root;
    None where singular."""
    root = np.sqrt(weight * here.bend)
    p, n = here.jacobian.shape
    both = np.empty((p + 1, n))
    with np.errstate(invalid="ignore"):  # infinite slopes of rows far out, where nothing can be sharpened
        np.multiply(here.jacobian, root, out=both[:p])
        size = np.linalg.norm(both[:p], axis=1)
    if not np.all((size > 0) & np.isfinite(size)):
        return None
    pull, bent = weight * here.slope, root > 0
    both[p] = np.divide(pull, root, out=np.zeros_like(pull), where=bent)
    # The last column of the triangle is Q' times the target.
    upper = np.zeros((p + 1, p + 1))
    found = triangle(both)
    upper[: len(found)] = found
    upper, along = upper[:p, :p] / size, upper[:p, p]
    rest = here.jacobian @ np.where(bent, 0.0, pull) / size
    try:
        step = -np.linalg.solve(upper, along + np.linalg.solve(upper.T, rest)) / size
    except np.linalg.LinAlgError:
        return None
    return step if np.all(np.isfinite(step)) else None
