"""The small pure functions that laws are made of; each is one line of a printed formula.

Maps turn an input into an effective one, links turn a loss into another quantity, and a few sums and products
recur. All take numbers, numpy or JAX arrays.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import reduce
from operator import add
from typing import Any

from scalefit.core.formula import block
from scalefit.core.maths import exp, expm1, log, log1p, maximum, minimum, tanh

__all__ = [
    "capacity",
    "dot",
    "experts",
    "log10",
    "log2",
    "logistic",
    "power_of_dot",
    "reciprocal_power_sum",
    "repeated",
    "saturated",
    "smooth_break",
    "softplus",
    "tokens_per_character",
]


def _total(terms: Iterable[Any]) -> Any:
    """Their sum, without the 0 that Python's begins with (it would be printed)."""
    return reduce(add, terms)


def dot(weights: Sequence[Any], x: Sequence[Any]) -> Any:
    """sum_i w_i x_i over two lists."""
    return _total(w * v for w, v in zip(weights, x, strict=True))


def power_of_dot(h: Sequence[Any], C: Sequence[Any], g: Any) -> Any:
    """(sum_i C_i h_i)^g over shares of domains (arXiv:2507.09404)."""
    return dot(C, h) ** g


def reciprocal_power_sum(h: Sequence[Any], C: Sequence[Any], g: Sequence[Any]) -> Any:
    """1 / sum_i C_i h_i^g_i over shares of domains (arXiv:2507.09404)."""
    return 1 / _total(C_i * h_i**g_i for h_i, C_i, g_i in zip(h, C, g, strict=True))


@block(r"\log\left(1 + e^{{{0:plain}}}\right)")
def softplus(z: Any) -> Any:
    """log(1 + e^z), without overflow."""
    return maximum(z, 0.0) + log1p(exp(-abs(z)))


@block(r"\frac{{1}}{{1 + e^{{-{0}}}}}")
def logistic(z: Any) -> Any:
    """1 / (1 + e^-z), without overflow."""
    return exp(-softplus(-z))


@block(r"\left(1 + \left(\frac{{{0:plain}}}{{{1:plain}}}\right)^{{1/{3}}}\right)^{{-{2} {3}}}")
def smooth_break(x: Any, d: Any, c: Any, f: Any) -> Any:
    """(1 + (x/d)^(1/f))^(-c f): 1 below d, (x/d)^-c above it, over about f decades (arXiv:2210.14891)."""
    return exp(-c * f * softplus(log(x / d) / f))


@block(r"\max\left(1 - e^{{{2:plain} - {0}/{1}}},\, 0\right)")
def saturated(P: Any, g: Any, n: Any) -> Any:
    """1 - exp(n - P/g): the share of its capacity that a number keeps in P bits, none at n g bits and fewer
    (arXiv:2411.04330)."""
    # A trace is left, so that powers of what is kept stay finite.
    return maximum(-expm1(n - P / g), 1e-9)


@block(r"{0} \left(1 + {2} \left(1 - e^{{-\max({1}/{0} - 1,\, 0)/{2}}}\right)\right)")
def repeated(U: Any, x: Any, R_star: Any) -> Any:
    """U (1 + R* (1 - exp(-R/R*))), R = max(x/U - 1, 0):
    what x is worth when only U of it is new (arXiv:2305.16264)."""
    R = maximum(x / U - 1, 0.0)
    return U * (1 - R_star * expm1(-R / R_star))


@block(r"\hat E\left({0:plain}; {1:plain}, {2:plain}\right)")
def experts(E_x: Any, E_s: Any, E_m: Any) -> Any:
    """1/Ehat = 1/(E_x - 1 + (1/E_s - 1/E_m)^-1) + 1/E_m: E_s at one expert, E_m at many (arXiv:2202.01169).

    Solved for Ehat, so that it has no pole: with E_m <= E_s more experts are worth nothing, Ehat = E_s.
    """
    added = (E_x - 1) * maximum(1 - E_s / E_m, 0.0)
    return (added + E_s) / (1 + added / E_m)


@block(r"\tanh\left({1} \log_{{1/4}} {0}\right)^{{{2}}}")
def capacity(g: Any, F: Any, C_r: Any) -> Any:
    """tanh(F log_{1/4} g)^C_r: the share of its capacity a number keeps at
    squared error g (arXiv:2506.01863)."""
    return tanh(-F / math.log(4) * log(maximum(g, 1e-30))) ** C_r


@block(r"\log_{{2}} {0}")
def log2(x: Any) -> Any:
    """The logarithm to base 2."""
    return log(x) / math.log(2)


@block(r"\log_{{10}} {0}")
def log10(x: Any) -> Any:
    """The logarithm to base 10."""
    return log(x) / math.log(10)


@block(r"f\left({0:plain}\right)")
def tokens_per_character(V: Any) -> Any:
    """f(V) = 0.00639222 ln^2 V - 0.15811069 ln V + 1.20470122, V up to 200 000 entries (arXiv:2407.13623)."""
    log_V = log(minimum(V, 2e5))
    return 0.00639222 * log_V**2 - 0.15811069 * log_V + 1.20470122
