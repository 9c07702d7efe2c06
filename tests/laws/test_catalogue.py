"""The catalogue as a whole: the ids that must exist, the page generated from it, what is left out and why."""

from __future__ import annotations

import re
from pathlib import Path

import scalefit as sf
from scalefit.laws import document
from scalefit.laws.unclear import UNCLEAR

ROOT = Path(__file__).parents[2]
# The ids the field's papers are known by here; renaming one breaks users.
IDS = """
power power_floor chinchilla gadre_loss gadre_error gemstones_shape ghorbani_nmt kaplan_nd kaplan_ns
kaplan_nd_floor skaling busbridge_supervised busbridge_student muennighoff_repeat hernandez_transfer parscale
frantar_sparse panferov_capacity kumar_precision fp_quant clark_routed joint_moe krajewski_moe abnar_moe
farseer tao_vocab mist_penalised rectified_ft laion_compare fsc_robot goyal_utility shukor_additive
shukor_joint ye_mixing bimix dcpt fernandes_multi lr_annealing multi_power fsl brandfonbrener_l2l isik_bleu
owen_sigmoid scalerl passuntil mccandlish zhang_cbs rybkin_utd steplaw deepseek_hp porian_hp bergsma_tau bnsl
alabdulmohsin_m4 sparsing_law kbit_inference sorscher_pruning rosenfeld monkeys
"""


def test_every_promised_law_is_there():
    assert [name for name in IDS.split() if name not in sf.laws.names()] == []


def test_every_law_has_a_chapter():
    assert {law.family for law in sf.laws} <= set(document.FAMILIES)


def test_every_law_says_what_it_is():
    assert [law.name for law in sf.laws if not law.about] == []


def test_the_pages_are_what_the_declarations_say():
    pages = document.pages()
    assert {f"laws/{path.name}" for path in (ROOT / "docs" / "laws").iterdir()} | {"laws.md"} == set(pages)
    for path, text in pages.items():
        assert (ROOT / "docs" / path).read_text() == text


def test_one_page_holds_them_all():
    """A chapter of `scalefit laws --markdown` is a page but for the level of its headings."""
    whole = document.markdown()
    for path, text in document.pages().items():
        assert path == "laws.md" or re.sub("^#", "##", text, flags=re.MULTILINE) in whole
    assert set(re.findall(r"\]\(#([\w-]+)\)", whole)) == {
        family.replace(" ", "-") for family in document.FAMILIES
    }


def test_nothing_unclear_was_invented():
    assert not set(UNCLEAR) & set(sf.laws.names())


def test_adding_a_law_shows_a_file_that_exists():
    """docs/adding_a_law.md prints one of the law files, whole;
    the registry's tests run on it like on any other."""
    page = (ROOT / "docs" / "adding_a_law.md").read_text()
    shown = page.split("```python\n")[1].split("```")[0]
    assert shown == (ROOT / "src" / "scalefit" / "laws" / "_pearce_song.py").read_text()
    assert len(shown.splitlines()) < 25
    assert "pearce_song" in sf.laws.names()
