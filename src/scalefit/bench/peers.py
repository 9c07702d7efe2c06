"""Other packages' fits of L = E + sum_i A_i / x_i^alpha_i, as their users write them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp, ndtri

from scalefit.frames import Frame, columns_frame

__all__ = ["PEERS", "Peer", "peer"]

PEERS = {
    "scipy": ("scipy", "L-BFGS-B with exact gradients from 60 of the replication's starts; no interval"),
    "scipy, all starts": (
        "scipy",
        "L-BFGS-B as published: numeric gradients, 4500 starts; no interval",
    ),
    "lmfit": ("lmfit", "least squares of log loss from one start, with its own confidence band"),
    "optimistix": ("optimistix", "BFGS, 64 of the replication's starts at once; no interval"),
}
DELTA = 1e-3
# How the coefficients of one or two inputs are called.
NAMES = {1: ("E", "A", "alpha"), 2: ("E", "A", "B", "alpha", "beta")}


@dataclass(frozen=True)
class Peer:
    """What a fit of ours is asked: coefficients, objective, predictions; `band` gives log lo and hi."""

    inputs: tuple[str, ...]
    v: np.ndarray
    value: float
    band: Any = None

    @property
    def coefs(self) -> dict[str, float]:
        """By the names of `chinchilla` and `power_floor`."""
        k = len(self.inputs)
        values = [*np.exp(self.v[: k + 1]), *self.v[k + 1 :]]
        return dict(zip(NAMES[k], map(float, values), strict=True))

    def interval(self, name: str, level: float) -> tuple[float, float]:
        """None is given."""
        return np.nan, np.nan

    def predict(
        self, x: Mapping[str, Any], level: float | None = None, kind: str = "run", model_error: bool = True
    ) -> Frame | np.ndarray:
        """Values, and a frame of them with a band where there is one."""
        logs = np.log(np.stack([np.asarray(x[name], float) for name in self.inputs]))
        mean = np.exp(_prediction(self.v, logs))
        if level is None:
            return mean
        lo, hi = self.band(logs, level, kind) if self.band else np.full((2, len(mean)), np.nan)
        return columns_frame({"mean": mean, "lo": lo, "hi": hi})


def peer(name: str, inputs: tuple[str, ...], x: np.ndarray, y: np.ndarray, key: int) -> Peer:
    """The fit of x (inputs, rows) and y by the peer of this name."""
    fit = {"scipy": _scipy, "scipy, all starts": _scipy, "lmfit": _lmfit, "optimistix": _optimistix}[name]
    v, band = fit(np.log(x), np.log(y), None if name == "scipy, all starts" else key)
    return Peer(inputs, v, _objective(v, np.log(x), np.log(y)), band)


def _terms(v: Any, logs: Any) -> list[Any]:
    """Logs of the terms for v = (log E, log A_i ..., alpha_i ...)."""
    k = len(logs)
    return [v[0] + 0 * logs[0], *(v[1 + i] - v[1 + k + i] * logs[i] for i in range(k))]


def _prediction(v: np.ndarray, logs: np.ndarray) -> np.ndarray:
    return logsumexp(np.stack(_terms(v, logs)), axis=0)


def _huber(r: Any, xp: Any = np) -> Any:
    c = xp.minimum(xp.abs(r), DELTA)
    return c * (xp.abs(r) - c / 2)


def _objective(v: np.ndarray, logs: np.ndarray, log_y: np.ndarray) -> float:
    return float(np.sum(_huber(_prediction(v, logs) - log_y)))


def _starts(k: int, most: int | None, key: int) -> np.ndarray:
    """The replication's grid, or some of it."""
    sizes, floors, powers = range(0, 26, 5), (-1, -0.5, 0, 0.5, 1), (0, 0.5, 1, 1.5, 2)
    grid = np.array(list(product(floors, *[sizes] * k, *[powers] * k)), float)
    return grid if most is None else np.random.default_rng(key).permutation(grid)[:most]


def _scipy(logs: np.ndarray, log_y: np.ndarray, key: int | None) -> tuple[np.ndarray, None]:
    """Huber's loss of log loss by L-BFGS-B, the best of many starts; numeric gradients without a key."""
    if key is None:
        starts = _starts(len(logs), None, 0)
        ends = [minimize(_objective, start, args=(logs, log_y), method="L-BFGS-B") for start in starts]
    else:
        starts = _starts(len(logs), 60, key)
        ends = [minimize(_slopes, start, args=(logs, log_y), jac=True, method="L-BFGS-B") for start in starts]
    return min(ends, key=_value).x, None


def _slopes(v: np.ndarray, logs: np.ndarray, log_y: np.ndarray) -> tuple[float, np.ndarray]:
    """The objective times 1e6 and its gradient."""
    terms = np.stack(_terms(v, logs))
    top = terms.max(axis=0)
    share = np.exp(terms - top)
    total = share.sum(axis=0)
    r = top + np.log(total) - log_y
    pull = share / total * np.clip(r, -DELTA, DELTA)
    slopes = [*pull.sum(axis=1), *(-np.sum(pull[1:] * logs, axis=1))]
    return 1e6 * float(np.sum(_huber(r))), 1e6 * np.array(slopes)


def _value(end: Any) -> float:
    return float(end.fun) if np.isfinite(end.fun) else np.inf


def _lmfit(logs: np.ndarray, log_y: np.ndarray, key: int | None) -> tuple[np.ndarray, Any]:
    import lmfit

    k, middle = len(logs), logs.mean(axis=1, keepdims=True)

    def one_input(x, v0, v1, v2):
        return _prediction(np.array([v0, v1, v2]), x - middle)

    def two_inputs(x, v0, v1, v2, v3, v4):
        return _prediction(np.array([v0, v1, v2, v3, v4]), x - middle)

    floor, height = float(np.min(log_y)), float(np.log(np.ptp(np.exp(log_y)) / k + 1e-9))
    usual = [floor - 0.1, *[height] * k, *[0.3] * k]
    one = lmfit.Model((one_input, two_inputs)[k - 1], independent_vars=["x"])
    parameters = lmfit.Parameters()
    for i, value in enumerate(usual):
        parameters.add(f"v{i}", value=value, min=0.0 if i > k else -np.inf)
    found = one.fit(log_y, parameters, x=logs)
    v = np.array([found.params[f"v{i}"].value for i in range(2 * k + 1)])
    v[1 : k + 1] += v[k + 1 :] * middle[:, 0]

    def band(at: np.ndarray, level: float, kind: str) -> np.ndarray:
        mean = _prediction(v, at)
        if found.covar is None:
            return np.full((2, len(mean)), np.nan)
        z = float(ndtri((1 + level) / 2))
        spread = np.asarray(found.eval_uncertainty(sigma=1, x=at))
        own = found.redchi if kind == "run" else 0.0
        reach = z * np.sqrt(spread**2 + own)
        return np.exp(np.stack([mean - reach, mean + reach]))

    return v, band


def _optimistix(logs: np.ndarray, log_y: np.ndarray, key: int | None) -> tuple[np.ndarray, None]:
    import jax
    import jax.numpy as jnp
    import optimistix

    k, middle = len(logs), logs.mean(axis=1, keepdims=True)
    starts = _starts(k, 64, key or 0)
    starts[:, 1 : k + 1] -= starts[:, k + 1 :] * middle[:, 0]
    with jax.enable_x64(True):
        at, goal = jnp.asarray(logs - middle), jnp.asarray(log_y)

        def cost(v, _):
            return 1e6 * jnp.sum(_huber(jax.nn.logsumexp(jnp.stack(_terms(v, at)), axis=0) - goal, jnp))

        solver: Any = optimistix.BFGS(rtol=1e-9, atol=1e-9)

        def one(v):
            end = optimistix.minimise(cost, solver, v, None, max_steps=300, throw=False).value
            return end, cost(end, None)

        ends, costs = jax.jit(jax.vmap(one))(jnp.asarray(starts))
    v = np.array(ends)[int(np.nanargmin(costs))]
    v[1 : k + 1] += v[k + 1 :] * middle[:, 0]
    return v, None
