"""Recipes against each other: published ratios, the algebra of two powers,
probabilities that mean what they say."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

import scalefit as sf
from scalefit.core.data import Data

MONOMIAL = sf.laws.monomial
CHINCHILLA = sf.laws.chinchilla


def powers(*values):
    return tuple(dict(zip(MONOMIAL.names, pair, strict=True)) for pair in values)


def test_muon_needs_about_half_of_the_compute():
    """Liu et al. 2025 (arXiv:2502.16982): 2.506 C^-0.052 and 2.608 C^-0.054;
    ratios worked from the printed coefficients."""
    found = sf.multiplier(MONOMIAL, MONOMIAL, C=[1, 10, 100], coefs=powers((2.506, -0.052), (2.608, -0.054)))
    np.testing.assert_allclose(1 / found["multiplier"], [0.4643, 0.5073, 0.5543], rtol=2e-4)


def test_two_powers_cross_where_algebra_says():
    """A_1 C^-a_1 = A_2 C^-a_2 at C = (A_1 / A_2)^(1 / (a_1 - a_2))."""
    found = sf.crossover(MONOMIAL, MONOMIAL, (1e-5, 1e60), coefs=powers((2.506, -0.052), (2.608, -0.054)))
    assert len(found) == 1
    assert found.loc[0, "C"] == pytest.approx((2.506 / 2.608) ** (1 / (0.052 - 0.054)), rel=1e-3)
    assert found.loc[0, ["better_below", "better_above"]].tolist() == ["a", "b"]


def test_a_recipe_has_no_crossing_and_no_advantage_over_itself():
    assert len(sf.crossover(CHINCHILLA, CHINCHILLA, coefs=("besiroglu2024", "besiroglu2024"))) == 0
    found = sf.multiplier(
        CHINCHILLA, CHINCHILLA, loss=[2.0, 2.5, 1.5], coefs=("besiroglu2024", "besiroglu2024")
    )
    assert found["multiplier"][:2].tolist() == [1, 1]
    assert np.isnan(found["multiplier"][2])  # below both floors


def test_a_multiplier_of_data_is_found_again():
    """Data that count double save exactly half of the compute, whatever the law's coefficients."""
    c = dict(CHINCHILLA.published["besiroglu2024"])
    better = {**c, "B": c["B"] / 2 ** c["beta"]}
    found = sf.multiplier(CHINCHILLA, CHINCHILLA, loss=[2.2, 2.6, 3.0], coefs=(better, c))
    # L*(C) - E ~ (C / 6)^(-alpha beta / (alpha + beta)) with a factor that goes with B^(alpha / (alpha +
    # beta)): B / 2^beta saves a factor 2 exactly.
    np.testing.assert_allclose(found["multiplier"], 2, rtol=1e-8)


def two_recipes(key: int, gain: float = 0.0):
    """Fits of 30 runs each of two recipes; the second's finite-data term is smaller by exp(-gain)."""
    c = dict(CHINCHILLA.published["besiroglu2024"])
    N = np.repeat(np.geomspace(1e7, 1e9, 6), 5)
    x = {"N": N, "D": N * np.tile(np.geomspace(5, 100, 5), 6)}
    return [
        sf.fit(
            "chinchilla", sf.simulate(CHINCHILLA, {**c, "B": c["B"] * scale}, x, noise=0.005, key=2 * key + k)
        )
        for k, scale in enumerate((1.0, np.exp(-gain)))
    ]


def test_probabilities_and_intervals_mean_what_they_say():
    """Of 30 studies of two recipes whose truth is alike, 90 % or more is given to one rarely,
    and a multiplier of 1 is held."""
    given, held = {"probability": [], "by_gaps": []}, 0
    for key in range(30):
        a, b = two_recipes(key)
        found = sf.decide({"a": a, "b": b}, C=1e21).set_index("recipe")
        for name, each in given.items():
            each.append(found.loc["b", name])
            assert found[name].sum() == pytest.approx(1)
        ratio = sf.multiplier(b, a, loss=[2.3], level=0.9).iloc[0]
        held += ratio["multiplier_lo"] <= 1 <= ratio["multiplier_hi"]
    for each in given.values():
        # Binomial(30, 0.2) lies at or below 12 with probability 0.997, Binomial(30,
        # 0.9) at or above 22 with 0.998.
        assert np.sum(np.abs(np.array(each) - 0.5) >= 0.4) <= 12
        assert 0.3 < np.mean(each) < 0.7
    assert held >= 22


def test_a_clear_winner_is_called():
    a, b = two_recipes(1, gain=1.0)
    found = sf.decide({"a": a, "b": b}, C=1e22)
    assert found.loc[0, "recipe"] == "b"
    assert found.loc[0, "probability"] > 0.8
    assert found.loc[0, "by_gaps"] > 0.8
    assert found.loc[0, "small"] == 1
    assert (found["lo"] <= found["loss"]).all()
    assert (found["loss"] <= found["hi"]).all()
    assert found.loc[0, "distance"] > 1


def a_table(gap: np.ndarray, C: np.ndarray) -> dict[str, np.ndarray]:
    """Runs of recipes whose log losses lie gap (recipes, scales) off a common power of the budget."""
    n = len(gap)
    return {
        "recipe": np.arange(n).repeat(len(C)),
        "C": np.tile(C, n),
        "loss": (3 * C**-0.05 * np.exp(gap)).ravel(),
    }


def drawn_gaps(key: int, n: int, t: np.ndarray) -> np.ndarray:
    """Gaps (n, len(t)) of the model that decide.py states, t = 0 at the last but one;
    the rates walked in small steps."""
    rng = np.random.default_rng(key)
    usual = sys.modules["scalefit.decisions.decide"].USUAL
    v, memory, noise, c, drift = (mean + sd * rng.standard_normal() for mean, sd in usual)
    v, memory, noise, drift = np.exp([v, memory, noise, drift])
    step = 0.02
    fine = np.arange(t[0] - step, t[-1] + step, step)
    keep = np.exp(-memory * step)
    rate = np.empty((n, len(fine)))
    rate[:, 0] = rng.standard_normal(n)
    for k in range(1, len(fine)):
        rate[:, k] = keep * rate[:, k - 1] + np.sqrt(1 - keep**2) * rng.standard_normal(n)
    way = np.cumsum(rate, axis=1) * step
    walked = np.array([np.interp(t, fine, row) - np.interp(0.0, fine, row) for row in way])
    gap = np.exp(c * t) * (rng.standard_normal((n, 1)) + v * walked) + noise * rng.standard_normal(
        (n, len(t))
    )
    gap[:, -1] += np.exp(c * t[-1]) * drift * t[-1] * rng.standard_normal(n)
    return 0.03 * gap


def test_stated_probabilities_come_true():
    """120 studies of four recipes at four budgets, drawn from the model:
    as often right as said, whatever is said."""
    C, target = 4.0 ** np.arange(4), 4.0**4.5
    t = np.log(np.append(C, target) / C[-1])
    said, won = [], []
    for key in range(120):
        gap = drawn_gaps(key, 4, t)
        found = sf.decide(a_table(gap[:, :4], C), target, key=key).set_index("recipe")
        said += found.loc[range(4), "probability"].tolist()
        won += (np.arange(4) == np.argmin(gap[:, -1])).tolist()
    said, won = np.array(said), np.array(won)
    for lo, hi in ((0, 0.1), (0.1, 0.3), (0.3, 0.7), (0.7, 0.9), (0.9, 1.01)):
        rows = (said >= lo) & (said < hi)
        assert rows.sum() > 20
        # Wins within a study exclude each other: at most the variance of independent ones.
        error = np.sqrt(np.sum(said[rows] * (1 - said[rows])))
        assert abs(won[rows].sum() - said[rows].sum()) < 3 * error


def test_units_and_the_order_of_rows_do_not_matter():
    C = np.array([1e18, 4e18, 2e19])
    table = a_table(drawn_gaps(3, 5, np.array([-3.0, -1.6, 0.0, 2.0]))[:, :3], C)
    asked = sf.decide(table, 1e21)
    assert asked["gap"].is_monotonic_increasing
    assert asked["probability"].sum() == pytest.approx(1)
    assert (asked["scales"] == 3).all()
    assert asked["distance"].tolist() == pytest.approx([np.log10(50)] * 5)
    order = np.random.default_rng(0).permutation(15)
    other = {"mix": table["recipe"], "days": table["C"] / 1e18, "bits": 2 * table["loss"]}
    again = sf.decide({n: v[order] for n, v in other.items()}, 1e3, recipe="mix", by="days", y="bits")
    assert again["recipe"].tolist() == asked["recipe"].tolist()
    np.testing.assert_allclose(again["gap"], asked["gap"], atol=1e-12)
    # Draws are shared out among recipes in the order of the rows: equal within the error of 4000 of them.
    np.testing.assert_allclose(again["probability"], asked["probability"], atol=4 * np.sqrt(0.25 * 2 / 4000))


def test_one_scale_ranks_and_steady_gaps_are_surer_than_one():
    """With one budget the order is the measured one; the same gaps seen at four budgets leave less doubt."""
    gap = np.array([0.02, 0.0, 0.01])
    one = sf.decide(a_table(gap[:, None], np.array([1e20])), 1e21)
    assert one["recipe"].tolist() == [1, 2, 0]
    assert one["small"].tolist() == [1, 2, 3]
    four = sf.decide(a_table(np.tile(gap[:, None], 4), 1e20 / 4.0 ** np.arange(3, -1, -1)), 1e21)
    assert four["recipe"].tolist() == [1, 2, 0]
    assert 0.5 < one.loc[0, "probability"] < four.loc[0, "probability"]


def test_the_lowest_loss_at_a_budget_counts_and_budgets_of_some_do_not():
    table = {
        "recipe": ["a", "a", "a", "b", "b"],
        "N": [1e8, 2e8, 1e8, 1e8, 3e9],
        "D": [1e10, 5.1e9, 1e11, 1e10, 1e10],
        "loss": [3.2, 3.0, 2.0, 3.1, 2.5],
    }
    found = sf.decide(table, 1e20).set_index("recipe")
    assert found["scales"].tolist() == [1, 1]
    assert found.loc["a", "small"] == 1


def test_refusals():
    with pytest.raises(ValueError, match="at least two"):
        sf.decide({}, C=1e21)
    runs = {"recipe": ["a", "b"], "C": [1e18, 1e19], "loss": [3.0, 2.9]}
    with pytest.raises(ValueError, match="no budget in common"):
        sf.decide(runs, C=1e21)
    with pytest.raises(ValueError, match="at least two recipes: column 'recipe' names 1"):
        sf.decide(runs | {"recipe": ["a", "a"]}, C=1e21)
    with pytest.raises(ValueError, match="which column holds the budget"):
        sf.decide({"recipe": ["a", "b"], "loss": [3.0, 2.9]}, C=1e21)
    with pytest.raises(ValueError, match="no column 'mixture'"):
        sf.decide(runs, C=1e21, recipe="mixture")
    with pytest.raises(ValueError, match=r"column 'loss' \(y\) is zero"):
        sf.decide(runs | {"loss": [0.0, 2.9]}, C=1e21)
    with pytest.raises(ValueError, match="C must be a positive number"):
        sf.decide(runs, C=-1)
    with pytest.raises(ValueError, match="one of the two"):
        sf.multiplier(MONOMIAL, MONOMIAL)
    with pytest.raises(ValueError, match="least, greatest"):
        sf.crossover(MONOMIAL, MONOMIAL, (5, 1), coefs=powers((1, 0.1), (2, 0.2)))
    with pytest.raises(ValueError, match="between must be one or more positive"):
        sf.crossover(MONOMIAL, MONOMIAL, (0, 1), coefs=powers((1, 0.1), (2, 0.2)))
    both = {"coefs": ("besiroglu2024", "hoffmann2022")}
    with pytest.raises(ValueError, match="pays for runs of both"):
        sf.crossover(CHINCHILLA, CHINCHILLA, (1e-3, 1), **both)
    with pytest.raises(ValueError, match="no positive loss at C = 1"):
        sf.multiplier(CHINCHILLA, CHINCHILLA, C=[1.0], **both)
    with pytest.raises(ValueError, match="level must lie"):
        sf.decide(runs | {"C": [1e18, 1e18]}, C=1e21, level=90)
    with pytest.raises(ValueError, match="C must be a positive number"):
        sf.decide(runs | {"C": [1e18, 1e18]}, C=[1e21, 1e22])
    with pytest.raises(TypeError, match="decide needs fits of all recipes; 'b'"):
        sf.decide({"a": two_recipes(0)[0], "b": CHINCHILLA}, C=1e21)


def test_a_fit_without_spare_rows_says_nothing():
    """Five runs for five coefficients: every interval is open,
    and no recipe is called the likelier by its law."""
    many = two_recipes(0)[0]
    runs = many.data
    # The first five runs, with what was fitted to thirty: nothing to compile.
    few = replace(many, data=Data({n: v[:5] for n, v in runs.x.items()}, runs.y[:5], runs.weight[:5], None))
    found = sf.decide({"few": few, "many": many}, C=1e21).set_index("recipe")
    assert found.loc["few", ["lo", "hi"]].tolist() == [0, np.inf]
    assert found["probability"].isna().all()
    # At sizes of their own: nothing to pair.
    other = replace(few, data=replace(few.data, x={**few.data.x, "N": 1.5 * few.data.x["N"]}))
    ratio = sf.multiplier(other, many, loss=[2.5], level=0.9).iloc[0]
    assert ratio["paired"] == 0
    assert (ratio["multiplier_lo"], ratio["multiplier_hi"]) == (0, np.inf)


def test_fits_are_ordered_by_their_gaps():
    """The order is that of by_gaps, which is to be believed;
    distance is that of the optimum from the runs."""
    a, b = two_recipes(1, gain=1.0)
    found = sf.decide({"a": a, "b": b}, C=1e22)
    assert found["by_gaps"].is_monotonic_decreasing
    # A budget far below all runs is as far as one above them.
    C = np.array([1e18, 1e19])
    assert (sf.decide(a_table(np.array([[0.1, 0.1], [0.0, 0.0]]), C), 1e16)["distance"] == 2).all()
    assert sf.multiplier(a, b, loss=[2.3, 1.0])["distance"].iloc[1] == np.inf


def test_a_crossing_on_a_looked_at_budget_is_found():
    """C^-0.05 and C^-0.1 cross at 1, the middle of the range."""
    names = MONOMIAL.names
    coefs = tuple(dict(zip(names, pair, strict=True)) for pair in ((1.0, -0.05), (1.0, -0.1)))
    found = sf.crossover(sf.laws.monomial, sf.laws.monomial, (1e-2, 1e2), coefs=coefs)
    assert found["C"].tolist() == [pytest.approx(1, rel=2e-3)]
    same = sf.crossover(sf.laws.monomial, sf.laws.monomial, coefs=(coefs[0], coefs[0]))
    assert len(same) == 0
    assert "C" in same.columns


def test_recipes_that_count_parameters_differently_are_not_compared():
    x = {"N": np.geomspace(1e7, 1e9, 12), "D": np.tile(np.geomspace(1e9, 1e11, 4), 3)}
    runs = sf.simulate(
        sf.laws.chinchilla, sf.laws.chinchilla.published["besiroglu2024"], x, noise=0.002, key=0
    )
    a, b = (sf.fit("chinchilla", runs, counting=counting) for counting in ("total", "non-embedding"))
    for compare in (
        sf.crossover,
        lambda a, b: sf.multiplier(a, b, C=1e21),
        lambda a, b: sf.decide({"a": a, "b": b}, C=1e21),
    ):
        with pytest.raises(ValueError, match=r"total.*non-embedding"):
            compare(a, b)


BUDGETS = np.array([1e18, 1e19, 1e20])


def at_three_budgets(key, gain, own=0.001, shared=0.003):
    """A power law with a floor, and the same with `gain` times the compute:
    three budgets, whose luck both recipes share but for `own`."""
    rng = np.random.default_rng(key)
    luck = shared * rng.standard_normal(3)
    return [
        sf.fit(
            "monomial",
            {
                "x": BUDGETS,
                "y": (1.8 + 30 * (k * BUDGETS / 1e10) ** -0.15) * np.exp(luck + own * rng.standard_normal(3)),
            },
        )
        for k in (gain, 1.0)
    ]


def test_three_pairs_tell_a_recipe_one_to_five_percent_better():
    """60 studies with own errors of 0.1 %:
    half-widths under 4 %, 90 % intervals hold the truth in about 54."""
    held, half, back = 0, [], []
    for key in range(60):
        gain = (1.01, 1.02, 1.03, 1.05)[key % 4]
        a, b = at_three_budgets(key, gain)
        found = sf.multiplier(a, b, C=1e20, level=0.9).iloc[0]
        assert found["paired"] == 3
        assert found["C_b"] / found["C_a"] == pytest.approx(found["multiplier"])
        held += found["multiplier_lo"] <= gain <= found["multiplier_hi"]
        half.append((found["multiplier_hi"] - found["multiplier_lo"]) / 2)
        back.append(found["multiplier"] * sf.multiplier(b, a, C=1e20)["multiplier"][0])
    assert held >= 48  # Binomial(60, 0.9) lies below with probability 0.006
    assert np.median(half) < 0.04
    np.testing.assert_allclose(back, 1)


def test_pairs_by_hand():
    """Gaps of 0.06, 0.09 and 0.12 % where the law's slope is 0.05: log m is 0.012, 0.018, 0.024;
    mean 0.018, t_2 = 2.92 of 0.006 / sqrt(3).

    The slope's own doubt is nothing: both laws go through their runs to within 1e-4.
    """
    y = 9 * BUDGETS**-0.05
    a = sf.fit("monomial", {"x": BUDGETS, "y": y}, objective=sf.square("log"))
    b = sf.fit("monomial", {"x": BUDGETS, "y": y * np.exp([6e-4, 9e-4, 12e-4])}, objective=sf.square("log"))
    inside, far = (sf.multiplier(a, b, C=C, level=0.9).iloc[0] for C in (1e19, 1e21))
    assert np.log(inside["multiplier"]) == pytest.approx(0.018, rel=0.01)
    half = np.log(inside["multiplier_hi"] / inside["multiplier_lo"]) / 2
    assert half == pytest.approx(2.92 * 0.006 / np.sqrt(3), rel=0.02)
    # A decade beyond, a trend is not excluded: 1 / 3 + 1 / 2 in place of 1 / 3 (budgets a decade apart).
    wider = np.log(far["multiplier_hi"] / far["multiplier_lo"]) / 2
    assert wider == pytest.approx(2.92 * 0.006 * np.sqrt(1 / 3 + 1 / 2), rel=0.02)


@pytest.mark.parametrize("better", [{"B": 0.9}, {"E": 0.99}, {"A": 1.3, "alpha": 1.04}], ids=str)
def test_pairs_of_sizes_and_tokens(better):
    """Recipes that differ in any coefficient, runs that share errors of 0.5 % with own ones of 0.1 %: held,
    at a third of the laws' width."""
    c = dict(CHINCHILLA.published["besiroglu2024"])
    other = {**c, **{name: by * c[name] for name, by in better.items()}}
    truth = sf.multiplier(CHINCHILLA, CHINCHILLA, loss=[2.3], coefs=(other, c))["multiplier"][0]
    N = np.repeat(np.geomspace(1e7, 1e9, 6), 5)
    x = {"N": N, "D": N * np.tile(np.geomspace(5, 100, 5), 6)}
    held, widths = 0, []
    for key in range(12):
        rng = np.random.default_rng(key)
        luck = 0.005 * rng.standard_normal(30)
        a, b = (
            sf.fit(
                "chinchilla",
                {**x, "loss": CHINCHILLA(own, x) * np.exp(luck + 0.001 * rng.standard_normal(30))},
            )
            for own in (other, c)
        )
        found = sf.multiplier(a, b, loss=[2.3], level=0.9).iloc[0]
        assert found["paired"] == 30
        held += found["multiplier_lo"] <= truth <= found["multiplier_hi"]
        widths.append(np.log(found["multiplier_hi"] / found["multiplier_lo"]))
    # The same runs as if b's had been at sizes of their own: draws of two laws.
    moved = replace(b, data=replace(b.data, x={**b.data.x, "N": 1.5 * b.data.x["N"]}))
    apart = sf.multiplier(a, moved, loss=[2.3], level=0.9).iloc[0]
    assert apart["paired"] == 0
    assert held >= 8  # Binomial(12, 0.9) lies below with probability 0.004
    assert np.median(widths) < np.log(apart["multiplier_hi"] / apart["multiplier_lo"]) / 3


def test_inputs_within_a_tenth_are_one_and_replicates_count_once():
    """Tokens 4 % more for b lower its loss; the laws bring both together.
    Two seeds of every run are one pair."""
    c = dict(CHINCHILLA.published["besiroglu2024"])
    N = np.repeat(np.geomspace(1e7, 1e9, 6), 2)
    x = {"N": N, "D": N * np.tile([10.0, 40.0], 6)}
    twice = {name: np.tile(values, 2) for name, values in x.items()}
    a = sf.fit("chinchilla", sf.simulate(CHINCHILLA, c, twice, noise=0.0))
    b = sf.fit("chinchilla", sf.simulate(CHINCHILLA, c, {**x, "D": 1.04 * x["D"]}, noise=0.0))
    found = sf.multiplier(a, b, loss=[2.5], level=0.9).iloc[0]
    assert found["paired"] == 12
    assert found["multiplier"] == pytest.approx(1, abs=1e-3)


def test_sweeps_at_the_same_budgets_are_paired_near_the_optimum():
    c = dict(CHINCHILLA.published["besiroglu2024"])
    C = np.geomspace(1e18, 1e20, 4).repeat(9)
    best = sf.optimal(CHINCHILLA, C=C, coefs=c)["N"].to_numpy()
    recipes = ((1.0, {**c, "B": c["B"] * np.exp(-0.05)}), (1.2, c))
    truth = sf.multiplier(CHINCHILLA, CHINCHILLA, C=[1e19], coefs=tuple(own for _, own in recipes))[
        "multiplier"
    ][0]
    held = 0
    for key in range(12):
        fits = []
        for k, (at, own) in enumerate(recipes):
            N = at * best * np.tile(np.geomspace(1 / 4, 4, 9), 4)
            fits.append(
                sf.fit(
                    "chinchilla",
                    sf.simulate(CHINCHILLA, own, {"N": N, "D": C / 6 / N}, noise=0.0005, key=2 * key + k),
                )
            )
        found = sf.multiplier(*fits, C=[1e19], level=0.9).iloc[0]
        assert found["paired"] == 4
        held += found["multiplier_lo"] <= truth <= found["multiplier_hi"]
        assert found["multiplier_hi"] - found["multiplier_lo"] < 0.15
    # 83 % in 60 studies at other keys: the laws' errors are shared by all budgets.
    # Binomial(12, 0.83) lies below with probability 0.007.
    assert held >= 7
