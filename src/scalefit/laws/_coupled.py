"""Parameters and tokens under one outer power: Kaplan et al. 2020, with a floor, and the free-power forms."""

from dataclasses import replace

from scalefit.core.formula import block
from scalefit.core.law import Law
from scalefit.core.maths import maximum, minimum
from scalefit.laws import _chinchilla
from scalefit.laws.coefs import amplitude, floor, slope
from scalefit.laws.inputs import D, N, S, counted


def _kaplan_nd(N, D, *, N_c, D_c, alpha_N, alpha_D):
    """Loss by non-embedding parameters and tokens, without a floor;
    the size term sits inside the data term's power."""
    return ((N_c / N) ** (alpha_N / alpha_D) + D_c / D) ** alpha_D


def _kaplan_ns(N, S_min, *, N_c, S_c, alpha_N, alpha_S):
    """Loss by non-embedding parameters and optimiser steps at a batch far above the critical one."""
    return (N_c / N) ** alpha_N + (S_c / S_min) ** alpha_S


def _kaplan_nd_floor(N, D, *, E, A, B, alpha, beta):
    """Kaplan's law of parameters and tokens on top of a floor."""
    return E + ((A / N) ** (alpha / beta) + B / D) ** beta


def _skaling(N, D, *, E, A, B, alpha, beta, kappa):
    """Size and data terms under one outer power: kappa = 1 is the additive law;
    below it the terms substitute less."""
    return E + (A / N**alpha + B / D**beta) ** kappa


def _nested_ces(N, D, *, E, A, B, alpha, beta, q):
    """Size and data terms as a constant-elasticity sum:
    q = 1 adds them, q near 0 takes the larger (a bottleneck)."""
    return E + _ces(A / N**alpha, B / D**beta, q)


@block(r"\left({0}^{{1/{2}}} + {1}^{{1/{2}}}\right)^{{{2}}}")
def _ces(a, b, q):
    # The larger term is taken out: its power 1/q would overflow for small q.
    larger, smaller = maximum(a, b), minimum(a, b)
    return larger * (1 + (smaller / larger) ** (1 / q)) ** q


_N = counted("non-embedding")
_N_c = amplitude(
    "N_c", "parameters at which the size term alone gives 1 nat",
    lambda y, N, alpha_N: N * y ** (1 / alpha_N),
    (1e10, 1e18),
)  # fmt: skip

kaplan_nd = Law(
    "kaplan_nd", _kaplan_nd, {"N": _N, "D": D},
    coefs=(
        _N_c,
        amplitude("D_c", "tokens at which the data term alone gives 1 nat",
                  lambda y, D, alpha_D: D * y ** (1 / alpha_D), (1e10, 1e18)),
        slope("alpha_N", "model-size exponent"),
        slope("alpha_D", "data-size exponent"),
    ),
    family="coupled sums",
    source="arXiv:2001.08361, equation 1.5 and table 2",
    published={
        "kaplan2020": {"N_c": 6.4e13, "D_c": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.103},
        "ouyang2024_pythia": {"N_c": 4.74e19, "D_c": 7.63e10, "alpha_N": 0.045, "alpha_D": 0.399},
        # Printed as (A / N^(alpha_N / alpha_D) + D_c / D)^alpha_D.
        "gordon2021_ru_en": {"N_c": 522.3 ** (0.38 / 0.11), "D_c": 9.95e5, "alpha_N": 0.11, "alpha_D": 0.38},
        "gordon2021_de_en": {"N_c": 1082.0 ** (0.35 / 0.13), "D_c": 6.80e5, "alpha_N": 0.13, "alpha_D": 0.35},
        "gordon2021_zh_en": {"N_c": 258.1 ** (0.43 / 0.12), "D_c": 3.38e5, "alpha_N": 0.12, "alpha_D": 0.43},
    },
    notes={"ouyang2024_pythia": "the Pythia suite; arXiv:2411.17691, figure 7, as printed",
           **dict.fromkeys(("gordon2021_ru_en", "gordon2021_de_en", "gordon2021_zh_en"),
                           "translation, D in sentence pairs; doi:10.18653/v1/2021.emnlp-main.478 as listed "
                           "by "
                           "Epoch's review")},
    checks=(("kaplan2020", {"N": 1e9, "D": 1e10}, 2.41965),
            # By hand: (4.74e19 / 1e9)^(0.045 / 0.399) = 15.99688 and 7.63e10 / 1e11 = 0.763, so
            # 16.75988^0.399.
            ("ouyang2024_pythia", {"N": 1e9, "D": 1e11}, "3.079527")),
)  # fmt: skip

kaplan_ns = Law(
    "kaplan_ns", _kaplan_ns,
    {"N": _N, "S_min": replace(S, unit="optimiser steps at a large batch, S / (1 + B_crit / B) (count)")},
    coefs=(
        _N_c,
        amplitude("S_c", "steps at which the step term alone gives 1 nat",
                  lambda y, S_min, alpha_S: S_min * y ** (1 / alpha_S), (1e2, 1e5)),
        slope("alpha_N", "model-size exponent"),
        slope("alpha_S", "step exponent", (0.1, 0.3, 0.7, 2.0), (0.3, 1.5)),
    ),
    family="power terms",
    source="arXiv:2001.08361, equation 1.6 and table 3; re-estimated in stages by arXiv:2403.06563",
    published={"kaplan2020": {"N_c": 6.5e13, "S_c": 2.1e3, "alpha_N": 0.077, "alpha_S": 0.76}},
    notes={"kaplan2020": "from memory"},
    checks=(("kaplan2020", {"N": 1e9, "S_min": 1e5}, 2.40051),),
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
    published={"busbridge2025_baseline": {"E": 1.220, "A": 3355.0, "B": 18186.0, "alpha": 0.408,
                                          "beta": 0.431,
                                          "kappa": 0.452}},
    checks=(
        ("busbridge2025_baseline", {"N": 3e9, "D": 60e9}, 2.1578),
        ("busbridge2025_baseline", {"N": 1e9, "D": 20e9}, 2.3747),
    ),
)  # fmt: skip

busbridge_supervised = skaling.instance(
    "busbridge_supervised", "The baseline of the distillation laws: `skaling` under that paper's names.",
    {"N": _N, "D": D},
    names={"kappa": "gamma"}, source="arXiv:2502.08606, equation 7",
    published={"busbridge2025": {"E": 1.220, "A": 3355.0, "B": 18186.0, "alpha": 0.408, "beta": 0.431,
                                 "gamma": 0.452}},
    notes={"busbridge2025": "four digits; N without embeddings"},
    checks=(("busbridge2025", {"N": 3e9, "D": 60e9}, 2.1578),
            ("busbridge2025", {"N": 1e9, "D": 20e9}, 2.3747),
            ("busbridge2025", {"N": 7.75e9, "D": 155e9}, 2.0036),
            ("busbridge2025", {"N": 1e9, "D": 512e9}, 2.1626)),
)  # fmt: skip

nested_ces = Law(
    "nested_ces", _nested_ces, {"N": N, "D": D},
    coefs=(
        *_chinchilla.chinchilla.coefs,
        slope("q", "how far one term makes up for the other: 1 adds, 0 takes the larger",
              (0.1, 0.3, 0.6, 1.0), (0.3, 1.0)),
    ),
    family="coupled sums",
    source="arXiv:2608.07222, which compares the form",
    # By hand: both terms are 0.2 where A = 200, alpha = 0.5, N = 1e6 and B = 2000, beta = 0.5, D = 1e8, so
    # the loss is E + 0.2 * 2^q; with q = 0.5 that is 1.5 + 0.2 * sqrt 2.
    checks=(({"E": 1.5, "A": 200.0, "B": 2000.0, "alpha": 0.5, "beta": 0.5, "q": 0.5},
             {"N": 1e6, "D": 1e8}, 1.7828427),),
)  # fmt: skip
