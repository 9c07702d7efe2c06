"""Which laws the columns of a table allow.

Columns are recognised by their names, as in `sf.fit`, and looked at: what varies, what says the same twice,
which labels part the table into groups. Of the laws in usual use (`USUAL`) those stay whose inputs are all
there and whose coefficients the rows can determine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from scalefit import laws
from scalefit.arguments import missing
from scalefit.core.data import Data
from scalefit.core.law import ALLOWED, Law
from scalefit.laws.inputs import ALIASES
from scalefit.runs import tables
from scalefit.runs.binding import bind, kind_of, objective_of, refuse_units, tells_tokens
from scalefit.runs.names import Names, same_name
from scalefit.validation.columns import explains, is_count, one_line, shares_of, target_of, values_of
from scalefit.validation.few_runs import FEWEST, MOST
from scalefit.validation.windows import Problem
from scalefit.words import quoted

__all__ = ["ENOUGH", "SHOWN", "SPLITS", "USUAL", "View", "Way", "ordered"]

# Laws in usual use by what they predict, in the order in which they are tried where nothing else decides.
# A law of "x" is one of any single input.
USUAL: dict[str, tuple[str, ...]] = {
    "loss": (
        *("muennighoff_repeat", "chinchilla", "skaling", "frantar_sparse", "abnar_moe", "joint_moe"),
        *("krajewski_moe", "clark_routed", "parscale", "kumar_precision", "fp_quant", "gemstones_shape"),
        *("ho_progress", "diloco_loss", "ghorbani_nmt", "rectified_ft", "hernandez_loss", "gadre_loss"),
        *(
            "shukor_additive",
            "ye_mixing",
            "regmix_linear",
            "bimix",
            "power_floor",
            "alabdulmohsin_m3",
            "bnsl",
        ),
        "brandfonbrener_l2l",
    ),
    "accuracy": (
        "ladder",
        "log_sigmoid",
        "downstream_power",
        "downstream_nd",
        "kbit_inference",
        "owen_sigmoid",
        "scalerl",
        "pass_at_k",
        "monkeys",
    ),
    "error": (
        *("gadre_error", "goyal_utility", "power", "alabdulmohsin_m3", "alabdulmohsin_m4", "power_floor"),
    ),
}
# Coefficients of which a law has one more than data can tell, held: k e^(t.h) is e^((t + log k).h) of shares,
# and A only scales B and C.
REDUNDANT = {"ye_mixing": {"k": 1.0}, "bimix": {"A": 1.0}}
# Inputs that a law of one input may stand for, those of most use first.
SINGLE = ("C", "D", "N", "D_F", "S", "x")
# Names of a column that says which rows were held out.
SPLITS = ("split", "fold", "partition", "subset")
# So many laws are suggested, and averaged.
SHOWN = 3
# Rows for each coefficient below which a law comes after those that have as many.
ENOUGH = 2
# Distinct values of an input below which no law bends through them.
SCALES = 3
# Rows that a curve has at least.
LONG = 8
# An input's share of scatter that the others leave, below which it says nothing of its own.
NEARLY = 0.1
# Stands for the column of tokens where they follow from sizes and budgets.
DERIVED = ""
# Distinct numbers of a column that may tell curves apart.
MOST_LABELS = 20


@dataclass(frozen=True)
class Way:
    """A law on these columns: how it is written in a call, its inputs' columns, its place in `USUAL`;
    own: how many inputs are not nearly a power of the others."""

    law: Law
    written: str
    columns: Mapping[str, str]
    rank: int
    problem: Problem
    own: int
    score: float = np.nan

    @property
    def scaled(self) -> set[str]:
        """The inputs that are scaled: all but known settings."""
        return set(self.law.inputs) - self.law.settings.keys()


@dataclass(frozen=True)
class View:
    """A table as it is looked at: numeric columns, labels, the output, and the column of each input.

    curves: the columns of step, rate and curve, where rows are the steps of runs; else None.
    """

    table: Any
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
    def of(cls, table: Any, y: str | None, given: Mapping[str, str]) -> View:
        """The table with what its columns are; ValueError where it is not clear what is foretold."""
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
        said = [given[name] for name in (f"h_{k}" for k in range(1, len(given) + 1)) if name in given]
        shares = tuple(said) if len(said) > 1 else shares_of(numeric, target)
        view = cls(
            *(table, target, predicts, numeric, labels, shares, dict(given)),
            groups=(),
            curves=None,
            notes=tuple(notes),
        )
        view = replace(view, curves=view._curves())
        return replace(view, groups=view._groups())

    @property
    def rows(self) -> int:
        """How many there are."""
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
            return self.loss_of_the_task()
        usual = (name, *(known.aliases if known is not None else ALIASES.get(name, ())))
        return next(iter(self.named(usual)), None)

    @cached_property
    def _names(self) -> Names:
        return Names(self.table)

    def named(self, usual: Iterable[str]) -> list[str]:
        """The columns with one of these names but the output's, in the names' order."""
        return [column for column in self._names.named(usual) if column != self.y]

    def losses(self) -> list[str]:
        """The columns of losses but the output's."""
        return [c for c in self.numbers if c != self.y and kind_of(c) == "loss"]

    def loss_of_the_task(self) -> str | None:
        """The loss that belongs to an accuracy: bpb_arc beside acc_arc, or the only loss there is."""
        stem = re.sub(r"^[^_]*_", "", self.y)
        losses = self.losses()
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
        own = self.parts([curve] if curve else [])
        if not own or np.median([len(rows) for rows in own]) < LONG:
            return None
        if eta is None and any(self.column(laws.get("chinchilla"), name) for name in ("N", "D")):
            return None
        if self.rising(step, curve) is None:
            return None
        return tuple(c for c in (step, eta, curve) if c and (eta or c == step))

    def parts(self, columns: Sequence[str]) -> list[np.ndarray]:
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

    def ways(self) -> tuple[list[Way], dict[str, str]]:
        """The laws in usual use that these columns allow, the first to try first, and why others are not
        among them."""
        found, reasons = [], {}
        for rank, name in enumerate(USUAL[self.predicts]):
            law, written, columns = self._of_law(laws.get(name))
            if columns is None:
                continue
            try:
                found.append(self._checked(law, written, columns, rank))
            except ValueError as error:
                reasons[f"{name} of {', '.join(columns)}"] = str(error)
        most = max((way.own for way in found), default=0)
        # Laws of one input stand in where there is nothing richer; a link from the loss is always of use, and
        # tells an accuracy or error better than sizes do. By a loss alone nothing else is told: it falls
        # as runs grow, and laws of a size would foretell backwards.
        links = [w for w in found if w.scaled == {"L"}]
        if set(self.given) == {"L"}:
            return ordered(links), reasons
        richer = self.predicts == "loss" or not links
        kept = [w for w in found if w in links or most == 1 or (richer and len(w.scaled) > 1)]
        return ordered(kept), reasons

    def _of_law(self, law: Law) -> tuple[Law, str, dict[str, str] | None]:
        """A law as it stands on these columns, how it is written, and its inputs' columns; None for the
        columns where one is not there."""
        text = quoted(law.name)
        if law.predicts != self.predicts:
            law, text = law.predicting(self.predicts), f'sf.laws.{law.name}.predicting("{self.predicts}")'
        if any(known.each for known in law.domain.values()):
            if len(self.shares) < 2:
                return law, text, None
            law = law.sized(domain=len(self.shares))
            text = f"sf.laws.{law.name}.sized(domain={len(self.shares)})"
        for name, value in REDUNDANT.get(law.name, {}).items():
            whole = text if text.startswith("sf.") else f"sf.laws.{law.name}"
            law, text = law.fix(**{name: value}), f"{whole}.fix({name}={value:g})"
        if law.inputs == ("x",):
            single = self._single()
            return law, text, None if single is None else {"x": single}
        columns = {name: self.column(law, name) for name in law.inputs}
        if "D" in columns and columns["D"] is None and self.budget(law, columns.get("N")):
            columns["D"] = DERIVED
        there = {name: column for name, column in columns.items() if column is not None}
        return law, text, there if set(columns) <= {*there, *law.settings} else None

    def budget(self, law: Law, size: str | None) -> bool:
        """Whether tokens follow from sizes and budgets in FLOPs or tokens per parameter, as `sf.fit` derives
        them."""
        return {"N", "D"} <= set(law.inputs) and size is not None and tells_tokens(self.table) is not None

    def _single(self) -> str | None:
        """The one column that says how large a run is."""
        if len(self.given) == 1 or "x" in self.given:
            return self.given.get("x", next(iter(self.given.values())))
        rows = self.largest()
        for name in SINGLE:
            usual = ("x",) if name == "x" else ALIASES.get(name, (name,))
            for column in self.named(usual):
                values = self.numbers.get(column)
                if values is not None and np.ptp(values[rows]) > 0 and np.all(values[rows] > 0):
                    return column
        counts = [c for c, v in self.numbers.items() if c != self.y and not kind_of(c) and is_count(v[rows])]
        return counts[0] if len(counts) == 1 else None

    def _checked(self, law: Law, written: str, columns: Mapping[str, str], rank: int) -> Way:
        """The law with its columns checked; ValueError where the rows cannot determine it."""
        columns = {n: c for n, c in columns.items() if c != DERIVED}
        for name, column in columns.items():
            known = law.domain.get(name)
            values = self.numbers.get(column)
            if values is None and not (known and known.allowed in ("a label", "a curve")):
                tables.numbers(self.table[column], f"column {column!r} ({name})")
                raise ValueError(f"column {column!r} ({name}) holds no numbers")
            lo, hi = ALLOWED[known.allowed] if known else ALLOWED["a number"]
            if values is not None and not np.all((values >= lo) & (values <= hi)):
                raise ValueError(
                    f"column {column!r} is not {known.allowed if known else 'a number'} in every row"
                )
        rows = self.largest()
        every = tables.rows_of(self.table, rows, len(self.table[self.y]))
        part = {str(name): column for name, column in every.items()}
        objective = objective_of(law, None)
        data, found, notes = bind(law, part, columns, self.y, None, None, objective, enough=1)
        if len(data) < len(law.coefs) + 1:
            raise ValueError(
                f"{len(data)} rows for {len(law.coefs)} coefficients; it needs {len(law.coefs) + 1} or more"
            )
        for name, values in data.x.items():
            if name in law.settings:
                continue
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
        return Way(law, written, columns, rank, problem, _own(law, data))

    def largest(self) -> np.ndarray:
        """The rows of the largest group; all where there is one."""
        return self._largest

    @cached_property
    def _largest(self) -> np.ndarray:
        return max(self.parts(self.by()), key=len)

    def by(self) -> list[str]:
        """The labels by which groups are fitted: all of them where groups keep enough rows, else none."""
        parts = self.parts(self.groups)
        usual = 2 * ENOUGH + 2
        return list(self.groups) if np.median([len(rows) for rows in parts]) >= usual else []

    def nothing(self, reasons: Mapping[str, str]) -> str:
        """Why there is no suggestion, in one sentence."""
        if reasons:
            law, why = next(iter(reasons.items()))
            few = "; a forecast from so few is sf.extrapolate's" if self._forecast_of_few() else ""
            return f"no law in usual use can be fitted to these columns ({law}: {why}){few}"
        for name in ("N", "D", "C"):
            refuse_units(self.table, name, ALIASES[name])
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

    def _forecast_of_few(self) -> bool:
        """Whether `sf.extrapolate` answers with priors."""
        known = [name for name in ("N", "D", "C") if self.named(ALIASES[name])]
        return self.predicts == "loss" and bool(known) and FEWEST <= self.rows <= MOST[min(len(known), 2)]

    def rising(self, step: str, curve: str | None) -> tuple[str, Any] | tuple[()] | None:
        """() where steps rise within curves; else a label and its first value, within which they do."""

        def rise(rows: Iterable[np.ndarray]) -> bool:
            return all(np.all(np.diff(self.numbers[step][part]) > 0) for part in rows)

        own = [curve] if curve else []
        if rise(self.parts(own)):
            return ()
        few = [
            c for c, v in self.numbers.items() if c not in (step, self.y) and len(np.unique(v)) <= MOST_LABELS
        ]
        for label in (*self.labels, *few):
            if label != curve and rise(self.parts([*own, label])):
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
        if name in law.settings:
            continue
        if name in law.labels or not np.all(column > 0):
            kept.append(column)
            continue
        target = np.log(column)
        design = np.stack(kept, axis=1)
        left = target - design @ np.linalg.lstsq(design, target, rcond=None)[0]
        if np.std(left) > NEARLY * np.std(target):
            kept.append(target)
    return len(kept) - 1


def ordered(ways: Sequence[Way]) -> list[Way]:
    """More columns, enough rows, a better backtest, wider use."""

    def rank(way: Way) -> tuple[float, ...]:
        few = len(way.problem.data) < ENOUGH * len(way.law.coefs)
        score = way.score if np.isfinite(way.score) else np.inf
        return few, -way.own, score, way.rank

    return sorted(ways, key=rank)
