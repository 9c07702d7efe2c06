"""Print the key figures of the shipped tables:  python examples/tiny_lm/report.py"""

from itertools import product

import numpy as np
import pandas as pd
from collect import TARGET
from corpus import CONTEXT
from plan import SIZES, chosen_lr
from scipy.optimize import least_squares


def parabola_cost(lrs: np.ndarray, losses: np.ndarray, used: float) -> tuple[float, float]:
    """Best rate and relative excess loss at `used`, from a parabola in log(lr) around the best run."""
    x = np.log2(lrs)
    x_center = np.clip(x[np.argmin(losses)], x.min() + 1, x.max() - 1)
    near = np.abs(x - x_center) < 1.6
    parabola = np.polynomial.Polynomial.fit(x[near], losses[near], 2)
    if parabola.deriv(2)(0) <= 0:  # no minimum within the noise
        return float(lrs[np.argmin(losses)]), np.nan
    x_best = float(np.clip(parabola.deriv().roots()[0].real, x[near].min(), x[near].max()))
    return 2**x_best, float(parabola(np.log2(used)) / parabola(x_best) - 1)


def lr_table(tuning: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Best and used rate and the cost of the difference, per size and budget of the sweep of rates."""
    rows = []
    runs = runs[(runs.schedule == "cooldown") & (runs.seed == 0)]
    for (size, batch_tokens, n_tokens), group in tuning.groupby(
        ["size", "batch_tokens", "n_tokens"], sort=False
    ):
        same = (runs["size"] == size) & (runs.n_tokens == n_tokens) & (runs.batch_tokens == batch_tokens)
        used = runs[same]
        group = pd.concat([group, used])  # the run at the rate finally used is a measurement too
        lr = chosen_lr(SIZES[str(size)], int(batch_tokens) // CONTEXT)
        best, cost = parabola_cost(group.lr.to_numpy(), group.loss.to_numpy(), lr)
        rows.append((size, batch_tokens, n_tokens, len(group), best, lr, 100 * cost))
    names = ["size", "batch_tokens", "n_tokens", "n_rates", "lr_best", "lr_used", "cost_percent"]
    return pd.DataFrame(rows, columns=names)


def fit_law(table: pd.DataFrame, joint: bool) -> tuple[np.ndarray, np.ndarray]:
    """Least squares on log L; returns (E, A, alpha, B, beta, power) and the residuals of log L.

    L = E + A / N^alpha + B / D^beta, or with `joint` L = E + (A / N^alpha + B / D^beta)^power.
    """
    n, d = table.n_params_no_embed.to_numpy() / 1e5, table.n_tokens.to_numpy() / 1e6
    log_loss = np.log(table.loss.to_numpy())

    def unpack(p: np.ndarray) -> np.ndarray:
        return np.exp(p) if joint else np.append(np.exp(p), 1.0)

    def residual(p: np.ndarray) -> np.ndarray:
        e, a, alpha, b, beta, power = unpack(p)
        return np.log(e + (a * n**-alpha + b * d**-beta) ** power) - log_loss

    grid = product((-1.0, 0.0), (-1.0, 0.0), (-1.5, -0.5), (-1.0, 0.0), (-1.5, -0.5), (-1.0, 0.0))
    starts = {start if joint else start[:5] for start in grid}
    fits = [least_squares(residual, np.array(start), max_nfev=2000) for start in sorted(starts)]
    best = min(fits, key=lambda fit: fit.cost)
    return unpack(best.x), best.fun


def main() -> None:
    runs = pd.read_csv(TARGET / "runs.csv")
    tuning = pd.read_csv(TARGET / "lr_sweep.csv")
    main_runs = runs[(runs.group == "main") & (runs.schedule == "cooldown")]
    small_batch = runs[(runs.group == "small_batch") & (runs.schedule == "cooldown")]
    for table in (main_runs, small_batch):
        print(f"\nHeld-out loss of the cooldown runs, {table.batch_tokens.iloc[0]} bytes per step")
        print(table.pivot(index="n_params_no_embed", columns="n_tokens", values="loss").round(4).to_string())
    print("\nLearning rates")
    print(lr_table(tuning, runs).to_string(index=False, float_format="%.4g"))
    print("\nSeeds: standard deviation in percent of the loss")
    same = runs[(runs.schedule == "cooldown")].groupby(["batch_tokens", "n_params_no_embed", "n_tokens"]).loss
    noise = same.agg(["count", "mean", "std"]).query("count > 1")
    print(noise.assign(percent=100 * noise["std"] / noise["mean"]).round(4).to_string())
    print("\nSchedules")
    index = ["batch_tokens", "n_params_no_embed", "n_tokens"]
    by_schedule = runs[runs.seed == 0].pivot(index=index, columns="schedule", values="loss")
    print(by_schedule.dropna(thresh=2).round(4).to_string())
    print("\nFits to the cooldown runs, N in 1e5 parameters, D in 1e6 bytes")
    for lowest in (0, 1_000_000):
        for joint in (False, True):
            (e, a, alpha, b, beta, power), residual = fit_law(main_runs[main_runs.n_tokens > lowest], joint)
            terms = f"{a:.3f} / N^{alpha:.3f} + {b:.3f} / D^{beta:.3f}"
            law = f"{e:.3f} + ({terms})^{power:.3f}" if joint else f"{e:.3f} + {terms}"
            rms, largest = 100 * np.sqrt(np.mean(residual**2)), 100 * np.abs(residual).max()
            print(f"D > {lowest:>7}: L = {law}, residual rms {rms:.2f} %, largest {largest:.2f} %")


if __name__ == "__main__":
    main()
