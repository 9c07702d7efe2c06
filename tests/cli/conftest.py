import numpy as np
import pytest
from lines import CHINCHILLA, TRUTH, write

import scalefit as sf
from scalefit.cli import main


@pytest.fixture
def runs(tmp_path):
    """A table made by known coefficients, without noise."""
    N, D = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e7, 1e10, 5), np.geomspace(1e9, 1e11, 4)))
    return write(
        tmp_path / "runs.csv", {"size": N, "seen": D, "loss": sf.laws.chinchilla(TRUTH, {"N": N, "D": D})}
    )


@pytest.fixture
def saved(runs, tmp_path, capsys):
    """A saved fit of that table."""
    path = str(tmp_path / "saved.json")
    assert main(["fit", runs, *CHINCHILLA, "--save", path]) == 0
    capsys.readouterr()
    return path


@pytest.fixture
def several(runs, tmp_path):
    """A saved ensemble of two laws of that table, three quarters on the first."""
    fits = {law: sf.fit(law, runs, {"N": "size", "D": "seen"}, "loss") for law in ("chinchilla", "skaling")}
    path = str(tmp_path / "several.json")
    sf.Ensemble(fits, {"chinchilla": 0.75, "skaling": 0.25}).save(path)
    return path
