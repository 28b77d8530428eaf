"""Gates on the recommendations, on the rows as written and before they are published."""

import dagster as dg

from dagster_project.assets.night import as_of_date
from dagster_project.checks.gate import gate
from dagster_project.inputs import night_inputs
from dagster_project.partitions import nyse_sessions
from dagster_project.reads import NightReader
from dagster_project.resources.artifacts import Artifacts
from dagster_project.resources.lake import LakeResource

_SUITES = {
    "rec_portfolios": "account_id",
    "rec_target_weights": "account_id, asset_id",
    "rec_lot_orders": "account_id, asset_id, lot_id",
}


def _suite_check(table: str, order_by: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=["ml", table],
        name=f"{table}_are_sound",
        blocking=True,
        partitions_def=nyse_sessions,
        description=f"Great Expectations suite `{table}` over the night's rows.",
    )
    def check(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
        reader = NightReader.open(lake.open(), as_of_date(context))
        return gate(table, reader.partition(f"ml.{table}", order_by), as_of_at=reader.as_of_at)

    return check


@dg.asset_check(
    asset=["ml", "rec_lot_orders"],
    additional_deps=[["ml", "rec_portfolios"], ["ml", "rec_target_weights"]],
    blocking=True,
    partitions_def=nyse_sessions,
    description="Weights are non-negative and sum to one with cash, actions agree with weights, sells name lots that "
    "exist, no order washes a harvested loss, cash stays non-negative.",
)
def guardrails_hold(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """Check the guardrails again, on what the warehouse holds."""
    from ml.recommend.guardrails import check_guardrails
    from ml.recommend.inputs import RecommendSettings
    from ml.recommend.schema import NightResult

    reader = NightReader.open(lake.open(), as_of_date(context))
    written = NightResult(
        portfolios=reader.partition("ml.rec_portfolios", "account_id"),
        target_weights=reader.partition("ml.rec_target_weights", "account_id, asset_id"),
        lot_orders=reader.partition("ml.rec_lot_orders", "account_id, asset_id, lot_id"),
    )
    models = Artifacts(lake.settings(), reader.warehouse).in_use(reader.snapshot)
    violations = check_guardrails(written, night_inputs(reader, RecommendSettings(), models))
    return dg.AssetCheckResult(
        passed=not violations,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"violations": len(violations), "first": [str(violation) for violation in violations[:20]]},
    )


CHECKS = [*(_suite_check(table, order_by) for table, order_by in _SUITES.items()), guardrails_hold]
