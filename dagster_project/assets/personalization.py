"""What each user's trades reveal, and the mix of objectives that the night serves."""

import dagster as dg

from dagster_project.assets.night import NIGHT_DEPS, SESSION_ASSET, as_of_date, write_tables
from dagster_project.reads import NightReader
from dagster_project.resources.lake import LakeResource


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
            ["ml", "user_mixes"],
            group_name="personalization",
            description="Each user's mix of the six objectives: population prior, revealed by behaviour, stated in "
            "words (Dirichlet rule), and whether the revealed part is identified.",
            owners=["team:personalization"],
            kinds={"python", "ducklake"},
            deps=[*NIGHT_DEPS, ["ml", "behaviour"], ["ml", "parsed_intents"], ["core", "dim_users"]],
        ),
    ],
    name="user_mixes",
    **SESSION_ASSET,
)
def user_mixes(context: dg.AssetExecutionContext, lake: LakeResource):
    """Count behaviour, then combine it with the stated goals."""
    from ml.features.behaviour import behaviour_counts
    from ml.personalization.mix import user_mixes as mix_users

    reader = NightReader.open(lake.open(), as_of_date(context))
    counts = behaviour_counts(
        reader.transactions(),
        reader.partition("ml.realized_gains", "account_id, sale_transaction_id, lot_id"),
        reader.as_of_date,
        accounts=reader.accounts(),
        lots=reader.partition("ml.tax_lots", "state_date, account_id, asset_id, lot_id"),
        prices=reader.price_history(),
    )
    intents = reader.partition("ml.parsed_intents", "statement_id")
    mixes = mix_users(reader.users(), counts, intents, as_of_date=reader.as_of_date)
    yield from write_tables(context, reader, {"behaviour": counts, "user_mixes": mixes})
