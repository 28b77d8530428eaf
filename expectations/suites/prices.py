"""Prices: the raw daily bars, and the prices as they were known at a session's close."""

from datetime import datetime

import polars as pl

from expectations.spec import (
    Suite,
    between,
    holds,
    in_set,
    known_by_cutoff,
    not_empty,
    not_null,
    only_where,
    unique,
    utc,
)
from ml.types import PRICE_BASES, STALE_AFTER_SESSIONS

# A simple return outside -95 % .. +1,900 % in one session is nearly always an unadjusted split.
_IMPLAUSIBLE_LOG_RETURN = 3.0
_SUSPICIOUS_LOG_RETURN = 0.7
# Bars come from several vendors whose highs and lows are rounded apart from their closes.
_PRICE_TOLERANCE = 1e-6


def _derive_prices(as_of_at: datetime | None) -> list[pl.Expr]:
    is_old = pl.col("sessions_since_bar") >= STALE_AFTER_SESSIONS
    return [
        known_by_cutoff(as_of_at, "as_of_date"),
        (pl.col("price_date") <= pl.col("as_of_date")).alias("is_bar_not_later"),
        (pl.col("is_stale") == is_old).alias("is_stale_by_age"),
    ]


def _derive_bars(as_of_at: datetime | None) -> list[pl.Expr]:
    prices = ("open", "high", "low", "close", "adjusted_close")
    slack = pl.max_horizontal("open", "high", "low", "close").abs() * _PRICE_TOLERANCE
    inside = (pl.max_horizontal("open", "close") <= pl.col("high") + slack) & (
        pl.min_horizontal("open", "close") >= pl.col("low") - slack
    )
    has_range = pl.col("high").is_not_null() & pl.col("low").is_not_null()
    return [
        only_where(has_range, pl.col("high") >= pl.col("low")).alias("is_high_not_below_low"),
        only_where(has_range & pl.col("close").is_not_null(), inside).alias("is_inside_range"),
        (pl.col("close").is_not_null() | pl.col("adjusted_close").is_not_null()).alias("has_a_price"),
        (utc("known_at") >= utc("trade_date")).alias("is_known_after_date"),
        pl.all_horizontal(pl.col(column).is_infinite().not_().fill_null(True) for column in prices).alias(
            "is_finite"
        ),
    ]


PRICES = Suite(
    name="prices",
    table="core.fct_asset_prices__daily",
    title="Prices as known at a session's close",
    key=("as_of_date", "asset_id"),
    columns=(
        "as_of_date",
        "asset_id",
        "price_usd",
        "price_date",
        "total_return_log",
        "dollar_volume_usd",
        "sessions_since_bar",
        "is_stale",
        "price_basis",
        "known_at",
    ),
    derive=_derive_prices,
    expectations=(
        not_empty("no asset has a price: nothing can be valued"),
        *not_null(
            (
                "as_of_date",
                "asset_id",
                "price_usd",
                "price_date",
                "sessions_since_bar",
                "is_stale",
                "known_at",
            ),
            "a price row that cannot be placed in time or valued",
        ),
        unique(("as_of_date", "asset_id"), "an asset with two prices on one session"),
        between("price_usd", "a price of zero or less", low=0, strict_low=True),
        between("price_usd", "a price above 10 million USD a share", high=1e7, severity="warning"),
        between(
            "total_return_log",
            "a one-session return that only a missed split explains",
            low=-_IMPLAUSIBLE_LOG_RETURN,
            high=_IMPLAUSIBLE_LOG_RETURN,
        ),
        between(
            "total_return_log",
            "a one-session move beyond a factor of two",
            low=-_SUSPICIOUS_LOG_RETURN,
            high=_SUSPICIOUS_LOG_RETURN,
            severity="warning",
        ),
        between("dollar_volume_usd", "negative traded volume", low=0),
        between("sessions_since_bar", "a bar from the future of its session", low=0),
        in_set("price_basis", PRICE_BASES, "an unknown price basis: lots would be valued on the wrong scale"),
        holds("is_known_by_cutoff", "a price that was not known at the session's close: look-ahead"),
        holds("is_bar_not_later", "a bar dated after its session: look-ahead"),
        holds("is_stale_by_age", f"is_stale disagrees with the rule of {STALE_AFTER_SESSIONS} sessions"),
    ),
)

DAILY_BARS = Suite(
    name="daily_bars",
    table="raw.market__daily_bars",
    title="Daily bars as ingested",
    key=("asset_id", "trade_date", "source"),
    columns=(
        "asset_id",
        "trade_date",
        "source",
        "open",
        "high",
        "low",
        "close",
        "adjusted_close",
        "volume",
        "known_at",
    ),
    derive=_derive_bars,
    expectations=(
        not_empty("no bar at all: the source delivered nothing"),
        *not_null(("asset_id", "trade_date", "source", "known_at"), "a bar that cannot be placed"),
        unique(("asset_id", "trade_date", "source", "known_at"), "a bar ingested twice"),
        *(
            between(column, "a price of zero or less", low=0, strict_low=True)
            for column in ("open", "high", "low", "close", "adjusted_close")
        ),
        between("volume", "negative volume", low=0),
        holds("has_a_price", "a bar with neither close nor adjusted close"),
        holds("is_high_not_below_low", "high below low"),
        holds("is_inside_range", "open or close outside the day's range", severity="warning"),
        holds("is_known_after_date", "a bar known before its own day: look-ahead"),
        holds("is_finite", "an infinite price"),
    ),
)

SUITES = (PRICES, DAILY_BARS)
