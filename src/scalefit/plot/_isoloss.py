"""Lines of equal loss over size and tokens, the frontier of best runs, and a planned one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scalefit.arguments import by_name, one_positive
from scalefit.decisions.optimal import optimal
from scalefit.flops import Cost, six_nd
from scalefit.plot.axes import (
    COLORS,
    DIM,
    QUIET,
    axes,
    caption,
    dress,
    label,
    log_axis,
    ramp,
    short,
    styled,
    text_size,
)
from scalefit.plot.checks import check_fit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from scalefit.fits.ensemble import Ensemble
    from scalefit.fits.fit import Fit

__all__ = ["IsoLoss", "data", "draw", "isoloss"]

PLACES, BUDGETS, LINES = 121, 61, 9
# How far beyond the runs the picture reaches, as a factor.
ROOM = 2.0


class IsoLoss(NamedTuple):
    """What `draw` needs: the loss (D, N) on a grid, the runs, the frontier, the plan, and the words.

    C: budgets of the frontier; inside: whether they lie among those of the runs. plan: N and D, or None.
    """

    N: np.ndarray
    D: np.ndarray
    loss: np.ndarray
    levels: np.ndarray
    runs_N: np.ndarray
    runs_D: np.ndarray
    C: np.ndarray
    best_N: np.ndarray
    best_D: np.ndarray
    inside: np.ndarray
    cost: np.ndarray
    plan: tuple[float, float] | None
    plan_loss: float
    x_label: str
    y_label: str
    title: str


def isoloss(
    fit: Fit | Ensemble,
    plan: Mapping[str, float] | None = None,
    ax: Axes | None = None,
    *,
    C: float | None = None,
    flops: Cost = six_nd,
    at: Mapping[str, float] | None = None,
    title: bool | str = True,
    legend: bool = True,
) -> Axes:
    """Lines of equal loss over size and tokens, with the runs, the best run for every budget, and a plan.

    Dotted lines are runs of equal cost. The frontier is dashed and paler beyond the budgets of the runs.

    Args:
        fit: a fit or an ensemble of a law of N and D.
        plan: a planned run, {"N": ..., "D": ...}, as a star with its loss.
        ax: matplotlib axes to draw on; new ones where left out.
        C: in place of a plan, a budget in FLOPs whose best run is the star.
        flops: what a run costs, as in `sf.optimal`.
        at: values of the law's other inputs; the runs' median where left out.
        title: False for none, or a text of one's own.
        legend: False for none.

    Returns:
        The axes.

    Raises:
        ValueError: for a law without N and D, plan and C together, and a plan that is none.
        TypeError: for what is no fit.
        ImportError: where matplotlib is missing.

    Example:
        >>> sf.plot.isoloss(fit, C=1e22).get_ylabel()
        'D (training tokens)'
    """
    return draw(data(fit, plan, C, flops, at), axes(ax), title=title, legend=legend)


def data(
    fit: Fit | Ensemble,
    plan: Mapping[str, float] | None = None,
    C: float | None = None,
    flops: Cost = six_nd,
    at: Mapping[str, float] | None = None,
) -> IsoLoss:
    """The arrays of the plot."""
    check_fit(fit)
    if not {"N", "D"} <= set(fit.law.inputs):
        raise ValueError(
            f"law {fit.law.name!r} is one of {', '.join(fit.law.inputs)}, and lines of equal loss are over N "
            "and D; see sf.plot.curve"
        )
    if plan is not None and C is not None:
        raise ValueError("give a planned run, plan={...}, or its budget, C=..., one of the two")
    counted = fit.data.weight > 0
    rows = {name: values[counted] for name, values in fit.data.x.items()}
    others = [name for name in fit.law.inputs if name not in ("N", "D")]
    held = {name: float(np.median(rows[name])) for name in others} | dict(by_name("at", at))
    star = _plan(fit, plan, C, flops, held)
    ends = {
        name: (
            min([rows[name].min(), *([star[k]] if star else [])]) / ROOM,
            max([rows[name].max(), *([star[k]] if star else [])]) * ROOM,
        )
        for k, name in enumerate(("N", "D"))
    }
    N, D = (np.geomspace(*ends[name], PLACES) for name in ("N", "D"))
    grid_N, grid_D = np.meshgrid(N, D)

    def loss_at(n: np.ndarray, d: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            x = {**{name: np.full(np.shape(n), value) for name, value in held.items()}, "N": n, "D": d}
            return np.asarray(fit.law(fit.coefs, x), float)

    loss = loss_at(grid_N, grid_D)
    cost = np.asarray(flops(grid_N, grid_D), float)
    spent = np.asarray(flops(rows["N"], rows["D"]), float)
    budgets = np.geomspace(cost.min(), cost.max(), BUDGETS)
    found = optimal(fit.law, budgets, flops, coefs=dict(fit.coefs), at=held)
    n, d = found["N"].to_numpy(float), found["D"].to_numpy(float)
    within = (ends["N"][0] <= n) & (n <= ends["N"][1]) & (ends["D"][0] <= d) & (d <= ends["D"][1])
    # Lines lie closer together where the loss is flat: at even shares of the picture.
    levels = np.unique([float(f"{v:.3g}") for v in np.quantile(loss, np.linspace(0.03, 0.97, LINES))])
    known = {"N": label(fit, "N"), "D": label(fit, "D")}
    note = ", ".join(f"{name} = {short(value)}" for name, value in held.items())
    return IsoLoss(
        N,
        D,
        loss,
        levels,
        rows["N"],
        rows["D"],
        budgets[within],
        n[within],
        d[within],
        ((budgets >= spent.min()) & (budgets <= spent.max()))[within],
        cost,
        star,
        float(loss_at(np.array(star[0]), np.array(star[1]))) if star else np.nan,
        known["N"],
        known["D"],
        f"{label(fit, 'y')} by {caption(fit)}" + (f"\nat {note}" if note else ""),
    )


@styled
def draw(data: IsoLoss, ax: Axes, *, title: bool | str, legend: bool) -> None:
    """Contours with their loss written on them, costs dotted, runs, frontier and plan on top."""
    text = text_size(ax)
    decades = np.arange(np.ceil(np.log10(data.cost.min())), np.floor(np.log10(data.cost.max())) + 1)
    ax.contour(data.N, data.D, np.log10(data.cost), decades, colors="0.75", linestyles=":", linewidths=0.8)
    lines = ax.contour(
        data.N, data.D, data.loss, data.levels, colors=ramp(len(data.levels)), linewidths=0.12 * text
    )
    log_axis(ax.xaxis, float(data.N[0]), float(data.N[-1]))
    log_axis(ax.yaxis, float(data.D[0]), float(data.D[-1]))
    ax.set_xlim(data.N[0], data.N[-1])
    ax.set_ylim(data.D[0], data.D[-1])
    for word in ax.clabel(lines, fmt=lambda value: f"{value:.4g}", fontsize=0.8 * text, inline_spacing=2):
        word.set_clip_on(True)
    ax.plot(
        data.runs_N,
        data.runs_D,
        "o",
        color=QUIET,
        markeredgecolor="white",
        markersize=0.4 * text,
        label="runs",
    )
    ax.plot(data.best_N, data.best_D, "--", color=COLORS[1], alpha=DIM, linewidth=0.12 * text)
    ax.plot(
        np.where(data.inside, data.best_N, np.nan), data.best_D, color=COLORS[1], label="best for its cost"
    )
    if data.plan is not None:
        ax.plot(
            *data.plan,
            "*",
            color=COLORS[1],
            markeredgecolor="black",
            markersize=1.3 * text,
            zorder=5,
            label=f"plan: {short(data.plan[0])}, {short(data.plan[1])}, loss {data.plan_loss:.4g}",
        )
    ax.plot([], [], ":", color="0.6", label="equal cost (decades)")
    dress(ax, data.x_label, data.y_label, data.title, title, legend, beside=True)
    ax.grid(False)


def _plan(fit, plan, C, flops: Cost, held: Mapping[str, float]) -> tuple[float, float] | None:
    """N and D of the star."""
    if C is not None:
        best = optimal(fit.law, one_positive("C", C), flops, coefs=dict(fit.coefs), at=held).iloc[0]
        return float(best["N"]), float(best["D"])
    if plan is None:
        return None
    given: Mapping[str, Any] = by_name("plan", plan)
    names = {name: name if name in given else fit.columns.get(name, name) for name in ("N", "D")}
    for name, own in names.items():
        if own not in given:
            raise ValueError(f"plan must give N and D, as in {{'N': 7e9, 'D': 1.4e11}}; it has no {name}")
    N, D = (one_positive(f"plan: {own}", given[own]) for own in names.values())
    return N, D
