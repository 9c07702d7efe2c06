"""Farseer (Li et al. 2025): the floor, the data term and its exponent all change with size."""

from dataclasses import replace

import numpy as np

from scalefit.core.law import Coef, Eased, Law
from scalefit.core.maths import exp, log, where
from scalefit.core.support import REAL
from scalefit.laws.coefs import amplitude, floor, real, slope
from scalefit.laws.inputs import D, N


def _farseer(N, D, *, a_1, b_1, alpha, a_2, b_2, beta, a_3, b_3, gamma):
    """Loss by parameters and tokens: a power of D whose floor,
    factor and exponent are stretched exponentials of N."""
    return exp(a_3 * N**gamma + b_3) + exp(a_2 * N**beta + b_2) / D ** exp(a_1 * N**alpha + b_1)


def _nonzero(p):
    """An exponent, kept from zero, where a N^p + b has no a and b."""
    return where(abs(p) < 1e-5, 1e-5, p)


def _centred(N, D, *, k, s_1, alpha, A, s_2, beta, E, s_3, gamma, N_0, D_0):
    """The same about the middle of the runs: each a N^p + b there is c + s ((N / N_0)^p - 1) / p."""

    def rise(p):
        return (exp(_nonzero(p) * log(N / N_0)) - 1) / _nonzero(p)

    exponent = k * exp(s_1 * rise(alpha))
    factor = A * exp((s_2 + k * s_1 * log(D_0)) * rise(beta))
    return E * exp(s_3 * rise(gamma)) + factor * exp(k * log(D_0) - exponent * log(D))


_CENTRED = Law(
    "farseer about the middle", _centred, ("N", "D"),
    coefs=(
        slope("k", "exponent of D in the middle", (0.15, 0.4, 0.8)),
        real("s_1", "its log slope", (-0.2, 0.0, 0.1)), real("alpha", "its bend", (-0.5, 0.0, 0.5)),
        amplitude("A", "data term in the middle", lambda y: y),
        real("s_2", "its log slope", (-0.3, 0.1, 0.5)), real("beta", "its bend", (-0.5, 0.0, 0.5)),
        floor("E", "floor in the middle"),
        real("s_3", "its log slope", (-0.2, -0.1, 0.0)), real("gamma", "its bend", (-0.5, 0.0, 0.5)),
        slope("N_0", "middle of N"), slope("D_0", "middle of D"),
    ),
)  # fmt: skip


def _eased(N: np.ndarray, D: np.ndarray) -> Eased:
    """Where the exponents are near zero, or the runs far from N = 1, a and b trade over many powers of ten,
    and the best curve may lie beyond infinity, at an exponent of the other sign: a search in a and b seldom
    arrives."""
    N_0, D_0 = (float(np.exp(np.mean(np.log(column)))) for column in (N, D))

    def to(values: np.ndarray) -> np.ndarray:
        a_1, b_1, alpha, a_2, b_2, beta, a_3, b_3, gamma = np.moveaxis(values, -1, 0)
        terms = [(a * N_0**p, b, p) for a, b, p in ((a_1, b_1, alpha), (a_2, b_2, beta), (a_3, b_3, gamma))]
        (c_1, s_1), (c_2, s_2), (c_3, s_3) = ((a + b, a * p) for a, b, p in terms)
        k, d = np.exp(c_1), np.log(D_0)
        A, s_2 = np.exp(c_2 - k * d), s_2 - k * s_1 * d
        return np.stack([k, s_1, alpha, A, s_2, beta, np.exp(c_3), s_3, gamma], axis=-1)

    def back(values: np.ndarray) -> np.ndarray:
        k, s_1, alpha, A, s_2, beta, E, s_3, gamma = np.moveaxis(values, -1, 0)
        d = np.log(D_0)
        terms = (
            (np.log(k), s_1, alpha),
            (np.log(A) + k * d, s_2 + k * s_1 * d, beta),
            (np.log(E), s_3, gamma),
        )
        return np.stack(
            [
                part
                for c, s, p in ((c, s, _nonzero(p)) for c, s, p in terms)
                for part in (s / p * N_0**-p, c - s / p, p)
            ],
            axis=-1,
        )

    return Eased(_CENTRED.fix(N_0=N_0, D_0=D_0), to, back)


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
    family="broken and bounded", eased=_eased,
    source="arXiv:2506.10972; coefficients not extracted",
    # By hand: N^0.5 = 1e4 and N^-0.125 = 0.1, so exp(-0.1 + 0.9) + exp(9 - 5) / D^exp(-1.2 + 0.1), D = 1e10.
    checks=(({"a_1": -1.2e-4, "b_1": 0.1, "alpha": 0.5, "a_2": 90.0, "b_2": -5.0, "beta": -0.125,
              "a_3": -1e-5, "b_3": 0.9, "gamma": 0.5}, {"N": 1e8, "D": 1e10}, "2.2511543"),),
)  # fmt: skip
