"""Specifications: which rows each leaves out, the Chinchilla points."""

from __future__ import annotations

import numpy as np
import pytest

import scalefit as sf

LAW = sf.laws.chinchilla
TRUTH = LAW.published["besiroglu2024"]


def runs(noise: float = 0.002) -> dict[str, np.ndarray]:
    N, D = (v.reshape(-1) for v in np.meshgrid(np.geomspace(1e7, 1e10, 8), np.geomspace(1e8, 1e11, 8)))
    error = noise * np.random.default_rng(0).standard_normal(64)
    return {
        "n_params": N,
        "n_params_no_embed": 0.8 * N,
        "n_tokens": D,
        "loss": LAW(TRUTH, {"N": N, "D": D}) * np.exp(error),
    }


COLUMNS = {"N": "n_params", "D": "n_tokens"}


@pytest.fixture(scope="module")
def fit():
    return sf.fit(LAW, runs(), COLUMNS)


def test_one_row_per_choice(fit):
    table = sf.specification(fit, target=1e23)
    assert len(table) == 2 * 3 * 2 * 3
    assert table.rows.tolist() == [n - k for n in (64, 58, 49) for _ in range(6) for k in (0, 5)]
    usual = table[
        (table.space == "log")
        & (table.delta == 1e-3)
        & (table.outliers == "none left out")
        & (table.smallest == 0)
    ]
    np.testing.assert_allclose(
        usual[list(LAW.names)].iloc[0].astype(float), list(fit.coefs.values()), rtol=1e-6
    )
    np.testing.assert_allclose(table.N_opt * table.D_opt * 6, 1e23)
    np.testing.assert_allclose(table.ratio, table.D_opt / table.N_opt)
    assert set(table.trust) <= {"good", "weak", "bad"}


def test_the_smallest_runs_are_left_out(fit):
    """Budgets of 1, 2, ..., 8, ..., 1 runs: half of 64 rows ends inside the budget of 8, so 28 go;
    the 36 fitted alone."""
    found = sf.specification(fit, deltas=(1e-3,), spaces=("log",), drop_outliers=(0,), smallest=(0.5,)).iloc[
        0
    ]
    table = runs()
    large = table["n_params"] * table["n_tokens"] > 0.99e18
    alone = sf.fit(LAW, {name: column[large] for name, column in table.items()}, COLUMNS)
    assert found.rows == 36
    np.testing.assert_allclose([found[name] for name in LAW.names], list(alone.coefs.values()), rtol=1e-5)
    assert found["C"] == pytest.approx(6e21)


def test_spoiled_runs_are_found_or_masked():
    table = runs(noise=1e-4)
    table["loss"][[5, 40]] *= [1.2, 0.9]
    good = np.ones(64, bool)
    good[[5, 40]] = False
    found = sf.specification(
        sf.fit(LAW, table, COLUMNS),
        deltas=(1e-3, np.inf),
        spaces=("log",),
        smallest=(0.0,),
        drop_outliers=(0, 2),
        masks={"by hand": good},
    ).set_index(["delta", "outliers"])
    for delta in (1e-3, np.inf):
        np.testing.assert_allclose(found.E[delta, "2 largest left out"], found.E[delta, "by hand"], rtol=1e-9)
        assert found.E[delta, "by hand"] == pytest.approx(TRUTH["E"], rel=1e-3)
    assert abs(found.E[np.inf, "none left out"] - TRUTH["E"]) > 10 * abs(
        found.E[np.inf, "by hand"] - TRUTH["E"]
    )
    squares = sf.fit(LAW, table, COLUMNS, objective=sf.square())
    assert found.E[np.inf, "none left out"] == pytest.approx(squares.coefs["E"], rel=1e-6)


def test_counting(fit):
    """Counting 0.8 N in place of N takes A to 0.8^alpha A and leaves every other coefficient."""
    found = sf.specification(
        fit,
        runs(),
        columns={"N": ["n_params", "n_params_no_embed"]},
        deltas=(1e-3,),
        spaces=("log",),
        drop_outliers=(0,),
        smallest=(0.0,),
    ).set_index("N")
    whole, part = found.loc["n_params"], found.loc["n_params_no_embed"]
    assert part["A"] == pytest.approx(whole.A * 0.8**whole.alpha, rel=1e-5)
    assert part.beta == pytest.approx(whole.beta, rel=1e-6)
    assert part["C"] == pytest.approx(0.8 * whole.C)


def test_laws_of_one_input_have_no_split():
    table = sf.simulate(sf.laws.power, {"A": 10.0, "alpha": 0.1}, {"x": np.geomspace(1, 1e4, 20)})
    found = sf.specification(sf.fit("power", table), deltas=(1e-3,), smallest=(0.0, 0.25))
    assert "ratio" not in found
    assert found.rows.tolist() == [20, 15, 20, 15, 15, 10, 15, 10]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"smallest": (1.0,)}, "smallest must hold shares of at least 0 and below 1, got 1.0"),
        ({"smallest": (0.95,)}, "one combination leaves 1 row for 5 coefficients"),
        ({"drop_outliers": (-1,)}, "drop_outliers must be a whole number of at least 0"),
        ({"spaces": ("square",)}, 'space must be one of "log", "linear"'),
        ({"deltas": (0.0,)}, "delta must be a positive number"),
        ({"masks": {"mine": [True]}}, "mask 'mine' must hold one true or false for each of the 64 rows"),
        ({"columns": {"N": ["n_params"]}}, "give it too"),
        ({"columns": {"M": ["n_params"]}}, "law 'chinchilla' has no input 'M'; its inputs are N, D"),
        (
            {"columns": {"N": ["params"]}, "runs": runs()},
            "the table has no column 'params' .for N.; did you mean",
        ),
        ({"target": -1.0}, "target must be a positive number"),
    ],
)
def test_refusals(fit, options, said):
    with pytest.raises(ValueError, match=said):
        sf.specification(fit, **options)


def test_what_does_not_apply():
    table = sf.simulate(sf.laws.power, {"A": 10.0, "alpha": 0.1}, {"x": np.geomspace(1, 1e4, 20)})
    with pytest.raises(ValueError, match="target asks for the best N and D, but law 'power' is one of x"):
        sf.specification(sf.fit("power", table), target=1e20)
    robot = sf.fit("fsc_robot", sf.simulate(sf.laws.fsc_robot, n=20, noise=0.01))
    with pytest.raises(
        ValueError, match=r"which runs are small is not clear from n, n_0; give smallest=\(0.0,\)"
    ):
        sf.specification(robot, spaces=("linear",), drop_outliers=(0,))
    table["y"] -= np.max(table["y"])
    linear = sf.fit("log_linear", {"x": table["x"], "y": table["y"]})
    with pytest.raises(ValueError, match="y is not positive in every row, so it has no logarithm"):
        sf.specification(linear)


def test_the_chinchilla_points(data_dir):
    """Tokens per parameter at 5.76e23: 18 as published, 7 with the five outliers kept,
    2.6 if residuals count fully too."""
    table = sf.datasets.fetch("chinchilla_epoch")
    fit = sf.fit("chinchilla", table, y="loss")
    found = sf.specification(
        fit,
        target=5.76e23,
        deltas=(1e-3, np.inf),
        spaces=("log",),
        drop_outliers=(0,),
        smallest=(0.0, 0.05),
        masks={"replication": table.used_in_replication == 1},
    )
    found = found.set_index(["smallest", "delta", "outliers"])
    published = found.loc[0.0, 1e-3, "replication"]
    # laws.md: the exact minimum on the 240 points, and on all 245.
    np.testing.assert_allclose(
        published[list(LAW.names)].astype(float), [1.81722, 477.83, 2143.42, 0.34731, 0.36717], rtol=1e-4
    )
    kept = found.loc[0.0, 1e-3, "none left out"]
    np.testing.assert_allclose(
        kept[list(LAW.names)].astype(float), [1.89134, 495.7, 12845.6, 0.34931, 0.45305], rtol=1e-4
    )
    assert published.ratio == pytest.approx(17.9, abs=0.1)
    assert kept.ratio == pytest.approx(6.8, abs=0.1)
    assert found.loc[0.05, np.inf, "none left out"].ratio == pytest.approx(2.6, abs=0.05)
