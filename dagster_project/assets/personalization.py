"""What each user's trades reveal, and the mix of objectives that the night serves."""

import dagster as dg

from dagster_project.assets.night import NIGHT_DEPS, SESSION_ASSET, as_of_date, write_tables
from dagster_project.pools import WAREHOUSE_WRITER
from dagster_project.provenance import markdown_table
from dagster_project.reads import NightReader
from dagster_project.resources.artifacts import Artifacts
from dagster_project.resources.lake import LakeResource
from dagster_project.training import (
    TRAINING_THREADS,
    TrainConfig,
    metric_rows,
    open_for_training,
    record_training,
)


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            ["ml", "behaviour"],
            group_name="personalization",
            description="Counts over each user's trades before the night: sales by term and sign, holding times, "
            "replacement pairs, turnover.",
            owners=["team:personalization"],
            kinds={"python", "ducklake"},
            deps=[
                *NIGHT_DEPS,
                ["core", "fct_transactions"],
                ["core", "dim_accounts"],
                ["core", "fct_asset_prices__daily"],
                ["ml", "realized_gains"],
                ["ml", "tax_lots"],
            ],
        ),
        dg.AssetSpec(
            ["ml", "user_adapters"],
            group_name="personalization",
            description="A 76-parameter LoRA per user, fitted anew to all decisions, and the objectives that it "
            "reveals: responsibilities, strength, whether they are identified.",
            owners=["team:personalization"],
            kinds={"python", "pytorch", "ducklake"},
            deps=[
                *NIGHT_DEPS,
                ["core", "fct_transactions"],
                ["core", "dim_accounts"],
                ["core", "fct_asset_prices__daily"],
                ["ml", "realized_gains"],
                ["ml", "tax_lots"],
                ["ml", "personalization_checkpoint"],
            ],
        ),
        dg.AssetSpec(
            ["ml", "user_mixes"],
            group_name="personalization",
            description="Each user's mix of the six objectives: population prior, revealed by behaviour, stated in "
            "words (Dirichlet rule), and whether the revealed part is identified.",
            owners=["team:personalization"],
            kinds={"python", "ducklake"},
            deps=[
                *NIGHT_DEPS,
                ["ml", "behaviour"],
                ["ml", "user_adapters"],
                ["ml", "parsed_intents"],
                ["core", "dim_users"],
            ],
        ),
    ],
    name="user_mixes",
    **SESSION_ASSET,
)
def user_mixes(context: dg.AssetExecutionContext, lake: LakeResource):
    """Count behaviour, fit the users' adapters, combine what they reveal with the stated goals."""
    from ml.features.behaviour import behaviour_counts
    from ml.features.decisions import user_decisions
    from ml.models import PERSONALIZATION
    from ml.personalization.mix import user_mixes as mix_users
    from ml.personalization.population import load_population
    from ml.personalization.serve import revealed_from_adapters

    reader = NightReader.open(lake.open(), as_of_date(context))
    model = Artifacts(lake.settings(), reader.warehouse).in_use(reader.snapshot)[PERSONALIZATION]
    rows = {
        "accounts": reader.accounts(),
        "lots": reader.partition("ml.tax_lots", "state_date, account_id, asset_id, lot_id"),
        "prices": reader.price_history(),
    }
    transactions = reader.transactions()
    gains = reader.partition("ml.realized_gains", "account_id, sale_transaction_id, lot_id")
    counts = behaviour_counts(transactions, gains, reader.as_of_date, **rows)
    decisions = user_decisions(transactions, gains, reader.as_of_date, **rows)
    adapters = revealed_from_adapters(decisions, load_population(model.folder), model_id=model.model_id)
    intents = reader.partition("ml.parsed_intents", "statement_id")
    mixes = mix_users(reader.users(), counts, intents, as_of_date=reader.as_of_date, revealed=adapters)
    metadata = {
        "user_adapters": {
            "model_id": model.model_id,
            "users": adapters.height,
            "identified": int(adapters["identified"].sum()),
            "loss_before": adapters["loss_before"].mean(),
            "loss_after": adapters["loss_after"].mean(),
        }
    }
    yield from write_tables(
        context, reader, {"behaviour": counts, "user_adapters": adapters, "user_mixes": mixes}, metadata
    )


@dg.asset(
    key=["ml", "personalization_checkpoint"],
    group_name="personalization",
    description="The objective head that all users share, trained on simulated households whose objectives are known, "
    "with thresholds under which random traders and buy-and-hold stay unidentified. Promoted when trained.",
    owners=["team:personalization"],
    kinds={"python", "pytorch"},
    pool=WAREHOUSE_WRITER,
)
def personalization_checkpoint(context: dg.AssetExecutionContext, lake: LakeResource, config: TrainConfig):
    """Simulate, train, judge on held-out users, promote."""
    from dagster_project.pictures import curves
    from ml.models import PERSONALIZATION
    from ml.personalization.train import PROFILES, save_trained, train_personalization
    from ml.runtime import fixed_threads

    artifacts, _ = open_for_training(lake)
    with fixed_threads(TRAINING_THREADS):
        trained = train_personalization(
            PROFILES[config.profile], config.seed, lambda message: context.log.info(f"progress: {message}")
        )
    with artifacts.staging(PERSONALIZATION) as folder:
        save_trained(folder, trained, profile=config.profile)
        model = artifacts.keep(PERSONALIZATION, folder)
    metrics = metric_rows(trained.population.metrics, run_id=context.run_id, model=model, seed=config.seed)
    metadata = record_training(context, artifacts, model, metrics)
    artifacts.promote(context.run_id, [model], "trained")
    head = metrics.filter(metrics["phase"] == "head")
    return dg.MaterializeResult(
        metadata={
            **metadata,
            "held_out": markdown_table(trained.table),
            "curves": curves(head, {"shared head": ("cross_entropy",)}, "objective head training"),
        }
    )
