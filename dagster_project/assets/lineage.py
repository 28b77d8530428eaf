"""Lineage: which columns each column of the warehouse comes from, in SQL, in Python and through the models."""

import json
from typing import Any

import dagster as dg
import polars as pl

from dagster_project.assets.night import NIGHT_DEPS, SESSION_ASSET
from dagster_project.dbt_args import CORE_SELECTION, SERVING_SELECTION
from dagster_project.provenance import code_hash, step_metadata
from dagster_project.resources.dbt import MANIFEST_PATH, compile_models
from dagster_project.resources.lake import LakeResource
from dagster_project.resources.warehouse import TableWrite, Warehouse


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
    compiled = _Compiled(warehouse, manifest, context.run_id)
    dbt = dbt_lineage(manifest, built, cache, compiled)
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


class _Compiled:
    """The SQL of models; of the second build, which comes later, compiled anew when first asked for."""

    def __init__(self, warehouse: Warehouse, manifest: dict[str, Any], run_id: str) -> None:
        self.warehouse = warehouse
        self.manifest = manifest
        self.run_id = run_id
        self._is_compiled = False

    def __call__(self, unique_id: str) -> str:
        from dagster_project.dbt_metadata import compiled_sql

        node, settings = self.manifest["nodes"][unique_id], self.warehouse.settings
        is_late = SERVING_SELECTION.removeprefix("tag:") in node["tags"]
        target_path = settings.dbt_target / ("dbt_serving" if is_late else "dbt_core")
        if is_late and not self._is_compiled:
            with self.warehouse.writer_lock():
                compile_models(settings, SERVING_SELECTION, target_path, self.run_id)
            self._is_compiled = True
        sql = compiled_sql(target_path, node)
        if sql is None:
            raise dg.Failure(
                f"no compiled SQL of {node['name']} in {target_path}: materialise the models of "
                f"`{CORE_SELECTION}` (the step dbt_core) first"
            )
        return sql


def _write(warehouse: Warehouse, frame: pl.DataFrame, snapshot: int, run_id: str) -> int | None:
    """Replace the table by the frame unless they are equal; returns the snapshot if it wrote."""
    columns = ", ".join(frame.columns)
    stored = warehouse.read(f"select {columns} from ml.column_lineage", snapshot=snapshot)
    if stored.sort(frame.columns).equals(frame.sort(frame.columns)):
        return None
    return warehouse.write(run_id, [TableWrite("ml.column_lineage", frame, "true")], "column lineage")
