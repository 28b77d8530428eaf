"""Assets and accounts that an import brings: rows of securities and accounts which nothing knew."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from dagster_project.sources.batches import (
    ALWAYS_KNOWN_AT,
    IMPUTED_KNOWN_AT,
    IMPUTED_PREFIX,
    LINE,
    Batch,
    typed_batch,
)
from dagster_project.sources.brokerage.cancellations import CORRECTION
from dagster_project.sources.brokerage.fileload import SOURCE, FileLoad, Options
from dagster_project.sources.brokerage.securities import Resolved, Security, new_asset_id
from dagster_project.sources.contracts import RAW_TABLES
from dagster_project.sources.rules import OPTION_KINDS


def asset_batch(
    loads: Sequence[FileLoad],
    resolved: Resolved,
    registry: Mapping[str, Security],
    existing: Mapping[str, pl.DataFrame],
) -> Batch | None:
    """Assets rows, known as imputed, of securities that nothing knew: an imported holding is never lost."""
    needed: dict[str, int] = {}
    for item in loads:
        plain = item.frame.filter(~pl.col("kind").is_in(list(OPTION_KINDS)))
        used = pl.concat(
            [plain["asset_id"], item.frame["related_asset_id"], item.frame["underlying_asset_id"]]
        ).drop_nulls()
        for asset in used.unique().to_list():
            needed.setdefault(asset, 1)
    saved = existing.get("market__assets")
    stored = set(saved["asset_id"].to_list()) if saved is not None else set()
    named = {new_asset_id(security): security for security in registry.values()} | resolved.unknown
    rows = [
        {
            "asset_id": asset,
            "symbol": (security.symbol if security and security.symbol else asset),
            "name": (security.name if security and security.name else asset),
            "asset_class": (security.asset_class if security and security.asset_class else "equity"),
            "currency": "USD",
            "tax_treatment": "digital_asset" if security and security.asset_class == "crypto" else "security",
            "known_at": IMPUTED_KNOWN_AT,
        }
        for asset in sorted(needed)
        if asset not in stored
        for security in [named.get(asset)]
    ]
    if not rows:
        return None
    return typed_batch("market__assets", SOURCE, f"{IMPUTED_PREFIX}{loads[0].name}", pl.DataFrame(rows))


def account_batch(
    loads: Sequence[FileLoad], options: Options, existing: Mapping[str, pl.DataFrame]
) -> Batch | None:
    """Rows of accounts that are not stored, and corrections of a stored type that ``--account-type`` contradicts."""
    saved = existing.get("brokerage__accounts")
    stored: dict[str, tuple] = {}
    if saved is not None and "account_type" in saved.columns:
        for row in saved.sort("known_at").iter_rows(named=True):
            stored[row["account_id"]] = (row["account_type"], row["known_at"], row["user_id"])
    rows: dict[str, dict[str, Any]] = {}
    for item in loads:
        for name, account in item.accounts.items():
            facts = item.statement.accounts[name]
            kind, known_at, user = stored.get(account, (None, None, options.user_id))
            if kind is not None and options.account_type in (None, kind):
                continue
            row = rows.setdefault(account, {"account_id": account, "user_id": user})
            row["account_type"] = options.account_type or row.get("account_type") or facts.account_type
            row["broker"] = row.get("broker") or facts.broker
            row["opened_date"] = row.get("opened_date") or facts.opened_date
            row["known_at"] = ALWAYS_KNOWN_AT if known_at is None else known_at + CORRECTION
    for row in rows.values():
        row["account_type"] = row["account_type"] or "taxable"
    if not rows:
        return None
    schema = {
        n: RAW_TABLES["brokerage__accounts"][n].dtype
        for n in ("account_id", "user_id", "account_type", "broker", "opened_date", "known_at")
    }
    frame = pl.DataFrame(list(rows.values()), schema=schema).with_row_index(LINE, offset=1)
    frame = frame.with_columns(pl.col(LINE).cast(pl.Int64))
    return Batch("brokerage__accounts", SOURCE, loads[0].name, frame, imputes=True)
