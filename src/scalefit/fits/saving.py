"""Fits as JSON and back: full precision, the data with their fingerprint, versions. Never pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from scalefit import files, laws
from scalefit.arguments import check_choice, number
from scalefit.core import objective as objectives
from scalefit.core.data import Data
from scalefit.core.law import Law, remade
from scalefit.core.objective import Objective
from scalefit.core.solve import Ends
from scalefit.fits.draws import Draws
from scalefit.fits.model_error import ModelError
from scalefit.fits.noise import Posterior
from scalefit.fits.record import Record
from scalefit.fits.status import Caution, Status
from scalefit.words import short

__all__ = ["FORMAT", "check_format", "fields", "objective_fields", "plain", "to_json", "versions", "write"]

FORMAT = 4
# The verbs that make a catalogue's law into another, and how many of them one after the other.
VERBS = ("add", "bound", "fix", "given", "predicting", "rename", "shared", "sized", "then", "tie")
DEEPEST = 100
KINDS = ("absolute", "asymmetric", "huber", "log_cosh", "square")


def to_json(record: Record) -> dict[str, Any]:
    """Everything needed to rebuild the record, as plain numbers, strings, lists and dicts."""
    return {
        "format": FORMAT,
        "versions": versions(),
        "law": {
            "name": record.law.name,
            "recipe": record.law.recipe,
            "inputs": record.law.inputs,
            "coefs": record.law.names,
            "formula": record.law.formula,
        },
        "objective": objective_fields(record.objective),
        "coefs": dict(record.coefs),
        "value": record.value,
        "covariance": plain(record.covariance),
        "status": asdict(record.status),
        "warnings": [asdict(caution) for caution in record.warnings],
        "ends": {name: plain(part) for name, part in record.ends._asdict().items()},
        "columns": dict(record.columns),
        "notes": record.notes,
        "key": record.key,
        "basis": record.basis,
        "counting": record.counting,
        "model_error": asdict(record.kept["model_error"]) if "model_error" in record.kept else None,
        "draws": None if record.draws is None else _draws(record.draws),
        "data": {
            "hash": record.data.hash(),
            "x": {name: column.tolist() for name, column in record.data.x.items()},
            "y": plain(record.data.y),
            "weight": record.data.weight.tolist(),
            "group": (False if record.data.independent else None)
            if record.data.group is None
            else _labels(record.data.group),
        },
    }


def versions() -> dict[str, str]:
    """The versions of what made the answer."""
    return {name: version(name) for name in ("scalefit-jax", "jax", "numpy")}


def write(path: str | Path, saved: Mapping[str, Any]) -> None:
    """Write JSON; a file that is there is lost only once the new one is whole."""
    files.write(path, json.dumps(saved, indent=1))


def fields(saved: Mapping[str, Any], law: Law | None = None) -> tuple[dict[str, Any], ModelError | None]:
    """The fields of the fit that was saved, and its law's own error where that was learnt.

    ValueError where the file is from another format, or its data do not match their hash; whether the fields
    belong together is for `verified`.
    """
    check_format(saved)
    law = law or _law(saved["law"])
    if tuple(saved["law"]["coefs"]) != law.names or tuple(saved["law"]["inputs"]) != law.inputs:
        raise ValueError(
            f"the file holds a fit of {saved['law']['name']!r} with coefficients "
            f"{short(', '.join(saved['law']['coefs']))}; the law given has {short(', '.join(law.names))}"
        )
    kept = saved["data"]
    data = Data(
        {k: np.array(v, float) for k, v in kept["x"].items()},
        np.array(kept["y"], float),
        np.array(kept["weight"], float),
        np.array(kept["group"]) if kept["group"] else None,
        independent=kept["group"] is False,
    )
    if data.hash() != kept["hash"]:
        raise ValueError("the data in this file do not match their fingerprint: it was edited or damaged")
    status = {**saved["status"], "cautions": tuple(saved["status"]["cautions"])}
    found = {
        "law": law,
        "coefs": dict(saved["coefs"]),
        "data": data,
        "objective": _read_objective(saved["objective"]),
        "value": saved["value"],
        "status": Status(**status),
        "warnings": tuple(Caution(**c) for c in saved["warnings"]),
        "covariance": np.array(saved["covariance"], float),
        "ends": Ends(**{k: _array(k, v) for k, v in saved["ends"].items()}),
        "draws": None if saved["draws"] is None else _read_draws(saved["draws"]),
        "columns": saved["columns"],
        "notes": tuple(saved["notes"]),
        "key": saved["key"],
        "basis": saved["basis"],
        "counting": saved.get("counting"),
    }
    return found, _read_model_error(saved["model_error"])


def check_format(saved: Mapping[str, Any]) -> None:
    """ValueError for a file of another format."""
    if saved.get("format") != FORMAT:
        raise ValueError(f"this file has format {short(saved.get('format'))}, this version reads {FORMAT}")


def _read_model_error(saved: Mapping[str, Any] | None) -> ModelError | None:
    if saved is None:
        return None
    tau, cuts = number(saved["tau"]), [number(cut) for cut in saved["cuts"]]
    if tau is None or not 0 <= tau < np.inf or None in cuts or not isinstance(saved["by"], str):
        raise ValueError("the law's own error in it is no number: it was edited or damaged")
    return ModelError(saved["tau"], saved["by"], tuple(saved["cuts"]))


def _draws(draws: Draws) -> dict[str, Any]:
    kept: dict[str, Any] = {
        "method": draws.method,
        "key": draws.key,
        "u": plain(draws.u),
        "failed": draws.failed.tolist(),
        "influence": plain(draws.influence),
    }
    if isinstance(draws, Posterior):
        kept["noise"] = {name: plain(values) for name, values in draws.noise.items()}
        for name in ("r_hat", "size"):
            values = getattr(draws, name)
            kept[name] = dict(zip(values, plain(np.array(list(values.values()), float)), strict=True))
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


def plain(array: np.ndarray) -> list:
    """Nested lists in which infinities and NaN are words, which strict JSON can hold and numpy reads back."""
    array = np.asarray(array)
    if array.dtype.kind != "f":
        return array.tolist()
    return (
        [plain(row) for row in array]
        if array.ndim > 1
        else [v if np.isfinite(v) else str(v) for v in array.tolist()]
    )


def _array(name: str, values: list) -> np.ndarray:
    return np.array(values, {"evaluations": int, "converged": bool}.get(name, float))


def objective_fields(objective: Objective) -> dict[str, Any]:
    """The objective as its kind and arguments."""
    kind, _, share = objective.name.rstrip("]").partition("[")
    arguments: dict[str, Any] = {"space": objective.space}
    if 0 < objective.width < np.inf:
        arguments["delta"] = objective.width
    if share:
        arguments["share"] = float(share)
    return {"kind": kind, **arguments}


def _read_objective(saved: Mapping[str, Any]) -> Objective:
    check_choice(saved["kind"], "objective", KINDS)
    return getattr(objectives, saved["kind"])(**{k: v for k, v in saved.items() if k != "kind"})


def _law(saved: Mapping[str, Any]) -> Law:
    """A law from its recipe: a registered name, then the algebra done to it."""
    if saved["recipe"] is None:
        raise ValueError(f"{saved['name']!r} is a law of your own: load with sf.load(path, law=...)")
    return _cook(saved["recipe"])


def _cook(recipe: Any, deep: int = 0) -> Law:
    if isinstance(recipe, str):
        return laws.get(recipe)
    if deep > DEEPEST:
        raise ValueError(f"its law is made by more than {DEEPEST} steps")
    if not isinstance(recipe, list) or len(recipe) != 3:
        raise ValueError(f"its law is made by {short(recipe)}, which is no step")
    verb, parts, options = recipe
    check_choice(verb, "a step of its law", VERBS)
    return remade(verb, [_cook(part, deep + 1) for part in parts], options)
