"""Read-only SQL for people: run a query, print it as a table, CSV or JSON."""

import csv
import io
import json
from decimal import Decimal
from typing import Any

import polars as pl
from rich.console import Console
from rich.table import Table

from dagster_project.resources.warehouse import SCHEMAS, DatabaseError, Warehouse, WarehouseError
from dagster_project.settings import Settings


class QueryError(RuntimeError):
    """The query could not be answered; the message is DuckDB's own or names the remedy."""


def fetch(
    settings: Settings, query: str, params: list[Any] | None = None
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Run a query read-only.

    Returns
    -------
    tuple of (list of str, list of tuple)
        Column names and rows.

    Raises
    ------
    QueryError
        SQL error, or no warehouse yet.
    """
    try:
        with Warehouse(settings).connection() as con:
            # Unqualified names resolve from the most public schema to the most internal.
            con.execute(f"set search_path = '{','.join(f'lake.{schema}' for schema in SCHEMAS)}'")
            cursor = con.execute(query, params) if params else con.execute(query)
            if cursor.description is None:
                return [], []
            return [column[0] for column in cursor.description], cursor.fetchall()
    except (DatabaseError, WarehouseError) as error:
        raise QueryError(str(error)) from error


def fetch_frame(settings: Settings, query: str, params: list[Any] | None = None) -> pl.DataFrame:
    """As ``fetch``, as a frame that keeps the columns' types."""
    try:
        return Warehouse(settings).read(query, params)
    except (DatabaseError, WarehouseError) as error:
        raise QueryError(str(error)) from error


def run_query(settings: Settings, query: str, format: str) -> str:
    """Run a query and render its result.

    Parameters
    ----------
    settings : Settings
        The installation.
    query : str
        One SQL statement.
    format : {"table", "csv", "json"}
        How to render.
    """
    columns, rows = fetch(settings, query)
    return {"table": _as_table, "csv": _as_csv, "json": _as_json}[format](columns, rows)


def _as_csv(columns: list[str], rows: list[tuple[Any, ...]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_text(value, null="") for value in row] for row in rows)
    return buffer.getvalue()


def _as_json(columns: list[str], rows: list[tuple[Any, ...]]) -> str:
    keys = [json.dumps(column) for column in columns]
    lines = [
        "{" + ", ".join(f"{k}: {json_text(v)}" for k, v in zip(keys, row, strict=True)) + "}" for row in rows
    ]
    return "[" + ",\n ".join(lines) + "]\n"


def json_text(value: Any) -> str:
    """JSON text of a value; a Decimal keeps all its digits, which ``json`` would round to a double."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, list | tuple):
        return "[" + ", ".join(json_text(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(k))}: {json_text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, float) and value - value != 0:  # nan and infinities are not JSON
        return "null" if value != value else json.dumps(str(value))
    return json.dumps(value, default=_text, ensure_ascii=False)


def _text(value: Any, null: str = "") -> str:
    if value is None:
        return null
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict):
        return json_text(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _as_table(columns: list[str], rows: list[tuple[Any, ...]]) -> str:
    table = Table(show_lines=False)
    for index, column in enumerate(columns):
        numeric = any(isinstance(row[index], int | float | Decimal) for row in rows[:50])
        table.add_column(column, justify="right" if numeric else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(_escape(_text(value, null="-")) for value in row))
    buffer = io.StringIO()
    # Wide enough for every cell: a cut value would be a wrong value.
    cells = [*([columns]), *([_text(value, null="-") for value in row] for row in rows)]
    width = sum(max(len(row[i]) for row in cells) + 3 for i in range(len(columns))) + 2
    console = Console(file=buffer, width=max(width, 20), no_color=True)
    console.print(table)
    console.print(f"{len(rows)} rows")
    return buffer.getvalue()


def _escape(text: str) -> str:
    return text.replace("[", "\\[")
