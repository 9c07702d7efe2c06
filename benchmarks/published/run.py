"""Published results beside ours, on the papers' own runs.

    SCALEFIT_DATA=... python benchmarks/published/run.py [topic ...] [--markdown FILE]

Each topic is a file beside this one with `ROWS`, a tuple of functions from the data folder to rows. What the suite's
published/* and foresight/* compare with a paper's figure is not here.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from rows import Row  # noqa: E402


def topics() -> list[str]:
    return sorted(path.stem for path in HERE.glob("*.py") if path.stem not in ("rows", "run"))


def cell(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("topic", nargs="*", help=f"all of {', '.join(topics())} unless given")
    parser.add_argument("--markdown", type=Path, help="write the table here")
    asked = parser.parse_args()
    if not os.environ.get("SCALEFIT_DATA"):
        sys.exit("set SCALEFIT_DATA to the folder with the public runs")
    data = Path(os.environ["SCALEFIT_DATA"])
    found: dict[str, list[Row]] = {}
    for topic in asked.topic or topics():
        module = import_module(topic)
        for rows in module.ROWS:
            began = time.perf_counter()
            found[f"{topic}: {rows.__name__}"] = made = rows(data)
            print(f"{topic}: {rows.__name__} ({time.perf_counter() - began:.1f} s)", flush=True)
            for row in made:
                print(
                    f"  {row.what}: published {cell(row.published)}, ours {cell(row.ours)}. {row.note}",
                    flush=True,
                )
    if asked.markdown:
        lines = ["| study | what | published | ours | remark |", "| --- | --- | ---: | ---: | --- |"]
        lines += [f"| {study} | {r.what} | {cell(r.published)} | {cell(r.ours)} | {r.note} |"
                  for study, made in found.items() for r in made]  # fmt: skip
        asked.markdown.write_text("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
