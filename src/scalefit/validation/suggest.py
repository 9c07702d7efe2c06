"""Which laws the columns of a table allow: the two or three to try first, each with the call that fits it.

    sf.suggest(runs)

Columns are recognised by their names, as in `sf.fit`, and looked at: what varies, what says the same twice,
which labels part the table into groups. Of the laws in usual use (`USUAL`) those stay whose inputs are all
there and whose coefficients the rows can determine. First comes what uses most of the columns, then what
foretells larger runs of the table best.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from scalefit import laws
from scalefit.arguments import by_name, check_key, missing
from scalefit.core.data import Data, repeats
from scalefit.core.law import ALLOWED, Law
from scalefit.fits.progress import steps
from scalefit.fits.record import natural
from scalefit.fits.windows import refits
from scalefit.frames import Frame, frame
from scalefit.laws.inputs import ALIASES
from scalefit.runs import tables
from scalefit.runs.binding import bind, objective_of, same_name
from scalefit.validation.columns import explains, is_count, kind_of, one_line, shares_of, target_of, values_of
from scalefit.validation.windows import Problem, sizes_of, windows_of
from scalefit.words import listed, short

__all__ = ["Suggestions", "suggest"]

# Laws in usual use by what they predict, in the order in which they are tried where nothing else decides.
# A law of "x" is one of any single input.
USUAL: dict[str, tuple[str, ...]] = {
    "loss": (
        *("muennighoff_repeat", "chinchilla", "skaling", "frantar_sparse", "abnar_moe", "joint_moe"),
        *("krajewski_moe", "clark_routed", "parscale", "kumar_precision", "fp_quant", "gemstones_shape"),
        *("ho_progress", "diloco_loss", "ghorbani_nmt", "rectified_ft", "hernandez_loss", "gadre_loss"),
        *("shukor_additive", "ye_mixing", "regmix_linear", "power_floor", "alabdulmohsin_m3", "bnsl"),
        "brandfonbrener_l2l",
    ),
    "accuracy": (
        "ladder",
        "log_sigmoid",
        "kbit_inference",
        "owen_sigmoid",
        "scalerl",
        "pass_at_k",
        "monkeys",
    ),
    "error": ("gadre_error", "goyal_utility", "alabdulmohsin_m3", "alabdulmohsin_m4", "power_floor"),
}
# Inputs that a law of one input may stand for, those of most use first.
SINGLE = ("C", "D", "N", "D_F", "S", "x")
# Names of a column that says which rows were held out.
SPLITS = ("split", "fold", "partition", "subset")
# Names of a column in which repeats of one setting differ.
SEEDS = ("seed", "replicate", "repeat")
CURVE_LAWS = ("lr_annealing", "multi_power", "fsl")
# Rows for each coefficient below which a law comes after those that have as many.
ENOUGH = 2
# Distinct values of an input below which no law bends through them.
SCALES = 3
# Rows that a curve has at least.
LONG = 8
# An input's share of scatter that the others leave, below which it says nothing of its own.
NEARLY = 0.1
# A backtest for a suggestion is quick: so many rows, evenly by size, and no law of more coefficients.
MOST_ROWS, MOST_COEFS = 400, 40
SHOWN, N_CUTS, FOLDS = 3, 2, 4
# Stands for the column of tokens where they follow from sizes and budgets.
DERIVED = ""
# Distinct numbers of a column that may tell curves apart.
MOST_LABELS = 20
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


@dataclass(frozen=True)
class _Way:
    """A law on these columns: how it is written in a call, its inputs' columns, its place in `USUAL`;
    own: how many inputs are not nearly a power of the others."""

    law: Law
    written: str
    columns: Mapping[str, str]
    rank: int
    problem: Problem | None = None
    own: int = 0
    score: float = np.nan


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
    view = _View.of(table, y, by_name("inputs", inputs), repr_of(runs))
    if view.curves is not None:
        return view.of_curves()
    ways, reasons = view.ways()
    if not ways:
        raise ValueError(view.nothing(reasons))
    ways = _ordered([replace(way, score=np.nan) for way in ways])[:SHOWN]
    if backtest:
        ways = _ordered(_foretold(ways, view, key))
    return view.answer(ways, reasons)


def repr_of(runs: Any) -> str:
    """The table in a call: its path, or the name `runs`."""
    return _quoted(str(runs)) if isinstance(runs, str | Path) else "runs"


@dataclass(frozen=True)
class _View:
    """A table as it is looked at: numeric columns, labels, the output, and the column of each input."""

    table: Any
    source: str
    y: str
    predicts: str
    numbers: Mapping[str, np.ndarray]
    labels: Mapping[str, np.ndarray]
    shares: tuple[str, ...]
    given: Mapping[str, str]
    groups: tuple[str, ...]
    curves: tuple[str, ...] | None
    notes: tuple[str, ...]

    @classmethod
    def of(cls, table: Any, y: str | None, given: Mapping[str, str], source: str) -> _View:
        names = [str(name) for name in table]
        if not names:
            raise ValueError("the table has no columns; give one row per run with sizes and a loss")
        for name, column in given.items():
            tables.find(table, column, f"input {name}")
        notes = list(tables.notes_of(table))
        kinds = {str(name): values_of(table[name]) for name in table}
        numeric = {n: v for n, v in kinds.items() if v is not None and v.dtype.kind == "f"}
        labels = {n: v for n, v in kinds.items() if v is not None and v.dtype.kind != "f"}
        if not any(len(values) for values in (*numeric.values(), *labels.values())):
            raise ValueError("the table has no rows; give one row per run")
        for name, column in given.items():
            _check_given(name, str(column), numeric)
        target, predicts = target_of(table, y, numeric, notes)
        view = cls(
            *(table, source, target, predicts, numeric, labels, shares_of(numeric, target), dict(given)),
            groups=(),
            curves=None,
            notes=tuple(notes),
        )
        view = replace(view, curves=view._curves())
        return replace(view, groups=view._groups())

    @property
    def rows(self) -> int:
        return len(self.table[self.y])

    def column(self, law: Law, name: str) -> str | None:
        """The column of a law's input: the one given, or that with its usual name;
        of several the most usual."""
        if name in self.given:
            return self.given[name]
        known = law.domain.get(name)
        if known is not None and known.each:
            place = int(name.rpartition("_")[2]) - 1
            return self.shares[place] if place < len(self.shares) else None
        if name == "L" and self.predicts in ("accuracy", "error"):
            return self._loss_of_the_task()
        usual = (name, *(known.aliases if known is not None else ALIASES.get(name, ())))
        return next(iter(self.named(usual)), None)

    def named(self, usual: Iterable[str]) -> list[str]:
        """The columns with one of these names but the output's, in the names' order."""
        by_name: dict[str, list[str]] = {}
        for column in map(str, self.table):
            by_name.setdefault(same_name(column), []).append(column)
        found = [column for alias in usual for column in by_name.get(same_name(alias), ())]
        return [column for column in dict.fromkeys(found) if column != self.y]

    def _loss_of_the_task(self) -> str | None:
        """The loss that belongs to an accuracy: bpb_arc beside acc_arc, or the only loss there is."""
        stem = re.sub(r"^[^_]*_", "", self.y)
        losses = [c for c in self.numbers if c != self.y and kind_of(c) == "loss"]
        same = [c for c in losses if re.sub(r"^[^_]*_", "", c) == stem]
        usual = [c for c in self.named(ALIASES["L"]) if c in losses]
        return next(iter((*same, *usual, *(losses if len(losses) == 1 else ()))), None)

    def varies(self, column: str) -> bool:
        """Whether a column has more than one value."""
        values = self.numbers.get(column)
        return values is None or len(np.unique(values[np.isfinite(values)])) > 1

    def _curves(self) -> tuple[str, ...] | None:
        """The columns of step, rate and curve, where rows are the steps of runs whose rate changes."""
        law = laws.get("lr_annealing")
        step, eta = self.column(law, "step"), self.column(law, "eta")
        if self.predicts != "loss" or self.shares or step is None or step not in self.numbers:
            return None
        curve = self.column(law, "curve")
        if eta is not None and (eta not in self.numbers or not self.varies(eta)):
            eta = None
        own = self._parts([curve] if curve else [])
        if not own or np.median([len(rows) for rows in own]) < LONG:
            return None
        if eta is None and any(self.column(laws.get("chinchilla"), name) for name in ("N", "D")):
            return None
        if self._rising(step, curve) is None:
            return None
        return tuple(c for c in (step, eta, curve) if c and (eta or c == step))

    def _parts(self, columns: Sequence[str]) -> list[np.ndarray]:
        """The rows of each combination of these columns' values."""
        if not columns:
            return [np.arange(self.rows)]
        keys = [np.unique(np.asarray(self.table[c]).astype(str), return_inverse=True)[1] for c in columns]
        _, each = np.unique(np.stack(keys), axis=1, return_inverse=True)
        order = np.argsort(each.reshape(-1), kind="stable")
        return np.split(order, np.cumsum(np.bincount(each.reshape(-1)))[:-1])

    def _groups(self) -> tuple[str, ...]:
        """Labels that no number in the table explains, whose rows are fitted by themselves."""
        found = []
        for label, values in self.labels.items():
            distinct = len(np.unique(values))
            blank = any(missing(cell) for cell in np.asarray(self.table[label]).tolist())
            if blank or not 1 < distinct <= self.rows / 2 or same_name(label) in SPLITS:
                continue
            if not any(explains(column, values) for name, column in self.numbers.items() if name != self.y):
                found.append(label)
        return tuple(found)

    # What is suggested.

    def ways(self) -> tuple[list[_Way], dict[str, str]]:
        """The laws in usual use that these columns allow, and why others are not among them."""
        found, reasons = [], {}
        for rank, name in enumerate(USUAL[self.predicts]):
            for way in self._of_law(laws.get(name), rank):
                try:
                    found.append(self._checked(way))
                except ValueError as error:
                    reasons[f"{name} of {', '.join(way.columns)}"] = str(error)
        most = max((way.own for way in found), default=0)
        # Laws of one input stand in where there is nothing richer; a link from the loss is always of use.
        return [w for w in found if len(w.law.inputs) > 1 or most == 1 or w.law.inputs == ("L",)], reasons

    def _of_law(self, law: Law, rank: int) -> list[_Way]:
        """A law on the columns there are; a law of any single input on each such column in its turn."""
        text = _quoted(law.name)
        if law.predicts != self.predicts:
            law, text = law.predicting(self.predicts), f'sf.laws.{law.name}.predicting("{self.predicts}")'
        if any(known.each for known in law.domain.values()):
            if len(self.shares) < 2:
                return []
            law = law.sized(domain=len(self.shares))
            text = f"sf.laws.{law.name}.sized(domain={len(self.shares)})"
        if law.inputs == ("x",):
            single = self._single()
            return [] if single is None else [_Way(law, text, {"x": single}, rank)]
        columns = {name: self.column(law, name) for name in law.inputs}
        if "D" in columns and columns["D"] is None and self._budget(law, columns.get("N")):
            columns["D"] = DERIVED
        there = {name: column for name, column in columns.items() if column is not None}
        return [_Way(law, text, there, rank)] if len(there) == len(columns) else []

    def _budget(self, law: Law, size: str | None) -> bool:
        """Whether tokens follow from sizes and budgets in FLOPs, as `sf.fit` derives them."""
        return {"N", "D"} <= set(law.inputs) and size is not None and len(self.named(ALIASES["C"])) == 1

    def _single(self) -> str | None:
        """The one column that says how large a run is."""
        if "x" in self.given:
            return self.given["x"]
        rows = self._largest()
        for name in SINGLE:
            usual = ("x",) if name == "x" else ALIASES.get(name, (name,))
            for column in self.named(usual):
                values = self.numbers.get(column)
                if values is not None and np.ptp(values[rows]) > 0 and np.all(values[rows] > 0):
                    return column
        counts = [c for c, v in self.numbers.items() if c != self.y and not kind_of(c) and is_count(v[rows])]
        return counts[0] if len(counts) == 1 else None

    def _checked(self, way: _Way) -> _Way:
        """The way with its columns; ValueError where the rows cannot determine the law."""
        law, columns = way.law, {n: c for n, c in way.columns.items() if c != DERIVED}
        for name, column in columns.items():
            known = law.domain.get(name)
            values = self.numbers.get(column)
            if values is None and not (known and known.allowed in ("a label", "a curve")):
                raise ValueError(f"column {column!r} ({name}) holds no numbers")
            lo, hi = ALLOWED[known.allowed] if known else ALLOWED["a number"]
            if values is not None and not np.all((values >= lo) & (values <= hi)):
                raise ValueError(
                    f"column {column!r} is not {known.allowed if known else 'a number'} in every row"
                )
        rows = self._largest()
        part = {str(name): np.asarray(self.table[name])[rows] for name in self.table}
        objective = objective_of(law, None)
        data, found, notes = bind(law, part, columns, self.y, None, None, objective, enough=1)
        if len(data) < len(law.coefs) + 1:
            raise ValueError(
                f"{len(data)} rows for {len(law.coefs)} coefficients; it needs {len(law.coefs) + 1} or more"
            )
        for name, values in data.x.items():
            distinct = len(np.unique(values))
            scales = law.domain[name].scales if name in law.domain else True
            if name not in law.labels and distinct < (SCALES if scales or len(data.x) == 1 else 2):
                raise ValueError(f"column {found[name]!r} ({name}) takes only {distinct} values")
        if {"w", "d"} <= set(data.x):
            shapes = len(np.unique(np.stack([data.x["w"], data.x["d"]]), axis=1).T)
            if shapes < len(law.coefs):
                raise ValueError(f"only {shapes} shapes (width and depth) for {len(law.coefs)} coefficients")
        if {"N", "D"} <= set(data.x) and one_line(data.x["N"], data.x["D"]):
            raise ValueError(
                "tokens per parameter are the same in every run, so N and D cannot be told apart"
            )
        problem = Problem(law, data, objective, found, notes)
        return replace(way, columns=columns, problem=problem, own=_own(law, data))

    def _largest(self) -> np.ndarray:
        """The rows of the largest group; all where there is one."""
        return max(self._parts(self._by()), key=len)

    def _by(self) -> list[str]:
        """The labels by which groups are fitted: all of them where groups keep enough rows, else none."""
        parts = self._parts(self.groups)
        usual = 2 * ENOUGH + 2
        return list(self.groups) if np.median([len(rows) for rows in parts]) >= usual else []

    def nothing(self, reasons: Mapping[str, str]) -> str:
        """Why there is no suggestion, in one sentence."""
        if reasons:
            law, why = next(iter(reasons.items()))
            return f"no law in usual use can be fitted to these columns ({law}: {why})"
        lacking = (
            "a loss beside it, as bpb_arc beside acc_arc, or a budget in FLOPs"
            if self.predicts == "accuracy"
            else "parameters (n_params), tokens (n_tokens), a budget (flops) or shares that sum to one"
        )
        return (
            f"no law in usual use predicts {self.y!r} from the columns {tables.listed(self.table)}; "
            f"what is missing is {lacking}, or say which column is which with "
            'inputs={"N": "..."}; sf.law(fn) makes a law of your own'
        )

    def answer(self, ways: Sequence[_Way], reasons: Mapping[str, str]) -> Suggestions:
        by, notes = self._by(), list(self.notes)
        lines = []
        for way in ways:
            assert way.problem is not None
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
                f"{len(self._parts(by))} groups, each fitted by itself; rows and scores are of the largest"
            )
        first = ways[0]
        notes += self._hints(first, by)
        used = {column for way in ways if way.problem for column in way.problem.columns.values()}
        known = {way.law.name for way in ways}
        others = [
            law.name
            for law in laws.find(predicts=self.predicts)
            if law.name not in known and self._takes(law)
        ]
        return Suggestions(
            frame(lines),
            self.y,
            self.predicts,
            self._unused(used, by, first),
            self._missing(reasons),
            tuple(others),
            tuple(notes),
        )

    def _call(self, way: _Way, by: Sequence[str]) -> str:
        inputs = ", ".join(f'"{name}": {_quoted(column)}' for name, column in way.columns.items())
        many = (
            ""
            if not by
            else f", by={_quoted(by[0])}"
            if len(by) == 1
            else f", by=[{', '.join(map(_quoted, by))}]"
        )
        group = self._repeated(way)
        also = f", group={_quoted(group)}" if group and not by else ""
        verb = "fit_groups" if by else "fit"
        return (
            f"sf.{verb}({way.written}, {self.source}{many}, inputs={{{inputs}}}, y={_quoted(self.y)}{also})"
        )

    def _repeated(self, way: _Way) -> str | None:
        """The column that names runs of which the table has several rows each."""
        named = self.named(ALIASES["curve"])
        for column in named:
            count = len(np.unique(np.asarray(self.table[column]).astype(str)))
            if column not in way.columns.values() and 1 < count <= self.rows / 2:
                return column
        return None

    def _why(self, way: _Way, ways: Sequence[_Way]) -> str:
        assert way.problem is not None
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
            what = "new mixtures" if self.shares and law.inputs[-1] in _share_inputs(law) else "larger runs"
            mark = ", the least here" if way.score == best and len(ways) > 1 else ""
            said.append(f"foretold {what} to {unit}{mark}")
        return "; ".join(said)

    def _hints(self, way: _Way, by: Sequence[str]) -> list[str]:
        """What to mind, and what goes on from here."""
        assert way.problem is not None
        data, found = way.problem.data, []
        inputs = way.law.inputs
        single = len(inputs) == 1 and inputs != ("L",) and self.predicts != "accuracy"
        if set(way.columns) == {"N", "D"} or single:
            text = ", ".join(f'"{n}": {_quoted(c)}' for n, c in way.columns.items())
            name = "extrapolate_groups" if len(by) == 1 else "extrapolate"
            if len(by) < 2:
                also = f", {_quoted(by[0])}" if by else ""
                found.append(
                    f"for larger runs: sf.{name}({self.source}{also}, inputs={{{text}}}, y={_quoted(self.y)})"
                )
        group = self._repeated(way)
        if group and not by:
            found.append(
                f"{group!r} has several rows each: checkpoints of one run err together, hence group="
            )
        twice = repeats(list(data.x.values()))
        rest = [c for c in self._rest(way) if c in self.numbers and same_name(c) not in SEEDS]
        other = [c for c in rest if self._differs(c, way)]
        if len(twice) >= 0.2 * len(data) and other:
            found.append(
                f"runs of equal inputs differ in {listed([repr(c) for c in other[:4]])}; keep the best run "
                "of each cell before fitting, or the law is of the average setting"
            )
        if split := next((c for c in self.labels if same_name(c) in SPLITS), None):
            found.append(f"{split!r} says which rows were held out; the calls here fit all of them")
        return found

    def _rest(self, way: _Way) -> list[str]:
        assert way.problem is not None
        taken = {*way.columns.values(), *way.problem.columns.values(), self.y}
        return [c for c in map(str, self.table) if c not in taken and not kind_of(c)]

    def _differs(self, column: str, way: _Way) -> bool:
        """Whether a setting takes several values at equal inputs."""
        assert way.problem is not None
        inputs = list(way.problem.data.x.values())
        values = self.numbers[column][self._largest()]
        if not np.all(np.isfinite(values)):
            return False
        return len(repeats(inputs)) > len(repeats([*inputs, values])) and not self._says_the_same(column, way)

    def _says_the_same(self, column: str, way: _Way) -> bool:
        """Whether a column is a power of the inputs, or of their product."""
        assert way.problem is not None
        x = [v for n, v in way.problem.data.x.items() if n not in way.law.labels and np.all(v > 0)]
        values = self.numbers.get(column)
        if values is None or not x:
            return False
        values = values[self._largest()]
        if not np.all(np.isfinite(values)) or not np.all(values > 0) or np.ptp(values) == 0:
            return False
        design = np.stack([np.ones(len(values)), *map(np.log, x)], axis=1)
        target = np.log(values)
        left = target - design @ np.linalg.lstsq(design, target, rcond=None)[0]
        return bool(np.std(left) < 0.02 * np.std(target))

    def _unused(self, used: set[str], by: Sequence[str], first: _Way) -> dict[str, str]:
        found: dict[str, str] = {}
        group = self._repeated(first)
        alike = {n: self.named(first.law.domain[n].aliases) for n in first.columns if n in first.law.domain}
        for column in map(str, self.table):
            if column in used or column in by or column == self.y or column == group:
                continue
            kind = kind_of(column)
            values = self.labels.get(column)
            if column in self.numbers and not self.varies(column):
                found[column] = "the same in every row"
            elif kind and column in self.numbers:
                found[column] = f"another {kind}: sf.suggest({self.source}, y={_quoted(column)})"
            elif self._says_the_same(column, first):
                found[column] = f"says what {listed(list(first.law.inputs))} say already"
            elif twin := next((n for n, c in alike.items() if column in c), None):
                found[column] = f"could be {twin} too, which is {first.columns[twin]!r} here"
            elif values is not None and len(np.unique(values)) == self.rows:
                found[column] = "a name of its own for each row"
            elif values is not None and same_name(column) in SPLITS:
                found[column] = "which rows were held out"
            elif values is not None:
                count = len(np.unique(values))
                found[column] = f"a label of {count} value{'s' * (count > 1)}"
            elif column in self.numbers:
                found[column] = "no law suggested here takes it"
            else:
                found[column] = "has rows without a number"
        return _bundled(found)

    def _missing(self, reasons: Mapping[str, str]) -> tuple[str, ...]:
        """Laws that lack one column, by that column; and laws that the rows cannot determine."""
        lacking: dict[str, list[str]] = {}
        for name in USUAL[self.predicts]:
            law = laws.get(name)
            if any(known.each for known in law.domain.values()) or len(law.inputs) < 2:
                continue
            absent = [n for n in law.inputs if self.column(law, n) is None]
            if absent == ["D"] and self._budget(law, self.column(law, "N")):
                continue
            if len(absent) == 1:
                known = law.domain.get(absent[0])
                usual = known.aliases[0] if known and known.aliases else absent[0]
                lacking.setdefault(usual, []).append(name)
        found = [f"a column {usual!r}, for {listed(names)}" for usual, names in lacking.items()][:RICHER]
        if self.predicts == "accuracy" and not self._loss_of_the_task():
            found.insert(0, "the loss of the task (a column 'loss'), for ladder, log_sigmoid and sf.chain")
        return (*found, *(f"{law}: {why}" for law, why in reasons.items()))

    def _takes(self, law: Law) -> bool:
        """Whether a law of the catalogue has all its inputs here under usual names."""
        usual = {name: law.domain[name].aliases for name in law.inputs if name in law.domain}
        return (
            not law.whole
            and law.inputs != ("x",)
            and all(self.named((name, *usual.get(name, ()))) for name in law.inputs)
        )

    def of_curves(self) -> Suggestions:
        """Laws over whole curves, and the forecast of one that is still running."""
        assert self.curves is not None
        step, *rest = self.curves
        law, notes, lines = laws.get("lr_annealing"), list(self.notes), []
        curve = rest[1] if len(rest) == 2 else None
        steps = self.numbers[step]
        apart = self._rising(step, curve)
        source = self.source
        if apart is not None and apart:
            column, value = apart
            source = f"runs[runs[{_quoted(column)}] == {value!r}]"
            notes.append(
                f"steps rise only within one {column!r}, so each is fitted by itself; `runs` is the table as "
                "a pandas frame"
            )
        last = int(2 * np.nanmax(steps))
        if curve:
            inputs = (
                f'inputs={{"step": {_quoted(step)}, "eta": {_quoted(rest[0])}, "curve": {_quoted(curve)}}}'
            )
            count = len(np.unique(np.asarray(self.table[curve]).astype(str)))
            lines.append(
                {
                    "law": ", ".join(CURVE_LAWS),
                    "call": f"sf.fit_curves(sf.condense({source}, {inputs}, y={_quoted(self.y)}), {inputs}, "
                    f'y={_quoted(self.y)}, weight="weight")',
                    "inputs": f"step = {step}, eta = {rest[0]}, curve = {curve}",
                    "n_coefs": max(len(laws.get(name).coefs) for name in CURVE_LAWS),
                    "rows": self.rows,
                    "score": np.nan,
                    "why": f"{count} curves with the rate of each step; foretells other schedules",
                }
            )
            one = f'sf.fit("lr_annealing", {source}, {inputs}, y={_quoted(self.y)})'
            why = "one law of five coefficients, quicker; its interval leaves the other laws out"
            lines.append({**lines[0], "law": law.name, "call": one, "n_coefs": len(law.coefs), "why": why})
        else:
            rate = f", lr={_quoted(rest[0])}" if rest else ""
            lines.append(
                {
                    "law": "power_floor",
                    "call": f"sf.forecast({source}, steps={last}, step={_quoted(step)}, "
                    f"loss={_quoted(self.y)}{rate})",
                    "inputs": f"step = {step}",
                    "n_coefs": 3,
                    "rows": self.rows,
                    "score": np.nan,
                    "why": "one curve: where it ends at the step given, here twice the last; where the "
                    "schedule is known give it in place of steps",
                }
            )
        used = {*self.curves, self.y, *(apart[:1] if apart else ())}
        unused = {c: "no law over curves takes it" for c in map(str, self.table) if c not in used}
        lacking = (
            () if rest else ("the rate of each step (a column 'lr') and its schedule, for lr_annealing",)
        )
        if rest and not curve:
            lacking = (
                "several runs and a column 'run', for sf.fit_curves, which learns what a schedule does",
            )
        return Suggestions(frame(lines), self.y, self.predicts, _bundled(unused), lacking, (), tuple(notes))

    def _rising(self, step: str, curve: str | None) -> tuple[str, Any] | tuple[()] | None:
        """() where steps rise within curves; else a label and its first value, within which they do."""

        def rise(rows: Iterable[np.ndarray]) -> bool:
            return all(np.all(np.diff(self.numbers[step][part]) > 0) for part in rows)

        own = [curve] if curve else []
        if rise(self._parts(own)):
            return ()
        few = [
            c for c, v in self.numbers.items() if c not in (step, self.y) and len(np.unique(v)) <= MOST_LABELS
        ]
        for label in (*self.labels, *few):
            if label != curve and rise(self._parts([*own, label])):
                cell = np.asarray(self.table[label]).tolist()[0]
                return label, str(cell) if isinstance(cell, str) else cell
        return None


def _check_given(name: str, column: str, numeric: Mapping[str, np.ndarray]) -> None:
    """ValueError for an input that no law has, or one of numbers whose column holds none."""
    # Laws over lists have as many inputs h_1, h_2, ... as there are domains.
    one = re.sub(r"_\d+$", "_1", name) if isinstance(name, str) else name
    every = map(laws.get, laws.names())
    kinds = {law.domain[one].allowed if one in law.domain else "" for law in every if one in law.inputs}
    if not kinds:
        raise ValueError(f"no law of the catalogue has an input {name!r}; sf.laws.table() lists them")
    if column not in numeric and not kinds & {"a label", "a curve"}:
        raise ValueError(f"column {column!r} (input {name}) holds labels and no numbers; say another column")


def _own(law: Law, data: Data) -> int:
    """How many inputs say something of their own: they are not nearly a power of those before them."""
    kept = [np.ones(len(data))]
    for name in law.inputs:
        column = data.x[name]
        if name in law.labels or not np.all(column > 0):
            kept.append(column)
            continue
        target = np.log(column)
        design = np.stack(kept, axis=1)
        left = target - design @ np.linalg.lstsq(design, target, rcond=None)[0]
        if np.std(left) > NEARLY * np.std(target):
            kept.append(target)
    return len(kept) - 1


def _share_inputs(law: Law) -> tuple[str, ...]:
    return tuple(name for name in law.inputs if name in law.domain and law.domain[name].each)


def _ordered(ways: Sequence[_Way]) -> list[_Way]:
    """More columns, enough rows, a better backtest, wider use."""

    def rank(way: _Way) -> tuple[float, ...]:
        assert way.problem is not None
        few = len(way.problem.data) < ENOUGH * len(way.law.coefs)
        score = way.score if np.isfinite(way.score) else np.inf
        return few, -way.own, score, way.rank

    return sorted(ways, key=rank)


def _foretold(ways: Sequence[_Way], view: _View, key: int) -> list[_Way]:
    """The ways with the score of a quick backtest, those of the same inputs on the same windows."""
    found = []
    for way in steps(ways, "laws that the columns allow"):
        assert way.problem is not None
        alike = [w for w in ways if w.problem and set(w.problem.columns) == set(way.problem.columns)]
        try:
            score = _score(way, [w.problem for w in alike if w.problem])
        except ValueError:
            # What makes a run large is not clear, or there are too few sizes: then nothing is foretold.
            score = np.nan
        found.append(replace(way, score=score))
    return found


def _score(way: _Way, alike: Sequence[Problem]) -> float:
    """Root mean square error on rows held out: larger runs, or folds of mixtures."""
    problem = way.problem
    assert problem is not None
    law, data = problem.law, problem.data
    if len(law.coefs) > MOST_COEFS or law.labels:
        return np.nan
    if _share_inputs(law):
        kept = _evenly(np.arange(len(data)))
        fold = np.random.default_rng(0).permutation(np.arange(len(kept)) % FOLDS)
        held = [fold == k for k in range(FOLDS)]
    else:
        named = {str(k): p for k, p in enumerate(alike)}
        by, size = sizes_of(named, {}, None)
        kept = _evenly(np.argsort(size, kind="stable"))
        thin = {label: replace(p, data=p.data.take(kept)) for label, p in named.items()}
        held = [size[kept] > cut for cut in windows_of(size[kept], thin, by, N_CUTS)]
    data = data.take(kept)
    weights = [np.where(rows, 0.0, data.weight) for rows in held]
    square = []
    for rows, found in zip(held, refits(law, [data], problem.objective, weights), strict=True):
        residual = _residual(problem, data, found.ends.u[found.best])
        square.append(np.mean(residual[rows] ** 2))
    mean = float(np.sqrt(np.exp(np.mean(np.log(np.maximum(square, 1e-300))))))
    return mean if np.isfinite(mean) else np.nan


def _evenly(order: np.ndarray) -> np.ndarray:
    """At most `MOST_ROWS` of these rows, evenly spread, the last among them."""
    return order[np.unique(np.linspace(len(order) - 1, 0, min(len(order), MOST_ROWS)).round().astype(int))]


def _residual(problem: Problem, data: Data, u: np.ndarray) -> np.ndarray:
    coefs = {name: values[0] for name, values in natural(problem.law, u[None]).items()}
    with np.errstate(all="ignore"):
        told = np.broadcast_to(np.asarray(problem.law(coefs, data.x), float), data.y.shape)
        return problem.objective.residual(told, data.y)


def _bundled(found: Mapping[str, str]) -> dict[str, str]:
    """Reasons by column; those of more than four columns that differ only in their own name as one."""
    by_reason: dict[str, list[str]] = {}
    for column, why in found.items():
        by_reason.setdefault(why.replace(_quoted(column), "..."), []).append(column)
    out = {}
    for why, columns in by_reason.items():
        if len(columns) > 4:
            out[f"{', '.join(columns[:2])} and {len(columns) - 2} more"] = why
        else:
            out |= {column: found[column] for column in columns}
    return out


def _quoted(text: str) -> str:
    """A Python string in double quotes."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
