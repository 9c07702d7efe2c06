"""Mixtures of experts: Clark et al. 2022 (arXiv:2202.01169, routed models), Ludziejewski et al. 2025
(arXiv:2502.05172, joint law), Krajewski et al. 2024 (arXiv:2402.07871, granularity), Abnar et al. 2025
(arXiv:2501.12370, sparsity), Tian et al. 2025 (arXiv:2507.17702, leverage).

N is the active (dense-equivalent) parameter count in the first two, all parameters without embeddings in the
third, and all parameters in the fourth; each law says what a token of training costs in its own N.
"""

from dataclasses import replace

from scalefit.core.law import Coef, Input, Law
from scalefit.core.maths import log
from scalefit.core.support import POSITIVE, REAL
from scalefit.laws.blocks import experts, log2, log10
from scalefit.laws.coefs import amplitude, floor, real, slope
from scalefit.laws.inputs import C, D, E_x, Sp, counted


def _clark_routed(N, E_x, *, a, b, c, d, E_s, E_m):
    """Loss by active parameters and experts at a fixed number of tokens:
    bilinear in logarithms, with experts that saturate."""
    n, e = log10(N), log10(experts(E_x, E_s, E_m))
    return 10 ** (a * n + b * e + c * n * e + d)


def _joint_moe(N, D, E_x, *, a, alpha, delta, g, b, beta, omega, z, c, E_s, E_m):
    """Loss by active parameters, tokens and experts:
    chinchilla with factors and exponents that move with log Ehat."""
    Ehat = experts(E_x, E_s, E_m)
    return (
        a * Ehat**delta * N ** -(alpha + g * log(Ehat)) + b * Ehat**omega * D ** -(beta + z * log(Ehat)) + c
    )


def _routed_floor(N, E_x, *, a, alpha, delta, g, c, E_s, E_m):
    """Loss by active parameters and experts at one number of tokens: a power of size whose factor and
    exponent move with log Ehat, on top of a floor."""
    Ehat = experts(E_x, E_s, E_m)
    return a * Ehat**delta * N ** -(alpha + g * log(Ehat)) + c


def _krajewski_moe(N, D, G, *, c, g, gamma, a, alpha, b, beta):
    """Loss of a mixture of fine experts by all its parameters, tokens and granularity:
    the more finely experts are cut (G), the smaller the size term."""
    return c + (g / G**gamma + a) / N**alpha + b / D**beta


# c carries the sign of lam: c (1 - Sp)^-lam falls with sparsity for lam < 0, as published.
def _abnar_moe(N, D, Sp, *, a, alpha, b, beta, c, lam, d, delta, gamma, e):
    """Loss by all parameters, tokens and the share of experts that a token does not use."""
    return a / N**alpha + b / D**beta + c / (1 - Sp) ** lam + d / ((1 - Sp) ** delta * N**gamma) + e


def _tian_leverage(A, G, C, *, a, d, beta, gamma, A_s):
    """Compute that a dense model needs over that of a mixture of experts of the same loss, by the share of
    parameters that a token uses, granularity and compute."""
    return (A + A_s) ** (a + d * log10(C) + gamma * log2(G) ** 2 + beta * log2(G))


def _krajewski_flops(N, G):
    """FLOPs of a training token: 6 per active parameter, and the router's (equation 10 there, appendix E)."""
    # 64 experts for one feed-forward layer, in all runs: N = d^2 (8 64 + 4) n and 12 d^2 n of it active, for
    # n layers of width d = 64 n; the router takes 14 d 64 G n.
    width_cubed = 64 * N / 516
    return 6 * 12 / 516 * N + 14 * G * width_cubed ** (2 / 3)


active = counted("active")
# A bilinear form in logarithms: another unit of N or D moves b and d (delta and omega) by a sum, so their
# units are counts and nothing else.
counted_N, counted_D = replace(active, scales=False), replace(D, scales=False)
granularity = Input("granularity: width of a dense layer over an expert's (ratio)", (1.0, 16.0),
                    aliases=("granularity",), scales=False)  # fmt: skip


def saturation() -> tuple[Coef, Coef]:
    """Where expert counts begin and cease to matter."""
    return (
        Coef("E_s", POSITIVE, (0.7, 1.5, 4.0, 10.0), (1.0, 5.0), "what one expert counts as"),
        Coef(
            "E_m", POSITIVE, (30.0, 100.0, 300.0, 2000.0), (50.0, 1000.0), "what very many experts count as"
        ),
    )


clark_routed = Law(
    "clark_routed", _clark_routed, {"N": replace(counted_N, typical=(5e6, 5e9)), "E_x": E_x},
    coefs=(
        Coef("a", REAL, (-0.2, -0.1, -0.05, 0.0), (-0.1, -0.05), "size exponent at Ehat = 1 (negative)"),
        Coef("b", REAL, (-0.3, -0.1, 0.0), (-0.2, -0.05), "expert exponent at N = 1 (negative)"),
        Coef("c", REAL, (-0.01, 0.0, 0.02), (0.005, 0.02),
             "how fast gains from experts fade, per decade of N"),
        Coef("d", REAL, (0.5, 1.0, 1.5), (0.9, 1.3), "log10 loss at N = Ehat = 1"),
        *saturation(),
    ),
    family="effective inputs",
    source="arXiv:2202.01169",
    published={
        "s_base": {"a": -0.082, "b": -0.108, "c": 0.009, "d": 1.104, "E_s": 1.847, "E_m": 314.478},
        "rl_r": {"a": -0.083, "b": -0.126, "c": 0.012, "d": 1.111, "E_s": 1.880, "E_m": 469.982},
        "hash": {"a": -0.087, "b": -0.136, "c": 0.012, "d": 1.157, "E_s": 4.175, "E_m": 477.741},
        "s_base_rerun": {"a": -0.0830, "b": -0.1180, "c": 0.00992, "d": 1.1136, "E_s": 2.08, "E_m": 239.0},
        "rl_r_rerun": {"a": -0.0827, "b": -0.1234, "c": 0.01123, "d": 1.1070, "E_s": 1.72, "E_m": 470.0},
        "hash_rerun": {"a": -0.0874, "b": -0.1384, "c": 0.01263, "d": 1.1595, "E_s": 4.27, "E_m": 427.0},
    },
    notes=dict.fromkeys(("s_base", "rl_r", "hash"),
                        "printed to 3 decimals; c is too coarse for the size at which "
                        "routing stops helping, 10^(-b/c); all runs on 130e9 tokens")
    | dict.fromkeys(("s_base_rerun", "rl_r_rerun", "hash_rerun"),
                    "fitted again to the released curves; rounded"),
    checks=(
        ("s_base", {"N": 5.5e6, "E_x": 1.0}, 3.45682),
        ("s_base", {"N": 5.5e6, "E_x": 128.0}, 2.87385),
    ),
)  # fmt: skip

joint_moe = Law(
    "joint_moe", _joint_moe, {"N": counted_N, "D": counted_D, "E_x": E_x},
    coefs=(
        amplitude("a", "finite-model term at N = Ehat = 1", lambda y, N, alpha: y * N**alpha, (10.0, 1e3)),
        slope("alpha", "model-size exponent at Ehat = 1", typical=(0.1, 0.4)),
        real("delta", "expert exponent of the size term at N = 1", (-0.6, -0.2, 0.0, 0.2, 0.6), (-0.4,
                                                                                                 -0.05)),
        real("g", "what an e-fold of Ehat adds to the size exponent", (-0.04, 0.0, 0.04), (-0.02, -0.005)),
        amplitude("b", "finite-data term at D = Ehat = 1", lambda y, D, beta: y * D**beta, (10.0, 1e3)),
        slope("beta", "data-size exponent at Ehat = 1", typical=(0.1, 0.4)),
        real("omega", "expert exponent of the data term at D = 1", (-0.6, -0.2, 0.0, 0.2, 0.6), (0.1, 0.8)),
        real("z", "what an e-fold of Ehat adds to the data exponent", (-0.04, 0.0, 0.04), (0.005, 0.03)),
        floor("c"),
        *saturation(),
    ),
    family="effective inputs",
    source="arXiv:2502.05172, equation 6 and table 3",
    published={"ludziejewski2025": {"a": 35.91, "alpha": 0.1889, "delta": -0.2285, "g": -0.0098, "b": 35.98,
                                    "beta": 0.1775, "omega": 0.5529, "z": 0.0259, "c": 1.3637, "E_s": 2.0732,
                                    "E_m": 290.4521}},
    notes={"ludziejewski2025": "four digits; the paper's alpha, beta, gamma and zeta with their signs "
                               "turned. It "
                               "gives the paper's table of compute-optimal sizes and tokens"},
    # From the paper's row for one expert: 30.3640 / 1e9^0.1817 + 53.9838 / 1e10^0.1965 + 1.3637. The round
    # set is worked with plain floats outside this library.
    checks=(("ludziejewski2025", {"N": 1e9, "D": 1e10, "E_x": 1.0}, "2.652"),
            ({"a": 40.0, "alpha": 0.18, "delta": 0.2, "g": -0.01, "b": 30.0, "beta": 0.15, "omega": -0.1,
              "z": 0.005,
              "c": 1.2, "E_s": 1.5, "E_m": 300.0}, {"N": 1e9, "D": 2e10, "E_x": 16.0}, 4.609483553)),
)  # fmt: skip

_joint = {coef.name: coef for coef in joint_moe.coefs}
routed_floor = Law(
    "routed_floor", _routed_floor, {"N": counted_N, "E_x": E_x},
    coefs=tuple(_joint[name] for name in ("a", "alpha", "delta", "g", "c", "E_s", "E_m")),
    family="effective inputs",
    source="arXiv:2502.05172, equation 6 at one number of tokens; arXiv:2202.01169 without floor",
    # By hand: Ehat = 2 at E_x = 1, so 40 * 2^-0.2 / 1e9^(0.2 - 0.01 ln 2) + 1.5.
    checks=(({"a": 40.0, "alpha": 0.2, "delta": -0.2, "g": -0.01, "c": 1.5, "E_s": 2.0, "E_m": 300.0},
             {"N": 1e9, "E_x": 1.0}, "2.1371435"),),
)  # fmt: skip

krajewski_moe = Law(
    "krajewski_moe", _krajewski_moe,
    {"N": replace(counted("non-embedding"), unit="parameters of all experts, without embeddings (count)",
                  typical=(1e9, 1e13)),
     "D": D, "G": granularity},
    flops=_krajewski_flops,
    coefs=(
        floor("c"),
        amplitude("g", "what coarse experts add to the size term at N = G = 1",
                  lambda y, N, alpha: y * N**alpha,
                  (0.5, 100.0)),
        slope("gamma", "granularity exponent", typical=(0.3, 1.0)),
        amplitude("a", "size term at N = 1 for the finest experts", lambda y, N, alpha: y * N**alpha,
                  (5.0, 1e3)),
        slope("alpha", "model-size exponent"),
        amplitude("b", "finite-data term at D = 1", lambda y, D, beta: y * D**beta, (10.0, 1e4)),
        slope("beta", "data-size exponent"),
    ),
    family="effective inputs",
    source="arXiv:2402.07871, equation 9, tables 1 and 2",
    published={"moe": {"c": 0.47, "g": 2.1, "gamma": 0.58, "a": 18.1, "alpha": 0.115, "b": 30.8,
                       "beta": 0.147}},
    notes={"moe": "as printed (2 to 3 digits), 64 experts; N counts all parameters without embeddings: the "
                  "paper's 64 x 1B is 4.3e10. Compare at equal FLOPs only; the paper's dense models are "
                  "chinchilla with A 16.3, alpha 0.126, B 26.7, beta 0.127, E 0.47"},
    checks=(
        ("moe", {"N": 1e9, "D": 2e10, "G": 1.0}, 3.27613),
        ("moe", {"N": 1e9, "D": 2e10, "G": 16.0}, 3.12119),
    ),
)  # fmt: skip

abnar_moe = Law(
    "abnar_moe", _abnar_moe,
    {"N": counted("total"), "D": D, "Sp": replace(Sp, unit="share of experts not used", typical=(0.0, 0.98))},
    # Active are N (1 - Sp); that is, of attention too, as in the paper's own count.
    flops=lambda N, Sp: 6 * N * (1 - Sp),
    coefs=(
        amplitude("a", "finite-model term at N = 1", lambda y, N, alpha: y * N**alpha),
        # These starts reach the best end two to three times as often as the usual ones.
        slope("alpha", "model-size exponent", (0.15, 0.4, 0.7, 1.2)),
        amplitude("b", "finite-data term at D = 1", lambda y, D, beta: y * D**beta),
        slope("beta", "data-size exponent", (0.1, 0.3, 0.6)),
        amplitude("c", "sparsity term of dense models, nats per token", lambda y: y, (0.1, 1.0)),
        real("lam", "sparsity exponent, signed", (-1.0, -0.2, 0.2, 1.0)),
        amplitude("d", "sparsity-and-size term of dense models at N = 1", lambda y, N, gamma: y * N**gamma,
                  (1.0, 100.0)),
        real("delta", "sparsity exponent of the joint term, signed", (-0.2, 0.1, 0.4, 0.8), (0.05, 0.5)),
        slope("gamma", "size exponent of the joint term", (0.02, 0.06, 0.15, 0.3), (0.05, 0.4)),
        floor("e"),
    ),
    family="effective inputs",
    source="arXiv:2501.12370",
    published={"abnar2025": {"a": 16612.5, "alpha": 0.5962, "b": 5455.67, "beta": 0.3954, "c": 0.4598,
                             "lam": -0.1666,
                             "d": 17.26, "delta": 0.1603, "gamma": 0.1595, "e": 0.94}},
    notes={"abnar2025": "as printed (2 to 6 digits); N counts all parameters; "
                        "R2 99 % in the range, 68 % at sparsities "
                        "held out"},
    checks=(
        ("abnar2025", {"N": 1e10, "D": 1e11, "Sp": 0.0}, 2.10054),
        ("abnar2025", {"N": 1e10, "D": 1e11, "Sp": 0.5}, 2.10193),
        ("abnar2025", {"N": 1e10, "D": 1e11, "Sp": 0.9}, 2.14984),
    ),
)  # fmt: skip

# The paper saturates A on both sides as Clark et al. do their experts; its upper end is fitted at 5e16, where
# a share never comes: what is left is A + A_s. It prints log without a base. Only log10 of C and log2 of G
# give what it concludes from table 2: more than 7 at 3.1 %, G = 12 and 1e22 FLOP, and a best G of 8 to 12.
tian_leverage = Law(
    "tian_leverage", _tian_leverage,
    {"A": Input("share of the parameters that a token uses", (0.008, 0.5), "between 0 and 1",
                ("activation_ratio",), scales=False),
     "G": granularity, "C": replace(C, typical=(1e18, 1e22), scales=False)},
    coefs=(
        real("a", "exponent at C = G = 1", (-1.0, 0.0, 1.0), (0.8, 1.6)),
        real("d", "what a decade of compute adds to the exponent", (-0.1, 0.0, 0.1), (-0.1, -0.05)),
        real("beta", "what a doubling of the granularity adds at G = 1", (-0.2, 0.0, 0.2), (-0.15, -0.08)),
        real("gamma", "how fast that fades, per doubling", (-0.02, 0.0, 0.02), (0.01, 0.02)),
        Coef("A_s", POSITIVE, (0.003, 0.02, 0.1), (0.01, 0.03), "share below which less use gains no more"),
    ),
    family="effective inputs", predicts="count",
    source="arXiv:2507.17702, equations 10 and 13 and table 2 (its upper saturation, which is at infinity, "
           "left out)",
    published={"tian2025": {"a": 1.23, "d": -0.0761, "beta": -0.117, "gamma": 0.0167, "A_s": 0.0163}},
    notes={"tian2025": "three digits; models of up to 28e9 parameters"},
    # By hand: (0.031 + 0.0163)^(1.23 - 0.0761 * 22 + 0.0167 * log2(12)^2 - 0.117 * log2(12)).
    checks=(("tian2025", {"A": 0.031, "G": 12.0, "C": 1e22}, "7.24"),),
)  # fmt: skip
