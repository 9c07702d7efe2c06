"""Forecasts of running curves: the closed form, simulated runs, alarms, and public curves."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest

import scalefit as sf
from scalefit.core.law import Law
from scalefit.curves import discrepancy
from scalefit.curves import history as history_of

internal = import_module("scalefit.curves.forecast")
# lr_annealing as fitted to the public 100M curves in shared notes:
# L0 2.6934, A .5533, alpha .5245, C .4754, lambda .999.
TRUTH = {"L0": 2.6934, "A": 0.5533, "alpha": 0.5245, "C": 0.4754, "lam": 0.999}
PLAN = sf.schedule.cosine(24_000, 3e-4, 3e-5, warmup=2160)


def simulated(
    share: float, rates=PLAN, noise: float = 0.002, key: int = 0, every: int = 128
) -> tuple[dict, float]:
    """A run logged every 128 steps up to a share of its length, and its true end."""
    step = np.arange(1, len(rates) + 1.0)
    law: Law = sf.laws.lr_annealing
    loss = np.asarray(law(TRUTH, {"step": step, "eta": rates, "curve": np.zeros(len(rates))}))
    at = np.arange(every, int(share * len(rates)) + 1, every)
    error = noise * np.random.default_rng(key).standard_normal(len(at))
    return {"step": at, "loss": loss[at - 1] * np.exp(error)}, float(loss[-1])


def test_simulated_runs_end_inside_their_intervals():
    """20 runs at 40 %: the priors are wide about this truth, so at least 90 % of the intervals hold it."""
    found = []
    for key in range(20):
        history, end = simulated(0.4, key=key)
        told = sf.forecast(history, PLAN)
        assert told.alarms == ()
        found.append(told.lo <= end <= told.hi)
        assert told.loss == pytest.approx(end, rel=0.02)
    assert np.mean(found) >= 0.9


def test_the_closed_form_is_the_joint_normal():
    """Conditioning the joint normal of losses and places, written out, gives the same curve,
    variance and coefficients."""
    random = np.random.default_rng(0)
    n, m, p = 7, 3, 2
    at, places = np.geomspace(1, 9, n), np.array([10.0, 20, 40])
    design, ahead = random.normal(size=(1, n, p)), random.normal(size=(1, m, p))
    mean, sd, z, noise, walk = (
        np.array([0.3, 0.5]),
        np.array([0.2, 0.7]),
        random.normal(size=n),
        0.1 * np.ones((1, n)),
        0.3,
    )
    found = discrepancy.normal(
        design, ahead, z, noise, np.array([walk]), discrepancy.walk(at, at, places), mean, sd, np.ones((1, p))
    )
    # Level and slope as one integral over log step, by brute force:
    # walk^2 (min + SLOPE * integral of (u - t)(v - t)).
    every = np.log(np.concatenate([at, places]))
    t = np.linspace(0, every[-1], 200_001)
    kernel = (
        np.array(
            [
                [
                    min(u, v)
                    + discrepancy.SLOPE * np.trapezoid(np.clip(u - t, 0, None) * np.clip(v - t, 0, None), t)
                    for v in every
                ]
                for u in every
            ]
        )
        * walk**2
    )
    both = np.concatenate([design[0], ahead[0]])
    joint = kernel + (both * sd**2) @ both.T
    joint[:n, :n] += 0.01 * np.eye(n)
    pull = np.linalg.solve(joint[:n, :n], joint[:n, n:]).T
    np.testing.assert_allclose(found.mean[0], ahead[0] @ mean + pull @ (z - design[0] @ mean), rtol=1e-5)
    np.testing.assert_allclose(found.variance[0], np.diag(joint[n:, n:] - pull @ joint[:n, n:]), rtol=1e-5)
    own = np.linalg.solve(joint[:n, :n], design[0] * sd**2).T
    np.testing.assert_allclose(found.coefs[0], mean + own @ (z - design[0] @ mean), rtol=1e-5)
    off = z - design[0] @ mean
    evidence = -0.5 * off @ np.linalg.solve(joint[:n, :n], off) - 0.5 * np.linalg.slogdet(joint[:n, :n])[1]
    assert found.evidence[0] == pytest.approx(evidence, rel=1e-5)


@pytest.mark.parametrize(
    "rates",
    [
        PLAN,
        sf.schedule.wsd(5000, 1e-3, 0.0, cooldown=1000, shape="sqrt", warmup=100),
        sf.schedule.two_stage(4000, 1e-3, 1e-4, first=2000),
        np.array([1e-3]),
    ],
    ids=["cosine", "wsd", "two_stage", "one"],
)
def test_knots_tell_the_schedule(rates):
    """Straight lines between few knots are the schedule to a thousandth of its peak, jumps included."""
    run = history_of.Run(np.array([1.0]), np.array([3.0]), 1, len(rates), rates, 0, ())
    at, values = run.knots()
    every = np.arange(1, len(rates) + 1)
    assert np.max(np.abs(np.interp(every, at, values) - rates)) <= 1e-3 * rates.max()
    assert len(at) < 100


def test_units_of_loss_and_rate_do_not_matter():
    history, _ = simulated(0.5)
    one = sf.forecast(history, PLAN)
    two = sf.forecast({"step": history["step"], "loss": history["loss"] / np.log(2)}, 1e3 * PLAN)
    np.testing.assert_allclose(
        [two.loss, two.lo, two.hi], np.array([one.loss, one.lo, one.hi]) / np.log(2), rtol=1e-6
    )


def test_same_key_same_answer_and_nothing_of_the_user_changed():
    history, _ = simulated(0.5)
    before = {name: column.copy() for name, column in history.items()}
    one, two, other = (sf.forecast(history, PLAN, key=key) for key in (0, 0, 1))
    assert (one.loss, one.lo, one.hi) == (two.loss, two.lo, two.hi)
    assert one.lo != other.lo
    assert one.loss == pytest.approx(other.loss, rel=2e-3)
    for name, column in before.items():
        np.testing.assert_array_equal(history[name], column)


def test_the_curve_ahead():
    history, _ = simulated(0.5)
    told = sf.forecast(history, PLAN)
    ahead = told.ahead
    assert ahead.step.iloc[0] == told.step == history["step"][-1]
    assert ahead.step.iloc[-1] == told.steps == 24_000
    np.testing.assert_array_equal(ahead.lr, PLAN[ahead.step.to_numpy() - 1])
    assert np.all((ahead.lo < ahead.loss) & (ahead.loss < ahead.hi))
    # What is near is known better.
    assert np.all(np.diff((ahead.hi - ahead.lo).to_numpy()[::8]) > 0)
    assert told.loss == ahead.loss.iloc[-1] == pytest.approx(np.median(told.draws))
    assert set(told.coefs) == set(TRUTH)
    assert f"{told.loss:.4g}" in repr(told)


def test_another_schedule_for_the_rest():
    """From a run at a constant rate: going on so ends higher than a cooldown,
    by what the law says to within the interval."""
    constant = sf.schedule.constant(24_000, 3e-4, warmup=2160)
    cooled = sf.schedule.wsd(24_000, 3e-4, 0.0, cooldown=6000, warmup=2160)
    history, end = simulated(0.6, constant)
    on, down = sf.forecast(history, constant), sf.forecast(history, cooled)
    assert on.lo <= end <= on.hi
    assert down.lo <= simulated(0.6, cooled)[1] <= down.hi
    assert down.loss < on.lo
    assert [w.code for w in down.warnings] == ["no-decay-yet"]


def test_a_rate_higher_than_any_so_far_is_warned_of():
    history, _ = simulated(0.5)
    higher = sf.forecast(history, np.r_[PLAN[:12_000], np.full(12_000, 6e-4)])
    assert "higher-rate" in [w.code for w in higher.warnings]
    assert "higher-rate" not in [w.code for w in sf.forecast(history, PLAN).warnings]


def test_one_logged_loss_is_less_certain_than_the_curve():
    history, _ = simulated(0.9, noise=0.01)
    curve, logged = (sf.forecast(history, PLAN, kind=kind) for kind in ("mean", "run"))
    assert logged.hi - logged.lo > 2 * (curve.hi - curve.lo)
    # 90 % of a normal error of 1 % of the loss lie within 1.645 %.
    assert (logged.hi - logged.lo) / logged.loss / 2 == pytest.approx(0.01645, rel=0.35)


def test_earlier_runs_help():
    """What a finished run of another length tells of exponents and annealing narrows the interval,
    which still holds the end."""
    earlier, _ = simulated(1.0, sf.schedule.cosine(12_000, 3e-4, 3e-5, warmup=2160), noise=0.0005, key=1)
    finished = sf.forecast(earlier, sf.schedule.cosine(12_000, 3e-4, 3e-5, warmup=2160))
    history, end = simulated(0.3, key=2)
    alone, helped = sf.forecast(history, PLAN), sf.forecast(history, PLAN, like=finished)
    assert helped.hi - helped.lo < 0.9 * (alone.hi - alone.lo)
    assert helped.lo <= end <= helped.hi
    with pytest.raises(
        ValueError, match="like holds a forecast by 'lr_annealing'; this one is by 'power_floor'"
    ):
        sf.forecast(history, steps=24_000, like=[finished])


def test_alarms():
    history, _ = simulated(0.7)
    assert sf.forecast(history, PLAN).on_course
    rising = {**history, "loss": history["loss"] * (1 + 0.6 * np.maximum(history["step"] / 24_000 - 0.65, 0))}
    told = sf.forecast(rising, PLAN)
    assert [alarm.code for alarm in told.alarms] == ["worse"]
    assert not told.on_course
    assert repr(told).startswith("[serious] worse: the last")
    broken = {**history, "loss": np.where(history["step"] > 16_000, np.nan, history["loss"])}
    told = sf.forecast(broken, PLAN)
    assert [alarm.code for alarm in told.alarms] == ["diverged"]
    # 128 * 126 is the first logged step above 16,000.
    assert "from step 16128 on" in told.alarms[0].text
    assert told.apart == np.sum(np.isnan(broken["loss"]))
    assert np.isnan(told.loss)
    assert repr(told).endswith(": diverged")
    off = sf.forecast({**history, "lr": np.full(len(history["step"]), 3e-4)}, PLAN)
    assert off.alarms[0].code == "rate-off-plan"
    lr = PLAN[history["step"] - 1]
    assert sf.forecast({**history, "lr": lr}, PLAN).on_course
    # A trainer that counts from 0 logs the rate before.
    assert sf.forecast({**history, "lr": np.r_[PLAN[0], PLAN][history["step"] - 1]}, PLAN).on_course


def test_a_spike_is_set_apart():
    history, _ = simulated(0.6)
    spiked = history["loss"].copy()
    spiked[60] *= 1.3
    told = sf.forecast({**history, "loss": spiked}, PLAN)
    assert told.apart == 1
    assert told.loss == pytest.approx(sf.forecast(history, PLAN).loss, rel=2e-3)


def test_spikes_are_named_and_frequent_ones_warned_of():
    history, _ = simulated(0.6)
    assert "spikes" not in [caution.code for caution in sf.forecast(history, PLAN).warnings]
    for places, severity in (((60,), "info"), ((-12, -9, -6), "warning")):
        spiked = history["loss"].copy()
        spiked[list(places)] *= 1.3
        (said,) = [c for c in sf.forecast({**history, "loss": spiked}, PLAN).warnings if c.code == "spikes"]
        assert said.severity == severity
        assert f"the last at step {history['step'][places[-1]]}" in said.text


def test_a_slow_drift_is_found_by_its_many_losses():
    """1 % more for every 5 % of the run, from half of it on, which its last twentieth does not show."""
    history, _ = simulated(0.8, noise=0.006)
    assert sf.forecast(history, PLAN).on_course
    share = history["step"] / 24_000
    drifting = {**history, "loss": history["loss"] * (1 + 0.01 * np.maximum(share - 0.5, 0) / 0.05)}
    (alarm,) = [alarm for alarm in sf.forecast(drifting, PLAN).alarms if alarm.code != "turned-up"]
    assert alarm.code == "worse"
    # Of the losses of the last three tenths.
    assert int(alarm.text.split()[2]) == np.sum(history["step"] > 0.7 * history["step"][-1])


def codes_of(history: dict) -> list[str]:
    return [alarm.code for alarm in sf.forecast(history, PLAN).alarms]


def test_a_loss_that_turns_up_slowly():
    """1.25 % more for every 5 % of the run from 40 % on, which no law finds surprising that follows it."""
    history, _ = simulated(0.7)
    share = history["step"] / 24_000
    turned = {**history, "loss": history["loss"] * (1 + 0.25 * np.maximum(share - 0.4, 0))}
    assert codes_of(turned) == ["turned-up"]
    # A plan whose rate rises again lets the loss rise with it.
    restarted = np.r_[PLAN[:12_000], PLAN[2160:14_160]]
    assert "turned-up" not in [alarm.code for alarm in sf.forecast(turned, restarted).alarms]


@pytest.mark.parametrize("column", ["step", "tokens"])
def test_a_counter_that_stands_still(column, tmp_path):
    history, _ = simulated(0.6)
    history["tokens"] = 1000.0 * history["step"]
    assert codes_of(history) == []
    history[column] = np.minimum(history[column], history[column][-7])
    assert codes_of(history) == ["counter-stalled"]
    # Five times the same is a stall, four a slip that a step must not have.
    fewer = {name: values[:-2] for name, values in history.items()}
    if column == "step":
        with pytest.raises(ValueError, match="'step' does not rise in row"):
            sf.forecast(fewer, PLAN)
    else:
        assert codes_of(fewer) == []
    lines = [
        json.dumps(dict(zip(history, map(float, row), strict=True)))
        for row in zip(*history.values(), strict=True)
    ]
    (tmp_path / "log.jsonl").write_text("\n".join(lines))
    assert [alarm.code for alarm in sf.forecast(tmp_path / "log.jsonl", PLAN).alarms] == ["counter-stalled"]


@pytest.mark.parametrize("names", [("loss", "eval_loss"), ("train_loss", "loss")])
def test_evaluation_that_parts_from_training(names):
    history, _ = simulated(0.7)
    loss, at = history["loss"], history["step"]
    # 2 % above, looked at at every third row.
    ours = np.where(np.arange(len(at)) % 3 == 0, 1.02 * loss, np.nan)
    told = dict(zip(names, (loss, ours if names[0] == "loss" else 1.02 * loss), strict=True))
    assert codes_of({"step": at, **told}) == []
    apart = {**told, names[1]: told[names[1]] * (1 + 0.3 * np.maximum(at / 24_000 - 0.35, 0))}
    assert "curves-part" in codes_of({"step": at, **apart})


def test_a_row_before_the_first_step_changes_nothing():
    history, _ = simulated(0.5)
    history["lr"] = PLAN[history["step"] - 1]
    more = {
        "step": np.r_[0, history["step"]],
        "loss": np.r_[10.8, history["loss"]],
        "lr": np.r_[0.0, history["lr"]],
    }
    one, two = sf.forecast(history, PLAN), sf.forecast(more, PLAN)
    assert (one.loss, one.lo, one.hi, two.alarms) == (two.loss, two.lo, two.hi, ())


def test_too_early():
    history, _ = simulated(0.15)
    told = sf.forecast(history, PLAN)
    assert np.isnan(told.loss)
    assert (told.lo, told.hi) == (0, np.inf)
    assert [w.code for w in told.warnings] == ["too-early"]
    assert "no forecast yet" in repr(told)
    assert list(told.ahead.columns) == ["step", "lr", "loss", "lo", "hi"]


def test_only_the_step_before_the_first_is_too_early():
    told = sf.forecast({"step": [0], "loss": [11.0]}, PLAN)
    assert [w.code for w in told.warnings] == ["too-early"]


def test_a_law_that_does_not_look_at_the_rate_is_as_unsure_as_without_rates():
    """The departure is that of a law without rates, whether or not they are given,
    and the forecast says so."""
    history, _ = simulated(0.5)
    told = sf.forecast(history, PLAN, law="power_floor")
    assert [w.code for w in told.warnings] == ["no-rates"]
    run = history_of.read(history, PLAN, None, "loss", "step", "lr")
    assert internal._prior(sf.laws.power_floor, run, ())["walk"] == internal.WALK_WITHOUT_RATES


def test_a_log_whose_end_is_not_finite(tmp_path):
    """The run is at the last step logged, not at the last finite loss;
    all losses that are not finite are counted."""
    history, _ = simulated(0.5, every=500)
    with sf.Recorder(tmp_path / "run.jsonl") as recorder:
        for at, loss in zip(history["step"], history["loss"], strict=True):
            recorder.log(step=int(at), loss=float(loss) if at < 11_000 else float("nan"))
    told = sf.forecast(sf.read_log(tmp_path / "run.jsonl"), PLAN)
    assert [alarm.code for alarm in told.alarms] == ["diverged"]
    assert (told.step, told.apart) == (12_000, 3)


@pytest.mark.parametrize("end", [0.0, -1.0, 1e200])
def test_losses_that_cannot_be(end):
    history, _ = simulated(0.5)
    history["loss"][-3:] = end
    assert [alarm.code for alarm in sf.forecast(history, PLAN).alarms] == ["diverged"]


def test_no_device_is_touched():
    """In a training process a forecast must not start JAX's backends,
    which may take an accelerator's memory."""
    code = """
import numpy as np, scalefit as sf
from jax._src import xla_bridge
step = np.arange(100, 3001, 50)
print(sf.forecast({"step": step, "loss": 2 + 5 * step**-0.5}, "cosine(4000, 1e-3, warmup=100)").loss > 1)
print(xla_bridge.backends_are_initialized())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]


def test_the_chance_of_a_target():
    told = sf.forecast(simulated(0.5)[0], PLAN)
    assert told.chance(told.loss) == pytest.approx(0.5, abs=1e-3)
    assert told.chance(told.lo) == pytest.approx(0.05, abs=1e-3)
    assert np.isnan(sf.forecast(simulated(0.15)[0], PLAN).chance(3.0))


GOOD = {"step": [100, 200], "loss": [3.0, 2.9]}


@pytest.mark.parametrize(
    ("history", "options", "said"),
    [
        (GOOD, {}, "give its schedule or steps="),
        (GOOD, {"steps": 150}, "at step 200, past the end of the run at 150"),
        (GOOD, {"steps": 10, "schedule": PLAN}, "steps is 10 and the schedule has 24000"),
        (GOOD, {"schedule": [-1.0]}, "schedule must be the learning rate of every step"),
        (GOOD, {"steps": 900, "level": 90}, "level must lie between 0 and 1"),
        (GOOD, {"steps": 900, "kind": "both"}, 'kind must be one of "mean", "run"'),
        (GOOD, {"steps": 900, "law": "lr_annealing"}, "looks at the learning rate; give the schedule"),
        (GOOD, {"steps": 900, "law": "chinchilla"}, "needs a law over one curve, or of one input"),
        ({"step": [200, 100], "loss": [3.0, 2.9]}, {"steps": 900}, "does not rise in row 1"),
        ({"step": [], "loss": []}, {"steps": 900}, "no rows yet"),
        ({"step": [1, 2], "loss": ["a", 3.0]}, {"steps": 900}, "column 'loss' has no number in row 0"),
        ({"step": [1, 2]}, {"steps": 900}, "no column 'loss'"),
        ({**GOOD, "run": ["a", "b"]}, {"steps": 900}, "more than one run"),
        ({**GOOD, "lr": [1e-3]}, {"schedule": PLAN}, "column 'lr' has 1 rows"),
        ({**GOOD, "lr": [1e-3, -1e-3]}, {"schedule": PLAN}, "column 'lr' is -0.001"),
        (GOOD, {"schedule": ["a", "b"]}, "schedule must be the learning rate of every step"),
        (GOOD, {"steps": 900.5}, "steps must be a whole number"),
        (GOOD, {"steps": 900, "level": "0.9"}, "level must lie between 0 and 1"),
        (GOOD, {"steps": 900, "like": "smaller"}, "like must be a forecast"),
        (
            {"step": np.arange(1, 30), "loss": np.full(29, 3.0)},
            {"schedule": np.r_[np.zeros(40), 1e-3]},
            "rates are all 0 up to step 29",
        ),
    ],
)
def test_refusals(history, options, said):
    with pytest.raises(ValueError, match=said):
        sf.forecast(history, options.pop("schedule", None), **options)


def test_public_curves(data_dir):
    """100M on a cosine to 24,000 steps (Luo et al. 2025):
    from 30 % on the end is inside, and nearer than 1 %; no alarm."""
    table = sf.datasets.fetch("mpl_curves")
    rows = table[(table.model == "100m") & (table.schedule == "cosine_24000")]
    plan = sf.schedule.from_points([(1, 3e-4 / 2160), (2160, 3e-4), *zip(rows.step, rows.lr, strict=True)])
    for share in (0.3, 0.5, 0.8):
        told = sf.forecast(rows[rows.step <= share * 24_000][["step", "loss"]], plan)
        assert told.on_course
        assert told.loss == pytest.approx(rows.loss.iloc[-1], rel=0.01)
        assert told.lo <= rows.loss.iloc[-1] <= told.hi
