"""Forecasts written down before the run, in a file that shows later edits.

    sf.preregister(fit, "forecasts/70b.json", at={"N": 7e10, "D": 1.4e12}, assumptions="same tokenizer")
    sf.settle("forecasts/70b.json", 1.93)
    sf.ledger("forecasts")

A file is one JSON object that holds a fingerprint of its own content. That shows edits by mistake and edits
by hand; somebody who writes a new fingerprint too is found out only if the old one is known elsewhere, so
commit the file, or send its fingerprint to a colleague.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from scalefit import files
from scalefit.curves.forecast import Forecast
from scalefit.fits import saving
from scalefit.fits.ensemble import Ensemble, check_fit
from scalefit.fits.fit import Fit
from scalefit.frames import Frame, frame
from scalefit.validation.scores import Predictive
from scalefit.words import listed, short

__all__ = [
    "LEVELS",
    "SETTLED",
    "Preregistered",
    "preregister",
    "read_sealed",
    "registered",
    "seal",
    "text_of",
    "utc",
    "write_new",
]

LEVELS = (0.5, 0.8, 0.9, 0.95)
# The level shown first.
SHOWN = 0.9
# Both ends of an interval of this level are the median, nearly enough.
MIDDLE = 0.01
ENDING, SETTLED = ".json", ".settled.json"
KIND, FORMAT = "scalefit forecast", 1
HASH = "sha256"


@dataclass(frozen=True, eq=False, repr=False)
class Preregistered:
    """A forecast that was kept: `path` of its file, and `content`, what the file holds."""

    path: Path
    content: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What the forecast is called."""
        return self.content["name"]

    @property
    def date(self) -> str:
        """When it was made, UTC."""
        return self.content["date"]

    @property
    def target(self) -> str:
        """What is foretold: the column that was fitted, or the loss of a curve."""
        return self.content["target"]

    @property
    def sha256(self) -> str:
        """The fingerprint of the file's content."""
        return self.content[HASH]

    def predictive(self) -> dict[str, Predictive]:
        """Name of a planned run -> what was foretold of it."""
        return {
            run["name"]: Predictive(
                run["median"],
                {float(level): (lo, hi) for level, (lo, hi) in run["intervals"].items()},
                self.content["space"] == "log",
            )
            for run in self.content["runs"]
        }

    @property
    def frame(self) -> Frame:
        """One row per planned run: name, inputs, mean, lo and hi at every level (lo_90, ...),
        distance, caution."""
        return frame(
            {
                "name": run["name"],
                **run["inputs"],
                "mean": run["mean"],
                **{
                    f"{end}_{100 * float(level):g}": value
                    for level, ends in run["intervals"].items()
                    for end, value in zip(("lo", "hi"), ends, strict=True)
                },
                "distance": run["distance"],
                "caution": ",".join(run["cautions"]),
            }
            for run in self.content["runs"]
        )

    def __repr__(self) -> str:
        lines = []
        for run in self.content["runs"]:
            lo, hi = run["intervals"][str(SHOWN)]
            at = ", ".join(
                f"{k} = {v:.3g}" if _is_number(v) else f"{k} = {v}" for k, v in run["inputs"].items()
            )
            cautions = f"; {', '.join(run['cautions'])}" if run["cautions"] else ""
            lines.append(
                f"{run['name']}: {self.target} {run['mean']:.4g}, {SHOWN:.0%} interval {lo:.4g} to {hi:.4g} "
                f"at {at}{cautions}"
            )
        laws = listed([each["law"] for each in self.content["laws"]])
        return "\n".join(
            [
                *lines,
                f"by {laws} ({self.content['status']}), {self.content['allows']}",
                f"kept in {self.path.name} on {self.date}, fingerprint {self.sha256[:16]}",
                *([f"assumes: {self.content['assumptions']}"] if self.content["assumptions"] else []),
            ]
        )

    def _repr_html_(self) -> str:
        first, *rest = map(escape, repr(self).splitlines())
        return f"<div><p><b>{first}</b></p><p>{'<br>'.join(rest)}</p></div>"


def preregister(
    answer: Fit | Ensemble | Forecast,
    path: str | Path,
    at: Mapping[str, Any] | None = None,
    *,
    name: str | Iterable[str] | None = None,
    assumptions: str = "",
    date: str | datetime | None = None,
) -> Preregistered:
    """Write a forecast before the run, for `sf.settle` to score it after.

    The file holds inputs, mean, median and the 50, 80, 90 and 95 % intervals of each planned run; laws,
    coefficients, objectives and the fingerprints of the data; status and cautions; versions, assumptions,
    date, and a fingerprint of all that. Intervals are of one new run and allow for the law's own error.

    Args:
        answer: a fit or an ensemble, or a forecast of a running curve. Intervals of a forecast are of its own
            kind: `sf.forecast(..., kind="run")` where one logged loss will be held against it.
        path: of the file, which ends in .json; a file that is there stays as it is.
        at: the inputs of the planned run, or a table of several, as for `fit.predict`; none for the forecast
            of a curve.
        name: of the planned run, or one per run; the file's name where left out.
        assumptions: in words, what the forecast rests on: data, tokenizer, schedule, stopping.
        date: when the forecast was made, UTC; now where left out.

    Returns:
        A `Preregistered` record of what was written.

    Raises:
        FileExistsError: where there is such a file already.
        ValueError: for inputs the law cannot take, an answer without a finite interval, names that do not
            go with the runs, and a date that is none.
        TypeError: for what is neither fit, ensemble nor forecast.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     kept = sf.preregister(fit, f"{folder}/big.json", {"N": 1e10, "D": 2e11}, date="2026-01-02")
        >>> kept.name, kept.date
        ('big', '2026-01-02T00:00:00Z')
    """
    path = Path(_path(path))
    if not isinstance(answer, Forecast):
        check_fit(answer, "preregister", ensemble=True)
    if not path.name.endswith(ENDING) or path.name.endswith(SETTLED):
        raise ValueError(f"path must end in {ENDING} (not {SETTLED}), got {short(path.name)}")
    if not isinstance(assumptions, str):
        raise TypeError(f"assumptions must be text, got {short(assumptions)}")
    made = utc(date, "date")
    _free(path)
    said = _of_curve(answer, at) if isinstance(answer, Forecast) else _of_fit(answer, at)
    names = _names(name, path, len(said["runs"]))
    runs = [{"name": label, **run} for label, run in zip(names, said.pop("runs"), strict=True)]
    content = seal(
        {
            "kind": KIND,
            "format": FORMAT,
            "name": names[0] if len(names) == 1 else path.name.removesuffix(ENDING),
            "date": made,
            **said,
            "runs": runs,
            "assumptions": assumptions,
            "versions": saving.versions(),
        }
    )
    write_new(path, content)
    return Preregistered(path, content)


def registered(path: str | Path) -> Preregistered:
    """The forecast in a file; ValueError with one sentence where it was edited, is damaged or holds none."""
    path = Path(_path(path))
    content = read_sealed(path, KIND, FORMAT)
    found = Preregistered(path, content)
    try:
        # Whatever is asked of it later is asked now, while the file's name is at hand.
        for each in found.predictive().values():
            each.pit(each.median)
        repr(found), found.frame.shape
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path.name!r} cannot be used as a forecast: it is damaged ({error})") from error
    return found


def _of_fit(fit: Fit | Ensemble, at: Any) -> dict[str, Any]:
    """What the file says of a fit's predictions."""
    if at is None:
        like = ", ".join(f'"{name}": ...' for name in fit.law.inputs)
        raise ValueError(f"at must hold the inputs of the planned run, at={{{like}}}")
    member, _ = next(iter(fit.members.values()))
    if not all(np.size(column) for column in member.inputs_of(at).values()):
        raise ValueError("at has no rows; give the inputs of one planned run or more")
    told = {level: fit.predict(at, level, "run") for level in (*LEVELS, MIDDLE)}
    first = told[SHOWN]
    inputs = list(first.columns[: list(first.columns).index("mean")])
    runs = []
    for k in range(len(first)):
        row = {level: table.iloc[k] for level, table in told.items()}
        run = {
            "inputs": {str(n): _item(row[SHOWN][n]) for n in inputs},
            "mean": float(row[SHOWN]["mean"]),
            "median": float((row[MIDDLE]["lo"] + row[MIDDLE]["hi"]) / 2),
            "intervals": {str(v): [float(row[v]["lo"]), float(row[v]["hi"])] for v in LEVELS},
            "distance": float(row[SHOWN]["distance"]),
            "cautions": [code for code in row[SHOWN]["caution"].split(",") if code],
        }
        runs.append(_finite(run, f" in row {k} (counting from 0)" if len(first) > 1 else ""))
    return {
        "target": str(fit.columns.get("y", "y")),
        "source": "ensemble" if isinstance(fit, Ensemble) else "fit",
        "interval_of": "run",
        "model_error": True,
        "allows": "intervals of one new run that allow for the law's own error",
        "space": fit.objective.space,
        "laws": [_law(each, weight) for each, weight in fit.members.values()],
        "status": fit.trust if isinstance(fit, Ensemble) else fit.status.trust,
        "warnings": [str(caution) for caution in fit.warnings],
        "runs": runs,
    }


def _law(fit: Any, weight: float) -> dict[str, Any]:
    return {
        "law": fit.law.name,
        "formula": fit.law.formula,
        "weight": float(weight),
        "coefs": {name: _word(value) for name, value in fit.coefs.items()},
        "objective": saving.objective_fields(fit.objective),
        "columns": dict(fit.columns),
        "notes": list(fit.notes),
        "rows": len(fit.data.counted),
        "data": fit.data.hash(),
    }


def _of_curve(told: Forecast, at: Any) -> dict[str, Any]:
    """What the file says of where a running curve will end."""
    if at is not None:
        raise ValueError("at belongs to fits; a forecast of a curve is of its own last step, so leave it out")
    if not len(told.draws):
        raise ValueError("this forecast foretells nothing yet (its loss is NaN); there is nothing to keep")
    intervals = {
        str(level): np.quantile(told.draws, ((1 - level) / 2, (1 + level) / 2)).tolist() for level in LEVELS
    }
    run = {
        "inputs": {"step": told.steps},
        "mean": told.loss,
        "median": float(np.median(told.draws)),
        "intervals": intervals,
        "distance": float(np.log10(told.steps / told.step)),
        "cautions": [caution.code for caution in (*told.alarms, *told.warnings)],
    }
    law = {
        "law": told.law,
        "weight": 1.0,
        "coefs": {name: _word(mean) for name, (mean, _) in told.coefs.items()},
        "spread": {name: _word(sd) for name, (_, sd) in told.coefs.items()},
        "rows": told.rows,
        "data": told.data,
    }
    of = "one logged loss" if told.kind == "run" else "the curve, without the noise of one loss"
    return {
        "target": "loss",
        "source": "curve",
        "interval_of": told.kind,
        "model_error": True,
        "allows": f"intervals of {of} that allow for a departure from the law, seen from step {told.step}",
        "space": "log",
        "laws": [law],
        "status": "on course" if told.on_course else "off course",
        "warnings": [str(caution) for caution in (*told.alarms, *told.warnings)],
        "runs": [_finite(run, "")],
    }


def _finite(run: dict[str, Any], where: str) -> dict[str, Any]:
    """The run itself, where its distribution can be scored."""
    numbers = [run["mean"], run["median"], *(end for ends in run["intervals"].values() for end in ends)]
    if not np.all(np.isfinite(numbers)):
        raise ValueError(
            f"the answer has no finite interval{where}, and nothing could be held against such a forecast; "
            "plan a run nearer to those that were fitted, or take another law"
        )
    return run


def _names(name: Any, path: Path, n: int) -> list[str]:
    """A name for each planned run."""
    stem = path.name.removesuffix(ENDING)
    if name is None:
        return [stem] if n == 1 else [f"{stem} {k + 1}" for k in range(n)]
    names = [name] if isinstance(name, str) else list(name) if isinstance(name, Iterable) else [name]
    if not all(isinstance(each, str) and each for each in names):
        raise TypeError(f"name must be text, or one text for each run, got {short(name)}")
    if len(names) != n or len(set(names)) != n:
        raise ValueError(
            f"{n} planned run{'s need' if n > 1 else ' needs'} as many different names; got {short(name)}"
        )
    return names


def utc(when: str | datetime | None, what: str) -> str:
    """A point in time as text, UTC, whole seconds; now for None; ValueError for what is none."""
    if when is None:
        found = datetime.now(UTC)
    elif isinstance(when, datetime):
        found = when
    elif isinstance(when, str):
        try:
            found = datetime.fromisoformat(when)
        except ValueError:
            raise ValueError(
                f'{what} must be like "2026-11-28" or "2026-11-28T12:00:00Z", got {short(when)}'
            ) from None
    else:
        raise ValueError(f'{what} must be like "2026-11-28" or "2026-11-28T12:00:00Z", got {short(when)}')
    found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    return found.strftime("%Y-%m-%dT%H:%M:%SZ")


def seal(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content with its own fingerprint."""
    return {**content, HASH: _fingerprint(content)}


def _fingerprint(content: Mapping[str, Any]) -> str:
    rest = {name: part for name, part in content.items() if name != HASH}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def text_of(content: Mapping[str, Any]) -> str:
    """Strict JSON for people to read."""
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def write_new(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file that is not there yet; FileExistsError where it is."""
    try:
        files.write(path, text_of(content), new=True)
    except FileExistsError:
        _free(path)
        raise


def _free(path: Path) -> None:
    """FileExistsError where something has this name; FileNotFoundError where its folder is missing."""
    if os.path.lexists(path):
        raise FileExistsError(
            f"there is a file {path.name!r} already, and forecasts are never overwritten; take another name"
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"there is no folder {str(path.parent)!r} to keep {path.name!r} in; make it first"
        )


def read_sealed(path: Path, kind: str, format: int) -> dict[str, Any]:
    """What a file of this kind holds, its fingerprint checked; ValueError with one sentence otherwise."""
    if not path.exists():
        raise FileNotFoundError(f"there is no file {str(path)!r}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path.name!r} cannot be read: it is damaged, no strict JSON ({error})") from error
    if not isinstance(content, Mapping) or content.get("kind") != kind:
        raise ValueError(f"{path.name!r} holds no {kind.removeprefix('scalefit ')}")
    if content.get("format") != format:
        raise ValueError(
            f"{path.name!r} has format {short(content.get('format'))}, this version reads {format}"
        )
    if content.get(HASH) != _fingerprint(content):
        raise ValueError(
            f"{path.name!r} does not match its own fingerprint: it was edited after it was written"
        )
    return dict(content)


def _refused(word: str) -> float:
    raise ValueError(f"{word} is no number")


def _path(path: Any) -> str | Path:
    if not isinstance(path, str | Path) or not str(path):
        raise TypeError(f"path must name a file, got {short(path)}")
    return path


def _item(value: Any) -> Any:
    """One cell as JSON has it."""
    value = value.item() if hasattr(value, "item") else value
    return value if isinstance(value, str | int | float | bool) else str(value)


def _word(value: Any) -> float | str:
    """A coefficient; infinities and NaN of a bad fit are words, which strict JSON can hold."""
    return float(value) if np.isfinite(value) else str(float(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
