"""scalefit: fit scaling laws and know how far to trust the fit.

    import scalefit as sf
    fit = sf.fit("chinchilla", runs, inputs={"N": "n_params", "D": "n_tokens"}, y="loss")

Names are loaded when first used, so that importing scalefit is quick and starts no JAX backend. Which there
are is said once, in the stub beside this file, which type checkers and editors read too.
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

__version__ = "0.1.0"

# Name -> the module it lives in; modules of the package live in "scalefit".
_HOMES = {
    name: home
    for home, name in re.findall(
        r"^from (\S+) import (\w+) as \2$", Path(__file__).with_suffix(".pyi").read_text(), re.MULTILINE
    )
}
# What needs an extra is there for whoever asks for it, and not for `import *`.
__all__ = sorted(set(_HOMES) - {"ScalingLawRegressor"})


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'scalefit' has no attribute {name!r}")
    value = import_module(f"scalefit.{name}") if home == "scalefit" else getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
