"""Searches shared out among an executor's workers, with the answer that this process would give."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache, partial
from secrets import token_hex
from typing import Any

import numpy as np

from scalefit.core.law import Law
from scalefit.core.objective import Objective
from scalefit.core.search import Searches, search_all
from scalefit.core.solve import Ends, Rows
from scalefit.words import short

__all__ = ["Sent", "arrived", "check_executor", "searching", "sent"]

# Sets of one task: enough that a worker's time goes into descents.
SETS = 256


@dataclass(frozen=True)
class Sent:
    """Something on its way to workers: what arrives under one name is one thing."""

    name: str
    what: Any = field(compare=False)


def sent(what: Any) -> Sent:
    """This under a name of its own."""
    return Sent(token_hex(8), what)


@lru_cache(maxsize=16)
def arrived(sent: Sent) -> Any:
    """The first that came under its name:
    a function sent by value is a new one each time, and would be compiled anew."""
    return sent.what


def check_executor(executor: Executor | None, law: Law) -> None:
    """Refuse processes in which the searches would wait for ever, or that a law does not reach."""
    if executor is not None and not hasattr(executor, "submit"):
        raise TypeError(
            f"executor must be one such as concurrent.futures.ProcessPoolExecutor, got {short(executor)}"
        )
    if not isinstance(executor, ProcessPoolExecutor):
        return
    context = getattr(executor, "_mp_context", None)
    if context is not None and context.get_start_method() == "fork":
        # JAX's threads do not come along.
        raise ValueError(
            "executor forks this process, in which JAX runs threads, and would hang; use "
            'ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn"))'
        )
    try:
        pickle.dumps(law)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise TypeError(
            f"law {law.name!r} holds a function that other processes cannot find by name; define it at the "
            "top of a module, or use an executor that sends it whole (joblib's, Dask's)"
        ) from error


def searching(
    executor: Executor | None, law: Law, rows: Rows, objective: Objective, **how: Any
) -> Callable[[], Searches]:
    """`search_all`, begun in the executor's workers where there is one; the call gives its answer."""
    if executor is None:
        return partial(search_all, law, rows, objective, **how)
    check_executor(executor, law)
    own, n_sets = sent((law, objective, how)), len(rows.weight)

    def of(block: np.ndarray, part: np.ndarray) -> np.ndarray:
        return block[part] if len(block) == n_sets else block

    begun = []
    for part in np.array_split(np.arange(n_sets), -(-n_sets // SETS)):
        some = Rows(tuple(of(x, part) for x in rows.x), of(rows.y, part), rows.weight[part])
        begun.append(executor.submit(_search, own, some))

    def answer() -> Searches:
        found = [future.result() for future in begun]
        ends = Ends(*(np.concatenate(parts) for parts in zip(*(f.ends for f in found), strict=True)))
        best, agree = (np.concatenate([getattr(f, k) for f in found]) for k in ("best", "n_agree"))
        return Searches(ends, best, agree, found[0].how)

    return answer


def _search(own: Sent, rows: Rows) -> Searches:
    law, objective, how = arrived(own)
    return search_all(law, rows, objective, **how)
