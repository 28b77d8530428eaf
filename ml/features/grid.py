"""Market frames as dense arrays over sessions and assets: the price grid that features are computed from.

What belongs here: placing bars, corporate actions and facts on sessions, total and price return. It is the
mirror of the intermediate dbt models (``int_prices__gridded``, ``int_corporate_actions__landed``,
``int_assets__timed``) for markets without late rows: every bar is known at its own session's close and
never corrected, an action is known at its ex-date; facts count from the session at whose close they were known.
What does not: formulas of features (``compute.py``).
"""

from dataclasses import dataclass, fields, replace

import numpy as np
import polars as pl

from ml.types import ASSET_CLASSES, SECTORS

_BAR_COLUMNS = ("open", "high", "low", "close", "adjusted_close", "volume")
_CASH_KINDS = ("dividend", "capital_gain_distribution", "return_of_capital")
_SPLIT_KINDS = ("split", "stock_dividend")
_FACT_COLUMNS = ("shares_outstanding", "qualified_dividend_ratio", "expense_ratio_pct", "duration_years")
NO_DAY = np.iinfo(np.int32).min


class GridError(ValueError):
    """Rows that fit no grid; the message names the table, the row and the remedy."""


@dataclass(frozen=True, slots=True)
class PriceGrid:
    """Prices and facts of D sessions x N assets; float64, nan = missing.

    Attributes
    ----------
    days : ndarray of shape (D,)
        int32 days since 1970-01-01.
    sessions_since_bar : ndarray of shape (D, N)
        int32; -1 before the first bar.
    open, high, low, volume : ndarray of shape (D, N)
        Of the session's own bar, USD and shares.
    close : ndarray of shape (D, N)
        USD, of the latest bar.
    total_return, spread, dividend_ratio : ndarray of shape (D, N)
        Log total return since the previous bar, two-day high-low spread, dividends / close; sessions with
        a bar only.
    total_index, price_index : ndarray of shape (D, N)
        Running sums of total and of price log return since the first bar.
    last_ex_day : ndarray of shape (D, N)
        int32 day of the last ex-dividend date that a bar followed; ``NO_DAY`` without one.
    asset_class, sector : ndarray of shape (D, N)
        int8 positions in ``ASSET_CLASSES`` (-1: no facts known) and ``SECTORS`` (-1: none).
    is_accumulating : ndarray of shape (D, N)
        bool: prices contain the dividends.
    shares_outstanding, qualified_dividend_ratio, expense_ratio_pct, duration_years : ndarray of shape (D, N)
        As known; shares are carried through the splits since.
    listed_day : ndarray of shape (D, N)
        int32; day of the first bar where no listing date is known.
    """

    days: np.ndarray
    sessions_since_bar: np.ndarray
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    volume: np.ndarray
    close: np.ndarray
    total_return: np.ndarray
    spread: np.ndarray
    dividend_ratio: np.ndarray
    total_index: np.ndarray
    price_index: np.ndarray
    last_ex_day: np.ndarray
    asset_class: np.ndarray
    sector: np.ndarray
    is_accumulating: np.ndarray
    shares_outstanding: np.ndarray
    qualified_dividend_ratio: np.ndarray
    expense_ratio_pct: np.ndarray
    duration_years: np.ndarray
    listed_day: np.ndarray

    @property
    def has_bar(self) -> np.ndarray:
        """Whether the session has a bar of its own, (D, N)."""
        return self.sessions_since_bar == 0

    @property
    def dollar_volume(self) -> np.ndarray:
        """Close x volume of the session's own bar, USD, (D, N)."""
        return self.close * self.volume

    def columns(self, assets: slice) -> "PriceGrid":
        """The grid of some assets."""
        names = (field.name for field in fields(self) if field.name != "days")
        return replace(self, **{name: getattr(self, name)[:, assets] for name in names})


@dataclass(frozen=True, slots=True)
class Landed:
    """What corporate actions do to the bars on which they land, each (D, N)."""

    cash: np.ndarray
    dividend: np.ndarray
    split_factor: np.ndarray
    ex_day: np.ndarray


def price_grid(
    asset_ids: tuple[str, ...],
    assets: pl.DataFrame,
    bars: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    sessions: pl.DataFrame,
) -> PriceGrid:
    """Place the rows of a market on its sessions.

    Parameters
    ----------
    asset_ids : tuple of str
        The N assets, in column order.
    assets, bars, corporate_actions : polars.DataFrame
        Rows of ``market__assets``, ``market__daily_bars`` and ``market__corporate_actions``.
    sessions : polars.DataFrame
        ``session_date`` and ``close_at`` (UTC), ascending.

    Raises
    ------
    GridError
        If a bar lies on no session or two lie on one.
    """
    days = sessions["session_date"].cast(pl.Date).to_physical().to_numpy()
    raw = _bar_arrays(asset_ids, bars, days)
    priced = ~(np.isnan(raw["close"]) & np.isnan(raw["adjusted_close"]))
    rows = np.arange(len(days), dtype=np.int32)[:, None]
    latest = np.maximum.accumulate(np.where(priced, rows, -1), axis=0)
    previous = np.vstack([np.full((1, len(asset_ids)), -1, latest.dtype), latest[:-1]])
    landed = _landed(asset_ids, corporate_actions, days, priced)
    total, cash_log = _returns(raw, priced, previous, landed)
    spread = _spreads(raw, total, previous == rows - 1, previous)
    ex_day = np.maximum.accumulate(landed.ex_day, axis=0)
    started = latest >= 0
    first_day = np.where(priced.any(axis=0), days[priced.argmax(axis=0)], NO_DAY)
    return PriceGrid(
        days=days,
        sessions_since_bar=np.where(started, rows - latest, -1).astype(np.int32),
        open=np.where(priced, raw["open"], np.nan),
        high=np.where(priced, raw["high"], np.nan),
        low=np.where(priced, raw["low"], np.nan),
        volume=np.where(priced, raw["volume"], np.nan),
        close=_at(raw["close"], latest),
        total_return=total,
        spread=spread,
        dividend_ratio=np.where(landed.dividend > 0, landed.dividend / raw["close"], np.nan),
        total_index=np.where(started, np.cumsum(np.nan_to_num(total), axis=0), np.nan),
        price_index=np.where(started, np.cumsum(np.nan_to_num(total - cash_log), axis=0), np.nan),
        last_ex_day=ex_day,
        **_facts(asset_ids, assets, corporate_actions, sessions, days, first_day, _at(raw["close"], latest)),
    )


def _at(values: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Values of the given rows per column; nan where the row is -1."""
    return np.where(row >= 0, np.take_along_axis(values, np.maximum(row, 0), axis=0), np.nan)


def _column_of(asset_ids: tuple[str, ...], frame: pl.DataFrame) -> np.ndarray:
    """Column of each row's asset; -1 for assets that are not asked for."""
    positions = pl.DataFrame({"asset_id": asset_ids, "column": np.arange(len(asset_ids))})
    joined = frame.select("asset_id").join(positions, on="asset_id", how="left", maintain_order="left")
    return joined["column"].fill_null(-1).to_numpy()


def _bar_arrays(asset_ids: tuple[str, ...], bars: pl.DataFrame, days: np.ndarray) -> dict[str, np.ndarray]:
    """Bars as one (D, N) array per column; unusable prices (not positive, not finite) are missing."""
    column = _column_of(asset_ids, bars)
    day = bars["trade_date"].cast(pl.Date).to_physical().to_numpy()
    row = np.searchsorted(days, day)
    lost = (column >= 0) & (days[np.minimum(row, len(days) - 1)] != day)
    if lost.any():
        where = bars.row(int(lost.argmax()), named=True)
        raise GridError(
            f"bar of {where['asset_id']} on {where['trade_date']}: no session of the calendar "
            f"({len(days)} sessions); cut the bars to the sessions, or pass their sessions"
        )
    kept = column >= 0
    row, column = row[kept], column[kept]
    if len(np.unique(row * len(asset_ids) + column)) < len(row):
        raise GridError("two bars of one asset on one session: keep the newest version of each")
    out = {}
    for name in _BAR_COLUMNS:
        values = bars[name].cast(pl.Float64).fill_null(np.nan).to_numpy()[kept]
        usable = np.isfinite(values) & ((values > 0) | (name == "volume"))
        array = np.full((len(days), len(asset_ids)), np.nan)
        array[row, column] = np.where(usable, values, np.nan)
        out[name] = array
    return out


def _landed(
    asset_ids: tuple[str, ...], actions: pl.DataFrame, days: np.ndarray, priced: np.ndarray
) -> Landed:
    """Put actions on the first bar on or after their ex-date, unless that is the asset's first bar."""
    rows = np.arange(len(days))[:, None]
    following = np.minimum.accumulate(np.where(priced, rows, len(days))[::-1], axis=0)[::-1]
    first = following[0]
    column = _column_of(asset_ids, actions)
    ex_day = actions["ex_date"].cast(pl.Date).to_physical().to_numpy()
    ex_row = np.searchsorted(days, ex_day)
    kept = (column >= 0) & (ex_row < len(days))
    row = np.full(len(column), len(days))
    row[kept] = following[ex_row[kept], column[kept]]
    kept &= (row < len(days)) & (row > first[np.maximum(column, 0)])
    kinds = actions["kind"]
    values = {
        name: actions[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        for name in ("cash_per_share_usd", "ratio_new", "ratio_old", "basis_fraction")
    }
    is_cash = kinds.is_in(_CASH_KINDS).to_numpy() & (values["cash_per_share_usd"] > 0) & kept
    is_dividend = is_cash & (kinds == "dividend").to_numpy()
    is_split = kinds.is_in(_SPLIT_KINDS).to_numpy() & kept
    is_split &= (values["ratio_new"] > 0) & (values["ratio_old"] > 0)
    moved = values["basis_fraction"]
    is_spin = (kinds == "spin_off").to_numpy() & (moved > 0) & (moved < 1) & kept
    shape = priced.shape
    landed = Landed(np.zeros(shape), np.zeros(shape), np.ones(shape), np.full(shape, NO_DAY, np.int32))
    for target, mask in ((landed.cash, is_cash), (landed.dividend, is_dividend)):
        np.add.at(target, (row[mask], column[mask]), values["cash_per_share_usd"][mask])
    ratio = values["ratio_new"] / values["ratio_old"]
    for mask, factor in ((is_split, ratio), (is_spin, 1 / (1 - moved))):
        np.multiply.at(landed.split_factor, (row[mask], column[mask]), factor[mask])
    np.maximum.at(landed.ex_day, (row[is_dividend], column[is_dividend]), ex_day[is_dividend])
    return landed


def _returns(
    raw: dict[str, np.ndarray], priced: np.ndarray, previous: np.ndarray, landed: Landed
) -> tuple[np.ndarray, np.ndarray]:
    """Log total return of each bar after the first, and its part that is cash."""
    adjusted, close = raw["adjusted_close"], raw["close"]
    by_adjusted = np.log(adjusted / _at(adjusted, previous))
    by_close = np.log((close + landed.cash) * landed.split_factor / _at(close, previous))
    total = np.where(np.isnan(by_adjusted), by_close, by_adjusted)
    cash_log = np.log1p(landed.cash / close)
    return np.where(priced, total, np.nan), np.where(np.isnan(cash_log), 0.0, cash_log)


def _spreads(
    raw: dict[str, np.ndarray], total: np.ndarray, is_next: np.ndarray, previous: np.ndarray
) -> np.ndarray:
    """Two-day high-low spread (Corwin & Schultz 2012, equations 14 and 18), negative ones as 0.

    The day before is brought to today's share count and ex-cash level, and an overnight move that neither
    day traded shifts today's range back.
    """
    high, low, close = raw["high"], raw["low"], raw["close"]
    scale = np.where(is_next, close / _at(close, previous) / np.exp(total), np.nan)
    before_high, before_low = _at(high, previous) * scale, _at(low, previous) * scale
    before_close = _at(close, previous) * scale
    shift = np.maximum(before_close - high, 0.0) - np.maximum(low - before_close, 0.0)
    top, bottom = high + shift, low + shift
    beta = np.log(top / bottom) ** 2 + np.log(before_high / before_low) ** 2
    gamma = np.log(np.maximum(top, before_high) / np.minimum(bottom, before_low)) ** 2
    k = 3 - 2 * np.sqrt(2)
    alpha = (np.sqrt(2 * beta) - np.sqrt(beta)) / k - np.sqrt(gamma / k)
    return 2 * np.tanh(np.maximum(alpha, 0.0) / 2)


def _facts(
    asset_ids: tuple[str, ...],
    assets: pl.DataFrame,
    actions: pl.DataFrame,
    sessions: pl.DataFrame,
    days: np.ndarray,
    first_day: np.ndarray,
    close: np.ndarray,
) -> dict[str, np.ndarray]:
    """Facts by session: the newest known at its close, shares carried through the splits since."""
    shape = (len(days), len(asset_ids))
    facts = assets.sort("known_at", maintain_order=True)
    close_at = sessions["close_at"].dt.epoch("us").to_numpy()
    known = np.searchsorted(close_at, facts["known_at"].dt.epoch("us").to_numpy())
    version = np.full(shape, facts.height)
    for number, (row, column) in enumerate(zip(known, _column_of(asset_ids, facts), strict=True)):
        if column >= 0:
            version[row:, column] = number
    numbers = {
        name: np.append(facts[name].cast(pl.Float64).fill_null(np.nan).to_numpy(), np.nan)[version]
        for name in _FACT_COLUMNS
    }
    shares = numbers["shares_outstanding"]
    shares[~(shares > 0)] = np.nan
    since = np.append(known, len(days))[version]
    for row, column, ratio in _splits(asset_ids, actions, days):
        shares[row:, column] *= np.where(since[row:, column] < row, ratio, 1.0)
    listed = facts["listed_date"].cast(pl.Date).to_physical().fill_null(NO_DAY).to_numpy()
    listed_day = np.append(listed, NO_DAY)[version].astype(np.int32)
    is_accumulating = np.append((facts["price_basis"] == "accumulating").to_numpy(), False)[version]
    return {
        **numbers,
        "asset_class": _codes(facts["asset_class"], ASSET_CLASSES)[version],
        "sector": _codes(facts["sector"], SECTORS)[version],
        "is_accumulating": np.where(version == facts.height, np.isnan(close), is_accumulating),
        "listed_day": np.where(listed_day == NO_DAY, first_day[None, :], listed_day).astype(np.int32),
    }


def _splits(
    asset_ids: tuple[str, ...], actions: pl.DataFrame, days: np.ndarray
) -> list[tuple[int, int, float]]:
    """Row, column and new shares for an old one of each split."""
    splits = actions.filter(
        pl.col("kind").is_in(_SPLIT_KINDS) & (pl.col("ratio_new") > 0) & (pl.col("ratio_old") > 0)
    )
    ratio = (splits["ratio_new"].cast(pl.Float64) / splits["ratio_old"].cast(pl.Float64)).to_numpy()
    row = np.searchsorted(days, splits["ex_date"].cast(pl.Date).to_physical().to_numpy())
    column = _column_of(asset_ids, splits)
    return [(r, c, k) for r, c, k in zip(row, column, ratio, strict=True) if c >= 0 and r < len(days)]


def _codes(values: pl.Series, vocabulary: tuple[str, ...]) -> np.ndarray:
    """Positions in the vocabulary, -1 for none, and a last -1 for no facts."""
    positions = {value: number for number, value in enumerate(vocabulary)}
    return np.array([*(positions.get(value, -1) for value in values), -1], dtype=np.int8)
