"""The numbers that docs/engine.md states are those of the code."""

from pathlib import Path

import numpy as np
import pytest

import scalefit as sf
from scalefit.core import blocks, compiled, kept, search, starts
from scalefit.core.solve import Rows

PAGE = " ".join((Path(__file__).parents[2] / "docs" / "engine.md").read_text().split())


def n_cells(law):
    rows = Rows(tuple(np.ones((1, 4)) for _ in law.inputs), np.ones((1, 4)), np.ones((1, 4)))
    return starts.cells(law, rows).shape[1]


def n_starts(n, q):
    return search._n_starts(n, (1, 1024, q))


@pytest.mark.parametrize(
    "said",
    [
        f"over {n_cells(sf.laws.power_floor)} to {n_cells(sf.laws.skaling)} cells (one, "
        "where there are none)",
        f"starts: {n_starts(1000, 2)} where two or fewer coefficients are non-linear, "
        f"{n_starts(1000, 3)} otherwise",
        f"up to {n_starts(search.FEW_ROWS - 1, 2)} below {search.FEW_ROWS} rows",
        f"each has {search.ENOUGH} starts, and {search.EACH_OF_MANY} if these disagree",
        f"up to {kept.MOST_BYTES >> 20} MiB of them on disk",
        f"The {compiled.MOST} programs used last",
        f"more than {search.MANY_ROWS} rows are searched on a sample of {search.SAMPLE}",
        f"in blocks of {blocks.BLOCK}",
        f"L-BFGS above {search.MOST_FOR_LM} coefficients",
        "magnitudes from {:.0e} to {:.0e}".format(
            *(min(sf.Coef("a", sf.POSITIVE).starts), max(sf.Coef("a", sf.POSITIVE).starts))
        )
        .replace("e-0", "e-")
        .replace("e+0", "e"),
    ],
)
def test_the_page_says_what_the_code_does(said):
    assert said in PAGE


def test_lengths_come_in_few_sizes():
    assert "to multiples of 16 up to 256, then by at most an eighth" in PAGE
    lengths = np.arange(1, 5000)
    padded = np.array([search.round_up(n) for n in lengths.tolist()])
    few = lengths <= 256
    np.testing.assert_array_equal(padded[few], -(-lengths[few] // 16) * 16)
    assert np.max(padded[~few] / lengths[~few]) <= 1.125
