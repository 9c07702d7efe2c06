"""Long logs made short, and fits of few curves drawn towards usual ranges."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

import scalefit as sf
from scalefit.core.linear import linearise
from scalefit.curves.fit_curves import condense, fit_curves, shrink

PEAK, WARMUP, END = 3e-4, 400, 20_000
TRUTH = {"L0": 2.7, "A": 0.6, "alpha": 0.45, "C": 0.7, "lam": 0.998}


def log(rate: np.ndarray, run: str = "a") -> dict[str, np.ndarray]:
    """A row per step, from step 0 at rate 0; the loss is the law's, without noise, after the warm-up."""
    n = len(rate) + 1
    table = {
        "step": np.arange(float(n)),
        "lr": np.append(0.0, rate),
        "run": np.full(n, run),
        "tokens": 512 * np.arange(n),
    }
    x = {"step": table["step"], "eta": table["lr"], "curve": np.zeros(n)}
    return table | {"loss": np.where(table["step"] > WARMUP, sf.laws.lr_annealing(TRUTH, x), np.nan)}


RATES = {
    "cosine": sf.schedule.cosine(END, PEAK, PEAK / 10, warmup=WARMUP),
    "two-stage": sf.schedule.two_stage(END, PEAK, PEAK / 3, first=8000, warmup=WARMUP),
    "cooldown": sf.schedule.wsd(END, PEAK, PEAK / 10, cooldown=4000, warmup=WARMUP),
}


@pytest.fixture(scope="module")
def logs() -> dict[str, np.ndarray]:
    parts = [log(rate, name) for name, rate in RATES.items()]
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


@pytest.mark.parametrize("name", RATES)
def test_condensed_keeps_schedule_and_losses(name):
    table = log(RATES[name])
    short = condense(table)
    assert len(short["step"]) < 500
    line = np.interp(table["step"], short["step"], short["lr"])
    jump = np.abs(np.diff(table["lr"], append=table["lr"][-1])) > PEAK / 10
    assert np.max(np.abs(line - table["lr"])[~jump]) <= 1e-5 * PEAK * (1 + 1e-9)
    told = short["weight"] > 0
    assert np.sum(short["weight"]) == END - WARMUP
    np.testing.assert_array_equal(told, ~np.isnan(short["loss"]))
    total = np.sum(short["weight"][told] * short["loss"][told])
    assert total == pytest.approx(np.nansum(table["loss"]), rel=1e-12)
    np.testing.assert_array_equal(short["tokens"], 512 * short["step"])
    # A mean over a block is not the curve at its middle, but nearly: for t^-a in blocks of 5 % of t it is
    # larger by a share a (a + 1) 0.05^2 / 24, here 7e-5; after the warm-up t counts from its middle, which at
    # first makes 2^2 of it.
    at = dict(zip(table["step"].tolist(), table["loss"].tolist(), strict=True))
    exact = np.array([at[step] for step in short["step"][told].tolist()])
    assert np.max(np.abs(short["loss"][told] - exact) / (exact - TRUTH["L0"])) < 3e-4


def test_few_rows_stay_as_they_are():
    table = {
        "step": [1.0, 2, 3, 4],
        "lr": [1e-3, 1e-3, 5e-4, 5e-4],
        "curve": [0] * 4,
        "loss": [3.0, 2.9, np.nan, 2.8],
    }
    short = condense(table)
    np.testing.assert_array_equal(short["loss"], table["loss"])
    np.testing.assert_array_equal(short["weight"], [1, 1, 0, 1])


@pytest.fixture(scope="module")
def short(logs) -> dict[str, np.ndarray]:
    return condense(logs, rows=40, tolerance=1e-3)


def test_a_table_without_rates_is_refused():
    with pytest.raises(ValueError, match="no column has a usual name for eta"):
        condense({"step": [1.0, 2], "curve": [0, 0], "loss": [3.0, 2.9]})
    with pytest.raises(ValueError, match="tolerance must be a positive number"):
        condense(log(RATES["cosine"]), tolerance=0.0)


@pytest.fixture(scope="module")
def noisy() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    x = np.tile(np.geomspace(1e7, 1e10, 12), 3)
    group = np.repeat(["a", "b", "c"], 12)
    off = np.repeat(rng.normal(0, 0.02, 3), 12)
    return {"x": x, "loss": (1.8 + 300 / x**0.33) * np.exp(off + rng.normal(0, 0.003, 36)), "g": group}


def goal(fit: sf.Fit, u: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> float:
    """The docstring's formula, written out for three groups of equal weight."""
    r = fit.objective.residual(
        fit.law(dict(zip(fit.law.names, np.exp(u), strict=True)), fit.data.x), fit.data.y
    )
    each = [np.mean(r[fit.data.group == name] ** 2) for name in ("a", "b", "c")]
    return 3 / 2 * np.log(np.mean(each)) + np.sum(((u - mean) / sd) ** 2) / 2


def test_shrunk_is_the_mode_of_the_stated_density(noisy):
    """Against scipy's simplex on the formula; 1.645 is the normal's 95 % quantile."""
    ranges = {"E": (1.0, 3.0), "A": (20.0, 2000.0), "alpha": (0.25, 0.3)}
    fit = sf.fit("power_floor", noisy, group="g", objective=sf.square())
    found = shrink(fit, {name: ranges[name] for name in fit.law.names})
    ends = np.log([ranges[name] for name in fit.law.names])
    mean, sd = ends.mean(axis=1), (ends[:, 1] - ends[:, 0]) / (2 * 1.6448536)
    best = found.u
    for _ in range(3):
        best = minimize(
            lambda u: goal(fit, u, mean, sd),
            best,
            method="Nelder-Mead",
            options={"xatol": 1e-9, "fatol": 1e-13, "maxiter": 4000, "maxfev": 4000},
        ).x
    np.testing.assert_allclose(found.u, best, atol=2e-5)
    assert found.value > fit.value
    assert found.coefs["alpha"] < fit.coefs["alpha"]
    bend = linearise(fit.law, fit.objective, found.u, fit.data.x, fit.data.y)
    size = np.mean(bend.residual**2)
    expected = np.linalg.inv(3 * bend.jacobian @ bend.jacobian.T / (36 * size) + np.diag(1 / sd**2))
    np.testing.assert_allclose(found.covariance, expected, rtol=1e-3)


def test_without_ranges_nothing_moves_and_narrow_ones_hold(noisy):
    fit = sf.fit("power_floor", noisy, group="g", objective=sf.square())
    free = shrink(fit, dict.fromkeys(fit.law.names))
    assert free.coefs == pytest.approx(fit.coefs, rel=1e-3)
    held = shrink(fit, {"alpha": (0.2499, 0.2501)})
    assert held.coefs["alpha"] == pytest.approx(0.25, rel=1e-3)
    assert held.status.converged


def test_ranges_are_checked_and_far_ends_warned_of(noisy):
    fit = sf.fit("power_floor", noisy, group="g", objective=sf.square())
    with pytest.raises(ValueError, match=r"ranges: alpha has \(0\.5, 0\.1\)"):
        shrink(fit, {"alpha": (0.5, 0.1)})
    with pytest.raises(ValueError, match="nu"):
        shrink(fit, {"nu": (0.1, 0.5)})
    for no_range in (0.4, (0.1, 0.2, 0.3), ("a", "b")):
        with pytest.raises(ValueError, match="ranges: alpha has"):
            shrink(fit, {"alpha": no_range})
    with pytest.raises(ValueError, match="shrink takes a fit of one law"):
        shrink(sf.laws.power_floor)
    rows = sf.fit("power_floor", noisy, objective=sf.square())
    assert "far-from-range" in shrink(rows, {"alpha": (0.9, 2.0)}).status.cautions


def test_curve_laws_averaged_alike(short):
    """60,000 losses as 400 means; without noise the ranges hardly count."""
    assert len(short["step"]) < 500
    both = fit_curves(short, ["lr_annealing"], weight="weight")
    assert both.weights == {"lr_annealing": 1.0}
    fit = both.fits["lr_annealing"]
    assert "3 curves count as one observation each" in fit.notes[-1]
    assert fit.coefs == pytest.approx(TRUTH, rel=3e-2)
    np.testing.assert_allclose(both.predict(short), fit.predict(short), rtol=1e-14)
    with pytest.raises(ValueError, match="laws names no law"):
        fit_curves(short, [], weight="weight")
    with pytest.raises(ValueError, match="ranges: 'fsl' is none of the laws, lr_annealing"):
        fit_curves(short, "lr_annealing", weight="weight", ranges={"fsl": {}})


def test_a_transient_at_the_beginning_does_not_count(short):
    """Up to 20 % above the law in the first 4 % of each run, nothing beyond it."""
    early = {**short, "loss": short["loss"] * (1 + 0.2 * np.maximum(1 - short["step"] / (0.04 * END), 0))}
    one = fit_curves(early, "lr_annealing", weight="weight").fits["lr_annealing"]
    assert one.coefs == pytest.approx(
        fit_curves(short, "lr_annealing", weight="weight").fits["lr_annealing"].coefs
    )
    assert len(one.data.counted) < len(sf.fit("lr_annealing", early, weight="weight").data.counted)


def test_ranges_that_contradict_the_rows_give_way():
    """An exponent of 0.9 seen over two decades at 0.1 % of noise, and a range about 0.14."""
    x = np.geomspace(50, 5000, 24)
    loss = (1.7 + x**-0.9) * np.exp(0.001 * np.random.default_rng(0).standard_normal(24))
    drawn = shrink(sf.fit("power_floor", {"x": x, "loss": loss}), {"alpha": (0.1, 0.2)})
    assert drawn.coefs["alpha"] == pytest.approx(0.9, abs=0.1)
    (said,) = [c for c in drawn.warnings if c.code == "pulled"]
    assert "alpha" in said.text
    assert "times as wide" in said.text


def test_rows_count_in_shrink_as_they_weigh(noisy):
    """Rows of a weight of 1e-6 are as good as left out."""
    weight = np.where(np.arange(36) < 18, 1.0, 1e-6)
    both = sf.fit("power_floor", noisy, weight=weight), sf.fit("power_floor", noisy, weight=np.floor(weight))
    one, other = (shrink(fit) for fit in both)
    assert one.coefs == pytest.approx(other.coefs, rel=1e-3)
    assert "18 rows count as one observation each" in one.notes[-1]


def test_rates_of_zero_throughout_are_refused_in_one_sentence():
    table = {
        "step": np.arange(1.0, 61) * 100,
        "lr": np.zeros(60),
        "run": np.zeros(60),
        "loss": np.geomspace(4, 3, 60),
    }
    with pytest.raises(ValueError, match=r"rate .* is zero in every row"):
        sf.fit_curves(table, laws=["lr_annealing"])
