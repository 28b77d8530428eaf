"""Benchmark ``features``: the dbt feature chain at scale against the same compiled SQL in bare DuckDB.

Figures on simulated bars: the rebuild (dbt's execution time of the chain's models, its start apart, against the
same SQL in a plain DuckDB file), the same in processor seconds (dbt's start included; they do not move with what
else the machine does), one session's increment against an eighth of the rebuild, and the peak memory of the dbt
process. ``python -m tests.benchmarks.features --assets 1000 --years 3`` runs it smaller.
"""

import argparse
import datetime as dt
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from dagster_project.ml_tables import ml_ddl
from dagster_project.resources.attach import extension_directory
from dagster_project.resources.dbt import DBT_EXECUTABLE, dbt_environment
from dagster_project.resources.warehouse import Warehouse
from dagster_project.settings import DBT_PROJECT_DIR, Settings
from dagster_project.sources.calendar import session_frame
from dagster_project.sources.contracts import RAW_TABLES
from ml.simulate.market import BENCHMARK_ASSET_ID, iter_market_blocks

ASSETS = 10_000
YEARS = 10
MEMORY_LIMIT = "6GB"
LAST_SESSION = dt.date(2020, 12, 30)
CHAIN = "+int_assets__built"
# What the 1.5 and the eighth are measured on: the models of the chain, without the staging views.
MODELS = (
    "int_sessions__calendared",
    "int_corporate_actions__superseded",
    "int_assets__planned",
    "int_assets__superseded",
    "int_assets__timed",
    "int_bars__placed",
    "int_corporate_actions__landed",
    "int_prices__gridded",
    "int_market__returned",
    "feat_asset_metadata__daily",
    "int_assets__built",
)
_INGESTED_AT = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def _sessions(years: int) -> tuple[pl.DataFrame, dt.date]:
    """The sessions of the history and the one after it; the history's last day."""
    frame = session_frame()
    first = LAST_SESSION.replace(year=LAST_SESSION.year - years)
    until = frame.filter(pl.col("session_date") > LAST_SESSION)["session_date"][0]
    return frame.filter(pl.col("session_date") > first, pl.col("session_date") <= until), LAST_SESSION


def _write_market(folder: Path, assets: int, sessions: pl.DataFrame) -> None:
    """Simulated bars and corporate actions, one Parquet file of each per stretch of sessions."""
    start = sessions["session_date"][0]
    blocks = iter_market_blocks(assets=assets, start_date=start, sessions=sessions, seed=0)
    for number, (bars, actions) in enumerate(blocks):
        bars.write_parquet(folder / f"bars_{number:04d}.parquet")
        actions.write_parquet(folder / f"actions_{number:04d}.parquet")


class _Home:
    """A lake filled with simulated bars, and dbt on it."""

    def __init__(self, folder: Path, assets: int, years: int) -> None:
        self.folder = folder
        self.settings = Settings(
            home=folder, catalog=None, data_path=folder / "warehouse" / "data", memory_limit=MEMORY_LIMIT
        )
        extension_directory(self.settings)
        self.warehouse = Warehouse(self.settings)
        self.warehouse.bootstrap([*(c.ddl() for c in RAW_TABLES.values()), *ml_ddl()])
        sessions, self.last = _sessions(years)
        self.after = sessions["session_date"][-1]
        _write_market(folder, assets, sessions)
        with self.warehouse.connection(read_only=False) as con:
            calendar = session_frame()  # noqa: F841 (DuckDB reads it by name)
            con.execute("insert into lake.raw.market__sessions by name select * from calendar")
            con.execute("set preserve_insertion_order = false")
            self._insert(con, "market__daily_bars", "bars", f"trade_date <= date '{self.last}'")
            self._insert(con, "market__corporate_actions", "actions", "true")
            con.execute(
                "insert into lake.raw.market__assets by name "
                "select distinct asset_id, timestamptz '2000-01-01 00:00:00+00' as known_at, asset_id as symbol, "
                "asset_id as name, 'equity' as asset_class, 'Energy' as sector, 'USD' as currency, "
                "1e8 as shares_outstanding, 'security' as tax_treatment, 'as_traded' as price_basis, "
                "'simulated' as source, 'assets' as source_file, asset_id as content_key, ? as ingested_at "
                f"from '{folder}/bars_*.parquet' order by asset_id",
                [_INGESTED_AT],
            )

    def _insert(self, con: duckdb.DuckDBPyConnection, table: str, files: str, where: str) -> None:
        con.execute(
            f"insert into lake.raw.{table} by name select *, 'simulated' as source, '{files}' as source_file, "
            f"0 as source_line, 'k' as content_key, ? as ingested_at "
            f"from '{self.folder}/{files}_*.parquet' where {where}",
            [_INGESTED_AT],
        )

    def add_next_session(self) -> None:
        """Append the bars of the session after the history."""
        with self.warehouse.connection(read_only=False) as con:
            self._insert(con, "market__daily_bars", "bars", f"trade_date > date '{self.last}'")

    def night(self, day: dt.date) -> None:
        """Name the night to build."""
        with self.warehouse.connection(read_only=False) as con:
            con.execute("begin; delete from lake.ml.night")
            con.execute(
                "insert into lake.ml.night by name select session_date as as_of_date, close_at as as_of_at, "
                "'simulated' as price_sources from lake.raw.market__sessions where session_date = ?",
                [day],
            )
            con.execute("commit")

    def build(self, day: dt.date) -> dict[str, float]:
        """Run the chain for a night; seconds by model."""
        self.night(day)
        folders = ("--project-dir", str(DBT_PROJECT_DIR), "--profiles-dir", str(DBT_PROJECT_DIR))
        target = ("--target-path", str(self.folder / "target"), "--log-path", str(self.folder / "logs"))
        env = {
            **os.environ,
            **dbt_environment(self.settings),
            "DBT_TAXLOOM_TEMP_DIR": str(self.folder / "tmp"),
        }
        variables = ("--vars", json.dumps({"market_asset_id": BENCHMARK_ASSET_ID}))
        command = [DBT_EXECUTABLE, "run", "--select", CHAIN, *variables, *folders, *target]
        result = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        if result.returncode:
            raise RuntimeError(f"dbt failed:\n{result.stdout[-4000:]}\n{result.stderr[-2000:]}")
        results = json.loads((self.folder / "target" / "run_results.json").read_text())["results"]
        seconds = {r["unique_id"].rpartition(".")[2]: r["execution_time"] for r in results}
        return {name: seconds[name] for name in MODELS}

    def compiled(self) -> dict[str, tuple[str, str]]:
        """Relation and compiled SQL of every model of the last build, in its order."""
        results = json.loads((self.folder / "target" / "run_results.json").read_text())["results"]
        return {r["unique_id"].rpartition(".")[2]: (r["relation_name"], r["compiled_code"]) for r in results}


def _bare(home: _Home, compiled: dict[str, tuple[str, str]]) -> tuple[dict[str, float], float]:
    """The same SQL in a plain DuckDB file that holds the same rows; seconds by model, processor seconds of all."""
    tmp = home.folder / "bare_tmp"
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": MEMORY_LIMIT,
        "preserve_insertion_order": "false",
        "temp_directory": str(tmp),
        "extension_directory": str(home.settings.extension_dir),
        "autoinstall_known_extensions": "false",
    }
    con = duckdb.connect(config=config)
    con.execute(f"load icu; set timezone = 'UTC'; attach '{home.folder / 'bare.duckdb'}' as lake")
    for schema in ("raw", "ml", "staging", "intermediate", "features"):
        con.execute(f"create schema lake.{schema}")
    options = f"(read_only, data_path '{home.settings.data_path}')"
    con.execute(f"attach 'ducklake:sqlite:{home.settings.catalog_file}' as src {options}")
    for table in ("raw.market__sessions", "raw.market__daily_bars", "raw.market__assets",
                  "raw.market__corporate_actions", "ml.night"):  # fmt: skip
        con.execute(f"create table lake.{table} as select * from src.{table}")
    con.execute("detach src; checkpoint lake")
    seconds, cpu = {}, _cpu_seconds(resource.RUSAGE_SELF)
    for name, (relation, sql) in compiled.items():
        started = time.perf_counter()
        kind = "view" if name.startswith("stg_") else "table"
        con.execute(f"create {kind} {relation} as {sql}")
        seconds[name] = time.perf_counter() - started
    cpu = _cpu_seconds(resource.RUSAGE_SELF) - cpu
    con.close()
    return {name: seconds[name] for name in MODELS}, cpu


def run(assets: int = ASSETS, years: int = YEARS) -> list[dict[str, Any]]:
    """Measure rebuild, increment and memory.

    Parameters
    ----------
    assets, years : int
        Size of the simulated panel; the targets are stated for 10,000 x 10.
    """
    folder = Path(tempfile.mkdtemp(prefix="taxloom_features_", dir=os.environ.get("TAXLOOM_BENCHMARK_DIR")))
    try:
        return _measure(folder, assets, years)
    finally:
        shutil.rmtree(folder)


def _measure(folder: Path, assets: int, years: int) -> list[dict[str, Any]]:
    home = _Home(folder, assets, years)
    _say(f"simulated {assets} x {years} years")
    before = _cpu_seconds(resource.RUSAGE_CHILDREN)
    rebuild = home.build(home.last)
    ours_cpu = _cpu_seconds(resource.RUSAGE_CHILDREN) - before
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024**2
    _say_models("dbt rebuild", rebuild)
    bare, peer_cpu = _bare(home, home.compiled())
    (folder / "bare.duckdb").unlink()
    _say_models("bare DuckDB", bare)
    home.add_next_session()
    increment = home.build(home.after)
    _say_models("dbt increment", increment)
    size = f"{assets:,} assets x {years} years"
    ours, peer, step = (sum(seconds.values()) for seconds in (rebuild, bare, increment))
    return [
        _row(f"feature chain, rebuild, {size}: dbt and DuckLake against the same SQL in bare DuckDB (target 0.67)",
             ours, "duckdb", peer, peer / ours),
        _row(f"feature chain, rebuild, {size}: the same in processor seconds", ours_cpu, "duckdb", peer_cpu,
             peer_cpu / ours_cpu, "cpu s"),
        _row(f"feature chain, one session, {size}: against 1/8 of the rebuild", step, None, None, ours / 8 / step),
        _row(f"feature chain, rebuild, {size}: peak memory of dbt against 7 GiB",
             peak, None, None, 7 / peak, "GiB"),
    ]  # fmt: skip


def _row(
    work: str, ours: float, peer: str | None, value: float | None, ratio: float, unit: str = "s"
) -> dict[str, Any]:
    return {
        "name": "features", "work": work, "ours": ours, "peer": peer, "peer_value": value,
        "ratio": ratio, "unit": unit, "skipped": None,
    }  # fmt: skip


def _cpu_seconds(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _say_models(title: str, seconds: dict[str, float]) -> None:
    slow = ", ".join(f"{name} {s:.1f}" for name, s in seconds.items() if s >= 0.5)
    _say(f"{title}: {sum(seconds.values()):.1f} s ({slow})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="the features benchmark at another size")
    parser.add_argument("--assets", type=int, default=ASSETS)
    parser.add_argument("--years", type=int, default=YEARS)
    arguments = parser.parse_args()
    print(json.dumps(run(arguments.assets, arguments.years), indent=1))
