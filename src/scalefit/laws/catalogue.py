"""The laws by name: each file `_*.py` beside this one declares the laws of one family or paper."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import MappingProxyType, ModuleType
from typing import Any

from scalefit.core.law import Law
from scalefit.frames import Frame, frame

__all__ = ["Laws", "find", "get", "names", "table"]


@cache
def _all() -> Mapping[str, Law]:
    found = {}
    for module in sorted(
        m.name for m in iter_modules([str(Path(__file__).parent)]) if m.name.startswith("_")
    ):
        for value in vars(import_module(f"scalefit.laws.{module}")).values():
            if isinstance(value, Law):
                found[value.name] = value.made_by(get, value.name)
    return MappingProxyType(found)


def names() -> tuple[str, ...]:
    """The ids of all laws."""
    return tuple(_all())


def get(name: str) -> Law:
    """A law by its id; KeyError with the nearest ids where there is none."""
    if name in _all():
        return _all()[name]
    near = get_close_matches(str(name), names(), n=3)
    hint = f"did you mean {', '.join(near)}? " if near else ""
    raise KeyError(f"there is no law {name!r}; {hint}sf.laws.names() lists all")


def find(
    inputs: Iterable[str] | None = None, family: str | None = None, predicts: str | None = None
) -> tuple[Law, ...]:
    """The laws that need no more than these inputs, are of this family, predict this; whichever are given."""
    return tuple(
        law
        for law in _all().values()
        if (inputs is None or set(law.inputs) <= set(inputs))
        and (family is None or law.family == family)
        and (predicts is None or law.predicts == predicts)
    )


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
