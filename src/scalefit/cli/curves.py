"""`scalefit forecast` and `watch`: where a running loss will end."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

from scalefit.cli.options import (
    Verbs,
    add_columns,
    add_json,
    add_level,
    add_plot,
    add_register,
    print_json,
    register,
    save_picture,
)

if TYPE_CHECKING:
    import numpy as np

    from scalefit.curves.forecast import Forecast

__all__ = ["add"]

SCHEDULE = (
    "rates of the whole run: a function of sf.schedule, e.g. 'cosine(24000, 3e-4, 3e-5, warmup=2160)', or a "
    "table with the columns step and lr"
)
# What a log that has only begun is refused with.
BEGUN = ("is empty", "no rows", "holds no records")


def add(verbs: Verbs) -> None:
    """Add the verbs of this file."""
    forecast = verbs.add_parser("forecast", help="where a running loss will end")
    watch = verbs.add_parser("watch", help="the same, again and again while the log grows")
    for parser in (forecast, watch):
        parser.add_argument(
            "log",
            help="log of one run: of sf.Recorder, a trainer, TensorBoard, or a table with step and loss",
        )
        parser.add_argument("--schedule", metavar="SPEC", help=SCHEDULE)
        parser.add_argument("--steps", type=int, help="length of the run, where no schedule is given")
        parser.add_argument("--law", help="lr_annealing with a schedule, power_floor without")
        add_columns(parser, loss="the log's loss, where it has several")
        add_columns(parser, step="what counts its steps, or the time that orders its rows")
        parser.add_argument(
            "--run", dest="one", metavar="NAME", help="which run, where the log holds several"
        )
        add_level(parser)
    forecast.add_argument(
        "--kind",
        choices=("mean", "run"),
        help="interval of the curve, or of one logged loss (mean; run with --register)",
    )
    add_register(forecast)
    add_plot(forecast)
    add_json(forecast, _forecast)
    watch.add_argument(
        "--every", type=float, default=10.0, metavar="SECONDS", help="between looks at the log (10)"
    )
    watch.add_argument(
        "--html",
        metavar="FILE",
        help="also write a page at every look, which a browser loads again by itself",
    )
    watch.set_defaults(run=_watch)


def _forecast(options: argparse.Namespace) -> int:
    found = _told(options)
    if options.register:
        register(found, options, as_json=options.json)
    elif options.json:
        print_json(_record(found))
    else:
        print(found)
    save_picture(found, options.plot)
    return 0 if found.on_course else 1


def _record(found: Forecast) -> dict[str, object]:
    return {
        **{name: getattr(found, name) for name in ("step", "steps", "loss", "lo", "hi", "level", "law")},
        "alarms": [vars(alarm) for alarm in found.alarms],
        "warnings": [vars(caution) for caution in found.warnings],
        "ahead": found.ahead.to_dict("records"),
    }


def _watch(options: argparse.Namespace) -> int:
    """One line on a terminal, rewritten at every look; elsewhere a line per look;
    each alarm and warning once on its own."""
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
            if options.html:
                _page(found, options)
            for caution in (*found.alarms, *(one for one in found.warnings if one.severity != "info")):
                if caution.code not in said:
                    print(f"{begin}{caution}", flush=True)
                    said.add(caution.code)
            if before is None or (found.step, found.alarms) != (before.step, before.alarms):
                print(f"{begin}{_line(found)}", end=end, flush=True)
    except KeyboardInterrupt:
        pass
    print(end="\n" if live else "")
    return 0 if found is None or found.on_course else 1


def _page(found: Forecast, options: argparse.Namespace) -> None:
    from scalefit.reports.report import live

    live(found, options.html, options.every)


def _look(options: argparse.Namespace, before: Forecast | None) -> Forecast | None:
    """The forecast now; None while the log has no losses yet."""
    try:
        return _told(options)
    except (ValueError, OSError) as error:
        missing = isinstance(error, FileNotFoundError)
        if before is None and (missing or any(words in str(error) for words in BEGUN)):
            return None
        raise


def _line(found: Forecast) -> str:
    share = found.step / found.steps
    bar = "#" * int(20 * share)
    if found.loss != found.loss:
        told = "diverged" if found.diverged else "no forecast yet"
    else:
        told = f"end {found.loss:.4g} ({found.lo:.4g} to {found.hi:.4g})"
    return f"[{bar:<20}] {share:4.0%}  step {found.step}  loss {found.last:.4g}  {told}"


def _told(options: argparse.Namespace) -> Forecast:
    import scalefit as sf

    schedule = None if options.schedule is None else _schedule(options.schedule)
    loss, step = options.loss or "loss", options.step or "step"
    return sf.forecast(
        options.log,
        schedule,
        options.law,
        options.level,
        steps=options.steps,
        loss=loss,
        step=step,
        run=options.one,
        # A kept forecast is held against one logged loss.
        kind=getattr(options, "kind", None) or ("run" if getattr(options, "register", None) else "mean"),
    )


def _schedule(spec: str) -> np.ndarray:
    import scalefit as sf

    if "(" in spec:
        return sf.schedule.from_text(spec)
    from scalefit.runs.tables import columns_of

    table = columns_of(spec)
    missing = [column for column in ("step", "lr") if column not in table]
    if missing:
        raise ValueError(f"{spec!r} has no column {missing[0]!r}; a schedule needs step and lr")
    return sf.schedule.from_points(zip(table["step"], table["lr"], strict=True))
