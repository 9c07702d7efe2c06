"""Which laws a table's columns allow: made tables, public ones, and tables of nothing."""

from __future__ import annotations

import re

import numpy as np
import pytest

import scalefit as sf

TRUTH = {"E": 1.8, "A": 480.0, "B": 2000.0, "alpha": 0.35, "beta": 0.37}


def sweep() -> dict[str, np.ndarray]:
    N, D = (g.ravel() for g in np.meshgrid(np.geomspace(1e7, 1e9, 5), np.geomspace(1e9, 1e10, 5)))
    made = sf.simulate(sf.laws.chinchilla, TRUTH, {"N": N, "D": D}, noise=0.003, key=3)
    return {"n_params": N, "n_tokens": D, "loss": made["y"]}


@pytest.fixture(scope="module")
def runs() -> dict[str, np.ndarray]:
    return sweep()


def laws_of(table, **options) -> list[str]:
    return sf.suggest(table, backtest=False, **options).frame["law"].tolist()


def called(found: sf.Suggestions, runs, k: int = 0):
    """What the call gives, run as it stands."""
    return eval(found.calls[k], {"sf": sf, "runs": runs})


def test_size_and_tokens(runs):
    found = sf.suggest(runs)
    assert set(found.frame["law"]) == {"chinchilla", "skaling"}
    assert found.frame["score"].is_monotonic_increasing
    assert found.frame["score"].max() < 0.02
    for k in range(2):
        assert called(found, runs, k).law.name == found.frame["law"][k]
    assert found.calls[0].endswith('inputs={"N": "n_params", "D": "n_tokens"}, y="loss")')
    assert any("'n_unique_tokens', for muennighoff_repeat" in what for what in found.missing)
    assert "farseer" in found.others


def test_the_score_is_of_the_larger_runs(runs):
    """By hand: two windows by 6 N D, the law refitted to each and held against what is larger."""
    (row,) = [r for r in sf.suggest(runs).frame.to_dict("records") if r["law"] == "chinchilla"]
    back = sf.backtest(["chinchilla", "skaling"], runs, n_cuts=2)
    errors = back.foretold.errors["chinchilla"]
    expected = np.exp(np.mean([np.log(np.mean(e**2)) / 2 for e in errors]))
    assert row["score"] == pytest.approx(expected, rel=0.02)


def test_tokens_from_budgets(runs):
    table = {
        "n_params": runs["n_params"],
        "flops": 6 * runs["n_params"] * runs["n_tokens"],
        "loss": runs["loss"],
    }
    found = sf.suggest(table, backtest=False)
    assert found.frame["law"][0] == "chinchilla"
    np.testing.assert_allclose(called(found, table).data.x["D"], runs["n_tokens"], rtol=1e-12)


def test_columns_called_as_inputs_are(runs):
    table = {"N": runs["n_params"], "D": runs["n_tokens"], "loss": runs["loss"]}
    found = sf.suggest(table, backtest=False)
    assert found.calls[0] == 'sf.fit("chinchilla", runs, inputs={"N": "N", "D": "D"}, y="loss")'


def test_one_ratio_leaves_one_input(runs):
    """Where tokens per parameter never change, N and D cannot be told apart."""
    table = {"n_params": runs["n_params"], "n_tokens": 20 * runs["n_params"], "loss": runs["loss"]}
    found = sf.suggest(table, backtest=False)
    assert set(found.frame["law"]) == {"power_floor", "alabdulmohsin_m3", "bnsl"}
    assert any("tokens per parameter are the same in every run" in what for what in found.missing)


def test_what_is_not_used_is_said(runs):
    n = len(runs["loss"])
    table = runs | {
        "flops": 6 * runs["n_params"] * runs["n_tokens"],
        "vocab": np.full(n, 32000),
        "name": np.array([f"r{k}" for k in range(n)]),
        "train_loss": runs["loss"] * 0.99,
        "lr": np.tile([1e-3, 2e-3], n)[:n],
    }
    unused = sf.suggest(table, backtest=False).unused
    assert unused["flops"] == "says what N and D say already"
    assert unused["vocab"] == "the same in every row"
    assert unused["name"] == "a name of its own for each row"
    assert 'y="train_loss"' in unused["train_loss"]
    assert unused["lr"] == "no law suggested here takes it"


def test_groups_are_fitted_each_by_itself(runs):
    twice = {name: np.tile(column, 2) for name, column in runs.items()}
    twice["loss"] = twice["loss"] * np.repeat([1.0, 1.1], 25)
    twice["corpus"] = np.repeat(["web", "books"], 25)
    found = sf.suggest(twice, backtest=False)
    assert found.calls[0].startswith('sf.fit_groups("chinchilla", runs, by="corpus"')
    assert found.frame["rows"][0] == 25
    assert set(called(found, twice)) == {"web", "books"}
    # A label that a number explains makes no groups.
    named = runs | {"model": np.array([f"{n:.0f}M" + "x" for n in runs["n_params"] / 1e6])}
    assert sf.suggest(named, backtest=False).calls[0].startswith('sf.fit("chinchilla"')


def test_settings_swept_at_equal_sizes_are_mentioned(runs):
    three = {name: np.tile(column, 3) for name, column in runs.items()}
    three["peak_lr"] = np.repeat([1e-4, 3e-4, 1e-3], 25)
    three["loss"] = three["loss"] * np.repeat([1.02, 1.0, 1.03], 25)
    assert any("'peak_lr'" in note and "best run" in note for note in sf.suggest(three, backtest=False).notes)


def test_too_few_rows_are_a_reason(runs):
    four = {name: column[[0, 6, 12, 18]] for name, column in runs.items()}
    found = sf.suggest(four, backtest=False)
    assert found.frame["law"].tolist() == ["power_floor", "alabdulmohsin_m3"]
    assert "4 rows for 3 coefficients, few" in found.frame["why"][0]
    assert any(
        what.startswith("chinchilla") and "4 rows for 5 coefficients" in what for what in found.missing
    )
    three = {name: column[:3] for name, column in four.items()}
    with pytest.raises(ValueError, match=r"no law in usual use can be fitted.*3 rows"):
        sf.suggest(three)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({}, "the table has no columns"),
        ({"a": ["x", "y"], "b": ["u", "v"]}, "no column of numbers is named like a loss"),
        ({"loss": [2.0, 1.9, 1.8, 1.7]}, "no law in usual use predicts 'loss'"),
        ({"n_params": [1e8, 1e9], "loss": [3.0, np.nan]}, "no finite value in 1 of 2 rows"),
        ({"n_params": [1e8, 1e9], "loss": [3.0, -1.0]}, "zero or negative in 1 rows"),
        ({"n_params": [1e8] * 6, "loss": [3.0, 2.9, 2.8, 2.7, 2.6, 2.5]}, "no law in usual use"),
        ({"n_params": [1e8, 1e9], "loss_c4": [3.0, 2.0], "loss_pile": [3.0, 2.0]}, "say which with y="),
        ({"n_params": [1e8, 1e9], "val_ppl": [30.0, 20.0]}, "add its logarithm as a column 'loss'"),
    ],
)
def test_tables_of_nothing_are_one_sentence(table, said):
    with pytest.raises(ValueError, match=re.escape(said)) as refused:
        sf.suggest(table)
    assert "\n" not in str(refused.value)


def test_a_perplexity_is_no_loss():
    with pytest.raises(ValueError, match="is a perplexity; laws are of losses"):
        sf.suggest({"n_params": [1e8, 1e9], "val_ppl": [30.0, 20.0]}, y="val_ppl")


def test_the_record(runs):
    found = sf.suggest(runs | {"<b>": np.ones(25)}, backtest=False)
    assert repr(found).startswith("1. chinchilla: uses n_params and n_tokens; 25 rows for 5 coefficients")
    assert "not used: <b>: the same in every row" in repr(found)
    assert "<b>:" not in found._repr_html_()
    assert "&lt;b&gt;" in found._repr_html_()


def test_unusual_names_are_said(runs):
    table = {"size": runs["n_params"], "seen": runs["n_tokens"], "outcome": runs["loss"]}
    found = sf.suggest(table, "outcome", {"N": "size", "D": "seen"}, backtest=False)
    assert found.calls[0] == 'sf.fit("chinchilla", runs, inputs={"N": "size", "D": "seen"}, y="outcome")'
    assert any("taken for a loss" in note for note in found.notes)
    assert called(found, table).status.ok


def test_a_path_stands_in_the_call(runs, tmp_path):
    path = tmp_path / "runs.csv"
    rows = zip(*runs.values(), strict=True)
    path.write_text("\n".join([",".join(runs), *(",".join(map(repr, map(float, r))) for r in rows)]))
    found = sf.suggest(path, backtest=False)
    assert f'"{path}"' in found.calls[0]
    assert called(found, None).law.name == "chinchilla"


# Public tables: the first law, and whether its call is quick enough to be run here.
PUBLIC = {
    "N and D": ("chinchilla_epoch", None, None, {"chinchilla", "skaling"}, True),
    "repeated data": ("sldbench_data_constrained", None, None, {"muennighoff_repeat"}, True),
    "parallel streams, by group": ("sldbench_parallel", None, None, {"parscale"}, True),
    "few shapes": ("steplaw", "dense.csv", "smooth_train_loss", {"chinchilla", "skaling"}, False),
    "shapes": ("gemstones", None, None, {"gemstones_shape"}, False),
    "experts": ("steplaw", "moe.csv", "smooth_train_loss", {"joint_moe"}, False),
    "accuracy by the task's loss": ("olmo_ladder", "final.csv", "acc_arc_easy", {"ladder"}, True),
    "mixtures": ("regmix", "train_1m.csv", "loss_pile_cc", {"ye_mixing", "regmix_linear"}, False),
    "two domains": ("mixing_laws", "two_domains.csv", None, {"ye_mixing", "regmix_linear"}, True),
    "fine-tuning": ("sft_rectified", "curves.csv", None, {"rectified_ft"}, False),
    "curves with a rate": ("mpl_curves", "curves.csv", None, {"lr_annealing, multi_power, fsl"}, False),
    "one input, many curves": ("colpret_curves", None, None, {"power_floor", "alabdulmohsin_m3"}, False),
    "one input": ("bnsl_addition", None, "test_cross_entropy", {"power_floor", "alabdulmohsin_m3"}, True),
    "error by compute": (
        "gadre_overtraining",
        None,
        "err_avg_46",
        {"power", "power_floor", "alabdulmohsin_m3"},
        False,
    ),
}


@pytest.mark.parametrize("kind", PUBLIC)
def test_public_tables(kind, data_dir):
    name, file, y, expected, runs_here = PUBLIC[kind]
    runs = sf.datasets.fetch(name, file)
    found = sf.suggest(runs, y, backtest=False)
    assert found.frame["law"][0] in expected
    compile(found.calls[0], "call", "eval")
    if runs_here:
        assert called(found, runs) is not None


def test_sizes_of_zero_are_left_out_before_larger_runs_are_foretold(data_dir):
    runs = sf.datasets.fetch("sft_rectified", "curves.csv").query("task == 'flan' and family == 'LaMini'")
    runs = runs[runs["model"] == runs["model"].iloc[0]]
    (note,) = (n for n in sf.suggest(runs, backtest=False).notes if "sf.extrapolate" in n)
    before, call = note.split(": ", 1)
    assert before == "for larger runs, without the rows where 'n_samples' is 0"
    assert eval(call, {"sf": sf, "runs": runs[runs["n_samples"] > 0]}).weights


def test_compute_only(data_dir):
    runs = sf.datasets.fetch("chinchilla_epoch")[["flops", "loss"]]
    found = sf.suggest(runs, backtest=False)
    assert found.frame["law"].tolist() == ["power_floor", "alabdulmohsin_m3", "bnsl"]
    assert 'inputs={"x": "flops"}' in found.calls[0]
    assert called(found, runs).columns["x"] == "flops"


def test_one_curve_is_forecast(data_dir):
    runs = sf.datasets.fetch("mpl_curves", "curves.csv")
    one = runs[(runs["model"] == "25m") & (runs["schedule"] == "cosine_24000")][["step", "loss"]]
    found = sf.suggest(one, backtest=False)
    assert found.calls[0].startswith("sf.forecast(runs, steps=47840")
    told = called(found, one)
    assert told.steps == 47840
    assert any("'lr'" in what for what in found.missing)


def test_models_side_by_side_are_told_apart(data_dir):
    """Steps of two models interleave under one schedule's name; the call takes one model."""
    found = sf.suggest(sf.datasets.fetch("mpl_curves", "curves.csv"))
    assert """runs[runs["model"] == '25m']""" in found.calls[0]
    assert any("steps rise only within one 'model'" in note for note in found.notes)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("literature_laws", "'irreducible_loss' .* has no finite value in 102 of 137 rows"),
        ("obs_scaling", "could be 'score_mmlu', .* say which with y="),
        ("sldbench_vocab", "zero or negative in 1200 rows, which no loss is"),
    ],
)
def test_public_tables_without_a_law(name, said, data_dir):
    with pytest.raises(ValueError, match=said) as refused:
        sf.suggest(sf.datasets.fetch(name), backtest=False)
    assert 20 < len(str(refused.value)) < 400
    assert "\n" not in str(refused.value)


def mixtures() -> dict[str, np.ndarray]:
    """Forty mixtures of three domains whose columns have no prefix; the seed is arbitrary."""
    random = np.random.default_rng(0)
    shares = random.dirichlet(np.ones(3), 40)
    loss = 2 + np.exp(-shares @ [1.0, 2.0, 0.5]) + 0.003 * random.standard_normal(40)
    return dict(zip(("web", "code", "books"), shares.T, strict=True)) | {"loss": loss}


def test_shares_without_a_prefix():
    assert laws_of(mixtures()) == ["ye_mixing", "regmix_linear"]


def test_an_accuracy_by_its_loss():
    """Two columns leave no other reading: the curve is that of the accuracy."""
    loss = np.linspace(4, 2.2, 12)
    found = sf.suggest(
        {"loss": loss, "accuracy": 0.25 + 0.7 / (1 + np.exp(3 * (loss - 2.8)))}, backtest=False
    )
    assert found.y == "accuracy"
    assert found.frame["law"].tolist() == ["ladder", "log_sigmoid"]


def test_what_data_cannot_tell_is_held():
    table = sf.simulate(sf.laws.bimix, n=60, noise=0.003, key=0)
    runs = {"r": table["r"], "n_steps": table["s"], "loss": table["y"]}
    found = sf.suggest(runs, backtest=False)
    assert 'sf.fit(sf.laws.bimix.fix(A=1), runs, inputs={"r": "r", "s": "n_steps"}' in str(found)
