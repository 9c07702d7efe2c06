"""Comparisons: the true law first, mixtures and criteria by hand."""

from __future__ import annotations

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.stats

import scalefit as sf
from scalefit.fits.ensemble import mixture
from scalefit.validation.windows import rank

TRUTH = {"E": 1.7, "A": 60.0, "alpha": 0.3}


def noisy(n: int = 80, noise: float = 0.003, key: int = 0) -> dict[str, np.ndarray]:
    return sf.simulate(sf.laws.power_floor, TRUTH, {"x": np.geomspace(1e3, 1e9, n)}, noise=noise, key=key)


@pytest.fixture(scope="module")
def both():
    return sf.compare(["power", "power_floor"], noisy(), objective=sf.square())


def test_the_true_law_wins(both):
    assert both.backtest.table().law.iloc[0] == "power_floor"
    weights = both.backtest.weights()
    assert sum(weights.values()) == pytest.approx(1)
    assert set(weights) == {"power", "power_floor"}
    assert weights["power_floor"] > 0.99
    table = both.table().set_index("law")
    assert table.loc["power_floor", ["dAICc", "dBIC"]].tolist() == [0, 0]
    assert table.loc["power", "dBIC"] > 100
    assert table.n_coefs.to_dict() == {"power_floor": 3, "power": 2}
    assert table.loc["power_floor", "fit_rms"] == pytest.approx(0.003, rel=0.2)
    assert repr(both).startswith("Backtest by x, cuts at")


def test_ensemble_of_one_law_is_that_law():
    found = sf.compare("power_floor", noisy(), objective=sf.square())
    fit, x = found.fits["power_floor"], {"x": np.array([1e6, 1e10])}
    one = found.ensemble().predict(x, 0.9, kind="run")
    own = fit.predict(x, 0.9, kind="run")
    for name in ("mean", "lo", "hi"):
        np.testing.assert_allclose(one[name], own[name], rtol=1e-9)
    assert one.between.tolist() == [0, 0]
    np.testing.assert_allclose(found.ensemble().predict(x), own["mean"])


def test_ensemble_averages_and_spreads(both):
    """Half and half: the mean of logarithms, and an interval that reaches both laws."""
    mixed = sf.Ensemble(both.fits, {"power": 0.5, "power_floor": 0.5})
    x = {"x": np.array([1e10])}
    own = {label: fit.predict(x, 0.9, model_error=False) for label, fit in both.fits.items()}
    found = mixed.predict(x, 0.9, model_error=False)
    assert found["mean"][0] == pytest.approx(np.sqrt(own["power"]["mean"][0] * own["power_floor"]["mean"][0]))
    gap = np.log(own["power_floor"]["mean"][0] / own["power"]["mean"][0])
    assert found.between[0] == pytest.approx(gap / 2)
    assert own["power"]["lo"][0] < found.lo[0] < own["power"]["mean"][0]
    assert own["power_floor"]["mean"][0] < found.hi[0] < own["power_floor"]["hi"][0]


def test_ensemble_rests_on_the_backtest(both):
    """The same errors and weights; says first whether to believe it."""
    found, columns = both.ensemble(), both.backtest.columns
    assert found.weights == pytest.approx(both.backtest.weights(), rel=1e-9)
    mine = columns["law"] == "power_floor"
    np.testing.assert_allclose(found.ground.mixed({"power_floor": 1.0}), columns["error"][mine])
    assert found.trust == "good"
    assert repr(found).startswith("Trustworthy: 2 laws; 4 windows foretold up to ")
    assert found.table().law.tolist() == ["power_floor", "power"]
    assert found.table().rows.tolist() == [80, 80]


def test_trust_by_hand(both):
    """Where the last point foretells as well, nobody is believed; without any ground nobody quite."""
    found = both.ensemble()
    assert (
        replace(found, ground=replace(found.ground, last=found.ground.errors["power_floor"])).trust == "bad"
    )
    assert replace(found, ground=None).trust == "weak"
    bad = {label: replace(fit, status=replace(fit.status, trust="bad")) for label, fit in found.fits.items()}
    assert replace(found, fits=bad).trust == "bad"


def test_mixture_by_hand():
    """N(0, 1) and N(100, 1), half each:
    the 5 % quantile of the mixture is the 10 % quantile of the lower one."""
    z = scipy.stats.norm.ppf(0.95)
    lo, hi = np.array([[-z], [100 - z]]), np.array([[z], [100 + z]])
    below, above = mixture(lo, hi, np.array([0.5, 0.5]), 0.9)
    assert below[0] == pytest.approx(scipy.stats.norm.ppf(0.1))
    assert above[0] == pytest.approx(100 + scipy.stats.norm.ppf(0.9))
    below, above = mixture(
        np.array([[-np.inf], [0.0]]), np.array([[np.inf], [1.0]]), np.array([0.5, 0.5]), 0.9
    )
    assert (below[0], above[0]) == (-np.inf, np.inf)


def test_public_runs(data_dir):
    """On the Chinchilla points the two-term law foretells runs 300 times larger to 5 %;
    a power of compute does not."""
    runs = sf.datasets.fetch("chinchilla_epoch")
    found = sf.compare("chinchilla", runs, y="loss", weight="used_in_replication")
    table = found.backtest.table().set_index("law")
    assert found.backtest.by == "6 N D"
    assert table.index[0] == "chinchilla"
    assert table.loc["chinchilla", "rms"] < 0.03 < 0.06 < table.loc["power of 6 N D", "rms"]
    assert table.loc["chinchilla", "not_trusted"] == 0
    assert found.fits["chinchilla"].coefs["alpha"] == pytest.approx(0.34731, rel=1e-4)  # laws.md, besiroglu


def test_scores_equal_to_rounding_keep_their_order():
    scores = {"b": 0.1 + 0.2, "a": 0.3, "none": float("nan"), "c": 0.2}
    assert sorted(scores, key=lambda name: rank(scores[name])) == ["c", "b", "a", "none"]


def test_laws_without_finite_predictions_are_said():
    """log of a negative input is no number, whatever the coefficients."""
    law = sf.law(lambda r, *, a, b: a + b * jnp.log(-r), "broken")
    found = sf.compare(
        [law], {"r": np.linspace(0.01, 0.3, 15), "y": np.linspace(1.8, 1.9, 15)}, by="r", y="y"
    )
    assert repr(found).startswith("[serious] no-forecast")
    assert found.fits["broken"].status.trust == "bad"
