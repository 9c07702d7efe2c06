"""Learning-rate schedules: pure functions that return the rate of every step as an array.

Steps are counted from 1 everywhere: entry 0 is the rate of step 1, the first update, and entry `steps - 1`
that of the last. A warm-up of w steps gives step t the rate peak * t / w, so that step w is the first at the
peak; what decays does so from there and is at `end` in the last step. Trainers that count from 0 apply the
rate of step t in update t + 1: the whole schedule is then one step late, which no loss shows.

    lr = sf.schedule.cosine(24_000, 3e-4, 3e-5, warmup=2160)
    lr[2160 - 1]  # the rate of step 2160, the peak
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from scalefit.arguments import check_choice, count
from scalefit.words import short

__all__ = [
    "SHAPES",
    "constant",
    "cosine",
    "from_array",
    "from_points",
    "from_text",
    "knots",
    "linear",
    "multi_step",
    "re_warm",
    "two_stage",
    "warm_up",
    "wsd",
]

# No rate is larger, of whatever optimiser: sums of more would not be finite.
LARGEST = 1e30
# What `from_text` may call.
CALLED = (
    "constant",
    "linear",
    "cosine",
    "wsd",
    "multi_step",
    "two_stage",
    "from_points",
    "warm_up",
    "re_warm",
)
# How a decay from 1 to 0 runs with the share u of its steps; "exponential" goes by factors,
# so `end` is in it.
SHAPES: dict[str, Callable[[Any, float], Any]] = {
    "linear": lambda u, end: 1 - u,
    "cosine": lambda u, end: (1 + np.cos(np.pi * u)) / 2,
    "sqrt": lambda u, end: 1 - np.sqrt(u),
    "exponential": lambda u, end: (end**u - end) / (1 - end),
}


def constant(steps: int, peak: float, *, warmup: int = 0) -> np.ndarray:
    """The same rate in every step.

    Args:
        steps: of the whole run, the warm-up among them.
        peak: the rate, above 0.
        warmup: steps of linear warm-up from 0; step `warmup` is the first at the peak.

    Returns:
        The rate of every step, (steps,).

    Raises:
        ValueError: for steps that are not whole or do not fit, or rates that are no rates.

    Example:
        >>> sf.schedule.constant(4, 0.5, warmup=2).tolist()
        [0.25, 0.5, 0.5, 0.5]
    """
    return wsd(steps, peak, peak, cooldown=0, warmup=warmup)


def linear(steps: int, peak: float, end: float = 0.0, *, warmup: int = 0) -> np.ndarray:
    """Linear decay from the peak at the end of the warm-up to `end` in the last step.

    Args:
        steps: of the whole run, the warm-up among them.
        peak: the highest rate, above 0.
        end: the rate of the last step.
        warmup: steps of linear warm-up from 0; step `warmup` is the first at the peak.

    Returns:
        The rate of every step, (steps,).

    Raises:
        ValueError: for steps that are not whole or do not fit, or rates that are no rates.

    Example:
        >>> sf.schedule.linear(4, 1.0).tolist()
        [0.75, 0.5, 0.25, 0.0]
    """
    return _decay("linear", steps, peak, end, warmup)


def cosine(steps: int, peak: float, end: float = 0.0, *, warmup: int = 0) -> np.ndarray:
    """Half a cosine from the peak at the end of the warm-up to `end` in the last step.

    end + (peak - end) (1 + cos(pi u)) / 2 with u = (t - warmup) / (steps - warmup) (Loshchilov, Hutter 2017,
    arXiv:1608.03983, one period).

    Args:
        steps: of the whole run, the warm-up among them.
        peak: the highest rate, above 0.
        end: the rate of the last step.
        warmup: steps of linear warm-up from 0; step `warmup` is the first at the peak.

    Returns:
        The rate of every step, (steps,).

    Raises:
        ValueError: for steps that are not whole or do not fit, or rates that are no rates.

    Example:
        >>> sf.schedule.cosine(4, 1.0).round(2).tolist()
        [0.85, 0.5, 0.15, 0.0]
    """
    return _decay("cosine", steps, peak, end, warmup)


def wsd(
    steps: int, peak: float, end: float = 0.0, *, cooldown: int, shape: str = "linear", warmup: int = 0
) -> np.ndarray:
    """Warm-up, stable, decay: at the peak until the last `cooldown` steps, which fall to `end`.

    Args:
        steps: of the whole run, the warm-up among them.
        peak: the highest rate, above 0.
        end: the rate of the last step.
        cooldown: how many steps fall.
        shape: with u the share of the cooldown, "linear" (1 - u), "sqrt" (1 - sqrt(u)) and "cosine" of
            Haegele et al. 2024 (arXiv:2405.18392), all times peak - end above end; "exponential" peak (end /
            peak)^u, as of Hu et al. 2024 (arXiv:2404.06395), which needs end above 0.
        warmup: steps of linear warm-up from 0; step `warmup` is the first at the peak.

    Returns:
        The rate of every step, (steps,).

    Raises:
        ValueError: for steps that are not whole or do not fit, or rates that are no rates, an unknown shape,
            or an exponential cooldown to 0.

    Example:
        >>> sf.schedule.wsd(6, 1.0, cooldown=2, warmup=2).tolist()
        [0.5, 1.0, 1.0, 1.0, 0.5, 0.0]
    """
    steps, warmup = _spans(steps, warmup)
    cooldown = count(cooldown, "cooldown", 0)
    if warmup + cooldown > steps:
        raise ValueError(f"a warm-up of {warmup} and a cooldown of {cooldown} steps do not fit into {steps}")
    peak, end = _rate(peak, "peak", above=True), _rate(end, "end")
    check_choice(shape, "shape", tuple(SHAPES))
    if shape == "exponential" and end == 0:
        raise ValueError("an exponential cooldown never reaches 0; give an end above it, such as peak / 10")
    rates = np.full(steps, peak)
    if cooldown and end != peak:
        u = np.arange(1, cooldown + 1) / cooldown
        rates[steps - cooldown :] = end + (peak - end) * SHAPES[shape](u, end / peak)
        rates[-1] = end
    return warm_up(rates, warmup)


def multi_step(
    steps: int, peak: float, end: float | None = None, *, stages: str = "8-1-1", warmup: int = 0
) -> np.ndarray:
    """Stages of constant rate, each lower than the one before by the same factor.

    8-1-1 runs at 1, 0.316 and 0.1 of the peak (DeepSeek-AI 2024, arXiv:2401.02954).

    Args:
        steps: of the whole run, the warm-up among them.
        peak: the highest rate, above 0.
        end: the rate of the last stage, a tenth of the peak unless given.
        stages: their shares of the steps; "8-1-1" is 80, 10 and 10 %.
        warmup: steps of linear warm-up from 0; step `warmup` is the first at the peak.

    Returns:
        The rate of every step, (steps,).

    Raises:
        ValueError: for steps that are not whole or do not fit, or rates that are no rates, or stages that are
            not whole shares.

    Example:
        >>> sf.schedule.multi_step(10, 1.0)[-3:].round(3).tolist()
        [1.0, 0.316, 0.1]
    """
    steps, warmup = _spans(steps, warmup)
    peak = _rate(peak, "peak", above=True)
    end = peak / 10 if end is None else _rate(end, "end", above=True)
    shares = [int(part) if part.isdecimal() else 0 for part in str(stages).split("-")]
    if not all(shares):
        raise ValueError(f'stages must be whole shares such as "8-1-1", got {stages!r}')
    last = max(len(shares) - 1, 1)
    ends = [sum(shares[: k + 1]) * steps // sum(shares) for k in range(len(shares))]
    stage = np.searchsorted(ends, np.arange(1, steps + 1))
    return warm_up(np.array([peak * (end / peak) ** (k / last) for k in range(len(shares))])[stage], warmup)


def two_stage(steps: int, peak: float, end: float, *, first: int, warmup: int = 0) -> np.ndarray:
    """At the peak for `first` steps, the warm-up among them, then at `end`, below or above it.

    Args:
        steps: of the whole run, the warm-up among them.
        peak: the rate of the first stage, above 0.
        end: the rate of the second stage.
        first: steps of the first stage, no more than `steps`.
        warmup: steps of linear warm-up from 0; step `warmup` is the first at the peak.

    Returns:
        The rate of every step, (steps,).

    Raises:
        ValueError: for steps that are not whole or do not fit, or rates that are no rates.

    Example:
        >>> sf.schedule.two_stage(4, 1.0, 0.5, first=2).tolist()
        [1.0, 1.0, 0.5, 0.5]
    """
    steps, warmup = _spans(steps, warmup)
    first = count(first, "first", 1)
    if first > steps:
        raise ValueError(f"the first stage of {first} steps is longer than the run of {steps}")
    peak, end = _rate(peak, "peak", above=True), _rate(end, "end")
    return warm_up(np.where(np.arange(1, steps + 1) <= first, peak, end), warmup)


def warm_up(lr: Any, steps: int) -> np.ndarray:
    """Any schedule with its first `steps` rates scaled by t / steps, a linear warm-up from 0.

    Args:
        lr: a schedule, one rate per step.
        steps: of the warm-up.

    Returns:
        A copy of the schedule, (n,).

    Raises:
        ValueError: for a schedule that is none, or a warm-up that is longer.

    Example:
        >>> sf.schedule.warm_up([1.0, 1.0, 1.0], 2).tolist()
        [0.5, 1.0, 1.0]
    """
    rates, steps = from_array(lr), count(steps, "the warm-up", 0)
    if steps > len(rates):
        raise ValueError(f"a warm-up of {steps} steps is longer than the schedule of {len(rates)}")
    rates[:steps] *= np.arange(1, steps + 1) / max(steps, 1)
    return rates


def re_warm(before: Any, after: Any, warmup: int) -> np.ndarray:
    """Two schedules in a row, the second warmed up again: as in continued pretraining.

    The first `warmup` rates of `after` are replaced by a straight line from the last rate of `before` to the
    rate `after` has in step `warmup` (Ibrahim et al. 2024, arXiv:2403.08763). Give `after` the same warm-up
    where it should decay only from its peak: re_warm(cosine(9000, 3e-4), cosine(6000, 3e-4, warmup=500),
    500).

    Args:
        before: the first schedule, one rate per step.
        after: the second.
        warmup: steps of the line, among those of `after`.

    Returns:
        The rates of both, (n before + n after,).

    Raises:
        ValueError: for a schedule that is none, or a warm-up longer than `after`.

    Example:
        >>> sf.schedule.re_warm([1.0, 0.0], [1.0, 1.0, 1.0], 2).tolist()
        [1.0, 0.0, 0.5, 1.0, 1.0]
    """
    before, after = from_array(before), from_array(after)
    warmup = count(warmup, "the warm-up", 0)
    if warmup > len(after):
        raise ValueError(f"a warm-up of {warmup} steps is longer than the schedule of {len(after)}")
    if warmup:
        after[:warmup] = np.linspace(before[-1], after[warmup - 1], warmup + 1)[1:]
    return np.concatenate([before, after])


def from_array(lr: Any) -> np.ndarray:
    """A schedule of one's own, one rate per step from step 1, checked.

    Args:
        lr: the rates.

    Returns:
        A float64 copy, (n,).

    Raises:
        ValueError: where it is no array of finite rates of at least 0.

    Example:
        >>> sf.schedule.from_array([1, 2]).tolist()
        [1.0, 2.0]
    """
    try:
        rates = np.array(lr, float)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            "a schedule is one rate per step, and this holds something that is no number"
        ) from error
    if rates.ndim != 1 or not len(rates):
        raise ValueError(
            f"a schedule is one rate per step, at least one, not an array of shape {rates.shape}"
        )
    bad = np.flatnonzero(~((rates >= 0) & (rates <= LARGEST)))
    if len(bad):
        raise ValueError(
            f"the rate of step {bad[0] + 1} is {rates[bad[0]]:g}; rates are finite and not negative"
        )
    return rates


def from_points(points: Iterable[Sequence[float]], steps: int | None = None) -> np.ndarray:
    """A schedule from (step, rate) pairs in rising order of step, straight lines between them.

    The first rate holds before its step and the last one after. Two points at one step are a jump right after
    it: step s has the first rate, step s + 1 lies on the line from the second. This is how the curve laws
    read logged rows.

    Args:
        points: the pairs.
        steps: of the schedule; the last point's step unless given.

    Returns:
        The rate of every step, (steps,).

    Raises:
        ValueError: where they are no pairs, steps are negative or fall, or rates are no rates.

    Example:
        >>> sf.schedule.from_points([(0, 0), (2, 1), (4, 0)]).tolist()
        [0.5, 1.0, 0.5, 0.0]
    """
    try:
        table = np.array([tuple(point) for point in points], float)
    except (TypeError, ValueError, OverflowError):
        table = np.zeros(0)
    if table.shape != (len(table), 2) or not len(table):
        raise ValueError("points must be (step, rate) pairs, such as [(0, 0), (2000, 3e-4)]")
    at, rates = table[:, 0], from_array(table[:, 1])
    if not np.all(np.diff(at, prepend=0) >= 0):
        raise ValueError("the steps of the points must be numbers that are not negative and never fall")
    steps = count(at[-1] if steps is None else steps, "steps", 1)
    t = np.arange(1, steps + 1)
    right = np.searchsorted(at, t)
    left, right = np.maximum(right - 1, 0), np.minimum(right, len(at) - 1)
    span = at[right] - at[left]
    share = np.where(span > 0, (t - at[left]) / np.where(span > 0, span, 1), 1.0)
    return rates[left] * (1 - share) + rates[right] * share


def knots(step: Any, lr: Any, at: Any, tolerance: float) -> np.ndarray:
    """Rows `at`, and those it takes for straight lines between them to keep within `tolerance` of every rate.

    step, lr: rising steps and their rates (rows,). at: rows that are kept in any case,
    the first and the last among them. Returns rows.
    """
    while True:
        length, first = np.diff(at), at[:-1]
        steps = np.diff(step[at])
        slope = np.where(steps > 0, np.diff(lr[at]) / np.maximum(steps, 1e-300), 0.0)
        line = np.repeat(lr[first] - slope * step[first], length)
        line += np.repeat(slope, length) * step[at[0] : at[-1]]
        off = np.abs(line - lr[at[0] : at[-1]], out=line)
        far = np.flatnonzero(np.maximum.reduceat(off, at[:-1]) > tolerance) if len(at) > 1 else at[:0]
        if not len(far):
            return at
        worst = [at[k] + int(np.argmax(off[at[k] : at[k + 1]])) for k in far]
        at = np.union1d(at, worst)


def from_text(text: str) -> np.ndarray:
    """A schedule as one writes it here, for a command line: "cosine(24000, 3e-4, 3e-5, warmup=2160)".

    Any function of this module but `from_array`, with numbers, texts and lists of pairs as arguments;
    `re_warm` and `warm_up` take other schedules: "re_warm(cosine(9000, 3e-4), linear(6000, 3e-4, warmup=500),
    500)". Nothing else is evaluated.

    Args:
        text: the call.

    Returns:
        The rate of every step, (steps,).

    Raises:
        ValueError: for other texts.

    Example:
        >>> sf.schedule.from_text("linear(4, 1.0)").tolist()
        [0.75, 0.5, 0.25, 0.0]
    """
    if not isinstance(text, str):
        raise TypeError(f"a schedule is written as text, got {short(text)}")
    try:
        tree = ast.parse(text.strip().removeprefix("sf.").removeprefix("schedule."), mode="eval").body
        if not isinstance(tree, ast.Call):
            raise ValueError
        return _called(tree)
    except (SyntaxError, TypeError, ValueError) as error:
        why = f" ({error})" if str(error) and not isinstance(error, SyntaxError) else ""
        raise ValueError(
            f'{short(text)} is no schedule{why}; write one such as "cosine(24000, 3e-4, warmup=2000)"'
        ) from error


def _called(tree: ast.expr) -> Any:
    """The value of a literal, or of a call of one of the functions above."""
    if not isinstance(tree, ast.Call):
        return ast.literal_eval(tree)
    name = tree.func.id if isinstance(tree.func, ast.Name) else ""
    if name not in CALLED:
        raise ValueError(f"there is {', '.join(CALLED)}")
    named = {str(argument.arg): _called(argument.value) for argument in tree.keywords}
    return globals()[name](*map(_called, tree.args), **named)


def _decay(shape: str, steps: int, peak: float, end: float, warmup: int) -> np.ndarray:
    steps, warmup = _spans(steps, warmup)
    return wsd(steps, peak, end, cooldown=steps - warmup, shape=shape, warmup=warmup)


def _spans(steps: int, warmup: int) -> tuple[int, int]:
    steps, warmup = count(steps, "steps", 1), count(warmup, "warmup", 0)
    if warmup > steps:
        raise ValueError(f"a warm-up of {warmup} steps is longer than the run of {steps}")
    return steps, warmup


def _rate(value: Any, name: str, above: bool = False) -> float:
    number = _float(value)
    if not (number <= LARGEST and (number > 0 if above else number >= 0)):
        least = "above" if above else "of at least"
        raise ValueError(f"{name} must be a learning rate {least} 0, got {short(value)}")
    return number


def _float(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return np.nan


def __dir__() -> list[str]:
    return list(__all__)
