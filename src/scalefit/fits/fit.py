"""The record of a fit: what came out, and how far to trust it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from scalefit.core.data import Data, codes
from scalefit.core.law import Law
from scalefit.core.linear import linearise
from scalefit.core.objective import Objective
from scalefit.core.solve import Ends
from scalefit.fits import extrapolation, saving, text
from scalefit.fits.draws import Draws, limits, student
from scalefit.fits.identifiability import variance
from scalefit.fits.model_error import ModelError
from scalefit.fits.noise import Noise, Posterior, noise
from scalefit.frames import frame

__all__ = ["Caution", "Fit", "FitError", "Status"]

# Logarithms beyond this overflow or vanish.
LARGEST = 700.0
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
    from; `notes` what was guessed; `basis` what `covariance` comes from, where not from the fit itself;
    `model_error` how far the law itself may err, which predictions then allow for (`sf.widen`); `counting` which
    parameters N are (see `sf.flops.COUNTINGS`), None where nothing says it.
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
    model_error: ModelError | None = None
    counting: str | None = None

    def check(self) -> Fit:
        """The fit itself if nothing serious was found; raises FitError, with the reasons, otherwise."""
        serious = [caution.text for caution in self.warnings if caution.severity == "serious"]
        if serious:
            raise FitError("; ".join(serious))
        return self

    def predict(self, x: Mapping[str, Any], level: float | None = None, kind: str = "mean"):
        """Predictions at inputs `x` (by the law's names or the original columns), natural units.

        With `level`, a frame: mean; lo and hi, which cover the curve (kind="mean") or one new run (kind="run",
        its own error added) with this probability if the law is right (nearly right, after `sf.widen`); distance, how
        many decades the row lies outside the runs in any input or in their product; leverage, its variance in multiples
        of a usual row's;
        caution, the codes of what speaks against the row, separated by commas, empty where nothing does: `cautions`
        says it in words.
        From the draws where there are any (`sf.bootstrap`), to first order from `covariance` otherwise, which
        takes errors as independent. A run's own error is drawn from those of the runs, scaled as theirs change with
        size (`sf.noise`), or from a posterior's noise model.
        """
        inputs = {name: self._column(x, name) for name in self.law.inputs}
        self.law.check_order(inputs)
        with np.errstate(over="ignore"):
            mean = np.asarray(self.law(self.coefs, inputs), float)
        if level is None:
            return mean
        if not 0 < level < 1:
            raise ValueError(f"level must lie between 0 and 1, got {level}")
        if kind not in ("mean", "run"):
            raise ValueError(f'kind must be "mean" (the curve) or "run" (one new run), got {kind!r}')
        shape, mean = mean.shape, mean.reshape(-1)
        flat = {name: np.broadcast_to(column, shape).reshape(-1) for name, column in inputs.items()}
        jacobian = linearise(self.law, self.objective, self.u, inputs, np.ones(shape)).jacobian
        log = self.objective.space == "log"
        # A law that predicts zero or less there predicts no loss: the interval is open.
        possible = mean > 0 if log else np.ones(len(mean), bool)
        centre = np.log(np.where(possible, mean, 1.0)) if log else mean
        if self.resampled is None:
            values, wider = (
                centre + _normal(jacobian, self.covariance),
                self._student(level),
            )
            pull = np.zeros((0, len(mean)))
        else:
            values, wider = self._drawn(self.resampled.u, inputs, shape), 1.0
            if log:
                # A draw that predicts zero or less lies below all others.
                with np.errstate(divide="ignore", invalid="ignore"):
                    values = np.clip(np.nan_to_num(np.log(values), nan=-LARGEST), -LARGEST, LARGEST)
            pull = self.resampled.influence @ jacobian
        if kind == "run":
            values = values + self._new_errors(flat, len(values))
        lo, hi = limits(values, centre, pull, len(self.u), level)
        lo, hi = centre + wider * (lo - centre), centre + wider * (hi - centre)
        if self.model_error is not None:
            lo, hi = self.model_error.widened(self, flat, centre, lo, hi, level, kind)
        lo, hi = np.where(possible, lo, -np.inf), np.where(possible, hi, np.inf)
        leverage = variance(jacobian, self.covariance) / self._design.usual
        far = extrapolation.distance(self, flat)
        with np.errstate(over="ignore"):
            lo, hi = (np.exp(lo), np.exp(hi)) if log else (lo, hi)
        columns = (
            mean,
            lo,
            hi,
            far,
            leverage,
            extrapolation.codes(extrapolation.flagged(self, flat, leverage), len(mean)),
        )
        names = ("mean", "lo", "hi", "distance", "leverage", "caution")
        return frame(dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))

    def cautions(self, x: Mapping[str, Any]) -> tuple[Caution, ...]:
        """What speaks against predictions at inputs `x`, the serious first; each sentence names its rows.

        not-trusted: the fit itself is bad. impossible: the law predicts zero or less there. extrapolation: more than one decade outside the runs (serious from two on).
        leverage: the curve's variance is more than 100 times that at a usual run. turning-point, break: the law turns,
        or changes its course, between the runs and the row, where no run shows it. off-ray: the inputs move together
        over the runs, and the row leaves their line by more than a factor 1.4. constant-input, few-scales: outside an
        input that takes only one or two values. open-floor, misfit: more than half a decade outside runs that leave
        the floor open, or whose shape the law does not have.
        """
        columns = np.broadcast_arrays(*(np.atleast_1d(self._column(x, name)) for name in self.law.inputs))
        flat = {name: column.reshape(-1) for name, column in zip(self.law.inputs, columns, strict=True)}
        return tuple(caution for caution, _ in extrapolation.flagged(self, flat))

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
        return text.text(self)

    def to_markdown(self) -> str:
        """The coefficients as a Markdown table, under the status line."""
        return text.markdown(self)

    def to_latex(self) -> str:
        """The coefficients as a LaTeX table."""
        return text.latex(self)

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return text.html(self)

    def save(self, path: str | Path) -> None:
        """Write the fit as JSON (full precision, data included); `sf.load` reads it back."""
        Path(path).write_text(json.dumps(saving.to_json(self), indent=1))

    def _student(self, level: float) -> float:
        """Student's t over the normal quantile: of rows beyond coefficients, or groups beyond one.

        Infinite where there are no more rows, or groups, than coefficients: then nothing is known about the errors.
        """
        group, p, n = self.data.group, len(self.u), len(self.data.counted)
        units = n if group is None else len(np.unique(group[self.data.counted]))
        return student(n - p if group is None else units - 1, level) if units > p else np.inf

    @cached_property
    def _noise(self) -> Noise:
        """The runs' own errors."""
        return noise(self)

    def _new_errors(self, x: Mapping[str, np.ndarray], n: int) -> np.ndarray:
        """Errors (n, rows) of new runs at `x`: of the posterior's noise model, or drawn from the runs' own."""
        if isinstance(self.draws, Posterior):
            return self.draws.errors(x, self.key)
        scale = self._noise.scale(x)
        return np.random.default_rng(self.key).choice(self._noise.errors, (n, len(scale))) * scale

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

    @cached_property
    def _design(self) -> extrapolation.Design:
        """What the runs can answer for."""
        return extrapolation.design(self)

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


@lru_cache(maxsize=1)
def _quantiles() -> np.ndarray:
    return np.array([NormalDist().inv_cdf((k + 0.5) / _GRID) for k in range(_GRID)])


def _normal(jacobian: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Deviations (_GRID, n) of predictions that are normal with the covariance's variance."""
    return _quantiles()[:, None] * np.sqrt(variance(jacobian, covariance))
