"""What is worked out with laws besides fitting them: batches, updates, pools of data, rates of success.

McCandlish et al. 2018 (arXiv:1812.06162), Kaplan et al. 2020 (arXiv:2001.08361), Su et al. 2024
(arXiv:2403.06563), Rybkin et al. 2025 (arXiv:2502.04327), Goyal et al. 2024 (arXiv:2404.07177), Brown et al.
2024 (arXiv:2407.21787), Schaeffer et al. 2025 (arXiv:2502.17578), Hu et al. 2023 (arXiv:2310.03262).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scalefit.arguments import flat, one_positive, positive
from scalefit.frames import Frame, columns_frame
from scalefit.laws._batch import critical_batch, kaplan_bcrit, rybkin_utd
from scalefit.laws._coupled import kaplan_ns
from scalefit.laws._filtering import goyal_utility
from scalefit.laws._vocabulary import best_vocabulary
from scalefit.words import listed, short

# The list that `sf.laws` and its stub are written from.
__all__ = [
    "adaptive_batch",
    "best_pools",
    "best_update_ratio",
    "best_vocabulary",
    "coverage",
    "coverage_tail",
    "critical_batch",
    "emergence",
    "gradient_noise_scale",
    "loss_at_batch",
]

# scipy is imported by what uses it: laws are looked up in a moment.
HALVINGS = 100  # of a bracket: to the last digit


def gradient_noise_scale(small: Any, big: Any, B_small: float, B_big: float) -> float:
    """The batch at which a step's noise is as large as the gradient, tr(Sigma) / |G|^2, without bias.

    Args:
        small: squared norms of gradients of batches of B_small examples, one for each of some steps.
        big: the same of batches of B_big.
        B_small: the smaller batch; one worker's, say.
        B_big: the larger batch; that of all workers.

    Returns:
        The noise scale, in the unit of the batches.

    Raises:
        ValueError: for numbers that are not positive, batches in the wrong order, and norms that leave
            nothing of the gradient or of the noise.

    Example:
        >>> round(sf.laws.gradient_noise_scale([14.0], [5.0], B_small=10, B_big=100), 6)
        25.0
    """
    # A batch of B has |G|^2 + tr(Sigma) / B on average; means go before quotients.
    g_small, g_big = (float(np.mean(positive(name, v))) for name, v in (("small", small), ("big", big)))
    B_small, B_big = one_positive("B_small", B_small), one_positive("B_big", B_big)
    if B_small >= B_big:
        raise ValueError(f"B_small must be below B_big, got {B_small:g} and {B_big:g}")
    gradient = (B_big * g_big - B_small * g_small) / (B_big - B_small)
    noise = (g_small - g_big) / (1 / B_small - 1 / B_big)
    if gradient <= 0 or noise <= 0:
        what = "gradient" if gradient <= 0 else "noise"
        raise ValueError(f"these norms leave no {what} ({min(gradient, noise):.3g}); give more steps")
    return noise / gradient


def adaptive_batch(noise_scale: Any, exchange: float) -> np.ndarray:
    """The batch over a run that spends examples and time at one exchange rate: the root of it times the noise
    scale.

    Args:
        noise_scale: over the run, one number for each step or measured point.
        exchange: examples that one step of training time is worth.

    Returns:
        The batch at each.

    Raises:
        ValueError: for numbers that are not positive.

    Example:
        >>> sf.laws.adaptive_batch([100.0, 400.0], exchange=100.0).tolist()
        [100.0, 200.0]
    """
    return np.sqrt(one_positive("exchange", exchange)) * np.sqrt(positive("noise_scale", noise_scale))


def loss_at_batch(
    N: Any,
    S: Any,
    B: Any,
    steps: Mapping[str, float] = kaplan_ns.published["kaplan2020"],
    batch: Mapping[str, float] = kaplan_bcrit.published["kaplan2020"],
) -> np.ndarray:
    """Loss after S steps at any batch: `kaplan_ns` at S_min = S / (1 + B_crit / B), where B_crit is that of
    the loss itself.

    Args:
        N: parameters without embeddings.
        S: steps; many for a whole trajectory.
        B: the batch, in the unit of B_star (tokens, as published).
        steps: coefficients of `kaplan_ns`.
        batch: coefficients of `kaplan_bcrit`.

    Returns:
        The losses.

    Raises:
        ValueError: for numbers that are not positive, and for coefficients that are missing.

    Example:
        >>> curve = sf.laws.loss_at_batch(1e9, [1e4, 1e5], B=5e5)
        >>> curve.round(3).tolist()
        [3.048, 2.546]
    """
    given = [positive(name, v) for name, v in (("N", N), ("S", S), ("B", B))]
    if len({1, *map(len, given)}) > 2:
        raise ValueError(f"N, S and B must be of one length, got {listed([str(len(v)) for v in given])}")
    N, S, B = np.broadcast_arrays(*given)
    steps = _known(steps, kaplan_ns.names, "kaplan_ns", "steps")
    batch = _known(batch, kaplan_bcrit.names, "kaplan_bcrit", "batch")

    def after(loss: np.ndarray) -> np.ndarray:
        critical = np.asarray(kaplan_bcrit(batch, {"L": loss}))
        return np.asarray(kaplan_ns(steps, {"N": N, "S_min": S / (1 + critical / B)}))

    with np.errstate(over="ignore"):
        # The less the loss, the larger the critical batch and the fewer the steps that count.
        lo = np.asarray(kaplan_ns(steps, {"N": N, "S_min": S}), float)
        hi = lo.copy()
        while np.any(after(hi) > hi):
            hi = np.where(after(hi) > hi, 2 * hi, hi)
        for _ in range(HALVINGS):
            middle = (lo + hi) / 2
            above = after(middle) > middle
            lo, hi = np.where(above, middle, lo), np.where(above, hi, middle)
    if not np.isfinite(hi).all():
        raise ValueError("no loss can be told at these numbers, which are too large or too small")
    return hi


def best_update_ratio(
    coefs: Mapping[str, float], flops: float, data_cost: Any, batch_power: float = 0.0
) -> Frame:
    """Updates per data point of value-based reinforcement learning that reach a return at least cost.

    A run of sigma updates per data point takes D = D_min (1 + (beta / sigma)^a) data points, and costs
    C = flops sigma^(1 - batch_power) D for its updates and data_cost D for its data.

    Args:
        coefs: of `rybkin_utd`, fitted at that return.
        flops: FLOPs of an update at the batch that suits sigma = 1.
        data_cost: FLOPs that one data point is worth; several give several answers.
        batch_power: how the best batch falls with sigma, as sigma^-batch_power.

    Returns:
        A frame with data_cost, sigma, D, C and budget, C + data_cost D. A power law of sigma by budget,
        `monomial`, is fitted to its rows.

    Raises:
        ValueError: for numbers that are not positive, a batch_power of 1 or more, and missing coefficients.

    Example:
        >>> coefs = {"D_min": 1e5, "beta": 1.0, "a": 1.0}
        >>> sf.laws.best_update_ratio(coefs, flops=1e9, data_cost=[1e9, 4e9])["sigma"].round(6).tolist()
        [1.0, 2.0]
    """
    coefs = _known(coefs, rybkin_utd.names, "rybkin_utd", "coefs")
    flops, price = one_positive("flops", flops), positive("data_cost", data_cost)
    if not (isinstance(batch_power, int | float) and batch_power < 1):
        raise ValueError(f"batch_power must be a number below 1, got {short(batch_power)}")
    power = 1 - float(batch_power)
    beta, a = coefs["beta"], coefs["a"]
    with np.errstate(over="ignore", invalid="ignore"):
        # d log cost / d log sigma rises with sigma: the bracket is halved.
        lo, hi = np.full(len(price), np.log(beta) - 300.0), np.full(len(price), np.log(beta) + 300.0)
        for _ in range(HALVINGS):
            sigma = np.exp((lo + hi) / 2)
            saved = a / (1 + (sigma / beta) ** a)
            paid = power / (1 + price / (flops * sigma**power))
            lo, hi = np.where(paid < saved, np.log(sigma), lo), np.where(paid < saved, hi, np.log(sigma))
        sigma = np.exp((lo + hi) / 2)
        D = np.asarray(rybkin_utd(coefs, {"sigma": sigma}), float)
        C = flops * sigma**power * D
        budget = C + price * D
    if not np.isfinite(budget).all():
        raise ValueError("no update ratio can be told at these numbers, which are too large or too small")
    return columns_frame({"data_cost": price, "sigma": sigma, "D": D, "C": C, "budget": budget})


def best_pools(pools: Sequence[Mapping[str, float]], sizes: Any, seen: Any, a: float, d: float) -> Frame:
    """How many pools of data to train on for a number of samples seen, the best pools first.

    A larger union repeats less and is of less quality. Its error is that of `goyal_utility`, from the
    coefficients of its pools alone.

    Args:
        pools: {"b": ..., "tau": ...} of every pool, in the order in which they would be added.
        sizes: samples in each pool, in the unit of the fit (1e5 samples in the released code).
        seen: samples seen in training, one number or several.
        a: of `goyal_utility`, shared by all pools.
        d: likewise.

    Returns:
        A frame with seen, pools (how many), epochs and error.

    Raises:
        ValueError: for numbers that are not positive, and for pools without b or tau.

    Example:
        >>> pools = [{"b": 0.20, "tau": 2.0}, {"b": 0.12, "tau": 2.0}]
        >>> sf.laws.best_pools(pools, [10, 10], [10, 1000], a=5.0, d=0.1)["pools"].tolist()
        [1, 2]
    """
    if not isinstance(pools, list | tuple):
        raise TypeError(f"pools must be a list, one dict of b and tau for each, got {short(pools)}")
    size, seen = positive("sizes", sizes), positive("seen", seen)
    if len(size) != len(pools):
        raise ValueError(f"sizes must be one for each of the {len(pools)} pools, got {len(size)}")
    pools = [_known(pool, ("b", "tau"), "pool", f"pools[{k}]") for k, pool in enumerate(pools)]
    errors, epochs = [], []
    for n in range(1, len(pools) + 1):
        coefs = {"a": one_positive("a", a), "d": one_positive("d", d)}
        for k, pool in enumerate(pools[:n], 1):
            coefs |= {f"b_{k}": pool["b"], f"tau_{k}": pool["tau"]}
        whole = float(size[:n].sum())
        epochs.append(seen / whole)
        law = goyal_utility.sized(pool=n)
        errors.append(np.asarray(law(coefs, {"n_1": np.full(len(seen), whole), "K": epochs[-1]}), float))
    best = np.argmin(errors, axis=0)
    row = np.arange(len(seen))
    chosen = {"epochs": np.array(epochs)[best, row], "error": np.array(errors)[best, row]}
    return columns_frame({"seen": seen, "pools": best + 1, **chosen})


def coverage(n: Any, right: Any, k: Any) -> Frame:
    """pass@k, the share of problems that k samples solve, from n samples of each of which some were right.

    Up to the n of every problem it is counted without bias, 1 - C(n - right, k) / C(n, k); beyond it is told
    by a Beta distribution of the problems' pass rates (`coverage_tail`).

    Args:
        n: samples of each problem.
        right: how many of them were right.
        k: samples allowed, one number or several.

    Returns:
        A frame with k, coverage, and how: "counted" or "beta".

    Raises:
        ValueError: for numbers that are not whole, negative, or more right than sampled.

    Example:
        >>> sf.laws.coverage([5, 5], [2, 5], k=[1, 2])["coverage"].round(6).tolist()
        [0.7, 0.85]
    """
    from scipy.special import betaln, gammaln

    n, right = _samples(n, right)
    ks = positive("k", k)
    if np.any(ks % 1):
        raise ValueError(f"k must be whole numbers, got {ks[ks % 1 > 0][0]:g}")
    if np.max(ks) > 1e15:
        raise ValueError(f"k must be at most 1e15, got {np.max(ks):g}")
    told = coverage_tail(n, right) if np.max(ks) > n.min() else None
    found, how = [], []
    for many in ks:
        if many <= n.min():
            left, wrong = n - many, n - right
            # No chance of k wrong ones where fewer are wrong.
            log_miss = gammaln(wrong + 1) - gammaln(np.maximum(wrong - many, 0) + 1)
            log_miss -= gammaln(n + 1) - gammaln(left + 1)
            found.append(float(np.mean(np.where(wrong >= many, -np.expm1(log_miss), 1.0))))
            how.append("counted")
        else:
            alpha, beta = told or (np.nan, np.nan)
            found.append(float(-np.expm1(betaln(alpha, beta + many) - betaln(alpha, beta))))
            how.append("beta")
    return columns_frame({"k": ks, "coverage": np.array(found), "how": np.array(how)})


def coverage_tail(n: Any, right: Any) -> tuple[float, float]:
    """The Beta distribution of pass rates over problems, by the likelihood of what was counted.

    Problems not yet solved fall as k to the power of minus its first number, which is the b of
    `monkeys_tail`, told here from few samples of each problem.

    Args:
        n: samples of each problem.
        right: how many of them were right.

    Returns:
        Both numbers of the distribution, alpha and beta.

    Raises:
        ValueError: for numbers that are not whole, negative, or more right than sampled, and where all or
            none were right.

    Example:
        >>> alpha, beta = sf.laws.coverage_tail([20] * 6, [0, 0, 1, 2, 5, 12])
        >>> round(alpha, 2), round(beta, 2)
        (0.44, 2.25)
    """
    from scipy.optimize import minimize
    from scipy.special import betaln

    n, right = _samples(n, right)
    if np.all(right == 0) or np.all(right == n):
        raise ValueError("all samples are wrong, or all right: no distribution of pass rates is told by them")

    def unlikely(logs: np.ndarray) -> float:
        alpha, beta = np.exp(np.clip(logs, -20, 20))
        return float(np.sum(betaln(alpha, beta) - betaln(alpha + right, beta + n - right)))

    mean = float(np.mean(right / n))
    starts = [np.log([size * mean, size * (1 - mean)]) for size in (0.3, 2.0, 20.0)]
    best = min((minimize(unlikely, start, method="Nelder-Mead") for start in starts), key=_value)
    alpha, beta = np.exp(best.x)
    return float(alpha), float(beta)


def emergence(N: Any, rate: Any) -> dict[str, float]:
    """Whether pass rates rise faster with size than `passuntil`, a line of log(-log rate) in log N.

    Args:
        N: parameters, four sizes or more.
        rate: the pass rate of each, between 0 and 1.

    Returns:
        bend, the coefficient of log(N)^2, negative where the rise accelerates; error, its standard error; and
        chance, how often a straight line would bend as far down.

    Raises:
        ValueError: for rates that are not between 0 and 1, and for fewer than four sizes.

    Example:
        >>> import numpy as np
        >>> N = np.geomspace(1e8, 1e10, 6)
        >>> found = sf.laws.emergence(N, np.exp(-np.exp(3 - 0.3 * np.log(N / 1e8) ** 2)))
        >>> round(found["bend"], 6)
        -0.3
    """
    from scipy.special import stdtr

    N, rate = positive("N", N), positive("rate", rate)
    if len(N) != len(rate) or len(np.unique(N)) < 4:
        raise ValueError(
            f"emergence needs one rate for each of four sizes or more, got {len(N)}, {len(rate)}"
        )
    if np.any(rate >= 1):
        raise ValueError(f"rate must be between 0 and 1, got {rate.max():g}")
    x, y = np.log(N) - np.mean(np.log(N)), np.log(-np.log(rate))
    design = np.stack([np.ones(len(x)), x, x**2], axis=1)
    beta = np.linalg.lstsq(design, y, rcond=None)[0]
    spare = len(x) - 3
    left = float(np.sum((y - design @ beta) ** 2))
    error = float(np.sqrt(left / spare * np.linalg.inv(design.T @ design)[2, 2]))
    bend = float(beta[2])
    chance = float(stdtr(spare, bend / error)) if error > 0 else float(bend >= 0)
    return {"bend": bend, "error": error, "chance": chance}


def _value(found: Any) -> float:
    return float(found.fun)


def _known(coefs: Any, names: Sequence[str], law: str, what: str) -> dict[str, float]:
    """These coefficients, all positive; ValueError where one is missing or is not."""
    missing = [name for name in names if not isinstance(coefs, Mapping) or name not in coefs]
    if missing:
        raise ValueError(
            f"{what} must be those of {law}, {', '.join(names)}; {', '.join(missing)} is missing"
        )
    return {name: one_positive(f"{what}: {name}", coefs[name]) for name in names}


def _samples(n: Any, right: Any) -> tuple[np.ndarray, np.ndarray]:
    """Samples and right ones per problem, whole numbers."""
    n, right = (
        np.array([np.nan if cell is None or np.isinf(cell) else cell for cell in flat(given)])
        for given in (n, right)
    )
    if not len(n) or not len(right) or len({len(n), len(right), 1}) > 2:
        raise ValueError(f"n and right must be lists of one length, got {len(n)} and {len(right)} numbers")
    n, right = np.broadcast_arrays(n, right)
    bad = ~((n >= 1) & (n <= 1e15) & (right >= 0) & (right <= n) & (n % 1 == 0) & (right % 1 == 0))
    if np.any(bad):
        k = int(np.argmax(bad))
        raise ValueError(
            f"n and right must be whole numbers with 0 <= right <= n <= 1e15, got {n[k]:g} and {right[k]:g} "
            f"for problem {k}"
        )
    return n, right
