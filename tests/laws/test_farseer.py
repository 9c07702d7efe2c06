"""Farseer's search goes in other coefficients: the same law, and starts that agree."""

import numpy as np

import scalefit as sf
from scalefit.laws._farseer import _CENTRED, _eased

LAW = sf.laws.farseer
# The coefficients of the law's own check, worked by hand there.
COEFS = LAW.checks[0][0]


def table(n: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = {"N": 10 ** rng.uniform(8, 10, n), "D": 10 ** rng.uniform(9, 11.5, n)}
    return x | {"loss": LAW(COEFS, x) * np.exp(0.002 * rng.standard_normal(n))}


def test_the_eased_law_is_the_same_law():
    runs = table(30, 1)
    eased = _eased(runs["N"], runs["D"])
    values = np.array([COEFS[name] for name in LAW.names])
    inner = dict(zip(eased.law.names, eased.to(values), strict=True))
    # b cancels against a N^p: some digits are lost on the way.
    np.testing.assert_allclose(eased.law(inner, runs), LAW(COEFS, runs), rtol=1e-10)
    np.testing.assert_allclose(eased.back(eased.to(values)), values, rtol=1e-9)
    # In the middle of the runs k, A and E are the exponent, the data term and the floor themselves.
    middle = {name: np.exp(np.mean(np.log(runs[name]))) for name in ("N", "D")}
    at = inner | {"N_0": middle["N"], "D_0": middle["D"]}
    np.testing.assert_allclose(_CENTRED(at, middle), inner["E"] + inner["A"], rtol=1e-12)


def test_most_starts_reach_one_optimum_and_no_worse_than_the_truth():
    runs = table(120, 2)
    fit = sf.fit(LAW, runs)
    truth = sf.huber()
    r = truth.residual(LAW(COEFS, runs), runs["loss"])
    size = np.minimum(np.abs(r), 1e-3)
    assert fit.value < np.sum(size * (np.abs(r) - size / 2))
    assert fit.status.converged
    assert fit.status.n_agree >= fit.status.n_starts / 2
    again = sf.fit(LAW, runs, starts=COEFS)
    np.testing.assert_allclose(again.value, fit.value, rtol=1e-9)


def test_a_held_exponent_is_searched_in_the_laws_own_coefficients():
    runs = table(60, 3)
    fit = sf.fit(LAW.fix(gamma=0.5, beta=-0.125), runs)
    assert set(fit.coefs) == set(LAW.names) - {"gamma", "beta"}
    assert np.isfinite(fit.value)
