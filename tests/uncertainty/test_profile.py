"""Profiles: ends against a fine grid and theory, floors that may be zero, groups, and coverage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import scalefit as sf
from scalefit.core.linear import linearise
from scalefit.fits.draws import Draws
from scalefit.uncertainty.profile import _held, _rise

LAW = sf.laws.power_floor
TRUTH = {"E": 1.7, "A": 60.0, "alpha": 0.3}


def runs(
    E: float = 1.7, decades=(3, 8), n: int = 30, noise: float = 0.01, key: int = 0
) -> dict[str, np.ndarray]:
    x = {"x": np.geomspace(10.0 ** decades[0], 10.0 ** decades[1], n)}
    return sf.simulate(LAW, {**TRUTH, "E": E}, x, noise=noise, key=key)


def collapsed(objective=None) -> sf.Fit:
    """Thirty runs over two decades with hardly any floor: none is found."""
    fit = sf.fit(LAW, runs(0.02, (3, 5), 30, 0.02, 2), objective=objective)
    assert fit.coefs["E"] < 1e-6
    return fit


@pytest.mark.parametrize("shrunk", [False, True])
def test_ends_are_those_of_a_fine_grid(shrunk):
    """Where 201 values held cross the allowed rise, against the search's few: the same ends, to one step."""
    fit = collapsed() if shrunk else sf.fit(LAW, runs())
    for name in ("E", "alpha"):
        held = sf.profile(fit, name)
        values = np.linspace(max(held.values[0], 1e-12), held.values[-1], 201)
        fine = sf.profile(fit, name, values=values)
        inside = values[fine.objective - fit.value <= held.rise]
        lo, hi = 0.0 if inside[0] == values[0] else inside[0], inside[-1]
        # An end lies within one step of the grid, 1 / 200 of what is shown, which is 1.3 times the interval.
        assert held.lo == pytest.approx(lo, abs=0.02 * (hi - lo))
        assert held.hi == pytest.approx(hi, abs=0.02 * (hi - lo))
        assert fit.coefs[name] in held.values
        assert held.values[-1] > held.hi
        assert np.all(np.diff(held.values) > 0)


def test_coarse_values_change_nothing_about_the_interval():
    fit = sf.fit(LAW, runs())
    known = sf.profile(fit, "E")
    for values in (np.linspace(1, 3, 8), [3.0], [1e-9, 1e9]):
        held = sf.profile(fit, "E", values=values)
        assert (held.lo, held.hi) == (known.lo, known.hi)
        np.testing.assert_array_equal(held.values, values)


def test_a_floor_that_may_be_zero_is_seen_in_its_own_units():
    """The interval begins at zero, and the values are spread evenly from there, not over twenty decades."""
    fit = collapsed()
    held = sf.profile(fit, "E")
    assert held.lo == 0.0
    inside = (held.values > 1e-6) & (held.values < held.hi)
    assert np.count_nonzero(inside) > 25
    assert np.diff(held.values).max() < 0.05 * held.hi


def test_with_squares_the_rise_is_t_squared_s_squared_in_every_coefficient():
    """The F interval: t_27(0.95)^2 = 1.7033^2 (tables) times the residual sum of squares over n - p."""
    fit = sf.fit(LAW, runs(), objective=sf.square())
    expected = 1.7033**2 * fit.value / 27
    for name in LAW.names:
        assert sf.profile(fit, name, values=[fit.coefs[name]]).rise == pytest.approx(expected, rel=1e-4)
    # Also beside a floor that has no effect any more, which counts as held in the errors of the others.
    gone = collapsed(sf.square())
    for name in LAW.names:
        found = sf.profile(gone, name, values=[gone.coefs[name]]).rise
        assert found == pytest.approx(1.7033**2 * gone.value / 27, rel=1e-3)


def test_the_rise_is_one_of_theory_by_hand():
    """t^2 / 2 times C_kk times 1 / (H^-1)_kk, H = J' diag(bend) J inverted here;
    C of the sandwich, if asked for."""
    fit = sf.fit(
        LAW, runs(noise=2e-4), objective=sf.huber(0.01)
    )  # every residual within the width: bend is 1
    jacobian = linearise(LAW, fit.objective, fit.u, fit.data.x, fit.data.y).jacobian
    inverse = np.linalg.inv(jacobian @ jacobian.T)
    for one in (fit, sf.sandwich(fit)):
        for k, name in enumerate(LAW.names):
            expected = 1.7033**2 / 2 * one.covariance[k, k] / inverse[k, k]
            assert sf.profile(one, name, values=[fit.coefs[name]]).rise == pytest.approx(expected, rel=1e-4)


def test_errors_shared_within_groups_widen_it():
    """Six sizes of five runs, each size with an error of its own:
    wider than if thirty rows were independent."""
    table = runs(noise=1e-3)
    table["size"] = np.repeat(np.arange(6), 5)
    shared = np.random.default_rng(0).normal(0, 0.02, 6)[table["size"]]
    table["y"] = table["y"] * np.exp(shared)
    alone, grouped = (sf.profile(sf.fit(LAW, table, group=group), "alpha") for group in (None, "size"))
    assert grouped.hi - grouped.lo > 1.3 * (alone.hi - alone.lo)


def test_refusals():
    fit = sf.fit(LAW, {**runs(), "size": np.repeat(np.arange(3), 10)}, group="size")
    with pytest.raises(ValueError, match="more groups"):
        sf.profile(fit, "E")
    fit = sf.fit(LAW, runs())
    draws = Draws(fit.u[None], np.zeros(1, bool), np.zeros((1, 3)), "posterior", 0)
    with pytest.raises(ValueError, match="the fit that it was made from"):
        sf.profile(replace(fit, draws=draws), "E")


@pytest.mark.parametrize(("n", "tails"), [(30, "normal"), (30, "heavy"), (100, "normal")])
def test_intervals_cover(n, tails):
    """150 studies, held at the truth: 90 % intervals of E and alpha hold it in 85 to 95 %,
    give or take chance.

    The standard error of a share of 0.9 is 0.025. Heavy tails are Student's with three degrees of freedom.
    """
    inside = {"E": 0, "alpha": 0}
    x, error = np.geomspace(1e3, 1e8, n), []
    for key in range(150):
        rng = np.random.default_rng(key)
        error.append(rng.standard_normal(n) if tails == "normal" else rng.standard_t(3, n))
    y = LAW(TRUTH, {"x": x}) * np.exp(0.01 * np.array(error))
    table = {"study": np.repeat(np.arange(150), n), "x": np.tile(x, 150), "y": y.ravel()}
    for fit in sf.fit_groups(LAW, table, "study").values():
        for name in inside:
            # The truth alone is held: a whole profile would take five times as long and add nothing.
            best, _ = _held(fit, name, np.array([TRUTH[name]]))
            inside[name] += best[0] - fit.value <= _rise(fit, name, 0.9)
    for count in inside.values():
        assert 0.84 < count / 150 < 0.96


def test_intervals_of_negative_coefficients_ascend():
    """The coordinate of a coefficient below zero runs against it."""
    x = {"L": np.linspace(0.4, 1.6, 60)}
    truth = {"a": 0.6, "k": -8.0, "L_0": 1.0, "b": 0.25}
    fit = sf.fit("ladder", sf.simulate(sf.laws.ladder, truth, x, noise=0.005, key=0), {"L": "L"}, "y")
    found = sf.profile(fit, "k")
    assert found.lo < fit.coefs["k"] < found.hi < 0
    assert np.all(np.diff(found.values) > 0)
