"""The posterior: against least squares, against quadrature, and that noise and priors do what they say."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib.util import find_spec

import jax
import numpy as np
import pytest
import scipy.stats

import scalefit as sf
from scalefit.core.compiled import counts
from scalefit.laws.simulate import design
from scalefit.uncertainty.posterior import posterior, published_priors

drawn = pytest.mark.skipif(
    find_spec("numpyro") is None, reason="needs NumPyro, the extra scalefit-jax[posterior]"
)
LAW = sf.laws.power_floor
TRUTH = {"E": 1.7, "A": 60.0, "alpha": 0.3}
SHORT = {"n_draws": 500, "n_warmup": 300}


def runs(n: int = 60, noise: float = 0.01, key: int = 0) -> dict[str, np.ndarray]:
    return sf.simulate(LAW, TRUTH, {"x": np.geomspace(1e3, 1e8, n)}, noise=noise, key=key)


@pytest.fixture(scope="module")
def fit():
    return sf.fit(LAW, runs(), objective=sf.square())


@pytest.fixture(scope="module")
def small():
    """Fifteen runs of a known law."""
    law = sf.laws.chinchilla
    return sf.fit(law, sf.simulate(law, n=15, noise=0.03, key=1))


@drawn
def test_agrees_with_least_squares_where_priors_are_wide(fit):
    result = posterior(fit, noise="normal", **SHORT)
    np.testing.assert_allclose(result.draws.u.std(axis=0), np.sqrt(np.diag(fit.covariance)), rtol=0.2)
    assert np.all(np.abs(result.u - fit.u) < 0.3 * np.sqrt(np.diag(fit.covariance)))
    # The noise by hand: the square root of the residual sum of squares over n - p.
    assert np.median(result.draws.noise["sigma"]) == pytest.approx(np.sqrt(fit.value / 57), rel=0.05)
    assert result.warnings == fit.warnings
    assert result.status.ok
    lo, hi = result.interval("alpha")
    assert lo < result.coefs["alpha"] < hi
    far = result.predict({"x": np.array([1e9])}, 0.9, model_error=False)
    assert far.lo[0] < far["mean"][0] < far.hi[0]
    assert result.draws.u.shape == (1000, 3)
    assert not result.draws.failed.any()


@drawn
def test_intervals_cover():
    """40 studies of 60 runs: 90 % intervals hold the floor and the exponent;
    below 0.9 by no more than four errors."""
    inside = np.zeros(2)
    for key in range(40):
        one = posterior(sf.fit(LAW, runs(key=key), objective=sf.square()), noise="normal", key=key, **SHORT)
        for k, name in enumerate(("E", "alpha")):
            lo, hi = one.interval(name)
            inside[k] += lo <= TRUTH[name] <= hi
    assert np.all(inside / 40 > 0.71), inside / 40


@drawn
def test_same_key_same_draws_and_no_second_compilation(fit):
    one = posterior(fit, noise="normal", key=3, **SHORT)
    before = counts()
    two, other = (posterior(fit, noise="normal", key=key, **SHORT) for key in (3, 4))
    np.testing.assert_array_equal(one.draws.u, two.draws.u)
    assert np.any(one.draws.u != other.draws.u)
    assert counts() == before


@drawn
def test_agrees_with_quadrature():
    """A two-coefficient law on 8 rows, Student noise:
    the same density summed over a grid of all four unknowns.

    Written anew with scipy's densities: prior of A relative to its unit y x^alpha, a range for alpha,
    half-normal sigma, gamma(2, 0.1) degrees of freedom above 1.
    """
    law, x = sf.laws.power, np.geomspace(1e3, 1e6, 8)
    fit = sf.fit(law, sf.simulate(law, {"A": 30.0, "alpha": 0.2}, {"x": x}, noise=0.2, key=2))
    y, range_ = fit.data.y, (0.05, 0.15)
    result = posterior(fit, {"alpha": range_}, n_draws=4000, n_warmup=500)
    errors = np.sort(np.abs(fit.residuals()))
    scale = 1.4826 * np.median(errors[2:])
    middle_x, middle_y = np.exp(np.log(x).mean()), np.exp(np.log(y).mean())
    # log A is given as the law's log value at the middle of x, which the exponent leaves alone.
    level, log_alpha, log_sigma, tail = np.meshgrid(
        np.log(middle_y) + np.linspace(-0.6, 0.6, 41),
        np.linspace(np.log(0.02), np.log(0.5), 41),
        np.log(scale) + np.linspace(-2.5, 2.5, 31),
        np.linspace(-3, 5, 17),
        indexing="ij",
    )
    alpha, sigma, nu = np.exp(log_alpha), np.exp(log_sigma), 1 + np.exp(tail)
    ends = np.log(range_)
    log = scipy.stats.norm.logpdf(level - np.log(middle_y), 0, 3)
    log += scipy.stats.norm.logpdf(log_alpha, ends.mean(), np.ptp(ends) / 2 / scipy.stats.norm.ppf(0.95))
    log += scipy.stats.halfnorm.logpdf(sigma, scale=5 * scale) + log_sigma
    log += scipy.stats.gamma.logpdf(nu - 1, 2, scale=10) + tail
    for x_i, y_i in zip(x, y, strict=True):
        error = np.log(y_i) - level + alpha * np.log(x_i / middle_x)
        log += scipy.stats.t.logpdf(error / sigma, nu) - log_sigma
    share = np.exp(log - log.max())
    share /= share.sum()
    u, noise = result.draws.u, result.draws.noise
    for grid, draws in (
        (log_alpha, u[:, 1]),
        (level + alpha * np.log(middle_x), u[:, 0]),
        (log_sigma, np.log(noise["sigma"])),
        (tail, np.log(noise["freedom"] - 1)),
    ):
        mean = np.sum(share * grid)
        sd = np.sqrt(np.sum(share * (grid - mean) ** 2))
        assert np.mean(draws) == pytest.approx(mean, abs=0.08 * sd)
        assert np.std(draws) == pytest.approx(sd, rel=0.08)


@drawn
def test_noise_that_falls_with_size_is_recovered():
    """sigma = 0.02 at the geometric mean of x, falling as x^-0.2;
    ten times as large at the smallest x as at the largest.

    Student noise; the slope of normal noise is held against theory with labels below.
    """
    x = np.geomspace(1e3, 1e8, 200)
    scale = 0.02 * (x / np.exp(np.log(x).mean())) ** -0.2
    y = LAW(TRUTH, {"x": x}) * np.exp(scale * np.random.default_rng(0).standard_normal(200))
    result = posterior(sf.fit(LAW, {"x": x, "y": y}), scale_by="x", **SHORT)
    found = result.draws.noise
    assert np.median(found["sigma"]) == pytest.approx(0.02, rel=0.15)
    assert np.mean(found["x"]) == pytest.approx(-0.2, abs=0.06)
    assert np.std(found["x"]) < 0.03
    assert result.draws.r_hat["noise x"] < 1.02
    # A new run scatters as runs of its size do, beyond the runs as the nearest;
    # the curve adds a few per cent.
    band = result.predict({"x": [1e3, 1e8, 1e9]}, 0.9, "run", model_error=False)
    half = np.log(np.asarray(band.hi / band.lo)) / 2
    np.testing.assert_allclose(half[:2], 1.645 * scale[[0, -1]], rtol=0.25)
    assert half[2] == pytest.approx(half[1], rel=0.3)


@drawn
def test_published_sets_narrow_an_exponent(small):
    """Fifteen noisy runs leave alpha open; six published sets say more."""
    alone, told = (posterior(small, priors, **SHORT) for priors in (None, "published"))
    width = [np.ptp(one.interval("alpha")) for one in (alone, told)]
    assert width[1] < 0.8 * width[0]
    by_name = posterior(small, {"alpha": "published"}, **SHORT)
    assert np.ptp(by_name.interval("alpha")) < width[0]


@drawn
@pytest.mark.parametrize(
    ("name", "range_"), [("alpha", (0.299, 0.301)), ("A", (200.0, 201.0)), ("E", (1.2, 1.21))]
)
def test_a_tight_prior_moves_the_answer(small, name, range_):
    moved = posterior(small, {name: range_}, **SHORT)
    assert range_[0] < moved.coefs[name] < range_[1]
    assert moved.value > small.value
    np.testing.assert_allclose(moved.interval(name), range_, rtol=1e-3)


def test_published_priors_are_student_s_prediction():
    """power_rise: real exponents 0.02, 0.11 and 0.03 in three sets,
    by scipy's t with 2 degrees of freedom."""
    u = np.array([0.02, 0.11, 0.03])
    reach = scipy.stats.t.ppf([0.05, 0.95], 2) * np.std(u, ddof=1) * np.sqrt(4 / 3)
    np.testing.assert_allclose(published_priors(sf.laws.power_rise)["alpha"], np.mean(u) + reach, rtol=1e-10)
    # The unrounded and the rounded set of one study count once: 6 sets, not 7.
    assert len(sf.laws.chinchilla.published) == 7
    values = list(sf.laws.chinchilla.published.values())
    u = np.log([v["E"] for k, v in enumerate(values) if k != 1])
    reach = scipy.stats.t.ppf(0.95, 5) * np.std(u, ddof=1) * np.sqrt(7 / 6)
    assert published_priors(sf.laws.chinchilla)["E"][1] == pytest.approx(np.exp(np.mean(u) + reach))


@drawn
def test_penalised_laws_and_priors_meant_for_other_units():
    """A batch size of about a million, where the law's usual range is that of a learning rate."""
    law = sf.laws.mist_penalised
    x = design(law, 60)
    truth = {"E": 1.7, "A": 406.0, "B": 411.0, "alpha": 0.34, "beta": 0.28, "c_1": 0.01, "mu_1": 1e6}
    x["x_1"] = 1e9 * x["x_1"]
    fit = sf.fit(law, sf.simulate(law, truth, x, noise=0.003))
    result = posterior(fit, **SHORT)
    lo, hi = result.interval("mu_1", 0.99)
    assert lo < 1e6 < hi
    assert [w.text for w in result.warnings if w.code == "prior-far" and "mu_1" in w.text]
    assert result.status.trust != "good"


@drawn
def test_labels_weights_and_noise_by_size():
    """Three data sets with an exponent in common and floors of their own, labels as words,
    some rows counted twice.

    Their noise is the same at every size: the slope lies within four errors of none, and its error is that of
    log sigma_i = s + b l_i with centred l, whose information on b is 2 sum l_i^2,
    with 4 from the prior's 0.5.
    """
    x, floors = np.geomspace(1e3, 1e8, 20), {"a": 1.5, "b": 1.7, "c": 1.9}
    parts = [
        sf.simulate(LAW, TRUTH | {"E": E}, {"x": x}, noise=0.005, key=k)
        for k, E in enumerate(floors.values())
    ]
    table = {name: np.concatenate([part[name] for part in parts]) for name in ("x", "y")}
    table |= {"data": np.repeat(list(floors), 20), "w": np.tile([1.0, 2.0], 30)}
    fit = sf.fit(LAW.shared("alpha", by="data"), table, weight="w", objective=sf.square())
    result = posterior(fit, noise="normal", scale_by="x", **SHORT)
    np.testing.assert_allclose(result.draws.u.std(axis=0), np.sqrt(np.diag(fit.covariance)), rtol=0.25)
    slope, logs = result.draws.noise["x"], np.log(x) - np.log(x).mean()
    error = 1 / np.sqrt(4 + 2 * 3 * np.sum(logs**2))
    assert np.std(slope) == pytest.approx(error, rel=0.25)
    assert abs(np.mean(slope)) < 4 * error


@drawn
def test_chains_that_are_too_short_say_so():
    """On a law of whole curves, whose draws are numbers none the less."""
    law = sf.laws.lr_annealing
    fit = sf.fit(law, sf.simulate(law, n=20, noise=0.003), n_starts=4)
    result = posterior(fit, n_draws=20, n_warmup=2)
    assert np.all(np.isfinite(result.draws.u))
    texts = {w.code: w.text for w in result.warnings}
    assert "R-hat is" in texts["r-hat"]
    assert "below 100" in texts["few-effective-draws"]
    assert "few-effective-draws" in result.status.cautions
    assert result.status.trust != "good"


@drawn
def test_no_setting_is_changed(fit):
    before = dict(jax.config.values)
    posterior(fit, noise="normal", **SHORT)
    assert dict(jax.config.values) == before


@drawn
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"priors": {"gamma": (0.1, 0.2)}}, "has no 'gamma'"),
        ({"priors": {"alpha": (0.2, 0.1)}}, "alpha needs a range"),
        ({"priors": {"alpha": (-1.0, 0.1)}}, "inside its support"),
        ({"priors": {"alpha": 0.3}}, "alpha needs a range"),
        ({"noise": "cauchy"}, "noise must be"),
        ({"scale_by": "D"}, "no input 'D'"),
        ({"n_draws": 1}, "n_draws must be a whole number of at least 4"),
    ],
)
def test_refusals(fit, given, words):
    with pytest.raises(ValueError, match=words):
        posterior(fit, **given)


@drawn
def test_fits_that_no_noise_model_suits_are_refused(fit):
    with pytest.raises(TypeError, match="dict of ranges"):
        posterior(fit, [0.1, 0.2])
    with pytest.raises(ValueError, match="lower edge"):
        posterior(replace(fit, objective=sf.asymmetric()))
    with pytest.raises(ValueError, match="more rows than coefficients"):
        posterior(sf.fit(LAW, runs(), weight=1.0 * (np.arange(60) < 3), objective=sf.square()))


def test_without_numpyro_one_sentence_names_the_extra(fit, monkeypatch):
    monkeypatch.setitem(sys.modules, "numpyro.infer.hmc", None)
    with pytest.raises(ImportError, match=r"scalefit-jax\[posterior\]"):
        posterior(fit)


def test_a_law_with_few_published_sets_has_no_published_priors():
    with pytest.raises(ValueError, match="'skaling' has 1 different published set, and a prior needs three"):
        sf.published_priors(sf.laws.skaling)
