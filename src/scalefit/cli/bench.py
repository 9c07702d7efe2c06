"""`scalefit bench`: the benchmark suite. list, run, show, compare."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from scalefit.cli.options import LEVEL, Verbs, add_format, print_json, print_table

__all__ = ["add"]

RESULTS = "bench.jsonl"


def add(verbs: Verbs) -> None:
    """Add the verb of this file."""
    bench = verbs.add_parser("bench", help="measure methods on public tasks: list, run, show, compare")
    parts = bench.add_subparsers(required=True, metavar="part")
    listed = parts.add_parser("list", help="tasks, or the methods that come with the suite")
    listed.add_argument(
        "tasks", nargs="*", default=["*"], metavar="TASK", help='names or patterns, "foresight/*"'
    )
    listed.add_argument("--methods", action="store_true", help="methods instead of tasks")
    add_format(listed, _list)
    run = parts.add_parser(
        "run",
        help="run methods on tasks; what --out holds already is not done again",
        epilog="Example: scalefit bench run 'foresight/*' --method mine.py:method --quick",
    )
    run.add_argument("tasks", nargs="*", default=["*"], metavar="TASK", help="name, pattern, FILE.py:OBJECT")
    run.add_argument(
        "--method",
        action="append",
        default=[],
        metavar="NAME|FILE.py:OBJECT",
        help="a method, a law, or one of your own; again for more (those each task names)",
    )
    run.add_argument("--quick", action="store_true", help="a few cases of each task")
    run.add_argument("--out", default=RESULTS, metavar="FILE", help=f"results, as JSON lines ({RESULTS})")
    run.add_argument("--level", type=float, default=LEVEL, help=f"of the intervals ({LEVEL})")
    run.add_argument("--key", type=int, default=0, help="seed (0)")
    run.add_argument("--workers", type=int, default=1, metavar="N", help="processes (1: this one)")
    add_format(run, _run)
    show = parts.add_parser("show", help="write one HTML page of results")
    show.add_argument(
        "results", nargs="*", default=[RESULTS], metavar="FILE", help=f"what run wrote ({RESULTS})"
    )
    show.add_argument("--out", default="bench.html", metavar="FILE", help="the page (bench.html)")
    show.add_argument("--markdown", action="store_true", help="print the tables as Markdown instead")
    show.add_argument("--json", action="store_true", help="print JSON instead of text")
    show.set_defaults(run=_show)
    compare = parts.add_parser("compare", help="what differs between two results, paired by case")
    compare.add_argument("old", metavar="OLD", help="results, as run wrote them")
    compare.add_argument("new", metavar="NEW", help="the others")
    compare.add_argument("--level", type=float, default=LEVEL, help=f"of the intervals ({LEVEL})")
    add_format(compare, _compare)


def _list(options: argparse.Namespace) -> int:
    from scalefit import bench
    from scalefit.frames import frame

    if options.methods:
        rows: list[dict[str, Any]] = [
            {"method": one.name, "about": one.about, "missing": one.missing() or ""}
            for one in bench.METHODS.values()
        ]
    else:
        rows = [
            {
                "task": task.name,
                "held out": task.split,
                "score": task.score.name,
                "source": task.data.source,
                "licence": task.data.licence,
                "best known": task.best,
                "tuned on it": task.tuned,
            }
            for task in bench.tasks(options.tasks)
        ]
    if options.format == "text":
        rows = [dict(list(row.items())[:3]) for row in rows]
    print_table(frame(rows), options.format)
    return 0


def _run(options: argparse.Namespace) -> int:
    from scalefit import bench

    with _workers(options.workers) as executor:
        found = bench.run(
            options.tasks,
            options.method,
            options.out,
            quick=options.quick,
            level=options.level,
            key=options.key,
            executor=executor,
            progress=_say,
        )
    if found.pairs():
        print_table(found.table(), options.format)
    print(
        f"{len(found.lines)} results are in {options.out}; `scalefit bench show` makes a page",
        file=sys.stderr,
    )
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextmanager
def _workers(number: int) -> Iterator[Any]:
    if number < 1:
        raise ValueError(f"--workers must be at least 1, got {number}")
    if number == 1:
        yield None
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(min(number, os.cpu_count() or 1), mp_context=get_context("spawn")) as executor:
        yield executor


def _show(options: argparse.Namespace) -> int:
    from scalefit import bench

    if options.markdown:
        print(bench.markdown(options.results), end="")
        return 0
    path = bench.show(options.results, options.out)
    if options.json:
        print_json({"page": str(path)})
    else:
        print(f"The page is {path}; open it in a browser.")
    return 0


def _compare(options: argparse.Namespace) -> int:
    from scalefit import bench

    print_table(bench.compare(options.old, options.new, options.level), options.format)
    return 0
