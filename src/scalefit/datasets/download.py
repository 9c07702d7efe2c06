"""Tables that are not here yet: originals are fetched with pooch, read, checked, and kept as tidy tables.

A table lies in the cache under the name and in the form that it has in a folder of SCALEFIT_DATA. It is put
in place whole, so that several processes may fetch at once, and checked again whenever it is read.
"""

from __future__ import annotations

import csv
import os
import tempfile
import warnings
from collections.abc import Iterable, Sequence
from contextlib import suppress
from io import StringIO
from pathlib import Path

from scalefit import files
from scalefit.datasets import parsing
from scalefit.datasets.originals import ORIGINALS, Table
from scalefit.datasets.sources import SOURCES
from scalefit.frames import Frame, read

__all__ = ["cache", "fetched", "url"]

HOST = "https://raw.githubusercontent.com"
SECONDS = 30


def cache() -> Path | None:
    """Where tables are kept: with the compiled programs, in the user's cache folder or SCALEFIT_CACHE's; None
    where that is off, or where pooch, which tells the user's, is not installed."""
    setting = os.environ.get("SCALEFIT_CACHE", "")
    if setting.lower() == "off":
        return None
    if setting:
        return Path(setting) / "tables"
    with suppress(ImportError):
        import pooch

        return Path(pooch.os_cache("scalefit")) / "tables"
    return None


def url(name: str, path: str) -> str:
    """The address of an original file."""
    return f"{HOST}/{SOURCES[name].repository}/{ORIGINALS[name].commit}/{path}"


def fetched(name: str, file: str) -> Frame:
    """A table of a downloadable set, from the cache where it is whole, else from its originals."""
    table, place = ORIGINALS[name].tables[file], cache()
    path = place and place / name / file
    if path and _is_whole(path, table):
        return read(path)
    text = _text(_checked(name, file, table))
    if path and _kept(path, text):
        return read(path)
    with tempfile.TemporaryDirectory() as folder:
        files.write(Path(folder) / file, text)
        return read(Path(folder) / file)


def _kept(path: Path, text: str) -> bool:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.write(path, text)
        return True
    except OSError as error:
        warnings.warn(
            f"{path} cannot be kept ({error.strerror or error}) and is downloaded anew each time; "
            f"let SCALEFIT_CACHE name a folder that can be written to",
            stacklevel=4,
        )
        return False


def _is_whole(path: Path, table: Table) -> bool:
    with suppress(OSError, ValueError, csv.Error), path.open(newline="", encoding="utf-8") as content:
        return parsing.digest(csv.reader(content)) == table.digest
    return False


def _checked(name: str, file: str, table: Table) -> list[list[str]]:
    """Cells of a table, read from its originals."""
    originals = _downloaded(name, table.files)
    try:
        texts = [content.decode("utf-8-sig") for content in originals]
        cells = parsing.row_texts(table.parser(*texts), table.digits)
        if parsing.digest(cells) == table.digest:
            return cells
    except Exception:
        pass  # what is read may be anything, such as a page that asks to log in
    raise ValueError(
        f"what came from {url(name, table.files[0])} does not make the {file} of {name} that scalefit knows, "
        f"and nothing was kept: see in a browser what is there, or put a table that you trust into the "
        f"folder {name} of one that SCALEFIT_DATA names"
    )


def _downloaded(name: str, paths: Sequence[str]) -> list[bytes]:
    try:
        import pooch
    except ImportError:
        raise ImportError(
            f'{name} is downloaded with pooch, which is an extra: pip install "scalefit-jax[data]"'
        ) from None
    load, found = pooch.HTTPDownloader(timeout=SECONDS), []
    with tempfile.TemporaryDirectory() as folder:
        for k, path in enumerate(paths):
            copy, address = Path(folder) / str(k), url(name, path)
            try:
                load(address, str(copy), None)
            except OSError as error:
                answer = getattr(error, "response", None)
                said = (
                    f"gave no answer ({type(error).__name__})"
                    if answer is None
                    else f"answered {answer.status_code}"
                )
                raise ConnectionError(
                    f"{name} is not on this machine and {address} {said}: fetch it with a network, or copy "
                    f"{cache() or 'SCALEFIT_CACHE/tables'}/{name} from a machine that has fetched it"
                ) from error
            found.append(copy.read_bytes())
    return found


def _text(cells: Iterable[Sequence[str]]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(cells)
    return text.getvalue()
