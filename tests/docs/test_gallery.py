"""The gallery's page is what its script writes, every picture is there and small, and the code runs."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

import scalefit as sf

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def gallery():
    spec = importlib.util.spec_from_file_location("gallery", DOCS / "gallery.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["gallery"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["gallery"]


def test_the_page_is_what_the_script_writes(gallery):
    assert (DOCS / "gallery.md").read_text() == gallery.page()


def test_every_picture_is_shown_and_small(gallery):
    assert sorted(shown.name for shown in gallery.GALLERY) == sorted(set(sf.plot.__all__) - {"draw"})
    files = {path.stem: path.stat().st_size for path in (DOCS / "gallery").glob("*.png")}
    assert set(files) == {shown.name for shown in gallery.GALLERY}
    # Pictures weigh on every clone.
    assert max(files.values()) < 40_000


def test_the_code_that_is_shown_draws(gallery):
    from matplotlib import pyplot

    figures = gallery.drawn()
    assert set(figures) == {shown.name for shown in gallery.GALLERY}
    assert all(figure.axes for figure in figures.values())
    assert pyplot.get_fignums() == []
