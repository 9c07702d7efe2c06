"""Generated nasty calls: a clear sentence or a sound answer, and no NaN without a word.

    python tests/test_fuzz.py 1000

runs as many of each kind and prints how they ended, by area; the tests run a few of each.
"""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sentences import REFUSALS, check_sentence

import scalefit as sf

FEW = 60
CELLS = (
    None, np.nan, np.inf, -np.inf, 0, -1, -0.0, 1e-320, 1e308, -1e308, "a", "", "1e9", "53.3M", "3,5", True,
    10**400, -(2**63), [], {}, 1j, b"1", np.float32(2.5), np.datetime64("2024-01-01"), pd.NA, pd.NaT,
)  # fmt: skip
NAMES = ("N", "D", "loss", "y", "run", "n_params", "a\nb", "<b>x</b>", "", "=1+1", "C")
Draw = np.random.Generator


def table(rng: Draw) -> Any:
    """Runs of a law with things wrong in them: cells, columns, scales, lengths, kinds of tables."""
    n = int(rng.choice([1, 2, 5, 6, 12, 24]))
    N = 10 ** rng.uniform(6, 10, n)
    x = {"N": N, "D": N * 10 ** rng.uniform(0, 3, n)}
    law = sf.laws.chinchilla
    y = law(law.published["hoffmann2022"], x) * np.exp(rng.choice([0, 1e-3, 0.1]) * rng.standard_normal(n))
    runs: dict[str, Any] = {**x, "loss": np.asarray(y)}
    for _ in range(int(rng.integers(0, 3))):
        name = str(rng.choice(list(runs)))
        if np.shape(runs[name]) != (n,):
            continue
        column = np.asarray(runs[name])
        what = int(rng.integers(0, 12))
        if what == 0:
            cells = column.astype(object).tolist()
            if cells:
                cells[int(rng.integers(len(cells)))] = CELLS[int(rng.integers(len(CELLS)))]
            runs[name] = cells
        elif what == 1:
            with np.errstate(all="ignore"):
                runs[name] = column.astype(float) * 10.0 ** rng.integers(-300, 300)
        elif what == 2:
            runs[name] = np.full(n, column[0])
        elif what == 3:
            runs[name] = column[: int(rng.integers(0, len(column) + 1))]
        elif what == 4:
            runs[str(NAMES[int(rng.integers(len(NAMES)))])] = runs.pop(name)
        elif what == 5:
            with np.errstate(all="ignore"):
                runs[name] = column.astype(rng.choice(["float32", "int64", "float16"]))
        elif what == 6:
            runs[name] = [str(cell) for cell in column.tolist()]
        elif what == 7:
            runs[name] = CELLS[int(rng.integers(len(CELLS)))]
        elif what == 8:
            runs[name] = -column
        elif what == 9:
            runs[name] = np.stack([column, column])
        elif what == 10:
            runs["weight"] = rng.choice([0.0, 1.0, 1e-300, 1e300, np.nan, -1.0], len(column))
        else:
            runs[name] = np.round(column.astype(float), -int(rng.integers(-3, 9)))
    if rng.random() < 0.4:
        try:
            return pd.DataFrame(runs, index=rng.permutation(n) if rng.random() < 0.3 else None)
        except (ValueError, TypeError):
            return runs
    return runs


def nothing_hidden(frame: pd.DataFrame) -> None:
    """Every row of numbers is whole, or says why not."""
    numbers = frame.select_dtypes("number")
    open_ = numbers.isna().any(axis=1)
    assert not open_.any() or (frame.loc[open_, "caution"] != "").all(), frame.to_string()


def fit_any(rng: Draw, fit: sf.Fit, folder: Path) -> None:
    try:
        runs = table(rng)
    except (ValueError, TypeError):  # two edits that numpy itself cannot make one after the other
        return
    options: dict[str, Any] = {"law": "chinchilla"}
    if (isinstance(runs, dict) and "weight" in runs) or (
        isinstance(runs, pd.DataFrame) and "weight" in runs.columns
    ):
        options["weight"] = "weight"
    if rng.random() < 0.1:
        options[str(rng.choice(["y", "group", "inputs", "n_starts"]))] = CELLS[int(rng.integers(len(CELLS)))]
    found = sf.fit(runs=runs, **options)
    assert found.summary()
    assert np.isfinite(found.value) or found.status.trust == "bad"
    assert all(np.isfinite(v) for v in found.coefs.values()) or found.status.trust == "bad"


def predict_any(rng: Draw, fit: sf.Fit, folder: Path) -> None:
    def column() -> Any:
        kind = int(rng.integers(0, 6))
        if kind == 0:
            return CELLS[int(rng.integers(len(CELLS)))]
        if kind == 1:
            return [CELLS[int(rng.integers(len(CELLS)))] for _ in range(int(rng.integers(0, 4)))]
        return 10 ** rng.uniform(*((6, 12) if kind < 5 else (-320, 308)), int(rng.integers(1, 4)))

    x: Any = {"N": column(), "D": column()}
    if rng.random() < 0.1:
        x = CELLS[int(rng.integers(len(CELLS)))]
    level = [None, 0.9, 0.5, 1e-9, 1 - 1e-12, CELLS[int(rng.integers(len(CELLS)))]][int(rng.integers(6))]
    kind = str(rng.choice(["mean", "run"]))
    found = fit.predict(x, level, kind)
    if level is None:
        assert not np.isnan(found).any()
        return
    nothing_hidden(found)
    inside = (found.lo <= found["mean"] * (1 + 1e-9)) & (found["mean"] <= found.hi * (1 + 1e-9))
    assert (inside | (found.caution != "")).all(), found.to_string()


def optimal_any(rng: Draw, fit: sf.Fit, folder: Path) -> None:
    options: dict[str, Any] = {"C": 10 ** rng.uniform(10, 30, int(rng.integers(1, 4)))}
    for name in ("C", "level", "limits", "menu", "at", "loss", "key"):
        if rng.random() < 0.15:
            options[name] = CELLS[int(rng.integers(len(CELLS)))]
    if rng.random() < 0.3:
        lo, hi = np.sort(10 ** rng.uniform(5, 13, 2))
        options["limits"] = {str(rng.choice(["N", "D"])): (lo, hi)}
    found = sf.optimal(fit, **options)
    nothing_hidden(found)


def isoflop_any(rng: Draw, fit: sf.Fit, folder: Path) -> None:
    budget = np.repeat(np.geomspace(1e18, 1e20, int(rng.integers(1, 5))), int(rng.integers(1, 8)))
    N = np.sqrt(budget / 120) * 10 ** rng.uniform(-0.7, 0.7, len(budget))
    x = {"N": N, "D": budget / 6 / N}
    law = sf.laws.chinchilla
    loss = np.asarray(law(law.published["hoffmann2022"], x)) * np.exp(0.003 * rng.standard_normal(len(N)))
    runs: dict[str, Any] = {**x, "C": budget, "loss": loss}
    for _ in range(int(rng.integers(0, 3))):
        name = str(rng.choice(list(runs)))
        if len(runs[name]) != len(N):
            continue
        kind = int(rng.integers(0, 4))
        if kind == 0:
            cells = np.asarray(runs[name]).astype(object).tolist()
            cells[int(rng.integers(len(cells)))] = CELLS[int(rng.integers(len(CELLS)))]
            runs[name] = cells
        elif kind == 1:
            runs[name] = np.asarray(runs[name])[: int(rng.integers(0, len(N) + 1))]
        elif kind == 2:
            runs[name] = [runs[name][0]] * len(N)
        else:
            runs.pop(name)
        if not runs:
            break
    options: dict[str, Any] = {"n_draws": 20}
    if rng.random() < 0.5:
        options["budget"] = "C"
    if rng.random() < 0.2:
        options["method"] = str(rng.choice(["parabola", "cubic", "akima", "spline"]))
    found = sf.isoflop(runs, **options)
    assert repr(found)


def load_any(rng: Draw, fit: sf.Fit, folder: Path) -> None:
    fit.save(folder / "fit.json")
    text = (folder / "fit.json").read_text()
    kind, place = int(rng.integers(0, 4)), int(rng.integers(len(text)))
    if kind == 0:
        text = text[:place]
    elif kind == 1:
        text = text[:place] + chr(int(rng.integers(32, 126))) + text[place + 1 :]
    elif kind == 2:
        saved = json.loads(text)
        inside = saved
        while isinstance(inside, dict | list) and len(inside) and rng.random() < 0.8:
            parts = list(inside) if isinstance(inside, dict) else list(range(len(inside)))
            part = parts[int(rng.integers(len(parts)))]
            if not isinstance(inside[part], dict | list) or rng.random() < 0.3:
                inside[part] = [None, 0, -1.5, "x", [], {}, 1e308, True][int(rng.integers(8))]
                break
            inside = inside[part]
        text = json.dumps(saved)
    else:
        text = str(rng.choice(["[", "{", "null", "\ufeff", "NaN", '{"format":4}'])) * int(
            rng.integers(1, 2000)
        )
    (folder / "fit.json").write_text(text)
    try:
        again = sf.load(folder / "fit.json")
    except ValueError as refused:
        if not str(refused).startswith("'fit.json' cannot be loaded: "):
            raise AssertionError("the refusal does not name the file") from refused
        raise
    assert again.coefs == fit.coefs
    assert again.status == fit.status
    np.testing.assert_array_equal(again.covariance, fit.covariance)


def sweep_any(rng: Draw, fit: sf.Fit, folder: Path) -> None:
    N, lr = (grid.ravel() for grid in np.meshgrid([1e8, 1e9], np.geomspace(1e-4, 1e-2, 9)))
    runs: dict[str, Any] = {"N": N, "lr": lr, "loss": 3 + 0.02 * np.log(lr / 1e-3 * np.sqrt(N / 1e8)) ** 2}
    for _ in range(int(rng.integers(0, 3))):
        name = str(rng.choice(list(runs)))
        cells = np.asarray(runs[name]).tolist() if isinstance(runs[name], np.ndarray) else list(runs[name])
        kind = int(rng.integers(0, 3))
        if kind == 0 and cells:
            cells[int(rng.integers(len(cells)))] = CELLS[int(rng.integers(len(CELLS)))]
        elif kind == 1:
            cells = cells[: int(rng.integers(0, len(cells) + 1))]
        elif cells:
            cells = [cells[0]] * len(cells)
        runs[name] = cells
    options: dict[str, Any] = {"over": ["lr"], "by": ["N"], "n_draws": 20}
    for name in ("over", "by", "y", "level", "tolerance", "noise", "sequence_length", "n_draws", "key"):
        if rng.random() < 0.05:
            options[name] = CELLS[int(rng.integers(len(CELLS)))]
    found = sf.sweep(runs, **options)
    assert repr(found)
    told = found.cells[found.cells["used"]]
    assert (told["lr"] > 0).all()


AREAS: dict[str, Callable[[Draw, sf.Fit, Path], None]] = {
    "fit": fit_any,
    "predict": predict_any,
    "optimal": optimal_any,
    "isoflop": isoflop_any,
    "load": load_any,
    "sweep": sweep_any,
}


def known() -> sf.Fit:
    rng = np.random.default_rng(5)
    N = 10 ** rng.uniform(7, 9.5, 24)
    x = {"N": N, "D": N * 10 ** rng.uniform(0.5, 2, 24)}
    found = sf.simulate(sf.laws.chinchilla, None, x, noise=0.003, key=1)
    return sf.fit("chinchilla", {**x, "loss": found["y"]})


def ended(area: str, key: int, fit: sf.Fit, folder: Path) -> str:
    """Refused, or answered; what is neither raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("ignore", sf.CautionWarning)
        try:
            AREAS[area](np.random.default_rng([list(AREAS).index(area), key]), fit, folder)
        except REFUSALS as refused:
            check_sentence(refused)
            return "refused"
    return "answered"


@pytest.mark.parametrize("area", list(AREAS))
def test_a_clear_sentence_or_a_sound_answer(area, tmp_path):
    fit = known()
    found = Counter(ended(area, key, fit, tmp_path) for key in range(FEW))
    assert found["refused"] > FEW // 20
    assert found["answered"] > 0 or area == "load"


def main(n: int, areas: list[str]) -> None:
    """Many of each kind, and every one that ended otherwise."""
    fit = known()
    with tempfile.TemporaryDirectory() as folder:
        for area in areas or list(AREAS):
            found: Counter[str] = Counter()
            for key in range(n):
                try:
                    found[ended(area, key, fit, Path(folder))] += 1
                except Exception as error:
                    found["neither"] += 1
                    print(f"{area} {key}: {type(error).__name__}: {str(error)[:300]}", flush=True)
            print(area, dict(found), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
