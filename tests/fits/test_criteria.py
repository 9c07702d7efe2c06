"""Information criteria against textbook densities, and the share of variance by hand."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.stats

import scalefit as sf
from scalefit.fits.criteria import criteria, log_likelihood


def noisy(n: int, noise: float) -> dict[str, np.ndarray]:
    x = np.geomspace(1e3, 1e7, n)
    return sf.simulate(sf.laws.power_floor, {"E": 1.5, "A": 30.0, "alpha": 0.3}, {"x": x}, noise=noise, key=0)


def test_log_likelihoods_are_the_textbook_s():
    """Squares: the normal; absolute values: Laplace's; Huber:
    its density by quadrature, scale by bounded search."""
    runs = noisy(40, 0.01)
    fit = sf.fit("power_floor", runs, objective=sf.square())
    r = fit.residuals()
    assert log_likelihood(fit.objective, len(fit.data), fit.value) == pytest.approx(
        scipy.stats.norm(0, np.sqrt(np.mean(r**2))).logpdf(r).sum()
    )
    fit = sf.fit("power_floor", runs, objective=sf.absolute())
    r = fit.residuals()
    assert log_likelihood(fit.objective, len(fit.data), fit.value) == pytest.approx(
        scipy.stats.laplace(0, np.mean(np.abs(r))).logpdf(r).sum(), rel=1e-6
    )
    for delta in (1e-3, 0.01):
        fit = sf.fit("power_floor", runs, objective=sf.huber(delta))

        def minus(log_s, fit=fit, delta=delta):
            s = np.exp(log_s)
            rho = lambda r: r * r / 2 if r < delta else delta * (r - delta / 2)  # noqa: E731
            z = 2 * scipy.integrate.quad(lambda r: np.exp(-rho(r) / s), 0, 1, points=[delta, 0.01, 0.1])[0]
            return fit.value / s + len(fit.data) * np.log(z)

        known = scipy.optimize.minimize_scalar(minus, bounds=(-16, -4), method="bounded").fun
        assert log_likelihood(fit.objective, len(fit.data), fit.value) == pytest.approx(-known, rel=1e-4)


def test_information_criteria_by_hand():
    """n = 40, k = 3 + 1: AIC adds 2*4, AICc 2*4 + 2*4*5/35, BIC 4 ln 40."""
    fit = sf.fit("power_floor", noisy(40, 0.01), objective=sf.square())
    aic, aicc, bic = criteria(fit)
    deviance = -2 * log_likelihood(fit.objective, len(fit.data), fit.value)
    assert aic - deviance == pytest.approx(8)
    assert (fit.aic, fit.bic) == (aic, bic)
    assert aicc - deviance == pytest.approx(8 + 40 / 35)
    assert bic - deviance == pytest.approx(4 * np.log(40))


def test_rsquared_by_hand():
    """Of log y, with a row of weight zero left out."""
    runs = noisy(20, 0.01)
    fit = sf.fit("power_floor", runs, weight=[0.0] + [1.0] * 19, objective=sf.square())
    y, error = np.log(runs["y"][1:]), fit.residuals()[1:]
    assert fit.rsquared == pytest.approx(1 - np.sum(error**2) / np.sum((y - y.mean()) ** 2), rel=1e-12)
    assert 0.9 < fit.rsquared < 1
    assert fit.params == fit.coefs
