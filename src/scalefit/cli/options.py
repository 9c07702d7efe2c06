"""What several verbs share: options, NAME=VALUE, inputs of a law, what is printed, and the exit code."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

__all__ = [
    "FIT",
    "LEVEL",
    "RUNS",
    "Run",
    "Verbs",
    "add_columns",
    "add_format",
    "add_group",
    "add_interval",
    "add_json",
    "add_law_as_right",
    "add_level",
    "add_plot",
    "add_register",
    "by_input",
    "column",
    "in_shell",
    "named",
    "one",
    "print_json",
    "print_predicted",
    "print_table",
    "register",
    "save_picture",
    "tell",
    "trusted",
    "two",
    "write_picture",
]

# What a verb does with its options; the exit code.
Run = Callable[[argparse.Namespace], int]
# What argparse makes of `add_subparsers`; its own name for it is private.
Verbs = Any

FIT = "JSON file written by --save, fit.save or ensemble.save"
RUNS = "CSV, TSV, Parquet, Excel or JSON-lines file, one run per row"
FORMATS = ("text", "csv", "json", "markdown", "latex")
LEVEL = 0.9
# A text in Python; a call that a verb carries out as well: name, law, table, inputs, what follows; and advice
# for Python alone.
TEXT = r'"[^"]*"'
CALL = (
    rf'sf\.(fit|extrapolate|suggest)\((?:"(\w+)", )?({TEXT})'
    rf"(?:, inputs={{([^}}]*)}})?((?:, (?:y|group)={TEXT})*)\)"
)
PANDAS = r", e\.g\. with (?:runs\.dropna|pandas\.).*?(?=;|$)"
# Kinds of intervals, and what they are of.
KINDS = {"mean": "the curve", "run": "one new run"}


def add_format(parser: argparse.ArgumentParser, run: Run) -> None:
    """--format and --json of a verb that answers with a table."""
    parser.add_argument("--format", choices=FORMATS, default="text", help="of the table printed (text)")
    parser.add_argument("--json", dest="format", action="store_const", const="json", help="--format json")
    parser.set_defaults(run=run)


def add_json(parser: argparse.ArgumentParser, run: Run) -> None:
    """--json of a verb that answers with text."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.set_defaults(run=run)


def add_group(parser: argparse.ArgumentParser) -> None:
    """--group and --no-group of a verb that fits."""
    either = parser.add_mutually_exclusive_group()
    either.add_argument(
        "--group", metavar="COLUMN", help="column that says which rows belong together and share errors"
    )
    either.add_argument(
        "--no-group", dest="group", action="store_const", const=False, help="rows are independent"
    )


def add_plot(parser: argparse.ArgumentParser) -> None:
    """--plot of a verb whose answer has a picture."""
    parser.add_argument(
        "--plot", metavar="FILE", help="draw the answer; the ending says the format (png, pdf, svg)"
    )


def save_picture(answer: Any, path: str | None, picture: str = "draw", **said: Any) -> None:
    """Draw an answer into a file, where one is named: its usual picture, or another of `sf.plot`."""
    if path is None:
        return
    from scalefit import plot
    from scalefit.plot.axes import offscreen

    figure = offscreen()
    getattr(plot, picture)(answer, ax=figure.subplots(), **said)
    write_picture(figure, path, dpi=150)


def tell(answer: Any, table: Any, options: argparse.Namespace) -> None:
    """Print an answer, in another format than text its table, and draw it where asked."""
    save_picture(answer, options.plot)
    if options.format == "text":
        print(answer)
    else:
        print_table(table, options.format)


def add_level(parser: argparse.ArgumentParser, of: str = "of the intervals") -> None:
    """--level of a verb that answers with intervals."""
    parser.add_argument("--level", type=float, default=LEVEL, help=f"{of} (0.9)")


def add_law_as_right(parser: argparse.ArgumentParser) -> None:
    """--law-as-right of a verb that answers with intervals."""
    parser.add_argument(
        "--law-as-right",
        action="store_true",
        help="narrower intervals, which leave out what the law itself may be off by",
    )


def add_register(parser: argparse.ArgumentParser) -> None:
    """--register of a verb whose answer can be kept as a forecast."""
    parser.add_argument(
        "--register", metavar="FILE", help="keep the forecast in a new file (.json), for `scalefit settle`"
    )
    parser.add_argument("--name", help="with --register: of the planned run")
    parser.add_argument("--assumptions", help="with --register: what the forecast rests on, in words")


def register(answer: Any, options: argparse.Namespace, at: Any = None, *, as_json: bool) -> None:
    """Keep a forecast in the file that --register names, and print what was kept."""
    import scalefit as sf

    kept = sf.preregister(
        answer, options.register, at, name=options.name, assumptions=options.assumptions or ""
    )
    if as_json:
        print_json(kept.content)
    else:
        print(kept)


def add_columns(parser: argparse.ArgumentParser, **named: str) -> None:
    """Options that each name a column of the table, and what they are for."""
    for name, what in named.items():
        parser.add_argument(f"--{name}", metavar="COLUMN", help=what)


def add_interval(parser: argparse.ArgumentParser, kind: str) -> None:
    """--level, --kind and --law-as-right of a verb that predicts."""
    add_level(parser)
    parser.add_argument(
        "--kind",
        choices=tuple(KINDS),
        default=kind,
        help=f"interval of the curve, or of one new run with its noise ({kind})",
    )
    add_law_as_right(parser)


def by_input(names: Iterable[str], law: str, rest: Sequence[str], verb: str) -> dict[str, list[str]]:
    """What argparse did not know, `--N word ...` or `--N=word`, as words by input."""
    found: dict[str, list[str]] = {}
    known = list(names)
    name, takes = "", False
    for word in rest:
        if takes and not word.startswith("--"):
            found[name].append(word)
            continue
        name, equals, first = word.removeprefix("--").partition("=")
        if not word.startswith("--") or name not in known:
            raise ValueError(
                f"no option {word!r}; the inputs of law {law!r} are {', '.join(f'--{n}' for n in known)} "
                f"(other options: scalefit {verb} --help)"
            )
        found[name], takes = [first] if first else [], not equals
    return found


def column(name: str, words: Sequence[str], verb: str) -> str:
    """The one column given for an input."""
    if not words:
        raise ValueError(
            f"--{name} needs the name of a column; the table comes first: scalefit {verb} RUNS ..."
        )
    if len(words) > 1:
        raise ValueError(f"--{name} takes one column, got {' '.join(words)}; quote a name with blanks")
    return words[0]


def named(given: Sequence[str] | None) -> dict[str, list[float]]:
    """NAME=A,B,... as a dict."""
    found = {}
    for word in given or ():
        name, equals, values = word.partition("=")
        try:
            found[name] = [float(value) for value in values.split(",")]
        except ValueError:
            equals = ""
        if not (name and equals):
            raise ValueError(f"{word!r} is not NAME=NUMBER, e.g. U=1e11")
    return found


def one(name: str, values: Sequence[float]) -> float:
    """The only number given for a name; ValueError for more."""
    if len(values) != 1:
        raise ValueError(f"{name} takes one number here, got {len(values)}")
    return values[0]


def two(name: str, values: Sequence[float]) -> tuple[float, float]:
    """Both limits given for a name; ValueError for another number of them."""
    if len(values) != 2:
        raise ValueError(f"the limits of {name} are two numbers, LEAST,MOST; got {len(values)}")
    return values[0], values[1]


def in_shell(said: str, known: Collection[str] | None = None) -> str:
    """Words made for Python in the command line's: calls, and a verb's options where these are known."""

    def columns(pairs: str, each: bool) -> str:
        named = re.findall(rf'"(\w+)": ({TEXT})', pairs)
        return " ".join(f"--{n} {_word(to)}" if each else f"--input {n}={_word(to)}" for n, to in named)

    def call(found: re.Match[str]) -> str:
        name, law, table, pairs, rest = found.groups()
        words = [f"scalefit {name} {_word(table)}", f"--law {law}" * bool(law)]
        words += [columns(pairs or "", name == "fit")]
        words += [f"--{key} {_word(to)}" for key, to in re.findall(rf"(\w+)=({TEXT})", rest)]
        return " ".join(filter(None, words))

    said = re.sub(CALL, call, said)
    if known is None:
        return said
    said = re.sub(PANDAS, "", said)
    said = re.sub(r"inputs={([^}]*)}", lambda found: columns(found[1], "--N" in known), said)
    return re.sub(
        rf"\b(\w+)=({TEXT})",
        lambda found: f"--{found[1]} {_word(found[2])}" if f"--{found[1]}" in known else found[0],
        said,
    )


def _word(quoted: str) -> str:
    """A text in quotation marks as a shell takes it; dots stand for a column still to be named."""
    return "COLUMN" if quoted == '"..."' else shlex.quote(quoted[1:-1])


def print_table(table: Any, form: str) -> None:
    """Print a frame in one of the formats."""
    import scalefit as sf

    if form == "csv":
        print(table.to_csv(index=False), end="")
    elif form == "json":
        print_json(table.to_dict("records"))
    else:
        shown = {"markdown": sf.to_markdown, "latex": sf.to_latex}.get(form)
        print(shown(table) if shown else table.to_string(index=False))


def write_picture(figure: Any, path: str | Path, dpi: int) -> None:
    """Write a picture in the format of its name's ending, whole or not at all."""
    from scalefit import files

    held = BytesIO()
    figure.savefig(held, format=Path(path).suffix[1:] or "png", dpi=dpi)
    files.write(path, held.getvalue())


def print_predicted(fit: Any, x: Mapping[str, Any], options: argparse.Namespace) -> None:
    """Print what a fit predicts at x, in text with what the interval is of and what speaks against it."""
    table = fit.predict(x, options.level, options.kind, model_error=not options.law_as_right)
    print_table(table, options.format)
    if options.format == "text":
        allows = "takes the law as right" if options.law_as_right else "allows for the law's own error"
        print(f"\n{options.level:.0%} interval of {KINDS[options.kind]}; it {allows}")
        for caution in fit.cautions(x):
            print(caution)


def print_json(value: Any) -> None:
    """Print strict JSON, which has no word for numbers that are not finite: they are null."""
    from scalefit.words import jsonable

    print(json.dumps(jsonable(value), indent=1, allow_nan=False))


def trusted(fit: Any) -> int:
    """The exit code of an answer from this fit; what is wrong with the fit goes to the other stream."""
    status = getattr(fit, "status", None)
    if status is None or status.ok:
        return 0
    print(f"scalefit: the fit behind this answer: {status}", file=sys.stderr)
    return 1
