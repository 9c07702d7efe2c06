"""Where the rows of tasks come from: the public data sets by name, and simulations."""

from __future__ import annotations

from scalefit.bench.records import Data
from scalefit.datasets import sources

__all__ = ["SIMULATED", "SOURCES"]

SOURCES = {
    name: Data(f"{source.paper} ({source.repository})", source.licence, (name,))
    for name, source in sources.SOURCES.items()
}
SIMULATED = Data("simulated from a law's usual coefficients", "none needed")
