"""Everything docs/uncertainty.md shows is executed, and what it claims about these runs is so."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "uncertainty.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """The names left by the Python blocks, run in order in an empty folder."""
    names: dict = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("uncertainty"))
        for k, (kind, text) in enumerate(BLOCKS):
            if kind == "python":
                exec(compile(text, f"uncertainty.md, block {k}", "exec"), names)
    from matplotlib import pyplot

    pyplot.close("all")
    return names


def test_the_shown_sentence_is_what_comes_out(shown):
    (text,) = (text for kind, text in BLOCKS if kind == "text")
    assert text.strip() in shown["fit"].summary()


def test_the_law_is_too_stiff_and_the_backtest_says_so(shown):
    assert "misfit" in [caution.code for caution in shown["fit"].warnings]
    coverage = shown["both"].backtest.table().set_index("law").coverage
    assert coverage["chinchilla"] == pytest.approx(0.5, abs=0.1)
    assert coverage["skaling"] > 0.9
    assert len(shown["both"].backtest.inflation()) > 0


def test_the_methods_are_the_ones_there_are():
    from scalefit.uncertainty.bootstrap import METHODS

    assert tuple(re.findall(r'^\| `"(\w+)"` \|', PAGE, flags=re.MULTILINE)) == METHODS


def test_defaults_are_as_said(shown):
    assert shown["boot"].draws.method == "pairs"
    assert shown["by_size"].draws.method == "cluster"
    assert shown["by_size"].draws.units == 7


def test_one_new_run_is_wider_than_the_curve(shown):
    assert (shown["run"].hi - shown["run"].lo > shown["curve"].hi - shown["curve"].lo).all()
    assert {"distance", "leverage"} <= set(shown["run"].columns)


def test_calls_named_in_the_table_exist():
    import scalefit as sf

    for name in set(re.findall(r"`sf\.(\w+)", PAGE)):
        assert hasattr(sf, name), name


def test_cautions_are_the_ones_there_are(shown):
    from scalefit.fits import extrapolation

    table = re.findall(r"^\| (.+) \| (?:comes|lies|leaves) ", PAGE, flags=re.MULTILINE)
    listed = {code.strip("`") for cell in table for code in cell.split(", ")}
    assert listed == set(re.findall(r'_found\(\s*"([a-z-]+)"', Path(extrapolation.__file__).read_text()))
    assert "extrapolation" in [caution.code for caution in shown["fit"].cautions(shown["far"])]
    near, far = shown["fit"].predict(shown["far"], level=0.9).caution
    assert near == ""
    assert "misfit" in far
