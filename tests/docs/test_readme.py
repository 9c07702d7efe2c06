"""Everything README.md shows is executed."""

import re
import shlex
from pathlib import Path

import pytest

from scalefit.cli import main

README = (Path(__file__).parents[2] / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """The names left by the Python blocks, run in order in an empty folder."""
    names: dict = {}
    folder = tmp_path_factory.mktemp("readme")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for k, (kind, text) in enumerate(BLOCKS):
            if kind == "python":
                exec(compile(text, f"README.md, block {k}", "exec"), names)
    from matplotlib import pyplot

    pyplot.close("all")
    return names, folder


def test_the_shown_status_is_what_comes_out(shown):
    names, _ = shown
    (text,) = (text for kind, text in BLOCKS if kind == "text")
    # How many starts agree may differ by a few from machine to machine; the rest may not.
    shown_line, line = (
        re.sub(r"\d+ of", "n of", t) for t in (text.strip(), names["fit"].summary().splitlines()[0])
    )
    assert shown_line == line


def test_the_command_lines_work(shown, monkeypatch, capsys):
    monkeypatch.chdir(shown[1])
    lines = [
        line
        for kind, text in BLOCKS
        if kind == "sh"
        for line in text.splitlines()
        if line.startswith("scalefit")
    ]
    assert len(lines) >= 4
    for line in lines:
        assert main(shlex.split(line)[1:]) in (0, 1), line  # 2 would mean it could not be carried out
    assert Path("fit.png").exists()


def test_make_targets_exist():
    makefile = (Path(__file__).parents[2] / "Makefile").read_text()
    for target in re.findall(
        r"^make (\w+)", "".join(text for kind, text in BLOCKS if kind == "sh"), flags=re.MULTILINE
    ):
        assert f"\n{target}:" in makefile
