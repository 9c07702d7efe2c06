"""What several test files share."""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import jax
import pytest

# Before matplotlib is first loaded: no test may need a screen.
os.environ["MPLBACKEND"] = "Agg"


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of public tables."""
    folder = os.environ.get("SCALEFIT_DATA")
    if not folder:
        pytest.skip("needs the public tables: set SCALEFIT_DATA to the folder that holds them")
    return Path(folder)


_run = count(1)


@pytest.fixture(autouse=True)
def _room_for_programs() -> Iterator[None]:
    """Compiled programs are dropped now and then: the memory maps of some thousand exceed what a process may have."""
    yield
    if next(_run) % 100 == 0:
        jax.clear_caches()
