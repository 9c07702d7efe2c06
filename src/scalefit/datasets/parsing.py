"""From original files, as their authors left them, to rows of tidy columns: text is read, no code is run.

Every parser takes the texts of a table's files and gives rows by column name. Numbers may be text as it was
read: `row_texts` writes all of one table alike, to as many digits as the table is known to.
"""

from __future__ import annotations

import ast
import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from io import StringIO
from typing import Any

__all__ = [
    "csv_rows",
    "curves",
    "data_constrained",
    "digest",
    "fine_tuning",
    "fine_tuning_errors",
    "joined",
    "jsonl_losses",
    "notebook_steps",
    "picked",
    "row_texts",
]

Row = Mapping[str, Any]
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
# Counts up to here are kept whole, larger numbers have the digits of all others.
WHOLE = 1e15


def csv_rows(text: str) -> list[dict[str, str]]:
    """Rows by the names in the first line; of columns that share a name, the first."""
    head, *body = csv.reader(StringIO(text))
    at: dict[str, int] = {}
    for k, name in enumerate(head):
        at.setdefault(name, k)
    return [{name: row[k] for name, k in at.items()} for row in body if any(row)]


def picked(columns: Mapping[str, str], text: str, count: str = "", need: str = "") -> Iterable[Row]:
    """Columns under other names. count: a column of row numbers, before them; need: a column in which rows
    must not be empty."""
    for k, row in enumerate(csv_rows(text)):
        if not need or row[need]:
            first = {count: k} if count else {}
            yield first | {name: row[source] for name, source in columns.items()}


def joined(columns: Mapping[str, str], key: str, *texts: str) -> Iterable[Row]:
    """Columns under other names of files with a common key: rows of the first, what others lack empty."""
    first, *others = ({row[key]: row for row in csv_rows(text)} for text in texts)
    for value, row in first.items():
        whole = row | {name: cell for other in others for name, cell in other.get(value, {}).items()}
        yield {name: whole.get(source, "") for name, source in columns.items()}


def curves(*texts: str) -> Iterable[Row]:
    """The curves of BIG-Bench's first tasks, birds, CIFAR-100 and translation, along what was seen."""
    found = []
    for row in (row for text in texts for row in csv_rows(text)):
        task = "_".join(re.findall(r"\w+", row["Task"]))
        if row["Domain"] == "NMT" or re.match(r"(bird|c|date|ling|qa)_\d+", task):
            split = "train" if row["Training"] == "1" else "test"
            row = {"domain": row["Domain"], "task": task, "model": row["Model"]} | {
                "n_seen": row["Seen Examples"],
                "loss": row["Loss"],
                "split": split,
            }
            found.append(row)
    return sorted(found, key=lambda row: (row["domain"], row["task"], row["model"], float(row["n_seen"])))


def jsonl_losses(sets: Sequence[str], *texts: str) -> Iterable[Row]:
    """Losses of checkpoints, a file per evaluation set, by size and step; flops are 6 N D."""
    for name, text in zip(sets, texts, strict=True):
        rows = [json.loads(line) for line in text.splitlines() if line.strip()]
        for row in sorted(rows, key=lambda row: (row["params_active_precise"], row["step"])):
            N, D = row["params_active_precise"], row["tokens"]
            yield {"eval_set": name, "run": row["run_name"], "width": row["width"], "depth": row["depth"]} | {
                "n_params": N,
                "step": row["step"],
                "n_tokens": D,
                "loss": row["final_loss"],
                "flops": 6 * N * D,
            }


def data_constrained(text: str) -> Iterable[Row]:
    """Runs of repeated data. The file has the names of its two columns of tokens swapped; held out, as in
    SLDBench, are the two largest models and the two largest numbers of tokens."""
    rows = csv_rows(text)
    largest = {name: sorted({float(row[name]) for row in rows})[-2:] for name in ("params", "unique_tokens")}
    for row in rows:
        seen, unique = float(row["unique_tokens"]), float(row["tokens"])
        held = any(float(row[name]) in ends for name, ends in largest.items())
        yield {"run": row["id"], "split": "test" if held else "train", "n_params": row["params"]} | {
            "n_tokens": seen,
            "n_unique_tokens": unique,
            "epochs": seen / unique,
            "loss": row["loss"],
        }


def fine_tuning(models: Sequence[str], tasks: Sequence[str], *texts: str) -> Iterable[Row]:
    """Losses by fine-tuning examples, a file per task; held out are the two largest numbers of them."""
    for task, text in zip(tasks, texts, strict=True):
        for row in sorted(csv_rows(text), key=lambda row: row["config name"]):
            if row["config name"] in models:
                sizes = [name for name in row if name.isdecimal()]
                for size in sizes:
                    own = {"task": task, "model": row["config name"], "family": row["family"]}
                    yield own | {
                        "n_params": row["size"],
                        "n_samples": size,
                        "split": "test" if size in sizes[-2:] else "train",
                        "loss": row[size],
                    }


def fine_tuning_errors(models: Sequence[str], text: str) -> Iterable[Row]:
    """The authors' own errors of two laws."""
    for row in csv_rows(text):
        if row["model"] in models:
            yield {"task": row["dataset"].lower(), "model": row["model"]} | {
                "rmsd_log_rectified": row["our_rmsd_under_log"],
                "rmsd_log_vanilla": row["vanilla_rmsd_under_log"],
            }


def notebook_steps(text: str) -> Iterable[Row]:
    """Steps to a target loss by batch size, as a notebook's first cell with such lines printed them."""
    line = re.compile(r"Minimum goal step (\d+) for batch size (\d+) \(Model Size ([^,]+),")
    for cell in json.loads(text)["cells"]:
        printed = "".join("".join(output.get("text", ())) for output in cell.get("outputs", ()))
        if found := line.findall(printed):
            break
    else:
        raise ValueError("no cell of the notebook printed a step")
    source = "".join(cell["source"])
    targets, nominal = (
        ast.literal_eval(re.search(rf"{name} = (\{{.*?\}})", source)[1])  # type: ignore[index]
        for name in ("goal_losses", "goal_steps")
    )
    for steps, batch, size in found:
        model, tokens = size.split("-")[0].lower(), 512 * int(batch)
        yield {"model": model, "n_params_nominal": _amount(model), "batch_size_seqs": int(batch)} | {
            "batch_size_tokens": tokens,
            "target_loss": targets[size],
            "steps_to_target": int(steps),
            "n_tokens_to_target": tokens * int(steps),
            "goal_steps_b256": nominal[size],
        }


def _amount(text: str) -> int:
    return round(float(text[:-1]) * {"m": 1e6, "b": 1e9}[text[-1]])


def row_texts(rows: Iterable[Row], digits: int) -> list[list[str]]:
    """The header and the cells of rows: whole numbers whole, others to so many significant digits."""
    rows = list(rows)
    return [list(rows[0]), *([_cell(value, digits) for value in row.values()] for row in rows)]


def _cell(value: Any, digits: int) -> str:
    text = str(value).strip()
    if not NUMBER.fullmatch(text):
        return text
    number = float(text)
    return str(int(number)) if number.is_integer() and abs(number) < WHOLE else f"{number:.{digits}g}"


def digest(cells: Iterable[Sequence[str]]) -> str:
    """A table's fingerprint: the same for the same rows in any order, however their numbers are written."""
    head, *body = cells
    lines = sorted("\x1f".join(map(partial(_cell, digits=12), row)) for row in body)
    return sha256("\n".join(["\x1f".join(head), *lines]).encode()).hexdigest()
