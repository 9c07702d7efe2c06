"""Resampling as weights on the same rows: every scheme is a matrix with one row per draw.

All take the number of draws and a key; the first k draws do not depend on how many follow.
"""

from __future__ import annotations

import numpy as np

__all__ = ["bayesian", "cluster", "pairs", "signs"]


def pairs(n: int, n_draws: int, key: int) -> np.ndarray:
    """Rows drawn with replacement (n_draws, n): how often each came up."""
    drawn = np.random.default_rng(key).integers(0, n, (n_draws, n))
    flat = drawn + n * np.arange(n_draws)[:, None]
    return np.bincount(flat.ravel(), minlength=n * n_draws).reshape(n_draws, n).astype(float)


def cluster(group: np.ndarray, n_draws: int, key: int) -> np.ndarray:
    """Whole groups drawn with replacement: the rows of one run, or of one model size, stay together."""
    _, code = np.unique(group, return_inverse=True)
    return pairs(int(code.max()) + 1, n_draws, key)[:, code]


def bayesian(group: np.ndarray, n_draws: int, key: int) -> np.ndarray:
    """Smooth weights of mean one, exponentially distributed,
    the same for all rows of a group (Rubin 1981)."""
    _, code = np.unique(group, return_inverse=True)
    size = int(code.max()) + 1
    drawn = np.random.default_rng(key).standard_exponential((n_draws, size))
    return (drawn / drawn.mean(axis=1, keepdims=True))[:, code]


def signs(group: np.ndarray, n_draws: int, key: int) -> np.ndarray:
    """Plus or minus one, the same for all rows of a group (wild bootstrap; right for medians too:
    Feng, He, Hu 2011)."""
    _, code = np.unique(group, return_inverse=True)
    return np.random.default_rng(key).choice([-1.0, 1.0], (n_draws, int(code.max()) + 1))[:, code]
