"""The scikit-learn estimator: scikit-learn's own checks, and what it is for."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import scalefit as sf

pytest.importorskip("sklearn", "1.6")

from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import estimator_checks_generator

from scalefit.fits.sklearn import ScalingLawRegressor

TRUTH = sf.laws.chinchilla.published["besiroglu2024"]


def line(x, *, a, b):
    return a + b * x


def plane(x, z, *, a, b, c):
    return a + b * x + c * z


# What predicts a change may be of any sign.
LAWS = {1: sf.law(line, predicts="change"), 2: sf.law(plane, predicts="change")}


class OfAnyTable(ScalingLawRegressor):
    """A plane over the first columns: the checks hand over tables of any width and sign, laws of scaling take
    neither."""

    def _law(self):
        return LAWS[min(self.n_features_in_, 2)]

    def _places(self, law):
        return {name: k for k, name in enumerate(law.inputs)}


# Checks that do not make sense here, and why.
EXCLUDED = {
    "check_fit2d_1sample": "one row is refused in our words: a fit needs several runs",
    "check_regressors_train": "asks for a good score on ten columns, of which the plane sees two",
    "check_array_api_input": "skipped by scikit-learn itself",
}


@pytest.mark.parametrize(
    ("estimator", "check"),
    [
        pytest.param(estimator, check, id=f"{k} {check.func.__name__}")
        for k, (estimator, check) in enumerate(estimator_checks_generator(OfAnyTable()))
        if check.func.__name__ not in EXCLUDED
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def runs():
    """48 runs of a known law with 0.2 % of noise, columns named as people name them, and one that is none of
    its inputs."""
    N = np.repeat(np.geomspace(1e7, 1e9, 8), 6)
    x = {"N": N, "D": N * np.tile(np.geomspace(5, 200, 6), 8)}
    y = sf.simulate(sf.laws.chinchilla, TRUTH, x, noise=0.002, key=1)["y"]
    return pd.DataFrame({"width": np.sqrt(N), "n_tokens": x["D"], "n_params": N, "loss": y})


def test_it_is_the_fit_and_columns_are_found_by_name(runs):
    X, y = runs[["width", "n_tokens", "n_params"]], runs["loss"]
    model = ScalingLawRegressor().fit(X, y)
    fit = sf.fit("chinchilla", runs)
    assert model.fit_.coefs == pytest.approx(fit.coefs)
    assert model.inputs_ == {"N": 2, "D": 1}
    np.testing.assert_allclose(model.predict(X), fit.predict({"N": runs["n_params"], "D": runs["n_tokens"]}))
    plain = ScalingLawRegressor().fit(runs[["n_params", "n_tokens"]].to_numpy(), y)
    np.testing.assert_allclose(plain.predict(runs[["n_params", "n_tokens"]].to_numpy()), model.predict(X))
    named = ScalingLawRegressor("power_floor", inputs={"x": "width"}).fit(X, y)
    assert named.inputs_ == {"x": 0}


def test_pipelines_folds_and_a_choice_of_laws(runs):
    X, y = runs[["n_params", "n_tokens"]], runs["loss"]
    in_units = FunctionTransformer(lambda table: table / 1e6)
    scores = cross_val_score(make_pipeline(in_units, ScalingLawRegressor()), X, y, cv=3)
    assert (scores > 0.99).all()
    search = GridSearchCV(ScalingLawRegressor(), {"law": ["chinchilla", "kaplan_nd"]}, cv=3).fit(X, y)
    assert search.best_params_ == {"law": "chinchilla"}


def test_weights_count(runs):
    X, y = runs[["n_params", "n_tokens"]], runs["loss"].to_numpy().copy()
    y[:6] *= 2
    weight = np.ones(len(y))
    weight[:6] = 0
    model = ScalingLawRegressor().fit(X, y, sample_weight=weight)
    assert model.fit_.coefs == pytest.approx(ScalingLawRegressor().fit(X[6:], y[6:]).fit_.coefs, rel=1e-4)


def test_refusals_say_what_to_do(runs):
    with pytest.raises(ValueError, match=r"takes N, D: X has 3 columns without names"):
        ScalingLawRegressor().fit(runs[["width", "n_tokens", "n_params"]].to_numpy(), runs["loss"])
    with pytest.raises(ValueError, match=r"which column is N of law 'chinchilla' is not clear"):
        ScalingLawRegressor().fit(runs[["width", "n_tokens"]], runs["loss"])


def test_without_scikit_learn_one_sentence_says_how_to_get_it():
    hidden = "import sys; sys.modules['sklearn'] = None; sys.modules['sklearn.base'] = None; "
    done = subprocess.run(
        [sys.executable, "-c", f"{hidden}import scalefit.fits.sklearn"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.splitlines()[-1].endswith('pip install "scalefit-jax[sklearn]"')
