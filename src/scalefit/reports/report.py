"""One self-contained HTML page about a fit.

    sf.report(fit, "report.html", target={"C": 1e24})

The answer first, whether to believe it beside it; then pictures, checks, and what is needed to repeat it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

import scalefit
from scalefit import files
from scalefit.fits.ensemble import Ensemble
from scalefit.fits.record import Record
from scalefit.flops import Cost, six_nd
from scalefit.plot.axes import short
from scalefit.plot.embedded import formula
from scalefit.reports import embedded, pictures, sections
from scalefit.reports.program import program
from scalefit.reports.question import Question, question
from scalefit.reports.simple import TITLES, simple
from scalefit.words import jsonable
from scalefit.words import short as told

__all__ = ["environment", "live", "place", "report"]

# More rows than this are not refitted for the page: what takes seconds would take minutes.
MOST_REFITTED = 2000


def report(
    answer: Any,
    path: str | Path,
    target: Mapping[str, float] | None = None,
    level: float = 0.9,
    *,
    flops: Cost = six_nd,
    at: Mapping[str, float] | None = None,
    refits: bool = True,
    model_error: bool = True,
    key: int = 0,
) -> Path:
    """Write one self-contained HTML page about a fit: the answer, whether to believe it, how to repeat it.

    The page needs no network. It states the forecast at the target and the best size and tokens with their
    intervals, lets its reader move the budget and look at each run, and holds pictures, a backtest, the
    answer under other choices, the coefficients in full precision, a snippet that repeats the fit, and the
    field's reproducibility checklist filled in. The same answer gives the same bytes.

    Args:
        answer: a fit, or an ensemble. Of an isoFLOP study, a forecast, a gate, a plan, a sweep, a best
            schedule, a comparison or a ledger the page holds what it prints and its picture.
        path: of the page. A file that is there is replaced whole, once the new one is written.
        target: where the loss is wanted, {"C": 1e24} for the best split of a budget or the law's inputs;
            left out, ten times beyond the largest runs, and the page says so.
        level: of the intervals, between 0 and 1.
        flops: what a run costs, as in `sf.optimal`.
        at: values of the law's other inputs, as in `sf.optimal`.
        refits: whether to refit the law for the sensitivity, the backtest and the profile, which takes some
            seconds; not done for more than 2,000 runs, and the page says so.
        model_error: whether intervals allow for the law's own error; False takes the law as right.
        key: seed of the normal draws.

    Returns:
        The path.

    Raises:
        TypeError: for what is no fit.
        ValueError: for a target that the law cannot take and a level that is none.
        OSError: where the file cannot be written.

    Example:
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "report.html"
        >>> sf.report(fit, path, target={"C": 1e22}, refits=False) == path
        True
    """
    if type(answer).__name__ in TITLES:
        if target is not None or at is not None:
            raise ValueError(f"a page of {type(answer).__name__} shows what it says; leave out target and at")
        return _written(path, simple(answer, environment()))
    asked = question(answer, target, level, flops, at, model_error, key)
    return _written(path, page(asked, bool(refits)))


def live(answer: Any, path: str | Path, refresh: float) -> Path:
    """A page that a browser loads again every so many seconds, for as long as it is written anew."""
    return _written(path, simple(answer, environment(), refresh))


def _written(path: str | Path, text: str) -> Path:
    """Write a page; the one that is there is replaced whole."""
    path = place(path)
    files.write(path, text)
    return path


def page(asked: Question, refits: bool) -> str:
    """The page as text."""
    ahead = sections.forecast(asked)
    split = not asked.barred and bool(asked.target)
    data: dict[str, Any] = {"grid": embedded.grid(asked) if split else None}
    # Runs of whole curves are rows of a log: a scatter of them says nothing.
    data["runs"] = None if asked.law.whole else embedded.runs(asked)
    few = len(asked.answer.data) <= MOST_REFITTED
    context = {
        "version": scalefit.__version__,
        "title": ", ".join(label or fit.law.name for label, (fit, _) in asked.answer.members.items()),
        "asked": asked,
        "percent": sections.percent(asked.level),
        "n_runs": len(asked.answer.data.counted),
        "target": sections.named(asked.target),
        "verdict": sections.verdict_of(asked, ahead["cautions"]),
        "ahead": ahead,
        "decades": _decades(data["grid"]),
        "formulas": [_formula(fit) for fit, _ in asked.answer.members.values()],
        "pictures": list(pictures.drawn(asked, refits and few)),
        "backtest": _part(sections.backtested, asked, refits, few),
        "sensitivity": _sensitivity(asked, refits, few),
        "dropped": sections.dropped(asked),
        "coefficients": sections.coefficients(asked),
        "card": sections.card(asked),
        "program": program(asked),
        "data": jsonable(data),
    }
    return environment().get_template("page.html").render(context) + "\n"


def _part(find: Any, asked: Question, refits: bool, few: bool) -> dict[str, Any]:
    """A part that asks for refits, or why it is not there."""
    if not refits:
        return {"missing": "Not done: the page was asked for without refits."}
    if not few:
        return {"missing": f"Not done: with more than {MOST_REFITTED:,} runs it would take minutes."}
    try:
        return find(asked)
    except ValueError as error:
        return {"missing": f"Not possible here: {error}."}


def _sensitivity(asked: Question, refits: bool, few: bool) -> dict[str, Any]:
    if isinstance(asked.answer, Ensemble):
        return {
            "missing": "Several laws are averaged here, which is a check of that choice; for others report a "
            "fit of one law."
        }
    if asked.law.whole or asked.law.labels:
        return {"missing": "Not offered for laws of whole curves or of labels."}
    return _part(sections.sensitivity, asked, refits, few)


def _formula(fit: Record) -> dict[str, str | None]:
    predicts = "L" if fit.law.predicts == "loss" else ""
    left = f"{predicts}({', '.join(fit.law.inputs)}) = " if predicts else ""
    plain = all(name.isalnum() for name in fit.law.inputs)
    return {
        "law": fit.law.name,
        "latex": left + fit.law.formula,
        "image": formula((left if plain else "") + fit.law.formula),
    }


def _decades(grid: dict[str, Any] | None) -> list[dict[str, float]]:
    """The grid at the places nearest to whole and half decades, for print and for those without scripts."""
    if grid is None:
        return []
    columns = {name: values for name, values in grid["columns"].items() if name != "caution"}
    logs = np.log10(columns["C"])
    wanted = np.arange(np.ceil(2 * logs[0]) / 2, logs[-1], 0.5 if np.ptp(logs) < 8 else 1.0)
    rows = sorted({int(np.argmin(np.abs(logs - one))) for one in (*wanted, np.log10(grid["target"]))})
    return [
        {name: values[k] for name, values in columns.items()} | {"asked": columns["C"][k] == grid["target"]}
        for k in rows
    ]


def _amount(value: float) -> str:
    """A count as people write it: 4.81M, 1.2e24."""
    return short(value) if np.isfinite(value) else "open"


def _power(value: float) -> str:
    """A budget: a power of ten to people."""
    return f"{value:.3g}" if value < 1e4 else re.sub(r"\.?0*e\+", "e", f"{value:.2e}")


def _digits(value: float) -> str:
    return f"{value:.4g}" if np.isfinite(value) else "open"


@lru_cache
def environment(*packages: str) -> jinja2.Environment:
    """Templates, from the folders `page` of these packages and of this one."""
    folders = [jinja2.PackageLoader(name, "page") for name in (*packages, "scalefit.reports")]
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(folders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    environment.filters |= {"amount": _amount, "digits": _digits, "power": _power}
    return environment


def place(path: str | Path) -> Path:
    """Where a page is to go, as a path; refused where it cannot."""
    try:
        path = Path(path)
    except TypeError:
        raise TypeError(f"path must say where to write the page, got {told(path)}") from None
    if path.is_dir():
        raise ValueError(f"{str(path)!r} is a folder; name a file in it, e.g. {str(path / 'report.html')!r}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {str(path.parent)!r}; make it, or name another")
    return path
