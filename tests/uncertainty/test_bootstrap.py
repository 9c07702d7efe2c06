"""Bootstrap and jackknife: the weights, the limits, and that they agree with what is known."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
import scipy.stats

import scalefit as sf
from scalefit.core import weights
from scalefit.core.linear import linearise
from scalefit.fits.draws import limits, stretch
from scalefit.uncertainty import bootstrap

LAW = sf.laws.power_floor
TRUTH = {"E": 1.7, "A": 60.0, "alpha": 0.3}


def line(x, *, a, b):
    return a + b * x


LINE = sf.law(line)


def runs(n: int = 60, noise: float = 0.01, key: int = 0) -> dict[str, np.ndarray]:
    return sf.simulate(LAW, TRUTH, {"x": np.geomspace(1e3, 1e8, n)}, noise=noise, key=key)


def test_schemes_have_the_right_moments():
    """Multinomial counts: mean 1, variance 1 - 1/n; exponential weights: mean 1; Webb's points:
    mean 0, variance 1."""
    group = np.repeat(np.arange(10), 3)
    drawn = weights.pairs(30, 4000, key=1)
    assert np.all(drawn.sum(axis=1) == 30)
    assert np.var(drawn) == pytest.approx(1 - 1 / 30, rel=0.02)
    clustered = weights.cluster(group, 4000, key=1)
    assert np.all(clustered[:, ::3] == clustered[:, 2::3])
    assert np.mean(clustered) == pytest.approx(1.0)
    smooth = weights.bayesian(group, 4000, key=1)
    np.testing.assert_allclose(smooth[:, ::3].mean(axis=1), 1.0)
    flips = weights.signs(group, 4000, key=1)
    assert np.mean(flips) == pytest.approx(0.0, abs=0.02)
    assert np.var(flips) == pytest.approx(1.0, rel=0.02)


@pytest.mark.parametrize("scheme", [weights.cluster, weights.bayesian, weights.signs])
def test_the_first_draws_do_not_depend_on_how_many_follow(scheme):
    group = np.arange(7)
    np.testing.assert_array_equal(scheme(group, 5, 3), scheme(group, 50, 3)[:5])


def test_limits_agree_with_scipy_s_bca():
    """BCa of a mean: scipy.stats.bootstrap on the same sample, influence of a mean being x - mean."""
    sample = np.random.default_rng(0).exponential(size=40)
    drawn = weights.pairs(40, 20_000, key=0) @ sample / 40
    lo, hi = limits(drawn, sample.mean(), (sample - sample.mean()) / 40, 1, 0.9, "bca")
    known = scipy.stats.bootstrap((sample,), np.mean, confidence_level=0.9, n_resamples=20_000, rng=1)
    np.testing.assert_allclose((lo, hi), known.confidence_interval, rtol=0.01)


def test_the_correction_is_student_s():
    """n = 12 rows, 5 coefficients: sqrt(12/7) t_7(0.95) / z(0.95) with t = 1.8946, z = 1.6449 (tables)."""
    assert stretch(12, 5, 0.9) == pytest.approx(np.sqrt(12 / 7) * 1.8946 / 1.6449, rel=1e-4)
    assert stretch(5, 5, 0.9) == np.inf


@pytest.mark.parametrize("method", ["pairs", "residual", "wild", "bayesian"])
def test_standard_errors_agree_with_least_squares_theory(method):
    """Gaussian errors, squares: every scheme estimates s^2 (J'J)^-1 up to chance and curvature."""
    fit = sf.fit(LAW, runs(), objective=sf.square())
    boot = sf.bootstrap(fit, 300, key=1, method=method)
    assert not boot.draws.failed.any()
    theory = np.sqrt(np.diag(fit.covariance))
    np.testing.assert_allclose(boot.draws.u.std(axis=0), theory, rtol=0.25)
    np.testing.assert_allclose(list(boot.stderr().values()), list(fit.stderr().values()), rtol=0.3)


def test_same_key_same_draws():
    fit = sf.fit(LAW, runs())
    one, two, other = (sf.bootstrap(fit, 20, key=key).draws.u for key in (5, 5, 6))
    np.testing.assert_array_equal(one, two)
    assert np.any(one != other)
    np.testing.assert_allclose(sf.bootstrap(fit, 10, key=5).draws.u, one[:10], rtol=1e-9)


# --- long studies: interrupted, killed, resumed, spread over workers


@pytest.fixture
def fit(monkeypatch):
    monkeypatch.setattr(bootstrap, "BATCH", 20)
    return sf.fit(LAW, runs())


def stopping_after(n: int, monkeypatch):
    """Let n batches be refitted, then press Ctrl-C."""
    refit, begun = bootstrap._refit, iter(range(n + 1))

    def once(*arguments):
        if next(begun) == n:
            raise KeyboardInterrupt
        return refit(*arguments)

    monkeypatch.setattr(bootstrap, "_refit", once)


def test_an_interrupt_returns_what_is_done(fit, monkeypatch):
    shorter = sf.bootstrap(fit, 40, key=5)
    stopping_after(2, monkeypatch)
    boot = sf.bootstrap(fit, 100, key=5)
    np.testing.assert_array_equal(boot.draws.u, shorter.draws.u)
    assert [str(c) for c in boot.warnings][-1] == "[warning] interrupted: interrupted after 40 of 100 draws"
    assert "interrupted" in boot.status.cautions
    assert boot.status.trust == "weak"
    assert not shorter.warnings


def test_an_interrupt_before_two_draws_is_passed_on(fit, monkeypatch):
    stopping_after(0, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        sf.bootstrap(fit, 100)


@pytest.mark.parametrize("method", ["pairs", "residual"])
def test_a_study_goes_on_where_it_stopped(fit, monkeypatch, tmp_path, method):
    whole, file = sf.bootstrap(fit, 60, method=method), tmp_path / "boot.jsonl"
    with monkeypatch.context() as patch:
        stopping_after(1, patch)
        sf.bootstrap(fit, 60, method=method, file=file)
    lines = file.read_bytes().splitlines(keepends=True)
    assert len(lines) == 2
    file.write_bytes(b"".join(lines) + lines[-1][:50])  # killed while it wrote the second batch
    with monkeypatch.context() as patch:
        stopping_after(2, patch)  # the first batch is not refitted
        again = sf.bootstrap(fit, 60, method=method, file=file)
    np.testing.assert_array_equal(again.draws.u, whole.draws.u)
    np.testing.assert_array_equal(again.draws.failed, whole.draws.failed)
    stopping_after(0, monkeypatch)
    np.testing.assert_array_equal(sf.bootstrap(fit, 50, method=method, file=file).draws.u, whole.draws.u[:50])


def test_a_file_of_another_study_is_refused(fit, tmp_path):
    file = tmp_path / "boot.jsonl"
    sf.bootstrap(fit, 20, key=1, file=file)
    before = file.read_bytes()
    with pytest.raises(ValueError, match="another study: its key is 1, not 2"):
        sf.bootstrap(fit, 20, key=2, file=file)
    with pytest.raises(ValueError, match="its n_starts is"):
        sf.bootstrap(fit, 20, key=1, n_starts=3, file=file)
    with pytest.raises(ValueError, match="another study"):
        sf.bootstrap(sf.fit(LAW, runs(key=9)), 20, key=1, file=file)
    assert file.read_bytes() == before
    for text in ("E,A\n1,2\n", "[1, 2]\n", "no newline"):
        file.write_text(text)
        with pytest.raises(ValueError, match="study's file"):
            sf.bootstrap(fit, 20, key=1, file=file)
        assert file.read_text() == text


KILLED = """
import sys
import scalefit as sf
from scalefit.uncertainty import bootstrap
bootstrap.BATCH = 20
fit = sf.load(sys.argv[1])
sf.bootstrap(fit, 10_000, key=3, file=sys.argv[2])
"""


def test_a_killed_process_loses_nothing_it_had_finished(fit, tmp_path):
    saved, file = tmp_path / "fit.json", tmp_path / "boot.jsonl"
    fit.save(saved)
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(saved), str(file)])
    try:
        while child.poll() is None and not (file.exists() and file.read_bytes().count(b"\n") > 3):
            time.sleep(0.01)
        os.kill(child.pid, signal.SIGKILL)
    finally:
        child.kill()
        child.wait()
    done = file.read_bytes().count(b"\n") - 1
    assert done >= 3
    n = 20 * (done + 2)
    resumed = sf.bootstrap(fit, n, key=3, file=file)
    np.testing.assert_array_equal(resumed.draws.u, sf.bootstrap(fit, n, key=3).draws.u)
    firsts = [json.loads(line)["first"] for line in file.read_text().splitlines()[1:]]
    assert firsts == list(range(0, n, 20))


def test_workers_change_nothing(fit, tmp_path):
    alone = sf.bootstrap(fit, 70, key=4)
    with ThreadPoolExecutor(2) as threads:
        spread = sf.bootstrap(fit, 70, key=4, executor=threads, file=tmp_path / "boot.jsonl")
    np.testing.assert_array_equal(spread.draws.u, alone.draws.u)
    with ProcessPoolExecutor(2, get_context("spawn")) as processes:
        spread = sf.bootstrap(fit, 70, key=4, executor=processes)
    np.testing.assert_array_equal(spread.draws.u, alone.draws.u)


def test_groups_that_share_errors_need_the_cluster_bootstrap():
    """Ten runs of six checkpoints with one error per run:
    rows drawn alone give half the honest error, 1 / sqrt(6), or so."""
    rng = np.random.default_rng(2)
    x = np.repeat(np.geomspace(1e3, 1e8, 10), 6) * np.tile(np.geomspace(0.5, 2, 6), 10)
    run = np.repeat(np.arange(10), 6)
    table = {"x": x, "run": run, "y": LAW(TRUTH, {"x": x}) * np.exp(0.01 * rng.normal(size=10)[run])}
    fit = sf.fit(LAW, table, group="run", objective=sf.square())
    whole = sf.bootstrap(fit, 300)
    assert whole.draws.method == "cluster"
    assert whole.draws.units == 10
    alone = sf.bootstrap(fit, 300, method="pairs")
    assert whole.stderr()["E"] > 1.8 * alone.stderr()["E"]


def test_intervals_and_predictions_cover():
    """60 studies of 60 runs: 90 % intervals of exponent, floor,
    curve and a new run at ten times the largest x."""
    far, inside = {"x": np.array([1e9])}, np.zeros(4)
    truth = LAW(TRUTH, far)
    for key in range(60):
        fit = sf.bootstrap(sf.fit(LAW, runs(key=key), objective=sf.square()), 300, key=key)
        for k, name in enumerate(("alpha", "E")):
            lo, hi = fit.interval(name, 0.9, "corrected")
            inside[k] += lo <= TRUTH[name] <= hi
        curve, run = (
            fit.predict(far, 0.9, model_error=False),
            fit.predict(far, 0.9, kind="run", model_error=False),
        )
        inside[2] += curve.lo[0] <= truth[0] <= curve.hi[0]
        new = sf.simulate(LAW, TRUTH, far, noise=0.01, key=1000 + key)["y"][0]
        inside[3] += run.lo[0] <= new <= run.hi[0]
        assert run.hi[0] > curve.hi[0]
        assert curve.distance[0] == pytest.approx(1.0)
    # Four standard errors of a share of 60 about 0.9: 0.745 and above.
    assert np.all(inside / 60 > 0.745), inside / 60


def test_the_jackknife_finds_the_row_that_matters():
    table = runs()
    table["y"][3] *= 1.2
    fit = sf.fit(LAW, table, objective=sf.square())
    left_out = sf.jackknife(fit)
    assert len(left_out.draws) == 60
    assert np.argmax(np.linalg.norm(left_out.draws.u - fit.u, axis=1)) == 3


def test_the_sandwich_is_hc3():
    """Against the formula written out with the whole matrices, for squares,
    which make the law's Jacobian the design."""
    fit = sf.fit(LAW, runs(), objective=sf.square())
    J = linearise(LAW, fit.objective, fit.u, fit.data.x, fit.data.y).jacobian.T
    inverse = np.linalg.inv(J.T @ J)
    hat = np.diag(J @ inverse @ J.T)
    scaled = J * (fit.residuals() / (1 - hat))[:, None]
    np.testing.assert_allclose(
        sf.sandwich(fit).covariance, 60 / 59 * inverse @ scaled.T @ scaled @ inverse, rtol=1e-6
    )


def test_a_fit_with_groups_counts_errors_by_group():
    """For a straight line the covariance is the delete-one-group jackknife's about the estimate,
    exactly (CR3)."""

    rng = np.random.default_rng(4)
    x, group = np.linspace(1, 10, 24), np.repeat(np.arange(6), 4)
    y = 2 + 3 * x + rng.normal(size=6)[group] + 0.3 * rng.normal(size=24)
    fit = sf.fit(LINE, {"x": x, "y": y, "run": group}, group="run", objective=sf.square("linear"))
    left = [np.polyfit(x[group != g], y[group != g], 1)[::-1] - fit.u for g in range(6)]
    np.testing.assert_allclose(fit.covariance, 5 / 6 * np.einsum("gi,gj->ij", left, left), rtol=1e-8)
    lo, hi = fit.interval("b", 0.9)
    assert hi - lo == pytest.approx(2 * 2.0150 * fit.stderr()["b"], rel=1e-4)  # t_5(0.95), tables


def test_no_interval_from_as_few_groups_as_coefficients():
    table = runs()
    fit = sf.fit(LAW, {**table, "run": np.repeat([0, 1, 2], 20)}, group="run")
    assert "few-groups" in fit.status.cautions
    assert fit.interval("alpha") == (0.0, np.inf)
    assert np.isinf(fit.predict({"x": [1e9]}, level=0.9).hi[0])
    assert "few-groups" in sf.fit(LAW, {**table, "run": np.repeat(range(5), 12)}, group="run").status.cautions


def test_a_profile_is_the_f_interval_of_a_line():
    """Of a coefficient that enters linearly, with squares, the profile interval
    is the t interval, exactly."""

    x = np.linspace(1, 10, 24)
    y = 2 + 3 * x + np.random.default_rng(3).normal(size=24)
    fit = sf.fit(LINE, {"x": x, "y": y}, objective=sf.square("linear"))
    known = scipy.stats.linregress(x, y)
    t = scipy.stats.t.ppf(0.95, 22)
    profile = sf.profile(fit, "b", level=0.9)
    np.testing.assert_allclose(
        (profile.lo, profile.hi), (known.slope - t * known.stderr, known.slope + t * known.stderr), rtol=1e-3
    )


def test_a_profile_shows_a_floor_that_may_be_zero():
    truth = {"E": 0.05, "A": 5.0, "alpha": 0.1}
    table = sf.simulate(LAW, truth, {"x": np.geomspace(1e3, 1e8, 60)}, noise=0.03, key=2)
    profile = sf.profile(sf.fit(LAW, table, objective=sf.square()), "E", level=0.9)
    assert profile.lo < 1e-3
    assert profile.hi > 0.05
    np.testing.assert_array_less(0, np.diff(profile.values))


def test_what_cannot_be_resampled_is_refused():
    fit = sf.fit(LAW, runs())
    with pytest.raises(ValueError, match="group"):
        sf.bootstrap(fit, method="cluster")
    with pytest.raises(ValueError, match="method"):
        sf.bootstrap(fit, method="magic")
    with pytest.raises(ValueError, match="n_draws"):
        sf.bootstrap(fit, 1)
    with pytest.raises(KeyError, match="alpha"):
        fit.interval("beta")
    with pytest.raises(ValueError, match="kind"):
        sf.bootstrap(fit, 20).interval("alpha", kind="normal")
    for refused in (sf.bootstrap, lambda fit, executor: sf.backtest(LAW, runs(), executor=executor)):
        with pytest.raises(TypeError, match="executor must be one such as concurrent"):
            refused(fit, executor=2)
