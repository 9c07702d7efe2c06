"""Sparse and compressed weights: Frantar et al. 2023 (sparsity),
Panferov et al. 2025 (any compressed format)."""

from dataclasses import replace

from scalefit.core.declare import over
from scalefit.core.law import Coef, Input, Law
from scalefit.core.support import POSITIVE
from scalefit.laws import _chinchilla
from scalefit.laws.blocks import capacity
from scalefit.laws.coefs import amplitude, floor, slope
from scalefit.laws.inputs import D, N, Sp


def _frantar_sparse(N, D, Sp, *, a_S, b_S, c_S, b_N, a_D, b_D, c):
    """Loss of models with a share Sp of their weights at zero, by the weights that are left."""
    return (a_S * (1 - Sp) ** b_S + c_S) / N**b_N + (a_D / D) ** b_D + c


def _frantar_eff(N, D, format, *, E, A, B, alpha, beta, eff):
    """chinchilla in which a parameter in another format is worth eff parameters of the reference."""
    worth = sum(((format == k) * e for k, e in enumerate(eff, 1)), format == 0)
    return E + A / (N * worth) ** alpha + B / D**beta


# The paper's rho has a further factor L_r: A here is A L_r^-alpha, since no data can tell the two apart.
def _panferov_capacity(N, D, gmse, *, E, A, B, alpha, beta, F, C_r):
    """chinchilla in which a parameter's worth follows from its format's error on Gaussian numbers."""
    # A (N rho)^-alpha, with rho^alpha in one power: rho alone vanishes to rounding before its power does.
    return E + A / (N**alpha * capacity(gmse, F, alpha * C_r)) + B / D**beta


frantar_sparse = Law(
    "frantar_sparse", _frantar_sparse,
    {"N": replace(N, unit="non-zero parameters (count)"), "D": D, "Sp": Sp},
    coefs=(
        amplitude("a_S", "what dense models add to the size term at N = 1", lambda y, N, b_N: y * N**b_N,
                  (5.0, 1e3)),
        slope("b_S", "sparsity exponent", typical=(0.3, 1.5)),
        amplitude("c_S", "size term at N = 1 as sparsity nears 1", lambda y, N, b_N: y * N**b_N, (10.0, 1e4)),
        slope("b_N", "model-size exponent"),
        # Takes 0.3 of the loss as reducible.
        amplitude("a_D", "tokens at which the data term is 1 nat",
                  lambda y, D, b_D: D * (0.3 * y) ** (1 / b_D),
                  (1e6, 1e10)),
        slope("b_D", "data-size exponent"),
        floor("c"),
    ),
    family="effective inputs",
    source="arXiv:2309.08520",
    published={
        "text": {"a_S": 16.8, "b_S": 0.722, "c_S": 45.0, "b_N": 0.245, "a_D": 6.90e8, "b_D": 0.203,
                 "c": 0.651},
        "vision": {"a_S": 294.0, "b_S": 0.821, "c_S": 468.0, "b_N": 0.392, "a_D": 2.37e8, "b_D": 0.890,
                   "c": 4.517},
    },
    notes=dict.fromkeys(("text", "vision"),
                        "from memory, as printed to 3 digits; N counts non-zero parameters"),
    checks=(
        ("text", {"N": 1e8, "D": 1e10, "Sp": 0.0}, 1.90977),
        ("text", {"N": 1e8, "D": 1e10, "Sp": 0.5}, 1.83724),
        ("vision", {"N": 1e7, "D": 1e10, "Sp": 0.75}, 5.566429181),
    ),
)  # fmt: skip

ROUND = {"E": 1.7, "A": 400.0, "B": 2000.0, "alpha": 0.34, "beta": 0.36}

_QUEST = {"E": 0.0014, "A": 8.134, "B": 86.41, "alpha": 0.06273, "beta": 0.2413}

frantar_eff = over(
    {"format": 1}, "frantar_eff", _frantar_eff,
    {"N": N, "D": D, "format": Input("number format: 0 is the reference, k the k-th other", (0.0, 1.0),
                                     "a label",
                                     ("format",), scales=False, labels=tuple(range(64)))},
    coefs=(*_chinchilla.chinchilla.coefs,
           Coef("eff", POSITIVE, (0.03, 0.2, 0.6, 1.0), (0.1, 1.0),
                "parameters of the reference that one in format k "
                "is worth", each="format")),
    family="effective inputs",
    source="arXiv:2506.01863; for bits arXiv:2502.05003",
    published={"panferov2025_quest_int4": {**_QUEST, "eff_1": 0.692},
               "panferov2025_quest": {**_QUEST, "eff_1": 0.0205, "eff_2": 0.152, "eff_3": 0.433,
                                      "eff_4": 0.692,
                                      "eff_5": 1.016}},
    notes={"panferov2025_quest_int4": "format 1: weights and activations of 4 bits; arXiv:2502.05003. E is "
                                      "all but "
                                      "undetermined there",
           "panferov2025_quest": "formats 1 to 5: weights and activations of 1, 2, 3, 4 and 8 bits; "
                                 "arXiv:2502.05003"},
    # Round sets, worked with plain floats outside this library.
    checks=(({**ROUND, "eff_1": 0.7}, {"N": 1e9, "D": 2e10, "format": 1.0}, 2.484737043),
            ({**ROUND, "eff_1": 0.7, "eff_2": 0.4}, {"N": 1e9, "D": 2e10, "format": 2.0}, 2.567163552)),
)  # fmt: skip

panferov_capacity = Law(
    "panferov_capacity", _panferov_capacity,
    {"N": N, "D": D, "gmse": Input("squared error of the format on unit Gaussian numbers; see laws.formats",
                                   (1e-4, 0.4), "at least 0 and below 1", ("gmse", "gaussian_mse"),
                                   scales=False)},
    coefs=(*_chinchilla.chinchilla.coefs,
           slope("F", "how fast capacity grows with precision", (0.1, 0.3, 1.0), (0.2, 1.0)),
           slope("C_r", "exponent of capacity", (0.3, 1.0, 3.0), (0.5, 2.0))),
    family="effective inputs",
    source="arXiv:2506.01863",
    # Coefficients were not extracted; a round set, worked with plain floats outside this library. With gmse =
    # 4^-b the capacity at F = 1/2, C_r = 1 is tanh(b/2): 0.462117, 0.761594, 0.964028 at 1, 2, 4 bits.
    checks=(({**ROUND, "F": 0.5, "C_r": 1.0}, {"N": 1e9, "D": 2e10, "gmse": 0.0625}, 2.473619876),
            ({**ROUND, "F": 0.4, "C_r": 1.3}, {"N": 1e9, "D": 2e10, "gmse": 0.01154}, 2.464132344)),
)  # fmt: skip
