"""Limits and identities of laws of power sums, broken curves and distillation, as their papers state them."""

from __future__ import annotations

import numpy as np
import pytest

import scalefit as sf

N, D = (v.ravel() for v in np.meshgrid(np.geomspace(1e6, 1e12, 7), np.geomspace(1e7, 1e13, 7)))
X = {"N": N, "D": D}
CHINCHILLA = sf.laws.chinchilla.published["hoffmann2022"]
x = np.geomspace(1.0, 1e10, 41)


@pytest.mark.parametrize(
    ("law", "extra"),
    [
        ("skaling", {"kappa": 1.0}),
        ("busbridge_supervised", {"gamma": 1.0}),
        ("nested_ces", {"q": 1.0}),
        ("ho_progress", {"g_N": 0.3, "g_D": 0.2}),
    ],
)
def test_the_additive_law_is_a_special_case(law, extra):
    """arXiv:2608.07222: an outer power (or q) of 1 adds; arXiv:2403.05812:
    the reference year has no progress."""
    at = X | ({"t": np.zeros_like(N)} if law == "ho_progress" else {})
    np.testing.assert_allclose(
        sf.laws[law]({**CHINCHILLA, **extra}, at), sf.laws.chinchilla(CHINCHILLA, X), rtol=1e-12
    )


def test_nested_ces_contains_kaplan_and_the_bottleneck():
    """arXiv:2608.07222: q = alpha_D gives Kaplan's law of N and D (without a floor),
    q -> 0 the larger term."""
    kaplan = sf.laws.kaplan_nd.published["kaplan2020"]
    a_N, a_D = kaplan["alpha_N"], kaplan["alpha_D"]
    nested = {"E": 0.0, "A": kaplan["N_c"] ** a_N, "B": kaplan["D_c"] ** a_D, "alpha": a_N, "beta": a_D}
    np.testing.assert_allclose(
        sf.laws.nested_ces({**nested, "q": a_D}, X), sf.laws.kaplan_nd(kaplan, X), rtol=1e-12
    )
    terms = [CHINCHILLA["A"] / N ** CHINCHILLA["alpha"], CHINCHILLA["B"] / D ** CHINCHILLA["beta"]]
    np.testing.assert_allclose(
        sf.laws.nested_ces({**CHINCHILLA, "q": 1e-3}, X), CHINCHILLA["E"] + np.maximum(*terms), rtol=1e-3
    )


def test_gadre_is_chinchilla_with_tied_exponents():
    """arXiv:2403.08540: alpha = beta = 2 eta, a = A 6^eta, b = B 6^eta, C = 6 N D, M = D / N."""
    A, B, E, eta = 100.0, 180.0, 1.6, 0.13
    tied = {"E": E, "A": A, "B": B, "alpha": 2 * eta, "beta": 2 * eta}
    np.testing.assert_allclose(
        sf.laws.gadre_loss(
            {"E": E, "a": A * 6**eta, "b": B * 6**eta, "eta": eta}, {"C": 6 * N * D, "M": D / N}
        ),
        sf.laws.chinchilla(tied, X),
        rtol=1e-12,
    )


def test_gemstones_without_shape_terms_is_chinchilla():
    """arXiv:2502.06857: the two-input law is chinchilla."""
    coefs = {
        "E": CHINCHILLA["E"],
        "C_N": CHINCHILLA["A"],
        "a_3": CHINCHILLA["alpha"],
        "C_D": CHINCHILLA["B"],
        "a_4": CHINCHILLA["beta"],
        "A": 0.0,
        "B": 0.0,
        "a_1": 0.3,
        "a_2": 0.3,
    }
    np.testing.assert_allclose(
        sf.laws.gemstones_shape(coefs, {**X, "w": 1024.0, "d": 16.0}),
        sf.laws.chinchilla(CHINCHILLA, X),
        rtol=1e-12,
    )


def test_rosenfeld_is_bounded_by_guessing_and_additive_below():
    """arXiv:1909.12673: random guessing above, the plain sum of powers where the error is small."""
    coefs = {"e_0": 0.9, "a": 300.0, "b": 200.0, "c": 1e-4, "alpha": 0.7, "beta": 0.7}
    error = sf.laws.rosenfeld(coefs, {"m": N, "n": D})
    plain = 300 / D**0.7 + 200 / N**0.7 + 1e-4
    assert np.all(error <= np.minimum(plain, 0.9))
    assert error[-1] == pytest.approx(plain[-1], rel=1e-3)
    assert sf.laws.rosenfeld(coefs, {"m": 1e-6, "n": 1e-6}) == pytest.approx(0.9, rel=1e-6)


@pytest.mark.parametrize("breaks", [1, 2, 3])
@pytest.mark.parametrize("c_0", [0.3, -0.2])
def test_bnsl_without_slope_changes_is_a_power_with_a_floor(breaks, c_0):
    """arXiv:2210.14891; with c_0 < 0 the power rises."""
    coefs = {"a": 0.4, "b": 3.0, "c_0": c_0}
    coefs |= {f"{name}_{i + 1}": v for i in range(breaks) for name, v in (("c", 0.0), ("d", 1e4), ("f", 0.3))}
    plain = sf.laws.power_floor({"E": 0.4, "A": 3.0, "alpha": c_0}, {"x": x})
    np.testing.assert_allclose(sf.laws.bnsl.sized(breaks=breaks)(coefs, {"x": x}), plain, rtol=1e-12)


def test_bnsl_changes_its_slope_by_c_at_each_break():
    """arXiv:2210.14891: far from the break at d the log-log slope is -c_0 before and -(c_0 + c_1) after."""
    coefs = {"a": 0.0, "b": 3.0, "c_0": 0.2, "c_1": 0.5, "d_1": 1e5, "f_1": 0.2}
    y = sf.laws.bnsl(coefs, {"x": np.array([1.0, 10.0, 1e9, 1e10])})
    assert np.log10(y[0] / y[1]) == pytest.approx(0.2, rel=1e-6)
    assert np.log10(y[2] / y[3]) == pytest.approx(0.7, rel=1e-6)


def test_four_nested_forms():
    """arXiv:2209.06640: M2 without floor is M1, M3 with g = 0 is M1, M4 with a = 0 is M2."""
    m1, m2, m3, m4 = (sf.laws[f"alabdulmohsin_m{k}"] for k in (1, 2, 3, 4))
    b, at = {"b": 0.7, "c": 0.3}, {"x": x[5:]}
    np.testing.assert_allclose(m2({**b, "E": 0.0}, at), m1(b, at), rtol=1e-12)
    np.testing.assert_allclose(m3({**b, "g": 0.0}, at), m1(b, at), rtol=1e-12)
    np.testing.assert_allclose(
        m4({**b, "E": 0.1, "e_0": 1.0, "a": 1e-12}, at), m2({**b, "E": 0.1}, at), rtol=1e-9
    )
    np.testing.assert_allclose(m3({**b, "g": 1e-4}, {"x": 1e14}), 0.7 * 1e-4**0.3, rtol=1e-6)


@pytest.mark.parametrize("a", [0.05, 0.5, 1.0, 2.0, 20.0])
def test_m4_solves_its_equation_between_its_bounds(a):
    """arXiv:2209.06640: (e - E) / (e_0 - e)^a = b x^-c, with a root strictly between E and e_0."""
    E, e_0, b, c = 0.1, 0.9, 3.0, 0.4
    e = sf.laws.alabdulmohsin_m4({"E": E, "e_0": e_0, "a": a, "b": b, "c": c}, {"x": x})
    assert np.all(np.diff(e) <= 0)
    inside = (e - E > 1e-9) & (e_0 - e > 1e-9)
    left, right = (e - E) / (e_0 - e) ** a, b / x**c
    np.testing.assert_allclose(left[inside], right[inside], rtol=1e-5)


@pytest.mark.parametrize("name", ["E", "e_0", "a", "b", "c"])
def test_m4_derivatives_are_the_implicit_functions(name):
    """Central differences of the root itself, which know nothing of how its derivative is taken."""
    import jax

    coefs = {"E": 0.1, "e_0": 0.9, "a": 1.7, "b": 3.0, "c": 0.4}
    law, h = sf.laws.alabdulmohsin_m4, 1e-6
    at = {"x": np.array([0.1, 10.0, 1e3])}
    up, down = (law({**coefs, name: coefs[name] + s * h}, at) for s in (1, -1))
    with jax.enable_x64(True):
        slope = jax.jacfwd(law)(
            {k: jax.numpy.asarray(v) for k, v in coefs.items()}, {"x": jax.numpy.asarray(at["x"])}
        )
    np.testing.assert_allclose(slope[name], (up - down) / (2 * h), rtol=1e-6, atol=1e-9)


def test_rectified_law_without_earlier_data_is_a_power_with_a_floor():
    """arXiv:2402.02314: D_l = 0; and with it the loss at no examples is finite, E + B / D_l."""
    plain = sf.laws.power_floor({"E": 1.1, "A": 40.0, "alpha": 0.4}, {"x": x})
    rectified = sf.laws.rectified_ft({"E": 1.1, "B": 40.0, "D_l": 0.0, "beta": 0.4}, {"D_F": x})
    np.testing.assert_allclose(rectified, plain, rtol=1e-12)
    assert sf.laws.rectified_ft(
        {"E": 1.1, "B": 40.0, "D_l": 20.0, "beta": 0.4}, {"D_F": 0.0}
    ) == pytest.approx(3.1)


def test_students_copy_their_teachers_and_catch_up_with_none():
    """arXiv:2502.08606: an infinite student is its teacher; the full law as a composition."""
    law, coefs = sf.laws.busbridge_student, sf.laws.busbridge_student.published["busbridge2025"]
    alone = sf.laws.busbridge_supervised.published["busbridge2025"]
    assert law(coefs, {"N": 1e30, "D": 1e30, "L_T": 2.1, "L_s": alone["E"]}) == pytest.approx(2.1, abs=1e-6)
    whole = sf.laws.busbridge_supervised.then(law, at="L_s")
    assert whole.inputs == ("N", "D", "L_T")
    for D_S, L_T, student in ((20e9, 2.1578, 2.3053), (512e9, 2.0036, 2.1517)):
        found = whole({**alone, **coefs}, {"N": 1e9, "D": D_S, "L_T": L_T})
        assert found == pytest.approx(student, abs=5.1e-5)


def test_a_better_teacher_can_hurt():
    """arXiv:2502.08606: the capacity gap; the student's loss has a minimum in its teacher's loss."""
    law, coefs = sf.laws.busbridge_student, sf.laws.busbridge_student.published["busbridge2025"]
    L_T = np.linspace(1.3, 3.0, 171)
    student = law(coefs, {"N": 1e9, "D": 20e9, "L_T": L_T, "L_s": 2.37469})
    best = int(np.argmin(student))
    assert 0 < best < len(L_T) - 1


def test_sparsing_laws_start_and_end_where_they_say():
    """arXiv:2411.02335: the ReLU law falls from A_0 + e^b to A_0, the SiLU law rises to A_0."""
    relu = {"A_0": 0.06, "b": -3.5, "c": 2e-4, "alpha": 1.5}
    ends = sf.laws.sparsing_law(relu, {"D": np.array([0.0, 1e6])})
    np.testing.assert_allclose(ends, [0.06 + np.exp(-3.5), 0.06], rtol=1e-12)
    silu = sf.laws.sparsing_law_silu({"A_0": 0.4, "c": 0.2, "alpha": 0.5}, {"D": np.array([1.0, 1e14])})
    np.testing.assert_allclose(silu, [0.2, 0.4], rtol=1e-6)


def test_no_penalty_at_the_optimum():
    """arXiv:2510.18900: the penalty is zero at the optimum and grows on both sides,
    for each hyperparameter."""
    law = sf.laws.mist_penalised.sized(penalty=2)
    coefs = {**CHINCHILLA, "c_1": 0.02, "mu_1": 1e-3, "c_2": 0.01, "mu_2": 5e5}
    best = law(coefs, {**X, "x_1": 1e-3, "x_2": 5e5})
    np.testing.assert_allclose(best, sf.laws.chinchilla(CHINCHILLA, X), rtol=1e-12)
    for x_1, x_2 in ((2e-3, 5e5), (5e-4, 5e5), (1e-3, 1e6), (1e-3, 1e5)):
        assert np.all(law(coefs, {**X, "x_1": x_1, "x_2": x_2}) > best)


def test_shifted_powers():
    """laion_compare with B = 0 is a power with a floor; fsc_robot with n_0 = 0 is one minus a power."""
    plain = sf.laws.power_floor({"E": 0.2, "A": 5.0, "alpha": 0.3}, {"x": x})
    np.testing.assert_allclose(
        sf.laws.laion_compare({"E": 0.2, "A": 5.0, "B": 0.0, "alpha": 0.3}, {"C": x}), plain
    )
    np.testing.assert_allclose(
        sf.laws.fsc_robot({"a": 5.0, "b": 0.3}, {"n": x, "n_0": 0.0}), 1.2 - plain, rtol=1e-12
    )


def test_compute_ratio_of_two_optimisers():
    """arXiv:2502.16982: Muon needs about half of AdamW's compute at equal loss;
    here at 1, 10, 100 PF-days."""
    muon, adamw = (sf.laws.power.published[f"liu2025_{name}"] for name in ("muon", "adamw"))
    compute = np.array([1.0, 10.0, 100.0])
    loss = sf.laws.power(adamw, {"x": compute})
    needed = (muon["A"] / loss) ** (1 / muon["alpha"])
    np.testing.assert_allclose(needed / compute, [0.4643, 0.5073, 0.5543], atol=6e-5)
