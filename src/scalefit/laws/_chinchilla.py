"""Parameters and tokens as separate terms (Hoffmann et al. 2022, Training Compute-Optimal Large Language Models)."""

from scalefit.core.law import Law
from scalefit.laws.coefs import amplitude, floor, slope
from scalefit.laws.inputs import D, N


def _loss(N, D, *, E, A, B, alpha, beta):
    return E + A / N**alpha + B / D**beta


chinchilla = Law(
    "chinchilla", _loss, {"N": N, "D": D},
    coefs=(
        floor(),
        amplitude("A", "finite-model term at N = 1", lambda y, N, alpha: y * N**alpha, (10.0, 1e4)),
        amplitude("B", "finite-data term at D = 1", lambda y, D, beta: y * D**beta),
        slope("alpha", "model-size exponent"),
        slope("beta", "data-size exponent"),
    ),
    family="power terms",
    source="arXiv:2203.15556, section 3.3 and appendix D.3; refit arXiv:2404.10102",
    published={
        "hoffmann2022": {"E": 1.6934, "A": 406.4, "B": 410.7, "alpha": 0.3392, "beta": 0.2849},
        "hoffmann2022_rounded": {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28},
        "besiroglu2024": {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658},
    },
    checks=(
        ("hoffmann2022", {"N": 70e9, "D": 1.4e12}, 1.9208),
        ("hoffmann2022_rounded", {"N": 70e9, "D": 1.4e12}, 1.9366),
        ("hoffmann2022_rounded", {"N": 280e9, "D": 300e9}, 1.9933),
        ("besiroglu2024", {"N": 70e9, "D": 1.4e12}, 1.9739),
        ("besiroglu2024", {"N": 280e9, "D": 300e9}, 1.9996),
    ),
)  # fmt: skip
