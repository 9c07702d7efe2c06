"""What columns' names, magnitudes and possible ranges say against a fit, each with a remedy that works.

Every check yields cautions; adding one is adding it to `CHECKS`. False alarms are counted in
`benchmarks/false_alarms.md`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from scipy.special import stdtr

from scalefit.fits.calls import remedy
from scalefit.fits.checks import COUNTS, Case, Check
from scalefit.fits.status import Caution
from scalefit.runs.binding import ALIASES, is_perplexity
from scalefit.runs.names import same_name
from scalefit.words import quoted

__all__ = ["CHECKS"]

PF_DAY = 8.64e19
BITS = re.compile(r"bits|bpb|bpc|bpt")
# Chance that a floor that is right is found to lie above the runs.
LEVEL = 0.003


def names(case: Case) -> Iterator[Caution]:
    """Columns whose names say that they are another input than the one they are given for."""
    meant = {name: _meant(column) for name, column in case.columns.items()}
    for name, column in case.columns.items():
        other = meant[name]
        if other is None or other == name or other not in case.columns or meant[other] == other:
            continue
        if other in map(_meant, ALIASES.get(name, ())):
            # Such as L, a loss from which another output is told.
            continue
        crossed = meant[other] == name
        if crossed and name > other:
            continue
        right = {name: case.columns[other] if crossed else "...", other: column}
        inputs = ", ".join(f"{quoted(k)}: {quoted(v)}" for k, v in right.items() if k != "y")
        y = f", y={quoted(right['y'])}" if "y" in right else ""
        yield Caution(
            "swapped-inputs",
            "serious" if crossed else "warning",
            f"{name} is read from column {column!r}"
            + (f" and {other} from column {case.columns[other]!r}, the other way round than" if crossed else
               f", which is called like {other}, other than")
            + f" their names say; if the names are right, say inputs={{{inputs}}}{y}",
        )  # fmt: skip


# Words in a column's name, and what they say it holds.
WORDS = {
    "N": ("param", "modelsize", "nonemb", "weights"),
    "D": ("token",),
    "C": ("flop", "compute", "budget", "pfday"),
    "y": ("loss", "perplexity", "accuracy"),
}


def _meant(column: str) -> str | None:
    """The one input a column's name speaks of."""
    name = same_name(column)
    if name in WORDS:
        return name
    said = [key for key, words in WORDS.items() if any(word in name for word in words)]
    return said[0] if len(said) == 1 else None


# Runs whose columns N and D are each the other.
RENAMED = 'runs.rename(columns={"N": "D", "D": "N"})'


def exchanged(case: Case) -> Iterator[Caution]:
    """Fewer tokens than parameters in every run, as where two columns whose names tell nothing were taken for
    each other."""
    N, D = (case.data.x.get(name) for name in ("N", "D"))
    if N is None or D is None or not case.law.units.get("D", "").startswith("training tokens"):
        return
    columns = [case.columns.get(name, name) for name in ("N", "D")]
    if all(len(column) > 1 and _meant(column) for column in columns):
        return
    if np.max(D / N) < 1 and np.min(D) > COUNTS:
        mend = f'say inputs={{"N": {quoted(columns[1])}, "D": {quoted(columns[0])}}}'
        if columns == ["N", "D"]:
            mend = f"fit with {remedy(case, 'fit', runs=RENAMED)}"
        yield Caution(
            "swapped-inputs",
            "warning",
            f"every run has fewer tokens, {case.label('D')}, than parameters, {case.label('N')}; if these "
            f"were taken for each other, {mend}",
        )


def magnitudes(case: Case) -> Iterator[Caution]:
    """Budgets that are no FLOPs, shares that are percent, perplexities."""
    for name, values in case.varied.items():
        if name == "C" and "(FLOP)" in case.law.units.get(name, "") and np.max(values) < 1e12:
            column = case.columns.get(name, name)
            yield Caution(
                "odd-units",
                "warning",
                f"{case.label(name)} reaches {np.max(values):.3g}, too little for FLOPs: if these are "
                f"PF-days, fit with {remedy(case, 'fit', runs=_assigned(column, f'* {PF_DAY:.3g}'))}",
            )
    column = case.columns.get("y", "y")
    if case.law.predicts == "loss" and BITS.search(same_name(column)):
        yield Caution(
            "odd-units",
            "info",
            f"{case.label('y')} is in bits by its name, and published coefficients are of nats per token: "
            "the curve is the same, but its coefficients do not compare with them",
        )
    if case.law.predicts == "loss" and is_perplexity(column):
        runs = f"runs.assign(**{{{quoted(column)}: np.log(runs[{quoted(column)}])}})"
        yield Caution(
            "odd-units",
            "warning",
            f"{case.label('y')} is a perplexity by its name, and this law is of a loss, its logarithm: fit "
            f"with {remedy(case, 'fit', runs=runs)}",
        )
    top = float(np.max(case.data.y))
    if case.law.predicts in ("accuracy", "error") and 1.5 < top <= 100:
        yield Caution(
            "odd-units",
            "warning",
            f"{case.label('y')} reaches {top:.3g}, where {case.law.predicts} lies between 0 and 1: if it is "
            f"in percent, fit with {remedy(case, 'fit', runs=_assigned(column, '/ 100'))}",
        )


def _assigned(column: str, change: str) -> str:
    return f"runs.assign(**{{{quoted(column)}: runs[{quoted(column)}] {change}}})"


def floor(case: Case) -> Iterator[Caution]:
    """A floor of the law above outputs that were measured."""
    log = case.objective.space == "log"
    with np.errstate(all="ignore"):
        fitted = case.data.y * np.exp(case.linear.residual) if log else case.data.y + case.linear.residual
    for k, coef in enumerate(case.law.coefs):
        value = case.coefs[coef.name]
        if coef.support.lo != 0 or np.isfinite(coef.support.hi) or case.law.predicts not in ("loss", "error"):
            continue
        # One unit more of a floor is one unit more of the output, in every row.
        part = case.linear.jacobian[k] * (fitted if log else 1.0)
        if not np.all(np.abs(part - value) < 1e-6 * abs(value)) or np.any(fitted < value):
            continue
        under = case.data.y < value * (1 - FLAT)
        if np.sum(under) < 2:
            continue
        # Chance puts runs on both sides of a floor; where it is right, not the lowest end of the curve below.
        some = max(5, len(fitted) // 10)
        end = np.argpartition(fitted, some)[:some] if some < len(fitted) else np.arange(len(fitted))
        r = case.linear.residual[end]
        t = float(np.mean(r) / max(float(np.std(r, ddof=1)), 1e-300) * np.sqrt(len(end)))
        if stdtr(len(end) - 1, -t) < LEVEL:
            yield Caution(
                "floor-above-runs",
                "warning",
                f"{coef.name} = {value:.4g} is the least that this law can predict, and "
                f"{case.where(np.flatnonzero(under))} lie below it (down to {np.min(case.data.y):.4g}): the "
                "floor is too high, so do not extrapolate; try another law, or leave out the smallest runs",
            )


# Outputs no further below a floor are at it.
FLAT = 2e-3


def impossible(case: Case) -> Iterator[Caution]:
    """Shares that are predicted above one or below zero, at the runs themselves."""
    if case.law.predicts not in ("accuracy", "error") or np.max(case.data.y) > 1.5:
        return
    log = case.objective.space == "log"
    fitted = case.data.y * np.exp(case.linear.residual) if log else case.data.y + case.linear.residual
    out = np.flatnonzero((fitted > 1 + 1e-6) | (fitted < -1e-6))
    if len(out):
        worst = float(fitted[out[np.argmax(np.abs(fitted[out] - 0.5))]])
        yield Caution(
            "impossible",
            "warning",
            f"the law predicts {case.law.predicts} {worst:.3g} at {case.where(out)}, which cannot be; use a "
            "law that stays between 0 and 1, or hold its limits with law.bound(...)",
        )


CHECKS: tuple[Check, ...] = (names, exchanged, magnitudes, floor, impossible)
