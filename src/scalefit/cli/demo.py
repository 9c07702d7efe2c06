"""`scalefit demo`: the whole story on real runs, from a table to a page."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalefit.cli.options import Verbs, write_picture

if TYPE_CHECKING:
    from scalefit.fits.fit import Fit

__all__ = ["add"]

INPUTS = {"N": "n_params_no_embed", "D": "n_tokens"}
# Shorter runs took fewer than 500 steps, which held them back (see examples/tiny_lm/README.md).
SHORTEST = 500_000
LEVEL = 0.9
TARGET = 1e15


def add(verbs: Verbs) -> None:
    """Add the verb of this file."""
    demo = verbs.add_parser("demo", help="the whole story on bundled runs, from a table to a page")
    demo.add_argument("--out", metavar="FOLDER", default="demo", help="where fit, picture and page go (demo)")
    demo.set_defaults(run=_demo)


def _demo(options: argparse.Namespace) -> int:
    import scalefit as sf

    folder = Path(options.out)
    folder.mkdir(parents=True, exist_ok=True)
    every = sf.datasets.load("tiny_lm").query("group == 'main' and schedule == 'cooldown'")
    runs = every[every.n_tokens > SHORTEST]
    print(
        f"{len(every)} small transformers, {short(every.n_params_no_embed.min())} to "
        f"{short(every.n_params_no_embed.max())} parameters, trained on up to {short(every.n_tokens.max())} "
        "bytes of Python; loss in nats per byte.\n"
        f"The {len(every) - len(runs)} shortest are left out: with only 250 steps it was the steps, not the "
        f"bytes, that held them back.\n"
    )
    _which_law(runs)
    fit = sf.fit("skaling", runs, inputs=INPUTS, y="loss")
    print("2. The law, from all of these runs\n")
    print(fit.summary())
    early, large = _held_out(runs)
    _decide(fit)
    picture = folder / "tiny_lm.png"
    write_picture(_draw(early, large, fit), picture, dpi=200)
    fit.save(folder / "tiny_lm.json")
    page = sf.report(fit, folder / "tiny_lm.html", {"C": TARGET}, LEVEL)
    print(f"\nThe picture is {picture}, the fit {folder / 'tiny_lm.json'}; sf.load reads it.")
    print(f"The page, with all of this and a budget to move: {page.resolve().as_uri()}")
    return 0


def _which_law(runs: Any) -> None:
    """Two laws, told apart by what they foretell."""
    import scalefit as sf

    print("1. Which law? Each is fitted to the smaller runs in turn and foretells the larger ones.\n")
    back = sf.backtest(["chinchilla", "skaling"], runs, inputs=INPUTS, y="loss")
    errors = {name: 100 * back.line(name)["rms"] for name in back.laws}
    for name, error in errors.items():
        print(f"  {name:<10}  rms error {error:4.1f} %   {sf.laws[name].about}")
    print(
        f"\nskaling errs less, {errors['skaling']:.1f} % against {errors['chinchilla']:.1f} %: in these runs "
        "a large model gains little from few bytes, which a sum of two terms cannot say.\n"
    )


def _held_out(runs: Any) -> tuple[Fit, Any]:
    """The law from the smaller sizes, and the runs of the largest, which it has not seen."""
    import scalefit as sf

    largest = runs.n_params_no_embed == runs.n_params_no_embed.max()
    small, large = runs[~largest], runs[largest]
    print(f"\n3. Would the {len(small)} smaller runs have foretold the {len(large)} largest?\n")
    early = sf.fit("skaling", small, inputs=INPUTS, y="loss")
    band = early.predict(large, level=LEVEL, kind="run")
    error = 100 * (band["mean"] / large.loss - 1)
    inside = (band.lo <= large.loss) & (large.loss <= band.hi)
    table = large[["n_params_no_embed", "n_tokens", "loss"]].assign(
        predicted=band["mean"].round(4),
        error_percent=error.round(2),
        low=band.lo.round(4),
        high=band.hi.round(4),
        inside=inside.map({True: "yes", False: "no"}),
    )
    print(table.to_string(index=False))
    print(
        f"\n{inside.sum()} of {len(large)} lie inside the 90 % interval of one new run (low to high), which "
        f"allows for a law that is only nearly right; the largest error is {error.abs().max():.1f} %.\n"
        "The largest model has six layers, those before it four, and it ends a little below their trend."
    )
    return early, large


def _decide(fit: Fit) -> None:
    """The best split of larger budgets, and what to run next."""
    import scalefit as sf

    print("\n4. The best size and bytes for larger budgets, with 90 % intervals\n")
    best = sf.optimal(fit, C=[1e14, TARGET], level=LEVEL)
    print(
        f"  {'C (FLOPs)':>9}  {'N':>6}  {'interval':<16}  {'D':>6}  {'interval':<16}  {'loss':>6}  interval"
    )
    for row in best.to_dict("records"):
        sizes = (
            f"{short(row[n]):>6}  {short(row[n + '_lo']) + ' to ' + short(row[n + '_hi']):<16}" for n in "ND"
        )
        print(
            f"  {row['C']:9.0e}  {'  '.join(sizes)}  {row['loss']:6.4f}  "
            f"{row['loss_lo']:.4f} to {row['loss_hi']:.4f}"
        )
    grid = [(N, D) for N in (1.2e6, 2.4e6, 4.8e6) for D in (8e6, 1.6e7, 3.2e7)]
    candidates = {"N": [N for N, _ in grid], "D": [D for _, D in grid]}
    plan = sf.next_runs(fit, candidates, budget=5e14, target={"C": TARGET}, level=LEVEL)
    print(f"\n5. Which runs to make next for 5e14 FLOPs, to know the loss at {TARGET:.0e} better\n")
    print(plan)


def _draw(early: Fit, large: Any, fit: Fit) -> Any:
    """The law of the smaller runs with the larger ones, which it had not seen, and the residuals of all."""
    import scalefit as sf
    from scalefit.plot.axes import offscreen

    figure = offscreen()
    figure.set_size_inches(11, 4.4)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    sf.plot.curve(early, x="N", color="D", ax=left, until=1.3 * large.n_params_no_embed.max(), level=LEVEL)
    left.plot(
        large.n_params_no_embed, large.loss, "o", color="none", markeredgecolor="black", label="held out"
    )
    left.set_title("Fitted to the smaller runs; circles: the largest, held out")
    left.set_ylabel("loss (nats per byte)")
    sf.plot.residuals(fit, ax=right)
    right.set_title("Residuals of the fit to all runs")
    return figure


def short(value: float) -> str:
    """Three digits with k, M or B."""
    from scalefit.plot.axes import short

    return short(float(value))
