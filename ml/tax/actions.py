"""Which corporate actions of the market table reach an account, and when.

An account's own row wins: a market action applies to an account only if the account has no row of
that kind for the asset within 5 sessions of the ex-date (DESIGN section 2). Brokers book a stock
dividend as a split and a renaming as a merger, so those kinds answer for each other.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from ml.tax.units import SHARE, USD, unit_column

POSITION_ACTION_KINDS: Final = ("split", "stock_dividend", "spin_off", "merger", "symbol_change")
LEDGER_ACTION_KINDS: Final = (*POSITION_ACTION_KINDS, "return_of_capital")
OWN_ROW_SESSIONS: Final = 5
_FAMILY: Final = {"stock_dividend": "split", "symbol_change": "merger"}
_FRACTION_UNITS: Final = 10**12


def family(kind: str) -> str:
    """Return the group of kinds that stand for one event in brokers' books."""
    return _FAMILY.get(kind, kind)


class SessionCounter:
    """Distances in sessions between two day numbers.

    Parameters
    ----------
    sessions : polars.DataFrame or None
        Frame with a ``session_date`` Date column; without one, weekdays are counted.
    """

    def __init__(self, sessions: pl.DataFrame | None = None) -> None:
        self._days: list[int] = []
        if sessions is not None and sessions.height:
            days = sessions.get_column("session_date").cast(pl.Date).to_physical()
            self._days = sorted(set(days.to_list()))

    def number(self, day: int) -> int:
        """Return the running number of the last session on or before a day."""
        if self._days:
            return bisect_right(self._days, day)
        week, weekday = divmod(day + 3, 7)  # 1970-01-01 was a Thursday; Monday is 0
        return week * 5 + min(weekday, 4)

    def near(self, first: int, second: int, distance: int = OWN_ROW_SESSIONS) -> bool:
        """Say whether two days are at most ``distance`` sessions apart."""
        return abs(self.number(first) - self.number(second)) <= distance


@dataclass(frozen=True, slots=True)
class MarketAction:
    """One corporate action: ratios in 1e-9, cash per share in 1e-6 USD, basis fraction in 1e-12."""

    asset_id: str
    ex_day: int
    kind: str
    ratio_new: int | None
    ratio_old: int | None
    cash_per_share: int | None
    new_asset_id: str | None
    basis_fraction: int | None
    identifier: str


@dataclass(slots=True)
class OwnRows:
    """The days on which accounts booked corporate actions themselves."""

    counter: SessionCounter
    days: dict[tuple[str, str, str], list[int]] = field(default_factory=dict)

    def add(self, account_id: str, asset_id: str, kind: str, day: int) -> None:
        """Note that an account has its own row of this kind on this day."""
        self.days.setdefault((account_id, asset_id, family(kind)), []).append(day)

    def has(self, account_id: str, action: MarketAction) -> bool:
        """Say whether the account's own row stands in for a market action."""
        days = self.days.get((account_id, action.asset_id, family(action.kind)))
        return bool(days) and any(self.counter.near(d, action.ex_day) for d in days)


def latest_rows(frame: pl.DataFrame, key: Iterable[str]) -> pl.DataFrame:
    """Keep the version of each key with the latest ``known_at`` (a late correction wins).

    Parameters
    ----------
    frame : polars.DataFrame
        Rows already cut by ``known_at``; order is kept, the last of equal rows wins.
    key : iterable of str
        Columns of the key.
    """
    columns = list(key)
    if frame.height < 2 or frame.select(columns).n_unique() == frame.height:
        return frame
    if "known_at" not in frame.columns:
        return frame.unique(subset=columns, keep="last", maintain_order=True)
    indexed = frame.with_row_index("_order")
    last = indexed.sort("known_at", "_order", nulls_last=False).unique(
        subset=columns, keep="last", maintain_order=True
    )
    return last.sort("_order").drop("_order")


def read_actions(
    frame: pl.DataFrame | None, kinds: Iterable[str], last_day: int | None = None
) -> list[MarketAction]:
    """Read market actions of the named kinds, sorted by ex-date, asset and kind.

    Parameters
    ----------
    frame : polars.DataFrame or None
        Columns of ``market__corporate_actions``; absent nullable columns count as null.
    kinds : iterable of str
        Kinds to keep.
    last_day : int, optional
        Day number; later ex-dates have not happened yet and are left out.
    """
    if frame is None or frame.is_empty():
        return []
    rows = latest_rows(frame, ("asset_id", "ex_date", "kind")).filter(pl.col("kind").is_in(list(kinds)))
    columns = {
        "ratio_new": SHARE,
        "ratio_old": SHARE,
        "cash_per_share_usd": USD,
        "basis_fraction": _FRACTION_UNITS,
    }
    exprs = [
        unit_column(c, u, rows.schema[c]) if c in rows.columns else pl.lit(None, pl.Int64).alias(c)
        for c, u in columns.items()
    ]
    new_asset = pl.col("new_asset_id") if "new_asset_id" in rows.columns else pl.lit(None, pl.String)
    rows = rows.select(
        "asset_id",
        pl.col("ex_date").cast(pl.Date).to_physical(),
        "kind",
        *exprs,
        new_asset.alias("new_asset_id"),
    ).sort("ex_date", "asset_id", "kind")
    actions = []
    for asset, day, kind, new, old, cash, new_id, fraction in rows.select(
        "asset_id",
        "ex_date",
        "kind",
        "ratio_new",
        "ratio_old",
        "cash_per_share_usd",
        "new_asset_id",
        "basis_fraction",
    ).iter_rows():
        if last_day is None or day <= last_day:
            name = f"market:{kind}:{asset}:{day}"
            actions.append(MarketAction(asset, day, kind, new, old, cash, new_id, fraction, name))
    return actions


def actions_by_asset(actions: Iterable[MarketAction]) -> Mapping[str, list[MarketAction]]:
    """Group actions by the asset they happen to, keeping their order."""
    grouped: dict[str, list[MarketAction]] = {}
    for action in actions:
        grouped.setdefault(action.asset_id, []).append(action)
    return grouped
