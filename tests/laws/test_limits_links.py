"""Limits and identities of links, trade-offs and hyperparameter laws, each from its paper or by algebra."""

from __future__ import annotations

import math

import numpy as np
import pytest

import scalefit as sf
from scalefit.core.compose import arguments
from scalefit.laws._batch import critical_batch

# The input in which each link is monotone, and which way (+1 rises); the others are held in the middle.
LINKS = {
    ("gadre_error", "L"): 1,
    ("ladder", "L"): -1,
    ("log_sigmoid", "L"): -1,
    ("brandfonbrener_l2l", "L"): 1,
    ("isik_bleu", "D_p"): 1,
    ("owen_sigmoid", "C"): 1,
    ("scalerl", "C"): 1,
    ("observational", "S_1"): 1,
    ("passuntil", "N"): 1,
    ("mirage", "N"): 1,
    ("mirage", "length"): -1,
    ("monkeys", "k"): 1,
    ("monkeys_tail", "k"): -1,
    ("pass_at_k", "k"): 1,
    ("jones_board", "train"): -1,
    ("jones_board", "elo"): 1,
}


def span(lo: float, hi: float, n: int) -> np.ndarray:
    return np.geomspace(lo, hi, n) if lo > 0 else np.linspace(lo, hi, n)


@pytest.mark.parametrize(("name", "at"), LINKS)
def test_links_are_monotone_on_their_domain(name, at):
    """Every link is monotone on its domain, whatever its coefficients (four
    decades beyond where units allow)."""
    law = sf.laws[name]
    wide = 1e4 if law.domain[at].scales else 1.0
    x = {other: np.full(400, span(*law.domain[other].typical, 3)[1]) for other in law.inputs}
    lo, hi = law.domain[at].typical
    x[at] = span(lo / wide, hi * wide, 400)
    rng = np.random.default_rng(0)
    for _ in range(30):
        low, high = np.array([c.typical for c in law.coefs]).T
        # R_0 < A <= 1 and w > 0 hold throughout the typical ranges.
        coefs = dict(zip(law.names, rng.uniform(low, high), strict=True))
        steps = np.diff(law(coefs, x))
        assert np.all(steps * LINKS[name, at] >= 0)
        assert np.any(steps != 0)


def test_error_link_after_the_loss_law():
    """Gadre et al.: the errors of the 7B runs from parameters and tokens."""
    eta, E = 0.1364, 1.837  # RedPajama
    A, B = 212.2 / 6**eta, 366.7 / 6**eta
    both = sf.laws.chinchilla.tie(beta="alpha").then(sf.laws.gadre_error)
    coefs = {"E": E, "A": A, "B": B, "alpha": 2 * eta, **sf.laws.gadre_error.published["gadre2024_redpajama"]}
    assert both(coefs, {"N": 6.9e9, "D": 138e9}) == pytest.approx(0.47218, abs=5e-6)


@pytest.mark.parametrize(
    "name", ["gadre_error", "ladder", "log_sigmoid", "brandfonbrener_l2l", "kaplan_bcrit"]
)
def test_units_of_links_do_not_name_the_loss(name):
    """After `loss_law.then(link)` the loss is no column: the starts must not need its size."""
    link = sf.laws[name]
    assert not any("L" in arguments(c.unit) for c in link.coefs if c.unit)
    assert sf.laws.chinchilla.then(link).inputs == ("N", "D")


def test_gadre_error_ends():
    """Err runs from epsilon - k at loss 0 up to epsilon."""
    coefs = {"epsilon": 0.85, "k": 0.8, "gamma": 0.75}
    assert sf.laws.gadre_error(coefs, {"L": np.array([0.0, 1e3])}) == pytest.approx([0.05, 0.85])


def test_ladder_ends_and_middle():
    coefs = {"a": 0.6, "k": -8.0, "L_0": 1.0, "b": 0.25}
    assert sf.laws.ladder(coefs, {"L": np.array([-50.0, 1.0, 50.0])}) == pytest.approx([0.85, 0.55, 0.25])


def test_log_sigmoid_as_printed():
    """acc = 1 - a log(1 - 1/(1 + exp(-k (x - x0))))."""
    x = np.linspace(0.2, 3, 15)
    printed = 1 + 0.2 * np.log(1 - 1 / (1 + np.exp(-3.0 * (x - 1.1))))
    np.testing.assert_allclose(
        sf.laws.log_sigmoid({"a": -0.2, "k": 3.0, "L_0": 1.1}, {"L": x}), printed, rtol=1e-12
    )


def test_loss_to_loss_composes_exponents():
    """If L_0 = E_0 + A C^-a then L_1 has the exponent a kappa (arXiv:2411.12925)."""
    E_0, A, a, K, kappa, E_1 = 1.8, 30.0, 0.15, 0.7, 1.2, 0.9
    both = sf.laws.power_floor.rename(E="E_0").then(sf.laws.brandfonbrener_l2l.rename(E_0="E_first"), at="L")
    C = np.geomspace(1e18, 1e22, 9)
    coefs = {"E_0": E_0, "A": A, "alpha": a, "K": K, "kappa": kappa, "E_first": E_0, "E_1": E_1}
    np.testing.assert_allclose(both(coefs, {"x": C}), E_1 + K * A**kappa * C ** (-a * kappa), rtol=1e-10)


def test_loss_to_loss_below_the_floor():
    """At and below E_0 the second loss stays at its floor, with a finite slope (no NaN)."""
    law = sf.laws.brandfonbrener_l2l
    coefs = {"K": 0.7, "kappa": 0.8, "E_0": 2.0, "E_1": 0.9}
    np.testing.assert_allclose(law(coefs, {"L": np.array([0.5, 1.9, 2.0])}), 0.9, rtol=1e-12)


def test_owen_and_scalerl_are_logistic_in_log_compute():
    """R0 + (A - R0)/(1 + (C_mid/C)^B) is the logistic in log10 C with k = B ln 10 and c0 = log10 C_mid."""
    C = np.geomspace(1e19, 1e25, 13)
    owen = {"a": 0.51, "k": 0.8 * math.log(10), "c_0": 22.0, "b": 0.1}
    scalerl = {"R_0": 0.1, "A": 0.61, "C_mid": 1e22, "B": 0.8}
    np.testing.assert_allclose(
        sf.laws.owen_sigmoid(owen, {"C": C}), sf.laws.scalerl(scalerl, {"C": C}), rtol=1e-10
    )


def test_scalerl_halfway():
    coefs = {"R_0": 0.1, "A": 0.6, "C_mid": 1e3, "B": 2.0}
    assert sf.laws.scalerl(coefs, {"C": 1e3}) == pytest.approx(0.35)


def test_passuntil_is_a_line_in_double_logs():
    """log(-log PU) = log c - alpha log N (arXiv:2310.03262)."""
    N = np.geomspace(1e8, 1e11, 7)
    PU = sf.laws.passuntil({"c": 300.0, "alpha": 0.3}, {"N": N})
    np.testing.assert_allclose(np.log(-np.log(PU)), math.log(300) - 0.3 * np.log(N), rtol=1e-10)


def test_mirage_is_a_power_of_the_token_rate():
    """Exact match over len tokens is p^len; one token is `passuntil` with c = c^a."""
    coefs, N = {"c": 1e8, "a": 0.3}, np.geomspace(1e8, 1e11, 7)
    p = sf.laws.mirage(coefs, {"N": N, "length": 1.0})
    np.testing.assert_allclose(sf.laws.mirage(coefs, {"N": N, "length": 7.0}), p**7, rtol=1e-12)
    np.testing.assert_allclose(p, sf.laws.passuntil({"c": 1e8**0.3, "alpha": 0.3}, {"N": N}), rtol=1e-12)


def test_tail_is_minus_log_coverage():
    coefs, k = {"a": 0.9, "b": 0.4}, {"k": np.geomspace(1, 1e4, 9)}
    np.testing.assert_allclose(sf.laws.monkeys_tail(coefs, k), -np.log(sf.laws.monkeys(coefs, k)), rtol=1e-12)


def test_tail_exponent_from_the_density_of_pass_rates():
    """p ~ Beta(b, 1) has density ~ p^(b-1) at 0:
    the mean of (1-p)^k falls like Gamma(1+b) k^-b (arXiv:2502.17578)."""
    b = 0.35
    k = np.geomspace(1e3, 1e6, 5)
    exact = [math.exp(math.lgamma(1 + b) + math.lgamma(n + 1) - math.lgamma(n + 1 + b)) for n in k]
    tail = sf.laws.monkeys_tail({"a": math.gamma(1 + b), "b": b}, {"k": k})
    np.testing.assert_allclose(tail, exact, rtol=1e-3)


def test_pass_at_k_small_rates():
    """1 - (1-p)^k keeps its digits at p = 1e-12, where it is k p."""
    coefs = {"p": 1e-12}
    assert sf.laws.pass_at_k(coefs, {"k": 1.0}) == pytest.approx(1e-12, rel=1e-12)
    assert sf.laws.pass_at_k({"p": 0.3}, {"k": 2.0}) == pytest.approx(0.51)


@pytest.mark.parametrize("B", [1.0, 3e3, 1e5, 7e8])
def test_tradeoff_identity(B):
    """(S/S_min - 1)(E/E_min - 1) = 1 with E = S B; both double at B_crit = E_min/S_min (arXiv:1812.06162)."""
    coefs = {"S_min": 1e4, "E_min": 1e9}
    S = sf.laws.mccandlish(coefs, {"B": B})
    product = (S / 1e4 - 1) * (S * B / 1e9 - 1)
    assert product == pytest.approx(1, rel=1e-6)
    assert sf.laws.mccandlish(coefs, {"B": 1e5}) == pytest.approx(2e4)


def test_shallue_with_q_1_is_the_hyperbola():
    B = np.geomspace(10, 1e7, 12)
    bent = sf.laws.shallue({"S_min": 1e4, "B_crit": 1e5, "q": 1.0}, {"B": B})
    np.testing.assert_allclose(bent, sf.laws.mccandlish({"S_min": 1e4, "E_min": 1e9}, {"B": B}), rtol=1e-12)


def test_gan_cbs_is_a_shifted_hyperbola_with_least_cost_at_twice_the_pole():
    """K = A/(eps^2 - C) (1 + B_c/(b - B_c)), B_c = B_q/(eps^2 - C);
    K b is least at 2 B_c (arXiv:2201.11989)."""
    coefs, epsilon = {"A": 50.0, "B_q": 12.0, "C": 0.01}, 0.4
    pole = 12.0 / (epsilon**2 - 0.01)
    b = np.linspace(1.05, 6, 2000) * pole
    K = sf.laws.gan_cbs(coefs, {"b": b, "epsilon": np.full(2000, epsilon)})
    np.testing.assert_allclose(K, 50 / (epsilon**2 - 0.01) * (1 + pole / (b - pole)), rtol=1e-9)
    assert b[np.argmin(K * b)] == pytest.approx(2 * pole, rel=2e-3)


def test_update_ratio_law_with_a_1_is_the_hyperbola():
    sigma = np.geomspace(0.1, 30, 9)
    law = sf.laws.rybkin_utd({"D_min": 2e5, "beta": 1.5, "a": 1.0}, {"sigma": sigma})
    np.testing.assert_allclose(
        law, sf.laws.mccandlish({"S_min": 2e5, "E_min": 3e5}, {"B": sigma}), rtol=1e-12
    )
    assert sf.laws.rybkin_utd({"D_min": 2e5, "beta": 1.5, "a": 0.7}, {"sigma": 1.5}) == pytest.approx(4e5)


# Steps to the target loss by size, at batches of 64, 128, ..., 16384 sequences, and the critical
# batch the paper draws from them.
STEPS = {
    "85m": (745.3, [46000, 23000, 13282, 7000, 3840, 2528, 1917, 1600, 1600]),
    "151m": (955.2, [96000, 49000, 24000, 12000, 7128, 4350, 2940, 2400, 2300]),
    "302m": (1393.7, [196000, 90000, 46000, 23400, 13300, 7224, 4980, 3400, 2879]),
    "604m": (1888.5, [311000, 166000, 81000, 37440, 21320, 11400, 7199, 4700, 3800]),
    "1200m": (2533.4, [642000, 331000, 176000, 94000, 46500, 25000, 15360, 8900, 6500]),
}


@pytest.mark.parametrize("size", STEPS)
def test_critical_batch_of_zhang(size):
    """The five critical batches of arXiv:2410.21676 to the digit,
    from the printed coefficients and from a fit."""
    published, steps = STEPS[size]
    fit = sf.fit("zhang_cbs", {"B": 64.0 * 2.0 ** np.arange(9), "y": steps}, y="y", objective=sf.square())
    for coefs in (sf.laws.zhang_cbs.published[f"zhang2024_{size}"], fit.coefs):
        best = critical_batch(coefs)
        assert best == pytest.approx(published, abs=0.05)
        at_256, at_best = sf.laws.zhang_cbs(coefs, {"B": np.array([256.0, best])})
        assert at_best == pytest.approx(1.2 * at_256 * 256 / best, rel=1e-12)


def test_critical_batch_grows_with_size():
    """B* = 93.20 N^0.468, N in millions, through the five critical batches (arXiv:2410.21676;
    N as 85, ..., 1200)."""
    batches = [published for published, _ in STEPS.values()]
    sizes = [85.0, 151.0, 302.0, 604.0, 1200.0]
    fit = sf.fit("monomial", {"x": sizes, "y": batches}, y="y", objective=sf.square())
    assert fit.coefs["p"] == pytest.approx(0.468, abs=5e-4)
    assert fit.coefs["k"] == pytest.approx(93.20, abs=5e-3)


def test_bergsma_tau_gives_a_weight_decay_linear_in_the_batch():
    """lam = B (D/N)^-m_t / (c_t eta D) is what makes B / (eta lam D) the law's tau (arXiv:2505.13738)."""
    coefs = sf.laws.bergsma_tau.published["bergsma2025"]
    N, D, B, eta = 1e9, 4e10, 1e6, 1e-2
    lam = B * (D / N) ** -coefs["m_t"] / (coefs["c_t"] * eta * D)
    assert sf.laws.bergsma_tau(coefs, {"M": D / N}) == pytest.approx(B / (eta * lam * D), rel=1e-12)


def test_deepseek_sizes_multiply_to_the_compute():
    """C = M D: the model scale and the tokens of arXiv:2401.02954 multiply to C, exponents to one,
    to rounding."""
    laws = sf.laws.deepseek_hp
    C = np.geomspace(1e17, 1e24, 8)
    sizes = [laws(laws.published[label], {"C": C}) for label in ("model_scale", "tokens")]
    np.testing.assert_allclose(sizes[0] * sizes[1], C, rtol=2e-4)


def test_parabola_has_its_minimum_where_it_says():
    coefs = {"q_0": 30.0, "q_1": -2.5, "q_2": 0.06}
    best = math.exp(2.5 / 0.12)
    around = sf.laws.isoflop_parabola(coefs, {"N": best * np.array([0.9, 1.0, 1.1])})
    assert around[1] < min(around[0], around[2])
    assert around[1] == pytest.approx(30 - 2.5**2 / 0.24)
