"""Scores of predictive distributions that are kept as quantiles: intervals, where a value lies, its density.

References: interval score and logarithmic score as in Gneiting and Raftery (2007), "Strictly proper scoring
rules, prediction, and estimation"; binomial intervals as in Clopper and Pearson (1934).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv, ndtr, ndtri

__all__ = ["Predictive", "binomial_interval"]

# The least distance between quantiles, as a share of their size: those of an exact fit may be equal.
LEAST = 1e-12


@dataclass(frozen=True)
class Predictive:
    """What was foretold of one number: its median and intervals of equal tails, level -> (lo, hi).

    log: whether errors are of log y; then scores are of log y too, so that those of losses of different size
    can be averaged.
    """

    median: float
    intervals: Mapping[float, tuple[float, float]]
    log: bool

    def inside(self, y: float) -> dict[float, bool]:
        """Level -> whether the interval holds y, its ends included."""
        return {level: lo <= y <= hi for level, (lo, hi) in self.intervals.items()}

    def interval_scores(self, y: float) -> dict[float, float]:
        """Level -> width + 2 / (1 - level) times how far y lies outside; less is better."""
        z = self._scaled(y)
        found = {}
        for level, ends in self.intervals.items():
            lo, hi = map(self._scaled, ends)
            found[level] = hi - lo + 2 / (1 - level) * (max(lo - z, 0.0) + max(z - hi, 0.0))
        return found

    def pit(self, y: float) -> float:
        """The probability that was given to values up to y; uniform over many forecasts that are right.

        Between the quantiles kept, and beyond the outermost, the normal score of the probability is linear
        in log y (or y).
        """
        return float(ndtr(self._normal_score(y)[0]))

    def log_score(self, y: float) -> float:
        """Minus the log of the density of log y (or y) that was given to the value; less is better."""
        score, slope = self._normal_score(y)
        return float(score**2 / 2 + np.log(2 * np.pi) / 2 - np.log(slope))

    def _scaled(self, y: float) -> float:
        return float(np.log(y)) if self.log else float(y)

    def _normal_score(self, y: float) -> tuple[float, float]:
        """The normal score of y's probability, and its slope in log y (or y)."""
        ends = [((1 - level) / 2, lo) for level, (lo, _) in self.intervals.items()]
        ends += [((1 + level) / 2, hi) for level, (_, hi) in self.intervals.items()]
        probability, value = zip(*sorted([*ends, (0.5, self.median)]), strict=True)
        scores, at = ndtri(np.array(probability)), np.array([self._scaled(v) for v in value])
        steps = np.maximum(np.diff(at), LEAST * max(1.0, float(np.max(np.abs(at)))))
        at = at[0] + np.append(0.0, np.cumsum(steps))
        z = self._scaled(y)
        k = int(np.clip(np.searchsorted(at, z) - 1, 0, len(steps) - 1))
        slope = (scores[k + 1] - scores[k]) / steps[k]
        return float(scores[k] + slope * (z - at[k])), float(slope)


def binomial_interval(inside: int, n: int, level: float = 0.9) -> tuple[float, float]:
    """Clopper and Pearson's interval of a share of which `inside` of `n` were seen; (0, 1) of none."""
    tail = (1 - level) / 2
    lo = 0.0 if inside == 0 else float(betaincinv(inside, n - inside + 1, tail))
    hi = 1.0 if inside == n else float(betaincinv(inside + 1, n - inside, 1 - tail))
    return lo, hi
