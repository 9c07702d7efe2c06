"""Published: numbers of papers, found again by fits to their own runs."""

from __future__ import annotations

TASKS: tuple = ()
