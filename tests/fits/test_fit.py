"""The record of a fit: errors, intervals, saving, groups."""

from __future__ import annotations

import json

import jax.numpy as jnp
import numpy as np
import pytest

import scalefit as sf

LAW = sf.laws.chinchilla
TRUTH = LAW.published["besiroglu2024"]


def simulate(seed: int, n: int = 60, noise: float = 0.005) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = {"N": 10 ** rng.uniform(7, 10, n), "D": 10 ** rng.uniform(8, 11, n)}
    return {**x, "loss": LAW(TRUTH, x) * np.exp(noise * rng.standard_normal(n))}


@pytest.fixture(scope="module")
def fit():
    return sf.fit(LAW, simulate(0))


def test_status_comes_first(fit):
    first = fit.summary().splitlines()[0]
    assert first == str(fit.status)
    assert first.startswith("Trustworthy: converged")
    assert "starts agree" in first
    assert fit.check() is fit
    for text in (fit.to_markdown(), fit.to_latex(), fit._repr_html_(), repr(fit)):
        assert "alpha" in text
        assert "Trustworthy" in text


def test_a_bad_fit_says_so():
    runs = simulate(0)
    runs["D"] = 20 * runs["N"]
    fit = sf.fit(LAW, runs)
    assert fit.summary().startswith("Do not trust")
    assert not fit.status.ok
    with pytest.raises(sf.FitError, match="move together"):
        fit.check()


def test_saved_and_loaded(tmp_path, fit):
    fit.save(tmp_path / "fit.json")
    json.loads(
        (tmp_path / "fit.json").read_text(),
        parse_constant=lambda word: pytest.fail(f"not strict JSON: {word}"),
    )
    again = sf.load(tmp_path / "fit.json")
    assert dict(again.coefs) == dict(fit.coefs)
    assert again.value == fit.value
    assert again.status == fit.status
    assert again.warnings == fit.warnings
    assert again.objective == fit.objective
    assert again.law == fit.law
    np.testing.assert_array_equal(again.predict(fit.data.x), fit.predict(fit.data.x))
    np.testing.assert_array_equal(again.covariance, fit.covariance)


@pytest.mark.parametrize(
    "law",
    [
        LAW.fix(E=1.8),
        LAW.tie(beta="alpha"),
        LAW.bound(alpha=(0.1, 0.9)),
        sf.laws.power_floor.rename(x="N") + sf.laws.power.rename(x="D", A="B", alpha="beta"),
    ],
    ids=["fix", "tie", "bound", "add"],
)
def test_made_laws_are_saved_by_recipe(law, tmp_path):
    fit = sf.fit(law, simulate(0))
    fit.save(tmp_path / "fit.json")
    assert sf.load(tmp_path / "fit.json").law == law


def test_own_laws_are_handed_to_load(tmp_path):
    mine = sf.law(LAW.fn, "mine", positive="all", coefs={c.name: c for c in LAW.coefs})
    fit = sf.fit(mine, simulate(0))
    fit.save(tmp_path / "fit.json")
    with pytest.raises(ValueError, match=r"law=\.\.\."):
        sf.load(tmp_path / "fit.json")
    assert sf.load(tmp_path / "fit.json", law=mine).coefs == dict(fit.coefs)


def test_damaged_files_are_refused(tmp_path, fit):
    fit.save(tmp_path / "fit.json")
    saved = json.loads((tmp_path / "fit.json").read_text())
    saved["data"]["y"][3] *= 1.001
    (tmp_path / "fit.json").write_text(json.dumps(saved))
    with pytest.raises(ValueError, match="fingerprint"):
        sf.load(tmp_path / "fit.json")


def test_least_squares_errors_are_the_textbooks():
    """A straight line: the covariance of ordinary least squares, by hand."""
    line = sf.law(lambda x, *, a, b: a + b * x)
    rng = np.random.default_rng(3)
    x = np.linspace(0, 1, 20)
    y = 1 + 2 * x + 0.1 * rng.standard_normal(20)
    fit = sf.fit(line, {"x": x, "y": y}, objective=sf.square("linear"))
    design = np.stack([np.ones(20), x], axis=1)
    solution, rss, *_ = np.linalg.lstsq(design, y, rcond=None)
    covariance = rss[0] / 18 * np.linalg.inv(design.T @ design)
    assert list(fit.coefs.values()) == pytest.approx(solution, rel=1e-9)
    assert list(fit.stderr().values()) == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-9)
    assert fit.value == pytest.approx(rss[0], rel=1e-9)


@pytest.mark.parametrize("objective", [sf.huber(1e-3), sf.square()], ids=str)
def test_intervals_cover(objective):
    """90 % bands of the curve, 200 simulated tables of 60 runs: coverage within what chance and n allow."""
    far = {"N": np.array([1e9, 7e10]), "D": np.array([2e10, 1.4e12])}
    tables = [simulate(seed) for seed in range(200)]
    runs = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    runs["study"] = np.repeat(np.arange(200), len(tables[0]["loss"]))
    inside = np.zeros(2)
    for fit in sf.fit_groups(LAW, runs, "study", objective=objective).values():
        band = fit.predict(far, level=0.9, model_error=False)
        inside += (band.lo <= LAW(TRUTH, far)) & (LAW(TRUTH, far) <= band.hi)
    assert np.all(inside / 200 > 0.80)
    assert np.all(inside / 200 < 0.97)


def test_predict_takes_either_name(fit):
    runs = simulate(0)
    renamed = {"n_params": runs["N"], "n_tokens": runs["D"], "loss": runs["loss"]}
    other = sf.fit(LAW, renamed)
    np.testing.assert_allclose(other.predict(renamed), fit.predict(runs), rtol=1e-12)
    np.testing.assert_allclose(other.predict({"N": runs["N"], "D": runs["D"]}), fit.predict(runs), rtol=1e-12)
    assert fit.predict({"N": 1e9, "D": 2e10}).shape == ()
    np.testing.assert_allclose(
        fit.residuals(), np.log(fit.predict(runs)) - np.log(runs["loss"]), rtol=1e-9, atol=1e-15
    )


def test_groups_equal_single_fits():
    rng = np.random.default_rng(4)
    table: dict[str, list] = {"task": [], "x": [], "loss": []}
    for task in range(40):
        n = int(rng.integers(8, 31))
        x = 10 ** rng.uniform(6, 10, n)
        y = (0.5 + rng.uniform(0, 1) + 20 * x ** -rng.uniform(0.2, 0.3)) * np.exp(
            0.01 * rng.standard_normal(n)
        )
        table["task"] += [f"t{task}"] * n
        table["x"] += x.tolist()
        table["loss"] += y.tolist()
    groups = sf.fit_groups("power_floor", table, by="task")
    assert len(groups) == 40
    rows = groups.table()
    assert list(rows["task"]) == [f"t{k}" for k in range(40)]
    for label in ("t0", "t7", "t39"):
        mine = np.array(table["task"]) == label
        single = sf.fit(
            "power_floor", {"x": np.array(table["x"])[mine], "loss": np.array(table["loss"])[mine]}
        )
        assert groups[label].value == pytest.approx(single.value, rel=1e-8)
        assert groups[label].coefs["E"] == pytest.approx(single.coefs["E"], rel=1e-4)
        assert rows.set_index("task").loc[label, "E"] == pytest.approx(single.coefs["E"], rel=1e-4)


def test_a_law_of_the_wrong_shape_is_named():
    """On the bundled runs size helps little at small D:
    the additive law cannot bend so, the coupled one can."""
    runs = sf.datasets.load("tiny_lm").query("group == 'main' and schedule == 'cooldown'")
    inputs = {"N": "n_params_no_embed", "D": "n_tokens"}
    codes = {
        law: [caution.code for caution in sf.fit(law, runs, inputs, "loss").warnings]
        for law in ("chinchilla", "skaling")
    }
    assert "misfit" in codes["chinchilla"]
    assert "misfit" not in codes["skaling"]


def test_no_misfit_is_seen_where_there_is_none():
    seen = [
        "misfit" in [caution.code for caution in sf.fit(LAW, simulate(seed, n=40)).warnings]
        for seed in range(40)
    ]
    assert sum(seen) <= 1


def test_two_kinds_of_output_in_one_column_are_no_fit():
    """Every third row holds the loss in another unit (a factor e off), far more than it varies:
    no curve is near both."""
    rng = np.random.default_rng(0)
    x = {"N": 10 ** rng.uniform(8, 9, 200), "D": 10 ** rng.uniform(9, 10, 200)}
    loss = sf.simulate(LAW, TRUTH, x)["y"]
    fit = sf.fit(LAW, {**x, "loss": np.where(np.arange(200) % 3, loss, loss / np.e)})
    assert fit.status.trust == "bad"
    assert "poor-fit" in fit.status.cautions


def test_a_tenth_of_wild_rows_is_no_poor_fit():
    runs = simulate(0, 60)
    runs["loss"][::12] *= 5.0
    assert "poor-fit" not in sf.fit(LAW, runs).status.cautions


def test_a_law_without_finite_predictions_never_counts_as_converged():
    """log of a negative input is no number, whatever the coefficients: the status must say so."""
    law = sf.law(lambda r, *, a, b: a + b * jnp.log(r), "broken")
    r = np.r_[-5.0, np.linspace(0.01, 0.3, 15)]
    fit = sf.fit(law, {"r": r, "y": np.linspace(1.8, 1.9, 16)}, y="y")
    assert not fit.status.converged
    assert fit.status.trust == "bad"
    assert "no descent reached a finite objective" in next(
        c.text for c in fit.warnings if c.code == "not-converged"
    )
