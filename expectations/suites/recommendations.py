"""The three tables a night delivers: portfolios, target weights, lot orders."""

from datetime import datetime

import polars as pl

from expectations.spec import (
    Expect,
    Suite,
    between,
    holds,
    in_set,
    not_empty,
    not_null,
    only_where,
    unique,
)
from ml.types import (
    ACTIONS,
    CASH_ASSET_ID,
    EXPERTS,
    OBJECTIVES,
    RECOMMENDATION_STATUSES,
    TERMS,
    WASH_SALE_STATES,
)

# Weights are DECIMAL(12, 9): sixty of them are rounded by 6e-8 at most.
SUM_TOLERANCE = 1e-6
MAX_NAMES = 60
NEW_LOT = "new"

_MIX = tuple(f"p_{objective}" for objective in OBJECTIVES)
_REVEALED = tuple(f"revealed_{objective}" for objective in OBJECTIVES)
_EXPERT_WEIGHTS = tuple(f"e_{expert}" for expert in EXPERTS)
_ACCOUNT_KEY = ["as_of_date", "account_id"]


def _row_sum(columns: tuple[str, ...]) -> pl.Expr:
    """Sum over columns; null if any of them is."""
    return pl.sum_horizontal(columns, ignore_nulls=False)


def _derive_portfolios(as_of_at: datetime | None) -> list[pl.Expr]:
    is_ok = pl.col("status") == "ok"
    is_complete = (
        _row_sum(_MIX).is_not_null()
        & _row_sum(_EXPERT_WEIGHTS).is_not_null()
        & pl.col("turnover_ratio").is_not_null()
    )
    largest_gap = (pl.max_horizontal(_REVEALED) - pl.col("confidence")).abs()
    has_no_account_id = pl.col("account_id").str.starts_with("none:")
    return [
        _row_sum(_MIX).alias("mix_sum"),
        _row_sum(_REVEALED).alias("revealed_sum"),
        _row_sum(_EXPERT_WEIGHTS).alias("expert_sum"),
        only_where(is_ok, is_complete).alias("is_ok_complete"),
        only_where(~is_ok, pl.col("reason").fill_null("").str.len_chars() > 0).alias("has_reason"),
        only_where(~is_ok, pl.col("n_orders").fill_null(0) == 0).alias("has_no_orders"),
        (largest_gap <= SUM_TOLERANCE).alias("is_confidence_largest"),
        (has_no_account_id == (pl.col("status") == "no_account")).alias("is_status_of_account"),
    ]


def _derive_weights(as_of_at: datetime | None) -> list[pl.Expr]:
    is_cash, is_trade = pl.col("asset_id") == CASH_ASSET_ID, pl.col("action").is_in(("buy", "sell"))
    change = pl.col("target_weight") - pl.col("current_weight")
    has_size = (pl.col("quantity") > 0) & (pl.col("notional_usd") > 0)
    has_no_size = (pl.col("quantity") == 0) & (pl.col("notional_usd") == 0)
    agrees = pl.when(pl.col("action") == "buy").then(change > 0).otherwise(change < 0)
    return [
        pl.col("target_weight").sum().over(_ACCOUNT_KEY).alias("target_sum"),
        is_cash.sum().over(_ACCOUNT_KEY).alias("cash_rows"),
        is_cash.not_().sum().over(_ACCOUNT_KEY).alias("names"),
        only_where(is_trade, agrees).alias("is_action_as_weights"),
        only_where(is_trade & ~is_cash, has_size).alias("is_trade_sized"),
        only_where(pl.col("action") == "hold", has_no_size).alias("is_hold_unsized"),
    ]


def _derive_orders(as_of_at: datetime | None) -> list[pl.Expr]:
    is_buy = pl.col("lot_id") == NEW_LOT
    washes = pl.col("wash_sale_state").is_in(("would_wash", "permanent"))
    return [
        only_where(is_buy, pl.col("term") == "none").alias("is_purchase_termless"),
        only_where(~is_buy & (pl.col("gain_usd") < 0), ~washes).alias("is_loss_kept"),
    ]


PORTFOLIOS = Suite(
    name="rec_portfolios",
    table="serving.rec_portfolios__daily",
    title="One row per account and night",
    key=("as_of_date", "account_id"),
    columns=(
        "as_of_date",
        "account_id",
        "recommendation_id",
        "user_id",
        "status",
        "reason",
        *_MIX,
        *_REVEALED,
        "identified",
        "confidence",
        "stated_objective",
        *_EXPERT_WEIGHTS,
        "turnover_ratio",
        "harvested_loss_usd",
        "n_orders",
    ),
    derive=_derive_portfolios,
    expectations=(
        not_empty("no account has a recommendation"),
        *not_null(
            ("as_of_date", "account_id", "recommendation_id", "user_id", "status"),
            "a recommendation that cannot be traced",
        ),
        unique(("as_of_date", "account_id"), "two recommendations for one account and night"),
        unique(("recommendation_id",), "two recommendations with one identity"),
        in_set("status", RECOMMENDATION_STATUSES, "a status that readers do not know"),
        in_set("stated_objective", OBJECTIVES, "an objective that readers do not know"),
        *(
            between(column, "a share outside 0..1", low=0, high=1)
            for column in (*_MIX, *_REVEALED, *_EXPERT_WEIGHTS, "confidence")
        ),
        between("mix_sum", "the objective mix does not sum to one", 1 - SUM_TOLERANCE, 1 + SUM_TOLERANCE),
        between("revealed_sum", "revealed shares do not sum to one", 1 - SUM_TOLERANCE, 1 + SUM_TOLERANCE),
        between("expert_sum", "expert weights do not sum to one", 1 - SUM_TOLERANCE, 1 + SUM_TOLERANCE),
        between("turnover_ratio", "turnover outside 0..2 of the portfolio", low=0, high=2),
        between("harvested_loss_usd", "a harvested loss is reported unsigned", low=0),
        between("n_orders", "a negative count", low=0),
        holds("is_ok_complete", "status ok without mix, experts or turnover"),
        holds("has_reason", "not ok, and no reason is given"),
        holds("has_no_orders", "orders for an account that must not trade"),
        holds("is_confidence_largest", "confidence is not the largest revealed share"),
        holds("is_status_of_account", "status no_account and account_id none:<user> must come together"),
        Expect(
            "expect_column_values_to_be_in_set",
            "more than half of the accounts have no recommendation",
            {"column": "status", "value_set": ["ok"], "mostly": 0.5},
            "warning",
        ),
    ),
)

TARGET_WEIGHTS = Suite(
    name="rec_target_weights",
    table="serving.rec_target_weights__daily",
    title="Target weight of every asset of every account",
    key=("as_of_date", "account_id", "asset_id"),
    columns=(
        "as_of_date",
        "account_id",
        "asset_id",
        "current_weight",
        "target_weight",
        "action",
        "quantity",
        "notional_usd",
        "reason_code",
    ),
    derive=_derive_weights,
    expectations=(
        not_empty("no account has target weights"),
        *not_null(
            (
                "as_of_date",
                "account_id",
                "asset_id",
                "current_weight",
                "target_weight",
                "action",
                "quantity",
                "notional_usd",
                "reason_code",
            ),
            "an incomplete target",
        ),
        unique(("as_of_date", "account_id", "asset_id"), "an asset targeted twice in one account"),
        in_set("action", ACTIONS, "an action that readers do not know"),
        between("target_weight", "a short or levered target", low=0, high=1),
        between("current_weight", "a current weight outside 0..1", low=0, high=1, severity="warning"),
        between("target_sum", "target weights do not sum to one", 1 - SUM_TOLERANCE, 1 + SUM_TOLERANCE),
        between("cash_rows", "an account without exactly one cash row", low=1, high=1),
        between("names", f"more than {MAX_NAMES} names in one account", high=MAX_NAMES, severity="warning"),
        between("quantity", "a signed quantity (direction is in action)", low=0),
        between("notional_usd", "a signed notional (direction is in action)", low=0),
        holds("is_action_as_weights", "a buy that lowers a weight, or a sell that raises one"),
        holds("is_trade_sized", "a buy or sell without quantity or notional"),
        holds("is_hold_unsized", "a hold with a quantity or notional"),
    ),
)

LOT_ORDERS = Suite(
    name="rec_lot_orders",
    table="serving.rec_lot_orders__daily",
    title="Orders by lot",
    key=("as_of_date", "account_id", "asset_id", "lot_id"),
    columns=(
        "as_of_date",
        "account_id",
        "asset_id",
        "lot_id",
        "quantity",
        "term",
        "gain_usd",
        "tax_usd",
        "wash_sale_state",
    ),
    derive=_derive_orders,
    expectations=(
        not_empty("nobody trades tonight", severity="warning"),
        *not_null(
            ("as_of_date", "account_id", "asset_id", "lot_id", "quantity", "term", "wash_sale_state"),
            "an order that cannot be placed",
        ),
        unique(("as_of_date", "account_id", "asset_id", "lot_id"), "a lot ordered twice"),
        between("quantity", "an order of zero or less (direction is in lot_id)", low=0, strict_low=True),
        in_set("term", TERMS, "a term that readers do not know"),
        in_set("wash_sale_state", WASH_SALE_STATES, "a wash-sale state that readers do not know"),
        holds("is_purchase_termless", "a purchase with a holding term"),
        holds("is_loss_kept", "a loss is harvested and washed by our own order or a recent purchase"),
    ),
)

SUITES = (PORTFOLIOS, TARGET_WEIGHTS, LOT_ORDERS)
