"""Fine-tuning with pre-learned data (Lin et al. 2024) and activation sparsity
by training data (Luo et al. 2024)."""

from dataclasses import replace

from scalefit.core.law import Coef, Law
from scalefit.core.maths import exp
from scalefit.core.support import POSITIVE, REAL
from scalefit.laws.coefs import amplitude, floor, slope
from scalefit.laws.inputs import D_F, D


def _rectified_ft(D_F, *, E, B, D_l, beta):
    """Fine-tuned loss by examples: flat until D_F^beta reaches D_l, what was learned before;
    a power law after."""
    return E + B / (D_l + D_F**beta)


def _sparsing_law(D, *, A_0, b, c, alpha):
    """Share of active ReLU neurons by training data: falls to A_0."""
    return exp(-c * D**alpha + b) + A_0


def _sparsing_law_silu(D, *, A_0, c, alpha):
    """Share of active SiLU neurons by training data: rises to A_0."""
    return A_0 - c / D**alpha


rectified_ft = Law(
    "rectified_ft", _rectified_ft, {"D_F": D_F},
    coefs=(
        floor(),
        amplitude("B", "size of the reducible loss, in y times D_F^beta", lambda y, D_F, beta: y * D_F**beta,
                  (10.0, 1e4)),
        amplitude("D_l", "pre-learned data, as D_F^beta", lambda D_F, beta: D_F**beta, (10.0, 1e3),
                  (0.01, 0.1, 1.0, 10.0)),
        slope("beta", "exponent of the examples"),
    ),
    family="data",
    source="arXiv:2402.02314",
    published={"lin2024_example": {"E": 1.069, "B": 563.8, "D_l": 166.1, "beta": 0.4553}},
    notes={"lin2024_example": "the released code's example curve, re-run; four digits"},
    checks=(("lin2024_example", {"D_F": 0.0}, "4.4633408"),
            ("lin2024_example", {"D_F": 204800.0}, "2.3860799")),
)  # fmt: skip

_D = replace(D, unit="training tokens (billions)", typical=(1.0, 1000.0), aliases=())
_A_0 = Coef("A_0", POSITIVE, typical=(0.03, 0.4), meaning="share of active neurons at infinite data")

# A share has no unit, so no coefficient is in units of y.
sparsing_law = Law(
    "sparsing_law", _sparsing_law, {"D": replace(_D, allowed="not negative")},
    coefs=(
        _A_0,
        Coef("b", REAL, (-6.0, -3.0, -1.0), (-5.0, -1.0), "log of the share lost while training"),
        Coef("c", POSITIVE, (0.03, 0.3, 1.0, 3.0), (1e-4, 0.1), "rate of the fall, per D^alpha",
             lambda D, alpha: D**-alpha),
        slope("alpha", "exponent of the data", (0.3, 0.7, 1.2, 2.0), (0.3, 1.6)),
    ),
    family="data", predicts="accuracy",
    source="arXiv:2411.02335",
    published={"luo2024_relu_2.4b": {"A_0": 0.0648, "b": -3.46, "c": 1.56e-4, "alpha": 1.53}},
    notes={"luo2024_relu_2.4b": "D in billions of tokens; three digits"},
    checks=tuple(("luo2024_relu_2.4b", {"D": D}, share)
                 for D, share in ((0.0, ".09623"), (100.0, ".09108"), (400.0, ".07186"), (800.0, ".06522"))),
)  # fmt: skip

sparsing_law_silu = Law(
    "sparsing_law_silu", _sparsing_law_silu, {"D": _D},
    coefs=(
        _A_0,
        Coef("c", POSITIVE, typical=(0.02, 0.2), meaning="share still missing at 1e9 tokens",
             unit=lambda D, alpha: D**alpha),
        slope("alpha", "exponent of the data"),
    ),
    family="data", predicts="accuracy",
    source="arXiv:2411.02335; coefficients not extracted",
    # By hand: 0.4 - 0.2 / 100^0.5.
    checks=(({"A_0": 0.4, "c": 0.2, "alpha": 0.5}, {"D": 100.0}, "0.3800000"),),
)  # fmt: skip
