"""How often 90 % intervals hold the truth where the law is right, before and after `sf.widen`.

    python benchmarks/clean_coverage.py [--studies 220] [--settings chinchilla,24,gaussian ...]
                                        [--markdown FILE]

Studies are those of scalefit.bench.simulated: runs simulated from a law's usual coefficients with one kind of
noise. Each is fitted and asked for intervals of the curve (kind="mean") and of new runs (kind="run"): among
the runs (four of them, drawn a tenth of the way to their centre), and at 10 and 100 times the largest
compute, or input. The tables give the mean share held and, in brackets, the mean interval score (Gneiting and
Raftery 2007: the width, and 20 times what lies outside; less is better), both in the log of the loss. A true
90 % of 220 studies has a standard error of 2.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import scalefit as sf
from scalefit.bench import simulated

SETTINGS = (
    "chinchilla,24,gaussian",
    "power_floor,12,gaussian",
    "chinchilla,48,gaussian",
    "chinchilla,100,gaussian",
    "power_floor,24,gaussian",
    "power_floor,40,gaussian",
    "chinchilla,24,heteroscedastic",
    "power_floor,12,heavy",
    "rectified_ft,24,gaussian",
)
LEVEL = 0.9
# New runs drawn per study and place.
NEW = 50
PLACES = ("among the runs", "10 times", "100 times")


def asked(known: simulated.Design) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Inputs, which of PLACES each row belongs to, and its place between the smallest and the largest run."""
    order = np.argsort(known.place)
    rows = order[[len(order) // 4, len(order) // 2, 3 * len(order) // 4, len(order) - 1]]
    log = {name: np.log(column) for name, column in known.x.items()}
    among = {name: np.exp(0.9 * column[rows] + 0.1 * np.mean(column)) for name, column in log.items()}
    x = {n: np.concatenate([among[n], *(far[n] for far in known.far)]) for n in known.x}
    place = 0.9 * known.place[rows] + 0.1 * np.mean(known.place)
    return x, np.repeat([0, 1, 2], [len(rows), 1, 1]), np.append(place, [1.0, 1.0])


def new_errors(noise: str, place: np.ndarray, key: int) -> np.ndarray:
    """Errors (NEW, rows) of new runs' log loss, as `simulated.errors` draws them, from another key."""
    chance, shape = np.random.default_rng([1, key]), (NEW, len(place))
    if noise == "heavy":
        return simulated.SD * simulated.HEAVY * chance.standard_t(3, shape)
    scale = 2 * 0.25**place if noise == "heteroscedastic" else 1.0
    return simulated.SD * scale * chance.standard_normal(shape)


def setting(law: str, rows: int, noise: str, studies: int) -> dict[tuple[str, str], np.ndarray]:
    """Shares held and scores (2, places) by way ("plain", "widened") and kind."""
    known = simulated.design(sf.laws.get(law), rows)
    x, which, place = asked(known)
    truth = np.log(np.asarray(known.law(known.truth, x), float))
    tables = [simulated.simulate(known, noise, key) for key in range(studies)]
    runs = {name: np.concatenate([table[name] for table in tables]) for name in (*known.law.inputs, "y")}
    runs["study"] = np.repeat(np.arange(studies), rows)
    fits = sf.fit_groups(law, runs, "study", {name: name for name in known.law.inputs}, "y")
    found: dict[tuple[str, str], list[np.ndarray]] = {}
    for key in range(studies):
        later = truth + new_errors(noise, place, key)
        fit = fits[key]
        for way, own in (("plain", False), ("widened", True)):
            for kind, target in (("mean", truth[None]), ("run", later)):
                with np.errstate(divide="ignore"):
                    told = fit.predict(x, LEVEL, kind, model_error=own)
                    lo, hi = np.log(told["lo"].to_numpy()), np.log(told["hi"].to_numpy())
                outside = np.maximum(np.maximum(lo - target, target - hi), 0)
                score = np.minimum(hi - lo, 1e3) + 2 / (1 - LEVEL) * np.minimum(outside, 1e3)
                held = np.mean(outside == 0, axis=0), np.mean(score, axis=0)
                found.setdefault((way, kind), []).append(np.array(held))
    means = {key: np.mean(each, axis=0) for key, each in found.items()}
    return {
        key: np.stack([mean[:, which == k].mean(axis=1) for k in (0, 1, 2)], axis=1)
        for key, mean in means.items()
    }


def line(name: str, found: dict[tuple[str, str], np.ndarray], kind: str) -> str:
    """One row of a table."""
    cells = [
        ", ".join(
            f"{100 * found[way, kind][0, k]:.0f} ({found[way, kind][1, k]:.3g})"
            for way in ("plain", "widened")
        )
        for k in range(len(PLACES))
    ]
    return f"| {name.replace(',', ' | ')} | " + " | ".join(cells) + " |"


def main() -> None:
    """Print, and write, one table for the curve and one for new runs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=220)
    parser.add_argument("--settings", nargs="+", default=SETTINGS, help="law,rows,noise")
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args()
    results = {}
    for name in given.settings:
        law, rows, noise = name.split(",")
        results[name] = setting(law, int(rows), noise, given.studies)
        print(line(name, results[name], "run"), flush=True)
    out = ["# Coverage of nominal 90 % intervals where the law is right", "",
           f"{given.studies} studies each. Percent held (interval score): plain, widened."]  # fmt: skip
    for kind, words in (("run", "A new run"), ("mean", "The curve")):
        out += ["", f"## {words}", "", "| law | rows | noise | " + " | ".join(PLACES) + " |",
                "| --- | ---: | --- |" + " ---: |" * len(PLACES)]  # fmt: skip
        out += [line(name, found, kind) for name, found in results.items()]
    text = "\n".join(out) + "\n"
    print(text)
    if given.markdown:
        given.markdown.write_text(text)


if __name__ == "__main__":
    main()
