"""Limits and identities of laws in which parameters count for more or less than one,
and of the formats' errors."""

from __future__ import annotations

import numpy as np
import pytest

import scalefit as sf
from scalefit.laws import blocks, formats

BASE = {"E": 1.7, "A": 400.0, "B": 2000.0, "alpha": 0.34, "beta": 0.36}
X = {"N": np.geomspace(1e7, 1e11, 9), "D": np.geomspace(1e12, 1e9, 9)}
MOE = {
    "a": 40.0,
    "alpha": 0.18,
    "delta": 0.2,
    "g": -0.01,
    "b": 30.0,
    "beta": 0.15,
    "omega": -0.1,
    "z": 0.005,
    "c": 1.2,
    "E_s": 1.5,
    "E_m": 300.0,
}
SBASE, SPARSE = sf.laws.clark_routed.published["s_base"], sf.laws.frantar_sparse.published["text"]
FP, ABNAR = sf.laws.fp_quant.published["sun2025"], sf.laws.abnar_moe.published["abnar2025"]
KRAJEWSKI = sf.laws.krajewski_moe.published["moe"]
TINY, HUGE = 1e-12, 1e12


# Each: a law at the edge of one input, and the plainer law it becomes there.
@pytest.mark.parametrize(
    ("law", "coefs", "extra", "plain", "same"),
    [
        (
            "parscale",
            {"E": 1.7, "A": 2e8, "alpha": 0.2, "k": 0.35},
            {"P": 1.0},
            "power_floor",
            {"E": 1.7, "A": 2e8**0.2, "alpha": 0.2},
        ),
        ("frantar_eff", {**BASE, "eff_1": 0.6}, {"format": 0.0}, "chinchilla", BASE),
        (
            "frantar_eff",
            {**BASE, "eff_1": 0.6},
            {"format": 1.0},
            "chinchilla",
            {**BASE, "A": 400 * 0.6**-0.34},
        ),
        ("panferov_capacity", {**BASE, "F": 0.5, "C_r": 1.3}, {"gmse": 0.0}, "chinchilla", BASE),
        (
            "kumar_precision",
            {**BASE, "g_w": 2.67, "g_a": 2.21, "g_kv": 0.96, **dict.fromkeys(("n_w", "n_a", "n_kv"), 0.0)},
            dict.fromkeys(("P_w", "P_a", "P_kv"), 200.0),
            "chinchilla",
            BASE,
        ),
        (
            "fp_quant",
            FP,
            {"E_b": 4.0, "M_b": 3.0, "Bk": 1.0},
            "chinchilla",
            {"E": FP["eps"], "A": FP["n"], "B": FP["d"], "alpha": FP["alpha"], "beta": FP["beta"]},
        ),
        (
            "krajewski_moe",
            KRAJEWSKI,
            {"G": 1.0},
            "chinchilla",
            {"E": 0.47, "A": 2.1 + 18.1, "B": 30.8, "alpha": 0.115, "beta": 0.147},
        ),
        (
            "krajewski_moe",
            KRAJEWSKI,
            {"G": 1e300},
            "chinchilla",
            {"E": 0.47, "A": 18.1, "B": 30.8, "alpha": 0.115, "beta": 0.147},
        ),
        (
            "frantar_sparse",
            SPARSE,
            {"Sp": 0.0},
            "chinchilla",
            {"E": 0.651, "A": 16.8 + 45.0, "B": 6.9e8**0.203, "alpha": 0.245, "beta": 0.203},
        ),
        (
            "joint_moe",
            {**MOE, "E_s": 1.0},
            {"E_x": 1.0},
            "chinchilla",
            {"E": 1.2, "A": 40.0, "B": 30.0, "alpha": 0.18, "beta": 0.15},
        ),
        (
            "clark_routed",
            SBASE,
            {"E_x": 1.0},
            "power",
            {"A": 10 ** (1.104 - 0.108 * np.log10(1.847)), "alpha": 0.082 - 0.009 * np.log10(1.847)},
        ),
        (
            "clark_routed",
            {**SBASE, "E_s": 400.0},
            {"E_x": 64.0},
            "power",
            {"A": 10 ** (1.104 - 0.108 * np.log10(400.0)), "alpha": 0.082 - 0.009 * np.log10(400.0)},
        ),
    ],
)
def test_edges_are_plainer_laws(law, coefs, extra, plain, same):
    law, plain = sf.laws[law], sf.laws[plain]
    x = {name: X[name] for name in law.inputs if name in X} | extra
    x_plain = {name: X.get(name, X["N"]) for name in plain.inputs}
    np.testing.assert_allclose(law(coefs, x), plain(same, x_plain), rtol=1e-12)


def test_dense_mixture_of_experts_adds_its_constant_terms():
    """arXiv:2501.12370 with every expert in use."""
    plain = {
        "E": ABNAR["c"] + ABNAR["e"],
        **dict(zip(("A", "alpha", "B", "beta"), list(ABNAR.values())[:4], strict=True)),
    }
    joint = ABNAR["d"] / X["N"] ** ABNAR["gamma"]
    ours = sf.laws.abnar_moe(ABNAR, {**X, "Sp": 0.0})
    np.testing.assert_allclose(ours, sf.laws.chinchilla(plain, X) + joint, rtol=1e-12)


# --- experts (arXiv:2202.01169)


@pytest.mark.parametrize("E_x", [1.0, 2.0, 128.0, 1e5])
def test_saturated_experts_as_printed(E_x):
    E_s, E_m = 1.847, 314.478
    printed = 1 / (1 / (E_x - 1 + 1 / (1 / E_s - 1 / E_m)) + 1 / E_m)
    assert blocks.experts(E_x, E_s, E_m) == pytest.approx(printed, rel=1e-13)


@pytest.mark.parametrize(("E_x", "value"), [(1.0, 1.847), (128.0, 91.405), (1e15, 314.478)])
def test_saturated_experts(E_x, value):
    assert blocks.experts(E_x, 1.847, 314.478) == pytest.approx(value, rel=5e-6)


def test_effective_parameters_of_a_routed_model():
    """N^(a(Ehat)/a(E_s)) (Ehat/E_s)^(b/a(E_s)) dense parameters give the routed model's loss;
    5.598e7 for 5.5e6."""
    slope = lambda e: SBASE["a"] + SBASE["c"] * np.log10(e)  # noqa: E731
    Ehat, E_s = blocks.experts(128.0, SBASE["E_s"], SBASE["E_m"]), SBASE["E_s"]
    dense = 5.5e6 ** (slope(Ehat) / slope(E_s)) * (Ehat / E_s) ** (SBASE["b"] / slope(E_s))
    assert dense == pytest.approx(5.598e7, rel=1e-4)
    routed = sf.laws.clark_routed(SBASE, {"N": 5.5e6, "E_x": 128.0})
    assert sf.laws.clark_routed(SBASE, {"N": dense, "E_x": 1.0}) == pytest.approx(routed, rel=1e-12)


@pytest.mark.parametrize(("label", "N_cut"), [("s_base", 1000e9), ("rl_r", 32e9), ("hash", 215e9)])
def test_routing_stops_helping_at_one_size(label, N_cut):
    """At 10^(-b/c) every number of experts gives the same loss."""
    coefs = sf.laws.clark_routed.published[label]
    assert 10 ** (-coefs["b"] / coefs["c"]) == pytest.approx(N_cut, rel=0.02)
    loss = sf.laws.clark_routed(
        coefs, {"N": 10 ** (-coefs["b"] / coefs["c"]), "E_x": np.array([1.0, 8.0, 512.0])}
    )
    np.testing.assert_allclose(loss, loss[0], rtol=1e-12)


# --- precision and sparsity


@pytest.mark.parametrize(("b", "value"), [(1, 0.462117), (2, 0.761594), (4, 0.964028)])
def test_capacity(b, value):
    """arXiv:2506.01863 with F = 1/2, C_r = 1 and the error 4^-b: tanh(b/2)."""
    assert blocks.capacity(4.0**-b, 0.5, 1.0) == pytest.approx(value, abs=1e-6)


def test_floating_point_formats_of_a_paper():
    """arXiv:2501.02423: the data size at which more data begins to hurt,
    as the derivative of the law itself."""
    critical = {(4, 3): 2.7329e13, (2, 1): 3.9285e11}
    for (E_b, M_b), D in critical.items():
        x = {
            "N": 1e9,
            "D": D * np.array([0.99, 1.0, 1.01]),
            "E_b": float(E_b),
            "M_b": float(M_b),
            "Bk": 128.0,
        }
        below, at, above = sf.laws.fp_quant(FP, x)
        assert at < below
        assert at < above


@pytest.mark.parametrize(("P", "M_b"), [(4, 1.42246), (8, 3.34493), (16, 7.18986)])
def test_best_split_of_bits(P, M_b):
    share = FP["nu"] / (FP["delta"] + FP["nu"])
    assert share * P - 0.5 == pytest.approx(M_b, abs=1e-5)
    split = lambda m: sf.laws.fp_quant(FP, {"N": 1e9, "D": 1e11, "M_b": m, "E_b": P - 1 - m, "Bk": 128.0})  # noqa: E731
    assert split(M_b) < min(split(M_b - 0.1), split(M_b + 0.1))


def test_post_training_error_adds_to_a_loss():
    """arXiv:2411.04330: the two laws share no coefficient, and the damage grows
    with tokens but not with size."""
    whole = sf.laws.kumar_precision + sf.laws.kumar_post_training
    bits = {"P_w": 16.0, "P_a": 16.0, "P_kv": 16.0}
    first = {**BASE, "g_w": 2.67, "g_a": 2.21, "g_kv": 0.96, **dict.fromkeys(("n_w", "n_a", "n_kv"), 0.0)}
    coefs = first | sf.laws.kumar_post_training.published["kumar2024"]
    added = whole(coefs, {**X, **bits, "P_post": 4.0}) - sf.laws.kumar_precision(first, {**X, **bits})
    np.testing.assert_allclose(added, sf.laws.kumar_post_training(coefs, {**X, "P_post": 4.0}), rtol=1e-9)
    assert np.all(np.diff(added) < 0)
    np.testing.assert_allclose(
        whole(coefs, {**X, **bits, "P_post": 200.0}), sf.laws.kumar_precision(first, {**X, **bits})
    )


def test_groups_of_one_cost_nothing():
    coefs = {"k": 0.2, "g_D": 0.08, "g_G": 0.8, "g_N": 0.22}
    assert sf.laws.qat_granularity(coefs, {"N": 1e8, "D": 1e10, "G": 1.0}) == 0
    both = sf.laws.qat_granularity + sf.laws.qat_granularity.rename(
        k="k_a", g_D="g_Da", g_G="g_Ga", g_N="g_Na", G="G_a"
    )
    assert both.inputs == ("N", "D", "G", "G_a")


def test_an_offset_per_precision():
    """arXiv:2212.09720: parallel curves of accuracy over total bits, one per precision."""
    N = np.tile(np.geomspace(1e8, 1e11, 8), 2)
    P = np.repeat([4.0, 8.0], 8)
    truth = {"a": 0.4, "b": 0.3, "k": 0.5, "B_0": 2e10}
    accuracy = sf.laws.kbit_inference(truth, {"N": N, "P": P}) + 0.02 * (P == 4)
    law = sf.laws.kbit_inference.shared("a", "k", "B_0", by="precision")
    fit = sf.fit(law, {"N": N, "P": P, "precision": [f"int{int(p)}" for p in P], "accuracy": accuracy})
    assert fit.coefs["b[int4]"] - fit.coefs["b[int8]"] == pytest.approx(0.02, abs=1e-6)


def test_a_worth_per_format():
    rng = np.random.default_rng(0)
    code = np.arange(60) % 4
    runs = {"N": 10 ** rng.uniform(7, 10, 60), "D": 10 ** rng.uniform(9, 12, 60), "format": code}
    truth = {**BASE, "eff_1": 0.9, "eff_2": 0.5, "eff_3": 0.05}
    law = sf.laws.frantar_eff.sized(format=3)
    fit = sf.fit(law, {**runs, "loss": law(truth, runs)})
    assert fit.coefs == pytest.approx(truth, rel=1e-5)


# --- errors of formats on Gaussian numbers


@pytest.mark.parametrize(
    ("bits", "error"), [(1, "0.3634"), (2, "0.1188"), (3, "0.03744"), (4, "0.01154"), (5, "0.003495")]
)
def test_even_levels(bits, error):
    """Max 1960, Quantizing for minimum distortion: evenly spaced levels."""
    assert f"{formats.uniform(bits):.4g}".rstrip("0") == error


def test_other_levels():
    """Max 1960: the best four levels, and the best three (which are evenly spaced)."""
    assert formats.grid([-1.510, -0.4528, 0.4528, 1.510], scaled=False) == pytest.approx(0.1175, abs=5e-5)
    assert formats.integer(2) == pytest.approx(0.1902, abs=5e-5)
    assert formats.grid([0.0]) == 1.0


@pytest.mark.parametrize(("exponent", "mantissa"), [(2, 1), (4, 3), (5, 2)])
def test_floating_point_levels(exponent, mantissa):
    """Against rounding a million evenly spaced quantiles to the same levels, the scale searched on a list."""
    E, M = np.meshgrid(np.arange(2**exponent), np.arange(2**mantissa))
    level = np.where(E == 0, M * 2.0 ** (1 - mantissa), (1 + M / 2**mantissa) * 2.0**E).ravel()
    level = np.sort(np.concatenate([-level, level]))
    x = np.linspace(-8, 8, 160_001)
    density = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)

    def error(top):
        scaled = np.unique(level * top / level[-1])
        near = scaled[np.searchsorted((scaled[1:] + scaled[:-1]) / 2, x)]
        return np.sum((x - near) ** 2 * density) * (x[1] - x[0])

    tried = [error(top) for top in np.geomspace(0.5, 60, 120)]
    assert min(tried) * 0.99 < formats.floating(exponent, mantissa) <= min(tried) * (1 + 1e-6)


def test_masks():
    """The smaller of two squared Gaussian numbers is 1 - 2/pi on average;
    many groups tend to no groups at all."""
    assert formats.kept_of(1, 2) == pytest.approx((1 - 2 / np.pi) / 2, rel=1e-10)
    assert formats.kept_of(2, 4) == pytest.approx(
        0.1324474030521, rel=1e-10
    )  # scipy.integrate.quad and binom.sf
    assert formats.kept_of(4, 4) == formats.pruned(0.0) == 0.0
    assert formats.kept_of(0, 4) == formats.pruned(1.0) == 1.0
    wide = [formats.kept_of(k // 2, k) for k in (2, 4, 8, 64, 1024)]
    assert np.all(np.diff(wide) < 0)
    assert wide[-1] == pytest.approx(formats.pruned(0.5), rel=0.01)


@pytest.mark.parametrize(
    "asked",
    [
        lambda: formats.uniform(2.5),
        lambda: formats.pruned(1.5),
        lambda: formats.kept_of(5, 4),
        lambda: formats.grid([np.nan]),
        lambda: formats.floating(0, 3),
    ],
)
def test_formats_refuse_nonsense(asked):
    with pytest.raises(ValueError, match=r"must be|needs"):
        asked()
