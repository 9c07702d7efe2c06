"""Laws of whole curves in two halves: what depends on the rows alone, and what coefficients do with it.

A schedule's sums and where its rate fell are the same at every step of a descent. The law's function is
traced with its rows as numpy arrays, so that numpy works these out while the function runs; what is traced is
the other half alone, a few operations on what came out, the *features*. That half is a law like any other,
whose inputs are the features: it is compiled in a tenth of the time, or left to numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import jax
import numpy as np

from scalefit.core.coef import Input
from scalefit.core.compose import Late
from scalefit.core.formula import stage
from scalefit.core.law import Law
from scalefit.core.numeric import operations
from scalefit.core.settings import precise

__all__ = ["halved"]


def halved(law: Law, x: Sequence[np.ndarray]) -> tuple[Law, tuple[np.ndarray, ...]] | None:
    """(the second half of a law of whole curves, the features of these columns (G, n), each (G, ...));
    None where the law does not come apart, or not alike for all groups."""
    if not law.whole:
        return None
    each: list[tuple[Law, list[np.ndarray]]] = []
    for group in range(len(x[0])):
        one = _halved(law, *(_Column.of(column[group]) for column in x))
        if one is None or (each and one[0] != each[0][0]):
            return None
        each.append(one)
    return each[0][0], tuple(map(np.stack, zip(*(features for _, features in each), strict=True)))


@dataclass(frozen=True)
class _Column:
    """A column of rows, known by what it holds."""

    content: bytes
    values: np.ndarray = field(compare=False)

    @classmethod
    def of(cls, values: np.ndarray) -> _Column:
        values = np.ascontiguousarray(values, float)
        return cls(values.tobytes(), values)


# A table and the same padded; features of long curves are large.
@lru_cache(maxsize=2)
def _halved(law: Law, *columns: _Column) -> tuple[Law, list[np.ndarray]] | None:
    one = jax.ShapeDtypeStruct((), np.dtype(float))
    some = [one] * len(law.names)

    def of_coefs(*values: Any) -> Any:
        return law.fn(*(column.values for column in columns), **dict(zip(law.names, values, strict=True)))

    with precise():
        try:
            traced = jax.make_jaxpr(of_coefs)(*some)
            known = [np.asarray(value) for value in traced.consts]
            like = tuple(jax.ShapeDtypeStruct(value.shape, value.dtype) for value in known)

            def again(*values: Any, **coefs: Any) -> Any:
                return jax.core.eval_jaxpr(traced.jaxpr, values, *coefs.values())[0]

            # What of the rest depends on the rows alone, such as logarithms under a power.
            prepare, predict = stage(again, like, law.names)
            early = jax.make_jaxpr(prepare)(*like)
            late = jax.make_jaxpr(predict)(*early.out_avals, *some)
        except Exception:  # whatever a function does that cannot be taken apart
            return None
    worked = operations(early, len(like), [], every=True, arrays=True)
    told = operations(late, len(early.out_avals) + len(some), [], arrays=True)
    if worked is None or told is None or not early.out_avals:
        return None
    shapes = tuple(jax.ShapeDtypeStruct(out.shape, out.dtype) for out in early.out_avals)
    features = [np.array(np.broadcast_to(v, s.shape)) for v, s in zip(worked(*known), shapes, strict=True)]
    inputs = {f"feature{k}": Input("", allowed="a curve") for k in range(len(features))}
    fn = Late(told.told, shapes, predict)
    return replace(law, fn=fn, inputs=inputs, published={}, checks=(), eased=None), features
