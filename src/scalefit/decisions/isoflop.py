"""The optimal size by the minima of isoFLOP profiles, approach 2 of Hoffmann et al. 2022.

sf.isoflop(runs, budget="flops")

C is 6 N D in FLOPs in every answer, whatever the unit of the column of budgets (see `sweeps`),
so the approaches can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.polynomial.polynomial import polyfit, polyval
from scipy.interpolate import Akima1DInterpolator

from scalefit.arguments import check_choice, check_key, check_level, positive, whole
from scalefit.core.data import Data
from scalefit.decisions import sweeps
from scalefit.fits.joint import ends
from scalefit.fits.pictured import Pictured
from scalefit.fits.status import Caution
from scalefit.frames import Frame, frame
from scalefit.words import row_words, short

__all__ = ["METHODS", "OUTLIERS", "IsoFlop", "Judged", "both", "by_method", "isoflop", "judged", "through"]

METHODS = ("parabola", "cubic", "akima")
# Sizes of one budget that each method needs:
# one more than a polynomial has coefficients, so that errors show.
LEAST = {"parabola": 4, "cubic": 5, "akima": 4}
PLACES = 2001
# Runs closer than this to their curve are no concern, in log loss.
MISFIT = 1e-3
# What is done with runs far off the others.
OUTLIERS = ("apart", "keep")


@dataclass(frozen=True, eq=False)
class IsoFlop(Pictured):
    """Optimal size and tokens as powers of compute, from one minimum per budget.

    points: a frame, one row per budget: C, N, D, ratio, loss at the minimum; sd, standard deviation of log N
    there; rows; used, and why not where it is not; residual, the runs' usual distance from the curve in log
    loss. coefs: N_0, a of N* = N_0 C^a and D_0, b of D* = D_0 C^b; draws: the same for every draw (n_draws,
    4), NaN where a draw gave nothing. level: of the intervals. apart: rows that are set apart (of an
    envelope: curves), which the warnings name. warnings: cautions with the codes "outliers", "off-budget",
    "budget-units", "odd-units", "misfit". notes: what was guessed. runs: what the minima were found in, as
    arrays of one length: row, C, N, D, loss, apart (whether set apart), and budget, the place in `points`; of
    an envelope curve, the label, in its stead. columns: where they came from.
    """

    method: str
    points: Frame
    coefs: Mapping[str, float]
    draws: np.ndarray
    level: float
    apart: tuple[Any, ...] = ()
    warnings: tuple[Caution, ...] = ()
    notes: tuple[str, ...] = ()
    runs: Mapping[str, np.ndarray] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)

    def interval(self, name: str, level: float | None = None) -> tuple[float, float]:
        """Percentiles of the draws of N_0, a, D_0 or b."""
        level = self.level if level is None else level
        check_level(level)
        check_choice(name, "name", tuple(self.coefs))
        k = list(self.coefs).index(name)
        return ends(self.draws[:, k], level, (0.0 if name in ("N_0", "D_0") else -np.inf, np.inf))

    def predict(self, C: Any) -> Frame:
        """N, D and their ratio at budgets C = 6 N D in FLOPs, with the interval of each."""
        lines = []
        for c in positive("C", C):
            N, D = (self.draws[:, k] * c ** self.draws[:, k + 1] for k in (0, 2))
            point = self.coefs["N_0"] * c ** self.coefs["a"], self.coefs["D_0"] * c ** self.coefs["b"]
            line = {"C": float(c), "N": point[0], "D": point[1], "ratio": point[1] / point[0]}
            for name, drawn in (("N", N), ("D", D), ("ratio", D / N)):
                line[f"{name}_lo"], line[f"{name}_hi"] = ends(drawn, self.level, (0.0, np.inf))
            lines.append(line)
        return frame(lines)

    def __repr__(self) -> str:
        out = [
            f"Optimal size by {self.method}: {int(self.points['used'].sum())} "
            f"of {len(self.points)} budgets used"
        ]
        for budget, why in zip(self.points["C"], self.points["why"], strict=True):
            if why:
                out.append(f"  C = {budget:.3g} left out: {why}")
        for name, power in (("N", "a"), ("D", "b")):
            lo, hi = self.interval(power)
            out.append(f"  {name}* ~ C^{self.coefs[power]:.3f} ({self.level:.0%}: {lo:.3f} to {hi:.3f})")
        out += [f"  {note}" for note in (*self.warnings, *self.notes)]
        if self.method == "parabola":
            out.append(
                "  a parabola is biased where loss rises faster on one side of the "
                "minimum than on the other, or the "
                'sweep is off centre: compare method="cubic" or "akima", or fit a law of N and D'
            )
        return "\n".join(out)


def isoflop(
    runs: Any,
    inputs: Mapping[str, str] | None = None,
    y: str | None = None,
    budget: str | None = None,
    *,
    method: str = "parabola",
    level: float = 0.9,
    noise: float | None = None,
    n_draws: int = 1000,
    key: int = 0,
    outliers: str = "apart",
) -> IsoFlop:
    """Approach 2: per budget the size with the lowest loss, then powers of the budget through these.

    A run far off the smooth surface of all budgets (`sweeps.off_surface`) is set apart, and the result names
    it: one run 3 % too high at the end of a sweep moves N* by a fifth at a thousand times the budget. Budgets
    whose runs lie farther off the curve than they scatter are said ("misfit").

    Args:
        runs: a table with N, D and loss, several sizes per budget. Without a column of tokens D = C / (6 N),
            from a column of budgets in FLOPs.
        inputs: columns of N and D, as in `sf.fit`.
        y: the column of losses, as there.
        budget: the column of budgets; runs whose 6 N D nearly agree are one budget where left out. Where it
            is a constant multiple of 6 N D (PF-days, measured FLOPs) it is converted and the result says so;
            where the factor changes it only says which runs belong together. C in every answer is 6 N D in
            FLOPs.
        method: what is drawn through the losses over log N:
            "parabola", "cubic", or "akima" (through every point, noise included).
        level: of the intervals.
        noise: standard deviation of the log of a loss; where left out it is told by how far runs lie off the
            curve through their neighbours, and off the surface. Every draw adds such noise to all losses and
            does everything anew.
        n_draws: how many draws.
        key: of the draws.
        outliers: "apart", or "keep" for runs that were checked and are right.

    Returns:
        An `IsoFlop`. Minima count by the inverse of their variance (Porian et al. 2024, arXiv:2406.19146). A
        budget is left out, and the result says why, where it has too few sizes, where the curve has no
        minimum, or where the minimum lies outside the sizes run or at the last of them.

    Raises:
        ValueError: fewer than two budgets remain; the column of budgets is none, or not as long as the runs.

    Example:
        >>> import numpy as np
        >>> import scalefit as sf
        >>> C = np.repeat([1e18, 1e19, 1e20], 7)
        >>> N = 0.1 * C**0.5 * np.tile(np.geomspace(1 / 8, 8, 7), 3)
        >>> even = {"E": 1.8, "A": 480.0, "B": 2000.0, "alpha": 0.35, "beta": 0.35}
        >>> runs = sf.simulate(sf.laws.chinchilla, even, {"N": N, "D": C / 6 / N}, noise=0.0)
        >>> round(sf.isoflop(runs).coefs["a"], 2)
        0.5
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {short(method)}")
    check_choice(outliers, "outliers", OUTLIERS)
    n_draws, key = whole(n_draws, "n_draws", 2), check_key(key)
    check_level(level)
    if noise is not None and (isinstance(noise, str) or not 0 <= noise < np.inf):
        raise ValueError(f"noise must be a number of at least 0, got {short(noise)}")
    return by_method(
        judged(sweeps.budgets(runs, inputs, y, budget), outliers == "keep"),
        method,
        level,
        noise,
        n_draws,
        key,
    )


@dataclass(frozen=True)
class Judged:
    """A sweep without the runs set apart, how far the others scatter about the surface,
    and those set apart by budget, in the order of the sweep's groups."""

    sweep: sweeps.RunsByBudget
    scatter: float
    odd: tuple[np.ndarray, ...] = ()


def judged(sweep: sweeps.RunsByBudget, keep: bool) -> Judged:
    """The sweep with runs far off the surface of all set apart, or kept, and named either way."""
    n, loss = np.log(sweep.data.x["N"]), np.log(sweep.data.y)
    rows = np.concatenate([part for _, part in sweep.groups])
    log_C = np.concatenate([np.full(len(part), np.log(c)) for c, part in sweep.groups])
    far, off, scale, spare = sweeps.outliers(n[rows], loss[rows], log_C)
    near = np.ones(len(rows), bool)
    near[far] = keep
    scatter = float(np.sqrt(np.sum(off[near] ** 2) / max(spare - np.sum(~near), 1)))
    if not len(far):
        return Judged(sweep, scatter)
    odd = np.sort(rows[far])
    worst = far[np.argmax(np.abs(off[far]))]
    by = f"{'' if len(far) == 1 else f'row {rows[worst]} '}by {np.expm1(off[worst]):+.1%}"
    done = "kept as asked" if keep else "set apart"
    text = (
        f"{row_words(odd)} {'lies' if len(far) == 1 else 'lie'} far off the curve of the others ({by}; "
        f"runs scatter by {scale:.2%}): "
        f"{done}; check {'that run' if len(far) == 1 else 'those runs'}"
    )
    said = (*sweep.cautions, Caution("outliers", "warning", text))
    if keep:
        return Judged(replace(sweep, cautions=said), scatter)
    groups = tuple((c, np.setdiff1d(part, odd)) for c, part in sweep.groups)
    apart = tuple(sorted((*sweep.apart, *odd.tolist())))
    by_budget = tuple(np.intersect1d(part, odd) for _, part in sweep.groups)
    return Judged(replace(sweep, groups=groups, apart=apart, cautions=said), scatter, by_budget)


def by_method(
    runs: Judged, method: str, level: float, noise: float | None, n_draws: int, key: int
) -> IsoFlop:
    """Powers of the budget through the minima by one method. noise: of log loss;
    what neighbours say unless given."""
    sweep, data = runs.sweep, runs.sweep.data
    logs = [(np.log(data.x["N"][rows]), np.log(data.y[rows])) for _, rows in sweep.groups]
    if noise is None:
        noise = max(_noise(logs), runs.scatter)
    chance = np.random.default_rng(key)
    lines, minima = [], []
    for (C, rows), (n, loss) in zip(sweep.groups, logs, strict=True):
        unknown = dict.fromkeys(("N", "D", "ratio", "loss", "sd", "residual"), np.nan)
        line: dict[str, Any] = {"C": C, **unknown, "rows": len(rows)}
        sizes = len(np.unique(n))
        why = "" if sizes >= LEAST[method] else f"{sizes} sizes, {method} needs {LEAST[method]}"
        if not why:
            at, least = (float(part[0]) for part in _minimum(n, loss[:, None], method))
            why = _outside(at, n)
            line["residual"] = _residual(n, loss, method)
        if not why:
            shaken = loss[:, None] + noise * chance.standard_normal((len(loss), n_draws))
            drawn = _minimum(n, shaken, method)[0]
            lost = float(np.mean(np.isnan(drawn)))
            if lost > 0.2:
                why = f"noise of {noise:.2g} moves the minimum out of the sweep in {lost:.0%} of draws"
            else:
                N, D = float(np.exp(at)), _tokens(data, rows, at)
                # A column that is no multiple of 6 N D only says which runs belong together.
                C = C if np.isfinite(sweep.unit) else 6 * N * D
                # No closer than a third of the step between sizes: the sizes run do not say more.
                step = np.median(np.diff(np.unique(n)))
                sd = max(float(np.nanstd(drawn)), step / 3)
                line |= {"C": C, "N": N, "D": D, "ratio": D / N, "loss": float(np.exp(least)), "sd": sd}
                minima.append((C, at, np.log(D), sd, np.where(np.isnan(drawn), at, drawn)))
        lines.append({**line, "used": not why, "why": why})
    if len(minima) < 2:
        out = [f"C = {line['C']:.3g}: {line['why']}" for line in lines if line["why"]]
        reasons = "; ".join([*out[:3], *([f"and {len(out) - 3} more"] if len(out) > 3 else [])])
        raise ValueError(
            "fewer than two budgets have a minimum inside their sweep "
            f"({reasons or 'all runs are of one budget'}); run more sizes per budget"
        )
    points = frame(lines)
    found = _powers(method, points, minima, level)
    said = (*sweep.cautions, *_misfit(points, _noise(logs), method))
    return replace(
        found,
        apart=sweep.apart,
        warnings=said,
        notes=sweep.notes,
        runs=_shown(runs, points),
        columns=sweep.columns,
    )


def _shown(runs: Judged, points: Frame) -> dict[str, np.ndarray]:
    """The runs by budget, those set apart beside those that count."""
    data = runs.sweep.data
    odd = runs.odd or tuple(np.zeros(0, int) for _ in runs.sweep.groups)
    parts = [np.concatenate([near, far]) for (_, near), far in zip(runs.sweep.groups, odd, strict=True)]
    row = np.concatenate(parts).astype(int)
    budget = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    N, D = data.x["N"][row], data.x["D"][row]
    return {
        "row": row,
        "budget": budget,
        "C": points["C"].to_numpy(float)[budget],
        "N": N,
        "D": D,
        "loss": data.y[row],
        "apart": np.isin(row, np.concatenate(odd)),
    }


def both(a, log_N0):
    """N_0, a and, as 6 N* D* = C, D_0 = 1 / (6 N_0), b = 1 - a."""
    return np.exp(log_N0), a, np.exp(-log_N0) / 6, 1 - a


def through(n: np.ndarray, loss: np.ndarray, at: np.ndarray, method: str) -> np.ndarray:
    """The curve through log losses (sizes, draws) over log sizes n, at other log sizes: (places, draws)."""
    centre, reach = (n.max() + n.min()) / 2, (n.max() - n.min()) / 2
    order = np.argsort(n)
    t, loss, places = (n[order] - centre) / reach, loss[order], (at - centre) / reach
    if method == "akima":
        # Sizes run twice count by their best run.
        t, first = np.unique(t, return_index=True)
        # Rounding may put an end just outside, where this curve has no value.
        inside = np.clip(places, t[0], t[-1])
        return Akima1DInterpolator(t, np.minimum.reduceat(loss, first, axis=0))(inside)
    return polyval(places, polyfit(t, loss, 2 if method == "parabola" else 3)).T


def _minimum(n: np.ndarray, loss: np.ndarray, method: str) -> tuple[np.ndarray, np.ndarray]:
    """log N and log loss at the minimum over the sizes run, for losses (sizes, draws);
    NaN where none lies inside them."""
    centre, reach = (n.max() + n.min()) / 2, (n.max() - n.min()) / 2
    places = np.linspace(-1, 1, PLACES)
    values = through(n, loss, centre + reach * places, method)
    k = np.argmin(values, axis=0)
    inside = (k > 0) & (k < PLACES - 1)
    # The parabola through the best place and its neighbours gives the digits between places.
    before, here, after = (values[np.clip(k + step, 0, PLACES - 1), np.arange(len(k))] for step in (-1, 0, 1))
    bend = before - 2 * here + after
    shift = np.where(bend > 0, (before - after) / (2 * np.where(bend > 0, bend, 1.0)), 0.0)
    at = centre + reach * (places[k] + shift * (places[1] - places[0]))
    return np.where(inside, at, np.nan), np.where(inside, here, np.nan)


def _residual(n: np.ndarray, loss: np.ndarray, method: str) -> float:
    """Standard deviation of log losses about the curve; none where it goes through every point."""
    if method == "akima":
        return 0.0
    degree = 2 if method == "parabola" else 3
    t = (n - n.mean()) / np.ptp(n)
    off = loss - polyval(t, polyfit(t, loss, degree))
    return float(np.sqrt(np.sum(off**2) / max(len(n) - degree - 1, 1)))


def _misfit(points, noise: float, method: str) -> tuple[Caution, ...]:
    """Budgets whose runs lie farther off their curve than neighbours off each other."""
    used = points[points["used"]]
    bad = used[(used["residual"] > 3 * noise) & (used["residual"] > MISFIT)] if noise > 0 else used[:0]
    if not len(bad):
        return ()
    other = '"cubic" or "akima"' if method == "parabola" else '"akima"'
    text = (
        f"runs lie {bad['residual'].max():.2%} off the {method} where neighbours scatter by {noise:.2%} "
        f"({len(bad)} of {len(used)} budgets): the "
        f"profiles have another shape, so minima are biased; compare method={other}, "
        "or leave out sizes far from the minimum"
    )
    return (Caution("misfit", "warning", text),)


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
    """Standard deviation of the log of a loss:
    every run against the cubic through its four neighbours in size.

    Smooth curves leave nothing there, whatever their shape (differences of order four; Gasser et al. 1986).
    Pooled over budgets; 0 where none has five sizes.
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
    return float(np.sqrt(np.mean(np.square(off)))) if off else 0.0


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
