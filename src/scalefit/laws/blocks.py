"""The small pure functions that laws are made of; each is one line of a printed formula.

Maps turn an input into an effective one, links turn a loss into another quantity, and a few sums and products
recur. All take numbers, numpy or JAX arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scalefit.core.formula import block
from scalefit.core.maths import exp, expm1, log, log1p, maximum

__all__ = ["dot", "experts", "logistic", "repeated", "saturated", "smooth_break", "softplus"]


def dot(weights: Sequence[Any], x: Sequence[Any]) -> Any:
    """sum_i w_i x_i over two lists."""
    return sum(w * v for w, v in zip(weights, x, strict=True))


@block(r"\log\left(1 + e^{{{0}}}\right)")
def softplus(z: Any) -> Any:
    """log(1 + e^z), without overflow."""
    return maximum(z, 0.0) + log1p(exp(-abs(z)))


@block(r"\frac{{1}}{{1 + e^{{-{0}}}}}")
def logistic(z: Any) -> Any:
    """1 / (1 + e^-z), without overflow."""
    return exp(-softplus(-z))


@block(r"\left(1 + \left(\frac{{{0}}}{{{1}}}\right)^{{1/{3}}}\right)^{{-{2} {3}}}")
def smooth_break(x: Any, d: Any, c: Any, f: Any) -> Any:
    """(1 + (x/d)^(1/f))^(-c f): 1 below d, (x/d)^-c above it, over about f decades (arXiv:2210.14891)."""
    return exp(-c * f * softplus(log(x / d) / f))


@block(r"1 - e^{{-{0}/{1}}}")
def saturated(P: Any, g: Any) -> Any:
    """1 - exp(-P/g): the share of its capacity that a number keeps in P bits (arXiv:2411.04330)."""
    return -expm1(-P / g)


@block(r"{0} \left(1 + {2} \left(1 - e^{{-\max({1}/{0} - 1,\, 0)/{2}}}\right)\right)")
def repeated(U: Any, x: Any, R_star: Any) -> Any:
    """U (1 + R* (1 - exp(-R/R*))), R = max(x/U - 1, 0): what x is worth when only U of it is new (arXiv:2305.16264)."""
    R = maximum(x / U - 1, 0.0)
    return U * (1 - R_star * expm1(-R / R_star))


@block(r"\hat E\left({0}; {1}, {2}\right)")
def experts(E_x: Any, E_s: Any, E_m: Any) -> Any:
    """1/Ehat = 1/(E_x - 1 + (1/E_s - 1/E_m)^-1) + 1/E_m: E_s at one expert, E_m at many (arXiv:2202.01169)."""
    return 1 / (1 / (E_x - 1 + 1 / (1 / E_s - 1 / E_m)) + 1 / E_m)
