"""Loss on a target domain by the shares of the domains trained on, which sum to one.

Shukor et al. 2025 (arXiv:2507.09404), Ye et al. 2024 (arXiv:2403.16952), Ge et al. 2024 (arXiv:2405.14908),
Que et al. 2024 (arXiv:2406.01375), Liu et al. 2024 (arXiv:2407.01492). One law is one target; several are
`sf.fit_groups`.
"""

from dataclasses import replace

from scalefit.core.declare import over
from scalefit.core.law import Coef, Law
from scalefit.core.maths import exp, where
from scalefit.core.support import POSITIVE, REAL
from scalefit.laws.blocks import dot, power_of_dot, reciprocal_power_sum
from scalefit.laws.coefs import amplitude, floor, slope
from scalefit.laws.inputs import D, N, S, share, shares


def _shukor_additive(N, D, h, *, E, A, B, alpha, beta, C, g):
    """Loss by parameters, tokens and shares of the domains:
    the shares only move the floor, so the best mix is one for all sizes."""
    return E + reciprocal_power_sum(h, C, g) + A / N**alpha + B / D**beta


def _shukor_joint(N, D, h, *, E, alpha, beta, gA, gB, C, g, CA, CB):
    """Loss by parameters, tokens and shares of the domains, which move the floor and both terms:
    the best mix depends on scale."""
    A, B = power_of_dot(h, CA, gA), power_of_dot(h, CB, gB)
    return E + reciprocal_power_sum(h, C, g) + A / N**alpha + B / D**beta


def _shukor_joint_mean(N, D, h, *, E, alpha, beta, p_A, p_B, C, g, A, B):
    """The joint law by what each term is on one domain alone:
    A(h) is a power mean of the A_i, and B(h) of the B_i."""
    A_h = power_of_dot(h, tuple(A_i**p_A for A_i in A), 1 / p_A)
    B_h = power_of_dot(h, tuple(B_i**p_B for B_i in B), 1 / p_B)
    return E + reciprocal_power_sum(h, C, g) + A_h / N**alpha + B_h / D**beta


def _shukor_shares(h, *, E, C, g):
    """Loss by shares of the domains at one size and length of training: the mixing part of the additive
    law."""
    return E + reciprocal_power_sum(h, C, g)


def _ye_mixing(h, *, c, k, t):
    """Loss by shares of the domains at one size and length of training:
    a floor and an exponential of a linear form."""
    return c + k * exp(dot(t, h))


def _regmix_linear(h, *, w):
    """Loss by shares of the domains as their weighted mean, the linear surrogate to rank mixtures with."""
    return dot(w, h)


def _bimix(r, s, *, A, alpha, B, beta, C):
    """Loss on a domain by its share and training steps:
    a power of the share times a power with a floor in steps."""
    return A / r**alpha * (B / s**beta + C)


def _dcpt(N, D, r, *, E, A, B, C, alpha, beta, eta, gamma, epsilon):
    """Loss after continued pretraining by parameters, tokens and the share of
    the target corpus among them."""
    return E + A / N**alpha + B * r**eta / D**beta + C / (r + epsilon) ** gamma


# Many coefficients share the screen's cells here, so exponents start where they are usually found.
_usual = (0.05, 0.15, 0.3, 0.5, 1.0)
_E = floor()
_alpha, _beta = slope("alpha", "model-size exponent", _usual), slope("beta", "data-size exponent", _usual)
_C = Coef("C", POSITIVE, (0.2, 0.7, 2.5, 8.0), (0.3, 3.0), "how much domain i lowers the floor",
          lambda y: 1 / y, "domain")  # fmt: skip
_g = slope("g", "exponent of domain i's share", (0.1, 0.3, 0.7), (0.2, 0.8), "domain")

# Where all C_i are large the shares' part of the floor vanishes beside E:
# the two floors are told apart by mixtures.
shukor_additive = over(
    {"domain": 3}, "shukor_additive", _shukor_additive, {"N": N, "D": D, "h": shares},
    (
        _E,
        amplitude("A", "finite-model term at N = 1", lambda y, N, alpha: y * N**alpha, (10.0, 1e4)),
        amplitude("B", "finite-data term at D = 1", lambda y, D, beta: y * D**beta),
        _alpha, _beta, _C, _g,
    ),
    family="data", source="arXiv:2507.09404, equation 2 (coefficients not extracted)",
    # By hand: h^g = 0.5, 0.5, 0.5, so 1 / (0.5 + 1 + 1.5) + 400 / 1e9^(1/3) + 2000 / 1e12^(1/4) on 1.5.
    checks=(({"E": 1.5, "A": 400.0, "B": 2000.0, "alpha": 1 / 3, "beta": 0.25, "C_1": 1.0, "C_2": 2.0,
              "C_3": 3.0,
              "g_1": 0.5, "g_2": 0.5, "g_3": 1.0},
              {"N": 1e9, "D": 1e12, "h_1": 0.25, "h_2": 0.25, "h_3": 0.5}, "4.2333333"),),
)  # fmt: skip


def _root(size, g):
    """size^(1/g), for starts with g near zero as if it were 0.2 away."""
    return size ** (1 / where(abs(g) < 0.2, where(g < 0, -0.2, 0.2), g))


_outer = (-1.5, -0.6, -0.2, 0.2, 0.6, 1.0, 1.5)

# The terms' sizes depend on CA and gA both, along a ridge that bends as gA grows or changes its sign, and
# equal CA leave gA free: compare A(h) and B(h), not their coefficients. `shukor_joint_mean` is the same
# family without the ridge.
shukor_joint = over(
    {"domain": 3}, "shukor_joint", _shukor_joint, {"N": N, "D": D, "h": shares},
    (
        _E, _alpha, _beta,
        Coef("gA", REAL, _outer, (0.5, 1.5), "power of the linear form in the finite-model term"),
        Coef("gB", REAL, _outer, (0.5, 1.5), "power of the linear form in the finite-data term"),
        _C, _g,
        amplitude("CA", "finite-model term at N = 1 on domain i alone, before its power",
                  lambda y, N, alpha, gA: _root(y * N**alpha, gA), (50.0, 2000.0), each="domain"),
        amplitude("CB", "finite-data term at D = 1 on domain i alone, before its power",
                  lambda y, D, beta, gB: _root(y * D**beta, gB), (100.0, 5000.0), each="domain"),
    ),
    family="data", source="arXiv:2507.09404, equation 3 (coefficients not extracted)",
    # By hand, as above with A(h) = 500 / 4 + 400 / 4 + 350 / 2 = 400 and B(h) =
    # (40 / 4 + 60 / 4 + 50 / 2)^2 = 2500.
    checks=(({"E": 1.5, "alpha": 1 / 3, "beta": 0.25, "gA": 1.0, "gB": 2.0, "C_1": 1.0, "C_2": 2.0,
              "C_3": 3.0,
              "g_1": 0.5, "g_2": 0.5, "g_3": 1.0, "CA_1": 500.0, "CA_2": 400.0, "CA_3": 350.0, "CB_1": 40.0,
              "CB_2": 60.0, "CB_3": 50.0}, {"N": 1e9, "D": 1e12, "h_1": 0.25, "h_2": 0.25, "h_3": 0.5},
              "4.7333333"),),
)  # fmt: skip

shukor_shares = over(
    {"domain": 3}, "shukor_shares", _shukor_shares, {"h": shares}, (_E, _C, _g),
    family="data",
    source="arXiv:2507.09404, equation 2 at one size and number of tokens (coefficients not extracted)",
    # By hand, as for shukor_additive: 1.5 + 1 / (0.5 + 1 + 1.5).
    checks=(({"E": 1.5, "C_1": 1.0, "C_2": 2.0, "C_3": 3.0, "g_1": 0.5, "g_2": 0.5, "g_3": 1.0},
             {"h_1": 0.25, "h_2": 0.25, "h_3": 0.5}, "1.8333333"),),
)  # fmt: skip

# CA_i = A_i^p_A with gA = 1 / p_A: p = 1 is linear in the shares, p near 0 their geometric mean. Fits reach
# their optimum more often in these coefficients than in those of `shukor_joint`.
_power = (-6.0, -2.0, -0.6, 0.3, 1.0, 2.5)
shukor_joint_mean = over(
    {"domain": 3}, "shukor_joint_mean", _shukor_joint_mean, {"N": N, "D": D, "h": shares},
    (
        _E, _alpha, _beta,
        Coef("p_A", REAL, _power, (0.7, 2.0), "power of the mean in the finite-model term, 1 / gA"),
        Coef("p_B", REAL, _power, (0.7, 2.0), "power of the mean in the finite-data term, 1 / gB"),
        _C, _g,
        amplitude("A", "finite-model term at N = 1 on domain i alone", lambda y, N, alpha: y * N**alpha,
                  (50.0, 2000.0),
                  each="domain"),
        amplitude("B", "finite-data term at D = 1 on domain i alone", lambda y, D, beta: y * D**beta,
                  (100.0, 5000.0),
                  each="domain"),
    ),
    family="data", source="arXiv:2507.09404, equation 3, in other coefficients",
    # By hand, the check of `shukor_joint`: p_B = 1 / 2 and B_i = CB_i^2.
    checks=(({"E": 1.5, "alpha": 1 / 3, "beta": 0.25, "p_A": 1.0, "p_B": 0.5, "C_1": 1.0, "C_2": 2.0,
              "C_3": 3.0,
              "g_1": 0.5, "g_2": 0.5, "g_3": 1.0, "A_1": 500.0, "A_2": 400.0, "A_3": 350.0, "B_1": 1600.0,
              "B_2": 3600.0, "B_3": 2500.0}, {"N": 1e9, "D": 1e12, "h_1": 0.25, "h_2": 0.25, "h_3": 0.5},
              "4.7333333"),),
)  # fmt: skip

# The shares sum to one, so adding s to every t and dividing k by e^s changes nothing: only c, the differences
# of the t and k e^t are determined by data. `ye_mixing.fix(k=1.0)` is the same family with every coefficient
# determined.
ye_mixing = over(
    {"domain": 3}, "ye_mixing", _ye_mixing, {"h": shares},
    (
        floor("c", "loss that no mixture goes below"),
        Coef("k", POSITIVE, typical=(0.5, 4.0), meaning="size of the part that depends on the mixture",
             unit=lambda y: y),
        Coef("t", REAL, (-6.0, -2.0, -0.5, 0.5, 2.0), (-3.0, 0.5),
             "effect of domain i's share; only differences matter",
             each="domain"),
    ),
    family="data",
    source="arXiv:2403.16952, equation 7 (coefficients belong to each target, size and length)",
    # By hand: t.h = -2 + 0.5 + 0.5 = -1, so 1.5 + 2 / e.
    checks=(({"c": 1.5, "k": 2.0, "t_1": -4.0, "t_2": 2.0, "t_3": 2.0},
             {"h_1": 0.5, "h_2": 0.25, "h_3": 0.25}, "2.2357589"),),
)  # fmt: skip

# The shares sum to one, so an intercept would only move all w alike:
# without it w_i is the loss of domain i alone.
regmix_linear = over(
    {"domain": 3}, "regmix_linear", _regmix_linear, {"h": shares},
    (Coef("w", REAL, typical=(1.5, 6.0), meaning="loss when trained on domain i alone", unit=lambda y: y,
          each="domain"),),
    family="data", source="arXiv:2407.01492, section 3 (linear surrogate, without its ridge penalty)",
    checks=(({"w_1": 2.0, "w_2": 4.0, "w_3": 3.0}, {"h_1": 0.5, "h_2": 0.25, "h_3": 0.25}, "2.75000"),),
)  # fmt: skip

# A only scales B and C: hold it, `bimix.fix(A=1.0)`, or read A B and A C.
bimix = Law(
    "bimix", _bimix,
    {"r": replace(share, unit="share of the domain in the training data"), "s": S},
    coefs=(
        Coef("A", POSITIVE, typical=(0.5, 2.0), meaning="scale; only A B and A C are determined"),
        slope("alpha", "exponent of the domain's share", (0.01, 0.05, 0.2, 0.6), (0.02, 0.3)),
        amplitude("B", "reducible part at s = 1, times 1 / A", lambda y, s, beta: y * s**beta, (10.0, 100.0)),
        slope("beta", "exponent of steps", typical=(0.2, 0.6)),
        Coef("C", POSITIVE, (0.1, 0.5, 1.0), (1.0, 3.0), "floor in steps, times 1 / A", lambda y: y),
    ),
    family="data", source="arXiv:2405.14908, equation 3 (coefficients belong to each domain)",
    # By hand: 2 / 0.25^0.5 = 4, times 10 / 100 + 0.5.
    checks=(({"A": 2.0, "alpha": 0.5, "B": 10.0, "beta": 0.5, "C": 0.5}, {"r": 0.25, "s": 1e4}, "2.40000"),),
)  # fmt: skip

dcpt = Law(
    "dcpt", _dcpt,
    {"N": N, "D": D, "r": replace(share,
                                  unit="share of the target corpus in the training data (general: 1 - r)")},
    coefs=(
        _E,
        amplitude("A", "finite-model term at N = 1", lambda y, N, alpha: y * N**alpha, (10.0, 1e4)),
        amplitude("B", "finite-data term at D = r = 1", lambda y, D, beta: y * D**beta),
        Coef("C", POSITIVE, typical=(0.1, 1.0), meaning="mixture term at r + epsilon = 1", unit=lambda y: y),
        _alpha, _beta,
        slope("eta", "exponent of the share in the finite-data term", typical=(0.1, 1.0)),
        slope("gamma", "exponent of the share in the mixture term", typical=(0.1, 1.0)),
        Coef("epsilon", POSITIVE, (0.003, 0.03, 0.1, 0.5), (0.02, 0.3),
             "keeps the mixture term finite at r = 0"),
    ),
    family="data", source="arXiv:2406.01375, equation 4 (from memory; coefficients not extracted)",
    # By hand: 1.5 + 400 / 1e3 + 2000 * 0.5 / 1e4 + 0.3 / 0.36^0.5.
    checks=(({"E": 1.5, "A": 400.0, "B": 2000.0, "C": 0.3, "alpha": 1 / 3, "beta": 0.4, "eta": 0.5,
              "gamma": 0.5,
              "epsilon": 0.11}, {"N": 1e9, "D": 1e10, "r": 0.25}, "2.500000"),),
)  # fmt: skip
