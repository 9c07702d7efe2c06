"""What papers conclude from their own laws, reached again from the declarations: units and counting in hand."""

from __future__ import annotations

import numpy as np
import pytest

import scalefit as sf

# Krajewski et al. 2024 (arXiv:2402.07871), table 2: experts' width as 64 x active, tokens, G, FLOPs, loss.
KRAJEWSKI = [
    (100e6, 4.37e9, 8, 2.95e18, 3.133),
    (1e9, 28.94e9, 16, 1.93e20, 2.491),
    (3e9, 72.90e9, 16, 1.41e21, 2.245),
    (7e9, 137.60e9, 32, 6.46e21, 2.076),
    (70e9, 941.07e9, 32, 4.16e23, 1.694),
    (300e9, 2.96e12, 64, 5.69e24, 1.503),
    (1e12, 7.94e12, 64, 4.97e25, 1.367),
]


@pytest.mark.parametrize(("active", "D", "G", "C", "loss"), KRAJEWSKI)
def test_granularity_counts_all_experts(active, D, G, C, loss):
    """N is d^2 (8 64 + 4) n there, 43 times the active 12 d^2 n; coefficients of 2 to 3 digits give the losses
    within .024, and the budgets (equation 10) within 0.5 %."""
    law = sf.laws.krajewski_moe
    x = {"N": 43 * active, "D": D, "G": float(G)}
    assert law(law.published["moe"], x) == pytest.approx(loss, abs=0.024)
    assert law.flops(x["N"], x["G"]) * D == pytest.approx(C, rel=5e-3)


@pytest.mark.parametrize(("active", "D", "G", "C", "loss"), KRAJEWSKI)
def test_granularity_has_the_papers_optima(active, D, G, C, loss):
    """The whole of table 2 from its budgets alone, under the law's own cost."""
    choices = {"G": [1, 2, 4, 8, 16, 32, 64]}
    best = sf.optimal(sf.laws.krajewski_moe, C=C, coefs="moe", choices=choices).iloc[0]
    assert best["G"] == G
    assert best["N"] == pytest.approx(43 * active, rel=0.03)
    assert best["D"] == pytest.approx(D, rel=0.03)


# Ludziejewski et al. 2025 (arXiv:2502.05172), table 1: budget, experts, active parameters, tokens.
LUDZIEJEWSKI = [
    *((1e20, E, N, D) for E, N, D in (
        (1, 1.7e9, 9.7e9), (2, 1.5e9, 11.4e9), (4, 1.2e9, 13.9e9), (8, 990e6, 17e9), (16, 810e6, 20.7e9),
        (32, 669e6, 24.9e9))),
    *((1e21, E, N, D) for E, N, D in (
        (1, 5.7e9, 29.3e9), (2, 5e9, 33e9), (4, 4.4e9, 38e9), (8, 3.8e9, 44.3e9), (16, 3.3e9, 51.2e9),
        (32, 2.85e9, 58.4e9))),
    *((1e22, E, N, D) for E, N, D in (
        (1, 18.8e9, 88.6e9), (2, 17.4e9, 96e9), (4, 15.8e9, 105.4e9), (8, 14.4e9, 115.8e9),
        (16, 13.2e9, 126.5e9), (32, 12.2e9, 136.9e9))),
]  # fmt: skip


@pytest.mark.parametrize(("C", "experts", "N", "D"), LUDZIEJEWSKI)
def test_joint_law_has_the_papers_optima(C, experts, N, D):
    """Table 3's coefficients give all of table 1; its sizes are printed to 2 or 3 digits."""
    best = sf.optimal(sf.laws.joint_moe, C=C, coefs="ludziejewski2025", at={"E_x": experts}).iloc[0]
    assert best["N"] == pytest.approx(N, rel=0.026)
    assert best["D"] == pytest.approx(D, rel=0.016)


@pytest.mark.parametrize(("experts", "m", "mu", "n", "nu"), [(1, 30.3640, 0.1817, 53.9838, 0.1965)])
def test_joint_law_is_the_papers_law_per_number_of_experts(experts, m, mu, n, nu):
    """The same paper's table of m(E) N^-mu + n(E) D^-nu + c, printed to four digits."""
    N, D = np.geomspace(1e8, 1e11, 5), np.geomspace(1e12, 1e9, 5)
    law = sf.laws.joint_moe
    ours = law(law.published["ludziejewski2025"], {"N": N, "D": D, "E_x": float(experts)})
    np.testing.assert_allclose(ours, m / N**mu + n / D**nu + 1.3637, rtol=2e-4)


def test_sparsity_is_charged_for_active_parameters():
    """Abnar et al. 2025 (arXiv:2501.12370): for every budget the sparsest model of those tried is best
    (section 4); under 6 N D of all parameters a dense one, or nearly, would be."""
    tried = {"Sp": [0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98]}
    ask = {"C": [1e19, 1e20, 1e21, 1e22], "coefs": "abnar2025", "choices": tried}
    best = sf.optimal(sf.laws.abnar_moe, **ask)
    assert best["Sp"].tolist() == [0.98] * 4
    np.testing.assert_allclose(6 * best["N"] * (1 - best["Sp"]) * best["D"], best["C"])
    assert sf.optimal(sf.laws.abnar_moe, flops=sf.flops.six_nd, **ask)["Sp"].max() <= 0.25


# --- counting: what a law's N are, and what follows


def test_every_law_of_experts_says_what_it_counts():
    said = {name: sf.laws[name].counting for name in ("joint_moe", "clark_routed", "abnar_moe", "krajewski_moe")}
    assert said == {
        "joint_moe": "active",
        "clark_routed": "active",
        "abnar_moe": "total",
        "krajewski_moe": "non-embedding",
    }
    assert sf.laws.kaplan_nd.counting == "non-embedding"
    assert sf.laws.chinchilla.counting is None


def test_a_cost_of_other_parameters_is_refused():
    with pytest.raises(ValueError, match="counts total parameters and the cost active ones"):
        sf.optimal(
            sf.laws.abnar_moe, 1e20, sf.flops.six_nd.counted("active"), coefs="abnar2025", at={"Sp": 0.5}
        )


def test_a_laws_cost_survives_the_algebra():
    law = sf.laws.abnar_moe
    coefs = law.published["abnar2025"]
    for same, name in (
        (law.fix(e=0.94), "Sp"),
        (law.rename(Sp="sparsity"), "sparsity"),
        (law.bound(e=(0.5, 1.5)), "Sp"),
    ):
        known = {key: coefs[key] for key in same.names}
        best = sf.optimal(same, 1e20, coefs=known, choices={name: [0.0, 0.5, 0.98]}).iloc[0]
        assert best[name] == 0.98
        assert 6 * best["N"] * 0.02 * best["D"] == pytest.approx(1e20)


def test_a_menu_of_architectures_is_charged_by_its_sparsity():
    shapes = [sf.flops.Architecture(12, 768, 32000, experts=E) for E in (1, 8, 64)]
    found = sf.optimal(sf.laws.abnar_moe, 1e20, menu=shapes, coefs="abnar2025").iloc[0]
    shape = shapes[int(found["menu"])]
    assert 6 * found["N"] * (1 - shape.sparsity) * found["D"] == pytest.approx(1e20)


def runs_of(law, **columns):
    x = {"N": np.geomspace(1e8, 1e10, 24), "D": np.geomspace(1e11, 1e9, 24)[np.arange(24) * 7 % 24]}
    x["E_x"] = 2.0 ** (np.arange(24) % 6)
    y = law(next(iter(law.published.values())), x)
    return {**{name: x[key] for name, key in columns.items()}, "experts": x["E_x"], "loss": y, "tokens": x["D"]}


def test_columns_of_the_counted_parameters_go_before_others():
    """A table of mixtures with both: joint_moe is a law of the active ones."""
    law = sf.laws.joint_moe
    runs = runs_of(law, n_params_active="N")
    runs["n_params_no_embed"] = 8 * runs["n_params_active"]
    held = law.fix(**{k: v for k, v in law.published["ludziejewski2025"].items() if k not in ("a", "b", "c")})
    fit = sf.fit(held, runs)
    assert fit.columns["N"] == "n_params_active"
    assert fit.counting == "active"
    assert fit.coefs["a"] == pytest.approx(35.91, rel=1e-4)


def test_columns_without_embeddings_go_before_all_parameters_for_kaplan():
    x = {"N": np.geomspace(1e7, 1e9, 20), "D": np.geomspace(1e11, 1e9, 20)[np.arange(20) * 7 % 20]}
    law = sf.laws.kaplan_nd
    runs = {"n_params": x["N"] + 5e7, "n_params_no_embed": x["N"], "tokens": x["D"]}
    runs["loss"] = law(law.published["kaplan2020"], x)
    assert sf.fit(law, runs).columns["N"] == "n_params_no_embed"
    with pytest.raises(ValueError, match="could each be N"):
        sf.fit(sf.laws.chinchilla, runs)
