"""pandas and narwhals at arm's length: the only file that imports them, and only for frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalefit import files
from scalefit.callbacks.recorder import HEAD

__all__ = [
    "Columns",
    "Frame",
    "columns",
    "columns_frame",
    "frame",
    "index_of",
    "like",
    "read",
    "stacked",
    "to_frame",
]

# For annotations: a frame to type checkers, and nothing that would load pandas at run time.
if TYPE_CHECKING:
    from pandas import DataFrame as Frame
else:
    Frame = Any

READERS = (".csv", ".tsv", ".parquet", ".jsonl")
# Of tables and logs alike, with what else holds JSON.
ENDINGS = (*READERS, ".json", ".ndjson", ".xlsx")


def frame(records: Iterable[Mapping[str, Any]]) -> Frame:
    """Records as a pandas frame."""
    import pandas

    return pandas.DataFrame.from_records(list(records))


def columns_frame(columns: Mapping[str, Any], index: Any = None) -> Frame:
    """Columns of one length as a pandas frame, under this index."""
    import pandas

    return pandas.DataFrame(dict(columns), index=index)


def stacked(parts: Iterable[Frame]) -> Frame:
    """Frames below each other, their indices as they are."""
    import pandas

    return pandas.concat(list(parts))


def index_of(x: Any) -> Any:
    """The index of a pandas frame, or of the first series in a mapping; None where there is none."""
    if hasattr(x, "columns") and hasattr(x, "index"):
        return x.index
    values = x.values() if isinstance(x, Mapping) else ()
    return next((v.index for v in values if hasattr(v, "index") and hasattr(v, "to_numpy")), None)


class Columns(dict[str, Any]):
    """Columns of a table by name; its attrs say under "notes" how it was read, as a frame's do."""

    def __init__(self, found: Mapping[str, Any], notes: tuple[str, ...]):
        super().__init__(found)
        self.attrs = {"notes": notes}


def read(path: str | Path) -> Frame:
    """`columns` as a frame, whose attrs say the same."""
    found = columns(path)
    if not isinstance(found, Columns):
        return found
    import pandas

    # Texts that write out amounts stay what they are; pandas would make a type of its own of them.
    parts = {
        name: pandas.Series(cells, dtype=object) if cells.dtype == object else cells
        for name, cells in found.items()
    }
    table = pandas.DataFrame(parts)
    table.attrs |= found.attrs
    return table


def columns(path: str | Path) -> Columns | Frame:
    """A table from a CSV, TSV, Parquet, Excel, JSON or JSON-lines file (packed or not), by its name's ending:
    its columns, of Parquet a frame. Importing pandas takes longer than most tables.

    Raises ValueError with one sentence where a file is damaged or no table.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no file {str(path)!r}")
    ending = next((s.lower() for s in reversed(path.suffixes) if s.lower() in ENDINGS), None)
    if ending is None:
        raise ValueError(f"{path.name!r}: give a file ending in {', '.join(ENDINGS)} (or .gz of one)")
    if path.stat().st_size == 0:
        raise ValueError(f"{path.name!r} is empty")
    try:
        if ending == ".parquet":
            import pandas

            _check_parquet(path)
            return pandas.read_parquet(path)
        if ending not in (".csv", ".xlsx") and files.text(path).startswith(HEAD):
            raise ValueError("it is a log of sf.Recorder: read it with sf.read_log, and take .table of that")
        return Columns(*files.table(path, ending))
    except ImportError as error:
        raise ImportError(
            f"{path.name!r}: {'Excel needs openpyxl' if ending == '.xlsx' else 'Parquet needs PyArrow'}, "
            'which is an extra: pip install "scalefit-jax[readers]"'
        ) from error
    except Exception as error:
        # A system's error names the file; a parser's has no number, and some have several lines.
        if getattr(error, "errno", None):
            raise
        reason = files.first_sentence(error)
        raise ValueError(f"{path.name!r} cannot be read as a table ({reason}); check the file") from error


def _check_parquet(path: Path) -> None:
    """ValueError for a file whose rows, as "the same a billion times" in few bytes, would fill a machine."""
    from pyarrow.parquet import ParquetFile

    inside = ParquetFile(path).metadata
    files.check_size(8 * inside.num_rows * inside.num_columns, path)


def to_frame(table: Any) -> Any:
    """A frame of polars (lazy, too), pyarrow, modin or whatever else narwhals knows as a pandas frame;
    pandas frames as they are, and what is no frame, too."""
    if isinstance(table, Mapping):
        return table
    import narwhals
    import pandas

    if isinstance(table, pandas.DataFrame):
        return table
    try:
        found = narwhals.from_native(table, pass_through=True)
        if isinstance(found, narwhals.LazyFrame):
            found = found.collect()
        if not isinstance(found, narwhals.DataFrame):
            return table
        return pandas.DataFrame({name: found[name].to_numpy() for name in found.columns})
    except narwhals.exceptions.DuplicateError as error:
        raise ValueError("the table has two columns of one name; rename or drop one") from error


def like(given: Any, found: Frame) -> Frame:
    """A pandas frame as one of polars or pyarrow, where the one given is such a one."""
    if isinstance(given, Mapping):
        return found
    import narwhals

    kind = getattr(narwhals.from_native(given, pass_through=True), "implementation", None)
    if kind is None or not (kind.is_polars() or kind.is_pyarrow()):
        return found
    return narwhals.from_dict({str(name): found[name].tolist() for name in found}, backend=kind).to_native()
