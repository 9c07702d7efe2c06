"""Pictures and formulas as images that stand inside a page: no file, no screen, the same bytes every time."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, Any

from scalefit.plot.axes import offscreen

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["formula", "picture"]

# A drawing of more points than this is smaller, and quicker to show, as pixels.
MOST_POINTS = 3000
# Inches: half a page beside its text, so that words stay legible where the image is shown small.
SIZE = (6.0, 4.0)
# What makes the names inside a drawing: its own words, not the moment it was made.
SETTINGS: Any = {"svg.hashsalt": "scalefit", "svg.fonttype": "path"}


def picture(draw: Callable[[Axes], Any], points: int = 0) -> str:
    """What `draw` does to axes, as the address of an image: SVG, or PNG where there are many points."""
    from matplotlib import rc_context

    figure, buffer = offscreen(), BytesIO()
    figure.set_size_inches(*SIZE)
    with rc_context(SETTINGS):
        draw(figure.subplots())
        if points > MOST_POINTS:
            figure.savefig(buffer, format="png", dpi=144, metadata={"Software": None})
            return f"data:image/png;base64,{b64encode(buffer.getvalue()).decode()}"
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return _svg(buffer.getvalue())


def formula(latex: str, size: float = 15.0) -> str | None:
    """A formula as the address of an SVG image; None where it is more than matplotlib can set."""
    from matplotlib import mathtext, rc_context

    buffer = BytesIO()
    with rc_context({**SETTINGS, "mathtext.fontset": "cm"}):
        from matplotlib.font_manager import FontProperties

        try:
            mathtext.math_to_image(f"${latex}$", buffer, FontProperties(size=size), format="svg")
        except ValueError:
            return None
    return _svg(buffer.getvalue())


def _svg(drawn: bytes) -> str:
    """Without the head that names a moment and an address."""
    text = drawn.decode()
    return f"data:image/svg+xml;base64,{b64encode(text[text.index('<svg') :].encode()).decode()}"
