"""The snippet that repeats the fit: with the runs in it, or a table's name where there are too many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scalefit.core.law import Law
from scalefit.fits import saving
from scalefit.fits.ensemble import Ensemble
from scalefit.fits.fit import Fit
from scalefit.fits.shrinking import SHRUNKEN
from scalefit.flops import six_nd
from scalefit.reports.question import Question

__all__ = ["program"]

# More rows than this stay in their table.
MOST_ROWS = 400


def program(asked: Question) -> dict[str, Any]:
    """The script, whether it runs as it stands, and what it lacks where it does not."""
    answer = asked.answer
    own = [label for label, (fit, _) in answer.members.items() if fit.law.recipe is None]
    inline = len(answer.data) <= MOST_ROWS
    lines = ["import scalefit as sf", ""]
    lines += _table(answer) if inline else _read(answer)
    if isinstance(answer, Ensemble):
        lines += ["fits = {"]
        for label, (fit, _) in answer.members.items():
            call = (
                _by_priors(label, fit, inline) if _priors(fit) else _fit(fit, inline, _group(answer, label))
            )
            lines += [f"    {label!r}: {call},"]
        weights = {label: weight for label, (_, weight) in answer.members.items()}
        lines += ["}", f"answer = sf.Ensemble(fits, {_code(weights)})"]
        for label, (fit, _) in answer.members.items():
            if not _priors(fit):
                lines += [f"assert abs(fits[{label!r}].value / {fit.value!r} - 1) < 1e-4"]
    else:
        lines += [f"answer = {_fit(answer, inline, _group(answer, ''))}"]
        if answer.value > 1e-12:
            lines += [f"assert abs(answer.value / {float(answer.value)!r} - 1) < 1e-4"]
        lines += [f"assert answer.data.hash() == {answer.data.hash()!r}"] if inline else []
        lines += _draws(answer)
    lines += ["print(answer)", *_asked(asked)]
    lacking = []
    if own:
        lacking.append("a law of your own: put your function where the snippet says my_law")
    if not inline:
        lacking.append(f"the table: {len(answer.data)} rows are too many for this page")
    return {"code": "\n".join(lines) + "\n", "lacking": lacking}


def _table(answer: Fit | Ensemble) -> list[str]:
    data, law = answer.data, answer.law
    columns: dict[str, Any] = {}
    for name, values in data.x.items():
        words = law.domain[name].labels if name in law.labels and name in law.domain else ()
        columns[name] = [words[int(v)] for v in values] if words else values.tolist()
    lines = ["runs = {", *(f"    {name!r}: {_code(values)}," for name, values in columns.items())]
    lines += [f"    {_y(answer)!r}: {_code(data.y.tolist())},"]
    for label, (fit, _) in answer.members.items():
        if fit.data.group is not None:
            lines += [f"    {_group(answer, label)!r}: {_code(fit.data.group.tolist())},"]
    return [*lines, "}"]


def _read(answer: Fit | Ensemble) -> list[str]:
    return ['runs = "runs.csv"  # your table, with the columns named below']


def _priors(fit: Fit) -> bool:
    """Whether a fit is told by the priors that `sf.extrapolate` has of its own."""
    return fit.draws is not None and fit.draws.method == "priors"


def _by_priors(label: str, fit: Fit, inline: bool) -> str:
    inputs, y = _columns(fit, inline)
    parts = ["runs", f"inputs={inputs!r}", f"y={y!r}"]
    if inline and np.any(fit.data.weight != 1):
        parts += [f"weight={_code(fit.data.weight.tolist())}"]
    if fit.key:
        parts += [f"key={fit.key}"]
    return f"sf.extrapolate({', '.join(parts)}).fits[{label!r}]"


def _columns(fit: Fit, inline: bool) -> tuple[dict[str, str], str]:
    """The columns of a fit's inputs and output in the snippet's table."""
    if inline:
        return {name: name for name in fit.law.inputs}, _y(fit)
    told = [name for name in fit.law.inputs if name in fit.columns or name not in fit.law.settings]
    return {name: str(fit.columns.get(name, name)) for name in told}, str(fit.columns.get("y", "y"))


def _fit(fit: Fit, inline: bool, group: str) -> str:
    data = fit.data
    law = _law(fit.law)
    inputs, y = _columns(fit, inline)
    parts = [law, "runs", f"inputs={inputs!r}", f"y={y!r}", f"objective={_objective(fit)}"]
    if inline and not fit.law.whole:
        # Said either way: the columns by which groups were looked for are not on the page.
        parts += [f"group={group!r}" if data.group is not None else "group=False"]
    if inline and np.any(data.weight != 1):
        parts += [f"weight={_code(data.weight.tolist())}"]
    if fit.key:
        parts += [f"key={fit.key}"]
    if fit.counting:
        parts += [f"counting={fit.counting!r}"]
    call = f"sf.fit({', '.join(parts)})"
    if fit.basis != SHRUNKEN:
        return call
    ranges = fit.kept.get("ranges")
    return f"sf.shrink({call}, ranges={_code(ranges)})" if ranges else f"sf.shrink({call})"


def _draws(fit: Fit) -> list[str]:
    """How the draws were made cannot be read off them whole: their number, key and method are said."""
    if fit.draws is None:
        return []
    n, method = len(fit.draws), fit.draws.method
    if method in ("jackknife", "posterior"):
        call = "jackknife(answer)" if method == "jackknife" else f"posterior(answer, key={fit.draws.key})"
    else:
        call = f"bootstrap(answer, {n}, key={fit.draws.key})"
    return [f"answer = sf.{call}  # the page's intervals: {n} draws, {method}"]


def _asked(asked: Question) -> list[str]:
    """The page's question once more; costs other than 6 N D are the caller's functions."""
    error = "" if asked.model_error else ", model_error=False"
    if asked.by_budget:
        if asked.flops != six_nd:
            return []
        at = f", at={_code(dict(asked.at))}" if asked.at else ""
        key = f", key={asked.key}" if asked.key else ""
        return [
            f"print(sf.optimal(answer, C={asked.target['C']!r}, level={asked.level!r}{at}{key}{error}).T)"
        ]
    if not asked.target:
        return []
    return [f"print(answer.predict({_code(dict(asked.target))}, level={asked.level!r}{error}).T)"]


def _y(answer: Fit | Ensemble) -> str:
    return _free("y", answer.law)


def _group(answer: Fit | Ensemble, label: str) -> str:
    """The column of a member's groups."""
    return _free(f"group {label}".strip(), answer.law)


def _free(word: str, law: Law) -> str:
    """A column's name that no input has."""
    while word in law.inputs:
        word += "_"
    return word


def _objective(fit: Fit) -> str:
    saved = saving.to_json(fit)["objective"]
    arguments = [_code(saved["share"])] if "share" in saved else []
    arguments += [f"{name}={_code(saved[name])}" for name in ("delta", "space") if name in saved]
    return f"sf.{saved['kind']}({', '.join(arguments)})"


def _law(law: Law) -> str:
    return _cooked(law.recipe) if law.recipe is not None else "my_law"


def _cooked(recipe: Any) -> str:
    """A law's recipe as code: an id of the catalogue, then the verbs of the algebra."""
    if isinstance(recipe, str):
        return f"sf.laws.get({recipe!r})"
    verb, (first, *others), options = recipe
    parts = [_cooked(part) for part in others]
    if verb == "add":
        return f"({_cooked(first)} + {parts[0]})"
    if verb == "given":
        return f"{_cooked(first)}.given(*{_code(list(options['names']))})"
    if verb == "shared":
        labelled = f".labelled({_code(tuple(options['labels']))})" if options["labels"] else ""
        return f"{_cooked(first)}.shared(*{_code(list(options['names']))}, by={options['by']!r}){labelled}"
    parts += [f"**{_code(options)}"] if options else []
    return f"{_cooked(first)}.{verb}({', '.join(parts)})"


def _code(value: Any) -> str:
    """A value as Python writes it, infinities and NaN too."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_code(k)}: {_code(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        inside = ", ".join(_code(v) for v in value)
        return f"[{inside}]" if isinstance(value, list) else f"({inside}{',' * (len(value) == 1)})"
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return f"float({str(value)!r})"
    return repr(value)
