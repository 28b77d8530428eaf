"""Stated goals: free text to structured intents."""

import dagster as dg

from dagster_project.assets.night import SESSION_ASSET, as_of_date, write_tables
from dagster_project.reads import NightReader
from dagster_project.resources.lake import LakeResource


@dg.asset(
    key=["ml", "parsed_intents"],
    group_name="personalization",
    description="Every goal statement of the covered users, parsed offline into objective, horizon, liquidity, "
    "risk, exclusions and tax wishes; what was not understood is listed.",
    owners=["team:personalization"],
    kinds={"python", "ducklake"},
    deps=[["core", "fct_goal_statements"]],
    **SESSION_ASSET,
)
def parsed_intents(context: dg.AssetExecutionContext, lake: LakeResource):
    """Parse the statements known at the night's close."""
    from ml.intent.parse import parse_goals

    reader = NightReader.open(lake.open(), as_of_date(context))
    yield from write_tables(context, reader, {"parsed_intents": parse_goals(reader.goal_statements())})
