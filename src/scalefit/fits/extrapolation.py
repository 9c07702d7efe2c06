"""Where predictions go farther than the runs can answer for: distance, leverage, turns, and weak designs.

Every check is one small function that yields a caution and the rows it is about;
adding one is adding it to `CHECKS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from scalefit.core.compose import arguments
from scalefit.core.law import Law
from scalefit.core.linear import linearise, triangle
from scalefit.fits.draws import variance
from scalefit.fits.identifiability import at, open_floor
from scalefit.fits.record import Record
from scalefit.fits.status import SEVERITIES, Caution
from scalefit.words import listed, plain, row_words, two

__all__ = [
    "COLLINEAR",
    "Design",
    "codes",
    "decades",
    "design",
    "distance",
    "flagged",
    "joined",
    "ray",
    "span",
]

WARNING, SERIOUS = 1.0, 2.0  # decades beyond the runs
BEYOND = 0.5  # decades beyond the runs from which on an open floor, or a wrong shape, counts
LEVERAGE = 100.0
COLLINEAR = 0.05  # inputs nearer than this to moving together cannot be told apart
OFF = 0.15  # decades off their line
PARTS = 1e-3  # how far from the runs' own total the shares of a mixture may lie
SHARES, SLACK = ("accuracy", "error"), 1e-6  # outputs that lie between 0 and 1, and how far they may leave it
LITTLE = 0.01  # a share below this counts as this: between little and nothing there are endless decades
STEPS = 9  # places between the runs and a prediction at which a turn of the law is looked for


Names = tuple[str, ...]  # one input, or those whose product is meant
Found = tuple["Caution", np.ndarray]


class Design(NamedTuple):
    """What `flagged` needs to know of the runs, worked out once per fit.

    ends: least and greatest log10 of every input that spans decades, and of their product; usual: the curve's
    mean variance at a run; line: see `ray`, with the combination's ends over the runs; open_floor: what the
    runs leave open about a floor, in words, or empty.
    """

    ends: Mapping[Names, tuple[float, float]]
    usual: float
    line: Mapping[str, float]
    line_ends: tuple[float, float]
    open_floor: str


class _Asked(NamedTuple):
    """Rows asked for: inputs (n,), decades outside the runs by input and in the product,
    the curve's variance in multiples."""

    record: Record
    x: Mapping[str, np.ndarray]
    decades: Mapping[Names, np.ndarray]
    leverage: np.ndarray

    @property
    def far(self) -> np.ndarray:
        """Decades outside the runs in whichever is farthest."""
        return _most(self.decades, len(self.leverage))

    def which(self, rows: np.ndarray, verb: str) -> str:
        """These rows in words, as the subject of a verb."""
        who = "this prediction" if len(rows) == 1 else row_words(np.flatnonzero(rows))
        return f"{who} {verb}{'s' if np.count_nonzero(rows) == 1 else ''}"


def flagged(record: Record, x: Mapping[str, np.ndarray], leverage: np.ndarray | None = None) -> list[Found]:
    """What speaks against predictions at `x` (columns of one length):
    each caution with the rows (n,) it is about."""
    if leverage is None:
        jacobian = linearise(
            record.law, record.objective, record.u, x, np.ones(len(next(iter(x.values()))))
        ).jacobian
        leverage = np.nan_to_num(variance(jacobian, record.covariance) / design(record).usual)
    asked = _Asked(record, x, decades(record, x), leverage)
    found = [one for check in CHECKS for one in check(asked) if np.any(one[1])]
    return sorted(found, key=lambda one: tuple(SEVERITIES).index(one[0].severity))


def codes(found: list[Found], n: int) -> list[str]:
    """For each of n rows the codes of the cautions about it, separated by commas."""
    return [", ".join(caution.code for caution, rows in found if rows[k]) for k in range(n)]


def codes_at(answer: Any, x: Mapping[str, np.ndarray]) -> list[str]:
    """The codes at rows x (n,) under any of the laws that an answer rests on."""
    n = len(next(iter(x.values())))
    each = [
        codes(flagged(fit, {name: x[name] for name in fit.law.inputs}), n)
        for fit, _ in answer.members.values()
    ]
    return [joined(row) for row in zip(*each, strict=True)]


def farthest(answer: Any, x: Mapping[str, np.ndarray]) -> np.ndarray:
    """Decades outside the runs (n,) under the law that is farthest."""
    return np.max(
        [distance(fit, {name: x[name] for name in fit.law.inputs}) for fit, _ in answer.members.values()],
        axis=0,
    )


def joined(codes: Iterable[str]) -> str:
    """Several lists of codes as one, each code once."""
    return ", ".join(dict.fromkeys(code for said in codes for code in said.split(", ") if code))


def design(record: Record) -> Design:
    """The runs of a fit, for `flagged`; worked out once."""
    return record.once("design", lambda: _design(record))


def _design(record: Record) -> Design:
    law, x = record.law, {name: record.data.x[name][record.data.counted] for name in record.law.inputs}
    with np.errstate(divide="ignore"):
        logs = {name: np.log10(x[name]) for name in _spanning(law, x)}
    positive = {} if law.whole else {name: v for name, v in logs.items() if np.all(np.isfinite(v))}
    counts = tuple(name for name in positive if name not in law.domain or law.domain[name].scales)
    each: list[Names] = [(name,) for name in logs]
    every = [*each, counts] if len(counts) > 1 else each
    ends = {names: _ends(sum(logs[name] for name in names)) for names in every}
    linear = linearise(law, record.objective, record.u, record.data.x, record.data.y).take(
        record.data.counted
    )
    usual = max(float(np.mean(variance(linear.jacobian, record.covariance))), 1e-300)
    strength, line = ray(positive)
    line = line if strength < COLLINEAR else {}
    along = _ends(sum(part * positive[name] for name, part in line.items()))
    return Design(ends, usual, line, along, open_floor(record))


def ray(logs: Mapping[str, np.ndarray]) -> tuple[float, dict[str, float]]:
    """How far the inputs are from moving together, and the combination of their logs that hardly varies.

    0 is a fixed ratio (or product, or power), 1 is independence; the largest part of the combination is 1.
    """
    logs = {name: v for name, v in logs.items() if np.ptp(v) > 0}
    if len(logs) < 2:
        return 1.0, {}
    table = np.stack([v - v.mean() for v in logs.values()])
    size = np.linalg.norm(table, axis=1)
    directions, strengths, _ = np.linalg.svd(triangle(table / size[:, None]).T, full_matrices=False)
    parts = directions[:, -1] / size
    parts /= parts[np.argmax(np.abs(parts))]
    together = np.abs(directions[:, -1]) > 0.2
    return float(strengths[-1]), {
        n: float(p) for n, p, both in zip(logs, parts, together, strict=True) if both
    }


def decades(record: Record, x: Mapping[str, np.ndarray]) -> dict[Names, np.ndarray]:
    """Decades outside the runs (n,), per input that spans decades and in their product."""
    out = {}
    shares = shares_of(record.law)
    with np.errstate(divide="ignore", invalid="ignore"):
        for names, (lo, hi) in design(record).ends.items():
            there = sum(np.log10(x[name]) for name in names)
            if names[0] in shares:
                lo, hi, there = (np.maximum(end, np.log10(LITTLE)) for end in (lo, hi, there))
            off = np.where(there < lo, lo - there, np.maximum(there - hi, 0.0))
            out[names] = np.where(np.isnan(off), np.inf, off)
    return out


def shares_of(law: Law) -> list[str]:
    """The inputs that are shares of a whole: of domains in a mixture, say."""
    known = law.domain
    return [
        n
        for n in law.inputs
        if n in known
        and "share" in known[n].unit
        and not known[n].scales
        and known[n].allowed == "between 0 and 1"
    ]


def distance(record: Record, x: Mapping[str, np.ndarray]) -> np.ndarray:
    """Decades outside the runs (n,), in the input, or the product, that is farthest out."""
    return _most(decades(record, x), len(next(iter(x.values()))))


def _most(decades: Mapping[Names, np.ndarray], n: int) -> np.ndarray:
    return np.max([np.zeros(n), *decades.values()], axis=0)


def span(record: Record) -> str:
    """From where to where the runs reach."""
    words = [
        f"{name} = {plain(10**lo)} to {plain(10**hi)}"
        for (name, *others), (lo, hi) in design(record).ends.items()
        if not others and np.isfinite(lo) and hi > lo
    ]
    if not words:
        return ""
    reach = f"The runs reach from {', '.join(words)}"
    return f"{reach}; fit.predict(x, level=0.9) marks what lies too far from them."


def _spanning(law: Law, x: Mapping[str, np.ndarray]) -> list[str]:
    """Inputs whose logarithm says how far one is from the runs:
    for laws of whole curves the step and counts alone."""
    names = [n for n in law.inputs if n not in law.labels and np.all(x[n] >= 0) and np.any(x[n] > 0)]
    if not law.whole:
        return names
    return [n for n in names if n == law.inputs[0] or (n in law.domain and law.domain[n].scales)]


def _ends(values) -> tuple[float, float]:
    return float(np.min(values)), float(np.max(values))


def _not_trusted(asked: _Asked) -> Iterator[Found]:
    if asked.record.status.trust == "bad":
        serious = (c.code for c in asked.record.warnings if c.severity == "serious")
        yield _found(
            "not-trusted",
            "serious",
            np.ones(len(asked.leverage), bool),
            f"the fit is not to be trusted ({', '.join(dict.fromkeys(serious))}), "
            "so no prediction from it is",
        )


def _impossible(asked: _Asked) -> Iterator[Found]:
    """Where the law, with these coefficients, predicts no loss at all: zero, less, or nothing."""
    if asked.record.objective.space == "log":
        with np.errstate(all="ignore"):
            y = np.asarray(asked.record.law(asked.record.coefs, asked.x), float).reshape(-1)
        rows = ~(y > 0)
        if np.any(rows):
            name = asked.record.columns.get("y", "y")
            yield _found(
                "impossible",
                "serious",
                rows,
                f"the law predicts a {name} of zero or less where "
                f"{asked.which(rows, 'lie')}: these coefficients do not reach "
                "so far, and the interval is open",
            )
    if asked.record.law.predicts in SHARES and np.max(asked.record.data.y) <= 1:
        with np.errstate(all="ignore"):
            y = np.asarray(asked.record.law(asked.record.coefs, asked.x), float).reshape(-1)
        rows = (y > 1 + SLACK) | (y < -SLACK)
        if np.any(rows):
            worst = float(y[np.argmax(np.abs(y - 0.5))])
            yield _found(
                "impossible",
                "serious",
                rows,
                f"the law predicts {asked.record.law.predicts} {worst:.3g} where {asked.which(rows, 'lie')}, "
                "and it cannot leave 0 to 1: use a law that stays between, or hold its limits with "
                "law.bound(...)",
            )


def _extrapolation(asked: _Asked) -> Iterator[Found]:
    rows = asked.far > WARNING
    if np.any(rows):
        names = max(asked.decades, key=lambda names: float(np.max(asked.decades[names])))
        worst = float(np.max(asked.far))
        yield _found(
            "extrapolation",
            "serious" if worst > SERIOUS else "warning",
            rows,
            f"{asked.which(rows, 'lie')} more than a decade outside the runs, "
            f"the farthest {f'{worst:.1f} decades' if np.isfinite(worst) else 'at zero'} in "
            f"{' x '.join(names)}; intervals hold there only if the law does, which no run shows",
        )


def _leverage(asked: _Asked) -> Iterator[Found]:
    rows = asked.leverage > LEVERAGE
    if np.any(rows):
        worst = int(np.argmax(asked.leverage))
        yield _found(
            "leverage",
            "warning",
            rows,
            f"{asked.which(rows, 'lie')} where the runs hardly determine the "
            "curve: its variance there is up to "
            f"{asked.leverage[worst]:.3g} times that at a usual run "
            f"({at(asked.record, asked.x, worst)}); add runs "
            "nearer to it",
        )


def _turning(asked: _Asked) -> Iterator[Found]:
    """Laws that rise and fall: the way they go at the edge of the runs must be the way they go all along."""
    record = asked.record
    if record.law.whole:
        return
    for (name, *others), out in asked.decades.items():
        edges = design(record).ends[name,]
        rows = np.flatnonzero(out > 0)
        if others or not len(rows) or not np.isfinite(edges[0]):
            continue
        lo, hi = (10.0**edge for edge in edges)
        end = asked.x[name][rows]
        with np.errstate(all="ignore"):
            share = np.linspace(0, 1, STEPS)[:, None]
            path = np.where(end > hi, hi, lo) ** (1 - share) * end**share
            held = {n: np.broadcast_to(column[rows], path.shape) for n, column in asked.x.items()}
            here, on = (
                np.asarray(record.law(record.coefs, {**held, name: path * f}), float)
                for f in (1.0, 1.0 + 1e-4)
            )
            way = np.where(np.abs(on - here) > 1e-12 * np.abs(here), np.sign(on - here), 0.0)
        turned = np.any((way == -way[0]) & (way[0] != 0), axis=0)
        if np.any(turned):
            first = int(np.argmax(turned))
            place = path[np.argmax(way[:, first] == -way[0, first]) - 1, first]
            mask = np.zeros(len(out), bool)
            mask[rows[turned]] = True
            yield _found(
                "turning-point",
                "warning",
                mask,
                f"{asked.which(mask, 'lie')} past a turn of the law in {name} "
                f"(beyond {plain(place)}) that no run has "
                "shown; do not rely on it",
            )


def _break(asked: _Asked) -> Iterator[Found]:
    """A coefficient in the units of one input is a place where the law changes:
    a break, a plateau's beginning."""
    for coef in asked.record.law.coefs:
        if coef.unit is None:
            continue
        names = arguments(coef.unit)
        if len(names) != 1 or names not in design(asked.record).ends:
            continue
        power = np.log10(coef.size({names[0]: 10.0}) / coef.size({names[0]: 1.0}))
        if abs(abs(power) - 1) > 1e-9:
            continue
        with np.errstate(divide="ignore"):
            place = power * np.log10(asked.record.coefs[coef.name])
            there = np.log10(asked.x[names[0]])
        lo, hi = design(asked.record).ends[names]
        rows = (there > place) if place > hi else (there < place) & (place < lo)
        if np.any(rows):
            yield _found(
                "break",
                "warning",
                rows,
                f"{asked.which(rows, 'lie')} past {names[0]} = {plain(10.0**place)}, "
                "where the law changes its course "
                f"({coef.name}) and which lies outside the runs: no run has shown that change",
            )


def _off_ray(asked: _Asked) -> Iterator[Found]:
    line, (lo, hi) = design(asked.record).line, design(asked.record).line_ends
    if not line:
        return
    with np.errstate(divide="ignore"):
        there = sum(part * np.log10(asked.x[n]) for n, part in line.items())
    off = np.maximum(np.maximum(there - hi, lo - there), 0.0)
    rows = off > OFF
    if np.any(rows):
        names = list(line)
        yield _found(
            "off-ray",
            "serious",
            rows,
            f"{listed(names)} move together over the runs (as with a fixed "
            "number of tokens per parameter, or one "
            f"compute budget), and {asked.which(rows, 'leave')} that line, "
            f"by a factor up to {two(10 ** float(np.max(off)))}: "
            "the runs do not say what happens there",
        )


def _not_whole(asked: _Asked) -> Iterator[Found]:
    """Shares of domains that sum to something else than those of the runs all do."""
    known = asked.record.law.domain
    names = [name for name in shares_of(asked.record.law) if known[name].each]
    if len(names) < 2:
        return
    total, runs = (np.sum([x[name] for name in names], axis=0) for x in (asked.x, asked.record.data.x))
    whole = float(np.median(runs))
    rows = np.abs(total - whole) > PARTS
    if np.any(rows) and np.all(np.abs(runs - whole) <= PARTS):
        worst = float(total[np.argmax(np.abs(total - whole))])
        yield _found(
            "not-whole",
            "serious",
            rows,
            f"{listed(names)} sum to {plain(whole)} in every run, and to {worst:.4g} where "
            f"{asked.which(rows, 'lie')}: divide them by their sum",
        )


def _few_scales(asked: _Asked) -> Iterator[Found]:
    record = asked.record
    for name in record.law.inputs:
        if name in record.law.labels or name in record.law.settings or record.law.whole:
            continue
        levels = np.unique(record.data.x[name][record.data.counted])
        if len(levels) == 1:
            rows = np.abs(asked.x[name] - levels[0]) > 0.05 * abs(levels[0])
            yield _found(
                "constant-input",
                "serious",
                rows,
                f"{name} is {plain(levels[0])} in every run, and "
                f"{asked.which(rows, 'ask')} for another value: no run "
                "shows what it does",
            )
        elif len(levels) == 2:
            rows = (asked.x[name] < levels[0]) | (asked.x[name] > levels[1])
            yield _found(
                "few-scales",
                "warning",
                rows,
                f"{name} takes only 2 values over the runs, and "
                f"{asked.which(rows, 'lie')} outside them: two cannot show "
                "both a floor and an exponent",
            )


def _floor_open(asked: _Asked) -> Iterator[Found]:
    words, rows = design(asked.record).open_floor, asked.far > BEYOND
    if words and np.any(rows):
        yield _found(
            "open-floor",
            "warning",
            rows,
            f"{words}, so these runs do not tell a low floor from a slow exponent; "
            f"{asked.which(rows, 'lie')} where the "
            "two differ",
        )


def _misfit(asked: _Asked) -> Iterator[Found]:
    rows = asked.far > BEYOND
    if np.any(rows) and any(caution.code == "misfit" for caution in asked.record.warnings):
        yield _found(
            "misfit",
            "warning",
            rows,
            "the law does not have the shape of these runs, and "
            f"{asked.which(rows, 'lie')} beyond them: expect a bias "
            "that the interval does not hold",
        )


CHECKS: tuple[Callable[[_Asked], Iterator[Found]], ...] = (
    _not_trusted,
    _impossible,
    _extrapolation,
    _leverage,
    _turning,
    _break,
    _off_ray,
    _not_whole,
    _few_scales,
    _floor_open,
    _misfit,
)


def _found(code: str, severity: str, rows: np.ndarray, text: str) -> Found:
    return Caution(code, severity, text), rows
