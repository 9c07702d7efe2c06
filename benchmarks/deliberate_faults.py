"""Deliberate faults: does any test notice?

Each fault is one edit of the core, made in a copy of the package; the test files named with it are then run
against the copy. A fault that no test notices is a hole in the tests.

    python benchmarks/deliberate_faults.py                 # all, some minutes each on a busy machine
    python benchmarks/deliberate_faults.py covariance      # those whose name contains a word
    python benchmarks/deliberate_faults.py --list

One line of `deliberate_faults.jsonl` per fault that was run; a later run of the same fault replaces it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).with_suffix(".jsonl")
TIMEOUT = 900


class Fault(NamedTuple):
    """What is edited where, and which tests should notice: files, or files with `::` and a test's name."""

    name: str
    file: str
    before: str
    after: str
    tests: str


ENGINE, FIT, COVARIANCE = (
    "tests/core/test_engine.py",
    "tests/fits/test_fit.py",
    "tests/fits/test_covariance.py",
)
BOOT, PROFILE, LAWS = (
    "tests/uncertainty/test_bootstrap.py",
    "tests/uncertainty/test_profile.py",
    "tests/laws/test_nist.py",
)
WIDEN, OPTIMAL, NOISE = (
    "tests/validation/test_widen.py",
    "tests/decisions/test_optimal.py",
    "tests/fits/test_noise.py",
)
BACKTEST, ISOFLOP = "tests/validation/test_backtest.py", "tests/decisions/test_isoflop.py"
SAVING, FAR = "tests/fits/test_saving.py", "tests/fits/test_extrapolation_checks.py"

FAULTS = (
    # --- objectives
    Fault("huber-half", "core/objective.py", "c * (abs(r) - c / 2)", "c * (abs(r) - c)", ENGINE),
    Fault(
        "huber-width",
        "core/objective.py",
        "c = minimum(abs(r), width)",
        "c = minimum(abs(r), 2 * width)",
        ENGINE,
    ),
    Fault(
        "square-half",
        "core/objective.py",
        "return r * r + 0 * width",
        "return r * r / 2 + 0 * width",
        NOISE,
    ),
    Fault("log-cosh-constant", "core/objective.py", "- np.log(2.0)))", "))", ENGINE),
    Fault(
        "asymmetric-side", "core/objective.py", "where(r > 0, self.share", "where(r < 0, self.share", ENGINE
    ),
    Fault(
        "residual-sign",
        "core/objective.py",
        "np.log(prediction) - np.log(y) if",
        "np.log(y) - np.log(prediction) if",
        FIT,
    ),
    Fault("absolute-secant", "core/objective.py", "space, 0.0, secant=1.0)", "space, 0.0)", ENGINE),
    # --- supports and coordinates
    Fault(
        "slope-logistic",
        "core/support.py",
        "(self.hi - value) / (self.hi - self.lo)",
        "(self.hi - value)",
        COVARIANCE,
    ),
    Fault("slope-below", "core/support.py", "return value - self.hi", "return self.hi - value", COVARIANCE),
    # --- search
    Fault("agree", "core/search.py", "AGREE = 1e-6", "AGREE = 1e-3", COVARIANCE),
    Fault("sharp", "core/search.py", "SHARP = 1e-4", "SHARP = 0.0", ENGINE),
    Fault(
        "weights-unit",
        "core/search.py",
        "unit = _power_of_two(rows.weight)",
        "unit = np.ones(len(rows.weight))",
        ENGINE,
    ),
    Fault(
        "value-unit",
        "core/search.py",
        "return _searches(ends._replace(value=ends.value * unit[:, None]), nothing * unit)",
        "return _searches(ends, nothing)",
        ENGINE,
    ),
    Fault(
        "best-is-last",
        "core/search.py",
        "best = np.argmax(ends.value <= least",
        "best = np.argmin(ends.value <= least",
        ENGINE,
    ),
    Fault("pad-weight", "core/search.py", "[rows] * (along < size)", "[rows]", ENGINE),
    Fault("few-starts", "core/search.py", "FEW, CELLS = 8, 16,", "FEW, CELLS = 1, 1,", ENGINE),
    Fault("sample-total", "core/search.py", "(total[0] / total[1])", "(total[1] / total[0])", ENGINE),
    Fault("begin-narrow", "core/search.py", "1e3 if sharp else 1e6 * final)", "final)", ENGINE),
    # --- descents
    Fault(
        "lm-step-sign",
        "core/lm.py",
        "step = -solve_positive(damped, here.gradient)",
        "step = solve_positive(damped, here.gradient)",
        ENGINE,
    ),
    Fault(
        "lm-promise",
        "core/lm.py",
        "(step @ here.curvature @ step) / 2",
        "(step @ here.curvature @ step)",
        ENGINE,
    ),
    Fault("lbfgs-sign", "core/lbfgs.py", "return -memory.length * z,", "return memory.length * z,", ENGINE),
    Fault("loose-stop", "core/solve.py", "TIGHT, LOOSE = 1e-13, 1e-1", "TIGHT, LOOSE = 1e-5, 1e-1", ENGINE),
    Fault(
        "always-converged",
        "core/solve.py",
        "(settled | flat) & (slot.width <= width)",
        "(settled | True) & (slot.width <= width)",
        ENGINE,
    ),
    Fault(
        "narrower",
        "core/solve.py",
        "jnp.maximum(slot.width * NARROWER, width)",
        "slot.width * NARROWER",
        ENGINE,
    ),
    Fault(
        "gauss-newton-weight",
        "core/evaluate.py",
        "pull, bend = lane.weight * first, lane.weight * second",
        "pull, bend = lane.weight * first, second",
        ENGINE,
    ),
    Fault(
        "value-weight",
        "core/evaluate.py",
        "[lane.weight * rho(r), *(row * pull",
        "[rho(r), *(row * pull",
        ENGINE,
    ),
    # --- starts
    Fault(
        "least-share",
        "core/starts.py",
        "return 0.01 * np.abs(product / square)",
        "return 0.0 * np.abs(product / square)",
        ENGINE,
    ),
    Fault(
        "screen-weight",
        "core/starts.py",
        "cost = np.where(np.isfinite(cost), np.maximum(cost, 0.0), np.inf)",
        "cost = np.where(np.isfinite(cost), -np.maximum(cost, 0.0), np.inf)",
        ENGINE,
    ),
    # --- covariance
    Fault("covariance-spare", "core/linear.py", "spare = n / max(n - p, 1)", "spare = 1.0", COVARIANCE),
    Fault(
        "covariance-curvature-share",
        "core/linear.py",
        "own = n / (n + 10 * p)",
        "own = n / (n + p)",
        COVARIANCE,
    ),
    Fault(
        "covariance-squares-slope",
        "core/linear.py",
        "np.mean(weight * linear.slope**2)",
        "np.mean(weight * np.abs(linear.slope))",
        COVARIANCE,
    ),
    Fault(
        "covariance-bandwidth", "core/linear.py", "1.5 * np.median(size)", "15 * np.median(size)", COVARIANCE
    ),
    Fault(
        "covariance-bandwidth-power", "core/linear.py", "len(size) ** -0.2", "len(size) ** -0.5", COVARIANCE
    ),
    Fault(
        "influence-sign",
        "core/linear.py",
        "out[:, alive] = -((inverse",
        "out[:, alive] = ((inverse",
        f"{BOOT} {COVARIANCE}",
    ),
    Fault(
        "influence-weight",
        "core/linear.py",
        "(jacobian * (weight * linear.slope))",
        "(jacobian * linear.slope)",
        COVARIANCE,
    ),
    Fault(
        "interpolated-none",
        "core/linear.py",
        "exact[_smallest(size, min(p, n - 1))] = True",
        "pass",
        COVARIANCE,
    ),
    Fault(
        "cluster-factor",
        "core/linear.py",
        "moved.T @ moved * (len(labels) - 1) / len(labels)",
        "moved.T @ moved * len(labels)",
        BOOT,
    ),
    Fault(
        "cluster-own-pull", "core/linear.py", "np.eye(len(held)) - held @ held.T", "np.eye(len(held))", BOOT
    ),
    Fault("leverage-rank", "core/linear.py", "RANK = 1e-10", "RANK = 0.0", ENGINE),
    Fault(
        "newton-sign",
        "core/linear.py",
        "step = -np.linalg.solve(upper, along",
        "step = np.linalg.solve(upper, along",
        LAWS,
    ),
    # --- draws and intervals
    Fault(
        "pairs-off-by-one",
        "core/weights.py",
        "integers(0, n, (n_draws, n))",
        "integers(0, n - 1, (n_draws, n))",
        BOOT,
    ),
    Fault(
        "pairs-one-short",
        "core/weights.py",
        "integers(0, n, (n_draws, n))\n    flat = drawn + n * np.arange(n_draws)[:, None]",
        "integers(0, n, (n_draws, n))[:, 1:]\n    flat = drawn + n * np.arange(n_draws)[:, None]",
        BOOT,
    ),
    Fault(
        "cluster-rows",
        "core/weights.py",
        "return pairs(int(code.max()) + 1, n_draws, key)[:, code]",
        "return pairs(len(code), n_draws, key)",
        BOOT,
    ),
    Fault(
        "bayesian-mean",
        "core/weights.py",
        "(drawn / drawn.mean(axis=1, keepdims=True))[:, code]",
        "drawn[:, code] * 2",
        BOOT,
    ),
    Fault("wild-sign", "core/weights.py", "choice([-1.0, 1.0]", "choice([1.0, 1.0]", BOOT),
    Fault(
        "quantile-ends",
        "fits/draws.py",
        "ends = np.array([(1 - level) / 2, (1 + level) / 2])",
        "ends = np.array([1 - level, level])",
        BOOT,
    ),
    Fault("stretch-root", "fits/draws.py", "float(np.sqrt(units / spare))", "float(units / spare)", BOOT),
    Fault(
        "student-normal",
        "fits/draws.py",
        "float(stdtrit(spare, end) / ndtri(end))",
        "1.0",
        f"{COVARIANCE} {BOOT}",
    ),
    Fault("bca-bias", "fits/draws.py", "ndtr(bias + z / (1 - skew * z))", "ndtr(z / (1 - skew * z))", BOOT),
    Fault("bca-skew", "fits/draws.py", "/ (6 * np.maximum", "/ (-6 * np.maximum", BOOT),
    Fault(
        "lost-width",
        "fits/fit.py",
        "if model_error:\n            lo, hi =",
        "if False:\n            lo, hi =",
        WIDEN,
    ),
    Fault("run-noise", "fits/fit.py", "values = values + self._new_errors(x, len(values))", "pass", BOOT),
    Fault(
        "noise-hat",
        "fits/noise.py",
        "full = 1 / np.sqrt(1 - leverage",
        "full = 1 + 0 * np.sqrt(1 - leverage",
        f"{NOISE} {COVARIANCE}",
    ),
    # --- the law's own error
    Fault(
        "own-error-square",
        "fits/model_error.py",
        'return np.sqrt(s * (change + (s if kind == "run" else 0.0)))',
        'return s * (change + (s if kind == "run" else 0.0))',
        WIDEN,
    ),
    Fault(
        "own-error-both-sides",
        "fits/model_error.py",
        "return centre - np.hypot(np.minimum(lo - centre, 0), own)",
        "return centre - np.minimum(centre - lo, own)",
        WIDEN,
    ),
    Fault(
        "windows-include-held-out",
        "fits/windows.py",
        "usable = sizes[least_sizes - 1 : -1]",
        "usable = sizes[least_sizes - 1 :]",
        BACKTEST,
    ),
    # --- profiles and trust
    Fault(
        "profile-rise",
        "uncertainty/profile.py",
        "return float(t2 / 2 * own)",
        "return float(t2 * own)",
        PROFILE,
    ),
    Fault(
        "not-identified-units",
        "fits/checks.py",
        "case.covariance if case.law.whole else _by_term(case)",
        "case.covariance",
        "tests/fits/test_identifiability.py",
    ),
    Fault(
        "verdict-best",
        "fits/status.py",
        "return max(trusts, key=TRUSTS.index",
        "return min(trusts, key=TRUSTS.index",
        FIT,
    ),
    Fault(
        "distance-natural",
        "fits/extrapolation.py",
        "there = sum(np.log10(x[name]) for name in names)",
        "there = sum(np.log(x[name]) for name in names)",
        FAR,
    ),
    Fault("fingerprint", "fits/verified.py", 'if saved.get("seal") != _seal', "if False and _seal", SAVING),
    Fault(
        "stated-objective",
        "fits/verified.py",
        "SHARE, ROUNDING = 1e-6, 1e-9",
        "SHARE, ROUNDING = 1e6, 1e-9",
        SAVING,
    ),
    # --- decisions
    Fault("isoflop-cost", "decisions/isoflop.py", "else 6 * N * D", "else 3 * N * D", ISOFLOP),
)


def run(fault: Fault) -> dict[str, object]:
    """The fault made in a copy of package and tests, and what the tests said."""
    with tempfile.TemporaryDirectory(prefix="scalefit-fault-") as folder:
        copy = Path(folder)
        for name in ("src", "tests"):
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "README.md"):
            shutil.copy(ROOT / name, copy / name)
        path = copy / "src" / "scalefit" / fault.file
        text = path.read_text()
        if fault.before not in text:
            return {"fault": fault.name, "outcome": "the text to edit is gone: mend the list"}
        path.write_text(text.replace(fault.before, fault.after, 1))
        begin = time.monotonic()
        try:
            said = subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "pytest",
                    "-x",
                    "-q",
                    "-p",
                    "no:xdist",
                    "-p",
                    "no:cacheprovider",
                    *fault.tests.split(),
                ],
                cwd=copy,
                env={**os.environ, "PYTHONPATH": str(copy / "src")},
                capture_output=True,
                text=True,
                timeout=TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return {"fault": fault.name, "outcome": "unknown", "by": "tests did not end", "seconds": TIMEOUT}
        by = next((line for line in said.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))), "")
        outcome = {0: "not caught", 1: "caught"}.get(said.returncode, f"pytest ended with {said.returncode}")
        return {
            "fault": fault.name,
            "outcome": outcome,
            "by": by.split(" - ")[0].split("/")[-1],
            "seconds": round(time.monotonic() - begin),
        }


def main() -> None:
    """Run the faults asked for and keep the outcomes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("words", nargs="*", help="only faults whose names contain one of these")
    parser.add_argument("--list", action="store_true", help="names only")
    options = parser.parse_args()
    chosen = [f for f in FAULTS if not options.words or any(word in f.name for word in options.words)]
    if options.list:
        print("\n".join(f"{f.name}: {f.file}: {f.before!r} -> {f.after!r}" for f in chosen))
        return
    known = {}
    if RESULTS.exists():
        known = {line["fault"]: line for line in map(json.loads, RESULTS.read_text().splitlines())}
    for fault in chosen:
        known[fault.name] = found = run(fault)
        print(f"{fault.name:32} {found['outcome']:12} {found.get('by', '')}", flush=True)
        lines = [known[f.name] for f in FAULTS if f.name in known]
        RESULTS.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


if __name__ == "__main__":
    main()
