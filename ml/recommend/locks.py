"""Wash windows of whole households, and which lots may be sold at all.

What belongs here: locks (section 1091 at household level, convention A18 for digital assets) and the
order in which an account's lots are sold. What does not: the choice of branches (``branches.py``).
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from ml.recommend.book import Book
from ml.recommend.market import Universe

_ORDERED_METHODS = ("fifo", "lifo", "average")  # the order of sale is not ours to choose


@dataclass(frozen=True)
class WashWindows:
    """What a household did within the window, per asset.

    Attributes
    ----------
    loss_sold : ndarray of shape (H, N)
        bool: a taxable account sold at a loss; a purchase by any account would wash it.
    bought : ndarray of shape (H, N)
        bool: any account bought; a loss sold now would be washed by it.
    """

    loss_sold: np.ndarray
    bought: np.ndarray


def wash_windows(
    windows: pl.DataFrame, households: pl.DataFrame, universe: Universe, as_of: date, days: int
) -> WashWindows:
    """Index the wash windows of some households.

    Conservative where the law is narrower: any purchase in the window counts, also of the very
    shares that would be sold, and a day is counted from tonight although fills come next session.

    Parameters
    ----------
    windows : polars.DataFrame
        household_id, asset_id, kind, trade_date, is_tax_deferred.
    households : polars.DataFrame
        household_id and ``h``, the position.
    universe : Universe
    as_of : datetime.date
    days : int
        Length of the window; its first day included.

    Returns
    -------
    WashWindows
        False for digital assets throughout.
    """
    recent = windows.filter(pl.col("trade_date").is_between(as_of - timedelta(days=days), as_of))
    rows = recent.join(households, on="household_id").join(universe.index, on="asset_id")
    shape = (len(households), len(universe.asset_ids))

    def matrix(chosen: pl.DataFrame) -> np.ndarray:
        flags = np.zeros(shape, dtype=bool)
        flags[chosen["h"].to_numpy(), chosen["n"].to_numpy()] = True
        return flags & ~universe.is_wash_exempt

    sales = rows.filter((pl.col("kind") == "loss_sale") & ~pl.col("is_tax_deferred"))
    return WashWindows(matrix(sales), matrix(rows.filter(pl.col("kind") == "purchase")))


@dataclass(frozen=True)
class SaleLots:
    """Lots of the solved accounts in the order in which each pair's lots are sold; L lots.

    Attributes
    ----------
    row : ndarray of shape (L,)
        Position in the book.
    pair, account : ndarray of shape (L,)
        Owning pair and account.
    start : ndarray of shape (P + 1,)
        First lot of each pair.
    width : ndarray of shape (L,)
        Share of V.
    rate, slope : ndarray of shape (L,)
        Marginal rate (0 in tax-deferred accounts) and tax per dollar sold.
    is_long_term : ndarray of shape (L,)
        bool, tonight.
    is_loss : ndarray of shape (L,)
        bool: taxable and below basis.
    is_washing, is_masked : ndarray of shape (L,)
        bool: a sale would be washed; a sale would realise a short-term gain that may not be chosen.
    can_sell, can_sell_forced : ndarray of shape (L,)
        bool: with the mask, and without it (cash needs). Where lots go in order, a lot behind one
        that may not be sold may not be sold either.
    """

    row: np.ndarray
    pair: np.ndarray
    account: np.ndarray
    start: np.ndarray
    width: np.ndarray
    rate: np.ndarray
    slope: np.ndarray
    is_long_term: np.ndarray
    is_loss: np.ndarray
    is_washing: np.ndarray
    is_masked: np.ndarray
    can_sell: np.ndarray
    can_sell_forced: np.ndarray

    def capacity(self, flags: np.ndarray) -> np.ndarray:
        """Sum the widths of chosen lots per pair; shape (P,)."""
        return np.bincount(self.pair[flags], weights=self.width[flags], minlength=len(self.start) - 1)


def order_sale_lots(
    book: Book,
    pair_of_lot: np.ndarray,
    n_pairs: int,
    lot_method: np.ndarray,
    st_rate: np.ndarray,
    lt_rate: np.ndarray,
    is_tax_deferred: np.ndarray,
    long_term_only: np.ndarray,
    bought_recently: np.ndarray,
) -> SaleLots:
    """Put lots into the order of sale and find which may be sold.

    FIFO and average: earliest acquisition first; LIFO: latest first; otherwise highest tax benefit
    per dollar first. Ties: earlier acquisition, then lot id.

    Parameters
    ----------
    book : Book
        State tonight.
    pair_of_lot : ndarray of shape (Lb,)
        Pair of each of the book's lots, -1 for lots of accounts that are not solved.
    n_pairs : int
    lot_method, st_rate, lt_rate, is_tax_deferred, long_term_only : ndarray of shape (A,)
        Per account of the book; rates as fractions.
    bought_recently : ndarray of shape (Lb,)
        bool: the lot's asset was bought by the household within the window.

    Returns
    -------
    SaleLots
    """
    account = book.lot_account
    taxable = ~is_tax_deferred[account]
    gain, long = book.lot_gain, book.is_long_term
    rate = np.where(taxable, np.where(long, lt_rate[account], st_rate[account]), 0.0)
    slope = np.where(
        book.lot_value > 0.0, rate * gain / np.where(book.lot_value > 0.0, book.lot_value, 1.0), 0.0
    )
    method = lot_method[account]
    in_order = np.isin(method, _ORDERED_METHODS)
    key = np.where(method == "lifo", -book.lot_acquired_day, book.lot_acquired_day).astype(np.float64)
    key = np.where(in_order, key, slope)
    rows = np.flatnonzero(pair_of_lot >= 0)
    # The book is sorted by lot_id, so its position breaks the last tie.
    rows = rows[np.lexsort((rows, book.lot_acquired_day[rows], key[rows], pair_of_lot[rows]))]
    pair = pair_of_lot[rows]
    start = np.searchsorted(pair, np.arange(n_pairs + 1))
    is_loss = taxable & (gain < 0.0)
    washing = (is_loss & bought_recently)[rows]
    masked = (taxable & long_term_only[account] & ~long & (gain > 0.0))[rows]
    ordered = in_order[rows]
    worthless = book.lot_value[rows] <= 0.0
    return SaleLots(
        row=rows,
        pair=pair,
        account=account[rows],
        start=start,
        width=book.lot_value[rows] / book.value[account[rows]],
        rate=rate[rows],
        slope=slope[rows],
        is_long_term=long[rows],
        is_loss=is_loss[rows],
        is_washing=washing,
        is_masked=masked,
        can_sell=_open_lots(washing | masked, ordered, start, pair) & ~worthless,
        can_sell_forced=_open_lots(washing, ordered, start, pair) & ~worthless,
    )


def _open_lots(blocked: np.ndarray, ordered: np.ndarray, start: np.ndarray, pair: np.ndarray) -> np.ndarray:
    """Lots that may be sold: not blocked and, where they go in order, none blocked before them."""
    count = np.concatenate([[0], np.cumsum(blocked)])
    before = count[:-1] - count[start[pair]] if len(pair) else count[:-1]
    return ~blocked & ~(ordered & (before > 0))
