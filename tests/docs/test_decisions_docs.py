"""Everything docs/decisions.md shows is executed, and what it says about the answers is so."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import scalefit as sf
from scalefit.bench.decisions import sweeps

PAGE = (Path(__file__).parents[2] / "docs" / "decisions.md").read_text()
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
STUDY = json.loads((BENCHMARKS / "decisions.json").read_text())
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def shown():
    """The names left by the Python blocks, run in order."""
    names: dict = {}
    for k, text in enumerate(BLOCKS):
        exec(compile(text, f"decisions.md, block {k}", "exec"), names)
    return names


def test_calls_named_on_the_page_exist():
    for name in set(re.findall(r"`(?:sf|flops)\.(\w+)", PAGE)):
        assert hasattr(sf, name) or hasattr(sf.flops, name), name


def test_the_optimum_is_uncertain_and_far_answers_carry_a_code(shown):
    best = shown["best"]
    assert ((best["N_lo"] < best["N"]) & (best["N"] < best["N_hi"])).all()
    assert best["caution"].iloc[0] == ""
    assert "extrapolation" in best["caution"].iloc[-1]


def test_the_penalty_is_as_said(shown):
    """20 % too large costs 2 %, 2.4 times too large a third."""
    sizes = shown["sizes"].set_index("N")["penalty"]
    least = shown["needed"].loc[0, "N"]
    assert 4e5 / least == pytest.approx(1.2, abs=0.05)
    assert sizes[4e5] == pytest.approx(1.02, abs=0.01)
    assert 8e5 / least == pytest.approx(2.4, abs=0.1)
    assert sizes[8e5] == pytest.approx(1 + 1 / 3, abs=0.04)


def test_the_share_of_flops_is_as_said(shown):
    share = 6 * shown["main"]["n_params_no_embed"] * shown["main"]["n_tokens"] / shown["main"]["flops"]
    assert share.min() == pytest.approx(0.28, abs=0.005)
    assert share.max() == pytest.approx(0.84, abs=0.005)


def test_the_counting_is_known_and_shapes_cost_what_they_do(shown):
    assert shown["fit"].counting == "non-embedding"
    for found, cost in ((shown["by_count"], None), (shown["by_shape"], 1e14)):
        shape = shown["menu"][found.loc[0, "menu"]]
        assert found.loc[0, "N"] == shape.non_embedding
        assert found.loc[0, "D"] == pytest.approx(
            1e14 / (shape.train(1.0) if cost else 6 * shape.non_embedding)
        )


def test_haste_costs_what_the_page_says(shown):
    last = shown["hasty"].iloc[-1]
    assert 1 - last["D"] / (last["B"] * last["steps"]) == pytest.approx(0.45, abs=0.005)


def test_teachers_are_as_described(shown):
    stored, paid = shown["stored"].iloc[0], shown["paid"].iloc[0]
    assert (stored["N_T"], paid["N_T"]) == (1e10, 1e9)
    supervised = sf.laws.busbridge_supervised
    without = supervised(supervised.published["busbridge2025"], {"N": 1e9, "D": 1e21 / 6e9})
    assert stored["loss"] < without < paid["loss"]


def test_mixtures_sum_to_one_within_limits(shown):
    mixture, fewer = shown["mixture"].iloc[0], shown["fewer_books"].iloc[0]
    assert mixture[["web", "code", "books"]].sum() == pytest.approx(1)
    assert fewer["books"] == pytest.approx(0.1)
    assert fewer["loss"] > mixture["loss"]
    # The interval holds the best mixture of the truth.
    law, at = shown["law"], {f"h_{k}": name for k, name in enumerate(("web", "code", "books"), 1)}
    truth = {name: {"c": 1.5, "t_1": t[0], "t_2": t[1], "t_3": t[2]} for name, t in shown["effects"].items()}
    best = sf.optimal_mixture(dict.fromkeys(truth, law), coefs=truth, weights=shown["weights"]).iloc[0]
    for share, name in at.items():
        assert mixture[f"{name}_lo"] - 0.003 <= best[share] <= mixture[f"{name}_hi"] + 0.003


def test_repetition_has_no_interval_and_more_epochs_with_more_compute(shown):
    repeated = shown["repeated"]
    assert not [name for name in repeated.columns if name.endswith("_lo")]
    assert (np.diff(repeated["epochs"]) > 0).all()


def test_the_exponent_said_is_the_true_one_and_the_joint_law_holds_it(shown):
    a = shown["truth"]["beta"] / (shown["truth"]["alpha"] + shown["truth"]["beta"])
    assert f"C^{a:.3f}" in PAGE
    joint = shown["ways"].set_index("approach").loc["3 joint law"]
    assert joint["a_lo"] <= a <= joint["a_hi"]


def test_the_sweep_finds_the_laws_that_made_it(shown):
    found = shown["found"]
    assert found.cells["used"].all()
    assert len(found.apart) >= int(np.isnan(shown["loss"]).sum())
    rate, batch = shown["law_of_lr"].conf_int(0.9), shown["law_of_batch"].conf_int(0.9)
    for name in ("a", "b"):
        assert rate.loc[name, "lo"] < shown["step_law"]["lr"][name] < rate.loc[name, "hi"]
    assert batch.loc["b", "lo"] < shown["step_law"]["batch"]["b"] < batch.loc["b", "hi"]
    assert len(shown["tuned"].data) == len(found.cells)


def test_recipes_and_plan_are_as_described(shown):
    assert shown["choice"]["probability"].sum() == pytest.approx(1)
    assert {"share", "C_lo", "C_hi"} <= set(shown["crossings"].columns)
    assert shown["plan"].after < shown["plan"].before
    assert shown["plan"].spent <= 1e15


def test_the_bias_said_is_that_of_the_task():
    """Best sizes at ten and a hundred times the largest budget over the true ones, of the uneven surface."""

    def off(method, noise=0.0):
        studies = 10 if noise else 1
        for case in (c for c in sweeps(noise, studies) if c.name.startswith("uneven")):
            for _, study in case.train.groupby("study"):
                found = sf.isoflop(study, budget="flops", y="y", method=method)
                yield case.name, found.predict([1e22, 1e23])["N"].to_numpy() / case.test["y"][:2].to_numpy()

    parabola, cubic = dict(off("parabola")), dict(off("cubic"))
    assert parabola["uneven, 16x, centred"] == pytest.approx([1.28, 1.28], abs=0.006)
    assert max(np.max(np.abs(ratios - 1)) for ratios in cubic.values()) < 0.04
    assert 1 - parabola["uneven, 4x, drifting to 0.4x"] == pytest.approx([0.06, 0.09], abs=0.005)
    noisy: dict[str, list[float]] = {}
    for name, ratios in off("akima", 0.003):
        noisy.setdefault(name, []).append(np.log(ratios[0]))
    # Of ten studies a standard deviation is known to a quarter.
    assert all(1.1 < np.exp(np.std(each, ddof=1)) < 1.6 for each in noisy.values())


def test_the_figures_said_are_those_of_the_study():
    grid = {line["setting"]: line for line in STUDY["plan"]}
    line = [
        found["ratio optimal line"][0]
        for name, found in grid.items()
        if "in a grid" in name and "uneven" not in name
    ]
    assert (min(line), max(line)) == (pytest.approx(2.5, abs=0.05), pytest.approx(4.4, abs=0.05))
    uneven = grid["24 runs in a grid, 1e20 more, uneven surface"]
    assert uneven["ratio grid"][0] == pytest.approx(1.9, abs=0.05)
    assert uneven["share below 1, optimal line"] == pytest.approx(0.42, abs=0.005)
    scores: dict[str, dict[str, list[float]]] = {}
    for text in (BENCHMARKS / "results" / "decisions.jsonl").read_text().splitlines():
        line = json.loads(text)
        scores.setdefault(line["task"], {}).setdefault(line["method"], []).append(line["score"])
    ranked = {task: by for task, by in scores.items() if "sf.decide" in by}
    gain = np.array([np.mean(by["sf.decide"]) - np.mean(by["last value"]) for by in ranked.values()])
    assert len(gain) == 13
    assert gain.mean() == pytest.approx(0.011, abs=5e-4)
    assert gain.std(ddof=1) / np.sqrt(13) == pytest.approx(0.003, abs=5e-4)
    assert gain.min() > -1e-9
    porian = ranked["decisions/porian_isoflop"]
    assert len(porian["last value"]) == 39
    assert np.mean(porian["last value"]) == pytest.approx(0.82, abs=0.005)
    assert np.mean(porian["power_floor"]) == pytest.approx(0.64, abs=0.005)
