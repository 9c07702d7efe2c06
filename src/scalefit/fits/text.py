"""A fit, or a frame of answers, as text, HTML, Markdown and LaTeX: pure strings, read off the record."""

from __future__ import annotations

import re
from html import escape
from typing import Any

import numpy as np

from scalefit.core.formula import symbol
from scalefit.fits.extrapolation import span
from scalefit.fits.identifiability import LEVEL, at, band, basis, limits, places, scatter, trade_offs
from scalefit.fits.model_error import model_error_of
from scalefit.fits.record import Record

__all__ = ["html", "latex", "markdown", "number", "text", "to_latex", "to_markdown"]

OPEN = "undetermined"
# A law of so many coefficients, and so many rows, is backtested within the time a summary may take.
QUICK, MANY = 9, 5000


def text(record: Record) -> str:
    """Whether to trust it, warnings, then the numbers."""
    lines = [str(record.status), *(f"  {caution}" for caution in record.warnings), "", *_facts(record), ""]
    rows = _rows(record)
    widths = [max(len(row[k]) for row in rows) for k in range(5)]
    for row in rows:
        cells = [
            f"{cell:>{w}}" if k else f"{cell:<{w}}"
            for k, (cell, w) in enumerate(zip(row[:5], widths, strict=True))
            if w
        ]
        lines.append("  " + "  ".join([*cells, row[5]]))
    lines += ["", *_after(record)]
    return "\n".join(line.rstrip() for line in lines)


def markdown(record: Record) -> str:
    """Status, warnings and the table of coefficients."""
    head, *rows = _rows(record)
    lines = [
        f"**{record.status}**",
        "",
        *(f"- {caution}" for caution in record.warnings),
        "",
        *(f"{f}  " for f in _facts(record)),
        "",
    ]
    lines += ["| " + " | ".join(head) + " |", "| --- | ---: | ---: | ---: | ---: | --- |"]
    lines += ["| " + " | ".join(map(_marked, row)) + " |" for row in rows]
    return "\n".join([*lines, "", *(f"{line}  " for line in _after(record))])


def latex(record: Record) -> str:
    """The coefficients with standard errors and 90 % intervals, as a tabular."""
    rows = [
        f"${symbol(row[0])}$ & {_scientific(row[1])} & {_scientific(row[2])} & {_bracket(row[3])} \\\\"
        for row in _rows(record)[1:]
    ]
    head = r"coefficient & value & standard error & 90\,\% interval \\"
    return "\n".join(
        [
            f"% {record.status}",
            f"% ${record.law.formula}$",
            f"% {_method(record)}",
            r"\begin{tabular}{lrrr}",
            r"\hline",
            head,
            r"\hline",
            *rows,
            r"\hline",
            r"\end{tabular}",
        ]
    )


def html(record: Record) -> str:
    """The summary for a notebook, the status line coloured by trust."""
    colour = {"good": "#2a7d3f", "weak": "#a66a00", "bad": "#b3261e"}[record.status.trust]
    head, *rows = _rows(record)
    cells = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    notes = "".join(f"<li>{escape(str(caution))}</li>" for caution in record.warnings)
    return (
        f'<div><p style="color:{colour};font-weight:bold">{escape(str(record.status))}</p><ul>{notes}</ul>'
        f"<p>{'<br>'.join(map(escape, _facts(record)))}</p>"
        f"<table><thead><tr>{''.join(f'<th>{escape(h)}</th>' for h in head)}</tr></thead>"
        f"<tbody>{cells}</tbody></table>"
        f"<p>{'<br>'.join(map(escape, _after(record)))}</p></div>"
    )


def to_markdown(table: Any) -> str:
    """A frame that scalefit returned (`sf.optimal`, `sf.three_ways`, ...) as a Markdown table.

    Five significant digits; columns `N`, `N_lo`, `N_hi` become one, "value (lo to hi)".

    Args:
        table: the frame.

    Returns:
        The text.

    Raises:
        TypeError: for what is no frame.

    Example:
        >>> print(sf.to_markdown(sf.optimal(fit, 1e21)[["C"]]).splitlines()[0])
        | C |
    """
    head, *rows = _cells(table)
    numeric = ["---:" if len(cell) > 1 else "---" for cell in (rows[0] if rows else [("",)] * len(head))]
    body = [
        [f"{cell[0]} ({cell[1]} to {cell[2]})" if len(cell) == 3 else cell[0] for cell in row] for row in rows
    ]
    lines = [[name for (name,) in head], numeric, *body]
    return "\n".join("| " + " | ".join(map(_marked, line)) + " |" for line in lines)


def to_latex(table: Any) -> str:
    r"""A frame that scalefit returned as a LaTeX tabular, intervals in square brackets.

    Args:
        table: the frame.

    Returns:
        The text.

    Raises:
        TypeError: for what is no frame.

    Example:
        >>> sf.to_latex(sf.optimal(fit, 1e21)).splitlines()[0][:15]
        '\\begin{tabular}'
    """
    head, *rows = _cells(table)
    names = [f"${symbol(name)}$" if len(name) == 1 and name.isalpha() else _escaped(name) for (name,) in head]
    numeric = "".join("r" if len(cell) > 1 else "l" for cell in (rows[0] if rows else [("",)] * len(head)))
    body = []
    for row in rows:
        shown = []
        for cell in row:
            parts = [_tex(part) for part in cell]
            interval = rf"\ [{parts[1]}, {parts[2]}]" if len(cell) == 3 else ""
            shown.append(f"${parts[0]}{interval}$" if len(cell) > 1 else _escaped(cell[0]))
        body.append(" & ".join(shown) + r" \\")
    return "\n".join(
        [
            rf"\begin{{tabular}}{{{numeric}}}",
            r"\hline",
            " & ".join(names) + r" \\",
            r"\hline",
            *body,
            r"\hline",
            r"\end{tabular}",
        ]
    )


def _cells(table: Any) -> list[list[tuple[str, ...]]]:
    """Header and rows of a frame; a cell is (text,), (number, ""), or (number, lo, hi)."""
    if not hasattr(table, "columns") or not hasattr(table, "to_dict"):
        raise TypeError(
            f"a table is made of a frame that scalefit returned, not of {type(table).__name__}; a fit has "
            "methods of its own, record.to_markdown() and record.to_latex()"
        )
    names = [str(name) for name in table.columns]
    kept = [name for name in names if not (name[-3:] in ("_lo", "_hi") and name[:-3] in names)]
    lines: list[list[tuple[str, ...]]] = [[(name,) for name in kept]]
    for record in table.to_dict("records"):
        line: list[tuple[str, ...]] = []
        for name in kept:
            value = record[name]
            if isinstance(value, bool) or not isinstance(value, int | float):
                line.append((str(value),))
            elif f"{name}_lo" in names:
                line.append(tuple(number(record[key]) for key in (name, f"{name}_lo", f"{name}_hi")))
            else:
                line.append((number(value), ""))
        lines.append(line)
    return lines


def _escaped(text: str) -> str:
    """Plain text as LaTeX, on one line."""
    words = {"\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}"}
    return re.sub(
        r"[&%$#_{}\\^~]", lambda found: words.get(found[0], f"\\{found[0]}"), " ".join(text.split())
    )


def _marked(text: str) -> str:
    """Plain text as a cell of a Markdown table: on one line, no bar and no markup in it."""
    return re.sub(r"([\\|<`])", r"\\\1", " ".join(text.split()))


def number(value: float) -> str:
    """Five significant digits, in scientific notation only where that is shorter."""
    return f"{value:.5g}".replace("e+", "e").replace("e0", "e")


def _facts(record: Record) -> list[str]:
    facts = [
        f"{record.law.name}: {record.law.equation}",
        f"{len(record.data)} rows, {record.objective}, summed objective {record.value:.8g}",
    ]
    guesses = {note.split()[1] for note in record.notes if note.startswith("guessed ")}
    used = ", ".join(
        f"{name} = column {column!r}{' (guessed)' if name in guesses else ''}"
        for name, column in record.columns.items()
        if name != column
    )
    return [*facts, *([used] if used else []), *(n for n in record.notes if not n.startswith("guessed "))]


def _rows(record: Record) -> list[tuple[str, str, str, str, str, str]]:
    """Header and one row per coefficient:
    name, value, standard error, 90 % interval, published value, meaning."""
    label, published = _nearest(record)
    errors, intervals = record.stderr(), _intervals(record)
    rows = [("", "value", "std. error", "90 % interval", label, "")]
    for coef, interval in zip(record.law.coefs, intervals, strict=True):
        value, error = record.coefs[coef.name], errors[coef.name]
        shown = number(error) if error < 1e6 * abs(value) else OPEN
        theirs = number(published[coef.name]) if published else ""
        rows.append((coef.name, number(value), shown, interval, theirs, coef.meaning))
    return rows


def _intervals(record: Record) -> list[str]:
    """Both ends of every 90 % interval, one under the other;
    what spans more than a factor 1e12 is undetermined."""
    ends = [limits(record, name) for name in record.law.names]
    shown = [[f"{end:.4g}".replace("e+", "e").replace("e0", "e") for end in pair] for pair in ends]
    known = [bool(np.all(np.isfinite(pair)) and not (0 < pair[0] * 1e12 < pair[1])) for pair in ends]
    left, right = ([len(pair[k]) for pair, good in zip(shown, known, strict=True) if good] for k in (0, 1))
    return [
        f"{lo:>{max(left)}} to {hi:>{max(right)}}" if good else OPEN
        for (lo, hi), good in zip(shown, known, strict=True)
    ]


def _after(record: Record) -> list[str]:
    """What stands below the table: where the intervals come from, what they leave open,
    and how far the runs reach."""
    return [
        _method(record),
        *trade_offs(record),
        *filter(None, (scatter(record), _outlook(record), span(record))),
    ]


def _outlook(record: Record) -> str:
    """Ten times beyond the largest runs: with the law's own error, and if the law is right;
    empty where that is dear."""
    known = "model_error" in record.kept
    if record.law.whole or not (known or (len(record.u) <= QUICK and len(record.data) <= MANY)):
        return ""
    middle, beyond = places(record)
    if middle == beyond or len(record.data.counted) <= len(record.u):
        return ""
    x = {name: np.array([value]) for name, value in beyond.items()}
    mean, *plain = (np.array([part]) for part in band(record, x)[0])
    if not all(np.all(np.isfinite(part)) and (part[0] > 0 or not record.log) for part in (mean, *plain)):
        return ""
    to, back = (np.log, np.exp) if record.log else (np.asarray, np.asarray)
    below, above = map(to, plain)
    wide = model_error_of(record).widened(record, x, to(mean), below, above, LEVEL, "mean")
    lo, hi = (f"{float(back(end)[0]):.4g}" for end in wide)
    right = " to ".join(f"{float(end[0]):.4g}" for end in plain)
    what = record.law.predicts or "curve"
    return (
        f"The {what} at ten times the largest runs ({at(record, x, 0)}): {float(mean[0]):.4g}, "
        f"90 % interval {lo} to {hi} with the "
        f"law's own error, {right} if the law is right."
    )


def _method(record: Record) -> str:
    return f"90 % interval: {basis(record)}"


def _tex(part: str) -> str:
    """A number as TeX, for math mode."""
    return {"inf": r"\infty", "-inf": r"-\infty", "nan": r"\text{--}"}.get(part, _scientific(part).strip("$"))


def _scientific(cell: str) -> str:
    """1.2e-5 as TeX."""
    found = re.fullmatch(r"(-?[\d.]+)e(-?\d+)", cell)
    return rf"${found[1]} \times 10^{{{found[2]}}}$" if found else cell


def _bracket(cell: str) -> str:
    """ "lo to hi" as a closed interval."""
    if cell == OPEN:
        return cell
    lo, hi = (_scientific(end).strip("$") for end in re.split(r"\s+to\s+", cell.strip()))
    return f"$[{lo}, {hi}]$"


def _nearest(record: Record) -> tuple[str, dict[str, float]]:
    """The first published set of this law, for comparison;
    none for laws of any x, whose sets are of other inputs."""
    if record.law.inputs == ("x",):
        return "", {}
    return next(((label, dict(values)) for label, values in record.law.published.items()), ("", {}))
