"""Several laws as one fit, weighted by how well they foretold larger runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any, overload

import numpy as np
from scipy.special import ndtr, ndtri

from scalefit.arguments import check_level
from scalefit.core.data import Data
from scalefit.core.law import Law, averaged
from scalefit.core.objective import Objective
from scalefit.fits import saving
from scalefit.fits.extrapolation import joined
from scalefit.fits.fit import Fit
from scalefit.fits.pictured import Pictured
from scalefit.fits.status import HEADLINES, SEVERITIES, Caution, FitError, Status
from scalefit.fits.text import to_latex, to_markdown
from scalefit.fits.verified import sealed
from scalefit.fits.windows import FOLDS
from scalefit.frames import Frame, columns_frame, frame, like, to_frame
from scalefit.words import aligned, listed, short, short_number

__all__ = [
    "Ensemble",
    "Foretold",
    "check_fit",
    "ensemble_to_json",
    "foretold_from",
    "mixture",
    "rms",
    "score",
]

# Laws with less weight than this are not asked.
NOTHING = 1e-9
# What speaks against a law of less than this share of the heaviest's weight does not speak against the mean.
HEARD = 0.1


@dataclass(frozen=True, eq=False)
class Foretold:
    """How far laws fitted to the small runs were off on the larger ones: what an ensemble's weights rest on.

    by: what says which runs are small; cuts: its values up to which runs were fitted, ascending. distance:
    per cut, the held-out runs' decades beyond it; errors: label -> the same of log(predicted) -
    log(measured), or predicted - measured; last: those of the largest run so far, unchanged. noise: per cut,
    the smallest scatter of any law's residuals.
    """

    by: str
    cuts: tuple[float, ...]
    distance: tuple[np.ndarray, ...]
    errors: Mapping[str, tuple[np.ndarray, ...]]
    last: tuple[np.ndarray, ...]
    noise: np.ndarray

    def scores(self) -> dict[str, float]:
        """Label -> geometric mean over windows of sqrt(mean square error + noise^2);
        infinite without a value."""
        return {label: score(each, self.noise) for label, each in self.errors.items()}

    def weights(self) -> dict[str, float]:
        """Label -> weight, w ~ product over windows of 1 / sqrt(mse + s^2), summing to one.

        mse: the law's mean square error in the window; s: the smallest scatter of any law's residuals there,
        so that luck below the runs' own scatter counts for nothing. It is a softmax of -n/2 log(mse), the
        log-likelihood of n normal errors at their best scale, with n the number of windows and not of rows,
        because errors inside a window share one fit; each window has a scale of its own, as errors grow with
        the distance. All alike where no law has a value.
        """
        score = np.log(list(self.scores().values()))
        least = np.min(score)
        share = np.exp(-len(self.cuts) * (score - least)) if np.isfinite(least) else np.ones(len(score))
        return dict(zip(self.errors, (share / np.sum(share)).tolist(), strict=True))

    def mixed(self, weights: Mapping[str, float]) -> np.ndarray:
        """The errors of the laws' weighted mean, all windows in one."""
        return np.sum(
            [w * np.concatenate(self.errors[label]) for label, w in weights.items() if w > 0], axis=0
        )


@dataclass(frozen=True, eq=False, repr=False)
class Ensemble(Pictured):
    """Several laws as one fit: `fits` and `weights` by label, the weights summing to one;
    `ground` is what they rest on.

    It can be asked whatever a fit can: predictions, cautions, optima, pictures, a file. `law` is the laws'
    weighted mean as one law (of logarithms where errors are of log y), whose coefficients are all of theirs
    and their weights.
    """

    fits: Mapping[str, Fit]
    weights: Mapping[str, float]
    ground: Foretold | None = None

    @cached_property
    def law(self) -> Law:
        """The laws' weighted mean as one law."""
        return averaged({label: fit.law for label, fit in self.fits.items()}, self.log)

    @cached_property
    def coefs(self) -> dict[str, float]:
        """The coefficients of `law`: `alpha[chinchilla]`, ..., `weight[chinchilla]`, ..."""
        each = {
            f"{name}[{label}]": value for label, fit in self.fits.items() for name, value in fit.coefs.items()
        }
        return each | {f"weight[{label}]": weight for label, weight in self.weights.items()}

    @property
    def members(self) -> dict[str, tuple[Fit, float]]:
        """The fits that have weight, with it, the heaviest first."""
        used = {label: w for label, w in self.weights.items() if w > NOTHING}
        total = sum(used.values())
        order = sorted(used, key=lambda label: -used[label])
        return {label: (self.fits[label], used[label] / total) for label in order}

    @cached_property
    def data(self) -> Data:
        """The runs, with the inputs of all laws; rows count where they do in the heaviest fit."""
        first = self._first
        x = {name: column for fit in self.fits.values() for name, column in fit.data.x.items()}
        return replace(first.data, x={name: x[name] for name in self.law.inputs})

    @property
    def objective(self) -> Objective:
        """What the fits minimised."""
        return self._first.objective

    @property
    def log(self) -> bool:
        """Whether errors are of log y."""
        return next(iter(self.fits.values())).log

    @property
    def columns(self) -> dict[str, str]:
        """Which column each input and the output came from."""
        return {name: column for fit in self.fits.values() for name, column in fit.columns.items()}

    @property
    def counting(self) -> str | None:
        """Which parameters N counts."""
        return self._first.counting

    @property
    def key(self) -> int:
        """The fits' key."""
        return self._first.key

    @cached_property
    def warnings(self) -> tuple[Caution, ...]:
        """The warnings of all fits that have weight, each under its law's name."""
        found = [
            replace(c, text=f"{label}: {c.text}")
            for label, (fit, _) in self.members.items()
            for c in fit.warnings
        ]
        return tuple(sorted(found, key=lambda caution: tuple(SEVERITIES).index(caution.severity)))

    @cached_property
    def status(self) -> Status:
        """Whether to believe it, by what was foretold and the fits that have weight (see `trust`)."""
        each = [fit.status for fit, _ in self.members.values()]
        return Status(
            self.trust,
            all(s.converged for s in each),
            min(s.n_starts for s in each),
            min(s.n_agree for s in each),
            max(s.gradient for s in each),
            sum(s.evaluations for s in each),
            tuple(dict.fromkeys(code for s in each for code in s.cautions)),
        )

    def check(self) -> Ensemble:
        """The ensemble itself if it may be used.

        Returns:
            The ensemble, so that calls can be chained.

        Raises:
            FitError: with the reasons, where its trust is "bad".
        """
        if self.trust == "bad":
            serious = [caution.text for caution in self.warnings if caution.severity == "serious"]
            raise FitError(
                "; ".join(serious) or "these laws foretold larger runs no better than the largest run so far"
            )
        return self

    def fitted(self) -> np.ndarray:
        """Predictions at the runs that were fitted, one per row."""
        return np.asarray(self.law(self.coefs, self.data.x), float)

    def residuals(self) -> np.ndarray:
        """log(prediction) - log(y), or prediction - y, whichever the objective measured; one per row."""
        return self.objective.residual(self.fitted(), self.data.y)

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
        """The laws' weighted mean at inputs `x` (of logarithms where errors are of log y),
        with believable intervals.

        Args:
            x, level, kind, model_error: as for `Fit.predict`.

        Returns:
            Without a level an array. With one a frame as of `Fit.predict`, without leverage, and with
            between: the laws' weighted standard deviation about the mean (in log y or y). lo and hi are
            quantiles of the mixture sum_k w_k F_k, what drawing a law by its weight and then from that law
            would give; F_k is normal with the law's own interval. caution holds the codes under any law that
            has a tenth of the heaviest's weight.

        Raises:
            KeyError: for a missing input.
            ValueError: for inputs the laws cannot take, and a level or kind that is none.
        """
        to, back = (np.log, np.exp) if self.log else (np.asarray, np.asarray)
        share = np.array([weight for _, weight in self.members.values()])
        if level is None:
            return back(
                np.tensordot(share, np.stack([to(fit.predict(x)) for fit, _ in self.members.values()]), 1)
            )
        given, x = x, to_frame(x)
        asked = [fit.predict(x, check_level(level), kind, model_error) for fit, _ in self.members.values()]
        with np.errstate(divide="ignore", invalid="ignore"):
            means, lo, hi = (
                to(np.stack([np.asarray(t[end], float) for t in asked])) for end in ("mean", "lo", "hi")
            )
        mean = np.tensordot(share, means, 1)
        below, above = mixture(lo, hi, share, level)
        between = np.sqrt(np.maximum(share @ (means - mean) ** 2, 0.0))
        heard = [t["caution"] for t, w in zip(asked, share, strict=True) if w >= HEARD * share[0]]
        caution = [joined(row) for row in zip(*heard, strict=True)]
        inputs = {name: t[name] for t in asked for name in t.columns[: list(t.columns).index("mean")]}
        columns = {
            **inputs,
            "mean": back(mean),
            "lo": back(below),
            "hi": back(above),
            "between": between,
            "distance": np.max([t["distance"] for t in asked], axis=0),
            "caution": caution,
            "model_error": np.full(len(mean), bool(model_error)),
        }
        columns = {name: np.asarray(column) for name, column in columns.items()}
        return like(given, columns_frame(columns, asked[0].index))

    def cautions(self, x: Mapping[str, Any]) -> tuple[Caution, ...]:
        """What speaks against predictions at inputs `x`, each once (see `Fit.cautions`), under any law that
        has a tenth of the heaviest's weight."""
        most = max(w for _, w in self.members.values())
        heard = [fit for fit, w in self.members.values() if w >= HEARD * most]
        found = {c.code: c for fit in reversed(heard) for c in fit.cautions(x)}
        return tuple(sorted(found.values(), key=lambda caution: tuple(SEVERITIES).index(caution.severity)))

    def conf_int(self, level: float = 0.9, kind: str = "percentile") -> Frame:
        """Intervals of all laws' coefficients, one row each,
        labelled `alpha[chinchilla]` (see `Fit.conf_int`)."""
        ends = {
            f"{name}[{label}]": (fit.coefs[name], *fit.interval(name, level, kind))
            for label, fit in self.fits.items()
            for name in fit.law.names
        }
        values, lo, hi = (list(column) for column in zip(*ends.values(), strict=True))
        return columns_frame({"value": values, "lo": lo, "hi": hi}, list(ends))

    def table(self) -> Frame:
        """One row per law as a frame, the heaviest first.

        rows: how many rows of weight one the fit's are worth, (sum w)^2 / sum w^2; score and rms: errors on
        larger runs (see `Foretold.scores`; all windows together), NaN where nothing was foretold; trust: of
        the fit to all rows.
        """
        return frame(self._lines())

    @property
    def trust(self) -> str:
        """Whether to believe it: "good", "weak" or "bad".

        "bad" where the laws foretold larger runs no better than the last point, or most weight is on bad
        fits; "weak" where most is on fits that are not good, or fewer than two windows were foretold.
        """
        share = {
            name: sum(self.weights[k] for k, f in self.fits.items() if f.status.trust == name)
            for name in ("good", "bad")
        }
        if share["bad"] > 0.5 or (
            self.ground is not None and not self._error() < rms(np.concatenate(self.ground.last))
        ):
            return "bad"
        return "weak" if self.ground is None or len(self.ground.cuts) < 2 or share["good"] < 0.5 else "good"

    def summary(self) -> str:
        """The ensemble as text: whether to trust it, warnings, and each law's weight and record."""
        head = f"{HEADLINES[self.trust]}: {len(self.fits)} law{'s' * (len(self.fits) > 1)}"
        if self.ground:
            n, far = len(self.ground.cuts), max(np.max(each) for each in self.ground.distance)
            folds = self.ground.by == FOLDS
            head += (
                f"; {n} {FOLDS} foretold"
                if folds
                else f"; {n} window{'s' * (n > 1)} foretold up to {far:.2g} decades of {self.ground.by} ahead"
            )
            head += (
                f", rms error of {'log y' if self.log else 'y'} {self._error():.3g} "
                f"({'mean of the others' if folds else 'last point'} "
                f"{rms(np.concatenate(self.ground.last)):.3g})"
            )
        lines = [["", "weight", "rows", "score", "rms", "trust"]]
        lines += [
            [
                line["law"],
                f"{line['weight']:.3f}",
                f"{line['rows']:.0f}",
                short_number(line["score"]),
                short_number(line["rms"]),
                line["trust"],
            ]
            for line in self._lines()
        ]
        return "\n".join([head, *(f"  {caution}" for caution in self._concerns()), *aligned(lines)])

    def to_markdown(self) -> str:
        """The table of laws as Markdown, under the headline."""
        said = "".join(f"- {caution}\n" for caution in self._concerns())
        return f"**{self.summary().splitlines()[0]}**\n\n{said}{to_markdown(self.table())}"

    def to_latex(self) -> str:
        """The table of laws as LaTeX."""
        return f"% {self.summary().splitlines()[0]}\n{to_latex(self.table())}"

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        head = escape(self.summary().splitlines()[0])
        said = "".join(f"<li>{escape(caution)}</li>" for caution in self._concerns())
        return f"<div><p><b>{head}</b></p><ul>{said}</ul>{self.table().to_html(index=False)}</div>"

    def save(self, path: str | Path) -> None:
        """Write the ensemble as JSON, all fits whole; `sf.load` reads it back.

        Args:
            path: of the file. A file that is there is replaced whole, once the new one is written.
        """
        saving.write(path, sealed(ensemble_to_json(self)))

    def _concerns(self) -> list[str]:
        """What counts against the answer, each kind once: of the law with most weight, the others named.

        All of them are in `warnings`.
        """
        found: dict[tuple[str, str], dict[str, Caution]] = {}
        for label, (fit, _) in sorted(self.members.items(), key=lambda member: -member[1][1]):
            for caution in fit.warnings:
                if caution.severity != "info":
                    found.setdefault((caution.severity, caution.code), {}).setdefault(label, caution)
        lines = []
        for _, said in sorted(found.items(), key=lambda item: tuple(SEVERITIES).index(item[0][0])):
            (first, caution), *others = said.items()
            also = f" (and {listed([label for label, _ in others])})" if others else ""
            lines.append(str(replace(caution, text=f"{first}{also}: {caution.text}")))
        return lines

    @property
    def _first(self) -> Fit:
        return next(iter(self.members.values()))[0]

    def _error(self) -> float:
        assert self.ground is not None
        return rms(self.ground.mixed(self.weights))

    def _lines(self) -> list[dict[str, Any]]:
        scores = self.ground.scores() if self.ground else {}
        lines = []
        for label, fit in self.fits.items():
            weight = fit.data.weight
            lines.append(
                {
                    "law": label,
                    "weight": self.weights[label],
                    "n_coefs": len(fit.law.coefs),
                    "rows": float(np.sum(weight) ** 2 / np.sum(weight**2)),
                    "score": scores.get(label, np.nan),
                    "rms": rms(np.concatenate(self.ground.errors[label])) if self.ground else np.nan,
                    "trust": fit.status.trust,
                }
            )
        return sorted(lines, key=lambda line: -line["weight"])


def ensemble_to_json(ensemble: Ensemble) -> dict[str, Any]:
    """Everything needed to rebuild the ensemble."""
    ground = None
    if ensemble.ground is not None:
        g = ensemble.ground
        ground = {
            "by": g.by,
            "cuts": list(g.cuts),
            "distance": [saving.plain(d) for d in g.distance],
            "errors": {label: [saving.plain(e) for e in each] for label, each in g.errors.items()},
            "last": [saving.plain(e) for e in g.last],
            "noise": saving.plain(g.noise),
        }
    return {
        "format": saving.FORMAT,
        "kind": "ensemble",
        "weights": dict(ensemble.weights),
        "ground": ground,
        "fits": {label: saving.to_json(fit) for label, fit in ensemble.fits.items()},
    }


def foretold_from(saved: Mapping[str, Any]) -> Foretold:
    """What an ensemble's weights rest on, from JSON."""

    def arrays(each: Sequence[Any]) -> tuple[np.ndarray, ...]:
        return tuple(np.array(part, float) for part in each)

    errors = {label: arrays(each) for label, each in saved["errors"].items()}
    return Foretold(
        saved["by"],
        tuple(saved["cuts"]),
        arrays(saved["distance"]),
        errors,
        arrays(saved["last"]),
        np.array(saved["noise"], float),
    )


def check_fit(fit: Any, asked: str, ensemble: bool = False) -> None:
    """TypeError unless it is a fit (or an ensemble, where that will do)."""
    if not isinstance(fit, Fit | Ensemble if ensemble else Fit):
        what = (
            "a fit of one law, not an ensemble of several"
            if isinstance(fit, Ensemble)
            else f"a fit, as sf.fit returns it, got {short(fit)}"
        )
        raise TypeError(f"{asked} needs {what}")


def mixture(lo: np.ndarray, hi: np.ndarray, share: np.ndarray, level: float) -> list[np.ndarray]:
    """Quantiles (n,) of a mixture of normals with these intervals (laws, n),
    by bisection of its distribution."""
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


def score(errors: Sequence[np.ndarray], noise: np.ndarray) -> float:
    """Geometric mean over windows of sqrt(mean square error + noise^2);
    infinite where a law has no value somewhere."""
    mse = np.array([np.mean(each**2) for each in errors])
    square = np.where(np.isnan(mse), np.inf, np.maximum(mse + noise**2, 1e-300))
    return float(np.exp(np.mean(np.log(square)) / 2))


def rms(error: np.ndarray) -> float:
    """Root mean square, NaN of none."""
    return float(np.sqrt(np.mean(error**2))) if len(error) else np.nan
