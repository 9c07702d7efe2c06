"""What the suite is made of: data, cases, scores, tasks, and what a method told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scalefit.core.law import Law
from scalefit.core.objective import Objective
from scalefit.frames import Frame

__all__ = ["ASKS", "Case", "Data", "Score", "Task", "Told"]

# What the rows of a test table may ask for: losses at inputs, or numbers read off a fit.
ASKS = ("rows", "quantities")


@dataclass(frozen=True)
class Data:
    """Where rows come from; `needs` are folders of SCALEFIT_DATA, all of which must be there."""

    source: str
    licence: str
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Case:
    """Rows to learn from and rows to foretell: two frames with the columns `inputs` and `y`.

    law, objective: what `sf.fit` is given where no law is named; label: a column (not an input) by which
    rows fall into parts that are fitted each by itself; by: the input that says which rows are small;
    weight: a column of weights. Where the task asks for quantities, test has a column `quantity`: a
    coefficient of the law, "objective", "curve" (the law at the row's inputs), or a name in `quantities`: a
    function of the fit, the level, and whether to allow for the law's own error, that gives a number, or
    three with both ends. `y` then is what is true or published. given: more that single methods need.
    """

    name: str
    train: Frame
    test: Frame
    inputs: tuple[str, ...]
    y: str = "y"
    law: Law | None = None
    objective: Objective | None = None
    label: str | None = None
    by: str | None = None
    weight: str | None = None
    n_starts: int | None = None
    quantities: Mapping[str, Callable[[Any, float | None, bool], Any]] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Told:
    """What a method told about the test rows that have a value: arrays of one length.

    seconds: what the case took once its programs were compiled, where the task measures that.
    """

    y: np.ndarray
    mean: np.ndarray
    lo: np.ndarray
    hi: np.ndarray
    seconds: float = float("nan")

    @property
    def log(self) -> bool:
        """Whether errors are of logarithms: where all that was measured is positive."""
        return bool(np.all(self.y > 0))


@dataclass(frozen=True)
class Score:
    """A number per case; `of` takes the case and what was told about it."""

    name: str
    of: Callable[[Case, Told], float]
    lower_is_better: bool = True


@dataclass(frozen=True)
class Task:
    """One data set with its split, its inputs and its score.

    cases: gives the cases when called, and reads the data only then. methods: names of what is run where
    none is asked for. best: the best score known elsewhere, and where from. tuned: what was chosen with the
    test rows in sight. why: why another package or a plain baseline is ahead of ours, where it is and it is
    known. asks: "rows" or "quantities". intervals:
    whether they mean anything here. timed: whether each case is run again, compiled, for its seconds. quick:
    how many cases `--quick` takes.
    """

    name: str
    data: Data
    split: str
    cases: Callable[[], Iterable[Case]]
    score: Score
    methods: tuple[str, ...]
    best: str = ""
    tuned: str = "nothing"
    why: str = ""
    asks: str = "rows"
    intervals: bool = True
    timed: bool = False
    quick: int = 3

    @property
    def group(self) -> str:
        """What comes before the slash of its name."""
        return self.name.partition("/")[0]
