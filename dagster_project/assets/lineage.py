"""Lineage: which columns each column of the warehouse comes from, in SQL, in Python and through the models."""

import json
from functools import partial
from typing import Any

import dagster as dg
import polars as pl

from dagster_project.assets.night import NIGHT_DEPS, SESSION_ASSET
from dagster_project.dbt_args import CORE_SELECTION
from dagster_project.provenance import code_hash, step_metadata
from dagster_project.resources.dbt import MANIFEST_PATH
from dagster_project.resources.lake import LakeResource
from dagster_project.resources.warehouse import TableWrite, Warehouse
from dagster_project.settings import Settings


@dg.asset(
    key=["ml", "column_lineage"],
    group_name="audit",
    description="Which columns each column comes from: dbt models by their SQL, Python tables by their declared "
    "lineage. Of the project as it stands, written only when that changes.",
    owners=["team:audit"],
    kinds={"python", "ducklake"},
    # After the tables that it describes; those of the second dbt build are described before they are built.
    deps=[*NIGHT_DEPS, ["ml", "rec_portfolios"], ["ml", "rec_target_weights"], ["ml", "rec_lot_orders"]],
    **SESSION_ASSET,
)
def column_lineage(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:
    """Walk the dbt models, add what Python declares, replace the table if anything differs."""
    # sqlglot is needed where the cache lacks a model, and takes a while to import.
    from dagster_project.column_lineage import CACHE_FILE, LineageCache
    from dagster_project.dbt_metadata import lake_columns
    from dagster_project.lineage_rows import dbt_lineage, lineage_frame
    from dagster_project.python_lineage import python_lineage

    warehouse = lake.open()
    manifest = json.loads(MANIFEST_PATH.read_text())
    snapshot = warehouse.snapshot_id()
    with warehouse.connection(snapshot=snapshot) as con:
        built = lake_columns(con)
    cache = LineageCache(warehouse.settings.home / CACHE_FILE)
    dbt = dbt_lineage(manifest, built, cache, partial(_sql_of, manifest, warehouse.settings))
    cache.save()
    for table, error in dbt.errors.items():
        context.log.warning(f"{table} has no lineage: {error}")
    frame = lineage_frame(manifest, dbt, python_lineage(), code_hash())
    written = _write(warehouse, frame, snapshot, context.run_id)
    return dg.MaterializeResult(
        metadata={
            **step_metadata(frame, read_snapshot=snapshot, write_snapshot=written, table="ml.column_lineage"),
            "models": len(dbt.models),
            "models_without_lineage": sorted(dbt.errors),
            "changed": written is not None,
        }
    )


def _sql_of(manifest: dict[str, Any], settings: Settings, unique_id: str) -> str:
    """SQL of a model that the cache of the dbt steps lacks: of a later build rendered here, else as compiled."""
    from dagster_project.dbt_metadata import compiled_sql
    from dagster_project.lineage_rows import NotCompiledError, plain_sql

    node = manifest["nodes"][unique_id]
    if CORE_SELECTION.removeprefix("tag:") in node["tags"]:
        sql, remedy = compiled_sql(settings.dbt_target / "dbt_core", node), "materialise its tables first"
    else:
        sql, remedy = plain_sql(manifest, unique_id), "the step dbt_serving compiles it for the next night"
    if sql is None:
        raise NotCompiledError(f"the SQL of {node['name']} is not compiled yet: {remedy}")
    return sql


def _write(warehouse: Warehouse, frame: pl.DataFrame, snapshot: int, run_id: str) -> int | None:
    """Replace the table by the frame unless they are equal; returns the snapshot if it wrote."""
    columns = ", ".join(frame.columns)
    stored = warehouse.read(f"select {columns} from ml.column_lineage", snapshot=snapshot)
    if stored.sort(frame.columns).equals(frame.sort(frame.columns)):
        return None
    return warehouse.write(run_id, [TableWrite("ml.column_lineage", frame, "true")], "column lineage")
