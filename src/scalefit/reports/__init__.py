"""One self-contained HTML page about an answer; `sf.report` writes it.

`question` says what a page is asked, `sections` reads its parts off the answer, `pictures` draws, `embedded`
holds the numbers that the page's script works with, `program` writes the snippet that repeats the fit, and
`page/` has the template, the style and the script.
"""
