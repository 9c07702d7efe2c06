"""Training: schedules, Adam, and a loop over fixed blocks of steps that records a curve."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from corpus import N_EVAL_CURVE, Corpus
from jax import Array
from model import Params, Size, init, lr_multipliers, sequence_losses

BLOCK = 10  # steps per compiled block; runs, branch points and curve points are multiples of it
WARMUP_STEPS = 40
BETA_1, BETA_2, ADAM_EPS, CLIP = 0.9, 0.99, 1e-8, 1.0
EVAL_ROWS = 32


class State(NamedTuple):
    """Parameters and Adam's moments."""

    params: Params
    m: Params
    v: Params


class Point(NamedTuple):
    """One row of a curve; `lr` is the rate used by update number `step`."""

    step: int
    lr: float
    train_loss: float
    loss: float


class Schedule(NamedTuple):
    """A learning rate: linear warmup to `peak`, flat up to `decay_start`, then `kind` up to `n_steps`.

    `floor` is the final rate as a fraction of the peak.  For `two_stage` the rate drops to
    `floor * peak` right after `decay_start`.
    """

    kind: str  # "constant", "cooldown" (linear to zero), "linear", "cosine" or "two_stage"
    peak: float
    n_steps: int
    decay_start: int
    floor: float

    def __call__(self, step: np.ndarray) -> np.ndarray:
        """Rate of update number `step`, counted from 1."""
        span = max(self.n_steps - self.decay_start, 1)
        u = np.clip((step - self.decay_start) / span, 0.0, 1.0)
        shape = {
            "constant": np.zeros_like(u),
            "cooldown": u,
            "linear": u,
            "cosine": 0.5 - 0.5 * np.cos(np.pi * u),
            "two_stage": (u > 0).astype(float),
        }[self.kind]
        warmup = np.minimum(step / WARMUP_STEPS, 1.0)
        return self.peak * warmup * (1 - (1 - self.floor) * shape)


def init_state(seed: int, size: Size) -> State:
    params = init(jax.random.fold_in(jax.random.key(seed), 0), size)
    zeros = jax.tree.map(jnp.zeros_like, params)
    return State(params, zeros, zeros)


def data_order(seed: int, n_rows: int) -> np.ndarray:
    """The order in which a run with this seed sees the training rows; no row is seen twice."""
    key = jax.random.fold_in(jax.random.key(seed), 1)
    return np.asarray(jax.random.permutation(key, n_rows))


def adam_step(state: State, rows: Array, step: Array, lr: Array, size: Size) -> tuple[State, Array]:
    """One clipped Adam update; `step` counts from 1."""

    def mean_loss(params: Params) -> Array:
        return jnp.mean(sequence_losses(params, rows, size))

    loss, grads = jax.value_and_grad(mean_loss)(state.params)
    norm = jnp.sqrt(sum(jnp.sum(g * g) for g in jax.tree.leaves(grads)))
    clip = jnp.minimum(1.0, CLIP / (norm + 1e-12))
    m = jax.tree.map(lambda m, g: BETA_1 * m + (1 - BETA_1) * clip * g, state.m, grads)
    v = jax.tree.map(lambda v, g: BETA_2 * v + (1 - BETA_2) * (clip * g) ** 2, state.v, grads)
    m_scale, v_scale = 1 / (1 - BETA_1**step), 1 / (1 - BETA_2**step)
    params = jax.tree.map(
        lambda p, m, v, f: p - f * lr * m * m_scale / (jnp.sqrt(v * v_scale) + ADAM_EPS),
        state.params,
        m,
        v,
        lr_multipliers(state.params, size),
    )
    return State(params, m, v), loss


@partial(jax.jit, static_argnames="size")
def train_block(state: State, rows: Array, steps: Array, lrs: Array, size: Size) -> tuple[State, Array]:
    """Several updates in one compiled loop; returns the batch losses before each update."""

    def body(state: State, xs: tuple[Array, Array, Array]) -> tuple[State, Array]:
        return adam_step(state, *xs, size)

    return jax.lax.scan(body, state, (rows, steps, lrs))


@partial(jax.jit, static_argnames="size")
def held_out_losses(params: Params, rows: Array, size: Size) -> Array:
    """Loss of every held-out row, in batches small enough to stay in cache."""
    blocks = rows.reshape(-1, EVAL_ROWS, rows.shape[-1])
    return jax.lax.map(lambda block: sequence_losses(params, block, size), blocks).reshape(-1)


def curve_loss(params: Params, corpus: Corpus, size: Size) -> float:
    return float(jnp.mean(held_out_losses(params, corpus.held_out[:N_EVAL_CURVE], size)))


def final_loss(params: Params, corpus: Corpus, size: Size) -> tuple[float, float]:
    """Held-out loss on the whole sample and its standard error over rows."""
    losses = np.asarray(held_out_losses(params, corpus.held_out, size), dtype=float)
    return float(losses.mean()), float(losses.std(ddof=1) / len(losses) ** 0.5)


def advance(
    state: State,
    start: int,
    stop: int,
    schedule: Schedule,
    points: set[int],
    corpus: Corpus,
    order: np.ndarray,
    size: Size,
    batch_rows: int,
    save: Callable[[State, int, list[Point]], Any] = lambda *_: None,
) -> tuple[State, list[Point]]:
    """Run updates start + 1 ... stop, evaluating after each step in `points` and after `stop`."""
    curve: list[Point] = []
    waiting: list[Array] = []
    at = start
    while at < stop:
        # Single steps where a curve point does not fall on a block boundary (a step drop).
        n = BLOCK if not any(p in points for p in range(at + 1, min(at + BLOCK, stop))) else 1
        n = min(n, stop - at)
        steps = np.arange(at + 1, at + n + 1)
        lrs = schedule(steps)
        index = order[at * batch_rows : (at + n) * batch_rows]
        rows = corpus.train[index].reshape(n, batch_rows, -1)
        state, losses = train_block(state, rows, steps.astype(np.float32), lrs.astype(np.float32), size)
        waiting.append(losses)
        at += n
        if at in points or at == stop:
            train_loss = float(np.mean(np.concatenate([np.asarray(x) for x in waiting])))
            waiting = []
            curve.append(Point(at, float(lrs[-1]), train_loss, curve_loss(state.params, corpus, size)))
            save(state, at, curve)
    return state, curve
