"""Farseer (Li et al. 2025): the floor, the data term and its exponent all change with size."""

from dataclasses import replace

from scalefit.core.law import Coef, Law
from scalefit.core.maths import exp
from scalefit.core.support import REAL
from scalefit.laws.coefs import real
from scalefit.laws.inputs import D, N


def _farseer(N, D, *, a_1, b_1, alpha, a_2, b_2, beta, a_3, b_3, gamma):
    """Loss by parameters and tokens: a power of D whose floor,
    factor and exponent are stretched exponentials of N."""
    return exp(a_3 * N**gamma + b_3) + exp(a_2 * N**beta + b_2) / D ** exp(a_1 * N**alpha + b_1)


# Coefficients are not extracted; the ranges describe losses near 2 at usual sizes. A change of D's unit is
# not absorbed, since the exponent of D depends on N: D is in tokens.
farseer = Law(
    "farseer", _farseer, {"N": N, "D": replace(D, scales=False)},
    coefs=(
        Coef("a_1", REAL, (-2.0, -0.5, 0.5), (-0.2, -0.05), "log exponent of D per N^alpha",
             lambda N, alpha: N**-alpha),
        Coef("b_1", REAL, (-2.0, -1.0, 0.5), (0.1, 0.6), "log exponent of D, constant part"),
        real("alpha", "exponent of N in the exponent of D", (-0.2, 0.1, 0.3), (0.05, 0.2)),
        Coef("a_2", REAL, (1.0, 5.0, 15.0), (50.0, 120.0), "log factor of D per N^beta",
             lambda N, beta: N**-beta),
        Coef("b_2", REAL, (-8.0, 0.0, 8.0), (-8.0, -4.0), "log factor of D, constant part"),
        real("beta", "exponent of N in the factor of D", (-0.3, -0.1, 0.1), (-0.15, -0.06)),
        Coef("a_3", REAL, (-1.0, -0.3, 0.3), (-0.05, -0.01), "log floor per N^gamma",
             lambda N, gamma: N**-gamma),
        Coef("b_3", REAL, (-0.5, 0.5, 1.5), (0.5, 1.5), "log floor, constant part"),
        real("gamma", "exponent of N in the floor", (-0.2, 0.1, 0.3), (0.1, 0.2)),
    ),
    family="broken and bounded",
    source="arXiv:2506.10972; coefficients not extracted",
    # By hand: N^0.5 = 1e4 and N^-0.125 = 0.1, so exp(-0.1 + 0.9) + exp(9 - 5) / D^exp(-1.2 + 0.1), D = 1e10.
    checks=(({"a_1": -1.2e-4, "b_1": 0.1, "alpha": 0.5, "a_2": 90.0, "b_2": -5.0, "beta": -0.125,
              "a_3": -1e-5, "b_3": 0.9, "gamma": 0.5}, {"N": 1e8, "D": 1e10}, "2.2511543"),),
)  # fmt: skip
