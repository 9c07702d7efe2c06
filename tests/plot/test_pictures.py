"""Every picture: its arrays by numbers worked out here, its words, its refusals, and what it leaves alone."""

from __future__ import annotations

import doctest
import inspect
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import scalefit as sf
from scalefit.plot import (
    _backtest,
    _best_schedule,
    _compare,
    _corner,
    _crossover,
    _curve,
    _envelope,
    _fan,
    _forecast,
    _gate,
    _isoflop,
    _isoloss,
    _ledger,
    _mixture,
    _observed,
    _plan,
    _residuals,
    _specification,
    _sweep,
)
from scalefit.plot.axes import named, text_size, width

# alpha = beta and A = B: at every budget the best N equals D / 1, so N* = D* = sqrt(C / 6).
EVEN = {"E": 1.8, "A": 480.0, "B": 480.0, "alpha": 0.35, "beta": 0.35}
BUDGETS = np.geomspace(1e18, 1e20, 5)
C = np.repeat(BUDGETS, 7)
N = np.sqrt(C / 6) * np.tile(np.geomspace(1 / 8, 8, 7), 5)
STEPS = 2000
CURVE = {"L0": 2.7, "A": 0.6, "alpha": 0.45, "C": 0.7, "lam": 0.998}


@pytest.fixture(autouse=True)
def _no_figure_stays():
    from matplotlib import pyplot

    before = pyplot.get_fignums()
    yield
    pyplot.close("all")
    assert before == []


@pytest.fixture(scope="module")
def sweep():
    """Five budgets, seven sizes each, a law whose optimum is N = D = sqrt(C / 6); some noise."""
    made = sf.simulate(sf.laws.chinchilla, EVEN, {"N": N, "D": C / 6 / N}, noise=1e-3, key=3)
    return {"size": N, "n_tokens": C / 6 / N, "loss": made["y"], "flops": C, "run": np.arange(35) % 7}


@pytest.fixture(scope="module")
def fit(sweep):
    return sf.fit("chinchilla", sweep, inputs={"N": "size", "D": "n_tokens"}, y="loss")


@pytest.fixture(scope="module")
def boot(fit):
    return sf.bootstrap(fit, 40, key=1)


@pytest.fixture(scope="module")
def valleys(sweep):
    return sf.isoflop(sweep, {"N": "size", "D": "n_tokens"}, budget="flops", n_draws=50)


@pytest.fixture(scope="module")
def compared(sweep):
    return sf.compare(["chinchilla", "skaling"], sweep, inputs={"N": "size", "D": "n_tokens"}, y="loss")


@pytest.fixture(scope="module")
def told():
    rates = sf.schedule.cosine(STEPS, 3e-4, 3e-5, warmup=100)
    every = np.arange(1.0, STEPS + 1)
    loss = np.asarray(sf.laws.lr_annealing(CURVE, {"step": every, "eta": rates, "curve": 0 * every}))
    seen = np.arange(20, 1001, 20)
    return sf.forecast({"step": seen, "loss": loss[seen - 1]}, rates)


@pytest.fixture(scope="module")
def mixtures():
    """Loss 3 h_1 + 2 h_2 + 2.5 h_3, a mean by shares: the best is the second domain alone."""
    h = np.random.default_rng(5).dirichlet(np.ones(3), 24)
    loss = h @ np.array([3.0, 2.0, 2.5])
    table = {"web": h[:, 0], "code": h[:, 1], "books": h[:, 2], "loss": loss}
    return sf.fit("regmix_linear", table, inputs={"h_1": "web", "h_2": "code", "h_3": "books"}, y="loss")


@pytest.fixture(scope="module")
def recipes():
    """L = 1 + 90 x^-1/2 and 1 + 3 x^-1/5: equal where 30 = x^0.3, at x = 30^(10/3) = 83,700."""
    x = np.geomspace(1e3, 1e7, 9)
    noise = np.exp(1e-4 * np.random.default_rng(2).standard_normal((2, 9)))
    losses = (1 + 90 * x**-0.5) * noise[0], (1 + 3 * x**-0.2) * noise[1]
    return {
        name: sf.fit("power_floor", {"x": x, "loss": loss})
        for name, loss in zip(("steep", "flat"), losses, strict=True)
    }


# Curve.


def test_the_band_is_the_interval_that_predict_gives(fit):
    """With the law's own error it is as wide at each run as between two: nowhere narrower, without waists."""
    for model_error in (False, True):
        (line, *_) = _curve.data(fit, "size", "n_tokens", level=0.8, model_error=model_error).lines
        band = fit.predict({"N": line.x, "D": np.full(len(line.x), line.level)}, 0.8, model_error=model_error)
        if not model_error:
            np.testing.assert_array_equal(line.lo, band["lo"])
            np.testing.assert_array_equal(line.hi, band["hi"])
    assert np.all(line.lo <= band["lo"] * (1 + 1e-12))
    assert np.all(line.hi >= band["hi"] * (1 - 1e-12))
    for found, own, end in ((line.lo, band["lo"], -1), (line.hi, band["hi"], 1)):
        away, before = (end * (limits / line.y - 1) for limits in (found, own.to_numpy()))
        at = np.flatnonzero(line.inside)[3:-3]
        # Deeper than digits: where it is level, they go up and down.
        steps = [np.diff(size)[at[:, None] - [1, 0]] for size in (away, before)]
        waists = [np.sum((step[:, 0] < -1e-12) & (step[:, 1] > 1e-12)) for step in steps]
        assert waists[0] == 0 < waists[1]
        # Where it was widest nothing was added.
        assert np.max(away[at]) == pytest.approx(np.max(before[at]), rel=1e-12)


def test_with_many_levels_every_run_keeps_its_loss_and_its_own_colour(fit):
    found = _curve.data(fit)
    assert found.continuous
    assert len(found.lines) == _curve.LINES
    own = {(x, at): y for x, at, y in zip(fit.data.x["N"], fit.data.x["D"], fit.data.y, strict=True)}
    runs = [run for line in found.lines for run in zip(line.runs_x, line.runs_at, line.runs_y, strict=True)]
    assert len(runs) == len(own)
    assert all(own[x, at] == y for x, at, y in runs)


def test_a_run_is_as_far_from_its_line_as_from_the_law(mixtures):
    """Other shares differ from run to run: runs are moved, and measured / predicted stays what it was."""
    off = np.exp(0.01 * np.random.default_rng(0).standard_normal(24))
    fit = mixtures.changed(data=replace(mixtures.data, y=mixtures.data.y * off))
    found = _curve.data(fit, "web", level=None)
    assert "moved along the law to the mean mixture of the others" in found.title
    (line,) = found.lines
    on_line = np.interp(line.runs_x, line.x, line.y)
    np.testing.assert_allclose(line.runs_y / on_line, off, rtol=1e-4)


def test_extrapolation_is_dashed_and_paler(fit):
    ax = sf.plot.curve(fit, "N", "D")
    dashed = [line for line in ax.get_lines() if line.get_linestyle() == "--"]
    solid = [line for line in ax.get_lines() if line.get_linestyle() == "-" and len(line.get_xdata()) > 2]
    assert len(dashed) == len(solid) == _curve.LINES
    for faint, full in zip(dashed, solid, strict=True):
        assert faint.get_alpha() < 1
        shown = np.isfinite(faint.get_ydata()) & np.isfinite(full.get_ydata())
        # They meet at one place on either side, no more.
        assert np.sum(shown) <= 2


def test_the_axis_of_a_link_ends_near_its_data():
    loss = np.linspace(2.0, 3.5, 16)
    accuracy = 0.25 + 0.6 / (1 + np.exp(4 * (loss - 2.7)))
    fit = sf.fit("log_sigmoid", {"L": loss, "accuracy": accuracy}, y="accuracy")
    (line,) = _curve.data(fit, level=None).lines
    # 5 % of 1.5 nats on either side.
    assert (line.x[0], line.x[-1]) == pytest.approx((1.925, 3.575))


def test_a_share_moves_the_others_in_proportion(mixtures):
    (line,) = _curve.data(mixtures, "web", level=None).lines
    held = np.mean([mixtures.data.x[f"h_{k}"] for k in (1, 2, 3)], axis=1)
    rest = held[1] / (held[1] + held[2])
    expected = 3.0 * line.x + (1 - line.x) * (2.0 * rest + 2.5 * (1 - rest))
    np.testing.assert_allclose(line.y, expected, rtol=1e-6)
    assert 0 <= line.x[0] < line.x[-1] <= 1
    with pytest.raises(ValueError, match="both shares of one mixture"):
        _curve.data(mixtures, "web", "code")


def test_labels_have_a_line_each(fit, sweep):
    recipe = np.where(np.arange(35) % 2, "web", "books")
    shared = sf.fit(
        sf.laws.chinchilla.shared("A", "B", "alpha", "beta", by="recipe"),
        {**sweep, "recipe": recipe},
        inputs={"N": "size", "D": "n_tokens"},
        y="loss",
    )
    found = _curve.data(shared)
    assert [line.name for line in found.lines] == ["books", "web"]
    assert found.color == "recipe"
    assert [len(line.runs_x) for line in found.lines] == [18, 17]
    with pytest.raises(ValueError, match="is a label, which has no axis"):
        _curve.data(shared, "recipe")


def test_whole_curves_are_drawn_over_their_steps():
    rates = {"cosine": sf.schedule.cosine(600, 3e-4), "constant": sf.schedule.constant(600, 3e-4)}
    every = np.arange(1.0, 601)
    parts = []
    for name, rate in rates.items():
        loss = np.asarray(sf.laws.lr_annealing(CURVE, {"step": every, "eta": rate, "curve": 0 * every}))
        kept = np.arange(40, 600, 20)
        parts.append({"step": every[kept], "lr": rate[kept], "run": [name] * 28, "loss": loss[kept]})
    table = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    fit = sf.fit("lr_annealing", table)
    found = _curve.data(fit)
    assert [len(line.runs_x) for line in found.lines] == [28, 28]
    for line in found.lines:
        np.testing.assert_allclose(line.runs_y, np.interp(line.runs_x, line.x, line.y), rtol=2e-3)
    with pytest.raises(ValueError, match="looks at whole curves"):
        sf.plot.curve(fit, x="eta")


def test_hue_is_color(fit):
    assert sf.plot.curve(fit, hue="D").get_ylabel() == "loss"
    with pytest.raises(ValueError, match="color and hue are one thing"):
        sf.plot.curve(fit, color="D", hue="D")


# Observed, residuals.


def test_observed(fit):
    found = _observed.data(fit, color="n_tokens")
    assert found.measured.tolist() == fit.data.y.tolist()
    assert found.predicted.tolist() == fit.fitted().tolist()
    ax = sf.plot.observed(fit)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("measured loss", "predicted loss")
    assert ax.get_xlim() == ax.get_ylim()


def test_residuals_against_a_column_that_the_law_does_not_take(fit, sweep):
    found = _residuals.data(fit, "run", sweep)
    assert found.x.tolist() == sweep["run"].tolist()
    recipe = ["b", "a"] * 17 + ["b"]
    found = _residuals.data(fit, "recipe", {**sweep, "recipe": recipe})
    assert (found.names, found.x[:3].tolist()) == (("b", "a"), [0.0, 1.0, 0.0])
    assert sf.plot.residuals(fit, recipe).get_xticklabels()[1].get_text() == "a"
    with pytest.raises(ValueError, match="for another column give the table too"):
        _residuals.data(fit, "run")
    with pytest.raises(ValueError, match="runs has 2 rows, but 35 were fitted"):
        _residuals.data(fit, "run", {"run": [1, 2]})


# Sweeps.


def test_the_vertex_is_the_minimum_that_isoflop_found(valleys, sweep):
    found = _isoflop.data(valleys)
    assert [v.C for v in found.valleys] == pytest.approx(BUDGETS.tolist())
    for k, valley in enumerate(found.valleys):
        own = sweep["flops"] == BUDGETS[k]
        assert sorted(valley.N) == sorted(sweep["size"][own])
        # By hand: the parabola through the seven log losses over log N.
        a, b, c = np.polyfit(np.log(sweep["size"][own]), np.log(sweep["loss"][own]), 2)
        assert valley.vertex == pytest.approx((np.exp(-b / 2 / a), np.exp(c - b * b / 4 / a)), rel=1e-6)
        np.testing.assert_allclose(np.log(valley.y), np.polyval((a, b, c), np.log(valley.x)), rtol=1e-9)
    ax = valleys.plot()
    assert ax.get_xlabel() == "size (parameters)"


def test_a_bad_run_is_a_cross_and_in_no_curve(sweep):
    loss = sweep["loss"].copy()
    loss[8] *= 1.03
    ax = sf.isoflop(
        {**sweep, "loss": loss}, {"N": "size", "D": "n_tokens"}, budget="flops", n_draws=50
    ).plot()
    crosses = [line for line in ax.get_lines() if line.get_marker() == "x" and len(line.get_xdata())]
    assert [line.get_xdata().tolist() for line in crosses] == [[sweep["size"][8]]]
    assert "outliers" in ax.get_title()


def test_an_envelope_is_the_lowest_of_its_curves():
    sizes, tokens = np.geomspace(1e7, 1e10, 12), np.geomspace(1e8, 1e12, 40)
    n, d = (grid.ravel() for grid in np.meshgrid(sizes, tokens, indexing="ij"))
    runs = sf.simulate(sf.laws.chinchilla, EVEN, {"N": n, "D": d}, noise=0.0) | {"run": n}
    result = sf.envelope(runs, "run", n_draws=20)
    found = _envelope.data(result)
    assert len(found.curves) == 12
    at = np.log(found.C)
    each = [np.interp(at, np.log(run.C), np.log(run.loss), np.inf, np.inf) for run in found.curves]
    np.testing.assert_allclose(np.log(found.loss), np.min(each, axis=0), rtol=1e-9)
    assert result.plot().get_xlabel() == "C (FLOP)"
    with pytest.raises(ValueError, match=r"see sf\.plot\.envelope"):
        sf.plot.isoflop(result)


def test_the_frontier_is_the_law_s_own_optimum(fit):
    found = _isoloss.data(fit, C=1e22)
    best = sf.optimal(fit, C=[1e22]).iloc[0]
    assert found.plan == pytest.approx((best["N"], best["D"]))
    np.testing.assert_allclose(6 * found.best_N * found.best_D, found.C, rtol=1e-9)
    k = 60
    assert found.loss[k, k] == pytest.approx(float(fit.law(fit.coefs, {"N": found.N[k], "D": found.D[k]})))
    assert set(found.runs_N) == set(fit.data.x["N"])
    with pytest.raises(ValueError, match="it has no D"):
        sf.plot.isoloss(fit, plan={"N": 1e9})


# Doubt.


def test_corner(boot, fit):
    found = _corner.data(boot, ["alpha", "E"], level=0.8)
    k = boot.law.names.index("alpha")
    # alpha is searched on the real line itself or as a logarithm; natural units either way.
    drawn = boot.law.coefs[k].support.from_real(boot.draws.u[:, k], xp=np)
    np.testing.assert_allclose(found.draws[:, 0], drawn)
    assert found.interval[0].tolist() == list(boot.interval("alpha", 0.8))
    assert len(sf.plot.corner(boot, ["alpha", "E"]).child_axes) == 3
    with pytest.raises(ValueError, match=r"no draws; make some with sf\.bootstrap"):
        sf.plot.corner(fit)
    with pytest.raises(ValueError, match="no coefficient 'gamma'"):
        sf.plot.corner(boot, ["gamma"])


def test_fan_counts_the_held_out_runs_inside(fit):
    larger = {"size": [1e10, 2e10], "n_tokens": [2e11, 4e11]}
    mean = fit.predict({"N": larger["size"], "D": larger["n_tokens"]})
    found = _fan.data(fit, {**larger, "loss": [float(mean[0]), 10.0]}, levels=[0.5, 0.9])
    assert (found.held, found.levels, found.line) == (1, (0.5, 0.9), False)
    assert found.out_x.tolist() == [6 * 1e10 * 2e11, 6 * 2e10 * 4e11]
    band = fit.predict({"N": larger["size"], "D": larger["n_tokens"]}, 0.9, "run")
    assert found.lo[1].tolist() == band["lo"].tolist()
    assert np.all(found.lo[1] <= found.lo[0])
    with pytest.raises(ValueError, match="its fan is drawn at held-out runs"):
        sf.plot.fan(fit)


def test_fan_of_one_input_is_a_curve(recipes):
    fit = recipes["steep"]
    found = _fan.data(fit, {"x": [1e8], "loss": [1.009]}, levels=[0.9], kind="mean")
    assert found.line
    assert found.x[-1] == pytest.approx(1.2e8)
    assert found.mean.tolist() == pytest.approx(fit.predict({"x": found.x}).tolist())


def test_backtest_distances_and_errors(compared):
    back = compared.backtest
    found = _backtest.data(back)
    assert {law.law for law in found.laws} == {*back.laws, *back.baselines}
    one = next(law for law in found.laws if law.law == "chinchilla")
    mine = back.columns["law"] == "chinchilla"
    expected = 100 * (np.exp(np.abs(np.log(back.columns["predicted"] / back.columns["measured"]))) - 1)
    np.testing.assert_allclose(one.error, expected[mine].astype(float), rtol=1e-9)
    near = one.distance <= 0.5
    if np.any(near):
        assert one.bin_rms[0] == pytest.approx(np.sqrt(np.mean(one.error[near] ** 2)))
    assert "decades of" in back.plot().get_xlabel()


def test_compare_ranks_as_the_table_does(compared):
    found = _compare.data(compared)
    assert [row.law for row in found.rows] == compared.backtest.table()["law"].tolist()
    scores = [row.score for row in found.rows]
    assert scores == sorted(scores)
    weights = [row.weight for row in found.rows if not row.baseline]
    assert sum(weights) == pytest.approx(1)
    assert [t.get_text() for t in compared.plot().get_yticklabels()] == [row.law for row in found.rows]


# Runs ahead.


def test_forecast_shows_what_was_seen_and_what_is_to_come(told):
    found = _forecast.data(told)
    assert found.step.tolist() == list(range(20, 1001, 20))
    assert (found.now, found.steps, len(found.rates)) == (1000, STEPS, STEPS)
    assert (found.x[0], found.x[-1], found.middle[-1]) == (1000, STEPS, told.loss)
    assert not found.used[0]
    assert found.used[-1]
    ax = told.plot()
    _, strip = ax.figure.axes
    assert strip.get_xlabel() == "step"
    assert max(np.nanmax(line.get_ydata()) for line in strip.get_lines()[:2]) == pytest.approx(3e-4)


def test_specification_sorts_the_answers_and_marks_their_choices(fit):
    table = sf.specification(fit, deltas=[1e-3, 1e-2], spaces=["log"], drop_outliers=[0], smallest=[0, 0.25])
    found = _specification.data(table, "alpha")
    assert found.values.tolist() == sorted(table["alpha"])
    (_, widths, taken), (_, shares, _) = found.options
    assert (widths, shares) == (("0.001", "0.01"), ("all kept", "25% left out"))
    order = np.argsort(table["alpha"].to_numpy(), kind="stable")
    assert taken.tolist() == (table["delta"].to_numpy()[order] == 1e-2).astype(int).tolist()
    with pytest.raises(ValueError, match="value must be one of E, A"):
        sf.plot.specification(table, "gamma")


def test_crossover_by_hand(recipes):
    found = _crossover.data(recipes, model_error=False)
    assert found.at[:, 0] == pytest.approx([30 ** (10 / 3)], rel=0.02)
    assert [r.name for r in found.recipes] == ["steep", "flat"]
    np.testing.assert_allclose(found.recipes[0].loss, recipes["steep"].predict({"x": found.C}), rtol=1e-6)
    with pytest.raises(ValueError, match="a crossover is one of two recipes, got 1"):
        sf.plot.crossover({"steep": recipes["steep"]})


def test_mixture_triangle_and_bars(mixtures):
    found = _mixture.data(mixtures, level=None)
    assert found.domains == ("web", "code", "books")
    np.testing.assert_allclose(found.best, [0, 1, 0], atol=1e-3)
    np.testing.assert_allclose(found.loss, found.shares @ [3.0, 2.0, 2.5], rtol=1e-6)
    np.testing.assert_allclose(found.shares.sum(axis=1), 1)
    best = sf.optimal_mixture(mixtures, limits={"code": (0.0, 0.4)})
    bars = _mixture.data(best)
    # By hand: as much of the best as is allowed, the rest of the next best.
    np.testing.assert_allclose(bars.shares, [[0.0, 0.4, 0.6]], atol=1e-3)
    ax = sf.plot.mixture(best)
    assert [patch.get_width() for patch in ax.patches] == pytest.approx(bars.shares[0].tolist())


def test_mixture_of_a_law_without_shares_is_refused(fit):
    with pytest.raises(ValueError, match="has no shares of a mixture among its inputs"):
        sf.plot.mixture(fit)


def test_the_bowls_of_a_sweep_hold_its_runs_and_optima(tuned):
    drawn = _sweep.data(tuned)
    assert [len(bowl.setting) for bowl in drawn.bowls] == [9, 9]
    # From the lowest loss up: the larger size first, whose best rate is the lower one. Parabolas of the loss,
    # fitted to its log, are off by a thousandth.
    assert [bowl.at[0] for bowl in drawn.bowls] == pytest.approx([1e-3, 2e-3], rel=3e-3)
    assert drawn.bowls[1].loss.min() == pytest.approx(3.0, abs=2e-3)
    with pytest.raises(ValueError, match="over must be"):
        sf.plot.sweep(tuned, over="batch")


def test_the_gap_of_a_gate_at_its_target_is_its_own(gated):
    drawn = _gate.data(gated)
    assert drawn.measured.tolist() == gated.pairs["gap"].tolist()
    # Better with 95 % where the lower end of the 90 % interval is above zero.
    assert (drawn.lo[-1] > 0) == (gated.verdict == "promote")
    assert gated.verdict in drawn.title


def test_a_plan_goes_down_from_where_it_began(plan):
    drawn = _plan.data(plan)
    assert drawn.spent[-1] == pytest.approx(plan.spent)
    assert drawn.width[-1] == pytest.approx(plan.after)
    assert (np.diff(drawn.width) <= 0).all()
    empty = replace(plan, runs=plan.runs.iloc[:0])
    with pytest.raises(ValueError, match="the plan is empty"):
        sf.plot.plan(empty)


def test_the_best_schedule_and_what_others_lose(scheduled):
    drawn = _best_schedule.data(scheduled)
    assert drawn.rate.tolist() == scheduled.rates.tolist()
    behind = scheduled.comparison.set_index("schedule")["loss"]["cosine"] / scheduled.loss - 1
    assert f"cosine +{100 * behind:.2g} %" in drawn.title


def test_a_ledger_shows_its_calibration(book, tmp_path):
    drawn = _ledger.data(book)
    assert drawn.share.tolist() == book.calibration["share"].tolist()
    assert (drawn.lo <= drawn.share).all()
    with pytest.raises(ValueError, match="no forecast of this ledger was settled"):
        sf.plot.ledger(sf.ledger(tmp_path))


# All of them.


@pytest.fixture(scope="module")
def tuned():
    """Two sizes, nine rates, a parabola each: the best at 2e-3 and 1e-3."""
    size, rate = np.repeat([1e8, 1e9], 9), np.tile(np.geomspace(1e-4, 1e-2, 9), 2)
    loss = np.repeat([3.0, 2.5], 9) * (1 + 0.01 * np.log(rate / np.repeat([2e-3, 1e-3], 9)) ** 2)
    return sf.sweep({"N": size, "lr": rate, "loss": loss}, over=["lr"], by=["N"])


@pytest.fixture(scope="module")
def gated():
    pairs = {"recipe": ["a", "b"] * 2, "C": [1e18, 1e18, 1e19, 1e19], "loss": [3.4, 3.35, 3.1, 3.055]}
    return sf.gate(pairs, recipe="b", baseline="a", C=3e19)


@pytest.fixture(scope="module")
def plan(fit):
    return sf.next_runs(fit, {"size": [1e8, 3e8, 1e9], "n_tokens": [2e10, 3e9, 2e10]}, 1e21, {"C": 1e21})


@pytest.fixture(scope="module")
def scheduled():
    return sf.best_schedule(sf.laws.lr_annealing, 1000, 3e-4, 3e-5, warmup=50, coefs=CURVE)


@pytest.fixture(scope="module")
def book(fit, tmp_path_factory):
    folder = tmp_path_factory.mktemp("forecasts")
    for k, measured in enumerate([2.4, 2.5, 3.1]):
        kept = sf.preregister(fit, folder / f"{k}.json", {"N": 1e9, "D": 2e10 * (k + 1)})
        sf.settle(kept.path, measured)
    return sf.ledger(folder)


@pytest.fixture(scope="module")
def every(fit, boot, valleys, compared, told, mixtures, recipes, tuned, gated, plan, scheduled, book):
    """Each picture with an answer it can draw."""
    sizes, tokens = np.geomspace(1e7, 1e10, 8), np.geomspace(1e8, 1e12, 20)
    n, d = (grid.ravel() for grid in np.meshgrid(sizes, tokens, indexing="ij"))
    curves = sf.simulate(sf.laws.chinchilla, EVEN, {"N": n, "D": d}, noise=0.0) | {"run": n}
    table = sf.specification(fit, deltas=[1e-3, 1e-2], spaces=["log"], drop_outliers=[0], smallest=[0])
    return {
        "backtest": compared.backtest,
        "best_schedule": scheduled,
        "gate": gated,
        "ledger": book,
        "plan": plan,
        "sweep": tuned,
        "compare": compared,
        "corner": boot,
        "crossover": recipes,
        "curve": fit,
        "envelope": sf.envelope(curves, "run", n_draws=5),
        "fan": recipes["flat"],
        "forecast": told,
        "isoflop": valleys,
        "isoloss": fit,
        "mixture": mixtures,
        "observed": fit,
        "profile": sf.profile(fit, "alpha", n_values=7),
        "residuals": fit,
        "specification": table,
    }


def test_there_is_an_answer_for_every_picture(every):
    assert sorted(every) == sorted(set(sf.plot.__all__) - {"draw"})
    assert set(dir(sf.plot)) == set(sf.plot.__all__)
    with pytest.raises(AttributeError, match="no attribute 'curv'"):
        sf.plot.curv  # noqa: B018


PICTURES = sorted(set(sf.plot.__all__) - {"draw"})


@pytest.mark.parametrize("name", PICTURES)
def test_draws_on_given_axes_without_title_and_legend_and_leaves_settings_alone(name, every):
    import matplotlib
    from matplotlib import pyplot
    from matplotlib.figure import Figure

    before = dict(matplotlib.rcParams)
    figure = Figure(figsize=(3.3, 2.5), layout="constrained")
    ax = figure.subplots()
    options = {"title": False}
    function = getattr(sf.plot, name)
    if "legend" in inspect.signature(function).parameters:
        options["legend"] = False
    assert function(every[name], ax=ax, **options) is ax
    assert ax.get_title() == ""
    assert ax.get_legend() is None
    figure.canvas.draw()
    assert dict(matplotlib.rcParams) == before
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize("name", PICTURES)
def test_a_title_of_one_s_own(name, every):
    ax = getattr(sf.plot, name)(every[name], title="mine")
    words = [ax.get_title(), *(text.get_text() for text in ax.texts)]
    assert "mine" in words


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("wrong", [None, 3, "chinchilla", {}, np.zeros(3)], ids=str)
def test_what_is_no_answer_is_refused_in_one_sentence(name, wrong):
    with pytest.raises((TypeError, ValueError)) as refused:
        getattr(sf.plot, name)(wrong)
    said = str(refused.value)
    assert "\n" not in said
    assert "needed" in said or "a crossover is one of two" in said


def test_axes_must_be_axes(fit):
    with pytest.raises(TypeError, match="ax must be matplotlib axes, got 3"):
        sf.plot.curve(fit, ax=3)


@pytest.mark.parametrize("name", PICTURES)
def test_docstrings_have_all_sections(name):
    text = inspect.getdoc(getattr(sf.plot, name))
    lines = text.splitlines()
    assert [line for line in lines if line in ("Args:", "Returns:", "Raises:", "Example:")] == [
        "Args:",
        "Returns:",
        "Raises:",
        "Example:",
    ]
    body = lines[lines.index("Args:") + 1 : lines.index("Returns:")]
    told = [line.split(":")[0].strip() for line in body if line.startswith("    ") and line[4] != " "]
    assert told == list(inspect.signature(getattr(sf.plot, name)).parameters)


@pytest.mark.parametrize("name", PICTURES)
def test_examples_run(name, fit, sweep):
    """On the runs that examples elsewhere use: N, D, loss, flops and a recipe by row; three curves."""
    rates = sf.schedule.cosine(6000, 3e-4, 3e-5, warmup=200)
    every, at = np.arange(1.0, 6001), np.arange(100, 6001, 100)
    loss = np.asarray(sf.laws.lr_annealing(CURVE, {"step": every, "eta": rates, "curve": 0 * every}))
    table = {"N": sweep["size"], "D": sweep["n_tokens"], "loss": sweep["loss"], "flops": sweep["flops"]}
    known = {
        "sf": sf,
        "np": np,
        "runs": {**table, "recipe": np.where(np.arange(35) % 2, "a", "b")},
        "fit": fit.changed(columns={"N": "N", "D": "D", "y": "loss"}),
        "curves": {"step": at, "loss": loss[at - 1]},
    }
    (example,) = doctest.DocTestFinder(recurse=False).find(getattr(sf.plot, name), name, globs=known)
    assert example.examples
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert runner.run(example, out=said.append).failed == 0, "".join(said)


def test_result_plot_draws_the_picture_of_its_kind(every):
    labels = {
        name: getattr(sf.plot, name)(every[name]).get_xlabel()
        for name in ("curve", "isoflop", "profile", "best_schedule", "gate", "ledger", "plan", "sweep")
    }
    assert {name: every[name].plot().get_xlabel() for name in labels} == labels
    with pytest.raises(TypeError, match=r"has no picture of its own; sf\.plot has one for each of backtest"):
        sf.plot.draw(3)


def test_text_grows_with_the_axes():
    from matplotlib.figure import Figure

    sizes = []
    for inches in (3.3, 7.0, 13.3):
        ax = Figure(figsize=(inches, 0.6 * inches)).subplots()
        # The default margins leave 77.5 % of the figure's width.
        assert width(ax) == pytest.approx(0.775 * inches)
        sizes.append(text_size(ax))
    assert sizes[0] >= 6.5
    assert sizes[0] < sizes[1] < sizes[2] <= 16


@pytest.mark.parametrize(
    ("column", "unit", "said"),
    [
        ("n_params", "parameters (count)", "n_params (parameters)"),
        ("flops", "training compute (FLOP)", "flops (FLOP)"),
        ("step", "optimiser step (count)", "step"),
        ("bpb", "loss (nats per token)", "bpb"),
        ("L", "loss (nats per token)", "L (nats per token)"),
        ("x", "what is scaled: parameters, tokens, samples or FLOP (count)", "x"),
        ("D", "training tokens (billions, as published, or any unit)", "D (billions)"),
        ("recipe", "label", "recipe"),
    ],
)
def test_labels_are_the_user_s_columns_with_units(column, unit, said):
    name = column if len(column) == 1 else {"n_params": "N", "flops": "C", "bpb": "L"}.get(column, column)
    assert named(column, {name: unit}, name) == said


def test_naming_a_picture_loads_no_matplotlib():
    code = "import sys, scalefit as sf; sf.plot.curve, sf.plot.isoflop; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
