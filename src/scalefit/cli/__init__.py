"""The command line, thin over the public names: a file beside this one for each group of verbs.

Exit code 0: done; 1: the fit should not be trusted, or the run is off course (the answer is still printed);
2: the request cannot be carried out. Nothing heavy is imported before it is needed, so that --help and
misspelt options answer at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import scalefit
from scalefit.cli import bench, curves, decisions, demo, fits, forecasts, laws, pages, validation

__all__ = ["main"]

# In the order of --help.
GROUPS = (demo, fits, validation, decisions, pages, curves, forecasts, laws, bench)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        arguments: its words after the program's name; left out, those of this process.

    Returns:
        The exit code: 0, 1 or 2 (see this module).

    Raises:
        SystemExit: after --help and --version, and with 2 for options that do not exist.

    Example:
        >>> from scalefit.cli import main
        >>> main(["laws", "--family", "penalised"])  # doctest: +SKIP
    """
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if rest and not options.takes_inputs:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    options.rest = rest
    try:
        code = options.run(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Whoever read the answer has seen enough, as `head` does; what is left of it goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, KeyError, TypeError, OSError) as error:
        # str() of a KeyError or an OSError is not the bare sentence.
        said = error.args[0] if isinstance(error, KeyError) and error.args else error
        print("scalefit:", " ".join(str(said).split()), file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scalefit", description="Fit scaling laws and know how far to trust them."
    )
    parser.add_argument("--version", action="version", version=f"scalefit {scalefit.__version__}")
    # Whether what argparse does not know are inputs of a law.
    parser.set_defaults(takes_inputs=False)
    verbs = parser.add_subparsers(required=True, metavar="command")
    for group in GROUPS:
        group.add(verbs)
    return parser
