"""A fit in MLflow: what it says as parameters, metrics and a tag; the saved fit and its page as artifacts.

    from scalefit.neighbours.mlflow import log_fit
    with mlflow.start_run():
        log_fit(sf.fit("chinchilla", runs), target={"C": 1e24})

There is no switch that logs every fit by itself: it would have to change `sf.fit` for all who use it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory

from scalefit.arguments import check_level
from scalefit.fits.fit import Fit
from scalefit.reports.report import report

__all__ = ["log_fit"]


def log_fit(
    fit: Fit,
    target: Mapping[str, float] | None = None,
    level: float = 0.9,
    *,
    page: bool = True,
) -> None:
    """Log a fit to MLflow's active run, or to a new one.

    Parameters: law, formula, objective, rows, and the column of each input. Metrics: `coef.NAME` with `.lo`
    and `.hi`, where they are finite. Tag: `trust`. Artifacts, in the folder scalefit: fit.json, which
    `sf.load` reads, and report.html.

    Args:
        fit: the fit.
        target: where the page foretells the loss, as in `sf.report`.
        level: of the intervals.
        page: whether the page is made; it takes seconds.

    Raises:
        ImportError: where MLflow is not installed.
        ValueError: for a level or a target that is none.

    Example:
        >>> from scalefit.neighbours.mlflow import log_fit
        >>> log_fit(fit, {"C": 1e24})  # doctest: +SKIP
    """
    try:
        import mlflow
    except ImportError as error:
        raise ImportError(
            'log_fit needs MLflow, which is an extra: pip install "scalefit-jax[neighbours]"'
        ) from error
    level = check_level(level)
    facts = {"law": fit.law.name, "formula": fit.law.formula, "objective": str(fit.objective)}
    columns = {f"column.{name}": column for name, column in fit.columns.items()}
    mlflow.log_params(facts | {"rows": len(fit.data)} | columns)
    mlflow.set_tag("trust", fit.status.trust)
    coefs: dict[str, float] = {}
    for name, value in fit.coefs.items():
        lo, hi = fit.interval(name, level)
        # A metric's name may hold no brackets, which coefficients per label have.
        key = "coef." + re.sub(r"[^\w\-./: ]+", ".", name).strip(".")
        coefs |= {key: value, f"{key}.lo": lo, f"{key}.hi": hi}
    mlflow.log_metrics({name: float(value) for name, value in coefs.items() if isfinite(value)})
    with TemporaryDirectory() as folder:
        fit.save(Path(folder) / "fit.json")
        if page:
            report(fit, Path(folder) / "report.html", target, level)
        mlflow.log_artifacts(folder, "scalefit")
