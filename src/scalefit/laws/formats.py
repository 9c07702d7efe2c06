"""Mean squared error of number formats on unit Gaussian numbers: the input `gmse` of `panferov_capacity`.

    sf.fit("panferov_capacity", {**runs, "gmse": [formats.uniform(4), ...]})

Grids are scaled to the least error; masks keep the largest numbers and set the others to zero. A format that
is both sparse and quantised has one error for each part, and its capacity is the product of the two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

__all__ = ["floating", "grid", "integer", "kept_of", "pruned", "uniform"]

_erf = np.vectorize(math.erf, otypes=[float])


def uniform(bits: int) -> float:
    """The best grid of 2^bits evenly spaced levels around zero (Max 1960): 0.3634, 0.1188, 0.03744, ..."""
    levels = np.arange(2 ** _whole(bits, "bits", 1, 16))
    return grid(levels - levels.mean())


def integer(bits: int) -> float:
    """Signed integers of this many bits without the most negative one, so that zero is a level:
    3 levels for 2 bits."""
    most = 2 ** (_whole(bits, "bits", 2, 16) - 1) - 1
    return grid(np.arange(-most, most + 1))


def floating(exponent: int, mantissa: int) -> float:
    """Floating point with a sign and these bits, subnormals included, none spent on infinities:
    E2M1 is (2, 1)."""
    E, M = _whole(exponent, "exponent", 1, 8), _whole(mantissa, "mantissa", 0, 10)
    fraction = np.arange(2**M) / 2**M
    # Levels thirty octaves below the top matter to no Gaussian number, and their squares would vanish.
    octaves = 2.0 ** np.arange(max(1, 2**E - 30), 2**E)
    positive = np.concatenate([fraction * octaves[0], *((1 + fraction) * octave for octave in octaves)])
    return grid(np.concatenate([-positive, positive]))


def grid(levels: Sequence[float] | np.ndarray, scaled: bool = True) -> float:
    """Rounding to the nearest of these levels, scaled to the least error or, with `scaled=False`,
    as they are."""
    level = np.unique(np.asarray(levels, float))
    if len(level) == 0 or not np.all(np.isfinite(level)):
        raise ValueError("grid needs finite levels, at least one")
    widest = np.max(np.abs(level))
    if not scaled or widest == 0:
        return _rounded(level)
    level = level / widest
    # The largest level in standard deviations:
    # first on a coarse list, then by golden section around the best.
    tried = np.geomspace(0.3, 100.0, 60)
    best = int(np.argmin([_rounded(level * top) for top in tried]))
    lo, hi = tried[max(best - 1, 0)], tried[min(best + 1, len(tried) - 1)]
    golden = (math.sqrt(5) - 1) / 2
    for _ in range(40):
        a, b = hi - golden * (hi - lo), lo + golden * (hi - lo)
        lo, hi = (lo, b) if _rounded(level * a) < _rounded(level * b) else (a, hi)
    return _rounded(level * (lo + hi) / 2)


def pruned(share: float) -> float:
    """The smallest `share` of all numbers set to zero."""
    if not 0 <= share <= 1:
        raise ValueError(f"share must be between 0 and 1, got {share}")
    if share in (0, 1):
        return float(share)
    cut = NormalDist().inv_cdf((1 + share) / 2)
    return share - 2 * cut * math.exp(-(cut**2) / 2) / math.sqrt(2 * math.pi)


def kept_of(n: int, m: int) -> float:
    """n of every m numbers kept, the largest ones: `kept_of(2, 4)` for 2:4 sparsity."""
    m = _whole(m, "m", 1, 1024)
    n = _whole(n, "n", 0, m)
    if n in (0, m):
        return float(n == 0)
    # A number of size x goes where at least n of the m - 1 others are larger; integrated over x.
    node, weight = np.polynomial.legendre.leggauss(400)
    x = 6 * (node + 1)
    density = np.exp(-(x**2) / 2) * math.sqrt(2 / math.pi)
    larger = np.maximum(1 - _erf(x / math.sqrt(2)), 0.0)
    dropped = sum(math.comb(m - 1, k) * larger**k * (1 - larger) ** (m - 1 - k) for k in range(n, m))
    return float(np.sum(6 * weight * x**2 * density * dropped))


def _rounded(levels: np.ndarray) -> float:
    """The mean squared distance from a unit Gaussian number to the nearest level:
    one closed form per cell."""
    cut = (levels[1:] + levels[:-1]) / 2
    density = np.exp(-(cut**2) / 2) / math.sqrt(2 * math.pi)
    below = np.concatenate([[0.0], (1 + _erf(cut / math.sqrt(2))) / 2, [1.0]])
    moment = np.concatenate([[0.0], cut * density, [0.0]])
    density = np.concatenate([[0.0], density, [0.0]])
    cells = np.diff(below) * (1 + levels**2) - np.diff(moment) + 2 * levels * np.diff(density)
    return float(np.sum(cells))


def _whole(value: int, what: str, least: int, most: int) -> int:
    if int(value) != value or not least <= value <= most:
        raise ValueError(f"{what} must be a whole number from {least} to {most}, got {value}")
    return int(value)
