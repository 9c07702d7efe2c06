"""Real runs to try things on: `load` reads what ships with the package, `fetch` public tables.

    runs = sf.datasets.load("tiny_lm")
    curves = sf.datasets.load("tiny_lm", "curves")
    losses = sf.datasets.fetch("gemstones")

Every bundled data set is a folder beside this file: its tables, and `meta.json`,
which says how they were made.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable
from difflib import get_close_matches
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from scalefit.datasets import download
from scalefit.datasets.originals import ORIGINALS
from scalefit.datasets.sources import SOURCES
from scalefit.frames import READERS, Frame, frame, read
from scalefit.words import short

__all__ = ["about", "fetch", "folder", "load", "names", "public"]

VARIABLE = "SCALEFIT_DATA"


def names() -> tuple[str, ...]:
    """The bundled data sets."""
    return tuple(
        sorted(folder.name for folder in files(__name__).iterdir() if (folder / "meta.json").is_file())
    )


def load(name: str, table: str = "runs") -> Frame:
    """A table of a bundled data set as a pandas frame:
    "runs" (one row per finished run) unless named otherwise."""
    tables = {file.name.split(".")[0]: file for file in _bundled(name).iterdir() if _is_table(file.name)}
    if not isinstance(table, str) or table not in tables:
        raise KeyError(f"{name} has no table {short(table)}; it has {_listed(tables)}")
    with as_file(tables[table]) as path:
        return read(path)


def about(name: str) -> dict[str, Any]:
    """How a bundled data set was made (text, model, units, hardware); whose a public one is (paper, licence,
    source, the addresses of its original files)."""
    if not isinstance(name, str) or name not in SOURCES:
        return json.loads((_bundled(name) / "meta.json").read_text())
    source = SOURCES[name]
    tables = ORIGINALS[name].tables if name in ORIGINALS else {}
    return {
        "name": name,
        "paper": source.paper,
        "licence": source.licence,
        "source": source.page,
        "tables": {
            file: [download.url(name, path) for path in table.files] for file, table in tables.items()
        },
        "not_downloaded": source.kept,
    }


def public() -> Frame:
    """The public data sets as a pandas frame: paper, licence, source, tables, and why one is not downloaded
    (empty where it is)."""
    rows = [about(name) for name in SOURCES]
    return frame([row | {"tables": ", ".join(row["tables"])} for row in rows])


def fetch(name: str, file: str | None = None) -> Frame:
    """A public table as a pandas frame: from the folder that the environment variable SCALEFIT_DATA names,
    else from the cache, else downloaded with pooch (the extra `data`) from where its authors put it.

    `fetch("gemstones")` gives the one table of that set, `fetch("regmix", "train_1m")` one of several. What
    is downloaded must make the table that scalefit knows, cell by cell.

    Args:
        name: of the set; `public()` lists all, `about(name)` says whose one is.
        file: the table, where the set has several.

    Returns:
        A pandas frame, the same wherever it comes from.

    Raises:
        KeyError: for a set or a table that there is not.
        FileNotFoundError: for a set that is not downloaded, such as one whose source states no licence, with
            the place to take it from; and where SCALEFIT_DATA names no folder.
        ConnectionError: where the originals cannot be reached.
        ValueError: where something else than this table came.
        ImportError: where pooch is needed and not installed.
    """
    where = _given(name)
    tables = [path.name for path in where.iterdir() if _is_table(path.name)] if where else list(_known(name))
    if where and not tables:
        raise KeyError(f"{where} holds no table ({', '.join(READERS)})")
    found = [table for table in tables if file in (table, table.removesuffix(".gz"), table.split(".")[0])]
    if file is None and len(tables) == 1:
        found = tables
    if not found:
        wrong = f"no table {short(file)}" if file is not None else "no single table"
        raise KeyError(f'{name} has {wrong}; say which with fetch("{name}", "..."): {_listed(tables)}')
    return read(where / found[0]) if where else download.fetched(name, found[0])


def folder(name: str) -> Path:
    """The folder of a public data set: the one in SCALEFIT_DATA, else the one in the cache."""
    if where := _given(name):
        return where
    tables, place = _known(name), download.cache()
    if place and all((place / name / file).is_file() for file in tables):
        return place / name
    more = [f', "{file}"' for file in tables] if len(tables) > 1 else [""]
    calls = ", ".join(f'sf.datasets.fetch("{name}"{file})' for file in more)
    raise FileNotFoundError(f"{name} is neither in {VARIABLE} nor fetched before; fetch it with {calls}")


def _given(name: str) -> Path | None:
    """The folder of that name in SCALEFIT_DATA, if any."""
    if not isinstance(name, str):
        raise TypeError(f"name a data set by a string, got {short(name)}")
    setting = os.environ.get(VARIABLE)
    if not setting:
        return None
    root = Path(setting).expanduser()
    if not root.is_dir():
        raise FileNotFoundError(
            f"{VARIABLE} names {setting!r}, which is not a folder; set it to one that exists"
        )
    return root / name if name in (path.name for path in root.iterdir() if path.is_dir()) else None


def _known(name: str) -> Collection[str]:
    """The tables of a set that can be downloaded."""
    root = os.environ.get(VARIABLE)
    if name not in SOURCES:
        own = [path.name for path in Path(root).expanduser().iterdir() if path.is_dir()] if root else []
        known, low = [*SOURCES, *own], name.lower()
        near = [one for one in known if low and low in one] or get_close_matches(low, known, n=3)
        hint = "sf.datasets.public() lists them"
        if name in names():
            hint = f'load("{name}") reads the bundled one'
        elif near:
            hint = f"did you mean {', '.join(list(dict.fromkeys(near))[:3])}?"
        elif root:
            hint += f"; {VARIABLE} ({root}) has no folder {name!r}; it has {_listed(own)}"
        raise KeyError(f"there is no public data set {short(name)}; {hint}")
    if name in ORIGINALS:
        return ORIGINALS[name].tables
    source, place = SOURCES[name], f"a folder that the environment variable {VARIABLE} names"
    raise FileNotFoundError(
        f"{name} is not downloaded, as {source.kept}: take it from {source.page} and put its table, "
        f"{name}/NAME.csv, into {root or place}"
    )


def _bundled(name: str):
    if not isinstance(name, str) or name not in names():
        hint = f'; fetch("{name}") gives the public one' if isinstance(name, str) and name in SOURCES else ""
        raise KeyError(f"there is no bundled data set {short(name)}; there are {_listed(names())}{hint}")
    return files(__name__) / name


def _is_table(name: str) -> bool:
    return any(name.removesuffix(".gz").endswith(ending) for ending in READERS)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
