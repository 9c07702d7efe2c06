"""Downstream accuracy without a loss in between: Krajewski et al. 2025 (arXiv:2512.08894), and a link with
known ends.

Accuracy is put between chance, a column of the table, and 1 (or a known ceiling); -log of that share is a
power.
"""

from dataclasses import replace
from typing import Any

from scalefit.core.law import Coef, Input, Law
from scalefit.core.maths import exp, log
from scalefit.core.support import REAL, interval
from scalefit.laws.blocks import logistic
from scalefit.laws.coefs import amplitude, real, slope
from scalefit.laws.inputs import C, D, L, N


def _downstream_power(C, chance, *, A, alpha):
    """Accuracy by compute, directly: -log of its share of the way from chance to 1 is a falling power."""
    return chance + (1 - chance) * exp(-A / C**alpha)


def _downstream_nd(N, D, chance, *, A, B, alpha, beta):
    """Accuracy by parameters and tokens, directly: -log of its share of the way from chance to 1 is a sum of
    falling powers, without a floor."""
    return chance + (1 - chance) * exp(-A / N**alpha - B / D**beta)


def _downstream_pass(C, k, *, A, alpha, beta, delta):
    """Share of problems solved in k samples by compute of training and samples:
    -log of it is a product of powers whose exponents move with each other."""
    return exp(-A / (C**alpha * k**beta) * exp(delta * log(C) * log(k)))


def _ladder_known_ends(L, chance, ceiling, *, k, L_0):
    """Accuracy by task loss: an S-curve between a known chance and a known ceiling."""
    return chance + (ceiling - chance) * logistic(k * (L - L_0))


_chance = Input("accuracy of guessing, 0 where there is none", (0.0, 0.5), "at least 0 and below 1",
                ("chance", "chance_level", "random_accuracy", "acc_random"), scales=False,
                setting=0.0)  # fmt: skip
_known: dict[str, Any] = {"family": "links", "predicts": "accuracy", "source": "arXiv:2512.08894"}
_WIDE = (0.03, 0.3, 1.0, 3.0)

# Coefficients belong to each benchmark and are released as runs, not printed: round sets, worked by hand.
downstream_power = Law(
    "downstream_power", _downstream_power, {"C": C, "chance": _chance},
    coefs=(amplitude("A", "-log of the share at one FLOP", lambda C, alpha: C**alpha, (10.0, 1e4), _WIDE),
           slope("alpha", "exponent of compute", typical=(0.05, 0.4))),
    # 1e20^0.1 = 100, so 0.25 + 0.75 e^-0.5.
    checks=(({"A": 50.0, "alpha": 0.1}, {"C": 1e20, "chance": 0.25}, "0.7048980"),), **_known,
)  # fmt: skip

downstream_nd = Law(
    "downstream_nd", _downstream_nd, {"N": N, "D": D, "chance": _chance},
    coefs=(amplitude("A", "-log of the share at N = 1 and endless data", lambda N, alpha: N**alpha, (10.0,
                                                                                                     1e4),
                                                                                                     _WIDE),
           amplitude("B", "-log of the share at D = 1 and endless size", lambda D, beta: D**beta, (10.0, 1e4),
                     _WIDE),
           slope("alpha", "model-size exponent", typical=(0.1, 0.5)),
           slope("beta", "data-size exponent", typical=(0.1, 0.5))),
    # 1e8^0.25 = 100 and 1e12^0.25 = 1000, so exp(-0.3 - 0.2) with chance at 0.
    checks=(({"A": 30.0, "B": 200.0, "alpha": 0.25, "beta": 0.25}, {"N": 1e8, "D": 1e12, "chance": 0.0},
             "0.6065307"),),
    **_known,
)  # fmt: skip

# The exponents move with the logarithms of the other input, so another unit of C would move beta: C is in
# FLOP.
downstream_pass = Law(
    "downstream_pass", _downstream_pass,
    {"C": replace(C, scales=False),
     "k": Input("samples per problem (count)", (1.0, 100.0), aliases=("samples", "n_samples"), scales=False)},
    coefs=(amplitude("A", "-log of the pass rate at C = k = 1", lambda C, alpha: C**alpha, (100.0, 1e4),
                     _WIDE),
           slope("alpha", "exponent of compute at one sample", typical=(0.1, 0.2)),
           real("beta", "exponent of the samples at one FLOP", (-1.0, -0.3, 0.0, 0.3), (0.1, 0.3)),
           real("delta", "what an e-fold of either takes off the other's exponent", (-0.01, 0.0, 0.01),
                (-0.01, -0.001))),
    # 1e20^0.1 = 100, 10^0.3 = 1.995262 and exp(-0.002 ln 1e20 ln 10) = 0.808899: exp(-0.5 / 1.995262 *
    # 0.808899).
    checks=(({"A": 50.0, "alpha": 0.1, "beta": 0.3, "delta": -0.002}, {"C": 1e20, "k": 10.0}, "0.8165183"),),
    **_known,
)  # fmt: skip

ladder_known_ends = Law(
    "ladder_known_ends", _ladder_known_ends,
    {"L": replace(L, allowed="not negative", scales=False), "chance": _chance,
     "ceiling": Input("highest accuracy there can be", (0.8, 1.0), "between 0 and 1", ("ceiling", "acc_max"),
                      scales=False, setting=1.0)},
    coefs=(Coef("k", interval(-float("inf"), 0.0), (-30.0, -12.0, -6.0, -3.0, -1.0), (-6.0, -1.5),
                "steepness per unit of loss; negative, as accuracy falls with the loss"),
           Coef("L_0", REAL, (0.3, 0.7, 1.2, 2.0, 3.0, 4.5), (1.5, 3.0), "loss at the middle of the rise")),
    family="links", predicts="accuracy", source="arXiv:2412.04403 (its second step, with the ends given)",
    # By hand: 0.25 + 0.6 / (1 + e^-0.8).
    checks=(({"k": -8.0, "L_0": 1.0}, {"L": 0.9, "chance": 0.25, "ceiling": 0.85}, "0.6639847"),),
)  # fmt: skip
