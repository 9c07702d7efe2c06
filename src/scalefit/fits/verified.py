"""Whether a saved fit is what was saved: its seal, its shapes, the objective that its law and data give."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from scalefit.arguments import number
from scalefit.core.compose import Substituted
from scalefit.core.objective import Objective
from scalefit.fits.record import Record
from scalefit.fits.status import SEVERITIES, verdict

__all__ = ["check_record", "check_seal", "sealed"]

# The objective is worked out anew when a fit is read: by another machine, or another version of JAX, it may
# differ by this share, and by what residuals of the second size would give where there are none.
SHARE, ROUNDING = 1e-6, 1e-9
EDITED = "it was edited or damaged"


def sealed(saved: Mapping[str, Any]) -> dict[str, Any]:
    """The same with a fingerprint of all of it."""
    return {**saved, "seal": _seal(saved)}


def check_seal(saved: Mapping[str, Any]) -> None:
    """ValueError unless the fingerprint is that of the rest."""
    if saved.get("seal") != _seal({name: part for name, part in saved.items() if name != "seal"}):
        raise ValueError(f"its fingerprint does not match what it holds: {EDITED}")


def _seal(saved: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(saved, sort_keys=True).encode()).hexdigest()[:16]


def check_record(record: Record, formula: str) -> None:
    """ValueError unless the parts fit together, and law, coefficients and data give the objective stated.

    formula: the law's, as it was saved.
    """
    _check_coefs(record)
    _check_shapes(record)
    _check_words(record)
    _check_value(record, formula)


def _check_coefs(record: Record) -> None:
    law, coefs = record.law, record.coefs
    # Ends that the fit held stand beside what it found.
    held = dict(law.fn.to) if isinstance(law.fn, Substituted) else {}
    known = {name: coefs.get(name) for name in law.names}
    if dict(coefs) != known | {name: value for name, value in held.items() if name in coefs}:
        raise ValueError(f"it gives {', '.join(coefs)} for the coefficients {', '.join(law.names)}")
    for coef in law.coefs:
        value = number(coefs[coef.name])
        if value is None or not coef.support.lo <= value <= coef.support.hi:
            raise ValueError(f"it gives {coefs[coef.name]!r} for {coef.name}, which must be {coef.support}")


def _check_shapes(record: Record) -> None:
    n, p, data, ends = len(record.data.y), len(record.law.coefs), record.data, record.ends
    starts = len(ends.u)
    wanted = {
        **{f"the input {name}": (column, (n,)) for name, column in data.x.items()},
        "the output": (data.y, (n,)),
        "the weights": (data.weight, (n,)),
        "the group labels": (np.zeros(n) if data.group is None else data.group, (n,)),
        "the covariance": (record.covariance, (p, p)),
        "the ends' coordinates": (ends.u, (starts, p)),
        **{f"the ends' {name}": (part, (starts,)) for name, part in ends._asdict().items() if name != "u"},
    }
    if record.draws is not None:
        k, units = len(record.draws.u), len(record.draws.influence)
        wanted |= {
            "the draws": (record.draws.u, (k, p)),
            "the draws' failures": (record.draws.failed, (k,)),
            "the draws' influence": (record.draws.influence, (units, p)),
        }
    for what, (part, shape) in wanted.items():
        if part.shape != shape:
            raise ValueError(f"{what} should be of shape {shape} but are of {part.shape}: {EDITED}")
    if set(data.x) != set(record.law.inputs):
        raise ValueError(f"it gives {', '.join(data.x)} for the inputs {', '.join(record.law.inputs)}")
    if n == 0 or not np.all(data.weight >= 0) or not np.any(data.weight):
        raise ValueError(f"it holds no row that counts: {EDITED}")
    spread = np.diag(record.covariance)
    if not np.all(spread >= 0):
        raise ValueError(f"a variance in it is negative or no number: {EDITED}")


def _check_words(record: Record) -> None:
    status = record.status
    known = all(caution.severity in SEVERITIES for caution in record.warnings)
    if not known or status.trust != verdict(record.warnings)[0] or not 0 <= status.n_agree <= status.n_starts:
        raise ValueError(f"its status is not the one that its warnings and starts give: {EDITED}")
    texts = (record.basis, *record.notes, *record.columns, *record.columns.values())
    if not all(isinstance(text, str) for text in texts) or not isinstance(record.key, int):
        raise ValueError(f"a name, note or key in it is of another kind: {EDITED}")


def _check_value(record: Record, formula: str) -> None:
    rows, objective = record.data.counted, record.objective
    weight, y = record.data.weight[rows], record.data.y[rows]
    with np.errstate(all="ignore"):
        value = float(np.sum(weight * _cost(objective, record.residuals()[rows])))
        size = ROUNDING * (1.0 if record.log else float(np.median(np.abs(y))))
        allowed = SHARE * abs(value) + float(np.sum(weight)) * float(_cost(objective, np.array(size)))
    stated = number(record.value)
    if stated is None or not (abs(value - stated) <= allowed or (np.isnan(value) and np.isnan(stated))):
        raise ValueError(
            f"its law gives the objective {value:.9g} at these coefficients and data, not {record.value!r} "
            f"as stated: the law is not the one that was fitted, or {EDITED}"
        )
    if record.law.recipe is None and record.law.formula != formula:
        raise ValueError(
            f"the law given is {record.law.formula}, the one that was fitted {formula}: fit the runs anew"
        )


def _cost(objective: Objective, residual: np.ndarray) -> np.ndarray:
    if objective.width == 0:
        return np.abs(residual)
    return np.asarray(objective.rho(residual, min(objective.width, 1e100)))
