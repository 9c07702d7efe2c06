"""Answers that draw themselves."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["Pictured"]


class Pictured:
    """An answer that has a picture of its own in `sf.plot`."""

    def plot(self, ax: Any = None, **options: Any) -> Any:
        """The picture of this kind of answer, from `sf.plot`.

        Args:
            ax: matplotlib axes to draw on; new ones where left out.
            options: as for that picture.

        Returns:
            The axes.
        """
        # Pictures stand above and are found by name, as pandas finds its plotting backend.
        return import_module("scalefit.plot").draw(self, ax, **options)
