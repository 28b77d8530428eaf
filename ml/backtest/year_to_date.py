"""What the accounts have realised this year, as a decision may know it.

What belongs here: sums of the year's sales by the account's own lots. What does not: figures that are reported, which
come from the exact ledger with its wash sales (``ledger.py``).
"""

import numpy as np

from ml.backtest.lot_book import SHARE, first_long_day
from ml.backtest.profiles import YearTax
from ml.tax.units import USD


class YearToDate:
    """Results of A accounts since 1 January.

    Parameters
    ----------
    year : int
        The first one.
    outside_usd, loss_limit_usd : ndarray of shape (A,)
        Long-term gains of every year from elsewhere, and what of a year's losses may take off other income (IRC
        1211(b)): what is left beyond both is carried.

    Attributes
    ----------
    year : int
        Calendar year of the sums.
    short_usd, long_usd : ndarray of shape (A,)
        Net results; gains positive.
    """

    def __init__(self, year: int, outside_usd: np.ndarray, loss_limit_usd: np.ndarray) -> None:
        self.year = year
        self._used_each_year = outside_usd + loss_limit_usd
        self.short_usd, self.long_usd = np.zeros_like(outside_usd), np.zeros_like(outside_usd)
        self._before = np.zeros_like(outside_usd)
        self._unit = np.zeros(1024)
        self._day = np.zeros(1024, np.int64)

    def bought(self, rows: np.ndarray, quantity: np.ndarray, paid_usd: np.ndarray, day: int) -> None:
        """Remember what the shares of each purchase cost; arrays (A, N), rows -1 where nothing was bought."""
        made = rows >= 0
        if not made.any():
            return
        last = int(rows.max())
        while last >= len(self._unit):
            self._unit = np.concatenate([self._unit, np.zeros_like(self._unit)])
            self._day = np.concatenate([self._day, np.zeros_like(self._day)])
        self._unit[rows[made]] = paid_usd[made] / (quantity[made] / SHARE)
        self._day[rows[made]] = day

    def sold(
        self, chosen: np.ndarray, quantity: np.ndarray, received_usd: np.ndarray, day: int, year: int
    ) -> None:
        """Add a day's sales.

        Parameters
        ----------
        chosen : ndarray of shape (C, 4)
            int64 (account, asset, row of the purchase, shares in 1e-9) of the lots that were closed.
        quantity, received_usd : ndarray of shape (A, N)
            Shares sold in 1e-9 and what they brought after costs.
        day, year : int
            Of the sale.
        """
        self._turn(year)
        if len(chosen) == 0:
            return
        account, asset, row, shares = chosen.T
        price = received_usd[account, asset] / (quantity[account, asset] / SHARE)
        gain = (price - self._unit[row]) * (shares / SHARE)
        is_long = first_long_day(self._day[row]) <= day
        count = len(self.short_usd)
        self.short_usd += np.bincount(account, gain * ~is_long, count)
        self.long_usd += np.bincount(account, gain * is_long, count)

    def now(self, year: int, settled: dict[int, list[YearTax]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Short and long-term net of a year so far and losses carried into it, USD, each (A,)."""
        self._turn(year)
        if year - 1 in settled:
            carried = np.array([(one.carry_short + one.carry_long) / USD for one in settled[year - 1]])
        else:
            carried = self._before
        return self.short_usd.copy(), self.long_usd.copy(), carried

    def _turn(self, year: int) -> None:
        """Begin a year; what the one before lost beyond the deduction is carried until it is settled."""
        if year == self.year:
            return
        left = self._before - (self.short_usd + self.long_usd) - self._used_each_year
        self._before = np.maximum(left, 0.0)
        self.short_usd, self.long_usd = np.zeros_like(self.short_usd), np.zeros_like(self.long_usd)
        self.year = year
