"""Bits: Kumar et al. 2024 (arXiv:2411.04330, training and post-training precision), Sun et al. 2025
(arXiv:2501.02423, floating-point training), Chen et al. 2025 (arXiv:2505.14302, granularity of
quantisation-aware training), Ouyang et al. 2024 (arXiv:2411.17691, quantisation after training), Dettmers and
Zettlemoyer 2022 (arXiv:2212.09720, bits at inference).
"""

from dataclasses import replace
from math import exp as e_to

from scalefit.core.declare import over
from scalefit.core.law import Coef, Input, Law
from scalefit.core.maths import exp, log
from scalefit.core.support import POSITIVE, REAL
from scalefit.laws import _chinchilla
from scalefit.laws.blocks import dot, log2, logistic, saturated
from scalefit.laws.coefs import amplitude, floor, slope
from scalefit.laws.inputs import D, N, bits, counted


def _kumar_precision(N, D, P_w, P_a, P_kv, *, E, A, B, alpha, beta, g_w, g_a, g_kv, n_w, n_a, n_kv):
    """chinchilla in which a parameter counts less the fewer bits its weights,
    activations and cache are trained in."""
    N_eff = N * saturated(P_w, g_w, n_w) * saturated(P_a, g_a, n_a) * saturated(P_kv, g_kv, n_kv)
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


def _ouyang_qid(N, D, P, *, k, beta, alpha, gamma):
    """What rounding the weights to P bits after training adds to the loss: a power of the bits too."""
    return k * D**beta / (N**alpha * P**gamma)


def _kbit_inference(N, P, *, a, b, k, B_0):
    """Accuracy by all bits held, N P: a logistic in their logarithm, for one precision."""
    return b + a * logistic(k * log(N * P / B_0))


def reach(name: str, meaning: str) -> Coef:
    """The bits over which capacity saturates."""
    return Coef(name, POSITIVE, (0.3, 1.0, 2.0, 5.0), (0.5, 3.0), meaning)


def offset(name: str, what: str) -> Coef:
    """What shifts the bits at which capacity begins."""
    return Coef(name, REAL, (0.0, 0.7, 1.5), (0.0, 2.0), f"bits below which {what} keep no capacity, over g")


_trained = replace(bits, typical=(4.0, 16.0))

kumar_precision = Law(
    "kumar_precision", _kumar_precision,
    {"N": N, "D": D,
     "P_w": replace(_trained, unit="bits per weight in training", aliases=("w_bits", "weight_bits")),
     "P_a": replace(_trained, unit="bits per activation in training", aliases=("a_bits", "activation_bits")),
     "P_kv": replace(_trained, unit="bits per number of the key-value cache in training", aliases=("kv_bits",
                                                                                                   ))},
    coefs=(*_chinchilla.chinchilla.coefs, reach("g_w", "bits over which weights saturate"),
           reach("g_a", "bits over which activations saturate"),
           reach("g_kv", "bits over which keys and values saturate"),
           offset("n_w", "weights"), offset("n_a", "activations"), offset("n_kv", "keys and values")),
    family="effective inputs",
    source="arXiv:2411.04330, equation 4 and appendix K, table 2",
    published={"kumar2024": {"E": 2.7648, "A": 4299.0, "B": 18060.0, "alpha": 0.4965, "beta": 0.4965,
                             "g_w": 2.6745, "g_a": 2.2102, "g_kv": 0.9578, "n_w": 0.3037, "n_a": 1.4072,
                             "n_kv": 2.4185}},
    notes={"kumar2024": "alpha = beta was tied; four digits. With the offsets the best training precision is "
                        "7 bits at any budget, as the paper says; without them 3.5"},
    # By hand: N_eff / N = 0.931950 * 0.890560 * 1 at 8, 8 and 30 bits, so 2.7648 + 4299 / 8.299578e7^0.4965
    # + 18060 / 1e10^0.4965 = 2.7648 + 0.502986 + 0.195757. The round set is worked with plain floats outside
    # this library, its offsets being 0.
    checks=(("kumar2024", {"N": 1e8, "D": 1e10, "P_w": 8.0, "P_a": 8.0, "P_kv": 30.0}, "3.463543"),
            ({"E": 2.0, "A": 4000.0, "B": 20000.0, "alpha": 0.5, "beta": 0.5, "g_w": 2.67, "g_a": 2.21,
              "g_kv": 0.96, "n_w": 0.0, "n_a": 0.0, "n_kv": 0.0},
             {"N": 1e8, "D": 1e10, "P_w": 4.0, "P_a": 8.0, "P_kv": 6.0}, 2.660593728)),
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
    source="arXiv:2411.04330, equation 2 and appendix K, table 2",
    predicts="change",
    published={"kumar2024": {"C_T": 0.0598 * e_to(1.1277), "g_D": 0.5068, "g_N": 0.3439, "g_post": 0.591}},
    notes={"kumar2024": "C_T is the printed 0.0598 times e^b, b = 1.1277 being the offset of the fitted "
                        "exponential: "
                        "no data can tell the two apart. Added to a law of the loss before quantisation, "
                        "kumar_precision for example"},
    # By hand: 0.0598 e^1.1277 = 0.184695, times 1e10^0.5068 / 1e8^0.3439 = 207.396, times e^(-4 / 0.591).
    checks=(("kumar2024", {"N": 1e8, "D": 1e10, "P_post": 4.0}, "0.0440421"),),
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
    source="arXiv:2505.14302, equation 8 and table 1",
    predicts="change",
    published={"w4a4": {"k": 0.1582, "g_D": 0.0745, "g_G": 0.7779, "g_N": 0.2186},
               "w4a16": {"k": 0.2522, "g_D": 0.1610, "g_G": 0.3533, "g_N": 0.3589},
               "w16a4": {"k": 0.1004, "g_D": 0.0331, "g_G": 0.9812, "g_N": 0.1816}},
    notes={"w4a4": "weights and activations of 4 bits; near the sum of the other two",
           "w4a16": "weights of 4 bits", "w16a4": "activations of 4 bits"},
    # The round set is worked with plain floats outside this library. By hand:
    # 0.1582 * 1e11^0.0745 * 7^0.7779 / 1e9^0.2186 = 0.1582 * 6.599391 * 4.543690 / 92.768.
    checks=(("w4a4", {"N": 1e9, "D": 1e11, "G": 128.0}, "0.0511338"),
            ({"k": 0.2, "g_D": 0.08, "g_G": 0.8, "g_N": 0.22}, {"N": 1e8, "D": 1e10, "G": 128.0},
             0.1040179829)),
)  # fmt: skip

ouyang_qid = Law(
    "ouyang_qid", _ouyang_qid,
    {"N": counted("non-embedding"), "D": D,
     "P": replace(bits, unit="bits per weight after training", typical=(2.0, 4.0), aliases=("w_bits",
                                                                                            "n_bits"))},
    coefs=(
        amplitude("k", "loss added at N = D = P = 1",
                  lambda y, N, D, beta, alpha: y * N**alpha / D**beta, (1e-3, 10.0)),
        slope("beta", "data exponent of the damage"),
        slope("alpha", "model-size exponent of the damage"),
        slope("gamma", "exponent of the bits", (1.0, 3.0, 6.0, 10.0), (3.0, 8.0)),
    ),
    family="effective inputs", predicts="change",
    source="arXiv:2411.17691, equation 8 and figure 6",
    published={"ouyang2024_pythia": {"k": 0.017, "beta": 0.5251, "alpha": 0.2261, "gamma": 5.4967}},
    notes={"ouyang2024_pythia": "GPTQ at 2, 3 and 4 bits on checkpoints of the Pythia suite; k has two "
                                "digits. Added "
                                "to the loss before, kaplan_nd's ouyang2024_pythia"},
    # By hand: 0.017 * 1e11^0.5251 / (1e9^0.2261 * 3^5.4967).
    checks=(("ouyang2024_pythia", {"N": 1e9, "D": 1e11, "P": 3.0}, "0.223386"),),
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


def _kbit_formats(N, P, format, *, a, b, k, B_0, delta):
    """Accuracy by all bits held, N P: parallel logistics in their logarithm, one per number format."""
    return (
        b + a * logistic(k * log(N * P / B_0)) + dot(delta, [format == i for i in range(1, len(delta) + 1)])
    )


kbit_formats = over(
    {"format": 1}, "kbit_formats", _kbit_formats,
    {"N": N, "P": replace(bits, unit="bits per parameter at inference", aliases=("w_bits", "n_bits")),
     "format": Input("number format: 0 is the reference, k the k-th other", (0.0, 1.0), "a label", ("format",
                                                                                                    ),
                     scales=False, labels=tuple(range(64)))},
    coefs=(*kbit_inference.coefs,
           Coef("delta", REAL, typical=(-0.05, 0.05),
                meaning="accuracy that format k gains on the reference at equal "
                "bits", each="format")),
    family="effective inputs", predicts="accuracy",
    source="arXiv:2212.09720 (no formula printed there; logistics stand for its nearly parallel curves)",
    # A round set, worked with plain floats outside this library: kbit_inference's, and 0.02.
    checks=(({"a": 0.4, "b": 0.3, "k": 0.5, "B_0": 2e10, "delta_1": 0.02}, {"N": 7e9, "P": 4.0,
                                                                            "format": 1.0},
             0.5367840434),),
)  # fmt: skip
