"""Forecasts from three to six runs: the closed form against plain sampling, intervals that hold, words."""

from __future__ import annotations

import numpy as np
import pytest

import scalefit as sf
from scalefit.validation.few_runs import PRIOR, limit, prior_of

# Six public losses that a run at 1e23 FLOPs was planned from, in nats.
COMPUTE = np.geomspace(1e18, 3e20, 6)
LOSSES = np.array([3.522, 3.339, 3.154, 3.000, 2.848, 2.725])


def runs(n: int = 6) -> dict[str, np.ndarray]:
    return {"flops": COMPUTE[:n], "loss": LOSSES[:n]}


def drawn(x: np.ndarray, prior, random: np.random.Generator, n: int) -> np.ndarray:
    """Log losses (n, len(x)) of sweeps from the model as its docstring states it, x ascending, the last one
    ahead of the others; log L_0 = 1."""
    phi = 1 / (1 + np.exp(-(prior.phi[0] + prior.phi[1] * random.standard_normal(n))))
    alpha = np.exp(prior.alpha[0] + prior.alpha[1] * random.standard_normal(n))
    sigma = np.sqrt(prior.shape * prior.scale**2 / random.gamma(prior.shape, size=n))
    curve = np.log(phi[:, None] + (1 - phi[:, None]) * (x / x[-2]) ** -alpha[:, None])
    # Two walks that start at the largest run that is seen, one backwards and one ahead.
    steps = np.sqrt(prior.kappa * np.log10(x[1:] / x[:-1])) * random.standard_normal((n, len(x) - 1))
    walk = np.zeros((n, len(x)))
    walk[:, -1] = steps[:, -1]
    walk[:, :-2] = np.cumsum(steps[:, -2::-1], axis=1)[:, ::-1]
    return 1 + curve + sigma[:, None] * (walk + random.standard_normal((n, len(x))))


def test_the_closed_form_is_what_plain_sampling_gives():
    """A million sweeps from the prior, each weighted by how likely it makes three losses: the quantiles
    of their fourth. Given phi, alpha and sigma losses are normal, and log L_0 is flat: differences count."""
    x, y, random = np.array([1e19, 1e20, 1e21, 1e22]), np.array([3.1, 2.75, 2.5]), np.random.default_rng(0)
    n = 1_000_000
    phi = 1 / (1 + np.exp(-(PRIOR.phi[0] + PRIOR.phi[1] * random.standard_normal(n))))
    alpha = np.exp(PRIOR.alpha[0] + PRIOR.alpha[1] * random.standard_normal(n))
    variance = PRIOR.shape * PRIOR.scale**2 / random.gamma(PRIOR.shape, size=n)
    curve = np.log(phi[:, None] + (1 - phi[:, None]) * (x / x[2]) ** -alpha[:, None])
    walk = np.array([[2, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1.0]]) * PRIOR.kappa
    joint = np.eye(4) + walk
    # Contrasts with the third run: log L_0 drops out.
    contrast = np.array([[1, 0, -1, 0], [0, 1, -1, 0], [0, 0, -1, 1.0]])
    spread = contrast @ joint @ contrast.T
    off = (np.log(y) - curve[:, :3]) @ contrast[:2, :3].T
    inner = np.linalg.inv(spread[:2, :2])
    like = -np.log(variance) - np.sum((off @ inner) * off, axis=1) / variance / 2
    weight = np.exp(like - np.max(like))
    pull = off @ inner @ spread[:2, 2]
    rest = spread[2, 2] - spread[2, :2] @ inner @ spread[:2, 2]
    ahead = np.log(y[2]) + curve[:, 3] + pull + np.sqrt(variance * rest) * random.standard_normal(n)
    order = np.argsort(ahead)
    share = np.cumsum(weight[order]) / np.sum(weight)
    sampled = np.exp(ahead[order][np.searchsorted(share, [0.05, 0.5, 0.95])])
    found = [limit(x[:3], y, PRIOR, x[3], p) for p in (0.05, 0.5, 0.95)]
    # The effective number of sweeps is a few thousand, and a 5 % quantile's error some 2 % of the width.
    assert np.sum(weight) ** 2 / np.sum(weight**2) > 2000
    assert found == pytest.approx(sampled, abs=0.04 * (sampled[2] - sampled[0]))


def test_intervals_hold_runs_of_the_model_itself():
    """Of 200 sweeps from the prior, 90 % intervals for a run two decades ahead hold 180 on average;
    fewer than 170 or more than 190 in 2 % of such tests (binomial)."""
    x = np.array([1e18, 1e19, 3e19, 1e20, 1e22])
    held = 0
    for sweep in np.exp(drawn(x, PRIOR, np.random.default_rng(1), 200)):
        lo, hi = (limit(x[:4], sweep[:4], PRIOR, x[4], p) for p in (0.05, 0.95))
        held += lo <= sweep[4] <= hi
    assert 170 <= held <= 190


@pytest.mark.parametrize("n", [3, 4, 5, 6])
def test_few_runs_give_a_forecast_that_says_what_it_rests_on(n):
    ahead = sf.extrapolate(runs(n))
    assert ahead.trust == "weak"
    assert ahead.check() is ahead
    assert [caution.code for caution in ahead.warnings] == ["few-runs"]
    assert "public sweeps" in repr(ahead)
    told = ahead.predict({"C": [1e21, 1e23]}, level=0.9, kind="run")
    assert np.all(told["lo"] < told["mean"])
    assert np.all(told["mean"] < told["hi"])
    closed = [[limit(COMPUTE[:n], LOSSES[:n], PRIOR, C, p) for p in (0.05, 0.95)] for C in (1e21, 1e23)]
    width = np.diff(closed, axis=1)
    # Draws, and the walk as the fit's own error of a law, for the closed form.
    assert np.all(np.abs(told[["lo", "hi"]].to_numpy() - closed) < 0.1 * width)


def test_more_runs_tell_more():
    widths = [
        np.ptp(sf.extrapolate(runs(n)).predict({"C": [1e23]}, level=0.9)[["lo", "hi"]].to_numpy())
        for n in (3, 6)
    ]
    assert widths[1] < widths[0] / 2


def test_size_and_tokens_at_one_ratio_are_compute():
    N = np.sqrt(COMPUTE / 120)
    both = sf.extrapolate({"N": N, "D": 20 * N, "loss": LOSSES})
    one = sf.extrapolate(runs())
    assert both.predict({"C": 1e23}) == pytest.approx(one.predict({"C": 1e23}), rel=1e-9)
    assert any("6 N D" in note for fit in both.fits.values() for note in fit.notes)


def test_too_few_runs_of_size_and_tokens_for_a_backtest_rest_on_usual_ranges():
    """Nine runs of published Chinchilla: three sizes, tokens 5 to 80 per parameter, without noise."""
    truth = sf.laws.chinchilla.published["besiroglu2024"]
    N, ratio = np.repeat([1e7, 1e8, 1e9], 3), np.tile([5.0, 20.0, 80.0], 3)
    table = {"N": N, "D": ratio * N, "loss": np.asarray(sf.laws.chinchilla(truth, {"N": N, "D": ratio * N}))}
    ahead = sf.extrapolate(table)
    assert ahead.weights == {"chinchilla": 0.5, "skaling": 0.5}
    assert ahead.ground is None
    assert {fit.basis for fit in ahead.fits.values()} == {"curvature, with ranges"}
    at = {"N": np.array([1e10]), "D": np.array([2e11])}
    told = ahead.predict(at, level=0.9)
    # The largest run lies 12 % above the target.
    assert told["mean"][0] == pytest.approx(float(sf.laws.chinchilla(truth, at)[0]), rel=0.01)
    assert told["lo"][0] < told["mean"][0] < told["hi"][0]
    with pytest.raises(ValueError, match="rows cannot determine"):
        sf.extrapolate({name: values[::2] for name, values in table.items()})


def test_exponents_of_size_are_twice_those_of_compute():
    assert prior_of("N").alpha[0] - prior_of("C").alpha[0] == pytest.approx(np.log(2))
    assert prior_of("N").phi == prior_of("C").phi


def test_refusals():
    with pytest.raises(ValueError, match="does not fall from the smallest to the largest 'flops'"):
        sf.extrapolate({"flops": COMPUTE, "loss": LOSSES[::-1]})
    with pytest.raises(ValueError, match="2 rows cannot determine 3 coefficients"):
        sf.extrapolate(runs(2))


def test_groups_of_few_and_of_many_runs():
    many = sf.simulate(
        sf.laws.power_floor, {"E": 1.7, "A": 410.0, "alpha": 0.15}, {"x": np.geomspace(1e18, 1e21, 12)}
    )
    table = {
        "flops": np.concatenate([COMPUTE[:4], many["x"]]),
        "loss": np.concatenate([LOSSES[:4], many["y"]]),
        "recipe": ["few"] * 4 + ["many"] * 12,
    }
    found = sf.extrapolate_groups(table, "recipe", inputs={"C": "flops"})
    assert list(found) == ["few", "many"]
    assert list(found["few"].fits) == ["power_floor"]
    assert len(found["many"].fits) == 2
    alone = sf.extrapolate(runs(4))
    assert found["few"].predict({"C": 1e22}) == pytest.approx(alone.predict({"C": 1e22}), rel=1e-12)


def test_saved_and_read_again(tmp_path):
    ahead = sf.extrapolate(runs(4), key=3)
    ahead.save(tmp_path / "ahead.json")
    again = sf.load(tmp_path / "ahead.json")
    asked = {"C": [1e22]}
    assert again.predict(asked, level=0.9).equals(ahead.predict(asked, level=0.9))
    assert "few-runs" in repr(again)
