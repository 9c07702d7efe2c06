"""The three approaches of Hoffmann et al. 2022 to an optimal size side by side:
envelope, isoFLOP profiles, joint law.

sf.three_ways(runs, budget="flops")
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from scalefit.arguments import check_choice, check_key, check_level, one_positive, whole
from scalefit.decisions import sweeps
from scalefit.decisions.allocation import closed
from scalefit.decisions.envelope import of_curves
from scalefit.decisions.isoflop import METHODS, OUTLIERS, IsoFlop, both, by_method, judged
from scalefit.decisions.sweeps import LAW
from scalefit.fits.fitting import fit
from scalefit.frames import Frame, frame
from scalefit.runs import tables
from scalefit.uncertainty.bootstrap import bootstrap

__all__ = ["three_ways"]


def three_ways(
    runs: Any,
    inputs: Mapping[str, str] | None = None,
    y: str | None = None,
    budget: str | None = None,
    *,
    run: str | None = None,
    C: float | None = None,
    level: float = 0.9,
    n_draws: int = 400,
    key: int = 0,
    outliers: str = "apart",
) -> Frame:
    """The three approaches of Hoffmann et al. 2022 side by side.

    The second is taken by parabola, cubic and Akima's interpolation.

    Args:
        runs: a table with N, D and loss; columns as in `isoflop`.
        inputs: columns of N and D.
        y: the column of losses.
        budget: the column of budgets, as in `isoflop`: any unit, converted to FLOPs of 6 N D.
        run: the column that says which training curve a row belongs to; without it approach 1 is left out.
        C: where N, D and ratio are stated, 6 N D in FLOPs; the largest budget in the runs unless given.
        level: of the intervals.
        n_draws: how many draws.
        key: of the draws.
        outliers: "apart", or "keep", as in `isoflop`; runs set apart are left out of approach 3 too.

    Returns:
        A frame with one row per approach: a and b of N* ~ C^a and D* ~ C^b with their intervals; N, D and
        ratio at budget C with theirs; caution, codes of what was found; note, that in words, and why an
        approach gave nothing. Approach 3 is `sf.fit("chinchilla", ...)` with a bootstrap. All count C as 6 N
        D in FLOPs.

    Raises:
        ValueError: as `isoflop` for the table; what a single approach finds wanting is its note.

    Example:
        >>> import numpy as np
        >>> import scalefit as sf
        >>> C = np.repeat([1e18, 1e19, 1e20], 7)
        >>> N = 0.1 * C**0.5 * np.tile(np.geomspace(1 / 8, 8, 7), 3)
        >>> even = {"E": 1.8, "A": 480.0, "B": 2000.0, "alpha": 0.35, "beta": 0.35}
        >>> runs = sf.simulate(sf.laws.chinchilla, even, {"N": N, "D": C / 6 / N}, noise=0.001)
        >>> sf.three_ways(runs, n_draws=20)["approach"].tolist()
        ['2 parabola', '2 cubic', '2 akima', '3 joint law']
    """
    # What is wrong with the request is no fault of an approach.
    check_choice(outliers, "outliers", OUTLIERS)
    keep = outliers == "keep"
    n_draws, key = whole(n_draws, "n_draws", 2), check_key(key)
    check_level(level)
    if run is not None:
        tables.find(tables.columns_of(runs), run, "run")
    sweep = sweeps.budgets(runs, inputs, y, budget, run)
    kept = judged(sweep, keep)
    C = sweep.groups[-1][0] if C is None else one_positive("C", C)
    _same_unit(C, sweep, budget)
    odd = np.setdiff1d(kept.sweep.apart, sweep.apart).astype(int)
    table = {name: np.delete(column, odd) for name, column in sweep.table.items()}
    ways: dict[str, Any] = {}
    if run is not None:
        ways["1 envelope"] = lambda: of_curves(sweep.data, level, n_draws, key, keep)
    for method in METHODS:
        ways[f"2 {method}"] = lambda method=method: by_method(kept, method, level, None, n_draws, key)
    ways["3 joint law"] = lambda: replace(_joint(table, level, n_draws, key), warnings=kept.sweep.cautions)
    lines = []
    for name, way in ways.items():
        try:
            found = way()
        except ValueError as error:
            lines.append({"approach": name, "caution": "", "note": str(error)})
            continue
        line: dict[str, Any] = {"approach": name}
        for power in ("a", "b"):
            line[power] = found.coefs[power]
            line[f"{power}_lo"], line[f"{power}_hi"] = found.interval(power)
        codes = ", ".join(dict.fromkeys(caution.code for caution in found.warnings))
        note = "; ".join([*(caution.text for caution in found.warnings), *sweep.notes])
        lines.append({**line, **found.predict(C).iloc[0].to_dict(), "caution": codes, "note": note})
    answer = frame(lines)
    # An approach that gave nothing knows no other columns.
    last = ["caution", "note"]
    return answer[[*(name for name in answer if name not in last), *last]]


def _same_unit(C: float, sweep: sweeps.RunsByBudget, budget: str | None) -> None:
    """ValueError for a budget that was given in the column's unit, thousands of times from FLOPs."""
    if abs(np.log10(sweep.unit)) < 3 or not np.isfinite(sweep.unit):
        return
    lo, hi = sweep.groups[0][0], sweep.groups[-1][0]
    if not lo / 1e3 < C < hi * 1e6 and lo / 1e3 < C * sweep.unit < hi * 1e6:
        raise ValueError(
            f"C is 6 N D in FLOPs, and {C:.4g} of column {budget!r} are {C * sweep.unit:.4g}; "
            f"give C={C * sweep.unit:.4g}"
        )


def _joint(runs, level, n_draws, key) -> IsoFlop:
    """Approach 3: a = beta / (alpha + beta), and N* = G (C / 6)^a."""
    found = bootstrap(fit(LAW, runs, key=key), n_draws, key)

    def powers(c):
        # N* at C = 1 is N_0.
        return both(c["beta"] / (c["alpha"] + c["beta"]), np.log(closed(c, np.ones(()))))

    assert found.draws is not None
    drawn = {
        c.name: c.support.from_real(v, xp=np) for c, v in zip(found.law.coefs, found.draws.u.T, strict=True)
    }
    point = dict(zip(("N_0", "a", "D_0", "b"), map(float, powers(found.coefs)), strict=True))
    return IsoFlop(
        "joint law",
        frame([{"C": np.nan, "used": True, "why": ""}]),
        point,
        np.stack(powers(drawn), axis=1),
        level,
    )
