"""Seconds that the first calls of a process take: without compiled programs on disk, with them, and again.

    python benchmarks/first_calls.py                 # prints a table
    python benchmarks/first_calls.py --json first_calls.json

240 rows of `chinchilla` with published coefficients and 0.4 % of noise. Every figure is the least of `--repeat` fresh
processes: what else runs on the machine can only add to it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CALLS = {
    "fit": lambda sf, runs, fit: sf.fit("chinchilla", runs),
    "interval": lambda sf, runs, fit: fit.predict({"N": [1e11], "D": [1e12]}, level=0.9),
    "bootstrap": lambda sf, runs, fit: sf.bootstrap(fit, 1000),
    "compare": lambda sf, runs, fit: sf.compare(["chinchilla", "skaling"], runs),
    "extrapolate": lambda sf, runs, fit: sf.extrapolate(runs),
    "optimal": lambda sf, runs, fit: sf.optimal(fit, C=[1e24], level=0.9),
}


def seconds() -> dict[str, dict[str, float]]:
    """Call -> seconds of the first and of the second time, in this process; and of the import."""
    begun = time.perf_counter()
    import numpy as np

    import scalefit as sf

    taken = {"import": {"first": time.perf_counter() - begun}}
    sizes, tokens = np.geomspace(5e7, 1e10, 15), np.geomspace(1e9, 5e11, 16)
    N, D = np.repeat(sizes, 16), np.tile(tokens, 15)
    law = sf.laws.chinchilla
    made = sf.simulate(law, law.published["besiroglu2024"], {"N": N, "D": D}, noise=0.004, key=0)
    runs = {"N": N, "D": D, "loss": np.asarray(made["y"])}
    fit = None
    for name, call in CALLS.items():
        for turn in ("first", "again"):
            begun = time.perf_counter()
            answer = call(sf, runs, fit)
            taken.setdefault(name, {})[turn] = time.perf_counter() - begun
            fit = answer if name == "fit" else fit
    return taken


def child(cache: str) -> dict[str, dict[str, float]]:
    env = {**os.environ, "SCALEFIT_CACHE": cache}
    done = subprocess.run(
        [sys.executable, __file__, "--child"], env=env, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def least(found: list[dict[str, dict[str, float]]], turn: str) -> dict[str, float]:
    return {name: min(one[name][turn] for one in found) for name in found[0] if turn in found[0][name]}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", action="store_true")
    options = parser.parse_args()
    if options.child:
        print(json.dumps(seconds()))
        return
    with tempfile.TemporaryDirectory() as folder:
        bare = [child("off") for _ in range(options.repeat)]
        child(folder)
        kept = [child(folder) for _ in range(options.repeat)]
    table = {
        "no programs on disk": least(bare, "first"),
        "programs on disk": least(kept, "first"),
        "again": least(kept, "again"),
    }
    print(f"{'call':12s}" + "".join(f"{name:>22s}" for name in table))
    for call in ("import", *CALLS):
        print(
            f"{call:12s}"
            + "".join(f"{row[call]:20.3f} s" if call in row else " " * 22 for row in table.values())
        )
    print(
        f"{'all but import':14s}"
        + "".join(f"{sum(v for k, v in row.items() if k != 'import'):18.2f} s  " for row in table.values())
    )
    if options.json:
        machine = {"machine": platform.machine(), "cpus": os.cpu_count(), "python": platform.python_version()}
        options.json.write_text(json.dumps({"seconds": table, **machine}, indent=1) + "\n")


if __name__ == "__main__":
    main()
