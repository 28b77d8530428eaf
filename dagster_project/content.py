"""Content hash of a night's recommendation rows: two runs of one night must agree on it."""

import hashlib

from dagster_project.reads import NightReader

ORDER_OF_TABLE = {
    "rec_portfolios": "account_id",
    "rec_target_weights": "account_id, asset_id",
    "rec_lot_orders": "account_id, asset_id, lot_id",
}


def recommendation_hash(reader: NightReader) -> tuple[str, dict[str, int]]:
    """Hash the three recommendation tables of the reader's night.

    Returns
    -------
    tuple of (str, dict of str to int)
        The SHA-256 of every row in key order, and each table's row count.
    """
    digest = hashlib.sha256()
    rows = {}
    for table, order_by in ORDER_OF_TABLE.items():
        frame = reader.partition(f"ml.{table}", order_by)
        rows[table] = frame.height
        digest.update(table.encode() + frame.write_csv().encode())
    return digest.hexdigest(), rows
