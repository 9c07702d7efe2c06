"""`scalefit fit`, `show` and `predict`: from a table to a fit, and what it says."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from scalefit.cli.options import (
    FIT,
    LEVEL,
    RUNS,
    Verbs,
    add_columns,
    add_format,
    add_group,
    add_interval,
    add_json,
    add_plot,
    add_register,
    by_input,
    column,
    print_json,
    print_predicted,
    register,
    save_picture,
    trusted,
)

if TYPE_CHECKING:
    from scalefit.core.objective import Objective
    from scalefit.fits.ensemble import Ensemble
    from scalefit.fits.fit import Fit

__all__ = ["add"]

OBJECTIVES = ("huber", "absolute", "square", "log_cosh")
WITH_DELTA = ("huber", "log_cosh")


def add(verbs: Verbs) -> None:
    """Add the verbs of this file."""
    _add_fit(verbs)
    show = verbs.add_parser("show", help="print a saved fit")
    show.add_argument("file", help=FIT)
    add_plot(show)
    add_json(show, _show)
    _add_predict(verbs)


def _add_fit(verbs: Verbs) -> None:
    fit = verbs.add_parser(
        "fit",
        help="fit a law to a table of runs",
        usage="scalefit fit RUNS --law LAW [--INPUT COLUMN ...] [--y COLUMN] [options]",
        epilog="The law's inputs are options too: --N n_params --D n_tokens for chinchilla, --x flops for "
        "power_floor. Inputs and --y may be left out where the column has a usual name.",
    )
    fit.add_argument("runs", help=RUNS)
    fit.add_argument("--law", required=True, help="id of a law; `scalefit laws` lists them")
    add_columns(fit, y="column the law predicts", weight="column of weights")
    add_group(fit)
    fit.add_argument("--objective", choices=OBJECTIVES, help="what the fit minimises (huber)")
    fit.add_argument("--delta", type=float, help="where huber and log_cosh turn linear (1e-3)")
    fit.add_argument(
        "--space", choices=("log", "linear"), help="residuals of the logarithm or as they are (log)"
    )
    fit.add_argument("--save", metavar="FILE", help="write the fit as JSON, for other verbs and sf.load")
    add_plot(fit)
    add_json(fit, _fit)
    fit.set_defaults(takes_inputs=True)


def _add_predict(verbs: Verbs) -> None:
    predict = verbs.add_parser(
        "predict",
        help="the loss that a saved fit predicts, with its interval",
        usage="scalefit predict FIT --INPUT VALUE ... [options]",
        epilog="The law's inputs are options: --N 7e10 --D 1.4e12 for chinchilla; with several values, "
        "--N 7e10 4e11 --D 1.4e12 8e12, one row each. The interval allows for the law's own error, "
        "learnt from backtests inside the runs.",
    )
    predict.add_argument("fit", help=FIT)
    add_interval(predict, "mean")
    add_plot(predict)
    add_register(predict)
    add_format(predict, _predict)
    # Left out, so that what does not go with --register is seen.
    predict.set_defaults(takes_inputs=True, level=None, kind=None)


def _fit(options: argparse.Namespace) -> int:
    import scalefit as sf

    law = sf.laws.get(options.law)
    words = by_input(law.inputs, law.name, options.rest, "fit")
    found = sf.fit(
        law,
        options.runs,
        inputs={name: column(name, given, "fit") for name, given in words.items()},
        y=options.y,
        group=options.group,
        weight=options.weight,
        objective=_objective(options),
    )
    if options.save:
        # Learnt once here and kept in the file, not anew at every `scalefit predict`.
        _ = found.model_error
        found.save(options.save)
    return _print(found, options)


def _show(options: argparse.Namespace) -> int:
    import scalefit as sf

    return _print(sf.load(options.file), options)


def _predict(options: argparse.Namespace) -> int:
    import scalefit as sf

    fit = sf.load(options.fit)
    x = _asked(fit, options.rest)
    level, model_error = options.level or LEVEL, not options.law_as_right
    save_picture(fit, options.plot, "curve", level=level, model_error=model_error)
    if options.register:
        return _register(fit, x, options)
    options.level = LEVEL if options.level is None else options.level
    options.kind = options.kind or "mean"
    print_predicted(fit, x, options)
    return trusted(fit)


def _register(fit: Fit | Ensemble, x: dict[str, Any], options: argparse.Namespace) -> int:
    if options.law_as_right or options.level is not None or options.kind == "mean":
        raise ValueError(
            "--register keeps the intervals of one new run at 50, 80, 90 and 95 %, with the law's own error; "
            "leave out --level, --kind mean and --law-as-right"
        )
    if options.format not in ("text", "json"):
        raise ValueError("--register answers with text or --json")
    register(fit, options, x, as_json=options.format == "json")
    return trusted(fit)


def _asked(fit: Fit | Ensemble, rest: Sequence[str]) -> dict[str, Any]:
    """Inputs by the law's names from `--N 7e10 4e11`, or by those of the columns that were fitted."""
    law = fit.law
    columns = {fit.columns.get(name, name): name for name in law.inputs}
    usual = {name: name for name in law.inputs} | {k: v for k, v in columns.items() if k not in law.inputs}
    x: dict[str, Any] = {}
    for word, given in by_input(usual, law.name, rest, "predict").items():
        name = usual[word]
        if not given:
            raise ValueError(
                f"--{word} needs a value; the fit comes first: scalefit predict FIT --{word} ..."
            )
        if name in x:
            raise ValueError(f"{name} is given twice, also as --{word}")
        x[name] = given if name in law.labels else [_number(word, value) for value in given]
    missing = [f"--{name}" for name in law.inputs if name not in x]
    if missing:
        raise ValueError(f"{', '.join(missing)} missing: law {law.name!r} needs a value for each input")
    rows = max(map(len, x.values()))
    for name, values in x.items():
        if len(values) not in (1, rows):
            raise ValueError(
                f"--{name} has {len(values)} values where others have {rows}; give one or {rows}"
            )
    return {name: values * rows if len(values) == 1 else values for name, values in x.items()}


def _number(name: str, word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise ValueError(f"--{name} takes numbers, got {word!r}") from None


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


def _print(fit: Fit | Ensemble, options: argparse.Namespace) -> int:
    save_picture(fit, options.plot)
    if options.json:
        print_json(_record(fit))
    else:
        print(fit.summary())
    return 0 if fit.status.ok else 1


def _record(fit: Fit | Ensemble) -> dict[str, Any]:
    """What a script reads off a fit; the file written by --save has everything."""
    import scalefit as sf

    record = {
        "law": fit.law.name,
        "formula": fit.law.formula,
        "trust": fit.status.trust,
        "status": str(fit.status),
        "warnings": [vars(caution) for caution in fit.warnings],
        "coefs": dict(fit.coefs),
        "objective": str(fit.objective),
        "n_rows": len(fit.data),
        "columns": dict(fit.columns),
    }
    if isinstance(fit, sf.Ensemble):
        return record | {"laws": fit.table().to_dict("records")}
    return record | {"stderr": fit.stderr(), "value": fit.value, "notes": list(fit.notes)}
