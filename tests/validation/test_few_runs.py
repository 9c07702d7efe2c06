"""Forecasts from a few runs: the closed form against plain sampling, intervals that hold, words."""

from __future__ import annotations

import numpy as np
import pytest

import scalefit as sf
from scalefit.validation import few_runs
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


def drawn_of_both(N: np.ndarray, D: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Log losses of a sweep from the model as its docstring states it; the second last run is the largest
    that is seen, the last one is ahead of it in N and in D."""
    prior = prior_of("N")
    phi, s = (1 / (1 + np.exp(-(m + sd * random.standard_normal()))) for m, sd in (prior.phi, few_runs.SHARE))
    alpha, beta = np.exp(prior.alpha[0] + prior.alpha[1] * random.standard_normal(2))
    sigma = np.sqrt(prior.shape * prior.scale**2 / random.gamma(prior.shape))
    curve = np.log(phi + (1 - phi) * (s * (N / N[-2]) ** -alpha + (1 - s) * (D / D[-2]) ** -beta))
    noise = random.standard_normal(len(N))
    for size in (N, D):
        t = np.log10(size / size[-2])
        for side in (t > 0, t < 0):
            ends, place = np.unique(np.abs(t[side]), return_inverse=True)
            steps = np.sqrt(prior.kappa * np.diff(ends, prepend=0.0)) * random.standard_normal(len(ends))
            noise[side] += np.cumsum(steps)[place]
    return 1 + curve + sigma * noise


def test_intervals_of_size_and_tokens_hold_runs_of_the_model_itself():
    """Of 200 sweeps of eight runs from the prior, 90 % intervals for a run of three times the size and ten
    times the tokens hold 180 on average; fewer than 170 or more than 190 in 2 % of such tests (binomial)."""
    N = np.array([1e7, 3e7, 1e8, 3e7, 1e8, 3e8, 1e8, 3e8, 1e9])
    D = np.array([4e8, 3e8, 1e9, 3e9, 1e10, 3e9, 3e10, 3e10, 3e11])
    held, random = 0, np.random.default_rng(2)
    for k in range(200):
        log_loss = drawn_of_both(N, D, random)
        ahead = sf.extrapolate({"N": N[:-1], "D": D[:-1], "loss": np.exp(log_loss[:-1])}, key=k)
        told = ahead.predict({"N": N[-1:], "D": D[-1:]}, level=0.9, kind="run")
        held += bool(told["lo"][0] <= np.exp(log_loss[-1]) <= told["hi"][0])
    assert 170 <= held <= 190


def test_sampling_finds_what_a_grid_gives():
    """Means of the four coefficients over a product grid of 25 values each."""
    N, D = np.array([1e7, 1e8, 1e7, 1e8]), np.array([2e8, 2e8, 2e9, 2e9])
    y, prior = np.array([4.1, 3.5, 3.7, 3.1]), prior_of("N")
    z = np.linspace(-3.5, 3.5, 25)
    grid = np.stack([axis.ravel() for axis in np.meshgrid(z, z, z, z, indexing="ij")])
    ranges = (prior.phi, prior.alpha, prior.alpha, few_runs.SHARE)
    phi, alpha, beta, s = (mean + sd * own for (mean, sd), own in zip(ranges, grid, strict=True))
    phi, s = 1 / (1 + np.exp(-phi)), 1 / (1 + np.exp(-s))
    alpha, beta = np.exp(alpha), np.exp(beta)
    off = np.stack(
        [
            np.log(loss) - np.log(phi + (1 - phi) * (s * (n / 1e8) ** -alpha + (1 - s) * (d / 2e9) ** -beta))
            for n, d, loss in zip(N, D, y, strict=True)
        ]
    )
    # Runs one decade back along N, along D, along both; none is shared but by the walk of its own axis.
    joint = np.eye(4) + prior.kappa * np.array([[2, 1, 1, 0], [1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0.0]])
    weight = np.linalg.inv(joint)
    middle = np.sum(weight @ off, axis=0) / np.sum(weight)
    rate = prior.shape * prior.scale**2 + np.einsum("ik,ij,jk->k", off - middle, weight, off - middle) / 2
    log = -np.sum(grid**2, axis=0) / 2 - (prior.shape + 1.5) * np.log(rate)
    share = np.exp(log - np.max(log))
    seen = few_runs.told_of_both(N, D, y, prior)
    places = np.stack([mean + sd * own for (mean, sd), own in zip(ranges, grid, strict=True)])
    spread = np.array([sd for _, sd in ranges])
    # The grid's cells are 0.3 standard deviations wide, the samples' errors some hundredths of one.
    assert np.all(np.abs(seen.places @ seen.share - places @ share / np.sum(share)) < 0.1 * spread)


@pytest.mark.parametrize("n", [3, 4, 7, 10])
def test_few_runs_of_size_and_tokens(n):
    """Published Chinchilla without noise, sizes and ratios of tokens mixed; the target has three times the
    size of the largest run. Its own floor lies in the prior's usual range."""
    truth = sf.laws.chinchilla.published["besiroglu2024"]
    N = np.geomspace(1e7, 1e9, 10)[-n:]
    D = N * np.resize([20.0, 80.0, 5.0], 10)[-n:]
    table = {"N": N, "D": D, "loss": np.asarray(sf.laws.chinchilla(truth, {"N": N, "D": D}))}
    ahead = sf.extrapolate(table)
    assert list(ahead.fits) == ["chinchilla"]
    assert [caution.code for caution in ahead.warnings] == ["few-runs"]
    at = {"N": np.array([3e9]), "D": np.array([6e10])}
    told = ahead.predict(at, level=0.9)
    assert told["mean"][0] == pytest.approx(float(sf.laws.chinchilla(truth, at)[0]), rel=0.03)
    assert told["lo"][0] < sf.laws.chinchilla(truth, at)[0] < told["hi"][0]


def test_runs_at_one_ratio_are_told_as_by_compute():
    """The same six losses by N and D at 20 tokens per parameter, and by compute alone: the two models differ
    by a sum of two powers with one exponent each, about a per cent two decades ahead."""
    N = np.sqrt(COMPUTE / 120)
    both = sf.extrapolate({"N": N, "D": 20 * N, "loss": LOSSES})
    far = np.sqrt(1e23 / 120)
    assert both.predict({"N": far, "D": 20 * far}) == pytest.approx(
        sf.extrapolate(runs()).predict({"C": 1e23}), rel=0.02
    )


def test_too_few_runs_of_size_and_tokens_for_a_backtest_rest_on_usual_ranges():
    """Twelve runs of published Chinchilla, four of them at the largest budget, without noise."""
    truth = sf.laws.chinchilla.published["besiroglu2024"]
    N = np.array([1e7, 2e7, 4e7, 1e8, 2e8, 4e8, 1e9, 4e8, 5e8, 1e9, 2e9, 4e9])
    D = np.array([8e8, 1e9, 2e9, 2e9, 1e10, 8e9, 5e9, 1e10, 4e10, 2e10, 1e10, 5e9])
    table = {"N": N, "D": D, "loss": np.asarray(sf.laws.chinchilla(truth, {"N": N, "D": D}))}
    ahead = sf.extrapolate(table)
    assert ahead.weights == dict.fromkeys(("chinchilla", "skaling", "chinchilla (priors)"), 1 / 3)
    assert ahead.ground is None
    assert [ahead.fits[name].basis for name in ("chinchilla", "skaling")] == ["curvature, with ranges"] * 2
    at = {"N": np.array([1e10]), "D": np.array([2e11])}
    told = ahead.predict(at, level=0.9)
    assert told["mean"][0] == pytest.approx(float(sf.laws.chinchilla(truth, at)[0]), rel=0.01)
    assert told["lo"][0] < told["mean"][0] < told["hi"][0]
    with pytest.raises(ValueError, match="2 rows cannot determine"):
        sf.extrapolate({name: values[:2] for name, values in table.items()})


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


def of_both(n: int, ratio: float = 20.0) -> dict[str, np.ndarray]:
    """Runs of the published law itself, all of one number of tokens per parameter."""
    N = np.geomspace(2e7, 1e9, n)
    table = {"N": N, "D": ratio * N}
    return table | {"loss": np.asarray(sf.laws.chinchilla(BESIROGLU, table))}


BESIROGLU = sf.laws.chinchilla.published["besiroglu2024"]


@pytest.mark.parametrize("n", [10, 12, 40])
def test_runs_on_one_line_are_told_however_many_they_are(n):
    """Of one ratio, or of one size: more runs never make the answer worse, and what is prior is said."""
    for table in (of_both(n), of_both(n) | {"N": np.full(n, 1e8)}):
        table = table | {"loss": np.asarray(sf.laws.chinchilla(BESIROGLU, table))}
        ahead = sf.extrapolate(table)
        assert [c.code for c in ahead.warnings] == ["few-runs"]
        assert "add runs that vary N and D apart" in ahead.warnings[0].text
        x = {name: 10 * np.max(table[name]) for name in ("N", "D")}
        told = ahead.predict({name: [v] for name, v in x.items()}, level=0.9)
        assert told["lo"][0] <= float(sf.laws.chinchilla(BESIROGLU, x)) <= told["hi"][0]


def test_an_odd_run_is_named():
    table = of_both(8)
    table["loss"][4] = 11.0
    codes = {c.code: c.text for c in sf.extrapolate(table).warnings}
    assert "row 4 (counting from 0) lies far off" in codes["outliers"]
    # Of so few the plain fit goes through all.
    table = of_both(4)
    table["loss"][1] = 11.0
    codes = {c.code: c.text for c in sf.extrapolate(table).warnings}
    assert "row 1 (counting from 0) lies far off what the other runs say" in codes["outliers"]


def test_what_is_wrong_with_columns_is_said_of_few_runs_too():
    table = of_both(8)
    said = sf.extrapolate(table | {"N": table["D"], "D": table["N"]}).warnings
    assert [c.code for c in said] == ["few-runs", "swapped-inputs"]
    said = sf.extrapolate(table | {"N": table["N"] / 1e6, "D": table["D"] / 1e9}).warnings
    assert "odd-units" in [c.code for c in said]


def test_weights_count():
    """A run of a thousandth of the others' weight says as good as nothing."""
    table, far = runs(5), {"C": [1e22]}
    odd = table["loss"].copy()
    odd[2] *= 1.1
    weight = np.where(np.arange(5) == 2, 1e-6, 1.0)

    def mean(loss: np.ndarray, weight: np.ndarray | None = None) -> float:
        return float(
            sf.extrapolate({**table, "loss": loss}, weight=weight).predict(far, level=0.9)["mean"][0]
        )

    assert mean(odd, weight) == pytest.approx(mean(table["loss"], weight), rel=1e-4)
    assert mean(odd) != pytest.approx(mean(table["loss"]), rel=1e-3)


def test_one_budget_says_nothing_of_a_larger_one():
    N = np.geomspace(2e7, 1e9, 7)
    table = {"N": N, "D": 1e19 / N}
    table["loss"] = np.asarray(sf.laws.chinchilla(BESIROGLU, table))
    with pytest.raises(ValueError, match=r"all runs are of one budget, .* sf\.isoflop finds the best size"):
        sf.extrapolate(table)


def test_a_loss_and_a_size_are_no_single_input():
    L = np.linspace(2.0, 3.5, 12)
    table = {"train": L, "N": 1e9 / L**8, "loss": 0.3 + 1.05 * L}
    assert sf.extrapolate(table, inputs={"L": "train", "N": "N"}, y="loss").fits
