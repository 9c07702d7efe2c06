"""Laws the literature mentions without a formula one could implement: no form is invented for them.

Each entry: id -> (source, what is missing, what to use meanwhile).
"""

from __future__ import annotations

__all__ = ["UNCLEAR"]

UNCLEAR: dict[str, tuple[str, str, str]] = {
    "uma_atoms": (
        "arXiv:2506.23971",
        "optimal sizes per budget for universal atom models; exponents not extracted",
        "power, isoFLOP parabola",
    ),
    "dpa3": (
        "arXiv:2506.01686",
        "error as a power of size, data and compute; numbers not extracted",
        "power_floor",
    ),
    "gnn_molecules": (
        "arXiv:2404.11568",
        "gains with depth, width, molecules and labels are reported, no fitted formula",
        "power_floor",
    ),
    "ldm_scaling": (
        "arXiv:2404.01367",
        "quality falls log-linearly with pretraining compute over a part of the range; no coefficients",
        "log_linear",
    ),
    "dfa_vs_bp": (
        "arXiv:2210.14593",
        "two compute laws are compared; exponents and offsets not extracted",
        "power",
    ),
    "projektor_ot (stage 1)": (
        "arXiv:2307.02460",
        "the exact regression on mixture and transport distance is not established",
        "a law of one's own",
    ),
    "inverse and U-shaped scaling": (
        "arXiv:2306.09479, arXiv:2211.02011",
        "no formula is published",
        "bnsl, with coefficients of either sign",
    ),
    "industrial_signal, vl_pretraining, omni_mol": (
        "single-paper slopes",
        "slopes of metrics against size or data, none extracted",
        "power, log_linear",
    ),
    "three_term": (
        "arXiv:2607.01487",
        "a loss in size, steps and batch as three terms; exact form not extracted",
        "power_floor + power + power, renamed",
    ),
    "unified multi-input broken law": (
        "arXiv:2605.26248",
        "the multi-input generalisation of the broken law was not extracted",
        "bnsl per input",
    ),
    "forward_momentum": (
        "arXiv:2512.13705",
        "the released momentum depends on how often the run is logged, the text gives a plain sum",
        "lr_annealing_size",
    ),
    "bjorck_lr": (
        "arXiv:2409.19913",
        "the constant differs between sources with the normalisation; exponents about N^-0.23 D^-0.32",
        "steplaw, refitted",
    ),
    "video_dit_loss": (
        "arXiv:2411.17470",
        "the loss surface of video diffusion models; only its frontier power is known",
        "chinchilla",
    ),
    "quant_cliffs": (
        "arXiv:2305.19268",
        "no law: degradation depends on optimisation choices, not on scale alone",
        "kbit_inference, with care",
    ),
    "downstream_chain": (
        "arXiv:2406.04391",
        "no closed law: a chain from probability mass to accuracy, step by step",
        "a link per step",
    ),
}
