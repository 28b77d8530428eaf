"""The one assembler of the code location; tests override resources through it."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from dagster_project import jobs, schedules
from dagster_project.assets import load_assets
from dagster_project.checks import load_checks
from dagster_project.resources.dbt import ensure_manifest, make_dbt_resource
from dagster_project.resources.lake import LakeResource
from dagster_project.settings import Settings


def build_defs(*, resource_overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Assemble assets, checks, jobs, schedules and resources.

    Opens no database and no network; it parses the dbt project if its manifest is missing or old.

    Parameters
    ----------
    resource_overrides : mapping, optional
        Resources to use instead of the installation's (tests).
    """
    settings = Settings.from_env()
    ensure_manifest(settings)
    resources: dict[str, Any] = {"lake": LakeResource(), "dbt": make_dbt_resource(settings)}
    return dg.Definitions(
        assets=load_assets(),
        asset_checks=load_checks(),
        jobs=[
            jobs.nightly_recommendations,
            jobs.train_models,
            *jobs.train_phases,
            jobs.backtest,
            jobs.warehouse_maintenance,
        ],
        schedules=[schedules.nightly_recommendations_schedule, schedules.warehouse_maintenance_schedule],
        resources={**resources, **(resource_overrides or {})},
        executor=dg.in_process_executor,
    )
