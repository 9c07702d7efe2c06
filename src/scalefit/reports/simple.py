"""A page of any other answer that has a picture: what it prints, and the picture with words."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import jinja2

import scalefit
from scalefit import plot
from scalefit.plot.embedded import picture

__all__ = ["TITLES", "simple"]

# The heading of each kind of answer, by its class.
TITLES = {
    "BestSchedule": "The best schedule",
    "Comparison": "Laws compared",
    "Forecast": "Where the run will end",
    "Gate": "May the recipe replace the baseline?",
    "IsoFlop": "The best size by budget",
    "Ledger": "Kept forecasts",
    "Plan": "The next runs",
    "Sweep": "The best hyperparameters",
}


def simple(answer: Any, environment: jinja2.Environment, refresh: float | None = None) -> str:
    """The page as text; refresh: seconds after which a browser loads it again."""
    title = TITLES[type(answer).__name__]
    text, image = repr(answer), ""
    # An answer that has nothing to draw, an empty plan say, is text alone.
    with suppress(ValueError):
        image = picture(lambda ax: plot.draw(answer, ax))
    context = {
        "version": scalefit.__version__,
        "title": title,
        "text": text,
        "image": image,
        "words": f"{title}: {text.splitlines()[0]}",
        "refresh": None if refresh is None else max(1, round(refresh)),
    }
    return environment.get_template("simple.html").render(context) + "\n"
