"""What a law declares of its inputs and coefficients: units, supports, usual values, where searches begin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scalefit.arguments import flat
from scalefit.core.compose import arguments
from scalefit.core.support import REAL, Support
from scalefit.words import short

__all__ = ["ALLOWED", "Coef", "Input"]

# Values a coefficient of a user's law is searched over when nothing else is said: signs and magnitudes
# between 1e-4 and 1e3 for a real one, the same magnitudes for a positive one.
_MAGNITUDES = tuple(10.0**k for k in range(-4, 4))

# What an input may be: the least and the greatest value. Labels say which rows belong together, curves
# likewise for laws that look at a whole curve of steps at once.
ALLOWED = {
    "positive": (np.nextafter(0.0, 1.0), np.inf),
    "not negative": (0.0, np.inf),
    "between 0 and 1": (0.0, 1.0),
    "at least 0 and below 1": (0.0, np.nextafter(1.0, 0.0)),
    "a number": (-np.inf, np.inf),
    "a label": (-np.inf, np.inf),
    "a curve": (-np.inf, np.inf),
}


@dataclass(frozen=True)
class Input:
    """One input of a law: its unit, a usual range, which values are allowed, usual names of its column.

    each: for inputs that come as a list (shares of domains): what there is one of per entry; see `over`.
    scales: whether the unit is arbitrary, as for counts; False for bits, shares, streams.
    labels: the known values of a label.
    counting: for parameters, which they are ("total", "non-embedding", "active"), where the law is of those.
    setting: for what is known and may be the same in every run, such as a chance level: its value where
        nothing says it.
    """

    unit: str
    typical: tuple[float, float] = (1e7, 1e11)
    allowed: str = "positive"
    aliases: tuple[str, ...] = ()
    each: str = ""
    scales: bool = True
    labels: tuple[Any, ...] = ()
    counting: str | None = None
    setting: float | None = None


@dataclass(frozen=True)
class Coef:
    """One coefficient, in natural units.

    start: values between which fits begin, smallest first, in multiples of `unit` (only needed where the
        coefficient does not enter linearly: those that do are solved for).
    unit: the size one would expect, from the typical inputs, the typical output `y` and other coefficients,
        named as arguments: `lambda y, N, alpha: y * N**alpha`. It makes starts independent of units.
    typical: a plausible range; feeds random tests, axis ranges and the "implausible" warning.
    each: for coefficients that come as a list: what there is one of per entry; see `over`.
    end: for an end of the law that runs may not reach, a floor or a ceiling: where to hold it if they do not
        tell it, from the least values of inputs and output and from other coefficients, as in `unit`.
    """

    name: str
    support: Support = REAL
    start: tuple[float, ...] = field(default=(), compare=False)
    typical: tuple[float, float] = field(default=(0.1, 10.0), compare=False)
    meaning: str = field(default="", compare=False)
    unit: Callable[..., Any] | None = field(default=None, compare=False)
    each: str = field(default="", compare=False)
    end: Callable[..., Any] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise TypeError(f"a coefficient's name must be a text, got {short(self.name)}")
        if not isinstance(self.support, Support):
            wanted = "sf.POSITIVE, sf.REAL, sf.UNIT or sf.interval(lo, hi)"
            raise TypeError(f"the support of {short(self.name)} must be {wanted}, got {short(self.support)}")
        starts = flat(self.start)
        if not isinstance(self.start, tuple) or not all(v is not None and np.isfinite(v) for v in starts):
            raise ValueError(
                f"start of {short(self.name)} must be a tuple of numbers, got {short(self.start)}"
            )

    def size(self, known: Mapping[str, Any]) -> Any:
        """The value of `unit`, given inputs, `y` and other coefficients by name; 1 where it has none."""
        return 1.0 if self.unit is None else self.unit(**{name: known[name] for name in arguments(self.unit)})

    @property
    def starts(self) -> tuple[float, ...]:
        """`start`, or magnitudes between 1e-4 and 1e3 that lie in the support."""
        if self.start:
            return self.start
        if self.support.lo > -np.inf and self.support.hi < np.inf:
            return tuple(self.support.lo + (self.support.hi - self.support.lo) * q for q in (0.05, 0.5, 0.95))
        signed = (*(-m for m in reversed(_MAGNITUDES)), *_MAGNITUDES)
        return tuple(value for value in signed if value in self.support)
