"""Bands: limits of new runs without chance, the law's own error smooth and growing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import ndtr

import scalefit as sf
from scalefit.fits.model_error import departure, likelihood, posterior
from scalefit.fits.noise import noise, run_limits


@pytest.fixture(scope="module")
def fit():
    rng = np.random.default_rng(0)
    x = {"N": 10 ** rng.uniform(7, 9, 40), "D": 10 ** rng.uniform(9, 11, 40)}
    law = sf.laws.chinchilla
    return sf.fit(law, sf.simulate(law, law.published["besiroglu2024"], x, noise=0.005, key=1), y="y")


def test_limits_of_a_new_run_are_those_of_the_sum(fit):
    """Against the root of mean_i Phi((q - e_i) / spread) = share, within 1 % of the width (a table of 33)."""
    errors, x = noise(fit).errors, {"N": np.full(5, 1e8), "D": np.full(5, 1e10)}
    scale = float(noise(fit).scale(x)[0])
    for level in (0.5, 0.9, 0.99):
        spread = np.array([0.1, 0.5, 1.0, 3.0, 30.0]) * np.std(errors) * scale
        found = np.stack(run_limits(fit, spread, x, level), axis=1)
        for own, pair in zip(spread, found, strict=True):
            exact = [
                brentq(lambda q, s=own, p=p: np.mean(ndtr((q - errors * scale) / s)) - p, -1, 1)
                for p in ((1 - level) / 2, (1 + level) / 2)
            ]
            assert pair == pytest.approx(exact, abs=0.01 * (exact[1] - exact[0]))


def test_one_row_or_many_have_one_interval(fit):
    x = {"N": np.geomspace(1e7, 1e12, 301), "D": np.geomspace(1e9, 1e13, 301)}
    many = fit.predict(x, 0.9, "run")
    one = fit.predict({name: column[150:151] for name, column in x.items()}, 0.9, "run")
    assert one.iloc[0][["lo", "hi"]].tolist() == pytest.approx(
        many.iloc[150][["lo", "hi"]].tolist(), rel=1e-12
    )


def line(fit, n: int) -> np.ndarray:
    x = {"N": np.geomspace(2e7, 5e8, n), "D": np.geomspace(5e10, 2e9, n)}
    return departure(fit, x, np.log(fit.law(fit.coefs, x)), "run")


def test_the_law_s_own_error_has_no_steps(fit):
    """Across the runs: at half the distance between points the largest change is half as large."""
    coarse, fine = (np.max(np.abs(np.diff(line(fit, n)))) for n in (4_001, 8_001))
    assert fine < 0.6 * coarse


def test_the_law_s_own_error_grows_beyond_the_runs(fit):
    x = {"N": np.geomspace(1e9, 1e13, 400), "D": np.geomspace(1e11, 1e15, 400)}
    assert np.all(np.diff(departure(fit, x, np.log(fit.law(fit.coefs, x)), "mean")) > 0)


def test_no_law_errs_more_than_ten_times_the_usual():
    """A window missed by a thousand times its unit: tau stays at what the grid ends at."""
    seen = likelihood(np.full(4, 1e3), np.full(4, 1e-3), np.ones(4))
    assert posterior(np.stack([seen] * 4)) == pytest.approx(10, rel=0.01)
    # A row that does not weigh does not count.
    both = likelihood(np.array([0.1, 1e3]), np.full(2, 0.1), np.ones(2), np.array([1.0, 0.0]))
    assert both == pytest.approx(likelihood(np.array([0.1]), np.array([0.1]), np.ones(1)))
