"""Running totals of a user's behaviour by day, from which the features of decisions are read.

What belongs here: per user and day, sums since his first row; the state of the market by session. What
does not: ratios and scales (``decision_features.py``), the join to decisions (``decisions.py``).
"""

import polars as pl

from ml.features.behaviour import REPLACEMENT_DAYS
from ml.features.choices import MONTHS, VOLATILITIES

QUICK_DAYS = 20
LONG_TERM_DAYS = 365
LARGE_GAIN = 0.05
MONTH_SESSIONS, VOLATILITY_SESSIONS = 21, 63
_PER_USER_DAY = ("user_id", "trade_date")


def cumulative_totals(
    transactions: pl.DataFrame,
    trades: pl.DataFrame,
    sales: pl.DataFrame,
    owners: pl.DataFrame,
    sale_choices: pl.DataFrame,
    history: pl.DataFrame,
) -> pl.DataFrame:
    """Sum each user's behaviour up to and including each day on which he had a row.

    Parameters
    ----------
    transactions, trades, sales, owners : polars.DataFrame
        Known rows; orders, voluntary sales and accounts from :mod:`ml.features.behaviour`.
    sale_choices, history : polars.DataFrame
        From :func:`ml.features.choices.sale_sessions` and :func:`ml.features.choices.price_history`.

    Returns
    -------
    polars.DataFrame
        user_id, trade_date, one Float64 column per total, first_date, last_decision_date,
        last_deposit_date; sorted by user and date.
    """
    taxable = sales.filter(~pl.col("is_tax_deferred"))
    units = _sale_units(taxable, history)
    parts = [
        _order_events(trades, owners),
        _cell_events(trades, history),
        _unit_events(units),
        _replacement_events(units, taxable, trades),
        sale_choices.join(owners.select("account_id", "user_id"), on="account_id").select(
            "user_id", "trade_date", "gains_sold", "gains_eligible", "losses_sold", "losses_eligible"
        ),
        transactions.select("user_id", "trade_date", (pl.col("kind") == "deposit").alias("deposits")),
    ]
    day = pl.concat(
        [part.with_columns(pl.exclude(_PER_USER_DAY).cast(pl.Float64)) for part in parts], how="diagonal"
    )
    names = [name for name in day.columns if name not in _PER_USER_DAY]
    by_day = (
        day.filter(pl.col("user_id").is_not_null())
        .group_by(_PER_USER_DAY)
        .agg(pl.col(names).sum())
        .sort(_PER_USER_DAY)
    )
    decided, date = pl.col("decisions") > 0, pl.col("trade_date")
    by_day = by_day.with_columns(
        date.first().over("user_id").alias("first_date"),
        pl.when(decided).then(date).forward_fill().over("user_id").alias("last_decision_date"),
        pl.when(pl.col("deposits") > 0).then(date).forward_fill().over("user_id").alias("last_deposit_date"),
    )
    before = pl.col("last_decision_date").shift(1).over("user_id")
    gap = pl.when(decided).then((date - before).dt.total_days()).cast(pl.Float64).fill_null(0.0)
    return (
        by_day.with_columns(
            gap.alias("gap"), (gap > 0).cast(pl.Float64).alias("gaps"), (gap**2).alias("gap_squared")
        )
        .with_columns(pl.col(*names, "gap", "gaps", "gap_squared").cum_sum().over("user_id"))
        .sort(_PER_USER_DAY)
    )


def market_state(prices: pl.DataFrame) -> pl.DataFrame:
    """Give the mean asset's last month: market_date, market_month (log return over its own volatility)."""
    step = pl.col("total_return_log").cast(pl.Float64)
    return (
        prices.group_by("as_of_date")
        .agg(step.mean().fill_null(0.0).round(12).alias("step"))
        .sort("as_of_date")
        .select(
            pl.col("as_of_date").alias("market_date"),
            (
                pl.col("step").rolling_sum(MONTH_SESSIONS)
                / (pl.col("step").rolling_std(VOLATILITY_SESSIONS) * MONTH_SESSIONS**0.5)
            ).alias("market_month"),
        )
    )


def _order_events(trades: pl.DataFrame, owners: pl.DataFrame) -> pl.DataFrame:
    """Decisions, orders and their USD per user and day."""
    is_buy = pl.col("kind").is_in(("buy", "buy_to_cover"))
    orders = (
        trades.join(owners.select("account_id", "is_tax_deferred"), on="account_id")
        .group_by(_PER_USER_DAY)
        .agg(
            pl.col("account_id").n_unique().alias("decisions"),
            pl.col("account_id").filter(pl.col("is_tax_deferred")).n_unique().alias("deferred_decisions"),
            is_buy.sum().alias("buys"),
            (~is_buy).sum().alias("sells"),
            pl.col("usd").sum().round(6).alias("usd"),
            (pl.col("usd") ** 2).sum().round(3).alias("usd_squared"),
        )
    )
    firsts = (
        trades.group_by("user_id", "asset_id")
        .agg(pl.col("trade_date").min())
        .select("user_id", "trade_date", pl.lit(1).alias("assets"))
    )
    return pl.concat([orders, firsts], how="diagonal")


def _cell_events(trades: pl.DataFrame, history: pl.DataFrame) -> pl.DataFrame:
    """Terciles of what was bought and sold: past week, past month, volatility."""
    cell = pl.col("buy_cell")
    calm = cell % len(VOLATILITIES)
    month = (cell // len(VOLATILITIES)) % len(MONTHS)
    week = cell // (len(VOLATILITIES) * len(MONTHS))
    ranked = history.filter(cell.is_not_null()).select(
        "asset_id", pl.col("as_of_date").alias("trade_date"), "buy_cell"
    )
    placed = trades.join(ranked, on=["asset_id", "trade_date"])
    bought, sold = placed.filter(pl.col("kind") == "buy"), placed.filter(pl.col("kind") == "sell")
    return pl.concat(
        [
            bought.group_by(_PER_USER_DAY).agg(
                pl.len().alias("ranked_buys"),
                (calm - 1).sum().alias("buy_volatility"),
                (calm == 0).sum().alias("calm_buys"),
                (calm == 2).sum().alias("wild_buys"),
                (week - 1).sum().alias("buy_week"),
                (month - 1).sum().alias("buy_month"),
                (week != 1).sum().alias("buy_week_extreme"),
                (month != 1).sum().alias("buy_month_extreme"),
            ),
            sold.group_by(_PER_USER_DAY).agg(
                pl.len().alias("ranked_sells"), (calm - 1).sum().alias("sell_volatility")
            ),
        ],
        how="diagonal",
    )


def _sale_units(sales: pl.DataFrame, history: pl.DataFrame) -> pl.DataFrame:
    """Taxable sales by (account, asset, session, day bought), with days held and total return."""
    level = history.select("asset_id", pl.col("as_of_date").alias("day"), pl.col("level_log"))
    units = (
        sales.filter(pl.col("acquired_date").is_not_null())
        .select("user_id", "account_id", "asset_id", "trade_date", "acquired_date")
        .unique()
    )
    for column, name in (("acquired_date", "entry_log"), ("trade_date", "exit_log")):
        units = units.sort(column).join_asof(
            level.rename({"level_log": name}).sort("day"),
            left_on=column,
            right_on="day",
            by="asset_id",
            check_sortedness=False,
        )
        units = units.drop("day", strict=False)
    return units.with_columns(
        (pl.col("trade_date") - pl.col("acquired_date")).dt.total_days().alias("days"),
        ((pl.col("exit_log") - pl.col("entry_log")).exp() - 1.0).round(9).alias("gain"),
    ).filter(pl.col("gain").is_not_null() & (pl.col("gain") != 0.0))


def _unit_events(units: pl.DataFrame) -> pl.DataFrame:
    """Sales by term, sign, size and season per user and day."""
    days, is_gain = pl.col("days"), pl.col("gain") > 0.0
    is_year_end = pl.col("trade_date").dt.month() >= 11
    return units.group_by(_PER_USER_DAY).agg(
        pl.len().alias("units"),
        is_gain.sum().alias("gains"),
        (~is_gain).sum().alias("losses"),
        (days > LONG_TERM_DAYS).sum().alias("long_units"),
        (is_gain & (days > LONG_TERM_DAYS)).sum().alias("long_gains"),
        (~is_gain & (days <= LONG_TERM_DAYS)).sum().alias("short_losses"),
        (is_gain & days.is_between(366, 430)).sum().alias("gains_after_wait"),
        (is_gain & days.is_between(300, 365)).sum().alias("gains_before_wait"),
        (is_gain & (days <= QUICK_DAYS)).sum().alias("quick_gains"),
        (pl.col("gain") >= LARGE_GAIN).sum().alias("large_gains"),
        (pl.col("gain") <= -LARGE_GAIN).sum().alias("large_losses"),
        (~is_gain & is_year_end).sum().alias("year_end_losses"),
        days.cast(pl.Float64).log1p().sum().round(9).alias("log_days"),
    )


def _replacement_events(units: pl.DataFrame, sales: pl.DataFrame, trades: pl.DataFrame) -> pl.DataFrame:
    """Loss sales that another purchase of like size followed within five days, on the day it did."""
    key = ["user_id", "account_id", "asset_id", "trade_date"]
    losses = (
        units.filter(pl.col("gain") < 0.0)
        .select(key)
        .unique()
        .join(sales.group_by(key).agg(pl.col("proceeds_usd").sum().round(6)), on=key)
    )
    buys = trades.filter(pl.col("kind") == "buy").select(
        "user_id", pl.col("asset_id").alias("bought_id"), pl.col("trade_date").alias("bought_date"), "usd"
    )
    replaced = (
        losses.with_columns(pl.int_ranges(0, REPLACEMENT_DAYS + 1).alias("after"))
        .explode("after")
        .with_columns((pl.col("trade_date") + pl.duration(days="after")).alias("bought_date"))
        .join(buys, on=["user_id", "bought_date"])
        .filter(
            (pl.col("bought_id") != pl.col("asset_id"))
            & pl.col("usd").is_between(0.5 * pl.col("proceeds_usd"), 1.5 * pl.col("proceeds_usd"))
        )
        .group_by(key)
        .agg(pl.col("bought_date").min())
    )
    return pl.concat(
        [
            losses.select(_PER_USER_DAY).with_columns(loss_sales=1),
            replaced.select("user_id", pl.col("bought_date").alias("trade_date"), replaced_losses=pl.lit(1)),
        ],
        how="diagonal",
    )
