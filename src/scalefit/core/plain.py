"""A formula's LaTeX, and a law's declaration, as plain text for a terminal."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["described", "plain"]

# Commands of the formulas that are no names: what stands for them in plain text.
SIGNS = {
    "quad": " ",
    "geq": ">=",
    "leq": "<=",
    "le": "<=",
    "in": "in",
    "dots": "...",
    "cdot": "*",
    "infty": "inf",
    "displaystyle": "",
    "lambda": "lam",
}
BRACKETS = {"left": 1, "right": 1}


def plain(latex: str) -> str:
    """LaTeX of the kind that laws print as one line of text: E + A / N^alpha."""
    return re.sub(r" {2,}", " ", _text(latex)).strip()


def _text(latex: str) -> str:
    out, i = "", 0
    while i < len(latex):
        if latex[i] == "\\":
            command = (re.match(r"[A-Za-z]+|.", latex[i + 1 :]) or [" "])[0]
            i += 1 + len(command)
            if command in BRACKETS:
                out, i = out + latex[i], i + 1
            elif command == "frac":
                above, i = _group(latex, i)
                below, i = _group(latex, i)
                ratio = f"{_bracketed(above, ' + ', ' - ')} / {_bracketed(below, ' ')}"
                # A factor that follows would be read as part of the denominator, one before as of the
                # numerator.
                followed = not re.match(r"\s*($|[-+=),\]|]|\\right|\\quad|\\,)", latex[i:])
                alone = not followed and not re.search(r"[\w)\]*] *$", out)
                out += ratio if alone else f"({ratio})"
            elif command in ("mathrm", "text"):
                inside, i = _group(latex, i)
                out += inside.replace("$", "")
            elif command == "sqrt":
                inside, i = _group(latex, i)
                out += f"sqrt({inside})"
            elif command in ("hat", "bar"):
                inside, i = _group(latex, i + (latex[i] == " "))
                out += f"{inside}{command}"
            else:
                out += SIGNS.get(command, command if command[0].isalpha() else " ")
        elif latex[i] == "^":
            inside, i = _group(latex, i + 1)
            if inside == "*":
                out += inside
            elif re.search(r"(?<!\w)e$", out):
                out = f"{out[:-1]}exp({inside})"
            else:
                out += f"^{inside}" if _one(inside) else f"^({inside})"
        elif latex[i] == "_":
            inside, i = _group(latex, i + 1)
            inside = inside.replace(" ", "")
            out += f"_({inside})" if re.search(r"[-+<>=/]", inside) else f"_{inside.replace(',', '_')}"
        elif latex[i] in "{}":
            i += 1
        else:
            out, i = out + latex[i], i + 1
    return out


def _raw(latex: str, i: int) -> tuple[str, int]:
    """What stands in the braces at i, or the one sign there, and where it ends."""
    if latex[i] == "\\":
        command = (re.match(r"\\([A-Za-z]+|.)", latex[i:]) or [""])[0]
        return command, i + len(command)
    if latex[i] != "{":
        return latex[i], i + 1
    depth, end = 0, i
    while True:
        depth += (latex[end] == "{") - (latex[end] == "}")
        end += 1
        if depth == 0:
            return latex[i + 1 : end - 1], end


def _group(latex: str, i: int) -> tuple[str, int]:
    inside, end = _raw(latex, i)
    return plain(inside), end


def _one(text: str) -> bool:
    """Whether it is one word, or stands in one pair of brackets."""
    if re.fullmatch(r"[\w.*]+", text):
        return True
    depth = [sum((sign == "(") - (sign == ")") for sign in text[: k + 1]) for k in range(len(text))]
    return text.startswith("(") and depth.index(0) == len(text) - 1


def _bracketed(text: str, *apart: str) -> str:
    """In brackets where one of these stands outside all brackets."""
    depth = 0
    for k, sign in enumerate(text):
        depth += (sign in "([") - (sign in ")]")
        if depth == 0 and any(text.startswith(part, k) for part in apart):
            return f"({text})"
    return text


def described(law: Any) -> str:
    """What is known about a law, for `help`: formula, inputs, coefficients, published sets, source."""
    lines = [f"{law.name}: {law.about}" if law.about else law.name, "", f"    {law.equation}", ""]
    lines += [f"Predicts: {law.predicts}." + (f" Source: {law.source}." if law.source else ""), "", "Inputs:"]
    lines += [f"    {name}: {law.units.get(name, 'a number')}" for name in law.inputs]
    lines += ["", "Coefficients:"]
    lines += [
        f"    {coef.name} ({coef.support}){': ' if coef.meaning else ''}{coef.meaning}" for coef in law.coefs
    ]
    if law.lists:
        words = ", ".join(f"{each}={k}" for each, k in law.lists.items())
        lines += ["", f"Lists of other lengths: sf.laws.{law.name}.sized({words})."]
    if law.published:
        lines += ["", "Published:"]
    for label, values in law.published.items():
        note = f" ({law.notes[label]})" if label in law.notes else ""
        lines.append(
            f"    {label}: {', '.join(f'{name} = {value:.6g}' for name, value in values.items())}{note}"
        )
    return "\n".join(lines)
