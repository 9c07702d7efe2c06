"""Loss curves under learning-rate schedules: unseen schedules from three (quality), and fits of long curves (speed).

    SCALEFIT_DATA=... python benchmarks/curves.py quality     # mpl_curves; writes curves.json and curves.md
    SCALEFIT_DATA=... python benchmarks/curves.py stopped     # the published coefficients, as a descent stopped early
    SCALEFIT_DATA=... python benchmarks/curves.py together    # both sizes in one fit
    python benchmarks/curves.py speed

Luo et al. 2025 (arXiv:2503.12811): 25M and 100M models, fitted on `TRAIN`, scored as the mean over `TEST`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize

import scalefit as sf
from scalefit.core.linear import linearise
from scalefit.curves.fit_curves import CURVE_LAWS, condense, shrink
from scalefit.frames import read

HERE = Path(__file__).parent
PEAK, WARMUP = 3e-4, 2160
# In the authors' files the second stage begins with step 8000.
SCHEDULES = {
    **{f"constant_{n}": sf.schedule.constant(n, PEAK, warmup=WARMUP) for n in (24_000, 72_000)},
    **{f"cosine_{n}": sf.schedule.cosine(n, PEAK, PEAK / 10, warmup=WARMUP) for n in (24_000, 72_000)},
    **{f"wsdcon_{k}": sf.schedule.two_stage(16_000, PEAK, k * 1e-5, first=7999, warmup=WARMUP) for k in (3, 9, 18)},
    "wsd_20000_24000": sf.schedule.wsd(24_000, PEAK, PEAK / 10, cooldown=4000, shape="exponential", warmup=WARMUP),
    "wsdld_20000_24000": sf.schedule.wsd(24_000, PEAK, PEAK / 10, cooldown=4000, warmup=WARMUP),
}  # fmt: skip
TRAIN = ("constant_24000", "cosine_24000", "wsdcon_9")
TEST = ("constant_72000", "cosine_72000", "wsd_20000_24000", "wsdld_20000_24000", "wsdcon_3", "wsdcon_18")
SIZES = {"25m": 25e6, "100m": 100e6}
# RMSE and MAE of arXiv:2503.12811, table 2.
PUBLISHED = {"25m": (0.00465, 0.00376), "100m": (0.00592, 0.00435)}
# The step up to which the fourth training split sees its curves.
HORIZON = 10_000


def curves(size: str, schedules: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The rows of these runs with the whole schedule, every loss kept."""
    runs = read(Path(os.environ["SCALEFIT_DATA"]) / "mpl_curves" / "curves.csv")
    runs = runs[runs["model"] == size]
    parts = []
    for name in schedules:
        seen, rate = runs[runs["schedule"] == name], SCHEDULES[name]
        assert np.allclose(rate[seen["step"].to_numpy() - 1], seen["lr"], rtol=1e-6)
        loss = np.full(len(rate) + 1, np.nan)
        loss[seen["step"]] = seen["loss"]
        parts.append({"step": np.arange(len(rate) + 1.0), "lr": np.append(0.0, rate), "loss": loss,
                      "run": np.full(len(rate) + 1, name)})  # fmt: skip
    return condense({key: np.concatenate([part[key] for part in parts]) for key in parts[0]}, rows=10**7)


def splits(table: dict[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Rows to fit and to score: each training schedule left out in turn, then all of them from `HORIZON` on."""
    seen = table["weight"] > 0
    for name in TRAIN:
        yield f"without {name}", seen & (table["run"] != name), seen & (table["run"] == name)
    yield f"steps up to {HORIZON}", seen & (table["step"] <= HORIZON), seen & (table["step"] > HORIZON)


def score(table: dict[str, np.ndarray], predicted: np.ndarray) -> dict[str, Any]:
    """Per schedule: RMSE, MAE, R2, the worst error, the last one."""
    found = {}
    for name in dict.fromkeys(table["run"].tolist()):
        rows = (table["run"] == name) & (table["weight"] > 0)
        y, error = table["loss"][rows], predicted[rows] - table["loss"][rows]
        found[name] = {"rmse": np.sqrt(np.mean(error**2)), "mae": np.mean(np.abs(error)), "bias": np.mean(error),
                       "r2": 1 - np.sum(error**2) / np.sum((y - np.mean(y)) ** 2), "worst": np.max(np.abs(error)),
                       "last": error[-1]}  # fmt: skip
    return {name: {k: float(v) for k, v in row.items()} for name, row in found.items()}


def candidates() -> dict[str, tuple[str, ...]]:
    """Name -> fits whose predictions are averaged; "shrunk" ones are drawn towards their usual ranges."""
    single = {name: (name,) for law in CURVE_LAWS for name in (law, f"{law}, squares", f"{law}, shrunk")}
    for how in ("", ", shrunk"):
        for n in (2, 3):
            for laws in combinations(CURVE_LAWS, n):
                single[f"mean of {' and '.join(laws)}{how}"] = tuple(law + how for law in laws)
    return single


def fitted(table: dict[str, np.ndarray], rows: np.ndarray) -> dict[str, sf.Fit]:
    """Every law fitted to these rows, in every way."""
    data = {k: table[k] for k in ("step", "lr", "loss", "run")}
    fits = {}
    for law in CURVE_LAWS:
        fits[law] = sf.fit(law, data, weight=rows.astype(float))
        fits[f"{law}, squares"] = sf.fit(law, data, weight=rows.astype(float), objective=sf.square())
        fits[f"{law}, shrunk"] = shrink(fits[law])
    return fits


def quality() -> dict[str, Any]:
    """Cross-validation within the training schedules, and the test, for every candidate."""
    found: dict[str, Any] = {
        name: {"within": {}, "test": {}, "train": {}, "coefs": {}} for name in candidates()
    }
    for size in SIZES:
        began = time.perf_counter()
        train, test = curves(size, TRAIN), curves(size, TEST)
        for label, rows, held in (*splits(train), ("all", train["weight"] > 0, train["weight"] > 0)):
            fits = fitted(train, rows)
            guess = {name: fit.predict(train) for name, fit in fits.items()}
            ahead = {name: fit.predict(test) for name, fit in fits.items()} if label == "all" else {}
            for name, parts in candidates().items():
                error = np.mean([guess[part] for part in parts], axis=0)[held] - train["loss"][held]
                rms = float(np.sqrt(np.mean(error**2)))
                if label != "all":
                    found[name]["within"][f"{size} {label}"] = rms
                    continue
                found[name]["train"][size] = rms
                found[name]["test"][size] = score(test, np.mean([ahead[part] for part in parts], axis=0))
                found[name]["coefs"][size] = {part: dict(fits[part].coefs) for part in parts}
            print(f"{size} {label} ({time.perf_counter() - began:.0f} s)", flush=True)
        law = sf.laws.multi_power
        known = law.published[f"luo2025_{size}"]
        guess = {k: law(known, {"step": t["step"], "eta": t["lr"], "curve": _codes(t["run"])}) for k, t in
                 (("train", train), ("test", test))}  # fmt: skip
        entry = found.setdefault(
            "multi_power, published coefficients", {"within": {}, "test": {}, "train": {}, "coefs": {}}
        )
        entry["test"][size] = score(test, guess["test"])
        seen = train["weight"] > 0
        entry["train"][size] = float(np.sqrt(np.mean((guess["train"] - train["loss"])[seen] ** 2)))
    return found


def markdown(found: dict[str, Any]) -> str:
    """The candidates, best within the training schedules first."""
    lines = [
        "Errors in nats, times 1000. Within: RMSE of the splits of the training schedules (each left out in turn; all beyond step "
        f"{HORIZON:,} from what came before), mean over splits and sizes: what a choice may look at. Test: means over the six test schedules.",
        "",
        "| candidate | within | train RMSE 25m, 100m | test RMSE 25m | MAE | R2 | worst | test RMSE 100m | MAE | R2 | worst | mean RMSE | against published |",
        "| --- | " + " | ".join(["---:"] * 12) + " |",
    ]  # fmt: skip
    reference = np.mean([v[0] for v in PUBLISHED.values()])
    within = {
        name: np.mean(list(entry["within"].values())) if entry["within"] else np.inf
        for name, entry in found.items()
    }
    for name in sorted(found, key=lambda n: within[n]):
        entry, cells, both = found[name], [], []
        for size in SIZES:
            rows = entry["test"][size].values()
            mean = {k: np.mean([row[k] for row in rows]) for k in ("rmse", "mae", "r2")}
            both.append(mean["rmse"])
            cells += [f"{1e3 * mean['rmse']:.2f}", f"{1e3 * mean['mae']:.2f}", f"{mean['r2']:.4f}",
                      f"{1e3 * max(row['worst'] for row in rows):.1f}"]  # fmt: skip
        own = f"{1e3 * within[name]:.2f}" if np.isfinite(within[name]) else ""
        train = ", ".join(f"{1e3 * entry['train'][size]:.2f}" for size in SIZES)
        lines.append(
            f"| {name} | {own} | {train} | {' | '.join(cells)} | {1e3 * np.mean(both):.2f} | {np.mean(both) / reference - 1:+.0%} |"
        )
    lines += ["", "Mean error (prediction minus loss, times 1000) per test schedule, 25m / 100m:", "",
              f"| candidate | {' | '.join(TEST)} |", "| --- | " + " | ".join(["---:"] * len(TEST)) + " |"]  # fmt: skip
    for name in sorted(found, key=lambda n: within[n]):
        cells = (
            " / ".join(f"{1e3 * found[name]['test'][size][s]['bias']:+.1f}" for size in SIZES) for s in TEST
        )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def stopped() -> None:
    """The authors' way: a fit of -B (peak - rate) in place of the response, then AdamW from C = 1, beta = gamma = 1/2.

    Rates of arXiv:2503.12811's code: 0.05 for L0, A, B, C and 0.005 for the exponents; the best point seen counts.
    """
    law, objective = sf.laws.multi_power, sf.huber(1e-3)
    order = np.array([law.names.index(name) for name in ("L0", "A", "alpha", "B", "C", "beta", "gamma")])
    rates = np.array([5e-2, 5e-2, 5e-3, 5e-2, 5e-2, 5e-3, 5e-3])
    for size in SIZES:
        train, test = curves(size, TRAIN), curves(size, TEST)
        seen = train["weight"] > 0
        x, at = ({"step": t["step"], "eta": t["lr"], "curve": _codes(t["run"])} for t in (train, test))
        area = (
            sf.laws.multi_power({**dict.fromkeys(law.names, 1.0), "L0": 0.0, "B": 0.0, "alpha": -1.0}, x)
        )[seen]

        def coarse(v, area=area, train=train, seen=seen):
            guess = v[0] + v[1] * area ** -v[2] - v[3] * (PEAK - train["lr"][seen])
            r = np.abs(np.log(np.maximum(guess, 1e-9)) - np.log(train["loss"][seen]))
            return 1e3 * np.sum(np.where(r < 1e-3, r * r / 2, 1e-3 * (r - 5e-4)))

        start = np.array([2.8, 0.5, 0.5, 400.0])
        for _ in range(4):
            start = minimize(
                coarse, start, method="Nelder-Mead", options={"maxiter": 5000, "maxfev": 5000, "fatol": 1e-12}
            ).x
        v, m, s = np.append(start, [1.0, 0.5, 0.5]), np.zeros(7), np.zeros(7)
        best, least = v, np.inf

        def value(v, x=x, train=train, seen=seen):
            u = np.log(np.maximum(v, 1e-9))[np.argsort(order)]
            linear = linearise(law, objective, u, x, train["loss"]).take(seen)
            return float(np.sum(linear.cost)), (linear.jacobian @ linear.slope)[order] / v

        for k in range(1, 501):
            cost, gradient = value(v)
            if cost < least:
                least, best = cost, v
            if k in (1, 25, 50, 75, 100, 500):
                rows = score(test, law(dict(zip(np.array(law.names)[order], best, strict=True)), at)).values()
                print(f"{size} step {k:4d} objective {least:.3e} coefficients {np.round(best, 4).tolist()} "
                      f"test RMSE {np.mean([r['rmse'] for r in rows]):.5f} MAE {np.mean([r['mae'] for r in rows]):.5f}", flush=True)  # fmt: skip
            m, s = 0.9 * m + 0.1 * gradient, 0.999 * s + 0.001 * gradient**2
            v = v * (1 - 0.01 * rates) - rates * (m / (1 - 0.9**k)) / (np.sqrt(s / (1 - 0.999**k)) + 1e-8)
        known = np.array([law.published[f"luo2025_{size}"][name] for name in np.array(law.names)[order]])
        data = {k: train[k] for k in ("step", "lr", "loss", "run")}
        print(f"{size} published {known.tolist()}: objective {value(known)[0]:.3e}; least possible "
              f"{sf.fit(law, data, weight=seen.astype(float)).value:.3e}", flush=True)  # fmt: skip


def together() -> None:
    """Both sizes in one fit: the response's coefficients shared, and a term in N."""
    parts = {size: curves(size, TRAIN) for size in SIZES}
    table = {k: np.concatenate([part[k] for part in parts.values()]) for k in ("step", "lr", "loss")}
    table["run"] = np.concatenate([np.char.add(f"{size} ", part["run"]) for size, part in parts.items()])
    table["model"] = np.concatenate([np.full(len(part["step"]), size) for size, part in parts.items()])
    table["N"] = np.array([SIZES[size] for size in table["model"]])
    laws = {
        "lr_annealing, lam shared": sf.laws.lr_annealing.shared("lam", by="model"),
        "multi_power, C, beta and gamma shared": sf.laws.multi_power.shared("C", "beta", "gamma", by="model"),
        "fsl, c4 and gamma shared": sf.laws.fsl.shared("c4", "gamma", by="model"),
        # Two sizes give two levels: a floor and one coefficient, not two.
        "lr_annealing_size, beta = 0.34": sf.laws.lr_annealing_size.fix(beta=0.34),
    }
    tests = {size: curves(size, TEST) for size in SIZES}
    ahead = {size: test | {"model": np.full(len(test["step"]), size), "N": np.full(len(test["step"]), SIZES[size])}
             for size, test in tests.items()}  # fmt: skip
    found: dict[str, list[dict[str, np.ndarray]]] = {"plain": [], "shrunk": []}
    for name, law in laws.items():
        began, cpu = time.perf_counter(), time.process_time()
        plain = sf.fit(law, table)
        print(
            f"{name}: {plain.status} ({time.perf_counter() - began:.0f} s, CPU {time.process_time() - cpu:.0f} s)"
        )
        for how, fit in (("plain", plain), ("shrunk", shrink(plain))):
            guess = {size: fit.predict(x) for size, x in ahead.items()}
            if " shared" in name:
                found[how].append(guess)
            print(
                f"  {how}: {_means(tests, guess)}; { ({k: float(f'{v:.4g}') for k, v in fit.coefs.items()}) }",
                flush=True,
            )
    for how, each in found.items():
        print(
            f"mean of the three that share, {how}: {_means(tests, {size: np.mean([g[size] for g in each], axis=0) for size in SIZES})}"
        )


def _means(tests: dict[str, dict[str, np.ndarray]], guess: dict[str, np.ndarray]) -> str:
    line = []
    for size, test in tests.items():
        rows = score(test, guess[size]).values()
        line.append(
            f"{size} RMSE {np.mean([r['rmse'] for r in rows]):.5f} MAE {np.mean([r['mae'] for r in rows]):.5f}"
        )
    return "; ".join(line)


def speed(most: int) -> None:
    """Fits of curves with a loss at every step: condensed and fitted, against sums over all steps."""
    law = sf.laws.multi_power
    truth = dict(law.published["luo2025_100m"])
    print("Three curves, a loss (noise 0.02) at each of 24,000, 24,000 and 72,000 steps:")
    names = ("constant_24000", "wsd_20000_24000", "cosine_72000")
    for trial in ("first, with compilation", "second"):
        runs = noisy({name: SCHEDULES[name] for name in names}, truth, 1 + (trial == "second"))
        rows, spent = timed(lambda runs=runs: condense(runs))
        fit, spent_fit = timed(lambda rows=rows: sf.fit(law, rows, weight="weight"))
        print(
            f"  {trial}: condense {len(runs['step']):,} rows to {len(rows['step'])} {spent}; fit {spent_fit}; {fit.status}"
        )
        print("  largest error of the fitted curve: "
              f"{np.max(np.abs(fit.predict(rows) - law(truth, {'step': rows['step'], 'eta': rows['lr'], 'curve': _codes(rows['run'])}))[rows['weight'] > 0]):.5f} nats")  # fmt: skip
    print("\n| steps | condense, CPU s | rows | lr_annealing, lam held: fit, CPU ms | lam fitted, ms | multi_power, one evaluation, ms | "
          "over all steps at those rows, s | error, nats | at every step by a sum over all before, s |")  # fmt: skip
    print("| ---: " * 9 + "|")
    n = 1000
    while n <= most:
        rate = {"a": sf.schedule.cosine(n, PEAK, PEAK / 10, warmup=n // 20)}
        runs = noisy(rate, truth, 3)
        rows, spent = timed(lambda runs=runs: condense(runs))
        held, free = sf.laws.lr_annealing.fix(lam=0.999), sf.laws.lr_annealing
        cells = []
        for which in (held, free):
            sf.fit(which, rows, weight="weight")
            cells.append(
                f"{1e3 * timed(lambda which=which, rows=rows: sf.fit(which, rows, weight='weight'))[1].cpu:.0f}"
            )
        x = {"step": rows["step"], "eta": rows["lr"], "curve": _codes(rows["run"])}
        ours, took = timed(lambda x=x: law(truth, x))
        steps = rows["step"].astype(int)
        exact, naive = timed(lambda rate=rate, steps=steps: by_steps(truth, rate["a"], steps))
        error = np.max(np.abs(ours - exact)[steps >= n // 20])
        every = naive.cpu * n / len(steps)
        print(f"| {n:,} | {spent.cpu:.3f} | {len(steps)} | {cells[0]} | {cells[1]} | {1e3 * took.cpu:.0f} | {naive.cpu:.2f} | {error:.1e} | "
              f"{every:,.0f}{' (computed)' if len(steps) < n else ''} |", flush=True)  # fmt: skip
        n *= 10


class Spent:
    """Wall and processor time."""

    def __init__(self, wall: float, cpu: float):
        self.wall, self.cpu = wall, cpu

    def __str__(self) -> str:
        return f"{self.wall:.2f} s (CPU {self.cpu:.2f} s)"


def timed(work: Callable[[], Any]) -> tuple[Any, Spent]:
    """What it returns, and what it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    return found, Spent(time.perf_counter() - wall, time.process_time() - cpu)


def noisy(
    rates: dict[str, np.ndarray], truth: dict[str, float], key: int, noise: float = 0.02
) -> dict[str, np.ndarray]:
    """A loss at every step, by the law (between 2000 places: it is smooth) plus normal noise; rows without one at step 0."""
    parts = []
    for name, rate in rates.items():
        n = len(rate)
        bare = {
            "step": np.arange(n + 1.0),
            "lr": np.append(0.0, rate),
            "run": np.full(n + 1, name),
            "loss": np.ones(n + 1),
        }
        at = condense(bare, rows=2000)
        curve = sf.laws.multi_power(truth, {"step": at["step"], "eta": at["lr"], "curve": 0 * at["step"]})
        drawn = np.random.default_rng(key).normal(0, noise, n + 1)
        bare["loss"] = np.interp(bare["step"], at["step"][1:], curve[1:]) + drawn
        bare["loss"][: 1 + n // 20] = np.nan
        parts.append(bare)
    return {k: np.concatenate([part[k] for part in parts]) for k in parts[0]}


def by_steps(coefs: dict[str, float], rate: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """arXiv:2503.12811, equation 1, as printed: for each of `steps` the sum over all steps before."""
    rate = np.append(0.0, rate)
    area, out = np.cumsum(rate), []
    lost, speed = rate[:-1] - rate[1:], coefs["C"] * rate[1:] ** -coefs["gamma"]
    for t in steps:
        gone = (1 + speed[:t] * (area[t] - area[:t])) ** -coefs["beta"]
        out.append(
            coefs["L0"]
            + coefs["A"] * max(area[t], 1e-30) ** -coefs["alpha"]
            - coefs["B"] * np.sum(lost[:t] * (1 - gone))
        )
    return np.array(out)


def _codes(run: np.ndarray) -> np.ndarray:
    return np.unique(run, return_inverse=True)[1].astype(float)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("quality", "stopped", "together", "speed"))
    parser.add_argument("--most", type=int, default=10**6, help="steps of the longest curve of `speed`")
    asked = parser.parse_args()
    if asked.what != "speed" and not os.environ.get("SCALEFIT_DATA"):
        sys.exit("set SCALEFIT_DATA to the folder with the public runs")
    if asked.what == "speed":
        speed(asked.most)
    elif asked.what == "stopped":
        stopped()
    elif asked.what == "together":
        together()
    else:
        found = quality()
        (HERE / "curves.json").write_text(json.dumps(found, indent=1) + "\n")
        (HERE / "curves.md").write_text(markdown(found))
        print(markdown(found))


if __name__ == "__main__":
    main()
