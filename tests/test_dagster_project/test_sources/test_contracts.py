"""The contracts hold what the design promises, and every layer is generated from them."""

import datetime as dt

import polars as pl
import pytest

from dagster_project.sources.contracts import BOOKKEEPING, RAW_TABLES, SOURCE_TABLES
from dagster_project.sources.schemas import pandera_schema, schema_failures
from ml.types import TRANSACTION_KINDS


def test_ddl_uses_only_what_ducklake_knows():
    ddl = RAW_TABLES["brokerage__transactions"].ddl()
    assert ddl.startswith(
        "create table if not exists raw.brokerage__transactions (\n    transaction_id varchar not null,"
    )
    assert "    quantity decimal(24, 9),\n" in ddl
    assert "    amount_usd decimal(20, 6) not null,\n" in ddl
    assert "    known_at timestamptz not null,\n    source varchar not null," in ddl
    for word in ("primary", "unique", "enum", "check", "default"):
        assert word not in ddl.lower()


@pytest.mark.parametrize("table", RAW_TABLES)
def test_contract_is_consistent(table):
    contract = RAW_TABLES[table]
    names = [column.name for column in contract.all_columns]
    assert len(names) == len(set(names))
    assert set(contract.key) <= set(names)
    assert list(contract.polars_schema) == names
    assert contract.ddl().count("\n") == len(names) + 1
    assert contract.has_bookkeeping == (contract.all_columns[-len(BOOKKEEPING) :] == BOOKKEEPING)
    if table in SOURCE_TABLES:
        assert "known_at" in contract


def test_kinds_are_the_shared_vocabulary():
    assert RAW_TABLES["brokerage__transactions"]["kind"].allowed == TRANSACTION_KINDS


def test_pandera_names_the_failing_rows_first_check():
    rows = {
        "asset_id": ["A", "", "C", "D"],
        "trade_date": [dt.date(2020, 1, 2)] * 4,
        **{name: [1.0] * 4 for name in ("open", "high", "low", "volume")},
        "close": [1.0, 1.0, -1.0, float("inf")],
        "adjusted_close": [None, 1.0, 1.0, 1.0],
        "known_at": [dt.datetime(2020, 1, 2, 21, tzinfo=dt.UTC)] * 4,
    }
    frame = pl.DataFrame(rows, schema=RAW_TABLES["market__daily_bars"].content_schema)
    failures = schema_failures("market__daily_bars", frame)
    assert failures.select("index", "column").rows() == [(1, "asset_id"), (2, "close"), (3, "close")]
    assert "is_finite" in failures["check"][2]
    assert schema_failures("market__daily_bars", frame.head(1)).is_empty()


def test_wrong_type_is_a_fault_of_the_program():
    frame = pl.DataFrame({name: [None] for name in RAW_TABLES["market__rates"].content_names})
    with pytest.raises(TypeError, match=r"raw\.market__rates"):
        schema_failures("market__rates", frame)


@pytest.mark.parametrize("table", SOURCE_TABLES)
def test_every_source_table_has_a_pandera_schema(table):
    assert list(pandera_schema(table).columns) == RAW_TABLES[table].content_names
