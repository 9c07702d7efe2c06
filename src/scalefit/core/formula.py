"""Reading a law's function: its LaTeX, its linear coefficients, and what of it depends on the data alone.

All three walk the function's jaxpr (JAX's list of elementary operations), so none can drift from the code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import wraps
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Literal

__all__ = ["Staged", "block", "latex", "linear_coefs", "stage", "symbol"]

GREEK = {
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "eta",
    "kappa",
    "lambda",
    "mu",
    "nu",
    "omega",
    "phi",
    "rho",
    "sigma",
    "tau",
    "theta",
    "xi",
    "zeta",
}
# Operations that move or relabel numbers without changing them: the value is their first operand's.
SAME = {
    "broadcast_in_dim",
    "convert_element_type",
    "copy",
    "reshape",
    "squeeze",
    "expand_dims",
    "stop_gradient",
}
UNARY = {
    "log": r"\log",
    "tanh": r"\tanh",
    "sin": r"\sin",
    "cos": r"\cos",
    "atan": r"\arctan",
    "logistic": r"\sigma",
    "max": r"\max",
    "min": r"\min",
}
# How the named parts of formulas print; filled by `block` while their modules load.
BLOCKS: dict[str, str] = {}
SUM, NEGATED, PRODUCT, POWER, ATOM = range(5)


def linear_coefs(
    fn: Callable[..., Any], inputs: Sequence[str], names: Sequence[str], place: Sequence[int] | None = None
) -> tuple[int, ...]:
    """The coefficients in which `fn` is jointly affine once all others are fixed, in order, as numbers 0,
    1, ...

    place: which coefficient each name stands for where some are one; -1 for a name that is held.
    """
    jaxpr, place = _trace(fn, inputs, names), range(len(names)) if place is None else place
    found: tuple[int, ...] = ()
    for k in range(max(place, default=-1) + 1):
        degrees = [0] * len(inputs) + [1 if at in (*found, k) else 0 for at in place]
        if _walk(jaxpr, degrees, _degrees, lambda value: 0) == [1]:
            found += (k,)
    return found


def latex(fn: Callable[..., Any], inputs: Sequence[str], names: Sequence[str]) -> str:
    """`fn` as LaTeX, with one function name per operation that has no symbol of its own."""
    leaves = [(symbol(name), ATOM) for name in (*inputs, *names)]
    return _walk(_trace(fn, inputs, names), leaves, _print, _number)[0][0]


class Staged(NamedTuple):
    """A function in two parts: `prepare(*inputs)` once per data set, `predict(*features,
    *coefs)` per step."""

    prepare: Callable[..., Any]
    predict: Callable[..., Any]


def stage(fn: Callable[..., Any], inputs: Sequence[Any], names: Sequence[str]) -> Staged:
    """Split `fn(*inputs, **coefs)` into what depends on the inputs alone and the rest.

    On the way, `x**c` with a fitted exponent becomes exp(c log x): the same number to rounding, eight times
    faster in the compiled loop, and log x moves to the early part.
    """
    kind = np.result_type(*(column.dtype for column in inputs))
    arguments = [*inputs, *(jax.ShapeDtypeStruct((), kind) for _ in names)]
    closed = _traced(fn, len(inputs), names, arguments)
    closed = jax.make_jaxpr(lambda *values: _walk(closed, values, _bind, lambda value: value)[0])(*arguments)
    jaxpr, n = closed.jaxpr, len(inputs)
    known = {*jaxpr.invars[:n], *jaxpr.constvars}
    early: list[Any] = []
    late: list[Any] = []
    for eqn in jaxpr.eqns:
        ready = all(isinstance(atom, Literal) or atom in known for atom in eqn.invars)
        (early if ready else late).append(eqn)
        known |= set(eqn.outvars) if ready else set()
    needed = [atom for eqn in late for atom in eqn.invars] + list(jaxpr.outvars)
    features = [*dict.fromkeys(atom for atom in needed if not isinstance(atom, Literal) and atom in known)]
    begin = dict(zip(jaxpr.constvars, closed.consts, strict=True))

    def prepare(*inputs):
        return tuple(_run(early, begin | dict(zip(jaxpr.invars[:n], inputs, strict=True)), features))

    def predict(*values):
        return _run(late, dict(zip([*features, *jaxpr.invars[n:]], values, strict=True)), jaxpr.outvars)[0]

    return Staged(prepare, predict)


def _bind(eqn, operands):
    """Run one operation; fitted powers in their fast form."""
    if eqn.primitive.name == "pow" and not isinstance(eqn.invars[1], Literal):
        return [_power(*operands)]
    outs = eqn.primitive.bind(*operands, **eqn.primitive.get_bind_params(eqn.params))
    return outs if eqn.primitive.multiple_results else [outs]


def _run(eqns, known, wanted):
    """Run operations in order and read off the wanted values."""

    def read(atom):
        return atom.val if isinstance(atom, Literal) else known[atom]

    for eqn in eqns:
        known |= dict(zip(eqn.outvars, _bind(eqn, [read(atom) for atom in eqn.invars]), strict=True))
    return [read(atom) for atom in wanted]


def _power(base, exponent):
    """base**exponent as a real power: NaN for base < 0.
    The floor on the logarithm keeps 0**c differentiable."""
    return jnp.exp(exponent * jnp.maximum(jnp.log(base), -1e8))


def _flat(fn, n_inputs, names):
    return lambda *values: fn(*values[:n_inputs], **dict(zip(names, values[n_inputs:], strict=True)))


def _trace(fn, inputs, names):
    one = jax.ShapeDtypeStruct((), np.dtype("float32"))
    return _traced(fn, len(inputs), names, [one for _ in (*inputs, *names)])


def _traced(fn, n_inputs, names, arguments):
    try:
        with np.errstate(over="ignore"):  # a coefficient held at what float32 cannot hold
            return jax.make_jaxpr(_flat(fn, n_inputs, names))(*arguments)
    except (jax.errors.TracerArrayConversionError, jax.errors.ConcretizationTypeError) as error:
        raise TypeError(
            "the law's function asks for the numbers in its arguments, as numpy functions, float() and if "
            "do; write it with operators and jax.numpy (jnp.log, jnp.where)"
        ) from error


def _walk(closed, leaves, rule, constant):
    """Interpret a jaxpr: every value becomes what `rule(equation, operands)` makes of it."""
    known = dict(zip(closed.jaxpr.invars, leaves, strict=True))
    known |= {var: constant(value) for var, value in zip(closed.jaxpr.constvars, closed.consts, strict=True)}

    def read(atom):
        return constant(atom.val) if isinstance(atom, Literal) else known[atom]

    for eqn in closed.jaxpr.eqns:
        operands, body = [read(atom) for atom in eqn.invars], _body(eqn)
        named = rule is _print and eqn.params.get("name") in BLOCKS
        outs = _walk(body, operands, rule, constant) if body and not named else rule(eqn, operands)
        known |= dict(zip(eqn.outvars, outs, strict=True))
    return [read(atom) for atom in closed.jaxpr.outvars]


def _body(eqn):
    """The body of a call that only groups operations; None for an operation of its own."""
    return eqn.params["jaxpr"] if eqn.primitive.name in ("jit", "pjit") else None


def _degrees(eqn, degrees):
    return [_degree(eqn.primitive.name, degrees)] * len(eqn.outvars)


def _degree(operation, degrees):
    """Degree of a value in the chosen coefficients: 0, 1, or infinite for anything that is not affine."""
    if not any(degrees):
        return 0
    if operation in SAME or operation in ("neg", "reduce_sum"):
        return degrees[0]
    if operation in ("add", "sub", "add_any"):
        return max(degrees)
    if operation == "mul":
        return sum(degrees) if sum(degrees) <= 1 else np.inf
    if operation == "div" and degrees[1] == 0:
        return degrees[0]
    if operation == "select_n" and degrees[0] == 0:
        return max(degrees)
    return np.inf


def _print(eqn, operands):
    if eqn.params.get("name") in BLOCKS:
        text = BLOCKS[eqn.params["name"]].format(*map(_Argument, operands))
        return [(text, _strength(text))]
    return [_latex(eqn.primitive.name, eqn.params, operands)] * len(eqn.outvars)


def _latex(operation, params, operands):
    """LaTeX of one operation as (text, binding strength of its outermost operator)."""
    text = [_bracket(operand, ATOM) for operand in operands]
    if operation in SAME:
        return operands[0]
    if operation == "add" and operands[1][1] == NEGATED:
        return f"{operands[0][0]} - {operands[1][0][1:]}", SUM
    if operation in ("add", "sub"):
        right = operands[1][0] if operation == "add" else _bracket(operands[1], PRODUCT)
        return f"{operands[0][0]} {'+' if operation == 'add' else '-'} {right}", SUM
    if operation == "mul":
        left, right = _bracket(operands[0], NEGATED), _bracket(operands[1], PRODUCT)
        return f"{left} {right}", min(operands[0][1], PRODUCT)
    if operation == "div" and operands[0][1] == NEGATED:
        return rf"-\frac{{{operands[0][0][1:]}}}{{{operands[1][0]}}}", NEGATED
    if operation == "div":
        return rf"\frac{{{operands[0][0]}}}{{{operands[1][0]}}}", PRODUCT
    if operation == "neg":
        return f"-{_bracket(operands[0], PRODUCT)}", NEGATED
    if operation == "pow":
        return f"{text[0]}^{{{operands[1][0]}}}", POWER
    if operation == "eq":
        return rf"\left[{operands[0][0]} = {operands[1][0]}\right]", ATOM
    if operation == "sqrt":
        return rf"\sqrt{{{operands[0][0]}}}", ATOM
    if operation == "log1p":
        return rf"\log\left(1 + {operands[0][0]}\right)", POWER
    if operation == "expm1":
        return f"e^{{{operands[0][0]}}} - 1", SUM
    if operation == "abs":
        return rf"\left|{operands[0][0]}\right|", ATOM
    if operation == "exp":
        return f"e^{{{operands[0][0]}}}", POWER
    if operation == "integer_pow":
        return f"{text[0]}^{{{params['y']}}}", POWER
    if operation == "square":
        return f"{text[0]}^{{2}}", POWER
    name = UNARY.get(operation, rf"\mathrm{{{operation.replace('_', ' ')}}}")
    return rf"{name}\left({', '.join(operand[0] for operand in operands)}\right)", POWER


def _number(value) -> tuple[str, int]:
    """A constant: 1/3 rather than 0.333333."""
    number = float(np.asarray(value).reshape(-1)[0])
    if not np.isfinite(number):  # a coefficient held at what float32 cannot hold
        return f"{number:g}", ATOM
    near = Fraction(number).limit_denominator(9)
    if near.denominator in (3, 6, 7, 9) and abs(number - near) < 1e-7:
        return f"{near.numerator}/{near.denominator}", PRODUCT
    return f"{number:g}", ATOM


class _Argument:
    """An argument of a block: in brackets unless it is one symbol, or, as {0:plain}, without."""

    def __init__(self, operand: tuple[str, int]):
        self.operand = operand

    def __format__(self, how: str) -> str:
        return self.operand[0] if how == "plain" else _bracket(self.operand, ATOM)


def _strength(text: str) -> int:
    """SUM where a plus or minus stands outside all brackets, PRODUCT otherwise."""
    depth = 0
    for k, letter in enumerate(text):
        depth += (letter in "({") - (letter in ")}")
        if depth == 0 and text[k : k + 3] in (" + ", " - "):
            return SUM
    return PRODUCT


def _bracket(operand: tuple[str, int], least: int) -> str:
    text, strength = operand
    return text if strength >= least else rf"\left({text}\right)"


def symbol(name: str) -> str:
    """A name as LaTeX: alpha_N as \\alpha_{N}, R_D_star as R^{*}_{D}, c0 as c_{0}."""
    name, star, _ = name.partition("_star")
    head, *rest = name.split("_")
    if re.fullmatch(r"[A-Za-z]\d+", head):
        head, rest = head[0], [head[1:], *rest]
    head = {"lam": "lambda", "eps": "epsilon"}.get(head, head)
    base = f"\\{head}" if head in GREEK else head if len(head) == 1 else rf"\mathrm{{{head}}}"
    return base + ("^{*}" if star else "") + (f"_{{{','.join(rest)}}}" if rest else "")


def block(printed: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator for a recurring part of formulas, printed as this LaTeX with {0}, {1}, ... for its arguments
    (in brackets where they need them; {0:plain} never)."""

    def decorate(fn: Callable[..., Any]) -> Callable[..., Any]:
        BLOCKS[fn.__name__] = printed
        traced = jax.jit(fn)

        @wraps(fn)
        def call(*values: Any) -> Any:
            return (traced if any(isinstance(v, jax.Array) for v in values) else fn)(*values)

        return call

    return decorate
