"""Pictures that stand inside a page."""

import base64
import xml.etree.ElementTree as ElementTree

import pytest

from scalefit.plot.embedded import MOST_POINTS, formula, picture

HOSTILE = '</script>"<img src=x>&amp;$\\frac$'


def names(ax):
    ax.plot([1, 2], [1, 2], label=HOSTILE)
    ax.set_title(HOSTILE, wrap=True)
    ax.set_xlabel(HOSTILE)
    ax.legend(title=HOSTILE)
    ax.set_xscale("log")


def content(address, kind):
    head, _, coded = address.partition(",")
    assert head == f"data:image/{kind};base64"
    return base64.b64decode(coded)


def test_names_that_are_no_formula_are_drawn_as_they_stand():
    assert picture(names) == picture(names)
    root = ElementTree.fromstring(content(picture(names), "svg+xml"))
    assert root.tag.endswith("svg")


def test_many_points_are_pixels():
    assert content(picture(names, MOST_POINTS + 1), "png").startswith(b"\x89PNG")


def test_a_formula():
    address = formula(r"E + \frac{A}{N^{\alpha}}")
    assert address == formula(r"E + \frac{A}{N^{\alpha}}")
    assert b"<svg" in content(address, "svg+xml")
    assert b"date" not in content(address, "svg+xml")


@pytest.mark.parametrize("latex", [r"\nonsense{", r"\frac{A"])
def test_what_cannot_be_set_is_none(latex):
    assert formula(latex) is None


def test_settings_are_left_alone():
    import matplotlib

    before = dict(matplotlib.rcParams)
    picture(names)
    formula("x^2")
    assert dict(matplotlib.rcParams) == before
