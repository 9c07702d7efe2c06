"""Fits as JSON and back: full precision, the data with their fingerprint, versions. Never pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scalefit import laws
from scalefit.core import objective as objectives
from scalefit.core.data import Data
from scalefit.core.law import Law
from scalefit.core.objective import Objective
from scalefit.core.solve import Ends
from scalefit.fits.draws import Draws
from scalefit.fits.model_error import ModelError
from scalefit.fits.noise import Posterior

if TYPE_CHECKING:
    from scalefit.fits.fit import Fit

__all__ = ["FORMAT", "from_json", "load", "to_json"]

FORMAT = 2


def to_json(fit: Fit) -> dict[str, Any]:
    """Everything needed to rebuild the fit, as plain numbers, strings, lists and dicts."""
    return {
        "format": FORMAT,
        "versions": {name: version(name) for name in ("scalefit-jax", "jax", "numpy")},
        "law": {"name": fit.law.name, "recipe": fit.law.recipe, "inputs": fit.law.inputs, "coefs": fit.law.names,
                "formula": fit.law.formula},
        "objective": _objective(fit.objective),
        "coefs": dict(fit.coefs),
        "value": fit.value,
        "covariance": _plain(fit.covariance),
        "status": asdict(fit.status),
        "warnings": [asdict(caution) for caution in fit.warnings],
        "ends": {name: _plain(part) for name, part in fit.ends._asdict().items()},
        "columns": dict(fit.columns),
        "notes": fit.notes,
        "key": fit.key,
        "basis": fit.basis,
        "counting": fit.counting,
        "model_error": None if fit.model_error is None else asdict(fit.model_error),
        "draws": None if fit.draws is None else _draws(fit.draws),
        "data": {
            "hash": fit.data.hash(),
            "x": {name: column.tolist() for name, column in fit.data.x.items()},
            "y": _plain(fit.data.y),
            "weight": fit.data.weight.tolist(),
            "group": None if fit.data.group is None else _labels(fit.data.group),
        },
    }  # fmt: skip


def load(path: str | Path, law: Law | None = None) -> Fit:
    """A fit written by `fit.save`. Fits of a law of one's own need that law: `sf.load(path, law=mine)`."""
    return from_json(json.loads(Path(path).read_text()), law)


def from_json(saved: Mapping[str, Any], law: Law | None = None) -> Fit:
    """Rebuild a fit; ValueError where the file is from a newer format or its data do not match their hash."""
    from scalefit.fits.fit import Caution, Fit, Status

    if saved.get("format") != FORMAT:
        raise ValueError(f"this file has format {saved.get('format')!r}, this version reads {FORMAT}")
    law = law or _law(saved["law"])
    if tuple(saved["law"]["coefs"]) != law.names or tuple(saved["law"]["inputs"]) != law.inputs:
        raise ValueError(f"the file holds a fit of {saved['law']['name']!r} with coefficients "
                         f"{', '.join(saved['law']['coefs'])}; the law given has {', '.join(law.names)}")  # fmt: skip
    kept = saved["data"]
    data = Data({k: np.array(v, float) for k, v in kept["x"].items()}, np.array(kept["y"], float),
                np.array(kept["weight"], float), None if kept["group"] is None else np.array(kept["group"]))  # fmt: skip
    if data.hash() != kept["hash"]:
        raise ValueError("the data in this file do not match their fingerprint: it was edited or damaged")
    status = {**saved["status"], "cautions": tuple(saved["status"]["cautions"])}
    return Fit(
        law=law, coefs=dict(saved["coefs"]), data=data, objective=_read_objective(saved["objective"]),
        value=saved["value"], status=Status(**status), warnings=tuple(Caution(**c) for c in saved["warnings"]),
        covariance=np.array(saved["covariance"], float),
        ends=Ends(**{k: _array(k, v) for k, v in saved["ends"].items()}),
        draws=None if saved["draws"] is None else _read_draws(saved["draws"]), columns=saved["columns"],
        notes=tuple(saved["notes"]), key=saved["key"], basis=saved["basis"],
        model_error=_read_model_error(saved["model_error"]), counting=saved.get("counting"),
    )  # fmt: skip


def _read_model_error(saved: Mapping[str, Any] | None) -> ModelError | None:
    return None if saved is None else ModelError(saved["tau"], saved["by"], tuple(saved["cuts"]))


def _draws(draws: Draws) -> dict[str, Any]:
    kept: dict[str, Any] = {"method": draws.method, "key": draws.key, "u": _plain(draws.u), "failed": draws.failed.tolist(),
                            "influence": _plain(draws.influence)}  # fmt: skip
    if isinstance(draws, Posterior):
        kept["noise"] = {name: _plain(values) for name, values in draws.noise.items()}
        for name in ("r_hat", "size"):
            values = getattr(draws, name)
            kept[name] = dict(zip(values, _plain(np.array(list(values.values()), float)), strict=True))
        kept["spans"] = draws.spans
    return kept


def _read_draws(saved: Mapping[str, Any]) -> Draws:
    u, influence = (np.array(saved[name], float) for name in ("u", "influence"))
    plain = (u, np.array(saved["failed"], bool), influence, saved["method"], saved["key"])
    if "noise" not in saved:
        return Draws(*plain)
    r_hat, size = ({name: float(v) for name, v in saved[part].items()} for part in ("r_hat", "size"))
    noise = {name: np.array(values, float) for name, values in saved["noise"].items()}
    spans = {name: (float(lo), float(mean), float(hi)) for name, (lo, mean, hi) in saved["spans"].items()}
    return Posterior(*plain, noise, r_hat, size, spans)


def _labels(group: np.ndarray) -> list:
    """Labels as they are where JSON has them, as words otherwise."""
    values = group.tolist()
    return values if all(isinstance(v, str | int | float) for v in values) else [str(v) for v in values]


def _plain(array: np.ndarray) -> list:
    """Nested lists in which infinities and NaN are words, which strict JSON can hold and numpy reads back."""
    array = np.asarray(array)
    if array.dtype.kind != "f":
        return array.tolist()
    return (
        [_plain(row) for row in array]
        if array.ndim > 1
        else [v if np.isfinite(v) else str(v) for v in array.tolist()]
    )


def _array(name: str, values: list) -> np.ndarray:
    return np.array(values, {"evaluations": int, "converged": bool}.get(name, float))


def _objective(objective: Objective) -> dict[str, Any]:
    kind, _, share = objective.name.rstrip("]").partition("[")
    arguments: dict[str, Any] = {"space": objective.space}
    if 0 < objective.width < np.inf:
        arguments["delta"] = objective.width
    if share:
        arguments["share"] = float(share)
    return {"kind": kind, **arguments}


def _read_objective(saved: Mapping[str, Any]) -> Objective:
    return getattr(objectives, saved["kind"])(**{k: v for k, v in saved.items() if k != "kind"})


def _law(saved: Mapping[str, Any]) -> Law:
    """A law from its recipe: a registered name, then the algebra done to it."""
    if saved["recipe"] is None:
        raise ValueError(f"{saved['name']!r} is a law of your own: load with sf.load(path, law=...)")
    return _cook(saved["recipe"])


def _cook(recipe: Any) -> Law:
    if isinstance(recipe, str):
        return laws.get(recipe)
    verb, *arguments = recipe
    if verb == "add":
        left, right = map(_cook, arguments)
        return left + right
    if verb == "then":
        return _cook(arguments[0]).then(_cook(arguments[1]), arguments[2])
    law, options = _cook(arguments[0]), arguments[1]
    if verb == "shared":
        names, by, labels = options
        return law.shared(*names, by=by).labelled(tuple(labels))
    if verb == "bound":
        return law.bound(**{name: tuple(limits) for name, limits in options.items()})
    return getattr(law, verb)(**options)
