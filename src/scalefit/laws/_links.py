"""Links from a loss (or compute, or capabilities) to a downstream score; `law.then(link)` composes them.

Gadre et al. 2024 (arXiv:2403.08540), Bhagia et al. 2024 (arXiv:2412.04403), Isik et al. 2024
(arXiv:2402.04177), Owen 2024 (arXiv:2401.04757), Khatri et al. 2025 (arXiv:2510.13786), Ruan et al. 2024
(arXiv:2405.10938), Xiao et al. 2024 (arXiv:2412.04315). The two steps of Llama 3 (arXiv:2407.21783) are a
log-line and `ladder`.

Amplitudes and ends that a user may want to hold at 0 or 1 are not confined to (0, 1): use `bound` for that.
"""

from dataclasses import replace

from scalefit.core.declare import over
from scalefit.core.law import Coef, Input, Law
from scalefit.core.maths import exp, log, maximum
from scalefit.core.support import POSITIVE, REAL, UNIT, interval
from scalefit.laws.blocks import dot, logistic, softplus
from scalefit.laws.coefs import real, slope
from scalefit.laws.inputs import C, D, L


def _gadre_error(L, *, epsilon, k, gamma):
    """Error rate by loss: it falls exponentially from a ceiling near chance as the loss falls."""
    return epsilon - k * exp(-gamma * L)


def _ladder(L, *, a, k, L_0, b):
    """Accuracy by task loss: an S-curve between chance and a ceiling, the second step of a model ladder."""
    return a * logistic(k * (L - L_0)) + b


def _log_sigmoid(L, *, a, k, L_0):
    """Accuracy by task loss: 1 at low loss, falling in a straight line at high loss,
    with a smooth bend between."""
    # 1 - a log(1 - 1/(1 + exp(-z))) with z = k (L - L_0), as the logarithm is -softplus(z).
    return 1 + a * softplus(k * (L - L_0))


def _isik_bleu(D_p, *, A, alpha, beta):
    """Score (BLEU, say) after fine-tuning by pretraining tokens, where the pretraining data suit the task."""
    # 0 where A D_p^alpha <= 1, where the printed form has no value.
    return maximum(log(A * D_p**alpha), 1e-30) ** beta


def _owen_sigmoid(C, *, a, k, c_0, b):
    """Benchmark accuracy by compute: an S-curve in the decades of compute between chance and a ceiling."""
    return a * logistic(k * (log(C) / log(10.0) - c_0)) + b


def _scalerl(C, *, R_0, A, C_mid, B):
    """Pass rate by compute of reinforcement learning: an S-curve in log compute up to an asymptote A."""
    return R_0 + (A - R_0) / (1 + (C_mid / C) ** B)


def _observational(S, *, h, w, b):
    """Score on a task by principal components of other benchmarks: an S-curve in their weighted sum."""
    return h * logistic(dot(w, S) + b)


def _densing(t, *, A, B):
    """Capability per parameter by time: exponential growth, doubling every log(2)/A."""
    return exp(A * t + B)


# In a composed law the loss is what another law predicts, so no unit may name it;
# nats or bits, its size is known.
_loss = {"L": replace(L, allowed="not negative", scales=False)}
_height = Coef("a", POSITIVE, typical=(0.3, 0.8), meaning="rise of the accuracy from its low to its high end",
               end=lambda b: 1 - maximum(b, 0.0))  # fmt: skip
_chance = Coef("b", REAL, typical=(0.1, 0.4), meaning="low end of the accuracy, near chance")
_midpoint = Coef("L_0", REAL, (0.3, 0.7, 1.2, 2.0, 3.0, 4.5), (1.5, 3.0), "loss at the middle of the rise")

gadre_error = Law(
    "gadre_error", _gadre_error, _loss,
    coefs=(
        Coef("epsilon", UNIT, typical=(0.7, 0.95), meaning="error that no loss exceeds"),
        Coef("k", POSITIVE, typical=(1.0, 4.0), meaning="fall of the error from there at loss 0"),
        Coef("gamma", POSITIVE, (0.05, 0.2, 0.7, 2.0, 6.0), (0.4, 1.2), "rate of the fall per unit of loss"),
    ),
    family="links", predicts="error", source="arXiv:2403.08540 and released code",
    published={
        "gadre2024_c4": {"epsilon": 0.8497, "k": 2.079, "gamma": 0.7561},
        "gadre2024_redpajama": {"epsilon": 0.8570, "k": 2.206, "gamma": 0.7146},
        "gadre2024_refinedweb": {"epsilon": 0.8653, "k": 2.215, "gamma": 0.7070},
    },
    notes=dict.fromkeys(("gadre2024_c4", "gadre2024_redpajama", "gadre2024_refinedweb"),
                        "mean top-1 error over 17 tasks from the loss on C4; re-run, four digits"),
    # At the losses of `gadre_loss` for 6.9e9 parameters and 138e9 tokens, worked by plain arithmetic.
    checks=(
        ("gadre2024_c4", {"L": 2.280780}, ".47909"),
        ("gadre2024_redpajama", {"L": 2.443557}, ".47218"),
        ("gadre2024_refinedweb", {"L": 2.414110}, ".46339"),
    ),
)  # fmt: skip

# Coefficients were not published with these forms:
# the values are worked by plain arithmetic on the printed form.
ladder = Law(
    "ladder", _ladder, _loss,
    coefs=(
        _height,
        Coef("k", interval(-float("inf"), 0.0), (-30.0, -12.0, -6.0, -3.0, -1.0), (-6.0, -1.5),
             "steepness per unit of loss; negative, as accuracy falls with the loss"),
        _midpoint,
        _chance,
    ),
    family="links", predicts="accuracy", source="arXiv:2412.04403; arXiv:2504.11393",
    checks=(
        ({"a": 0.6, "k": -8.0, "L_0": 1.0, "b": 0.25}, {"L": 0.9}, "0.6639847"),
        ({"a": 0.6, "k": -8.0, "L_0": 1.0, "b": 0.25}, {"L": 1.3}, "0.2999036"),
    ),
)  # fmt: skip

log_sigmoid = Law(
    "log_sigmoid", _log_sigmoid, _loss,
    coefs=(
        Coef("a", interval(-float("inf"), 0.0), typical=(-0.4, -0.1),
             meaning="size of the fall from 1; negative, so that no accuracy exceeds 1"),
        Coef("k", POSITIVE, (0.3, 1.0, 3.0, 8.0, 25.0), (1.0, 6.0), "steepness per unit of loss"),
        _midpoint,
    ),
    family="links", predicts="accuracy", source="arXiv:2412.04403, released code (log-sigmoid link)",
    checks=(({"a": -0.3, "k": 4.0, "L_0": 0.9}, {"L": 1.2}, "0.5610153"),),
)  # fmt: skip

isik_bleu = Law(
    "isik_bleu", _isik_bleu, {"D_p": replace(D, unit="pretraining tokens (count)", typical=(1e8, 1e11))},
    coefs=(
        Coef("A", POSITIVE, (1e-3, 1.0, 1e3, 1e8, 1e16), (1.0, 100.0), "factor inside the logarithm",
             lambda D_p, alpha: D_p**-alpha),
        slope("alpha", "exponent inside the logarithm", (0.01, 0.05, 0.2, 0.5, 1.5), (0.05, 0.5)),
        slope("beta", "power of the logarithm", (0.2, 0.5, 1.0, 2.0, 4.0), (0.5, 3.0)),
    ),
    family="links", predicts="accuracy", source="arXiv:2402.04177",
    checks=(({"A": 10.0, "alpha": 0.2, "beta": 1.5}, {"D_p": 1e10}, "18.155383"),),
)  # fmt: skip

# c_0 is a place on the scale of log10 C: FLOP are not an arbitrary unit here.
owen_sigmoid = Law(
    "owen_sigmoid", _owen_sigmoid, {"C": replace(C, typical=(1e19, 1e25), scales=False)},
    coefs=(
        _height,
        Coef("k", POSITIVE, (0.2, 0.5, 1.0, 2.0, 6.0), (0.5, 2.0), "steepness per decade of compute"),
        Coef("c_0", REAL, (-4.0, 4.0, 12.0, 17.0, 20.0, 22.0, 24.0, 26.0), (20.0, 24.0),
             "log10 of the (scaled) compute at the middle of the rise"),
        _chance,
    ),
    family="links", predicts="accuracy", source="arXiv:2401.04757",
    printed=r"\frac{a}{1 + e^{-k \left(\log_{10} C - c_{0}\right)}} + b",
    checks=(({"a": 0.7, "k": 1.2, "c_0": 24.0, "b": 0.25}, {"C": 1e23}, "0.4120327"),),
)  # fmt: skip

scalerl = Law(
    "scalerl", _scalerl, {"C": replace(C, unit="reinforcement-learning compute (FLOP or GPU hours)")},
    coefs=(
        Coef("R_0", REAL, typical=(0.05, 0.3), meaning="pass rate before training"),
        Coef("A", POSITIVE, typical=(0.4, 0.9), meaning="pass rate at unlimited compute"),
        Coef("C_mid", POSITIVE, (0.01, 0.1, 1.0, 10.0, 100.0), (1e19, 1e21), "compute at half of the rise",
             lambda C: C),
        slope("B", "efficiency: how fast the rise is in log compute", (0.3, 0.7, 1.5, 3.0, 6.0), (0.5, 2.0)),
    ),
    family="links", predicts="accuracy", source="arXiv:2510.13786",
    checks=(({"R_0": 0.1, "A": 0.61, "C_mid": 2000.0, "B": 1.5}, {"C": 4000.0}, "0.4767860"),),
)  # fmt: skip

observational = over(
    {"component": 3}, "observational", _observational,
    {"S": Input("score on principal component i of the benchmarks", (-3.0, 3.0), "a number", each="component",
                scales=False)},
    (
        Coef("h", POSITIVE, typical=(0.6, 1.2), meaning="highest score"),
        Coef("w", REAL, (-4.0, -1.0, 0.0, 1.0, 4.0), (0.3, 1.5), "weight of component i", each="component"),
        real("b", "offset inside the sigmoid", (-5.0, -1.5, 0.0, 1.5, 5.0)),
    ),
    family="links", predicts="accuracy", source="arXiv:2405.10938",
    checks=(({"h": 0.9, "w_1": 0.5, "w_2": -0.4, "w_3": 0.2, "b": -0.5}, {"S_1": 1.0, "S_2": 1.0, "S_3": 2.0},
             "0.45"),),
)  # fmt: skip

densing = Law(
    "densing", _densing, {"t": Input("time (days, months or years)", (0.0, 24.0), "a number", scales=False)},
    coefs=(
        Coef("A", REAL, (-3.0, -1.0, 0.0, 1.0, 3.0, 10.0), (0.05, 0.4),
             "growth of log density per unit of time",
             lambda t: 1 / t),
        Coef("B", REAL, (-4.0, -2.0, 0.0, 2.0), (-2.0, 0.5), "log density at t = 0"),
    ),
    family="links", predicts="rate", source="arXiv:2412.04315",
    checks=(({"A": 0.21, "B": -1.0}, {"t": 12.0}, "4.572225"),),
)  # fmt: skip
