"""The ``simulated`` source: what the generators of ``ml.simulate`` make, as batches.

There is no public investor-level transaction data, so that the default households are generated
too, on the packaged prices; their rows have source ``simulated`` and say so wherever they show.
A generator runs once per seed to the end of the data; readers cut by ``known_at``.
"""

from collections.abc import Sequence
from typing import Final

import polars as pl

from dagster_project.sources.batches import Batch, typed_batch
from dagster_project.sources.calendar import session_frame
from dagster_project.sources.contracts import RAW_TABLES
from dagster_project.sources.defaults import fill_defaults
from dagster_project.sources.packaged_facts import BENCHMARK_ASSET_IDS

SOURCE: Final = "simulated"
_HOUSEHOLD_TABLES: Final = {
    "users": "brokerage__users",
    "accounts": "brokerage__accounts",
    "transactions": "brokerage__transactions",
    "goals": "goals__statements",
}


_MARKET_TABLES: Final = {
    "assets": "market__assets",
    "daily_bars": "market__daily_bars",
    "corporate_actions": "market__corporate_actions",
    "rates": "market__rates",
}


def simulated_market_batches(*, assets: int, years: int, seed: int) -> list[Batch]:
    """Simulate assets, bars, corporate actions and rates.

    Parameters
    ----------
    assets, years : int
        Size of the market; it ends at the last packaged session.
    seed : int
        Same size and seed: same rows.
    """
    from ml.simulate.market import generate_market

    market = generate_market(session_frame(), assets=assets, years=years, seed=seed)
    return [
        typed_batch(table, SOURCE, f"simulated/market-seed{seed}/{name}", getattr(market, name))
        for name, table in _MARKET_TABLES.items()
    ]


def household_prices(batches: Sequence[Batch]) -> pl.DataFrame:
    """Prices that households can trade at, from typed market batches.

    Parameters
    ----------
    batches : sequence of Batch
        Typed batches with assets and bars.

    Returns
    -------
    polars.DataFrame
        ``asset_id``, ``trade_date``, ``price_usd`` (close if as traded, else adjusted close),
        ``asset_class``, ``sector``, ``price_basis``, by asset and date; benchmarks are left out.
    """
    typed = [batch for batch in batches if not batch.is_text]
    facts = ["asset_id", "asset_class", "sector", "price_basis"]
    assets = pl.concat([_with(b.frame, facts, pl.String()) for b in typed if b.table == "market__assets"])
    assets = assets.unique("asset_id", keep="last")
    prices = ["asset_id", "trade_date", "close", "adjusted_close"]
    bars = pl.concat([_with(b.frame, prices, pl.Float64()) for b in typed if b.table == "market__daily_bars"])
    as_traded = pl.col("price_basis") == "as_traded"
    return (
        bars.join(assets, on="asset_id")
        .filter(~pl.col("asset_id").is_in(list(BENCHMARK_ASSET_IDS)))
        .select(
            "asset_id",
            "trade_date",
            price_usd=pl.when(as_traded).then("close").otherwise("adjusted_close"),
            asset_class="asset_class",
            sector="sector",
            price_basis="price_basis",
        )
        .drop_nulls("price_usd")
        .sort("asset_id", "trade_date")
    )


def _with(frame: pl.DataFrame, names: Sequence[str], dtype: pl.DataType) -> pl.DataFrame:
    absent = [pl.lit(None, dtype).alias(name) for name in names if name not in frame.columns]
    return frame.with_columns(absent).select(names)


def household_batches(market: Sequence[Batch], *, users: int, seed: int) -> list[Batch]:
    """Simulate users, accounts, transactions and goals on the prices of a market.

    Parameters
    ----------
    market : sequence of Batch
        Typed market batches, as ``market_batches`` returns them.
    users : int
        Number of users.
    seed : int
        Same market, number and seed: same rows. The seed is part of every identifier.
    """
    from ml.simulate.households import generate_households

    households = generate_households(
        household_prices(market),
        session_frame(),
        users=users,
        seed=seed,
        corporate_actions=_corporate_actions(market),
    )
    return [
        typed_batch(table, SOURCE, f"simulated/households-seed{seed}/{name}", getattr(households, name))
        for name, table in _HOUSEHOLD_TABLES.items()
    ]


def _corporate_actions(market: Sequence[Batch]) -> pl.DataFrame:
    """Corporate actions of the typed batches, in contract columns and with their ``known_at``."""
    table = "market__corporate_actions"
    schema = RAW_TABLES[table].content_schema
    frames = [batch for batch in market if batch.table == table and not batch.is_text]
    actions = [fill_defaults(table, _complete(batch.frame, schema)) for batch in frames]
    return pl.concat([pl.DataFrame(schema=schema), *actions]).sort("asset_id", "ex_date", "kind")


def _complete(frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    absent = [pl.lit(None).alias(name) for name in schema if name not in frame.columns]
    return frame.with_columns(absent).select(pl.col(name).cast(dtype) for name, dtype in schema.items())
