"""One page of tables and pictures from results: every method in the order of its score, ours among them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import scalefit
from scalefit import files
from scalefit.bench.catalogue import TASKS
from scalefit.bench.methods import ours
from scalefit.bench.records import Task
from scalefit.bench.results import Results, paired, read, scored, summary
from scalefit.bench.scores import BINS
from scalefit.plot.embedded import picture
from scalefit.reports.report import environment, place

__all__ = ["markdown", "show"]

GROUPS = {
    "foresight": "Foresight: what was held out, told from the rest",
    "doubt": "Doubt: intervals of what is known because it was simulated",
    "decisions": "Decisions: which recipe wins at a larger scale",
    "published": "Published: numbers of papers, found again",
    "certified": "Certified: coefficients known to nine digits",
    "speed": "Speed: CPU seconds of a call whose programs are compiled",
}
HEAD = ("method", "score", "median", "against the best", "inside", "half-width", "cases", "failed", "CPU s")


LEADERS = ("method", "tasks", "first", "score over the best", "inside")
# How to read the tables.
WORDS = (
    "Per group: on how many tasks a method was run, on how many it has the best score, the geometric "
    "mean of its score over the best of each task (of 1 - score where more is better), and the share "
    "of held-out rows inside its interval, of all rows and by decades beyond the training rows, or by "
    "what is asked, tasks alike. Methods run on fewer than half of the tasks come last: theirs may be "
    "the easy ones.",
    "Per task: the mean and median score over cases; the difference to the best method over the cases "
    "both finished (mean and standard error); the share of held-out rows inside the interval and its "
    "median half-width, of the logarithm where all values are positive (an open one holds whatever "
    "comes); cases, those without an answer, and CPU seconds per case, compilation included. Cases of "
    "one task often share runs, so that standard errors are too small rather than too large.",
    "Where another package or a plain baseline does better than our best method, a line below says so.",
)


def show(results: Results | str | Path | Sequence[str | Path], path: str | Path = "bench.html") -> Path:
    """Write one self-contained HTML page of results: a table per task, a picture per group.

    Args:
        results: results, or the file or files they are in.
        path: of the page. A file that is there is replaced whole.

    Returns:
        The path.

    Raises:
        ValueError: where there are no results, and for a file of other things.
        OSError: where the page cannot be written.

    Example:
        >>> import tempfile, pathlib
        >>> from scalefit import bench
        >>> found = bench.run("foresight/running_tiny", "last value", quick=True)
        >>> bench.show(found, pathlib.Path(tempfile.mkdtemp()) / "bench.html").name
        'bench.html'
    """
    found = _results(results)
    groups = [
        {"title": title, "id": group, "tasks": tasks, "picture": _drawn(tasks),
         "leaders": _leaders(tasks)}
        for group, title, tasks in _groups(found)
    ]  # fmt: skip
    template = environment("scalefit.bench").get_template("bench.html")
    path = place(path)
    context = {
        "version": scalefit.__version__,
        "groups": groups,
        "head": HEAD,
        **_about(found),
    }
    files.write(path, template.render(context) + "\n")
    return path


def markdown(results: Results | str | Path | Sequence[str | Path]) -> str:
    """The same tables as Markdown.

    Args:
        results: results, or the file or files they are in.

    Returns:
        The text.

    Raises:
        ValueError: where there are no results, and for a file of other things.

    Example:
        >>> from scalefit import bench
        >>> found = bench.run("foresight/running_tiny", "last value", quick=True)
        >>> bench.markdown(found).splitlines()[0]
        '# Benchmarks'
    """
    found = _results(results)
    about = _about(found)
    lines = [
        "# Benchmarks",
        "",
        " ".join(about["words"]),
        "",
        f"Measured on {'; '.join(about['machines'])}. {about['editions']}",
    ]
    for _, title, tasks in _groups(found):
        lines += ["", f"## {title}", "", *_table(_leaders(tasks))]
        for one in tasks:
            facts = "; ".join(f"{name}: {value}" for name, value in one["facts"].items())
            lines += ["", f"### {one['name']}", "", f"{one['about']} {facts}.", ""]
            lines += _table([HEAD, *(row["cells"] for row in one["rows"])])
            lines += [""] * bool(one["notes"]) + [f"- {note}" for note in one["notes"]]
    if about["skipped"]:
        lines += ["", "## Skipped", "", *(f"- {name}: {why}" for name, why in about["skipped"])]
    return "\n".join(lines) + "\n"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """The heading comes first."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return [lines[0], "| --- |" + " ---: |" * (len(rows[0]) - 1), *lines[1:]]


def _results(given: Results | str | Path | Sequence[str | Path]) -> Results:
    if isinstance(given, Results):
        found = given
    else:
        files = [given] if isinstance(given, str | Path) else given
        found = Results(tuple(line for path in files for line in read(path).lines))
    if not found.lines:
        raise ValueError("there are no results to show; `scalefit bench run --out FILE` makes some")
    return found


def _about(found: Results) -> dict[str, Any]:
    lines = [line for line in found.lines if "skipped" not in line]
    made = Counter(line["made"] for line in lines)
    older = sum(n for name, n in made.items() if name.startswith("scalefit ") and name != ours())
    editions = ", ".join(f"{name}: {n}" for name, n in sorted(made.items()) if len(name) > 1)
    stale = f" {older} are of other sources than these, {ours()}: `scalefit bench run` measures them anew."
    return {
        "words": WORDS,
        "editions": f"Results by edition: {editions}." * bool(editions) + stale * bool(older),
        "machines": list(dict.fromkeys(line["on"] for line in lines)),
        "level": sorted({line["level"] for line in lines}),
        "skipped": [(" ".join(filter(None, pair)), why) for pair, why in found.skipped().items()],
    }


def _groups(found: Results) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    """Group, its title, and what is told about each of its tasks."""
    by_task: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for (task, method), lines in found.pairs().items():
        by_task.setdefault(task, {})[method] = lines
    names = dict.fromkeys(task.partition("/")[0] for task in by_task)
    for group in sorted(names, key=[*GROUPS, *names].index):
        own = {task: methods for task, methods in by_task.items() if task.partition("/")[0] == group}
        yield group, GROUPS.get(group, group), [_task(task, methods) for task, methods in own.items()]


def _task(name: str, methods: Mapping[str, list[Mapping[str, Any]]]) -> dict[str, Any]:
    """Facts and rows of one task, the best score first."""
    known = TASKS.get(name)
    sign = 1.0 if next(iter(methods.values()))[0]["better"] == "lower" else -1.0
    rows = sorted(map(summary, methods.values()), key=partial(_place_of, sign))
    first = rows[0]["method"]
    return {
        "name": name,
        "about": _sentence(known),
        "facts": _facts(known, sign),
        "rows": [{"score": row["score"], "inside": row["inside"], "method": row["method"],
                  "far": _far(methods[row["method"]]),
                  "cells": _cells(row, methods, first, sign)} for row in rows],
        "notes": [*_ahead(rows, methods, sign, known), *_notes(methods)],
        "sign": sign,
    }  # fmt: skip


def _far(lines: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Share of rows inside their interval, by decades beyond the runs or by what is asked; cases alike."""
    shares: dict[str, list[float]] = {}
    for line in lines:
        for name, (inside, n) in line.get("far", {}).items():
            shares.setdefault(name, []).append(inside / n)
    return {name: float(np.mean(each)) for name, each in shares.items()}


def _leaders(tasks: Sequence[Mapping[str, Any]]) -> list[Sequence[str]]:
    """Heading and one row per method of a group, by how far it stays behind the best of each task.

    Those that were run on fewer than half of the tasks come last: their tasks may be the easy ones.
    """
    found: dict[str, list[tuple[Mapping[str, Any], Mapping[str, Any]]]] = {}
    for task in tasks:
        for row in task["rows"]:
            found.setdefault(row["method"], []).append((task, row))
    seen = dict.fromkeys(name for task in tasks for row in task["rows"] for name in row["far"])
    parts, rows = [*(name for name in BINS if name in seen), *(name for name in seen if name not in BINS)], []
    for method, pairs in found.items():
        ratios = np.log([ratio for ratio in (_ratio(*pair) for pair in pairs) if np.isfinite(ratio)])
        behind = float(np.exp(np.mean(ratios))) if len(ratios) else np.inf
        first = sum(row["score"] == task["rows"][0]["score"] for task, row in pairs)
        inside = [
            [row["inside"] for _, row in pairs],
            *([row["far"].get(name, np.nan) for _, row in pairs] for name in parts),
        ]
        told = [_percent(np.array(shares, float)) for shares in inside]
        ratio = f"{behind:.2f}" if np.isfinite(behind) else ""
        few = 2 * len(pairs) < len(tasks)
        rows.append(((few, behind), [method, str(len(pairs)), str(first or ""), ratio, *told]))
    head = [*LEADERS, *(name + " decades" * (name in BINS and name[:2] == "to") for name in parts)]
    return [head, *(cells for _, cells in sorted(rows, key=_behind))]


def _behind(row: tuple[tuple[bool, float], list[str]]) -> tuple[bool, float]:
    return row[0]


def _percent(shares: np.ndarray) -> str:
    known = shares[np.isfinite(shares)]
    return f"{np.mean(known):.0%}" if len(known) else ""


def _ahead(rows: Sequence[Mapping[str, Any]], methods: Mapping[str, Any], sign: float, task: Task | None):
    """A sentence where another package or a plain baseline has a better score than our best method."""
    ours = next((row for row in rows if row["method"].startswith("sf.")), None)
    if ours is None or ours is rows[0]:
        return
    ahead = rows[0]["method"]
    one, two = scored(methods[ours["method"]]), scored(methods[ahead])
    both = [case for case in two if case in one]
    found = paired([one[c]["score"] for c in both], [two[c]["score"] for c in both], sign, 0.9)
    if both and sign * found["difference"] < 0:
        share, ends, told = "the one case", _number(found["difference"], "+"), True
        if len(both) > 1:
            share = f"{found['better']:.0%} of {len(both)} cases"
            ends = f"{_number(found['lo'], '+')} to {_number(found['hi'], '+')} (90 % interval)"
            told = found["verdict"] == "better"
        why = (task.why if task is not None else "") or "why is not known"
        why = why if told else "not told apart"
        yield f"{ahead} is ahead of {ours['method']} in {share}, by {ends}: {why}"


def _place_of(sign: float, row: Mapping[str, Any]) -> tuple[bool, float]:
    """Methods without an answer in most cases come last, whatever they score in the others."""
    return 2 * row["failed"] > row["cases"] or np.isnan(row["score"]), sign * row["score"]


def _sentence(task: Task | None) -> str:
    doc = getattr(getattr(task.cases, "func", task.cases), "__doc__", "") if task else ""
    return " ".join((doc or "").split("\n\n")[0].split())


def _facts(task: Task | None, sign: float) -> dict[str, str]:
    better = "less is better" if sign > 0 else "more is better"
    if task is None:
        return {"score": better}
    facts = {"score": f"{task.score.name}, {better}", "held out": task.split, "source": task.data.source}
    facts |= {"licence": task.data.licence, "tuned on it": task.tuned}
    return facts | ({"best known": task.best} if task.best else {})


def _cells(row: Mapping[str, Any], methods: Mapping[str, list], first: str, sign: float) -> list[str]:
    one, two = scored(methods[first]), scored(methods[row["method"]])
    both = [case for case in two if case in one]
    gap = ""
    if row["method"] != first and both:
        found = paired([one[c]["score"] for c in both], [two[c]["score"] for c in both], sign, 0.9)
        gap = _number(found["difference"], "+")
        gap += f" ± {_number(found['stderr'])}" if len(both) > 1 else ""
    inside = "" if np.isnan(row["inside"]) else f"{row['inside']:.0%}"
    cpu = f"{row['cpu']:.2g}" if row["cpu"] >= 0.005 else "0"
    width = "open" if inside and np.isnan(row["width"]) else _number(row["width"])
    texts = [row["method"], _number(row["score"]), _number(row["median"]), gap, inside, width]
    return [*texts, str(row["cases"]), str(row["failed"] or ""), cpu]


def _number(value: float, sign: str = "") -> str:
    return "" if np.isnan(value) else f"{value:{sign}.3g}"


def _notes(methods: Mapping[str, list[Mapping[str, Any]]]) -> Iterator[str]:
    """Why methods gave no answer, the most frequent reason of each."""
    for method, lines in methods.items():
        errors = [line["error"] for line in lines if line.get("error")]
        if errors:
            most = max(dict.fromkeys(errors), key=errors.count)
            yield f"{method}, {errors.count(most)} of {len(lines)}: {most}"


def _drawn(tasks: list[dict[str, Any]]) -> str:
    """A picture of the group, none where nothing compares."""
    known = any(np.isfinite(_ratio(one, row)) for one in tasks for row in one["rows"])
    return picture(partial(_draw, tasks=tasks)) if known else ""


def _draw(ax: Any, tasks: Iterable[Mapping[str, Any]]) -> None:
    """Scores by task, over the best of the task; lines to the left have none that compares."""
    tasks, marks = list(tasks), "osD^vP*X<>hd"
    methods = list(dict.fromkeys(row["method"] for one in tasks for row in one["rows"]))
    for k, method in enumerate(methods):
        # Side by side, so that methods of one score do not hide each other.
        beside = 0.7 * ((k + 0.5) / len(methods) - 0.5)
        points = [(_ratio(one, row), -line - beside) for line, one in enumerate(tasks) for row in one["rows"]
                  if row["method"] == method and np.isfinite(_ratio(one, row))]  # fmt: skip
        if points:
            x, y = zip(*points, strict=True)
            ax.plot(x, y, marks[k % len(marks)], color=f"C{k % 10}", ms=4.5, alpha=0.8, label=method)
    for line in range(len(tasks) - 1):
        ax.axhline(-line - 0.5, color="0.9", lw=0.6)
    ax.set_yticks([-line for line in range(len(tasks))], [one["name"].partition("/")[2] for one in tasks])
    ax.set_ylim(-len(tasks) + 0.4, 0.6)
    ax.set_xscale("log")
    ax.set_xlabel("score over the best of the task (1: the best; beyond 30 not shown)")
    ax.set_xlim(0.9, 30)
    ax.set_xticks([1, 2, 3, 5, 10, 30], ["1", "2", "3", "5", "10", "30"])
    ax.minorticks_off()
    ax.grid(axis="x", alpha=0.3)
    height = 1.0 + 0.42 * len(tasks)
    ax.legend(fontsize=8, ncols=4, loc="lower left", bbox_to_anchor=(0, 1), frameon=False)
    ax.figure.set_size_inches(8, height + 0.2 * -(-len(methods) // 4))


def _ratio(task: Mapping[str, Any], row: Mapping[str, Any]) -> float:
    """How much worse than the best of the task, as a ratio; where more is better, of 1 - score."""
    best, own = task["rows"][0]["score"], row["score"]
    if task["sign"] < 0:
        best, own = 1 - best, 1 - own
    return own / best if best > 0 and own > 0 else np.nan
