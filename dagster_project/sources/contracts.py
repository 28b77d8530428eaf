"""The raw tables: one contract each, from which DDL, polars schema and Pandera schema follow.

What belongs here: column names, types, nullability and closed vocabularies of schema ``raw``.
What does not: rules that need more than one cell (``rules.py``) or another table
(``references.py``), and defaults (``defaults.py``). DuckLake knows neither primary keys nor
enums, so a contract's key and its allowed values are held by ingestion and tested after the write.
"""

from dataclasses import dataclass, field
from typing import Final

import polars as pl

from ml.types import (
    ACCOUNT_TYPES,
    ASSET_CLASSES,
    CORPORATE_ACTION_KINDS,
    FILING_STATUSES,
    LOT_METHODS,
    PRICE_BASES,
    SECTORS,
    TAX_TREATMENTS,
    TRANSACTION_KINDS,
)

SOURCES: Final = ("packaged", "files", "simulated", "import")
# Stated against implied positions: equal; different; held before the files' first row; a kind of asset
# whose position the transactions cannot imply (options, funds that count as cash).
POSITION_STATES: Final = ("matched", "differs", "missing_history", "not_modelled")
TENORS: Final = ("1m", "3m", "6m", "1y", "2y", "3y", "5y", "7y", "10y", "20y", "30y")

USD: Final = "decimal(20, 6)"
QUANTITY: Final = "decimal(24, 9)"
FRACTION: Final = "decimal(20, 12)"
MAX_TEXT_CHARACTERS: Final = 10_000
MAX_NAME_CHARACTERS: Final = 1_000

_POLARS_TYPES: Final[dict[str, pl.DataType]] = {
    "varchar": pl.String(),
    "boolean": pl.Boolean(),
    "integer": pl.Int32(),
    "bigint": pl.Int64(),
    "double": pl.Float64(),
    "date": pl.Date(),
    "timestamptz": pl.Datetime("us", "UTC"),
    USD: pl.Decimal(20, 6),
    QUANTITY: pl.Decimal(24, 9),
    FRACTION: pl.Decimal(20, 12),
}


@dataclass(frozen=True)
class Column:
    """One column of a raw table.

    Attributes
    ----------
    name : str
        Its name; units end it (``_usd``, ``_pct``).
    type : str
        DuckDB type, one of those that this module maps to polars.
    nullable : bool
        Whether a row may lack it.
    allowed : tuple of str
        Closed vocabulary; empty means any value.
    max_characters : int
        Longest accepted text; longer ones are quarantined (``text_too_long``).
    """

    name: str
    type: str
    nullable: bool = False
    allowed: tuple[str, ...] = ()
    max_characters: int = MAX_NAME_CHARACTERS

    @property
    def dtype(self) -> pl.DataType:
        """The polars type of the column."""
        return _POLARS_TYPES[self.type]


@dataclass(frozen=True)
class TableContract:
    """One raw table.

    Attributes
    ----------
    name : str
        Table name within schema ``raw``.
    columns : tuple of Column
        Columns that carry content, in order; ``known_at`` among them where rows are points in time.
    key : tuple of str
        What identifies a row, apart from ``known_at``: a later ``known_at`` is a correction.
    has_bookkeeping : bool
        Whether the columns ``BOOKKEEPING`` follow.
    id_column : str or None
        Identifier that ingestion derives from the content where a source has none.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    has_bookkeeping: bool = True
    id_column: str | None = None
    _by_name: dict[str, Column] = field(init=False, repr=False, compare=False, hash=False)

    def __post_init__(self) -> None:
        """Index the columns by name."""
        object.__setattr__(self, "_by_name", {column.name: column for column in self.columns})

    def __getitem__(self, name: str) -> Column:
        """The content column of that name."""
        return self._by_name[name]

    def __contains__(self, name: str) -> bool:
        """Whether the table has a content column of that name."""
        return name in self._by_name

    @property
    def content_names(self) -> list[str]:
        """Names of the content columns, in order."""
        return list(self._by_name)

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """Content columns, then bookkeeping."""
        return self.columns + (BOOKKEEPING if self.has_bookkeeping else ())

    @property
    def content_schema(self) -> pl.Schema:
        """Polars schema of the content columns."""
        return pl.Schema({column.name: column.dtype for column in self.columns})

    @property
    def polars_schema(self) -> pl.Schema:
        """Polars schema of the whole table, as ingestion returns it."""
        return pl.Schema({column.name: column.dtype for column in self.all_columns})

    @property
    def existing_columns(self) -> list[str]:
        """Columns of stored rows that ingestion needs to tell new rows from known ones."""
        names = [*self.key, *(["known_at"] if "known_at" in self else [])]
        if self.has_bookkeeping:
            names += ["source", "content_key"]
        return names

    def ddl(self) -> str:
        """``create table if not exists raw.<name> (...)`` for DuckLake."""
        lines = [f"    {c.name} {c.type}{'' if c.nullable else ' not null'}" for c in self.all_columns]
        return f"create table if not exists raw.{self.name} (\n" + ",\n".join(lines) + "\n)"


BOOKKEEPING: Final = (
    Column("source", "varchar", allowed=SOURCES),
    Column("source_file", "varchar"),
    Column("source_line", "bigint", nullable=True),
    Column("content_key", "varchar"),
    Column("ingested_at", "timestamptz"),
)

_KNOWN_AT: Final = Column("known_at", "timestamptz")


def _text(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, "varchar", nullable=True) for name in names)


def _null(type_: str, *names: str) -> tuple[Column, ...]:
    return tuple(Column(name, type_, nullable=True) for name in names)


_ASSETS = TableContract(
    "market__assets",
    (
        Column("asset_id", "varchar"),
        _KNOWN_AT,
        Column("symbol", "varchar"),
        Column("name", "varchar"),
        Column("asset_class", "varchar", allowed=ASSET_CLASSES),
        Column("sector", "varchar", nullable=True, allowed=SECTORS),
        *_text("industry", "country"),
        Column("currency", "varchar"),
        *_null("date", "listed_date", "delisted_date"),
        *_null(
            "double", "expense_ratio_pct", "duration_years", "qualified_dividend_ratio", "shares_outstanding"
        ),
        Column("tax_treatment", "varchar", allowed=TAX_TREATMENTS),
        Column("price_basis", "varchar", allowed=PRICE_BASES),
    ),
    key=("asset_id",),
)

_DAILY_BARS = TableContract(
    "market__daily_bars",
    (
        Column("asset_id", "varchar"),
        Column("trade_date", "date"),
        *_null("double", "open", "high", "low", "close", "adjusted_close", "volume"),
        _KNOWN_AT,
    ),
    key=("asset_id", "trade_date"),
)

_CORPORATE_ACTIONS = TableContract(
    "market__corporate_actions",
    (
        Column("asset_id", "varchar"),
        Column("ex_date", "date"),
        Column("kind", "varchar", allowed=CORPORATE_ACTION_KINDS),
        *_null("date", "record_date", "pay_date"),
        *_null(QUANTITY, "ratio_new", "ratio_old"),
        *_null(USD, "cash_per_share_usd"),
        *_text("new_asset_id"),
        *_null(FRACTION, "basis_fraction"),
        _KNOWN_AT,
    ),
    key=("asset_id", "ex_date", "kind"),
)

_RATES = TableContract(
    "market__rates",
    (
        Column("rate_date", "date"),
        Column("tenor", "varchar", allowed=TENORS),
        Column("rate_pct", "double"),
        _KNOWN_AT,
    ),
    key=("rate_date", "tenor"),
)

_USERS = TableContract(
    "brokerage__users",
    (
        Column("user_id", "varchar"),
        Column("tax_year", "integer", nullable=True),
        Column("household_id", "varchar"),
        Column("filing_status", "varchar", allowed=FILING_STATUSES),
        *_text("state"),
        *_null(USD, "ordinary_taxable_income_usd", "magi_usd", "st_carryover_usd", "lt_carryover_usd"),
        _KNOWN_AT,
    ),
    key=("user_id", "tax_year"),
)

_ACCOUNTS = TableContract(
    "brokerage__accounts",
    (
        Column("account_id", "varchar"),
        Column("user_id", "varchar"),
        Column("household_id", "varchar"),
        Column("account_type", "varchar", allowed=ACCOUNT_TYPES),
        *_text("broker"),
        Column("lot_method", "varchar", allowed=LOT_METHODS),
        Column("fractional", "boolean"),
        *_null("date", "opened_date"),
        _KNOWN_AT,
    ),
    key=("account_id",),
)

_TRANSACTIONS = TableContract(
    "brokerage__transactions",
    (
        Column("transaction_id", "varchar"),
        Column("account_id", "varchar"),
        Column("traded_at", "timestamptz"),
        Column("traded_at_is_date", "boolean"),
        Column("trade_date", "date"),
        Column("kind", "varchar", allowed=TRANSACTION_KINDS),
        *_text("asset_id"),
        *_null(QUANTITY, "quantity"),
        *_null(USD, "price_usd"),
        Column("amount_usd", USD),
        Column("fees_usd", USD),
        *_text("order_id"),
        Column("lot_reference", "varchar", nullable=True, max_characters=MAX_TEXT_CHARACTERS),
        *_null("date", "settled_date", "acquired_date"),
        *_null(USD, "cost_basis_usd", "fair_market_value_usd"),
        *_text("related_asset_id"),
        *_null(QUANTITY, "ratio_new", "ratio_old"),
        *_null(FRACTION, "basis_fraction"),
        *_text("underlying_asset_id"),
        Column("option_right", "varchar", nullable=True, allowed=("call", "put")),
        *_null(USD, "strike_usd"),
        *_null("date", "expiry_date"),
        _KNOWN_AT,
    ),
    key=("transaction_id",),
    id_column="transaction_id",
)

# What brokers' files say beside transactions; written by the import alone (``brokerage/``).
_REPORTED_GAINS = TableContract(
    "brokerage__reported_gains",
    (
        Column("gain_id", "varchar"),
        Column("account_id", "varchar"),
        Column("asset_id", "varchar"),
        Column("trade_date", "date"),
        Column("level", "varchar", allowed=("sale", "lot")),
        *_text("sale_transaction_id"),
        *_null(QUANTITY, "quantity"),
        *_null(USD, "proceeds_usd", "cost_basis_usd"),
        Column("gain_usd", USD),
        *_null("date", "acquired_date"),
        Column("term", "varchar", nullable=True, allowed=("short", "long")),
        _KNOWN_AT,
    ),
    key=("gain_id",),
)

_REPORTED_POSITIONS = TableContract(
    "brokerage__reported_positions",
    (
        Column("position_id", "varchar"),
        Column("account_id", "varchar"),
        Column("asset_id", "varchar"),
        Column("as_of_date", "date"),
        Column("quantity", QUANTITY),
        *_null(USD, "price_usd", "market_value_usd", "cost_basis_usd"),
        Column("implied_quantity", QUANTITY, nullable=True),
        Column("state", "varchar", allowed=POSITION_STATES),
        _KNOWN_AT,
    ),
    key=("position_id",),
)

_STATEMENTS = TableContract(
    "goals__statements",
    (
        Column("statement_id", "varchar"),
        Column("user_id", "varchar"),
        Column("stated_at", "timestamptz"),
        Column("text", "varchar", max_characters=MAX_TEXT_CHARACTERS),
        _KNOWN_AT,
    ),
    key=("statement_id",),
    id_column="statement_id",
)

# One row per way of writing a symbol: `symbol_key` is its normal form (see `symbols.py`).
_SYMBOLS = TableContract(
    "market__symbols",
    (
        Column("symbol_key", "varchar"),
        Column("asset_id", "varchar"),
        Column("symbol", "varchar"),
        _KNOWN_AT,
    ),
    key=("symbol_key",),
)

_SESSIONS = TableContract(
    "market__sessions",
    (
        Column("session_no", "integer"),
        Column("session_date", "date"),
        Column("open_at", "timestamptz"),
        Column("close_at", "timestamptz"),
    ),
    key=("session_date",),
    has_bookkeeping=False,
)

# A record with a null source_line is about the file as a whole and stands in no row count.
_QUARANTINE = TableContract(
    "quarantine",
    (
        Column("table_name", "varchar"),
        Column("source", "varchar"),
        Column("source_file", "varchar"),
        Column("source_line", "bigint", nullable=True),
        Column("column_name", "varchar", nullable=True),
        Column("reason", "varchar"),
        Column("detail", "varchar"),
        Column("raw_row", "varchar", nullable=True),
        Column("content_key", "varchar"),
        Column("ingested_at", "timestamptz"),
    ),
    key=("content_key",),
    has_bookkeeping=False,
)

_COUNTS = TableContract(
    "ingestion_counts",
    (
        Column("run_id", "varchar"),
        Column("as_of_date", "date"),
        Column("source", "varchar"),
        Column("source_file", "varchar"),
        Column("table_name", "varchar"),
        *(
            Column(n, "bigint")
            for n in ("rows_read", "accepted", "duplicate", "quarantined", "not_a_transaction")
        ),
        Column("ingested_at", "timestamptz"),
    ),
    key=("run_id", "source", "source_file", "table_name"),
    has_bookkeeping=False,
)

# The tables whose rows a source brings, in the order in which one may refer to another.
SOURCE_TABLES: Final = tuple(
    table.name
    for table in (
        _ASSETS,
        _DAILY_BARS,
        _CORPORATE_ACTIONS,
        _RATES,
        _USERS,
        _ACCOUNTS,
        _TRANSACTIONS,
        _STATEMENTS,
    )
)

RAW_TABLES: Final[dict[str, TableContract]] = {
    table.name: table
    for table in (
        _ASSETS,
        _SYMBOLS,
        _SESSIONS,
        _DAILY_BARS,
        _CORPORATE_ACTIONS,
        _RATES,
        _USERS,
        _ACCOUNTS,
        _TRANSACTIONS,
        _REPORTED_GAINS,
        _REPORTED_POSITIONS,
        _STATEMENTS,
        _QUARANTINE,
        _COUNTS,
    )
}
