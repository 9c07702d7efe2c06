"""Which learning-rate schedule ends lowest under a curve law, and what other schedules would have given.

    sf.compare_schedules(fit, {"cosine": sf.schedule.cosine(24_000, 3e-4, 3e-5), "wsd":
    sf.schedule.wsd(24_000, 3e-4, cooldown=4800)}) sf.best_schedule(fit, 24_000, 3e-4, warmup=2000).rates

The best schedule minimises the loss at the last step over rates that never rise after the warm-up and stay
between `end` and `peak` (Luo et al. 2025, arXiv:2503.12811, section 4, do so for multi_power). The rate is a
straight line between knots that lie closer together towards the end; the unknowns are its falls from knot to
knot, at least 0 and together at most peak - end, so that both constraints hold exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from scalefit import schedule
from scalefit.arguments import by_name
from scalefit.core.compiled import compiled
from scalefit.core.law import Law
from scalefit.fits import extrapolation
from scalefit.fits.ensemble import Ensemble
from scalefit.fits.fit import Fit
from scalefit.fits.joint import Joint, ends, joint
from scalefit.fits.pictured import Pictured
from scalefit.fits.status import Caution
from scalefit.frames import Frame, frame
from scalefit.words import short

__all__ = ["BestSchedule", "best_schedule", "compare_schedules"]

# Inputs that a schedule gives.
SCHEDULE = {"step", "eta", "curve"}
# Straight lines that a schedule is optimised over.
PIECES = 64
# A schedule is evaluated at rows between which it is linear to within this share of its highest rate.
CLOSE = 1e-4
# Cooldowns tried for warm-up, stable, decay, as shares of the steps after the warm-up.
COOLDOWNS = np.arange(1, 20) / 20
# More than half of the whole fall within this share of the steps is sudden.
SUDDEN = 0.02
# By which a fall is made larger to see the slope, as a share of peak - end.
NUDGE = 1e-6
# A descent ends when so many steps have won less than this, nats per token.
SETTLED, PATIENCE, MOST = 2e-6, 20, 500


@dataclass(frozen=True, eq=False)
class BestSchedule(Pictured):
    """The schedule with the lowest final loss under a law, beside the usual ones.

    rates: of every step (steps,). loss: at the last step. comparison: frame as of `sf.compare_schedules`,
    this schedule first, then cosine, linear and the best cooldowns of warm-up, stable, decay at the same
    peak, end and length. warnings: what speaks against it.
    """

    rates: np.ndarray
    loss: float
    comparison: Frame
    warnings: tuple[Caution, ...]

    def __repr__(self) -> str:
        table = self.comparison.round(5).to_string(index=False)
        return "\n".join(
            [*map(str, self.warnings), f"loss {self.loss:.5g} after {len(self.rates)} steps", table]
        )


@dataclass(frozen=True)
class _Case:
    """Joint draws of a law of whole curves, its other inputs held."""

    joint: Joint
    at: Mapping[str, float]
    key: int

    def rows(self, schedules: list[np.ndarray]) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """The laws' inputs for whole runs under these schedules, and the row at the end of each."""
        points = [_points(rates) for rates in schedules]
        count = [len(step) for step, _ in points]
        x = {
            "step": np.concatenate([step for step, _ in points]),
            "eta": np.concatenate([eta for _, eta in points]),
            "curve": np.repeat(np.arange(len(points), dtype=float), count),
        }
        return x | {name: np.full(len(x["step"]), value) for name, value in self.at.items()}, np.cumsum(
            count
        ) - 1

    def losses(self, schedules: list[np.ndarray]) -> np.ndarray:
        """The losses at the end, (draws + 1, schedules)."""
        x, last = self.rows(schedules)
        law, x = self.joint.law, {name: x[name] for name in self.joint.law.inputs}
        with np.errstate(all="ignore"):
            each = (law(dict(zip(law.names, row.tolist(), strict=True)), x) for row in self.joint.values)
            loss = np.stack([np.asarray(found, float)[last] for found in each])
            amplitude = self.joint.amplitude(x)
        return self.joint.walked(loss, None if amplitude is None else amplitude[:, last], self.key)


def compare_schedules(
    fit: Fit | Ensemble | Law,
    schedules: Mapping[str, Any],
    level: float | None = None,
    *,
    at: Mapping[str, float] | None = None,
    coefs: str | Mapping[str, float] | None = None,
    key: int = 0,
    model_error: bool = True,
) -> Frame:
    """The loss at the end of a run under each schedule, and how much that is above the first one's.

    The difference is taken draw by draw: what all schedules share, such as the floor, is not in it.

    Args:
        fit: of a curve law (inputs step, eta and curve), or what `fit_curves` returns; or a Law with `coefs`.
        schedules: name -> rate of every step, of any length.
        level: of the intervals, between 0 and 1; left out, there are none.
        at: values of the law's other inputs, e.g. {"N": 1e8}.
        coefs: of a Law, as a dict or the label of a published set.
        key: seed of the normal draws.
        model_error: whether intervals allow for the law's own error; False takes the law as right.

    Returns:
        A frame with a row per schedule: schedule, steps, loss, difference (to the first schedule's loss, in
        the loss's unit); with `level` the ends of an interval for both, `loss_lo` and so on. Of a fit also
        caution, the codes of what speaks against the row (see `Fit.cautions`).

    Raises:
        ValueError: for a law that does not look at the learning rate, no schedules, schedules that are none,
            and a level that is none or asked of a Law.

    Example:
        >>> plans = {"cosine": sf.schedule.cosine(6000, 3e-4), "constant": sf.schedule.constant(6000, 3e-4)}
        >>> table = sf.compare_schedules(curve_fit, plans)
        >>> table.columns.tolist()
        ['schedule', 'steps', 'loss', 'difference', 'caution']
        >>> bool(table["difference"][1] == table["loss"][1] - table["loss"][0])
        True
    """
    if not isinstance(schedules, Mapping) or not schedules:
        raise ValueError("there are no schedules to compare; give a dict, name -> rate of every step")
    case = _case(fit, at, coefs, level, key, model_error)
    return _compared(
        case, fit, {name: schedule.from_array(rates) for name, rates in schedules.items()}, level
    )


def best_schedule(
    fit: Fit | Ensemble | Law,
    steps: int,
    peak: float,
    end: float = 0.0,
    *,
    warmup: int = 0,
    level: float | None = None,
    at: Mapping[str, float] | None = None,
    coefs: str | Mapping[str, float] | None = None,
    key: int = 0,
    model_error: bool = True,
) -> BestSchedule:
    """The schedule with the lowest final loss under a curve law, and what it wins over the usual ones.

    After a linear warm-up the rate never rises and stays between `end` and `peak`. Where the loss has several
    minima, the better end of two descents is taken, from the best and the worst of the usual schedules; the
    answer is never worse than any of these. It is the best to within about 5e-4 nats for multi_power, whose
    sum over past falls is taken in groups; how the loss depends on the schedule is flat there.

    A law knows falls of the rate like those it was fitted to. "sudden-drop" warns where the best schedule
    makes half of its fall in 2 % of the steps: `lr_annealing` always asks for one sudden drop, as under it a
    fall wins by its size and age alone, however steep. Laws may also overstate what a cooldown wins:
    multi_power with the published coefficients of the 100M model puts WSD 0.054 below cosine after 24,000
    steps, where 0.028 was measured (data of arXiv:2503.12811).

    Args:
        fit: of a curve law, or a Law with `coefs`, as for `sf.compare_schedules`.
        steps: the length of the run, warm-up included.
        peak: the highest rate.
        end: the lowest rate allowed.
        warmup: how many steps the linear warm-up takes.
        level: of the intervals in the comparison, between 0 and 1; left out, there are none.
        at: values of the law's other inputs, e.g. {"N": 1e8}.
        coefs: of a Law, as a dict or the label of a published set.
        key: seed of the normal draws.
        model_error: whether intervals allow for the law's own error; False takes the law as right.

    Returns:
        A `BestSchedule`: its rates, its loss, the comparison with the usual schedules, and warnings.

    Raises:
        ValueError: as `sf.compare_schedules` does, and for a warm-up longer than the run or `end` not below
            `peak`.

    Example:
        >>> best = sf.best_schedule(curve_fit, 6000, 3e-4, 3e-5, warmup=200)
        >>> best.comparison["schedule"].tolist()[:3]
        ['best', 'cosine', 'linear']
    """
    case = _case(fit, at, coefs, level, key, model_error)
    usual = {
        "cosine": schedule.cosine(steps, peak, end, warmup=warmup),
        "linear": schedule.linear(steps, peak, end, warmup=warmup),
    }
    end, peak = float(end), float(peak)
    if not end < peak:
        raise ValueError(f"end must lie below the peak, got {end:g} and {peak:g}")
    steps, warmup = len(usual["cosine"]), int(warmup)
    alone = replace(case, joint=case.joint.estimate)
    for shape in ("linear", "sqrt"):
        lengths = np.unique(np.round(COOLDOWNS * (steps - warmup)).astype(int))
        tried = [schedule.wsd(steps, peak, end, cooldown=int(n), shape=shape, warmup=warmup) for n in lengths]
        best = int(np.argmin(alone.losses(tried)[0]))
        usual[f"wsd {shape}, cooldown {lengths[best]}"] = tried[best]
    # From the best and the worst of the usual ones: ends that agree are no accident of the start.
    order = np.argsort(alone.losses([*usual.values()])[0])
    starts = [[*usual.values()][k] for k in (order[0], order[-1])]
    candidates = [
        *(_descend(alone, rates, float(peak), float(end), warmup) for rates in starts),
        *usual.values(),
    ]
    rates = candidates[int(np.argmin(alone.losses(candidates)[0]))]
    table = _compared(case, fit, {"best": rates, **usual}, level)
    return BestSchedule(rates, float(table["loss"].iloc[0]), table, _warnings(rates, warmup))


def _case(
    fit: Fit | Ensemble | Law,
    at: Mapping[str, float] | None,
    coefs: Any,
    level: float | None,
    key: int,
    model_error: bool,
) -> _Case:
    at = by_name("at", at)
    if not isinstance(fit, Fit | Ensemble | Law):
        raise TypeError(f"a fit or a law is needed, got {short(fit)}")
    law = fit if isinstance(fit, Law) else fit.law
    if not set(law.inputs) >= SCHEDULE:
        raise ValueError(
            f"{law.name!r} does not look at a schedule; a law of step, "
            "eta and curve is needed, such as multi_power"
        )
    others = set(law.inputs) - SCHEDULE
    if missing := others - set(at):
        raise ValueError(
            f"{law.name!r} also takes {min(missing)}; say its value with at={{{min(missing)!r}: ...}}"
        )
    if unknown := set(at) - others:
        raise ValueError(f"at: {min(unknown)!r} is no input to hold at a value")
    return _Case(
        joint(fit, coefs, level, key, model_error), {name: float(value) for name, value in at.items()}, key
    )


def _compared(
    case: _Case, fit: Fit | Ensemble | Law, schedules: Mapping[str, np.ndarray], level: float | None
) -> Any:
    loss = case.losses([*schedules.values()])
    if not np.isfinite(loss[0]).all():
        name = [*schedules][int(np.argmin(np.isfinite(loss[0])))]
        raise ValueError(f"the law has no finite loss at the end of schedule {short(name)}")
    lines: list[dict[str, Any]] = [
        {
            "schedule": name,
            "steps": len(rates),
            "loss": float(loss[0, k]),
            "difference": float(loss[0, k] - loss[0, 0]),
        }
        for k, (name, rates) in enumerate(schedules.items())
    ]
    if level is not None:
        for k, line in enumerate(lines):
            for name, values in (("loss", loss[1:, k]), ("difference", loss[1:, k] - loss[1:, 0])):
                line[f"{name}_lo"], line[f"{name}_hi"] = ends(
                    values, level, (-np.inf, np.inf), case.joint.known or (name == "difference" and not k)
                )
    if not isinstance(fit, Law):
        x, last = case.rows([*schedules.values()])
        codes = extrapolation.codes_at(fit, x)
        for line, row in zip(lines, last, strict=True):
            line["caution"] = codes[row]
    return frame(lines)


def _descend(case: _Case, start: np.ndarray, peak: float, end: float, warmup: int) -> np.ndarray:
    """The best rates (steps,) that descent reaches from a schedule."""
    knots = _places(max(warmup, 1), len(start))
    x = {name: np.full(len(knots) + 1, value) for name, value in case.at.items()}
    x |= {"step": np.concatenate([[1.0], knots]), "curve": np.zeros(len(knots) + 1)}
    law = case.joint.law
    nudged = np.concatenate([np.zeros((1, len(knots))), NUDGE * np.eye(len(knots))])

    def goal(fall: np.ndarray) -> tuple[float, np.ndarray]:
        # Slopes by differences: laws take powers of the rate, whose derivatives are not finite where it is 0.
        rates = np.maximum(peak - (peak - end) * np.cumsum(fall + nudged, axis=1), 0.0)
        eta = np.concatenate([rates[:, :1] / knots[0], rates], axis=1)
        loss = np.asarray(_ends(law, case.joint.values[0], {n: x[n] for n in law.inputs if n != "eta"}, eta))
        return float(loss[0]), (loss[1:] - loss[0]) / NUDGE

    with jax.enable_x64(True), jax.default_device(jax.local_devices(backend="cpu")[0]):
        fall = _minimise(goal, -np.diff(start[knots.astype(int) - 1], prepend=peak) / (peak - end))
    # Shares that sum to a rounding more than one would end below zero.
    left = np.maximum(peak - (peak - end) * np.cumsum(fall), end)
    rates = schedule.from_points(zip(knots, left, strict=True))
    # Rounding may have left the bounds by a last digit.
    return schedule.warm_up(np.minimum.accumulate(np.clip(rates, end, peak)), warmup)


@compiled("law")
def _ends(law: Law, values, x, eta):
    """Losses at the end under each row of rates."""
    coefs = dict(zip(law.names, values, strict=True))
    return jax.vmap(lambda rates: law(coefs, {**x, "eta": rates})[-1])(eta)


def _minimise(goal: Callable[[np.ndarray], tuple[float, np.ndarray]], x: np.ndarray) -> np.ndarray:
    """Least `goal` over x >= 0 with sum(x) <= 1:
    projected gradients with spectral steps (Birgin, Martinez, Raydan 2000)."""
    x = _projected(x)
    value, slope = goal(x)
    size, recent, best, since = 0.1 / max(np.max(np.abs(slope)), 1e-300), [value], (value, x), 0
    mark = value
    while since < PATIENCE and len(recent) < MOST:
        way = _projected(x - size * slope) - x
        gain = float(slope @ way)
        if not -gain > SETTLED / 10:
            break
        part = 1.0
        while True:
            there, new = goal(x + part * way)
            # Not lower than the last step, but than the worst of the last ten: such steps are longer.
            if there <= max(recent[-10:]) + 1e-4 * part * gain or part < 1e-10:
                break
            part /= 2
        moved, turned = part * way, new - slope
        x, slope = x + moved, new
        recent.append(there)
        mark, since = (there, 0) if there < mark - SETTLED else (mark, since + 1)
        best = min(best, (there, x), key=lambda pair: pair[0])
        curvature = float(moved @ turned)
        size = float(np.clip(moved @ moved / curvature, 1e-6, 1e6)) if curvature > 0 else 1e6
    return best[1]


def _projected(x: np.ndarray) -> np.ndarray:
    """The nearest point with entries of at least 0 and a sum of at most 1."""
    positive = np.maximum(x, 0)
    if np.sum(positive) <= 1:
        return positive
    down = np.sort(x)[::-1]
    excess = (np.cumsum(down) - 1) / np.arange(1, len(x) + 1)
    return np.maximum(x - excess[np.flatnonzero(down > excess)[-1]], 0)


def _places(first: int, last: int) -> np.ndarray:
    """Steps that lie closer together towards the last, where a step counts for more:
    evenly in the root of what is left."""
    return np.unique(np.round(first + (last - first) * (1 - np.linspace(1, 0, PIECES + 1) ** 2)))


def _points(rates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Steps and rates between which the rate is a straight line to within `CLOSE` of the highest."""
    step = np.arange(1.0, len(rates) + 1)
    # Not the bends alone: laws look at few places between two rows.
    places = (_places(1, len(rates)) - 1).astype(int)
    at = schedule.knots(step, rates, places, CLOSE * max(float(rates.max()), 1e-300))
    return step[at], rates[at]


def _warnings(rates: np.ndarray, warmup: int) -> tuple[Caution, ...]:
    after = rates[max(warmup, 1) - 1 :]
    found = []
    window = max(int(SUDDEN * len(rates)), 1)
    whole = float(after[0] - after[-1])
    most = float(np.max(after[:-window] - after[window:])) if len(after) > window else whole
    if most > whole / 2 > 0:
        found.append(
            Caution(
                "sudden-drop",
                "warning",
                f"{most / whole:.0%} of the fall comes within {window} steps; few measured curves "
                "fall so fast, and the law was hardly fitted to any: take a "
                "usual schedule unless a run confirms "
                "the gain",
            )
        )
    return tuple(found)
