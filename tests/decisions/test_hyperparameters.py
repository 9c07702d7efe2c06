"""Hyperparameter sweeps: bowls whose optimum is known, what must be refused, and the public sweep."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import scalefit as sf
from scalefit.frames import read

STEP = np.log(2.0)


def bowls(cells=4, rates=9, batches=7, noise=0.0, skew=0.0, shift=(0.0, 0.0), key=0):
    """Sweeps with settings a factor 2 apart, of bowls 0.015 u^2 + 0.01 v^2 in log loss about optima within a
    step of the middle; and the optima (cells, 2) in logs. skew: how much steeper a rate too high is."""
    random, out, truth = np.random.default_rng(key), [], []
    middle = np.log([1e-3, 1e5])
    for cell in range(cells):
        best = random.uniform(-0.8, 0.8, 2) * STEP + shift
        lr, batch = np.meshgrid(*(STEP * (np.arange(n) - (n - 1) / 2) for n in (rates, batches)))
        v = batch.ravel() - (best[1] if batches > 1 else 0.0)
        u = lr.ravel() - best[0] - 0.3 * v
        rise = u**2 / 2 if skew == 0 else (np.exp(skew * u) - 1 - skew * u) / skew**2
        loss = 3.0 * np.exp(0.03 * rise + 0.01 * v**2 + noise * random.standard_normal(len(u)))
        size = np.full(len(u), 1e8 * 1.5**cell)
        out.append({"N": size, "D": 20 * size, "lr": 1e-3 * np.exp(lr.ravel())})
        out[-1] |= {"batch": 1e5 * np.exp(batch.ravel()), "loss": loss}
        truth.append(best + middle)
    return {name: np.concatenate([part[name] for part in out]) for name in out[0]}, np.array(truth)


def test_a_parabola_in_the_logs_is_found_to_the_last_digit():
    runs, truth = bowls()
    found = sf.sweep(runs)
    assert found.cells["used"].all()
    np.testing.assert_allclose(np.log(found.cells[["lr", "batch"]].to_numpy()), truth, atol=1e-6)
    assert found.cells["loss"].to_numpy() == pytest.approx(3.0, rel=1e-9)


def test_the_flat_bottom_is_where_the_loss_is_within_the_tolerance():
    runs, truth = bowls()
    found = sf.sweep(runs, tolerance=0.01).cells
    # By hand: with the batch at its best the bowl is 0.015 u^2, and log 1.01 is reached at u = 0.8145; with
    # the rate at its best it is (0.015 x 0.09 + 0.01) v^2.
    for k, (name, bend) in enumerate((("lr", 0.015), ("batch", 0.01135))):
        reach = np.sqrt(np.log(1.01) / bend)
        np.testing.assert_allclose(np.log(found[f"{name}_from"]), truth[:, k] - reach, atol=1e-5)
        np.testing.assert_allclose(np.log(found[f"{name}_to"]), truth[:, k] + reach, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "over"),
    [
        ({"rates": 7, "batches": 1, "noise": 0.01}, ["lr"]),
        ({"rates": 9, "batches": 1, "noise": 0.02}, ["lr"]),
        ({"rates": 9, "batches": 7, "noise": 0.04}, ["lr", "batch"]),
    ],
    ids=["7 rates", "9 rates", "9 rates, 7 batches"],
)
def test_intervals_hold_the_optimum(shape, over):
    """Noise that decides more than the grid does. Of 200 independent cells a true 90 % holds fewer than 165
    (82.5 %) or more than 195 (97.5 %) once in some thousand times (binomial)."""
    runs, truth = bowls(200, key=3, **shape)
    cells = sf.sweep(runs, over=over).cells
    used = cells["used"].to_numpy()
    assert used.sum() >= 170
    for k, name in enumerate(over):
        at = np.exp(truth[:, k])
        held = ((cells[f"{name}_lo"] <= at) & (at <= cells[f"{name}_hi"]))[used].mean()
        assert 0.825 <= held <= 0.975, (name, held)


def test_intervals_hold_the_optimum_of_skew_bowls():
    runs, truth = bowls(60, noise=0.003, skew=0.5, key=5)
    found = sf.sweep(runs)
    assert any("faster above the best lr" in note for note in found.notes)
    for k, name in enumerate(("lr", "batch")):
        at = np.exp(truth[:, k])
        assert ((found.cells[f"{name}_lo"] <= at) & (at <= found.cells[f"{name}_hi"])).mean() >= 0.85
        # A parabola through all runs is off by 0.25 in log rate on such bowls; the grid's step is 0.69.
        assert abs(np.mean(np.log(found.cells[name] / at))) < 0.05


def test_an_interval_is_no_narrower_than_half_a_step():
    runs, _ = bowls()
    cells = sf.sweep(runs, key=1, n_draws=20_000).cells
    for name in ("lr", "batch"):
        # Half a step of log 2; 2 % for the draws.
        width = np.log(cells[f"{name}_hi"] / cells[f"{name}_lo"])
        assert width.min() > 0.98 * STEP / 2


def test_optima_at_the_edge_are_refused_by_name():
    high, _ = bowls(2, batches=1, shift=(4.5 * STEP, 0.0))
    low, _ = bowls(2, batches=1, shift=(-4.5 * STEP, 0.0))
    for runs, word in ((high, "lr at its highest"), (low, "lr at its lowest")):
        found = sf.sweep(runs, over=["lr"])
        assert not found.cells["used"].any()
        assert found.cells["why"].str.contains(word).all()
        (said,) = [caution for caution in found.warnings if caution.severity == "warning"]
        assert said.code == "edge"
        assert "N = 1e8, D = 2e9" in said.text
        assert word in repr(found)
        # The best runs are there all the same, and the optima are none.
        assert len(found.best) == 2
        assert len(found.optima) == 0


def test_an_optimum_below_what_diverged_is_at_the_edge_of_what_trains():
    runs, _ = bowls(1, batches=1, shift=(2.0 * STEP, 0.0))
    runs["loss"] = np.where(runs["lr"] > 5e-3, np.nan, runs["loss"])
    found = sf.sweep(runs, over=["lr"])
    assert "edge of what trains" in found.cells["why"][0]


@pytest.mark.parametrize("value", [np.nan, np.inf, 11.0, 1e300])
def test_a_diverged_run_changes_nothing(value):
    runs, _ = bowls(noise=0.003, key=2)
    row = 8  # the highest rate at the smallest batch of the first cell
    without = {name: np.delete(column, row) for name, column in runs.items()}
    with_it = {**runs, "loss": runs["loss"].copy()}
    with_it["loss"][row] = value
    found, wanted = sf.sweep(with_it), sf.sweep(without)
    # Corners far from tuned are set apart in either table; rows after the one left out are one further up.
    assert found.apart == (row, *(other + 1 for other in wanted.apart))
    assert any("row 8 " in str(caution) or "rows 8," in str(caution) for caution in found.warnings)
    assert found.cells.equals(wanted.cells)


def test_a_loss_far_below_all_others_is_set_apart():
    runs, truth = bowls(noise=0.003, key=2)
    runs["loss"][40] = 0.3
    found = sf.sweep(runs)
    assert found.apart[0] == 40
    assert "alone-below" in [caution.code for caution in found.warnings]
    assert abs(np.log(found.cells["lr"][0]) - truth[0, 0]) < STEP / 4
    assert found.best["loss"].min() > 2.9


def test_one_odd_run_hardly_moves_the_optimum():
    runs, _ = bowls(1, noise=0.002, key=4)
    odd = {**runs, "loss": runs["loss"].copy()}
    row = int(np.argmin(odd["loss"]))
    odd["loss"][row] *= 1.03
    moved = np.log(sf.sweep(odd).cells["lr"][0] / sf.sweep(runs).cells["lr"][0])
    assert abs(moved) < STEP / 4


def test_too_few_settings_are_refused_with_the_reason():
    runs, _ = bowls(3, batches=1)
    first = runs["N"] == runs["N"][0]
    kept = ~first | (np.cumsum(first) <= 2)
    found = sf.sweep({name: column[kept] for name, column in runs.items()}, over=["lr"])
    assert found.cells["used"].tolist() == [False, True, True]
    assert found.cells["why"][0] == "lr has 2 settings, and a minimum needs 3"
    assert [caution.code for caution in found.warnings if caution.severity == "warning"] == ["too-few"]


def test_noise_that_hides_the_optimum_is_said():
    runs, _ = bowls(20, rates=5, batches=1, noise=0.15, key=6)
    why = sf.sweep(runs, over=["lr"]).cells["why"]
    assert (why != "").mean() > 0.5
    assert why.str.contains("noise of").any()


def test_settings_and_sizes_that_files_round_are_one():
    runs, _ = bowls(2, noise=0.003)
    rounded = {**runs, "N": runs["N"] * np.where(np.arange(len(runs["N"])) % 2, 1.0, 1.001)}
    assert len(sf.sweep(rounded).cells) == 2


def test_the_optima_are_runs_for_laws():
    """The best rate and batch move as published for Li et al. 2025, and are found again."""
    published = sf.laws.steplaw.published
    N, ratio, lr, batch = (
        part.ravel()
        for part in np.meshgrid(
            [1e8, 4e8, 1.6e9], [20, 80], np.geomspace(1e-4, 2e-2, 9), 2.0 ** np.arange(3, 11)
        )
    )
    x = {"N": N, "D": ratio * N}
    u = np.log(lr / sf.laws.steplaw(published["lr"], x))
    v = np.log(batch * 2048 / sf.laws.steplaw(published["batch"], x))
    runs = {**x, "peak_lr": lr, "batch_size": batch, "loss": 2.5 * np.exp(0.015 * u**2 + 0.01 * v**2)}
    found = sf.sweep(runs, sequence_length=2048)
    assert {"C", "M", "N", "D", "lr", "batch", "lr_weight", "batch_weight"} == set(found.optima.columns)
    assert found.optima["lr_weight"].mean() == pytest.approx(1.0)
    for name in ("lr", "batch"):
        fit = sf.fit("steplaw", found.optima, y=name, weight=f"{name}_weight")
        for exponent in ("a", "b"):
            assert fit.coefs[exponent] == pytest.approx(published[name][exponent], abs=2e-3)
    assert sf.fit("deepseek_hp", found.optima, y="lr").coefs["p"] < 0
    assert sf.fit("porian_hp", found.optima, y="batch").coefs["p"] > 0
    # Without the length of a sequence the answer says that the batch counts sequences.
    assert "batch-units" in [caution.code for caution in sf.sweep(runs).warnings]


def test_best_runs_keep_all_columns_and_the_index():
    import pandas

    runs, _ = bowls(noise=0.003)
    table = pandas.DataFrame(runs).assign(name=[f"run-{k}" for k in range(len(runs["N"]))]).set_index("name")
    best = sf.sweep(table).best
    assert list(best.columns) == list(runs)
    assert best["loss"].tolist() == table.groupby("N")["loss"].min().tolist()
    assert best.index.str.startswith("run-").all()


def test_cells_by_labels_and_one_cell():
    runs, _ = bowls(2, batches=1)
    named = {**runs, "recipe": np.where(runs["N"] > 1.2e8, "b", "a")}
    assert sf.sweep(named, over=["lr"], by=["recipe"]).cells["recipe"].tolist() == ["a", "b"]
    first = {name: column[:9] for name, column in runs.items()}
    assert "the only cell" not in repr(sf.sweep(first, over=["lr"], by=[]))
    assert len(sf.sweep(first, over=["lr"], by=[]).cells) == 1


def test_a_column_that_is_mixed_up_in_the_cells_is_named():
    """The bundled sweep of rates holds two batches in some cells, which are no noise."""
    runs = sf.datasets.load("tiny_lm", "lr_sweep")
    inputs = {"N": "n_params_no_embed"}
    (said,) = [c for c in sf.sweep(runs, ["lr"], inputs=inputs, y="loss").warnings if c.code == "mixed"]
    assert "batch_tokens" in said.text
    apart = sf.sweep(runs, ["lr"], ["N", "D", "batch_tokens"], inputs=inputs, y="loss")
    assert "mixed" not in [caution.code for caution in apart.warnings]


def test_same_key_same_answer():
    runs, _ = bowls(noise=0.003)
    assert sf.sweep(runs).cells.equals(sf.sweep(runs).cells)
    assert not sf.sweep(runs, key=1).cells.equals(sf.sweep(runs).cells)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"over": ["lr", "beta2"]}, "no column has a usual name for beta2"),
        ({"by": ["N", "lr"]}, "is named twice"),
        ({"y": "lr"}, "is y and also in over or by"),
        ({"over": ["lr"], "sequence_length": 2048.0}, 'over has no "batch"'),
        ({"over": ["lr", "depth"]}, "has one value in all runs"),
        ({"inputs": {"wd": "lr"}}, "neither in over nor in by"),
        ({"inputs": {"batch": "lr"}}, "are both column 'lr'"),
        ({"y": "negative"}, "is -1 in rows 0, 1"),
        ({"y": "nothing"}, "no run has a loss"),
    ],
)
def test_refusals(change, said):
    runs, _ = bowls(2)
    n = len(runs["N"])
    runs |= {"depth": np.ones(n), "negative": -np.ones(n), "nothing": np.full(n, np.nan)}
    with pytest.raises(ValueError, match=said):
        sf.sweep(runs, **change)


def data(*path):
    if "SCALEFIT_DATA" not in os.environ:
        pytest.skip("SCALEFIT_DATA does not name the folder of public tables")
    return read(Path(os.environ["SCALEFIT_DATA"]).joinpath(*path))


def test_the_exponents_of_step_law():
    """Li et al. 2025 (arXiv:2503.04715), 1,911 runs in 17 cells: lr ~ N^-0.713 D^0.307, batch ~ D^0.571."""
    found = sf.sweep(data("steplaw", "dense.csv"), y="smooth_train_loss", sequence_length=2048)
    assert found.cells["used"].sum() == 17
    rate = sf.fit("steplaw", found.optima, y="lr", weight="lr_weight").conf_int(0.9)
    assert rate.loc["a", "lo"] < -0.713 < rate.loc["a", "hi"]
    assert rate.loc["b", "lo"] < 0.307 < rate.loc["b", "hi"]
    fit = sf.fit(sf.laws.steplaw.fix(a=0.0), found.optima, y="batch", weight="batch_weight")
    batch = fit.conf_int(0.9)
    assert batch.loc["b", "lo"] < 0.571 < batch.loc["b", "hi"]
    # The best run of a cell is the table's.
    table = data("steplaw", "dense.csv")
    least = table.groupby(["n_params_no_embed", "n_tokens"])["smooth_train_loss"].min()
    assert found.best["smooth_train_loss"].tolist() == least.tolist()


def test_a_sweep_of_three_rates_a_cell():
    """Li, Kudugunta and Zettlemoyer 2025: cells of 3 or 8 rates a factor 2 or more apart."""
    runs = data("misfitting", "dense_lr_sweep.csv")
    inputs = {"N": "n_params_no_embed"}
    found = sf.sweep(runs, over=["lr"], y="c4_eval_loss", inputs=inputs)
    cells = found.cells
    assert (cells["used"] | (cells["why"] != "")).all()
    edges = cells[cells["why"].str.contains("edge")]
    assert len(edges) > 0
    used = cells[cells["used"]]
    assert ((used["lr_lo"] <= used["lr"]) & (used["lr"] <= used["lr_hi"])).all()
