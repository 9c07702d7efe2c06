"""Laws of whole curves: against sums over every step, and in their limits."""

from __future__ import annotations

from itertools import pairwise

import jax
import numpy as np
import pytest

import scalefit as sf
from scalefit.core.formula import stage
from scalefit.core.starts import linear
from scalefit.laws import schedules

PEAK, WARMUP, END = 3e-4, 400, 4000


def bent(steps: np.ndarray) -> np.ndarray:
    """Warm-up, plateau, slow decay, a jump, a second warm-up, a fall to zero: linear between its corners."""
    return np.interp(
        steps,
        [0, WARMUP, 1200, 2000, 2001, 2400, 2900, END],
        np.array([0, 10, 10, 7, 2, 2, 6, 0]) * PEAK / 10,
    )


SCHEDULES = {
    "constant": lambda k: np.full(len(k), PEAK),
    "warm-up": lambda k: np.minimum(k / WARMUP, 1) * PEAK,
    "linear decay": lambda k: PEAK * (1 - 0.9 * k / END),
    "bent": bent,
}
# Every step, every 7th, every 128th, ever rarer, only the corners: all with the corners of the schedules.
CORNERS = [0, WARMUP, 1200, 2000, 2001, 2400, 2900, END]
LOGGED = {
    "every step": np.arange(END + 1),
    "every 7th": np.union1d(np.arange(0, END, 7), CORNERS),
    "every 128th": np.union1d(np.arange(0, END, 128), CORNERS),
    "ever rarer": np.union1d(np.geomspace(1, END, 40).astype(int), CORNERS),
    "corners": np.array(CORNERS),
}
each_schedule = pytest.mark.parametrize("schedule", SCHEDULES)
each_log = pytest.mark.parametrize("logged", LOGGED)


def columns(schedule: str, logged: str = "every step") -> dict[str, np.ndarray]:
    step = LOGGED[logged].astype(float)
    return {"step": step, "eta": SCHEDULES[schedule](step), "curve": np.zeros(len(step))}


def momentum(rate: np.ndarray, lam: float) -> np.ndarray:
    """S2 step by step, as in arXiv:2408.11029, section 3; rises before the first fall do not count."""
    m = total = 0.0
    fallen, out = False, [0.0]
    for before, now in pairwise(rate):
        fallen = fallen or before > now
        m = lam * m + (before - now) * fallen
        total += m
        out.append(total)
    return np.array(out)


def response(rate: np.ndarray, steps: np.ndarray, C: float, beta: float, gamma: float) -> np.ndarray:
    """The sum over steps of arXiv:2503.12811, equation 1, at these steps."""
    area, out = np.cumsum(rate), []
    for t in steps:
        lost, at = rate[:t] - rate[1 : t + 1], np.maximum(rate[1 : t + 1], 1e-30)
        out.append(np.sum(lost * (1 - (1 + C * at**-gamma * (area[t] - area[:t])) ** -beta)))
    return np.array(out)


def test_hand_example():
    """The unit test of the notes on arXiv:2408.11029: rates 1, 1, 1, 1/2, 1/2, 1/2."""
    rate = np.array([1, 1, 1, 0.5, 0.5, 0.5])
    run = schedules.read(np.arange(1.0, 7.0), rate, np.zeros(6), warmup=False)
    np.testing.assert_allclose(run.area, [1, 2, 3, 3.5, 4, 4.5], rtol=1e-15)
    np.testing.assert_allclose(schedules.annealing(run, 0.9), [0, 0, 0, 0.5, 0.95, 1.355], atol=1e-15)


@each_schedule
@each_log
def test_sums_are_exact_between_rows(schedule, logged):
    x = columns(schedule, logged)
    rate = SCHEDULES[schedule](np.arange(END + 1.0))
    seen = LOGGED[logged]
    run = schedules.read(*x.values(), warmup=False)
    # A curve's rate at step 0 is the rate before its first step.
    np.testing.assert_allclose(run.area, np.maximum(np.cumsum(rate) - rate[0], 1e-30)[seen], rtol=1e-11)
    for lam in (0.9, 0.999, 0.99999):
        np.testing.assert_allclose(
            schedules.annealing(run, lam), momentum(rate, lam)[seen], rtol=1e-8, atol=1e-12
        )


@each_schedule
@each_log
def test_response_is_close_to_the_sum_over_steps(schedule, logged):
    """With the authors' coefficients (100M) a fall by the whole peak is worth 0.13 nats in the end."""
    x, B, kernel = columns(schedule, logged), 437.9464, {"C": 2.132456, "beta": 0.597852, "gamma": 0.655236}
    rate = SCHEDULES[schedule](np.arange(END + 1.0))
    lost, at, since = schedules.past(schedules.read(*x.values()))
    found = np.sum(lost * (1 - (1 + kernel["C"] * at ** -kernel["gamma"] * since) ** -kernel["beta"]), axis=1)
    some = slice(None, None, max(1, len(found) // 100))
    error = B * (found[some] - response(rate, LOGGED[logged][some], **kernel))
    few_rows = logged in ("ever rarer", "corners")
    assert np.max(np.abs(error[LOGGED[logged][some] >= WARMUP])) < (1e-3 if few_rows else 1e-4)


@pytest.mark.parametrize("name", ["lr_annealing", "multi_power", "fsl"])
def test_constant_rate_is_a_power_law(name):
    """L0 + A S1^-alpha (laws.md, section 8), whatever the other coefficients,
    and for rows that start anywhere."""
    law = sf.laws[name]
    coefs = {c.name: float(np.mean(c.typical)) for c in law.coefs}
    step = np.array([500.0, 600.0, 5000.0])
    A, alpha = (coefs[k] for k in (("c1", "s") if name == "fsl" else ("A", "alpha")))
    x = {"step": step, "eta": np.full(3, PEAK), "curve": np.zeros(3)}
    np.testing.assert_allclose(law(coefs, x), coefs["L0"] + A / (PEAK * step) ** alpha, rtol=1e-14)


@pytest.mark.parametrize("name", ["lr_annealing", "multi_power", "fsl"])
def test_curves_do_not_see_each_other(name):
    law = sf.laws[name]
    coefs = {c.name: float(np.mean(c.typical)) for c in law.coefs}
    parts = [
        columns(schedule, logged)
        for schedule, logged in (
            ("bent", "every 128th"),
            ("linear decay", "every 7th"),
            ("warm-up", "corners"),
        )
    ]
    together = {
        key: np.concatenate([part[key] + k * (key == "curve") for k, part in enumerate(parts)])
        for key in parts[0]
    }
    # Rows that repeat the last one are how tables are padded: nothing happens in them.
    together = {key: np.append(column, np.repeat(column[-1:], 9)) for key, column in together.items()}
    each = np.concatenate([law(coefs, part) for part in parts])
    found = law(coefs, together)
    np.testing.assert_allclose(found[:-9], each, rtol=1e-12)
    np.testing.assert_allclose(found[-9:], each[-1], rtol=1e-5)


@pytest.mark.parametrize("name", ["lr_annealing", "multi_power"])
def test_annealing_lowers_and_rewarming_raises_the_loss(name):
    """Against the same sum of rates at a constant rate (arXiv:2408.11029, section 4)."""
    law = sf.laws[name]
    coefs = {c.name: float(np.mean(c.typical)) for c in law.coefs}
    step = np.arange(1.0, 4001.0)
    halved = np.where(step > 2000, PEAK / 2, PEAK)
    again = np.where(step > 3000, PEAK, halved)
    plain = lambda eta: coefs["L0"] + coefs["A"] / np.cumsum(eta) ** coefs["alpha"]  # noqa: E731
    gain, after = (
        plain(eta) - law(coefs, {"step": step, "eta": eta, "curve": 0 * step}) for eta in (halved, again)
    )
    assert np.all(gain[2000:] > 0)
    assert np.all(np.diff(gain[1999:]) > 0)
    assert np.all(after[3000:] < gain[3000:])


def test_a_warm_up_counts_in_the_area_only():
    coefs = {"L0": 2.7, "A": 0.6, "alpha": 0.5, "C": 0.5, "lam": 0.999}
    x = columns("warm-up", "every 7th")
    area = np.cumsum(SCHEDULES["warm-up"](np.arange(END + 1.0)))[LOGGED["every 7th"]]
    np.testing.assert_allclose(sf.laws.lr_annealing(coefs, x)[1:], 2.7 + 0.6 / area[1:] ** 0.5, rtol=1e-12)


def test_functional_law_is_its_integral():
    """With noise alone, the response is the forgetting kernel folded with the rate (arXiv:2509.19189),
    by parts."""
    b, c4 = 2.5, 40.0
    gamma = 1 - 1 / b
    rate = SCHEDULES["linear decay"](np.arange(END + 1.0))
    T = np.cumsum(rate) - rate[0]
    # Integral of K(T - z) g(z) dz over intrinsic time, K(u) = (1 + c4 u)^-(2 - 1/b): midpoints of all steps.
    middle, width = (T[1:] + T[:-1]) / 2, np.diff(T)
    g = (rate[1:] + rate[:-1]) / 2
    folded = np.sum((1 + c4 * (T[-1] - middle)) ** -(2 - 1 / b) * g * width)
    at_peak = rate[0] * (1 - (1 + c4 * T[-1]) ** -gamma) / (c4 * gamma)
    coefs = {"L0": 1.0, "c1": 1e-12, "c2": 1e-12, "c23": 1.0, "c4": c4, "s": 0.5, "gamma": gamma}
    won = 1.0 - sf.laws.fsl(coefs, columns("linear decay", "every 7th"))[-1]
    assert won / (c4 * gamma) == pytest.approx(at_peak - folded, rel=2e-3)


def test_the_size_term_is_added():
    law = sf.laws.lr_annealing_size
    assert law.inputs == ("step", "eta", "curve", "N")
    assert law.whole
    x = {**columns("bent", "every 7th"), "N": np.full(len(LOGGED["every 7th"]), 1e8)}
    coefs = {"L0": 1.7, "A": 0.6, "alpha": 0.5, "C": 0.5, "lam": 0.999, "B": 400.0, "beta": 0.3}
    plain = sf.laws.lr_annealing({k: coefs[k] for k in sf.laws.lr_annealing.names}, x)
    np.testing.assert_allclose(law(coefs, x), plain + 400.0 / 1e8**0.3, rtol=1e-14)


def test_what_is_linear_and_what_is_prepared():
    """With lam held, everything of the schedule is worked out once, before the descents."""
    assert linear(sf.laws.lr_annealing) == ("L0", "A", "C")
    assert linear(sf.laws.multi_power) == ("L0", "A", "B")
    assert linear(sf.laws.fsl) == ("L0", "c1", "c2", "c23")
    law, x = sf.laws.lr_annealing.fix(lam=0.999), columns("bent", "every 7th")
    with jax.enable_x64(True):
        inputs = tuple(jax.numpy.asarray(column) for column in x.values())
        prepare, predict = stage(law.fn, inputs, law.names)
        features = prepare(*inputs)
        coefs = {"L0": 2.7, "A": 0.6, "alpha": 0.5, "C": 0.5}
        late = jax.make_jaxpr(lambda *c: predict(*features, *c))(*coefs.values())
        np.testing.assert_allclose(predict(*features, *coefs.values()), law(coefs, x), rtol=1e-12)
    assert len(late.jaxpr.eqns) < 25


@pytest.mark.parametrize("n", [1, 2, 3, 7, 64, 1001])
@pytest.mark.parametrize("dtype", [float, np.longdouble])
def test_recurrence(n, dtype):
    rng = np.random.default_rng(n)
    a, b = rng.uniform(-1, 1, n).astype(dtype), rng.normal(size=n).astype(dtype)
    expected = b.copy()
    for i in range(1, n):
        expected[i] += a[i] * expected[i - 1]
    found = schedules.linear_recurrence(a, b)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


def test_rows_without_a_loss_state_the_warm_up():
    """Three runs logged after their warm-up; the warm-up is stated by two rows each;
    everything is recovered."""
    truth = {"L0": 2.7, "A": 0.6, "alpha": 0.45, "C": 0.7, "lam": 0.998}
    # 63 rows in all: the program of other test files.
    step = np.arange(500.0, 8001.0, 400.0)
    shapes = (
        np.full(len(step), PEAK),
        PEAK * (1 - 0.9 * (step - 500) / 7500),
        np.where(step > 4000, PEAK / 3, PEAK),
    )
    table = {
        "step": np.tile(np.append([0.0, 400.0], step), 3),
        "lr": np.concatenate([np.append([0.0, PEAK], shape) for shape in shapes]),
        "run": np.repeat(["constant", "linear", "two-stage"], len(step) + 2),
    }
    x = {"step": table["step"], "eta": table["lr"], "curve": np.repeat([0.0, 1.0, 2.0], len(step) + 2)}
    told = np.tile(np.append([False, False], np.ones(len(step), bool)), 3)
    table["loss"] = np.where(told, sf.laws.lr_annealing(truth, x), np.nan)
    fit = sf.fit("lr_annealing", table)
    assert fit.status.trust == "good"
    assert fit.coefs == pytest.approx(truth, rel=1e-6)


@pytest.mark.parametrize(("order", "row"), [([0, 1, 3, 2, 4, 5], 3), ([0, 2, 1, 3, 4, 5], 2)])
def test_rows_out_of_order_are_refused(order, row):
    """A curve in two pieces, and steps that fall within one:
    sums along the rows would be of something else."""
    table = {
        "step": [1.0, 2, 3, 1, 2, 3],
        "eta": [1e-3] * 6,
        "curve": ["a"] * 3 + ["b"] * 3,
        "loss": [3.0, 2.9, 2.8] * 2,
    }
    shuffled = {name: [column[k] for k in order] for name, column in table.items()}
    with pytest.raises(
        ValueError, match=rf"rows of one curve must stand together.*row {row},.*sort the table"
    ):
        sf.fit(sf.laws.lr_annealing.fix(lam=0.999), shuffled)


def test_curves_of_several_labels_share_coefficients():
    """Each row's loss is that of the law with its own label's coefficients on its whole curve."""
    law = sf.laws.lr_annealing.shared("lam", "C", by="model").labelled(("small", "large"))
    both = {"lam": 0.998, "C": 0.7}
    own = {"small": {"L0": 3.0, "A": 0.5, "alpha": 0.5}, "large": {"L0": 2.6, "A": 0.6, "alpha": 0.45}}
    parts = [columns(schedule, "every 128th") for schedule in ("bent", "linear decay")]
    x = {
        key: np.concatenate([part[key] + k * (key == "curve") for k, part in enumerate(parts)])
        for key in parts[0]
    }
    x["model"] = np.repeat([0.0, 1.0], [len(part["step"]) for part in parts])
    coefs = both | {f"{name}[{label}]": value for label, each in own.items() for name, value in each.items()}
    expected = [
        sf.laws.lr_annealing(both | each, part) for each, part in zip(own.values(), parts, strict=True)
    ]
    np.testing.assert_allclose(law(coefs, x), np.concatenate(expected), rtol=1e-12)
    assert set(linear(law)) >= {"L0[small]", "L0[large]", "A[small]", "C"}
