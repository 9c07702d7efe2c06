"""Intervals that allow for a law that is only nearly right, by how well it foretells runs that are known.

fit = sf.widen(sf.fit("chinchilla", runs))
fit.predict({"N": 7e10, "D": 1.4e12}, level=0.9, kind="run")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from scalefit import api, tables
from scalefit.backtest import merged
from scalefit.core.data import Data
from scalefit.core.law import Law
from scalefit.core.linear import clustered, covariance, linearise, sharpen
from scalefit.core.search import pad, search_all
from scalefit.identify import variance
from scalefit.model_error import (
    GRID,
    TAU,
    ModelError,
    agreement,
    departure,
    likelihood,
    posterior,
    residual_size,
)
from scalefit.result import Fit

__all__ = ["cuts_of", "evidence", "sizes", "widen"]

# A window holds at least this share of the rows, and two rows more than there are coefficients.
SHARE, SPARE = 0.2, 2
# Screened starts per refit, beside the fit itself.
N_STARTS = 8


def widen(fit: Fit, by: str | Sequence[float] | None = None, n_cuts: int = 4) -> Fit:
    """The fit with `model_error`: its intervals then allow for the law's own error (see `sf.ModelError`).

    The law is refitted to the small runs, for at most n_cuts windows that grow, and predicts the larger ones;
    how far it misses them says how far to trust it beyond all runs, as do residuals that are alike in
    neighbouring runs. by: what says which runs are small: an input, or one number per row; left out, N D, C
    or the product of the inputs that are counts, the step for laws of whole curves. Without windows
    (n_cuts=0, or too few runs) tau is the usual one of a law that is only nearly right, 1.

    Coefficients and their errors stay as they are.
    """
    n_cuts = api._whole(n_cuts, "n_cuts", 0)
    label, size = sizes(fit, by)
    cuts = cuts_of(size[fit.data.counted], len(fit.law.coefs), n_cuts)
    tau = posterior(evidence(fit, size, cuts), agreement(fit))
    said = (
        f"{len(cuts)} backtests by {label} and neighbours' residuals make it {tau:.2g}"
        if cuts
        else "no backtest"
    )
    note = f"intervals allow for the law's own error, tau = {TAU:g} where it is only nearly right; {said}"
    return replace(fit, model_error=ModelError(tau, label, cuts), notes=(*fit.notes, note))


def evidence(fit: Fit, size: np.ndarray, cuts: Sequence[float]) -> np.ndarray:
    """Log-likelihoods (windows, grid of tau) of the errors of predictions beyond each cut."""
    if not len(cuts):
        return np.zeros((0, len(GRID)))
    law, objective = fit.law, fit.objective
    data = fit.data if law.whole else fit.data.take(fit.data.counted)
    size = size if law.whole else size[fit.data.counted]
    rows = pad([{**data.x, "y": data.y, "weight": data.weight}], law)
    weight = np.zeros((len(cuts), rows.y.shape[1]))
    weight[:, : len(data)] = np.where(size <= np.array(cuts)[:, None], data.weight, 0.0)
    founds = search_all(law, rows._replace(weight=weight), objective, None, "auto", N_STARTS, fit.u)
    lines = []
    for found, used in zip(founds, weight[:, : len(data)], strict=True):
        past = _refitted(fit, replace(data, weight=used), found.ends.u[found.best])
        held = np.flatnonzero((used == 0) & (data.weight > 0))
        lines.append(likelihood(*_missed(past, held)))
    return np.array(lines)


def _refitted(fit: Fit, data: Data, u: np.ndarray) -> Fit:
    law, objective = fit.law, fit.objective
    u, linear = sharpen(law, data, objective, u)
    weight = data.weight[data.counted]
    if data.group is None:
        spread = covariance(objective, linear, weight)
    else:
        spread = clustered(objective, linear, weight, data.group[data.counted])
    coefs = {c.name: c.support.inside(v) for c, v in zip(law.coefs, u, strict=True)}
    return replace(fit, coefs=coefs, data=data, covariance=spread, draws=None, model_error=None)


def _missed(past: Fit, held: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Held-out rows: errors, standard deviations of a new run if the law is right, and of the law's own error."""
    linear = linearise(past.law, past.objective, past.u, past.data.x, past.data.y).take(held)
    y = past.data.y[held]
    centre = linear.residual + (np.log(y) if past.objective.space == "log" else y)
    spread = np.sqrt(variance(linear.jacobian, past.covariance) + residual_size(past) ** 2)
    x = {name: column[held] for name, column in past.data.x.items()}
    return linear.residual, spread, departure(past, x, centre, "run")


def sizes(fit: Fit, by: str | Sequence[float] | None) -> tuple[str, np.ndarray]:
    """What says which runs are small, in words, and its logarithm (or itself where it is not positive) per row."""
    law, x = fit.law, fit.data.x
    if by is None:
        label, size = _usual(law, x)
    elif isinstance(by, str):
        name = next((n for n in law.inputs if by in (n, fit.columns.get(n))), None)
        if name is None or name in law.labels:
            raise ValueError(f"by must be an input of {law.name!r} ({', '.join(law.inputs)}) or one number per row, "
                             f"got {tables.short(by)}")  # fmt: skip
        label, size = by, x[name]
    else:
        label, size = "the sizes given", tables.numbers(by, "by", "a number")
        tables.same_length("by", len(size), len(fit.data), "the fitted table")
    return label, np.log(merged(size)) if np.all(size > 0) else size


def _usual(law: Law, x: Mapping[str, np.ndarray]) -> tuple[str, np.ndarray]:
    if law.whole or len(law.inputs) == 1:
        name = law.inputs[0]
        # A smaller loss is a larger run.
        return (f"1/{name}", 1 / x[name]) if name == "L" and np.all(x[name] > 0) else (name, x[name])
    for names in (("N", "D"), ("C",)):
        if set(names) <= set(law.inputs):
            break
    else:
        numbers = tuple(n for n in law.inputs if n not in law.labels and np.all(x[n] > 0))
        names = tuple(n for n in numbers if n not in law.domain or law.domain[n].scales) or numbers
    if not names:
        raise ValueError(
            f'what makes a run large is not clear from {law.name!r}; say which input with by="..."'
        )
    return " ".join(names), np.prod([x[name] for name in names], axis=0)


def cuts_of(size: np.ndarray, p: int, n_cuts: int) -> tuple[float, ...]:
    """At most n_cuts sizes to cut at, spread evenly, such that enough rows are fitted and some are left."""
    size = np.sort(size)
    scales = np.unique(size)
    rows = np.searchsorted(size, scales, side="right")
    usable = scales[1:-1][rows[1:-1] >= max(p + SPARE, SHARE * len(size))]
    if len(usable) > n_cuts:
        begin = max(usable[0], scales[0] + (scales[-1] - scales[0]) / (n_cuts + 1))
        wanted = begin + (scales[-1] - begin) * np.arange(n_cuts) / max(n_cuts, 1) + 1e-9
        usable = usable[np.unique(np.searchsorted(usable, wanted, side="right") - 1)]
    return tuple(usable.tolist())
