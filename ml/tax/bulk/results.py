"""From the compiled engine's tables to the ledger's frames."""

from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import polars as pl

from ml.tax import frames
from ml.tax.bulk import columns as c
from ml.tax.bulk.prepare import Tables
from ml.tax.selection import AVERAGE_FALLBACK
from ml.tax.state import DividendEntry, Income
from ml.tax.units import QUANTITY_DTYPE, to_day
from ml.tax.wash_frames import WASH_SALES
from ml.tax.wash_sales import WINDOW_DAYS
from ml.tax.years import Ledgers, Sums

_YEAR_BASE: Final = 1970
_LONGEST_PACKED: Final = 24
# Within one lot of one sale; before it come trade_date, account_id, sale_transaction_id and lot_id.
PIECE_ORDER: Final = (
    "disallowed_usd",
    "quantity",
    "proceeds_usd",
    "term",
    "convention_codes",
)


@dataclass
class Outcome:
    """The engine's tables after the pass, cut to the rows in use, with the names behind the numbers."""

    tables: Tables
    lots: np.ndarray
    pieces: np.ndarray
    entries: np.ndarray
    issues: np.ndarray
    first_long_days: np.ndarray

    def __post_init__(self) -> None:
        self.account_ids = pl.Series([a.account_id for a in self.tables.infos], dtype=pl.String)
        names = [a.account_id for a in self.tables.infos]
        self.account_ranks = np.argsort(np.array(sorted(range(len(names)), key=names.__getitem__), np.int64))
        self.asset_ids = pl.Series(self.tables.assets, dtype=pl.String)
        self.sale_days = self.tables.events[self.pieces[:, c.P_SALE], c.E_DAY]
        self.deferred = self.tables.accounts[:, c.A_DEFERRED].astype(bool)

    def accounts_of(self, holdings: np.ndarray) -> np.ndarray:
        """Return the account numbers of holdings."""
        return self.tables.holdings[holdings, c.H_ACCOUNT]

    def names(self, accounts: np.ndarray) -> pl.Series:
        """Return account ids by number."""
        return self.account_ids.gather(accounts)

    def assets(self, holdings: np.ndarray) -> pl.Series:
        """Return the asset ids of holdings."""
        return self.asset_ids.gather(self.tables.holdings[holdings, c.H_ASSET])

    def texts(self, column: str, events: np.ndarray) -> pl.Series:
        """Return a text column of the rows behind events."""
        return self.tables.texts.of(column, self.tables.row_of[events])

    def lot_ids(self, sources: np.ndarray, subs: np.ndarray) -> pl.Series:
        """Return ``purchase`` or ``purchase#1`` for lots."""
        names = self.texts("transaction_id", sources)
        if not subs.any():
            return names
        numbered = pl.select(
            pl.when(pl.Series(subs) > 0)
            .then(pl.concat_str(names, pl.lit("#"), pl.Series(subs).cast(pl.String)))
            .otherwise(names)
        )
        return numbered.to_series()

    def provisional(self, day: int) -> np.ndarray:
        """Say of each piece whether a later purchase can still disallow its loss."""
        return (self.pieces[:, c.P_PENDING] == 1) & (day <= self.sale_days + WINDOW_DAYS)


def years_of(days: np.ndarray) -> np.ndarray:
    """Return the calendar years of day numbers."""
    return days.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + _YEAR_BASE


def open_lots(outcome: Outcome, as_of: date) -> pl.DataFrame:
    """Return ``ml.tax_lots`` rows, sorted."""
    lots = outcome.lots[outcome.lots[:, c.L_OPEN] == 1]
    holdings, day = lots[:, c.L_HOLDING], to_day(as_of)
    start = lots[:, c.L_START]
    columns = {
        "as_of_date": np.full(len(lots), day),
        "state_date": np.full(len(lots), day),
        "account_id": outcome.names(outcome.accounts_of(holdings)),
        "asset_id": outcome.assets(holdings),
        "lot_id": outcome.lot_ids(lots[:, c.L_SOURCE], lots[:, c.L_SUB]),
        "quantity": lots[:, c.L_QUANTITY],
        "cost_basis_usd": lots[:, c.L_COST],
        "acquired_date": lots[:, c.L_ACQUIRED],
        "hp_start_date": start,
        "first_long_term_date": outcome.first_long_days[start - outcome.first_long_days[0]],
        "wash_adjustment_usd": lots[:, c.L_ADJUSTMENT],
        "origin": outcome.texts("kind", lots[:, c.L_SOURCE]),
        "source_transaction_id": outcome.texts("transaction_id", lots[:, c.L_SOURCE]),
        "is_basis_known": np.ones(len(lots), bool),
    }
    keys = ("state_date", "account_id", "asset_id", "acquired_date", "lot_id")
    return frames.build(frames.OPEN_LOTS, columns).sort(keys)


def _code_texts(codes: np.ndarray) -> pl.Series:
    """Return convention codes in their fixed order, joined by commas."""
    names = (*c.CODE_NAMES, AVERAGE_FALLBACK)
    used = np.zeros(1 << len(names), bool)
    used[codes] = True
    distinct = np.flatnonzero(used)
    texts = [",".join(n for i, n in enumerate(names) if code >> i & 1) for code in distinct.tolist()]
    return pl.Series(texts, dtype=pl.String).gather((np.cumsum(used) - 1)[codes])


def realized_gains(outcome: Outcome, as_of: date) -> pl.DataFrame:
    """Return ``ml.realized_gains`` rows in their order with ``index``, the number of each piece."""
    pieces, day = outcome.pieces, to_day(as_of)
    holdings, sold = pieces[:, c.P_HOLDING], outcome.sale_days
    gain = pieces[:, c.P_PROCEEDS] - pieces[:, c.P_COST]
    columns = {
        "as_of_date": np.full(len(pieces), day),
        "account_id": outcome.names(outcome.accounts_of(holdings)),
        "asset_id": outcome.assets(holdings),
        "sale_transaction_id": outcome.texts("transaction_id", pieces[:, c.P_SALE]),
        "lot_id": outcome.lot_ids(pieces[:, c.P_SOURCE], pieces[:, c.P_SUB]),
        "piece_no": np.ones(len(pieces), np.int32),
        "trade_date": sold,
        "acquired_date": pieces[:, c.P_ACQUIRED],
        "hp_start_date": pieces[:, c.P_START],
        "quantity": pieces[:, c.P_QUANTITY],
        "proceeds_usd": pieces[:, c.P_PROCEEDS],
        "cost_basis_usd": pieces[:, c.P_COST],
        "gain_usd": gain,
        "disallowed_usd": pieces[:, c.P_DISALLOWED],
        "recognized_usd": gain + pieces[:, c.P_DISALLOWED],
        "term": pl.Series(["short", "long"]).gather(pieces[:, c.P_LONG]),
        "is_provisional": outcome.provisional(day),
        "is_permanent": pieces[:, c.P_PERMANENT] == 1,
        "is_voluntary": np.ones(len(pieces), bool),
        "tax_year": years_of(sold),
        "convention_codes": _code_texts(pieces[:, c.P_CODES]),
    }
    rows = frames.build(frames.REALIZED_GAINS, columns).with_row_index("index")
    order, numbers = _piece_order(outcome, rows)
    return rows[order].with_columns(pl.Series("piece_no", numbers, dtype=pl.Int32))


def _piece_order(outcome: Outcome, rows: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows' order by key and the number of each piece of a lot in its sale.

    As ``frames.numbered_pieces`` sorts them, by integers as far as those go.
    """
    sale = outcome.pieces[:, c.P_SALE]
    first = np.flatnonzero(np.bincount(sale, minlength=1))
    events = outcome.tables.events
    sales = pl.DataFrame(
        {
            "day": events[first, c.E_DAY].astype(np.int32),
            "account": outcome.account_ranks[events[first, c.E_ACCOUNT]].astype(np.int32),
            "name": outcome.texts("transaction_id", first),
        }
    )
    place = np.empty(int(sale.max(initial=-1)) + 1, np.int64)
    place[first[sales.select(pl.arg_sort_by("day", "account", "name")).to_series().to_numpy()]] = np.arange(
        len(first)
    )
    at = place[sale]
    names = sort_keys(rows.get_column("lot_id"))
    order = np.lexsort((*reversed(names), at))
    same = np.zeros(len(order), bool)
    same[1:] = at[order[1:]] == at[order[:-1]]
    for name in names:
        same[1:] &= name[order[1:]] == name[order[:-1]]
    # pieces of one lot in one sale: a wash matched a part of it
    several = same.copy()
    several[:-1] |= same[1:]
    group = np.cumsum(~same)
    spots = np.flatnonzero(several)
    if spots.size:
        parts = rows[order[spots]].select("index", *PIECE_ORDER)
        parts = parts.with_columns(pl.Series("group", group[spots])).sort("group", *PIECE_ORDER, "index")
        order[spots] = parts.get_column("index").to_numpy()
    start = np.maximum.accumulate(np.where(same, 0, np.arange(len(order))))
    return order, np.arange(len(order)) - start + 1


def sort_keys(names: pl.Series) -> list[np.ndarray]:
    """Return integers that sort as the names do, most significant first."""
    length = int(names.str.len_bytes().max() or 0)  # pyright: ignore[reportArgumentType]
    if length > _LONGEST_PACKED or (names.str.len_bytes() != names.str.len_chars()).any():
        return [names.rank("dense").to_numpy()]
    words = (names.str.slice(i, 8).str.pad_end(8, "\0").cast(pl.Binary) for i in range(0, max(1, length), 8))
    return [w.bin.reinterpret(dtype=pl.UInt64, endianness="big").to_numpy() for w in words]


def wash_sales(outcome: Outcome, realized: pl.DataFrame) -> pl.DataFrame:
    """Return ``ml.wash_sales``: a row per matched piece, in the order of ``realized``."""
    index = np.flatnonzero(outcome.pieces[:, c.R_SOURCE] >= 0)
    pieces = outcome.pieces[index]
    holdings = pieces[:, c.R_HOLDING]
    accounts = outcome.accounts_of(holdings)
    types = pl.Series([a.account_type for a in outcome.tables.infos], dtype=pl.String)
    columns = {
        "replacement_account_id": outcome.names(accounts),
        "replacement_account_type": types.gather(accounts),
        "replacement_asset_id": outcome.assets(holdings),
        "replacement_lot_id": outcome.lot_ids(pieces[:, c.R_SOURCE], pieces[:, c.R_SUB]),
        "replacement_transaction_id": outcome.texts("transaction_id", pieces[:, c.R_SOURCE]),
        "replacement_acquired_date": pieces[:, c.R_ACQUIRED],
        "replacement_quantity": pieces[:, c.R_QUANTITY],
        "basis_moved_usd": pieces[:, c.R_MOVED],
        "permanently_disallowed_usd": pieces[:, c.P_DISALLOWED] - pieces[:, c.R_MOVED],
        "days_tacked": pieces[:, c.R_TACKED],
        "is_across_accounts": accounts != outcome.accounts_of(pieces[:, c.P_HOLDING]),
    }
    schema = {name: WASH_SALES[name] for name in columns}
    found = frames.build(schema, columns).with_columns(
        pl.Series("index", index, dtype=realized.schema["index"])
    )
    own = [name for name in WASH_SALES if name not in schema]
    joined = realized.select("index", *own).join(found, on="index", how="inner", maintain_order="left")
    return joined.select(list(WASH_SALES))


def wash_windows(outcome: Outcome, as_of: date) -> pl.DataFrame:
    """Return loss sales and purchases of the last 30 days that can still meet each other."""
    day, tables = to_day(as_of), outcome.tables
    pieces = outcome.pieces[outcome.provisional(day)]
    wanted = [q * n // d for q, n, d in pieces[:, [c.P_QUANTITY, c.P_NUMERATOR, c.P_DENOMINATOR]].tolist()]
    lots = outcome.lots
    lots = lots[
        (lots[:, c.L_OPEN] == 1) & (lots[:, c.L_USED] == 0) & (lots[:, c.L_ACQUIRED] >= day - WINDOW_DAYS)
    ]
    holdings = np.concatenate([pieces[:, c.P_HOLDING], lots[:, c.L_HOLDING]])
    accounts = outcome.accounts_of(holdings)
    owners = pl.Series([a.household_id for a in tables.infos], dtype=pl.String)
    sold = tables.events[pieces[:, c.P_SALE], c.E_DAY]
    columns = {
        "household_id": owners.gather(accounts),
        "asset_id": outcome.assets(holdings),
        "account_id": outcome.names(accounts),
        "kind": pl.Series(["loss_sale"] * len(pieces) + ["purchase"] * len(lots), dtype=pl.String),
        "trade_date": np.concatenate([sold, lots[:, c.L_ACQUIRED]]),
        "quantity": np.concatenate([np.array(wanted, np.int64), lots[:, c.L_QUANTITY]]),
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
    found = np.unique(outcome.issues)
    rows = [
        (
            account,
            transaction,
            "average_not_permitted",
            f"average basis is for funds and reinvested shares; {asset} went first in, first out",
        )
        for account, transaction, asset in zip(
            outcome.texts("account_id", found),
            outcome.texts("transaction_id", found),
            outcome.texts("asset_id", found),
            strict=True,
        )
    ]
    return frames.issues(rows)


def gathered(outcome: Outcome, taken: np.ndarray, as_of_day: int) -> Ledgers:
    """Return the sums of sales and income by (tax unit, year); ``taken`` marks the rows' households."""
    tables, ledgers = outcome.tables, Ledgers()
    units = pl.Series([a.tax_unit_id for a in tables.infos], dtype=pl.String)
    pieces = outcome.pieces
    gain = pieces[:, c.P_PROCEEDS] - pieces[:, c.P_COST] + pieces[:, c.P_DISALLOWED]
    is_long = pieces[:, c.P_LONG] == 1
    sums = (
        pl.DataFrame(
            {
                "unit": units.gather(outcome.accounts_of(pieces[:, c.P_HOLDING])),
                "year": years_of(outcome.sale_days),
                "short": np.where(is_long, 0, gain),
                "long": np.where(is_long, gain, 0),
                "disallowed": pieces[:, c.P_DISALLOWED],
                "provisional": np.where(outcome.provisional(as_of_day), -gain, 0),
            }
        )
        .group_by("unit", "year")
        .sum()
    )
    ledgers.sums = {(unit, year): Sums(*rest) for unit, year, *rest in sums.iter_rows()}
    kind, amount = tables.texts.of("kind"), pl.col("amount_usd").fill_null(0)
    income = (
        tables.rows.with_columns(kind)
        .filter(pl.col("kind").is_in(["dividend", "interest"]) & ~pl.col("is_deferred") & pl.Series(taken))
        .group_by(
            "account",
            pl.col("trade_date").cast(pl.Date).dt.year().alias("year"),
        )
        .agg(
            pl.when(pl.col("kind") == "dividend").then(amount).otherwise(0).sum().alias("dividends"),
            pl.when(pl.col("kind") == "interest")
            .then(amount.clip(lower_bound=0))
            .otherwise(0)
            .sum()
            .alias("interest"),
        )
    )
    for account, year, dividends, interest in income.iter_rows():
        record = ledgers.income.setdefault((units[account], year), Income())
        record.ordinary_dividends += dividends
        record.interest += interest
    days = tables.events[outcome.entries[:, c.D_EVENT], c.E_DAY]
    accounts = tables.events[outcome.entries[:, c.D_EVENT], c.E_ACCOUNT]
    for account, year, entry in zip(
        accounts.tolist(), years_of(days).tolist(), outcome.entries[:, : c.D_FAILED + 1].tolist(), strict=True
    ):
        found = DividendEntry(entry[c.D_AMOUNT], entry[c.D_QUANTITY], entry[c.D_FAILED])
        ledgers.income[units[account], year].entries.append(found)
    return ledgers
