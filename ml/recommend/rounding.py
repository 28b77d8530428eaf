"""Step 3: from shares of V to whole orders, lot by lot, in exact integer units.

What belongs here: share steps, minimum orders, cash that never falls below its floor, and the lots
that a sale eats. What does not: how much is wanted (``optimize.py``).
Sales are rounded down, except where a cash need asks for them (up); purchases are rounded down and
scaled to the cash that the rounded sales leave after costs.
"""

from dataclasses import dataclass

import numpy as np

from ml.recommend.book import Book
from ml.recommend.branches import Branches
from ml.recommend.candidates import Pairs
from ml.recommend.inputs import RecommendSettings
from ml.recommend.locks import SaleLots
from ml.recommend.optimize import Solution
from ml.recommend.schema import SHARE_UNITS, USD_UNITS

_SLACK = 1e-9  # relative; keeps a whole number of shares whole after float division
_LAST_ATTEMPT = 7  # at scaling purchases to a budget; what still does not fit is not bought


@dataclass
class Orders:
    """Rounded orders of P pairs, and the pieces of lots that the sales eat.

    Attributes
    ----------
    units : ndarray of shape (P,)
        int64, 1e-9 shares; > 0 buys, < 0 sells.
    notional : ndarray of shape (P,)
        int64, 1e-6 USD, unsigned.
    wanted : ndarray of shape (P,)
        bool: the solver asked for a trade here.
    lot : ndarray of shape (K,)
        Position in ``SaleLots`` of each piece.
    piece_units, piece_notional, piece_gain, piece_tax : ndarray of shape (K,)
        int64; shares and USD units. Gain and tax are 0 in tax-deferred accounts.
    cash_after : ndarray of shape (R,)
        int64, 1e-6 USD, after estimated costs.
    """

    units: np.ndarray
    notional: np.ndarray
    wanted: np.ndarray
    lot: np.ndarray
    piece_units: np.ndarray
    piece_notional: np.ndarray
    piece_gain: np.ndarray
    piece_tax: np.ndarray
    cash_after: np.ndarray


def notional_units(units: np.ndarray, price: np.ndarray) -> np.ndarray:
    """Value shares (1e-9 units) at a price in USD; int64 in 1e-6 USD."""
    return np.rint(units / SHARE_UNITS * price * USD_UNITS).astype(np.int64)


def cost_units(notional: np.ndarray, cost_ratio: float) -> np.ndarray:
    """Estimated cost of orders, rounded up; int64 in 1e-6 USD."""
    return np.ceil(notional * cost_ratio).astype(np.int64)


def round_orders(
    solution: Solution,
    pairs: Pairs,
    lots: SaleLots,
    branches: Branches,
    book: Book,
    rows: np.ndarray,
    price: np.ndarray,
    is_fractional: np.ndarray,
    is_tax_deferred: np.ndarray,
    settings: RecommendSettings,
) -> Orders:
    """Turn net trades into orders.

    Parameters
    ----------
    solution, pairs, lots, branches :
        Of the R solved accounts.
    book : Book
        Of all A accounts.
    rows : ndarray of shape (R,)
        Position in the book of each solved account.
    price : ndarray of shape (P,)
        USD tonight.
    is_fractional, is_tax_deferred : ndarray of shape (R,)
    settings : RecommendSettings

    Returns
    -------
    Orders
    """
    value = book.value[rows][pairs.account]
    step = np.where(is_fractional, settings.quantity_step, SHARE_UNITS)[pairs.account].astype(np.int64)
    trade = np.where((solution.status == 0)[pairs.account], solution.trade, 0.0)
    forced = (branches.floor > pairs.cash_weight)[pairs.account]
    sold, pieces = _round_sales(trade, value, price, step, forced, lots, branches.lots, book, settings)
    sale_notional = np.bincount(
        lots.pair[pieces[0]],
        weights=notional_units(pieces[1], price[lots.pair[pieces[0]]]),
        minlength=len(price),
    ).astype(np.int64)
    cash = book.cash[rows]
    proceeds = sale_notional - cost_units(sale_notional, settings.cost_ratio)
    after_sales = cash + _sum_units(pairs.account, proceeds, len(rows))
    # Not a unit of the floor is spent; where the floor lies above what there is, nothing is bought.
    floor = np.ceil(np.maximum(branches.floor, 0.0) * book.value[rows] * USD_UNITS).astype(np.int64)
    bought = _round_purchases(
        trade, value, price, step, pairs.account, np.maximum(after_sales - floor, 0), settings
    )
    buy_notional = notional_units(bought, price)
    spent = buy_notional + cost_units(buy_notional, settings.cost_ratio)
    piece_notional = notional_units(pieces[1], price[lots.pair[pieces[0]]])
    gain, tax = _piece_taxes(pieces, piece_notional, lots, book, is_tax_deferred[pairs.account])
    return Orders(
        units=bought - sold,
        notional=buy_notional + sale_notional,
        wanted=np.abs(trade) > 1e-12,
        lot=pieces[0],
        piece_units=pieces[1],
        piece_notional=piece_notional,
        piece_gain=gain,
        piece_tax=tax,
        cash_after=after_sales - _sum_units(pairs.account, spent, len(rows)),
    )


def _sum_units(index: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """Sum int64 values per index exactly."""
    total = np.zeros(count, dtype=np.int64)
    np.add.at(total, index, values)
    return total


def _round_sales(
    trade: np.ndarray,
    value: np.ndarray,
    price: np.ndarray,
    step: np.ndarray,
    forced: np.ndarray,
    lots: SaleLots,
    usable: np.ndarray,
    book: Book,
    settings: RecommendSettings,
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Round sales to steps and split them over lots; returns shares per pair, and (lot, shares) pieces."""
    chosen = np.flatnonzero(usable)
    held = book.lot_units[lots.row]
    available = _sum_units(lots.pair[chosen], held[chosen], len(price))
    position = _sum_units(lots.pair, held, len(price))
    raw = np.maximum(-trade, 0.0) * value / price * SHARE_UNITS
    least = _least_units(step, price, value, settings)
    down = np.floor(raw / step * (1.0 + _SLACK)).astype(np.int64) * step
    up = np.maximum(
        np.ceil(raw / step * (1.0 - _SLACK)).astype(np.int64) * step, np.where(raw > 0.0, least, 0)
    )
    units = np.minimum(np.where(forced, up, down), available // step * step)
    # Selling a whole fractional position leaves no dust behind.
    whole = (available == position) & (raw >= available * (1.0 - _SLACK)) & (step < SHARE_UNITS)
    units = np.where(whole, available, units)
    units = np.where(units >= least, units, 0)
    before = np.cumsum(held[chosen]) - held[chosen]
    first = np.searchsorted(lots.pair[chosen], np.arange(len(price)))
    if len(chosen):
        before = before - before[np.minimum(first, len(chosen) - 1)][lots.pair[chosen]]
    eaten = np.clip(units[lots.pair[chosen]] - before, 0, held[chosen])
    taken = eaten > 0
    return units, (chosen[taken], eaten[taken])


def _least_units(
    step: np.ndarray, price: np.ndarray, value: np.ndarray, settings: RecommendSettings
) -> np.ndarray:
    """Smallest order: one share, or the smallest step worth the minimum notional.

    At least 2e-9 of V, since a smaller change could not be told from none in DECIMAL(12,9).
    """
    dollars = np.where(step >= SHARE_UNITS, 0.0, settings.min_notional_usd)
    dollars = np.maximum(dollars, 2e-9 * value)
    return np.maximum(np.ceil(dollars / price * SHARE_UNITS / step).astype(np.int64), 1) * step


def _round_purchases(
    trade: np.ndarray,
    value: np.ndarray,
    price: np.ndarray,
    step: np.ndarray,
    account: np.ndarray,
    budget: np.ndarray,
    settings: RecommendSettings,
) -> np.ndarray:
    """Round purchases down and scale them until each account's cost fits its budget exactly."""
    raw = np.maximum(trade, 0.0) * value / price * SHARE_UNITS
    least = _least_units(step, price, value, settings)
    scale = np.ones(len(budget))
    attempt = 0
    while True:
        units = np.floor(raw * scale[account] / step * (1.0 + _SLACK)).astype(np.int64) * step
        units = np.where(units >= least, units, 0)
        notional = notional_units(units, price)
        spent = _sum_units(account, notional + cost_units(notional, settings.cost_ratio), len(budget))
        over = spent > budget
        if attempt == _LAST_ATTEMPT or not over.any():
            return np.where(over[account], 0, units)
        shrink = (1.0 - 1e-9 * 10.0**attempt) * budget / np.where(over, spent, 1)
        scale = np.where(over, scale * shrink, scale)
        attempt += 1


def _piece_taxes(
    pieces: tuple[np.ndarray, np.ndarray],
    notional: np.ndarray,
    lots: SaleLots,
    book: Book,
    is_tax_deferred: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Gain before costs and tax at the marginal rate of each piece, in 1e-6 USD."""
    lot, units = pieces
    row = lots.row[lot]
    share = units / book.lot_units[row]
    basis = np.where(
        units == book.lot_units[row],
        book.lot_basis[row],
        np.rint(book.lot_basis[row] * share).astype(np.int64),
    )
    taxed = ~is_tax_deferred[lots.pair[lot]]
    # A piece has the sign of its lot: the last unit of rounding makes no gain into a loss.
    sign = np.sign(book.lot_gain[row])
    gain = notional - basis
    gain = np.where(sign > 0, np.maximum(gain, 0), np.where(sign < 0, np.minimum(gain, 0), 0))
    gain = np.where(taxed, gain, 0)
    return gain, np.rint(gain * lots.rate[lot]).astype(np.int64)
