"""Covariances of coefficients by hand, and when descents count as agreeing."""

from __future__ import annotations

import numpy as np
import pytest

import scalefit as sf
from scalefit.core.linear import influence, linearise
from scalefit.core.search import _searches
from scalefit.core.solve import Ends

LINE = sf.law(lambda x, *, a, b: a + b * x)
X = np.array([1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 34.0])
# Drawn once; with eight rows n / (n - p) is 4 / 3, which no tolerance hides.
ERROR = np.array([0.3, -0.8, 0.1, 0.9, -0.4, -0.6, 1.1, -0.5])
Y = 5 + 2 * X + ERROR
DESIGN = np.stack([np.ones_like(X), X], axis=1)
BREAD = np.linalg.inv(DESIGN.T @ DESIGN)


def test_of_squares_it_is_the_textbooks():
    """s^2 (X'X)^-1 with s^2 the residual sum of squares over n - p."""
    fit = sf.fit(LINE, {"x": X, "y": Y}, y="y", objective=sf.square("linear"))
    left = Y - DESIGN @ (BREAD @ DESIGN.T @ Y)
    np.testing.assert_allclose(fit.covariance, left @ left / (8 - 2) * BREAD, rtol=1e-6)


def test_with_a_width_beyond_all_residuals_it_is_the_sandwich():
    """n / (n - p) (X'X)^-1 X' diag(r^2) X (X'X)^-1: White's, with the degrees of freedom spent."""
    fit = sf.fit(LINE, {"x": X, "y": Y}, y="y", objective=sf.huber(100.0, "linear"))
    left = Y - DESIGN @ (BREAD @ DESIGN.T @ Y)
    middle = DESIGN.T @ np.diag(left**2) @ DESIGN
    np.testing.assert_allclose(fit.covariance, 8 / (8 - 2) * BREAD @ middle @ BREAD, rtol=1e-6)


def test_with_a_width_below_them_the_curvature_is_averaged_over_a_bandwidth():
    """Powell's sandwich, by the formulas of `bend` and `covariance` written out for 30 rows.

    The two rows the curve passes through say nothing about errors. Of the others, those within h = 1.5 median
    / 0.6745 n^-0.2 have curvature delta / h; each row counts by its own curvature with the share
    n / (n + 10 p), by the mean one with the rest.
    """
    rng = np.random.default_rng(3)
    x, delta, n, p = np.linspace(1, 30, 30), 1e-3, 30, 2
    y = 5 + 2 * x + rng.standard_t(3, n)
    fit = sf.fit(LINE, {"x": x, "y": y}, y="y", objective=sf.huber(delta, "linear"))
    left = fit.residuals()
    size = np.abs(left)
    passed = np.zeros(n, bool)
    passed[np.argsort(size)[:p]] = True
    h = 1.5 * np.median(size[~passed]) / 0.6745 * (n - p) ** -0.2
    near = (size <= h) & ~passed
    share = near.sum() / (n - p)
    own = n / (n + 10 * p)
    curved = (own * np.where(passed, share, near) + (1 - own) * share) * delta / h
    design = np.stack([np.ones(n), x], axis=1)
    bread = np.linalg.inv(design.T @ np.diag(curved) @ design)
    slope = np.clip(left, -delta, delta)
    middle = design.T @ np.diag(slope**2) @ design
    np.testing.assert_allclose(fit.covariance, n / (n - p) * bread @ middle @ bread, rtol=1e-6)


def test_errors_of_runs_are_residuals_with_what_the_fit_has_hidden_of_them():
    """(y_i - f_i) / sqrt(1 - h_i), h the diagonal of the hat matrix X (X'X)^-1 X'."""
    fit = sf.fit(LINE, {"x": X, "y": Y}, y="y", objective=sf.square("linear"))
    found = sf.noise(fit)
    hat = DESIGN @ BREAD @ DESIGN.T
    known = (Y - hat @ Y) / np.sqrt(1 - np.diag(hat))
    np.testing.assert_allclose(found.errors * found.scale({"x": X}), known, rtol=1e-6)


def test_rows_pull_towards_themselves_by_their_weight():
    """w_i d u / d w_i = (X'WX)^-1 x_i w_i (y_i - f_i) by the normal equations; the sandwich of weighted rows
    is n / (n - p) times the sum of its squares."""
    weight = np.array([1.0, 2.0, 0.5, 1.0, 3.0, 1.0, 0.2, 1.0])
    fit = sf.fit(LINE, {"x": X, "y": Y}, y="y", objective=sf.huber(100.0, "linear"), weight=weight)
    bread = np.linalg.inv(DESIGN.T @ np.diag(weight) @ DESIGN)
    left = Y - DESIGN @ (bread @ DESIGN.T @ (weight * Y))
    pulls = (bread @ (DESIGN.T * (weight * left))).T
    linear = linearise(LINE, fit.objective, fit.u, fit.data.x, fit.data.y)
    np.testing.assert_allclose(influence(fit.objective, linear, weight), pulls, rtol=1e-5)
    np.testing.assert_allclose(fit.covariance, 8 / (8 - 2) * pulls.T @ pulls, rtol=1e-5)


@pytest.mark.parametrize("support", [sf.interval(0, 4), sf.interval(-np.inf, 9), sf.interval(0, np.inf)])
def test_the_jacobian_is_that_of_the_real_line(support):
    """Against finite differences, for every kind of support."""
    law = sf.law(lambda x, *, a, b: a + b * x, coefs={"a": sf.Coef("a", support), "b": sf.Coef("b")})
    u, h = np.array([float(support.to_real(3.0)), 2.0]), 1e-6

    def at(u: np.ndarray) -> np.ndarray:
        return float(support.from_real(u[0], xp=np)) + u[1] * X

    linear = linearise(law, sf.square("linear"), u, {"x": X}, Y)
    for k, move in enumerate(h * np.eye(2)):
        np.testing.assert_allclose(linear.jacobian[k], (at(u + move) - at(u - move)) / (2 * h), rtol=1e-7)


def test_descents_agree_within_one_in_a_million():
    value = np.array([[1.0, 1 + 5e-7, 1 + 5e-6, 1 + 5e-4, 2.0]])
    ends = Ends(np.zeros((1, 5, 2)), value, np.zeros((1, 5)), np.ones((1, 5), int), np.ones((1, 5), bool))
    found = _searches(ends, np.zeros(1))
    assert (found.n_agree[0], found.best[0]) == (2, 0)
    assert _searches(ends._replace(value=1e-30 * value), np.zeros(1)).n_agree[0] == 2
