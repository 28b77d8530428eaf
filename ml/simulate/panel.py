"""Prices, sessions and corporate actions as dense, causal arrays for the household engine.

Everything at session index t is computed from rows dated at or before that session, and assets
are ordered by their first bar, so that appending later sessions (or later listings) leaves the
earlier part of every array as it was.
"""

import hashlib
import math
from collections import namedtuple
from dataclasses import dataclass
from datetime import date, timedelta
from typing import cast

import numpy as np
import polars as pl

from ml.types import ASSET_CLASSES, SECTORS

LOOKBACK_DAYS = 400
SUBSTITUTES = 3
_CORRELATION_WINDOW = 252
_MIN_OVERLAP = 126
_CORRELATION_BLOCK = 512
SAFE_CLASSES = ("bond_etf", "cash")

MarketArrays = namedtuple(
    "MarketArrays",
    "price log_index square_sum listed_count asset_key asset_class sector ordinal month month_session "
    "long_term_before quarter substitutes stress has_safe announced last_session action_start "
    "action_asset action_kind action_num action_den action_cash action_pay",
)
SPLIT_ACTION, DIVIDEND_ACTION = 0, 1


@dataclass(frozen=True)
class PricePanel:
    """The market on a session grid.

    Parameters
    ----------
    asset_ids:
        Column order of the arrays, by (first bar, asset_id).
    session_date, open_at, close_at:
        numpy datetime64 arrays, one value per session of the grid.
    start:
        Index of the first session on which an account may open.
    arrays:
        What the compiled engine reads.
    """

    asset_ids: list[str]
    session_date: np.ndarray
    open_at: np.ndarray
    close_at: np.ndarray
    start: int
    arrays: MarketArrays


def build_panel(
    prices: pl.DataFrame,
    sessions: pl.DataFrame,
    *,
    start_date: date,
    corporate_actions: pl.DataFrame | None = None,
    exclude_assets: tuple[str, ...] = (),
) -> PricePanel:
    """Return the panel from ``start_date`` (with a lookback of 400 days) to the last price.

    Parameters
    ----------
    prices:
        asset_id, trade_date, price_usd, asset_class, price_basis and optionally sector.
    sessions:
        session_no, session_date, open_at, close_at (UTC).
    start_date, corporate_actions, exclude_assets:
        As in :func:`ml.simulate.households.generate_households`.

    Raises
    ------
    ValueError
        If a column is missing, a price is not positive, an (asset, date) repeats, or no session
        of the grid carries a price.
    """
    prices = _checked(prices, exclude_assets)
    first_price, last = price_span(prices)
    grid = sessions.filter(
        (pl.col("session_date") >= start_date - timedelta(days=LOOKBACK_DAYS))
        & (pl.col("session_date") <= last)
    ).sort("session_date")
    opening = grid["session_date"].search_sorted(max(start_date, first_price))
    if grid.is_empty() or opening >= grid.height:
        raise ValueError(
            f"no session between start_date {start_date} and the last price {last}; "
            "pass an earlier start_date or sessions that cover the prices"
        )
    order = _asset_order(prices)
    price = _price_matrix(prices, grid, order)
    dates = grid["session_date"].to_numpy().astype("datetime64[D]")
    actions = _actions(corporate_actions, order, dates)
    log_index, returns = _total_return_index(price, actions)
    classes = np.array([ASSET_CLASSES.index(c) for c in order["asset_class"]], dtype=np.int8)
    sectors = np.array([SECTORS.index(s) if s in SECTORS else -1 for s in order["sector"]], dtype=np.int8)
    month = (dates.astype("datetime64[M]").astype(np.int64) % 12 + 1).astype(np.int8)
    quarter = _quarters(dates)
    safe = np.isin(classes, [ASSET_CLASSES.index(c) for c in SAFE_CLASSES])
    calendar = sessions.filter(pl.col("session_date") >= grid["session_date"][0]).sort("session_date")
    announced, last_session = _delistings(corporate_actions, order, grid.height, calendar)
    listed = np.maximum.accumulate(_first_index(price)) if price.shape[1] else np.zeros(0, np.int64)
    arrays = MarketArrays(
        price=price,
        log_index=log_index.astype(np.float32),
        square_sum=np.cumsum(np.square(returns), axis=0, dtype=np.float64).astype(np.float32),
        listed_count=np.searchsorted(listed, np.arange(len(dates)), side="right").astype(np.int64),
        asset_key=np.array([_name_key(a) for a in order["asset_id"]], dtype=np.int64),
        asset_class=classes,
        sector=sectors,
        ordinal=dates.astype(np.int64),
        month=month,
        month_session=_month_sessions(dates),
        long_term_before=_long_term_before(dates),
        quarter=quarter,
        substitutes=_substitutes(returns, price, quarter, classes, sectors),
        stress=_stress(returns, price),
        has_safe=np.isfinite(price[:, safe]).any(axis=1),
        announced=announced,
        last_session=last_session,
        **actions,
    )
    return PricePanel(
        asset_ids=order["asset_id"].to_list(),
        session_date=dates,
        open_at=_microseconds(grid["open_at"]),
        close_at=_microseconds(grid["close_at"]),
        start=int(opening),
        arrays=arrays,
    )


def price_span(prices: pl.DataFrame) -> tuple[date, date]:
    """Return the first and the last trade date; ValueError where there are none."""
    dates = prices["trade_date"].drop_nulls()
    if dates.is_empty():
        raise ValueError("prices hold no trade_date; pass bars of at least one asset")
    return cast(date, dates.min()), cast(date, dates.max())


def _checked(prices: pl.DataFrame, exclude: tuple[str, ...]) -> pl.DataFrame:
    """Return the usable price rows or say what is wrong with them."""
    needed = {"asset_id", "trade_date", "price_usd", "asset_class", "price_basis"}
    missing = sorted(needed - set(prices.columns))
    if missing:
        raise ValueError(f"prices lack the columns {missing}; pass asset_id, trade_date, price_usd, ...")
    if "sector" not in prices.columns:
        prices = prices.with_columns(pl.lit(None, dtype=pl.String).alias("sector"))
    prices = prices.filter(~pl.col("asset_id").is_in(list(exclude)) & pl.col("price_usd").is_finite())
    bad = prices.filter(~(pl.col("price_usd") >= 1e-6))
    if not bad.is_empty():
        row = bad.row(0, named=True)
        raise ValueError(
            f"price {row['price_usd']} of {row['asset_id']} on {row['trade_date']} is not positive; "
            "quarantine such bars before simulating"
        )
    if prices.is_empty():
        raise ValueError("no prices are left after exclude_assets; pass bars of at least one asset")
    keys = prices.select("asset_id", "trade_date")
    if keys.is_duplicated().any():
        row = keys.filter(keys.is_duplicated()).row(0, named=True)
        raise ValueError(f"prices hold {row['asset_id']} on {row['trade_date']} twice; keep one per day")
    return prices


def _asset_order(prices: pl.DataFrame) -> pl.DataFrame:
    """Return asset_id, asset_class and sector by (first bar, asset_id)."""
    first = pl.col("trade_date").min().alias("first_date")
    labels = [pl.col(c).sort_by("trade_date").first() for c in ("asset_class", "sector")]
    return prices.group_by("asset_id").agg(first, *labels).sort("first_date", "asset_id")


def _price_matrix(prices: pl.DataFrame, grid: pl.DataFrame, order: pl.DataFrame) -> np.ndarray:
    """Return prices [sessions, assets], NaN where there is no bar on that session."""
    rows = grid.select("session_date").with_row_index("t")
    cols = order.select("asset_id").with_row_index("n")
    cells = prices.join(rows, left_on="trade_date", right_on="session_date").join(cols, on="asset_id")
    price = np.full((grid.height, order.height), np.nan)
    price[cells["t"].to_numpy(), cells["n"].to_numpy()] = cells["price_usd"].to_numpy()
    return np.rint(price * 1e6) / 1e6


def _actions(actions: pl.DataFrame | None, order: pl.DataFrame, dates: np.ndarray) -> dict[str, np.ndarray]:
    """Return splits and dividends as arrays grouped by ex-session (first known version wins)."""
    rows: list[tuple[int, int, int, int, int, int, int]] = []
    if actions is not None and not actions.is_empty():
        index = {a: i for i, a in enumerate(order["asset_id"])}
        kept = actions.filter(
            pl.col("kind").is_in(["split", "stock_dividend", "dividend"])
            & pl.col("asset_id").is_in(order["asset_id"].to_list())
        ).sort("asset_id", "ex_date", "kind", "known_at")
        for a in kept.unique(["asset_id", "ex_date", "kind"], keep="first", maintain_order=True).to_dicts():
            t = int(np.searchsorted(dates, np.datetime64(a["ex_date"])))
            if t >= len(dates):
                continue
            if a["kind"] == "dividend":
                pay = np.datetime64(a["pay_date"] or a["ex_date"])
                cash = round(float(a["cash_per_share_usd"]) * 1e6)
                rows.append(
                    (t, index[a["asset_id"]], DIVIDEND_ACTION, 1, 1, cash, int((pay - dates[0]).astype(int)))
                )
            else:
                num, den = (round(float(a[c]) * 1e6) for c in ("ratio_new", "ratio_old"))
                common = math.gcd(num, den)
                rows.append((t, index[a["asset_id"]], SPLIT_ACTION, num // common, den // common, 0, 0))
    rows.sort()
    table = np.array(rows, dtype=np.int64).reshape(-1, 7)
    # Pay dates were kept as days since the grid's first session; here they become the first session
    # at or after that day, and len(dates) + 1 while the grid does not reach it.
    offsets = (dates - dates[0]).astype(np.int64)
    pay = np.searchsorted(offsets, table[:, 6])
    return {
        "action_start": np.searchsorted(table[:, 0], np.arange(len(dates) + 1)).astype(np.int64),
        "action_asset": table[:, 1].copy(),
        "action_kind": table[:, 2].copy(),
        "action_num": table[:, 3].copy(),
        "action_den": table[:, 4].copy(),
        "action_cash": table[:, 5].copy(),
        "action_pay": np.where(pay < len(dates), np.maximum(pay, table[:, 0]), len(dates) + 1),
    }


def _total_return_index(price: np.ndarray, actions: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the log total-return index and its daily differences, both [sessions, assets]."""
    ratio = np.ones_like(price)
    cash = np.zeros_like(price)
    starts = actions["action_start"]
    session = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    is_split = actions["action_kind"] == SPLIT_ACTION
    factor = actions["action_num"] / actions["action_den"]
    np.multiply.at(ratio, (session[is_split], actions["action_asset"][is_split]), factor[is_split])
    paid = ~is_split
    np.add.at(cash, (session[paid], actions["action_asset"][paid]), actions["action_cash"][paid] / 1e6)
    growth = np.zeros_like(price)
    previous = price[0].copy()
    held_ratio, held_cash = np.ones(price.shape[1]), np.zeros(price.shape[1])
    for t in range(1, price.shape[0]):
        # An action on a session without a bar waits for the next bar.
        held_cash = held_cash * ratio[t] + cash[t]
        held_ratio = held_ratio * ratio[t]
        seen = np.isfinite(price[t])
        both = seen & np.isfinite(previous)
        growth[t, both] = np.log((price[t, both] * held_ratio[both] + held_cash[both]) / previous[both])
        previous = np.where(seen, price[t], previous)
        held_ratio[seen], held_cash[seen] = 1.0, 0.0
    return np.cumsum(growth, axis=0), growth


def _first_index(price: np.ndarray) -> np.ndarray:
    """Return the first session with a bar per asset, sessions + 1 where the grid has none."""
    seen = np.isfinite(price)
    return np.where(seen.any(axis=0), seen.argmax(axis=0), price.shape[0] + 1)


def _quarters(dates: np.ndarray) -> np.ndarray:
    """Return the quarter number of each session, counted from the grid's first."""
    months = dates.astype("datetime64[M]").astype(np.int64)
    return (months // 3 - months[0] // 3).astype(np.int64)


def _month_sessions(dates: np.ndarray) -> np.ndarray:
    """Return each session's number within its month, from 0 (the grid's first month may be cut)."""
    months = dates.astype("datetime64[M]")
    return (np.arange(len(dates)) - np.searchsorted(months, months)).astype(np.int64)


def _long_term_before(dates: np.ndarray) -> np.ndarray:
    """Return the day number below which a purchase is long-term when sold on each session."""
    day = dates.astype("datetime64[D]")
    month = day.astype("datetime64[M]")
    within = (day - month.astype("datetime64[D]")).astype(np.int64)
    earlier = month - 12
    length = ((earlier + 1).astype("datetime64[D]") - earlier.astype("datetime64[D]")).astype(np.int64)
    return earlier.astype("datetime64[D]").astype(np.int64) + np.minimum(within, length - 1)


def _stress(returns: np.ndarray, price: np.ndarray) -> np.ndarray:
    """Return 21-day over 252-day volatility of the equal-weighted mean, 1 where too short."""
    seen = np.isfinite(price)
    market = np.where(seen, returns, 0.0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    total = np.concatenate([[0.0], np.cumsum(np.square(market))])
    out = np.ones(len(market))
    t = np.arange(252, len(market))
    short, long = (total[t + 1] - total[t - 20]) / 21, (total[t + 1] - total[t - 251]) / 252
    out[t] = np.sqrt(np.divide(short, long, out=np.ones_like(short), where=long > 0))
    return out


def _substitutes(
    returns: np.ndarray, price: np.ndarray, quarter: np.ndarray, classes: np.ndarray, sectors: np.ndarray
) -> np.ndarray:
    """Return the most correlated other assets [quarters, assets, 3] of the year before, -1 if none.

    Beyond 512 assets the search stays within blocks of 512 of the same class and sector, in listing
    order, which keeps the cost linear in the number of assets.
    """
    assets = price.shape[1]
    out = np.full((int(quarter[-1]) + 1, assets, SUBSTITUTES), -1, dtype=np.int64)
    seen = np.isfinite(price)
    if assets <= _CORRELATION_BLOCK:
        groups = [np.arange(assets)]
    else:
        label = classes.astype(np.int64) * 100 + sectors
        groups = [np.flatnonzero(label == value) for value in np.unique(label)]
    for q, start in enumerate(np.searchsorted(quarter, np.arange(out.shape[0]))):
        window = slice(max(0, start - _CORRELATION_WINDOW), start)
        for group in groups:
            for first in range(0, len(group), _CORRELATION_BLOCK):
                block = group[first : first + _CORRELATION_BLOCK]
                out[q, block] = _closest(returns[window][:, block], seen[window][:, block], block)
    return out


def _closest(returns: np.ndarray, seen: np.ndarray, block: np.ndarray) -> np.ndarray:
    """Return for each column its three most correlated columns, as asset indices or -1."""
    best = np.full((len(block), SUBSTITUTES), -1, dtype=np.int64)
    usable = np.flatnonzero(seen.sum(axis=0) >= _MIN_OVERLAP) if len(seen) else np.zeros(0, np.int64)
    if len(usable) < 2:
        return best
    x = returns[:, usable] - returns[:, usable].mean(axis=0)
    norm = np.sqrt(np.square(x).sum(axis=0))
    x = np.divide(x, norm, out=np.zeros_like(x), where=norm > 0)
    correlation = np.round(x.T @ x, 6)
    np.fill_diagonal(correlation, -2.0)
    width = min(SUBSTITUTES, len(usable) - 1)
    ranked = np.argsort(-correlation, axis=1, kind="stable")[:, :width]
    best[usable, :width] = block[usable[ranked]]
    return best


def _delistings(
    actions: pl.DataFrame | None, order: pl.DataFrame, sessions: int, calendar: pl.DataFrame
) -> tuple[np.ndarray, np.ndarray]:
    """Return per asset the session from which a cash merger is known and the last to trade before it."""
    never = calendar.height + 1
    announced = np.full(order.height, never, dtype=np.int64)
    last = np.full(order.height, never, dtype=np.int64)
    if actions is None or actions.is_empty():
        return announced, last
    index = {a: i for i, a in enumerate(order["asset_id"])}
    for a in actions.filter(pl.col("kind") == "merger").sort("asset_id", "known_at").to_dicts():
        n = index.get(a["asset_id"])
        ends = calendar["session_date"].search_sorted(a["ex_date"])
        if n is None or announced[n] < sessions or ends >= calendar.height:
            continue
        announced[n] = calendar["close_at"].search_sorted(a["known_at"])
        last[n] = ends - 1
    return announced, last


def _microseconds(stamps: pl.Series) -> np.ndarray:
    """Return UTC microseconds since 1970 as int64."""
    return stamps.dt.convert_time_zone("UTC").dt.epoch("us").to_numpy()


def _name_key(asset_id: str) -> int:
    """Return a stable 62-bit key of an asset's name."""
    return int.from_bytes(hashlib.blake2b(asset_id.encode(), digest_size=8).digest(), "little") >> 2
