"""The rows of ``ml.column_lineage``: lineage read from SQL and lineage declared for Python, as one table.

What belongs here: walking the dbt models in their order and putting both halves into one frame. What does
not: reading one model's SQL (``column_lineage.py``), the declarations (``python_lineage``), dbt itself.
"""

import re
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

COLUMN_LINEAGE_SCHEMA: Final = pl.Schema(
    {
        name: pl.Int32() if kind == "integer" else pl.String()
        for name, kind in ML_TABLES["column_lineage"].items()
    }
)
_DOWNSTREAM: Final = ["downstream_schema", "downstream_table", "downstream_column"]
_UPSTREAM: Final = ["upstream_schema", "upstream_table", "upstream_column"]
_ROW_SCHEMA: Final = {
    name: kind for name, kind in COLUMN_LINEAGE_SCHEMA.items() if name != "downstream_depth"
}
_Row = tuple[str | None, ...]
_COMMENT: Final = re.compile(r"\{#.*?#\}", re.DOTALL)
_REFERENCE: Final = re.compile(
    r"\{\{ *(?:ref\('(?P<model>\w+)'\)|source\('(?P<group>\w+)', *'(?P<source>\w+)'\)) *\}\}"
)


class NotCompiledError(LookupError):
    """A model's SQL is not known yet."""


@dataclass
class DbtLineage:
    """Lineage of dbt models.

    Attributes
    ----------
    models : dict of str to Lineage
        By ``unique_id``: the sources of each column of the model.
    errors : dict of str to str
        By ``schema.table``: why a model's lineage is missing.
    """

    models: dict[str, Lineage] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


def dbt_lineage(
    manifest: Mapping[str, Any],
    built: Mapping[str, Columns],
    cache: LineageCache,
    sql_of: Callable[[str], str],
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
    sql_of : callable
        ``unique_id`` to the model's SQL, or :class:`NotCompiledError`; called for models that the cache lacks.

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
                lineage = cache.get(version, sql_of(unique_id), schema, parents)
        except (SqlglotError, NotCompiledError) as error:
            found.errors[table_of(node)] = str(error)[:500]
            continue
        found.models[unique_id] = lineage
        if set(schema.get(table_of(node), ())) != set(lineage):
            schema[table_of(node)] = dict.fromkeys(lineage, "varchar")
    return found


def plain_sql(manifest: Mapping[str, Any], unique_id: str) -> str | None:
    """SQL of a model whose source has nothing of dbt but ``ref`` and ``source``, before dbt compiles it.

    Parameters
    ----------
    manifest : mapping
        dbt's manifest.
    unique_id : str
        The model in it.

    Returns
    -------
    str or None
        Tables as ``schema.name``; None if the source has any other Jinja.
    """
    nodes = {**manifest["nodes"], **manifest["sources"]}
    node = nodes[unique_id]
    tables = {
        (item.get("source_name"), item["name"]): table_of(item)
        for item in (nodes[name] for name in node["depends_on"]["nodes"])
    }
    sql = _REFERENCE.sub(
        lambda found: tables[found["group"], found["source"] or found["model"]],
        _COMMENT.sub("", node["raw_code"]),
    )
    return None if "{{" in sql or "{%" in sql else sql


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
        :data:`COLUMN_LINEAGE_SCHEMA`, sorted by its key: the downstream and the upstream column.

    Raises
    ------
    graphlib.CycleError
        Declared and read lineage together go round in a circle; the message names the columns.
    """
    rows: list[_Row] = []
    nodes = {**manifest["nodes"], **manifest["sources"]}
    for unique_id, lineage in dbt.models.items():
        node = nodes[unique_id]
        version = model_version(manifest, unique_id)
        # Incremental models also read rows of their chain that an earlier build left: no step of the lineage.
        parents = {table_of(nodes[name]) for name in node["depends_on"]["nodes"] if name in nodes}
        for column, sources in lineage.items():
            kept = [source for source in sources if source[0] in parents]
            origin = None if kept else "earlier_build" if sources else "constant"
            rows += _rows(table_of(node), column, kept, "dbt", node["name"], origin, version)
    for name, columns in python.items():
        for column, declared in columns.items():
            sources = [(source.table, source.column) for source in declared.sources]
            rows += _rows(
                f"ml.{name}", column, sources, declared.kind, declared.via, declared.origin, code_version
            )
    frame = pl.DataFrame(rows, schema=_ROW_SCHEMA, orient="row").unique()
    return (
        frame.join(_depths(frame), on=_DOWNSTREAM)
        .select(list(COLUMN_LINEAGE_SCHEMA))
        .sort(*_DOWNSTREAM, *_UPSTREAM)
    )


def _depths(frame: pl.DataFrame) -> pl.DataFrame:
    """Length of the longest way from each explained column to a first one."""
    sources: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for row in frame.select(*_DOWNSTREAM, *_UPSTREAM).iter_rows():
        sources.setdefault(row[:3], set()).update([row[3:]] if row[3] is not None else [])
    depth: dict[tuple[str, ...], int] = {}
    for column in TopologicalSorter(sources).static_order():
        depth[column] = 1 + max((depth[source] for source in sources.get(column, ())), default=-1)
    rows = [(*column, depth[column]) for column in sources]
    schema = {name: COLUMN_LINEAGE_SCHEMA[name] for name in (*_DOWNSTREAM, "downstream_depth")}
    return pl.DataFrame(rows, schema=schema, orient="row")


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
