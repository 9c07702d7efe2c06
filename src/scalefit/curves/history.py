"""A run so far as a forecast sees it: losses checked and without spikes, and the rates of the whole run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from scalefit import schedule as schedules
from scalefit.arguments import count, number
from scalefit.curves.alarms import STALLED, parted, stalled
from scalefit.fits.status import Caution
from scalefit.runs import tables
from scalefit.runs.logs import read_log
from scalefit.runs.names import same_name

__all__ = ["CLOSE", "FEWEST", "Run", "read"]

# Columns that are recognised beside the loss: on held-out data, in training, and tokens seen.
HELD_OUT = ("eval_loss", "val_loss", "valid_loss", "validation_loss")
TRAINING, TOKENS = ("train_loss", "training_loss"), ("tokens",)
# The losses are averaged into this many stretches, even in log step,
# and looked at from this share of the run so far on.
BLOCKS, SINCE = 48, 0.2
# Fewer losses than this say nothing yet.
FEWEST = 8
# A rate counts as what it was to within this share of the peak.
CLOSE = 1e-3
# So many losses at the end that are not finite are no slip.
DIVERGED = 3
# Beyond this a loss is as good as infinite: its square is.
LARGEST = 1e100
# The share of the run so far at its end in which spikes are of late.
LATE = 0.1
# Losses this many usual deviations from the median of their neighbours are spikes.
SPIKE = 8.0


@dataclass(frozen=True, eq=False)
class Run:
    """A run so far: steps and losses (n,) without spikes, the rates of all steps (steps,) where known.

    alarms: what speaks against the run; told:
    what was left out, found damaged, chosen or not believed on the way here.
    """

    step: np.ndarray
    loss: np.ndarray
    now: int
    steps: int
    rates: np.ndarray | None
    apart: int
    alarms: tuple[Caution, ...]
    told: tuple[Caution, ...] = ()

    @cached_property
    def start(self) -> float:
        """Losses up to this step are those of the warm-up or the first transient."""
        warm = (
            0
            if self.rates is None or not self.now
            else int(np.argmax(self.rates[: self.now] >= (1 - CLOSE) * self.rates[: self.now].max()))
        )
        return max(1.5 * warm, SINCE * self.now)

    @property
    def usable(self) -> int:
        """How many losses lie after that step."""
        return int(np.sum(self.step > self.start))

    @cached_property
    def noise(self) -> float:
        """Standard deviation of the log of one loss, by the differences of neighbours."""
        change = np.diff(np.log(self.loss[self.step > self.start]))
        return max(1.4826 * float(np.median(np.abs(change - np.median(change)))) / np.sqrt(2), 1e-5)

    def until(self, n: int) -> Run:
        """The run as it was after its first n losses."""
        return Run(
            self.step[:n], self.loss[:n], int(self.step[n - 1]), self.steps, self.rates, self.apart, ()
        )

    def blocks(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean step, mean loss and number of losses of up to `BLOCKS` stretches."""
        kept = self.step > self.start
        step, loss = self.step[kept], self.loss[kept]
        if len(step) <= BLOCKS:
            return step, loss, np.ones(len(step))
        place = np.log(step / step[0]) / np.log(step[-1] / step[0]) * BLOCKS
        _, which, count = np.unique(
            np.minimum(place.astype(int), BLOCKS - 1), return_inverse=True, return_counts=True
        )
        return np.bincount(which, step) / count, np.bincount(which, loss) / count, count.astype(float)

    def knots(self) -> tuple[np.ndarray, np.ndarray]:
        """Steps and rates between which the rate is linear to within `CLOSE` of the peak."""
        assert self.rates is not None
        step = np.arange(1.0, len(self.rates) + 1)
        at = schedules.knots(step, self.rates, np.unique([0, len(step) - 1]), CLOSE * self.rates.max())
        return step[at], self.rates[at]


def read(
    history: Any, schedule: Any, steps: int | None, loss: str, step: str, lr: str, one: str | None = None
) -> Run:
    """The history checked, spikes set apart, and the rates of the whole run. one:
    which run, where it holds several."""
    if isinstance(history, str | os.PathLike):
        # The names a table has unless told otherwise are those that a log is searched for.
        names = (("loss", loss), ("step", step), ("lr", lr))
        asked: dict[str, Any] = {name: None if column == name else column for name, column in names}
        history, loss, step, lr = read_log(history, **asked), "loss", "step", "lr"
    log = history if hasattr(history, "left_out") else None
    table = tables.columns_of(history) if log is None else _rows_of_log(log)
    table = _one_run(table, one)
    at = tables.numbers(table[tables.find(table, step, "step")], f"column {step!r}", "not negative")
    cells = [number(cell) for cell in list(table[tables.find(table, loss, "loss")])]
    if None in cells:
        raise ValueError(
            f"column {loss!r} has no number in row {cells.index(None)}; correct it or leave the row out"
        )
    values = np.array(cells, float)
    tables.same_length(f"column {loss!r}", len(values), len(at), f"column {step!r}")
    if not len(at):
        raise ValueError("the history has no rows yet")
    alarms: list[Caution] = []
    tokens = _other(table, TOKENS, len(at))
    again, still = stalled(at, tokens)
    alarms += [still] if still else []
    if still and again:
        # One row of each step.
        table = tables.rows_of(table, slice(None, -again), len(at))
        at, values = at[:-again], values[:-again]
    if np.any(np.diff(at) <= 0):
        row = int(np.argmax(np.diff(at) <= 0)) + 1
        raise ValueError(f"column {step!r} does not rise in row {row}; give one run, sorted, each step once")
    now = int(at[-1])
    planned = None if schedule is None else _rates(schedule)
    if planned is not None and steps not in (None, len(planned)):
        raise ValueError(f"steps is {steps} and the schedule has {len(planned)}; leave steps out")
    if planned is None and steps is None:
        raise ValueError("how long the run will be is not clear; give its schedule or steps=")
    steps = count(steps, "steps", 1) if planned is None else len(planned)
    if now > steps:
        raise ValueError(f"the history is at step {now}, past the end of the run at {steps}")
    said = log.report.told if log is not None else getattr(history, "attrs", {}).get("told", ())
    told = [Caution(*one) for one in said]
    if planned is not None and lr in table:
        logged = tables.numbers(table[lr], f"column {lr!r}", "not negative", gaps=True)
        tables.same_length(f"column {lr!r}", len(logged), len(at), f"column {step!r}")
        logged = _believed(logged, planned, at, values, told)
        planned = _as_logged(planned, at, logged, alarms)
    if planned is not None and len(at) >= FEWEST and not planned[:now].any():
        raise ValueError(f"the schedule's rates are all 0 up to step {now}, the last of the history")
    finite = (values > 0) & (values < LARGEST)
    lost = at[~finite].tolist()
    since = [s for s in lost if not finite.any() or s > at[finite][-1]]
    if len(since) >= DIVERGED:
        alarms.append(
            Caution(
                "diverged",
                "serious",
                f"the losses from step {int(min(since))} on are not finite or not above 0",
            )
        )
    train, held = _pair(table, loss, values)
    parting = None if held is None else parted(at, train, held, SINCE * now)
    alarms += [parting] if parting else []
    kept = finite.copy()
    used = finite & (at > SINCE * now)
    kept[used] = ~_spikes(np.log(values[used]))
    spikes = at[finite & ~kept].astype(int).tolist()
    if spikes:
        # Several of late are an instability, single ones a bad batch.
        many = sum(step > (1 - LATE) * now for step in spikes) >= DIVERGED
        told.append(
            Caution(
                "spikes",
                "warning" if many else "info",
                f"{len(spikes)} loss{'es' * (len(spikes) > 1)} far above or below the neighbours set apart, "
                f"the last at step {spikes[-1]}" + ("; spikes have become frequent" if many else ""),
            )
        )
    return Run(
        at[kept], values[kept], now, int(steps), planned, int(np.sum(~kept)), tuple(alarms), tuple(told)
    )


def _other(table: Any, names: tuple[str, ...], n: int, loss: str = "") -> np.ndarray | None:
    """The first column of n cells of these names but for the loss, with gaps; None where there is none."""
    wanted = {same_name(name) for name in names} - {same_name(loss)}
    for column in table:
        if same_name(column) in wanted and np.shape(table[column]) == (n,):
            cells = [number(cell) for cell in list(table[column])]
            return np.array([np.nan if cell is None else cell for cell in cells], float)
    return None


def _pair(table: Any, loss: str, values: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Losses in training and on held-out data, the loss asked for being one of them."""
    is_held = same_name(loss) in {same_name(name) for name in HELD_OUT}
    if not is_held and (held := _other(table, HELD_OUT, len(values), loss)) is not None:
        return values, held
    train = _other(table, TRAINING, len(values), loss)
    return (values, None) if train is None else (train, values)


def _one_run(table: Any, one: str | None) -> Any:
    """The rows of one run; ValueError that names the runs where it is not clear which."""
    if "run" not in table:
        if one is not None:
            raise ValueError(f"the history has no column 'run', so it has no run {one!r}; leave run out")
        return table
    labels = [str(label) for label in table["run"]]
    runs = list(dict.fromkeys(labels))
    known = ", ".join(map(repr, runs[:8])) + (f" and {len(runs) - 8} more" if len(runs) > 8 else "")
    if one is None and len(runs) > 1:
        raise ValueError(
            f"the history holds more than one run ({known}); "
            f"give one of them with run={runs[0]!r} (--run {runs[0]})"
        )
    if one is not None and one not in runs:
        raise ValueError(f"the history has no run {one!r}; it has {known or 'none'}")
    if one is None:
        return table
    rows = np.array([label == one for label in labels])
    return {name: np.asarray(table[name])[rows] for name in table}


def _rows_of_log(log: Any) -> dict[str, np.ndarray]:
    """What a forecast looks at of a log's rows, with those whose loss is not finite, which its reader sets
    apart, and those that repeat the last step where they are many."""
    reason = np.asarray(log.left_out["reason"], object).astype(str)
    lost = np.isin(reason, ("NaN", "infinite"))
    if "step" in log.table and len(log.table["step"]):
        again = (reason == "repeated") & (np.asarray(log.left_out["step"]) == np.max(log.table["step"]))
        lost |= again & (np.sum(again) >= STALLED)
    others = {same_name(name) for name in (*HELD_OUT, *TOKENS)}
    names = [n for n in log.table if n in ("run", "step", "loss", "lr") or same_name(n) in others]
    names = [name for name in names if name in log.left_out]
    parts = {name: (np.asarray(log.table[name]), np.asarray(log.left_out[name])[lost]) for name in names}
    if "step" not in parts:
        raise ValueError("the log has no steps, which a forecast needs")
    order = np.argsort(np.concatenate(parts["step"]), kind="stable")
    return {name: np.concatenate(part)[order] for name, part in parts.items()}


def _rates(given: Any) -> np.ndarray:
    if isinstance(given, str):
        return schedules.from_text(given)
    try:
        rates = np.asarray(given, float)
    except (TypeError, ValueError, OverflowError):
        rates = np.zeros(0)
    if (
        rates.ndim != 1
        or not len(rates)
        or not np.all(np.isfinite(rates))
        or np.any(rates < 0)
        or not np.any(rates > 0)
    ):
        raise ValueError("schedule must be the learning rate of every step, zero or positive, not all zero")
    return rates


def _believed(
    logged: np.ndarray, planned: np.ndarray, at: np.ndarray, loss: np.ndarray, told: list[Caution]
) -> np.ndarray:
    """Rates as logged, without those of 0 that the plan has not and under which
    the loss falls all the same."""
    there = planned[np.clip(at - 1, 0, len(planned) - 1).astype(int)]
    zero = np.flatnonzero((logged == 0) & (at >= 1) & (there > 0.01 * planned.max()))
    fine = zero[(loss[zero] > 0) & (loss[zero] < LARGEST)]
    if not len(zero):
        return logged
    if len(fine) >= FEWEST:
        logs, third = np.log(loss[fine]), len(fine) // 3
        change = np.diff(logs)
        noise = 1.4826 * float(np.median(np.abs(change - np.median(change))))
        if np.median(logs[:third]) - np.median(logs[-third:]) < max(3 * noise / np.sqrt(third), CLOSE):
            return logged
    told.append(
        Caution(
            "rates-set-aside",
            "warning",
            f"the rate is logged as 0 in {len(zero)} rows, from step {int(at[zero[0]])} to "
            f"{int(at[zero[-1]])}, where the schedule has up to "
            f"{there[zero].max():.4g} and the loss falls; these rates "
            "are set aside and the schedule is taken",
        )
    )
    return np.where(np.isin(np.arange(len(logged)), zero), np.nan, logged)


def _as_logged(planned: np.ndarray, at: np.ndarray, logged: np.ndarray, alarms: list[Caution]) -> np.ndarray:
    """The schedule with the rates that were logged where they differ from it."""
    known = ~np.isnan(logged) & (at >= 1)
    if not known.any():
        return planned
    at, logged = at[known].astype(int), logged[known]
    # A trainer that counts from 0 logs the rate of one step before or after.
    near = np.stack([planned[np.clip(at - 1 + shift, 0, len(planned) - 1)] for shift in (-1, 0, 1)])
    bound = 0.01 * planned.max()
    off = (logged < near.min(axis=0) - bound) | (logged > near.max(axis=0) + bound)
    if not off.any():
        return planned
    first = int(np.argmax(off))
    alarms.append(
        Caution(
            "rate-off-plan",
            "serious",
            f"the rate logged at step {at[first]} is {logged[first]:.4g}, the schedule has "
            f"{planned[at[first] - 1]:.4g} there; the forecast takes what was logged, then the schedule",
        )
    )
    rates = planned.copy()
    inside = np.arange(at[0], at[-1] + 1)
    rates[inside - 1] = np.interp(inside, at, logged)
    return rates


def _spikes(log_loss: np.ndarray, reach: int = 3) -> np.ndarray:
    """Losses far from the median of their neighbours. The last ones are none:
    a divergence begins like a spike."""
    spike = np.zeros(len(log_loss), bool)
    if len(log_loss) < 4 * reach:
        return spike
    around = np.lib.stride_tricks.sliding_window_view(log_loss, 2 * reach + 1)
    off = np.abs(around[:, reach] - np.median(np.delete(around, reach, axis=1), axis=1))
    spike[reach:-reach] = off > SPIKE * max(1.4826 * float(np.median(off)), 1e-4)
    return spike
