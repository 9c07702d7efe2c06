"""Exhaustive search for the best objective of each simulated data set, with numpy and scipy only.

Run ``python benchmarks/optima/reference.py``; it writes ``reference.json`` after each data set and
goes on where it stopped.  It shares no code with the library.

Coordinates.  With logs of the inputs centred on their means (z_N, z_D) and the loss divided by its
geometric mean, all five laws are cases of

    log L = logaddexp(e, k * logaddexp(u / k, v / k)),   u = p - s * z_N,   v = q - t * z_D

    power_floor      k = 1, no v              s = alpha
    chinchilla       k = 1                    s = alpha, t = beta
    kaplan_nd        k = t = alpha_D, no e    s = alpha_N
    kaplan_nd_floor  k = t = beta             s = alpha
    skaling          k = kappa                s = kappa * alpha, t = kappa * beta

and the search runs over e, p, q, log s, log t, log k, so every coefficient of a law is positive.

Box.  E >= 1e-12 * min(y); each term at the centre of the inputs within exp(+-60) of the typical loss
(down to exp(-1200) in the kaplan laws, where a term is an amplitude's ratio to the power of its exponent);
1e-4 <= s, t <= 20; 1e-2 <= k <= 20 for skaling.  ``at_bound`` names what runs off at the best end: a
floor below 1e-6 of the smallest loss, a term nowhere above 1e-6 of the loss, an exponent, kappa or term
at its bound, or a coefficient too large for a float64.  Such an optimum lies at infinity, or where the
box ends, and ``best_inside`` then gives the best end found without any of these (null if none was).

Search, for each data set:

1. 2400 starts: 1400 random ones over wide ranges, 1000 with random exponents whose linear coefficients
   are projected on the data by non-negative least squares; and the true coefficients.
2. Every start: 30 damped reweighted least-squares steps, then up to six rounds of 40 damped Newton steps
   on the exact Hessian and 10 reweighted ones, until the gradient vanishes.  No start is dropped.
3. 60 of the random starts are also run to their end by scipy's L-BFGS-B alone, from scratch.
4. 300 more starts: the 20 best distinct ends, disturbed, and pushed to the limits of floor and kappa.
5. The 15 best distinct ends and the 25 best distinct stationary ones are polished by L-BFGS-B (no stopping
   tolerance) and Newton steps in turn, the best of them also by Nelder-Mead, until a turn gains less than
   1e-12 of the objective.
6. Where less than 5 % of the starts of step 1 reach the best, all is done again with other starts, up to
   eight times in all.

All objectives are multiplied by 1e6 inside scipy so that absolute stopping rules do not bite.
``share_at_best`` is the share of the starts of step 1 that end within 1e-6 (relative) of the best,
``share_at_best_scipy`` that of step 3.  ``minima`` counts stationary polished ends whose objectives differ
by more than 1e-6 (relative), at most 40 in a round, and ``minima_inside`` those where nothing runs off.
``printed_formula`` is the relative difference when the objective is computed anew by the formulas of
``simulated.py`` from the recorded coefficients; ``sum_log_y`` identifies the data.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy.optimize import minimize, nnls

sys.path.insert(0, str(Path(__file__).parent))
from simulated import LAWS, Array, DataSet, datasets, objective

RESULT = Path(__file__).with_name("reference.json")
RANDOM_STARTS, PROJECTED_STARTS, SCIPY_STARTS, DISTURBED_STARTS = 1400, 1000, 60, 300
BEST_POLISHED, STATIONARY_POLISHED = 15, 25
ROUNDS, ENOUGH = 8, 0.05
SCALE = 1e6
ABSENT = -1e4  # log of a term that a law does not have
E, P, Q, S, T, K = range(6)
# which of the six coordinates each law has, and whether t is tied to k
COORDINATES: dict[str, tuple[int, ...]] = {
    "power_floor": (E, P, S),
    "chinchilla": (E, P, Q, S, T),
    "kaplan_nd": (P, Q, S, K),
    "kaplan_nd_floor": (E, P, Q, S, K),
    "skaling": (E, P, Q, S, T, K),
}


@dataclass(frozen=True)
class Problem:
    """A data set in the coordinates of the search."""

    law: str
    tied: bool
    z: tuple[Array, Array]
    mean_log_inputs: tuple[float, float]
    mean_log_y: float
    log_y: Array
    delta: float
    embed: Array  # six coordinates = embed @ theta + constant
    constant: Array
    low: Array
    high: Array


def problem_of(data: DataSet) -> Problem:
    """Centre the data and set up the box."""
    tied = data.law.startswith("kaplan")
    logs = [np.log(v) for v in data.x.values()]
    if len(logs) == 1:
        logs.append(np.zeros(data.y.size))
    means = (float(logs[0].mean()), float(logs[1].mean()))
    mean_log_y = float(np.log(data.y).mean())
    log_y = np.log(data.y) - mean_log_y
    used = COORDINATES[data.law]
    embed = np.eye(6)[:, used]
    if tied:
        embed[T] = embed[K]
    constant = np.zeros(6)
    for missing in {E, Q} - set(used):
        constant[missing] = ABSENT
    k_low = np.log(1e-4 if tied else 1e-2)
    term_low = -1200.0 if tied else -60.0
    low = np.array([log_y.min() + np.log(1e-12), term_low, term_low, np.log(1e-4), np.log(1e-4), k_low])
    high = np.array([log_y.max() + 1, 60, 60, np.log(20), np.log(20), np.log(20)])
    return Problem(
        data.law,
        tied,
        (logs[0] - means[0], logs[1] - means[1]),
        means,
        mean_log_y,
        log_y,
        data.delta,
        embed,
        constant,
        low[list(used)],
        high[list(used)],
    )


def six(pr: Problem, theta: Array) -> Array:
    """The six coordinates, absent ones filled in."""
    return theta @ pr.embed.T + pr.constant


def to_law(pr: Problem, theta: Array) -> dict[str, float]:
    """Natural logs of the law's coefficients."""
    e, p, q, s, t, k = six(pr, theta)
    p, q, slope, other, power = p + pr.mean_log_y, q + pr.mean_log_y, np.exp(s), np.exp(t), np.exp(k)
    m, n = pr.mean_log_inputs
    if pr.tied:
        values = {"E": e, "A": p / slope + m, "B": q / other + n, "alpha": s, "beta": t}
    else:
        values = {
            "E": e,
            "A": p / power + slope / power * m,
            "B": q / power + other / power * n,
            "alpha": s - k,
            "beta": t - k,
            "kappa": k,
        }
    values["E"] += pr.mean_log_y
    if pr.law == "kaplan_nd":
        values |= {"N_c": values["A"], "D_c": values["B"], "alpha_N": s, "alpha_D": t}
    return {name: float(values[name]) for name in LAWS[pr.law]}


def from_law(pr: Problem, c: dict[str, float]) -> Array:
    """Coordinates of given coefficients: the inverse of ``to_law``."""
    if pr.law == "kaplan_nd":
        c = {"E": 1.0, "A": c["N_c"], "B": c["D_c"], "alpha": c["alpha_N"], "beta": c["alpha_D"]}
    c = {"B": 1.0, "beta": 1.0, **c}
    power = c["beta"] if pr.tied else c.get("kappa", 1.0)
    s, t = (c["alpha"], c["beta"]) if pr.tied else (power * c["alpha"], power * c["beta"])
    m, n = pr.mean_log_inputs
    outer = (s, t) if pr.tied else (power, power)
    p = outer[0] * np.log(c["A"]) - s * m - pr.mean_log_y
    q = outer[1] * np.log(c["B"]) - t * n - pr.mean_log_y
    full = np.array([np.log(c["E"]) - pr.mean_log_y, p, q, np.log(s), np.log(t), np.log(power)])
    return np.clip(full[list(COORDINATES[pr.law])], pr.low, pr.high)


def evaluate(pr: Problem, theta: Array, order: str = "newton") -> tuple[Array, Array, Array, Array]:
    """Objective, gradient, curvature and its scale for many points, one per row of theta.

    The curvature is the exact Hessian ("newton") or that of reweighted least squares ("reweighted");
    with "gradient" it is not computed.
    """
    rows = max(1, 20000 // pr.log_y.size)
    parts = [_evaluate(pr, theta[i : i + rows], order) for i in range(0, len(theta), rows)]
    f, g, h, d = (np.concatenate(x) for x in zip(*parts, strict=True))
    return f, g, h, d


def _evaluate(pr: Problem, theta: Array, order: str) -> tuple[Array, Array, Array, Array]:
    z, zd = pr.z
    c = six(pr, theta)
    e, p, q = c[:, E, None], c[:, P, None], c[:, Q, None]
    s, t, k = (np.exp(c[:, i, None]) for i in (S, T, K))
    sz, tz = s * z, t * zd
    u, v = p - sz, q - tz
    x = np.exp(-np.abs(u - v) / k)
    soft = np.log1p(x)
    minor = x / (1 + x)
    w = np.where(u > v, 1 - minor, minor)  # weight of u, 1 - w that of v
    m = np.maximum(u, v) + k * soft
    entropy = soft + minor * np.abs(u - v) / k
    x = np.exp(-np.abs(m - e))
    log_l = np.maximum(m, e) + np.log1p(x)
    minor = x / (1 + x)
    g = np.where(m > e, 1 - minor, minor)
    r = log_l - pr.log_y
    size = np.abs(r)
    inside = size <= pr.delta
    f = np.sum(np.where(inside, 0.5 * r * r, pr.delta * (size - 0.5 * pr.delta)), axis=1)
    psi = np.clip(r, -pr.delta, pr.delta)
    dm = np.empty((len(theta), 6, pr.log_y.size))
    dm[:, E], dm[:, P], dm[:, Q] = 0, w, 1 - w
    dm[:, S], dm[:, T], dm[:, K] = -w * sz, -(1 - w) * tz, k * entropy
    j = g[:, None] * dm
    j[:, E] = 1 - g
    back = pr.embed
    gradient = np.matmul(j, psi[:, :, None])[:, :, 0] @ back
    if order == "gradient":
        return f, gradient, gradient, gradient
    weight = np.where(inside, 1.0, pr.delta / np.maximum(size, pr.delta))
    jt = j.transpose(0, 2, 1)
    reweighted = back.T @ np.matmul(j * weight[:, None], jt) @ back
    scale = np.sqrt(np.einsum("ijj->ij", reweighted)) + 1e-12
    if order == "reweighted":
        return f, gradient, reweighted, scale
    h = np.matmul(j * inside[:, None], jt)
    dm[:, E] = -1
    h += np.matmul(dm * (psi * g * (1 - g))[:, None], dm.transpose(0, 2, 1))
    dm[:, E], dm[:, P], dm[:, Q], dm[:, S], dm[:, T], dm[:, K] = 0, 1, -1, -sz, tz, v - u
    pull = psi * g
    h += np.matmul(dm * (pull * w * (1 - w) / k)[:, None], dm.transpose(0, 2, 1))
    h[:, S, S] -= np.sum(pull * w * sz, axis=1)
    h[:, T, T] -= np.sum(pull * (1 - w) * tz, axis=1)
    h[:, K, K] += np.sum(pull * k * entropy, axis=1)
    return f, gradient, back.T @ h @ back, scale


def descend(pr: Problem, theta: Array, order: str, iterations: int) -> tuple[Array, Array]:
    """Damped steps from many points at once, none of which may raise its objective."""
    theta = theta.copy()
    f, g, h, scale = evaluate(pr, theta, order)
    damping = np.full(len(theta), 1e-2)
    alive = np.arange(len(theta))
    for _ in range(iterations):
        here = theta[alive]
        step = _step(pr, here, g[alive], h[alive], scale[alive], damping[alive])
        trial = np.clip(here + np.clip(step, -3, 3), pr.low, pr.high)
        ft, gt, ht, st = evaluate(pr, trial, order)
        better = ft < f[alive]
        won = alive[better]
        theta[won], f[won], g[won], h[won], scale[won] = (a[better] for a in (trial, ft, gt, ht, st))
        damping[alive] = np.clip(damping[alive] * np.where(better, 0.2, 6.0), 1e-14, None)
        alive = alive[damping[alive] < 1e8]
        if not alive.size:
            break
    return theta, f


def settle(pr: Problem, theta: Array, first: int) -> tuple[Array, Array]:
    """Descend from many points until the gradient vanishes, or six rounds have passed."""
    theta, f = descend(pr, theta, "reweighted", first)
    for _ in range(6):
        rest = np.flatnonzero(~stationary(pr, theta))
        if not rest.size:
            break
        x, _ = descend(pr, theta[rest], "newton", 40)
        theta[rest], f[rest] = descend(pr, x, "reweighted", 10)
    return theta, f


def _step(pr: Problem, theta: Array, g: Array, h: Array, scale: Array, damping: Array) -> Array:
    blocked = ((theta <= pr.low) & (g > 0)) | ((theta >= pr.high) & (g < 0))
    free = ~blocked
    h = h / (scale[:, :, None] * scale[:, None, :]) * (free[:, :, None] & free[:, None, :])
    values, vectors = np.linalg.eigh(h)
    along = np.einsum("sij,si->sj", vectors, np.where(free, g / scale, 0.0))
    step = np.einsum("sij,sj->si", vectors, along / (np.abs(values) + damping[:, None] + 1e-15))
    return np.where(free, -step / scale, 0.0)


def random_starts(pr: Problem, number: int, rng: np.random.Generator) -> Array:
    """Wide random starts: floor from none to the smallest loss, exponents over three decades."""
    depth = np.choose(
        rng.integers(0, 3, number),
        [rng.uniform(0, 1, number), 10 ** -rng.uniform(0, 3, number), 10 ** -rng.uniform(3, 12, number)],
    )
    full = np.empty((number, 6))
    full[:, E] = pr.log_y.min() + np.log(np.maximum(depth, 1e-12))
    full[:, P], full[:, Q] = rng.uniform(-7.0, 1.5, (2, number))
    full[:, S], full[:, T] = rng.uniform(np.log(0.005), np.log(6.0), (2, number))
    full[:, K] = rng.uniform(np.log(0.02), np.log(8.0), number)
    return np.clip(full[:, COORDINATES[pr.law]], pr.low, pr.high)


def projected_starts(pr: Problem, number: int, rng: np.random.Generator) -> Array:
    """Random exponents and kappa; linear coefficients by non-negative least squares.

    With kappa one the floor is among the linear coefficients, otherwise it is drawn.
    """
    starts = random_starts(pr, number, rng)
    c = six(pr, starts)
    y = np.exp(pr.log_y)
    used = COORDINATES[pr.law]
    for i, (e, _, _, s, t, k) in enumerate(c):
        power = np.exp(k)
        rest = y if k == 0 else y - min(np.exp(e), 0.98 * y.min())
        target = np.log(rest) / power
        weight = rest / y
        columns = [np.exp(np.clip(-np.exp(s) / power * pr.z[0] - target, -300, 300)) * weight]
        if Q in used:
            columns.append(np.exp(np.clip(-np.exp(t) / power * pr.z[1] - target, -300, 300)) * weight)
        if k == 0:
            columns.append(weight / y)
        found, _ = nnls(np.stack(columns, axis=1), weight)
        logs = np.where(found > 1e-250, power * np.log(np.maximum(found, 1e-250)), -12.0)
        if k == 0:
            c[i, E] = logs[-1]
        c[i, P] = logs[0]
        if Q in used:
            c[i, Q] = logs[1]
    return np.clip(c[:, used], pr.low, pr.high)


def disturbed_starts(pr: Problem, ends: Array, number: int, rng: np.random.Generator) -> Array:
    """The ends moved at random; some with floor, exponent or kappa pushed to a limit."""
    starts = ends[rng.integers(0, len(ends), number)]
    size = 10 ** rng.uniform(-2, 0.3, (number, 1))
    starts = starts + size * rng.standard_normal(starts.shape) * (rng.uniform(size=starts.shape) < 0.7)
    for i in range(0, number, 4):
        column = rng.integers(starts.shape[1])
        starts[i, column] = pr.low[column] if rng.uniform() < 0.5 else pr.high[column]
    return np.clip(starts, pr.low, pr.high)


def scipy_descent(pr: Problem, theta: Array, iterations: int) -> tuple[Array, float]:
    """L-BFGS-B from one point, without a stopping tolerance."""

    def value(at: Array) -> tuple[float, Array]:
        f, g, _, _ = _evaluate(pr, at[None], "gradient")
        return SCALE * float(f[0]), SCALE * g[0]

    options = {"maxiter": iterations, "maxfun": 3 * iterations, "ftol": 0.0, "gtol": 0.0, "maxcor": 20}
    bounds = list(zip(pr.low, pr.high, strict=True))
    end = minimize(value, theta, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return end.x, float(end.fun) / SCALE


def simplex_descent(pr: Problem, theta: Array) -> tuple[Array, float]:
    """Nelder-Mead from one point."""

    def value(at: Array) -> float:
        return SCALE * float(_evaluate(pr, np.clip(at, pr.low, pr.high)[None], "gradient")[0][0])

    options = {"maxfev": 800, "xatol": 1e-13, "fatol": 0.0, "adaptive": True}
    simplex = np.vstack([theta, theta + 1e-3 * np.eye(theta.size)])
    end = minimize(value, theta, method="Nelder-Mead", options={**options, "initial_simplex": simplex})
    return np.clip(end.x, pr.low, pr.high), float(end.fun) / SCALE


def distinct(f: Array, number: int, tolerance: float = 1e-6) -> NDArray[np.intp]:
    """Indices of the best ends, one for each objective that differs relatively from the one before."""
    chosen: list[int] = []
    for i in np.argsort(f, kind="stable"):
        if np.isfinite(f[i]) and (not chosen or f[i] > f[chosen[-1]] * (1 + tolerance) + 1e-300):
            chosen.append(int(i))
        if len(chosen) == number:
            break
    return np.array(chosen, dtype=np.intp)


def polish(pr: Problem, theta: Array, f: Array) -> tuple[Array, Array]:
    """Scipy and Newton steps in turn until a turn gains less than 1e-12 at every end."""
    active = np.arange(len(f))
    for turn in range(6):
        before = f.copy()
        for i in active:
            x, value = scipy_descent(pr, theta[i], 150)
            if value < f[i]:
                theta[i], f[i] = x, value
        x, values = descend(pr, theta[active], "newton", 80)
        gain = values < f[active]
        theta[active[gain]], f[active[gain]] = x[gain], values[gain]
        best = int(np.argmin(f))
        if turn < 2:
            x, value = simplex_descent(pr, theta[best])
            if value < f[best]:
                theta[best], f[best] = x, value
        active = np.flatnonzero(f < before * (1 - 1e-12))
        if not active.size:
            break
    return theta, f


def runs_off(pr: Problem, theta: Array) -> list[str]:
    """Which coefficients are at a limit, see the module's docstring."""
    c = six(pr, theta)
    used = COORDINATES[pr.law]
    floor, first = ("E", "N_c" if pr.law == "kaplan_nd" else "A")
    second = "D_c" if pr.law == "kaplan_nd" else "B"
    slopes = ("alpha_N", "alpha_D") if pr.law == "kaplan_nd" else ("alpha", "beta")
    out = []
    if E in used and c[E] < pr.log_y.min() + np.log(1e-6):
        out.append(f"{floor}->0")
    u, v = c[P] - np.exp(c[S]) * pr.z[0], c[Q] - np.exp(c[T]) * pr.z[1]
    power = np.exp(c[K])
    m = power * np.logaddexp(u / power, v / power)
    share = np.exp(m - np.logaddexp(c[E], m))
    tiny = np.log(1e-6)
    if np.max(np.log(share + 1e-300) + u / power - np.logaddexp(u / power, v / power)) < tiny:
        out.append(f"{first}->0")
    if Q in used and np.max(np.log(share + 1e-300) + v / power - np.logaddexp(u / power, v / power)) < tiny:
        out.append(f"{second}->0")
    limits = [(S, slopes[0])] + ([(T, slopes[1])] if T in used or pr.tied else [])
    limits += [(K, "kappa")] if pr.law == "skaling" else []
    limits += [(P, first)] + ([(Q, second)] if Q in used else [])
    for column, name in limits:
        where = used.index(K if column == T and pr.tied else column)
        if theta[where] < pr.low[where] + 0.01:
            out.append(f"{name} low")
        if theta[where] > pr.high[where] - 0.01:
            out.append(f"{name} high")
    out += [f"{name} overflows" for name, value in to_law(pr, theta).items() if abs(value) > 700]
    return out


def stationary(pr: Problem, theta: Array) -> NDArray[np.bool_]:
    """Whether the gradient is zero up to rounding, apart from components that push against the box."""
    g = evaluate(pr, theta, "gradient")[1]
    blocked = ((theta <= pr.low) & (g > 0)) | ((theta >= pr.high) & (g < 0))
    size = np.abs(np.where(blocked, 0.0, g)).max(axis=1)
    return size < 1e-6 * pr.delta * pr.log_y.size


def search(data: DataSet) -> dict[str, Any]:
    """The exhaustive search for one data set."""
    clock = time.process_time()
    pr = problem_of(data)
    rng = np.random.Generator(np.random.PCG64(data.seed + 500))
    truth = from_law(pr, data.truth)[None]
    theta, f, ends, alone, starts = truth[:0], np.empty(0), np.empty(0), np.empty(0), 0
    for _ in range(ROUNDS):
        found = search_once(pr, truth, rng)
        theta, f = np.concatenate([theta, found[0]]), np.concatenate([f, found[1]])
        ends, alone = np.concatenate([ends, found[2]]), np.concatenate([alone, found[3]])
        starts += len(found[2]) + len(found[3]) + DISTURBED_STARTS
        if np.mean(ends <= f.min() * (1 + 1e-6)) >= ENOUGH:
            break
    record = summary(data, pr, theta, f, ends, alone)
    return record | {"starts": starts, "cpu_s": round(time.process_time() - clock, 2)}


def search_once(pr: Problem, truth: Array, rng: np.random.Generator) -> tuple[Array, Array, Array, Array]:
    """Steps 1 to 5: polished ends, their objectives, those of all starts and of the starts of step 3."""
    wide = random_starts(pr, RANDOM_STARTS, rng)
    theta, f = settle(pr, np.concatenate([wide, projected_starts(pr, PROJECTED_STARTS, rng), truth]), 30)
    ends_of_starts = f.copy()
    alone = [scipy_descent(pr, x, 400) for x in wide[:SCIPY_STARTS]]
    alone_f = np.array([value for _, value in alone])
    theta = np.concatenate([theta, np.array([x for x, _ in alone])])
    f = np.concatenate([f, alone_f])
    again = disturbed_starts(pr, theta[distinct(f, 20)], DISTURBED_STARTS, rng)
    again, again_f = settle(pr, again, 10)
    theta, f = np.concatenate([theta, again]), np.concatenate([f, again_f])
    settled = np.where(stationary(pr, theta), f, np.inf)
    chosen = np.union1d(distinct(f, BEST_POLISHED), distinct(settled, STATIONARY_POLISHED))
    theta, f = polish(pr, theta[chosen], f[chosen])
    return theta, f, ends_of_starts, alone_f


def summary(data: DataSet, pr: Problem, theta: Array, f: Array, ends: Array, alone: Array) -> dict[str, Any]:
    """The record of one data set."""
    best = int(np.argmin(f))
    off = [runs_off(pr, x) for x in theta]
    inside = [float(v) for v, o in zip(f, off, strict=True) if not o]
    logs = to_law(pr, theta[best])
    settled = stationary(pr, theta)
    printed = None
    if max(abs(v) for v in logs.values()) < 700:
        printed = objective(data, {name: float(np.exp(v)) for name, v in logs.items()}) / f[best] - 1
    return {
        "name": data.name,
        "rows": data.y.size,
        "delta": data.delta,
        "sum_log_y": round(float(np.sum(np.log(data.y))), 10),
        "objective": float(f[best]),
        "printed_formula": None if printed is None else float(f"{printed:.1e}"),
        "objective_truth": float(f"{objective(data, data.truth):.8g}"),
        "log_coefficients": logs,
        "at_bound": off[best],
        "best_inside": min(inside) if inside and off[best] else None,
        "stationary": bool(settled[best]),
        "minima": int(distinct(f[settled], len(f)).size),
        "minima_inside": int(distinct(f[settled & ~np.array([bool(o) for o in off])], len(f)).size),
        "share_at_best": round(float(np.mean(ends <= f[best] * (1 + 1e-6))), 5),
        "share_at_best_scipy": round(float(np.mean(alone <= f[best] * (1 + 1e-6))), 4),
    }


def main() -> None:
    """Search every data set that the result does not hold yet."""
    done: dict[str, dict[str, Any]] = {}
    if RESULT.exists():
        done = {record["name"]: record for record in json.loads(RESULT.read_text())["sets"]}
    everything = datasets()
    for data in everything:
        held = done.get(data.name)
        if held and np.isclose(held["sum_log_y"], np.sum(np.log(data.y)), rtol=0, atol=1e-9):
            continue
        done[data.name] = search(data)
        write([done[d.name] for d in everything if d.name in done])
        print(json.dumps(done[data.name]), flush=True)


def write(records: list[dict[str, Any]]) -> None:
    """Write the result, one data set per line, by way of a temporary file."""
    about = {
        "about": "best objective of each set of simulated.py by the search described in reference.py",
        "objective": "sum of Huber_delta(log L - log y)",
        "numpy": np.__version__,
        "scipy": scipy.__version__,
    }
    lines = ",\n".join(json.dumps(r, separators=(",", ":")) for r in records)
    text = json.dumps(about, indent=1)[:-2] + ',\n "sets": [\n' + lines + "\n]}\n"
    temporary = RESULT.with_suffix(".json.tmp")
    temporary.write_text(text)
    temporary.replace(RESULT)


if __name__ == "__main__":
    main()
