"""A fit: the frozen record, and what can be asked of it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any, overload

import numpy as np

from scalefit.arguments import check_choice, check_level
from scalefit.core.linear import linearise
from scalefit.fits import extrapolation, saving, text
from scalefit.fits.criteria import criteria, rsquared
from scalefit.fits.draws import limits, variance
from scalefit.fits.model_error import ModelError, model_error_of
from scalefit.fits.noise import Posterior, noise, run_limits
from scalefit.fits.pictured import Pictured
from scalefit.fits.record import Record
from scalefit.fits.status import Caution, CautionWarning, FitError
from scalefit.fits.verified import sealed
from scalefit.frames import Frame, columns_frame, index_of, like, to_frame

__all__ = ["Fit"]

# Logarithms beyond this overflow or vanish.
LARGEST = 700.0
KINDS = ("mean", "run")
# Numbers (draws x rows) held at once.
BLOCK = 8_000_000


@dataclass(frozen=True, eq=False, repr=False)
class Fit(Pictured, Record):
    """A fitted law: one frozen record; plots, tables and decisions only read it.

    `coefs` are in natural units, `value` is the summed objective, `covariance` that of the coefficients on
    the real line (logs of positive ones). `ends` holds every descent (coordinates, objective, convergence),
    `draws` the refits of a bootstrap where there was one. `columns` says which column each input and the
    output came from; `notes` what was guessed; `basis` what `covariance` comes from, where not from the fit
    itself; `counting` which parameters N are (see `sf.flops.COUNTINGS`), None where nothing says it.
    """

    @property
    def model_error(self) -> ModelError:
        """How far the law itself may err, learnt from backtests inside its runs
        at the first call (see `sf.ModelError`)."""
        return model_error_of(self)

    @property
    def params(self) -> Mapping[str, float]:
        """The coefficients in natural units, as statsmodels and scikit-learn call them: `coefs`."""
        return self.coefs

    @property
    def aic(self) -> float:
        """Akaike's information criterion under the fit's objective (see `sf.compare`)."""
        return criteria(self).aic

    @property
    def bic(self) -> float:
        """Schwarz's information criterion under the fit's objective (see `sf.compare`)."""
        return criteria(self).bic

    @property
    def rsquared(self) -> float:
        """The share of the outputs' variance that the law explains, of log y where errors are of log y."""
        return rsquared(self)

    def check(self) -> Fit:
        """The fit itself if nothing serious was found.

        Returns:
            The fit, so that calls can be chained: `sf.fit(...).check()`.

        Raises:
            FitError: with the reasons, where something serious was found.
        """
        serious = [caution.text for caution in self.warnings if caution.severity == "serious"]
        if serious:
            raise FitError("; ".join(serious))
        return self

    @overload
    def predict(
        self, x: Mapping[str, Any], level: None = None, kind: str = "mean", model_error: bool = True
    ) -> np.ndarray: ...

    @overload
    def predict(
        self, x: Mapping[str, Any], level: float, kind: str = "mean", model_error: bool = True
    ) -> Frame: ...

    def predict(
        self, x: Mapping[str, Any], level: float | None = None, kind: str = "mean", model_error: bool = True
    ) -> np.ndarray | Frame:
        """Predictions at inputs `x`, with believable intervals where a level is given.

        Args:
            x: the law's inputs by its names or those of the original columns;
                a dict of arrays or numbers, or a frame.
            level: of the interval, between 0 and 1; left out, numbers alone.
            kind: "mean" for the curve, "run" for one new run, its own error added.
            model_error: whether the interval allows for the law's own error, learnt from backtests inside the
                runs at the first call (`fit.model_error`); False takes the law as right.

        Returns:
            Without a level an array of x's shape, in the output's unit; what speaks against a prediction is a
            `CautionWarning`. With one a frame under the caller's index, of polars or pyarrow where x is of
            theirs: the inputs; mean, lo and hi;
            distance, how many decades the row lies outside the runs in any input or in their product;
            leverage, its variance in multiples of a usual row's; caution, the codes of what speaks against
            the row, separated by commas (`cautions` says it in words); model_error, whether the interval
            allows for it.

            Intervals come from the draws where there are any (`sf.bootstrap`), to first order from
            `covariance` otherwise. A run's own error is drawn from those of the runs, scaled as theirs change
            with size (`sf.noise`), or from a posterior's noise model.

        Raises:
            KeyError: for a missing input.
            ValueError: for inputs the law cannot take, and a level or kind that is none.

        Example:
            >>> told = fit.predict({"N": 7e10, "D": 1.4e12}, level=0.9)
            >>> list(told)
            ['N', 'D', 'mean', 'lo', 'hi', 'distance', 'leverage', 'caution', 'model_error']
        """
        given, x = x, to_frame(x)
        inputs = self.inputs_of(x)
        self.law.check_order(inputs)
        with np.errstate(over="ignore"):
            mean = np.asarray(self.law(self.coefs, inputs), float)
        flat = {name: np.broadcast_to(column, mean.shape).reshape(-1) for name, column in inputs.items()}
        if level is None:
            self._warn(flat)
            return mean
        level, kind, mean = check_level(level), check_choice(kind, "kind", KINDS), mean.reshape(-1)
        lo, hi, jacobian = self._limits(flat, mean, level, kind, model_error)
        leverage = variance(jacobian, self.covariance) / extrapolation.design(self).usual
        codes = extrapolation.codes(extrapolation.flagged(self, flat, leverage), len(mean))
        columns = {
            **self._asked(x, flat),
            "mean": mean,
            "lo": lo,
            "hi": hi,
            "distance": extrapolation.distance(self, flat),
            "leverage": leverage,
            "caution": codes,
            "model_error": np.full(len(mean), bool(model_error)),
        }
        index = index_of(x)
        index = index if index is not None and len(index) == len(mean) else None
        return like(given, columns_frame(columns, index))

    def _asked(self, x: Mapping[str, Any], flat: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The inputs under the names the caller used; labels as he wrote them."""
        found = {}
        for name, column in flat.items():
            label = name if name in x else self.columns.get(name, name)
            words = np.asarray(x.get(label, column)).reshape(-1)
            found[label] = words if name in self.law.labels and len(words) == len(column) else column
        return found

    def _limits(
        self, x: Mapping[str, np.ndarray], mean: np.ndarray, level: float, kind: str, model_error: bool
    ):
        """Limits (n,) at inputs x (n,), and the law's Jacobian there (p, n)."""
        jacobian = linearise(self.law, self.objective, self.u, x, np.ones(len(mean))).jacobian
        # A law that predicts zero or less there predicts no loss: the interval is open.
        possible = mean > 0 if self.log else np.ones(len(mean), bool)
        centre = np.log(np.where(possible, mean, 1.0)) if self.log else mean
        rows = len(mean)
        if self.resampled is not None and not self.law.whole:
            rows = max(1, BLOCK // len(self.resampled))
        parts = [
            self._plain(
                {name: v[k : k + rows] for name, v in x.items()},
                centre[k : k + rows],
                jacobian[:, k : k + rows],
                level,
                kind,
            )
            for k in range(0, len(mean), max(rows, 1))
        ] or [(centre, centre)]
        lo, hi = (np.concatenate(side) for side in zip(*parts, strict=True))
        if model_error:
            lo, hi = self.model_error.widened(self, x, centre, lo, hi, level, kind)
        lo, hi = np.where(possible, lo, -np.inf), np.where(possible, hi, np.inf)
        if not self.log and self.law.predicts in ("accuracy", "error") and _within(self.data.y):
            # No interval leaves what can be; where the law itself does, it is open to that side alone.
            lo, hi = np.maximum(lo, np.minimum(mean, 0.0)), np.minimum(hi, np.maximum(mean, 1.0))
        with np.errstate(over="ignore"):
            return (*((np.exp(lo), np.exp(hi)) if self.log else (lo, hi)), jacobian)

    def _plain(
        self, x: Mapping[str, np.ndarray], centre: np.ndarray, jacobian: np.ndarray, level: float, kind: str
    ):
        """Limits about `centre` that take the law as right, in log y or y."""
        if self.resampled is None and kind == "mean":
            half = NormalDist().inv_cdf((1 + level) / 2) * np.sqrt(variance(jacobian, self.covariance))
            return centre - self.student(level) * half, centre + self.student(level) * half
        if self.resampled is None:
            lo, hi = run_limits(self, np.sqrt(variance(jacobian, self.covariance)), x, level)
            wider = self.student(level)
            return centre + wider * lo, centre + wider * hi
        values = self.at_draws(self.resampled.u, x)
        if self.log:
            # A draw that predicts zero or less lies below all others.
            with np.errstate(divide="ignore", invalid="ignore"):
                values = np.clip(np.nan_to_num(np.log(values), nan=-LARGEST), -LARGEST, LARGEST)
        if kind == "run":
            values = values + self._new_errors(x, len(values))
        pull = self.resampled.influence @ jacobian
        return limits(values, centre, pull, len(self.u), level)

    def _new_errors(self, x: Mapping[str, np.ndarray], n: int) -> np.ndarray:
        """Errors (n, rows) of new runs at `x`:
        of the posterior's noise model, or drawn from the runs' own."""
        if isinstance(self.draws, Posterior):
            return self.draws.errors(x, self.key)
        scale = noise(self).scale(x)
        return np.random.default_rng(self.key).choice(noise(self).errors, (n, len(scale))) * scale

    def _warn(self, x: Mapping[str, np.ndarray]) -> None:
        """What speaks against predictions that were asked for without an interval, once per kind."""
        n = len(next(iter(x.values())))
        for caution, _ in extrapolation.flagged(self, x, np.zeros(n)):
            if caution.severity != "info":
                warnings.warn(CautionWarning(caution), stacklevel=3)

    def cautions(self, x: Mapping[str, Any]) -> tuple[Caution, ...]:
        """What speaks against predictions at inputs `x`, the serious first; each sentence names its rows.

        not-trusted: the fit itself is bad. impossible: the law predicts zero or less there. extrapolation:
        more than one decade outside the runs (serious from two on). leverage: the curve's variance is more
        than 100 times that at a usual run. turning-point, break: the law turns, or changes its course,
        between the runs and the row, where no run shows it. off-ray: the inputs move together over the runs,
        and the row leaves their line by more than a factor 1.4. not-whole: the shares of a mixture do not sum
        to what they do in every run. constant-input, few-scales: outside an input that takes only one or two
        values. open-floor, misfit: more than half a decade outside runs that leave the floor open, or whose
        shape the law does not have.

        Args:
            x: inputs as for `predict`.

        Returns:
            Structured warnings: code, severity, text.

        Raises:
            KeyError: for a missing input.
        """
        inputs = self.inputs_of(x)
        columns = np.broadcast_arrays(*(np.atleast_1d(column) for column in inputs.values()))
        flat = {name: column.reshape(-1) for name, column in zip(inputs, columns, strict=True)}
        return tuple(caution for caution, _ in extrapolation.flagged(self, flat))

    def conf_int(self, level: float = 0.9, kind: str = "percentile") -> Frame:
        """Intervals of all coefficients.

        Args:
            level: between 0 and 1.
            kind: "percentile", "bca" or "corrected", of the draws;
                without draws to first order from `covariance`.

        Returns:
            A frame with one row per coefficient, labelled by it: value, lo, hi, natural units.

        Raises:
            ValueError: for a level or kind that is none.
        """
        ends = np.array([self.interval(name, level, kind) for name in self.law.names])
        values = [self.coefs[name] for name in self.law.names]
        return columns_frame({"value": values, "lo": ends[:, 0], "hi": ends[:, 1]}, list(self.law.names))

    def correlation(self) -> Frame:
        """Correlations of the coefficients on the real line (logs of positive ones).

        Returns:
            A frame labelled by coefficient both ways.
        """
        table = self.covariance if self.resampled is None else np.atleast_2d(np.cov(self.resampled.u.T))
        spread = np.sqrt(np.diag(table))
        names = list(self.law.names)
        with np.errstate(invalid="ignore"):
            table = table / np.outer(spread, spread)
        return columns_frame(dict(zip(names, table.T, strict=True)), names)

    def summary(self) -> str:
        """The fit as text: whether to trust it, warnings, coefficients with errors and intervals,
        what stays open."""
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
        """Write the fit as JSON (full precision, data included); `sf.load` reads it back.

        Args:
            path: of the file. A file that is there is replaced whole, once the new one is written.
        """
        saving.write(path, sealed(saving.to_json(self)))


def _within(y: np.ndarray) -> bool:
    """Whether outputs are shares of one, not percent."""
    return bool(np.min(y) >= 0 and np.max(y) <= 1)
