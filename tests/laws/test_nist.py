"""Someone else's numbers: the 27 nonlinear regression problems of the NIST Statistical Reference Datasets.

Models are written as a user would write them (nist.py). Every coefficient must match to 6 digits and every
standard error to 4, from both published starts as single starts, and from our own multi-start around them.
"""

from __future__ import annotations

import numpy as np
import pytest

import scalefit as sf
from scalefit.bench import nist

# The one single start that is not solved: the first step lands on a flat plateau. MINPACK lands there too
# with scipy's settings, and gets across with a smaller first step.
MISSED = {("BoxBOD", 1)}
# y of Lanczos1 is exact to 1e-13, so its residuals are rounding:
# float64 holds 3 digits of the standard errors.
STDERR_DIGITS = {"Lanczos1": 2.5}


def digits(found, certified) -> float:
    """The least number of matching digits over all coefficients (log relative error)."""
    return min(
        15.0 if found[k] == v else min(15.0, -np.log10(abs(found[k] - v) / abs(v)))
        for k, v in certified.items()
    )


@pytest.fixture(scope="module", params=list(nist.MODELS))
def problem(request, data_dir):
    problem = nist.load(data_dir / "nist_strd", request.param)
    law = sf.law(nist.MODELS[problem.name], problem.name, predicts="value")
    return problem, law


def fit(problem, law, starts):
    # Certified errors take rows as independent, those at equal places too.
    runs, squares = {**problem.x, "y": problem.y}, sf.square("linear")
    return sf.fit(law, runs, y="y", group=False, objective=squares, starts=starts)


def assert_certified(found, problem):
    assert digits(found.coefs, problem.certified) >= 6
    assert digits(found.stderr(), problem.stderr) >= STDERR_DIGITS.get(problem.name, 4)
    if problem.name != "Lanczos1":
        assert found.value == pytest.approx(problem.rss, rel=1e-8)


@pytest.mark.parametrize("which", [1, 2])
def test_from_a_single_start(problem, which):
    problem, law = problem
    # As often as `around` gives starts: each lane descends alone, and one program serves both tests.
    found = fit(problem, law, [problem.start1 if which == 1 else problem.start2] * 64)
    if (problem.name, which) in MISSED:
        assert not found.status.ok or found.value > 1.1 * problem.rss
        pytest.xfail("a plateau between this start and the answer stops our descent")
    assert_certified(found, problem)


def test_from_many_starts_around(problem):
    problem, law = problem
    assert_certified(fit(problem, law, sf.around(problem.start2)), problem)
