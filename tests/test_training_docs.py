"""Everything docs/training.md shows is executed, and what it says comes out."""

import re
from pathlib import Path

import pytest

import scalefit as sf

PAGE = (Path(__file__).parent.parent / "docs" / "training.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def shown(tmp_path, monkeypatch) -> dict:
    """The names left by the Python blocks, run in order in an empty folder."""
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for k, text in enumerate(BLOCKS):
        exec(compile(text, f"training.md, block {k}", "exec"), names)
    return names


def test_the_log_is_read_as_said(shown):
    (printed,) = re.findall(r"^```text\n(.*?)\n```", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert str(shown["log"]) == printed
    table = shown["log"].table
    assert table.columns.tolist() == ["run", "step", "tokens", "loss", "lr", "grad_norm", "time"]
    assert table["step"].tolist() == list(range(10, 301, 10))


def test_names_on_the_page_exist():
    for name in set(re.findall(r"sf\.((?:\w+\.)?\w+)", PAGE)) - {
        "callbacks.HuggingFace",
        "callbacks.Lightning",
    }:
        found = sf
        for part in name.split("."):
            found = getattr(found, part)
