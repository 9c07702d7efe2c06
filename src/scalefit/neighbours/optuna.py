"""A pruner for Optuna that stops a trial by where its loss is forecast to end.

    from scalefit.neighbours.optuna import ForecastPruner
    study = optuna.create_study(pruner=ForecastPruner(steps=4000))

Optuna asks a pruner for one method and no ancestor, so nothing of it is imported here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scalefit.arguments import check_level, whole
from scalefit.curves.forecast import forecast

__all__ = ["ForecastPruner"]


class ForecastPruner:
    """Prunes a trial that has diverged, or whose forecast lies above the best finished trial as a whole.

    A forecast is made each time a tenth of the run has gone by; it is the interval's lower end that is held
    against the best loss so far, so a trial that may still win goes on.

    Args:
        steps: how many optimiser steps every trial takes; `trial.report(loss, step)` counts them from 0 or 1.
        schedule: trial -> the rates of all its steps, as `sf.schedule` gives them. Without it a decay of the
            rate still to come is not foreseen, and trials may be stopped that it would have saved.
        level: of the interval.

    Raises:
        ValueError: for steps and a level that are none; in use, where the study maximises.

    Example:
        >>> from scalefit.neighbours.optuna import ForecastPruner
        >>> ForecastPruner(steps=4000, level=0.95).level
        0.95
    """

    def __init__(self, steps: int, schedule: Callable[[Any], Any] | None = None, level: float = 0.9) -> None:
        self.steps, self.schedule, self.level = whole(steps, "steps", 10), schedule, check_level(level)
        self._looked: dict[tuple[str, int], int] = {}

    def prune(self, study: Any, trial: Any) -> bool:
        """Whether to stop a trial, as Optuna asks after each report.

        Args:
            study: the study, which minimises a loss.
            trial: the trial with the losses it has reported.

        Returns:
            True where its forecast lies above the least loss of the finished trials.

        Raises:
            ValueError: where the study maximises, and for reports beyond `steps`.
        """
        if study.direction.name != "MINIMIZE":
            raise ValueError("ForecastPruner foretells losses; make the study with direction='minimize'")
        done = [one.value for one in study.get_trials(deepcopy=False) if one.state.name == "COMPLETE"]
        reported = sorted(trial.intermediate_values.items())
        share = 10 * (trial.last_step or 0) // self.steps
        one = study.study_name, trial.number
        if not done or share == self._looked.get(one, 0):
            return False
        self._looked[one] = share
        first = min(reported[0][0], 1)
        history = {"step": [s + 1 - first for s, _ in reported], "loss": [loss for _, loss in reported]}
        rates = None if self.schedule is None else self.schedule(trial)
        told = forecast(history, rates, level=self.level, steps=None if self.schedule else self.steps)
        return told.diverged or told.lo > min(done)
