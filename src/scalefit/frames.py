"""pandas at arm's length: the only file that imports it, and only when a frame is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

__all__ = ["Frame", "columns_frame", "frame", "index_of", "read", "to_frame"]

# For annotations: a frame to type checkers, and nothing that would load pandas at run time.
if TYPE_CHECKING:
    from pandas import DataFrame as Frame
else:
    Frame = Any

READERS = {".csv": "read_csv", ".tsv": "read_table", ".parquet": "read_parquet", ".jsonl": "read_json"}


def frame(records: Iterable[Mapping[str, Any]]) -> Frame:
    """Records as a pandas frame."""
    import pandas

    return pandas.DataFrame.from_records(list(records))


def columns_frame(columns: Mapping[str, Any], index: Any = None) -> Frame:
    """Columns of one length as a pandas frame, under this index."""
    import pandas

    return pandas.DataFrame(dict(columns), index=index)


def index_of(x: Any) -> Any:
    """The index of a pandas frame, or of the first series in a mapping; None where there is none."""
    if hasattr(x, "columns") and hasattr(x, "index"):
        return x.index
    values = x.values() if isinstance(x, Mapping) else ()
    return next((v.index for v in values if hasattr(v, "index") and hasattr(v, "to_numpy")), None)


def read(path: str | Path) -> Frame:
    """A table from a CSV, TSV, Parquet or JSON-lines file (compressed or not), by its name's ending."""
    import pandas

    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no file {str(path)!r}")
    ending = next((s for s in reversed(path.suffixes) if s in READERS), None)
    if ending is None:
        raise ValueError(f"{path.name!r}: give a file ending in {', '.join(READERS)} (or .gz of one)")
    if path.stat().st_size == 0:
        raise ValueError(f"{path.name!r} is empty")
    return getattr(pandas, READERS[ending])(path, **({"lines": True} if ending == ".jsonl" else {}))


def to_frame(table: Any) -> Frame:
    """Anything with the dataframe interchange protocol as a pandas frame; pandas frames as they are."""
    import pandas

    return table if isinstance(table, pandas.DataFrame) else pandas.api.interchange.from_dataframe(table)
