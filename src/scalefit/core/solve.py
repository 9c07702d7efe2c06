"""The one compiled kernel: many descents at once, each slot taking the next job when its lane is done.

Lanes are starts x resamples x groups. A *job* is one lane to descend: where it starts, which weights and
which group of rows it sees. Slots work inside one `while_loop`; a finished lane writes its end and the slot
takes the next job, so nobody waits for the slowest. The number of jobs is data, not shape, and so is what is
held or tied: a law's fits, windows, bootstraps and fixes share one program. Results do not depend on slots,
threads or devices.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import cycle
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from scalefit.core import lbfgs, lm
from scalefit.core.compiled import compiled, devices
from scalefit.core.data import Array
from scalefit.core.evaluate import Lane, Local, Problem, local, staged
from scalefit.core.form import form
from scalefit.core.halves import halved
from scalefit.core.settings import precise

__all__ = ["DESCENTS", "Ends", "Jobs", "Rows", "solve"]

DESCENTS = {"lm": lm, "lbfgs": lbfgs}
# Slots x rows: a block of about this many numbers keeps a core busy,
# and stays in its cache with all it needs.
BLOCK = 2_048
# With few rows a wide front of slots would only wait, together, for the last lanes.
MOST_SLOTS = 64
# The weights of one call are about this many numbers; of one set where there are more than MANY_ROWS rows.
WEIGHTS, MANY_ROWS = 65_536, 1024
# A lane is done when its next step promises less than this share of the objective; loosely, while it is
# still narrowing the width.
TIGHT, LOOSE = 1e-13, 1e-1
# A lane stopped by its limit still counts as converged where no coefficient can change the objective by more
# than this share per factor of e: a term on its way to its bound, at zero or infinity.
FLAT = 1e-7
# While it narrows, each stage's objective is this much narrower than the one before.
NARROWER = 0.05


class Rows(NamedTuple):
    """Inputs and output by group (G, n);
    weights by resample (W, n), or (G, n) where groups have their own."""

    x: tuple
    y: Array
    weight: Array


class Jobs(NamedTuple):
    """One entry per lane (J,): start (J, p), width to begin with, row of `weight`, group."""

    start: Array
    width: Array
    weight: Array
    group: Array


class Ends(NamedTuple):
    """Where each lane ended (J,): coordinates (J, p), objective, scaled gradient, evaluations, converged."""

    u: Array
    value: Array
    gradient: Array
    evaluations: Array
    converged: Array


class Slot(NamedTuple):
    """One lane at work: where it is, what it knows, and the step it will try next."""

    job: Array
    u: Array
    here: Local
    memory: tuple
    step: Array
    promise: Array
    width: Array
    evaluations: Array
    refused: Array


def solve(
    problem: Problem, rows: Rows, jobs: Jobs, width: float, *, method: str = "lm", max_evaluations: int = 500
) -> Ends:
    """Descend every job to the objective's final `width`; numpy in, numpy out, float64 throughout.

    Jobs are cut into chunks, each one call of the kernel, which threads work on side by side, on all devices.
    """
    shared, rows = form(problem.law), _one_group(rows)
    inner, along, own = problem._replace(law=shared.law), shared.along(), shared.own()
    if (late := halved(shared.law, rows.x)) is not None:
        inner, rows = inner._replace(law=late[0]), rows._replace(x=late[1])
    jobs = Jobs(shared.coordinates(np.asarray(jobs.start, float)), *map(np.asarray, jobs[1:]))
    shape = _shape(rows.y.shape[1])

    def arguments(chunk: np.ndarray) -> tuple[Any, ...]:
        return *_cut(rows, jobs, chunk, shape), along, len(chunk), float(width), max_evaluations

    def run(chunk: np.ndarray, device: Any) -> Ends:
        with precise(), jax.default_device(device):
            given = arguments(chunk)
            kernel = _kernel.ready(inner, method, shape.slots, shared.tied, *given)  # type: ignore[attr-defined]
            return jax.tree.map(lambda a: np.asarray(a)[: len(chunk)], kernel(*given))

    places = devices()
    chunks = _chunks(jobs, shape, max(2, len(places)))
    places = places[: len(chunks)]
    if len(chunks) == 1:
        ends = run(chunks[0], places[0])
    else:
        with ThreadPoolExecutor(max(os.cpu_count() or 1, len(places))) as pool:
            parts = pool.map(run, chunks, cycle(places))
            ends = jax.tree.map(lambda *each: np.concatenate(each), *parts)
        if shape.sets == 1:
            back = np.argsort(np.concatenate(chunks), kind="stable")
            ends = Ends(*(part[back] for part in ends))
    return ends if shared.free else ends._replace(u=ends.u[:, own])


def _one_group(rows: Rows) -> Rows:
    """Groups that differ in their weights alone are one group."""
    alike = all(np.array_equal(part[0], part[-1]) and np.all(part == part[0]) for part in (rows.y, *rows.x))
    return Rows(tuple(x[:1] for x in rows.x), rows.y[:1], rows.weight) if alike else rows


class _Shape(NamedTuple):
    """What one call of the kernel holds: slots at work, jobs, and rows of weights or groups."""

    slots: int
    jobs: int
    sets: int


def _shape(n: int) -> _Shape:
    """For tables of n rows: the same for a fit, its windows and its bootstrap, which thus share a program."""
    sets = 1 if n > MANY_ROWS else min(2 ** (WEIGHTS // n).bit_length() // 2, 1024)
    return _Shape(max(1, min(MOST_SLOTS, BLOCK // n)), max(4 * sets, 256), sets)


def _chunks(jobs: Jobs, shape: _Shape, side: int) -> list[np.ndarray]:
    """Which jobs go into one call: as many as its shape holds, fewer where so many workers side by side then
    finish together."""
    every = np.arange(len(jobs.start))
    if shape.sets == 1:
        # Every call sees one row of weights and one group.
        _, which = np.unique(np.stack([jobs.weight, jobs.group]), axis=1, return_inverse=True)
        order = np.argsort(which.reshape(-1), kind="stable")
        sets = np.split(order, np.flatnonzero(np.diff(which.reshape(-1)[order])) + 1)
        each = side if len(sets) == 1 else 1
        return [
            chunk
            for part in sets
            for chunk in np.array_split(
                part, 1 if len(part) <= shape.slots else each * -(-len(part) // (each * shape.jobs))
            )
        ]
    if len(every) <= shape.slots:
        return [every]
    n_chunks = side * -(-len(every) // (side * shape.jobs))
    while True:
        chunks = np.array_split(every, n_chunks)
        seen = max(len(np.unique(part[chunk])) for chunk in chunks for part in (jobs.weight, jobs.group))
        if seen <= shape.sets:
            return chunks
        n_chunks = side * -(-n_chunks * seen // (side * shape.sets))


def _cut(rows: Rows, jobs: Jobs, chunk: np.ndarray, shape: _Shape) -> tuple[Rows, Jobs]:
    """These jobs with the weights and groups that they see, padded to the call's shape."""

    def padded(array: np.ndarray, size: int) -> np.ndarray:
        if len(array) == size:
            return array
        out = np.empty((size, *array.shape[1:]), array.dtype)
        out[: len(array)], out[len(array) :] = array, array[-1]
        return out

    sets, weight = np.unique(jobs.weight[chunk], return_inverse=True)
    groups, group = np.unique(jobs.group[chunk], return_inverse=True)
    some = rows
    if len(rows.y) > 1:
        x = tuple(padded(column[groups], shape.sets) for column in rows.x)
        some = Rows(x, padded(rows.y[groups], shape.sets), rows.weight)
    else:
        group = np.zeros(len(chunk), int)
    # Zeros that nobody reads are not even made.
    seen = np.zeros((shape.sets, rows.y.shape[1]))
    seen[: len(sets)] = rows.weight[sets]
    some = some._replace(weight=seen)
    parts = (jobs.start[chunk], jobs.width[chunk].astype(float), weight.reshape(-1), group.reshape(-1))
    return some, Jobs(*(padded(part, shape.jobs) for part in parts))


@compiled("problem", "method", "n_slots", "tied")
def _kernel(
    problem: Problem,
    method: str,
    n_slots: int,
    tied: bool,
    rows: Rows,
    jobs: Jobs,
    along,
    n_jobs,
    width,
    max_evaluations,
) -> Ends:
    """along (p, p): how all coordinates move with each;
    held ones with none, tied ones with the first of them."""
    descent = DESCENTS[method]
    prepare, prediction = staged(problem, tuple(x[0] for x in rows.x))
    features = jax.vmap(lambda *x: prepare(*x))(*rows.x)
    target = jnp.log(rows.y) if problem.space == "log" else rows.y
    p, last = jobs.start.shape[1], jobs.start.shape[0]
    dtype = jobs.start.dtype

    free = jnp.diagonal(along) > 0

    def freely(at: Local) -> Local:
        """Derivatives in the coordinates that are free to move; zero in the others."""
        curved = descent.NEEDS_CURVATURE
        if not tied:
            both = free[:, None] & free[None, :]
            curvature = jnp.where(both, at.curvature, 0.0) if curved else at.curvature
            return Local(at.value, jnp.where(free, at.gradient, 0.0), curvature)
        return Local(
            at.value, along.T @ at.gradient, along.T @ at.curvature @ along if curved else at.curvature
        )

    def moved(step):
        """A step of the free coordinates as one of all."""
        return along @ step if tied else step

    def fresh(job) -> Slot:
        """A slot about to evaluate the start of `job`:
        an infinite value makes it accept whatever it finds."""
        j = jnp.minimum(job, last - 1)
        curved = (p, p) if descent.NEEDS_CURVATURE else (0, 0)
        nowhere = Local(jnp.asarray(jnp.inf, dtype), jnp.zeros(p, dtype), jnp.zeros(curved, dtype))
        zero, count = jnp.zeros(p, dtype), jnp.asarray(0, jnp.int32)
        memory = descent.begin(p, dtype)
        return Slot(job, jobs.start[j], nowhere, memory, zero, zero[0], jobs.width[j], count, count)

    def advance(slot: Slot):
        """One evaluation of one lane: try the proposed step, keep it or not, propose the next or finish."""
        j = jnp.minimum(slot.job, last - 1)
        lane = Lane(
            tuple(_row(f, jobs.group[j]) for f in features),
            _row(target, jobs.group[j]),
            _row(rows.weight, jobs.weight[j]),
            slot.width,
        )
        move = moved(slot.step)
        there = freely(local(problem, prediction, slot.u + move, lane, descent.NEEDS_CURVATURE))
        accepted = (there.value <= slot.here.value) & jnp.all(jnp.isfinite(there.gradient))
        memory = descent.learn(slot.memory, slot.here, slot.step, slot.promise, there, accepted)
        u = jnp.where(accepted, slot.u + move, slot.u)
        here = jax.tree.map(partial(jnp.where, accepted), there, slot.here)
        refused = jnp.where(accepted, 0, slot.refused + 1)
        step, promise = descent.propose(memory, here)
        # Settled: the next step promises less than rounding can show, or refused steps have become tiny.
        quiet = jnp.abs(promise) <= jnp.where(slot.width > width, LOOSE, TIGHT) * here.value
        tiny = (refused > 1) & (jnp.max(jnp.abs(move) / (jnp.abs(u) + 1e-8)) < 1e-14)
        settled = jnp.isfinite(here.value) & ((accepted & quiet) | tiny | (refused > 40))
        narrower = settled & (slot.width > width)
        evaluations = slot.evaluations + 1
        hopeless = jnp.isinf(here.value)
        finished = (settled & ~narrower) | hopeless | (evaluations >= max_evaluations)
        here = here._replace(value=jnp.where(narrower, jnp.inf, here.value))
        step = jnp.where(narrower, 0.0, step)
        narrowed = jnp.where(narrower, jnp.maximum(slot.width * NARROWER, width), slot.width)
        slot = Slot(slot.job, u, here, memory, step, promise, narrowed, evaluations, refused)
        # A quiet last step is too small to be seen in the objective, but still sharpens the coefficients;
        # along a direction without any effect it may be far, and is not taken.
        flat = _scaled_gradient(here) < FLAT
        more = moved(step)
        near = jnp.all(jnp.abs(more) < 0.01 * (1 + jnp.abs(u)))
        end = jnp.where(quiet & near, u + more, u)
        return (
            slot,
            finished,
            Ends(
                end, here.value, _scaled_gradient(here), evaluations, (settled | flat) & (slot.width <= width)
            ),
        )

    def body(state):
        slots, ends, next_job, n_done = state
        slots, finished, reached = jax.vmap(advance)(slots)
        write = jnp.where(finished & (slots.job < n_jobs), slots.job, last)
        ends = jax.tree.map(lambda a, b: a.at[write].set(b, mode="drop"), ends, reached)
        taken = jnp.where(finished, next_job + jnp.cumsum(finished) - 1, slots.job)
        new = jax.vmap(fresh)(taken)
        slots = jax.tree.map(lambda a, b: jnp.where(_like(finished, a), a, b), new, slots)
        return slots, ends, next_job + jnp.sum(finished), n_done + jnp.sum(write < last)

    nothing = Ends(
        jnp.full_like(jobs.start, jnp.nan),
        jnp.full(last, jnp.inf, dtype),
        jnp.full(last, jnp.inf, dtype),
        jnp.zeros(last, jnp.int32),
        jnp.zeros(last, bool),
    )
    first = jax.vmap(fresh)(jnp.arange(n_slots))
    state = (first, nothing, jnp.asarray(n_slots), jnp.asarray(0))
    return jax.lax.while_loop(lambda s: s[3] < n_jobs, body, state)[1]


def _scaled_gradient(here: Local):
    """The largest partial derivative as a share of the objective (relative
    change per unit of log coefficient)."""
    return jnp.max(jnp.abs(here.gradient)) / (here.value + 1e-300)


def _row(table, index):
    """One row of a table that all lanes share when it has just one."""
    return table[0] if table.shape[0] == 1 else table[index]


def _like(mask, array):
    return mask.reshape(mask.shape + (1,) * (array.ndim - 1))
