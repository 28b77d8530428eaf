"""Publication: the row that makes a checked night visible in ``serving``.

The blocking checks on the three recommendation tables stand between their write and this row.
"""

import datetime as dt

import dagster as dg
import polars as pl

from dagster_project.assets.night import NIGHT_DEPS, SESSION_ASSET, as_of_date
from dagster_project.content import recommendation_hash
from dagster_project.provenance import code_hash, step_metadata
from dagster_project.reads import NightReader
from dagster_project.resources.lake import LakeResource
from dagster_project.resources.warehouse import TableWrite


@dg.asset(
    key=["ml", "audit_nights"],
    group_name="audit",
    description="Which nights are published: the serving views show only these. Holds the hash of the night's "
    "recommendation rows, so that a rerun can be compared.",
    owners=["team:audit"],
    kinds={"python", "ducklake"},
    # Lineage too: a night is published with the table that explains its columns.
    deps=[
        *NIGHT_DEPS,
        ["ml", "rec_portfolios"],
        ["ml", "rec_target_weights"],
        ["ml", "rec_lot_orders"],
        ["ml", "column_lineage"],
    ],
    **SESSION_ASSET,
)
def audit_nights(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:
    """Record the night as published."""
    reader = NightReader.open(lake.open(), as_of_date(context))
    digest, rows = recommendation_hash(reader)
    frame = pl.DataFrame(
        {
            "as_of_date": [reader.as_of_date],
            "run_id": [context.run_id],
            "published_at": [dt.datetime.now(dt.UTC)],
            "content_hash": [digest],
            "n_portfolios": [rows["rec_portfolios"]],
            "n_orders": [rows["rec_lot_orders"]],
            "inputs_snapshot_id": [reader.snapshot],
            "settings_hash": [code_hash()],
        }
    )
    snapshot = reader.warehouse.write(
        context.run_id,
        [TableWrite("ml.audit_nights", frame, f"as_of_date = DATE '{reader.as_of_date.isoformat()}'")],
        f"publish {reader.as_of_date}",
    )
    return dg.MaterializeResult(
        metadata={
            **step_metadata(
                frame, read_snapshot=reader.snapshot, write_snapshot=snapshot, table="ml.audit_nights"
            ),
            "content_hash": digest,
        }
    )
