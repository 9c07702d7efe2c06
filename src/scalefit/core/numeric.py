"""A law's function as a list of numpy operations: its value and its slopes, with nothing to compile.

Most laws say how one row follows from that row's inputs by elementary functions. JAX traces and
differentiates such a law once, at scalars; numpy then does the same operations on rows of any number, in
blocks that stay in cache. What is done once per fit (starts, errors, predictions) needs no program of its own
shape then. Laws that look at whole curves, or do anything else than elementary operations, have no such list,
and are compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.extend.core import Literal

from scalefit.core.compiled import telling, told
from scalefit.core.compose import Late
from scalefit.core.evaluate import Problem, multiplied
from scalefit.core.formula import stage
from scalefit.core.law import Law
from scalefit.core.settings import precise

__all__ = ["ROWS", "Operations", "of_law", "of_rho", "operations"]

# Rows per block: some dozen intermediate columns of this many numbers stay in a core's cache.
ROWS = 8192

# Operations by JAX's names for them. A law that does anything else is compiled.
PLAIN: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "add_any": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "exp": np.exp,
    "exp2": np.exp2,
    "log": np.log,
    "log1p": np.log1p,
    "expm1": np.expm1,
    "pow": np.power,
    "sqrt": np.sqrt,
    "cbrt": np.cbrt,
    "square": np.square,
    "abs": np.abs,
    "sign": np.sign,
    "max": np.maximum,
    "min": np.minimum,
    "tanh": np.tanh,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "atan": np.arctan,
    "atan2": np.arctan2,
    "asinh": np.arcsinh,
    "floor": np.floor,
    "ceil": np.ceil,
    "is_finite": np.isfinite,
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "and": np.logical_and,
    "or": np.logical_or,
    "not": np.logical_not,
}
# These hand on their operand; the second ones at scalars only.
SAME = ("copy", "copy_p", "stop_gradient", "reduce_precision")
SHAPED = ("reshape", "broadcast_in_dim", "squeeze", "expand_dims")


class Operations(NamedTuple):
    """Steps (what to do, with which values, which of them are not needed after), and where the outcomes are.

    told: a fingerprint, the same for the same steps in every process.
    """

    steps: tuple[tuple[Callable[..., Any], tuple[int, ...], tuple[int, ...]], ...]
    known: tuple[Any, ...]
    out: tuple[int, ...]
    told: str

    def __call__(self, *arguments: Any) -> list[Any]:
        """The outcomes, for numpy arguments that broadcast against each other."""
        values: list[Any] = [*self.known, *arguments]
        with np.errstate(all="ignore"):
            for do, operands, spent in self.steps:
                values.append(do(*[values[k] for k in operands]))
                for k in spent:
                    values[k] = None
        return [values[k] for k in self.out]

    def single(self) -> Operations:
        """The same in single precision, for such arguments."""
        known = (np.float32(v) if np.asarray(v).dtype == float else v for v in self.known)
        return self._replace(known=tuple(known))


@lru_cache(maxsize=256)
def of_law(
    law: Law, along: tuple[str, ...], many: int = 0, moving: tuple[int | None, ...] = ()
) -> Operations | None:
    """(*inputs, *coefficients) -> the prediction and its derivatives in the coefficients named,
    in natural units; of a second half for `many` values (0) of some coefficients, each a row, if asked.

    None for laws that are not made of elementary operations on single rows. The second half of a law of
    whole curves is one of all its rows at once.
    """
    late = law.fn if isinstance(law.fn, Late) else None
    if law.whole and late is None:
        return None
    with precise():
        one = jax.ShapeDtypeStruct((), np.dtype(float))
        x, c = list(late.like) if late else [one] * len(law.inputs), [one] * len(law.names)
        try:
            prepare, predict = stage(law.fn, x, law.names)

            def both(x, c, t):
                return jax.jvp(lambda *c: multiplied(predict, *prepare(*x), *c), tuple(c), tuple(t))

            if many:
                both = jax.vmap(both, (None, list(moving), None))
                c = [one if axis is None else jax.ShapeDtypeStruct((many,), one.dtype) for axis in moving]
            closed = jax.make_jaxpr(both)(x, c, [one] * len(c))
        except Exception:  # whatever a function that wants whole columns does with scalars
            return None
    slopes = [[name == other for other in law.names] for name in along]
    return operations(closed, len(x) + len(c), slopes, arrays=late is not None)


@lru_cache(maxsize=64)
def of_rho(rho: Callable[..., Any]) -> Operations | None:
    """(residual, width) -> rho and its first two derivatives in the residual."""

    def both(r, width, t):
        def slope(r):
            return jax.jvp(lambda r: rho(r, width), (r,), (t,))[1]

        return (rho(r, width), *jax.jvp(slope, (r,), (t,)))

    with precise():
        one = jax.ShapeDtypeStruct((), np.dtype(float))
        try:
            closed = jax.make_jaxpr(both)(one, one, 1.0)
        except Exception:
            return None
    return operations(closed, 2, [[True]], every=True)


@telling(Law)
def _law_told(law: Law) -> str | None:
    bounds = [(c.support.lo, c.support.hi) for c in law.coefs]
    written = None if isinstance(law.fn, Late) else of_law(law, law.names)
    # A law of the catalogue, or made of those, is what this library's source makes of its recipe.
    what = written.told if written else law.fn.told if isinstance(law.fn, Late) else law.recipe
    return None if what is None else repr((law.inputs, law.names, bounds, what))


@telling(Problem)
def _problem_told(problem: Problem) -> str | None:
    law, rho = told(problem.law), of_rho(problem.rho)
    return None if law is None or rho is None else repr((law, rho.told, problem.space, problem.secant))


class _Unknown(Exception):
    """An operation that numpy is not asked to do."""


class _Writer:
    """Collects steps, each different one once; `ZERO` and `ONE` are the tangents that are known to be so."""

    ZERO, ONE = -1, -2

    def __init__(self, n_arguments: int, arrays: bool):
        self.n_arguments, self.arrays = n_arguments, arrays
        self.known: dict[Any, Any] = {}
        self.steps: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
        self.seen: dict[Any, Any] = {}

    def constant(self, value: Any) -> Any:
        value = np.asarray(value)[()]
        key = ("known", value.dtype.str, value.tobytes())
        self.known.setdefault(key, value)
        return key

    def number(self, place: Any) -> Any:
        """A tangent that is known as an operand of an operation that is not linear in it."""
        return (
            self.constant({self.ZERO: 0.0, self.ONE: 1.0}[place]) if place in (self.ZERO, self.ONE) else place
        )

    def step(self, name: str, do: Callable[..., Any], operands: tuple[Any, ...], params: Any = None) -> Any:
        operands = tuple(map(self.number, operands))
        if all(place in self.known for place in operands):
            with np.errstate(all="ignore"):
                return self.constant(do(*(self.known[place] for place in operands)))
        key = (name, params, operands)
        if key not in self.seen:
            self.seen[key] = ("step", len(self.steps))
            self.steps.append((do, operands))
        return self.seen[key]

    def apply(self, eqn: Any, operands: list[Any]) -> Any:
        name, zero = eqn.primitive.name, self.ZERO
        shape = eqn.outvars[0].aval.shape
        arrays = bool(shape) or any(v.aval.shape for v in eqn.invars)
        if name in SAME or (name in SHAPED and not arrays):
            return operands[0]
        if arrays and (do := _of_arrays(eqn)) is not None:
            if set(operands) == {zero}:
                return zero
            return self.step(name, do, tuple(operands), (repr(eqn.params), str([v.aval for v in eqn.invars])))
        if name == "convert_element_type":
            old, new = eqn.invars[0].aval.dtype, np.dtype(eqn.params["new_dtype"])
            if old == new or operands[0] in (zero, self.ONE):
                return operands[0]
            return self.step(name, lambda value: np.asarray(value).astype(new)[()], tuple(operands), new.str)
        if zero in operands:
            if name in ("add", "add_any"):
                return operands[1] if operands[0] == zero else operands[0]
            if name == "sub" and operands[1] == zero:
                return operands[0]
            if name in ("mul", "neg") or (name == "div" and operands[0] == zero):
                return zero
            if name == "select_n" and set(operands[1:]) == {zero}:
                return zero
        if name == "mul" and self.ONE in operands:
            return operands[1] if operands[0] == self.ONE else operands[0]
        if name == "integer_pow":
            power = eqn.params["y"]
            return self.step(name, lambda value: value**power, tuple(operands), power)
        if name == "rsqrt":
            return self.step(name, lambda value: 1 / np.sqrt(value), tuple(operands))
        if name == "logistic":
            return self.step(name, lambda value: 1 / (1 + np.exp(-value)), tuple(operands))
        if name == "select_n" and len(operands) == 3 and eqn.invars[0].aval.dtype == bool:
            return self.step(name, lambda which, no, yes: np.where(which, yes, no), tuple(operands))
        whole = any(atom.aval.dtype.kind in "iu" for atom in eqn.invars)
        if (
            name not in PLAIN
            or (whole and name in ("div", "pow"))
            or (whole and name in ("and", "or", "not"))
        ):
            raise _Unknown(name)
        return self.step(name, PLAIN[name], tuple(operands))

    def walk(self, closed: Any, places: Sequence[Any]) -> list[Any]:
        known = dict(zip(closed.jaxpr.invars, places, strict=True))
        known |= {v: self.constant(c) for v, c in zip(closed.jaxpr.constvars, closed.consts, strict=True)}

        def read(atom):
            return self.constant(atom.val) if isinstance(atom, Literal) else known[atom]

        for eqn in closed.jaxpr.eqns:
            operands = [read(atom) for atom in eqn.invars]
            body = eqn.params.get("jaxpr") or eqn.params.get("call_jaxpr")
            if body is not None and eqn.primitive.name in ("jit", "pjit", "closed_call", "custom_jvp_call"):
                outs = self.walk(body, operands)
            elif len(eqn.outvars) != 1 or not (
                self.arrays or all(v.aval.shape == () for v in (*eqn.invars, *eqn.outvars))
            ):
                raise _Unknown(eqn.primitive.name)
            else:
                outs = [self.apply(eqn, operands)]
            known |= dict(zip(eqn.outvars, outs, strict=True))
        return [read(atom) for atom in closed.jaxpr.outvars]


def _of_arrays(eqn: Any) -> Callable[..., Any] | None:
    """What numpy does for one of JAX's operations that change shapes; None for any other.

    Values are held in any shape that broadcasts to their own.
    """
    name, given = eqn.primitive.name, eqn.params
    shapes, shape = [v.aval.shape for v in eqn.invars], eqn.outvars[0].aval.shape

    def whole(do: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *values: do(*map(np.broadcast_to, values, shapes))

    if name in ("reshape", "squeeze", "expand_dims"):
        return whole(lambda value: np.reshape(value, shape))
    if name == "broadcast_in_dim":
        at = given["broadcast_dimensions"]
        thin = tuple(shapes[0][at.index(k)] if k in at else 1 for k in range(len(shape)))
        return whole(lambda value: np.reshape(value, thin))
    if name in ("reduce_sum", "reduce_max", "reduce_min"):
        do, axes = getattr(np, name.removeprefix("reduce_")), given["axes"]
        return whole(lambda value: do(value, axis=axes))
    if name == "dot_general" and given["dimension_numbers"] == (((len(shapes[0]) - 1,), (0,)), ((), ())):
        return whole(lambda a, b: np.einsum("...j,j->...", a, b)) if len(shapes[1]) == 1 else None
    if name == "transpose":
        return whole(lambda value: np.transpose(value, given["permutation"]))
    if name == "concatenate":
        return whole(lambda *values: np.concatenate(values, axis=given["dimension"]))
    if name == "slice":
        strides = given["strides"] or (1,) * len(shape)
        part = tuple(map(slice, given["start_indices"], given["limit_indices"], strides))
        return whole(lambda value: value[part])
    if name == "pad" and all(inner == 0 and min(lo, hi) >= 0 for lo, hi, inner in given["padding_config"]):
        widths = [(lo, hi) for lo, hi, _ in given["padding_config"]]
        return lambda value, fill: np.pad(np.broadcast_to(value, shapes[0]), widths, constant_values=fill)
    return None


def operations(
    closed, n_arguments: int, slopes: list[list[bool]], every: bool = False, arrays: bool = False
) -> Operations | None:
    """The jaxpr's first outcome, and its last (all of them for `every`) for each row of tangents.

    arrays: whether values may be other than numbers; they come out in any shape that broadcasts to their own.
    """
    writer = _Writer(n_arguments, arrays)
    arguments = [("argument", k) for k in range(n_arguments)]
    out: list[Any] = []
    try:
        for tangents in slopes or [[False] * (len(closed.jaxpr.invars) - n_arguments)]:
            known = [writer.ONE if t else writer.ZERO for t in tangents]
            value, *rest = writer.walk(closed, [*arguments, *known])
            out = out or [value]
            out += rest if every else rest[-1:] if slopes else []
    except _Unknown:
        return None
    out = [writer.number(place) for place in out]
    told = sha256(repr((n_arguments, list(writer.known), list(writer.seen), out)).encode()).hexdigest()
    where = {place: k for k, place in enumerate(writer.known)}
    where |= {place: len(writer.known) + k for k, place in enumerate(arguments)}
    where |= {("step", k): len(writer.known) + n_arguments + k for k in range(len(writer.steps))}
    kept = {where[place] for place in out} | set(range(len(writer.known) + n_arguments))
    last = {where[place]: k for k, (_, operands) in enumerate(writer.steps) for place in operands}
    spent: list[list[int]] = [[] for _ in writer.steps]
    for place, k in last.items():
        if place not in kept:
            spent[k].append(place)
    steps = tuple(
        (do, tuple(where[place] for place in operands), tuple(dead))
        for (do, operands), dead in zip(writer.steps, spent, strict=True)
    )
    return Operations(steps, tuple(writer.known.values()), tuple(where[place] for place in out), told)
