"""The classical approaches: exponents known by algebra, published ones from real runs,
refusals that say why."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import scalefit as sf
from scalefit.frames import read

CHINCHILLA = sf.laws.chinchilla
# alpha = beta: loss is symmetric in log N about the minimum, so a parabola's vertex is exact; N* ~ C^0.5.
EVEN = {"E": 1.8, "A": 480.0, "B": 2000.0, "alpha": 0.35, "beta": 0.35}
UNEVEN = dict(CHINCHILLA.published["hoffmann2022_rounded"])
RECIPE = ["dataset", "hparams", "warmup", "decay", "param_count", "eval"]


def sweep(coefs, reach=8.0, sizes=9, noise=0.0, key=0, centre=1.0):
    """Six budgets, sizes within a factor `reach` of `centre` times the optimum."""
    C = np.geomspace(1e18, 1e21, 6)
    best = sf.optimal(CHINCHILLA, C=C, coefs=coefs)["N"].to_numpy()
    N = (centre * best[:, None] * np.geomspace(1 / reach, reach, sizes)).ravel()
    C = C.repeat(sizes)
    return {**sf.simulate(CHINCHILLA, coefs, {"N": N, "D": C / 6 / N}, noise=noise, key=key), "flops": C}


def data(name):
    if "SCALEFIT_DATA" not in os.environ:
        pytest.skip("SCALEFIT_DATA does not name the folder of public tables")
    return read(Path(os.environ["SCALEFIT_DATA"]) / "porian_isoflop" / name)


@pytest.mark.parametrize("method", ["parabola", "cubic", "akima"])
def test_a_symmetric_surface_is_found_exactly(method):
    found = sf.isoflop(sweep(EVEN), method=method, n_draws=50)
    assert found.points["used"].all()
    # Akima's curve is no parabola; its minimum is exact by symmetry about the middle size.
    assert found.coefs["a"] == pytest.approx(0.5, abs=1e-6)
    assert found.coefs["b"] == pytest.approx(0.5, abs=1e-6)
    truth = sf.optimal(CHINCHILLA, C=1e22, coefs=EVEN).iloc[0]
    assert found.predict(1e22).loc[0, "N"] == pytest.approx(truth["N"], rel=1e-4)


def test_a_parabola_is_biased_on_an_uneven_surface_and_says_so():
    """alpha > beta: beyond the minimum the loss rises faster in one direction,
    and the vertex is off by a constant factor."""
    truth = sf.optimal(CHINCHILLA, C=1e20, coefs=UNEVEN).loc[0, "N"]
    off = {
        m: abs(np.log(sf.isoflop(sweep(UNEVEN), method=m, n_draws=20).predict(1e20).loc[0, "N"] / truth))
        for m in ("parabola", "cubic", "akima")
    }
    assert off["cubic"] < off["parabola"] / 4
    assert off["akima"] < off["parabola"] / 4
    assert "biased" in repr(sf.isoflop(sweep(UNEVEN), n_draws=20))


def test_intervals_hold_the_truth():
    """Of 40 studies with noise of 0.3 %, symmetric about the minimum,
    90 % intervals of the exponent hold 0.5 in about 36."""
    held = 0
    for key in range(40):
        lo, hi = sf.isoflop(sweep(EVEN, noise=0.003, key=key), n_draws=200, key=key, noise=0.003).interval(
            "a"
        )
        held += lo <= 0.5 <= hi
    assert held >= 31  # Binomial(40, 0.9) lies below with probability 0.005


def test_noise_is_told_by_the_neighbours():
    runs = sweep(UNEVEN, sizes=15, noise=0.004, key=2)
    from scalefit.decisions.isoflop import _noise

    parts = [(np.log(runs["N"][rows]), np.log(runs["y"][rows])) for rows in np.split(np.arange(90), 6)]
    # 66 differences: a standard error of about 12 %.
    assert _noise(parts) == pytest.approx(0.004, rel=0.35)


def test_budgets_are_found_without_a_column():
    runs = sweep(EVEN)
    named, found = sf.isoflop(runs, budget="flops", n_draws=10), sf.isoflop(runs, n_draws=10)
    np.testing.assert_allclose(named.points["N"], found.points["N"])


def test_a_minimum_outside_the_sweep_is_refused():
    runs = sweep(EVEN, reach=3.0, centre=6.0)
    with pytest.raises(ValueError, match="fewer than two budgets have a minimum inside"):
        sf.isoflop(runs)
    inside = sweep(EVEN)
    kept = np.ones(len(runs["N"]), bool)
    kept[:9] = False  # the smallest budget comes from the sweep that misses its minimum
    mixed = {name: np.concatenate([runs[name][~kept], inside[name][kept]]) for name in runs}
    found = sf.isoflop(mixed, n_draws=20)
    assert found.points["used"].tolist() == [False] + [True] * 5
    assert found.points.loc[0, "why"]
    assert "left out" in repr(found)


def test_three_ways_side_by_side():
    runs = sweep(EVEN, noise=0.002, key=1)
    found = sf.three_ways(runs, n_draws=100).set_index("approach")
    assert found.index.tolist() == ["2 parabola", "2 cubic", "2 akima", "3 joint law"]
    for name in found.index:
        assert found.loc[name, "a_lo"] <= found.loc[name, "a"] <= found.loc[name, "a_hi"]
        assert found.loc[name, "a"] == pytest.approx(0.5, abs=0.08), name


def test_requests_that_cannot_be_are_refused():
    """What is wrong with the request is said, not written beside every approach."""
    runs = sweep(EVEN)
    for options, words in (
        ({"C": -1.0}, "C must be"),
        ({"n_draws": 1}, "n_draws must be"),
        ({"level": 2}, "level must"),
        ({"run": "curve"}, "no column 'curve'"),
    ):
        with pytest.raises(ValueError, match=words):
            sf.three_ways(runs, **options)
    with pytest.raises(ValueError, match="noise must be"):
        sf.isoflop(runs, noise=-1.0)
    found = sf.isoflop(runs, n_draws=2)
    with pytest.raises(ValueError, match="C must be"):
        found.predict(-1.0)
    with pytest.raises(ValueError, match="there is no 'x'"):
        found.interval("x")


def test_an_envelope_of_curves_gives_the_exponent():
    """Curves of a law without a schedule, so that every point is a finished run:
    the lower envelope is the frontier."""
    N = np.geomspace(1e7, 1e10, 30)
    D = np.geomspace(1e8, 1e12, 80)
    n, d = (grid.ravel() for grid in np.meshgrid(N, D, indexing="ij"))
    runs = {**sf.simulate(CHINCHILLA, EVEN, {"N": n, "D": d}, noise=0.0), "run": n}
    found = sf.envelope(runs, "run", n_draws=20)
    assert found.coefs["a"] == pytest.approx(0.5, abs=0.01)


def test_porian_exponents_from_the_published_optima():
    """All 15 exponents of Porian et al. 2024 to three digits: weighted least squares in logs."""
    optima, published = data("optima.csv"), data("published_fits.csv")
    for _, row in published.iterrows():
        own = optima[(optima[RECIPE] == row[RECIPE]).all(axis=1)]
        own = own[np.isfinite(own["log_n_opt_std"])]
        fit = sf.fit(
            "monomial",
            {"x": own["flops"], "y": own["n_opt"], "weight": own["log_n_opt_std"] ** -2.0},
            objective=sf.square("log"),
            weight="weight",
        )
        exponent = next(v for name, v in fit.coefs.items() if fit.law.names.index(name) == 1)
        assert exponent == pytest.approx(row["n_exponent"], abs=5.1e-4), row[RECIPE].tolist()


def test_porian_exponents_from_the_runs():
    """The published exponents lie in our 90 % intervals, from our own
    interpolation of their isoFLOP points."""
    points, published = data("isoflop_points.csv"), data("published_fits.csv")
    for _, row in published.iterrows():
        own = points[(points[RECIPE] == row[RECIPE]).all(axis=1)]
        found = sf.isoflop(
            own, {"N": "n_params", "D": "n_tokens"}, "loss", "flops", method="akima", n_draws=100
        )
        lo, hi = found.interval("a")
        assert lo <= row["n_exponent"] <= hi, row[RECIPE].tolist()
        assert found.coefs["a"] == pytest.approx(row["n_exponent"], abs=0.02)


def test_one_budget_is_named_as_such():
    N = np.geomspace(1e8, 1e9, 8)
    with pytest.raises(ValueError, match="all runs are of one budget"):
        sf.isoflop(sf.simulate(CHINCHILLA, CHINCHILLA.published["besiroglu2024"], {"N": N, "D": 1e18 / N}))
