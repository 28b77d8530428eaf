"""From the trades of many accounts to exact lots, gains and wash sales: the compiled ledger, and its sums.

What belongs here: the log of trades, the ledger's run over it, sums by account and year, and what each lot was
worth and cost at any time (:class:`Holdings`). What does not: the rules (``ml/tax``), tax (``profiles.py``),
accrued wealth (``wealth.py``).
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from ml.backtest.lot_book import HIFO
from ml.tax.bulk import columns as c
from ml.tax.bulk.ledger import BulkBooks, BulkLedger, first_long_days
from ml.tax.bulk.results import years_of
from ml.tax.bulk.screen import RUN_REASONS

# The order within a session: what must be sold, what the strategy sells, what it buys.
FORCED_SALE, SALE, PURCHASE = 0, 1, 2
_STEPS: Final = 3
STILL_OPEN: Final = np.iinfo(np.int64).max
# A lot's basis above its cost by more than rounding was moved to it by a wash sale; 1e-6 USD.
_ROUNDING_USD: Final = 8


class LedgerError(RuntimeError):
    """The compiled ledger refused an account; the message gives account and reason."""


@dataclass
class TradeLog:
    """Trades of A accounts in order of time; every row is one order of one account in one asset.

    Attributes
    ----------
    methods : ndarray of shape (A,)
        How each account chooses lots (``lot_book``).
    assets : int
        N.
    rows : int
        Rows so far; the next row has this number.
    """

    methods: np.ndarray
    assets: int
    rows: int = 0
    _parts: list[dict[str, np.ndarray]] = field(default_factory=list)
    _named: list[np.ndarray] = field(default_factory=list)

    def append(
        self,
        step: int,
        day: int,
        quantity: np.ndarray,
        amount: np.ndarray,
        chosen: np.ndarray | None = None,
    ) -> np.ndarray:
        """Log a side of a fill.

        Parameters
        ----------
        step : int
            :data:`FORCED_SALE`, :data:`SALE` or :data:`PURCHASE`.
        day : int
            Trade date, days since 1970-01-01.
        quantity, amount : ndarray of shape (A, N)
            int64 shares in 1e-9 (0: no trade) and cash after costs in 1e-6 USD, unsigned.
        chosen : ndarray of shape (C, 4), optional
            Of sales: the lots that the account's book closed; named to the ledger for named-lot accounts.

        Returns
        -------
        ndarray of shape (A, N)
            int64 row of each trade, -1 for none.
        """
        account, asset = np.nonzero(quantity)
        numbers = np.full(quantity.shape, -1, np.int64)
        numbers[account, asset] = self.rows + np.arange(len(account))
        self._parts.append(
            {
                "step": np.full(len(account), step, np.int8),
                "day": np.full(len(account), day, np.int32),
                "account": account.astype(np.int32),
                "asset": asset.astype(np.int32),
                "quantity": quantity[account, asset],
                "amount": amount[account, asset],
            }
        )
        if chosen is not None and len(chosen):
            named = chosen[self.methods[chosen[:, 0]] != HIFO]
            row = numbers[named[:, 0], named[:, 1]]
            if len(named):
                self._named.append(np.column_stack([row, named[:, 2], named[:, 3]]))
        self.rows += len(account)
        return numbers

    def columns(self) -> dict[str, np.ndarray]:
        """All rows as columns: step, day, account, asset, quantity, amount."""
        if not self._parts:
            empty = {name: np.empty(0, np.int64) for name in ("quantity", "amount")}
            narrow = {name: np.empty(0, np.int32) for name in ("day", "account", "asset")}
            return {"step": np.empty(0, np.int8), **narrow, **empty}
        return {name: np.concatenate([p[name] for p in self._parts]) for name in self._parts[0]}

    def ledger(self) -> BulkLedger:
        """The rows as the compiled ledger's columns: each account a household of its own."""
        rows = self.columns()
        count = len(rows["step"])
        is_buy = rows["step"] == PURCHASE
        accounts = np.zeros((len(self.methods), 5), np.int64)
        accounts[:, c.A_METHOD] = np.where(self.methods == HIFO, c.HIFO, c.FIFO)
        accounts[:, c.A_USER] = accounts[:, c.A_HOUSEHOLD] = np.arange(len(self.methods))
        assets = np.zeros((self.assets, 3), np.int64)
        assets[:, c.X_SECURITY] = np.arange(self.assets)
        reference, references = self._references(count)
        return BulkLedger(
            kind=np.where(is_buy, c.BUY, c.SELL).astype(np.int8),
            flags=np.full(count, c.HAS_AMOUNT, np.int8),
            day=rows["day"],
            time=rows["day"].astype(np.int64) * _STEPS + rows["step"],
            account=rows["account"],
            asset=rows["asset"],
            order=np.full(count, c.NONE, np.int32),
            quantity=rows["quantity"],
            price=np.zeros(count, np.int64),
            amount=np.where(is_buy, -rows["amount"], rows["amount"]),
            fees=np.zeros(count, np.int64),
            accounts=accounts,
            assets=assets,
            reference=reference,
            references=references,
        )

    def _references(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """First entry of each sale that names lots, and the entries, chained."""
        if not self._named:
            return np.empty(0, np.int32), np.empty((0, c.REFERENCE_COLUMNS), np.int64)
        named = np.concatenate(self._named)
        size = len(named)
        table = np.zeros((size, c.REFERENCE_COLUMNS), np.int64)
        table[:, c.F_EVENT] = c.NONE
        table[:, c.F_SHARES], table[:, c.F_PLACE] = named[:, 2], named[:, 1]
        is_last = np.append(named[1:, 0] != named[:-1, 0], True)
        table[:, c.F_NEXT] = np.where(is_last, c.NONE, np.arange(1, size + 1))
        first = np.full(count, c.NONE, np.int32)
        starts = np.flatnonzero(np.append(True, named[1:, 0] != named[:-1, 0]))
        first[named[starts, 0]] = starts
        return first, table


@dataclass(frozen=True, slots=True)
class ExactBooks:
    """The ledger's results over a log.

    Attributes
    ----------
    books : BulkBooks
    rows : dict of str to ndarray
        The log's columns.
    accounts : int
    """

    books: BulkBooks
    rows: dict[str, np.ndarray]
    accounts: int

    def yearly(self, values: np.ndarray, chosen: np.ndarray, first_year: int, years: int) -> np.ndarray:
        """Sum values of chosen pieces by account and year of sale; (A, years) int64. Other years are left out."""
        place = years_of(self.books.pieces[c.Q_DAY]).astype(np.int64) - first_year
        chosen = chosen & (place >= 0) & (place < years)
        out = np.zeros((self.accounts, years), np.int64)
        np.add.at(out, (self.books.pieces[c.Q_ACCOUNT][chosen], place[chosen]), values[chosen])
        return out

    @property
    def gain(self) -> np.ndarray:
        """Proceeds less adjusted basis of each piece, before disallowance; 1e-6 USD."""
        wide = self.books.pieces_wide
        return wide[c.Q_PROCEEDS] - wide[c.Q_COST]

    @property
    def recognised(self) -> np.ndarray:
        """What counts on Schedule D, by piece; 1e-6 USD."""
        return self.gain + self.books.pieces_wide[c.Q_DISALLOWED]

    @property
    def is_long(self) -> np.ndarray:
        """Term of each piece."""
        return self.books.pieces[c.Q_LONG] == 1

    @property
    def is_forced(self) -> np.ndarray:
        """Whether each piece is of a sale that the strategy did not choose."""
        return self.rows["step"][self.books.pieces[c.Q_SALE]] == FORCED_SALE

    def match_days(self) -> np.ndarray:
        """Day on which each wash match happened: the later of loss sale and replacement."""
        matches = self.books.matches
        return np.maximum(self.books.pieces[c.Q_DAY][matches[c.M_PIECE]], matches[c.M_ACQUIRED]).astype(
            np.int64
        )


def run_exact(log: TradeLog) -> ExactBooks:
    """Run the compiled ledger, wash sales on, over all accounts of a log.

    Raises
    ------
    LedgerError
        An account that it refuses.
    """
    books = log.ledger().run()
    refused = np.flatnonzero(books.reasons)
    if len(refused):
        reason = RUN_REASONS.get(int(books.reasons[refused[0]]), str(int(books.reasons[refused[0]])))
        raise LedgerError(
            f"account {int(refused[0])} of {len(log.methods)}: {reason}; report its trades as a defect"
        )
    return ExactBooks(books, log.columns(), len(log.methods))


@dataclass(frozen=True, slots=True)
class Holdings:
    """Every lot that was ever held, with its basis before and after a wash sale changed it; L entries.

    Attributes
    ----------
    account, asset : ndarray of shape (L,)
        int64.
    first_day, end_day : ndarray of shape (L,)
        int64 days of purchase and of sale (:data:`STILL_OPEN` if never sold).
    shares, cost, adjustment : ndarray of shape (L,)
        float64 shares and USD; ``adjustment`` joins the basis from ``change_day`` on.
    change_day : ndarray of shape (L,)
        int64; :data:`STILL_OPEN` if no wash sale touched the lot.
    long_day, long_day_after : ndarray of shape (L,)
        int64 first day of a long-term sale, before and from ``change_day`` on.
    """

    account: np.ndarray
    asset: np.ndarray
    first_day: np.ndarray
    end_day: np.ndarray
    shares: np.ndarray
    cost: np.ndarray
    adjustment: np.ndarray
    change_day: np.ndarray
    long_day: np.ndarray
    long_day_after: np.ndarray


def holdings_of(exact: ExactBooks) -> Holdings:
    """Trace every lot through time.

    Notes
    -----
    The ledger is causal but for one thing: a purchase up to 30 days after a loss moves that loss into its basis. So
    what stood at the close of a day is what the final books say, less the adjustments of matches after it. A lot that
    replaced shares sold at a loss is matched once; its sub-lot number finds the match.
    """
    lots, wide = exact.books.lots, exact.books.lots_wide
    pieces, sold = exact.books.pieces, exact.books.pieces_wide
    source = np.concatenate([lots[c.O_SOURCE], pieces[c.Q_SOURCE]]).astype(np.int64)
    sub = np.concatenate([lots[c.O_SUB], pieces[c.Q_SUB]]).astype(np.int64)
    quantity = np.concatenate([wide[c.O_QUANTITY], sold[c.Q_QUANTITY]])
    basis = np.concatenate([wide[c.O_COST], sold[c.Q_COST]])
    acquired = np.concatenate([lots[c.O_ACQUIRED], pieces[c.Q_ACQUIRED]]).astype(np.int64)
    start = np.concatenate([lots[c.O_START], pieces[c.Q_START]]).astype(np.int64)
    end = np.concatenate([np.full(lots.shape[1], STILL_OPEN), pieces[c.Q_DAY].astype(np.int64)])
    paid, bought = exact.rows["amount"][source], exact.rows["quantity"][source]
    cost = paid * (quantity / bought)
    moved = basis - cost
    touched = (moved > _ROUNDING_USD) | (start != acquired)
    table = first_long_days()
    return Holdings(
        account=np.concatenate([lots[c.O_ACCOUNT], pieces[c.Q_ACCOUNT]]).astype(np.int64),
        asset=np.concatenate([lots[c.O_ASSET], pieces[c.Q_ASSET]]).astype(np.int64),
        first_day=acquired,
        end_day=end,
        shares=quantity / 1e9,
        cost=cost / 1e6,
        adjustment=np.where(touched, moved / 1e6, 0.0),
        change_day=np.where(touched, _change_days(exact, source, sub), STILL_OPEN),
        long_day=table[acquired - table[0]],
        long_day_after=table[start - table[0]],
    )


def _change_days(exact: ExactBooks, source: np.ndarray, sub: np.ndarray) -> np.ndarray:
    """Day of the match of each (purchase, sub-lot); STILL_OPEN without one."""
    matches = exact.books.matches
    if matches.shape[1] == 0:
        return np.full(len(source), STILL_OPEN)
    width = int(max(sub.max(initial=0), matches[c.M_SUB].max(initial=0))) + 1
    keys = matches[c.M_SOURCE].astype(np.int64) * width + matches[c.M_SUB]
    days = exact.match_days()
    order = np.lexsort((days, keys))
    keys, days = keys[order], days[order]
    wanted = source * width + sub
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, days[place], STILL_OPEN)
