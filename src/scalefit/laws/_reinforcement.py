"""Reinforcement learning by size: Hilton et al. 2023, Scaling laws for single-agent reinforcement learning
(arXiv:2301.13442), Tan et al. 2025, of language models (arXiv:2509.25300)."""

from scalefit.core.law import Input, Law
from scalefit.laws.coefs import amplitude, slope
from scalefit.laws.inputs import N


def _hilton_intrinsic(N, E, *, N_c, alpha_N, E_c, alpha_E, beta):
    """Intrinsic performance by parameters and interactions with the environment: to the power -beta it is a
    sum of falling powers."""
    return ((N_c / N) ** alpha_N + (E_c / E) ** alpha_E) ** (-1 / beta)


def _tan_rl(N, x, *, A, K_max, N_0):
    """Share of the reward still missing by parameters and compute or data of reinforcement learning: a power
    whose exponent rises with size up to a limit."""
    return A / x ** (K_max / (1 + N_0 / N))


hilton_intrinsic = Law(
    "hilton_intrinsic", _hilton_intrinsic,
    {"N": N, "E": Input("interactions with the environment (count)", (1e6, 1e10),
                        aliases=("interactions", "env_steps", "environment_steps"))},
    coefs=(
        amplitude("N_c", "parameters at which size alone gives a performance of 1",
                  lambda y, N, alpha_N, beta: N * y ** (-beta / alpha_N), (1e-3, 1.0), (0.01, 0.3, 1.0)),
        slope("alpha_N", "exponent of the size", typical=(0.2, 0.6)),
        amplitude("E_c", "interactions at which they alone give a performance of 1",
                  lambda y, E, alpha_E, beta: E * y ** (-beta / alpha_E), (1.0, 100.0), (0.01, 0.3, 1.0)),
        slope("alpha_E", "exponent of the interactions", typical=(0.2, 0.6)),
        slope("beta", "power that makes it a sum", (0.1, 0.3, 0.7), (0.2, 0.6)),
    ),
    family="coupled sums", predicts="count",
    source="arXiv:2301.13442 (coefficients belong to each environment)",
    # By hand: (1e4 / 1e8)^0.5 = 0.01 and (1e2 / 1e8)^0.25 = 10^-1.5, to the power -2.
    checks=(({"N_c": 1e4, "alpha_N": 0.5, "E_c": 100.0, "alpha_E": 0.25, "beta": 0.5},
             {"N": 1e8, "E": 1e8}, "577.21539"),),
)  # fmt: skip

# log L = -k(N) log x + E(N) there, with a value of E for each size: where these differ,
# `tan_rl.shared("K_max", "N_0", by="size")`.
tan_rl = Law(
    "tan_rl", _tan_rl,
    {"N": N, "x": Input("compute or data of reinforcement learning", (1e2, 1e6), scales=False)},
    coefs=(
        amplitude("A", "share missing at x = 1", lambda y, x, K_max: y * x**K_max, (0.5, 2.0)),
        slope("K_max", "exponent of endlessly large models", (0.05, 0.2, 0.6), (0.05, 0.3)),
        amplitude("N_0", "parameters at which the exponent is half of that", lambda N: N, (1e8, 1e10),
                  (0.03, 0.3, 3.0)),
    ),
    family="power terms", predicts="error",
    source="arXiv:2509.25300 (read in summaries; there A differs by size; coefficients not extracted)",
    # By hand: 0.8 / 1e4^(0.2 / 2).
    checks=(({"A": 0.8, "K_max": 0.2, "N_0": 1e9}, {"N": 1e9, "x": 1e4}, "0.31848574"),),
)  # fmt: skip
