"""What a GPU changes: core tests, and the crossover of CPU and GPU in lanes and in rows, in one process tree and one JSON.

    python benchmarks/gpu.py [--json FILE] [--minutes 8] [--no-tests]

Each platform runs in a process of its own (JAX_PLATFORMS), on runs that `sf.simulate` makes, so no data are needed. Where
there is no GPU the second platform is the CPU forced to two devices, and the script passes. Times are wall seconds: the
first call with its compilation, and the median of warm ones. The objective reached, or the draws' mean and spread of alpha,
stand beside each time and must agree between platforms.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
DRAWS, ROWS = (1_000, 10_000, 100_000), (1_000, 10_000, 100_000, 1_000_000)
TESTS = ("core/test_engine.py", "core/test_algebra.py", "fits/test_fit.py")


def clock(work: Callable[[], Any], repeats: int = 3) -> tuple[float, float, Any]:
    """First call, median of warm ones, and the last answer."""
    times, answer = [], None
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        answer = work()
        times.append(time.perf_counter() - begin)
    return times[0], sorted(times[1:])[len(times[1:]) // 2], answer


def measure(until: float) -> dict[str, Any]:
    """The rows of one platform, as long as there is time."""
    import jax
    import numpy as np

    import scalefit as sf

    law = sf.laws.chinchilla
    devices = jax.devices()
    out: dict[str, Any] = {
        "device": devices[0].device_kind,
        "platform": devices[0].platform,
        "n_devices": len(devices),
        "jax": jax.__version__,
    }

    def runs(n: int) -> dict[str, np.ndarray]:
        random = np.random.default_rng(0)
        x = {"N": 10 ** random.uniform(7.5, 10.5, n), "D": 10 ** random.uniform(9.5, 12, n)}
        made = sf.simulate(law, None, x, noise=0.01, key=0)
        return {"N": made["N"], "D": made["D"], "loss": made["y"]}

    small = runs(240)
    first, warm, fit = clock(lambda: sf.fit("chinchilla", small))
    out["fit, 240 rows"] = {"first": first, "warm": warm, "objective": fit.value}
    for n_draws in DRAWS:
        if time.time() > until:
            break
        first, warm, drawn = clock(lambda n=n_draws: sf.bootstrap(fit, n), 1)
        alpha = np.exp(drawn.draws.u[:, law.names.index("alpha")])
        out[f"bootstrap, {n_draws} draws"] = {
            "first": first,
            "warm": warm,
            "alpha": [float(alpha.mean()), float(alpha.std())],
        }
    for n in ROWS:
        if time.time() > until:
            break
        table = runs(n)
        first, warm, fit = clock(lambda t=table: sf.fit("chinchilla", t), 1)
        out[f"fit, {n} rows"] = {"first": first, "warm": warm, "objective": fit.value}
    return out


def child(name: str, minutes: float) -> dict[str, Any]:
    """`measure` in a process on one platform."""
    own = os.environ | {"SCALEFIT_CACHE": "off", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    own |= {"JAX_PLATFORMS": name} if name != "forced" else {
        "JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}  # fmt: skip
    done = subprocess.run(
        [sys.executable, __file__, "--child", str(time.time() + 60 * minutes)],
        env=own,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        return {"error": done.stderr.strip().splitlines()[-1:]}
    return json.loads(done.stdout.splitlines()[-1])


def has_gpu() -> bool:
    """Whether JAX finds one, asked in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", "import jax; print(jax.devices()[0].platform)"], capture_output=True, text=True
    )
    return done.stdout.strip() == "gpu"


def tests(name: str) -> str:
    """pytest's closing line for the core tests on a platform."""
    files = [str(HERE.parent / "tests" / file) for file in TESTS]
    own = os.environ | {"JAX_PLATFORMS": name, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files], env=own, capture_output=True, text=True,
                          cwd=HERE.parent)  # fmt: skip
    return (done.stdout.strip().splitlines() or done.stderr.strip().splitlines() or ["nothing"])[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--minutes", type=float, default=8.0, help="for the whole script, roughly")
    parser.add_argument("--no-tests", action="store_true")
    parser.add_argument("--child", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(options.child)))
        return
    other = "cuda" if has_gpu() else "forced"
    found: dict[str, Any] = {"machine": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    for name in ("cpu", other):
        found[name] = child(name, options.minutes / 4)
    if not options.no_tests:
        found["tests"] = {other: tests("cuda" if other == "cuda" else "cpu")}
    print(json.dumps(found, indent=1))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
