"""What the importers write is what the tax ledger can book: lots, cash and open questions of the fixtures."""

import datetime as dt
from decimal import Decimal as D

import polars as pl
import pytest

from dagster_project.sources.calendar import session_frame
from dagster_project.sources.contracts import RAW_TABLES
from ml.tax.ledger import LedgerInputs, TaxSettings, ledger_states
from tests.test_dagster_project.test_sources.test_brokerage.conftest import FIXTURES, Lake

DAY = dt.date(2023, 12, 29)


def _ledger(lake: Lake):
    accounts = lake.frames["brokerage__accounts"].with_columns(
        tax_unit_id=pl.concat_str(pl.lit("user:"), "user_id")
    )
    sessions = session_frame().filter(pl.col("session_date") <= DAY)
    inputs = LedgerInputs(
        transactions=lake.frames["brokerage__transactions"],
        corporate_actions=pl.DataFrame(schema=RAW_TABLES["market__corporate_actions"].content_schema),
        accounts=accounts,
        users=lake.frames["brokerage__users"].with_columns(
            tax_unit_id=pl.concat_str(pl.lit("user:"), "user_id")
        ),
        assets=lake.frames["market__assets"],
        sessions=sessions,
    )
    states = sessions.tail(1).select(state_date="session_date", close_at="close_at")
    return ledger_states(inputs, states, TaxSettings())


@pytest.mark.parametrize("name", sorted(path.name for path in FIXTURES.iterdir()))
def test_cash_is_the_sum_of_what_the_rows_say(name: str, lake: Lake, put) -> None:
    put(name)
    result = _ledger(lake)
    latest = lake.frames["brokerage__transactions"].sort("known_at").unique("transaction_id", keep="last")
    said = dict(latest.group_by("account_id").agg(pl.col("amount_usd").sum()).iter_rows())
    cash = dict(result.account_cash.select("account_id", "cash_usd").iter_rows())
    assert cash == {account: said.get(account, D(0)) for account in cash}
    assert set(said) <= set(cash)


def test_partial_fills_of_an_order_are_one_lot(lake: Lake, put) -> None:
    put("alpaca.json")
    lots = _ledger(lake).open_lots.filter(asset_id="ALDR")
    assert lots.height == 1
    assert lots["quantity"][0] == (D("2.792161878") - D("0.5")) * 2, "less what was sold, split 2 for 1"


def test_open_lots_are_the_implied_positions(lake: Lake, put) -> None:
    put("ibkr_flex.xml")
    lots = _ledger(lake).open_lots.group_by("asset_id").agg(pl.col("quantity").sum())
    held = dict(lots.iter_rows())
    assert (held["FIRR"], held["BRCH"], held["MAPLX"]) == (D(70), D("16.75"), D("1.5"))


def test_a_transfer_without_basis_is_a_lot_of_unknown_basis_that_is_named(lake: Lake, put) -> None:
    put("ofx_investment.ofx")
    result = _ledger(lake)
    lots = result.open_lots.filter(pl.col("origin") == "transfer_in").sort("source_transaction_id")
    assert lots.select("source_transaction_id", "is_basis_known", "acquired_date").rows() == [
        ("ofx:INV-0001:F015", False, dt.date(2023, 2, 17)),
        ("ofx:INV-0001:F025", True, dt.date(2020, 6, 15)),
        ("ofx:INV-0001:F026", False, dt.date(2023, 3, 8)),
    ]
    assert "unknown_basis" in set(result.issues["status"].to_list())


def test_vested_shares_have_their_market_value_as_basis_and_their_vesting_day(lake: Lake, put) -> None:
    put("schwab_awards_v1.json")
    gains = _ledger(lake).realized_gains.sort("acquired_date")
    assert gains.select("acquired_date", "quantity", "cost_basis_usd").rows() == [
        (dt.date(2023, 1, 25), D(10), D(200)),
        (dt.date(2023, 2, 25), D("2.5"), D(65)),
    ]
