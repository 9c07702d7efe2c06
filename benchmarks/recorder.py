"""What `sf.Recorder` costs per call, and what it loses: killed, written by several processes, on a full disk.

    python benchmarks/recorder.py --calls 100000 --kills 200

Needs nothing but the standard library and a Unix. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path

import scalefit as sf


def lines(path: Path) -> tuple[list[dict], int]:
    """The whole records of a log, and how many lines are none."""
    records, torn = [], 0
    for line in path.read_bytes().split(b"\n"):
        try:
            records += [json.loads(line)] if line else []
        except ValueError:
            torn += 1
    return [record for record in records if "step" in record], torn


def cost(folder: Path, calls: int, sync: bool = False) -> dict[str, float]:
    """Microseconds per call in batches of a hundredth of all calls: the median, the least and the most of them."""
    batches = []
    with sf.Recorder(folder / f"cost{sync}.jsonl", sync=sync) as recorder:
        for batch in range(100):
            began = time.perf_counter()
            for step in range(batch * calls // 100, (batch + 1) * calls // 100):
                recorder.log(step=step, loss=3.214159, lr=3e-4, tokens=step * 512)
            batches.append((time.perf_counter() - began) / (calls // 100) * 1e6)
    return {"median": round(statistics.median(batches), 2), "least": round(min(batches), 2),
            "most": round(max(batches), 2)}  # fmt: skip


def train(path: Path, first: int, told: int) -> None:
    """What a child does: record steps, short and long ones, and tell each step that `log` has returned for."""
    with sf.Recorder(path) as recorder:
        for step in range(first, sys.maxsize):
            recorder.log(
                step=step, loss=3.2, lr=3e-4, tokens=step * 512, note="x" * (step % 50 == 0) * 300_000
            )
            os.write(told, step.to_bytes(8, "big"))


def kills(folder: Path, n: int, key: int = 0) -> dict[str, int]:
    """A training killed with SIGKILL at n random moments and resumed each time: records told but not in the log."""
    path, draw = folder / "killed.jsonl", random.Random(key)
    told: list[int] = []
    for _ in range(n):
        theirs, ours = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(theirs)
            train(path, (told[-1] if told else 0) + 1, ours)
        os.close(ours)
        time.sleep(draw.uniform(0.0, 0.02))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with os.fdopen(theirs, "rb") as pipe:
            words = pipe.read()
        told += [int.from_bytes(words[k : k + 8], "big") for k in range(0, len(words), 8)]
    records, torn = lines(path)
    found = {record["step"] for record in records}
    return {"kills": n, "records": len(told), "lost": len(set(told) - found), "torn lines": torn}


def writers(folder: Path, n_processes: int = 2, n: int = 2000) -> dict[str, int]:
    """Several processes writing to one log at once, lines of many lengths."""
    path, children = folder / "shared.jsonl", []
    for process in range(n_processes):
        child = os.fork()
        if child == 0:
            with sf.Recorder(path, run=f"process {process}") as recorder:
                for step in range(n):
                    recorder.log(step=step, loss=process, note="x" * (step % 100) * 100)
            os._exit(0)
        children.append(child)
    codes = [os.waitpid(child, 0)[1] for child in children]
    records, torn = lines(path)
    found = {(record["loss"], record["step"]) for record in records}
    return {"processes": n_processes, "records": n_processes * n, "lost": n_processes * n - len(found),
            "torn lines": torn, "failed processes": sum(map(bool, codes))}  # fmt: skip


def full_disk(folder: Path, limit: int = 4096) -> dict[str, object]:
    """A file that may grow no further than `limit` bytes for a while: what a full disk looks like to a process."""
    path, (soft, hard) = folder / "full.jsonl", resource.getrlimit(resource.RLIMIT_FSIZE)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        recorder = sf.Recorder(path)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        for step in range(100):
            recorder.log(step=step, loss=3.2, lr=3e-4)
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        for step in range(100, 110):
            recorder.log(step=step, loss=3.2, lr=3e-4)
        lost = recorder.lost
        recorder.close()
    records, torn = lines(path)
    return {"records": 110, "lost and told": lost, "lost untold": 110 - lost - len(records), "torn lines": torn,
            "resumed with": min(record["step"] for record in records if record["step"] >= 100),
            "said": [str(warning.message).replace(str(folder), "") for warning in said]}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--calls", type=int, default=100_000, help="timed calls; none with 0")
    parser.add_argument("--kills", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found: dict[str, object] = {"kills": kills(folder, options.kills), "writers": writers(folder),
                                    "full disk": full_disk(folder)}  # fmt: skip
        if options.calls:
            found["microseconds per call"] = cost(folder, options.calls)
            found["microseconds per call, sync"] = cost(folder, options.calls // 100, sync=True)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
