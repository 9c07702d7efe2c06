"""Trade-offs of steps, data and batch size.

McCandlish et al. 2018 (arXiv:1812.06162), Shallue et al. 2018 (arXiv:1811.03600), Zhang et al. 2024
(arXiv:2410.21676), Rybkin et al. 2025 (arXiv:2502.04327), Sato and Iiduka 2022 (arXiv:2201.11989), Kaplan et
al. 2020 (arXiv:2001.08361), Li et al. 2024 (arXiv:2405.14578). Batches are in the unit of the user's column;
compute and data follow it.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from scalefit.arguments import by_name, one_positive
from scalefit.core.law import Coef, Input, Law
from scalefit.core.maths import maximum
from scalefit.core.support import POSITIVE
from scalefit.laws.coefs import amplitude, real, slope
from scalefit.laws.inputs import B, L

__all__ = ["critical_batch"]


def critical_batch(coefs: Mapping[str, Any], B_0: float = 256.0, overhead: float = 0.2) -> Any:
    """The batch at which `zhang_cbs` needs `overhead` more steps than linear scaling from batch B_0 predicts.

    Linear scaling from B_0 needs (a + b/B_0) B_0/B steps; setting a + b/B to 1 + overhead of that gives this.

    Args:
        coefs: of `zhang_cbs`: a and b.
        B_0: a small batch, in the unit of b / a.
        overhead: by how much more steps are needed, as a share.

    Returns:
        The batch.

    Raises:
        ValueError: for coefficients that are missing, and for a batch or an overhead that are not positive.

    Example:
        >>> round(sf.laws.critical_batch(sf.laws.zhang_cbs.published["zhang2024_85m"]), 1)
        745.3
    """
    for name in ("a", "b"):
        if name not in by_name("coefs", coefs):
            raise ValueError(f"coefs must be those of zhang_cbs, a and b; {name} is missing")
    a, b = (one_positive(f"{name} of coefs", coefs[name]) for name in ("a", "b"))
    B_0, overhead = one_positive("B_0", B_0), one_positive("overhead", overhead)
    return (1 + overhead) * B_0 + overhead * b / a


def _mccandlish(B, *, S_min, E_min):
    """Steps to a given loss by batch size: a hyperbola between fewest steps and fewest examples."""
    # S_min (1 + B_crit/B) with B_crit = E_min / S_min, written so that both coefficients are linear.
    return S_min + E_min / B


def _mccandlish_rate(B, *, eta_max, B_noise, p):
    """Best learning rate by batch size: it rises with the batch and levels off at the noise scale."""
    return eta_max / (1 + B_noise / B) ** p


def _lr_surge(B, *, eta_max, B_noise):
    """Best learning rate of Adam by batch size: it rises to the noise scale and falls again beyond."""
    return 2 * eta_max / ((B_noise / B) ** 0.5 + (B / B_noise) ** 0.5)


def _shallue(B, *, S_min, B_crit, q):
    """Steps to a given loss by batch size: perfect scaling, then a plateau, with a bend of free sharpness."""
    return S_min * (1 + (B_crit / B) ** q) ** (1 / q)


def _rybkin_utd(sigma, *, D_min, beta, a):
    """Data needed to reach a return by updates per data point, in value-based reinforcement learning."""
    return D_min * (1 + (beta / sigma) ** a)


def _gan_cbs(b, epsilon, *, A, B_q, C):
    """Steps to a gradient norm epsilon by batch size, for generator or discriminator:
    a hyperbola with a pole."""
    # A b / ((epsilon^2 - C) b - B_q); at and below the pole no number of steps is enough, held at a huge one.
    return A / maximum(epsilon**2 - C - B_q / b, 1e-12)


def _kaplan_bcrit(L, *, B_star, alpha_B):
    """Critical batch size by loss: it grows as the loss falls."""
    return B_star / L ** (1 / alpha_B)


_batch = {"B": replace(B, typical=(1e3, 1e6))}

mccandlish = Law(
    "mccandlish", _mccandlish, _batch,
    coefs=(
        amplitude("S_min", "steps needed at any batch size", lambda y: y, (1e3, 1e5)),
        amplitude("E_min", "examples needed at any batch size", lambda y, B: y * B, (1e8, 1e10)),
    ),
    family="trade-offs", predicts="count", source="arXiv:1812.06162, equation 2.11",
    # B_crit is 1e5: 1 + 10, 1 + 1 and 1 + 0.1 times S_min.
    checks=tuple(({"S_min": 1e4, "E_min": 1e9}, {"B": batch}, steps)
                 for batch, steps in ((1e4, "1.1e5"), (1e5, "2e4"), (1e6, "1.1e4"))),
)  # fmt: skip

# No coefficients were printed for these two; the values are worked by plain arithmetic on the printed form.
mccandlish_rate = Law(
    "mccandlish_rate", _mccandlish_rate, _batch,
    coefs=(
        amplitude("eta_max", "best learning rate at large batches", lambda y: y, (1e-4, 1e-2)),
        amplitude("B_noise", "noise scale: batch at which it has fallen to 2^-p of that", lambda B: B,
                  (1e4, 1e6),
                  (1e-3, 0.03, 1.0, 30.0, 1e3)),
        slope("p", "power: 1 for plain gradient descent, 0.5 to 1 for Adam", (0.3, 0.5, 1.0, 1.5),
              (0.5, 1.0)),
    ),
    family="trade-offs", predicts="rate", source="arXiv:1812.06162, equation 2.6",
    checks=(
        ({"eta_max": 3e-3, "B_noise": 1e5, "p": 0.5}, {"B": 3e5}, "2.598076e-3"),
        ({"eta_max": 3e-3, "B_noise": 1e5, "p": 1.0}, {"B": 3e5}, "2.250000e-3"),
    ),
)  # fmt: skip

lr_surge = Law(
    "lr_surge", _lr_surge, _batch,
    coefs=(
        amplitude("eta_max", "highest best rate, at the noise scale", lambda y: y, (1e-4, 1e-2)),
        amplitude("B_noise", "noise scale: batch with the highest best rate", lambda B: B, (1e4, 1e6),
                  (1e-3, 0.03, 1.0, 30.0, 1e3)),
    ),
    family="trade-offs", predicts="rate", source="arXiv:2405.14578 (Li et al. 2024, Surge phenomenon)",
    # By hand: the roots are 2 and 1/2, so 2 * 3e-3 / 2.5.
    checks=(({"eta_max": 3e-3, "B_noise": 4e5}, {"B": 1e5}, "2.400000e-3"),),
)  # fmt: skip

shallue = Law(
    "shallue", _shallue, _batch,
    coefs=(
        amplitude("S_min", "steps needed at any batch size", lambda y: y, (1e3, 1e5)),
        amplitude("B_crit", "critical batch: where perfect scaling meets the plateau", lambda B: B,
                  (3e3, 3e5),
                  (1e-3, 0.03, 1.0, 30.0, 1e3)),
        slope("q", "sharpness of the bend; 1 is the hyperbola of McCandlish et al.",
              (0.3, 0.7, 1.0, 2.0, 5.0), (0.7, 3.0)),
    ),
    family="trade-offs", predicts="count",
    source="arXiv:1811.03600 (the curve it describes); arXiv:1812.06162, equation 2.11",
    checks=(({"S_min": 1e4, "B_crit": 1e5, "q": 2.0}, {"B": 2e4}, "50990.195"),),
)  # fmt: skip

zhang_cbs = mccandlish.instance(
    "zhang_cbs",
    "Steps to a given loss by batch size, one fit per model size; `sf.laws.critical_batch` gives the "
    "critical batch.",
    {"B": replace(B, unit="batch size (sequences)", typical=(64.0, 16384.0),
                  aliases=("batch_size_seqs", *B.aliases))},
    names={"S_min": "a", "E_min": "b"},
    source="arXiv:2410.21676 and released code",
    published={
        "zhang2024_85m": {"a": 1293.83, "b": 2.83426e6},
        "zhang2024_151m": {"a": 1752.42, "b": 5.67748e6},
        "zhang2024_302m": {"a": 2095.35, "b": 1.13833e7},
        "zhang2024_604m": {"a": 2459.93, "b": 1.94497e7},
        "zhang2024_1200m": {"a": 3897.31, "b": 4.33811e7},
    },
    notes=dict.fromkeys((f"zhang2024_{size}" for size in ("85m", "151m", "302m", "604m", "1200m")),
                        "least squares in log steps on the released runs; batches of 512-token sequences"),
    checks=(("zhang2024_85m", {"B": 1024.0}, "4061.662"), ("zhang2024_1200m", {"B": 1024.0}, "46261.67")),
)  # fmt: skip

_AS_PRINTED = (
    "as printed. The released fit is c + (sigma/b)^-a, and the print factors out c without rescaling b: "
    "the beta of this law is b c^(-1/a), with c not printed"
)

rybkin_utd = Law(
    "rybkin_utd", _rybkin_utd, {"sigma": Input("updates per data point (ratio)", (0.25, 16.0), scales=False)},
    coefs=(
        amplitude("D_min", "data needed at any number of updates", lambda y: y, (1e4, 1e6)),
        Coef("beta", POSITIVE, (0.02, 0.2, 1.0, 5.0, 50.0), (0.3, 4.0),
             "updates per data point that double the data"),
        slope("a", "exponent of the update ratio", (0.3, 0.7, 1.0, 1.5, 3.0), (0.5, 1.5)),
    ),
    family="trade-offs", predicts="count", source="arXiv:2502.04327 and released code",
    published={
        "rybkin2025_control_as_printed": {"D_min": 7.98e4, "beta": 0.57, "a": 1.09},
        "rybkin2025_gym_as_printed": {"D_min": 2.17e5, "beta": 2.29, "a": 0.70},
    },
    notes={"rybkin2025_control_as_printed": _AS_PRINTED, "rybkin2025_gym_as_printed": _AS_PRINTED},
    checks=(
        ("rybkin2025_control_as_printed", {"sigma": 2.0}, "100113.45"),
        ("rybkin2025_gym_as_printed", {"sigma": 2.0}, "455574.25"),
    ),
)  # fmt: skip

gan_cbs = Law(
    "gan_cbs", _gan_cbs,
    {"b": replace(B, typical=(64.0, 4096.0)),
     "epsilon": Input("gradient norm to reach", (0.5, 2.0), scales=False)},
    coefs=(
        amplitude("A", "steps at unlimited batch and epsilon^2 - C = 1", lambda y: y, (10.0, 1e3)),
        amplitude("B_q", "variance of the gradient of one example", lambda b: b, (1.0, 10.0),
                  (1e-4, 1e-3, 1e-2, 0.1, 0.5)),
        real("C", "part of epsilon^2 that no batch removes", (-0.3, -0.1, 0.0, 0.1, 0.2), (0.01, 0.1)),
    ),
    family="trade-offs", predicts="count", source="arXiv:2201.11989",
    # From memory in the catalogue, without coefficients; the value is 50 x 256 / (0.15 x 256 - 12).
    checks=(({"A": 50.0, "B_q": 12.0, "C": 0.01}, {"b": 256.0, "epsilon": 0.4}, "484.84848"),),
)  # fmt: skip

kaplan_bcrit = Law(
    "kaplan_bcrit", _kaplan_bcrit, {"L": replace(L, scales=False)},
    coefs=(
        amplitude("B_star", "critical batch at a loss of 1 nat", lambda y: y, (1e7, 1e9)),
        slope("alpha_B", "exponent: the critical batch is B_star L^(-1/alpha_B)", (0.05, 0.1, 0.2, 0.5, 1.0),
              (0.1, 0.4)),
    ),
    family="trade-offs", predicts="count", source="arXiv:2001.08361, equation 1.4",
    published={"kaplan2020": {"B_star": 2e8, "alpha_B": 0.21}},
    notes={"kaplan2020": "tokens; two digits"},
    checks=(("kaplan2020", {"L": 3.0}, "1.06911e6"), ("kaplan2020", {"L": 2.5}, "2.54729e6")),
)  # fmt: skip
