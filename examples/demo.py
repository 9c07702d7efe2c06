"""The main job on the bundled runs: fit, check on runs held out, draw. Run it with `make demo`."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

import scalefit as sf

OUT = Path("demo")
INPUTS = {"N": "n_params_no_embed", "D": "n_tokens"}


def main() -> None:
    runs = sf.datasets.load("tiny_lm").query("group == 'main' and schedule == 'cooldown'")
    print(f"{len(runs)} training runs of small transformers, {runs.n_params_no_embed.min():,} to "
          f"{runs.n_params_no_embed.max():,} parameters, loss in nats per byte\n")  # fmt: skip

    print("1. The law, from all runs\n")
    fit = sf.fit("chinchilla", runs, inputs=INPUTS, y="loss")
    print(fit.summary())

    held_out = runs.n_params_no_embed == runs.n_params_no_embed.max()
    small, large = runs[~held_out], runs[held_out]
    print(f"\n2. Would the {len(small)} smaller runs have predicted the {len(large)} largest?\n")
    early = sf.fit("chinchilla", small, inputs=INPUTS, y="loss")
    print(early.status, "\n")
    print(comparison(early, large))

    other = sf.fit("skaling", small, inputs=INPUTS, y="loss")
    print(
        f"\n3. The same for skaling, whose outer power lets size and data act together (kappa {other.coefs['kappa']:.2f})\n"
    )
    print(other.status, "\n")
    print(comparison(other, large))

    OUT.mkdir(exist_ok=True)
    fit.save(OUT / "tiny_lm.json")
    draw(early, large, fit).savefig(OUT / "tiny_lm.png", dpi=150)
    print(
        f"\nThe picture is {OUT / 'tiny_lm.png'}, the fit {OUT / 'tiny_lm.json'}; read it with sf.load, or scalefit show."
    )


def comparison(fit: sf.Fit, runs) -> str:
    """Measured and predicted loss of runs that the fit has not seen."""
    band = fit.predict(runs, level=0.9, kind="run")
    error = 100 * (band["mean"] / runs.loss - 1)
    inside = (band.lo <= runs.loss) & (runs.loss <= band.hi)
    table = runs[["n_params_no_embed", "n_tokens", "loss"]].assign(
        predicted=band["mean"].round(4),
        error_percent=error.round(2),
        low=band.lo.round(4),
        high=band.hi.round(4),
    )
    return (f"{table.to_string(index=False)}\n\nmedian error {error.abs().median():.1f} %, largest {error.abs().max():.1f} %; "
            f"{inside.sum()} of {len(runs)} measured losses lie inside the 90 % interval of one new run (low to high),\n"
            "which allows for a law that is only nearly right")  # fmt: skip


def draw(early: sf.Fit, large, fit: sf.Fit) -> Figure:
    figure = Figure(figsize=(12, 4.8), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    early_words = "Law fitted to the smaller runs; circles: larger runs, held out"
    sf.plot.curve(
        early, x="N", color="D", ax=left, until=1.2 * large.n_params_no_embed.max(), title=early_words
    )
    left.plot(large.n_params_no_embed, large.loss, "o", color="none", markeredgecolor="black")
    left.set_ylabel("loss (nats per byte)")
    sf.plot.residuals(fit, ax=right, title="Fit to all runs")
    return figure


if __name__ == "__main__":
    main()
