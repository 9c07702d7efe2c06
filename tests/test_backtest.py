"""Backtests and comparisons: windows, distances and counts by hand, the true law first, mixtures, criteria."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.stats

import scalefit as sf
from scalefit.backtest import _criteria, _log_likelihood, _mixture

TRUTH = {"E": 1.7, "A": 60.0, "alpha": 0.3}
STEP = 0.1 * np.log(10)


def straight() -> dict[str, np.ndarray]:
    """y = 2 x^-0.1 without noise: a decade of x is worth 0.1 ln 10 of log y."""
    x = np.array([1.0, 1, 10, 10, 100, 100, 1000, 10000])
    return {"x": x, "y": 2 * x**-0.1}


def noisy(n: int = 80, noise: float = 0.003, key: int = 0) -> dict[str, np.ndarray]:
    return sf.simulate(sf.laws.power_floor, TRUTH, {"x": np.geomspace(1e3, 1e9, n)}, noise=noise, key=key)


@pytest.fixture(scope="module")
def exact():
    return sf.backtest("power", straight())


@pytest.fixture(scope="module")
def both():
    return sf.compare(["power", "power_floor"], noisy(), objective=sf.square())


def test_windows_and_distances_by_hand(exact):
    """power needs 4 rows and 3 scales: windows end at 100 and 1000, with 2 and 1 rows beyond."""
    assert exact.by == "x"
    assert exact.cuts == (100.0, 1000.0)
    rows = exact.rows[exact.rows.law == "power"]
    assert rows.cut.tolist() == [100, 100, 1000]
    assert rows.row.tolist() == [6, 7, 7]
    np.testing.assert_allclose(rows.distance, [1, 2, 1])
    np.testing.assert_allclose(rows.error, 0, atol=1e-7)
    np.testing.assert_allclose(rows.measured, straight()["y"][[6, 7, 7]])


def test_baselines_by_hand(exact):
    """The last point is one, two and one decades too high; the power of x is the law itself."""
    rows = exact.rows
    np.testing.assert_allclose(rows.error[rows.law == "last point"], [STEP, 2 * STEP, STEP])
    np.testing.assert_allclose(rows.error[rows.law == "power of x"], 0, atol=1e-7)
    line = exact.table().set_index("law").loc["last point"]
    assert line.baseline
    assert (line.windows, line.predictions) == (2, 3)
    assert line["median"] == pytest.approx(STEP)
    assert line.rms == pytest.approx(STEP * np.sqrt(2))
    assert line["rms 0.5-1"] == pytest.approx(STEP)
    assert line["rms 1-2"] == pytest.approx(2 * STEP)
    assert np.isnan(line["rms >2"])
    assert np.isnan(line.coverage)
    # Mean squares of 2.5 and 1 steps in the two windows: their geometric mean is sqrt(2.5), its root 2.5^(1/4).
    assert line.score == pytest.approx(STEP * 2.5**0.25, rel=1e-6)
    assert exact.table().law.iloc[-1] == "last point"
    assert "last point (baseline)" in repr(exact)


def test_cuts_are_spread_evenly_in_the_logarithm():
    """13 values over six decades: quarters of the range; where 4 rows are there only from 10^4 on, thirds of the rest."""
    x = np.geomspace(1, 1e6, 13)
    back = sf.backtest("power", {"x": x, "y": 2 * x**-0.1}, n_cuts=3)
    np.testing.assert_allclose(np.log10(back.cuts), [1.5, 3.0, 4.5])
    x = np.concatenate([[1.0, 10, 100], np.geomspace(1e4, 1e6, 5)])
    back = sf.backtest("power", {"x": x, "y": 2 * x**-0.1}, n_cuts=3)
    np.testing.assert_allclose(np.log10(back.cuts), [4, 4.5, 5])  # 4, 4 2/3 and 5 1/3, down to a run's


def test_sizes_that_differ_by_rounding_are_one():
    """Four budgets of four runs, each a few units in the last place apart: one window, four runs beyond it."""
    x = np.repeat([1e18, 1e19, 1e20, 1e21], 4) * np.tile([1, 1 + 1e-15, 1 - 1e-15, 1 + 3e-15], 4)
    back = sf.backtest("power", {"x": x, "y": 10 * x**-0.03})
    assert back.cuts == pytest.approx((1e20,))
    rows = back.rows[back.rows.law == "last point"]
    assert rows.row.tolist() == [12, 13, 14, 15]
    np.testing.assert_allclose(rows.distance, 1)


def test_counts_by_hand(exact):
    """Three runs, one of them outside its interval; half-widths 0.1: the errors are 0.5, 1 and 3 of them."""
    mine = exact.columns["law"] == "power"
    size = 0.1 * np.array([0.5, -1, 3])
    columns = {name: column[mine] for name, column in exact.columns.items()}
    columns |= {
        "predicted": np.exp(size) * columns["measured"],
        "error": size,
        "inside": np.array([1.0, 1, 0]),
    }
    columns |= {"lo": columns["predicted"] * np.exp(-0.1), "hi": columns["predicted"] * np.exp(0.1)}
    back = replace(exact, columns=columns, baselines=())
    assert back.table().coverage.tolist() == pytest.approx([2 / 3])
    # Of n = 3 the ceil(4 * 0.5) = 2nd smallest, the ceil(4 * 0.75) = 3rd; there is no ceil(4 * 0.9) = 4th.
    for level, factor in ((0.5, 1.0), (0.75, 3.0), (0.9, np.inf)):
        found = back.inflation(level)
        assert found.factor.tolist() == pytest.approx([factor] * 4)
        assert found.rows.tolist() == [0, 2, 1, 0]
    with pytest.raises(ValueError, match="between 0 and 1"):
        back.inflation(90)


def test_weights_by_hand(exact):
    """Two windows with rms 0.1 and 0.2 against 0.2 and 0.2: 1/(0.1 0.2) to 1/(0.2 0.2) is 2 to 1."""
    parts = []
    for label, errors in (("power", (0.1, 0.1, 0.2)), ("other", (0.2, 0.2, 0.2))):
        mine = exact.columns["law"] == "power"
        parts.append({name: column[mine] for name, column in exact.columns.items()}
                     | {"law": np.array([label] * 3, object), "error": np.array(errors)})  # fmt: skip
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    fits = exact.fits | {("other", cut): exact.fits["power", cut] for cut in exact.cuts}
    back = replace(exact, laws=("power", "other"), baselines=(), columns=columns, fits=fits)
    assert back.weights() == pytest.approx({"power": 2 / 3, "other": 1 / 3}, rel=1e-6)


def test_the_true_law_wins(both):
    assert both.backtest.table().law.iloc[0] == "power_floor"
    weights = both.backtest.weights()
    assert sum(weights.values()) == pytest.approx(1)
    assert set(weights) == {"power", "power_floor"}
    assert weights["power_floor"] > 0.99
    table = both.table().set_index("law")
    assert table.loc["power_floor", ["dAICc", "dBIC"]].tolist() == [0, 0]
    assert table.loc["power", "dBIC"] > 100
    assert table.n_coefs.to_dict() == {"power_floor": 3, "power": 2}
    assert table.loc["power_floor", "fit_rms"] == pytest.approx(0.003, rel=0.2)
    assert repr(both).startswith("Backtest by x, cuts at")


def test_windows_are_what_fit_makes_of_them(both):
    """Each window's fit is `sf.fit` with weight zero above the cut, and rows of weight zero are not predicted."""
    runs, cut = noisy(), both.backtest.cuts[1]
    alone = sf.fit("power_floor", runs, weight=1.0 * (runs["x"] <= cut), objective=sf.square())
    found = both.backtest.fits["power_floor", cut]
    np.testing.assert_allclose(list(found.coefs.values()), list(alone.coefs.values()), rtol=1e-6)
    weight = np.ones(80)
    weight[[70, 79]] = 0
    some = sf.backtest("power_floor", runs, objective=sf.square(), weight=weight)
    assert {70, 79}.isdisjoint(some.rows.row)
    assert 78 in some.rows.row.tolist()


def test_ensemble_of_one_law_is_that_law():
    found = sf.compare("power_floor", noisy(), objective=sf.square())
    fit, x = found.fits["power_floor"], {"x": np.array([1e6, 1e10])}
    one = found.ensemble().predict(x, 0.9, kind="run")
    own = fit.predict(x, 0.9, kind="run")
    for name in ("mean", "lo", "hi"):
        np.testing.assert_allclose(one[name], own[name], rtol=1e-9)
    assert one.between.tolist() == [0, 0]
    np.testing.assert_allclose(found.ensemble().predict(x), own["mean"])


def test_ensemble_averages_and_spreads(both):
    """Half and half: the mean of logarithms, and an interval that reaches both laws."""
    mixed = sf.Ensemble(both.fits, {"power": 0.5, "power_floor": 0.5})
    x = {"x": np.array([1e10])}
    own = {label: fit.predict(x, 0.9) for label, fit in both.fits.items()}
    found = mixed.predict(x, 0.9)
    assert found["mean"][0] == pytest.approx(np.sqrt(own["power"]["mean"][0] * own["power_floor"]["mean"][0]))
    gap = np.log(own["power_floor"]["mean"][0] / own["power"]["mean"][0])
    assert found.between[0] == pytest.approx(gap / 2)
    assert own["power"]["lo"][0] < found.lo[0] < own["power"]["mean"][0]
    assert own["power_floor"]["mean"][0] < found.hi[0] < own["power_floor"]["hi"][0]


def test_mixture_by_hand():
    """N(0, 1) and N(100, 1), half each: the 5 % quantile of the mixture is the 10 % quantile of the lower one."""
    z = scipy.stats.norm.ppf(0.95)
    lo, hi = np.array([[-z], [100 - z]]), np.array([[z], [100 + z]])
    below, above = _mixture(lo, hi, np.array([0.5, 0.5]), 0.9)
    assert below[0] == pytest.approx(scipy.stats.norm.ppf(0.1))
    assert above[0] == pytest.approx(100 + scipy.stats.norm.ppf(0.9))
    below, above = _mixture(
        np.array([[-np.inf], [0.0]]), np.array([[np.inf], [1.0]]), np.array([0.5, 0.5]), 0.9
    )
    assert (below[0], above[0]) == (-np.inf, np.inf)


def test_log_likelihoods_are_the_textbook_s():
    """Squares: the normal; absolute values: Laplace's; Huber: its density by quadrature, scale by bounded search."""
    runs = noisy(40, 0.01)
    fit = sf.fit("power_floor", runs, objective=sf.square())
    r = fit.residuals()
    assert _log_likelihood(fit) == pytest.approx(scipy.stats.norm(0, np.sqrt(np.mean(r**2))).logpdf(r).sum())
    fit = sf.fit("power_floor", runs, objective=sf.absolute())
    r = fit.residuals()
    assert _log_likelihood(fit) == pytest.approx(
        scipy.stats.laplace(0, np.mean(np.abs(r))).logpdf(r).sum(), rel=1e-6
    )
    for delta in (1e-3, 0.01):
        fit = sf.fit("power_floor", runs, objective=sf.huber(delta))

        def minus(log_s, fit=fit, delta=delta):
            s = np.exp(log_s)
            rho = lambda r: r * r / 2 if r < delta else delta * (r - delta / 2)  # noqa: E731
            z = 2 * scipy.integrate.quad(lambda r: np.exp(-rho(r) / s), 0, 1, points=[delta, 0.01, 0.1])[0]
            return fit.value / s + len(fit.data) * np.log(z)

        known = scipy.optimize.minimize_scalar(minus, bounds=(-16, -4), method="bounded").fun
        assert _log_likelihood(fit) == pytest.approx(-known, rel=1e-4)


def test_information_criteria_by_hand():
    """n = 40, k = 3 + 1: AICc adds 2*4 + 2*4*5/35, BIC 4 ln 40."""
    fit = sf.fit("power_floor", noisy(40, 0.01), objective=sf.square())
    aicc, bic = _criteria(fit)
    deviance = -2 * _log_likelihood(fit)
    assert aicc - deviance == pytest.approx(8 + 40 / 35)
    assert bic - deviance == pytest.approx(4 * np.log(40))


def test_well_specified_runs_need_no_inflation():
    """Gaussian errors, the true law, 24 studies: nine in ten runs inside 90 % intervals, so a factor near 1."""
    factors, inside = [], []
    for key in range(24):
        back = sf.backtest("power_floor", noisy(200, key=key), objective=sf.square(), n_cuts=3)
        found = back.inflation()
        factors += found.factor[(found.law == "power_floor") & found.own].tolist()
        inside.append(back.table().set_index("law").coverage["power_floor"])
    assert np.median(factors) == pytest.approx(1, abs=0.2)
    assert np.mean(inside) == pytest.approx(0.9, abs=0.05)


def test_linear_errors():
    x = np.geomspace(1, 1e5, 40)
    noise = 0.01 * np.random.default_rng(0).standard_normal(40)
    back = sf.backtest("log_linear", {"x": x, "accuracy": 0.1 + 0.05 * np.log(x) + noise})
    assert back.space == "linear"
    rows = back.rows
    np.testing.assert_allclose(rows.error, rows.predicted - rows.measured)
    assert "errors of y" in repr(back)
    assert back.table().law.iloc[0] == "log_linear"


def test_same_key_same_answer():
    runs = noisy(40)
    one, two, other = (
        sf.backtest("power_floor", runs, objective=sf.square(), n_cuts=1, n_draws=30, key=key)
        for key in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.columns["lo"], two.columns["lo"])
    mine = one.columns["law"] == "power_floor"
    assert np.any(one.columns["lo"][mine] != other.columns["lo"][mine])
    assert len(one.fits["power_floor", one.cuts[0]].draws) == 30


FEW = {"x": [1.0, 1, 1, 2, 2, 2, 3, 3, 3], "y": [3.0] * 9}


@pytest.mark.parametrize(("laws", "runs", "options", "error", "said"), [
    ("power", FEW, {}, ValueError, "'x' has only 3 distinct values; a backtest needs at least 4, 3 to fit and one to predict"),
    ("chinchilla", {"N": np.geomspace(1, 9, 9), "D": np.geomspace(1, 9, 9), "y": [3.0] * 9}, {}, ValueError,
     "only 8 rows lie below the largest '6 N D', and 'chinchilla' needs 10 to fit its 5 coefficients"),
    ("power", straight(), {"by": "flop"}, ValueError, r"the table has no column 'flop' \(for by\)"),
    ("power", straight() | {"flops": np.arange(8.0)}, {"by": "flops"}, ValueError, "column 'flops' .by. is zero in row 0"),
    (["power", "power"], straight(), {}, ValueError, "two laws are called 'power'; give them labels"),
    ({"last point": "power"}, straight(), {}, ValueError, "'last point' is the name of a baseline"),
    ([], straight(), {}, ValueError, "laws is empty"),
    ("tissue", straight(), {}, ValueError, "looks at whole curves"),
    (sf.laws.power.shared("alpha", by="set"), straight(), {}, ValueError, "has coefficients per label"),
    (["power", "power_floor"], straight(), {"inputs": {"n": "x"}}, ValueError, "no law has an input 'n'; their inputs are x"),
    ({"a": "power", "b": "power_rise"}, straight(), {"y": "y"}, ValueError, "'a' is fitted with huber.* and 'b' with huber"),
    ("power", straight(), {"level": 90}, ValueError, "level must lie between 0 and 1, got 90"),
    ("power", straight(), {"n_cuts": 0}, ValueError, "n_cuts must be a whole number of at least 1"),
    ("power", straight(), {"n_draws": -1}, ValueError, "n_draws must be a whole number of at least 0"),
    ("gadre_loss", straight(), {"inputs": {"C": "x", "M": "y"}}, ValueError, "M and y are both column"),
    ("fsc_robot", {"n": np.arange(1.0, 9), "n_0": np.ones(8), "accuracy": np.linspace(0.1, 0.9, 8)}, {}, ValueError,
     "what makes a run large is not clear from these laws; say which column"),
])  # fmt: skip
def test_refusals(laws, runs, options, error, said):
    if laws == "tissue":
        laws = next(law for law in sf.laws if law.whole)
    with pytest.raises(error, match=said):
        sf.backtest(laws, runs, **options)


def test_public_runs(data_dir):
    """On the Chinchilla points the two-term law foretells runs 300 times larger to 5 %; a power of compute does not."""
    runs = sf.datasets.fetch("chinchilla_epoch")
    found = sf.compare("chinchilla", runs, y="loss", weight="used_in_replication")
    table = found.backtest.table().set_index("law")
    assert found.backtest.by == "6 N D"
    assert table.index[0] == "chinchilla"
    assert table.loc["chinchilla", "rms"] < 0.03 < 0.06 < table.loc["power of 6 N D", "rms"]
    assert table.loc["chinchilla", "not_trusted"] == 0
    assert found.fits["chinchilla"].coefs["alpha"] == pytest.approx(0.34731, rel=1e-4)  # laws.md, besiroglu
