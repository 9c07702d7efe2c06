"""scalefit: fit scaling laws and know how far to trust the fit.

    import scalefit as sf
    fit = sf.fit("chinchilla", runs, inputs={"N": "n_params", "D": "n_tokens"}, y="loss")

Names are loaded when first used, so that importing scalefit is quick and starts no JAX backend.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scalefit import callbacks, datasets, flops, laws, plot, schedule
    from scalefit.callbacks.recorder import Recorder
    from scalefit.core.law import Coef, Input, Law, law, over
    from scalefit.core.objective import Objective, absolute, asymmetric, huber, log_cosh, square
    from scalefit.core.support import POSITIVE, REAL, UNIT, Support, interval
    from scalefit.curves.best_schedule import BestSchedule, best_schedule, compare_schedules
    from scalefit.curves.fit_curves import condense, fit_curves, shrink
    from scalefit.curves.forecast import Forecast, forecast
    from scalefit.decisions.crossover import crossover, multiplier
    from scalefit.decisions.decide import decide
    from scalefit.decisions.isoflop import IsoFlop, envelope, isoflop, three_ways
    from scalefit.decisions.mixture import optimal_mixture
    from scalefit.decisions.next_runs import Plan, next_runs
    from scalefit.decisions.optimal import isoloss, optimal
    from scalefit.decisions.specification import specification
    from scalefit.fits.fit import Caution, Fit, FitError, Status
    from scalefit.fits.fitting import ALIASES, Groups, around, chain, fit, fit_groups
    from scalefit.fits.model_error import ModelError
    from scalefit.fits.noise import Noise, Posterior, noise
    from scalefit.fits.saving import load
    from scalefit.fits.text import to_latex, to_markdown
    from scalefit.laws.simulate import simulate
    from scalefit.runs.logs import RunLog, read_log
    from scalefit.uncertainty.bootstrap import bootstrap, jackknife, sandwich
    from scalefit.uncertainty.posterior import posterior, published_priors
    from scalefit.uncertainty.profile import Profile, profile
    from scalefit.validation.backtest import Backtest, backtest
    from scalefit.validation.compare import Comparison, Ensemble, Foretold, compare
    from scalefit.validation.extrapolate import extrapolate, extrapolate_groups
    from scalefit.validation.widen import widen

__version__ = "0.1.0"

_HOMES = {
    "scalefit.curves.best_schedule": ("BestSchedule", "best_schedule", "compare_schedules"),
    "scalefit.fits.fitting": ("ALIASES", "Groups", "around", "chain", "fit", "fit_groups"),
    "scalefit.validation.backtest": ("Backtest", "backtest"),
    "scalefit.callbacks.recorder": ("Recorder",),
    "scalefit.validation.compare": ("Comparison", "Ensemble", "Foretold", "compare"),
    "scalefit.core.law": ("Coef", "Input", "Law", "law", "over"),
    "scalefit.core.objective": ("Objective", "absolute", "asymmetric", "huber", "log_cosh", "square"),
    "scalefit.core.support": ("POSITIVE", "REAL", "UNIT", "Support", "interval"),
    "scalefit.decisions.crossover": ("crossover", "multiplier"),
    "scalefit.curves.fit_curves": ("condense", "fit_curves", "shrink"),
    "scalefit.decisions.decide": ("decide",),
    "scalefit.validation.extrapolate": ("extrapolate", "extrapolate_groups"),
    "scalefit.curves.forecast": ("Forecast", "forecast"),
    "scalefit.decisions.optimal": ("isoloss", "optimal"),
    "scalefit.fits.model_error": ("ModelError",),
    "scalefit.runs.logs": ("RunLog", "read_log"),
    "scalefit.decisions.isoflop": ("IsoFlop", "envelope", "isoflop", "three_ways"),
    "scalefit.decisions.mixture": ("optimal_mixture",),
    "scalefit.fits.noise": ("Noise", "Posterior", "noise"),
    "scalefit.decisions.next_runs": ("Plan", "next_runs"),
    "scalefit.uncertainty.posterior": ("posterior", "published_priors"),
    "scalefit.uncertainty.profile": ("Profile", "profile"),
    "scalefit.fits.text": ("to_latex", "to_markdown"),
    "scalefit.uncertainty.bootstrap": ("bootstrap", "jackknife", "sandwich"),
    "scalefit.fits.fit": ("Caution", "Fit", "FitError", "Status"),
    "scalefit.laws.simulate": ("simulate",),
    "scalefit.decisions.specification": ("specification",),
    "scalefit.fits.saving": ("load",),
    "scalefit.validation.widen": ("widen",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}
_MODULES = ("callbacks", "datasets", "flops", "laws", "plot", "schedule")

__all__ = [
    "ALIASES", "POSITIVE", "REAL", "UNIT", "Backtest", "BestSchedule", "Caution", "Coef", "Comparison", "Ensemble", "Fit",
    "FitError", "Forecast", "Foretold", "Groups", "Input", "IsoFlop", "Law", "ModelError", "Noise", "Objective", "Plan", "Posterior", "Profile", "Recorder", "RunLog", "Status", "Support",
    "absolute", "around", "asymmetric", "backtest", "best_schedule", "bootstrap", "callbacks", "chain", "compare", "compare_schedules", "condense", "crossover", "datasets", "decide", "envelope", "extrapolate", "extrapolate_groups", "fit",
    "fit_curves", "fit_groups", "flops", "forecast", "huber", "interval", "isoflop", "isoloss", "jackknife", "law", "laws", "load", "log_cosh", "multiplier", "next_runs", "noise", "optimal", "optimal_mixture", "over", "plot",
    "posterior", "profile", "published_priors", "read_log", "sandwich", "schedule", "shrink", "simulate", "specification", "square", "three_ways", "to_latex", "to_markdown", "widen",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"scalefit.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'scalefit' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


class _Package(ModuleType):
    """Importing a submodule sets it as an attribute; it must not hide the function of the same name (sf.profile)."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOME and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __dir__() -> list[str]:
    return sorted(__all__)
