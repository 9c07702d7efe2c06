"""Seconds that the first calls of a process take: without compiled programs on disk, with them, and again.

    python benchmarks/first_calls.py                 # prints a table
    python benchmarks/first_calls.py --json first_calls.json

240 rows of `chinchilla` with published coefficients and 0.4 % of noise; 1,000 tables of 16 rows; 404 rows of `farseer`;
three curves of 200 rows; and the command line, `scalefit fit` of the 240 rows from start to printed answer. Every figure
is the least of `--repeat` fresh processes, by the wall and of the processors: what else runs on the machine adds to it.
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
    "fit": lambda sf, made, fit: sf.fit("chinchilla", made["runs"]),
    "interval": lambda sf, made, fit: fit.predict({"N": [1e11], "D": [1e12]}, level=0.9),
    "bootstrap": lambda sf, made, fit: sf.bootstrap(fit, 1000),
    "compare": lambda sf, made, fit: sf.compare(["chinchilla", "skaling"], made["runs"]),
    "extrapolate": lambda sf, made, fit: sf.extrapolate(made["runs"]),
    "optimal": lambda sf, made, fit: sf.optimal(fit, C=[1e24], level=0.9),
    "fit_groups": lambda sf, made, fit: sf.fit_groups("power_floor", made["tables"], by="task"),
    "farseer": lambda sf, made, fit: sf.fit("farseer", made["grid"]),
    "fit_curves": lambda sf, made, fit: sf.fit_curves(made["curves"]),
}
LINE = "command line"
Clock = tuple[float, float]
Taken = dict[str, dict[str, Clock]]


def clock() -> Clock:
    """Seconds by the wall, and of the processors, of this process and of those it began."""
    spent = os.times()
    return time.perf_counter(), time.process_time() + spent.children_user + spent.children_system


def since(begun: Clock) -> Clock:
    now = clock()
    return now[0] - begun[0], now[1] - begun[1]


def tables(sf, np) -> dict[str, dict]:
    """What the calls are made on."""
    random = np.random.default_rng(0)

    def runs_of(law, coefs, x, noise):
        made = sf.simulate(sf.laws[law], coefs, x, noise=noise, key=0)
        return {**x, "loss": np.asarray(made["y"])}

    N, D = np.repeat(np.geomspace(5e7, 1e10, 15), 16), np.tile(np.geomspace(1e9, 5e11, 16), 15)
    x = 10 ** random.uniform(6, 10, (1000, 16))
    loss = (1.5 + 20 / x**0.3) * np.exp(0.01 * random.standard_normal(x.shape))
    farseer = sf.laws.farseer.checks[0][0]
    grid = {"N": 10 ** random.uniform(8, 10, 404), "D": 10 ** random.uniform(9, 11.5, 404)}
    rates = {
        "constant": sf.schedule.constant(24_000, 3e-4, warmup=2000),
        "cosine": sf.schedule.cosine(24_000, 3e-4, 3e-5, warmup=2000),
        "wsd": sf.schedule.wsd(24_000, 3e-4, cooldown=4800, warmup=2000),
    }
    step = np.append(np.linspace(0, 2000, 20), np.linspace(2120, 24_000, 180)).round()
    curves = {
        "step": np.tile(step, 3),
        "eta": np.concatenate([np.append(0.0, rate)[step.astype(int)] for rate in rates.values()]),
        "curve": np.repeat(list(rates), 200),
    }
    law = sf.laws.lr_annealing
    truth = {"L0": 2.7, "A": 0.6, "alpha": 0.45, "C": 0.75, "lam": 0.998}
    exact = law(truth, {**curves, "curve": np.repeat([0.0, 1.0, 2.0], 200)})
    noisy = exact * np.exp(0.002 * random.standard_normal(600))
    return {
        "runs": runs_of("chinchilla", sf.laws.chinchilla.published["besiroglu2024"], {"N": N, "D": D}, 0.004),
        "tables": {"task": np.repeat(np.arange(1000), 16), "x": x.ravel(), "loss": loss.ravel()},
        "grid": runs_of("farseer", farseer, grid, 0.002),
        "curves": curves | {"loss": np.where(curves["step"] > 2000, noisy, np.nan)},
    }


def seconds() -> Taken:
    """Call -> seconds of the first and of the second time, in this process; and of the import."""
    begun = clock()
    import numpy as np

    import scalefit as sf

    taken = {"import": {"first": since(begun)}}
    made, fit = tables(sf, np), None
    for name, call in CALLS.items():
        for turn in ("first", "again"):
            begun = clock()
            answer = call(sf, made, fit)
            taken.setdefault(name, {})[turn] = since(begun)
            fit = answer if name == "fit" else fit
    return taken


def child(cache: str, table: Path) -> Taken:
    """`seconds` of a process that keeps its programs there, and then the command line's."""
    env = {**os.environ, "SCALEFIT_CACHE": cache}

    def run(*words: str) -> str:
        return subprocess.run(
            [sys.executable, *words], env=env, capture_output=True, text=True, check=True
        ).stdout

    taken = json.loads(run(__file__, "--child"))
    begun = clock()
    run("-m", "scalefit", "fit", str(table), "--law", "chinchilla")
    return taken | {LINE: {"first": since(begun)}}


def least(found: list[Taken], turn: str, which: int) -> dict[str, float]:
    return {name: min(one[name][turn][which] for one in found) for name in found[0] if turn in found[0][name]}


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
        import numpy as np

        import scalefit as sf

        table = Path(folder) / "runs.csv"
        runs = tables(sf, np)["runs"]
        np.savetxt(
            table, np.stack([*runs.values()], axis=1), "%.17g", ",", header=",".join(runs), comments=""
        )
        bare = [child("off", table) for _ in range(options.repeat)]
        child(folder, table)
        kept = [child(folder, table) for _ in range(options.repeat)]
    found = {}
    for which, unit in enumerate(("seconds", "of the processors")):
        found[unit] = rows = {
            "no programs on disk": least(bare, "first", which),
            "programs on disk": least(kept, "first", which),
            "again": least(kept, "again", which),
        }
        print(f"{unit:18s}" + "".join(f"{name:>22s}" for name in rows))
        for call in ("import", *CALLS, LINE):
            cells = (f"{row[call]:20.3f} s" if call in row else " " * 22 for row in rows.values())
            print(f"{call:18s}" + "".join(cells))
    if options.json:
        machine = {"machine": platform.machine(), "cpus": os.cpu_count(), "python": platform.python_version()}
        said = {**found, "load": os.getloadavg()[0], "date": time.strftime("%Y-%m-%d"), **machine}
        options.json.write_text(json.dumps(said, indent=1) + "\n")


if __name__ == "__main__":
    main()
