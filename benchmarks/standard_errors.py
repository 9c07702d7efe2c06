"""Standard errors on the Chinchilla points, beside a bootstrap written with numpy and scipy alone.

    SCALEFIT_DATA=... python benchmarks/standard_errors.py [--draws 600]

Two comparisons, on the 240 rows that Besiroglu et al. 2024 (arXiv:2404.10102) kept, Huber 1e-3 on log loss:

1. The same resamples: rows are drawn once, and both refit them. scipy's L-BFGS-B takes exact gradients of the formula
   below from the point fit and four starts of its own; a draw agrees where the objectives do within 1e-6.
2. Other resamples: standard errors of the two bootstraps with keys of their own. Their difference is stated in units of
   its Monte Carlo error, from the fourth moments of the draws.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from scipy.optimize import minimize

import scalefit as sf
from scalefit.core import weights

DELTA = 1e-3
# log A, log B, log E, alpha, beta: the point where the draws' optimum usually lies is added to these.
STARTS = (
    (5.0, 5.0, 0.0, 0.3, 0.3),
    (7.0, 8.0, 0.6, 0.4, 0.4),
    (10.0, 10.0, 0.7, 0.5, 0.5),
    (5.0, 9.0, 0.5, 0.3, 0.45),
)
NAMES = ("A", "B", "E", "alpha", "beta")
# Published: bootstrap standard errors of 4000 resamples (E, alpha and beta to the digits of the notebook; the paper rounds them).
PUBLISHED = {"A": 124.58, "B": 1293.23, "E": 0.0257, "alpha": 0.0154, "beta": 0.0206}


def objective(theta, log_N, log_D, log_y, count):
    """Summed Huber loss of log(E + A / N^alpha + B / D^beta) - log y, and its gradient."""
    a, b, e, alpha, beta = theta
    terms = np.stack([a - alpha * log_N, b - beta * log_D, np.full_like(log_y, e)])
    top = terms.max(axis=0)
    predicted = top + np.log(np.sum(np.exp(terms - top), axis=0))
    share = np.exp(terms - predicted)
    r = predicted - log_y
    inside = np.abs(r) <= DELTA
    value = np.where(inside, r**2 / 2, DELTA * (np.abs(r) - DELTA / 2))
    pull = count * np.where(inside, r, DELTA * np.sign(r))
    gradient = [
        pull @ share[0],
        pull @ share[1],
        pull @ share[2],
        -pull @ (share[0] * log_N),
        -pull @ (share[1] * log_D),
    ]
    # In units of the loss at the optimum, so that the optimiser's absolute tolerances do not bite.
    return 1e3 * np.sum(count * value), 1e3 * np.array(gradient)


def refit(count, point, columns):
    """The best of five descents: objective and coefficients."""
    log_N, log_D, log_y = columns
    # Centred inputs: log A - alpha mean(log N) instead of log A, as the descent crawls otherwise.
    m, n = log_N.mean(), log_D.mean()
    x = (log_N - m, log_D - n, log_y, count)
    best = None
    for start in (point, *STARTS):
        begin = np.array(start, float) - np.array([start[3] * m, start[4] * n, 0, 0, 0])
        for _ in range(3):  # restarted, since its memory goes stale on the kinks
            found = minimize(objective, begin, x, jac=True, method="L-BFGS-B",
                             options={"maxiter": 2000, "maxfun": 4000, "ftol": 1e-15, "gtol": 1e-10, "maxcor": 20})  # fmt: skip
            begin = found.x
        if best is None or found.fun < best.fun:
            best = found
    a, b, e, alpha, beta = best.x
    return best.fun / 1e3, np.array([np.exp(a + alpha * m), np.exp(b + beta * n), np.exp(e), alpha, beta])


def spread(draws):
    """Standard deviations (p,) and their Monte Carlo errors, from fourth moments."""
    deviation = draws - draws.mean(axis=0)
    variance, n = np.mean(deviation**2, axis=0), len(draws)
    noise = np.sqrt((np.mean(deviation**4, axis=0) - variance**2) / n)
    return np.sqrt(variance), noise / (2 * np.sqrt(variance))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=600)
    draws = parser.parse_args().draws
    table = sf.datasets.fetch("chinchilla_epoch").query("used_in_replication == 1")
    N, D, y = (table[name].to_numpy(float) for name in ("n_params", "n_tokens", "loss"))
    columns = np.log(N), np.log(D), np.log(y)
    fit = sf.fit("chinchilla", {"N": N, "D": D, "loss": y}, objective=sf.huber(DELTA))

    def natural(boot):
        order = [fit.law.names.index(name) for name in NAMES]
        return np.stack(
            [fit.law.coefs[k].support.from_real(boot.draws.u[:, k], xp=np) for k in order], axis=1
        )

    def theta(coefs):
        return [*np.log(coefs[:3]), *coefs[3:]]

    ours, others = natural(sf.bootstrap(fit, draws, key=0)), natural(sf.bootstrap(fit, 4000, key=1))
    counts, point = weights.pairs(len(y), draws, 0), theta(np.array([fit.coefs[name] for name in NAMES]))
    values, theirs = zip(*(refit(count, point, columns) for count in counts), strict=True)
    reached = [
        objective(theta(one), *columns, count)[0] / 1e3 for one, count in zip(ours, counts, strict=True)
    ]
    gap = np.array(reached) / values - 1
    print(f"{draws} resamples, {len(STARTS) + 1} scipy descents each: objectives within 1e-6 in {np.mean(np.abs(gap) <= 1e-6):.1%}, "
          f"ours lower in {np.mean(gap < -1e-6):.1%}, scipy lower in {np.mean(gap > 1e-6):.1%}\n")  # fmt: skip
    (our_sd, our_noise), (their_sd, their_noise) = spread(others), spread(np.array(theirs))
    columns_shown = {
        "scipy": their_sd,
        "ours, same resamples": spread(ours)[0],
        "ours, 4000 others": our_sd,
        "difference / Monte Carlo error": (our_sd - their_sd) / np.hypot(our_noise, their_noise),
        "first order": [fit.stderr()[name] for name in NAMES],
        "published": [PUBLISHED[name] for name in NAMES],
    }
    print(sf.to_markdown(pd.DataFrame({"coefficient": NAMES, **columns_shown})))


if __name__ == "__main__":
    main()
