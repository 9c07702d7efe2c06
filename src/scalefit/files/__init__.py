"""What a file holds: text in any usual encoding, rows of cells under their header, records.
Every reader begins here, and every file that is written whole is put in place here.

Cells stay as they were written until `typed` or `values` look at whole columns: no column is typed by its
name, no cell moves into another column, and what was decided or could not be read is told in `notes` and
`torn`. Errors say what is wrong, not in which file: whoever was given the path adds it.
"""

from __future__ import annotations

import bz2
import contextlib
import csv
import errno
import gzip
import json
import lzma
import os
import re
import shutil
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from secrets import token_hex
from typing import IO, Any, NamedTuple

import numpy as np

__all__ = [
    "MISSING",
    "Grid",
    "Written",
    "by_columns",
    "check_size",
    "first_sentence",
    "grid",
    "held",
    "number_in",
    "records",
    "sheet",
    "table",
    "text",
    "typed",
    "values",
    "write",
]

# Words for no value in a column of numbers; among labels only an empty cell is none.
MISSING = ("", "NA", "N/A", "<NA>", "null", "None", "none")
PACKED: Mapping[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
# A packed file that unpacks to more than this, and to so many times its size,
# is there to fill a machine's memory.
MOST, TIMES = 1 << 26, 200
UNITS = {"k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12, "%": 1e-2}
AMOUNT = re.compile(r"([+-]?\d+(?:\.\d+)?) ?([kmbgt%])", re.IGNORECASE)
# 1,000,000 or 12,345.6; and 3,5107 or 1,5e-3, which groups of three digits are not told from.
GROUPS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?")
COMMA = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?")
# 1.000.000 or 12.345,6: points that no decimal point can be, and what may stand beside them in a column.
POINTS = re.compile(r"[+-]?[1-9]\d{0,2}(?:(?:\.\d{3}){2,}(?:,\d+)?|(?:\.\d{3})+,\d+)")
BESIDE_POINTS = re.compile(r"[+-]?(?:\d{1,3}(?:\.\d{3})*|\d+)(?:,\d+)?")
# Lines that are looked at to find what stands between cells.
LOOK = 20


class Written(str):
    """A text that writes out an amount, such as "53.3M": a label, and a number for whoever asks for one."""

    def __float__(self) -> float:
        amount = AMOUNT.fullmatch(self)
        return float(amount[1]) * UNITS[amount[2].lower()] if amount else float(str(self))


class Grid(NamedTuple):
    """A text table, cell by cell.

    columns: name -> cells, with numbers as Python writes them; None where a block of rows has no such column.
    torn: (line, cells, cells wanted, text) of rows that are longer or shorter than their header, lines
    counted from 1. notes: what was decided.
    """

    columns: dict[str, list[str | None]]
    notes: tuple[str, ...]
    torn: tuple[tuple[int, int, int, str], ...] = ()


# ------------------------------------------------------------------------------------------ text


def text(path: Path) -> str:
    """A file's text, unpacked and decoded."""
    data = _bytes(path)
    for mark, encoding in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe\x00\x00", "utf-32"),
        (b"\x00\x00\xfe\xff", "utf-32"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    # Without a mark, every other byte of letters and digits in UTF-16 is zero.
    look = data[:4096]
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(look) > 3 and look[first::2].count(0) > 0.4 * len(look):
            return data.decode(encoding, errors="replace")
    return data.decode("utf-8", errors="replace")


def _bytes(path: Path) -> bytes:
    packed = path.suffix.lower()
    if packed not in (*PACKED, ".zip"):
        return path.read_bytes()
    try:
        if packed != ".zip":
            with PACKED[packed](path) as file:
                return _unpacked(file, path)
        with zipfile.ZipFile(path) as inside:
            names = [name for name in inside.namelist() if not name.endswith("/")]
            if len(names) != 1:
                raise ValueError(f"it holds {len(names)} files; unpack it and give one of them")
            with inside.open(names[0]) as file:
                return _unpacked(file, path)
    except (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, gzip.BadGzipFile) as error:
        raise ValueError("it is cut off or damaged and cannot be unpacked; write or copy it again") from error


def sheet(path: Path) -> tuple[str, tuple[str, ...]]:
    """The first sheet of an Excel workbook that has cells, as CSV, and which of several it is.

    Of formulas the values that Excel last saved are read.
    """
    from openpyxl import load_workbook

    # Loaded whole: what the sheet says of its own size is not always true.
    book = load_workbook(path, data_only=True)
    sheets = {
        one.title: [row for row in one.iter_rows(values_only=True) if set(row) != {None}]
        for one in book.worksheets
    }
    filled = [name for name, rows in sheets.items() if rows]
    if not filled:
        raise ValueError("its sheets have no cells")
    out = StringIO()
    csv.writer(out, lineterminator="\n").writerows(sheets[filled[0]])
    return out.getvalue(), (f"sheet {filled[0]!r} is read, the first of {len(filled)}",) * (len(filled) > 1)


def _unpacked(file: Any, path: Path) -> bytes:
    data = file.read(MOST)
    check_size(len(data), path)
    return data + file.read()


def check_size(n: int, path: Path) -> None:
    """ValueError where a file holds n bytes or more, many, and is itself a small share of that."""
    if n >= MOST and TIMES * path.stat().st_size < n:
        raise ValueError(f"it unpacks to more than {TIMES} times its size; unpack it and look what it holds")


# ------------------------------------------------------------------------------------------ writing


def write(path: str | Path, content: str | bytes, new: bool = False) -> None:
    """Write beside the path and put it in place whole: whoever reads finds the former file or this one, and a
    full disk or a killed process takes neither away.

    new: nothing may be there yet; FileExistsError otherwise.
    """
    said, path = str(path), Path(os.path.realpath(path))
    data = content.encode() if isinstance(content, str) else content
    if path.is_dir():
        raise IsADirectoryError(f"{said!r} is a folder; name a file in it")
    if path.exists() and not path.is_file():
        path.write_bytes(data)  # a device or a pipe is written to, never replaced
        return
    beside = path.with_name(f".{path.name[:40]}.{os.getpid()}.{token_hex(4)}")
    try:
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if new:
            _linked(beside, path)
        elif path.exists():
            # What its owner protected stays as it is.
            if not os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), said)
            shutil.copymode(path, beside)
        os.replace(beside, path)
    except OSError as error:
        raise type(error)(error.errno, error.strerror or str(error), said) from error
    finally:
        beside.unlink(missing_ok=True)


def _linked(beside: Path, path: Path) -> None:
    """Take the name, which only one of several writers can; FileExistsError where it is taken."""
    try:
        os.link(beside, path)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):
            raise
        path.touch(exist_ok=False)  # a file system without links


def held(file: IO[Any], wait: bool = True) -> bool:
    """Hold an open file until it is closed or this process ends; False where another process holds it.
    Where the system has no such locks nothing is held."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        pass
    return True


# ------------------------------------------------------------------------------------------ rows of cells


def grid(written: str, tabs: bool = False) -> Grid:
    """A text table, whatever stands between its cells: commas, semicolons, tabs, bars or spaces.

    A row that holds header names again begins a new block of rows, under its own columns. ValueError where
    there is no header, where one names a column twice, and where a row looks like a header of other names.
    """
    lines = written.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    separator = _separator(lines, "\t" if tabs else ",")
    # Spreadsheets leave rows of nothing but separators.
    bare = [k for k, line in enumerate(lines) if not line.strip(f"{separator} \t") and separator in line]
    for k in bare:
        lines[k] = ""
    passed = (f"{len(bare)} empty row{'s' * (len(bare) > 1)} passed over",) if bare else ()
    if (even := _even(lines, separator)) is not None:
        found = _plain(even, separator == ",")
        return Grid(found[0], (*passed, *found[1]))
    rows = _commented(list(_rows(lines, separator)))
    if not rows:
        raise ValueError("it has no cells")
    if len(rows) == 1 and len(rows[0][1]) == 1:
        raise ValueError(f"it has a single cell, {rows[0][1][0][:40]!r}")
    names = _names(rows[0][1], first=True)
    blocks: list[tuple[list[str], list[list[str]]]] = [(names, [])]
    known, torn, again, comments = set(names), [], [], 0
    for k, (line, row) in enumerate(rows[1:], 1):
        # Header names rarely end in a digit's place: most rows are told by their last cell.
        words = not row[-1][:1].isdigit() and _words(row)
        if words and 2 * sum(cell in known for cell in _tidy(row)) >= max(len(row), len(names)):
            names = _names(row)
            known |= set(names)
            blocks.append((names, []))
            again.append(line)
        elif len(row) == len(names) + 1 and not row[-1]:
            blocks[-1][1].append(row[:-1])
        elif len(row) != len(names) and row[0].startswith("#"):
            comments += 1
        elif len(row) != len(names):
            torn.append((line, len(row), len(names), separator.join(row)))
        elif words and len(row) > 1 and k + 1 < len(rows) and _numeric(rows[k + 1][1]):
            raise ValueError(
                f"line {line} looks like a header of other columns ({', '.join(row)[:60]}); "
                "split the file there"
            )
        else:
            blocks[-1][1].append(row)
    notes = [*passed]
    if again:
        more = f" and {len(again) - 3} more" if len(again) > 3 else ""
        notes.append(
            f"a header stands again in line{'s' * (len(again) > 1)} "
            f"{', '.join(map(str, again[:3]))}{more}; the rows "
            "after it are read under its columns"
        )
    if comments:
        notes.append(f"{comments} line{'s' * (comments > 1)} of comment (#) passed over")
    columns: dict[str, list[str | None]] = {name: [] for names, _ in blocks for name in names}
    for names, kept in blocks:
        own = dict(zip(names, zip(*kept, strict=True), strict=True)) if kept else {}
        for name, cells in columns.items():
            cells += own.get(name, [None] * len(kept))
    found = _plain(columns, separator == ",")
    return Grid(found[0], (*notes, *found[1]), tuple(torn))


def _even(lines: Sequence[str], separator: str) -> dict[str, list[str | None]] | None:
    """The columns where no line is unlike the first, which a million rows mostly are;
    None where each row must be looked at."""
    lines = [line for line in lines if line]
    commas = lines[0].count(separator) if lines else 0
    if (
        separator == " "
        or not commas
        or any(line.count(separator) != commas or '"' in line or line[0] == "#" for line in lines)
    ):
        return None
    width = commas + 1
    cells = [cell.strip() for cell in separator.join(lines).split(separator)]
    columns = [cells[k::width] for k in range(width)]
    for k, (first, last) in enumerate(zip(columns[0], columns[-1], strict=True)):
        # Names begin with no digit.
        if (
            k
            and not (first[:1].isdigit() or last[:1].isdigit())
            and _words([column[k] for column in columns])
        ):
            return None
    names = _names([column[0] for column in columns], first=True)
    return {name: column[1:] for name, column in zip(names, columns, strict=True)}  # type: ignore[misc]


def _separator(lines: Sequence[str], usual: str) -> str:
    """What most lines have as often as the first has it."""
    look = [line for line in lines[: 10 * LOOK] if line.strip() and not line.startswith("#")][:LOOK]
    best, most = usual, 0
    for separator in (";", "\t", "|", ",", " "):
        try:
            counts = [len(row) for _, row in _rows(look, separator)]
        except csv.Error:
            # What is no separator here leaves cells longer than the module takes.
            continue
        agree = sum(n == counts[0] for n in counts) if counts and counts[0] > 1 else 0
        # Spaces stand between words, too: they count where nothing else does.
        if agree > most and not (separator == " " and (most or agree < len(counts))):
            best, most = separator, agree
    return best


def _rows(lines: Sequence[str], separator: str) -> Iterator[tuple[int, list[str]]]:
    """Number and stripped cells of each row that is not blank."""
    if separator == " " or not any('"' in line for line in lines):
        between = None if separator == " " else separator
        yield from (
            (k, [cell.strip() for cell in line.split(between)])
            for k, line in enumerate(lines, 1)
            if line.strip()
        )
        return
    ended = [f"{line}\n" for line in lines]
    reader = csv.reader(ended, delimiter=separator, skipinitialspace=True)
    width, before = None, 0
    for row in reader:
        found = [(before + 1, row)]
        if reader.line_num > before + 1 and width not in (None, len(row)):
            # A quotation mark that is never closed would take all lines up to the next one with it.
            own = csv.reader(ended[before : reader.line_num], delimiter=separator, quoting=csv.QUOTE_NONE)
            found = [(before + own.line_num, part) for part in own]
        for line, part in found:
            if part and (len(part) > 1 or part[0].strip()):
                width = width or len(part)
                yield line, [cell.strip() for cell in part]
        before = reader.line_num


def _commented(rows: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """Rows without the comments (#) above them;
    the last of these is the header where numbers follow at once."""
    first = next((k for k, (_, row) in enumerate(rows) if not row[0].startswith("#")), len(rows))
    if 0 < first < len(rows) and all(number_in(cell) is not None for cell in rows[first][1]):
        line, row = rows[first - 1]
        row = [cell for cell in (row[0].lstrip("# "), *row[1:]) if cell]
        if len(row) == len(rows[first][1]):
            return [(line, row), *rows[first:]]
    return rows[first:]


def _tidy(row: Sequence[str]) -> list[str]:
    return [" ".join(name.split()) or f"column {k + 1}" for k, name in enumerate(row)]


def _names(row: Sequence[str], first: bool = False) -> list[str]:
    numeric = first and all(number_in(cell) is not None for cell in row)
    if numeric and list(row) != [str(k) for k in range(len(row))]:
        raise ValueError(
            "its first line has numbers and no names of columns; write names above them, e.g. step,loss"
        )
    names = _tidy(row)
    if len(set(names)) < len(names):
        twice = next(name for k, name in enumerate(names) if name in names[:k])
        raise ValueError(f"it has two columns {twice!r}; rename or remove one")
    return names


def _words(row: Sequence[str]) -> bool:
    """Whether these cells could be the names of columns."""
    filled = [cell for cell in row if cell]
    return (
        len(filled) >= max(1, len(row) - 1)
        and len(set(filled)) == len(filled)
        and all(number_in(cell) is None and cell not in MISSING for cell in filled)
    )


def _numeric(row: Sequence[str]) -> bool:
    return 2 * sum(number_in(cell) is not None for cell in row) > len(row)


# ------------------------------------------------------------------------------------------ numbers


def number_in(cell: str) -> float | None:
    """The number that a text is, None where it is none: 3.5, 1e-3, nan, also 53.3M and 1,000,000."""
    try:
        return float(cell)
    except ValueError:
        pass
    if amount := AMOUNT.fullmatch(cell):
        return float(amount[1]) * UNITS[amount[2].lower()]
    return float(cell.replace(",", "")) if GROUPS.fullmatch(cell) else None


def _plain(
    columns: Mapping[str, list[str | None]], separated: bool
) -> tuple[dict[str, list[str | None]], tuple[str, ...]]:
    """Numbers with commas in them as Python writes them, and what was decided.

    A comma is a decimal comma where some number could not have it between groups of three digits, or where
    none tells and commas do not separate the cells (`separated`) and no number has a point.
    """
    out, notes = dict(columns), tuple[str, ...]()
    if pointed := [name for name, cells in columns.items() if _pointed(cells)]:
        for name in pointed:
            out[name] = [cell.replace(".", "") if cell else cell for cell in columns[name]]
        columns = out.copy()
        which = ", ".join(map(repr, pointed[:3]))
        notes = (f"the points in {which} are read as standing between groups of digits",)
    having = [name for name, cells in columns.items() if any(cell and "," in cell for cell in cells)]
    having = [
        name
        for name in having
        if any(cell and (COMMA.fullmatch(cell) or GROUPS.fullmatch(cell)) for cell in columns[name])
    ]
    if not having:
        return out, notes
    cells = [cell for name in having for cell in columns[name] if cell]
    told = any(COMMA.fullmatch(cell) and not GROUPS.fullmatch(cell) for cell in cells)
    grouped = any(GROUPS.fullmatch(cell) and (cell.count(",") > 1 or "." in cell) for cell in cells)
    if told and grouped:
        raise ValueError(
            "commas stand between groups of digits in some of its numbers and "
            "before decimals in others; write "
            "numbers without commas"
        )
    points = any(
        cell and "." in cell and number_in(cell) is not None for column in columns.values() for cell in column
    )
    decimal = told or not (grouped or separated or points)
    pattern, mark = (COMMA, ".") if decimal else (GROUPS, "")
    for name in having:
        out[name] = [
            cell.replace(",", mark) if cell and pattern.fullmatch(cell) else cell for cell in columns[name]
        ]
    what = "as decimal commas" if decimal else "as standing between groups of digits"
    return out, (*notes, f"the commas in {', '.join(map(repr, having[:3]))} are read {what}")


def _pointed(cells: Sequence[str | None]) -> bool:
    """Whether points stand between groups of digits in a column of numbers: 1.000.000."""
    filled = [cell for cell in cells if cell and cell not in MISSING]
    return any(map(POINTS.fullmatch, filled)) and all(map(BESIDE_POINTS.fullmatch, filled))


def typed(cells: Sequence[str | None]) -> np.ndarray:
    """A column of a text table: whole numbers, numbers with NaN for no value, true and false,
    or texts with None for no value."""
    try:
        return np.array(cells, np.int64)
    except (ValueError, TypeError, OverflowError):
        pass
    filled = {cell for cell in cells if cell}
    # Where all cells say "None" that is a label.
    if not filled or not filled <= set(MISSING):
        with contextlib.suppress(ValueError):
            return np.array(["nan" if cell is None or cell in MISSING else cell for cell in cells], float)
    if filled <= {"True", "False"} or filled <= {"true", "false"}:
        column = [None if not cell else cell.lower() == "true" for cell in cells]
        return np.array(column, bool if all(cells) else object)
    texts = [cell or None for cell in cells]
    if filled > set(MISSING) & filled and all(number_in(cell) is not None for cell in filled - set(MISSING)):
        texts = [None if cell is None or cell in MISSING else Written(cell) for cell in texts]
    out = np.empty(len(texts), object)
    out[:] = texts
    return out


# ------------------------------------------------------------------------------------------ records


def records(written: str) -> tuple[list[dict[str, Any]], tuple[tuple[int, str], ...]]:
    """The records in a text of JSON, and (line, text) of what holds none.

    One record per line, or written over several; a list of records; a table as pandas writes it;
    runs or records by name.
    """
    lines = [(k, line) for k, line in enumerate(written.split("\n"), 1) if line.strip()]
    by_line = [_object(line) for _, line in lines]
    if len(lines) > 1 and 2 * sum(record is not None for record in by_line) >= len(lines):
        found = [record for record in by_line if record is not None]
        return found, tuple(at for at, record in zip(lines, by_line, strict=True) if record is None)
    try:
        return _shaped(json.loads(written, object_pairs_hook=_once)), ()
    except (json.JSONDecodeError, RecursionError):
        pass
    found, at = _one_by_one(written)
    if not found:
        return [], tuple(lines)
    line, rest = written.count("\n", 0, at) + 1, written[at:].strip()
    return found, ((line, rest),) if rest.strip("],") else ()


def _object(line: str) -> dict[str, Any] | None:
    """The object that a line of JSON holds, None where it holds none."""
    try:
        record = json.loads(line, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A record, unless it names something twice: which of the values counts is not clear then."""
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(
            f"a record has {next(name for k, name in enumerate(names) if name in names[:k])!r} twice"
        )
    return record


def _one_by_one(written: str) -> tuple[list[dict[str, Any]], int]:
    """Records that follow each other, also in a list that was cut off, and where no more is to be had."""
    decode, gap = json.JSONDecoder(object_pairs_hook=_once).raw_decode, re.compile(r"[\s,\[]*")
    found: list[dict[str, Any]] = []
    at = 0
    while True:
        begin = gap.match(written, at).end()  # type: ignore[union-attr]
        try:
            record, end = decode(written, begin)
        except (ValueError, RecursionError):
            return found, at
        if not isinstance(record, dict):
            return found, at
        found.append(record)
        at = end


def _shaped(value: Any) -> list[dict[str, Any]]:
    """One value of JSON as records."""
    if isinstance(value, list) and all(isinstance(record, dict) for record in value):
        return value
    if isinstance(value, dict) and value:
        if {"columns", "data"} <= set(value):
            return [dict(zip(value["columns"], row, strict=True)) for row in value["data"]]
        parts = list(value.values())
        if all(isinstance(column, list) for column in parts) and not any(map(_are_records, parts)):
            lengths = {name: len(column) for name, column in value.items()}
            if len(set(lengths.values())) > 1:
                raise ValueError(
                    "its columns differ in length: "
                    f"{', '.join(f'{k!r} has {n}' for k, n in list(lengths.items())[:3])}"
                )
            return [dict(zip(value, row, strict=True)) for row in zip(*parts, strict=True)]
        if all(isinstance(part, dict) for part in parts):
            places = set(parts[0])
            if all(place.isdigit() for place in places) and all(set(part) == places for part in parts):
                return [{name: column[place] for name, column in value.items()} for place in parts[0]]
            if any(isinstance(cell, list | dict) for part in parts for cell in part.values()):
                return [{"run": name, **record} for name, part in value.items() for record in _shaped(part)]
            numbered = all(name.isdigit() for name in value)
            return [part if numbered else {"run": name, **part} for name, part in value.items()]
        inside = [part for part in parts if isinstance(part, list) and _are_records(part)]
        if all(isinstance(part, list) for part in parts) and len(inside) == len(parts) > 1:
            return [{"run": name, **record} for name, part in value.items() for record in part]
        if len(inside) == 1:
            return inside[0]
        if not any(isinstance(part, list | dict) for part in parts):
            return [value]
    raise ValueError("its entries are not records with names")


def _are_records(part: Any) -> bool:
    return bool(part) and all(isinstance(record, dict) for record in part)


def by_columns(found: Iterable[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Records with any keys as columns, None where a record has no such key;
    numbers under a name of theirs as "name/key"."""
    found = [
        _flat(record) if any(type(cell) is dict for cell in record.values()) else record for record in found
    ]
    names = dict.fromkeys(name for record in found for name in record)
    return {str(name): [record.get(name) for record in found] for name in names}


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record in which a dict of numbers has become numbers of its own."""
    out: dict[str, Any] = {}
    for name, cell in record.items():
        if (
            isinstance(cell, dict)
            and cell
            and all(isinstance(part, int | float | None) for part in cell.values())
        ):
            out |= {f"{name}/{key}": part for key, part in cell.items()}
        else:
            out[name] = cell
    return out


def values(cells: Sequence[Any]) -> np.ndarray:
    """A column of records: numbers, with NaN for no value, where all cells are;
    texts are looked at as in a text table."""
    kinds = set(map(type, cells))
    if kinds <= {str, type(None)}:
        return typed(cells)
    if kinds == {bool} or kinds == {int}:
        with contextlib.suppress(OverflowError):
            return np.array(cells, bool if kinds == {bool} else np.int64)
    if kinds <= {int, float, str, type(None)}:
        found = [number_in(cell) if type(cell) is str else np.nan if cell is None else cell for cell in cells]
        numbers = [cell for cell in found if cell is not None]
        with contextlib.suppress(OverflowError):
            if len(numbers) == len(cells):
                return np.array([float(cell) for cell in numbers])
    out = np.empty(len(cells), object)
    out[:] = cells
    return out


def table(path: Path, ending: str) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The columns of a file with this ending, and what was decided; ValueError for what is not whole."""
    written, said = sheet(path) if ending == ".xlsx" else (text(path), ())
    if ending in (".csv", ".tsv", ".xlsx"):
        found = grid(written, ending == ".tsv")
        if found.torn:
            line, n, wanted, _ = found.torn[0]
            others = len(found.torn) - 1
            more = f", and {others} more line{'s differ' if others > 1 else ' differs'}" if others else ""
            raise ValueError(f"line {line} has {n} cells and its header {wanted}{more}")
        return {name: typed(cells) for name, cells in found.columns.items()}, (*said, *found.notes)
    rows, torn = records(written)
    if torn:
        raise ValueError(f"line {torn[0][0]} holds no record: {torn[0][1].strip()[:40]!r}")
    return {name: values(cells) for name, cells in by_columns(rows).items()}, ()


def first_sentence(error: Exception) -> str:
    """What a parser says is wrong, in one line."""
    return re.split(r"\. (?=[A-Z])", " ".join(str(error).split()))[0][:200] or type(error).__name__
