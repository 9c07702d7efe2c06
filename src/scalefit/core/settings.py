"""JAX's settings as the engine needs them, whatever the program around it has chosen;
nothing global is changed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
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
    "transfer_guard_host_to_device": "allow",
    "transfer_guard_device_to_host": "allow",
    "transfer_guard_device_to_device": "allow",
    "disable_jit": False,
}


def setting(name: str) -> Any:
    """One of JAX's settings as it stands in this thread."""
    return getattr(jax.config, f"jax_{name}", None)


class _Settings:
    """Settings of JAX in this thread for the time of a `with`.

    Ctrl-C may come between any two instructions, also while some are changed and others not yet: what then
    differs from before is put back.
    """

    def __init__(self, wanted: Mapping[str, Any]):
        self._wanted = [(name, setting(name), getattr(jax, name)(value)) for name, value in wanted.items()]
        self._entered: list[Any] = []

    def __enter__(self) -> None:
        try:
            for _, _, change in self._wanted:
                change.__enter__()
                self._entered.append(change)
        except BaseException:
            self._put_back()
            raise

    def __exit__(self, *error: Any) -> None:
        try:
            while self._entered:
                self._entered[-1].__exit__(*error)
                self._entered.pop()
        finally:
            self._put_back()

    def _put_back(self) -> None:
        for name, before, change in reversed(self._wanted):
            if setting(name) != before:
                try:
                    change.__exit__(None, None, None)
                except AttributeError:  # interrupted before it noted what was
                    getattr(jax, name)(before).__enter__()


def undisturbed() -> AbstractContextManager[Any]:
    """JAX without the settings that help to find mistakes, in this thread."""
    return _Settings(_disturbing())


def precise() -> AbstractContextManager[Any]:
    """The same with 64-bit numbers."""
    wide = {} if setting("enable_x64") else {"enable_x64": True}
    return _Settings(_disturbing() | wide)


def _disturbing() -> dict[str, Any]:
    """The settings that help to find mistakes and are on, as they usually are."""
    return {name: usual for name, usual in USUAL.items() if setting(name) not in (usual, None)}
