"""Laws made from functions: one of one's own, and laws over lists of any length."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scalefit.arguments import by_name, texts, whole
from scalefit.core.compose import Lists, numbered
from scalefit.core.law import Coef, Input, Law, signature
from scalefit.core.support import REAL, interval
from scalefit.words import short

__all__ = ["law", "over"]

# Entries of one list: domains of a mixture, breaks of a curve.
LONGEST = 1000


def law(
    fn: Callable[..., Any],
    name: str | None = None,
    *,
    coefs: Mapping[str, Coef] | None = None,
    positive: tuple[str, ...] | str = (),
    predicts: str = "loss",
    source: str = "",
) -> Law:
    """A law of one's own from a function: inputs positional, coefficients keyword-only.

    Write the formula with operators or `jax.numpy`, so that it can be differentiated. Coefficients are real
    unless listed in `positive` or declared in `coefs`.

    Args:
        fn: f(N, *, E, A, alpha) -> prediction, in natural units.
        name: of the law; the function's own unless given.
        coefs: coefficient -> `sf.Coef`, for supports, starts and meanings of one's own.
        positive: coefficients that are above 0, or "all".
        predicts: what comes out ("loss", "error", "accuracy", "count", ...), which decides the default
            objective.
        source: where the law is from.

    Returns:
        The law.

    Raises:
        TypeError: for a function without positional inputs or without keyword-only coefficients.
        ValueError: where `positive` or `coefs` names what is no coefficient of the function.

    Example:
        >>> def saturating(N, *, E, A, alpha): return E + A / (1 + N / 1e6) ** alpha
        >>> mine = sf.law(saturating, positive=("E", "A", "alpha"))
        >>> float(mine({"E": 2.0, "A": 1.0, "alpha": 1.0}, {"N": 1e6}))
        2.5
    """
    inputs, names = signature(fn) if callable(fn) else (None, ())
    if inputs is None or not inputs or not names:
        raise TypeError(
            "a law's function takes its inputs positionally and its coefficients keyword-only: f(N, *, E, A)"
        )
    chosen = texts(positive, "positive")
    chosen, given = names if chosen == ("all",) else chosen, by_name("coefs", coefs)
    for unknown in (*chosen, *given):
        if unknown not in names:
            raise ValueError(
                f"{short(unknown)} is not a coefficient of this function; it has {', '.join(names)}"
            )
    for kind, words in (("name", name), ("predicts", predicts), ("source", source)):
        if not isinstance(words, str | None):
            raise TypeError(f"{kind} must be a text, got {short(words)}")
    for known in given.values():
        if not isinstance(known, Coef):
            raise TypeError(f"coefs: a coefficient is declared by sf.Coef, got {short(known)}")
    declared = tuple(given.get(n) or Coef(n, interval(0, np.inf) if n in chosen else REAL) for n in names)
    name = name or str(getattr(fn, "__name__", "law"))
    return Law(name, fn, inputs, declared, source, predicts=predicts)


def over(
    sizes: Mapping[str, int],
    name: str,
    fn: Callable[..., Any],
    inputs: Mapping[str, Input],
    coefs: Sequence[Coef],
    published: Mapping[str, Mapping[str, float]] | None = None,
    checks: tuple = (),
    **known: Any,
) -> Law:
    """A law over lists: inputs and coefficients with `each="domain"` are tuples to `fn`.

    Outside they are h_1, ..., h_k and C_1, ..., C_k, with k = sizes["domain"];
    `law.sized(domain=5)` changes it.

    Args:
        sizes: list -> its length.
        name: of the law.
        fn: the formula, of the inputs by name and the coefficients by keyword.
        inputs: name -> Input.
        coefs: the coefficients.
        published: label -> coefficients, for every length; those that fit the length are kept.
        checks: numbers printed in the source, as (coefficients, inputs, value); likewise.
        known: other fields of the Law, such as `predicts` and `source`.

    Returns:
        The Law of that length.

    Raises:
        ValueError: for a length below 1, or a list that neither an input nor a coefficient is over.

    Example:
        >>> sf.laws.ye_mixing.sized(domain=3).inputs
        ('h_1', 'h_2', 'h_3')
    """
    resize = _Resized(dict(sizes), (name, fn, inputs, coefs, published, checks), known)

    def entries(label: str, each: str) -> tuple[str, ...]:
        return tuple(f"{label}_{k + 1}" for k in range(sizes[each])) if each else (label,)

    layout = tuple((key, entries(key, known.each), bool(known.each)) for key, known in inputs.items())
    lists = tuple((c.name, entries(c.name, c.each)) for c in coefs if c.each)
    domain = {entry: inputs[key] for key, parts, _ in layout for entry in parts}
    listed = {*dict(lists), *(key for key, known in inputs.items() if known.each)}
    flat = tuple(
        replace(c, name=entry, unit=numbered(c.unit, listed, k))
        for c in coefs
        for k, entry in enumerate(entries(c.name, c.each), 1)
    )
    names = {c.name for c in flat}
    fitting = {label: values for label, values in (published or {}).items() if set(values) == names}
    kept = tuple(c for c in checks if (c[0] in fitting if isinstance(c[0], str) else set(c[0]) == names))
    plain = tuple(c.name for c in coefs if not c.each)
    if "notes" in known:
        notes = {label: note for label, note in known["notes"].items() if label in fitting}
        known = {**known, "notes": notes}
    return Law(
        name,
        Lists(fn, layout, lists, plain),
        domain,
        flat,
        published=fitting,
        checks=kept,
        resize=resize,
        **known,
    )


@dataclass(frozen=True)
class _Resized:
    """A law over lists, for other lengths: what `over` was called with."""

    sizes: Mapping[str, int]
    declared: tuple[Any, ...]
    known: Mapping[str, Any]

    def __call__(self, **other: int) -> Law:
        for each, k in other.items():
            if each not in self.sizes:
                given = short(f"{each}={k!r}")
                raise ValueError(
                    f"law {self.declared[0]!r} has lists over {', '.join(self.sizes)}; got {given}"
                )
            whole(k, f"law {self.declared[0]!r}: the length {each}", 1, LONGEST)
        return over({**self.sizes, **other}, *self.declared, **self.known)
