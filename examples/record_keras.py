"""Record a Keras training with sf.Recorder: the callback to copy, and a small model to try it on.

KERAS_BACKEND=jax python examples/record_keras.py
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import keras
import numpy as np

import scalefit as sf


class Record(keras.callbacks.Callback):
    """Writes the mean loss of every so many steps.

    The loss that Keras hands on is a running mean since the epoch began, which lags behind and jumps at each new
    epoch; here the means of the steps in between are taken out of it.
    """

    def __init__(self, path: str | Path, every: int = 10, tokens_per_step: int | None = None):
        super().__init__()
        self.recorder, self.every, self.tokens = sf.Recorder(path), every, tokens_per_step

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.before = 0, 0.0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        # The rate of the coming update: after it a schedule has moved on.
        self.lr = float(self.model.optimizer.learning_rate)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        step = int(self.model.optimizer.iterations)
        if step % self.every:
            return
        (n, total), seen, summed = self.before, batch + 1, (batch + 1) * float(logs["loss"])
        self.before = seen, summed
        tokens = None if self.tokens is None else step * self.tokens
        self.recorder.log(step=step, loss=(summed - total) / (seen - n), lr=self.lr, tokens=tokens)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if "val_loss" in (logs or {}):
            self.recorder.log(step=int(self.model.optimizer.iterations), val_loss=logs["val_loss"])

    def on_train_end(self, logs: Any = None) -> None:
        self.recorder.close()


def main(arguments: list[str] | None = None) -> sf.RunLog:
    """Train for three epochs; the log as read back."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--log", type=Path, default=Path("keras.jsonl"), help="of the run (keras.jsonl)")
    options = parser.parse_args(arguments)
    if options.log.exists():
        parser.error(f"{options.log} exists; give another --log")
    random = np.random.default_rng(0)
    x = random.standard_normal((3200, 8)).astype("float32")
    y = np.sin(x[:, :2].sum(1, keepdims=True)).astype("float32")
    model = keras.Sequential([keras.layers.Dense(32, activation="tanh"), keras.layers.Dense(1)])
    rate = keras.optimizers.schedules.CosineDecay(0.01, 300)
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="mse")
    model.fit(x, y, batch_size=32, epochs=3, shuffle=False, verbose=0, callbacks=[Record(options.log)])
    log = sf.read_log(options.log)
    print(log)
    return log


if __name__ == "__main__":
    main()
