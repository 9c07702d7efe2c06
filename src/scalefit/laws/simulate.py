"""Synthetic runs from a law: usual coefficients, settings spread over its usual inputs, noise on the output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scalefit.core.law import Law
from scalefit.core.starts import even

__all__ = ["design", "simulate", "usual"]


def simulate(law: Law, coefs: Mapping[str, float] | None = None, x: Mapping[str, Any] | None = None, *,
             n: int = 60, noise: float = 0.003, key: int = 0) -> dict[str, np.ndarray]:  # fmt: skip
    """n runs as a dict of columns: the law's inputs and "y".

    coefs: `usual(law)` unless given; x: `design(law, n)` unless given. noise: the standard deviation of log y, or,
    for accuracies and changes, of y. The same key gives the same runs.
    """
    x = design(law, n) if x is None else {name: np.asarray(x[name], float) for name in law.inputs}
    y = np.asarray(law(usual(law) if coefs is None else coefs, x), float)
    error = noise * np.random.default_rng(key).standard_normal(y.shape)
    return {**x, "y": y + error if law.predicts in ("accuracy", "change") else y * np.exp(error)}


def usual(law: Law) -> dict[str, float]:
    """A plausible set of coefficients: the first published one, or the middle of the typical ranges."""
    for values in law.published.values():
        return dict(values)
    return {c.name: float(_between(0.5, *c.typical)) for c in law.coefs}


def design(law: Law, n: int = 60, beyond: float = 0.0) -> dict[str, np.ndarray]:
    """n settings of the law's inputs, spread evenly over their usual ranges and `beyond` decades more on either side.

    Shares of domains sum to one. A law of whole curves gets three curves of n rows each: under a constant rate, a
    cosine, and a drop to a third.
    """
    if law.whole:
        return _curves(law, n)
    x = {}
    for name, share in zip(law.inputs, even(n, len(law.inputs)).T, strict=True):
        known = law.domain[name]
        lo, hi = known.typical
        # Positive inputs that span decades may lie beyond them; bits, shares and streams may not.
        spans = known.allowed in ("positive", "not negative") and lo > 0 and hi / lo >= 100
        wide = 10.0**beyond if known.scales or spans else 1.0
        x[name] = np.round(share) if known.allowed == "a label" else _between(share, lo / wide, hi * wide)
    shares = [
        name for name in law.inputs if law.domain[name].each and law.domain[name].unit.startswith("share")
    ]
    total = sum(x[name] for name in shares)
    return x | {name: x[name] / total for name in shares}


def _curves(law: Law, n: int) -> dict[str, np.ndarray]:
    step = np.linspace(0, 20_000, n + 1)[1:].round()
    share = step / step[-1]
    cosine = 3e-5 + 2.7e-4 * (1 + np.cos(np.pi * share)) / 2
    rates = [np.full(n, 3e-4), cosine, 3e-4 * np.where(share < 0.7, 1.0, 0.3)]
    known = {"step": np.tile(step, 3), "eta": np.concatenate(rates), "curve": np.repeat(np.arange(3.0), n)}
    rest = {k: np.repeat(np.geomspace(*law.domain[k].typical, 3), n) for k in law.inputs if k not in known}
    return {name: (known | rest)[name] for name in law.inputs}


def _between(share, lo: float, hi: float):
    """From lo to hi, evenly in logarithms where both are positive and far apart."""
    return lo * (hi / lo) ** share if lo > 0 and hi / lo > 5 else lo + share * (hi - lo)
