"""Every block of these pages is executed, what they show comes out, and no warning lacks its section."""

from __future__ import annotations

import ast
import json
import re
import shlex
from pathlib import Path

import pytest

import scalefit as sf
from scalefit.cli import main
from scalefit.fits.status import SEVERITIES

ROOT = Path(__file__).parents[2]
PAGES = (
    "index",
    "quickstart",
    "which_law",
    "reading_a_fit",
    "pitfalls",
    "curves",
    "coming_from",
    "own_laws",
    "agents",
)
NUMBER = re.compile(r"\d[\d.e+-]*")


def blocks(page: str) -> list[tuple[str, str]]:
    """Kind and text of each, in order."""
    text = (ROOT / "docs" / f"{page}.md").read_text()
    return re.findall(r"^```(\w+)\n(.*?)\n```$", text, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_every_block_runs_and_shows_what_comes_out(page, tmp_path, monkeypatch, capsys):
    """Python shares its names down the page, lines of a shell run in the same folder.

    Texts are what was printed, but for numbers, which differ a little from machine to machine.
    """
    if page == "coming_from":
        pytest.importorskip("lmfit", reason="half of the page is about lmfit")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    printed = ""
    for k, (kind, text) in enumerate(blocks(page)):
        if kind == "python":
            exec(compile(text, f"{page}.md, block {k}", "exec"), names)
        elif kind == "sh":
            for line in text.splitlines():
                program, *words = shlex.split(line)
                assert program == "scalefit"
                assert main(words) in (0, 1), line
        printed += capsys.readouterr().out
        if kind == "text":
            for line in text.splitlines():
                shape = [" ".join(NUMBER.sub("#", one).split()) for one in (line, printed)]
                assert shape[0] in shape[1], line
    from matplotlib import pyplot

    pyplot.close("all")


def test_the_keys_of_a_fit_are_as_said(tmp_path, capsys):
    page = (ROOT / "docs" / "agents.md").read_text()
    said = page[page.index("`fit --json` prints") : page.index("`predict`, `optimal`, `decide` and")]
    runs = tmp_path / "runs.csv"
    sf.datasets.load("tiny_lm")[["n_params", "n_tokens", "loss"]].to_csv(runs, index=False)
    assert main(["fit", str(runs), "--law", "chinchilla", "--json"]) in (0, 1)
    told = json.loads(capsys.readouterr().out)
    keys = set(told) | set(told["warnings"][0])
    assert keys | {"fit --json"} == set(re.findall(r"`([^`]+)`", said))


def test_calls_in_lists_name_laws_and_their_inputs():
    page = (ROOT / "docs" / "which_law.md").read_text()
    calls = re.findall(r"^- .*?: `(sf\.fit\(.*?\))`", page, flags=re.MULTILINE)
    assert len(calls) > 10
    for text in calls:
        call = ast.parse(text, mode="eval").body
        assert isinstance(call, ast.Call)
        said = {keyword.arg: keyword.value for keyword in call.keywords}
        if "inputs" in said:
            law = sf.laws[ast.literal_eval(call.args[0])]
            assert set(ast.literal_eval(said["inputs"])) == set(law.inputs)


def strings(node: ast.expr) -> set[str]:
    """The string an expression is, or those it chooses from."""
    if isinstance(node, ast.IfExp):
        return strings(node.body) | strings(node.orelse)
    return {node.value} if isinstance(node, ast.Constant) and isinstance(node.value, str) else set()


def codes() -> set[str]:
    """First arguments of warnings in the source, and what stands beside a severity."""
    found = {"at-limit", "unspent", "floor"}  # of the column `caution` alone
    for path in (ROOT / "src" / "scalefit").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and getattr(node.func, "id", "") in ("Caution", "_found")
                and node.args
            ):
                found |= strings(node.args[0])
            elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "code":
                found |= strings(node.value)
            elif (
                isinstance(node, ast.Tuple)
                and len(node.elts) == 3
                and strings(node.elts[1]) & set(SEVERITIES)
            ):
                found |= strings(node.elts[0])
    return found - set(SEVERITIES)


def test_every_warning_has_its_section():
    page = (ROOT / "docs" / "pitfalls.md").read_text()
    sections = re.findall(r"^### (\S+)$", page, flags=re.MULTILINE)
    assert len(sections) == len(set(sections))
    assert set(sections) == codes()


def test_the_three_codes_of_answers_are_those_in_the_source():
    source = (ROOT / "src" / "scalefit" / "decisions" / "optimal.py").read_text()
    assert all(f'"{code}"' in source for code in ("at-limit", "unspent", "floor"))


@pytest.mark.parametrize("name", ["llms.txt", *(f"{page}.md" for page in (*PAGES, "faq", "data"))])
def test_names_on_the_pages_exist(name):
    for called in set(
        re.findall(r"\bsf\.((?:plot\.|datasets\.|schedule\.)?\w+)", (ROOT / "docs" / name).read_text())
    ):
        found = sf
        for part in called.split("."):
            found = getattr(found, part)
