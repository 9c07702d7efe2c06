"""Scores of kept quantiles against closed forms of a normal distribution."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta, norm

from scalefit.validation.scores import Predictive, binomial_interval

LEVELS = (0.5, 0.8, 0.9, 0.95)
MU, SD = 0.7, 0.02


def normal(log: bool) -> Predictive:
    """log y, or y, normal with this mean and standard deviation."""
    back = np.exp if log else float
    ends = {v: tuple(float(back(q)) for q in norm.interval(v, MU, SD)) for v in LEVELS}
    return Predictive(float(back(MU)), ends, log)


@pytest.mark.parametrize("log", [True, False])
@pytest.mark.parametrize("z", [-5.0, -2.3, -1.0, 0.0, 0.4, 1.7, 4.0])
def test_a_normal_is_had_back_from_its_quantiles(log, z):
    """The normal score is linear there, so that interpolation and tails are exact."""
    at = MU + z * SD
    y = float(np.exp(at)) if log else at
    told = normal(log)
    assert told.pit(y) == pytest.approx(norm.cdf(z), rel=1e-9)
    assert told.log_score(y) == pytest.approx(-norm.logpdf(at, MU, SD), rel=1e-9)
    assert told.inside(y) == {v: abs(z) <= norm.ppf((1 + v) / 2) for v in LEVELS}


def test_the_interval_score_is_width_plus_penalty():
    told = Predictive(2.0, {0.8: (1.0, 3.0), 0.9: (0.5, 4.0)}, log=False)
    assert told.interval_scores(2.5) == {0.8: 2.0, 0.9: 3.5}
    # 2 / alpha is 10 and 20: half a unit above 3, and 0.1 below 0.5.
    assert told.interval_scores(3.5)[0.8] == pytest.approx(2 + 10 * 0.5)
    assert told.interval_scores(0.4)[0.9] == pytest.approx(3.5 + 20 * 0.1)


def test_the_interval_score_is_least_for_the_truth():
    """A proper score: over draws of the truth, neither narrower nor wider intervals score better."""
    draws = np.random.default_rng(0).normal(MU, SD, 4000)

    def mean(factor: float) -> float:
        ends = {0.9: norm.interval(0.9, MU, factor * SD)}
        told = Predictive(MU, ends, log=False)
        return float(np.mean([told.interval_scores(y)[0.9] for y in draws]))

    assert mean(1.0) < min(mean(0.7), mean(1.4))


def test_equal_quantiles_have_finite_scores():
    told = Predictive(2.0, dict.fromkeys(LEVELS, (2.0, 2.0)), log=True)
    assert np.isfinite(told.log_score(2.0))
    assert told.pit(1.9) == 0
    assert told.pit(2.1) == 1


@pytest.mark.parametrize(("inside", "n"), [(0, 5), (3, 5), (5, 5), (13, 15), (90, 100)])
def test_binomial_interval_is_clopper_and_pearsons(inside, n):
    lo, hi = binomial_interval(inside, n, 0.9)
    assert lo == pytest.approx(beta.ppf(0.05, inside, n - inside + 1) if inside else 0.0)
    assert hi == pytest.approx(beta.ppf(0.95, inside + 1, n - inside) if inside < n else 1.0)


def test_binomial_interval_of_none():
    assert binomial_interval(0, 0) == (0.0, 1.0)
