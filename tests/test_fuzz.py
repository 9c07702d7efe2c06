"""Generated nasty calls and files: a clear sentence or a sound answer, and no NaN without a word.

A few of each kind; benchmarks/fuzz.py runs 100,000.
"""

from __future__ import annotations

from collections import Counter

import pytest
from nasty import AREAS, CALLS, ROWS, World, ended

FEW = 60


@pytest.fixture(scope="module")
def known() -> World:
    return World()


@pytest.mark.parametrize("area", list(AREAS))
def test_a_clear_sentence_or_a_sound_answer(area, known, tmp_path):
    found = Counter(ended(area, key, known, tmp_path) for key in range(FEW))
    assert found["refused"] > FEW // 20
    assert found["answered"] > 0 or area == "saved fits"


@pytest.mark.parametrize("name", list(CALLS))
def test_the_calls_that_are_edited_work(name, known):
    call, works = CALLS[name]
    call(known, **works(known))


def test_every_call_is_refused_or_answered(known, tmp_path):
    for name in (*CALLS, *ROWS):
        ended(name, 0, known, tmp_path)
