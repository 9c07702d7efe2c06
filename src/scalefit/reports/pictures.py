"""The page's pictures: a list, each saying when it is drawn, by which function of `sf.plot`, and in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from scalefit import plot
from scalefit.fits.fit import Fit
from scalefit.plot.embedded import picture
from scalefit.reports.question import Question
from scalefit.reports.sections import percent
from scalefit.uncertainty.profile import profile

__all__ = ["PICTURES", "Picture", "drawn"]


class Picture(NamedTuple):
    """One picture: its title, what it shows in words (for those who cannot see it), and how it is drawn."""

    title: str
    words: str
    draw: Callable[[Any], Any]


def _curves(asked: Question, refits: bool) -> Iterator[Picture]:
    fit = asked.answer
    if fit.law.whole or fit.law.labels:
        return
    for name in fit.law.inputs[:2]:
        others = [other for other in fit.law.inputs if other != name]
        per = f", a line per level of {others[0]}" if others else ""

        def draw(ax: Any, name: str = name) -> None:
            plot.curve(fit, x=name, ax=ax, level=asked.level, model_error=asked.model_error)

        yield Picture(
            f"{asked.output} against {name}",
            f"The measured {asked.output} of {len(fit.data.counted)} runs as points against {name}, and the "
            f"law as lines{per}, with {percent(asked.level)} bands; dashed where no run was measured. "
            f"{_off(asked)}",
            draw,
        )


def _residuals(asked: Question, refits: bool) -> Iterator[Picture]:
    fit = asked.answer
    for name in (None, *(() if fit.law.whole else fit.law.inputs[:2])):
        if name in fit.law.labels:
            continue

        def draw(ax: Any, name: str | None = name) -> None:
            plot.residuals(fit, name, ax)

        against = name or "the prediction"
        yield Picture(
            f"Residuals against {against}",
            f"How far each of {len(fit.data.counted)} runs lies above the law, in percent, against "
            f"{against}. {_off(asked)}",
            draw,
        )


def _profile(asked: Question, refits: bool) -> Iterator[Picture]:
    """Of the floor, which decides what is far ahead, or else of the coefficient known least."""
    fit = asked.answer
    if not refits or not isinstance(fit, Fit) or fit.law.whole:
        return
    spread = np.diag(fit.covariance)
    name = "E" if "E" in fit.law.names else fit.law.names[int(np.argmax(np.nan_to_num(spread, posinf=0)))]
    held = profile(fit, name, level=asked.level)

    def draw(ax: Any) -> None:
        plot.profile(held, ax)

    yield Picture(
        f"Profile of {name}",
        f"How much worse the fit becomes as {name} is held away from its best value, all others refitted: "
        f"the {percent(asked.level)} interval is {held.lo:.4g} to {held.hi:.4g}.",
        draw,
    )


# In the page's order; one that has nothing to show yields nothing.
PICTURES: tuple[Callable[[Question, bool], Iterator[Picture]], ...] = (_curves, _residuals, _profile)


def drawn(asked: Question, refits: bool) -> Iterator[dict[str, str]]:
    """Title, words and image of every picture that suits the answer."""
    for kind in PICTURES:
        for one in kind(asked, refits):
            image = picture(one.draw, len(asked.answer.data))
            yield {"title": one.title, "words": one.words, "image": image}


def _off(asked: Question) -> str:
    """How near the law comes to the runs."""
    fit = asked.answer
    rows = fit.data.counted
    with np.errstate(all="ignore"):
        off = 100 * np.abs(fit.data.y[rows] / fit.fitted()[rows] - 1)
    return f"Half of the runs lie within {np.median(off):.2g} % of it, the farthest {np.max(off):.2g} % off."
