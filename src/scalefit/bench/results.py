"""What was measured: one JSON line per task, method and case; tables of them; two runs compared."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import stdtrit

from scalefit.arguments import check_level
from scalefit.frames import Frame, frame
from scalefit.words import short

__all__ = ["Results", "compare", "paired", "read", "same", "scored", "summary"]


@dataclass(frozen=True, eq=False)
class Results:
    """Lines of a run. Each is a dict with `task`, `method` and either `skipped`, a reason, or `case` and:

    score, and better ("lower" or "higher"); inside, width and interval, the share of test rows inside the
    interval, its median half-width and the mean interval score, null where none was given; n, the test rows;
    cpu and compile, seconds; level, key, made (which edition of the method), on (machine and versions);
    error, the sentence where the method failed, and score is null.
    """

    lines: tuple[Mapping[str, Any], ...]

    def table(self) -> Frame:
        """One row per task and method: mean and median score, interval, cases, failures, seconds."""
        return frame(summary(lines) for lines in self.pairs().values())

    def pairs(self) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
        """(task, method) -> its lines with a case, in the order of first appearance."""
        found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
        for line in self.lines:
            if "skipped" not in line:
                found.setdefault((line["task"], line["method"]), []).append(line)
        return found

    def skipped(self) -> dict[tuple[str, str], str]:
        """(task, method) -> why nothing was measured; a method of "" stands for all of the task."""
        done = self.pairs()
        tasks = {task for task, _ in done}
        found = {(line["task"], line["method"]): line["skipped"] for line in self.lines if "skipped" in line}
        return {
            pair: why for pair, why in found.items() if pair not in done and (pair[1] or pair[0] not in tasks)
        }

    def __repr__(self) -> str:
        told = self.table().to_string(index=False) if self.pairs() else "no results"
        left = [
            f"skipped {task} {method}: {why}".replace(" :", ":")
            for (task, method), why in self.skipped().items()
        ]
        return "\n".join([told, *left])


def summary(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One method's lines on one task as one row."""
    scores = np.array([line["score"] for line in lines if line["score"] is not None], float)

    def mean(name: str, of=np.mean) -> float:
        values = [line[name] for line in lines if line[name] is not None]
        return float(of(values)) if values else np.nan

    return {
        "task": lines[0]["task"],
        "method": lines[0]["method"],
        "score": float(np.mean(scores)) if len(scores) else np.nan,
        "median": float(np.median(scores)) if len(scores) else np.nan,
        "inside": mean("inside"),
        "width": mean("width", np.median),
        "interval": mean("interval"),
        "cases": len(lines),
        "failed": len(lines) - len(scores),
        "cpu": mean("cpu"),
        "compile": mean("compile", np.sum),
    }


def read(path: str | Path) -> Results:
    """The results in a file that `run` wrote; a half-written last line is left out.

    Args:
        path: of the file, JSON lines.

    Returns:
        The `Results`, of each task, method and case (at one level and key) the last line, of whatever edition
        of the method.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for a file of other things.

    Example:
        >>> from scalefit import bench
        >>> bench.read("no/such/file.jsonl")
        Traceback (most recent call last):
        FileNotFoundError: there is no file 'no/such/file.jsonl'
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {str(path)!r}")
    text = path.read_text()
    found: dict[tuple[Any, ...], Any] = {}
    for k, line in enumerate(text[: text.rfind("\n") + 1].splitlines(), 1):
        try:
            one = json.loads(line)
            found[same(one)[:5]] = one
        except (ValueError, KeyError, TypeError):
            raise ValueError(
                f"line {k} of {path.name} is no result of `scalefit bench run`; give another file"
            ) from None
    return Results(tuple(found.values()))


def same(line: Mapping[str, Any]) -> tuple[Any, ...]:
    """What makes two lines results of the same thing."""
    if "skipped" in line:
        return line["task"], line["method"]
    return tuple(line[name] for name in ("task", "method", "case", "level", "key", "made"))


def compare(a: Results | str | Path, b: Results | str | Path, level: float = 0.9) -> Frame:
    """Two runs, paired by case: how much the second differs from the first, with an interval.

    Args:
        a: results, or their file: the old ones.
        b: the new ones.
        level: of the interval of the mean difference, from Student's t over cases taken as independent.

    Returns:
        A frame, a row per task and method in both: cases, how many both have; a and b, their mean scores
        over these; difference, b less a, with lo and hi (NaN for a single case); better, the share of cases
        in which b is better (ties count one half); inside_a and inside_b; verdict, "better", "worse" or "not
        told apart", of b; only_a and only_b, cases that failed or are missing in the other.

    Raises:
        ValueError: where nothing is in both, and for a level that is none.
        FileNotFoundError: where there is no such file.

    Example:
        >>> from scalefit import bench
        >>> line = {"task": "t", "method": "m", "better": "lower", "inside": 1.0}
        >>> old = bench.Results(tuple(line | {"case": str(c), "score": 2.0 + c} for c in range(9)))
        >>> new = bench.Results(tuple(one | {"score": one["score"] - 1} for one in old.lines))
        >>> bench.compare(old, new)[["difference", "verdict"]].values.tolist()
        [[-1.0, 'better']]
    """
    level = check_level(level)
    first, second = (given if isinstance(given, Results) else read(given) for given in (a, b))
    rows = list(_compared(first.pairs(), second.pairs(), level))
    if not rows:
        told = " and ".join(short(sorted(found.pairs())) for found in (first, second))
        raise ValueError(f"no task and method is in both: {told}")
    return frame(rows)


def _compared(first, second, level: float) -> Iterator[dict[str, Any]]:
    for pair, lines in second.items():
        if pair not in first:
            continue
        one, two = (scored(part) for part in (first[pair], lines))
        both = [case for case in two if case in one]
        row = {"task": pair[0], "method": pair[1], "cases": len(both)}
        sign = 1.0 if lines[0]["better"] == "lower" else -1.0
        yield (
            row
            | paired(
                [one[case]["score"] for case in both], [two[case]["score"] for case in both], sign, level
            )
            | {
                "inside_a": _mean(one[case]["inside"] for case in both),
                "inside_b": _mean(two[case]["inside"] for case in both),
                "only_a": len(one) - len(both),
                "only_b": len(two) - len(both),
            }
        )


def scored(lines: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The lines that have a score, by case."""
    return {line["case"]: line for line in lines if line["score"] is not None}


def _mean(values: Iterable[float | None]) -> float:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else np.nan


def paired(a: Sequence[float], b: Sequence[float], sign: float, level: float) -> dict[str, Any]:
    """Means, mean difference b - a with an interval, share of cases in which b is better; sign 1: less is."""
    one, two = np.asarray(a, float), np.asarray(b, float)
    n, gap = len(one), two - one
    stderr = float(np.std(gap, ddof=1) / np.sqrt(n)) if n > 1 else np.nan
    reach = stdtrit(n - 1, (1 + level) / 2) * stderr if n > 1 else np.nan
    middle = float(np.mean(gap)) if n else np.nan
    lo, hi = middle - reach, middle + reach
    told = (
        "better"
        if sign * hi < 0 and sign * lo < 0
        else "worse"
        if sign * lo > 0 and sign * hi > 0
        else "not told apart"
    )
    return {
        "a": float(np.mean(one)) if n else np.nan,
        "b": float(np.mean(two)) if n else np.nan,
        "difference": middle,
        "stderr": stderr,
        "lo": float(lo),
        "hi": float(hi),
        "better": float(np.mean(np.where(gap == 0, 0.5, sign * gap < 0))) if n else np.nan,
        "verdict": told,
    }
