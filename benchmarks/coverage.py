"""How often nominal 90 % intervals cover the truth, for every method of interval the library has.

The suite's doubt/* ask the usual ones in 50 tables a setting; here are all kinds of bootstrap, curves, and 500 studies.

    python benchmarks/coverage.py [--studies 500] [--resampled 100] [--draws 200] [--laws ...] [--rows ...] [--noise ...]
                                  [--objective default] [--json FILE] [--markdown FILE]

Each study simulates runs from a law's usual coefficients with one kind of noise, fits them as a user would, and asks
every method for a 90 % interval of each exponent, of the curve at 10 and 100 times the largest compute (or input), and
of the compute-optimal size at 10 times the largest compute. The table gives the share of studies whose interval holds
the truth, and the median width of the intervals as a share of the truth beside it. An interval without an end covers,
and says nothing: where more than half have none the table says "open" in place of a width. Methods that cost one
Jacobian are asked in every study, bootstraps in the first `--resampled` of them.

Finished settings are kept, one line each, in the file given with --json: a run that was stopped goes on from there.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from functools import cached_property
from pathlib import Path

import numpy as np

import scalefit as sf
from scalefit.bench.simulated import NOISE, Design, design, simulate
from scalefit.fits.draws import KINDS, limits

LAWS = ("chinchilla", "power_floor", "rectified_ft", "lr_annealing")
ROWS = (10, 30, 100, 240)
OBJECTIVES = {"default": None, "square": sf.square(), "huber": sf.huber(1e-3), "absolute": sf.absolute()}
LEVEL = 0.9
# Stands for the logarithm of zero or less.
NOWHERE = -1e6


class Asked(Design):
    """A design, and what is asked of it as functions of coordinates."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What is asked about: exponents, the curve far out, the optimal size."""
        return (*self.exponents, "y at 10x", "y at 100x", *(("N* at 10x",) if self.compute else ()))

    @cached_property
    def exponents(self) -> tuple[str, ...]:
        return tuple(name for name in self.law.names if name in ("alpha", "beta"))

    def ask(self, u: np.ndarray) -> np.ndarray:
        """The logarithm of each quantity (n, q) for every row of coordinates (n, p)."""
        u = np.atleast_2d(u)
        real = zip(self.law.coefs, u.T, strict=True)
        with np.errstate(all="ignore"):
            coefs = {c.name: np.asarray(c.support.from_real(v, xp=np)) for c, v in real}
            columns = [np.log(coefs[name]) for name in self.exponents]
            columns += [self._far(coefs, x) for x in self.far]
            if self.compute:
                a, b = coefs["alpha"], coefs["beta"]
                shift = np.log(a) + np.log(coefs["A"]) - np.log(b) - np.log(coefs["B"])
                columns.append((shift + b * np.log(self.compute / 6)) / (a + b))
        return np.clip(np.nan_to_num(np.stack(columns, axis=1), nan=NOWHERE), NOWHERE, -NOWHERE)

    def _far(self, coefs: Mapping[str, np.ndarray], x: Mapping[str, np.ndarray]) -> np.ndarray:
        if self.law.whole:
            each = (dict(zip(coefs, row, strict=True)) for row in zip(*coefs.values(), strict=True))
            return np.log([np.asarray(self.law(one, x))[-1] for one in each])
        return np.log(self.law({k: v[:, None] for k, v in coefs.items()}, x)[:, -1])

    def slopes(self, u: np.ndarray) -> np.ndarray:
        """How each quantity moves with the coordinates (q, p), by central differences."""
        step = 1e-5 * np.eye(len(u))
        return (self.ask(u + step) - self.ask(u - step)).T / 2e-5


def intervals(known: Asked, noise: str, key: int, objective: sf.Objective | None, n_draws: int
              ) -> Iterator[tuple[str, np.ndarray, np.ndarray, float]]:  # fmt: skip
    """Method, lower and upper ends (q,) of every quantity's logarithm, and seconds, one method after the other."""
    began = time.perf_counter()
    grouped = noise == "clustered"
    fit = sf.fit(known.law, simulate(known, noise, key), y="y", group="unit" if grouped else None,
                 objective=objective, key=key)  # fmt: skip
    spent = time.perf_counter() - began
    estimate, slopes = known.ask(fit.u)[0], known.slopes(fit.u)
    yield "first order", *_linear(fit, estimate, slopes), spent
    yield "sandwich", *_linear(sf.sandwich(fit), estimate, slopes), spent
    if not n_draws:
        return
    for method in ("pairs", "residual", "wild", "bayesian", *(("cluster",) if grouped else ())):
        began = time.perf_counter()
        try:
            draws = sf.bootstrap(fit, n_draws, key, method).draws
        except ValueError:
            continue
        values = known.ask(draws.u)
        pull = np.nan_to_num(draws.influence @ slopes.T)
        took = time.perf_counter() - began
        for kind in KINDS:
            with np.errstate(all="ignore"):
                lo, hi = limits(values, estimate, pull, len(fit.u), LEVEL, kind)
            yield f"{method}, {kind}", lo, hi, took


def _linear(fit: sf.Fit, estimate: np.ndarray, slopes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """To first order about the estimate, stretched as `fit.interval` and `fit.predict` do without draws."""
    spread = np.sqrt(np.diag(fit.covariance))
    k = int(np.argmin(spread))
    with np.errstate(divide="ignore"):
        ends = [float(fit.law.coefs[k].support.to_real(end)) for end in fit.interval(fit.law.names[k], LEVEL)]
    stretch = (ends[1] - ends[0]) / 2 / spread[k]
    known = np.where(np.isfinite(fit.covariance), fit.covariance, 1e12)
    reach = stretch * np.sqrt(np.maximum(np.einsum("qi,ij,qj->q", slopes, known, slopes), 1e-300))
    # A law that predicts a loss below zero there predicts nothing: `fit.predict` leaves such intervals open.
    reach = np.where(estimate > NOWHERE, reach, np.inf)
    return estimate - reach, estimate + reach


def setting(
    law: str, rows: int, noise: str, studies: int, resampled: int, objective: str, n_draws: int
) -> dict:
    """Coverage, share below the interval, median width and share of open intervals, per method and quantity."""
    plain = design(sf.laws.get(law), rows)
    known = Asked(**{each.name: getattr(plain, each.name) for each in fields(plain)})
    truth = known.ask(np.array([float(c.support.to_real(known.truth[c.name])) for c in known.law.coefs]))[0]
    seen: dict[str, list] = {}
    began = time.perf_counter()
    for key in range(studies):
        draws = n_draws if key < resampled else 0
        for method, lo, hi, spent in intervals(known, noise, key, OBJECTIVES[objective], draws):
            with np.errstate(all="ignore"):
                width = np.nan_to_num(np.exp(hi - truth) - np.exp(lo - truth), nan=np.inf)
            seen.setdefault(method, []).append((lo <= truth, hi >= truth, width, spent))
    methods = {}
    for method, found in seen.items():
        above, below, width, spent = (np.array(part) for part in zip(*found, strict=True))
        methods[method] = {
            "studies": len(found),
            "covered": np.mean(above & below, axis=0).round(4).tolist(),
            "truth below": np.mean(~above, axis=0).round(4).tolist(),
            "width": np.minimum(np.median(width, axis=0), 1e9).tolist(),
            "open": np.mean(width > 1e6, axis=0).round(4).tolist(),
            "seconds": float(np.median(spent)),
        }
    return {"law": law, "rows": rows, "noise": noise, "objective": objective, "draws": n_draws, "studies": studies,
            "resampled": resampled, "seconds": round(time.perf_counter() - began, 1), "quantities": known.names, "methods": methods}  # fmt: skip


def markdown(settings: Sequence[Mapping]) -> str:
    """One table per law, rows and noise: a line per method."""
    out = ["# Coverage of nominal 90 % intervals", "",
           "Share of studies whose interval holds the truth, in percent; median width as a share of the truth in "
           "brackets. Figures outside 85 to 95 % are in bold.", ""]  # fmt: skip
    for one in settings:
        error, rough = (100 * np.sqrt(LEVEL * (1 - LEVEL) / max(one[n], 1)) for n in ("studies", "resampled"))
        out += [f"## {one['law']}, {one['rows']} rows, {one['noise']} noise, {one['objective']} objective", "",
                f"{one['studies']} studies (a true 90 % has a standard error of {error:.1f}), bootstraps of {one['draws']} "
                f"draws in {one['resampled']} of them ({rough:.1f}).", "",
                "| method | " + " | ".join(one["quantities"]) + " | s per study |",
                "| --- |" + " ---: |" * (len(one["quantities"]) + 1)]  # fmt: skip
        for method, got in one["methods"].items():
            cells = map(_cell, got["covered"], got["width"], got["open"])
            out.append(f"| {method} | " + " | ".join(cells) + f" | {got['seconds']:.2g} |")
        out.append("")
    return "\n".join(out)


def _cell(covered: float, width: float, unbounded: float) -> str:
    if unbounded > 0.5:
        return "open"
    share = f"{100 * covered:.0f}"
    return f"{share if 0.85 <= covered <= 0.95 else f'**{share}**'} ({width:.2g})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=500)
    parser.add_argument("--resampled", type=int, default=100)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--laws", nargs="+", default=LAWS)
    parser.add_argument("--rows", nargs="+", type=int, default=ROWS)
    parser.add_argument("--noise", nargs="+", default=NOISE, choices=NOISE)
    parser.add_argument("--objective", default="default", choices=tuple(OBJECTIVES))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    asked = parser.parse_args()
    lines = asked.json.read_text().splitlines() if asked.json and asked.json.exists() else []
    done = {_name(one): one for one in map(json.loads, lines)}
    found = []
    for law in asked.laws:
        for noise in asked.noise:
            for rows in asked.rows:
                key = (law, rows, noise, asked.objective, asked.draws)
                kept = done.get(key, {"studies": 0, "resampled": 0})
                if kept["studies"] < asked.studies or kept["resampled"] < asked.resampled:
                    counts = asked.studies, asked.resampled
                    done[key] = setting(law, rows, noise, *counts, asked.objective, asked.draws)
                    if asked.json:
                        with asked.json.open("a") as file:
                            file.write(json.dumps(done[key]) + "\n")
                print(f"{law}, {rows} rows, {noise}: {done[key]['seconds']:.0f} s", flush=True)
                found.append(done[key])
    if asked.markdown:
        asked.markdown.write_text(markdown(found))
    else:
        print(markdown(found))


def _name(one: Mapping) -> tuple:
    return one["law"], one["rows"], one["noise"], one["objective"], one["draws"]


if __name__ == "__main__":
    main()
