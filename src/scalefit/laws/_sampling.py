"""Rates of success: from size, over several tokens, and over repeated samples; search at test time.

Hu et al. 2023 (arXiv:2310.03262), Schaeffer et al. 2023 (arXiv:2304.15004), Brown et al. 2024
(arXiv:2407.21787), Schaeffer et al. 2025 (arXiv:2502.17578), Jones 2021 (arXiv:2104.03113). Exponents that
the papers print negative (a and b of coverage, the a of the loss in `mirage`, the slope of training compute)
are stored positive here.
"""

from dataclasses import replace

from scalefit.core.law import Coef, Input, Law
from scalefit.core.maths import exp, expm1, log1p
from scalefit.core.support import REAL, UNIT
from scalefit.laws import _power
from scalefit.laws.coefs import amplitude, slope
from scalefit.laws.inputs import C, N


def _passuntil(N, *, c, alpha):
    """Pass rate on a task by parameters: a straight line of log(-log rate) in log N."""
    return exp(-c / N**alpha)


def _mirage(N, length, *, c, a):
    """Share of answers right in every one of several tokens by parameters:
    sharp, although the loss is smooth."""
    # p^length with p = exp(-CE), CE = (c/N)^a.
    return exp(-length * (c / N) ** a)


def _pass_at_k(k, *, p):
    """Chance that at least one of k samples is right, for one problem."""
    # 1 - (1 - p)^k
    return -expm1(k * log1p(-p))


def _jones_board(train, elo, *, A, a, b):
    """Search compute that reaches a playing strength by training compute, in board games."""
    return A * 10.0 ** (b * elo) / train**a


_k = {"k": Input("samples per problem (count)", (1.0, 1e4), aliases=("samples", "n_samples"))}
_WIDE = (0.1, 0.3, 1.0, 3.0, 10.0)

# Worked by plain arithmetic on the printed form:
# no coefficients were extracted for any law here but `jones_board`.
passuntil = Law(
    "passuntil", _passuntil, {"N": N},
    coefs=(
        amplitude("c", "-log of the pass rate at N = 1", lambda N, alpha: N**alpha, (10.0, 1e4), _WIDE),
        slope("alpha", "model-size exponent"),
    ),
    family="links", predicts="accuracy", source="arXiv:2310.03262",
    checks=(({"c": 300.0, "alpha": 0.3}, {"N": 2.4e9}, "0.6310830"),),
)  # fmt: skip

mirage = Law(
    "mirage", _mirage,
    {"N": N, "length": Input("tokens that all have to be right (count)", (1.0, 10.0), scales=False)},
    coefs=(
        amplitude("c", "parameters at which the loss per token is 1 nat", lambda N: N, (1e6, 1e10),
                  (1e-6, 1e-4, 1e-2, 1.0, 100.0)),
        slope("a", "model-size exponent", typical=(0.1, 0.5)),
    ),
    family="links", predicts="accuracy", source="arXiv:2304.15004",
    checks=(({"c": 1e8, "a": 0.25}, {"N": 2e9, "length": 5.0}, "0.0940100"),),
)  # fmt: skip

monkeys = passuntil.instance(
    "monkeys", "Coverage, the share of problems solved at least once, by samples per problem.", _k,
    names={"c": "a", "alpha": "b"},
    coefs=(
        amplitude("a", "-log of the coverage with one sample", lambda k, b: k**b, (0.3, 3.0), _WIDE),
        slope("b", "exponent of the number of samples"),
    ),
    source="arXiv:2407.21787 (there exp(a k^b), a and b negative)",
    checks=(({"a": 0.9, "b": 0.4}, {"k": 100.0}, "0.8670658"),),
)  # fmt: skip

# b is the power of the density of single-sample pass rates near 0: p^(b-1).
# Few samples give it through that density.
monkeys_tail = _power.power.instance(
    "monkeys_tail",
    "Share of problems not yet solved (or -log of the coverage) by samples per "
    "problem: a power law from the hardest.",
    _k, names={"A": "a", "alpha": "b"}, family="links", predicts="error", source="arXiv:2502.17578",
    checks=(({"a": 0.5, "b": 0.4}, {"k": 100.0}, "0.0792447"),),
)  # fmt: skip

pass_at_k = Law(
    "pass_at_k", _pass_at_k, {"k": replace(_k["k"], scales=False)},
    coefs=(Coef("p", UNIT, (1e-5, 1e-4, 1e-3, 1e-2, 0.1, 0.4, 0.8), (1e-3, 0.3),
                "pass rate of a single sample"),),
    family="links", predicts="accuracy", source="arXiv:2407.21787",
    printed=r"1 - \left(1 - p\right)^{k}",
    checks=(({"p": 0.02}, {"k": 50.0}, "0.6358303"),),
)  # fmt: skip

jones_board = Law(
    "jones_board", _jones_board,
    {"train": replace(C, typical=(1e12, 1e17), aliases=("train_flops", "training_flops")),
     "elo": Input("Elo, perfect play at 0", (-2000.0, 0.0), "a number", ("elo",), scales=False)},
    coefs=(
        amplitude("A", "search compute at Elo 0 and one training FLOP", lambda y, train, a: y * train**a,
                  (1e28, 1e30)),
        slope("a", "exponent of training compute", (0.3, 0.7, 1.0, 1.5, 2.5), (0.8, 1.6)),
        Coef("b", REAL, (-0.01, 0.0, 0.002, 0.005, 0.01), (0.002, 0.006),
             "log10 of search compute per Elo point"),
    ),
    family="links", predicts="count", source="arXiv:2104.03113",
    published={"jones2021": {"A": 1e29, "a": 1.2, "b": 0.004}},
    notes={"jones2021": "printed as log10(test) = -1.2 log10(train) + .004 Elo + 29"},
    checks=(("jones2021", {"train": 1e15, "elo": -500.0}, "1.0000e9"),),
)  # fmt: skip
