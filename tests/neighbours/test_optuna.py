"""The pruner in a real study of Optuna: on curves that are known, and on what it must not stop."""

import numpy as np
import pytest

import scalefit as sf
from scalefit.neighbours.optuna import ForecastPruner

STEPS = 1000


@pytest.fixture
def optuna():
    found = pytest.importorskip("optuna", reason="needs Optuna: pip install scalefit-jax[neighbours]")
    found.logging.set_verbosity(found.logging.ERROR)
    return found


def studied(optuna, pruner, curves, first=1):
    """States and last steps of trials with these losses (step 1 on), reported every ten steps."""
    study = optuna.create_study(pruner=pruner)

    def objective(trial):
        curve = curves[trial.number]
        for step in range(10, STEPS + 1, 10):
            trial.report(curve(step), step - 1 + first)
            if trial.should_prune():
                raise optuna.TrialPruned
        return curve(STEPS)

    study.optimize(objective, n_trials=len(curves))
    return [(trial.state.name, trial.last_step) for trial in study.trials]


def power(floor, noise=0.003, key=0):
    """floor + 4 s^-0.5 with this noise of the logarithm."""
    draw = np.random.default_rng(key).standard_normal(STEPS + 1)
    return lambda step: float((floor + 4 * step**-0.5) * np.exp(noise * draw[step]))


@pytest.mark.parametrize("first", [0, 1])
def test_what_ends_far_above_the_best_is_stopped_early(optuna, first):
    found = studied(optuna, ForecastPruner(STEPS), [power(2.0), power(3.0, key=1), power(1.9, key=2)], first)
    assert [state for state, _ in found] == ["COMPLETE", "PRUNED", "COMPLETE"]
    assert found[1][1] <= STEPS / 2


def test_what_may_still_win_goes_on(optuna):
    """Equal floors, other noise: 4 trials of which none is the worse."""
    found = studied(optuna, ForecastPruner(STEPS, level=0.99), [power(2.0, key=key) for key in range(4)])
    assert [state for state, _ in found] == ["COMPLETE"] * 4


def test_a_loss_that_is_no_number_is_stopped(optuna):
    fine = power(2.0)
    curves = [fine, lambda step: float("nan") if step > 300 else fine(step)]
    found = studied(optuna, ForecastPruner(STEPS), curves)
    assert found[1][0] == "PRUNED"
    assert 300 < found[1][1] <= 500


def test_a_decay_to_come_is_foreseen_with_its_schedule(optuna):
    """The best ends at 2.27 + 4 / sqrt(1000) = 2.40. A run that ends at 2.16 stands at 2.53 before its rate
    falls (this law): kept with its schedule, lost without."""
    coefs = {"L0": 2.0, "A": 1.5, "alpha": 0.5, "C": 0.6, "lam": 0.99}
    rates = sf.schedule.wsd(STEPS, 0.01, cooldown=200)
    x = {"step": np.arange(1.0, STEPS + 1), "eta": rates, "curve": np.zeros(STEPS)}
    made = np.asarray(sf.laws.lr_annealing(coefs, x))
    curves = [power(2.27), lambda step: float(made[step - 1])]
    assert studied(optuna, ForecastPruner(STEPS, lambda trial: rates), curves)[1][0] == "COMPLETE"
    assert studied(optuna, ForecastPruner(STEPS), curves)[1][0] == "PRUNED"


def test_misuse_is_said(optuna):
    study = optuna.create_study(direction="maximize", pruner=ForecastPruner(STEPS))
    trial = study.ask()
    trial.report(1.0, 1)
    with pytest.raises(ValueError, match="direction='minimize'"):
        trial.should_prune()
    for wrong in ({"steps": 3}, {"steps": 100, "level": 2}):
        with pytest.raises(ValueError, match=r"steps|level"):
            ForecastPruner(**wrong)
