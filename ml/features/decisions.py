"""Decisions of each user and what was known of his behaviour before each: the rows of per-user adapters.

What belongs here: one row per (account, session) with an order, plus one session a month without, and 32
features of the user's own earlier rows. What does not: the formulas (``decision_features.py``), what a
decision reveals (``ml/personalization/choice_model.py``).

A feature of a session counts rows of earlier sessions only; rows that are appended later change none of
them. Gains are therefore total returns from the price table and lots are told apart by the day they were
bought: bases and lot numbers change when a later sale washes.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from ml.features.behaviour import account_owners, order_totals, voluntary_sales
from ml.features.choices import buy_sessions, price_history, sale_sessions
from ml.features.decision_features import DECISION_FEATURES, feature_expressions
from ml.features.decision_totals import cumulative_totals, market_state

NO_ORDER_CANDIDATES = 5  # sessions of a month among which the one without an order is looked for
_ALL_SESSIONS = 1_000_000


@dataclass(frozen=True, slots=True)
class Decisions:
    """Decisions of U users, D rows sorted by user, date and account.

    Attributes
    ----------
    rows : polars.DataFrame
        user_id, account_id, trade_date, has_order and one Float32 column per
        :data:`ml.features.decision_features.DECISION_FEATURES`.
    sales : polars.DataFrame
        From :func:`ml.features.choices.sale_sessions`, taxable accounts.
    buys : polars.DataFrame
        From :func:`ml.features.choices.buy_sessions`.
    """

    rows: pl.DataFrame
    sales: pl.DataFrame
    buys: pl.DataFrame

    @property
    def x(self) -> np.ndarray:
        """The features, float32 (D, 32)."""
        return self.rows.select(DECISION_FEATURES).to_numpy().astype(np.float32)

    @property
    def user_ids(self) -> list[str]:
        """The U users with a decision, sorted."""
        return self.rows["user_id"].unique().sort().to_list()

    @property
    def user(self) -> np.ndarray:
        """Position of each row's user in :attr:`user_ids`, int64 (D,)."""
        return self.rows["user_id"].rank("dense").to_numpy().astype(np.int64) - 1

    def of_users(self, users: pl.Series) -> "Decisions":
        """The decisions of some users."""
        rows = self.rows.filter(pl.col("user_id").is_in(users.to_list()))
        accounts = rows.select("account_id").unique()
        sales, buys = (frame.join(accounts, on="account_id", how="semi") for frame in (self.sales, self.buys))
        return Decisions(rows, sales.sort("account_id", "trade_date"), buys.sort("account_id", "trade_date"))


def user_decisions(
    transactions: pl.DataFrame,
    realized_gains: pl.DataFrame,
    as_of_date: date,
    *,
    accounts: pl.DataFrame,
    lots: pl.DataFrame,
    prices: pl.DataFrame,
) -> Decisions:
    """List the decisions of all users up to and including a night.

    Parameters
    ----------
    transactions, realized_gains, as_of_date, accounts, lots, prices
        As for :func:`ml.features.behaviour.behaviour_counts`; ``prices`` with every session since the
        first transaction.

    Returns
    -------
    Decisions
        Users without an order are absent.
    """
    known = transactions.filter(pl.col("trade_date") <= as_of_date)
    prices = prices.filter(pl.col("as_of_date") <= as_of_date)
    owners = account_owners(known, accounts)
    trades = order_totals(known)
    history = price_history(prices)
    sales = voluntary_sales(realized_gains.filter(pl.col("trade_date") <= as_of_date), owners)
    taxable = owners.filter(~pl.col("is_tax_deferred"))
    if "state_date" in lots.columns:
        lots = lots.filter(pl.col("state_date") == as_of_date)
    chosen = sale_sessions(
        _by_day_bought(sales.join(taxable, on="account_id", how="semi"), history, "trade_date"),
        _by_day_bought(lots.join(taxable, on="account_id", how="semi"), history),
        owners.select("account_id", "lot_method"),
        history,
        max_sessions=_ALL_SESSIONS,
    )
    bought = buy_sessions(
        trades.filter(pl.col("kind") == "buy").select("account_id", "asset_id", "trade_date"),
        history,
        max_sessions=_ALL_SESSIONS,
    )
    keys = _decision_keys(known, trades, owners, prices)
    totals = cumulative_totals(known, trades, sales, owners, chosen, history)
    rows = (
        keys.sort("trade_date", "user_id", "account_id")
        .join_asof(
            totals.rename({"trade_date": "last_date"}).sort("last_date"),
            left_on="trade_date",
            right_on="last_date",
            by="user_id",
            allow_exact_matches=False,
            coalesce=False,
            check_sortedness=False,
        )
        .join_asof(
            market_state(prices),
            left_on="trade_date",
            right_on="market_date",
            allow_exact_matches=False,
            coalesce=False,
        )
        .sort("user_id", "trade_date", "account_id")
        .select("user_id", "account_id", "trade_date", "has_order", *feature_expressions())
    )
    return Decisions(rows, chosen, bought)


def _by_day_bought(pieces: pl.DataFrame, history: pl.DataFrame, *keep: str) -> pl.DataFrame:
    """Join pieces of one lot day, with the price level of that day in the place of the cost."""
    level = history.select("asset_id", pl.col("as_of_date").alias("acquired_date"), "level_log")
    return (
        pieces.filter(pl.col("acquired_date").is_not_null())
        .select("account_id", "asset_id", "acquired_date", *keep)
        .unique()
        .sort("acquired_date")
        .join_asof(level.sort("acquired_date"), on="acquired_date", by="asset_id", check_sortedness=False)
        .with_columns(
            pl.col("acquired_date").cast(pl.String).alias("lot_id"),
            pl.lit(1.0).alias("quantity"),
            pl.col("level_log").exp().alias("cost_basis_usd"),
        )
        .drop("level_log")
    )


def _decision_keys(
    known: pl.DataFrame, trades: pl.DataFrame, owners: pl.DataFrame, prices: pl.DataFrame
) -> pl.DataFrame:
    """List (account, session) with an order, and of each month the first session without one."""
    ordered = trades.select("user_id", "account_id", "trade_date").unique().with_columns(has_order=True)
    begins = known.group_by("account_id").agg(pl.col("trade_date").min().alias("begins"))
    users = ordered.select("user_id").unique()
    sessions = (
        prices.select(pl.col("as_of_date").alias("trade_date"))
        .unique()
        .sort("trade_date")
        .with_columns(pl.col("trade_date").dt.truncate("1mo").alias("month"))
        .filter(pl.int_range(pl.len()).over("month") < NO_ORDER_CANDIDATES)
    )
    idle = (
        owners.select("user_id", "account_id")
        .join(users, on="user_id", how="semi")
        .join(begins, on="account_id")
        .join(sessions, how="cross")
        .filter(pl.col("trade_date") > pl.col("begins"))
        .join(ordered, on=["account_id", "trade_date"], how="anti")
        .group_by("user_id", "account_id", "month")
        .agg(pl.col("trade_date").min())
        .select("user_id", "account_id", "trade_date", pl.lit(False).alias("has_order"))
    )
    return pl.concat([ordered, idle])
