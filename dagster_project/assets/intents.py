"""Stated goals: free text to structured intents."""

import dagster as dg

from dagster_project.assets.night import NIGHT_DEPS, SESSION_ASSET, as_of_date, write_tables
from dagster_project.reads import NightReader
from dagster_project.resources.lake import LakeResource


@dg.asset(
    key=["ml", "parsed_intents"],
    group_name="personalization",
    description="Every goal statement of the covered users, parsed offline into objective, horizon, liquidity, "
    "risk, exclusions and tax wishes; what was not understood is listed.",
    owners=["team:personalization"],
    kinds={"python", "ducklake"},
    deps=[*NIGHT_DEPS, ["core", "fct_goal_statements"]],
    **SESSION_ASSET,
)
def parsed_intents(context: dg.AssetExecutionContext, lake: LakeResource):
    """Parse the statements known at the night's close."""
    from dagster_project.intent_endpoint import goal_reader
    from ml.intent.parse import parse_goals

    reader = NightReader.open(lake.open(), as_of_date(context))
    settings = reader.warehouse.settings
    frame = parse_goals(reader.goal_statements(), read=goal_reader(settings))
    notes = frame["note"].drop_nulls()
    for note, count in notes.value_counts(sort=True).iter_rows():
        context.log.warning(f"{count} statements: {note}")
    metadata = {
        "parser_versions": sorted(frame["parser_version"].unique().to_list()),
        "actionable": int(frame["actionable"].sum()),
        "with_parts_not_understood": int((frame["not_understood"] != "[]").sum()),
        "read_offline_after_a_failure": len(notes),
    }
    yield from write_tables(context, reader, {"parsed_intents": frame}, {"parsed_intents": metadata})
