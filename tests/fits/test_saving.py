"""What is saved comes back to the last bit: draws of every kind, groups, where the errors come from."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import scalefit as sf
from scalefit.fits.loading import fit_from
from scalefit.fits.saving import to_json
from scalefit.fits.verified import sealed

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


def zeros(n: int) -> list:
    return np.zeros((n, n)).tolist()


def many_steps() -> list:
    recipe: Any = "power_floor"
    for _ in range(200):
        recipe = ["rename", [recipe], {}]
    return recipe


# What is edited -> what is said, where the fields are sealed anew after the edit.
EDITS = {
    "coefficient": (
        lambda j: j["coefs"].update(alpha=j["coefs"]["alpha"] * 1.001),
        "its law gives the objective",
    ),
    "no coefficient": (lambda j: j["coefs"].update(alpha=float("nan")), "nan for alpha"),
    "missing coefficient": (lambda j: j["coefs"].pop("alpha"), "for the coefficients E, A, alpha"),
    "value": (lambda j: j.update(value=2 * j["value"]), "its law gives the objective"),
    "delta": (lambda j: j["objective"].update(delta=0.5), "its law gives the objective"),
    "trust": (lambda j: j["status"].update(trust="good"), "its status is not the one"),
    "agreement": (lambda j: j["status"].update(n_agree=10**6), "its status is not the one"),
    "covariance of another size": (lambda j: j.update(covariance=zeros(2)), "covariance should be of shape"),
    "negative variance": (lambda j: j["covariance"][0].__setitem__(0, -1.0), "a variance in it is negative"),
    "group": (lambda j: j["data"].update(group=[1, 2]), "group labels should be of shape"),
    "ends": (lambda j: j["ends"].update(value=[0.0]), "ends' value should be of shape"),
    "rows": (lambda j: j["data"]["y"].__setitem__(0, 9.0), "do not match their fingerprint"),
    "another law": (lambda j: j["law"].update(recipe="chinchilla"), "holds a fit of 'power_floor'"),
    "size": (lambda j: j["law"].update(recipe=["sized", ["bnsl"], {"breaks": 10**7}]), "at most 1000, got"),
    "verb": (
        lambda j: j["law"].update(recipe=["made_by", ["chinchilla"], {}]),
        "a step of its law must be one",
    ),
    "no step": (lambda j: j["law"].update(recipe=[]), "which is no step"),
    "many steps": (lambda j: j["law"].update(recipe=many_steps()), "more than 100 steps"),
    "objective": (lambda j: j["objective"].update(kind="Objective"), "objective must be one of"),
    "own error": (
        lambda j: j.update(model_error={"tau": -1.0, "by": "", "cuts": []}),
        "own error in it is no number",
    ),
    "columns": (lambda j: j.update(columns=3), "missing or of another kind"),
    "no data": (lambda j: j.pop("data"), "missing or of another kind"),
}


@pytest.fixture(scope="module")
def cautious() -> str:
    """A fit with a warning against it, as text: eight rows, one of them far off."""
    runs = {name: column[::3].copy() for name, column in table().items()}
    runs["y"][3] *= 1.5
    fit = sf.fit(LAW, runs, group="size")
    assert fit.status.trust != "good"
    return json.dumps(sealed(to_json(fit)))


def test_a_file_that_was_edited_is_refused(cautious, tmp_path):
    """Whatever is changed, in whatever field: the fingerprint no longer matches."""
    path = tmp_path / "fit.json"
    for edit in {
        "trust": lambda j: j["status"].update(trust="good"),
        "covariance": lambda j: j.update(covariance=zeros(3)),
        "group": lambda j: j["data"].update(group=[1] * 8),
        "formula": lambda j: j["law"].update(formula="x"),
        "seal": lambda j: j.pop("seal"),
    }.values():
        saved = json.loads(cautious)
        edit(saved)
        path.write_text(json.dumps(saved))
        with pytest.raises(ValueError, match=r"'fit.json' cannot be loaded: its fingerprint does not match"):
            sf.load(path)
    path.write_text(json.dumps(json.loads(cautious), indent=4, sort_keys=True))
    assert sf.load(path).law == LAW, "written otherwise, it is the same fit"


@pytest.mark.parametrize("edit", list(EDITS))
def test_parts_that_do_not_belong_together_are_refused(edit, cautious, tmp_path):
    change, said = EDITS[edit]
    saved = json.loads(cautious)
    del saved["seal"]
    change(saved)
    (tmp_path / "fit.json").write_text(json.dumps(sealed(saved)))
    with pytest.raises(ValueError, match=said) as refused:
        sf.load(tmp_path / "fit.json")
    assert str(refused.value).startswith("'fit.json' cannot be loaded: ")


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "3", "{}", '{"kind": "ensemble"}', "[" * 100_000, "NaN", "\0" * 9]
)
def test_what_is_no_fit_is_refused_by_its_files_name(text, tmp_path):
    (tmp_path / "fit.json").write_text(text)
    with pytest.raises(ValueError, match=r"^'fit.json' cannot be loaded: "):
        sf.load(tmp_path / "fit.json")


def test_a_file_cut_off_anywhere_is_refused(cautious, tmp_path):
    for end in range(0, len(cautious) - 1, len(cautious) // 40):
        (tmp_path / "fit.json").write_text(cautious[:end])
        with pytest.raises(ValueError, match="it is no JSON, or was cut off"):
            sf.load(tmp_path / "fit.json")


def test_a_law_of_ones_own_that_was_edited_since_is_refused(tmp_path):
    def loss(x, *, E, A, alpha):
        return E + A / x**alpha

    def edited(x, *, E, A, alpha):
        return E + A / (1 + x) ** alpha

    def same_here(x, *, E, A, alpha):
        return np.maximum(E + A / x**alpha, 0.0) if isinstance(x, np.ndarray) else E + A * x**-alpha

    known = ("E", "A", "alpha")
    sf.fit(sf.law(loss, positive=known), table(), y="y").save(tmp_path / "fit.json")
    assert sf.load(tmp_path / "fit.json", law=sf.law(loss, positive=known)).law.name == "loss"
    with pytest.raises(ValueError, match="its law gives the objective"):
        sf.load(tmp_path / "fit.json", law=sf.law(edited, positive=known))
    with pytest.raises(ValueError, match=r"the law given is .*, the one that was fitted"):
        sf.load(tmp_path / "fit.json", law=sf.law(same_here, positive=known))


def test_what_is_made_from_fits_is_read_back(tmp_path):
    """The checks of a file hold for every way in which the library itself changes a fit."""
    fit = sf.fit(LAW, table())
    made = {
        "shrunk": sf.shrink(fit),
        "wider": sf.widen(fit),
        "many": sf.extrapolate(table(), [LAW, "power"], n_cuts=1),
        "least squares of exact rows": sf.fit(
            LAW, {**table(), "y": LAW(fit.coefs, table())}, objective=sf.square()
        ),
    }
    for name, one in made.items():
        one.save(tmp_path / "fit.json")
        assert sf.load(tmp_path / "fit.json").summary() == one.summary(), name
