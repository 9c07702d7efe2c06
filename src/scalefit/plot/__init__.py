"""Pictures of answers, one function each: `sf.plot.curve(fit)` and so on, or `result.plot()`.

    sf.plot.curve(fit, x="N", color="D")
    sf.plot.isoflop(sf.isoflop(runs, budget="flops"))

Each returns the matplotlib Axes it drew on, and draws on `ax` if given one. A picture is a file: `data(...)`
turns an answer into arrays, `draw(data, ax)` draws them. matplotlib is loaded when something is drawn; its
backend and its settings are left as they are. Which pictures there are is said once, in the stub beside this
file.
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalefit.words import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HOMES = {
    name: home
    for home, name in re.findall(
        r"^from (\S+) import (\w+) as \2$", Path(__file__).with_suffix(".pyi").read_text(), re.MULTILINE
    )
}
__all__ = sorted([*_HOMES, "draw"])

# The picture of each kind of answer, by its class; where there are several, `sf.plot` has the others.
PICTURES = {
    "Fit": "curve",
    "Ensemble": "curve",
    "Profile": "profile",
    "Forecast": "forecast",
    "Backtest": "backtest",
    "Comparison": "compare",
    "Gate": "gate",
    "Plan": "plan",
    "Sweep": "sweep",
    "Ledger": "ledger",
    "BestSchedule": "best_schedule",
}


def draw(result: Any, ax: Axes | None = None, **options: Any) -> Axes:
    """The picture that suits an answer: what `result.plot()` draws.

    Args:
        result: a fit, an ensemble, a profile, an `IsoFlop`, a forecast, a backtest, a comparison, ...
        ax: matplotlib axes to draw on; new ones where left out.
        options: as for that picture's own function.

    Returns:
        The axes.

    Raises:
        TypeError: for what has no picture of its own.
    """
    kind = type(result).__name__
    name = PICTURES.get(kind)
    if kind == "IsoFlop":
        name = "envelope" if result.method == "envelope" else "isoflop"
    if name is None:
        raise TypeError(
            f"{short(result)} has no picture of its own; sf.plot has one for each of "
            f"{', '.join(each for each in __all__ if each != 'draw')}"
        )
    return getattr(import_module(__name__), name)(result, ax=ax, **options)


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return list(__all__)
