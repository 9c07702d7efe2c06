"""100,000 generated nasty calls and files: a clear sentence, a sound answer, or a fault.

    python benchmarks/fuzz.py                   # what is left to do of all areas
    python benchmarks/fuzz.py laws Fit.predict  # areas whose name holds one of these
    python benchmarks/fuzz.py --again           # the faults that are open, once more
    python benchmarks/fuzz.py --show            # the table, from the results

An area is one of `AREAS` in tests/nasty.py, or the calls of one public function; its calls are drawn by their
number. `fuzz.json` counts how they ended and keeps the number of every fault, so that a stopped run goes on
where it was, and a fault is called mended only when its call, made again, ends well. `fuzz.md` is the table.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from nasty import AREAS, CALLS, ROWS, TooLong, World, ended

RESULTS = Path(__file__).with_suffix(".json")
# How many of each area; of one public function, and of those that refit many times.
MANY = {
    "tables fitted": 4000, "predictions": 12_000, "optima": 3000, "budgets": 3000, "saved fits": 6000,
    "sweeps": 4000, "files read": 22_000, "command line": 5000, "laws": 14_000,
}  # fmt: skip
EACH, FEW = 300, 60
SLOW = {
    "report", "backtest", "compare", "extrapolate", "extrapolate_groups", "decide", "gate", "next_runs", "widen",
    "fit_curves", "forecast", "best_schedule", "specification", "suggest", "three_ways", "profile", "jackknife",
    "optimal_mixture", "posterior",
}  # fmt: skip
# After so many calls what is known is written.
AT_ONCE = 100
# Bytes that a call may ask for beyond what the process has when it begins: more is an error, and so a fault.
MEMORY = 6 << 30


def planned() -> dict[str, int]:
    """Area -> calls."""
    calls = {name: FEW if name in SLOW or name.startswith("plot.") else EACH for name in (*CALLS, *ROWS)}
    return {**MANY, **calls}


def root(error: BaseException) -> str:
    """What went wrong, by kind and by the innermost place in the package."""
    while isinstance(error, AssertionError) and error.__context__ is not None:
        error = error.__context__  # what was refused in words that are not ours
    frames = traceback.extract_tb(error.__traceback__)
    ours = next((f for f in reversed(frames) if "/scalefit/" in f.filename), frames[-1])
    place = f"{ours.filename.rsplit('/scalefit/', 1)[-1].rsplit('/', 1)[-1]}:{ours.name}"
    said = re.sub(r"[\d.e+-]{2,}", "#", " ".join(str(error).split()))[:70]
    return f"{type(error).__name__} in {place}: {said}"


def one(area: str, key: int, known: World, folder: Path) -> str:
    """How a call ended, or the root of its fault."""
    try:
        return ended(area, key, known, folder)
    except (Exception, TooLong) as error:
        return root(error)


def run(area: str, n: int, found: dict[str, Any], known: World, folder: Path) -> None:
    """The calls of an area that are left, at most `AT_ONCE`."""
    for key in range(found["tried"], min(found["tried"] + AT_ONCE, n)):
        how = one(area, key, known, folder)
        found["tried"] += 1
        if how in ("answered", "refused"):
            found[how] += 1
        else:
            found["open"][str(key)] = how
            print(f"{area} {key}: {how}", flush=True)


def again(area: str, found: dict[str, Any], known: World, folder: Path) -> None:
    """The faults of an area, once more."""
    for key in list(found["open"]):
        how = one(area, int(key), known, folder)
        if how in ("answered", "refused"):
            found["mended"][key] = found["open"].pop(key)
            found[how] += 1
        else:
            found["open"][key] = how
            print(f"{area} {key}: {how}", flush=True)


def table(results: dict[str, Any]) -> str:
    """The results as Markdown: areas, functions, roots."""
    head = "| area | calls | answered | refused in one sentence | faults found | of them mended | roots |\n"
    lines = [head, "|---|---:|---:|---:|---:|---:|---:|\n"]
    total: Counter[str] = Counter()
    for area in sorted(results, key=lambda area: (area not in AREAS, area)):
        found = results[area]
        faults = {**found["mended"], **found["open"]}
        cells = {"tried": found["tried"], "answered": found["answered"], "refused": found["refused"]} | {
            "faults": len(faults), "mended": len(found["mended"]), "roots": len(set(faults.values())),
        }  # fmt: skip
        total.update(cells)
        lines.append(f"| {area} | {' | '.join(f'{cell:,}' for cell in cells.values())} |\n")
    lines.append(f"| all | {' | '.join(f'{cell:,}' for cell in total.values())} |\n")
    return "".join(lines)


def main() -> None:
    """Run, resume, or show."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("words", nargs="*", help="only areas whose names hold one of these")
    parser.add_argument("--again", action="store_true", help="make the calls that ended in a fault again")
    parser.add_argument("--show", action="store_true", help="only write the table")
    parser.add_argument("--share", type=float, default=1.0, help="of the calls planned")
    options = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    known, plan = World(), planned()
    known.fit.predict({"N": 1e9, "D": 1e11})  # JAX takes its share
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, resource.RLIM_INFINITY))
    with tempfile.TemporaryDirectory() as folder:
        for area, n in plan.items():
            if options.show or (options.words and not any(word in area for word in options.words)):
                continue
            empty = {"tried": 0, "answered": 0, "refused": 0, "open": {}, "mended": {}}
            found = results.setdefault(area, empty)
            if options.again:
                again(area, found, known, Path(folder))
            while not options.again and found["tried"] < n * options.share:
                run(area, n, found, known, Path(folder))
                RESULTS.write_text(json.dumps(results, indent=1) + "\n")
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    text = f"# {__doc__.splitlines()[0]}\n\n{table(results)}"
    RESULTS.with_suffix(".md").write_text(text)


if __name__ == "__main__":
    main()
