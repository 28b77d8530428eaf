"""Gate on the feature store."""

import dagster as dg

from dagster_project.assets.night import as_of_date
from dagster_project.checks.gate import gate
from dagster_project.partitions import nyse_sessions
from dagster_project.reads import NightReader
from dagster_project.resources.lake import LakeResource


@dg.asset_check(
    asset=["features", "feat_asset_metadata__daily"],
    blocking=True,
    partitions_def=nyse_sessions,
    description="The night's rows have exactly the 50 columns of the catalog, in range, and were known in time.",
)
def features_follow_the_catalog(
    context: dg.AssetCheckExecutionContext, lake: LakeResource
) -> dg.AssetCheckResult:
    """Great Expectations suite ``features``."""
    reader = NightReader.open(lake.open(), as_of_date(context))
    return gate("features", reader.features(), as_of_at=reader.as_of_at)


CHECKS = [features_follow_the_catalog]
