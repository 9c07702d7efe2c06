"""The callbacks in the real trainers, where these are installed,
and against what the trainers log themselves."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

import scalefit as sf

WHY = "needs the trainers: pip install scalefit-jax[trainers]"
# The trainers warn about themselves (versions, few workers, no logger); that is not ours to fail on.
pytestmark = pytest.mark.filterwarnings("default")


def test_they_are_there_only_when_asked_for():
    code = """
import sys
import scalefit as sf
sf.callbacks.Recorder
print([name for name in ("transformers", "lightning", "torch", "numpy", "jax") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="has no attribute 'Keras'"):
        sf.callbacks.Keras  # noqa: B018


def test_a_missing_library_is_named(monkeypatch):
    for name in ("transformers", "lightning", "pytorch_lightning"):
        monkeypatch.setitem(sys.modules, name, None)
    for name, library in {"HuggingFace": "transformers", "Lightning": "lightning"}.items():
        vars(sf.callbacks).pop(name, None)
        monkeypatch.delitem(sys.modules, "lightning.pytorch", raising=False)
        with pytest.raises(ImportError, match=f"sf.callbacks.{name} needs {library}, which is not installed"):
            getattr(sf.callbacks, name)


def hugging_face(folder, steps, callback, resume=None, **options):
    """A linear model on fixed data; the rate falls linearly."""
    import torch
    from transformers import PretrainedConfig, PreTrainedModel, Trainer, TrainingArguments

    class Model(PreTrainedModel):
        config_class = PretrainedConfig

        def __init__(self, config):
            super().__init__(config)
            self.layer = torch.nn.Linear(4, 1)
            self.post_init()

        def forward(self, x, labels):
            out = self.layer(x)
            return {"loss": ((out - labels) ** 2).mean(), "logits": out}

    torch.manual_seed(0)
    x = torch.randn(40, 4)
    rows = [{"x": row, "labels": row.sum()[None]} for row in x]
    arguments = TrainingArguments(
        str(folder),
        max_steps=steps,
        logging_steps=2,
        eval_strategy="steps",
        eval_steps=4,
        save_steps=4,
        per_device_train_batch_size=4,
        report_to=[],
        use_cpu=True,
        learning_rate=0.1,
        disable_tqdm=True,
        **options,
    )
    trainer = Trainer(
        Model(PretrainedConfig()), arguments, train_dataset=rows, eval_dataset=rows, callbacks=[callback]
    )
    trainer.train(resume_from_checkpoint=resume)
    return trainer


def test_hugging_face(tmp_path):
    pytest.importorskip("transformers", reason=WHY)
    pytest.importorskip("torch", reason=WHY)
    path = tmp_path / "run.jsonl"
    trainer = hugging_face(
        tmp_path / "out", 12, sf.callbacks.HuggingFace(path, run="tiny", tokens_per_step=512)
    )
    own = sf.read_log(tmp_path / "out" / "checkpoint-12")
    log = sf.read_log(path)
    assert log.report.runs == ("tiny",)
    assert log.table.step.tolist() == own.table.step.tolist() == [2, 4, 6, 8, 10, 12]
    np.testing.assert_array_equal(log.table.loss, own.table.loss)
    np.testing.assert_array_equal(log.table.eval_loss, own.table.eval_loss)
    # transformers' linear schedule gives update t the rate peak (1 - (t - 1) / steps).
    np.testing.assert_allclose(log.table.lr, 0.1 * (1 - (log.table.step - 1) / 12))
    assert log.table.tokens.tolist() == (512 * log.table.step).tolist()
    trainer.evaluate()
    assert sf.read_log(path).report.rows == log.report.rows + 1


def test_hugging_face_resumed(tmp_path):
    pytest.importorskip("transformers", reason=WHY)
    pytest.importorskip("torch", reason=WHY)
    path = tmp_path / "run.jsonl"
    hugging_face(tmp_path / "out", 12, sf.callbacks.HuggingFace(path))
    hugging_face(
        tmp_path / "out", 12, sf.callbacks.HuggingFace(path), resume=str(tmp_path / "out" / "checkpoint-8")
    )
    log = sf.read_log(path)
    # From step 10 on: two losses, the evaluation at step 12 and the trainer's last entry.
    assert log.report.left_out == {"superseded": 4}
    assert log.table.step.tolist() == [2, 4, 6, 8, 10, 12]


def lightning(folder, callback, batches=20, **options):
    """A linear model on fixed data; the losses of all batches come back."""
    import torch
    from lightning.pytorch import LightningModule, Trainer

    losses, rates = [], []

    class Model(LightningModule):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(4, 1)

        def training_step(self, batch, index):
            loss = ((self.layer(batch[0]) - batch[1]) ** 2).mean()
            losses.append(loss.item())
            rates.append(self.trainer.optimizers[0].param_groups[0]["lr"])
            return loss

        def validation_step(self, batch, index):
            self.log("val_loss", ((self.layer(batch[0]) - batch[1]) ** 2).mean())
            self.log("time", 3.0)

        def configure_optimizers(self):
            optimizer = torch.optim.SGD(self.parameters(), 0.1)
            scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 1 - t / 40)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    torch.manual_seed(0)
    data = torch.utils.data.TensorDataset(torch.randn(4 * batches, 4), torch.randn(4 * batches, 1))
    trainer = Trainer(
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        accelerator="cpu",
        enable_model_summary=False,
        default_root_dir=folder,
        callbacks=[callback],
        **options,
    )
    trainer.fit(Model(), torch.utils.data.DataLoader(data, 4), torch.utils.data.DataLoader(data, 20))
    return np.array(losses), np.array(rates)


def test_lightning(tmp_path):
    pytest.importorskip("lightning", reason=WHY)
    path = tmp_path / "run.jsonl"
    losses, rates = lightning(
        tmp_path,
        sf.callbacks.Lightning(path, tokens_per_step=64),
        log_every_n_steps=4,
        val_check_interval=10,
    )
    log = sf.read_log(path)
    assert log.table.step.tolist() == [4, 8, 12, 16, 20]
    np.testing.assert_allclose(log.table.loss, losses.reshape(5, 4).mean(1), rtol=1e-6)
    np.testing.assert_allclose(log.table.lr, rates[3::4])
    np.testing.assert_allclose(rates[3::4], 0.1 * (1 - np.arange(3, 20, 4) / 40))
    assert log.table.tokens.tolist() == (64 * log.table.step).tolist()
    assert log.table.val_loss.notna().tolist() == [False] * 4 + [True]
    assert log.table["metric/time"].tolist()[-1] == 3.0
    assert log.report.left_out == {"no loss": 1}


def test_lightning_with_accumulated_batches(tmp_path):
    """Records are at optimiser steps; the loss is the mean over all batches since the last."""
    pytest.importorskip("lightning", reason=WHY)
    path = tmp_path / "run.jsonl"
    losses, rates = lightning(tmp_path, sf.callbacks.Lightning(path, every=2), accumulate_grad_batches=2)
    log = sf.read_log(path)
    assert log.table.step.tolist() == [2, 4, 6, 8, 10]
    np.testing.assert_allclose(log.table.loss, losses.reshape(5, 4).mean(1), rtol=1e-6)
    np.testing.assert_allclose(log.table.lr, rates[3::4])


def test_a_log_that_is_no_log_is_an_error_before_the_first_step(tmp_path):
    pytest.importorskip("lightning", reason=WHY)
    path = tmp_path / "run.jsonl"
    path.write_text("mine\n")
    with pytest.raises(ValueError, match="no recorder's log and stays as it is"):
        lightning(tmp_path, sf.callbacks.Lightning(path))
    assert path.read_text() == "mine\n"


def test_a_recorder_of_ones_own_stays_open(tmp_path):
    pytest.importorskip("lightning", reason=WHY)
    with sf.Recorder(tmp_path / "run.jsonl") as recorder:
        lightning(tmp_path, sf.callbacks.Lightning(recorder, every=10))
        recorder.log(step=30, loss=1.0)
    assert sf.read_log(tmp_path / "run.jsonl").table.step.tolist() == [10, 20, 30]


@pytest.mark.parametrize(("name", "library"), [("HuggingFace", "transformers"), ("Lightning", "lightning")])
def test_they_can_be_sent_to_other_processes(tmp_path, name, library):
    pytest.importorskip(library, reason=WHY)
    callback = getattr(sf.callbacks, name)(tmp_path / "run.jsonl", run="a")
    copy = pickle.loads(pickle.dumps(callback))
    assert type(copy) is getattr(sf.callbacks, name)
    assert (copy.log_to, copy.run) == (tmp_path / "run.jsonl", "a")
