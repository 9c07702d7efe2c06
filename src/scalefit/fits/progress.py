"""How far a long call has come, for whoever sits at a terminal: nothing in pipes, files and notebooks' logs.

    for law in steps(laws, "backtest"): ...

A line on the error stream appears where the terminal is one and two seconds have passed, and goes when the
call ends; rich draws it where it is installed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from time import monotonic
from typing import Any, TypeVar

__all__ = ["steps"]

PATIENCE = 2.0
Item = TypeVar("Item")


def steps(items: Sequence[Item], what: str) -> Iterator[Item]:
    """The items, one after the other."""
    begun, show = monotonic(), None
    try:
        for done, item in enumerate(items):
            if show is None and monotonic() - begun > PATIENCE and sys.stderr.isatty():
                show = _shown(what, len(items))
            if show is not None:
                show(done)
            yield item
    finally:
        if show is not None:
            show(None)


def _shown(what: str, total: int) -> Callable[[int | None], Any]:
    """What shows how many are done, and with None takes it away."""
    try:
        from rich.console import Console
        from rich.progress import Progress
    except ImportError:
        return lambda done: _line("" if done is None else f"scalefit: {what}, {done} of {total} done")
    bar = Progress(console=Console(stderr=True), transient=True)
    bar.start()
    task = bar.add_task(what, total=total)
    return lambda done: bar.stop() if done is None else bar.update(task, completed=done)


def _line(text: str) -> None:
    """In place of the line before."""
    sys.stderr.write(f"\r\x1b[K{text}")
    sys.stderr.flush()
