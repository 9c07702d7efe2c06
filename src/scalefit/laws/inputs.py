"""The inputs laws share: symbol, unit, usual range and usual column names, each written once."""

from __future__ import annotations

from dataclasses import replace

from scalefit.core.law import Input

__all__ = ["ALIASES", "counted"]

_PARAMS = (
    "n_params",
    "params",
    "parameters",
    "model_size",
    "model_params",
    "model_parameters",
    "n_params_no_embed",
    "non_embedding_params",
)
_TOKENS = (
    "n_tokens",
    "tokens",
    "data_size",
    "dataset_size",
    "token_budget",
    "tokens_seen",
    "num_input_tokens_seen",
)

N = Input("parameters (count)", aliases=_PARAMS)
D = Input("training tokens (count)", (1e8, 1e12), aliases=_TOKENS)
# By which parameters are counted: unit, and what a column of them is called; the usual names of N serve too.
_COUNTED = {
    "total": ("parameters in total (count)", ("n_params_total", "total_params", "params_total")),
    "non-embedding": (
        "parameters without embeddings (count)",
        ("n_params_non_embedding", "non_embedding_params", "n_params_nonembedding"),
    ),
    "active": (
        "active parameters (count)",
        ("n_params_active", "active_params", "n_active_params", "params_active", "active_parameters"),
    ),
}


def counted(counting: str) -> Input:
    """N of a law that holds for parameters counted this way only."""
    unit, names = _COUNTED[counting]
    return replace(N, unit=unit, aliases=(*N.aliases, *names), counting=counting)


C = Input(
    "training compute (FLOP)",
    (1e17, 1e23),
    aliases=(
        "flops",
        "compute",
        "train_flops",
        "training_flops",
        "compute_budget",
        "flops_budget",
        "flop_budget",
        "budget",
        "total_flops",
    ),
)
M = Input(
    "tokens per parameter, D / N",
    (1.0, 1000.0),
    aliases=("tokens_per_param", "tokens_per_parameter", "token_multiplier"),
)
U = Input("unique training tokens (count)", (1e8, 1e11), aliases=("n_unique_tokens", "unique_tokens"))
D_F = Input(
    "fine-tuning examples (count)",
    (1e2, 1e7),
    "not negative",
    ("n_samples", "n_examples", "sft_data_size", "finetuning_data_size"),
)
S = Input("optimiser steps (count)", (1e3, 1e6), aliases=("n_steps", "steps"))
B = Input("batch size (tokens or sequences)", (1e4, 1e7), aliases=("batch_size", "batch_size_tokens", "bsz"))
L = Input("loss (nats per token)", (1.5, 4.0), aliases=("loss", "val_loss", "task_loss"))
E_x = Input("experts (count)", (1.0, 512.0), aliases=("n_experts", "experts"), scales=False)
Sp = Input(
    "share of weights or experts left out", (0.0, 0.95), "at least 0 and below 1", ("sparsity",), scales=False
)
P = Input("parallel streams (count)", (1.0, 8.0), aliases=("parallel_size", "n_streams"), scales=False)
bits = Input("bits per number", (1.0, 16.0), scales=False)
share = Input("share of the training data", (0.02, 0.98), "between 0 and 1", scales=False)
shares = Input(
    "share of domain i in the training data", (0.02, 0.98), "between 0 and 1", each="domain", scales=False
)
step = Input(
    "optimiser step (count)", (1.0, 1e5), "not negative", ("step", "steps", "iteration"), scales=False
)
eta = Input("learning rate at this step", (1e-5, 1e-3), "not negative", ("lr", "learning_rate"), scales=False)
curve = Input(
    "which training curve a row belongs to",
    allowed="a curve",
    aliases=("curve", "run", "schedule", "run_id"),
    scales=False,
)

# Column names that are recognised for an input of this name,
# in laws of one's own too (case and punctuation aside).
ALIASES: dict[str, tuple[str, ...]] = {
    name: (name, *known.aliases)
    for name, known in list(globals().items())
    if isinstance(known, Input) and known.aliases
}
