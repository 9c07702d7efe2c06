"""The best loss of a recipe by budget, for the estimate and every draw: what recipes are compared by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from scalefit.core.law import Law
from scalefit.decisions.allocation import best, budget_for
from scalefit.decisions.recipe import HALVINGS, MOST, Study, of_sizes, study
from scalefit.fits import extrapolation
from scalefit.fits.fit import Fit
from scalefit.flops import Cost, Deadline
from scalefit.runs import tables

__all__ = ["Course", "budgets", "check_law", "course", "point"]

# Inputs that are no FLOPs may be in any unit.
TINY = 1e-45


@dataclass(frozen=True)
class Course:
    """The best loss of a recipe by budget: laws of N and D, or of one input."""

    fit: Fit | Law
    study: Study

    @property
    def n(self) -> int:
        """The estimate and how many draws."""
        return len(self.study.values)

    def loss(self, C: np.ndarray) -> np.ndarray:
        """Losses (draws + 1, budgets)."""
        C = np.broadcast_to(C, (self.n, len(C)))
        return best(self.study, C).loss if self._two else self._one(C)

    def budget(self, loss: np.ndarray) -> np.ndarray:
        """Budgets (draws + 1, losses) that reach each loss; infinite where none does."""
        if self._two:
            return budget_for(self.study, loss).C
        lo, hi = (np.full((self.n, len(loss)), np.log(end)) for end in (TINY, MOST))
        never = ~(self._one(np.exp(hi)) <= loss)
        for _ in range(2 * HALVINGS):
            middle = (lo + hi) / 2
            above = self._one(np.exp(middle)) > loss
            lo, hi = np.where(above, middle, lo), np.where(above, hi, middle)
        return np.where(never, np.inf, np.exp(hi))

    def distance(self, C: float) -> float:
        """Decades of the optimum for this budget from the runs; infinite for an infinite budget."""
        assert isinstance(self.fit, Fit)
        if not np.isfinite(C):
            return np.inf
        if self._two:
            found = best(replace(self.study, values=self.study.values[:1]), np.full((1, 1), C))
            x = point(self.study, found.N[0], found.D[0])
        else:
            x = {self.study.law.inputs[0]: np.array([C])}
        return float(extrapolation.distance(self.fit, x)[0])

    @property
    def _two(self) -> bool:
        return len(self.study.law.inputs) > 1

    def _one(self, C: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.asarray(self.study.law(self.study.coefs, {self.study.law.inputs[0]: C}), float)


def course(
    fit: Fit | Law,
    flops: Cost | Deadline,
    at: Mapping[str, float] | None,
    coefs,
    level: float | None,
    key: int,
) -> Course:
    """A recipe by budget; draws only where a level is asked for."""
    law = fit.law if isinstance(fit, Fit) else fit
    if not (isinstance(law, Law) and len(law.inputs) == 1 and not law.labels):
        check_law(law)
    return Course(fit, study(fit, flops, at, coefs=coefs, level=level, key=key))


def budgets(fit: Fit, flops: Cost | Deadline) -> tuple[np.ndarray, np.ndarray]:
    """The runs' budgets (n,), or their one input, and their losses."""
    rows, x = fit.data.counted, fit.data.x
    C = flops(x["N"], x["D"]) if "D" in x else x["C"] if "C" in x else next(iter(x.values()))
    return np.asarray(C, float)[rows], fit.data.y[rows]


def point(study: Study, N: np.ndarray, D: np.ndarray, item: int = 0) -> dict[str, np.ndarray]:
    """The inputs of the fitted law, C and M among them, at an optimum (n,) on an item of the menu."""
    read = {} if study.menu is None else {name: column[item] for name, column in study.menu.x.items()}
    held = {name: np.full(N.shape, value) for name, value in {**study.at, **read}.items()}
    return {"C": 6 * N * D, "M": D / N, **held, "N": N, "D": D}


def check_law(law: Law) -> None:
    """TypeError or ValueError unless it is a law of sizes and tokens, one row a run."""
    if not isinstance(law, Law):
        raise TypeError(f"optimal needs a fit or a law, got {tables.short(law)}")
    if not {"N", "D"} <= set(of_sizes(law).inputs) or law.whole or law.labels:
        raise ValueError(f"{law.name!r} is no law of N and D alone; it takes {', '.join(law.inputs)}")
