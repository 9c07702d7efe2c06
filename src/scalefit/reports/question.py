"""What a page is asked: an answer, where its loss is wanted, and how intervals are meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scalefit.arguments import by_name, check_key, check_level, number, one_positive
from scalefit.core.law import Law
from scalefit.decisions.optimal import optimal
from scalefit.decisions.recipe import one_counting
from scalefit.fits.ensemble import Ensemble, check_fit
from scalefit.fits.fit import Fit
from scalefit.fits.identifiability import FACTOR, places
from scalefit.flops import Cost, Deadline, six_nd
from scalefit.frames import Frame

__all__ = ["Question", "question", "sizes"]


@dataclass(frozen=True)
class Question:
    """An answer and what is asked of it.

    target: the inputs asked for, or a budget C to be split; guessed: whether nobody named it. barred: why
    there is no best size and tokens, empty where there is.
    """

    answer: Fit | Ensemble
    target: Mapping[str, float]
    guessed: bool
    level: float
    at: Mapping[str, float]
    flops: Cost
    model_error: bool
    key: int
    barred: str

    @property
    def law(self) -> Law:
        """The law of the answer."""
        return self.answer.law

    @property
    def by_budget(self) -> bool:
        """Whether the target is a budget to be split into size and tokens."""
        return set(self.target) == {"C"} and not self.barred

    @property
    def output(self) -> str:
        """What the law predicts, in the word of the user's column."""
        return str(self.answer.columns.get("y", self.law.predicts))

    def best(self, C: Any, level: float | None = None) -> Frame:
        """The best size and tokens of budgets, one row each."""
        return optimal(
            self.answer, C, self.flops, level, at=self.at, key=self.key, model_error=self.model_error
        )

    def inputs_at(self, N: float, D: float) -> dict[str, float]:
        """The law's inputs of a run of this size and these tokens."""
        known = {"N": N, "D": D, "C": 6 * N * D, "M": D / N, **self.at}
        return {name: known[name] for name in self.law.inputs}

    def cost(self, N: Any, D: Any) -> np.ndarray:
        """What runs of these sizes and tokens cost."""
        return np.asarray(self.flops(np.asarray(N, float), np.asarray(D, float), dict(self.at)), float)


def question(
    answer: Any,
    target: Any,
    level: Any,
    flops: Cost = six_nd,
    at: Any = None,
    model_error: bool = True,
    key: Any = 0,
) -> Question:
    """The question, checked; ValueError or TypeError in one sentence."""
    check_fit(answer, "report", ensemble=True)
    one_counting({"the fit": answer}, flops)
    if isinstance(flops, Deadline):
        raise ValueError(
            "flops: a page asks what runs cost, sf.flops.lifetime(1e12), say; a deadline is none"
        )
    level, key, at = check_level(level), check_key(key), dict(by_name("at", at))
    asked = Question(answer, {}, target is None, level, at, flops, bool(model_error), key, "")
    budget = _largest(asked)
    barred = _barred(asked, budget)
    goal = _usual(asked, budget, barred) if target is None else _target(asked, target, barred)
    return Question(answer, goal, target is None, level, at, flops, bool(model_error), key, barred)


def sizes(asked: Question) -> tuple[np.ndarray, np.ndarray] | None:
    """Size and tokens of every run; None where the law does not say them."""
    x = asked.answer.data.x
    if {"N", "D"} <= set(x):
        return x["N"], x["D"]
    if {"C", "M"} <= set(x):
        size = np.sqrt(x["C"] / 6 / x["M"])
        return size, size * x["M"]
    return None


def _largest(asked: Question) -> float:
    """What the dearest run cost; 0 where the law has no sizes and tokens."""
    known = sizes(asked)
    if known is None:
        return 0.0
    counted = asked.answer.data.counted
    return float(np.max(asked.cost(known[0][counted], known[1][counted])))


def _barred(asked: Question, budget: float) -> str:
    """Why there is no best size and tokens, in the words of `sf.optimal`."""
    if not budget > 0:
        return f"{asked.law.name!r} is no law of N and D; it takes {', '.join(asked.law.inputs)}"
    try:
        asked.best(budget)
    except (ValueError, KeyError) as error:
        return str(error.args[0])
    return ""


def _usual(asked: Question, budget: float, barred: str) -> dict[str, float]:
    """Ten times beyond the largest runs, a budget to two digits."""
    if not barred:
        return {"C": float(f"{FACTOR * budget:.2g}")}
    if asked.law.whole or asked.law.labels:
        return {}
    first = next(iter(asked.answer.members.values()))[0]
    _, beyond = places(first)
    return {name: beyond[name] for name in asked.law.inputs} if set(asked.law.inputs) <= set(beyond) else {}


def _target(asked: Question, target: Any, barred: str) -> dict[str, float]:
    given = by_name("target", target)
    law = asked.law
    if set(given) == {"C"} and not (barred and "C" in law.inputs):
        if barred:
            raise ValueError(f"target: a budget cannot be split here: {barred}")
        return {"C": one_positive("target C", given["C"])}
    unknown = [str(name) for name in given if name not in law.inputs]
    if unknown:
        raise ValueError(
            f"target: {law.name!r} has no input {unknown[0]!r}; it takes {', '.join(law.inputs)}"
            f"{'' if barred else ', or C alone'}"
        )
    missing = [name for name in law.inputs if name not in given and name not in asked.at]
    if missing:
        raise ValueError(
            f"target lacks {', '.join(missing)}; give {', '.join(law.inputs)}"
            f"{'' if barred else ', or C alone'}"
        )
    found = {name: given.get(name, asked.at.get(name)) for name in law.inputs}
    for name, value in found.items():
        if name in law.labels:
            continue
        amount = number(value)
        if amount is None or not np.isfinite(amount):
            raise ValueError(f"target {name} must be a number, got {value!r}")
        found[name] = amount
    return found
