"""What several test files share."""

import os
from pathlib import Path

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
