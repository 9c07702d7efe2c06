"""The documentation site builds without a warning, asks nothing of the network, and its map leads to pages.

Notebooks are only rendered here; test_notebooks.py executes them, and `make docs` does so with their outputs.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from browsing import headless, inaccessible, resize

import scalefit as sf

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    for name in ("sphinx", "pydata_sphinx_theme", "myst_nb", "jupytext"):
        pytest.importorskip(name, reason="the extra 'docs' is not installed")
    out = tmp_path_factory.mktemp("site")
    options = ["-q", "-W", "--keep-going", "-D", "nb_execution_mode=off"]
    build = [sys.executable, "-m", "sphinx", *options, "docs", str(out)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_every_public_name_and_law_has_its_place(site):
    api = (site / "api" / "index.html").read_text()
    assert [name for name in sf.__all__ if f"scalefit.{name}.html" not in api] == []
    laws = "".join(page.read_text() for page in (site / "laws").glob("*.html"))
    assert [law.name for law in sf.laws if f"<h2>{law.name}<" not in laws] == []
    assert laws.count("<math") >= len(sf.laws.names())


def test_nothing_is_fetched(site):
    for page in site.rglob("*.html"):
        found = re.findall(
            r'<(?:script|img|link rel="stylesheet")[^>]+(?:src|href)="(https?:[^"]+)"', page.read_text()
        )
        assert found == [], page.name


def test_the_map_for_language_models_leads_to_pages(site):
    text = (site / "llms.txt").read_text()
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 8
    assert [link for link in links if not (site / link).is_file()] == []


@pytest.fixture(scope="module")
def browser():
    yield from headless()


@pytest.mark.parametrize("width", [1200, 390])
@pytest.mark.parametrize("name", ["index", "quickstart", "training", "gallery", "laws/power-terms", "faq"])
def test_pages_are_accessible(site, browser, name, width):
    resize(browser, width, mobile=width < 500)
    browser.get((site / f"{name}.html").as_uri())
    assert inaccessible(browser) == []
