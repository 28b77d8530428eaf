"""What a step records about itself: snapshots read and written, row counts, code and settings hashes."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import dagster as dg
import polars as pl

from dagster_project.settings import PROJECT_ROOT

_CODE_FOLDERS = ("dagster_project", "ml", "expectations", "dbt")
_CODE_SUFFIXES = {".py", ".sql", ".yml", ".csv", ".txt"}


def step_metadata(
    frame: pl.DataFrame, *, read_snapshot: int, write_snapshot: int | None = None, table: str | None = None
) -> dict[str, Any]:
    """Metadata of one written table.

    Parameters
    ----------
    frame : polars.DataFrame
        The rows written.
    read_snapshot, write_snapshot : int
        The warehouse snapshots before and after.
    table : str, optional
        ``schema.name`` of the table; its declared column lineage is added.
    """
    metadata: dict[str, Any] = {
        "dagster/row_count": frame.height,
        "dagster/column_schema": dg.TableSchema(
            columns=[dg.TableColumn(name, str(dtype)) for name, dtype in frame.schema.items()]
        ),
        "read_snapshot": read_snapshot,
    }
    if write_snapshot is not None:
        metadata["write_snapshot"] = write_snapshot
    if table is not None:
        metadata["dagster/column_lineage"] = declared_lineage(table)
    return metadata


def declared_lineage(table: str) -> dg.TableColumnLineage:
    """Lineage of a table of schema ``ml`` as the UI shows it.

    Parameters
    ----------
    table : str
        ``ml.<name>``.

    Raises
    ------
    KeyError
        ``python_lineage`` has no entry for the table.
    """
    from dagster_project.python_lineage import python_lineage

    columns = python_lineage()[table.removeprefix("ml.")]
    return dg.TableColumnLineage(
        {
            column: [
                dg.TableColumnDep(
                    asset_key=dg.AssetKey(source.table.split(".", 1)), column_name=source.column
                )
                for source in declared.sources
            ]
            for column, declared in columns.items()
        }
    )


def markdown_table(frame: pl.DataFrame, limit: int = 20) -> dg.MarkdownMetadataValue:
    """The first rows as a Markdown table."""
    rows = [[str(value) for value in row] for row in frame.head(limit).rows()]
    lines = [
        " | ".join(frame.columns),
        " | ".join("---" for _ in frame.columns),
        *(" | ".join(row) for row in rows),
    ]
    return dg.MetadataValue.md("\n".join(f"| {line} |" for line in lines))


def code_hash() -> str:
    """Hash of the project's own code: a change of any rule changes every recommendation's id."""
    digest = hashlib.sha256()
    for folder in _CODE_FOLDERS:
        for path in sorted(p for p in (PROJECT_ROOT / folder).rglob("*") if p.suffix in _CODE_SUFFIXES):
            if "target" in path.parts or "__pycache__" in path.parts:
                continue
            digest.update(str(path.relative_to(PROJECT_ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def settings_hash(values: Mapping[str, Any]) -> str:
    """Hash of a step's settings."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()
