"""Joint draws: departures have the size that predictions allow for,
and move minima by their slope over the curvature."""

from __future__ import annotations

import numpy as np
import pytest

import scalefit as sf
from scalefit.decisions.allocation import best
from scalefit.decisions.recipe import recipe_of
from scalefit.fits.draws import Draws
from scalefit.fits.joint import LENGTH, joint
from scalefit.fits.model_error import departure

N_DRAWS = 20_000
C = np.array([1e21, 1e23])


@pytest.fixture(scope="module")
def fit():
    """A fit to 48 simulated runs whose draws are all the estimate itself:
    what spreads is the law's own error alone."""
    law = sf.laws.chinchilla
    N = np.repeat(np.geomspace(1e7, 1e9, 8), 6)
    x = {"N": N, "D": N * np.tile(np.geomspace(5, 100, 6), 8)}
    runs = sf.simulate(law, law.published["hoffmann2022"], x, noise=0.003, key=1)
    found = sf.fit(law, runs)
    p = len(found.u)
    draws = Draws(np.tile(found.u, (N_DRAWS, 1)), np.zeros(N_DRAWS, bool), np.zeros((1, p)), "pairs", 0)
    return found.changed(draws=draws)


def with_tau(fit, tau):
    other = fit.changed(notes=())
    other.kept["model_error"] = sf.ModelError(tau)
    return other


def optima(fit):
    recipe = recipe_of(fit, sf.flops.six_nd, None, level=0.9)
    return recipe, best(recipe, np.broadcast_to(C, (len(recipe), len(C))))


def test_a_departure_is_as_large_as_predictions_allow_for(fit):
    """tau sqrt(s Delta) of log loss at the optimum;
    a standard deviation of 20000 draws errs by 0.5 %, four times that is 2 %."""
    fit = with_tau(fit, 0.8)
    _, found = optima(fit)
    at = {"N": found.N[0], "D": found.D[0]}
    size = 0.8 * departure(fit, at, np.log(fit.predict(at)), "mean")
    assert np.all(size > 0)
    assert np.std(np.log(found.loss[1:]), axis=0) == pytest.approx(size, rel=0.02)
    assert found.loss[0] == pytest.approx(fit.predict(at), rel=1e-12)


def test_a_minimum_moves_by_the_slope_over_the_curvature(fit):
    """-delta' / kappa along 6 N D = C, where small departures are in question:
    delta' = slope_N - slope_D, kappa by differences."""
    fit = with_tau(fit, 0.01)
    recipe, found = optima(fit)
    at, step = np.log(found.N[:1]), 0.01
    beside = [np.log(recipe.estimate.along(at + h, C[None])) for h in (-step, 0.0, step)]
    curvature = (beside[0] - 2 * beside[1] + beside[2])[0] / step**2
    slope = recipe.joint.departures.slope
    size = recipe.joint.amplitude({"N": found.N[0], "D": found.D[0]})
    moved = -size * (slope[:, :1] - slope[:, 1:]) / curvature
    away = np.log(found.N) - at
    # What is left is of second order in moves of some hundredths: some per cent of the largest.
    assert np.max(np.abs(away)) > 0.01
    assert away == pytest.approx(moved, abs=0.05 * np.max(np.abs(moved)))
    assert np.std(away[1:], axis=0) == pytest.approx(np.sqrt(2) * size[1] / LENGTH / curvature, rel=0.03)
    assert np.all(away[0] == 0)


def test_the_law_taken_as_right_has_no_departures(fit):
    assert joint(fit, level=0.9, model_error=False).departures is None
    recipe = recipe_of(fit, sf.flops.six_nd, None, level=0.9, model_error=False)
    found = best(recipe, np.broadcast_to(C, (len(recipe), len(C))))
    assert np.ptp(np.log(found.N), axis=0) == pytest.approx([0.0, 0.0], abs=1e-12)


def test_one_key_one_set_of_departures(fit):
    same = [joint(fit, level=0.9, key=key).departures.size for key in (3, 3, 4)]
    assert np.array_equal(same[0], same[1])
    assert abs(np.corrcoef(same[0], same[2])[0, 1]) < 0.03
