"""What a fit leaves open, in words; and how its tables and its profile show it."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

import scalefit as sf
from scalefit.core.linear import linearise
from scalefit.fits.draws import stretch
from scalefit.fits.identifiability import basis, trade_offs
from scalefit.plot import _profile

LAW = sf.laws.chinchilla
TRUTH = LAW.published["besiroglu2024"]
FLOOR = {"E": 1.7, "A": 60.0, "alpha": 0.3}


def runs(n: int, noise: float, key: int = 0, decades=((7, 10), (8, 11))) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(key)
    x = {name: 10 ** rng.uniform(*span, n) for name, span in zip("ND", decades, strict=True)}
    return sf.simulate(LAW, TRUTH, x, noise=noise, key=key)


def one_input(
    truth=FLOOR, x=(3, 8), n: int = 40, noise: float = 0.002, key: int = 0
) -> dict[str, np.ndarray]:
    return sf.simulate(
        sf.laws.power_floor, truth, {"x": np.geomspace(10.0 ** x[0], 10.0 ** x[1], n)}, noise=noise, key=key
    )


@pytest.fixture(scope="module")
def fit():
    return sf.fit(LAW, runs(60, 0.02))


@pytest.fixture(scope="module")
def boot(fit):
    return sf.bootstrap(fit, n_draws=60)


@pytest.fixture(scope="module")
def sure():
    """Noise of 1e-5: everything is determined."""
    return sf.fit(LAW, runs(60, 1e-5))


@pytest.fixture(scope="module")
def open_floor():
    """Twenty runs over two decades: a straight line in logarithms will do."""
    return sf.fit("power_floor", one_input({**FLOOR, "E": 0.02}, (3, 5), 20, 0.02))


def test_a_and_alpha_move_together(fit):
    (sentence,) = trade_offs(fit)
    assert "A and alpha move together" in sentence
    lo, hi = fit.interval("A", 0.9)
    assert f"A alone is known to a factor {np.sqrt(hi / lo):.2g}" in sentence
    middle = {name: np.exp(np.median(np.log(v))) for name, v in fit.data.x.items()}
    assert f"N = {middle['N']:.3g}".replace("e+0", "e") in sentence
    band = fit.predict({name: [v] for name, v in middle.items()}, level=0.9, model_error=False)
    shown = float(re.search(r"known to ([\d.]+) %", sentence)[1])
    assert shown == pytest.approx(100 * float((band.hi - band.lo)[0] / 2 / band["mean"][0]), rel=0.05)
    far = {name: [10 * v.max()] for name, v in fit.data.x.items()}
    band = fit.predict(far, level=0.9, model_error=False)
    shown = float(re.search(r"to ([\d.]+) % if the law holds", sentence)[1])
    assert shown == pytest.approx(100 * float((band.hi - band.lo)[0] / 2 / band["mean"][0]), rel=0.05)


def test_nothing_is_said_where_all_is_determined(sure):
    assert trade_offs(sure) == ()
    assert "90 % interval: first order\nSingle runs" in sure.summary()


def test_draws_speak_where_there_are_any(boot):
    sentence = trade_offs(boot)[0]
    lo, hi = boot.interval("A", 0.9)
    factor = float(re.search(r"A alone is known to a factor ([\d.]+)", sentence)[1])
    assert factor == pytest.approx(np.sqrt(hi / lo), rel=0.05)


def test_a_coefficient_that_may_be_negative_is_known_in_plain_units():
    """A straight line far from its intercept: offset and slope move together."""
    line = sf.law(lambda x, *, a, b: a + b * x, predicts="loss")
    x = np.linspace(100, 101, 30)
    y = 1 + 0.02 * x + 0.01 * np.random.default_rng(0).standard_normal(30)
    found = sf.fit(line, {"x": x, "y": y}, y="y", objective=sf.square("linear"))
    (sentence,) = trade_offs(found)
    lo, hi = found.interval("a", 0.9)
    assert f"a alone is known to ±{(hi - lo) / 2:.2g}" in sentence
    assert "a and b move together" in sentence


def test_three_that_make_up_for_one_another():
    """f = a x1 + b x2 + c x3 with x3 almost x1 + x2:
    no pair is correlated beyond 0.9, all three together are loose."""
    rng = np.random.default_rng(0)
    x = {"x1": rng.uniform(1, 2, 80), "x2": rng.uniform(1, 2, 80)}
    x["x3"] = x["x1"] + x["x2"] + 0.02 * rng.standard_normal(80)
    plane = sf.law(lambda x1, x2, x3, *, a, b, c: a * x1 + b * x2 + c * x3)
    y = x["x1"] + x["x2"] + x["x3"] + 0.1 * rng.standard_normal(80)
    found = sf.fit(plane, {**x, "y": y}, y="y", objective=sf.square("linear"))
    (sentence,) = trade_offs(found)
    assert "a, b and c move together" in sentence


def test_a_floor_that_may_be_zero(open_floor):
    (sentence,) = trade_offs(open_floor)
    lo, _ = open_floor.interval("E", 0.9)
    assert sentence.startswith("E may as well be zero: it is ")
    assert f"its 90 % interval reaches down to {lo:.2g}" in sentence
    assert 'sf.profile(fit, "E")' in sentence
    assert sf.profile(open_floor, "E").lo == 0.0
    # A is positive and loose too, but no floor.
    assert not any("A may as well" in words for words in trade_offs(sf.fit(LAW, runs(14, 0.05))))


def test_a_floor_that_has_shrunk_to_nothing():
    found = sf.fit("power_floor", one_input({**FLOOR, "E": 0.02}, (3, 5), 20, 0.02, key=1))
    assert found.coefs["E"] < 1e-6
    (sentence,) = trade_offs(found)
    assert "E may as well be zero: its 90 % interval reaches down to 0 " in sentence
    assert "undetermined" in found.summary()
    assert "undetermined" in found.to_latex()


def test_no_words_where_there_are_no_spare_rows():
    found = sf.fit("power_floor", one_input(n=3))
    assert trade_offs(found) == ()
    assert "undetermined" in found.summary()


@pytest.mark.parametrize(
    "name", ["lr_annealing", "frantar_eff", "ladder", "tao_vocab", "monkeys", "pass_at_k"]
)
def test_laws_of_every_kind_can_be_shown(name):
    """Whole curves, labels, accuracies, changes: a summary never fails, and every number in it is finite."""
    law = sf.laws.get(name)
    # 20 rows of whole curves: the program of other test files.
    found = sf.fit(law, sf.simulate(law, n=20 if law.whole else 60, noise=0.01, key=1), y="y", n_starts=4)
    text = found.summary()
    assert "90 % interval: first order" in text
    assert not re.search(r"\b(nan|inf)\b", text)


def test_tables_show_intervals_and_where_they_come_from(fit, boot):
    for shown, words in ((fit, "first order"), (boot, "pairs bootstrap, 60 draws, none failed")):
        lo, hi = shown.interval("alpha", 0.9)
        row = next(line for line in shown.summary().splitlines() if line.startswith("  alpha "))
        assert f"{lo:.4g} to {hi:.4g}" in " ".join(row.split())
        assert f"| {lo:.4g} to {hi:.4g} |" in shown.to_markdown()
        assert f"$[{lo:.4g}, {hi:.4g}]$" in shown.to_latex()
        for text in (shown.summary(), shown.to_markdown(), shown.to_latex(), shown._repr_html_()):
            assert words in text
            assert "90 % interval" in text or r"90\,\% interval" in text
        for text in (shown.summary(), shown.to_markdown(), shown._repr_html_()):
            assert trade_offs(shown)[0] in text


def test_columns_are_aligned(fit):
    lines = fit.summary().splitlines()
    first = next(k for k, line in enumerate(lines) if "std. error" in line)
    end = lines[first].index("90 % interval") + len("90 % interval")
    table = lines[first + 1 : first + 6]
    assert len({line.index(" to ") for line in table}) == 1
    for line, coef in zip(table, fit.law.coefs, strict=True):
        assert line.startswith(f"  {coef.name} ")
        assert line.endswith(coef.meaning)
        assert line[end - 1] != " "
        assert line[end : end + 2] == "  "


def test_failed_draws_are_counted(boot):
    failed = boot.draws.failed.copy()
    failed[:3] = True
    some = replace(boot, draws=replace(boot.draws, failed=failed))
    assert basis(some) == "pairs bootstrap, 60 draws, 3 failed"
    assert sum("3 failed" in line for line in some.summary().splitlines()) == 1


def test_large_numbers_are_tex():
    found = sf.fit("power_floor", one_input({"E": 1.7, "A": 6e7, "alpha": 1.1}, n=20))
    assert re.search(
        r"\$A\$ & \$[\d.]+ \\times 10\^\{7\}\$ & .* & \$\[[\d.]+ \\times 10\^\{7\}, ", found.to_latex()
    )


def test_a_jackknife_is_turned_into_errors():
    """For a mean the jackknife's standard error is s / sqrt(n), exactly."""
    mean = sf.law(lambda x, *, a: a + 0 * x)
    y = np.random.default_rng(0).normal(5, 1, 25)
    found = sf.jackknife(sf.fit(mean, {"x": np.ones(25), "y": y}, y="y", objective=sf.square("linear")))
    assert found.stderr()["a"] == pytest.approx(y.std(ddof=1) / 5, rel=1e-6)
    lo, hi = found.interval("a", 0.9)
    assert hi - lo == pytest.approx(2 * 1.7109 * y.std(ddof=1) / 5, rel=1e-3)  # t_24(0.95), tables
    assert f"{lo:.4g} to {hi:.4g}" in found.summary()
    assert basis(found) == "jackknife, 25 refits, none failed"


def test_the_curve_s_precision_is_first_order_by_hand(fit):
    """Half the interval of log L: t_55(0.95) sqrt(j' C j), C holding n / (n - p) already."""
    x = {"N": np.array([1e9]), "D": np.array([2e10])}
    j = linearise(fit.law, fit.objective, fit.u, x, np.ones(1)).jacobian[:, 0]
    half = 1.673034 * np.sqrt(j @ fit.covariance @ j)  # t_55(0.95), tables
    band = fit.predict(x, level=0.9, model_error=False)
    assert np.log(band.hi / band.lo)[0] / 2 == pytest.approx(half, rel=0.01)
    assert stretch(60, 5, 0.9) * 1.644854 * np.sqrt(55 / 60) == pytest.approx(1.673034, rel=1e-5)


@pytest.fixture
def held(fit):
    return sf.profile(fit, "E", n_values=21)


def test_profile_data(fit, held):
    data = _profile.data(held)
    assert set(data.values) <= set(held.values)
    rise = dict(zip(held.values, held.objective - fit.value, strict=True))
    assert data.rise.tolist() == [rise[v] for v in data.values]
    assert data.interval == (held.lo, held.hi)
    assert data.values[0] < held.lo < data.value < held.hi < data.values[-1]
    assert data.x_label == "E: irreducible loss, nats per token"


def test_profile_draws_what_data_says(fit, held):
    ax = sf.plot.profile(held)
    data = _profile.data(held)
    allowed, line, point = ax.get_lines()
    assert list(allowed.get_ydata()) == [held.rise, held.rise]
    assert line.get_xdata().tolist() == data.values.tolist()
    assert line.get_ydata().tolist() == data.rise.tolist()
    assert point.get_xdata()[0] == fit.coefs["E"]
    (span,) = ax.patches
    assert (span.get_x(), span.get_x() + span.get_width()) == pytest.approx((held.lo, held.hi))
    assert ax.get_xscale() == "linear"
    assert ax.get_ylabel() == "rise of the objective"
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[0].startswith("90 % interval: ")
    assert labels[1] == "allowed at 90 %"
    from matplotlib import pyplot

    pyplot.close("all")


def test_a_profile_down_to_zero_is_drawn_from_zero(open_floor):
    from matplotlib.figure import Figure

    held = sf.profile(open_floor, "E")
    data = _profile.data(held)
    assert data.interval[0] == 0.0
    assert data.interval_label.startswith("90 % interval: 0 to ")
    assert data.values[0] < 0.01 * data.interval[1] < data.interval[1] < data.values[-1]
    assert np.diff(data.values).max() < 0.05 * data.interval[1]
    ax = Figure().subplots()
    assert sf.plot.profile(held, ax=ax) is ax
    assert ax.get_xscale() == "linear"
    assert np.isfinite(ax.get_xlim()).all()


@pytest.mark.parametrize(("level", "text"), [(0.9, "90 %"), (0.95, "95 %"), (0.683, "68.3 %"), (0.5, "50 %")])
def test_levels_in_words(held, level, text):
    assert _profile.data(replace(held, level=level)).allowed_label == f"allowed at {text}"


def test_what_counts_as_not_identified_does_not_depend_on_units():
    """N counted in ones or billions, D in ones or 1e-6: the same law, with another A and B."""
    law, seen = sf.laws.chinchilla, 0
    for key in range(6):
        rng = np.random.default_rng(key)
        n = int(rng.integers(7, 16))
        N = 10 ** rng.uniform(7, 10, n)
        x = {"N": N, "D": N * 10 ** rng.uniform(0.5, 2.5, n)}
        y = sf.simulate(law, None, x, noise=0.05, key=key)["y"]
        said = {
            "not-identified" in sf.fit(law, {"N": x["N"] * a, "D": x["D"] * b, "loss": y}).status.cautions
            for a, b in ((1.0, 1.0), (1e-9, 1e-9), (1.0, 1e6))
        }
        assert len(said) == 1
        seen += said == {True}
    assert 0 < seen < 6, "seen always or never, it says nothing"
