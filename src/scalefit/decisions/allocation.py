"""Where a law's loss is least for a cost:
sizes along a budget, or items of a menu, for the estimate and every draw.

For laws of one input the budget is that input.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from scalefit import laws
from scalefit.core.law import Law
from scalefit.decisions.recipe import HALVINGS, MOST, STEP, Menu, Recipe, halved, point
from scalefit.fits import extrapolation

__all__ = ["Best", "best", "budget_for", "budgets_for", "closed", "distance", "losses"]

# Sizes tried along a budget before the best one is sharpened;
# enough for a step of a factor 1.4 over 20 decades.
PLACES = 129
# Halvings that sharpen the best of the sizes tried to 1e-10, and those that its loss needs,
# which is flat there.
SHARPEN, ENOUGH = 34, 18
# The least budget looked at for a loss, FLOPs.
LEAST = 1e6
# Inputs that are no FLOPs may be in any unit.
TINY = 1e-45
# Laws whose optimum under a cost of 6 N D is known in closed form: an outer power does not move it.
CLOSED = tuple(laws.get(name).fn for name in ("chinchilla", "skaling"))


class Best(NamedTuple):
    """Optima, each (draws + 1, budgets). item: place in the menu, 0 without one; edge: whether a limit
    decides; unspent: whether more tokens would make the loss worse, so that not all of the budget is spent.
    """

    C: np.ndarray
    N: np.ndarray
    D: np.ndarray
    ratio: np.ndarray
    loss: np.ndarray
    item: np.ndarray
    edge: np.ndarray
    unspent: np.ndarray


def best(recipe: Recipe, C: np.ndarray, sharpen: int = SHARPEN, moved: bool = True) -> Best:
    """The best size for every budget (draws + 1, budgets); NaN where a budget pays for no run.

    A departure of the law raises or lowers the loss that a budget buys, and by its slope moves the minimum:
    down its slope as far as the loss along the budget bends. The loss is that of the law's own minimum with
    the departure there, since what a run reaches does not depend on how well its size was chosen by one draw.
    moved: whether the moved minimum is wanted.
    """
    plain = replace(recipe, amplitude=None, about=None)
    found = _search(plain, C, sharpen)
    if recipe.joint.departures is None:
        return found
    if recipe.amplitude is None:
        recipe = recipe.departing(found.N[0], found.D[0], found.item[0])
    loss = recipe.joint.off(found.loss, recipe.amplitude)
    return (_search(recipe, C, sharpen) if moved else found)._replace(loss=loss)


def _search(recipe: Recipe, C: np.ndarray, sharpen: int) -> Best:
    return _along_budget(recipe, C, sharpen) if recipe.menu is None else _on_menu(recipe, C, recipe.menu)


def _along_budget(recipe: Recipe, C: np.ndarray, sharpen: int) -> Best:
    lo, hi = recipe.ends(C)
    # More than the largest size and all tokens cost is not spent.
    lo = np.minimum(lo, hi)
    (smallest, _), (least, most) = recipe.limits["N"], recipe.limits["D"]
    if recipe.law.fn in CLOSED and recipe.amplitude is None and recipe.of_six:
        with np.errstate(divide="ignore"):
            n = np.clip(
                np.log(closed(dict(zip(recipe.law.names, recipe.joint.values.T[..., None], strict=True)), C)),
                lo,
                hi,
            )
    else:
        n = _stationary(recipe, C, lo, hi, sharpen)
    N = np.exp(n)
    paid = np.minimum(recipe.tokens(N, C), most)
    D = recipe.useful(N, paid)
    N = np.where((smallest * (1 - 1e-9) <= N) & (least * (1 - 1e-9) <= D), N, np.nan)
    near = (n - lo < 1e-6) | (hi - n < 1e-6)
    return Best(C, N, D, D / N, recipe.loss(N, D), np.zeros(C.shape, int), near, paid > D)


def _stationary(recipe: Recipe, C: np.ndarray, lo: np.ndarray, hi: np.ndarray, sharpen: int) -> np.ndarray:
    """log N between lo and hi where the loss along the budget stops falling."""
    places = lo[..., None] + (hi - lo)[..., None] * np.linspace(0, 1, PLACES)
    losses = recipe.along(places, C[..., None])
    middle = np.argmin(np.where(np.isfinite(losses), losses, np.inf), axis=-1)[..., None]
    below, above = (
        np.take_along_axis(places, np.clip(middle + k, 0, PLACES - 1), axis=-1)[..., 0] for k in (-1, 1)
    )

    def falling(n: np.ndarray) -> np.ndarray:
        beside = recipe.along(n[..., None] + np.array([STEP, -STEP]), C[..., None])
        return beside[..., 0] < beside[..., 1]

    return halved(falling, below, above, sharpen)


def _on_menu(recipe: Recipe, C: np.ndarray, menu: Menu) -> Best:
    least, most = recipe.limits["D"]
    shapes = ({name: column[k] for name, column in menu.x.items()} for k in range(len(menu.items)))
    bought = [recipe.tokens(item, C, shape) for item, shape in zip(menu.items, shapes, strict=True)]
    paid = np.minimum(np.stack(bought, axis=-1), most)
    D = recipe.useful(menu.N, np.maximum(paid, 1e-9), menu.x)
    losses = recipe.loss(menu.N, D, menu.x)
    losses = np.where((least * (1 - 1e-9) <= D) & (paid > 0) & np.isfinite(losses), losses, np.inf)
    chosen = np.argmin(losses, axis=-1)[..., None]
    loss, D, paid = (np.take_along_axis(part, chosen, axis=-1)[..., 0] for part in (losses, D, paid))
    N = np.where(np.isfinite(loss), menu.N[chosen[..., 0]], np.nan)
    loss = np.where(np.isfinite(loss), loss, np.nan)
    return Best(C, N, D, D / N, loss, chosen[..., 0], most * (1 - 1e-9) <= D, paid > D)


def budget_for(recipe: Recipe, target: np.ndarray) -> Best:
    """The least budget for each loss, `LEAST` at least.
    The best loss falls as the budget grows, so it is found by halving."""
    if recipe.joint.departures is not None and recipe.amplitude is None:
        known = budget_for(recipe.estimate, target)
        # A loss that the estimate never reaches is looked for as far out as any.
        last = best(recipe.estimate, np.full((1, len(target)), MOST))
        never = ~np.isfinite(known.C[0])
        N, D = (np.where(never, far[0], near[0]) for near, far in ((known.N, last.N), (known.D, last.D)))
        recipe = recipe.departing(N, D, known.item[0])
    shape = len(recipe), len(target)

    def short(c: np.ndarray) -> np.ndarray:
        # A budget that pays for no run is too small, and its loss not known.
        return ~(best(recipe, np.exp(c), ENOUGH, moved=False).loss <= target)

    lo, hi = np.full(shape, np.log(LEAST)), np.full(shape, np.log(MOST))
    never = short(hi)
    found = best(recipe, np.exp(np.where(never, hi, halved(short, lo, hi))))
    C, N, D = (np.where(never, np.inf, part) for part in found[:3])
    ratio, loss = np.where(never, np.nan, found.ratio), np.broadcast_to(target, shape)
    edge = (found.edge & ~never) | (C < LEAST * (1 + 1e-9))
    return Best(C, N, D, ratio, loss, found.item, edge, found.unspent & ~never)


def closed(c: Mapping[str, np.ndarray], C: np.ndarray) -> np.ndarray:
    """N* = G (C / 6)^(beta / (alpha + beta)) with G = (alpha A / (beta B))^(1 /
    (alpha + beta)) (Hoffmann et al. 2022, eq. 4)."""
    alpha, beta = c["alpha"], c["beta"]
    with np.errstate(all="ignore"):
        log_G = (np.log(alpha * c["A"]) - np.log(beta * c["B"])) / (alpha + beta)
        return np.exp(log_G + beta / (alpha + beta) * np.log(C / 6))


def losses(recipe: Recipe, C: np.ndarray) -> np.ndarray:
    """The best losses (draws + 1, budgets) of a recipe for budgets C: what recipes are compared by."""
    C = np.broadcast_to(C, (len(recipe), len(C)))
    return best(recipe, C, moved=False).loss if recipe.of_sizes else _at_inputs(recipe, C[0]).of_input(C)


def budgets_for(recipe: Recipe, loss: np.ndarray) -> np.ndarray:
    """Budgets (draws + 1, losses) that reach each loss; infinite where none does."""
    if recipe.of_sizes:
        return budget_for(recipe, loss).C
    if len(recipe) > 1:
        recipe = _at_inputs(recipe, budgets_for(recipe.estimate, loss)[0])
    shape = len(recipe), len(loss)
    hi = np.full(shape, np.log(MOST))
    never = ~(recipe.of_input(np.exp(hi)) <= loss)
    found = halved(
        lambda c: recipe.of_input(np.exp(c)) > loss, np.full(shape, np.log(TINY)), hi, 2 * HALVINGS
    )
    return np.where(never, np.inf, np.exp(found))


def distance(recipe: Recipe, C: float) -> float:
    """Decades of the optimum for this budget from the runs; infinite for an infinite budget."""
    assert not isinstance(recipe.fit, Law)
    if not np.isfinite(C):
        return np.inf
    if recipe.of_sizes:
        found = best(recipe.estimate, np.full((1, 1), C))
        x = point(recipe, found.N[0], found.D[0])
    else:
        x = {recipe.law.inputs[0]: np.array([C])}
    return float(extrapolation.farthest(recipe.fit, x)[0])


def _at_inputs(recipe: Recipe, x: np.ndarray) -> Recipe:
    """A recipe of one input with the law's departures as large as they are at x (n,)."""
    return replace(recipe, amplitude=recipe.joint.amplitude({recipe.law.inputs[0]: x}))
