"""Where a coefficient may lie, and the map between that interval and the real line."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from scalefit.arguments import number
from scalefit.words import short

__all__ = ["POSITIVE", "REAL", "UNIT", "Support", "interval"]


@dataclass(frozen=True)
class Support:
    """The open interval (lo, hi); descents work on the real line and never leave it."""

    lo: float = -math.inf
    hi: float = math.inf

    def __post_init__(self) -> None:
        if not self.lo < self.hi:
            raise ValueError(f"a support needs lo < hi, got ({self.lo}, {self.hi})")

    def from_real(self, u: Any, xp: Any = jnp) -> Any:
        """Real line -> interval: exp where one side is bounded, logistic where both are."""
        if self == REAL:
            return u
        if math.isinf(self.hi):
            return self.lo + xp.exp(u)
        if math.isinf(self.lo):
            return self.hi - xp.exp(u)
        return self.lo + (self.hi - self.lo) / (1 + xp.exp(-u))

    def inside(self, u: Any) -> float:
        """`from_real` as a number strictly inside the interval, where rounding would put it on a bound."""
        value = float(self.from_real(u, xp=np))
        return min(max(value, math.nextafter(self.lo, math.inf)), math.nextafter(self.hi, -math.inf))

    def to_real(self, value: Any, xp: Any = np) -> Any:
        """Interval -> real line, the inverse of `from_real`."""
        if self == REAL:
            return value
        if math.isinf(self.hi):
            return xp.log(value - self.lo)
        if math.isinf(self.lo):
            return xp.log(self.hi - value)
        return xp.log(value - self.lo) - xp.log(self.hi - value)

    def slope(self, value: Any) -> Any:
        """d value / d u at `value` (numpy): turns a step on the real line into one in natural units."""
        if self == REAL:
            return np.ones_like(value)
        if math.isinf(self.hi):
            return value - self.lo
        if math.isinf(self.lo):
            return value - self.hi
        return (value - self.lo) * (self.hi - value) / (self.hi - self.lo)

    def __contains__(self, value: float) -> bool:
        return self.lo < value < self.hi

    def __str__(self) -> str:
        return {REAL: "real", POSITIVE: "positive"}.get(self, f"({self.lo:g}, {self.hi:g})")


REAL = Support()
POSITIVE = Support(lo=0.0)
UNIT = Support(0.0, 1.0)


def interval(lo: float, hi: float) -> Support:
    """The open interval (lo, hi); either side may be infinite.

    Args:
        lo: the lower end.
        hi: the upper end, above `lo`.

    Returns:
        The interval, for `sf.Coef(name, support)`.

    Raises:
        ValueError: unless lo < hi.

    Example:
        >>> 0.5 in sf.interval(0, 1), 1.0 in sf.interval(0, 1)
        (True, False)
    """
    ends = number(lo), number(hi)
    if None in ends:
        raise ValueError(f"an interval needs two numbers, lo < hi, got {short((lo, hi))}")
    return Support(*ends)  # type: ignore[arg-type]
