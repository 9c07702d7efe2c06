"""Powers of one quantity: falling without and with a floor, rising, shifted;
and straight lines in its logarithm.

Hestness et al. 2017 (arXiv:1712.00409), Kaplan et al. 2020 (arXiv:2001.08361), Henighan et al. 2020
(arXiv:2010.14701), and the single-input laws of many domains after them.
"""

from dataclasses import replace

from scalefit.core.law import Coef, Input, Law
from scalefit.core.maths import log
from scalefit.core.support import POSITIVE, REAL
from scalefit.laws import _hyperparameters
from scalefit.laws.coefs import amplitude, floor, slope
from scalefit.laws.inputs import C


def _power(x, *, A, alpha):
    """A falling power without a floor: the form of L = (x_c / x)^alpha, with A = x_c^alpha."""
    return A / x**alpha


def _power_floor(x, *, E, A, alpha):
    """A falling power on top of a floor: learning curves, and losses by size, data or compute."""
    return E + A / x**alpha


def _wukong_power(x, *, A, alpha):
    """Relative change of the loss in % by compute per example:
    the ratio of losses is a power, A x^alpha in %."""
    return A * x**alpha - 100


def _log_linear(x, *, a, b):
    """A metric as a straight line in the logarithm of what is scaled."""
    return a + b * log(x)


def _laion_compare(C, *, E, A, B, alpha):
    """Error by compute with a shift B that bends the curve's beginning, on top of a floor."""
    return E + A / (C + B) ** alpha


def _fsc_robot(n, n_0, *, a, b):
    """Success rate by demonstrations of one factor, on top of n_0 base demonstrations."""
    return 1 - a / (n + n_0) ** b


_A = amplitude(
    "A", "reducible part at x = 1, in the units of y", lambda y, x, alpha: y * x**alpha, (1.0, 100.0)
)
_alpha = slope("alpha", "exponent", typical=(0.03, 1.0))
_E = floor("E", "floor, in the units of y", (0.3, 3.0))
_scaled = Input("what is scaled: parameters, tokens, samples or FLOP (count)")
_x = {"x": _scaled}

power = Law(
    "power", _power, _x, (_A, _alpha), family="power terms",
    source="arXiv:1712.00409, section 3; arXiv:2001.08361, equations 1.1-1.3 (A = N_c^alpha)",
    published={
        "hestness2017_word_lm": {"A": 11.9, "alpha": 0.066},
        "kaplan2020_parameters": {"A": 8.8e13**0.076, "alpha": 0.076},
        "kaplan2020_tokens": {"A": 5.4e13**0.095, "alpha": 0.095},
        "kaplan2020_compute": {"A": 3.1e8**0.050, "alpha": 0.050},
        "kaplan2020_compute_fixed_batch": {"A": 1.6e7**0.057, "alpha": 0.057},
        "clark2022_dense": {"A": 3.568e13**0.078, "alpha": 0.078},
        "liu2025_muon": {"A": 2.506, "alpha": 0.052},
        "liu2025_adamw": {"A": 2.608, "alpha": 0.054},
        "charles2025_data_parallel": {"A": 18.129, "alpha": 0.0953},
        "charles2025_diloco_1": {"A": 18.363, "alpha": 0.0961},
        "charles2025_diloco_2": {"A": 18.768, "alpha": 0.0969},
        "charles2025_diloco_4": {"A": 19.762, "alpha": 0.0992},
        "charles2025_diloco_8": {"A": 21.051, "alpha": 0.1018},
        "liang2024_dit_loss": {"A": 2.3943, "alpha": 0.0273},
        "liang2024_dit_fid": {"A": 2.2566e6, "alpha": 0.234},
        "tian2024_var_loss_last_by_size": {"A": 2.0**-0.23, "alpha": 0.23},
        "tian2024_var_loss_by_size": {"A": 2.5**-0.20, "alpha": 0.20},
        "tian2024_var_error_last_by_size": {"A": 490.0**-0.016, "alpha": 0.016},
        "tian2024_var_error_by_size": {"A": 650.0**-0.010, "alpha": 0.010},
        "tian2024_var_loss_last_by_compute": {"A": 2.2e-5**-0.13, "alpha": 0.13},
        "tian2024_var_loss_by_compute": {"A": 1.5e-5**-0.16, "alpha": 0.16},
    },
    notes={
        "hestness2017_word_lm": "x in words of training data; rounded. "
        "Other domains by exponent alone: characters 0.094, "
        "translation about 0.128, ImageNet top-1 0.309 and top-5 0.488, speech 0.299",
        "kaplan2020_parameters": "x in non-embedding parameters; printed as N_c = 8.8e13",
        "kaplan2020_tokens": "x in tokens; printed as D_c = 5.4e13",
        "kaplan2020_compute": "x in PF-days (8.64e19 FLOP) at the best batch; printed as C_c = 3.1e8",
        "kaplan2020_compute_fixed_batch": "x in PF-days at one batch size; "
                                          "printed as C_c = 1.6e7; from memory",
        "clark2022_dense": "x in parameters of dense models, 130B tokens; printed as N_c = 3.568e13",
        "liu2025_muon": "x in PF-days; arXiv:2502.16982",
        "liu2025_adamw": "x in PF-days; arXiv:2502.16982",
        **dict.fromkeys(
            ("charles2025_data_parallel", "charles2025_diloco_1", "charles2025_diloco_2",
             "charles2025_diloco_4",
             "charles2025_diloco_8"),
            "x in parameters; by number of replicas; arXiv:2503.09799",
        ),
        "liang2024_dit_loss": "x in FLOP; diffusion transformers, along the frontier; arXiv:2410.08184",
        "liang2024_dit_fid": "x in FLOP; FID, along the frontier; arXiv:2410.08184",
        **dict.fromkeys(
            ("tian2024_var_loss_last_by_size", "tian2024_var_loss_by_size", "tian2024_var_error_last_by_size",
             "tian2024_var_error_by_size"),
            "x in billions of parameters (the unit from memory); printed as (b x)^-alpha; arXiv:2404.02905",
        ),
        **dict.fromkeys(
            ("tian2024_var_loss_last_by_compute", "tian2024_var_loss_by_compute"),
            "x in PFLOP (the unit from memory); printed as (b x)^-alpha; arXiv:2404.02905",
        ),
    },
    checks=(
        ("hestness2017_word_lm", {"x": 1e8}, 3.528149),
        ("kaplan2020_parameters", {"x": 1e9}, 2.37564),
        ("kaplan2020_tokens", {"x": 1e10}, 2.26244),
        ("kaplan2020_compute", {"x": 1.0}, 2.65808),
        ("charles2025_data_parallel", {"x": 2.4e9}, 2.31441),
        ("charles2025_diloco_1", {"x": 2.4e9}, 2.30412),
        ("liu2025_muon", {"x": 10.0}, 2.223213),
        ("liang2024_dit_loss", {"x": 1.5e21}, 0.63252),
        ("liang2024_dit_fid", {"x": 1.5e21}, 25.018),
    ),
)  # fmt: skip

power_floor = Law(
    "power_floor", _power_floor, _x, (_E, _A, _alpha), family="power terms",
    source="arXiv:1712.00409, equation 1; arXiv:2010.14701, equation 1.1; "
    "the form of loss by width (arXiv:2505.10465), by "
    "context length (arXiv:2309.16039), along a compute frontier (arXiv:2406.19146)",
    published={"hoffmann2022_tokens": {"E": 1.6934, "A": 410.7, "alpha": 0.2849},
               "hoffmann2022_parameters": {"E": 1.6934, "A": 406.4, "alpha": 0.3392}},
    notes={"hoffmann2022_tokens": "the two-term law at infinite size; x in tokens",
           "hoffmann2022_parameters": "the two-term law at infinite data; x in parameters"},
    checks=(("hoffmann2022_tokens", {"x": 1.4e12}, 1.835663),),
)  # fmt: skip

power_rise = _hyperparameters.monomial.instance(
    "power_rise", "A score that rises as a power of what is scaled.", _x, names={"k": "A", "p": "alpha"},
    family="power terms", predicts="accuracy",
    source="arXiv:2404.02883 (Li et al. 2024, "
           "On the scalability of diffusion-based text-to-image generation)",
    published={
        "li2024_tifa_compute": {"A": 0.47, "alpha": 0.02},
        "li2024_tifa_parameters": {"A": 0.77, "alpha": 0.11},
        "li2024_tifa_data": {"A": 0.64, "alpha": 0.03},
    },
    notes={
        "li2024_tifa_compute": "x in GFLOP; TIFA score on the Pareto front",
        "li2024_tifa_parameters": "x in billions of parameters: the text says millions, "
                                  "which does not fit its own figure",
        "li2024_tifa_data": "x in millions of image-noun pairs",
    },
    checks=(("li2024_tifa_compute", {"x": 1e12}, "0.8167664"),
            ("li2024_tifa_parameters", {"x": 1.0}, "0.77000")),
)  # fmt: skip

log_linear = Law(
    "log_linear", _log_linear, {"x": replace(_scaled, scales=False)},
    (Coef("a", REAL, typical=(-1.0, 1.0), meaning="value at x = 1"),
     Coef("b", REAL, typical=(-0.1, 0.1), meaning="change per e-fold of x")),
    family="power terms", predicts="accuracy",
    source="arXiv:2402.17152 (Zhai et al. 2024, generative recommenders); arXiv:2308.03712 (video data)",
    published={"zhai2024_hstu_hit_rate": {"a": 0.15, "b": 0.0195},
               "zhai2024_hstu_ndcg": {"a": 0.549, "b": 0.0053}},
    notes=dict.fromkeys(("zhai2024_hstu_hit_rate", "zhai2024_hstu_ndcg"),
                        "x is training compute in the paper's unit; from memory"),
    checks=(("zhai2024_hstu_hit_rate", {"x": 1e6}, "0.4194025"),),
)  # fmt: skip

wukong_power = Law(
    "wukong_power", _wukong_power, {"x": Input("compute per example (GFLOP)", (1.0, 1000.0))},
    (Coef("A", POSITIVE, typical=(99.0, 101.0), meaning="ratio to the reference at x = 1, %",
          unit=lambda x, alpha: x**-alpha),
     slope("alpha", "exponent; near 0 the law is a straight line in log x", (1e-4, 1e-3, 0.01, 0.1),
           (2e-4, 0.01))),
    family="power terms", predicts="change",
    source="arXiv:2403.02545 (Zhang et al. 2024, Wukong)",
    published={"zhang2024": {"A": 99.56, "alpha": 0.00071}},
    notes={"zhang2024": "relative change of the log loss in %; about 0.1 % per fourfold compute"},
    checks=(("zhang2024", {"x": 100.0}, "-0.1139388"),),
)  # fmt: skip

laion_compare = Law(
    "laion_compare", _laion_compare,
    {"C": replace(C, unit="compute of the samples seen (GFLOP)", typical=(1e8, 1e13))},
    (
        _E,
        amplitude("A", "reducible error at C + B = 1", lambda y, C, alpha: y * C**alpha, (1.0, 100.0)),
        amplitude("B", "shift of compute (GFLOP)", lambda C: C, (1e7, 1e11), (1e-3, 0.03, 1.0)),
        _alpha,
    ),
    family="broken and bounded", predicts="error",
    source="arXiv:2506.04598 (Nezhurina et al. 2025); coefficients not extracted",
    # By hand: C + B = 1e10, so 0.15 + 30 / 1e10^0.2 = 0.15 + 30 / 100.
    checks=(({"E": 0.15, "A": 30.0, "B": 4e9, "alpha": 0.2}, {"C": 6e9}, "0.45000000"),),
)  # fmt: skip

fsc_robot = Law(
    "fsc_robot", _fsc_robot,
    {"n": Input("demonstrations that vary one factor (count)", (5.0, 500.0), "not negative", scales=False),
     "n_0": Input("base demonstrations (count)", (5.0, 100.0), scales=False)},
    (Coef("a", POSITIVE, typical=(0.5, 3.0), meaning="failure rate at one demonstration"),
     slope("b", "exponent of the failure rate", typical=(0.1, 0.8))),
    family="broken and bounded", predicts="accuracy",
    source="arXiv:2505.07728 (Zha et al. 2025; b with its sign turned); coefficients not extracted",
    # By hand: n + n_0 = 100, so 1 - 2 / 100^0.5.
    checks=(({"a": 2.0, "b": 0.5}, {"n": 80.0, "n_0": 20.0}, "0.80000000"),),
)  # fmt: skip
