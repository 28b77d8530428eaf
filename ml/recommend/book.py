"""The account side of a night: cash and lots of many accounts at one session, as ragged arrays.

What belongs here: turning ledger frames into arrays, valuing them, and naming the accounts that
cannot be solved. What does not: targets and orders.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from ml.policy.panels import AccountPanel
from ml.recommend.market import Universe
from ml.recommend.schema import SHARE_UNITS, USD_UNITS, to_units

_MAX_UNITS = 9 * 10**18
_FAR_DAY = 2_000_000  # a date far away: a lot whose holding period is unknown never turns long-term


@dataclass(frozen=True)
class Book:
    """State of A accounts at one session; L lots sorted by (account, asset, lot_id).

    Attributes
    ----------
    session : datetime.date
        Close at which everything is valued.
    cash : ndarray of shape (A,)
        int64, 1e-6 USD.
    has_state : ndarray of shape (A,)
        bool: the ledger has a cash row or a lot.
    lot_account, lot_asset : ndarray of shape (L,)
        int64 positions; lot_asset is -1 where the asset has no price.
    lot_units : ndarray of shape (L,)
        int64, 1e-9 shares.
    lot_basis : ndarray of shape (L,)
        int64, 1e-6 USD; 0 where ``lot_basis_known`` is False.
    lot_basis_known : ndarray of shape (L,)
        bool.
    lot_value : ndarray of shape (L,)
        USD, 0 without a price.
    lot_acquired_day, lot_long_term_day : ndarray of shape (L,)
        int64 days since 1970-01-01.
    names : polars.DataFrame
        asset_id and lot_id of each lot.
    value : ndarray of shape (A,)
        Cash plus lots, USD.
    """

    session: date
    cash: np.ndarray
    has_state: np.ndarray
    lot_account: np.ndarray
    lot_asset: np.ndarray
    lot_units: np.ndarray
    lot_basis: np.ndarray
    lot_basis_known: np.ndarray
    lot_value: np.ndarray
    lot_acquired_day: np.ndarray
    lot_long_term_day: np.ndarray
    names: pl.DataFrame
    value: np.ndarray

    @property
    def day(self) -> int:
        """The session as days since 1970-01-01."""
        return self.session.toordinal() - date(1970, 1, 1).toordinal()

    @property
    def is_long_term(self) -> np.ndarray:
        """Whether a sale at this session is long-term; shape (L,)."""
        return self.lot_long_term_day <= self.day

    @property
    def lot_gain(self) -> np.ndarray:
        """Value minus basis in USD, 0 where the basis is unknown; shape (L,)."""
        return np.where(self.lot_basis_known, self.lot_value - self.lot_basis / USD_UNITS, 0.0)


def build_book(
    accounts: pl.DataFrame, lots: pl.DataFrame, cash: pl.DataFrame, universe: Universe, session: date
) -> Book:
    """Value the accounts at one session.

    Parameters
    ----------
    accounts : polars.DataFrame
        account_id and ``a``, the position.
    lots, cash : polars.DataFrame
        Rows of this state_date, of any account.
    universe : Universe
    session : datetime.date

    Returns
    -------
    Book
    """
    index = accounts.select("account_id", "a")
    held = lots.join(index, on="account_id").join(universe.index, on="asset_id", how="left")
    held = held.sort("a", "asset_id", "lot_id")
    money = cash.join(index, on="account_id")
    count = len(accounts)
    cash_units = np.zeros(count, dtype=np.int64)
    np.add.at(cash_units, money["a"].to_numpy(), to_units(money["cash_usd"], 6))
    account = held["a"].to_numpy().astype(np.int64)
    asset = held["n"].fill_null(-1).to_numpy().astype(np.int64)
    units = _clamped_units(held["quantity"])
    price = np.append(universe.price[session], np.nan)[asset]
    lot_value = np.where(np.isfinite(price), units / SHARE_UNITS * price, 0.0)
    has_state = np.zeros(count, dtype=bool)
    has_state[account] = True
    has_state[money["a"].to_numpy()] = True
    return Book(
        session=session,
        cash=cash_units,
        has_state=has_state,
        lot_account=account,
        lot_asset=np.where(np.isfinite(price), asset, -1),
        lot_units=units,
        lot_basis=to_units(held["cost_basis_usd"].fill_null(0), 6),
        lot_basis_known=held["cost_basis_usd"].is_not_null().to_numpy(),
        lot_value=lot_value,
        lot_acquired_day=_days(held["acquired_date"]),
        lot_long_term_day=_days(held["first_long_term_date"]),
        names=held.select("asset_id", "lot_id"),
        value=cash_units / USD_UNITS + np.bincount(account, weights=lot_value, minlength=count),
    )


def _clamped_units(quantity: pl.Series) -> np.ndarray:
    """Shares in 1e-9 units; more than 9e9 shares become the largest value, which ``book_status`` refuses."""
    bound = pl.lit(_MAX_UNITS).cast(pl.Decimal(38, 0))
    units = pl.select(quantity.cast(pl.Decimal(38, 9)).to_physical().cast(pl.Decimal(38, 0)).alias("q"))
    return units.select(pl.min_horizontal("q", bound).cast(pl.Int64))["q"].to_numpy()


def _days(dates: pl.Series) -> np.ndarray:
    """Dates as days since 1970-01-01; null is a day that never comes."""
    return dates.cast(pl.Date).to_physical().cast(pl.Int64).fill_null(_FAR_DAY).to_numpy()


def book_status(
    book: Book, is_tax_deferred: np.ndarray, margin_ratio: float
) -> tuple[np.ndarray, np.ndarray]:
    """Name the accounts that cannot be given orders, and why.

    Parameters
    ----------
    book : Book
    is_tax_deferred : ndarray of shape (A,)
        bool; basis does not matter there.
    margin_ratio : float
        Cash debt, as a share of V, up to which sales can repay it.

    Returns
    -------
    status, reason : ndarray of shape (A,)
        Strings; status is ``ok`` where orders can be computed, reason then is empty.
    """
    count = len(book.cash)
    status = np.full(count, "ok", dtype=object)
    reason = np.full(count, "", dtype=object)

    def mark(where: np.ndarray, name: str, sentence: Callable[[int], str]) -> None:
        for a in np.flatnonzero(where & (status == "ok")):
            status[a], reason[a] = name, sentence(int(a))

    def any_lot(flags: np.ndarray) -> np.ndarray:
        return np.bincount(book.lot_account[flags], minlength=count) > 0

    unknown = ~book.lot_basis_known & ~is_tax_deferred[book.lot_account]
    mark(
        any_lot(unknown),
        "hold_unknown_basis",
        lambda a: f"cost basis unknown: {_lot_names(book, unknown, a)}",
    )
    unpriced = book.lot_asset < 0
    mark(any_lot(unpriced), "no_price", lambda a: f"no price: {_lot_names(book, unpriced, a)}")
    short = book.lot_units <= 0
    mark(
        any_lot(short),
        "restricted",
        lambda a: f"short positions are not modelled: {_lot_names(book, short, a)}",
    )
    large = book.lot_units >= _MAX_UNITS
    mark(any_lot(large), "restricted", lambda a: f"more than 9e9 shares: {_lot_names(book, large, a)}")
    empty = (book.cash == 0) & (np.bincount(book.lot_account, minlength=count) == 0)
    mark(empty, "no_price", lambda a: "nothing to price: no cash and no lots")
    mark(book.value <= 0.0, "restricted", lambda a: f"account value is {book.value[a]:.2f} USD, not positive")
    debt = book.cash / USD_UNITS < -margin_ratio * np.maximum(book.value, 0.0)
    mark(
        debt,
        "restricted",
        lambda a: (
            f"cash is {book.cash[a] / USD_UNITS:.2f} USD: margin is not modelled; "
            "if deposits are missing from the import, add them"
        ),
    )
    return status, reason


def _lot_names(book: Book, flags: np.ndarray, account: int) -> str:
    """List up to five lots of an account as ``asset lot``."""
    rows = np.flatnonzero(flags & (book.lot_account == account))
    shown = [" lot ".join(book.names.row(int(i))) for i in rows[:5]]
    return "; ".join(shown) + (f"; and {len(rows) - 5} more" if len(rows) > 5 else "")


def dense_weights(book: Book, n_assets: int) -> np.ndarray:
    """Shares of value per account and asset, cash last; rows sum to 1 where value is positive.

    Returns
    -------
    ndarray of shape (A, N + 1)
        All cash where the value is not positive; a cash debt shows as a negative entry.
    """
    count = len(book.cash)
    usable = (book.lot_asset >= 0) & (book.value[book.lot_account] > 0.0)
    flat = book.lot_account[usable] * (n_assets + 1) + book.lot_asset[usable]
    share = book.lot_value[usable] / book.value[book.lot_account[usable]]
    weights = np.bincount(flat, weights=share, minlength=count * (n_assets + 1)).reshape(count, n_assets + 1)
    weights[:, -1] = 1.0 - weights[:, :-1].sum(axis=1)
    return weights


def account_panel(
    book: Book, rows: np.ndarray, account_ids: list[str], is_tax_deferred: np.ndarray, n_assets: int
) -> AccountPanel:
    """Make the experts' panel of some of the accounts.

    Parameters
    ----------
    book : Book
        State at the session of the target.
    rows : ndarray of shape (R,)
        Positions of the accounts, ascending.
    account_ids : list of str
        Ids of all A accounts.
    is_tax_deferred : ndarray of shape (A,)
    n_assets : int

    Returns
    -------
    AccountPanel
        R accounts. A cash debt counts as no cash, and the rest is scaled to sum to 1.
    """
    position = np.full(len(book.cash), -1, dtype=np.int64)
    position[rows] = np.arange(len(rows))
    chosen = (position[book.lot_account] >= 0) & (book.lot_asset >= 0) & (book.value[book.lot_account] > 0.0)
    chosen &= book.lot_units > 0
    weights = np.maximum(dense_weights(book, n_assets)[rows], 0.0)
    account = position[book.lot_account[chosen]]
    total = weights.sum(axis=1)
    cost = book.lot_basis[chosen] / USD_UNITS
    known = book.lot_basis_known[chosen] & (cost > 0.0)
    # A lot without cost (gift of zero basis) is all gain: any large ratio says so.
    ratio = np.where(known, book.lot_value[chosen] / np.where(known, cost, 1.0) - 1.0, 1e6)
    days = book.lot_long_term_day[chosen] - book.day
    return AccountPanel(
        account_ids=tuple(account_ids[i] for i in rows),
        current_weights=weights / total[:, None],
        lot_account=account,
        lot_asset=book.lot_asset[chosen],
        lot_weight=book.lot_value[chosen] / book.value[book.lot_account[chosen]] / total[account],
        lot_gain_ratio=np.where(book.lot_basis_known[chosen], ratio, np.nan),
        lot_value_usd=book.lot_value[chosen],
        lot_is_long_term=days <= 0,
        lot_days_to_long_term=days,
        is_tax_deferred=is_tax_deferred[rows],
    )
