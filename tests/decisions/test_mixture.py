"""The best mixture: laws whose optimum is known in closed form, grids, several targets, limits, refusals."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import scalefit as sf

ADDITIVE, JOINT, YE, LINEAR, BIMIX = (
    sf.laws[n] for n in ("shukor_additive", "shukor_joint", "ye_mixing", "regmix_linear", "bimix")
)
SHARES = ["h_1", "h_2", "h_3"]
AT = {"N": 1e9, "D": 1e11}


def additive(g=0.4):
    return {
        "E": 1.5,
        "A": 400.0,
        "B": 2000.0,
        "alpha": 0.33,
        "beta": 0.25,
        **{f"C_{k}": float(k) for k in (1, 2, 3)},
        **{f"g_{k}": g for k in (1, 2, 3)},
    }


def grid(n=200):
    """All mixtures of three in steps of 1 / n."""
    i, j = np.meshgrid(np.arange(n + 1), np.arange(n + 1))
    i, j = i[i + j <= n], j[i + j <= n]
    return np.stack([i, j, n - i - j], axis=1) / n


def test_one_target_in_closed_form():
    """Shukor et al., additive with one exponent g:
    sum C_i h_i^g is greatest at h_i ~ C_i^(1 / (1 - g)), at any scale."""
    worth = np.array([1.0, 2.0, 3.0]) ** (1 / 0.6)
    found = sf.optimal_mixture(ADDITIVE, coefs=additive(), at={"N": [1e8, 1e10], "D": 1e11})
    np.testing.assert_allclose(found[SHARES], np.tile(worth / worth.sum(), (2, 1)), atol=1e-6)
    assert found["N"].tolist() == [1e8, 1e10]
    assert (found["caution"] == "").all()


def test_a_share_of_one_s_own_in_closed_form():
    """BiMix: sum w_i A_i K / r_i^alpha is least at r_i ~ (w_i A_i)^(1 / (1 + alpha))."""
    amplitudes, weights = np.array([1.0, 2.0, 0.5]), np.array([1.0, 1.0, 3.0])
    names = ("web", "code", "books")
    coefs = {
        n: {"A": a, "alpha": 0.2, "B": 10.0, "beta": 0.5, "C": 0.5}
        for n, a in zip(names, amplitudes, strict=True)
    }
    found = sf.optimal_mixture(
        dict.fromkeys(names, BIMIX),
        coefs=coefs,
        at={"s": 1e4},
        weights=dict(zip(names, weights, strict=True)),
    ).iloc[0]
    r = (weights * amplitudes) ** (1 / 1.2)
    r /= r.sum()
    assert found[list(names)].tolist() == pytest.approx(r.tolist(), abs=1e-6)
    assert found["loss"] == pytest.approx(np.sum(weights * amplitudes / r**0.2 * (10 / 100 + 0.5)), rel=1e-9)


def test_a_linear_law_wants_its_best_domain_alone():
    coefs = {"w_1": 2.0, "w_2": 4.0, "w_3": 3.0}
    found = sf.optimal_mixture(LINEAR, coefs=coefs).iloc[0]
    assert found[SHARES].tolist() == pytest.approx([1, 0, 0], abs=1e-9)
    # A share on its way to none is none, not 1e-20.
    assert found[SHARES[1:]].tolist() == [0, 0]
    # Within limits: half of the best, a tenth of the worst as it must be, the rest of the other.
    found = sf.optimal_mixture(LINEAR, coefs=coefs, limits={"h_1": (0, 0.5), "h_2": (0.1, 1)}).iloc[0]
    assert found[SHARES].tolist() == pytest.approx([0.5, 0.1, 0.4], abs=1e-9)
    assert found["loss"] == pytest.approx(2.6)


@pytest.mark.parametrize("limit", [None, {"h_3": (0.0, 0.3)}])
def test_several_targets_against_a_grid(limit):
    """Ye et al.: each target alone wants a corner, their sum a mixture."""
    coefs = {
        "web": {"c": 1.5, "k": 2.0, "t_1": -4.0, "t_2": 2.0, "t_3": -1.0},
        "code": {"c": 1.0, "k": 1.0, "t_1": 1.0, "t_2": -3.0, "t_3": -2.0},
    }
    weights = {"web": 2.0, "code": 1.0}
    found = sf.optimal_mixture(dict.fromkeys(coefs, YE), coefs=coefs, weights=weights, limits=limit).iloc[0]
    h = grid()
    h = h if limit is None else h[h[:, 2] <= 0.3 + 1e-12]
    x = dict(zip(SHARES, h.T, strict=True))
    tried = sum(w * YE(coefs[name], x) for name, w in weights.items())
    # Steps of 1 / 200 about the best one.
    assert np.min(tried) * (1 - 1e-4) < found["loss"] <= np.min(tried)
    assert found[SHARES].tolist() == pytest.approx(h[np.argmin(tried)].tolist(), abs=0.02)
    assert sum(found[SHARES]) == pytest.approx(1)


def test_the_joint_law_s_mixture_depends_on_scale():
    coefs = dict(JOINT.checks[0][0])
    found = sf.optimal_mixture(JOINT, coefs=coefs, at={"N": [1e7, 1e11], "D": [1e9, 1e13]})
    assert np.max(np.abs(np.diff(found[SHARES].to_numpy(float), axis=0))) > 0.05
    h = grid()
    for _, row in found.iterrows():
        x = {"N": row["N"], "D": row["D"], **dict(zip(SHARES, h.T, strict=True))}
        assert row["loss"] <= np.min(JOINT(coefs, x)) * (1 + 1e-12)


def test_shares_with_intervals():
    """Fits of simulated mixtures: the interval holds the answer and the truth,
    and columns keep their names."""
    rng = np.random.default_rng(0)
    h = rng.dirichlet(np.ones(3), 60)
    truth = (
        {"c": 1.5, "k": 1.0, "t_1": -2.0, "t_2": 1.0, "t_3": -0.5},
        {"c": 1.0, "k": 1.0, "t_1": 1.0, "t_2": -2.0, "t_3": 0.2},
    )
    x = dict(zip(SHARES, h.T, strict=True))
    law = YE.fix(k=1.0)
    fits = {}
    for name, coefs in zip(("a", "b"), truth, strict=True):
        y = YE(coefs, x) * np.exp(0.002 * rng.standard_normal(60))
        table = {"web": x["h_1"], "code": x["h_2"], "books": x["h_3"], "loss": y}
        inputs = dict(zip(SHARES, ("web", "code", "books"), strict=True))
        fits[name] = sf.fit(law, table, inputs=inputs, y="loss", objective=sf.huber(1e-2))
    best = sf.optimal_mixture(dict.fromkeys("ab", YE), coefs=dict(zip("ab", truth, strict=True))).iloc[0]
    found = sf.optimal_mixture(fits, level=0.99).iloc[0]
    for domain, name in zip(("web", "code", "books"), SHARES, strict=True):
        assert found[f"{domain}_lo"] <= found[domain] <= found[f"{domain}_hi"]
        assert found[f"{domain}_lo"] <= best[name] <= found[f"{domain}_hi"]
    assert found["web_hi"] - found["web_lo"] < 0.1
    assert (found["distance"], found["caution"]) == (0, "")


def test_draws_without_an_optimum_leave_the_interval_open():
    """With the scale k free, c, k and t trade off without end: most draws' losses are no numbers. Their
    descents stayed where they began, and the interval of a share of 1 was 0.998 to 0.998."""
    design = sf.simulate(YE, None, n=40, noise=0.003)
    fit = sf.fit(YE, design, y="y")
    assert "not-identified" in fit.status.cautions
    found = sf.optimal_mixture(fit, level=0.9, model_error=False).iloc[0]
    for name in SHARES:
        assert (found[f"{name}_lo"], found[f"{name}_hi"]) == (0.0, 1.0)
    assert found["loss_lo"] <= found["loss"] <= found["loss_hi"]


def test_the_mixture_of_real_runs(data_dir):
    """Ye et al. 2024, 410M parameters on three domains, mixtures in steps of 1/8:
    the optimum is within a step of the best one run."""
    with (data_dir / "mixing_laws" / "three_domains_410m.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["step"] == "60000"]
    domains = [name for name in rows[0] if name.startswith("weight_")]
    law, losses, fits = YE.fix(k=1.0), {}, {}
    for valid in ("github", "books3", "pile_cc"):
        own = [row for row in rows if row["valid"] == valid]
        table = {name: [float(row[name]) for row in own] for name in (*domains, "loss")}
        losses[valid] = dict(
            zip(zip(*(table[name] for name in domains), strict=True), table["loss"], strict=True)
        )
        inputs = dict(zip(law.inputs, domains, strict=True))
        fits[valid] = sf.fit(law, table, inputs=inputs, y="loss", objective=sf.huber(1e-2))
    total = {h: sum(each[h] for each in losses.values()) for h in losses["github"]}
    best = min(total, key=lambda h: total[h])
    found = sf.optimal_mixture(fits).iloc[0]
    assert np.max(np.abs(found[domains].to_numpy(float) - best)) < 1 / 8
    assert found["loss"] == pytest.approx(total[best], rel=0.01)


@pytest.mark.parametrize(
    ("law", "options", "words"),
    [
        (sf.laws.chinchilla, {}, "has no shares"),
        (BIMIX, {"at": {"s": 1e4}}, "one domain's share"),
        (
            {"web": BIMIX},
            {"at": {"s": 1e4}, "coefs": {"web": dict(BIMIX.checks[0][0])}},
            "at least two domains",
        ),
        (ADDITIVE, {"coefs": additive()}, "also takes N"),
        (
            ADDITIVE,
            {"coefs": additive(), "at": {"N": [1e9, 1e10], "D": [1e9, 1e10, 1e11]}},
            "N must be a number or 3",
        ),
        (ADDITIVE, {"at": AT}, "needs its coefficients"),
        (ADDITIVE, {"coefs": additive(), "at": AT, "limits": {"h_9": (0, 1)}}, "no domain 'h_9'"),
        (ADDITIVE, {"coefs": additive(), "at": AT, "limits": {"h_1": (0.5, 0.1)}}, "least, greatest"),
        (
            ADDITIVE,
            {"coefs": additive(), "at": AT, "limits": {"h_1": (0.6, 1), "h_2": (0.6, 1)}},
            "sum to 1.2",
        ),
        (ADDITIVE, {"coefs": additive(), "at": AT, "weights": {"web": 1.0}}, "no target 'web'"),
        ({"a": ADDITIVE}, {"coefs": {"a": additive()}, "at": AT, "weights": {"a": 0.0}}, "all zero"),
        ({}, {}, "at least one fit"),
        (ADDITIVE, {"coefs": additive(), "at": AT, "limits": {"h_1": 0.5}}, "least, greatest"),
        (ADDITIVE, {"coefs": additive(), "at": {**AT, "U": 1e9}}, "no law here has an input 'U'"),
        (ADDITIVE, {"coefs": additive(), "at": {"N": 0.0, "D": 1e9}}, "N must be positive"),
        (
            {"a": LINEAR, "b": LINEAR.sized(domain=2)},
            {"coefs": {"a": {"w_1": 1.0, "w_2": 2.0, "w_3": 3.0}, "b": {"w_1": 1.0, "w_2": 2.0}}},
            "different domains",
        ),
    ],
)
def test_refusals_say_what_is_wrong(law, options, words):
    with pytest.raises(ValueError, match=words):
        sf.optimal_mixture(law, **options)


def test_only_fits_and_laws():
    with pytest.raises(TypeError, match="needs fits or laws"):
        sf.optimal_mixture("chinchilla", at={"N": 1e9})


def test_of_an_ensemble_the_heaviest_fit_is_named():
    h = np.random.default_rng(0).dirichlet(np.ones(3), 40)
    runs = {f"h_{k}": column for k, column in enumerate(h.T, 1)} | {"loss": 2 + np.exp(-h @ [1.0, 2.0, 0.5])}
    ahead = sf.extrapolate(runs)
    with pytest.raises(TypeError, match=r"\.fits\['ye_mixing'\]"):
        sf.optimal_mixture(ahead)
    assert len(sf.optimal_mixture(ahead.fits["ye_mixing"])) == 1
