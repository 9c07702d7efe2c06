"""What is trained: sizes, budgets, learning rates, and the list of jobs in order of work."""

from typing import NamedTuple

from corpus import CONTEXT
from model import Size, n_params_no_embed
from train import WARMUP_STEPS, Schedule

SIZES = {
    "w12": Size(12, 2, 2),
    "w20": Size(20, 2, 2),
    "w32": Size(32, 3, 2),
    "w48": Size(48, 4, 3),
    "w80": Size(80, 4, 4),
    "w112": Size(112, 4, 4),
    "w128": Size(128, 6, 4),
}
COOLDOWN = 0.2  # last fifth of every cooldown run

# The table itself: 8 rows, 1024 bytes per step.  All budgets are in steps.
BATCH_ROWS = 8
BUDGETS = (250, 500, 1000, 2000, 4000, 8000)
SWEEP_LRS = {  # nominal rates tried per size, and the budgets at which they are compared
    "w12": ((0.002, 0.004, 0.008, 0.016, 0.032), (500, 2000)),
    "w20": ((0.002, 0.004, 0.008, 0.016, 0.032), (500, 2000)),
    "w32": ((0.002, 0.004, 0.008, 0.016, 0.032), (500, 2000)),
    "w48": ((0.002, 0.004, 0.008, 0.016), (500, 2000)),
    "w80": ((0.002, 0.004, 0.008, 0.016), (500, 1000)),
    "w128": ((0.002, 0.004, 0.008), (500,)),
}
LONG_LR_CHECK = ("w20", "w32")  # half and twice the chosen rate at the longest budget
SCHEDULE_BUDGETS = {
    "w12": (1000, 4000),
    "w20": (1000, 4000),
    "w32": (1000, 4000),
    "w48": (1000, 4000),
    "w80": (1000,),
    "w112": (1000,),
    "w128": (1000,),
}
SEED_BUDGETS = {
    "w12": BUDGETS,
    "w20": BUDGETS,
    "w32": BUDGETS,
    "w48": (500, 2000),
    "w80": (500, 2000),
    "w128": (500,),
}

# The same in steps of 2 rows, 256 bytes, up to 4 million bytes: with 1024 bytes per step the short
# runs have few steps, and this shows how much that costs them.
SMALL_BATCH_ROWS = 2
SMALL_BATCH_BUDGETS = (1000, 2000, 4000, 8000, 16000)
SMALL_BATCH_SWEEP_LRS = {
    "w12": ((0.002, 0.004, 0.008, 0.016), (2000, 8000)),
    "w32": ((0.001, 0.002, 0.004, 0.008), (2000, 8000)),
    "w80": ((0.001, 0.002, 0.004), (2000,)),
}

# Nominal rate = c * (N / 1e5) ** -slope, N the non-embedding parameters; (c, slope) per batch rows.
LR_RULES = {2: (0.00325, 0.165), 8: (0.0065, 0.165), 128: (0.0065, 0.165)}

# Not run here: two decades larger, for a GPU.  The text must then be larger too (see README.md).
LARGE_SIZES = {
    "w256": Size(256, 8, 8),
    "w512": Size(512, 10, 8),
    "w1024": Size(1024, 10, 16),
}
LARGE_BUDGETS = (1000, 2000, 4000, 8000, 16000, 32000)
LARGE_BATCH_ROWS = 128


class Job(NamedTuple):
    """A trunk at constant rate with cooldown branches, or runs under another schedule."""

    name: str
    group: str  # "lr_sweep", "main", "seed", "schedule" or "small_batch"
    size_name: str
    size: Size
    lr: float
    seed: int
    kind: str
    budgets: tuple[int, ...]  # in steps
    batch_rows: int


def make_schedule(kind: str, lr: float, n_steps: int) -> Schedule:
    """The schedule of a run of `n_steps` updates."""
    start = {
        "constant": n_steps,
        "cooldown": n_steps - round(COOLDOWN * n_steps),
        "linear": WARMUP_STEPS,
        "cosine": WARMUP_STEPS,
        "two_stage": n_steps // 2,
    }[kind]
    floor = {"constant": 1.0, "cosine": 0.1, "two_stage": 0.2}.get(kind, 0.0)
    return Schedule(kind, lr, n_steps, start, floor)


def chosen_lr(size: Size, batch_rows: int) -> float:
    """The nominal rate used for this size: a power of N fitted to the sweep of rates (README.md)."""
    c, slope = LR_RULES[batch_rows]
    return float(f"{c * (n_params_no_embed(size) / 1e5) ** -slope:.3g}")


def run_name(job: Job, kind: str, n_steps: int) -> str:
    """A readable, unique name: size, schedule, budget in thousand bytes, then what differs."""
    name = f"{job.size_name}-{kind}-{job.batch_rows * CONTEXT * n_steps // 1000}k"
    if job.batch_rows != BATCH_ROWS:
        name += f"-batch{job.batch_rows}"
    if job.group == "lr_sweep":
        name += f"-lr{job.lr:g}"
    return name + (f"-seed{job.seed}" if job.seed else "")


def lr_jobs(sweep: dict[str, tuple[tuple[float, ...], tuple[int, ...]]], batch_rows: int) -> list[Job]:
    """Trunks at several rates per size."""
    return [
        Job(f"lr{batch_rows}-{n}-{lr:g}", "lr_sweep", n, SIZES[n], lr, 0, "cooldown", budgets, batch_rows)
        for n, (lrs, budgets) in sweep.items()
        for lr in lrs
    ]


def trunk_jobs(group: str, sizes: dict[str, Size], budgets: tuple[int, ...], batch_rows: int) -> list[Job]:
    """One trunk per size with a cooldown for every budget."""
    return [
        Job(f"{group}-{n}", group, n, s, chosen_lr(s, batch_rows), 0, "cooldown", budgets, batch_rows)
        for n, s in sizes.items()
    ]


def other_jobs() -> list[Job]:
    """Other seeds (weights and order of the text), and other schedules at the same peak rate."""

    def job(
        name: str, group: str, n: str, seed: int, kind: str, budgets: tuple[int, ...], f: float = 1
    ) -> Job:
        lr = f * chosen_lr(SIZES[n], BATCH_ROWS)
        return Job(name, group, n, SIZES[n], lr, seed, kind, budgets, BATCH_ROWS)

    seeds = [
        job(f"seed{seed}-{n}", "seed", n, seed, "cooldown", budgets)
        for n, budgets in SEED_BUDGETS.items()
        for seed in (1, 2)
    ]
    schedules = [
        job(f"{kind}-{n}-{steps}", "schedule", n, 0, kind, (steps,))
        for n, budgets in SCHEDULE_BUDGETS.items()
        for steps in budgets
        for kind in ("cosine", "linear", "two_stage")
    ]
    long_check = [
        job(f"long-{n}-{f:g}", "lr_sweep", n, 0, "cooldown", BUDGETS[-1:], f)
        for n in LONG_LR_CHECK
        for f in (0.5, 2.0)
    ]
    return seeds + schedules + long_check


def plan() -> list[Job]:
    """Every job, the table first and small sizes first, so that an interrupted sweep is of use."""
    return (
        lr_jobs(SWEEP_LRS, BATCH_ROWS)
        + trunk_jobs("main", SIZES, BUDGETS, BATCH_ROWS)
        + other_jobs()
        + lr_jobs(SMALL_BATCH_SWEEP_LRS, SMALL_BATCH_ROWS)
        + trunk_jobs("small_batch", SIZES, SMALL_BATCH_BUDGETS, SMALL_BATCH_ROWS)
    )


def large_plan() -> list[Job]:
    """Two decades larger; not run here."""
    return trunk_jobs("main", LARGE_SIZES, LARGE_BUDGETS, LARGE_BATCH_ROWS)
