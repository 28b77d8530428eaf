"""A lake in a temporary folder, filled with small synthetic rows, and dbt on it."""

import datetime as dt
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import polars as pl

from dagster_project.ml_tables import ml_ddl
from dagster_project.resources.attach import extension_directory
from dagster_project.resources.dbt import dbt_environment
from dagster_project.resources.warehouse import Warehouse
from dagster_project.settings import Settings
from dagster_project.sources.calendar import session_frame
from dagster_project.sources.contracts import RAW_TABLES

DBT_DIR = Path(__file__).resolve().parents[2] / "dbt"
INGESTED_AT = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@dataclass
class Lake:
    """One warehouse: raw rows go in, ``build`` runs dbt for a night."""

    home: Path
    settings: Settings = field(init=False)
    n_lines: int = 0

    def __post_init__(self) -> None:
        self.settings = Settings(
            home=self.home, catalog=None, data_path=self.home / "warehouse" / "data", memory_limit="2GB"
        )
        extension_directory(self.settings)
        Warehouse(self.settings).bootstrap([*(c.ddl() for c in RAW_TABLES.values()), *ml_ddl()])
        with self.connection() as con:
            frame = session_frame()  # noqa: F841 (DuckDB reads it by name)
            con.execute("insert into lake.raw.market__sessions by name select * from frame")

    def connection(self) -> duckdb.DuckDBPyConnection:
        """A writing connection."""
        return Warehouse(self.settings).connection(read_only=False)

    def add(
        self, table: str, rows: pl.DataFrame, *, source: str = "files", ingested_at: dt.datetime = INGESTED_AT
    ):
        """Append rows to a raw table; columns that are left out are null, bookkeeping is filled."""
        contract = RAW_TABLES[table]
        frame = rows.with_columns(
            source=pl.lit(source),
            source_file=pl.lit(f"{table}.csv"),
            source_line=pl.int_range(self.n_lines, self.n_lines + rows.height, eager=True),
            ingested_at=pl.lit(ingested_at),
        )
        frame = frame.with_columns(content_key=pl.format("{}:{}", pl.lit(table), "source_line"))
        self.n_lines += rows.height
        missing = {n: d for n, d in contract.polars_schema.items() if n not in frame.columns}
        frame = frame.with_columns(pl.lit(None, dtype=d).alias(n) for n, d in missing.items())
        frame = frame.select(pl.col(n).cast(d) for n, d in contract.polars_schema.items())
        with self.connection() as con:
            con.execute(f"insert into lake.raw.{table} by name select * from frame")

    def night(self, as_of_date: dt.date, price_sources: str = "packaged,files,simulated,import") -> None:
        """Name the night that the next build computes."""
        with self.connection() as con:
            con.execute("begin; delete from lake.ml.night")
            con.execute(
                "insert into lake.ml.night by name select session_date as as_of_date, close_at as as_of_at, "
                "? as price_sources from lake.raw.market__sessions where session_date = ?",
                [price_sources, as_of_date],
            )
            con.execute("commit")

    def dbt(self, *args: str, check: bool = True) -> subprocess.CompletedProcess:
        """Run a dbt command on this lake."""
        command = [
            str(Path(sys.executable).parent / "dbt"),
            *args,
            *("--project-dir", str(DBT_DIR), "--profiles-dir", str(DBT_DIR)),
            *("--target-path", str(self.home / "target"), "--log-path", str(self.home / "logs")),
        ]
        env = {**os.environ, **dbt_environment(self.settings), "DBT_TAXLOOM_TEMP_DIR": str(self.home / "tmp")}
        result = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        if check and result.returncode != 0:
            raise AssertionError(
                f"dbt {' '.join(args)} failed:\n{result.stdout[-6000:]}\n{result.stderr[-2000:]}"
            )
        return result

    def build(
        self, as_of_date: dt.date, *args: str, command: str = "build", select: str = "tag:core", **night: str
    ) -> dict[str, str]:
        """Build a night; returns the status of each node."""
        self.night(as_of_date, **night)
        self.dbt(command, "--select", select, "--exclude", "resource_type:unit_test", *args)
        return {
            result["unique_id"]: result["status"]
            for result in json.loads((self.home / "target" / "run_results.json").read_text())["results"]
        }

    def read(self, sql: str) -> pl.DataFrame:
        """Query the lake."""
        return Warehouse(self.settings).read(sql)
