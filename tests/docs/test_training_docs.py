"""Everything docs/training.md shows is executed, and what it says comes out."""

import re
import shlex
from pathlib import Path

import pytest

import scalefit as sf
from scalefit.cli import main

PAGE = (Path(__file__).parents[2] / "docs" / "training.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


SHOWN = re.findall(r"^```text\n(.*?)\n```", PAGE, flags=re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"\d+\.\d+")


@pytest.fixture(scope="module")
def shown(tmp_path_factory) -> dict:
    """The names left by the Python blocks, run in order in an empty folder."""
    names: dict = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("training"))
        names["folder"] = Path.cwd()
        for k, text in enumerate(BLOCKS):
            exec(compile(text, f"training.md, block {k}", "exec"), names)
    return names


def test_the_log_is_read_as_said(shown):
    assert str(shown["log"]) == SHOWN[0]
    table = shown["log"].table
    assert table.columns.tolist() == ["run", "step", "tokens", "loss", "lr", "grad_norm", "time"]
    assert table["step"].tolist() == list(range(10, 301, 10))


@pytest.mark.parametrize(("name", "k", "within"), [("now", 1, 0.02), ("best", 2, 0.002)])
def test_answers_are_as_shown(shown, name, k, within):
    """The same words, and the same numbers but for the last digits."""
    answer, page = str(shown[name]), SHOWN[k]
    assert NUMBER.sub("#", answer).split() == NUMBER.sub("#", page).split()
    printed, said = ([float(n) for n in NUMBER.findall(text)] for text in (answer, page))
    assert printed == pytest.approx(said, rel=within, abs=within)


def test_what_is_said_of_the_measured_runs(shown):
    ends = shown["curves"].groupby("run")["loss"].last()
    assert round(ends["w48-cosine-4096k"], 3) == 1.466
    assert round(ends["w48-cosine-4096k"] - ends["w48-linear-4096k"], 3) == 0.007
    assert round(shown["table"]["difference"][1], 3) == 0.009
    assert (
        shown["ends"]["cool down now"].loss
        > shown["ends"]["as planned"].loss
        > shown["ends"]["twice as long"].loss
    )
    assert all(told.on_course for told in shown["ends"].values())


def test_the_command_lines_work(shown, monkeypatch, capsys):
    monkeypatch.chdir(shown["folder"])
    (block,) = re.findall(r"^```sh\n(scalefit.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    forecast, watch = block.splitlines()
    assert main(shlex.split(forecast)[1:]) == 0
    assert capsys.readouterr().out.strip() == str(shown["now"])
    # The toy losses follow no law, so that the run may count as off course; it has ended,
    # and so does watching it.
    assert main(shlex.split(watch)[1:]) in (0, 1)
    assert "step 300" in capsys.readouterr().out


def test_names_on_the_page_exist():
    for name in set(re.findall(r"sf\.((?:\w+\.)?\w+)", PAGE)) - {
        "callbacks.HuggingFace",
        "callbacks.Lightning",
    }:
        found = sf
        for part in name.split("."):
            found = getattr(found, part)
