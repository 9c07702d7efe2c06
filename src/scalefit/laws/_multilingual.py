"""Several languages in one model: Fernandes et al. 2023, Scaling Laws for Multilingual Translation
(arXiv:2302.09650), Longpre et al. 2025, ATLAS (arXiv:2510.22037)."""

from dataclasses import replace
from typing import Any

from scalefit.core.law import Coef, Input, Law
from scalefit.core.support import POSITIVE
from scalefit.laws._chinchilla import chinchilla
from scalefit.laws.coefs import amplitude, floor, real, slope
from scalefit.laws.inputs import D, N, share


def share_map(p: Any, c_1: Any, c_2: Any, c_3: Any) -> Any:
    """f(p): the share of its parameters a model has for a language with share p; 0 at p = 0, 1 at p = 1."""
    return p + c_1 * p**c_2 * (1 - p) ** c_3


def _fernandes_multi(N, p, *, L_inf, beta, alpha, c_1, c_2, c_3):
    """Loss on one language pair by parameters and the pair's share of the data,
    which only moves the effective size."""
    return L_inf + beta / (share_map(p, c_1, c_2, c_3) * N) ** alpha


def _longpre_transfer(N, D, D_transfer, D_other, *, E, A, B, alpha, beta, gamma_transfer, gamma_other):
    """Loss on one language by parameters and tokens seen once: those of languages that help it, and those of
    all others, count for a share of its own."""
    return E + A / N**alpha + B / (D + gamma_transfer * D_transfer + gamma_other * D_other) ** beta


def _longpre_languages(N, D, K, *, E, A, B, alpha, beta, phi, psi):
    """Loss on one language by parameters, its own tokens and the number of languages trained on: they take
    room in the model and help with the data."""
    return E + A * K**phi / N**alpha + B * K**psi / D**beta


fernandes_multi = Law(
    "fernandes_multi", _fernandes_multi,
    {"N": N, "p": replace(share, unit="share of the language pair in the training data",
                          aliases=("share", "weight", "sampling_weight"))},
    coefs=(
        floor("L_inf"),
        amplitude("beta", "reducible loss at one parameter", lambda y, N, alpha: y * N**alpha, (10.0, 1e3)),
        slope("alpha", "model-size exponent, one for all shares"),
        Coef("c_1", POSITIVE, (0.03, 0.3, 1.0, 3.0), (0.2, 2.0),
             "size of what is shared with other languages"),
        Coef("c_2", POSITIVE, (0.1, 0.5, 1.5), (0.2, 1.0), "exponent of the share"),
        Coef("c_3", POSITIVE, (0.2, 1.0, 3.0), (0.5, 2.0), "exponent of the others' share"),
    ),
    family="data",
    source="arXiv:2302.09650, equations 2 to 4 (from memory; coefficients not extracted)",
    # By hand: f(0.25) = 0.25 + 0.4 * 0.5 * 0.75 = 0.4, so 1.2 + 50 / (0.4 * 2.5e8)^0.25 = 1.2 + 50 / 100.
    checks=(({"L_inf": 1.2, "beta": 50.0, "alpha": 0.25, "c_1": 0.4, "c_2": 0.5, "c_3": 1.0},
             {"N": 2.5e8, "p": 0.25}, "1.70000000"),),
)  # fmt: skip

_tokens = replace(D, aliases=(), allowed="not negative", scales=False)
longpre_transfer = Law(
    "longpre_transfer", _longpre_transfer,
    {"N": N, "D": replace(D, unit="training tokens of the language itself (count)", scales=False),
     "D_transfer": replace(_tokens, unit="training tokens of languages that help it (count)"),
     "D_other": replace(_tokens, unit="training tokens of all other languages (count)")},
    coefs=(*chinchilla.coefs,
           slope("gamma_transfer", "what a token of a helpful language is worth", (0.03, 0.2, 0.7)),
           slope("gamma_other", "what a token of another one is worth", (0.003, 0.03, 0.2), (0.01, 0.1))),
    family="data",
    source="arXiv:2510.22037 (its law for data seen once, read in a summary; coefficients "
           "belong to each language)",
    # By hand: 1.5 + 400 / 1e3 + 200 / (5e9 + 0.4 * 1e10 + 0.05 * 2e10)^0.3.
    checks=(({"E": 1.5, "A": 400.0, "B": 200.0, "alpha": 1 / 3, "beta": 0.3, "gamma_transfer": 0.4,
              "gamma_other": 0.05}, {"N": 1e9, "D": 5e9, "D_transfer": 1e10, "D_other": 2e10}, "2.1000000"),),
)  # fmt: skip

longpre_languages = Law(
    "longpre_languages", _longpre_languages,
    {"N": N, "D": replace(D, unit="training tokens of the language itself (count)"),
     "K": Input("languages trained on (count)", (1.0, 50.0), aliases=("n_languages", "languages"),
                scales=False)},
    coefs=(*chinchilla.coefs,
           real("phi", "exponent of the languages in the size term, 0.11 there", (-0.2, 0.0, 0.2),
                (0.05, 0.2)),
           real("psi", "exponent of the languages in the data term, -0.04 there", (-0.2, 0.0, 0.2),
                (-0.1, -0.02))),
    family="data",
    source="arXiv:2510.22037 (read in a summary; phi 0.11 and psi -0.04, the others not "
           "extracted)",
    # By hand: 1.5 + 400 * 2 / 1e3 + 200 / 2 / 1e3.
    checks=(({"E": 1.5, "A": 400.0, "B": 200.0, "alpha": 1 / 3, "beta": 0.3, "phi": 0.5, "psi": -0.5},
             {"N": 1e9, "D": 1e10, "K": 4.0}, "2.4000000"),),
)  # fmt: skip
