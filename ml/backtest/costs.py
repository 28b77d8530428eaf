"""Fills: from target weights to exact quantities and amounts, after costs, for all accounts at once.

What belongs here: how much of each asset is traded and what that costs. What does not: which lots are sold
(``lot_book.py``), when trades happen (``simulate.py``).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from ml.backtest.lot_book import LOT_UNIT, SHARE
from ml.tax.units import USD

# Smaller trades are not made: the notional that the night's orders need too.
MIN_NOTIONAL_USD: Final = 1.0
# A buy is paid from cash that is there, less this against rounding.
CASH_MARGIN_USD: Final = 1e-3
_ROUNDS: Final = 8


@dataclass(frozen=True, slots=True)
class Fill:
    """One side of a fill.

    Attributes
    ----------
    quantity : ndarray of shape (A, N)
        int64 shares in 1e-9.
    notional, cost : ndarray of shape (A, N)
        int64, 1e-6 USD.
    """

    quantity: np.ndarray
    notional: np.ndarray
    cost: np.ndarray

    @property
    def paid(self) -> np.ndarray:
        """What a purchase takes from cash, 1e-6 USD, (A, N)."""
        return self.notional + self.cost

    @property
    def received(self) -> np.ndarray:
        """What a sale brings to cash, 1e-6 USD, (A, N)."""
        return self.notional - self.cost


def priced(quantity: np.ndarray, price: np.ndarray, cost_ratio: np.ndarray) -> Fill:
    """Value quantities at prices (N,); costs by account (A,), each rounded to 1e-6 USD."""
    safe = np.where(quantity > 0, np.broadcast_to(price, quantity.shape), 0.0)
    notional = np.rint(quantity * safe * (USD / SHARE)).astype(np.int64)
    return Fill(quantity, notional, np.rint(notional * cost_ratio[:, None]).astype(np.int64))


def wanted_trades(
    held: np.ndarray,
    cash: np.ndarray,
    target: np.ndarray,
    price: np.ndarray,
    cost_ratio: np.ndarray,
    can_trade: np.ndarray,
    min_trade_ratio: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Trades that bring accounts to target weights of their value after costs.

    Parameters
    ----------
    held : ndarray of shape (A, N)
        int64 shares in 1e-9.
    cash : ndarray of shape (A,)
        int64, 1e-6 USD.
    target : ndarray of shape (A, N + 1)
        Weights, cash last; a row of nan trades nothing.
    price : ndarray of shape (N,)
        Of the fill; nan where unknown.
    cost_ratio : ndarray of shape (A,)
        Cost per unit of value traded.
    can_trade : ndarray of shape (N,)
        bool: the session has a price for the asset.
    min_trade_ratio : float
        Smaller trades, as shares of the account's value, are not made, but for leaving an asset altogether.

    Returns
    -------
    sell : ndarray of shape (A, N)
        int64 shares in 1e-9; multiples of 1e-6 share, or all that is held.
    buy_usd : ndarray of shape (A, N)
        USD to spend on purchases before costs.

    Notes
    -----
    Costs lower the value that weights are of: V' = V - c sum |w V' - h|, by fixed-point iteration, which
    contracts by the factor c.
    """
    usable = np.where(np.isfinite(price), price, 0.0)
    held_usd = held * (usable / SHARE)
    value = held_usd.sum(axis=1) + cash / USD
    acts = np.asarray(np.isfinite(target).all(axis=1))
    weights = np.where(acts[:, None], target[:, :-1], 0.0)
    moves = acts[:, None] & can_trade[None, :]
    after, change = value.copy(), np.zeros_like(held_usd)
    for _ in range(_ROUNDS):
        change = np.where(moves, weights * after[:, None] - held_usd, 0.0)
        after = value - cost_ratio * np.abs(change).sum(axis=1)
    leaves = moves & (weights <= 0.0) & (held > 0)
    least = np.maximum(MIN_NOTIONAL_USD, min_trade_ratio * value)[:, None]
    change = np.where((np.abs(change) < least) & ~leaves, 0.0, change)
    with np.errstate(divide="ignore", invalid="ignore"):
        units = np.where(change < 0, -change / usable * (SHARE / LOT_UNIT), 0.0)
    sell = np.minimum(np.floor(units).astype(np.int64) * LOT_UNIT, held)
    return np.where(leaves, held, sell), np.maximum(change, 0.0)


def affordable(
    buy_usd: np.ndarray, cash: np.ndarray, price: np.ndarray, cost_ratio: np.ndarray
) -> np.ndarray:
    """Quantities (A, N), int64 in 1e-9 shares, bought with at most the cash (A,) that there is."""
    need = buy_usd.sum(axis=1) * (1.0 + cost_ratio)
    have = np.maximum(cash / USD - CASH_MARGIN_USD, 0.0)
    scale = np.where(need > have, have / np.where(need > 0, need, 1.0), 1.0)
    spend = buy_usd * scale[:, None]
    spend = np.where(spend >= MIN_NOTIONAL_USD, spend, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        units = np.where(spend > 0, spend / price * (SHARE / LOT_UNIT), 0.0)
    return np.floor(units).astype(np.int64) * LOT_UNIT


def forced_sales(
    held: np.ndarray, need: np.ndarray, price: np.ndarray, cost_ratio: np.ndarray, can_trade: np.ndarray
) -> np.ndarray:
    """Sell every tradeable holding in proportion until ``need`` (A,), 1e-6 USD, is raised.

    Returns
    -------
    ndarray of shape (A, N)
        int64 shares in 1e-9, rounded up to 1e-6 share; all that can be sold where that is not enough.
    """
    usable = np.where(can_trade & np.isfinite(price), price, 0.0)
    brings = (held * (usable / SHARE)).sum(axis=1) * (1.0 - cost_ratio)
    share = np.clip(np.maximum(need, 0) / USD / np.where(brings > 0, brings, np.inf), 0.0, 1.0)
    units = np.ceil(held * share[:, None] / LOT_UNIT).astype(np.int64) * LOT_UNIT
    return np.where(usable > 0, np.minimum(units, held), 0)
