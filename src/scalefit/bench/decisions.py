"""Decisions: which of several recipes wins at a larger scale, told from smaller ones."""

from __future__ import annotations

TASKS: tuple = ()
