"""From warehouse frames to the ledger's integer events."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from ml.tax.actions import (
    LEDGER_ACTION_KINDS,
    MarketAction,
    OwnRows,
    SessionCounter,
    actions_by_asset,
    latest_rows,
    read_actions,
)
from ml.tax.household import Event
from ml.tax.lots import AccountInfo
from ml.tax.settings import TaxSettings
from ml.tax.state import AssetInfo, World
from ml.tax.units import SHARE, USD, unit_column
from ml.tax.years import read_filers
from ml.types import TAX_DEFERRED_ACCOUNT_TYPES

_ORDER: Final = ("traded_at", "source_file", "source_line", "transaction_id")
_UNITS: Final = {
    "quantity": SHARE,
    "price_usd": USD,
    "amount_usd": USD,
    "fees_usd": USD,
    "cost_basis_usd": USD,
    "fair_market_value_usd": USD,
    "ratio_new": SHARE,
    "ratio_old": SHARE,
    "basis_fraction": 10**12,
}
_TEXTS: Final = ("asset_id", "order_id", "lot_reference", "related_asset_id")
_COLUMNS: Final = (
    "account_id",
    "transaction_id",
    "kind",
    "trade_date",
    "asset_id",
    "quantity",
    "price_usd",
    "amount_usd",
    "fees_usd",
    "order_id",
    "lot_reference",
    "acquired_date",
    "cost_basis_usd",
    "fair_market_value_usd",
    "related_asset_id",
    "ratio_new",
    "ratio_old",
    "basis_fraction",
)
Row = tuple


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything one run needs, in integer units and in order."""

    accounts: Mapping[str, AccountInfo]
    households: Mapping[str, dict[str, AccountInfo]]
    rows: Mapping[str, list[Row]]
    world: World
    strangers: list[tuple[str, str]]

    def events(self, household_id: str) -> list[Event]:
        """Return fresh events of a household (the pass changes them)."""
        return [Event(*row) for row in self.rows.get(household_id, ())]

    def actions(self, household_id: str) -> list[MarketAction]:
        """Return the market actions that can reach a household, by ex-date."""
        table = self.world.actions
        waiting = {r[4] for r in self.rows.get(household_id, ())} | {
            r[14] for r in self.rows.get(household_id, ())
        }
        seen: set[str] = set()
        found: list[MarketAction] = []
        while waiting:
            asset = waiting.pop()
            if asset is None or asset in seen:
                continue
            seen.add(asset)
            for action in table.get(asset, ()):
                found.append(action)
                waiting.add(action.new_asset_id)
        return sorted(found, key=lambda a: (a.ex_day, a.asset_id, a.kind))


def prepare(
    transactions: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    accounts: pl.DataFrame,
    assets: pl.DataFrame,
    sessions: pl.DataFrame | None,
    last_day: int,
    settings: TaxSettings,
    users: pl.DataFrame | None = None,
) -> Prepared:
    """Turn warehouse frames, cut by ``known_at``, into integer rows per household.

    Parameters
    ----------
    transactions, corporate_actions, accounts, assets, sessions : polars.DataFrame
        See :class:`ml.tax.ledger.LedgerInputs`.
    last_day : int
        Day number of the night; later trade dates and ex-dates are left out.
    settings : TaxSettings
        For the user's groups of identical assets.
    users : polars.DataFrame, optional
        ``core.dim_users``: incomes and filing statuses, which ``min_tax`` sales weigh.

    Returns
    -------
    Prepared
        ``strangers`` lists (account_id, transaction_id) of rows whose account is not known.
    """
    infos = read_accounts(accounts)
    households: dict[str, dict[str, AccountInfo]] = {}
    for info in infos.values():
        households.setdefault(info.household_id, {})[info.account_id] = info
    actions = read_actions(corporate_actions, LEDGER_ACTION_KINDS, last_day)
    own = OwnRows(SessionCounter(sessions))
    rows: dict[str, list[Row]] = {}
    strangers: list[tuple[str, str]] = []
    in_lieu: dict[tuple[str, str], list[tuple[int, int]]] = {}
    renamings = [(a.asset_id, a.new_asset_id) for a in actions if a.kind == "symbol_change"]
    for row in transaction_rows(transactions, last_day):
        account_id, _, kind, day, asset = row[:5]
        info = infos.get(account_id)
        if info is None:
            strangers.append((account_id, row[1]))
            continue
        rows.setdefault(info.household_id, []).append(row)
        if asset is None or kind == "buy" or kind == "sell":
            continue
        if kind in LEDGER_ACTION_KINDS:
            own.add(account_id, asset, kind, day)
            if kind == "symbol_change":
                renamings.append((asset, row[14]))
        elif kind == "cash_in_lieu":
            in_lieu.setdefault((account_id, asset), []).append((day, row[5]))
    world = World(
        read_assets(assets),
        actions_by_asset(actions),
        own,
        join_securities(renamings, settings.identical_groups),
        in_lieu,
        read_filers(users, infos.values()),
    )
    return Prepared(infos, households, rows, world, strangers)


def transaction_rows(transactions: pl.DataFrame, last_day: int) -> Iterable[Row]:
    """Return transactions as tuples in the order of ``Event``'s fields, sorted by time and file."""
    frame = latest_rows(transactions, ("transaction_id",))
    present = set(frame.columns)
    defaults: list[pl.Expr] = [
        pl.lit(None, pl.String).alias(c) for c in (*_TEXTS, "source_file") if c not in present
    ]
    defaults += [pl.lit(None, pl.Int64).alias(c) for c in _UNITS if c not in present]
    if "acquired_date" not in present:
        defaults.append(pl.lit(None, pl.Date).alias("acquired_date"))
    if "source_line" not in present:
        defaults.append(pl.int_range(pl.len(), dtype=pl.Int64).alias("source_line"))
    frame = frame.with_columns(defaults).sort(*_ORDER)
    frame = frame.with_columns(
        *(unit_column(c, u, frame.schema[c]) for c, u in _UNITS.items()),
        pl.col("trade_date").cast(pl.Date).to_physical(),
        pl.col("acquired_date").cast(pl.Date).to_physical(),
    ).with_columns(pl.col("quantity").fill_null(0), pl.col("fees_usd").fill_null(0))
    return frame.filter(pl.col("trade_date") <= last_day).select(_COLUMNS).iter_rows()


def read_accounts(accounts: pl.DataFrame) -> dict[str, AccountInfo]:
    """Read ``core.dim_accounts``; the latest version of each account counts."""
    frame = latest_rows(accounts, ("account_id",)).sort("account_id")
    columns = ("account_id", "user_id", "household_id", "tax_unit_id", "account_type", "lot_method")
    return {
        row[0]: AccountInfo(*row, is_deferred=row[4] in TAX_DEFERRED_ACCOUNT_TYPES)
        for row in frame.select(columns).iter_rows()
    }


def read_assets(assets: pl.DataFrame | None) -> dict[str, AssetInfo]:
    """Read ``core.dim_assets``; the latest version of each asset counts."""
    if assets is None or assets.is_empty():
        return {}
    frame = latest_rows(assets, ("asset_id",))
    ratio = pl.col("qualified_dividend_ratio") if "qualified_dividend_ratio" in frame.columns else pl.lit(0.0)
    frame = frame.select(
        "asset_id",
        "asset_class",
        pl.col("tax_treatment").fill_null("security"),
        (ratio.cast(pl.Float64).fill_null(0.0).clip(0.0, 1.0) * SHARE).round(0).cast(pl.Int64).alias("q"),
    )
    return {row[0]: AssetInfo(*row[1:]) for row in frame.iter_rows()}


def join_securities(
    renamings: Iterable[tuple[str, str | None]], groups: Iterable[Iterable[str]]
) -> dict[str, str]:
    """Map asset ids to one name per security: renamings joined, and the user's groups (A6)."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.get(name, name) != name:
            name = parent[name]
        return name

    pairs = [(old, new) for old, new in renamings if new is not None]
    for group in groups:
        members = sorted(group)
        pairs += [(members[0], other) for other in members[1:]]
    for first, second in pairs:
        parent.setdefault(first, first)
        parent.setdefault(second, second)
        low, high = sorted((root(first), root(second)))
        parent[high] = low
    return {name: root(name) for name in parent}
