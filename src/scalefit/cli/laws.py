"""`scalefit laws`: the catalogue, or one law whole; `scalefit suggest`: which of them a table allows."""

from __future__ import annotations

import argparse

from scalefit.cli.options import (
    RUNS,
    Verbs,
    add_columns,
    add_json,
    in_shell,
    print_json,
)

__all__ = ["add"]


def add(verbs: Verbs) -> None:
    """Add the verbs of this file."""
    laws = verbs.add_parser("laws", help="list the laws by family, or show one whole")
    laws.add_argument("name", nargs="?", help="show this law: formula, units, coefficients, published sets")
    laws.add_argument("--family", help="only this family")
    laws.add_argument("--inputs", metavar="N,D", help="only laws that need no more than these inputs")
    laws.add_argument("--markdown", action="store_true", help="print the whole catalogue as Markdown")
    add_json(laws, _laws)
    suggest = verbs.add_parser(
        "suggest",
        help="the laws that a table's columns allow, each with the call that fits it",
        epilog="Columns are recognised by usual names; where yours are not usual, say which input they are: "
        "--input N=size --input D=seen.",
    )
    suggest.add_argument("runs", help=RUNS)
    add_columns(suggest, y="column to foretell")
    suggest.add_argument("--input", action="append", metavar="NAME=COLUMN", help="column of an input of laws")
    suggest.add_argument(
        "--no-backtest", action="store_true", help="do not compare the laws by what they foretell; quicker"
    )
    add_json(suggest, _suggest)


def _laws(options: argparse.Namespace) -> int:
    import scalefit as sf
    from scalefit.laws import document

    if not options.json and (options.markdown or options.name):
        page = "\n".join(document.entry(sf.laws.get(options.name))) if options.name else document.markdown()
        print(page, end="")
        return 0
    found = (
        [sf.laws.get(options.name)]
        if options.name
        else sf.laws.find(options.inputs.split(",") if options.inputs else None, options.family)
    )
    if not found:
        raise ValueError(f"no law fits; the families are {', '.join(document.FAMILIES)}")
    order = list(document.FAMILIES)
    found = sorted(found, key=lambda law: order.index(law.family))
    if options.json:
        table = sf.laws.table().set_index("name", drop=False)
        print_json(table.loc[[law.name for law in found]].to_dict("records"))
        return 0
    rows = [("id", "family", "inputs", "source")]
    rows += [(law.name, law.family, ", ".join(law.inputs), law.source) for law in found]
    widths = [max(len(row[k]) for row in rows) for k in range(3)]
    for row in rows:
        print("  ".join([*(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)), row[3]]))
    return 0


def _suggest(options: argparse.Namespace) -> int:
    import scalefit as sf

    inputs = {}
    for word in options.input or ():
        name, equals, column = word.partition("=")
        if not (name and equals and column):
            raise ValueError(f"{word!r} is not NAME=COLUMN, e.g. N=n_params")
        inputs[name] = column
    found = sf.suggest(options.runs, options.y, inputs, backtest=not options.no_backtest)
    if options.json:
        told = {
            name: getattr(found, name) for name in ("y", "predicts", "unused", "missing", "others", "notes")
        }
        print_json({"laws": found.frame.to_dict("records"), **told})
    else:
        print(in_shell(str(found)))
    return 0
