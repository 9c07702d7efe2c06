"""Programs compiled for one shape each, kept in memory while they are used and on disk for the next process.

A program is known by its function, its static arguments and the shapes of the others. Where the static
arguments can be told by what they do (see `told`), one that lies on disk is loaded without tracing anything.

On CPU, 512-bit vectors and the older fusion emitter together make the evaluation of a lane more than twice as
fast (measured with jaxlib 0.10; neither helps alone). A backend or version that does not know the settings
runs with its own. Nothing global is changed, and no backend starts before something is run.
"""

from __future__ import annotations

import inspect
import os
from collections import Counter, OrderedDict
from collections.abc import Callable
from functools import wraps
from threading import Lock, RLock
from typing import Any

import jax
import numpy as np

from scalefit.core import kept
from scalefit.core.settings import setting, undisturbed

__all__ = ["DEVICE", "MOST", "compiled", "counts", "devices", "forget", "telling", "told"]

# The setting that names the kind of device: cpu, gpu, tpu.
DEVICE = "SCALEFIT_DEVICE"

FAST_ON_CPU = {"xla_cpu_prefer_vector_width": 512, "xla_cpu_use_fusion_emitters": False}
# So many programs are held in memory, those used last. Each takes some ten megabytes and two hundred mapped
# regions, of which a process may have 65,530.
MOST = 48

_held: OrderedDict[Any, Callable[..., Any]] = OrderedDict()
_counts: Counter[str] = Counter()
_lock, _making = Lock(), RLock()


def compiled(*static: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: compile the function for each shape of its arguments, those named being static.

    The function's `ready(*args)` is the program for such arguments, to be called with the others alone.
    """

    def decorate(fn: Callable[..., Any]) -> Callable[..., Any]:
        names = list(inspect.signature(fn).parameters)
        fixed = [k for k, name in enumerate(names) if name in static]
        moving = [k for k, name in enumerate(names) if name not in static]

        def split(args: tuple[Any, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
            return tuple(args[k] for k in fixed), tuple(args[k] for k in moving)

        def whole(chosen: tuple[Any, ...], others: tuple[Any, ...]) -> list[Any]:
            args: list[Any] = [None] * len(names)
            for k, value in zip((*fixed, *moving), (*chosen, *others), strict=True):
                args[k] = value
            return args

        def ready(*args: Any) -> Callable[..., Any]:
            chosen, others = split(args)
            leaves, tree = jax.tree.flatten(others)
            shapes = tuple(map(_shape, leaves))
            key = (fn, chosen, _device(), setting("enable_x64"), shapes, tree)
            program = _find(key)
            if program is None:
                with _making, undisturbed():
                    program = _find(key) or _keep(
                        key,
                        _make(
                            lambda *some: fn(*whole(chosen, some)),
                            fn,
                            chosen,
                            jax.tree.unflatten(tree, shapes),
                        ),
                    )
            return program

        @wraps(fn)
        def call(*args: Any) -> Any:
            if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(split(args)[1])):
                return fn(*args)
            return ready(*args)(*split(args)[1])

        call.ready = ready  # type: ignore[attr-defined]
        return call

    return decorate


def counts() -> dict[str, int]:
    """How many programs this process has compiled and loaded, and how many it holds."""
    return {"compiled": _counts["compiled"], "loaded": _counts["loaded"], "held": len(_held)}


def forget() -> None:
    """Let go of all programs."""
    with _lock:
        _held.clear()


def _find(key: Any) -> Callable[..., Any] | None:
    with _lock:
        if key in _held:
            _held.move_to_end(key)
        return _held.get(key)


def _keep(key: Any, program: Callable[..., Any]) -> Callable[..., Any]:
    with _lock:
        _held[key] = program
        while len(_held) > MOST:
            _held.popitem(last=False)
    return program


def _make(
    work: Callable[..., Any], fn: Callable[..., Any], chosen: tuple[Any, ...], shapes: Any
) -> Callable[..., Any]:
    """Load or compile; whatever goes wrong with the disk, the answer is to compile."""
    device = _device()
    text = told(chosen)
    name, lowered = None, None
    if text is not None:
        what = (fn.__qualname__, setting("enable_x64"), text, *jax.tree.flatten(shapes))
        name = kept.name_of(device, FAST_ON_CPU, *what)
    else:
        lowered = jax.jit(work, keep_unused=True).lower(*shapes)
        name = kept.name_of(device, FAST_ON_CPU, lowered.as_text())

    def anew() -> Any:
        _counts["compiled"] += 1
        program = _compile(lowered or jax.jit(work, keep_unused=True).lower(*shapes), device)
        kept.store(name, program)
        return program

    found = kept.load(name, device)
    if found is None:
        return _plain(anew())
    _counts["loaded"] += 1
    return _tried(found, anew)


def _compile(lowered: Any, device: Any) -> Any:
    if device.platform != "cpu":
        return lowered.compile()
    try:
        return lowered.compile(compiler_options=FAST_ON_CPU)
    except Exception:  # an unknown setting is reported as a generic runtime error
        return lowered.compile()


def _plain(program: Any) -> Callable[..., Any]:
    """The program, taking numbers and arrays of the right kind in any form."""

    def run(*args: Any) -> Any:
        with undisturbed():
            return program(*jax.tree.map(_array, args))

    return run


def _tried(program: Any, anew: Callable[[], Any]) -> Callable[..., Any]:
    """The same for a program from disk: one that does not run here the first time is compiled after all.

    Its parts are looked for when it first runs, and now and then one is missing ("Function ... not found").
    """
    runs: list[Callable[..., Any]] = []

    def run(*args: Any) -> Any:
        if runs:
            return runs[0](*args)
        first = _plain(program)
        try:
            out = jax.block_until_ready(first(*args))
        except jax.errors.JaxRuntimeError:
            with _making, undisturbed():
                if not runs:
                    _counts["loaded"] -= 1
                    runs.append(_plain(anew()))
            return runs[0](*args)
        runs.append(first)
        return out

    return run


def _array(value: Any) -> Any:
    if isinstance(value, (jax.Array, np.ndarray)):
        kind = _kind(value.dtype)
        return value if value.dtype == kind else value.astype(kind)
    value = np.asarray(value)
    return value.astype(_kind(value.dtype))


def _shape(value: Any) -> jax.ShapeDtypeStruct:
    dtype = value.dtype if hasattr(value, "dtype") else np.asarray(value).dtype
    return jax.ShapeDtypeStruct(np.shape(value), _kind(dtype))


def _kind(dtype: Any) -> Any:
    """What JAX makes of numpy's kind at its present precision."""
    return (
        jax.dtypes.canonicalize_dtype(dtype)
        if not jax.dtypes.issubdtype(dtype, jax.dtypes.extended)
        else dtype
    )


def devices() -> list[Any]:
    """Where programs run: on the device that JAX was told to use by default, else on all of the kind that
    SCALEFIT_DEVICE names, which is the CPU unless said: a training beside us keeps its GPU to itself."""
    chosen = setting("default_device")
    if chosen is not None and not isinstance(chosen, str):
        return [chosen]
    asked = chosen or os.environ.get(DEVICE)
    try:
        return jax.local_devices(backend=asked or "cpu")
    except RuntimeError:
        if asked:
            raise ValueError(f"{DEVICE} is {asked!r}, a kind of device that JAX does not have here") from None
        # JAX_PLATFORMS leaves the CPU out.
        return jax.local_devices()


def _device() -> Any:
    return devices()[0]


def told(value: Any) -> str | None:
    """What a static argument does, in words that mean the same in every process;
    None where it cannot be told.

    Words, numbers and tuples are themselves; how other things are told, their own modules say with `telling`.
    """
    if type(value) in _TELLERS:
        return _TELLERS[type(value)](value)
    if value is None or isinstance(value, (str, int, float, bool)):
        return repr(value)
    if isinstance(value, tuple):
        parts = [told(part) for part in value]
        return None if None in parts else f"{type(value).__name__}({', '.join(map(str, parts))})"
    return None


_TELLERS: dict[type, Callable[[Any], str | None]] = {}


def telling(kind: type) -> Callable[[Callable[[Any], str | None]], Callable[[Any], str | None]]:
    """Decorator: how things of this type are told."""

    def decorate(tell: Callable[[Any], str | None]) -> Callable[[Any], str | None]:
        _TELLERS[kind] = tell
        return tell

    return decorate
