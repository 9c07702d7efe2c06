"""Speed: the same work by several packages, with the objective that was reached."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from scalefit import datasets, laws
from scalefit.bench.records import Case, Data, Task
from scalefit.bench.scores import SECONDS
from scalefit.bench.sources import SOURCES
from scalefit.bench.splits import named
from scalefit.core.objective import huber
from scalefit.frames import columns_frame, frame

__all__ = ["TASKS"]


def one_fit() -> Iterator[Case]:
    """One global fit of 240 runs by Huber's loss; what is told is the objective, at best 0.00101827."""
    runs = datasets.fetch("chinchilla_epoch")
    train = named(runs[runs.used_in_replication == 1], "loss")
    law, test = laws.get("chinchilla"), frame([{"quantity": "objective", "y": 1.01827417e-3}])
    yield Case("240 runs", train, test, law.inputs, law=law, objective=huber(1e-3))


def many_fits() -> Iterator[Case]:
    """40 tables of 8 to 30 rows around power laws with a floor, 1 % noise."""
    random, parts = np.random.default_rng(7), []
    for task in range(40):
        n = int(random.integers(8, 31))
        x = 10 ** random.uniform(6, 10, n)
        y = random.uniform(0.5, 2) + random.uniform(5, 50) / x ** random.uniform(0.15, 0.4)
        noisy = y * np.exp(0.01 * random.standard_normal(n))
        parts.append({"table": np.full(n, task), "x": x, "y": noisy})
    train = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    law = laws.get("power_floor")
    test = frame({"table": task, "x": 1e10, "quantity": "objective", "y": 1.0} for task in range(40))
    yield Case(
        "40 tables", columns_frame(train), test, law.inputs, law=law, label="table", objective=huber(1e-3)
    )


ROBUST = ("sf.fit", "simple-scaling-laws", "chinchilla package", "scipy", "optimistix", "lmfit")
NO_SPLIT = "no rows held out: CPU seconds of a call whose programs are compiled"

TASKS = (
    Task(
        "speed/one_fit",
        SOURCES["chinchilla_epoch"],
        NO_SPLIT,
        one_fit,
        SECONDS,
        ROBUST,
        why="it descends once, from one start, and ends 7 % above the least objective",
        asks="quantities",
        intervals=False,
        timed=True,
    ),
    Task(
        "speed/many_fits",
        Data("simulated power laws with a floor", "none needed"),
        NO_SPLIT,
        many_fits,
        SECONDS,
        ("sf.fit", "scipy", "lmfit"),
        asks="quantities",
        intervals=False,
        timed=True,
    ),
)
