"""Which laws the columns of a table allow: the two or three to try first, each with the call that fits it.

    sf.suggest(runs)

Columns are recognised by their names, as in `sf.fit`, and looked at: what varies, what says the same twice,
which labels part the table into groups. Of the laws in usual use (`USUAL`) those stay whose inputs are all
there and whose coefficients the rows can determine. First comes what uses most of the columns, then what
foretells larger runs of the table best.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from scalefit import laws
from scalefit.arguments import by_name, check_key
from scalefit.core.data import repeats
from scalefit.core.law import Law
from scalefit.fits.ensemble import score
from scalefit.fits.progress import steps
from scalefit.fits.record import natural
from scalefit.fits.windows import refitting
from scalefit.frames import Frame, frame
from scalefit.laws.inputs import ALIASES
from scalefit.runs import tables
from scalefit.runs.binding import kind_of
from scalefit.runs.names import same_name
from scalefit.validation.choice import ENOUGH, SHOWN, SPLITS, USUAL, View, Way, ordered
from scalefit.validation.windows import Problem, shares_in, sizes_of, windows_of
from scalefit.words import listed, quoted, short

__all__ = ["Suggestions", "suggest"]

# Names of a column in which repeats of one setting differ.
SEEDS = ("seed", "replicate", "repeat")
CURVE_LAWS = ("lr_annealing", "multi_power", "fsl")
# A backtest for a suggestion is quick: so many rows, evenly by size, and no law of more coefficients.
MOST_ROWS, MOST_COEFS = 400, 40
N_CUTS, FOLDS = 2, 4
# Columns named that would allow richer laws.
RICHER = 4


@dataclass(frozen=True, eq=False, repr=False)
class Suggestions:
    """The laws to try first on a table.

    frame: a row per law, the first to try first: law, call (Python that runs as it stands, with `sf` and the
    table as `runs`), inputs, n_coefs, rows (of the largest group where the call fits groups), score (the
    backtest's, NaN where there was none), why. y: the column foretold; predicts: "loss", "error" or
    "accuracy". unused: column -> why no law suggested takes it. missing: what other columns would allow.
    others: the laws of the catalogue, beside those in usual use, whose inputs are there. notes: what was
    guessed.
    """

    frame: Frame
    y: str
    predicts: str
    unused: Mapping[str, str]
    missing: tuple[str, ...]
    others: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def calls(self) -> tuple[str, ...]:
        """The calls, the first to try first."""
        return tuple(self.frame["call"])

    def __repr__(self) -> str:
        lines = []
        for k, row in enumerate(self.frame.to_dict("records"), 1):
            lines += [f"{k}. {row['law']}: {row['why']}", f"   {row['call']}"]
        lines += [f"note: {note}" for note in self.notes]
        lines += [f"not used: {column}: {why}" for column, why in self.unused.items()]
        lines += [f"missing: {what}" for what in self.missing]
        if self.others:
            lines.append(f"also possible: {', '.join(self.others)}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        notes = [f"note: {n}" for n in self.notes] + [
            f"not used: {c}: {why}" for c, why in self.unused.items()
        ]
        notes += [f"missing: {what}" for what in self.missing]
        below = "<br>".join(map(escape, notes))
        first = escape(f"{self.frame['law'].iloc[0]}: {self.frame['call'].iloc[0]}")
        return f"<div><p><b>{first}</b></p>{self.frame.to_html(index=False)}<p>{below}</p></div>"


def suggest(
    runs: Any,
    y: str | None = None,
    inputs: Mapping[str, str] | None = None,
    *,
    backtest: bool = True,
    key: int = 0,
) -> Suggestions:
    """The two or three laws that these columns allow, each with the call that fits it.

    Laws come first that use more of the columns, then those whose coefficients have two rows each, then those
    that foretell the larger runs better (two windows of `sf.backtest`; mixtures by four folds), then those in
    wider use. With a learning rate and steps the whole curves are fitted.

    Args:
        runs: a table, as for `sf.fit`.
        y: the column to foretell; where left out, the one named like a loss, an error or an accuracy.
        inputs: input of a law -> column, where names are not usual ones: {"N": "size"}.
        backtest: whether laws that use as many columns are compared by how they foretell; False is quicker.
        key: seed of those fits.

    Returns:
        A `Suggestions` record: a frame with laws, calls and reasons; what was not used, and what is missing.

    Raises:
        ValueError: where it is not clear what is foretold, a column's values cannot be, or no law takes these
            columns.
        TypeError: for what is no table.

    Example:
        >>> found = sf.suggest({name: runs[name] for name in ("N", "D", "loss")}, backtest=False)
        >>> found.frame["law"].tolist()
        ['chinchilla', 'skaling']
        >>> print(found.calls[0])
        sf.fit("chinchilla", runs, inputs={"N": "N", "D": "D"}, y="loss")
    """
    table, key = tables.columns_of(runs), check_key(key)
    if not isinstance(backtest, bool):
        raise ValueError(f"backtest must be True or False, got {short(backtest)}")
    view = View.of(table, y, by_name("inputs", inputs))
    words = _Words(view, quoted(str(runs)) if isinstance(runs, str | Path) else "runs")
    if view.curves is not None:
        return words.of_curves()
    ways, reasons = view.ways()
    if not ways:
        raise ValueError(view.nothing(reasons))
    ways = ways[:SHOWN]
    if backtest:
        ways = ordered(_foretold(ways, view, key))
    return words.answer(ways, reasons)


@dataclass(frozen=True)
class _Words:
    """What is said of a table's laws; source: how the table is written in a call."""

    view: View
    source: str

    @property
    def y(self) -> str:
        """The column foretold, as it is written."""
        return quoted(self.view.y)

    def answer(self, ways: Sequence[Way], reasons: Mapping[str, str]) -> Suggestions:
        by, notes = self.view.by(), list(self.view.notes)
        lines = []
        for way in ways:
            data = way.problem.data
            lines.append(
                {
                    "law": way.law.name,
                    "call": self._call(way, by),
                    "inputs": ", ".join(
                        f"{name} = {column}" for name, column in way.problem.columns.items() if name != "y"
                    ),
                    "n_coefs": len(way.law.coefs),
                    "rows": len(data),
                    "score": way.score,
                    "why": self._why(way, ways),
                }
            )
        if by:
            notes.append(
                f"{listed([repr(name) for name in by])} part{'s' * (len(by) == 1)} the table into "
                f"{len(self.view.parts(by))} groups, each fitted by itself; rows and scores are of the "
                "largest"
            )
        first = ways[0]
        notes += self._hints(first, by)
        used = {column for way in ways for column in way.problem.columns.values()}
        known = {way.law.name for way in ways}
        others = [
            law.name
            for law in laws.find(predicts=self.view.predicts)
            if law.name not in known and self._takes(law)
        ]
        return Suggestions(
            frame(lines),
            self.view.y,
            self.view.predicts,
            self._unused(used, by, first),
            self._missing(reasons),
            tuple(others),
            tuple(notes),
        )

    def _call(self, way: Way, by: Sequence[str]) -> str:
        inputs = ", ".join(f'"{name}": {quoted(column)}' for name, column in way.columns.items())
        many = (
            ""
            if not by
            else f", by={quoted(by[0])}"
            if len(by) == 1
            else f", by=[{', '.join(map(quoted, by))}]"
        )
        group = self._repeated(way)
        also = f", group={quoted(group)}" if group and not by else ""
        verb = "fit_groups" if by else "fit"
        return f"sf.{verb}({way.written}, {self.source}{many}, inputs={{{inputs}}}, y={self.y}{also})"

    def _repeated(self, way: Way) -> str | None:
        """The column that names runs of which the table has several rows each."""
        named = self.view.named(ALIASES["curve"])
        for column in named:
            count = len(np.unique(np.asarray(self.view.table[column]).astype(str)))
            if column not in way.columns.values() and 1 < count <= self.view.rows / 2:
                return column
        return None

    def _why(self, way: Way, ways: Sequence[Way]) -> str:
        data, law = way.problem.data, way.law
        columns = [column for name, column in way.problem.columns.items() if name != "y"]
        said = [f"uses {listed(columns) if len(columns) < 6 else f'{len(columns)} columns'}"]
        said.append(f"{len(data)} rows for {len(law.coefs)} coefficients")
        if len(data) < ENOUGH * len(law.coefs):
            said[-1] += ", few"
        richest = max(ways, key=lambda other: len(other.columns))
        if left := [c for c in richest.columns.values() if c not in columns]:
            said.append(f"leaves out {listed(left) if len(left) < 6 else f'{len(left)} columns'}")
        if np.isfinite(way.score):
            best = min((w.score for w in ways if np.isfinite(w.score)), default=np.nan)
            unit = f"{100 * way.score:.2g} %" if way.problem.objective.space == "log" else f"{way.score:.2g}"
            what = "new mixtures" if self.view.shares and law.inputs[-1] in shares_in(law) else "larger runs"
            mark = ", the least here" if way.score == best and len(ways) > 1 else ""
            said.append(f"foretold {what} to {unit}{mark}")
        return "; ".join(said)

    def _hints(self, way: Way, by: Sequence[str]) -> list[str]:
        """What to mind, and what goes on from here."""
        data, found = way.problem.data, []
        inputs = way.law.inputs
        single = len(inputs) == 1 and inputs != ("L",) and self.view.predicts != "accuracy"
        if set(way.columns) == {"N", "D"} or single:
            text = ", ".join(f'"{n}": {quoted(c)}' for n, c in way.columns.items())
            name = "extrapolate_groups" if len(by) == 1 else "extrapolate"
            if len(by) < 2:
                also = f", {quoted(by[0])}" if by else ""
                zero = [c for n, c in way.columns.items() if n in data.x and np.any(data.x[n] <= 0)]
                less = f", without the rows where {zero[0]!r} is 0" if zero else ""
                found.append(
                    f"for larger runs{less}: sf.{name}({self.source}{also}, inputs={{{text}}}, y={self.y})"
                )
        group = self._repeated(way)
        if group and not by:
            found.append(
                f"{group!r} has several rows each: checkpoints of one run err together, hence group="
            )
        twice = repeats(list(data.x.values()))
        rest = [c for c in self._rest(way) if c in self.view.numbers and same_name(c) not in SEEDS]
        other = [c for c in rest if self._differs(c, way)]
        if len(twice) >= 0.2 * len(data) and other:
            found.append(
                f"runs of equal inputs differ in {listed([repr(c) for c in other[:4]])}; keep the best run "
                "of each cell before fitting, or the law is of the average setting"
            )
        if split := next((c for c in self.view.labels if same_name(c) in SPLITS), None):
            found.append(f"{split!r} says which rows were held out; the calls here fit all of them")
        return found

    def _rest(self, way: Way) -> list[str]:
        taken = {*way.columns.values(), *way.problem.columns.values(), self.view.y}
        return [c for c in map(str, self.view.table) if c not in taken and not kind_of(c)]

    def _differs(self, column: str, way: Way) -> bool:
        """Whether a setting takes several values at equal inputs."""
        inputs = list(way.problem.data.x.values())
        values = self.view.numbers[column][self.view.largest()]
        if not np.all(np.isfinite(values)):
            return False
        return len(repeats(inputs)) > len(repeats([*inputs, values])) and not self._says_the_same(column, way)

    def _says_the_same(self, column: str, way: Way) -> bool:
        """Whether a column is a power of the inputs, or of their product."""
        x = [v for n, v in way.problem.data.x.items() if n not in way.law.labels and np.all(v > 0)]
        values = self.view.numbers.get(column)
        if values is None or not x:
            return False
        values = values[self.view.largest()]
        if not np.all(np.isfinite(values)) or not np.all(values > 0) or np.ptp(values) == 0:
            return False
        design = np.stack([np.ones(len(values)), *map(np.log, x)], axis=1)
        target = np.log(values)
        left = target - design @ np.linalg.lstsq(design, target, rcond=None)[0]
        return bool(np.std(left) < 0.02 * np.std(target))

    def _unused(self, used: set[str], by: Sequence[str], first: Way) -> dict[str, str]:
        found: dict[str, str] = {}
        group = self._repeated(first)
        alike = {
            n: self.view.named(first.law.domain[n].aliases) for n in first.columns if n in first.law.domain
        }
        for column in map(str, self.view.table):
            if column in used or column in by or column == self.view.y or column == group:
                continue
            kind = kind_of(column)
            values = self.view.labels.get(column)
            if column in self.view.numbers and not self.view.varies(column):
                found[column] = "the same in every row"
            elif kind and column in self.view.numbers:
                found[column] = f"another {kind}: sf.suggest({self.source}, y={quoted(column)})"
            elif self._says_the_same(column, first):
                found[column] = f"says what {listed(list(first.law.inputs))} say already"
            elif twin := next((n for n, c in alike.items() if column in c), None):
                found[column] = f"could be {twin} too, which is {first.columns[twin]!r} here"
            elif values is not None and len(np.unique(values)) == self.view.rows:
                found[column] = "a name of its own for each row"
            elif values is not None and same_name(column) in SPLITS:
                found[column] = "which rows were held out"
            elif values is not None:
                count = len(np.unique(values))
                found[column] = f"a label of {count} value{'s' * (count > 1)}"
            elif column in self.view.numbers:
                found[column] = "no law suggested here takes it"
            else:
                found[column] = "has rows without a number"
        return _bundled(found)

    def _missing(self, reasons: Mapping[str, str]) -> tuple[str, ...]:
        """Laws that lack one column, by that column; and laws that the rows cannot determine."""
        lacking: dict[str, list[str]] = {}
        for name in USUAL[self.view.predicts]:
            law = laws.get(name)
            if any(known.each for known in law.domain.values()) or len(law.inputs) < 2:
                continue
            absent = [n for n in law.inputs if self.view.column(law, n) is None]
            if absent == ["D"] and self.view.budget(law, self.view.column(law, "N")):
                continue
            if len(absent) == 1:
                known = law.domain.get(absent[0])
                usual = known.aliases[0] if known and known.aliases else absent[0]
                lacking.setdefault(usual, []).append(name)
        found = [f"a column {usual!r}, for {listed(names)}" for usual, names in lacking.items()][:RICHER]
        if self.view.predicts == "accuracy" and not self.view.loss_of_the_task():
            found.insert(0, "the loss of the task (a column 'loss'), for ladder, log_sigmoid and sf.chain")
        return (*found, *(f"{law}: {why}" for law, why in reasons.items()))

    def _takes(self, law: Law) -> bool:
        """Whether a law of the catalogue has all its inputs here under usual names."""
        usual = {name: law.domain[name].aliases for name in law.inputs if name in law.domain}
        return (
            not law.whole
            and law.inputs != ("x",)
            and all(self.view.named((name, *usual.get(name, ()))) for name in law.inputs)
        )

    def of_curves(self) -> Suggestions:
        """Laws over whole curves, and the forecast of one that is still running."""
        assert self.view.curves is not None
        step, *rest = self.view.curves
        law, notes, lines = laws.get("lr_annealing"), list(self.view.notes), []
        curve = rest[1] if len(rest) == 2 else None
        steps = self.view.numbers[step]
        apart = self.view.rising(step, curve)
        source = self.source
        if apart is not None and apart:
            column, value = apart
            source = f"runs[runs[{quoted(column)}] == {value!r}]"
            notes.append(
                f"steps rise only within one {column!r}, so each is fitted by itself; `runs` is the table as "
                "a pandas frame"
            )
        last = int(2 * np.nanmax(steps))
        if curve:
            inputs = f'inputs={{"step": {quoted(step)}, "eta": {quoted(rest[0])}, "curve": {quoted(curve)}}}'
            count = len(np.unique(np.asarray(self.view.table[curve]).astype(str)))
            lines.append(
                {
                    "law": ", ".join(CURVE_LAWS),
                    "call": f"sf.fit_curves(sf.condense({source}, {inputs}, y={self.y}), {inputs}, "
                    f'y={self.y}, weight="weight")',
                    "inputs": f"step = {step}, eta = {rest[0]}, curve = {curve}",
                    "n_coefs": max(len(laws.get(name).coefs) for name in CURVE_LAWS),
                    "rows": self.view.rows,
                    "score": np.nan,
                    "why": f"{count} curves with the rate of each step; foretells other schedules",
                }
            )
            one = f'sf.fit("lr_annealing", {source}, {inputs}, y={self.y})'
            why = "one law of five coefficients, quicker; its interval leaves the other laws out"
            lines.append({**lines[0], "law": law.name, "call": one, "n_coefs": len(law.coefs), "why": why})
        else:
            rate = f", lr={quoted(rest[0])}" if rest else ""
            lines.append(
                {
                    "law": "power_floor",
                    "call": f"sf.forecast({source}, steps={last}, step={quoted(step)}, loss={self.y}{rate})",
                    "inputs": f"step = {step}",
                    "n_coefs": 3,
                    "rows": self.view.rows,
                    "score": np.nan,
                    "why": "one curve: where it ends at the step given, here twice the last; where the "
                    "schedule is known give it in place of steps",
                }
            )
        used = {*self.view.curves, self.view.y, *(apart[:1] if apart else ())}
        unused = {c: "no law over curves takes it" for c in map(str, self.view.table) if c not in used}
        lacking = (
            () if rest else ("the rate of each step (a column 'lr') and its schedule, for lr_annealing",)
        )
        if rest and not curve:
            lacking = (
                "several runs and a column 'run', for sf.fit_curves, which learns what a schedule does",
            )
        return Suggestions(
            frame(lines), self.view.y, self.view.predicts, _bundled(unused), lacking, (), tuple(notes)
        )


def _foretold(ways: Sequence[Way], view: View, key: int) -> list[Way]:
    """The ways with the score of a quick backtest, those of the same inputs on the same windows."""
    found = []
    for way in steps(ways, "laws that the columns allow"):
        alike = [w.problem for w in ways if set(w.problem.columns) == set(way.problem.columns)]
        try:
            value = _score(way.problem, alike, key)
        except ValueError:
            # What makes a run large is not clear, or there are too few sizes: then nothing is foretold.
            value = np.nan
        found.append(replace(way, score=value))
    return found


def _score(problem: Problem, alike: Sequence[Problem], key: int) -> float:
    """Root mean square error on rows held out: larger runs, or folds of mixtures."""
    law, data = problem.law, problem.data
    if len(law.coefs) > MOST_COEFS or law.labels:
        return np.nan
    named = {str(k): p for k, p in enumerate(alike)}
    by, size = sizes_of(named, {}, None)
    kept = _evenly(np.arange(len(data)) if size is None else np.argsort(size, kind="stable"))
    thin = {label: replace(p, data=p.data.take(kept)) for label, p in named.items()}
    data = data.take(kept)
    ahead = windows_of(
        by, None if size is None else size[kept], thin, N_CUTS if size is not None else FOLDS, key
    )
    weights = [np.where(held, 0.0, data.weight) for held in ahead.held]
    errors, searches = [], refitting(law, [data], problem.objective, weights)()
    for held, found in zip(ahead.held, searches, strict=True):
        coefs = {name: values[0] for name, values in natural(law, found.ends.u[found.best][None]).items()}
        with np.errstate(all="ignore"):
            told = np.broadcast_to(np.asarray(law(coefs, data.x), float), data.y.shape)
            errors.append(problem.objective.residual(told, data.y)[held])
    value = score(errors, np.zeros(len(errors)))
    return value if np.isfinite(value) else np.nan


def _evenly(order: np.ndarray) -> np.ndarray:
    """At most `MOST_ROWS` of these rows, evenly spread, the last among them."""
    return order[np.unique(np.linspace(len(order) - 1, 0, min(len(order), MOST_ROWS)).round().astype(int))]


def _bundled(found: Mapping[str, str]) -> dict[str, str]:
    """Reasons by column; those of more than four columns that differ only in their own name as one."""
    by_reason: dict[str, list[str]] = {}
    for column, why in found.items():
        by_reason.setdefault(why.replace(quoted(column), "..."), []).append(column)
    out = {}
    for why, columns in by_reason.items():
        if len(columns) > 4:
            out[f"{', '.join(columns[:2])} and {len(columns) - 2} more"] = why
        else:
            out |= {column: found[column] for column in columns}
    return out
