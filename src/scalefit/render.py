"""A fit as text, HTML, Markdown and LaTeX: pure strings, read off the record."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from scalefit.core.formula import symbol

if TYPE_CHECKING:
    from scalefit.result import Fit

__all__ = ["html", "latex", "markdown", "number", "text"]


def text(fit: Fit) -> str:
    """Whether to trust it, warnings, then the numbers."""
    lines = [str(fit.status), *(f"  {caution}" for caution in fit.warnings), "", *_facts(fit), ""]
    rows = _rows(fit)
    widths = [max(len(row[k]) for row in rows) for k in range(4)]
    for row in rows:
        lines.append("  " + "  ".join(f"{cell:>{w}}" if k else f"{cell:<{w}}"
                                      for k, (cell, w) in enumerate(zip(row[:4], widths, strict=True)))
                     + (f"  {row[4]}" if row[4] else ""))  # fmt: skip
    return "\n".join(line.rstrip() for line in lines)


def markdown(fit: Fit) -> str:
    """Status, warnings and the table of coefficients."""
    head, *rows = _rows(fit)
    lines = [
        f"**{fit.status}**",
        "",
        *(f"- {caution}" for caution in fit.warnings),
        "",
        *(f"{f}  " for f in _facts(fit)),
        "",
    ]
    lines += ["| " + " | ".join(head) + " |", "| --- | ---: | ---: | ---: | --- |"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def latex(fit: Fit) -> str:
    """The coefficients with standard errors, as a tabular."""
    rows = [f"${symbol(row[0])}$ & {row[1]} & {row[2]} \\\\" for row in _rows(fit)[1:]]
    head = r"coefficient & value & standard error \\"
    return "\n".join([f"% {fit.status}", f"% ${fit.law.formula}$", r"\begin{tabular}{lrr}", r"\hline", head, r"\hline",
                      *rows, r"\hline", r"\end{tabular}"])  # fmt: skip


def html(fit: Fit) -> str:
    """The summary for a notebook, the status line coloured by trust."""
    colour = {"good": "#2a7d3f", "weak": "#a66a00", "bad": "#b3261e"}[fit.status.trust]
    head, *rows = _rows(fit)
    cells = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    notes = "".join(f"<li>{escape(str(caution))}</li>" for caution in fit.warnings)
    return (
        f'<div><p style="color:{colour};font-weight:bold">{escape(str(fit.status))}</p><ul>{notes}</ul>'
        f"<p>{'<br>'.join(map(escape, _facts(fit)))}</p>"
        f"<table><thead><tr>{''.join(f'<th>{escape(h)}</th>' for h in head)}</tr></thead><tbody>{cells}</tbody></table></div>"
    )


def number(value: float) -> str:
    """Five significant digits, in scientific notation only where that is shorter."""
    return f"{value:.5g}".replace("e+", "e").replace("e0", "e")


def _facts(fit: Fit) -> list[str]:
    facts = [
        f"{fit.law.name}: {_call(fit)} = {fit.law.formula}",
        f"{len(fit.data)} rows, {fit.objective}, summed objective {fit.value:.8g}",
    ]
    used = ", ".join(f"{name} = column {column!r}" for name, column in fit.columns.items() if name != column)
    return [*facts, *([used] if used else []), *fit.notes]


def _rows(fit: Fit) -> list[tuple[str, str, str, str, str]]:
    """Header and one row per coefficient: name, value, standard error, published value, meaning."""
    label, published = _nearest(fit)
    errors = fit.stderr()
    rows = [("", "value", "std. error", label, "")]
    for coef in fit.law.coefs:
        value, error = fit.coefs[coef.name], errors[coef.name]
        shown = number(error) if error < 1e6 * abs(value) else "undetermined"
        rows.append(
            (coef.name, number(value), shown, number(published[coef.name]) if published else "", coef.meaning)
        )
    return rows


def _nearest(fit: Fit) -> tuple[str, dict[str, float]]:
    """The first published set of this law, for comparison."""
    return next(((label, dict(values)) for label, values in fit.law.published.items()), ("", {}))


def _call(fit: Fit) -> str:
    return f"{'L' if fit.law.predicts == 'loss' else fit.law.predicts}({', '.join(fit.law.inputs)})"
