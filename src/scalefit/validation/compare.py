"""Which law to believe at the target: a backtest first, information criteria beside it, and laws mixed by weight.

both = sf.compare(["chinchilla", "skaling"], runs, by="flops")
both.ensemble().predict({"N": 7e10, "D": 1.4e12}, level=0.9, kind="run")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from scalefit.core.objective import Objective
from scalefit.fits.fit import HEADLINES, Fit
from scalefit.frames import frame
from scalefit.validation.backtest import (
    LAST,
    Backtest,
    Laws,
    aligned,
    checked_level,
    drawn,
    intervals,
    number,
    rms,
    windows,
)

__all__ = ["Comparison", "Ensemble", "Foretold", "compare", "criteria", "mixture"]


@dataclass(frozen=True, eq=False)
class Foretold:
    """How far laws fitted to the small runs were off on the larger ones: what an ensemble's weights rest on.

    by: what says which runs are small; cuts: its values up to which runs were fitted, ascending. distance: per cut, the
    held-out runs' decades beyond it; errors: label -> the same of log(predicted) - log(measured), or predicted -
    measured; last: those of the largest run so far, unchanged. noise: per cut, the smallest scatter of any law's
    residuals.
    """

    by: str
    cuts: tuple[float, ...]
    distance: tuple[np.ndarray, ...]
    errors: Mapping[str, tuple[np.ndarray, ...]]
    last: tuple[np.ndarray, ...]
    noise: np.ndarray

    def scores(self) -> dict[str, float]:
        """Label -> geometric mean over windows of sqrt(mean square error + noise^2); infinite without a value."""
        return {
            label: float(np.exp(np.mean(np.log(self._squares(each)) / 2)))
            for label, each in self.errors.items()
        }

    def weights(self) -> dict[str, float]:
        """Label -> weight, by the formula of `Backtest.weights`; all alike where no law has a value."""
        score = np.log(list(self.scores().values()))
        least = np.min(score)
        share = np.exp(-len(self.cuts) * (score - least)) if np.isfinite(least) else np.ones(len(score))
        return dict(zip(self.errors, (share / np.sum(share)).tolist(), strict=True))

    def mixed(self, weights: Mapping[str, float]) -> np.ndarray:
        """The errors of the laws' weighted mean, all windows in one."""
        return np.sum(
            [w * np.concatenate(self.errors[label]) for label, w in weights.items() if w > 0], axis=0
        )

    def _squares(self, errors: tuple[np.ndarray, ...]) -> np.ndarray:
        mse = np.array([np.mean(each**2) for each in errors])
        return np.where(np.isnan(mse), np.inf, np.maximum(mse + self.noise**2, 1e-300))


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Several laws as one: `fits` and `weights` by label, the weights summing to one; `ground` is what they rest on."""

    fits: Mapping[str, Fit]
    weights: Mapping[str, float]
    ground: Foretold | None = None

    def predict(self, x: Mapping[str, Any], level: float | None = None, kind: str = "mean"):
        """The laws' weighted mean at inputs `x`: of logarithms where errors are of log y.

        With `level`, a frame: mean, lo, hi; between, the laws' weighted standard deviation about the mean (in log y or
        y); distance, how many decades the row lies outside the runs; and caution, the codes of what speaks against the row
        under any of the laws (see `Fit.cautions`). lo and hi are quantiles of the mixture
        sum_k w_k F_k, what drawing a law by its weight and then from that law would give; F_k is normal with the law's
        own interval (kind as in `Fit.predict`).
        """
        used = {label: w for label, w in self.weights.items() if w > 1e-9}
        log = self._log
        to, back = (np.log, np.exp) if log else (np.asarray, np.asarray)
        share = np.array(list(used.values())) / sum(used.values())
        means = np.stack([to(self.fits[label].predict(x)) for label in used])
        mean = np.tensordot(share, means, 1)
        if level is None:
            return back(mean)
        asked = [intervals(self.fits[label], x, checked_level(level), kind) for label in used]
        with np.errstate(divide="ignore"):
            lo, hi = (to(np.stack([np.asarray(t[end], float) for t in asked])) for end in ("lo", "hi"))
        means, mean = means.reshape(len(used), -1), mean.reshape(-1)
        between = np.sqrt(np.maximum(share @ (means - mean) ** 2, 0.0))
        distance = np.asarray(asked[0]["distance"], float)
        below, above = mixture(lo, hi, share, level)
        each = zip(*(t["caution"] for t in asked), strict=True)
        caution = [
            ", ".join(dict.fromkeys(code for said in row for code in said.split(", ") if code))
            for row in each
        ]
        names = ("mean", "lo", "hi", "between", "distance", "caution")
        columns = (back(mean), back(below), back(above), between, distance, caution)
        return frame(dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))

    def table(self):
        """One row per law as a frame, the heaviest first.

        rows: how many rows of weight one the fit's are worth, (sum w)^2 / sum w^2; score and rms: errors on larger runs
        (see `Foretold.scores`; all windows together), NaN where nothing was foretold; trust: of the fit to all rows.
        """
        return frame(self._lines())

    @property
    def trust(self) -> str:
        """Whether to believe it: "good", "weak" or "bad".

        "bad" where the laws foretold larger runs no better than the last point, or most weight is on bad fits; "weak"
        where most is on fits that are not good, or fewer than two windows were foretold.
        """
        share = {name: sum(self.weights[k] for k, f in self.fits.items() if f.status.trust == name)
                 for name in ("good", "bad")}  # fmt: skip
        if share["bad"] > 0.5 or (
            self.ground is not None and not self._error() < rms(np.concatenate(self.ground.last))
        ):
            return "bad"
        return "weak" if self.ground is None or len(self.ground.cuts) < 2 or share["good"] < 0.5 else "good"

    @property
    def _log(self) -> bool:
        return next(iter(self.fits.values())).objective.space == "log"

    def _error(self) -> float:
        assert self.ground is not None
        return rms(self.ground.mixed(self.weights))

    def _lines(self) -> list[dict[str, Any]]:
        score = self.ground.scores() if self.ground else {}
        lines = []
        for label, fit in self.fits.items():
            weight = fit.data.weight
            lines.append({"law": label, "weight": self.weights[label], "n_coefs": len(fit.law.coefs),
                          "rows": float(np.sum(weight) ** 2 / np.sum(weight**2)), "score": score.get(label, np.nan),
                          "rms": rms(np.concatenate(self.ground.errors[label])) if self.ground else np.nan,
                          "trust": fit.status.trust})  # fmt: skip
        return sorted(lines, key=lambda line: -line["weight"])

    def __repr__(self) -> str:
        head = f"{HEADLINES[self.trust]}: {len(self.fits)} law{'s' * (len(self.fits) > 1)}"
        if self.ground:
            n, far = len(self.ground.cuts), max(np.max(each) for each in self.ground.distance)
            head += (f"; {n} window{'s' * (n > 1)} foretold up to {far:.2g} decades of {self.ground.by} ahead, rms error of "
                     f"{'log y' if self._log else 'y'} {self._error():.3g} (last point {rms(np.concatenate(self.ground.last)):.3g})")  # fmt: skip
        lines = [[line["law"], f"{line['weight']:.3f}", f"{line['rows']:.0f}", number(line["score"]), number(line["rms"]),
                  line["trust"]] for line in self._lines()]  # fmt: skip
        return "\n".join([head, *aligned([["", "weight", "rows", "score", "rms", "trust"], *lines])])


@dataclass(frozen=True, eq=False)
class Comparison:
    """Laws side by side: the backtest first, information criteria on all rows beside it; `fits` are of all rows."""

    backtest: Backtest
    fits: Mapping[str, Fit]

    def table(self):
        """One row per law as a frame, the best backtest first.

        weight, score, median, rms, coverage: from the backtest; dAICc, dBIC: criterion minus the smallest; n_coefs;
        fit_rms: rms residual on all rows; trust: of the fit to all rows.

        AICc = 2 k + 2 k (k + 1) / (n - k - 1) - 2 l and BIC = k log n - 2 l, with k = coefficients + 1 for the scale,
        and l = max over s of -sum(w rho(r)) / s - n log Z(s), Z(s) = integral of exp(-rho(r) / s): the log-likelihood
        of errors whose density is exp(-rho / s) / Z. Squares give the normal's -n/2 log(sum r^2), absolute values
        Laplace's -n log(sum |r|). Only differences mean something, and only between laws on the same rows with the
        same objective, as here. They take errors as independent and look inside the range of the runs only.
        """
        return frame(self._lines())

    def _lines(self) -> list[dict[str, Any]]:
        weight = self.backtest.weights()
        found = {label: criteria(fit) for label, fit in self.fits.items()}
        least = np.min(list(found.values()), axis=0)
        lines = []
        for label, fit in self.fits.items():
            line = self.backtest._line(label)
            with np.errstate(invalid="ignore"):
                aicc, bic = np.array(found[label]) - least
            lines.append({"law": label, "weight": weight[label],
                          **{name: line[name] for name in ("score", "median", "rms", "coverage")},
                          "dAICc": float(aicc), "dBIC": float(bic), "n_coefs": len(fit.law.coefs),
                          "fit_rms": rms(fit.residuals()[fit.data.counted]), "trust": fit.status.trust})  # fmt: skip
        return sorted(lines, key=lambda line: line["score"])

    def ensemble(self) -> Ensemble:
        """The laws, each fitted to all rows, with the backtest's weights."""
        back, columns = self.backtest, self.backtest.columns

        def split(name: str, label: str) -> tuple[np.ndarray, ...]:
            mine = columns["law"] == label
            return tuple(columns[name][mine & (columns["cut"] == cut)] for cut in back.cuts)

        errors = {label: split("error", label) for label in back.laws}
        ground = Foretold(
            back.by, back.cuts, split("distance", LAST), errors, split("error", LAST), back._noise
        )
        return Ensemble(self.fits, ground.weights(), ground)

    def __repr__(self) -> str:
        head = ["", "weight", "dAICc", "dBIC", "coefficients", "rms in sample", "trust"]
        lines = [[line["law"], f"{line['weight']:.3f}", f"{line['dAICc']:.1f}", f"{line['dBIC']:.1f}", str(line["n_coefs"]),
                  number(line["fit_rms"]), line["trust"]] for line in self._lines()]  # fmt: skip
        return "\n".join([repr(self.backtest), "", "All rows:", *aligned([head, *lines])])


def compare(laws: Laws, runs: Any, by: str | None = None, y: str | None = None,
            inputs: Mapping[str, str] | None = None, *, level: float = 0.9, n_cuts: int = 4, group: str | None = None,
            objective: Objective | None = None, weight: str | Sequence[float] | None = None, n_draws: int = 0,
            key: int = 0) -> Comparison:  # fmt: skip
    """Which law: a backtest first, then AICc, BIC and residuals on all rows; `.ensemble()` mixes the laws.

    Arguments and errors as in `sf.backtest`.
    """
    back, problems = windows(laws, runs, by, y, inputs, level, n_cuts, group, objective, weight, n_draws, key)
    return Comparison(back, {label: drawn(problem.fit(problem.data.weight, key), n_draws, key)
                             for label, problem in problems.items()})  # fmt: skip


def mixture(lo: np.ndarray, hi: np.ndarray, share: np.ndarray, level: float) -> list[np.ndarray]:
    """Quantiles (n,) of a mixture of normals with these intervals (laws, n), by bisection of its distribution."""
    z = ndtri((1 + level) / 2)
    open_ = ~np.all(np.isfinite(lo) & np.isfinite(hi), axis=0)
    lo, hi = np.where(open_, -1.0, lo), np.where(open_, 1.0, hi)
    middle, half = (lo + hi) / 2, np.maximum((hi - lo) / 2, 1e-300)
    ends = []
    for q, unknown in (((1 - level) / 2, -np.inf), ((1 + level) / 2, np.inf)):
        # Every law has this quantile at its own end, so the mixture's lies between the ends.
        own = lo if q < 0.5 else hi
        below, above = np.min(own, axis=0), np.max(own, axis=0)
        for _ in range(100):
            tried = (below + above) / 2
            left = share @ ndtr(z * (tried - middle) / half) < q
            below, above = np.where(left, tried, below), np.where(left, above, tried)
        ends.append(np.where(open_, unknown, (below + above) / 2))
    return ends


def criteria(fit: Fit) -> tuple[float, float]:
    """AICc and BIC; see `Comparison.table`."""
    n, k = len(fit.data.counted), len(fit.law.coefs) + 1
    deviance = -2 * _log_likelihood(fit)
    aicc = deviance + 2 * k + 2 * k * (k + 1) / (n - k - 1) if n > k + 1 else np.inf
    return aicc, deviance + k * np.log(n)


def _log_likelihood(fit: Fit) -> float:
    """max over s of -V / s - n log Z(s), V the summed objective: by search over log s, refined again and again."""
    n, value = len(fit.data.counted), max(fit.value, 1e-280)
    objective = fit.objective
    if np.isinf(objective.width):
        return -n / 2 * (np.log(2 * np.pi * value / n) + 1)
    if objective.width == 0:
        return -n * (np.log(2 * value / n) + 1)
    at = lambda log_s: -value / np.exp(log_s) - n * _log_z(objective, np.exp(log_s))  # noqa: E731
    centre, reach = np.log(value / n), 4.0
    for _ in range(6):
        tried = centre + reach * np.linspace(-1, 1, 41)
        found = np.array([at(log_s) for log_s in tried])
        centre, reach = tried[np.argmax(found)], reach / 10
    return float(np.max(found))


def _log_z(objective: Objective, s: float) -> float:
    """log of the integral of exp(-rho(r) / s) over r, by the trapezoid rule over |r| in geometric steps."""
    size = max(np.sqrt(s), s / objective.width)
    r = size * np.geomspace(1e-8, 400.0, 1201)
    left, right = (np.exp(-np.asarray(objective.rho(side, objective.width), float) / s) for side in (-r, r))
    density = left + right
    return float(np.log(2 * r[0] + np.sum((density[1:] + density[:-1]) / 2 * np.diff(r))))
