"""The gallery: every picture of `sf.plot`, by the code that stands above it.

    python docs/gallery.py

writes docs/gallery.md and its pictures in docs/gallery/. A test runs the same code and compares the page.
"""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
# Dots per inch of the pictures, 5.6 x 3.6 inches each: small files.
DPI, SIZE = 90, (5.6, 3.6)


class Shown(NamedTuple):
    """One picture: its name, what it says, and the code, whose last line draws on `ax`."""

    name: str
    words: str
    code: str


PREPARED = """\
import numpy as np
import scalefit as sf

runs = sf.datasets.load("tiny_lm").query("group == 'main' and schedule == 'cooldown'")
columns = {"N": "n_params_no_embed", "D": "n_tokens"}
fit = sf.fit("skaling", runs, inputs=columns, y="loss")
largest = runs.n_params_no_embed == runs.n_params_no_embed.max()

# A sweep of sizes at four budgets, simulated; one run is 3 % too high.
budget = np.repeat(np.geomspace(1e18, 1e21, 4), 7)
size = np.sqrt(budget / 120) * np.tile(np.geomspace(1 / 6, 6, 7), 4)
sweep = {"n_params": size, "n_tokens": budget / 6 / size, "flops": budget}
coefs = sf.laws.chinchilla.published["besiroglu2024"]
made = sf.simulate(sf.laws.chinchilla, coefs, {"N": size, "D": sweep["n_tokens"]}, noise=0.002, key=1)
sweep["loss"] = made["y"] * np.where(np.arange(28) == 13, 1.03, 1.0)\
"""

GALLERY = (
    Shown(
        "curve",
        "Measured runs and the fitted law against one input, with its band; dashed and paler where no run "
        "was measured. Also what `fit.plot()` draws.",
        'sf.plot.curve(fit, x="N", color="D", ax=ax)',
    ),
    Shown(
        "observed",
        "What the law predicts against what was measured, for any law.",
        'sf.plot.observed(fit, color="D", ax=ax)',
    ),
    Shown(
        "residuals",
        "What is left over, against an input, the prediction, or any column of the table.",
        'sf.plot.residuals(fit, "n_tokens", ax=ax)',
    ),
    Shown(
        "isoloss",
        "Lines of equal loss with the best run for every cost and a planned one.",
        "sf.plot.isoloss(fit, C=3e14, ax=ax)",
    ),
    Shown(
        "fan",
        "A forecast of runs that were held out, here the largest size.",
        'early = sf.fit("skaling", runs[~largest], inputs=columns, y="loss")\n'
        "sf.plot.fan(early, runs[largest], ax=ax)",
    ),
    Shown(
        "backtest",
        "How far off laws fitted to smaller runs were, by how far beyond these the others lay.",
        'laws = sf.compare(["chinchilla", "skaling"], runs, inputs=columns, y="loss")\n'
        "sf.plot.backtest(laws.backtest, ax=ax)",
    ),
    Shown(
        "compare",
        "The same by law, with weights and criteria beside.",
        "sf.plot.compare(laws, ax=ax)",
    ),
    Shown(
        "corner",
        "Draws of a bootstrap: slanted clouds are coefficients that the runs do not tell apart.",
        'draws = sf.bootstrap(fit, 200)\nsf.plot.corner(draws, ["alpha", "beta", "kappa"], ax=ax)',
    ),
    Shown(
        "profile",
        "The objective as one coefficient is held at value after value.",
        'sf.plot.profile(sf.profile(fit, "alpha"), ax=ax)',
    ),
    Shown(
        "isoflop",
        "The valleys of an isoFLOP sweep with their minima; a cross is a run that was set apart.",
        'sf.plot.isoflop(sf.isoflop(sweep, budget="flops"), ax=ax)',
    ),
    Shown(
        "envelope",
        "Training curves by compute, and the envelope of the lowest.",
        'curves = sf.datasets.load("tiny_lm", "curves").merge(runs[["run", "n_params_no_embed"]], on="run")\n'
        'curves = curves[curves.run.str.endswith("-8192k") & (curves.tokens > 3e4)]\n'
        'found = sf.envelope(curves, "run", {"N": "n_params_no_embed", "D": "tokens"}, "loss")\n'
        "sf.plot.envelope(found, ax=ax)",
    ),
    Shown(
        "forecast",
        "A running curve half-way, where it will end, and the schedule below.",
        'run = sf.datasets.load("tiny_lm", "curves")\n'
        'run = run[(run.run == "w112-cooldown-4096k") & (run.step < 2000)]\n'
        "plan = sf.schedule.wsd(4000, 4.8e-3, cooldown=800, warmup=40)\n"
        'sf.plot.forecast(sf.forecast(run[["step", "loss"]], plan), ax=ax)',
    ),
    Shown(
        "specification",
        "An answer under every combination of choices that nobody reports.",
        "table = sf.specification(fit, smallest=[0, 0.25], deltas=[1e-3, 1e-2])\n"
        'sf.plot.specification(table, "alpha", ax=ax)',
    ),
    Shown(
        "crossover",
        "Where one recipe overtakes another (simulated).",
        "x = np.geomspace(1e18, 1e21, 9)\n"
        "chance = np.exp(0.002 * np.random.default_rng(0).standard_normal((2, 9)))\n"
        "losses = 1.7 + 1.35 * (x / 1e18) ** -0.12, 1.85 + 1.1 * (x / 1e18) ** -0.14\n"
        'recipes = {\n    name: sf.fit("power_floor", {"x": x, "loss": loss * off})\n'
        '    for name, loss, off in zip(["ours", "theirs"], losses, chance, strict=True)\n}\n'
        "sf.plot.crossover(recipes, between=(1e18, 1e23), ax=ax)",
    ),
    Shown(
        "mixture",
        "The loss over mixtures of three domains, and the best one (simulated).",
        "random = np.random.default_rng(3)\n"
        "h = random.dirichlet(np.ones(3), 48)\n"
        "N, D = np.tile([1e8, 3e8, 1e9], 16), 10 ** random.uniform(9, 10.5, 48)\n"
        "loss = 1.4 + 1 / (h**0.5 @ [2.0, 1.0, 1.5]) + 300 / N**0.33 + 1500 / D**0.3\n"
        'mixes = {"web": h[:, 0], "code": h[:, 1], "books": h[:, 2], "N": N, "D": D, "loss": loss}\n'
        'domains = {"h_1": "web", "h_2": "code", "h_3": "books"}\n'
        'shares = sf.fit("shukor_additive", mixes, inputs=domains, y="loss")\n'
        'sf.plot.mixture(shares, at={"N": 1e10, "D": 2e11}, level=None, ax=ax)',
    ),
    Shown(
        "sweep",
        "The bowls of a learning-rate sweep, the best rate of each cell with its interval (simulated).",
        "sizes, rates = np.repeat([1e8, 4e8, 1.6e9], 9), np.tile(np.geomspace(1e-4, 1e-2, 9), 3)\n"
        "off = np.log(rates / (0.002 * (sizes / 1e8) ** -0.4))\n"
        "noise = 0.002 * np.random.default_rng(2).standard_normal(27)\n"
        "tried = 1.8 + 30 * sizes**-0.2 + 0.03 * off**2 + noise\n"
        'tuned = sf.sweep({"N": sizes, "lr": rates, "loss": tried}, over=["lr"], by=["N"])\n'
        "sf.plot.sweep(tuned, ax=ax)",
    ),
    Shown(
        "gate",
        "Pairs of runs of a recipe and its baseline, and what the gap is likely to be at the target.",
        'pairs = {"recipe": np.repeat(["adamw", "muon"], 3), "C": np.tile([1e18, 1e19, 1e20], 2)}\n'
        'pairs["loss"] = [3.400, 3.102, 2.861, 3.352, 3.055, 2.826]\n'
        'sf.plot.gate(sf.gate(pairs, recipe="muon", baseline="adamw", C=1e21), ax=ax)',
    ),
    Shown(
        "plan",
        "What every run of a plan buys, here before any run was made.",
        'menu = {"N": np.repeat(np.geomspace(1e7, 1e9, 7), 4)}\n'
        'menu["D"] = menu["N"] * np.tile([5, 20, 80, 200], 7)\n'
        'sf.plot.plan(sf.next_runs("chinchilla", menu, 1e19, {"C": 1e21}), ax=ax)',
    ),
    Shown(
        "best_schedule",
        "The learning rates with the lowest final loss under a law.",
        'curve = {"L0": 2.7, "A": 0.6, "alpha": 0.45, "C": 0.7, "lam": 0.998}\n'
        "best = sf.best_schedule(sf.laws.lr_annealing, 6000, 3e-4, 3e-5, warmup=100, coefs=curve)\n"
        "sf.plot.best_schedule(best, ax=ax)",
    ),
    Shown(
        "ledger",
        "How often the intervals of kept forecasts held: the largest size, foretold from the smaller ones.",
        "from pathlib import Path\n"
        "from tempfile import TemporaryDirectory\n\n"
        "with TemporaryDirectory() as folder:\n"
        "    for _, run in runs[largest].iterrows():\n"
        '        at = {"N": run.n_params_no_embed, "D": run.n_tokens}\n'
        '        kept = sf.preregister(early, Path(folder) / f"{run.run}.json", at)\n'
        "        sf.settle(kept.path, run.loss)\n"
        "    book = sf.ledger(folder)\n"
        "sf.plot.ledger(book, ax=ax)",
    ),
)


def page() -> str:
    """The gallery as Markdown."""
    parts = [
        "# Gallery",
        "Every picture of `sf.plot`, drawn by the code above it (`python docs/gallery.py`). Each takes "
        "`ax=`, `title=` and, where it has one, `legend=`; text grows with the width of the axes, from one "
        "column of a paper to a slide. `result.plot()` picks the picture of an answer. All examples share",
        f"```python\n{PREPARED}\n```",
    ]
    for shown in GALLERY:
        code = shown.code.replace(", ax=ax)", ")")
        parts += [
            f"## {shown.name}",
            shown.words,
            f"```python\n{code}\n```",
            f"![{shown.name}](gallery/{shown.name}.png)",
        ]
    return "\n\n".join(parts) + "\n"


def drawn() -> dict[str, Any]:
    """Name -> figure, by running the code that the page shows."""
    from matplotlib.figure import Figure

    names: dict[str, Any] = {}
    exec(PREPARED, names)
    figures = {}
    for shown in GALLERY:
        figures[shown.name] = Figure(figsize=SIZE, layout="constrained")
        names["ax"] = figures[shown.name].subplots()
        exec(shown.code, names)
    return figures


def main() -> None:
    """Write the page and its pictures."""
    from PIL import Image

    (HERE / "gallery.md").write_text(page())
    folder = HERE / "gallery"
    folder.mkdir(exist_ok=True)
    for name, figure in drawn().items():
        whole = BytesIO()
        figure.savefig(whole, dpi=DPI)
        # Few colours make small files.
        Image.open(whole).convert("RGB").quantize(160, dither=Image.Dither.NONE).save(
            folder / f"{name}.png", optimize=True
        )
        print(f"{name}: {(folder / f'{name}.png').stat().st_size // 1000} kB", file=sys.stderr)


if __name__ == "__main__":
    main()
