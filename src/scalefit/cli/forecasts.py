"""`scalefit settle` and `ledger`: kept forecasts, scored by what was measured."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from scalefit.cli.options import (
    Verbs,
    add_json,
    add_level,
    add_plot,
    print_json,
    save_picture,
)

__all__ = ["add"]


def add(verbs: Verbs) -> None:
    """Add the verbs of this file."""
    settle = verbs.add_parser(
        "settle",
        help="score a kept forecast by what was measured",
        epilog="A forecast is kept by `scalefit predict ... --register FILE` or `forecast ... --register "
        "FILE`. It stays as it is; the measurement goes to FILE.settled.json beside it, once.",
    )
    settle.add_argument("file", help="forecast written by --register or sf.preregister")
    settle.add_argument(
        "--measured",
        nargs="+",
        required=True,
        metavar="VALUE",
        help="what the run reached; of several planned runs one value each, or NAME=VALUE",
    )
    settle.add_argument("--date", help="when it was measured, e.g. 2026-11-28, UTC (now)")
    add_json(settle, _settle)
    ledger = verbs.add_parser(
        "ledger",
        help="all kept forecasts of a folder, and how often their intervals held",
    )
    ledger.add_argument("folder", help="where forecasts were kept")
    add_level(ledger, "of the intervals shown")
    add_plot(ledger)
    add_json(ledger, _ledger)


def _settle(options: argparse.Namespace) -> int:
    import scalefit as sf

    told = sf.settle(options.file, _measured(options.measured), date=options.date)
    if options.json:
        print_json(
            {
                "forecast": told.forecast.content,
                "scores": [vars(score) for score in told.scores],
                "open": list(told.open),
            }
        )
    else:
        print(told)
    return 0


def _measured(words: Sequence[str]) -> list[float] | dict[str, float]:
    """Numbers, or numbers by the names of planned runs."""
    pairs = [word.rpartition("=") for word in words]
    try:
        values = [float(value) for _, _, value in pairs]
    except ValueError:
        raise ValueError(f"--measured takes numbers or NAME=NUMBER, got {' '.join(words)}") from None
    if len({bool(equals) for _, equals, _ in pairs}) > 1:
        raise ValueError("--measured takes numbers alone, or NAME=NUMBER for every one")
    named = {name: value for (name, equals, _), value in zip(pairs, values, strict=True) if equals}
    if named and len(named) < len(values):
        raise ValueError("--measured names a run twice")
    return named or values


def _ledger(options: argparse.Namespace) -> int:
    import scalefit as sf

    book = sf.ledger(options.folder, level=options.level)
    if options.json:
        print_json(
            {
                "level": book.level,
                "settled": book.settled,
                "forecasts": book.frame.to_dict("records"),
                "calibration": book.calibration.to_dict("records"),
                "left_out": dict(book.refused),
            }
        )
    else:
        print(book)
    save_picture(book, options.plot)
    return 0
