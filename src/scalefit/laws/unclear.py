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
    "projektor_ot (stage 1)": (
        "arXiv:2307.02460",
        "which terms the regression on shares and transport distance has is not established, so there is no "
        "choice of a mixture in two stages. The second stage is: accuracy at N by a line in log N through "
        "two sizes",
        "regmix_linear, ye_mixing or shukor_shares with sf.optimal_mixture; log_linear",
    ),
    "continual_annealing": (
        "arXiv:2505.07796",
        "the hidden curve of lr_annealing plus a term of the shift that depends on the rates summed since "
        "and on the replayed share; the term's form was not read",
        "lr_annealing, dcpt",
    ),
    "native_multimodal": (
        "arXiv:2504.07951, tables 2 and 3",
        "chinchilla per mix of modalities; floors and exponents are printed (1.904, 0.301, 0.335 on "
        "average), the amplitudes are not",
        "chinchilla per mix, aghajanyan_mixed",
    ),
    "upcycling": (
        "arXiv:2502.03009, equation 12 and table 2",
        "coefficients were read (A 16.3, B 8.53, alpha_1 0.043, alpha_2 0.085, alpha_3 7.98e-4, beta 0.112, "
        "E 0.165), the equation was not: to which exponent alpha_3 adds, and which logarithm it multiplies",
        "joint_moe, or A D_1^-alpha_1 D_2^-alpha_2 + B N^-beta + E as a law of one's own",
    ),
    "farseer_coefficients": (
        "arXiv:2506.10972, arXiv:2510.08702",
        "the nine coefficients for text and for code; of chinchilla for code (E 0.2193, alpha 0.4853, beta "
        "0.2983) the amplitudes",
        "farseer, fitted",
    ),
    "densing_coefficients": (
        "arXiv:2412.04315",
        "density doubles in 3.3 months (3.5 in print): A = ln 2 / 3.3 per month. B, the density at a date, "
        "was not read",
        "densing.fix(A=...), fitted",
    ),
    "superposition_coefficients": (
        "arXiv:2505.10465",
        "the exponent is one for all families, 0.91 +- 0.04; amplitude and floor belong to each family and "
        "data set and are not printed",
        "superposition_width.fix(alpha=0.91), fitted",
    ),
    "paquette_phases": (
        "arXiv:2405.15074",
        "four terms in size and steps whose exponents follow from two of the data and the target; the "
        "exponents were not read in the paper",
        "dynamical_theory, bordelon_tied",
    ),
    "bahri_resolution": (
        "arXiv:2102.06701",
        "no law of its own: in the resolution-limited regimes exponents are about 1 / d for the dimension d "
        "of the data",
        "power_floor in size or data, konz_dimension",
    ),
    "discrete_diffusion": (
        "arXiv:2510.03280, arXiv:2512.10858",
        "a Chinchilla form with N and D each as about C^0.5, and a best number of epochs as U^0.39 / N^0.55; "
        "the table of its coefficients was not read",
        "isoflop_parabola, chinchilla",
    ),
    "overtraining_and_finetuning": (
        "arXiv:2503.19206 and later papers",
        "longer pretraining that makes fine-tuning worse is shown, with a point where it turns; no formula "
        "was read",
        "bnsl, zhang_finetuning",
    ),
    "sparse_attention": (
        "arXiv:2504.17768 and later papers",
        "accuracy by sparsity of attention and length of context; no formula was read",
        "power_floor by context length, frantar_sparse",
    ),
    "supercollapse": (
        "arXiv:2507.02119",
        "normalised curves that fall on one another; a procedure, no law of a table",
        "fsl, multi_power",
    ),
    "kumar_lower_bits": (
        "arXiv:2411.04330, equations 8 and 9",
        "how training in few bits shrinks the damage of quantisation after it; exact form not read",
        "kumar_precision + kumar_post_training",
    ),
}
