"""Write the shipped tables from the finished runs:  python examples/tiny_lm/collect.py"""

import argparse
import gzip
import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
from corpus import CONTEXT
from model import VOCAB
from storage import RUNS
from train import WARMUP_STEPS

TARGET = Path(__file__).parents[2] / "src" / "scalefit" / "datasets" / "tiny_lm"
COLUMNS = [
    "run",
    "group",
    "size",
    "d_model",
    "n_layers",
    "n_heads",
    "n_params",
    "n_params_no_embed",
    "n_tokens",
    "flops",
    "schedule",
    "lr",
    "lr_final",
    "warmup_steps",
    "decay_start",
    "n_steps",
    "batch_tokens",
    "seed",
    "loss",
    "loss_se",
    "loss_curve",
    "train_loss",
]


def flops(row: dict[str, Any]) -> float:
    """Matrix multiplications of forward and backward pass, attention scores and output head included."""
    per_token = 6 * (row["n_params_no_embed"] + VOCAB * row["d_model"])
    return row["n_tokens"] * (per_token + 12 * row["n_layers"] * CONTEXT * row["d_model"])


def load_runs(folder: Path) -> list[dict[str, Any]]:
    """Every finished run, from small to large."""
    rows = [json.loads(path.read_text()) for path in sorted(folder.glob("w*.json"))]
    for row in rows:
        _, _, row["train_loss"], row["loss_curve"] = row["curve"][-1]
        row["flops"] = flops(row)
        row["warmup_steps"] = WARMUP_STEPS
    groups = ["main", "seed", "schedule", "small_batch", "lr_sweep"]
    kinds = ["cooldown", "constant", "cosine", "linear", "two_stage"]
    return sorted(
        rows,
        key=lambda r: (
            groups.index(r["group"]),
            r["n_params"],
            r["seed"],
            kinds.index(r["schedule"]),
            r["n_tokens"],
        ),
    )


def curves_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """One row per evaluated step; a branch repeats the curve of its trunk."""
    return pd.DataFrame(
        [
            (row["run"], step, step * row["batch_tokens"], lr, train_loss, loss)
            for row in rows
            for step, lr, train_loss, loss in row["curve"]
        ],
        columns=["run", "step", "tokens", "lr", "train_loss", "loss"],
    )


def core_hours(rows: list[dict[str, Any]], folder: Path) -> float:
    """Processor time of all branches, single runs and trunks."""
    trunks = [json.loads(path.read_text()) for path in (folder / "done").glob("*.json")]
    seconds = sum(r["core_seconds"] for r in rows) + sum(t["trunk_core_seconds"] for t in trunks)
    return round(seconds / 3600, 2)


def to_csv(table: pd.DataFrame, path: Path) -> None:
    """Six significant digits; a gzip without a time stamp, so that equal tables give equal files."""
    text = table.to_csv(index=False, float_format="%.6g", lineterminator="\n").encode()
    path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)
    print(f"{path.name}: {len(table)} rows, {path.stat().st_size / 1000:.0f} kB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=RUNS, help="work folder of sweep.py")
    parser.add_argument("--target", type=Path, default=TARGET, help="where the tables go")
    arguments = parser.parse_args()
    folder: Path = arguments.runs
    target: Path = arguments.target
    target.mkdir(parents=True, exist_ok=True)
    rows = load_runs(folder)
    kept = [row for row in rows if row["group"] != "lr_sweep"]
    tuning = [row for row in rows if row["group"] == "lr_sweep"]
    to_csv(pd.DataFrame(kept, columns=COLUMNS), target / "runs.csv")
    to_csv(pd.DataFrame(tuning, columns=COLUMNS), target / "lr_sweep.csv")
    to_csv(curves_table(kept), target / "curves.csv.gz")
    meta = {
        "text": "Python files of CPython's standard library, without test, encodings and pydoc_data folders",
        "corpus": json.loads((folder / "corpus.json").read_text()),
        "loss": "cross-entropy in nats per byte on held-out files, context 128",
        "flops": "matrix multiplications: 6 (N_no_embed + 256 d) + 12 n_layers 128 d per byte",
        "optimizer": "Adam 0.9 0.99, gradient norm clipped at 1, float32, no weight decay",
        "hardware": f"{os.cpu_count()} CPU cores",
        "core_hours": core_hours(rows, folder),
        "seeds": sorted({row["seed"] for row in rows}),
        "n_runs": len(kept),
        "n_lr_sweep_runs": len(tuning),
    }
    (target / "meta.json").write_text(json.dumps(meta, indent=2) + "\n")


if __name__ == "__main__":
    main()
