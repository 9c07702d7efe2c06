"""Which columns speak of what, by their names: usual ones first, then by the words in them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from typing import Any

__all__ = ["Names", "columns_named", "same_name"]

# Words that say nothing of what is counted.
FILLERS = frozenset(
    (
        "n",
        "num",
        "number",
        "nr",
        "of",
        "the",
        "count",
        "total",
        "train",
        "training",
        "trained",
        "pretraining",
        "used",
    )
)


# Money and percent say what a number is, as words do.
SIGNS = "$€£¥%"
# Where logs keep settings and results, before the name itself: config/n_params, metrics.loss.
PLACE = re.compile(r"^(?:config|hparams|params|summary|metrics)[./]")


def same_name(name: Any) -> str:
    """A column's name without case, punctuation and where it was kept; single letters keep their case."""
    text = PLACE.sub("", str(name))
    return text if len(text) == 1 else "".join(c for c in text.lower() if c.isalnum() or c in SIGNS)


def columns_named(columns: Iterable[Any], usual: Iterable[str]) -> list[str]:
    """The columns that have one of these names, or else whose names say the same, as `numTokens` and
    "Training tokens (D)" do for n_tokens and D."""
    return Names(columns).named(usual)


class Names:
    """The names of a table's columns, looked up by what they say."""

    def __init__(self, columns: Iterable[Any]) -> None:
        self.columns = [str(column) for column in columns]

    def named(self, usual: Iterable[str]) -> list[str]:
        """The columns with one of these names, in the names' order; where there is none those that say so
        in words."""
        usual = tuple(usual)
        plain = dict.fromkeys(map(same_name, usual))
        found = [column for name in plain for column in self._by_name.get(name, ())]
        return found or self._in_words(usual)

    def _in_words(self, usual: tuple[str, ...]) -> list[str]:
        """The columns all of whose telling words are those of names among the usual ones."""
        ways = {_words(name) for name in usual if len(name) > 1} - {frozenset()}
        letters = frozenset(name.lower() for name in usual if len(name) == 1)
        some = dict.fromkeys(column for way in ways for word in way for column in self._by_word.get(word, ()))

        def said(column: str) -> bool:
            own = _words(column) - letters
            return own == frozenset[str]().union(*(way for way in ways if way <= own))

        return list(filter(said, some))

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for column in self.columns:
            found.setdefault(same_name(column), []).append(column)
        return found

    @cached_property
    def _by_word(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for column in self.columns:
            for word in _words(column):
                found.setdefault(word, []).append(column)
        return found


def _words(name: str) -> frozenset[str]:
    """The telling words of a name, each in the singular: "numTokens" is of tokens."""
    name = re.sub(r"([a-z\d])([A-Z])", r"\1 \2", PLACE.sub("", name))
    parts = re.findall(rf"[^\W\d_]+|\d+|[{SIGNS}]", name.lower())
    return frozenset(p[:-1] if p.endswith("s") and not p.endswith("ss") else p for p in parts) - FILLERS
