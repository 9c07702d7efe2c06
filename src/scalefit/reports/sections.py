"""The page's parts as plain data: words and numbers read off the answer, no markup."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

from scalefit.decisions.specification import specification
from scalefit.fits.ensemble import Ensemble
from scalefit.fits.extrapolation import span
from scalefit.fits.fit import Fit
from scalefit.fits.identifiability import basis, scatter, trade_offs
from scalefit.fits.model_error import model_error_of
from scalefit.fits.status import Caution, verdict, worst
from scalefit.fits.text import number
from scalefit.plot.axes import short
from scalefit.reports.question import Question
from scalefit.validation.backtest import Backtest, backtest
from scalefit.words import row_words

__all__ = [
    "backtested",
    "card",
    "coefficients",
    "dropped",
    "forecast",
    "named",
    "percent",
    "sensitivity",
    "verdict_of",
]

# May it be believed, by what is left of the trust.
BELIEVE = {
    "good": "Yes, as far as these runs can tell",
    "weak": "With care",
    "bad": "No",
}
# Packages whose versions decide the digits.
PACKAGES = ("scalefit-jax", "jax", "numpy", "scipy")
# Of a specification's columns: which of `sf.optimal`, and in words.
BEST = {
    "loss": ("loss", "loss"),
    "N_opt": ("N", "size N*"),
    "D_opt": ("D", "tokens D*"),
    "ratio": ("ratio", "D* / N*"),
}


def verdict_of(asked: Question, cautions: Sequence[Caution]) -> dict[str, Any]:
    """May the forecast be believed: the fit's status, and what speaks against the target."""
    answer = asked.answer
    trust = worst([answer.status.trust, verdict(cautions)[0]])
    # What is said of the fit and of the target in the same words stands once.
    reasons = {str(caution): caution for caution in (*answer.warnings, *cautions)}
    order = ("serious", "warning", "info")
    return {
        "trust": trust,
        "headline": BELIEVE[trust],
        "status": answer.summary().splitlines()[0] if isinstance(answer, Ensemble) else str(answer.status),
        "reasons": [vars(c) for c in sorted(reasons.values(), key=lambda c: order.index(c.severity))],
    }


def forecast(asked: Question) -> dict[str, Any]:
    """The loss at the target with its intervals, and where a budget is asked for the best split of it."""
    if not asked.target:
        return {"cautions": ()}
    found: dict[str, Any] = {"best": None}
    if asked.by_budget:
        best = asked.best(asked.target["C"], asked.level).iloc[0]
        found["best"] = {
            name: {"value": best[name], "lo": best[f"{name}_lo"], "hi": best[f"{name}_hi"]}
            for name in ("N", "D", "ratio", "loss")
        }
        x = asked.inputs_at(best["N"], best["D"])
    else:
        x = dict(asked.target)
    columns = {name: [value] for name, value in x.items()}
    kinds = {
        "curve": ("mean", asked.model_error),
        "run": ("run", asked.model_error),
        "right": ("mean", False),
    }
    for name, (kind, error) in kinds.items():
        row = asked.answer.predict(columns, asked.level, kind, error).iloc[0]
        found[name] = {"value": row["mean"], "lo": row["lo"], "hi": row["hi"]}
    return found | {"x": x, "distance": row["distance"], "cautions": asked.answer.cautions(columns)}


def coefficients(asked: Question) -> list[dict[str, Any]]:
    """Every coefficient in full precision, law by law."""
    found = []
    for label, (fit, weight) in asked.answer.members.items():
        errors = fit.stderr()
        rows = []
        for coef in fit.law.coefs:
            lo, hi = fit.interval(coef.name, asked.level)
            rows.append(
                {
                    "name": coef.name,
                    "value": repr(float(fit.coefs[coef.name])),
                    "error": _full(errors[coef.name]),
                    "lo": _full(lo),
                    "hi": _full(hi),
                    "meaning": coef.meaning,
                }
            )
        found.append(
            {
                "law": label or fit.law.name,
                "weight": weight,
                "formula": fit.law.formula,
                "basis": basis(fit),
                "rows": rows,
                "remarks": [*trade_offs(fit), *filter(None, (scatter(fit), span(fit)))],
            }
        )
    return found


def dropped(asked: Question) -> list[str]:
    """What was left out, set apart, guessed or decided, one sentence each."""
    answer, found = asked.answer, []
    first = next(iter(answer.members.values()))[0]
    data = first.data
    without = np.flatnonzero(data.weight == 0)
    if len(without):
        which = row_words(without, data.names)
        found.append(f"{which} had weight zero: in the table, but not in the fit.")
    elif isinstance(answer, Fit) and not np.all(data.weight == data.weight[0]):
        found.append(f"Weights run from {number(data.weight.min())} to {number(data.weight.max())}.")
    elif isinstance(answer, Fit):
        found.append(f"Every one of the {len(data)} rows that the fit was given has its full weight in it.")
    for label, (fit, _) in answer.members.items():
        found += [f"{label}: {note}" if label else note for note in fit.notes]
    if isinstance(answer, Ensemble):
        for label, (fit, _) in answer.members.items():
            worth = float(np.sum(fit.data.weight) ** 2 / np.sum(fit.data.weight**2))
            found.append(
                f"{label}: the {len(fit.data.counted)} rows are weighted towards the largest runs and worth "
                f"{worth:.0f} of equal weight."
            )
    odd = [caution.text for caution in answer.warnings if caution.code == "outliers"]
    found += [f"Kept, but far off: {text}." for text in odd]
    return list(dict.fromkeys(found))


def sensitivity(asked: Question) -> dict[str, Any]:
    """The answer under choices that are seldom reported: each refitted."""
    fit = asked.answer
    assert isinstance(fit, Fit)
    split = set(fit.law.inputs) == {"N", "D"} and asked.by_budget
    table = specification(fit, target=asked.target["C"] if split else None)
    asked_for = tuple(BEST) if split else fit.law.names
    # The law's split of 6 N D, as the refits are asked; another cost has no row here.
    own: Any = {} if not split else asked.best(asked.target["C"]).iloc[0]
    ranges = []
    for name in asked_for:
        values = table[name].to_numpy(float)
        values = values[np.isfinite(values)]
        if len(values):
            lo, middle, hi = np.quantile(values, [0, 0.5, 1])
            key, word = BEST[name] if split else (name, name)
            shown = short if key in ("N", "D") else _number
            value = float(own[key]) if split else fit.coefs[name]
            ends = {"value": value, "lo": lo, "median": middle, "hi": hi}
            ranges.append({"name": word, **{end: shown(v) for end, v in ends.items()}})
    choices = ("space", "delta", "outliers", "smallest")
    head = [name for name in (*choices, "rows", "trust", *asked_for) if name in table.columns]
    return {
        "n": len(table),
        "ranges": ranges,
        "head": head,
        "rows": [[_cell(row[name]) for name in head] for row in table.to_dict("records")],
        "bad": int(np.sum(table["trust"] == "bad")),
    }


def backtested(asked: Question) -> dict[str, Any]:
    """How well the law, or the laws, would have foretold the larger of these runs."""
    answer = asked.answer
    if isinstance(answer, Ensemble):
        return _foretold(answer)
    data = answer.data
    # Names that no input has, whatever the law calls its own.
    y, weight = (f"{word} of the runs" for word in ("output", "weight"))
    table = {**_words(answer), y: data.y, weight: data.weight}
    back = backtest(
        {answer.law.name: answer.law},
        table,
        y=y,
        inputs={name: name for name in answer.law.inputs},
        level=asked.level,
        objective=answer.objective,
        weight=weight,
        key=answer.key,
    )
    return _scores(back, answer.law.name)


def _scores(back: Backtest, label: str) -> dict[str, Any]:
    mine, error = back.columns["law"] == label, _error(back.space)
    rows = [
        [
            line["law"],
            str(line["predictions"]),
            error(line["median"]),
            error(line["rms"]),
            "" if np.isnan(line["coverage"]) else f"{line['coverage']:.0%}",
        ]
        for line in back.table().to_dict("records")
    ]
    line = back.line(label)
    far = float(np.max(back.columns["distance"][mine]))
    said = (
        f"Fitted to the runs up to {len(back.cuts)} sizes of {back.by} in turn, the law foretold "
        f"{line['predictions']} losses of larger runs, up to {far:.2g} decades ahead, with a median error of "
        f"{error(line['median'])}. Its {percent(back.level)} intervals for one new run, if the law is right, "
        f"held {line['coverage']:.0%} of them."
    )
    head = ["", "predictions", "median error", "rms error", f"inside {percent(back.level)} interval"]
    return {"said": said, "head": head, "rows": rows}


def _foretold(answer: Ensemble) -> dict[str, Any]:
    if answer.ground is None:
        return {"said": "Nothing was foretold: the weights of these laws were given.", "head": [], "rows": []}
    ground, table = answer.ground, answer.table()
    error = _error("log" if answer.log else "linear")
    far = max(float(np.max(each)) for each in ground.distance)
    last = float(np.sqrt(np.mean(np.concatenate(ground.last) ** 2)))
    said = (
        f"Fitted to the runs up to {len(ground.cuts)} sizes of {ground.by} in turn, the laws foretold the "
        f"larger ones up to {far:.2g} decades ahead; their weights follow from the errors. Leaving the "
        f"largest run's value unchanged errs by {error(last)} (rms)."
    )
    rows = [
        [row["law"], f"{row['weight']:.3f}", f"{row['rows']:.0f}", error(row["rms"]), row["trust"]]
        for row in table.to_dict("records")
    ]
    return {"said": said, "head": ["", "weight", "worth rows", "rms error", "trust of the fit"], "rows": rows}


def card(asked: Question) -> list[dict[str, Any]]:
    """What a reader needs to repeat the fit, under the headings of the field's reproducibility checklist."""
    answer = asked.answer
    first = next(iter(answer.members.values()))[0]
    law, data = first.law, first.data
    several = isinstance(answer, Ensemble)
    return [
        {
            "title": "The hypothesis",
            "rows": [
                ("law", ", ".join(label or f.law.name for label, (f, _) in answer.members.items())),
                ("formula (LaTeX)", "; ".join(fit.law.formula for fit, _ in answer.members.values())),
                ("source of the law", law.source or "not stated"),
                ("inputs", "; ".join(_input(asked, name) for name in answer.law.inputs)),
                ("output", f"{asked.output}{_unit(law, 'y')}"),
                ("what N counts", answer.counting or "not stated"),
            ],
        },
        {
            "title": "The runs",
            "rows": [
                ("rows fitted", f"{len(data.counted)} of {len(data)}"),
                ("range of the inputs", "; ".join(_ranges(answer))),
                ("groups of rows", "none" if data.group is None else f"{len(np.unique(data.group))}"),
                ("data fingerprint (SHA-256, first 16 digits)", data.hash()),
                ("rows left out before the fit", "not known to the fit: state which and why"),
                ("how the models were trained", "not known to the fit: state architecture, data, schedule"),
                ("whether each row is the end of its schedule", "not known to the fit: state it"),
            ],
        },
        {
            "title": "The fit",
            "rows": [
                ("objective", str(answer.objective)),
                ("summed objective", repr(float(first.value)) if not several else "one per law, see snippet"),
                ("optimiser", "descents from many screened starts, the best polished by Gauss-Newton steps"),
                ("starts", f"{answer.status.n_starts}, from a grid screened on the data"),
                ("starts that agree", f"{answer.status.n_agree} within 1e-6 of the best objective"),
                ("converged", "yes" if answer.status.converged else "no"),
                ("evaluations", f"{answer.status.evaluations}"),
                ("key of everything random", f"{answer.key}"),
            ],
        },
        {
            "title": "The doubt",
            "rows": [
                ("intervals", f"{percent(asked.level)}; {basis(first)}"),
                ("the law's own error", "; ".join(_model_error(asked))),
                ("cost of a run", asked.flops.name if not asked.barred else "not asked for"),
                ("versions", ", ".join(f"{name} {version(name)}" for name in PACKAGES)),
                ("Python", platform.python_version()),
            ],
        },
    ]


def _input(asked: Question, name: str) -> str:
    column = asked.answer.columns.get(name, name)
    unit = _unit(asked.law, name)
    return f"{name}{unit}" + (f" = column {column!r}" if column != name else "")


def _unit(law: Any, name: str) -> str:
    unit = law.units.get(name)
    return f" ({unit})" if unit else ""


def _ranges(answer: Fit | Ensemble) -> Iterator[str]:
    for name, values in answer.data.x.items():
        if name not in answer.law.labels:
            yield f"{name} = {number(float(values.min()))} to {number(float(values.max()))}"


def _model_error(asked: Question) -> Iterator[str]:
    """Whether intervals allow for it, and how large it was found."""
    if not asked.model_error:
        yield "left out: intervals take the law as right"
        return
    yield "allowed for"
    for label, (fit, _) in asked.answer.members.items():
        if fit.law.whole:
            continue
        error = model_error_of(fit)
        learnt = (
            f"learnt from {len(error.cuts)} backtests by {error.by}" if error.cuts else "of the usual size"
        )
        yield f"{label + ': ' if label else ''}tau = {number(error.tau)}, {learnt}"


def _words(fit: Fit) -> dict[str, Any]:
    """The inputs as a table, labels as words."""
    labels = {name: fit.law.domain[name].labels for name in fit.law.labels if name in fit.law.domain}
    return {
        name: [labels[name][int(v)] for v in values] if labels.get(name) else values
        for name, values in fit.data.x.items()
    }


def _error(space: str):
    """An error in words: percent of log y, the plain number of y."""

    def shown(value: float) -> str:
        return "" if np.isnan(value) else f"{100 * value:.2g} %" if space == "log" else number(value)

    return shown


def percent(level: float) -> str:
    """ "90 %"."""
    return f"{100 * level:g} %"


def _number(value: float) -> str:
    return f"{value:.4g}"


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "none" if np.isnan(value) else number(float(value))


def _full(value: float) -> str:
    """A number in full, and a word for one that is not finite."""
    return repr(float(value)) if np.isfinite(value) else "open"


def named(values: Mapping[str, float]) -> str:
    """ "N = 7e10, D = 1.4e12"."""
    return ", ".join(
        f"{name} = {value if isinstance(value, str) else number(float(value))}"
        for name, value in values.items()
    )
