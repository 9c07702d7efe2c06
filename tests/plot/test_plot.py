import numpy as np
import pytest

import scalefit as sf
from scalefit.plot import _curve, _residuals
from scalefit.plot.axes import short

TRUTH = {"E": 1.8, "A": 480.0, "B": 2000.0, "alpha": 0.35, "beta": 0.37}
SIZES, TOKENS = np.geomspace(1e7, 1e10, 5), np.geomspace(1e9, 1e11, 4)


@pytest.fixture(scope="module")
def fit():
    N, D = (grid.ravel() for grid in np.meshgrid(SIZES, TOKENS))
    noise = np.exp(0.004 * np.random.default_rng(7).standard_normal(N.size))
    return sf.fit("chinchilla", {"N": N, "D": D, "loss": sf.laws.chinchilla(TRUTH, {"N": N, "D": D}) * noise})


@pytest.fixture(scope="module")
def flat():
    """One input, and the same loss everywhere: a fit that is bad for certain."""
    x = np.geomspace(1, 1e4, 12)
    return sf.fit("power_floor", {"x": x, "loss": np.full(12, 2.0)})


@pytest.fixture(autouse=True)
def _close():
    yield
    from matplotlib import pyplot

    pyplot.close("all")


def test_curve_data(fit):
    data = _curve.data(fit, x="N", color="D")
    assert [line.level for line in data.lines] == pytest.approx(list(TOKENS))
    for line in data.lines:
        rows = fit.data.x["D"] == line.level
        assert line.runs_x.tolist() == fit.data.x["N"][rows].tolist()
        assert line.runs_y.tolist() == fit.data.y[rows].tolist()
        np.testing.assert_allclose(line.y, fit.predict({"N": line.x, "D": np.full(len(line.x), line.level)}))
        assert line.x.min() < SIZES[0] < line.x[line.inside].min()
        assert line.x[line.inside].max() <= SIZES[-1] < line.x.max()


def test_curve_draws_what_data_says(fit):
    ax = sf.plot.curve(fit, x="N", color="D")
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel() == "N (parameters)"
    assert ax.get_ylabel() == "loss"
    points = [line for line in ax.get_lines() if line.get_marker() == "o"]
    dashed = [line for line in ax.get_lines() if line.get_linestyle() == "--"]
    solid = [line for line in ax.get_lines() if line.get_linestyle() == "-"]
    assert len(points) == len(dashed) == len(solid) == len(TOKENS)
    assert sorted(np.concatenate([p.get_ydata() for p in points])) == sorted(fit.data.y)
    for line in solid:
        shown = line.get_xdata()[np.isfinite(line.get_ydata())]
        assert SIZES[0] <= shown.min()
        assert shown.max() <= SIZES[-1]
    assert all(line.get_xdata().max() > 3 * SIZES[-1] for line in dashed)


def test_the_law_is_drawn_until_the_value_asked_for(fit):
    (line, *_) = _curve.data(fit, until=7e10).lines
    assert line.x[-1] == pytest.approx(7e10)


def test_legend_lists_the_levels_in_the_order_of_the_lines(fit):
    legend = sf.plot.curve(fit).get_legend()
    assert legend.get_title().get_text() == "D (training tokens)"
    assert [text.get_text() for text in legend.get_texts()] == ["1B", "4.64B", "21.5B", "100B"]
    colors = [tuple(handle.get_color()) for handle in legend.legend_handles]
    assert len(set(colors)) == len(TOKENS)


def test_of_many_levels_a_few_are_drawn_and_no_run_is_lost():
    rng = np.random.default_rng(1)
    N, D = np.exp(rng.uniform(16, 23, 60)), np.exp(rng.uniform(20, 26, 60))
    many = sf.fit("chinchilla", {"N": N, "D": D, "loss": sf.laws.chinchilla(TRUTH, {"N": N, "D": D})})
    data = _curve.data(many)
    assert len(data.lines) == _curve.LINES
    assert sum(len(line.runs_x) for line in data.lines) == 60


def test_one_input_has_no_colours_and_a_bad_status_shows(flat):
    assert not flat.status.ok
    ax = sf.plot.curve(flat)
    assert ax.get_legend() is None
    assert ax.get_title() == "power_floor\nDo not trust this fit: see fit.summary()"


def test_rows_without_weight_are_not_drawn(fit):
    rows = {**fit.data.x, "loss": fit.data.y, "w": np.r_[0.0, np.ones(len(fit.data) - 1)]}
    weighted = sf.fit("chinchilla", rows, weight="w")
    assert sum(len(line.runs_x) for line in _curve.data(weighted).lines) == len(fit.data) - 1
    assert len(_residuals.data(weighted).x) == len(fit.data) - 1


def test_residuals(fit):
    data = _residuals.data(fit)
    np.testing.assert_allclose(data.percent, 100 * (np.exp(-fit.residuals()) - 1))
    ax = sf.plot.residuals(fit, against="D")
    zero, points = ax.get_lines()
    assert list(zero.get_ydata()) == [0, 0]
    assert points.get_xdata().tolist() == fit.data.x["D"].tolist()
    assert points.get_ydata().tolist() == data.percent.tolist()
    assert ax.get_xscale() == "log"
    assert ax.get_ylabel() == "measured loss above prediction (%)"


def test_draws_on_given_axes_and_saves(fit, tmp_path):
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained")
    left, right = figure.subplots(1, 2)
    assert sf.plot.curve(fit, ax=left) is left
    assert sf.plot.residuals(fit, ax=right) is right
    figure.savefig(tmp_path / "fit.png")
    assert (tmp_path / "fit.png").stat().st_size > 10_000


def test_settings_of_matplotlib_are_left_alone(fit):
    import matplotlib

    before = dict(matplotlib.rcParams)
    sf.plot.curve(fit)
    sf.plot.residuals(fit)
    assert dict(matplotlib.rcParams) == before


def test_unknown_inputs_are_named(fit):
    with pytest.raises(ValueError, match="has no input 'M'; it has N, D"):
        sf.plot.curve(fit, x="M")
    with pytest.raises(ValueError, match="has no input 'M'; it has N, D"):
        sf.plot.residuals(fit, against="M")
    with pytest.raises(ValueError, match="x and color are both 'N'"):
        sf.plot.curve(fit, x="N", color="N")


@pytest.mark.parametrize(
    ("value", "text"),
    [(3516, "3.52k"), (8.192e6, "8.19M"), (1.4e12, "1.4T"), (999.9, "1k"), (0.25, "0.25"), (3e21, "3e21")],
)
def test_short_numbers(value, text):
    assert short(value) == text


def test_inputs_that_may_be_zero_get_a_plain_axis():
    values = np.linspace(0.0, 4.0, 5)
    levels, nearest, between = _curve._levels(values, False)
    assert (levels, nearest.tolist(), between) == (values.tolist(), [0, 1, 2, 3, 4], False)
