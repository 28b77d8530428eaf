"""What every Python step of a night shares: its partition, its write, its metadata. Not an asset."""

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any, Final

import dagster as dg
import polars as pl

from dagster_project.partitions import nyse_sessions
from dagster_project.pools import WAREHOUSE_WRITER
from dagster_project.provenance import step_metadata
from dagster_project.reads import NightReader
from dagster_project.resources.warehouse import TableWrite

# What every step's reader looks up: the night itself, and the accounts and users that it covers.
NIGHT_DEPS: Final = (["ml", "night"], ["ml", "night_accounts"])
SESSION_ASSET: Final[dict[str, Any]] = {"partitions_def": nyse_sessions, "pool": WAREHOUSE_WRITER}


def as_of_date(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> dt.date:
    """The session of the run's partition."""
    return dt.date.fromisoformat(context.partition_key)


def write_tables(
    context: dg.AssetExecutionContext,
    reader: NightReader,
    frames: Mapping[str, pl.DataFrame],
    metadata: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    first_session: dt.date | None = None,
) -> Iterator[dg.MaterializeResult]:
    """Replace the night's partition of ``ml`` tables in one transaction and report each.

    Parameters
    ----------
    frames : mapping of str to polars.DataFrame
        Table name without schema to its rows; ``as_of_date`` is added where it is missing.
    metadata : mapping, optional
        Further metadata by table.
    first_session : datetime.date, optional
        For tables whose ``as_of_date`` is the session a row describes: replace every session from here to
        the night's.
    """
    session = reader.as_of_date
    first = first_session or session
    dated = {
        name: frame
        if "as_of_date" in frame.columns
        else frame.with_columns(pl.lit(session).alias("as_of_date"))
        for name, frame in frames.items()
    }
    snapshot = reader.warehouse.write(
        context.run_id,
        [
            TableWrite(f"ml.{name}", frame, f"as_of_date between DATE '{first}' and DATE '{session}'")
            for name, frame in dated.items()
        ],
        f"{', '.join(dated)} of {session}",
    )
    for name, frame in dated.items():
        yield dg.MaterializeResult(
            asset_key=["ml", name],
            metadata={
                **step_metadata(
                    frame, read_snapshot=reader.snapshot, write_snapshot=snapshot, table=f"ml.{name}"
                ),
                **(metadata or {}).get(name, {}),
            },
        )
