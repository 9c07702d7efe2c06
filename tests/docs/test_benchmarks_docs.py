"""Everything docs/benchmarks.md shows is executed: files are written, commands and Python run in order."""

import re
import shlex
from pathlib import Path

import pytest

from scalefit import bench
from scalefit.cli import main

PAGE = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """The folder and the names left when all blocks have run."""
    names: dict = {"__name__": "page"}
    folder = tmp_path_factory.mktemp("benchmarks")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(str(folder))
        for kind, text in BLOCKS:
            first = text.partition("\n")[0]
            if kind == "python" and first.endswith(".py"):
                Path(first.removeprefix("# ")).write_text(text)
            elif kind == "python":
                exec(compile(text, "benchmarks.md", "exec"), names)
            else:
                for line in text.splitlines():
                    assert main(shlex.split(line)[1:]) == 0, line
    return folder, names


def test_the_method_is_ten_lines():
    (text,) = (text for _, text in BLOCKS if text.startswith("# mine.py"))
    assert len(text.splitlines()) <= 12


def test_the_users_method_stands_beside_the_others(shown):
    folder, names = shown
    table = names["found"].table().set_index("method")
    assert list(table.index) == ["line", "power_floor", "last value"]
    # From the command line and from Python the same.
    kept = bench.read(folder / "runs.jsonl").table().set_index("method")
    assert kept.loc["line", "score"] == table.loc["line", "score"]
    assert set(kept.index) == {"power", "last value", "line"}


def test_the_page_names_what_was_run(shown):
    text = (shown[0] / "runs.html").read_text()
    assert "last value" in text
    assert "foresight/running_tiny" in text
    assert "http" not in re.sub(r"http://www.w3.org/\S+", "", text)


def test_the_groups_are_those_there_are():
    named = re.findall(r"^\| `(\w+)/\*` \|", PAGE, flags=re.MULTILINE)
    assert named == list(dict.fromkeys(task.group for task in bench.tasks()))
