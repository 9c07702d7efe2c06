"""Sparse autoencoders of a model's activations: Gao et al. 2024 (arXiv:2406.04093)."""

from scalefit.core.law import Coef, Input, Law
from scalefit.core.maths import exp, log
from scalefit.core.support import REAL
from scalefit.laws.coefs import real


def _gao_autoencoder(n, k, *, alpha, beta_k, beta_n, gamma, zeta, eta):
    """Reconstruction error of a sparse autoencoder by its latents and how many of them are active: a product
    of powers whose exponents move with each other, on a floor that depends on the active ones."""
    return exp(alpha + beta_k * log(k) + beta_n * log(n) + gamma * log(k) * log(n)) + exp(zeta + eta * log(k))


# Exponents move with the logarithms of counts: another unit of n or k would move the others.
gao_autoencoder = Law(
    "gao_autoencoder", _gao_autoencoder,
    {"n": Input("latents of the autoencoder (count)", (2e3, 2e7), aliases=("n_latents", "latents"),
                scales=False),
     "k": Input("latents active at once (count)", (8.0, 512.0), aliases=("active_latents", "l0"),
                scales=False)},
    coefs=(
        Coef("alpha", REAL, (-1.0, 0.0, 1.0), (-1.0, 0.0), "log of the falling part at n = k = 1"),
        real("beta_k", "exponent of k at n = 1", (-0.2, 0.1, 0.4), (0.1, 0.4)),
        real("beta_n", "exponent of n at k = 1", (-0.2, -0.05, 0.1), (-0.1, 0.0)),
        real("gamma", "what an e-fold of either adds to the other's exponent", (-0.08, -0.03, 0.0),
             (-0.06, -0.02)),
        Coef("zeta", REAL, (-3.0, -1.5, 0.0), (-2.0, -1.0), "log of the floor at k = 1"),
        real("eta", "exponent of k in the floor", (-0.3, -0.1, 0.1), (-0.2, 0.0)),
    ),
    family="coupled sums", predicts="error", source="arXiv:2406.04093, section 3.1.3",
    published={"gao2024_gpt4": {"alpha": -0.50, "beta_k": 0.26, "beta_n": -0.017, "gamma": -0.042,
                                "zeta": -1.32, "eta": -0.085}},
    notes={"gao2024_gpt4": "GPT-4 activations, normalised squared error; two digits"},
    # Worked with plain floats from the printed form.
    checks=(("gao2024_gpt4", {"n": 1e6, "k": 32.0}, "0.3570343"),),
)  # fmt: skip
