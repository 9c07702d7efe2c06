"""Certified: coefficients and standard errors that are known to nine digits or more."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from scalefit import datasets
from scalefit.bench.nist import MODELS, load
from scalefit.bench.records import Case, Task
from scalefit.bench.scores import DIGITS
from scalefit.bench.sources import SOURCES
from scalefit.core.declare import law
from scalefit.core.objective import square
from scalefit.fits.fitting import around
from scalefit.frames import columns_frame, frame

__all__ = ["TASKS"]


def nist(prefix: str) -> Iterator[Case]:
    """27 problems, each from the two published starts and from a search around the second."""
    folder = datasets.folder("nist_strd")
    for name, model in MODELS.items():
        known = load(folder, name)
        values = known.stderr if prefix else known.certified
        asked = frame({"quantity": prefix + coef, "y": value} for coef, value in values.items())
        train, each = columns_frame({**known.x, "y": known.y}), law(model, name, predicts="value")
        for how, starts in (
            ("start 1", known.start1),
            ("start 2", known.start2),
            ("around start 2", around(known.start2)),
        ):
            # Certified errors take rows as independent, those at equal places too.
            given, inputs, squares = {"starts": starts, "group": False}, tuple(known.x), square("linear")
            yield Case(f"{name}, {how}", train, asked, inputs, law=each, objective=squares, given=given)


TASKS = tuple(
    Task(
        f"certified/{name}",
        SOURCES["nist_strd"],
        f"no rows held out: certified {what}",
        partial(nist, prefix),
        DIGITS,
        ("sf.fit, law as right",),
        asks="quantities",
        intervals=False,
        quick=6,
    )
    for name, what, prefix in (("nist", "coefficients", ""), ("nist_errors", "standard errors", "sd of "))
)
