"""One line of the table of published results: what was compared, the published figure, ours, and a remark."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """Figures are numbers, or short texts where one number will not do."""

    what: str
    published: float | str
    ours: float | str
    note: str = ""
