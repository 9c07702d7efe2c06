"""Power laws of one quantity, without and with a floor (Hestness et al. 2017; Henighan et al. 2020)."""

from scalefit.core.law import Input, Law
from scalefit.laws.coefs import amplitude, floor, slope


def _power(x, *, A, alpha):
    return A / x**alpha


def _power_floor(x, *, E, A, alpha):
    return E + A / x**alpha


_A = amplitude(
    "A", "reducible part at x = 1, in the units of y", lambda y, x, alpha: y * x**alpha, (1.0, 100.0)
)
_alpha = slope("alpha", "exponent", typical=(0.03, 1.0))
_E = floor("E", "floor, in the units of y", (0.3, 3.0))
_x = {"x": Input("what is scaled: parameters, tokens, samples or FLOP (count)")}

power = Law(
    "power", _power, _x, (_A, _alpha), family="power terms",
    source="arXiv:1712.00409, section 3; arXiv:2001.08361, equation 1.1 (A = N_c^alpha)",
    published={
        "hestness2017_word_lm": {"A": 11.9, "alpha": 0.066},
        "liu2025_muon_pfdays": {"A": 2.506, "alpha": 0.052},
        "liu2025_adamw_pfdays": {"A": 2.608, "alpha": 0.054},
    },
    checks=(
        ("hestness2017_word_lm", {"x": 1e8}, 3.528149),
        ("liu2025_muon_pfdays", {"x": 10.0}, 2.223213),
    ),
)  # fmt: skip

power_floor = Law(
    "power_floor", _power_floor, _x, (_E, _A, _alpha), family="power terms",
    source="arXiv:1712.00409, equation 1; arXiv:2010.14701, equation 1.1",
    published={"hoffmann2022_tokens": {"E": 1.6934, "A": 410.7, "alpha": 0.2849}},
    checks=(("hoffmann2022_tokens", {"x": 1.4e12}, 1.835663),),
)  # fmt: skip
