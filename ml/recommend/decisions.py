"""When a new target is taken: t0, the last deciding session of each account in the current week.

What belongs here: the triggers. What does not: the target itself (``targets.py``).
The rule is stateless: it compares the states of neighbouring sessions of the week and remembers
nothing between nights, so that any night can be replayed alone.
"""

from datetime import date

import polars as pl

from ml.recommend.inputs import RecommendSettings

TRIGGERS = ("week_first", "long_term", "loss", "cash", "intent", "no_earlier_state")
_PRIORITY = {name: i for i, name in enumerate(("intent", "cash", "long_term", "loss", "week_first"))}


def find_target_dates(
    accounts: pl.DataFrame,
    lots: pl.DataFrame,
    cash: pl.DataFrame,
    prices: pl.DataFrame,
    constraints: pl.DataFrame,
    sessions: list[date],
    settings: RecommendSettings,
) -> pl.DataFrame:
    """Find each account's target session and what triggered it.

    Parameters
    ----------
    accounts : polars.DataFrame
        account_id, user_id, is_tax_deferred.
    lots, cash : polars.DataFrame
        One state per session of the week.
    prices : polars.DataFrame
        as_of_date, asset_id, price_usd of the week's sessions.
    constraints : polars.DataFrame
        user_id, intent_changed_date.
    sessions : list of date
        Sessions of the week up to as_of_date, oldest first.
    settings : RecommendSettings

    Returns
    -------
    polars.DataFrame
        account_id, target_date, trigger; one row per account, in the order of ``accounts``.
    """
    order = pl.DataFrame({"session": sessions}, schema={"session": pl.Date}).with_row_index("s")
    order = order.with_columns(pl.col("s").cast(pl.Int64))
    index = accounts.select("account_id", "user_id", "is_tax_deferred")
    valued = _valued_lots(lots, prices, order, index, settings)
    money = cash.join(order, left_on="state_date", right_on="session").join(
        index.select("account_id"), on="account_id", how="semi"
    )
    events = pl.concat(
        [
            _week_first(valued, money),
            _long_term(valued, order),
            _losses(valued),
            _cash_moves(valued, money, order, settings.cash_move_ratio),
            _intents(index, constraints, order),
        ]
    )
    rank = pl.col("trigger").replace_strict(_PRIORITY, return_dtype=pl.Int64)
    last = (
        events.with_columns(rank.alias("rank"))
        .sort("account_id", "s", "rank", descending=[False, True, False])
        .unique("account_id", keep="first", maintain_order=True)
        .join(order, on="s")
        .select("account_id", pl.col("session").alias("target_date"), "trigger")
    )
    return (
        index.select("account_id")
        .join(last, on="account_id", how="left", maintain_order="left")
        .with_columns(
            pl.col("target_date").fill_null(sessions[-1]), pl.col("trigger").fill_null("no_earlier_state")
        )
    )


def _valued_lots(
    lots: pl.DataFrame,
    prices: pl.DataFrame,
    order: pl.DataFrame,
    index: pl.DataFrame,
    settings: RecommendSettings,
) -> pl.DataFrame:
    """Lots of every session with value, and whether the loss counts."""
    value = pl.col("quantity").cast(pl.Float64) * pl.col("price_usd")
    cost = pl.col("cost_basis_usd").cast(pl.Float64)
    loss = cost - pl.col("value")
    counted = (loss >= settings.loss_ratio * cost) & (loss >= settings.loss_usd) & ~pl.col("is_tax_deferred")
    return (
        lots.join(order, left_on="state_date", right_on="session")
        .join(index.select("account_id", "is_tax_deferred"), on="account_id")
        .join(
            prices.select("as_of_date", "asset_id", "price_usd"),
            left_on=["state_date", "asset_id"],
            right_on=["as_of_date", "asset_id"],
            how="left",
        )
        .with_columns(value.alias("value"))
        .with_columns(counted.fill_null(False).alias("is_counted_loss"))
    )


def _event(frame: pl.DataFrame, trigger: str) -> pl.DataFrame:
    return frame.select("account_id", pl.col("s").cast(pl.Int64), pl.lit(trigger).alias("trigger"))


def _week_first(valued: pl.DataFrame, money: pl.DataFrame) -> pl.DataFrame:
    """Accounts that have a state at the week's first session."""
    known = pl.concat(
        [
            valued.filter(pl.col("s") == 0).select("account_id", "s"),
            money.filter(pl.col("s") == 0).select("account_id", "s"),
        ]
    )
    return _event(known.unique(), "week_first")


def _long_term(valued: pl.DataFrame, order: pl.DataFrame) -> pl.DataFrame:
    """Taxable lots whose first long-term date lies after the session before and not after this one."""
    before = order.with_columns(pl.col("session").shift(1).alias("before")).select("s", "before")
    turned = (pl.col("first_long_term_date") > pl.col("before")) & (
        pl.col("first_long_term_date") <= pl.col("state_date")
    )
    rows = valued.join(before, on="s").filter((pl.col("s") > 0) & turned & ~pl.col("is_tax_deferred"))
    return _event(rows.unique(["account_id", "s"]), "long_term")


def _losses(valued: pl.DataFrame) -> pl.DataFrame:
    """Lots whose loss counts at this session and did not at the one before."""
    now = valued.filter(pl.col("is_counted_loss")).select("account_id", "asset_id", "lot_id", "s")
    before = now.with_columns(pl.col("s") + 1)
    fresh = now.filter(pl.col("s") > 0).join(before, on=["account_id", "asset_id", "lot_id", "s"], how="anti")
    return _event(fresh.unique(["account_id", "s"]), "loss")


def _cash_moves(valued: pl.DataFrame, money: pl.DataFrame, order: pl.DataFrame, ratio: float) -> pl.DataFrame:
    """Sessions at which cash differs from the session before by more than ``ratio`` of value."""
    held = valued.group_by("account_id", "s").agg(
        pl.col("value").round(6).cast(pl.Decimal(38, 6)).sum().alias("lots")
    )
    accounts = pl.concat([money.select("account_id"), valued.select("account_id")]).unique()
    grid = (
        accounts.join(order.select("s"), how="cross")
        .join(money.select("account_id", "s", "cash_usd"), on=["account_id", "s"], how="left")
        .join(held, on=["account_id", "s"], how="left")
        .sort("account_id", "s")
        .with_columns(
            pl.col("cash_usd").cast(pl.Float64).fill_null(0.0), pl.col("lots").cast(pl.Float64).fill_null(0.0)
        )
    )
    move = (pl.col("cash_usd") - pl.col("cash_usd").shift(1).over("account_id")).abs()
    value = pl.max_horizontal(pl.col("cash_usd") + pl.col("lots"), pl.lit(0.0))
    return _event(grid.filter((pl.col("s") > 0) & (move > ratio * value)), "cash")


def _intents(index: pl.DataFrame, constraints: pl.DataFrame, order: pl.DataFrame) -> pl.DataFrame:
    """Sessions in whose span (after the one before, up to itself) the user's intent changed."""
    changed = constraints.filter(pl.col("intent_changed_date").is_not_null())
    before = order.with_columns(pl.col("session").shift(1).alias("before")).filter(pl.col("s") > 0)
    rows = (
        index.join(changed.select("user_id", pl.col("intent_changed_date").cast(pl.Date)), on="user_id")
        .join(before, how="cross")
        .filter(
            (pl.col("intent_changed_date") > pl.col("before"))
            & (pl.col("intent_changed_date") <= pl.col("session"))
        )
    )
    return _event(rows, "intent")
