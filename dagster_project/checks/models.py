"""Alarms on the models that a night used: a collapsed policy is named, not published in silence."""

import dagster as dg

from dagster_project.assets.night import as_of_date
from dagster_project.partitions import nyse_sessions
from dagster_project.provenance import markdown_table
from dagster_project.reads import NightReader
from dagster_project.resources.lake import LakeResource

MIN_ACCOUNTS = 20  # fewer accounts of one objective say nothing about the policy


@dg.asset_check(
    asset=["ml", "rec_target_weights"],
    additional_deps=[["ml", "rec_portfolios"], ["core", "fct_asset_prices__daily"]],
    partitions_def=nyse_sessions,
    description="Mean active share 0.5 * sum |w - 1/N| of the recommended portfolios, by leading objective: a policy "
    "that gives everybody equal weights has collapsed.",
)
def policy_is_not_collapsed(
    context: dg.AssetCheckExecutionContext, lake: LakeResource
) -> dg.AssetCheckResult:
    """Measure the distance to equal weight."""
    from ml.policy.alarms import active_shares

    reader = NightReader.open(lake.open(), as_of_date(context))
    weights = reader.partition("ml.rec_target_weights", "account_id, asset_id")
    portfolios = reader.partition("ml.rec_portfolios", "account_id")
    priced = reader.query(
        "select count(*) as n from core.fct_asset_prices__daily where as_of_date = $as_of_date and not is_stale"
    )
    table = active_shares(weights, portfolios, max(int(priced["n"][0]), 1))
    low = table.filter((table["accounts"] >= MIN_ACCOUNTS) & (table["active_share"] < table["floor"]))
    return dg.AssetCheckResult(
        passed=low.is_empty(),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"active_share": markdown_table(table.with_columns(table["active_share"].round(4)))},
    )


CHECKS = [policy_is_not_collapsed]
