"""Coefficients that recur with one meaning: floors, exponents, amplitudes; each declared once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scalefit.core.law import Coef
from scalefit.core.support import POSITIVE, REAL

__all__ = ["amplitude", "floor", "real", "slope"]


def output(y: Any) -> Any:
    """The unit of a coefficient that is of the size of what the law predicts."""
    return y


def floor(name: str = "E", meaning: str = "irreducible loss, nats per token", typical=(0.5, 3.0)) -> Coef:
    """An additive floor in the units of the output."""
    return Coef(name, POSITIVE, typical=typical, meaning=meaning, unit=output)


def slope(
    name: str, meaning: str, start=(0.02, 0.1, 0.3, 0.7, 2.0), typical=(0.1, 0.8), each: str = ""
) -> Coef:
    """A positive exponent."""
    return Coef(name, POSITIVE, start, typical, meaning, each=each)


def real(
    name: str, meaning: str, start=(-1.0, -0.3, 0.0, 0.3, 1.0), typical=(-1.0, 1.0), each: str = ""
) -> Coef:
    """An exponent or slope of either sign."""
    return Coef(name, REAL, start, typical, meaning, each=each)


def amplitude(
    name: str,
    meaning: str,
    unit: Callable[..., Any],
    typical=(10.0, 1e5),
    start=(0.02, 0.2, 0.6, 1.0),
    each: str = "",
) -> Coef:
    """A positive factor; `unit` says its size at usual inputs (starts are only
    used where it is not linear)."""
    return Coef(name, POSITIVE, start, typical, meaning, unit, each)
