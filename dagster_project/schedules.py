"""Schedules. A tick without new data, or on a published night, skips and says why."""

import dagster as dg

from dagster_project.jobs import nightly_recommendations, warehouse_maintenance
from dagster_project.night_config import NightConfig
from dagster_project.resources.lake import LakeResource


@dg.schedule(
    job=nightly_recommendations,
    cron_schedule="30 18 * * 1-5",
    execution_timezone="America/New_York",
    description="After the close of every NYSE session: computes the newest session of the data once.",
)
def nightly_recommendations_schedule(context: dg.ScheduleEvaluationContext, lake: LakeResource):
    """Request the newest session of the data, unless that night is published."""
    from dagster_project.sources.horizon import last_session

    choices = NightConfig.from_env()
    session = last_session(choices.source, choices.data, choices.prices, seed=choices.seed)
    warehouse = lake.open()
    if warehouse.exists and warehouse.is_published(session):
        return dg.SkipReason(
            f"no new data: the newest session of source '{choices.source}' is {session}, "
            "and that night is published"
        )
    key = session.isoformat()
    return dg.RunRequest(run_key=key, partition_key=key, run_config=choices.run_config())


warehouse_maintenance_schedule = dg.ScheduleDefinition(
    job=warehouse_maintenance,
    cron_schedule="0 6 * * 6",
    execution_timezone="America/New_York",
    description="Saturdays: expire snapshots older than 30 days and compact the catalog.",
)
