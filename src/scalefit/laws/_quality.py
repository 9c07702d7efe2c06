"""What data are worth beside their number: their quality, how many are distinct, and what was learnt before.

Subramanyam et al. 2025 (arXiv:2510.03313), Zhang et al. 2024 (arXiv:2402.17193), Bethune et al. 2025
(arXiv:2502.06042).
"""

from dataclasses import replace

from scalefit.core.law import Coef, Input, Law
from scalefit.core.support import POSITIVE
from scalefit.laws._chinchilla import chinchilla
from scalefit.laws.coefs import amplitude, floor, slope
from scalefit.laws.inputs import D_F, D, L, N, U, share


def _data_quality(N, D, Q, *, E, A, B, alpha, beta, gamma):
    """Loss by parameters, tokens and the quality of the data: a token of less quality counts for less."""
    return E + A / N**alpha + B / (D**beta * Q**gamma)


def _unique_data(N, D, U, *, E, A, B, C, alpha, beta, gamma):
    """Loss by parameters, tokens seen and distinct tokens: a term of its own for each."""
    return E + A / N**alpha + B / D**beta + C / U**gamma


def _zhang_finetuning(X, D_F, *, E, A, alpha, beta):
    """Loss after fine-tuning by fine-tuning data and one other factor (size, pretraining data or adapters):
    a product of powers on top of a floor."""
    return E + A / (X**alpha * D_F**beta)


def _bethune_forgetting(N, D_F, p, L_0, *, A, beta, B, alpha, E):
    """Loss on the pretraining data after fine-tuning by size, fine-tuning data and the share of pretraining
    data mixed in, which counts as more parameters."""
    return L_0 + A * D_F**beta / ((1 + B * p) * N) ** alpha + E


data_quality = Law(
    "data_quality", _data_quality,
    {"N": N, "D": D, "Q": Input("quality of the data, 1 for clean (share)", (0.3, 1.0), aliases=("quality",),
                                scales=False)},
    coefs=(*chinchilla.coefs, slope("gamma", "exponent of the quality", typical=(0.1, 0.6))),
    family="data", source="arXiv:2510.03313 (coefficients not extracted)",
    # By hand: 0.25^0.5 = 0.5, so 1.5 + 400 / 1e3 + 2000 / (1e4 * 0.5).
    checks=(({"E": 1.5, "A": 400.0, "B": 2000.0, "alpha": 1 / 3, "beta": 0.4, "gamma": 0.5},
             {"N": 1e9, "D": 1e10, "Q": 0.25}, "2.3000000"),),
)  # fmt: skip

# Where runs do not repeat D and U are one column: their two terms are told apart by repeated data only.
unique_data = Law(
    "unique_data", _unique_data,
    {"N": N, "D": replace(D, unit="training tokens seen, repeats included (count)"), "U": U},
    coefs=(*chinchilla.coefs[:3],
           amplitude("C", "term of distinct data at U = 1", lambda y, U, gamma: y * U**gamma),
           *chinchilla.coefs[3:], slope("gamma", "exponent of distinct tokens")),
    family="data",
    source="arXiv:2305.16264 (whose tables it is for; three separate terms in place of its decay of repeats)",
    # By hand: 1.5 + 400 / 1e3 + 2000 / 1e4 + 500 / 1e4.
    checks=(({"E": 1.5, "A": 400.0, "B": 2000.0, "C": 500.0, "alpha": 1 / 3, "beta": 0.4, "gamma": 0.5},
             {"N": 1e9, "D": 1e10, "U": 1e8}, "2.1500000"),),
)  # fmt: skip

zhang_finetuning = Law(
    "zhang_finetuning", _zhang_finetuning,
    {"X": Input("what else is scaled: parameters, pretraining tokens or adapter parameters (count)", (1e9,
                                                                                                      1.6e10),
                aliases=N.aliases),
     "D_F": replace(D_F, allowed="positive")},
    coefs=(floor(),
           amplitude("A", "reducible loss at X = D_F = 1", lambda y, X, D_F, alpha,
                     beta: y * X**alpha * D_F**beta,
                     (10.0, 1e4)),
           slope("alpha", "exponent of X"), slope("beta", "exponent of the fine-tuning data")),
    family="data", source="arXiv:2402.17193, equation 1 (coefficients belong to each task and method)",
    # By hand: 1e8^0.25 = 100 and 1e4^0.25 = 10, so 1.2 + 400 / 1000.
    checks=(({"E": 1.2, "A": 400.0, "alpha": 0.25, "beta": 0.25}, {"X": 1e8, "D_F": 1e4}, "1.6000000"),),
)  # fmt: skip

bethune_forgetting = Law(
    "bethune_forgetting", _bethune_forgetting,
    {"N": N, "D_F": replace(D_F, unit="fine-tuning tokens (count)", typical=(3e5, 3e7), allowed="positive"),
     "p": replace(share, unit="share of pretraining data in fine-tuning", typical=(0.0, 0.1)),
     "L_0": replace(L, unit="loss on pretraining data before (nats per token)", aliases=(), scales=False)},
    coefs=(amplitude("A", "loss forgotten at N = D_F = 1 without injection",
                     lambda N, D_F, alpha, beta: N**alpha / D_F**beta, (10.0, 1e3)),
           slope("beta", "exponent of the fine-tuning data"),
           Coef("B", POSITIVE, (30.0, 300.0, 3e3), (100.0, 3e3), "how much a share of injected data counts"),
           slope("alpha", "exponent of the size"),
           Coef("E", POSITIVE, typical=(0.005, 0.05), meaning="what is lost in any case, nats per token")),
    family="data", source="arXiv:2502.06042 (coefficients belong to each domain)",
    # By hand: 2.5 + 2 * 100 / ((1 + 700 * 0.01) * 1e9)^(1 / 3) + 0.01.
    checks=(({"A": 2.0, "beta": 0.25, "B": 700.0, "alpha": 1 / 3, "E": 0.01},
             {"N": 1e9, "D_F": 1e8, "p": 0.01, "L_0": 2.5}, "2.6100000"),),
)  # fmt: skip
