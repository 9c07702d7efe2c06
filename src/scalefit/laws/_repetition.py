"""Tokens seen more than once: Muennighoff et al. 2023, Scaling Data-Constrained
Language Models (arXiv:2305.16264)."""

from dataclasses import replace
from math import exp as e_to
from typing import Any

from scalefit.core.formula import block
from scalefit.core.law import Law
from scalefit.core.maths import exp, log, minimum
from scalefit.laws import _chinchilla
from scalefit.laws.blocks import repeated
from scalefit.laws.coefs import slope
from scalefit.laws.inputs import D, N, U


@block(r"\min\left({0:plain},\, N^{{*}}({1:plain})\right)")
def best_size(N: Any, U: Any, A: Any, B: Any, alpha: Any, beta: Any) -> Any:
    """The size that is compute-optimal for U tokens under E + A / N^alpha + B / D^beta,
    or N if that is smaller."""
    # N*(U) = (alpha A / (beta B) U^beta)^(1 / alpha), where alpha A / N^alpha = beta B / U^beta.
    return exp(minimum(log(N), (log(alpha * A / (beta * B)) + beta * log(U)) / alpha))


def _muennighoff_repeat(N, D, U, *, E, A, B, alpha, beta, R_D_star, R_N_star):
    """Loss by parameters, tokens seen and unique tokens:
    repeats, and parameters beyond what the unique ones need, decay."""
    N_eff = repeated(best_size(N, U, A, B, alpha, beta), N, R_N_star)
    D_eff = repeated(minimum(U, D), D, R_D_star)
    return E + A / N_eff**alpha + B / D_eff**beta


muennighoff_repeat = Law(
    "muennighoff_repeat", _muennighoff_repeat,
    # Both are tokens, so neither has a unit of its own.
    {"N": N, "D": replace(D, unit="training tokens seen, repeats included (count)", scales=False),
     "U": replace(U, scales=False)},
    coefs=(
        *_chinchilla.chinchilla.coefs,
        slope("R_D_star", "repeats after which a repeated token's worth has decayed by e",
              (1.0, 4.0, 15.0, 60.0), (3.0, 30.0)),
        slope("R_N_star", "the same for parameters beyond the best size for U tokens", (1.0, 4.0, 15.0, 60.0),
              (2.0, 20.0)),
    ),
    family="effective inputs",
    source="arXiv:2305.16264, equations 5 to 7 and appendix A",
    published={"muennighoff2023": {"E": e_to(0.6254804), "A": e_to(6.255414), "B": e_to(7.3049974),
                                   "alpha": 0.3526596,
                                   "beta": 0.3526596, "R_D_star": 15.387756, "R_N_star": 5.309743}},
    notes={"muennighoff2023": "in two steps: the base law with exponents tied, "
           "then R* on 182 repeated runs; logarithms of "
           "E, A and B as released"},
    checks=(
        ("muennighoff2023", {"N": 4.2e9, "D": 84e9, "U": 12e9}, 2.33333),
        ("muennighoff2023", {"N": 2.8e9, "D": 55e9, "U": 14e9}, 2.37709),
    ),
)  # fmt: skip
