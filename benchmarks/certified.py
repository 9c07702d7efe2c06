"""Digits matched on the 27 NIST StRD nonlinear problems, from single starts and from our multi-start.

SCALEFIT_DATA=... python benchmarks/certified.py         prints the table and writes certified.json
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from pathlib import Path

import numpy as np

import scalefit as sf

HERE = Path(__file__).parent
# The models live with the tests.
sys.path.append(str(HERE.parent / "tests"))
problems = import_module("nist")


def digits(found, certified) -> float:
    """The least number of matching digits over all coefficients (log relative error)."""
    return min(min(15.0, -np.log10(abs(found[k] - v) / abs(v) + 1e-16)) for k, v in certified.items())


def main() -> None:
    folder, rows = Path(os.environ["SCALEFIT_DATA"]) / "nist_strd", []
    for name, model in problems.MODELS.items():
        problem = problems.load(folder, name)
        law = sf.law(model, name, predicts="value")
        for label, starts in (
            ("start 1", problem.start1),
            ("start 2", problem.start2),
            ("around start 2", sf.around(problem.start2)),
        ):
            fit = sf.fit(
                law, {**problem.x, "y": problem.y}, y="y", objective=sf.square("linear"), starts=starts
            )
            rows.append({"problem": name, "from": label, "coefficients": round(digits(fit.coefs, problem.certified), 1),
                         "standard_errors": round(digits(fit.stderr(), problem.stderr), 1),
                         "evaluations": fit.status.evaluations})  # fmt: skip
    for row in rows:
        print(
            "{problem:9s} {from:15s} digits {coefficients:5.1f}, of standard errors {standard_errors:5.1f}, {evaluations} evaluations".format(
                **row
            )
        )
    for label in ("start 1", "start 2", "around start 2"):
        mine = [row for row in rows if row["from"] == label]
        print(f"{label}: 6 digits in {sum(r['coefficients'] >= 6 for r in mine)} of {len(mine)}, standard errors to 4 in "
              f"{sum(r['standard_errors'] >= 4 for r in mine)}")  # fmt: skip
    (HERE / "certified.json").write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


if __name__ == "__main__":
    main()
