"""Backtests: windows, distances and counts by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import scalefit as sf

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


@pytest.mark.parametrize("by", [None, "train_loss"])
def test_of_a_link_the_smallest_losses_are_foretold(by):
    """A smaller loss is a larger run, however that column is named: rows are in order of falling loss, so
    what is held out are the last ones."""
    loss = np.linspace(4, 2, 24)
    runs = {"train_loss": loss, "other": 0.5 + 1.1 * (loss - 1.2) ** 1.1}
    names = {"by": by, "y": "other", "inputs": {"L": "train_loss"}}
    found = sf.backtest("brandfonbrener_l2l", runs, **names)
    assert found.by == "1 / train_loss"
    for cut in found.cuts:
        rows = found.rows[(found.rows.law == "last point") & (found.rows.cut == cut)].row
        assert rows.tolist() == list(range(rows.min(), 24))
    assert sf.extrapolate(runs, "brandfonbrener_l2l", **names).ground.by == "1 / train_loss"


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
    # Mean squares of 2.5 and 1 steps in the two windows:
    # their geometric mean is sqrt(2.5), its root 2.5^(1/4).
    assert line.score == pytest.approx(STEP * 2.5**0.25, rel=1e-6)
    assert exact.table().law.iloc[-1] == "last point"
    assert "last point (baseline)" in repr(exact)


def test_cuts_are_spread_evenly_in_the_logarithm():
    """13 values over six decades: quarters of the range;
    where 4 rows are there only from 10^4 on, thirds of the rest."""
    x = np.geomspace(1, 1e6, 13)
    back = sf.backtest("power", {"x": x, "y": 2 * x**-0.1}, n_cuts=3)
    np.testing.assert_allclose(np.log10(back.cuts), [1.5, 3.0, 4.5])
    x = np.concatenate([[1.0, 10, 100], np.geomspace(1e4, 1e6, 5)])
    back = sf.backtest("power", {"x": x, "y": 2 * x**-0.1}, n_cuts=3)
    np.testing.assert_allclose(np.log10(back.cuts), [4, 4.5, 5])  # 4, 4 2/3 and 5 1/3, down to a run's


def test_sizes_that_differ_by_rounding_are_one():
    """Four budgets of four runs, each a few units in the last place apart:
    one window, four runs beyond it."""
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
        parts.append(
            {name: column[mine] for name, column in exact.columns.items()}
            | {"law": np.array([label] * 3, object), "error": np.array(errors)}
        )
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    fits = exact.fits | {("other", cut): exact.fits["power", cut] for cut in exact.cuts}
    back = replace(exact, laws=("power", "other"), baselines=(), columns=columns, fits=fits)
    assert back.weights() == pytest.approx({"power": 2 / 3, "other": 1 / 3}, rel=1e-6)


def test_windows_are_what_fit_makes_of_them():
    """Each window's fit is `sf.fit` with weight zero above the cut,
    and rows of weight zero are not predicted."""
    runs = noisy(200)
    back = sf.backtest("power_floor", runs, objective=sf.square(), n_cuts=3)
    cut = back.cuts[1]
    alone = sf.fit("power_floor", runs, weight=1.0 * (runs["x"] <= cut), objective=sf.square())
    found = back.fits["power_floor", cut]
    np.testing.assert_allclose(list(found.coefs.values()), list(alone.coefs.values()), rtol=1e-6)
    weight = np.ones(200)
    weight[[190, 199]] = 0
    some = sf.backtest("power_floor", runs, objective=sf.square(), n_cuts=3, weight=weight)
    assert {190, 199}.isdisjoint(some.rows.row)
    assert 198 in some.rows.row.tolist()


def test_well_specified_runs_need_no_inflation():
    """Gaussian errors, the true law, 24 studies:
    nine in ten runs inside 90 % intervals, so a factor near 1."""
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


@pytest.mark.parametrize(
    ("laws", "runs", "options", "error", "said"),
    [
        (
            "power",
            FEW,
            {},
            ValueError,
            "'x' has only 3 distinct values; a backtest needs at least 4, 3 to fit and one to predict",
        ),
        (
            "chinchilla",
            {"N": np.geomspace(1, 9, 9), "D": np.geomspace(1, 9, 9), "y": [3.0] * 9},
            {},
            ValueError,
            "only 8 rows lie below the largest '6 N D', and 'chinchilla' needs 10 to fit its 5 coefficients",
        ),
        ("power", straight(), {"by": "flop"}, ValueError, r"the table has no column 'flop' \(for by\)"),
        (
            "power",
            straight() | {"flops": np.arange(8.0)},
            {"by": "flops"},
            ValueError,
            "column 'flops' .by. is zero in row 0",
        ),
        (["power", "power"], straight(), {}, ValueError, "two laws are called 'power'; give them labels"),
        ({"last point": "power"}, straight(), {}, ValueError, "'last point' is the name of a baseline"),
        ([], straight(), {}, ValueError, "laws is empty"),
        ("tissue", straight(), {}, ValueError, "looks at whole curves"),
        (sf.laws.power.shared("alpha", by="set"), straight(), {}, ValueError, "has coefficients per label"),
        (
            ["power", "power_floor"],
            straight(),
            {"inputs": {"n": "x"}},
            ValueError,
            "no law has an input 'n'; their inputs are x",
        ),
        (
            {"a": "power", "b": "power_rise"},
            straight(),
            {"y": "y"},
            ValueError,
            "'a' is fitted with huber.* and 'b' with huber",
        ),
        ("power", straight(), {"level": 90}, ValueError, "level must lie between 0 and 1, got 90"),
        ("power", straight(), {"n_cuts": 0}, ValueError, "n_cuts must be a whole number of at least 1"),
        ("power", straight(), {"n_draws": -1}, ValueError, "n_draws must be a whole number of at least 0"),
        ("gadre_loss", straight(), {"inputs": {"C": "x", "M": "y"}}, ValueError, "M and y are both column"),
        (
            "fsc_robot",
            {"n": np.arange(1.0, 9), "n_0": np.ones(8), "accuracy": np.linspace(0.1, 0.9, 8)},
            {},
            ValueError,
            "what makes a run large is not clear",
        ),
    ],
)
def test_refusals(laws, runs, options, error, said):
    if laws == "tissue":
        laws = next(law for law in sf.laws if law.whole)
    with pytest.raises(error, match=said):
        sf.backtest(laws, runs, **options)


def test_parameters_are_the_size_where_nothing_else_scales():
    """Losses of `clark_routed` (its published coefficients for S-BASE) by parameters and experts: runs are
    larger by N."""
    law = sf.laws.clark_routed
    N, experts = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e7, 1e9, 6), [2.0, 8.0, 32.0, 128.0]))
    loss = np.asarray(law(law.published["s_base"], {"N": N, "E_x": experts}))
    found = sf.backtest(law, {"N": N, "n_experts": experts, "loss": loss}, n_cuts=2)
    assert found.by == "N"
    assert len(found.cuts) == 2
