"""What is worked out with laws besides fitting: against sums by hand, and other ways to the same number."""

from __future__ import annotations

import numpy as np
import pytest

import scalefit as sf


def test_noise_scale_of_gradients_that_are_known():
    """|G|^2 = 4 and tr(Sigma) = 100: norms of 4 + 100 / B on average, 14 at 10 and 4.1 at 1000; and drawn."""
    assert sf.laws.gradient_noise_scale([13.0, 15.0], [4.1], 10, 1000) == pytest.approx(25.0)
    random = np.random.default_rng(0)
    drawn = [
        np.sum((0.2 + random.normal(0, (1 / B) ** 0.5, (4000, 100))) ** 2, axis=1).tolist() for B in (16, 256)
    ]
    assert sf.laws.gradient_noise_scale(*drawn, 16, 256) == pytest.approx(25.0, rel=0.02)


def test_adaptive_batch_is_the_cheapest_of_a_grid():
    """McCandlish et al.: a batch B makes 1 / (1 + B_noise / B) of a step's progress, and costs B examples and
    a step's time, worth 50 of them here."""
    noise, B = np.array([1e2, 1e4, 1e6]), np.geomspace(1, 1e7, 100_001)
    cost = (1 + noise[:, None] / B) * (50.0 + B)
    np.testing.assert_allclose(
        sf.laws.adaptive_batch(noise, exchange=50.0), B[np.argmin(cost, axis=1)], rtol=1e-3
    )


def test_trajectories_at_any_batch():
    """At an endless batch every step counts; where the batch is that critical for its loss, half of them."""
    S = np.geomspace(1e3, 1e6, 9)
    law, coefs = sf.laws.kaplan_ns, sf.laws.kaplan_ns.published["kaplan2020"]
    np.testing.assert_allclose(
        sf.laws.loss_at_batch(1e9, S, 1e30), law(coefs, {"N": 1e9, "S_min": S}), rtol=1e-12
    )
    halved = law(coefs, {"N": 1e9, "S_min": S / 2})
    critical = sf.laws.kaplan_bcrit(sf.laws.kaplan_bcrit.published["kaplan2020"], {"L": halved})
    np.testing.assert_allclose(sf.laws.loss_at_batch(1e9, S, critical), halved, rtol=1e-12)


@pytest.mark.parametrize("power", [0.0, 0.4])
def test_update_ratio_is_the_cheapest_of_a_grid(power):
    coefs = sf.laws.rybkin_utd.published["rybkin2025_control_as_printed"]
    found = sf.laws.best_update_ratio(coefs, 3e10, [1e9, 1e11, 1e13], batch_power=power)
    sigma = np.geomspace(1e-4, 1e5, 200_001)
    D = sf.laws.rybkin_utd(coefs, {"sigma": sigma})
    for row in found.to_dict("records"):
        cost = 3e10 * sigma ** (1 - power) * D + row["data_cost"] * D
        assert row["sigma"] == pytest.approx(sigma[np.argmin(cost)], rel=1e-3)
        assert row["budget"] <= cost.min() * (1 + 1e-12)


def test_update_ratios_from_runs_to_the_next_budget():
    """Rybkin et al. 2025: data to a return by update ratio, fitted, give the cheapest ratio of each budget, a
    power of the budget. That of the largest budget is foretold from the smaller ones."""
    truth = {"D_min": 8e4, "beta": 0.6, "a": 1.1}
    runs = sf.simulate(sf.laws.rybkin_utd, truth, {"sigma": np.geomspace(0.25, 16, 24)}, noise=0.01, key=0)
    fit = sf.fit("rybkin_utd", runs, y="y")
    best = sf.laws.best_update_ratio(fit.coefs, 3e10, np.geomspace(1e12, 1e14, 7))
    frontier = {"x": best["budget"].to_numpy(), "y": best["sigma"].to_numpy()}
    law = sf.fit("monomial", {key: v[:-1] for key, v in frontier.items()}, y="y")
    told = float(law.predict({"x": frontier["x"][-1:]})[0])
    exact = sf.laws.best_update_ratio(truth, 3e10, 1e14)["sigma"].iloc[0]
    assert told == pytest.approx(exact, rel=0.1)


def test_more_pools_with_more_samples():
    """Goyal et al. 2024: filter hard for few samples, and less for many."""
    pools = [{"b": b, "tau": 2.0} for b in (0.24, 0.18, 0.12, 0.06)]
    seen = np.geomspace(1, 1e4, 9)
    found = sf.laws.best_pools(pools, [10] * 4, seen, a=8.0, d=0.1)
    assert found["pools"].iloc[0] == 1
    assert found["pools"].iloc[-1] > 1
    assert (np.diff(found["pools"]) >= 0).all()
    # One pool of tau = 2 seen for three epochs, the golden value of `goyal_utility`.
    one = sf.laws.best_pools([{"b": 0.2, "tau": 2.0}], [1e6], [3e6], a=1.0, d=0.1)
    assert one["error"].iloc[0] == pytest.approx(0.154931, rel=1e-5)


def test_pass_at_k_is_counted_without_bias():
    """By hand: of 5 samples 2 are right, and 1 - C(3, 2) / C(5, 2) = 0.7; the mean over 20,000
    problems, whose standard error is 0.0034 at k = 20, is that of all samples."""
    assert sf.laws.coverage([5], [2], [2])["coverage"].tolist() == [pytest.approx(0.7)]
    random, p = np.random.default_rng(0), 0.05
    right = random.binomial(20, p, 20_000)
    found = sf.laws.coverage(np.full(20_000, 20), right, [1, 5, 20])
    np.testing.assert_allclose(found["coverage"], 1 - (1 - p) ** np.array([1, 5, 20]), atol=0.01)


def test_tails_are_told_from_few_samples():
    """Schaeffer et al. 2025 (arXiv:2502.17578): pass rates as p^(b - 1) near 0 leave k^-b unsolved. From 50
    samples of each of 3000 problems b = 0.3 is found, and the coverage of 10,000 samples."""
    random = np.random.default_rng(1)
    p = random.beta(0.3, 2.0, 3000)
    right = random.binomial(50, p)
    assert sf.laws.coverage_tail(50, right)[0] == pytest.approx(0.3, abs=0.02)
    found = sf.laws.coverage(50, right, [50, 10_000])
    assert found["how"].tolist() == ["counted", "beta"]
    assert found["coverage"].iloc[1] == pytest.approx(np.mean(1 - (1 - p) ** 10_000), abs=0.01)


def test_emergence_is_told_from_a_line():
    """Rates of `passuntil` do not accelerate; a bend of -0.1 in log(N)^2 does."""
    N, noise = np.geomspace(1e7, 1e10, 8), 0.02 * np.random.default_rng(0).standard_normal(8)
    line = np.log(30.0) - 0.25 * np.log(N / 1e7) + noise
    straight = sf.laws.emergence(N, np.exp(-np.exp(line)))
    assert straight["chance"] > 0.05
    bent = sf.laws.emergence(N, np.exp(-np.exp(line - 0.1 * np.log(N / 1e7) ** 2)))
    assert bent["bend"] == pytest.approx(-0.1, abs=0.02)
    assert bent["chance"] < 1e-3


def test_best_shares_of_languages():
    """Fernandes et al. 2023: one law per pair, shares that sum to one; against a grid."""
    law = sf.laws.fernandes_multi
    coefs = {
        "en-de": {"L_inf": 1.2, "beta": 60.0, "alpha": 0.25, "c_1": 0.5, "c_2": 0.4, "c_3": 1.0},
        "en-zh": {"L_inf": 1.5, "beta": 90.0, "alpha": 0.25, "c_1": 0.2, "c_2": 0.6, "c_3": 1.0},
    }
    found = sf.optimal_mixture(dict.fromkeys(coefs, law), coefs=coefs, at={"N": 1e9}).iloc[0]
    p = np.linspace(0.001, 0.999, 999)
    loss = law(coefs["en-de"], {"N": 1e9, "p": p}) + law(coefs["en-zh"], {"N": 1e9, "p": 1 - p})
    assert found["en-de"] == pytest.approx(p[np.argmin(loss)], abs=0.002)
    assert found["loss"] <= np.min(loss) * (1 + 1e-9)


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("gradient_noise_scale", ([5.0], [14.0], 10, 100), "leave no noise"),
        ("gradient_noise_scale", ([14.0], [5.0], 100, 10), "B_small must be below B_big"),
        ("adaptive_batch", ([-1.0], 1.0), "noise_scale must be"),
        ("loss_at_batch", (1e9, 1e4, 0.0), "B must be"),
        ("loss_at_batch", (1e9, 1e4, 1e6, {"N_c": 1.0}), "must be those of kaplan_ns.*S_c.* missing"),
        ("best_update_ratio", ({"a": 1.0, "beta": 1.0}, 1.0, 1.0), "D_min is missing"),
        ("best_update_ratio", ({"a": 1.0, "beta": 1.0, "D_min": 1.0}, 1.0, 1.0, 1.0), "batch_power"),
        ("best_pools", ([{"b": 0.1}], [1e6], [1e6], 1.0, 0.1), r"pools\[0\].*tau is missing"),
        ("best_pools", ([{"b": 0.1, "tau": 1.0}], [1e6, 1e6], [1e6], 1.0, 0.1), "sizes must be one for each"),
        ("coverage", ([5], [6], [1]), "0 <= right <= n"),
        ("coverage", ([5], [2], [1.5]), "k must be whole"),
        ("coverage_tail", ([5, 5], [0, 0]), "all samples are wrong"),
        ("emergence", ([1e8, 1e9, 1e10], [0.1, 0.2, 0.3]), "four sizes"),
        ("emergence", ([1e8, 1e9, 1e10, 1e11], [0.1, 0.2, 0.3, 1.0]), "between 0 and 1"),
    ],
)
def test_what_cannot_be_is_refused(name, given, said):
    with pytest.raises(ValueError, match=said):
        getattr(sf.laws, name)(*given)
