"""Exponents that theories tie, as laws with ties.

Michaud et al. 2023 (arXiv:2303.13506, quanta), Bahri et al. 2021 (arXiv:2102.06701, variance-limited regime),
Konz and Mazurowski 2024 (arXiv:2401.08865, dimension of the data), Liu et al. 2025 (arXiv:2505.10465,
superposition).
"""

from scalefit.core.law import Coef, Input, Law
from scalefit.core.support import POSITIVE
from scalefit.laws import _power
from scalefit.laws.coefs import amplitude, floor, slope
from scalefit.laws.inputs import D, N


def _michaud_tied(N, D, *, E, A, B, alpha):
    """chinchilla whose data exponent follows from the size exponent: skills are learnt in the order of their
    use."""
    return E + A / N**alpha + B / D ** (alpha / (1 + alpha))


def _bahri_variance(w, D, *, E, A, B):
    """Loss by width and data where both are far from limiting what can be learnt: each as its inverse."""
    return E + A / w + B / D


def _konz_dimension(n, d, *, A, s):
    """Loss by training set size and intrinsic dimension of the data: its logarithm falls with log n over
    d."""
    return A / n ** (s / d)


michaud_tied = Law(
    "michaud_tied", _michaud_tied, {"N": N, "D": D},
    coefs=(floor(),
           amplitude("A", "finite-model term at N = 1", lambda y, N, alpha: y * N**alpha, (10.0, 1e4)),
           amplitude("B", "finite-data term at D = 1", lambda y, D, alpha: y * D ** (alpha / (1 + alpha)),
                     (10.0, 1e4)),
           slope("alpha", "model-size exponent; that of the data is alpha / (1 + alpha)")),
    family="power terms", source="arXiv:2303.13506 (theory; coefficients belong to each data set)",
    # By hand, with alpha = 1 / 3 and so 1 / 4: 1.5 + 400 / 1e3 + 200 / 1e3.
    checks=(({"E": 1.5, "A": 400.0, "B": 200.0, "alpha": 1 / 3}, {"N": 1e9, "D": 1e12}, "2.1000000"),),
)  # fmt: skip

bahri_variance = Law(
    "bahri_variance", _bahri_variance,
    {"w": Input("width of the network (count)", (64.0, 8192.0), aliases=("width", "d_model", "hidden_size")),
     "D": D},
    coefs=(floor(), amplitude("A", "width term at w = 1", lambda y, w: y * w, (1.0, 100.0)),
           amplitude("B", "data term at D = 1", lambda y, D: y * D, (1e6, 1e9))),
    family="power terms", source="arXiv:2102.06701 (variance-limited regime, exponent 1 in both)",
    # By hand: 1.5 + 100 / 1000 + 3e9 / 1e10.
    checks=(({"E": 1.5, "A": 100.0, "B": 3e9}, {"w": 1000.0, "D": 1e10}, "1.9000000"),),
)  # fmt: skip

konz_dimension = Law(
    "konz_dimension", _konz_dimension,
    {"n": Input("training examples (count)", (100.0, 1e5), aliases=("n_samples", "examples"), scales=False),
     "d": Input("intrinsic dimension of the data", (5.0, 60.0), aliases=("intrinsic_dim", "dimension"),
                scales=False)},
    coefs=(amplitude("A", "loss at one example", lambda y: y, (0.5, 5.0)),
           Coef("s", POSITIVE, (0.3, 1.0, 3.0), (0.5, 2.0),
                "how often the bound's exponent 1 / d is reached")),
    family="power terms", source="arXiv:2401.08865 (there a bound with s = 1)",
    # By hand: 2 / 1e4^(1 / 4).
    checks=(({"A": 2.0, "s": 2.0}, {"n": 1e4, "d": 8.0}, "0.2000000"),),
)  # fmt: skip

superposition_width = _power.power_floor.instance(
    "superposition_width", "Loss by width; where features share directions the exponent is near 1.",
    {"m": Input("width of the network (count)", (128.0, 16384.0), aliases=("width", "d_model",
                                                                           "hidden_size"))},
    source="arXiv:2505.10465 (0.91 +- 0.04 over families of language models, theory 1; amplitudes not "
           "extracted)",
    coefs=(floor(), amplitude("A", "reducible part at m = 1", lambda y, m, alpha: y * m**alpha, (10.0, 1e3)),
           slope("alpha", "exponent", typical=(0.5, 1.2))),
    # By hand: 1.8 + 100 / 1000.
    checks=(({"E": 1.8, "A": 100.0, "alpha": 1.0}, {"m": 1000.0}, "1.9000000"),),
)  # fmt: skip
