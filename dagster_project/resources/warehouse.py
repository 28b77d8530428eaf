"""The warehouse: DuckLake behind one class. The only module that opens it.

Four rules of the embedded catalog (SQLite in WAL mode) shape this file: one writer at a time
(a file lock), the whole transaction is retried on conflict, frames are computed before the
transaction opens, and every read of a step is pinned to one snapshot.
"""

import contextlib
import datetime as dt
import fcntl
import importlib.util
import json
import os
import platform
import re
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from dagster_project.settings import Settings

EXTENSIONS = ("ducklake", "sqlite_scanner", "postgres_scanner", "icu")
# In search order: an unqualified table name in `taxloom sql` resolves to the most public schema first.
SCHEMAS = ("serving", "features", "tax", "core", "audit", "ml", "raw", "intermediate", "staging")
_RETRYABLE = re.compile(r"conflict|database is locked|cannot commit|SQLITE_BUSY", re.IGNORECASE)
_MAX_TRIES = 8


# What a query raises: the database's own error, so that callers need not know the database.
DatabaseError = duckdb.Error


class WarehouseError(RuntimeError):
    """The warehouse could not be opened, read or written; the message names the remedy."""


@dataclass(frozen=True)
class TableWrite:
    """One table's part of a transaction.

    Parameters
    ----------
    table : str
        ``schema.name`` of an existing table.
    frame : polars.DataFrame
        Rows to insert, matched to the table's columns by name.
    delete_where : str or None
        SQL predicate of the rows to replace first (a partition); None only appends.
    """

    table: str
    frame: pl.DataFrame
    delete_where: str | None = None


def _platform_name() -> str:
    """DuckDB's name of this platform, as its extension folders spell it."""
    machine = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}[
        platform.machine().lower()
    ]
    system = {"linux": "linux", "darwin": "osx", "win32": "windows"}[sys.platform]
    return f"{system}_{machine}"


def extension_directory(settings: Settings) -> Path:
    """Lay the extensions that the PyPI packages ship where DuckDB looks for them; no download.

    Returns
    -------
    Path
        Value for DuckDB's ``extension_directory``.

    Raises
    ------
    WarehouseError
        A package ``duckdb-extension-*`` is missing.
    """
    target = settings.extension_dir / f"v{duckdb.__version__}" / _platform_name()
    target.mkdir(parents=True, exist_ok=True)
    for name in EXTENSIONS:
        link = target / f"{name}.duckdb_extension"
        if link.exists():
            continue
        spec = importlib.util.find_spec(f"duckdb_extension_{name}")
        if spec is None or spec.origin is None:
            raise WarehouseError(
                f"DuckDB extension '{name}' is not installed: add the package "
                f"duckdb-extension-{name.replace('_', '-')}=={duckdb.__version__} (run `uv sync`)"
            )
        source = Path(spec.origin).parent / "extensions" / f"v{duckdb.__version__}" / link.name
        if not source.exists():
            raise WarehouseError(
                f"DuckDB extension '{name}' for v{duckdb.__version__} is not at {source}: run `uv sync`"
            )
        part = link.with_suffix(f".{os.getpid()}")
        try:
            os.link(source, part)
        except OSError:  # another file system
            shutil.copyfile(source, part)
        part.replace(link)
    return settings.extension_dir


def catalog_uri(settings: Settings) -> str:
    """DuckLake's attach string of the catalog, embedded or shared."""
    if settings.catalog:
        return f"ducklake:postgres:{settings.catalog}"
    return f"ducklake:sqlite:{settings.catalog_file}"


def attach_options(settings: Settings) -> dict[str, str]:
    """Options of the ATTACH, shared by Python and the dbt profile."""
    options = {"data_path": str(settings.data_path)}
    if not settings.catalog:
        options |= {"meta_journal_mode": "WAL", "meta_busy_timeout": "10000"}
    return options


class Warehouse:
    """Reads and writes of one DuckLake.

    Parameters
    ----------
    settings : Settings
        Where the catalog and the data lie.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def exists(self) -> bool:
        """Whether a catalog was ever created."""
        return bool(self.settings.catalog) or self.settings.catalog_file.exists()

    @contextlib.contextmanager
    def connection(
        self, *, read_only: bool = True, snapshot: int | None = None
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """An attached connection whose current catalog is the lake; closed on exit.

        Parameters
        ----------
        read_only : bool
            Attach without the right to write.
        snapshot : int, optional
            Pin every table to this snapshot (implies ``read_only``).
        """
        if read_only and not self.exists:
            raise WarehouseError(
                f"no warehouse at {self.settings.home}: run `taxloom nightly` first, or point TAXLOOM_HOME at one"
            )
        if not read_only:
            self.settings.catalog_file.parent.mkdir(parents=True, exist_ok=True)
            self.settings.data_path.mkdir(parents=True, exist_ok=True)
        con = duckdb.connect(
            ":memory:",
            config={
                "extension_directory": str(extension_directory(self.settings)),
                "autoinstall_known_extensions": "false",
                "memory_limit": self.settings.memory_limit,
            },
        )
        try:
            con.execute("load icu; set timezone = 'UTC'")
            options = [f"{key.upper()} '{value}'" for key, value in attach_options(self.settings).items()]
            if read_only or snapshot is not None:
                options.append("READ_ONLY")
            if snapshot is not None:
                options.append(f"SNAPSHOT_VERSION {int(snapshot)}")
            con.execute(f"attach '{catalog_uri(self.settings)}' as lake ({', '.join(options)})")
            con.execute("use lake")
            yield con
        finally:
            con.close()

    def snapshot_id(self) -> int:
        """The newest committed snapshot."""
        with self.connection() as con:
            return int(_single_value(con, "select max(snapshot_id) from lake.snapshots()"))

    def read(
        self,
        sql: str,
        params: Mapping[str, Any] | Sequence[Any] | None = None,
        *,
        snapshot: int | None = None,
    ) -> pl.DataFrame:
        """Run one query and return its rows.

        Parameters
        ----------
        sql : str
            A query; tables as ``schema.table``.
        params : mapping or sequence, optional
            Values of its placeholders.
        snapshot : int, optional
            Read the lake as of this snapshot.
        """
        with self.connection(snapshot=snapshot) as con:
            return con.execute(sql, params).pl() if params is not None else con.execute(sql).pl()

    def is_published(self, session: dt.date) -> bool:
        """Whether the recommendations of a night are visible in ``serving``."""
        tables = "select 1 from information_schema.tables where table_schema = 'ml' and table_name = 'audit_nights'"
        if not self.read(tables).height:
            return False
        return self.read("select 1 from ml.audit_nights where as_of_date = ?", [session]).height > 0

    @contextlib.contextmanager
    def writer_lock(self, timeout_seconds: float = 600.0) -> Iterator[None]:
        """Hold the one writer's place on this machine (also around a dbt run).

        Raises
        ------
        WarehouseError
            Another process held it for longer than the timeout.
        """
        path = self.settings.home / "warehouse" / "writer.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + timeout_seconds
        with path.open("a+") as handle:
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError as error:
                    if time.monotonic() > deadline:
                        raise WarehouseError(
                            f"another process has been writing for {timeout_seconds:.0f} s (lock {path}); "
                            "wait for it or end it, then run again"
                        ) from error
                    time.sleep(0.1)
            try:
                yield
            finally:
                fcntl.flock(handle, fcntl.LOCK_UN)

    def bootstrap(self, ddl: Sequence[str]) -> None:
        """Create the catalog, its schemas and the Python-written tables; idempotent.

        Parameters
        ----------
        ddl : sequence of str
            ``create table if not exists`` statements.
        """
        with self.writer_lock(), self.connection(read_only=False) as con:
            wanted = _columns_of(ddl)
            missing = _missing_columns(con, wanted)
            tables = {f"{schema}.{table}" for schema, table in _tables(con)}
            if set(wanted) <= tables and not missing and set(SCHEMAS) <= _schemas(con):
                return
            con.execute("begin")
            for schema in SCHEMAS:
                con.execute(f"create schema if not exists lake.{schema}")
            for statement in ddl:
                con.execute(statement)
            for table, column, kind in missing:
                con.execute(f"alter table {table} add column {column} {kind}")
            con.execute("call lake.set_commit_message('taxloom', 'bootstrap')")
            con.execute("commit")

    def write(self, run_id: str, writes: Sequence[TableWrite], message: str) -> int:
        """Apply all writes in one transaction whose commit message carries the run id.

        Parameters
        ----------
        run_id : str
            The Dagster run.
        writes : sequence of TableWrite
            All or none of them become visible.
        message : str
            What happened, for ``lake.snapshots()``.

        Returns
        -------
        int
            The snapshot that the commit made.

        Raises
        ------
        WarehouseError
            The conflict outlived the retries.
        """
        with self.writer_lock():
            for attempt in range(1, _MAX_TRIES + 1):
                try:
                    return self._write_once(run_id, writes, message)
                except duckdb.Error as error:
                    if not _RETRYABLE.search(str(error)) or attempt == _MAX_TRIES:
                        raise WarehouseError(
                            f"writing {', '.join(w.table for w in writes)} failed after {attempt} tries: {error}"
                        ) from error
                    time.sleep(0.2 * attempt)
        raise AssertionError("unreachable: the loop returns or raises")

    def _write_once(self, run_id: str, writes: Sequence[TableWrite], message: str) -> int:
        with self.connection(read_only=False) as con:
            con.execute("begin")
            for index, item in enumerate(writes):
                if item.delete_where is not None:
                    con.execute(f"delete from {item.table} where {item.delete_where}")
                if item.frame.height:
                    con.register(f"frame_{index}", item.frame.to_arrow())
                    con.execute(f"insert into {item.table} by name select * from frame_{index}")
            info = json.dumps({"run_id": run_id})
            con.execute(
                "call lake.set_commit_message('taxloom', ?, extra_info => ?)",
                [f"run {run_id}: {message}", info],
            )
            con.execute("commit")
            return int(_single_value(con, "select max(snapshot_id) from lake.snapshots()"))

    def maintain(self, keep_days: int = 30) -> dict[str, int]:
        """Expire old snapshots, delete their files and compact the embedded catalog.

        On the embedded catalog a commit's cost grows with the number of snapshots, so this runs
        weekly. Time travel to an expired snapshot ends with it.
        """
        with self.writer_lock():
            with self.connection(read_only=False) as con:
                before = int(_single_value(con, "select count(*) from lake.snapshots()"))
                con.execute(
                    f"call ducklake_expire_snapshots('lake', older_than => now() - interval {int(keep_days)} day)"
                )
                con.execute("call ducklake_cleanup_old_files('lake', cleanup_all => true)")
                con.execute(
                    "call ducklake_delete_orphaned_files('lake', older_than => now() - interval 1 day)"
                )
                after = int(_single_value(con, "select count(*) from lake.snapshots()"))
            if not self.settings.catalog:
                with contextlib.closing(sqlite3.connect(self.settings.catalog_file)) as catalog:
                    catalog.execute("vacuum")
        return {"snapshots_before": before, "snapshots_after": after}


def _schemas(con: duckdb.DuckDBPyConnection) -> set[str]:
    return {row[0] for row in con.execute("select schema_name from information_schema.schemata").fetchall()}


def _tables(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    return con.execute("select table_schema, table_name from information_schema.tables").fetchall()


def _columns_of(ddl: Sequence[str]) -> dict[str, dict[str, str]]:
    """Columns with types that the statements would create, by ``schema.table``."""
    with duckdb.connect(":memory:") as scratch:
        for schema in SCHEMAS:
            scratch.execute(f"create schema {schema}")
        for statement in ddl:
            scratch.execute(statement)
        rows = scratch.execute(
            "select table_schema || '.' || table_name, column_name, data_type from information_schema.columns"
        ).fetchall()
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in rows:
        found.setdefault(table, {})[column] = kind
    return found


def _missing_columns(
    con: duckdb.DuckDBPyConnection, wanted: Mapping[str, Mapping[str, str]]
) -> list[tuple[str, str, str]]:
    """Columns that an older warehouse lacks: newer code adds them, rows before then hold null."""
    rows = con.execute(
        "select table_schema || '.' || table_name, column_name from information_schema.columns "
        "where table_catalog = 'lake'"
    ).fetchall()
    stored: dict[str, set[str]] = {}
    for table, column in rows:
        stored.setdefault(table, set()).add(column)
    return [
        (table, column, kind)
        for table, columns in wanted.items()
        for column, kind in columns.items()
        if table in stored and column not in stored[table]
    ]


def _single_value(con: duckdb.DuckDBPyConnection, sql: str) -> Any:
    row = con.execute(sql).fetchone()
    if row is None:
        raise WarehouseError(f"no row from: {sql}")
    return row[0]
