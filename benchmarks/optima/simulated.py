"""Two hundred simulated data sets for checking whether a fit reaches its best objective.

Five laws, forty data sets each.  All coefficients of all laws are positive.

    power_floor      L = E + A * x**-alpha
    chinchilla       L = E + A / N**alpha + B / D**beta
    kaplan_nd        L = ((N_c / N)**(alpha_N / alpha_D) + D_c / D)**alpha_D
    kaplan_nd_floor  L = E + ((A / N)**(alpha / beta) + B / D)**beta
    skaling          L = E + (A * N**-alpha + B * D**-beta)**kappa

The objective of a data set is the sum over its rows of Huber_delta(log L - log y), with

    Huber_delta(r) = r**2 / 2                    for abs(r) <= delta
                     delta * (abs(r) - delta/2)  otherwise

Every data set has its own seed; design, noise and delta follow from its number, everything else is
drawn from ``numpy.random.Generator(numpy.random.PCG64(seed))``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LAWS: dict[str, tuple[str, ...]] = {
    "power_floor": ("E", "A", "alpha"),
    "chinchilla": ("E", "A", "B", "alpha", "beta"),
    "kaplan_nd": ("N_c", "D_c", "alpha_N", "alpha_D"),
    "kaplan_nd_floor": ("E", "A", "B", "alpha", "beta"),
    "skaling": ("E", "A", "B", "alpha", "beta", "kappa"),
}
DESIGNS = ("random", "isoflop", "ratio", "grid")
DESIGNS_ONE_INPUT = ("random", "geometric", "short", "clustered")
NOISES = ("gauss_0.1%", "gauss_0.3%", "gauss_1%", "gauss_2%", "student_t2", "outliers")
ROWS = (12, 18, 24, 36, 60, 90, 140, 240)
SETS_PER_LAW = 40
FIRST_SEED = 20260000


@dataclass(frozen=True)
class DataSet:
    """One simulated data set: the rows, the objective's delta and the coefficients it was made with."""

    name: str
    law: str
    design: str
    noise: str
    seed: int
    x: dict[str, Array]
    y: Array
    delta: float
    truth: dict[str, float]


def loss(law: str, c: Mapping[str, float], x: Mapping[str, Array]) -> Array:
    """The law's loss at the inputs, by the formula as printed."""
    if law == "power_floor":
        return c["E"] + c["A"] * x["x"] ** -c["alpha"]
    N, D = x["N"], x["D"]
    if law == "chinchilla":
        return c["E"] + c["A"] / N ** c["alpha"] + c["B"] / D ** c["beta"]
    if law == "kaplan_nd":
        return ((c["N_c"] / N) ** (c["alpha_N"] / c["alpha_D"]) + c["D_c"] / D) ** c["alpha_D"]
    if law == "kaplan_nd_floor":
        return c["E"] + ((c["A"] / N) ** (c["alpha"] / c["beta"]) + c["B"] / D) ** c["beta"]
    if law == "skaling":
        return c["E"] + (c["A"] * N ** -c["alpha"] + c["B"] * D ** -c["beta"]) ** c["kappa"]
    raise ValueError(f"unknown law {law!r}")


def objective(data: DataSet, coefficients: Mapping[str, float]) -> float:
    """Sum of Huber_delta(log L - log y), by the formulas as printed."""
    r = np.abs(np.log(loss(data.law, coefficients, data.x)) - np.log(data.y))
    return float(np.sum(np.where(r <= data.delta, r**2 / 2, data.delta * (r - data.delta / 2))))


def datasets() -> list[DataSet]:
    """All two hundred data sets, in order."""
    return [simulate(law, i) for law in LAWS for i in range(SETS_PER_LAW)]


def simulate(law: str, i: int) -> DataSet:
    """Data set number i of a law."""
    number = list(LAWS).index(law)
    seed = FIRST_SEED + 1000 * number + i
    rng = np.random.Generator(np.random.PCG64(seed))
    noise = NOISES[(i // 4 + number) % 6]
    rows = int(rng.choice(ROWS))
    truth = draw_truth(law, rng)
    if law == "power_floor":
        design = DESIGNS_ONE_INPUT[i % 4]
        x = draw_one_input(design, rows, rng)
    else:
        design = DESIGNS[i % 4]
        x = draw_two_inputs(design, rows, rng)
    clean = loss(law, truth, x)
    y = clean * np.exp(draw_noise(noise, clean.size, rng))
    delta = 1e-2 if i % 5 == 4 else 1e-3
    return DataSet(f"{law}-{i:02d}", law, design, noise, seed, x, y, delta, truth)


def draw_truth(law: str, rng: np.random.Generator) -> dict[str, float]:
    """Coefficients around published ones; an amplitude grows with its exponent, as in published fits."""

    def log_uniform(low: float, high: float) -> float:
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    def pair(low: float, high: float) -> tuple[float, float]:
        u, v = rng.uniform(), rng.uniform()
        return low * (high / low) ** u, 0.25 + 0.25 * (0.7 * u + 0.3 * v)

    if law == "power_floor":
        alpha = rng.uniform(0.1, 0.8)
        return {"E": rng.uniform(0.5, 3.0), "A": log_uniform(0.1, 3.0) * 1e8**alpha, "alpha": alpha}
    if law == "chinchilla":
        (A, alpha), (B, beta) = pair(200.0, 1000.0), pair(300.0, 5000.0)
        return {"E": rng.uniform(1.3, 2.2), "A": A, "B": B, "alpha": alpha, "beta": beta}
    if law == "kaplan_nd":
        z = rng.standard_normal(4)
        return {
            "N_c": float(6.4e13 * np.exp(z[0])),
            "D_c": float(1.8e13 * np.exp(z[1])),
            "alpha_N": float(0.076 * np.exp(0.15 * z[2])),
            "alpha_D": float(0.10 * np.exp(0.15 * z[3])),
        }
    if law == "kaplan_nd_floor":
        z = rng.standard_normal(2)
        return {
            "E": rng.uniform(1.8, 2.5),
            "A": float(6.8e7 * np.exp(0.5 * z[0])),
            "B": float(9.3e8 * np.exp(0.5 * z[1])),
            "alpha": rng.uniform(0.32, 0.50),
            "beta": rng.uniform(0.35, 0.55),
        }
    alpha, beta = rng.uniform(0.33, 0.48), rng.uniform(0.35, 0.50)
    return {
        "E": rng.uniform(1.0, 1.6),
        "A": log_uniform(0.35, 1.4) * 1e9**alpha,
        "B": log_uniform(0.45, 1.8) * 1e10**beta,
        "alpha": alpha,
        "beta": beta,
        "kappa": rng.uniform(0.4, 1.0),
    }


def draw_one_input(design: str, rows: int, rng: np.random.Generator) -> dict[str, Array]:
    """Values of the single input x."""
    if design == "random":
        log_x = rng.uniform(6.0, 10.0, rows)
    elif design == "geometric":
        log_x = np.linspace(6.0, 10.0, rows)
    elif design == "short":
        log_x = rng.uniform(7.0, 8.5, rows)
    else:
        centres = np.repeat(np.linspace(6.5, 9.5, rows // 3), 3)
        log_x = centres + 0.02 * rng.standard_normal(centres.size)
    return {"x": 10.0**log_x}


def draw_two_inputs(design: str, rows: int, rng: np.random.Generator) -> dict[str, Array]:
    """Values of the inputs N (parameters) and D (tokens)."""
    if design == "random":
        log_n, log_d = rng.uniform(7.0, 10.0, rows), rng.uniform(8.0, 11.0, rows)
    elif design == "isoflop":  # several compute budgets C = 6 N D, a sweep over N in each
        budgets = max(3, min(9, rows // 6))
        points = rows // budgets
        log_c = np.repeat(np.linspace(18.0, 21.0, budgets), points)
        sweep = np.tile(np.linspace(-0.6, 0.6, points), budgets)
        log_n = 0.5 * (log_c - np.log10(120.0)) + sweep
        log_d = log_c - np.log10(6.0) - log_n
    elif design == "ratio":  # near D = 20 N
        log_n = rng.uniform(7.0, 10.0, rows)
        log_d = log_n + np.log10(20.0) + rng.choice([0.15, 0.3]) * rng.standard_normal(rows)
    else:
        side = {12: (4, 3), 18: (6, 3), 24: (6, 4), 36: (6, 6), 60: (10, 6)}.get(rows, (7, 7))
        grid = np.meshgrid(np.linspace(7.3, 9.7, side[0]), np.linspace(8.5, 10.7, side[1]))
        log_n, log_d = grid[0].ravel(), grid[1].ravel()
    return {"N": 10.0**log_n, "D": 10.0**log_d}


def draw_noise(noise: str, rows: int, rng: np.random.Generator) -> Array:
    """Noise on the log of the loss."""
    if noise == "student_t2":
        return 0.003 * rng.standard_t(2, rows)
    if noise == "outliers":  # 0.3 % Gaussian, and 8 % of the rows 5 to 30 % too high
        high = rng.permutation(rows) < max(1, round(0.08 * rows))
        raised = np.log1p(rng.uniform(0.05, 0.30, rows))
        return 0.003 * rng.standard_normal(rows) + np.where(high, raised, 0.0)
    return float(noise.removeprefix("gauss_").removesuffix("%")) / 100 * rng.standard_normal(rows)
