"""A simulated population as the night would read it: trades, lots, gains and prices, and the truth apart.

What belongs here: market, households and the tax ledger run one after another, for training and tests
without a warehouse. What does not: how any of them works (``ml/simulate``, ``ml/tax``), what is learned
from them (``population.py``).
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import polars as pl

from ml.simulate.archetypes import PopulationMix
from ml.simulate.households import HouseholdFrames, generate_households
from ml.simulate.market import BENCHMARK_ASSET_ID, MarketFrames, simulate_market
from ml.tax.bulk import run_bulk
from ml.tax.ledger import LedgerInputs

START_DATE: Final = date(2008, 1, 2)
SESSIONS_A_YEAR: Final = 252
OPENING_YEARS: Final = 2.5


@dataclass(frozen=True, slots=True)
class Records:
    """What is on record of a population at a night, in the columns of the warehouse.

    Attributes
    ----------
    transactions, accounts : polars.DataFrame
        As ``core.fct_transactions`` and ``core.dim_accounts``.
    realized_gains, lots : polars.DataFrame
        As ``ml.realized_gains`` and ``ml.tax_lots`` of the night.
    prices : polars.DataFrame
        as_of_date, asset_id, price_usd, total_return_log, is_stale, as ``core.fct_asset_prices__daily``.
    as_of_date : datetime.date
        The night.
    truth : polars.DataFrame
        user_id, archetype, second_archetype, second_share, switch_date, switch_to.
    """

    transactions: pl.DataFrame
    accounts: pl.DataFrame
    realized_gains: pl.DataFrame
    lots: pl.DataFrame
    prices: pl.DataFrame
    as_of_date: date
    truth: pl.DataFrame


def simulate_records(
    *,
    users: int,
    seed: int,
    assets: int = 60,
    years: int = 6,
    mix: PopulationMix | None = None,
    until: date | None = None,
) -> Records:
    """Simulate a market and households on it, and run their ledger.

    Parameters
    ----------
    users : int
        How many users; user i is the same for every ``users`` > i.
    seed : int
        Of market and households.
    assets, years : int
        Size of the market; accounts open over its first 2.5 years.
    mix : ml.simulate.archetypes.PopulationMix, optional
        Shares of the archetypes.
    until : datetime.date, optional
        The night, a session; what happened later is left out. None: the market's last session.

    Returns
    -------
    Records
    """
    market = simulate_market(
        assets=assets, start_date=START_DATE, sessions=years * SESSIONS_A_YEAR, seed=seed
    )
    sessions = _sessions(market)
    households = generate_households(
        _household_prices(market),
        sessions,
        users=users,
        seed=seed,
        start_date=START_DATE,
        opening_years=OPENING_YEARS,
        corporate_actions=market.corporate_actions,
        exclude_assets=(BENCHMARK_ASSET_ID,),
        mix=mix,
    )
    return _records(market, households, sessions, until or sessions["session_date"][-1])


def _sessions(market: MarketFrames) -> pl.DataFrame:
    """The market's sessions: the market fund has a bar on each."""
    return (
        market.daily_bars.filter(pl.col("asset_id") == BENCHMARK_ASSET_ID)
        .select(session_date="trade_date", close_at="known_at")
        .sort("session_date")
        .with_row_index("session_no")
        .with_columns(open_at=pl.col("close_at") - timedelta(hours=6, minutes=30))
    )


def _household_prices(market: MarketFrames) -> pl.DataFrame:
    facts = market.assets.unique("asset_id", keep="first", maintain_order=True)
    return (
        market.daily_bars.join(
            facts.select("asset_id", "asset_class", "sector", "price_basis"), on="asset_id"
        )
        .rename({"close": "price_usd"})
        .sort("asset_id", "trade_date")
    )


def _records(
    market: MarketFrames, households: HouseholdFrames, sessions: pl.DataFrame, night: date
) -> Records:
    """Run the ledger as of a session and name the columns as the warehouse does."""
    accounts = households.accounts.with_columns(tax_unit_id=pl.format("user:{}", "user_id"))
    transactions = (
        households.transactions.with_columns(
            trade_date=pl.col("traded_at").dt.convert_time_zone("America/New_York").dt.date()
        )
        .join(accounts.select("account_id", "user_id", "account_type"), on="account_id")
        .filter(pl.col("trade_date") <= night)
        .sort("account_id", "traded_at", "transaction_id")
    )
    result, _ = run_bulk(
        LedgerInputs(
            transactions,
            market.corporate_actions,
            accounts,
            households.users,
            market.assets.unique("asset_id", keep="last", maintain_order=True),
            sessions,
        ),
        as_of_date=night,
    )
    log_price = pl.col("adjusted_close").log()
    prices = market.daily_bars.sort("asset_id", "trade_date").select(
        "asset_id",
        as_of_date="trade_date",
        price_usd="close",
        total_return_log=(log_price - log_price.shift(1)).over("asset_id"),
        is_stale=pl.lit(False),
    )
    return Records(
        transactions,
        accounts.sort("account_id"),
        result.realized_gains,
        result.open_lots,
        prices.filter(pl.col("as_of_date") <= night).sort("as_of_date", "asset_id"),
        night,
        households.truth.sort("user_id"),
    )
