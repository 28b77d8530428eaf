"""What ingestion compares new rows with: the stored rows of schema ``raw``, no more columns than it needs."""

import polars as pl

from dagster_project.resources.warehouse import Warehouse
from dagster_project.sources.contracts import RAW_TABLES

# Stored columns that references and re-imports are checked against, beyond the contract's own.
_REFERENCED = {
    "market__assets": ["asset_class", "currency"],
    "brokerage__accounts": ["user_id", "account_type", "broker"],
    "brokerage__users": ["household_id"],
}
_WHOLE = ("brokerage__transactions", "market__corporate_actions", "market__symbols")
_NOT_COMPARED = ("market__sessions", "ingestion_counts")


def stored_rows(warehouse: Warehouse, snapshot: int) -> dict[str, pl.DataFrame]:
    """Stored rows by raw table, as ``sources.ingest.ingest`` takes them.

    Parameters
    ----------
    warehouse : Warehouse
        The lake, with its raw tables created.
    snapshot : int
        The snapshot to read.
    """
    frames = {}
    with warehouse.connection(snapshot=snapshot) as con:
        for name, contract in RAW_TABLES.items():
            if name in _NOT_COMPARED:
                continue
            if name in _WHOLE:
                columns = "*"
            elif name == "quarantine":
                columns = "content_key"
            else:
                columns = ", ".join(dict.fromkeys([*contract.existing_columns, *_REFERENCED.get(name, [])]))
            frames[name] = con.execute(f"select {columns} from raw.{name}").pl()
    return frames
