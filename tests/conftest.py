"""What several test files share."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

# Before matplotlib is first loaded: no test may need a screen.
os.environ["MPLBACKEND"] = "Agg"
# Before JAX is: what one test process has compiled, the others read. Made by the first process,
# gone when it ends.
KEPT = "JAX_COMPILATION_CACHE_DIR"
OURS = "" if KEPT in os.environ else os.environ.setdefault(KEPT, tempfile.mkdtemp(prefix="scalefit-tests-"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.3")
# The same for the library's own programs; nothing is read from, or left in, the user's cache.
os.environ["SCALEFIT_CACHE"] = os.environ[KEPT]

import jax  # noqa: E402
import pytest  # noqa: E402


def pytest_unconfigure() -> None:
    """The first process clears up."""
    if OURS:
        shutil.rmtree(OURS, ignore_errors=True)


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
    """Compiled programs are dropped now and then:
    the memory maps of some thousand exceed what a process may have."""
    yield
    if next(_run) % 100 == 0:
        jax.clear_caches()
