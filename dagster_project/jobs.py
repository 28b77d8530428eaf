"""Jobs: named by what they leave behind."""

import dagster as dg

from dagster_project.partitions import nyse_sessions
from dagster_project.resources.lake import LakeResource

_CHECKPOINTS = {
    phase: dg.AssetSelection.assets(["ml", f"{phase}_checkpoint"])
    for phase in ("encoder", "policy", "personalization")
}
_ALL_CHECKPOINTS = _CHECKPOINTS["encoder"] | _CHECKPOINTS["policy"] | _CHECKPOINTS["personalization"]
_BACKTEST = dg.AssetSelection.assets(["ml", "trials"], ["ml", "backtest_results"], ["ml", "backtest_report"])

nightly_recommendations = dg.define_asset_job(
    "nightly_recommendations",
    selection=dg.AssetSelection.all() - _ALL_CHECKPOINTS - _BACKTEST,
    partitions_def=nyse_sessions,
    description="From raw rows to published recommendations for one NYSE session.",
)

train_models = dg.define_asset_job(
    "train_models",
    selection=_ALL_CHECKPOINTS,
    description="All three phases anew: encoder, policy, personalisation; what passes its checks is promoted.",
)

train_phases = [
    dg.define_asset_job(f"train_{phase}", selection=selection, description=f"The {phase} anew.")
    for phase, selection in _CHECKPOINTS.items()
]

backtest = dg.define_asset_job(
    "backtest",
    selection=_BACKTEST,
    description="Walk-forward trials of strategies after costs and lot-level tax, their scores and report.",
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
