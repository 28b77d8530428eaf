"""The graph's table of contents: a night runs these from top to bottom."""

from typing import Any


def load_assets() -> list[Any]:
    """Every asset of the code location."""
    from dagster_project.assets import (
        backtest,  # ml.trials, ml.backtest_results, ml.backtest_report: not of a night
        chronos,  # ml.chronos_embeddings
        encoder,  # ml.encoder_checkpoint, ml.asset_embeddings
        ingest,  # raw.*: sources, quarantine, the night's cut
        intents,  # ml.parsed_intents
        lineage,  # ml.column_lineage
        personalization,  # ml.behaviour, ml.user_mixes
        policy,  # ml.policy_checkpoint
        publish,  # ml.audit_nights
        recommendations,  # ml.rec_*
        tax_lots,  # ml.tax_lots, ml.realized_gains, ...
        warehouse,  # dbt: staging, intermediate, core, features; tax, serving, audit
    )

    return [
        ingest.ingest,
        *warehouse.make_dbt_assets(),
        tax_lots.tax_lots,
        intents.parsed_intents,
        personalization.user_mixes,
        recommendations.recommendations,
        lineage.column_lineage,
        publish.audit_nights,
        chronos.chronos_embeddings,
        encoder.asset_embeddings,
        encoder.encoder_checkpoint,
        policy.policy_checkpoint,
        personalization.personalization_checkpoint,
        backtest.trials,
        backtest.backtest_results,
        backtest.backtest_report,
    ]
