"""A law: a pure function and the declaration of its coefficients; and the algebra of laws.

`N` is a parameter (of a network); the numbers a fit looks for are *coefficients*, hence `Coef`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np

from scalefit.arguments import number, texts, two_numbers
from scalefit.core.coef import ALLOWED, Coef, Input
from scalefit.core.compose import (
    Averaged,
    Given,
    Late,
    Lists,
    Shared,
    Substituted,
    Sum,
    Then,
    arguments,
    one_of,
    renamed,
)
from scalefit.core.formula import latex, symbol
from scalefit.core.plain import described, plain
from scalefit.core.settings import precise
from scalefit.core.support import interval
from scalefit.words import short

__all__ = ["ALLOWED", "Coef", "Eased", "Input", "Law", "averaged", "remade", "signature"]


class Eased(NamedTuple):
    """A law in other coefficients: `to` and `back` turn values (..., p) of its own into those, in order."""

    law: Law
    to: Callable[[np.ndarray], np.ndarray]
    back: Callable[[np.ndarray], np.ndarray]


class _Doc:
    """The class's own words for the class, a law's for a law: what `help(sf.laws.chinchilla)` shows."""

    def __init__(self, text: str | None):
        self.text = text

    def __get__(self, law: Any, owner: type) -> str | None:
        return self.text if law is None else described(law)


@dataclass(frozen=True, repr=False)
class Law:
    """A pure function `fn(*inputs, **coefs)` in natural units, and what is known about it.

    inputs: a mapping name -> Input, or just names. predicts: what comes out (loss, error, accuracy, count,
    ...), which decides the default objective. family: where it stands in the catalogue. published: label ->
    coefficients, with `notes` (label -> source, convention, rounding). checks: (label or coefficients,
    inputs, value worked outside this library, as printed). printed: LaTeX for a law that is no closed
    formula. flops: what a token of training costs, a function of N and other inputs, where it is not 6 N (as
    where N counts experts that a token does not use). eased: a function of its inputs that gives an `Eased`,
    the same law in coefficients in which a search goes straight.

    Compared and hashed by structure (function, inputs, coefficients and supports), so that a law rebuilt
    the same way reuses what was compiled for it.

    Pickled as the way it was made: a law of the catalogue by its id, one made from others by those and the
    verb, any other by its fields, its functions by reference (cloudpickle takes lambdas and functions inside
    functions too).
    """

    __doc__ = _Doc(__doc__)

    name: str = field(compare=False)
    fn: Callable[..., Any]
    # Given as a mapping to Inputs or as names; kept as names, a tuple.
    inputs: Any
    coefs: tuple[Coef, ...]
    source: str = field(default="", compare=False)
    published: Mapping[str, Mapping[str, float]] = field(default_factory=dict, compare=False)
    checks: tuple = field(default=(), compare=False)
    predicts: str = field(default="loss", compare=False)
    family: str = field(default="", compare=False)
    notes: Mapping[str, str] = field(default_factory=dict, compare=False)
    printed: str = field(default="", compare=False)
    about: str = field(default="", compare=False)
    domain: Mapping[str, Input] = field(default_factory=dict, compare=False)
    # Makes this law for lists of other lengths; None where it has none.
    resize: Callable[..., Law] | None = field(default=None, compare=False, repr=False)
    flops: Callable[..., Any] | None = field(default=None, compare=False, repr=False)
    # Inputs (one column each) -> the law in coefficients that are easier to find; None where its own are.
    eased: Callable[..., Eased] | None = field(default=None, compare=False, repr=False)
    # What makes it again, a function and its arguments; None where only its fields do. Not taken over by
    # `replace`: a law with other fields is another law.
    made: tuple[Any, ...] | None = field(init=False, default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.inputs, Mapping):
            object.__setattr__(self, "domain", dict(self.inputs))
            object.__setattr__(self, "inputs", tuple(self.inputs))
        inputs, coefs = signature(self.fn)
        if inputs is not None and (inputs != self.inputs or set(coefs) != set(self.names)):
            raise TypeError(
                f"law {self.name!r} declares inputs {self.inputs} and coefficients {self.names}, "
                f"but its function takes {inputs} and, keyword-only, {coefs}"
            )
        for name, known in self.domain.items():
            if known.allowed == "a label" and not known.labels and not isinstance(self.fn, Shared):
                raise TypeError(
                    f"law {self.name!r}: the label {name!r} must list its labels, Input(..., labels=...)"
                )
        for label in self.published:
            if set(self.published[label]) != set(self.names):
                raise TypeError(f"law {self.name!r}: published set {label!r} must name exactly {self.names}")
        object.__setattr__(self, "published", MappingProxyType(dict(self.published)))
        plain = self.fn.fn if isinstance(self.fn, Lists) else self.fn
        if not self.about and inspect.isfunction(plain):
            object.__setattr__(self, "about", " ".join((plain.__doc__ or "").split()))

    def made_by(self, *how: Any) -> Law:
        """The same law, which knows what makes it again: a function and its arguments."""
        same = replace(self)
        object.__setattr__(same, "made", how)
        return same

    @cached_property
    def _hash(self) -> int:
        return hash((self.fn, self.inputs, self.coefs))

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[Any, ...]:
        if self.made is not None:
            return self.made[0], self.made[1:]
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.init}
        return Law, tuple({**values, "published": dict(self.published)}.values())

    @property
    def recipe(self) -> Any:
        """How the catalogue's laws were made into this one, as JSON has it:
        an id, or [verb, recipes, options].

        None where a law of one's own is part of it.
        """
        if self.made is None:
            return None
        if self.made[0] is not remade:
            return self.made[1]
        _, verb, laws, options = self.made
        parts = [law.recipe for law in laws]
        # The inputs of an instance are more than JSON holds.
        return None if None in parts or verb == "instance" else [verb, parts, options]

    @property
    def names(self) -> tuple[str, ...]:
        """The coefficients' names, in order."""
        return tuple(coef.name for coef in self.coefs)

    @property
    def lists(self) -> dict[str, int]:
        """What its lists have one of per entry -> how many: the words and numbers of `sized`."""
        return dict(getattr(self.resize, "sizes", {}))

    @property
    def units(self) -> dict[str, str]:
        """Input -> unit, where declared."""
        return {name: self.domain[name].unit for name in self.inputs if name in self.domain}

    @property
    def counting(self) -> str | None:
        """Which parameters its N are, None where it is a law of whichever are counted."""
        return self.domain["N"].counting if "N" in self.domain else None

    @property
    def labels(self) -> tuple[str, ...]:
        """The inputs that are no numbers but say which rows belong together."""
        return tuple(
            n for n in self.inputs if n in self.domain and self.domain[n].allowed in ("a label", "a curve")
        )

    @property
    def whole(self) -> bool:
        """Whether it looks at curves as a whole:
        rows of one curve belong together, in the order of their steps."""
        return any(known.allowed == "a curve" for known in self.domain.values())

    def check_order(self, x: Mapping[str, np.ndarray]) -> None:
        """For a law of whole curves, ValueError unless every curve's rows stand together with rising steps.

        The step is such a law's first input.
        """
        label = next(
            (name for name in self.inputs if name in self.domain and self.domain[name].allowed == "a curve"),
            None,
        )
        if label is None:
            return
        step, curve = np.asarray(x[self.inputs[0]]), np.asarray(x[label])
        again = curve[1:] == curve[:-1]
        begins = np.flatnonzero(np.append(True, ~again)).tolist()
        first = {curve[row]: row for row in reversed(begins)}
        apart = [row for row in begins if first[curve[row]] < row]
        wrong = [*apart, *(np.flatnonzero(again & (step[1:] < step[:-1])) + 1)]
        if wrong:
            raise ValueError(
                f"rows of one {label} must stand together, with rising {self.inputs[0]} (row {min(wrong)}, "
                f"counting from 0, does not follow); sort the table by {label} and {self.inputs[0]}"
            )

    @property
    def by(self) -> str | None:
        """The label whose values are still to be found in the data; see `shared`."""
        return self.fn.by if isinstance(self.fn, Shared) and not self.fn.labels else None

    @cached_property
    def formula(self) -> str:
        """The law as LaTeX, read off the function itself unless `printed` says otherwise."""
        return self.printed or latex(self.fn, self.inputs, self.names)

    @cached_property
    def plain(self) -> str:
        """The law as plain text, for a terminal: E + A / N^alpha + B / D^beta."""
        return plain(self.formula)

    @property
    def equation(self) -> str:
        """The law as plain text with what it is for: L(N, D) = E + A / N^alpha + B / D^beta."""
        return f"{'L' if self.predicts == 'loss' else self.predicts}({', '.join(self.inputs)}) = {self.plain}"

    def _repr_latex_(self) -> str:
        """The law as a notebook renders it."""
        out = "L" if self.predicts == "loss" else rf"\mathrm{{{self.predicts}}}"
        return rf"$\displaystyle {out}({', '.join(map(symbol, self.inputs))}) = {self.formula}$"

    @property
    def settings(self) -> dict[str, float]:
        """The inputs that are known settings, with their values where nothing says them."""
        said = {name: self.domain[name].setting for name in self.inputs if name in self.domain}
        return {name: value for name, value in said.items() if value is not None}

    def __call__(self, coefs: Mapping[str, Any], x: Mapping[str, Any]) -> Any:
        """Predictions in natural units; arrays broadcast. Works under jit, vmap and grad.

        Numbers and numpy arrays come back as float64 numpy, whatever JAX's own precision setting.
        """
        known = self.settings
        values = tuple(x[name] if name not in known or name in x else known[name] for name in self.inputs)
        named = {name: coefs[name] for name in self.names}
        if any(isinstance(leaf, jax.Array) for leaf in (*values, *named.values())):
            return self.fn(*values, **named)
        with precise():
            out = self.fn(*map(_wide, values), **{name: _wide(value) for name, value in named.items()})
            return np.asarray(out) if isinstance(out, jax.Array) else out

    def fix(self, **values: float) -> Law:
        """The same law with these coefficients held at given values.

        Args:
            **values: coefficient -> value, a number in its support.

        Returns:
            The law without them; published sets that agree with the values are kept.

        Raises:
            ValueError: for a name that the law does not have, or a value outside the support.

        Example:
            >>> sf.laws.chinchilla.fix(E=1.69).names
            ('A', 'B', 'alpha', 'beta')
        """
        self.require(values)
        for coef in self.coefs:
            if coef.name in values and not (
                _is_real(values[coef.name]) and values[coef.name] in coef.support
            ):
                given = short(values[coef.name])
                raise ValueError(f"fix: {coef.name} = {given} is not a number in its support, {coef.support}")
        return self._substitute("fix", {name: float(value) for name, value in values.items()})

    def tie(self, **names: str) -> Law:
        """The same law with coefficients replaced by others: `law.tie(beta="alpha")` puts alpha for beta.

        Args:
            **names: coefficient -> the coefficient that replaces it.

        Returns:
            The law without the replaced coefficients.

        Raises:
            ValueError: for a name that the law does not have, or a tie to a coefficient that is itself tied.

        Example:
            >>> sf.laws.chinchilla.tie(beta="alpha").names
            ('E', 'A', 'B', 'alpha')
        """
        self.require((*names, *texts(tuple(names.values()), "tie: other names")))
        if set(names) & set(names.values()):
            raise ValueError("a tie must point at a coefficient that is itself free")
        return self._substitute("tie", names)

    def rename(self, **names: str) -> Law:
        """The same law with new names for coefficients or inputs.

        Args:
            **names: old name -> new name.

        Returns:
            The law under the new names.

        Raises:
            ValueError: for a name that the law does not have, or where two things would have one name; `tie`
                makes two coefficients one.

        Example:
            >>> sf.laws.chinchilla.rename(alpha="a", N="n_params").inputs
            ('n_params', 'D')
        """
        self.require(names, self.names + self.inputs)
        texts(tuple(names.values()), "rename: new names")
        after = [names.get(name, name) for name in self.inputs + self.names]
        if len(set(after)) < len(after):
            raise ValueError(f"renaming would give two things one name: {', '.join(after)}; use tie to tie")
        return self._substitute("rename", names)

    def instance(
        self,
        name: str,
        about: str,
        inputs: Mapping[str, Input],
        *,
        names: Mapping[str, str] | None = None,
        **known: Any,
    ) -> Law:
        """The same form as a law of its own:
        other inputs (in order), other names, sets and sources of its own."""
        same = self.rename(**dict(zip(self.inputs, inputs, strict=True)), **(names or {}))
        blank: dict[str, Any] = {"published": {}, "notes": {}, "checks": ()}
        options = {"name": name, "about": about, "inputs": dict(inputs), "names": names, **known}
        found = replace(same, name=name, about=about, domain=dict(inputs), **(blank | known))
        return found.made_by(remade, "instance", (self,), options)

    def predicting(self, what: str) -> Law:
        """The same form as a law of another output: `sf.laws.power.predicting("error")`."""
        return replace(self, predicts=what).made_by(remade, "predicting", (self,), {"what": what})

    def bound(self, **limits: tuple[float, float]) -> Law:
        """The same law with coefficients that stay inside open intervals: `law.bound(alpha=(0, 1))`.

        Args:
            **limits: coefficient -> (lo, hi); either side may be infinite.

        Returns:
            The law with these supports.

        Raises:
            ValueError: for a name that the law does not have, or limits without lo < hi.

        Example:
            >>> print(sf.laws.chinchilla.bound(E=(1, 2)).coefs[0].support)
            (1, 2)
        """
        self.require(limits)
        for name, pair in limits.items():
            if np.isnan(two_numbers(pair)).any():
                raise ValueError(f"bound: the limits of {name} must be two numbers, got {short(pair)}")
        coefs = (
            replace(c, support=interval(*limits[c.name]), start=_inside(c, *limits[c.name]))
            if c.name in limits
            else c
            for c in self.coefs
        )
        ends = {name: [float(lo), float(hi)] for name, (lo, hi) in limits.items()}
        return replace(self, coefs=tuple(coefs)).made_by(remade, "bound", (self,), ends)

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
        total = self._combined(f"{self.name} + {other.name}", Sum(self, other, inputs), inputs, mine, other)
        return total.made_by(remade, "add", (self, other), {})

    def then(self, link: Law, at: str | None = None) -> Law:
        """A link on top of this law: its input `at` is what this law predicts.

        The composed law has the coefficients of both and predicts what the link does, so that accuracies are
        fitted from sizes and tokens in one step; `sf.chain` composes two fits instead.

        Args:
            link: a law of, say, accuracy as a function of the loss.
            at: the link's input that this law predicts, its first unless given.

        Returns:
            The composed law.

        Raises:
            ValueError: where `at` is no input of the link, both have a coefficient of one name (rename one
                side), or where a coefficient of the link is searched depends on `at`.

        Example:
            >>> sf.laws.chinchilla.then(sf.laws.log_sigmoid).inputs
            ('N', 'D')
        """
        if not isinstance(link, Law):
            raise TypeError(f"then: a link is a law, such as sf.laws.log_sigmoid, got {short(link)}")
        at = link.inputs[0] if at is None else at
        link.require((at,), link.inputs)
        twice = set(self.names) & set(link.names)
        if twice:
            raise ValueError(
                f"{self.name!r} and {link.name!r} both have {', '.join(sorted(twice))}; rename one side, "
                f'e.g. link.rename({min(twice)}="{min(twice)}_link")'
            )
        for coef in link.coefs:
            if coef.unit and at in arguments(coef.unit):
                raise ValueError(
                    f"then: where {coef.name} of {link.name!r} is searched depends on {at}, which the "
                    f"composed law does not see; declare {coef.name} without such a unit, or fit in two "
                    "steps with sf.chain"
                )
        inputs = tuple(dict.fromkeys((*self.inputs, *(name for name in link.inputs if name != at))))
        coefs = {c.name: c for c in (*self.coefs, *link.coefs)}
        composed = self._combined(
            f"{self.name} then {link.name}", Then(self, link, at, inputs), inputs, coefs, link
        )
        return replace(composed, predicts=link.predicts).made_by(remade, "then", (self, link), {"at": at})

    def shared(self, *names: str, by: str) -> Law:
        """Some coefficients for all rows, the others per label: `law.shared("alpha", by="dataset")`.

        The labels are found in the column `by` when the law is fitted; E becomes E[c4], E[pile], ...

        Args:
            *names: the coefficients that are one for all rows.
            by: the column of labels.

        Returns:
            The law with `by` as a further input.

        Raises:
            ValueError: for a name that the law does not have, or where `by` is a name of the law.

        Example:
            >>> sf.laws.chinchilla.shared("alpha", "beta", by="recipe").inputs
            ('N', 'D', 'recipe')
        """
        self.require(names)
        if not isinstance(by, str) or by in self.inputs + self.names:
            raise ValueError(f"shared: {short(by)} must be a column of its own, not a name of the law")
        return self._shared(names, by, ())

    def sized(self, **sizes: int) -> Law:
        """The same law over lists of other lengths.

        Args:
            **sizes: what there is one of per entry -> how many, 1 or more.

        Returns:
            The law of these lengths.

        Raises:
            ValueError: for a law without lists, a list it does not have, or a length that is not whole and at
                least 1.

        Example:
            >>> sf.laws.ye_mixing.sized(domain=2).names
            ('c', 'k', 't_1', 't_2')
        """
        if self.resize is None:
            raise ValueError(f"law {self.name!r} has no lists to resize")
        found = self.resize(**sizes)
        return found.made_by(remade, "sized", (self,), {each: int(k) for each, k in sizes.items()})

    def given(self, *names: str) -> Law:
        """The same law with these coefficients as inputs: held at values that are data, so that one compiled
        program serves every value (profiles need that; `fix` builds a value into the law)."""
        self.require(names)
        inputs = (*self.inputs, *names)
        domain = {**self.domain, **{n: Input("held", allowed="a number", scales=False) for n in names}}
        return replace(
            self,
            fn=Given(self, names),
            inputs=inputs,
            domain=domain,
            published={},
            checks=(),
            resize=None,
            coefs=tuple(c for c in self.coefs if c.name not in names),
            printed=self.formula,
        ).made_by(remade, "given", (self,), {"names": list(names)})

    def labelled(self, labels: tuple[Any, ...]) -> Law:
        """A law made by `shared`, with one set of coefficients for each of these labels."""
        if not isinstance(self.fn, Shared):
            raise ValueError(
                f"law {self.name!r} has no coefficients per label; make one with law.shared(..., by=...)"
            )
        return self.fn.law._shared(self.fn.shared, self.fn.by, labels)

    def _shared(self, names: tuple[str, ...], by: str, labels: tuple[Any, ...]) -> Law:
        each = tuple(c for c in self.coefs if c.name not in names)
        own = [c.name for c in each]
        coefs = [c for c in self.coefs if c.name in names]
        coefs += [
            replace(c, name=f"{c.name}[{label}]", unit=one_of(c.unit, own, label), end=None)
            for c in each
            for label in labels
        ]
        note = rf"\quad\text{{({', '.join(c.name for c in each)} per {by})}}".replace("_", r"\_")
        return replace(
            self,
            fn=Shared(self, names, by, labels),
            inputs=(*self.inputs, by),
            coefs=tuple(coefs) if labels else self.coefs,
            published={},
            checks=(),
            resize=None,
            domain={**self.domain, by: Input("label", allowed="a label", scales=False, labels=labels)},
            printed=self.formula + note,
        ).made_by(remade, "shared", (self,), {"names": list(names), "by": by, "labels": list(labels)})

    def _combined(
        self, name: str, fn: Sum | Then, inputs: tuple[str, ...], coefs: Mapping[str, Coef], other: Law
    ) -> Law:
        source = "; ".join(dict.fromkeys(filter(None, (self.source, other.source))))
        domain = {**other.domain, **self.domain}
        printed = ""
        if self.printed or other.printed:
            printed = (
                f"{self.formula} + {other.formula}"
                if isinstance(fn, Sum)
                else rf"{other.formula},\quad {symbol(fn.at)} = {self.formula}"
            )
        return Law(
            name,
            fn,
            inputs,
            tuple(coefs.values()),
            source,
            predicts=self.predicts,
            printed=printed,
            domain={key: domain[key] for key in inputs if key in domain},
            flops=self.flops or other.flops,
        )

    def __repr__(self) -> str:
        coefs = ", ".join(f"{c.name} {c.support}" for c in self.coefs)
        return f"Law({self.name!r}: {self.plain}; inputs {', '.join(self.inputs)}; coefficients {coefs})"

    def require(self, names: Iterable[str], known: tuple[str, ...] | None = None) -> None:
        """ValueError unless these are coefficients of the law (or among `known`)."""
        known = known or self.names
        for name in names:
            if not isinstance(name, str) or name not in known:
                raise ValueError(f"law {self.name!r} has no {short(name)}; it has {', '.join(known)}")

    def _substitute(self, verb: str, to: Mapping[str, Any]) -> Law:
        fn = Substituted(self, tuple(sorted(to.items())))
        inputs = tuple(str(to.get(name, name)) for name in self.inputs)
        coefs = {}
        for coef in self.coefs:
            name = to.get(coef.name, coef.name)
            if isinstance(name, str) and (name not in coefs or name == coef.name):
                coefs[name] = replace(coef, name=name, unit=renamed(coef.unit, to), end=renamed(coef.end, to))
        published = {
            label: {str(to.get(k, k)): v for k, v in values.items() if isinstance(to.get(k, k), str)}
            for label, values in self.published.items()
            if all(_agrees(values, k, new) for k, new in to.items() if k in values)
        }
        domain = {str(to.get(k, k)): known for k, known in self.domain.items()}
        return replace(
            self,
            fn=fn,
            inputs=inputs,
            coefs=tuple(coefs.values()),
            published=published,
            checks=(),
            domain=domain,
            printed=self.printed and rf"{self.printed}\quad({_words(to)})",
            resize=None,
            flops=renamed(self.flops, to),
        ).made_by(remade, verb, (self,), dict(to))


def remade(verb: str, laws: Sequence[Law], options: Mapping[str, Any]) -> Law:
    """A law made from others by a verb of the algebra, once more: what `Law.made` holds."""
    first, *others = laws
    if verb == "add":
        return first + others[0]
    if verb == "given":
        return first.given(*options["names"])
    if verb == "shared":
        law, labels = first.shared(*options["names"], by=options["by"]), tuple(options["labels"])
        return law.labelled(labels) if labels else law
    return getattr(first, verb)(*others, **options)


def averaged(laws: Mapping[str, Law], log: bool) -> Law:
    """Several laws (label -> law) as one, whose coefficients are theirs and their weights;
    see `compose.Averaged`."""
    inputs = tuple(dict.fromkeys(name for law in laws.values() for name in law.inputs))
    coefs = [
        replace(c, name=f"{c.name}[{label}]", unit=None) for label, law in laws.items() for c in law.coefs
    ]
    weights = [Coef(f"weight[{label}]", interval(-np.inf, np.inf)) for label in laws]
    domain = {name: known for law in laws.values() for name, known in law.domain.items()}
    fn = Averaged(tuple(laws.values()), tuple(laws), inputs, log)
    first = next(iter(laws.values()))
    return Law(
        " and ".join(laws),
        fn,
        inputs,
        (*coefs, *weights),
        predicts=first.predicts,
        printed=r"\text{several laws}",
        flops=first.flops if len({law.flops for law in laws.values()}) == 1 else None,
        domain={name: domain[name] for name in inputs if name in domain},
    )


def signature(fn) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """(inputs, coefficients) of a plain function; (None, ()) for a composed one."""
    if isinstance(fn, (Averaged, Sum, Substituted, Then, Given, Shared, Lists, Late)):
        return None, ()
    parameters = inspect.signature(fn).parameters.values()
    if any(p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in parameters):
        return None, ()
    inputs = tuple(p.name for p in parameters if p.kind is not p.KEYWORD_ONLY)
    return inputs, tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)


def _is_real(value: Any) -> bool:
    found = number(value)
    return found is not None and bool(np.isfinite(found))


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


def _words(to: Mapping[str, Any]) -> str:
    """Substitutions as LaTeX: alpha = 0.3, beta = alpha."""

    def value(new):
        return symbol(new) if isinstance(new, str) else f"{new:g}"

    return ", ".join(f"{symbol(name)} = {value(new)}" for name, new in to.items())
