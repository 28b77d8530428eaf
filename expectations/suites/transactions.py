"""Brokerage transactions as the warehouse holds them, before lots are made from them.

The table has no as-of cut: a night judges the rows that it reads, so cut by ``known_at`` first.
"""

from datetime import datetime

import polars as pl

from expectations.spec import Suite, between, holds, in_set, not_empty, not_null, only_where, unique, utc
from ml.types import ACCOUNT_TYPES, TRANSACTION_KINDS

_TRADE_KINDS = ("buy", "sell", "short_sale", "buy_to_cover", "reinvestment")
_CASH_OUT_KINDS = ("buy", "buy_to_cover", "reinvestment", "fee", "withholding", "withdrawal")
_CASH_IN_KINDS = ("sell", "short_sale", "deposit", "cash_in_lieu")
# amount = -+ quantity * price - fees; brokers round the price they print and bundle taxes into fees.
_AMOUNT_TOLERANCE_RATIO = 0.02
_AMOUNT_TOLERANCE_USD = 1.0


def _derive(as_of_at: datetime | None) -> list[pl.Expr]:
    kind, amount, fees = pl.col("kind"), pl.col("amount_usd"), pl.col("fees_usd").fill_null(0)
    gross = pl.col("quantity") * pl.col("price_usd")
    slack = _AMOUNT_TOLERANCE_USD + gross.abs() * _AMOUNT_TOLERANCE_RATIO + fees
    explained = (amount.abs() - gross.abs()).abs() <= slack
    has_both = pl.col("asset_id").is_not_null() & pl.col("quantity").is_not_null()
    known = utc("known_at") >= utc("trade_date")
    if as_of_at is not None:
        known &= utc("known_at") <= as_of_at
    return [
        only_where(kind.is_in(_TRADE_KINDS), has_both).alias("has_asset_and_quantity"),
        only_where(kind.is_in(_CASH_OUT_KINDS), amount <= 0).alias("is_cash_out"),
        only_where(kind.is_in(_CASH_IN_KINDS), amount >= 0).alias("is_cash_in"),
        only_where(kind.is_in(("buy", "sell")), explained).alias("is_amount_explained"),
        known.alias("is_known_in_time"),
    ]


TRANSACTIONS = Suite(
    name="transactions",
    table="core.fct_transactions",
    title="Transactions that lots are made from",
    key=("transaction_id",),
    columns=(
        "transaction_id",
        "account_id",
        "user_id",
        "household_id",
        "tax_unit_id",
        "account_type",
        "traded_at",
        "trade_date",
        "kind",
        "asset_id",
        "quantity",
        "price_usd",
        "amount_usd",
        "fees_usd",
        "known_at",
    ),
    derive=_derive,
    expectations=(
        not_empty("no transaction: every account would be empty", severity="warning"),
        *not_null(
            (
                "transaction_id",
                "account_id",
                "household_id",
                "tax_unit_id",
                "trade_date",
                "kind",
                "amount_usd",
                "known_at",
            ),
            "a transaction that cannot be booked",
        ),
        *not_null(("user_id", "account_type"), "an account without an owner or a type"),
        unique(("transaction_id", "known_at"), "a transaction booked twice"),
        in_set("kind", TRANSACTION_KINDS, "a kind that the ledger does not know"),
        in_set("account_type", ACCOUNT_TYPES, "an account type whose tax treatment is unknown"),
        between("quantity", "a quantity of zero or less (direction is in kind)", low=0, strict_low=True),
        between("price_usd", "a price of zero or less", low=0, strict_low=True),
        between("fees_usd", "negative fees", low=0),
        between("amount_usd", "an amount beyond 10 billion USD", low=-1e10, high=1e10),
        holds("has_asset_and_quantity", "a trade without asset or quantity"),
        holds("is_cash_out", "money received for something that costs money", severity="warning"),
        holds("is_cash_in", "money paid for something that brings money", severity="warning"),
        holds(
            "is_amount_explained",
            "an amount that quantity, price and fees do not explain (a wrong unit or currency)",
            severity="warning",
        ),
        holds("is_known_in_time", "known before it was traded, or after the night's cut-off: look-ahead"),
    ),
)

SUITES = (TRANSACTIONS,)
