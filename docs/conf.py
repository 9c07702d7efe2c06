"""How the documentation site is built: `make docs`, or sphinx-build docs build/site."""

from __future__ import annotations

import re
from pathlib import Path

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

import scalefit

HERE = Path(__file__).parent
project, author, release = "scalefit", "The scalefit developers", scalefit.__version__
version = release

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
exclude_patterns = ["conf.py", "gallery.py"]
templates_path = ["templates"]
nb_custom_formats = {".py": ["jupytext.reads", {"fmt": "py:percent"}]}
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
# Docstrings are plain text in which only `code` is marked.
default_role = "literal"
autodoc_typehints = "none"
# Text under a heading; napoleon would take what stands before a colon for a type.
napoleon_custom_sections = ["Returns"]
autodoc_member_order = "bysource"

html_theme = "pydata_sphinx_theme"
html_title = "scalefit"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_extra_path = ["llms.txt"]
html_show_sourcelink = False
html_copy_source = False
html_math_renderer = "mathml"
html_sidebars = {page: [] for page in ("index", "quickstart", "which_law", "gallery", "faq")}
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 8,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}

# Package -> heading, of the public names that live in it.
HEADINGS = {
    "fits": "Fits",
    "core": "Laws and objectives of one's own",
    "laws": "Laws that come with it",
    "runs": "Tables and logs",
    "uncertainty": "Uncertainty",
    "validation": "Which law, and how far to trust it",
    "decisions": "Decisions",
    "curves": "Whole loss curves",
    "reports": "The page",
    "callbacks": "Recording a run",
    "": "Modules",
}


def write_api() -> None:
    """One page per public name, listed by the package it lives in: api/, written anew at each build."""
    groups: dict[str, list[str]] = {package: [] for package in HEADINGS}
    for name in scalefit.__all__:
        home = scalefit._HOMES[name]
        groups[home.split(".")[1] if "." in home and name != "laws" else ""].append(name)
    lines = ["API", "===", ""]
    for package, names in groups.items():
        lines += [HEADINGS[package], "-" * len(HEADINGS[package]), "", ".. currentmodule:: scalefit", ""]
        lines += [
            ".. autosummary::",
            "   :toctree: .",
            "   :nosignatures:",
            "",
            *(f"   {name}" for name in sorted(names)),
            "",
        ]
    folder = HERE / "api"
    folder.mkdir(exist_ok=True)
    (folder / "index.rst").write_text("\n".join(lines))


def write_benchmarks() -> None:
    """A page per table of measurements in ../benchmarks: benchmarks/, written anew at each build."""
    folder = HERE / "benchmarks"
    folder.mkdir(exist_ok=True)
    for path in (HERE.parent / "benchmarks").glob("*.md"):
        text = path.read_text()
        heading = "" if text.startswith("# ") else f"# {path.stem.replace('_', ' ').capitalize()}\n\n"
        (folder / path.name).write_text(heading + text)


# What docutils makes of a letter with a bar and an index: the index underneath.
BARRED = r'<munderover>\s*(<mi>.</mi>)\s*(<m.>.</m.>)\s*(<mo stretchy="false">.</mo>)\s*</munderover>'


def as_mathml(self, node: nodes.Element) -> None:
    """Formulas as MathML, which browsers show by themselves: no script is fetched from anywhere."""
    block = isinstance(node, nodes.math_block)
    text = node.astext().strip().replace(r"\dots", r"\ldots")
    formula = re.sub(BARRED, r"<msub><mover>\1\3</mover>\2</msub>", tex2mathml(text, as_block=block))
    self.body.append(f'<div class="formula">{formula}</div>' if block else formula)
    raise nodes.SkipNode


FIELD = r"(\w+(?:, \w+)*): "


def plain_text(app, what: str, name: str, obj, options, lines: list[str]) -> None:
    """What marks text up in reStructuredText, and is none in these docstrings, stands for itself.

    The fields of a record (`start: values between ...`) become a list.
    """
    if what == "data":
        # That of the object's class: a constant has none of its own.
        lines.clear()
    if what == "property":
        # Or napoleon takes what stands before a colon in the first line for a type.
        lines.insert(0, "")
    text = "\n".join(lines)
    for paragraph in text.split("\n\n") if what == "class" else ():
        if all(re.match(rf"{FIELD}|    ", line) for line in paragraph.splitlines()):
            listed = re.sub(rf"^{FIELD}", r"- `\1`: ", paragraph, flags=re.MULTILINE)
            text = text.replace(paragraph, listed.replace("\n    ", "\n  "))
    parts = re.split(r"(`[^`]*`|^ *>>>.*$)", text, flags=re.MULTILINE)
    text = "".join(p if k % 2 else re.sub(r"([*|]|_\b)", r"\\\1", p) for k, p in enumerate(parts))
    lines[:] = text.split("\n")


def with_families(app, docname: str, source: list[str]) -> None:
    """The generated index of laws does without directives; here the families' pages hang below it."""
    if docname == "laws":
        source[0] += "\n```{toctree}\n:hidden:\n:glob:\n\nlaws/*\n```\n"


def setup(app) -> None:
    """Called by Sphinx."""
    write_api()
    write_benchmarks()
    app.connect("source-read", with_families)
    # Before napoleon makes sections of them.
    app.connect("autodoc-process-docstring", plain_text, priority=400)
    app.add_html_math_renderer("mathml", (as_mathml, None), (as_mathml, None))
