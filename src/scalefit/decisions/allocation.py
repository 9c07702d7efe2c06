"""Where a law's loss is least for a cost: sizes along a budget, or items of a menu, for the estimate and every draw.

The questions people ask of it are in `frontier` and `course`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from scalefit import laws
from scalefit.decisions.recipe import HALVINGS, MOST, STEP, Menu, Study
from scalefit.flops import Cost, six_nd

__all__ = ["Best", "best", "budget_for", "closed"]

# Sizes tried along a budget before the best one is sharpened; enough for a step of a factor 1.4 over 20 decades.
PLACES = 129
# Halvings that sharpen the best of the sizes tried to 1e-10, and those that its loss needs, which is flat there.
SHARPEN, ENOUGH = 34, 18
# The least budget looked at for a loss, FLOPs.
LEAST = 1e6
# Laws whose optimum under a cost of 6 N D is known in closed form: an outer power does not move it.
CLOSED = tuple(laws.get(name).fn for name in ("chinchilla", "skaling"))


class Best(NamedTuple):
    """Optima, each (draws + 1, budgets). item: place in the menu, 0 without one; edge: whether a limit decides; unspent:
    whether more tokens would make the loss worse, so that not all of the budget is spent.
    """

    C: np.ndarray
    N: np.ndarray
    D: np.ndarray
    ratio: np.ndarray
    loss: np.ndarray
    item: np.ndarray
    edge: np.ndarray
    unspent: np.ndarray


def best(study: Study, C: np.ndarray, sharpen: int = SHARPEN) -> Best:
    """The best size for every budget (draws + 1, budgets); NaN where a budget pays for no run."""
    return _along_budget(study, C, sharpen) if study.menu is None else _on_menu(study, C, study.menu)


def _along_budget(study: Study, C: np.ndarray, sharpen: int) -> Best:
    lo, hi = study.ends(C)
    # More than the largest size and all tokens cost is not spent.
    lo = np.minimum(lo, hi)
    (smallest, _), (least, most) = study.limits["N"], study.limits["D"]
    if (
        study.law.fn in CLOSED
        and isinstance(study.cost, Cost)
        and replace(study.cost, counting=None) == six_nd
    ):
        with np.errstate(divide="ignore"):
            n = np.clip(np.log(closed(study.coefs, C)), lo, hi)
    else:
        n = _stationary(study, C, lo, hi, sharpen)
    N = np.exp(n)
    paid = np.minimum(study.tokens(N, C), most)
    D = study.useful(N, paid)
    N = np.where((smallest * (1 - 1e-9) <= N) & (least * (1 - 1e-9) <= D), N, np.nan)
    near = (n - lo < 1e-6) | (hi - n < 1e-6)
    return Best(C, N, D, D / N, study.loss(N, D), np.zeros(C.shape, int), near, paid > D)


def _stationary(study: Study, C: np.ndarray, lo: np.ndarray, hi: np.ndarray, sharpen: int) -> np.ndarray:
    """log N between lo and hi where the loss along the budget stops falling."""
    places = lo[..., None] + (hi - lo)[..., None] * np.linspace(0, 1, PLACES)
    losses = study.along(places, C[..., None])
    middle = np.argmin(np.where(np.isfinite(losses), losses, np.inf), axis=-1)[..., None]
    below, above = (
        np.take_along_axis(places, np.clip(middle + k, 0, PLACES - 1), axis=-1)[..., 0] for k in (-1, 1)
    )
    for _ in range(sharpen):
        n = (below + above) / 2
        beside = study.along(n[..., None] + np.array([STEP, -STEP]), C[..., None])
        falling = beside[..., 0] < beside[..., 1]
        below, above = np.where(falling, n, below), np.where(falling, above, n)
    return (below + above) / 2


def _on_menu(study: Study, C: np.ndarray, menu: Menu) -> Best:
    least, most = study.limits["D"]
    paid = np.minimum(np.stack([study.tokens(item, C) for item in menu.items], axis=-1), most)
    D = study.useful(menu.N, np.maximum(paid, 1e-9), menu.x)
    losses = study.loss(menu.N, D, menu.x)
    losses = np.where((least * (1 - 1e-9) <= D) & (paid > 0) & np.isfinite(losses), losses, np.inf)
    chosen = np.argmin(losses, axis=-1)[..., None]
    loss, D, paid = (np.take_along_axis(part, chosen, axis=-1)[..., 0] for part in (losses, D, paid))
    N = np.where(np.isfinite(loss), menu.N[chosen[..., 0]], np.nan)
    loss = np.where(np.isfinite(loss), loss, np.nan)
    return Best(C, N, D, D / N, loss, chosen[..., 0], most * (1 - 1e-9) <= D, paid > D)


def budget_for(study: Study, target: np.ndarray) -> Best:
    """The least budget for each loss, `LEAST` at least. The best loss falls as the budget grows, so it is found by halving."""
    shape = len(study.values), len(target)
    lo, hi = np.full(shape, np.log(LEAST)), np.full(shape, np.log(MOST))
    # A budget that pays for no run is too small, and its loss not known.
    short = lambda C: ~(best(study, C, ENOUGH).loss <= target)  # noqa: E731
    never = short(np.exp(hi))
    for _ in range(HALVINGS):
        middle = (lo + hi) / 2
        above = short(np.exp(middle))
        lo, hi = np.where(above, middle, lo), np.where(above, hi, middle)
    found = best(study, np.exp(hi))
    C, N, D = (np.where(never, np.inf, part) for part in found[:3])
    ratio, loss = np.where(never, np.nan, found.ratio), np.broadcast_to(target, shape)
    edge = (found.edge & ~never) | (C < LEAST * (1 + 1e-9))
    return Best(C, N, D, ratio, loss, found.item, edge, found.unspent & ~never)


def closed(c: Mapping[str, np.ndarray], C: np.ndarray) -> np.ndarray:
    """N* = G (C / 6)^(beta / (alpha + beta)) with G = (alpha A / (beta B))^(1 / (alpha + beta)) (Hoffmann et al. 2022, eq. 4)."""
    alpha, beta = c["alpha"], c["beta"]
    with np.errstate(all="ignore"):
        log_G = (np.log(alpha * c["A"]) - np.log(beta * c["B"])) / (alpha + beta)
        return np.exp(log_G + beta / (alpha + beta) * np.log(C / 6))
