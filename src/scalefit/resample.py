"""Uncertainty without assuming much: the bootstrap in its variants, the jackknife, and the sandwich.

Every resample is a row of weights on the same runs (or of shifted outputs), and every refit is a search from
several starts in the one compiled program that made the fit.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from scalefit.core import weights
from scalefit.core.data import Data
from scalefit.core.linear import Linear, clustered, influence, interpolated, leverage, linearise
from scalefit.core.search import Found, pad, problem_of, search_all
from scalefit.core.solve import Rows
from scalefit.core.starts import cells, screen
from scalefit.draws import Draws
from scalefit.result import Fit

__all__ = ["METHODS", "bootstrap", "jackknife", "sandwich"]

METHODS = ("pairs", "cluster", "residual", "wild", "bayesian")
# Draws are refitted in batches of about this many numbers per column.
BATCH = 4_000_000


def bootstrap(fit: Fit, n_draws: int = 1000, key: int = 0, method: str | None = None,
              n_starts: int | None = None) -> Fit:  # fmt: skip
    """The fit with `draws`: n_draws refits of resampled runs, each a search from several starts.

    method: "pairs" draws rows with replacement; "cluster" draws whole groups (the fit's `group`: runs, or model
    sizes), for rows that share errors; "residual" keeps the settings and draws residuals (errors alike
    everywhere); "wild" flips and scales each residual (errors that differ from row to row; by group where there
    are groups); "bayesian" weighs rows or groups smoothly, so that no draw loses a scale altogether. Left out:
    "cluster" where the fit has groups, otherwise "pairs".
    n_starts: screened starts per refit, beside the fit itself; the same key gives the same draws, and the first
    draws do not depend on how many follow. Refits that fail are marked and kept.
    """
    if method is None:
        method = "pairs" if fit.data.group is None else "cluster"
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    if method == "cluster" and fit.data.group is None:
        raise ValueError('method="cluster" needs to know which rows belong together: fit with group="..."')
    if n_draws < 2:
        raise ValueError(f"n_draws must be at least 2, got {n_draws}")
    counted = fit.data.counted
    group = (
        np.arange(len(counted)) if fit.data.group is None or method == "pairs" else fit.data.group[counted]
    )
    if method == "cluster" and len(np.unique(group)) < 3:
        raise ValueError(
            f"there are only {len(np.unique(group))} groups to draw from; a cluster bootstrap needs more"
        )
    linear = linearise(fit.law, fit.objective, fit.u, fit.data.x, fit.data.y).take(counted)
    units = _by_unit(influence(fit.objective, linear, fit.data.weight[counted]), group)
    draw = _by_outputs if method in ("residual", "wild") else _by_weights
    founds, thin = draw(fit, linear, group, method, n_draws, key, n_starts)
    u = np.stack([found.ends.u[found.best] for found in founds])
    failed = np.array([not found.ends.converged[found.best] for found in founds]) | thin
    return replace(fit, draws=Draws(u, failed, units, method, key))


def jackknife(fit: Fit, n_starts: int | None = None) -> Fit:
    """The fit with one refit per row left out (per group, where the fit has groups), as `draws`, and their covariance.

    The covariance is (m - 1) / m times the sum of squares about their mean, for m rows. A row whose absence moves a
    coefficient far is a row to look at.
    """
    counted = fit.data.counted
    group = np.arange(len(counted)) if fit.data.group is None else fit.data.group[counted]
    _, code = np.unique(group, return_inverse=True)
    m = int(code.max()) + 1
    founds = _refit(fit, (np.arange(m)[:, None] != code).astype(float), n_starts)
    u = np.stack([found.ends.u[found.best] for found in founds])
    failed = np.array([not found.ends.converged[found.best] for found in founds])
    centred = u - u.mean(axis=0)
    covariance = (m - 1) / m * centred.T @ centred
    return replace(fit, covariance=covariance, draws=Draws(u, failed, -(u - fit.u), "jackknife", 0))


def sandwich(fit: Fit) -> Fit:
    """The fit with a covariance that lets errors differ from row to row, and be shared within its groups.

    Each row's pull on the coefficients is scaled up by 1 / (1 - leverage), as if it had been left out (HC3), and the
    covariance is n / (n - 1) times the sum of their squares; with groups, whole groups are left out (CR3), which is
    what a fit with groups carries already. It costs one Jacobian. With few groups see `sf.bootstrap`.
    """
    rows = fit.data.counted
    linear = linearise(fit.law, fit.objective, fit.u, fit.data.x, fit.data.y).take(rows)
    weight = fit.data.weight[rows]
    if fit.data.group is not None:
        return replace(
            fit, covariance=clustered(fit.objective, linear, weight, fit.data.group[rows]), draws=None
        )
    pull = influence(fit.objective, linear, weight) / (1 - leverage(fit.objective, linear, weight))[:, None]
    n, known = len(rows), np.isfinite(np.diag(fit.covariance))
    covariance = np.where(np.outer(known, known), pull.T @ pull * n / max(n - 1, 1), fit.covariance)
    return replace(fit, covariance=covariance, draws=None)


def _by_unit(pull: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Rows' pulls summed within groups (m, p)."""
    _, code = np.unique(group, return_inverse=True)
    units = np.zeros((code.max() + 1, pull.shape[1]))
    np.add.at(units, code, pull)
    return units


def _by_weights(fit: Fit, linear: Linear, group, method: str, n_draws: int, key: int, n_starts):
    """Refits with resampled weights; thin: draws with fewer distinct settings than coefficients."""
    if method == "bayesian":
        drawn = weights.bayesian(group, n_draws, key)
    elif method == "cluster":
        drawn = weights.cluster(group, n_draws, key)
    else:
        drawn = weights.pairs(len(group), n_draws, key)
    table = np.stack([column[fit.data.counted] for column in fit.data.x.values()], axis=1)
    _, setting = np.unique(table, axis=0, return_inverse=True)
    seen = np.zeros((setting.max() + 1, n_draws))
    np.add.at(seen, setting.reshape(-1), drawn.T > 0)
    thin = np.sum(seen > 0, axis=0) < len(fit.law.coefs)
    return _refit(fit, drawn, n_starts), thin


def _by_outputs(fit: Fit, linear: Linear, group, method: str, n_draws: int, key: int, n_starts):
    """Refits to the curve plus resampled residuals, scaled up by the freedom that was fitted away."""
    n, p = len(linear.residual), len(fit.law.coefs)
    error, exact = -linear.residual, interpolated(fit.objective, linear)
    if exact.any():
        # The rest are of full size; the rows that the curve passes through have errors like theirs.
        rest = error[~exact]
        error = np.where(exact, np.where(error < 0, -1, 1) * np.median(np.abs(rest)), error)
    else:
        rest = error = error * np.sqrt(n / max(n - p, 1))
    if method == "residual":
        rest = rest - np.average(rest)
        error = rest[np.random.default_rng(key).integers(0, len(rest), (n_draws, n))]
    else:
        error = error * weights.signs(group, n_draws, key)
    rows = fit.data.counted
    middle = fit.fitted()[rows]
    shifted = middle * np.exp(error) if fit.objective.space == "log" else middle + error
    y = np.broadcast_to(fit.data.y, (n_draws, len(fit.data))).copy()
    y[:, rows] = shifted
    return _refit(fit, np.ones((n_draws, n)), n_starts, y), np.zeros(n_draws, bool)


def _refit(fit: Fit, drawn: np.ndarray, n_starts: int | None, y: np.ndarray | None = None) -> list[Found]:
    """One search per row of `drawn` (weights of the counted rows), from screened starts and from the fit."""
    seen = np.arange(len(fit.data)) if fit.law.whole else fit.data.counted
    data: Data = fit.data.take(seen)
    counted = data.counted
    rows = pad([{**data.x, "y": data.y, "weight": data.weight}], fit.law)
    n, keep = rows.y.shape[1], n_starts or (8 if len(counted) < 100 else 3)
    search = partial(search_all, fit.law, objective=fit.objective)
    if y is None:
        search = partial(search, n_starts=keep, warm=fit.u)
    else:
        # Shifted outputs leave the settings alone: the cells that suited the runs suit every draw.
        nonlinear = cells(fit.law, rows)
        found = screen(problem_of(fit.law, fit.objective), rows, nonlinear, keep)
        search = partial(search, starts=np.concatenate([fit.u[None], found.u[0]]))
    founds: list[Found] = []
    step = max(1, BATCH // n)
    for begin in range(0, len(drawn), step):
        part = slice(begin, begin + step)
        weight = np.zeros((len(drawn[part]), n))
        weight[:, counted] = drawn[part] * data.weight[counted]
        batch = Rows(rows.x, rows.y, weight)
        if y is not None:
            own = np.repeat(rows.y, len(weight), axis=0)
            own[:, : len(seen)] = y[part][:, seen]
            batch = Rows(tuple(np.repeat(x, len(weight), axis=0) for x in rows.x), own, weight)
        founds += search(rows=batch)
    return founds
