"""Synthetic runs from a law: usual coefficients, settings spread over its usual inputs,
noise on the output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scalefit.arguments import check_key, number, whole
from scalefit.core.law import ALLOWED, Law
from scalefit.core.starts import even
from scalefit.frames import to_frame
from scalefit.words import short

__all__ = ["design", "simulate", "usual"]


def simulate(
    law: Law,
    coefs: Mapping[str, float] | None = None,
    x: Mapping[str, Any] | None = None,
    *,
    n: int = 60,
    noise: float = 0.003,
    key: int = 0,
) -> dict[str, np.ndarray]:
    """Synthetic runs of a law.

    Args:
        law: any law.
        coefs: its coefficients by name; `usual(law)` unless given.
        x: its inputs by name, columns of one length; `design(law, n)` unless given.
        n: how many runs, where x is not given.
        noise: the standard deviation of log y, or, for accuracies and changes, of y.
        key: seed of the noise; the same key gives the same runs.

    Returns:
        A dict of columns: the law's inputs and "y".

    Raises:
        ValueError: for coefficients or inputs that the law cannot take.
        TypeError: for what is no law.

    Example:
        >>> sorted(sf.simulate(sf.laws.chinchilla, n=3))
        ['D', 'N', 'y']
    """
    if not isinstance(law, Law):
        raise TypeError(f"simulate needs a law, such as sf.laws.chinchilla, got {short(law)}")
    n, key = whole(n, "n", 1), check_key(key)
    spread = number(noise)
    if spread is None or not 0 <= spread < np.inf:
        raise ValueError(f"noise must be a number of at least 0, got {short(noise)}")
    coefs = usual(law) if coefs is None else _coefs(law, coefs)
    x = design(law, n) if x is None else _inputs(law, x)
    with np.errstate(all="ignore"):
        y = np.asarray(law(coefs, x), float)
        error = spread * np.random.default_rng(key).standard_normal(y.shape)
        y = y + error if law.predicts in ("accuracy", "change") else y * np.exp(error)
    if not np.all(np.isfinite(y)):
        raise ValueError(
            f"{law.name!r} has no finite value at these coefficients, inputs and noise; give others"
        )
    return {**x, "y": y}


def _coefs(law: Law, coefs: Mapping[str, float]) -> dict[str, float]:
    if not isinstance(coefs, Mapping) or set(coefs) != set(law.names):
        raise ValueError(f"coefs must be a dict of exactly {', '.join(law.names)}, got {short(coefs)}")
    for coef in law.coefs:
        value = number(coefs[coef.name])
        if value is None or not (np.isfinite(value) and coef.support.lo <= value <= coef.support.hi):
            raise ValueError(f"{coef.name} must be {coef.support}, got {short(coefs[coef.name])}")
    return {name: float(coefs[name]) for name in law.names}


def _inputs(law: Law, x: Mapping[str, Any]) -> dict[str, np.ndarray]:
    x = to_frame(x)
    if not isinstance(x, Mapping) and not hasattr(x, "columns"):
        raise TypeError(f"x must be a dict of {', '.join(law.inputs)}, or a frame, got {short(x)}")
    found = {}
    for name in law.inputs:
        if name not in x:
            raise ValueError(f"x lacks {name}; give {', '.join(law.inputs)}")
        lo, hi = ALLOWED[law.domain[name].allowed if name in law.domain else "a number"]
        cells = [number(cell) for cell in np.atleast_1d(np.asarray(x[name], object)).tolist()]
        if any(cell is None or not lo <= cell <= hi for cell in cells):
            what = law.domain[name].allowed if name in law.domain else "a number"
            raise ValueError(f"x: {name} must be {what} in every row, got {short(x[name])}")
        found[name] = np.array(cells, float)
    if len({len(column) for column in found.values()} - {1}) > 1:
        raise ValueError(
            f"x: columns must be of one length, got {', '.join(f'{k}: {len(v)}' for k, v in found.items())}"
        )
    return dict(zip(found, np.broadcast_arrays(*found.values()), strict=True))


def usual(law: Law) -> dict[str, float]:
    """A plausible set of coefficients: the first published one, or the middle of the typical ranges."""
    for values in law.published.values():
        return dict(values)
    return {c.name: float(_between(0.5, *c.typical)) for c in law.coefs}


def design(law: Law, n: int = 60, beyond: float = 0.0) -> dict[str, np.ndarray]:
    """n settings of the law's inputs, spread evenly over their usual ranges and
    `beyond` decades more on either side.

    Shares of domains sum to one. A law of whole curves gets three curves of n rows each: under a constant
    rate, a cosine, and a drop to a third.
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
