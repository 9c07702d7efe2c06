"""The benchmark suite: methods foretell what tasks hold out, and are scored with their intervals.

    from scalefit import bench
    found = bench.run("foresight/*", ["sf.extrapolate", "power_floor", my_method], out="results.jsonl")
    bench.show(found, "results.html")

The command line has the same: `scalefit bench list | run | show | compare`. Public tables are read from the
folder that SCALEFIT_DATA names; tasks without their data, and methods without their package, are skipped
with the reason. `records` says what tasks and cases are, a file per group declares them.
"""

from scalefit.bench.methods import METHODS, Method, method
from scalefit.bench.pages import markdown, show
from scalefit.bench.records import Case, Data, Score, Task, Told
from scalefit.bench.results import Results, compare, read
from scalefit.bench.runner import run, tasks

__all__ = [
    "METHODS",
    "Case",
    "Data",
    "Method",
    "Results",
    "Score",
    "Task",
    "Told",
    "compare",
    "markdown",
    "method",
    "read",
    "run",
    "show",
    "tasks",
]
