"""Simulated rows fit the contracts whole, and a population is reproducible."""

import datetime as dt
from dataclasses import replace

import polars as pl
import pytest

from dagster_project.sources.ingest import ingest
from dagster_project.sources.packaged_facts import BENCHMARK_ASSET_IDS
from dagster_project.sources.selection import brokerage_batches, market_batches
from dagster_project.sources.simulated import generator_version, household_prices

USERS = 30
SEED = 11


@pytest.fixture(scope="module")
def market():
    return market_batches("packaged")


@pytest.fixture(scope="module")
def households(market):
    return brokerage_batches("packaged", market, users=USERS, seed=SEED)


def accept(batches):
    result = ingest(
        batches,
        run_id="r",
        as_of_date=dt.date(2022, 12, 28),
        ingested_at=dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
        today=dt.date(2024, 1, 1),
    )
    assert result.quarantine.is_empty()
    return result.accepted


def test_household_prices_leave_the_benchmark_out(market):
    prices = household_prices(market)
    assert not set(BENCHMARK_ASSET_IDS) & set(prices["asset_id"])
    assert prices.select("asset_id", "trade_date").is_unique().all()
    assert prices["price_usd"].min() > 0
    ibm = prices.filter(pl.col("asset_id") == "IBM", pl.col("trade_date") == dt.date(2013, 2, 6))
    assert ibm.select("price_usd", "price_basis", "sector").row(0) == (
        201.02,
        "as_traded",
        "Information Technology",
    )


def test_every_simulated_row_is_accepted_and_says_that_it_is_simulated(market, households):
    accepted = accept([*market, *households])
    assert accepted["brokerage__users"].height == USERS
    for table in ("brokerage__users", "brokerage__accounts", "brokerage__transactions", "goals__statements"):
        assert accepted[table].height > 0
        assert accepted[table]["source"].unique().to_list() == ["simulated"]
        assert accepted[table]["source_file"].str.contains(f"seed{SEED}").all()
    assert set(accepted["brokerage__transactions"]["kind"]) >= {"deposit", "buy", "sell"}


def test_same_seed_gives_the_same_rows(market, households):
    again = brokerage_batches("packaged", market, users=USERS, seed=SEED)
    assert all(one.frame.equals(two.frame) for one, two in zip(households, again, strict=True))
    other = brokerage_batches("packaged", market, users=USERS, seed=SEED + 1)
    ids = [
        {row for batch in batches for row in batch.frame["user_id"]}
        for batches in (households[:1], other[:1])
    ]
    assert not ids[0] & ids[1]


def test_rows_stay_put_when_the_price_data_grows(market, households):
    cut = dt.date(2021, 6, 30)
    shorter = [
        replace(batch, frame=batch.frame.filter(pl.col("trade_date") <= cut))
        if batch.table == "market__daily_bars"
        else batch
        for batch in market
    ]
    earlier = {b.table: b.frame for b in brokerage_batches("packaged", shorter, users=USERS, seed=SEED)}
    later = {b.table: b.frame for b in households}
    until = pl.col("known_at") < dt.datetime(2021, 6, 1, tzinfo=dt.UTC)
    for table, key in (("brokerage__transactions", "transaction_id"), ("brokerage__accounts", "account_id")):
        known = [frame[table].filter(until).sort(key).drop("source_line") for frame in (earlier, later)]
        assert known[0].height > 10
        assert known[0].equals(known[1])


def test_identifiers_name_the_generator_and_fit_together(households):
    frames = {batch.table: batch.frame for batch in households}
    mark = f"{SEED}{generator_version()}-"
    users = set(frames["brokerage__users"]["user_id"])
    assert all(user.startswith(f"u{mark}") for user in users)
    assert set(frames["brokerage__accounts"]["user_id"]) <= users
    trades = frames["brokerage__transactions"]
    assert set(trades["account_id"]) <= set(frames["brokerage__accounts"]["account_id"])
    named = trades["lot_reference"].drop_nulls().str.split(";").explode().str.split(":").list.first()
    assert named.len() > 0
    assert set(named) <= set(trades["transaction_id"])
