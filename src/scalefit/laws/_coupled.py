"""Parameters and tokens under one outer power: Kaplan et al. 2020, with a floor, and the free-power form."""

from scalefit.core.law import Law
from scalefit.laws.coefs import amplitude, floor, slope
from scalefit.laws.inputs import D, N


def _kaplan_nd(N, D, *, N_c, D_c, alpha_N, alpha_D):
    return ((N_c / N) ** (alpha_N / alpha_D) + D_c / D) ** alpha_D


def _kaplan_nd_floor(N, D, *, E, A, B, alpha, beta):
    return E + ((A / N) ** (alpha / beta) + B / D) ** beta


def _skaling(N, D, *, E, A, B, alpha, beta, kappa):
    return E + (A / N**alpha + B / D**beta) ** kappa


kaplan_nd = Law(
    "kaplan_nd", _kaplan_nd, {"N": N, "D": D},
    coefs=(
        amplitude("N_c", "parameters at which the size term alone gives 1 nat",
                  lambda y, N, alpha_N: N * y ** (1 / alpha_N), (1e10, 1e18)),
        amplitude("D_c", "tokens at which the data term alone gives 1 nat",
                  lambda y, D, alpha_D: D * y ** (1 / alpha_D), (1e10, 1e18)),
        slope("alpha_N", "model-size exponent"),
        slope("alpha_D", "data-size exponent"),
    ),
    family="coupled sums",
    source="arXiv:2001.08361, equation 1.5 and table 2",
    published={"kaplan2020": {"N_c": 6.4e13, "D_c": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.103}},
    checks=(("kaplan2020", {"N": 1e9, "D": 1e10}, 2.41965),),
)  # fmt: skip

# Typical sizes below take 0.3 of the loss as reducible.
kaplan_nd_floor = Law(
    "kaplan_nd_floor", _kaplan_nd_floor, {"N": N, "D": D},
    coefs=(
        floor(),
        amplitude("A", "parameters at which the size term alone gives 1 nat",
                  lambda y, N, alpha: N * (0.3 * y) ** (1 / alpha), (1e5, 1e10)),
        amplitude("B", "tokens at which the data term alone gives 1 nat",
                  lambda y, D, beta: D * (0.3 * y) ** (1 / beta), (1e5, 1e12)),
        slope("alpha", "model-size exponent"),
        slope("beta", "data-size exponent"),
    ),
    family="coupled sums",
    source="arXiv:2411.12925, section 3.1 (Brandfonbrener et al. 2024)",
    published={
        "web": {"A": 6.787e7, "B": 9.310e8, "E": 2.1700, "alpha": 0.4107, "beta": 0.4531},
        "educational_web": {"A": 6.680e7, "B": 8.900e8, "E": 1.9669, "alpha": 0.4129, "beta": 0.4556},
        "code": {"A": 2.227e7, "B": 3.775e8, "E": 0.8452, "alpha": 0.4513, "beta": 0.4716},
    },
    checks=(("web", {"N": 1e9, "D": 2e10}, 2.572039), ("code", {"N": 1e9, "D": 2e10}, 1.077123)),
)  # fmt: skip

skaling = Law(
    "skaling", _skaling, {"N": N, "D": D},
    coefs=(
        floor(),
        amplitude("A", "finite-model term at N = 1, before the outer power",
                  lambda y, N, alpha, kappa: (0.3 * y) ** (1 / kappa) * N**alpha, (1.0, 1e6)),
        amplitude("B", "finite-data term at D = 1, before the outer power",
                  lambda y, D, beta, kappa: (0.3 * y) ** (1 / kappa) * D**beta, (1.0, 1e6)),
        slope("alpha", "model-size exponent, before the outer power"),
        slope("beta", "data-size exponent, before the outer power"),
        slope("kappa", "outer power; 1 is the additive law", (0.15, 0.4, 0.7, 1.0), (0.3, 1.2)),
    ),
    family="coupled sums",
    source="arXiv:2608.07222; the same form as arXiv:2502.08606, equation 7",
    published={"busbridge2025_baseline": {"E": 1.220, "A": 3355.0, "B": 18186.0, "alpha": 0.408, "beta": 0.431,
                                          "kappa": 0.452}},
    checks=(
        ("busbridge2025_baseline", {"N": 3e9, "D": 60e9}, 2.1578),
        ("busbridge2025_baseline", {"N": 1e9, "D": 20e9}, 2.3747),
    ),
)  # fmt: skip
