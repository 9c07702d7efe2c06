"""Files of the work folder: finished runs, checkpoints, and a lock per job."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np
from train import Point, State

RUNS = Path(__file__).parent / "runs"


def replace(path: Path, write: Any) -> None:
    """Write through a temporary file, so that an interruption never leaves half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    with temporary.open("wb") as file:
        write(file)
    temporary.replace(path)


def write_json(path: Path, value: Any) -> None:
    replace(path, lambda file: file.write(json.dumps(value).encode()))


def save_checkpoint(path: Path, state: State, step: int, curve: list[Point], seconds: float) -> None:
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(state)]
    arrays = {f"leaf_{i}": leaf for i, leaf in enumerate(leaves)}
    replace(path, lambda file: np.savez(file, step=step, curve=np.array(curve), seconds=seconds, **arrays))


def load_checkpoint(path: Path, like: State) -> tuple[State, int, list[Point], float]:
    """The state, its step, the curve so far and the seconds spent on it."""
    with np.load(path) as arrays:
        treedef = jax.tree.structure(like)
        leaves = [arrays[f"leaf_{i}"] for i in range(treedef.num_leaves)]
        rows = arrays["curve"].reshape(-1, len(Point._fields))
        curve = [Point(int(row[0]), *map(float, row[1:])) for row in rows]
        return jax.tree.unflatten(treedef, leaves), int(arrays["step"]), curve, float(arrays["seconds"])


@contextmanager
def claim(folder: Path, name: str) -> Iterator[bool]:
    """Whether this process got the job; the system drops the lock when the process ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
