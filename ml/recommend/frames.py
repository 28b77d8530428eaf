"""From orders to rows: weights that sum to exactly one, actions, reasons, lot orders.

What belongs here: the exact integer weights and the wording of results. What does not: any decision.
Weights are shares of V before costs: cost comes out of the cash row only when it is paid. A target
weight is the weight after the recommended orders, so that it agrees with the action in every row.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from ml.recommend.book import Book
from ml.recommend.branches import Branches
from ml.recommend.candidates import Pairs
from ml.recommend.inputs import RecommendSettings
from ml.recommend.locks import SaleLots
from ml.recommend.market import Universe
from ml.recommend.optimize import Solution
from ml.recommend.rounding import Orders
from ml.recommend.schema import (
    NEW_LOT_ID,
    ORDERS_SCHEMA,
    USD_UNITS,
    WEIGHT_UNITS,
    WEIGHTS_SCHEMA,
    quantity_series,
    usd_series,
    weight_series,
)
from ml.types import CASH_ASSET_ID


@dataclass(frozen=True)
class Solved:
    """Everything known of the R solved accounts of a chunk.

    Attributes
    ----------
    as_of : datetime.date
    account_ids : ndarray of shape (R,)
        str.
    rows : ndarray of shape (R,)
        Positions in the book.
    universe, book, pairs, lots, branches, solution, orders :
        The steps' results.
    """

    as_of: date
    account_ids: np.ndarray
    rows: np.ndarray
    universe: Universe
    book: Book
    pairs: Pairs
    lots: SaleLots
    branches: Branches
    solution: Solution
    orders: Orders


def current_units(pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """Round current weights to 1e-9 by largest remainder, so that they sum to exactly 1 with cash.

    Returns
    -------
    assets : ndarray of shape (P,)
        int64.
    cash : ndarray of shape (R,)
        int64; negative for a cash debt.
    """
    accounts = len(pairs.cash_weight)
    weight = np.concatenate([pairs.weight, pairs.cash_weight])
    account = np.concatenate([pairs.account, np.arange(accounts)])
    exact = weight * WEIGHT_UNITS
    units = np.floor(exact).astype(np.int64)
    remainder = np.where(weight != 0.0, exact - units, -1.0)
    missing = np.full(accounts, WEIGHT_UNITS, dtype=np.int64)
    np.subtract.at(missing, account, units)
    order = np.lexsort((np.arange(len(weight)), -remainder, account))
    first = np.searchsorted(account[order], np.arange(accounts))
    rank = np.empty(len(weight), dtype=np.int64)
    rank[order] = np.arange(len(weight)) - first[account[order]]
    units += rank < missing[account]
    # A float sum a hair above 1 leaves a unit too many: cash or the largest weight gives it back.
    surplus = np.minimum(missing, 0)
    if surplus.any():
        largest = np.lexsort((-weight, account))[np.searchsorted(np.sort(account), np.arange(accounts))]
        units[largest] += surplus
    return units[: len(pairs.weight)], units[len(pairs.weight) :]


def target_units(solved: Solved, current: np.ndarray, cash: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights after the orders in units of 1e-9, summing to exactly 1 with cash.

    Purchases are rounded down and sales up, so that cash is never short by more than a few units;
    those come off the account's largest purchase.

    Returns
    -------
    assets : ndarray of shape (P,)
    cash : ndarray of shape (R,)
    """
    pairs, orders = solved.pairs, solved.orders
    value = solved.book.value[solved.rows][pairs.account] * USD_UNITS
    change = orders.notional / value * WEIGHT_UNITS
    buy, sell = orders.units > 0, orders.units < 0
    step = np.where(buy, np.maximum(np.floor(change), 1), -np.maximum(np.ceil(change), 1)).astype(np.int64)
    target = np.where(buy | sell, np.maximum(current + step, 0), current)
    position = np.zeros(len(target), dtype=np.int64)
    np.add.at(position, solved.lots.pair, solved.book.lot_units[solved.lots.row])
    target = np.where(sell & (-orders.units == position), 0, target)
    after = np.full(len(cash), WEIGHT_UNITS, dtype=np.int64)
    np.subtract.at(after, pairs.account, target)
    for a in np.flatnonzero(after < 0):
        span = np.arange(pairs.start[a], pairs.start[a + 1])
        for i in span[np.argsort(-(target - current)[span], kind="stable")]:
            give = min(-after[a], target[i] - current[i] - 1) if buy[i] else 0
            target[i] -= max(give, 0)
            after[a] += max(give, 0)
    return target, after


def reason_codes(solved: Solved, settings: RecommendSettings) -> np.ndarray:
    """Say why each pair has its action; shape (P,), values of REASON_CODES."""
    pairs, orders, branches, lots = solved.pairs, solved.orders, solved.branches, solved.lots
    buy, sell = orders.units > 0, orders.units < 0
    harvested = _harvests(solved, settings)
    held_lots = np.diff(lots.start)
    blocked_wash = np.bincount(lots.pair[lots.is_washing], minlength=len(buy)) > 0
    blocked_mask = np.bincount(lots.pair[lots.is_masked], minlength=len(buy)) > 0
    none_open = (np.bincount(lots.pair[branches.lots], minlength=len(buy)) == 0) & (held_lots > 0)
    capped = (solved.solution.turnover_price > 0.0)[pairs.account]
    dry = (branches.branch > 0) & ~orders.wanted
    rules = [
        (buy, "target_above_current"),
        (sell & branches.is_cash_need, "cash_need"),
        (sell & pairs.is_excluded, "excluded_by_goal"),
        (sell & harvested, "harvest_loss"),
        (sell, "target_below_current"),
        (pairs.is_stale, "stale_price"),
        (~pairs.is_tradeable, "not_a_candidate"),
        (orders.wanted, "below_minimum"),
        (branches.is_wash_locked, "wash_locked"),
        ((branches.branch < 0) & none_open & blocked_wash, "would_wash"),
        ((branches.branch < 0) & none_open & blocked_mask, "short_term_gain_held"),
        ((dry | (branches.branch < 0)) & capped, "turnover_capped"),
        (branches.branch < 0, "tax_cost_above_drift"),
        (dry | (branches.wants > 0), "cash_short"),
    ]
    return np.select([np.asarray(flag) for flag, _ in rules], [name for _, name in rules], "inside_band")


def _harvests(solved: Solved, settings: RecommendSettings) -> np.ndarray:
    """Pairs whose sales realise a counted loss, and no gain on balance; shape (P,)."""
    lots, orders, book = solved.lots, solved.orders, solved.book
    row = lots.row[orders.lot]
    loss = -book.lot_gain[row]
    counted = lots.is_loss[orders.lot] & (loss >= settings.loss_usd)
    counted &= loss >= settings.loss_ratio * book.lot_basis[row] / USD_UNITS
    pair = lots.pair[orders.lot]
    count = len(orders.units)
    has_counted = np.bincount(pair[counted], minlength=count) > 0
    return has_counted & (np.bincount(pair, weights=orders.piece_gain, minlength=count) < 0)


def weight_rows(solved: Solved, settings: RecommendSettings) -> pl.DataFrame:
    """Rows of ``rec_target_weights__daily``, unsorted; frame with WEIGHTS_SCHEMA."""
    pairs, orders = solved.pairs, solved.orders
    current, cash_current = current_units(pairs)
    target, cash_target = target_units(solved, current, cash_current)
    shown = (current > 0) | (target > 0)
    assets = np.array(solved.universe.asset_ids, dtype=object)[pairs.asset[shown]]
    action = np.where(orders.units > 0, "buy", np.where(orders.units < 0, "sell", "hold"))[shown]
    count = len(cash_current)
    zeros = np.zeros(count, dtype=np.int64)
    account = np.concatenate([solved.account_ids[pairs.account[shown]], solved.account_ids])
    return pl.DataFrame(
        [
            pl.Series("as_of_date", [solved.as_of] * len(account), dtype=pl.Date),
            pl.Series("account_id", account.tolist(), dtype=pl.String),
            pl.Series("asset_id", assets.tolist() + [CASH_ASSET_ID] * count, dtype=pl.String),
            weight_series("current_weight", np.concatenate([current[shown], cash_current])),
            weight_series("target_weight", np.concatenate([target[shown], cash_target])),
            pl.Series("action", action.tolist() + ["hold"] * count, dtype=pl.String),
            quantity_series("quantity", np.concatenate([np.abs(orders.units)[shown], zeros])),
            usd_series("notional_usd", np.concatenate([orders.notional[shown], zeros])),
            pl.Series(
                "reason_code",
                reason_codes(solved, settings)[shown].tolist() + ["cash_residual"] * count,
                dtype=pl.String,
            ),
        ],
    ).match_to_schema(WEIGHTS_SCHEMA)


def order_rows(solved: Solved) -> pl.DataFrame:
    """Rows of ``rec_lot_orders__daily``, unsorted; frame with ORDERS_SCHEMA."""
    pairs, orders, lots = solved.pairs, solved.orders, solved.lots
    ids = np.array(solved.universe.asset_ids, dtype=object)
    bought = np.flatnonzero(orders.units > 0)
    pair = np.concatenate([lots.pair[orders.lot], bought])
    lot_ids = solved.book.names["lot_id"].gather(lots.row[orders.lot]).to_list()
    term = np.where(lots.is_long_term[orders.lot], "long", "short").tolist()
    pending = lots.is_loss[orders.lot] & ~solved.universe.is_wash_exempt[pairs.asset[lots.pair[orders.lot]]]
    # A loss stays provisional for thirty days: a later purchase would still wash it.
    state = np.where(pending & (orders.piece_gain < 0), "provisional", "clear").tolist()
    zeros = np.zeros(len(bought), dtype=np.int64)
    return pl.DataFrame(
        [
            pl.Series("as_of_date", [solved.as_of] * len(pair), dtype=pl.Date),
            pl.Series("account_id", solved.account_ids[pairs.account[pair]].tolist(), dtype=pl.String),
            pl.Series("asset_id", ids[pairs.asset[pair]].tolist(), dtype=pl.String),
            pl.Series("lot_id", lot_ids + [NEW_LOT_ID] * len(bought), dtype=pl.String),
            quantity_series("quantity", np.concatenate([orders.piece_units, orders.units[bought]])),
            pl.Series("term", term + ["none"] * len(bought), dtype=pl.String),
            usd_series("gain_usd", np.concatenate([orders.piece_gain, zeros])),
            usd_series("tax_usd", np.concatenate([orders.piece_tax, zeros])),
            pl.Series("wash_sale_state", state + ["clear"] * len(bought), dtype=pl.String),
        ],
    ).match_to_schema(ORDERS_SCHEMA)
