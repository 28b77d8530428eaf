"""Counts over behaviour: what each user did, from rows up to the night, beside what he could have done.

What belongs here: one row per user of plain counts, medians and shares. What does not: what a count
says about an objective (``ml/personalization``), lots and gains themselves (``ml/tax``).

A count of sales means little without the chances behind it: whoever holds nothing but winners sells
winners. So every sale session is also counted as "sold" and "expected" per cell (age x gain), where
expected is what a random choice among the lots that could have been sold would give; purchases
likewise against the universe of that session (``choices.py``).
"""

from datetime import date

import polars as pl

from ml.features.choices import BUY_CELLS, SALE_CELLS, buy_choices, price_history, sale_choices
from ml.types import TAX_DEFERRED_ACCOUNT_TYPES

ORDER_KINDS = ("buy", "sell", "short_sale", "buy_to_cover")
REPLACEMENT_DAYS = 5
REBUY_DAYS = 30
CASH_NEED_DAYS = 10

_SUMMARY: dict[str, tuple[pl.DataType, str]] = {
    "user_id": (pl.String(), "The user."),
    "n_decisions": (pl.Int64(), "(account, session) pairs with at least one order."),
    "n_buys": (pl.Int64(), "Distinct (account, asset, session) bought."),
    "n_sells": (pl.Int64(), "Distinct (account, asset, session) sold."),
    "history_days": (pl.Int64(), "Calendar days from the first transaction to the night."),
    "decisions_per_year": (pl.Float64(), "n_decisions over history in years (at least a quarter)."),
    "turnover_ann": (
        pl.Float64(),
        "Smaller of bought and sold USD over mean capital at work and years; null without lots.",
    ),
    "n_short_gain": (
        pl.Int64(),
        "Taxable sales (account, asset, session, term) of short-term lots at a gain.",
    ),
    "n_long_gain": (pl.Int64(), "The same, long-term at a gain."),
    "n_short_loss": (pl.Int64(), "The same, short-term at a loss."),
    "n_long_loss": (pl.Int64(), "The same, long-term at a loss."),
    "n_held_upto_20d": (pl.Int64(), "Taxable sales of lots held 20 calendar days or less."),
    "n_held_21_120d": (pl.Int64(), "Held 21 to 120 days."),
    "n_held_121_365d": (pl.Int64(), "Held 121 to 365 days."),
    "n_held_366d_on": (pl.Int64(), "Held 366 days or more."),
    "n_gain_300_365d": (pl.Int64(), "Gains taken on days 300 to 365: the wait that did not happen."),
    "n_gain_366_430d": (pl.Int64(), "Gains taken on days 366 to 430: the wait that did."),
    "median_days_gain": (pl.Float64(), "Median days held of gains; null without gains."),
    "median_days_loss": (pl.Float64(), "Median days held of losses; null without losses."),
    "short_gain_share": (pl.Float64(), "n_short_gain over all gains; null without gains."),
    "loss_share": (pl.Float64(), "Losses over all taxable sales; null without sales."),
    "december_loss_share": (pl.Float64(), "Losses of December over all losses; null without losses."),
    "n_replaced_losses": (
        pl.Int64(),
        "Losses followed within 5 days by a purchase of another asset of like size.",
    ),
    "n_rebought_losses": (pl.Int64(), "Losses whose asset was bought again within 30 days after."),
    "n_sells_for_cash": (pl.Int64(), "Sales followed by a withdrawal within 10 days."),
    "n_deposits": (pl.Int64(), "Deposits."),
    "n_withdrawals": (pl.Int64(), "Withdrawals."),
    "n_sale_choices": (pl.Int64(), "Sale sessions with more than one kind of lot to choose from (last 100)."),
    "n_buy_choices": (pl.Int64(), "Purchases in sessions whose universe is ranked (last 100 sessions)."),
    "pgr": (
        pl.Float64(),
        "Gains sold over gains that could have been sold, same sessions; null without any.",
    ),
    "plr": (
        pl.Float64(),
        "Losses sold over losses that could have been sold, same sessions; null without any.",
    ),
}
BEHAVIOUR_COLUMNS: dict[str, tuple[pl.DataType, str]] = (
    _SUMMARY
    | {
        f"sold__{cell}": (pl.Float64(), f"Sale choices that took a lot of kind {cell}.")
        for cell in SALE_CELLS
    }
    | {f"sold_expected__{cell}": (pl.Float64(), f"Of {cell}, by random choices.") for cell in SALE_CELLS}
    | {f"bought__{cell}": (pl.Float64(), f"Purchases of assets of kind {cell}.") for cell in BUY_CELLS}
    | {f"bought_expected__{cell}": (pl.Float64(), f"Of {cell}, by random purchases.") for cell in BUY_CELLS}
)
BEHAVIOUR_SCHEMA: dict[str, pl.DataType] = {name: dtype for name, (dtype, _) in BEHAVIOUR_COLUMNS.items()}


def behaviour_counts(
    transactions: pl.DataFrame,
    realized_gains: pl.DataFrame,
    as_of_date: date,
    *,
    accounts: pl.DataFrame | None = None,
    lots: pl.DataFrame | None = None,
    prices: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Count each user's behaviour up to and including ``as_of_date``.

    Parameters
    ----------
    transactions : polars.DataFrame
        ``core.fct_transactions`` as known at the night: account_id, user_id, account_type, kind,
        asset_id, trade_date, amount_usd.
    realized_gains : polars.DataFrame
        ``ml.realized_gains`` of the night: account_id, asset_id, lot_id, trade_date, acquired_date,
        quantity, proceeds_usd, cost_basis_usd, gain_usd, term, is_voluntary.
    as_of_date : datetime.date
        The night; later rows are not counted.
    accounts : polars.DataFrame, optional
        ``core.dim_accounts``: account_id, user_id, account_type, lot_method. Without it accounts are
        those of the transactions and lots are taken to be sold first in, first out.
    lots : polars.DataFrame, optional
        ``ml.tax_lots`` of the night (rows of another state_date are ignored): account_id, asset_id,
        lot_id, acquired_date, quantity, cost_basis_usd.
    prices : polars.DataFrame, optional
        ``core.fct_asset_prices__daily``, every session from the first sale on (with 63 more for the
        terciles). Without prices, or without lots, the choice columns are 0: no evidence.

    Returns
    -------
    polars.DataFrame
        One row per user with an account or a transaction, sorted by user_id;
        columns :data:`BEHAVIOUR_COLUMNS`.
    """
    rows = transactions.filter(pl.col("trade_date") <= as_of_date)
    owners = account_owners(transactions, accounts)
    sales = voluntary_sales(realized_gains.filter(pl.col("trade_date") <= as_of_date), owners)
    trades = order_totals(rows)
    open_lots = None if lots is None else _open_lots(lots, owners, as_of_date)
    parts = [
        _tempo(rows, trades, _invested(sales, open_lots, as_of_date), as_of_date),
        _sale_counts(sales.filter(~pl.col("is_tax_deferred"))),
        _cash_needs(rows, trades),
        _after_losses(sales.filter(~pl.col("is_tax_deferred")), trades),
        _choices(trades, sales, owners, open_lots, prices, as_of_date),
    ]
    frame = owners.select("user_id").unique().sort("user_id")
    for part in parts:
        frame = frame.join(part, on="user_id", how="left")
    counted = [name for name in BEHAVIOUR_SCHEMA if name.startswith(("n_", "sold", "bought", "history"))]
    return frame.with_columns(pl.col(counted).fill_null(0)).select(
        pl.col(name).cast(dtype) for name, dtype in BEHAVIOUR_SCHEMA.items()
    )


def account_owners(transactions: pl.DataFrame, accounts: pl.DataFrame | None) -> pl.DataFrame:
    """List account_id, user_id, lot_method, is_tax_deferred, one row per account."""
    deferred = (
        pl.col("account_type").is_in(TAX_DEFERRED_ACCOUNT_TYPES).fill_null(False).alias("is_tax_deferred")
    )
    seen = transactions.select("account_id", "user_id", pl.lit("fifo").alias("lot_method"), deferred)
    if accounts is not None:
        given = accounts.select("account_id", "user_id", "lot_method", deferred)
        seen = pl.concat([given, seen.join(given, on="account_id", how="anti")])
    return seen.unique("account_id", keep="first", maintain_order=True).sort("account_id")


def _open_lots(lots: pl.DataFrame, owners: pl.DataFrame, as_of_date: date) -> pl.DataFrame:
    """Keep the lots of the night, with their owner."""
    if "state_date" in lots.columns:
        lots = lots.filter(pl.col("state_date") == as_of_date)
    return lots.join(owners.select("account_id", "user_id"), on="account_id", how="inner")


def order_totals(rows: pl.DataFrame) -> pl.DataFrame:
    """Orders per (account, asset, session, kind), with the USD they moved."""
    return (
        rows.filter(pl.col("kind").is_in(ORDER_KINDS))
        .with_columns(pl.col("amount_usd").cast(pl.Float64).abs().alias("usd"))
        .group_by("user_id", "account_id", "asset_id", "trade_date", "kind")
        .agg(pl.col("usd").sum().round(6))
        .sort("user_id", "account_id", "trade_date", "asset_id", "kind")
    )


def voluntary_sales(realized: pl.DataFrame, owners: pl.DataFrame) -> pl.DataFrame:
    """Voluntary realised parts with their owner, gain and days held."""
    return (
        realized.filter(pl.col("is_voluntary").fill_null(True))
        .join(owners, on="account_id", how="inner")
        .with_columns(
            pl.col("gain_usd", "proceeds_usd", "cost_basis_usd").cast(pl.Float64),
            (pl.col("trade_date") - pl.col("acquired_date")).dt.total_days().alias("days_held"),
        )
        .sort("user_id", "account_id", "trade_date", "asset_id", "lot_id", "acquired_date")
    )


def _tempo(
    rows: pl.DataFrame, trades: pl.DataFrame, invested: pl.DataFrame, as_of_date: date
) -> pl.DataFrame:
    """Decisions, history and turnover per user."""
    span = rows.group_by("user_id").agg(
        (pl.lit(as_of_date) - pl.col("trade_date").min()).dt.total_days().alias("history_days"),
        (pl.col("kind") == "deposit").sum().cast(pl.Int64).alias("n_deposits"),
        (pl.col("kind") == "withdrawal").sum().cast(pl.Int64).alias("n_withdrawals"),
    )
    is_buy = pl.col("kind").is_in(("buy", "buy_to_cover"))
    orders = trades.group_by("user_id").agg(
        pl.struct("account_id", "trade_date").n_unique().cast(pl.Int64).alias("n_decisions"),
        is_buy.sum().cast(pl.Int64).alias("n_buys"),
        (~is_buy).sum().cast(pl.Int64).alias("n_sells"),
        pl.col("usd").filter(is_buy).sum().alias("bought_usd"),
        pl.col("usd").filter(~is_buy).sum().alias("sold_usd"),
    )
    years = (pl.col("history_days") / 365.25).clip(lower_bound=0.25)
    smaller = pl.min_horizontal("bought_usd", "sold_usd")
    return (
        span.join(orders, on="user_id", how="left")
        .join(invested, on="user_id", how="left")
        .with_columns(
            (pl.col("n_decisions") / years).round(9).alias("decisions_per_year"),
            pl.when(pl.col("invested_usd") > 0.0)
            .then((smaller / pl.col("invested_usd") / years).round(9))
            .alias("turnover_ann"),
        )
        .drop("bought_usd", "sold_usd", "invested_usd")
    )


def _invested(sales: pl.DataFrame, lots: pl.DataFrame | None, as_of_date: date) -> pl.DataFrame:
    """Mean capital at work per user: USD times days held, over the days since the first lot.

    A sold part counts with its proceeds, which no basis adjustment touches, an open lot with its cost.
    """
    if lots is None:
        return pl.DataFrame(schema={"user_id": pl.String, "invested_usd": pl.Float64})
    days = pl.col("days_held").clip(lower_bound=1)
    age = (pl.lit(as_of_date) - pl.col("acquired_date")).dt.total_days()
    sold = sales.select("user_id", "acquired_date", (pl.col("proceeds_usd") * days).alias("usd_days"))
    held = lots.select(
        "user_id", "acquired_date", (pl.col("cost_basis_usd").cast(pl.Float64) * age).alias("usd_days")
    )
    span = (pl.lit(as_of_date) - pl.col("acquired_date").min()).dt.total_days().clip(lower_bound=1)
    return (
        pl.concat([sold, held])
        .sort("user_id", "acquired_date", "usd_days")
        .group_by("user_id", maintain_order=True)
        .agg((pl.col("usd_days").sum() / span).round(6).alias("invested_usd"))
    )


def _sale_counts(sales: pl.DataFrame) -> pl.DataFrame:
    """Taxable sales by term and sign, days held and month; unit: (account, asset, session, term, sign)."""
    known = sales.filter(pl.col("gain_usd").is_not_null() & (pl.col("gain_usd") != 0.0))
    units = (
        known.with_columns((pl.col("gain_usd") > 0.0).alias("is_gain"))
        .group_by("user_id", "account_id", "asset_id", "trade_date", "term", "is_gain")
        .agg(pl.col("days_held").median())
    )
    gain, short, days = pl.col("is_gain"), pl.col("term") == "short", pl.col("days_held")
    december = pl.col("trade_date").dt.month() == 12

    def count(condition: pl.Expr, name: str) -> pl.Expr:
        return condition.sum().cast(pl.Int64).alias(name)

    return units.group_by("user_id").agg(
        count(gain & short, "n_short_gain"),
        count(gain & ~short, "n_long_gain"),
        count(~gain & short, "n_short_loss"),
        count(~gain & ~short, "n_long_loss"),
        count(days <= 20, "n_held_upto_20d"),
        count((days > 20) & (days <= 120), "n_held_21_120d"),
        count((days > 120) & (days <= 365), "n_held_121_365d"),
        count(days > 365, "n_held_366d_on"),
        count(gain & days.is_between(300, 365), "n_gain_300_365d"),
        count(gain & days.is_between(366, 430), "n_gain_366_430d"),
        days.filter(gain).median().alias("median_days_gain"),
        days.filter(~gain).median().alias("median_days_loss"),
        (gain & short).filter(gain).mean().alias("short_gain_share"),
        (~gain).mean().alias("loss_share"),
        december.filter(~gain).mean().alias("december_loss_share"),
    )


def _cash_needs(rows: pl.DataFrame, trades: pl.DataFrame) -> pl.DataFrame:
    """Sales that a withdrawal from the same account follows within ten days."""
    out = rows.filter(pl.col("kind") == "withdrawal").select(
        "account_id", pl.col("trade_date").alias("out_date")
    )
    followed = (
        trades.filter(pl.col("kind") == "sell")
        .sort("trade_date")
        .join_asof(
            out.sort("out_date"),
            left_on="trade_date",
            right_on="out_date",
            by="account_id",
            strategy="forward",
            check_sortedness=False,
        )
        .filter((pl.col("out_date") - pl.col("trade_date")).dt.total_days() <= CASH_NEED_DAYS)
    )
    return followed.group_by("user_id").agg(pl.len().cast(pl.Int64).alias("n_sells_for_cash"))


def _after_losses(sales: pl.DataFrame, trades: pl.DataFrame) -> pl.DataFrame:
    """Losses that were replaced by another asset of like size, and losses bought back too soon."""
    losses = (
        sales.filter(pl.col("gain_usd") < 0.0)
        .group_by("user_id", "account_id", "asset_id", "trade_date")
        .agg(pl.col("proceeds_usd").sum().round(6))
    )
    buys = trades.filter(pl.col("kind") == "buy").select(
        "user_id", pl.col("asset_id").alias("bought_id"), pl.col("trade_date").alias("bought_date"), "usd"
    )
    days = pl.int_ranges(0, REBUY_DAYS + 1).alias("days_after")
    pairs = (
        losses.with_columns(days)
        .explode("days_after")
        .with_columns((pl.col("trade_date") + pl.duration(days="days_after")).alias("bought_date"))
        .join(buys, on=["user_id", "bought_date"])
    )
    same = pl.col("bought_id") == pl.col("asset_id")
    alike = pl.col("usd").is_between(0.5 * pl.col("proceeds_usd"), 1.5 * pl.col("proceeds_usd"))
    return (
        pairs.group_by("user_id", "account_id", "asset_id", "trade_date")
        .agg(
            (~same & alike & (pl.col("days_after") <= REPLACEMENT_DAYS)).any().alias("replaced"),
            (same & (pl.col("days_after") > 0)).any().alias("rebought"),
        )
        .group_by("user_id")
        .agg(
            pl.col("replaced").sum().cast(pl.Int64).alias("n_replaced_losses"),
            pl.col("rebought").sum().cast(pl.Int64).alias("n_rebought_losses"),
        )
    )


def _choices(
    trades: pl.DataFrame,
    sales: pl.DataFrame,
    owners: pl.DataFrame,
    lots: pl.DataFrame | None,
    prices: pl.DataFrame | None,
    as_of_date: date,
) -> pl.DataFrame:
    """Chosen and expected per cell, summed over a user's taxable accounts (purchases: all accounts)."""
    if prices is None or lots is None:
        unseen = [name for name in BEHAVIOUR_SCHEMA if name.startswith(("sold__", "sold_e", "bought_"))]
        unseen += ["n_sale_choices", "n_buy_choices", "pgr", "plr"]
        return owners.select("user_id").unique().with_columns(pl.lit(None).alias(name) for name in unseen)
    history = price_history(prices.filter(pl.col("as_of_date") <= as_of_date))
    taxable = owners.filter(~pl.col("is_tax_deferred"))
    sold = sale_choices(
        sales.filter(~pl.col("is_tax_deferred")),
        lots.join(taxable, on="account_id", how="semi"),
        owners.select("account_id", "lot_method"),
        history,
    )
    bought = buy_choices(
        trades.filter(pl.col("kind") == "buy").select("account_id", "asset_id", "trade_date"), history
    )
    ratio = {"pgr": ("gains_sold", "gains_eligible"), "plr": ("losses_sold", "losses_eligible")}
    return (
        owners.select("account_id", "user_id")
        .join(sold, on="account_id", how="left")
        .join(bought, on="account_id", how="left")
        .sort("user_id", "account_id")
        .drop("account_id")
        .group_by("user_id", maintain_order=True)
        .agg(pl.all().sum())
        .with_columns(
            pl.when(pl.col(all_) > 0).then((pl.col(part) / pl.col(all_)).round(9)).alias(name)
            for name, (part, all_) in ratio.items()
        )
        .drop("gains_sold", "gains_eligible", "losses_sold", "losses_eligible")
    )
