"""A scaling law as a scikit-learn estimator: in a pipeline, under cross-validation, in a grid of laws.

    from scalefit.fits.sklearn import ScalingLawRegressor
    cross_val_score(ScalingLawRegressor("chinchilla"), runs[["N", "D"]], runs["loss"])

It needs scikit-learn, an extra: pip install "scalefit-jax[sklearn]". Nothing else imports this module. Folds
drawn at random ask how a law interpolates; how it foretells larger runs is `sf.backtest`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scalefit.core.law import Law
from scalefit.core.objective import Objective
from scalefit.fits.fitting import fit
from scalefit.runs.binding import law_of, usual

try:
    from sklearn.base import BaseEstimator, RegressorMixin
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError(
        'scalefit.fits.sklearn needs scikit-learn 1.6, which is an extra: pip install "scalefit-jax[sklearn]"'
    ) from error

__all__ = ["ScalingLawRegressor"]


class ScalingLawRegressor(RegressorMixin, BaseEstimator):
    """A law fitted by `sf.fit`, as scikit-learn asks.

    Args:
        law: a law or its id.
        inputs: law's input -> name of its column, where X is a frame. Left out, columns with usual names are
            found, as `sf.fit` does; columns without names are the law's inputs in their order.
        objective: what the fit minimises, such as `sf.huber(1e-3)`; the law's usual one unless given.
        key: seed of the starts.

    Attributes:
        fit_: the `Fit` behind it, with status, intervals, pictures.
        inputs_: input -> place of its column in X.

    Example:
        >>> from scalefit.fits.sklearn import ScalingLawRegressor
        >>> X, y = np.stack([runs["N"], runs["D"]], axis=1), runs["loss"]
        >>> model = ScalingLawRegressor("chinchilla").fit(X, y)
        >>> model.score(X, y) > 0.9, sorted(model.fit_.coefs)
        (True, ['A', 'B', 'E', 'alpha', 'beta'])
    """

    def __init__(
        self,
        law: str | Law = "chinchilla",
        *,
        inputs: Mapping[str, str] | None = None,
        objective: Objective | None = None,
        key: int = 0,
    ) -> None:
        self.law = law
        self.inputs = inputs
        self.objective = objective
        self.key = key

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> ScalingLawRegressor:
        """Fit the law.

        Args:
            X: the law's inputs, one row per run: a frame or an array.
            y: what the law predicts.
            sample_weight: weights of the runs.

        Returns:
            The estimator itself.

        Raises:
            ValueError: where the columns are not the law's inputs, and as `sf.fit` does.
        """
        X, y = validate_data(self, X, y, y_numeric=True, dtype=np.float64)
        law = self._law()
        self.inputs_ = self._places(law)
        runs = {name: X[:, place] for name, place in self.inputs_.items()} | {"y": np.asarray(y, float)}
        weight = None
        if sample_weight is not None:
            weight = np.broadcast_to(np.asarray(sample_weight, float), runs["y"].shape).tolist()
        self.fit_ = fit(
            law,
            runs,
            {name: name for name in law.inputs},
            "y",
            weight=weight,
            objective=self.objective,
            key=self.key,
        )
        return self

    def predict(self, X: Any) -> np.ndarray:
        """What the law predicts at every row of X.

        Args:
            X: as in `fit`.

        Returns:
            The predictions; for their intervals ask `fit_.predict(x, level=0.9)`.
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64)
        x = {name: X[:, place] for name, place in self.inputs_.items()}
        return np.asarray(self.fit_.law(self.fit_.coefs, x), float)

    def _law(self) -> Law:
        return law_of(self.law)

    def _places(self, law: Law) -> dict[str, int]:
        """Where each input of the law stands among the columns."""
        names = list(getattr(self, "feature_names_in_", ()))
        if not names and self.inputs is None:
            if self.n_features_in_ != len(law.inputs):
                raise ValueError(
                    f"law {law.name!r} takes {', '.join(law.inputs)}: X has {self.n_features_in_} columns "
                    "without names; give these columns, or a frame whose columns name them"
                )
            return {name: k for k, name in enumerate(law.inputs)}
        found = {}
        for name in law.inputs:
            given = (self.inputs or {}).get(name)
            known = [given] if given is not None else usual(dict.fromkeys(names), name, law)
            if len(known) != 1 or known[0] not in names:
                raise ValueError(
                    f"which column is {name} of law {law.name!r} is not clear; say inputs={{{name!r}: ...}}, "
                    f"one of {', '.join(map(str, names)) or 'the columns of a frame'}"
                )
            found[name] = names.index(known[0])
        return found
