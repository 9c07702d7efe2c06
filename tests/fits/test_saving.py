"""What is saved comes back to the last bit: draws of every kind, groups, where the errors come from."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace

import numpy as np
import pytest

import scalefit as sf
from scalefit.fits.loading import fit_from
from scalefit.fits.saving import to_json

LAW = sf.laws.power_floor
FAR = {"x": [1e4, 1e9]}


def table() -> dict[str, np.ndarray]:
    x = {"x": np.geomspace(1e3, 1e8, 24)}
    truth = {"E": 1.7, "A": 60.0, "alpha": 0.3}
    return {**sf.simulate(LAW, truth, x, noise=0.01, key=1), "size": np.repeat(np.arange(8), 3) * 5}


MAKE = {
    "first order": lambda: sf.fit(LAW, table()),
    "groups": lambda: sf.fit(LAW, table(), group="size"),
    "pairs": lambda: sf.bootstrap(sf.fit(LAW, table()), 40, key=3),
    "cluster": lambda: sf.bootstrap(sf.fit(LAW, table(), group="size"), 40, key=3),
    "jackknife": lambda: sf.jackknife(sf.fit(LAW, table())),
    "sandwich": lambda: sf.sandwich(sf.fit(LAW, table())),
    "posterior": lambda: sf.posterior(sf.fit(LAW, table()), n_draws=30, n_warmup=60, scale_by="x", key=2),
}


@pytest.fixture(scope="module", params=list(MAKE))
def fit(request) -> sf.Fit:
    if request.param == "posterior" and not importlib.util.find_spec("numpyro"):
        pytest.skip("needs the extra `posterior`")
    return MAKE[request.param]()


def test_everything_a_fit_says_is_said_again(fit, tmp_path):
    fit.save(tmp_path / "fit.json")
    again = sf.load(tmp_path / "fit.json")
    assert again.summary() == fit.summary()
    for kind in ("mean", "run"):
        assert again.predict(FAR, 0.9, kind).equals(fit.predict(FAR, 0.9, kind))
    assert again.stderr() == fit.stderr()
    assert again.interval("alpha") == fit.interval("alpha")
    assert again.cautions(FAR) == fit.cautions(FAR)
    assert (again.key, again.notes, again.basis) == (fit.key, fit.notes, fit.basis)


def test_draws_come_back_exactly(fit):
    again = fit_from(json.loads(json.dumps(to_json(fit), allow_nan=False)))
    if fit.draws is None:
        assert again.draws is None
        return
    assert type(again.draws) is type(fit.draws)
    for name in ("u", "failed", "influence"):
        kept, known = getattr(again.draws, name), getattr(fit.draws, name)
        assert kept.dtype == known.dtype
        np.testing.assert_array_equal(kept, known)
    assert (again.draws.method, again.draws.key) == (fit.draws.method, fit.draws.key)
    if isinstance(fit.draws, sf.Posterior):
        assert (again.draws.r_hat, again.draws.size, again.draws.spans) == (
            fit.draws.r_hat,
            fit.draws.size,
            fit.draws.spans,
        )
        for name, values in fit.draws.noise.items():
            np.testing.assert_array_equal(again.draws.noise[name], values)


def test_the_same_draws_again_from_the_saved_fit(tmp_path):
    """A loaded fit is the fit: its bootstrap with the same key is the same, groups and all."""
    fit = MAKE["groups"]()
    fit.save(tmp_path / "fit.json")
    again = sf.load(tmp_path / "fit.json")
    np.testing.assert_array_equal(again.data.group, fit.data.group)
    np.testing.assert_array_equal(sf.bootstrap(again, 10).draws.u, sf.bootstrap(fit, 10).draws.u)


def test_what_nothing_determines_is_kept_as_infinite():
    fit = MAKE["pairs"]()
    u = fit.draws.u.copy()
    u[0, 0] = -np.inf
    kept = replace(fit, draws=replace(fit.draws, u=u), covariance=np.full((3, 3), np.inf))
    again = fit_from(json.loads(json.dumps(to_json(kept), allow_nan=False)))
    np.testing.assert_array_equal(again.draws.u, u)
    np.testing.assert_array_equal(again.covariance, kept.covariance)


def test_the_origin_of_the_errors_is_named():
    fit = MAKE["first order"]()
    assert "90 % interval: sandwich (HC3)" in replace(fit, basis="sandwich (HC3)").summary()
    assert "90 % interval: first order, whole groups left out (CR3)" in MAKE["groups"]().summary()


def test_files_of_another_format_are_refused():
    with pytest.raises(ValueError, match="format 1"):
        fit_from({**to_json(MAKE["first order"]()), "format": 1})
