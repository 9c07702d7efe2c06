"""A small byte-level transformer: pre-norm, rotary positions, GELU, untied head, no biases."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

VOCAB = 256
WIDTH_REF = 32  # the width at which every matrix is trained with exactly the nominal learning rate

Params = dict[str, Any]


class Size(NamedTuple):
    """Shape of one model."""

    d_model: int
    n_layers: int
    n_heads: int


def n_params_no_embed(size: Size) -> int:
    """Attention (4 d^2), MLP (8 d^2) and the norm gains; neither the byte embedding nor the head."""
    d = size.d_model
    return size.n_layers * (12 * d * d + 2 * d) + d


def n_params(size: Size) -> int:
    """All parameters.  Rotary positions have none."""
    return n_params_no_embed(size) + 2 * VOCAB * size.d_model


def init(key: Array, size: Size) -> Params:
    """Normal weights of variance 1/fan_in; matrices that write to the residual start smaller."""
    d, n_layers = size.d_model, size.n_layers
    key_embed, key_head, *keys = jax.random.split(key, 2 + n_layers)
    small = (2 * n_layers) ** -0.5

    def matrix(key: Array, n_in: int, n_out: int, scale: float = 1.0) -> Array:
        return scale * n_in**-0.5 * jax.random.normal(key, (n_in, n_out))

    def layer(key: Array) -> Params:
        k = jax.random.split(key, 4)
        return {
            "norm_attn": jnp.ones(d),
            "qkv": matrix(k[0], d, 3 * d),
            "out": matrix(k[1], d, d, small),
            "norm_mlp": jnp.ones(d),
            "up": matrix(k[2], d, 4 * d),
            "down": matrix(k[3], 4 * d, d, small),
        }

    return {
        "embed": 0.5 * jax.random.normal(key_embed, (VOCAB, d)),
        "layers": [layer(k) for k in keys],
        "norm_final": jnp.ones(d),
        # A small head starts every size at the uniform loss log(256).
        "head": matrix(key_head, d, VOCAB, 0.1),
    }


def lr_multipliers(params: Params, size: Size) -> Params:
    """Factor on the learning rate per leaf: matrices and head get WIDTH_REF / d_model, the rest 1.

    Adam's step has a fixed size per entry, so a matrix of fan-in d moves its output by about lr * d;
    dividing by the width keeps the best nominal rate nearly the same at every size.
    """
    ratio = WIDTH_REF / size.d_model

    def factor(path: tuple[Any, ...], leaf: Array) -> float:
        is_embed = path[0].key == "embed"
        return 1.0 if is_embed or leaf.ndim < 2 else ratio

    return jax.tree_util.tree_map_with_path(factor, params)


def rms_norm(x: Array, gain: Array) -> Array:
    return gain * x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-6)


def rotate(x: Array) -> Array:
    """Rotary positions for x of shape (batch, time, heads, d_head)."""
    n_time, half = x.shape[1], x.shape[-1] // 2
    frequency = 1000.0 ** (-jnp.arange(half) / half)
    angle = jnp.arange(n_time)[:, None] * frequency
    cos, sin = jnp.cos(angle)[:, None, :], jnp.sin(angle)[:, None, :]
    a, b = x[..., :half], x[..., half:]
    return jnp.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1)


def attention(layer: Params, x: Array, n_heads: int, n_time: int) -> Array:
    """Causal multi-head self-attention on x of shape (batch * time, d_model)."""
    d = x.shape[-1]
    qkv = (x @ layer["qkv"]).reshape(-1, n_time, 3, n_heads, d // n_heads)
    q, k, v = rotate(qkv[:, :, 0]), rotate(qkv[:, :, 1]), qkv[:, :, 2]
    scores = jnp.einsum("bthc,bshc->bhts", q * (d // n_heads) ** -0.5, k)
    causal = jnp.where(jnp.tril(jnp.ones((n_time, n_time), bool)), 0.0, -1e9)
    weights = jax.nn.softmax(scores + causal, axis=-1)
    mixed = jnp.einsum("bhts,bshc->bthc", weights, v)
    return mixed.reshape(-1, d) @ layer["out"]


def logits(params: Params, inputs: Array, size: Size) -> Array:
    """Next-byte logits, shape (batch, time, 256)."""
    n_batch, n_time = inputs.shape
    # Two-dimensional activations: on a CPU the gradients of three-dimensional ones cost extra copies.
    x = params["embed"][inputs.reshape(-1)]
    for layer in params["layers"]:
        x = x + attention(layer, rms_norm(x, layer["norm_attn"]), size.n_heads, n_time)
        x = x + jax.nn.gelu(rms_norm(x, layer["norm_mlp"]) @ layer["up"]) @ layer["down"]
    return (rms_norm(x, params["norm_final"]) @ params["head"]).reshape(n_batch, n_time, VOCAB)


def sequence_losses(params: Params, rows: Array, size: Size) -> Array:
    """Mean cross-entropy in nats per byte of each row of bytes, shape (batch,)."""
    rows = rows.astype(jnp.int32)
    inputs, targets = rows[:, :-1], rows[:, 1:]
    z = logits(params, inputs, size)
    picked = jnp.take_along_axis(z, targets[..., None], axis=-1)[..., 0]
    return jnp.mean(jax.nn.logsumexp(z, axis=-1) - picked, axis=-1)
