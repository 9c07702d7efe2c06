"""A law: a pure function and the declaration of its coefficients; and the algebra of laws.

`N` is a parameter (of a network); the numbers a fit looks for are *coefficients*, hence `Coef`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

import jax
import numpy as np

from scalefit.core.formula import latex
from scalefit.core.support import REAL, Support, interval

__all__ = ["Coef", "Law", "law"]

# Values a coefficient of a user's law is searched over when nothing else is said: signs and magnitudes
# between 1e-4 and 1e3 for a real one, the same magnitudes for a positive one.
_MAGNITUDES = tuple(10.0**k for k in range(-4, 4))


@dataclass(frozen=True)
class Coef:
    """One coefficient, in natural units.

    start: values between which fits begin, smallest first, in multiples of `unit` (only needed where the
        coefficient does not enter linearly: those that do are solved for).
    unit: the size one would expect, from the typical inputs, the typical output `y` and other coefficients,
        named as arguments: `lambda y, N, alpha: y * N**alpha`. It makes starts independent of units.
    typical: a plausible range; feeds random tests, axis ranges and the "implausible" warning.
    """

    name: str
    support: Support = REAL
    start: tuple[float, ...] = field(default=(), compare=False)
    typical: tuple[float, float] = field(default=(0.1, 10.0), compare=False)
    meaning: str = field(default="", compare=False)
    unit: Callable[..., Any] | None = field(default=None, compare=False)

    @property
    def starts(self) -> tuple[float, ...]:
        """`start`, or magnitudes between 1e-4 and 1e3 that lie in the support."""
        if self.start:
            return self.start
        if self.support.lo > -np.inf and self.support.hi < np.inf:
            return tuple(self.support.lo + (self.support.hi - self.support.lo) * q for q in (0.05, 0.5, 0.95))
        signed = (*(-m for m in reversed(_MAGNITUDES)), *_MAGNITUDES)
        return tuple(value for value in signed if value in self.support)


@dataclass(frozen=True, repr=False)
class Law:
    """A pure function `fn(*inputs, **coefs)` in natural units, and what is known about it.

    Compared and hashed by structure (function, inputs, coefficients and supports), so that a law rebuilt
    the same way reuses what was compiled for it. `predicts` names the output (loss, error, count, ...).
    `published` maps a label to coefficients; `checks` are (label, inputs, value worked outside this library).
    """

    name: str = field(compare=False)
    fn: Callable[..., Any]
    inputs: tuple[str, ...]
    coefs: tuple[Coef, ...]
    source: str = field(default="", compare=False)
    published: Mapping[str, Mapping[str, float]] = field(default_factory=dict, compare=False)
    checks: tuple = field(default=(), compare=False)
    predicts: str = field(default="loss", compare=False)
    units: Mapping[str, str] = field(default_factory=dict, compare=False)
    # Whether inputs must be positive, as counts are; checked at the border.
    positive_inputs: bool = field(default=True, compare=False)
    # How a catalogue law was made into this one, as nested (verb, law, options); None for a law of one's own.
    recipe: Any = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        inputs, coefs = _signature(self.fn)
        if inputs is not None and (inputs != self.inputs or set(coefs) != set(self.names)):
            raise TypeError(
                f"law {self.name!r} declares inputs {self.inputs} and coefficients {self.names}, "
                f"but its function takes {inputs} and, keyword-only, {coefs}"
            )
        for label in self.published:
            if set(self.published[label]) != set(self.names):
                raise TypeError(f"law {self.name!r}: published set {label!r} must name exactly {self.names}")
        object.__setattr__(self, "published", MappingProxyType(dict(self.published)))

    @property
    def names(self) -> tuple[str, ...]:
        """The coefficients' names, in order."""
        return tuple(coef.name for coef in self.coefs)

    @cached_property
    def formula(self) -> str:
        """The law as LaTeX, read off the function itself."""
        return latex(self.fn, self.inputs, self.names)

    def __call__(self, coefs: Mapping[str, Any], x: Mapping[str, Any]):
        """Predictions in natural units; arrays broadcast. Works under jit, vmap and grad.

        Numbers and numpy arrays come back as float64 numpy, whatever JAX's own precision setting.
        """
        values = tuple(x[name] for name in self.inputs)
        named = {name: coefs[name] for name in self.names}
        if any(isinstance(leaf, jax.Array) for leaf in (*values, *named.values())):
            return self.fn(*values, **named)
        with jax.enable_x64(True):
            out = self.fn(*map(_wide, values), **{name: _wide(value) for name, value in named.items()})
            return np.asarray(out) if isinstance(out, jax.Array) else out

    def fix(self, **values: float) -> Law:
        """The same law with these coefficients held at given values."""
        self._require(values)
        for coef in self.coefs:
            if coef.name in values and not (
                _is_real(values[coef.name]) and values[coef.name] in coef.support
            ):
                raise ValueError(
                    f"fix: {coef.name} = {values[coef.name]!r} is not a number in its support, {coef.support}"
                )
        return self._substitute("fix", {name: float(value) for name, value in values.items()})

    def tie(self, **names: str) -> Law:
        """`law.tie(beta="alpha")`: beta is replaced by alpha."""
        self._require((*names, *names.values()))
        if set(names) & set(names.values()):
            raise ValueError("a tie must point at a coefficient that is itself free")
        return self._substitute("tie", names)

    def rename(self, **names: str) -> Law:
        """`law.rename(alpha="a", N="n_params")`: new names for coefficients or inputs."""
        self._require(names, self.names + self.inputs)
        after = [names.get(name, name) for name in self.inputs + self.names]
        if len(set(after)) < len(after):
            raise ValueError(f"renaming would give two things one name: {', '.join(after)}; use tie to tie")
        return self._substitute("rename", names)

    def bound(self, **limits: tuple[float, float]) -> Law:
        """`law.bound(alpha=(0, 1))`: the coefficient stays inside the open interval."""
        self._require(limits)
        coefs = (
            replace(c, support=interval(*limits[c.name]), start=_inside(c, *limits[c.name]))
            if c.name in limits
            else c
            for c in self.coefs
        )
        return replace(self, coefs=tuple(coefs), recipe=self._recipe("bound", limits))

    def __add__(self, other: Law) -> Law:
        """The sum of two laws; a name used in both is one coefficient (or one input)."""
        if not isinstance(other, Law):
            return NotImplemented
        mine = {c.name: c for c in self.coefs}
        for c in other.coefs:
            if mine.setdefault(c.name, c) != c:
                raise ValueError(
                    f"{c.name!r} is declared differently in {self.name!r} and {other.name!r}; rename one"
                )
        inputs = tuple(dict.fromkeys(self.inputs + other.inputs))
        units = {**self.units, **other.units}
        name, source = f"{self.name} + {other.name}", "; ".join(filter(None, (self.source, other.source)))
        recipe = ("add", self.recipe, other.recipe) if self.recipe and other.recipe else None
        coefs = tuple(mine.values())
        return Law(name, _Sum(self, other, inputs), inputs, coefs, source, units=units, recipe=recipe,
                   positive_inputs=self.positive_inputs and other.positive_inputs)  # fmt: skip

    def __repr__(self) -> str:
        coefs = ", ".join(f"{c.name} {c.support}" for c in self.coefs)
        return f"Law({self.name!r}: {self.formula}; inputs {', '.join(self.inputs)}; coefficients {coefs})"

    def _require(self, names, known: tuple[str, ...] | None = None) -> None:
        known = known or self.names
        for name in names:
            if name not in known:
                raise ValueError(f"law {self.name!r} has no {name!r}; it has {', '.join(known)}")

    def _recipe(self, verb: str, options: Mapping[str, Any]) -> Any:
        return (verb, self.recipe, dict(options)) if self.recipe else None

    def _substitute(self, verb: str, to: Mapping[str, Any]) -> Law:
        fn = _Substituted(self, tuple(sorted(to.items())))
        inputs = tuple(str(to.get(name, name)) for name in self.inputs)
        coefs = {}
        for coef in self.coefs:
            name = to.get(coef.name, coef.name)
            if isinstance(name, str) and (name not in coefs or name == coef.name):
                coefs[name] = replace(coef, name=name, unit=_renamed_unit(coef.unit, to))
        published = {
            label: {str(to.get(k, k)): v for k, v in values.items() if isinstance(to.get(k, k), str)}
            for label, values in self.published.items()
            if all(_agrees(values, k, new) for k, new in to.items() if k in values)
        }
        units = {str(to.get(k, k)): unit for k, unit in self.units.items()}
        return replace(
            self, fn=fn, inputs=inputs, coefs=tuple(coefs.values()), published=published, checks=(), units=units,
            recipe=self._recipe(verb, to),
        )  # fmt: skip


def law(fn: Callable[..., Any], name: str | None = None, *, coefs: Mapping[str, Coef] | None = None,
        positive: tuple[str, ...] | str = (), predicts: str = "loss", source: str = "") -> Law:  # fmt: skip
    """A law of one's own from a function: inputs positional, coefficients keyword-only.

        def saturating(N, *, E, A, alpha): return E + A / (1 + N / 1e6) ** alpha
        mine = sf.law(saturating, positive=("E", "A", "alpha"))

    Coefficients are real unless listed in `positive` (or `positive="all"`) or declared in `coefs`, a mapping
    name -> Coef. Write the formula with operators or `jax.numpy`, so that it can be differentiated.
    """
    inputs, names = _signature(fn)
    if inputs is None or not inputs or not names:
        raise TypeError(
            "a law's function takes its inputs positionally and its coefficients keyword-only: f(N, *, E, A)"
        )
    chosen = names if positive == "all" else ((positive,) if isinstance(positive, str) else positive)
    given = dict(coefs or {})
    for unknown in (*chosen, *given):
        if unknown not in names:
            raise ValueError(f"{unknown!r} is not a coefficient of this function; it has {', '.join(names)}")
    declared = tuple(given.get(n) or Coef(n, interval(0, np.inf) if n in chosen else REAL) for n in names)
    name = str(name or getattr(fn, "__name__", "law"))
    return Law(name, fn, inputs, declared, source, predicts=predicts, positive_inputs=False)


@dataclass(frozen=True)
class _Sum:
    left: Law
    right: Law
    inputs: tuple[str, ...]

    def __call__(self, *values, **coefs):
        x = dict(zip(self.inputs, values, strict=True))
        return self.left(coefs, x) + self.right(coefs, x)


@dataclass(frozen=True)
class _Substituted:
    """A law whose inputs and coefficients are looked up under other names, or held at a value."""

    law: Law
    to: tuple[tuple[str, str | float], ...]

    def __call__(self, *values, **coefs):
        to = dict(self.to)
        held = {name: to.get(name, name) for name in self.law.names}
        natural = {k: coefs[v] if isinstance(v, str) else v for k, v in held.items()}
        return self.law.fn(*values, **natural)


def _signature(fn) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """(inputs, coefficients) of a plain function; (None, ()) for a composed one."""
    if isinstance(fn, (_Sum, _Substituted)):
        return None, ()
    parameters = inspect.signature(fn).parameters.values()
    if any(p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in parameters):
        return None, ()
    inputs = tuple(p.name for p in parameters if p.kind is not p.KEYWORD_ONLY)
    return inputs, tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)


def _is_real(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and bool(np.isfinite(value))


def _wide(value):
    """Numbers and integer or narrow arrays as float64; wider floats (long double) are left alone."""
    value = np.asarray(value)
    return value if value.dtype.kind == "f" and value.dtype.itemsize >= 8 else value.astype(float)


def _agrees(values: Mapping[str, float], name: str, new: str | float) -> bool:
    """Whether a published set survives a substitution: always a renaming, otherwise only an equal value."""
    other = values.get(new) if isinstance(new, str) else new
    return other is None or other == values[name]


def _inside(coef: Coef, lo: float, hi: float) -> tuple[float, ...]:
    if coef.unit is not None:
        return coef.start
    return tuple(value for value in coef.starts if lo < value < hi)


def _renamed_unit(unit, to):
    """The unit under the new names: arguments that were renamed, tied or fixed are looked up again."""
    if unit is None:
        return None
    names = tuple(inspect.signature(unit).parameters)
    found = tuple(to.get(name, name) for name in names)
    return unit if found == names else _RenamedUnit(unit, names, found)


@dataclass(frozen=True)
class _RenamedUnit:
    unit: Callable[..., Any]
    names: tuple[str, ...]
    found: tuple[str | float, ...]

    @property
    def __signature__(self) -> inspect.Signature:
        free = dict.fromkeys(name for name in self.found if isinstance(name, str))
        return inspect.Signature([inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY) for n in free])

    def __call__(self, **typical):
        values = (typical[v] if isinstance(v, str) else v for v in self.found)
        return self.unit(**dict(zip(self.names, values, strict=True)))
