"""The work a fit takes, counted rather than timed: operations per evaluation, and evaluations.

Counts do not depend on how busy a machine is. They were taken with jaxlib 0.10 on x86; a quarter more is
allowed, as another XLA fuses otherwise. Where a change needs more on purpose, the numbers here say so.
"""

import jax
import numpy as np
import pytest

import scalefit as sf
from scalefit.core.compiled import FAST_ON_CPU
from scalefit.core.form import form
from scalefit.core.search import problem_of
from scalefit.core.settings import precise
from scalefit.core.solve import Jobs, Rows, _kernel, _shape

MORE = 1.25


def compiled(law, n: int):
    """The program that descends from many starts at once, for n rows; and rows evaluated in one turn."""
    law, shape = form(law).law, _shape(n)
    p = len(law.coefs)

    def real(*size):
        return jax.ShapeDtypeStruct(size, np.float64)

    def count(*size):
        return jax.ShapeDtypeStruct(size, np.int64)

    def work(rows, jobs, along, n_jobs, width, most):
        problem = problem_of(law, sf.huber())
        return _kernel.__wrapped__(problem, "lm", shape.slots, False, rows, jobs, along, n_jobs, width, most)

    with precise():
        rows = Rows(tuple(real(1, n) for _ in law.inputs), real(1, n), real(shape.sets, n))
        jobs = Jobs(real(shape.jobs, p), real(shape.jobs), count(shape.jobs), count(shape.jobs))
        lowered = jax.jit(work).lower(rows, jobs, real(p, p), count(), real(), count())
        return lowered.compile(compiler_options=FAST_ON_CPU), shape.slots * n


# Per row and evaluation (value, gradient and curvature): exponentials and logarithms, and floating-point
# operations; and instructions of the whole program, which is what compiling takes time for.
@pytest.mark.skipif(jax.default_backend() != "cpu", reason="counts are of the CPU's programs")
@pytest.mark.parametrize(
    ("law", "hard", "easy", "instructions"),
    [("chinchilla", 2.4, 154, 1660), ("power_floor", 1.3, 115, 1460)],
)
def test_operations_of_an_evaluation(law, hard, easy, instructions):
    program, rows = compiled(sf.laws[law], 240)
    cost = program.cost_analysis()
    assert cost["transcendentals"] / rows < MORE * hard
    assert cost["flops"] / rows < MORE * easy
    assert program.as_text().count(" = ") < MORE * instructions
    assert cost["transcendentals"] / rows > hard / 2, "the counter must be able to count"


def test_evaluations_of_a_fit():
    rng = np.random.default_rng(1)
    x = {"N": 10 ** rng.uniform(7.5, 10, 240), "D": 10 ** rng.uniform(9, 11.5, 240)}
    y = (1.8 + 480 / x["N"] ** 0.35 + 2100 / x["D"] ** 0.37) * np.exp(0.01 * rng.standard_normal(240))
    fit = sf.fit("chinchilla", {**x, "loss": y})
    # 8 starts of 24 evaluations.
    assert 100 < fit.status.evaluations < MORE * 190


def test_evaluations_of_many_fits():
    """Three starts of each table where these agree, 32 evaluations each."""
    rng = np.random.default_rng(0)
    x = 10 ** rng.uniform(6, 10, (200, 16))
    y = (1.5 + 20 / x**0.3) * np.exp(0.01 * rng.standard_normal(x.shape))
    table = {"task": np.repeat(np.arange(200), 16), "x": x.ravel(), "loss": y.ravel()}
    found = sf.fit_groups("power_floor", table, by="task")
    assert 600 <= found.table()["n_starts"].sum() < MORE * 613
    assert sum(fit.status.evaluations for fit in found.values()) < MORE * 19_500
