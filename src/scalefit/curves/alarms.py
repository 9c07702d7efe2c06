"""What a running curve shows without any law: a loss that turns up, counters that stand still,
and evaluation that parts from training."""

from __future__ import annotations

import numpy as np

from scalefit.fits.status import Caution

__all__ = ["parted", "stalled", "turned_up"]

# A counter that stands still in so many rows is no slip of a resumption.
STALLED = 5
# Rises of the log of a loss that are noise however small their standard error, as errors of neighbouring
# losses hang together; and of the ratio of two losses.
RISE, GAP = 0.01, 0.02
# Evaluation that follows less than this share of what training gains, of late, no longer learns from it.
FOLLOWS = 1 / 3
# Standard errors of a rise that counts.
SURE = 4.0
# Averages that a rise is read from: of the last stretches, and about the lowest.
LAST = 5
# A gap is read from so many evaluations.
FEWEST = 12


def stalled(step: np.ndarray, tokens: np.ndarray | None) -> tuple[int, Caution | None]:
    """How many rows at the end repeat the step before, and the alarm where a counter stands still."""
    again = _still(step)
    if again >= STALLED:
        text = f"the step counter stands at {step[-1]:.10g} in the last {again + 1} rows"
        return again, _stands(text)
    if tokens is None:
        return 0, None
    seen = np.flatnonzero(np.isfinite(tokens))
    still = _still(tokens[seen])
    moved = np.diff(tokens[seen[: len(seen) - still]])
    if still >= STALLED and len(moved) and np.mean(moved > 0) > 0.9:
        since = step[seen[-still - 1]]
        return 0, _stands(f"the tokens seen stand at {tokens[seen[-1]]:.10g} since step {since:.10g}")
    return 0, None


def _still(values: np.ndarray) -> int:
    """How many values at the end equal the one before."""
    moves = np.flatnonzero(np.diff(values[::-1]) != 0)
    return max(int(moves[0]) if len(moves) else len(values) - 1, 0)


def _stands(what: str) -> Caution:
    return Caution("counter-stalled", "serious", f"{what}; the rows after that say nothing of progress")


def turned_up(
    at: np.ndarray, loss: np.ndarray, count: np.ndarray, noise: float, rates: np.ndarray | None
) -> Caution | None:
    """An alarm where averages (k,) of losses, each of `count` with this noise of one, rise after their
    lowest, as they do over data seen too often; none where the rate has risen since."""
    k = len(loss)
    if k < 3 * LAST:
        return None
    lowest = int(np.argmin(loss))
    about = slice(max(lowest - 1, 0), lowest + 2)
    if lowest >= k - LAST - 1:
        return None
    logs = np.log(loss)
    last, low = (np.average(logs[part], weights=count[part]) for part in (slice(-LAST, None), about))
    error = noise * np.sqrt(1 / np.sum(count[-LAST:]) + 1 / np.sum(count[about]))
    rise = last - low
    if rise < max(RISE, SURE * error):
        return None
    if rates is not None:
        since = rates[int(at[lowest]) - 1 : int(at[-1])]
        if len(since) and since.max() > 1.01 * since[0]:
            return None
    return Caution(
        "turned-up",
        "serious",
        f"the loss has risen by {np.expm1(rise):.1%} since about step {at[lowest]:.0f}, where it was lowest; "
        "if data is repeated, stop at that checkpoint",
    )


def parted(step: np.ndarray, train: np.ndarray, held: np.ndarray, since: float) -> Caution | None:
    """An alarm where, after a step, the loss on held-out data (n,) parts from that in training; gaps are
    NaN."""
    with np.errstate(all="ignore"):
        seen, told = (np.isfinite(np.log(column)) for column in (train, held))
    told &= step > since
    if np.sum(told) < FEWEST or not seen.any():
        return None
    at = step[told]
    ours, theirs = np.log(held[told]), np.interp(at, step[seen], np.log(train[seen]))
    third = len(at) // 3
    falls = [np.mean(one[third : 2 * third]) - np.mean(one[-third:]) for one in (ours, theirs)]
    change = np.diff(ours - theirs)
    noise = 1.4826 * float(np.median(np.abs(change - np.median(change)))) / np.sqrt(2)
    rise = falls[1] - falls[0]
    # Where training rises too the curves do not part: `turned_up` speaks there.
    if falls[1] <= 0 or falls[0] > FOLLOWS * falls[1] or rise < max(GAP, SURE * noise * np.sqrt(2 / third)):
        return None
    return Caution(
        "curves-part",
        "warning",
        f"evaluation has parted from training: since about step {at[third]:.0f} the training loss fell by "
        f"{-np.expm1(-falls[1]):.1%} and that on held-out data {_moved(falls[0])}; look for repeated data",
    )


def _moved(fall: float) -> str:
    return f"by {-np.expm1(-fall):.1%}" if fall > 0 else f"rose by {np.expm1(-fall):.1%}"
