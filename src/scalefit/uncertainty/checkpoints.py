"""A long study's file: a header that says which study, then a line of JSON per finished part,
only ever appended.

A study that is killed loses the part it was at: `resume` reads the others, `append` goes on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["append", "resume"]


def resume(path: str | Path, header: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The finished parts in the file, which is begun with `header` where it does not exist yet.

    A half-written last line is removed. Raises ValueError for a file that holds another study or is damaged.
    """
    path, wanted = Path(path), json.loads(json.dumps(header))
    text = path.read_bytes() if path.exists() else b""
    whole = text[: text.rfind(b"\n") + 1]
    try:
        found, *parts = [json.loads(line) for line in whole.splitlines()] or [None]
    except ValueError as error:
        raise ValueError(f"{path} is no study's file, or damaged; give a new file") from error
    if found is None and text and not json.dumps(wanted).encode().startswith(text):
        raise ValueError(f"{path} is no study's file; give a new one")
    if found is not None and not isinstance(found, dict):
        raise ValueError(f"{path} is no study's file; give a new one")
    if found is None:
        path.write_text(json.dumps(wanted) + "\n")
    elif found != wanted:
        other = next(name for name in {**wanted, **found} if found.get(name) != wanted.get(name))
        raise ValueError(
            f"{path} holds another study: its {other} is {found.get(other)}, not "
            f"{wanted.get(other)}; give a new file"
        )
    elif len(whole) < len(text):
        os.truncate(path, len(whole))
    return parts


def append(path: str | Path, part: Mapping[str, Any]) -> None:
    """Write one finished part; it is in the file when this returns."""
    with Path(path).open("a") as file:
        file.write(json.dumps(part) + "\n")
