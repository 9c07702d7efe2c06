"""The classical ways to an optimal size: minima of isoFLOP profiles (approach 2), envelope of curves (1), a joint law (3).

sf.isoflop(runs, budget="flops")
sf.three_ways(runs, budget="flops")
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.polynomial.polynomial import polyfit, polyval
from scipy.interpolate import Akima1DInterpolator

from scalefit import laws
from scalefit.arguments import check_level, one_positive, positive, whole
from scalefit.core.data import Data
from scalefit.decisions.allocation import closed
from scalefit.decisions.recipe import ends
from scalefit.fits.fitting import fit as fit_law
from scalefit.frames import frame
from scalefit.runs import tables
from scalefit.runs.binding import OUTPUTS, bind
from scalefit.uncertainty.bootstrap import bootstrap
from scalefit.words import short

__all__ = ["METHODS", "IsoFlop", "envelope", "isoflop", "three_ways"]

METHODS = ("parabola", "cubic", "akima")
# Sizes of one budget that each method needs: one more than a polynomial has coefficients, so that errors show.
LEAST = {"parabola": 4, "cubic": 5, "akima": 4}
# 6 N D of one budget differ by less than this factor from one run to the next.
TOGETHER = 1.15
LAW = laws.get("chinchilla")
PLACES = 2001
# Budgets along an envelope, per decade.
PER_DECADE = 100


@dataclass(frozen=True, eq=False)
class IsoFlop:
    """Optimal size and tokens as powers of compute, from one minimum per budget.

    points: a frame, one row per budget: C, N, D, ratio, loss at the minimum; sd, standard deviation of log N there;
    rows; used, and why not where it is not. coefs: N_0, a of N* = N_0 C^a and D_0, b of D* = D_0 C^b; draws: the same
    for every draw (n_draws, 4), NaN where a draw gave nothing. level: of the intervals.
    """

    method: str
    points: Any
    coefs: Mapping[str, float]
    draws: np.ndarray
    level: float

    def interval(self, name: str, level: float | None = None) -> tuple[float, float]:
        """Percentiles of the draws of N_0, a, D_0 or b."""
        level = self.level if level is None else level
        check_level(level)
        if name not in self.coefs:
            raise ValueError(f"there is no {name!r}; there are {', '.join(self.coefs)}")
        k = list(self.coefs).index(name)
        return _ends(self.draws[:, k], level, (0.0 if name in ("N_0", "D_0") else -np.inf, np.inf))

    def predict(self, C: Any):
        """N, D and their ratio at budgets C, with the interval of each."""
        lines = []
        for c in positive("C", C):
            N, D = (self.draws[:, k] * c ** self.draws[:, k + 1] for k in (0, 2))
            point = self.coefs["N_0"] * c ** self.coefs["a"], self.coefs["D_0"] * c ** self.coefs["b"]
            line = {"C": float(c), "N": point[0], "D": point[1], "ratio": point[1] / point[0]}
            for name, drawn in (("N", N), ("D", D), ("ratio", D / N)):
                line[f"{name}_lo"], line[f"{name}_hi"] = _ends(drawn, self.level, (0.0, np.inf))
            lines.append(line)
        return frame(lines)

    def __repr__(self) -> str:
        out = [
            f"Optimal size by {self.method}: {int(self.points['used'].sum())} of {len(self.points)} budgets used"
        ]
        for budget, why in zip(self.points["C"], self.points["why"], strict=True):
            if why:
                out.append(f"  C = {budget:.3g} left out: {why}")
        for name, power in (("N", "a"), ("D", "b")):
            lo, hi = self.interval(power)
            out.append(f"  {name}* ~ C^{self.coefs[power]:.3f} ({self.level:.0%}: {lo:.3f} to {hi:.3f})")
        if self.method == "parabola":
            out.append("  a parabola is biased where loss rises faster on one side of the minimum than on the other, or the "
                       "sweep is off centre: compare method=\"cubic\" or \"akima\", or fit a law of N and D")  # fmt: skip
        return "\n".join(out)


def isoflop(runs: Any, inputs: Mapping[str, str] | None = None, y: str | None = None, budget: str | None = None, *,
            method: str = "parabola", level: float = 0.9, noise: float | None = None, n_draws: int = 1000,
            key: int = 0) -> IsoFlop:  # fmt: skip
    """Approach 2: per budget the size with the lowest loss, then powers of the budget through these.

    runs: a table with N, D and loss, several sizes per budget. inputs, y: their columns, as in `sf.fit`. budget: the column with the
    budget in FLOPs; runs whose 6 N D nearly agree are one budget where left out. method: what is drawn through the
    losses over log N: "parabola", "cubic", or "akima" (through every point, noise included). noise: standard deviation of the log of a loss;
    where left out it is told by how far runs lie off the curve through their neighbours. Every draw adds such noise to all
    losses and does everything anew. Minima count by the inverse of their variance (Porian et al. 2024, arXiv:2406.19146).

    A budget is left out, and the result says why, where it has too few sizes, where the curve has no minimum, or where the minimum
    lies outside the sizes run or at the last of them. Raises ValueError where fewer than two budgets remain.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {short(method)}")
    data, groups = _budgets(runs, inputs, y, budget)
    n_draws = whole(n_draws, "n_draws", 2)
    check_level(level)
    logs = [(np.log(data.x["N"][rows]), np.log(data.y[rows])) for _, rows in groups]
    enough = [len(np.unique(n)) >= LEAST[method] for n, _ in logs]
    if noise is None:
        noise = _noise(logs)
    elif isinstance(noise, str) or not 0 <= noise < np.inf:
        raise ValueError(f"noise must be a number of at least 0, got {short(noise)}")
    chance = np.random.default_rng(key)
    lines, minima = [], []
    for (C, rows), (n, loss), kept in zip(groups, logs, enough, strict=True):
        line = {
            "C": C,
            "N": np.nan,
            "D": np.nan,
            "ratio": np.nan,
            "loss": np.nan,
            "sd": np.nan,
            "rows": len(rows),
        }
        why = "" if kept else f"{len(np.unique(n))} sizes, {method} needs {LEAST[method]}"
        if kept:
            at, least = (float(part[0]) for part in _minimum(n, loss[:, None], method))
            why = _outside(at, n)
        if not why:
            shaken = loss[:, None] + noise * chance.standard_normal((len(loss), n_draws))
            drawn = _minimum(n, shaken, method)[0]
            lost = float(np.mean(np.isnan(drawn)))
            if lost > 0.2:
                why = f"noise of {noise:.2g} moves the minimum out of the sweep in {lost:.0%} of draws"
            else:
                N, D = float(np.exp(at)), _tokens(data, rows, at)
                # No closer than a third of the step between sizes: the sizes run do not say more.
                step = np.median(np.diff(np.unique(n)))
                sd = max(float(np.nanstd(drawn)), step / 3)
                line |= {"N": N, "D": D, "ratio": D / N, "loss": float(np.exp(least)), "sd": sd}
                minima.append((C, at, np.log(D), sd, np.where(np.isnan(drawn), at, drawn)))
        lines.append({**line, "used": not why, "why": why})
    if len(minima) < 2:
        reasons = "; ".join(f"C = {line['C']:.3g}: {line['why']}" for line in lines if line["why"])
        raise ValueError(
            "fewer than two budgets have a minimum inside their sweep "
            f"({reasons or 'all runs are of one budget'}); run more sizes per budget"
        )
    return _powers(method, frame(lines), minima, level)


def envelope(runs: Any, run: str, inputs: Mapping[str, str] | None = None, y: str | None = None, *, level: float = 0.9,
             n_draws: int = 200, key: int = 0) -> IsoFlop:  # fmt: skip
    """Approach 1: the lowest loss of any training curve at every budget, and powers of the budget through the winners.

    runs: a table of points on training curves (N, D, loss); run: the column that says which curve. Curves are interpolated in logs
    at 100 budgets per decade; budgets that only one curve reaches, or that the smallest or the largest size wins, are left
    out. Every draw takes whole curves with replacement. Curves under a decaying rate are not finished runs, and bias this.
    """
    n_draws = whole(n_draws, "n_draws", 2)
    check_level(level)
    data, _, _ = bind(LAW, runs, inputs, y, run, None, OUTPUTS["loss"].objective)
    curves = []
    for label in np.unique(np.asarray(data.group)):
        rows = np.flatnonzero(data.group == label)
        C = np.log(6 * data.x["N"][rows] * data.x["D"][rows])
        order = np.argsort(C)
        curves.append((C[order], np.log(data.y[rows][order]), float(np.log(data.x["N"][rows[0]]))))
    lo, hi = min(c[0][0] for c in curves), max(c[0][-1] for c in curves)
    places = np.linspace(lo, hi, max(2, int((hi - lo) / np.log(10) * PER_DECADE)))
    table = np.stack([np.interp(places, C, loss, left=np.inf, right=np.inf) for C, loss, _ in curves])
    sizes = np.array([n for _, _, n in curves])

    def powers(chosen):
        losses, n = table[chosen], sizes[chosen]
        winner = n[np.argmin(losses, axis=0)]
        kept = (np.isfinite(losses).sum(axis=0) > 1) & (winner > n.min()) & (winner < n.max())
        if len(np.unique(winner[kept])) < 2:
            return None
        return kept, winner, np.min(losses, axis=0), np.polyfit(places[kept], winner[kept], 1)

    found = powers(np.arange(len(curves)))
    if found is None:
        raise ValueError(
            "no two sizes between the smallest and the largest win a budget; an envelope needs more curves"
        )
    kept, winner, least, (a, log_N0) = found
    chance = np.random.default_rng(key)
    drawn = [powers(chance.integers(0, len(curves), len(curves))) for _ in range(n_draws)]
    coefs = [(np.nan,) * 4 if fit is None else _both(*fit[3]) for fit in drawn]
    lines = [{"C": float(np.exp(c)), "N": float(np.exp(n)), "D": float(np.exp(c - n) / 6), "ratio": float(np.exp(c - 2 * n) / 6),
              "loss": float(np.exp(v)), "used": bool(k), "why": ""}
             for c, n, v, k in zip(places, winner, least, kept, strict=True)]  # fmt: skip
    point = dict(zip(("N_0", "a", "D_0", "b"), _both(a, log_N0), strict=True))
    return IsoFlop("envelope", frame(lines), point, np.array(coefs), level)


def three_ways(runs: Any, inputs: Mapping[str, str] | None = None, y: str | None = None, budget: str | None = None, *,
               run: str | None = None, C: float | None = None, level: float = 0.9, n_draws: int = 400, key: int = 0):  # fmt: skip
    """The three approaches of Hoffmann et al. 2022 side by side, the second by parabola, cubic and Akima's interpolation.

    A frame with one row per approach: a and b of N* ~ C^a and D* ~ C^b with their intervals, N, D and ratio at budget C (the
    largest in the runs unless given) with theirs, and note: why an approach gave nothing. run: the column that says which training curve a row
    belongs to; without it approach 1 is left out. Approach 3 is `sf.fit("chinchilla", ...)` with a bootstrap.
    """
    # What is wrong with the request is no fault of an approach.
    n_draws = whole(n_draws, "n_draws", 2)
    check_level(level)
    if run is not None:
        tables.find(tables.columns_of(runs), run, "run")
    _, groups = _budgets(runs, inputs, y, budget)
    C = max(c for c, _ in groups) if C is None else one_positive("C", C)
    ways: dict[str, Any] = {}
    if run is not None:
        ways["1 envelope"] = lambda: envelope(runs, run, inputs, y, level=level, n_draws=n_draws, key=key)
    for method in METHODS:
        ways[f"2 {method}"] = lambda method=method: isoflop(
            runs, inputs, y, budget, method=method, level=level, n_draws=n_draws, key=key
        )
    ways["3 joint law"] = lambda: _joint(runs, inputs, y, level, n_draws, key)
    lines = []
    for name, way in ways.items():
        try:
            found = way()
        except ValueError as error:
            lines.append({"approach": name, "note": str(error)})
            continue
        line: dict[str, Any] = {"approach": name}
        for power in ("a", "b"):
            line[power] = found.coefs[power]
            line[f"{power}_lo"], line[f"{power}_hi"] = found.interval(power)
        lines.append({**line, **found.predict(C).iloc[0].to_dict(), "note": ""})
    table = frame(lines)
    # An approach that gave nothing knows no other columns.
    return table[[*(name for name in table if name != "note"), "note"]]


def _joint(runs, inputs, y, level, n_draws, key) -> IsoFlop:
    """Approach 3: a = beta / (alpha + beta), and N* = G (C / 6)^a."""
    fit = bootstrap(fit_law(LAW, runs, inputs, y, key=key), n_draws, key)

    def powers(c):
        # N* at C = 1 is N_0.
        return _both(c["beta"] / (c["alpha"] + c["beta"]), np.log(closed(c, np.ones(()))))

    assert fit.draws is not None
    drawn = {c.name: c.support.from_real(v, xp=np) for c, v in zip(fit.law.coefs, fit.draws.u.T, strict=True)}
    point = dict(zip(("N_0", "a", "D_0", "b"), powers(fit.coefs), strict=True))
    return IsoFlop(
        "joint law",
        frame([{"C": np.nan, "used": True, "why": ""}]),
        point,
        np.stack(powers(drawn), axis=1),
        level,
    )


def _ends(values: np.ndarray, level: float, unknown: tuple[float, float]) -> tuple[float, float]:
    """Percentiles of draws; those that gave nothing (NaN) may lie at either end."""
    if np.isnan(values).any():
        return ends(values, level, unknown)
    lo, hi = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(lo), float(hi)


def _both(a, log_N0):
    """N_0, a and, as 6 N* D* = C, D_0 = 1 / (6 N_0), b = 1 - a."""
    return np.exp(log_N0), a, np.exp(-log_N0) / 6, 1 - a


def _budgets(runs, inputs, y, budget) -> tuple[Data, list[tuple[float, np.ndarray]]]:
    """Checked columns and the rows of every budget, ascending."""
    data, _, _ = bind(LAW, runs, inputs, y, None, None, OUTPUTS["loss"].objective, 2)
    if budget is not None:
        table = tables.columns_of(runs)
        values = tables.numbers(
            table[tables.find(table, budget, "budget")], f"column {budget!r} (budget)", "positive"
        )
        return data, [(float(c), np.flatnonzero(values == c)) for c in np.unique(values)]
    log_C = np.log(6 * data.x["N"] * data.x["D"])
    order = np.argsort(log_C)
    parts = np.split(order, np.flatnonzero(np.diff(log_C[order]) > np.log(TOGETHER)) + 1)
    return data, [(float(np.exp(np.mean(log_C[rows]))), rows) for rows in parts]


def _minimum(n: np.ndarray, loss: np.ndarray, method: str) -> tuple[np.ndarray, np.ndarray]:
    """log N and log loss at the minimum over the sizes run, for losses (sizes, draws); NaN where none lies inside them."""
    centre, reach = (n.max() + n.min()) / 2, (n.max() - n.min()) / 2
    order = np.argsort(n)
    t, loss = (n[order] - centre) / reach, loss[order]
    places = np.linspace(t[0], t[-1], PLACES)
    if method == "akima":
        # Sizes run twice count by their best run.
        t, first = np.unique(t, return_index=True)
        values = Akima1DInterpolator(t, np.minimum.reduceat(loss, first, axis=0))(places)
    else:
        values = polyval(places, polyfit(t, loss, 2 if method == "parabola" else 3)).T
    k = np.argmin(values, axis=0)
    inside = (k > 0) & (k < PLACES - 1)
    # The parabola through the best place and its neighbours gives the digits between places.
    before, here, after = (values[np.clip(k + step, 0, PLACES - 1), np.arange(len(k))] for step in (-1, 0, 1))
    bend = before - 2 * here + after
    shift = np.where(bend > 0, (before - after) / (2 * np.where(bend > 0, bend, 1.0)), 0.0)
    at = centre + reach * (places[k] + shift * (places[1] - places[0]))
    return np.where(inside, at, np.nan), np.where(inside, here, np.nan)


def _outside(at: float, n: np.ndarray) -> str:
    if np.isnan(at):
        return "no minimum inside the sizes run"
    sizes = np.unique(n)
    if not sizes[1] / 2 + sizes[0] / 2 <= at <= sizes[-2] / 2 + sizes[-1] / 2:
        return "the minimum lies next to the last size run"
    return ""


def _tokens(data: Data, rows: np.ndarray, at: float) -> float:
    """D at the minimum: between the tokens of the runs around it, in logs."""
    n, d = np.log(data.x["N"][rows]), np.log(data.x["D"][rows])
    order = np.argsort(n)
    return float(np.exp(np.interp(at, n[order], d[order])))


def _noise(logs) -> float:
    """Standard deviation of the log of a loss: every run against the cubic through its four neighbours in size.

    Smooth curves leave nothing there, whatever their shape (differences of order four; Gasser et al. 1986). Pooled over budgets by the
    median; 0 where no budget has five sizes.
    """
    off = []
    for n, loss in logs:
        order = np.argsort(n)
        t, v = n[order], loss[order]
        for k in range(2, len(t) - 2):
            near = [k - 2, k - 1, k + 1, k + 2]
            if len(np.unique(t[near])) < 4:
                continue
            share = [np.prod([(t[k] - t[j]) / (t[i] - t[j]) for j in near if j != i]) for i in near]
            off.append((v[k] - np.dot(share, v[near])) / np.sqrt(1 + np.dot(share, share)))
    return float(np.median(np.abs(off)) / 0.6745) if off else 0.0


def _powers(method: str, points, minima, level: float) -> IsoFlop:
    C, n, d, sd, drawn = (np.array(part) for part in zip(*minima, strict=True))
    log_C = np.log(C)

    def line(values):
        slope, height = np.polyfit(log_C, values, 1, w=1 / sd)
        return np.exp(height), slope

    point = (*line(n), *line(d))
    # Along a budget log D moves against log N one to one, whatever counts as a FLOP.
    draws = np.array([(*line(one), *line(d - (one - n))) for one in drawn.T])
    return IsoFlop(
        method, points, dict(zip(("N_0", "a", "D_0", "b"), map(float, point), strict=True)), draws, level
    )
