"""Tests of every law in the registry: adding a law adds its tests."""

from __future__ import annotations

import re

import jax
import numpy as np
import pytest

import scalefit as sf
from scalefit.core.compose import arguments
from scalefit.core.formula import symbol
from scalefit.core.linear import linearise
from scalefit.core.starts import linear
from scalefit.laws.simulate import design, usual
from scalefit.runs.binding import OUTPUTS

LAWS = list(sf.laws)
each_law = pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)


def worked(law: sf.Law):
    """The checks: coefficients, inputs, value, half a unit of its last printed digit."""
    for chosen, x, value in law.checks:
        digits, _, power = str(value).lower().partition("e")
        decimals = len(digits.partition(".")[2]) - int(power or 0)
        yield (
            law.published[chosen] if isinstance(chosen, str) else chosen,
            x,
            float(value),
            0.51 * 10.0**-decimals,
        )


@each_law
def test_value_worked_by_hand(law):
    assert law.checks, "give at least one number computed outside this library"
    for coefs, x, value, tolerance in worked(law):
        last = np.asarray(law(coefs, x)).reshape(-1)[-1]
        assert last == pytest.approx(value, abs=tolerance)


@each_law
def test_agrees_with_extended_precision(law):
    x = design(law)
    wide = law.fn(
        *(x[name].astype(np.longdouble) for name in law.inputs),
        **{name: np.longdouble(value) for name, value in usual(law).items()},
    )
    assert wide.dtype == np.longdouble
    np.testing.assert_allclose(law(usual(law), x), wide.astype(float), rtol=1e-10)


@each_law
def test_finite_value_and_gradient_over_twelve_decades(law):
    x = design(law, 200, beyond=4.0)
    with jax.enable_x64(True):
        values = {name: jax.numpy.asarray(value) for name, value in usual(law).items()}
        columns = {name: jax.numpy.asarray(column) for name, column in x.items()}

        def along(direction):
            return jax.jvp(lambda c: law(c, columns), (values,), (direction,))

        # One direction at a time: arrays are of one shape, so that laws share the operations compiled.
        along = jax.jit(along) if law.whole else along
        for name in values:
            value, slope = along({other: jax.numpy.asarray(float(other == name)) for other in values})
            assert np.all(np.isfinite(value))
            assert np.all(np.isfinite(slope)), name


@each_law
def test_scalar_array_batch_and_grad_agree(law):
    x, coefs = design(law, 12), usual(law)
    together = law(coefs, x)
    assert together.dtype == np.float64
    if not law.whole:
        one = [law(coefs, {k: float(column[i]) for k, column in x.items()}) for i in range(len(together))]
        np.testing.assert_allclose(one, together, rtol=1e-13)
    with jax.enable_x64(True):
        stack = {name: jax.numpy.full(4, value) for name, value in coefs.items()}
        # Whether it compiles the fits tell.
        batch = jax.vmap(law, (0, None))(stack, {k: jax.numpy.asarray(v) for k, v in x.items()})
        np.testing.assert_allclose(batch, np.tile(together, (4, 1)), rtol=1e-10)


@each_law
def test_declaration(law):
    assert sf.laws[law.name] == law == getattr(sf.laws, law.name)
    assert re.search(r"arXiv:\d{4}\.\d{4,5}|doi", law.source)
    assert set(law.units) == set(law.inputs)
    assert law.family
    assert law.predicts in OUTPUTS
    assert set(law.notes) <= set(law.published)
    assert all(coef.meaning for coef in law.coefs)
    for coef in law.coefs:
        lo, hi = coef.typical
        assert lo < hi
        assert lo in coef.support
        assert hi in coef.support
        assert list(coef.start) == sorted(coef.start)
        if coef.name not in linear(law):
            assert len(coef.start) >= 2, f"{coef.name} is not linear and needs a range of starts"
    for values in law.published.values():
        assert all(values[coef.name] in coef.support for coef in law.coefs)


@each_law
def test_units_are_units(law):
    """Rescaling inputs and output by s rescales every coefficient by its declared unit."""
    x, coefs = design(law, 30), usual(law)
    scale = {name: 10.0 ** (3 + k) if law.domain[name].scales else 1.0 for k, name in enumerate(law.inputs)}
    scale["y"] = 2.0 if any("y" in arguments(c.unit) for c in law.coefs if c.unit) else 1.0
    one = dict.fromkeys(scale, 1.0)
    moved = {
        c.name: coefs[c.name] * (c.size({**coefs, **scale}) / c.size({**coefs, **one})) for c in law.coefs
    }
    np.testing.assert_allclose(
        law(moved, {name: column * scale[name] for name, column in x.items()}),
        scale["y"] * law(coefs, x),
        rtol=1e-10,
    )


@each_law
def test_recovers_itself_without_noise(law):
    # Of whole curves 20 rows each of three: the program of other test files.
    x, coefs = design(law, 20 if law.whole else max(60, 6 * len(law.coefs))), usual(law)
    fit = sf.fit(law, {**x, "y": law(coefs, x)}, y="y")
    assert fit.status.converged
    np.testing.assert_allclose(fit.predict(x), law(coefs, x), rtol=1e-6)
    for name, spread in zip(law.names, left_open(fit, 1e-7), strict=True):
        assert spread > 1e-3 or fit.coefs[name] == pytest.approx(coefs[name], rel=1e-3), name


def left_open(fit: sf.Fit, rounding: float) -> np.ndarray:
    """How far coordinates can move while predictions stay within `rounding`:
    large along the ridges of a law."""
    jacobian = linearise(fit.law, fit.objective, fit.u, fit.data.x, fit.data.y).jacobian
    _, strength, directions = np.linalg.svd(jacobian.T, full_matrices=False)
    with np.errstate(divide="ignore"):
        return rounding * np.sqrt(jacobian.shape[1]) * np.linalg.norm(directions.T / strength, axis=1)


@each_law
def test_formula_names_everything(law):
    assert all(symbol(name) in law.formula for name in (*law.inputs, *law.names)), law.formula


def test_table_and_find():
    table = sf.laws.table()
    assert list(table["name"]) == list(sf.laws.names())
    assert {"name", "formula", "inputs", "coefficients", "source"} <= set(table.columns)
    assert sf.laws.chinchilla in sf.laws.find({"N", "D"})
    assert sf.laws.chinchilla not in sf.laws.find({"x"})
    with pytest.raises(KeyError, match="chinchilla"):
        sf.laws["chinchila"]
    with pytest.raises(AttributeError):
        _ = sf.laws.no_such_law


def test_linear_coefficients_are_found():
    assert linear(sf.laws.chinchilla) == ("E", "A", "B")
    assert linear(sf.laws.skaling) == ("E",)
    assert linear(sf.laws.kaplan_nd) == ()
    assert linear(sf.laws.chinchilla.fix(alpha=0.3, beta=0.3)) == ("E", "A", "B")


# --- the algebra of laws


def test_sum_shares_names():
    both = sf.laws.power_floor.rename(x="N") + sf.laws.power.rename(x="D", A="B", alpha="beta")
    coefs, x = sf.laws.chinchilla.published["besiroglu2024"], {"N": 1e9, "D": 2e10}
    assert both.inputs == ("N", "D")
    assert both(coefs, x) == pytest.approx(sf.laws.chinchilla(coefs, x), rel=1e-15)
    shared = sf.laws.power_floor.rename(x="N") + sf.laws.power.rename(x="D", A="B")
    assert shared.names == ("E", "A", "alpha", "B")


def test_fix_tie_rename_bound():
    law, x = sf.laws.chinchilla, {"N": 1e9, "D": 2e10}
    coefs = {"E": 1.7, "A": 400.0, "B": 500.0, "alpha": 0.3, "beta": 0.3}
    expected = law(coefs, x)
    tied = law.tie(beta="alpha")
    assert tied.names == ("E", "A", "B", "alpha")
    assert tied({k: coefs[k] for k in tied.names}, x) == expected
    fixed = law.fix(E=1.7, A=400.0)
    assert fixed.names == ("B", "alpha", "beta")
    assert fixed({k: coefs[k] for k in fixed.names}, x) == expected
    renamed = law.rename(alpha="a", N="n_params")
    assert renamed({**coefs, "a": 0.3}, {"n_params": 1e9, "D": 2e10}) == expected
    bounded = law.bound(alpha=(0.1, 0.5))
    assert bounded(coefs, x) == expected
    assert bounded.coefs[3].support == sf.interval(0.1, 0.5)
    chained = law.tie(beta="alpha").fix(alpha=0.3).rename(A="amp")
    assert chained({"E": 1.7, "amp": 400.0, "B": 500.0}, x) == expected


def test_rebuilt_laws_are_equal():
    law = sf.laws.chinchilla
    for build in (
        lambda: law.fix(E=1.69),
        lambda: law.tie(beta="alpha"),
        lambda: law.bound(alpha=(0, 1)),
        lambda: sf.laws.power_floor + sf.laws.power.rename(A="B"),
    ):
        assert build() == build()
        assert hash(build()) == hash(build())
    assert law.fix(E=1.69) != law.fix(E=1.70)


@pytest.mark.parametrize(
    "broken",
    [
        lambda law: law.fix(gamma=1.0),
        lambda law: law.tie(beta="gamma"),
        lambda law: law.tie(beta="alpha", alpha="beta"),
        lambda law: law.rename(alpha="beta"),
        lambda law: law.bound(alpha=(1, 0)),
        lambda law: law.bound(alpha=(0, 1)) + law.rename(E="E2", A="A2", B="B2", beta="beta2"),
    ],
)
def test_algebra_refuses_nonsense(broken):
    with pytest.raises(ValueError, match=r"\w"):
        broken(sf.laws.chinchilla)


def test_a_law_of_ones_own():
    def saturating(N, *, E, A, alpha):
        return E + A / (1 + N / 1e6) ** alpha

    mine = sf.law(
        saturating, positive="all", coefs={"alpha": sf.Coef("alpha", sf.POSITIVE, (0.05, 0.3, 1.0))}
    )
    N = np.geomspace(1e5, 1e10, 24)
    truth = {"E": 1.5, "A": 3.0, "alpha": 0.25}
    fit = sf.fit(mine, {"N": N, "loss": mine(truth, {"N": N})})
    assert fit.coefs == pytest.approx(truth, rel=1e-5)
    with pytest.raises(TypeError, match="keyword-only"):
        sf.law(lambda N, E: N + E)
    with pytest.raises(TypeError, match="declares inputs"):
        sf.Law("typo", saturating, ("D",), mine.coefs)
