"""Which runs to make next: the plan beats the usual grid, its widths come true,
and it keeps within the budget."""

from __future__ import annotations

import numpy as np
import pytest

import scalefit as sf

LAW = sf.laws.chinchilla
TRUTH = dict(LAW.published["besiroglu2024"])
TARGET = {"N": 7e10, "D": 1.4e12}


def grid(low, high, sizes=8, ratios=(2, 5, 12, 30, 80, 200)):
    N = np.repeat(np.geomspace(low, high, sizes), len(ratios))
    return {"N": N, "D": N * np.tile(ratios, sizes)}


@pytest.fixture(scope="module")
def fit():
    return sf.fit(
        "chinchilla", sf.simulate(LAW, TRUTH, grid(1e7, 3e8, 6, (5, 12, 30, 80)), noise=0.005, key=5)
    )


def width(runs, key):
    found = sf.fit("chinchilla", sf.simulate(LAW, TRUTH, runs, noise=0.005, key=key)).predict(
        TARGET, level=0.9
    )
    return float(np.log(found["hi"] / found["lo"])[0] / 2)


def test_plan_keeps_within_the_budget_and_narrows(fit):
    plan = sf.next_runs(fit, grid(1e7, 3e9), 1e20, TARGET)
    assert plan.spent <= 1e20
    assert plan.spent == pytest.approx(float((6 * plan.runs["N"] * plan.runs["D"]).sum()))
    assert plan.after < plan.before
    assert plan.runs["width"].is_monotonic_decreasing
    assert plan.runs["row"].is_unique


def test_more_budget_is_never_worse(fit):
    after = [sf.next_runs(fit, grid(1e7, 3e9), budget, TARGET).after for budget in (1e19, 1e20, 1e21)]
    assert after[0] > after[1] > after[2]


def test_the_width_without_new_runs_is_that_of_the_fit(fit):
    found = fit.predict(TARGET, level=0.9)
    own = np.log(found["hi"] / found["lo"])[0] / 2
    # The plan takes one noise for all runs and a normal quantile, the fit's covariance neither.
    assert sf.next_runs(fit, grid(1e7, 3e9), 1e20, TARGET).before == pytest.approx(own, rel=0.15)


def test_the_promised_width_comes_true():
    """Over five studies of 24 runs, each with its own idea of noise and law,
    promises are on average within a factor of two."""
    share = []
    for key in range(5):
        before = sf.fit(
            "chinchilla", sf.simulate(LAW, TRUTH, grid(1e7, 3e8, 6, (5, 12, 30, 80)), noise=0.005, key=key)
        )
        plan = sf.next_runs(before, grid(1e7, 3e9), 1e20, TARGET)
        runs = {name: np.concatenate([before.data.x[name], plan.runs[name]]) for name in ("N", "D")}
        share.append(plan.after / np.median([width(runs, 100 + 3 * key + k) for k in range(3)]))
    assert 1 / 2 < np.exp(np.mean(np.log(share))) < 2


def test_plan_beats_the_usual_grid_at_equal_cost(fit):
    """The usual next step: the compute-optimal line continued, with as many FLOPs."""
    plan = sf.next_runs(fit, grid(1e7, 3e9), 1e20, TARGET)
    C = np.geomspace(1e18, 6e19, 8)
    C *= plan.spent / C.sum()
    line = sf.optimal(fit, C=C)
    both = [{n: np.concatenate([fit.data.x[n], new[n]]) for n in ("N", "D")} for new in (plan.runs, line)]
    planned, usual = (np.median([width(runs, key) for key in range(5)]) for runs in both)
    assert planned < usual


def test_target_may_be_a_budget(fit):
    best = sf.optimal(fit, C=1e23).iloc[0]
    one = sf.next_runs(fit, grid(1e7, 3e9), 1e20, {"C": 1e23})
    two = sf.next_runs(fit, grid(1e7, 3e9), 1e20, {"N": best["N"], "D": best["D"]})
    assert one.after == two.after


@pytest.mark.parametrize(
    ("candidates", "budget", "target", "words"),
    [
        (grid(1e7, 1e9), 1.0, TARGET, "cheapest candidate"),
        (grid(1e7, 1e9), 1e20, {"N": 1e9}, "target lacks D"),
        ({"N": [1e9]}, 1e20, TARGET, "D"),
        (grid(1e7, 1e9), np.nan, TARGET, "budget must be"),
        (grid(1e7, 1e9), 1e20, {"N": np.nan, "D": 1e12}, "N must be positive"),
        (grid(1e7, 1e9), 1e20, {**TARGET, "U": 1e9}, "no input 'U'"),
        ({"N": [1e9], "D": [-1e9]}, 1e20, TARGET, "'D' is negative"),
        ({"N": [1e9], "D": [1e9, 2e9]}, 1e20, TARGET, "equal length"),
        ({"N": [], "D": []}, 1e20, TARGET, "no rows"),
    ],
)
def test_refusals(fit, candidates, budget, target, words):
    with pytest.raises(ValueError, match=words):
        sf.next_runs(fit, candidates, budget, target)
    with pytest.raises(ValueError, match="level must lie"):
        sf.next_runs(fit, grid(1e7, 1e9), 1e20, TARGET, level=2)


def test_several_targets_count_alike(fit):
    """At three targets the plan is at least as good, on the whole, as one made for any of them alone."""
    goals = [TARGET, {"N": 1e9, "D": 2e12}, {"N": 3e11, "D": 3e11}]
    plan = sf.next_runs(fit, grid(1e7, 3e9), 1e20, goals, model_error=False)
    assert plan.after == pytest.approx(np.exp(np.mean(np.log(plan.targets["after"]))))
    rows = [sf.next_runs(fit, grid(1e7, 3e9), 1e20, goal).runs["row"].tolist() for goal in goals]
    menu = grid(1e7, 3e9)
    for own in rows:
        # The runs of that plan as the only candidates, for all targets.
        alone = {name: values[own] for name, values in menu.items()}
        assert plan.after <= 1.02 * sf.next_runs(fit, alone, 1e20, goals, model_error=False).after
    assert "at 3 targets" in repr(plan)


def test_before_any_run_a_law_is_enough():
    """The plan determines the target where next to nothing was known, and the width that it promises is that
    of a fit to such runs, within a factor of two."""
    plan = sf.next_runs("chinchilla", grid(1e7, 3e9), 1e20, TARGET)
    assert plan.before > 1 > 20 * plan.after
    assert "next to nothing is known" in repr(plan)
    assert plan.spent <= 1e20
    runs = {name: plan.runs[name].to_numpy() for name in ("N", "D")}
    found = [sf.fit("chinchilla", sf.simulate(LAW, TRUTH, runs, noise=0.005, key=key)) for key in range(5)]
    widths = [fit.predict(TARGET, level=0.9, model_error=False) for fit in found]
    own = np.median([np.log(one["hi"] / one["lo"])[0] / 2 for one in widths])
    assert 1 / 2 < plan.after / own < 2
    with pytest.raises(ValueError, match="no published coefficients"):
        sf.next_runs(sf.law(lambda N, D, *, E, A: E + A / N / D), grid(1e7, 3e9), 1e20, TARGET)
    with pytest.raises(ValueError, match="empty list"):
        sf.next_runs("chinchilla", grid(1e7, 3e9), 1e20, [])


def test_a_plan_may_be_empty():
    """Runs at the one setting that 200 runs have shown already tell nothing worth having."""
    N = np.repeat(np.geomspace(1e7, 1e9, 40), 5)
    x = {"N": N, "D": N * np.tile([5, 10, 20, 40, 80], 40)}
    fit = sf.fit("chinchilla", sf.simulate(LAW, LAW.published["besiroglu2024"], x, noise=0.005, key=1))
    plan = sf.next_runs(fit, {"N": [1e8], "D": [2e9]}, 1e20, {"N": 2e8, "D": 4e9})
    assert len(plan.runs) == 0
    assert plan.before == plan.after
    assert {"row", "N", "D", "cost", "width"} == set(plan.runs.columns)


def test_costs_are_counted_in_the_unit_of_their_column():
    N = np.geomspace(1e8, 1e9, 4)
    table = {"N": N, "D": 20 * N, "gpu_hours": N / 1e6}
    plan = sf.next_runs("chinchilla", table, budget=2e3, target={"C": 1e22}, cost="gpu_hours")
    assert f"for {plan.spent:.3g} gpu_hours narrow" in repr(plan)
