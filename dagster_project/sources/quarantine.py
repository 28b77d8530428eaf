"""Records of what was not accepted, and the counts: nothing that was read gets lost.

``raw_row`` is the row as read, as JSON. A cell longer than ``MAX_CELL_CHARACTERS`` is cut there and
followed by its full length and SHA-256: the file and line say where the whole text is, and the hash
proves that it is the same one, so that a 1 MB text does not fill the warehouse.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final

import polars as pl

from dagster_project.sources.batches import LINE, PROBLEM, PROBLEM_DETAIL, SKIP_RULE, Batch
from dagster_project.sources.contracts import RAW_TABLES
from dagster_project.sources.textfile import WHOLE_LINE

MAX_CELL_CHARACTERS: Final = 4_096
_META: Final = (LINE, PROBLEM, PROBLEM_DETAIL, SKIP_RULE)
OUTCOMES: Final = ("accepted", "duplicate", "quarantined", "not_a_transaction")


def outcome() -> pl.Expr:
    """What became of a row: exactly one of ``OUTCOMES``."""
    return (
        pl.when(pl.col("_skip").is_not_null())
        .then(pl.lit("not_a_transaction"))
        .when(pl.col("_reason").is_not_null())
        .then(pl.lit("quarantined"))
        .when(pl.col("_duplicate"))
        .then(pl.lit("duplicate"))
        .otherwise(pl.lit("accepted"))
    )


def quarantine_records(
    rows: dict[str, pl.DataFrame], batches: Sequence[Batch], ingested_at: dt.datetime
) -> pl.DataFrame:
    """One record per bad row, and one per file that yielded no rows because of a problem.

    Parameters
    ----------
    rows : dict of str to polars.DataFrame
        Row frames by table, after every rule.
    batches : sequence of Batch
        What was read; ``_batch`` of a row counts into it.
    ingested_at : datetime.datetime
        Wall clock of this ingestion (UTC).

    Returns
    -------
    polars.DataFrame
        Rows of ``raw.quarantine``, by file and line.
    """
    records: list[tuple] = []
    for table, frame in rows.items():
        bad = frame.filter(pl.col("_reason").is_not_null() & pl.col("_skip").is_null())
        for (number,), group in bad.group_by("_batch", maintain_order=True):
            batch = batches[int(number)]  # pyright: ignore[reportArgumentType]
            raw = raw_rows(batch.frame[group["_at"].to_list()])
            columns = ("source_file", LINE, "_column", "_reason", "_detail")
            for cells, text in zip(group.select(columns).iter_rows(), raw, strict=True):
                records.append((table, batch.source, *cells, text))
    for batch in batches:
        if batch.problem is not None and batch.frame.is_empty():
            problem = batch.problem
            where = (batch.source_file, None, problem.column, problem.reason, problem.detail)
            records.append((batch.table, batch.source, *where, None))
    schema = RAW_TABLES["quarantine"].polars_schema
    keyed = [(*record, _digest(record), ingested_at) for record in records]
    return pl.DataFrame(keyed, schema=schema, orient="row").sort(
        "table_name", "source_file", "source_line", "content_key", nulls_last=True
    )


def _digest(record: tuple) -> str:
    return hashlib.sha256(json.dumps(record, default=str).encode()).hexdigest()[:32]


def raw_rows(frame: pl.DataFrame) -> list[str]:
    """Rows as they were read, as JSON objects of their non-empty cells."""
    kept = frame.select(pl.exclude(*_META))
    return [
        json.dumps(
            {("row" if k == WHOLE_LINE else k): _shown(v) for k, v in row.items() if v is not None},
            ensure_ascii=False,
            default=str,
        )
        for row in kept.iter_rows(named=True)
    ]


def _shown(cell: Any) -> Any:
    if isinstance(cell, float):
        return cell if cell == cell and abs(cell) != float("inf") else str(cell)
    if not isinstance(cell, str) or len(cell) <= MAX_CELL_CHARACTERS:
        return cell
    digest = hashlib.sha256(cell.encode()).hexdigest()
    return f"{cell[:MAX_CELL_CHARACTERS]}... [cut: {len(cell)} characters, sha256 {digest}]"


def count_rows(
    rows: dict[str, pl.DataFrame],
    batches: Sequence[Batch],
    *,
    run_id: str,
    as_of_date: dt.date,
    ingested_at: dt.datetime,
) -> pl.DataFrame:
    """Rows of ``raw.ingestion_counts``: one per source, file and table, the four outcomes summing to what was read."""
    files = pl.DataFrame(
        [(batch.source, batch.source_file, batch.table) for batch in batches],
        schema={"source": pl.String, "source_file": pl.String, "table_name": pl.String},
        orient="row",
    )
    counted = [
        frame.group_by("source", "source_file", outcome().alias("outcome"))
        .len()
        .with_columns(table_name=pl.lit(table))
        for table, frame in rows.items()
    ]
    keys = ["source", "source_file", "table_name"]
    outcomes = (
        pl.concat(counted)
        if counted
        else pl.DataFrame(schema={**files.schema, "outcome": pl.String, "len": pl.UInt32})
    )
    sums = [pl.col("len").filter(pl.col("outcome") == name).sum().alias(name) for name in OUTCOMES]
    table = files.unique().join(outcomes.group_by(keys).agg(sums), on=keys, how="left")
    table = table.with_columns(pl.col(name).fill_null(0) for name in OUTCOMES).with_columns(
        rows_read=pl.sum_horizontal(OUTCOMES),
        run_id=pl.lit(run_id),
        as_of_date=pl.lit(as_of_date),
        ingested_at=pl.lit(ingested_at),
    )
    schema = RAW_TABLES["ingestion_counts"].polars_schema
    return table.select(pl.col(name).cast(dtype) for name, dtype in schema.items()).sort(keys)
