"""Which law to believe at the target: a backtest first, information criteria beside it,
and laws mixed by weight.

both = sf.compare(["chinchilla", "skaling"], runs, by="flops")
both.ensemble().predict({"N": 7e10, "D": 1.4e12}, level=0.9, kind="run")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from scalefit.core.objective import Objective
from scalefit.fits.criteria import criteria
from scalefit.fits.ensemble import Ensemble, rms
from scalefit.fits.fit import Fit
from scalefit.fits.pictured import Pictured
from scalefit.frames import Frame, frame
from scalefit.uncertainty.bootstrap import bootstrap
from scalefit.validation.backtest import Backtest, windows
from scalefit.validation.windows import Laws, rank
from scalefit.words import aligned, short_number

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True, eq=False)
class Comparison(Pictured):
    """Laws side by side: the backtest first, information criteria on all rows beside it;
    `fits` are of all rows."""

    backtest: Backtest
    fits: Mapping[str, Fit]

    def table(self) -> Frame:
        """One row per law as a frame, the best backtest first.

        weight, score, median, rms, coverage: from the backtest; dAICc, dBIC: criterion minus the smallest;
        n_coefs; fit_rms: rms residual on all rows; trust: of the fit to all rows.

        AICc = 2 k + 2 k (k + 1) / (n - k - 1) - 2 l and BIC = k log n - 2 l, with k = coefficients + 1 for
        the scale, and l = max over s of -sum(w rho(r)) / s - n log Z(s), Z(s) = integral of exp(-rho(r) / s):
        the log-likelihood of errors whose density is exp(-rho / s) / Z. Squares give the normal's -n/2
        log(sum r^2), absolute values Laplace's -n log(sum |r|). Only differences mean something, and only
        between laws on the same rows with the same objective, as here. They take errors as independent and
        look inside the range of the runs only.
        """
        return frame(self._lines())

    def _lines(self) -> list[dict[str, Any]]:
        weight = self.backtest.weights()
        found = {label: criteria(fit) for label, fit in self.fits.items()}
        least = np.min(list(found.values()), axis=0)
        lines = []
        for label, fit in self.fits.items():
            line = self.backtest.line(label)
            with np.errstate(invalid="ignore"):
                _, aicc, bic = np.array(found[label]) - least
            lines.append(
                {
                    "law": label,
                    "weight": weight[label],
                    **{name: line[name] for name in ("score", "median", "rms", "coverage")},
                    "dAICc": float(aicc),
                    "dBIC": float(bic),
                    "n_coefs": len(fit.law.coefs),
                    "fit_rms": rms(fit.residuals()[fit.data.counted]),
                    "trust": fit.status.trust,
                }
            )
        return sorted(lines, key=lambda line: rank(line["score"]))

    def ensemble(self) -> Ensemble:
        """The laws, each fitted to all rows, with the backtest's weights."""
        ground = self.backtest.foretold
        return Ensemble(self.fits, ground.weights(), ground)

    def __repr__(self) -> str:
        head = ["", "weight", "dAICc", "dBIC", "coefficients", "rms in sample", "trust"]
        lines = [
            [
                line["law"],
                f"{line['weight']:.3f}",
                f"{line['dAICc']:.1f}",
                f"{line['dBIC']:.1f}",
                str(line["n_coefs"]),
                short_number(line["fit_rms"]),
                line["trust"],
            ]
            for line in self._lines()
        ]
        none = not any(np.isfinite(line["score"]) for line in self._lines())
        lost = "[serious] no-forecast: no law foretold the larger runs in numbers, and weights say nothing"
        return "\n".join([*[lost] * none, repr(self.backtest), "", "All rows:", *aligned([head, *lines])])


def compare(
    laws: Laws,
    runs: Any,
    by: str | None = None,
    y: str | None = None,
    inputs: Mapping[str, str] | None = None,
    *,
    level: float = 0.9,
    n_cuts: int = 4,
    group: str | Literal[False] | None = None,
    objective: Objective | None = None,
    weight: str | Sequence[float] | None = None,
    n_draws: int = 0,
    key: int = 0,
) -> Comparison:
    """Which law: a backtest first, then AICc, BIC and residuals on all rows; `.ensemble()` mixes the laws.

    Args:
        laws: one id of `sf.laws` or Law, several, or a dict label -> law.
        runs: a table, as for `sf.fit`.
        by: the column that says what is small, as in `sf.backtest`.
        y: the column of the output, as in `sf.fit`.
        inputs: columns of the inputs of all laws together, each takes its own.
        level: of the backtest's intervals, each for one new run.
        n_cuts: at most so many windows, as in `sf.backtest`.
        group: as in `sf.fit`.
        objective: as in `sf.fit`.
        weight: as in `sf.fit`; rows of weight zero are neither fitted nor predicted.
        n_draws: how many bootstrap refits of every fit, those of all rows too; 0 for first-order covariances.
        key: seed of the fits and draws.

    Returns:
        A `Comparison`: the backtest and the fits of all rows; `.table()` has a row per law, the best backtest
        first.

    Raises:
        ValueError: as `sf.backtest` does.
        KeyError: for an unknown law.

    Example:
        >>> both = sf.compare(["chinchilla", "skaling"], runs, by="flops")
        >>> sorted(both.table()["n_coefs"].tolist())
        [5, 6]
        >>> told = both.ensemble().predict({"N": 7e10, "D": 1.4e12}, level=0.9, kind="run")
        >>> bool(told.loc[0, "lo"] < told.loc[0, "mean"] < told.loc[0, "hi"])
        True
    """
    back, problems = windows(laws, runs, by, y, inputs, level, n_cuts, group, objective, weight, n_draws, key)
    fits = {label: problem.fits([problem.data.weight], key)[0] for label, problem in problems.items()}
    return Comparison(
        back, {label: bootstrap(fit, n_draws, key) if n_draws else fit for label, fit in fits.items()}
    )
