"""Jobs: named by what they leave behind."""

import dagster as dg

from dagster_project.partitions import nyse_sessions
from dagster_project.resources.lake import LakeResource

_EMBEDDINGS = dg.AssetSelection.assets(["ml", "chronos_embeddings"])

nightly_recommendations = dg.define_asset_job(
    "nightly_recommendations",
    selection=dg.AssetSelection.all() - _EMBEDDINGS,  # nothing of a night reads them yet
    partitions_def=nyse_sessions,
    description="From raw rows to published recommendations for one NYSE session.",
)

chronos_embeddings = dg.define_asset_job(
    "chronos_embeddings",
    selection=_EMBEDDINGS,
    partitions_def=nyse_sessions,
    description="Chronos embeddings of the night's assets; run after the night's ingest and core models.",
)


@dg.op(description="Expire snapshots older than 30 days, delete their files, compact the catalog.")
def expire_snapshots(context: dg.OpExecutionContext, lake: LakeResource) -> None:
    """Keep the embedded catalog fast: a commit's cost grows with its history."""
    report = lake.open().maintain()
    context.log.info("snapshots: %(snapshots_before)d before, %(snapshots_after)d after", report)


@dg.job(description="Weekly upkeep of the warehouse.")
def warehouse_maintenance() -> None:
    """Expire old snapshots."""
    expire_snapshots()
