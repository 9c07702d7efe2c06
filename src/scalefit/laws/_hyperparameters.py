"""Power laws with exponents of either sign, for hyperparameters, batches and frontiers;
and the isoFLOP parabola.

Li et al. 2025 (arXiv:2503.04715), Bi et al. 2024 (arXiv:2401.02954), Porian et al. 2024 (arXiv:2406.19146),
Charles et al. 2025 (arXiv:2503.09799), Bergsma et al. 2025 (arXiv:2505.13738), Zhang et al. 2024
(arXiv:2410.21676), Hoffmann et al. 2022 (arXiv:2203.15556). All of them are one monomial of one or two
inputs, under the printed names.
"""

from dataclasses import replace
from math import exp

from scalefit.core.law import Coef, Input, Law
from scalefit.core.maths import log
from scalefit.core.support import REAL
from scalefit.laws.coefs import amplitude, real
from scalefit.laws.inputs import B as batches
from scalefit.laws.inputs import C, D, M, N, counted


def _monomial(x, *, k, p):
    """A power of one quantity, rising or falling:
    batch sizes, learning rates, best sizes along a frontier."""
    return k * x**p


def _steplaw(N, D, *, k, a, b):
    """Best learning rate and batch size by parameters and tokens: a product of powers."""
    return k * N**a * D**b


def _isoflop_parabola(N, *, q_0, q_1, q_2):
    """Loss by parameters at one compute budget: a parabola in log N, for the best size at that budget."""
    x = log(N)
    return q_0 + q_1 * x + q_2 * x**2


_START = (-1.5, -0.7, -0.3, 0.0, 0.3, 0.7, 1.5)

monomial = Law(
    "monomial", _monomial, {"x": Input("what is scaled: parameters, tokens, samples or FLOP (count)")},
    coefs=(
        amplitude("k", "value where the input is 1", lambda y, x, p: y * x**-p, (1e-3, 10.0)),
        real("p", "exponent, of either sign", _START),
    ),
    family="hyperparameters", predicts="rate",
    source="arXiv:2505.13738 (batches); arXiv:2410.21676; "
    "arXiv:2203.15556 and arXiv:2406.19146 (frontiers; exponents alone: "
    "chinchilla 0.50, 0.49 and 0.46 by its three approaches, "
    "protein language models 0.27 and 0.71, arXiv:2406.07249)",
    published={
        "bergsma2025_bopt": {"k": 0.0306, "p": 0.383},
        "bergsma2025_bcrit": {"k": 0.0471, "p": 0.462},
        "zhang2024_cbs_size": {"k": 93.20, "p": 0.468},
        "zhang2024_cbs_data": {"k": 22.91, "p": 0.47},
        "liang2024_dit_parameters": {"k": 0.0009, "p": 0.5681},
        "liang2024_dit_tokens": {"k": 186.8535, "p": 0.4319},
        "yin2024_video_dit_parameters": {"k": 1.5787, "p": 0.4146},
        "llama3_tokens": {"k": 0.29, "p": 0.53},
        "kaplan2020_parameters": {"k": 1.3e9, "p": 0.73},
    },
    notes={
        "bergsma2025_bopt": "best batch in sequences of 2048 tokens, x in tokens (1.0e6 tokens at 1e11, "
                            "where steplaw has 1.1e6)",
        "bergsma2025_bcrit": "critical batch in sequences of 2048 tokens, x in tokens",
        "zhang2024_cbs_size": "critical batch in 512-token sequences from millions of parameters; re-run",
        "zhang2024_cbs_data": "critical batch in 512-token sequences from billions of tokens; from memory",
        "liang2024_dit_parameters": "x in FLOP; k printed with one digit; arXiv:2410.08184",
        "liang2024_dit_tokens": "x in FLOP; arXiv:2410.08184",
        "yin2024_video_dit_parameters": "x in FLOP; arXiv:2411.17470",
        "llama3_tokens": "x in FLOP; tokens, though the printed symbol suggests parameters; arXiv:2407.21783",
        "kaplan2020_parameters": "x in PF-days (8.64e19 FLOP), non-embedding parameters; arXiv:2001.08361",
    },
    # Worked by plain arithmetic from the printed coefficients.
    checks=(
        ("bergsma2025_bopt", {"x": 1e11}, "499.714"),
        ("bergsma2025_bcrit", {"x": 1e11}, "5688.803"),
        ("zhang2024_cbs_size", {"x": 302.0}, "1349.147"),
        ("zhang2024_cbs_data", {"x": 10.0}, "67.6122"),
        ("liang2024_dit_parameters", {"x": 1.5e21}, "9.647e8"),
        ("liang2024_dit_tokens", {"x": 1.5e21}, "2.615e11"),
    ),
)  # fmt: skip

steplaw = Law(
    "steplaw", _steplaw, {"N": counted("non-embedding"), "D": D},
    coefs=(
        amplitude("k", "value where all inputs are 1", lambda y, N, D, a, b: y * N**-a * D**-b, (0.1, 10.0)),
        real("a", "exponent of the first input", _START),
        real("b", "exponent of the second input", _START),
    ),
    family="hyperparameters", predicts="rate", source="arXiv:2503.04715 and released code",
    published={
        "lr": {"k": 1.79, "a": -0.713, "b": 0.307},
        "batch": {"k": 0.58, "a": 0.0, "b": 0.571},
        "lr_bootstrap": {"k": exp(0.586308), "a": -0.712922, "b": 0.307491},
        "batch_bootstrap": {"k": exp(-0.543542), "a": 0.0, "b": 0.570944},
    },
    notes={"lr": "peak learning rate; rounded as printed",
           "batch": "tokens; no dependence on N; rounded as printed",
           "lr_bootstrap": "means of the released bootstrap fits",
           "batch_bootstrap": "means of the released bootstrap fits"},
    checks=(
        ("lr", {"N": 1e9, "D": 1e11}, "1.63250e-3"),
        ("batch", {"N": 1e9, "D": 1e11}, "1.10771e6"),
        ("lr_bootstrap", {"N": 1e9, "D": 1e11}, "1.6623916e-3"),
        ("batch_bootstrap", {"N": 1e9, "D": 1e11}, "1107456.6"),
    ),
)  # fmt: skip

deepseek_hp = monomial.instance(
    "deepseek_hp", "Learning rate, batch size, model scale and tokens by compute, one power law each.",
    {"C": C},
    source="arXiv:2401.02954",
    published={
        "lr": {"k": 0.3118, "p": -0.1250},
        "batch": {"k": 0.2920, "p": 0.3271},
        "model_scale": {"k": 0.1715, "p": 0.5243},
        "tokens": {"k": 5.8316, "p": 0.4757},
    },
    notes={"batch": "tokens", "model_scale": "non-embedding FLOP per token, in place of 6 N",
           "tokens": "D*, C = M D"},
    checks=(
        ("lr", {"C": 1e20}, "9.85998e-4"),
        ("batch", {"C": 1e20}, "1.01715e6"),
        ("model_scale", {"C": 1e20}, "5.25127e9"),
        ("tokens", {"C": 1e20}, "1.90453e10"),
    ),
)  # fmt: skip

porian_hp = monomial.instance(
    "porian_hp", "Best learning rate and batch size by parameters.", {"N": N},
    source="arXiv:2406.19146",
    published={"lr": {"k": 3.7, "p": -0.36}, "batch": {"k": 0.7576, "p": 0.703}},
    notes={"lr": "AdamW, second moment 0.95", "batch": "tokens"},
    checks=(("lr", {"N": 1e9}, "2.12913e-3"), ("batch", {"N": 1e9}, "1.60857e6")),
)  # fmt: skip

# tau = B / (eta lam D): the weight decay that suits is then lam = B (D/N)^-m_t / (c_t eta D).
bergsma_tau = monomial.instance(
    "bergsma_tau", "Best time scale of AdamW, as a share of the run, by tokens per parameter.", {"M": M},
    names={"k": "c_t", "p": "m_t"},
    source="arXiv:2505.13738",
    published={"bergsma2025": {"c_t": 1.084, "m_t": -0.527}},
    notes={"bergsma2025": "AdamW time scale as a share of the run; from memory, "
                          "consistent at 20 tokens per parameter"},
    checks=(("bergsma2025", {"M": 20.0}, ".22356"),),
)  # fmt: skip


def _bergsma_weight_decay(N, D, B, eta, *, c_t, m_t):
    """Best weight decay of AdamW by parameters, tokens, batch and learning rate: what gives its best time
    scale."""
    return B / (c_t * (D / N) ** m_t * eta * D)


bergsma_weight_decay = Law(
    "bergsma_weight_decay", _bergsma_weight_decay,
    {"N": replace(N, scales=False), "D": replace(D, scales=False),
     "B": replace(batches, unit="batch size (tokens)", scales=False),
     "eta": Input("peak learning rate", (1e-4, 1e-2), aliases=("lr", "learning_rate", "peak_lr"),
                  scales=False)},
    coefs=(amplitude("c_t", "best time scale at one token per parameter, as a share of the run", lambda: 1.0,
                     (0.3, 3.0)),
           real("m_t", "exponent of tokens per parameter", _START, (-0.8, -0.3))),
    family="hyperparameters", predicts="rate",
    source="arXiv:2505.13738 (tau = B / (eta lambda D) at its best value, solved for lambda)",
    published={"bergsma2025": {"c_t": 1.084, "m_t": -0.527}},
    notes={"bergsma2025": "as for bergsma_tau"},
    # By hand: at 20 tokens per parameter tau is 0.22356, so 1e6 / (0.22356 * 1e-3 * 2e10).
    checks=(("bergsma2025", {"N": 1e9, "D": 2e10, "B": 1e6, "eta": 1e-3}, "0.22366"),),
)  # fmt: skip

_replicated = {
    "N": N,
    "m": Input("model replicas (count)", (1.0, 8.0), aliases=("replicas", "n_replicas"), scales=False),
}
_LOSS = {"data_parallel": (18.129, -0.0953), "m1": (18.363, -0.0961), "m2": (18.768, -0.0969),
         "m4": (19.762, -0.0992), "m8": (21.051, -0.1018)}  # fmt: skip
_LR = {"data_parallel": (16319.2, -0.819), "m1": (74620.6, -0.945), "m2": (3978.82, -0.780),
       "m4": (4512.99, -0.789), "m8": (618986.0, -1.102)}  # fmt: skip
_BATCH = {"data_parallel": (0.22592, 0.281), "m1": (0.01361, 0.435), "m2": (0.00769, 0.479),
          "m4": (0.00535, 0.510), "m8": (0.01859, 0.455)}  # fmt: skip


def _alone(fits):
    """Fits of one number of replicas each: no dependence on m."""
    return {label: {"A": A, "alpha": alpha, "beta": 0.0} for label, (A, alpha) in fits.items()}


_as_printed = {"k": "A", "a": "alpha", "b": "beta"}

diloco_loss = steplaw.instance(
    "diloco_loss", "Loss by parameters and model replicas that average their weights now and then.",
    _replicated,
    names=_as_printed, predicts="loss", source="arXiv:2503.09799",
    published={"joint": {"A": 19.226, "alpha": -0.0985, "beta": 0.0116}, **_alone(_LOSS)},
    notes={"joint": "over all numbers of replicas m"} | dict.fromkeys(_LOSS,
                                                                      "this setting alone; m is not used"),
    checks=(
        ("joint", {"N": 2.4e9, "m": 2.0}, "2.30903"),
        ("data_parallel", {"N": 2.4e9, "m": 1.0}, "2.31441"),
        ("m1", {"N": 2.4e9, "m": 1.0}, "2.30412"),
    ),
)  # fmt: skip

diloco_hp = steplaw.instance(
    "diloco_hp", "Best inner learning rate and global batch by parameters and model replicas.", _replicated,
    names=_as_printed, source="arXiv:2503.09799",
    published={
        "lr": {"A": 22256.0, "alpha": -0.8827, "beta": 0.2929},
        "batch": {"A": 0.00709, "alpha": 0.4695, "beta": 0.3399},
        **{f"lr_{label}": values for label, values in _alone(_LR).items()},
        **{f"batch_{label}": values for label, values in _alone(_BATCH).items()},
    },
    notes={"lr": "inner learning rate, over all m",
           "batch": "global batch over all m; the catalogue says tokens, "
                    "its size says sequences of about 2048"},
    # Worked by plain arithmetic from the printed coefficients.
    checks=(("lr", {"N": 2.4e9, "m": 2.0}, "1.431220e-4"), ("batch", {"N": 2.4e9, "m": 2.0}, "227.4969")),
)  # fmt: skip

# The coefficients of a quadratic in log N shift with the unit of N, so N is a count here.
isoflop_parabola = Law(
    "isoflop_parabola", _isoflop_parabola, {"N": replace(N, typical=(1e8, 1e10), scales=False)},
    coefs=tuple(
        Coef(name, REAL, typical=typical, meaning=meaning)
        for name, typical, meaning in (
            ("q_0", (15.0, 45.0), "loss at log N = 0, nats per token"),
            ("q_1", (-3.0, -2.0), "slope at log N = 0"),
            ("q_2", (0.03, 0.09), "half the curvature; the best size is exp(-q_1 / (2 q_2))"),
        )
    ),
    family="hyperparameters", source="arXiv:2203.15556, section 3.2 (approach 2)",
    # Round coefficients, worked by plain arithmetic.
    checks=(({"q_0": 200.0, "q_1": -17.0, "q_2": 0.41}, {"N": 1e9}, "23.780517"),),
)  # fmt: skip
