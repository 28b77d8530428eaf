"""A small folder of the files source, and ingestion with fixed clocks."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from dagster_project.sources.files import brokerage_file_batches, market_file_batches
from dagster_project.sources.ingest import IngestResult, ingest
from dagster_project.sources.packaged import packaged_market_batches

CLOCK = dt.datetime(2024, 1, 2, tzinfo=dt.UTC)
OUTCOMES = ("accepted", "duplicate", "quarantined", "not_a_transaction")

FILES = {
    "assets.csv": "symbol,name,asset_class,sector\nACME,Acme Inc.,equity,Industrials\nCOIN,A coin,crypto,\n",
    "bars.csv": (
        "symbol,trade_date,open,high,low,close,volume\n"
        "ACME,2022-01-03,10,11,9.5,10.5,1000\n"
        "ACME,2022-01-04,10.5,11,10,10.8,1200\n"
        "COIN,2022-01-03,100,110,95,105,50\n"
    ),
    "users.csv": 'user_id,filing_status,taxable_income_usd\nu1,single,"84,000"\n',
    "accounts.csv": "account_id,user_id,account_type,opened_date\na1,u1,taxable,2021-06-01\n",
    "transactions.csv": (
        "transaction_id,account_id,traded_at,kind,symbol,quantity,price_usd,amount_usd,fees_usd\n"
        "t1,a1,2022-01-03T15:00:00Z,deposit,,,,1000,0\n"
        "t2,a1,2022-01-03T15:01:00Z,buy,ACME,20,10.2,-204,0\n"
        "t3,a1,2022-01-04,sell,acme,5,10.8,53,1\n"
    ),
    "goals.csv": "statement_id,user_id,stated_at,text\ng1,u1,2022-01-03T12:00:00Z,steady growth\n",
}


@dataclass
class Folder:
    """A ``--data`` folder and what becomes of it."""

    path: Path

    def write(self, name: str, content: str | bytes) -> None:
        (self.path / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    def append(self, name: str, line: str) -> int:
        """Append a row; return its line."""
        text = (self.path / name).read_text()
        self.write(name, text + line + "\n")
        return text.count("\n") + 1

    def ingest(
        self,
        existing: Mapping[str, pl.DataFrame] | None = None,
        *,
        packaged: bool = False,
        today: dt.date = dt.date(2024, 1, 2),
    ) -> IngestResult:
        market = packaged_market_batches() if packaged else []
        market += market_file_batches(self.path, yields_to="packaged" if packaged else None)
        return ingest(
            market + brokerage_file_batches(self.path),
            run_id="run",
            as_of_date=dt.date(2022, 1, 4),
            ingested_at=CLOCK,
            today=today,
            existing=existing,
        )


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path)
    for name, content in FILES.items():
        made.write(name, content)
    return made


@pytest.fixture
def check_counts() -> Callable[[IngestResult], None]:
    """Every row read has one outcome, and the frames agree with the counts."""

    def check(result: IngestResult) -> None:
        counts = result.counts
        assert (counts["rows_read"] == counts.select(pl.sum_horizontal(OUTCOMES)).to_series()).all()
        for table in counts["table_name"].unique():
            of_table = counts.filter(pl.col("table_name") == table)
            records = result.quarantine.filter(
                pl.col("table_name") == table, pl.col("source_line").is_not_null()
            )
            skipped = result.skipped.filter(pl.col("table_name") == table)
            assert of_table["accepted"].sum() == result.accepted[table].height
            assert of_table["quarantined"].sum() == records.height
            assert of_table["not_a_transaction"].sum() == skipped.height

    return check


@pytest.fixture
def merge() -> Callable[[IngestResult, IngestResult | None], dict[str, pl.DataFrame]]:
    """What the warehouse holds after one or two ingestions."""

    def merged(first: IngestResult, second: IngestResult | None = None) -> dict[str, pl.DataFrame]:
        tables = {**first.accepted, "quarantine": first.quarantine}
        if second is not None:
            later = {**second.accepted, "quarantine": second.quarantine}
            tables = {name: pl.concat([frame, later[name]]) for name, frame in tables.items()}
        return tables

    return merged
