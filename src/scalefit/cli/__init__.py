"""The command line: `scalefit fit`, `show`, `optimal`, `plan`, `forecast`, `watch`, `laws`, thin over the public names.

Exit code 0: done; 1: the fit should not be trusted, or the run is off course (the answer is still printed); 2: the request cannot
be carried out.
Nothing heavy is imported before it is needed, so that --help and misspelt options answer at once.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scalefit.core.objective import Objective
    from scalefit.fits.ensemble import Ensemble
    from scalefit.fits.fit import Fit

__all__ = ["main"]

OBJECTIVES = ("huber", "absolute", "square", "log_cosh")
WITH_DELTA = ("huber", "log_cosh")
FIT = "JSON file written by --save or fit.save, or a law with a published set, e.g. chinchilla:besiroglu2024"
SCHEDULE = ("rates of the whole run: a function of sf.schedule, e.g. 'cosine(24000, 3e-4, 3e-5, warmup=2160)', or a table with the "
            "columns step and lr")  # fmt: skip
FORMATS = ("text", "csv", "json", "markdown", "latex")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line, this process's own unless given; returns the exit code."""
    parser = _parser()
    options, inputs = parser.parse_known_args(arguments)
    if inputs and options.run is not _fit:
        parser.error(f"unrecognized arguments: {' '.join(inputs)}")
    if arguments is None:
        # Only in a process of our own: whoever calls `main` with arguments keeps his JAX settings.
        _keep_compiled()
    try:
        return options.run(options, inputs)
    except (ValueError, KeyError, TypeError, OSError) as error:
        # str() of a KeyError or an OSError is not the bare sentence.
        said = error.args[0] if isinstance(error, KeyError) and error.args else error
        print("scalefit:", " ".join(str(said).split()), file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scalefit", description="Fit scaling laws and know how far to trust them."
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    fit = commands.add_parser(
        "fit", help="fit a law to a table of runs", allow_abbrev=False,
        usage="scalefit fit RUNS --law LAW [--INPUT COLUMN ...] [--y COLUMN] [options]",
        epilog="The law's inputs are options too: --N n_params --D n_tokens for chinchilla, --x flops for power_floor. "
               "Inputs and --y may be left out where the column has a usual name.",
    )  # fmt: skip
    fit.add_argument("runs", help="CSV, TSV, Parquet or JSON-lines file, one run per row")
    fit.add_argument("--law", required=True, help="id of a law; `scalefit laws` lists them")
    fit.add_argument("--y", metavar="COLUMN", help="column the law predicts")
    fit.add_argument(
        "--group", metavar="COLUMN", help="column that says which rows belong together; kept with the fit"
    )
    fit.add_argument("--weight", metavar="COLUMN", help="column of weights")
    fit.add_argument("--objective", choices=OBJECTIVES, help="what the fit minimises (huber)")
    fit.add_argument("--delta", type=float, help="where huber and log_cosh turn linear (1e-3)")
    fit.add_argument(
        "--space", choices=("log", "linear"), help="residuals of the logarithm or as they are (log)"
    )
    fit.add_argument("--save", metavar="FILE", help="write the fit as JSON, for `scalefit show` and sf.load")
    fit.add_argument(
        "--plot", metavar="FILE", help="draw runs and law; the ending says the format (png, pdf, svg)"
    )
    _add_json(fit, _fit)
    show = commands.add_parser("show", help="print a saved fit")
    show.add_argument("file", help="JSON file written by --save or fit.save")
    _add_json(show, _show)
    _add_optimal(commands)
    _add_plan(commands)
    _add_forecast(commands)
    laws = commands.add_parser("laws", help="list the laws by family, or show one whole")
    laws.add_argument("name", nargs="?", help="show this law: formula, units, coefficients, published sets")
    laws.add_argument("--family", help="only this family")
    laws.add_argument("--inputs", metavar="N,D", help="only laws that need no more than these inputs")
    laws.add_argument("--markdown", action="store_true", help="print the whole catalogue as Markdown")
    laws.set_defaults(run=_laws)
    return parser


def _add_optimal(commands: Any) -> None:
    optimal = commands.add_parser(
        "optimal", help="the best size and tokens for a budget, or the budget for a loss", allow_abbrev=False,
        epilog="NAME=VALUE and NAME=A,B,... may be given more than once.",
    )  # fmt: skip
    optimal.add_argument("fit", help=FIT)
    optimal.add_argument("--C", nargs="+", type=float, metavar="FLOPS", help="budgets in FLOPs")
    optimal.add_argument("--loss", nargs="+", type=float, help="losses to reach, in place of budgets")
    optimal.add_argument(
        "--level", type=float, help="of the intervals (0.9; a law with a published set has none)"
    )
    optimal.add_argument(
        "--at", action="append", metavar="NAME=VALUE", help="value of another input of the law"
    )
    optimal.add_argument(
        "--choose", action="append", metavar="NAME=A,B", help="values of another input to choose from"
    )
    optimal.add_argument("--limit", action="append", metavar="NAME=LEAST,MOST", help="limits of N or D")
    optimal.add_argument("--menu", nargs="+", type=float, metavar="N", help="sizes to choose from")
    optimal.add_argument("--serve", type=float, metavar="TOKENS", help="tokens to be served after training")
    _add_format(optimal, _optimal)


def _add_plan(commands: Any) -> None:
    plan = commands.add_parser(
        "plan", help="which runs to make next for the narrowest interval at a target", allow_abbrev=False
    )
    plan.add_argument("fit", help="JSON file written by --save or fit.save")
    plan.add_argument("candidates", help="table of the runs to choose from, with the law's inputs as columns")
    plan.add_argument(
        "--budget", type=float, required=True, help="what the new runs may cost together, in FLOPs"
    )
    plan.add_argument(
        "--target", required=True, metavar="N=7e10,D=1.4e12", help="where the loss is to be known; or C=FLOPS"
    )
    plan.add_argument("--cost", metavar="COLUMN", help="column with what each candidate costs (6 N D)")
    plan.add_argument("--level", type=float, default=0.9, help="of the interval (0.9)")
    _add_format(plan, _plan)


def _add_forecast(commands: Any) -> None:
    forecast = commands.add_parser("forecast", help="where a running loss will end", allow_abbrev=False)
    watch = commands.add_parser(
        "watch", help="the same, again and again while the log grows", allow_abbrev=False
    )
    for parser in (forecast, watch):
        parser.add_argument(
            "log",
            help="log of one run: of sf.Recorder, a trainer, TensorBoard, or a table with step and loss",
        )
        parser.add_argument("--schedule", metavar="SPEC", help=SCHEDULE)
        parser.add_argument("--steps", type=int, help="length of the run, where no schedule is given")
        parser.add_argument("--law", help="lr_annealing with a schedule, power_floor without")
        parser.add_argument("--loss", metavar="COLUMN", help="the log's loss, where it has several")
        parser.add_argument(
            "--step", metavar="COLUMN", help="what counts its steps, or the time that orders its rows"
        )
        parser.add_argument(
            "--run", dest="one", metavar="NAME", help="which run, where the log holds several"
        )
        parser.add_argument("--level", type=float, default=0.9, help="of the interval (0.9)")
    _add_json(forecast, _forecast)
    watch.add_argument(
        "--every", type=float, default=10.0, metavar="SECONDS", help="between looks at the log (10)"
    )
    watch.set_defaults(run=_watch)


def _add_format(parser: argparse.ArgumentParser, run: Any) -> None:
    parser.add_argument("--format", choices=FORMATS, default="text", help="of the table printed (text)")
    parser.set_defaults(run=run)


def _add_json(parser: argparse.ArgumentParser, run: Any) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.set_defaults(run=run)


def _fit(options: argparse.Namespace, rest: list[str]) -> int:
    import scalefit as sf

    law = sf.laws.get(options.law)
    found = sf.fit(law, options.runs, inputs=_inputs(law.inputs, law.name, rest), y=options.y, group=options.group,
                   weight=options.weight, objective=_objective(options))  # fmt: skip
    if options.save:
        found.save(options.save)
    if options.plot:
        _draw(found, options.plot)
    return _print(found, options.json)


def _show(options: argparse.Namespace, rest: list[str]) -> int:
    import scalefit as sf

    return _print(sf.load(options.file), options.json)


def _optimal(options: argparse.Namespace, rest: list[str]) -> int:
    import scalefit as sf

    fit: Any
    if ":" in options.fit and not Path(options.fit).exists():
        name, _, label = options.fit.partition(":")
        fit, coefs, level = sf.laws.get(name), label, options.level
    else:
        if options.fit in sf.laws.names() and not Path(options.fit).exists():
            raise ValueError(
                f"{options.fit!r} is a law; say which published set, {options.fit}:LABEL, or give a saved fit"
            )
        fit, coefs, level = sf.load(options.fit), None, 0.9 if options.level is None else options.level
    table = sf.optimal(fit, C=options.C, loss=options.loss, level=level, coefs=coefs, menu=options.menu,
                       flops=sf.flops.six_nd if options.serve is None else sf.flops.lifetime(options.serve),
                       at={name: _one(name, values) for name, values in _named(options.at).items()},
                       choices=_named(options.choose),
                       limits={name: _two(name, values) for name, values in _named(options.limit).items()})  # fmt: skip
    _print_table(table, options.format)
    return _trusted(fit)


def _plan(options: argparse.Namespace, rest: list[str]) -> int:
    import scalefit as sf

    fit = sf.load(options.fit)
    # N=7e10,D=1.4e12 as one word.
    target = {name: _one(name, values) for name, values in _named(options.target.split(",")).items()}
    plan = sf.next_runs(
        fit, options.candidates, options.budget, target, cost=options.cost, level=options.level
    )
    if options.format == "text":
        print(plan)
    else:
        _print_table(plan.runs, options.format)
    return _trusted(fit)


def _forecast(options: argparse.Namespace, rest: list[str]) -> int:
    found = _told(options)
    if options.json:
        print(json.dumps({
            "step": found.step, "steps": found.steps, "loss": _finite(found.loss), "lo": found.lo, "hi": _finite(found.hi),
            "level": found.level, "law": found.law, "alarms": [vars(alarm) for alarm in found.alarms],
            "warnings": [vars(caution) for caution in found.warnings], "ahead": found.ahead.to_dict("records"),
        }, indent=1))  # fmt: skip
    else:
        print(found)
    return 0 if found.on_course else 1


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None


def _watch(options: argparse.Namespace, rest: list[str]) -> int:
    """One line on a terminal, rewritten at every look; a line per look elsewhere; each alarm once on a line of its own."""
    if not options.every >= 0:
        raise ValueError(f"--every must be a number of seconds of at least 0, got {options.every:g}")
    live = sys.stdout.isatty()
    begin, end = ("\r\x1b[K", "") if live else ("", "\n")
    said: set[str] = set()
    found, looks = None, 0
    try:
        while found is None or found.step < found.steps:
            if looks:
                time.sleep(options.every)
            looks += 1
            before, found = found, _look(options, found)
            if found is None:
                print(f"{begin}waiting for losses in {options.log}", end=end, flush=True)
                continue
            for alarm in found.alarms:
                if alarm.code not in said:
                    print(f"{begin}{alarm}", flush=True)
                    said.add(alarm.code)
            for caution in found.warnings:
                # Counts in them grow with the log.
                if caution.severity != "info" and caution.code not in said:
                    print(f"{begin}{caution}", flush=True)
                    said.add(caution.code)
            if before is None or (found.step, found.alarms) != (before.step, before.alarms):
                print(f"{begin}{_line(found)}", end=end, flush=True)
    except KeyboardInterrupt:
        pass
    print(end="\n" if live else "")
    return 0 if found is None or found.on_course else 1


def _look(options: argparse.Namespace, before: Any) -> Any:
    """The forecast now; None while the log has no losses yet."""
    try:
        return _told(options)
    except (ValueError, OSError) as error:
        begun = ("is empty", "no rows", "holds no records")
        if before is None and (
            isinstance(error, FileNotFoundError) or any(word in str(error) for word in begun)
        ):
            return None
        raise


def _line(found: Any) -> str:
    share = found.step / found.steps
    bar = "#" * int(20 * share)
    if found.loss != found.loss:
        told = "diverged" if found.diverged else "no forecast yet"
    else:
        told = f"end {found.loss:.4g} ({found.lo:.4g} to {found.hi:.4g})"
    return f"[{bar:<20}] {share:4.0%}  step {found.step}  loss {found.last:.4g}  {told}"


def _told(options: argparse.Namespace) -> Any:
    import scalefit as sf

    schedule = None if options.schedule is None else _schedule(options.schedule)
    return sf.forecast(options.log, schedule, options.law, options.level, steps=options.steps, run=options.one,
                       loss=options.loss or "loss", step=options.step or "step")  # fmt: skip


def _schedule(spec: str) -> Any:
    import scalefit as sf

    if "(" in spec:
        return sf.schedule.from_text(spec)
    from scalefit.runs.tables import columns_of

    table = columns_of(spec)
    missing = [column for column in ("step", "lr") if column not in table]
    if missing:
        raise ValueError(f"{spec!r} has no column {missing[0]!r}; a schedule needs step and lr")
    return sf.schedule.from_points(zip(table["step"], table["lr"], strict=True))


def _trusted(fit: Any) -> int:
    """The exit code of an answer from this fit; what is wrong with the fit goes to the other stream."""
    status = getattr(fit, "status", None)
    if status is None or status.ok:
        return 0
    print(f"scalefit: the fit behind this answer: {status}", file=sys.stderr)
    return 1


def _named(given: Sequence[str] | None) -> dict[str, list[float]]:
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


def _one(name: str, values: list[float]) -> float:
    if len(values) != 1:
        raise ValueError(f"{name} takes one number here, got {len(values)}")
    return values[0]


def _two(name: str, values: list[float]) -> tuple[float, float]:
    if len(values) != 2:
        raise ValueError(f"the limits of {name} are two numbers, LEAST,MOST; got {len(values)}")
    return values[0], values[1]


def _print_table(table: Any, form: str) -> None:
    import scalefit as sf

    if form == "csv":
        print(table.to_csv(index=False), end="")
    elif form == "json":
        print(table.to_json(orient="records", indent=1, double_precision=15))
    else:
        shown = {"markdown": sf.to_markdown, "latex": sf.to_latex}.get(form)
        print(shown(table) if shown else table.to_string(index=False))


def _laws(options: argparse.Namespace, rest: list[str]) -> int:
    import scalefit as sf
    from scalefit.laws import document

    if options.markdown or options.name:
        print(
            "\n".join(document.entry(sf.laws.get(options.name))) if options.name else document.markdown(),
            end="",
        )
        return 0
    inputs = options.inputs.split(",") if options.inputs else None
    found = sf.laws.find(inputs, options.family)
    if not found:
        raise ValueError(f"no law fits; the families are {', '.join(document.FAMILIES)}")
    order = list(document.FAMILIES)
    rows = [("id", "family", "inputs", "source"),
            *((law.name, law.family, ", ".join(law.inputs), law.source)
              for law in sorted(found, key=lambda law: order.index(law.family)))]  # fmt: skip
    widths = [max(len(row[k]) for row in rows) for k in range(3)]
    for row in rows:
        print("  ".join([*(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)), row[3]]))
    return 0


def _inputs(names: Iterable[str], law: str, rest: list[str]) -> dict[str, str]:
    """What argparse did not know, `--N column` or `--N=column`, as the law's inputs."""
    found: dict[str, str] = {}
    words = iter(rest)
    for word in words:
        name, equals, column = word.removeprefix("--").partition("=")
        if not word.startswith("--") or name not in names:
            raise ValueError(f"no option {word!r}; the inputs of law {law!r} are {', '.join(f'--{n}' for n in names)} "
                             "(other options: scalefit fit --help)")  # fmt: skip
        column = column if equals else next(words, "")
        if not column or column.startswith("--"):
            raise ValueError(f"--{name} needs the name of a column")
        found[name] = column
    return found


def _objective(options: argparse.Namespace) -> Objective | None:
    """The objective asked for; None, which leaves the choice to the law, where nothing was."""
    given = {name: value for name in ("delta", "space") if (value := getattr(options, name)) is not None}
    if options.objective is None and not given:
        return None
    import scalefit as sf

    kind = options.objective or "huber"
    if "delta" in given and kind not in WITH_DELTA:
        raise ValueError(
            f"--delta belongs to {' and '.join(WITH_DELTA)}; leave it out with --objective {kind}"
        )
    return getattr(sf, kind)(**given)


def _draw(fit: Fit, path: str) -> None:
    from scalefit import plot
    from scalefit.plot._axes import offscreen

    figure = offscreen()
    plot.curve(fit, ax=figure.subplots())
    figure.savefig(path, dpi=150)


def _print(fit: Fit | Ensemble, as_json: bool) -> int:
    print(json.dumps(_record(fit), indent=1) if as_json else fit.summary())
    return 0 if fit.status.ok else 1


def _record(fit: Fit) -> dict[str, Any]:
    """What a script reads off a fit; the file written by --save has everything."""
    errors = {name: value if abs(value) < float("inf") else None for name, value in fit.stderr().items()}
    return {
        "law": fit.law.name, "formula": fit.law.formula, "trust": fit.status.trust, "status": str(fit.status),
        "warnings": [vars(caution) for caution in fit.warnings], "coefs": dict(fit.coefs), "stderr": errors,
        "objective": str(fit.objective), "value": fit.value, "n_rows": len(fit.data), "columns": dict(fit.columns),
        "notes": list(fit.notes),
    }  # fmt: skip


def _keep_compiled() -> None:
    """Keep compiled programs between runs, in SCALEFIT_CACHE or the user's cache directory; "off" keeps none."""
    setting = os.environ.get("SCALEFIT_CACHE")
    if setting == "off":
        return
    folder = Path(setting) if setting else _cache_folder() / "scalefit"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # A machine without a place to write still fits, only the first time is slower each time.
    # JAX reads these when it is loaded, which thus need not happen before there is something to fit.
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(folder))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")


def _cache_folder() -> Path:
    base = os.environ.get("LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME")
    return Path(base) if base else Path.home() / ".cache"
