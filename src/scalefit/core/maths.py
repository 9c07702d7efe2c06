"""Elementary functions for formulas: numpy's for numpy values, JAX's for JAX values.

A formula written with these keeps whatever precision it is given (long doubles
included) and can still be traced.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

__all__ = [
    "cumsum",
    "exp",
    "expm1",
    "log",
    "log1p",
    "maximum",
    "minimum",
    "sqrt",
    "stop_gradient",
    "tanh",
    "where",
]


def _either(name: str) -> Callable[..., Any]:
    def call(*values: Any, **options: Any) -> Any:
        return getattr(jnp if any(isinstance(v, jax.Array) for v in values) else np, name)(*values, **options)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"`{name}` of numpy or JAX values."
    return call


cumsum, exp, expm1, log, log1p, maximum, minimum, sqrt, tanh, where = map(
    _either, ("cumsum", "exp", "expm1", "log", "log1p", "maximum", "minimum", "sqrt", "tanh", "where")
)


def stop_gradient(value: Any) -> Any:
    """The value, as a constant to differentiation."""
    return jax.lax.stop_gradient(value) if isinstance(value, jax.Array) else value
