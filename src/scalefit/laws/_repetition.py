"""Tokens seen more than once: Muennighoff et al. 2023, Scaling Data-Constrained
Language Models (arXiv:2305.16264); repetition that hurts: Lovelace et al. 2026 (arXiv:2605.01640), Bryant and
Liu 2026 (arXiv:2605.09189)."""

from dataclasses import replace
from math import exp as e_to
from typing import Any

from scalefit.core.formula import block
from scalefit.core.law import Coef, Input, Law
from scalefit.core.maths import exp, log, maximum, minimum
from scalefit.core.support import POSITIVE
from scalefit.laws import _chinchilla
from scalefit.laws.blocks import repeated
from scalefit.laws.coefs import amplitude, slope
from scalefit.laws.inputs import D, N, U


@block(r"\max\left(\frac{{{0}}}{{{1}}} - 1,\, 0\right)")
def repeats(D: Any, U: Any) -> Any:
    """How often the unique tokens are seen again: D / U - 1, none where D is less than U."""
    # A trace is left, so that powers of none have a derivative.
    return maximum(D / U - 1, 1e-30)


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


def _lovelace_repeat(N, D, U, *, E, A, B, alpha, beta, P, delta, kappa):
    """Loss by parameters, tokens seen and unique tokens: chinchilla and a penalty that rises with the
    repeats and with parameters per unique token."""
    return E + A / N**alpha + B / D**beta + P * repeats(D, U) ** delta * (N / U) ** kappa


def _bryant_repeat(N, D, U, L_0, *, E, a, alpha, b, beta, c, gamma, delta):
    """Loss by parameters, tokens seen and unique tokens, between a floor and the loss of guessing: shortages
    of size and training, and overfitting, add up before they saturate."""
    h = a / N**alpha + b / D**beta + c * N**gamma / U**delta
    return E + (L_0 - E) * h / (1 + h)


# Both are tokens, so neither has a unit of its own.
_seen = {"N": N, "D": replace(D, unit="training tokens seen, repeats included (count)", scales=False),
         "U": replace(U, scales=False)}  # fmt: skip

muennighoff_repeat = Law(
    "muennighoff_repeat", _muennighoff_repeat,
    _seen,
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

lovelace_repeat = Law(
    "lovelace_repeat", _lovelace_repeat, _seen,
    coefs=(
        *_chinchilla.chinchilla.coefs,
        amplitude("P", "penalty of one repeat at one parameter per unique token",
                  lambda y, N, U, kappa: y * (U / N) ** kappa, (1e-3, 0.1)),
        slope("delta", "exponent of the repeats", (0.3, 1.0, 2.0), (0.5, 1.5)),
        slope("kappa", "exponent of parameters per unique token", (0.2, 0.6, 1.2), (0.3, 1.0)),
    ),
    family="data",
    source="arXiv:2605.01640 (as quoted by Weng 2026, Scaling Laws, Carefully; coefficients not extracted)",
    # By hand: 1.5 + 400 / 1e3 + 2000 / 1e4 + 0.01 * 9, and 400 / 2e9^(1/3) without repeats.
    checks=(({"E": 1.5, "A": 400.0, "B": 2000.0, "alpha": 1 / 3, "beta": 0.4, "P": 0.01, "delta": 1.0,
              "kappa": 1.0}, {"N": 1e9, "D": 1e10, "U": 1e9}, "2.1900000"),
            ({"E": 1.5, "A": 400.0, "B": 2000.0, "alpha": 1 / 3, "beta": 0.4, "P": 0.01, "delta": 1.0,
              "kappa": 1.0}, {"N": 2e9, "D": 1e10, "U": 1e10}, "2.0174802")),
)  # fmt: skip

bryant_repeat = Law(
    "bryant_repeat", _bryant_repeat,
    {**_seen, "L_0": Input("loss of guessing, log of the vocabulary's size (nats per token)", (9.0, 12.0),
                           scales=False)},
    coefs=(
        Coef("E", POSITIVE, typical=(0.5, 3.0), meaning="irreducible loss, nats per token"),
        amplitude("a", "shortage of size at N = 1, over what is lost in all", lambda N, alpha: N**alpha),
        slope("alpha", "model-size exponent"),
        amplitude("b", "shortage of training at D = 1, likewise", lambda D, beta: D**beta),
        slope("beta", "exponent of tokens seen"),
        amplitude("c", "overfitting at N = U = 1, likewise", lambda N, U, gamma, delta: U**delta / N**gamma,
                  (1e-3, 10.0), (1e-3, 0.02, 0.2)),
        slope("gamma", "exponent of the size in overfitting", (0.1, 0.4, 1.0), (0.2, 0.8)),
        slope("delta", "exponent of unique tokens in overfitting", (0.2, 0.6, 1.2), (0.3, 1.0)),
    ),
    family="broken and bounded",
    source="arXiv:2605.09189, abstract (coefficients not extracted)",
    # By hand: h = 100 / 1e3 + 2000 / 1e4 + 0.2 = 0.5, a third of the way from 1 to 10.
    checks=(({"E": 1.0, "a": 100.0, "alpha": 1 / 3, "b": 2000.0, "beta": 0.4, "c": 2.0, "gamma": 1 / 3,
              "delta": 0.5}, {"N": 1e9, "D": 1e10, "U": 1e8, "L_0": 10.0}, "4.0000000"),),
)  # fmt: skip
