"""What a table's rows say against a fit: unused columns, and rows that are alike.

They are looked at as a person would: residuals against every column of the table, also those not used; equal
inputs with different outputs; rows alike along a run. Each finding is one caution whose remedy is a call that
works. Levels are shared by all tests that are made, and what is too small to matter is not said, however
certain: false alarms are counted in `benchmarks/false_alarms.md`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import bdtrc

from scalefit.core.data import Data, codes
from scalefit.fits.calls import remedy, shared_law
from scalefit.fits.checks import Case
from scalefit.fits.left_over import (
    Left,
    Levels,
    Test,
    between,
    explained,
    following,
    left_over,
    levels,
    trends,
)
from scalefit.fits.status import Caution
from scalefit.runs.names import same_name
from scalefit.runs.tables import looked_at
from scalefit.words import listed, plain, quoted

__all__ = ["Looked", "alike"]

# Chance that a table in good order is found to hide something, over all tests that are made of it.
LEVEL = 0.003
# What rows share is no concern below this share of the output, or of the variance.
SIZE, SHARE = 5e-4, 0.03
# Neighbours no more alike than this widen no interval by much.
ALIKE = 0.3
# A number of few values that does not go with the inputs is a recipe, as labels are;
# a column with more whose name says so lists runs.
RECIPES = 5
RUNS = ("run", "model", "seed", "exp", "trial", "job", "curve", "id")
# Numbers that were measured, as the output was: their errors go with its own.
MEASURED = re.compile(
    r"loss|ppl|perplex|bpb|bpc|acc|err|nll|score|std|resid|pred|eval|metric|grad|entropy|bleu|reward|time|speed"
)


class Part(NamedTuple):
    """One way to divide the rows: a column's values, or those of an input, by place.

    kind: "run" where its values go with an input's, or name runs; "recipe" for other labels; "number".
    """

    name: str
    levels: Levels
    kind: str
    used: bool


class Table(NamedTuple):
    """The rows as tests see them: one each, or one per group, where the fit has groups."""

    case: Case
    left: Left
    above: np.ndarray  # the residuals as they are, positive above the curve
    inputs: dict[str, np.ndarray]
    others: dict[str, np.ndarray]
    labels: Mapping[str, tuple[str, ...]]


class Finding(NamedTuple):
    """A test that was made, and of what."""

    part: Part
    test: Test
    what: str  # "level", "trend" or "neighbours"


class Looked(NamedTuple):
    """What was found in the rows, and which belong together (n,), None where they may be independent."""

    cautions: tuple[Caution, ...] = ()
    group: np.ndarray | None = None


def alike(case: Case, data: Data) -> Looked:
    """Residuals against every column, and against the rows before them; equal inputs with other outputs.

    data: all rows, with those of no weight. Rows that are found to err alike belong together, unless the
    caller said which do, or that none do.
    """
    table = _table(case)
    repeated = _repeated(case)
    if table is None:
        return Looked(tuple(repeated))
    made = list(_tests(table))
    unit = 1.0 if case.objective.space == "log" else float(np.median(np.abs(case.data.y)))
    limit = LEVEL / max(len(made), 1)
    found = [f for f in made if f.test.p < limit and _matters(f, unit)]
    recipes, numbers, runs, rows = (
        _strongest(found, kind, table.labels) for kind in ("recipe", "number", "run", "order")
    )
    # What divides the rows makes neighbours and sizes alike as well: the first cause that is found is said.
    if any(f.part.name in table.labels for f in recipes) or (recipes and not repeated):
        return Looked((_hidden_groups(table, recipes),))
    if repeated:
        return Looked(tuple(repeated))
    said = [_unused_number(table, numbers)] if numbers else []
    # A column that does not say it of every row, or has too few values, leaves it to the next.
    groups = ((one, _belonging(table, one, data)) for one in runs)
    best, group = next((pair for pair in groups if pair[1] is not None), (runs[0] if runs else None, None))
    if best is not None:
        said.append(_shared_errors(table, best, found, group is not None))
    elif rows and not numbers:
        said.append(_following_rows(table, rows[0]))
    return Looked(tuple(said), group)


def _belonging(table: Table, best: Finding, data: Data) -> np.ndarray | None:
    """Which rows err alike, as labels (n,): of enough groups for an interval, each row in one; None else."""
    name, part = best.part.name, best.part
    if data.independent or data.group is not None or table.case.law.whole:
        return None
    if not part.used:
        others = data.others
        if others is None or others.rows is not None:
            return None
        group = others.columns[name]
        if np.any(np.isnan(group)):
            return None
        known = table.labels.get(name, ())
        # Texts are cut to be shown; where they still tell the labels apart they name the groups.
        if known and len(set(known)) == len(known):
            group = np.array(known)[group.astype(int)]
    elif name == BUDGET:
        group = _steps(np.sum([np.log(data.x[key]) for key in table.inputs], axis=0))
    else:
        group = data.x[name]
    return group if len(np.unique(group[data.counted])) > len(table.case.law.coefs) else None


def _table(case: Case) -> Table | None:
    """The rows that are looked at; None where nothing can be said."""
    data, p = case.data, len(case.law.coefs)
    others = data.others
    rows = others.rows if others is not None and others.rows is not None else looked_at(len(data))
    at = slice(None) if rows is None else rows
    residual, design = -case.linear.residual[at], case.linear.jacobian[:, at].T
    inputs = {name: column[at] for name, column in case.varied.items()}
    columns = {} if others is None else dict(others.columns)
    if case.law.whole:
        if data.group is not None:
            return None
        # Whatever else stands beside a curve goes with its steps.
        columns, inputs = {}, {name: data.x[name][at] for name in case.law.labels}
    logs = [column[at] for column in case.logs.values()]
    if data.group is not None:
        # Errors are taken as shared within groups: what a group has in common is one observation.
        _, unit, count, first = levels(codes(data.group[at]))

        def mean(column: np.ndarray) -> np.ndarray:
            return np.bincount(unit, column) / count

        inputs = {k: v[first] for k, v in inputs.items() if _same(v, v[first][unit])}
        columns = {k: v[first] for k, v in columns.items() if _same(v, v[first][unit])}
        residual, design = mean(residual), np.stack([mean(column) for column in design.T], axis=1)
        logs = [mean(column) for column in logs]
    left = left_over(residual, design, logs, p)
    labels = others.labels if others else {}
    return None if left is None else Table(case, left, residual, inputs, columns, labels)


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.array_equal(a, b, equal_nan=True))


def _tests(table: Table) -> Iterator[Finding]:
    n = len(table.left.error)
    if table.case.law.whole:
        for name, curve in table.inputs.items():
            test = following(table.left, np.arange(n), curve[1:] == curve[:-1])
            if test:
                yield Finding(Part(name, levels(curve), "run", True), test, "neighbours")
        return
    divided = {name: levels(values) for name, values in table.others.items()}
    lines: list[np.ndarray] = []
    for part in _parts(table, divided):
        place, count = part.levels.place, part.levels.counts
        # A level of one row has nothing to be alike with.
        test = between(table.left, part.levels) if np.sum(count[count > 1]) >= 10 else None
        if test:
            yield Finding(part, test, "level")
        if part.kind == "run" and n >= 4 * len(count):
            # Along the inputs, the first one first; the rows' own order breaks ties.
            order = np.lexsort((*reversed(table.inputs.values()), place))
            test = None
            if not any(np.array_equal(order, line) for line in lines):
                lines.append(order)
                test = following(table.left, order, place[order[1:]] == place[order[:-1]])
            if test:
                yield Finding(part, test, "neighbours")
    ordered = [
        name
        for name, column in divided.items()
        if name not in table.labels and len(column.counts) > 2 and not MEASURED.search(same_name(name))
    ]
    if ordered:
        made = trends(table.left, np.stack([divided[name].ranks() for name in ordered]))
        for name, test in zip(ordered, made, strict=True):
            if test and test.share < 0.9:
                yield Finding(Part(name, divided[name], "number", False), test, "trend")
    test = following(table.left, np.arange(n), np.ones(n - 1, bool))
    if test:
        yield Finding(Part("", levels(np.zeros(n)), "order", False), test, "neighbours")


def _parts(table: Table, divided: Mapping[str, Levels]) -> Iterator[Part]:
    """The ways to divide the rows, each once: by columns that are not used, labels first, then by inputs."""
    n = len(table.left.error)
    seen: set[bytes] = set()
    named = sorted(divided, key=lambda name: name not in table.labels)
    measured = {name for name in named if name not in table.labels and MEASURED.search(same_name(name))}
    candidates = [(name, divided[name], False) for name in named if name not in measured]
    candidates += [(name, levels(column), True) for name, column in table.inputs.items()]
    total = _log_product(table)
    if total is not None:
        candidates.append((BUDGET, levels(_steps(total)), True))
    for name, part, used in candidates:
        k = len(part.counts)
        if not 2 <= k <= n / 2:
            continue
        # By first appearance, so that partitions that are equal look equal.
        form = np.argsort(np.argsort(part.first)).astype(np.int32)[part.place].tobytes()
        if form in seen:
            continue
        seen.add(form)
        run = used or _goes_with_input(table, part, total) or _names_runs(name, k)
        recipe = name in table.labels or k <= RECIPES
        yield Part(name, part, "run" if run else "recipe" if recipe else "number", used)


def _log_product(table: Table) -> np.ndarray | None:
    """The logarithm of the product of several inputs, all of them positive: a budget."""
    columns = list(table.inputs.values())
    several = len(columns) > 1 and all(np.all(v > 0) for v in columns)
    return np.sum([np.log(v) for v in columns], axis=0) if several else None


# Stands for the product of all inputs, where no column holds it.
BUDGET = "\0budget"


def _steps(total: np.ndarray) -> np.ndarray:
    """Sums of logarithms that lie within a few percent of each other as one value."""
    order = np.argsort(total)
    gaps = np.diff(total[order]) > 0.03
    place = np.empty(len(total))
    place[order] = np.concatenate([[0.0], np.cumsum(gaps)])
    width = np.bincount(place.astype(int), total) / np.bincount(place.astype(int))
    wide = np.max(np.abs(total - width[place.astype(int)])) > 0.15
    return np.zeros(len(total)) if wide else place


def _goes_with_input(table: Table, part: Levels, total: np.ndarray | None) -> bool:
    """Whether every value of a column stands with one value of an input, or of the inputs' product."""
    head = part.first[part.place]
    if any(_same(column, column[head]) for column in table.inputs.values()):
        return True
    return total is not None and bool(np.max(np.abs(total - total[head])) < 0.1)


def _names_runs(name: str, k: int) -> bool:
    words = re.split(r"[^a-z]+", str(name).lower())
    return k > RECIPES and any(word in RUNS for word in words)


def _matters(found: Finding, unit: float) -> bool:
    test = found.test
    if found.what == "neighbours":
        return test.share > ALIKE
    return test.size > SIZE * unit and test.share > SHARE


def _strongest(found: Sequence[Finding], kind: str, labels: Mapping[str, Any]) -> list[Finding]:
    """One finding per column: unused columns first, labels before numbers, then the most certain."""
    order = sorted(
        (f for f in found if f.part.kind == kind),
        key=lambda f: (f.part.used, f.part.name not in labels, f.test.p, -f.test.share),
    )
    return list({f.part.name: f for f in reversed(order)}.values())[::-1]


def _hidden_groups(table: Table, found: Sequence[Finding]) -> Caution:
    """Recipes, corpora and the like in one table."""
    case, names = table.case, [f.part.name for f in found]
    first = found[0].part
    by = _dividing(table, names)
    also = f" and also between values of {listed([repr(name) for name in names[1:]])}" if names[1:] else ""
    call = remedy(case, "fit_groups", f"by=[{', '.join(map(quoted, by))}]")
    return Caution(
        "hidden-groups",
        "warning",
        f"the residuals differ by {first.name!r} ({_extremes(table, first)}){also}, which the law "
        f"does not know; fit each with {call}, or share an exponent with {shared_law(case, first.name)}",
    )


def _dividing(table: Table, names: Sequence[str]) -> list[str]:
    """As many of the columns as leave enough rows for a fit of each group."""
    enough = len(table.case.law.coefs)
    by, place = [names[0]], levels(table.others[names[0]]).place
    for name in names[1:3]:
        other = levels(table.others[name]).place
        both = levels(place * (other.max() + 1) + other)
        if both.counts.min() > enough:
            by, place = [*by, name], both.place
    return by


def _extremes(table: Table, part: Part) -> str:
    """The lowest and the highest level, with how far they lie from the curve."""
    place, values = part.levels.place, part.levels.values
    middle = np.array([np.median(table.above[place == k]) for k in range(len(values))])
    shown = [int(np.argmin(middle)), int(np.argmax(middle))]
    return ", ".join(f"{_value(table, part.name, values[k])} {_shift(table.case, middle[k])}" for k in shown)


def _value(table: Table, name: str, value: float) -> str:
    labels = table.labels.get(name)
    if np.isnan(value):
        return "none"
    if labels is None:
        return plain(value)
    return labels[int(value)][:20] if labels else f"label {int(value)}"


def _shift(case: Case, size: float) -> str:
    return f"{np.expm1(size):+.1%}" if case.objective.space == "log" else f"{size:+.2g}"


def _unused_number(table: Table, found: Sequence[Finding]) -> Caution:
    """A number that the law leaves out and the output follows: a rate, a batch size, a date."""
    case, name = table.case, found[0].part.name
    values = table.others[name]
    lo, hi = np.nanquantile(values, [0.25, 0.75])
    also = f" (and {listed([repr(f.part.name) for f in found[1:4]])})" if found[1:] else ""
    middle = f"runs[runs[{quoted(name)}].between({lo:.6g}, {hi:.6g})]"
    return Caution(
        "unused-column",
        "warning",
        f"the residuals follow {name!r}{also}, which the law does not know: it explains "
        f"{_share(found[0])} of what is left over; use a law with it, or runs that are alike in it, such as "
        f"{remedy(case, 'fit', runs=middle)}",
    )


def _share(found: Finding) -> str:
    return f"{found.test.share:.0%}"


def _shared_errors(table: Table, best: Finding, found: Sequence[Finding], grouped: bool) -> Caution:
    """Errors that rows of one run, size or budget share; grouped: whether intervals allow for that."""
    case, name = table.case, best.part.name
    mine = {f.what: f.test.share for f in found if f.part.name == name}
    how = [f"{mine['level']:.0%} of the scatter lies between its values"] if "level" in mine else []
    how += [f"neighbours correlate at {mine['neighbours']:.2f}"] if "neighbours" in mine else []
    if case.law.whole:
        what, call = "one curve", "sf.shrink(fit), which counts every curve as one observation"
    elif name == BUDGET:
        product = " * ".join(f"runs[{quoted(case.columns[key])}]" for key in case.logs)
        runs = f'runs.assign(budget=({product}).map("{{:.1e}}".format))'
        what, call = "one budget (product of the inputs)", remedy(case, "fit", 'group="budget"', runs)
    else:
        column = case.columns.get(name, name) if best.part.used else name
        what, call = f"one {column!r}", remedy(case, "fit", f"group={quoted(column)}")
    then = (
        f"; intervals take them as one observation, as {call} does, and group=False takes rows as independent"
        if grouped
        else f", so intervals that take rows as independent are too narrow; say so with {call}"
    )
    return Caution("shared-errors", "warning", f"rows of {what} err alike ({' and '.join(how)}){then}")


def _following_rows(table: Table, found: Finding) -> Caution:
    alike = min(found.test.share, 0.99)
    most = max(len(table.left.error) // (3 * len(table.case.law.coefs)), 2)
    step = int(np.clip(np.ceil(np.log(0.2) / np.log(alike)), 2, most))
    return Caution(
        "following-rows",
        "warning",
        f"residuals are like those of the row before (correlation {alike:.2f}), so errors are shared, or the "
        "law bends otherwise than the runs; name the column that says which rows belong together with "
        f"group=..., or thin them: {remedy(table.case, 'fit', runs=f'runs[::{step}]')}",
    )


def _repeated(case: Case) -> list[Caution]:
    """Runs at equal inputs of which some were worse tuned: the best of each is what a law describes."""
    data = case.data
    if case.law.predicts not in ("loss", "error", "accuracy") or case.law.whole or data.others is None:
        return []
    rows = data.others.rows
    at = slice(None) if rows is None else rows
    first, *more = (levels(column[at]) for column in data.x.values())
    divided, n = first, len(first.place)
    for other in more:
        divided = levels(divided.place * len(other.counts) + other.place)
    if n - len(divided.counts) < max(10, 0.1 * n):
        return []
    cell, count, repeats = divided.place, divided.counts, n - len(divided.counts)
    log = case.objective.space == "log"
    y = np.log(data.y[at]) if log else data.y[at]
    worse = -y if case.law.predicts == "accuracy" else y
    best = np.full(len(count), np.inf)
    np.minimum.at(best, cell, worse)
    many = count[cell] > 1
    above = float(np.median((worse - best[cell])[many]))
    unit = 1.0 if log else float(np.median(np.abs(y)))
    if above < 2e-3 * unit:
        return []
    varying = _varying(case, cell, worse)
    if not varying and not _lopsided(cell, worse, count):
        return []
    told = [name for name in case.law.inputs if name in case.columns]
    inputs = [case.columns[name] for name in told]
    why = (
        f", as {listed([repr(name) for name in varying[:3]])} change{'s' * (len(varying[:3]) == 1)}"
        if varying
        else ""
    )
    up = ", ascending=False" if case.law.predicts == "accuracy" else ""
    y_name = case.columns["y"]
    keep = f"runs.sort_values({quoted(y_name)}{up}).drop_duplicates([{', '.join(map(quoted, inputs))}])"
    size = f"{np.expm1(above):.1%}" if log else f"{above:.2g}"
    side = "below" if case.law.predicts == "accuracy" else "above"
    return [
        Caution(
            "repeated-inputs",
            "warning",
            f"{repeats} rows repeat others' {' and '.join(told)} and lie {size} {side} the best "
            f"of each{why}: keep the best with {remedy(case, 'fit', runs=keep)}, or use a law with "
            "what changes",
        )
    ]


def _varying(case: Case, cell: np.ndarray, y: np.ndarray) -> list[str]:
    """Numbers that change among rows of equal inputs and that their outputs follow, the clearest first."""
    others = case.data.others
    assert others is not None
    n, cells = len(cell), int(cell.max()) + 1
    count = np.bincount(cell)

    def inside(column: np.ndarray) -> np.ndarray:
        return column - (np.bincount(cell, column) / count)[cell]

    error = inside(y)
    usual = 1.4826 * float(np.median(np.abs(error[count[cell] > 1])))
    error = inside(np.clip(error, -3 * usual, 3 * usual))
    left = Left(error, np.zeros((n, 0)), np.ones(n), n - cells, np.zeros((n, 0)))
    names = [n for n in others.columns if n not in others.labels and not MEASURED.search(same_name(n))]
    if not names:
        return []
    ranks = np.stack([levels(others.columns[name]).ranks() for name in names])
    shapes = np.concatenate([ranks, ranks**2 - np.mean(ranks**2, axis=1, keepdims=True)])
    own = np.stack([inside(row) for row in shapes])
    gone = np.sum(own**2, axis=1) < 1e-3 * np.sum(shapes**2, axis=1)
    tests = zip(names, explained(left, own, gone), strict=True)
    found = [(t.p, -t.share, name) for name, t in tests if t and t.p < LEVEL / len(names) and t.share > SHARE]
    return [name for *_, name in sorted(found)]


def _lopsided(cell: np.ndarray, y: np.ndarray, count: np.ndarray) -> bool:
    """Whether the rows of equal inputs have a tail to the worse side only, as untuned runs do."""
    sides = []
    order = np.lexsort((y, cell))
    ends = np.cumsum(count)
    for begin, end in zip(ends - count, ends, strict=True):
        if end - begin >= 4:
            values = y[order[begin:end]]
            middle = float(np.median(values))
            sides.append((values[-1] - middle, middle - values[0]))
    if len(sides) < 10:
        return False
    up, down = np.array(sides).T
    larger = int(np.sum(up > down))
    return bool(bdtrc(larger - 1, len(sides), 0.5) < 1e-3 and np.median(up) > 2 * np.median(down))
