"""Every law, found by discovery: each file `_*.py` beside this one declares the laws of one family or paper.

    sf.laws.chinchilla    sf.laws["chinchilla"]    sf.laws.names()    sf.laws.table()

Adding a law is adding a file; the stub beside this one, which tells type checkers and editors the names, is
written by `python -m scalefit.laws.stub`.
"""

import sys

from scalefit.laws import procedures
from scalefit.laws.catalogue import Laws, find, get, names, table
from scalefit.laws.procedures import *  # noqa: F403, as named there

__all__ = ["find", "get", "names", "table", *procedures.__all__]

# The module as an object of its class: what `sf.laws` is, and is declared as in the stub.
laws = sys.modules[__name__]
laws.__class__ = Laws
