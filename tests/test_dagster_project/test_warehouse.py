"""The warehouse class: transactions, snapshots, concurrent readers and writers, a killed writer."""

import datetime as dt
import multiprocessing
import os
import signal
import time
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from dagster_project.resources.warehouse import TableWrite, Warehouse, WarehouseError
from dagster_project.settings import Settings

DDL = ["create table if not exists ml.numbers (as_of_date date, x decimal(20, 6))"]
DAY = dt.date(2022, 12, 28)


def _settings(home: Path) -> Settings:
    return Settings(home, None, home / "warehouse" / "data", "1GB")


def _frame(count: int, value: str = "1.25") -> pl.DataFrame:
    schema = {"as_of_date": pl.Date, "x": pl.Decimal(20, 6)}
    return pl.DataFrame({"as_of_date": [DAY] * count, "x": [Decimal(value)] * count}, schema=schema)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    lake = Warehouse(_settings(tmp_path))
    lake.bootstrap(DDL)
    return lake


def _partition(frame: pl.DataFrame) -> TableWrite:
    return TableWrite("ml.numbers", frame, f"as_of_date = DATE '{DAY}'")


def test_reading_before_the_first_night_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="taxloom nightly"):
        Warehouse(_settings(tmp_path)).read("select 1")


def test_a_partition_is_replaced_and_decimals_stay_exact(warehouse: Warehouse) -> None:
    warehouse.write("run-1", [_partition(_frame(20, "0.100001"))], "first")
    warehouse.write("run-2", [_partition(_frame(3, "99999999999999.999999"))], "second")
    found = warehouse.read("select x from ml.numbers")
    assert found["x"].to_list() == [Decimal("99999999999999.999999")] * 3


def test_commit_messages_carry_the_run_id(warehouse: Warehouse) -> None:
    snapshot = warehouse.write("run-abc", [_partition(_frame(1))], "a message")
    row = warehouse.read(
        f"select commit_message, commit_extra_info from lake.snapshots() where snapshot_id = {snapshot}"
    )
    assert "run-abc" in row["commit_message"][0]
    assert "run-abc" in row["commit_extra_info"][0]


def test_a_pinned_snapshot_does_not_move(warehouse: Warehouse) -> None:
    first = warehouse.write("r", [_partition(_frame(20))], "first")
    warehouse.write("r", [_partition(_frame(5))], "second")
    assert warehouse.read("select count(*) as n from ml.numbers", snapshot=first)["n"][0] == 20
    assert warehouse.read("select count(*) as n from ml.numbers")["n"][0] == 5


def test_all_tables_of_a_write_or_none(warehouse: Warehouse) -> None:
    before = warehouse.snapshot_id()
    writes = [_partition(_frame(2)), TableWrite("ml.not_there", _frame(1))]
    with pytest.raises(WarehouseError, match="not_there"):
        warehouse.write("r", writes, "half")
    assert warehouse.snapshot_id() == before
    assert warehouse.read("select count(*) as n from ml.numbers")["n"][0] == 0


def test_a_read_connection_cannot_write(warehouse: Warehouse) -> None:
    with warehouse.connection() as con, pytest.raises(Exception, match="read-only"):
        con.execute("create table ml.x (a integer)")


def _write_many(home: Path, worker: int) -> None:
    lake = Warehouse(_settings(home))
    for _ in range(5):
        lake.write(f"worker-{worker}", [TableWrite("ml.numbers", _frame(1, str(worker)))], "concurrent")


def test_concurrent_writers_lose_nothing(warehouse: Warehouse) -> None:
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_write_many, args=(warehouse.settings.home, n)) for n in range(2)]
    for worker in workers:
        worker.start()
    sizes = []
    while any(worker.is_alive() for worker in workers):
        sizes.append(warehouse.read("select count(*) as n from ml.numbers")["n"][0])
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert warehouse.read("select count(*) as n from ml.numbers")["n"][0] == 10
    assert sizes == sorted(sizes)


def _write_until_killed(home: Path, started: Path) -> None:
    lake = Warehouse(_settings(home))
    while True:
        lake.write("victim", [_partition(_frame(1000))], "again")
        started.touch()


def test_kill_9_leaves_whole_partitions_and_no_lock(warehouse: Warehouse, tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    started = tmp_path / "started"
    victim = spawn.Process(target=_write_until_killed, args=(warehouse.settings.home, started))
    victim.start()
    deadline = time.monotonic() + 60
    while not started.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(victim.pid or 0, signal.SIGKILL)
    victim.join()
    assert warehouse.read("select count(*) as n from ml.numbers")["n"][0] == 1000
    warehouse.write("next", [_partition(_frame(7))], "after the kill")
    assert warehouse.read("select count(*) as n from ml.numbers")["n"][0] == 7


def test_maintenance_keeps_the_rows(warehouse: Warehouse) -> None:
    for _ in range(5):
        warehouse.write("r", [_partition(_frame(20))], "again")
    report = warehouse.maintain(keep_days=0)
    assert report["snapshots_after"] < report["snapshots_before"]
    assert warehouse.read("select count(*) as n from ml.numbers")["n"][0] == 20
