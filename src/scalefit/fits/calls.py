"""Calls as they can be typed, in the sentences of checks."""

from __future__ import annotations

from scalefit.fits.checks import Case
from scalefit.runs.binding import to_say
from scalefit.words import quoted

__all__ = ["remedy", "shared_law"]


def remedy(case: Case, verb: str, option: str = "", runs: str = "runs") -> str:
    """The call that mends it, as it can be typed."""
    inputs, y = to_say(case.law, case.columns, case.data.others)
    said = ", ".join(f"{quoted(k)}: {quoted(v)}" for k, v in inputs.items())
    parts = [_law(case), runs, option, f"inputs={{{said}}}" if said else "", f"y={quoted(y)}" if y else ""]
    return f"sf.{verb}({', '.join(part for part in parts if part)})"


def _law(case: Case) -> str:
    return quoted(case.law.recipe) if isinstance(case.law.recipe, str) else "law"


def shared_law(case: Case, by: str) -> str:
    """The law with an exponent shared between labels, as it can be typed."""
    law = f"sf.laws[{_law(case)}]" if isinstance(case.law.recipe, str) else "law"
    name = next((n for n in case.law.names if n in ("alpha", "beta")), case.law.names[-1])
    return f"{law}.shared({quoted(name)}, by={quoted(by)})"
