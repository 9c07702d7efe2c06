"""`scalefit optimal`, `isoflop`, `plan`, `decide`, `gate`, `sweep`: what to train, and which runs next."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from scalefit.cli.options import (
    FIT,
    LEVEL,
    RUNS,
    Verbs,
    add_columns,
    add_format,
    add_json,
    add_law_as_right,
    add_level,
    add_plot,
    named,
    one,
    print_json,
    print_table,
    save_picture,
    tell,
    trusted,
    two,
)

__all__ = ["add"]


def add(verbs: Verbs) -> None:
    """Add the verbs of this file."""
    _add_optimal(verbs)
    _add_isoflop(verbs)
    _add_plan(verbs)
    _add_decide(verbs)
    _add_gate(verbs)
    _add_sweep(verbs)


def _add_optimal(verbs: Verbs) -> None:
    optimal = verbs.add_parser(
        "optimal",
        help="the best size and tokens for a budget, or the budget for a loss",
        epilog="NAME=VALUE and NAME=A,B,... may be given more than once.",
    )
    optimal.add_argument("fit", help=f"{FIT}, or a law with a published set, e.g. chinchilla:besiroglu2024")
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
    add_law_as_right(optimal)
    add_plot(optimal)
    add_format(optimal, _optimal)


def _add_isoflop(verbs: Verbs) -> None:
    isoflop = verbs.add_parser(
        "isoflop",
        help="the best size by the minimum of each budget's sweep, and a power through these",
        epilog="scalefit isoflop runs.csv --budget flops --C 1e23",
    )
    isoflop.add_argument("runs", help="table of runs, several sizes per budget")
    add_columns(isoflop, budget="column of budgets, in any unit", N="column of parameters")
    add_columns(isoflop, D="column of tokens", y="column of losses")
    isoflop.add_argument("--method", default="parabola", help="parabola, cubic or akima (parabola)")
    isoflop.add_argument("--C", nargs="+", type=float, metavar="FLOPS", help="budgets 6 N D to answer for")
    add_level(isoflop)
    isoflop.add_argument("--keep-outliers", action="store_true", help="count runs far off the others too")
    add_plot(isoflop)
    add_format(isoflop, _isoflop)


def _add_decide(verbs: Verbs) -> None:
    decide = verbs.add_parser(
        "decide",
        help="which of several recipes is best at a budget, and how surely",
        epilog="scalefit decide runs.csv --recipe mixture --C 1e22",
    )
    decide.add_argument("runs", help="table of runs of all recipes")
    decide.add_argument("--C", type=float, required=True, metavar="FLOPS", help="the budget decided for")
    decide.add_argument(
        "--recipe", default="recipe", metavar="COLUMN", help="column that names recipes (recipe)"
    )
    add_columns(decide, by="column of budgets", y="column of losses")
    add_level(decide)
    add_law_as_right(decide)
    add_format(decide, _decide)


def _add_gate(verbs: Verbs) -> None:
    gate = verbs.add_parser(
        "gate",
        help="whether a recipe may replace the baseline, from one pair of small runs up",
        epilog="Exit code 0: promote, 1: hold, 3: unclear, 2: no answer. "
        "Example: scalefit gate runs.csv --recipe muon --baseline adamw --C 1e22",
    )
    gate.add_argument("runs", help="table of runs of both recipes")
    gate.add_argument("--recipe", required=True, metavar="LABEL", help="the recipe that is to be promoted")
    gate.add_argument("--baseline", required=True, metavar="LABEL", help="the recipe in use")
    gate.add_argument(
        "--C", type=float, metavar="FLOPS", help="the budget decided for (the baseline's largest)"
    )
    gate.add_argument(
        "--column", default="recipe", metavar="COLUMN", help="column that names recipes (recipe)"
    )
    add_columns(gate, by="column of budgets", y="column of losses")
    add_level(gate)
    add_plot(gate)
    add_json(gate, _gate)


def _add_plan(verbs: Verbs) -> None:
    plan = verbs.add_parser("plan", help="which runs to make next for the narrowest interval at a target")
    plan.add_argument("fit", help=f"{FIT}; before any run the id of a law, e.g. chinchilla")
    plan.add_argument("candidates", help="table of the runs to choose from, with the law's inputs as columns")
    plan.add_argument(
        "--budget", type=float, required=True, help="what the new runs may cost together, in FLOPs"
    )
    plan.add_argument(
        "--target",
        required=True,
        action="append",
        metavar="N=7e10,D=1.4e12",
        help="where the loss is to be known; or C=FLOPS; may be given more than once",
    )
    add_columns(plan, cost="column with what each candidate costs (6 N D)")
    add_level(plan)
    add_law_as_right(plan)
    add_plot(plan)
    add_format(plan, _plan)


def _add_sweep(verbs: Verbs) -> None:
    sweep = verbs.add_parser(
        "sweep",
        help="the best learning rate, batch size or other hyperparameter of every size and tokens",
        epilog="Words stand for columns with usual names; WORD=COLUMN says which it is, "
        "as in --over lr=peak_lr --by N=n_params D=n_tokens.",
    )
    sweep.add_argument("runs", help=RUNS)
    sweep.add_argument(
        "--over", nargs="+", default=["lr", "batch"], metavar="WORD", help="what was swept (lr batch)"
    )
    sweep.add_argument(
        "--by", nargs="*", default=["N", "D"], metavar="WORD", help="what tells the cells apart (N D)"
    )
    add_columns(sweep, y="column of losses")
    add_level(sweep)
    sweep.add_argument(
        "--tolerance", type=float, default=0.0025, help="of the flat bottom, as a share of the loss (0.0025)"
    )
    sweep.add_argument(
        "--sequence-length",
        type=float,
        metavar="TOKENS",
        help="in one sequence, where the batch counts these",
    )
    sweep.add_argument("--save", metavar="FILE", help="write the optima as CSV, for `scalefit fit`")
    sweep.add_argument("--save-best", metavar="FILE", help="write the best run of every cell as CSV")
    add_plot(sweep)
    add_format(sweep, _sweep)


def _optimal(options: argparse.Namespace) -> int:
    import scalefit as sf

    fit, coefs = _fit_or_law(options.fit)
    level = LEVEL if options.level is None and coefs is None else options.level
    at = {name: one(name, values) for name, values in named(options.at).items()}
    table = sf.optimal(
        fit,
        C=options.C,
        loss=options.loss,
        level=level,
        coefs=coefs,
        menu=options.menu,
        flops=None if options.serve is None else sf.flops.lifetime(options.serve),
        at=at,
        choices=named(options.choose),
        limits={name: two(name, values) for name, values in named(options.limit).items()},
        model_error=not options.law_as_right,
    )
    if options.plot and coefs is not None:
        raise ValueError("--plot draws the runs of a fit, and a published law has none; give a saved fit")
    save_picture(fit, options.plot, "isoloss", C=float(table["C"].iloc[0]), at=at)
    print_table(table, options.format)
    return trusted(fit)


def _fit_or_law(word: str) -> tuple[Any, str | None]:
    """A saved fit, or a law with the label of its published set."""
    import scalefit as sf

    if not Path(word).exists():
        name, colon, label = word.partition(":")
        if colon:
            return sf.laws.get(name), label
        if word in sf.laws.names():
            raise ValueError(f"{word!r} is a law; say which published set, {word}:LABEL, or give a saved fit")
    return sf.load(word), None


def _plan(options: argparse.Namespace) -> int:
    import scalefit as sf

    early = options.fit in sf.laws.names() and not Path(options.fit).exists()
    fit = options.fit if early else sf.load(options.fit)
    if isinstance(fit, sf.Ensemble):
        raise ValueError(f"{options.fit!r} holds several laws; plan needs a fit of one")
    plan = sf.next_runs(
        fit,
        options.candidates,
        options.budget,
        # N=7e10,D=1.4e12 as one word.
        [
            {name: one(name, values) for name, values in named(word.split(",")).items()}
            for word in options.target
        ],
        cost=options.cost,
        level=options.level,
        model_error=not options.law_as_right,
    )
    tell(plan, plan.runs, options)
    return trusted(fit)


def _isoflop(options: argparse.Namespace) -> int:
    import scalefit as sf

    found = sf.isoflop(
        options.runs,
        {name: column for name in ("N", "D") if (column := getattr(options, name))} or None,
        options.y,
        options.budget,
        method=options.method,
        level=options.level,
        outliers="keep" if options.keep_outliers else "apart",
    )
    if options.format == "text":
        print(found)
        if options.C:
            print()
    if options.C or options.format != "text":
        print_table(found.predict(options.C) if options.C else found.points, options.format)
    save_picture(found, options.plot)
    return 0


def _decide(options: argparse.Namespace) -> int:
    import scalefit as sf
    from scalefit.words import taken

    table = sf.decide(
        options.runs,
        options.C,
        level=options.level,
        recipe=options.recipe,
        by=options.by,
        y=options.y,
        model_error=not options.law_as_right,
    )
    print_table(table, options.format)
    if options.format == "text":
        print(f"\n{taken(table.attrs['columns'])}")
    return 0


def _gate(options: argparse.Namespace) -> int:
    import scalefit as sf

    found = sf.gate(
        options.runs,
        options.recipe,
        options.baseline,
        options.C,
        level=options.level,
        column=options.column,
        by=options.by,
        y=options.y,
    )
    if options.json:
        told = {name: value for name, value in vars(found).items() if name not in ("baseline_runs", "key")}
        print_json(told | {"pairs": found.pairs.to_dict("records")})
    else:
        print(found)
    save_picture(found, options.plot)
    return {"promote": 0, "hold": 1, "unclear": 3}[found.verdict]


def _sweep(options: argparse.Namespace) -> int:
    import scalefit as sf

    pairs = [word.partition("=") for word in (*options.over, *options.by)]
    found = sf.sweep(
        options.runs,
        over=[word.partition("=")[0] for word in options.over],
        by=[word.partition("=")[0] for word in options.by],
        y=options.y,
        inputs={name: column for name, equals, column in pairs if equals},
        level=options.level,
        tolerance=options.tolerance,
        sequence_length=options.sequence_length,
    )
    for path, table in ((options.save, found.optima), (options.save_best, found.best)):
        if path:
            from scalefit import files

            files.write(path, table.to_csv(index=False))
    tell(found, found.cells, options)
    if found.cells["used"].any():
        return 0
    print("scalefit: no cell has an optimum", file=sys.stderr)
    return 1
