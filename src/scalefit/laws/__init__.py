"""Every law, found by discovery: each file `_*.py` beside this one declares the laws of one family or paper.

    sf.laws.chinchilla    sf.laws["chinchilla"]    sf.laws.names()    sf.laws.table()

Adding a law is adding a file; the stub beside this one, which tells type checkers and editors the names, is
written by `python -m scalefit.laws.stub`.
"""

import sys

from scalefit.laws.catalogue import Laws, best_vocabulary, critical_batch, find, get, names, table

__all__ = ["best_vocabulary", "critical_batch", "find", "get", "names", "table"]

# The module as an object of its class: what `sf.laws` is, and is declared as in the stub.
laws = sys.modules[__name__]
laws.__class__ = Laws
