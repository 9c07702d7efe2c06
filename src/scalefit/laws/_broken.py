"""Curves with more than one regime: a break, a plateau before the power law, a bound.

Caballero et al. 2023 (arXiv:2210.14891), Alabdulmohsin et al. 2022 (arXiv:2209.06640), Sorscher et al. 2022
(arXiv:2206.14486).
"""

from typing import Any

from scalefit.core.declare import over
from scalefit.core.law import Coef, Input, Law
from scalefit.core.maths import exp, log, maximum, minimum, stop_gradient, where
from scalefit.core.support import POSITIVE
from scalefit.laws import _power
from scalefit.laws.blocks import logistic, smooth_break, softplus
from scalefit.laws.coefs import amplitude, floor, real, slope

_NEWTON_STEPS = 12


def _bnsl(x, *, a, b, c_0, c, d, f):
    """A power law that changes its slope smoothly at each break: by c_i at d_i, over a width f_i in log x."""
    y = b / x**c_0
    for c_i, d_i, f_i in zip(c, d, f, strict=True):
        y = y * smooth_break(x, d_i, c_i, f_i)
    return a + y


def _m3(x, *, b, c, g):
    """Error or loss as a power of 1/x + g, which flattens for large x; the third of four nested forms."""
    return b * (1 / x + g) ** c


def _m4(x, *, E, e_0, a, b, c):
    """Error or loss between the value e_0 of no learning and the floor E,
    by (e - E) / (e_0 - e)^a = b x^-c."""
    # With e = E + (e_0 - E) / (1 + exp(-z)) the logarithm of the equation is z + (a - 1) softplus(z) = r.
    r = log(b) - c * log(x) + (a - 1) * log(e_0 - E)
    return E + (e_0 - E) * logistic(_root(r, a))


def _root(r, a):
    """The z with z + (a - 1) softplus(z) = r, by Newton's method;
    the left side rises with slope between 1 and a.

    It is convex for a > 1 and concave for a < 1: from a start on the right side of the root every step moves
    towards it. Derivatives come from the last step, taken from the root: the implicit function's.
    """

    def left(z):
        return z + (a - 1) * softplus(z) - r

    def slope_at(z):
        return 1 + (a - 1) * logistic(z)

    z = where(a > 1, minimum(r, r / a), maximum(r, r / a))
    for _ in range(_NEWTON_STEPS):
        z = z - left(z) / slope_at(z)
    z = stop_gradient(z)
    return z - left(z) / stop_gradient(slope_at(z))


def _sorscher_pruning(P, *, E, A, c, q):
    """Error on a well pruned training set, which falls faster than any power: a stretched exponential."""
    return E + A * exp(-c * P**q)


_x = {"x": Input("what is scaled: samples, tokens, parameters or FLOP (count)",
                 aliases=("n_samples", "n_seen", "dataset_size", "samples", "examples"))}  # fmt: skip

bnsl = over(
    {"breaks": 1}, "bnsl", _bnsl, {"x": Input("what is scaled: samples, tokens, parameters or FLOP (count)",
                                              (1e2, 1e8),
                                              aliases=_x["x"].aliases)},
    coefs=(
        floor("a", "limit of the law, in the units of y", (0.05, 1.0)),
        amplitude("b", "first power's value at x = 1", lambda y, x, c_0: y * x**c_0, (1.0, 20.0)),
        real("c_0", "slope before the first break (falling where positive)", (-0.3, -0.05, 0.05, 0.3, 1.0),
             (0.05, 0.4)),
        real("c", "change of slope at break i", (-1.0, -0.2, 0.2, 1.0, 3.0), (0.1, 0.5), each="breaks"),
        Coef("d", POSITIVE, (0.03, 0.3, 1.0, 3.0, 30.0), (1e4, 1e6), "where break i is", lambda x: x,
             "breaks"),
        Coef("f", POSITIVE, (0.05, 0.2, 0.6, 1.5), (0.2, 1.0), "width of break i, in log x", each="breaks"),
    ),
    family="broken and bounded",
    source="arXiv:2210.14891, equation 1",
    published={"caballero2023_addition": {"a": 0.414, "b": 2.277, "c_0": 0.0551, "c_1": 5.663, "d_1": 612.6,
                                          "f_1": 0.0592}},
    notes={"caballero2023_addition": "4-digit addition by training-set size; re-run on the released points, "
                                     "three to four digits"},
    checks=(("caballero2023_addition", {"x": 612.6}, "1.6812707"),
            ("caballero2023_addition", {"x": 160.0}, "2.1355356")),
)  # fmt: skip

_b = amplitude("b", "reducible part at x = 1", lambda y, x, c: y * x**c, (1.0, 20.0))
_c = slope("c", "exponent", typical=(0.05, 0.8))
_floor = Coef("E", POSITIVE, (0.01, 0.2, 0.7), (0.02, 0.2), "error at infinite x", lambda y: y)

# By hand, with x = 1e4 and c = 0.5 (x^c = 100) throughout: M1 5 / 100; M2 0.1 + 5 / 100; M3 (1e-4 + 3e-4)^0.5
# * 5. M4 with a = 2: (e - 0.1) / (0.9 - e)^2 = 50 / 100 has the root e = 1.9 - sqrt(2.6).
_known: dict[str, Any] = {
    "family": "broken and bounded",
    "predicts": "error",
    "source": "arXiv:2209.06640; coefficients belong to each of its curves",
}
alabdulmohsin_m1 = _power.power.instance(
    "alabdulmohsin_m1", "Error or loss as a falling power, the first of four nested forms.", _x,
    names={"A": "b", "alpha": "c"}, checks=(({"b": 5.0, "c": 0.5}, {"x": 1e4}, "0.0500000"),), **_known,
)  # fmt: skip
alabdulmohsin_m2 = _power.power_floor.instance(
    "alabdulmohsin_m2",
    "Error or loss as a falling power on top of a floor, the second of four nested forms.", _x,
    names={"A": "b", "alpha": "c"}, checks=(({"E": 0.1, "b": 5.0, "c": 0.5}, {"x": 1e4}, "0.1500000"),),
    **_known,
)  # fmt: skip
alabdulmohsin_m3 = Law(
    "alabdulmohsin_m3", _m3, _x,
    (_b, _c, amplitude("g", "1 / x at which the curve has flattened", lambda x: 1 / x, (1e-11, 1e-8),
                       (1e-3, 0.03, 1.0))),
    **_known, checks=(({"b": 5.0, "c": 0.5, "g": 3e-4}, {"x": 1e4}, "0.1000000"),
                      # By hand: 1.969 (1/100 + 0.057)^0.285.
                      ("bansal2022_6_6", {"x": 100.0}, "0.911333")),
    published={"bansal2022_6_6": {"b": 1.969, "c": 0.285, "g": 0.057},
               "bansal2022_hybrid": {"b": 1.817, "c": 0.285, "g": 0.11},
               "bansal2022_decoder": {"b": 2.011, "c": 0.285, "g": 0.078}},
    notes=dict.fromkeys(("bansal2022_6_6", "bansal2022_hybrid", "bansal2022_decoder"),
                        "translation, English to German, by architecture; arXiv:2202.01994 as listed by "
                        "Epoch's "
                        "review, x in its units of data"),
)  # fmt: skip
alabdulmohsin_m4 = Law(
    "alabdulmohsin_m4", _m4, _x,
    (
        _floor,
        Coef("e_0", POSITIVE, (1.1, 2.0, 5.0), (0.7, 1.0), "error before anything is learned", lambda y: y),
        Coef("a", POSITIVE, (0.3, 1.0, 3.0), (0.5, 2.0),
             "how slowly the curve leaves e_0; 0 is the power law"),
        amplitude("b", "left side of the equation at x = 1", lambda y, x, a, c: y ** (1 - a) * x**c,
                  (10.0, 1e3),
                  (0.1, 0.5, 2.0)),
        _c,
    ),
    **_known, printed=r"y: \frac{y - E}{\left(e_{0} - y\right)^{a}} = \frac{b}{x^{c}}",
    checks=(({"E": 0.1, "e_0": 0.9, "a": 2.0, "b": 50.0, "c": 0.5}, {"x": 1e4}, "0.2875485"),),
)  # fmt: skip

sorscher_pruning = Law(
    "sorscher_pruning", _sorscher_pruning,
    {"P": Input("training examples kept after pruning (count)", (1e3, 1e7), aliases=("n_kept", "n_samples"))},
    coefs=(
        _floor,
        amplitude("A", "reducible error without data", lambda y: y, (0.2, 1.0)),
        Coef("c", POSITIVE, (0.1, 0.5, 2.0, 5.0), (1e-3, 0.1), "rate of decay, per P^q", lambda P, q: P**-q),
        slope("q", "stretching exponent; 1 is the exponential", (0.1, 0.3, 0.6, 1.0), (0.1, 0.5)),
    ),
    family="data", predicts="error",
    source="arXiv:2206.14486 (Sorscher et al. 2022); form from memory, no coefficients",
    # By hand: c P^q = 0.002 * 1000 = 2, so 0.05 + 0.5 e^-2 with e^-2 = 0.1353352832.
    checks=(({"E": 0.05, "A": 0.5, "c": 0.002, "q": 0.5}, {"P": 1e6}, "0.1176676"),),
)  # fmt: skip
