"""Parquet: one document per row."""

from pathlib import Path

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.data.class_names import named


def read(path: Path) -> list[Record]:
    """Return one record per row; class numbers become names if the file defines them.

    Raises:
        UserError: The file is not Parquet, or has no row.
    """
    import pyarrow
    import pyarrow.parquet
    from datasets import Features

    try:
        table = pyarrow.parquet.read_table(path)
        features, rows = Features.from_arrow_schema(table.schema), table.to_pylist()
    except (pyarrow.ArrowException, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(". ")
        raise UserError(f"{path} is not a readable Parquet file ({reason}): write it again.") from None
    if not rows:
        raise UserError(f"{path} is empty: put at least one document into it, or name another file.")
    return [Record(named(fields, features), f"{path.name} row {row}") for row, fields in enumerate(rows, start=1)]
