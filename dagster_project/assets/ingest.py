"""Ingestion: the rows of the night's source into ``raw``, in one transaction; bad rows into the quarantine.

What does not belong here: reading files and judging rows (``sources/``).
"""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import dagster as dg
import polars as pl

from dagster_project.assets.night import SESSION_ASSET, as_of_date
from dagster_project.ml_tables import ml_ddl
from dagster_project.night_config import INGEST_OP, NightConfig, household_source, price_sources
from dagster_project.provenance import markdown_table, step_metadata
from dagster_project.resources.lake import LakeResource
from dagster_project.resources.warehouse import TableWrite, Warehouse
from dagster_project.sources.batches import Batch
from dagster_project.sources.contracts import RAW_TABLES
from dagster_project.stored import stored_rows

DESCRIPTIONS = {
    "market__sessions": "NYSE sessions with open and close in UTC.",
    "market__symbols": "Every known spelling of a symbol and the asset it names.",
    "market__assets": "Reference facts of assets, one row per version.",
    "market__daily_bars": "Daily bars, one row per version; a correction is a further row known later.",
    "market__corporate_actions": "Dividends, splits, spin-offs, mergers.",
    "market__rates": "Interest rates.",
    "brokerage__users": "Tax facts of users (pseudonymous ids).",
    "brokerage__accounts": "Accounts and their lot method.",
    "brokerage__transactions": "Transactions in the canonical kinds.",
    "brokerage__reported_gains": "Realised gains as brokers report them, per sale and lot.",
    "brokerage__reported_positions": "Positions that brokers' files state, beside what their transactions imply.",
    "goals__statements": "Goals in the users' own words.",
    "quarantine": "Every row that was refused: file, line, column, reason and the row itself.",
    "ingestion_counts": "Rows read per run and file = accepted + duplicate + quarantined + not a transaction.",
}


def _group(table: str) -> str:
    return "audit" if table in ("quarantine", "ingestion_counts") else "ingest"


@dg.multi_asset(
    specs=[
        *(
            dg.AssetSpec(
                ["raw", name],
                group_name=_group(name),
                description=DESCRIPTIONS[name],
                owners=["team:data-platform"],
                kinds={"python", "ducklake"},
            )
            for name in RAW_TABLES
        ),
        dg.AssetSpec(
            ["ml", "night"],
            group_name="ingest",
            description="The one night that is being computed: its session, its close, its price sources.",
            owners=["team:data-platform"],
            kinds={"python", "ducklake"},
            deps=[["raw", "market__sessions"]],
        ),
        dg.AssetSpec(
            ["ml", "night_accounts"],
            group_name="ingest",
            description="The accounts and users that the night covers; a user without an account has a null one.",
            owners=["team:data-platform"],
            kinds={"python", "ducklake"},
            deps=[["raw", "brokerage__accounts"], ["raw", "brokerage__users"]],
        ),
    ],
    name=INGEST_OP,
    **SESSION_ASSET,
)
def ingest(context: dg.AssetExecutionContext, config: NightConfig, lake: LakeResource):
    """Read the source, sort its rows into four outcomes, append what is new."""
    from dagster_project.sources.ingest import ingest as sort_rows

    warehouse = lake.open()
    warehouse.bootstrap([*(contract.ddl() for contract in RAW_TABLES.values()), *ml_ddl()])
    session, now = as_of_date(context), dt.datetime.now(dt.UTC)
    batches = _batches(config, warehouse.settings.home / "cache")
    read_snapshot = warehouse.snapshot_id()
    stored = stored_rows(warehouse, read_snapshot)
    result = sort_rows(
        batches, run_id=context.run_id, as_of_date=session, ingested_at=now, today=now.date(), existing=stored
    )
    for warning in result.warnings:
        context.log.warning(warning)
    covered = _covered_accounts(config.source, batches, stored, result.accepted)
    frames = {
        **result.accepted,
        "quarantine": result.quarantine,
        "ingestion_counts": result.counts,
    }
    writes = [TableWrite(f"raw.{name}", frame) for name, frame in frames.items()]
    writes += _session_writes(warehouse, read_snapshot)
    night = {"night": _night_row(config, session), "night_accounts": covered}
    writes += [TableWrite(f"ml.{name}", frame, "true") for name, frame in night.items()]
    snapshot = warehouse.write(context.run_id, writes, f"ingest {config.source} for {session}")
    for name, contract in RAW_TABLES.items():
        frame = frames.get(name, pl.DataFrame(schema=contract.polars_schema))
        metadata = step_metadata(frame, read_snapshot=read_snapshot, write_snapshot=snapshot)
        metadata["rows_appended"] = metadata.pop("dagster/row_count")
        if name == "ingestion_counts":
            metadata["counts"] = markdown_table(frame.drop("run_id", "ingested_at"))
        yield dg.MaterializeResult(asset_key=["raw", name], metadata=metadata)
    for name, frame in night.items():
        metadata = step_metadata(
            frame, read_snapshot=read_snapshot, write_snapshot=snapshot, table=f"ml.{name}"
        )
        yield dg.MaterializeResult(asset_key=["ml", name], metadata=metadata)


def _batches(config: NightConfig, cache_dir: Path) -> list[Batch]:
    from dagster_project.sources.selection import brokerage_batches, market_batches

    folder = Path(config.data) if config.data else None
    market = market_batches(config.source, data_dir=folder, prices=config.prices, seed=config.seed)
    people = brokerage_batches(
        config.source, market, data_dir=folder, users=config.users, seed=config.seed, cache_dir=cache_dir
    )
    return [*market, *people]


def _session_writes(warehouse: Warehouse, snapshot: int) -> list[TableWrite]:
    """The calendar, if the stored one differs."""
    from dagster_project.sources.calendar import session_frame

    sessions = session_frame()
    stored = warehouse.read("select * from raw.market__sessions order by session_no", snapshot=snapshot)
    return [] if stored.equals(sessions) else [TableWrite("raw.market__sessions", sessions, "true")]


def _night_row(config: NightConfig, session: dt.date) -> pl.DataFrame:
    from dagster_project.sources.calendar import session_frame

    close_at = session_frame().filter(pl.col("session_date") == session)["close_at"][0]
    return pl.DataFrame(
        {
            "as_of_date": [session],
            "as_of_at": [close_at],
            "source": [config.source],
            "price_sources": [price_sources(config.source, config.prices)],
            "household_source": [household_source(config.source)],
            "users": [config.users],
            "seed": [config.seed],
            "data_dir": [config.data],
        },
        schema_overrides={"data_dir": pl.String},
    )


def _covered_accounts(
    source: str, batches: Sequence[Batch], stored: dict[str, pl.DataFrame], accepted: dict[str, pl.DataFrame]
) -> pl.DataFrame:
    """Accounts and users of the night: what the source holds, and every imported account.

    A generated population is the one asked for tonight; a files population is everything that
    its files ever brought.
    """
    wanted = [household_source(source), "import"]
    frames = []
    for table, columns in (
        ("brokerage__accounts", ["account_id", "user_id"]),
        ("brokerage__users", ["user_id"]),
    ):
        known = [
            frame.select(*columns, "source")
            for frame in (stored[table], accepted.get(table))
            if frame is not None
        ]
        rows = pl.concat(known).filter(pl.col("source").is_in(wanted))
        if source != "files":
            generated = pl.concat(
                [batch.frame.select("user_id") for batch in batches if batch.table == table]
            )
            asked_for = pl.col("user_id").is_in(generated["user_id"].implode())
            rows = rows.filter(asked_for | (pl.col("source") == "import"))
        frames.append(rows.select(columns).unique())
    accounts, users = frames
    without = users.filter(~pl.col("user_id").is_in(accounts["user_id"].implode()))
    lonely = without.select(pl.lit(None, pl.String).alias("account_id"), "user_id")
    return pl.concat([accounts, lonely]).sort("user_id", "account_id", nulls_last=True)
