"""Parallel streams through one network (Chen et al. 2025, Parallel Scaling Law for Language Models)."""

from scalefit.core.law import Law
from scalefit.core.maths import log
from scalefit.laws.coefs import amplitude, floor, slope
from scalefit.laws.inputs import P, counted


def _parscale(N, P, *, E, A, alpha, k):
    """Loss of a model of N parameters run as P parallel streams:
    each e-fold of streams is worth k N more parameters."""
    return E + (A / (N * (1 + k * log(P)))) ** alpha


parscale = Law(
    "parscale", _parscale, {"N": counted("non-embedding"), "P": P},
    coefs=(
        floor(),
        # Takes 0.3 of the loss as reducible.
        amplitude("A", "parameters at which one stream's size term is 1 nat",
                  lambda y, N, alpha: N * (0.3 * y) ** (1 / alpha), (1e6, 1e10), (0.1, 0.5, 1.0, 2.0)),
        slope("alpha", "model-size exponent"),
        slope("k", "parameters gained per e-fold of streams, as a share", (0.05, 0.2, 0.5, 1.5), (0.1, 1.0)),
    ),
    family="effective inputs",
    source="arXiv:2505.10475; code of QwenLM/ParScale",
    published={
        "code": {"E": 0.6912, "A": 1.131e7, "alpha": 0.1894, "k": 0.3935},
        "general": {"E": 1.2886, "A": 1.975e8, "alpha": 0.1963, "k": 0.3344},
    },
    notes={
        "code": "Stack-V2 (Python), rounded to 4 digits; N without embeddings; re-run: R2 0.9978",
        "general": "Pile, rounded to 4 digits; N without embeddings; re-run: R2 0.9987",
    },
    checks=(
        ("general", {"N": 1.571e9, "P": 1.0}, "1.95420"),
        ("general", {"N": 1.571e9, "P": 8.0}, "1.88868"),
        ("code", {"N": 1e9, "P": 4.0}, 1.085217747),
    ),
)  # fmt: skip
