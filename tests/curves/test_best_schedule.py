"""The best schedule under a law, against closed forms, neighbours and brute force;
final losses side by side."""

from __future__ import annotations

from functools import cache
from importlib import import_module

import numpy as np
import pytest

import scalefit as sf

internal = import_module("scalefit.curves.best_schedule")
STEPS, PEAK, WARMUP = 24_000, 3e-4, 2160
# lr_annealing as fitted to the public 100M curves in shared notes (the same as in test_forecast).
TRUTH = {"L0": 2.6934, "A": 0.5533, "alpha": 0.5245, "C": 0.4754, "lam": 0.999}
SET = "luo2025_100m"


def every_step(rates, coefs=sf.laws.multi_power.published[SET]) -> float:
    """multi_power at the last step, summed over single steps as in equation 1 of arXiv:2503.12811."""
    S, c = np.cumsum(rates), coefs
    after = np.maximum(rates[1:], 1e-30)
    response = 1 - (1 + c["C"] * after ** -c["gamma"] * (S[-1] - S[:-1])) ** -c["beta"]
    return c["L0"] + c["A"] * S[-1] ** -c["alpha"] - c["B"] * np.sum((rates[:-1] - rates[1:]) * response)


@pytest.fixture(scope="module")
def found() -> sf.BestSchedule:
    return sf.best_schedule(sf.laws.multi_power, STEPS, PEAK, warmup=WARMUP, coefs=SET)


def test_lr_annealing_asks_for_one_drop_where_theory_says():
    """All of the fall at one step, n before the end, where one more step at the
    peak wins as much as annealing loses:

    A alpha S_1^(-alpha - 1) = C (-log lam) lam^n / (1 - lam), the derivative to n,
    with S_1 the sum of the rates.
    """
    best = sf.best_schedule(sf.laws.lr_annealing, STEPS, PEAK, warmup=WARMUP, coefs=TRUTH)
    assert [caution.code for caution in best.warnings] == ["sudden-drop"]
    c, n = TRUTH, 3000.0
    for _ in range(100):
        S = PEAK * (STEPS - n - WARMUP / 2)
        won = c["A"] * c["alpha"] * S ** (-c["alpha"] - 1)
        n = np.log(won * (1 - c["lam"]) / (c["C"] * -np.log(c["lam"]))) / np.log(c["lam"])
    dropped = sf.schedule.warm_up(np.where(np.arange(1, STEPS + 1) <= STEPS - n, PEAK, 0.0), WARMUP)
    middle = np.argmin(np.abs(best.rates[WARMUP:] - PEAK / 2)) + WARMUP + 1
    # Knots lie up to 300 steps apart there.
    assert middle == pytest.approx(STEPS - n, abs=300)
    ideal = sf.compare_schedules(sf.laws.lr_annealing, {"": dropped}, coefs=TRUTH)["loss"][0]
    assert ideal <= best.loss < ideal + 1e-3


def test_multi_power_is_stable_then_decays_and_wins(found):
    """The shape of arXiv:2503.12811, figure 1:
    at the peak for most of the run, then a decay that slows towards the end."""
    assert found.rates[WARMUP - 1 : STEPS // 2] == pytest.approx(PEAK, rel=0.01)
    assert found.rates[-1] < 0.01 * PEAK
    assert found.warnings == ()
    table = found.comparison.set_index("schedule")
    assert table.index[:3].tolist() == ["best", "cosine", "linear"]
    assert np.all(table["difference"].iloc[1:] > 0)
    # Also when summed over single steps.
    assert (
        every_step(found.rates)
        < every_step(sf.schedule.wsd(STEPS, PEAK, cooldown=2184, shape="sqrt", warmup=WARMUP)) - 2e-4
    )


def test_constraints_hold_exactly(found):
    after = found.rates[WARMUP - 1 :]
    assert len(found.rates) == STEPS
    assert np.all(np.diff(after) <= 0)
    assert after.max() <= PEAK
    assert after.min() >= 0
    np.testing.assert_allclose(found.rates[:WARMUP], after[0] * np.arange(1, WARMUP + 1) / WARMUP)
    bounded = sf.best_schedule(sf.laws.multi_power, STEPS, PEAK, PEAK / 10, warmup=WARMUP, coefs=SET)
    assert bounded.rates[WARMUP - 1 :].min() >= PEAK / 10
    assert bounded.rates.max() <= PEAK
    assert np.all(np.diff(bounded.rates[WARMUP - 1 :]) <= 0)


def test_rounding_takes_no_rate_below_zero():
    """Here the falls sum to a rounding more than the peak."""
    best = sf.best_schedule(sf.laws.lr_annealing, 4000, 1e-3, coefs=TRUTH | {"lam": 0.99})
    assert best.rates.min() == 0.0


@pytest.mark.parametrize(("steps", "warmup"), [(1, 0), (5, 0), (5, 5)])
def test_short_runs(steps, warmup):
    best = sf.best_schedule(sf.laws.lr_annealing, steps, 0.1, warmup=warmup, coefs=TRUTH)
    assert best.rates.shape == (steps,)
    assert np.all((best.rates >= 0) & (best.rates <= 0.1))
    assert best.loss == pytest.approx(best.comparison["loss"].min())


def test_the_best_beats_its_neighbours(found):
    """Steeper, gentler, earlier and later falls, and random monotone ones nearby, end no lower.

    To within 5e-4 nats, as said: summed over single steps the power 0.8 of the answer ends that much lower.
    """
    share, near = found.rates / PEAK, {"best": found.rates}
    for power in (0.7, 0.8, 1.4):
        near[f"power {power}"] = PEAK * share**power
    for shift in (-600, 600):
        later = np.interp(np.arange(STEPS) - shift, np.arange(STEPS), share)
        near[f"shift {shift}"] = PEAK * np.where(np.arange(STEPS) < WARMUP, share, later)
    random = np.random.default_rng(0)
    for k in range(5):
        fall = np.sort(random.uniform(0.5, 1, 8))
        other = np.interp(np.arange(STEPS), fall * STEPS, np.linspace(1, 0, 8))
        near[f"random {k}"] = sf.schedule.warm_up(
            PEAK * (0.8 * np.where(np.arange(STEPS) < WARMUP, 1, share) + 0.2 * other), WARMUP
        )
    loss = {name: every_step(rates) for name, rates in near.items()}
    assert min(loss.values()) > loss["best"] - 6e-4, loss


def test_few_rows_stand_for_all_steps():
    """Final losses against the sum over single steps, for straight, curved and stepped schedules:
    within 2e-4 nats."""
    usual = {
        "cosine": sf.schedule.cosine(STEPS, PEAK, warmup=WARMUP),
        "linear": sf.schedule.linear(STEPS, PEAK, warmup=WARMUP),
        "8-1-1": sf.schedule.multi_step(STEPS, PEAK, warmup=WARMUP),
        "longer": sf.schedule.cosine(2 * STEPS, PEAK, 3e-5),
    }
    table = sf.compare_schedules(sf.laws.multi_power, usual, coefs=SET)
    np.testing.assert_allclose(table["loss"], [every_step(rates) for rates in usual.values()], atol=2e-4)
    assert table["steps"].tolist() == [STEPS, STEPS, STEPS, 2 * STEPS]
    np.testing.assert_allclose(table["difference"], table["loss"] - table["loss"][0])


@cache
def measured(key: int) -> sf.Fit:
    """lr_annealing fitted to two simulated curves of 100 rows with errors of 0.2 %."""
    random = np.random.default_rng(key)
    rows: dict[str, list] = {"step": [], "lr": [], "run": [], "loss": []}
    for name, rates in {
        "cosine": sf.schedule.cosine(4000, 1e-3),
        "wsd": sf.schedule.wsd(4000, 1e-3, cooldown=1000),
    }.items():
        at = np.arange(40.0, 4001, 40)
        lr = rates[at.astype(int) - 1]
        loss = sf.laws.lr_annealing(TRUTH | {"lam": 0.99}, {"step": at, "eta": lr, "curve": 0 * at})
        rows["step"] += at.tolist()
        rows["lr"] += lr.tolist()
        rows["run"] += [name] * len(at)
        rows["loss"] += (np.asarray(loss) * np.exp(0.002 * random.standard_normal(len(at)))).tolist()
    return sf.fit("lr_annealing", rows)


def test_differences_are_known_better_than_losses():
    """Draws share the floor: the interval of the difference is the narrower, and fits hold the truth."""
    plans = {"cosine": sf.schedule.cosine(4000, 1e-3), "linear": sf.schedule.linear(4000, 1e-3)}
    truth = sf.compare_schedules(sf.laws.lr_annealing, plans, coefs=TRUTH | {"lam": 0.99})["difference"][1]
    held = []
    for key in range(2):
        table = sf.compare_schedules(measured(key), plans, 0.9)
        row = table.iloc[1]
        held.append(row.difference_lo <= truth <= row.difference_hi)
        assert row.difference_hi - row.difference_lo < row.loss_hi - row.loss_lo
        assert row.loss_lo < row.loss < row.loss_hi
        assert table["caution"].tolist() == ["", ""]
    # Chance of none of 2 at 90 %: 1 %.
    assert any(held)


def test_what_the_best_wins_has_an_interval():
    """Under 90 % of the draws the usual schedules end above the best one of the estimate,
    by about as much as estimated."""
    table = sf.best_schedule(measured(0), 4000, 1e-3, level=0.9).comparison.iloc[1:]
    assert np.all((table["difference_lo"] > 0) & (table["difference_lo"] < table["difference"]))
    assert np.all(table["difference"] < table["difference_hi"])


def test_several_laws_count_by_weight():
    """Twice the same fit is that fit; of two that differ the mean lies between,
    of logarithms as in `Ensemble.predict`."""
    one, other = measured(0), measured(1)
    plans = {"cosine": sf.schedule.cosine(4000, 1e-3), "linear": sf.schedule.linear(4000, 1e-3)}
    same = sf.Ensemble({"a": one, "b": one}, {"a": 0.5, "b": 0.5})
    alone, twice = (sf.compare_schedules(fit, plans, 0.9) for fit in (one, same))
    np.testing.assert_allclose(twice["loss"], alone["loss"])
    np.testing.assert_allclose(twice["difference"], alone["difference"], atol=1e-12)
    np.testing.assert_allclose(
        twice["loss_hi"] - twice["loss_lo"], alone["loss_hi"] - alone["loss_lo"], rtol=0.3
    )
    mixed = sf.compare_schedules(sf.Ensemble({"a": one, "b": other}, {"a": 0.25, "b": 0.75}), plans)
    far = sf.compare_schedules(other, plans)
    np.testing.assert_allclose(
        np.log(mixed["loss"]), 0.25 * np.log(alone["loss"]) + 0.75 * np.log(far["loss"])
    )


def test_it_agrees_with_predict():
    fit = measured(0)
    rates = sf.schedule.wsd(4000, 1e-3, cooldown=500)
    table = sf.compare_schedules(fit, {"wsd": rates})
    steps = {"step": np.arange(1, 4001.0), "lr": rates, "run": np.full(4000, "wsd")}
    assert table["loss"][0] == pytest.approx(fit.predict(steps)[-1], abs=1e-4)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: sf.best_schedule(sf.laws.chinchilla, 100, 1e-3, coefs="besiroglu2024"),
            "'chinchilla' does not look at a schedule",
        ),
        (lambda: sf.best_schedule(sf.laws.lr_annealing, 100, 1e-3), "coefs"),
        (lambda: sf.best_schedule(sf.laws.lr_annealing, 100, 1e-3, 1e-3, coefs=TRUTH), "below the peak"),
        (lambda: sf.best_schedule(sf.laws.lr_annealing, 100, 1e-3, warmup=101, coefs=TRUTH), "warm-up"),
        (lambda: sf.compare_schedules(sf.laws.lr_annealing, {}, coefs=TRUTH), "no schedules"),
        (lambda: sf.compare_schedules(sf.laws.lr_annealing, [[1.0]], coefs=TRUTH), "no schedules"),
        (lambda: sf.compare_schedules(sf.laws.lr_annealing, {"a": [-1.0]}, coefs=TRUTH), "rate of step 1"),
        (
            lambda: sf.compare_schedules(
                sf.laws.lr_annealing_size, {"a": [1.0]}, coefs=TRUTH | {"B": 1.0, "beta": 1.0}
            ),
            "also takes N",
        ),
        (
            lambda: sf.compare_schedules(sf.laws.lr_annealing, {"a": [1.0]}, coefs=TRUTH, at={"N": 1e8}),
            "'N' is no input",
        ),
        (lambda: sf.compare_schedules(sf.laws.lr_annealing, {"a": [1.0]}, 0.9, coefs=TRUTH), "interval"),
    ],
)
def test_what_cannot_be_done_is_said(call, words):
    with pytest.raises(ValueError, match=words):
        call()
