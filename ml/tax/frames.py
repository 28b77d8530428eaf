"""From the ledger's integers to the warehouse's frames (schemas of ``ml.*`` tables)."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final

import polars as pl

from ml.tax.holding_period import first_long_term_day
from ml.tax.lots import AccountInfo, Lot
from ml.tax.state import HouseholdState
from ml.tax.units import QUANTITY_DTYPE, USD_DTYPE, decimal_series, to_date, to_day
from ml.tax.wash_sales import WINDOW_DAYS, Piece

OPEN_LOTS: Final = {
    "as_of_date": pl.Date,
    "state_date": pl.Date,
    "account_id": pl.String,
    "asset_id": pl.String,
    "lot_id": pl.String,
    "quantity": QUANTITY_DTYPE,
    "cost_basis_usd": USD_DTYPE,
    "acquired_date": pl.Date,
    "hp_start_date": pl.Date,
    "first_long_term_date": pl.Date,
    "wash_adjustment_usd": USD_DTYPE,
    "origin": pl.String,
    "source_transaction_id": pl.String,
    "is_basis_known": pl.Boolean,
}
ACCOUNT_CASH: Final = {
    "as_of_date": pl.Date,
    "state_date": pl.Date,
    "account_id": pl.String,
    "cash_usd": USD_DTYPE,
}
REALIZED_GAINS: Final = {
    "as_of_date": pl.Date,
    "account_id": pl.String,
    "asset_id": pl.String,
    "sale_transaction_id": pl.String,
    "lot_id": pl.String,
    "piece_no": pl.Int32,
    "trade_date": pl.Date,
    "acquired_date": pl.Date,
    "hp_start_date": pl.Date,
    "quantity": QUANTITY_DTYPE,
    "proceeds_usd": USD_DTYPE,
    "cost_basis_usd": USD_DTYPE,
    "gain_usd": USD_DTYPE,
    "disallowed_usd": USD_DTYPE,
    "recognized_usd": USD_DTYPE,
    "term": pl.String,
    "is_provisional": pl.Boolean,
    "is_permanent": pl.Boolean,
    "is_voluntary": pl.Boolean,
    "tax_year": pl.Int32,
    "convention_codes": pl.String,
}
ISSUES: Final = {
    "account_id": pl.String,
    "transaction_id": pl.String,
    "status": pl.String,
    "reason": pl.String,
}
WASH_WINDOWS: Final = {
    "household_id": pl.String,
    "asset_id": pl.String,
    "account_id": pl.String,
    "kind": pl.String,
    "trade_date": pl.Date,
    "quantity": QUANTITY_DTYPE,
    "is_tax_deferred": pl.Boolean,
}


def build(schema: Mapping[str, pl.DataType | type], columns: Mapping[str, Any]) -> pl.DataFrame:
    """Build a frame from lists or arrays: integer units for Decimal columns, day numbers for dates."""
    series = []
    for name, dtype in schema.items():
        values = columns[name]
        if isinstance(dtype, pl.Decimal):
            series.append(decimal_series(name, values, dtype))
        elif dtype == pl.Date:
            series.append(pl.Series(name, values, dtype=pl.Int32).cast(pl.Date))
        else:
            series.append(pl.Series(name, values, dtype=dtype))
    return pl.DataFrame(series)


def open_lots(states: Mapping[str, HouseholdState], as_of: date, state_date: date) -> pl.DataFrame:
    """Return ``ml.tax_lots`` rows of all households, sorted by account, asset and lot."""
    lots: list[Lot] = [
        lot for state in states.values() for held in state.book.holdings.values() for lot in held
    ]
    count = len(lots)
    columns = {
        "as_of_date": [to_day(as_of)] * count,
        "state_date": [to_day(state_date)] * count,
        "account_id": [x.account.account_id for x in lots],
        "asset_id": [x.asset_id for x in lots],
        "lot_id": [x.lot_id for x in lots],
        "quantity": [x.quantity for x in lots],
        "cost_basis_usd": [x.cost for x in lots],
        "acquired_date": [x.acquired for x in lots],
        "hp_start_date": [x.hp_start for x in lots],
        "first_long_term_date": [
            x.acquired if x.always_long else first_long_term_day(x.hp_start) for x in lots
        ],
        "wash_adjustment_usd": [x.wash_adjustment for x in lots],
        "origin": [x.origin for x in lots],
        "source_transaction_id": [x.source_id for x in lots],
        "is_basis_known": [x.cost is not None for x in lots],
    }
    return build(OPEN_LOTS, columns).sort("state_date", "account_id", "asset_id", "acquired_date", "lot_id")


def is_provisional(piece: Piece, as_of_day: int) -> bool:
    """Say whether a later purchase can still disallow a recognised loss: until day 30."""
    return piece.is_pending and as_of_day <= piece.sale_day + WINDOW_DAYS


def realized_gains(states: Iterable[HouseholdState], as_of: date) -> pl.DataFrame:
    """Return ``ml.realized_gains`` rows: taxable accounts only, sorted by sale and lot."""
    return numbered_pieces(taxable_pieces(states), as_of).drop("index")


def taxable_pieces(states: Iterable[HouseholdState]) -> list[Piece]:
    """Return the pieces of all sales outside tax-deferred accounts."""
    return [p for state in states for p in state.wash.pieces if not p.account.is_deferred]


def numbered_pieces(pieces: Sequence[Piece], as_of: date) -> pl.DataFrame:
    """Return ``ml.realized_gains`` rows with ``index``, the position of each row's piece."""
    day = to_day(as_of)
    columns = {
        "as_of_date": [day] * len(pieces),
        "account_id": [p.account.account_id for p in pieces],
        "asset_id": [p.asset_id for p in pieces],
        "sale_transaction_id": [p.sale_id for p in pieces],
        "lot_id": [p.lot_id for p in pieces],
        "piece_no": [1] * len(pieces),
        "trade_date": [p.sale_day for p in pieces],
        "acquired_date": [p.acquired for p in pieces],
        "hp_start_date": [p.hp_start for p in pieces],
        "quantity": [p.quantity for p in pieces],
        "proceeds_usd": [p.proceeds for p in pieces],
        "cost_basis_usd": [p.cost for p in pieces],
        "gain_usd": [p.gain for p in pieces],
        "disallowed_usd": [p.disallowed for p in pieces],
        "recognized_usd": [None if p.gain is None else p.gain + p.disallowed for p in pieces],
        "term": ["long" if p.is_long else "short" for p in pieces],
        "is_provisional": [is_provisional(p, day) for p in pieces],
        "is_permanent": [p.is_permanent for p in pieces],
        "is_voluntary": [p.is_voluntary for p in pieces],
        "tax_year": [to_date(p.sale_day).year for p in pieces],
        "convention_codes": [",".join(p.codes) for p in pieces],
    }
    rows = (
        build(REALIZED_GAINS, columns)
        .with_row_index("index")
        .sort(
            "trade_date",
            "account_id",
            "sale_transaction_id",
            "asset_id",
            "lot_id",
            "disallowed_usd",
            "quantity",
            "proceeds_usd",
            "term",
            "convention_codes",
            maintain_order=True,
        )
    )
    # A sale of one lot falls into pieces where a wash matched part of it: the number makes the key.
    key = ["account_id", "asset_id", "sale_transaction_id", "lot_id"]
    return rows.with_columns(pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over(key).alias("piece_no"))


def wash_windows(states: Mapping[str, HouseholdState], as_of: date) -> pl.DataFrame:
    """Return loss sales and purchases of the last 30 days that can still meet each other."""
    day = to_day(as_of)
    rows: list[tuple] = []
    for household, state in states.items():
        for queue in state.wash.pending.values():
            for piece in queue:
                if is_provisional(piece, day):
                    ratio = piece.ratio
                    quantity = piece.quantity * ratio.numerator // ratio.denominator
                    row = (household, piece.asset_id, piece.account, "loss_sale", piece.sale_day, quantity)
                    rows.append(row)
        for lots in state.wash.purchases.values():
            for lot in lots:
                held = state.book.lots(lot.account.account_id, lot.asset_id)
                if lot.acquired >= day - WINDOW_DAYS and not lot.used and lot in held:
                    row = (household, lot.asset_id, lot.account, "purchase", lot.acquired, lot.quantity)
                    rows.append(row)
    rows = [(h, a, x.account_id, k, d, q, x.is_deferred) for h, a, x, k, d, q in rows]
    columns = {name: [row[i] for row in rows] for i, name in enumerate(WASH_WINDOWS)}
    keys = ["household_id", "asset_id", "account_id", "kind", "trade_date", "is_tax_deferred"]
    return (
        build(WASH_WINDOWS, columns)
        .group_by(keys)
        .agg(pl.col("quantity").sum())
        .select(list(WASH_WINDOWS))
        .with_columns(pl.col("quantity").cast(QUANTITY_DTYPE))
        .sort(keys)
    )


def issues(rows: Sequence[tuple[str, str, str, str]]) -> pl.DataFrame:
    """Return the ``issues`` frame, sorted, each row once."""
    unique = sorted(set(rows))
    return build(ISSUES, {name: [row[i] for row in unique] for i, name in enumerate(ISSUES)})


def account_cash(
    transactions: pl.DataFrame, accounts: Mapping[str, AccountInfo], as_of: date, state_date: date
) -> pl.DataFrame:
    """Return ``ml.account_cash``: the sum of ``amount_usd`` up to the date, 0 without rows.

    Parameters
    ----------
    transactions : polars.DataFrame
        One version per transaction_id, cut by ``known_at``.
    accounts : mapping
        Accounts to report.
    as_of, state_date : datetime.date
        The night and the date of the state.
    """
    cash = (
        transactions.filter(pl.col("trade_date") <= state_date)
        .group_by("account_id")
        .agg(pl.col("amount_usd").cast(USD_DTYPE).sum().cast(USD_DTYPE).alias("cash_usd"))
    )
    frame = pl.DataFrame({"account_id": sorted(accounts)}, schema={"account_id": pl.String})
    return (
        frame.join(cash, on="account_id", how="left")
        .with_columns(
            as_of_date=pl.lit(as_of),
            state_date=pl.lit(state_date),
            cash_usd=pl.col("cash_usd").fill_null(0).cast(USD_DTYPE),
        )
        .select(list(ACCOUNT_CASH))
        .sort("state_date", "account_id")
    )
