"""The loss of two recipes over the budget, and where one overtakes the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scalefit.arguments import check_level, two_numbers
from scalefit.decisions.allocation import losses
from scalefit.decisions.crossover import crossover as crossings
from scalefit.decisions.recipe import compared
from scalefit.fits.ensemble import Ensemble
from scalefit.fits.fit import Fit
from scalefit.fits.joint import ends
from scalefit.flops import Cost, six_nd
from scalefit.laws.inputs import C as COMPUTE
from scalefit.plot.axes import COLORS, DIM, QUIET, axes, dress, log_axis, named, plain_axis, styled, text_size
from scalefit.words import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes


__all__ = ["Crossing", "Recipe", "crossover", "data", "draw"]

PLACES = 60
# Decades beyond the largest run of either recipe.
BEYOND = 2.0


class Recipe(NamedTuple):
    """One recipe: its loss at every budget, the interval, and which budgets its runs reached."""

    name: str
    loss: np.ndarray
    lo: np.ndarray
    hi: np.ndarray
    inside: np.ndarray


class Crossing(NamedTuple):
    """What `draw` needs: budgets, both recipes, the crossings (budget, loss, both ends), and words."""

    C: np.ndarray
    recipes: tuple[Recipe, Recipe]
    at: np.ndarray
    x_label: str
    y_label: str
    interval_label: str
    title: str


def crossover(
    recipes: Mapping[str, Fit | Ensemble],
    ax: Axes | None = None,
    *,
    between: tuple[float, float] | None = None,
    flops: Cost = six_nd,
    level: float = 0.9,
    at: Mapping[str, float] | None = None,
    key: int = 0,
    model_error: bool = True,
    title: bool | str = True,
    legend: bool = True,
) -> Axes:
    """The loss of two recipes over the budget with intervals, and the budgets at which their order changes.

    Laws of N and D are taken at their optimum for the budget, laws of one input at that input, as in
    `sf.crossover`. Lines are dashed where the recipe has no runs.

    Args:
        recipes: name -> fit, two of them.
        ax: matplotlib axes to draw on; new ones where left out.
        between: the range of budgets; that of both recipes' runs and two decades beyond where left out.
        flops: what a run costs, as in `sf.crossover`.
        level: of the intervals.
        at: other inputs, as there.
        key: seed of the draws.
        model_error: whether intervals allow for the laws' own errors, as there.
        title: False for none, or a text of one's own.
        legend: False for none.

    Returns:
        The axes.

    Raises:
        ValueError: for other than two recipes, and as `sf.crossover` does.
        TypeError: for what are no fits by name.
        ImportError: where matplotlib is missing.

    Example:
        >>> steep, flat = ({"x": np.geomspace(1e3, 1e6, 8)} for _ in range(2))
        >>> steep["loss"], flat["loss"] = 1 + 90 * steep["x"] ** -0.5, 1 + 3 * flat["x"] ** -0.2
        >>> both = {name: sf.fit("power_floor", runs) for name, runs in (("a", steep), ("b", flat))}
        >>> sf.plot.crossover(both, model_error=False).get_xlabel()
        'x'
    """
    found = data(recipes, between, flops, level, at, key, model_error)
    return draw(found, axes(ax), title=title, legend=legend)


def data(
    recipes: Mapping[str, Fit | Ensemble],
    between: tuple[float, float] | None = None,
    flops: Cost = six_nd,
    level: float = 0.9,
    at: Mapping[str, float] | None = None,
    key: int = 0,
    model_error: bool = True,
) -> Crossing:
    """The arrays of the plot."""
    if not isinstance(recipes, Mapping) or not all(
        isinstance(fit, Fit | Ensemble) for fit in recipes.values()
    ):
        raise TypeError(f'two fits by name are needed, {{"mine": a, "theirs": b}}, got {short(recipes)}')
    if len(recipes) != 2:
        raise ValueError(f"a crossover is one of two recipes, got {len(recipes)}; for more see sf.decide")
    check_level(level)
    a, b = recipes.values()
    spent = [_budgets(fit, flops) for fit in (a, b)]
    if between is None:
        between = min(s.min() for s in spent), max(s.max() for s in spent) * 10**BEYOND
    table = crossings(a, b, between, flops, level, at=at, key=key, model_error=model_error)
    lo, hi = two_numbers(between)
    C = np.geomspace(lo, hi, PLACES)
    parts = []
    for k, ((name, fit), own) in enumerate(zip(recipes.items(), spent, strict=True)):
        loss = losses(compared(fit, flops, at, None, level, key + k, model_error), C)
        limits = np.array([ends(column, level) for column in loss[1:].T])
        parts.append(
            Recipe(str(name), loss[0], limits[:, 0], limits[:, 1], (own.min() <= C) & (own.max() >= C))
        )
    found = table[["C", "loss", "C_lo", "C_hi"]].to_numpy(float)
    words = [
        f"{crossing['C']:.2g} FLOP".replace("e+", "e") + f" ({crossing['share']:.0%} of draws)"
        for crossing in table.to_dict("records")
    ]
    title = f"order changes at {', '.join(words)}" if words else "no crossover in this range"
    one = len(a.law.inputs) == 1
    name = a.law.inputs[0] if one else "C"
    x = str(a.columns.get(name, name)) if one else named("C", {"C": COMPUTE.unit}, "C")
    if one:
        title = title.replace(" FLOP", "")
    return Crossing(
        C,
        (parts[0], parts[1]),
        found,
        x,
        str(a.columns.get("y", a.law.predicts)),
        f"where: {level:.0%} interval",
        title,
    )


@styled
def draw(data: Crossing, ax: Axes, *, title: bool | str, legend: bool) -> None:
    """Both losses with their bands; a crossing is a black point, its interval a bar below."""
    text = text_size(ax)
    for recipe, color in zip(data.recipes, COLORS, strict=False):
        ax.fill_between(data.C, recipe.lo, recipe.hi, color=color, alpha=0.13, linewidth=0)
        ax.plot(data.C, recipe.loss, "--", color=color, alpha=DIM)
        ax.plot(data.C, np.where(recipe.inside, recipe.loss, np.nan), color=color, label=recipe.name)
    y = np.concatenate([recipe.loss for recipe in data.recipes])
    y = y[np.isfinite(y)]
    room = float(np.ptp(y)) or 1.0
    floor = float(y.min()) - 0.12 * room
    for C, loss, lo, hi in data.at:
        ax.plot([C], [loss], "o", color="black", markeredgecolor="white", zorder=5)
        ax.vlines(C, floor, loss, color=QUIET, linestyle=":", linewidth=0.1 * text)
        left, right = np.clip((lo, hi), data.C[0], data.C[-1])
        ax.hlines(floor, left, right, color="black", linewidth=0.25 * text)
    if len(data.at):
        ax.plot([], [], "o", color="black", markeredgecolor="white", label="order changes")
        ax.plot([], [], color="black", linewidth=0.25 * text, label=data.interval_label)
    log_axis(ax.xaxis, float(data.C[0]), float(data.C[-1]))
    plain_axis(ax.yaxis)
    ax.set_xlim(data.C[0], data.C[-1])
    ax.set_ylim(floor - 0.05 * room, float(y.max()) + 0.1 * room)
    dress(ax, data.x_label, data.y_label, data.title, title, legend)


def _budgets(fit: Any, flops: Cost) -> np.ndarray:
    """What the runs that were fitted cost, or their one input."""
    counted = fit.data.weight > 0
    x = {name: values[counted] for name, values in fit.data.x.items()}
    if len(fit.law.inputs) == 1:
        return x[fit.law.inputs[0]]
    if "C" in x:
        return x["C"]
    if not {"N", "D"} <= set(x):
        raise ValueError(
            f"law {fit.law.name!r} is neither one of N and D nor of one input, so it has no budgets"
        )
    return np.asarray(flops(x["N"], x["D"]), float)
