"""Does the default search reach the best objective known? 200 simulated data sets against `reference.json`.

    python benchmarks/optima/compare.py            prints the misses and writes compare.json beside this file

The reference is an independent exhaustive search with scipy (see reference.py). A data set counts as reached
when our objective is at most 1e-6 (relative) above it. Where it is not reached, `fit.status` should say so.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from simulated import datasets

import scalefit as sf

HERE = Path(__file__).parent
REACHED = 1e-6


def main() -> None:
    known = {entry["name"]: entry for entry in json.loads((HERE / "reference.json").read_text())["sets"]}
    rows, codes = [], Counter()
    for data in datasets():
        fit = sf.fit(data.law, {**data.x, "y": data.y}, y="y", objective=sf.huber(data.delta))
        gap = fit.value / known[data.name]["objective"] - 1
        warned = [c.code for c in fit.warnings if c.severity != "info"]
        codes.update(warned)
        rows.append({"name": data.name, "rows": len(data.y), "noise": data.noise, "gap": gap, "reached": gap <= REACHED,
                     "better": gap < -REACHED, "trust": fit.status.trust, "n_agree": fit.status.n_agree,
                     "n_starts": fit.status.n_starts, "converged": fit.status.converged,
                     "says_starts_disagree": "starts-disagree" in warned})  # fmt: skip
    reached = sum(row["reached"] for row in rows)
    missed = [row for row in rows if not row["reached"]]
    print(f"reached {reached} of {len(rows)}; better than the reference in {sum(row['better'] for row in rows)}; "
          f"of {len(missed)} missed, {sum(row['says_starts_disagree'] for row in missed)} say that starts disagree")  # fmt: skip
    print(
        f"starts disagree in {sum(row['says_starts_disagree'] for row in rows)} of all; warnings: {dict(codes)}"
    )
    for row in missed:
        print(row)
    (HERE / "compare.json").write_text(
        json.dumps({"reached": reached, "of": len(rows), "sets": rows}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
