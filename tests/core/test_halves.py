"""Laws of whole curves in two halves: the same numbers, few programs, and what does not come apart."""

import jax.numpy as jnp
import numpy as np
import pytest

import scalefit as sf
from scalefit.core.compiled import counts
from scalefit.core.halves import halved
from scalefit.core.linear import linearise
from scalefit.core.numeric import of_law
from scalefit.laws.simulate import usual

CURVES = ("lr_annealing", "lr_annealing_size", "multi_power", "fsl")


def table(n: int = 30) -> dict[str, np.ndarray]:
    """Two curves of n rows each, one falling along and one at the end."""
    step = np.tile(100.0 * np.arange(1, n + 1), 2)
    late = np.where(np.arange(n) < 0.8 * n, 3e-4, 5e-5)
    return {
        "step": step,
        "eta": np.concatenate([np.linspace(3e-4, 3e-5, n), late]),
        "curve": np.repeat([0.0, 1.0], n),
        "N": np.repeat([1e8, 4e8], n),
    }


def columns(law, x):
    return [x[name][None] for name in law.inputs]


@pytest.mark.parametrize("name", CURVES)
def test_second_half_says_what_the_law_says(name):
    law, x = sf.laws[name], table()
    late, features = halved(law, columns(law, x))
    coefs = usual(law)
    value, *slopes = of_law(late, law.names)(*(f[0] for f in features), *coefs.values())
    np.testing.assert_allclose(value, law(coefs, x), rtol=1e-13)
    for name, slope in zip(law.names, slopes, strict=True):
        h = 1e-5 * abs(coefs[name])
        there, back = (law({**coefs, name: coefs[name] + way}, x) for way in (h, -h))
        np.testing.assert_allclose(slope + 0 * value, (there - back) / (2 * h), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", CURVES)
def test_many_cells_at_once_are_as_one_by_one(name):
    law, x = sf.laws[name], table()
    late, features = halved(law, columns(law, x))
    coefs, last = usual(law), law.names[-1]
    moving = tuple(0 if name == last else None for name in law.names)
    values = np.array([0.9, 1.0, 1.05]) * coefs[last]
    given = [values if name == last else coefs[name] for name in law.names]
    many = of_law(late, ("L0",), 3, moving)(*(f[0] for f in features), *given)[0]
    one = [law({**coefs, last: value}, x) for value in values]
    np.testing.assert_allclose(many, one, rtol=1e-13)


def test_equal_schedules_of_other_sizes_share_a_half():
    law, x = sf.laws.multi_power, table()
    other = {**x, "eta": 2 * x["eta"], "step": x["step"] + 3}
    assert halved(law, columns(law, x))[0] == halved(law, columns(law, other))[0]
    assert halved(law, columns(law, x))[0] != halved(law, columns(law, table(31)))[0]


def test_one_program_serves_a_fit_of_curves_and_its_errors():
    law, x = sf.laws.lr_annealing, table(37)
    loss = law(usual(law), x) * np.exp(0.002 * np.random.default_rng(0).standard_normal(74))
    before = counts()
    fit = sf.fit(law, {**x, "loss": loss})
    assert np.all(np.isfinite(list(fit.stderr().values())))
    made = counts()
    assert made["compiled"] + made["loaded"] - before["compiled"] - before["loaded"] <= 1


def written_in_jax(step, eta, curve, *, L0, A, alpha):
    return L0 + A / jnp.cumsum(step * eta) ** alpha


def test_a_law_that_does_not_come_apart_is_fitted_all_the_same():
    """Where JAX sums up the rows, numpy cannot be asked; the law is compiled as a whole."""
    coefs = tuple(sf.Coef(name, sf.POSITIVE) for name in ("L0", "A", "alpha"))
    law = sf.Law("own", written_in_jax, dict(sf.laws.lr_annealing.domain), coefs)
    x = {name: table()[name] for name in law.inputs}
    assert law.whole
    assert halved(law, [x[name][None] for name in law.inputs]) is None
    truth = {"L0": 2.5, "A": 1.0, "alpha": 0.5}
    fit = sf.fit(law, {**x, "loss": law(truth, x)})
    np.testing.assert_allclose(list(fit.coefs.values()), list(truth.values()), rtol=1e-4)
    u = fit.u
    linear = linearise(law, fit.objective, u, x, law(fit.coefs, x))
    np.testing.assert_allclose(linear.residual, 0, atol=1e-10)
