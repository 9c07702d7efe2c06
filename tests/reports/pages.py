"""What the tests of the page share: a page read as a browser reads it, and answers to write pages about."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import numpy as np

import scalefit as sf

VOID = {"meta", "link", "img", "input", "br", "hr"}
# Hoffmann-like coefficients; a page does not care which.
TRUTH = {"E": 1.8, "A": 480.0, "B": 2000.0, "alpha": 0.35, "beta": 0.37}
SIZES, TOKENS = np.geomspace(1e7, 1e10, 4), np.geomspace(1e9, 1e11, 4)


def table(y="loss"):
    """Sixteen runs of a known law with 0.4 % of noise."""
    N, D = (grid.ravel() for grid in np.meshgrid(SIZES, TOKENS))
    noise = np.exp(0.004 * np.random.default_rng(7).standard_normal(N.size))
    return {"N": N, "D": D, y: np.asarray(sf.laws.chinchilla(TRUTH, {"N": N, "D": D})) * noise}


class Page(HTMLParser):
    """Elements in order as (tag, attributes, words inside), and whether every one was closed in turn."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self._open, self.text = [], [], text
        self.feed(text)
        self.close()
        assert self._open == [], f"not closed: {self._open}"

    def handle_starttag(self, tag, attributes):
        assert len(dict(attributes)) == len(attributes), f"an attribute of {tag} is there twice"
        element = [tag, dict(attributes), ""]
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag):
        assert self._open, f"</{tag}> closes nothing"
        assert self._open[-1][0] == tag, f"</{tag}> stands in <{self._open[-1][0]}>"
        self._open.pop()

    def handle_data(self, data):
        for element in self._open:
            element[2] += data

    def all(self, *tags):
        return [element for element in self.elements if element[0] in tags]

    def by_id(self, name):
        (found,) = [element for element in self.elements if element[1].get("id") == name]
        return found

    @property
    def data(self):
        """The numbers that the script works with."""

        def refuse(word):
            raise AssertionError(f"{word} is not JSON")

        return json.loads(self.by_id("data")[2], parse_constant=refuse)


def read(path):
    return Page(path.read_text(encoding="utf-8"))
