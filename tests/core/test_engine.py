"""The engine on the field's reference problem, its invariances, and what it compiles."""

from __future__ import annotations

import dis
import gc
import sys
import tracemalloc
from contextlib import ExitStack
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scalefit as sf
from scalefit.core import search as searching
from scalefit.core import solve as solving
from scalefit.core.compiled import counts, forget
from scalefit.core.data import repeats
from scalefit.core.evaluate import Lane, Problem, local, log, staged
from scalefit.core.formula import stage
from scalefit.core.linear import Linear, _newton, leverage, triangle
from scalefit.core.search import pad, problem_of, search_all
from scalefit.core.settings import precise
from scalefit.core.solve import Jobs, solve
from scalefit.core.starts import _sums, cells, screen
from scalefit.frames import read

# The Huber optimum of the 240 digitised Chinchilla points: an independent minimisation (scipy, exact
# gradients, scaled objective) gives 1.01827401780060e-3 at these coefficients.
REFERENCE = {"A": 477.826, "B": 2143.417, "E": 1.817218, "alpha": 0.347310, "beta": 0.367172}
COLUMNS = {"N": "n_params", "D": "n_tokens"}


@pytest.fixture(scope="module")
def runs(data_dir):
    table = read(data_dir / "chinchilla_epoch" / "runs.csv")
    return table[table["used_in_replication"] == 1]


@pytest.fixture(scope="module")
def reference(runs):
    return sf.fit("chinchilla", runs, COLUMNS, "loss")


def test_chinchilla_optimum(reference):
    assert reference.value == pytest.approx(1.0182740e-3, abs=1e-9)
    assert dict(reference.coefs) == pytest.approx(REFERENCE, rel=1e-4)
    assert reference.status.converged
    assert reference.status.n_agree == reference.status.n_starts
    reference.check()


def test_with_the_outliers_kept(data_dir):
    fit = sf.fit("chinchilla", read(data_dir / "chinchilla_epoch" / "runs.csv"), COLUMNS, "loss")
    assert fit.value <= 0.00182602
    assert "outliers" in [caution.code for caution in fit.warnings]


def test_least_absolute_deviations(runs):
    """The limit that the published refit (arXiv:2404.10102) belongs to."""
    fit = sf.fit("chinchilla", runs, COLUMNS, "loss", objective=sf.absolute("log"))
    assert fit.value == pytest.approx(1.12949, abs=1e-5)
    assert dict(fit.coefs) == pytest.approx(
        {"A": 482.0, "B": 2085.4, "E": 1.81686, "alpha": 0.3478, "beta": 0.3658}, rel=5e-3
    )


def test_both_descents_agree(runs, reference):
    other = sf.fit("chinchilla", runs, COLUMNS, "loss", method="lbfgs")
    assert other.value == pytest.approx(reference.value, rel=1e-9)
    assert dict(other.coefs) == pytest.approx(dict(reference.coefs), rel=1e-5)


def test_free_outer_power(runs):
    """skaling on the same points: kappa .774, E 1.757, alpha .424, beta .431,
    objective 9.542e-4 (arXiv:2608.07222)."""
    fit = sf.fit("skaling", runs, COLUMNS, "loss")
    assert fit.value == pytest.approx(9.542e-4, rel=1e-4)
    some = {name: fit.coefs[name] for name in ("kappa", "E", "alpha", "beta")}
    assert some == pytest.approx({"kappa": 0.774, "E": 1.757, "alpha": 0.424, "beta": 0.431}, abs=6e-4)


@pytest.mark.parametrize("change", ["billions", "mean", "permuted", "weight 2"])
def test_the_answer_does_not_depend_on(change, runs, reference):
    table = {name: runs[name].to_numpy() for name in ("n_params", "n_tokens", "loss")}
    weight, value, A = None, reference.value, reference.coefs["A"]
    if change == "billions":
        table["n_params"] = table["n_params"] / 1e9
        A /= 1e9 ** reference.coefs["alpha"]
    elif change == "mean":
        weight, value = np.full(240, 1 / 240), value / 240
    elif change == "permuted":
        order = np.random.default_rng(0).permutation(240)
        table = {name: column[order] for name, column in table.items()}
    else:
        weight, value = np.full(240, 2.0), 2 * value
    fit = sf.fit("chinchilla", table, COLUMNS, "loss", weight=weight)
    assert fit.value == pytest.approx(value, rel=1e-9)
    assert dict(fit.coefs) == pytest.approx({**reference.coefs, "A": A}, rel=1e-5)


def test_weight_two_is_a_doubled_row(runs):
    table = {name: runs[name].to_numpy() for name in ("n_params", "n_tokens", "loss")}
    weight = np.where(np.arange(240) < 16, 2.0, 1.0)
    twice = {name: np.append(column, column[:16]) for name, column in table.items()}
    weighted = sf.fit("chinchilla", table, COLUMNS, "loss", weight=weight)
    doubled = sf.fit("chinchilla", twice, COLUMNS, "loss")
    assert weighted.value == pytest.approx(doubled.value, rel=1e-9)
    assert dict(weighted.coefs) == pytest.approx(dict(doubled.coefs), rel=1e-5)
    assert "duplicated-rows" in [caution.code for caution in doubled.warnings]


# --- the queue


def simulated(n: int = 96, seed: int = 1):
    law, rng = sf.laws.chinchilla, np.random.default_rng(seed)
    x = {"N": 10 ** rng.uniform(7, 10, n), "D": 10 ** rng.uniform(8.5, 11, n)}
    y = law(law.published["besiroglu2024"], x) * np.exp(0.01 * rng.standard_normal(n))
    return law, x, y


def resamples(rows, n: int, n_sets: int):
    rng = np.random.default_rng(2)
    counts = rng.multinomial(n, np.full(n, 1 / n), n_sets).astype(float)
    return rows._replace(weight=np.pad(counts, ((0, 0), (0, rows.y.shape[1] - n))))


def test_ends_do_not_depend_on_slots_or_chunks(monkeypatch):
    law, x, y = simulated()
    rows = pad([{**x, "y": y, "weight": np.ones_like(y)}], law)
    rows, problem = resamples(rows, len(y), 300), problem_of(law, sf.huber())
    found = screen(problem, rows, cells(law, rows), 1)
    jobs = Jobs(found.u[:, 0], found.scale[:, 0], np.arange(300), np.zeros(300, int))
    ends = []
    for block in (500, 12_000):
        monkeypatch.setattr(solving, "BLOCK", block)
        ends.append(solve(problem, rows, jobs, 1e-3))
    few = Jobs(*(part[:5] for part in jobs))
    ends.append(solve(problem, rows, few, 1e-3))
    assert ends[0].converged.all()
    np.testing.assert_allclose(ends[0].value, ends[1].value, rtol=1e-11)
    np.testing.assert_allclose(ends[2].value, ends[1].value[:5], rtol=1e-11)
    np.testing.assert_allclose(ends[0].u, ends[1].u, rtol=1e-5)


def test_a_resample_equals_a_fit_of_the_resampled_rows():
    law, x, y = simulated()
    rows = resamples(pad([{**x, "y": y, "weight": np.ones_like(y)}], law), len(y), 3)
    problem = problem_of(law, sf.huber())
    found = screen(problem, rows, cells(law, rows), 4)
    jobs = Jobs(
        found.u.reshape(-1, 5),
        found.scale.ravel(),
        np.repeat(np.arange(3), 4),
        np.zeros(12, int),
    )
    values = solve(problem, rows, jobs, 1e-3).value.reshape(3, 4).min(axis=1)
    for k in range(3):
        take = np.repeat(np.arange(len(y)), rows.weight[k, : len(y)].astype(int))
        fit = sf.fit(law, {"N": x["N"][take], "D": x["D"][take], "loss": y[take]})
        assert fit.value == pytest.approx(values[k], rel=1e-8)


def test_sets_whose_first_starts_agree_are_done_with():
    """Eight rows around five coefficients make many basins:
    some sets go on, none ends worse than with all starts."""
    law, x, y = simulated(12, seed=3)
    rows = resamples(pad([{**x, "y": y, "weight": np.ones_like(y)}], law), len(y), 60)
    every = search_all(law, rows, sf.huber(), n_starts=12)
    some = search_all(law, rows, sf.huber(), n_starts=12, enough=3)
    n_lanes = np.array([len(found.ends.value) for found in some])
    assert set(n_lanes) == {3, 12}
    assert np.mean(n_lanes) < 8
    # The first three that are descended lie apart among the twelve.
    agree = [np.ptp(found.ends.value[[0, 4, 8]]) <= 1e-6 * np.min(found.ends.value) for found in every]
    np.testing.assert_array_equal(n_lanes == 3, agree)
    best = every.ends.value.min(axis=1)
    np.testing.assert_allclose(some.ends.value.min(axis=1)[n_lanes == 12], best[n_lanes == 12], rtol=1e-10)


def test_resamples_of_a_law_with_many_basins_descend_from_several_starts():
    """A broken power law of 30 rows: from the best screened cell alone three in four resamples end higher."""
    law = sf.laws.bnsl
    table = sf.simulate(law, None, {"x": np.geomspace(1e3, 1e7, 30)}, noise=0.02, key=3)
    rows = resamples(pad([{**table, "weight": np.ones(30)}], law), 30, 40)
    several = search_all(law, rows, sf.huber()).ends.value.min(axis=1)
    alone = search_all(law, rows, sf.huber(), n_starts=1).ends.value.min(axis=1)
    assert np.all(several <= alone * (1 + 1e-6))
    assert np.mean(several < alone * (1 - 1e-6)) > 0.5


def test_a_hopeless_start_fails_alone():
    law, x, y = simulated(24)
    rows = pad([{**x, "y": y, "weight": np.ones_like(y)}], law)
    good = [float(np.log(v)) for v in (1.8, 480.0, 2000.0, 0.35, 0.36)]
    start = np.array([good, [800.0, 0, 0, 0, 0]])  # exp(800) is infinite
    jobs = Jobs(start, np.full(2, 1e-2), np.zeros(2, int), np.zeros(2, int))
    ends = solve(problem_of(law, sf.huber()), rows, jobs, 1e-3)
    assert list(ends.converged) == [True, False]
    assert np.isinf(ends.value[1])


def test_a_descent_stopped_before_it_settled_has_not_converged():
    law, x, y = simulated(24)
    rows = pad([{**x, "y": y, "weight": np.ones_like(y)}], law)
    # Squares have one width, at which it begins and ends; a start far from the truth takes many steps.
    start = np.array([[float(np.log(v)) for v in (0.5, 50.0, 200.0, 0.2, 0.6)]])
    jobs = Jobs(start, np.ones(1), np.zeros(1, int), np.zeros(1, int))
    for most, settles in ((3, False), (500, True)):
        ends = solve(problem_of(law, sf.square()), rows, jobs, 1.0, max_evaluations=most)
        assert list(ends.converged) == [settles]


def test_lanes_begin_with_their_residuals_inside_the_width():
    wide = np.array([[1e-4, 0.02, 0.7, np.inf]])
    width, begin = searching._widths(sf.huber(1e-3), wide)
    assert width == 1e-3
    # Never narrower than at the end; the usual size (here the median) where a start has no residuals.
    np.testing.assert_array_equal(begin, [[1e-3, 0.02, 0.7, 0.02]])


# --- what is compiled


def test_compiles_once():
    law, x, y = simulated(90)
    table = {**x, "loss": y}
    sf.fit(law, table)

    def compilations(work) -> int:
        """Programs made: compiled, or loaded from disk."""
        before = counts()
        work()
        return sum(counts()[how] - before[how] for how in ("compiled", "loaded"))

    assert compilations(lambda: sf.fit(law, table)) == 0
    _, x2, y2 = simulated(93, seed=5)
    assert compilations(lambda: sf.fit(law, {**x2, "loss": y2})) == 0, "similar size"
    assert compilations(lambda: sf.fit(law, table, objective=sf.huber(1e-2))) == 0, "another delta"
    assert compilations(lambda: sf.fit(law.tie(beta="alpha"), table)) == 1, "the one program of all ties"
    assert compilations(lambda: sf.fit(law.tie(B="A").fix(E=1.7), table)) == 0, "another tie"
    held = lambda: [sf.fit(law.fix(E=e).rename(N="n"), {**table, "n": x["N"]}) for e in (1.7, 1.8)]  # noqa: E731
    assert compilations(held) == 0, "other values held"
    assert compilations(lambda: sf.bootstrap(sf.fit(law, table), 300)) == 0, "resamples"
    wide = lambda: sf.widen(sf.fit(law, table)).predict({"N": [1e9, 2e9], "D": [1e11]}, level=0.9)  # noqa: E731
    assert compilations(wide) == 0, "windows and predictions"
    linear = lambda: sf.fit(law, table, objective=sf.huber(1e-2, "linear"))  # noqa: E731
    assert compilations(linear) > 0, "the counter must be able to count"
    assert compilations(linear) == 0


@pytest.mark.parametrize("change", ["fix", "tie"])
def test_a_shared_program_gives_what_the_law_by_itself_does(change):
    """The same law written out by hand, with a program of its own."""
    law, x, y = simulated(60)
    if change == "fix":
        ours, by_hand = law.fix(alpha=0.34), lambda N, D, *, E, A, B, beta: E + A / N**0.34 + B / D**beta
    else:
        ours, by_hand = law.tie(beta="alpha"), lambda N, D, *, E, A, B, alpha: E + A / N**alpha + B / D**alpha
    coefs = {coef.name: coef for coef in ours.coefs}
    for method in ("lm", "lbfgs"):
        one, other = (
            sf.fit(each, {**x, "loss": y}, y="loss", method=method)
            for each in (ours, sf.law(by_hand, coefs=coefs))
        )
        assert one.value == pytest.approx(other.value, rel=1e-9)
        assert one.coefs == pytest.approx(other.coefs, rel=1e-6)
        assert one.status.n_agree >= 0.9 * one.status.n_starts


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e-20, 1.0, 1e20])
def test_the_scale_of_weights_picks_no_other_optimum(scale):
    """Eight settings for five coefficients: many basins.
    The best end is the same, and as many starts agree."""
    law, x, y = simulated(12, seed=3)
    one, other = (sf.fit(law, {**x, "loss": y}, weight=w) for w in (np.ones(12), np.full(12, scale)))
    assert one.status.n_agree < one.status.n_starts, "several basins, or this tests nothing"
    assert other.status.n_agree == one.status.n_agree
    assert other.value == pytest.approx(scale * one.value, rel=1e-10)


def test_linear_least_absolute_deviations_reach_the_limit_of_small_deltas(runs):
    """Over two decades of loss few rows bend the objective: without reweighting most starts stop at kinks."""
    known = sf.fit("chinchilla", runs, COLUMNS, "loss", objective=sf.huber(1e-9, "linear"))
    fit = sf.fit("chinchilla", runs, COLUMNS, "loss", objective=sf.absolute("linear"))
    assert fit.value == pytest.approx(1e9 * known.value, rel=1e-6)
    assert fit.status.n_agree == fit.status.n_starts


@pytest.mark.parametrize("kind", [sf.huber, sf.log_cosh, partial(sf.asymmetric, 0.5)])
@pytest.mark.parametrize("space", ["log", "linear"])
def test_a_tiny_delta_is_least_absolute_deviations(kind, space):
    """rho tends to delta |r|: both have one best curve, and the objective is delta times the sum of sizes."""
    law, x, y = simulated(20, seed=4)
    known = sf.fit(law, {**x, "loss": y}, objective=sf.absolute(space))
    for delta in (1e-9, 1e-50, 1e-200):
        fit = sf.fit(law, {**x, "loss": y}, objective=kind(delta=delta, space=space))
        assert fit.value == pytest.approx(delta * known.value, rel=1e-5)
        assert np.sum(np.abs(fit.residuals())) == pytest.approx(known.value, rel=1e-5)
        assert fit.status.converged
    np.testing.assert_allclose(fit.covariance, known.covariance, rtol=1e-3)


# --- many rows


@pytest.fixture(scope="module")
def many():
    law, rng, n = sf.laws.chinchilla, np.random.default_rng(3), 6000
    x = {"N": 10 ** rng.uniform(7, 10.5, n), "D": 10 ** rng.uniform(8.5, 12, n)}
    error = 0.01 * rng.standard_normal(n) + 0.1 * (rng.random(n) < 0.05) * rng.standard_normal(n)
    weight = 1e-20 * rng.random(n) * (rng.random(n) < 0.7)
    return {**x, "loss": law(law.published["besiroglu2024"], x) * np.exp(error)}, weight


@pytest.mark.parametrize(
    "case", ["huber", "square", "absolute", "log_cosh", "linear", "tiny delta", "weights", "fix", "tie"]
)
def test_a_search_on_a_sample_ends_where_one_on_all_rows_does(case, many, monkeypatch):
    table, weight = many
    law = {"fix": sf.laws.chinchilla.fix(alpha=0.34), "tie": sf.laws.chinchilla.tie(beta="alpha")}.get(
        case, sf.laws.chinchilla
    )
    objective = {
        "square": sf.square(),
        "absolute": sf.absolute(),
        "log_cosh": sf.log_cosh(),
        "linear": sf.huber(1e-2, "linear"),
        "tiny delta": sf.huber(1e-50),
    }.get(case)
    weight = weight if case == "weights" else None
    one = sf.fit(law, table, objective=objective, weight=weight)
    assert any("searched on 2,048 of" in note for note in one.notes)
    monkeypatch.setattr(searching, "MANY_ROWS", 10_000)
    other = sf.fit(law, table, objective=objective, weight=weight)
    assert not any("searched on" in note for note in other.notes)
    # Least absolute deviations creep along their kinks, with either search; a tiny delta makes them.
    creep = case in ("absolute", "tiny delta")
    assert one.value == pytest.approx(other.value, rel=1e-9 if creep else 1e-11)
    assert dict(one.coefs) == pytest.approx(dict(other.coefs), rel=1e-3 if creep else 1e-6)
    assert one.status.n_agree == one.status.n_starts == other.status.n_agree


def test_ends_on_a_sample_are_told_apart_by_their_values_on_all_rows(monkeypatch):
    """A phase of a wave has many basins; noise makes them nearly as deep as the best."""
    law = sf.law(lambda x, *, k: 2 + jnp.sin(k * x), positive="all")
    x = np.random.default_rng(0).uniform(0, 10, 6000)
    runs = {"x": x, "y": 2 + np.sin(x) + 0.3 * np.random.default_rng(1).standard_normal(6000)}
    asked = {"objective": sf.square("linear"), "starts": [{"k": k} for k in (1.0, 0.2, 2.3, 3.1)]}
    one = sf.fit(law, runs, **asked)
    assert any("searched on 2,048 of" in note for note in one.notes)
    monkeypatch.setattr(searching, "MANY_ROWS", 10_000)
    other = sf.fit(law, runs, **asked)
    assert other.status.n_agree < 4
    assert one.coefs["k"] == pytest.approx(other.coefs["k"], rel=1e-6) == pytest.approx(1.0, abs=0.01)
    assert one.value == pytest.approx(other.value, rel=1e-9)


def test_memory_grows_with_the_rows_alone():
    """Numpy's share, in columns of the table: none of it holds one number per cell and row (144 cells)."""
    law, x, y = simulated(40_000)
    sf.fit(law, {**x, "loss": y})
    tracemalloc.start()
    sf.fit(law, {**x, "loss": y})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 80 * y.nbytes


def test_repeated_rows_are_found():
    rng = np.random.default_rng(0)
    table = rng.integers(-3, 4, (3, 500)).astype(float)
    table[0, :40] *= -0.0
    first: dict = {}
    by_hand = [k for k, row in enumerate(map(tuple, table.T)) if first.setdefault(row, k) != k]
    np.testing.assert_array_equal(repeats(list(table)), by_hand)
    assert len(repeats([rng.random(500)])) == 0


def test_sums_in_pieces_are_the_sums():
    rng = np.random.default_rng(0)
    weight, products = rng.random((2, 70, 500)), rng.standard_normal((2, 3, 100, 500))
    whole = np.einsum("gwn,gpkn->gwpk", weight, products)
    np.testing.assert_allclose(_sums(weight, products), whole, rtol=1e-9, atol=1e-9)


def test_a_triangle_of_blocks_is_one_of_all_rows():
    columns = np.random.default_rng(0).standard_normal((6, 5000)) * np.geomspace(1, 1e-6, 6)[:, None]
    ours, numpy_s = triangle(columns), np.linalg.qr(columns.T, mode="r")
    np.testing.assert_allclose(np.abs(ours), np.abs(numpy_s), rtol=1e-10, atol=1e-12)
    assert triangle(columns[:, :4]).shape == (4, 6)


def test_jax_settings_are_left_alone():
    before = dict(jax.config.values)
    sf.fit(sf.laws.power, {"x": np.arange(1.0, 17), "y": np.arange(1.0, 17) ** -0.3})
    assert dict(jax.config.values) == before
    assert jnp.ones(3).dtype == np.float32


def interrupted(call, k: int) -> bool:
    """A call with Ctrl-C at its k-th chance, functions' first lines left out; False past the last.

    Python looks for it behind calls and where loops begin anew.
    """
    left, before = k, {}

    def trace(frame, event, argument):
        nonlocal left
        frame.f_trace_opcodes = True
        if event == "opcode":
            name = dis.opname[frame.f_code.co_code[frame.f_lasti]]
            chance = name == "JUMP_BACKWARD" or before.get(frame, "").startswith("CALL")
            before[frame] = name
            left -= chance and frame.f_lineno > frame.f_code.co_firstlineno
            if left < 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    # What the garbage collector calls back, JAX's among it, is not part of the call.
    gc.disable()
    sys.settrace(trace)
    try:
        call()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(None)
        gc.enable()
    return False


@pytest.mark.parametrize("leaving", [False, True])
def test_ctrl_c_while_settings_change_leaves_them_as_they_were(leaving):
    with jax.debug_nans(True), jax.transfer_guard("disallow_explicit"):
        before = dict(jax.config.values)
        for k in range(10_000):
            settings = precise()
            if leaving:
                settings.__enter__()
                stopped = interrupted(partial(settings.__exit__, None, None, None), k)
            else:
                stopped = interrupted(settings.__enter__, k)
                if not stopped:
                    assert jax.config.values["jax_enable_x64"]
                    settings.__exit__(None, None, None)
            assert dict(jax.config.values) == before, f"interrupted at chance {k}"
            if not stopped:
                break
    assert k > 10


def test_settings_that_look_for_mistakes_are_not_in_the_way():
    """Ours have values that are no numbers, and arrays that broadcast, on purpose;
    the answer is the same to the bit."""
    law, x, y = simulated(24)
    table = {**x, "loss": y}
    plain = sf.fit(law, table)
    settings = (
        jax.debug_nans(True),
        jax.debug_infs(True),
        jax.numpy_rank_promotion("raise"),
        jax.numpy_dtype_promotion("strict"),
        jax.transfer_guard("disallow"),
        jax.disable_jit(),
        np.errstate(all="raise"),
    )
    forget()  # so that tracing and compiling happen under them too
    with ExitStack() as stack:
        for each in settings:
            stack.enter_context(each)
        guarded = sf.widen(sf.bootstrap(sf.fit(law, table), 20))
        guarded.predict({"N": 1e10, "D": 1e11}, level=0.9)
    assert guarded.value == plain.value
    assert guarded.coefs == plain.coefs


# --- parts


@pytest.mark.parametrize(
    ("objective", "by_hand"),
    [
        (sf.huber(0.1), lambda r: np.where(abs(r) <= 0.1, r**2 / 2, 0.1 * (abs(r) - 0.05))),
        (sf.square("linear"), lambda r: r**2),
        (sf.absolute(), abs),
        (sf.log_cosh(0.1), lambda r: 0.01 * np.log(np.cosh(r / 0.1))),
        (
            sf.asymmetric(0.8, 0.1),
            lambda r: np.where(r > 0, 1.6, 0.4) * np.where(abs(r) <= 0.1, r**2 / 2, 0.1 * (abs(r) - 0.05)),
        ),
    ],
    ids=lambda part: str(part) if isinstance(part, sf.Objective) else "by hand",
)
def test_objectives_are_their_formulas(objective, by_hand):
    law = sf.law(lambda x, *, a: a * x, positive="all")
    x, y = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.1, 1.7, 3.05, 5.0])
    fit = sf.fit(law, {"x": x, "y": y}, objective=objective)
    grid = fit.coefs["a"] * np.linspace(0.9, 1.1, 2001)
    if objective.space == "log":
        r = np.log(np.outer(grid, x)) - np.log(y)
    else:
        r = np.outer(grid, x) - y
    totals = by_hand(r).sum(axis=1)
    assert fit.value <= totals.min() * (1 + 1e-9)
    assert fit.value == pytest.approx(totals.min(), rel=1e-3)


def test_staging_changes_nothing():
    law, x, _ = simulated(12)
    with jax.enable_x64(True):
        columns = (x["N"], x["D"])
        prepare, predict = stage(law.fn, columns, law.names)
        coefs = law.published["besiroglu2024"]
        out = predict(*prepare(*columns), *(coefs[name] for name in law.names))
    np.testing.assert_allclose(out, law(coefs, x), rtol=1e-13)


def test_an_evaluation_is_the_objective_and_its_derivatives():
    """Against the sums written out, for squares:
    L = E + A/N^alpha + B/D^beta, coordinates the logs of all five."""
    law, x, y = simulated(40)
    E, A, B, alpha, beta = coefs = np.array([1.8, 470.0, 2000.0, 0.35, 0.37])
    N, D, weight = x["N"], x["D"], np.linspace(0.5, 2, 40)
    problem = problem_of(law, sf.square())
    assert law.names == ("E", "A", "B", "alpha", "beta")
    with jax.enable_x64(True):
        prepare, prediction = staged(problem, (N, D))
        lane = Lane(prepare(N, D), np.log(y), weight, 1.0)
        at = local(problem, prediction, jnp.log(coefs), lane, curvature=True)
    terms = np.stack([np.full(40, E), A / N**alpha, B / D**beta])
    L = terms.sum(axis=0)
    r = np.log(L / y)
    J = np.stack([*terms, -alpha * np.log(N) * terms[1], -beta * np.log(D) * terms[2]]) / L
    np.testing.assert_allclose(at.value, weight @ r**2, rtol=1e-12)
    np.testing.assert_allclose(at.gradient, 2 * J @ (weight * r), rtol=1e-10)
    np.testing.assert_allclose(at.curvature, 2 * (J * weight) @ J.T, rtol=1e-12)


def test_the_logarithm_is_numpy_s():
    x = np.concatenate([np.geomspace(1e-307, 1e307, 20_001), 1 + np.linspace(-1e-3, 1e-3, 2001)])
    with jax.enable_x64(True):
        ours, slope = jax.jit(jax.vmap(jax.value_and_grad(log)))(x)
        odd = log(jnp.array([0.0, -1.0, np.inf, np.nan]))
    np.testing.assert_allclose(ours, np.log(x), rtol=4e-16)  # two units in the last place
    np.testing.assert_allclose(slope, 1 / x, rtol=1e-15)
    np.testing.assert_array_equal(odd, [-np.inf, np.nan, np.inf, np.nan])


def test_a_power_of_zero_is_differentiable():
    law = sf.law(lambda x, *, a, c: 1 + a * x**c, positive="all")
    x = np.append(0.0, np.geomspace(0.1, 10, 23))
    fit = sf.fit(law, {"x": x, "y": law({"a": 2.0, "c": 0.7}, {"x": x})})
    assert fit.coefs == pytest.approx({"a": 2.0, "c": 0.7}, rel=1e-6)


def test_problem_is_hashable():
    problem = problem_of(sf.laws.chinchilla, sf.huber())
    assert isinstance(problem, Problem)
    assert hash(problem) == hash(problem_of(sf.laws.chinchilla, sf.huber(0.5)))
    assert problem == problem_of(sf.laws.chinchilla, sf.huber(0.5)), "delta is not compiled for"


def test_infinite_slopes_stop_the_sharpening_quietly():
    flat, bend = np.zeros(3), np.array([0.0, 1.0, 1.0])
    jacobian = np.array([[np.inf, 1.0, 1.0], [1.0, 2.0, 3.0]])
    assert _newton(Linear(flat, flat, flat, bend, jacobian), np.ones(3)) is None


def test_leverage_of_a_jacobian_without_full_rank_is_that_of_its_columns_space():
    """Two coefficients with one effect: the hat matrix is that of one of them, whatever rounding does."""
    rng = np.random.default_rng(0)
    column, other = rng.standard_normal((2, 30))
    hat = np.stack([column, other])
    known = np.einsum("in,ij,jn->n", hat, np.linalg.inv(hat @ hat.T), hat)
    for scale in (1.0, 3.0, 0.1):
        jacobian = np.stack([column, scale * column, other])
        linear = Linear(*np.ones((4, 30)), jacobian)
        np.testing.assert_allclose(leverage(sf.square(), linear, np.ones(30)), known, rtol=1e-9)
