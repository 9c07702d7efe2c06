"""Parameters and tokens as separate terms (Hoffmann et al. 2022, Training Compute-Optimal Large Language Models)."""

from typing import Any

from scalefit.core.law import Coef, Law
from scalefit.core.support import POSITIVE


def _loss(N, D, *, E, A, B, alpha, beta):
    return E + A / N**alpha + B / D**beta


_slope: dict[str, Any] = {"support": POSITIVE, "start": (0.02, 0.1, 0.3, 0.7, 2.0), "typical": (0.1, 0.8)}

chinchilla = Law(
    "chinchilla", _loss, ("N", "D"),
    coefs=(
        Coef("E", POSITIVE, typical=(0.5, 3.0), meaning="irreducible loss, nats per token", unit=lambda y: y),
        Coef("A", POSITIVE, typical=(10.0, 1e4), meaning="finite-model term at N = 1",
             unit=lambda y, N, alpha: y * N**alpha),
        Coef("B", POSITIVE, typical=(10.0, 1e5), meaning="finite-data term at D = 1",
             unit=lambda y, D, beta: y * D**beta),
        Coef("alpha", **_slope, meaning="model-size exponent"),
        Coef("beta", **_slope, meaning="data-size exponent"),
    ),
    units={"N": "parameters (count)", "D": "training tokens (count)"},
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
