"""The runs' own errors: how their size changes with the run's,
and what that does to predictions of a new run."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

import scalefit as sf
from scalefit.core.linear import linearise
from scalefit.fits.noise import scale_slope, shrunk

LAW = sf.laws.power_floor
TRUTH = {"E": 1.7, "A": 60.0, "alpha": 0.3}
SIZE = np.linspace(0, 9.2, 60)  # logs of a size that spans four decades


def drawn(slope: float, key: int, size: np.ndarray = SIZE) -> np.ndarray:
    return np.exp(slope * size) * np.random.default_rng(key).standard_normal(len(size))


def runs(gamma: float, key: int, n: int = 60) -> dict[str, np.ndarray]:
    """Errors of 1 % in the middle; at gamma = 0.15 four times larger at the
    smallest runs than at the largest."""
    x = np.geomspace(1e3, 1e7, n)
    log = np.log(x)
    return {"x": x, "y": LAW(TRUTH, {"x": x}) * np.exp(0.01 * drawn(-gamma, key, log - log.mean()))}


@pytest.mark.parametrize("slope", [0.0, -0.15])
def test_the_slope_is_found_without_bias_and_with_its_error(slope):
    """Normal errors: mean of 300 estimates within 3.5 standard errors,
    their spread within 15 % of the stated one.

    The stated ones scatter by 10 % or so each; 300 estimates tell a spread to 4 %.
    """
    found = np.array([scale_slope(SIZE, np.abs(drawn(slope, key))) for key in range(300)])
    spread = found[:, 0].std(ddof=1)
    assert abs(found[:, 0].mean() - slope) < 3.5 * spread / np.sqrt(300)
    assert np.median(found[:, 1]) == pytest.approx(spread, rel=0.15)


def test_it_is_nearly_as_sharp_as_maximum_likelihood():
    """Normal errors carry information 2 sum (s - mean)^2 about the slope of log sigma;
    |r| keeps 88 % of it."""
    found = np.array([scale_slope(SIZE, np.abs(drawn(-0.1, key)))[0] for key in range(300)])
    best = 1 / np.sqrt(2 * np.sum((SIZE - SIZE.mean()) ** 2))
    assert 0.9 * best < found.std(ddof=1) < 1.3 * best


def test_one_wild_row_hardly_matters():
    error = np.abs(drawn(0.0, 0))
    before, stderr = scale_slope(SIZE, error)
    error[0] = 1e4
    assert abs(scale_slope(SIZE, error)[0] - before) < 2 * stderr


def test_errors_shared_within_groups_widen_the_standard_error():
    """Ten groups of six rows with one and the same error each:
    sqrt(6) as uncertain as 60 rows, give or take."""
    group = np.repeat(np.arange(10), 6)
    error = np.abs(np.random.default_rng(0).standard_normal(10))[group]
    size = np.repeat(np.linspace(0, 9, 10), 6)
    alone, shared = scale_slope(size, error)[1], scale_slope(size, error, group)[1]
    assert 0.8 * np.sqrt(6) < shared / alone < 1.5 * np.sqrt(6)


def test_shrinkage_by_hand():
    """t_58(0.95) = 1.6716 (tables): nothing up to there, (1 - (1.6716^2 / 16)^2) of it at t = 4."""
    assert shrunk(0.1, 0.1, 58) == shrunk(0.1, 0.06, 58) == 0.0
    assert shrunk(-0.4, 0.1, 58) == pytest.approx(-0.4 * (1 - (1.6716**2 / 16) ** 2), rel=1e-4)
    assert shrunk(0.0, 0.1, 58) == shrunk(1.0, np.inf, 58) == shrunk(1.0, 0.1, 0) == 0.0


def covered(gamma: float, key: int, places, level: float = 0.9) -> list[float]:
    """The share of new runs (normal errors) inside the interval at each place, after 100 runs."""
    fit = sf.fit(LAW, runs(gamma, key, 100), y="y")
    band = fit.predict({"x": places}, level, "run", model_error=False)
    sigma = 0.01 * np.exp(-gamma * (np.log(np.minimum(places, 1e7)) - np.log(1e5)))
    true = np.log(LAW(TRUTH, {"x": places}))
    ends = [(np.log(np.asarray(band[end])) - true) / sigma for end in ("lo", "hi")]
    return [NormalDist().cdf(hi) - NormalDist().cdf(lo) for lo, hi in zip(*ends, strict=True)]


@pytest.mark.parametrize("gamma", [0.0, 0.15])
def test_a_new_run_s_interval_is_as_wide_as_runs_of_its_size_scatter(gamma):
    """60 studies of 100 runs: at the smallest, the middle, the largest and beyond, 90 % within 5.

    The share inside is computed for each interval, so its mean over studies is known to 1 % or better. With
    errors taken as alike everywhere 69 % and 99.9 % lie inside at the smallest and the largest for gamma =
    0.15.
    """
    places = np.array([1e3, 1e5, 1e7, 3e7])
    inside = np.mean([covered(gamma, key, places) for key in range(60)], axis=0)
    assert np.all(inside > 0.85)
    assert np.all(inside < 0.95)


def test_weights_make_least_squares_sharper_where_small_runs_are_noisy():
    """The exponent's spread over 60 studies falls as theory says, and stays where errors are alike.

    Covariances of weighted and plain least squares with known scales: (J' S^-2 J)^-1 and K J' S^2 J K, K =
    (J' J)^-1. Two spreads of the same 60 tables: their ratio is known to 15 %.
    """
    x = runs(0.0, 0)["x"]
    u, goal = [np.log(TRUTH[name]) for name in LAW.names], sf.square()
    jacobian = linearise(LAW, goal, u, {"x": x}, np.ones(60)).jacobian
    for gamma in (0.0, 0.15):
        first = [sf.fit(LAW, runs(gamma, key), y="y", objective=goal) for key in range(60)]
        again = [
            sf.fit(LAW, runs(gamma, key), y="y", objective=goal, weight=sf.noise(fit).weights)
            for key, fit in enumerate(first)
        ]
        spread = [np.std([fit.u[LAW.names.index("alpha")] for fit in fits]) for fits in (first, again)]
        scale = x**-gamma
        plain = np.linalg.inv(jacobian @ jacobian.T)
        plain = plain @ ((jacobian * scale**2) @ jacobian.T) @ plain
        weighted = np.linalg.inv((jacobian / scale**2) @ jacobian.T)
        k = LAW.names.index("alpha")
        assert spread[1] / spread[0] == pytest.approx(np.sqrt(weighted[k, k] / plain[k, k]), rel=0.15)


def test_what_it_says_of_itself():
    found = sf.noise(sf.fit(LAW, runs(0.15, 0, 240), y="y"))
    assert found.by == ("x",)
    assert found.gamma == pytest.approx(0.15, abs=3 * found.stderr)
    assert found.weights.mean() == pytest.approx(1)
    assert np.all(np.diff(found.weights) > 0)
    assert repr(found).startswith("Noise: 0.0")
    assert "at the smallest runs" in repr(found)
    alike = sf.noise(sf.fit(LAW, runs(0.0, 1), y="y"))
    assert alike.gamma == 0
    assert "not told from none" in repr(alike)
    np.testing.assert_array_equal(alike.scale({"x": np.array([1.0, 1e9])}), 1.0)


def test_laws_without_a_size_have_one_scale():
    law = sf.laws.lr_annealing
    found = sf.noise(sf.fit(law, sf.simulate(law, n=20, noise=1e-3), y="y", n_starts=4))
    assert found.by == ()
    assert repr(found).endswith("the same for every run")


def test_too_few_rows_have_one_scale():
    found = sf.noise(sf.fit(LAW, runs(0.3, 0, 5), y="y"))
    assert (found.by, found.gamma) == ((), 0.0)
    assert np.all(np.isfinite(found.errors))


def test_a_run_the_fit_leans_on_scatters_more_than_its_residual_shows():
    """Least squares of a line in logarithms, by the normal equations: errors are r / sqrt(1 - h), here up to
    four times a residual, and the objective is the residual sum of squares."""
    x = np.array([1.0, 2.0, 4.0, 8.0, 1000.0])
    y = 3 * x**-0.2 * np.exp(0.01 * np.random.default_rng(0).standard_normal(5))
    fit = sf.fit("monomial", {"x": x, "y": y}, y="y", objective=sf.square())
    design = np.stack([np.ones(5), np.log(x)], axis=1)
    hat = np.diag(design @ np.linalg.inv(design.T @ design) @ design.T)
    residual = np.log(y) - design @ np.linalg.lstsq(design, np.log(y), rcond=None)[0]
    np.testing.assert_allclose(sf.noise(fit).errors, residual / np.sqrt(1 - hat), rtol=1e-6)
    assert fit.value == pytest.approx(np.sum(residual**2), rel=1e-9)
