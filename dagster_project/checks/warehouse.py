"""Gates on bars, prices and transactions before anything is computed from them."""

import dagster as dg

from dagster_project.assets.night import as_of_date
from dagster_project.checks.gate import gate
from dagster_project.partitions import nyse_sessions
from dagster_project.reads import NightReader
from dagster_project.resources.lake import LakeResource


@dg.asset_check(
    asset=["core", "fct_asset_prices__daily"],
    blocking=True,
    partitions_def=nyse_sessions,
    description="Prices of the window that the experts read are positive, dated and known before the close.",
)
def prices_are_sound(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """Great Expectations suite ``prices``."""
    reader = NightReader.open(lake.open(), as_of_date(context))
    return gate("prices", reader.prices(), as_of_at=reader.as_of_at)


@dg.asset_check(
    # Judged beside the prices made of them: before dbt the night would wait for Great Expectations' import,
    # which otherwise goes on while dbt works.
    asset=["core", "fct_asset_prices__daily"],
    additional_deps=[["raw", "market__daily_bars"]],
    blocking=True,
    partitions_def=nyse_sessions,
    description="Raw bars of the window that the experts read have a price, a sound range and a moment of knowledge.",
)
def bars_are_sound(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """Great Expectations suite ``daily_bars``."""
    reader = NightReader.open(lake.open(), as_of_date(context))
    return gate("daily_bars", reader.bars(), as_of_at=reader.as_of_at)


@dg.asset_check(
    asset=["core", "fct_transactions"],
    blocking=True,
    partitions_def=nyse_sessions,
    description="Transactions have known kinds, positive quantities and consistent signs.",
)
def transactions_are_sound(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """Great Expectations suite ``transactions``."""
    reader = NightReader.open(lake.open(), as_of_date(context))
    return gate("transactions", reader.transactions(), as_of_at=reader.as_of_at)


CHECKS = [prices_are_sound, bars_are_sound, transactions_are_sound]
