"""Kept forecasts scored: what was measured beside what was foretold, and how often intervals held."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from scalefit import files
from scalefit.arguments import number
from scalefit.decisions.preregistration import (
    ENDING,
    LEVELS,
    SETTLED,
    SHOWN,
    Preregistered,
    read_sealed,
    registered,
    seal,
    utc,
    write_new,
)
from scalefit.fits import saving
from scalefit.fits.pictured import Pictured
from scalefit.frames import Frame, frame
from scalefit.validation.scores import binomial_interval
from scalefit.words import aligned, listed, short

__all__ = ["Ledger", "Score", "Settled", "ledger", "settle"]

KIND, FORMAT = "scalefit settlement", 1
DAY = 86400.0


@dataclass(frozen=True)
class Score:
    """How a run came out beside its forecast.

    error: of the mean foretold, in % of what was measured (in units of y where that is 0). inside: level ->
    whether the interval held it. interval_score: level -> width + 2 / (1 - level) times the distance outside,
    of log y where the fit's errors are of log y, otherwise of y; log_score: minus the log density there; less
    is better for both. pit: the probability that was given to values up to the measured one. days: from the
    forecast to the measurement. distance: decades outside the runs fitted, or log10 of steps at the end over
    steps seen.
    """

    name: str
    mean: float
    measured: float
    error: float
    inside: Mapping[float, bool]
    interval_score: Mapping[float, float]
    log_score: float
    pit: float
    days: float
    distance: float
    date: str

    def __str__(self) -> str:
        held = [level for level, inside in self.inside.items() if inside]
        where = (
            f"inside the {min(held):.0%} interval" if held else f"outside the {max(self.inside):.0%} interval"
        )
        return (
            f"{self.name}: measured {self.measured:.4g}, foretold {self.mean:.4g} ({self.error:+.2f} %), "
            f"{where}, {self.pit:.0%} of the forecast at or below it"
        )


@dataclass(frozen=True, eq=False, repr=False)
class Settled:
    """A kept forecast and what came of it: `scores`, one per run that was measured; `path` of the record."""

    forecast: Preregistered
    path: Path
    scores: tuple[Score, ...]

    @property
    def open(self) -> tuple[str, ...]:
        """The planned runs that are not measured yet."""
        known = {score.name for score in self.scores}
        return tuple(run["name"] for run in self.forecast.content["runs"] if run["name"] not in known)

    @property
    def frame(self) -> Frame:
        """One row per measured run: name, mean, measured, error, inside_50 to inside_95, score_90, ...,
        log_score, pit, days, distance."""
        return frame(
            {
                "name": score.name,
                "mean": score.mean,
                "measured": score.measured,
                "error": score.error,
                **{f"inside_{100 * level:g}": held for level, held in score.inside.items()},
                **{f"score_{100 * level:g}": value for level, value in score.interval_score.items()},
                "log_score": score.log_score,
                "pit": score.pit,
                "days": score.days,
                "distance": score.distance,
            }
            for score in self.scores
        )

    def __repr__(self) -> str:
        lines = [str(score) for score in self.scores]
        days = max(score.days for score in self.scores)
        after = f"{days:.0f} days" if days >= 1 else "less than a day"
        lines.append(f"{after} after the forecast of {self.forecast.date[:10]}, kept in {self.path.name}")
        if self.open:
            lines.append(f"not measured yet: {listed(self.open)}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        first, *rest = map(escape, repr(self).splitlines())
        return f"<div><p><b>{first}</b></p><p>{'<br>'.join(rest)}</p></div>"


@dataclass(frozen=True, eq=False, repr=False)
class Ledger(Pictured):
    """All forecasts of a folder.

    frame: a row per planned run: file, name, date, target, mean, lo, hi (at `level`), measured, inside,
    error, score, pit, distance, days; NaN and None where a run is still open. calibration: a row per level
    over all settled forecasts: level, n, inside, share, lo and hi (the 90 % binomial interval of the share,
    which takes forecasts as independent), score (mean interval score). refused: file -> why it is left
    out.
    """

    folder: Path
    level: float
    frame: Frame
    calibration: Frame
    refused: Mapping[str, str]

    @property
    def settled(self) -> int:
        """How many forecasts were settled."""
        return int(self.frame["measured"].notna().sum())

    def _head(self) -> str:
        n, asked = self.settled, len(self.frame)
        if not asked:
            return f"no forecasts in {str(self.folder)!r}"
        if not n:
            return f"{asked} forecast{'s' * (asked > 1)}, none settled"
        line = self.calibration[self.calibration["level"] == self.level].iloc[0]
        return (
            f"{line['inside']:.0f} of {n} settled forecasts inside their {self.level:.0%} interval "
            f"({line['share']:.0%}; {line['lo']:.0%} to {line['hi']:.0%}), {asked - n} open"
        )

    def __repr__(self) -> str:
        lines = [self._head()]
        if self.settled:
            head = ["", "inside", "share", "90 % interval", "mean score"]
            rows = [
                [
                    f"{line['level']:.0%}",
                    f"{line['inside']:.0f} of {line['n']:.0f}",
                    f"{line['share']:.0%}",
                    f"{line['lo']:.0%} to {line['hi']:.0%}",
                    f"{line['score']:.3g}",
                ]
                for line in self.calibration.to_dict("records")
            ]
            lines += aligned([head, *rows])
        if len(self.frame):
            shown = self.frame[["name", "date", "mean", "lo", "hi", "measured", "inside", "pit"]]
            lines += [
                "",
                shown.assign(date=[d[:10] for d in shown["date"]]).to_string(index=False, na_rep=""),
            ]
        lines += [f"left out: {why}" for why in self.refused.values()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        left_out = "".join(f"<p>left out: {escape(why)}</p>" for why in self.refused.values())
        tables = "".join(table.to_html(index=False) for table in (self.calibration, self.frame) if len(table))
        return f"<div><p><b>{escape(self._head())}</b></p>{tables}{left_out}</div>"


def settle(
    path: str | Path,
    measured: float | Iterable[float] | Mapping[str, float],
    *,
    date: str | datetime | None = None,
) -> Settled:
    """Score a kept forecast by what was measured, and keep that beside it.

    The forecast stays as it is; the measurement goes to a file of its own, forecast.settled.json beside
    forecast.json. A run is settled once: the same value again gives the same record, another one is refused.

    Args:
        path: of the forecast, as `sf.preregister` wrote it.
        measured: what the run reached; of several planned runs a dict by name, which may leave some open, or
            one number for each in their order.
        date: when it was measured, UTC; now where left out.

    Returns:
        A `Settled` record: error, intervals that held, interval and log scores, where in the forecast it lay.

    Raises:
        ValueError: for a forecast that was edited or damaged, a second different settlement, a date before
            the forecast's, and values that are no numbers (positive ones, where errors are of log y).
        KeyError: for a run that was not planned.
        FileNotFoundError: where there is no such forecast.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     kept = sf.preregister(fit, f"{folder}/big.json", {"N": 1e10, "D": 2e11}, date="2026-01-02")
        ...     told = sf.settle(f"{folder}/big.json", kept.frame["mean"][0] * 1.001, date="2026-03-04")
        >>> round(told.scores[0].error, 1), told.scores[0].inside[0.9], told.scores[0].days
        (-0.1, True, 61.0)
    """
    kept = registered(path)
    given = _given(kept, measured)
    when = utc(date, "date")
    if when < kept.date:
        raise ValueError(
            f"the forecast is of {kept.date} and this measurement of {when}; "
            "a forecast made after the measurement is none"
        )
    beside = _beside(kept.path)
    # One settlement at a time: a second one reads what the first has written.
    with kept.path.open("rb") as forecast:
        files.held(forecast)
        known = _record(kept, beside)["measured"] if beside.exists() else {}
        for name, value in given.items():
            if name in known and known[name]["value"] != value:
                raise ValueError(
                    f"{name!r} is settled at {known[name]['value']:.10g} already, and a second settlement at "
                    f"{value:.10g} is refused; see {beside.name!r}"
                )
        new = {name: {"value": value, "date": when} for name, value in given.items() if name not in known}
        if new:
            content = seal(
                {
                    "kind": KIND,
                    "format": FORMAT,
                    "forecast": kept.path.name,
                    "forecast_sha256": kept.sha256,
                    "measured": {**known, **new},
                    "versions": saving.versions(),
                }
            )
            # The first settlement may not overwrite one that somebody else wrote meanwhile; a further run's
            # is put in place whole.
            if known:
                saving.write(beside, content)
            else:
                write_new(beside, content)
    return _settled(kept, beside, {**known, **new})


def ledger(folder: str | Path, *, level: float = SHOWN) -> Ledger:
    """All kept forecasts of a folder, and how often their intervals held.

    Files that were edited or damaged, copies, and JSON files that hold no forecast, are listed with the
    reason and do not count.

    Args:
        folder: where `sf.preregister` wrote, with the folders in it.
        level: of the intervals shown: 0.5, 0.8, 0.9 or 0.95.

    Returns:
        A `Ledger`: a frame with a row per planned run, and the calibration of those that were settled.

    Raises:
        FileNotFoundError: where there is no such folder.
        ValueError: for a level that forecasts are not kept at.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     kept = sf.preregister(fit, f"{folder}/big.json", {"N": 1e10, "D": 2e11})
        ...     told = sf.settle(f"{folder}/big.json", kept.frame["mean"][0])
        ...     book = sf.ledger(folder)
        >>> book.settled, book.frame["inside"].tolist(), book.calibration["share"].tolist()
        (1, [True], [1.0, 1.0, 1.0, 1.0])
    """
    if number(level) not in LEVELS:
        raise ValueError(f"level must be one of {', '.join(map(str, LEVELS))}, got {short(level)}")
    if not isinstance(folder, str | Path) or not str(folder):
        raise TypeError(f"folder must name a folder, got {short(folder)}")
    root = Path(folder)
    if not root.is_dir():
        raise FileNotFoundError(f"there is no folder {str(root)!r}")
    level = float(level)
    rows: list[dict[str, Any]] = []
    scores: list[Score] = []
    refused: dict[str, str] = {}
    seen: dict[str, str] = {}
    for path in sorted(root.rglob(f"*{ENDING}")):
        label = path.relative_to(root).as_posix()
        if path.name.endswith(SETTLED):
            if not path.with_name(path.name.removesuffix(SETTLED) + ENDING).exists():
                refused[label] = f"{label}: the forecast that it settles is not there"
            continue
        try:
            kept = registered(path)
            beside = _beside(path)
            found = _settled(kept, beside, _record(kept, beside)["measured"]) if beside.exists() else None
        except (ValueError, OSError) as error:
            refused[label] = str(error).replace(repr(path.name), label)
            continue
        if (first := seen.setdefault(kept.sha256, label)) != label:
            refused[label] = f"{label} is a copy of {first}, which counts once"
            continue
        each = {score.name: score for score in found.scores} if found else {}
        rows += [_row(label, kept, run, each.get(run["name"]), level) for run in kept.content["runs"]]
        scores += each.values()
    columns = list(ROW)
    table = frame(sorted(rows, key=lambda row: row["date"])).reindex(columns=columns)
    return Ledger(root, level, table, _calibration(scores), refused)


ROW = (
    *("file", "name", "date", "target", "mean", "lo", "hi", "measured", "inside", "error", "score", "pit"),
    *("distance", "days"),
)


def _row(
    label: str, kept: Preregistered, run: Mapping[str, Any], score: Score | None, level: float
) -> dict[str, Any]:
    lo, hi = run["intervals"][str(level)]
    return {
        "file": label,
        "name": run["name"],
        "date": kept.date,
        "target": kept.target,
        "mean": run["mean"],
        "lo": lo,
        "hi": hi,
        "measured": score.measured if score else np.nan,
        "inside": score.inside[level] if score else None,
        "error": score.error if score else np.nan,
        "score": score.interval_score[level] if score else np.nan,
        "pit": score.pit if score else np.nan,
        "distance": run["distance"],
        "days": score.days if score else np.nan,
    }


def _calibration(scores: list[Score]) -> Frame:
    n = len(scores)
    lines = []
    for level in LEVELS if n else ():
        inside = sum(score.inside[level] for score in scores)
        lo, hi = binomial_interval(inside, n)
        mean = float(np.mean([score.interval_score[level] for score in scores]))
        lines.append(
            {"level": level, "n": n, "inside": inside, "share": inside / n, "lo": lo, "hi": hi, "score": mean}
        )
    return frame(lines).reindex(columns=["level", "n", "inside", "share", "lo", "hi", "score"])


def _beside(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(ENDING) + SETTLED)


def _record(kept: Preregistered, beside: Path) -> dict[str, Any]:
    """The settlement in a file, which must be of this forecast as it is."""
    content = read_sealed(beside, KIND, FORMAT)
    if content.get("forecast_sha256") != kept.sha256:
        raise ValueError(f"{beside.name!r} settles another forecast than the one now in {kept.path.name!r}")
    try:
        planned = {run["name"] for run in kept.content["runs"]}
        if not planned >= set(content["measured"]) or not content["measured"]:
            raise KeyError("measured")
        for each in content["measured"].values():
            float(each["value"]), utc(each["date"], "date")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{beside.name!r} cannot be used as a settlement: it is damaged") from error
    return content


def _settled(kept: Preregistered, beside: Path, known: Mapping[str, Mapping[str, Any]]) -> Settled:
    told = kept.predictive()
    scores: list[Score] = []
    for run in kept.content["runs"]:
        if run["name"] not in known:
            continue
        value, when = known[run["name"]]["value"], known[run["name"]]["date"]
        each = told[run["name"]]
        off = run["mean"] - value
        scores.append(
            Score(
                name=run["name"],
                mean=run["mean"],
                measured=value,
                error=100 * off / abs(value) if value else off,
                inside=each.inside(value),
                interval_score=each.interval_scores(value),
                log_score=each.log_score(value),
                pit=each.pit(value),
                days=(_moment(when) - _moment(kept.date)) / DAY,
                distance=run["distance"],
                date=when,
            )
        )
    return Settled(kept, beside, tuple(scores))


def _moment(when: str) -> float:
    return datetime.fromisoformat(when).timestamp()


def _given(kept: Preregistered, measured: Any) -> dict[str, float]:
    """Name of a planned run -> what was measured, checked."""
    names = [run["name"] for run in kept.content["runs"]]
    if isinstance(measured, Mapping):
        strange = [name for name in measured if name not in names]
        if strange:
            raise KeyError(f"{kept.path.name!r} plans no run {short(strange[0])}; it plans {listed(names)}")
        cells = dict(measured)
    else:
        several = np.ravel(np.asarray(measured, object)).tolist() if measured is not None else []
        if len(several) != len(names):
            raise ValueError(
                f"{kept.path.name!r} plans {len(names)} run{'s' * (len(names) > 1)} and {len(several)} "
                f"value{'s were' if len(several) != 1 else ' was'} measured; give one number for each, or a "
                "dict by name"
            )
        cells = dict(zip(names, several, strict=True))
    if not cells:
        raise ValueError(f"measured is empty; give what {listed(names)} reached")
    positive = kept.content["space"] == "log"
    found = {}
    for name, cell in cells.items():
        value = number(cell)
        if value is None or not np.isfinite(value) or (positive and not value > 0):
            raise ValueError(
                f"measured must be a {'positive ' if positive else ''}number, got {short(cell)} for {name!r}"
            )
        found[name] = float(value)
    return found
