"""How often a table in good order is said to hide something, for every check of `scalefit.fits.hidden` and `magnitudes`.

    python benchmarks/false_alarms.py [--studies 220] [--first KEY] [--laws ...] [--rows ...] [--noise ...] [--markdown FILE]

Studies are those of the suite's doubt/* whose errors are independent: runs simulated from a law's usual
coefficients with normal, heavy-tailed or changing errors. Each is fitted as it is, and again shuffled and
with columns as tables have them, which say nothing about the errors: a machine, a seed, a learning rate, a
name per run, a size in layers and a label that both follow the first input, the compute. A check alarms where
it yields a warning; the best status is lost where nothing else had taken it. At most 2 % of fits may lose it by
these checks, each check by itself at most 0.5 % (issue 13).
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import coverage
import numpy as np

import scalefit as sf
from scalefit.fits.status import verdict

CODES = (
    "hidden-groups",
    "unused-column",
    "shared-errors",
    "following-rows",
    "repeated-inputs",
    "swapped-inputs",
    "odd-units",
    "floor-above-runs",
    "impossible",
    "narrow-input",
    "open-end",
)
NOISE = tuple(noise for noise in coverage.NOISE if noise != "clustered")
FORMS = ("plain", "with columns")


def dressed(known: coverage.Design, table: Mapping[str, np.ndarray], key: int) -> dict[str, np.ndarray]:
    """A study's table, shuffled, with columns that say nothing about its errors."""
    chance, n = np.random.default_rng([7, key]), len(table["y"])
    first = known.law.inputs[0]
    size = np.unique(table[first], return_inverse=True)[1]
    columns = {
        **{name: column for name, column in table.items() if name != "unit"},
        "machine": np.array(["a100", "h100", "tpu", "mi300"])[chance.integers(0, 4, n)],
        "seed": chance.integers(0, 5, n).astype(float),
        "lr": np.exp(chance.normal(np.log(3e-4), 0.5, n)),
        "run": np.array([f"run-{k}" for k in range(n)]),
        "n_layers": 4.0 + 2 * (size // 2),
        "size": np.array([f"s{k}" for k in size]),
        "compute_used": np.prod([table[name] for name in known.law.inputs if name != "curve"], axis=0),
    }
    order = np.arange(n) if known.law.whole else chance.permutation(n)
    return {name: column[order] for name, column in columns.items()}


def setting(law: str, rows: int, noise: str, keys: range) -> dict[str, Counter]:
    """By form of the table: how many studies each check warned of, lost the best status, and were fitted."""
    known = coverage.design(sf.laws.get(law), rows)
    plain = [coverage.simulate(known, noise, key) for key in keys]
    found = {}
    for form in FORMS:
        tables = (
            plain if form == FORMS[0] else [dressed(known, t, k) for k, t in zip(keys, plain, strict=True)]
        )
        runs = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
        runs["study"] = np.repeat(keys, rows)
        if known.law.whole:
            runs["curve"] = runs["curve"] + 2 * runs["study"]
        fits = sf.fit_groups(law, runs, "study", {name: name for name in known.law.inputs}, "y")
        count: Counter = Counter()
        for key in keys:
            warned = [c for c in fits[key].warnings if c.severity != "info"]
            mine = {c.code for c in warned} & set(CODES)
            count.update(mine)
            trust, _ = verdict(c for c in warned if c.code not in CODES)
            count.update(fits=1, good=trust == "good", lost=trust == "good" and bool(mine), warned=bool(mine))
        found[form] = count
    return found


def percent(part: int, whole: int) -> str:
    return f"{100 * part / max(whole, 1):.2f}"


def markdown(results: Mapping[tuple[str, int, str], Mapping[str, Counter]], keys: range) -> str:
    """All settings together by form and check, then the settings one by one."""
    total = {form: sum((found[form] for found in results.values()), Counter()) for form in FORMS}
    everything = total[FORMS[0]] + total[FORMS[1]]
    out = ["# False alarms of the checks for what a table hides", "",
           f"{len(results)} settings of {len(keys)} studies each (keys from {keys[0]}), every study in two "
           f"forms: {everything['fits']} fits.", "",
           "| percent of fits | " + " | ".join(FORMS) + " | all |", "| --- | ---: | ---: | ---: |"]  # fmt: skip
    for code in CODES:
        cells = [percent(t[code], t["fits"]) for t in (*total.values(), everything)]
        out.append(f"| {code} | " + " | ".join(cells) + " |")
    cells = [percent(t["lost"], t["fits"]) for t in (*total.values(), everything)]
    out += ["| **lost the best status** | " + " | ".join(cells) + " |",
            "", "## By setting", "",
            "Studies that had the best status otherwise, and those of them that lost it.", "",
            "| law | rows | noise | " + " | ".join(f"{form}: good | lost | alarms" for form in FORMS) + " |",
            "| --- | ---: | --- |" + " ---: | ---: | --- |" * len(FORMS)]  # fmt: skip
    for (law, rows, noise), found in results.items():
        cells = []
        for form in FORMS:
            said = ", ".join(f"{code} {found[form][code]}" for code in CODES if found[form][code])
            cells.append(f"{found[form]['good']} | {found[form]['lost']} | {said}")
        out.append(f"| {law} | {rows} | {noise} | " + " | ".join(cells) + " |")
    return "\n".join(out) + "\n"


def main() -> None:
    """Print, and write, the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=220)
    parser.add_argument(
        "--first", type=int, default=0, help="key of the first study; levels were set on those from 0"
    )
    parser.add_argument("--laws", nargs="+", default=coverage.LAWS)
    parser.add_argument("--rows", nargs="+", type=int, default=(10, 24, 48, 100, 240))
    parser.add_argument("--noise", nargs="+", default=NOISE, choices=NOISE)
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args()
    keys, results = range(given.first, given.first + given.studies), {}
    for law in given.laws:
        for rows in given.rows:
            for noise in given.noise:
                began = time.perf_counter()
                results[law, rows, noise] = found = setting(law, rows, noise, keys)
                said = {f: {c: n for c, n in found[f].items() if c not in ("fits",)} for f in FORMS}
                print(f"{law}, {rows}, {noise}: {time.perf_counter() - began:.0f} s {said}", flush=True)
    text = markdown(results, keys)
    print(text)
    if given.markdown:
        given.markdown.write_text(text)


if __name__ == "__main__":
    main()
