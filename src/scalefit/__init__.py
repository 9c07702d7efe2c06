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
    from scalefit.anneal import BestSchedule, best_schedule, compare_schedules
    from scalefit.api import ALIASES, Groups, around, chain, fit, fit_groups
    from scalefit.backtest import Backtest, backtest
    from scalefit.callbacks.recorder import Recorder
    from scalefit.compare import Comparison, Ensemble, Foretold, compare
    from scalefit.core.law import Coef, Input, Law, law, over
    from scalefit.core.objective import Objective, absolute, asymmetric, huber, log_cosh, square
    from scalefit.core.support import POSITIVE, REAL, UNIT, Support, interval
    from scalefit.crossover import crossover, multiplier
    from scalefit.curves import condense, fit_curves, shrink
    from scalefit.decide import decide
    from scalefit.extrapolate import extrapolate, extrapolate_groups
    from scalefit.forecast import Forecast, forecast
    from scalefit.frontier import isoloss, optimal
    from scalefit.io import RunLog, read_log
    from scalefit.isoflop import IsoFlop, envelope, isoflop, three_ways
    from scalefit.mixture import optimal_mixture
    from scalefit.model_error import ModelError
    from scalefit.noise import Noise, Posterior, noise
    from scalefit.plan import Plan, next_runs
    from scalefit.posterior import posterior, published_priors
    from scalefit.profile import Profile, profile
    from scalefit.render import to_latex, to_markdown
    from scalefit.resample import bootstrap, jackknife, sandwich
    from scalefit.result import Caution, Fit, FitError, Status
    from scalefit.specification import specification
    from scalefit.store import load
    from scalefit.synthetic import simulate
    from scalefit.widen import widen

__version__ = "0.1.0"

_HOMES = {
    "scalefit.anneal": ("BestSchedule", "best_schedule", "compare_schedules"),
    "scalefit.api": ("ALIASES", "Groups", "around", "chain", "fit", "fit_groups"),
    "scalefit.backtest": ("Backtest", "backtest"),
    "scalefit.callbacks.recorder": ("Recorder",),
    "scalefit.compare": ("Comparison", "Ensemble", "Foretold", "compare"),
    "scalefit.core.law": ("Coef", "Input", "Law", "law", "over"),
    "scalefit.core.objective": ("Objective", "absolute", "asymmetric", "huber", "log_cosh", "square"),
    "scalefit.core.support": ("POSITIVE", "REAL", "UNIT", "Support", "interval"),
    "scalefit.crossover": ("crossover", "multiplier"),
    "scalefit.curves": ("condense", "fit_curves", "shrink"),
    "scalefit.decide": ("decide",),
    "scalefit.extrapolate": ("extrapolate", "extrapolate_groups"),
    "scalefit.forecast": ("Forecast", "forecast"),
    "scalefit.frontier": ("isoloss", "optimal"),
    "scalefit.model_error": ("ModelError",),
    "scalefit.io": ("RunLog", "read_log"),
    "scalefit.isoflop": ("IsoFlop", "envelope", "isoflop", "three_ways"),
    "scalefit.mixture": ("optimal_mixture",),
    "scalefit.noise": ("Noise", "Posterior", "noise"),
    "scalefit.plan": ("Plan", "next_runs"),
    "scalefit.posterior": ("posterior", "published_priors"),
    "scalefit.profile": ("Profile", "profile"),
    "scalefit.render": ("to_latex", "to_markdown"),
    "scalefit.resample": ("bootstrap", "jackknife", "sandwich"),
    "scalefit.result": ("Caution", "Fit", "FitError", "Status"),
    "scalefit.synthetic": ("simulate",),
    "scalefit.specification": ("specification",),
    "scalefit.store": ("load",),
    "scalefit.widen": ("widen",),
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
