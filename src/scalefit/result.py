"""The record of a fit: what came out, and how far to trust it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from scalefit import render, store
from scalefit.core.data import Data, codes
from scalefit.core.law import Law
from scalefit.core.linear import linearise
from scalefit.core.objective import Objective
from scalefit.core.solve import Ends
from scalefit.draws import Draws, limits, student
from scalefit.frames import frame

__all__ = ["Caution", "Fit", "FitError", "Status"]

HEADLINES = {"good": "Trustworthy", "weak": "Usable with care", "bad": "Do not trust this fit"}


class FitError(RuntimeError):
    """Raised by `fit.check()` on a fit that should not be trusted."""


@dataclass(frozen=True)
class Caution:
    """One structured warning: a code to test for, a severity (info, warning, serious), a sentence."""

    code: str
    severity: str
    text: str

    def __str__(self) -> str:
        return f"[{self.severity}] {self.code}: {self.text}"


@dataclass(frozen=True)
class Status:
    """Can the answer be trusted, and the facts behind it.

    trust: "good", "weak" or "bad", by the worst warning. n_agree of n_starts descents ended within 1e-6
    (relative) of the best objective. `gradient` is the largest relative change of the objective per unit of
    log coefficient that is left at the end.
    """

    trust: str
    converged: bool
    n_starts: int
    n_agree: int
    gradient: float
    evaluations: int
    cautions: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing serious was found."""
        return self.trust != "bad"

    def __str__(self) -> str:
        agree = f"{self.n_agree} of {self.n_starts} starts agree" if self.n_starts > 1 else "one start"
        ended = "converged" if self.converged else "not converged"
        also = f"; {', '.join(self.cautions)}" if self.cautions else ""
        return f"{HEADLINES[self.trust]}: {ended}, {agree}{also}"


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted law: one frozen record; plots, tables and decisions only read it.

    `coefs` are in natural units, `value` is the summed objective, `covariance` that of the coefficients on the
    real line (logs of positive ones). `ends` holds every descent (coordinates, objective, convergence), `draws`
    the refits of a bootstrap where there was one. `columns` says which column each input and the output came
    from; `notes` what was guessed.
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

    def check(self) -> Fit:
        """The fit itself if nothing serious was found; raises FitError, with the reasons, otherwise."""
        serious = [caution.text for caution in self.warnings if caution.severity == "serious"]
        if serious:
            raise FitError("; ".join(serious))
        return self

    def predict(self, x: Mapping[str, Any], level: float | None = None, kind: str = "mean"):
        """Predictions at inputs `x` (by the law's names or the original columns), natural units.

        With `level`, a frame: mean; lo and hi, which cover the curve (kind="mean") or one new run (kind="run",
        its own error added) with this probability if the law is right; distance, how many decades the row lies
        outside the runs in any input or in their product; leverage, its variance in multiples of a usual row's.
        From the draws where there are any (`sf.bootstrap`), to first order from `covariance` otherwise, which
        takes errors as independent.
        """
        inputs = {name: self._column(x, name) for name in self.law.inputs}
        self.law.check_order(inputs)
        mean = np.asarray(self.law(self.coefs, inputs), float)
        if level is None:
            return mean
        if not 0 < level < 1:
            raise ValueError(f"level must lie between 0 and 1, got {level}")
        if kind not in ("mean", "run"):
            raise ValueError(f'kind must be "mean" (the curve) or "run" (one new run), got {kind!r}')
        shape, mean = mean.shape, mean.reshape(-1)
        jacobian = linearise(self.law, self.objective, self.u, inputs, np.ones(shape)).jacobian
        log = self.objective.space == "log"
        centre = np.log(mean) if log else mean
        if self.resampled is None:
            values, wider = (
                centre + _normal(jacobian, self.covariance),
                self._student(level),
            )
            pull = np.zeros((0, len(mean)))
        else:
            values, wider = self._drawn(self.resampled.u, inputs, shape), 1.0
            values, pull = (np.log(values) if log else values), self.resampled.influence @ jacobian
        if kind == "run":
            values = values + np.random.default_rng(self.key).choice(self._errors(), values.shape)
        lo, hi = limits(values, centre, pull, len(self.u), level)
        lo, hi = centre + wider * (lo - centre), centre + wider * (hi - centre)
        used = (
            linearise(self.law, self.objective, self.u, self.data.x, self.data.y)
            .take(self.data.counted)
            .jacobian
        )
        usual = np.mean(_variance(used, self.covariance))
        columns = (mean, *((np.exp(lo), np.exp(hi)) if log else (lo, hi)), self._distance(inputs, shape),
                   _variance(jacobian, self.covariance) / max(usual, 1e-300))  # fmt: skip
        names = ("mean", "lo", "hi", "distance", "leverage")
        return frame(dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))

    def interval(self, name: str, level: float = 0.9, kind: str = "percentile") -> tuple[float, float]:
        """Lower and upper limit of a coefficient, natural units: from the draws (see `sf.bootstrap`).

        kind: "percentile", "bca" or "corrected". Without draws, to first order from `covariance`.
        """
        k = self.law.names.index(name) if name in self.law.names else None
        if k is None:
            raise KeyError(
                f"{self.law.name!r} has no coefficient {name!r}; it has {', '.join(self.law.names)}"
            )
        if self.resampled is None:
            reach = np.sqrt(self.covariance[k, k]) * self._student(level)
            reach *= NormalDist().inv_cdf((1 + level) / 2)
            ends = self.u[k] - reach, self.u[k] + reach
        else:
            ends = limits(
                self.resampled.u[:, k], self.u[k], self.resampled.influence[:, k], len(self.u), level, kind
            )
        lo, hi = (float(self.law.coefs[k].support.from_real(end, xp=np)) for end in ends)
        return min(lo, hi), max(lo, hi)

    def correlation(self):
        """Correlations of the coefficients on the real line (logs of positive ones), as a frame."""
        table = self.covariance if self.resampled is None else np.cov(self.resampled.u.T)
        spread = np.sqrt(np.diag(table))
        with np.errstate(invalid="ignore"):
            return frame(
                dict(zip(self.law.names, row, strict=True)) for row in table / np.outer(spread, spread)
            )

    def fitted(self) -> np.ndarray:
        """Predictions at the runs that were fitted, one per row."""
        return np.asarray(self.law(self.coefs, self.data.x), float)

    def residuals(self) -> np.ndarray:
        """log(prediction) - log(y), or prediction - y, whichever the objective measured; one per row."""
        return self.objective.residual(self.fitted(), self.data.y)

    def stderr(self) -> dict[str, float]:
        """Standard errors in natural units; infinite where nothing determines a coefficient.

        The spread of the draws where there are any, from `covariance` to first order otherwise.
        """
        if self.resampled is not None:
            return {c.name: float(np.std(c.support.from_real(column, xp=np), ddof=1))
                    for c, column in zip(self.law.coefs, self.resampled.u.T, strict=True)}  # fmt: skip
        spread = np.sqrt(np.diag(self.covariance))
        return {
            c.name: float(s * abs(c.support.slope(self.coefs[c.name]))) if np.isfinite(s) else float("inf")
            for c, s in zip(self.law.coefs, spread, strict=True)
        }

    @property
    def resampled(self) -> Draws | None:
        """The draws, where they spread like the estimate: a jackknife's refits do not, its covariance does."""
        return None if self.draws is None or self.draws.method == "jackknife" else self.draws

    @property
    def u(self) -> np.ndarray:
        """The coefficients on the real line, where the engine works."""
        return np.array([float(c.support.to_real(self.coefs[c.name])) for c in self.law.coefs])

    def summary(self) -> str:
        """The fit as text: whether to trust it, warnings, coefficients with errors and intervals, what stays open."""
        return render.text(self)

    def to_markdown(self) -> str:
        """The coefficients as a Markdown table, under the status line."""
        return render.markdown(self)

    def to_latex(self) -> str:
        """The coefficients as a LaTeX table."""
        return render.latex(self)

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return render.html(self)

    def save(self, path: str | Path) -> None:
        """Write the fit as JSON (full precision, data included); `sf.load` reads it back."""
        Path(path).write_text(json.dumps(store.to_json(self), indent=1))

    def _student(self, level: float) -> float:
        """Student's t over the normal quantile: of rows beyond coefficients, or groups beyond one.

        Infinite where there are no more rows, or groups, than coefficients: then nothing is known about the errors.
        """
        group, p, n = self.data.group, len(self.u), len(self.data.counted)
        units = n if group is None else len(np.unique(group[self.data.counted]))
        return student(n - p if group is None else units - 1, level) if units > p else np.inf

    def _errors(self) -> np.ndarray:
        """Residuals of the runs (measured against predicted), scaled up by the freedom that was fitted away."""
        error = -self.residuals()[self.data.counted]
        return error * np.sqrt(len(error) / max(len(error) - len(self.u), 1))

    def _drawn(self, u: np.ndarray, inputs: Mapping[str, np.ndarray], shape) -> np.ndarray:
        """Predictions (n_draws, n) at every row of coordinates."""
        values = [c.support.from_real(column, xp=np) for c, column in zip(self.law.coefs, u.T, strict=True)]
        if self.law.whole:
            each = (
                self.law(dict(zip(self.law.names, row, strict=True)), inputs)
                for row in zip(*values, strict=True)
            )
            return np.stack([np.asarray(row).reshape(-1) for row in each])
        x = {name: np.broadcast_to(column, shape).reshape(1, -1) for name, column in inputs.items()}
        return self.law({n: v[:, None] for n, v in zip(self.law.names, values, strict=True)}, x)

    def _distance(self, inputs: Mapping[str, np.ndarray], shape) -> np.ndarray:
        """Decades outside the runs, in the input (or the product of all) that is farthest out."""
        positive = [n for n in self.law.inputs if n not in self.law.labels and np.all(self.data.x[n] > 0)]
        far = np.zeros(int(np.prod(shape)))
        here, there = [], []
        with np.errstate(divide="ignore", invalid="ignore"):
            for name in positive:
                here.append(np.log10(self.data.x[name][self.data.counted]))
                there.append(np.log10(np.broadcast_to(inputs[name], shape).reshape(-1)))
            for known, asked in [
                *zip(here, there, strict=True),
                *([(sum(here), sum(there))] if len(here) > 1 else []),
            ]:
                far = np.maximum(far, np.maximum(asked - np.max(known), np.min(known) - asked))
        return np.maximum(far, 0.0)

    def _column(self, x: Mapping[str, Any], name: str) -> np.ndarray:
        for label in (name, self.columns.get(name, name)):
            if label in x:
                known = self.law.domain.get(name)
                if known is None or known.allowed not in ("a label", "a curve"):
                    return np.asarray(x[label], float)
                found = codes(x[label], known.labels)
                if np.any(found < 0):
                    raise ValueError(f"predict: {name} must be one of {', '.join(map(str, known.labels))}")
                return found
        raise KeyError(
            f"predict needs {name!r}" + (f" (or {self.columns[name]!r})" if name in self.columns else "")
        )


# Standard normal quantiles at equal shares: a normal distribution without chance.
_GRID = 2001


def _normal(jacobian: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Deviations (_GRID, n) of predictions that are normal with the covariance's variance."""
    z = np.array([NormalDist().inv_cdf((k + 0.5) / _GRID) for k in range(_GRID)])
    return z[:, None] * np.sqrt(_variance(jacobian, covariance))


def _variance(jacobian: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        moved = np.einsum(
            "pn,pq,qn->n", jacobian, np.where(np.isfinite(covariance), covariance, 0.0), jacobian
        )
    return np.maximum(moved, 0.0)
