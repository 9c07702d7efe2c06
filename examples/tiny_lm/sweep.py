"""Train everything in plan.py:  python examples/tiny_lm/sweep.py

Finished runs are kept in runs/ and never redone; an interrupted run continues from its last curve
point.  Starting the same command a second time at once lets two processes share the work.
"""

import argparse
import os
import time
from pathlib import Path

# One thread per process: for models this small two processes are faster than two threads.
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")

import jax
import numpy as np
from corpus import CONTEXT, Corpus, load_corpus
from model import n_params, n_params_no_embed
from plan import (
    Job,
    large_plan,
    make_schedule,
    plan,
    run_name,
)
from storage import RUNS, claim, load_checkpoint, save_checkpoint, write_json
from train import BLOCK, Point, Schedule, State, advance, data_order, final_loss, init_state

CLOCK = time.process_time  # counts work, not waiting


def curve_points(schedule: Schedule) -> set[int]:
    """Steps to evaluate at: a log grid, a linear grid, and a dense one while the rate changes."""
    n, start = schedule.n_steps, schedule.decay_start
    log_grid = 10 * 2 ** np.arange(0, np.log2(max(n, 20) / 10), 0.2)
    linear_grid = np.linspace(0, n, 21 if schedule.kind in ("constant", "two_stage") else 33)
    points = {BLOCK * round(float(p) / BLOCK) for p in (*log_grid, *linear_grid)}
    if schedule.kind == "two_stage":
        after_drop = 10 * 2 ** np.arange(0, np.log2((n - start) / 10), 0.5)
        # start and start + 1 bracket the drop, so that it can be read off the curve exactly.
        points |= {start, start + 1} | {start + BLOCK * round(float(p) / BLOCK) for p in after_drop}
    return {p for p in points if 0 < p <= n}


def cooldown_points(schedule: Schedule) -> set[int]:
    """About twelve steps spread over the cooldown."""
    grid = np.linspace(schedule.decay_start, schedule.n_steps, 13)[1:]
    return {BLOCK * round(float(p) / BLOCK) for p in grid}


def finish(
    job: Job,
    schedule: Schedule,
    state: State,
    curve: list[Point],
    corpus: Corpus,
    seconds: float,
    folder: Path,
) -> None:
    """Evaluate on the whole held-out sample and write the run."""
    loss, loss_se = final_loss(state.params, corpus, job.size)
    n, batch_tokens = schedule.n_steps, job.batch_rows * CONTEXT
    row = {
        "run": run_name(job, schedule.kind, n),
        "group": job.group,
        "size": job.size_name,
        "d_model": job.size.d_model,
        "n_layers": job.size.n_layers,
        "n_heads": job.size.n_heads,
        "n_params": n_params(job.size),
        "n_params_no_embed": n_params_no_embed(job.size),
        "n_tokens": n * batch_tokens,
        "schedule": schedule.kind,
        "lr": schedule.peak,
        "lr_final": float(schedule(np.array(n))),
        "decay_start": schedule.decay_start,
        "seed": job.seed,
        "loss": loss,
        "loss_se": loss_se,
        "n_steps": n,
        "batch_tokens": batch_tokens,
        "core_seconds": seconds,
        "curve": curve,
    }
    write_json(folder / f"{row['run']}.json", row)
    print(f"{time.strftime('%H:%M:%S')} {row['run']} loss {loss:.4f} core-seconds {seconds:.0f}", flush=True)


def train_to(
    job: Job, schedule: Schedule, stop: int, points: set[int], corpus: Corpus, folder: Path
) -> tuple[State, list[Point], float]:
    """Train from the job's checkpoint (or from scratch) to `stop`, saving at every curve point."""
    path = folder / f"{job.name}.npz"
    state, at, curve, before = init_state(job.seed, job.size), 0, [], 0.0
    if path.exists():
        state, at, curve, before = load_checkpoint(path, state)
    begin = CLOCK()

    def save(state: State, step: int, new: list[Point]) -> None:
        save_checkpoint(path, state, step, curve + new, before + CLOCK() - begin)

    order = data_order(job.seed, len(corpus.train))
    state, new = advance(state, at, stop, schedule, points, corpus, order, job.size, job.batch_rows, save)
    return state, curve + new, before + CLOCK() - begin


def run_job(job: Job, corpus: Corpus, folder: Path, max_steps: int) -> None:
    """Every run of one job up to `max_steps`.  A trunk and its branches share the order of the text."""
    order = data_order(job.seed, len(corpus.train))
    trunk = make_schedule("constant", job.lr, max(job.budgets))
    trunk_seconds = 0.0
    for n in job.budgets:
        if n > max_steps:
            return
        schedule = make_schedule(job.kind, job.lr, n)
        if (folder / f"{run_name(job, job.kind, n)}.json").exists():
            continue
        if job.kind == "cooldown":
            stop = schedule.decay_start
            state, curve, trunk_seconds = train_to(job, trunk, stop, curve_points(trunk), corpus, folder)
            if job.group == "main" and n == max(job.budgets):
                finish(job, make_schedule("constant", job.lr, stop), state, curve, corpus, 0.0, folder)
            begin = CLOCK()
            branch, tail = advance(
                state, stop, n, schedule, cooldown_points(schedule), corpus, order, job.size, job.batch_rows
            )
            finish(job, schedule, branch, curve + tail, corpus, CLOCK() - begin, folder)
        else:
            state, curve, seconds = train_to(job, schedule, n, curve_points(schedule), corpus, folder)
            finish(job, schedule, state, curve, corpus, seconds, folder)
    (folder / f"{job.name}.npz").unlink(missing_ok=True)
    write_json(folder / "done" / f"{job.name}.json", {"trunk_core_seconds": trunk_seconds})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=RUNS, help="work folder")
    parser.add_argument("--text", type=Path, help="folder of Python files to train on instead")
    parser.add_argument("--large", action="store_true", help="up to 1.3e8 parameters; needs a GPU and --text")
    parser.add_argument("--max-steps", type=int, default=10**9, help="leave longer runs for a later call")
    parser.add_argument("--only", default="", help="only jobs whose name starts with this")
    arguments = parser.parse_args()
    folder: Path = arguments.runs
    corpus = load_corpus(arguments.text)
    jobs = large_plan() if arguments.large else plan()
    needed = max(job.batch_rows * max(job.budgets) for job in jobs)
    if needed > len(corpus.train):
        raise SystemExit(f"the text has {len(corpus.train)} rows of {CONTEXT} bytes; the plan needs {needed}")
    about = {"jax": jax.__version__, "date": time.strftime("%Y-%m-%d")}
    write_json(folder / "corpus.json", corpus.meta | about)
    for job in jobs:
        done = folder / "done" / f"{job.name}.json"
        if not job.name.startswith(arguments.only) or done.exists():
            continue
        with claim(folder, job.name) as mine:
            if mine and not done.exists():
                run_job(job, corpus, folder, arguments.max_steps)


if __name__ == "__main__":
    main()
