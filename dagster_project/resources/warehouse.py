"""The warehouse: DuckLake behind one class. The only module that opens it.

Four rules of the embedded catalog (SQLite in WAL mode) shape this file: one writer at a time
(a file lock), the whole transaction is retried on conflict, frames are computed before the
transaction opens, and every read of a step is pinned to one snapshot.
"""

import contextlib
import datetime as dt
import fcntl
import json
import os
import re
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import polars as pl

from dagster_project.resources.attach import WarehouseError, attach_options, catalog_uri, extension_directory
from dagster_project.settings import Settings

# In search order: an unqualified table name in `taxloom sql` resolves to the most public schema first.
SCHEMAS = ("serving", "features", "tax", "core", "audit", "ml", "raw", "intermediate", "staging")
_RETRYABLE = re.compile(r"conflict|database is locked|cannot commit|SQLITE_BUSY", re.IGNORECASE)
_MAX_TRIES = 8


# What a query raises: the database's own error, so that callers need not know the database.
DatabaseError = duckdb.Error


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


@dataclass
class _Engine:
    """An in-memory DuckDB with the extensions loaded, and what is attached to it as ``lake``.

    Starting one and loading the catalog's tables costs a quarter of a second, and a night asks a
    hundred times; an idle engine that already sees the wanted snapshot answers at once.
    """

    con: duckdb.DuckDBPyConnection
    started_with: tuple[Any, ...]
    attached: tuple[Any, ...] | None = None

    def attach(self, settings: Settings, options: str) -> None:
        """Attach the lake with these options, unless it is."""
        wanted = _attachment(settings, options)
        if self.attached == wanted:
            return
        if self.attached is not None:
            self.con.execute("use memory; detach lake")
            self.attached = None
        self.con.execute(f"attach '{catalog_uri(settings)}' as lake ({options}); use lake")
        self.attached = _attachment(settings, options)  # anew: the attach may have created the catalog's file


_IDLE: list[_Engine] = []
_IDLE_LOCK = threading.Lock()  # a code server evaluates schedules in threads
_MAX_IDLE = 2


def _engine(settings: Settings, options: str) -> _Engine:
    """Take an idle engine of this process, the one attached alike if there is one, or start one."""
    started_with = (os.getpid(), str(extension_directory(settings)), settings.memory_limit)
    with _IDLE_LOCK:
        idle = [engine for engine in _IDLE if engine.started_with == started_with]
        idle.sort(key=lambda engine: engine.attached == _attachment(settings, options))
        if idle:
            _IDLE.remove(idle[-1])
            return idle[-1]
    con = duckdb.connect(
        ":memory:",
        config={
            "extension_directory": started_with[1],
            "autoinstall_known_extensions": "false",
            "memory_limit": settings.memory_limit,
            "temp_directory": str(settings.home / "tmp"),
            # Files are read through the system's cache; a second copy would stay with the idle engine.
            "enable_external_file_cache": "false",
        },
    )
    con.execute("load icu; set timezone = 'UTC'")
    return _Engine(con, started_with)


def _put_by(engine: _Engine) -> None:
    """Keep an engine for the next caller; the oldest ends when there are too many."""
    with _IDLE_LOCK:
        _IDLE.append(engine)
        superfluous = [_IDLE.pop(0) for _ in range(len(_IDLE) - _MAX_IDLE)]
    for old in superfluous:
        old.con.close()


def _end_idle_engines() -> None:
    """Close every engine that nobody uses."""
    with _IDLE_LOCK:
        ended, _IDLE[:] = list(_IDLE), []
    for engine in ended:
        engine.con.close()


def _attachment(settings: Settings, options: str) -> tuple[str, tuple[int, int] | None, str]:
    """What an attach refers to; a home that was deleted and made anew has another catalog file."""
    try:
        found = settings.catalog_file.stat()
    except FileNotFoundError:
        return catalog_uri(settings), None, options
    return catalog_uri(settings), (found.st_dev, found.st_ino), options


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
        """An attached connection whose current catalog is the lake; the caller's until exit.

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
        options = [f"{key.upper()} '{value}'" for key, value in attach_options(self.settings).items()]
        if read_only or snapshot is not None:
            options.append("READ_ONLY")
        if snapshot is not None:
            options.append(f"SNAPSHOT_VERSION {int(snapshot)}")
        engine = _engine(self.settings, ", ".join(options))
        try:
            engine.attach(self.settings, ", ".join(options))
            yield engine.con
        except BaseException:
            engine.con.close()  # its state is unknown: an open transaction, a failed attach
            raise
        _put_by(engine)

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
                    con.unregister(f"frame_{index}")
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
                _end_idle_engines()  # an attached one could keep the file from being compacted
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
