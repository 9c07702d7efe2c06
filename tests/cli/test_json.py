"""What --json prints is what docs/command_line.md says."""

import re
from pathlib import Path

import numpy as np
import pytest
from lines import CHINCHILLA, strict

import scalefit as sf
from scalefit.cli import main

PAGE = (Path(__file__).parents[2] / "docs" / "command_line.md").read_text()
# What the page describes in words.
WORDS = {"the inputs", "the columns of `--by`", "each hyperparameter with _lo", "and its errors by distance"}


def fields() -> dict[str, set[str]]:
    """Verb -> the fields that the page names."""
    told = {}
    for verbs, _, words in re.findall(r"^\| (`.*) \| (.*) \| (.*) \|$", PAGE, flags=re.MULTILINE):
        for verb in re.findall(r"`(\w+)`", verbs):
            told[verb] = {word.strip() for word in words.split(",")} - WORDS
    return told


TOLD = fields()


@pytest.fixture
def made(runs, tmp_path):
    """Verb -> the words after it, on tables of a few rows."""
    saved, menu, pairs = (str(tmp_path / name) for name in ("fit.json", "menu.csv", "pairs.csv"))
    main(["fit", runs, *CHINCHILLA, "--save", saved])
    Path(menu).write_text("N,D\n1e9,1e10\n1e8,1e11\n")
    C = [1e18, 1e19, 1e20]
    rows = [f"{name},{c},{3 * (c / 1e18) ** -0.05 * k}" for name, k in (("a", 1), ("b", 0.98)) for c in C]
    Path(pairs).write_text("\n".join(["recipe,C,loss", *rows]))
    bowl = str(tmp_path / "bowl.csv")
    rates = np.geomspace(1e-4, 1e-2, 9)
    Path(bowl).write_text("\n".join(["lr,loss", *(f"{r},{3 + np.log(r / 1e-3) ** 2 / 50}" for r in rates)]))
    size, step = np.geomspace(1 / 8, 8, 7), np.arange(20, 1001, 20)
    budget = np.repeat([1e18, 1e19, 1e20], 7)
    N = np.sqrt(budget / 120) * np.tile(size, 3)
    law = sf.laws.chinchilla
    valleys = sf.simulate(law, law.published["besiroglu2024"], {"N": N, "D": budget / 6 / N}, noise=1e-3)
    swept, log = str(tmp_path / "swept.csv"), str(tmp_path / "log.csv")
    table = zip(N, budget / 6 / N, budget, valleys["y"], strict=True)
    Path(swept).write_text("\n".join(["N,D,C,loss", *(",".join(map(str, row)) for row in table)]))
    Path(log).write_text("\n".join(["step,loss", *(f"{s},{2.7 + 20 / s**0.5}" for s in step)]))
    return {
        "fit": [runs, *CHINCHILLA],
        "show": [saved],
        "predict": [saved, "--N", "1e10", "--D", "1e12"],
        "optimal": [saved, "--C", "1e22"],
        "isoflop": [swept, "--budget", "C"],
        "plan": [saved, menu, "--budget", "1e25", "--target", "C=1e24"],
        "decide": [pairs, "--C", "1e22"],
        "gate": [pairs, "--recipe", "b", "--baseline", "a"],
        "sweep": [bowl, "--over", "lr", "--by"],
        "forecast": [log, "--steps", "2000"],
    }


def test_every_verb_prints_what_the_page_says(made, capsys):
    capsys.readouterr()
    for verb, words in made.items():
        main([verb, *words, "--json"])
        answer = strict(capsys.readouterr().out)
        rows = answer if isinstance(answer, list) else [answer]
        assert rows, verb
        needed = {name for name in TOLD[verb] if not name.startswith("_")}
        assert needed <= set(rows[0]), f"{verb} lacks {needed - set(rows[0])}"
