"""Running positions, for ingestion: which disposals exceed what the account holds.

The common case (no violation, no corporate action) is one vectorised pass. Only the groups that
need it are walked row by row: those touched by splits, spin-offs, mergers or renamings, and those
in which the plain running sum goes below zero.
"""

from collections.abc import Sequence
from typing import Final

import polars as pl

from ml.tax.actions import (
    POSITION_ACTION_KINDS,
    MarketAction,
    OwnRows,
    SessionCounter,
    latest_rows,
    read_actions,
)
from ml.tax.units import QUANTITY_DTYPE, QUANTITY_TOLERANCE, SHARE, decimal_series, scale, unit_column

INFLOW_KINDS: Final = ("buy", "reinvestment", "transfer_in", "gift_in", "inheritance")
OUTFLOW_KINDS: Final = ("sell", "transfer_out", "gift_out")
_OPTION_DELIVERY_KINDS: Final = ("option_exercise", "option_assignment")
_WALKED_KINDS: Final = (*POSITION_ACTION_KINDS, "cash_in_lieu", *_OPTION_DELIVERY_KINDS)
_ORDER: Final = ("traded_at", "source_file", "source_line", "transaction_id")
_Row = tuple[str, str, str, int, int, int | None, int | None, str | None, int]


def sells_beyond_holdings(
    transactions: pl.DataFrame, corporate_actions: pl.DataFrame, sessions: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Find disposals of more shares than the account holds at that moment.

    Parameters
    ----------
    transactions : polars.DataFrame
        Columns account_id, asset_id, kind, quantity, trade_date, traded_at, source_file,
        source_line, transaction_id, and where present ratio_new, ratio_old, related_asset_id,
        underlying_asset_id, known_at. Any order; several versions of one transaction_id count once
        (the latest ``known_at``).
    corporate_actions : polars.DataFrame
        Columns of ``market__corporate_actions``; may be empty.
    sessions : polars.DataFrame, optional
        ``session_date`` column, for the rule of 5 sessions; weekdays are counted without it.

    Returns
    -------
    polars.DataFrame
        ``transaction_id``, ``held_quantity`` (Decimal(24, 9), what was held just before), one row
        per offending sell, transfer_out or gift_out in (traded_at, file) order. An offending row
        does not count in later positions. A tolerance of 1e-6 share absorbs brokers' rounding.

    Raises
    ------
    polars.exceptions.ColumnNotFoundError
        If a required column is missing.

    Notes
    -----
    Shares delivered by an option exercise or assignment cannot be counted from these rows (the
    multiplier is not in the contract), so disposals of that underlying asset are not judged after it.
    """
    rows = _prepared(transactions)
    market = read_actions(corporate_actions, POSITION_ACTION_KINDS)
    walked = _walked_pairs(rows, market)
    if walked.is_empty():
        plain = rows
    else:
        plain = rows.join(walked, on=["account_id", "asset_id"], how="anti")
    short = _short_pairs(plain)
    needed = pl.concat([walked, short]) if walked.height else short
    if needed.is_empty():
        return _result([], [])
    chosen = rows.join(needed.unique(), on=["account_id", "asset_id"], how="semi").sort("account_id", "_no")
    found = _walk_accounts(chosen, market, SessionCounter(sessions))
    found.sort()
    return _result([f[1] for f in found], [f[2] for f in found])


def holdings(
    transactions: pl.DataFrame, corporate_actions: pl.DataFrame, sessions: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Shares that each account holds after all given rows.

    Parameters
    ----------
    transactions, corporate_actions, sessions : polars.DataFrame
        As ``sells_beyond_holdings``; rows later than the day asked about are left out by the caller.

    Returns
    -------
    polars.DataFrame
        ``account_id``, ``asset_id``, ``quantity`` (Decimal(24, 9), never negative), one row per pair that
        was ever held. Short positions and options are not part of it.
    """
    rows = _prepared(transactions).sort("account_id", "_no")
    market = read_actions(corporate_actions, POSITION_ACTION_KINDS)
    found: list[tuple[str, str, int]] = []
    _walk_accounts(rows, market, SessionCounter(sessions), found)
    found.sort()
    frame = pl.DataFrame(
        [(account, asset) for account, asset, _ in found],
        schema={"account_id": pl.String, "asset_id": pl.String},
        orient="row",
    )
    return frame.with_columns(decimal_series("quantity", [held for *_, held in found], QUANTITY_DTYPE))


def _result(identifiers: list[str], held: list[int | None]) -> pl.DataFrame:
    names = pl.Series("transaction_id", identifiers, dtype=pl.String)
    return pl.DataFrame([names, decimal_series("held_quantity", held, QUANTITY_DTYPE)])


def _prepared(transactions: pl.DataFrame) -> pl.DataFrame:
    """Sort rows, drop superseded versions and turn quantities into 1e-9 share units."""
    rows = latest_rows(transactions, ("transaction_id",)).sort(*_ORDER)
    missing = {
        c: pl.lit(None, pl.String)
        for c in ("related_asset_id", "underlying_asset_id")
        if c not in rows.columns
    }
    missing |= {c: pl.lit(None, pl.Int64) for c in ("ratio_new", "ratio_old") if c not in rows.columns}
    rows = rows.with_columns(**missing)
    return (
        rows.with_columns(
            *(unit_column(c, SHARE, rows.schema[c]) for c in ("quantity", "ratio_new", "ratio_old")),
            pl.col("trade_date").cast(pl.Date).to_physical(),
            # an option's delivery concerns the underlying asset
            pl.when(pl.col("kind").is_in(_OPTION_DELIVERY_KINDS))
            .then(pl.coalesce("underlying_asset_id", "asset_id"))
            .otherwise(pl.col("asset_id"))
            .alias("asset_id"),
        )
        .filter(
            pl.col("asset_id").is_not_null()
            & pl.col("kind").is_in([*INFLOW_KINDS, *OUTFLOW_KINDS, *_WALKED_KINDS])
        )
        .with_row_index("_no")
        .select(
            "account_id",
            "asset_id",
            "kind",
            pl.col("quantity").fill_null(0),
            "trade_date",
            "ratio_new",
            "ratio_old",
            "related_asset_id",
            pl.col("_no").cast(pl.Int64),
            "transaction_id",
        )
    )


def _walked_pairs(rows: pl.DataFrame, market: Sequence[MarketAction]) -> pl.DataFrame:
    """Return the (account, asset) pairs whose position is not a plain running sum."""
    own = rows.filter(pl.col("kind").is_in(_WALKED_KINDS))
    pairs = [own.select("account_id", "asset_id")]
    pairs.append(
        own.filter(pl.col("related_asset_id").is_not_null()).select(
            "account_id", pl.col("related_asset_id").alias("asset_id")
        )
    )
    touched = sorted({a.asset_id for a in market} | {a.new_asset_id for a in market if a.new_asset_id})
    if touched:
        traded = rows.select("account_id", "asset_id").filter(pl.col("asset_id").is_in(touched))
        pairs.append(traded)
    return pl.concat(pairs).unique()


def _short_pairs(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs whose plain running sum falls below zero at some row."""
    sign = pl.when(pl.col("kind").is_in(OUTFLOW_KINDS)).then(-1).otherwise(1)
    running = (pl.col("quantity") * sign).cum_sum().over("account_id", "asset_id")
    below = rows.select("account_id", "asset_id", running.alias("held"))
    return below.filter(pl.col("held") < -QUANTITY_TOLERANCE).select("account_id", "asset_id").unique()


def _walk_accounts(
    rows: pl.DataFrame,
    market: Sequence[MarketAction],
    counter: SessionCounter,
    holdings: list[tuple[str, str, int]] | None = None,
) -> list[tuple[int, str, int]]:
    """Walk the chosen pairs account by account; return (row number, transaction_id, held).

    ``holdings`` is given what each account holds in the end, as (account, asset, 1e-9 shares).
    """
    own = OwnRows(counter)
    for account, asset, kind, day in (
        rows.filter(pl.col("kind").is_in(POSITION_ACTION_KINDS))
        .select("account_id", "asset_id", "kind", "trade_date")
        .iter_rows()
    ):
        own.add(account, asset, kind, day)
    found: list[tuple[int, str, int]] = []
    for part in rows.partition_by("account_id", maintain_order=True):
        account = part.item(0, "account_id")
        assets = set(part.get_column("asset_id").to_list())
        actions = [a for a in market if a.asset_id in assets and not own.has(account, a)]
        walker = _Walker(actions)
        for row in part.iter_rows():
            held = walker.step(row)
            if held is not None:
                found.append((row[8], row[9], held))
        if holdings is not None:
            holdings += [(account, asset, quantity) for asset, quantity in walker.held.items()]
    return found


class _Walker:
    """The running positions of one account."""

    def __init__(self, actions: Sequence[MarketAction]) -> None:
        self.held: dict[str, int] = {}
        self.unjudged: set[str] = set()
        self.counted_fraction: set[str] = set()
        self.actions = list(actions)
        self.next_action = 0

    def step(self, row: tuple) -> int | None:
        """Apply one row; return what is held if the row disposes of more than that."""
        _, asset, kind, quantity, day, new, old, related, _, _ = row
        while self.next_action < len(self.actions) and self.actions[self.next_action].ex_day <= day:
            action = self.actions[self.next_action]
            self.next_action += 1
            self._change(
                action.kind, action.asset_id, 0, action.ratio_new, action.ratio_old, action.new_asset_id
            )
        held = self.held.get(asset, 0)
        if kind in INFLOW_KINDS:
            self.held[asset] = held + quantity
        elif kind in OUTFLOW_KINDS:
            if quantity > held + QUANTITY_TOLERANCE and asset not in self.unjudged:
                return held
            self.held[asset] = max(0, held - quantity)
        elif kind == "cash_in_lieu":
            # a row that stated the shares after the event has left the fraction out already
            if asset in self.counted_fraction:
                self.counted_fraction.discard(asset)
            else:
                self.held[asset] = max(0, held - quantity)
        elif kind in _OPTION_DELIVERY_KINDS:
            self.unjudged.add(asset)
        else:
            self._change(kind, asset, quantity, new, old, related)
        return None

    def _change(
        self, kind: str, asset: str, quantity: int, new: int | None, old: int | None, other: str | None
    ) -> None:
        """Apply a corporate action; ``quantity`` 0 means only the ratio is known."""
        held = self.held.get(asset, 0)
        if kind in ("split", "stock_dividend"):
            if quantity:
                removed = new is not None and old is not None and new < old
                self.held[asset] = max(0, held + (-quantity if removed else quantity))
                self.counted_fraction.add(asset)
            elif new and old:
                self.held[asset] = scale(held, new, old)
            return
        if kind in ("merger", "symbol_change"):
            self.held[asset] = 0
        if other is None or (not held and not quantity):
            return
        if asset in self.unjudged:
            self.unjudged.add(other)
        if quantity:
            gained = quantity
            self.counted_fraction.add(other)
        elif new and old:
            gained = scale(held, new, old)
        else:
            gained = held if kind == "symbol_change" else 0
        self.held[other] = self.held.get(other, 0) + gained
