"""The training text: the Python sources of CPython's own standard library, as bytes.

Every Python installation carries this text, so nothing has to be downloaded.  Left out are the test
folders, two folders of generated tables (``encodings``, ``pydoc_data``) and the build-specific
``_sysconfigdata`` module.  Whole files are held out by a hash of their path.
"""

import hashlib
import platform
import sysconfig
from pathlib import Path
from typing import NamedTuple

import numpy as np

CONTEXT = 128
HELD_OUT_PERCENT = 4
SKIPPED_FOLDERS = frozenset({"test", "tests", "idle_test", "encodings", "pydoc_data", "site-packages"})
N_EVAL_FINAL = 2048  # held-out sequences for the final loss: 2048 * 128 = 262,144 bytes
N_EVAL_CURVE = 256  # the first of the same sequences, for points along a curve


class Corpus(NamedTuple):
    """Sequences of CONTEXT + 1 bytes; neighbours share one byte, so every byte is predicted once."""

    train: np.ndarray  # (n_train, CONTEXT + 1) uint8
    held_out: np.ndarray  # (N_EVAL_FINAL, CONTEXT + 1) uint8
    meta: dict[str, str | int]


def source_files(root: Path) -> list[Path]:
    """Relative paths of the standard library's own modules, sorted by their POSIX spelling."""
    paths = [path.relative_to(root) for path in root.rglob("*.py")]
    kept = [
        path
        for path in paths
        if not SKIPPED_FOLDERS & set(path.parts[:-1]) and not path.name.startswith("_sysconfigdata")
    ]
    return sorted(kept, key=lambda path: path.as_posix())


def is_held_out(path: Path) -> bool:
    """Decide by a hash of the relative path, so that the split does not depend on other files."""
    digest = hashlib.sha256(path.as_posix().encode()).digest()
    return int.from_bytes(digest[:4], "big") % 100 < HELD_OUT_PERCENT


def join(root: Path, paths: list[Path], seed: int) -> np.ndarray:
    """Concatenate files in a shuffled order that `seed` fixes."""
    order = np.random.default_rng(seed).permutation(len(paths))
    text = b"".join((root / paths[i]).read_bytes() for i in order)
    return np.frombuffer(text, dtype=np.uint8)


def sequences(stream: np.ndarray) -> np.ndarray:
    """Cut a stream into rows of CONTEXT + 1 bytes at stride CONTEXT."""
    n_rows = (len(stream) - 1) // CONTEXT
    starts = CONTEXT * np.arange(n_rows)
    return stream[starts[:, None] + np.arange(CONTEXT + 1)]


def load_corpus(root: Path | None = None) -> Corpus:
    """Read the standard library of the running interpreter, or the Python files below `root`."""
    root = root or Path(sysconfig.get_path("stdlib"))
    paths = source_files(root)
    held_out_paths = [path for path in paths if is_held_out(path)]
    train_paths = [path for path in paths if not is_held_out(path)]
    train, held_out = join(root, train_paths, seed=0), join(root, held_out_paths, seed=0)
    rows = sequences(held_out)
    sample = np.random.default_rng(1).permutation(len(rows))[:N_EVAL_FINAL]
    meta: dict[str, str | int] = {
        "python": platform.python_version(),
        "train_files": len(train_paths),
        "train_bytes": len(train),
        "train_sha256": hashlib.sha256(train.tobytes()).hexdigest(),
        "held_out_files": len(held_out_paths),
        "held_out_bytes": len(held_out),
        "held_out_sha256": hashlib.sha256(held_out.tobytes()).hexdigest(),
        "eval_final_bytes": CONTEXT * len(sample),
        "eval_curve_bytes": CONTEXT * N_EVAL_CURVE,
    }
    return Corpus(sequences(train), rows[sample], meta)
