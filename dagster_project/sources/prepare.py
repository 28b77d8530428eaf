"""From a batch to typed rows with bookkeeping, each still good, skipped or bad with a first reason.

The row frame that every later step works on has the contract's content columns, ``source``,
``source_file``, ``source_line`` and the working columns of ``WORKING``.
"""

from collections.abc import Sequence
from typing import Final

import polars as pl

from dagster_project.sources.batches import LINE, PROBLEM, PROBLEM_DETAIL, SKIP_RULE, Batch
from dagster_project.sources.contracts import RAW_TABLES, Column
from dagster_project.sources.parsing import parse_column

# _batch and _at find the row as it was read; _skip names the rule by which it is no record;
# _reason, _column, _detail say why it is bad; _duplicate that it is stored already.
WORKING: Final = {
    "_batch": pl.Int32(),
    "_at": pl.Int64(),
    "_skip": pl.String(),
    "_reason": pl.String(),
    "_column": pl.String(),
    "_detail": pl.String(),
    "_duplicate": pl.Boolean(),
}
# Cells that say whether a timestamp was a bare date, where the contract has no column for it.
_DATE_FLAGS: Final = {"traded_at": "traded_at_is_date", "stated_at": "stated_at_is_date"}
_SENTENCES: Final = {
    "unparsable_number": "is '{}', which is no plain number",
    "number_out_of_range": "is '{}', beyond what {} holds",
    "other_currency": "is '{}', and only US dollars are supported: convert it first",
    "unparsable_date": "is '{}', write YYYY-MM-DD, or ISO 8601 with an offset",
    "unparsable_boolean": "is '{}', write true or false",
    "control_character": "holds a control character: {!r}",
}


def row_schema(table: str) -> dict[str, pl.DataType]:
    """Columns and types of a table's row frame."""
    content = dict(RAW_TABLES[table].content_schema)
    extra = {"stated_at_is_date": pl.Boolean()} if table == "goals__statements" else {}
    bookkeeping = {"source": pl.String(), "source_file": pl.String(), LINE: pl.Int64()}
    return {**content, **extra, **bookkeeping, **WORKING}


def prepare(table: str, batches: Sequence[tuple[int, Batch]]) -> pl.DataFrame:
    """Type the rows of all batches of one table.

    Parameters
    ----------
    table : str
        Raw table.
    batches : sequence of (int, Batch)
        Its batches with their numbers.

    Returns
    -------
    polars.DataFrame
        Columns of ``row_schema``, in batch and file order.
    """
    schema = row_schema(table)
    frames = [_text_rows(n, b, schema) if b.is_text else _typed_rows(n, b, schema) for n, b in batches]
    return pl.concat([pl.DataFrame(schema=schema), *frames])


def _typed_rows(number: int, batch: Batch, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    frame = batch.frame
    content = RAW_TABLES[batch.table].content_names
    given = [name for name in content if name in frame.columns]
    cast = frame.select(LINE, *(pl.col(name).cast(schema[name], strict=False) for name in given))
    lost = [
        pl.when(cast[name].is_null() & frame[name].is_not_null()).then(pl.lit(name))
        for name in given
        if cast[name].null_count() > frame[name].null_count()
    ]
    column = cast.select(pl.coalesce([*lost, pl.lit(None, pl.String)]).alias("_column")) if lost else None
    rows = _complete(cast, number, batch, schema)
    if column is None:
        return rows
    bad = pl.col("_column").is_not_null()
    return rows.with_columns(column["_column"]).with_columns(
        _reason=pl.when(bad).then(pl.lit("number_out_of_range")),
        _detail=pl.when(bad).then(pl.concat_str("_column", pl.lit(" does not fit the contract's type"))),
    )


def _text_rows(number: int, batch: Batch, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    frame, contract = batch.frame, RAW_TABLES[batch.table]
    values: dict[str, pl.Series] = {LINE: frame[LINE]}
    reasons: dict[str, pl.Series] = {}
    for column in contract.columns:
        if column.name not in frame.columns:
            continue
        parsed = parse_column(frame[column.name], column)
        values[column.name] = parsed.values
        if parsed.reasons.null_count() < frame.height:
            reasons[column.name] = parsed.reasons
        if column.name in _DATE_FLAGS and parsed.is_date is not None:
            values[_DATE_FLAGS[column.name]] = parsed.is_date
        if column.name == "known_at" and parsed.is_date is not None:
            values["known_at"] = _day_end(parsed.values, parsed.is_date)
    if "currency" in frame.columns and "currency" not in contract:
        foreign = frame["currency"].str.to_uppercase() != "USD"
        reasons["currency"] = frame.select(pl.when(foreign).then(pl.lit("other_currency"))).to_series()
    rows = _complete(pl.DataFrame(values), number, batch, schema)
    rows = rows.with_columns(
        _first_reason(frame, reasons, contract.columns), _skip=_column_or_null(frame, SKIP_RULE)
    )
    if batch.problem is not None:
        problem = batch.problem
        rows = rows.with_columns(
            _reason=pl.lit(problem.reason),
            _column=pl.lit(problem.column, pl.String),
            _detail=pl.lit(problem.detail),
        )
    skipped = pl.col("_skip").is_not_null()
    return rows.with_columns(pl.when(~skipped).then(pl.col("_reason", "_column", "_detail")))


def _day_end(values: pl.Series, is_date: pl.Series) -> pl.Series:
    """A row known on a bare date is known by that session's close."""
    from dagster_project.sources.calendar import close_of

    closes = close_of("day", pl.DataFrame({"day": values.dt.date()}))
    return closes.zip_with(is_date.fill_null(False), values)


def _column_or_null(frame: pl.DataFrame, name: str) -> pl.Series:
    return (
        frame[name] if name in frame.columns else pl.repeat(None, frame.height, dtype=pl.String, eager=True)
    )


def _complete(frame: pl.DataFrame, number: int, batch: Batch, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    """Add the missing columns and bring all into the row frame's order and types."""
    fixed = {
        "source": pl.lit(batch.source),
        "source_file": pl.lit(batch.source_file),
        "_batch": pl.lit(number),
        "_at": pl.int_range(pl.len()),
        "_duplicate": pl.lit(False),
    }
    columns = [
        fixed.get(name, pl.col(name) if name in frame.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in schema.items()
    ]
    return frame.select(columns)


def _first_reason(
    frame: pl.DataFrame, reasons: dict[str, pl.Series], columns: Sequence[Column]
) -> list[pl.Series]:
    """The first problem of each row: of its shape, then of its cells from left to right."""
    shape, shape_detail = _column_or_null(frame, PROBLEM), _column_or_null(frame, PROBLEM_DETAIL)
    table = pl.DataFrame(
        [shape.alias("_reason")] + [series.alias(f"r:{name}") for name, series in reasons.items()]
    )
    table = table.select(
        pl.coalesce(pl.all()).alias("reason"),
        pl.coalesce(
            pl.when(pl.col("_reason").is_not_null()).then(pl.lit("")),
            *(pl.when(pl.col(f"r:{name}").is_not_null()).then(pl.lit(name)) for name in reasons),
            pl.lit(None, pl.String),
        ).alias("column"),
    ).with_row_index("at")
    types = {column.name: column for column in columns}
    details: list[str | None] = [None] * frame.height
    for at, reason, column in table.filter(pl.col("reason").is_not_null()).iter_rows():
        details[at] = (
            shape_detail[at]
            if not column
            else _sentence(reason, types.get(column), column, frame[column][at])
        )
    return [
        table["reason"].alias("_reason"),
        table["column"].replace("", None).alias("_column"),
        pl.Series("_detail", details, dtype=pl.String),
    ]


def _sentence(reason: str, column: Column | None, name: str, cell: str) -> str:
    shown = cell if len(cell) <= 80 else cell[:77] + "..."
    if reason in _SENTENCES:
        return f"{name} " + _SENTENCES[reason].format(shown, column.type if column else "")
    allowed = ", ".join(column.allowed) if column else ""
    return f"{name} is '{shown}', which is none of: {allowed}"
