"""A long study's file: a header that says which study, then a line of JSON per finished part,
only ever appended.

A study that is killed loses the part it was at: `study` gives the others, and goes on. One process at a time
has the file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scalefit import files

__all__ = ["study"]

Part = dict[str, Any]


@contextmanager
def study(path: str | Path, header: Mapping[str, Any]) -> Iterator[tuple[list[Part], Callable[[Part], None]]]:
    """The finished parts in the file, which is begun with `header` where it does not exist yet, and how to
    append one: it is in the file when that returns.

    A half-written last line is removed. Raises ValueError for a file that holds another study, is damaged or
    is another process's now.
    """
    path, wanted = Path(path), json.loads(json.dumps(header))
    with path.open("a+b", buffering=0) as file:
        if not files.held(file, wait=False):
            raise ValueError(f"another process is at the study in {path}; wait for it, or give another file")
        file.seek(0)
        text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        try:
            found, *parts = [json.loads(line) for line in whole.splitlines()] or [None]
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path} is no study's file, or damaged; give a new file") from error
        if found is None and text and not json.dumps(wanted).encode().startswith(text):
            raise ValueError(f"{path} is no study's file; give a new one")
        if found is not None and not isinstance(found, dict):
            raise ValueError(f"{path} is no study's file; give a new one")
        if found is not None and found != wanted:
            other = next(name for name in {**wanted, **found} if found.get(name) != wanted.get(name))
            raise ValueError(
                f"{path} holds another study: its {other} is {found.get(other)}, not "
                f"{wanted.get(other)}; give a new file"
            )
        if len(whole) < len(text):
            os.truncate(path, len(whole))

        def append(part: Mapping[str, Any]) -> None:
            line = json.dumps(part).encode() + b"\n"
            if file.write(line) < len(line):
                raise OSError(
                    f"the disk took only part of a line of {path}; make room and call again: the parts "
                    "finished before are kept"
                )

        if found is None:
            append(wanted)
        yield parts, append
