"""Every notebook runs from top to bottom; what its text says of the answers, it asserts itself."""

from __future__ import annotations

import warnings
from pathlib import Path

import pandas as pd
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "docs" / "notebooks").glob("*.py"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_notebook_runs(path, tmp_path, monkeypatch):
    from matplotlib import pyplot

    monkeypatch.chdir(tmp_path)
    text = path.read_text()
    assert "\n# %% [markdown]\n# # " in text
    # What a notebook sets for its own tables is set back.
    with warnings.catch_warnings(), pd.option_context("display.float_format", None):
        warnings.simplefilter("default", UserWarning)
        exec(compile(text, path.name, "exec"), {"__name__": "__main__"})
    pyplot.close("all")
