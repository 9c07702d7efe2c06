"""The catalogue as Markdown, generated from the declarations: `scalefit laws --markdown` prints one page,
`python -m scalefit.laws.document docs` writes an index and a page per family."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from scalefit import laws
from scalefit.core.formula import symbol
from scalefit.core.law import Law
from scalefit.laws.unclear import UNCLEAR

__all__ = ["FAMILIES", "entry", "markdown", "pages"]

# The page's chapters, in reading order, each with what holds its laws together.
FAMILIES: Mapping[str, str] = {
    "power terms": "A loss as a sum of falling powers and a floor. "
    "Amplitudes and floors enter linearly, so only the "
    "exponents have to be searched; amplitudes and exponents trade off, "
    "so compare predictions rather than amplitudes.",
    "coupled sums": "The same sums under one outer power: with exponent 1 they are the "
    "additive laws, below 1 a shortage "
    "of one resource costs less while the other is short too. Floor and outer power compensate each other.",
    "effective inputs": "Additive laws in which a parameter or a token counts for less (or "
    "more) than one: streams, experts, "
    "sparse, quantised or otherwise compressed numbers.",
    "data": "What data are worth: repetition, mixtures, filtering, transfer, vocabulary, languages.",
    "broken and bounded": "Curves with more than one regime: a plateau before the "
    "power law, a break, a ceiling.",
    "curves": "The loss along one run as a function of its learning-rate schedule. "
    "Rows are logged steps of curves; "
    "the rate between two rows is taken as linear, so a few rows state a schedule exactly.",
    "links": "From a loss to another quantity: error, accuracy, score, pass rate, another loss. "
    "Put on top of a loss law with "
    "`law.then(link)`, or fitted in sequence with `sf.chain`.",
    "trade-offs": "Two resources that buy the same result: steps and batch, data and updates.",
    "hyperparameters": "Best learning rates, batch sizes and shapes as products of powers; "
    "straight lines in logarithms.",
    "penalised": "Loss laws times a penalty for hyperparameters that are off their optimum.",
}


def markdown() -> str:
    """Every law by family on one page: formula, inputs, coefficients, published sets,
    numbers worked elsewhere, source."""
    chapters = (line for family in FAMILIES for line in _chapter(family, "##"))
    return "\n".join([*_head("#{}"), *chapters, *_unclear()]) + "\n"


def pages() -> dict[str, str]:
    """The same as pages, by path: an index, and one for each family."""
    index = {"laws.md": [*_head("laws/{}.md"), *_unclear()]}
    chapters = {f"laws/{_slug(family)}.md": list(_chapter(family, "#")) for family in FAMILIES}
    return {path: "\n".join(lines).rstrip("\n") + "\n" for path, lines in (index | chapters).items()}


def _head(link: str) -> Iterator[str]:
    yield "# The laws"
    yield ""
    yield (
        "Generated from the declarations by `python -m scalefit.laws.document docs`; "
        "a test compares the two. Formulas "
        "are read off the functions that are fitted. "
        "By question instead: [Which law do I need?](which_law.md). "
        "`sf.laws.table()` is the same as a frame, "
        '`sf.laws.find(inputs={"N", "D"})` lists the laws that need no more than these inputs. Exponents are '
        "stored positive where the formula shows a minus sign or a quotient."
    )
    yield ""
    for family in FAMILIES:
        found = laws.find(family=family)
        yield f"- [{family}]({link.format(_slug(family))}): {', '.join(f'`{law.name}`' for law in found)}"
    yield ""


def _slug(family: str) -> str:
    return family.replace(" ", "-")


def _chapter(family: str, heading: str) -> Iterator[str]:
    yield f"{heading} {family}"
    yield ""
    yield FAMILIES[family]
    yield ""
    for law in laws.find(family=family):
        yield from entry(law, f"{heading}#")


def entry(law: Law, heading: str = "###") -> Iterator[str]:
    """One law's part of the page, line by line."""
    yield f"{heading} {law.name}"
    yield ""
    if law.about:
        yield law.about
        yield ""
    yield f"$$ {_left(law)}{law.formula} $$"
    yield ""
    yield f"Predicts: {law.predicts}. Source: {law.source}."
    yield ""
    yield "| input or coefficient | | |"
    yield "| --- | --- | --- |"
    for name, unit in law.units.items():
        yield f"| `{name}` | input | {unit} |"
    for coef in law.coefs:
        yield f"| `{coef.name}` | {coef.support} | {coef.meaning} |"
    yield ""
    if law.lists:
        words = ", ".join(f"{each}={k}" for each, k in law.lists.items())
        yield f"The formula is for `sf.laws.{law.name}.sized({words})`; lists of other lengths likewise."
        yield ""
    for label, values in law.published.items():
        note = f" ({law.notes[label]})" if label in law.notes else ""
        yield f"- `{label}`: {', '.join(f'{name} = {value:.9g}' for name, value in values.items())}{note}"
    if law.published:
        yield ""


def _left(law: Law) -> str:
    """What the formula is for: L(N, D) = ... ; nothing where the printed one says it itself."""
    if law.printed:
        return ""
    out = "L" if law.predicts == "loss" else rf"\mathrm{{{law.predicts}}}"
    return f"{out}({', '.join(map(symbol, law.inputs))}) = "


def _unclear() -> Iterator[str]:
    yield "## Not here, and why"
    yield ""
    yield "Named in the literature without a form one could fit; nothing was invented for them."
    yield ""
    yield "| name | source | what is missing | use meanwhile |"
    yield "| --- | --- | --- | --- |"
    for name, (source, missing, instead) in UNCLEAR.items():
        yield f"| {name} | {source} | {missing} | {instead} |"


if __name__ == "__main__":
    for path, text in pages().items():
        (Path(sys.argv[1]) / path).write_text(text)
