"""What ingestion fills in where a source is silent: ``known_at`` by table, and stated defaults.

``known_at`` is the first moment at which a row could have been known; a source may state it.
Ingestion never takes the wall clock for it.
"""

import datetime as dt
from collections.abc import Callable
from typing import Final

import polars as pl

from dagster_project.sources.batches import ALWAYS_KNOWN_AT
from dagster_project.sources.calendar import NEW_YORK, close_of, open_of
from dagster_project.sources.symbols import symbol_key_expr

# Kinds that move no cash by themselves: an empty amount is 0.
NON_CASH_KINDS: Final = (
    "split",
    "stock_dividend",
    "spin_off",
    "merger",
    "symbol_change",
    "transfer_in",
    "transfer_out",
    "journal",
    "gift_in",
    "gift_out",
    "inheritance",
    "option_expiry",
)
# Classes that trade around the clock: their day ends at 00:00 UTC.
ROUND_THE_CLOCK_CLASSES: Final = ("crypto", "currency")
RATE_KNOWN_AT: Final = dt.time(12, 0)  # UTC on the next calendar day: before the New York open


def fill_defaults(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Fill the empty cells that a default is stated for.

    Parameters
    ----------
    table : str
        Raw table.
    frame : polars.DataFrame
        Every content column in its type, nulls where the source is silent. Bars and transactions
        carry ``_class``, the asset's class where it is known.

    Returns
    -------
    polars.DataFrame
        The same rows and columns.
    """
    filled = _FILLERS[table](frame)
    # Filling a decimal with a number widens it; the contract's type is the one that came in.
    return filled.select(pl.col(name).cast(dtype) for name, dtype in frame.schema.items())


def _known(frame: pl.DataFrame, fallback: pl.Series | pl.Expr) -> pl.DataFrame:
    return frame.with_columns(known_at=pl.coalesce("known_at", fallback).dt.cast_time_unit("us"))


def _midnight(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Datetime("us")).dt.replace_time_zone(NEW_YORK).dt.convert_time_zone("UTC")


def _assets(frame: pl.DataFrame) -> pl.DataFrame:
    col = pl.col
    frame = frame.with_columns(
        asset_id=pl.coalesce("asset_id", symbol_key_expr("symbol")),
        symbol=pl.coalesce("symbol", "asset_id"),
        asset_class=col("asset_class").fill_null("equity"),
        currency=col("currency").str.to_uppercase().fill_null("USD"),
    ).with_columns(
        name=pl.coalesce("name", "symbol"),
        tax_treatment=pl.coalesce(
            "tax_treatment",
            pl.when(col("asset_class") == "crypto")
            .then(pl.lit("digital_asset"))
            .otherwise(pl.lit("security")),
        ),
    )
    return _known(frame, pl.coalesce(_midnight("listed_date"), pl.lit(ALWAYS_KNOWN_AT)))


def _bars(frame: pl.DataFrame) -> pl.DataFrame:
    closes = close_of("trade_date", frame)
    next_midnight = (
        pl.col("trade_date").dt.offset_by("1d").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    )
    around = pl.col("_class").is_in(list(ROUND_THE_CLOCK_CLASSES)).fill_null(False)
    return _known(frame, pl.when(around).then(next_midnight).otherwise(closes))


def _corporate_actions(frame: pl.DataFrame) -> pl.DataFrame:
    return _known(frame, open_of("ex_date", frame))


def _rates(frame: pl.DataFrame) -> pl.DataFrame:
    frame = frame.with_columns(pl.col("tenor").fill_null("3m"))
    return _known(
        frame, pl.col("rate_date").dt.offset_by("1d").dt.combine(RATE_KNOWN_AT).dt.replace_time_zone("UTC")
    )


def _users(frame: pl.DataFrame) -> pl.DataFrame:
    frame = frame.with_columns(
        household_id=pl.coalesce("household_id", "user_id"), state=pl.col("state").str.to_uppercase()
    )
    year_start = pl.date(pl.col("tax_year"), 1, 1).cast(pl.Datetime("us")).dt.replace_time_zone(NEW_YORK)
    return _known(frame, pl.coalesce(year_start.dt.convert_time_zone("UTC"), pl.lit(ALWAYS_KNOWN_AT)))


def _accounts(frame: pl.DataFrame) -> pl.DataFrame:
    frame = frame.with_columns(pl.col("lot_method").fill_null("fifo"), pl.col("fractional").fill_null(True))
    return _known(frame, pl.coalesce(_midnight("opened_date"), pl.lit(ALWAYS_KNOWN_AT)))


def _transactions(frame: pl.DataFrame) -> pl.DataFrame:
    col = pl.col
    non_cash = col("kind").is_in(list(NON_CASH_KINDS)).fill_null(False)
    frame = frame.with_columns(
        traded_at_is_date=col("traded_at_is_date").fill_null(False),
        fees_usd=col("fees_usd").fill_null(0),
        amount_usd=pl.when(non_cash).then(col("amount_usd").fill_null(0)).otherwise("amount_usd"),
    ).with_columns(
        trade_date=pl.coalesce(
            "trade_date",
            pl.when("traded_at_is_date")
            .then(col("traded_at").dt.date())
            .otherwise(col("traded_at").dt.convert_time_zone(NEW_YORK).dt.date()),
        )
    )
    frame = frame.with_columns(_at_close("traded_at", frame.with_columns(_day="trade_date")))
    return _known(frame, col("traded_at"))


def _statements(frame: pl.DataFrame) -> pl.DataFrame:
    frame = frame.with_columns(_day=pl.col("stated_at").dt.date())
    frame = frame.with_columns(_at_close("stated_at", frame)).drop("_day")
    return _known(frame, pl.col("stated_at"))


def _at_close(column: str, frame: pl.DataFrame) -> pl.Expr:
    """Replace the midnight of a bare date by that session's close."""
    is_date = pl.col(f"{column}_is_date").fill_null(False)
    return pl.when(is_date).then(close_of("_day", frame)).otherwise(pl.col(column)).alias(column)


_FILLERS: Final[dict[str, Callable[[pl.DataFrame], pl.DataFrame]]] = {
    "market__assets": _assets,
    "market__daily_bars": _bars,
    "market__corporate_actions": _corporate_actions,
    "market__rates": _rates,
    "brokerage__users": _users,
    "brokerage__accounts": _accounts,
    "brokerage__transactions": _transactions,
    "goals__statements": _statements,
}
