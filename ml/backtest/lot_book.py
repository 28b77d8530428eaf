"""The lots that decisions are made on: which lot a sale closes, for all accounts at once, compiled.

What belongs here: shares of each purchase still held, and the choice of lots. What does not: figures that are
reported: those come from the exact ledger (``ledger.py``), which replays the trades with wash sales. The book
leaves wash-sale adjustments of basis out; it decides, it does not account.
"""

from typing import Final

import numpy as np

from ml.backtest.compiled import compiled, inner
from ml.tax.bulk.ledger import first_long_days

# How an account chooses lots: highest basis first (the ledger's standing order), or named lots: losses by
# highest basis, then long-term gains, then short-term gains, each by highest basis.
LOT_METHODS: Final = ("hifo", "tax_order")
HIFO, TAX_ORDER = range(2)
SHARE: Final = 10**9
# Trades count in millionths of a share; lots in the ledger's 1e-9.
LOT_UNIT: Final = 1_000


class LotBook:
    """Open lots of A accounts in N assets.

    Attributes
    ----------
    held : ndarray of shape (A, N)
        int64 shares in 1e-9.
    last_loss_day, last_buy_day : ndarray of shape (A, N)
        int64 days since 1970-01-01 of the latest sale of a lot at a loss and of the latest purchase; a day long
        ago where there was none.
    """

    LONG_AGO: Final = -100_000

    def __init__(self, accounts: int, assets: int) -> None:
        shape = (accounts, assets)
        self.held = np.zeros(shape, np.int64)
        self.last_loss_day = np.full(shape, self.LONG_AGO, np.int64)
        self.last_buy_day = np.full(shape, self.LONG_AGO, np.int64)
        self._count = np.zeros(shape, np.int64)
        self._shares = np.zeros((*shape, 8), np.int64)
        self._basis = np.zeros((*shape, 8))
        self._day = np.zeros((*shape, 8), np.int64)
        self._row = np.zeros((*shape, 8), np.int64)

    def buy(self, quantity: np.ndarray, cost_usd: np.ndarray, day: int, rows: np.ndarray) -> None:
        """Open a lot wherever something was bought.

        Parameters
        ----------
        quantity : ndarray of shape (A, N)
            int64 shares in 1e-9, 0 where nothing.
        cost_usd : ndarray of shape (A, N)
            Paid, costs included.
        day : int
            Of the fill.
        rows : ndarray of shape (A, N)
            Row of the trade log.
        """
        if self._count.max(initial=0) >= self._shares.shape[2]:
            self._grow()
        _buy(
            quantity, cost_usd, day, rows, self.held, self._count, self._shares, self._basis, self._day,
            self._row, self.last_buy_day,
        )  # fmt: skip

    def sell(
        self,
        quantity: np.ndarray,
        net_price: np.ndarray,
        day: int,
        methods: np.ndarray,
        may_take_short_gains: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Close lots.

        Parameters
        ----------
        quantity : ndarray of shape (A, N)
            int64 shares in 1e-9 to sell, at most what is held.
        net_price : ndarray of shape (A, N)
            USD a share after cost.
        day : int
            Of the fill.
        methods : ndarray of shape (A,)
            :data:`HIFO` or :data:`TAX_ORDER`.
        may_take_short_gains : ndarray of shape (A,)
            bool; where False (named lots alone), lots with a short-term gain stay and less is sold.

        Returns
        -------
        sold : ndarray of shape (A, N)
            int64.
        chosen : ndarray of shape (C, 4)
            int64 (account, asset, row of the purchase, shares), in order of account, asset and choice.
        """
        room = int((self._count * (quantity > 0)).sum())
        chosen = np.empty((room, 4), np.int64)
        sold = np.zeros_like(quantity)
        used = _sell(
            quantity, net_price, day, methods, may_take_short_gains, first_long_days(), self.held, self._count,
            self._shares, self._basis, self._day, self._row, self.last_loss_day, sold, chosen,
        )  # fmt: skip
        return sold, chosen[:used]

    def lots(self) -> dict[str, np.ndarray]:
        """Every open lot: account, asset, shares (1e-9), basis (USD a share), day; in order of account."""
        total = int(self._count.sum())
        account, asset = np.empty(total, np.int64), np.empty(total, np.int64)
        shares, basis, day = np.empty(total, np.int64), np.empty(total), np.empty(total, np.int64)
        _flatten(self._count, self._shares, self._basis, self._day, account, asset, shares, basis, day)
        return {"account": account, "asset": asset, "shares": shares, "basis": basis, "day": day}

    def _grow(self) -> None:
        for name in ("_shares", "_basis", "_day", "_row"):
            old = getattr(self, name)
            new = np.zeros((*old.shape[:2], 2 * old.shape[2]), old.dtype)
            new[:, :, : old.shape[2]] = old
            setattr(self, name, new)


def first_long_day(day: np.ndarray) -> np.ndarray:
    """First day on which a sale of lots bought on ``day`` is long-term."""
    table = first_long_days()
    return table[np.asarray(day) - table[0]]


@compiled
def _buy(quantity, cost_usd, day, rows, held, count, shares, basis, days, row, last_buy_day):
    for a in range(quantity.shape[0]):
        for n in range(quantity.shape[1]):
            q = quantity[a, n]
            if q <= 0:
                continue
            k = count[a, n]
            shares[a, n, k], days[a, n, k], row[a, n, k] = q, day, rows[a, n]
            basis[a, n, k] = cost_usd[a, n] / (q / 1e9)
            count[a, n] = k + 1
            held[a, n] += q
            last_buy_day[a, n] = day


@inner
def _rank(basis, net, is_long, method):
    """Class of a lot in the order of sale, lower first."""
    if method == 0 or basis >= net:
        return 0
    return 1 if is_long else 2


@compiled
def _sell(
    quantity, net_price, day, methods, may_take_short_gains, table, held, count, shares, basis, days, row,
    last_loss_day, sold, chosen,
):  # fmt: skip
    used = 0
    for a in range(quantity.shape[0]):
        for n in range(quantity.shape[1]):
            left, net = quantity[a, n], net_price[a, n]
            while left > 0:
                best, best_class = -1, 3
                for k in range(count[a, n]):
                    if shares[a, n, k] <= 0:
                        continue
                    is_long = day >= table[days[a, n, k] - table[0]]
                    found = _rank(basis[a, n, k], net, is_long, methods[a])
                    if not may_take_short_gains[a] and basis[a, n, k] < net and not is_long:
                        continue
                    if found < best_class or (found == best_class and basis[a, n, k] > basis[a, n, best]):
                        best, best_class = k, found
                if best < 0:
                    break
                amount = min(left, shares[a, n, best])
                chosen[used, 0], chosen[used, 1] = a, n
                chosen[used, 2], chosen[used, 3] = row[a, n, best], amount
                used += 1
                if basis[a, n, best] > net:
                    last_loss_day[a, n] = day
                shares[a, n, best] -= amount
                left -= amount
                sold[a, n] += amount
            if sold[a, n] > 0:
                held[a, n] -= sold[a, n]
                kept = 0
                for k in range(count[a, n]):
                    if shares[a, n, k] > 0:
                        shares[a, n, kept], basis[a, n, kept] = shares[a, n, k], basis[a, n, k]
                        days[a, n, kept], row[a, n, kept] = days[a, n, k], row[a, n, k]
                        kept += 1
                count[a, n] = kept
    return used


@compiled
def _flatten(count, shares, basis, days, account, asset, out_shares, out_basis, out_day):
    i = 0
    for a in range(count.shape[0]):
        for n in range(count.shape[1]):
            for k in range(count[a, n]):
                account[i], asset[i] = a, n
                out_shares[i], out_basis[i], out_day[i] = shares[a, n, k], basis[a, n, k], days[a, n, k]
                i += 1
