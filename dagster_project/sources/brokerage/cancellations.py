"""Rows that take earlier ones back, as corrections of what they take back."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl

from dagster_project.sources.brokerage.fileload import TRANSACTIONS, FileLoad
from dagster_project.sources.brokerage.identity import find_cancelled
from dagster_project.sources.brokerage.securities import Resolved
from dagster_project.sources.calendar import close_of
from dagster_project.sources.contracts import RAW_TABLES

CORRECTION: Final = dt.timedelta(microseconds=1)


def cancellations(
    loads: Sequence[FileLoad], resolved: Resolved, stored: pl.DataFrame | None
) -> dict[int, pl.DataFrame]:
    """Corrections that take transactions back: the same identifier, no effect, known when it was cancelled.

    Until then the transaction stood, also in a replay; from then on it never happened.
    """
    if not any(item.statement.cancels for item in loads):
        return {}
    names = [
        "transaction_id",
        "account_id",
        "kind",
        "trade_date",
        "asset_id",
        "quantity",
        "amount_usd",
        "fees_usd",
        "known_at",
        "traded_at",
    ]
    schema: Any = {n: RAW_TABLES[TRANSACTIONS][n].dtype for n in names}
    news = [_typed(item.frame.filter(pl.col("verdict") == "new"), schema) for item in loads]
    versions = stored.select(names).cast(schema) if stored is not None else pl.DataFrame(schema=schema)
    before = set(
        versions.filter(pl.col("transaction_id").is_duplicated(), pl.col("kind") == "journal")[
            "transaction_id"
        ]
    )
    candidates = pl.concat([versions.filter(pl.col("kind") != "journal"), *news])
    taken: set[str] = set()
    found: dict[int, pl.DataFrame] = {}
    for index, item in enumerate(loads):
        rows = []
        for cancel in item.statement.cancels:
            if cancel.line in item.statement.rejected:
                continue
            account = item.accounts[cancel.account]
            wanted = {
                "kinds": cancel.kinds,
                "trade_date": cancel.trade_date,
                "asset_id": resolved.asset_ids.get(cancel.security or ""),
                "quantity": cancel.quantity,
                "amount_usd": cancel.amount,
                "latest": cancel.known,
            }
            reference = cancel.reference and f"{item.statement.format}:{account}:{cancel.reference}"
            target = find_cancelled(candidates, account, reference, wanted, taken)
            if target is None:
                detail = (
                    f"{cancel.action} takes back a transaction that neither this file nor the warehouse holds"
                )
                item.statement.reject(cancel.line, "cancel_without_original", detail, cancel.row)
                continue
            taken.add(target["transaction_id"])
            if target["transaction_id"] in before:
                item.outcomes[cancel.line] = "duplicate"
                continue
            known = close_of("_day", pl.DataFrame({"_day": [cancel.known]}))[0]
            rows.append((cancel.line, target, max(known, target["known_at"] + CORRECTION), cancel.row))
        found[index] = _correction_rows(rows)
    return found


def _typed(frame: pl.DataFrame, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Rows of a file as far as their cells can be read, with the moments that ingestion will give them."""
    days = frame["trade_date"].str.to_date(strict=False)
    closes = close_of("_day", pl.DataFrame({"_day": days}))
    stamps = frame["traded_at"].str.to_datetime(
        "%Y-%m-%dT%H:%M:%S%.f%#z", time_zone="UTC", time_unit="us", strict=False
    )
    traded = pl.select(pl.coalesce(stamps, closes)).to_series()
    known = frame["known_at"].str.to_datetime(
        "%Y-%m-%dT%H:%M:%S%.f%#z", time_zone="UTC", time_unit="us", strict=False
    )
    frame = frame.with_columns(
        trade_date=days, traded_at=traded, known_at=pl.select(pl.coalesce(known, traded)).to_series()
    )
    return frame.select(pl.col(name).cast(dtype, strict=False) for name, dtype in schema.items())


def _correction_rows(rows: Sequence[tuple[int, dict[str, Any], dt.datetime, str]]) -> pl.DataFrame:
    cells = [
        (
            line,
            row,
            target["transaction_id"],
            target["account_id"],
            "journal",
            target["traded_at"].strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            target["trade_date"].isoformat(),
            "0",
            known.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        )
        for line, target, known, row in rows
    ]
    names = (
        "line",
        "row",
        "transaction_id",
        "account_id",
        "kind",
        "traded_at",
        "trade_date",
        "amount_usd",
        "known_at",
    )
    return pl.DataFrame(
        cells, schema={n: pl.Int64 if n == "line" else pl.String for n in names}, orient="row"
    )
