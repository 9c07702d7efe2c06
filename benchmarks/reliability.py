"""How often the default search reaches the best optimum known, for every law of the catalogue.

    python benchmarks/reliability.py [law ...] [--studies 20] [--json FILE] [--markdown FILE] [--resume]

Each study simulates noisy runs from a law's usual coefficients (100 runs, or 8 per coefficient; noise 0.3 %), fits
them as a user would, with nothing but the law's name, and compares the objective with the best of that fit, a
search from eight times as many starts, and a descent from the truth.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import jax

import scalefit as sf
from scalefit.laws.simulate import usual

# Also at other lengths of their lists, since these grow.
SIZES: dict[str, dict[str, int]] = {
    "shukor_additive": {"domain": 7},
    "shukor_joint": {"domain": 7},
    "ye_mixing": {"domain": 7},
    "bnsl": {"breaks": 2},
}

SLOW = ("multi_power", "fsl")


def study(law: sf.Law, studies: int) -> dict[str, float | int | str]:
    reached, seconds, warned = 0, [], 0
    worst = 0.0
    for key in range(studies):
        n = max(100, 8 * len(law.coefs)) // (3 if law.whole else 1)
        runs = sf.simulate(law, n=n, noise=0.003, key=key)
        began = time.perf_counter()
        fit = sf.fit(law, runs, y="y")
        seconds.append(time.perf_counter() - began)
        # Ends that the runs do not tell are held (open-end): the search is judged with them held.
        wide = sf.fit(fit.law, runs, y="y", n_starts=min(8 * fit.status.n_starts, 512))
        true = sf.fit(fit.law, runs, y="y", starts=usual(fit.law))
        best = min(fit.value, wide.value, true.value)
        gap = (fit.value - best) / best
        reached += gap <= 1e-4
        warned += gap > 1e-4 and not fit.status.ok
        worst = max(worst, gap)
    return {"law": law.name, "coefficients": len(law.coefs), "runs": len(runs["y"]), "reached": reached,
            "studies": studies, "worst gap": worst, "missed but warned": warned,
            "first fit, s": seconds[0], "later fit, s": sorted(seconds)[len(seconds) // 2]}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("law", nargs="*", help="all unless given")
    parser.add_argument("--studies", type=int, default=20)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--resume", action="store_true", help="keep what is in --json and go on")
    asked = parser.parse_args()
    laws = []
    for name in asked.law or sf.laws.names():
        laws.append(sf.laws.get(name))
        if name in SIZES:
            laws.append(sf.laws.get(name).sized(**SIZES[name]))
    laws.sort(key=lambda law: (law.name in SLOW, len(law.coefs)))
    rows = json.loads(asked.json.read_text()) if asked.resume else []
    done = {(row["law"], row["coefficients"]) for row in rows}
    for law in laws:
        if (law.name, len(law.coefs)) in done:
            continue
        jax.clear_caches()  # a process has room for some hundred compiled programs
        rows.append(study(law, min(asked.studies, 3) if law.name in SLOW else asked.studies))
        print("  ".join(f"{key} {shown(value)}" for key, value in rows[-1].items()), flush=True)
        # Written after every law: an interrupted study keeps what it has.
        if asked.json:
            asked.json.write_text(json.dumps(rows, indent=1))
        if asked.markdown:
            asked.markdown.write_text(table(rows))


def shown(value: float | int | str) -> str:
    return f"{value:.2g}" if isinstance(value, float) else str(value)


def table(rows: list[dict[str, float | int | str]]) -> str:
    keys = list(rows[0])
    lines = ["| " + " | ".join(keys) + " |", "| --- " + "| ---: " * (len(keys) - 1) + "|"]
    lines += ["| " + " | ".join(map(shown, row.values())) + " |" for row in rows]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
