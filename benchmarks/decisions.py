"""Studies of the decision tools: the worth of a plan, what sf.decide takes as usual.

    python benchmarks/decisions.py [plan] [honest] [left_out] [--studies 40]

Each part named (all where none is) is computed anew and written to decisions.json; decisions.md shows every
part there is. `honest` and `left_out` read the public tables of the suite's decisions/*.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import scalefit as sf
from scalefit.bench import decisions as suite
from scalefit.decisions.decide import USUAL as VALUES
from scalefit.decisions.decide import gaps_at
from scalefit.uncertainty import checkpoints

HERE = Path(__file__).parent
LAW = sf.laws.get("chinchilla")
# Stated probabilities of the likelier recipe.
EDGES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)

# Studies of next_runs: first runs, budget, target, and the truth.
BESIROGLU = dict(LAW.published["besiroglu2024"])
TARGET = {"N": np.array([7e10]), "D": np.array([1.4e12])}
NEAR = {"N": np.array([1e9]), "D": np.array([2e10])}
LONG = {"N": np.array([1e10]), "D": np.array([2e12])}
GRID = (np.geomspace(1e7, 3e8, 6), (5, 12, 30, 80))
RAY = (np.geomspace(1e7, 3e8, 24), (20,))
PLANS: dict[str, tuple] = {
    "24 runs in a grid, 1e20 FLOPs more": (GRID, 1e20, TARGET, BESIROGLU),
    "24 runs in a grid, 1e21 FLOPs more": (GRID, 1e21, TARGET, BESIROGLU),
    "24 runs at 20 tokens per parameter, 1e20 more": (RAY, 1e20, TARGET, BESIROGLU),
    "the same, target at 200 tokens per parameter": (RAY, 1e20, LONG, BESIROGLU),
    "24 runs in a grid, 1e20 more, target within a decade": (GRID, 1e20, NEAR, BESIROGLU),
    "24 runs in a grid, 1e20 more, uneven surface": (GRID, 1e20, TARGET, suite.SURFACES["uneven"]),
}
SD = 0.005


def plan(studies: int, out: Path) -> Iterator[dict[str, Any]]:
    """FLOPs of the usual grids that reach the plan's width at the target, over those of the plan.

    Every study is written down as it ends, so that a killed run goes on where it was.
    """
    file = out.with_suffix(".plan.jsonl")
    made = {
        (part["setting"], part["key"]): part["study"]
        for part in checkpoints.resume(file, {"what": "studies of next_runs"})
    }
    candidates = _cross(np.geomspace(1e7, 3e9, 8), (2, 5, 12, 30, 80, 200))
    for name, (first, budget, target, truth) in PLANS.items():
        ratios: dict[str, list[float]] = {usual: [] for usual in USUAL}
        widths, off = [], {"plan": [], **{usual: [] for usual in USUAL}}
        for key in range(studies):
            if (name, key) in made:
                study = made[name, key]
            else:
                study = _planned(_cross(*first), budget, target, truth, candidates, key)
                checkpoints.append(file, {"setting": name, "key": key, "study": study})
            if study is None:
                continue
            widths.append(study[0])
            for found, values in ((ratios, study[1]), (off, study[2])):
                for label, value in values.items():
                    found[label].append(value)
        line: dict[str, Any] = {"setting": name, "studies": studies, "empty": studies - len(widths)}
        line |= dict(
            zip(
                ("before", "after", "said before", "said after"),
                np.median(widths, axis=0).tolist(),
                strict=True,
            )
        )
        for usual, found in ratios.items():
            line[f"ratio {usual}"] = np.quantile(found, [0.5, 0.1, 0.9]).tolist()
            line[f"share above 2, {usual}"] = float(np.mean(np.array(found) >= 2))
            line[f"share below 1, {usual}"] = float(np.mean(np.array(found) < 1))
        line["error at equal cost"] = {k: float(np.sqrt(np.mean(np.square(v)))) for k, v in off.items()}
        yield line
    file.unlink()


def _planned(x, budget: float, target, truth, candidates, key: int) -> tuple | None:
    """One study: widths, FLOPs of the usual designs over the plan's, errors at equal cost;
    None where the plan is empty."""
    before = sf.fit(LAW, sf.simulate(LAW, truth, x, noise=SD, key=key), key=key)
    chosen = sf.next_runs(before, candidates, budget, {n: float(v[0]) for n, v in target.items()})
    if not len(chosen.runs):
        return None
    new = {n: chosen.runs[n].to_numpy() for n in ("N", "D")}
    after = _width(truth, target, x, new)
    ratio, designs = {}, {"plan": new}
    for usual, design in USUAL.items():
        width = lambda C, design=design: _width(truth, target, x, design(before, C))  # noqa: E731
        ratio[usual] = _same(width, after, chosen.spent) / chosen.spent
        designs[usual] = design(before, chosen.spent)
    off = {label: _error(truth, target, x, extra, 1000 + key) for label, extra in designs.items()}
    return (_width(truth, target, x), after, chosen.before, chosen.after), ratio, off


def _cross(N, ratios) -> dict[str, np.ndarray]:
    size = np.repeat(N, len(ratios))
    return {"N": size, "D": size * np.tile(np.array(ratios, float), len(N))}


def _line(fit: sf.Fit, spent: float) -> dict[str, np.ndarray]:
    """Eight compute-optimal runs under the first fit, budgets over a factor of 60."""
    C = np.geomspace(1, 60, 8)
    best = sf.optimal(fit, C=C * spent / C.sum())
    return {n: best[n].to_numpy() for n in ("N", "D")}


def _square(fit: sf.Fit, spent: float) -> dict[str, np.ndarray]:
    """Four sizes over a factor of 8 at 5, 20 and 80 tokens per parameter."""
    x = _cross(np.geomspace(1, 8, 4), (5, 20, 80))
    unit = np.sqrt(spent / np.sum(6 * x["N"] * x["D"]))
    return {n: v * unit for n, v in x.items()}


USUAL: dict[str, Callable] = {"optimal line": _line, "grid": _square}


def _slopes(c, x) -> np.ndarray:
    """Derivatives of log L by the coefficients' logarithms, (rows, 5)."""
    n, d = c["A"] * x["N"] ** -c["alpha"], c["B"] * x["D"] ** -c["beta"]
    parts = [np.full_like(n, c["E"]), n, d, -c["alpha"] * np.log(x["N"]) * n, -c["beta"] * np.log(x["D"]) * d]
    return np.stack(parts, axis=1) / (c["E"] + n + d)[:, None]


def _width(c, target, *designs) -> float:
    """Relative half-width of the first-order 90 % interval at the target,
    at the true coefficients and the true noise."""
    J = np.concatenate([_slopes(c, x) for x in designs]) / SD
    g = _slopes(c, target)[0]
    return float(1.645 * np.sqrt(g @ np.linalg.solve(J.T @ J + 1e-6 * np.eye(5), g)))


def _same(width: Callable[[float], float], goal: float, spent: float) -> float:
    """FLOPs at which a design is as narrow as the goal; at most a million times those spent."""
    lo, hi = np.log(spent) - np.log(1e3), np.log(spent) + np.log(1e6)
    for _ in range(30):
        middle = (lo + hi) / 2
        wide = width(float(np.exp(middle))) > goal
        lo, hi = (middle, hi) if wide else (lo, middle)
    return float(np.exp((lo + hi) / 2))


def _error(c, target, x, extra, key: int) -> float:
    """Error of the log loss at the target when the first runs and these are made and fitted."""
    both = {n: np.concatenate([x[n], extra[n]]) for n in ("N", "D")}
    fit = sf.fit(LAW, sf.simulate(LAW, c, both, noise=SD, key=key), key=key)
    return float(np.log(LAW(fit.coefs, target)[0] / LAW(c, target)[0]))


def honest(studies: int, out: Path) -> Iterator[dict[str, Any]]:
    """Per set of `decisions/*`: the probability that `sf.decide` gives the likelier of two recipes, and how often it won."""
    for ladders in suite.SETS:
        stated, won, every = [], [], [suite.thinned(one) for one in ladders()]
        least = min(2, max(len(C) for _, _, C, _ in every) - 1)
        for _, _, C, loss in every:
            (i, j), first = _pairs(loss)
            for K in range(least, len(C)):
                _, drawn = gaps_at(C[:K], loss[:, :K], C[-1])
                below = np.array([np.mean(drawn[:, a] < drawn[:, b]) for a, b in zip(i, j, strict=True)])
                stated.append(np.maximum(below, 1 - below))
                won.append(np.where(below >= 0.5, first, ~first))
        p, right = np.concatenate(stated), np.concatenate(won)
        line: dict[str, Any] = {"set": ladders.__name__}
        for lo, hi in pairwise(EDGES):
            rows = (p >= lo) & ((p < hi) | (hi == 1.0))
            line[f"{lo:g} to {hi:g}"] = (
                [float(p[rows].mean()), float(right[rows].mean()), int(rows.sum())] if rows.any() else None
            )
        yield line


def left_out(studies: int, out: Path) -> Iterator[dict[str, Any]]:
    """Per set: the `USUAL` values of `sf.decide` that gain most on the other sets, by two measures, and their gain on this one."""
    found = {
        each.__name__: [one for one in map(suite.thinned, each()) if len(one[2]) > 2] for each in suite.SETS
    }
    sets = [name for name, own in found.items() if own]
    grid = [((v, 1.2), memory, (noise, 1.0), *VALUES[3:]) for v in (-3.5, -2.5, -1.5)
            for memory in ((-0.5, 0.3), (-0.5, 1.0), (0.5, 0.3), (0.5, 1.0), (1.5, 0.3), (1.5, 1.0)) for noise in (-3.0, -2.5)]  # fmt: skip
    gains = np.array([[_gain(found[name], usual) for name in sets] for usual in grid])
    # The second measure takes no more than a point from any set, so that none is lost for another's sake.
    for measure, worth in (
        ("mean gain", gains),
        ("mean gain, at most 1 point from each", np.minimum(gains, 0.01)),
    ):
        for k, name in enumerate(sets):
            best = int(np.argmax(np.mean(np.delete(worth, k, axis=1), axis=1)))
            yield {"measure": measure, "set": name, "v, memory, noise": [list(part) for part in grid[best][:3]],
                   "gain": float(gains[best, k]), "usual gain": float(gains[grid.index(VALUES), k])}  # fmt: skip


def _pairs(loss: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Pairs of recipes that differ at the last scale, and whether the first is the better."""
    i, j = np.triu_indices(len(loss), 1)
    told = loss[i, -1] != loss[j, -1]
    return (i[told], j[told]), (loss[i, -1] < loss[j, -1])[told]


def _gain(ladders, usual) -> float:
    """Share of pairs that `gaps_at` tells right less that of the ranking, ladders and scales alike."""
    out = []
    for _, _, C, loss in ladders:
        (i, j), first = _pairs(loss)
        for K in range(2, len(C)):
            centre, _ = gaps_at(C[:K], loss[:, :K], C[-1], n_draws=1, usual=usual)
            right = [np.where(s[i] == s[j], 0.5, (s[i] < s[j]) == first) for s in (centre, loss[:, K - 1])]
            out.append(np.mean(right[0]) - np.mean(right[1]))
    return float(np.mean(out))


PARTS: dict[str, Callable] = {"plan": plan, "honest": honest, "left_out": left_out}


WORDS = {
    "plan": (
        "What next_runs saves",
        f"Chinchilla's law, noise {SD:.1%}. Width: relative half-width of the 90 % interval at the target, at the true "
        "coefficients. Ratio: FLOPs that the usual runs need for the plan's width, over the plan's: median (10 % to 90 % of "
        "studies), never where a million times is not enough; share of at least 2. Optimal line: eight compute-optimal runs; "
        "grid: four sizes by three ratios; both anywhere in size. Error: root mean square of log loss at the target after a "
        "new fit, all spending what the plan spends.",
    ),
    "honest": (
        "Are the probabilities of sf.decide honest?",
        "Pairs of recipes of the suite's `decisions/*` by the probability given to the likelier: stated, share that won, pairs.",
    ),
    "left_out": (
        "Values chosen without each set",
        "What `sf.decide` takes as usual was set with all of these tables in view. Here v, the memory and the noise (mean and "
        "standard deviation of their logarithms) are chosen from a grid by the other sets alone; the gain is on the set left "
        "out, in points. The second measure counts no more than a point per set.",
    ),
}


def shown(part: str, line: dict[str, Any]) -> dict[str, str]:
    """A line of a part's table."""
    if part == "honest":
        cells = {
            name: "{:.2f}: {:.2f} ({})".format(*each) if each else ""
            for name, each in line.items()
            if name != "set"
        }
        return {"set": line["set"], **cells}
    if part == "left_out":
        values = "; ".join(f"{m:g} ({sd:g})" for m, sd in line["v, memory, noise"])
        gains = {"gain there": line["gain"], "gain of the usual values": line["usual gain"]}
        told = {name: f"{100 * gain:+.1f}" for name, gain in gains.items()}
        return {"chosen by": line["measure"], "without": line["set"], "v; memory; noise": values, **told}
    ratio = {
        f"ratio, {usual}": "{} ({} to {}); {:.0%}".format(
            *("never" if r > 9e5 else f"{r:.2g}" for r in line[f"ratio {usual}"]),
            line[f"share above 2, {usual}"],
        )
        for usual in USUAL
    }
    return {
        "setting": line["setting"],
        "studies (empty plans)": f"{line['studies']} ({line['empty']})",
        "width": f"{line['before']:.2%} to {line['after']:.2%}",
        "promised": f"{line['said after']:.2%}",
        **ratio,
        "error at equal cost": ", ".join(f"{k} {v:.2%}" for k, v in line["error at equal cost"].items()),
    }


def page(known: dict[str, Any]) -> str:
    """decisions.md."""
    text = ["# Decisions, measured", "Rerun with `python benchmarks/decisions.py [plan] [honest] [left_out]`. How far off each isoFLOP "
            "approach is by itself is the suite's `decisions/bias`, exponents of public sweeps `published/porian`, which recipe wins `decisions/*`."]  # fmt: skip
    for part, (title, words) in WORDS.items():
        if part in known:
            text += [
                f"## {title}",
                words,
                sf.to_markdown(pd.DataFrame([shown(part, line) for line in known[part]])),
            ]
    gains = pd.DataFrame(known.get("left_out", []), columns=["measure", "gain"]).groupby(
        "measure", sort=False
    )["gain"]
    text += [f"By {name}: {100 * each.mean():+.2f} points on the sets left out (standard error {100 * each.sem():.2f})."
             for name, each in gains]  # fmt: skip
    return "\n\n".join(text) + "\n"


def main() -> None:
    """Compute the parts asked for and write both files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", default=list(PARTS), help=", ".join(PARTS))
    parser.add_argument("--studies", type=int, default=40)
    parser.add_argument("--out", type=Path, default=HERE / "decisions.json")
    asked = parser.parse_args()
    for name in asked.parts:
        lines = []
        for line in PARTS[name](asked.studies, asked.out):
            print(line, flush=True)
            lines.append(line)
            known = json.loads(asked.out.read_text()) if asked.out.exists() else {}
            # Lines not yet made anew stand as they were.
            known[name] = lines + known.get(name, [])[len(lines) :]
            asked.out.write_text(json.dumps(known, indent=1) + "\n")
            asked.out.with_suffix(".md").write_text(page(known))


if __name__ == "__main__":
    main()
