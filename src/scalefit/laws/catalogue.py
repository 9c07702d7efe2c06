"""The laws by name: each file `_*.py` beside this one declares the laws of one family or paper."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import MappingProxyType, ModuleType
from typing import Any

from scalefit.arguments import texts
from scalefit.core.law import Law
from scalefit.frames import Frame, frame
from scalefit.words import short

__all__ = ["Laws", "find", "get", "names", "table"]


@cache
def _all() -> Mapping[str, Law]:
    found = {}
    for module in sorted(
        m.name for m in iter_modules([str(Path(__file__).parent)]) if m.name.startswith("_")
    ):
        for name, value in vars(import_module(f"scalefit.laws.{module}")).items():
            # A private one only helps another law.
            if isinstance(value, Law) and not name.startswith("_"):
                found[value.name] = value.made_by(get, value.name)
    return MappingProxyType(found)


def names() -> tuple[str, ...]:
    """The ids of all laws."""
    return tuple(_all())


def get(name: str) -> Law:
    """A law by its id; KeyError with the nearest ids where there is none."""
    if isinstance(name, str) and name in _all():
        return _all()[name]
    near = get_close_matches(str(name), names(), n=3)
    hint = f"did you mean {', '.join(near)}? " if near else ""
    raise KeyError(f"there is no law {short(name)}; {hint}sf.laws.names() lists all")


def find(
    inputs: Iterable[str] | str | None = None, family: str | None = None, predicts: str | None = None
) -> tuple[Law, ...]:
    """The laws that need no more than these inputs, are of this family, predict this; whichever are given.

    Args:
        inputs: names of inputs, {"N", "D"}; or, as one string, what a law is known by: its name, an author,
            words of its description, "chinchilla approach 3", an arXiv id.
        family: one of the families of docs/laws.md.
        predicts: "loss", "accuracy", ...

    Returns:
        The laws; for a string the nearest first.

    Raises:
        ValueError: for an input, a family or an output that no law has, and for words that no law is known
            by, with the nearest ones.

    Example:
        >>> [law.name for law in sf.laws.find("hoffmann")][0]
        'chinchilla'
        >>> sf.laws.find("arXiv:2305.16264")[0].name
        'muennighoff_repeat'
    """
    laws = tuple(_all().values())
    if family is not None:
        _known("family", family, dict.fromkeys(law.family for law in laws))
    if predicts is not None:
        _known("output", predicts, dict.fromkeys(law.predicts for law in laws))
    every = dict.fromkeys(name for law in laws for name in law.inputs)
    if isinstance(inputs, str) and inputs not in every:
        laws = _by_words(inputs)
    elif inputs is not None:
        wanted = set(texts(inputs, "inputs"))
        for name in sorted(wanted):
            _known("input", name, every)
        laws = tuple(law for law in laws if set(law.inputs) <= wanted)
    return tuple(
        law
        for law in laws
        if (family is None or law.family == family) and (predicts is None or law.predicts == predicts)
    )


def _known(what: str, name: str, known: Iterable[str]) -> None:
    """ValueError, with the nearest, unless it is known."""
    known = list(known)
    if not isinstance(name, str) or name not in known:
        near = get_close_matches(str(name), known, n=3, cutoff=0.4)
        near += [other for other in known if other.lower() == str(name).lower() and other not in near]
        hint = f"did you mean {', '.join(near)}? " if near else ""
        plural = {"family": "families"}.get(what, f"{what}s")
        some = ", ".join(known[:40]) + (", ..." if len(known) > 40 else "")
        raise ValueError(f"no law has the {what} {short(name)}; {hint}The {plural} are {some}")


_EXPERTS = ("joint_moe", "clark_routed", "krajewski_moe", "abnar_moe", "routed_floor", "tian_leverage")
_MIXTURES = (
    "shukor_shares",
    "ye_mixing",
    "shukor_additive",
    "shukor_joint",
    "bimix",
    "dcpt",
    "regmix_linear",
)
# What people call a law that neither its name nor its source says.
NICKNAMES = {
    "approach 1": ("monomial",),
    "approach 2": ("isoflop_parabola",),
    "approach 3": ("chinchilla",),
    "isoflop": ("isoflop_parabola",),
    "data constrained": ("muennighoff_repeat",),
    "overtraining": ("gadre_loss", "gadre_error"),
    "over training": ("gadre_loss", "gadre_error"),
    "mixture of experts": _EXPERTS,
    "moe": _EXPERTS,
    "data mixture": _MIXTURES,
    "mixtures": _MIXTURES,
    "multilingual": ("fernandes_multi", "longpre_transfer", "longpre_languages"),
    "distillation": ("busbridge_student",),
    "quantization": ("kumar_post_training", "qat_granularity", "ouyang_qid", "fp_quant", "kbit_inference"),
    "finetuning": ("rectified_ft", "zhang_finetuning", "hernandez_transfer", "bethune_forgetting"),
    "ling": ("tian_leverage",),
    "atlas": ("longpre_transfer", "longpre_languages"),
    "emergence": ("passuntil", "mirage"),
    "wsd": ("lr_annealing", "multi_power", "fsl"),
    "goodhart": ("gao_best_of_n", "gao_rl"),
}


@cache
def _words() -> Mapping[str, tuple[str, ...]]:
    """Law -> what it is known by, the closest first: name, labels and authors, source, description."""
    authors: dict[str, set[str]] = {}
    for name in (m.name for m in iter_modules([str(Path(__file__).parent)]) if m.name.startswith("_")):
        page = " ".join((import_module(f"scalefit.laws.{name}").__doc__ or "").split())
        for who, paper in re.findall(
            r"([A-Z][\w-]+)(?: and [\w-]+| et al\.|, [\w, ]+)? \d{4}[^()]*\((arXiv:\d+\.\d+)", page
        ):
            authors.setdefault(paper, set()).add(who)
    found = {}
    for law in _all().values():
        who = {name for paper, names in authors.items() if paper in law.source for name in names}
        first = f"{law.name} {' '.join(law.published)} {' '.join(who)} {law.source}"
        inputs = " ".join(" ".join((known.unit, *known.aliases)) for known in law.domain.values())
        notes = " ".join(law.notes.values())
        found[law.name] = (law.name, first, f"{first} {notes}", f"{law.about} {law.family} {inputs}")
    return {name: tuple(_normal(part) for part in parts) for name, parts in found.items()}


def _normal(text: str) -> str:
    """Lower case, words apart: authors stand apart from their years, arXiv ids keep their point."""
    return " " + re.sub(r"[^a-z0-9.]+", " ", re.sub(r"([a-z])(\d{4})\b", r"\1 \2", text.lower())) + " "


def _by_words(text: str) -> tuple[Law, ...]:
    asked = re.sub(r"\barxiv\b|(?<=\d{5})v\d+\b", " ", _normal(text))
    called: list[str] = []
    for nickname, names_ in NICKNAMES.items():
        if f" {nickname} " in asked:
            called += names_
            asked = asked.replace(f" {nickname} ", " ")
    words, rank = asked.split(), {}
    for name, parts in _words().items():
        # A word may be the beginning of one.
        places = [next((k for k, part in enumerate(parts) if f" {word}" in part), None) for word in words]
        if None not in places and (words or name in called) and (not called or name in called):
            rank[name] = sum(place for place in places if place is not None), not _all()[name].published
    if not rank:
        vocabulary = sorted(
            {word for parts in _words().values() for part in parts[:2] for word in part.split()}
        )
        near = [match for word in words for match in get_close_matches(word, vocabulary, n=2)]
        hint = f"did you mean {', '.join(dict.fromkeys(near))}? " if near else ""
        raise ValueError(f"no law is known by {short(text)}; {hint}sf.laws.names() lists all")
    return tuple(_all()[name] for name in sorted(rank, key=rank.__getitem__))


def table() -> Frame:
    """One row per law as a frame: name, family, formula (LaTeX), inputs with units, coefficients,
    output, source."""
    return frame(
        {
            "name": law.name,
            "family": law.family,
            "formula": law.formula,
            "inputs": ", ".join(law.inputs),
            "units": "; ".join(f"{name}: {unit}" for name, unit in law.units.items()),
            "coefficients": ", ".join(law.names),
            "predicts": law.predicts,
            "source": law.source,
        }
        for law in _all().values()
    )


class Laws(ModuleType):
    """The module `scalefit.laws`: a law is also had as `laws.chinchilla` and `laws["chinchilla"]`."""

    def __getitem__(self, name: str) -> Law:
        return get(name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in _all():
            raise AttributeError(f"there is no law {name!r}; sf.laws.names() lists all")
        return _all()[name]

    def __iter__(self) -> Iterator[Law]:
        return iter(_all().values())

    def __len__(self) -> int:
        return len(_all())

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *names()]
