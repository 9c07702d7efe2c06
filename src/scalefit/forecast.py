"""Where a running loss curve will end under the schedule planned for it, and whether it is still on course.

    sf.forecast(history, sf.schedule.cosine(24_000, 3e-4, 3e-5, warmup=2160))

The losses seen are a curve law (`lr_annealing` unless told otherwise) plus a smooth departure from it plus noise. The
departure is a random walk in log step, in level and in slope, so that the last losses say most about those to come, and the interval
widens with the log of what is left. Given the exponents, the law is linear in its other coefficients and all of this is a normal
distribution, known in closed form; the exponents and the two scales are averaged over by importance sampling from wide priors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtr

from scalefit import laws, tables
from scalefit import schedule as schedules
from scalefit.core.law import Law
from scalefit.core.starts import linear
from scalefit.frames import frame
from scalefit.result import Caution

__all__ = ["Forecast", "forecast"]

# The losses are averaged into this many stretches, even in log step, and looked at from this share of the run so far on.
BLOCKS, SINCE = 48, 0.2
# Fewer losses than this say nothing yet.
FEWEST = 8
# A rate counts as what it was to within this share of the peak.
CLOSE = 1e-3
# Points of the curve ahead.
PLACES = 33
# Importance sampling: rounds, draws in each, Student's degrees of freedom of the proposals, draws taken in the end.
ROUNDS, PER_ROUND, FREEDOM, TAKEN = 8, 150, 8.0, 2000
# Departure from the law: standard deviation of its level per e-fold of steps, as log of (median, factor), and how much faster
# its slope changes than its level (variance ratio). Without the rates what they do is departure too.
WALK, WALK_WITHOUT_RATES, SLOPE = (np.log(0.006), 1.0), (np.log(0.015), 1.2), 4.0
# Log of the noise over what neighbouring losses say it is.
NOISE = (0.0, 0.7)
# So many losses at the end that are not finite are no slip.
DIVERGED = 3
# Beyond this a loss is as good as infinite: its square is.
LARGEST = 1e100
# Losses this many usual deviations from the median of their neighbours are spikes.
SPIKE = 8.0
# Odds of a step out of the forecast made without the last losses, below which a run is off course: see benchmarks/forecasts.md.
ODDS = 1e-4

# What is known of coefficients before a run: (centre, spread) on the real line of the coefficient's support for those that
# enter non-linearly, in the coefficient's unit (`Coef.unit`, at the last loss and the highest rate) for the rest. Wide for floor,
# amplitude and exponent. What annealing wins, C / (1 - lam) times the peak rate, is 3 to 8 % of the loss in public
# runs (medians of three families 3.6, 4.5 and 5.3 %: benchmarks/forecasts.md). lam: 1 / (1 - lam) as a share of the run.
PRIORS: dict[str, dict[str, tuple[float, float]]] = {
    "lr_annealing": {"L0": (0.6, 0.4), "A": (0.4, 0.4), "C": (0.048, 0.012), "alpha": (np.log(0.4), 0.5),
                     "lam": (np.log(0.04), 1.0)},
    "multi_power": {"L0": (0.6, 0.4), "A": (0.4, 0.4), "B": (0.048, 0.012), "alpha": (np.log(0.4), 0.5),
                    "C": (np.log(2.1), 1.0), "beta": (np.log(0.59), 0.3), "gamma": (np.log(0.65), 0.2)},
    "power_floor": {"E": (0.6, 0.4), "A": (0.4, 0.4), "alpha": (np.log(0.4), 0.5)},
}  # fmt: skip
OF_THE_RUN = {"lr_annealing": ("lam",)}
# Floors and amplitudes of learning are a run's own, and not handed on; what a fall of the rate wins is.
OWN = ("L0", "E", "A", "c1")


@dataclass(frozen=True, eq=False)
class Forecast:
    """Where a run will end.

    loss, lo, hi: the loss at the last step `steps` and the ends of its interval; for the curve (kind "mean") or for one logged
    loss (kind "run"), which has noise. step: the last step seen. last: the loss then, or the last finite one. ahead: a frame of the curve to come: step, lr (where rates are
    known), loss, lo, hi. alarms: what speaks against the run being on course; warnings: what speaks against the forecast.
    coefs: law's coefficient -> (mean, standard deviation). apart: losses left out as spikes or not finite. draws: of the last
    loss. learnt: what `like=` takes over to other runs.
    """

    law: str
    level: float
    kind: str
    step: int
    steps: int
    last: float
    loss: float
    lo: float
    hi: float
    ahead: Any
    alarms: tuple[Caution, ...]
    warnings: tuple[Caution, ...]
    coefs: Mapping[str, tuple[float, float]]
    rows: int
    apart: int
    draws: np.ndarray
    learnt: Mapping[str, tuple[float, float]]

    @property
    def diverged(self) -> bool:
        """The last losses are not finite; there is no forecast then."""
        return any(alarm.code == "diverged" for alarm in self.alarms)

    @property
    def on_course(self) -> bool:
        """No alarm."""
        return not self.alarms

    def chance(self, target: float) -> float:
        """The probability that the run ends at this loss or below; NaN where there is no forecast."""
        return float(np.mean(self.draws <= target)) if len(self.draws) else np.nan

    def __repr__(self) -> str:
        lines = [*map(str, self.alarms), *map(str, self.warnings)]
        share = f"step {self.step} of {self.steps} ({self.step / self.steps:.0%})"
        if np.isnan(self.loss):
            return "\n".join([*lines, f"{share}: {'diverged' if self.diverged else 'no forecast yet'}"])
        what = "loss logged" if self.kind == "run" else "loss"
        lines.append(
            f"{share}: {what} at the end {self.loss:.4g}, {self.level:.0%} interval {self.lo:.4g} to {self.hi:.4g}"
        )
        left_out = f", {self.apart} set apart" if self.apart else ""
        return "\n".join([*lines, f"{self.law}, {self.rows} losses{left_out}"])


def forecast(history: Any, schedule: Any = None, law: str | Law | None = None, level: float = 0.9, *, steps: int | None = None,
             kind: str = "mean", like: Forecast | Sequence[Forecast] = (), loss: str = "loss", step: str = "step", lr: str = "lr",
             key: int = 0) -> Forecast:  # fmt: skip
    """The final loss of a run with an interval, the curve ahead, and whether the run is on course.

    history: the run so far, a frame, a dict or the path of a table, one row per logged loss, with columns `step` (from 1) and `loss`,
    and `lr` where it was logged; or what `sf.read_log` returns. schedule: the rate of every step of the whole run, as
    `sf.schedule` gives it, or its text, "cosine(24000, 3e-4, warmup=2160)"; another one than the run's says how it would end if it went on so (the past counts as logged). Without
    rates give `steps`, the length of the run. law: `lr_annealing` with rates, `power_floor` in steps without; or any other law
    over curves or of one input. like: forecasts of earlier runs, made at their end: their exponents, gain from annealing and departure from the law are where this
    one starts from. kind: "mean" for the curve, "run" for one logged loss with its noise. Noise is taken as independent from loss to
    loss: where it hangs together over several, as in running means, the interval of "run" is too wide (four times, simulated
    with an autocorrelation of 0.9), and where it does over more than a thirtieth of the run it is told from the curve no more.

    Without rates intervals are too narrow: on 158 public runs, looked at from 20 to 80 %, the 90 % interval held 71 to 84 %, see benchmarks/forecasts.md.

    An alarm: "diverged" (the last losses are not finite; there is no forecast then), "rate-off-plan" (the logged rates are not the schedule's), "worse" or
    "better" (the last losses lie where the run before them says they should not, by odds of 1 to 10,000: of 116 public runs looked
    at twenty times each, 3 raised one, all three after their loss had turned up). A warning "too-early" where there are fewer than 8 usable losses after the warm-up: then loss is NaN and the
    interval without ends. Losses in the first fifth of the run so far, and within one and a half warm-ups, are not used.

    Raises ValueError for columns that are missing or not numbers, steps that do not rise, a run past its end, rates that are all 0
    so far, and a law that needs other inputs; KeyError for an unknown law.
    """
    if not (isinstance(level, Real) and 0 < level < 1):
        raise ValueError(f"level must lie between 0 and 1, got {tables.short(level)}")
    if kind not in ("mean", "run"):
        raise ValueError(f'kind must be "mean" or "run", got {kind!r}')
    run = _read(history, schedule, steps, loss, step, lr)
    chosen = _law(law, run)
    prior = _prior(chosen, run, _earlier(like))
    places = np.unique(np.round(np.linspace(run.now, run.steps, PLACES)))
    at = {
        "step": places.astype(int),
        **({} if run.rates is None else {"lr": run.rates[places.astype(int) - 1]}),
    }
    fixed: dict[str, Any] = {"law": chosen.name, "level": level, "kind": kind, "step": run.now, "steps": run.steps, "rows": run.usable,
             "apart": run.apart, "last": float(run.loss[-1]) if len(run.loss) else np.nan}  # fmt: skip
    early = Caution("too-early", "info", f"only {run.usable} losses after the warm-up and the first transient; "
                    f"{FEWEST} are needed")  # fmt: skip
    if any(alarm.code == "diverged" for alarm in run.alarms) or run.usable < FEWEST:
        return Forecast(**fixed, loss=np.nan, lo=0.0, hi=np.inf, ahead=frame([]).reindex(columns=[*at, "loss", "lo", "hi"]), coefs={},
                        alarms=run.alarms, warnings=() if run.usable >= FEWEST else (early,), draws=np.zeros(0), learnt={})  # fmt: skip
    seen = _posterior(chosen, prior, run, places, key)
    draws = seen.draws(key, noise=kind == "run")
    lo, middle, hi = np.quantile(draws, ((1 - level) / 2, 0.5, (1 + level) / 2), axis=0)
    columns = {**at, "loss": middle, "lo": lo, "hi": hi}
    ahead = frame(dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    alarms = (*run.alarms, *filter(None, [_off_course(chosen, prior, run, key)]))
    return Forecast(**fixed, loss=float(middle[-1]), lo=float(lo[-1]), hi=float(hi[-1]), ahead=ahead, coefs=seen.coefs, alarms=alarms,
                    warnings=_warnings(chosen, run, seen), draws=draws[:, -1], learnt=seen.learnt)  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Run:
    """A run so far: steps and losses (n,) without spikes, the rates of all steps (steps,) where known."""

    step: np.ndarray
    loss: np.ndarray
    now: int
    steps: int
    rates: np.ndarray | None
    apart: int
    alarms: tuple[Caution, ...]

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
        return int(np.sum(self.step > self.start))

    @cached_property
    def noise(self) -> float:
        """Standard deviation of the log of one loss, by the differences of neighbours."""
        change = np.diff(np.log(self.loss[self.step > self.start]))
        return max(1.4826 * float(np.median(np.abs(change - np.median(change)))) / np.sqrt(2), 1e-5)

    def until(self, n: int) -> _Run:
        """The run as it was after its first n losses."""
        return _Run(
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


class _Seen(NamedTuple):
    """What the losses say: weights (k,) of sampled exponents and scales, and for each the curve's mean and variance (k, places)."""

    weight: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    noise: np.ndarray
    coefs: dict[str, tuple[float, float]]
    learnt: dict[str, tuple[float, float]]

    def draws(self, key: int, noise: bool, n: int = TAKEN) -> np.ndarray:
        """Losses (n, places) at each place; one draw's places are not of one curve."""
        random = np.random.default_rng([key, 1])
        taken = random.choice(len(self.weight), n, p=self.weight)
        variance = self.variance[taken] + (self.noise[taken, None] ** 2 if noise else 0.0)
        return self.mean[taken] + np.sqrt(np.maximum(variance, 0.0)) * random.standard_normal(variance.shape)


def _read(history: Any, schedule: Any, steps: int | None, loss: str, step: str, lr: str) -> _Run:
    """The history checked, spikes set apart, and the rates of the whole run."""
    table = _rows_of_log(history) if hasattr(history, "left_out") else tables.columns_of(history)
    if "run" in table and len(set(table["run"])) > 1:
        raise ValueError("the history holds more than one run; give one of them")
    at = tables.numbers(table[tables.find(table, step, "step")], f"column {step!r}", "not negative")
    cells = [tables.number(cell) for cell in list(table[tables.find(table, loss, "loss")])]
    if None in cells:
        raise ValueError(
            f"column {loss!r} has no number in row {cells.index(None)}; correct it or leave the row out"
        )
    values = np.array(cells, float)
    tables.same_length(f"column {loss!r}", len(values), len(at), f"column {step!r}")
    if not len(at):
        raise ValueError("the history has no rows yet")
    if np.any(np.diff(at) <= 0):
        row = int(np.argmax(np.diff(at) <= 0)) + 1
        raise ValueError(f"column {step!r} does not rise in row {row}; give one run, sorted, each step once")
    now = int(at[-1])
    planned = None if schedule is None else _rates(schedule)
    if planned is not None and steps not in (None, len(planned)):
        raise ValueError(f"steps is {steps} and the schedule has {len(planned)}; leave steps out")
    if planned is None and steps is None:
        raise ValueError("how long the run will be is not clear; give its schedule or steps=")
    steps = schedules._whole(steps, "steps", 1) if planned is None else len(planned)
    if now > steps:
        raise ValueError(f"the history is at step {now}, past the end of the run at {steps}")
    alarms: list[Caution] = []
    if planned is not None and lr in table:
        logged = tables.numbers(table[lr], f"column {lr!r}", "not negative", gaps=True)
        tables.same_length(f"column {lr!r}", len(logged), len(at), f"column {step!r}")
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
    kept = finite.copy()
    used = finite & (at > SINCE * now)
    kept[used] = ~_spikes(np.log(values[used]))
    return _Run(at[kept], values[kept], now, int(steps), planned, int(np.sum(~kept)), tuple(alarms))


def _rows_of_log(log: Any) -> dict[str, np.ndarray]:
    """What a forecast looks at of a log's rows, with those whose loss is not finite, which its reader sets apart."""
    lost = np.isin(np.asarray(log.left_out["reason"], object).astype(str), ("NaN", "infinite"))
    names = [name for name in ("run", "step", "loss", "lr") if name in log.table]
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
    except (TypeError, ValueError):
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
    alarms.append(Caution("rate-off-plan", "serious", f"the rate logged at step {at[first]} is {logged[first]:.4g}, the schedule has "
                          f"{planned[at[first] - 1]:.4g} there; the forecast takes what was logged, then the schedule"))  # fmt: skip
    rates = planned.copy()
    inside = np.arange(at[0], at[-1] + 1)
    rates[inside - 1] = np.interp(inside, at, logged)
    return rates


def _spikes(log_loss: np.ndarray, reach: int = 3) -> np.ndarray:
    """Losses far from the median of their neighbours. The last ones are none: a divergence begins like a spike."""
    spike = np.zeros(len(log_loss), bool)
    if len(log_loss) < 4 * reach:
        return spike
    around = np.lib.stride_tricks.sliding_window_view(log_loss, 2 * reach + 1)
    off = np.abs(around[:, reach] - np.median(np.delete(around, reach, axis=1), axis=1))
    spike[reach:-reach] = off > SPIKE * max(1.4826 * float(np.median(off)), 1e-4)
    return spike


def _earlier(like: Any) -> tuple[Forecast, ...]:
    found = (like,) if isinstance(like, Forecast | str) or not isinstance(like, Iterable) else tuple(like)
    if not all(isinstance(other, Forecast) for other in found):
        raise ValueError("like must be a forecast of an earlier run, or a list of them")
    return found


def _law(law: str | Law | None, run: _Run) -> Law:
    name = law or ("power_floor" if run.rates is None else "lr_annealing")
    chosen = name if isinstance(name, Law) else laws.get(name)
    if chosen.whole and run.rates is None:
        raise ValueError(f"{chosen.name!r} looks at the learning rate; give the schedule")
    if not (
        set(chosen.inputs) <= {"step", "eta", "curve"}
        if chosen.whole
        else len(chosen.inputs) == 1 and not chosen.labels
    ):
        raise ValueError(
            f"{chosen.name!r} takes {', '.join(chosen.inputs)}; a forecast needs a law over one curve, or of one input"
        )
    return chosen


def _prior(law: Law, run: _Run, like: Sequence[Forecast]) -> dict[str, tuple[float, float]]:
    """(centre, spread) of every coefficient, of the departure's scale and of the noise's."""
    known = PRIORS.get(law.name)
    if known is None:
        # Usual values of a law that nobody has forecast with: on the real line, or as many units.
        known = {coef.name: (0.5, 1.0) if coef.name in linear(law) else _usual(coef) for coef in law.coefs}
    prior = dict(known) | {"walk": WALK if law.whole else WALK_WITHOUT_RATES, "noise": NOISE}
    for name in OF_THE_RUN.get(law.name, ()):
        prior[name] = prior[name][0] + np.log(run.steps), prior[name][1]
    for other in like:
        if other.law != law.name:
            raise ValueError(f"like holds a forecast by {other.law!r}; this one is by {law.name!r}")
    others = [other.learnt for other in like if other.learnt]
    for name in others[0] if others else ():
        spread = known.get(name, prior[name])[1]
        found = np.array([learnt[name] for learnt in others])
        mean = float(np.mean(found[:, 0]))
        # Runs differ by what they are seen to differ by; one guess at it is half of the usual spread.
        between = ((spread / 2) ** 2 + np.sum((found[:, 0] - mean) ** 2)) / len(others)
        shift = np.log(run.steps) if name in OF_THE_RUN.get(law.name, ()) else 0.0
        doubt = float(np.sqrt(between * (1 + 1 / len(others)) + np.mean(found[:, 1] ** 2)))
        prior[name] = mean + shift, min(doubt, spread)
    return prior


def _usual(coef) -> tuple[float, float]:
    lo, hi = (float(coef.support.to_real(end)) for end in coef.typical)
    return (lo + hi) / 2, max(hi - lo, 1e-3) / 2


def _columns(law: Law, values: Mapping[str, np.ndarray], x: Mapping[str, np.ndarray]) -> np.ndarray:
    """What each linear coefficient adds to the curve for 1 of it, (draws, rows, linear), for `values` (draws,) of the others.

    In numpy, each draw as a curve of its own: no device is touched, and nothing compiles.
    """
    parts, n = linear(law), len(next(iter(x.values())))
    k = len(next(iter(values.values()))) if values else 1
    rows = [np.repeat(np.arange(k), n) if name == "curve" else np.tile(x[name], k) for name in law.inputs]
    each = {name: np.repeat(column, n) for name, column in values.items()}
    unit = [{part: 1.0 * (part == name) for part in parts} for name in parts]
    try:
        columns = [np.broadcast_to(law.fn(*rows, **each, **one), (k * n,)).reshape(k, n) for one in unit]
    except ValueError:
        # A law that sums over places in its past takes one value of a coefficient at a time.
        given = [x[name] for name in law.inputs]
        draws = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
        columns = [
            np.stack([np.broadcast_to(law.fn(*given, **draw, **one), (n,)) for draw in draws]) for one in unit
        ]
    return np.stack(columns, axis=2)


def _posterior(
    law: Law, prior: Mapping[str, tuple[float, float]], run: _Run, places: np.ndarray, key: int
) -> _Seen:
    at, loss, count = run.blocks()
    scale = loss[-1]
    names = tuple(name for name in law.names if name not in linear(law))
    sampled = (*names, "walk", "noise")
    centre, spread = (np.array([prior[name][k] for name in sampled]) for k in (0, 1))
    rows, seen, ahead = _rows(run, at, places, law)
    supports = [law.coefs[law.names.index(name)].support for name in names]
    mean, sd = (np.array([prior[name][k] for name in linear(law)]) for k in (0, 1))
    walk = _walk(at, at, places)
    middle = {"y": scale, "step": at[-1], "eta": 1.0 if run.rates is None else run.rates[: run.now].max(), **{
        name: at[-1] for name in law.inputs if not law.whole}}  # fmt: skip

    def answer(theta: np.ndarray) -> _Normal:
        values = {
            name: support.from_real(theta[:, k], xp=np)
            for k, (name, support) in enumerate(zip(names, supports, strict=True))
        }
        unit = np.stack(
            [
                np.broadcast_to(law.coefs[law.names.index(name)].size(middle | values), len(theta))
                for name in linear(law)
            ],
            1,
        )
        design = _columns(law, values, rows) * unit[:, None, :] / scale
        return _normal(design[:, seen], design[:, ahead], loss / scale, run.noise * np.exp(theta[:, -1:]) / np.sqrt(count) * loss / scale,
                       np.exp(theta[:, -2]), walk, mean, sd, unit)  # fmt: skip

    # Exponents far out overflow, and have no weight.
    with np.errstate(all="ignore"):
        theta, weight, found = _sample(answer, centre, spread, key)
    exponents = {name: _moments(support.from_real(theta[:, k], xp=np), weight)
                 for k, (name, support) in enumerate(zip(names, supports, strict=True))}  # fmt: skip
    rest = {
        name: _moments(found.coefs[:, k], weight, found.variances[:, k]) for k, name in enumerate(linear(law))
    }
    learnt = {name: _moments(theta[:, k], weight) for k, name in enumerate((*names, "walk"))}
    for name in OF_THE_RUN.get(law.name, ()):
        learnt[name] = learnt[name][0] - np.log(run.steps), learnt[name][1]
    for k, name in enumerate(linear(law)):
        if name not in OWN:
            learnt[name] = _moments(
                found.coefs[:, k] / found.unit[:, k], weight, found.variances[:, k] / found.unit[:, k] ** 2
            )
    return _Seen(weight, found.mean * scale, found.variance * scale**2, run.noise * np.exp(theta[:, -1]) * scale,
                 {name: (exponents | rest)[name] for name in law.names}, learnt)  # fmt: skip


def _rows(
    run: _Run, at: np.ndarray, places: np.ndarray, law: Law
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """The law's inputs at the losses, at the places ahead and where the rate bends; and which rows are which."""
    if not law.whole:
        return (
            {law.inputs[0]: np.concatenate([at, places])},
            np.arange(len(at)),
            np.arange(len(at), len(at) + len(places)),
        )
    bends, rates = run.knots()
    steps = np.concatenate([bends, at, places])
    order = np.argsort(steps, kind="stable")
    position = np.argsort(order, kind="stable")
    eta = np.interp(steps, bends, rates)
    x = {"step": steps[order], "eta": eta[order], "curve": np.zeros(len(order))}
    first = len(bends)
    return (
        {name: x[name] for name in law.inputs},
        position[first : first + len(at)],
        position[first + len(at) :],
    )


class _Walk(NamedTuple):
    """Covariances of the departure of unit scale: between losses, of places with losses, at places."""

    seen: np.ndarray
    across: np.ndarray
    ahead: np.ndarray


def _walk(at: np.ndarray, start: np.ndarray, places: np.ndarray) -> _Walk:
    """Level and slope random walks in log step, from the first loss: min(u, v) + SLOPE min^2 (3 max - min) / 6."""

    def covariance(u, v):
        lo, hi = np.minimum(u, v), np.maximum(u, v)
        return lo + SLOPE * lo**2 * (3 * hi - lo) / 6

    u, v = np.log(at / start[0]), np.log(places / start[0])
    return _Walk(covariance(u[:, None], u), covariance(v[:, None], u), covariance(v, v))


class _Normal(NamedTuple):
    """For each draw of exponents and scales: log evidence (k,), the curve ahead, and the linear coefficients with their units."""

    evidence: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    coefs: np.ndarray
    variances: np.ndarray
    unit: np.ndarray


def _normal(design, ahead, z, noise, walk, kernel: _Walk, mean, sd, unit) -> _Normal:
    """Regression on `design` (k, n, p) with normal coefficients, departure `walk` (k,) and noise (k, n), in closed form."""
    spread = design * sd**2
    covariance = walk[:, None, None] ** 2 * kernel.seen + spread @ np.swapaxes(design, 1, 2)
    each = np.arange(len(z))
    # For exponents that no run has, the first losses would have variances that leave the others no digits.
    largest = np.max(covariance[:, each, each], axis=1, keepdims=True)
    covariance[:, each, each] += noise**2 + 1e-11 + 1e-13 * largest
    across = walk[:, None, None] ** 2 * kernel.across + (ahead * sd**2) @ np.swapaxes(design, 1, 2)
    alone = walk[:, None] ** 2 * kernel.ahead + np.sum((ahead * sd) ** 2, axis=2)
    root = np.linalg.cholesky(covariance)
    white = np.linalg.inv(root)
    w = np.einsum("kij,kj->ki", white, z - design @ mean)
    pull, own = white @ np.swapaxes(across, 1, 2), white @ spread
    evidence = -0.5 * np.sum(w**2, axis=1) - np.sum(np.log(np.diagonal(root, axis1=1, axis2=2)), axis=1)
    return _Normal(evidence, ahead @ mean + np.einsum("kij,ki->kj", pull, w), alone - np.sum(pull**2, axis=1),
                   (mean + np.einsum("kij,ki->kj", own, w)) * unit, (sd**2 - np.sum(own**2, axis=1)) * unit**2, unit)  # fmt: skip


def _sample(
    answer, centre: np.ndarray, spread: np.ndarray, key: int
) -> tuple[np.ndarray, np.ndarray, _Normal]:
    """Draws of the exponents and scales (k, q) with weights (k,), from proposals that learn from round to round.

    The first round is the prior; each further one Student's t with the moments of the round before, whose weights are tempered until
    at least a fifth of its draws count.
    """
    random, q = np.random.default_rng(key), len(centre)
    middle, root = centre, np.diag(spread)
    kept = []
    for k in range(ROUNDS):
        z = random.standard_normal((PER_ROUND, q))
        if k:
            z /= np.sqrt(random.chisquare(FREEDOM, PER_ROUND) / FREEDOM)[:, None]
        theta = middle + z @ root.T
        found = answer(theta)
        size = np.sum(z**2, axis=1)
        proposal = (-(FREEDOM + q) / 2 * np.log1p(size / FREEDOM) if k else -size / 2) - np.sum(
            np.log(np.diagonal(root))
        )
        target = found.evidence - 0.5 * np.sum(((theta - centre) / spread) ** 2, axis=1)
        log_weight = np.where(np.isfinite(target), target - proposal, -np.inf)
        if k:
            kept.append((theta, log_weight, found))
        weight = _tempered(log_weight)
        middle = weight @ theta
        off = (theta - middle) * np.sqrt(weight)[:, None]
        root = 1.1 * np.linalg.cholesky(off.T @ off + 1e-6 * np.diag(spread**2))
    theta, log_weight = (np.concatenate([part[k] for part in kept]) for k in (0, 1))
    weight = np.exp(log_weight - log_weight.max())
    return (
        theta,
        weight / weight.sum(),
        _Normal(*(np.concatenate(parts) for parts in zip(*(part[2] for part in kept), strict=True))),
    )


def _tempered(log_weight: np.ndarray) -> np.ndarray:
    heat = 1.0
    while True:
        weight = np.exp((log_weight - log_weight.max()) / heat)
        weight /= weight.sum()
        if heat > 1e6 or 1 / np.sum(weight**2) >= len(weight) / 5:
            return weight
        heat *= 1.3


def _moments(values: np.ndarray, weight: np.ndarray, variance: Any = 0.0) -> tuple[float, float]:
    """Mean and standard deviation of values known to within a variance; those without weight may be infinite."""
    counted = weight > 0
    values, weight, variance = (
        values[counted],
        weight[counted],
        np.broadcast_to(variance, len(weight))[counted],
    )
    mean = float(weight @ values)
    return mean, float(np.sqrt(max(weight @ ((values - mean) ** 2 + variance), 0.0)))


def _off_course(law: Law, prior: Mapping[str, tuple[float, float]], run: _Run, key: int) -> Caution | None:
    """Whether the last losses lie where the run before them says they should not."""
    n = max(3, int(np.sum(run.step > 0.95 * run.now)))
    before = run.until(len(run.step) - n) if len(run.step) > n else None
    if before is None or before.usable < FEWEST:
        return None
    last = run.loss[-n:]
    seen = _posterior(law, prior, before, np.array([np.exp(np.mean(np.log(run.step[-n:])))]), key)
    sd = np.sqrt(np.maximum(seen.variance[:, 0] + seen.noise**2 / n, 0.0))
    off = (np.mean(last) - seen.mean[:, 0]) / sd
    above = float(seen.weight @ ndtr(-off))
    below = float(seen.weight @ ndtr(off))
    if min(above, below) > ODDS:
        return None
    code = "worse" if above < below else "better"
    expected = float(seen.weight @ seen.mean[:, 0])
    return Caution(code, "serious" if code == "worse" else "info", f"the last {n} losses average {np.mean(last):.4g}; the run up to step "
                   f"{before.now} let {expected:.4g} be expected")  # fmt: skip


def _warnings(law: Law, run: _Run, seen: _Seen) -> tuple[Caution, ...]:
    found = []
    if run.rates is None or not law.whole:
        why = (
            "the learning rate of the steps to come is not known"
            if run.rates is None
            else f"{law.name} does not look at the rate"
        )
        found.append(Caution("no-rates", "info", f"{why}; a decay still to come would lower the end"))
    elif (
        run.rates[: run.now].min(initial=np.inf, where=np.arange(run.now) > run.start)
        > (1 - CLOSE) * run.rates[: run.now].max()
        > (run.rates[-1] / (1 - CLOSE))
    ):
        found.append(
            Caution(
                "no-decay-yet",
                "info",
                "the rate has not fallen yet; what its fall will win is taken from other runs",
            )
        )
    if law.whole and run.rates is not None and run.rates.max() > 1.01 * run.rates[: run.now].max():
        text = "the rate will rise above any so far; what that costs is the law's word alone"
        found.append(Caution("higher-rate", "info", text))
    if 1 / np.sum(seen.weight**2) < 10:
        found.append(
            Caution(
                "few-draws",
                "warning",
                "fewer than 10 sampled exponents agree with the losses; the interval is rough",
            )
        )
    return tuple(found)
