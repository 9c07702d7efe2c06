"""Two modalities in one model: Aghajanyan et al. 2023 (arXiv:2301.03728)."""

from dataclasses import replace

from scalefit.core.law import Coef, Law
from scalefit.core.support import POSITIVE
from scalefit.laws.coefs import amplitude, slope
from scalefit.laws.inputs import D, L, N


def _aghajanyan_mixed(N, D_i, D_j, L_i, L_j, *, C, A, alpha, B, beta):
    """Loss of a model of two modalities by size, tokens of each and what each reaches alone: their mean, less
    what they gain from each other, plus what they compete for."""
    return (L_i + L_j) / 2 - C + A / N**alpha + B / (D_i + D_j) ** beta


_alone = "loss of a model of this size and data on modality {} alone (nats per token)"
aghajanyan_mixed = Law(
    "aghajanyan_mixed", _aghajanyan_mixed,
    {"N": N,
     "D_i": replace(D, unit="training tokens of the first modality (count)", aliases=(), scales=False),
     "D_j": replace(D, unit="training tokens of the second modality (count)", aliases=(), scales=False),
     "L_i": replace(L, unit=_alone.format(1), aliases=(), scales=False),
     "L_j": replace(L, unit=_alone.format(2), aliases=(), scales=False)},
    coefs=(
        Coef("C", POSITIVE, typical=(0.05, 0.5), meaning="most that the two gain from each other"),
        amplitude("A", "competition for size at N = 1", lambda N, alpha: N**alpha, (10.0, 1e3)),
        slope("alpha", "exponent of the size", typical=(0.2, 0.5)),
        Coef("B", POSITIVE, (0.1, 1.0, 10.0), (10.0, 1e3), "competition for data at one token",
             lambda D_i, D_j, beta: (D_i + D_j) ** beta),
        slope("beta", "exponent of all tokens", typical=(0.2, 0.5)),
    ),
    family="data", source="arXiv:2301.03728 (coefficients belong to each pair of modalities)",
    # By hand: (2 + 3) / 2 - 0.3 + 100 / 1e3 + 200 / 1e3.
    checks=(({"C": 0.3, "A": 100.0, "alpha": 1 / 3, "B": 200.0, "beta": 0.3},
             {"N": 1e9, "D_i": 4e9, "D_j": 6e9, "L_i": 2.0, "L_j": 3.0}, "2.5000000"),),
)  # fmt: skip
