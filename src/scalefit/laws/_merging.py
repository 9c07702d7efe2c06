"""Merged experts: Wang et al. 2025, Model Merging Scaling Laws (arXiv:2509.24244)."""

from scalefit.core.law import Coef, Input, Law
from scalefit.core.support import POSITIVE
from scalefit.laws.coefs import amplitude, floor, slope
from scalefit.laws.inputs import N


def _wang_merging(N, k, *, E, B, beta, A, gamma, b):
    """Loss of a merged model by its size and the number of fine-tuned experts merged: a floor that falls with
    size, and a tail that falls with the experts."""
    return E + B / N**beta + A / (N**gamma * (k + b))


wang_merging = Law(
    "wang_merging", _wang_merging,
    {"N": N, "k": Input("experts merged (count)", (1.0, 9.0), aliases=("n_merged", "n_experts_merged"),
                        scales=False)},
    coefs=(
        floor(meaning="loss at endless size and experts, nats per token"),
        amplitude("B", "size term at N = 1", lambda y, N, beta: y * N**beta, (10.0, 1e3)),
        slope("beta", "exponent of the size", (0.1, 0.3, 0.7), (0.2, 0.5)),
        amplitude("A", "tail at N = 1 and k + b = 1", lambda y, N, gamma: y * N**gamma, (10.0, 1e3)),
        slope("gamma", "exponent of the size in the tail", (0.05, 0.2, 0.5), (0.1, 0.4)),
        Coef("b", POSITIVE, (0.1, 0.5, 2.0), (0.2, 1.0), "experts that the tail counts besides"),
    ),
    family="power terms", source="arXiv:2509.24244 (coefficients belong to each domain and method)",
    # By hand: 0.4 + 20 / 1e3 + 100 / (1e2 * (3 + 1)).
    checks=(({"E": 0.4, "B": 20.0, "beta": 1 / 3, "A": 100.0, "gamma": 2 / 9, "b": 1.0}, {"N": 1e9, "k": 3.0},
             "0.6700000"),),
)  # fmt: skip
