"""Where a running loss curve will end under the schedule planned for it, and whether it is still on course.

    sf.forecast(history, sf.schedule.cosine(24_000, 3e-4, 3e-5, warmup=2160))

The losses seen are a curve law (`lr_annealing` unless told otherwise) plus a smooth departure from it plus
noise. The departure is a random walk in log step, in level and in slope, so that the last losses say most
about those to come, and the interval widens with the log of what is left. Given the exponents, the law is
linear in its other coefficients and all of this is a normal distribution, known in closed form; the exponents
and the two scales are averaged over by importance sampling from wide priors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

from scalefit import laws
from scalefit.arguments import check_choice, check_level, number
from scalefit.core.data import Data
from scalefit.core.law import Law
from scalefit.core.starts import linear
from scalefit.curves import discrepancy
from scalefit.curves.alarms import turned_up
from scalefit.curves.history import CLOSE, FEWEST, Run, read
from scalefit.fits.pictured import Pictured
from scalefit.fits.status import Caution
from scalefit.frames import Frame, frame
from scalefit.words import short

__all__ = ["Forecast", "forecast"]

# Points of the curve ahead.
PLACES = 33
# Draws taken of the answer.
TAKEN = 2000
# Departure from the law: standard deviation of its level per e-fold of steps, as log of (median, factor).
# Without the rates what they do is departure too.
WALK, WALK_WITHOUT_RATES = (np.log(0.006), 1.0), (np.log(0.015), 1.2)
# Log of the noise over what neighbouring losses say it is.
NOISE = (0.0, 0.7)
# Shares of the run at its end, and the odds of their losses in the forecast made without them below which a
# run is off course: a step out of it shows in few losses, a slow drift in many (benchmarks/forecasts.md).
WINDOWS = ((0.05, 1e-4), (0.3, 1e-3))

# What is known of coefficients before a run: (centre, spread) on the real line of the coefficient's support
# for those that enter non-linearly, in the coefficient's unit (`Coef.unit`, at the last loss and the highest
# rate) for the rest. Wide for floor, amplitude and exponent. What annealing wins, C / (1 - lam) times the
# peak rate, is 3 to 8 % of the loss in public runs (medians of three families 3.6, 4.5 and 5.3 %:
# benchmarks/forecasts.md). lam: 1 / (1 - lam) as a share of the run.
PRIORS: dict[str, dict[str, tuple[float, float]]] = {
    "lr_annealing": {
        "L0": (0.6, 0.4),
        "A": (0.4, 0.4),
        "C": (0.048, 0.012),
        "alpha": (np.log(0.4), 0.5),
        "lam": (np.log(0.04), 1.0),
    },
    "multi_power": {
        "L0": (0.6, 0.4),
        "A": (0.4, 0.4),
        "B": (0.048, 0.012),
        "alpha": (np.log(0.4), 0.5),
        "C": (np.log(2.1), 1.0),
        "beta": (np.log(0.59), 0.3),
        "gamma": (np.log(0.65), 0.2),
    },
    "power_floor": {"E": (0.6, 0.4), "A": (0.4, 0.4), "alpha": (np.log(0.4), 0.5)},
}
OF_THE_RUN = {"lr_annealing": ("lam",)}
# Floors and amplitudes of learning are a run's own, and not handed on; what a fall of the rate wins is.
OWN = ("L0", "E", "A", "c1")


@dataclass(frozen=True, eq=False)
class Forecast(Pictured):
    """Where a run will end.

    loss, lo, hi: the loss at the last step `steps` and the ends of its interval; for the curve (kind "mean")
    or for one logged loss (kind "run"), which has noise. step: the last step seen. last: the loss then, or
    the last finite one. ahead: a frame of the curve to come: step, lr (where rates are known), loss, lo, hi.
    alarms: what speaks against the run being on course; warnings: what speaks against the forecast. coefs:
    law's coefficient -> (mean, standard deviation). apart: losses left out as spikes or not finite. draws: of
    the last loss. learnt: what `like=` takes over to other runs. past: the losses seen, as arrays: step,
    loss, and used, whether the forecast rests on it; rates: of every step of the whole run, where known.
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
    ahead: Frame
    alarms: tuple[Caution, ...]
    warnings: tuple[Caution, ...]
    coefs: Mapping[str, tuple[float, float]]
    rows: int
    apart: int
    draws: np.ndarray
    learnt: Mapping[str, tuple[float, float]]
    data: str = ""
    past: Mapping[str, np.ndarray] = field(default_factory=dict)
    rates: np.ndarray | None = None

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
        value = number(target)
        if value is None or np.isnan(value):
            raise ValueError(f"target must be a loss, got {short(target)}")
        return float(np.mean(self.draws <= value)) if len(self.draws) else np.nan

    def __repr__(self) -> str:
        lines = [*map(str, self.alarms), *map(str, self.warnings)]
        share = f"step {self.step} of {self.steps} ({self.step / self.steps:.0%})"
        if np.isnan(self.loss):
            return "\n".join([*lines, f"{share}: {'diverged' if self.diverged else 'no forecast yet'}"])
        what = "loss logged" if self.kind == "run" else "loss"
        lines.append(
            f"{share}: {what} at the end {self.loss:.4g}, "
            f"{self.level:.0%} interval {self.lo:.4g} to {self.hi:.4g}"
        )
        left_out = f", {self.apart} set apart" if self.apart else ""
        return "\n".join([*lines, f"{self.law}, {self.rows} losses{left_out}"])


def forecast(
    history: Any,
    schedule: Any = None,
    law: str | Law | None = None,
    level: float = 0.9,
    *,
    steps: int | None = None,
    kind: str = "mean",
    like: Forecast | Sequence[Forecast] = (),
    loss: str = "loss",
    step: str = "step",
    lr: str = "lr",
    run: str | None = None,
    key: int = 0,
) -> Forecast:
    """The final loss of a run with an interval, the curve ahead, and whether the run is on course.

    Losses in the first fifth of the run so far, and within one and a half warm-ups, are not used. Without
    rates intervals are too narrow: on 158 public runs, looked at from 20 to 80 %, the 90 % interval held 71
    to 84 %, see benchmarks/forecasts.md.

    Args:
        history: the run so far, a frame or a dict, one row per logged loss, with columns `step` (from 1) and
            `loss`, and `lr` where it was logged;
            or what `sf.read_log` returns, or the path of a log, which is read by it.
        schedule: the rate of every step of the whole run, as `sf.schedule` gives it, or its text,
            "cosine(24000, 3e-4, warmup=2160)"; another one than the run's says how it would end if it went on
            so (the past counts as logged).
        law: `lr_annealing` with rates, `power_floor` in steps without; or any other law over curves or of one
            input.
        level: of the interval, between 0 and 1.
        steps: without rates, the length of the run.
        kind: "mean" for the curve, "run" for one logged loss with its noise. Noise is taken as independent
            from loss to loss: where it hangs together over several, as in running means, the interval of
            "run" is too wide (four times, simulated with an autocorrelation of 0.9), and where it does over
            more than a thirtieth of the run it is told from the curve no more.
        like: forecasts of earlier runs, made at their end: their exponents, gain from annealing and departure
            from the law are where this one starts from.
        loss: the column of losses.
        step: the column of steps.
        lr: the column of rates.
        run: which run, where the history's column `run` has several.
        key: seed of the draws.

    Returns:
        A `Forecast`.

        Its `alarms`: "diverged" (the last losses are not finite; there is no forecast then), "rate-off-plan"
        (the logged rates are not the schedule's), "worse" or "better" (the last twentieth lies where the run
        before it says it should not, by odds of 1 to 10,000: of 116 public runs looked at twenty times each,
        3 raised one, all three after their loss had turned up), or "worse" because, with rates known, the
        last three tenths do, by odds of 1 to 1,000, as where a loss drifts slowly (of 18 of these runs with
        rates none raised it); "turned-up" (averages of the loss rise after their lowest, and the rate has not
        risen), "counter-stalled" (steps, or a column `tokens`, stand still at the end) and "curves-part" (a
        column such as `eval_loss`, or `train_loss` beside an evaluation, no longer follows the other).

        Its `warnings` say first what the log's reader left out, found damaged or chose. They hold "spikes"
        where losses were set apart as such (a warning where they have become frequent) and "too-early"
        where there are fewer than 8 usable losses after the warm-up: then loss is NaN and the interval
        without ends; likewise where the answer lies below zero ("below-zero"), which no loss does: a smaller
        part of it there is cut off, and said.

    Raises:
        ValueError: for columns that are missing or not numbers, steps that do not rise, a run past its end,
            rates that are all 0 so far, a law that needs other inputs, and a level or kind that is none.
        KeyError: for an unknown law.
        TypeError: for a history that is no table.

    Example:
        >>> cosine = sf.schedule.cosine(6000, 3e-4, 3e-5, warmup=200)
        >>> told = sf.forecast({"step": curves["step"][:30], "loss": curves["loss"][:30]}, cosine)
        >>> told.steps, told.lo < told.loss < told.hi, told.on_course
        (6000, True, True)
    """
    level, kind = check_level(level), check_choice(kind, "kind", ("mean", "run"))
    so_far = read(history, schedule, steps, loss, step, lr, run)
    chosen = _law(law, so_far)
    prior = _prior(chosen, so_far, _earlier(like))
    places = np.unique(np.round(np.linspace(so_far.now, so_far.steps, PLACES)))
    at = {
        "step": places.astype(int),
        **({} if so_far.rates is None else {"lr": so_far.rates[places.astype(int) - 1]}),
    }
    fixed: dict[str, Any] = {
        "law": chosen.name,
        "level": level,
        "kind": kind,
        "step": so_far.now,
        "steps": so_far.steps,
        "rows": so_far.usable,
        "apart": so_far.apart,
        "last": float(so_far.loss[-1]) if len(so_far.loss) else np.nan,
        "data": Data({"step": so_far.step}, so_far.loss, np.ones(len(so_far.loss))).hash(),
        "past": {
            "step": so_far.step,
            "loss": so_far.loss,
            "used": so_far.step > so_far.start if len(so_far.step) else np.zeros(0, bool),
        },
        "rates": so_far.rates,
    }
    early = Caution(
        "too-early",
        "info",
        f"only {so_far.usable} losses after the warm-up and the first transient; {FEWEST} are needed",
    )
    none: dict[str, Any] = {
        **fixed,
        "loss": np.nan,
        "lo": 0.0,
        "hi": np.inf,
        "coefs": {},
        "draws": np.zeros(0),
        "learnt": {},
        "ahead": frame([]).reindex(columns=[*at, "loss", "lo", "hi"]),
        "alarms": so_far.alarms,
    }
    if any(alarm.code == "diverged" for alarm in so_far.alarms) or so_far.usable < FEWEST:
        return Forecast(**none, warnings=so_far.told if so_far.usable >= FEWEST else (*so_far.told, early))
    seen = _posterior(chosen, prior, so_far, places, key)
    if seen.below_zero > 0.5:
        lost = Caution(
            "below-zero",
            "serious",
            f"{chosen.name} on these steps, losses and rates ends below zero, where no loss can be; "
            "check that the columns are what they say and that the rates are the run's",
        )
        return Forecast(**none, warnings=(*so_far.told, lost))
    draws = seen.draws(key, noise=kind == "run")
    lo, middle, hi = np.quantile(draws, ((1 - level) / 2, 0.5, (1 + level) / 2), axis=0)
    columns = {**at, "loss": middle, "lo": lo, "hi": hi}
    ahead = frame(dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    turned = turned_up(*so_far.blocks(), so_far.noise, so_far.rates)
    alarms = (*so_far.alarms, *filter(None, [turned, _off_course(chosen, prior, so_far, key)]))
    return Forecast(
        **fixed,
        loss=float(middle[-1]),
        lo=float(lo[-1]),
        hi=float(hi[-1]),
        ahead=ahead,
        coefs=seen.coefs,
        alarms=alarms,
        warnings=(*so_far.told, *_warnings(chosen, so_far, seen)),
        draws=draws[:, -1],
        learnt=seen.learnt,
    )


class _Seen(NamedTuple):
    """What the losses say: weights (k,) of sampled exponents and scales,
    and for each the curve's mean and variance (k, places)."""

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
        mean, sd = self.mean[taken], np.sqrt(np.maximum(variance, 0.0))
        drawn = mean + sd * random.standard_normal(variance.shape)
        # No loss lies below zero: such draws are made anew from the part of their normal above it.
        low = drawn <= 0
        with np.errstate(all="ignore"):
            above = ndtr(mean[low] / sd[low]) * random.uniform(size=np.count_nonzero(low))
            drawn[low] = np.fmax(mean[low] - sd[low] * ndtri(above), 0.0)
        return drawn

    @property
    def below_zero(self) -> float:
        """The share of the last place's normals that lies below zero."""
        sd = np.sqrt(np.maximum(self.variance[:, -1], 1e-300))
        return float(self.weight @ ndtr(-self.mean[:, -1] / sd))


def _earlier(like: Any) -> tuple[Forecast, ...]:
    found = (like,) if isinstance(like, Forecast | str) or not isinstance(like, Iterable) else tuple(like)
    if not all(isinstance(other, Forecast) for other in found):
        raise ValueError("like must be a forecast of an earlier run, or a list of them")
    return found


def _law(law: str | Law | None, run: Run) -> Law:
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
            f"{chosen.name!r} takes {', '.join(chosen.inputs)}; "
            "a forecast needs a law over one curve, or of one input"
        )
    return chosen


def _prior(law: Law, run: Run, like: Sequence[Forecast]) -> dict[str, tuple[float, float]]:
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


def _posterior(
    law: Law, prior: Mapping[str, tuple[float, float]], run: Run, places: np.ndarray, key: int
) -> _Seen:
    at, loss, count = run.blocks()
    scale = loss[-1]
    names = tuple(name for name in law.names if name not in linear(law))
    sampled = (*names, "walk", "noise")
    centre, spread = (np.array([prior[name][k] for name in sampled]) for k in (0, 1))
    rows, seen, ahead = _rows(run, at, places, law)
    supports = [law.coefs[law.names.index(name)].support for name in names]
    mean, sd = (np.array([prior[name][k] for name in linear(law)]) for k in (0, 1))
    walk = discrepancy.walk(at, at, places)
    middle = {
        "y": scale,
        "step": at[-1],
        "eta": 1.0 if run.rates is None else run.rates[: run.now].max(),
        **{name: at[-1] for name in law.inputs if not law.whole},
    }

    def answer(theta: np.ndarray) -> discrepancy.Normal:
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
        design = discrepancy.columns(law, values, rows) * unit[:, None, :] / scale
        return discrepancy.normal(
            design[:, seen],
            design[:, ahead],
            loss / scale,
            run.noise * np.exp(theta[:, -1:]) / np.sqrt(count) * loss / scale,
            np.exp(theta[:, -2]),
            walk,
            mean,
            sd,
            unit,
        )

    # Exponents far out overflow, and have no weight.
    with np.errstate(all="ignore"):
        theta, weight, found = discrepancy.sample(answer, centre, spread, key)
    exponents = {
        name: discrepancy.moments(support.from_real(theta[:, k], xp=np), weight)
        for k, (name, support) in enumerate(zip(names, supports, strict=True))
    }
    rest = {
        name: discrepancy.moments(found.coefs[:, k], weight, found.variances[:, k])
        for k, name in enumerate(linear(law))
    }
    learnt = {name: discrepancy.moments(theta[:, k], weight) for k, name in enumerate((*names, "walk"))}
    for name in OF_THE_RUN.get(law.name, ()):
        learnt[name] = learnt[name][0] - np.log(run.steps), learnt[name][1]
    for k, name in enumerate(linear(law)):
        if name not in OWN:
            learnt[name] = discrepancy.moments(
                found.coefs[:, k] / found.unit[:, k], weight, found.variances[:, k] / found.unit[:, k] ** 2
            )
    return _Seen(
        weight,
        found.mean * scale,
        found.variance * scale**2,
        run.noise * np.exp(theta[:, -1]) * scale,
        {name: (exponents | rest)[name] for name in law.names},
        learnt,
    )


def _rows(
    run: Run, at: np.ndarray, places: np.ndarray, law: Law
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """The law's inputs at the losses, at the places ahead and where the rate bends;
    and which rows are which."""
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


def _off_course(law: Law, prior: Mapping[str, tuple[float, float]], run: Run, key: int) -> Caution | None:
    """Whether the last losses lie where the run before them says they should not.

    A loss that leaves its course slowly is found by the longer window alone, which looks for worse only, and
    only where rates are known: without them a law read off the earlier losses is too sure of so much ahead.
    """
    for share, odds in WINDOWS if law.whole else WINDOWS[:1]:
        n = max(3, int(np.sum(run.step > (1 - share) * run.now)))
        before = run.until(len(run.step) - n) if len(run.step) > n else None
        if before is None or before.usable < FEWEST:
            continue
        last = run.loss[-n:]
        seen = _posterior(law, prior, before, np.array([np.exp(np.mean(np.log(run.step[-n:])))]), key)
        sd = np.sqrt(np.maximum(seen.variance[:, 0] + seen.noise**2 / n, 0.0))
        off = (np.mean(last) - seen.mean[:, 0]) / sd
        above, below = float(seen.weight @ ndtr(-off)), float(seen.weight @ ndtr(off))
        if above > odds and (below > odds or share > WINDOWS[0][0]):
            continue
        code = "worse" if above < below else "better"
        expected = float(seen.weight @ seen.mean[:, 0])
        return Caution(
            code,
            "serious" if code == "worse" else "info",
            f"the last {n} losses average {np.mean(last):.4g}; the run up to step "
            f"{before.now} let {expected:.4g} be expected",
        )
    return None


def _warnings(law: Law, run: Run, seen: _Seen) -> tuple[Caution, ...]:
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
    if seen.below_zero > 0.01:
        text = (
            f"{seen.below_zero:.0%} of the answer lay below zero, where no loss can be, and was cut off; "
            "check the columns and the rates"
        )
        found.append(Caution("below-zero", "warning", text))
    if 1 / np.sum(seen.weight**2) < 10:
        found.append(
            Caution(
                "few-draws",
                "warning",
                "fewer than 10 sampled exponents agree with the losses; the interval is rough",
            )
        )
    return tuple(found)
