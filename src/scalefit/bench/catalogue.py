"""The tasks that come with the suite, by name."""

from __future__ import annotations

from scalefit.bench import certified, decisions, doubt, foresight, published, speed
from scalefit.bench.records import Task

__all__ = ["TASKS"]

GROUPS = (foresight, doubt, decisions, published, certified, speed)
TASKS: dict[str, Task] = {task.name: task for group in GROUPS for task in group.TASKS}
