"""Parameters and FLOPs of published architectures, costs by shape, of teachers and of haste;
one way of counting."""

from __future__ import annotations

import numpy as np
import pytest

import scalefit as sf
from scalefit import flops
from scalefit.decisions.recipe import one_counting
from scalefit.flops.costs import Architecture

CHINCHILLA = sf.laws.chinchilla


def gopher(layers, width, heads, **more):
    """The family of Gopher and Chinchilla: relative positions, 32,000 tokens."""
    return Architecture(layers, width, 32_000, heads=heads, relative=True, **more)


LLAMA_405 = Architecture(126, 16384, 128_256, 128, 8, 53_248, gated=True, tied=False, context=8192)
GPT_3 = Architecture(96, 12_288, 50_257, 96)


@pytest.mark.parametrize(
    ("shape", "published", "digits"),
    [
        # Hoffmann et al. 2022 (arXiv:2203.15556), table A4, and table 4 for Chinchilla and Gopher.
        (gopher(10, 640, 10), 73e6, 0.012),
        (gopher(20, 1024, 16), 305e6, 0.002),
        (gopher(24, 1280, 10), 552e6, 0.002),
        (gopher(26, 1792, 14), 1.1e9, 0.045),
        (gopher(28, 2048, 16), 1.6e9, 0.03),
        (gopher(40, 3584, 28), 6.8e9, 0.007),
        (gopher(80, 8192, 64), 70e9, 0.007),
        (gopher(80, 16384, 128), 280e9, 0.002),
        # Brown et al. 2020 (arXiv:2005.14165), table D.1: 174,600M; 2048 learned positions are left out here.
        (GPT_3, 174.6e9 - 2048 * 12_288, 3e-4),
        # Touvron et al. 2023 (arXiv:2302.13971), table 2: 6.7B, 13.0B, 32.5B, 65.2B;
        # inner widths as released.
        (Architecture(32, 4096, 32_000, 32, feedforward=11_008, gated=True, tied=False), 6.7e9, 0.008),
        (Architecture(40, 5120, 32_000, 40, feedforward=13_824, gated=True, tied=False), 13.0e9, 0.004),
        (Architecture(60, 6656, 32_000, 52, feedforward=17_920, gated=True, tied=False), 32.5e9, 0.002),
        (Architecture(80, 8192, 32_000, 64, feedforward=22_016, gated=True, tied=False), 65.2e9, 0.002),
        # Grouped queries. Dubey et al. 2024 (arXiv:2407.21783), table 3: "8B", "70B", "405B".
        (Architecture(32, 4096, 128_256, 32, 8, 14_336, gated=True, tied=False), 8e9, 0.005),
        (Architecture(80, 8192, 128_256, 64, 8, 28_672, gated=True, tied=False), 70e9, 0.01),
        (LLAMA_405, 405e9, 0.003),
        # One key for all queries, heads narrower than the width. Chowdhery et al.
        # 2022 (arXiv:2204.02311), table 1: 540.35B.
        (Architecture(118, 18_432, 256_000, 48, 1, gated=True, head_width=256), 540.35e9, 2e-5),
    ],
)
def test_parameters_are_those_published(shape, published, digits):
    assert shape.total == pytest.approx(published, rel=digits)


@pytest.mark.parametrize(
    ("shape", "embedding", "rest", "norms"),
    # Gemma Team 2024 (arXiv:2403.08295), tables 1 and 2: to the last parameter, once norms are added.
    [
        (
            Architecture(18, 2048, 256_128, 8, 1, 16_384, gated=True, head_width=256),
            524_550_144,
            1_981_884_416,
            37 * 2048,
        ),
        (
            Architecture(28, 3072, 256_128, 16, 16, 24_576, gated=True, head_width=256),
            786_825_216,
            7_751_248_896,
            57 * 3072,
        ),
    ],
)
def test_gemma_to_the_last_parameter(shape, embedding, rest, norms):
    assert shape.embedding == embedding
    assert shape.non_embedding + norms == rest


@pytest.mark.parametrize(
    ("shape", "total", "active"),
    [
        # Jiang et al. 2024 (arXiv:2401.04088): 47B in all, 13B used by a token, embeddings among both.
        (
            Architecture(32, 4096, 32_000, 32, 8, 14_336, gated=True, tied=False, experts=8, chosen=2),
            47e9,
            13e9,
        ),
        # Qwen3 (arXiv:2505.09388) 30B-A3B, model card: 30.5B in all, 29.9B without embeddings, 3.3B active.
        (
            Architecture(
                48, 2048, 151_936, 32, 4, 768, gated=True, tied=False, experts=128, chosen=8, head_width=128
            ),
            30.5e9,
            3.3e9,
        ),
    ],
)
def test_experts_in_all_and_those_a_token_uses(shape, total, active):
    assert shape.total == pytest.approx(total, rel=0.01)
    assert shape.active + shape.embedding == pytest.approx(active, rel=0.015)
    assert shape.count("total") == shape.total
    assert shape.count("non-embedding") == shape.total - shape.embedding
    # A token's FLOPs are those of its own experts.
    assert shape.forward(head=False, attention=False) == 2 * shape.active


@pytest.mark.parametrize(
    ("shape", "ratio"),
    # Hoffmann et al. 2022, table A4: FLOPs over 6 N D. The printed ratios leave out embeddings and head,
    # count the softmax (0.5 %), and let a token look at the whole context of 2048, so twice the context here.
    [
        (gopher(10, 640, 10, context=4096), 1.03),
        (gopher(20, 1024, 16, context=4096), 1.10),
        (gopher(24, 1280, 10, context=4096), 1.08),
        (gopher(26, 1792, 14, context=4096), 1.04),
        (gopher(28, 2048, 16, context=4096), 1.03),
        (gopher(40, 3584, 28, context=4096), 0.99),
    ],
)
def test_flops_are_those_published(shape, ratio):
    # Their FLOPs have no matrix for relative positions.
    plain = shape.train(1.0, head=False) - 6 * shape.layers * shape.width**2
    assert plain / (6 * shape.total) == pytest.approx(ratio, abs=0.01)


def test_training_compute_of_known_models():
    """GPT-3: 3.14e23 FLOPs on 300e9 tokens (Brown et al., table D.1). Llama 3 405B:
    3.8e25 on 15.6e12 (Dubey et al., section 1)."""
    assert flops.six_nd(174.6e9, 300e9) == pytest.approx(3.14e23, rel=2e-3)
    assert flops.six_nd(LLAMA_405.total, 15.6e12) == pytest.approx(3.8e25, rel=2e-3)


def test_the_bundled_runs_by_their_shape():
    """FLOPs written down when they were trained,
    with norms (0.5 % of the smallest) and a whole context of 128, so twice that here."""
    runs = sf.datasets.load("tiny_lm")
    for d, layers, heads, total, D, spent in zip(
        *(runs[c] for c in ("d_model", "n_layers", "n_heads", "n_params", "n_tokens", "flops")), strict=True
    ):
        shape = Architecture(int(layers), int(d), 256, int(heads), tied=False, context=256)
        assert shape.total == pytest.approx(total, rel=0.01)
        assert shape.train(D) == pytest.approx(spent, rel=0.006)


def test_flops_by_hand():
    """2 layers of width 4 with 10 tokens: 12 d^2 = 192 a layer; the head 40;
    scores and their use 4 * 4 * 3 a layer."""
    shape = Architecture(2, 4, 10, context=6)
    assert shape.forward() == 2 * 384 + 2 * 40 + 2 * 48
    # Kaplan et al. 2020 (arXiv:2001.08361), table 1: 2 N + 2 layers context width forward,
    # three times that in training.
    assert GPT_3.train(1.0, head=False) == 3 * (2 * GPT_3.active + 2 * 96 * 2048 * 12_288)
    assert flops.by_shape("total")(shape, 5.0) == shape.train(5.0)
    assert flops.by_shape("total", served=7.0)(shape, 5.0) == shape.train(5.0) + 7 * shape.forward()
    assert flops.by_shape(served=7.0).tokens(shape, flops.by_shape(served=7.0)(shape, 5.0)) == pytest.approx(
        5
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"chosen": 2}, "2 of 1 experts"),
        ({"layers": 0}, "layers must be"),
        ({"heads": 4, "kv_heads": 3}, "kv_heads"),
        ({"layers": True}, "layers must be"),
        ({"head_width": 0}, "head_width must be"),
        ({"feedforward": -3}, "feedforward must be"),
    ],
)
def test_architectures_that_cannot_be_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        Architecture(**{"layers": 2, "width": 64, "vocabulary": 100, **options})


def test_a_shape_may_come_from_a_column_of_whole_numbers():
    """numpy's int32 would overflow: 100 layers of 12 x 16384^2 parameters are 3.2e11."""
    shape = Architecture(np.int32(100), np.int32(16_384), np.int32(50_000))
    assert shape.active == 100 * 12 * 16_384**2


def test_a_menu_of_shapes_at_their_true_cost():
    """Wide and shallow or narrow and deep at one count:
    attention over a long context makes the deep one dearer."""
    wide = Architecture(6, 1024, 1000, context=32_768)
    deep = Architecture(24, 512, 1000, context=32_768)
    assert wide.non_embedding == deep.non_embedding
    menu = [deep, wide]
    found = sf.optimal(
        CHINCHILLA, C=1e19, coefs="besiroglu2024", menu=menu, flops=flops.by_shape("non-embedding")
    ).iloc[0]
    assert found["menu"] == 1
    assert found["N"] == wide.non_embedding
    assert found["D"] == pytest.approx(1e19 / wide.train(1.0), rel=1e-12)
    # One loss: by training alone the larger of two shapes is cheaper,
    # with 1e11 tokens to be served the smaller.
    menu = [Architecture(12, width, 32_000) for width in (768, 1536)]
    pick = lambda served: sf.optimal(  # noqa: E731
        CHINCHILLA, loss=3.0, coefs="besiroglu2024", menu=menu, flops=flops.by_shape("total", served=served)
    ).loc[0, "menu"]
    assert (pick(0.0), pick(1e11)) == (1, 0)


def test_width_and_depth_by_the_law_of_shapes():
    """Gemstones: a menu of shapes gives w and d,
    and the answer is the least of the law's losses at equal cost."""
    law = sf.laws.gemstones_shape
    menu = [Architecture(layers, width, 50_304) for layers in (8, 16, 32, 64) for width in (512, 1024, 2048)]
    cost = flops.by_shape("total")
    found = sf.optimal(law, C=[1e20, 1e21], coefs="mcleish2025", menu=menu, flops=cost)
    for C, chosen, loss in zip(found["C"], found["menu"], found["loss"], strict=True):
        by_hand = [
            float(
                law(
                    law.published["mcleish2025"],
                    {"w": m.width, "d": m.layers, "N": m.total, "D": C / m.train(1.0)},
                )
            )
            for m in menu
        ]
        assert chosen == int(np.argmin(by_hand))
        assert loss == pytest.approx(min(by_hand), rel=1e-12)


def test_experts_on_a_menu():
    """Abnar et al.: shapes give the share of experts not used,
    N is their total and the cost that of the active part."""
    law = sf.laws.abnar_moe
    menu = [Architecture(16, 1024, 32_000, experts=e, chosen=2) for e in (2, 4, 8, 16, 32)]
    found = sf.optimal(law, C=1e20, menu=menu, flops=flops.by_shape("total"), coefs="abnar2025").iloc[0]
    by_hand = [
        float(
            law(law.published["abnar2025"], {"N": m.total, "D": 1e20 / m.train(1.0), "Sp": 1 - 2 / m.experts})
        )
        for m in menu
    ]
    assert found["menu"] == int(np.argmin(by_hand))
    assert found["loss"] == pytest.approx(min(by_hand), rel=1e-12)
    # A token costs the same with few experts as with many.
    assert len({m.train(1.0) for m in menu}) == 1


def test_a_cost_may_depend_on_what_is_chosen():
    """Bits: FLOPs in proportion to them. The optimum of N P f(P) at fixed cost has P / f(P) least,
    whatever the budget."""
    law = sf.laws.kumar_precision
    coefs = law.published["kumar2024"]
    cost = flops.per_token(lambda N, P_w: 6 * N * P_w / 16)
    bits = [float(b) for b in range(2, 17)]
    # Kumar et al. 2024 (arXiv:2411.04330), section 4.3: all bits free,
    # the best precision does not depend on compute.
    kept = [
        [max(1 - np.exp(coefs[f"n_{t}"] - b / coefs[f"g_{t}"]), 1e-9) for t in ("w", "a", "kv")] for b in bits
    ]
    worth = [b / np.prod(part) for b, part in zip(bits, kept, strict=True)]
    found = sf.optimal(
        law,
        C=[1e19, 1e22],
        coefs=coefs,
        flops=cost,
        choices={("P_w", "P_a", "P_kv"): [(b, b, b) for b in bits]},
    )
    assert found["P_w"].tolist() == [bits[int(np.argmin(worth))]] * 2


def test_the_four_costs_of_a_teacher():
    """Busbridge et al. 2025 (arXiv:2502.08606), section 5:
    3 F(N) D + F(N_T) (logits D + pretraining 3 D_T), F = 2 N."""
    N, D, at = 1e9, 20e9, {"N_T": 3e9, "D_T": 60e9}
    for logits in (0, 1):
        for pretraining in (0, 1):
            cost = flops.distillation(bool(logits), bool(pretraining))
            want = 3 * 2e9 * D + 6e9 * (logits * D + pretraining * 3 * 60e9)
            assert cost(N, D, at) == pytest.approx(want, rel=1e-15)
            assert cost.tokens(N, want, at) == pytest.approx(D, rel=1e-12)
    with pytest.raises(ValueError, match="the cost needs N_T"):
        flops.distillation()(N, D)


def test_a_deadline_by_hand():
    """McCandlish et al. 2018: S_min = 1e4 steps and 1e9 tokens at least,
    so B_crit = 1e5 (catalogue of laws, section 8)."""
    for B, steps in ((1e4, 1.1e5), (1e5, 2e4), (1e6, 1.1e4)):
        late = flops.Deadline(seconds=2 * steps, per_step=2.0, critical=1e5)
        assert late.details(1e9, 1e9) == {"B": pytest.approx(B), "steps": pytest.approx(steps)}
        # The budget is for all tokens, B times the steps, and pays for 1e9 tokens of progress.
        assert late(1e9, 1e9) == pytest.approx(6e9 * B * steps)
        assert late.tokens(1e9, 6e9 * B * steps) == pytest.approx(1e9)
        # The catalogue's law says the same.
        assert sf.laws.mccandlish({"S_min": 1e4, "E_min": 1e9}, {"B": B}) == pytest.approx(steps)
    # Fewer steps than S_min are never enough, nor are those of a batch that is too small.
    assert np.isinf(flops.Deadline(9e3, 1.0, 1e5)(1e9, 1e9))
    assert np.isinf(flops.Deadline(2e4, 1.0, 1e5, batch=(1.0, 9e4))(1e9, 1e9))


@pytest.mark.parametrize("critical", [1e5, lambda D: 20 * D**0.462])
def test_a_deadline_and_its_inverse(critical):
    """Tokens of a budget and the budget of tokens;
    the batch is the one of all combinations that gets farthest."""
    late = flops.Deadline(86_400, lambda N: 0.1 + N / 1e10, critical, batch=(1e4, 1e6))
    for C in np.geomspace(1e19, 1e22, 7):
        D = float(late.tokens(1e9, C))
        B = np.geomspace(1e4, 1e6, 4001)
        X = np.minimum(C / 6e9, B * 86_400 / 0.2)
        of = critical if callable(critical) else (lambda D: critical)
        # The places are a factor 1.0012 apart.
        farthest = np.max(X / (1 + B / of(D)))
        assert farthest * (1 - 1e-9) <= D <= farthest * 1.0012
        # Where the greatest batch holds it up, less than the budget does.
        assert float(late(1e9, D)) <= C * (1 + 1e-9)
        if late.details(1e9, D)["B"] < 1e6 * (1 - 1e-6):
            assert float(late(1e9, D)) == pytest.approx(C, rel=1e-9)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seconds": 0.0}, "seconds"),
        ({"critical": -1.0}, "critical"),
        ({"batch": (5.0, 1.0)}, "batch"),
        ({"per_step": np.inf}, "per_step"),
        ({"seconds": "a day"}, "seconds"),
        ({"batch": 1e6}, "batch"),
    ],
)
def test_deadlines_that_cannot_be_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        flops.Deadline(**{"seconds": 1e5, "per_step": 1.0, "critical": 1e6, **options})


def test_costs_say_what_they_take():
    with pytest.raises(ValueError, match="give some with menu"):
        flops.by_shape("total")(1e9, 1e10)
    with pytest.raises(ValueError, match="not of an architecture"):
        flops.six_nd(GPT_3, 1e10)
    with pytest.raises(ValueError, match="counting must be one of"):
        flops.six_nd.counted("all")
    for served in (-1.0, np.nan, np.inf, "many"):
        for cost in (flops.lifetime, lambda served: flops.by_shape(served=served)):
            with pytest.raises(ValueError, match="tokens served must not be negative"):
                cost(served)


def runs(name):
    N = np.repeat(np.geomspace(1e7, 1e9, 4), 4)
    D = N * np.tile(np.geomspace(5, 100, 4), 4)
    x = sf.simulate(CHINCHILLA, CHINCHILLA.published["hoffmann2022"], {"N": N, "D": D}, noise=0.003, key=1)
    return {name: x["N"], "n_tokens": x["D"], "loss": x["y"]}


@pytest.fixture(scope="module")
def fits():
    """One law on one table, N counted in three ways."""
    table, inputs = runs("n_params"), {"N": "n_params", "D": "n_tokens"}
    return {
        said: sf.fit("chinchilla", table, inputs=inputs, y="loss", counting=said)
        for said in (None, "total", "non-embedding")
    }


def test_the_fit_keeps_its_counting(fits, tmp_path):
    assert fits["total"].counting == "total"
    assert "N counts total parameters" in fits["total"].summary()
    assert fits[None].counting is None
    assert "counts" not in fits[None].summary()
    fits["total"].save(tmp_path / "fit.json")
    assert sf.load(tmp_path / "fit.json").counting == "total"
    with pytest.raises(ValueError, match="counting must be one of"):
        sf.fit("chinchilla", runs("n_params"), counting="some")


@pytest.mark.parametrize(
    ("name", "counting"),
    [
        ("n_params_no_embed", "non-embedding"),
        ("n_params_non_embedding", "non-embedding"),
        ("active_params", "active"),
        ("total_params", "total"),
        ("n_params", None),
    ],
)
def test_a_column_may_say_it(name, counting):
    fit = sf.fit("chinchilla", runs(name), inputs={"N": name, "D": "n_tokens"}, y="loss")
    assert fit.counting == counting


def test_two_ways_of_counting_are_not_mixed(fits):
    other = flops.six_nd.counted("non-embedding")
    with pytest.raises(ValueError, match="the fit counts total parameters and the cost non-embedding ones"):
        sf.optimal(fits["total"], C=1e20, flops=other)
    with pytest.raises(ValueError, match="the fit counts total parameters"):
        sf.isoloss(fits["total"], 2.5, [1e9], flops=other)
    assert sf.optimal(fits["non-embedding"], C=1e20, flops=other).loc[0, "C"] == 1e20
    with pytest.raises(ValueError, match="a counts total parameters and b non-embedding ones"):
        one_counting({"a": fits["total"], "nobody": fits[None], "b": fits["non-embedding"]})
    assert one_counting({"nobody": fits[None], "a law": CHINCHILLA}, flops.six_nd) is None
    assert one_counting({"nobody": fits[None]}, other) == "non-embedding"


def test_a_menu_needs_one_way_of_counting(fits):
    menu = [GPT_3, LLAMA_405]
    with pytest.raises(ValueError, match="neither the fit nor the cost says"):
        sf.optimal(fits[None], C=1e23, menu=menu)
    by_fit = sf.optimal(fits["non-embedding"], C=1e23, menu=menu).iloc[0]
    by_cost = sf.optimal(fits[None], C=1e23, menu=menu, flops=flops.six_nd.counted("non-embedding")).iloc[0]
    assert by_fit["N"] == by_cost["N"] == GPT_3.non_embedding
