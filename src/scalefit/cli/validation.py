"""`scalefit extrapolate` and `compare`: where larger runs will end, and which law foretells them best."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from scalefit.cli.options import (
    RUNS,
    Verbs,
    add_columns,
    add_format,
    add_group,
    add_interval,
    add_json,
    add_level,
    add_plot,
    named,
    print_json,
    print_predicted,
    print_table,
    save_picture,
    trusted,
)

__all__ = ["add"]


def add(verbs: Verbs) -> None:
    """Add the verbs of this file."""
    extrapolate = verbs.add_parser(
        "extrapolate",
        help="where larger runs will end: laws averaged by how well they foretold, or priors for few runs",
        epilog="scalefit extrapolate runs.csv --input C=flops --at C=1e22,1e23",
    )
    _add_runs(extrapolate, "usual laws of these inputs")
    extrapolate.add_argument(
        "--at", action="append", metavar="NAME=A,B", help="where the loss is asked for, one row per value"
    )
    extrapolate.add_argument("--save", metavar="FILE", help="write the answer as JSON, for other verbs")
    add_plot(extrapolate)
    add_interval(extrapolate, "run")
    add_format(extrapolate, _extrapolate)
    compare = verbs.add_parser(
        "compare",
        help="which law foretells the larger runs from the smaller, by backtests",
        epilog="scalefit compare runs.csv --law chinchilla skaling",
    )
    _add_runs(compare, "no default")
    add_level(compare, "of the intervals that are judged")
    add_plot(compare)
    add_json(compare, _compare)


def _add_runs(verb: argparse.ArgumentParser, laws: str) -> None:
    verb.add_argument("runs", help=RUNS)
    verb.add_argument(
        "--law", nargs="+", required=laws == "no default", metavar="LAW", help=f"ids of laws ({laws})"
    )
    verb.add_argument("--input", action="append", metavar="NAME=COLUMN", help="the column of an input")
    add_columns(verb, y="column the laws predict", by="column that says which runs are small")
    add_group(verb)


def _columns(options: argparse.Namespace) -> Mapping[str, str] | None:
    """--input NAME=COLUMN as a dict."""
    pairs = [word.partition("=") for word in options.input or ()]
    for name, equals, column in pairs:
        if not (name and equals and column):
            raise ValueError(f"{name!r} is not NAME=COLUMN, e.g. --input C=flops")
    return {name: column for name, _, column in pairs} or None


def _extrapolate(options: argparse.Namespace) -> int:
    import scalefit as sf
    from scalefit.words import taken

    ahead = sf.extrapolate(
        options.runs, options.law, options.by, options.y, _columns(options), group=options.group
    )
    if options.save:
        ahead.save(options.save)
    save_picture(ahead, options.plot)
    at = named(options.at)
    if options.format == "text":
        print(f"{ahead}\n  {taken(ahead.columns)}", end="\n\n" if at else "\n")
    if at:
        print_predicted(ahead, at, options)
    elif options.format != "text":
        print_table(ahead.table(), options.format)
    return trusted(ahead)


def _compare(options: argparse.Namespace) -> int:
    import scalefit as sf
    from scalefit.words import taken

    found = sf.compare(
        options.law,
        options.runs,
        options.by,
        options.y,
        _columns(options),
        level=options.level,
        group=options.group,
    )
    if options.json:
        print_json(found.table().to_dict("records"))
    else:
        print(f"{found}\n\n{taken(next(iter(found.fits.values())).columns)}")
    save_picture(found, options.plot)
    return 0
