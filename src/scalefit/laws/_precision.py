"""Bits: Kumar et al. 2024 (training and post-training precision), Sun et al. 2025 (floating-point training),
Chen et al. 2025 (granularity of quantisation-aware training), Dettmers and Zettlemoyer 2022 (bits at
inference).
"""

from dataclasses import replace

from scalefit.core.law import Coef, Input, Law
from scalefit.core.maths import exp, log
from scalefit.core.support import POSITIVE, REAL
from scalefit.laws import _chinchilla
from scalefit.laws.blocks import log2, logistic, saturated
from scalefit.laws.coefs import amplitude, floor, slope
from scalefit.laws.inputs import D, N, bits


def _kumar_precision(N, D, P_w, P_a, P_kv, *, E, A, B, alpha, beta, g_w, g_a, g_kv):
    """chinchilla in which a parameter counts less the fewer bits its weights,
    activations and cache are trained in."""
    N_eff = N * saturated(P_w, g_w) * saturated(P_a, g_a) * saturated(P_kv, g_kv)
    return E + A / N_eff**alpha + B / D**beta


def _kumar_post_training(N, D, P_post, *, C_T, g_D, g_N, g_post):
    """What rounding the weights to P_post bits after training adds to the loss: more tokens make it worse."""
    return C_T * D**g_D / N**g_N * exp(-P_post / g_post)


# alpha and beta are those of the terms in N and D alone.
def _fp_quant(N, D, E_b, M_b, Bk, *, n, alpha, d, beta, eps, gamma, delta, nu):
    """chinchilla and what training in floating point adds:
    more with tokens, less with exponent and mantissa bits."""
    worse = D**beta / N**alpha * log2(Bk) / (gamma * (E_b + 0.5) ** delta * (M_b + 0.5) ** nu)
    return n / N**alpha + d / D**beta + eps + worse


def _qat_granularity(N, D, G, *, k, g_D, g_G, g_N):
    """What quantisation-aware training in groups of G numbers adds to the loss."""
    return k * D**g_D * log2(G) ** g_G / N**g_N


def _kbit_inference(N, P, *, a, b, k, B_0):
    """Accuracy by all bits held, N P: a logistic in their logarithm, for one precision."""
    return b + a * logistic(k * log(N * P / B_0))


def reach(name: str, meaning: str) -> Coef:
    """The bits over which capacity saturates."""
    return Coef(name, POSITIVE, (0.3, 1.0, 2.0, 5.0), (0.5, 3.0), meaning)


kumar_precision = Law(
    "kumar_precision", _kumar_precision,
    {"N": N, "D": D,
     "P_w": replace(bits, unit="bits per weight in training", aliases=("w_bits", "weight_bits")),
     "P_a": replace(bits, unit="bits per activation in training", aliases=("a_bits", "activation_bits")),
     "P_kv": replace(bits, unit="bits per number of the key-value cache in training", aliases=("kv_bits",))},
    coefs=(*_chinchilla.chinchilla.coefs, reach("g_w", "bits over which weights saturate"),
           reach("g_a", "bits over which activations saturate"),
           reach("g_kv", "bits over which keys and values saturate")),
    family="effective inputs",
    source="arXiv:2411.04330",
    # A, B, alpha, beta and E were not extracted; a round set (with the paper's g_w, g_a, g_kv, from memory),
    # worked with plain floats outside this library.
    checks=(({"E": 2.0, "A": 4000.0, "B": 20000.0, "alpha": 0.5, "beta": 0.5, "g_w": 2.67, "g_a": 2.21,
              "g_kv": 0.96},
             {"N": 1e8, "D": 1e10, "P_w": 4.0, "P_a": 8.0, "P_kv": 6.0}, 2.660593728),),
)  # fmt: skip

kumar_post_training = Law(
    "kumar_post_training", _kumar_post_training,
    {"N": N, "D": D, "P_post": replace(bits, unit="bits per weight after training", typical=(2.0, 6.0))},
    coefs=(
        amplitude("C_T", "loss added at N = D = 1 and no bits", lambda y, N, D, g_D, g_N: y * N**g_N / D**g_D,
                  (1e-3, 10.0)),
        slope("g_D", "data exponent of the damage", typical=(0.2, 0.8)),
        slope("g_N", "model-size exponent of the damage", typical=(0.2, 0.8)),
        reach("g_post", "bits over which the damage falls e-fold"),
    ),
    family="effective inputs",
    source="arXiv:2411.04330",
    predicts="change",
    published={"kumar2024": {"C_T": 0.0598, "g_D": 0.507, "g_N": 0.344, "g_post": 0.591}},
    notes={"kumar2024": "from memory; added to a law of the loss before quantisation, "
                        "kumar_precision for example"},
    checks=(("kumar2024", {"N": 1e8, "D": 1e10, "P_post": 4.0}, 0.01429926872),),
)  # fmt: skip

fp_quant = Law(
    "fp_quant", _fp_quant,
    {"N": N, "D": D,
     "E_b": Input("exponent bits", (1.0, 8.0), "not negative", ("exponent_bits",), scales=False),
     "M_b": Input("mantissa bits", (1.0, 7.0), "not negative", ("mantissa_bits",), scales=False),
     "Bk": Input("numbers that share a scaling factor (block size)", (16.0, 512.0), "positive",
                 ("block_size",),
                 scales=False)},
    coefs=(
        amplitude("n", "finite-model term at N = 1", lambda y, N, alpha: y * N**alpha, (10.0, 1e4)),
        slope("alpha", "model-size exponent"),
        amplitude("d", "finite-data term at D = 1", lambda y, D, beta: y * D**beta),
        slope("beta", "data-size exponent"),
        floor("eps"),
        amplitude("gamma", "how little precision costs", lambda y, N, D, alpha, beta: D**beta / N**alpha / y,
                  (1e2, 1e5), (0.01, 0.1, 1.0, 10.0)),
        slope("delta", "exponent of the exponent bits", (0.5, 1.0, 2.0, 4.0), (1.0, 5.0)),
        slope("nu", "exponent of the mantissa bits", (0.5, 1.0, 2.0, 4.0), (1.0, 5.0)),
    ),
    family="effective inputs",
    source="arXiv:2501.02423",
    published={"sun2025": {"n": 69.2343, "alpha": 0.2368, "d": 68973.0621, "beta": 0.5162, "eps": 1.9061,
                           "gamma": 11334.5197, "delta": 3.1926, "nu": 2.9543}},
    notes={"sun2025": "from memory, full printed digits; "
                      "they give the paper's critical data sizes and best splits"},
    checks=(
        ("sun2025", {"N": 1e9, "D": 1e11, "E_b": 4.0, "M_b": 3.0, "Bk": 128.0}, 2.56307),
        ("sun2025", {"N": 1e9, "D": 1e11, "E_b": 2.0, "M_b": 1.0, "Bk": 128.0}, 2.59787),
    ),
)  # fmt: skip

qat_granularity = Law(
    "qat_granularity", _qat_granularity,
    {"N": N, "D": D, "G": Input("numbers that share a scaling factor (group size)", (32.0, 1024.0),
                                "positive",
                                ("group_size",), scales=False)},
    coefs=(
        amplitude("k", "loss added at N = D = 1 and groups of 2",
                  lambda y, N, D, g_D, g_N: y * N**g_N / D**g_D,
                  (1e-3, 10.0)),
        slope("g_D", "data exponent of the damage"),
        slope("g_G", "exponent of log2 of the group size", typical=(0.2, 1.5)),
        slope("g_N", "model-size exponent of the damage"),
    ),
    family="effective inputs",
    source="arXiv:2505.14302",
    predicts="change",
    # Coefficients were not extracted; a round set, worked with plain floats outside this library. The paper
    # adds one such term for weights and one for activations.
    checks=(({"k": 0.2, "g_D": 0.08, "g_G": 0.8, "g_N": 0.22}, {"N": 1e8, "D": 1e10, "G": 128.0},
             0.1040179829),),
)  # fmt: skip

# The paper prints no formula: accuracy rises with the logarithm of all bits held, along nearly parallel
# curves, one per precision. This is a logistic for one such curve; `kbit_inference.shared("a", "k", "B_0",
# by="precision")` gives the parallel ones (b[4] - b[8] is the offset of 4 against 8 bits).
kbit_inference = Law(
    "kbit_inference", _kbit_inference,
    {"N": N, "P": replace(bits, unit="bits per parameter at inference", aliases=("w_bits", "n_bits"))},
    coefs=(
        amplitude("a", "accuracy gained in all", lambda: 1.0, (0.1, 0.6)),
        Coef("b", REAL, typical=(0.1, 0.5), meaning="accuracy of very few bits, and offset of a precision"),
        slope("k", "steepness per e-fold of bits", (0.1, 0.3, 1.0, 3.0), (0.2, 1.0)),
        amplitude("B_0", "total bits at half the gain", lambda N: N, (1e9, 1e11), (0.1, 1.0, 10.0, 100.0)),
    ),
    family="effective inputs",
    source="arXiv:2212.09720 (no formula printed there; a logistic stands for its curves)",
    predicts="accuracy",
    # A round set, worked with plain floats outside this library.
    checks=(({"a": 0.4, "b": 0.3, "k": 0.5, "B_0": 2e10}, {"N": 7e9, "P": 4.0}, 0.5167840434),),
)  # fmt: skip
