"""Other packages' fits of L = E + sum_i A_i / x_i^alpha_i, as their users write them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any
from warnings import catch_warnings, simplefilter

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
    "chinchilla package": ("chinchilla", "its grid search by BFGS, 32 starts; N and D; no interval"),
    "simple-scaling-laws": ("simple-scaling-laws", "squares by its own search, 200 resamples; Python 3.12"),
}
DELTA = 1e-3
# How the coefficients of one or two inputs are called.
NAMES = {1: ("E", "A", "alpha"), 2: ("E", "A", "B", "alpha", "beta")}


@dataclass(frozen=True)
class Peer:
    """What a fit of ours is asked: coefficients, objective, predictions.

    told: what the package itself says of (log inputs, level, kind): the logs of mean, lo and hi.
    """

    inputs: tuple[str, ...]
    v: np.ndarray
    value: float
    told: Any = None

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
        if self.told is None:
            mean = _prediction(self.v, logs)
            lo, hi = np.full((2, len(mean)), np.nan)
        else:
            mean, lo, hi = self.told(logs, level or 0.9, kind)
        ends = {"mean": np.exp(mean), "lo": np.exp(lo), "hi": np.exp(hi)}
        return ends["mean"] if level is None else columns_frame(ends)


def peer(name: str, inputs: tuple[str, ...], x: np.ndarray, y: np.ndarray, key: int) -> Peer:
    """The fit of x (inputs, rows) and y by the peer of this name."""
    fit = {
        "scipy": _scipy,
        "scipy, all starts": _scipy,
        "lmfit": _lmfit,
        "optimistix": _optimistix,
        "chinchilla package": _chinchilla,
        "simple-scaling-laws": _simple,
    }[name]
    v, told = fit(np.log(x), np.log(y), None if name == "scipy, all starts" else key)
    return Peer(inputs, v, _objective(v, np.log(x), np.log(y)), told)


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

    def told(at: np.ndarray, level: float, kind: str) -> np.ndarray:
        mean = _prediction(v, at)
        if found.covar is None:
            return np.stack([mean, *np.full((2, len(mean)), np.nan)])
        z = float(ndtri((1 + level) / 2))
        spread = np.asarray(found.eval_uncertainty(sigma=1, x=at))
        own = found.redchi if kind == "run" else 0.0
        reach = z * np.sqrt(spread**2 + own)
        return np.stack([mean, mean - reach, mean + reach])

    return v, told


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


def _chinchilla(logs: np.ndarray, log_y: np.ndarray, key: int | None) -> tuple[np.ndarray, None]:
    """Its own search with the replication's loss; the package takes N and D only."""
    import tempfile
    from multiprocessing import dummy
    from unittest.mock import patch

    from chinchilla import Chinchilla

    def loss(y: Any, predicted: Any) -> Any:
        return _huber(np.log(predicted) - np.log(y))

    (N, D), y = np.exp(logs), np.exp(log_y)
    grid = {"e": [-0.5, 0.5], "a": [0, 10], "b": [0, 10], "alpha": [0.25, 1.0], "beta": [0.25, 1.0]}
    # It makes a pool even where it does not use it, and a process that runs JAX must not fork.
    threads = patch("chinchilla.core.multiprocessing", dummy)
    with tempfile.TemporaryDirectory() as folder, np.errstate(all="ignore"), threads:
        one = Chinchilla(folder, param_grid=grid, seed_ranges={}, loss_fn=loss, log_level=60)
        one.database.df = columns_frame({"C": 6 * N * D, "N": N, "D": D, "loss": y})
        one.fit(parallel=False)
        values = np.array([one.E, one.A, one.B, one.alpha, one.beta], float)
    return np.append(np.log(values[:3]), values[3:]), None


def _simple(logs: np.ndarray, log_y: np.ndarray, key: int | None) -> tuple[np.ndarray, Any]:
    """Its own search, and its own intervals from 200 resamples."""
    from simple_scaling_laws import fit

    k, n, y = len(logs), len(log_y), "test_loss__y"
    names = ("model_size__0", "dataset_size__1")[:k]
    inputs = {name: np.exp(each) for name, each in zip(names, logs, strict=True)}
    runs = {"training_run_id": [str(i) for i in range(n)], **inputs, y: np.exp(log_y)}
    model = fit(columns_frame(runs), law="separable-power", n_draws=200, seed=key or 0)
    E, *rest = (model.params(y)[name] for name in ("E", "A", "alpha", "B", "beta")[: 2 * k + 1])
    heights, powers = np.array(rest[::2]), np.array(rest[1::2])
    units = np.log([model.observed_domain[name]["reference"] for name in names])
    with np.errstate(divide="ignore"):
        v = np.concatenate([np.log([E]), np.log(heights) + powers * units, powers])

    def told(at: np.ndarray, level: float, kind: str) -> np.ndarray:
        points = {name: np.exp(each) for name, each in zip(names, at, strict=True)}
        ends = ((1 - level) / 2, 0.5, (1 + level) / 2)
        with catch_warnings():
            # That points lie outside the runs is what is asked here.
            simplefilter("ignore")
            found = model.predict(
                points, "new-run" if kind == "run" else "mean", quantiles=ends, seed=key or 0
            )
        columns = [found[name].to_numpy() for name in found.columns if name.startswith(y)]
        lo, mean, hi = np.log(np.maximum(columns, 1e-300))
        return np.stack([mean, lo, hi])

    return v, told
