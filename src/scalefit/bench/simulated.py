"""Simulated tables whose truth is known: designs, kinds of noise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import stdtrit

from scalefit.core.law import Law
from scalefit.laws.simulate import usual

__all__ = ["HEAVY", "NOISE", "SD", "Design", "design", "errors", "simulate"]

NOISE = ("gaussian", "heavy", "heteroscedastic", "clustered")
SD = 0.01  # of the log of the loss
SHARED = 0.8  # correlation of errors within a group
# The share of Student's t (3) errors that lie within one quartile of zero is that of a normal distribution.
HEAVY = 0.6744897501960817 / stdtrit(3, 0.75)
# Model sizes of a grid with this many rows; the rest of the rows are token counts per size.
SIZES = {10: 5, 30: 6, 100: 10, 240: 15}


@dataclass(frozen=True)
class Design:
    """Runs without noise: inputs, which rows share errors, each one's place from the smallest to the largest.

    far: inputs at 10 and at 100 times the largest run, of which the last row is asked for.
    """

    law: Law
    x: dict[str, np.ndarray]
    group: np.ndarray
    place: np.ndarray
    far: tuple[dict[str, np.ndarray], ...]
    compute: float | None = None

    @cached_property
    def truth(self) -> dict[str, float]:
        """The usual coefficients of the law."""
        return usual(self.law)

    @cached_property
    def curve(self) -> np.ndarray:
        """What the law has there."""
        return np.asarray(self.law(self.truth, self.x), float)


def design(law: Law, rows: int) -> Design:
    """A realistic table of this many rows."""
    if law.name == "chinchilla":
        sizes = SIZES.get(rows, max(rows // 6, 2))
        each = -(-rows // sizes)
        N = np.repeat(np.geomspace(1e7, 1e9, sizes), each)
        D = N * np.tile(np.geomspace(5, 100, each), sizes)
        group = np.repeat(np.arange(sizes), each)
        N, D, group = N[:rows], D[:rows], group[:rows]
        C = float(np.max(6 * N * D))
        best = [np.sqrt(C * more / 120) for more in (10, 100)]
        far = tuple({"N": np.array([n]), "D": np.array([20 * n])} for n in best)
        return Design(law, {"N": N, "D": D}, group, _place(np.log(N * D)), far, 10 * C)
    if law.whole:
        x, far = _schedules(rows, 1), tuple(_schedules(60, more, cosine=True) for more in (10, 100))
        return Design(law, x, np.arange(rows) // 5, _place(np.log(x["step"])), far)
    name = law.inputs[0]
    lo, hi = law.domain[name].typical
    # The largest inputs are left to the prediction.
    column = np.geomspace(lo, hi / 30, rows)
    far = tuple({name: np.array([column[-1] * more])} for more in (10, 100))
    return Design(law, {name: column}, np.arange(rows) // 5, _place(np.log(column)), far)


def _schedules(rows: int, longer: float, cosine: bool = False) -> dict[str, np.ndarray]:
    """Two curves, one under a constant rate and one under a cosine, or the cosine alone; log-spaced steps."""
    first = 0 if cosine else rows // 2
    step = [np.geomspace(500, 20_000, n) * longer for n in (first, rows - first) if n]
    share = step[-1] / step[-1][-1]
    rate = [np.full(first, 3e-4), 3e-5 + 2.7e-4 * (1 + np.cos(np.pi * share)) / 2]
    curve = np.repeat([0.0, 1.0], [first, rows - first])
    return {"step": np.concatenate(step), "eta": np.concatenate(rate), "curve": curve}


def _place(size: np.ndarray) -> np.ndarray:
    return (size - size.min()) / np.ptp(size)


def errors(noise: str, place: np.ndarray, key: Any, group: np.ndarray | None = None) -> np.ndarray:
    """Errors of the log loss at these places (n,); without groups no kind of noise is shared."""
    chance, n = np.random.default_rng(key), len(place)
    if noise == "heavy":
        return SD * HEAVY * chance.standard_t(3, n)
    if noise == "heteroscedastic":
        return 2 * SD * 0.25**place * chance.standard_normal(n)
    if noise == "gaussian" or group is None:
        return SD * chance.standard_normal(n)
    shared = chance.standard_normal(group.max() + 1)[group]
    return SD * (np.sqrt(SHARED) * shared + np.sqrt(1 - SHARED) * chance.standard_normal(n))


def simulate(known: Design, noise: str, key: int) -> dict[str, np.ndarray]:
    """One study's table."""
    return {
        **known.x,
        "y": known.curve * np.exp(errors(noise, known.place, key, known.group)),
        "unit": known.group,
    }
