"""What a fit minimises: a weighted sum of rho(residual), on log or linear residuals.

Every objective is one formula; its first and second derivatives come from automatic differentiation.
`width` is the residual at which rho turns from quadratic to linear. The engine starts wide and shrinks
it to its final value, which is how the absolute value (width -> 0) is reached through smooth problems.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from scalefit.arguments import check_choice, number, one_positive
from scalefit.core.maths import exp, log1p, minimum, where
from scalefit.words import short

__all__ = ["Objective", "absolute", "asymmetric", "huber", "log_cosh", "square"]

# The absolute value is minimised as a Huber function this much narrower than the residuals' own scale.
SHARPEST = 1e-9


def _huber(r, width):
    c = minimum(abs(r), width)
    return c * (abs(r) - c / 2)


def _absolute(r, width):
    return _huber(r, width) / width


def _square(r, width):
    return r * r + 0 * width


def _log_cosh(r, width):
    z = abs(r) / width
    return width * (abs(r) + width * (log1p(exp(-2 * z)) - np.log(2.0)))


@dataclass(frozen=True)
class _Asymmetric:
    share: float

    def __call__(self, r, width):
        return 2 * where(r > 0, self.share, 1 - self.share) * _huber(r, width)


@dataclass(frozen=True)
class Objective:
    """sum_i w_i rho(r_i), with r = log(prediction) - log(y) or prediction - y.

    `width` is delta for the objectives that have one, 0 for the absolute value, infinite for squares.
    """

    name: str
    rho: Callable[..., Any]
    space: str
    width: float
    # A row beyond the width has slope but no curvature. This share of slope / residual stands in for it: a
    # little keeps Newton's matrix regular far from the end; all of it (iterated reweighting) is what |r|
    # needs, whose curvature is nothing but kinks.
    secant: float = 0.01

    def __post_init__(self) -> None:
        check_choice(self.space, "space", ("log", "linear"))
        if not self.width >= 0:
            raise ValueError(f"delta must be positive, got {self.width}")

    def residual(self, prediction: Any, y: Any) -> Any:
        """log(prediction) - log(y), or prediction - y (numpy)."""
        return np.log(prediction) - np.log(y) if self.space == "log" else prediction - y

    def __str__(self) -> str:
        delta = f"({self.width:g})" if 0 < self.width < np.inf else ""
        return f"{self.name}{delta} on {self.space} residuals"


def huber(delta: float = 1e-3, space: str = "log") -> Objective:
    """The Huber function of residuals: squares near zero, sizes beyond delta.

    rho(r) = r^2/2 where |r| <= delta, delta (|r| - delta/2) beyond: the field's usual choice (delta 1e-3,
    log).

    Args:
        delta: the residual at which it turns from one into the other.
        space: "log" for r = log(prediction) - log(y), "linear" for r = prediction - y.

    Returns:
        The objective, for `sf.fit(..., objective=...)`.

    Raises:
        ValueError: for a delta that is not one positive number, or an unknown space.

    Example:
        >>> print(sf.huber())
        huber(0.001) on log residuals
    """
    return Objective("huber", _huber, space, one_positive("delta", delta))


def square(space: str = "log") -> Objective:
    """Squares of residuals: least squares.

    rho(r) = r^2; the value is the residual sum of squares.

    Args:
        space: "log" for r = log(prediction) - log(y), "linear" for r = prediction - y.

    Returns:
        The objective, for `sf.fit(..., objective=...)`.

    Raises:
        ValueError: for an unknown space.

    Example:
        >>> print(sf.square(space="linear"))
        square on linear residuals
    """
    return Objective("square", _square, space, np.inf)


def absolute(space: str = "log") -> Objective:
    """Sizes of residuals: least absolute deviations.

    rho(r) = |r|, the limit of `huber(delta) / delta` for delta -> 0.

    Args:
        space: "log" for r = log(prediction) - log(y), "linear" for r = prediction - y.

    Returns:
        The objective, for `sf.fit(..., objective=...)`.

    Raises:
        ValueError: for an unknown space.

    Example:
        >>> print(sf.absolute())
        absolute on log residuals
    """
    return Objective("absolute", _absolute, space, 0.0, secant=1.0)


def log_cosh(delta: float = 1e-3, space: str = "log") -> Objective:
    """A Huber function without a kink in its curvature.

    rho(r) = delta^2 log cosh(r / delta).

    Args:
        delta: the residual about which it turns from squares into sizes.
        space: "log" for r = log(prediction) - log(y), "linear" for r = prediction - y.

    Returns:
        The objective, for `sf.fit(..., objective=...)`.

    Raises:
        ValueError: for a delta that is not one positive number, or an unknown space.

    Example:
        >>> print(sf.log_cosh(0.01))
        log_cosh(0.01) on log residuals
    """
    return Objective("log_cosh", _log_cosh, space, one_positive("delta", delta))


def asymmetric(share: float = 0.8, delta: float = 1e-3, space: str = "log") -> Objective:
    """Huber with weight 2 share above the data and 2 (1 - share) below.

    r > 0 means the law predicts more than was measured. With share > 1/2 the curve settles towards the lower
    edge of the runs: for sweeps in which under-tuned runs lie above what the law describes.

    Args:
        share: of the weight on predictions above the data, between 0 and 1.
        delta: as in `huber`.
        space: "log" for r = log(prediction) - log(y), "linear" for r = prediction - y.

    Returns:
        The objective, for `sf.fit(..., objective=...)`.

    Raises:
        ValueError: for a share outside 0 to 1, a delta that is not one positive number, or an unknown space.

    Example:
        >>> print(sf.asymmetric(0.9))
        asymmetric[0.9](0.001) on log residuals
    """
    value = number(share)
    if value is None or not 0 < value < 1:
        raise ValueError(f"share must lie between 0 and 1, got {short(share)}")
    return Objective(f"asymmetric[{value:g}]", _Asymmetric(value), space, one_positive("delta", delta))
