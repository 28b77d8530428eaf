"""Row count, column schema and column lineage of each model, added to dbt's events as they stream.

dagster-dbt can fetch these itself, through dbt's adapter and a fresh sqlglot pass per column: over
a minute a night here. This reads counts and columns from one open connection and caches lineage.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliInvocation
from sqlglot.errors import SqlglotError

from dagster_project.column_lineage import CACHE_FILE, Columns, Lineage, LineageCache, model_version
from dagster_project.resources.warehouse import Warehouse


def with_metadata(invocation: DbtCliInvocation, warehouse: Warehouse) -> Iterator[Any]:
    """Stream a dbt invocation's events with metadata on every built model.

    Parameters
    ----------
    invocation : DbtCliInvocation
        Running.
    warehouse : Warehouse
        Where it builds; only read here.
    """
    cache = LineageCache(warehouse.settings.home / CACHE_FILE)
    nodes: dict[str, Any] = {**invocation.manifest["nodes"], **invocation.manifest["sources"]}
    with warehouse.connection() as con:
        columns = lake_columns(con)
        for event in invocation.stream():
            unique_id = _unique_id(event)
            if (
                not isinstance(event, dg.Output)
                or unique_id is None
                or nodes[unique_id]["resource_type"] != "model"
            ):
                yield event
                continue
            version = model_version(invocation.manifest, unique_id)
            yield dg.Output(
                value=event.value,
                output_name=event.output_name,
                metadata={
                    **event.metadata,
                    **_model_metadata(con, columns, nodes, unique_id, version, invocation.target_path, cache),
                },
                data_version=event.data_version,
            )
    cache.save()


def _unique_id(event: Any) -> str | None:
    if not isinstance(event, dg.Output):
        return None
    value = event.metadata.get("unique_id")
    return value.value if isinstance(value, dg.TextMetadataValue) else None


def _model_metadata(
    con: Any,
    columns: dict[str, Columns],
    nodes: dict[str, Any],
    unique_id: str,
    version: str,
    target_path: Path,
    cache: LineageCache,
) -> dict[str, Any]:
    node = nodes[unique_id]
    built = con.execute(f"describe {table_of(node)}").fetchall()
    columns[table_of(node)] = {name: str(kind).lower() for name, kind, *_ in built}
    metadata: dict[str, Any] = {
        "dagster/column_schema": dg.TableSchema(
            columns=[dg.TableColumn(name, kind) for name, kind in columns[table_of(node)].items()]
        )
    }
    if node["config"]["materialized"] != "view":
        row = con.execute(f"select count(*) from {table_of(node)}").fetchone()
        metadata["dagster/row_count"] = row[0] if row else 0
    compiled = compiled_sql(target_path, node)
    if compiled is not None:
        parents = {table_of(nodes[name]): name for name in node["depends_on"]["nodes"] if name in nodes}
        try:
            lineage = cache.get(version, compiled, columns, list(parents))
        except (
            SqlglotError
        ) as error:  # a construct that sqlglot cannot follow: said where the lineage would stand
            metadata["column_lineage_error"] = str(error)[:500]
        else:
            metadata["dagster/column_lineage"] = _table_lineage(lineage, set(parents))
    return metadata


def _table_lineage(lineage: Lineage, parents: set[str]) -> dg.TableColumnLineage:
    return dg.TableColumnLineage(
        {
            column: [
                dg.TableColumnDep(asset_key=dg.AssetKey(source.split(".", 1)), column_name=name)
                for source, name in sources
                if source in parents
            ]
            for column, sources in lineage.items()
        }
    )


def table_of(node: Mapping[str, Any]) -> str:
    """``schema.name`` of a node of dbt's manifest."""
    return f"{node['schema']}.{node.get('identifier') or node['name']}"


def lake_columns(con: Any) -> dict[str, Columns]:
    """Columns with types of every table and view of the lake, by ``schema.table``."""
    rows = con.execute(
        "select table_schema || '.' || table_name, column_name, lower(data_type) from information_schema.columns "
        "where table_catalog = 'lake' order by 1, ordinal_position"
    ).fetchall()
    found: dict[str, Columns] = {}
    for table, column, kind in rows:
        found.setdefault(table, {})[column] = kind
    return found


def compiled_sql(target_path: Path, node: Mapping[str, Any]) -> str | None:
    """SQL of a model as dbt last compiled it under a target folder; None if it never did."""
    path = target_path / "compiled" / node["package_name"] / node["original_file_path"]
    return path.read_text() if path.exists() else None
