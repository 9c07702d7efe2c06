"""Intervals that allow for a law that is only nearly right, by how well it foretells runs that are known."""

from __future__ import annotations

from collections.abc import Sequence

from scalefit.arguments import whole
from scalefit.fits.ensemble import check_fit
from scalefit.fits.fit import Fit
from scalefit.fits.model_error import N_CUTS, TAU, learn

__all__ = ["widen"]


def widen(fit: Fit, by: str | Sequence[float] | None = None, n_cuts: int = N_CUTS) -> Fit:
    """The fit with its law's own error learnt from other windows than the usual ones (see `sf.ModelError`).

    Every interval of a fit allows for the law's own error already, learnt from up to four windows; this says
    which windows. The law is refitted to the small runs, for windows that grow, and predicts the larger ones;
    how far it misses them says how far to trust it beyond all runs. Coefficients and their errors stay as
    they are.

    Args:
        fit: any fit.
        by: what says which runs are small: an input, or one number per row; left out, 6 N D, C or the product
            of the inputs that are counts, the step for laws of whole curves, the inverse of a loss.
        n_cuts: at most so many windows; with 0 the law is taken to err as most laws do on most data.

    Returns:
        The fit with another `model_error`.

    Raises:
        ValueError: for a `by` that is no input, or where what makes a run large is not clear.

    Example:
        >>> told = sf.widen(fit, by="D").predict({"N": 7e10, "D": 1.4e12}, level=0.9)
        >>> list(told)
        ['N', 'D', 'mean', 'lo', 'hi', 'distance', 'leverage', 'caution', 'model_error']
    """
    check_fit(fit, "widen")
    n_cuts = whole(n_cuts, "n_cuts", 0)
    error = learn(fit, by, n_cuts)
    said = (
        f"{len(error.cuts)} backtests by {error.by} make it {error.tau:.2g}" if error.cuts else "no backtest"
    )
    note = f"intervals allow for the law's own error, usually tau = {TAU}; {said}"
    other = fit.changed(notes=(*fit.notes, note))
    other.kept["model_error"] = error
    return other
