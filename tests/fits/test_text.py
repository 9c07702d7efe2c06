"""Names that users choose, as text of LaTeX and Markdown: nothing in them is taken for markup."""

import pandas as pd

import scalefit as sf

NAMES = pd.DataFrame({"a\\b^c~d_e%$#&{}": ["x\ny", "<b>|`", "5\\"], "^": [1.5, 2.0, 3.0]})


def test_latex_takes_no_name_for_a_command():
    head, first, second, third = (sf.to_latex(NAMES).splitlines()[k] for k in (2, 4, 5, 6))
    assert head == (
        r"a\textbackslash{}b\textasciicircum{}c\textasciitilde{}d\_e\%\$\#\&\{\} & \textasciicircum{} \\"
    )
    assert (first, second, third) == (r"x y & $1.5$ \\", r"<b>|` & $2$ \\", r"5\textbackslash{} & $3$ \\")


def test_markdown_keeps_cells_apart():
    lines = sf.to_markdown(NAMES).splitlines()
    assert lines == [
        r"| a\\b^c~d_e%$#&{} | ^ |",
        "| --- | ---: |",
        "| x y | 1.5 |",
        r"| \<b>\|\` | 2 |",
        r"| 5\\ | 3 |",
    ]
