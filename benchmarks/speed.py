"""The same work by other packages and by scalefit, and the objective that each reaches.

    SCALEFIT_DATA=... python benchmarks/speed.py        prints the table and writes speed_cpu.json

All by Huber's loss (delta 1e-3) of log loss, on terms E + sum_i A_i / x_i^alpha_i:

    one         240 Chinchilla runs from one good start
    search      the same from the replication's 4500 starts; scalefit chooses its own
    resamples   4000 resamples from the fit
    searches    1000 resamples, each from 64 of those starts
    small       1000 tables of 8 to 30 rows from one good start; scalefit from several
    rows        10^4, 10^5 and 10^6 simulated runs from one good start; scalefit searches

Peers are timed on `sampled` descents and scaled up to the whole. `seconds` are by the wall, `cpu` what the
processors spent, which a busy machine changes less. `value` is the least objective that was reached (the mean,
over tables or resamples), `hits` the share of descents within 1e-6 of the best known one. A peer that is not
installed is skipped with the reason; nlsq and simple-scaling-laws need Python 3.12.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

# The linear algebra library shares small products among threads that wait for each other at full speed: on a
# busy machine that makes scipy ten times slower.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from scipy.special import logsumexp

HERE = Path(__file__).parent
DELTA = 1e-3
# The most seconds that one descent over many rows may take before longer tables are left out.
PATIENCE = 5.0
ROWS = (10**4, 10**5, 10**6)
WHOLE = {"one": 1, "search": 4500, "resamples": 4000, "searches": 64_000, "small": 1000}


def huber(r: Any, xp: Any = np) -> Any:
    c = xp.minimum(xp.abs(r), DELTA)
    return c * (xp.abs(r) - c / 2)


@dataclass(frozen=True)
class Problem:
    """Logs of the inputs (k, n) about `middle`, and of the output; coordinates are (log E, log A_i, alpha_i)."""

    logs: np.ndarray
    log_y: np.ndarray
    middle: np.ndarray

    @classmethod
    def of(cls, table: dict[str, np.ndarray], centred: bool = True) -> Problem:
        logs = np.log(np.stack([v for name, v in table.items() if name != "loss"]))
        middle = logs.mean(axis=1) if centred else np.zeros(len(logs))
        return cls(logs - middle[:, None], np.log(table["loss"]), middle)

    def take(self, rows: np.ndarray) -> Problem:
        return Problem(self.logs[:, rows], self.log_y[rows], self.middle)

    def here(self, start: np.ndarray) -> np.ndarray:
        """A start, as it is about zero, about the middle."""
        v, k = np.array(start, float), len(self.logs)
        v[1 : k + 1] -= v[k + 1 :] * self.middle
        return v

    def terms(self, v: np.ndarray) -> np.ndarray:
        k = len(self.logs)
        return np.concatenate(
            [np.full((1, len(self.log_y)), v[0]), v[1 : k + 1, None] - v[k + 1 :, None] * self.logs]
        )

    def residual(self, v: np.ndarray) -> np.ndarray:
        return logsumexp(self.terms(v), axis=0) - self.log_y

    def jacobian(self, v: np.ndarray) -> np.ndarray:
        """(n, p)"""
        terms = self.terms(v)
        share = np.exp(terms - logsumexp(terms, axis=0))
        return np.concatenate([share, -share[1:] * self.logs]).T

    def value(self, v: np.ndarray) -> float:
        return float(np.sum(huber(self.residual(v))))

    def scaled(self, v: np.ndarray) -> tuple[float, np.ndarray]:
        """Value and gradient times 1e6: at its own size scipy stops early."""
        pull = np.clip(self.residual(v), -DELTA, DELTA)
        return 1e6 * self.value(v), 1e6 * (pull @ self.jacobian(v))

    def roots(self, v: np.ndarray) -> np.ndarray:
        """What has the objective as half its sum of squares."""
        r = self.residual(v)
        return np.sign(r) * np.sqrt(2 * huber(r))


# --- peers: one descent of a problem from a start


def published(problem: Problem, start: np.ndarray) -> np.ndarray:
    from scipy.optimize import minimize

    return minimize(problem.value, start, method="L-BFGS-B").x


def exact(method: str) -> Callable[[Problem, np.ndarray], np.ndarray]:
    def descend(problem: Problem, start: np.ndarray) -> np.ndarray:
        from scipy.optimize import minimize

        return minimize(problem.scaled, start, jac=True, method=method).x

    return descend


def least_squares(problem: Problem, start: np.ndarray) -> np.ndarray:
    from scipy.optimize import least_squares

    tight = {"xtol": 1e-12, "ftol": 1e-12, "gtol": 1e-12}
    return least_squares(
        problem.residual, start, jac=problem.jacobian, loss="huber", f_scale=DELTA, x_scale="jac", **tight
    ).x


def lmfit(problem: Problem, start: np.ndarray) -> np.ndarray:
    import lmfit

    parameters = lmfit.Parameters()
    for k, value in enumerate(start):
        parameters.add(f"v{k}", value=value)

    def roots(p: Any) -> np.ndarray:
        return problem.roots(np.array([p[f"v{k}"].value for k in range(len(start))]))

    found = lmfit.minimize(roots, parameters, method="leastsq", calc_covar=False)
    return np.array([found.params[f"v{k}"].value for k in range(len(start))])


def iminuit(problem: Problem, start: np.ndarray) -> np.ndarray:
    import iminuit

    def value(v: np.ndarray) -> float:
        return problem.scaled(v)[0]

    def gradient(v: np.ndarray) -> np.ndarray:
        return problem.scaled(v)[1]

    minuit = iminuit.Minuit(value, start, grad=gradient)
    minuit.errordef = 0.5
    return np.array(minuit.migrad().values)


def nlsq(problem: Problem, start: np.ndarray) -> np.ndarray:
    import jax.numpy as jnp
    from nlsq import curve_fit

    k = len(problem.logs)

    def model(x: Any, *v: Any) -> Any:
        terms = [v[0] + 0 * x[0], *(v[1 + i] - v[1 + k + i] * x[i] for i in range(k))]
        top = jnp.stack(terms).max(axis=0)
        return top + jnp.log(sum(jnp.exp(term - top) for term in terms))

    logging.disable(logging.CRITICAL + 10)
    found, _ = curve_fit(model, problem.logs, problem.log_y, p0=start, loss="huber", f_scale=DELTA)
    return np.asarray(found)


DESCENTS: dict[str, tuple[str, Callable[[Problem, np.ndarray], np.ndarray]]] = {
    "scipy L-BFGS-B as published": ("scipy", published),
    "scipy L-BFGS-B, exact gradient": ("scipy", exact("L-BFGS-B")),
    "scipy BFGS, exact gradient": ("scipy", exact("BFGS")),
    "scipy least_squares": ("scipy", least_squares),
    "lmfit": ("lmfit", lmfit),
    "iminuit": ("iminuit", iminuit),
    "nlsq": ("nlsq", nlsq),
}


# --- the work


def chinchilla_runs() -> dict[str, np.ndarray]:
    from scalefit import datasets

    table = datasets.fetch("chinchilla_epoch")
    table = table[table["used_in_replication"] == 1]
    names = {"N": "n_params", "D": "n_tokens", "loss": "loss"}
    return {name: table[column].to_numpy() for name, column in names.items()}


def simulated_runs(n: int) -> dict[str, np.ndarray]:
    """Runs around the replication's curve with heavy-tailed noise of 1 %."""
    rng = np.random.default_rng(3)
    N, D = 10 ** rng.uniform(7.5, 10, n), 10 ** rng.uniform(9, 11.5, n)
    y = 1.8 + 480 / N**0.35 + 2100 / D**0.37
    return {"N": N, "D": D, "loss": y * np.exp(0.01 * rng.standard_t(3, n))}


def small_tables(n_tables: int = 1000) -> dict[str, np.ndarray]:
    """Tables of 8 to 30 rows around power laws with a floor, 1 % noise."""
    rng, parts = np.random.default_rng(7), []
    for task in range(n_tables):
        n = int(rng.integers(8, 31))
        x = 10 ** rng.uniform(6, 10, n)
        y = rng.uniform(0.5, 2) + rng.uniform(5, 50) / x ** rng.uniform(0.15, 0.4)
        parts.append((np.full(n, task), x, y * np.exp(0.01 * rng.standard_normal(n))))
    return dict(zip(("task", "x", "loss"), map(np.concatenate, zip(*parts, strict=True)), strict=True))


def replication_starts() -> np.ndarray:
    sizes, floors, powers = range(0, 26, 5), (-1, -0.5, 0, 0.5, 1), (0, 0.5, 1, 1.5, 2)
    grid = list(product(floors, sizes, sizes, powers, powers))
    return np.random.default_rng(1).permutation(np.array(grid, float))


POINT = np.array([np.log(1.817218), np.log(477.826), np.log(2143.417), 0.34731, 0.367172])
GOOD = np.array([np.log(1.7), np.log(400.0), np.log(2000.0), 0.33, 0.36])


def jobs(work: str, centred: bool, runs: dict[str, np.ndarray]) -> list[tuple[Problem, np.ndarray]]:
    """A sample of the descents of this work."""
    problem, starts = Problem.of(runs, centred), replication_starts()
    if work == "one":
        return [(problem, problem.here(GOOD))] * 5
    if work == "search":
        return [(problem, problem.here(start)) for start in starts[:24]]
    if work in ("resamples", "searches"):
        rng = np.random.default_rng(0)
        drawn = [problem.take(rng.integers(0, len(runs["loss"]), len(runs["loss"]))) for _ in range(24)]
        from_ = [POINT] * 24 if work == "resamples" else starts[:24]
        return [(some, some.here(start)) for some, start in zip(drawn, from_, strict=True)]
    tables = small_tables()
    found = []
    for task in range(50):
        mine = tables["task"] == task
        one = Problem.of({"x": tables["x"][mine], "loss": tables["loss"][mine]}, centred)
        low, usual = float(one.log_y.min()), float(np.exp(one.log_y).mean())
        start = np.array([low - 0.1, np.log(usual / 2) + 0.3 * (0.0 if centred else one.logs.mean()), 0.3])
        found.append((one, start))
    return found


def best_known(problem: Problem, work: str) -> float:
    """The objective of scalefit's own search."""
    import scalefit as sf

    law = "chinchilla" if len(problem.logs) == 2 else "power_floor"
    names = sf.laws[law].inputs
    columns = dict(zip(names, np.exp(problem.logs + problem.middle[:, None]), strict=True))
    return sf.fit(law, {**columns, "loss": np.exp(problem.log_y)}).value


def clock() -> np.ndarray:
    """Seconds by the wall, and by the processor: of this process and of those it began."""
    spent = os.times()
    return np.array([time.perf_counter(), time.process_time() + spent.children_user + spent.children_system])


def timed(work: Callable[[], Any], repeats: int = 0, whole: float = 1.0) -> tuple[dict[str, float], Any]:
    """Least seconds of some calls, times `whole`; with the first call's apart where there are others."""
    spent = []
    for _ in range(repeats + 1):
        begin = clock()
        out = work()
        spent.append(clock() - begin)
    seconds, cpu = whole * np.min(spent[1:] or spent, axis=0)
    first = {"first": float(spent[0][0])} if repeats else {}
    return {"seconds": float(seconds), "cpu": float(cpu), **first}, out


def measured(name: str, work: str, runs: dict[str, np.ndarray]) -> dict[str, Any]:
    """One peer at one work."""
    descend = DESCENTS[name][1]
    some = jobs(work, name != "scipy L-BFGS-B as published", runs)
    with np.errstate(all="ignore"):
        descend(*some[0])  # imports, and what is compiled
        whole = WHOLE[work]
        spent, ends = timed(
            lambda: [descend(problem, start) for problem, start in some], whole=whole / len(some)
        )
        values = np.array([problem.value(end) for (problem, _), end in zip(some, ends, strict=True)])
    known: dict[int, float] = {}
    for problem, _ in some:
        known.setdefault(id(problem), best_known(problem, work))
    goal = np.array([known[id(problem)] for problem, _ in some])
    return {
        **spent,
        "value": float(np.nanmin(values) if work in ("one", "search") else np.nanmean(values)),
        "hits": float(np.mean(values <= goal * (1 + 1e-6))),
        "sampled": f"{len(some)} of {whole}",
    }


def measured_rows(name: str, n: int) -> dict[str, Any]:
    """One peer at n rows."""
    problem = Problem.of(simulated_runs(n), name != "scipy L-BFGS-B as published")
    with np.errstate(all="ignore"):
        spent, end = timed(lambda: DESCENTS[name][1](problem, problem.here(GOOD)))
    return {**spent, "value": problem.value(end)}


def optimistix(runs: dict[str, np.ndarray]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The best off-the-shelf JAX minimiser found: BFGS, all lanes at once, 300 steps."""
    import jax
    import jax.numpy as jnp
    import optimistix

    problem = Problem.of(runs)
    with jax.enable_x64(True):
        at, goal = jnp.asarray(problem.logs), jnp.asarray(problem.log_y)
        solver: Any = optimistix.BFGS(rtol=1e-9, atol=1e-9)

        def cost(v: Any, w: Any) -> Any:
            e, a, b, alpha, beta = v
            r = jnp.log(jnp.exp(e) + jnp.exp(a - alpha * at[0]) + jnp.exp(b - beta * at[1])) - goal
            return 1e6 * jnp.sum(w * huber(r, jnp))

        def value(v: Any, w: Any) -> Any:
            end = optimistix.minimise(cost, solver, v, w, max_steps=300, throw=False).value
            return cost(end, w) / 1e6

        grid = jnp.array([problem.here(start) for start in replication_starts()])
        point, ones = jnp.asarray(problem.here(POINT)), jnp.ones(len(goal))
        rng = np.random.default_rng(0)
        counts = jnp.array(rng.multinomial(len(goal), np.full(len(goal), 1 / len(goal)), 4000), float)
        starts = jax.jit(jax.vmap(value, (0, None)))
        each = jax.jit(jax.vmap(value, (None, 0)))
        both = jax.jit(jax.vmap(jax.vmap(value, (0, None)), (None, 0)))
        for work, call, whole in (
            ("search", lambda: starts(grid, ones), 1),
            ("resamples", lambda: each(point, counts), 1),
            ("searches", lambda: both(grid[:64], counts[:16]), 1000 / 16),
        ):
            entry, out = timed(lambda call=call: np.asarray(call()), 1, whole)
            if work == "search":
                best = best_known(problem, work)
                entry |= {"value": float(np.nanmin(out)), "hits": float(np.mean(out <= best * (1 + 1e-6)))}
            elif work == "resamples":
                entry |= {"value": float(np.nanmean(out))}
            else:
                entry |= {"sampled": "16 of 1000 resamples"}
            yield work, entry


def chinchilla(runs: dict[str, np.ndarray], n_starts: int = 32) -> dict[str, Any]:
    """The package `chinchilla`: its own grid search by BFGS in extended precision, two processes."""
    import tempfile

    import pandas as pd
    from chinchilla import Chinchilla

    def loss(y: Any, predicted: Any) -> Any:
        return huber(np.log(predicted) - np.log(y))

    grid = {"e": [-0.5, 0.5], "a": [0, 10], "b": [0, 10], "alpha": [0.25, 1.0], "beta": [0.25, 1.0]}
    with tempfile.TemporaryDirectory() as folder, np.errstate(all="ignore"):
        cc = Chinchilla(folder, param_grid=grid, seed_ranges={}, loss_fn=loss, log_level=60)
        cc.database.df = pd.DataFrame({"C": 6 * runs["N"] * runs["D"], **runs})
        spent, _ = timed(cc.fit, whole=4500 / n_starts)
    v = np.array([np.log(float(cc.E)), np.log(float(cc.A)), np.log(float(cc.B)), cc.alpha, cc.beta], float)
    value = Problem.of(runs, centred=False).value(v)
    return {**spent, "value": value, "sampled": f"{n_starts} of 4500"}


def simple_scaling_laws(runs: dict[str, np.ndarray]) -> dict[str, Any]:
    """The package of that name: its own search, by weighted squares of the loss, with one bootstrap draw."""
    import polars
    from simple_scaling_laws import fit

    same = dict.fromkeys(("train_set_id", "test_set_id", "optimizer_seed"), 0)
    columns = {"model_size__n_params": runs["N"], "dataset_size__n_tokens": runs["D"]}
    names = [f"run {k}" for k in range(len(runs["loss"]))]
    table = polars.DataFrame(
        {"training_run_id": names, **{k: np.asarray(v, float) for k, v in columns.items()},
         "test_loss__cross_entropy": runs["loss"]}
    ).with_columns(**{k: polars.lit(str(v)) for k, v in same.items()})  # fmt: skip
    spent, model = timed(lambda: fit(table, law="separable-power", n_draws=1), 2)
    told = model.predict(table)["test_loss__cross_entropy__median"].to_numpy()
    return {**spent, "value": float(np.sum(huber(np.log(told) - np.log(runs["loss"]))))}


def ours(runs: dict[str, np.ndarray]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The same work by scalefit; `first` with programs that were compiled before, if any are kept."""
    import scalefit as sf
    from scalefit.core.search import pad, problem_of, search
    from scalefit.core.solve import Jobs, solve

    law, n, objective = sf.laws.chinchilla, len(runs["loss"]), sf.huber(DELTA)
    rows = pad([{"N": runs["N"], "D": runs["D"], "y": runs["loss"], "weight": np.ones(n)}], law)
    fit = sf.fit(law, runs)
    counts = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), 4000).astype(float)
    many = rows._replace(weight=np.pad(counts, ((0, 0), (0, rows.y.shape[1] - n))))
    warm = Jobs(np.tile(fit.u, (4000, 1)), np.full(4000, DELTA), np.arange(4000), np.zeros(4000, int))

    def of_search(found: Any) -> dict[str, Any]:
        values = found.ends.value
        return {"value": float(values[found.best]), "hits": found.n_agree / len(values)}

    def of_fit(fit: Any) -> dict[str, Any]:
        return {"value": fit.value, "hits": fit.status.n_agree / fit.status.n_starts}

    def of_ends(ends: Any) -> dict[str, Any]:
        return {"value": float(ends.value.mean()), "hits": float(ends.converged.mean())}

    def of_draws(boot: Any) -> dict[str, Any]:
        return {"hits": 1 - float(np.mean(boot.draws.failed))}

    def of_groups(found: Any) -> dict[str, Any]:
        return {"value": float(found.table()["value"].mean())}

    works: list[tuple[str, Callable[[], Any], Callable[[Any], dict[str, Any]]]] = [
        ("search: engine alone", lambda: search(law, rows, objective), of_search),
        ("search", lambda: sf.fit(law, runs), of_fit),
        ("resamples", lambda: solve(problem_of(law, objective), many, warm, DELTA), of_ends),
        ("searches", lambda: sf.bootstrap(fit, 1000), of_draws),
    ]
    for size in (1000, 20_000):
        tables, name = small_tables(size), "small" if size == WHOLE["small"] else f"small: {size:,} tables"
        works.append((name, partial(sf.fit_groups, "power_floor", tables, by="task"), of_groups))
    works += [(f"rows: {n:,}", partial(sf.fit, law, simulated_runs(n)), of_fit) for n in ROWS]
    for name, work, told in works:
        spent, out = timed(work, 30 if name.startswith("search") else 4)
        yield name, {**spent, **told(out)}


def main() -> None:
    import jax

    runs, rows, skipped = chinchilla_runs(), [], {}

    def add(work: str, package: str, entry: dict[str, Any]) -> None:
        rows.append({"work": work, "package": package, **entry})
        told = " ".join(f"{k} {v:.6g}" if isinstance(v, float) else f"{k} {v}" for k, v in entry.items())
        print(f"{work:36s} {package:34s} {told}", flush=True)

    for work, entry in ours(runs):
        add(work, "scalefit", entry)
    for name, (module, _) in DESCENTS.items():
        try:
            import_module(module)
        except ImportError as error:
            skipped[name] = str(error)
            continue
        for work in WHOLE:
            add(work, name, measured(name, work, runs))
        for n in ROWS:
            entry = measured_rows(name, n)
            add(f"rows: {n:,}", name, entry)
            if entry["seconds"] > PATIENCE:
                break
    try:
        for work, entry in optimistix(runs):
            add(work, "optimistix BFGS", entry)
    except ImportError as error:
        skipped["optimistix"] = str(error)
    try:
        add("search", "chinchilla", chinchilla(runs))
    except ImportError as error:
        skipped["chinchilla"] = str(error)
    try:
        add("search", "simple-scaling-laws", simple_scaling_laws(runs))
    except ImportError as error:
        skipped["simple-scaling-laws"] = str(error)
    print(skipped)
    record = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {jax.default_backend()}",
        "load": os.getloadavg()[0],
        "versions": {name: version(name) for name in ("jax", "numpy", "scipy")},
        "rows": rows,
        "skipped": skipped,
    }
    (HERE / f"speed_{jax.default_backend()}.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
