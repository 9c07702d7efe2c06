"""A language's share of the training data:
Fernandes et al. 2023, Scaling Laws for Multilingual Translation (arXiv:2302.09650)."""

from dataclasses import replace
from typing import Any

from scalefit.core.law import Coef, Law
from scalefit.core.support import POSITIVE
from scalefit.laws.coefs import amplitude, floor, slope
from scalefit.laws.inputs import N, share


def share_map(p: Any, c_1: Any, c_2: Any, c_3: Any) -> Any:
    """f(p): the share of its parameters a model has for a language with share p; 0 at p = 0, 1 at p = 1."""
    return p + c_1 * p**c_2 * (1 - p) ** c_3


def _fernandes_multi(N, p, *, L_inf, beta, alpha, c_1, c_2, c_3):
    """Loss on one language pair by parameters and the pair's share of the data,
    which only moves the effective size."""
    return L_inf + beta / (share_map(p, c_1, c_2, c_3) * N) ** alpha


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
