"""The three result tables: columns, types, closed vocabularies.

What belongs here: what a result looks like. What does not: how it is computed.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from ml.simplex import decimal_series
from ml.types import EXPERTS, OBJECTIVES

WEIGHT = pl.Decimal(12, 9)
USD = pl.Decimal(20, 6)
QUANTITY = pl.Decimal(24, 9)

WEIGHT_UNITS: Final = 10**9
USD_UNITS: Final = 10**6
SHARE_UNITS: Final = 10**9

NEW_LOT_ID: Final = "new"
NO_ACCOUNT_PREFIX: Final = "none:"
# Words in a portfolio's reason: a cash need took short-term gains that could not be chosen.
SHORT_GAINS_LAST: Final = "short-term gains last"

# Why a row of rec_target_weights__daily says buy, hold or sell.
REASON_CODES: Final = (
    "target_above_current",  # buy: the target is above the holding by more than the band
    "target_below_current",  # sell: the target is below the holding by more than the band
    "harvest_loss",  # sell: realises a counted loss and no gain on balance
    "excluded_by_goal",  # sell: the user's goal excludes the asset
    "cash_need",  # sell: involuntary, raises the cash that a reserve or a debt needs
    "inside_band",  # hold: drift within the no-trade band
    "wash_locked",  # hold: a buy would wash a loss that the household realised or realises tonight
    "would_wash",  # hold: every lot to sell is a loss that a purchase of the last 30 days would wash
    "short_term_gain_held",  # hold: no voluntary short-term gain is allowed
    "tax_cost_above_drift",  # hold: tax and cost of selling outweigh the drift
    "cash_short",  # hold: no cash left for the buy
    "turnover_capped",  # hold: the night's turnover went to larger drifts
    "below_minimum",  # hold: the order would be below one share or one dollar
    "stale_price",  # hold: no bar for five sessions; valued at the last price
    "not_a_candidate",  # hold: benchmark, delisted, unknown to the asset table or without features
    "cash_residual",  # the cash row: what the orders leave
)

PORTFOLIO_SCHEMA: Final[dict[str, pl.DataType]] = {
    "as_of_date": pl.Date(),
    "account_id": pl.String(),
    "recommendation_id": pl.String(),
    "user_id": pl.String(),
    "household_id": pl.String(),
    "status": pl.String(),
    "reason": pl.String(),
    **{f"p_{objective}": WEIGHT for objective in OBJECTIVES},
    **{f"revealed_{objective}": WEIGHT for objective in OBJECTIVES},
    "identified": pl.Boolean(),
    "confidence": WEIGHT,
    "stated_objective": pl.String(),
    "n_revealed": pl.Float64(),
    "n_stated": pl.Float64(),
    "disagreement": pl.Float64(),
    **{f"e_{expert}": WEIGHT for expert in EXPERTS},
    "turnover_ratio": WEIGHT,
    "expected_tax_usd": USD,
    "harvested_loss_usd": USD,
    "n_orders": pl.Int32(),
    "policy_id": pl.String(),
}
WEIGHTS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "as_of_date": pl.Date(),
    "account_id": pl.String(),
    "asset_id": pl.String(),
    "current_weight": WEIGHT,
    "target_weight": WEIGHT,
    "action": pl.String(),
    "quantity": QUANTITY,
    "notional_usd": USD,
    "reason_code": pl.String(),
}
ORDERS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "as_of_date": pl.Date(),
    "account_id": pl.String(),
    "asset_id": pl.String(),
    "lot_id": pl.String(),
    "quantity": QUANTITY,
    "term": pl.String(),
    "gain_usd": USD,
    "tax_usd": USD,
    "wash_sale_state": pl.String(),
}


@dataclass(frozen=True)
class NightResult:
    """What a night recommends.

    Attributes
    ----------
    portfolios : polars.DataFrame
        ``rec_portfolios__daily``, sorted by account_id: a row per account, and one per user without any.
    target_weights : polars.DataFrame
        ``rec_target_weights__daily``, sorted by (account_id, asset_id).
    lot_orders : polars.DataFrame
        ``rec_lot_orders__daily``, sorted by (account_id, asset_id, lot_id).
    """

    portfolios: pl.DataFrame
    target_weights: pl.DataFrame
    lot_orders: pl.DataFrame


def to_units(series: pl.Series, scale: int) -> np.ndarray:
    """Turn a Decimal column into whole units of ``10**-scale``, exactly.

    Parameters
    ----------
    series : polars.Series
        Decimal (any scale up to ``scale``), integer or float; no nulls.
    scale : int
        Decimals of a unit.

    Returns
    -------
    ndarray of shape (L,)
        int64.

    Raises
    ------
    polars.exceptions.InvalidOperationError
        If a value does not fit 64 bits (more than 9.2e9 shares or 9.2e12 USD).
    """
    return series.cast(pl.Decimal(38, scale)).to_physical().cast(pl.Int64).to_numpy()


def weight_series(name: str, units: np.ndarray) -> pl.Series:
    """Make a DECIMAL(12,9) column from units of 1e-9."""
    return decimal_series(name, units, 9, 12)


def usd_series(name: str, units: np.ndarray) -> pl.Series:
    """Make a DECIMAL(20,6) column from units of 1e-6 USD."""
    return decimal_series(name, units, 6, 20)


def quantity_series(name: str, units: np.ndarray) -> pl.Series:
    """Make a DECIMAL(24,9) column from units of 1e-9 shares."""
    return decimal_series(name, units, 9, 24)
