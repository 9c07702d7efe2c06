"""Optimal size and tokens: published numbers, agreement of closed form and search, constraints, refusals."""

from __future__ import annotations

import numpy as np
import pytest

import scalefit as sf
from scalefit import flops

CHINCHILLA = sf.laws.chinchilla
SIX = flops.per_token(lambda N: 6 * N)  # the same cost, but not the one with a closed form


def best(coefs, C, **options):
    return sf.optimal(CHINCHILLA, C=C, coefs=coefs, **options).iloc[0]


@pytest.fixture(scope="module")
def fit():
    """A fit of 48 simulated runs; the truth is chinchilla's unrounded set."""
    N = np.repeat(np.geomspace(1e7, 1e9, 8), 6)
    runs = sf.simulate(CHINCHILLA, CHINCHILLA.published["hoffmann2022"],
                       {"N": N, "D": N * np.tile(np.geomspace(5, 100, 6), 8)}, noise=0.003, key=1)  # fmt: skip
    return sf.fit("chinchilla", runs)


@pytest.mark.parametrize(
    ("coefs", "C", "N", "D", "ratio", "loss"),
    [
        # Worked outside the library from the printed coefficients (catalogue of laws, section 8).
        ("hoffmann2022_rounded", 1e21, 1.824e9, 9.136e10, 50.08, 2.3289),
        ("hoffmann2022", 5.76e23, 4.031e10, 2.382e12, 59.08, 1.9184),
        ("besiroglu2024", 1e21, 2.7785e9, 5.9985e10, 21.59, 2.30553),
        ("besiroglu2024", 5.76e23, 7.225e10, 1.329e12, 18.39, 1.9744),
    ],
)
def test_golden_optima(coefs, C, N, D, ratio, loss):
    found = best(coefs, C)
    for name, value in {"N": N, "D": D, "ratio": ratio, "loss": loss}.items():
        assert found[name] == pytest.approx(value, rel=3e-4), name


def test_the_split_by_hand():
    """A = B and alpha = beta: N = D = sqrt(C / 6); at C = 6e20 both are 1e10, and with 1000/N^0.5 each term is 0.01."""
    found = best({"E": 1.8, "A": 1000.0, "B": 1000.0, "alpha": 0.5, "beta": 0.5}, 6e20)
    assert found[["N", "D", "loss"]].tolist() == pytest.approx([1e10, 1e10, 1.82], rel=1e-12)


def test_the_published_exponent():
    """Besiroglu et al.: N ~ C^0.5126."""
    less, more = (best("besiroglu2024", C)["N"] for C in (5.76e23, 5.76e24))
    assert np.log10(more / less) == pytest.approx(0.5126, abs=1e-4)


def test_an_optimum_at_the_end_of_the_budget_says_so():
    """A law without a data term wants all of the budget for N, at D = 1."""
    only = CHINCHILLA.fix(B=1e-30)
    coefs = {name: CHINCHILLA.published["besiroglu2024"][name] for name in only.names}
    found = sf.optimal(only, C=1e22, coefs=coefs).iloc[0]
    assert found["D"] == pytest.approx(1, rel=1e-6)
    assert found["caution"] == "at-limit"


@pytest.mark.parametrize(
    ("served", "N", "ratio"),
    # Sardana et al. 2024 with the unrounded set: quality of a compute-optimal 7B (catalogue of laws, section 8).
    [(1e11, 6.0565e9, 1.1637), (1e12, 3.7924e9, 2.1328), (1e13, 2.0951e9, 6.9601)],
)
def test_tokens_to_be_served_make_models_smaller(served, N, ratio):
    # 7e9 is optimal at C = 1.244143e22: N* = 7e9 in `best("hoffmann2022", C)`.
    plain = best("hoffmann2022", 1.244143e22)
    assert plain["N"] == pytest.approx(7e9, rel=1e-5)
    found = sf.optimal(
        CHINCHILLA, loss=plain["loss"], coefs="hoffmann2022", flops=flops.lifetime(served)
    ).iloc[0]
    assert found["N"] == pytest.approx(N, rel=1e-4)
    assert found["D"] / plain["D"] == pytest.approx(ratio, rel=1e-4)


@pytest.mark.parametrize("law", [CHINCHILLA, sf.laws.skaling], ids=lambda law: law.name)
@pytest.mark.parametrize("C", [1e17, 1e21, 1e26])
def test_closed_form_and_search_agree(law, C):
    coefs = next(iter(law.published.values()), None) or {
        **CHINCHILLA.published["besiroglu2024"],
        "kappa": 0.7,
    }
    closed, searched = (sf.optimal(law, C=C, coefs=coefs, flops=cost).iloc[0] for cost in (flops.six_nd, SIX))
    for name in ("N", "D", "loss"):
        assert searched[name] == pytest.approx(closed[name], rel=1e-6)


LAWS = [name for name in sf.laws.names()
        if {"N", "D"} <= set(sf.laws[name].inputs) and not sf.laws[name].whole and not sf.laws[name].labels
        and sf.laws[name].published and sf.laws[name].predicts == "loss"]  # fmt: skip


@pytest.mark.parametrize("name", LAWS)
def test_optimum_beats_its_neighbours_on_the_budget(name):
    law = sf.laws[name]
    label = next(iter(law.published))
    at = {n: float(np.sqrt(np.prod(law.domain[n].typical))) for n in law.inputs if n not in ("N", "D")}
    found = sf.optimal(law, C=1e21, at=at, coefs=label, limits={"N": (1e6, 1e13)}).iloc[0]
    assert 6 * found["N"] * found["D"] == pytest.approx(1e21, rel=1e-9)
    nearby = found["N"] * np.array([0.5, 0.9, 0.99, 1.01, 1.1, 2.0])
    nearby = nearby[(nearby >= 1e6) & (nearby <= 1e13)]
    x = {"N": nearby, "D": 1e21 / 6 / nearby, **{n: np.full_like(nearby, v) for n, v in at.items()}}
    assert np.all(law(law.published[label], x) >= found["loss"] * (1 - 1e-12))


def test_inverse_of_the_inverse_and_monotone():
    C = np.geomspace(1e18, 1e25, 8)
    for cost in (flops.six_nd, SIX, flops.lifetime(1e12)):
        there = sf.optimal(CHINCHILLA, C=C, coefs="besiroglu2024", flops=cost, limits={"D": (1e6, np.inf)})
        back = sf.optimal(CHINCHILLA, loss=there["loss"], coefs="besiroglu2024", flops=cost)
        np.testing.assert_allclose(back["C"], C, rtol=1e-8)
        assert np.all(np.diff(there["N"]) > 0)
        assert np.all(np.diff(there["loss"]) < 0)


def test_intervals_hold_the_answer_and_the_truth(fit):
    truth = best("hoffmann2022", 1e22)
    for one in (fit, sf.bootstrap(fit, 100)):
        found = sf.optimal(one, C=1e22, level=0.99).iloc[0]
        for name in ("N", "D", "ratio", "loss"):
            assert found[f"{name}_lo"] <= found[name] <= found[f"{name}_hi"], name
            assert found[f"{name}_lo"] <= truth[name] <= found[f"{name}_hi"], name
        assert found["distance"] > 1
        assert "extrapolation" in found["caution"]


def test_below_the_floor_is_infinite_with_a_reason(fit):
    found = sf.optimal(CHINCHILLA, loss=[1.8, 2.1], coefs="besiroglu2024")
    assert found["caution"].tolist() == ["floor", ""]
    assert np.isinf(found.loc[0, ["C", "N", "D"]].astype(float)).all()
    # Some draws have their floor above 1.7: the upper end is open.
    found = sf.optimal(fit, loss=[fit.coefs["E"] + 1e-3], level=0.9).iloc[0]
    assert np.isinf(found["C_hi"])


def test_repetition_moves_the_optimum_to_larger_models():
    """Muennighoff et al. 2023: with little unique data the best use of compute is fewer epochs than repeating alone."""
    law = sf.laws.muennighoff_repeat
    few, many = (sf.optimal(law, C=1e22, at={"U": U}, coefs="muennighoff2023").iloc[0] for U in (1e10, 1e14))
    assert few["loss"] > many["loss"]
    plain = sf.optimal(CHINCHILLA, C=1e22, coefs="muennighoff2023_base").iloc[0]
    assert many["N"] == pytest.approx(plain["N"], rel=1e-3)


def test_menu_limits_and_choices():
    menu = [flops.Architecture(layers, 64 * layers, 32_000) for layers in (8, 12, 16, 24, 32)]
    found = best("besiroglu2024", 1e19, menu=menu)
    sizes = np.array([m.total for m in menu], float)
    losses = CHINCHILLA(CHINCHILLA.published["besiroglu2024"], {"N": sizes, "D": 1e19 / 6 / sizes})
    assert found["N"] == sizes[np.argmin(losses)]
    capped = best("besiroglu2024", 1e22, limits={"D": (0, 1e10)})
    assert capped["D"] == pytest.approx(1e10)
    assert capped["caution"] == "at-limit"
    law = sf.laws.abnar_moe
    at = [
        float(sf.optimal(law, C=1e21, at={"Sp": s}, coefs=next(iter(law.published))).loc[0, "loss"])
        for s in (0.0, 0.5, 0.9)
    ]
    chosen = sf.optimal(law, C=1e21, choices={"Sp": [0.0, 0.5, 0.9]}, coefs=next(iter(law.published))).iloc[0]
    assert chosen["loss"] == min(at)
    assert chosen["Sp"] == [0.0, 0.5, 0.9][int(np.argmin(at))]


def test_isoloss_is_cheapest_at_the_optimum():
    cheapest = sf.optimal(CHINCHILLA, loss=2.1, coefs="besiroglu2024").iloc[0]
    found = sf.isoloss(CHINCHILLA, 2.1, cheapest["N"] * np.array([0.1, 0.5, 1.0, 2.0]), coefs="besiroglu2024")
    assert np.isinf(found.loc[0, "D"])
    assert found.loc[2, "penalty"] == pytest.approx(1, abs=1e-9)
    assert (found["penalty"] >= 1 - 1e-9).all()
    reached = CHINCHILLA(CHINCHILLA.published["besiroglu2024"], {"N": found["N"][1:], "D": found["D"][1:]})
    np.testing.assert_allclose(reached, 2.1, rtol=1e-9)


@pytest.mark.parametrize(
    ("law", "options", "words"),
    [
        ("chinchilla", {}, "one of the two"),
        ("chinchilla", {"C": [1e21], "loss": [2.0]}, "one of the two"),
        ("chinchilla", {"C": []}, "positive numbers"),
        ("chinchilla", {"C": [-1.0]}, "positive numbers"),
        ("chinchilla", {"C": [1e21], "menu": []}, "menu"),
        ("chinchilla", {"C": [1e8], "limits": {"D": (1e9, 1e12)}}, "pay for no run"),
        ("chinchilla", {"C": [1e21], "limits": {"D": (5, 1)}}, "least below greatest"),
        ("chinchilla", {"C": [1e21], "limits": {"U": (1, 5)}}, "limits are of N and D"),
        ("chinchilla", {"C": [1e21], "at": {"U": 1e9}}, "no input 'U'"),
        ("chinchilla", {"C": [1e21], "level": 0.9}, "no interval"),
        ("muennighoff_repeat", {"C": [1e21]}, "also takes U"),
        ("power_floor", {"C": [1e21]}, "no law of N and D"),
    ],
)
def test_refusals_say_what_is_wrong(law, options, words):
    law = sf.laws[law]
    coefs = next(iter(law.published.values()), {})
    with pytest.raises(ValueError, match=words):
        sf.optimal(law, coefs=coefs, **options)


def test_parameters_of_known_models():
    """GPT-3 175B and Llama 2 7B, from their papers' tables: layers, width, vocabulary, inner width."""
    gpt3 = flops.Architecture(layers=96, width=12288, vocabulary=50257, heads=96)
    assert gpt3.non_embedding == pytest.approx(173.9e9, rel=1e-3)  # 12 layers width^2
    assert gpt3.total == pytest.approx(174.6e9, rel=3e-3)
    llama = flops.Architecture(32, 4096, 32000, heads=32, feedforward=11008, gated=True, tied=False)
    assert llama.total == pytest.approx(6.738e9, rel=1e-3)
    # Mixtral 8x7B: 46.7e9 in all, 12.9e9 active with embeddings.
    mixtral = flops.Architecture(32, 4096, 32000, heads=32, kv_heads=8, feedforward=14336, gated=True, tied=False,
                                 experts=8, chosen=2)  # fmt: skip
    assert mixtral.total == pytest.approx(46.7e9, rel=2e-3)
    assert mixtral.active + mixtral.embedding == pytest.approx(12.88e9, rel=2e-3)
    # Kaplan et al. 2020, table 1: 2 N + 2 layers context width forward, three times that in training.
    assert gpt3.train(1.0, head=False) == 3 * (2 * gpt3.active + 2 * 96 * 2048 * 12288)


def test_architectures_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="2 of 1 experts"):
        flops.Architecture(2, 64, 100, chosen=2)
    with pytest.raises(ValueError, match="layers must be"):
        flops.Architecture(0, 64, 100)
    with pytest.raises(ValueError, match="kv_heads"):
        flops.Architecture(2, 64, 100, heads=4, kv_heads=3)


@pytest.mark.parametrize("cost", [sf.flops.six_nd, sf.flops.per_token(lambda N: 6 * N)])
def test_limits_of_both_do_not_hide_a_loss(cost):
    """A budget above what sizes and tokens can use is not spent; so it does not read as a floor."""
    options = {"coefs": "besiroglu2024", "flops": cost}
    free = sf.optimal(CHINCHILLA, loss=2.2, **options).iloc[0]
    held = sf.optimal(CHINCHILLA, loss=2.2, limits={"N": (1e6, 1e10), "D": (1e6, 1e13)}, **options).iloc[0]
    assert held["C"] == pytest.approx(free["C"], rel=1e-9)
    full = sf.optimal(CHINCHILLA, C=1e27, limits={"N": (1e6, 1e10), "D": (1e6, 1e13)}, **options).iloc[0]
    assert (full["N"], full["D"], full["caution"]) == (pytest.approx(1e10), pytest.approx(1e13), "at-limit")
    one = sf.optimal(CHINCHILLA, loss=2.2, menu=[7e9], limits={"D": (0, 2e12)}, **options).iloc[0]
    assert CHINCHILLA(CHINCHILLA.published["besiroglu2024"], {"N": 7e9, "D": one["D"]}) == pytest.approx(2.2)


def test_a_loss_below_the_floor_costs_infinitely_much():
    found = sf.isoloss(CHINCHILLA, 1.0, [1e9], coefs="besiroglu2024").iloc[0]
    assert np.isinf(found[["D", "ratio", "C", "penalty"]].astype(float)).all()
