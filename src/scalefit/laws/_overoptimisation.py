"""A true reward as a proxy is optimised: Gao, Schulman and Hilton 2022 (arXiv:2210.10760)."""

from typing import Any

from scalefit.core.law import Coef, Input, Law
from scalefit.core.maths import log
from scalefit.core.support import REAL


def _gao_best_of_n(d, *, alpha, beta):
    """True reward of the best of n samples by distance from the first policy: it rises, then falls."""
    return d * (alpha - beta * d)


def _gao_rl(d, *, alpha, beta):
    """True reward under reinforcement learning by distance from the first policy: it rises, then falls, more
    slowly than for the best of n."""
    return d * (alpha - beta * log(d))


# Both are 0 at the first policy. Another unit of distance would move alpha of the second, so nats are meant.
_d = {"d": Input("distance, the square root of the KL divergence from the first policy in nats", (0.3, 20.0),
                 aliases=("sqrt_kl",), scales=False)}  # fmt: skip
_alpha = Coef("alpha", REAL, typical=(0.2, 1.0), meaning="slope of the reward at small distance")
_known: dict[str, Any] = {
    "family": "broken and bounded",
    "predicts": "change",
    "source": "arXiv:2210.10760, equation 1",
}

# Coefficients move with the size of the reward model, along lines in its logarithm: round sets, worked by
# hand.
gao_best_of_n = Law(
    "gao_best_of_n", _gao_best_of_n, _d,
    (_alpha, Coef("beta", REAL, typical=(0.01, 0.2), meaning="what a nat of distance takes off the slope")),
    **_known,
    # 3 (0.6 - 0.1 * 3).
    checks=(({"alpha": 0.6, "beta": 0.1}, {"d": 3.0}, "0.9000000"),),
)  # fmt: skip

gao_rl = Law(
    "gao_rl", _gao_rl, _d,
    (_alpha, Coef("beta", REAL, typical=(0.05, 0.3),
                  meaning="what an e-fold of distance takes off the slope")), **_known,
    # 10 (0.6 - 0.2 * 2.302585).
    checks=(({"alpha": 0.6, "beta": 0.2}, {"d": 10.0}, "1.3948298"),),
)  # fmt: skip
