"""What a reader of one broker's format says about a file, before anything is looked up in the warehouse.

A reader calls exactly one of ``Statement.add``, ``skip``, ``reject`` or ``cancel`` for every row of
the file, so that each row ends with one outcome. Securities are named by keys of the statement's own
registry, because a file may explain an identifier after it used it. What does not belong here: asset
ids, stored rows, anything that knows the warehouse (``load.py``).
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import polars as pl

from dagster_project.sources.brokerage.securities import Security, security_key

_CHUNK_ROWS: Final = 20_000
# Cells of one canonical transaction; all text, parsed once by ingestion's own rules.
CELLS: Final = (
    "kind",
    "traded_at",
    "trade_date",
    "quantity",
    "price_usd",
    "amount_usd",
    "fees_usd",
    "order_id",
    "lot_reference",
    "settled_date",
    "acquired_date",
    "cost_basis_usd",
    "fair_market_value_usd",
    "ratio_new",
    "ratio_old",
    "option_right",
    "strike_usd",
    "expiry_date",
)
# account: as the file writes it; native_id: the broker's own identifier; part: which of several
# transactions of one row; rows: further rows that the transaction stands for; known_date: posting date.
_SCHEMA: Final = {
    "line": pl.Int64(),
    "rows": pl.List(pl.Int64()),
    "account": pl.String(),
    "native_id": pl.String(),
    "part": pl.String(),
    "action": pl.String(),
    "security": pl.String(),
    "related": pl.String(),
    "underlying": pl.String(),
    "known_date": pl.Date(),
    "row": pl.String(),
    **dict.fromkeys(CELLS, pl.String()),
}


class RefusedFile(ValueError):
    """The file as a whole cannot be imported; the message is the reason and names the remedy."""


class BadValue(ValueError):
    """A cell cannot be read: a reason code, the column and a sentence."""

    def __init__(self, reason: str, detail: str, column: str | None = None) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.column = column


@dataclass(frozen=True)
class When:
    """The day of a row, its moment where the file states one, and the day it was posted.

    Attributes
    ----------
    date : datetime.date
        Trade date as the file states it.
    moment : str or None
        ISO 8601 with an offset; None for a bare date.
    known : datetime.date or None
        Posting date, where it is later than ``date``.
    """

    date: dt.date
    moment: str | None = None
    known: dt.date | None = None


@dataclass(frozen=True)
class Position:
    """Shares that a file says an account held (negative: short), with its own price and cost."""

    account: str
    security: str
    as_of_date: dt.date
    quantity: Decimal
    price: Decimal | None = None
    value: Decimal | None = None
    cost: Decimal | None = None


@dataclass(frozen=True)
class ReportedGain:
    """A realised gain as the broker computed it, of a whole sale or of one lot of it.

    ``row`` is the row of the sale, or None if ``sale_id`` (the broker's identifier) finds it.
    """

    account: str
    security: str
    trade_date: dt.date
    gain: Decimal
    line: int
    row: int | None = None
    sale_id: str | None = None
    quantity: Decimal | None = None
    proceeds: Decimal | None = None
    cost: Decimal | None = None
    acquired_date: dt.date | None = None
    term: str | None = None


@dataclass(frozen=True)
class Cancel:
    """A row that takes an earlier one back, found by the broker's identifier, else by its content."""

    line: int
    account: str
    reference: str | None
    kinds: tuple[str, ...]
    trade_date: dt.date | None
    security: str | None
    quantity: Decimal | None
    amount: Decimal | None
    known: dt.date
    action: str
    row: str


@dataclass
class AccountFacts:
    """What a file says about one of its accounts."""

    account_type: str | None = None
    opened_date: dt.date | None = None
    broker: str | None = None


@dataclass
class Statement:
    """Everything one file says.

    Attributes
    ----------
    format : str
        A member of ``FORMATS``.
    broker : str
        Name for ``accounts.broker``.
    accounts : dict
        By the account's own number, in order of appearance.
    skipped, rejected : dict
        Rows that are no transaction, by rule; bad rows by (reason, column, sentence, row).
    taken : set of int
        Rows that have an outcome.
    keeps_rows : bool
        Whether rows as read are kept beside good transactions, too (small files).
    """

    format: str
    broker: str
    accounts: dict[str, AccountFacts] = field(default_factory=dict)
    securities: dict[str, Security] = field(default_factory=dict)
    skipped: dict[int, str] = field(default_factory=dict)
    skipped_text: dict[int, str] = field(default_factory=dict)
    rejected: dict[int, tuple[str, str | None, str, str]] = field(default_factory=dict)
    cancels: list[Cancel] = field(default_factory=list)
    positions: list[Position] = field(default_factory=list)
    gains: list[ReportedGain] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    keeps_rows: bool = True
    taken: set[int] = field(default_factory=set)
    _chunks: list[pl.DataFrame] = field(default_factory=list)
    _buffer: list[dict[str, Any]] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Rows of the file: each is a transaction (or part of one), skipped, rejected or a cancellation."""
        return len(self.taken)

    def account(self, name: str | None) -> AccountFacts:
        """Facts of an account, made when first named."""
        facts = self.accounts.setdefault(name or "", AccountFacts())
        facts.broker = facts.broker or self.broker
        return facts

    def security(self, **facts: Any) -> str | None:
        """Register a security and return its key; None if nothing identifies it."""
        found = Security(**{name: value for name, value in facts.items() if value})
        key = security_key(found)
        if key is None:
            return None
        known = self.securities.get(key)
        self.securities[key] = found if known is None else known.merged(found)
        return key

    def add(
        self,
        line: int,
        kind: str,
        account: str | None,
        when: When,
        *,
        row: str,
        security: str | None = None,
        related: str | None = None,
        underlying: str | None = None,
        native_id: str | None = None,
        part: str = "",
        action: str = "",
        rows: Sequence[int] = (),
        qualified: bool = True,
        **cells: Decimal | dt.date | str | None,
    ) -> None:
        """Add one canonical transaction.

        Parameters
        ----------
        line : int
            The row: its line in a CSV file, its number in XML, OFX and JSON.
        kind : str
            Canonical kind.
        account : str or None
            The file's own account number.
        when : When
            Its date.
        row : str
            The row as read.
        rows : sequence of int
            Further rows that this transaction stands for.
        qualified : bool
            Whether a dividend may be qualified; short-term gain distributions and what a broker calls
            non-qualified may not: they name their asset as ``underlying`` alone.
        **cells
            Contract columns of ``CELLS``.
        """
        if kind == "dividend" and not qualified:
            # The ledger qualifies a dividend by its asset's ratio: without an asset it is ordinary.
            security, underlying = None, security
        self.account(account)
        self.taken.update((line, *rows))
        entry: dict[str, Any] = {name: _text(value) for name, value in cells.items()}
        entry |= {
            "line": line,
            "rows": [line, *rows],
            "account": account or "",
            "native_id": native_id or None,
            "part": part,
            "action": action,
            "security": security,
            "related": related,
            "underlying": underlying,
            "known_date": when.known,
            "row": row if self.keeps_rows else None,
            "kind": kind,
            "traded_at": when.moment or when.date.isoformat(),
            "trade_date": when.date.isoformat(),
        }
        self._buffer.append(entry)
        if len(self._buffer) >= _CHUNK_ROWS:
            self._flush()

    def skip(self, line: int, rule: str, row: str = "") -> None:
        """Note a row that is no transaction, and by which rule."""
        self.taken.add(line)
        self.skipped[line] = rule
        if self.keeps_rows and row:
            self.skipped_text[line] = row

    def reject(
        self,
        line: int,
        reason: str,
        detail: str,
        row: str,
        column: str | None = None,
        rows: Sequence[int] = (),
    ) -> None:
        """Note a bad row; further rows that cannot stand without it are rejected with it."""
        for number in (line, *rows):
            self.taken.add(number)
            self.rejected[number] = (reason, column, detail, row)

    def cancel(self, cancel: Cancel) -> None:
        """Note a row that takes an earlier one back."""
        self.account(cancel.account)
        self.taken.add(cancel.line)
        self.cancels.append(cancel)

    def _flush(self) -> None:
        if self._buffer:
            self._chunks.append(pl.DataFrame(self._buffer, schema=_SCHEMA))
            self._buffer = []

    def frame(self) -> pl.DataFrame:
        """All transactions, in file order."""
        self._flush()
        return pl.concat([pl.DataFrame(schema=_SCHEMA), *self._chunks])


def _text(value: Decimal | dt.date | str | None) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat() if isinstance(value, dt.date) else value


def row_text(cells: Mapping[str, Any]) -> str:
    """A row as it was read, as JSON of its filled cells."""
    import json

    return json.dumps(
        {k: v for k, v in cells.items() if v not in (None, "")}, ensure_ascii=False, default=str
    )
