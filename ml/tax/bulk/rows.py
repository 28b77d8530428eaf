"""Transactions as columns of integers in the order of their frame, and the few texts behind them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import polars as pl

from ml.tax.bulk import columns as c
from ml.tax.bulk.ordering import name_words
from ml.tax.bulk.screen import KNOWN_KINDS
from ml.tax.lots import AccountInfo
from ml.tax.selection import parse_reference
from ml.tax.units import SHARE, USD, unit_column

_UNITS: Final = {"quantity": SHARE, "price_usd": USD, "amount_usd": USD, "fees_usd": USD}
RATIOS: Final = ("ratio_new", "ratio_old")
_KINDS: Final = pl.Enum(KNOWN_KINDS)
UNKNOWN_KIND: Final = len(KNOWN_KINDS)


@dataclass(frozen=True)
class Rows:
    """Rows of known accounts up to the night.

    Attributes
    ----------
    frame : polars.DataFrame
        The rows themselves; all arrays are in its order.
    kind : numpy.ndarray
        int8, position in ``screen.KNOWN_KINDS``; ``UNKNOWN_KIND`` beyond them.
    account, asset, household : numpy.ndarray
        int32 numbers; an asset of -1 is none.
    day, time : numpy.ndarray
        Trade date as int32 days, time of trade as int64.
    quantity, price, amount, fees : numpy.ndarray
        int64 units; null is 0.
    has_price, has_amount : numpy.ndarray
        bool: the value is not null.
    """

    frame: pl.DataFrame
    kind: np.ndarray
    account: np.ndarray
    asset: np.ndarray
    household: np.ndarray
    day: np.ndarray
    time: np.ndarray
    quantity: np.ndarray
    price: np.ndarray
    amount: np.ndarray
    fees: np.ndarray
    has_price: np.ndarray
    has_amount: np.ndarray

    @cached_property
    def names(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Transaction ids: ``ordering.name_words``, all their bytes, where each begins (and the end)."""
        ids = self.frame.get_column("transaction_id").rechunk().to_arrow()
        _, offsets, data = ids.buffers()
        starts = np.frombuffer(offsets, np.int64, len(ids) + 1, 8 * ids.offset)
        # an empty buffer is not to be read from, and numpy marks none as writable that polars owns
        found = np.frombuffer(data, np.uint8) if data is not None and data.size else np.empty(0, np.uint8)
        found.flags.writeable = False
        return name_words(found, starts), found, starts

    def text(self, column: str) -> pl.Series:
        """Return a text column; nulls where the frame has none of the name."""
        if column in self.frame.columns:
            return self.frame.get_column(column)
        return pl.Series(column, [None], dtype=pl.String).new_from_index(0, self.frame.height)

    def ratio(self, column: str, rows: np.ndarray) -> np.ndarray:
        """Return a split ratio's side of some rows in integer units, 0 where it is not stated."""
        if column not in self.frame.columns:
            return np.zeros(len(rows), np.int64)
        part = self.frame.select(column)[rows]
        return (
            part.select(unit_column(column, SHARE, part.schema[column]).fill_null(0)).to_series().to_numpy()
        )

    def is_kind(self, *kinds: str) -> np.ndarray:
        """Say of each row whether it is one of some known kinds."""
        found = np.zeros(UNKNOWN_KIND + 1, bool)
        found[[KNOWN_KINDS.index(k) for k in kinds]] = True
        return found[self.kind]

    @cached_property
    def order(self) -> np.ndarray:
        """Number the orders (one account, asset and order_id) from 0; -1 for a row without one."""
        codes = np.full(self.frame.height, c.NONE, np.int32)
        texts = self.text("order_id")
        if texts.null_count() == len(texts):
            return codes
        spots = np.flatnonzero((texts.fill_null("") != "").to_numpy() & (self.asset >= 0))
        if spots.size:
            word = texts.gather(spots).rank("dense").to_numpy().astype(np.int64)
            width = int(self.asset.max()) + 1
            pair = self.account[spots].astype(np.int64) * width + self.asset[spots]
            codes[spots] = np.unique(pair * (int(word.max()) + 1) + word, return_inverse=True)[1]
        return codes


def read_rows(
    latest: pl.DataFrame, infos: Sequence[AccountInfo], household_of: np.ndarray, last_day: int
) -> tuple[Rows, pl.DataFrame, list[str]]:
    """Read the rows of known accounts up to a day; also the strangers' rows and the assets by number.

    Parameters
    ----------
    latest : polars.DataFrame
        One version of every transaction.
    infos : sequence of AccountInfo
        Accounts by number.
    household_of : numpy.ndarray
        Household number of each account.
    last_day : int
        Later trade dates are left out.
    """
    frame = latest
    day = frame.get_column("trade_date").cast(pl.Date).to_physical()
    if frame.height and int(day.max()) > last_day:  # pyright: ignore[reportArgumentType]
        frame = frame.filter(day <= last_day)
        day = day.filter(day <= last_day)
    account = frame.get_column("account_id").cast(pl.Enum([a.account_id for a in infos]), strict=False)
    strangers = frame.select("account_id", "transaction_id").clear()
    if account.null_count():
        known = account.is_not_null()
        strangers = frame.filter(~known).select("account_id", "transaction_id")
        frame, day, account = frame.filter(known), day.filter(known), account.filter(known)
    present = set(frame.columns)
    asset, assets = _asset_numbers(frame)
    kind = frame.get_column("kind").cast(_KINDS, strict=False).to_physical().fill_null(UNKNOWN_KIND)
    units = {
        name: frame.select(unit_column(name, size, frame.schema[name])).to_series()
        if name in present
        else pl.Series(name, [None], dtype=pl.Int64).new_from_index(0, frame.height)
        for name, size in _UNITS.items()
    }
    numbers = {name: (s.fill_null(0) if s.null_count() else s).to_numpy() for name, s in units.items()}
    accounts = account.to_physical().cast(pl.Int32).to_numpy()
    rows = Rows(
        frame,
        kind.cast(pl.Int8).to_numpy(),
        accounts,
        asset,
        household_of[accounts].astype(np.int32),
        day.cast(pl.Int32).to_numpy(),
        frame.get_column("traded_at").to_physical().cast(pl.Int64).to_numpy(),
        numbers["quantity"],
        numbers["price_usd"],
        numbers["amount_usd"],
        numbers["fees_usd"],
        units["price_usd"].is_not_null().to_numpy(),
        units["amount_usd"].is_not_null().to_numpy(),
    )
    return rows, strangers, assets


def _asset_numbers(frame: pl.DataFrame) -> tuple[np.ndarray, list[str]]:
    """Number the assets in the order of their names."""
    if "asset_id" not in frame.columns or frame.schema["asset_id"] == pl.Null:
        return np.full(frame.height, c.NONE, np.int32), []
    column = frame.get_column("asset_id")
    names = column.unique().drop_nulls().sort()
    numbers = column.cast(pl.Enum(names)).to_physical().cast(pl.Int32)
    return numbers.fill_null(c.NONE).to_numpy(), names.to_list()


def read_references(rows: Rows, is_left: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Read the lots that sales name.

    Parameters
    ----------
    rows : Rows
        All rows.
    is_left : numpy.ndarray
        Per household whether it is left to the reference engine anyway.

    Returns
    -------
    table : numpy.ndarray
        ``columns.F_*``, the purchase's row in ``F_PLACE``.
    first : numpy.ndarray
        Per row its first row of the table, -1 for none; empty if there are no references.
    odd : list of int
        Households with a reference that names something else than their purchases.
    """
    empty = np.empty((0, c.REFERENCE_COLUMNS), np.int64)
    texts = rows.text("lot_reference")
    if texts.null_count() == len(texts):
        return empty, np.empty(0, np.int32), []
    named = (texts.fill_null("") != "").to_numpy() & rows.is_kind("sell") & ~is_left[rows.household]
    if not named.any():
        return empty, np.empty(0, np.int32), []
    bought = np.flatnonzero(rows.is_kind("buy", "reinvestment"))
    ids = rows.frame.get_column("transaction_id")
    places = dict(zip(ids.gather(bought), bought.tolist(), strict=True))
    table: list[tuple[int, int, int, int, int]] = []
    first, odd = np.full(rows.frame.height, c.NONE, np.int32), set()
    for row in np.flatnonzero(named).tolist():
        household = int(rows.household[row])
        entries = _entries(texts[row], household, places, rows.household)
        if entries is None:
            odd.add(household)
            continue
        first[row] = len(table)
        for i, (place, sub, shares) in enumerate(entries):
            following = c.NONE if i == len(entries) - 1 else len(table) + 1
            table.append((c.NONE, sub, shares, following, place))
    return np.array(table, np.int64).reshape(-1, c.REFERENCE_COLUMNS), first, sorted(odd)


def _entries(
    reference: str, household: int, places: Mapping[str, int], household_of: Any
) -> list[tuple[int, int, int]] | None:
    """Return what a reference names as (row, sub-lot, shares or -1); None if it is not all purchases."""
    try:
        parts = parse_reference(reference)
    except ValueError:
        return None
    entries = []
    for name, shares in parts:
        base, _, sub = name.partition("#")
        row = places.get(base, c.NONE)
        if row == c.NONE or household_of[row] != household or (sub and not sub.isdecimal()):
            return None
        entries.append((row, int(sub or 0), c.NONE if shares is None else shares))
    return entries or None
