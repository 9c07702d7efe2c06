"""JAX's settings as the engine needs them, whatever the program around it has chosen;
nothing global is changed."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from typing import Any

import jax

__all__ = ["precise", "setting", "undisturbed"]

# Settings that help to find mistakes in one's own arrays, and what they are where nobody asked for them. Ours
# hold values that are no numbers on purpose: a start that fails alone, a step too far.
USUAL: dict[str, Any] = {
    "numpy_dtype_promotion": "standard",
    "numpy_rank_promotion": "allow",
    "debug_nans": False,
    "debug_infs": False,
    "transfer_guard": "allow",
    "disable_jit": False,
}
GUARDS = ("transfer_guard_host_to_device", "transfer_guard_device_to_host", "transfer_guard_device_to_device")


def setting(name: str) -> Any:
    """One of JAX's settings as it stands in this thread."""
    return getattr(jax.config, f"jax_{name}", None)


def undisturbed() -> AbstractContextManager[Any]:
    """JAX without the settings that help to find mistakes, in this thread."""
    stack = ExitStack()
    asked = [name for name, usual in USUAL.items() if setting(name) not in (usual, None)]
    if any(setting(name) not in ("allow", None) for name in GUARDS):
        asked.append("transfer_guard")
    for name in dict.fromkeys(asked):
        stack.enter_context(getattr(jax, name)(USUAL[name]))
    return stack


def precise() -> AbstractContextManager[Any]:
    """The same with 64-bit numbers."""
    stack = undisturbed()
    stack.enter_context(jax.enable_x64(True))  # type: ignore[attr-defined]
    return stack
