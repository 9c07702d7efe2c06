"""What speaks against a prediction: each caution where it should be, and nowhere else."""

from __future__ import annotations

import re

import jax.numpy as jnp
import numpy as np
import pytest

import scalefit as sf

LAW = sf.laws.chinchilla
TRUTH = LAW.published["besiroglu2024"]
FLOOR = {"E": 1.7, "A": 60.0, "alpha": 0.3}


def runs(noise: float, n: int = 60, key: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(key)
    x = {"N": 10 ** rng.uniform(7, 10, n), "D": 10 ** rng.uniform(8, 11, n)}
    return sf.simulate(LAW, TRUTH, x, noise=noise, key=key)


def one_input(truth=FLOOR, x=(3, 8), n: int = 40, noise: float = 1e-4) -> sf.Fit:
    columns = {"x": np.geomspace(10.0 ** x[0], 10.0 ** x[1], n)}
    return sf.fit("power_floor", sf.simulate(sf.laws.power_floor, truth, columns, noise=noise))


def codes(fit: sf.Fit, x) -> list[str]:
    """The column `caution`, after a look at whether the sentences tell the same."""
    column = list(fit.predict(x, level=0.9).caution)
    told = {caution.code for caution in fit.cautions(x)}
    assert {code for cell in column for code in cell.split(", ") if code} == told
    return column


@pytest.fixture(scope="module")
def fit():
    return sf.fit(LAW, runs(0.02))


@pytest.fixture(scope="module")
def sure():
    """Noise of 1e-5: everything is determined."""
    return sf.fit(LAW, runs(1e-5))


def test_near_the_runs_there_is_none(fit):
    assert codes(fit, {"N": [1e8, 1e9], "D": [1e9, 5e10]}) == ["", ""]
    assert fit.cautions({"N": 1e8, "D": 1e10}) == ()


@pytest.mark.parametrize(("N", "severity"), [(3e10, None), (2e11, "warning"), (5e13, "serious")])
def test_far_from_the_runs(sure, N, severity):
    x = {"N": [1e8, N], "D": [1e10, 1e10]}
    assert codes(sure, x) == ["", "extrapolation" if severity else ""]
    found = sure.cautions(x)
    assert [caution.severity for caution in found] == ([severity] if severity else [])
    if found:
        decades = np.log10(N / sure.data.x["N"].max())
        assert found[0].text.startswith(
            "row 1 (counting from 0) lies more than a decade outside the runs, the "
            f"farthest {decades:.1f} decades in N;"
        )


def test_far_in_the_product_only():
    """Both inputs inside their ranges and yet a larger run than any:
    small models saw many tokens, large ones few."""
    N = np.geomspace(1e7, 1e10, 60)
    D = 1e18 / N * 10 ** np.random.default_rng(0).uniform(-0.3, 0.3, 60)
    found = sf.fit(LAW, sf.simulate(LAW, TRUTH, {"N": N, "D": D}, noise=1e-4))
    assert any("decades in N x D" in str(caution) for caution in found.cautions({"N": 9e9, "D": 9e10}))


def test_leverage_is_that_of_predict(fit):
    far = {"N": np.array([1e5]), "D": np.array([1e5])}
    (found,) = (caution for caution in fit.cautions(far) if caution.code == "leverage")
    assert f"{fit.predict(far, level=0.9).leverage[0]:.3g} times" in found.text
    assert found.text.startswith("this prediction lies")


def test_a_law_that_turns_beyond_the_runs():
    """a (x^0.5 + b x^-0.5) is least at x = b = 1e6; the runs end at 1e5."""
    bowl = sf.law(lambda x, *, a, b: a * (x**0.5 + b / x**0.5), "bowl", positive="all")
    x = np.geomspace(1e2, 1e5, 30)
    found = sf.fit(bowl, {"x": x, "y": 1e-4 * (x**0.5 + 1e6 / x**0.5)}, y="y")
    marked = codes(found, {"x": [10.0, 5e5, 3e6, 1e7]})
    assert ["turning-point" in cell for cell in marked] == [False, False, True, True]
    (turn,) = (c for c in found.cautions({"x": 1e7}) if c.code == "turning-point")
    # The turn is looked for at eight steps between 1e5 and 1e7, each a factor 1.8.
    assert 1e6 / 2 < float(re.search(r"beyond ([\d.e]+)\)", turn.text)[1]) < 1e6 * 2


def test_a_turn_that_the_runs_show_is_none():
    bowl = sf.law(lambda x, *, a, b: a * (x**0.5 + b / x**0.5), "bowl", positive="all")
    x = np.geomspace(1e2, 1e8, 30)
    found = sf.fit(bowl, {"x": x, "y": 1e-4 * (x**0.5 + 1e6 / x**0.5)}, y="y")
    assert not any("turning-point" in cell for cell in codes(found, {"x": [1.0, 1e10]}))


@pytest.mark.parametrize(("top", "expected"), [(1e5, [False, True]), (1e8, [False, False])])
def test_a_break_beyond_the_runs(top, expected):
    """A broken law whose break, at 1e6, the runs show or do not."""
    truth = {"a": 0.3, "b": 5.0, "c_0": 0.1, "c_1": 0.3, "d_1": 1e6, "f_1": 0.3}
    law, x = sf.laws.bnsl, {"x": np.geomspace(1e3, top, 60)}
    found = sf.fit(law, sf.simulate(law, truth, x, noise=1e-9), y="y", starts=truth)
    assert 0.9e6 < found.coefs["d_1"] < 3e6
    marked = codes(found, {"x": [3e5, 1e9]})
    assert ["break" in cell for cell in marked] == expected


def test_runs_of_one_ratio_answer_for_that_ratio():
    N = np.geomspace(1e7, 1e10, 40)
    found = sf.fit(LAW, sf.simulate(LAW, TRUTH, {"N": N, "D": 20 * N}, noise=1e-3))
    marked = codes(found, {"N": [1e9, 1e9, 1e9], "D": [2e10, 2.4e10, 2e11]})
    assert ["off-ray" in cell for cell in marked] == [False, False, True]
    (off,) = (caution for caution in found.cautions({"N": 1e9, "D": 2e11}) if caution.code == "off-ray")
    assert "by a factor up to 10:" in off.text
    # Two serious facts make the fit a bad one, and every prediction suspect.
    assert all("not-trusted" in cell for cell in marked)


def test_an_input_with_one_value_and_one_with_two():
    rng = np.random.default_rng(0)
    N, D = 10 ** rng.uniform(7, 10, 40), np.where(np.arange(40) % 2, 1e10, 3e9)
    two = sf.fit(LAW, sf.simulate(LAW, TRUTH, {"N": N, "D": D}, noise=1e-3))
    marked = codes(two, {"N": [1e9, 1e9], "D": [5e9, 2e10]})
    assert ["few-scales" in cell for cell in marked] == [False, True]
    one = sf.fit(LAW.fix(beta=0.37), sf.simulate(LAW, TRUTH, {"N": N, "D": np.full(40, 1e10)}, noise=1e-3))
    marked = codes(one, {"N": [1e9, 1e9], "D": [1e10, 1.2e10]})
    assert ["constant-input" in cell for cell in marked] == [False, True]


def test_an_open_floor_counts_far_from_the_runs():
    """Twenty runs over two decades with hardly any floor: a straight line in logarithms will do."""
    found = one_input({**FLOOR, "E": 0.02}, (3, 5), 20, 0.02)
    marked = codes(found, {"x": [1e4, 2e5, 1e6]})
    assert ["open-floor" in cell for cell in marked] == [False, False, True]
    assert not any("open-floor" in cell for cell in codes(one_input(), {"x": [1e10]}))


def test_a_law_of_the_wrong_shape_is_not_to_be_trusted_beyond_the_runs():
    table = sf.datasets.load("tiny_lm").query("group == 'main' and schedule == 'cooldown'")
    inputs = {"N": "n_params_no_embed", "D": "n_tokens"}
    x = {"N": [1e5, 1e8], "D": [1e6, 1e9]}
    stiff, bent = (sf.fit(law, table, inputs, "loss") for law in ("chinchilla", "skaling"))
    assert ["misfit" in cell for cell in codes(stiff, x)] == [False, True]
    assert not any("misfit" in cell for cell in codes(bent, x))


def test_laws_of_whole_curves_are_far_in_steps_and_not_in_rates():
    law = sf.laws.lr_annealing
    # 20 rows of whole curves: the program of other test files.
    table = sf.simulate(law, n=20, noise=1e-3)
    found = sf.fit(law, table, y="y", n_starts=4)
    longer = {"step": table["step"][:20] * 40, "eta": table["eta"][:20] * 1e-4, "curve": np.zeros(20)}
    marked = codes(found, longer)
    top = table["step"].max()
    assert ["extrapolation" in cell for cell in marked] == [step > 10 * top for step in longer["step"]]


def test_zeros_among_the_runs_leave_only_the_upper_side_open():
    line = sf.law(lambda x, *, a, b: a + b * x, positive="all")
    x = np.linspace(0, 10, 20)
    found = sf.fit(line, {"x": x, "y": 1 + x}, y="y", objective=sf.square("linear"))
    assert list(found.predict({"x": [0.0, 1e-9, 100.0]}, level=0.9).distance) == [0, 0, pytest.approx(1)]


def test_a_share_of_zero_is_no_endless_distance():
    """Between little and nothing there are endless decades: below 1 % shares count as 1 %."""
    law = sf.laws.ye_mixing.sized(domain=2)
    share = np.linspace(0.05, 0.95, 20)
    x = {"h_1": share, "h_2": 1 - share}
    truth = {"c": 1.5, "k": 1.0, "t_1": -2.0, "t_2": 1.0}
    found = sf.fit(law.fix(k=1.0), sf.simulate(law, truth, x, noise=1e-3), y="y")
    # log10(0.05 / 0.01), from the least share of the runs to that which counts.
    assert (
        list(found.predict({"h_1": [0.0, 1e-9], "h_2": [1.0, 1.0]}, level=0.9).distance)
        == [pytest.approx(0.69897, rel=1e-5)] * 2
    )


def test_zero_of_what_every_run_has_is_endlessly_far_and_said_in_words():
    law = sf.law(lambda x, *, a, b: a + b * x, positive="all")
    x = np.linspace(1, 10, 20)
    found = sf.fit(law, {"x": x, "y": 1 + x}, y="y", objective=sf.square("linear"))
    assert found.predict({"x": [0.0]}, level=0.9).distance.tolist() == [np.inf]
    assert "the farthest at zero in x" in found.cautions({"x": [0.0]})[0].text


def test_no_interval_of_an_accuracy_leaves_0_to_1():
    law = sf.law(lambda x, *, a, b: a + b * jnp.log10(x), predicts="accuracy")
    x = np.geomspace(1, 100, 12)
    y = 0.5 + 0.23 * np.log10(x) + 0.035 * np.sin(np.arange(12))
    table = sf.fit(law, {"x": x, "y": y}, y="y").predict({"x": [100.0, 1e-3]}, level=0.999)
    assert table.hi[0] == 1.0 > table.lo[0]
    assert table.lo[1] == min(table["mean"][1], 0.0)


def test_shares_that_do_not_sum_to_one_are_marked():
    law = sf.laws.ye_mixing.fix(k=1.0)
    fit = sf.fit(law, sf.simulate(law, n=40, key=0), y="y")
    mixes = {"h_1": [0.2, 0.4], "h_2": [0.3, 0.5], "h_3": [0.5, 0.5]}
    marked = fit.predict(mixes, level=0.9)["caution"]
    assert ["not-whole" in cell for cell in marked] == [False, True]
    (said,) = (caution for caution in fit.cautions(mixes) if caution.code == "not-whole")
    assert "sum to 1 in every run, and to 1.4 where" in said.text
    with pytest.warns(sf.CautionWarning, match="divide them by their sum"):
        fit.predict({"h_1": 0.4, "h_2": 0.5, "h_3": 0.5})
