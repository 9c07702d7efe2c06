"""Parameters and tokens as separate terms (Hoffmann et al. 2022,
Training Compute-Optimal Large Language Models).

The same law under ties and other inputs:
Gadre et al. 2024 (arXiv:2403.08540), Ho et al. 2024 (arXiv:2403.05812).
"""

from math import exp as e_to

from scalefit.core.law import Coef, Input, Law
from scalefit.core.maths import exp
from scalefit.core.support import REAL
from scalefit.laws.coefs import amplitude, floor, slope
from scalefit.laws.inputs import C, D, M, N


def _loss(N, D, *, E, A, B, alpha, beta):
    """Loss by parameters and training tokens:
    a floor, a term for the finite model, a term for the finite data."""
    return E + A / N**alpha + B / D**beta


def _gadre_loss(C, M, *, E, a, b, eta):
    """Loss by compute and tokens per parameter:
    chinchilla with alpha = beta = 2 eta, C = 6 N D and M = D / N."""
    return E + (a * M**eta + b / M**eta) / C**eta


def _ho_progress(N, D, t, *, E, A, B, alpha, beta, g_N, g_D):
    """Loss by parameters, tokens and year: each parameter and each token counts for more, year by year."""
    return E + A / (N * exp(g_N * t)) ** alpha + B / (D * exp(g_D * t)) ** beta


_E, _A, _B, _alpha, _beta = (
    floor(),
    amplitude("A", "finite-model term at N = 1", lambda y, N, alpha: y * N**alpha, (10.0, 1e4)),
    amplitude("B", "finite-data term at D = 1", lambda y, D, beta: y * D**beta),
    slope("alpha", "model-size exponent"),
    slope("beta", "data-size exponent"),
)

chinchilla = Law(
    "chinchilla", _loss, {"N": N, "D": D}, (_E, _A, _B, _alpha, _beta),
    family="power terms",
    source="arXiv:2203.15556, section 3.3 and appendix D.3; refit arXiv:2404.10102. The form of minicpm "
    "(arXiv:2404.06395: alpha 0.29, beta 0.23 on warmup-stable-decay checkpoints, amplitudes not given)",
    published={
        "hoffmann2022": {"E": 1.6934, "A": 406.4, "B": 410.7, "alpha": 0.3392, "beta": 0.2849},
        "hoffmann2022_rounded": {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28},
        "besiroglu2024": {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658},
        "besiroglu2024_all_points": {"E": 1.89, "A": 463.0, "B": 12530.0, "alpha": 0.345, "beta": 0.452},
        "muennighoff2023_base": {"E": e_to(0.6254804), "A": e_to(6.255414), "B": e_to(7.3049974),
                                 "alpha": 0.3526596, "beta": 0.3526596},
        "mcleish2025": {"E": e_to(0.76632), "A": e_to(5.4575), "B": e_to(14.9720), "alpha": 0.29892,
                        "beta": 0.69283},
        "brandfonbrener2024_web": {"E": 2.1472, "A": 1636.6, "B": 4198.6, "alpha": 0.4267, "beta": 0.4212},
    },
    notes={
        "hoffmann2022": "unrounded",
        "hoffmann2022_rounded": "as printed; beta at two digits moves the data term "
                                "by about 13 % at 1e11 tokens",
        "besiroglu2024": "240 of 245 digitised points; "
        "the exact minimum of the stated objective is 1-3 % away in A and B "
        "(A 477.83, B 2143.42, E 1.81722, alpha 0.34731, beta 0.36717)",
        "besiroglu2024_all_points": "rounded; with the five outliers kept B is not identified",
        "muennighoff2023_base": "exponents tied; logarithms of E, A and B as released",
        "mcleish2025": "width/depth suite, training loss, delta 1e-4; logarithms as released",
        "brandfonbrener2024_web": "validation loss on the web corpus; rounded as released",
    },
    checks=(
        ("hoffmann2022", {"N": 70e9, "D": 1.4e12}, 1.9208),
        ("hoffmann2022", {"N": 280e9, "D": 300e9}, 1.9673),
        ("hoffmann2022_rounded", {"N": 70e9, "D": 1.4e12}, 1.9366),
        ("hoffmann2022_rounded", {"N": 280e9, "D": 300e9}, 1.9933),
        ("besiroglu2024", {"N": 70e9, "D": 1.4e12}, 1.9739),
        ("besiroglu2024", {"N": 280e9, "D": 300e9}, 1.9996),
    ),
)  # fmt: skip

gadre_loss = Law(
    "gadre_loss", _gadre_loss, {"C": C, "M": M},
    coefs=(
        _E,
        amplitude("a", "finite-model term at C = M = 1", lambda y, C, M, eta: y * (C / M) ** eta,
                  (50.0, 500.0)),
        amplitude("b", "finite-data term at C = M = 1", lambda y, C, M, eta: y * (C * M) ** eta,
                  (50.0, 500.0)),
        slope("eta", "exponent of compute, half of each exponent in N and D", typical=(0.05, 0.3)),
    ),
    family="power terms",
    source="arXiv:2403.08540",
    published={
        "c4": {"E": 1.508, "a": 141.3, "b": 189.5, "eta": 0.1212},
        "redpajama": {"E": 1.837, "a": 212.2, "b": 366.7, "eta": 0.1364},
        "refinedweb": {"E": 1.734, "a": 157.1, "b": 246.2, "eta": 0.1272},
    },
    # The released code's raw vector is another one: a = A_raw 6^eta, b = B_raw.
    notes=dict.fromkeys(
        ("c4", "redpajama", "refinedweb"),
        "loss on the C4 evaluation set, fitted to five runs by training corpus; four digits, "
        "converted from the code's own form",
    ),
    # A 6.9B model on 20 tokens per parameter.
    checks=(
        ("c4", {"C": 6 * 6.9e9 * 138e9, "M": 20.0}, 2.28078),
        ("redpajama", {"C": 6 * 6.9e9 * 138e9, "M": 20.0}, 2.4436),
        ("refinedweb", {"C": 6 * 6.9e9 * 138e9, "M": 20.0}, 2.41411),
    ),
)  # fmt: skip

ho_progress = Law(
    "ho_progress", _ho_progress,
    {"N": N, "D": D, "t": Input("years since a reference year", (0.0, 12.0), "a number", ("year", "years"),
                                scales=False)},
    coefs=(
        _E, _A, _B, _alpha, _beta,
        Coef("g_N", REAL, (-0.3, 0.0, 0.3, 1.0), (0.1, 1.0), "growth of a parameter's worth, per year"),
        Coef("g_D", REAL, (-0.3, 0.0, 0.3, 1.0), (0.1, 1.0), "growth of a token's worth, per year"),
    ),
    family="effective inputs",
    source="arXiv:2403.05812 (Ho et al. 2024, Algorithmic progress in language models)",
    # By hand: N doubles once and D is worth e times as much, so this is chinchilla's rounded set at (2e9, e *
    # 2e10): 1.69 + 406.4 / 2e9^0.34 + 410.7 / (e 2e10)^0.28.
    checks=(({"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28, "g_N": 0.6931471805599453,
              "g_D": 1.0},
             {"N": 1e9, "D": 2e10, "t": 1.0}, "2.3748095"),),
)  # fmt: skip
