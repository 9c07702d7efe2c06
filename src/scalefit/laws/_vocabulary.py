"""Size of the vocabulary: Tao et al. 2024, Scaling Laws with Vocabulary (arXiv:2407.13623)."""

from scalefit.core.law import Coef, Input, Law
from scalefit.core.support import POSITIVE
from scalefit.laws.coefs import amplitude, slope


def _tao_vocab(N_nv, N_v, D, *, E, A_1, A_2, B, a_1, a_2, beta):
    """Loss below that of a unigram model, by parameters outside and inside the
    vocabulary and tokens; negative."""
    return -E + A_1 / N_nv**a_1 + A_2 / N_v**a_2 + B / D**beta


# N_v is vocabulary entries times width, D = characters times `blocks.tokens_per_character(V)`.
tao_vocab = Law(
    "tao_vocab", _tao_vocab,
    {
        "N_nv": Input("parameters outside the vocabulary (millions, as published, or any unit)",
                      (30.0, 3000.0),
                      aliases=("n_params_non_vocab", "n_params_no_vocab")),
        "N_v": Input("parameters of the vocabulary, entries times width (millions, "
                     "as published, or any unit)", (2.0, 200.0),
                     aliases=("n_params_vocab",)),
        "D": Input("training tokens (billions, as published, or any unit)", (0.1, 30.0),
                   aliases=("n_tokens", "tokens")),
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
    notes={"tao2024": "N_nv and N_v in millions, D in billions of tokens; a_1 = beta was tied; "
           "three digits, from a digest. On "
           "the released runs R2 is 0.15 with D so counted and 0.94 with D in billions of characters"},
    # By hand, with plain arithmetic: -5.533 + 1.831 / 1000^0.447 + 0.196 / 100^0.671 + 2.124 / 10^0.447.
    checks=(("tao2024", {"N_nv": 1000.0, "N_v": 100.0, "D": 10.0}, "-4.6817344"),),
)  # fmt: skip
