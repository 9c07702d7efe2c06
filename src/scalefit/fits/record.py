"""The frozen record of a fit: data and numbers, and what follows from them without asking anybody else.

What reads a fit (noise, checks, words, saving) takes a `Record`; `Fit` adds the methods that call them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from statistics import NormalDist
from typing import Any, NamedTuple, Self

import numpy as np

from scalefit.arguments import check_choice, check_level
from scalefit.core.data import Data, codes
from scalefit.core.law import Law
from scalefit.core.linear import Linear, clustered, covariance, sharpen
from scalefit.core.objective import Objective
from scalefit.core.solve import Ends
from scalefit.fits.draws import KINDS, Draws, limits, student
from scalefit.fits.status import Caution, Status
from scalefit.frames import to_frame
from scalefit.runs import tables
from scalefit.words import short

__all__ = ["Estimate", "Record", "estimate", "first_order", "natural"]

# What a fit has found out for itself holds as long as these stay as they are.
OF_THE_FIT = ("law", "coefs", "data", "objective", "covariance")


@dataclass(frozen=True, eq=False)
class Record:
    """A fitted law as data.

    `coefs` are in natural units, `value` is the summed objective, `covariance` that of the coefficients on
    the real line (logs of positive ones). `ends` holds every descent (coordinates, objective, convergence),
    `draws` the refits of a bootstrap where there was one. `columns` says which column each input and the
    output came from; `notes` what was guessed; `basis` what `covariance` comes from, where not from the fit
    itself; `counting` which parameters N are (see `sf.flops.COUNTINGS`), None where nothing says it.
    """

    law: Law
    coefs: Mapping[str, float]
    data: Data
    objective: Objective
    value: float
    status: Status
    warnings: tuple[Caution, ...]
    covariance: np.ndarray
    ends: Ends
    draws: Draws | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    key: int = 0
    basis: str = ""
    counting: str | None = None
    # What was worked out once, by name; see `once`.
    kept: dict[str, Any] = field(init=False, repr=False, default_factory=dict)

    def once(self, name: str, find: Callable[[], Any]) -> Any:
        """What `find()` gives, worked out at the first call and kept under this name."""
        if name not in self.kept:
            self.kept[name] = find()
        return self.kept[name]

    def changed(self, **changes: Any) -> Self:
        """The record with these fields changed;
        what it knows of its law's own error stays if that cannot change."""
        other = replace(self, **changes)
        if "model_error" in self.kept and not set(changes) & set(OF_THE_FIT):
            other.kept["model_error"] = self.kept["model_error"]
        return other

    @property
    def members(self) -> dict[str, tuple[Record, float]]:
        """The fits an answer rests on, with their weights: of one law, itself."""
        return {"": (self, 1.0)}

    @property
    def u(self) -> np.ndarray:
        """The coefficients on the real line, where the engine works."""
        return np.array([float(c.support.to_real(self.coefs[c.name])) for c in self.law.coefs])

    @property
    def log(self) -> bool:
        """Whether errors are of log y."""
        return self.objective.space == "log"

    @property
    def resampled(self) -> Draws | None:
        """The draws, where they spread like the estimate:
        a jackknife's refits do not, its covariance does."""
        return None if self.draws is None or self.draws.method == "jackknife" else self.draws

    def fitted(self) -> np.ndarray:
        """Predictions at the runs that were fitted, one per row."""
        with np.errstate(all="ignore"):
            return np.asarray(self.law(self.coefs, self.data.x), float)

    def residuals(self) -> np.ndarray:
        """log(prediction) - log(y), or prediction - y, whichever the objective measured; one per row."""
        return self.objective.residual(self.fitted(), self.data.y)

    def student(self, level: float) -> float:
        """Student's t over the normal quantile: of rows beyond coefficients, or groups beyond one.

        Infinite where there are no more rows, or groups, than coefficients:
        then nothing is known about the errors.
        """
        group, p, n = self.data.group, len(self.law.coefs), len(self.data.counted)
        units = n if group is None else len(np.unique(group[self.data.counted]))
        return student(n - p if group is None else units - 1, level) if units > p else np.inf

    def interval(self, name: str, level: float = 0.9, kind: str = "percentile") -> tuple[float, float]:
        """Lower and upper limit of a coefficient, natural units: from the draws (see `sf.bootstrap`).

        kind: "percentile", "bca" or "corrected". Without draws, to first order from `covariance`.
        """
        if not isinstance(name, str) or name not in self.law.names:
            raise KeyError(
                f"{self.law.name!r} has no coefficient {short(name)}; it has {', '.join(self.law.names)}"
            )
        level, kind = check_level(level), check_choice(kind, "kind", KINDS)
        k = self.law.names.index(name)
        if self.resampled is None:
            half = np.sqrt(self.covariance[k, k]) * self.student(level)
            half *= NormalDist().inv_cdf((1 + level) / 2)
            ends = self.u[k] - half, self.u[k] + half
        else:
            ends = limits(
                self.resampled.u[:, k], self.u[k], self.resampled.influence[:, k], len(self.u), level, kind
            )
        lo, hi = (float(self.law.coefs[k].support.from_real(end, xp=np)) for end in ends)
        return min(lo, hi), max(lo, hi)

    def stderr(self) -> dict[str, float]:
        """Standard errors in natural units; infinite where nothing determines a coefficient.

        The spread of the draws where there are any, from `covariance` to first order otherwise.
        """
        if self.resampled is not None:
            drawn = natural(self.law, self.resampled.u)
            return {name: float(np.std(column, ddof=1)) for name, column in drawn.items()}
        spread = np.sqrt(np.diag(self.covariance))
        with np.errstate(over="ignore"):  # more than a number can hold is infinite
            return {
                c.name: float(s * abs(c.support.slope(self.coefs[c.name])))
                if np.isfinite(s)
                else float("inf")
                for c, s in zip(self.law.coefs, spread, strict=True)
            }

    def at_draws(self, u: np.ndarray, x: Mapping[str, np.ndarray]) -> np.ndarray:
        """Predictions (n_draws, n) at inputs x (n,) for every row of coordinates."""
        values = natural(self.law, u)
        if self.law.whole:
            each = (
                self.law(dict(zip(values, row, strict=True)), x) for row in zip(*values.values(), strict=True)
            )
            return np.stack([np.asarray(row).reshape(-1) for row in each])
        return self.law({n: v[:, None] for n, v in values.items()}, {n: v[None] for n, v in x.items()})

    def inputs_of(self, x: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """The law's inputs in what was asked for, of shapes that go together."""
        x = to_frame(x)
        found = {name: self.column(x, name) for name in self.law.inputs}
        try:
            np.broadcast_shapes(*(np.shape(column) for column in found.values()))
        except ValueError:
            sizes = ", ".join(f"{name} has {np.size(column)}" for name, column in found.items())
            raise ValueError(
                f"inputs must be of one length: {sizes}; give columns of equal length or single numbers"
            ) from None
        return found

    def column(self, x: Mapping[str, Any], name: str) -> np.ndarray:
        """An input's column of what was asked for, under the law's name or the original column's."""
        if not isinstance(x, Mapping) and not hasattr(x, "columns"):
            like = ", ".join(f'"{name}": ...' for name in self.law.inputs)
            raise TypeError(f"inputs must be a dict, {{{like}}}, or a frame, got {short(x)}")
        label = next((label for label in (name, self.columns.get(name, name)) if label in x), None)
        if label is None and name in self.law.settings and name not in self.columns:
            return np.asarray(self.law.settings[name])
        if label is None:
            there = " ".join(", ".join(map(str, x)).split()) or "nothing"
            also = f" (or {self.columns[name]!r})" if self.columns.get(name, name) != name else ""
            raise KeyError(f"predict needs {name!r}{also}; it has {there}")
        known = self.law.domain.get(name)
        if known is not None and known.allowed in ("a label", "a curve"):
            found = codes(x[label], known.labels)
            if np.any(found < 0):
                raise ValueError(f"predict: {name} must be one of {', '.join(map(str, known.labels))}")
            return found
        return tables.shaped(x[label], f"input {label!r}", known.allowed if known else "a number")


def natural(law: Law, u: np.ndarray) -> dict[str, np.ndarray]:
    """Coefficient -> values (n,) in natural units, for coordinates u (n, p)."""
    # Draws of an open coefficient may be too large for a float; the law says what follows.
    with np.errstate(over="ignore"):
        return {
            c.name: np.asarray(c.support.from_real(v, xp=np)) for c, v in zip(law.coefs, u.T, strict=True)
        }


class Estimate(NamedTuple):
    """Where a search ended, to the last digits:
    coordinates, coefficients, covariance, objective, linearised rows that count."""

    u: np.ndarray
    coefs: dict[str, float]
    covariance: np.ndarray
    value: float
    linear: Linear


def estimate(law: Law, data: Data, objective: Objective, u: np.ndarray) -> Estimate:
    """The end of a search sharpened, with its covariance: by groups where the data have some."""
    u, linear = sharpen(law, data if law.whole else data.take(data.counted), objective, u)
    counted = data.take(data.counted)
    spread = first_order(objective, linear, counted)
    coefs = {c.name: c.support.inside(v) for c, v in zip(law.coefs, u, strict=True)}
    return Estimate(u, coefs, spread, float(np.sum(counted.weight * linear.cost)), linear)


def first_order(objective: Objective, linear: Linear, counted: Data) -> np.ndarray:
    """The covariance of linearised rows that count, by groups where they have some."""
    if counted.group is None:
        return covariance(objective, linear, counted.weight)
    return clustered(objective, linear, counted.weight, counted.group)
