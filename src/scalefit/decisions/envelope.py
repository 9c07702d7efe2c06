"""The optimal size by the envelope of training curves, approach 1 of Hoffmann et al. 2022.

sf.envelope(runs, "run")
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from scalefit.arguments import check_choice, check_key, check_level, whole
from scalefit.core.data import Data
from scalefit.decisions import sweeps
from scalefit.decisions.isoflop import OUTLIERS, IsoFlop, both
from scalefit.fits.status import Caution
from scalefit.frames import frame

__all__ = ["envelope", "of_curves"]

# Budgets along an envelope, per decade.
PER_DECADE = 100
# Of these, per decade, where curves are judged;
# and how far above the lowest loss, in logs, for no surface fits all of a curve.
JUDGED, NEAR_BEST = 3, 0.2


def envelope(
    runs: Any,
    run: str,
    inputs: Mapping[str, str] | None = None,
    y: str | None = None,
    *,
    level: float = 0.9,
    n_draws: int = 200,
    key: int = 0,
    outliers: str = "apart",
) -> IsoFlop:
    """Approach 1: the curve with the lowest loss at every budget, and powers through the winners.

    Curves are interpolated in logs at 100 budgets per decade; budgets that only one curve reaches, or that
    the smallest or the largest size wins, are left out. Every draw takes whole curves with replacement. A
    curve far off the surface of all others near the minimum (`sweeps.off_surface`) is set apart, or the
    stretch of it that is, and the result names it. Curves under a decaying rate are not finished runs, and
    bias this.

    Args:
        runs: a table of points on training curves (N, D, loss).
        run: the column that says which curve.
        inputs: columns of N and D, as in `sf.fit`.
        y: the column of losses, as there.
        level: of the intervals.
        n_draws: how many draws.
        key: of the draws.
        outliers: "apart", or "keep" for curves that were checked and are right.

    Returns:
        An `IsoFlop`, whose points are the budgets looked at and whose `apart` holds labels of curves.

    Raises:
        ValueError: no two sizes between the smallest and the largest win a budget.

    Example:
        >>> import numpy as np
        >>> import scalefit as sf
        >>> sizes, tokens = np.geomspace(1e7, 1e10, 30), np.geomspace(1e8, 1e12, 80)
        >>> N, D = (grid.ravel() for grid in np.meshgrid(sizes, tokens, indexing="ij"))
        >>> even = {"E": 1.8, "A": 480.0, "B": 2000.0, "alpha": 0.35, "beta": 0.35}
        >>> runs = sf.simulate(sf.laws.chinchilla, even, {"N": N, "D": D}, noise=0.0) | {"run": N}
        >>> round(float(sf.envelope(runs, "run", n_draws=20).coefs["a"]), 2)
        0.5
    """
    check_choice(outliers, "outliers", OUTLIERS)
    n_draws, key = whole(n_draws, "n_draws", 2), check_key(key)
    check_level(level)
    # As many rows as the joint law needs.
    data, notes, _, used = sweeps.columns(runs, inputs, y, group=run, enough=None)
    found = of_curves(data, level, n_draws, key, outliers == "keep")
    return replace(found, notes=notes, columns=used)


def of_curves(data: Data, level: float, n_draws: int, key: int, keep: bool) -> IsoFlop:
    """Powers of the budget through the sizes that win it, of curves named by the data's group."""
    curves = []
    names = np.unique(np.asarray(data.group))
    for label in names:
        rows = np.flatnonzero(data.group == label)
        C = np.log(6 * data.x["N"][rows] * data.x["D"][rows])
        order = np.argsort(C)
        curves.append((C[order], np.log(data.y[rows][order]), float(np.log(data.x["N"][rows[0]]))))
    lo, hi = min(c[0][0] for c in curves), max(c[0][-1] for c in curves)
    places = np.linspace(lo, hi, max(2, int((hi - lo) / np.log(10) * PER_DECADE)))
    table = np.stack([np.interp(places, C, loss, left=np.inf, right=np.inf) for C, loss, _ in curves])
    sizes = np.array([n for _, _, n in curves])
    apart: list[Any] = []
    said: tuple[Caution, ...] = ()
    if not keep:
        table, apart, said = _curves_apart(places, table, sizes, names)

    def powers(chosen):
        losses, n = table[chosen], sizes[chosen]
        winner = n[np.argmin(losses, axis=0)]
        kept = (np.isfinite(losses).sum(axis=0) > 1) & (winner > n.min()) & (winner < n.max())
        if len(np.unique(winner[kept])) < 2:
            return None
        return kept, winner, np.min(losses, axis=0), np.polyfit(places[kept], winner[kept], 1)

    rest = np.flatnonzero(np.isfinite(table).any(axis=1))
    found = powers(rest)
    if found is None:
        raise ValueError(
            "no two sizes between the smallest and the largest win a budget; an envelope needs more curves"
        )
    kept, winner, least, (a, log_N0) = found
    chance = np.random.default_rng(key)
    drawn = [powers(rest[chance.integers(0, len(rest), len(rest))]) for _ in range(n_draws)]
    coefs = [(np.nan,) * 4 if fit is None else both(*fit[3]) for fit in drawn]
    lines = [
        {
            "C": float(np.exp(c)),
            "N": float(np.exp(n)),
            "D": float(np.exp(c - n) / 6),
            "ratio": float(np.exp(c - 2 * n) / 6),
            "loss": float(np.exp(v)),
            "used": bool(k),
            "why": "",
        }
        for c, n, v, k in zip(places, winner, least, kept, strict=True)
    ]
    point = dict(zip(("N_0", "a", "D_0", "b"), map(float, both(a, log_N0)), strict=True))
    shown = {
        "row": np.arange(len(data)),
        "curve": np.asarray(data.group),
        "C": 6 * data.x["N"] * data.x["D"],
        "N": data.x["N"],
        "D": data.x["D"],
        "loss": data.y,
        "apart": np.isin(np.asarray(data.group), apart) if apart else np.zeros(len(data), bool),
    }
    return IsoFlop("envelope", frame(lines), point, np.array(coefs), level, tuple(apart), said, runs=shown)


def _curves_apart(
    places: np.ndarray, table: np.ndarray, sizes: np.ndarray, names: np.ndarray
) -> tuple[np.ndarray, list[Any], tuple[Caution, ...]]:
    """The losses (curves, places) without curves, or stretches of curves, far off the others;
    and what to say of it."""
    step = max(1, PER_DECADE // JUDGED)
    looked = np.arange(step // 2, len(places), step)
    losses = table[:, looked]
    near = np.isfinite(losses) & (losses < np.min(losses, axis=0) + NEAR_BEST)
    near &= near.sum(axis=0) > 3
    curve, k = np.nonzero(near)
    alike = len(curve) / max(len(np.unique(curve)), 1)
    far, off, scale, _ = sweeps.outliers(sizes[curve], losses[curve, k], places[looked][k], alike)
    if not len(far):
        return table, [], ()
    table, texts = table.copy(), []
    apart: list[Any] = []
    for c in np.unique(curve[far]):
        own = far[curve[far] == c]
        by = f"by up to {np.expm1(off[own[np.argmax(np.abs(off[own]))]]):+.1%}"
        if len(own) >= 0.5 * np.sum(curve == c):
            table[c] = np.inf
            apart.append(names[c].item() if hasattr(names[c], "item") else names[c])
            texts.append(f"curve {apart[-1]!r} ({by})")
        else:
            for j in looked[k[own]]:
                table[c, max(0, j - step // 2) : j + step - step // 2] = np.inf
            texts.append(
                f"curve {names[c]!s} at C = {np.exp(places[looked[k[own]]].min()):.2g} to "
                f"{np.exp(places[looked[k[own]]].max()):.2g} ({by})"
            )
    text = (
        f"{', '.join(texts[:5])}{f' and {len(texts) - 5} more' if len(texts) > 5 else ''}: far off the "
        f"others, which scatter by {scale:.2%}, "
        "and so set apart; check those runs"
    )
    return table, apart, (Caution("outliers", "warning", text),)
