"""Pictures and formulas as images that stand inside a page: no file, no screen, the same bytes every time."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, Any

from scalefit.plot.axes import offscreen

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["formula", "picture"]

# A drawing of more points than this is smaller, and quicker to show, as pixels.
MOST_POINTS = 3000
# Inches: half a page beside its text, so that words stay legible where the image is shown small.
SIZE = (6.0, 4.0)
# What makes the names inside a drawing: its own words, not the moment it was made.
NAMELESS: Any = {"Date": None, "Creator": None}
SETTINGS: Any = {"svg.hashsalt": "scalefit", "svg.fonttype": "path"}


def picture(draw: Callable[[Axes], Any], points: int = 0) -> str:
    """What `draw` does to axes, as the address of an image: SVG, or PNG where there are many points."""
    from matplotlib import rc_context

    figure, buffer = offscreen(), BytesIO()
    figure.set_size_inches(*SIZE)
    with rc_context(SETTINGS):
        draw(figure.subplots())
        _spell(figure)
        if points > MOST_POINTS:
            figure.savefig(buffer, format="png", dpi=144, metadata={"Software": None})
            return f"data:image/png;base64,{b64encode(buffer.getvalue()).decode()}"
        figure.savefig(buffer, format="svg", metadata=NAMELESS)
    return _svg(buffer.getvalue())


def _spell(figure: Figure) -> None:
    """Names with dollar signs that are no formula are drawn as they stand."""
    from matplotlib.mathtext import MathTextParser
    from matplotlib.text import Text

    parser = MathTextParser("path")
    for text in figure.findobj(Text):
        if "$" in text.get_text():
            try:
                parser.parse(text.get_text())
            except ValueError:
                text.set_text(text.get_text().replace("$", r"\$"))


def formula(latex: str, size: float = 15.0) -> str | None:
    """A formula as the address of an SVG image; None where it is more than matplotlib can set."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties
    from matplotlib.mathtext import MathTextParser

    buffer, words = BytesIO(), f"${latex}$"
    font = FontProperties(size=size, math_fontfamily="cm")
    with rc_context(SETTINGS):
        try:
            width, height, depth, *_ = MathTextParser("path").parse(words, 72, font)
        except ValueError:
            return None
        figure = Figure(figsize=(width / 72, height / 72))
        figure.text(0, depth / height, words, fontproperties=font)
        figure.savefig(buffer, format="svg", metadata=NAMELESS, transparent=True)
    return _svg(buffer.getvalue())


def _svg(drawn: bytes) -> str:
    """Without the head that names a moment and an address."""
    text = drawn.decode()
    return f"data:image/svg+xml;base64,{b64encode(text[text.index('<svg') :].encode()).decode()}"
