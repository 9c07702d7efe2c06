"""Inside a training script: `Recorder` for a loop of one's own, `HuggingFace`, `Lightning` for trainers.

    trainer = transformers.Trainer(..., callbacks=[sf.callbacks.HuggingFace("run.jsonl")])
    trainer = lightning.Trainer(..., callbacks=[sf.callbacks.Lightning("run.jsonl")])

The trainers' libraries are imported when the names are first used; nothing here loads numpy or JAX.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from scalefit.callbacks import adapters
from scalefit.callbacks.recorder import Recorder

__all__ = ["HuggingFace", "Lightning", "Recorder"]

# Our hooks, the modules that may hold the class to derive from, and its name there.
ADAPTERS = {
    "HuggingFace": (adapters.HuggingFace, ("transformers",), "TrainerCallback"),
    "Lightning": (adapters.Lightning, ("lightning.pytorch", "pytorch_lightning"), "Callback"),
}


if TYPE_CHECKING:
    # Classes made of the trainer's own when first asked for:
    # a checker takes them for whatever the trainer wants.
    HuggingFace: Any
    Lightning: Any
else:

    def __getattr__(name: str) -> Any:
        if name not in ADAPTERS:
            raise AttributeError(f"module 'scalefit.callbacks' has no attribute {name!r}")
        hooks, homes, base = ADAPTERS[name]
        # Lightning has two names, each with a class of its own: the one in use counts, or both.
        modules = [sys.modules[home] for home in homes if sys.modules.get(home)] or [_first(homes, name)]
        bases = (hooks, *dict.fromkeys(getattr(module, base) for module in modules))
        found = type(name, bases, {"__module__": __name__, "__doc__": hooks.__doc__})
        globals()[name] = found
        return found


def _first(homes: tuple[str, ...], name: str) -> Any:
    for home in homes:
        try:
            return import_module(home)
        except ModuleNotFoundError as error:
            # A library that is there but lacks something itself says so.
            if error.name not in (home, home.split(".")[0]):
                raise
    raise ImportError(f"sf.callbacks.{name} needs {homes[0].split('.')[0]}, which is not installed")
