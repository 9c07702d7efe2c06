"""The command line, thin over the public names: a file beside this one for each group of verbs.

Exit code 0: done; 1: the fit should not be trusted, or the run is off course (the answer is still printed);
2: the request cannot be carried out; 130: interrupted by Ctrl-C. Nothing heavy is imported before it is
needed, so that --help and misspelt options answer at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

import scalefit
from scalefit.cli import bench, curves, decisions, demo, fits, forecasts, laws, pages, validation
from scalefit.cli.options import in_shell

__all__ = ["main"]

# At the end of a verb's --help, where the verb has no example of its own.
EXAMPLES = {
    "demo": "--out demo",
    "fit": "runs.csv --law chinchilla --N n_params --D n_tokens --y loss --save fit.json",
    "show": "fit.json",
    "predict": "fit.json --N 7e10 --D 1.4e12",
    "optimal": "fit.json --C 1e23 1e24",
    "plan": "fit.json candidates.csv --budget 1e21 --target C=1e24",
    "sweep": "sweep.csv --over lr batch --by N D --save optima.csv",
    "forecast": 'run.jsonl --schedule "cosine(24000, 3e-4, warmup=2000)"',
    "watch": 'run.jsonl --schedule "wsd(24000, 3e-4, cooldown=4800)"',
    "settle": "next.json --measured 2.31",
    "ledger": "forecasts",
    "laws": "--inputs N,D",
    "suggest": "runs.csv --y loss",
    "bench": "run 'foresight/*' --method chinchilla --quick",
}
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
    if "jax" not in sys.modules and "SCALEFIT_DEVICE" not in os.environ:
        # A training on this machine keeps its GPU to itself.
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
    parser = _parser()
    try:
        options, rest = parser.parse_known_args(arguments)
        if rest and not options.takes_inputs:
            parser.error(f"unrecognized arguments: {' '.join(rest)}")
        options.rest = rest
        code = options.run(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Whoever read the answer has seen enough, as `head` does; what is left of it goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("scalefit: interrupted", file=sys.stderr)
        return 130
    except (ValueError, KeyError, TypeError, OSError) as error:
        # str() of a KeyError or of a system's error is not the bare sentence.
        said = error.args[0] if isinstance(error, KeyError) and error.args else error
        if isinstance(error, OSError) and error.strerror and error.filename is not None:
            said = f"{error.strerror}: {str(error.filename)!r}"
        print("scalefit:", in_shell(" ".join(str(said).split()), options.known), file=sys.stderr)
        return 2


class _Verb(argparse.ArgumentParser):
    """The parser of a verb, which knows its options and tells a shell where to complete names of files."""

    def __init__(self, **said: Any) -> None:
        self.known: set[str] = set()
        super().__init__(**said, allow_abbrev=False)

    def add_argument(self, *names: Any, **said: Any) -> argparse.Action:
        """As the base class does; what `shtab` looks for stands on the action."""
        action = super().add_argument(*names, **said)
        self.known |= set(action.option_strings)
        if action.metavar == "FILE" or not (action.option_strings or action.choices):
            action.complete = {"bash": "_shtab_compgen_files", "zsh": "_files"}  # type: ignore[attr-defined]
        return action


class _Completion(argparse.Action):
    """--print-completion: what a shell needs to complete verbs, options and files."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Any = None) -> None:
        """Print the script and end."""
        try:
            import shtab
        except ImportError:
            parser.error("completion needs an extra: pip install 'scalefit-jax[completion]'")
        print(shtab.complete(parser, values))
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scalefit", description="Fit scaling laws and know how far to trust them."
    )
    parser.add_argument("--version", action="version", version=f"scalefit {scalefit.__version__}")
    parser.add_argument(
        "--print-completion",
        action=_Completion,
        choices=("bash", "zsh"),
        help="print a completion script for this shell, to be sourced by it",
    )
    # Whether what argparse does not know are inputs of a law.
    parser.set_defaults(takes_inputs=False)
    verbs = parser.add_subparsers(required=True, metavar="command", parser_class=_Verb)
    for group in GROUPS:
        group.add(verbs)
    for verb in verbs.choices.values():
        # Where inputs of laws are options, argparse does not know them.
        verb.set_defaults(known={*verb.known, *(["--N"] if verb.get_default("takes_inputs") else ())})
    for name, words in EXAMPLES.items():
        verb = verbs.choices[name]
        verb.epilog = " ".join(filter(None, (verb.epilog, f"Example: scalefit {name} {words}")))
    return parser
