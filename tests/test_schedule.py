"""Schedules against rates that others logged, values worked by hand, and what the curve laws make of them."""

import numpy as np
import pandas as pd
import pytest

import scalefit as sf
from scalefit import schedule
from scalefit.laws import schedules

PEAK, END, WARMUP = 3e-4, 3e-5, 2160
# The nine schedules of mpl_curves as its README describes them; there the second stage begins with step 8000.
PUBLISHED = {
    "constant_24000": schedule.constant(24_000, PEAK, warmup=WARMUP),
    "constant_72000": schedule.constant(72_000, PEAK, warmup=WARMUP),
    "cosine_24000": schedule.cosine(24_000, PEAK, END, warmup=WARMUP),
    "cosine_72000": schedule.cosine(72_000, PEAK, END, warmup=WARMUP),
    "wsd_20000_24000": schedule.wsd(24_000, PEAK, END, cooldown=4000, shape="exponential", warmup=WARMUP),
    "wsdld_20000_24000": schedule.wsd(24_000, PEAK, END, cooldown=4000, warmup=WARMUP),
    **{
        f"wsdcon_{x}": schedule.two_stage(16_000, PEAK, x * 1e-5, first=7999, warmup=WARMUP)
        for x in (3, 9, 18)
    },
}


def test_the_published_schedules_come_out(data_dir):
    """Learning rates of all curves of Luo et al. 2025, to the digits of the file (8 of the rate)."""
    logged = pd.read_csv(data_dir / "mpl_curves" / "curves.csv")
    assert set(logged.schedule) == set(PUBLISHED)
    for name, rows in logged.groupby("schedule"):
        np.testing.assert_allclose(PUBLISHED[name][rows.step - 1], rows.lr, rtol=2e-8, atol=5e-12)


def ours(run) -> np.ndarray:
    """The schedule of a run of the tiny_lm sweep by its columns."""
    steps, peak, end, start = int(run.n_steps), run.lr, run.lr_final, int(run.decay_start)
    lr = {
        "constant": lambda: schedule.constant(steps, peak),
        "cooldown": lambda: schedule.wsd(steps, peak, end, cooldown=steps - start),
        "linear": lambda: schedule.wsd(steps, peak, end, cooldown=steps - start),
        "cosine": lambda: schedule.wsd(steps, peak, end, cooldown=steps - start, shape="cosine"),
        "two_stage": lambda: schedule.two_stage(steps, peak, end, first=start),
    }[run.schedule]()
    return schedule.warm_up(lr, int(run.warmup_steps))


def test_the_bundled_runs_followed_these_schedules():
    """The rates that the bundled sweep logged (examples/tiny_lm computed them), five kinds, 163 runs."""
    curves = sf.datasets.load("tiny_lm", "curves").groupby("run")
    runs = sf.datasets.load("tiny_lm")
    assert set(runs.schedule) == {"constant", "cooldown", "linear", "cosine", "two_stage"}
    for run in runs.itertuples():
        rows = curves.get_group(run.run)
        np.testing.assert_allclose(
            ours(run)[rows.step - 1], rows.lr, rtol=1e-5, atol=1e-9, err_msg=str(run.run)
        )


def test_values_by_hand():
    by_hand = {
        "constant, two steps of warm-up": (schedule.constant(4, 2.0, warmup=2), [1, 2, 2, 2]),
        "linear to 0": (schedule.linear(4, 4.0), [3, 2, 1, 0]),
        "cosine: (1 + cos 60) / 2 and so on": (schedule.cosine(3, 4.0), [3, 1, 0]),
        "sqrt: 1 - sqrt(1/4), 1 - sqrt(1)": (
            schedule.wsd(6, 8.0, cooldown=4, shape="sqrt")[[1, 2, 5]],
            [8, 4, 0],
        ),
        "exponential: halved each step": (
            schedule.wsd(5, 8.0, 1.0, cooldown=3, shape="exponential"),
            [8, 8, 4, 2, 1],
        ),
        "cosine cooldown": (schedule.wsd(4, 4.0, 2.0, cooldown=2, shape="cosine"), [4, 4, 3, 2]),
        "8-1-1 down to a hundredth": (
            schedule.multi_step(10, 1.0, 0.01),
            [*[1] * 8, 0.1, 0.01],
        ),
        "one stage": (schedule.multi_step(3, 1.0, stages="1"), [1, 1, 1]),
        "two stages, upwards": (schedule.two_stage(4, 1.0, 2.0, first=3), [1, 1, 1, 2]),
        "re-warmed from 1 to 3": (schedule.re_warm([2, 1], [9, 3, 3], 2), [2, 1, 2, 3, 3]),
        "re-warmed without steps": (schedule.re_warm([2, 1], [9, 3], 0), [2, 1, 9, 3]),
        "own array, warmed up": (schedule.warm_up([4, 4, 2], 2), [2, 4, 2]),
        "points: held, line, held": (schedule.from_points([(2, 2), (4, 4)], 6), [2, 2, 3, 4, 4, 4]),
        "points with a jump after step 2": (
            schedule.from_points([(0, 0), (2, 2), (2, 6), (4, 4)]),
            [1, 2, 5, 4],
        ),
        "points with a jump at the end": (schedule.from_points([(1, 1), (2, 1), (2, 5)], 3), [1, 1, 5]),
    }
    for what, (found, expected) in by_hand.items():
        np.testing.assert_allclose(found, expected, rtol=1e-15, atol=1e-15, err_msg=what)


def test_eight_one_one_is_as_published():
    """DeepSeek LLM (arXiv:2401.02954): 31.6 % of the peak after 80 % of the run, 10 % after 90 %."""
    lr = schedule.multi_step(10_000, 1.0)
    np.testing.assert_allclose(
        lr[[0, 7999, 8000, 8999, 9000, 9999]], [1, 1, 0.316, 0.316, 0.1, 0.1], atol=3e-4
    )


@pytest.mark.parametrize("shape", schedule.SHAPES)
def test_a_decay_begins_at_the_peak_and_ends_where_said(shape):
    lr = schedule.wsd(1000, 1e-3, 1e-5, cooldown=300, shape=shape, warmup=100)
    assert lr[99] == lr[699] == lr.max() == 1e-3
    assert lr[-1] == 1e-5
    assert np.all(np.diff(lr[699:]) < 0)
    assert schedule.wsd(10, 1.0, 1.0, cooldown=5, shape=shape) == pytest.approx(np.ones(10))


def test_points_are_what_the_curve_laws_read():
    """Their sum of rates, S1, over sparse rows, is the sum of the array that these rows stand for."""
    step = np.array([0.0, 7, 20, 20, 33, 50])
    eta = np.array([0.0, 0.7, 0.2, 0.9, 0.4, 0.1])
    area = schedules.read(step, eta, np.zeros(6)).area
    lr = schedule.from_points(zip(step, eta, strict=True))
    np.testing.assert_allclose(area[1:], np.cumsum(lr)[step[1:].astype(int) - 1], rtol=1e-14)


def test_nothing_given_is_changed():
    lr = np.ones(5)
    schedule.warm_up(lr, 3)
    schedule.re_warm(lr, lr, 2)
    schedule.from_array(lr)[0] = 7
    np.testing.assert_array_equal(lr, 1)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: schedule.cosine(0, 1.0), "steps must be a whole number of at least 1, got 0"),
        (lambda: schedule.cosine(10.5, 1.0), "steps must be a whole number of at least 1, got 10.5"),
        (lambda: schedule.linear(10, 0.0), "peak must be a learning rate above 0"),
        (lambda: schedule.linear(10, 1.0, np.nan), "end must be a learning rate of at least 0"),
        (lambda: schedule.constant(10, "fast"), "peak must be a learning rate"),
        (lambda: schedule.constant(10, 1.0, warmup=11), "a warm-up of 11 steps is longer than the run of 10"),
        (lambda: schedule.wsd(10, 1.0, cooldown=8, warmup=3), "do not fit into 10"),
        (lambda: schedule.wsd(10, 1.0, cooldown=8, shape="steep"), 'shape must be one of "linear", "cosine"'),
        (lambda: schedule.wsd(10, 1.0, cooldown=8, shape="exponential"), "never reaches 0"),
        (lambda: schedule.multi_step(10, 1.0, stages="8-one"), "whole shares"),
        (lambda: schedule.two_stage(10, 1.0, 2.0, first=11), "longer than the run"),
        (lambda: schedule.re_warm([1], [1, 1], 3), "longer than the schedule of 2"),
        (lambda: schedule.warm_up([1, 1], 3), "longer than the schedule of 2"),
        (lambda: schedule.from_array([1, np.inf]), "the rate of step 2 is inf"),
        (lambda: schedule.from_array([[1.0]]), "one rate per step"),
        (lambda: schedule.from_points([(3, 1), (2, 1)]), "not negative and never fall"),
        (lambda: schedule.from_points([(3, 1), (2,)]), "rate. pairs"),
        (lambda: schedule.from_points([(0, 1), (np.nan, 1)], 5), "not negative and never fall"),
        (lambda: schedule.from_points([]), "rate. pairs"),
        (lambda: schedule.from_points([(0, "a")]), "rate. pairs"),
        (lambda: schedule.from_points([3]), "rate. pairs"),
        (lambda: schedule.from_array(["a"]), "no number"),
        (lambda: schedule.from_points([(0.5, 1)]), "steps must be a whole number"),
    ],
)
def test_what_is_no_schedule_is_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_text_is_the_call_it_looks_like():
    found = schedule.from_text(
        " re_warm(cosine(90, 3e-4), wsd(60, 3e-4, cooldown=9, shape='sqrt', warmup=5), 5)"
    )
    expected = schedule.re_warm(
        schedule.cosine(90, 3e-4), schedule.wsd(60, 3e-4, cooldown=9, shape="sqrt", warmup=5), 5
    )
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(schedule.from_text("from_points([(0, 0), (4, 1)])"), [0.25, 0.5, 0.75, 1])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cosine", "'cosine' is no schedule; write one such as"),
        ("cosine(10", "is no schedule; write one"),
        ("1 + 1", "is no schedule; write one"),
        ("__import__('os').getcwd()", "is no schedule .there is constant, linear"),
        ("exit(1)", "is no schedule .there is constant, linear"),
        ("cosine(steps, 1.0)", "is no schedule"),
        ("cosine(10, 1.0, warm=3)", "unexpected keyword argument 'warm'"),
        ("cosine(10, -1.0)", "is no schedule .peak must be a learning rate above 0"),
    ],
)
def test_text_that_is_no_schedule_is_refused(text, said):
    with pytest.raises(ValueError, match=said):
        schedule.from_text(text)


def test_whole_numbers_of_any_type_count_as_steps():
    np.testing.assert_array_equal(schedule.linear(np.int64(4), 4.0), schedule.linear(4.0, 4.0))
