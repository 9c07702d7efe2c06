"""What the callbacks do at each of a trainer's hooks; the package mixes in the classes to derive from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from scalefit.callbacks.recorder import Recorder

__all__ = ["HuggingFace", "Lightning"]

# Names that a record has itself.
TAKEN = ("step", "loss", "lr", "tokens", "time", "session")


class _Recording:
    def __init__(
        self,
        log: str | os.PathLike[str] | Recorder,
        run: str | None = None,
        tokens_per_step: int | None = None,
    ):
        super().__init__()
        self.log_to, self.run, self.tokens_per_step = log, run, tokens_per_step
        self._recorder: Recorder | None = log if isinstance(log, Recorder) else None

    def _open(self) -> Recorder:
        if self._recorder is None:
            assert not isinstance(self.log_to, Recorder)
            self._recorder = Recorder(self.log_to, self.run)
        return self._recorder

    def _close(self) -> None:
        """A recorder of the user's own is left open."""
        if self._recorder is not None and not isinstance(self.log_to, Recorder):
            self._recorder.close()
            self._recorder = None

    def _record(self, step: int, loss: Any, lr: Any, tokens: Any, more: Mapping[str, Any]) -> None:
        if tokens is None and self.tokens_per_step is not None:
            tokens = step * self.tokens_per_step
        named = {f"metric/{name}" if name in TAKEN else name: value for name, value in more.items()}
        self._open().log(step=step, loss=loss, lr=lr, tokens=tokens, **named)


class HuggingFace(_Recording):
    """Records what the Hugging Face trainer logs, from the main process.

    log: path of the log, or a Recorder. run: as in `Recorder`. tokens_per_step: to record tokens seen;
    otherwise they are the trainer's own count where `include_num_input_tokens_seen` is set.

    The trainer's losses are means over the steps since it last logged (`logging_steps`). It replaces NaN and
    infinite ones by such a mean unless `logging_nan_inf_filter=False`; set that, or a divergence is not seen.
    """

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """A log that cannot be opened is an error before the first step."""
        if state.is_world_process_zero:
            self._open()

    def on_log(
        self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any
    ) -> None:
        """One record per entry of the trainer's own log."""
        if not state.is_world_process_zero or not logs:
            return
        more = dict(logs)
        loss, lr, tokens = (
            more.pop(name, None) for name in ("loss", "learning_rate", "num_input_tokens_seen")
        )
        self._record(state.global_step, loss, lr, tokens, more)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Says how many records were lost, if any."""
        self._close()


class Lightning(_Recording):
    """Records a Lightning trainer's training loss, and its metrics after validations, in the main process.

    log: path of the log, or a Recorder. run: as in `Recorder`. tokens_per_step: to record tokens seen. every:
    optimiser steps between two records, the trainer's `log_every_n_steps` unless given.

    The loss is what `training_step` returns, as a mean over the batches since the last record; the rate is
    that of the first group of the first optimiser. Steps are optimiser steps done (`trainer.global_step`). In
    distributed training the loss is that of the main process's batches.
    """

    def __init__(
        self,
        log: str | os.PathLike[str] | Recorder,
        run: str | None = None,
        tokens_per_step: int | None = None,
        every: int | None = None,
    ):
        super().__init__(log, run, tokens_per_step)
        self.every = every
        self._lr: float | None = None
        self._begin()

    def _begin(self) -> None:
        self._sum: Any = 0.0
        self._batches = 0

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """A log that cannot be opened is an error before the first step."""
        self._at = trainer.global_step
        self._begin()
        if trainer.is_global_zero:
            self._open()

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """The rate of the coming update: after it the scheduler has moved on."""
        if trainer.optimizers:
            self._lr = trainer.optimizers[0].param_groups[0]["lr"]

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Adds up losses on the device, and takes them off it only for a record."""
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        if loss is not None:
            self._sum = self._sum + loss.detach() * trainer.accumulate_grad_batches
            self._batches += 1
        step, every = trainer.global_step, self.every or trainer.log_every_n_steps
        if step == self._at or step % every:
            return
        self._at = step
        if trainer.is_global_zero and self._batches:
            self._record(step, self._sum / self._batches, self._lr, None, {})
        self._begin()

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """All metrics the trainer holds, under their own names."""
        if trainer.is_global_zero and not trainer.sanity_checking and trainer.callback_metrics:
            self._record(trainer.global_step, None, None, None, trainer.callback_metrics)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Says how many records were lost, if any."""
        self._close()
