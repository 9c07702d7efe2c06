"""Uncertainty without assuming much: the bootstrap in its variants, the jackknife, and the sandwich.

Every resample is a row of weights on the same runs (or of shifted outputs), and every refit is a search from
several starts in the one compiled program that made the fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from scalefit.arguments import check_choice, check_key, whole
from scalefit.core import weights
from scalefit.core.data import Data
from scalefit.core.linear import Linear, clustered, influence, interpolated, leverage, linearise
from scalefit.core.search import pad, problem_of, search_all
from scalefit.core.solve import Rows
from scalefit.core.starts import cells, screen
from scalefit.fits.draws import Draws
from scalefit.fits.ensemble import Ensemble, check_fit
from scalefit.fits.fit import Fit
from scalefit.fits.status import Caution
from scalefit.fits.workers import Sent, arrived, check_executor, sent
from scalefit.uncertainty import checkpoints

__all__ = ["METHODS", "bootstrap", "jackknife", "sandwich"]

METHODS = ("pairs", "cluster", "residual", "wild", "bayesian")
# Draws are refitted in batches of this many, or of about this many numbers per
# column where there are many rows.
BATCH, NUMBERS = 512, 4_000_000


AnyFit = TypeVar("AnyFit", Fit, Ensemble)


class Resamples(NamedTuple):
    """Weights of the counted rows (n_draws, n), outputs where they are shifted,
    which draws hold too few settings."""

    weight: np.ndarray
    y: np.ndarray | None
    thin: np.ndarray


def bootstrap(
    fit: AnyFit,
    n_draws: int = 1000,
    key: int = 0,
    method: str | None = None,
    n_starts: int | None = None,
    *,
    file: str | Path | None = None,
    executor: Executor | None = None,
) -> AnyFit:
    """The fit with `draws`: n_draws refits of resampled runs, each a search from several starts.

    Args:
        fit: a fit, or an ensemble.
        n_draws: how many; the first draws do not depend on how many follow.
            Refits that fail are marked and kept.
        key: seed; the same key gives the same draws.
        method: "pairs" draws rows with replacement; "cluster" draws whole groups (the fit's `group`: runs, or
            model sizes), for rows that share errors; "residual" keeps the settings and draws residuals
            (errors alike everywhere); "wild" flips each residual (errors that differ from row to row; by
            group where there are groups); "bayesian" weighs rows or groups smoothly, so that no draw loses a
            scale altogether. Left out: "cluster" where the fit has groups, otherwise "pairs".
        n_starts: screened starts per refit, beside the fit itself.
        file: finished draws are appended there, and a study that was killed goes on where it stopped.
        executor: refits in its workers (any of concurrent.futures', Dask's or joblib's; processes must be
            spawned, not forked), with the same result.

    Returns:
        The fit with draws, from which its intervals are then told. Interrupted, the draws done so far, with a
        warning.

    Raises:
        ValueError: for another method, too few rows or groups, a posterior, or a file of another study.

    Example:
        >>> sf.bootstrap(fit, 50, key=1).draws.u.shape  # draws x coefficients
        (50, 5)
    """
    if isinstance(fit, Ensemble):
        if file is not None:
            raise ValueError(
                "file keeps the draws of one law; "
                "bootstrap the ensemble's fits one by one, ensemble.fits[...]"
            )
        each = {
            label: bootstrap(one, n_draws, key, method, n_starts, executor=executor)
            for label, one in fit.fits.items()
        }
        return replace(fit, fits=each)
    check_fit(fit, "bootstrap")
    n_draws, key = whole(n_draws, "n_draws", 2), check_key(key)
    n_starts = None if n_starts is None else whole(n_starts, "n_starts", 0)
    if method is None:
        method = "pairs" if fit.data.group is None else "cluster"
    check_choice(method, "method", METHODS)
    if method == "cluster" and fit.data.group is None:
        raise ValueError('method="cluster" needs to know which rows belong together: fit with group="..."')
    check_executor(executor, fit.law)
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
    resamples = draw(fit, linear, group, method, n_draws, key)
    batches: list[tuple[np.ndarray, np.ndarray]] = []
    try:
        batches.extend(_refits(fit, resamples, n_starts, executor, file, {"method": method, "key": key}))
    except KeyboardInterrupt:
        done = sum(len(u) for u, _ in batches)
        if done < 2:
            raise
        fit = _interrupted(fit, done, n_draws)
    u, settled = map(np.concatenate, zip(*batches, strict=True))
    return fit.changed(draws=Draws(u, ~settled | resamples.thin[: len(u)], units, method, key))


def _interrupted(fit: Fit, done: int, wanted: int) -> Fit:
    caution = Caution("interrupted", "warning", f"interrupted after {done} of {wanted} draws")
    trust = "weak" if fit.status.trust == "good" else fit.status.trust
    status = replace(fit.status, trust=trust, cautions=(*fit.status.cautions, caution.code))
    return fit.changed(status=status, warnings=(*fit.warnings, caution))


def jackknife(fit: Fit, n_starts: int | None = None) -> Fit:
    """The fit with one refit per row left out, or per group, as `draws`, and their covariance.

    The covariance is (m - 1) / m times the sum of squares about their mean, for m rows. A row whose absence
    moves a coefficient far is a row to look at.

    Args:
        fit: a fit.
        n_starts: screened starts per refit, beside the fit itself.

    Returns:
        The fit with draws (one per row or group, in their order) and covariance.

    Raises:
        ValueError: for no more rows (or groups) than coefficients, or a posterior.

    Example:
        >>> sf.jackknife(fit).draws.u.shape  # rows x coefficients
        (24, 5)
    """
    check_fit(fit, "jackknife")
    counted = fit.data.counted
    group = np.arange(len(counted)) if fit.data.group is None else fit.data.group[counted]
    _, code = np.unique(group, return_inverse=True)
    m = int(code.max()) + 1
    left = Resamples((np.arange(m)[:, None] != code).astype(float), None, np.zeros(m, bool))
    u, settled = map(np.concatenate, zip(*_refits(fit, left, n_starts), strict=True))
    centred = u - u.mean(axis=0)
    covariance = (m - 1) / m * centred.T @ centred
    return fit.changed(covariance=covariance, draws=Draws(u, ~settled, -(u - fit.u), "jackknife", 0))


def sandwich(fit: Fit) -> Fit:
    """The fit with a covariance that lets errors differ from row to row, and be shared within its groups.

    Each row's pull on the coefficients is scaled up by 1 / (1 - leverage), as if it had been left out (HC3),
    and the covariance is n / (n - 1) times the sum of their squares; with groups, whole groups are left out
    (CR3), which is what a fit with groups carries already. It costs one Jacobian. With few groups see
    `sf.bootstrap`.

    Args:
        fit: a fit.

    Returns:
        The fit with that covariance.

    Raises:
        ValueError: for a posterior.

    Example:
        >>> sf.sandwich(fit).covariance.shape
        (5, 5)
    """
    check_fit(fit, "sandwich")
    rows = fit.data.counted
    linear = linearise(fit.law, fit.objective, fit.u, fit.data.x, fit.data.y).take(rows)
    weight = fit.data.weight[rows]
    if fit.data.group is not None:
        covariance = clustered(fit.objective, linear, weight, fit.data.group[rows])
        return fit.changed(covariance=covariance, draws=None, basis="sandwich by groups (CR3)")
    pull = influence(fit.objective, linear, weight) / (1 - leverage(fit.objective, linear, weight))[:, None]
    n, known = len(rows), np.isfinite(np.diag(fit.covariance))
    covariance = np.where(np.outer(known, known), pull.T @ pull * n / max(n - 1, 1), fit.covariance)
    return fit.changed(covariance=covariance, draws=None, basis="sandwich (HC3)")


def _by_unit(pull: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Rows' pulls summed within groups (m, p)."""
    _, code = np.unique(group, return_inverse=True)
    units = np.zeros((code.max() + 1, pull.shape[1]))
    np.add.at(units, code, pull)
    return units


def _by_weights(fit: Fit, linear: Linear, group, method: str, n_draws: int, key: int) -> Resamples:
    """Weights drawn; thin: draws with fewer distinct settings than coefficients."""
    if method == "bayesian":
        drawn = weights.bayesian(group, n_draws, key)
    elif method == "cluster":
        drawn = weights.cluster(group, n_draws, key)
    else:
        drawn = weights.pairs(len(group), n_draws, key)
    table = np.stack([column[fit.data.counted] for column in fit.data.x.values()], axis=1)
    _, setting = np.unique(table, axis=0, return_inverse=True)
    order = np.argsort(setting.reshape(-1), kind="stable")
    begins = np.flatnonzero(np.diff(setting.reshape(-1)[order], prepend=-1))
    seen = np.logical_or.reduceat(drawn[:, order] > 0, begins, axis=1)
    return Resamples(drawn, None, np.sum(seen, axis=1) < len(fit.law.coefs))


def _by_outputs(fit: Fit, linear: Linear, group, method: str, n_draws: int, key: int) -> Resamples:
    """Outputs on the curve plus resampled residuals, scaled up by the freedom that was fitted away."""
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
    return Resamples(np.ones((n_draws, n)), y, np.zeros(n_draws, bool))


def _refits(
    fit: Fit,
    resamples: Resamples,
    n_starts: int | None,
    executor: Executor | None = None,
    file: str | Path | None = None,
    study: dict | None = None,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Coordinates (batch, p) and whether they settled (batch,), batch by batch:
    from the file where it has them."""
    keep, enough = _starts(len(fit.data.counted)) if n_starts is None else (n_starts, None)
    step, n_draws = max(1, min(BATCH, NUMBERS // len(fit.data))), len(resamples.weight)
    parts = [slice(i, min(i + step, n_draws)) for i in range(0, n_draws, step)]
    known: dict[int, Any] = {}
    if file is not None:
        known = {line["first"]: line for line in checkpoints.resume(file, _header(fit, keep, **study or {}))}
        known = {begin: line for begin, line in known.items() if len(line["u"]) >= min(step, n_draws - begin)}

    def cut(part):
        return (resamples.weight[part], None if resamples.y is None else resamples.y[part])

    missing = [part for part in parts if part.start not in known]
    begun: dict[int, Any] = {}
    if executor is not None:
        own = sent(fit.changed(draws=None))
        begun = {part.start: executor.submit(_remote, own, keep, enough, *cut(part)) for part in missing}
    try:
        for part in parts:
            if part.start in known:
                line = known[part.start]
                n = part.stop - part.start
                yield np.array(line["u"], float)[:n], np.array(line["settled"], bool)[:n]
                continue
            u, settled = begun[part.start].result() if begun else _refit(fit, keep, enough, *cut(part))
            if file is not None:
                checkpoints.append(file, {"first": part.start, "u": u.tolist(), "settled": settled.tolist()})
            yield u, settled
    finally:
        for future in begun.values():
            future.cancel()


def _header(fit: Fit, keep: int, **study: Any) -> dict[str, Any]:
    """What makes two studies the same, whatever their number of draws."""
    group = None if fit.data.group is None else np.unique(fit.data.group, return_inverse=True)[1].tolist()
    goal = [fit.objective.name, fit.objective.space, fit.objective.width]
    return {
        "study": "bootstrap",
        "law": fit.law.name,
        "recipe": fit.law.recipe,
        "coefs": dict(fit.coefs),
        "objective": goal,
        "data": fit.data.hash(),
        "group": group,
        "n_starts": keep,
        **study,
    }


def _remote(own: Sent, keep: int, enough: int | None, weight: np.ndarray, y: np.ndarray | None):
    """`_refit` in a worker."""
    return _refit(arrived(own), keep, enough, weight, y)


def _starts(n: int) -> tuple[int, int]:
    """Screened starts per refit of n rows, and how many (with the fit) suffice where they agree.

    Few rows make many basins: of 2400 resamples of 12 rows,
    5 starts that agree miss the best of 25 in 0.3 %, 3 in 0.7 %.
    """
    return (24, 9) if n < 20 else (16, 5) if n < 100 else (8, 2)


def _refit(
    fit: Fit, keep: int, enough: int | None, drawn: np.ndarray, y: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """One search per row of `drawn` (weights of the counted rows),
    from the fit and from `keep` screened starts."""
    seen = np.arange(len(fit.data)) if fit.law.whole else fit.data.counted
    data: Data = fit.data.take(seen)
    counted = data.counted
    rows = pad([{**data.x, "y": data.y, "weight": data.weight}], fit.law)
    search = partial(search_all, fit.law, objective=fit.objective, enough=enough)
    weight = np.zeros((len(drawn), rows.y.shape[1]))
    weight[:, counted] = drawn * data.weight[counted]
    if y is None:
        found = search(Rows(rows.x, rows.y, weight), n_starts=keep, warm=fit.u)
    else:
        # Shifted outputs leave the settings alone: the cells that suited the runs suit every draw.
        nonlinear = cells(fit.law, rows)
        best = screen(problem_of(fit.law, fit.objective), rows, nonlinear, keep)
        own = np.repeat(rows.y, len(weight), axis=0)
        own[:, : len(seen)] = y[:, seen]
        every = Rows(tuple(np.repeat(x, len(weight), axis=0) for x in rows.x), own, weight)
        found = search(every, starts=np.concatenate([fit.u[None], best.u[0]]))
    return found.u, found.converged
