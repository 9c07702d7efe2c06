"""Size of the vocabulary: Tao et al. 2024, Scaling Laws with Vocabulary (arXiv:2407.13623)."""

from collections.abc import Mapping
from math import exp, log

from scalefit.arguments import by_name, one_positive
from scalefit.core.law import Coef, Input, Law
from scalefit.core.support import POSITIVE
from scalefit.laws.coefs import amplitude, slope

__all__ = ["best_vocabulary"]


def best_vocabulary(coefs: Mapping[str, float], N_nv: float, width: float, C: float) -> float:
    """Entries of the vocabulary with which `tao_vocab` has the lowest loss for a budget.

    The budget pays for D = C / (6 (N_nv + V width)) tokens: more entries cost tokens.

    Args:
        coefs: of `tao_vocab`, fitted or published, for parameters in millions and tokens in billions.
        N_nv: parameters outside the vocabulary, a count.
        width: of the embeddings.
        C: the budget in FLOPs.

    Returns:
        V, the number of entries.

    Raises:
        ValueError: for coefficients that are missing or inputs that are not positive.

    Example:
        >>> round(sf.laws.best_vocabulary(sf.laws.tao_vocab.published["tao2024"], 2.87e9, 3200, 2.3e21), -3)
        42000.0
    """
    N_nv, width, C = one_positive("N_nv", N_nv), one_positive("width", width), one_positive("C", C)
    for name in ("A_2", "B", "a_2", "beta"):
        if name not in by_name("coefs", coefs):
            raise ValueError(f"coefs must be those of tao_vocab; {name} is missing")
    A_2, B, a_2, beta = (one_positive(f"coefs: {name}", coefs[name]) for name in ("A_2", "B", "a_2", "beta"))
    n, budget = N_nv / 1e6, C / 6 / 1e15
    # d loss / d log N_v rises from below 0 as the vocabulary grows: the bracket is halved to the last digit.
    lo, hi = log(1e-9 * n), log(1e9 * n)
    for _ in range(100):
        middle = (lo + hi) / 2
        N_v = exp(middle)
        gained = a_2 * A_2 * N_v**-a_2
        lost = beta * B * N_v * (n + N_v) ** (beta - 1) / budget**beta
        lo, hi = (middle, hi) if lost < gained else (lo, middle)
    return 1e6 * exp(lo) / width


def _tao_vocab(N_nv, N_v, D, *, E, A_1, A_2, B, a_1, a_2, beta):
    """Loss below that of a unigram model, by parameters outside and inside the
    vocabulary and tokens; negative."""
    return -E + A_1 / N_nv**a_1 + A_2 / N_v**a_2 + B / D**beta


# N_v is vocabulary entries times width. D is not quite tokens: the published coefficients, and the released
# code, take characters times `blocks.tokens_per_character(V / 1000)`, V having been put in thousands before.
tao_vocab = Law(
    "tao_vocab", _tao_vocab,
    {
        "N_nv": Input("parameters outside the vocabulary (millions, as published, or any unit)",
                      (30.0, 3000.0),
                      aliases=("n_params_non_vocab", "n_params_no_vocab")),
        "N_v": Input("parameters of the vocabulary, entries times width (millions, "
                     "as published, or any unit)", (2.0, 200.0),
                     aliases=("n_params_vocab",)),
        "D": Input("characters times tokens_per_character(V / 1000) (billions, as published, or any unit)",
                   (0.1, 30.0), aliases=("n_tokens", "tokens")),
    },
    coefs=(
        Coef("E", POSITIVE, typical=(3.0, 8.0), meaning="most a model can gain on unigrams, nats per token",
             unit=lambda y: y),
        amplitude("A_1", "size term at N_nv = 1", lambda y, N_nv, a_1: y * N_nv**a_1, (0.5, 5.0)),
        amplitude("A_2", "vocabulary term at N_v = 1", lambda y, N_v, a_2: y * N_v**a_2, (0.05, 1.0)),
        amplitude("B", "data term at D = 1", lambda y, D, beta: y * D**beta, (0.5, 5.0)),
        slope("a_1", "exponent of parameters outside the vocabulary"),
        slope("a_2", "exponent of the vocabulary's parameters"),
        slope("beta", "exponent of tokens"),
    ),
    family="data", predicts="change",
    source="arXiv:2407.13623, equation 8 and appendix",
    published={"tao2024": {"E": 5.533, "A_1": 1.831, "A_2": 0.196, "B": 2.124, "a_1": 0.447, "a_2": 0.671,
                           "beta": 0.447}},
    notes={"tao2024": "N_nv and N_v in millions, D in billions, of characters times f(V / 1000): on the "
                      "released runs of "
           "2.18e17 FLOP and more R2 is 0.972 so, and 0.04 with tokens, f(V). a_1 = beta was tied: free, "
           "the size term "
           "and the floor drift apart without end; fit tao_vocab.tie(beta=\"a_1\"). "
           "`sf.laws.best_vocabulary` gives V*"},
    # By hand, with plain arithmetic: -5.533 + 1.831 / 1000^0.447 + 0.196 / 100^0.671 + 2.124 / 10^0.447.
    checks=(("tao2024", {"N_nv": 1000.0, "N_v": 100.0, "D": 10.0}, "-4.6817344"),),
)  # fmt: skip
