"""Which households the compiled engine leaves to the reference engine, and why."""

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from ml.tax.actions import MarketAction
from ml.tax.bulk.columns import LARGEST
from ml.tax.lots import AccountInfo
from ml.tax.units import SHARE

TRADES: Final = ("buy", "reinvestment", "sell")
SPLITS: Final = ("split", "stock_dividend")
_QUIET: Final = ("interest", "fee", "withholding", "deposit", "withdrawal", "journal", "dividend")
KNOWN_KINDS: Final = (*TRADES, *SPLITS, *_QUIET, "capital_gain_distribution")
METHODS: Final = {"fifo": 0, "specific_id": 0, "lifo": 1, "hifo": 2, "average": 3}
_TREATMENTS: Final = ("security", "digital_asset")
# What the engine itself finds while it runs, by its codes (columns.OVERSOLD and so on).
RUN_REASONS: Final = {
    2: "sale beyond holdings",
    3: "split ratio or shares too large",
    4: "wash sale of less than the smallest unit",
    5: "lot reference leaves shares unidentified",
    6: "split leaves no shares",
    7: "holding period starts outside 1860 to 2130",
}


def row_reason() -> pl.Expr:
    """Return why a row is not for the compiled engine, null if it is.

    The frame holds integer units (``quantity``, ``price_usd``, ``amount_usd``, ``fees_usd``, ratios) and
    ``is_deferred``, ``treatment``.
    """
    kind, quantity = pl.col("kind"), pl.col("quantity")
    amount, price = pl.col("amount_usd"), pl.col("price_usd")
    is_buy, is_trade = kind.is_in(TRADES[:2]), kind.is_in(TRADES)
    is_split = kind.is_in(SPLITS)
    value = price.cast(pl.Float64) * quantity.cast(pl.Float64) / SHARE
    ratio = (pl.col("ratio_new") > 0) & (pl.col("ratio_old") > 0)
    lone_distribution = (kind == "capital_gain_distribution") & ~pl.col("is_deferred")
    costless = is_buy & ~((amount < 0).fill_null(False) | (price > 0).fill_null(False))
    large = (value.abs().fill_null(0.0) > LARGEST) | (amount.cast(pl.Float64).abs().fill_null(0.0) > LARGEST)
    return (
        pl.when(~kind.is_in(KNOWN_KINDS) | lone_distribution)
        .then(pl.concat_str(pl.lit("kind "), kind))
        .when((is_trade | is_split) & pl.col("asset_id").is_null())
        .then(pl.lit("trade without an asset"))
        .when(is_trade & (quantity <= 0))
        .then(pl.lit("trade without a quantity"))
        .when(costless)
        .then(pl.lit("purchase without a cost"))
        .when((kind == "sell") & amount.is_null() & price.is_null())
        .then(pl.lit("sale without proceeds"))
        .when(is_split & ~ratio.fill_null(False))
        .then(pl.lit("split without a ratio"))
        .when((kind == "journal") & pl.col("asset_id").is_not_null() & (quantity > 0))
        .then(pl.lit("journal of shares"))
        .when(is_trade & ~pl.col("treatment").fill_null("security").is_in(_TREATMENTS))
        .then(pl.lit("tax treatment of the asset"))
        .when(is_buy & pl.col("transaction_id").str.contains("#", literal=True))
        .then(pl.lit("transaction_id with #"))
        .when((is_trade & large) | (pl.col("fees_usd") < 0) | (price < 0).fill_null(False))
        .then(pl.lit("amount out of range"))
        .otherwise(None)
    )


def account_reasons(infos: Mapping[str, AccountInfo]) -> dict[str, str]:
    """Return households that an account's facts keep from the compiled engine, with the reason."""
    found: dict[str, str] = {}
    unit_household: dict[str, str] = {}
    for info in infos.values():
        if info.lot_method not in METHODS:
            found[info.household_id] = f"lot method {info.lot_method}"
        elif info.methods:
            found[info.household_id] = "lot method changed"
        first = unit_household.setdefault(info.tax_unit_id, info.household_id)
        if first != info.household_id:
            found[info.household_id] = found[first] = "tax unit of several households"
    return found


def action_reasons(actions: Sequence[MarketAction]) -> dict[str, str]:
    """Return assets with a market action that is not for the compiled engine, with the reason."""
    found: dict[str, str] = {}
    for action in actions:
        if action.kind not in SPLITS:
            found[action.asset_id] = f"market {action.kind}"
        elif not (action.ratio_new and action.ratio_old and min(action.ratio_new, action.ratio_old) > 0):
            found[action.asset_id] = "market split without a ratio"
    return found
