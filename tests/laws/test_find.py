"""Finding a law, and reading it: nicknames and papers, names that are refused, formulas as plain text and
LaTeX."""

from __future__ import annotations

import math
import pydoc
import re

import pytest

import scalefit as sf
from scalefit.core.plain import plain
from scalefit.laws.simulate import usual


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("hoffmann", "chinchilla"),
        ("besiroglu", "chinchilla"),
        ("Besiroglu 2024", "chinchilla"),
        ("chinchilla approach 3", "chinchilla"),
        ("approach 2", "isoflop_parabola"),
        ("2102.01293", "hernandez_transfer"),
        ("arXiv:2305.16264v4", "muennighoff_repeat"),
        ("data constrained", "muennighoff_repeat"),
        ("goodhart", "gao_best_of_n"),
        ("vocabulary", "tao_vocab"),
        ("krajewski", "krajewski_moe"),
        ("dettmers", "kbit_inference"),
        ("moe", "clark_routed"),
        ("mixtures", "shukor_additive"),
        ("multilingual", "fernandes_multi"),
        ("distillation", "busbridge_student"),
        ("ling", "tian_leverage"),
    ],
)
def test_a_law_is_found_by_what_it_is_called(words, first):
    assert sf.laws.find(words)[0].name == first


def test_words_narrow_and_other_conditions_hold():
    assert {law.name for law in sf.laws.find("mixture of experts", predicts="loss")} >= {
        "joint_moe",
        "abnar_moe",
    }
    assert {law.family for law in sf.laws.find("kaplan", family="coupled sums")} == {"coupled sums"}
    assert sf.laws.find("N") == sf.laws.find({"N"})


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"inputs": {"N", "DD"}}, "input 'DD'; did you mean D"),
        ({"inputs": ["n_params"]}, "no law has the input 'n_params'"),
        ({"family": "link"}, "family 'link'; did you mean links"),
        ({"predicts": "losses"}, "output 'losses'; did you mean loss"),
        ({"inputs": "hofmann"}, "known by 'hofmann'; did you mean hoffmann"),
        ({"inputs": "9999.99999"}, "no law is known by '9999.99999'"),
        ({"inputs": ""}, "no law is known by ''"),
    ],
)
def test_what_no_law_has_is_refused(asked, says):
    with pytest.raises(ValueError, match=says):
        sf.laws.find(**asked)


def test_every_law_is_found_by_its_name_and_its_paper():
    for law in sf.laws:
        assert law in sf.laws.find(law.name), law.name
        paper = law.source.split("arXiv:")[-1][:10] if "arXiv:" in law.source else law.name
        assert law in sf.laws.find(paper), paper


# --- plain text


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"E + \frac{A}{N^{\alpha}} + \frac{B}{D^{\beta}}", "E + A / N^alpha + B / D^beta"),
        (r"\frac{A + B}{C D} x", "((A + B) / (C D)) x"),
        (r"a \frac{b}{c}", "a (b / c)"),
        (r"e^{-k x} - e^{b}", "exp(-k x) - exp(b)"),
        (r"\left(\frac{N_{c}}{N}\right)^{\alpha_{N} / \alpha_{D}}", "(N_c / N)^(alpha_N / alpha_D)"),
        (r"\sum_{i \le k} \eta_{i-1}", "sum_(i<=k) eta_(i-1)"),
        (r"\sqrt{x^{2}}", "sqrt(x^2)"),
        (r"\log_{2} x \geq \hat E", "log_2 x >= Ehat"),
    ],
)
def test_plain_text(latex, text):
    assert plain(latex) == text


def test_every_formula_is_plain():
    for law in sf.laws:
        assert not set("\\{}$") & set(law.plain), law.plain
        assert law.plain.count("(") == law.plain.count(")"), law.plain
        assert law._repr_latex_().startswith("$"), law.name


@pytest.mark.parametrize(
    "name", ["chinchilla", "kaplan_nd", "skaling", "abnar_moe", "krajewski_moe", "gao_rl", "farseer"]
)
def test_plain_text_is_the_law(name):
    """Read as arithmetic, the text gives the law's own number."""
    law = sf.laws[name]
    coefs = usual(law)
    x = {key: 3.0 if known.typical[0] > 1 else 0.5 for key, known in law.domain.items()}
    words = "|".join(sorted(map(re.escape, (*law.inputs, *law.names)), key=len, reverse=True))
    text = re.sub(r"(?<=[\w)]) (?=[\w(])", " * ", law.plain.replace("^", "**"))
    assert re.search(words, text)
    value = eval(text, {"exp": math.exp, "log": math.log, **coefs, **x})
    assert value == pytest.approx(float(law(coefs, x)), rel=1e-12)


def test_a_fit_prints_its_formula_as_text():
    table = sf.simulate(sf.laws.chinchilla, n=30)
    shown = str(sf.fit("chinchilla", table, y="y"))
    assert "L(N, D) = E + A / N^alpha + B / D^beta" in shown
    assert "\\" not in shown


def test_help_is_about_the_law():
    text = pydoc.render_doc(sf.laws.chinchilla, renderer=pydoc.plaintext)
    for part in (
        "L(N, D) = E + A / N^alpha + B / D^beta",
        "training tokens",
        "hoffmann2022",
        "arXiv:2203.15556",
    ):
        assert part in text
        assert part in sf.laws.chinchilla.__doc__
    assert sf.Law.__doc__.startswith("A pure function")
    assert "sf.laws.ye_mixing.sized(domain=3)" in sf.laws.ye_mixing.__doc__
    assert sf.laws.ye_mixing.sized(domain=5).lists == {"domain": 5}
    assert sf.laws.chinchilla.lists == {}


def test_functions_of_the_laws_module():
    """Zhang et al. 2024 (arXiv:2410.21676): 745.3 sequences for 85M; Tao et al. 2024 (arXiv:2407.13623): 43K
    entries."""
    assert sf.laws.critical_batch(sf.laws.zhang_cbs.published["zhang2024_85m"]) == pytest.approx(
        745.3, abs=0.1
    )
    coefs = sf.laws.tao_vocab.published["tao2024"]
    assert sf.laws.best_vocabulary(coefs, 2.87e9, 3200, 2.3e21) == pytest.approx(43e3, rel=0.03)
    for wrong in ({"N_nv": 0.0}, {"width": "wide"}, {"C": float("inf")}, {"coefs": {"B": 1.0}}):
        with pytest.raises(ValueError, match=r"must be|missing"):
            sf.laws.best_vocabulary(**{"coefs": coefs, "N_nv": 1e9, "width": 1024.0, "C": 1e20, **wrong})
    for wrong in ({"coefs": {"a": 1.0}}, {"B_0": 0.0}, {"overhead": -1.0}):
        with pytest.raises(ValueError, match=r"must be|missing"):
            sf.laws.critical_batch(**{"coefs": {"a": 1.0, "b": 2.0}, **wrong})
