"""How fast the fits of design section 8 run, beside scipy and optimistix in the same run.

    SCALEFIT_DATA=... python benchmarks/speed.py        prints the tables and writes speed.json

Work (i): one global fit. (ii): 4000 resamples from the point fit. (iii): 1000 resamples, each a global search.
(iv): 1000 small power_floor fits. Compile and run are timed apart: `compile` is the first call less a warm
one. Peers are timed on samples and scaled up to the whole (`sampled`). The objective reached stands beside.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
REFERENCE = 1.01827417e-3
FIRST = """
import sys, time
t0 = time.perf_counter()
import jax
if sys.argv[2] != "off":
    jax.config.update("jax_compilation_cache_dir", sys.argv[2])
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
import scalefit as sf
from scalefit.frames import read
runs = read(sys.argv[1])
runs = runs[runs["used_in_replication"] == 1]
sf.fit  # imports
t1 = time.perf_counter()
sf.fit("chinchilla", runs)
print(t1 - t0, time.perf_counter() - t1)
"""


def clock(work, repeats: int) -> tuple[float, float]:
    """(first call, median of the warm ones) in seconds."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return times[0], float(np.median(times[1:]))


def chinchilla_runs() -> dict[str, np.ndarray]:
    from scalefit.frames import read

    table = read(Path(os.environ["SCALEFIT_DATA"]) / "chinchilla_epoch" / "runs.csv")
    table = table[table["used_in_replication"] == 1]
    names = {"N": "n_params", "D": "n_tokens", "loss": "loss"}
    return {name: table[column].to_numpy() for name, column in names.items()}


def ours(runs) -> dict[str, dict]:
    import scalefit as sf
    from scalefit.core.search import pad, problem_of, search
    from scalefit.core.solve import Jobs, solve
    from scalefit.core.starts import cells, screen

    law, objective = sf.laws.chinchilla, sf.huber(1e-3)
    rows = pad([{"N": runs["N"], "D": runs["D"], "y": runs["loss"], "weight": np.ones(240)}], law)
    problem, out = problem_of(law, objective), {}

    def entry(work, repeats, reached):
        first, warm = clock(work, repeats)
        return {"compile_s": first - warm, "run_s": warm, "reached": reached()}

    def found(keep):
        best = search(law, rows, objective, n_starts=keep)
        return f"{best.ends.value[best.best]:.9g}, {best.n_agree}/{len(best.ends.value)} agree"

    for keep in (4, 8):
        out[f"(i) search, best {keep} of 144 cells descended"] = entry(
            lambda keep=keep: search(law, rows, objective, n_starts=keep), 50, lambda keep=keep: found(keep)
        )
    fit = sf.fit(law, runs)
    out["(i) sf.fit, everything (checks, errors, warnings)"] = entry(
        lambda: sf.fit(law, runs),
        50,
        lambda: f"{fit.value:.9g}, {fit.status.n_agree}/{fit.status.n_starts} agree",
    )

    rng = np.random.default_rng(0)
    counts = np.pad(
        rng.multinomial(240, np.full(240, 1 / 240), 4000).astype(float), ((0, 0), (0, rows.y.shape[1] - 240))
    )
    many = rows._replace(weight=counts)
    group = np.zeros(4000, int)
    warm_jobs = Jobs(np.tile(fit.u, (4000, 1)), np.full(4000, 1e-3), np.arange(4000), group)
    last: dict = {}

    def resample():
        last["warm"] = solve(problem, many, warm_jobs, 1e-3)

    out["(ii) 4000 resamples, warm start"] = entry(
        resample,
        7,
        lambda: f"mean {last['warm'].value.mean():.9g}, {last['warm'].converged.mean():.2%} converged",
    )
    thousand, grid = rows._replace(weight=counts[:1000]), cells(law, rows)

    def globally():
        found = screen(problem, thousand, grid, 4)
        jobs = Jobs(found.u.reshape(-1, 5), found.scale.ravel(), np.repeat(np.arange(1000), 4), group)
        last["global"] = solve(problem, thousand, jobs, 1e-3).value.reshape(1000, 4)

    out["(iii) 1000 resamples, global search, keep 4"] = entry(
        globally, 7,
        lambda: f"mean {last['global'].min(axis=1).mean():.9g}, all 4 agree in "
                f"{np.mean(np.ptp(last['global'], axis=1) < 1e-6 * last['global'].min(axis=1)):.1%}")  # fmt: skip
    for n in (240, 30):
        some = fit if n == 240 else sf.fit(law, {name: column[:: 240 // n] for name, column in runs.items()})

        def boot(some=some):
            last["boot"] = sf.bootstrap(some, 1000)

        out[f"(iii) sf.bootstrap(fit, 1000), {n} rows, everything"] = entry(
            boot, 5, lambda: f"{np.mean(~last['boot'].draws.failed):.2%} settled"
        )
    small = small_tables()

    def groups():
        last["groups"] = sf.fit_groups("power_floor", small, by="task")

    out["(iv) 1000 power_floor fits, robust, multi-start"] = entry(
        groups, 5, lambda: f"sum {last['groups'].table()['value'].sum():.9g}"
    )
    return out


def small_tables() -> dict[str, np.ndarray]:
    """1000 tables of 8 to 30 rows around power laws with a floor, 1 % noise."""
    rng, parts = np.random.default_rng(7), []
    for task in range(1000):
        n = int(rng.integers(8, 31))
        x = 10 ** rng.uniform(6, 10, n)
        y = rng.uniform(0.5, 2) + rng.uniform(5, 50) / x ** rng.uniform(0.15, 0.4)
        parts.append((np.full(n, task), x, y * np.exp(0.01 * rng.standard_normal(n))))
    return dict(zip(("task", "x", "loss"), map(np.concatenate, zip(*parts, strict=True)), strict=True))


def huber(r, delta=1e-3, xp=np):
    c = xp.minimum(xp.abs(r), delta)
    return c * (xp.abs(r) - c / 2)


def scipy_peers(runs) -> dict[str, dict]:
    """The published way (log-sum-exp, L-BFGS-B, numeric gradient, 4500-start grid) and scipy at its best."""
    from scipy.optimize import minimize
    from scipy.special import logsumexp

    logN, logD, logL = (np.log(runs[k]) for k in ("N", "D", "loss"))
    ones = np.ones(240)

    def prediction(v):
        a, b, e, alpha, beta = v
        return np.stack([a - alpha * logN, b - beta * logD, np.full(240, e)])

    def value(v, w=ones):
        return float(np.sum(w * huber(logsumexp(prediction(v), axis=0) - logL)))

    def with_gradient(v, w=ones):
        terms = prediction(v)
        total = logsumexp(terms, axis=0)
        share = np.exp(terms - total)
        r = total - logL
        pull = w * np.clip(r, -1e-3, 1e-3)
        gradient = [
            share[0] @ pull,
            share[1] @ pull,
            share[2] @ pull,
            -(share[0] * logN) @ pull,
            -(share[1] * logD) @ pull,
        ]
        return 1e6 * np.sum(w * huber(r)), 1e6 * np.array(gradient)

    grid = [(a, b, e, al, be) for a in range(0, 26, 5) for b in range(0, 26, 5) for e in (-1, -0.5, 0, 0.5, 1)
            for al in (0, 0.5, 1, 1.5, 2) for be in (0, 0.5, 1, 1.5, 2)]  # fmt: skip
    sample = [np.array(grid[k], float) for k in np.random.default_rng(1).permutation(len(grid))[:60]]
    point = np.array([np.log(477.826), np.log(2143.417), np.log(1.817218), 0.34731, 0.367172])
    out = {}

    def timed(label, whole, jobs):
        start = time.perf_counter()
        ends = [job() for job in jobs]
        spent = time.perf_counter() - start
        hit = np.mean([end < REFERENCE * (1 + 1e-6) for end in ends])
        out[label] = {"run_s": spent / len(jobs) * whole, "sampled": f"{len(jobs)} of {whole}",
                      "reached": f"best {min(ends):.9g}, {hit:.0%} of starts at the optimum"}  # fmt: skip

    timed("(i) scipy L-BFGS-B as published (numeric gradient)", 4500,
          [lambda s=s: minimize(value, s, method="L-BFGS-B").fun for s in sample])  # fmt: skip
    timed("(i) scipy L-BFGS-B, exact gradient, objective x 1e6", 4500,
          [lambda s=s: minimize(with_gradient, s, jac=True, method="L-BFGS-B").fun / 1e6 for s in sample])  # fmt: skip
    counts = np.random.default_rng(0).multinomial(240, np.full(240, 1 / 240), 60).astype(float)
    for label, whole, jobs in (
        ("(ii) scipy BFGS as published (numeric gradient)", 4000,
         [lambda w=w: minimize(value, point, args=(w,), method="BFGS").fun for w in counts]),
        ("(ii) scipy L-BFGS-B, exact gradient, objective x 1e6", 4000,
         [lambda w=w: minimize(with_gradient, point, args=(w,), jac=True, method="L-BFGS-B").fun / 1e6 for w in counts]),
        ("(iii) scipy L-BFGS-B as published, 64 starts each", 64_000,
         [lambda s=s, w=w: minimize(value, s, args=(w,), method="L-BFGS-B").fun
          for s, w in zip(sample, counts, strict=False)]),
    ):  # fmt: skip
        timed(label, whole, jobs)
        out[label]["reached"] = ""
    x = small_tables()

    def one_small(task):
        mine = x["task"] == task
        lx, ly = np.log(x["x"][mine]), np.log(x["loss"][mine])
        middle = lx.mean()

        def cost(v):
            return 1e6 * np.sum(huber(np.logaddexp(v[0], v[1] - np.exp(v[2]) * (lx - middle)) - ly))

        start = [ly.min() - 0.1, ly.mean() - 1, np.log(0.3)]
        return minimize(cost, start, method="L-BFGS-B").fun / 1e6

    timed(
        "(iv) scipy L-BFGS-B, one start each, numeric gradient",
        1000,
        [lambda t=t: one_small(t) for t in range(100)],
    )
    out["(iv) scipy L-BFGS-B, one start each, numeric gradient"]["reached"] = ""
    return out


def optimistix_peers(runs) -> dict[str, dict]:
    """The best off-the-shelf JAX minimiser found: optimistix BFGS, vmapped over lanes, 300 steps."""
    try:
        import optimistix
    except ImportError:
        return {}
    import jax
    import jax.numpy as jnp

    out = {}
    with jax.enable_x64(True):
        logN, logD, logL = (jnp.log(runs[k]) for k in ("N", "D", "loss"))
        centre = jnp.array([logN.mean(), logD.mean()])

        def cost(v, w):
            a, b, e, alpha, beta = v
            r = (
                jnp.log(
                    jnp.exp(a - alpha * (logN - centre[0]))
                    + jnp.exp(b - beta * (logD - centre[1]))
                    + jnp.exp(e)
                )
                - logL
            )
            return 1e6 * jnp.sum(w * huber(r, xp=jnp))

        solver = optimistix.BFGS(rtol=1e-9, atol=1e-9)

        def one(v, w):
            return optimistix.minimise(cost, solver, v, w, max_steps=300, throw=False).value

        def value(v, w):
            return cost(one(v, w), w) / 1e6

        grid = jnp.array([(a - al * centre[0], b - be * centre[1], e, al, be)
                          for a in range(0, 26, 5) for b in range(0, 26, 5) for e in (-1, -0.5, 0, 0.5, 1)
                          for al in (0, 0.5, 1, 1.5, 2) for be in (0, 0.5, 1, 1.5, 2)], float)  # fmt: skip
        ones = jnp.ones(240)
        starts = jax.jit(jax.vmap(value, (0, None)))
        first, warm = clock(lambda: jax.block_until_ready(starts(grid, ones)), 1)
        ends = np.asarray(starts(grid, ones))
        out["(i) optimistix BFGS, 4500 starts, 300 steps"] = {
            "compile_s": first - warm, "run_s": warm,
            "reached": f"best {np.nanmin(ends):.9g}, {np.mean(ends < REFERENCE * (1 + 1e-6)):.0%} of starts at the optimum"}  # fmt: skip
        counts = jnp.array(
            np.random.default_rng(0).multinomial(240, np.full(240, 1 / 240), 4000).astype(float)
        )
        point = jnp.array([np.log(477.826) - 0.34731 * centre[0], np.log(2143.417) - 0.367172 * centre[1],
                           np.log(1.817218), 0.34731, 0.367172])  # fmt: skip
        resampled = jax.jit(jax.vmap(value, (None, 0)))
        first, warm = clock(lambda: jax.block_until_ready(resampled(point, counts)), 1)
        out["(ii) optimistix BFGS, 4000 resamples, warm start"] = {
            "compile_s": first - warm, "run_s": warm, "reached": f"mean {float(jnp.nanmean(resampled(point, counts))):.9g}"}  # fmt: skip
        both = jax.jit(jax.vmap(jax.vmap(value, (0, None)), (None, 0)))
        some = grid[np.random.default_rng(1).permutation(4500)[:64]]
        first, warm = clock(lambda: jax.block_until_ready(both(some, counts[:16])), 1)
        out["(iii) optimistix BFGS, 64 starts each"] = {
            "compile_s": first - warm, "run_s": warm / 16 * 1000, "sampled": "16 of 1000 resamples", "reached": ""}  # fmt: skip
    return out


def first_fits() -> dict[str, dict]:
    """Import and first fit in a fresh process, and the command line from start to printed fit."""
    path = str(Path(os.environ["SCALEFIT_DATA"]) / "chinchilla_epoch" / "runs.csv")
    out = {}
    with tempfile.TemporaryDirectory() as cache:

        def fresh(where):
            done = subprocess.run(
                [sys.executable, "-c", FIRST, path, where], capture_output=True, text=True, check=True
            )
            return [float(word) for word in done.stdout.split()]

        def command(where):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-m", "scalefit", "fit", path, "--law", "chinchilla", "--N", "n_params", "--D",
                            "n_tokens", "--y", "loss"], capture_output=True, env={**os.environ, "SCALEFIT_CACHE": where})  # fmt: skip
            return time.perf_counter() - start

        for label, where in (("no cache", "off"), ("warm cache", cache)):
            fresh(where), command(where)
            runs = np.median([fresh(where) for _ in range(3)], axis=0)
            out[f"first fit in a process, {label}"] = {"import_s": runs[0], "run_s": runs[1]}
            out[f"command line, start to printed fit, {label}"] = {
                "run_s": float(np.median([command(where) for _ in range(3)]))
            }
    return out


def main() -> None:
    import jax

    runs = chinchilla_runs()
    mine = ours(runs)
    peers = {**scipy_peers(runs), **optimistix_peers(runs)}
    best = {
        tag: min(e["run_s"] for name, e in mine.items() if name.startswith(tag + " "))
        for tag in ("(i)", "(ii)", "(iii)", "(iv)")
    }
    for name, entry in peers.items():
        entry["times_ours"] = entry["run_s"] / best[name.split()[0]]
    record = {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {jax.default_backend()}",
        "versions": {name: version(name) for name in ("jax", "numpy", "scipy")},
        "ours": mine, "peers": peers, "first": first_fits(),
    }  # fmt: skip
    (HERE / f"speed_{jax.default_backend()}.json").write_text(json.dumps(record, indent=1) + "\n")
    for name, entry in {**mine, **peers, **record["first"]}.items():
        extra = (
            f"compile {entry['compile_s']:.2f} s"
            if "compile_s" in entry
            else f"import {entry['import_s']:.2f} s"
            if "import_s" in entry
            else ""
        )
        ratio = f"{entry['times_ours']:.0f} x ours" if "times_ours" in entry else ""
        print(
            f"{name:58s} {1e3 * entry['run_s']:12.2f} ms  {extra:16s} {ratio:14s} {entry.get('sampled', ''):22s} {entry.get('reached', '')}"
        )


if __name__ == "__main__":
    main()
