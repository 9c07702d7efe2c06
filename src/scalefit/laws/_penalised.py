"""A loss law times a penalty for hyperparameters off their optimum (MIST, 2025)."""

from scalefit.core.law import Coef, Input, over
from scalefit.core.maths import exp, log
from scalefit.core.support import POSITIVE
from scalefit.laws._chinchilla import chinchilla
from scalefit.laws.coefs import slope
from scalefit.laws.inputs import D, N


def _mist_penalised(N, D, x, *, E, A, B, alpha, beta, c, mu):
    """chinchilla times exp(c_i log(x_i / mu_i)^2) for each hyperparameter x_i:
    no penalty at its optimum mu_i."""
    loss = E + A / N**alpha + B / D**beta
    for x_i, c_i, mu_i in zip(x, c, mu, strict=True):
        loss = loss * exp(c_i * log(x_i / mu_i) ** 2)
    return loss


mist_penalised = over(
    {"penalty": 1}, "mist_penalised", _mist_penalised,
    {"N": N, "D": D, "x": Input("hyperparameter i: a rate, a batch size", (1e-5, 1e-2), each="penalty",
                                scales=False)},
    coefs=(
        *chinchilla.coefs,
        slope("c", "curvature of log loss in log x_i", (1e-3, 0.01, 0.1), (0.005, 0.05), each="penalty"),
        # Anything from a rate to a batch in tokens:
        # the penalty is smooth enough to be descended from far off.
        Coef("mu", POSITIVE, (1e-5, 1e-3, 0.1, 1e3, 1e6), (1e-4, 1e-3), "optimum of x_i", each="penalty"),
    ),
    family="penalised",
    source="arXiv:2510.18900 (the penalty's exact shape is not given there: "
           "quadratic in logarithms here); no coefficients",
    # By hand: besides the rounded chinchilla set at N = 1e9, D = 2e10, log(e^2)^2 = 4 times 0.01.
    checks=(({"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28, "c_1": 0.01, "mu_1": 1e-3},
             {"N": 1e9, "D": 2e10, "x_1": 7.38905609893065e-3}, "2.6853416"),),
)  # fmt: skip
