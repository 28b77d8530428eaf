"""Quality gates: blocking checks with three outcomes, passed, failed or errored."""

import warnings
from typing import Any

import dagster as dg

# Partitioned checks are a preview feature of Dagster; the pin and the definitions test hold it.
warnings.filterwarnings("ignore", category=dg.PreviewWarning)


def load_checks() -> list[Any]:
    """Every asset check that is not a dbt test."""
    from dagster_project.checks import features, models, recommendations, warehouse

    return [*warehouse.CHECKS, *features.CHECKS, *recommendations.CHECKS, *models.CHECKS]
