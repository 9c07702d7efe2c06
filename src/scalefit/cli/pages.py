"""`scalefit report`: one self-contained HTML page about a fit."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from scalefit.cli.options import (
    Verbs,
    add_columns,
    add_json,
    add_law_as_right,
    add_level,
    by_input,
    column,
    named,
    one,
    print_json,
)

if TYPE_CHECKING:
    from scalefit.fits.ensemble import Ensemble
    from scalefit.fits.fit import Fit

__all__ = ["add"]

# Inputs that a table may be asked for where no law is named: those of the laws that are averaged.
USUAL = ("N", "D", "C", "x")


def add(verbs: Verbs) -> None:
    """Add the verbs of this file."""
    report = verbs.add_parser(
        "report",
        help="write one HTML page: forecast, best size and tokens, checks, and how to repeat them",
        usage="scalefit report RUNS [--law LAW] [--INPUT COLUMN ...] [--target C=1e24] [options]",
        epilog="RUNS is a table, one run per row, or a fit saved as JSON. Without --law several laws are "
        "fitted and averaged by how well they foretold the larger runs. Example: scalefit report runs.csv "
        "--N n_params --D n_tokens --y loss --target C=1e24",
    )
    report.add_argument("runs", help="table of runs, or JSON file written by --save")
    report.add_argument("--law", help="id of a law; `scalefit laws` lists them")
    add_columns(report, y="column the law predicts")
    report.add_argument(
        "--target",
        metavar="C=1e24",
        help="where the loss is wanted: a budget, or N=7e10,D=1.4e12 (ten times beyond the largest runs)",
    )
    report.add_argument(
        "--at", action="append", metavar="NAME=VALUE", help="value of another input of the law"
    )
    add_level(report)
    report.add_argument("--out", metavar="FILE", default="report.html", help="the page (report.html)")
    report.add_argument("--save", metavar="FILE", help="write the fit as JSON too")
    report.add_argument(
        "--quick", action="store_true", help="leave out what needs refits: sensitivity, backtest, profile"
    )
    add_law_as_right(report)
    add_json(report, _report)
    report.set_defaults(takes_inputs=True)


def _report(options: argparse.Namespace) -> int:
    import scalefit as sf

    fit = _answer(options)
    target = None
    if options.target is not None:
        target = {name: one(name, values) for name, values in named(options.target.split(",")).items()}
    there = Path(options.out).exists()
    path = sf.report(
        fit,
        options.out,
        target,
        options.level,
        at={name: one(name, values) for name, values in named(options.at).items()},
        refits=not options.quick,
        model_error=not options.law_as_right,
    )
    if options.save:
        fit.save(options.save)
    if options.json:
        print_json(
            {"page": str(path), "replaced": there, "trust": fit.status.trust, "status": str(fit.status)}
        )
    else:
        print(fit.summary().splitlines()[0])
        print(f"The page is {path}{', in place of the one that was there' * there}; open it in a browser.")
    return 0 if fit.status.ok else 1


def _answer(options: argparse.Namespace) -> Fit | Ensemble:
    """The fit that the options ask for: a saved one, one of a law, or several laws averaged."""
    import scalefit as sf

    if options.law is None and _saved(options.runs):
        if options.rest or options.y:
            given = " ".join([*options.rest, *(["--y", options.y] if options.y else [])])
            raise ValueError(f"{options.runs!r} is a saved fit, which has its columns; leave out {given}")
        return sf.load(options.runs)
    if options.law is None:
        words = by_input(USUAL, "several laws", options.rest, "report")
        inputs = {name: column(name, given, "report") for name, given in words.items()}
        return sf.extrapolate(options.runs, y=options.y, inputs=inputs or None)
    law = sf.laws.get(options.law)
    words = by_input(law.inputs, law.name, options.rest, "report")
    inputs = {name: column(name, given, "report") for name, given in words.items()}
    return sf.fit(law, options.runs, inputs=inputs, y=options.y)


def _saved(path: str) -> bool:
    """Whether a file is a fit or an ensemble that was saved, and no table."""
    import json

    if not path.lower().endswith(".json"):
        return False
    try:
        content = json.loads(Path(path).read_text())
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and "format" in content
