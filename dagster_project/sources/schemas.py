"""Pandera schemas, generated from the contracts: the last gate before a row is accepted.

The rules of ``rules.py`` give the precise reasons; these schemas restate every single-column
promise of the contract independently, so that a gap in the rules cannot let a row through.
Pandera takes two seconds to import and is imported on first use.
"""

import functools
from typing import TYPE_CHECKING

import polars as pl

from dagster_project.sources.contracts import RAW_TABLES, Column

if TYPE_CHECKING:
    from pandera.polars import DataFrameSchema

POSITIVE = frozenset(
    {"open", "high", "low", "close", "adjusted_close", "quantity", "price_usd", "ratio_new", "ratio_old"}
)
NON_NEGATIVE = frozenset(
    {
        "volume",
        "fees_usd",
        "cash_per_share_usd",
        "cost_basis_usd",
        "fair_market_value_usd",
        "st_carryover_usd",
        "lt_carryover_usd",
        "duration_years",
        "shares_outstanding",
        "strike_usd",
    }
)
RANGES = {
    "rate_pct": (-10.0, 100.0),
    "expense_ratio_pct": (0.0, 100.0),
    "qualified_dividend_ratio": (0.0, 1.0),
    "tax_year": (1900, 2200),
    "basis_fraction": (0, 1),
}


def _checks(column: Column) -> list:
    import pandera.polars as pa

    checks = []
    if column.allowed:
        checks.append(pa.Check.isin(list(column.allowed)))
    elif column.type == "varchar":
        checks.append(pa.Check.str_length(1, column.max_characters))
    if column.name in POSITIVE:
        checks.append(pa.Check.gt(0))
    if column.name in NON_NEGATIVE:
        checks.append(pa.Check.ge(0))
    if column.name in RANGES:
        checks.append(pa.Check.in_range(*RANGES[column.name]))
    if column.type == "double":
        checks.append(
            pa.Check(lambda data: data.lazyframe.select(pl.col(data.key).is_finite()), name="is_finite")
        )
    return checks


@functools.cache
def pandera_schema(table: str) -> "DataFrameSchema":
    """The Pandera schema of a raw table's content columns.

    Parameters
    ----------
    table : str
        A key of ``RAW_TABLES``.
    """
    import pandera.polars as pa

    contract = RAW_TABLES[table]
    columns = {c.name: pa.Column(c.dtype, _checks(c), nullable=c.nullable) for c in contract.columns}
    return pa.DataFrameSchema(columns, name=contract.name, strict=False)


def schema_failures(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Validate a frame and say which of its rows fail.

    Parameters
    ----------
    table : str
        A key of ``RAW_TABLES``.
    frame : polars.DataFrame
        Rows in the contract's types (others raise, since they are a fault of the program).

    Returns
    -------
    polars.DataFrame
        One row per failing row: ``index`` (position in ``frame``), ``column``, ``check``, ``value``.

    Raises
    ------
    TypeError
        The frame lacks a contract column or has another type than the contract's.
    """
    from pandera.errors import SchemaErrors

    shape = {"index": pl.Int64, "column": pl.String, "check": pl.String, "value": pl.String}
    if frame.is_empty():
        return pl.DataFrame(schema=shape)
    try:
        pandera_schema(table).validate(frame, lazy=True)
    except SchemaErrors as error:
        cases = error.failure_cases
        if cases["index"].null_count():
            raise TypeError(
                f"raw.{table}: the frame does not have the contract's columns and types:\n{cases}"
            ) from error
        return (
            cases.select("index", "column", "check", value="failure_case")
            .cast(shape)  # pyright: ignore[reportArgumentType]
            .unique("index", keep="first", maintain_order=True)
            .sort("index")
        )
    return pl.DataFrame(schema=shape)
