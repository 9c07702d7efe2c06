"""Ends of a law that its runs do not tell, floors and ceilings: held where `Coef.end` says."""

from __future__ import annotations

import numpy as np

from scalefit.core.compose import arguments
from scalefit.core.data import Data
from scalefit.core.law import Law
from scalefit.core.objective import Objective
from scalefit.core.search import Found, pad, search
from scalefit.fits.criteria import log_likelihood
from scalefit.fits.status import Caution
from scalefit.runs.binding import searched

__all__ = ["hold_open_ends"]

# Runs tell an end where the best one gains three standard errors over the one held, in twice the
# log-likelihood.
TOLD = 9.0
# An end that depends on other coefficients is held, and these are searched anew, until it stays.
TURNS, STAYS = 30, 1e-6


def hold_open_ends(
    law: Law,
    data: Data,
    objective: Objective,
    found: Found,
    method: str = "auto",
    n_starts: int | None = None,
) -> tuple[Law, Found, tuple[Caution, ...]]:
    """The law with the ends held that these runs do not tell, its search, and what to say of it.

    The best end often lies a hair beyond the runs, where it foretells a flat line for all larger ones,
    although one far away fits as well.
    """
    if not any(c.end for c in law.coefs):
        return law, found, ()
    least = {name: np.min(column[data.counted]) for name, column in data.x.items()}
    least["y"] = np.min(data.y[data.counted])
    ends = {c.name: c for c in law.coefs if c.end and set(arguments(c.end)) <= {*least, *law.names}}
    if not ends:
        return law, found, ()
    free = coefs = _natural(law, found)
    held: dict[str, float] = {}
    best, other, rows = found, law, pad([searched(law, data)], law)
    for _ in range(TURNS):
        known = least | coefs | held
        now = {n: float(c.end(**{a: known[a] for a in arguments(c.end)})) for n, c in ends.items() if c.end}
        if not all(value in ends[name].support for name, value in now.items()):
            return law, found, ()
        if held and all(abs(now[name] - value) <= STAYS * abs(value) for name, value in held.items()):
            break
        begin = best.ends.u[[best.best]] if held else None
        held, other = now, law.fix(**now)
        best = search(other, rows, objective, begin, method, n_starts)
        coefs = _natural(other, best)
    best = search(
        other, rows, objective, None, method, n_starts
    )  # from all starts again, for the status to say how many agree
    n, value = len(data.counted), (f.ends.value[f.best] for f in (found, best))
    before, after = (log_likelihood(objective, n, float(v)) for v in value)
    if not 2 * (before - after) <= TOLD * len(held):
        return law, found, ()
    said = (
        Caution(
            "open-end",
            "warning",
            f"these runs do not tell {name} ({coef.meaning}): {free[name]:.4g} fits best, but "
            f"{held[name]:.4g}, where it is held, as well within their scatter; an end just beyond them "
            f"would foretell no change; add larger runs, or hold it where you know it, law.fix({name}=...)",
        )
        for name, coef in ends.items()
    )
    return other, best, tuple(said)


def _natural(law: Law, found: Found) -> dict[str, float]:
    u = found.ends.u[found.best]
    return {c.name: c.support.inside(v) for c, v in zip(law.coefs, u, strict=True)}
