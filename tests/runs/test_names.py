"""Columns by what their names say: the words that logs, papers and spreadsheets use for the same thing."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

import scalefit as sf
from scalefit.laws.inputs import ALIASES
from scalefit.runs.names import columns_named


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("data_size", "D"),
        ("numTokens", "D"),
        ("Training tokens (D)", "D"),
        ("Tokens seen", "D"),
        ("nParams", "N"),
        ("# params", "N"),
        ("Model size (params)", "N"),
        ("Total Parameters", "N"),
        ("Training compute (FLOPs)", "C"),
        ("trainFLOPs", "C"),
        ("num_experts", "E_x"),
        ("bsz", "B"),
        ("sft_data_size", "D_F"),
        ("unique tokens", "U"),
        ("tokens_per_param", "M"),
        ("Tokens per parameter", "M"),
        ("Non-embedding params", "N"),
        ("config/n_params", "N"),
        ("params.tokens", "D"),
    ],
)
def test_a_name_says_one_thing(column, name):
    assert [key for key, usual in ALIASES.items() if columns_named([column], usual)] == [name]


@pytest.mark.parametrize(
    "column",
    [
        "embedding_params",
        "tokens/s",
        "flops per token",
        "max_tokens",
        "log_params",
        "params_B",
        "peak lr",
        "n",
        "Training budget ($)",
        "Budget ($)",
        "Tokens (%)",
        "評価 tokens",
        "model flops utilisation",
        "max seq len",
        "Loss function",
        "load balance loss",
    ],
)
def test_names_that_say_something_else(column):
    assert not any(columns_named([column], usual) for usual in ALIASES.values())


def test_a_usual_name_goes_before_words():
    assert columns_named(["Total params", "n_params"], ALIASES["N"]) == ["n_params"]


def test_a_spreadsheet_is_fitted_and_foretold_as_it_is():
    """The same runs under names from a spreadsheet: the same fit, and what was guessed is said."""
    N, ratio = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e7, 1e9, 5), [5.0, 20.0, 80.0, 320.0]))
    runs = {"N": N, "D": ratio * N}
    runs["loss"] = np.asarray(sf.laws.chinchilla(sf.laws.chinchilla.published["besiroglu2024"], runs))
    table = {
        "Model size (params)": runs["N"],
        "Training tokens": runs["D"],
        "Final loss": runs["loss"],
    }
    named = sf.fit("chinchilla", runs)
    fit = sf.fit("chinchilla", table)
    assert fit.value == named.value
    assert "guessed D = column 'Training tokens'" in fit.notes
    assert set(sf.extrapolate(table).fits) == {"chinchilla", "skaling", "chinchilla (priors)"}


def test_two_columns_that_say_the_same_are_asked_for():
    table = {"Train params": [1e7, 1e8], "params total": [1e7, 1e8], "tokens": [1e9, 1e9], "loss": [3.0, 2.5]}
    with pytest.raises(ValueError, match="could each be N"):
        sf.fit("chinchilla", table)


def test_of_all_and_active_parameters_the_caller_says_which():
    table = {
        "total_params": [1e7, 1e8],
        "active_params": [1e6, 1e7],
        "tokens": [1e9, 1e9],
        "loss": [3.0, 2.5],
    }
    for answer in (lambda: sf.fit("chinchilla", table), lambda: sf.extrapolate(table)):
        with pytest.raises(ValueError, match="'total_params' and 'active_params' could each be N"):
            answer()


def grid() -> dict[str, np.ndarray]:
    """Runs of the published law itself."""
    N, ratio = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e7, 1e9, 5), [5.0, 20.0, 80.0, 320.0]))
    runs = {"N": N, "D": ratio * N}
    return runs | {
        "loss": np.asarray(sf.laws.chinchilla(sf.laws.chinchilla.published["besiroglu2024"], runs))
    }


def test_tokens_follow_from_tokens_per_parameter():
    runs = grid()
    table = {"params": runs["N"], "Tokens per parameter": runs["D"] / runs["N"], "loss": runs["loss"]}
    fit = sf.fit("chinchilla", table)
    np.testing.assert_allclose(fit.data.x["D"], runs["D"], rtol=1e-12)
    assert "D = Tokens per parameter * params, as no column has tokens" in fit.notes
    assert set(sf.extrapolate(table).fits) == {"chinchilla", "skaling", "chinchilla (priors)"}


@pytest.mark.parametrize("name", ["bpb", "val_nll", "run-1 - train/loss"])
def test_a_loss_by_another_name_is_found_everywhere(name):
    runs = grid()
    table = {"N": runs["N"], "D": runs["D"], name: runs["loss"], f"{name}__MIN": runs["loss"]}
    assert sf.fit("chinchilla", table).columns["y"] == name
    assert sf.suggest(table, backtest=False).y == name
    few = {key: column[::3] for key, column in table.items()}
    assert next(iter(sf.extrapolate(few).fits.values())).columns["y"] == name


def test_a_perplexity_is_no_loss():
    runs = grid()
    table = {"N": runs["N"], "D": runs["D"], "val_ppl": np.exp(runs["loss"])}
    for verb in (lambda t: sf.fit("chinchilla", t), sf.extrapolate, sf.suggest):
        with pytest.raises(
            ValueError, match=r"'val_ppl' is a perplexity; .* add its logarithm as a column 'loss'"
        ):
            verb(table)
    few = {key: column[::3] for key, column in table.items()}
    with pytest.raises(ValueError, match="is a perplexity"):
        sf.extrapolate(few, y="val_ppl")
    (said,) = (c for c in sf.fit("chinchilla", table, y="val_ppl").warnings if c.code == "odd-units")
    assert 'np.log(runs["val_ppl"])' in said.text
    assert sf.fit("chinchilla", table | {"loss": np.log(table["val_ppl"])}).columns["y"] == "loss"


def test_a_unit_in_a_name_is_said_by_every_verb():
    runs = grid()
    table = {"Model size (M)": runs["N"] / 1e6, "Tokens (B)": runs["D"] / 1e9, "loss": runs["loss"]}
    for verb in (lambda t: sf.fit("chinchilla", t), sf.extrapolate, sf.suggest):
        with pytest.raises(ValueError, match=r"'Model size \(M\)' seems to hold N in millions"):
            verb(table)


def test_advice_on_nested_records_works_as_it_stands():
    runs = grid()
    records = [
        {"config": {"n_params": N, "lr": 3e-4}, "summary": {"tokens": D, "val_loss": loss}}
        for N, D, loss in zip(*(runs[name].tolist() for name in ("N", "D", "loss")), strict=True)
    ]
    fit = sf.fit("chinchilla", pd.json_normalize(records))
    assert fit.columns == {"N": "config.n_params", "D": "summary.tokens", "y": "summary.val_loss"}
    few = {f"run {k}": record["config"] | record["summary"] for k, record in enumerate(records[:6])}
    assert sf.extrapolate(pd.DataFrame.from_dict(few, orient="index")).trust == "weak"


def test_rows_without_a_loss_are_left_out_as_the_sentence_says():
    """`dropna()` alone would drop every run of a table that has an empty column."""
    runs = pd.DataFrame(grid()).assign(Tags=np.nan)
    runs.loc[3, "loss"] = np.nan
    with pytest.raises(ValueError, match="no value") as refused:
        sf.fit("chinchilla", runs)
    call = re.search(r"runs\.dropna\(.*?\)", str(refused.value)).group(0)  # type: ignore[union-attr]
    assert len(sf.fit("chinchilla", eval(call, {"runs": runs})).data) == 19


def test_texts_of_numbers_are_said_of_their_column():
    runs = {name: [str(cell) for cell in column] for name, column in grid().items()}
    with pytest.raises(ValueError, match=r"column 'loss' \(y\) has .* not a number; .*to_numeric"):
        sf.suggest(runs)


def test_a_training_log_is_no_table_of_runs():
    step = np.arange(10, 2000, 10.0)
    log = {"step": step, "lr": 3e-4 * (1 - step / 4000), "loss": 2.2 + 6 * step**-0.4}
    with pytest.raises(ValueError, match=r"steps of training runs, .*sf\.forecast") as refused:
        sf.extrapolate(log)
    inputs = eval(re.search(r"inputs=(\{.*\})", str(refused.value)).group(1))  # type: ignore[union-attr]
    assert sf.extrapolate(log, inputs=inputs).fits


def test_so_few_runs_that_no_law_can_be_fitted_are_sent_to_extrapolate():
    runs = {name: column[:3] for name, column in grid().items()}
    with pytest.raises(ValueError, match=r"a forecast from so few is sf\.extrapolate's"):
        sf.suggest(runs)
    assert sf.extrapolate(runs).fits


def test_of_two_losses_each_sentence_leads_on():
    loss = np.linspace(2.0, 3.5, 20)
    table = {"loss_c4": loss, "loss_pile": 0.6 + 1.1 * (loss - 1.5) ** 1.05}
    with pytest.raises(ValueError, match='say which with y="loss_c4"'):
        sf.extrapolate(table)
    with pytest.raises(ValueError, match=r'or \{"L": "loss_pile"\} for the loss it is told from'):
        sf.extrapolate(table, y="loss_c4")
    assert sf.extrapolate(table, y="loss_c4", inputs={"L": "loss_pile"}).trust == "good"
