"""How a dbt node becomes a Dagster asset: key [schema, table], group and owners from its meta."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings

GROUP_OF_SCHEMA = {
    "staging": "warehouse",
    "intermediate": "warehouse",
    "core": "warehouse",
    "features": "features",
    "tax": "tax_lots",
    "serving": "recommendations",
    "audit": "audit",
}


class WarehouseTranslator(DagsterDbtTranslator):
    """Keys mirror the warehouse, so that a table is found in the UI by its SQL name."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """``[schema, name]``, for sources as for models."""
        return dg.AssetKey([dbt_resource_props["schema"], dbt_resource_props["name"]])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """The group that the schema belongs to."""
        return GROUP_OF_SCHEMA.get(dbt_resource_props["schema"])


TRANSLATOR = WarehouseTranslator(
    settings=DagsterDbtTranslatorSettings(enable_asset_checks=True, enable_code_references=False)
)
