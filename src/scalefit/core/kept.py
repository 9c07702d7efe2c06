"""Compiled programs on disk, in the user's cache folder, so that the next process need not compile them.

    SCALEFIT_CACHE=off        keeps none
    SCALEFIT_CACHE=/some/dir  keeps them there

A program is found by a name made of all that it depends on: what it does and for which shapes, this library's
source, the version of JAX, the machine. Files are written beside and renamed, so that several processes may
read and write at once; one that is damaged is thrown away. The folder is at most `MOST_BYTES` large, the
programs not used for longest go first. A program is native code, so nothing is read from a folder or a file
that somebody else may have written.
"""

from __future__ import annotations

import os
import pickle
import platform
import stat
import sys
import tempfile
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax

from scalefit.core.settings import setting

__all__ = ["MOST_BYTES", "folder", "load", "name_of", "store"]

MOST_BYTES = 256 * 2**20
SUFFIX = ".program"


def folder() -> Path | None:
    """Where programs are kept, made and checked; None where none are."""
    setting = os.environ.get("SCALEFIT_CACHE", "")
    if setting.lower() == "off":
        return None
    try:
        place = (Path(setting) if setting else _user_cache() / "scalefit") / "programs"
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        return place if _ours(place.stat()) else None
    except (OSError, RuntimeError):  # a machine without a home or a place to write compiles each time
        return None


def load(name: str, device: Any) -> Any:
    """The program of that name, ready to be called; None where there is none that works."""
    place = folder()
    if place is None:
        return None
    path = place / (name + SUFFIX)
    try:
        with path.open("rb") as file:
            if not _ours(os.fstat(file.fileno())):
                return None
            found, content = file.read(32), file.read()
    except OSError:
        return None
    try:
        if found != sha256(content).digest():
            raise ValueError("damaged")
        from jax.experimental.serialize_executable import deserialize_and_load

        code, arguments, outcome = pickle.loads(content)
        program = deserialize_and_load(code, arguments, outcome, device.client, [device])
    except Exception:  # written by a version of JAX that says it is this one, or cut short
        with suppress(OSError):
            path.unlink()
        return None
    with suppress(OSError):
        os.utime(path)  # used last
    return program


def store(name: str, program: Any) -> None:
    """Keep a program under that name, if it can be; never an error."""
    place = folder()
    if place is None:
        return
    try:
        from jax.experimental.serialize_executable import serialize

        content = pickle.dumps(serialize(program))
        handle, beside = tempfile.mkstemp(dir=place, prefix=".", suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(sha256(content).digest() + content)
            os.replace(beside, place / (name + SUFFIX))
        except BaseException:
            with suppress(OSError):
                os.unlink(beside)
            raise
        _make_room(place)
    except Exception:  # a full disk, a program that holds arrays: it is compiled again next time
        return


def name_of(device: Any, *parts: Any) -> str:
    """A name for what depends on these parts, on the versions and on the machine."""
    return sha256(
        "\n".join((_surroundings(device.platform, device.device_kind), *map(str, parts))).encode()
    ).hexdigest()


@cache
def _surroundings(kind: str, device: str) -> str:
    """What makes a program another one beside what it does."""
    own = sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        own.update(path.read_bytes())
    parts = (
        own.hexdigest(),
        jax.__version__,
        version("jaxlib"),
        sys.version,
        platform.machine(),
        _processor(),
        os.cpu_count(),
        kind,
        device,
        os.environ.get("XLA_FLAGS", ""),
        setting("default_matmul_precision"),
        setting("numpy_dtype_promotion"),
    )
    return repr(parts)


def _processor() -> str:
    """The processor with all that it can do, as programs are compiled for it."""
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
        return " ".join(
            line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))
        )
    return platform.processor()


def _ours(found: os.stat_result) -> bool:
    """Whether it belongs to this user and nobody else may write it."""
    if not hasattr(os, "getuid"):
        return True
    return found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _make_room(place: Path) -> None:
    """Remove the programs not used for longest until the rest fit; and what killed processes left behind."""
    files = []
    for entry in os.scandir(place):
        with suppress(OSError):
            found = entry.stat()
            files.append((found.st_mtime, found.st_size, entry.path))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= MOST_BYTES:
            break
        with suppress(OSError):
            os.unlink(path)
        total -= size


def _user_cache() -> Path:
    base = os.environ.get("LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME")
    if base:
        return Path(base)
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
