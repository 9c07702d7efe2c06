"""What pretraining is worth in fine-tuning data:
Hernandez et al. 2021, Scaling Laws for Transfer (arXiv:2102.01293)."""

from dataclasses import replace

from scalefit.core.law import Law
from scalefit.laws.coefs import amplitude, slope
from scalefit.laws.inputs import D_F, counted


def _hernandez_transfer(N, D_F, *, k, alpha, beta):
    """Fine-tuning data that pretraining replaces, by fine-tuning data at hand and parameters:
    a product of powers."""
    return k * D_F**alpha * N**beta


def _hernandez_loss(N, D_F, *, N_c, D_c, alpha_N, alpha_D, k, alpha, beta):
    """Loss after fine-tuning: Kaplan's law of size and data,
    with what pretraining is worth added to the data."""
    D = D_F + k * D_F**alpha * N**beta
    return ((N_c / N) ** (alpha_N / alpha_D) + D_c / D) ** alpha_D


_inputs = {
    "N": counted("non-embedding"),
    "D_F": replace(D_F, unit="fine-tuning data (characters, as published; what comes out is in the same)",
                   typical=(1e5, 1e9),
                   allowed="positive"),
}  # fmt: skip
_exponents = (
    slope("alpha", "exponent of the fine-tuning data: how far the two distributions differ"),
    slope("beta", "exponent of the parameters"),
)

hernandez_transfer = Law(
    "hernandez_transfer", _hernandez_transfer, _inputs,
    coefs=(
        amplitude("k", "data transferred at D_F = N = 1",
                  lambda y, D_F, N, alpha, beta: y / (D_F**alpha * N**beta), (1e3, 1e6)),
        *_exponents,
    ),
    family="data", predicts="count",
    source="arXiv:2102.01293, equation 1 and table 1",
    published={
        "text_to_code": {"k": 1.9e4, "alpha": 0.18, "beta": 0.38},
        "text_and_code_to_code": {"k": 2.1e5, "alpha": 0.096, "beta": 0.38},
    },
    notes=dict.fromkeys(("text_to_code", "text_and_code_to_code"),
                        "data in characters; two digits"),
    checks=(("text_to_code", {"D_F": 1e6, "N": 1e9}, "6.0083e8"),),
)  # fmt: skip

# With little fine-tuning data D_F drops out beside the transferred data, and only D_c / k remains of the two.
hernandez_loss = Law(
    "hernandez_loss", _hernandez_loss, _inputs,
    coefs=(
        amplitude("N_c", "parameters at which the size term alone gives 1 nat",
                  lambda y, N, alpha_N: N * y ** (1 / alpha_N), (1e12, 1e16)),
        amplitude("D_c", "data at which the data term alone gives 1 nat",
                  lambda y, D_F, alpha_D: D_F * y ** (1 / alpha_D), (1e11, 1e14)),
        slope("alpha_N", "model-size exponent", typical=(0.05, 0.15)),
        slope("alpha_D", "data exponent", typical=(0.07, 0.2)),
        amplitude("k", "data transferred at D_F = N = 1",
                  lambda D_F, N, alpha, beta: D_F ** (1 - alpha) / N**beta,
                  (1e3, 1e5), (0.1, 1.0, 10.0, 100.0)),
        *_exponents,
    ),
    family="effective inputs",
    source="arXiv:2102.01293, equation 6.1, with arXiv:2001.08361, equation 1.5",
    # By hand: k D_F^0.25 N^0.5 = 1e3 * 100 * 1e4 = 1e9, so D = 1e8 + 1e9; (1e13 / 1e8)^(0.1 / 0.2) = 10^2.5
    # and 2.2e11 / 1.1e9 = 200, so (316.2278 + 200)^0.2.
    checks=(({"N_c": 1e13, "D_c": 2.2e11, "alpha_N": 0.1, "alpha_D": 0.2, "k": 1e3, "alpha": 0.25,
              "beta": 0.5},
             {"N": 1e8, "D_F": 1e8}, "3.4879341"),),
)  # fmt: skip
