"""What could be wrong with a fit, in words: design of the runs, coefficients not determined, odd rows.

Every check is one small function that yields cautions; adding one is adding it to `CHECKS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from scalefit.core.data import Data
from scalefit.core.law import Law
from scalefit.core.linear import Linear
from scalefit.core.objective import Objective
from scalefit.core.search import Found
from scalefit.fit import Caution

__all__ = ["Case", "cautions"]

BITS = np.log(1 / np.log(2))  # log of the factor between a loss in bits and the same loss in nats


@dataclass(frozen=True)
class Case:
    """Everything a check may look at."""

    law: Law
    data: Data
    objective: Objective
    u: np.ndarray
    coefs: dict[str, float]
    linear: Linear
    covariance: np.ndarray
    found: Found
    columns: Mapping[str, str]

    def label(self, name: str) -> str:
        """An input or "y" under the name the user knows it by."""
        column = self.columns.get(name, name)
        return name if column == name else f"{name} (column {column!r})"

    @property
    def logs(self) -> dict[str, np.ndarray]:
        """Logarithms of the inputs that are positive throughout."""
        return {name: np.log(v) for name, v in self.data.x.items() if np.all(v > 0)}


def cautions(case: Case) -> tuple[Caution, ...]:
    """All warnings about a fit, the most serious first."""
    order = ("serious", "warning", "info")
    found = [caution for check in CHECKS for caution in check(case)]
    return tuple(sorted(found, key=lambda caution: order.index(caution.severity)))


def not_converged(case: Case) -> Iterator[Caution]:
    ends = case.found.ends
    if not ends.converged[case.found.best]:
        yield Caution("not-converged", "serious",
                      f"the best descent stopped after {ends.evaluations[case.found.best]} evaluations without "
                      'settling; give better starts, or try method="lbfgs"')  # fmt: skip


def starts_disagree(case: Case) -> Iterator[Caution]:
    n, agree = len(case.found.ends.value), case.found.n_agree
    if n > 1 and agree < max(2, 0.1 * n):
        yield Caution("starts-disagree", "serious",
                      f"starts disagree: only {agree} of {n} reached the best objective, so a better one may "
                      "exist; add runs, fix or tie a coefficient, or raise n_starts")  # fmt: skip
    elif n > 1 and agree < 0.3 * n:
        yield Caution("starts-disagree", "warning",
                      f"starts disagree: {agree} of {n} reached the best objective, the others ended in worse ones")


def few_rows(case: Case) -> Iterator[Caution]:
    n, p = len(case.data), len(case.law.coefs)
    points = len(np.unique(np.stack(list(case.data.x.values())), axis=1).T)
    if points < p:
        yield Caution("too-few-points", "serious",
                      f"{points} distinct settings of {', '.join(case.law.inputs)} cannot determine {p} coefficients; "
                      "add runs at other settings, or fix or tie coefficients")  # fmt: skip
    elif n == p:
        yield Caution("no-spare-rows", "serious",
                      f"{n} rows and {p} coefficients: the law passes through any data, so nothing checks it")
    elif n < 2 * p:
        yield Caution("few-rows", "warning", f"only {n} rows for {p} coefficients; errors are themselves uncertain")


def few_scales(case: Case) -> Iterator[Caution]:
    for name, values in case.data.x.items():
        levels = np.unique(values)
        if len(levels) == 1:
            yield Caution("constant-input", "serious",
                          f"{case.label(name)} is {levels[0]:g} in every row, so its coefficients cannot be told "
                          "apart; vary it, fix them, or use a law without it")  # fmt: skip
        elif len(levels) == 2:
            yield Caution("few-scales", "warning",
                          f"{case.label(name)} takes only 2 values: an exponent and a floor cannot both be seen; "
                          "add a third scale")  # fmt: skip


def collinear(case: Case) -> Iterator[Caution]:
    logs = {name: v for name, v in case.logs.items() if np.ptp(v) > 0}
    if len(logs) < 2:
        return
    table = np.stack([v - v.mean() for v in logs.values()])
    strength = np.linalg.svd(table / np.linalg.norm(table, axis=1)[:, None], compute_uv=False)[-1]
    if strength < 0.05:
        names = " and ".join(case.label(name) for name in logs)
        yield Caution("collinear", "serious" if strength < 1e-3 else "warning",
                      f"{names} move together over these runs (as with a fixed number of tokens per parameter), so "
                      "their terms cannot be separated; add runs that vary one of them alone")  # fmt: skip


def two_units(case: Case) -> Iterator[Caution]:
    for name, logs in case.logs.items():
        order = np.sort(logs)
        gaps = np.diff(order) / np.log(10)
        if len(gaps) and gaps.max() > 4:
            cut = (order[gaps.argmax()] + order[gaps.argmax() + 1]) / 2
            rows = _rows(np.flatnonzero(logs < cut if np.mean(logs < cut) < 0.5 else logs > cut))
            yield Caution("mixed-units", "serious",
                          f"{case.label(name)} falls into two groups 1e{gaps.max():.0f} apart: {rows} look like "
                          "another unit (billions among counts?); use one unit")  # fmt: skip


def odd_rows(case: Case) -> Iterator[Caution]:
    r = case.linear.residual if case.objective.space == "log" else np.log1p(case.linear.residual / case.data.y)
    r = -np.nan_to_num(r)
    usual = max(1.4826 * np.median(np.abs(r - np.median(r))), 1e-3)
    far = np.flatnonzero(np.abs(r) > np.maximum(10 * usual, 0.05))
    in_bits = np.flatnonzero(np.abs(np.abs(r) - BITS) < 0.25 * BITS)
    if case.law.predicts == "loss" and len(in_bits) and usual < 0.1 and set(in_bits) <= set(far):
        yield Caution("mixed-units", "serious",
                      f"{_rows(in_bits)} lie a factor 1.44 off the curve, the factor between bits and nats; "
                      "convert them to one unit")  # fmt: skip
    elif len(far):
        worst = far[np.abs(r[far]).argmax()]
        yield Caution("outliers", "warning",
                      f"{_rows(far)} lie far off the curve (row {worst} by {np.expm1(r[worst]):+.0%}, the usual "
                      f"residual being {usual:.1%}); check those runs")  # fmt: skip


def rising_loss(case: Case) -> Iterator[Caution]:
    if case.law.predicts != "loss" or not case.logs:
        return
    logs = {name: v - v.mean() for name, v in case.logs.items() if np.ptp(v) > 0}
    y = np.log(np.maximum(case.data.y, 1e-300))
    for name, v in logs.items():
        if len(v) >= 4 and np.corrcoef(v, y)[0, 1] > 0.5:
            yield Caution("rising-loss", "serious",
                          f"the loss rises with {case.label(name)} over these runs, which this law cannot follow; "
                          "check the columns and their units, or that larger runs were tuned and finished")  # fmt: skip


def poor_fit(case: Case) -> Iterator[Caution]:
    y = np.log(case.data.y) if case.objective.space == "log" else case.data.y
    spread = np.median(np.abs(y - np.median(y)))
    if spread == 0:
        yield Caution("constant-output", "serious", f"{case.label('y')} is the same in (nearly) every row; nothing "
                      "can be learnt about how it scales")  # fmt: skip
    elif np.median(np.abs(case.linear.residual)) > 0.7 * spread:
        yield Caution("poor-fit", "serious", "the law explains almost none of the variation; check the columns, or "
                      "use another law")  # fmt: skip


def odd_loss(case: Case) -> Iterator[Caution]:
    if case.law.predicts == "loss" and np.max(case.data.y) > 20:
        yield Caution("odd-loss", "warning",
                      f"{case.label('y')} reaches {np.max(case.data.y):g}: more than 20 nats per token is no language "
                      "model's loss; is it a perplexity, a sum, or in percent?")  # fmt: skip


def duplicated(case: Case) -> Iterator[Caution]:
    table = np.stack([*case.data.x.values(), case.data.y])
    _, first, count = np.unique(table, axis=1, return_index=True, return_counts=True)
    extra = int(np.sum(count - 1))
    if extra:
        again = int(first[count.argmax()])
        yield Caution("duplicated-rows", "warning",
                      f"{extra} rows repeat others exactly (row {again} for one) and count again; drop them, or use "
                      "weight if they are meant")  # fmt: skip


def at_bound(case: Case) -> Iterator[Caution]:
    effect = np.sqrt(np.mean(case.linear.jacobian**2, axis=1))
    for coef, value, size in zip(case.law.coefs, case.coefs.values(), effect, strict=True):
        lo, hi = coef.support.lo, coef.support.hi
        if np.isfinite(lo) and np.isfinite(hi):
            near = [edge for edge in (lo, hi) if abs(value - edge) < 1e-4 * (hi - lo)]
            if near:
                yield Caution("at-bound", "warning", f"{coef.name} ended at its bound {near[0]:g}")
        elif np.isfinite(lo) and size < 1e-6 * effect.max() and value - lo < 1:
            yield Caution("at-bound", "warning",
                          f"{coef.name} has shrunk to its bound {lo:g}: the data want no such term")


def not_identified(case: Case) -> Iterator[Caution]:
    """A coefficient whose error is a factor of e^1.5 or more, with what it trades against."""
    spread = np.sqrt(np.diag(case.covariance))
    relative = spread / np.maximum(np.where(_bounded(case.law), 1.0, np.abs(case.u)), 1e-300)
    loose = [k for k in np.argsort(-relative) if relative[k] > 1.5]
    if not loose:
        return
    names = [case.law.names[k] for k in sorted(loose)]
    with np.errstate(invalid="ignore"):
        correlation = case.covariance / np.outer(spread, spread)
    partners = [
        f"{case.law.names[k]} and {case.law.names[j]} trade off"
        for k in loose for j in [_partner(correlation, k)] if j is not None
    ]  # fmt: skip
    words = "; ".join(dict.fromkeys(partners[:3])) or "they have almost no effect on these rows"
    yield Caution("not-identified", "warning",
                  f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} not determined by these runs: {words}. "
                  "Predictions near the runs may still be good")  # fmt: skip


def implausible(case: Case) -> Iterator[Caution]:
    for coef in case.law.coefs:
        lo, hi = coef.typical
        value = case.coefs[coef.name]
        if coef.unit is None and coef.support.lo == 0 and coef.start and not lo / 5 < value < hi * 5:
            yield Caution("implausible", "info", f"{coef.name} = {value:.3g} is far from its usual {lo:g} to {hi:g}")


CHECKS: tuple[Callable[[Case], Iterator[Caution]], ...] = (
    not_converged, starts_disagree, few_rows, few_scales, collinear, two_units, odd_rows, rising_loss, poor_fit,
    odd_loss, duplicated, at_bound, not_identified, implausible,
)  # fmt: skip


def _bounded(law: Law) -> np.ndarray:
    """Which coefficients live on a log or logistic scale, where an error of 1 is a factor of e."""
    return np.array([np.isfinite(c.support.lo) or np.isfinite(c.support.hi) for c in law.coefs])


def _partner(correlation: np.ndarray, k: int) -> int | None:
    others = np.abs(np.nan_to_num(correlation[k]))
    others[k] = 0
    return int(others.argmax()) if others.max() > 0.9 else None


def _rows(rows: np.ndarray) -> str:
    """ "rows 3, 8 and 5 more", counted from 0."""
    shown = ", ".join(str(row) for row in rows[:5])
    more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    return f"row{'s' if len(rows) > 1 else ''} {shown}{more}"
