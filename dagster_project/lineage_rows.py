"""The rows of ``ml.column_lineage``: lineage read from SQL and lineage declared for Python, as one table.

What belongs here: walking the dbt models in their order and putting both halves into one frame. What does
not: reading one model's SQL (``column_lineage.py``), the declarations (``python_lineage``), dbt itself.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Any, Final

import polars as pl
from sqlglot.errors import SqlglotError

from dagster_project.column_lineage import Columns, Lineage, LineageCache, model_version
from dagster_project.dbt_metadata import table_of
from dagster_project.ml_tables import ML_TABLES
from dagster_project.python_lineage import TableLineage

COLUMN_LINEAGE_SCHEMA: Final = pl.Schema(dict.fromkeys(ML_TABLES["column_lineage"], pl.String()))
_ORDER: Final = list(ML_TABLES["column_lineage"])[:6]
_Row = tuple[str | None, ...]


@dataclass
class DbtLineage:
    """Lineage of dbt models.

    Attributes
    ----------
    models : dict of str to Lineage
        By ``unique_id``: the sources of each column of the model.
    errors : dict of str to str
        By ``schema.table``: why a model's SQL could not be followed.
    """

    models: dict[str, Lineage] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


def dbt_lineage(
    manifest: Mapping[str, Any],
    built: Mapping[str, Columns],
    cache: LineageCache,
    compiled: Callable[[str], str],
) -> DbtLineage:
    """Lineage of every model of a dbt project, parents before children.

    Parameters
    ----------
    manifest : mapping
        dbt's manifest.
    built : mapping of str to dict
        Columns with types of the tables and views that exist, by ``schema.table``.
    cache : LineageCache
        Asked first; what is computed is added to it.
    compiled : callable
        ``unique_id`` to the model's compiled SQL; called for models that the cache lacks.

    Returns
    -------
    DbtLineage
        A model that does not exist yet, or exists with other columns, stands for its children with the
        columns that its SQL gives.
    """
    nodes = {**manifest["nodes"], **manifest["sources"]}
    schema = {table: dict(columns) for table, columns in built.items()}
    found = DbtLineage()
    for unique_id in _in_order(manifest):
        node = nodes[unique_id]
        parents = [table_of(nodes[name]) for name in node["depends_on"]["nodes"] if name in nodes]
        version = model_version(manifest, unique_id)
        try:
            lineage = cache.find(version, schema, parents)
            if lineage is None:
                lineage = cache.get(version, compiled(unique_id), schema, parents)
        except SqlglotError as error:
            found.errors[table_of(node)] = str(error)[:500]
            continue
        found.models[unique_id] = lineage
        if set(schema.get(table_of(node), ())) != set(lineage):
            schema[table_of(node)] = dict.fromkeys(lineage, "varchar")
    return found


def _in_order(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Models after the models that they read, equals by name."""
    models = sorted(i for i, node in manifest["nodes"].items() if node["resource_type"] == "model")
    known = set(models)
    graph = {i: [p for p in manifest["nodes"][i]["depends_on"]["nodes"] if p in known] for i in models}
    return iter(TopologicalSorter(graph).static_order())


def lineage_frame(
    manifest: Mapping[str, Any],
    dbt: DbtLineage,
    python: Mapping[str, TableLineage],
    code_version: str,
) -> pl.DataFrame:
    """Rows of ``ml.column_lineage``.

    Parameters
    ----------
    manifest : mapping
        dbt's manifest.
    dbt : DbtLineage
        From :func:`dbt_lineage`.
    python : mapping of str to dict
        From :func:`dagster_project.python_lineage.python_lineage`.
    code_version : str
        Hash of the project's code, the version of everything that Python makes; the version of a dbt
        model is that of its own source.

    Returns
    -------
    polars.DataFrame
        :data:`COLUMN_LINEAGE_SCHEMA`, sorted by its first six columns, which are the key.
    """
    rows: list[_Row] = []
    for unique_id, lineage in dbt.models.items():
        node = manifest["nodes"][unique_id]
        version = model_version(manifest, unique_id)
        own = table_of(node)
        for column, sources in lineage.items():
            # A model that reads its own rows of earlier builds: no step of its lineage.
            kept = [source for source in sources if source[0] != own]
            rows += _rows(own, column, kept, "dbt", node["name"], None if kept else "constant", version)
    for name, columns in python.items():
        for column, declared in columns.items():
            sources = [(source.table, source.column) for source in declared.sources]
            rows += _rows(
                f"ml.{name}", column, sources, declared.kind, declared.via, declared.origin, code_version
            )
    return pl.DataFrame(rows, schema=COLUMN_LINEAGE_SCHEMA, orient="row").unique().sort(_ORDER)


def _rows(
    table: str,
    column: str,
    sources: Sequence[tuple[str, str]],
    kind: str,
    via: str,
    origin: str | None,
    version: str,
) -> Iterator[_Row]:
    downstream = (*table.split(".", 1), column)
    for source, name in sources:
        yield (*downstream, *source.split(".", 1), name, kind, via, None, version)
    if not sources:
        yield (*downstream, None, None, None, kind, via, origin, version)
