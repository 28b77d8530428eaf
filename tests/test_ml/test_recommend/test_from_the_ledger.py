"""The exact ledger drives the orders: its rates, its wash windows and its provisional losses."""

import dataclasses
from datetime import date, timedelta

import polars as pl
import pytest

from ml.recommend import recommend_night
from ml.tax.ledger import LedgerResult, run_ledger
from tests.test_ml.test_tax.conftest import build_inputs

AS_OF = date(2022, 11, 30)
ACCOUNTS = {"a0": "taxable", "a1": "roth_ira"}
HOUSEHOLD = [{"household_id": "h1"}, {"household_id": "h1", "account_type": "roth_ira"}]
OLD = date(2020, 1, 2)


def trade(days_ago: int, kind: str, quantity: float, price: float, account: str = "a0") -> dict:
    amount = quantity * price * (-1 if kind == "buy" else 1)
    day = (AS_OF - timedelta(days=days_ago)).isoformat()
    return {
        "day": day,
        "kind": kind,
        "asset_id": "A",
        "account_id": account,
        "quantity": quantity,
        "amount_usd": amount,
    }


def ledger_of(rows: list[dict], **options) -> LedgerResult:
    """Run the ledger of household h1: a taxable account and a Roth IRA of one user."""
    rows = sorted(rows, key=lambda row: row["day"])
    return run_ledger(
        build_inputs(rows, accounts=ACCOUNTS, assets={"A": {}}, **options), as_of_date=AS_OF
    )


def orders(result: LedgerResult, hand_night, wanting, lots, cash, **targets) -> pl.DataFrame:
    """Recommend on hand-made lots with the ledger's windows and rates."""
    night = hand_night(lots, cash, HOUSEHOLD)
    unit = night.accounts["tax_unit_id"][0]
    night = dataclasses.replace(
        night,
        wash_windows=result.wash_windows,
        tax_unit_years=result.tax_unit_years.with_columns(pl.lit(unit).alias("tax_unit_id")),
    )
    return recommend_night(night, targets_of=wanting(**targets)).lot_orders


@pytest.mark.parametrize(("days_ago", "buys"), [(30, 0), (31, 1)])
def test_a_provisional_loss_keeps_the_ira_from_buying(hand_night, wanting, days_ago: int, buys: int) -> None:
    """A taxable loss 30 days ago is provisional, so the IRA may not buy; the day after it may."""
    result = ledger_of([trade(400, "buy", 10, 50), trade(days_ago, "sell", 10, 40)])
    assert result.realized_gains["is_provisional"].to_list() == [not buys]
    found = orders(result, hand_night, wanting, [], {"a0": 0.0, "a1": 10_000.0}, a0={}, a1={"A": 0.9})
    assert found.filter(pl.col("lot_id") == "new").height == buys


def test_a_loss_that_is_washed_already_locks_nothing(hand_night, wanting) -> None:
    """The IRA's purchase replaced every share: a further purchase can wash nothing more."""
    rows = [trade(400, "buy", 10, 50), trade(20, "sell", 10, 40), trade(10, "buy", 10, 41, "a1")]
    result = ledger_of(rows)
    assert result.realized_gains["is_permanent"].to_list() == [True]
    found = orders(result, hand_night, wanting, [], {"a0": 0.0, "a1": 10_000.0}, a0={}, a1={"A": 0.9})
    assert found["lot_id"].to_list() == ["new"]


@pytest.mark.parametrize(("days_ago", "sold"), [(30, []), (31, ["loss"])])
def test_an_unused_ira_purchase_keeps_a_loss_from_being_sold(hand_night, wanting, days_ago, sold) -> None:
    """A recurring purchase in the IRA would wash the harvest of the taxable account."""
    result = ledger_of([trade(900, "buy", 50, 160), trade(days_ago, "buy", 10, 100, "a1")])
    lots = [("a0", "A", "loss", 50, 8000, OLD), ("a1", "A", "ira", 10, 1000, AS_OF - timedelta(days_ago))]
    found = orders(result, hand_night, wanting, lots, {"a0": 0.0, "a1": 0.0}, a0={}, a1={"A": 1.0})
    assert found.filter(pl.col("account_id") == "a0")["lot_id"].to_list() == sold


@pytest.mark.parametrize(
    ("income", "term_days", "rate"),
    [(30_000, 100, 0.12), (30_000, 1000, 0.0), (120_000, 100, 0.24), (120_000, 1000, 0.15)],
)
def test_orders_are_taxed_at_the_units_marginal_rates(hand_night, wanting, income, term_days, rate) -> None:
    """2022, single: 12 % and 0 % at 30,000 of taxable income, 24 % and 15 % at 120,000."""
    user = {"ordinary_taxable_income_usd": income, "magi_usd": income}
    result = ledger_of([trade(term_days, "buy", 10, 90)], users=[user])
    lots = [("a0", "A", "1", 10, 900, AS_OF - timedelta(term_days))]
    sale = orders(result, hand_night, wanting, lots, {"a0": 0.0, "a1": 0.0}, a0={}, a1={}).row(0, named=True)
    assert sale["gain_usd"] > 90
    assert float(sale["tax_usd"] / sale["gain_usd"]) == pytest.approx(rate, abs=1e-6)


def test_gains_of_the_year_move_the_rates(hand_night, wanting) -> None:
    """A net loss beyond the limit makes the next dollar of gain free this year."""
    user = {"ordinary_taxable_income_usd": 120_000, "magi_usd": 120_000}
    rows = [trade(900, "buy", 100, 200), trade(100, "sell", 100, 100)]
    result = ledger_of(rows, users=[user])
    assert result.tax_unit_years.row(-1, named=True)["lt_net_usd"] == -10_000
    lots = [("a0", "A", "1", 10, 900, AS_OF - timedelta(1000))]
    sale = orders(result, hand_night, wanting, lots, {"a0": 0.0, "a1": 0.0}, a0={}, a1={}).row(0, named=True)
    assert sale["tax_usd"] == 0
