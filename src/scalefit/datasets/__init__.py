"""Real runs to try things on: `load` reads what ships with the package, `fetch` public tables in a folder.

    runs = sf.datasets.load("tiny_lm")
    curves = sf.datasets.load("tiny_lm", "curves")

Every bundled data set is a folder beside this file: its tables, and `meta.json`,
which says how they were made.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from scalefit.frames import READERS, Frame, read
from scalefit.words import short

__all__ = ["about", "fetch", "folder", "load", "names"]

VARIABLE = "SCALEFIT_DATA"


def names() -> tuple[str, ...]:
    """The bundled data sets."""
    return tuple(
        sorted(folder.name for folder in files(__name__).iterdir() if (folder / "meta.json").is_file())
    )


def load(name: str, table: str = "runs") -> Frame:
    """A table of a bundled data set as a pandas frame:
    "runs" (one row per finished run) unless named otherwise."""
    tables = {file.name.split(".")[0]: file for file in _folder(name).iterdir() if _is_table(file.name)}
    if not isinstance(table, str) or table not in tables:
        raise KeyError(f"{name} has no table {short(table)}; it has {_listed(tables)}")
    with as_file(tables[table]) as path:
        return read(path)


def about(name: str) -> dict[str, Any]:
    """How a bundled data set was made: text, model, units, hardware."""
    return json.loads((_folder(name) / "meta.json").read_text())


def fetch(name: str, file: str | None = None) -> Frame:
    """A public table as a pandas frame, read from the folder that the
    environment variable SCALEFIT_DATA names.

    `fetch("chinchilla_epoch")` reads the one table in $SCALEFIT_DATA/chinchilla_epoch; where there are
    several, say which: `fetch("olmo_ladder", "final.csv")`.
    """
    where = folder(name)
    tables = sorted(path.name for path in where.iterdir() if _is_table(path.name))
    if file is None and len(tables) == 1:
        file = tables[0]
    if file not in tables:
        wrong = f"no table {file!r}" if file else "no single table"
        raise KeyError(f'{name} has {wrong}; say which with fetch("{name}", "..."): {_listed(tables)}')
    return read(where / file)


def folder(name: str) -> Path:
    """The folder of a public data set, in the one that the environment variable SCALEFIT_DATA names."""
    root = _root()
    if not (root / name).is_dir():
        known = sorted(path.name for path in root.iterdir() if path.is_dir())
        raise KeyError(f"{VARIABLE} ({root}) has no folder {name!r}; it has {_listed(known)}")
    return root / name


def _folder(name: str):
    if not isinstance(name, str) or name not in names():
        raise KeyError(f"there is no data set {short(name)}; there are {_listed(names())}")
    return files(__name__) / name


def _root() -> Path:
    if not os.environ.get(VARIABLE):
        raise FileNotFoundError(
            f"fetch downloads nothing: it reads public tables from the folder that the environment variable "
            f"{VARIABLE} names, which is not set; set it to a folder with one folder per data set, such as "
            "chinchilla_epoch/runs.csv (scalefit.bench.sources says whose each table is)"
        )
    root = Path(os.environ[VARIABLE])
    if not root.is_dir():
        raise FileNotFoundError(
            f"{VARIABLE} names {str(root)!r}, which is not a folder; set it to one that exists"
        )
    return root


def _is_table(name: str) -> bool:
    return any(name.removesuffix(".gz").endswith(ending) for ending in READERS)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
