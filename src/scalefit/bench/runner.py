"""Runs methods on tasks: what is done already is not done again, and the same key gives the same scores."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np

import scalefit
from scalefit import datasets, files
from scalefit.arguments import check_key, check_level
from scalefit.bench.catalogue import TASKS
from scalefit.bench.methods import Method, Unsuited, file_object, method
from scalefit.bench.records import ASKS, Case, Task, Told
from scalefit.bench.results import Results, read, same
from scalefit.bench.scores import by_distance, by_quantity, intervals
from scalefit.fits.status import CautionWarning
from scalefit.fits.workers import check_executor
from scalefit.words import jsonable, listed, short

__all__ = ["run", "tasks"]

# Cases of one task and method that a worker is given at once: they share compiled programs.
AT_ONCE = 16


def tasks(patterns: Any = "*") -> tuple[Task, ...]:
    """Tasks by name or pattern.

    Args:
        patterns: one or several of: a name, "foresight/*", "FILE.py:OBJECT" (a `Task` or several), a `Task`.

    Returns:
        The tasks, each once.

    Raises:
        KeyError: for a pattern that no task has.
        TypeError: for what is no task.

    Example:
        >>> from scalefit import bench
        >>> [task.name for task in bench.tasks("certified/*")]
        ['certified/nist', 'certified/nist_errors']
    """
    return tuple(task for task, _ in _chosen(patterns))


def run(
    tasks: Any = "*",
    methods: Any = (),
    out: str | Path | None = None,
    *,
    quick: bool = False,
    level: float = 0.9,
    key: int = 0,
    executor: Executor | None = None,
    progress: Callable[[str], Any] | None = None,
) -> Results:
    """Ask methods to foretell what tasks hold out, and score them.

    Args:
        tasks: as for `bench.tasks`; all of them where left out.
        methods: one or several of: a name of `scalefit bench list --methods`, the id of a law, a `Law`, a
            function `method(train, inputs, y, test, level, key)` that returns a frame or dict with `mean`,
            `lo` and `hi`, "FILE.py:OBJECT"; where left out those that each task names.
        out: a JSON-lines file to which each finished case is added; what it holds is not done again, unless
            by another edition of its method, whose lines are dropped in the end.
        quick: only a few cases of each task, evenly spaced.
        level: of the intervals.
        key: seed, handed to the methods.
        executor: where cases are run; this process unless given. Processes must be spawned, and what they are
            sent must be importable or named as "FILE.py:OBJECT".
        progress: called with a line of text after each part.

    Returns:
        The `Results` of these tasks and methods, those read from the file included.

    Raises:
        KeyError: for an unknown task or method.
        TypeError: for what is no task or method.
        ValueError: for a level or key that is none, and a file of other things.

    Example:
        >>> from scalefit import bench
        >>> found = bench.run("foresight/running_tiny", "last value", quick=True)
        >>> found.table()[["cases", "failed"]].values.tolist()
        [[3, 0]]
    """
    level, key = check_level(level), check_key(key)
    check_executor(executor, scalefit.laws.power_floor)
    held = _held(out)
    asked = [(given, method(given)) for given in _several(methods)]
    say = progress or _silent
    wanted: list[tuple[Any, ...]] = []
    todo: list[_Job] = []
    whole: dict[str, tuple[str, ...]] = {}

    def keep(line: Mapping[str, Any]) -> None:
        if out is not None and held.get(same(line)) != line:
            _append(out, line)
        held[same(line)] = line
        if "skipped" in line:
            wanted.append(same(line))
            say(f"{line['task']} {line['method']}: skipped, {line['skipped']}")

    for task, sent in _chosen(tasks):
        if why := _missing(task):
            keep({"task": task.name, "method": "", "skipped": why})
            continue
        names = _names(task, sent, quick)
        whole |= {} if quick else {task.name: names}
        for given, one in asked or [(name, method(name)) for name in task.methods]:
            if why := one.missing() or _unsuited(task, one):
                keep({"task": task.name, "method": one.name, "skipped": why})
                continue
            job = _Job(task.name, sent, one, given, names, level, key)
            wanted += [job.same(case) for case in names]
            todo += job.split(held)
    for job, lines in _finished(todo, executor):
        for line in lines:
            keep(line)
        spent = sum(line.get("cpu", 0) for line in lines)
        say(f"{job.task} {job.method.name}: {len(lines)} cases, {spent:.1f} s")
    if out is not None and todo:
        _tidy(out, whole)
    return Results(tuple(held[one] for one in dict.fromkeys(wanted) if one in held))


@dataclass(frozen=True)
class _Job:
    """Cases of one task for one method; sent and given are how another process finds the two."""

    task: str
    sent: Any
    method: Method
    given: Any
    cases: tuple[str, ...]
    level: float
    key: int

    def same(self, case: str) -> tuple[Any, ...]:
        """What `results.same` makes of the line of this case."""
        return self.task, self.method.name, case, self.level, self.key, self.method.made

    def split(self, held: Mapping[Any, Any]) -> list[_Job]:
        """What is left to do, in parts for workers."""
        left = [case for case in self.cases if self.same(case) not in held]
        return [replace(self, cases=tuple(left[k : k + AT_ONCE])) for k in range(0, len(left), AT_ONCE)]


def _append(path: str | Path, line: Mapping[str, Any]) -> None:
    """Add a line to the results."""
    with Path(path).open("a") as file:
        file.write(json.dumps(line) + "\n")


def _tidy(path: str | Path, whole: Mapping[str, Sequence[str]]) -> None:
    """Drop what was measured anew since, and cases that their task no longer has."""
    lines = [
        json.dumps(line) + "\n"
        for line in read(path).lines
        if "skipped" in line or line["case"] in whole.get(line["task"], (line["case"],))
    ]
    files.write(path, "".join(lines))


def _held(out: str | Path | None) -> dict[tuple[Any, ...], Mapping[str, Any]]:
    """What a file holds; a half-written last line is taken off it."""
    if out is None or not Path(out).exists():
        return {}
    found = {same(line): line for line in read(out).lines}
    os.truncate(out, Path(out).read_bytes().rfind(b"\n") + 1)
    return found


def _silent(line: str) -> None:
    pass


def _several(given: Any) -> tuple[Any, ...]:
    return tuple(given) if isinstance(given, list | tuple) else (given,)


def _chosen(patterns: Any) -> Iterator[tuple[Task, Any]]:
    """Tasks, each once, with what stands for it in another process."""
    seen = set()
    for given in _several(patterns):
        for task, sent in _found(given):
            if task.name not in seen:
                seen.add(task.name)
                yield task, sent


def _found(given: Any) -> list[tuple[Task, Any]]:
    if isinstance(given, Task):
        return [(given, given)]
    if not isinstance(given, str):
        raise TypeError(f"a task is a name, a pattern, FILE.py:OBJECT or a Task, got {short(given)}")
    if ".py:" in given:
        several = _several(file_object(given)[0])
        if wrong := [one for one in several if not isinstance(one, Task)]:
            raise TypeError(f"{given} is no Task but {short(wrong[0])}")
        return [(task, given) for task in several]
    names = [name for name in TASKS if fnmatchcase(name, given)]
    if not names:
        groups = listed(list(dict.fromkeys(f"{task.group}/*" for task in TASKS.values())))
        raise KeyError(
            f"there is no task {short(given)}; `scalefit bench list` names all, and {groups} are groups"
        )
    return [(TASKS[name], None) for name in names]


def _missing(task: Task) -> str | None:
    """Why the data of a task cannot be read, or None."""
    for name in task.data.needs:
        try:
            datasets.folder(name)
        except (KeyError, FileNotFoundError) as error:
            return str(error.args[0])
    return None


def _unsuited(task: Task, one: Method) -> str | None:
    if task.asks not in ASKS:
        raise ValueError(f"task {task.name} asks for {task.asks!r}; it must be one of {listed(ASKS)}")
    if task.asks in one.answers:
        return None
    return f"the task asks for {task.asks}, which {one.name} does not give"


def _names(task: Task, sent: Any, quick: bool) -> tuple[str, ...]:
    names = tuple(_cases(task.name, sent))
    if not quick or len(names) <= task.quick:
        return names
    return tuple(names[k] for k in np.linspace(0, len(names) - 1, task.quick).round().astype(int))


@lru_cache(maxsize=4)
def _cases(name: str, sent: Any) -> dict[str, Case]:
    """The cases of a task by name, read once."""
    task = TASKS[name] if sent is None else next(task for task, _ in _found(sent) if task.name == name)
    found: dict[str, Case] = {}
    for case in task.cases():
        if case.name in found:
            raise ValueError(f"task {name} has two cases named {short(case.name)}; give each its own name")
        found[case.name] = case
    return found


def _finished(todo: Sequence[_Job], executor: Executor | None) -> Iterator[tuple[_Job, list[dict[str, Any]]]]:
    if executor is None:
        yield from ((job, _work(job)) for job in todo)
        return
    # A method of this process or of a file is found anew where it is run.
    begun = {executor.submit(_work, replace(job, method=_NOWHERE)): job for job in todo}
    yield from ((begun[one], one.result()) for one in as_completed(begun))


def _nothing(case: Case, level: float | None, key: int) -> None:
    """Stands in for a method on its way to another process."""


_NOWHERE = Method("", _nothing)


def _work(job: _Job) -> list[dict[str, Any]]:
    """The lines of a part; one that says why where the method has no say on the task."""
    one = method(job.given)
    task = next(
        task for task, _ in _found(job.task if job.sent is None else job.sent) if task.name == job.task
    )
    cases, lines = _cases(job.task, job.sent), []
    for name in job.cases:
        try:
            lines.append(_line(task, one, cases[name], job.level, job.key))
        except Unsuited as error:
            return [{"task": job.task, "method": one.name, "skipped": str(error)}]
    return lines


def _line(task: Task, one: Method, case: Case, level: float, key: int) -> dict[str, Any]:
    line = {
        "task": task.name,
        "method": one.name,
        "case": case.name,
        "level": level,
        "key": key,
        "made": one.made,
    }
    asked = level if task.intervals else None
    with _clock() as spent, catch_warnings():
        # What speaks against far predictions is what is measured here.
        simplefilter("ignore", CautionWarning)
        try:
            told = _told(case, one.answer(case, asked, key))
        except Unsuited:
            raise
        except Exception as error:
            told, line["error"] = None, " ".join(f"{type(error).__name__}: {error}".split())[:300]
    if told is not None and not np.isfinite(task.score.of(case, told)) and not task.timed:
        told, line["error"] = None, "a value foretold is not finite, or not positive where logarithms count"
    if told is not None and task.timed:
        told = replace(told, seconds=_again(one, case, asked, key, spent))
    line |= {"better": "lower" if task.score.lower_is_better else "higher", "score": None}
    line |= {"inside": None, "width": None, "interval": None, "n": 0}
    if told is not None:
        line |= {"score": task.score.of(case, told), "n": len(told.y)}
        line |= dict(zip(("inside", "width", "interval"), intervals(told, level), strict=True))
        if line["inside"] is not None and (task.asks == "rows" or case.label is not None):
            line["far"] = (by_distance if task.asks == "rows" else by_quantity)(case, told)
        if len(told.y) == 1:
            line["told"] = float(told.mean[0])
    return jsonable({name: _short(value) for name, value in (line | spent | {"on": _machine()}).items()})


def _told(case: Case, frame: Any) -> Told:
    y = case.test[case.y].to_numpy(float)
    rows = ~np.isnan(y)
    mean, lo, hi = (np.asarray(frame[name], float)[rows] for name in ("mean", "lo", "hi"))
    if np.any(np.isnan(mean)):
        raise ValueError(f"no number for {int(np.sum(np.isnan(mean)))} of {len(mean)} rows")
    return Told(y[rows], mean, lo, hi)


def _again(one: Method, case: Case, level: float | None, key: int, first: Mapping[str, float]) -> float:
    """CPU seconds with programs compiled: the first call's where it compiled nothing and was long."""
    if first["cpu"] > 2 and not first["compile"]:
        return first["cpu"]
    times = []
    for _ in range(3 if first["cpu"] < 2 else 1):
        with _clock() as spent:
            one.answer(case, level, key)
        times.append(spent["cpu"])
    return float(np.median(times))


@contextmanager
def _clock() -> Iterator[dict[str, float]]:
    """CPU seconds of this process, and how many of the clock's went into tracing and compiling."""
    from jax import monitoring

    spent = {"cpu": 0.0, "compile": 0.0}

    def listen(event: str, duration_secs: float, **_: str | int) -> None:
        if event.startswith("/jax/core/compile/"):
            spent["compile"] += duration_secs

    monitoring.register_event_duration_secs_listener(listen)
    began = time.process_time()
    try:
        yield spent
    finally:
        spent["cpu"] = time.process_time() - began
        monitoring.unregister_event_duration_listener(listen)


def _short(value: Any) -> Any:
    """Five digits are enough; more would only make the file long."""
    return float(f"{value:.5g}") if isinstance(value, float) else value


@lru_cache(maxsize=1)
def _machine() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in ("jax", "numpy", "scipy"))
    return (
        f"{platform.machine()}, {os.cpu_count()} cores; python {platform.python_version()}, "
        f"scalefit {scalefit.__version__}, {packages}"
    )
