"""Functions and units of composed laws: sums, links, coefficients held, shared by label or in lists.

Each is a frozen record that is called like a law's function, so that laws rebuilt the same way are equal.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from scalefit.core.maths import exp, log, where

__all__ = [
    "Averaged",
    "Given",
    "Late",
    "Lists",
    "Shared",
    "Substituted",
    "Sum",
    "Then",
    "arguments",
    "numbered",
    "one_of",
    "renamed",
]


class Part(Protocol):
    """What is needed of a law to compose it with others."""

    @property
    def fn(self) -> Callable[..., Any]:
        """The function."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of its inputs, in order."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of its coefficients, in order."""

    @property
    def whole(self) -> bool:
        """Whether it looks at curves as a whole."""

    def __call__(self, coefs: Mapping[str, Any], x: Mapping[str, Any]) -> Any:
        """Its prediction."""


# The kind of law that was composed, which comes back out.
L = TypeVar("L", bound=Part)


@dataclass(frozen=True)
class Sum:
    """The sum of two laws; an input or coefficient that both name is one."""

    left: Part
    right: Part
    inputs: tuple[str, ...]

    def __call__(self, *values, **coefs):
        """The composed law's prediction."""
        x = dict(zip(self.inputs, values, strict=True))
        return self.left(coefs, x) + self.right(coefs, x)


@dataclass(frozen=True)
class Substituted(Generic[L]):
    """A law whose inputs and coefficients are looked up under other names, or held at a value."""

    law: L
    to: tuple[tuple[str, str | float], ...]

    def __call__(self, *values, **coefs):
        """The composed law's prediction."""
        to = dict(self.to)
        held = {name: to.get(name, name) for name in self.law.names}
        natural = {k: coefs[v] if isinstance(v, str) else v for k, v in held.items()}
        return self.law.fn(*values, **natural)


@dataclass(frozen=True)
class Then:
    """A link on top of a law: the link's input `at` is the law's output."""

    law: Part
    link: Part
    at: str
    inputs: tuple[str, ...]

    def __call__(self, *values, **coefs):
        """The composed law's prediction."""
        x = dict(zip(self.inputs, values, strict=True))
        between = self.law.fn(*(x[n] for n in self.law.inputs), **{n: coefs[n] for n in self.law.names})
        x[self.at] = between
        return self.link.fn(*(x[n] for n in self.link.inputs), **{n: coefs[n] for n in self.link.names})


@dataclass(frozen=True)
class Given(Generic[L]):
    """A law some of whose coefficients are its last inputs."""

    law: L
    names: tuple[str, ...]

    def __call__(self, *values, **coefs):
        """The composed law's prediction."""
        k = len(self.law.inputs)
        return self.law.fn(*values[:k], **dict(zip(self.names, values[k:], strict=True)), **coefs)


@dataclass(frozen=True)
class Shared(Generic[L]):
    """A law whose coefficients, but for the `shared` ones, have one value per label of the last input."""

    law: L
    shared: tuple[str, ...]
    by: str
    labels: tuple[Any, ...]

    def __call__(self, *values, **coefs):
        """The composed law's prediction."""
        *inputs, code = values
        if self.law.whole:
            # A row's loss depends on its whole curve:
            # the law is worked out per label, and each row takes its own.
            each = (
                self.law.fn(
                    *inputs, **{n: coefs[n if n in self.shared else f"{n}[{label}]"] for n in self.law.names}
                )
                for label in self.labels
            )
            return sum(where(code == k, loss, 0.0) for k, loss in enumerate(each))
        chosen = {
            name: coefs[name]
            if name in self.shared
            else sum((code == k) * coefs[f"{name}[{label}]"] for k, label in enumerate(self.labels))
            for name in self.law.names
        }
        return self.law.fn(*inputs, **chosen)


@dataclass(frozen=True)
class Averaged:
    """Several laws as one, by weights that are coefficients:
    the mean, or the exponential of the mean logarithm.

    A law's coefficients, and its weight, carry its label: `alpha[chinchilla]`, `weight[chinchilla]`.
    """

    laws: tuple[Part, ...]
    labels: tuple[str, ...]
    inputs: tuple[str, ...]
    log: bool

    def __call__(self, *values, **coefs):
        """The composed law's prediction."""
        x = dict(zip(self.inputs, values, strict=True))
        total: Any = 0.0
        for law, label in zip(self.laws, self.labels, strict=True):
            weight = coefs[f"weight[{label}]"]
            if isinstance(weight, float) and weight == 0:
                continue
            loss = law({name: coefs[f"{name}[{label}]"] for name in law.names}, x)
            # A law without weight may say what it will, even nothing.
            total = total + where(weight > 0, weight * (log(loss) if self.log else loss), 0.0)
        return exp(total) if self.log else total


@dataclass(frozen=True)
class Lists:
    """A function that takes some inputs and coefficients as tuples, called with their entries one by one."""

    fn: Callable[..., Any]
    inputs: tuple[tuple[str, tuple[str, ...], bool], ...]
    lists: tuple[tuple[str, tuple[str, ...]], ...]
    plain: tuple[str, ...]

    def __call__(self, *values, **coefs):
        """The composed law's prediction."""
        rest = iter(values)
        x = [tuple(next(rest) for _ in parts) if listed else next(rest) for _, parts, listed in self.inputs]
        given = {name: tuple(coefs[part] for part in parts) for name, parts in self.lists}
        return self.fn(*x, **given, **{name: coefs[name] for name in self.plain})


@dataclass(frozen=True)
class Late:
    """The half of a law of whole curves that knows the features of its rows; see `halves`.

    told: what it does, the same in every process. like: the features' shapes and kinds.
    """

    told: str
    like: tuple[Any, ...]
    predict: Callable[..., Any] = field(compare=False, repr=False)

    def __call__(self, *features, **coefs):
        """The law's prediction; coefficients in the law's order."""
        return self.predict(*features, *coefs.values())


def numbered(unit, lists: set[str], k: int):
    """The unit of entry k of a list: arguments that are lists are looked up at the same entry."""
    if unit is None:
        return None
    return renamed(unit, {n: f"{n}_{k}" for n in arguments(unit) if n in lists})


def one_of(unit, each: Iterable[str], label):
    """The unit of one label's coefficient: other such coefficients are looked up under the same label."""
    return renamed(unit, {name: f"{name}[{label}]" for name in each})


def arguments(unit) -> tuple[str, ...]:
    """The names a unit looks up: inputs, `y` and other coefficients."""
    if isinstance(unit, Renamed):
        return tuple(dict.fromkeys(name for name in unit.found if isinstance(name, str)))
    return tuple(inspect.signature(unit).parameters)


def renamed(unit, to):
    """The unit under the new names: arguments that were renamed, tied or fixed are looked up again."""
    if unit is None:
        return None
    names = arguments(unit)
    found = tuple(to.get(name, name) for name in names)
    return unit if found == names else Renamed(unit, names, found)


@dataclass(frozen=True)
class Renamed:
    unit: Callable[..., Any]
    names: tuple[str, ...]
    found: tuple[str | float, ...]

    @property
    def __signature__(self) -> inspect.Signature:
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        return inspect.Signature([inspect.Parameter(name, kind) for name in arguments(self)])

    def __call__(self, *given, **typical):
        typical |= zip(arguments(self), given, strict=False)
        values = (typical[v] if isinstance(v, str) else v for v in self.found)
        return self.unit(**dict(zip(self.names, values, strict=True)))
