"""Which runs are small, where to cut between small and large ones, and refits of the small ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from functools import reduce

import numpy as np

from scalefit.core.data import Data
from scalefit.core.law import Law
from scalefit.core.objective import Objective
from scalefit.core.search import Searches, pad
from scalefit.fits.workers import searching
from scalefit.laws.inputs import ALIASES
from scalefit.runs.names import same_name

__all__ = [
    "FOLDS",
    "counts_of",
    "cuts_of",
    "is_loss",
    "larger",
    "merged",
    "refitting",
    "size_of_runs",
]

# Mixtures have no size: what parts them in a backtest.
FOLDS = "folds over mixtures"
# Sizes nearer than this in log are one size.
TIE = 1e-6
# Screened starts per refit: the same for every window, so that all run in one compiled program.
N_STARTS = 16
LOSSES = frozenset(same_name(alias) for alias in ALIASES["L"])


def size_of_runs(
    law: Law, x: Mapping[str, np.ndarray], columns: Mapping[str, str] | None = None
) -> tuple[str, np.ndarray]:
    """What says how large a run is where nobody says so, in words and as one number per row.

    The step of laws of whole curves; 6 N D; C; the only input; else the product of the inputs that are
    counts. Larger is better: of a loss its inverse is taken. ValueError where nothing says it.
    """
    names = law.inputs[:1] if law.whole or len(law.inputs) == 1 else counts_of(law, x)
    if not names:
        raise ValueError(
            f'what makes a run large is not clear from {law.name!r}; say which input or column with by="..."'
        )
    if names == ("N", "D"):
        return "6 N D", _product((np.array([6.0]), x["N"], x["D"]))
    known = [str((columns or {}).get(name, name)) for name in names]
    if len(names) == 1:
        return larger(law, names[0], known[0], x[names[0]])
    return " ".join(known), _product([x[name] for name in names])


def _product(parts: Iterable[np.ndarray]) -> np.ndarray:
    """Their product, the largest number where that is larger."""
    with np.errstate(over="ignore"):
        return np.minimum(reduce(np.multiply, parts), np.finfo(float).max)


def larger(law: Law, name: str, label: str, values: np.ndarray) -> tuple[str, np.ndarray]:
    """One input as a size, in words and per row: the inverse of a loss, so that larger is better."""
    if is_loss(law, name) and np.all(values > 0):
        return f"1 / {label}", 1 / values
    return label, values


def counts_of(law: Law, x: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """The inputs whose product is a run's size: N and D, C, or those that are counts; N or D where a law has
    nothing else that scales."""
    for names in (("N", "D"), ("C",)):
        if set(names) <= set(law.inputs):
            return names
    numbers = tuple(n for n in law.inputs if n not in law.labels and np.all(x[n] > 0) and not is_loss(law, n))
    scaled = tuple(n for n in numbers if n not in law.domain or law.domain[n].scales)
    return scaled or tuple(n for n in ("N", "D") if n in numbers)


def is_loss(law: Law, name: str) -> bool:
    """Whether an input is a loss, by its unit or, for laws of one's own, by its name:
    less of it is a larger run."""
    unit = law.units.get(name)
    return unit.startswith(("loss", "teacher's loss")) if unit else same_name(name) in LOSSES


def merged(size: np.ndarray) -> np.ndarray:
    """Sizes that differ by rounding alone (6 N D of one budget) made one, the largest of them."""
    order = np.argsort(size)
    last = np.append(np.diff(np.log(size[order])) > TIE, True)
    out = np.empty_like(size)
    out[order] = size[order][last][np.cumsum(last) - last]
    return out


def cuts_of(size: np.ndarray, n_cuts: int, least_rows: float, least_sizes: int = 2) -> tuple[float, ...]:
    """At most n_cuts sizes to cut at, spread evenly, such that enough rows and
    sizes are fitted and one size is left.

    size: of the rows that count. Evenly in the logarithm, or in the sizes
    themselves where some are not positive.
    """
    size = np.sort(size)
    sizes = np.unique(size)
    usable = sizes[least_sizes - 1 : -1]
    usable = usable[np.searchsorted(size, usable, side="right") >= least_rows]
    if len(usable) > n_cuts:
        place = np.log(sizes) if sizes[0] > 0 else sizes
        own = place[np.searchsorted(sizes, usable)]
        begin = max(own[0], place[0] + (place[-1] - place[0]) / (n_cuts + 1))
        wanted = begin + (place[-1] - begin) * np.arange(n_cuts) / max(n_cuts, 1) + 1e-9
        usable = usable[np.unique(np.searchsorted(own, wanted, side="right") - 1)]
    return tuple(usable.tolist())


def refitting(
    law: Law,
    data: Sequence[Data],
    objective: Objective,
    weights: Sequence[np.ndarray],
    warm: np.ndarray | None = None,
    least: int = 0,
    executor: Executor | None = None,
) -> Callable[[], Searches]:
    """The law searched anew under each row of weights, begun in the executor's workers where there is one;
    the call gives the answer. Rows of weight zero stay in their block.

    data: one table for all weights, or one for each. warm: coordinates (p,) to start from too, beside the
    screened cells. least: sets to search at the least, so that tables of one length share a program.
    """
    if len(data) == 1:
        rows = pad([{**data[0].x, "y": data[0].y, "weight": data[0].weight}], law)
        weight = np.zeros((max(len(weights), least), rows.y.shape[1]))
        weight[:, : len(data[0])] = [*weights, *[weights[-1]] * (least - len(weights))]
        rows = rows._replace(weight=weight)
    else:
        rows = pad([{**d.x, "y": d.y, "weight": w} for d, w in zip(data, weights, strict=True)], law)
    return searching(executor, law, rows, objective, n_starts=N_STARTS, warm=warm)
