"""Every law, found by discovery: each file `_*.py` beside this one declares the laws of one family or paper.

    sf.laws.chinchilla    sf.laws["chinchilla"]    sf.laws.names()    sf.laws.table()

Adding a law is adding a file; the stub beside this one, which tells type checkers and editors the names, is
written by `python -m scalefit.laws.stub`.
"""

import sys

from scalefit.laws.catalogue import (
    Laws,
    adaptive_batch,
    best_pools,
    best_update_ratio,
    best_vocabulary,
    coverage,
    coverage_tail,
    critical_batch,
    emergence,
    find,
    get,
    gradient_noise_scale,
    loss_at_batch,
    names,
    table,
)

__all__ = [
    "adaptive_batch",
    "best_pools",
    "best_update_ratio",
    "best_vocabulary",
    "coverage",
    "coverage_tail",
    "critical_batch",
    "emergence",
    "find",
    "get",
    "gradient_noise_scale",
    "loss_at_batch",
    "names",
    "table",
]

# The module as an object of its class: what `sf.laws` is, and is declared as in the stub.
laws = sys.modules[__name__]
laws.__class__ = Laws
