"""The border: a law by its name, and columns of a user's table bound to what the law takes,
as checked arrays."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from scalefit import laws
from scalefit.core.data import Data, Others, codes
from scalefit.core.law import Input, Law
from scalefit.core.objective import Objective, huber
from scalefit.flops import check_counting
from scalefit.laws.inputs import ALIASES as INPUT_ALIASES
from scalefit.laws.inputs import counted
from scalefit.runs import tables
from scalefit.runs.names import columns_named, same_name
from scalefit.words import short

__all__ = [
    "ALIASES",
    "KINDS",
    "OUTPUTS",
    "SPREADS",
    "Output",
    "bind",
    "counting_of",
    "is_perplexity",
    "kind_of",
    "labelled",
    "law_of",
    "objective_of",
    "refuse_units",
    "said_of_perplexity",
    "searched",
    "seen_rows",
    "tells_tokens",
    "to_say",
    "usual",
]

# Column names that are recognised when `inputs` or `y` leave them out (case and punctuation aside).
ALIASES: Mapping[str, tuple[str, ...]] = {
    **INPUT_ALIASES,
    "y": ("y", "loss", "L", "val_loss", "eval_loss", "test_loss", "final_loss", "validation_loss"),
}

# Words in the name of a column that is how sure another one is.
SPREADS = ("se", "std", "sd", "stderr", "lo", "hi")
# Words in names such as loss_scale, standard_error and "Loss function", which are no outputs.
NO_OUTPUT = (
    *("standard", "var", "ci", "scale", "aux", "mask", "masked", "weight", "delta", "z"),
    *("function", "fn", "name", "type", "balance", "balancing", "router", "count"),
    *("spike", "spikes", "tokens"),
)
# Beside every column that it exports W&B writes the least and the most of what it averaged.
BESIDE = re.compile(r"__(min|max)$", re.IGNORECASE)
# What says how good a run is, by the words in its name.
KINDS = {
    "loss": ("loss", "nll", "ce", "xent", "crossentropy", "entropy", "bpb"),
    "error": ("error", "err", "wer", "mse", "rmse"),
    "accuracy": ("accuracy", "acc", "acc1", "score", "success", "recall", "em"),
}
# Units at the end of a column's name, as in "Params (M)" and tokens_b.
UNITS = {
    **{"m": "millions", "millions": "millions", "million": "millions"},
    **{"b": "billions", "billions": "billions", "billion": "billions", "bn": "billions"},
}
# What a column of active parameters is called, and one of all is not.
ACTIVE = tuple(name for name in counted("active").aliases if "active" in name)
# Words in the name of N's column that say which parameters it counts.
NAMED = {"non-embedding": ("nonemb", "noemb", "withoutemb"), "active": ("active",), "total": ("total",)}


class Output(NamedTuple):
    """What a law predicts: the objective it is fitted with unless another is given,
    usual names of its column."""

    objective: Objective
    aliases: tuple[str, ...]


OUTPUTS = {
    "loss": Output(huber(1e-3, "log"), ALIASES["y"]),
    "error": Output(huber(1e-2, "log"), ("y", "error", "err", "error_rate")),
    "accuracy": Output(huber(1e-2, "linear"), ("y", "accuracy", "acc", "score", "success", "pass_rate")),
    "count": Output(huber(1e-2, "log"), ("y",)),
    "rate": Output(huber(1e-2, "log"), ("y", "lr", "learning_rate", "peak_lr")),
    "change": Output(huber(1e-3, "linear"), ("y",)),
}


def law_of(law: str | Law) -> Law:
    """The law itself, or the one with this id."""
    if isinstance(law, Law):
        return law
    if isinstance(law, str):
        return laws.get(law)
    raise TypeError("law must be an id of sf.laws or a Law; make one from a function with sf.law(fn)")


def objective_of(law: Law, objective: Objective | None) -> Objective:
    """The objective given, or the usual one for what the law predicts."""
    if objective is None:
        return OUTPUTS[law.predicts].objective
    if not isinstance(objective, Objective):
        raise TypeError(
            f"objective must be made by a call such as sf.huber(1e-3) or sf.square(), got {short(objective)}"
        )
    return objective


def labelled(law: Law, table: Any) -> Law:
    """A law with coefficients per label, its labels read off the table."""
    if law.by is None:
        return law
    found = tables.labels(
        table, law.by, "shared(by=...)", len(table[tables.find(table, law.by, "shared(by=...)")])
    )
    return law.labelled(tuple(sorted(dict.fromkeys(found.tolist()), key=str)))


def bind(
    law, runs, inputs, y, group, weight, objective, enough: int | None = None
) -> tuple[Data, dict[str, str], tuple[str, ...]]:
    """Checked float64 arrays (at least `enough` rows, one per coefficient if not said), columns,
    and what was guessed."""
    if not isinstance(inputs, Mapping | None):
        like = ", ".join(f'"{name}": "..."' for name in law.inputs)
        raise TypeError(f"inputs must map the law's inputs to column names, {{{like}}}, got {short(inputs)}")
    table, inputs = tables.columns_of(runs), dict(inputs or {})
    for name in inputs:
        if name not in law.inputs:
            raise ValueError(
                f"law {law.name!r} has no input {name!r}; its inputs are {', '.join(law.inputs)}"
            )
    columns: dict[str, str] = {}
    notes: list[str] = [*tables.notes_of(table)]
    table = _with_tokens(table, law, inputs, notes)
    settings = {
        name: value
        for name, value in law.settings.items()
        if name not in inputs and not usual(table, name, law)
    }
    for name in (*(name for name in law.inputs if name not in settings), "y"):
        asked = y if name == "y" else inputs.get(name)
        column = tables.find(table, asked, name) if asked is not None else guess(table, name, law, notes)
        twin = next((other for other, used in columns.items() if used == column), None)
        if twin:
            raise ValueError(f"{twin} and {name} are both column {column!r}; give each its own")
        columns[name] = column
    x = {
        name: _input(table[columns[name]], f"column {columns[name]!r} (input {name})", law.domain.get(name))
        for name in law.inputs
        if name not in settings
    }
    allowed = "positive" if objective.space == "log" else "a number"
    target = tables.numbers(
        table[columns["y"]], f"column {columns['y']!r} (y)", allowed, output=True, gaps=law.whole
    )
    notes += (
        f"{example!r} in column {column!r} is read as {float(example):g}"
        for column in columns.values()
        for example in tables.amounts(table[column])[:1]
    )
    n = len(target)
    for name, values in x.items():
        tables.same_length(f"column {columns[name]!r}", len(values), n, f"column {columns['y']!r}")
    x = {name: x[name] if name in x else np.full(n, settings[name]) for name in law.inputs}
    notes += (f"{name} = {value:g}, as no column says it" for name, value in settings.items())
    law.check_order(x)
    enough = len(law.coefs) if enough is None else enough
    if n < 2:
        raise ValueError(
            f"the table has {'no rows' if n == 0 else 'one row'}; a fit needs several runs, one per row"
        )
    weights = tables.weights(table, weight, n)
    gaps = np.isnan(target)
    if np.any(gaps):
        weights = np.where(gaps, 0.0, weights)
        notes.append(f"{np.count_nonzero(gaps)} rows without {columns['y']!r} only tell the schedule")
    counted = int(np.count_nonzero(weights))
    if counted < enough:
        some = "" if counted == n else " with weight"
        raise ValueError(
            f"{counted} rows{some} cannot determine {len(law.coefs)} coefficients "
            f"({', '.join(law.names)}); add runs, or "
            "hold some with law.fix(...) or law.tie(...)"
        )
    independent = group is False
    group = None if independent else group
    labels = None if group is None else tables.labels(table, group, "group", n)
    names = tables.row_names(table[columns["y"]])
    used = [*columns.values(), group, law.by, *([weight] if isinstance(weight, str) else ())]
    others = tables.others(table, used, n)
    return Data(x, target, weights, labels, names, others, independent), columns, tuple(notes)


def _with_tokens(table: Any, law: Law, inputs: Mapping[str, str], notes: list[str]) -> Any:
    """The table, with D = C / (6 N) where it has sizes and budgets in FLOPs and
    the law's D is not to be found."""
    if not {"N", "D"} <= set(law.inputs) or inputs.get("D", "D") != "D" or usual(table, "D", law):
        return table
    sizes = [inputs["N"]] if "N" in inputs else usual(table, "N", law)
    source = tells_tokens(table)
    if len(sizes) != 1 or source is None or sizes[0] not in table:
        return table
    size, (name, other) = sizes[0], source
    N, given = (tables.numbers(table[column], f"column {column!r}", "positive") for column in (size, other))
    tables.same_length(f"column {size!r}", len(N), len(given), f"column {other!r}")
    D, formula = (
        (given * N, f"{other} * {size}") if name == "M" else (given / (6 * N), f"{other} / (6 {size})")
    )
    if np.median(D) < 1000:
        raise ValueError(
            f"no column has tokens, and {formula} gives {np.median(D):.3g}, which are none; give "
            f"{'sizes in parameters' if name == 'M' else 'the budget in FLOPs'}, or a column with tokens"
        )
    notes.append(f"D = {formula}, as no column has tokens")
    return {**{column: table[column] for column in table}, "D": D}


def tells_tokens(table: Any) -> tuple[str, str] | None:
    """What tokens follow from where sizes are known: M or C, and its only column."""
    found = ((name, columns_named(table, ALIASES[name])) for name in ("M", "C"))
    return next(((name, columns[0]) for name, columns in found if len(columns) == 1), None)


def usual(table: Any, name: str, law: Law) -> list[str]:
    """The columns with a usual name of this input."""
    known = law.domain.get(name)
    if name in table:
        return [name]
    found = columns_named(table, _names(name, law))
    if name == "y" and not found and law.predicts in KINDS:
        # Such as loss_c4_val, eval/loss, Final Loss (nats); or else val_bpb, mmlu_acc.
        alike = [column for column in map(str, table) if kind_of(column) == law.predicts]
        return [c for c in alike if law.predicts in re.split(r"[^a-z]+", c.lower())] or alike
    counting = known.counting if known else None
    if name == "N" and not counting and found and all(_said(column) == "total" for column in found):
        # Of experts, some are active: which of the two a law is of is for the caller to say.
        return [*found, *columns_named(table, ACTIVE)]
    # Of several columns of parameters the one that says to be of those the law counts.
    return [column for column in found if counting and _said(column) == counting] or found


def kind_of(column: str) -> str | None:
    """ "loss", "error" or "accuracy" by the words in a column's name."""
    words = re.split(r"[^a-z0-9]+", column.lower())
    if BESIDE.search(column) or any(word in (*SPREADS, *NO_OUTPUT) for word in words):
        return None
    return next((kind for kind, known in KINDS.items() if any(w in known for w in words)), None)


def _names(name: str, law: Law) -> tuple[str, ...]:
    """The usual names of an input, or of what the law predicts."""
    known = law.domain.get(name)
    if name == "y":
        words = OUTPUTS[law.predicts].aliases if law.predicts in OUTPUTS else ()
    else:
        words = known.aliases if known else ALIASES.get(name, ())
    return (name, *words)


def _input(column: Any, what: str, known: Input | None) -> np.ndarray:
    """A column as the numbers a law takes: checked values, or the places of labels."""
    if known is not None and known.allowed in ("a label", "a curve"):
        return codes(
            tables.labels({what: column}, what, "label", tables.array(column, what).size), known.labels
        )
    return tables.numbers(column, what, known.allowed if known else "a number")


def guess(table, name: str, law: Law, notes: list[str]) -> str:
    """The one column whose name is a known alias of this input."""
    matches = usual(table, name, law)
    if matches == [name]:
        return name
    said = 'y="..."' if name == "y" else f'inputs={{"{name}": "..."}}'
    if not matches:
        refuse_units(table, name, _names(name, law))
        if name == "y" and (odd := next(filter(is_perplexity, map(str, table)), None)):
            raise ValueError(said_of_perplexity(odd))
        raise ValueError(
            f"no column has a usual name for {name} (there are {tables.listed(table)}); "
            f"say which it is with {said}"
        )
    if len(matches) > 1:
        some = " and ".join(map(repr, matches[:3])) + f" and {len(matches) - 3} more" * (len(matches) > 3)
        raise ValueError(f"columns {some} could each be {name}; say which it is with {said}")
    notes.append(f"guessed {name} = column {matches[0]!r}")
    return matches[0]


def refuse_units(table: Any, name: str, usual_names: Iterable[str]) -> None:
    """ValueError where a column has a usual name for an input but for its unit, as "Params (M)"."""
    for column in map(str, table):
        stem, _, unit = column.lower().rstrip(")] ").replace("_", " ").replace("(", " ").rpartition(" ")
        if unit in UNITS and columns_named([stem], usual_names):
            raise ValueError(
                f"column {column!r} seems to hold {name} in {UNITS[unit]}, and laws take counts: "
                "multiply it and leave the unit out of its name (cells such as 10.6M are read)"
            )


def is_perplexity(column: str) -> bool:
    """Whether a column holds perplexities, by its name."""
    return "ppl" in re.split(r"[^a-z]+", column.lower()) or "perplexity" in column.lower()


def said_of_perplexity(column: str) -> str:
    """What to do about perplexities."""
    return f"column {column!r} is a perplexity; laws are of losses, so add its logarithm as a column 'loss'"


def to_say(law: Law, columns: Mapping[str, str], others: Others | None) -> tuple[dict[str, str], str | None]:
    """What a call must say to find these columns again: inputs, and the output where it is not guessed."""
    there = dict.fromkeys([*columns.values(), *(others.columns if others else ())])
    hidden = {k: v for k, v in columns.items() if usual(there, k, law) != [v]}
    return {k: v for k, v in hidden.items() if k in law.inputs}, hidden.get("y")


def counting_of(
    counting: str | None, columns: Mapping[str, str], notes: tuple[str, ...]
) -> tuple[str | None, tuple[str, ...]]:
    """The counting stated, or the one that the name of N's column says; and the notes with it."""
    counting = check_counting(counting) or _said(columns.get("N", ""))
    return counting, notes if counting is None else (*notes, f"N counts {counting} parameters")


def _said(column: str) -> str | None:
    """The counting that the name of a column of parameters says."""
    name = same_name(column)
    return next((kind for kind, words in NAMED.items() if any(word in name for word in words)), None)


def seen_rows(law: Law, data: Data) -> Data:
    """The rows the engine sees: those with some weight, or all where the law looks at whole curves."""
    return data if law.whole else data.take(data.counted)


def searched(law: Law, data: Data) -> dict[str, np.ndarray]:
    """The columns that a search takes."""
    seen = seen_rows(law, data)
    return {**seen.x, "y": seen.y, "weight": seen.weight}
