"""The record of a fit: what came out, and how far to trust it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

from scalefit import render, store
from scalefit.core.data import Data, codes
from scalefit.core.law import Law
from scalefit.core.linear import linearise
from scalefit.core.objective import Objective
from scalefit.core.solve import Ends

__all__ = ["Band", "Caution", "Fit", "FitError", "Status"]

HEADLINES = {"good": "Trustworthy", "weak": "Usable with care", "bad": "Do not trust this fit"}


class FitError(RuntimeError):
    """Raised by `fit.check()` on a fit that should not be trusted."""


class Band(NamedTuple):
    """A prediction with its interval."""

    mean: np.ndarray
    lo: np.ndarray
    hi: np.ndarray


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
    draws: Any = None
    columns: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    key: int = 0

    def check(self) -> Fit:
        """The fit itself if nothing serious was found; raises FitError, with the reasons, otherwise."""
        serious = [caution.text for caution in self.warnings if caution.severity == "serious"]
        if serious:
            raise FitError("; ".join(serious))
        return self

    def predict(self, x: Mapping[str, Any], level: float | None = None):
        """Predictions at inputs `x` (by the law's names or the original columns), natural units.

        With `level`, a Band (mean, lo, hi) that covers the curve with this probability if the law is right and
        errors are independent (first-order propagation of `covariance`); bootstrap for an interval that
        assumes less.
        """
        inputs = {name: self._column(x, name) for name in self.law.inputs}
        mean = np.asarray(self.law(self.coefs, inputs), float)
        if level is None:
            return mean
        if not 0 < level < 1:
            raise ValueError(f"level must lie between 0 and 1, got {level}")
        jacobian = linearise(self.law, self.objective, self.u, inputs, np.ones_like(mean)).jacobian
        spread = np.sqrt(np.maximum(np.einsum("pn,pq,qn->n", jacobian, self.covariance, jacobian), 0.0))
        reach = NormalDist().inv_cdf((1 + level) / 2) * spread.reshape(mean.shape)
        if self.objective.space == "log":
            return Band(mean, mean * np.exp(-reach), mean * np.exp(reach))
        return Band(mean, mean - reach, mean + reach)

    def residuals(self) -> np.ndarray:
        """log(prediction) - log(y), or prediction - y, whichever the objective measured; one per row."""
        return self.objective.residual(self.predict(self.data.x), self.data.y)

    def stderr(self) -> dict[str, float]:
        """Standard errors in natural units, from `covariance`; infinite where nothing determines a coefficient."""
        spread = np.sqrt(np.diag(self.covariance))
        return {
            c.name: float(s * abs(c.support.slope(self.coefs[c.name]))) if np.isfinite(s) else float("inf")
            for c, s in zip(self.law.coefs, spread, strict=True)
        }

    @property
    def u(self) -> np.ndarray:
        """The coefficients on the real line, where the engine works."""
        return np.array([float(c.support.to_real(self.coefs[c.name])) for c in self.law.coefs])

    def summary(self) -> str:
        """The fit as text: whether to trust it, warnings, coefficients with standard errors."""
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
