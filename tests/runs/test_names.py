"""Columns by what their names say: the words that logs, papers and spreadsheets use for the same thing."""

from __future__ import annotations

import numpy as np
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
    assert set(sf.extrapolate(table).fits) == {"chinchilla", "skaling"}


def test_two_columns_that_say_the_same_are_asked_for():
    table = {"Train params": [1e7, 1e8], "params total": [1e7, 1e8], "tokens": [1e9, 1e9], "loss": [3.0, 2.5]}
    with pytest.raises(ValueError, match="could each be N"):
        sf.fit("chinchilla", table)
