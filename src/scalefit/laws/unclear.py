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
    "moe_leverage": (
        "arXiv:2507.17702",
        "leverage of mixtures of experts is a power of the activation ratio whose exponent moves with "
        "granularity and compute, and the ratio saturates; base of the logarithms, how it saturates and "
        "constants were not read",
        "joint_moe, krajewski_moe",
    ),
    "continual_annealing": (
        "arXiv:2505.07796",
        "continual pretraining under annealing; exact form not read",
        "lr_annealing, dcpt",
    ),
    "native_multimodal": (
        "arXiv:2504.07951",
        "chinchilla per mix of modalities; its coefficients were not read",
        "chinchilla per mix, aghajanyan_mixed",
    ),
    "vit_shape": (
        "arXiv:2305.13035",
        "error by one shape dimension and compute; exact form not read",
        "zhai_vit, gemstones_shape",
    ),
    "upcycling": (
        "arXiv:2502.03009",
        "loss of upcycled mixtures by both budgets, a product of powers whose exponents move with each "
        "other; which of them move and where the floor stands was not read",
        "joint_moe",
    ),
    "supercollapse": (
        "arXiv:2507.02119",
        "normalised curves that fall on one another; a procedure, no law of a table",
        "fsl, multi_power",
    ),
    "rl_by_size": (
        "arXiv:2509.25300",
        "test loss of reinforcement learning by size and data; exact form not read",
        "hilton_intrinsic, scalerl",
    ),
    "repetition_overfitting": (
        "arXiv:2605.01640, arXiv:2605.09189",
        "repetition that begins to hurt; exact forms not read",
        "muennighoff_repeat, unique_data",
    ),
    "kumar_lower_bits": (
        "arXiv:2411.04330, equations 8 and 9",
        "how training in few bits shrinks the damage of quantisation after it; exact form not read",
        "kumar_precision + kumar_post_training",
    ),
    "farseer_coefficients": (
        "arXiv:2506.10972, arXiv:2510.08702",
        "the nine coefficients for text and for code were not read in the papers",
        "farseer, fitted",
    ),
}
