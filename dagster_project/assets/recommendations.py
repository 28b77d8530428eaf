"""Recommendations: targets, lot-level orders and guardrails of one night, written in one transaction."""

import dagster as dg
import polars as pl

from dagster_project.assets.night import NIGHT_DEPS, SESSION_ASSET, as_of_date, write_tables
from dagster_project.inputs import night_inputs
from dagster_project.provenance import markdown_table
from dagster_project.reads import NightReader
from dagster_project.resources.artifacts import Artifacts
from dagster_project.resources.lake import LakeResource

TABLES = {
    "rec_portfolios": "One row per covered account: status, mix of objectives and experts, tax and turnover.",
    "rec_target_weights": "One row per account and asset, cash included: current and target weight, action, reason.",
    "rec_lot_orders": "One row per lot to sell and per asset to buy, with term, gain, tax and wash-sale state.",
}
_DEPS = [
    *NIGHT_DEPS,
    ["core", "dim_sessions"],
    ["core", "dim_accounts"],
    ["core", "dim_users"],
    ["core", "dim_assets"],
    ["core", "fct_asset_prices__daily"],
    ["features", "feat_asset_metadata__daily"],
    ["ml", "tax_lots"],
    ["ml", "account_cash"],
    ["ml", "tax_unit_years"],
    ["ml", "wash_windows"],
    ["ml", "ledger_issues"],
    ["ml", "user_mixes"],
    ["ml", "parsed_intents"],
    ["ml", "asset_embeddings"],
    ["ml", "policy_checkpoint"],
    ["intermediate", "int_market__returned"],
]


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            ["ml", name],
            group_name="recommendations",
            description=description,
            owners=["team:recommendations"],
            kinds={"python", "ducklake"},
            deps=_DEPS,
        )
        for name, description in TABLES.items()
    ],
    name="recommendations",
    **SESSION_ASSET,
)
def recommendations(context: dg.AssetExecutionContext, lake: LakeResource):
    """Compute the night, refuse it if a guardrail is broken, write it."""
    from ml.models import POLICY
    from ml.policy.serve import PolicyServer
    from ml.recommend.guardrails import require_guardrails
    from ml.recommend.inputs import RecommendSettings
    from ml.recommend.night import recommend_night

    reader = NightReader.open(lake.open(), as_of_date(context))
    settings = RecommendSettings()
    models = Artifacts(lake.settings(), reader.warehouse).in_use(reader.snapshot)
    inputs = night_inputs(reader, settings, models)
    policy = PolicyServer.load(models[POLICY].folder)
    result = recommend_night(inputs, settings, policy=policy)
    require_guardrails(result, inputs, settings)
    frames = {
        "rec_portfolios": result.portfolios,
        "rec_target_weights": result.target_weights,
        "rec_lot_orders": result.lot_orders,
    }
    status = (
        result.portfolios.group_by("status")
        .agg(pl.len().alias("accounts"), pl.col("n_orders").sum())
        .sort("status")
    )
    decided = result.portfolios.group_by("policy_id").len("accounts").sort("policy_id")
    metadata = {
        "status": markdown_table(status),
        "decided_by": markdown_table(decided),
        "models": {kind: model.model_id for kind, model in models.items()},
    }
    yield from write_tables(context, reader, frames, {"rec_portfolios": metadata})
