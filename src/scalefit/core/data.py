"""The rows a fit sees: float64 arrays, already checked at the border."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Array", "Data"]

# Numpy outside a compiled function, JAX inside: the same records serve both.
Array = Any


@dataclass(frozen=True, eq=False)
class Data:
    """Runs as arrays: inputs `x` by name, measured `y`, `weight` and, if given, `group` labels; all (n,)."""

    x: Mapping[str, np.ndarray]
    y: np.ndarray
    weight: np.ndarray
    group: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.y)

    def hash(self) -> str:
        """A fingerprint of the numbers, for saved fits."""
        digest = hashlib.sha256()
        for name in sorted(self.x):
            digest.update(name.encode() + np.ascontiguousarray(self.x[name], float).tobytes())
        digest.update(np.ascontiguousarray(self.y, float).tobytes())
        digest.update(np.ascontiguousarray(self.weight, float).tobytes())
        return digest.hexdigest()[:16]
