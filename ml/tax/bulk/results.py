"""From the compiled engine's results to the ledger's frames."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from typing import Final

import numpy as np
import polars as pl

from ml.tax import frames
from ml.tax.bulk import columns as c
from ml.tax.bulk.ledger import BulkBooks, first_long_days
from ml.tax.bulk.ordering import picked, piece_numbers, sorted_rows, year_sums
from ml.tax.bulk.prepare import Tables
from ml.tax.selection import AVERAGE_FALLBACK
from ml.tax.state import DividendEntry, Income
from ml.tax.units import QUANTITY_DTYPE, to_day
from ml.tax.wash_frames import WASH_SALES
from ml.tax.wash_sales import WINDOW_DAYS
from ml.tax.years import Ledgers, Sums

_NO_ROWS: Final = np.empty(0, np.int32)
_CODES: Final = np.int32(1 << len(c.CODE_NAMES) + 2)  # more than there are codes


@dataclass
class Outcome:
    """The engine's results with the names behind the numbers."""

    tables: Tables
    books: BulkBooks

    def __post_init__(self) -> None:
        names = [a.account_id for a in self.tables.infos]
        self.account_ids = pl.Series(names, dtype=pl.String)
        by_name = np.array(sorted(range(len(names)), key=names.__getitem__), np.int64)
        self.account_ranks = np.argsort(by_name).astype(np.int32)
        self.asset_ids = pl.Series(self.tables.assets, dtype=pl.String)
        self.deferred = self.tables.ledger.accounts[:, c.A_DEFERRED].astype(bool)

    @cached_property
    def ids(self) -> pl.Series:
        """Return the transaction ids of all rows."""
        return self.tables.rows.frame.get_column("transaction_id")

    def lot_ids(self, sources: np.ndarray, subs: np.ndarray) -> pl.Series:
        """Return ``purchase`` or ``purchase#1`` for lots."""
        divided = np.flatnonzero(subs)
        if not divided.size:
            return self.ids.gather(sources)
        numbered = pl.select(
            pl.concat_str(
                self.ids.gather(sources[divided]), pl.lit("#"), pl.Series(subs[divided]).cast(pl.String)
            )
        ).to_series()
        places = sources.astype(np.int64)
        places[divided] = len(self.ids) + np.arange(divided.size)
        return pl.concat([self.ids, numbered.rename(self.ids.name)], rechunk=True).gather(places)

    def provisional(self, day: int) -> np.ndarray:
        """Say of each piece whether a later purchase can still disallow its loss."""
        pieces = self.books.pieces
        return (pieces[c.Q_PENDING] == 1) & (day <= pieces[c.Q_DAY] + WINDOW_DAYS)


@lru_cache(maxsize=1)
def year_table() -> np.ndarray:
    """Return the calendar year of each day of ``first_long_days``, beginning with its first."""
    table = first_long_days()
    days = np.arange(table[0], table[0] + len(table)).astype("datetime64[D]")
    return (days.astype("datetime64[Y]").astype(np.int64) + 1970).astype(np.int32)


def years_of(days: np.ndarray) -> np.ndarray:
    """Return the calendar years of day numbers."""
    return year_table()[days - first_long_days()[0]]


def open_lots(outcome: Outcome, as_of: date) -> pl.DataFrame:
    """Return ``ml.tax_lots`` rows, sorted by account, asset, acquisition and lot_id."""
    lots, wide, day = outcome.books.lots, outcome.books.lots_wide, to_day(as_of)
    width, table = max(1, len(outcome.tables.assets)), first_long_days()
    holding = outcome.account_ranks[lots[c.O_ACCOUNT]].astype(np.int64) * width + lots[c.O_ASSET]
    # holdings in use, numbered in their order
    _, buckets = np.unique(holding, return_inverse=True)
    order = sorted_rows(
        buckets.astype(np.int32), int(buckets.max(initial=-1)) + 1, lots[c.O_ACQUIRED], _NO_ROWS,
        lots[c.O_SOURCE], lots[c.O_SUB], tuple(wide), lots[c.O_USED], *outcome.tables.rows.names,
    )  # fmt: skip
    lots, wide = picked(lots, order), picked(wide, order)
    ids = outcome.ids.gather(lots[c.O_SOURCE])
    days = np.full(len(order), day, np.int32)
    columns = {
        "as_of_date": days,
        "state_date": days,
        "account_id": outcome.account_ids.gather(lots[c.O_ACCOUNT]),
        "asset_id": outcome.asset_ids.gather(lots[c.O_ASSET]),
        "lot_id": outcome.lot_ids(lots[c.O_SOURCE], lots[c.O_SUB]),
        "quantity": wide[c.O_QUANTITY],
        "cost_basis_usd": wide[c.O_COST],
        "acquired_date": lots[c.O_ACQUIRED],
        "hp_start_date": lots[c.O_START],
        "first_long_term_date": table[lots[c.O_START] - table[0]].astype(np.int32),
        "wash_adjustment_usd": wide[c.O_ADJUSTMENT],
        "origin": outcome.tables.rows.frame.get_column("kind").gather(lots[c.O_SOURCE]),
        "source_transaction_id": ids,
        "is_basis_known": np.ones(len(order), bool),
    }
    return frames.build(frames.OPEN_LOTS, columns)


def _code_texts(codes: np.ndarray) -> tuple[pl.Series, np.ndarray]:
    """Return the distinct texts of convention codes, sorted, and each row's place in them."""
    names = (*c.CODE_NAMES, AVERAGE_FALLBACK)
    used = np.zeros(1 << len(names), bool)
    used[codes] = True
    texts = {
        ",".join(n for i, n in enumerate(names) if code >> i & 1): code
        for code in np.flatnonzero(used).tolist()
    }
    places = np.zeros(len(used), np.int32)
    places[[texts[t] for t in sorted(texts)]] = np.arange(len(texts))
    return pl.Series(sorted(texts), dtype=pl.String), places[codes]


def realized_gains(outcome: Outcome, as_of: date) -> tuple[pl.DataFrame, np.ndarray]:
    """Return ``ml.realized_gains`` rows in their order, and the piece behind each."""
    pieces, wide, day = outcome.books.pieces, outcome.books.pieces_wide, to_day(as_of)
    texts, codes = _code_texts(pieces[c.Q_CODES])
    sold = pieces[c.Q_DAY]
    first_day = int(sold.min(initial=day))
    # of equal amounts the long-term piece goes first, by the name of its term, then by codes
    last = codes - _CODES * pieces[c.Q_LONG]
    tail = (wide[c.Q_DISALLOWED], wide[c.Q_QUANTITY], wide[c.Q_PROCEEDS])
    order = sorted_rows(
        sold - np.int32(first_day), int(sold.max(initial=first_day - 1)) - first_day + 1,
        outcome.account_ranks[pieces[c.Q_ACCOUNT]], pieces[c.Q_SALE], pieces[c.Q_SOURCE], pieces[c.Q_SUB],
        tail, last, *outcome.tables.rows.names,
    )  # fmt: skip
    numbers = piece_numbers(order, pieces[c.Q_SALE], pieces[c.Q_SOURCE], pieces[c.Q_SUB])
    provisional = outcome.provisional(day)[order]
    pieces, wide = picked(pieces, order), picked(wide, order)
    gain = wide[c.Q_PROCEEDS] - wide[c.Q_COST]
    columns = {
        "as_of_date": np.full(len(order), day, np.int32),
        "account_id": outcome.account_ids.gather(pieces[c.Q_ACCOUNT]),
        "asset_id": outcome.asset_ids.gather(pieces[c.Q_ASSET]),
        "sale_transaction_id": outcome.ids.gather(pieces[c.Q_SALE]),
        "lot_id": outcome.lot_ids(pieces[c.Q_SOURCE], pieces[c.Q_SUB]),
        "piece_no": numbers,
        "trade_date": pieces[c.Q_DAY],
        "acquired_date": pieces[c.Q_ACQUIRED],
        "hp_start_date": pieces[c.Q_START],
        "quantity": wide[c.Q_QUANTITY],
        "proceeds_usd": wide[c.Q_PROCEEDS],
        "cost_basis_usd": wide[c.Q_COST],
        "gain_usd": gain,
        "disallowed_usd": wide[c.Q_DISALLOWED],
        "recognized_usd": gain + wide[c.Q_DISALLOWED],
        "term": pl.Series(["short", "long"]).gather(pieces[c.Q_LONG]),
        "is_provisional": provisional,
        "is_permanent": pieces[c.Q_PERMANENT] == 1,
        "is_voluntary": np.ones(len(order), bool),
        "tax_year": years_of(pieces[c.Q_DAY]),
        "convention_codes": texts.gather(codes[order]),
    }
    return frames.build(frames.REALIZED_GAINS, columns), order


def wash_sales(outcome: Outcome, realized: pl.DataFrame, order: np.ndarray) -> pl.DataFrame:
    """Return ``ml.wash_sales``: a row per matched piece, in the order of ``realized``."""
    matches, wide = outcome.books.matches, outcome.books.matches_wide
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    place = place[matches[c.M_PIECE]]
    by_place = np.argsort(place)
    matches, wide, place = matches[:, by_place], wide[:, by_place], place[by_place]
    accounts, piece = matches[c.M_ACCOUNT], matches[c.M_PIECE]
    types = pl.Series([a.account_type for a in outcome.tables.infos], dtype=pl.String)
    columns = {
        "replacement_account_id": outcome.account_ids.gather(accounts),
        "replacement_account_type": types.gather(accounts),
        "replacement_asset_id": outcome.asset_ids.gather(matches[c.M_ASSET]),
        "replacement_lot_id": outcome.lot_ids(matches[c.M_SOURCE], matches[c.M_SUB]),
        "replacement_transaction_id": outcome.ids.gather(matches[c.M_SOURCE]),
        "replacement_acquired_date": matches[c.M_ACQUIRED],
        "replacement_quantity": wide[c.M_QUANTITY],
        "basis_moved_usd": wide[c.M_MOVED],
        "permanently_disallowed_usd": outcome.books.pieces_wide[c.Q_DISALLOWED][piece] - wide[c.M_MOVED],
        "days_tacked": matches[c.M_TACKED],
        "is_across_accounts": accounts != outcome.books.pieces[c.Q_ACCOUNT][piece],
    }
    schema = {name: WASH_SALES[name] for name in columns}
    own = realized.select(name for name in WASH_SALES if name not in schema)[place]
    return own.hstack(frames.build(schema, columns)).select(list(WASH_SALES))


def wash_windows(outcome: Outcome, as_of: date) -> pl.DataFrame:
    """Return loss sales and purchases of the last 30 days that can still meet each other."""
    day, books = to_day(as_of), outcome.books
    losses = np.flatnonzero(outcome.provisional(day))
    bought = np.flatnonzero((books.lots[c.O_USED] == 0) & (books.lots[c.O_ACQUIRED] >= day - WINDOW_DAYS))
    pieces, lots = books.pieces[:, losses], books.lots[:, bought]
    accounts = np.concatenate([pieces[c.Q_ACCOUNT], lots[c.O_ACCOUNT]])
    owners = pl.Series([a.household_id for a in outcome.tables.infos], dtype=pl.String)
    quantities = (books.pieces_wide[c.Q_WAITING][losses], books.lots_wide[c.O_QUANTITY][bought])
    columns = {
        "household_id": owners.gather(accounts),
        "asset_id": outcome.asset_ids.gather(np.concatenate([pieces[c.Q_ASSET], lots[c.O_ASSET]])),
        "account_id": outcome.account_ids.gather(accounts),
        "kind": pl.Series(["loss_sale"] * len(losses) + ["purchase"] * len(bought), dtype=pl.String),
        "trade_date": np.concatenate([pieces[c.Q_DAY], lots[c.O_ACQUIRED]]),
        "quantity": np.concatenate(quantities),
        "is_tax_deferred": outcome.deferred[accounts],
    }
    keys = [name for name in frames.WASH_WINDOWS if name != "quantity"]
    return (
        frames.build(frames.WASH_WINDOWS, columns)
        .group_by(keys)
        .agg(pl.col("quantity").sum())
        .select(list(frames.WASH_WINDOWS))
        .with_columns(pl.col("quantity").cast(QUANTITY_DTYPE))
        .sort(keys)
    )


def issues(outcome: Outcome) -> pl.DataFrame:
    """Return the issues that the engine itself can raise: average basis where it is not permitted."""
    rows = outcome.tables.rows
    found = np.unique(outcome.books.issues)
    texts = rows.frame.select("account_id", "transaction_id", "asset_id")[found]
    reason = "average basis is for funds and reinvested shares; {} went first in, first out"
    return frames.issues(
        [
            (account, transaction, "average_not_permitted", reason.format(asset))
            for account, transaction, asset in texts.iter_rows()
        ]
    )


def gathered(outcome: Outcome, as_of_day: int) -> Ledgers:
    """Return the sums of sales and income of the engine's households by (tax unit, year)."""
    ledgers, books, infos = Ledgers(), outcome.books, outcome.tables.infos
    names = sorted({a.tax_unit_id for a in infos})
    numbers = {unit: i for i, unit in enumerate(names)}
    units = np.array([numbers[a.tax_unit_id] for a in infos], np.int64)
    sold = books.pieces[c.Q_DAY]
    if len(sold):
        first, last = (int(y) for y in years_of(np.array([sold.min(), sold.max()])))
        sums = year_sums(
            *(books.pieces[x] for x in (c.Q_ACCOUNT, c.Q_DAY, c.Q_LONG, c.Q_PENDING)),
            *(books.pieces_wide[x] for x in (c.Q_PROCEEDS, c.Q_COST, c.Q_DISALLOWED)),
            units, year_table(), first_long_days()[0], first,
            last - first + 1, as_of_day - WINDOW_DAYS,
        )  # fmt: skip
        for unit, year in np.argwhere(sums[:, :, 4]).tolist():
            ledgers.sums[names[unit], first + year] = Sums(*sums[unit, year, :4].tolist())
    _add_income(outcome, ledgers, [names[u] for u in units])
    entries = books.entries
    rows = entries[c.N_ROW]
    accounts = outcome.tables.ledger.account[rows].tolist()
    years = years_of(outcome.tables.ledger.day[rows]).tolist()
    for account, year, amount, quantity, failed in zip(
        accounts, years, *entries[c.N_AMOUNT :].tolist(), strict=True
    ):
        found = DividendEntry(amount, quantity, failed)
        ledgers.income[names[units[account]], year].entries.append(found)
    return ledgers


def _add_income(outcome: Outcome, ledgers: Ledgers, units: list[str]) -> None:
    """Add dividends and interest of taxable accounts."""
    rows = outcome.tables.rows
    is_dividend = rows.is_kind("dividend")
    taken = (is_dividend | rows.is_kind("interest")) & (outcome.books.reasons[rows.household] == 0)
    spots = np.flatnonzero(taken)
    spots = spots[~outcome.deferred[rows.account[spots]]]
    if not spots.size:
        return
    amount, is_paid = rows.amount[spots], is_dividend[spots]
    income = (
        pl.DataFrame(
            {
                "account": rows.account[spots],
                "year": years_of(rows.day[spots]),
                "dividends": np.where(is_paid, amount, 0),
                "interest": np.where(is_paid, 0, np.maximum(amount, 0)),
            }
        )
        .group_by("account", "year")
        .sum()
        .sort("account", "year")
    )
    for account, year, dividends, interest in income.iter_rows():
        record = ledgers.income.setdefault((units[account], year), Income())
        record.ordinary_dividends += dividends
        record.interest += interest
