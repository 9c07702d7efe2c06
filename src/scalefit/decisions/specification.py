"""How far an answer hangs on choices nobody reports: the same law refitted under each of them.

    table = sf.specification(sf.fit("chinchilla", runs), target=5.76e23)

On the published Chinchilla points the best tokens per parameter at that budget are 18 as refitted (Huber 1e-3
on log loss, five outliers masked), 6.8 with the outliers kept, 2.6 with them under least squares and the
smallest 5 % left out (2.0 without that), 1.2 under least squares of the loss itself, and 116 without the
smallest quarter of the runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from scalefit.arguments import number, one_positive, whole
from scalefit.core.data import Data
from scalefit.core.law import Law
from scalefit.core.objective import Objective, huber, square
from scalefit.decisions.optimal import optimal
from scalefit.fits.ensemble import check_fit
from scalefit.fits.fit import Fit
from scalefit.fits.progress import steps
from scalefit.fits.windows import size_of_runs
from scalefit.frames import Frame, frame
from scalefit.runs.binding import bind
from scalefit.validation.windows import Problem
from scalefit.words import short

__all__ = ["specification"]


def specification(
    fit: Fit,
    runs: Any = None,
    *,
    deltas: Sequence[float] = (1e-4, 1e-3, 1e-2),
    spaces: Sequence[str] = ("log", "linear"),
    drop_outliers: Sequence[int] = (0, 5),
    smallest: Sequence[float] = (0.0, 0.1, 0.25),
    columns: Mapping[str, Sequence[str]] | None = None,
    masks: Mapping[str, Sequence[bool]] | None = None,
    target: float | None = None,
) -> Frame:
    """Refit the law under every combination of choices; a frame with one row per combination.

    Args:
        fit: whose law and rows are refitted. Rows of weight zero in it stay out.
        runs: the table that was fitted, where `columns` are to be read from it.
        deltas: widths of the Huber function, infinity for squares.
        spaces: residuals of log y ("log") or of y ("linear").
        drop_outliers: how many of the largest residuals are left out, those of the same combination fitted
            with nothing dropped.
        smallest: shares of the runs that are left out, those of least compute (at most so many: equal sizes
            stay together).
        columns: input -> columns that could each be it, e.g. {"N": ["n_params", "n_params_no_embed"]}, read
            from `runs`.
        masks: label -> one true or false per row, true for the rows to keep: further outlier policies.
        target: for laws in N and D, the budget C = 6 N D in FLOPs whose best split is told; the largest of
            the runs unless given.

    Returns:
        A frame whose columns are the choices, `rows` (fitted), `trust` and the coefficients, and for laws in
        N and D the best split of the budget target = C = 6 N D: N_opt, D_opt, ratio (tokens per parameter)
        and loss; NaN where more is better up to the end of what C allows.

    Raises:
        ValueError: for laws of whole curves, choices out of range, fewer rows left than coefficients, y <= 0
            in log space, and `smallest` where it is not clear which runs are small.
        TypeError: for what is no fit.

    Example:
        >>> one = {"deltas": [1e-3], "spaces": ["log"], "drop_outliers": [0]}
        >>> table = sf.specification(fit, smallest=[0, 0.25], **one)
        >>> table["rows"].tolist()
        [24, 18]
    """
    check_fit(fit, "specification")
    if fit.law.whole:
        raise ValueError(
            f"law {fit.law.name!r} looks at whole curves, from which single rows cannot be left out; "
            "refit by hand with other runs"
        )
    deltas, spaces = _list("deltas", deltas), _list("spaces", spaces)
    drop_outliers, smallest = _list("drop_outliers", drop_outliers), _list("smallest", smallest)
    goals = [_goal(space, delta) for space, delta in product(spaces, deltas)]
    if "log" in spaces and np.any(fit.data.y[fit.data.counted] <= 0):
        raise ValueError('y is not positive in every row, so it has no logarithm; give spaces=("linear",)')
    counts = [whole(k, "drop_outliers", 0) for k in drop_outliers]
    kept = {label: _mask(label, mask, len(fit.data)) for label, mask in (masks or {}).items()}
    for share in smallest:
        if not 0 <= (np.nan if (found := number(share)) is None else found) < 1:
            raise ValueError(f"smallest must hold shares of at least 0 and below 1, got {short(share)}")
    lines = []
    for names, data, used in _counted(fit, runs, columns or {}):
        budget = _budget(fit.law, data, target)
        for share in steps(smallest, "specification"):
            base = np.where(_large(fit.law, data, used, share), data.weight, 0.0)
            for goal in goals:
                for policy, refitted in _policies(fit, data, used, base, goal, counts, kept):
                    head = {
                        "space": goal.space,
                        "delta": goal.width,
                        "outliers": policy,
                        "smallest": share,
                        **names,
                        "rows": len(refitted.data.counted),
                        "trust": refitted.status.trust,
                    }
                    coefs = {
                        f"{name}_coef" if name in head else name: v for name, v in refitted.coefs.items()
                    }
                    lines.append({**head, **coefs, **_split(refitted, budget)})
    return frame(lines)


def _policies(
    fit: Fit, data: Data, used, base: np.ndarray, goal: Objective, counts, kept
) -> Iterator[tuple[str, Fit]]:
    """Each outlier policy's name and fit; residuals to drop are those of the fit with nothing dropped."""
    whole = _refit(fit, data, used, base, goal)
    order = np.argsort(-np.where(base > 0, np.abs(whole.residuals()), -np.inf), kind="stable")
    for k in counts:
        if k == 0:
            yield "none left out", whole
        else:
            weight = base.copy()
            weight[order[:k]] = 0.0
            yield f"{k} largest left out", _refit(fit, data, used, weight, goal)
    for label, mask in kept.items():
        yield label, _refit(fit, data, used, np.where(mask, base, 0.0), goal)


def _refit(fit: Fit, data: Data, used: Mapping[str, str], weight: np.ndarray, goal: Objective) -> Fit:
    n, p = np.count_nonzero(weight), len(fit.law.coefs)
    if n < p:
        raise ValueError(
            f"one combination leaves {n} row{'s' * int(n != 1)} for {p} coefficients; leave out fewer"
        )
    return Problem(fit.law, data, goal, used, fit.notes).fits([weight], fit.key)[0]


def _counted(fit: Fit, runs, columns) -> Iterator[tuple[dict[str, str], Data, Mapping[str, str]]]:
    """For every way to count the inputs: the columns' names, the data, input -> column."""
    for name in columns:
        if name not in fit.law.inputs:
            raise ValueError(
                f"law {fit.law.name!r} has no input {name!r}; its inputs are {', '.join(fit.law.inputs)}"
            )
    if columns and runs is None:
        raise ValueError(
            "columns asks for other columns of the table; give it too: specification(fit, runs, columns=...)"
        )
    if not columns:
        yield {}, fit.data, fit.columns
        return
    asked = {name: fit.columns[name] for name in fit.law.inputs if name in fit.columns}
    for chosen in product(*columns.values()):
        names = dict(zip(columns, chosen, strict=True))
        data, used, _ = bind(
            fit.law, runs, {**asked, **names}, fit.columns["y"], None, fit.data.weight, fit.objective
        )
        yield names, replace(data, group=fit.data.group, independent=fit.data.independent), used


def _large(law: Law, data: Data, used: Mapping[str, str], share: float) -> np.ndarray:
    """Which rows stay where at most this share of the counted ones, the smallest, is left out;
    equal sizes together."""
    if not share:
        return np.ones(len(data), bool)
    try:
        _, size = size_of_runs(law, data.x, used)
    except ValueError as error:
        raise ValueError(
            f"which runs are small is not clear from {', '.join(law.inputs)}; give smallest=(0.0,)"
        ) from error
    n = len(data.counted)
    return size >= np.sort(size[data.counted])[int(share * n + 1e-9)] * (1 - 1e-6)


def _list(name: str, given: Any) -> list[Any]:
    """A list of choices as it was given; ValueError unless it is one of at least one."""
    if isinstance(given, str | Mapping) or not isinstance(given, Iterable) or not list(given):
        raise ValueError(f"{name} must be a list of at least one choice, got {short(given)}")
    return list(given)


def _goal(space: str, delta: float) -> Objective:
    return square(space) if number(delta) == np.inf else huber(delta, space)


def _mask(label: str, mask: Sequence[bool], n: int) -> np.ndarray:
    values = np.asarray(mask)
    if values.shape != (n,) or not np.all((values == 0) | (values == 1)):
        raise ValueError(f"mask {label!r} must hold one true or false for each of the {n} rows")
    return values.astype(bool)


def _budget(law: Law, data: Data, target: float | None) -> float | None:
    """C to split; None for a law that is not one of N and D."""
    if set(law.inputs) != {"N", "D"}:
        if target is not None:
            raise ValueError(
                f"target asks for the best N and D, but law {law.name!r} is one of {', '.join(law.inputs)}"
            )
        return None
    return float(np.max(6 * data.x["N"] * data.x["D"])) if target is None else one_positive("target", target)


def _split(fit: Fit, budget: float | None) -> dict[str, float]:
    if budget is None:
        return {}
    best = optimal(fit.law, C=budget, coefs=fit.coefs).iloc[0]
    inside = best["caution"] == ""
    answer = {"N_opt": best["N"], "D_opt": best["D"], "ratio": best["ratio"], "loss": best["loss"]}
    return {"C": budget, **{name: float(v) if inside else np.nan for name, v in answer.items()}}
