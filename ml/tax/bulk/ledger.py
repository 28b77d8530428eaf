"""The compiled ledger over plain arrays: typed columns in, typed columns out, no frame in between.

Names, screening and frames are :mod:`ml.tax.bulk.run`'s.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import numpy as np

from ml.tax.bulk import columns as c
from ml.tax.bulk.streams import STREAM_TABLES, arrange, run_streams

# Holding period starts that the engine knows, as days since 1970-01-01: 1860 to 2130.
_FIRST_DAY: Final = -40_177
_LAST_DAY: Final = 58_440
# Eighths of lots and pieces per row that tables begin with: two are rarely full, and then they grow.
ROOM: Final = 16


@lru_cache(maxsize=1)
def first_long_days() -> np.ndarray:
    """Return the first long-term day by holding period start; entry 0 holds the first start's number.

    Notes
    -----
    The rule of :func:`ml.tax.holding_period.first_long_term_date`, for all days at once.
    """
    day = np.arange(_FIRST_DAY, _LAST_DAY).astype("datetime64[D]")
    month = day.astype("datetime64[M]")
    into = (day - month.astype("datetime64[D]")).astype(np.int64)
    is_last = (day + 1).astype("datetime64[M]") != month
    after = (month + 12).astype("datetime64[D]") + into + 1
    found = np.where(is_last, (month + 13).astype("datetime64[D]"), after).astype(np.int64)
    found[0] = _FIRST_DAY
    return found


@dataclass(frozen=True, slots=True)
class Order:
    """Rows by household, security and time; ``starts`` are the streams' first places in ``rows``."""

    rows: np.ndarray
    starts: np.ndarray
    households: np.ndarray
    is_tied: bool


@dataclass(frozen=True, slots=True)
class BulkBooks:
    """Results of :meth:`BulkLedger.run`, in the order of streams; the indices are in ``columns``.

    Attributes
    ----------
    lots, lots_wide : numpy.ndarray
        Open lots: ``columns.O_*``, int32 of shape (7, lots) and int64 of shape (3, lots). Rows, accounts and
        assets are numbers of the input, days count from 1970-01-01, shares are 1e-9, money is 1e-6 USD.
    pieces, pieces_wide : numpy.ndarray
        Shares sold from one lot in taxable accounts: ``columns.Q_*``, shapes (12, pieces) and (5, pieces).
    matches, matches_wide : numpy.ndarray
        What washed a piece: ``columns.M_*``, shapes (7, matches) and (2, matches).
    entries : numpy.ndarray
        Dividends with their shares and those that failed the holding test: ``columns.N_*``, int64.
    issues : numpy.ndarray
        Rows of sales that average basis was not permitted for.
    reasons : numpy.ndarray
        Per household 0, or a code of ``screen.RUN_REASONS``: it was not computed and has no rows.
    """

    lots: np.ndarray
    lots_wide: np.ndarray
    pieces: np.ndarray
    pieces_wide: np.ndarray
    matches: np.ndarray
    matches_wide: np.ndarray
    entries: np.ndarray
    issues: np.ndarray
    reasons: np.ndarray


@dataclass(frozen=True, slots=True)
class BulkLedger:
    """Transactions of many households as columns.

    Attributes
    ----------
    kind, flags : numpy.ndarray
        int8: ``columns.BUY`` and so on; ``columns.HAS_AMOUNT`` and so on.
    day : numpy.ndarray
        int32, trade date in days since 1970-01-01; must not fall with ``time`` within a household.
    time : numpy.ndarray
        int64, any unit; rows of the same time keep their order.
    account, asset : numpy.ndarray
        int32 row numbers of ``accounts`` and ``assets``; an asset of -1: the row is no event.
    order, reference : numpy.ndarray
        int32, -1 for none: the broker's order that the row is a fill of (dense from 0), and the first row of
        ``references`` that a sale names. ``reference`` may be empty.
    quantity, price, amount, fees : numpy.ndarray
        int64 in 1e-9 shares and 1e-6 USD; of a split ``price`` and ``amount`` are its ratio in lowest terms.
    accounts : numpy.ndarray
        int64, ``columns.A_*``; households count from 0.
    assets : numpy.ndarray
        int64, ``columns.X_*``; assets of one security wash each other.
    references : numpy.ndarray
        int64, ``columns.F_*``, with the row of the purchase in ``F_PLACE``.
    """

    kind: np.ndarray
    flags: np.ndarray
    day: np.ndarray
    time: np.ndarray
    account: np.ndarray
    asset: np.ndarray
    order: np.ndarray
    quantity: np.ndarray
    price: np.ndarray
    amount: np.ndarray
    fees: np.ndarray
    accounts: np.ndarray
    assets: np.ndarray
    reference: np.ndarray = field(default_factory=lambda: np.empty(0, np.int32))
    references: np.ndarray = field(default_factory=lambda: np.empty((0, c.REFERENCE_COLUMNS), np.int64))

    def arranged(self) -> Order:
        """Return the rows by household, security and time."""
        return Order(*arrange(self.account, self.asset, self.day, self.time, self.accounts, self.assets))

    def run(self, order: Order | None = None, skipped: np.ndarray | None = None) -> BulkBooks:
        """Run the ledger with wash sales.

        Parameters
        ----------
        order : Order, optional
            From :meth:`arranged`, if its ties had to be put right.
        skipped : numpy.ndarray, optional
            Per household another code than 0: leave it out.
        """
        order = order or self.arranged()
        count = int(self.accounts[:, c.A_HOUSEHOLD].max(initial=-1)) + 1
        reasons = np.zeros(count, np.int64) if skipped is None else skipped.astype(np.int64)
        references = self.references.copy()
        if len(references):
            places = np.full(len(self.kind), c.NONE, np.int64)
            places[order.rows] = np.arange(len(order.rows))
            references[:, c.F_PLACE] = places[references[:, c.F_PLACE]]
        return self._streams(order, reasons, references)

    def _streams(self, order: Order, reasons: np.ndarray, references: np.ndarray) -> BulkBooks:
        """Run all streams; tables that are full grow and the stream runs again."""
        sold = int(np.count_nonzero(self.kind == c.SELL))
        longest = int(np.diff(order.starts).max(initial=0))
        orders = int(self.order.max(initial=c.NONE)) + 1
        rows = (
            self.kind, self.flags, self.day, self.account, self.asset, self.order, self.reference,
            self.quantity, self.price, self.amount, self.fees,
        )  # fmt: skip
        holdings = np.empty((longest, c.HOLDING_COLUMNS), np.int64)
        events = np.empty((longest, c.EVENT_COLUMNS), np.int64)
        entries = np.empty((longest, c.ENTRY_COLUMNS), np.int64)
        intact = np.empty((orders, 2), np.int64)
        slots = np.full(len(self.accounts), c.NONE, np.int64)
        dividends = int(np.count_nonzero(self.kind == c.DIVIDEND))
        out_entries, out_issues = np.empty((c.ENTRIES_OUT, dividends), np.int64), np.empty(sold, np.int64)
        room = longest * ROOM // 8 + 8
        lots_size, pieces_size = len(self.kind) * ROOM // 32 + 8, sold * ROOM // 8 + 8
        out = _result_tables(lots_size, pieces_size)
        counts, before, resume = np.zeros(5, np.int64), np.zeros(5, np.int64), np.zeros(2, np.int64)
        while True:
            # no sale has more pieces than its stream has lots and fills
            scratch = np.empty((c.SCRATCH_ROWS, room + longest + 8), np.int64)
            run_streams(
                resume, rows, orders, order.rows, order.starts, order.households, self.accounts, self.assets,
                references, holdings, slots, events, np.empty((room, c.LOT_COLUMNS), np.int64),
                np.empty((room, c.PIECE_COLUMNS), np.int64), entries, intact,
                first_long_days(), scratch, *out, out_entries, out_issues, counts, before, reasons,
            )  # fmt: skip
            if resume[1] == 0:
                break
            if resume[1] == STREAM_TABLES:
                room *= 2
                continue
            lots_size, pieces_size = 2 * lots_size + room, 2 * pieces_size + room
            grown = _result_tables(lots_size, pieces_size)
            for old, new in zip(out, grown, strict=True):
                new[:, : old.shape[1]] = old
            out = grown
        used = (c.T_LOTS, c.T_LOTS, c.T_PIECES, c.T_PIECES, c.T_MATCHES, c.T_MATCHES)
        lots, lots_wide, pieces, pieces_wide, matches, matches_wide = (
            table[:, : counts[i]] for table, i in zip(out, used, strict=True)
        )
        return BulkBooks(
            lots,
            lots_wide,
            pieces,
            pieces_wide,
            matches,
            matches_wide,
            out_entries[:, : counts[c.T_ENTRIES]],
            out_issues[: counts[c.T_ISSUES]],
            reasons,
        )


def _result_tables(lots: int, pieces: int) -> tuple[np.ndarray, ...]:
    """Return empty tables of lots, pieces and matches, narrow and wide."""
    shapes = (
        (c.LOTS_NARROW, c.LOTS_WIDE, lots),
        (c.PIECES_NARROW, c.PIECES_WIDE, pieces),
        (c.MATCHES_NARROW, c.MATCHES_WIDE, pieces),
    )
    return tuple(
        np.empty((width, size), dtype)
        for narrow, wide, size in shapes
        for width, dtype in ((narrow, np.int32), (wide, np.int64))
    )
