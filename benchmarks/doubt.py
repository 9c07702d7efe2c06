"""Whether profile intervals, and intervals of one new run, hold what they promise.

    python benchmarks/doubt.py [--studies 200] [--laws ...] [--rows 30 100] [--noise ...]

Studies are those of scalefit.bench.simulated: runs simulated from a law's usual coefficients with one kind of noise. The
first table gives, for each law, number of rows and kind of noise, the share of studies whose nominal 90 % interval by
`sf.profile`, and to first order, holds the truth; a true 90 % has a standard error of sqrt(0.09 / studies). The second
gives the mean share of new runs inside their interval (`predict(..., kind="run")`) at the smallest run, the largest,
and ten times the largest, with errors taken as alike and as scaled by `sf.noise`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
from scipy.special import ndtr, stdtr

import scalefit as sf
from scalefit.bench import simulated
from scalefit.fits.noise import Noise

LEVEL = 0.9


def profiles(law: str, rows: int, noise: str, studies: int) -> Iterator[str]:
    """One line per coefficient: shares of profile and first-order intervals that hold the truth."""
    known = simulated.design(sf.laws.get(law), rows)
    held: dict[str, list] = {name: [] for name in ("alpha", "E")}
    for key in range(studies):
        fit = _fit(known, noise, key)
        for name, found in held.items():
            truth = known.truth[name]
            profile = sf.profile(fit, name, LEVEL, values=[truth])
            lo, hi = fit.interval(name, LEVEL)
            found.append((profile.objective[0] - fit.value <= profile.rise, lo <= truth <= hi))
    for name, found in held.items():
        yield f"| {law} | {rows} | {noise} | {name} | " + " | ".join(f"{100 * s:.1f}" for s in np.mean(found, axis=0)) + " |"  # fmt: skip


def new_runs(law: str, rows: int, noise: str, studies: int) -> Iterator[str]:
    """One line each for errors taken as alike and as scaled: shares of new runs inside, by size."""
    known = simulated.design(sf.laws.get(law), rows)
    ends = [int(np.argmin(known.place)), int(np.argmax(known.place))]
    x = {name: np.append(column[ends], known.far[0][name]) for name, column in known.x.items()}
    truth, scale = np.log(known.law(known.truth, x)), simulated.SD * _scale(noise)
    below = (lambda z: stdtr(3, z / simulated.HEAVY)) if noise == "heavy" else ndtr
    inside: dict[str, list] = {"alike": [], "scaled": []}
    for key in range(studies):
        fit = _fit(known, noise, key)
        errors = -fit.residuals()
        alike = Noise((), 0.0, 0.0, np.inf, 0.0, (0.0, 0.0), errors * np.sqrt(rows / (rows - len(fit.u))), np.ones(rows))  # fmt: skip
        for label, model in (("alike", alike), ("scaled", sf.noise(fit))):
            fit.__dict__["_noise"] = model  # what predict draws from
            band = fit.predict(x, LEVEL, "run", model_error=False)
            lo, hi = ((np.log(np.asarray(band[end])) - truth) / scale for end in ("lo", "hi"))
            inside[label].append(below(hi) - below(lo))
    for label, found in inside.items():
        yield f"| {law} | {rows} | {noise} | {label} | " + " | ".join(f"{100 * s:.1f}" for s in np.mean(found, axis=0)) + " |"  # fmt: skip


def _fit(known: simulated.Design, noise: str, key: int) -> sf.Fit:
    group = "unit" if noise == "clustered" else None
    return sf.fit(known.law, simulated.simulate(known, noise, key), y="y", group=group, key=key)


def _scale(noise: str) -> np.ndarray:
    """The errors' size at the smallest run, the largest, and beyond it, as in simulated.errors."""
    return 2 * 0.25 ** np.array([0.0, 1.0, 1.0]) if noise == "heteroscedastic" else np.ones(3)


def main() -> None:
    """Print both tables, line by line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--laws", nargs="+", default=("power_floor", "chinchilla"))
    parser.add_argument("--rows", nargs="+", type=int, default=(30, 100))
    parser.add_argument(
        "--noise", nargs="+", default=("gaussian", "heavy", "heteroscedastic"), choices=simulated.NOISE
    )
    asked = parser.parse_args()
    heads = ("profile | first order", "smallest | largest | 10 x largest")
    for study, third, head in ((profiles, "coefficient", heads[0]), (new_runs, "errors", heads[1])):
        print(
            f"\n| law | rows | noise | {third} | {head} |\n| --- | ---: | --- | --- |"
            + " ---: |" * (head.count("|") + 1)
        )
        for law in asked.laws:
            for rows in asked.rows:
                for noise in asked.noise:
                    if study is new_runs and noise == "clustered":
                        continue
                    for line in study(law, rows, noise, asked.studies):
                        print(line, flush=True)


if __name__ == "__main__":
    main()
