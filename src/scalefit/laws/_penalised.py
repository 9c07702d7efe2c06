"""A loss law times a penalty for hyperparameters off their optimum: MIST (2025), and with the optimum of Li
et al. 2025 (arXiv:2503.04715), which moves with size and data.
"""

from scalefit.core.declare import over
from scalefit.core.law import Coef, Input, Law
from scalefit.core.maths import exp, log
from scalefit.core.support import POSITIVE
from scalefit.laws._chinchilla import chinchilla
from scalefit.laws.coefs import amplitude, real, slope
from scalefit.laws.inputs import D, N, counted


def _mist_penalised(N, D, x, *, E, A, B, alpha, beta, c, mu):
    """chinchilla times exp(c_i log(x_i / mu_i)^2) for each hyperparameter x_i:
    no penalty at its optimum mu_i."""
    loss = E + A / N**alpha + B / D**beta
    for x_i, c_i, mu_i in zip(x, c, mu, strict=True):
        loss = loss * exp(c_i * log(x_i / mu_i) ** 2)
    return loss


def _rate_and_batch(N, D, eta, batch, *, E, A, B, alpha, beta, c_eta, c_batch, tilt, k_eta, a_eta, b_eta,
                    k_batch, a_batch, b_batch):  # fmt: skip
    """Loss by parameters, tokens, learning rate and batch size: chinchilla times a penalty for being off the
    best rate and batch, which are powers of size and data."""
    z = log(batch / (k_batch * N**a_batch * D**b_batch))
    x = log(eta / (k_eta * N**a_eta * D**b_eta)) - tilt * z
    return (E + A / N**alpha + B / D**beta) * exp(c_eta * x**2 + c_batch * z**2)


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

_usual = (-0.7, -0.3, 0.0, 0.3, 0.7)
rate_and_batch = Law(
    "rate_and_batch", _rate_and_batch,
    {"N": counted("non-embedding"), "D": D,
     "eta": Input("peak learning rate", (1e-4, 1e-2), aliases=("lr", "learning_rate", "peak_lr")),
     "batch": Input("batch size (tokens)", (3e4, 4e6), aliases=("batch_size", "batch_size_tokens"))},
    coefs=(
        *chinchilla.coefs,
        slope("c_eta", "curvature of log loss in log rate", (1e-3, 0.01, 0.1), (0.005, 0.02)),
        slope("c_batch", "curvature of log loss in log batch", (1e-3, 0.01, 0.1), (0.005, 0.02)),
        real("tilt", "what an e-fold of batch adds to the best log rate", (-0.5, 0.0, 0.5), (0.1, 0.5)),
        amplitude("k_eta", "best rate at N = D = 1", lambda eta, N, D, a_eta,
                  b_eta: eta * N**-a_eta * D**-b_eta,
                  (0.5, 5.0), (0.1, 0.5, 1.0, 3.0)),
        real("a_eta", "exponent of N in the best rate", _usual, (-0.8, -0.3)),
        real("b_eta", "exponent of D in the best rate", _usual, (0.1, 0.4)),
        amplitude("k_batch", "best batch at N = D = 1",
                  lambda batch, N, D, a_batch, b_batch: batch * N**-a_batch * D**-b_batch,
                  (0.1, 2.0), (0.1, 0.5, 1.0, 3.0)),
        real("a_batch", "exponent of N in the best batch", _usual, (-0.1, 0.1)),
        real("b_batch", "exponent of D in the best batch", _usual, (0.4, 0.7)),
    ),
    family="penalised",
    source="arXiv:2503.04715 (the powers of its optimum; its loss surface is quadratic in logarithms here)",
    # By hand, with a_batch = 0 and b_batch = 0.5: the best batch is 10 * 1e5 and the rate 1e-3, z = 1 and x =
    # 2 - 0.5: (1.5 + 0.4 + 0.2) exp(0.01 * 2.25 + 0.02).
    checks=(({"E": 1.5, "A": 400.0, "B": 2000.0, "alpha": 1 / 3, "beta": 0.4, "c_eta": 0.01, "c_batch": 0.02,
              "tilt": 0.5,
              "k_eta": 1.0, "a_eta": -1 / 3, "b_eta": 0.0, "k_batch": 10.0, "a_batch": 0.0, "b_batch": 0.5},
             {"N": 1e9, "D": 1e10, "eta": 7.38905609893065e-3, "batch": 2.718281828459045e6}, "2.1911737"),),
)  # fmt: skip
