"""Intervals that allow for the law's own error: the rule by hand, what backtests make of tau, coverage where a law is wrong."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

import scalefit as sf
from scalefit.fits.model_error import GRID, SCALE, TAU, departure, likelihood, posterior
from scalefit.validation.widen import cuts_of, sizes

Z = NormalDist().inv_cdf(0.95)


def noisy(noise: float = 0.003, n: int = 40, key: int = 0) -> dict[str, np.ndarray]:
    truth = {"E": 1.7, "A": 60.0, "alpha": 0.3}
    return sf.simulate(sf.laws.power_floor, truth, {"x": np.geomspace(1e3, 1e6, n)}, noise=noise, key=key)


@pytest.fixture(scope="module")
def fit():
    return sf.fit("power_floor", noisy())


@pytest.fixture(scope="module")
def wide(fit):
    return sf.widen(fit)


def test_the_rule_by_hand(fit):
    """The nearest of the runs is the largest: variance tau^2 s (s + Delta) for a run, tau^2 s Delta for the curve."""
    far = {"x": np.array([1e7, 1e8])}
    own = np.sort(np.abs(np.log(fit.fitted()) - np.log(fit.data.y)))
    # Nine in ten of 40: place 0.9 * 39 = 35.1 from the smallest; 3 coefficients were fitted to them.
    s = (0.9 * own[35] + 0.1 * own[36]) / Z * np.sqrt(40 / 37)
    change = np.log(fit.predict({"x": 1e6}) / fit.predict(far))
    np.testing.assert_allclose(
        departure(fit, far, np.log(fit.predict(far)), "run"), np.sqrt(s * (s + change)), rtol=1e-9
    )
    held = sf.widen(fit, n_cuts=0)
    for kind, variance in (("run", s * (s + change)), ("mean", s * change)):
        before, after = fit.predict(far, 0.9, kind), held.predict(far, 0.9, kind)
        for end in ("lo", "hi"):
            known = np.log(before[end] / before["mean"]).to_numpy()
            asked = np.log(after[end] / after["mean"]).to_numpy()
            np.testing.assert_allclose(asked**2, known**2 + (Z * TAU) ** 2 * variance, rtol=1e-9)
            np.testing.assert_array_equal(np.sign(asked), np.sign(known))
    assert held.model_error == sf.ModelError(TAU, "x")


def test_the_curve_at_a_run_keeps_its_interval(fit, wide):
    at = {"x": fit.data.x["x"][[0, 20, 39]]}
    before, after = fit.predict(at, 0.9), wide.predict(at, 0.9)
    np.testing.assert_allclose(after[["mean", "lo", "hi"]], before[["mean", "lo", "hi"]], rtol=1e-12)


def test_coefficients_stay(fit, wide):
    assert wide.coefs == fit.coefs
    assert wide.stderr() == fit.stderr()
    assert "the law's own error" in wide.notes[-1]
    assert wide.model_error.by == "x"
    assert len(wide.model_error.cuts) == 4


def test_a_saved_fit_keeps_it(wide, tmp_path):
    wide.save(tmp_path / "fit.json")
    assert sf.load(tmp_path / "fit.json").model_error == wide.model_error


def test_tau_by_hand():
    """One window of one row, no other spread, unit 1: log N(e; 0, tau^2) has its maximum at tau = |e|.

    With a log-normal prior the mode solves e^2 / tau^2 - 1 = log(tau / TAU) / (SCALE log 10)^2 in log tau.
    """
    error = 4.0
    seen = likelihood(np.array([error]), np.zeros(1), np.ones(1))[None]
    assert 10.0 ** GRID[np.argmax(seen[0])] == pytest.approx(error, rel=0.02)
    tau = posterior(seen)
    left, right = error**2 / tau**2 - 1, np.log(tau / TAU) / (SCALE * np.log(10)) ** 2
    # The grid's steps are 0.01 in log10: a slope of 2 e^2 / tau^2 + 1 / (SCALE log 10)^2 per unit of log tau.
    slope = 2 * error**2 / tau**2 + 1 / (SCALE * np.log(10)) ** 2
    assert left == pytest.approx(right, abs=slope * 0.01 * np.log(10))
    assert posterior(np.zeros((0, len(GRID)))) == TAU
    # Runs whose own scatter explains the error say nothing against the law.
    assert posterior(likelihood(np.ones(1), np.full(1, 100.0), np.ones(1))[None]) == pytest.approx(
        TAU, rel=0.02
    )


def test_an_impossible_prediction_widens():
    """A backtest that foretells the log of a negative loss counts as a wide miss, and not as nothing."""
    error, spread, unit = np.array([0.01, np.nan]), np.full(2, 0.01), np.full(2, 0.01)
    found = posterior(likelihood(error, spread, unit)[None])
    assert found > posterior(likelihood(np.array([0.01, 0.05]), spread, unit)[None])


def test_what_says_which_runs_are_small():
    def told(law, x, by=None):
        label, size = sizes(sf.fit(law, x, n_starts=4), by)
        return label, size

    N, D = np.meshgrid(np.geomspace(1e7, 1e9, 4), np.geomspace(1e9, 1e11, 4))
    runs = sf.simulate(sf.laws.chinchilla, x={"N": N.ravel(), "D": D.ravel()})
    label, size = told("chinchilla", runs)
    assert label == "N D"
    np.testing.assert_allclose(size, np.log(runs["N"] * runs["D"]), atol=1e-5)
    assert told("chinchilla", runs, "D")[0] == "D"
    np.testing.assert_allclose(
        told("chinchilla", runs, np.arange(1.0, 17))[1], np.log(np.arange(1.0, 17)), atol=1e-5
    )
    with pytest.raises(ValueError, match="by must be an input of 'chinchilla'"):
        told("chinchilla", runs, "flops")
    with pytest.raises(ValueError, match="by"):
        told("chinchilla", runs, np.arange(3.0))
    # From one loss to another, a smaller loss is a larger run.
    L = np.linspace(4, 2.3, 20)
    label, size = told("brandfonbrener_l2l", {"L": L, "y": L - 0.5})
    assert label == "1/L"
    assert np.all(np.diff(size) > 0)


def test_cuts_leave_rows_on_both_sides():
    """20 sizes and 3 coefficients: at least max(3 + 2, 20 / 5) rows, and never all of them."""
    size = np.arange(20.0)
    cuts = cuts_of(size, 3, 4)
    assert len(cuts) == 4
    assert cuts[0] >= size[4]
    assert cuts[-1] < size[-1]
    assert cuts_of(size, 3, 0) == ()
    assert cuts_of(size[:5], 3, 4) == ()
    # Equal sizes are never parted: two are no window.
    assert cuts_of(np.repeat([1.0, 2.0], 20), 3, 4) == ()


def test_too_few_runs_have_no_backtest():
    runs = {name: column[::10] for name, column in noisy().items()}
    held = sf.widen(sf.fit("power_floor", runs))
    assert held.model_error == sf.ModelError(TAU, "x")
    assert held.notes[-1].endswith("no backtest")


def test_groups_labels_and_whole_curves_have_it_too():
    """Runs that share errors, coefficients per label, and laws of whole curves."""
    runs = noisy() | {"run": np.arange(40) // 4}
    assert sf.widen(sf.fit("power_floor", runs, group="run")).model_error.tau > 0
    two = {
        "x": np.tile(runs["x"], 2),
        "y": np.concatenate([runs["y"], 1.1 * runs["y"]]),
        "corpus": np.repeat(["a", "b"], 40),
    }
    both = sf.widen(sf.fit(sf.laws.power.shared("alpha", by="corpus"), two))
    told = both.predict({"x": [1e7, 1e7], "corpus": ["a", "b"]}, 0.9, "run")
    assert np.all(np.isfinite(told[["lo", "hi"]]))
    curves = sf.simulate(sf.laws.lr_annealing, n=20)
    whole = sf.widen(sf.fit("lr_annealing", curves, n_starts=4), n_cuts=2)
    assert whole.model_error.by == "step"
    assert len(whole.model_error.cuts) == 2


def bent(key: int, noise: float = 0.01) -> tuple[dict, dict, np.ndarray]:
    """40 runs on a power law whose exponent changes somewhere among them, and runs at 10 and 100 times the largest."""
    chance = np.random.default_rng(key)
    law, x, far = sf.laws.bnsl, {"x": np.geomspace(1e3, 1e6, 40)}, {"x": np.array([1e7, 1e8])}
    truth = {"a": chance.uniform(0.5, 2), "b": chance.uniform(5, 20), "c_0": chance.uniform(0.1, 0.3),
             "c_1": chance.uniform(-0.1, 0.2), "d_1": 10 ** chance.uniform(3, 6), "f_1": chance.uniform(0.2, 1)}  # fmt: skip
    y, later = (law(truth, at) * np.exp(noise * chance.standard_normal(len(at["x"]))) for at in (x, far))
    return {**x, "y": np.asarray(y)}, far, np.asarray(later)


def test_widened_intervals_hold_where_the_law_is_wrong():
    """60 bent power laws, each fitted with one power and a floor: 90 % intervals for a run at 10 times the largest."""
    studies = 60
    sets = [bent(key) for key in range(studies)]
    runs = {name: np.concatenate([one[0][name] for one in sets]) for name in ("x", "y")}
    fits = sf.fit_groups("power_floor", runs | {"case": np.repeat(np.arange(studies), 40)}, "case")
    plain, wide = np.zeros(2), np.zeros(2)
    for key, (_, far, later) in enumerate(sets):
        fit = fits[key]
        for held, one in ((plain, fit), (wide, sf.widen(fit))):
            told = one.predict(far, 0.9, "run")
            held += (told["lo"].to_numpy() <= later) & (later <= told["hi"].to_numpy())
    # Of 60 intervals that hold with probability 0.9, fewer than 47 do in 2 of 1000 cases; with 0.6, more than 47 in 1 of
    # 1000 (binomial).
    assert plain[0] <= 47
    assert wide[0] >= 47
    assert np.all(wide > plain)
