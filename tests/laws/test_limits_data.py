"""Limits and identities of the laws of repetition, transfer, vocabulary, filtering and mixtures,
each from its paper."""

from __future__ import annotations

import numpy as np
import pytest

import scalefit as sf
from scalefit.laws._filtering import EPOCHS
from scalefit.laws._multilingual import share_map
from scalefit.laws._repetition import best_size
from scalefit.laws.blocks import power_of_dot, reciprocal_power_sum, repeated, tokens_per_character

REPEAT = sf.laws.muennighoff_repeat.published["muennighoff2023"]
BASE = {name: REPEAT[name] for name in ("E", "A", "B", "alpha", "beta")}
H = {"h_1": 0.2, "h_2": 0.3, "h_3": 0.5}
FLOOR = {"C_1": 1.0, "C_2": 2.0, "C_3": 3.0, "g_1": 0.5, "g_2": 0.4, "g_3": 0.3}


# --- repetition (arXiv:2305.16264)


def test_without_repeats_it_is_chinchilla():
    D = np.geomspace(1e9, 1e11, 7)
    x = {"N": np.full(7, 3e8), "D": D, "U": np.maximum(D, 3e10)}
    np.testing.assert_allclose(sf.laws.muennighoff_repeat(REPEAT, x), sf.laws.chinchilla(BASE, x), rtol=1e-12)


def test_four_epochs_keep_93_percent():
    """laws.md, section 8: effective over actual tokens after four epochs."""
    assert repeated(1.0, 4.0, REPEAT["R_D_star"]) / 4 == pytest.approx(0.931418, abs=5e-7)


def test_repeats_never_add_more_than_they_can():
    """D' tends to U (1 + R*): tokens without end are worth 16.4 times the unique ones."""
    assert repeated(1e9, 1e18, 15.387756) == pytest.approx(16.387756e9, rel=1e-12)


@pytest.mark.parametrize(("alpha", "beta"), [(0.3526596, 0.3526596), (0.34, 0.28), (0.3, 0.45)])
def test_best_size_is_where_both_terms_fall_alike(alpha, beta):
    """At N*(U) the loss of 6 N D = C is least: a step along the iso-cost curve raises it either way."""
    base, U = {**BASE, "alpha": alpha, "beta": beta}, 1e10
    best = best_size(1e30, U, base["A"], base["B"], alpha, beta)
    step = np.array([0.99, 1.0, 1.01])
    along = sf.laws.chinchilla(base, {"N": best * step, "D": U / step})
    assert np.argmin(along) == 1
    assert along[0] == pytest.approx(along[2], abs=1e-6)


def test_best_size_of_the_published_law():
    """The paper's 0.051 parameters per unique token."""
    assert best_size(1e30, 1e10, *(BASE[n] for n in ("A", "B", "alpha", "beta"))) / 1e10 == pytest.approx(
        0.051, abs=5e-4
    )


def test_finite_far_outside():
    """Tokens and unique tokens from 1 to 1e20, parameters likewise."""
    N, D, U = (v.ravel() for v in np.meshgrid(*[np.geomspace(1, 1e20, 11)] * 3))
    assert np.all(np.isfinite(sf.laws.muennighoff_repeat(REPEAT, {"N": N, "D": D, "U": U})))


# --- transfer (arXiv:2102.01293)


def test_no_transfer_leaves_kaplan():
    kaplan = sf.laws.kaplan_nd.published["kaplan2020"]
    x = {"N": np.geomspace(1e7, 1e10, 5), "D_F": np.geomspace(1e6, 1e9, 5)}
    coefs = {**kaplan, "k": 1e-30, "alpha": 0.18, "beta": 0.38}
    np.testing.assert_allclose(
        sf.laws.hernandez_loss(coefs, x), sf.laws.kaplan_nd(kaplan, {"N": x["N"], "D": x["D_F"]}), rtol=1e-12
    )


def test_transferred_data_count_like_data():
    kaplan = sf.laws.kaplan_nd.published["kaplan2020"]
    transfer = sf.laws.hernandez_transfer.published["text_to_code"]
    x = {"N": np.geomspace(1e7, 1e10, 5), "D_F": np.geomspace(1e6, 1e9, 5)}
    D = x["D_F"] + sf.laws.hernandez_transfer(transfer, x)
    np.testing.assert_allclose(
        sf.laws.hernandez_loss({**kaplan, **transfer}, x),
        sf.laws.kaplan_nd(kaplan, {"N": x["N"], "D": D}),
        rtol=1e-12,
    )


# --- vocabulary (arXiv:2407.13623)


def test_tokens_per_character_is_capped():
    """A parabola in ln V with its lowest point at exp(0.15811069 / (2 * 0.00639222)) = 235 000,
    capped before it."""
    V = np.array([4096.0, 32768.0, 2e5, 4e5])
    f = tokens_per_character(V)
    assert np.all(np.diff(f) <= 0)
    assert f[2] == f[3]
    assert f[1] == pytest.approx(0.00639222 * np.log(32768) ** 2 - 0.15811069 * np.log(32768) + 1.20470122)


def test_vocab_law_is_a_sum_of_powers_below_a_ceiling():
    law, coefs = sf.laws.tao_vocab, sf.laws.tao_vocab.published["tao2024"]
    assert law(coefs, {"N_nv": 1e30, "N_v": 1e30, "D": 1e30}) == pytest.approx(-coefs["E"], abs=1e-9)


# --- filtering (arXiv:2404.07177)


def test_endless_half_life_is_the_plain_power_law():
    n_1, K = np.full(6, 1e7), np.array([0.3, 1.0, 1.7, 3.0, 8.5, 20.0])
    law = sf.laws.goyal_utility({"a": 5.0, "d": 0.1, "b_1": 0.2, "tau_1": 1e12}, {"n_1": n_1, "K": K})
    plain = sf.laws.power_floor({"E": 0.1, "A": 5.0, "alpha": 0.2}, {"x": n_1 * K})
    np.testing.assert_allclose(law, plain, rtol=1e-9)


def test_epochs_by_their_definition():
    """y_K = a n_1^-b_1 prod_{j=2..K} (n_j / n_{j-1})^-b_j + d with b_j = b 2^(-(j-1)/tau), n_j = j n_1,
    for whole K."""
    a, b, tau, d, n_1 = 3.0, 0.25, 3.0, 0.05, 2e6
    y = a * n_1**-b
    for j in range(1, 8):
        y *= 1.0 if j == 1 else (j / (j - 1)) ** -(b * 2 ** (-(j - 1) / tau))
        law = sf.laws.goyal_utility({"a": a, "d": d, "b_1": b, "tau_1": tau}, {"n_1": n_1, "K": float(j)})
        assert law == pytest.approx(y + d, rel=1e-12)


def test_part_of_an_epoch_lies_between_and_joins():
    K = np.linspace(0.2, 6, 2000)
    y = sf.laws.goyal_utility(
        {"a": 3.0, "d": 0.05, "b_1": 0.25, "tau_1": 1.0}, {"n_1": np.full(2000, 1e6), "K": K}
    )
    assert np.all(np.diff(y) < 0)
    assert np.max(-np.diff(y)) < 3e-3


def test_a_union_repeats_each_pool_more_slowly():
    """Half-lives stretch to p tau and exponents are averaged:
    p pools alike decay as one of half-life p tau."""
    x = {"n_1": np.full(5, 1e6), "K": np.linspace(1, EPOCHS, 5)}
    one = sf.laws.goyal_utility({"a": 1.0, "d": 0.1, "b_1": 0.2, "tau_1": 6.0}, x)
    alike = {f"{c}_{i}": v for i in (1, 2, 3) for c, v in (("b", 0.2), ("tau", 2.0))}
    three = sf.laws.goyal_utility.sized(pool=3)({"a": 1.0, "d": 0.1, **alike}, x)
    np.testing.assert_allclose(three, one, rtol=1e-12)
    mixed = {"a": 1.0, "d": 0.1, "b_1": 0.1, "b_2": 0.3, "tau_1": 3.0, "tau_2": 3.0}
    np.testing.assert_allclose(sf.laws.goyal_utility.sized(pool=2)(mixed, x), one, rtol=1e-12)


# --- mixtures (arXiv:2507.09404, 2403.16952, 2405.14908, 2406.01375)


def test_maps_of_shares():
    """laws.md, section 8."""
    h = tuple(H.values())
    assert reciprocal_power_sum(h, (1.0, 2.0, 3.0), (0.5, 0.4, 0.3)) == pytest.approx(0.242744, abs=5e-7)
    assert power_of_dot(h, (500.0, 400.0, 300.0), 1.1) == pytest.approx(668.378, abs=5e-4)


def test_joint_contains_additive():
    x = {"N": np.geomspace(1e8, 1e11, 4), "D": np.geomspace(1e9, 1e12, 4), **H}
    shared = {"E": 1.5, "alpha": 0.34, "beta": 0.28, **FLOOR}
    joint = {
        "gA": 1.0,
        "gB": 1.0,
        **{f"CA_{i}": 400.0 for i in (1, 2, 3)},
        **{f"CB_{i}": 2000.0 for i in (1, 2, 3)},
    }
    np.testing.assert_allclose(
        sf.laws.shukor_joint({**shared, **joint}, x),
        sf.laws.shukor_additive({**shared, "A": 400.0, "B": 2000.0}, x),
        rtol=1e-13,
    )


def test_joint_law_in_other_coefficients():
    """A_i = CA_i^gA and p = 1 / gA, also for a negative power."""
    x = {"N": np.geomspace(1e8, 1e11, 4), "D": np.geomspace(1e9, 1e12, 4), **H}
    shared = {"E": 1.5, "alpha": 0.34, "beta": 0.28, **FLOOR}
    CA, CB, gA, gB = (500.0, 400.0, 300.0), (0.02, 0.01, 0.03), 1.1, -0.8
    joint = (
        {"gA": gA, "gB": gB}
        | {f"CA_{i}": v for i, v in enumerate(CA, 1)}
        | {f"CB_{i}": v for i, v in enumerate(CB, 1)}
    )
    mean = {"p_A": 1 / gA, "p_B": 1 / gB}
    mean |= {f"A_{i}": v**gA for i, v in enumerate(CA, 1)} | {f"B_{i}": v**gB for i, v in enumerate(CB, 1)}
    np.testing.assert_allclose(
        sf.laws.shukor_joint_mean({**shared, **mean}, x),
        sf.laws.shukor_joint({**shared, **joint}, x),
        rtol=1e-12,
    )


def test_additive_is_chinchilla_for_one_mixture():
    """Its floor is E and the golden reciprocal power sum of laws.md, section 8."""
    x = {"N": np.geomspace(1e8, 1e11, 4), "D": np.geomspace(1e9, 1e12, 4)}
    rest = {"A": 400.0, "B": 2000.0, "alpha": 0.34, "beta": 0.28}
    np.testing.assert_allclose(
        sf.laws.shukor_additive({"E": 1.5, **rest, **FLOOR}, {**x, **H}),
        sf.laws.chinchilla({"E": 1.5 + 0.242744, **rest}, x),
        rtol=1e-6,
    )


@pytest.mark.parametrize(
    ("name", "k"), [("shukor_additive", 5 + 2 * 7), ("shukor_joint", 5 + 4 * 7), ("ye_mixing", 2 + 7)]
)
def test_number_of_coefficients(name, k):
    assert len(sf.laws[name].sized(domain=7).names) == k


def test_mixing_law_knows_only_differences_of_t():
    """Shares sum to one: t + s and k e^-s say the same."""
    coefs, s = {"c": 1.5, "k": 2.0, "t_1": -3.0, "t_2": 0.4, "t_3": -1.0}, 0.7
    moved = {"c": 1.5, "k": 2.0 * np.exp(-s), **{f"t_{i}": coefs[f"t_{i}"] + s for i in (1, 2, 3)}}
    assert sf.laws.ye_mixing(moved, H) == pytest.approx(sf.laws.ye_mixing(coefs, H), rel=1e-14)


def test_mixing_law_recovers_what_data_determine():
    """The floor, k e^t per domain, and with k = 1 every coefficient."""
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(3), size=40)
    x = {f"h_{i + 1}": shares[:, i] for i in range(3)}
    coefs = {"c": 1.5, "k": 2.0, "t_1": -3.0, "t_2": 0.4, "t_3": -1.0}
    fit = sf.fit("ye_mixing", {**x, "y": sf.laws.ye_mixing(coefs, x)}, y="y")
    assert fit.coefs["c"] == pytest.approx(1.5, rel=1e-6)
    for i in (1, 2, 3):
        alone = fit.coefs["k"] * np.exp(fit.coefs[f"t_{i}"])
        assert alone == pytest.approx(2 * np.exp(coefs[f"t_{i}"]), rel=1e-5)
    fit = sf.fit(sf.laws.ye_mixing.fix(k=1.0), {**x, "y": sf.laws.ye_mixing(coefs, x)}, y="y")
    assert fit.coefs["t_1"] == pytest.approx(-3.0 + np.log(2), rel=1e-5)


def test_linear_surrogate_needs_no_intercept():
    """With shares that sum to one, b + sum w h is sum (b + w) h."""
    w = {"w_1": 3.0, "w_2": 2.5, "w_3": 4.0}
    moved = {name: value + 0.7 for name, value in w.items()}
    assert sf.laws.regmix_linear(moved, H) == pytest.approx(sf.laws.regmix_linear(w, H) + 0.7)


def test_bimix_scale_is_free():
    coefs, x = {"A": 2.0, "alpha": 0.1, "B": 30.0, "beta": 0.4, "C": 1.2}, {"r": 0.3, "s": 2e4}
    assert sf.laws.bimix({**coefs, "A": 1.0, "B": 60.0, "C": 2.4}, x) == pytest.approx(
        sf.laws.bimix(coefs, x)
    )


def test_dcpt_of_one_corpus_is_chinchilla():
    """At r = 1 the mixture term is a constant and the share's power is one."""
    coefs = {
        "E": 1.5,
        "A": 400.0,
        "B": 2000.0,
        "C": 0.3,
        "alpha": 0.34,
        "beta": 0.28,
        "eta": 0.5,
        "gamma": 0.7,
        "epsilon": 0.1,
    }
    x = {"N": 1e9, "D": 1e10}
    base = {**{n: coefs[n] for n in ("A", "B", "alpha", "beta")}, "E": 1.5 + 0.3 / 1.1**0.7}
    assert sf.laws.dcpt(coefs, {**x, "r": 1.0}) == pytest.approx(sf.laws.chinchilla(base, x), rel=1e-14)


# --- languages (arXiv:2302.09650)


def test_share_map_ends():
    p = np.array([0.0, 1.0])
    np.testing.assert_array_equal(share_map(p, 0.7, 0.4, 1.2), p)


def test_the_share_moves_only_the_multiplier():
    """L_i(N; p) = beta_i(p) N^-alpha_i + L_inf,i with beta_i(p) = beta f(p)^-alpha."""
    coefs, N = (
        {"L_inf": 1.1, "beta": 40.0, "alpha": 0.25, "c_1": 0.7, "c_2": 0.4, "c_3": 1.2},
        np.geomspace(1e7, 1e10, 5),
    )
    for p in (0.05, 0.4, 1.0):
        power = {"E": 1.1, "A": 40.0 * share_map(p, 0.7, 0.4, 1.2) ** -0.25, "alpha": 0.25}
        np.testing.assert_allclose(
            sf.laws.fernandes_multi(coefs, {"N": N, "p": np.full(5, p)}),
            sf.laws.power_floor(power, {"x": N}),
            rtol=1e-12,
        )


# --- no law of its own


@pytest.mark.parametrize("alpha_N", [0.083, 0.34, 1.0])
def test_quantization_model_is_a_tie(alpha_N):
    """alpha_D = alpha_N / (1 + alpha_N) makes the best size grow as C^(1 / (alpha_N + 2)) (arXiv:2303.13506).

    Its loss is `chinchilla` with the exponents so tied: no law of its own.
    """
    alpha_D = alpha_N / (1 + alpha_N)
    coefs = {"E": 1.7, "A": 400.0, "B": 2000.0, "alpha": alpha_N, "beta": alpha_D}
    N = np.geomspace(1e2, 1e18, 400_001)
    best = [N[np.argmin(sf.laws.chinchilla(coefs, {"N": N, "D": C / (6 * N)}))] for C in (1e18, 1e22)]
    assert np.log(best[1] / best[0]) / np.log(1e4) == pytest.approx(1 / (alpha_N + 2), abs=1e-4)
