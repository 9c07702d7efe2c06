"""Recipes against each other: published ratios, the algebra of two powers, probabilities that mean what they say."""

from __future__ import annotations

import numpy as np
import pytest

import scalefit as sf

MONOMIAL = sf.laws.monomial
CHINCHILLA = sf.laws.chinchilla


def powers(*values):
    return tuple(dict(zip(MONOMIAL.names, pair, strict=True)) for pair in values)


def test_muon_needs_about_half_of_the_compute():
    """Liu et al. 2025 (arXiv:2502.16982): 2.506 C^-0.052 and 2.608 C^-0.054; ratios worked from the printed coefficients."""
    found = sf.multiplier(MONOMIAL, MONOMIAL, C=[1, 10, 100], coefs=powers((2.506, -0.052), (2.608, -0.054)))
    np.testing.assert_allclose(1 / found["multiplier"], [0.4643, 0.5073, 0.5543], rtol=2e-4)


def test_two_powers_cross_where_algebra_says():
    """A_1 C^-a_1 = A_2 C^-a_2 at C = (A_1 / A_2)^(1 / (a_1 - a_2))."""
    found = sf.crossover(MONOMIAL, MONOMIAL, (1e-5, 1e60), coefs=powers((2.506, -0.052), (2.608, -0.054)))
    assert len(found) == 1
    assert found.loc[0, "C"] == pytest.approx((2.506 / 2.608) ** (1 / (0.052 - 0.054)), rel=1e-3)
    assert found.loc[0, ["better_below", "better_above"]].tolist() == ["a", "b"]


def test_a_recipe_has_no_crossing_and_no_advantage_over_itself():
    assert len(sf.crossover(CHINCHILLA, CHINCHILLA, coefs=("besiroglu2024", "besiroglu2024"))) == 0
    found = sf.multiplier(
        CHINCHILLA, CHINCHILLA, loss=[2.0, 2.5, 1.5], coefs=("besiroglu2024", "besiroglu2024")
    )
    assert found["multiplier"][:2].tolist() == [1, 1]
    assert np.isnan(found["multiplier"][2])  # below both floors


def test_a_multiplier_of_data_is_found_again():
    """Data that count double save exactly half of the compute, whatever the law's coefficients."""
    c = dict(CHINCHILLA.published["besiroglu2024"])
    better = {**c, "B": c["B"] / 2 ** c["beta"]}
    found = sf.multiplier(CHINCHILLA, CHINCHILLA, loss=[2.2, 2.6, 3.0], coefs=(better, c))
    # L*(C) - E ~ (C / 6)^(-alpha beta / (alpha + beta)) with a factor that goes with B^(alpha / (alpha + beta)): B / 2^beta
    # saves a factor 2 exactly.
    np.testing.assert_allclose(found["multiplier"], 2, rtol=1e-8)


def two_recipes(key: int, gain: float = 0.0):
    """Fits of 30 runs each of two recipes; the second's finite-data term is smaller by exp(-gain)."""
    c = dict(CHINCHILLA.published["besiroglu2024"])
    N = np.repeat(np.geomspace(1e7, 1e9, 6), 5)
    x = {"N": N, "D": N * np.tile(np.geomspace(5, 100, 5), 6)}
    return [
        sf.fit(
            "chinchilla", sf.simulate(CHINCHILLA, {**c, "B": c["B"] * scale}, x, noise=0.005, key=2 * key + k)
        )
        for k, scale in enumerate((1.0, np.exp(-gain)))
    ]


def test_probabilities_and_intervals_mean_what_they_say():
    """Of 30 studies of two recipes whose truth is alike, 90 % or more is given to one rarely, and a multiplier of 1 is held."""
    given, held = [], 0
    for key in range(30):
        a, b = two_recipes(key)
        found = sf.decide({"a": a, "b": b}, C=1e21).set_index("recipe")
        given.append(found.loc["b", "probability"])
        assert found["probability"].sum() == pytest.approx(1)
        ratio = sf.multiplier(b, a, loss=[2.3], level=0.9).iloc[0]
        held += ratio["multiplier_lo"] <= 1 <= ratio["multiplier_hi"]
    # Binomial(30, 0.2) lies at or below 12 with probability 0.997, Binomial(30, 0.9) at or above 22 with 0.998.
    assert np.sum(np.abs(np.array(given) - 0.5) >= 0.4) <= 12
    assert 0.3 < np.mean(given) < 0.7
    assert held >= 22


def test_a_clear_winner_is_called():
    a, b = two_recipes(1, gain=0.5)
    found = sf.decide({"a": a, "b": b}, C=1e22)
    assert found.loc[0, "recipe"] == "b"
    assert found.loc[0, "probability"] > 0.95
    assert found.loc[0, "small"] == 1
    assert (found["lo"] <= found["loss"]).all()
    assert (found["loss"] <= found["hi"]).all()
    assert found.loc[0, "distance"] > 1


def test_refusals():
    with pytest.raises(ValueError, match="at least two"):
        sf.decide({}, C=1e21)
    with pytest.raises(ValueError, match="one of the two"):
        sf.multiplier(MONOMIAL, MONOMIAL)
    with pytest.raises(ValueError, match="least, greatest"):
        sf.crossover(MONOMIAL, MONOMIAL, (5, 1), coefs=powers((1, 0.1), (2, 0.2)))


def test_a_crossing_on_a_looked_at_budget_is_found():
    """C^-0.05 and C^-0.1 cross at 1, the middle of the range."""
    names = MONOMIAL.names
    coefs = tuple(dict(zip(names, pair, strict=True)) for pair in ((1.0, -0.05), (1.0, -0.1)))
    found = sf.crossover(sf.laws.monomial, sf.laws.monomial, (1e-2, 1e2), coefs=coefs)
    assert found["C"].tolist() == [pytest.approx(1, rel=2e-3)]
    same = sf.crossover(sf.laws.monomial, sf.laws.monomial, coefs=(coefs[0], coefs[0]))
    assert len(same) == 0
    assert "C" in same.columns
