"""The rate tables in the warehouse are those that the ledger computes with."""

from decimal import Decimal

import polars as pl
import pytest

from ml.tax import rates
from tests.test_dbt.lake import Lake

pytestmark = pytest.mark.slow

SEEDS = {path.stem for path in rates.DATA.glob("*.csv")}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    found = Lake(tmp_path_factory.mktemp("seeds"))
    found.dbt("build", "--select", "resource_type:seed")
    return found


def test_every_rate_table_is_a_seed(lake: Lake) -> None:
    tables = lake.read("select table_name from information_schema.tables where table_schema = 'tax'")
    assert set(tables["table_name"]) == SEEDS


@pytest.mark.parametrize("table", ["federal_ordinary", "federal_long_term"])
def test_federal_brackets_equal_what_the_ledger_reads(lake: Lake, table: str) -> None:
    """Bracket by bracket, in the ledger's integer units."""
    rows = lake.read(f"select * from tax.{table} order by tax_year, filing_status, lower_usd")
    assert rows.height > 100
    keys = rows.select("tax_year", "filing_status").unique(maintain_order=True)
    for year, filing in keys.iter_rows():
        mine = rows.filter((pl.col("tax_year") == year) & (pl.col("filing_status") == filing))
        found = tuple((int(low * 10**6), int(rate * 10**4)) for low, rate in _brackets(mine))
        assert rates.federal_schedule(table, year, filing) == rates.Schedule(found), (year, filing)


def test_limits_equal_what_the_ledger_reads(lake: Lake) -> None:
    rows = lake.read("select * from tax.federal_limits")
    assert rows.height == 4
    for row in rows.iter_rows(named=True):
        assert rates.limits(row["filing_status"]) == rates.Limits(
            int(row["capital_loss_limit_usd"] * 10**6),
            int(row["niit_threshold_usd"] * 10**6),
            int(row["niit_rate_pct"] * 10**4),
            row["niit_first_year"],
        )


def test_state_brackets_equal_what_the_ledger_reads(lake: Lake) -> None:
    """Every period of every state at its first year, short and long-term gains."""
    rows = lake.read("select * from tax.state_rates order by lower_usd")
    keys = rows.select("state", "first_year", "filing_status").unique()
    assert keys["state"].n_unique() == 8
    for state, year, filing in keys.iter_rows():
        same = rows.filter(
            (pl.col("state") == state) & (pl.col("first_year") == year) & (pl.col("filing_status") == filing)
        )
        schedule = rates.state_schedule(state, year, filing)
        assert schedule is not None
        for term, brackets in (("short", schedule.short), ("long", schedule.long)):
            mine = same.filter(pl.col("term").is_in(["all", term]))
            assert tuple((int(low * 10**6), int(rate * 10**4)) for low, rate in _brackets(mine)) == brackets


def test_every_row_names_its_source(lake: Lake) -> None:
    for name in SEEDS:
        sources = lake.read(f"select source from tax.{name}")["source"]
        assert all(text and len(text) > 5 for text in sources), name


def _brackets(rows: pl.DataFrame) -> list[tuple[Decimal, Decimal]]:
    return sorted(rows.select("lower_usd", "rate_pct").iter_rows())
