"""Composing laws: links on top, coefficients shared between groups, lists of other lengths, two steps."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import stdtrit

import scalefit as sf
from scalefit.core.maths import exp

TRUTH = {"E": 1.7, "A": 400.0, "B": 2000.0, "alpha": 0.34, "beta": 0.36}


def _error(L, *, epsilon, k, gamma):
    return epsilon - k * exp(-gamma * L)


link = sf.law(_error, "exponential", positive="all", predicts="error")
LINKED = {"epsilon": 0.9, "k": 2.0, "gamma": 0.75}


def runs(n: int = 6) -> dict[str, np.ndarray]:
    N, D = np.meshgrid(np.geomspace(1e7, 1e10, n), np.geomspace(1e9, 1e12, n))
    x = {"N": N.ravel(), "D": D.ravel()}
    loss = sf.laws.chinchilla(TRUTH, x)
    return {**x, "loss": loss, "error": link(LINKED, {"L": loss})}


def test_a_link_on_top_of_a_law():
    both = sf.laws.chinchilla.then(link)
    table = runs()
    assert both.inputs == ("N", "D")
    assert both.predicts == "error"
    np.testing.assert_allclose(both({**TRUTH, **LINKED}, table), table["error"], rtol=1e-14)
    # In one step from sizes to errors; the link's ceiling and the loss's floor are known to trade off.
    fit = sf.fit(both.fix(E=TRUTH["E"]), table)
    assert fit.columns["y"] == "error"
    np.testing.assert_allclose(fit.predict(table), table["error"], rtol=1e-6)


def test_a_link_with_the_same_names_is_refused():
    with pytest.raises(ValueError, match="rename"):
        sf.laws.chinchilla.then(sf.laws.power_floor)


def test_two_steps_carry_the_first_ones_doubt():
    rng = np.random.default_rng(0)
    table = runs()
    table["loss"] = table["loss"] * np.exp(0.01 * rng.normal(size=36))
    first = sf.fit("chinchilla", table, y="loss")
    second = sf.fit(link, {"L": table["loss"], "error": table["error"]})
    chain = sf.chain(first, second, table, y="error")
    assert chain.law.names == (*first.law.names, *second.law.names)
    far = {"N": [1e11], "D": [1e13]}
    assert chain.predict(far) == second.predict({"L": first.predict(far)})
    # By hand: the link's slope times the loss's standard error, and the link's own error, in quadrature.
    L = first.predict(far)
    slope = second.coefs["gamma"] * (second.coefs["epsilon"] - second.predict({"L": L}))
    own, whole = spread(second, {"L": L}), spread(chain, far)
    np.testing.assert_allclose(
        whole, np.hypot(slope * L * spread(first, far) / second.predict({"L": L}), own), rtol=1e-3
    )


def spread(fit: sf.Fit, x) -> float:
    """Standard error of the logarithm of a prediction, from its 90 % interval (Student's t)."""
    band = fit.predict(x, level=0.9, model_error=False)
    return np.log(band.hi / band.lo).item() / 2 / stdtrit(len(fit.data) - len(fit.coefs), 0.95)


def test_shared_coefficients_recover_each_group():
    table = runs()
    groups = {"web": TRUTH, "code": {**TRUTH, "E": 0.8, "A": 150.0, "B": 900.0}}
    rows = {name: np.tile(table[name], 2) for name in ("N", "D")}
    rows["corpus"] = np.repeat(list(groups), 36)
    rows["loss"] = np.concatenate([sf.laws.chinchilla(coefs, table) for coefs in groups.values()])
    fit = sf.fit(sf.laws.chinchilla.shared("alpha", "beta", by="corpus"), rows)
    assert fit.coefs["alpha"] == pytest.approx(0.34, rel=1e-6)
    for corpus, coefs in groups.items():
        assert fit.coefs[f"E[{corpus}]"] == pytest.approx(coefs["E"], rel=1e-6)
        assert fit.coefs[f"A[{corpus}]"] == pytest.approx(coefs["A"], rel=1e-4)
    assert np.max(np.abs(fit.residuals())) < 1e-6
    x = {"N": [1e9], "D": [1e11], "corpus": ["code"]}
    assert fit.predict(x) == pytest.approx(
        sf.laws.chinchilla(groups["code"], {"N": 1e9, "D": 1e11}), rel=1e-6
    )
    with pytest.raises(ValueError, match="corpus must be one of code, web"):
        fit.predict({**x, "corpus": ["maths"]})


def test_composed_laws_are_saved_and_loaded(tmp_path):
    table = runs(4)
    fit = sf.fit(
        sf.laws.chinchilla.tie(beta="alpha").fix(E=1.7).shared("alpha", by="corpus"),
        {**table, "corpus": np.where(table["N"] < 1e8, "a", "b")},
        y="loss",
    )
    fit.save(tmp_path / "fit.json")
    again = sf.load(tmp_path / "fit.json")
    x = {"N": [1e9], "D": [1e11], "corpus": ["b"]}
    assert again.law == fit.law
    assert again.predict(x) == fit.predict(x)


def _mixture(h, *, C, g):
    return sum(c * share**power for c, share, power in zip(C, h, g, strict=True))


def test_lists_of_any_length():
    share = sf.Input("share of domain i in the training data", (0.02, 0.98), each="domain", scales=False)
    law = sf.over(
        {"domain": 2},
        "mixture",
        _mixture,
        {"h": share},
        (sf.Coef("C", sf.POSITIVE, each="domain"), sf.Coef("g", sf.POSITIVE, (0.2, 0.5, 1.0), each="domain")),
    )
    assert law.inputs == ("h_1", "h_2")
    assert law.names == ("C_1", "C_2", "g_1", "g_2")
    three = law.sized(domain=3)
    # The shared catalogue of laws gives its reciprocal, worked independently, as 0.242744.
    coefs = {"C_1": 1.0, "C_2": 2.0, "C_3": 3.0, "g_1": 0.5, "g_2": 0.4, "g_3": 0.3}
    assert 1 / three(coefs, {"h_1": 0.2, "h_2": 0.3, "h_3": 0.5}) == pytest.approx(0.242744, abs=5e-7)
    assert three == law.sized(domain=3)
    with pytest.raises(ValueError, match="domain"):
        law.sized(domains=3)
    with pytest.raises(ValueError, match="no lists"):
        sf.laws.chinchilla.sized(domain=3)


def test_a_link_whose_starts_need_the_loss_is_refused():
    needs = sf.law(
        _error, "needs", coefs={"gamma": sf.Coef("gamma", sf.POSITIVE, (0.1, 1.0), unit=lambda L: 1 / L)}
    )
    with pytest.raises(ValueError, match="gamma of 'needs' is searched depends on L"):
        sf.laws.chinchilla.then(needs)


def _difference(x, *, a, c):
    return sum(a_i * abs(x_i) for a_i, x_i in zip(a, x, strict=True)) + c


def test_units_of_listed_inputs():
    """The unit of entry k of a list looks up entry k of a listed input."""
    law = sf.over(
        {"part": 2},
        "listed",
        _difference,
        {"x": sf.Input("count", each="part")},
        (sf.Coef("a", sf.POSITIVE, each="part", unit=lambda y, x: y / x), sf.Coef("c")),
    )
    known = {"y": 6.0, "x_1": 2.0, "x_2": 3.0}
    assert [coef.size(known) for coef in law.coefs] == [3.0, 2.0, 1.0]
