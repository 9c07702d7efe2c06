"""Pictures of a fit. Each returns the matplotlib Axes it drew on, and draws on `ax` if given one.

    sf.plot.curve(fit, x="N", color="D")
    sf.plot.residuals(fit)
    sf.plot.profile(sf.profile(fit, "E"))

Each plot is a file: `data(...)` turns a fit into arrays, `draw(data, ax)` draws them. matplotlib is loaded
when something is drawn; its backend and its settings are left as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scalefit.plot._curve import curve
from scalefit.plot._profile import profile
from scalefit.plot._residuals import residuals

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["curve", "draw", "profile", "residuals"]


def draw(result: Any, ax: Axes | None = None, **options: Any) -> Axes:
    """The picture that suits a result: what `result.plot()` draws.

    Args:
        result: a fit, an ensemble or a profile.
        ax: matplotlib axes to draw on; new ones where left out.
        options: as for that picture's own function.

    Returns:
        The axes.
    """
    if hasattr(result, "predict"):
        return curve(result, ax=ax, **options)
    return profile(result, ax=ax, **options)
