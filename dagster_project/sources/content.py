"""What a row says, as one key: equal content has an equal key, wherever and whenever it is read."""

import hashlib
from collections.abc import Iterable

import polars as pl

from dagster_project.sources.contracts import TableContract

_UNIT = "\x1f"


def content_keys(frame: pl.DataFrame, contract: TableContract) -> pl.Series:
    """Hash of each row's source and content columns (not its file, line or time of ingestion).

    Parameters
    ----------
    frame : polars.DataFrame
        Content columns in the contract's types, and ``source``.
    contract : TableContract
        The table.

    Returns
    -------
    polars.Series
        ``content_key``: 32 hexadecimal digits (the first half of a SHA-256).
    """
    return _hash(frame, ["source", *contract.content_names], prefix=contract.name).alias("content_key")


def derived_ids(frame: pl.DataFrame, contract: TableContract) -> pl.Series:
    """Identifiers of rows that have none: from their content and how often it occurred before in the file.

    Two equal rows of one file (two like purchases on a day) get two identifiers; the same file
    read again, or an overlapping one, gives the same identifiers.

    Parameters
    ----------
    frame : polars.DataFrame
        Content columns, ``source``, ``source_file``, in file order.
    contract : TableContract
        A table with an ``id_column``.
    """
    names = [name for name in contract.content_names if name != contract.id_column]
    content = _hash(frame, ["source", *names], prefix=contract.name)
    occurrence = pl.DataFrame({"content": content, "file": frame["source_file"]}).select(
        pl.concat_str("content", pl.lit("#"), pl.int_range(pl.len()).over("content", "file"))
    )
    return pl.Series(
        contract.id_column, [f"row-{_digest(text)[:20]}" for text in occurrence.to_series()], pl.String
    )


def _hash(frame: pl.DataFrame, names: Iterable[str], prefix: str) -> pl.Series:
    cells = (_canonical(name, frame.schema[name]) for name in names)
    text = frame.select(pl.concat_str(pl.lit(prefix), *cells, separator=_UNIT)).to_series()
    return pl.Series([_digest(value)[:32] for value in text], dtype=pl.String)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(name: str, dtype: pl.DataType) -> pl.Expr:
    """A cell as text that two different values never share within a column."""
    column = pl.col(name)
    if isinstance(dtype, pl.Datetime):
        column = column.dt.timestamp("us")
    elif dtype == pl.String:
        # The length in front keeps a separator inside a text from moving the border of two cells.
        column = pl.concat_str(column.str.len_bytes(), pl.lit(":"), column)
    elif dtype == pl.Float64:
        column = column + 0.0  # -0.0 and 0.0 are one value
    return column.cast(pl.String).fill_null("\x00")
