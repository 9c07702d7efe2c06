"""Laws of more inputs than size and data: width and depth, encoder and decoder, time.

McLeish et al. 2025 (arXiv:2502.06857), Ghorbani et al. 2021 (arXiv:2109.07740), Rosenfeld et al. 2020
(arXiv:1909.12673), Bordelon et al. 2024 (arXiv:2402.01092), Bian et al. 2025 (arXiv:2501.18107),
Alabdulmohsin et al. 2023 (arXiv:2305.13035).
"""

from dataclasses import replace
from math import exp as e_to

from scalefit.core.law import Coef, Input, Law
from scalefit.core.maths import minimum
from scalefit.core.support import POSITIVE, interval
from scalefit.laws._chinchilla import chinchilla
from scalefit.laws.coefs import amplitude, floor, slope
from scalefit.laws.inputs import C, D, N, S


def _gemstones_shape(w, d, N, D, *, E, A, B, C_N, C_D, a_1, a_2, a_3, a_4):
    """Loss by width, depth, parameters and tokens; without the size term a three-input law."""
    return E + A / w**a_1 + B / d**a_2 + C_N / N**a_3 + C_D / D**a_4


def _bian_shape(N, D, R, *, E, A, B, alpha, beta, epsilon, gamma):
    """Loss by parameters, tokens and width over depth: chinchilla times a factor that rises as models get
    wide and shallow."""
    return (E + A / N**alpha + B / D**beta) * (1 + epsilon * R**gamma)


def _alabdulmohsin_shape(x, C, *, E, A, alpha, B, b, F, c):
    """Error by one dimension of a model's shape and compute, the other dimensions large: too small a one is
    a bottleneck, too large a one leaves fewer examples."""
    return E + A / x**alpha + (B * x**b + F) / C**c


def _ghorbani_nmt(N_e, N_d, *, E, A, p_e, p_d):
    """Loss of a translation model by encoder and decoder size: one product of powers on top of a floor."""
    return E + A / (N_e**p_e * N_d**p_d)


def _rosenfeld(m, n, *, e_0, a, b, c, alpha, beta):
    """Error by size and data with an envelope: e_0, the error of random guessing, bounds it from above."""
    e = a / n**alpha + b / m**beta + c
    return e / (1 + (e / e_0) ** 2) ** 0.5


def _dynamical_theory(t, N, P, *, E, c_t, c_N, c_P, r_t, r_N, r_P):
    """Loss by training time, parameters and samples, one term each."""
    return E + c_t / t**r_t + c_N / N**r_N + c_P / P**r_P


def _bordelon_tied(t, N, P, *, E, c_t, c_N, c_P, a, b):
    """Loss by training time, parameters and samples, the exponents tied as the theory has them:
    by how fast the target's and the features' spectra fall."""
    r = minimum(a - 1, 2 * b)
    return E + c_t / t ** ((a - 1) / b) + c_N / N**r + c_P / P**r


bian_shape = Law(
    "bian_shape", _bian_shape,
    {"N": N, "D": D, "R": Input("width over depth, d_model / layers (ratio)", (10.0, 300.0),
                                aliases=("aspect_ratio", "width_over_depth"))},
    coefs=(
        *chinchilla.coefs,
        amplitude("epsilon", "what the shape adds at R = 1, as a share", lambda R, gamma: R**-gamma,
                  (1e-3, 0.05), (0.01, 0.1, 0.5)),
        slope("gamma", "exponent of width over depth", (0.3, 0.8, 1.5), (0.4, 1.2)),
    ),
    family="power terms", source="arXiv:2501.18107 and released code",
    published={"bian2025_rerun": {"E": 2.4475, "A": 54754.0, "B": 778345.0, "alpha": 0.61457,
                                  "beta": 0.61457, "epsilon": 1.1462e-3, "gamma": 0.61457}},
    notes={"bian2025_rerun": "the released code, which ties its three exponents, run on its 27 models of 8e7 "
                             "to 3e8 parameters; it foretells their 1.4e9 within 1.2 %"},
    # By hand: (1.5 + 400 / 1e3 + 200 / 1e3) * (1 + 0.01 * 64^0.5).
    checks=(({"E": 1.5, "A": 400.0, "B": 200.0, "alpha": 1 / 3, "beta": 0.3, "epsilon": 0.01, "gamma": 0.5},
             {"N": 1e9, "D": 1e10, "R": 64.0}, "2.2680000"),),
)  # fmt: skip

# The best x at a budget is (alpha A C^c / (b B))^(1 / (alpha + b)).
alabdulmohsin_shape = Law(
    "alabdulmohsin_shape", _alabdulmohsin_shape,
    {"x": Input("width, depth or width of the feed-forward layers (count)", (8.0, 6e3),
                aliases=("width", "depth", "mlp_dim")),
     "C": C},
    coefs=(
        floor(meaning="error of endless shape and compute", typical=(0.02, 0.2)),
        amplitude("A", "bottleneck at x = 1", lambda y, x, alpha: y * x**alpha, (0.5, 5.0)),
        slope("alpha", "exponent of the dimension"),
        amplitude("B", "what size costs at x = C = 1", lambda y, x, C, b, c: y * C**c / x**b, (1.0, 100.0)),
        slope("b", "exponent of that cost", (0.2, 0.5, 1.2), (0.3, 1.0)),
        amplitude("F", "cost of the rest of the model at C = 1", lambda y, C, c: y * C**c, (10.0, 1e4)),
        slope("c", "exponent of compute", (0.1, 0.25, 0.5), (0.15, 0.35)),
    ),
    family="power terms", predicts="error",
    source="arXiv:2305.13035, equation 2 (coefficients not printed; best width, depth and feed-forward width "
           "rise as C^0.22, C^0.45 and C^0.6)",
    # By hand: 0.1 + 2 / 100^0.5 + (3 * 100^0.5 + 70) / 1e20^0.1.
    checks=(({"E": 0.1, "A": 2.0, "alpha": 0.5, "B": 3.0, "b": 0.5, "F": 70.0, "c": 0.1},
             {"x": 100.0, "C": 1e20}, "1.3000000"),),
)  # fmt: skip

gemstones_shape = Law(
    "gemstones_shape", _gemstones_shape,
    {"w": Input("width of the residual stream (count)", (256.0, 8192.0),
                aliases=("width", "d_model", "hidden_size")),
     "d": Input("depth (layers)", (3.0, 100.0), aliases=("depth", "n_layers", "layers")), "N": N, "D": D},
    coefs=(
        floor(),
        amplitude("A", "width term at w = 1", lambda y, w, a_1: y * w**a_1, (0.5, 50.0)),
        amplitude("B", "depth term at d = 1", lambda y, d, a_2: y * d**a_2, (0.2, 10.0)),
        amplitude("C_N", "size term at N = 1", lambda y, N, a_3: y * N**a_3, (100.0, 1e4)),
        amplitude("C_D", "data term at D = 1", lambda y, D, a_4: y * D**a_4, (1e3, 1e5)),
        slope("a_1", "exponent of width"),
        slope("a_2", "exponent of depth"),
        slope("a_3", "exponent of parameters"),
        slope("a_4", "exponent of tokens"),
    ),
    family="power terms",
    source="arXiv:2502.06857",
    published={"mcleish2025": {"E": e_to(0.39246), "A": e_to(1.4520), "B": e_to(-0.0781), "C_N": e_to(7.9700),
                               "C_D": e_to(10.0594), "a_1": 0.24469, "a_2": 0.38715, "a_3": 0.50008,
                               "a_4": 0.47611}},
    notes={"mcleish2025": "220 checkpoints, training loss, delta 1e-4; logarithms as released"},
    checks=(("mcleish2025", {"w": 1024.0, "d": 16.0, "N": 5e8, "D": 1e11}, "2.8447559"),),
)  # fmt: skip

ghorbani_nmt = Law(
    "ghorbani_nmt", _ghorbani_nmt,
    {"N_e": replace(N, unit="encoder parameters (count)", typical=(1e7, 1e9),
                    aliases=("n_encoder", "encoder_params")),
     "N_d": replace(N, unit="decoder parameters (count)", typical=(1e7, 1e9),
                    aliases=("n_decoder", "decoder_params"))},
    coefs=(
        floor(),
        # The paper writes alpha (Nbar_e/N_e)^p_e (Nbar_d/N_d)^p_d with fixed reference sizes;
        # A holds their powers.
        amplitude("A", "reducible loss at one parameter each",
                  lambda y, N_e, N_d, p_e, p_d: y * N_e**p_e * N_d**p_d,
                  (1e2, 1e5)),
        slope("p_e", "exponent of the encoder's size"),
        slope("p_d", "exponent of the decoder's size"),
    ),
    family="power terms",
    source="arXiv:2109.07740; English-German about p_e = 0.18, p_d = 0.31 (from memory, "
           "amplitude not extracted)",
    # By hand: N_e^0.25 = 100 and N_d^0.5 = 1e4, so 1.2 + 4e5 / 1e6.
    checks=(({"E": 1.2, "A": 4e5, "p_e": 0.25, "p_d": 0.5}, {"N_e": 1e8, "N_d": 1e8}, "1.60000000"),),
)  # fmt: skip

rosenfeld = Law(
    "rosenfeld", _rosenfeld,
    {"m": replace(N, unit="parameters (count)"), "n": replace(D, unit="training examples or tokens (count)")},
    coefs=(
        # Printed as e_0 |e / (e - i eta)|. Only e / eta matters, so eta = e_0 here:
        # e is then the error itself where small.
        Coef("e_0", POSITIVE, (1.0, 2.0, 10.0), (2.0, 10.0), "error or loss of random guessing", lambda y: y),
        amplitude("a", "finite-data term at n = 1", lambda y, n, alpha: y * n**alpha),
        amplitude("b", "finite-model term at m = 1", lambda y, m, beta: y * m**beta),
        amplitude("c", "error at infinite size and data", lambda y: y, (0.1, 2.0)),
        slope("alpha", "data-size exponent"),
        slope("beta", "model-size exponent"),
    ),
    family="broken and bounded", predicts="error",
    source="arXiv:1909.12673; coefficients not extracted",
    # By hand: e = 1 + 1 + 1 = 3 and e_0 = 4, so 4 * 3 / 5.
    checks=(({"e_0": 4.0, "a": 1e4, "b": 1e3, "c": 1.0, "alpha": 0.5, "beta": 0.5}, {"m": 1e6, "n": 1e8},
             "2.40000000"),),
)  # fmt: skip

dynamical_theory = Law(
    "dynamical_theory", _dynamical_theory,
    {"t": replace(S, unit="training time (steps)"), "N": N,
     "P": replace(D, unit="training examples (count)")},
    coefs=(
        floor(),
        amplitude("c_t", "term of finite time at t = 1", lambda y, t, r_t: y * t**r_t, (10.0, 1e4)),
        amplitude("c_N", "term of finite size at N = 1", lambda y, N, r_N: y * N**r_N, (10.0, 1e4)),
        amplitude("c_P", "term of finite data at P = 1", lambda y, P, r_P: y * P**r_P, (10.0, 1e5)),
        slope("r_t", "exponent of time; (a - 1) / b in the theory"),
        slope("r_N", "exponent of size; min(a - 1, 2 b) in the theory"),
        slope("r_P", "exponent of data; equal to that of size in the theory"),
    ),
    family="power terms",
    source="arXiv:2402.01092 (a dynamical model of neural scaling laws); "
           "exponents from source a and capacity b",
    # By hand: 1.5 + 30 / 100 + 200 / 1000 + 1000 / 1e4.
    checks=(({"E": 1.5, "c_t": 30.0, "c_N": 200.0, "c_P": 1000.0, "r_t": 0.5, "r_N": 0.375, "r_P": 0.4},
             {"t": 1e4, "N": 1e8, "P": 1e10}, "2.10000000"),),
)  # fmt: skip

bordelon_tied = Law(
    "bordelon_tied", _bordelon_tied,
    dict(dynamical_theory.domain),
    coefs=(
        floor(),
        amplitude("c_t", "term of finite time at t = 1", lambda y, t, a, b: y * t ** ((a - 1) / b), (10.0,
                                                                                                     1e4)),
        amplitude("c_N", "term of finite size at N = 1", lambda y, N, a, b: y * N ** minimum(a - 1, 2 * b),
                  (10.0, 1e4)),
        amplitude("c_P", "term of finite data at P = 1", lambda y, P, a, b: y * P ** minimum(a - 1, 2 * b),
                  (10.0, 1e5)),
        Coef("a", interval(1.0, float("inf")), (1.1, 1.3, 1.6, 2.0), (1.2, 1.5),
             "source: how fast the target's spectrum falls"),
        slope("b", "capacity: how fast the features' spectrum falls", (0.5, 0.8, 1.2, 2.0), (0.8, 1.5)),
    ),
    family="power terms",
    source="arXiv:2402.01092 (a dynamical model of neural scaling laws), its exponents from source and "
           "capacity",
    # By hand: (a - 1) / b = 0.5 and min(0.5, 2) = 0.5, so 1.5 + 30 / 100 + 2000 / 1e4 + 1e4 / 1e5.
    checks=(({"E": 1.5, "c_t": 30.0, "c_N": 2000.0, "c_P": 1e4, "a": 1.5, "b": 1.0},
             {"t": 1e4, "N": 1e8, "P": 1e10}, "2.10000000"),),
)  # fmt: skip
