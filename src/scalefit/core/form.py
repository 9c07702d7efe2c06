"""What a law shares with its relatives: the form under every fix, tie and renaming.

`chinchilla`, `chinchilla.fix(alpha=0.34)`, `chinchilla.fix(alpha=0.35)`, `chinchilla.tie(beta="alpha")` and
`chinchilla.rename(N="x")` are one form with different values held, so that what is traced or compiled for one
serves all. A held coefficient is a coordinate that does not move, tied ones are coordinates that move
together.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from scalefit.core.compose import Substituted
from scalefit.core.law import Law

__all__ = ["Form", "form"]


class Form(NamedTuple):
    """The law under all substitutions; for each of its coefficients the place among the free ones,
    or -1 and its value."""

    law: Law
    place: tuple[int, ...]
    held: tuple[float, ...]

    @property
    def free(self) -> bool:
        """Whether nothing is held or tied, and the coordinates are the law's own."""
        return self.place == tuple(range(len(self.place)))

    @property
    def tied(self) -> bool:
        """Whether some coefficients are one."""
        moving = [k for k in self.place if k >= 0]
        return len(set(moving)) < len(moving)

    def coordinates(self, u: np.ndarray) -> np.ndarray:
        """Coordinates of the free coefficients (..., p) as coordinates of all of them."""
        if self.free:
            return u
        columns = [
            np.broadcast_to(c.support.to_real(value), u.shape[:-1]) if k < 0 else u[..., k]
            for c, k, value in zip(self.law.coefs, self.place, self.held, strict=True)
        ]
        return np.stack(columns, axis=-1)

    def values(self, natural: Any) -> list[Any]:
        """Free coefficients in natural units, one entry each, as all of them."""
        return [value if k < 0 else natural[k] for k, value in zip(self.place, self.held, strict=True)]

    def along(self) -> np.ndarray:
        """(all, all): column k is how all coordinates move with the k-th,
        where that one speaks for a free coefficient."""
        first = [self.place.index(k) if k >= 0 else -1 for k in self.place]
        return np.array([[float(f == column) for column in range(len(first))] for f in first])

    def own(self) -> list[int]:
        """For each free coefficient the coordinate that speaks for it."""
        return [self.place.index(k) for k in range(max(self.place, default=-1) + 1)]


@lru_cache(maxsize=512)
def form(law: Law) -> Form:
    """The form of a law; of one that holds and ties nothing, the law itself."""
    inner: Law = law
    to: dict[str, str | float] = {name: name for name in law.names}
    while isinstance(inner.fn, Substituted):
        under = dict(inner.fn.to)
        inner = inner.fn.law
        now = {name: under.get(name, name) for name in inner.names}
        to = {name: to[new] if isinstance(new, str) else new for name, new in now.items()}
    free = {coef.name: (k, coef) for k, coef in enumerate(law.coefs)}
    coefs, place, held = [], [], []
    for coef in inner.coefs:
        new: Any = to[coef.name]
        k, support = (free[new][0], free[new][1].support) if isinstance(new, str) else (-1, coef.support)
        coefs.append(replace(coef, support=support))
        place.append(k)
        held.append(np.nan if k >= 0 else float(new))
    if not all(
        k >= 0 or np.isfinite(c.support.to_real(v)) for c, k, v in zip(coefs, place, held, strict=True)
    ):
        return Form(law, tuple(range(len(law.coefs))), (np.nan,) * len(law.coefs))
    same = inner is law or tuple(coefs) == inner.coefs
    return Form(
        inner if same else replace(inner, coefs=tuple(coefs), published={}, checks=()),
        tuple(place),
        tuple(held),
    )
