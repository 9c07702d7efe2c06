"""Frames of other libraries: taken as they are, lazy ones collected, and the same kind given back."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

import scalefit as sf
from scalefit import frames

N, D = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e7, 1e9, 4), np.geomspace(1e9, 1e11, 4)))
LOSS = 1.8 + 480 / N**0.35 + 2000 / D**0.37
RUNS = {"N": N, "D": D, "loss": LOSS * np.exp(0.003 * np.sin(np.arange(16.0)))}
NEXT = {"N": [1e10, 2e10], "D": [1e11, 2e11]}


def made(kind: str, columns: dict):
    if kind == "pandas":
        return pd.DataFrame(columns)
    if kind == "pyarrow":
        return pytest.importorskip("pyarrow").table(columns)
    if kind == "modin":
        return pytest.importorskip("modin.pandas").DataFrame(columns)
    frame = pytest.importorskip("polars").DataFrame(columns)
    return frame.lazy() if kind == "lazy" else frame


@pytest.fixture(scope="module")
def fit() -> sf.Fit:
    return sf.fit("chinchilla", RUNS)


@pytest.mark.parametrize("kind", ["polars", "lazy", "pyarrow", "modin", "pandas"])
def test_in_and_out(fit, kind):
    again = sf.fit("chinchilla", made(kind, RUNS))
    assert again.coefs == fit.coefs
    given = made(kind, NEXT)
    np.testing.assert_array_equal(fit.predict(given), fit.predict(NEXT))
    ensemble = sf.Ensemble({"a": fit}, {"a": 1.0})
    for answer in (fit, ensemble):
        told, wanted = answer.predict(given, 0.9), answer.predict(NEXT, 0.9)
        if kind in ("polars", "lazy"):
            assert type(told) is type(made("polars", NEXT))
        elif kind == "pyarrow":
            assert type(told) is type(given)
        else:
            assert isinstance(told, pd.DataFrame)
        for name in wanted:
            np.testing.assert_array_equal(np.asarray(told[name]).tolist(), wanted[name].tolist())
    assert fit.cautions(given) == fit.cautions(NEXT)
    drawn = [sf.simulate(sf.laws.chinchilla, fit.coefs, x, noise=0.01, key=2)["y"] for x in (given, NEXT)]
    np.testing.assert_array_equal(*drawn)


@pytest.mark.parametrize("kind", ["polars", "pyarrow"])
def test_cells_without_a_value_are_named_by_their_row(kind):
    gaps = {**RUNS, "D": [None, *D[1:].tolist()]}
    with pytest.raises(ValueError, match=r"column 'D' .* row 0"):
        sf.fit("chinchilla", made(kind, gaps))


def test_what_is_no_frame():
    class Almost:
        columns = ("N",)

    for given in (Almost(), pd.Series([1.0]), np.ones((3, 3)), 5):
        with pytest.raises(TypeError, match="runs must be a frame, a dict of columns or a path"):
            sf.fit("chinchilla", given)


def test_two_columns_of_one_name():
    twice = pytest.importorskip("pyarrow").table([[1.0], [2.0]], names=["a", "a"])
    with pytest.raises(ValueError, match="two columns of one name; rename or drop one"):
        sf.fit("chinchilla", twice)


def test_parquet_without_its_extra_is_one_sentence(tmp_path, monkeypatch):
    for name in ("pyarrow", "pyarrow.parquet", "fastparquet"):
        monkeypatch.setitem(sys.modules, name, None)
    (tmp_path / "runs.parquet").write_bytes(b"PAR1")
    with pytest.raises(ImportError, match=r"^'runs\.parquet': Parquet needs PyArrow, .*\[readers\]\"$"):
        frames.read(tmp_path / "runs.parquet")


@pytest.mark.parametrize("name", ["loss_c4_val", "eval/loss", "Final Loss (nats)"])
def test_the_only_column_named_like_a_loss_is_taken_and_said(name):
    x = np.geomspace(1e6, 1e9, 9)
    runs = pd.DataFrame({"flops": x, name: (2 + 40 / x**0.3).round(4), "loss_std": 0.1})
    found = sf.fit("power_floor", runs, {"x": "flops"})
    assert found.columns["y"] == name
    assert f"y = column '{name}' (guessed)" in found.summary()
    assert found.coefs == sf.fit("power_floor", runs, {"x": "flops"}, name).coefs
