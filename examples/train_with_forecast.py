"""Train a small transformer on Python's own sources, and let the forecast of its final loss decide how long.

    python examples/train_with_forecast.py --target 1.65

The plan is warm-up, stable, decay. Every so many steps the run's log is read and forecast. If the target is out of reach the run
stops; if a cooldown begun now would reach it, the cooldown begins now; if the run is off course, it raises. `decide`
is the part to copy.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

import scalefit as sf

sys.path.insert(0, str(Path(__file__).parent / "tiny_lm"))
from corpus import load_corpus
from model import Size
from train import BLOCK, data_order, init_state, train_block

BATCH_ROWS = 8  # sequences of 128 bytes per step
PEAK, WARMUP = 0.01, 40
# Probabilities of reaching the target. A run is looked at often: at 0.05, 7 of 79 that would have got there were stopped.
SURE, HOPELESS = 0.95, 0.01


def decide(path: Path, rates: np.ndarray, cooldown: int, target: float) -> tuple[np.ndarray, str]:
    """The rates to go on with, and why: the same, those with the cooldown begun now, or none beyond this step."""
    log = sf.read_log(path)
    now = sf.forecast(log, rates)
    print(now)
    serious = [alarm.text for alarm in now.alarms if alarm.severity == "serious"]
    if serious:
        raise RuntimeError("; ".join(serious))
    if np.isnan(now.loss):
        return rates, "too early to say"
    if now.chance(target) < HOPELESS:
        return rates[: now.step], f"stop: a loss of {target} is out of reach"
    sooner = np.concatenate([rates[: now.step], sf.schedule.linear(cooldown, PEAK)])
    if len(sooner) < len(rates) and sf.forecast(log, sooner).chance(target) > SURE:
        return sooner, f"cool down now: {len(rates) - len(sooner)} steps are not needed"
    return rates, "go on"


def train(path: Path, steps: int, target: float, size: Size, look: int) -> tuple[int, float, str]:
    """Steps done, mean training loss of the last tenth of them, and the last decision."""
    corpus, state = load_corpus(), init_state(0, size)
    order = data_order(0, len(corpus.train))
    cooldown = steps // 5
    rates, why, step = sf.schedule.wsd(steps, PEAK, cooldown=cooldown, warmup=WARMUP), "", 0
    with sf.Recorder(path) as recorder:
        while step < len(rates):
            at = np.arange(step + 1, min(step + BLOCK, len(rates)) + 1)
            rows = corpus.train[order[step * BATCH_ROWS : at[-1] * BATCH_ROWS]].reshape(
                len(at), BATCH_ROWS, -1
            )
            state, losses = train_block(
                state, rows, at.astype(np.float32), rates[at - 1].astype(np.float32), size
            )
            step = int(at[-1])
            recorder.log(step=step, loss=np.mean(losses), lr=rates[step - 1], tokens=step * BATCH_ROWS * 128)
            if step % look == 0 and rates[step - 1] == PEAK:
                rates, why = decide(path, rates, cooldown, target)
                print(f"  {why}\n")
    table = sf.read_log(path).table
    return step, float(table["loss"][table["step"] > 0.9 * step].mean()), why


def main(arguments: list[str] | None = None) -> tuple[int, float, str]:
    """Train as the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--target", type=float, default=1.65, help="training loss to reach, nats per byte (1.65)"
    )
    parser.add_argument("--steps", type=int, default=4000, help="of the plan (4000)")
    parser.add_argument("--width", type=int, default=32, help="of the model (32)")
    parser.add_argument("--look", type=int, default=400, help="steps between forecasts (400)")
    parser.add_argument("--log", type=Path, default=Path("run.jsonl"), help="of the run (run.jsonl)")
    options = parser.parse_args(arguments)
    if options.log.exists():
        parser.error(f"{options.log} exists; give another --log")
    step, loss, why = train(
        options.log, options.steps, options.target, Size(options.width, 2, 2), options.look
    )
    print(f"{step} of {options.steps} steps, training loss {loss:.3f} at the end ({why})")
    return step, loss, why


if __name__ == "__main__":
    main()
