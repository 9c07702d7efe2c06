"""Everything docs/forecasts.md shows is executed, and what it says comes out."""

import re
import shlex
from pathlib import Path

import pytest

import scalefit as sf
from scalefit.cli import main

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "forecasts.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def shown() -> dict:
    """The names left by the Python blocks, run in order."""
    names: dict = {}
    for k, text in enumerate(BLOCKS):
        exec(compile(text, f"forecasts.md, block {k}", "exec"), names)
    return names


def test_what_is_suggested(shown):
    laws = shown["laws"]
    assert set(laws.frame["law"]) == {"chinchilla", "skaling"}
    assert laws.frame["score"].notna().all()
    assert laws.unused["flops"] == "says what N and D say already"


def test_what_is_kept_and_settled(shown):
    content = shown["kept"].content
    assert list(content["runs"][0]["intervals"]) == ["0.5", "0.8", "0.9", "0.95"]
    assert content["assumptions"] == "same corpus and schedule"
    assert (shown["folder"] / "largest.settled.json").exists()
    assert shown["score"].measured == shown["measured"]
    assert shown["book"].settled == 1
    assert shown["book"].refused == {}
    with pytest.raises(ValueError, match="second settlement"):
        sf.settle(shown["folder"] / "largest.json", 1.01 * shown["measured"])


def test_the_command_lines_work(shown, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shown["runs"].to_csv("runs.csv", index=False)
    (block,) = re.findall(r"^```sh\n(scalefit.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    for line in block.splitlines():
        assert main(shlex.split(line)[1:]) in (0, 1), line
    assert re.search(r"^[01] of 1 settled forecast", capsys.readouterr().out, flags=re.MULTILINE)


def test_the_ledger_of_hindcasts_is_as_said():
    page = (ROOT / "benchmarks" / "hindcasts.md").read_text()
    assert re.search(r"of 23 settled forecasts", page)
    assert "of 23 public sweeps" in PAGE


def test_names_on_the_page_exist():
    for name in set(re.findall(r"sf\.(\w+)", PAGE)):
        assert hasattr(sf, name), name
