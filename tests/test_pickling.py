"""Laws, fits and answers travel: pickled, deep-copied, to threads and to other processes."""

from __future__ import annotations

import copy
import pickle
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import pandas as pd
import pytest

import scalefit as sf
from scalefit.core.maths import exp
from scalefit.core.search import problem_of

BASE = sf.laws.chinchilla


def exponential(L, *, epsilon, k, gamma):
    return epsilon - k * exp(-gamma * L)


def saturating(N, *, E, A, alpha):
    return E + A / (1 + N / 1e6) ** alpha


def product(h, *, C, g):
    return sum(c * share**power for c, share, power in zip(C, h, g, strict=True))


LINK = sf.law(exponential, positive="all", predicts="error")
OWN = sf.law(saturating, positive="all")
LISTS = sf.over(
    {"domain": 2},
    "product",
    product,
    {"h": sf.Input("share of domain i", (0.02, 0.98), each="domain", scales=False)},
    (sf.Coef("C", sf.POSITIVE, each="domain"), sf.Coef("g", sf.POSITIVE, (0.2, 0.5), each="domain")),
)
MADE = {
    "fix": BASE.fix(E=1.69),
    "tie": BASE.tie(beta="alpha"),
    "rename": BASE.rename(N="n_params", alpha="a"),
    "bound": BASE.bound(alpha=(0, 1)),
    "add": BASE + sf.laws.power.rename(x="S", A="F", alpha="gamma"),
    "then": BASE.then(sf.laws.gadre_error),
    "then one's own": BASE.then(LINK, "L"),
    "shared": BASE.shared("alpha", by="corpus"),
    "labelled": BASE.tie(beta="alpha").shared("alpha", by="corpus").labelled(("web", "code")),
    "sized": sf.laws.bnsl.sized(breaks=3),
    "given": BASE.given("E"),
    "predicting": sf.laws.power.predicting("error"),
    "instance": sf.laws.power.instance("mine", "a power of mine", {"t": sf.Input("seconds")}),
    "own": OWN,
    "own and the catalogue's": OWN + sf.laws.power.rename(x="D", A="B", alpha="beta"),
    "own lists": LISTS,
    "own lists, longer": LISTS.sized(domain=4),
}
# What is compared is less than what there is:
# these differ between laws that are equal, and must be the same too.
TOLD = (
    "name",
    "inputs",
    "coefs",
    "source",
    "published",
    "predicts",
    "family",
    "formula",
    "about",
    "domain",
    "recipe",
    "whole",
    "by",
)


def table() -> dict[str, np.ndarray]:
    N, D = np.meshgrid(np.geomspace(1e7, 1e10, 5), np.geomspace(1e9, 1e12, 5))
    coefs = {"E": 1.7, "A": 400.0, "B": 2000.0, "alpha": 0.34, "beta": 0.36}
    return sf.simulate(BASE, coefs, {"N": N.ravel(), "D": D.ravel()}, noise=0.003)


@pytest.fixture(scope="module")
def fit() -> sf.Fit:
    return sf.fit("chinchilla", table())


def sent(thing):
    return pickle.loads(pickle.dumps(thing))


def same_law(a: sf.Law, b: sf.Law) -> None:
    assert a == b
    assert hash(a) == hash(b)
    for name in TOLD:
        assert getattr(a, name) == getattr(b, name), name
    assert [(c.start, c.typical, c.meaning, c.each) for c in a.coefs] == [
        (c.start, c.typical, c.meaning, c.each) for c in b.coefs
    ]


@pytest.mark.parametrize("way", [sent, copy.deepcopy, copy.copy])
def test_laws_of_the_catalogue(way):
    for law in sf.laws:
        assert way(law) is law, law.name


@pytest.mark.parametrize("law", MADE.values(), ids=MADE)
def test_laws_made_from_others(law):
    for again in (sent(law), copy.deepcopy(law), sent(sent(law))):
        same_law(again, law)


def test_every_catalogue_law_under_every_verb():
    for law in sf.laws:
        first = law.names[0]
        value = law.coefs[0].support.inside(0.3)
        for made in (
            law.fix(**{first: value}),
            law.rename(**{first: "other"}),
            law.given(first),
            law.shared(first, by="set").labelled((0, 1)),
        ):
            same_law(sent(made), made)


def test_what_was_compiled_for_a_law_serves_the_one_that_arrives():
    for law in (BASE, MADE["tie"], OWN):
        one, other = problem_of(sent(law), sf.huber()), problem_of(law, sf.huber())
        assert (one, hash(one)) == (other, hash(other))


def test_a_law_with_a_field_changed_is_sent_with_it():
    """`dataclasses.replace` makes a law of one's own: how the old one was made says nothing about it."""
    other = replace(OWN + OWN.rename(N="D", E="F", A="B", alpha="beta"), name="two", predicts="error")
    assert other.made is None
    same_law(sent(other), other)
    assert replace(BASE, source="mine").recipe is None


@pytest.mark.parametrize(
    "objective",
    [
        sf.huber(1e-3),
        sf.square("linear"),
        sf.absolute(),
        sf.log_cosh(1e-2),
        sf.asymmetric(0.7),
    ],
    ids=str,
)
def test_objectives(objective):
    assert sent(objective) == objective
    assert hash(sent(objective)) == hash(objective)


@pytest.mark.parametrize(
    "cost",
    [
        sf.flops.six_nd,
        sf.flops.lifetime(1e12),
        sf.flops.by_shape("total", served=1e9),
        sf.flops.distillation(),
        sf.flops.Deadline(8.64e6, 2.0, 2e6),
    ],
    ids=lambda cost: cost.name,
)
def test_costs(cost):
    assert sent(cost) == cost


def asked(fit) -> tuple:
    far = {"N": [1e11], "D": [2e12]}
    return fit.summary(), fit.predict(far, level=0.9).to_json(), fit.predict(far, 0.5, "run").to_json()


@pytest.mark.parametrize("way", [sent, copy.deepcopy])
def test_fits_answer_the_same(fit, way):
    fresh, before = way(fit), asked(fit)
    assert asked(fresh) == before
    # Also after what it has worked out for itself was added.
    assert asked(way(fit)) == before
    drawn = sf.bootstrap(fit, 20)
    assert asked(way(drawn)) == asked(drawn)
    np.testing.assert_array_equal(way(drawn).draws.u, drawn.draws.u)


def answers(folder) -> dict[str, object]:
    runs = table()
    grouped = {name: np.tile(column, 2) for name, column in runs.items()} | {"set": np.repeat(["a", "b"], 25)}
    fit = sf.fit("chinchilla", runs)
    compared = sf.compare(["chinchilla", "kaplan_nd"], runs, by="N", n_cuts=2)
    step = np.arange(128, 9_600, 128)
    rates = sf.schedule.cosine(24_000, 3e-4, 3e-5, warmup=2160)
    history = {"step": step, "loss": 2.7 + 20 / step**0.5}
    log = folder / "log.csv"
    np.savetxt(log, np.column_stack([step, history["loss"]]), delimiter=",", header="step,loss", comments="")
    candidates = {"N": [1e10, 3e10], "D": [1e12, 2e12]}
    swept = sf.simulate(BASE, x=isoflops(), noise=0.001) | {"C": np.repeat([1e19, 1e20, 1e21], 9)}
    rates_tried = np.geomspace(1e-4, 1e-2, 7)
    found = {
        "ensemble": sf.extrapolate(runs, by="N", n_cuts=2),
        "groups": sf.fit_groups("chinchilla", grouped, by="set"),
        "backtest": compared.backtest,
        "comparison": compared,
        "forecast": sf.forecast(history, rates),
        "isoflop": sf.isoflop(swept, n_draws=20),
        "sweep": sf.sweep({"lr": rates_tried, "loss": 3 + np.log(rates_tried / 1e-3) ** 2 / 50}, ["lr"], []),
        "profile": sf.profile(fit, "E"),
        "plan": sf.next_runs(fit, candidates, 1e30, {"N": 1e11, "D": 2e12}),
        "log": sf.read_log(log),
        "own law": sf.fit(OWN, {"N": runs["N"], "y": OWN({"E": 1.5, "A": 2.0, "alpha": 0.3}, runs)}),
    }
    return {**found, "fit of the ensemble's law": found["ensemble"].law}


def isoflops() -> dict[str, np.ndarray]:
    N = np.concatenate([np.sqrt(C / 120) * np.geomspace(1 / 4, 4, 9) for C in (1e19, 1e20, 1e21)])
    return {"N": N, "D": np.repeat([1e19, 1e20, 1e21], 9) / (6 * N)}


def test_answers_say_the_same(tmp_path):
    for name, answer in answers(tmp_path).items():
        for again in (sent(answer), copy.deepcopy(answer)):
            assert type(again) is type(answer), name
            if isinstance(answer, sf.Groups):
                assert again.table().equals(answer.table())
                assert again["b"].summary() == answer["b"].summary()
                continue
            assert repr(again) == repr(answer), name
            for asking in ("table", "rows"):
                method = getattr(answer, asking, None)
                if callable(method):
                    assert getattr(again, asking)().equals(method()), (name, asking)


def foretold(fit: sf.Fit) -> float:
    return float(fit.predict({"N": 1e11, "D": 2e12}))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_spawned_processes(fit):
    """Predictions, a law of one's own by reference, and a bootstrap there are those made here."""
    own = sf.fit(OWN, {"N": table()["N"], "y": OWN({"E": 1.5, "A": 2.0, "alpha": 0.3}, table())})
    with ProcessPoolExecutor(2, get_context("spawn")) as workers:
        assert workers.submit(foretold, fit).result() == foretold(fit)
        there = sf.bootstrap(own, 30, key=1, executor=workers)
        back = sf.backtest(["chinchilla", "skaling"], table(), executor=workers)
        each = sf.extrapolate_groups(curves(), "curve", executor=workers)
    np.testing.assert_array_equal(there.draws.u, sf.bootstrap(own, 30, key=1).draws.u)
    pd.testing.assert_frame_equal(back.rows, sf.backtest(["chinchilla", "skaling"], table()).rows)
    here = sf.extrapolate_groups(curves(), "curve")
    assert {k: e.coefs for k, e in each.items()} == {k: e.coefs for k, e in here.items()}


def curves() -> dict[str, np.ndarray]:
    """Seventy curves of one power each: more sets of weights than one task takes."""
    D = np.tile(np.geomspace(1e8, 1e11, 12), 70)
    place = np.repeat(np.arange(70), 12)
    noise = np.exp(0.002 * np.random.default_rng(0).normal(size=len(D)))
    return {"curve": place, "D": D, "loss": (1.5 + place / 50 + 60 * D**-0.2) * noise}


def test_threads(fit):
    """Fits made side by side in threads are those made one after the other,
    under the user's own precision."""
    keys = range(4)
    alone = [sf.bootstrap(fit, 20, key=key).draws.u for key in keys]
    with ThreadPoolExecutor(4) as threads:
        beside = list(threads.map(lambda key: sf.bootstrap(fit, 20, key=key).draws.u, keys))
    np.testing.assert_array_equal(beside, alone)
    seen = []
    thread = threading.Thread(target=lambda: seen.append(sf.fit("chinchilla", table()).summary()))
    thread.start()
    thread.join()
    assert seen == [fit.summary()]


def test_forked_processes_are_refused(fit):
    with ProcessPoolExecutor(1, get_context("fork")) as workers, pytest.raises(ValueError, match="spawn"):
        sf.bootstrap(fit, 20, executor=workers)


def test_functions_that_processes_cannot_find_are_named(fit):
    made = replace(fit, law=sf.law(lambda N, *, E, A: E + A / N**0.3, "inner", positive="all"))
    with (
        ProcessPoolExecutor(1, get_context("spawn")) as workers,
        pytest.raises(TypeError, match=r"'inner'.*top of a module"),
    ):
        sf.bootstrap(made, 20, executor=workers)


def test_joblib_takes_laws_made_inside_functions(fit):
    joblib = pytest.importorskip("joblib")
    power = 0.3

    def inner(N, *, E, A):
        return E + A / N**power

    law = sf.law(inner, positive="all")
    made = sf.fit(law, {"N": table()["N"], "y": law({"E": 1.5, "A": 20.0}, table())})
    x = {"N": [1e11]}
    told = joblib.Parallel(2, backend="loky")(
        joblib.delayed(f.predict)(x | {"D": [2e12]}) for f in (made, fit)
    )
    assert told == [made.predict(x), fit.predict(x | {"D": [2e12]})]


def test_dask_takes_laws_made_inside_functions(fit):
    distributed = pytest.importorskip("distributed")
    law = sf.law(lambda N, *, E, A: E + A / N**0.3, "inner", positive="all")
    made = sf.fit(law, {"N": table()["N"], "y": law({"E": 1.5, "A": 20.0}, table())})
    both = {"N": table()["N"], "y": made.data.y, "recipe": np.arange(len(made.data)) % 2}
    with (
        distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        there = sf.bootstrap(made, 30, key=1, executor=client.get_executor())
        groups = sf.fit_groups(law, both, by="recipe", executor=client.get_executor())
    np.testing.assert_array_equal(there.draws.u, sf.bootstrap(made, 30, key=1).draws.u)
    pd.testing.assert_frame_equal(groups.table(), sf.fit_groups(law, both, by="recipe").table())
