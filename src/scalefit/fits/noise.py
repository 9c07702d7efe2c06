"""How large a run's own error is: a scale that may change with the run's size
(small runs are often noisier)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from scalefit.core.linear import interpolated, leverage, linearise
from scalefit.fits.draws import Draws
from scalefit.fits.record import Record
from scalefit.fits.windows import counts_of
from scalefit.words import short

__all__ = [
    "Noise",
    "Posterior",
    "noise",
    "residual_scatter",
    "run_limits",
    "scale_slope",
    "scatter",
    "shrunk",
]

# Angles at which quantiles of a normal deviation and a run's error are worked out, errors that stand for all
# of them, and steps of the bisection.
ANGLES, STEADY, HALVINGS = 33, 101, 20
# An error counts as no more than this many usual ones when the scale is fitted.
MOST = 3.0


@dataclass(frozen=True, eq=False)
class Noise:
    """Errors of the runs of a fit, sigma = sigma_0 size^-gamma.

    by: the inputs whose product is the size, () where there is none. gamma: as used, after shrinkage; found,
    stderr: as fitted. centre, ends: mean, least and greatest log size of the runs. errors: measured minus
    predicted in the objective's space, brought to the size exp(centre) and to full size. weights: one per row
    of the data, see `noise`.
    """

    by: tuple[str, ...]
    gamma: float
    found: float
    stderr: float
    centre: float
    ends: tuple[float, float]
    errors: np.ndarray
    weights: np.ndarray

    def scale(self, x: Mapping[str, np.ndarray]) -> np.ndarray:
        """The error's size at inputs `x` over that at exp(centre);
        beyond the runs that of the nearest run."""
        if not self.by or not self.gamma:
            return np.ones(np.shape(next(iter(x.values()))))
        return np.exp(-self.gamma * (np.clip(_size(self.by, x), *self.ends) - self.centre))

    def __repr__(self) -> str:
        usual = float(np.median(np.abs(self.errors))) / 0.6745
        if not self.by:
            return f"Noise: {usual:.3g}, the same for every run"
        size = (
            f"({' '.join(self.by)})^-{self.gamma:.3g}"
            if self.gamma >= 0
            else f"({' '.join(self.by)})^{-self.gamma:.3g}"
        )
        fitted = f"fitted exponent {-self.found:.3g}, standard error {self.stderr:.2g}"
        if not self.gamma:
            return f"Noise: {usual:.3g}, the same for every run ({fitted}: not told from none)"
        small, large = (usual * float(np.exp(-self.gamma * (end - self.centre))) for end in self.ends)
        range_ = f"from {small:.3g} at the smallest runs to {large:.3g} at the largest"
        return f"Noise: {usual:.3g} {size}, {range_} ({fitted})"


def noise(fit: Record) -> Noise:
    """The scale of the runs' errors about the curve as a power of their size, fitted robustly.

    sigma = sigma_0 size^-gamma, where size is N D, or C, or the product of the inputs that are counts. Rows
    the curve passes through by the fit's own doing are left out, the others scaled up by 1 / sqrt(1 -
    leverage) where the objective is one of squares. gamma is shrunk (`shrunk`) and so zero unless these runs
    support it.

    Predictions of one new run use it (`kind="run"`). To weigh the runs by it as well, fit again with
    `weight=sf.noise(fit).weights`: 1 / scale^2 where the objective is one of squares, 1 / scale where it is
    one of sizes (a Huber function narrower than the errors), of mean one.

    Args:
        fit: a fit of one law, as `sf.fit` returns it.

    Returns:
        The noise: `gamma` as used, `found` and `stderr` as fitted, `scale(x)` at inputs x, `weights` per row.

    Raises:
        TypeError: for anything but a fit of one law.

    Example:
        >>> noise = sf.noise(fit)
        >>> noise.by, noise.weights.shape, round(float(noise.weights.mean()), 2)
        (('N', 'D'), (24,), 1.0)
    """
    if not isinstance(fit, Record):
        raise TypeError(f"noise needs a fit of one law, as sf.fit returns it, got {short(fit)}")
    return fit.once("noise", lambda: _noise(fit))


def run_limits(
    record: Record, spread: np.ndarray, x: Mapping[str, np.ndarray], level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Limits (n,) of a normal deviation of this spread (n,) plus a new run's error at `x`: one of the errors
    at its scale there.

    In units of both together they are functions of spread / scale alone, worked out once.
    """
    found = noise(record)
    unit = max(float(np.sqrt(np.mean(found.errors**2))), 1e-300) if len(found.errors) else 1e-300
    angles, ends = record.once(f"run limits {level!r}", lambda: _sums(found.errors / unit, level))
    own = unit * found.scale(x)
    size, angle = np.hypot(spread, own), np.arctan2(spread, own)
    lo, hi = (size * np.interp(angle, angles, end) for end in ends)
    return lo, hi


def _sums(errors: np.ndarray, level: float) -> tuple[np.ndarray, list[np.ndarray]]:
    """Angles a, and at each the quantiles q of sin(a) times a normal deviate plus cos(a) times one of these
    errors: mean_i Phi((q - cos(a) e_i) / sin(a)) is the quantile's share, by bisection."""
    angles = np.linspace(1e-3, np.pi / 2, ANGLES)
    if len(errors) > STEADY:
        errors = np.quantile(errors, (np.arange(STEADY) + 0.5) / STEADY)
    errors = errors if len(errors) else np.zeros(1)
    centre, spread = np.cos(angles)[:, None] * errors, np.sin(angles)[:, None]
    reach, ends = float(np.max(np.abs(errors), initial=0.0)) + float(ndtri((1 + level) / 2)) + 1, []
    for share in ((1 - level) / 2, (1 + level) / 2):
        below, above = np.full(ANGLES, -reach), np.full(ANGLES, reach)
        for _ in range(HALVINGS):
            tried = (below + above) / 2
            left = np.mean(ndtr((tried[:, None] - centre) / spread), axis=1) < share
            below, above = np.where(left, tried, below), np.where(left, above, tried)
        ends.append((below + above) / 2)
    return angles, ends


def _noise(record: Record) -> Noise:
    rows, law = record.data.counted, record.law
    linear = linearise(law, record.objective, record.u, record.data.x, record.data.y).take(rows)
    n, p = linear.jacobian.shape[::-1]
    exact = interpolated(record.objective, linear)
    if exact.any():
        full = np.ones(n)
    elif n > p:
        full = 1 / np.sqrt(1 - leverage(record.objective, linear, record.data.weight[rows]))
    else:
        full = np.full(n, np.sqrt(n))
    error = (-linear.residual * full)[~exact]
    by = () if law.whole else counts_of(law, record.data.x)
    size = _size(by, record.data.x) if by else np.zeros(len(record.data))
    known = size[rows][~exact]
    if np.ptp(known) == 0 or n - p < 4:
        by, found, stderr, gamma = (), 0.0, np.inf, 0.0
    else:
        group = None if record.data.group is None else record.data.group[rows][~exact]
        slope, stderr = scale_slope(known, np.abs(error), group)
        found, gamma = -slope, -shrunk(slope, stderr, len(known) - 2)
    centre, ends = float(np.mean(known)), (float(np.min(size[rows])), float(np.max(size[rows])))
    scale = np.exp(-gamma * (size - centre))
    weights = 1 / scale if exact.any() or record.objective.width == 0 else 1 / scale**2
    weights = weights * len(rows) / np.sum(weights[rows])
    return Noise(by, gamma, found, stderr, centre, ends, error / scale[rows][~exact], weights)


def scatter(residual: np.ndarray, weight: np.ndarray, n_coefs: int, share: float = 0.5) -> float:
    """The standard deviation of a normal law of which this share of sizes lies
    below that share of the residuals' sizes.

    Rows count by their weight; scaled up by the freedom that was fitted away. The median looks at usual rows,
    a share of 0.9 at the wider ones too, but not at a few wild ones.
    """
    counted = weight > 0
    order = np.argsort(np.abs(residual[counted]))
    r, w = np.abs(residual[counted])[order], weight[counted][order]
    # The middles of the rows' weights, from 0 at the least to 1 at the greatest:
    # numpy's quantile where all weigh alike.
    middle = np.cumsum(w) - (w + w[0]) / 2
    size = np.interp(share, middle / max(middle[-1], 1e-300), r)
    w = w / np.max(w)
    rows = np.sum(w) ** 2 / np.sum(w**2)
    return float(size / ndtri((1 + share) / 2) * np.sqrt(rows / max(rows - n_coefs, 1)))


def residual_scatter(fit: Record, share: float = 0.5) -> float:
    """`scatter` of a fit's residuals about its curve."""
    return scatter(fit.residuals(), fit.data.weight, len(fit.law.coefs), share)


def scale_slope(size: np.ndarray, error: np.ndarray, group: np.ndarray | None = None) -> tuple[float, float]:
    """The slope b of log scale = a + b size, and its standard error, from errors' sizes.

    a and b solve sum (1 - min(q, 3)) (1, size) = 0 with q = error / scale: what maximum likelihood asks of
    Laplace's distribution, but that no error counts as more than three. The standard error lets q have any
    distribution, and errors be shared within groups.
    """
    design = np.stack([np.ones_like(size), size - np.mean(size)], axis=1)
    error = error / max(float(np.mean(error)), 1e-300)
    place = np.zeros(2)

    def at(place: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        with np.errstate(over="ignore"):
            q = error * np.exp(-np.clip(design @ place, -700, 700))
        # The objective whose derivative in the log scale is 1 - min(q, 3); convex.
        log = np.log(np.maximum(q, 1e-300))
        cost = np.where(q < MOST, q, MOST + MOST * (log - np.log(MOST))) + design @ place
        return q, 1 - np.minimum(q, MOST), float(np.sum(cost))

    q, pull, cost = at(place)
    for _ in range(100):
        bend = design.T @ (np.where(q < MOST, np.maximum(q, 1e-3), 1e-3)[:, None] * design)
        step = -np.linalg.solve(bend, design.T @ pull)
        step /= max(1.0, float(np.max(np.abs(step * np.ptp(design, axis=0).clip(1.0)))) / 2)
        for _ in range(30):
            after = at(place + step)
            if after[2] <= cost + 1e-12 * abs(cost):
                break
            step = step / 2
        place, (q, pull, cost) = place + step, after
        if np.max(np.abs(step)) < 1e-10:
            break
    inverse = np.linalg.inv(design.T @ (np.where(q < MOST, np.maximum(q, 1e-3), 1e-3)[:, None] * design))
    moved = (pull[:, None] * design) @ inverse
    units = np.arange(len(size)) if group is None else np.unique(group, return_inverse=True)[1]
    summed = np.zeros((units.max() + 1, 2))
    np.add.at(summed, units, moved)
    m = len(summed)
    return float(place[1]), float(np.sqrt(np.sum(summed[:, 1] ** 2) * m / max(m - 2, 1)))


def shrunk(slope: float, stderr: float, spare: int) -> float:
    """slope (1 - (c / t^2)^2), no less than 0, with t = slope / stderr and c
    what t^2 exceeds by chance in one case of ten.

    Nothing where chance will do, nearly all of it where it will not (Breiman's garrote, 1995, has 1 - c /
    t^2, which still takes off a third at t = 3).
    """
    if spare < 1 or not stderr > 0 or not slope:
        return 0.0
    least = stdtrit(spare, 0.95) ** 2 * (stderr / slope) ** 2
    return float(slope * max(0.0, 1 - least**2))


def _size(by: tuple[str, ...], x: Mapping[str, np.ndarray]) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.sum([np.log(x[name]) for name in by], axis=0)


@dataclass(frozen=True, eq=False)
class Posterior(Draws):
    """Draws from a posterior, chain after chain; `failed` are those whose trajectory diverged.

    noise: draws (n_draws,) of "sigma" (the errors' scale, in the objective's space, at weight 1), "freedom"
    (of Student's t) and, under the name of each input in `scale_by`, the slope of log sigma in that input's
    log; sigma is the one at the input's geometric mean. spans: per such input the least, mean and greatest
    log over the runs. r_hat, size: split R-hat and effective sample size, by coefficient and by "noise
    sigma", "noise freedom", ...
    """

    noise: Mapping[str, np.ndarray]
    r_hat: Mapping[str, float]
    size: Mapping[str, float]
    spans: Mapping[str, tuple[float, float, float]]

    def errors(self, x: Mapping[str, np.ndarray], key: int) -> np.ndarray:
        """One new run's error per draw and row (n_draws, n); beyond the runs of the nearest run's size."""
        rng, shape = np.random.default_rng(key), (len(self), len(next(iter(x.values()))))
        log = np.log(self.noise["sigma"])[:, None] + np.zeros(shape)
        for name, (lo, mean, hi) in self.spans.items():
            with np.errstate(divide="ignore"):
                log = log + self.noise[name][:, None] * (np.clip(np.log(x[name]), lo, hi) - mean)
        freedom = self.noise.get("freedom")
        drawn = rng.standard_normal(shape) if freedom is None else rng.standard_t(freedom[:, None], shape)
        return np.exp(log) * drawn
