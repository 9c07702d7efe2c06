"""What could be wrong with a fit, in words: design of the runs, coefficients not determined, odd rows.

Every check is one small function that yields cautions; adding one is adding it to `CHECKS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from scalefit.core.data import Data, codes, repeats
from scalefit.core.law import Law
from scalefit.core.linear import Linear, jacobians, triangle
from scalefit.core.objective import Objective
from scalefit.core.search import Found
from scalefit.core.starts import linear
from scalefit.fits.extrapolation import COLLINEAR, ray
from scalefit.fits.status import SEVERITIES, Caution
from scalefit.words import row_words

__all__ = ["COUNTS", "Case", "Check", "cautions"]

# Parameters and tokens are counts: where all are below this, they are millions or billions.
COUNTS = 1000

ENOUGH = 1000  # rows at which the terms of a law are looked at
MISFIT = 1e-3  # a trend smaller than this share of the output is no concern
NARROW = 0.02  # inputs closer than this, in logs, are one scale
BITS = np.log(1 / np.log(2))  # log of the factor between a loss in bits and the same loss in nats


@dataclass(frozen=True)
class Case:
    """Everything a check may look at. `data` and `linear` hold the rows with some weight,
    `rows` their numbers."""

    law: Law
    data: Data
    objective: Objective
    u: np.ndarray
    coefs: dict[str, float]
    linear: Linear
    covariance: np.ndarray
    found: Found
    columns: Mapping[str, str]
    rows: np.ndarray

    def where(self, rows: np.ndarray) -> str:
        """These of the rows, in words, under their numbers and names in the user's table."""
        names = self.data.names
        numbers = self.rows[rows]
        return row_words(
            numbers, names and dict(zip(numbers.tolist(), (names[row] for row in rows), strict=True))
        )

    def label(self, name: str) -> str:
        """An input or "y" under the name the user knows it by."""
        column = self.columns.get(name, name)
        return name if column == name else f"{name} (column {column!r})"

    @property
    def varied(self) -> dict[str, np.ndarray]:
        """The inputs that are numbers and no known settings: labels and curves only say which rows belong
        together."""
        apart = {*self.law.labels, *self.law.settings}
        return {name: v for name, v in self.data.x.items() if name not in apart}

    @cached_property
    def logs(self) -> dict[str, np.ndarray]:
        """Logarithms of the inputs that are positive throughout."""
        return {name: np.log(v) for name, v in self.varied.items() if np.all(v > 0)}


Check = Callable[[Case], Iterator[Caution]]


def cautions(case: Case, more: Iterable[Check] = (), said: Iterable[Caution] = ()) -> tuple[Caution, ...]:
    """All warnings about a fit, of `more` checks too and what is `said` already, the most serious first."""
    order = tuple(SEVERITIES)
    found = [*said, *(caution for check in (*CHECKS, *more) for caution in check(case))]
    return tuple(sorted(found, key=lambda caution: order.index(caution.severity)))


def not_converged(case: Case) -> Iterator[Caution]:
    ends = case.found.ends
    if not np.isfinite(ends.value[case.found.best]):
        yield Caution(
            "not-converged",
            "serious",
            "no descent reached a finite objective: at every start the law has no finite prediction for some "
            "row, or, where errors are of log y, none above zero; leave such rows out or mend the law there",
        )
    elif not ends.converged[case.found.best]:
        yield Caution(
            "not-converged",
            "serious",
            f"the best descent stopped after {ends.evaluations[case.found.best]} evaluations without "
            'settling; give better starts, or try method="lbfgs"',
        )


def starts_disagree(case: Case) -> Iterator[Caution]:
    n, agree = len(case.found.ends.value), case.found.n_agree
    if n > 1 and agree < max(2, 0.1 * n):
        yield Caution(
            "starts-disagree",
            "serious",
            f"starts disagree: only {agree} of {n} reached the best objective, so a better one may "
            "exist; add runs, fix or tie a coefficient, or raise n_starts",
        )
    elif n > 1 and agree < 0.3 * n:
        yield Caution(
            "starts-disagree",
            "warning",
            f"starts disagree: {agree} of {n} reached the best objective, "
            "the others a worse one; add runs or "
            "raise n_starts",
        )


def few_rows(case: Case) -> Iterator[Caution]:
    n, p = len(case.data), len(case.law.coefs)
    columns = list(case.data.x.values())
    # Of many rows some have as many settings as are needed, or all are looked at.
    some = [column[:: max(1, n // ENOUGH)] for column in columns]
    points = len(some[0]) - len(repeats(some))
    points = points if points >= p else n - len(repeats(columns))
    if points < p:
        yield Caution(
            "too-few-points",
            "serious",
            f"{points} distinct setting{'s' * (points > 1)} of "
            f"{', '.join(case.law.inputs)} cannot determine {p} coefficients; "
            "add runs at other settings, or fix or tie coefficients",
        )
    elif n == p:
        yield Caution(
            "no-spare-rows",
            "serious",
            f"{n} rows and {p} coefficients: the law can pass through any data, "
            "so nothing checks it; add runs, "
            "or fix or tie coefficients",
        )
    elif n < 2 * p:
        yield Caution(
            "few-rows",
            "warning",
            f"only {n} rows for {p} coefficients, so standard errors are themselves uncertain; add runs",
        )


def few_groups(case: Case) -> Iterator[Caution]:
    """Errors shared within groups: only the number of groups says how well anything is known."""
    if case.data.group is None:
        return
    groups, p = len(np.unique(case.data.group)), len(case.law.coefs)
    if groups <= p:
        yield Caution(
            "few-groups",
            "serious",
            f"{groups} groups and {p} coefficients: if errors are shared within groups, "
            "no interval is honest here "
            "(they are shown as infinite); add groups, or fix or tie coefficients",
        )
    elif groups < 2 * p:
        yield Caution(
            "few-groups",
            "warning",
            f"only {groups} groups for {p} coefficients, so intervals are themselves uncertain; add groups",
        )


def few_scales(case: Case) -> Iterator[Caution]:
    for name, values in case.varied.items():
        lo, hi = np.min(values), np.max(values)
        if lo == hi:
            yield Caution(
                "constant-input",
                "serious",
                f"{case.label(name)} is {lo:g} in every row, so its terms look like a constant; "
                "vary it, fix their coefficients, or use a law without it",
            )
        elif np.all((values == lo) | (values == hi)):
            yield Caution(
                "few-scales",
                "warning",
                f"{case.label(name)} takes only 2 values: an exponent and a floor cannot both be seen; "
                "add a third scale",
            )
        known = case.law.domain.get(name)
        reach = np.ptp(case.logs.get(name, 0.0))
        if known and known.scales and 0 < reach < NARROW:
            yield Caution(
                "narrow-input",
                "warning",
                f"{case.label(name)} differs by only {np.expm1(reach):.2%} over these runs, "
                "so its terms look like a constant and their exponent has no end; vary it more, or give a "
                f'column that does vary, inputs={{"{name}": "..."}}',
            )


def collinear(case: Case) -> Iterator[Caution]:
    strength, line = ray(case.logs)
    if strength < COLLINEAR:
        names = " and ".join(map(case.label, line))
        yield Caution(
            "collinear",
            "serious" if strength < 1e-3 else "warning",
            f"{names} move together over these runs (as with a fixed number of tokens per parameter, or one "
            "compute budget), so their terms cannot be separated; add runs that vary one alone",
        )


def two_units(case: Case) -> Iterator[Caution]:
    for name, logs in case.logs.items():
        # Only where whole decades are empty can a gap be this wide.
        decades = np.floor(logs / np.log(10)).astype(int)
        if np.max(np.diff(np.flatnonzero(np.bincount(decades - decades.min()))), initial=0) < 3:
            continue
        order = np.sort(logs)
        gaps = np.diff(order) / np.log(10)
        # Neighbouring sizes of a sweep lie within a decade or two; units lie three, six or nine apart.
        if gaps.max() > 3:
            cut = (order[gaps.argmax()] + order[gaps.argmax() + 1]) / 2
            few = logs < cut if np.mean(logs < cut) < 0.5 else logs > cut
            here, rest = case.data.x[name][few], case.data.x[name][~few]
            yield Caution(
                "mixed-units",
                "serious" if gaps.max() > 4 else "warning",
                f"{case.label(name)} is {_range(here)} in "
                f"{case.where(np.flatnonzero(few))} and {_range(rest)} "
                "in the others, like two units (billions among counts); give all in one",
            )


def odd_units(case: Case) -> Iterator[Caution]:
    for name, values in case.varied.items():
        if "count" in case.law.units.get(name, "") and name in ("N", "D") and values.max() < COUNTS:
            yield Caution(
                "odd-units",
                "warning",
                f"{case.label(name)} is {_range(values)}, "
                "which looks like millions or billions; the curve is "
                "the same, but costs such as 6 N D need counts",
            )


def odd_rows(case: Case) -> Iterator[Caution]:
    y, residual = case.data.y, case.linear.residual
    if case.objective.space == "log":
        r = -residual
    else:
        # The same for linear residuals, as far as logarithms exist; a share of the usual size where not.
        with np.errstate(all="ignore"):
            r = np.where(
                (y > 0) & (y + residual > 0), np.log(y / (y + residual)), -residual / np.median(np.abs(y))
            )
    r = np.nan_to_num(r, posinf=99.0, neginf=-99.0)
    # As many residuals as there are coefficients are next to nothing by the fit's own doing: leave those out.
    spare = max(len(r) - len(case.law.coefs), 1)
    usual = max(1.4826 * float(np.median(np.sort(np.abs(r))[-spare:])), 1e-3)
    # Published sweeps in good order have single rows 10 usual residuals off, yet within 7 % of the loss;
    # failed or unfinished runs lie 12 % and more off.
    far = np.abs(r) > max(8 * usual, min(20 * usual, 0.1))
    in_bits = far & (np.abs(np.abs(r) - BITS) < 0.03) & (case.law.predicts == "loss")
    if np.any(in_bits):
        rows = np.flatnonzero(in_bits)
        # One row may lie there by accident.
        yield Caution(
            "mixed-units",
            "serious" if len(rows) > 1 else "warning",
            f"{case.where(rows)} {_lie(rows)} a factor 1.44 "
            f"{'above' if r[rows[0]] > 0 else 'below'} the curve, "
            "the factor between bits and nats; give every loss in one unit",
        )
    rows = np.flatnonzero(far & ~in_bits)
    if len(rows):
        worst = rows[np.abs(r[rows]).argmax()]
        size = f"{np.expm1(r[worst]):+.0%}"
        by = f"by {size}" if len(rows) == 1 else f"row {case.rows[worst]} by {size}"
        yield Caution(
            "outliers",
            "warning",
            f"{case.where(rows)} {_lie(rows)} far off the curve ({by}, "
            f"the usual residual being {usual:.1%}); "
            f"check {'that run' if len(rows) == 1 else 'those runs'}",
        )


def rising_loss(case: Case) -> Iterator[Caution]:
    """A loss that grows with an input although the fitted law does not: what the law cannot follow."""
    if case.law.predicts != "loss" or len(case.data) < 4:
        return
    y = np.log(np.maximum(case.data.y, 1e-300))
    above = -case.linear.residual
    for name, v in case.logs.items():
        if _correlation(v, y) > 0.3 and _correlation(v, above) > 0.5:
            yield Caution(
                "rising-loss",
                "serious",
                f"{case.label('y')} rises with {case.label(name)} over these runs, "
                "which this law cannot follow; "
                "check the columns and their units, or that larger runs were tuned and finished",
            )


def poor_fit(case: Case) -> Iterator[Caution]:
    y = np.log(case.data.y) if case.objective.space == "log" else case.data.y
    spread = np.median(np.abs(y - np.median(y)))
    if spread == 0:
        yield Caution(
            "constant-output",
            "serious",
            f"{case.label('y')} is the same in (nearly) every row, so nothing "
            "can be learnt about how it scales; check the column",
        )
    elif np.median(np.abs(case.linear.residual)) > 0.7 * spread or _left_over(case, y) > 0.8:
        yield Caution(
            "poor-fit",
            "serious",
            f"the law explains almost none of the variation of {case.label('y')}; check "
            "the columns, or use another law",
        )


def _left_over(case: Case, y: np.ndarray) -> float:
    """Share of the outputs' mean distance from their median that the curve leaves over,
    but for a tenth of the rows."""
    size = np.abs(case.linear.residual)
    near = size <= np.quantile(size, 0.9)
    return float(np.sum(size[near]) / max(np.sum(np.abs(y - np.median(y))[near]), 1e-300))


def odd_loss(case: Case) -> Iterator[Caution]:
    if case.law.predicts == "loss" and np.max(case.data.y) > 20:
        top = np.argmax(case.data.y, keepdims=True)
        yield Caution(
            "odd-loss",
            "warning",
            f"{case.label('y')} reaches {np.max(case.data.y):.4g} in {case.where(top)}, more "
            "than a language model's loss in nats per token; is it a perplexity, a sum or in percent?",
        )


def duplicated(case: Case) -> Iterator[Caution]:
    others = case.data.others
    same = [*case.data.x.values(), case.data.y]
    if case.data.group is not None:
        same.append(codes(case.data.group))
    if others is not None and others.rows is None:
        # A row of its own in any column is a run of its own.
        same += [np.nan_to_num(column, nan=-1e300) for column in others.columns.values()]
    again = repeats(same)
    if len(again):
        verb = "repeats an earlier row" if len(again) == 1 else "repeat earlier rows"
        yield Caution(
            "duplicated-rows",
            "warning",
            f"{case.where(again)} {verb} exactly and so count{'s' * (len(again) == 1)} again; "
            "drop such rows, or use "
            "weight where they are meant",
        )


def at_bound(case: Case) -> Iterator[Caution]:
    effect = np.sqrt(np.mean(case.linear.jacobian**2, axis=1))
    gone = []
    for coef, value, size in zip(case.law.coefs, case.coefs.values(), effect, strict=True):
        lo, hi = coef.support.lo, coef.support.hi
        if np.isfinite(lo) and np.isfinite(hi):
            near = [edge for edge in (lo, hi) if abs(value - edge) < 1e-4 * (hi - lo)]
            if near:
                yield Caution(
                    "at-bound",
                    "warning",
                    f"{coef.name} ended at its bound {near[0]:g}; widen the bound, or fix it there",
                )
        elif np.isfinite(lo) and size < 1e-6 * effect.max() and value - lo < 1:
            gone.append(coef.name)
    if gone:
        shrunk = "has shrunk to its" if len(gone) == 1 else "have shrunk to their"
        yield Caution(
            "at-bound",
            "warning",
            f"{', '.join(gone)} {shrunk} lower bound: these rows show no such term; use a law without it",
        )


def not_identified(case: Case) -> Iterator[Caution]:
    """A coefficient whose error is a factor of e^1.5 or more, with what it trades against.

    An amplitude counts by its term at the runs: at an input of one, where the formula has it, its error would
    depend on the input's unit.
    """
    covariance = case.covariance if case.law.whole else _by_term(case)
    spread = np.sqrt(np.diag(covariance))
    relative = spread / np.maximum(np.where(_bounded(case.law), 1.0, np.abs(case.u)), 1e-300)
    loose = [k for k in np.argsort(-relative) if relative[k] > 1.5]
    if not loose:
        return
    names = [case.law.names[k] for k in sorted(loose)]
    with np.errstate(invalid="ignore"):
        correlation = covariance / np.outer(spread, spread)
    pairs = (sorted((k, j)) for k in loose for j in [_partner(correlation, k)] if j is not None)
    partners = dict.fromkeys(f"{case.law.names[k]} and {case.law.names[j]} trade off" for k, j in pairs)
    words = "; ".join(list(partners)[:3]) or "they have almost no effect on these rows"
    yield Caution(
        "not-identified",
        "warning",
        f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} not determined by these runs: {words}; "
        "predictions near the runs may still be good, far ones not",
    )


def _by_term(case: Case) -> np.ndarray:
    """The covariance of the coordinates, an amplitude's being the log of its term's share of the output.

    Its mean over the rows (of sizes, where the objective is of residuals as they are), to first order.
    """
    law, known, terms = case.law, case.covariance, linear(case.law)
    solved = [k for k, c in enumerate(law.coefs) if c.name in terms and c.support.lo == 0]
    step = max(1, len(case.data) // ENOUGH)
    seen = case.data.take(np.arange(0, len(case.data), step)) if step > 1 else case.data

    p = len(case.u)
    along, moves = np.eye(p), 1e-4 * np.eye(p)
    points = case.u + np.concatenate([np.zeros((1, p)), moves, -moves])
    with np.errstate(all="ignore"):
        shares = np.abs(jacobians(law, case.objective, points, seen.x, seen.y)[:, solved])
        here, rise = shares[0], np.log(shares[1 : p + 1] / shares[p + 1 :]) / 2e-4
        counted = np.isfinite(rise) & (here > 0)
        along[solved] = (np.sum(np.where(counted, rise, 0.0), axis=2) / np.maximum(counted.sum(axis=2), 1)).T
    # What has no effect has no term: it stays as it is.
    gone = [k for k, share in zip(solved, here, strict=True) if not np.any(share > 0)]
    along[gone] = np.eye(p)[gone]
    moved = along @ np.where(np.isfinite(known), known, 0.0) @ along.T
    open_ = ~np.isfinite(np.diag(known))
    moved[open_, open_] = np.inf
    return moved


def implausible(case: Case) -> Iterator[Caution]:
    for coef in case.law.coefs:
        lo, hi = coef.typical
        value = case.coefs[coef.name]
        if coef.unit is None and coef.support.lo == 0 and coef.start and not lo / 5 < value < hi * 5:
            yield Caution(
                "implausible", "info", f"{coef.name} = {value:.3g} is far from its usual {lo:g} to {hi:g}"
            )


def misfit(case: Case) -> Iterator[Caution]:
    """Residuals that follow the inputs:
    a quadratic in their logarithms should not explain what the law left over."""
    logs = [(v - v.mean()) / v.std() for v in case.logs.values() if np.ptp(v) > 0]
    shapes = [*logs, *(a * b for k, a in enumerate(logs) for b in logs[k:])]
    n, m = len(case.data), len(shapes)
    if not shapes or n < 4 * m:
        return
    r = case.linear.residual
    usual = 1.4826 * np.median(np.abs(r - np.median(r)))
    r = np.clip(r, np.median(r) - 3 * usual, np.median(r) + 3 * usual)
    design = np.stack([np.ones(n), *shapes])
    # On the triangle, and not by products of matrices, which many threads would share.
    upper = triangle(np.stack([*design, r]))
    trend = np.linalg.lstsq(upper[:, :-1], upper[:, -1], rcond=1e-10)[0]
    left = r - np.einsum("kn,k->n", design, trend)
    explained = 1 - (left @ left / (n - m - 1)) / max((r - r.mean()) @ (r - r.mean()) / (n - 1), 1e-300)
    size = np.sqrt(np.mean((r - left) ** 2))
    unit = 1.0 if case.objective.space == "log" else np.median(np.abs(case.data.y))
    if explained > 0.4 and size > MISFIT * unit:
        yield Caution(
            "misfit",
            "warning",
            "the residuals follow "
            f"{', '.join(case.label(name) for name in case.logs)} (a smooth trend explains "
            f"{explained:.0%} of them): the law does not have the shape of these runs, "
            "so intervals are too narrow "
            "and extrapolation is biased; try another law, or leave out the smallest runs",
        )


CHECKS: tuple[Check, ...] = (
    not_converged,
    starts_disagree,
    few_rows,
    few_groups,
    few_scales,
    collinear,
    two_units,
    odd_units,
    odd_rows,
    rising_loss,
    misfit,
    poor_fit,
    odd_loss,
    duplicated,
    at_bound,
    not_identified,
    implausible,
)


def _bounded(law: Law) -> np.ndarray:
    """Which coefficients live on a log or logistic scale, where an error of 1 is a factor of e."""
    return np.array([np.isfinite(c.support.lo) or np.isfinite(c.support.hi) for c in law.coefs])


def _partner(correlation: np.ndarray, k: int) -> int | None:
    others = np.abs(np.nan_to_num(correlation[k]))
    others[k] = 0
    return int(others.argmax()) if others.max() > 0.9 else None


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Of two columns; 0 where one of them is constant or not finite."""
    if not (np.all(np.isfinite(a)) and np.all(np.isfinite(b))):
        return 0.0
    a, b = a - a.mean(), b - b.mean()
    size = np.sqrt(np.sum(a**2) * np.sum(b**2))
    return float(np.sum(a * b) / size) if size > 1e-12 * len(a) else 0.0


def _range(values: np.ndarray) -> str:
    lo, hi = f"{values.min():.3g}", f"{values.max():.3g}"
    return lo if lo == hi else f"{lo} to {hi}"


def _lie(rows: np.ndarray) -> str:
    return "lies" if len(rows) == 1 else "lie"
