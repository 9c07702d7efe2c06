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
    """Relative improvement of the log loss over a reference in % by compute per example, rising:
    A x^alpha - 100, near a straight line in log x."""
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


# Henighan et al. 2020 (arXiv:2010.14701) by domain as the review of Villalobos 2023 (Epoch, Scaling laws
# literature review) lists them: the paper prints (x_0 / x)^alpha, here A = x_0^alpha with its printed two
# digits in alpha.
_BY_SIZE = (
    "x in parameters without embeddings; arXiv:2010.14701 as listed by Epoch's review, two digits in alpha"
)
_BY_COMPUTE = "x in FLOP; arXiv:2010.14701 as listed by Epoch's review, two digits in alpha"
_BY_DOMAIN = {
    "image_8": ((3.12, 2.862, 0.24), (3.13, 207.2, 0.19)),
    "image_16": ((2.64, 3.454, 0.22), (2.64, 87.59, 0.16)),
    "image_32": ((2.20, 1.713, 0.13), (2.21, 14.10, 0.10)),
    "image_vq_16": ((3.99, 3.767, 0.13), (4.09, 32.31, 0.11)),
    "image_vq_32": ((3.07, 3.972, 0.14), (3.17, 52.74, 0.12)),
    "video_vq": ((1.01, 12.48, 0.24), (0.95, 137.7, 0.14)),
    "mathematics": ((0.28, 4.432, 0.16), (0.14, 366.4, 0.17)),
}
_HENIGHAN = {
    f"henighan2020_{domain}_by_{what}": {"E": E, "A": A, "alpha": alpha}
    for domain, fits in _BY_DOMAIN.items()
    for what, (E, A, alpha) in zip(("size", "compute"), fits, strict=True)
}

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
        "henighan2020_language_by_size": {"A": 9.810, "alpha": 0.07},
        "henighan2020_language_by_compute": {"A": 23.27, "alpha": 0.048},
        "henighan2020_text_to_image_text_by_size": {"A": 2.107, "alpha": 0.037},
        "henighan2020_caption_text_by_size": {"A": 2.212, "alpha": 0.039},
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
        "cherti2022_laion_imagenet": {"A": 5.808, "alpha": 0.1109},
        "cherti2022_clip_imagenet": {"A": 23.18, "alpha": 0.1638},
        "cherti2022_laion_coco_retrieval": {"A": 2.804, "alpha": 0.0798},
        "cherti2022_clip_coco_retrieval": {"A": 1.589, "alpha": 0.0508},
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
        **dict.fromkeys(("henighan2020_language_by_size", "henighan2020_text_to_image_text_by_size",
                         "henighan2020_caption_text_by_size"), _BY_SIZE),
        "henighan2020_language_by_compute": _BY_COMPUTE,
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
        **dict.fromkeys(
            ("cherti2022_laion_imagenet", "cherti2022_clip_imagenet", "cherti2022_laion_coco_retrieval",
             "cherti2022_clip_coco_retrieval"),
            "x in GMACs of samples seen; zero-shot error; fitted again to the best of each fifth of the "
            "released models in log x, which gives the printed exponents 0.11, 0.16, 0.08 and 0.05; "
            "arXiv:2212.07143",
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
    "the form of loss by width (arXiv:2505.10465, exponent 0.91 over families of models), by "
    "context length (arXiv:2309.16039), along a compute frontier (arXiv:2406.19146)",
    published={"hoffmann2022_tokens": {"E": 1.6934, "A": 410.7, "alpha": 0.2849},
               "hoffmann2022_parameters": {"E": 1.6934, "A": 406.4, "alpha": 0.3392},
               **_HENIGHAN,
               "ardalani2022_by_data": {"E": 0.98, "A": 0.07, "alpha": 0.10},
               "ardalani2022_by_compute": {"E": 0.98, "A": 0.11, "alpha": 0.14}},
    notes={"hoffmann2022_tokens": "the two-term law at infinite size; x in tokens",
           "hoffmann2022_parameters": "the two-term law at infinite data; x in parameters",
           **{label: _BY_SIZE if label.endswith("size") else _BY_COMPUTE for label in _HENIGHAN},
           **dict.fromkeys(("ardalani2022_by_data", "ardalani2022_by_compute"),
                           "recommendation, normalised cross-entropy; arXiv:2208.08489 as listed by Epoch's "
                           "review, "
                           "x in its units")},
    checks=(("hoffmann2022_tokens", {"x": 1.4e12}, 1.835663),
            # By hand: 3.12 + 2.862 / 1e8^0.24 = 3.12 + 2.862 / 83.17638.
            ("henighan2020_image_8_by_size", {"x": 1e8}, "3.154409")),
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
    source="arXiv:2402.17152 (Zhai et al. 2024, generative recommenders); arXiv:2308.03712 (video data; its "
           "three inputs are orhan_visual)",
    published={"zhai2024_hstu_hit_rate_100": {"a": 0.15, "b": 0.0195},
               "zhai2024_hstu_hit_rate_500": {"a": 0.395, "b": 0.0212},
               "zhai2024_hstu_normalised_entropy": {"a": 0.549, "b": -0.0053}},
    notes={"zhai2024_hstu_hit_rate_100": "retrieval, HR@100; x is training compute in the paper's unit",
           "zhai2024_hstu_hit_rate_500": "retrieval, HR@500; x is training compute in the paper's unit",
           "zhai2024_hstu_normalised_entropy": "ranking, where less is better; x is training compute in the "
                                               "paper's unit"},
    checks=(("zhai2024_hstu_hit_rate_100", {"x": 1e6}, "0.4194025"),
            # By hand: 0.549 - 0.0053 * 13.815511.
            ("zhai2024_hstu_normalised_entropy", {"x": 1e6}, "0.4757778")),
)  # fmt: skip

wukong_power = Law(
    "wukong_power", _wukong_power, {"x": Input("compute per example (GFLOP)", (1.0, 1000.0))},
    (Coef("A", POSITIVE, typical=(99.0, 101.0), meaning="100 and the improvement at x = 1, %",
          unit=lambda x, alpha: x**-alpha),
     slope("alpha", "exponent; near 0 the law is a straight line in log x", (1e-4, 1e-3, 0.01, 0.1),
           (2e-4, 0.01))),
    family="power terms", predicts="change",
    source="arXiv:2403.02545 (Zhang et al. 2024, Wukong)",
    published={"zhang2024": {"A": 99.56, "alpha": 0.00071}},
    notes={"zhang2024": "above 0 is better than the reference; about 0.1 % better per fourfold compute"},
    checks=(("zhang2024", {"x": 100.0}, "-0.1139388"),),
)  # fmt: skip


def _orhan_visual(D, N, R, *, a, b_D, b_N, b_R):
    """Accuracy by hours of video, parameters and resolution: a straight line in each logarithm."""
    return a + b_D * log(D) + b_N * log(N) + b_R * log(R)


orhan_visual = Law(
    "orhan_visual", _orhan_visual,
    {"D": Input("video seen (hours)", (10.0, 1e5), scales=False),
     "N": Input("parameters (count)", (1e7, 3e9), scales=False),
     "R": Input("resolution (pixels per side)", (112.0, 1000.0), scales=False)},
    (Coef("a", REAL, typical=(-1.0, 1.0), meaning="value where all inputs are 1"),
     *(Coef(name, REAL, typical=(0.0, 0.1), meaning=f"gain per e-fold of {what}")
       for name, what in (("b_D", "hours"), ("b_N", "parameters"), ("b_R", "resolution")))),
    family="power terms", predicts="accuracy",
    source="arXiv:2308.03712 (Orhan 2023; coefficients not extracted)",
    # By hand, with inputs e^2, e^4 and e: 0.1 + 0.02 * 2 + 0.03 * 4 + 0.05.
    checks=(({"a": 0.1, "b_D": 0.02, "b_N": 0.03, "b_R": 0.05},
             {"D": 7.38905609893065, "N": 54.598150033144236, "R": 2.718281828459045}, "0.31000000"),),
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

zhai_vit = laion_compare.instance(
    "zhai_vit",
    "Error of vision transformers by compute, with a shift that bends the beginning of the curve.",
    {"C": Input("compute (TPUv3 core-days)", (1.0, 1e5))},
    source="arXiv:2106.04560, figure 2 (Zhai et al. 2021, Scaling vision transformers)",
    coefs=(_E,
           amplitude("A", "reducible error at C + B = 1", lambda y, C, alpha: y * C**alpha, (0.1, 1.0)),
           amplitude("B", "shift of compute (core-days)", lambda C: C, (0.01, 1.0), (1e-3, 0.03, 1.0)),
           _alpha),
    published={"zhai2021_finetuned": {"E": 0.09, "A": 0.26, "B": 0.01, "alpha": 0.35},
               "zhai2021_10_shot": {"E": 0.12, "A": 0.63, "B": 0.52, "alpha": 0.32}},
    notes=dict.fromkeys(("zhai2021_finetuned", "zhai2021_10_shot"),
                        "ImageNet, two digits, as listed by Epoch's review"),
    # By hand: 0.09 + 0.26 / 1e4^0.35 = 0.09 + 0.26 / 25.11886, C + B being 1e4 to the digits shown.
    checks=(("zhai2021_finetuned", {"C": 1e4}, "0.10035"),),
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
